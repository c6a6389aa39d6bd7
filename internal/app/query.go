package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"billsync/internal/store"
)

// Query runs a query that only reads; see store.Store.Query.
func (a *App) Query(ctx context.Context, query string, head func([]string) error, row func([]any) error) error {
	st, err := a.look(ctx)
	if err != nil {
		return err
	}
	defer a.logged("closing the database", st.Close)
	return withCode(st.Query(ctx, query, head, row))
}

// Snapshot writes a consistent copy of the database to a file, or with dry only
// finds out whether there is something to be copied, and whether the file may have
// that name. It returns the file's whole name.
func (a *App) Snapshot(ctx context.Context, path string, replace, dry bool) (string, error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	st, err := a.look(ctx)
	if err != nil {
		return "", err
	}
	defer a.logged("closing the database", st.Close)
	if err := a.Spare(whole); err != nil {
		return "", err
	}
	if dry {
		return whole, withCode(st.CheckSnapshot(whole, replace))
	}
	return whole, withCode(st.Snapshot(ctx, whole, replace))
}

// Spare makes sure that writing a file replaces nothing that the program lives from:
// its database and what belongs to that, its configuration, keys and tokens.
func (a *App) Spare(path string) error {
	if err := store.Spare(a.cfg.Database.URL, path); err != nil {
		return withCode(err)
	}
	type vital struct{ path, what string }
	files := []vital{{a.cfg.File, "the configuration"}, {a.cfg.API.PrivateKeyFile, "the private key"}, {a.cfg.API.ServerPublicKeyFile, "the API's public key"}}
	for _, c := range a.cfg.Accounts {
		files = append(files, vital{c.AccessTokenFile, "the access token of account " + c.Name})
	}
	for _, f := range files {
		if f.path != "" && store.SameFile(path, f.path) {
			return &InputError{fmt.Sprintf("%s: it is %s", path, f.what), "name another file"}
		}
	}
	return nil
}

// look opens the database for looking only; that there is none is an InputError.
func (a *App) look(ctx context.Context) (*store.Store, error) {
	st, err := store.OpenReader(ctx, a.cfg.Database.URL)
	if errors.Is(err, store.ErrNoDatabase) {
		return nil, a.noDatabase()
	}
	return st, withCode(err)
}

// write opens the database for writing; if there is none, one is made.
func (a *App) write(ctx context.Context) (*store.Store, error) {
	st, err := store.Open(ctx, a.cfg.Database.URL, a.cfg.Report.Timezone)
	if err != nil {
		return nil, withCode(err)
	}
	st.ShareWrites(&a.writes)
	return st, nil
}

// change opens for writing a database that is there and of this version, if it passes
// the tests.
func (a *App) change(ctx context.Context, tests ...func(context.Context, *store.Store) error) (*store.Store, error) {
	look, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	for _, test := range tests {
		if err == nil {
			err = test(ctx, look)
		}
	}
	a.logged("closing the database", look.Close)
	if err != nil {
		return nil, err
	}
	return a.write(ctx)
}

// noDatabase says that there is nothing to look at yet.
func (a *App) noDatabase() error {
	return &InputError{"there is no database at " + a.cfg.Database.URL + " yet", "run syncer sync"}
}

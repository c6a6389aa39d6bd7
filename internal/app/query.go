package app

import (
	"context"
	"errors"
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
// finds out whether there is something to be copied. It returns the file's whole
// name.
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
	if dry {
		return whole, nil
	}
	return whole, withCode(st.Snapshot(ctx, whole, replace))
}

// look opens the database for looking only; that there is none is an InputError.
func (a *App) look(ctx context.Context) (*store.Store, error) {
	st, err := store.OpenReader(ctx, a.cfg.Database.URL)
	if errors.Is(err, store.ErrNoDatabase) {
		return nil, &InputError{"there is no database at " + a.cfg.Database.URL + " yet", "run syncer sync"}
	}
	return st, withCode(err)
}

package app

import (
	"context"
	"errors"
	"strings"

	"billsync/internal/store"
)

// An Acceptance is what a person has looked at and accepted.
type Acceptance = store.Acceptance

// Accept records that a person has looked at something that keeps runs from
// being complete. It works beside a run. With dry nothing is changed.
func (a *App) Accept(ctx context.Context, subject, note string, dry bool) (store.Acceptance, error) {
	note = strings.TrimSpace(note)
	if note == "" {
		return store.Acceptance{}, &InputError{"accept needs a note",
			"--note TEXT: who looked at it and why it may stay; it is kept for the auditor"}
	}
	path := a.cfg.Database.URL
	look, err := store.OpenReader(ctx, path)
	if errors.Is(err, store.ErrNoDatabase) {
		return store.Acceptance{}, &InputError{"there is nothing to accept: " + path + " does not exist yet", "run syncer sync"}
	}
	if err != nil {
		return store.Acceptance{}, withCode(err)
	}
	found, err := look.PreviewAccept(ctx, subject, a.now())
	if id, ok := strings.CutPrefix(subject, "cardholder:"); ok && err == nil {
		err = a.unsettled(ctx, look, id)
	}
	a.logged("closing the database", look.Close)
	if err != nil || dry {
		found.Note = note
		return found, withCode(err)
	}
	st, err := store.Open(ctx, path, a.cfg.Report.Timezone)
	if err != nil {
		return found, withCode(err)
	}
	defer a.logged("closing the database", st.Close)
	found, err = st.Accept(ctx, subject, note, a.now())
	if err == nil {
		a.log.Info().Str("account", found.Account).Str("subject", found.Subject).Str("note", note).Msg("accepted")
	}
	return found, withCode(err)
}

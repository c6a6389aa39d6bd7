package app

import (
	"context"
	"errors"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// A Case is a part of an account's history that waits or failed, or an account
// that is refused, with what the API's support will ask for.
type Case struct {
	Account  string
	Span     bill.Span // zero if the account as a whole is refused
	Tail     bool
	OpenEnd  bool // of the span: it goes on to now
	State    string
	Until    time.Time // asked again then; zero: not by the clock
	Why      string
	Evidence *store.Evidence // nil: no request of it is kept
}

// Evidence returns the cases of the enabled accounts. Like Status it only looks;
// the error is ErrNoDatabase if nothing was synced yet.
func (a *App) Evidence(ctx context.Context) ([]Case, error) {
	st, err := store.OpenReader(ctx, a.cfg.Database.URL)
	if errors.Is(err, store.ErrNoDatabase) {
		return nil, ErrNoDatabase
	}
	if err != nil {
		return nil, withCode(err)
	}
	defer a.logged("closing the database", st.Close)
	var out []Case
	err = st.View(ctx, func(t *store.Tx) error {
		s := Status{}
		if err := a.fillAccounts(t, &s); err != nil {
			return err
		}
		for i := range s.Accounts {
			kept, err := t.Evidence(s.Accounts[i].Account)
			if err != nil {
				return err
			}
			out = append(out, s.Accounts[i].cases(kept)...)
		}
		return nil
	})
	return out, withCode(err)
}

// cases joins what is in trouble with what is kept of it.
func (s *AccountStatus) cases(kept map[int64]store.Evidence) []Case {
	// What refused the account is kept in the tail's place.
	first, ok := kept[0]
	refusal := ok && first.Outcome == bill.RefusedUs.String()
	var out []Case
	add := func(c Case, e store.Evidence, ok bool) {
		c.Account = s.Account
		if ok {
			c.Evidence = &e
		}
		out = append(out, c)
	}
	if s.Refusal.Code != "" {
		add(Case{State: "refused", Why: s.Refusal.Reason}, first, refusal)
	}
	if t := s.Tail; t != nil && (t.LastError != "" || t.State == bill.Waiting || t.State == bill.Failed) {
		add(Case{Span: bill.Span{Start: t.CoveredFrom}, Tail: true, OpenEnd: true, State: string(t.State), Until: t.NextAttemptAt, Why: t.LastError},
			first, ok && !refusal)
	}
	for i := range s.Waiting {
		w := &s.Waiting[i]
		e, ok := kept[w.ID]
		add(Case{Span: w.Span, OpenEnd: w.OpenEnd, State: string(w.State), Until: w.NextAttemptAt, Why: w.LastError}, e, ok)
	}
	return out
}

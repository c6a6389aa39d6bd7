package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"billsync/internal/store"
)

// A HandMatch is what a person says belongs together.
type HandMatch struct {
	Ledger   string   // its name; empty: the only one
	Lines    []string // numbers in the file, or id:N
	Postings []string // line_id
	Force    bool     // they need not add up
	By, Note string
}

// A HandMatched is the match that a person made.
type HandMatched = store.ManualResult

// MatchByHand keeps a match that a person made, as confirmed. With dry nothing is
// changed.
func (a *App) MatchByHand(ctx context.Context, h HandMatch, dry bool) (made *HandMatched, err error) {
	m := store.ManualMatch{Postings: h.Postings, Force: h.Force, By: strings.TrimSpace(h.By), Note: strings.TrimSpace(h.Note), At: a.now()}
	if m.By == "" {
		return nil, &InputError{"nobody is named who decides", "--by NAME"}
	}
	if err := linesOf(&m, h.Lines); err != nil {
		return nil, err
	}
	st, err := a.change(ctx)
	if err != nil {
		return nil, err
	}
	defer a.logged("closing the database", st.Close)
	err = st.UpdateDurably(ctx, func(t *store.Tx) (err error) {
		if m.Ledger, err = ledgerNamed(t, h.Ledger); err != nil {
			return err
		}
		how, err := readAsOf(&m.Ledger)
		if err != nil {
			return err
		}
		m.Yuan = how.Yuan
		if made, err = t.MatchManually(&m); err == nil && dry {
			err = errDry
		}
		return err
	})
	if errors.Is(err, errDry) {
		err = nil
	}
	return made, withCode(err)
}

// linesOf reads how a person names lines.
func linesOf(m *store.ManualMatch, texts []string) error {
	for _, text := range texts {
		digits, isID := strings.CutPrefix(text, "id:")
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 1 {
			return &InputError{fmt.Sprintf("%q is no line of a ledger", text), "its number in the file, such as 12, or id:N, its ledger_line_id"}
		}
		if isID {
			m.IDs = append(m.IDs, n)
		} else {
			m.Numbers = append(m.Numbers, int(n))
		}
	}
	return nil
}

// A Forgotten tells what forgetting a ledger takes away.
type Forgotten struct {
	Ledger                    string
	Lines, Matches, Confirmed int
	Kept                      bool // lines stay that a person has decided about
}

// ForgetLedger takes a ledger away, as if it had been corrected until no line was
// left: what rules matched is undone, what was confirmed is withdrawn, and what was
// decided stays readable. With dry nothing is changed.
func (a *App) ForgetLedger(ctx context.Context, name string, force, dry bool) (f *Forgotten, err error) {
	st, err := a.change(ctx)
	if err != nil {
		return nil, err
	}
	defer a.logged("closing the database", st.Close)
	err = st.UpdateDurably(ctx, func(t *store.Tx) error {
		if f, err = a.forget(t, name, force); err == nil && dry {
			return errDry
		}
		return err
	})
	if errors.Is(err, errDry) {
		err = nil
	}
	return f, withCode(err)
}

func (a *App) forget(t *store.Tx, name string, force bool) (*Forgotten, error) {
	found, err := ledgerNamed(t, name)
	if err != nil {
		return nil, err
	}
	old, err := t.LedgerLines(found.ID)
	if err != nil {
		return nil, err
	}
	matches, err := t.LedgerMatches(found.ID)
	if err != nil {
		return nil, err
	}
	f := &Forgotten{Ledger: found.Name}
	r := store.Reconciliation{Ledger: found}
	for _, l := range old {
		if !l.Removed {
			r.Gone = append(r.Gone, l.ID)
		}
	}
	for _, m := range matches {
		switch m.State {
		case store.MatchConfirmed:
			r.Undone = append(r.Undone, m.ID)
		case store.MatchMade, store.MatchSuggested:
			r.Dropped = append(r.Dropped, m.ID)
		}
	}
	f.Lines, f.Matches, f.Confirmed = len(r.Gone), len(r.Dropped), len(r.Undone)
	if f.Confirmed > 0 && !force {
		return nil, &InputError{fmt.Sprintf("ledger %s has %d confirmed matches, which would be withdrawn", found.Name, f.Confirmed), "--force forgets it all the same"}
	}
	if r.Since, err = t.Reconciled(); err != nil {
		return nil, err
	}
	r.Ledger.From, r.Ledger.To, r.Ledger.Skipped, r.Ledger.MatchedAt = "", "", 0, a.now()
	if err := t.SaveReconciliation(&r, old, a.now()); err != nil {
		return nil, err
	}
	f.Kept, err = t.RemoveLedger(found.ID)
	return f, err
}

// LedgerNames are the names of the ledgers that were reconciled.
func (a *App) LedgerNames(ctx context.Context) (names []string, err error) {
	st, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	defer a.logged("closing the database", st.Close)
	err = st.View(ctx, func(t *store.Tx) error {
		list, err := t.Ledgers("")
		for _, l := range list {
			names = append(names, l.Name)
		}
		return err
	})
	return names, withCode(err)
}

// Undecided are the numbers of the matches that a person may confirm or reject, with
// what they are.
func (a *App) Undecided(ctx context.Context, confirm bool) (list []store.LedgerMatch, err error) {
	st, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	defer a.logged("closing the database", st.Close)
	err = st.View(ctx, func(t *store.Tx) error {
		list, err = t.UndecidedMatches(confirm)
		return err
	})
	return list, withCode(err)
}

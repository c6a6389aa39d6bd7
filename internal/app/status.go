package app

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// Status is what the database knows of the accounts in the configuration.
type Status struct {
	Path       string
	Accounts   []AccountStatus
	Runs       []bill.Run // the latest, the newest first
	ByStatus   []store.Count
	ByCurrency []store.Count
	Notices    []store.Notice // notifications in the inbox, the oldest of
	Inbox      int            // so many
	// Cardholders are the requests to register one that are not settled. They say
	// nothing about bills, and so nothing against the health of the accounts.
	Cardholders []HolderState
}

// AccountStatus is what is proved of one account and what is not.
type AccountStatus struct {
	store.Coverage
	Known    bool // the database has it
	ProvedAt time.Time
	Late     time.Duration // how much older the newest proof is than the schedule expects; 0: not
	Waiting  []bill.Window // wait or failed, the newest first
	Unread   int           // windows not read yet
	Tail     *bill.Tail
	Refusal  store.Refusal
	Rejected []store.Rejected
	Chases   []bill.Chase // windows whose changes could not be looked for
	Quiet    string       // that nothing was found where something usually is
	Token    *Tokens      // nil: it has none, or it cannot be read
	TokenEnd string       // in words, when it expires; empty if nobody knows
}

// Healthy reports whether everything is proved and no older than expected.
func (s *AccountStatus) Healthy() bool { return s.Complete && s.Late == 0 }

// ErrNoDatabase says that there is nothing to look at yet.
var ErrNoDatabase = errors.New("there is no database yet")

// Status reads it. The error is ErrNoDatabase if nothing was synced yet.
func (a *App) Status(ctx context.Context) (Status, error) {
	s := Status{Path: a.cfg.Database.URL}
	st, err := store.OpenReader(ctx, s.Path)
	if errors.Is(err, store.ErrNoDatabase) {
		return s, ErrNoDatabase
	}
	if err != nil {
		return s, withCode(err)
	}
	defer a.logged("closing the database", st.Close)
	if err := st.View(ctx, func(t *store.Tx) error { return a.fill(t, &s) }); err != nil {
		return s, withCode(err)
	}
	return s, withCode(a.findKilled(ctx, st, &s))
}

// Killed is the outcome of a run that is called running although nobody works
// on the database. The next run notes it there; a status only says so.
const Killed = "killed"

// findKilled looks whether what is called running still runs.
func (a *App) findKilled(ctx context.Context, st *store.Store, s *Status) error {
	running := func(r bill.Run) bool { return r.Outcome == "running" }
	if !slices.ContainsFunc(s.Runs, running) {
		return nil
	}
	held, err := store.Held(s.Path)
	if err != nil {
		a.log.Debug().Err(err).Msg("nobody can say whether the run goes on")
		return nil
	}
	if held {
		return nil
	}
	// It may have ended after the runs were read: its end is stored before the
	// lock is given back, so what is called running now was killed.
	return st.View(ctx, func(t *store.Tx) error {
		if s.Runs, err = t.Runs(len(s.Runs)); err != nil {
			return err
		}
		for i := range s.Runs {
			if running(s.Runs[i]) {
				s.Runs[i].Outcome, s.Runs[i].Error = Killed, "the process ended without a word"
			}
		}
		return nil
	})
}

// Coverage is the part of Status that a run's summary needs: it leaves out the
// sums over all bills.
func (a *App) Coverage(ctx context.Context) (Status, error) {
	s := Status{Path: a.cfg.Database.URL}
	st, err := store.OpenReader(ctx, s.Path)
	if err != nil {
		return s, withCode(err)
	}
	defer a.logged("closing the database", st.Close)
	return s, withCode(st.View(ctx, func(t *store.Tx) error { return a.fillAccounts(t, &s) }))
}

func (a *App) fill(t *store.Tx, s *Status) error {
	err := a.fillAccounts(t, s)
	if err != nil {
		return err
	}
	if s.Runs, err = t.Runs(5); err != nil {
		return err
	}
	if s.Notices, s.Inbox, err = t.Notices(5); err != nil {
		return err
	}
	if s.ByStatus, err = t.ByStatus(); err != nil {
		return err
	}
	switch s.ByCurrency, err = t.ByCurrency(); {
	case errors.Is(err, store.ErrTooMuch):
		a.log.Warn().Err(err).Msg("what was spent cannot be added up") // all the rest can be told
	case err != nil:
		return err
	}
	s.Cardholders, err = a.openCardholders(t)
	return err
}

func (a *App) fillAccounts(t *store.Tx, s *Status) error {
	known := map[string]store.Coverage{}
	rows, err := t.Coverage()
	if err != nil {
		return err
	}
	for _, c := range rows {
		known[c.Account] = c
	}
	for _, c := range a.cfg.Enabled() {
		x := AccountStatus{Coverage: known[c.Name]}
		_, x.Known = known[c.Name]
		x.Account = c.Name
		if err := a.fillAccount(t, &x); err != nil {
			return err
		}
		s.Accounts = append(s.Accounts, x)
	}
	return nil
}

func (a *App) fillAccount(t *store.Tx, x *AccountStatus) error {
	windows, err := t.Windows(x.Account)
	if err != nil {
		return err
	}
	for _, w := range windows {
		switch {
		case w.State == bill.Waiting, w.State == bill.Failed, w.LastError != "":
			x.Waiting = append(x.Waiting, w)
		case w.State != bill.Done:
			x.Unread++
		}
		if w.ProvedAt.After(x.ProvedAt) && w.End.Equal(x.To) {
			x.ProvedAt = w.ProvedAt
		}
	}
	a.fillToken(x)
	if x.Tail, err = t.Tail(x.Account); err != nil {
		return err
	}
	if x.Tail != nil && x.Tail.ProvedAt.After(x.ProvedAt) {
		x.ProvedAt = x.Tail.ProvedAt
	}
	if x.Refusal, err = t.Refusal(x.Account); err != nil {
		return err
	}
	chases, err := t.Chases(x.Account)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(chases)) {
		if c := chases[id]; c.AcceptedAt.IsZero() && (c.State == bill.Waiting || c.State == bill.Failed) {
			x.Chases = append(x.Chases, c)
		}
	}
	if !x.To.IsZero() {
		q, err := t.Quiet(x.Account, x.To)
		if err != nil {
			return err
		}
		x.Quiet = q.String()
	}
	if x.Rejected, err = t.Rejected(x.Account, 5); err != nil {
		return err
	}
	if expr := a.cfg.Schedule.Sync; expr != "" && !x.To.IsZero() {
		// Two rounds of the schedule and a quarter of an hour is late.
		if due := a.next(expr, a.next(expr, x.To)); !due.IsZero() {
			if late := a.now().Sub(due.Add(15 * time.Minute)); late > 0 {
				x.Late = late.Truncate(time.Second) + time.Second // never told as nothing
			}
		}
	}
	return nil
}

// fillToken adds when the account's token expires. One that cannot be read is
// for the next run and for a check to tell.
func (a *App) fillToken(x *AccountStatus) {
	c, _ := a.cfg.Account(x.Account)
	t, err := a.lookAtTokens(c)
	if err != nil || t == nil || t.Bare {
		return
	}
	x.Token, x.TokenEnd = t, a.tokenEnds(*t)
	if t.Spent != "" {
		x.TokenEnd += ": " + t.Spent
	}
}

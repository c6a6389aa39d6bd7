package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
	"billsync/internal/syncer"
)

// Plan is what a sync would ask for now.
type Plan struct {
	Steps    []syncer.Step
	PageSize int
	Requests int           // expected; at least, if Unknown > 0
	Unknown  int           // steps about which nothing is known yet
	Takes    time.Duration // at the configured rate
	Waiting  []Pause       // what is left out, by account, the newest first
}

// A Pause is a window, or the tail, that a sync would not ask for now.
type Pause struct {
	Account string
	Span    bill.Span // of a tail: without an end
	Tail    bool
	State   bill.State
	Until   time.Time // asked again then; zero if it failed: only by a refresh or a retry
	Why     string
}

// Plan works it out. It writes nothing, and asks the API only with probe.
func (a *App) Plan(ctx context.Context, o SyncOptions, probe bool) (Plan, error) {
	p := Plan{PageSize: a.cfg.Sync.PageSize}
	scope, err := a.scope(o)
	if err != nil {
		return p, err
	}
	var source syncer.Source
	a.frozen = true
	defer func() { a.frozen = false }()
	if probe {
		if source, err = a.source(); err != nil {
			return p, err
		}
	}
	opts := syncer.Options{Accounts: o.Accounts, Scope: scope}
	work := a.newSyncer(source, nil)
	st, err := store.OpenReader(ctx, a.cfg.Database.URL)
	switch {
	case errors.Is(err, store.ErrNoDatabase) && o.Retry:
		return p, errNothingToRetry()
	case errors.Is(err, store.ErrNoDatabase):
		p.Steps, err = work.Preview(nil, opts)
	case err == nil:
		err = st.View(ctx, func(t *store.Tx) error {
			var err error
			if p.Steps, err = work.Preview(t, opts); err != nil {
				return err
			}
			p.Waiting, err = a.pauses(t, o, scope, p.Steps)
			return err
		})
		a.logged("closing the database", st.Close)
	}
	if err != nil {
		return p, withCode(err)
	}
	if probe {
		if err := work.Probe(ctx, p.Steps); err != nil {
			return p, failure(err)
		}
	}
	for _, s := range p.Steps {
		p.Requests += s.Requests(p.PageSize)
		if s.Bills < 0 {
			p.Unknown++
		}
	}
	p.Takes = time.Duration(float64(p.Requests) / a.cfg.API.RequestsPerSecond * float64(time.Second))
	return p, nil
}

// pauses finds what waits for its time or failed, and is not among the steps.
func (a *App) pauses(t *store.Tx, o SyncOptions, scope syncer.Scope, steps []syncer.Step) ([]Pause, error) {
	accounts, err := a.accounts(o.Accounts)
	if err != nil {
		return nil, err
	}
	var out []Pause
	for _, c := range accounts {
		add := func(p Pause, g *bill.Progress, rereading bool) {
			later := g.NextAttemptAt.After(a.now()) && (g.State == bill.Waiting || rereading)
			asked := slices.ContainsFunc(steps, func(s syncer.Step) bool {
				return s.Account == c.Name && s.Tail == p.Tail && (p.Tail || s.Span.Start.Equal(p.Span.Start))
			})
			if asked || !later && g.State != bill.Failed {
				return
			}
			p.Account, p.State, p.Why = c.Name, g.State, g.LastError
			if later {
				p.Until = g.NextAttemptAt
			}
			out = append(out, p)
		}
		tail, err := t.Tail(c.Name)
		if err != nil {
			return nil, err
		}
		if tail != nil && (scope.Span.End.IsZero() || !scope.Span.End.Before(tail.CoveredFrom)) {
			add(Pause{Span: bill.Span{Start: tail.CoveredFrom}, Tail: true}, &tail.Progress, false)
		}
		windows, err := t.Windows(c.Name)
		if err != nil {
			return nil, err
		}
		for i := range windows {
			if w := &windows[i]; scope.Span.Start.IsZero() || w.Overlaps(scope.Span) {
				add(Pause{Span: w.Span}, &w.Progress, !w.RereadAt.IsZero())
			}
		}
	}
	return out, nil
}

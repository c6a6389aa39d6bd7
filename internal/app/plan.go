package app

import (
	"context"
	"errors"
	"time"

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
}

// Plan works it out. It writes nothing, and asks the API only with probe.
func (a *App) Plan(ctx context.Context, o SyncOptions, probe bool) (Plan, error) {
	p := Plan{PageSize: a.cfg.Sync.PageSize}
	scope, err := a.scope(o)
	if err != nil {
		return p, err
	}
	var source syncer.Source
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
			p.Steps, err = work.Preview(t, opts)
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

package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"billsync/internal/schedule"
	"billsync/internal/store"
)

// daemonGrace is how long a run may take to stop when the daemon is told to.
const daemonGrace = 20 * time.Second

// Daemon syncs by the schedule until ctx ends, which is no error: stopping when
// asked is its job. What is wrong before the first run is an error; a run that
// fails is logged, and the next one comes.
func (a *App) Daemon(ctx context.Context) error {
	if _, err := a.source(); err != nil {
		return err
	}
	path := a.cfg.Database.URL
	if err := store.Check(ctx, path); err != nil {
		return withCode(err)
	}
	// A file that cannot be written is told before a lock is left beside it.
	if err := a.claim(ctx); err != nil {
		return err
	}
	life, err := store.TryDaemonLock(path, a.now())
	if err != nil {
		return a.busy(err)
	}
	defer a.logged("giving the daemon's lock back", life.Unlock)
	for _, w := range a.unserved() {
		a.log.Warn().Msg(w)
	}
	wake, closeWebhook, err := a.receive(ctx)
	if err != nil {
		return err
	}
	defer closeWebhook()
	job := func(o SyncOptions) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := a.Sync(ctx, o)
			return a.quiet(ctx, err)
		}
	}
	all := sources{a.now, []dueSource{
		{a.tokenDue, func(ctx context.Context) error { a.renewDue(ctx, nil); return nil }},
		{a.due, job(SyncOptions{Trigger: "retry", Retry: true, DueOnly: true})},
		{a.dueCardholders, a.resumeDue},
	}}
	r := schedule.Runner{
		Jobs: []schedule.Job{
			// The refresh first: a sync at the same time would begin one of its own.
			{Name: "refresh", Expr: a.cfg.Schedule.Refresh, Run: job(SyncOptions{Trigger: "refresh", Refresh: true, Scheduled: true})},
			{Name: "sync", Expr: a.cfg.Schedule.Sync, Run: job(SyncOptions{Trigger: "schedule"})},
		},
		Location: a.cfg.Schedule.Timezone, RunAtStart: "sync", Wake: wake, Due: all.due, OnDue: all.work,
		Log: a.log, Now: a.now, Grace: daemonGrace,
	}
	a.log.Info().Str("sync", a.cfg.Schedule.Sync).Str("refresh", a.cfg.Schedule.Refresh).Str("database", path).Msg("daemon started")
	err = r.Run(ctx)
	a.log.Info().Msg("daemon stopped")
	return err
}

// A dueSource is something that is due at times of its own, and what is done
// then.
type dueSource struct {
	due  func(context.Context) (time.Time, bool)
	work func(context.Context) error
}

// sources are one for the daemon's clock: it looks for the earliest.
type sources struct {
	now func() time.Time
	all []dueSource
}

func (s sources) due(ctx context.Context) (first time.Time, ok bool) {
	for _, x := range s.all {
		if at, due := x.due(ctx); due && (!ok || at.Before(first)) {
			first, ok = at, true
		}
	}
	return first, ok
}

// work does what is due of each source.
func (s sources) work(ctx context.Context) error {
	var errs []error
	for _, x := range s.all {
		if at, due := x.due(ctx); due && !at.After(s.now()) && ctx.Err() == nil {
			errs = append(errs, x.work(ctx))
		}
	}
	return errors.Join(errs...)
}

// unserved names what the configuration asks for and this version does not do.
func (a *App) unserved() []string {
	var out []string
	for _, s := range []struct{ key, what, listen string }{
		{"web.listen", "the page, metrics and health", a.cfg.Web.Listen},
	} {
		if s.listen != "" {
			out = append(out, fmt.Sprintf("%s = %q: this version does not serve %s yet, nothing listens there", s.key, s.listen, s.what))
		}
	}
	return out
}

// claim opens the database once, so that a wrong file or another origin is told
// at the start and not in the log of the first run.
func (a *App) claim(ctx context.Context) error {
	st, err := store.Open(ctx, a.cfg.Database.URL, a.cfg.Report.Timezone)
	if err != nil {
		return withCode(err)
	}
	defer a.logged("closing the database", st.Close)
	return withCode(st.ClaimOrigin(ctx, a.origin, a.historyStart, a.now()))
}

// quiet drops errors that the run's own log line has told already.
func (a *App) quiet(ctx context.Context, err error) error {
	var v *Verdict
	if err == nil || errors.As(err, &v) || ctx.Err() != nil {
		return nil
	}
	return err
}

// due returns when the earliest retry is due.
func (a *App) due(ctx context.Context) (time.Time, bool) {
	st, err := store.OpenReader(ctx, a.cfg.Database.URL)
	if err != nil {
		return time.Time{}, false // the next run says what is wrong
	}
	defer a.logged("closing the database", st.Close)
	var at time.Time
	err = st.View(ctx, func(t *store.Tx) error {
		var err error
		at, err = t.NextAttempt(a.enabledNames())
		return err
	})
	return at, err == nil && !at.IsZero()
}

// dueCardholders returns when the earliest unanswered request for a cardholder is
// due.
func (a *App) dueCardholders(ctx context.Context) (time.Time, bool) {
	st, err := store.OpenReader(ctx, a.cfg.Database.URL)
	if err != nil {
		return time.Time{}, false // the next run says what is wrong
	}
	defer a.logged("closing the database", st.Close)
	names, err := a.holderAccounts("")
	if err != nil {
		return time.Time{}, false
	}
	var at time.Time
	err = st.View(ctx, func(t *store.Tx) error {
		at, err = t.NextCardholder(names)
		return err
	})
	return at, err == nil && !at.IsZero()
}

// resumeDue sends the request for a cardholder again that is due first: a silent
// API takes minutes for one, and syncs wait meanwhile. The others follow in the
// next turns. What a person is sending at this moment is not its business.
func (a *App) resumeDue(ctx context.Context) error {
	_, err := a.ResumeCardholders(ctx, ResumeOptions{Daemon: true})
	var busy *store.BusyError
	if errors.As(err, &busy) {
		return nil
	}
	return a.quiet(ctx, err)
}

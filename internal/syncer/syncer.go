package syncer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"billsync/internal/bill"

	"github.com/rs/zerolog"
)

// Config is what the work depends on.
type Config struct {
	Accounts      []AccountConfig
	Zone          *time.Location // offset used in requests, and of the windows' days
	WindowDays    int
	PageSize      int
	Tail          time.Duration // every run reads at least this much
	Refresh       time.Duration // a refresh reads at least this much in full
	Audit         time.Duration // and everything within this time
	RetrySchedule []time.Duration
	Concurrency   int
	// Decode makes an item of the raw text of one that was held back.
	Decode func([]byte) bill.Item
	// DecodeList makes the items of a page's list that was left undecoded.
	DecodeList func([]byte) ([]bill.Item, error)
	// NextSync tells when the sync schedule asks for the next run: a tail read
	// longer ago is read again even while a long run goes on. Nil: every 15
	// minutes.
	NextSync func(time.Time) time.Time
	// NextRefresh tells when the refresh schedule asks for a refresh after a
	// given time; the zero time: never. Nil: never.
	NextRefresh func(time.Time) time.Time
}

// AccountConfig is an account and how far back its history is wanted.
type AccountConfig struct {
	bill.Account
	HistoryStart time.Time // midnight in Config.Zone
}

// Options say what one run is about.
type Options struct {
	Trigger  string   // what started it, for the run's row
	Accounts []string // names; empty: all
	Scope
	// Progress, if set, is told how the run is going, from the run's goroutine.
	Progress func(Progress)
}

// A Syncer does runs.
type Syncer struct {
	cfg    Config
	source Source
	store  Store
	log    zerolog.Logger
	now    func() time.Time
}

// New returns a Syncer that reads from source into store.
func New(cfg Config, source Source, store Store, log zerolog.Logger, now func() time.Time) *Syncer {
	if cfg.NextSync == nil {
		cfg.NextSync = func(t time.Time) time.Time { return t.Add(15 * time.Minute) }
	}
	if cfg.NextRefresh == nil {
		cfg.NextRefresh = func(time.Time) time.Time { return time.Time{} }
	}
	return &Syncer{cfg, source, store, log, now}
}

// Run does what is due and judges afterwards, from the database, what is
// complete. The Summary is returned also when the error is not nil, as far as
// it was known then. The error is the cause of ctx if that ended the run, and
// else says that the work could not be done at all; that the provider did not
// answer or refused is told by the Summary alone.
func (s *Syncer) Run(ctx context.Context, o Options) (sum Summary, err error) {
	e := &engine{
		cfg: s.cfg, desk: newDesk(s.source, s.cfg.Concurrency, len(s.cfg.Accounts)), store: s.store, log: s.log, now: s.now, zones: map[string]*time.Location{},
		requestsBefore: s.source.Requests(),
		run:            &bill.Run{Trigger: o.Trigger, StartedAt: s.now()},
	}
	e.zones[s.cfg.Zone.String()] = s.cfg.Zone
	e.scope, e.progress = o.Scope, o.Progress
	if err := e.begin0(ctx, o); err != nil {
		return Summary{}, err
	}
	defer func() {
		if p := recover(); p != nil { // what is in the database stays true
			err = fmt.Errorf("panic: %v", p)
			e.close(context.WithoutCancel(ctx), o, "error", err)
			panic(p)
		}
	}()
	if err := e.loop(ctx, o); err != nil {
		e.close(context.WithoutCancel(ctx), o, "error", err)
		return e.summary(), err
	}
	return e.conclude(ctx, o)
}

// loop works until nothing is due. A window whose wait ended meanwhile is taken
// up again, so a short retry schedule is followed within the run.
func (e *engine) loop(ctx context.Context, o Options) error {
	for {
		if err := e.work(ctx); err != nil {
			return err
		}
		if e.stopped != nil {
			return nil
		}
		again := false
		err := e.store.Update(context.WithoutCancel(ctx), func(tx Tx) error {
			if err := e.settleUnanswered(tx); err != nil {
				return err
			}
			var err error
			again, err = e.duesAgain(tx, o)
			return err
		})
		if err != nil || !again {
			return err
		}
	}
}

// begin0 opens the run: its row, and what is due for each account.
func (e *engine) begin0(ctx context.Context, o Options) error {
	return e.store.Update(ctx, func(tx Tx) error {
		if err := tx.BeginRun(e.run); err != nil {
			return err
		}
		for _, c := range e.cfg.Accounts {
			if !o.names(c.Name) {
				continue
			}
			a, err := e.admit(tx, c, o.Scope)
			if err != nil {
				return fmt.Errorf("account %s: %w", c.Name, err)
			}
			e.accounts = append(e.accounts, a)
		}
		return nil
	})
}

func (o Options) names(account string) bool {
	for _, n := range o.Accounts {
		if n == account {
			return true
		}
	}
	return len(o.Accounts) == 0
}

func (c Config) rules(start, now time.Time) rules {
	return rules{
		historyStart: start, zone: c.Zone, windowDays: c.WindowDays, tail: c.Tail, refresh: c.Refresh, audit: c.Audit,
		refreshEvery: c.refreshEvery(now),
	}
}

// refreshEvery returns how long it is from one refresh to the next: a day, if
// no schedule says otherwise.
func (c Config) refreshEvery(now time.Time) time.Duration {
	first := c.NextRefresh(now)
	if second := c.NextRefresh(first); !first.IsZero() && second.After(first) {
		return second.Sub(first)
	}
	return 24 * time.Hour
}

// admit finds out what is due for an account and stores the windows that this
// adds.
func (e *engine) admit(tx Tx, c AccountConfig, s Scope) (*account, error) {
	b, err := loadBooks(tx, c.Name)
	if err != nil {
		return nil, err
	}
	now := e.run.StartedAt
	a := &account{Account: c.Account, rules: e.cfg.rules(c.HistoryStart, now), failed: map[int64]bool{}}
	p := plan(b, a.rules, s, e.cfg.refreshDue(b, now), now)
	for _, w := range p.add {
		w.Account = c.Name
		if err := tx.InsertWindow(w); err != nil {
			return nil, err
		}
	}
	for _, w := range p.save {
		if err := tx.SaveWindow(w); err != nil {
			return nil, err
		}
	}
	if p.tailNew {
		if err := tx.SaveTail(p.tail); err != nil {
			return nil, err
		}
	}
	if p.tailCut { // what was looked for in that part is read in full now
		if err := tx.SettleChase(c.Name, 0); err != nil {
			return nil, err
		}
	}
	if p.refreshBegins && !s.limited() {
		if err := tx.SaveRefresh(c.Name, p.refreshSince, b.RefreshedAt); err != nil {
			return nil, err
		}
	}
	for _, ch := range p.saveChases {
		if err := tx.SaveChase(ch); err != nil {
			return nil, err
		}
	}
	a.tail, a.queue, a.chases, a.refreshSince = p.tail, p.queue, p.chases, p.refreshSince
	a.total = len(p.queue) + len(p.chases)
	if b.tail != nil {
		a.provedBefore = latest(b.tail.CoveredFrom, b.tail.ProvedUntil)
	}
	if p.tailDue {
		a.tailDueAt, a.tailSpan, a.tailOwed = now, p.span, true
		a.total++
	}
	a.stats = Account{Name: c.Name, Refresh: !p.refreshSince.IsZero()}
	return a, nil
}

// refreshDue reports whether the refresh schedule asks for a refresh.
func (c Config) refreshDue(b books, now time.Time) bool {
	if b.RefreshedAt.IsZero() {
		return false
	}
	if b.RefreshedAt.After(now.Add(clockTolerance)) {
		return !c.NextRefresh(now).IsZero() // by a clock that was ahead
	}
	next := c.NextRefresh(latest(b.RefreshedAt, b.RefreshWantedAt))
	return !next.IsZero() && !next.After(now)
}

func loadBooks(tx Books, name string) (b books, err error) {
	if b.AccountState, err = tx.AccountState(name); err != nil {
		return b, err
	}
	if b.windows, err = tx.Windows(name); err != nil {
		return b, err
	}
	if b.chases, err = tx.Chases(name); err != nil {
		return b, err
	}
	if b.tail, err = tx.Tail(name); err != nil || b.tail == nil {
		return b, err
	}
	open, err := tx.OpenRejected(name)
	if err != nil || open == 0 {
		return b, err
	}
	n, err := tx.CountUnreadable(name, 0)
	b.unreadTail = n > 0
	return b, err
}

// begun reports whether a pass over the window has stored pages.
func begun(w *bill.Window) bool {
	return w.State == bill.Reading || (w.State == bill.Waiting && w.NextPage > 1)
}

// duesAgain queues windows that waited and whose time has come during the run.
func (e *engine) duesAgain(tx Tx, o Options) (bool, error) {
	now, any := e.now(), false
	if e.slowdowns >= tooFast {
		return false, nil
	}
	for _, a := range e.accounts {
		if a.refused != nil {
			continue
		}
		windows, err := tx.Windows(a.Name)
		if err != nil {
			return false, err
		}
		for i := range windows {
			w := &windows[i]
			due := !w.NextAttemptAt.IsZero() && !w.NextAttemptAt.After(now) && (w.State == bill.Waiting || !w.RereadAt.IsZero())
			if due && o.covers(w) {
				a.enqueue(w)
				any = true
			}
		}
		chases, err := tx.Chases(a.Name)
		if err != nil {
			return false, err
		}
		for i := range windows {
			c, ok := chases[windows[i].ID]
			if ok && c.State == bill.Waiting && !c.NextAttemptAt.IsZero() && !c.NextAttemptAt.After(now) && windows[i].State == bill.Done && !o.limited() {
				a.chases = append(a.chases, chaseJob{&windows[i], windows[i].Span, c})
				a.total++
				any = true
			}
		}
		if t := a.tail; t != nil && t.State == bill.Waiting && !t.NextAttemptAt.IsZero() && !t.NextAttemptAt.After(now) && !a.tailDueAt.IsZero() {
			a.tailDueAt, any = now, true
		}
	}
	return any, nil
}

// conclude judges what is complete and closes the run.
func (e *engine) conclude(ctx context.Context, o Options) (Summary, error) {
	var sum Summary
	err := e.store.Update(context.WithoutCancel(ctx), func(tx Tx) error {
		if err := e.settleUnanswered(tx); err != nil {
			return err
		}
		if n := len(e.silent); n > 0 {
			e.stop(fmt.Errorf("no request got an answer: %w", e.silent[n-1].f))
		}
		for _, a := range e.accounts {
			if err := e.judge(tx, a, o); err != nil {
				return err
			}
		}
		sum = e.summary()
		interrupted := ctx.Err() != nil
		switch {
		case interrupted:
			e.run.Outcome, e.run.Error = "interrupted", context.Cause(ctx).Error()
		default:
			e.run.Outcome, e.run.Error = sum.Outcome(), sum.Reason()
		}
		return e.closeIn(tx)
	})
	if err != nil {
		for _, a := range e.accounts {
			a.stats.judged = false
		}
		e.close(context.WithoutCancel(ctx), o, "error", err)
		return e.summary(), err
	}
	sum.Run = *e.run
	if ctx.Err() != nil {
		return sum, context.Cause(ctx)
	}
	return sum, nil
}

// close ends the run's row after the work failed; that it may fail as well is
// no news then.
func (e *engine) close(ctx context.Context, o Options, outcome string, why error) {
	e.run.Outcome, e.run.Error = outcome, why.Error()
	if err := e.store.Update(ctx, e.closeIn); err != nil && !errors.Is(err, why) {
		e.log.Error().Err(err).Msg("the run's end could not be stored")
	}
}

func (e *engine) closeIn(tx Tx) error {
	e.run.FinishedAt = e.now()
	e.run.Requests = e.desk.source.Requests() - e.requestsBefore
	return tx.SaveRun(e.run)
}

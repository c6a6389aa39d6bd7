package syncer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"billsync/internal/bill"

	"github.com/rs/zerolog"
)

const (
	// batchRows and batchTime bound what one transaction takes at once.
	batchRows = 5000
	batchTime = 200 * time.Millisecond
	// grace is how long requests on their way may still take after the run was
	// told to stop.
	grace = 3 * time.Second
)

// An account is the work of one account in a run.
type account struct {
	bill.Account
	rules   rules
	tail    *bill.Tail
	queue   []*bill.Window // still to be begun, newest first
	chases  []chaseJob     // after these
	active  []*reading     // begun, in the order in which they are served
	refused *bill.Failure

	flight   int  // requests planned or on their way
	held     int  // answers that came and are not yet handled
	answered bool // its first request of the run came back
	served   int  // when it was last served, in requests of the run

	tailSpan  bill.Span
	tailDueAt time.Time      // zero: not read by this run
	tailOwed  bool           // this run should read the tail and has not yet
	total     int            // windows and tail of this run
	failed    map[int64]bool // windows whose reading failed in this run
	stats     Account

	tailRead   bool // this run proved the tail:
	tailListed int  // so many bills were listed,
	tailGone   int  // so many stored ones were not

	provedBefore time.Time // until when the tail was proved when the run began
	refreshSince time.Time // as in agenda
}

// enqueue adds a window to the work, keeping the newest first.
func (a *account) enqueue(w *bill.Window) {
	i := 0
	for i < len(a.queue) && a.queue[i].Start.After(w.Start) {
		i++
	}
	a.queue = append(a.queue[:i], append([]*bill.Window{w}, a.queue[i:]...)...)
	a.total++
}

// drop takes a reading that ended out of the active ones.
func (a *account) drop(r *reading) {
	for i, x := range a.active {
		if x == r {
			a.active = append(a.active[:i], a.active[i+1:]...)
			return
		}
	}
}

func (a *account) hasTail() bool {
	for _, r := range a.active {
		if r.isTail() {
			return true
		}
	}
	return false
}

// wholeTail returns the span of all of the tail.
func (a *account) wholeTail(now time.Time) bill.Span {
	s := tailSpanOf(a.tail, a.rules, false, now)
	if first := a.tail.CoveredFrom.Add(-backtrack); first.Before(s.Start) {
		s.Start = first.In(a.rules.zone).Truncate(time.Second)
	}
	return s
}

// room counts the requests that its readings could have planned now.
func (a *account) room(window int) (n int) {
	for _, r := range a.active {
		n += r.room(window)
	}
	return n
}

// ready reports whether one of its readings has a request to be made.
func (a *account) ready(window int) bool {
	return slices.ContainsFunc(a.active, func(r *reading) bool { return r.ready(window) })
}

// busy reports whether it has work left.
func (a *account) busy(now time.Time) bool {
	return a.refused == nil && (len(a.queue)+len(a.chases)+len(a.active) > 0 || a.tailDue(now))
}

// tailDue reports whether the tail is to be read now. Once read, it is due again
// only while there is other work: it does not keep a run alive by itself.
func (a *account) tailDue(now time.Time) bool {
	return a.tail != nil && !a.tailDueAt.IsZero() && !a.tailDueAt.After(now) && !a.tail.NextAttemptAt.After(now) &&
		(a.tailOwed || len(a.queue)+len(a.chases)+len(a.active) > 0)
}

// An engine does the work of one run. All its methods are called by the one
// goroutine that runs work.
type engine struct {
	cfg      Config
	desk     *desk
	store    Store
	log      zerolog.Logger
	now      func() time.Time
	run      *bill.Run
	accounts []*account
	zones    map[string]*time.Location

	flight int // requests planned or on their way
	served int

	slowdowns    int       // "too fast" in a row
	unheard      int       // no answer, so many in a row
	silent       []silence // no answer, and nothing asked later got one yet
	waiting      []silence // no answer, while others got one
	everAnswered bool
	skew         time.Duration // how far the provider's clock is ahead of ours
	skewKnown    bool
	byUpdate     bool  // the provider lists bills by their last change
	stopped      error // why no further request is made

	requestsBefore int64
	scope          Scope
	progress       func(Progress)
	last           *reading  // whose page was stored last
	said           bill.Said // room for what a page says
}

// An answer is what came back for an ask.
type answer struct {
	ask   ask
	page  bill.Page
	err   error
	begun int // with an error: how many requests had been begun when it came
}

// stop ends the run's asking.
func (e *engine) stop(why error) {
	if e.stopped == nil {
		e.stopped = why
	}
}

// work asks and stores until nothing is left to be done. It returns an error
// only if the work cannot go on at all: the database failed.
func (e *engine) work(ctx context.Context) error {
	fetch, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer e.desk.wait() // or one of them could take a request of the next work, with a context that has ended
	done := ctx.Done()
	// Told to stop, nothing is begun any more, whatever the engine is doing.
	defer context.AfterFunc(ctx, e.desk.close)()
	var batch []answer
	for {
		undo := e.counts()
		// Handle what came, begin what has room, in one transaction.
		err := e.store.Update(context.WithoutCancel(ctx), func(tx Tx) error {
			for _, a := range batch {
				if err := e.handle(tx, a); err != nil {
					return err
				}
			}
			if e.stopped == nil {
				return e.prepare(tx)
			}
			return nil
		})
		if err != nil {
			undo() // what was rolled back is not counted
			cancel()
			e.drain()
			return err
		}
		if len(batch) > 0 {
			e.tell()
		}
		if e.stopped == nil {
			e.unplan(unwanted) // before anybody may go on with it
			e.desk.handled(bad(batch))
			e.issue(fetch)
		} else if e.unplan(all); e.flight > 0 && done != nil {
			cancel() // an outage: nobody waits for the rest
		}
		if e.flight == 0 {
			return nil
		}
		select {
		case a := <-e.desk.answers:
			batch = e.collect(append(batch[:0], e.received(a)))
			if e.stopped == nil && bad(batch) == 0 {
				e.issue(fetch) // what is asked while this is stored
			}
		case <-done:
			// Finish the page in hand: let what is on its way arrive.
			done, batch = nil, batch[:0]
			e.stop(context.Cause(ctx))
			e.unplan(all)
			timer := time.AfterFunc(grace, cancel)
			defer timer.Stop()
		}
	}
}

// collect adds the answers that are there already, up to a transaction's fill.
func (e *engine) collect(batch []answer) []answer {
	rows, until := 0, time.Now().Add(batchTime)
	for {
		rows += batch[len(batch)-1].page.Count
		if rows >= batchRows || time.Now().After(until) {
			return batch
		}
		select {
		case a := <-e.desk.answers:
			batch = append(batch, e.received(a))
		default:
			return batch
		}
	}
}

// bad counts the answers that are no yes.
func bad(batch []answer) (n int) {
	for i := range batch {
		if batch[i].err != nil {
			n++
		}
	}
	return n
}

// received notes that a request is no longer on its way.
func (e *engine) received(a answer) answer {
	e.flight--
	a.ask.r.acct.flight--
	a.ask.r.acct.held++
	return a
}

// drain waits for the requests on their way, whose answers nobody wants.
func (e *engine) drain() {
	e.unplan(all)
	for ; e.flight > 0; e.flight-- {
		<-e.desk.answers
	}
}

func all(ask) bool { return true }

// unwanted reports whether a request is of a pass that was given up, or of an
// account that is refused.
func unwanted(a ask) bool { return a.r.ended || a.pass != a.r.pass.ID || a.r.acct.refused != nil }

// unplan takes back requests that were planned and not begun.
func (e *engine) unplan(unwanted func(ask) bool) {
	for _, a := range e.desk.drop(unwanted) {
		e.flight--
		a.r.flight--
		a.r.acct.flight--
	}
}

// handle gives an answer to its reading.
func (e *engine) handle(tx Tx, a answer) error {
	r := a.ask.r
	r.flight--
	r.acct.held--
	if a.err != nil {
		if f, ok := bill.AsFailure(a.err); ok {
			if f.Outcome != bill.NoAnswer {
				r.acct.answered = true
			}
			return e.fail(tx, a, f)
		}
		if e.stopped != nil && errors.Is(a.err, context.Canceled) {
			return nil
		}
		return fmt.Errorf("asking for page %d of %s, %s: %w", a.ask.page, r.acct.Name, r.name(), a.err)
	}
	if err := e.heard(tx, a.ask); err != nil {
		return err
	}
	e.slowdowns = 0
	e.learnClock(&a.page)
	if !a.page.Unchanged {
		a.page.Count = len(a.page.Items)
	}
	if !r.acct.answered {
		r.acct.answered = true
		if err := tx.SaveRefusal(r.acct.Name, nil, e.now()); err != nil {
			return err
		}
	}
	if r.ended || a.ask.pass != r.pass.ID {
		return nil // of a pass that was given up
	}
	return e.take(tx, a.ask, a.page)
}

// prepare begins readings so that there are requests to be planned.
func (e *engine) prepare(tx Tx) error {
	now := e.now()
	want := e.share(now, depth*e.cfg.Concurrency)
	if e.slowdowns >= tooFast {
		e.unplan(func(a ask) bool { return a.r.fresh() })
	}
	for _, a := range e.accounts {
		if a.refused != nil {
			continue
		}
		if a.tailDue(now) && !a.hasTail() {
			if err := e.openTail(tx, a, now); err != nil {
				return err
			}
		}
		if e.slowdowns >= tooFast {
			a.queue = slices.DeleteFunc(a.queue, func(w *bill.Window) bool { return !begun(w) })
			a.chases = nil
			for _, r := range slices.Clone(a.active) {
				if r.fresh() && r.flight == 0 {
					r.end()
				}
			}
		}
		// A reading has to wait while the pages that came of it are stored: what is
		// asked for meanwhile must be of others.
		few := func() bool {
			return a.room(e.cfg.Concurrency) < want && len(a.active) < 2*e.cfg.Concurrency
		}
		for len(a.queue) > 0 && few() {
			r := &reading{acct: a, win: a.queue[0]}
			a.queue = a.queue[1:]
			if err := e.open(tx, r); err != nil {
				return err
			}
			a.active = append(a.active, r)
		}
		for len(a.chases) > 0 && few() {
			r, err := e.openChase(tx, a, a.chases[0])
			if err != nil {
				return err
			}
			a.chases = a.chases[1:]
			a.active = append(a.active, r)
		}
	}
	return nil
}

// counts returns a function that sets the counts of the run back to what they
// are now.
func (e *engine) counts() func() {
	run, stats := *e.run, make([]Account, len(e.accounts))
	for i, a := range e.accounts {
		stats[i] = a.stats
	}
	return func() {
		e.run.Read, e.run.New, e.run.Changed, e.run.Withdrawn, e.run.Returned = run.Read, run.New, run.Changed, run.Withdrawn, run.Returned
		for i, a := range e.accounts {
			a.stats = stats[i]
		}
	}
}

// openTail begins to read the tail, ahead of everything else.
func (e *engine) openTail(tx Tx, a *account, now time.Time) error {
	r := &reading{acct: a, tail: a.tail}
	r.pass.Span = a.tailSpan
	switch {
	case !a.tail.RereadAt.IsZero() && !a.tail.NeedsPerson():
		r.pass.Span = a.wholeTail(now)
	case r.pass.Span.Start.IsZero():
		r.pass.Span = tailSpanOf(a.tail, a.rules, a.tail.ProvedAt.Before(a.refreshSince), now)
	}
	a.tailSpan, a.tailOwed = bill.Span{}, true
	if err := e.open(tx, r); err != nil {
		return err
	}
	a.tailDueAt = e.cfg.NextSync(r.pass.BegunAt)
	a.active = append([]*reading{r}, a.active...)
	return nil
}

// issue plans requests: so many that none of those who make them has to wait for
// the engine.
func (e *engine) issue(ctx context.Context) {
	now := e.now()
	share, planned := e.share(now, e.cfg.Concurrency), e.share(now, depth*e.cfg.Concurrency)
	for _, a := range e.accounts { // a due tail goes before everything else
		if a.answered && a.refused == nil && len(a.active) > 0 && a.active[0].isTail() && a.active[0].stage == askFirst {
			e.plan(a.active[0])
		}
	}
	for e.flight < depth*e.cfg.Concurrency {
		a := e.pick(planned)
		if a == nil || !slices.ContainsFunc(a.active, e.plan) {
			break
		}
	}
	e.desk.serve(ctx, share)
}

// plan plans the next request of a reading, if there is one.
func (e *engine) plan(r *reading) bool {
	next, ok := r.next(e.cfg.Concurrency)
	if !ok {
		return false
	}
	e.flight++
	e.served++
	r.flight++
	r.acct.flight++
	r.acct.served = e.served
	e.desk.put(next)
	return true
}

// share is an account's part of so many requests: none takes more, so that a
// slow one does not hold up the others.
func (e *engine) share(now time.Time, of int) int {
	busy := 0
	for _, a := range e.accounts {
		if a.busy(now) {
			busy++
		}
	}
	return max(1, (of+busy-1)/max(1, busy))
}

// pick chooses whose request is planned next. An account's first request of the
// run goes alone and before any other's second; after that the account with the
// fewest requests planned or on their way is served, up to its share.
func (e *engine) pick(share int) *account {
	var best *account
	for _, a := range e.accounts {
		if a.refused != nil || a.flight >= share || (!a.answered && a.flight+a.held > 0) || (best != nil && !before(a, best)) || !a.ready(e.cfg.Concurrency) {
			continue
		}
		best = a
	}
	return best
}

func before(a, b *account) bool {
	if a.answered != b.answered {
		return !a.answered
	}
	if a.flight != b.flight {
		return a.flight < b.flight
	}
	return a.served < b.served
}

// zone returns the location that a window was laid out in.
func (e *engine) zone(name string) (*time.Location, error) {
	if z, ok := e.zones[name]; ok {
		return z, nil
	}
	z, err := bill.LoadZone(name)
	if err != nil {
		return nil, err
	}
	e.zones[name] = z
	return z, nil
}

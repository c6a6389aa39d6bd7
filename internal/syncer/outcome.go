package syncer

import (
	"fmt"
	"slices"
	"time"

	"billsync/internal/bill"
)

const (
	// outage is how many requests in a row get no answer before the run ends.
	outage = 5
	// tooFast is how many "too fast" answers in a row keep fresh windows from
	// being begun in this run.
	tooFast = 3
)

// fail does what the design's table says when the provider did not say yes.
func (e *engine) fail(tx Tx, ans answer, f *bill.Failure) error {
	a := ans.ask
	r := a.r
	if f.Outcome != bill.NoAnswer || f.TokenExpired {
		if err := e.heard(tx, a); err != nil { // it is there, even if it does not say yes
			return err
		}
	}
	if f.SlowDown {
		if e.slowdowns++; e.slowdowns == tooFast {
			e.log.Warn().Msg("the API says three times in a row that it is asked too fast, beginning no fresh window in this run")
		}
	}
	if f.Outcome == bill.RefusedUs {
		if r.acct.refused != nil {
			return nil
		}
	} else if r.ended || a.pass != r.pass.ID {
		return nil // its fate is settled by another of its requests
	}
	log := e.log.Warn().Str("account", r.acct.Name).Str("window", r.name()).Int("page", a.page).Str("code", f.Code).Str("outcome", f.Outcome.String())
	switch f.Outcome {
	case bill.RefusedUs:
		log.Msg("the API refuses this account, stopping it")
		return e.refuse(tx, r, f)
	case bill.Unknown:
		return e.wait(tx, r, f)
	case bill.RefusedRequest:
		if r.chase != nil && f.BadSpan && len(a.q.Statuses) > 0 {
			if a.page > 1 {
				return e.readInFull(tx, r, f.Error())
			}
			return e.statusRefused(tx, r, a.q.Statuses[0])
		}
		if f.BadSpan && a.page > 1 && (a.stage == askPages || a.stage == askLast) {
			return e.halve(tx, r, f.Error())
		}
		if err := tx.SaveEvidence(r.acct.Name, r.windowID(), e.run.ID, f); err != nil {
			return err
		}
		return e.giveUp(tx, r, withAdvice(f))
	}
	log.Str("reason", f.Message).Msg("no answer")
	return e.unanswered(tx, ans, f)
}

func withAdvice(f *bill.Failure) string {
	if f.Advice == "" {
		return f.Error()
	}
	return f.Error() + ". " + f.Advice
}

// wait lets a window wait for the documented time after an answer of unknown
// outcome; after the last further attempt it has failed.
func (e *engine) wait(tx Tx, r *reading, f *bill.Failure) error {
	if err := tx.SaveEvidence(r.acct.Name, r.windowID(), e.run.ID, f); err != nil {
		return err
	}
	g := r.progress()
	g.Attempts++
	g.Setbacks = 0
	if g.Attempts > len(e.cfg.RetrySchedule) {
		return e.giveUp(tx, r, fmt.Sprintf("given up after %d further attempts: %s", len(e.cfg.RetrySchedule), withAdvice(f)))
	}
	g.NextAttemptAt = ceilMilli(e.now().Add(e.cfg.RetrySchedule[g.Attempts-1]))
	g.LastError = withAdvice(f)
	e.log.Warn().Str("account", r.acct.Name).Str("window", r.name()).Str("code", f.Code).Int("attempt", g.Attempts).
		Time("next_attempt_at", g.NextAttemptAt).Msg("unknown outcome, waiting")
	return e.park(tx, r)
}

// ceilMilli rounds up to the database's precision, so that nothing is asked
// even a fraction of a millisecond early.
func ceilMilli(t time.Time) time.Time {
	if c := t.Truncate(time.Millisecond); c.Before(t) {
		return c.Add(time.Millisecond)
	}
	return t
}

// park ends a reading for this run; the window waits. What is proved stays so.
func (e *engine) park(tx Tx, r *reading) error {
	if !r.keepsProof() {
		r.progress().State = bill.Waiting
	}
	r.end()
	return r.save(tx)
}

// setback returns how long a window waits after the nth unanswered request or
// unsettled pass in a row: not at all at first (the next run asks), then longer.
func setback(n int) time.Duration {
	const first, longest = 5 * time.Minute, time.Hour
	if n < 2 {
		return 0
	}
	d := first << min(n-2, 10)
	return min(d, longest)
}

// unsettled lets a window wait whose pages did not add up, however often they
// were read. A proof that a finished pass disagrees with no longer holds.
func (e *engine) unsettled(tx Tx, r *reading, why string) error {
	g := r.progress()
	g.Setbacks++
	g.NextAttemptAt = time.Time{}
	if d := setback(g.Setbacks); d > 0 {
		g.NextAttemptAt = ceilMilli(e.now().Add(d))
	}
	return e.disproved(tx, r, fmt.Sprintf("not settled after %d passes: %s", r.pass.Rereads+1, why))
}

// disproved lets a window wait after a finished pass that is no proof. One that
// the pass disagrees with no longer holds.
func (e *engine) disproved(tx Tx, r *reading, why string) error {
	g := r.progress()
	g.State, g.LastError, g.Attempts, g.NextPage = bill.Waiting, why, 0, 1
	total, stored := r.pass.Total, r.seen.len()+r.pass.Rejected
	g.TotalCount, g.StoredCount = &total, &stored
	if r.win != nil {
		g.ProvedAt, r.win.RereadAt = time.Time{}, time.Time{}
	}
	if err := tx.DropPass(r.acct.Name, r.windowID()); err != nil {
		return err
	}
	return e.park(tx, r)
}

// giveUp marks a window as failed: only a refresh or a person asks again. A
// window that is proved stays so, its re-reading is over.
func (e *engine) giveUp(tx Tx, r *reading, why string) error {
	g := r.progress()
	g.LastError, g.NextAttemptAt = why, time.Time{}
	if r.keepsProof() {
		// The proof stands, but what is known to be asked again is not forgotten.
		r.win.RereadFailedAt, g.Attempts = e.now(), 0
		if r.win.RereadAt.IsZero() {
			r.win.RereadAt = e.now()
		}
	} else {
		g.State = bill.Failed
	}
	e.log.Error().Str("account", r.acct.Name).Str("window", r.name()).Str("reason", why).Msg("failed")
	r.end()
	if r.win != nil && r.chase == nil {
		r.acct.failed[r.win.ID] = true
	}
	return r.save(tx)
}

// refuse stops an account at an answer that only a person can mend. Its windows
// stay as they are.
func (e *engine) refuse(tx Tx, r *reading, f *bill.Failure) error {
	acct := r.acct
	acct.refused = f
	acct.queue, acct.chases = nil, nil
	for len(acct.active) > 0 {
		acct.active[0].end()
	}
	if err := tx.SaveEvidence(acct.Name, 0, e.run.ID, f); err != nil {
		return err
	}
	return tx.SaveRefusal(acct.Name, f, e.now())
}

// unanswered takes a reading out of this run. Whether its window has to wait
// is decided when it is known to be the window and not the network: see heard
// and settleUnanswered.
func (e *engine) unanswered(tx Tx, ans answer, f *bill.Failure) error {
	r := ans.ask.r
	r.end()
	s := silence{r, f, e.now(), ans.begun, false}
	if f.TokenExpired { // the provider is there, it is one account that waits for its token
		return e.settle(tx, s)
	}
	if f.RetryAfter > 0 { // the provider's own word is kept at once
		s.settled = true
		if err := e.settle(tx, s); err != nil {
			return err
		}
	}
	e.silent = append(e.silent, s)
	if e.unheard++; e.unheard >= outage {
		e.stop(fmt.Errorf("%d requests in a row got no answer: %w", e.unheard, f))
	}
	return nil
}

// A silence is a request that got no answer, and whose.
type silence struct {
	r       *reading
	f       *bill.Failure
	at      time.Time
	begun   int  // requests begun when it was known
	settled bool // its wait is stored
}

// heard notes that the provider is there, since it answered a request. Who had
// got no answer when that request was begun waits on its own account, which is
// stored at once. Of others nobody knows yet: what was asked before an outage may
// be answered after its first victims.
func (e *engine) heard(tx Tx, a ask) error {
	e.everAnswered, e.unheard = true, 0
	e.silent = slices.DeleteFunc(e.silent, func(s silence) bool {
		if s.begun >= a.turn {
			return false
		}
		e.waiting = append(e.waiting, s)
		return true
	})
	return e.settleWaiting(tx)
}

// settleUnanswered stores the waiting of windows that got no answer while others
// did. If nobody got one it was an outage: the windows stay untouched.
func (e *engine) settleUnanswered(tx Tx) error {
	if e.everAnswered && e.stopped == nil {
		e.waiting = append(e.waiting, e.silent...)
		e.silent = nil
	}
	return e.settleWaiting(tx)
}

func (e *engine) settleWaiting(tx Tx) error {
	for _, s := range e.waiting {
		if s.settled || s.r.progress().ProvedAt.After(s.at) {
			continue // told already, or answered meanwhile
		}
		if err := e.settle(tx, s); err != nil {
			return err
		}
	}
	e.waiting = nil
	return nil
}

// settle stores that a window waits after a request that got no answer.
func (e *engine) settle(tx Tx, s silence) error {
	g := s.r.progress()
	g.Setbacks++
	g.LastError = withAdvice(s.f)
	g.NextAttemptAt = time.Time{}
	if d := max(setback(g.Setbacks), s.f.RetryAfter); d > 0 {
		g.NextAttemptAt = ceilMilli(e.now().Add(d))
	}
	if g.State != bill.Failed && !s.r.keepsProof() {
		g.State = bill.Waiting // what failed stays so: only a person or a refresh asks again
	}
	if err := tx.SaveEvidence(s.r.acct.Name, s.r.windowID(), e.run.ID, s.f); err != nil {
		return err
	}
	return s.r.save(tx)
}

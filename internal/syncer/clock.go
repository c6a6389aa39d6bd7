package syncer

import (
	"time"

	"billsync/internal/bill"
)

// clockTolerance is how far this machine's clock and the provider's may differ
// before it matters.
const clockTolerance = 5 * time.Minute

// learnClock compares the clocks. The answer's time lies between the request
// and now, else one of the clocks is wrong.
func (e *engine) learnClock(p *bill.Page) {
	if p.ServerTime.IsZero() {
		return
	}
	was := e.skew
	e.skew, e.skewKnown = 0, true
	now := e.now()
	switch {
	case p.ServerTime.After(now):
		e.skew = p.ServerTime.Sub(now)
	case p.ServerTime.Before(p.AskedAt):
		e.skew = p.ServerTime.Sub(p.AskedAt)
	}
	if e.skew.Abs() > clockTolerance && was.Abs() <= clockTolerance {
		e.log.Warn().Dur("ahead_ms", -e.skew).Msg("this machine's clock differs from the API's, set it right")
	}
}

// claim returns until when a pass proves anything: to its end, but not beyond
// the provider's present, should our clock run ahead.
func (e *engine) claim(p *bill.Pass) time.Time {
	if e.skew < -clockTolerance {
		if limit := p.BegunAt.Add(e.skew - settle).Truncate(time.Second); limit.Before(p.End) {
			return limit
		}
	}
	return p.End
}

// claimWindow cuts a window that was proved beyond the provider's present, and
// with it the place where the tail takes over. It reports false if nothing is
// left of the window.
func (e *engine) claimWindow(tx Tx, r *reading) (bool, error) {
	end, w := e.claim(&r.pass), r.win
	if !end.Before(w.End) {
		return true, nil
	}
	if t := r.acct.tail; t != nil && t.CoveredFrom.After(end) {
		t.CoveredFrom = end
		if err := tx.SaveTail(t); err != nil {
			return false, err
		}
	}
	if !end.After(w.Start) {
		return false, tx.DeleteWindow(w)
	}
	w.End = end
	return true, nil
}

// heal takes back what an earlier run claimed of the future, because its clock
// ran ahead: the provider says that the clock is right now. What is taken back
// is read by the next run.
func (e *engine) heal(tx Tx, a *account, b books) (healed bool, err error) {
	if !e.skewKnown || e.skew.Abs() > clockTolerance || b.tail == nil {
		return false, nil
	}
	now := e.now()
	limit, end := now.Add(clockTolerance), now.Add(-settle).Truncate(time.Second)
	for i := range b.windows {
		w := &b.windows[i]
		if w.OpenEnd || !w.End.After(limit) {
			continue
		}
		healed = true
		if !w.Start.Before(end.Add(-time.Hour)) {
			if err := tx.DeleteWindow(w); err != nil {
				return false, err
			}
			continue
		}
		w.End = end
		if w.State == bill.Done {
			w.RereadAt = now
		}
		if err := tx.SaveWindow(w); err != nil {
			return false, err
		}
	}
	t := b.tail
	if t.CoveredFrom.After(limit) {
		healed = true
		t.CoveredFrom = end
	}
	if t.ProvedUntil.After(limit) {
		healed = true
		t.ProvedUntil, t.Progress = time.Time{}, bill.Progress{State: bill.Pending, NextPage: 1}
	}
	if !healed {
		return false, nil
	}
	e.log.Warn().Str("account", a.Name).Msg("an earlier run's clock was ahead, reading again what it claimed")
	return true, tx.SaveTail(t)
}

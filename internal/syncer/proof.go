package syncer

import (
	"fmt"
	"time"

	"billsync/internal/bill"
)

// finish settles what was held back, decides whether the pass is a proof, and
// what became of stored bills that it did not list.
func (e *engine) finish(tx Tx, r *reading) error {
	if r.listed == nil {
		orders, err := e.toLookUp(tx, r)
		if err != nil {
			return err
		}
		if len(orders) > maxLookups+r.pass.Pages && r.pass.Rereads == 0 {
			return e.moved(tx, r, fmt.Sprintf("%d items came twice", len(r.held)))
		}
		r.listed = map[string][]found{}
		if len(orders) > 0 {
			r.inquire(orders, r.pass.Span)
			return r.save(tx)
		}
	}
	distinct := r.seen.len() + r.pass.Rejected
	if !r.settled {
		r.settled = true
		if err := e.settleHeld(tx, r); err != nil {
			return err
		}
		distinct = r.seen.len() + r.pass.Rejected
		if r.flaw != "" {
			return e.moved(tx, r, r.flaw)
		}
		if r.overtaken != "" {
			return e.moved(tx, r, fmt.Sprintf("order %s is listed in an earlier state than the stored one", r.overtaken))
		}
		if r.pass.Items != r.pass.Total || distinct != r.pass.Total {
			return e.moved(tx, r, fmt.Sprintf("the API counts %d, it listed %d, of which %d differ", r.pass.Total, r.pass.Items, distinct))
		}
	}
	done, err := e.withdraw(tx, r)
	if err != nil || !done {
		return err
	}
	return e.proved(tx, r, distinct)
}

// proved records the proof.
func (e *engine) proved(tx Tx, r *reading, stored int) error {
	now, left := e.now(), true
	total := r.pass.Total
	before := *r.progress()
	*r.progress() = bill.Progress{State: bill.Done, NextPage: r.pass.NextPage, TotalCount: &total, StoredCount: &stored, ProvedAt: now}
	if r.win != nil {
		r.win.RereadAt, r.win.RereadFailedAt = time.Time{}, time.Time{}
		var err error
		if left, err = e.claimWindow(tx, r); err != nil {
			return err
		}
	} else {
		until := r.tail.CoveredFrom
		if r.tail.ProvedUntil.After(until) {
			until = r.tail.ProvedUntil
		}
		if r.pass.Start.After(until) {
			r.tail.CoveredFrom = r.pass.Start // a gap is never claimed
		}
		end := e.claim(&r.pass)
		if r.tail.CoveredFrom.After(end) {
			r.tail.CoveredFrom = end
		}
		if end.After(r.tail.ProvedUntil) {
			r.tail.ProvedUntil = end
		}
		if !r.pass.Start.After(until) && !r.pass.Start.After(r.tail.CoveredFrom) {
			r.tail.AuditedAt = now
			// A time in the future is of a clock that has been set back.
			if !r.pass.BegunAt.Before(r.tail.RereadAt) || r.tail.RereadAt.After(now) {
				r.tail.RereadAt = time.Time{}
			}
		}
		if before.Missing > 0 && r.pass.Start.After(latest(r.tail.MissingFrom, r.tail.CoveredFrom)) {
			// It did not look where bills are missing.
			g := r.progress()
			g.State, g.LastError, g.Missing, g.MissingAccepted = bill.Waiting, before.LastError, before.Missing, before.MissingAccepted
		}
	}
	if left {
		if err := tx.FinishPass(&r.pass); err != nil {
			return err
		}
	}
	if err := tx.ResolveUnseen(&r.pass, now); err != nil {
		return err
	}
	if err := tx.ClearEvidence(r.acct.Name, r.windowID()); err != nil {
		return err
	}
	if r.win != nil || r.tail.AuditedAt.Equal(now) {
		if err := tx.SettleChase(r.acct.Name, r.windowID()); err != nil {
			return err
		}
	}
	r.end()
	e.windowProved(r)
	if !left {
		return nil
	}
	return r.save(tx)
}

// end takes a reading out of the work; answers that still arrive are ignored.
func (r *reading) end() {
	r.ended = true
	r.acct.drop(r)
}

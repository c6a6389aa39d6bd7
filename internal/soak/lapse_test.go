package soak

import "time"

// lapsed is how many bills vanish when a grant lapses: so many that not even
// where two windows meet less than guard are left in each.
const (
	lapsed = 45
	guard  = 20
)

// lapse lets many bills of one minute vanish at once, as when a grant lapses:
// none of them is withdrawn before a person has said so. Then they come back.
func (w *world) lapse() {
	who := one(w.dice, w.accounts...)
	m := w.maker()
	at := w.clock.real().Add(-w.dice.span(time.Hour, 10*24*time.Hour)).Truncate(time.Second)
	if at.Before(w.settings.begin().Add(time.Hour)) {
		return
	}
	gone := make([]*record, lapsed)
	w.source.mu.Lock()
	for i := range gone {
		gone[i] = &record{customer: who.customer, order: m.orderNo(), state: m.fresh(), listed: true}
		gone[i].at = at.Add(time.Duration(i) * time.Second)
		m.touch(gone[i], added)
	}
	w.source.mu.Unlock()
	w.note("  %d bills of %s within a minute of %s", lapsed, who.name, stampOf(at))
	if w.quietly(job{Full: true}).code != exitDone {
		w.note("  which are not all stored")
		return
	}
	w.list(gone, false)
	w.note("  they vanish")
	t := w.quietly(job{Full: true})
	if t.code != exitIncomplete {
		w.fail("%d bills vanished at once, and %v ended with exit code %d", lapsed, &t.job, t.code)
	}
	orders := map[string]bool{}
	for _, r := range gone {
		orders[r.order] = true
	}
	withdrawn := 0
	for _, r := range w.seen.last.bills {
		if r.Withdrawn && r.Account == who.name && orders[r.Order] {
			withdrawn++
		}
	}
	if withdrawn > guard {
		w.fail("%d bills vanished at once, and %d were withdrawn without a person's word", lapsed, withdrawn)
	}
	w.list(gone, true)
	w.note("  they are back")
}

// list lets records be listed, or no longer.
func (w *world) list(records []*record, listed bool) {
	w.source.mu.Lock()
	defer w.source.mu.Unlock()
	for _, r := range records {
		r.listed = listed
		r.news |= added | removed
		w.source.publish(r, w.clock.real())
	}
}

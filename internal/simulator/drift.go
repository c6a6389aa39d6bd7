package simulator

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// A Drift is a book that moves while it is being read. A question for a page
// after the first may make a bill appear that is dated in the past, make one
// vanish, or date one differently, so that the pages before and after no
// longer fit together.
//
// Whether a page does so depends on the seed, the customer, the days its span
// touches and the place of the page alone, and it happens the first time the
// page is asked for. What has happened stays, and the next reading of the same
// pages finds everything at rest. So whoever reads again often enough reads a
// list that agrees with itself. A Drift is safe for concurrent use.
type Drift struct {
	book        Book
	seed        uint64
	probability float64

	mu      sync.Mutex
	late    *Ledger                  // bills that appeared, and the new versions of those that moved
	removed map[string]map[gone]bool // by customer
	asked   map[string]map[page]bool // by customer: pages that have had their chance
	moves   int
}

// A gone is a bill of the book below that is no longer listed.
type gone struct {
	orderNo string
	at      int64 // transaction time, milliseconds
}

// A page is a place in a list that may drift, coarse enough that a span whose
// end moves with the clock is the same all day.
type page struct {
	from, to    int64 // days
	filtered    bool
	skip, limit int
}

// NewDrift wraps a book. The probability is that of a page to disturb its list.
func NewDrift(book Book, seed uint64, probability float64) *Drift {
	return &Drift{
		book:        book,
		seed:        seed,
		probability: probability,
		late:        NewLedger(),
		removed:     make(map[string]map[gone]bool),
		asked:       make(map[string]map[page]bool),
	}
}

// Moves is how often something moved.
func (d *Drift) Moves() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.moves
}

// Bills implements Book.
func (d *Drift) Bills(now time.Time, customer string, f Filter, skip, limit int) ([]json.RawMessage, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if skip > 0 && limit > 0 {
		d.disturb(now, customer, f, skip, limit)
	}
	return d.merged(now, customer, f, skip, limit)
}

// disturb lets something happen if it is the page's first time and its lot.
func (d *Drift) disturb(now time.Time, customer string, f Filter, skip, limit int) {
	p := page{dayOf(f.From.Unix()), dayOf(f.To.Unix()), !f.plain(), skip, limit}
	if d.asked[customer] == nil {
		d.asked[customer] = make(map[page]bool)
	}
	if d.asked[customer][p] {
		return
	}
	d.asked[customer][p] = true
	r := stream(hash(d.seed, hashText(customer), uint64(p.from), uint64(p.to), uint64(skip), uint64(limit)))
	if r.fraction() >= d.probability {
		return
	}
	victim, t := d.pick(&r, now, customer, f)
	if victim == nil {
		return
	}
	d.moves++
	switch r.below(3) {
	case 0: // a bill that was long in coming
		victim.BillNo = ""
		victim.OrderNo = fmt.Sprintf("%s%06d%09d", t.In(beijing).Format("20060102150405"), 999999, d.moves)
		d.add(now, customer, victim, t)
	case 1:
		d.remove(customer, victim.OrderNo, t)
	default:
		d.remove(customer, victim.OrderNo, t)
		at := t.Add(time.Duration(r.between(-12*3600, 12*3600)) * time.Second)
		if !f.within(at) || at.After(now) {
			at = t.Add(time.Second)
		}
		d.add(now, customer, victim, at)
	}
}

func (d *Drift) add(now time.Time, customer string, it *item, at time.Time) {
	it.TransactionTime = at.In(beijing).Format(time.RFC3339)
	it.LastUpdate = millis(now)
	d.late.Add(customer, Entry{Raw: quote(it), Time: at, ListedFrom: now})
}

func (d *Drift) remove(customer, orderNo string, t time.Time) {
	if d.removed[customer] == nil {
		d.removed[customer] = make(map[gone]bool)
	}
	d.removed[customer][gone{orderNo, t.UnixMilli()}] = true
}

// pick chooses a bill of the list below that is the only one of its order and
// has not gone yet, with its transaction time.
func (d *Drift) pick(r *stream, now time.Time, customer string, f Filter) (*item, time.Time) {
	_, total := d.book.Bills(now, customer, f, 0, 0)
	for range 10 {
		if total == 0 {
			break
		}
		raws, _ := d.book.Bills(now, customer, f, int(r.below(int64(total))), 1)
		var it item
		if len(raws) != 1 || json.Unmarshal(raws[0], &it) != nil {
			continue
		}
		g := glanceAt(raws[0])
		_, sameOrder := d.book.Bills(now, customer, Filter{OrderNo: it.OrderNo}, 0, 0)
		if sameOrder == 1 && !d.isGone(customer, &g) {
			return &it, g.time
		}
	}
	return nil, time.Time{}
}

func (d *Drift) isGone(customer string, g *glance) bool {
	return d.removed[customer][gone{g.orderNo, g.time.UnixMilli()}]
}

// lost lists those of the removed bills that the filter would admit. A bill is
// listed twice if another one of its order came to be at the same time.
func (d *Drift) lost(now time.Time, customer string, f Filter) (lost []gone) {
	for g := range d.removed[customer] {
		at := time.UnixMilli(g.at)
		if !f.within(at) || !f.order(g.orderNo) {
			continue
		}
		one := f
		one.OrderNo, one.From, one.To, one.IncludeFrom, one.IncludeTo = g.orderNo, at, at, true, true
		_, n := d.book.Bills(now, customer, one, 0, 0)
		for range n {
			lost = append(lost, g)
		}
	}
	return lost
}

// merged lists the book below without what has gone and with what has come.
func (d *Drift) merged(now time.Time, customer string, f Filter, skip, limit int) ([]json.RawMessage, int) {
	lost := d.lost(now, customer, f)
	extra, _ := d.late.Bills(now, customer, f, 0, d.late.Len(customer))
	if len(lost) == 0 && len(extra) == 0 {
		return d.book.Bills(now, customer, f, skip, limit)
	}

	// No bill below stands further from its place in the merged list than
	// there are bills lost or come: a stretch of the list below that is longer
	// by as many at both ends holds all that the page can have.
	_, below := d.book.Bills(now, customer, f, 0, 0)
	total := below - len(lost) + len(extra)
	begin := max(0, min(skip-len(extra), below-1))
	stretch, _ := d.book.Bills(now, customer, f, begin, skip-begin+limit+len(lost))

	// place is where in the merged list the next bill goes.
	place := begin
	var items []json.RawMessage
	put := func(raw json.RawMessage) {
		if place >= skip && len(items) < limit {
			items = append(items, raw)
		}
		place++
	}
	glances := make([]glance, len(stretch))
	inStretch := make(map[gone]bool)
	for i, raw := range stretch {
		glances[i] = glanceAt(raw)
		inStretch[gone{glances[i].orderNo, glances[i].time.UnixMilli()}] = true
	}
	if len(stretch) > 0 {
		for _, g := range lost {
			if g.at >= glances[0].time.UnixMilli() && !inStretch[g] {
				place-- // it stood before the stretch
			}
		}
		for len(extra) > 0 && begin > 0 && glanceAt(extra[0]).time.After(glances[0].time) {
			extra = extra[1:] // it stands before the stretch
			place++
		}
	}
	for i, raw := range stretch {
		for len(extra) > 0 && glanceAt(extra[0]).time.After(glances[i].time) {
			put(extra[0])
			extra = extra[1:]
		}
		if !d.isGone(customer, &glances[i]) {
			put(raw)
		}
	}
	if begin+len(stretch) >= below { // nothing below is left
		for _, raw := range extra {
			put(raw)
		}
	}
	return items, total
}

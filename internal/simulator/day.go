package simulator

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// listedWithin is how many seconds after its transaction a bill is listed at
// the latest.
const listedWithin = 90

var (
	weekdayShape = [7]float64{time.Sunday: 0.65, 1.12, 1.12, 1.12, 1.12, 1.12, time.Saturday: 0.75}
	monthShape   = [13]float64{0, 0.88, 0.78, 1.02, 0.98, 0.95, 1.03, 0.92, 0.90, 1.02, 1.04, 1.28, 1.20}
)

// count is how many bills a day has. It makes none of them.
func (h *History) count(c *customer, day int64) int {
	if day < h.firstDay {
		return 0
	}
	t := time.Unix(day*daySeconds, 0).UTC()
	_, month, date := t.Date()
	mean := h.rate * weekdayShape[t.Weekday()] * monthShape[month]
	if date <= 3 { // subscriptions renew
		mean = mean * 1.2
	} else {
		mean = mean * 0.978
	}
	mean -= float64(2*h.stays) / 1000
	r := stream(hash(c.seed, uint64(day), 'n'))
	mean = mean * float64(r.between(650, 1350)) / 1000
	n := int(mean)
	if r.fraction() < mean-float64(n) {
		n++
	}
	return n + h.stay(c, day) + h.stay(c, day-1)
}

// stay is 1 if a hotel stay begins on a day: an order whose first bill is of
// that day and whose second is of the next.
func (h *History) stay(c *customer, day int64) int {
	r := stream(hash(c.seed, uint64(day), 's'))
	if day < h.firstDay || !r.chance(h.stays) {
		return 0
	}
	return 1
}

// makeDay makes the bills of a day, newest first.
func (h *History) makeDay(c *customer, day int64) []plan {
	n := h.count(c, day)
	plans := make([]plan, 0, n)
	if h.stay(c, day) == 1 {
		plans = append(plans, h.makeStay(c, day)[0])
	}
	if h.stay(c, day-1) == 1 {
		plans = append(plans, h.makeStay(c, day-1)[1])
	}
	followers := len(plans) + 1 // the first bill that can follow another
	for i := len(plans); i < n; i++ {
		var before *plan
		if i >= followers {
			before = &plans[i-1]
		}
		plans = append(plans, h.makeBill(c, day, int32(i+2), before))
	}
	return newestPlansFirst(plans, day)
}

// newestPlansFirst sorts a day's bills, those of one second by their ordinals,
// as which they come. Numbers are sorted instead of plans, which are large.
func newestPlansFirst(plans []plan, day int64) []plan {
	end := (day+1)*daySeconds - 8*60*60
	keys := make([]uint64, len(plans))
	for i := range plans {
		keys[i] = uint64(end-plans[i].second)<<32 | uint64(i)
	}
	slices.Sort(keys)
	sorted := make([]plan, len(plans))
	for i, k := range keys {
		sorted[i] = plans[uint32(k)]
	}
	return sorted
}

// makeStay makes the two bills of a hotel stay that begins on a day.
func (h *History) makeStay(c *customer, day int64) (stay [2]plan) {
	r := stream(hash(c.seed, uint64(day), 'h'))
	begin := day*daySeconds - 8*60*60
	a := &stay[0]
	a.second = begin + r.between(15*60*60, 23*60*60)
	a.order = orderRef{second: a.second}
	a.card = h.pickCard(&r, c, hotel)
	h.fill(&r, c, a, h.pickMerchant(&r, hotel))
	b := &stay[1]
	b.second = begin + daySeconds + r.between(7*60*60, 13*60*60)
	b.order, b.ordinal, b.card = a.order, 1, a.card
	h.fill(&r, c, b, a.merchant)
	return stay
}

// makeBill makes the bill of a number within a day. It may follow the bill
// before it: as a further authorisation under the same order, or as another try
// after a failure.
func (h *History) makeBill(c *customer, day int64, ordinal int32, before *plan) plan {
	r := stream(hash(c.seed, uint64(day), uint64(ordinal), 'b'))
	begin := day*daySeconds - 8*60*60
	p := plan{ordinal: ordinal}
	if before == nil || !r.chance(60) {
		// Two draws make the middle of the day the busiest.
		p.second = begin + (r.below(daySeconds)+r.below(daySeconds))/2
		p.order = orderRef{p.second, ordinal}
		k := kind(r.below(int64(kinds)))
		p.card = uint16(r.below(int64(len(c.cards))))
		if r.chance(750) {
			k = c.cards[p.card].prefers
		}
		h.fill(&r, c, &p, h.pickMerchant(&r, k))
		return p
	}
	p.card, p.order = before.card, before.order
	end := begin + daySeconds - 1
	switch {
	case before.events[0].status == failed:
		p.second = min(before.second+r.between(20, 600), end)
		p.order = orderRef{p.second, ordinal}
		h.fill(&r, c, &p, before.merchant)
		p.trade = before.trade
		p.n = 0
		p.live(&r, h.merchants[p.merchant].kind, c.seed, h.merchants[p.merchant].currency, c.cards[p.card].currency)
	case r.chance(350):
		// Split at the very same second. The bill number is on both, on none,
		// or on the second one only, whatever the card's other bills do.
		if !before.billNo && r.chance(150) { // alike in everything
			p = *before
			p.ordinal = ordinal
			return p
		}
		p.second = before.second
		h.fill(&r, c, &p, before.merchant)
		p.billNo = before.billNo || r.chance(300)
	default:
		p.second = before.second + r.between(60, max(61, (end-before.second)/2))
		p.second = min(p.second, end)
		h.fill(&r, c, &p, before.merchant)
	}
	return p
}

// fill completes a bill whose time, order and card are set.
func (h *History) fill(r *stream, c *customer, p *plan, merchant uint16) {
	k, m := &c.cards[p.card], &h.merchants[merchant]
	p.merchant = merchant
	p.id = r.next()
	p.billNo = k.billNo
	p.tagged = k.tagged && r.chance(200)
	lo, hi := sizes[m.kind][0], sizes[m.kind][1]
	u := r.below(1000)
	cents := lo + (hi-lo)*u*u/1000000 // small bills are the many
	switch {
	case m.kind == software: // sold at a few prices
		cents = cents/1000*1000 + 900
	case m.kind == ads && r.chance(400): // billed at a threshold
		cents = (cents/50000 + 1) * 50000
	}
	p.trade = price(cents, m.currency)
	p.live(r, m.kind, c.seed, m.currency, k.currency)
}

// pickCard prefers the cards that are for a kind.
func (h *History) pickCard(r *stream, c *customer, k kind) uint16 {
	n := int64(len(c.cards))
	first := r.below(n)
	for i := range n {
		if j := (first + i) % n; c.cards[j].prefers == k {
			return uint16(j)
		}
	}
	return uint16(first)
}

func (h *History) pickMerchant(r *stream, k kind) uint16 {
	return h.byKind[k][r.below(int64(len(h.byKind[k])))]
}

// maxCached bounds the bills kept in memory, some 20 MB, but for a single day
// that has more.
const maxCached = 1 << 16

// A dayCache keeps the days used last.
type dayCache struct {
	mu    sync.Mutex
	days  map[dayKey]*cachedDay
	bills int
	clock uint64
}

type dayKey struct {
	customer string
	day      int64
}

type cachedDay struct {
	plans []plan
	used  uint64
}

// day returns the bills of a day, newest first, from the cache or made.
func (h *History) day(name string, c *customer, day int64) []plan {
	key := dayKey{name, day}
	d := &h.cache
	d.mu.Lock()
	d.clock++
	if e := d.days[key]; e != nil {
		e.used = d.clock
		d.mu.Unlock()
		return e.plans
	}
	d.mu.Unlock()

	plans := h.makeDay(c, day) // without the lock: two who make the same day make it alike
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.days == nil {
		d.days = make(map[dayKey]*cachedDay)
	}
	if d.days[key] == nil {
		d.days[key] = &cachedDay{plans, d.clock}
		d.bills += len(plans) + 1 // an empty day takes room as well
		d.evict()
	}
	return plans
}

// evict forgets the days not used for the longest time, a good many at once so
// that it is seldom done.
func (d *dayCache) evict() {
	if d.bills <= maxCached {
		return
	}
	keys := make([]dayKey, 0, len(d.days))
	for k := range d.days {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b dayKey) int { return cmp.Compare(d.days[a].used, d.days[b].used) })
	for _, k := range keys[:len(keys)-1] {
		if d.bills <= maxCached*3/4 {
			break
		}
		d.bills -= len(d.days[k].plans) + 1
		delete(d.days, k)
	}
}

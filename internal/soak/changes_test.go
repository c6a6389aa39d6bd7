package soak

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// updates says what the source lists as the time of a bill's last change.
type updates int

const (
	noUpdates       updates = iota // nothing
	constantUpdates                // the transaction's time, whatever changes
	growingUpdates                 // when it changed
)

// mostRemoved is how many bills of a customer are removed at a time: fewer than
// the program takes for a lapsed grant.
const mostRemoved = 15

// A maker changes the source at random.
type maker struct {
	src   *source
	dice  dice
	now   time.Time
	start time.Time   // of the history that is wanted
	marks []time.Time // where bills are interesting: ends of windows, midnights
	dirty bool        // some of what is listed may be unreadable
}

// changes are all that can happen to a source. Each does it and says so, or
// says nothing if nothing fits.
var changes = []choice[func(*maker, string) string]{
	{26, (*maker).add},
	{12, (*maker).twin},
	{20, (*maker).changeStatus},
	{8, (*maker).changeContent},
	{6, (*maker).refund},
	{9, (*maker).remove},
	{9, (*maker).bringBack},
	{6, (*maker).number},
	{3, (*maker).redate},
	{2, (*maker).breakAmount},
	{4, (*maker).mendAmount},
	{2, (*maker).addGarbage},
	{2, (*maker).garble},
	{6, (*maker).mend},
	{4, (*maker).shuffle},
}

// change changes something of a customer and says what.
func (m *maker) change(customer string) string {
	m.src.mu.Lock()
	defer m.src.mu.Unlock()
	for range 20 {
		if said := weighted(m.dice, changes)(m, customer); said != "" {
			return said
		}
	}
	return m.add(customer)
}

// several does a number of changes and says what.
func (m *maker) several(customers []string, n int) (said []string) {
	for range n {
		said = append(said, m.change(one(m.dice, customers...)))
	}
	return said
}

// moment returns a transaction time.
func (m *maker) moment() time.Time {
	d := m.dice
	var at time.Time
	switch n := d.IntN(10); {
	case n < 3: // lately
		at = m.now.Add(-d.span(0, 3*24*time.Hour))
	case n < 4: // at this moment
		at = m.now.Add(-d.span(0, 5*time.Minute))
	case n < 7 || len(m.marks) == 0: // some time
		at = m.start.Add(-5 * 24 * time.Hour).Add(d.span(0, m.now.Sub(m.start)+5*24*time.Hour))
	default: // where it could fall between two windows
		at = one(d, m.marks...).Add(one[time.Duration](d, -2000, -1001, -1000, -999, -500, -1, 0, 1, 500, 999, 1000, 1001, 2000) * time.Millisecond)
	}
	if at.After(m.now) {
		at = m.now.Add(-d.span(0, time.Hour))
	}
	if !d.chance(30) {
		return at.Truncate(time.Second)
	}
	return at.Truncate(time.Millisecond)
}

var (
	statuses = []string{"SUCCESS", "SUCCESS", "SUCCESS", "WAITING_CLEARANCE", "WAITING_DEDUCT", "FAILED", "REFUNDED", "CANCELLED",
		"PARTIAL_CANCEL", "PARTIAL_REFUND"}
	failCodes = []string{"WORLD_CARD_OVER_LIMIT", "SYSTEM_ERROR", "SOMETHING_UNHEARD_OF"}
	merchants = []string{"EXAMPLE CLOUD", "ADS & MORE", "Café <Müller>", "测试"}
)

// setStatus gives a state another status, mostly a likely one.
func (m *maker) setStatus(s *state) {
	d, before := m.dice, s.status
	for s.status == before {
		s.status = one(d, statuses...)
		if d.chance(4) {
			s.status = "HELD_BY_CUSTOMS" // a status that no document knows
		}
	}
	s.failCode = ""
	if s.status == "FAILED" {
		s.failCode = one(d, failCodes...)
	}
}

func (m *maker) fresh() state {
	d := m.dice
	s := state{
		merchant: one(d, merchants...), card: one(d, "CARD1", "CARD2"), last4: one(d, "1111", "2222"), rate: one(d, "1", "0.0064"),
		at: m.moment(), trade: money{one(d, "USD", "JPY"), int64(d.between(1, 5)) * 100},
	}
	s.out = money{"USD", s.trade.value}
	m.setStatus(&s)
	return s
}

// touch publishes a record after a change of it.
func (m *maker) touch(r *record, n news) {
	r.news |= n
	switch m.src.updates {
	case constantUpdates:
		if r.update.IsZero() {
			r.update = r.at
		}
	case growingUpdates:
		if n != removed {
			m.src.clock = later(m.src.clock.Add(time.Millisecond), m.now.Truncate(time.Millisecond))
			r.update = m.src.clock
		}
	}
	m.src.publish(r, m.now)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (m *maker) add(customer string) string {
	n := 1
	if m.dice.chance(20) {
		n = m.dice.between(2, 6)
	}
	said := "add"
	for range n {
		r := &record{customer: customer, order: m.orderNo(), state: m.fresh(), listed: true}
		if m.dice.chance(30) {
			r.billNo = m.billNo()
		}
		m.touch(r, added)
		said += " " + r.String()
	}
	return said
}

func (m *maker) orderNo() string {
	m.src.numbers++
	return fmt.Sprintf("O%06d", m.src.numbers)
}

func (m *maker) billNo() string {
	m.src.numbers++
	return fmt.Sprintf("B%06d", m.src.numbers)
}

// alike are the records of the same order and second, without r itself.
func (s *source) alike(r *record) (found []*record) {
	for _, o := range s.book(r.customer).records {
		if o != r && o.order == r.order && o.at.Unix() == r.at.Unix() {
			found = append(found, o)
		}
	}
	return found
}

// A bill that lists no number, where one with a number was removed, could be
// that one whose number is no longer listed: nobody can tell. So a source that
// can be judged does not do this.
func (s *source) doubtful(r *record) bool {
	return r.billNo == "" && slices.ContainsFunc(s.alike(r), func(o *record) bool { return o.billNo != "" && !o.readable() })
}

func (m *maker) twin(customer string) string {
	r := m.src.pick(m.dice, customer, func(r *record) bool { return r.readable() && !r.badTrade })
	if r == nil {
		return ""
	}
	t := &record{customer: customer, order: r.order, state: r.state, listed: true}
	how := ""
	switch d := m.dice; d.IntN(6) {
	case 0:
		how, t.billNo = "the same, but for its number", m.billNo()
	case 1:
		how, t.billNo, t.at = "another second, with a number", m.billNo(), r.at.Add(d.span(time.Second, 48*time.Hour))
	case 2:
		how, t.billNo = "the same in every way", ""
	case 3:
		how, t.billNo, t.trade.value = "another amount", "", r.trade.value+100
	case 4:
		how, t.billNo = "another status", ""
		m.setStatus(&t.state)
	case 5:
		how, t.billNo, t.at = "another second", "", r.at.Add(-d.span(time.Second, 48*time.Hour))
	}
	if t.at.After(m.now) || m.src.doubtful(t) {
		return ""
	}
	m.touch(t, added)
	if how == "the same in every way" && r.billNo == "" {
		t.update = r.update // in this as well
		m.src.publish(t, m.now)
	}
	return fmt.Sprintf("twin %v of %v: %s", t, r, how)
}

func (m *maker) changeStatus(customer string) string {
	r := m.src.pick(m.dice, customer, (*record).readable)
	if r == nil {
		return ""
	}
	before := r.status
	m.setStatus(&r.state)
	m.touch(r, status)
	return fmt.Sprintf("status of %v from %s to %s", r, before, r.status)
}

func (m *maker) changeContent(customer string) string {
	r := m.src.pick(m.dice, customer, (*record).readable)
	if r == nil {
		return ""
	}
	switch m.dice.IntN(3) {
	case 0:
		r.trade.value += int64(m.dice.between(1, 3)) * 100
	case 1:
		r.out.value += 10
		r.rate += "1"
	case 2:
		r.merchant += "."
	}
	m.touch(r, content)
	return fmt.Sprintf("content of %v", r)
}

func (m *maker) refund(customer string) string {
	r := m.src.pick(m.dice, customer, func(r *record) bool { return r.readable() && r.in.value < r.out.value })
	if r == nil {
		return ""
	}
	r.in = money{r.out.currency, r.in.value + (r.out.value-r.in.value+1)/2}
	r.status, r.failCode = "PARTIAL_REFUND", ""
	if r.in.value >= r.out.value {
		r.status = "REFUNDED"
	}
	m.touch(r, content)
	return fmt.Sprintf("refund of %v: %v", r, r.in)
}

func (m *maker) remove(customer string) string {
	if m.src.unreadable(customer) >= mostRemoved {
		return ""
	}
	r := m.src.pick(m.dice, customer, func(r *record) bool { return r.readable() && !r.badTrade && m.src.mayGo(r) })
	if r == nil {
		return ""
	}
	r.listed = false
	m.touch(r, removed)
	return fmt.Sprintf("remove %v", r)
}

// unreadable counts the records that are not listed as bills.
func (s *source) unreadable(customer string) (n int) {
	for _, r := range s.book(customer).records {
		if !r.readable() {
			n++
		}
	}
	return n
}

// mayGo reports whether it stays clear which bill is which when r is no longer
// listed (see doubtful).
func (s *source) mayGo(r *record) bool {
	return r.billNo == "" || !slices.ContainsFunc(s.alike(r), func(o *record) bool {
		return o.billNo == "" && (o.news != 0 || !tellsApart)
	})
}

func (m *maker) bringBack(customer string) string {
	r := m.src.pick(m.dice, customer, func(r *record) bool { return !r.listed && r.garbage == nil && !m.src.doubtful(r) })
	if r == nil {
		return ""
	}
	r.listed = true
	if len(m.src.alike(r)) > 0 {
		// The row of one that looks like it may have been taken for its own.
		// With an earlier time of change it would be what a replica says that
		// lags behind.
		m.touch(r, added)
	}
	r.news |= added
	m.src.publish(r, m.now)
	return fmt.Sprintf("bring back %v", r)
}

func (m *maker) number(customer string) string {
	r := m.src.pick(m.dice, customer, func(r *record) bool { return r.readable() && r.billNo == "" })
	if r == nil {
		return ""
	}
	r.billNo = m.billNo()
	m.touch(r, content)
	return fmt.Sprintf("number %v as %s", r, r.billNo)
}

func (m *maker) redate(customer string) string {
	r := m.src.pick(m.dice, customer, func(r *record) bool {
		// Only a number that the program has seen tells that it is the same bill.
		return r.readable() && r.billNo != "" && r.news == 0 && len(m.src.alike(r)) == 0
	})
	if r == nil {
		return ""
	}
	at := r.at.Add(m.dice.span(-72*time.Hour, 72*time.Hour))
	if at.After(m.now) || at.Before(m.start) {
		return ""
	}
	said := fmt.Sprintf("redate %v to %s", r, stampOf(at))
	r.at = at
	r.letters, r.moved = nil, true // without its number they would be of another bill
	m.touch(r, redated|content)
	return said
}

func (m *maker) breakAmount(customer string) string {
	r := m.src.pick(m.dice, customer, func(r *record) bool { return r.readable() && !r.badTrade && len(m.src.alike(r)) == 0 })
	if r == nil || !m.dirty {
		return ""
	}
	r.badTrade = true
	m.touch(r, content)
	return fmt.Sprintf("break the amount of %v", r)
}

func (m *maker) mendAmount(customer string) string {
	r := m.src.pick(m.dice, customer, func(r *record) bool { return r.readable() && r.badTrade })
	if r == nil {
		return ""
	}
	r.badTrade = false
	m.touch(r, content)
	return fmt.Sprintf("mend the amount of %v", r)
}

// rubbish returns an item that cannot be understood.
func (m *maker) rubbish(r *record) json.RawMessage {
	switch m.dice.IntN(6) {
	case 0:
		return json.RawMessage(`"not an object"`)
	case 1:
		return json.RawMessage(`null`)
	case 2:
		return json.RawMessage(`{}`)
	case 3:
		return json.RawMessage(fmt.Sprintf(`{"orderNo":%q,"transactionTime":"yesterday"}`, r.order))
	case 4:
		return json.RawMessage(fmt.Sprintf(`{"orderNo":[%q],"transactionTime":%q}`, r.order, r.at.Format(time.RFC3339)))
	}
	return json.RawMessage(fmt.Sprintf(`{"orderNo":" ","merchantName":"X","transactionTime":%q}`, r.at.Format(time.RFC3339)))
}

func (m *maker) addGarbage(customer string) string {
	if !m.dirty {
		return ""
	}
	r := &record{customer: customer, order: m.orderNo(), state: m.fresh(), listed: true}
	r.garbage = m.rubbish(r)
	m.touch(r, added|garbled)
	return fmt.Sprintf("garbage %v: %s", r, r.garbage)
}

func (m *maker) garble(customer string) string {
	r := m.src.pick(m.dice, customer, func(r *record) bool { return r.readable() && !r.badTrade && len(m.src.alike(r)) == 0 })
	if r == nil || !m.dirty {
		return ""
	}
	r.garbage = m.rubbish(r)
	r.news |= garbled
	m.src.publish(r, m.now)
	return fmt.Sprintf("garble %v: %s", r, r.garbage)
}

// mend makes garbage readable, or removes it if it was never anything else.
func (m *maker) mend(customer string) string {
	r := m.src.pick(m.dice, customer, func(r *record) bool { return r.listed && r.garbage != nil })
	if r == nil {
		return ""
	}
	r.garbage = nil
	m.touch(r, garbled|content)
	return fmt.Sprintf("mend %v", r)
}

// shuffle lists bills of the same instant in another order.
func (m *maker) shuffle(customer string) string {
	b := m.src.book(customer)
	for _, r := range b.records {
		r.rank = m.dice.IntN(1000)
	}
	b.sort()
	m.src.changes++
	b.changed = m.src.changes
	return "shuffle " + customer
}

// settle brings the source to where it can be judged: nothing is garbage, no
// amount unreadable and, unless bills may be removed, every bill is listed.
func (m *maker) settle() (said []string) {
	m.src.mu.Lock()
	defer m.src.mu.Unlock()
	steps := []func(*maker, string) string{(*maker).mend, (*maker).mendAmount}
	if !withdraws {
		steps = slices.Insert(steps, 0, (*maker).bringBack)
	}
	for _, name := range slices.Sorted(maps.Keys(m.src.books)) {
		for _, step := range steps {
			for s := step(m, name); s != ""; s = step(m, name) {
				said = append(said, s)
			}
		}
	}
	return said
}

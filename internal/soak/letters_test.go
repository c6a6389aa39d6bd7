package soak

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
	"billsync/internal/syncer"
	"billsync/internal/worldfirst"

	"github.com/rs/zerolog"
)

// A letter is what the provider notified us of, or could have: a bill as it was
// at a time.
type letter struct {
	record *record
	state  state
	at     time.Time
	last   bool // the bill has not changed since
}

// numbers says whether notifications give the numbers of bills that have one.
type numbers int

const (
	allNumbers numbers = iota
	noNumbers
	someNumbers
)

// A postman brings notifications, in half of all seeds. What he does is rolled with dice of his own,
// so that a seed without him is the story it would be if there were none.
type postman struct {
	dice    dice
	numbers numbers
	brief   bool // notifications leave out what need not be in them
	timed   bool // notifications say when a bill changed, even where the list does not
	mailed  int
}

func newPostman(seed uint64) *postman {
	d := newDice(seed, 2)
	if !d.chance(50) {
		return nil
	}
	return &postman{dice: d, numbers: one(d, allNumbers, allNumbers, noNumbers, someNumbers), brief: d.chance(40), timed: d.chance(60)}
}

func (p *postman) String() string {
	if p == nil {
		return "none"
	}
	return fmt.Sprintf("with %s of the numbers, brief %t, always with the time of the change %t", [...]string{"all", "none", "some"}[p.numbers], p.brief, p.timed)
}

// keep keeps a record's present state as a letter.
func (s *source) keep(r *record, at time.Time) {
	for _, l := range r.letters {
		l.last = false
	}
	r.letters = append(r.letters, &letter{r, r.state, at, true})
}

// announce adds bills that notifications tell of before the list does.
func (m *maker) announce(customer string) string {
	m.src.mu.Lock()
	defer m.src.mu.Unlock()
	near := m.src.pick(m.dice, customer, (*record).readable)
	if near == nil || m.src.unreadable(customer) >= mostRemoved {
		return ""
	}
	r := &record{customer: customer, order: m.orderNo(), state: m.fresh()}
	if m.now.Sub(r.at) > aDay {
		// Not alone in its window: if it is never listed, an empty list could mean
		// that a grant lapsed.
		r.at = near.at.Add(m.dice.span(-time.Hour, 0))
	}
	if m.dice.chance(30) {
		r.billNo = m.billNo()
	}
	m.touch(r, added)
	return fmt.Sprintf("announce %v", r)
}

// pick returns a letter of an account's customer; nil if there is none.
func (p *postman) pick(s *source, customer string) *letter {
	d := p.dice
	var lately, all []*record
	for _, r := range s.book(customer).records {
		if len(r.letters) == 0 || !r.listed && len(s.alike(r)) > 0 {
			continue // the others could be this one, and the list would not tell
		}
		all = append(all, r)
		if r.news != 0 {
			lately = append(lately, r)
		}
	}
	if len(lately) > 0 && d.chance(70) {
		all = lately
	}
	if len(all) == 0 {
		return nil
	}
	letters := one(d, all...).letters
	if d.chance(60) {
		return letters[len(letters)-1]
	}
	return one(d, letters...)
}

// write writes a notification of a letter, and lets the model know what may be
// stored for it.
func (p *postman) write(s *source, l *letter) (body []byte, how string) {
	d := p.dice
	said := l.state
	how = "as it is"
	if !l.last {
		how = "as it was at " + stampOf(l.at)
	}
	if p.timed && said.update.IsZero() {
		said.update = l.at.Truncate(time.Millisecond)
		how += ", with the time of its change"
	}
	if said.billNo != "" && !l.record.moved && (p.numbers == noNumbers || p.numbers == someNumbers && d.chance(50)) {
		said.billNo = ""
		how += ", without its number"
	}
	if p.brief && d.chance(60) {
		said.merchant = ""
		how += ", without the merchant"
	}
	sp := spelling{reverse: d.chance(50), bare: d.chance(50), zone: location(one(d, zones...)), nickNames: d.IntN(3)}
	body = sp.notification(l.record.order, &said)
	// What it leaves out stays as it was on the row of its bill.
	o := s.book(l.record.customer).orders[l.record.order]
	billNos, merchants := []string{said.billNo}, []string{said.merchant}
	for _, r := range s.book(l.record.customer).records {
		for _, x := range r.letters {
			if r.order != l.record.order {
				continue
			}
			if said.billNo == "" {
				billNos = append(billNos, x.state.billNo)
			}
			if said.merchant == "" {
				merchants = append(merchants, x.state.merchant)
			}
		}
	}
	for _, said.billNo = range billNos {
		for _, said.merchant = range merchants {
			o.said[said.String()] = true
		}
	}
	// Only a reading of its time will tell what is true.
	if !l.last || s.updates != growingUpdates || how != "as it is" {
		l.record.news |= content
	}
	if s.updates != growingUpdates {
		// Nothing but clocks tell which state is the newer one, until the list
		// is read again.
		s.changes++
		s.book(l.record.customer).changed = s.changes
	}
	return body, how
}

// deliver brings some notifications to the program, all at once, as a daemon
// receives them beside the runs.
func (w *world) deliver(n int, tell func(string, ...any)) {
	p := w.postman
	var batch []bill.Notification
	var lines []string
	w.source.mu.Lock()
	for range n {
		a := one(p.dice, w.accounts...)
		l := p.pick(w.source, a.customer)
		if l == nil || !slices.Contains(w.known, a.name) {
			continue
		}
		body, how := p.write(w.source, l)
		item := bill.Notification{Item: worldfirst.DecodeItem(body), SentAt: l.at.Add(w.skew), ReceivedAt: w.clock.now()}
		if p.dice.chance(60) {
			item.Account = a.name
		}
		batch = append(batch, item)
		lines = append(lines, fmt.Sprintf("notify %q of %v: %s, %s", item.Account, l.record, how, item.Item.Bill.Status))
	}
	w.source.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	receipts, err := w.post(batch)
	if err != nil {
		w.asked.failed(err)
		return
	}
	for i, line := range lines {
		tell("%s: %v", line, receipts[i])
	}
	p.mailed += len(batch)
}

// post hands notifications to the program's own mailbox.
func (w *world) post(batch []bill.Notification) ([]bill.Receipt, error) {
	ctx := context.Background()
	st, err := store.Open(ctx, w.database(), location(w.reportZone))
	if err != nil {
		return nil, err
	}
	defer st.Close()
	if err := st.AdoptReportZone(ctx); err != nil { // as the daemon does when it begins
		return nil, err
	}
	var names []string
	for _, a := range w.accounts {
		names = append(names, a.name)
	}
	receipts, _, err := syncer.NewMailbox(names, names, mailStore{st}, worldfirst.DecodeItem, zerolog.Nop(), w.clock.now).Deliver(ctx, batch)
	return receipts, err
}

// mailStore lets the mailbox see the store through the interface it asks for.
type mailStore struct{ *store.Store }

func (s mailStore) Update(ctx context.Context, fn func(syncer.Tx) error) error {
	return s.Store.Update(ctx, func(t *store.Tx) error { return fn(t) })
}

// mail is what the postman does between two runs.
func (w *world) mail() {
	p := w.postman
	if p == nil || w.seen.last == nil {
		return
	}
	time.Sleep(2 * time.Millisecond) // what was looked at before is of another millisecond
	if p.dice.chance(40) {
		for range p.dice.between(1, 3) {
			m := w.maker()
			m.dice = newDice(p.dice.Uint64(), 3)
			if said := m.announce(one(p.dice, w.customers()...)); said != "" {
				w.note("  %s", said)
			}
		}
	}
	if p.dice.chance(70) {
		w.deliver(p.dice.between(1, 8), func(format string, args ...any) { w.note("  "+format, args...) })
		w.asked.judge(w)
	}
}

// mailDuring lets him come at requests of a run.
func (w *world) mailDuring(acts map[int][]func()) map[int][]func() {
	p := w.postman
	if p == nil || w.seen.last == nil || !p.dice.chance(40) {
		return acts
	}
	for range p.dice.between(1, 3) {
		n := p.dice.between(1, 5)
		acts = with(acts, p.dice.between(1, 15), func() {
			w.deliver(n, func(format string, args ...any) {
				w.later("    at request %d: %s", w.asked.n, fmt.Sprintf(format, args...))
			})
		})
	}
	return acts
}

// A notice is a notification in the inbox.
type notice struct {
	ID       int64  `db:"notification_id"`
	Order    string `db:"order_no"`
	Reason   string `db:"reason"`
	Received string `db:"received_at"`
	Time     string `db:"transaction_time"`
	Raw      string `db:"raw"`
}

// checkInbox checks that nothing waits that the list has told: a complete run
// has just read all of it.
func (w *world) checkInbox(l *look, t *trial) {
	var waiting []string
	sure := map[string]string{} // from where on it lists every bill
	for _, a := range w.accounts {
		sure[a.customer] = stampOf(oldest(l, a.name).Add(edge))
	}
	for _, n := range l.inbox {
		if t.began.Sub(parse(n.Received)) < aDay {
			continue // the list may lag behind
		}
		for _, b := range w.source.books {
			for _, r := range b.records {
				if r.order == n.Order && r.readable() && n.Time > sure[r.customer] {
					waiting = append(waiting, fmt.Sprintf("notification %d of %s: %s: %s", n.ID, r, n.Reason, n.Raw))
				}
			}
		}
	}
	if len(waiting) > 0 {
		w.fail("the list was read, and there still waits:\n  %s", strings.Join(waiting, "\n  "))
	}
}

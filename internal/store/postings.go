package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"billsync/internal/bill"
	"billsync/internal/books"

	"github.com/mattn/go-sqlite3"
)

// postAtOnce is how many bills one transaction posts: others write in between.
const postAtOnce = 2000

// Post posts what was stored before there were postings, or for which they have to
// be made anew. Whatever interrupts it, the next call goes on. All other bills are
// posted by the transaction that stores them: there is no moment at which the books
// say something else than the bills.
func (s *Store) Post(ctx context.Context) (lines int, err error) {
	if left, err := s.Unposted(ctx); err != nil || !left {
		return 0, err // nobody is kept from writing for nothing
	}
	for more := true; more; {
		err := s.Update(ctx, func(t *Tx) error {
			p, err := t.poster()
			if err != nil {
				return err
			}
			more, err = p.backlog()
			lines += p.lines
			return err
		})
		if err != nil {
			return lines, err
		}
	}
	return lines, nil
}

// Unposted reports whether there are bills for Post.
func (s *Store) Unposted(ctx context.Context) (left bool, err error) {
	err = s.View(ctx, func(t *Tx) (err error) {
		from, to, err := t.backlog()
		left = from <= to
		return err
	})
	return left, err
}

// backlog returns the first and the last bill_id that Post has still to look at.
func (t *Tx) backlog() (from, to int64, err error) {
	from = 1
	err = t.each("looking for bills that are not posted", "SELECT value FROM meta WHERE key = 'unposted'", nil, func(row []driver.Value) error {
		c := columns{row: row}
		if _, err := fmt.Sscanf(c.text(0), "%d %d", &from, &to); err != nil {
			return fmt.Errorf("%w: %q is no range of bills", errMisread, c.text(0))
		}
		return c.err
	})
	return from, to, err
}

// A poster posts bills within one transaction.
type poster struct {
	t      *Tx
	closed map[string]closed
	taken  map[string]int64 // keys of lines that are not what their bill's would be now
	kept   map[int64]string // the same by bill
	lines  int              // written
	dirty  map[dirt]bool
	soiled string                       // the day whose month was noted as dirty last
	inside struct{ from, to time.Time } // whose failures are noted as dirty
	later  []int64                      // bills that changed and are posted before the commit
	keyed  int                          // so many of these keep their keys for good
}

// A dirt is sums that have to be made anew: see dirty_months.
type dirt struct{ month, sums, mark string }

// poster returns the transaction's.
func (t *Tx) poster() (*poster, error) {
	if t.posts != nil {
		return t.posts, nil
	}
	p := &poster{t: t, dirty: map[dirt]bool{}}
	var err error
	if p.closed, err = t.closed(); err != nil {
		return nil, err
	}
	if p.taken, err = t.keptKeys(); err != nil {
		return nil, err
	}
	p.kept = map[int64]string{}
	for key, id := range p.taken {
		p.kept[id] = key
	}
	if err := t.sameZone(); err != nil {
		return nil, err
	}
	t.posts = p
	return p, nil
}

// sameZone makes sure that days are those of one time zone: another process may have
// brought the database over to another one meanwhile.
func (t *Tx) sameZone() error {
	zone, err := t.ReportZone()
	if err != nil || zone.String() == t.s.zone.String() {
		return err
	}
	return &InputError{t.s.path, fmt.Sprintf("its days are those of %s by now, and this process counts by %s", zone, t.s.zone),
		"start it again, with the [report] timezone that is meant"}
}

// noteChanged notes that a bill's postings may have to follow a change of it,
// before the transaction ends.
func (t *Tx) noteChanged(id int64) error {
	p, err := t.poster()
	if err == nil {
		p.later = append(p.later, id)
	}
	return err
}

// markDirty marks sums. Each mark is another one: whoever sums the month without
// keeping others from writing sees by it whether something changed meanwhile.
const markDirty = `INSERT INTO dirty_months (month, sums) VALUES (?, ?)
	ON CONFLICT (month, sums) DO UPDATE SET mark = hex(randomblob(8))`

// settleBooks posts the changes of the transaction, and notes which sums are not
// right any more.
func (t *Tx) settleBooks() error {
	p := t.posts
	if p == nil {
		return nil
	}
	if err := p.keepKeys(); err != nil {
		return err
	}
	slices.Sort(p.later)
	for _, id := range slices.Compact(p.later) {
		if err := p.span(id, id); err != nil {
			return err
		}
	}
	for d := range p.dirty {
		if err := t.exec("noting sums to be made", markDirty, d.month, d.sums); err != nil {
			return err
		}
	}
	return nil
}

// backlog posts some of the bills that were stored before, and reports whether
// there are more.
func (p *poster) backlog() (more bool, err error) {
	from, last, err := p.t.backlog()
	if err != nil || from > last {
		return false, err
	}
	to := min(from+postAtOnce-1, last)
	if err := p.span(from, to); err != nil {
		return false, err
	}
	if to == last {
		return false, p.t.exec("noting that all is posted", "DELETE FROM meta WHERE key = 'unposted'")
	}
	return true, p.t.exec("noting what is posted", "UPDATE meta SET value = ? WHERE key = 'unposted'", fmt.Sprintf("%d %d", to+1, last))
}

// postNew posts a bill that is stored for the first time.
func (t *Tx) postNew(id int64, account string, b *bill.Bill, ordinal int, now time.Time, run int64) error {
	p, err := t.poster()
	if err != nil {
		return err
	}
	p.soilFailures(b.TransactionTime)
	s := books.State{Status: b.Status, Out: b.Out, In: b.In}
	if !books.Effective(b.Status) || (b.Out == nil || b.Out.Value == 0) && (b.In == nil || b.In.Value == 0) {
		return nil
	}
	s.Date(books.Dating{First: true, Transaction: b.TransactionTime, Updated: b.LastUpdate, Since: now}, t.s.zone)
	x := posted{id: id, account: account, orderNo: b.OrderNo, at: b.TransactionTime, ordinal: ordinal}
	if err := p.keepKeys(); err != nil {
		return err
	}
	key, err := p.keyOf(&x)
	if err != nil {
		return err
	}
	for i, l := range books.Next(key, nil, s) {
		err := p.insert(&x, i+1, &l, run)
		var e sqlite3.Error
		if i == 0 && errors.As(err, &e) && e.Code == sqlite3.ErrConstraint {
			return p.displace(id, key)
		}
		if err != nil {
			return fmt.Errorf("posting bill %d: %w", id, err)
		}
	}
	p.soilBooks(&x)
	return nil
}

// displace makes room for the postings of a new bill whose bill_id there are
// postings of already: somebody took a row away from bills, and SQLite gave its key
// out again. If it is the same bill, they are its own; else they are kept under a
// key that no bill has, and "syncer verify" tells of them.
func (p *poster) displace(id int64, key string) error {
	moved, err := p.t.affected("making room for a posting", `
		UPDATE postings SET bill_id = (SELECT min(0, min(bill_id)) - 1 FROM postings)
		WHERE bill_id = ?1 AND NOT EXISTS (SELECT 1 FROM postings WHERE bill_id = ?1 AND line = 1 AND substr(line_id, 1, ?3) = ?2)`, id, key, len(key))
	if err != nil {
		return err
	}
	if moved > 0 { // what was exported and matched was theirs
		for _, where := range []string{"export_lines SET bill_id = (SELECT min(bill_id) FROM postings) WHERE target IN (SELECT target FROM export_batches) AND",
			"match_items SET bill_id = (SELECT min(bill_id) FROM postings) WHERE", "candidates SET bill_id = (SELECT min(bill_id) FROM postings) WHERE"} {
			if err := p.t.exec("making room for a posting", "UPDATE "+where+" bill_id = ?", id); err != nil {
				return err
			}
		}
	}
	return p.t.noteChanged(id)
}

// A posted is a bill on its way through a poster.
type posted struct {
	id      int64
	account string
	orderNo string
	at      time.Time
	ordinal int
	states  []stateOf
	have    []storedLine
}

// A stateOf is a state of a bill, with what dates it and what it is summed by.
type stateOf struct {
	books.State
	books.Dating
	labels labels
	id     int64 // of the row of bill_states; 0: the present one
	run    int64
}

// labels are what the books are summed by and shown with, beside account and
// currency.
type labels struct{ merchant, card, budget, last4 string }

// A storedLine is a posting that is there already.
type storedLine struct {
	books.Line
	date   string
	number int // among the bill's, from 1
	run    int64
}

const (
	postColumns = `%[1]s.bill_status, %[1]s.out_amount, %[1]s.out_currency, %[1]s.in_amount, %[1]s.in_currency, %[1]s.last_update,
		%[1]s.withdrawn_at, %[1]s.transaction_time, %[1]s.run_id, %[1]s.merchant_name, %[1]s.asset_id, %[1]s.budget_account_id, %[1]s.card_last4`

	insertPosting = `INSERT INTO postings (bill_id, line, line_id, kind, amount, currency, posting_date, effect_date, reason, run_id)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

var (
	presentStates = "SELECT b.bill_id, b.changed_at, 0, " + fmt.Sprintf(postColumns, "b") + `, b.account, b.order_no, b.ordinal
		FROM bills b WHERE b.bill_id BETWEEN ? AND ? ORDER BY b.bill_id`
	earlierStates = "SELECT s.bill_id, s.valid_from, s.state_id, " + fmt.Sprintf(postColumns, "s") + `
		FROM bill_states s WHERE s.bill_id BETWEEN ? AND ? ORDER BY s.bill_id, s.state_id`
)

// stateIn reads a state from a row of these queries.
func stateIn(c *columns) stateOf {
	amount := func(i int) *bill.Amount {
		if c.row[i] == nil || c.row[i+1] == nil {
			return nil
		}
		return &bill.Amount{Value: c.int(i), Currency: c.text(i + 1)}
	}
	return stateOf{
		State:  books.State{Status: c.text(3), Out: amount(4), In: amount(6), Withdrawn: c.row[9] != nil},
		Dating: books.Dating{Transaction: c.time(10), Updated: c.time(8), Since: c.time(1), Withdrawn: c.time(9)},
		labels: labels{c.text(12), c.text(13), c.text(14), c.text(15)},
		id:     c.int(2), run: c.int(11),
	}
}

// span posts the bills from one key to another.
func (p *poster) span(from, to int64) error {
	bills, err := p.t.postedBetween(from, to)
	if err != nil {
		return err
	}
	for i := range bills {
		if err := p.write(&bills[i]); err != nil {
			return fmt.Errorf("posting bill %d: %w", bills[i].id, err)
		}
	}
	return nil
}

// postedBetween returns the bills from one key to another, with their states and
// postings.
func (t *Tx) postedBetween(from, to int64) ([]posted, error) {
	span := []any{from, to}
	earlier := map[int64][]stateOf{}
	err := t.each("reading earlier states", earlierStates, span, func(row []driver.Value) error {
		c := columns{row: row}
		id := c.int(0)
		earlier[id] = append(earlier[id], stateIn(&c))
		return c.err
	})
	if err != nil {
		return nil, err
	}
	lines := map[int64][]storedLine{}
	err = t.each("reading postings", `
		SELECT bill_id, line_id, kind, amount, currency, effect_date, reason, posting_date, line, run_id
		FROM postings WHERE bill_id BETWEEN ? AND ? ORDER BY bill_id, line`, span, func(row []driver.Value) error {
		c := columns{row: row}
		id := c.int(0)
		l := books.Line{ID: c.text(1), Kind: books.Kind(c.text(2)), Amount: bill.Amount{Value: c.int(3), Currency: c.text(4)}, Effect: c.text(5), Reason: c.text(6)}
		l.Part = books.PartOf(l.Kind, l.Amount.Value)
		lines[id] = append(lines[id], storedLine{l, c.text(7), int(c.int(8)), c.int(9)})
		return c.err
	})
	if err != nil {
		return nil, err
	}
	bills := make([]posted, 0, to-from+1)
	err = t.each("reading bills", presentStates, span, func(row []driver.Value) error {
		c := columns{row: row}
		b := posted{id: c.int(0), account: c.text(16), orderNo: c.text(17), at: c.time(10), ordinal: int(c.int(18))}
		b.states, b.have = append(earlier[b.id], stateIn(&c)), lines[b.id]
		bills = append(bills, b)
		return c.err
	})
	return bills, err
}

// write writes the lines that a bill's states add to those it has, and notes which
// sums follow.
func (p *poster) write(b *posted) error {
	key, err := p.keyOf(b)
	if err != nil {
		return err
	}
	lines, from := b.derive(key, p.t.s.zone)
	for i := range lines {
		if err := p.insert(b, from+i+1, &lines[i].Line, lines[i].run); err != nil {
			return err
		}
	}
	p.soilBooks(b)
	for i := range b.states {
		p.soilFailures(b.states[i].Transaction)
	}
	return p.keepLabels(b)
}

// A derived is a line that is not stored yet, and the run that brought it.
type derived struct {
	books.Line
	run int64
}

// derive returns the lines that are missing behind those that are there. They
// follow from all states the bill had, so that it makes no difference how often
// it was posted meanwhile. Should what is stored not be what they say, as after a
// change by hand, what is missing is told by the present state alone: the sum is
// right all the same.
func (b *posted) derive(key string, zone *time.Location) (lines []derived, from int) {
	all, by := b.follow(key, zone)
	same := len(all) >= len(b.have)
	for i := 0; same && i < len(b.have); i++ {
		same = b.have[i].is(&all[i], i)
	}
	if !same {
		last := len(b.states) - 1
		all, by = all[:0], by[:0]
		for i := range b.have {
			all = append(all, b.have[i].Line)
		}
		all = append(all, books.Next(key, all, b.states[last].State)...)
		for range all {
			by = append(by, last)
		}
	}
	for i := len(b.have); i < len(all); i++ {
		lines = append(lines, derived{all[i], b.states[by[i]].run})
	}
	if n := len(b.have); n > 0 {
		from = b.have[n-1].number // more than there are if somebody took one away
	}
	return lines, from
}

// follow returns the lines that all states of the bill brought, and which state brought
// each.
func (b *posted) follow(key string, zone *time.Location) (all []books.Line, by []int) {
	for i := range b.states {
		s := &b.states[i]
		if s.First = i == 0; !s.First {
			before := &b.states[i-1]
			s.Before, s.Back = before.Updated, before.State.Withdrawn
		}
		s.Date(s.Dating, zone)
		if n := len(all); n > 0 {
			s.Effect = max(s.Effect, all[n-1].Effect) // nothing is undone before it was done
		}
		next := books.Next(key, all, s.State)
		all = append(all, next...)
		for range next {
			by = append(by, i)
		}
	}
	return all, by
}

// is reports whether a stored line is one that the states say, at its place.
func (l *storedLine) is(said *books.Line, place int) bool {
	return said.ID == l.ID && said.Amount == l.Amount && l.number == place+1
}

// keyOf returns what the ids of a bill's lines begin with. What another bill's
// begin with, though it is identified otherwise by now, is not used again.
func (p *poster) keyOf(b *posted) (string, error) {
	key := books.Key(b.account, b.orderNo, b.at, b.ordinal)
	if len(b.have) > 0 {
		kept, _, _ := strings.Cut(b.have[0].ID, "-")
		if _, ok := p.taken[kept]; kept == key || ok {
			return kept, nil
		}
		return kept, p.keepKey(kept, b.id)
	}
	if kept := p.kept[b.id]; kept != "" {
		return kept, nil // it had lines before they were all dated anew
	}
	if id, ok := p.taken[key]; !ok || id == b.id {
		return key, nil
	}
	return freeKey(p.taken, b.id, b.account, b.orderNo, b.at, b.ordinal+1000), nil
}

// keepKey keeps a key for a bill that is identified otherwise by now.
func (p *poster) keepKey(key string, id int64) error {
	p.taken[key], p.kept[id] = id, key
	return p.t.exec("keeping a bill's key", "INSERT INTO kept_keys (line_key, bill_id) VALUES (?, ?) ON CONFLICT DO NOTHING", key, id)
}

// keepKeys keeps the keys of bills that changed in this transaction: one that comes
// next may be identified now as they were before.
func (p *poster) keepKeys() error {
	for ; p.keyed < len(p.later); p.keyed++ {
		if err := p.keepOld("WHERE p.line = 1 AND p.bill_id = ?", p.later[p.keyed]); err != nil {
			return err
		}
	}
	return nil
}

// keepOld keeps the keys of those bills of a query that are identified otherwise by
// now than their lines say.
func (p *poster) keepOld(where string, args ...any) error {
	old := map[string]int64{}
	err := p.t.each("looking for bills' keys", `
		SELECT p.bill_id, p.line_id, b.account, b.order_no, b.transaction_time, b.ordinal
		FROM postings p JOIN bills b ON b.bill_id = p.bill_id `+where, args, func(row []driver.Value) error {
		c := columns{row: row}
		key, _, _ := strings.Cut(c.text(1), "-")
		if key != books.Key(c.text(2), c.text(3), c.time(4), int(c.int(5))) {
			old[key] = c.int(0)
		}
		return c.err
	})
	if err != nil {
		return err
	}
	for key, id := range old {
		if _, ok := p.taken[key]; ok {
			continue
		}
		if err := p.keepKey(key, id); err != nil {
			return err
		}
	}
	return nil
}

// freeKey returns what the ids of a bill's lines begin with while it has none:
// nothing that is taken by another bill.
func freeKey(taken map[string]int64, id int64, account, orderNo string, at time.Time, ordinal int) string {
	for ; ; ordinal += 1000 {
		key := books.Key(account, orderNo, at, ordinal)
		if other, ok := taken[key]; !ok || other == id {
			return key
		}
	}
}

// keptKeys returns the keys of lines that are not what their bill's would be now,
// and whose they are.
func (t *Tx) keptKeys() (map[string]int64, error) {
	taken := map[string]int64{}
	return taken, t.each("reading kept keys", "SELECT line_key, bill_id FROM kept_keys", nil, func(row []driver.Value) error {
		c := columns{row: row}
		taken[c.text(0)] = c.int(1)
		return c.err
	})
}

func (p *poster) insert(b *posted, line int, l *books.Line, run int64) error {
	d, err := p.t.direct(insertPosting)
	if err != nil {
		return err
	}
	date := bookDay(p.closed, l.Effect)
	d.begin()
	d.value(b.id)
	d.value(int64(line))
	d.value(l.ID)
	d.often(string(l.Kind))
	d.value(l.Amount.Value)
	d.often(l.Amount.Currency)
	d.often(date)
	d.often(l.Effect)
	d.often(l.Reason)
	d.value(run)
	if _, err := p.t.run(d); err != nil {
		return err
	}
	b.have = append(b.have, storedLine{*l, date, line, run})
	p.lines++
	p.t.written++
	return nil
}

// bookDay is the day in the books of what happened on a day: that day, or the first
// one that is open if its month is closed.
func bookDay(closed map[string]closed, effect string) string {
	month := effect[:7]
	for !closed[month].IsZero() {
		month = nextMonth(month)
		effect = month + "-01"
	}
	return effect
}

// soilBooks notes that the sums of the months a bill is posted in are not right any
// more.
func (p *poster) soilBooks(b *posted) {
	for i := range b.have {
		date := b.have[i].date
		if date == p.soiled {
			continue
		}
		if month, ok := monthOf(date); ok && p.closed[month].IsZero() {
			p.dirty[dirt{month: month, sums: "books"}], p.soiled = true, date
		}
	}
}

// soilFailures notes the same of the failed payments around a transaction: of its
// month, and of a neighbour that is near enough for one purchase.
func (p *poster) soilFailures(at time.Time) {
	if at.After(p.inside.from) && at.Before(p.inside.to) {
		return // as the one before
	}
	at = at.In(p.t.s.zone)
	for _, near := range [...]time.Time{at, at.Add(-books.SettleLimit), at.Add(books.SettleLimit)} {
		p.dirty[dirt{month: bill.DayText(near)[:7], sums: "failures"}] = true
	}
	first := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, at.Location())
	p.inside.from, p.inside.to = first.Add(books.SettleLimit), first.AddDate(0, 1, 0).Add(-books.SettleLimit)
}

// keepLabels keeps what the lines of a bill in closed months were summed by, if it
// is something else by now: the bill's state at the closing is the first that was
// stored away after it.
func (p *poster) keepLabels(b *posted) error {
	now := b.states[len(b.states)-1].labels
	for i := range b.have {
		name, _ := monthOf(b.have[i].date)
		month := p.closed[name]
		if month.IsZero() {
			continue
		}
		then := slices.IndexFunc(b.states, func(s stateOf) bool { return s.id == 0 || s.id > month.lastState })
		if s := &b.states[then]; s.labels != now {
			err := p.t.exec("keeping what a posting was summed by", `
				INSERT INTO kept_labels (bill_id, line, merchant_name, asset_id, budget_account_id, card_last4) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
				b.id, b.have[i].number, orNull(s.labels.merchant), orNull(s.labels.card), orNull(s.labels.budget), orNull(s.labels.last4))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// A closed says when a month was closed, and what was there then.
type closed struct {
	at                  time.Time
	lastBill, lastState int64 // the last rows of bills and bill_states
}

// IsZero reports whether the month is open.
func (c closed) IsZero() bool { return c.at.IsZero() }

// closed returns the closed months.
func (t *Tx) closed() (map[string]closed, error) {
	months := map[string]closed{}
	return months, t.each("reading closed months", "SELECT month, closed_at, last_bill_id, last_state_id FROM closes", nil, func(row []driver.Value) error {
		c := columns{row: row}
		months[c.text(0)] = closed{c.time(1), c.int(2), c.int(3)}
		return c.err
	})
}

// monthOf returns the month of a stored day. What somebody wrote there by hand may
// be no day: "syncer verify" tells of it.
func monthOf(day string) (month string, ok bool) {
	at, err := time.Parse(time.DateOnly, day)
	return at.Format("2006-01"), err == nil
}

// nextMonth returns the month after one, both YYYY-MM.
func nextMonth(month string) string {
	at, err := time.Parse("2006-01", month)
	if err != nil {
		panic("no month: " + month) // it comes from a day that was made of a time
	}
	return at.AddDate(0, 1, 0).Format("2006-01")
}

// unpost takes all postings and sums away, because the days they are for changed:
// Post makes them again of what is stored, with the same ids. Only while no month is
// closed.
func (t *Tx) unpost() error {
	p := &poster{t: t, kept: map[int64]string{}}
	var err error
	if p.taken, err = t.keptKeys(); err != nil {
		return err
	}
	if err := p.keepOld("WHERE p.line = 1"); err != nil {
		return err
	}
	for _, sql := range []string{
		"DELETE FROM postings", "DELETE FROM dirty_months", "DELETE FROM book_sums", "DELETE FROM failure_sums", "DELETE FROM card_bills",
		noteBacklog,
	} {
		if err := t.exec("beginning the books anew", sql); err != nil {
			return err
		}
	}
	return nil
}

// noteBacklog notes that all bills are to be posted, as the migration does that
// brings the books.
const noteBacklog = `INSERT INTO meta (key, value) SELECT 'unposted', '1 ' || max(bill_id) FROM bills HAVING count(*) > 0
	ON CONFLICT (key) DO UPDATE SET value = excluded.value`

package syncer

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"billsync/internal/bill"
)

// The chase finds changes of old bills, which no new window shows (API §9.4): a
// proved window is asked how many bills of each status it has. The sets in
// which bills still change, or that tell of a change, are small and are read;
// the others are counted. What the counts then say must be what is stored, else
// the window is read again in full. The chase withdraws nothing and touches no
// checkpoint.

// changing, returned and final are the documented statuses (API §6.1) by how
// the chase asks for them.
var (
	changing = []string{"WAITING_DEDUCT", "WAITING_CLEARANCE", "PARTIAL_CANCEL", "PARTIAL_REFUND"} // read to the end
	returned = []string{"REFUNDED", "CANCELLED"}                                                   // read to the end if their number moved
	final    = []string{"SUCCESS", "FAILED"}                                                       // counted
)

// A question of a chase is about the bills of one status.
type question struct {
	status string // "": all
	size   int    // page size; 1 only counts
	always bool   // read to the end, however large
}

// A chase is the state of chasing one window in a run.
type chase struct {
	bill.Chase
	tail bool // of the tail's older part

	questions []question
	at        int // the question being asked
	page      int // and its page
	listed    int // items listed for it so far
	counts    map[string]int
	read      []string        // statuses whose bills were all listed
	stored    map[string]int  // live bills by status when the chase began
	refused   map[string]bool // statuses that the API does not filter by
	ignored   bool            // the API does not keep to the status filter
	looked    bool            // the orders in doubt were looked up
}

// A chaseJob is a chase that is due.
type chaseJob struct {
	win  *bill.Window // nil: the older part of the tail
	span bill.Span
	row  bill.Chase
}

// openChase begins a chase.
func (e *engine) openChase(tx Tx, a *account, job chaseJob) (*reading, error) {
	now := e.now()
	r := &reading{acct: a, win: job.win, stage: askCounts, chase: &chase{Chase: job.row, tail: job.win == nil, page: 1, counts: map[string]int{}}}
	if job.win == nil {
		r.tail = a.tail
	}
	zone := a.rules.zone.String()
	if job.win != nil {
		zone = job.win.Zone
	}
	var err error
	if r.zone, err = e.zone(zone); err != nil {
		return nil, err
	}
	c := r.chase
	c.Account, c.WindowID = a.Name, r.windowID()
	if c.State == bill.Failed {
		c.Attempts = 0
	}
	// The number of a chase, where one of a pass is wanted, is negative.
	r.pass = bill.Pass{
		ID: -(e.run.ID<<24 | c.WindowID), Account: a.Name, WindowID: c.WindowID, Span: job.span, Zone: zone,
		PageSize: e.cfg.PageSize, BegunAt: now, TouchedAt: now, RunID: e.run.ID, NextPage: 1,
	}
	inner := sure(job.span)
	if c.stored, err = tx.CountByStatus(a.Name, inner.Start, inner.End); err != nil {
		return nil, err
	}
	c.questions = questions(c.stored, e.cfg.PageSize)
	return r, nil
}

// questions are those of a chase, where so many bills of each status are stored.
func questions(stored map[string]int, pageSize int) []question {
	list := []question{{"", 1, false}}
	for _, s := range final {
		list = append(list, question{s, 1, false})
	}
	for _, s := range returned {
		list = append(list, question{s, pageSize, false})
	}
	for _, s := range changing {
		list = append(list, question{s, pageSize, true})
	}
	// Statuses the documents do not know may mean anything, also change.
	for _, s := range slices.Sorted(maps.Keys(stored)) {
		if s != "" && !documented(s) {
			list = append(list, question{s, pageSize, true})
		}
	}
	return list
}

// chaseRequests is how many requests a chase takes if nothing changed.
func chaseRequests(stored map[string]int, pageSize int) int {
	n := 0
	for _, q := range questions(stored, pageSize) {
		n++
		if q.always {
			n += max(1, pagesOf(stored[q.status], pageSize)) - 1
		}
	}
	return n
}

// pagesOf is how many pages list so many bills.
func pagesOf(bills, pageSize int) int { return (bills + pageSize - 1) / pageSize }

func documented(status string) bool {
	return slices.Contains(changing, status) || slices.Contains(returned, status) || slices.Contains(final, status)
}

// nextCount fills in the request for the question at hand.
func (c *chase) nextCount(a *ask) {
	q := c.questions[c.at]
	a.q.Page, a.q.PageSize = c.page, q.size
	if q.status != "" {
		a.q.Statuses = []string{q.status}
	}
}

// takeCount handles the answer to a question.
func (e *engine) takeCount(tx Tx, r *reading, p bill.Page) error {
	c := r.chase
	q := c.questions[c.at]
	if p.Number != 0 && p.Number != c.page {
		return e.readInFull(tx, r, fmt.Sprintf("asked for page %d of the bills %s, the API answered page %d", c.page, q.status, p.Number))
	}
	for i := range p.Items {
		if it := &p.Items[i]; q.status != "" && !it.Rejected && it.Bill.Status != q.status {
			c.ignored = true
		}
	}
	if c.ignored {
		return e.readInFull(tx, r, "the API does not keep to the filter by status")
	}
	if c.page == 1 {
		c.counts[q.status] = p.TotalCount
	}
	c.listed += p.Count
	if q.size > 1 {
		if _, _, err := e.storeItems(tx, r, c.page, p); err != nil {
			return err
		}
		r.acct.stats.Read += p.Count
		if r.overtaken != "" {
			return e.readInFull(tx, r, fmt.Sprintf("order %s is listed in an earlier state than the stored one", r.overtaken))
		}
	}
	more := q.size > 1 && p.Count > 0 && c.listed < p.TotalCount
	if more && (q.always || p.TotalCount != c.stored[q.status]) {
		c.page++
		return nil
	}
	if q.size > 1 && !more {
		c.read = append(c.read, q.status)
	}
	return e.nextQuestion(tx, r)
}

// nextQuestion goes on to the next question, or to the end.
func (e *engine) nextQuestion(tx Tx, r *reading) error {
	c := r.chase
	c.at, c.page, c.listed = c.at+1, 1, 0
	if c.at < len(c.questions) {
		return nil
	}
	return e.chased(tx, r)
}

// statusRefused goes on without a status that the API refuses to filter by:
// what became of its bills shows in the counts of the others.
func (e *engine) statusRefused(tx Tx, r *reading, status string) error {
	if r.chase.refused == nil {
		r.chase.refused = map[string]bool{}
	}
	r.chase.refused[status] = true
	e.log.Warn().Str("account", r.acct.Name).Str("status", status).Msg("the API refuses to list bills by this status")
	return e.nextQuestion(tx, r)
}

// chased settles what is in doubt once all questions are answered, and compares.
func (e *engine) chased(tx Tx, r *reading) error {
	c := r.chase
	inner := sure(r.pass.Span)
	if !c.looked {
		c.looked = true
		// A bill that left a set which was read is something else now.
		left, err := tx.LiveInStatuses(r.acct.Name, inner.Start, inner.End, c.read, r.seen.has)
		if err != nil {
			return err
		}
		var orders []string
		for _, h := range r.held {
			orders = append(orders, h.Item.Bill.OrderNo)
		}
		for _, k := range left {
			orders = append(orders, k.OrderNo)
		}
		slices.Sort(orders)
		orders = slices.Compact(orders)
		if len(orders) > maxLookups+c.counts[""]/e.cfg.PageSize {
			return e.readInFull(tx, r, fmt.Sprintf("%d bills changed their status", len(orders)))
		}
		if len(orders) > 0 {
			r.inquire(orders, r.pass.Span)
			return nil
		}
	}
	for _, order := range slices.Sorted(maps.Keys(r.listed)) {
		if err := e.settleOrder(tx, r, r.listed[order]); err != nil {
			return err
		}
	}
	if r.overtaken != "" {
		return e.readInFull(tx, r, fmt.Sprintf("order %s is listed in an earlier state than the stored one", r.overtaken))
	}
	why, err := e.compare(tx, r)
	if err != nil {
		return err
	}
	if why == "" {
		c.Counts, c.CountedAt = c.counts, time.Time{}
		return e.endChase(tx, r)
	}
	if e.standing(r) {
		return e.endChase(tx, r)
	}
	c.Counts, c.CountedAt = c.counts, e.now()
	return e.readInFull(tx, r, why)
}

// settleOrder stores the bills listed about an order, key by key.
func (e *engine) settleOrder(tx Tx, r *reading, listed []found) error {
	groups := map[groupKey][]found{}
	var keys []groupKey
	for _, f := range listed {
		k := keyOf(&f.item.Bill)
		if groups[k] == nil {
			keys = append(keys, k)
		}
		groups[k] = append(groups[k], f)
	}
	for _, k := range keys {
		if err := e.settleGroup(tx, r, groups[k], func(int64) bool { return false }); err != nil {
			return err
		}
	}
	return nil
}

// compare says where the API's counts and what is stored differ; empty if they
// do not. Bills within a second of the ends may be counted or not (API §9.3).
func (e *engine) compare(tx Tx, r *reading) (string, error) {
	inner, s := sure(r.pass.Span), r.pass.Span
	least, err := tx.CountByStatus(r.acct.Name, inner.Start, inner.End)
	if err != nil {
		return "", err
	}
	most, err := tx.CountByStatus(r.acct.Name, s.Start.Add(-edge), s.End.Add(edge))
	if err != nil {
		return "", err
	}
	unreadable, err := tx.CountUnreadable(r.acct.Name, r.windowID())
	if err != nil {
		return "", err
	}
	for _, q := range r.chase.questions {
		if r.chase.refused[q.status] {
			continue
		}
		if n := r.chase.counts[q.status]; n < least[q.status] || n > most[q.status]+unreadable {
			what := "bills"
			if q.status != "" {
				what = "bills " + q.status
			}
			return fmt.Sprintf("the API counts %d %s, stored are %d", n, what, least[q.status]), nil
		}
	}
	return "", nil
}

// standing reports whether the same counts differed before and reading the
// window in full did not help: then the difference says something about the
// API's filter and not about bills.
func (e *engine) standing(r *reading) bool {
	c := r.chase
	proved := r.tailOrWindow().ProvedAt
	if r.win == nil {
		proved = r.tail.AuditedAt
	}
	return !c.CountedAt.IsZero() && maps.Equal(c.Counts, c.counts) && proved.After(c.CountedAt)
}

// readInFull ends a chase that cannot tell what changed: the window is read again.
func (e *engine) readInFull(tx Tx, r *reading, why string) error {
	a := r.acct
	e.log.Info().Str("account", a.Name).Str("window", r.name()).Str("reason", why).Msg("something changed, reading the window again")
	if r.win != nil {
		again(r.win, e.now())
		if err := tx.SaveWindow(r.win); err != nil {
			return err
		}
		a.enqueue(r.win)
	} else {
		a.tail.RereadAt, a.tailDueAt, a.tailOwed = e.now(), e.now(), true
		a.total++
		if err := tx.SaveTail(a.tail); err != nil {
			return err
		}
	}
	return e.endChase(tx, r)
}

// endChase records that a window was chased.
func (e *engine) endChase(tx Tx, r *reading) error {
	c := r.chase
	c.Progress = bill.Progress{State: bill.Done, NextPage: 1, ProvedAt: e.now()}
	if n, ok := c.Counts[""]; ok {
		c.TotalCount = &n
	}
	if r.tailOrWindow().State == bill.Done {
		if err := tx.ClearEvidence(r.acct.Name, r.windowID()); err != nil {
			return err
		}
	}
	r.acct.stats.Chased++
	r.end()
	return r.save(tx)
}

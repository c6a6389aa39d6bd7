package syncer

import (
	"fmt"
	"time"

	"billsync/internal/bill"
)

const (
	// maxRereads is how often in a row a span is read again because something
	// moved, before its window waits.
	maxRereads = 3
	// maxPause is how long a killed or waiting pass may rest and still go on.
	maxPause = 6 * time.Hour
	// maxTailPause is the same for the tail, whose end should be fresh.
	maxTailPause = time.Hour
	// cappedAt is the count from which a list is suspected to be capped.
	cappedAt = 10_000
)

// A stage says what a reading asks for next.
type stage int

const (
	askFirst  stage = iota // page 1
	askLast                // the last stored page again, to see that nothing moved
	askHalves              // the counts of both halves: is the list capped?
	askPages               // the pages after the checkpoint
	askOrders              // orders, of items that were held back or of bills that are not listed
	askCounts              // how many bills of a status: a chase
	askAlive               // whether any bill is listed elsewhere, before an empty list is believed
)

// A reading is a pass in progress over a window or the tail, or a chase.
type reading struct {
	acct  *account
	win   *bill.Window // nil: the tail
	tail  *bill.Tail
	chase *chase // nil: a pass
	pass  bill.Pass
	zone  *time.Location

	stage   stage
	flight  int               // requests on their way
	ahead   int               // the next page to ask for
	arrived map[int]bill.Page // pages that wait for their turn
	known   map[int]string    // hashes of the pages of the last finished pass that need not be decoded again
	seen    seenSet
	held    []bill.HeldItem

	lastHash string // of the last stored page, while askLast
	floor    int    // the checkpoint when the reading began
	halves   []int  // counts that came back
	halfSent int

	inquiries  []inquiry          // to be made, first one next
	lookPage   int                // its page
	looked     int                // items listed about it so far
	listed     map[string][]found // what was listed about an order
	unfiltered bool               // the answers hold more than was asked for
	unread     map[string]bool    // orders whose answers held what is no bill
	settled    bool               // what was held back has its rows
	twins      bool               // bills that look alike are settled, not for the first time: what is listed holds
	overtaken  string             // an order of which an earlier state was listed than is stored
	saw        map[int64]string   // what rows said when an item like them was held back; nil: not known

	probed        *bill.Known // asked for to learn by what time bills are listed
	elsewhereSpan bill.Span   // where bills must be listed, if any are
	alive         *int        // and how many were; nil: not asked

	gone      []bill.Known // stored bills that were not listed
	elsewhere []inquiry    // where else they were asked for; nil: not yet
	withdrawn int

	flaw  string // what did not add up in a pass that is read to its end all the same
	ended bool
}

// A found item is one to be settled: held back, or listed under its order.
type found struct {
	item bill.Item
	at   time.Time
	page int // of the pass; 0 if an order was looked up

	oneAnswer bool // as in bill.HeldItem
	inquiry   int  // which one listed it, counted down
}

// An inquiry asks for the bills of an order in a span.
type inquiry struct {
	order string
	span  bill.Span
}

// inquire makes a reading look up orders next.
func (r *reading) inquire(orders []string, span bill.Span) {
	if r.listed == nil {
		r.listed = map[string][]found{}
	}
	if r.unread == nil {
		r.unread = map[string]bool{}
	}
	r.inquiries, r.lookPage, r.looked, r.stage = nil, 1, 0, askOrders
	for _, o := range orders {
		r.inquiries = append(r.inquiries, inquiry{o, span})
		r.listed[o] = []found{}
	}
}

// progress returns the durable mark of what is being read.
func (r *reading) progress() *bill.Progress {
	if r.chase != nil {
		return &r.chase.Progress
	}
	return r.tailOrWindow()
}

// tailOrWindow returns that of the window or the tail, also in a chase.
func (r *reading) tailOrWindow() *bill.Progress {
	if r.win != nil {
		return &r.win.Progress
	}
	return &r.tail.Progress
}

// keepsProof reports whether what is being read is a window with a proof, which
// nothing takes away but a finished pass that disagrees.
func (r *reading) keepsProof() bool {
	return r.chase == nil && r.win != nil && r.win.State == bill.Done
}

// isTail reports whether it is a pass over the tail.
func (r *reading) isTail() bool { return r.win == nil && r.chase == nil }

// fresh reports whether nothing of a window was asked for yet, in this pass or
// an earlier one that it could go on with.
func (r *reading) fresh() bool {
	return r.win != nil && (r.chase != nil && r.chase.at == 0 || r.chase == nil && r.stage == askFirst && !begun(r.win))
}

// windowID is 0 for the tail.
func (r *reading) windowID() int64 {
	if r.win != nil {
		return r.win.ID
	}
	return 0
}

// name says for people what is being read.
func (r *reading) name() string {
	s := r.pass.Span
	if r.win != nil {
		s = r.win.Span
	}
	zone := r.zone
	if zone == nil {
		zone = time.UTC
	}
	return s.Start.Add(bill.Lead).In(zone).Format(time.DateOnly) + " … " + s.End.In(zone).Format(time.DateOnly)
}

// save stores the progress of what is being read.
func (r *reading) save(tx Tx) error {
	if r.chase != nil {
		return tx.SaveChase(&r.chase.Chase)
	}
	if r.win != nil {
		return tx.SaveWindow(r.win)
	}
	return tx.SaveTail(r.tail)
}

// An ask is one request that a reading wants to be made.
type ask struct {
	r     *reading
	pass  int64
	stage stage
	page  int
	half  int
	q     bill.Query
	turn  int // set when it is begun: 1 for the first request, 2 for the next
}

// room counts the requests of a reading that could be made now.
func (r *reading) room(window int) int {
	if !r.ready(window) {
		return 0
	}
	if r.stage == askPages {
		return min(r.pass.Pages+1, r.pass.NextPage+window) - r.ahead
	}
	return 1
}

// ready reports whether there is a request of a reading to be made now.
func (r *reading) ready(window int) bool {
	if r.ended {
		return false
	}
	switch r.stage {
	case askPages:
		return r.ahead <= r.pass.Pages && r.ahead < r.pass.NextPage+window
	case askHalves:
		return r.halfSent < 2
	case askOrders:
		return r.flight == 0 && len(r.inquiries) > 0
	}
	return r.flight == 0
}

// next returns the next request of a reading, if there is one to be made now.
func (r *reading) next(window int) (ask, bool) {
	if !r.ready(window) {
		return ask{}, false
	}
	a := ask{r: r, pass: r.pass.ID, stage: r.stage, q: bill.Query{
		Start: r.pass.Start, End: r.pass.End, Zone: r.zone, Page: 1, PageSize: r.pass.PageSize,
	}}
	switch r.stage {
	case askFirst, askLast:
		a.q.KnownHash = r.known[1]
		if r.stage == askLast {
			a.q.Page, a.q.KnownHash = r.pass.NextPage-1, r.lastHash
		}
	case askPages:
		a.q.Page, a.q.KnownHash = r.ahead, r.known[r.ahead]
		r.ahead++
	case askHalves:
		older, newer := r.pass.Split()
		a.half, a.q.PageSize = r.halfSent, 1
		a.q.Start, a.q.End = older.Start, older.End
		if r.halfSent == 1 {
			a.q.Start, a.q.End = newer.Start, newer.End
		}
		r.halfSent++
	case askOrders:
		q := r.inquiries[0]
		a.q.Start, a.q.End, a.q.OrderNo, a.q.Page = q.span.Start, q.span.End, q.order, r.lookPage
	case askAlive:
		a.q.Start, a.q.End, a.q.PageSize = r.elsewhereSpan.Start, r.elsewhereSpan.End, 1
	case askCounts:
		r.chase.nextCount(&a)
	}
	a.page = a.q.Page
	return a, true
}

// open loads the pass of a window or the tail that was begun before, or begins
// a new one.
func (e *engine) open(tx Tx, r *reading) error {
	now := e.now()
	if r.win != nil && r.win.OpenEnd {
		if err := e.freeze(tx, r, now); err != nil {
			return err
		}
	}
	g := r.progress()
	r.floor = g.NextPage
	if g.State == bill.Failed {
		g.Attempts = 0 // asked by a person or a refresh: the schedule begins anew
	}
	old, err := tx.ReadingPass(r.acct.Name, r.windowID())
	if err != nil {
		return err
	}
	if old != nil && resumable(old, r, now) {
		return e.resume(tx, r, old)
	}
	rereads := 0
	if old != nil && (old.NextPage == 1 || old.Rereads >= maxRereads) && now.Sub(old.BegunAt) < maxPause {
		rereads = old.Rereads // killed between dropping a pass and its next page
	}
	return e.begin(tx, r, rereads)
}

// resumable reports whether a pass that was begun before may go on.
func resumable(p *bill.Pass, r *reading, now time.Time) bool {
	rest := now.Sub(p.TouchedAt)
	if rest < 0 || p.NextPage == 1 {
		return false // the clock was set back, or nothing is stored yet
	}
	if p.Rereads >= maxRereads {
		return false // what did not add up in a last pass is not kept
	}
	if r.win == nil {
		return rest < maxTailPause && !p.Start.After(r.pass.Start)
	}
	return rest < maxPause && p.Start.Equal(r.win.Start) && p.End.Equal(r.win.End)
}

// freeze gives the newest window its end, as its first pass begins, and lets
// the tail carry on from there.
func (e *engine) freeze(tx Tx, r *reading, now time.Time) error {
	w := r.win
	end := now.Add(-settle).Truncate(time.Second)
	if !end.After(w.Start) {
		end = w.Start.Add(time.Second)
	}
	if end.Before(w.End) {
		w.End = end
	}
	w.OpenEnd = false
	if err := tx.SaveWindow(w); err != nil {
		return err
	}
	t := &bill.Tail{Account: w.Account, CoveredFrom: w.End, Progress: bill.Progress{State: bill.Pending, NextPage: 1}}
	r.acct.tail = t
	return tx.SaveTail(t)
}

// begin starts a new pass.
func (e *engine) begin(tx Tx, r *reading, rereads int) error {
	now := e.now()
	p := bill.Pass{
		Account: r.acct.Name, WindowID: r.windowID(), PageSize: e.cfg.PageSize, BegunAt: now, TouchedAt: now,
		RunID: e.run.ID, NextPage: 1, Rereads: rereads,
	}
	if r.win != nil {
		p.Span, p.Zone = r.win.Span, r.win.Zone
	} else {
		p.Span, p.Zone = r.pass.Span, r.acct.rules.zone.String()
	}
	zone, err := e.zone(p.Zone)
	if err != nil {
		return err
	}
	if err := tx.BeginPass(&p); err != nil {
		return err
	}
	if r.known, err = tx.KnownPages(r.acct.Name, r.windowID()); err != nil {
		return err
	}
	r.pass, r.zone, r.stage, r.ahead = p, zone, askFirst, 1
	r.seen, r.held, r.arrived, r.flaw = seenSet{}, nil, map[int]bill.Page{}, ""
	r.halves, r.halfSent = nil, 0
	r.inquiries, r.listed, r.unread, r.settled = nil, nil, map[string]bool{}, false
	r.overtaken, r.saw = "", map[int64]string{}
	r.elsewhereSpan, r.alive = bill.Span{}, nil
	r.probed, r.gone, r.elsewhere, r.withdrawn = nil, nil, nil, 0
	return r.mark(tx)
}

// mark shows in the progress how far a pass under way has come. The state does
// not change before a page is stored: a window that waits or failed stays so
// through an outage.
func (r *reading) mark(tx Tx) error {
	if p := r.progress(); p.State == bill.Reading {
		p.NextPage = r.pass.NextPage
	}
	return r.save(tx)
}

// resume goes on with a pass that was begun before.
func (e *engine) resume(tx Tx, r *reading, old *bill.Pass) error {
	zone, err := e.zone(old.Zone)
	if err != nil {
		return err
	}
	r.pass, r.zone, r.arrived, r.stage = *old, zone, map[int]bill.Page{}, askLast
	r.unread = map[string]bool{}
	if r.known, err = tx.KnownPages(r.acct.Name, r.windowID()); err != nil {
		return err
	}
	err = tx.Pages(old.ID, func(p bill.PageRecord) error {
		for _, id := range p.BillIDs {
			r.seen.add(id)
		}
		r.lastHash = p.Hash
		return nil
	})
	if err != nil {
		return err
	}
	if r.held, err = tx.Held(old.ID, e.cfg.Decode); err != nil {
		return err
	}
	e.log.Info().Str("account", r.acct.Name).Str("window", r.name()).Int("page", old.NextPage).Msg("going on from the checkpoint")
	return r.mark(tx)
}

// take handles a page that arrived for a reading.
func (e *engine) take(tx Tx, a ask, p bill.Page) error {
	r := a.r
	switch a.stage {
	case askFirst:
		return e.takeFirst(tx, r, p)
	case askLast:
		if p.Hash != r.lastHash || p.TotalCount != r.pass.Total || (p.Number != 0 && p.Number != a.page) {
			e.log.Info().Str("account", r.acct.Name).Str("window", r.name()).Msg("pages moved since the checkpoint, starting over")
			return e.begin(tx, r, r.pass.Rereads)
		}
		r.stage, r.ahead = askPages, r.pass.NextPage
		if r.pass.NextPage > r.pass.Pages {
			return e.finish(tx, r)
		}
		return nil
	case askHalves:
		return e.takeHalf(tx, r, p)
	case askOrders:
		return e.takeOrder(tx, r, p)
	case askCounts:
		return e.takeCount(tx, r, p)
	case askAlive:
		r.stage, r.alive = askPages, &p.TotalCount
		return e.finish(tx, r)
	}
	if p.Number != 0 && p.Number != a.page && !r.bear(fmt.Sprintf("asked for page %d, the API answered page %d", a.page, p.Number)) {
		return e.moved(tx, r, r.flaw)
	}
	r.arrived[a.page] = p
	for !r.ended && r.stage == askPages {
		p, ok := r.arrived[r.pass.NextPage]
		if !ok {
			return nil
		}
		delete(r.arrived, r.pass.NextPage)
		if err := e.storeNext(tx, r, p); err != nil {
			return err
		}
	}
	return nil
}

// takeFirst learns from page 1 how much there is, and stores it.
func (e *engine) takeFirst(tx Tx, r *reading, p bill.Page) error {
	if p.Number > 1 && !r.bear(fmt.Sprintf("asked for page 1, the API answered page %d", p.Number)) {
		return e.moved(tx, r, r.flaw)
	}
	n, total := p.Count, p.TotalCount
	r.pass.Total = total
	if total >= cappedAt && r.halves == nil {
		if _, _, ok := r.pass.Halve(); ok {
			r.arrived[1] = p
			r.stage, r.halves, r.halfSent = askHalves, []int{}, 0
			return nil
		}
	}
	// A page may hold fewer items than asked for; then the number of pages must
	// fit the smaller size.
	r.pass.PageItems, r.pass.Pages = n, 1
	if n > 0 {
		r.pass.Pages = max(1, (total+n-1)/n)
	}
	why := ""
	switch {
	case n > total, n == 0 && total > 0:
		why = fmt.Sprintf("the API counts %d, but page 1 lists %d", total, n)
	case n < r.pass.PageSize && n < total && p.TotalPages != 0 && p.TotalPages != r.pass.Pages:
		why = fmt.Sprintf("page 1 lists %d of %d bills, which does not make %d pages", n, total, p.TotalPages)
	}
	if why != "" {
		if !r.bear(why) {
			return e.moved(tx, r, why)
		}
		r.pass.PageItems = r.pass.PageSize
		r.pass.Pages = max(1, (total+r.pass.PageSize-1)/r.pass.PageSize)
	}
	r.stage, r.ahead = askPages, 2
	return e.storeNext(tx, r, p)
}

// storeNext stores the page at the checkpoint and moves the checkpoint on.
func (e *engine) storeNext(tx Tx, r *reading, p bill.Page) error {
	number, n := r.pass.NextPage, p.Count
	why := ""
	switch {
	case p.TotalCount != r.pass.Total:
		why = fmt.Sprintf("the API counted %d, on page %d it counts %d", r.pass.Total, number, p.TotalCount)
	case number < r.pass.Pages && n != r.pass.PageItems:
		why = fmt.Sprintf("page %d lists %d bills instead of %d", number, n, r.pass.PageItems)
	}
	if why != "" && !r.bear(why) {
		return e.moved(tx, r, why)
	}
	ids, billsHash, err := e.storePage(tx, r, number, p)
	if err != nil {
		return err
	}
	if r.overtaken != "" {
		return e.moved(tx, r, fmt.Sprintf("order %s is listed in an earlier state than the stored one", r.overtaken))
	}
	now := e.now()
	rec := bill.PageRecord{PassID: r.pass.ID, Number: number, Hash: p.Hash, Items: n, BillIDs: ids, ReadAt: p.AskedAt, BillsHash: billsHash}
	if err := tx.SavePage(&rec); err != nil {
		return err
	}
	r.pass.NextPage++
	r.pass.Items += n
	r.pass.TouchedAt = now
	if err := tx.SavePass(&r.pass); err != nil {
		return err
	}
	e.pageStored(r, n)
	g := r.progress()
	if r.pass.NextPage > r.floor { // past the page that was unknown: its schedule is over
		g.Attempts = 0
	}
	if g.State != bill.Done {
		total := r.pass.Total
		g.State, g.NextPage, g.TotalCount, g.NextAttemptAt = bill.Reading, r.pass.NextPage, &total, time.Time{}
		if g.Missing <= g.MissingAccepted { // else it says what a person is to do
			g.LastError = ""
		}
	}
	if r.pass.NextPage > r.pass.Pages {
		return e.finish(tx, r)
	}
	return r.save(tx)
}

// takeHalf collects the counts of the halves. If they add up to more than the
// whole, the list is capped and the window is halved.
func (e *engine) takeHalf(tx Tx, r *reading, p bill.Page) error {
	r.halves = append(r.halves, p.TotalCount)
	if len(r.halves) < 2 {
		return nil
	}
	// A half that counts as much as the whole may be capped as well.
	if r.halves[0]+r.halves[1] > r.pass.Total || max(r.halves[0], r.halves[1]) == r.pass.Total {
		return e.halve(tx, r, fmt.Sprintf("the API counts %d, but %d and %d in its halves", r.pass.Total, r.halves[0], r.halves[1]))
	}
	first := r.arrived[1]
	delete(r.arrived, 1)
	return e.takeFirst(tx, r, first)
}

// halve cuts what is being read into two windows, which are queued instead.
func (e *engine) halve(tx Tx, r *reading, why string) error {
	older, newer, ok := r.pass.Halve()
	if !ok {
		return e.giveUp(tx, r, why+"; it cannot be halved further")
	}
	e.log.Warn().Str("account", r.acct.Name).Str("window", r.name()).Str("reason", why).Msg("halving the window")
	r.end()
	r.acct.total-- // its halves take its place
	proved := bill.Progress{State: bill.Pending, NextPage: 1}
	if r.win != nil && r.win.State == bill.Done {
		// The proof of the whole holds for its halves until they are read.
		proved.State, proved.ProvedAt = bill.Done, r.win.ProvedAt
	}
	if r.win != nil {
		if err := tx.DeleteWindow(r.win); err != nil {
			return err
		}
	} else if err := tx.DropPass(r.acct.Name, 0); err != nil {
		return err
	}
	for _, span := range []bill.Span{older, newer} {
		w := &bill.Window{Account: r.acct.Name, Span: span, Zone: r.pass.Zone, Progress: proved}
		if proved.State == bill.Done {
			w.RereadAt = e.now()
		}
		if err := tx.InsertWindow(w); err != nil {
			return err
		}
		if w.ID != 0 {
			r.acct.enqueue(w)
		}
	}
	if r.win == nil {
		// The windows take the tail's place up to its end; what it has proved
		// before becomes a window as well.
		if t := r.tail; t.ProvedUntil.After(t.CoveredFrom) {
			w := &bill.Window{Account: t.Account, Span: bill.Span{Start: t.CoveredFrom, End: t.ProvedUntil}, Zone: r.pass.Zone,
				Progress: bill.Progress{State: bill.Done, NextPage: 1, ProvedAt: t.ProvedAt}}
			if err := tx.InsertWindow(w); err != nil {
				return err
			}
		}
		r.acct.tailOwed = false
		if err := tx.SettleChase(r.acct.Name, 0); err != nil {
			return err
		}
		r.tail.RereadAt = time.Time{}
		r.tail.CoveredFrom, r.tail.ProvedUntil = newer.End, time.Time{}
		r.tail.Progress = bill.Progress{State: bill.Pending, NextPage: 1}
		return tx.SaveTail(r.tail)
	}
	return nil
}

// bear reports whether a pass goes on although something does not add up: the
// last one is read to its end, so that every bill that is listed at all is
// stored, even if nothing can be proved.
func (r *reading) bear(why string) bool {
	if r.flaw == "" {
		r.flaw = why
	}
	return r.pass.Rereads >= maxRereads
}

// moved starts a pass over after something did not add up; after some times
// the window waits.
func (e *engine) moved(tx Tx, r *reading, why string) error {
	e.log.Warn().Str("account", r.acct.Name).Str("window", r.name()).Int("reread", r.pass.Rereads+1).Str("reason", why).
		Msg("the pages do not add up, reading again")
	if r.pass.Rereads < maxRereads {
		return e.begin(tx, r, r.pass.Rereads+1)
	}
	return e.unsettled(tx, r, why)
}

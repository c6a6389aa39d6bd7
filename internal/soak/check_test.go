package soak

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"billsync/internal/simulator"
)

const (
	// settleTime is how far behind now the program ends its reading.
	settleTime = 2 * time.Minute
	// lag is how old a proof may be that is still called complete: a tail that was
	// interrupted is read on for an hour, and the schedule's next sync need not be
	// due yet.
	lag = 15 * time.Minute
	// edge is how near to the end of a span nothing is judged: whether the API
	// includes a bill there is not known.
	edge = time.Second
	// aDay is how long a bill that only a notification told of is left alone.
	aDay = 24 * time.Hour
)

// A memory is what was seen of the database so far.
type memory struct {
	bills  map[int64]row
	passes map[int64]bool
	trials map[int64]*trial // by run
	last   *look
	books  []snapshot
}

// A snapshot is what every row said at a time.
type snapshot struct {
	at   string
	said map[int64]string
}

// check holds the database against the source after a run.
func (w *world) check(t *trial) {
	l := w.look()
	m := &w.seen
	if m.bills == nil {
		m.bills, m.passes, m.trials, m.last = map[int64]row{}, map[int64]bool{}, map[int64]*trial{}, &look{}
	}
	switch {
	case l.runs > m.last.runs+1:
		w.fail("one run left %d rows in runs", l.runs-m.last.runs)
	case l.runs == m.last.runs+1:
		t.runID = l.lastRun
		m.trials[t.runID] = t
	}
	w.source.mu.Lock()
	defer w.source.mu.Unlock()
	w.checkRows(l)
	for _, p := range l.passes {
		if !m.passes[p.ID] {
			m.passes[p.ID] = true
			w.checkPass(l, p)
		}
	}
	w.checkCode(l, t)
	books := snapshot{at: stampOf(w.clock.now()), said: map[int64]string{}}
	clear(m.bills)
	for _, r := range l.bills {
		m.bills[r.ID] = r
		books.said[r.ID] = r.life()
	}
	m.books = append(m.books, books)
	m.last, w.known = l, l.accounts
}

// life is what a row says, and whether it is withdrawn.
func (r *row) life() string {
	if r.Withdrawn {
		return "withdrawn|" + r.Said
	}
	return r.Said
}

func (w *world) customer(account string) string {
	for _, a := range w.everyone {
		if a.name == account {
			return a.customer
		}
	}
	w.fail("a bill or pass of account %q, which there never was", account)
	return ""
}

// checkRows checks what holds of all rows, always.
func (w *world) checkRows(l *look) {
	count := map[string]int{}
	there := map[int64]bool{}
	for _, r := range l.bills {
		there[r.ID] = true
		if old, ok := w.seen.bills[r.ID]; ok && (old.Account != r.Account || old.Order != r.Order) {
			w.fail("bill %d was of %s, order %s; now it is of %s, order %s", r.ID, old.Account, old.Order, r.Account, r.Order)
		}
		if old := w.seen.bills[r.ID]; old.Budget != "" && old.Budget != r.Budget {
			w.fail("bill %d of %s, order %s: its budget was %s and is %q", r.ID, r.Account, r.Order, old.Budget, r.Budget)
		}
		if r.Withdrawn && !withdraws {
			w.fail("bill %d is withdrawn", r.ID)
		}
		o := w.source.book(w.customer(r.Account)).orders[r.Order]
		if o == nil {
			w.fail("bill %d of %s: there never was an order %s", r.ID, r.Account, r.Order)
		}
		if !o.said[r.Said] {
			w.fail("bill %d of %s, order %s says %s; its order never said so, but:\n  %s",
				r.ID, r.Account, r.Order, r.Said, strings.Join(slices.Sorted(maps.Keys(o.said)), "\n  "))
		}
		key := r.Account + " " + r.Order
		if count[key]++; count[key] > o.records {
			w.fail("%d rows for order %s of %s, which never had more than %d bills:\n%s", count[key], r.Order, r.Account, o.records, w.rowsOf(l, r.Account, r.Order))
		}
	}
	for id, r := range w.seen.bills {
		if !there[id] {
			w.fail("bill %d of %s, order %s is no longer stored", id, r.Account, r.Order)
		}
	}
}

func (w *world) rowsOf(l *look, account, order string) string {
	var b strings.Builder
	for _, r := range l.bills {
		if r.Account == account && r.Order == order {
			fmt.Fprintf(&b, "  row %d: %s\n", r.ID, r.life())
		}
	}
	for _, r := range w.source.book(w.customer(account)).records {
		if r.order == order {
			fmt.Fprintf(&b, "  source #%d: %s listed %t, garbage %s, news %05b\n", r.serial, &r.state, r.listed, r.garbage, r.news)
		}
	}
	return b.String()
}

// checkPass checks what a finished pass claims: what the API lists in its span
// is stored, and nothing else is.
func (w *world) checkPass(l *look, p pass) {
	t := w.seen.trials[p.RunID]
	if t == nil {
		w.fail("pass %d belongs to run %d, which there never was", p.ID, p.RunID)
	}
	b := w.source.book(w.customer(p.Account))
	if b.changed > t.since {
		return // the source moved under it: then a proof can be wrong, for a while
	}
	start, end := parse(p.Start), parse(p.End)
	f := simulator.Filter{From: start, To: end, IncludeFrom: !w.api.ExcludeStart, IncludeTo: !w.api.ExcludeEnd}
	counted := 0
	for _, r := range b.records {
		if r.listed && within(&f, r.at) {
			counted++
		}
	}
	if counted != p.Total {
		w.fail("pass %d of %s from %s to %s counts %d bills, the source lists %d", p.ID, p.Account, p.Start, p.End, p.Total, counted)
	}
	w.compare(l, p.Account, start.Add(edge), end.Add(-edge), parse(p.Begun), fmt.Sprintf("pass %d of %s from %s to %s", p.ID, p.Account, p.Start, p.End))
}

// compare holds the rows of an account in a span, without its ends, against the
// source, which did not change since they were read, from begun on.
func (w *world) compare(l *look, account string, start, end, begun time.Time, what string) {
	b := w.source.book(w.customer(account))
	from, to := stampOf(start), stampOf(end)
	inside := func(at string) bool { return from < at && at < to }
	type line struct{ order, said string }
	balance := map[line]int{}
	for _, r := range l.bills {
		if r.Notified != "" && begun.Sub(parse(r.Notified)) < aDay {
			continue // the list may lag behind; where it does not, the bill is missed below
		}
		if r.Account == account && !r.Withdrawn && inside(r.Time) {
			balance[line{r.Order, r.Said}]++
		}
	}
	excused := map[string]bool{}  // orders of which a row may be left over
	doubtful := map[string]bool{} // orders of which one may be missing
	for _, r := range b.records {
		if !tellsApart && r.billNo == "" && (w.source.updates == growingUpdates || !w.ending) &&
			slices.ContainsFunc(w.source.alike(r), func(o *record) bool { return o.billNo == "" }) {
			excused[r.order], doubtful[r.order] = true, true
		}
		if r.news&(garbled|redated) != 0 || !withdraws && !r.readable() {
			excused[r.order] = true
		}
		if r.readable() && inside(stampOf(r.at)) {
			balance[line{r.order, r.state.String()}]--
		}
	}
	for k, n := range balance {
		switch {
		case n < 0 && !doubtful[k.order]:
			w.fail("%s: the source lists %d more of order %s than are stored: %s\n%s", what, -n, k.order, k.said, w.rowsOf(l, account, k.order))
		case n > 0 && !excused[k.order]:
			w.fail("%s: %d more of order %s are stored than the source lists: %s\n%s", what, n, k.order, k.said, w.rowsOf(l, account, k.order))
		}
	}
	for _, r := range b.records {
		if inside(stampOf(r.at)) && (r.readable() || r.garbage == nil && withdraws) {
			r.news = 0
		}
	}
}

// checkCode checks what the exit code claims.
func (w *world) checkCode(l *look, t *trial) {
	if t.RetryNow && t.plan == nil && t.quiet() && !t.canceled && !t.killed {
		for _, s := range l.spans {
			if s.State == "waiting" || s.State == "failed" {
				w.fail("%v in peace left %v", &t.job, s)
			}
		}
	}
	switch {
	case t.killed:
		return
	case t.canceled && t.code == exitInterrupted:
		return
	case t.code == exitDone:
		w.checkDone(l, t)
	case t.code == exitIncomplete:
		if t.peaceful && t.quiet() && t.whole() && !t.canceled {
			w.fail("%v in peace, with nothing waiting, ended with exit code 3: %s\n%s", &t.job, t.said, l.troubles())
		}
	case t.code == exitRefused && t.plan != nil:
	case t.code == exitUsage && t.Retry && strings.Contains(t.said, "there is no database yet"):
	default:
		w.fail("%v ended with exit code %d: %s", &t.job, t.code, t.said)
	}
}

// troubles lists the spans that are not proved.
func (l *look) troubles() string {
	var b strings.Builder
	for _, s := range l.spans {
		if s.State != "done" || s.Reread {
			fmt.Fprintf(&b, "  %v\n", s)
		}
	}
	return b.String()
}

// checkDone checks what exit code 0 claims.
func (w *world) checkDone(l *look, t *trial) {
	if t.From != "" {
		w.checkDoneSpan(l, t)
	}
	if !t.whole() {
		return
	}
	if l.rejected > 0 {
		w.fail("exit code 0, but %d items are not understood", l.rejected)
	}
	for _, a := range w.accounts {
		for _, s := range l.spans {
			if s.Account == a.name && (!s.Tail && s.State != "done" || s.Reread || s.Tail && s.State != "done" && s.State != "pending") {
				w.fail("exit code 0, but %v", s)
			}
		}
		begin, end := w.settings.begin(), t.began.Add(-settleTime-lag)
		if gap := l.gap(a.name, begin, end, ""); gap != "" {
			w.fail("exit code 0 at %s, but nothing is proved of %s from %s", stampOf(t.began), a.name, gap)
		}
		switch {
		case t.Full:
			begin = oldest(l, a.name)
		case t.Refresh:
			begin = later(begin, t.began.AddDate(0, 0, -w.refreshDays))
		default:
			continue
		}
		if gap := l.gap(a.name, begin, end, stampOf(t.began)); gap != "" {
			w.fail("exit code 0 at %s, but %v did not read again of %s from %s", stampOf(t.began), &t.job, a.name, gap)
		}
		if t.Full && w.seen.last.reading == 0 && w.source.book(a.customer).changed <= t.since {
			w.compare(l, a.name, begin.Add(edge), end, t.began, fmt.Sprintf("after %v of %s", &t.job, a.name))
		}
	}
}

// checkDoneSpan checks what exit code 0 claims of the days that were asked for.
func (w *world) checkDoneSpan(l *look, t *trial) {
	zone := location(w.zone)
	from, end := midnight(t.From, zone), t.began.Add(-settleTime-lag)
	if t.To != "" {
		if to := midnight(t.To, zone).AddDate(0, 0, 1).Add(-time.Second); to.Before(end) {
			end = to
		}
	}
	for _, a := range w.accounts {
		end := end
		if t := l.tail(a.name); !daysReachTail && t != nil && t.Proved == "" && parse(t.Start).Before(end) {
			end = parse(t.Start)
		}
		if gap := l.gap(a.name, later(from, w.settings.begin()), end, stampOf(t.began)); gap != "" {
			w.fail("exit code 0 at %s, but %v did not read again of %s from %s", stampOf(t.began), &t.job, a.name, gap)
		}
	}
}

// tail returns an account's tail; nil if there is none.
func (l *look) tail(account string) *span {
	for i := range l.spans {
		if l.spans[i].Tail && l.spans[i].Account == account {
			return &l.spans[i]
		}
	}
	return nil
}

func midnight(date string, zone *time.Location) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, date, zone)
	if err != nil {
		panic(err)
	}
	return t
}

// gap returns what of a span is not proved since a time, for people; nothing if
// all is.
func (l *look) gap(account string, from, to time.Time, since string) string {
	reach := from
	for _, s := range l.spans {
		if s.Account != account || s.Proved < since || s.State != "done" && !s.Tail {
			continue
		}
		if parse(s.Start).After(reach) {
			break
		}
		reach = later(reach, parse(s.End))
	}
	if reach.Before(to) {
		return stampOf(reach) + " to " + stampOf(to)
	}
	return ""
}

// oldest is where an account's windows begin.
func oldest(l *look, account string) time.Time {
	for _, s := range l.spans {
		if s.Account == account {
			return parse(s.Start)
		}
	}
	return time.Time{}
}

// calm reports whether nothing of the past keeps the next run from being
// complete.
func (w *world) calm() bool {
	l := w.seen.last
	if l == nil {
		l = &look{}
	}
	if l.rejected > 0 || l.refused > 0 || l.owed > 0 || w.clock.off != 0 {
		return false
	}
	now := stampOf(w.clock.now())
	for _, s := range l.spans {
		if l.tail(s.Account) == nil {
			return false // the newest window is old and was never read: what came since takes another run
		}
		if s.State == "waiting" || s.State == "failed" || s.Next != "" || s.End > now {
			return false
		}
	}
	w.source.mu.Lock()
	defer w.source.mu.Unlock()
	for _, b := range w.source.books {
		for _, r := range b.records {
			if r.listed && (r.garbage != nil || r.badTrade) {
				return false
			}
		}
	}
	return true
}

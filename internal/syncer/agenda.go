package syncer

import (
	"slices"
	"time"

	"billsync/internal/bill"
)

const (
	// settle is how far behind now everything ends: bills need a moment to
	// appear in the list.
	settle = 2 * time.Minute
	// backtrack is how far before its last proof the tail begins at least.
	backtrack = 24 * time.Hour
	// overlap is how far windows added in front reach into the first one.
	overlap = 24 * time.Hour
)

// A books is what the database knows of an account when a run begins.
type books struct {
	windows []bill.Window // newest first
	tail    *bill.Tail
	chases  map[int64]bill.Chase // by window; 0: the older part of the tail
	// unreadTail says that an item of the tail could not be understood: nobody
	// can tell where in it.
	unreadTail bool
	bill.AccountState
}

// A Scope says what of an account's history a run is about.
type Scope struct {
	// Span limits it to windows that overlap a span, which are then read again
	// even if proved. The zero Span is everything that is due.
	Span bill.Span
	// Refresh reads the past again in which bills still change.
	Refresh bool
	// Scheduled says that the schedule asks for the refresh, not a person.
	Scheduled bool
	// Full reads all history again.
	Full bool
	// Retry asks only for windows that wait or failed.
	Retry bool
	// RetryNow asks for them even before their time.
	RetryNow bool
	// DueOnly leaves out of a retry what failed: only a person asks for that.
	DueOnly bool
	// Windows limits it to these windows, which are read again even if proved.
	// 0 stands for the tail, which is then read from its beginning.
	Windows []int64
}

// covers reports whether a window is among what the scope is about.
func (s Scope) covers(w *bill.Window) bool {
	if s.Windows != nil {
		return slices.Contains(s.Windows, w.ID)
	}
	return s.Span.Start.IsZero() || w.Overlaps(s.Span)
}

// beyond reports whether the scope is about what comes after a time.
func (s Scope) beyond(t time.Time) bool {
	return !s.limited() || (!s.Span.Start.IsZero() && !s.Retry && s.Span.End.After(t))
}

// limited reports whether the scope leaves a part of the history out.
func (s Scope) limited() bool { return !s.Span.Start.IsZero() || s.Retry || s.Windows != nil }

// An agenda is what is due for one account: pure thought, nothing stored yet.
type agenda struct {
	add     []*bill.Window // windows to be added, newest first
	save    []*bill.Window // windows whose marks changed
	queue   []*bill.Window // to be read, newest first; added ones among them
	tail    *bill.Tail     // nil: there is none yet
	tailNew bool           // the tail's own row changed
	tailCut bool           // a part of it became a window
	tailDue bool
	tailSpan
	chases     []chaseJob    // to be done, newest first
	saveChases []*bill.Chase // whose marks changed

	// refreshSince is when the refresh began that this run begins or goes on
	// with; what was proved later need not be read again. Zero: no refresh.
	refreshSince  time.Time
	refreshBegins bool
}

type tailSpan struct{ span bill.Span }

// rules are the settings that the layout of work depends on.
type rules struct {
	historyStart time.Time // midnight in zone
	zone         *time.Location
	windowDays   int
	tail         time.Duration // every run reads at least this much
	refresh      time.Duration
	audit        time.Duration // everything is read again within this time; 0: not by itself
	refreshEvery time.Duration // how long it is from one refresh to the next
}

// plan says what is due for an account. refreshDue tells whether the refresh
// schedule asks for one.
func plan(b books, r rules, s Scope, refreshDue bool, now time.Time) agenda {
	var a agenda
	// One that is under way is not begun anew by the schedule, or the oldest
	// windows would never have their turn.
	under := !b.RefreshWantedAt.IsZero()
	a.refreshBegins = s.Full || (s.Refresh && !(s.Scheduled && under)) || (refreshDue && !under && !s.limited())
	a.refreshSince = b.RefreshWantedAt
	if a.refreshSince.After(now) { // the clock has been set back
		a.refreshBegins = true
	}
	if a.refreshBegins {
		a.refreshSince = now
	}
	windows := make([]*bill.Window, len(b.windows))
	for i := range b.windows {
		windows[i] = &b.windows[i]
	}
	a.add = append(a.prolong(windows, b.tail, r, now), missing(windows, b.tail, r, now)...)
	if b.tail != nil {
		t := *b.tail
		a.tail = &t
		a.cutTail(r, now)
		a.spanTail(windows, b.unreadTail, r, s, now)
	}
	windows = append(windows, a.add...)
	slices.SortStableFunc(windows, func(x, y *bill.Window) int { return y.Start.Compare(x.Start) })
	if a.refreshBegins && !s.limited() && r.audit > 0 {
		a.audit(windows, r, now)
	}
	for _, w := range windows {
		a.consider(w, r, s, now)
	}
	a.chase(b, windows, r, s, now)
	if s.limited() {
		a.tailDue = a.tailDue && a.tailInScope(s)
	}
	return a
}

// backfilled reports whether every window was proved, or has failed or waits
// for a person: no refresh is due before.
func backfilled(b books) bool {
	for i := range b.windows {
		w := &b.windows[i]
		if w.State != bill.Done && w.State != bill.Failed && w.AcceptedAt.IsZero() && !w.NeedsPerson() {
			return false
		}
	}
	return len(b.windows) > 0
}

// missing lays out the windows that are not there yet: the whole history at
// first, later those before a history_start that was moved back.
func missing(windows []*bill.Window, tail *bill.Tail, r rules, now time.Time) []*bill.Window {
	start := r.historyStart.In(r.zone).Add(-bill.Lead)
	end := now.Add(-settle)
	var oldest *bill.Window
	for _, w := range windows {
		if oldest == nil || w.Start.Before(oldest.Start) {
			oldest = w
		}
	}
	add := gaps(windows, tail, r)
	if oldest != nil {
		if !start.Before(oldest.Start) {
			return add
		}
		end = oldest.Start.Add(overlap)
	}
	slices.Reverse(add) // oldest first for now, and what follows is older still
	filled := add
	add = nil
	for _, span := range bill.Layout(start, end, r.windowDays) {
		add = append(add, newWindow(span, r))
	}
	last := add[len(add)-1]
	if oldest == nil {
		last.OpenEnd = tail == nil
	} else if last.End.After(end) {
		last.End = end.Truncate(time.Second)
	}
	add = append(add, filled...)
	slices.Reverse(add)
	return add
}

// prolong lays out windows after the newest one if that was laid out so long
// ago, and never begun, that its own end has come.
func (a *agenda) prolong(windows []*bill.Window, tail *bill.Tail, r rules, now time.Time) []*bill.Window {
	end := now.Add(-settle)
	if tail != nil || len(windows) == 0 || !windows[0].OpenEnd || !windows[0].End.Before(end) {
		return nil
	}
	newest := windows[0]
	newest.OpenEnd = false
	a.save = append(a.save, newest)
	y, m, d := newest.End.In(r.zone).Date()
	var add []*bill.Window
	for _, span := range bill.Layout(time.Date(y, m, d, 0, 0, 0, 0, r.zone), end, r.windowDays) {
		add = append([]*bill.Window{newWindow(span, r)}, add...)
	}
	add[0].OpenEnd = true
	return add
}

// gaps lays out windows for what lies between the others, or between them and
// the tail, should a change of settings ever have left something there. The
// newest comes first.
func gaps(windows []*bill.Window, tail *bill.Tail, r rules) []*bill.Window {
	if len(windows) == 0 {
		return nil
	}
	sorted := slices.Clone(windows)
	slices.SortFunc(sorted, func(x, y *bill.Window) int { return x.Start.Compare(y.Start) })
	var add []*bill.Window
	fill := func(from, to time.Time) {
		for _, span := range bill.Layout(from.Add(-bill.Lead).In(r.zone), to.Add(bill.Lead), r.windowDays) {
			if span.End.After(to.Add(bill.Lead)) {
				span.End = to.Add(bill.Lead)
			}
			add = append(add, newWindow(span, r))
		}
	}
	reach := sorted[0].End
	for _, w := range sorted[1:] {
		if w.Start.After(reach) {
			fill(reach, w.Start)
		}
		reach = latest(reach, w.End)
	}
	if tail != nil && tail.CoveredFrom.After(reach) {
		fill(reach, tail.CoveredFrom)
	}
	slices.Reverse(add)
	return add
}

func newWindow(span bill.Span, r rules) *bill.Window {
	return &bill.Window{Span: span, Zone: r.zone.String(), Progress: bill.Progress{State: bill.Pending, NextPage: 1}}
}

// cutTail turns the older part of a tail that has outgrown one request into
// windows of its own.
func (a *agenda) cutTail(r rules, now time.Time) {
	end := now.Add(-settle)
	for {
		from := a.tail.CoveredFrom.In(r.zone)
		y, m, d := from.Date()
		span := bill.Layout(time.Date(y, m, d, 0, 0, 0, 0, r.zone), end, r.windowDays)[0]
		// The tail begins a day before CoveredFrom, so a day less fits.
		if span.End.Add(-backtrack).After(end) {
			return
		}
		if span.End.After(end) {
			span.End = end.Truncate(time.Second)
		}
		w := newWindow(span, r)
		if until := a.tail.ProvedUntil; until.After(a.tail.CoveredFrom) {
			// What the tail has proved stays proved until it is read again.
			if until.Before(w.End) {
				w.End = until
			}
			w.State, w.ProvedAt, w.RereadAt = bill.Done, a.tail.ProvedAt, now
		}
		a.add = append([]*bill.Window{w}, a.add...)
		a.tail.CoveredFrom, a.tailCut = w.End, true
		if !a.tail.ProvedUntil.After(w.End) {
			a.tail.ProvedUntil = time.Time{}
		}
		a.tailNew = true
	}
}

// spanTail says whether the tail is read by this run and from where to where.
func (a *agenda) spanTail(windows []*bill.Window, unread bool, r rules, s Scope, now time.Time) {
	for _, w := range windows {
		if w.OpenEnd || (a.tail.ProvedAt.IsZero() && w.End.Equal(a.tail.CoveredFrom) && w.State != bill.Done) {
			return // the newest window comes first
		}
	}
	if s.RetryNow {
		a.tail.NextAttemptAt = time.Time{}
	}
	a.tailDue = !a.tail.NextAttemptAt.After(now)
	// What waits for a person is not read at length meanwhile.
	stuck := a.tail.NeedsPerson() && !a.refreshBegins && (!s.Retry || s.DueOnly)
	refresh := outdated(a.tail.ProvedAt, a.refreshSince, now) && !stuck
	a.span = tailSpanOf(a.tail, r, refresh, now)
	first := a.tail.CoveredFrom.Add(-backtrack)
	audit := refresh && r.audit > 0 && a.tail.AuditedAt.Before(now.Add(r.refreshEvery-r.audit))
	if s.Full || audit || slices.Contains(s.Windows, 0) || (unread && a.refreshBegins) {
		a.tail.RereadAt, a.tailNew = now, true
	}
	switch {
	case !a.tail.RereadAt.IsZero() && !stuck && first.Before(a.span.Start):
		a.span.Start = first.In(r.zone).Truncate(time.Second)
	case a.tail.Missing > 0 && !stuck && a.tail.MissingFrom.Before(a.span.Start):
		a.span.Start = latest(first, a.tail.MissingFrom).In(r.zone).Truncate(time.Second)
	case !s.Span.Start.IsZero() && s.Span.Start.Before(a.span.Start) && !s.Span.End.Before(a.tail.CoveredFrom):
		a.span.Start = latest(first, s.Span.Start).In(r.zone).Truncate(time.Second)
	}
	if !a.span.End.After(a.span.Start) {
		a.tailDue = false
	}
}

// outdated reports whether something was done before a time, or by a clock that
// was ahead of what it is now. Nothing is outdated before the zero time.
func outdated(t, since, now time.Time) bool {
	return !since.IsZero() && (t.Before(since) || t.After(now.Add(clockTolerance)))
}

// tailSpanOf returns what of the tail is to be read: from a day before its
// last proof, or tail_days back if that is more; in a refresh all of it that
// lies within refresh_days.
func tailSpanOf(t *bill.Tail, r rules, refresh bool, now time.Time) bill.Span {
	from := t.CoveredFrom
	if t.ProvedUntil.After(from) {
		from = t.ProvedUntil
	}
	from = from.Add(-backtrack)
	if back := now.Add(-r.tail); back.Before(from) {
		from = back
	}
	if back := now.Add(-r.refresh); refresh && back.Before(from) {
		from = latest(back, t.CoveredFrom.Add(-backtrack))
		if x := now.Add(-r.tail); x.Before(from) {
			from = x
		}
	}
	from = latest(from, r.historyStart.Add(-bill.Lead))
	end := now.Add(-settle).In(r.zone).Truncate(time.Second)
	// Whatever tail_days says, the span stays one that may be asked for: that
	// many calendar days, and not longer than so many times 24 hours.
	y, m, d := end.Date()
	from = latest(from, time.Date(y, m, d-r.windowDays+1, 0, 0, 0, 0, r.zone))
	from = latest(from, end.Add(-time.Duration(r.windowDays)*24*time.Hour+time.Second))
	return bill.Span{Start: from.In(r.zone).Truncate(time.Second), End: end}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// consider puts a window into the queue if it is due.
func (a *agenda) consider(w *bill.Window, r rules, s Scope, now time.Time) {
	if !s.Span.Start.IsZero() && !w.Overlaps(s.Span) {
		return
	}
	if s.Windows != nil && (w.ID == 0 || !slices.Contains(s.Windows, w.ID)) {
		return
	}
	early := w.NextAttemptAt.After(now)
	switch w.State {
	case bill.Pending, bill.Reading:
		if s.Retry {
			return
		}
	case bill.Waiting:
		if early && !s.RetryNow {
			return
		}
		if w.NeedsPerson() && !a.refreshBegins && (!s.Retry || s.DueOnly) && s.Span.Start.IsZero() && s.Windows == nil {
			return
		}
	case bill.Failed:
		// Not by a refresh that only goes on: that would ask again and again.
		if (!s.Retry || s.DueOnly) && !a.refreshBegins && s.Span.Start.IsZero() && s.Windows == nil {
			return
		}
	case bill.Done:
		if !w.RereadFailedAt.IsZero() {
			if !a.refreshBegins && (!s.Retry || s.DueOnly) && s.Span.Start.IsZero() && s.Windows == nil {
				return
			}
			a.again(w, now)
			early = false
		}
		want := s.Full || !s.Span.Start.IsZero() || s.Windows != nil || (outdated(w.ProvedAt, a.refreshSince, now) && !w.End.Before(now.Add(-r.refresh)))
		if want && w.RereadAt.IsZero() && !s.Retry {
			a.again(w, now)
			early = false
		}
		if w.RereadAt.IsZero() || (early && !s.RetryNow) {
			return
		}
	}
	a.queue = append(a.queue, w)
}

// audit marks the windows proved longest ago to be read again: so many that
// each is read within audit_days if every refresh does as much.
func (a *agenda) audit(windows []*bill.Window, r rules, now time.Time) {
	var old []*bill.Window
	for _, w := range windows {
		if w.State == bill.Done && w.RereadAt.IsZero() && w.End.Before(now.Add(-r.refresh)) {
			old = append(old, w)
		}
	}
	slices.SortStableFunc(old, func(x, y *bill.Window) int { return x.ProvedAt.Compare(y.ProvedAt) })
	share := int((time.Duration(len(old))*r.refreshEvery + r.audit - 1) / r.audit)
	for i, w := range old {
		// The next refresh would be too late for it.
		overdue := outdated(w.ProvedAt, now.Add(r.refreshEvery-r.audit), now)
		if i < share || overdue {
			a.again(w, now)
		}
	}
}

// again marks a proved window to be read again.
func (a *agenda) again(w *bill.Window, now time.Time) {
	again(w, now)
	a.save = append(a.save, w)
}

func again(w *bill.Window, now time.Time) {
	w.RereadAt, w.RereadFailedAt = now, time.Time{}
	w.NextAttemptAt, w.Attempts, w.LastError = time.Time{}, 0, ""
}

// chase lists the windows whose changes are looked for by counts: in a refresh
// all that it does not read in full, else those whose chase is to be tried again.
func (a *agenda) chase(b books, windows []*bill.Window, r rules, s Scope, now time.Time) {
	refresh := !a.refreshSince.IsZero() && !s.limited() && !s.Full
	consider := func(w *bill.Window, id int64, span bill.Span, proved time.Time) {
		c := b.chases[id]
		if a.refreshBegins && c.State == bill.Failed {
			c.State = bill.Pending
			a.saveChases = append(a.saveChases, &c)
		}
		early := c.NextAttemptAt.After(now) && !s.RetryNow
		due := refresh && outdated(proved, a.refreshSince, now) && outdated(c.ProvedAt, a.refreshSince, now) && c.State != bill.Failed ||
			c.State == bill.Waiting && !s.limited()
		if s.Retry {
			due = c.State == bill.Waiting || (c.State == bill.Failed && !s.DueOnly)
		}
		if due && !early {
			a.chases = append(a.chases, chaseJob{w, span, c})
		}
	}
	if t := a.tail; t != nil && a.span.Start.After(t.CoveredFrom) && t.ProvedUntil.After(t.CoveredFrom) {
		consider(nil, 0, bill.Span{Start: t.CoveredFrom.Add(-2 * edge).In(r.zone), End: a.span.Start.Add(2 * edge)}, t.AuditedAt)
	}
	for _, w := range windows {
		if w.ID != 0 && w.State == bill.Done && w.RereadAt.IsZero() {
			consider(w, w.ID, w.Span, w.ProvedAt)
		}
	}
}

func (a *agenda) tailInScope(s Scope) bool {
	if s.Windows != nil {
		return slices.Contains(s.Windows, 0)
	}
	if s.Retry {
		t := a.tail
		return t.State == bill.Waiting || t.State == bill.Failed
	}
	return a.span.Overlaps(s.Span)
}

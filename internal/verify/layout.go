package verify

import (
	"slices"
	"time"

	"billsync/internal/bill"
)

// A Subject is an account whose bills are counted.
type Subject struct {
	bill.Account
	HistoryStart time.Time
}

// An account is the work on one of them.
type account struct {
	Subject
	zone   *time.Location
	days   int // the most calendar days that may be asked for at once
	proofs []proof
	rows   []*row

	dated   []time.Time // of unreadable items whose time is readable, in order
	undated []undated   // the others

	// Guarded by the counter's mutex.
	refused  *bill.Failure
	answered bool // a first request came back
}

// A proof is a window, or the tail, that was proved as a whole.
type proof struct {
	bill.Span
	window int64 // 0: the tail
	at     time.Time
}

// An undated item is unreadable even in its time: somewhere in the span in
// which it was seen.
type undated struct {
	window int64
	seen   bill.Span
}

// A row is a Row in the making, cut into the pieces that are asked for.
type row struct {
	Row
	pieces []*piece
	own    *proof  // the window it is about; nil for a month
	beside []proof // and those that are proved together with it
}

// load reads what the books say of the account, except its bills.
func (a *account) load(b Books, itemTime func([]byte) (time.Time, bool)) (others []bill.Window, err error) {
	if a.proofs, others, err = proofsIn(b, a.Name); err != nil {
		return nil, err
	}
	err = b.Unreadable(a.Name, func(raw []byte, window int64, seen bill.Span) {
		if at, ok := itemTime(raw); ok {
			a.dated = append(a.dated, at)
		} else {
			a.undated = append(a.undated, undated{window, seen})
		}
	})
	slices.SortFunc(a.dated, time.Time.Compare)
	return others, err
}

// proofsIn reads what is proved of an account, and the windows that are not.
func proofsIn(b Proofs, account string) (proofs []proof, others []bill.Window, err error) {
	windows, err := b.Windows(account)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range windows {
		if w.State == bill.Done {
			proofs = append(proofs, proof{w.Span, w.ID, w.ProvedAt})
		} else {
			others = append(others, w)
		}
	}
	t, err := b.Tail(account)
	if err != nil {
		return nil, nil, err
	}
	if t != nil && t.ProvedUntil.After(t.CoveredFrom) {
		proofs = append(proofs, proof{bill.Span{Start: t.CoveredFrom, End: t.ProvedUntil}, 0, t.ProvedAt})
	}
	slices.SortStableFunc(proofs, func(x, y proof) int {
		if c := x.Start.Compare(y.Start); c != 0 {
			return c
		}
		return x.End.Compare(y.End)
	})
	return proofs, others, nil
}

// A SpanProof says whether a span is proved.
type SpanProof struct {
	At     time.Time // since when all of it is; zero if it is not
	Until  time.Time // if it is not: from its beginning to here it is; zero if not even that
	Lacks  []bill.Window
	Agreed []bill.Window // windows in it without a proof that a person has accepted
}

// Proved reports whether an account's bills of a span are proved to be stored. A
// window that a person has accepted without a proof counts, as everywhere. Nothing
// is asked of the provider.
func Proved(b Proofs, account string, s bill.Span) (SpanProof, error) {
	var out SpanProof
	proofs, others, err := proofsIn(b, account)
	if err != nil {
		return out, err
	}
	for _, w := range others {
		switch {
		case !w.Overlaps(s):
		case w.AcceptedAt.IsZero():
			out.Lacks = append(out.Lacks, w)
		default:
			out.Agreed = append(out.Agreed, w)
			proofs = append(proofs, proof{w.Span, w.ID, w.AcceptedAt})
		}
	}
	at, ok := provedAt(proofs, s)
	if ok {
		out.At = at
		return out, nil
	}
	slices.SortStableFunc(proofs, func(x, y proof) int { return x.Start.Compare(y.Start) })
	for _, k := range blocks(proofs) {
		if !k.Start.After(s.Start) && k.End.After(s.Start) {
			out.Until = k.End
		}
	}
	return out, nil
}

// A block is a stretch that proofs cover without a gap.
type block struct {
	bill.Span
	proofs []proof
}

func blocks(proofs []proof) []block {
	var out []block
	for _, p := range proofs {
		if n := len(out); n > 0 && !p.Start.After(out[n-1].End) {
			out[n-1].End = latest(out[n-1].End, p.End)
			out[n-1].proofs = append(out[n-1].proofs, p)
			continue
		}
		out = append(out, block{p.Span, []proof{p}})
	}
	return out
}

// until returns where what is proved ends; zero if nothing is.
func (a *account) until() (end time.Time) {
	for _, p := range a.proofs {
		end = latest(end, p.End)
	}
	return end
}

// byWindow lays out a row for each proved window, and for the proved part of
// the tail. Windows overlap, rows do not: each begins where the one before
// ends, so that a bill is counted once.
func (a *account) byWindow(b Books, others []bill.Window) error {
	for _, k := range blocks(a.proofs) {
		var own []proof
		for _, p := range k.proofs {
			if n := len(own); n == 0 || p.End.After(own[n-1].End) {
				own = append(own, p) // else others hold all of it
			}
		}
		var cuts []time.Time
		for _, p := range own[:len(own)-1] {
			cuts = append(cuts, p.End)
		}
		parts, err := a.cut(b, k.Start, k.Start, cuts, k.End)
		if err != nil {
			return err
		}
		for i, edges := range parts {
			r, p := a.add(edges), &own[i]
			r.own, r.beside = p, k.proofs
			r.Tail, r.State, r.Proved, r.ProvedAt = p.window == 0, bill.Done, true, p.at
		}
	}
	for _, w := range others {
		a.rows = append(a.rows, &row{Row: Row{Account: a.Name, Windows: []int64{w.ID}, State: w.State, Span: w.Span}})
	}
	slices.SortStableFunc(a.rows, func(x, y *row) int { return x.Span.Start.Compare(y.Span.Start) })
	return nil
}

// readAgain returns the windows that must be read again to read all of a span:
// its own, and neighbours where an end was moved beyond that.
func readAgain(own proof, s bill.Span, all []proof) []int64 {
	ids := []int64{own.window}
	beyond := func(from, to time.Time) {
		if !from.Before(to) {
			return
		}
		for _, p := range all {
			if p.window != own.window && p.Start.Before(to) && from.Before(p.End) && !slices.Contains(ids, p.window) {
				ids = append(ids, p.window)
			}
		}
	}
	first := own.Start
	if own.window == 0 {
		first = first.Add(-reach) // the tail is read from a day before
	}
	beyond(s.Start, earliest(first, s.End))
	beyond(latest(own.End, s.Start), s.End)
	return ids
}

// byMonth lays out a row for each calendar month of a zone, from the beginning
// of the history to the end of what is proved.
func (a *account) byMonth(b Books, zone *time.Location) error {
	start, end := a.HistoryStart, a.until()
	if !end.After(start) {
		return nil
	}
	// What was read begins a little before the history does. To count from there
	// finds a bill in the first second whichever ends the provider includes.
	want := start.Add(-bill.Lead)
	floor := want
	for _, k := range blocks(a.proofs) {
		if !k.Start.After(start) && k.End.After(start) {
			floor, want = k.Start, latest(want, k.Start)
		}
	}
	y, m, _ := start.In(zone).Date()
	var cuts []time.Time
	for {
		m++
		next := time.Date(y, m, 1, 0, 0, 0, 0, zone)
		if !next.Before(end) {
			break
		}
		cuts = append(cuts, next)
	}
	parts, err := a.cut(b, want, floor, cuts, end)
	if err != nil {
		return err
	}
	from := start
	for i, edges := range parts {
		to := end
		if i < len(cuts) {
			to = cuts[i]
		}
		r := a.add(edges)
		r.Month = from.In(zone).Format("2006-01")
		r.ProvedAt, r.Proved = provedAt(a.proofs, bill.Span{Start: from, End: to})
		from = to
	}
	return nil
}

// provedAt returns since when all of a span is proved: the oldest of the newest
// proofs that cover it.
func provedAt(proofs []proof, s bill.Span) (time.Time, bool) {
	var near []proof
	for _, p := range proofs {
		if p.Overlaps(s) {
			near = append(near, p)
		}
	}
	slices.SortStableFunc(near, func(x, y proof) int { return y.at.Compare(x.at) })
	for n := 1; n <= len(near); n++ {
		if covers(near[:n], s) {
			return near[n-1].at, true
		}
	}
	return time.Time{}, false
}

func covers(proofs []proof, s bill.Span) bool {
	sorted := slices.Clone(proofs)
	slices.SortFunc(sorted, func(x, y proof) int { return x.Start.Compare(y.Start) })
	reached := s.Start
	for _, p := range sorted {
		if p.Start.After(reached) {
			return false
		}
		reached = latest(reached, p.End)
	}
	return !reached.Before(s.End)
}

// add makes a row of the pieces between edges.
func (a *account) add(edges []*edge) *row {
	r := &row{Row: Row{Account: a.Name, Asked: true}}
	for i := 1; i < len(edges); i++ {
		r.pieces = append(r.pieces, &piece{left: edges[i-1], right: edges[i]})
	}
	r.Span = r.asked()
	a.rows = append(a.rows, r)
	return r
}

// asked is the span that the pieces of a row cover.
func (r *row) asked() bill.Span {
	return bill.Span{Start: r.pieces[0].left.start(), End: r.pieces[len(r.pieces)-1].right.end()}
}

// cut finds edges: where to begin, at want or before that but not before floor;
// one near each of the cuts; and where to end. It returns those of each part;
// neighbouring parts share one.
func (a *account) cut(b Books, want, floor time.Time, cuts []time.Time, end time.Time) ([][]*edge, error) {
	at, ok, err := a.find(b, opening, want, latest(floor, want.Add(-reach)), want)
	if err != nil {
		return nil, err
	}
	if !ok {
		at = want
	}
	part := []*edge{{at, opening, ok}}
	prev := part[0]
	bound := func(i int) time.Time { // the end of part i
		if i < len(cuts) {
			return cuts[i]
		}
		return end
	}
	if !ok {
		// Outwards are bills that nobody read. The first seconds, whose count is
		// in doubt, are counted by themselves, so that the rest is exact.
		from := prev.at.Add(time.Second)
		at, ok, err := a.find(b, seam, from, from, earliest(from.Add(reach), bound(0).Add(-time.Second)))
		if err != nil {
			return nil, err
		}
		if ok {
			prev = &edge{at, seam, true}
			part = append(part, prev)
		}
	}
	var parts [][]*edge
	for i, c := range cuts {
		lo, hi := prev.at.Add(time.Second), bound(i+1).Add(-time.Second)
		at, ok, err := a.find(b, seam, c.Add(-time.Second), latest(lo, c.Add(-reach)), earliest(hi, c.Add(reach)))
		if err != nil {
			return nil, err
		}
		if !ok {
			at = latest(lo, c)
		}
		prev = &edge{at, seam, ok}
		parts = append(parts, append(part, prev))
		part = []*edge{prev}
	}
	// Beyond the end nothing is proved: it is only ever moved backwards.
	at, ok, err = a.find(b, closing, end, latest(prev.at.Add(time.Second), end.Add(-reach)), end)
	if err != nil {
		return nil, err
	}
	if !ok {
		at = end
	}
	parts = append(parts, append(part, &edge{at, closing, ok}))
	for i := range parts {
		if parts[i], err = a.shorten(b, parts[i]); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// shorten puts edges between those that are further apart than may be asked for.
func (a *account) shorten(b Books, edges []*edge) ([]*edge, error) {
	for i := 1; i < len(edges); i++ {
		left, right := edges[i-1], edges[i]
		if a.legal(left.start(), right.end()) {
			continue
		}
		c := left.at.Add(time.Duration(a.days-1)*24*time.Hour - time.Hour)
		at, ok, err := a.find(b, seam, c, c.Add(-reach), c)
		if err != nil {
			return nil, err
		}
		if !ok {
			at = c.Truncate(time.Second)
		}
		edges = slices.Insert(edges, i, &edge{at, seam, ok})
	}
	return edges, nil
}

// legal reports whether the provider may be asked for a span: not more than so
// many calendar days, whichever way they are counted (bill.Layout).
func (a *account) legal(from, to time.Time) bool {
	return to.Sub(from) < time.Duration(a.days)*24*time.Hour && dayOf(to.In(a.zone))-dayOf(from.In(a.zone)) < a.days
}

// dayOf numbers the days of the calendar.
func dayOf(t time.Time) int {
	y, m, d := t.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

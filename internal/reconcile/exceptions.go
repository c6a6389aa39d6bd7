package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// How far candidates may be: days beyond those of the rules, and a share of the
// line's amount.
const (
	beyond   = 10
	farShare = 200_000 // millionths
	shown    = 3
)

// exceptions are the lines that are left, each with a reason.
func (m *matcher) exceptions() (out []Exception) {
	for i := range m.lines {
		if m.lineOut[i] {
			continue
		}
		x := Exception{Line: m.lineAt[i]}
		near := m.candidates(i)
		x.Code, x.Reason = m.why(i, near)
		for _, c := range near {
			x.Candidates = append(x.Candidates, Candidate{m.postAt[c.posting], m.compared(i, c.posting)})
		}
		out = append(out, x)
	}
	return out
}

// around are postings of a line's amount, those whose days are nearest.
func (m *matcher) around(l *Line) []int32 {
	const most = 100 // before it, and after
	list := m.byAmount[l.Amount]
	at := sort.Search(len(list), func(j int) bool { return m.postings[list[j]].Day >= l.Day })
	return list[max(0, at-most):min(len(list), at+most)]
}

// why is the reason why a line is not matched.
func (m *matcher) why(i int, near []candidate) (Code, string) {
	l := &m.lines[i]
	switch doubt := m.doubt[i]; {
	case l.Amount.Value == 0:
		return Zero, "its amount is zero: no posting is"
	case doubt != "":
		return Ambiguous, "ambiguous: " + doubt
	case len(l.Named) > 0:
		return m.whyNamed(i)
	}
	var nearest *Posting
	for _, p := range m.around(l) {
		switch x := &m.postings[p]; {
		case !m.within(l, x):
			if !m.postOut[p] && (nearest == nil || days(l, x) < days(l, nearest)) {
				nearest = x
			}
		case m.refused(i, int(p)):
			return Refused, "a posting has its amount within the days, and that match was rejected"
		case m.postOut[p]:
			return Taken, "the posting of its amount within the days is matched with " + x.with()
		case m.claimed[p]:
			return Taken, "the posting of its amount within the days is named by another line"
		}
	}
	switch {
	case nearest != nil:
		return Differing, "a posting has its amount, but not within the days: " + lagText(nearest.Day-l.Day)
	case len(near) > 0:
		return Differing, "no posting has its amount; the nearest: " + m.compared(i, near[0].posting)
	}
	return Missing, fmt.Sprintf("no posting in %s comes near, from %d days before to %d days after it", l.Amount.Currency, beyond-m.o.From, m.o.To+beyond)
}

// whyNamed is the reason why a line is not matched with what it names.
func (m *matcher) whyNamed(i int) (Code, string) {
	l := &m.lines[i]
	var open, equal, refused int
	for _, p := range l.Named {
		switch {
		case m.postOut[p]:
		case m.refused(i, int(p)):
			refused++
		case m.postings[p].Amount == l.Amount:
			equal++
			open++
		default:
			open++
		}
	}
	switch {
	case equal > 0:
		return Ambiguous, "ambiguous: other lines name the same"
	case open > 0:
		return Differing, fmt.Sprintf("of what it names %s open, not of its amount", have(open, "posting is", "postings are"))
	case refused > 0:
		return Refused, "the match with what it names was rejected"
	}
	if len(l.Named) == 1 {
		return Taken, "what it names is matched with " + m.postings[l.Named[0]].with()
	}
	return Taken, "what it names is matched with other lines"
}

// with is what a posting that is out is matched with.
func (p *Posting) with() string {
	if p.Taken == "" {
		return "another line"
	}
	return p.Taken
}

// A candidate is a posting that comes near, and how near: less is nearer.
type candidate struct {
	posting int
	cost    uint64
}

// candidates are the open postings that come nearest to a line.
func (m *matcher) candidates(i int) []candidate {
	l := &m.lines[i]
	if l.Amount.Value == 0 {
		return nil
	}
	cost := map[int]uint64{}
	consider := func(p int) {
		if _, ok := cost[p]; !ok {
			cost[p] = m.cost(l, p)
		}
	}
	for _, p := range l.Named {
		if !m.postOut[p] {
			cost[int(p)] = 0
		}
	}
	far := share(magnitude(l.Amount.Value), farShare)
	good := func(p int) bool {
		a := m.postings[p].Amount
		return !m.postOut[p] && (a.Value < 0) == (l.Amount.Value < 0) && distance(a.Value, l.Amount.Value) <= far
	}
	m.days.nearest(l.Amount, l.Day+m.o.From-beyond, l.Day+m.o.To+beyond, shown, good, consider)
	var before, after = -1, -1 // of equal amounts, whatever the day
	for _, p := range m.around(l) {
		switch x := int(p); {
		case m.postOut[x]:
		case m.postings[x].Day < l.Day && (before < 0 || m.postings[x].Day > m.postings[before].Day):
			before = x
		case m.postings[x].Day >= l.Day && (after < 0 || m.postings[x].Day < m.postings[after].Day):
			after = x
		}
	}
	for _, p := range []int{before, after} {
		if p >= 0 {
			consider(p)
		}
	}
	all := make([]candidate, 0, len(cost))
	for p, c := range cost {
		all = append(all, candidate{p, c})
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.posting, b.posting))
	})
	return all[:min(shown, len(all))]
}

// cost is how far a posting is from a line: millionths of the amount, and as much as
// a half per cent for a day beyond those of the rules, a tenth for one within.
func (m *matcher) cost(l *Line, p int) uint64 {
	x := &m.postings[p]
	c := min(distance(x.Amount.Value, l.Amount.Value), 1<<40) * million / max(magnitude(l.Amount.Value), 1)
	lag := int64(x.Day) - int64(l.Day)
	outside := max(int64(m.o.From)-lag, lag-int64(m.o.To), 0)
	c += uint64(outside)*5000 + uint64(max(lag, -lag))*1000
	if !m.names.alike(l.Name, x.Name) {
		c += 20_000
	}
	return c + 1
}

// compared says what speaks for a posting and what against.
func (m *matcher) compared(i, p int) string {
	l, x := &m.lines[i], &m.postings[p]
	amount := "equal amounts"
	if x.Amount != l.Amount {
		amount = "differs by " + apart(l.Amount, x.Amount)
		if x.Amount.Currency != l.Amount.Currency {
			amount = "in " + x.Amount.Currency
		}
	}
	parts := []string{amount, lagText(x.Day - l.Day)}
	if m.names.alike(l.Name, x.Name) {
		parts = append(parts, "merchant alike")
	}
	if slices.Contains(l.Named, int32(p)) {
		parts = append(parts, "named")
	}
	return words(parts...)
}

// days is how many days a posting is from a line.
func days(l *Line, p *Posting) int32 { return max(p.Day-l.Day, l.Day-p.Day) }

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
		x := Exception{Line: int(m.lineAt[i])}
		near := m.candidates(i)
		x.Code, x.Reason = m.why(i, near)
		for _, c := range near {
			x.Candidates = append(x.Candidates, Candidate{int(m.postAt[c.posting]), m.compared(i, c.posting)})
		}
		out = append(out, x)
	}
	return out
}

// around are postings of a line's amount, those whose days are nearest.
func (m *matcher) around(l *entry) []int32 {
	const most = 100 // before it, and after
	list := m.byAmount.of(l.amount)
	at := sort.Search(len(list), func(j int) bool { return m.postings[list[j]].day >= l.day })
	return list[max(0, at-most):min(len(list), at+most)]
}

// why is the reason why a line is not matched.
func (m *matcher) why(i int, near []candidate) (Code, string) {
	l := &m.lines[i]
	switch doubt := m.doubt[i]; {
	case l.value == 0:
		return Zero, "its amount is zero: no posting is"
	case doubt != "":
		return Ambiguous, "ambiguous: " + doubt
	case len(m.named[i]) > 0:
		return m.whyNamed(i)
	}
	var nearest *entry
	for _, p := range m.around(l) {
		switch x := &m.postings[p]; {
		case !m.within(l, x):
			if !m.postOut[p] && (nearest == nil || days(l, x) < days(l, nearest)) {
				nearest = x
			}
		case m.refused(i, int(p)):
			return Refused, "a posting has its amount within the days, and that match was rejected"
		case m.postOut[p]:
			return Taken, "the posting of its amount within the days is matched with " + m.with(p)
		case m.claimed[p]:
			return Taken, "the posting of its amount within the days is named by another line"
		}
	}
	switch {
	case nearest != nil:
		return Differing, "a posting has its amount, but not within the days: " + lagText(nearest.day-l.day)
	case len(near) > 0:
		return Differing, "no posting has its amount; the nearest: " + m.compared(i, near[0].posting)
	}
	return Missing, fmt.Sprintf("no posting in %s comes near, from %d days before to %d days after it", m.currencies.texts[l.currency], beyond-m.o.From, m.o.To+beyond)
}

// whyNamed is the reason why a line is not matched with what it names.
func (m *matcher) whyNamed(i int) (Code, string) {
	l := &m.lines[i]
	var open, equal, refused int
	for _, p := range m.named[i] {
		switch {
		case m.postOut[p]:
		case m.refused(i, int(p)):
			refused++
		case m.postings[p].amount == l.amount:
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
	if named := m.named[i]; len(named) == 1 {
		return Taken, "what it names is matched with " + m.with(named[0])
	}
	return Taken, "what it names is matched with other lines"
}

// with is what a posting that is out is matched with.
func (m *matcher) with(p int32) string {
	return cmp.Or(m.posted[m.postAt[p]].Taken, "another line")
}

// A candidate is a posting that comes near, and how near: less is nearer.
type candidate struct {
	posting int
	cost    uint64
}

// candidates are the open postings that come nearest to a line.
func (m *matcher) candidates(i int) []candidate {
	l := &m.lines[i]
	if l.value == 0 {
		return nil
	}
	if m.seen == nil {
		m.seen = make([]int32, len(m.postings))
	}
	m.times++
	var all []candidate
	consider := func(p int, cost uint64) {
		if m.seen[p] != m.times {
			m.seen[p] = m.times
			all = append(all, candidate{p, cost})
		}
	}
	for _, p := range m.named[i] {
		if !m.postOut[p] {
			consider(int(p), 0)
		}
	}
	far := share(magnitude(l.value), farShare)
	good := func(p int) bool {
		x := &m.postings[p]
		return !m.postOut[p] && (x.value < 0) == (l.value < 0) && distance(x.value, l.value) <= far
	}
	m.days.nearest(l, l.day+m.o.From-beyond, l.day+m.o.To+beyond, shown, good, func(p int) { consider(p, m.cost(l, p)) })
	var before, after = -1, -1 // of equal amounts, whatever the day
	for _, p := range m.around(l) {
		switch x := int(p); {
		case m.postOut[x]:
		case m.postings[x].day < l.day && (before < 0 || m.postings[x].day > m.postings[before].day):
			before = x
		case m.postings[x].day >= l.day && (after < 0 || m.postings[x].day < m.postings[after].day):
			after = x
		}
	}
	for _, p := range []int{before, after} {
		if p >= 0 {
			consider(p, m.cost(l, p))
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.posting, b.posting))
	})
	return all[:min(shown, len(all))]
}

// cost is how far a posting is from a line: millionths of the amount, and as much as
// a half per cent for a day beyond those of the rules, a tenth for one within.
func (m *matcher) cost(l *entry, p int) uint64 {
	x := &m.postings[p]
	c := min(distance(x.value, l.value), 1<<40) * million / max(magnitude(l.value), 1)
	lag := int64(x.day) - int64(l.day)
	outside := max(int64(m.o.From)-lag, lag-int64(m.o.To), 0)
	c += uint64(outside)*5000 + uint64(max(lag, -lag))*1000
	if !m.names.alike(l.name, x.name) {
		c += 20_000
	}
	return c + 1
}

// compared says what speaks for a posting and what against.
func (m *matcher) compared(i, p int) string {
	l, x := &m.lines[i], &m.postings[p]
	amount := "equal amounts"
	switch {
	case x.currency != l.currency:
		amount = "in " + m.currencies.texts[x.currency]
	case x.value != l.value:
		amount = "differs by " + apart(m.lineAmount(i), m.postingAmount(p))
	}
	parts := []string{amount, lagText(x.day - l.day)}
	if m.names.alike(l.name, x.name) {
		parts = append(parts, "merchant alike")
	}
	if slices.Contains(m.named[i], int32(p)) {
		parts = append(parts, "named")
	}
	return words(parts...)
}

// days is how many days a posting is from a line.
func days(l, p *entry) int32 { return max(p.day-l.day, l.day-p.day) }

package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"billsync/internal/bill"
)

// references matches lines with what they name: the posting of their amount. Then
// several lines that name one posting, or one line that names several, if they add
// up.
func (m *matcher) references() {
	var pairs []pair
	for i := range m.lines {
		l := &m.lines[i]
		if l.value == 0 {
			continue
		}
		for _, p := range m.named[i] {
			if m.postings[p].amount == l.amount && !m.postOut[p] && !m.refused(i, int(p)) {
				pairs = append(pairs, pair{i, int(p)})
			}
		}
	}
	only, several := m.unique(pairs)
	m.found = make([]Match, 0, len(only))
	for _, x := range only {
		reason := "it names the order or the bill, and the amounts are equal"
		if m.given[m.lineAt[x.line]].Exact {
			reason = "it names the line of the books, and the amounts are equal"
		}
		m.takePair(x, Reference, false, reason)
	}
	for l, n := range several {
		m.doubt[l] = fmt.Sprintf("of what it names %s its amount", have(n, "posting has", "postings have"))
		if n == 1 {
			m.doubt[l] = "other lines of the same amount name the same posting"
		}
	}
	m.namedSums()
	// What only lines name that are matched by now is free for others.
	clear(m.claimed)
	for i := range m.lines {
		if !m.lineOut[i] {
			m.claimFor(i)
		}
	}
}

// have is a count with its words.
func have(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// namedSums matches a line with all open postings that it names, if no other line
// names one of these; and a posting with all open lines that name nothing else. A line
// whose match with a posting was rejected does not stand in the way of others.
func (m *matcher) namedSums() {
	lines := map[int32][]int{} // open lines by the posting they name
	for i := range m.lines {
		if m.lineOut[i] || m.lines[i].value == 0 {
			continue
		}
		for _, p := range m.named[i] {
			if !m.postOut[p] {
				lines[p] = append(lines[p], i)
			}
		}
	}
	open := func(i int) (all []int) {
		for _, p := range m.named[i] {
			if !m.postOut[p] {
				all = append(all, int(p))
			}
		}
		return all
	}
	for i := range m.lines {
		if m.lineOut[i] || len(m.named[i]) == 0 {
			continue
		}
		ps := open(i)
		shared := func(p int) bool {
			return slices.ContainsFunc(lines[int32(p)], func(l int) bool { return l != i && !m.refused(l, p) })
		}
		if len(ps) >= 2 && len(ps) <= maxParts && m.lines[i].value != 0 && !slices.ContainsFunc(ps, shared) && m.adds([]int{i}, ps) {
			m.take(Match{Rule: Sum, Lines: []int{i}, Postings: ps, Reason: fmt.Sprintf("the %d postings that it names add up to it", len(ps))})
		}
	}
	for _, at := range slices.Sorted(maps.Keys(lines)) {
		p, all := int(at), lines[at]
		left := slices.DeleteFunc(slices.Clone(all), func(l int) bool { return m.refused(l, p) })
		other := func(l int) bool { return m.lineOut[l] || len(open(l)) != 1 }
		for _, ls := range [][]int{all, left} {
			if m.postOut[p] || len(ls) < 2 || len(ls) > maxParts {
				continue
			}
			if !slices.ContainsFunc(ls, other) && m.adds(ls, []int{p}) {
				m.take(Match{Rule: Sum, Lines: ls, Postings: []int{p}, Reason: fmt.Sprintf("the %d lines that name it add up to it", len(ls))})
			}
		}
	}
}

// adds reports whether two sides add up to the same, in one currency, and nobody
// has rejected that.
func (m *matcher) adds(lines, postings []int) bool {
	currency := m.postings[postings[0]].currency
	var left, right int64
	ok := true
	for _, l := range lines {
		if m.lines[l].currency != currency {
			return false
		}
		if left, ok = add(left, m.lines[l].value); !ok {
			return false
		}
	}
	for _, p := range postings {
		if m.postings[p].currency != currency {
			return false
		}
		if right, ok = add(right, m.postings[p].value); !ok {
			return false
		}
	}
	return left == right && !m.refusedSum(lines, postings)
}

func (m *matcher) refusedSum(lines, postings []int) bool {
	if m.o.RefusedSums == nil {
		return false
	}
	back := func(at []int32, list []int) []int {
		out := make([]int, len(list))
		for i, x := range list {
			out[i] = int(at[x])
		}
		return out
	}
	return m.o.RefusedSums(back(m.lineAt, lines), back(m.postAt, postings))
}

// enough is how many possibilities are counted: what has as many has many.
const enough = 10

// choices is how many there are, as far as they were counted.
func choices(n int, one, many string) string {
	if n >= enough {
		return fmt.Sprintf("%d or more %s", enough, many)
	}
	return have(n, one, many)
}

// elsewhere is what a posting of a line's amount within the days is only suggested for;
// "" if there is none.
func (m *matcher) elsewhere(i int) string {
	if !m.undecided {
		return ""
	}
	l := &m.lines[i]
	for _, p := range m.byAmount.since(l.amount, l.day+m.o.From, m.postings) {
		if m.postings[p].day > l.day+m.o.To {
			break
		}
		if x := &m.posted[m.postAt[p]]; x.Undecided {
			return x.Taken
		}
	}
	return ""
}

// amounts matches equal amounts within the days.
func (m *matcher) amounts() {
	m.refresh()
	var only []pair
	for i := range m.lines {
		if !m.freeLine(i) {
			continue
		}
		switch ps := m.fitting(i, enough); {
		case len(ps) > 1:
			m.doubt[i] = choices(len(ps), "", "postings have") + " its amount within the days"
		case len(ps) == 0:
		case len(m.fitted(ps[0], 2)) != 1:
			m.doubt[i] = "several lines have the amount of the one posting within the days"
		case m.elsewhere(i) != "":
			m.doubt[i] = "another posting of its amount within the days is suggested for " + m.elsewhere(i) + ", which nobody has decided"
		default:
			only = append(only, pair{i, ps[0]})
		}
	}
	for _, x := range only {
		lag := m.postings[x.posting].day - m.lines[x.line].day
		if m.lags[lag] == "" { // there are few
			m.lags[lag] = "equal amounts, " + lagText(lag) + ", the one possibility on both sides"
		}
		m.takePair(x, Amount, false, m.lags[lag])
	}
}

func lagText(lag int32) string {
	switch {
	case lag == 0:
		return "the same day"
	case lag == 1:
		return "posted a day later"
	case lag > 1:
		return fmt.Sprintf("posted %d days later", lag)
	case lag == -1:
		return "posted a day before"
	}
	return fmt.Sprintf("posted %d days before", -lag)
}

// nearly are open postings whose amounts are nearly that of a line, within the days
// and of a merchant that is alike; no more than so many. What has an equal within the
// days is left alone: nearly equal is not better than equal.
func (m *matcher) nearly(i, most int) (out []int) {
	l := &m.lines[i]
	if !m.freeLine(i) || l.name == 0 || m.hasFitting(i) {
		return nil
	}
	m.days.near(l, l.day+m.o.From, l.day+m.o.To, m.reach(l), func(p int) bool {
		if m.freePosting(p) && m.fits(i, p) && !m.hasFitted(p) {
			out = append(out, p)
		}
		return len(out) < most
	})
	return out
}

// nearlyOf are the lines of a posting, likewise.
func (m *matcher) nearlyOf(i, most int) (out []int) {
	p := &m.postings[i]
	if !m.freePosting(i) || p.name == 0 || m.hasFitted(i) {
		return nil
	}
	m.lineDays.near(p, p.day-m.o.To, p.day-m.o.From, m.tolerance(p), func(l int) bool {
		if m.freeLine(l) && m.fits(l, i) && !m.hasFitting(l) {
			out = append(out, l)
		}
		return len(out) < most
	})
	return out
}

// fits reports whether a line and a posting are nearly equal and of merchants that
// are alike.
func (m *matcher) fits(line, posting int) bool {
	l, p := &m.lines[line], &m.postings[posting]
	return m.near(l, p) && m.names.alike(l.name, p.name) && !m.refused(line, posting)
}

// tolerances matches amounts that are nearly equal, of merchants that are alike.
func (m *matcher) tolerances() {
	m.refresh()
	m.days, m.lineDays = newCalendar(m.postings), newCalendar(m.lines)
	var only []pair
	for i := range m.lines {
		switch ps := m.nearly(i, enough); {
		case len(ps) > 1:
			m.doubt[i] = choices(len(ps), "", "postings have") + " nearly its amount within the days, of a merchant that is alike"
		case len(ps) == 0:
		case len(m.nearlyOf(ps[0], 2)) == 1:
			only = append(only, pair{i, ps[0]})
		default:
			m.doubt[i] = "several lines are nearly of the amount of one posting"
		}
	}
	for _, x := range only {
		a, b := m.lineAmount(x.line), m.postingAmount(x.posting)
		m.takePair(x, Tolerance, false, fmt.Sprintf("the amounts differ by %s, the merchants are alike, %s, the one possibility on both sides",
			apart(a, b), lagText(m.postings[x.posting].day-m.lines[x.line].day)))
	}
}

// busyLine and busyPosting tell what a more precise rule could not decide about: that
// is no part of a sum.
func (m *matcher) busyLine(i int) bool    { return m.hasFitting(i) || len(m.nearly(i, 1)) > 0 }
func (m *matcher) busyPosting(i int) bool { return m.hasFitted(i) || len(m.nearlyOf(i, 1)) > 0 }

// reach is a distance beyond which no posting's tolerance goes: the share of a
// posting's amount may be a little more than that of the line's.
func (m *matcher) reach(x *entry) uint64 {
	t := m.tolerance(x)
	return t + share(t, uint64(m.o.PPM))*2 + 2
}

// apart writes how far two amounts are apart.
func apart(a, b bill.Amount) string {
	return bill.Amount{Currency: a.Currency, Value: int64(min(distance(a.Value, b.Value), 1<<62))}.Decimal() + " " + a.Currency
}

// suggest proposes to a person what no rule may decide.
func (m *matcher) suggest() {
	m.refresh()
	var pairs []pair
	for i := range m.lines {
		if !m.freeLine(i) || m.lines[i].name == 0 {
			continue
		}
		if p, ok := m.singledOut(i); ok {
			pairs = append(pairs, pair{i, p})
		}
	}
	for _, x := range pairs {
		m.takePair(x, Merchant, true, "equal amounts, "+lagText(m.postings[x.posting].day-m.lines[x.line].day)+"; of several possibilities the one whose merchant is alike")
	}
	pairs = pairs[:0]
	for i := range m.lines {
		l := &m.lines[i]
		if m.lineOut[i] || l.value == 0 {
			continue
		}
		for _, p := range m.named[i] {
			x := &m.postings[p]
			if !m.postOut[p] && l.currency == x.currency && (l.value < 0) == (x.value < 0) && !m.refused(i, int(p)) {
				pairs = append(pairs, pair{i, int(p)})
			}
		}
	}
	only, _ := m.unique(pairs)
	for _, x := range only {
		if m.lines[x.line].amount == m.postings[x.posting].amount { // left alone before, because others are in question, too
			continue
		}
		m.takePair(x, Differs, true, "it names it, and the amounts differ by "+apart(m.lineAmount(x.line), m.postingAmount(x.posting)))
	}
}

// singledOut is the one posting, of those of a line's amount within the days, whose
// merchant is alike, if the line is the one for the posting, too.
func (m *matcher) singledOut(i int) (posting int, ok bool) {
	const most = 200 // of that many, a name does not single one out
	alone := func(list []int, alike func(int) bool) (one int, ok bool) {
		n := 0
		for _, x := range list {
			if alike(x) {
				one = x
				n++
			}
		}
		return one, n == 1 && len(list) < most
	}
	posting, ok = alone(m.fitting(i, most), func(p int) bool { return m.names.alike(m.lines[i].name, m.postings[p].name) })
	if !ok {
		return 0, false
	}
	_, ok = alone(m.fitted(posting, most), func(l int) bool { return m.names.alike(m.lines[l].name, m.postings[posting].name) })
	return posting, ok
}

// result puts together what was found, as the caller counts lines and postings.
func (m *matcher) result() Result {
	r := Result{Exceptions: m.exceptions(), Matches: make([]Match, 0, len(m.found))}
	first := make([]int32, len(m.postings)) // matches by their first posting, from 1
	for i := range m.found {
		first[slices.Min(m.found[i].Postings)] = int32(i + 1)
	}
	for _, at := range first {
		if at == 0 {
			continue
		}
		x := m.found[at-1]
		for i, l := range x.Lines {
			x.Lines[i] = int(m.lineAt[l])
		}
		for i, p := range x.Postings {
			x.Postings[i] = int(m.postAt[p])
		}
		r.Matches = append(r.Matches, x)
	}
	return r
}

// words joins reasons.
func words(parts ...string) string { return strings.Join(parts, ", ") }

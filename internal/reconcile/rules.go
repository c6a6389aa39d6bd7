package reconcile

import (
	"fmt"
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
		if l.Amount.Value == 0 {
			continue
		}
		for _, p := range l.Named {
			if m.postings[p].Amount == l.Amount && !m.postOut[p] && !m.refused(i, int(p)) {
				pairs = append(pairs, pair{i, int(p)})
			}
		}
	}
	only, several := unique(pairs)
	for _, x := range only {
		what := "it names the order or the bill"
		if m.lines[x.line].Exact {
			what = "it names the line of the books"
		}
		m.take(Match{Rule: Reference, Lines: []int{x.line}, Postings: []int{x.posting}, Reason: what + ", and the amounts are equal"})
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
			for _, p := range m.lines[i].Named {
				m.claimed[p] = true
			}
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
// names one of these; and a posting with all open lines that name nothing else.
func (m *matcher) namedSums() {
	lines := map[int32][]int{} // open lines by the posting they name
	for i := range m.lines {
		if m.lineOut[i] || m.lines[i].Amount.Value == 0 {
			continue
		}
		for _, p := range m.lines[i].Named {
			if !m.postOut[p] {
				lines[p] = append(lines[p], i)
			}
		}
	}
	open := func(i int) (all []int) {
		for _, p := range m.lines[i].Named {
			if !m.postOut[p] {
				all = append(all, int(p))
			}
		}
		return all
	}
	for i := range m.lines {
		if m.lineOut[i] || len(m.lines[i].Named) == 0 {
			continue
		}
		ps := open(i)
		alone := func(p int) bool { return len(lines[int32(p)]) != 1 }
		if len(ps) >= 2 && len(ps) <= maxParts && !slices.ContainsFunc(ps, alone) && m.adds([]int{i}, ps) {
			m.take(Match{Rule: Sum, Lines: []int{i}, Postings: ps, Reason: fmt.Sprintf("the %d postings that it names add up to it", len(ps))})
		}
	}
	for p := range m.postings {
		ls := lines[int32(p)]
		if m.postOut[p] || len(ls) < 2 || len(ls) > maxParts {
			continue
		}
		other := func(l int) bool { return m.lineOut[l] || len(open(l)) != 1 }
		if !slices.ContainsFunc(ls, other) && m.adds(ls, []int{p}) {
			m.take(Match{Rule: Sum, Lines: ls, Postings: []int{p}, Reason: fmt.Sprintf("the %d lines that name it add up to it", len(ls))})
		}
	}
}

// adds reports whether two sides add up to the same, in one currency, and nobody
// has rejected that.
func (m *matcher) adds(lines, postings []int) bool {
	currency := m.postings[postings[0]].Amount.Currency
	var left, right int64
	ok := true
	for _, l := range lines {
		if m.lines[l].Amount.Currency != currency {
			return false
		}
		if left, ok = add(left, m.lines[l].Amount.Value); !ok {
			return false
		}
	}
	for _, p := range postings {
		if m.postings[p].Amount.Currency != currency {
			return false
		}
		if right, ok = add(right, m.postings[p].Amount.Value); !ok {
			return false
		}
	}
	return left == right && !m.refusedSum(lines, postings)
}

func (m *matcher) refusedSum(lines, postings []int) bool {
	if m.o.RefusedSums == nil {
		return false
	}
	back := func(at []int, list []int) []int {
		out := make([]int, len(list))
		for i, x := range list {
			out[i] = at[x]
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
		case len(m.fitted(ps[0], 2)) == 1:
			only = append(only, pair{i, ps[0]})
		default:
			m.doubt[i] = "several lines have the amount of the one posting within the days"
		}
	}
	for _, x := range only {
		m.take(Match{Rule: Amount, Lines: []int{x.line}, Postings: []int{x.posting},
			Reason: "equal amounts, " + lagText(m.postings[x.posting].Day-m.lines[x.line].Day) + ", the one possibility on both sides"})
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
	if !m.freeLine(i) || l.Name == "" || len(m.fitting(i, 1)) > 0 {
		return nil
	}
	m.days.near(l.Amount, l.Day+m.o.From, l.Day+m.o.To, m.reach(l.Amount), func(p int) bool {
		if m.freePosting(p) && m.fits(i, p) && len(m.fitted(p, 1)) == 0 {
			out = append(out, p)
		}
		return len(out) < most
	})
	return out
}

// nearlyOf are the lines of a posting, likewise.
func (m *matcher) nearlyOf(i, most int) (out []int) {
	p := &m.postings[i]
	if !m.freePosting(i) || p.Name == "" || len(m.fitted(i, 1)) > 0 {
		return nil
	}
	m.lineDays.near(p.Amount, p.Day-m.o.To, p.Day-m.o.From, m.tolerance(p.Amount), func(l int) bool {
		if m.freeLine(l) && m.fits(l, i) && len(m.fitting(l, 1)) == 0 {
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
	return m.near(l.Amount, p.Amount) && m.names.alike(l.Name, p.Name) && !m.refused(line, posting)
}

// tolerances matches amounts that are nearly equal, of merchants that are alike.
func (m *matcher) tolerances() {
	m.refresh()
	m.days = newCalendar(len(m.postings), m.posting)
	m.lineDays = newCalendar(len(m.lines), m.line)
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
		a, b := m.lines[x.line].Amount, m.postings[x.posting].Amount
		m.take(Match{Rule: Tolerance, Lines: []int{x.line}, Postings: []int{x.posting}, Reason: fmt.Sprintf("the amounts differ by %s, the merchants are alike, %s, the one possibility on both sides",
			apart(a, b), lagText(m.postings[x.posting].Day-m.lines[x.line].Day))})
	}
}

// busyLine and busyPosting tell what a more precise rule could not decide about: that
// is no part of a sum.
func (m *matcher) busyLine(i int) bool { return len(m.fitting(i, 1)) > 0 || len(m.nearly(i, 1)) > 0 }
func (m *matcher) busyPosting(i int) bool {
	return len(m.fitted(i, 1)) > 0 || len(m.nearlyOf(i, 1)) > 0
}

// reach is a distance beyond which no posting's tolerance goes: the share of a
// posting's amount may be a little more than that of the line's.
func (m *matcher) reach(a bill.Amount) uint64 {
	t := m.tolerance(a)
	return t + share(t, uint64(m.o.PPM))*2 + 2
}

// apart writes how far two amounts are apart.
func apart(a, b bill.Amount) string {
	return bill.Amount{Currency: a.Currency, Value: int64(min(distance(a.Value, b.Value), 1<<62))}.Decimal() + " " + a.Currency
}

// suggest proposes to a person what no rule may decide.
func (m *matcher) suggest() {
	m.refresh()
	const most = 200 // of that many, a name does not single one out
	var pairs []pair
	for i := range m.lines {
		if !m.freeLine(i) || m.lines[i].Name == "" {
			continue
		}
		ps := m.fitting(i, most)
		alike := slices.DeleteFunc(slices.Clone(ps), func(p int) bool { return !m.names.alike(m.lines[i].Name, m.postings[p].Name) })
		if len(ps) == most || len(alike) != 1 {
			continue
		}
		p := alike[0]
		ls := m.fitted(p, most)
		others := slices.DeleteFunc(slices.Clone(ls), func(l int) bool { return !m.names.alike(m.lines[l].Name, m.postings[p].Name) })
		if len(ls) < most && len(others) == 1 {
			pairs = append(pairs, pair{i, p})
		}
	}
	for _, x := range pairs {
		m.take(Match{Rule: Merchant, Suggested: true, Lines: []int{x.line}, Postings: []int{x.posting},
			Reason: "equal amounts, " + lagText(m.postings[x.posting].Day-m.lines[x.line].Day) + "; of several possibilities the one whose merchant is alike"})
	}
	pairs = pairs[:0]
	for i := range m.lines {
		if m.lineOut[i] || m.lines[i].Amount.Value == 0 {
			continue
		}
		for _, p := range m.lines[i].Named {
			a, b := m.lines[i].Amount, m.postings[p].Amount
			if !m.postOut[p] && a.Currency == b.Currency && (a.Value < 0) == (b.Value < 0) && !m.refused(i, int(p)) {
				pairs = append(pairs, pair{i, int(p)})
			}
		}
	}
	only, _ := unique(pairs)
	for _, x := range only {
		a, b := m.lines[x.line].Amount, m.postings[x.posting].Amount
		if a == b { // left alone before, because others are in question, too
			continue
		}
		m.take(Match{Rule: Differs, Suggested: true, Lines: []int{x.line}, Postings: []int{x.posting},
			Reason: fmt.Sprintf("it names it, and the amounts differ by %s", apart(a, b))})
	}
}

// result puts together what was found, as the caller counts lines and postings.
func (m *matcher) result() Result {
	r := Result{Exceptions: m.exceptions()}
	for _, x := range m.found {
		y := Match{Rule: x.Rule, Suggested: x.Suggested, Reason: x.Reason}
		for _, l := range x.Lines {
			y.Lines = append(y.Lines, m.lineAt[l])
		}
		for _, p := range x.Postings {
			y.Postings = append(y.Postings, m.postAt[p])
		}
		r.Matches = append(r.Matches, y)
	}
	at := order(len(m.found), func(a, b int) int { return slices.Compare(m.found[a].Postings, m.found[b].Postings) })
	sorted := make([]Match, len(at))
	for i, x := range at {
		sorted[i] = r.Matches[x]
	}
	r.Matches = sorted
	return r
}

// words joins reasons.
func words(parts ...string) string { return strings.Join(parts, ", ") }

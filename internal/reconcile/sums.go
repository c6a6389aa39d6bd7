package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
)

// Limits of the search for sums.
const (
	maxParts      = 5  // lines that together are one
	maxCandidates = 20 // of which they are chosen: at most 21,679 choices
	maxSolutions  = 50 // of one sum; with more, all that could be in one are in doubt
)

// A group is a side's open entries of one currency and name, by day.
type group struct{ currency, name int32 }

// A grouping is one side by group, with the groups of the other side that are alike.
type grouping struct {
	side  []entry
	of    map[group][]int
	alike map[group][]group
}

// A solution is one way to add up.
type solution struct{ lines, postings []int }

// sums matches one line with several postings, or one posting with several lines,
// that add up to it: all of one currency, within the days, of merchants that are
// alike, and all in or all out. Postings of one bill may be of both kinds, if all
// that are open add up.
func (m *matcher) sums() {
	m.refresh()
	lines, postings := m.groupings()
	var all []solution
	disputed := map[int]bool{} // lines; postings are counted below zero
	for _, g := range m.sortedGroups(lines.of) {
		if len(lines.alike[g]) == 0 {
			continue
		}
		for _, i := range lines.of[g] {
			l := &m.lines[i]
			parts := postings.parts(lines.alike[g], l, l.day+m.o.From, l.day+m.o.To)
			all = append(all, m.choose(i, l, parts, m.postings, disputed, false)...)
		}
	}
	for _, g := range m.sortedGroups(postings.of) {
		if len(postings.alike[g]) == 0 {
			continue
		}
		for _, i := range postings.of[g] {
			p := &m.postings[i]
			parts := lines.parts(postings.alike[g], p, p.day-m.o.To, p.day-m.o.From)
			all = append(all, m.choose(i, p, parts, m.lines, disputed, true)...)
		}
	}
	all = append(all, m.bills(postings)...)
	m.takeSums(all, disputed)
}

// groupings are the open entries with a name, of both sides.
func (m *matcher) groupings() (lines, postings grouping) {
	lines, postings = grouping{m.lines, map[group][]int{}, map[group][]group{}}, grouping{m.postings, map[group][]int{}, map[group][]group{}}
	for i := range m.lines {
		if l := &m.lines[i]; m.freeLine(i) && l.name != 0 && !m.busyLine(i) {
			g := group{l.currency, l.name}
			lines.of[g] = append(lines.of[g], i)
		}
	}
	first := map[string][]group{} // groups of lines by currency and how their names begin
	for _, g := range m.sortedGroups(lines.of) {
		for _, k := range m.begin(g) {
			first[k] = append(first[k], g)
		}
	}
	if len(first) == 0 {
		return lines, postings
	}
	for i := range m.postings {
		p := &m.postings[i]
		if !m.freePosting(i) || p.name == 0 {
			continue
		}
		g := group{p.currency, p.name}
		alike, ok := postings.alike[g]
		if !ok {
			alike = m.alikeGroups(g, first)
			postings.alike[g] = alike
		}
		if len(alike) > 0 && !m.busyPosting(i) {
			postings.of[g] = append(postings.of[g], i)
		}
	}
	for _, g := range m.sortedGroups(postings.of) {
		for _, h := range postings.alike[g] {
			lines.alike[h] = append(lines.alike[h], g)
		}
	}
	lines.sort()
	postings.sort()
	return lines, postings
}

// sort puts the entries of each group in the order of their days.
func (g *grouping) sort() {
	for _, list := range g.of {
		slices.SortFunc(list, func(a, b int) int { return cmp.Or(cmp.Compare(g.side[a].day, g.side[b].day), cmp.Compare(a, b)) })
	}
}

// alikeGroups are the groups of lines whose names are like that of a group of
// postings.
func (m *matcher) alikeGroups(g group, first map[string][]group) (out []group) {
	for _, k := range m.begin(g) {
		for _, h := range first[k] {
			if m.names.alike(g.name, h.name) && !slices.Contains(out, h) {
				out = append(out, h)
			}
		}
	}
	slices.SortFunc(out, m.compareGroups)
	return out
}

// begin are keys of which two names that are alike have one in common, nearly
// always: that spares comparing all names with all.
func (m *matcher) begin(g group) []string {
	words, currency := wordsOf(m.names.text(g.name)), m.currencies.texts[g.currency]
	if len(words) == 0 {
		return nil
	}
	runes := []rune(words[0])
	keys := []string{currency + " " + string(runes[:min(3, len(runes))])}
	if last := words[len(words)-1]; len(words) > 1 && last != words[0] {
		keys = append(keys, currency+" "+last)
	}
	return keys
}

func (m *matcher) compareGroups(g, h group) int {
	return cmp.Or(cmp.Compare(m.currencies.texts[g.currency], m.currencies.texts[h.currency]), cmp.Compare(m.names.text(g.name), m.names.text(h.name)))
}

func (m *matcher) sortedGroups(of map[group][]int) []group {
	return slices.SortedFunc(maps.Keys(of), m.compareGroups)
}

// parts are the entries of some groups that can be parts of a whole: within the days,
// of its sign, and smaller.
func (g *grouping) parts(groups []group, whole *entry, from, to int32) (out []int) {
	for _, h := range groups {
		list := g.of[h]
		at := sort.Search(len(list), func(i int) bool { return g.side[list[i]].day >= from })
		for _, i := range list[at:] {
			x := &g.side[i]
			if x.day > to {
				break
			}
			if (x.value < 0) == (whole.value < 0) && x.value != 0 && magnitude(x.value) < magnitude(whole.value) {
				out = append(out, i)
			}
		}
	}
	return out
}

// choose finds all ways in which some parts add up to a whole, which is a line or, if
// posting is set, a posting. What is in doubt because there are too many is disputed.
func (m *matcher) choose(whole int, sum *entry, parts []int, side []entry, disputed map[int]bool, posting bool) (out []solution) {
	if len(parts) < 2 {
		return nil
	}
	if len(parts) > maxCandidates {
		if !reaches(sum.value, parts, side) {
			return nil
		}
		if !posting && m.doubt[whole] == "" {
			m.doubt[whole] = fmt.Sprintf("it may be a sum of several: %d postings could be parts of it, too many to try", len(parts))
		}
		// Nobody knows whether one of them belongs here, so none is matched elsewhere.
		disputed[sided(whole, posting)] = true
		for _, p := range parts {
			disputed[sided(p, !posting)] = true
		}
		return nil
	}
	values := make([]uint64, len(parts))
	slices.SortFunc(parts, func(a, b int) int {
		return cmp.Or(cmp.Compare(magnitude(side[b].value), magnitude(side[a].value)), cmp.Compare(a, b))
	})
	for i, p := range parts {
		values[i] = magnitude(side[p].value)
	}
	s := search{values: values, found: func(chosen []int) bool {
		list := make([]int, len(chosen))
		for i, c := range chosen {
			list[i] = parts[c]
		}
		slices.Sort(list)
		x := solution{[]int{whole}, list}
		if posting {
			x = solution{list, []int{whole}}
		}
		if !m.refusedSum(x.lines, x.postings) {
			out = append(out, x)
		}
		return len(out) <= maxSolutions
	}}
	s.run(0, magnitude(sum.value))
	if len(out) > maxSolutions {
		for _, p := range parts {
			disputed[sided(p, !posting)] = true
		}
	}
	return out
}

// reaches reports whether as many parts as a sum may have can be as much as a whole.
func reaches(whole int64, parts []int, side []entry) bool {
	var largest [maxParts]uint64
	for _, p := range parts {
		v := magnitude(side[p].value)
		for i := range largest {
			if v > largest[i] {
				v, largest[i] = largest[i], v
			}
		}
	}
	rest := magnitude(whole)
	for _, v := range largest {
		if v >= rest {
			return true
		}
		rest -= v
	}
	return false
}

// sided numbers lines and postings apart: postings are below zero.
func sided(i int, posting bool) int {
	if posting {
		return -1 - i
	}
	return i
}

// A search goes through the choices of two to maxParts values, the largest first,
// that add up to a rest.
type search struct {
	values []uint64
	chosen []int
	found  func(chosen []int) bool // false: enough
}

func (s *search) run(from int, rest uint64) bool {
	left := maxParts - len(s.chosen)
	for i := from; i < len(s.values) && left > 0; i++ {
		v := s.values[i]
		switch {
		case v > rest:
			continue
		case v < (rest+uint64(left)-1)/uint64(left): // even so many of it are too little
			return true
		}
		s.chosen = append(s.chosen, i)
		more := true
		if v == rest {
			if len(s.chosen) >= 2 {
				more = s.found(s.chosen)
			}
		} else {
			more = s.run(i+1, rest-v)
		}
		s.chosen = s.chosen[:len(s.chosen)-1]
		if !more {
			return false
		}
	}
	return true
}

// bills finds lines that are what all open postings of a bill add up to, if some of
// these are money out and some money in: a purchase less what came back of it.
func (m *matcher) bills(postings grouping) (out []solution) {
	var open []int
	for _, list := range postings.of {
		open = append(open, list...)
	}
	number := func(p int) int64 { return m.posted[m.postAt[p]].Bill }
	slices.SortFunc(open, func(a, b int) int { return cmp.Or(cmp.Compare(number(a), number(b)), cmp.Compare(a, b)) })
	for from, to := 0, 0; from < len(open); from = to {
		for to = from + 1; to < len(open) && number(open[to]) == number(open[from]); to++ {
		}
		list := open[from:to:to]
		sum, ok := m.mixed(list)
		if !ok || len(list) > maxParts {
			continue
		}
		amount, ok := m.amount[sum]
		if !ok {
			continue
		}
		for _, l := range m.lineBy.of(amount) {
			if i := int(l); m.freeLine(i) && m.lines[i].name != 0 && !m.busyLine(i) && m.fitsBill(i, list) && !m.refusedSum([]int{i}, list) {
				out = append(out, solution{[]int{i}, list})
			}
		}
	}
	slices.SortFunc(out, solution.compare)
	return out
}

// mixed adds up postings of both signs and one currency.
func (m *matcher) mixed(list []int) (sum money, ok bool) {
	sum.currency = m.postings[list[0]].currency
	var in, spent bool
	for _, p := range list {
		x := &m.postings[p]
		in, spent = in || x.value > 0, spent || x.value < 0
		if sum.value, ok = add(sum.value, x.value); !ok || x.currency != sum.currency {
			return sum, false
		}
	}
	return sum, in && spent
}

// fitsBill reports whether a line is within the days of one of a bill's postings, and
// of a merchant like that of the bill.
func (m *matcher) fitsBill(line int, list []int) bool {
	l := &m.lines[line]
	return slices.ContainsFunc(list, func(p int) bool {
		return m.within(l, &m.postings[p]) && m.names.alike(l.name, m.postings[p].name)
	})
}

func (s solution) compare(t solution) int {
	return cmp.Or(slices.Compare(s.lines, t.lines), slices.Compare(s.postings, t.postings))
}

// takeSums takes the solutions that share nothing with another one.
func (m *matcher) takeSums(all []solution, disputed map[int]bool) {
	slices.SortFunc(all, solution.compare)
	all = slices.CompactFunc(all, func(a, b solution) bool { return a.compare(b) == 0 })
	uses := map[int]int{}
	each := func(s solution, fn func(key int)) {
		for _, l := range s.lines {
			fn(sided(l, false))
		}
		for _, p := range s.postings {
			fn(sided(p, true))
		}
	}
	for _, s := range all {
		each(s, func(k int) { uses[k]++ })
	}
	for _, s := range all {
		only, sure := true, true
		each(s, func(k int) { only, sure = only && uses[k] == 1, sure && !disputed[k] })
		if !only || !sure {
			for _, l := range s.lines {
				switch {
				case m.doubt[l] != "":
				case only:
					m.doubt[l] = "what adds up to it could be part of other sums, too many to try"
				default:
					m.doubt[l] = "it adds up in several ways"
				}
			}
			continue
		}
		reason := fmt.Sprintf("%d postings of merchants that are alike add up to it within the days, in one way only", len(s.postings))
		if len(s.lines) > 1 {
			reason = fmt.Sprintf("%d lines of merchants that are alike add up to it within the days, in one way only", len(s.lines))
		}
		m.take(Match{Rule: Sum, Lines: s.lines, Postings: s.postings, Reason: reason})
	}
}

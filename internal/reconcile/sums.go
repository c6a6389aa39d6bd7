package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"sort"

	"billsync/internal/bill"
)

// Limits of the search for sums.
const (
	maxParts      = 5  // lines that together are one
	maxCandidates = 20 // of which they are chosen: at most 21,679 choices
	maxSolutions  = 50 // of one sum; with more, all that could be in one are in doubt
)

// A group is a side's open items of one currency and name, by day.
type group struct {
	currency, name string
}

// A grouping is one side by group, with the groups of the other side that are alike.
type grouping struct {
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
	for _, g := range sortedGroups(lines.of) {
		if len(lines.alike[g]) == 0 {
			continue
		}
		for _, i := range lines.of[g] {
			l := &m.lines[i]
			parts := m.parts(postings, lines.alike[g], l.Amount, l.Day+m.o.From, l.Day+m.o.To, m.posting)
			all = append(all, m.choose(i, l.Amount, parts, m.posting, disputed, false)...)
		}
	}
	for _, g := range sortedGroups(postings.of) {
		if len(postings.alike[g]) == 0 {
			continue
		}
		for _, i := range postings.of[g] {
			p := &m.postings[i]
			parts := m.parts(lines, postings.alike[g], p.Amount, p.Day-m.o.To, p.Day-m.o.From, m.line)
			all = append(all, m.choose(i, p.Amount, parts, m.line, disputed, true)...)
		}
	}
	all = append(all, m.bills(postings)...)
	m.takeSums(all, disputed)
}

func (m *matcher) line(i int) item    { return item{m.lines[i].Amount, m.lines[i].Day} }
func (m *matcher) posting(i int) item { return item{m.postings[i].Amount, m.postings[i].Day} }

// groupings are the open items with a name, of both sides.
func (m *matcher) groupings() (lines, postings grouping) {
	lines, postings = grouping{map[group][]int{}, map[group][]group{}}, grouping{map[group][]int{}, map[group][]group{}}
	for i := range m.lines {
		if l := &m.lines[i]; m.freeLine(i) && l.Name != "" && !m.busyLine(i) {
			g := group{l.Amount.Currency, l.Name}
			lines.of[g] = append(lines.of[g], i)
		}
	}
	first := map[string][]group{} // groups of lines by currency and how their names begin
	for _, g := range sortedGroups(lines.of) {
		for _, k := range begin(g) {
			first[k] = append(first[k], g)
		}
	}
	for i := range m.postings {
		p := &m.postings[i]
		if !m.freePosting(i) || p.Name == "" {
			continue
		}
		g := group{p.Amount.Currency, p.Name}
		if _, ok := postings.alike[g]; !ok {
			postings.alike[g] = m.alikeGroups(g, first)
		}
		if len(postings.alike[g]) > 0 && !m.busyPosting(i) {
			postings.of[g] = append(postings.of[g], i)
		}
	}
	for _, g := range sortedGroups(postings.of) {
		for _, h := range postings.alike[g] {
			lines.alike[h] = append(lines.alike[h], g)
		}
	}
	for _, list := range lines.of {
		slices.SortFunc(list, func(a, b int) int {
			return cmp.Or(cmp.Compare(m.lines[a].Day, m.lines[b].Day), cmp.Compare(a, b))
		})
	}
	for _, list := range postings.of {
		slices.SortFunc(list, func(a, b int) int {
			return cmp.Or(cmp.Compare(m.postings[a].Day, m.postings[b].Day), cmp.Compare(a, b))
		})
	}
	return lines, postings
}

// alikeGroups are the groups of lines whose names are like that of a group of
// postings.
func (m *matcher) alikeGroups(g group, first map[string][]group) (out []group) {
	for _, k := range begin(g) {
		for _, h := range first[k] {
			if m.names.alike(g.name, h.name) && !slices.Contains(out, h) {
				out = append(out, h)
			}
		}
	}
	slices.SortFunc(out, group.compare)
	return out
}

// begin are keys of which two names that are alike have one in common, nearly
// always: that spares comparing all names with all.
func begin(g group) []string {
	words := wordsOf(g.name)
	if len(words) == 0 {
		return nil
	}
	runes := []rune(words[0])
	keys := []string{g.currency + " " + string(runes[:min(3, len(runes))])}
	if last := words[len(words)-1]; len(words) > 1 && last != words[0] {
		keys = append(keys, g.currency+" "+last)
	}
	return keys
}

func (g group) compare(h group) int {
	return cmp.Or(cmp.Compare(g.currency, h.currency), cmp.Compare(g.name, h.name))
}

func sortedGroups(of map[group][]int) []group {
	all := make([]group, 0, len(of))
	for g := range of {
		all = append(all, g)
	}
	slices.SortFunc(all, group.compare)
	return all
}

// parts are the items of some groups that can be parts of a whole: within the days,
// of its sign, and smaller.
func (m *matcher) parts(g grouping, groups []group, whole bill.Amount, from, to int32, of func(int) item) (out []int) {
	for _, h := range groups {
		list := g.of[h]
		at := sort.Search(len(list), func(i int) bool { return of(list[i]).day >= from })
		for _, i := range list[at:] {
			x := of(i)
			if x.day > to {
				break
			}
			if (x.amount.Value < 0) == (whole.Value < 0) && x.amount.Value != 0 && magnitude(x.amount.Value) < magnitude(whole.Value) {
				out = append(out, i)
			}
		}
	}
	return out
}

// choose finds all ways in which some parts add up to a whole, which is a line or, if
// posting is set, a posting. What is in doubt because there are too many is disputed.
func (m *matcher) choose(whole int, amount bill.Amount, parts []int, of func(int) item, disputed map[int]bool, posting bool) (out []solution) {
	if len(parts) < 2 {
		return nil
	}
	if len(parts) > maxCandidates {
		if !reaches(amount, parts, of) {
			return nil
		}
		if !posting && m.doubt[whole] == "" {
			m.doubt[whole] = fmt.Sprintf("it may be a sum of several: %d postings could be parts of it, too many to try", len(parts))
		}
		// Nobody knows whether one of them belongs here, so none is matched elsewhere.
		disputed[side(whole, posting)] = true
		for _, p := range parts {
			disputed[side(p, !posting)] = true
		}
		return nil
	}
	values := make([]uint64, len(parts))
	slices.SortFunc(parts, func(a, b int) int {
		return cmp.Or(cmp.Compare(magnitude(of(b).amount.Value), magnitude(of(a).amount.Value)), cmp.Compare(a, b))
	})
	for i, p := range parts {
		values[i] = magnitude(of(p).amount.Value)
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
	s.run(0, magnitude(amount.Value))
	if len(out) > maxSolutions {
		for _, p := range parts {
			disputed[side(p, !posting)] = true
		}
	}
	return out
}

// reaches reports whether as many parts as a sum may have can be as much as a whole.
func reaches(whole bill.Amount, parts []int, of func(int) item) bool {
	var largest [maxParts]uint64
	for _, p := range parts {
		v := magnitude(of(p).amount.Value)
		for i := range largest {
			if v > largest[i] {
				v, largest[i] = largest[i], v
			}
		}
	}
	rest := magnitude(whole.Value)
	for _, v := range largest {
		if v >= rest {
			return true
		}
		rest -= v
	}
	return false
}

// side numbers lines and postings apart: postings are below zero.
func side(i int, posting bool) int {
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
	of := map[int64][]int{}
	for _, list := range postings.of {
		for _, p := range list {
			of[m.postings[p].Bill] = append(of[m.postings[p].Bill], p)
		}
	}
	for number, list := range of {
		slices.Sort(list)
		a, ok := m.mixed(list)
		if !ok || len(list) > maxParts {
			delete(of, number)
			continue
		}
		for _, l := range m.lineBy[a] {
			if i := int(l); m.freeLine(i) && m.lines[i].Name != "" && !m.busyLine(i) && m.fitsBill(i, list) && !m.refusedSum([]int{i}, list) {
				out = append(out, solution{[]int{i}, list})
			}
		}
	}
	slices.SortFunc(out, solution.compare)
	return out
}

// mixed adds up postings of both signs and one currency.
func (m *matcher) mixed(list []int) (sum bill.Amount, ok bool) {
	sum.Currency = m.postings[list[0]].Amount.Currency
	var in, spent bool
	for _, p := range list {
		a := m.postings[p].Amount
		in, spent = in || a.Value > 0, spent || a.Value < 0
		if sum.Value, ok = add(sum.Value, a.Value); !ok || a.Currency != sum.Currency {
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
		return m.within(l, &m.postings[p]) && m.names.alike(l.Name, m.postings[p].Name)
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
			fn(side(l, false))
		}
		for _, p := range s.postings {
			fn(side(p, true))
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

// Package reconcile matches the lines of a company's own ledger with the postings of
// the books.
//
// Rules have their turns in a fixed order, the most precise first; what one has
// matched is out for the next. A rule matches only what is the one possibility on
// both sides: of several that fit, none is taken, and the lines say between which
// they could not choose. So nothing depends on the order in which lines or postings
// come, and whoever reads a match can make sure of it with the two sides alone.
package reconcile

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"billsync/internal/bill"
)

// A Line is a line of the ledger. Amounts are from the company's view: what left is
// negative.
type Line struct {
	Key    string // its own; decides the order of equals
	Number int    // in the file, for people
	Day    int32  // days since 1970
	Amount bill.Amount
	Name   string // of the merchant, by the rules for names; "" if there is none
	// Named: the line names orders, bills or lines of the books that are known; these
	// are their postings. Such a line is matched with one of them or not at all.
	Named []int32
	// Exact: it names postings themselves, not only their bills.
	Exact bool
}

// A Posting is a line of the books.
type Posting struct {
	Bill   int64
	Line   int32 // of the bill
	Day    int32
	Amount bill.Amount
	Name   string
	// Taken: it is matched already, by a person or in another ledger, with what this
	// says. It is matched with nothing else, and lines that it would fit are told so.
	Taken string
}

// Options are the limits of the rules.
type Options struct {
	From, To int32 // how many days after the ledger's line the posting may be: 0 to 5
	// Two amounts are near if they differ by no more than PPM millionths of the
	// posting, and no more than Limit of the currency's unit (in millionths of it).
	PPM, Limit int64
	// Refused are pairs that a person has rejected, RefusedSums whole matches.
	Refused     func(line, posting int) bool
	RefusedSums func(lines, postings []int) bool
}

// A Rule is why two sides belong together.
type Rule string

// The rules, in their order.
const (
	Reference Rule = "reference"         // the line names the order, the bill or the posting; the amounts are equal
	Amount    Rule = "amount"            // equal amounts within the days, the one possibility on both sides
	Tolerance Rule = "tolerance"         // nearly equal amounts within the days, merchants alike
	Sum       Rule = "sum"               // several on one side add up to one on the other
	Merchant  Rule = "amount_merchant"   // suggested: of several with equal amounts the one whose merchant is alike
	Differs   Rule = "reference_differs" // suggested: named, and the amounts differ
)

// A Match is lines and postings that belong together. One side has one of them.
type Match struct {
	Rule      Rule
	Suggested bool // a person must decide
	Lines     []int
	Postings  []int
	Reason    string
}

// A Code is why a line is not matched.
type Code string

// The reasons, as far as programs tell them apart.
const (
	Zero      Code = "zero"      // nothing moved
	Ambiguous Code = "ambiguous" // several fit
	Taken     Code = "taken"     // what fits is matched with another line
	Refused   Code = "rejected"  // what fits was rejected
	Differing Code = "differs"   // something comes near, and is not near enough
	Missing   Code = "missing"   // nothing comes near
)

// An Exception is a line that is not matched.
type Exception struct {
	Line       int
	Code       Code
	Reason     string
	Candidates []Candidate // the nearest, at most three
}

// A Candidate is a posting that comes near a line.
type Candidate struct {
	Posting int
	Reason  string // what speaks for it and what against
}

// A Result is what matching came to. Matches are in the order of their first
// posting, exceptions in that of their lines' keys.
type Result struct {
	Matches    []Match
	Exceptions []Exception
}

// A matcher is a matching under way. Lines and postings are sorted first, so that
// all that follows goes through them in an order of its own; where is what maps
// back.
type matcher struct {
	o        Options
	lines    []Line
	postings []Posting
	lineAt   []int // of the caller
	postAt   []int
	lineOut  []bool // matched
	postOut  []bool
	claimed  []bool                  // postings that a line names
	byAmount map[bill.Amount][]int32 // postings by amount, by day; those of amounts that lines have
	lineBy   map[bill.Amount][]int32 // lines
	openBy   map[bill.Amount][]int32 // what of both is open
	openLine map[bill.Amount][]int32
	names    *likeness
	days     *calendar // of postings
	lineDays *calendar
	found    []Match
	doubt    map[int]string // lines between whose possibilities nobody could choose, and why
}

// Find matches lines with postings. Keys of lines are different from each other, and
// so are bill and line of postings.
func Find(lines []Line, postings []Posting, o Options) Result {
	m := newMatcher(lines, postings, o)
	m.references()
	m.amounts()
	m.tolerances()
	m.sums()
	m.suggest()
	return m.result()
}

func newMatcher(lines []Line, postings []Posting, o Options) *matcher {
	m := &matcher{o: o, doubt: map[int]string{}, names: newLikeness()}
	m.lineAt = order(len(lines), func(a, b int) int { return cmp.Compare(lines[a].Key, lines[b].Key) })
	m.postAt = order(len(postings), func(a, b int) int {
		x, y := &postings[a], &postings[b]
		return cmp.Or(cmp.Compare(x.Bill, y.Bill), cmp.Compare(x.Line, y.Line))
	})
	m.lines, m.postings = make([]Line, len(lines)), make([]Posting, len(postings))
	m.lineOut, m.postOut = make([]bool, len(lines)), make([]bool, len(postings))
	back := make([]int32, len(postings))
	for i, at := range m.postAt {
		m.postings[i], back[at] = postings[at], int32(i)
		m.postOut[i] = postings[at].Taken != ""
	}
	m.claimed = make([]bool, len(postings))
	for i, at := range m.lineAt {
		m.lines[i] = lines[at]
		l := &m.lines[i]
		l.Named = slices.Clone(l.Named)
		for j, p := range l.Named {
			l.Named[j] = back[p]
			m.claimed[back[p]] = true
		}
		slices.Sort(l.Named)
		l.Named = slices.Compact(l.Named)
	}
	m.index()
	return m
}

func order(n int, compare func(a, b int) int) []int {
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	slices.SortFunc(at, compare)
	return at
}

// index finds lines and postings by amount. Only amounts that lines have matter.
func (m *matcher) index() {
	m.lineBy, m.byAmount = map[bill.Amount][]int32{}, map[bill.Amount][]int32{}
	for i := range m.lines {
		m.lineBy[m.lines[i].Amount] = append(m.lineBy[m.lines[i].Amount], int32(i))
	}
	for i := range m.postings {
		if a := m.postings[i].Amount; len(m.lineBy[a]) > 0 {
			m.byAmount[a] = append(m.byAmount[a], int32(i))
		}
	}
	for _, list := range m.lineBy {
		slices.SortFunc(list, func(a, b int32) int { return cmp.Or(cmp.Compare(m.lines[a].Day, m.lines[b].Day), cmp.Compare(a, b)) })
	}
	for _, list := range m.byAmount {
		slices.SortFunc(list, func(a, b int32) int {
			return cmp.Or(cmp.Compare(m.postings[a].Day, m.postings[b].Day), cmp.Compare(a, b))
		})
	}
}

// refresh finds anew what is open, by amount.
func (m *matcher) refresh() {
	m.openBy, m.openLine = map[bill.Amount][]int32{}, map[bill.Amount][]int32{}
	for a, list := range m.lineBy {
		for _, l := range list {
			if m.freeLine(int(l)) {
				m.openLine[a] = append(m.openLine[a], l)
			}
		}
	}
	for a, list := range m.byAmount {
		if len(m.openLine[a]) == 0 {
			continue
		}
		for _, p := range list {
			if m.freePosting(int(p)) {
				m.openBy[a] = append(m.openBy[a], p)
			}
		}
	}
}

// fitting are open postings of a line's amount within the days; no more than so many.
func (m *matcher) fitting(i, most int) (out []int) {
	l := &m.lines[i]
	list := m.openBy[l.Amount]
	at := sort.Search(len(list), func(j int) bool { return m.postings[list[j]].Day >= l.Day+m.o.From })
	for _, p := range list[at:] {
		if len(out) == most || m.postings[p].Day > l.Day+m.o.To {
			break
		}
		if m.freePosting(int(p)) && !m.refused(i, int(p)) {
			out = append(out, int(p))
		}
	}
	return out
}

// fitted are open lines of a posting's amount within the days; no more than so many.
func (m *matcher) fitted(i, most int) (out []int) {
	p := &m.postings[i]
	list := m.openLine[p.Amount]
	at := sort.Search(len(list), func(j int) bool { return m.lines[list[j]].Day >= p.Day-m.o.To })
	for _, l := range list[at:] {
		if len(out) == most || m.lines[l].Day > p.Day-m.o.From {
			break
		}
		if m.freeLine(int(l)) && !m.refused(int(l), i) {
			out = append(out, int(l))
		}
	}
	return out
}

// within reports whether a posting's day is one on which a line's may be.
func (m *matcher) within(l *Line, p *Posting) bool {
	lag := p.Day - l.Day
	return lag >= m.o.From && lag <= m.o.To
}

// freeLine reports whether a line may be matched by what it says, not by a
// reference; freePosting whether a posting may.
func (m *matcher) freeLine(i int) bool {
	return !m.lineOut[i] && len(m.lines[i].Named) == 0 && m.lines[i].Amount.Value != 0
}
func (m *matcher) freePosting(i int) bool { return !m.postOut[i] && !m.claimed[i] }

// refused reports whether a person has rejected a pair. The callback knows lines and
// postings as the caller does.
func (m *matcher) refused(line, posting int) bool {
	return m.o.Refused != nil && m.o.Refused(m.lineAt[line], m.postAt[posting])
}

// take writes down a match.
func (m *matcher) take(x Match) {
	for _, l := range x.Lines {
		m.lineOut[l] = true
	}
	for _, p := range x.Postings {
		m.postOut[p] = true
	}
	m.found = append(m.found, x)
}

// A pair is a line and a posting that fit.
type pair struct{ line, posting int }

// unique are the pairs in which neither side has another possibility. Of the lines
// and postings that have several, doubt is told.
func unique(pairs []pair) (only []pair, several map[int]int) {
	lines, postings := map[int]int{}, map[int]int{}
	for _, x := range pairs {
		lines[x.line]++
		postings[x.posting]++
	}
	several = map[int]int{}
	for _, x := range pairs {
		if lines[x.line] == 1 && postings[x.posting] == 1 {
			only = append(only, x)
			continue
		}
		several[x.line] = max(several[x.line], lines[x.line])
	}
	return only, several
}

// near reports whether two amounts are as near as the tolerance allows.
func (m *matcher) near(a, b bill.Amount) bool {
	if a.Currency != b.Currency || (a.Value < 0) != (b.Value < 0) {
		return false
	}
	diff := distance(a.Value, b.Value)
	return diff <= m.tolerance(b)
}

// tolerance is how far from a posting's amount a line's may be.
func (m *matcher) tolerance(a bill.Amount) uint64 {
	places, _ := bill.Decimals(a.Currency)
	limit := uint64(m.o.Limit)
	for range places {
		limit *= 10 // at most 10^18 * 10^3 below, see Options
	}
	return min(share(magnitude(a.Value), uint64(m.o.PPM)), limit/million)
}

const million = 1_000_000

// share is ppm millionths of a value, rounded down.
func share(value, ppm uint64) uint64 {
	return value/million*ppm + value%million*ppm/million
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return uint64(-(v + 1)) + 1
	}
	return uint64(v)
}

// distance is how far two values are apart.
func distance(a, b int64) uint64 {
	if a < b {
		a, b = b, a
	}
	return uint64(a) - uint64(b)
}

// add adds two values; ok is false if the sum is too large to be counted.
func add(a, b int64) (sum int64, ok bool) {
	if b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b {
		return 0, false
	}
	return a + b, true
}

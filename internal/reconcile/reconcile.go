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
	"math"

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
	Line   int32  // of the bill
	Key    string // its own, the same wherever the books are made; decides the order of equals
	Day    int32
	Amount bill.Amount
	Name   string
	// Taken: it is matched already, by a person or in another ledger, with what this
	// says. It is matched with nothing else, and lines that it would fit are told so.
	Taken string
	// Undecided: that is only suggested. A line that it fits may still be its own.
	Undecided bool
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

// A matcher is a matching under way. Lines and postings are put in order first, so
// that all that follows goes through them in an order of its own; At is what maps
// back. What is asked again and again of a side stands in its entries; the caller's
// own are looked at for the rest.
type matcher struct {
	o            Options
	given        []Line // the caller's
	posted       []Posting
	lineAt       []int32 // of the caller's
	postAt       []int32
	lines        []entry
	postings     []entry
	named        [][]int32 // by line: the postings that it names
	lineOut      []bool    // matched
	postOut      []bool
	claimed      []bool // postings that a line names
	undecided    bool   // some are: see Posting
	currencies   numbered
	limits       []uint64 // of tolerance, by currency
	amount       map[money]int32
	byAmount     shelf // postings by amount, by day; those of amounts that lines have
	lineBy       shelf // lines
	openBy       shelf // what of both is open
	openLine     shelf
	names        *likeness
	days         *calendar // of postings
	lineDays     *calendar
	found        []Match
	room         []int          // for the sides of matches
	fits1, fits2 []int          // room for fitting and fitted
	doubt        map[int]string // lines between whose possibilities nobody could choose, and why
	lags         map[int32]string
	seen         []int32 // postings that were considered as candidates, by the last time
	times        int32
}

// An entry is a line or a posting as far as the rules compare them.
type entry struct {
	value    int64
	day      int32
	currency int32
	name     int32 // 0: there is none
	amount   int32 // of those that lines have; -1: none of them
}

// money is an amount, its currency by number.
type money struct {
	value    int64
	currency int32
}

// Find matches lines with postings. Keys of lines are different from each other, and
// so are those of postings. The result is told by what lines and postings say, not by
// the numbers of bills, which differ from one database to another.
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
	m := &matcher{o: o, given: lines, posted: postings, doubt: map[int]string{}, names: newLikeness(), lags: map[int32]string{}}
	m.lineAt, m.postAt = inOrder(lines, postings)
	m.lineOut, m.postOut = make([]bool, len(lines)), make([]bool, len(postings))
	m.enter()
	m.claim()
	return m
}

// enter makes the entries of both sides, and shelves them by amount. Only amounts
// that lines have matter.
func (m *matcher) enter() {
	m.lines, m.postings = make([]entry, len(m.given)), make([]entry, len(m.posted))
	m.amount = make(map[money]int32, len(m.given))
	for i, at := range m.lineAt {
		l := &m.given[at]
		e := entry{value: l.Amount.Value, day: l.Day, currency: m.currencies.of(l.Amount.Currency), name: m.names.of(l.Name)}
		k, ok := m.amount[money{e.value, e.currency}]
		if !ok {
			k = int32(len(m.amount))
			m.amount[money{e.value, e.currency}] = k
		}
		e.amount = k
		m.lines[i] = e
	}
	for i, at := range m.postAt {
		p := &m.posted[at]
		e := entry{value: p.Amount.Value, day: p.Day, currency: m.currencies.of(p.Amount.Currency), name: m.names.of(p.Name), amount: -1}
		if k, ok := m.amount[money{e.value, e.currency}]; ok {
			e.amount = k
		}
		m.postings[i], m.postOut[i] = e, p.Taken != ""
		m.undecided = m.undecided || p.Undecided
	}
	for _, c := range m.currencies.texts {
		places, _ := bill.Decimals(c)
		limit := uint64(m.o.Limit)
		for range places {
			limit *= 10 // at most 10^18 * 10^3 below, see Options
		}
		m.limits = append(m.limits, limit/million)
	}
	m.lineBy, m.byAmount = newShelf(m.lines, len(m.amount)), newShelf(m.postings, len(m.amount))
	m.openLine, m.openBy = m.lineBy.clone(), m.byAmount.clone()
}

// claim notes which postings lines name.
func (m *matcher) claim() {
	m.named, m.claimed = make([][]int32, len(m.lines)), make([]bool, len(m.postings))
	total := 0
	for i := range m.given {
		total += len(m.given[i].Named)
	}
	if total == 0 {
		return
	}
	back, all := make([]int32, len(m.postings)), make([]int32, 0, total)
	for i, at := range m.postAt {
		back[at] = int32(i)
	}
	for i, at := range m.lineAt {
		from := len(all)
		for _, p := range m.given[at].Named {
			all = append(all, back[p])
		}
		m.named[i] = distinct(all[from:len(all):len(all)])
		m.claimFor(i)
	}
}

// claimFor keeps what a line names from lines that do not, but what a person has
// rejected as its own: that is as free as any other.
func (m *matcher) claimFor(line int) {
	for _, p := range m.named[line] {
		if !m.refused(line, int(p)) {
			m.claimed[p] = true
		}
	}
}

// refresh finds anew what is open, by amount: what is not any more need not be looked
// at again. An amount without open lines has nothing to be looked at.
func (m *matcher) refresh() {
	m.openLine.keep(m.freeLine)
	for k := range m.openBy.ends {
		if len(m.openLine.of(int32(k))) == 0 {
			m.openBy.ends[k] = m.openBy.starts[k]
		}
	}
	m.openBy.keep(m.freePosting)
}

// eachFitting calls fn with the open postings of a line's amount within the days,
// until it returns false; eachFitted with the open lines of a posting's.
func (m *matcher) eachFitting(i int, fn func(p int) bool) {
	l := &m.lines[i]
	for _, p := range m.openBy.since(l.amount, l.day+m.o.From, m.postings) {
		if m.postings[p].day > l.day+m.o.To || m.freePosting(int(p)) && !m.refused(i, int(p)) && !fn(int(p)) {
			return
		}
	}
}

func (m *matcher) eachFitted(i int, fn func(l int) bool) {
	p := &m.postings[i]
	for _, l := range m.openLine.since(p.amount, p.day-m.o.To, m.lines) {
		if m.lines[l].day > p.day-m.o.From || m.freeLine(int(l)) && !m.refused(int(l), i) && !fn(int(l)) {
			return
		}
	}
}

// fitting are open postings of a line's amount within the days, fitted open lines of
// a posting's; no more than so many. They are good until the next ones.
func (m *matcher) fitting(i, most int) []int {
	m.fits1 = m.fits1[:0]
	m.eachFitting(i, func(p int) bool {
		m.fits1 = append(m.fits1, p)
		return len(m.fits1) < most
	})
	return m.fits1
}

func (m *matcher) fitted(i, most int) []int {
	m.fits2 = m.fits2[:0]
	m.eachFitted(i, func(l int) bool {
		m.fits2 = append(m.fits2, l)
		return len(m.fits2) < most
	})
	return m.fits2
}

// hasFitting reports whether there is one, hasFitted likewise.
func (m *matcher) hasFitting(i int) (has bool) {
	m.eachFitting(i, func(int) bool { has = true; return false })
	return has
}

func (m *matcher) hasFitted(i int) (has bool) {
	m.eachFitted(i, func(int) bool { has = true; return false })
	return has
}

// within reports whether a posting's day is one on which a line's may be.
func (m *matcher) within(l, p *entry) bool {
	lag := p.day - l.day
	return lag >= m.o.From && lag <= m.o.To
}

// freeLine reports whether a line may be matched by what it says, not by a
// reference; freePosting whether a posting may.
func (m *matcher) freeLine(i int) bool {
	return !m.lineOut[i] && len(m.named[i]) == 0 && m.lines[i].value != 0
}
func (m *matcher) freePosting(i int) bool { return !m.postOut[i] && !m.claimed[i] }

// refused reports whether a person has rejected a pair. The callback knows lines and
// postings as the caller does.
func (m *matcher) refused(line, posting int) bool {
	return m.o.Refused != nil && m.o.Refused(int(m.lineAt[line]), int(m.postAt[posting]))
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

// takePair writes down a match of one with one.
func (m *matcher) takePair(x pair, rule Rule, suggested bool, reason string) {
	if cap(m.room)-len(m.room) < 2 {
		m.room = make([]int, 0, 8192)
	}
	n := len(m.room)
	m.room = append(m.room, x.line, x.posting)
	m.take(Match{Rule: rule, Suggested: suggested, Lines: m.room[n : n+1 : n+1], Postings: m.room[n+1 : n+2 : n+2], Reason: reason})
}

// A pair is a line and a posting that fit.
type pair struct{ line, posting int }

// unique are the pairs in which neither side has another possibility. Of the lines
// and postings that have several, doubt is told.
func (m *matcher) unique(pairs []pair) (only []pair, several map[int]int) {
	lines, postings := make([]int32, len(m.lines)), make([]int32, len(m.postings))
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
		several[x.line] = int(lines[x.line])
	}
	return only, several
}

// lineAmount and postingAmount are what an entry's amount is to others.
func (m *matcher) lineAmount(i int) bill.Amount    { return m.given[m.lineAt[i]].Amount }
func (m *matcher) postingAmount(i int) bill.Amount { return m.posted[m.postAt[i]].Amount }

// near reports whether a line's and a posting's amount are as near as the tolerance
// allows.
func (m *matcher) near(l, p *entry) bool {
	return l.currency == p.currency && (l.value < 0) == (p.value < 0) && distance(l.value, p.value) <= m.tolerance(p)
}

// tolerance is how far from a posting's amount a line's may be.
func (m *matcher) tolerance(x *entry) uint64 {
	return min(share(magnitude(x.value), uint64(m.o.PPM)), m.limits[x.currency])
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

package reconcile_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"billsync/internal/bill"
	"billsync/internal/reconcile"

	"pgregory.net/rapid"
)

// limits are those of most tests.
var limits = reconcile.Options{From: 0, To: 5, PPM: 5000, Limit: 1_000_000}

// A world is two sides with few amounts, days and names, so that much is alike.
func world(t *rapid.T) (lines []reconcile.Line, postings []reconcile.Posting) {
	names := []string{"", "ACME CLOUD", "ACME CLOUDS", "BLUE CUP", "BLUE CUP COFFEE", "星星超市", "MERCHANT 1", "MERCHANT 2"}
	amount := rapid.Custom(func(t *rapid.T) bill.Amount {
		return bill.Amount{Currency: rapid.SampledFrom([]string{"USD", "JPY"}).Draw(t, "currency"),
			Value: rapid.SampledFrom([]int64{-10000, -10001, -10040, -9960, -6000, -4000, -3000, -2000, -1000, 0, 4000, 6000, 10000}).Draw(t, "value")}
	})
	for i := range rapid.IntRange(0, 14).Draw(t, "postings") {
		a := amount.Draw(t, "amount")
		if a.Value == 0 {
			a.Value = -5000
		}
		taken := rapid.SampledFrom([]string{"", "", "", "", "another line"}).Draw(t, "taken")
		postings = append(postings, reconcile.Posting{Bill: int64(i/2 + 1), Line: int32(i%2 + 1), Key: fmt.Sprintf("K%02d", (i*5)%16), Day: rapid.Int32Range(0, 8).Draw(t, "day"), Amount: a, Name: rapid.SampledFrom(names).Draw(t, "name"), Taken: taken})
	}
	for i := range rapid.IntRange(0, 14).Draw(t, "lines") {
		l := reconcile.Line{Key: fmt.Sprintf("%03d", i), Number: i + 2, Day: rapid.Int32Range(0, 8).Draw(t, "day"), Amount: amount.Draw(t, "amount"), Name: rapid.SampledFrom(names).Draw(t, "name")}
		if len(postings) > 0 && rapid.IntRange(0, 4).Draw(t, "names") == 0 {
			for range rapid.IntRange(1, 3).Draw(t, "of") {
				l.Named = append(l.Named, rapid.Int32Range(0, int32(len(postings)-1)).Draw(t, "what"))
			}
		}
		lines = append(lines, l)
	}
	return lines, postings
}

// said is a result whatever the order of what went in.
func said(lines []reconcile.Line, postings []reconcile.Posting, r reconcile.Result) []string {
	var out []string
	posting := func(p int) string {
		return cmp.Or(postings[p].Key, fmt.Sprint(postings[p].Bill, "/", postings[p].Line))
	}
	for _, m := range r.Matches {
		text := fmt.Sprintf("%s, suggested %t, %s:", m.Rule, m.Suggested, m.Reason)
		for _, l := range m.Lines {
			text += " " + lines[l].Key
		}
		for _, p := range m.Postings {
			text += " " + posting(p)
		}
		out = append(out, text)
	}
	for _, x := range r.Exceptions {
		text := fmt.Sprintf("%s is %s, %s:", lines[x.Line].Key, x.Code, x.Reason)
		for _, c := range x.Candidates {
			text += " [" + posting(c.Posting) + " " + c.Reason + "]"
		}
		out = append(out, text)
	}
	return out
}

// Every line is in one match or is an exception with a reason; every posting is in
// one match at most.
func TestEachOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines, postings := world(t)
		r := reconcile.Find(lines, postings, limits)
		seen, posted := map[int]int{}, map[int]int{}
		for i := range postings {
			if postings[i].Taken != "" {
				posted[i]++
			}
		}
		for _, m := range r.Matches {
			if len(m.Lines) == 0 || len(m.Postings) == 0 || len(m.Lines) > 1 && len(m.Postings) > 1 || m.Reason == "" {
				t.Fatalf("match %+v", m)
			}
			for _, l := range m.Lines {
				seen[l]++
			}
			for _, p := range m.Postings {
				posted[p]++
			}
		}
		for _, x := range r.Exceptions {
			seen[x.Line]++
			if x.Reason == "" || x.Code == "" || len(x.Candidates) > 3 {
				t.Fatalf("exception %+v", x)
			}
			for _, c := range x.Candidates {
				if posted[c.Posting] > 0 {
					t.Fatalf("candidate %+v is matched", c)
				}
			}
		}
		for i := range lines {
			if seen[i] != 1 {
				t.Fatalf("line %d is told %d times", i, seen[i])
			}
		}
		for p, n := range posted {
			if n != 1 {
				t.Fatalf("posting %d is matched %d times", p, n)
			}
		}
	})
}

// The order of what goes in does not matter.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines, postings := world(t)
		want := said(lines, postings, reconcile.Find(lines, postings, limits))
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		at := random.Perm(len(postings))
		mixed := make([]reconcile.Posting, len(postings))
		for from, to := range at {
			mixed[to] = postings[from]
		}
		others := slices.Clone(lines)
		for i := range others {
			others[i].Named = slices.Clone(others[i].Named)
			for j, p := range others[i].Named {
				others[i].Named[j] = int32(at[p])
			}
		}
		random.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
		if got := said(others, mixed, reconcile.Find(others, mixed, limits)); !slices.Equal(got, want) {
			t.Fatalf("in another order\n%q\nnot\n%q", got, want)
		}
	})
}

// Which numbers bills have does not matter either: they differ from one database to
// another.
func TestAnyNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines, postings := world(t)
		want := said(lines, postings, reconcile.Find(lines, postings, limits))
		others := slices.Clone(postings)
		numbers := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)).Perm(len(postings))
		for i := range others {
			others[i].Bill = int64(numbers[others[i].Bill-1] + 1)
		}
		if got := said(lines, others, reconcile.Find(lines, others, limits)); !slices.Equal(got, want) {
			t.Fatalf("with other numbers\n%q\nnot\n%q", got, want)
		}
	})
}

// A checker judges matches by brute force: what could a line or a posting have been
// matched with, of all that earlier rules left?
type checker struct {
	t        *rapid.T
	lines    []reconcile.Line
	postings []reconcile.Posting
	lineOut  map[int]bool
	postOut  map[int]bool
}

func (c *checker) without(ms []reconcile.Match) {
	for _, m := range ms {
		for _, l := range m.Lines {
			c.lineOut[l] = true
		}
		for _, p := range m.Postings {
			c.postOut[p] = true
		}
	}
}

func (c *checker) names(l, p int) bool { return slices.Contains(c.lines[l].Named, int32(p)) }

// free: by what they say, and not named by a line that is open.
func (c *checker) free(l, p int) bool {
	if c.lineOut[l] || c.postOut[p] || len(c.lines[l].Named) > 0 || c.lines[l].Amount.Value == 0 {
		return false
	}
	for i := range c.lines {
		if !c.lineOut[i] && c.names(i, p) {
			return false
		}
	}
	return true
}

func (c *checker) within(l, p int) bool {
	lag := c.postings[p].Day - c.lines[l].Day
	return lag >= limits.From && lag <= limits.To
}

func (c *checker) equal(l, p int) bool {
	return c.free(l, p) && c.within(l, p) && c.lines[l].Amount == c.postings[p].Amount
}

func (c *checker) near(l, p int) bool {
	a, b := c.lines[l].Amount, c.postings[p].Amount
	if !c.free(l, p) || !c.within(l, p) || a.Currency != b.Currency || a.Value*b.Value < 0 || !reconcile.Alike(c.lines[l].Name, c.postings[p].Name) {
		return false
	}
	limit := int64(100)
	if a.Currency == "JPY" {
		limit = 1
	}
	return max(a.Value-b.Value, b.Value-a.Value) <= min(limit, max(b.Value, -b.Value)/200)
}

// only reports whether a pair is the one possibility on both sides.
func (c *checker) only(l, p int, fits func(l, p int) bool) bool {
	for i := range c.lines {
		if i != l && fits(i, p) {
			return false
		}
	}
	for i := range c.postings {
		if i != p && fits(l, i) {
			return false
		}
	}
	return fits(l, p)
}

// Nothing is matched that is not the one possibility, and nothing is left open that
// is: by references, by equal and by nearly equal amounts.
func TestNothingAmbiguous(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines, postings := world(t)
		r := reconcile.Find(lines, postings, limits)
		c := &checker{t, lines, postings, map[int]bool{}, map[int]bool{}}
		for i := range postings {
			c.postOut[i] = postings[i].Taken != ""
		}
		by := map[reconcile.Rule][]reconcile.Match{}
		for _, m := range r.Matches {
			key := m.Rule
			if m.Rule == reconcile.Sum && len(lines[m.Lines[0]].Named) > 0 {
				key = "named sum"
			}
			by[key] = append(by[key], m)
		}
		named := func(l, p int) bool {
			return !c.postOut[p] && c.names(l, p) && lines[l].Amount == postings[p].Amount && lines[l].Amount.Value != 0
		}
		step := func(rule reconcile.Rule, fits func(l, p int) bool) {
			matched := map[[2]int]bool{}
			for _, m := range by[rule] {
				matched[[2]int{m.Lines[0], m.Postings[0]}] = true
			}
			for l := range lines {
				for p := range postings {
					if is := c.only(l, p, fits); is != matched[[2]int{l, p}] {
						t.Fatalf("%s: line %+v with posting %+v: matched %t, the one possibility: %t", rule, lines[l], postings[p], !is, is)
					}
				}
			}
			c.without(by[rule])
		}
		step(reconcile.Reference, named)
		c.without(by["named sum"])
		step(reconcile.Amount, c.equal)
		hasEqual := func(l, p int) bool {
			for i := range lines {
				if c.equal(i, p) {
					return true
				}
			}
			for i := range postings {
				if c.equal(l, i) {
					return true
				}
			}
			return false
		}
		step(reconcile.Tolerance, func(l, p int) bool { return c.near(l, p) && !hasEqual(l, p) })
		for _, m := range by[reconcile.Sum] {
			c.sum(m)
		}
	})
}

// sum makes sure by brute force that a sum is exact, and that no other sum has one of
// its items.
func (c *checker) sum(m reconcile.Match) {
	var left, right int64
	for _, l := range m.Lines {
		left += c.lines[l].Amount.Value
	}
	for _, p := range m.Postings {
		right += c.postings[p].Amount.Value
	}
	if left != right || len(m.Lines)+len(m.Postings) < 3 || len(m.Lines)+len(m.Postings) > 6 {
		c.t.Fatalf("%+v: %d and %d", m, left, right)
	}
	fits := func(l, p int) bool {
		a, b := c.lines[l].Amount, c.postings[p].Amount
		return c.free(l, p) && c.within(l, p) && a.Currency == b.Currency && a.Value*b.Value > 0 && reconcile.Alike(c.lines[l].Name, c.postings[p].Name)
	}
	for _, l := range m.Lines {
		for _, p := range m.Postings {
			if len(m.Postings) > 1 && c.postings[p].Amount.Value*c.lines[l].Amount.Value < 0 {
				continue // a bill with what came back
			}
			if !fits(l, p) && c.postings[m.Postings[0]].Bill != c.postings[p].Bill {
				c.t.Fatalf("%+v: line %d does not fit posting %d", m, l, p)
			}
		}
	}
	for l := range c.lines {
		var parts []int
		for p := range c.postings {
			if fits(l, p) && !c.busyPosting(p) && !c.busyLine(l) {
				parts = append(parts, p)
			}
		}
		c.others(m, parts, c.lines[l].Amount.Value, func(p int) int64 { return c.postings[p].Amount.Value }, func(chosen []int) bool {
			return slices.Equal(m.Lines, []int{l}) && slices.Equal(sorted(m.Postings), chosen)
		}, func(chosen []int) bool {
			return slices.Contains(m.Lines, l) || slices.ContainsFunc(chosen, func(p int) bool { return slices.Contains(m.Postings, p) })
		})
	}
	for p := range c.postings {
		var parts []int
		for l := range c.lines {
			if fits(l, p) && !c.busyLine(l) && !c.busyPosting(p) {
				parts = append(parts, l)
			}
		}
		c.others(m, parts, c.postings[p].Amount.Value, func(l int) int64 { return c.lines[l].Amount.Value }, func(chosen []int) bool {
			return slices.Equal(m.Postings, []int{p}) && slices.Equal(sorted(m.Lines), chosen)
		}, func(chosen []int) bool {
			return slices.Contains(m.Postings, p) || slices.ContainsFunc(chosen, func(l int) bool { return slices.Contains(m.Lines, l) })
		})
	}
}

func sorted(list []int) []int { list = slices.Clone(list); slices.Sort(list); return list }

// busyLine and busyPosting: a more precise rule could not decide.
func (c *checker) busyLine(l int) bool {
	for p := range c.postings {
		if c.equal(l, p) || c.near(l, p) {
			return true
		}
	}
	return false
}

func (c *checker) busyPosting(p int) bool {
	for l := range c.lines {
		if c.equal(l, p) || c.near(l, p) {
			return true
		}
	}
	return false
}

// others finds another choice that adds up and shares something with a match.
func (c *checker) others(m reconcile.Match, parts []int, whole int64, value func(int) int64, same, shares func([]int) bool) {
	for set := 1; set < 1<<len(parts); set++ {
		var chosen []int
		var sum int64
		for i, p := range parts {
			if set&(1<<i) != 0 {
				chosen = append(chosen, p)
				sum += value(p)
			}
		}
		if len(chosen) >= 2 && len(chosen) <= 5 && sum == whole && !same(chosen) && shares(chosen) {
			c.t.Fatalf("%+v is not the only sum: %v add up to %d", m, chosen, whole)
		}
	}
}

// What was rejected is not proposed again, and something else may take its place.
func TestRejected(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines, postings := world(t)
		r := reconcile.Find(lines, postings, limits)
		if len(r.Matches) == 0 {
			t.Skip("nothing is matched")
		}
		m := rapid.SampledFrom(r.Matches).Draw(t, "match")
		key := func(ls, ps []int) string { return fmt.Sprint(sorted(ls), sorted(ps)) }
		o := limits
		refused := key(m.Lines, m.Postings)
		o.Refused = func(l, p int) bool { return key([]int{l}, []int{p}) == refused }
		o.RefusedSums = func(ls, ps []int) bool { return key(ls, ps) == refused }
		for _, x := range reconcile.Find(lines, postings, o).Matches {
			if key(x.Lines, x.Postings) == refused {
				t.Fatalf("%+v is proposed again as %+v", m, x)
			}
		}
	})
}

// A posting is free for other lines once the match with a line that names it was
// rejected; the line itself is matched with nothing that it does not name.
func TestRejectedIsFree(t *testing.T) {
	t.Parallel()
	line := func(key string, v int64, name string, named ...int32) reconcile.Line {
		return reconcile.Line{Key: key, Number: 2, Amount: bill.Amount{Currency: "USD", Value: v}, Name: name, Named: named}
	}
	post := func(key string, v int64, name string) reconcile.Posting {
		return reconcile.Posting{Bill: int64(key[0]), Line: 1, Key: key, Day: 1, Amount: bill.Amount{Currency: "USD", Value: v}, Name: name}
	}
	for name, tt := range map[string]struct {
		lines    []reconcile.Line
		postings []reconcile.Posting
		want     string // the rule and the sides of what is matched beside line a
	}{
		"equal amounts":     {[]reconcile.Line{line("a", -100, "", 0), line("b", -100, "")}, []reconcile.Posting{post("P", -100, "")}, "amount b P"},
		"other amounts":     {[]reconcile.Line{line("a", -90, "", 0), line("b", -100, "")}, []reconcile.Posting{post("P", -100, "")}, "amount b P"},
		"nearly equal":      {[]reconcile.Line{line("a", -20000, "A", 0), line("b", -20001, "A")}, []reconcile.Posting{post("P", -20000, "A")}, "tolerance b P"},
		"another names it":  {[]reconcile.Line{line("a", -100, "", 0), line("b", -100, "", 0)}, []reconcile.Posting{post("P", -100, "")}, "reference b P"},
		"part of a sum":     {[]reconcile.Line{line("a", -100, "", 0), line("b", -300, "A")}, []reconcile.Posting{post("P", -100, "A"), post("Q", -200, "A")}, "sum b Q P"},
		"others name a sum": {[]reconcile.Line{line("a", -300, "", 0), line("b", -100, "", 0), line("c", -200, "", 0)}, []reconcile.Posting{post("P", -300, "")}, "sum b c P"},
		"one names a sum":   {[]reconcile.Line{line("a", -100, "", 0), line("b", -300, "", 0, 1)}, []reconcile.Posting{post("P", -100, ""), post("Q", -200, "")}, "sum b Q P"},
		"all make a sum":    {[]reconcile.Line{line("a", -100, "", 0), line("b", -200, "", 0)}, []reconcile.Posting{post("P", -300, "")}, "sum a b P"},
		"it may be a suggestion": {[]reconcile.Line{line("a", -100, "", 0), line("b", -100, "X")},
			[]reconcile.Posting{post("P", -100, "X"), post("Q", -100, "Y")}, "amount_merchant b P"},
	} {
		o := limits
		o.Refused = func(l, p int) bool { return tt.lines[l].Key == "a" && tt.postings[p].Key == "P" }
		var got []string
		for _, m := range reconcile.Find(tt.lines, tt.postings, o).Matches {
			words := []string{string(m.Rule)}
			for _, l := range m.Lines {
				words = append(words, tt.lines[l].Key)
			}
			for _, p := range m.Postings {
				words = append(words, tt.postings[p].Key)
			}
			got = append(got, strings.Join(words, " "))
		}
		if strings.Join(got, "; ") != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// Cases by hand, with the reasons that people read.
func TestReasons(t *testing.T) {
	t.Parallel()
	usd := func(v int64) bill.Amount { return bill.Amount{Currency: "USD", Value: v} }
	line := func(key string, day int32, v int64, name string, named ...int32) reconcile.Line {
		return reconcile.Line{Key: key, Number: 2, Day: day, Amount: usd(v), Name: name, Named: named}
	}
	post := func(number int64, day int32, v int64, name string) reconcile.Posting {
		return reconcile.Posting{Bill: number, Line: 1, Day: day, Amount: usd(v), Name: name}
	}
	for name, tt := range map[string]struct {
		lines    []reconcile.Line
		postings []reconcile.Posting
		want     []string
	}{
		"too late": {[]reconcile.Line{line("a", 0, -100, "A")}, []reconcile.Posting{post(1, 6, -100, "A")},
			[]string{"a is differs, a posting has its amount, but not within the days: posted 6 days later: [1/1 equal amounts, posted 6 days later, merchant alike]"}},
		"before": {[]reconcile.Line{line("a", 1, -100, "A")}, []reconcile.Posting{post(1, 0, -100, "A")},
			[]string{"a is differs, a posting has its amount, but not within the days: posted a day before: [1/1 equal amounts, posted a day before, merchant alike]"}},
		"two postings": {[]reconcile.Line{line("a", 0, -100, "B")}, []reconcile.Posting{post(1, 1, -100, "B"), post(2, 2, -100, "B")},
			[]string{"a is ambiguous, ambiguous: 2 postings have its amount within the days: [1/1 equal amounts, posted a day later, merchant alike] [2/1 equal amounts, posted 2 days later, merchant alike]"}},
		"two lines": {[]reconcile.Line{line("a", 0, -100, ""), line("b", 0, -100, "")}, []reconcile.Posting{post(1, 0, -100, "B")},
			[]string{"a is ambiguous, ambiguous: several lines have the amount of the one posting within the days: [1/1 equal amounts, the same day]", "b is ambiguous, ambiguous: several lines have the amount of the one posting within the days: [1/1 equal amounts, the same day]"}},
		"merchant": {[]reconcile.Line{line("a", 0, -100, "BLUE CUP")}, []reconcile.Posting{post(1, 1, -100, "RED MUG"), post(2, 2, -100, "BLUE CUP BERLIN")},
			[]string{"amount_merchant, suggested true, equal amounts, posted 2 days later; of several possibilities the one whose merchant is alike: a 2/1"}},
		"named": {[]reconcile.Line{line("a", 300, -100, "", 0), line("b", 0, -200, "", 1)}, []reconcile.Posting{post(1, 1, -100, "X"), post(2, 2, -201, "Y")},
			[]string{"reference, suggested false, it names the order or the bill, and the amounts are equal: a 1/1", "reference_differs, suggested true, it names it, and the amounts differ by 0.01 USD: b 2/1"}},
		"tolerance": {[]reconcile.Line{line("a", 0, -20000, "BLUE CUP"), line("b", 0, -30151, "RED MUG")}, []reconcile.Posting{post(1, 1, -20100, "BLUE CUP"), post(2, 2, -30000, "RED MUG")},
			[]string{"b is differs, no posting has its amount; the nearest: differs by 1.51 USD, posted 2 days later, merchant alike: [2/1 differs by 1.51 USD, posted 2 days later, merchant alike]", "tolerance, suggested false, the amounts differ by 1.00 USD, the merchants are alike, posted a day later, the one possibility on both sides: a 1/1"}},
		"bill less return": {[]reconcile.Line{line("a", 0, -8000, "BLUE CUP")}, []reconcile.Posting{post(1, 1, -10000, "BLUE CUP"), {Bill: 1, Line: 2, Day: 40, Amount: usd(2000), Name: "BLUE CUP"}},
			[]string{"sum, suggested false, 2 postings of merchants that are alike add up to it within the days, in one way only: a 1/1 1/2"}},
		"taken": {[]reconcile.Line{line("a", 0, -100, "A"), line("b", 0, -200, "A", 1), line("c", 0, -300, "A", 1, 2)},
			[]reconcile.Posting{{Bill: 1, Line: 1, Amount: usd(-100), Name: "A", Taken: "a line of ledger may"}, {Bill: 2, Line: 1, Amount: usd(-200), Taken: "another line (match 7)"}, {Bill: 3, Line: 1, Amount: usd(-400), Taken: "x"}, post(4, 0, -200, "A")},
			[]string{"a is taken, the posting of its amount within the days is matched with a line of ledger may:", "b is taken, what it names is matched with another line (match 7): [4/1 equal amounts, the same day, merchant alike]",
				"c is taken, what it names is matched with other lines:"}},
		"zero":    {[]reconcile.Line{line("a", 0, 0, "A")}, nil, []string{"a is zero, its amount is zero: no posting is:"}},
		"nothing": {[]reconcile.Line{line("a", 0, -7, "A")}, nil, []string{"a is missing, no posting in USD comes near, from 10 days before to 15 days after it:"}},
	} {
		got := said(tt.lines, tt.postings, reconcile.Find(tt.lines, tt.postings, limits))
		slices.SortFunc(got, cmp.Compare)
		want := slices.Clone(tt.want)
		slices.SortFunc(want, cmp.Compare)
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%q\nnot\n%q", name, got, want)
		}
	}
}

func TestAlike(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"ACME CLOUD", "ACME CLOUD", true}, {"ACME CLOUD", "ACMECLOUD", true}, {"ACME CLOUD", "ACME CLOUD GERMANY", true},
		{"BLUE BOTTLE", "BLUE BOTLE", true}, {"星星超市", "星星超市上海店", true}, {"MERCHANT 11", "MERCHANT 1", false}, {"EXAMPLE MERCHANT 110", "EXAMPLE MERCHANT 111", false},
		{"AB", "AB CORP", false}, {"ACME", "ACMEISH", false}, {"", "ACME", false}, {"DELTA AIR", "DELTA FAUCET", false}, {"***", "***", false},
	} {
		if got := reconcile.Alike(tt.a, tt.b); got != tt.want {
			t.Errorf("%q and %q: alike %t", tt.a, tt.b, got)
		}
		if got := reconcile.Alike(tt.b, tt.a); got != tt.want {
			t.Errorf("%q and %q: alike %t", tt.b, tt.a, got)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	got := reconcile.Tokens("PO 12/2026 K", "order 20240601000000000000001997302; IPYV5PFRF4NGNT37S34WP32HTD-R1, abcdef ghijkl7", "12345 123456")
	want := []string{"PO 12/2026 K", "20240601000000000000001997302", "IPYV5PFRF4NGNT37S34WP32HTD-R1", "ghijkl7", "123456"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
	var long []string
	for i := range 50 {
		long = append(long, fmt.Sprint(100_000+i))
	}
	if got := reconcile.Tokens("", strings.Join(long, ", "), strings.Join(long, "/")); !slices.Equal(got, long) {
		t.Errorf("%q, not %q", got, long)
	}
	for text, want := range map[string][2]string{
		"IPYV5PFRF4NGNT37S34WP32HTD": {"IPYV5PFRF4NGNT37S34WP32HTD", ""}, "ipyv5pfrf4ngnt37s34wp32htd-r12": {"IPYV5PFRF4NGNT37S34WP32HTD", "IPYV5PFRF4NGNT37S34WP32HTD-R12"},
		"IPYV5PFRF4NGNT37S34WP32HT1": {}, "IPYV5PFRF4NGNT37S34WP32HTD-Q1": {}, "IPYV5PFRF4NGNT37S34WP32HTDX": {}, "": {},
	} {
		if key, whole := reconcile.Key(text); key != want[0] || whole != want[1] {
			t.Errorf("%q: %q, %q", text, key, whole)
		}
	}
}

// Of what has too many possible parts to try them, nothing is matched elsewhere: it
// might belong there.
func TestTooManyParts(t *testing.T) {
	t.Parallel()
	usd := func(v int64) bill.Amount { return bill.Amount{Currency: "USD", Value: v} }
	find := func(whole int64) (out []string) {
		var postings []reconcile.Posting
		for i := range 25 { // amounts of which no two sums are equal by chance
			postings = append(postings, reconcile.Posting{Bill: int64(i + 1), Line: 1, Day: int32(5 + i%2), Amount: usd(-1000 - int64(i*i*7)), Name: "ALPHA"})
		}
		postings[0].Day, postings[1].Day = 0, 0
		lines := []reconcile.Line{
			{Key: "a", Number: 2, Day: 0, Amount: usd(postings[0].Amount.Value + postings[1].Amount.Value), Name: "ALPHA"},
			{Key: "b", Number: 3, Day: 1, Amount: usd(whole), Name: "ALPHA"},
		}
		for i := range postings[2:] {
			postings[i+2].Day = 6 // within the days of b alone
		}
		postings[1].Day = 1 // within those of both
		return said(lines, postings, reconcile.Find(lines, postings, limits))
	}
	for _, tt := range []struct {
		whole int64
		want  []string
	}{
		{-9999, []string{"a is ambiguous, ambiguous: what adds up to it could be part of other sums, too many to try:", "b is ambiguous, ambiguous: it may be a sum of several: 24 postings could be parts of it, too many to try:"}},
		{-90000, []string{"sum, suggested false, 2 postings of merchants that are alike add up to it within the days, in one way only: a 1/1 2/1", "b is missing, no posting in USD comes near, from 10 days before to 15 days after it:"}},
	} {
		got := find(tt.whole)
		for i := range got {
			if at := strings.Index(got[i], " ["); at > 0 {
				got[i] = got[i][:at]
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("a line of %d:\n%q\nnot\n%q", tt.whole, got, tt.want)
		}
	}
}

// What another ledger's suggestion holds may still be a line's own: the posting beside
// it is not the one possibility.
func TestUndecidedElsewhere(t *testing.T) {
	t.Parallel()
	five := bill.Amount{Currency: "USD", Value: -500}
	for _, undecided := range []bool{true, false} {
		lines := []reconcile.Line{{Key: "a", Number: 2, Day: 10, Amount: five}}
		got := reconcile.Find(lines, []reconcile.Posting{
			{Bill: 1, Line: 1, Day: 10, Amount: five},
			{Bill: 2, Line: 1, Day: 12, Amount: five, Taken: "a line of ledger june", Undecided: undecided},
		}, reconcile.Options{To: 5})
		if matched := len(got.Matches) == 1; matched == undecided {
			t.Errorf("undecided %t: %+v", undecided, got)
		}
		if undecided && (len(got.Exceptions) != 1 || got.Exceptions[0].Code != reconcile.Ambiguous || !strings.Contains(got.Exceptions[0].Reason, "suggested for a line of ledger june")) {
			t.Errorf("the reason is %+v", got.Exceptions)
		}
	}
}

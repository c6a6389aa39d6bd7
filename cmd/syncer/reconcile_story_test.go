package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"billsync/internal/bill"
)

// A reconciler tries "syncer reconcile" with random books, ledgers and decisions, and
// judges what is stored by brute force, by nothing but the rules as they are documented.
type reconciler struct {
	t      *testing.T
	dir    string
	random *rand.Rand
	orders []string

	postings []storySide
	lines    []storySide // of the ledger that is judged
	rejected map[string]bool
	yuan     bool
}

// A storySide is a line or a posting as the rules see it.
type storySide struct {
	id       string // ledger_line_id or line_id
	day      int
	value    int64
	currency string
	name     string
	named    string // a line: what it names; a posting: its order
	bill     string
	out      bool
}

var storyNames = []string{"Alpha Shop", "Bravo Store", "Charlie Deli", ""}

// newReconciler makes books of a few amounts, merchants and days, so that much is
// alike, and stores their bills in a random order.
func newReconciler(t *testing.T, seed, order uint64) *reconciler {
	k, dir := newBookkeeper(t)
	r := &reconciler{t: t, dir: dir, random: rand.New(rand.NewPCG(seed, 11))}
	type spec struct{ account, at, status, merchant, amount, back, no string }
	var specs []spec
	for i := range 26 {
		s := spec{anyOf(r.random, "main", "main", "second"), fmt.Sprintf("2026-05-%02d 02:00", 1+r.random.IntN(12)), "SUCCESS", anyOf(r.random, storyNames...),
			anyOf(r.random, "1000", "1000", "1004", "2000", "3100", "5000", "6300") + " " + anyOf(r.random, "USD", "USD", "CNH", "CNY"), "", fmt.Sprintf("2026050%022d", i+1)}
		if r.random.IntN(6) == 0 {
			s.status, s.back = "PARTIAL_REFUND", "400 "+strings.Fields(s.amount)[1]
		}
		specs = append(specs, s)
		r.orders = append(r.orders, s.no)
	}
	rand.New(rand.NewPCG(order, 12)).Shuffle(len(specs), func(i, j int) { specs[i], specs[j] = specs[j], specs[i] })
	for _, s := range specs {
		k.bill(s.account, s.at, s.status, s.merchant, "4242", s.amount, s.amount, s.back, func(b *bill.Bill) { b.OrderNo = s.no })
	}
	if err := k.s.Close(); err != nil {
		t.Fatal(err)
	}
	return r
}

func anyOf(random *rand.Rand, of ...string) string { return of[random.IntN(len(of))] }

// book makes lines of a ledger: of postings, more or less as they are.
func (r *reconciler) book(n int, yuan string) (lines []string) {
	rows := strings.Split(asked(r.t, r.dir, "SELECT p.posting_date, p.amount, p.currency, coalesce(b.merchant_name, ''), b.order_no FROM postings p JOIN bills b USING (bill_id) ORDER BY p.line_id"), ";")
	for range n {
		c := strings.Split(rows[r.random.IntN(len(rows))], "|")
		at, err := time.Parse(time.DateOnly, c[0])
		if err != nil {
			r.t.Fatal(err)
		}
		value, err := strconv.ParseInt(c[1], 10, 64)
		if err != nil {
			r.t.Fatal(err)
		}
		if r.random.IntN(5) == 0 {
			value += int64(r.random.IntN(5)*500 - 1000)
		}
		currency := c[2]
		if strings.HasPrefix(currency, "CN") {
			currency = yuan
		}
		if r.random.IntN(8) == 0 {
			c[3] = anyOf(r.random, storyNames...)
		}
		reference := ""
		switch r.random.IntN(6) {
		case 0:
			reference = c[4]
		case 1:
			reference = anyOf(r.random, r.orders...)
		}
		day := at.AddDate(0, 0, -r.random.IntN(7)).Format(time.DateOnly)
		write := func(value int64) string {
			return fmt.Sprintf("%s,%s,%s,%s,%s\n", day, bill.Amount{Currency: currency, Value: value}.Decimal(), currency, c[3], reference)
		}
		switch r.random.IntN(6) {
		case 0: // in two parts
			lines = append(lines, write(value*2/5))
			value -= value * 2 / 5
		case 1, 2: // with others of the merchant
			for range 1 + r.random.IntN(2) {
				d := strings.Split(rows[r.random.IntN(len(rows))], "|")
				other, err := strconv.ParseInt(d[1], 10, 64)
				if err == nil && d[3] == c[3] && d[2] == c[2] && other*value > 0 {
					value += other
				}
			}
		}
		line := write(value)
		lines = append(lines, line)
		if r.random.IntN(8) == 0 {
			lines = append(lines, line)
		}
	}
	return lines
}

func (r *reconciler) run(args ...string) (string, int) {
	r.t.Helper()
	out, errout, code := inside(r.t, r.dir, append([]string{"reconcile"}, args...)...)
	if code != exitDone && code != exitIncomplete && code != exitUsage {
		r.t.Fatalf("%v ends with %d: %s", args, code, errout)
	}
	return out + errout, code
}

// ask is asked as a table.
func (r *reconciler) ask(query string) (rows [][]string) {
	r.t.Helper()
	db, err := opened(filepath.Join(r.dir, "bills.db"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	list, err := ask(db, query)
	if err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	for _, row := range list {
		rows = append(rows, strings.Split(row, "|"))
	}
	return rows
}

const storyLive = "state IN ('matched', 'suggested', 'confirmed')"

// bring imports a ledger and judges what came of it.
func (r *reconciler) bring(name string, lines []string) {
	r.t.Helper()
	before := r.decisions()
	path := filepath.Join(r.dir, name+".csv")
	put(r.t, path, []byte("Date,Amount,Currency,Payee,Reference\n"+strings.Join(lines, "")))
	out, code := r.run("--ledger", path)
	if code == exitUsage {
		r.t.Fatalf("%s is refused: %s", name, out)
	}
	r.keeps(name, before, lines)
	r.once()
	r.load(name)
	r.judge(name)
	r.explained(name)
	stored := asked(r.t, r.dir, all)
	r.run("--ledger", path)
	if again := asked(r.t, r.dir, all); again != stored {
		r.t.Fatalf("the same ledger again makes of\n%s\n%s", stored, again)
	}
}

// decisions are the matches that people decided about, with what their lines say.
func (r *reconciler) decisions() [][]string {
	return r.ask(`SELECT m.match_id, m.state, g.name, (SELECT group_concat(substr(l.line_key, 1, 24), ' ') FROM match_items i JOIN ledger_lines l USING (ledger_line_id) WHERE i.match_id = m.match_id)
		FROM matches m JOIN ledgers g USING (ledger_id) WHERE m.decided_at IS NOT NULL AND m.state IN ('confirmed', 'rejected') ORDER BY 1`)
}

// keeps makes sure that decisions stay: a rejected one always, a confirmed one as long
// as the ledger has lines that say what its lines say.
func (r *reconciler) keeps(name string, before [][]string, lines []string) {
	r.t.Helper()
	counts := map[string]int{}
	for _, row := range r.ask("SELECT substr(line_key, 1, 24) FROM ledger_lines JOIN ledgers USING (ledger_id) WHERE removed_at IS NULL AND name = '" + name + "'") {
		counts[row[0]]++
	}
	if n := 0; true {
		for _, c := range counts {
			n += c
		}
		if n != len(lines) {
			r.t.Fatalf("%s has %d lines, stored are %d", name, len(lines), n)
		}
	}
	needed := map[string]int{}
	for _, m := range before {
		if m[1] == "confirmed" && m[2] == name {
			for _, says := range strings.Fields(m[3]) {
				needed[says]++
			}
		}
	}
	for _, m := range before {
		want := []string{m[1]}
		if m[1] == "confirmed" && m[2] == name && slices.ContainsFunc(strings.Fields(m[3]), func(says string) bool { return needed[says] > counts[says] }) {
			want = []string{"confirmed", "withdrawn"} // one of those that say the same has to go
			if !slices.ContainsFunc(strings.Fields(m[3]), func(says string) bool { return counts[says] > 0 }) {
				want = want[1:]
			}
		}
		if got := asked(r.t, r.dir, "SELECT state FROM matches WHERE match_id = "+m[0]); !slices.Contains(want, got) {
			r.t.Fatalf("match %s was %s and is %s, want %v", m[0], m[1], got, want)
		}
	}
	// What was rejected is not made again by a rule.
	const sides = `(SELECT group_concat(coalesce(ledger_line_id, '') || '/' || coalesce(bill_id || ' ' || line, ''), ',') FROM match_items i WHERE i.match_id = %s.match_id)`
	if got := asked(r.t, r.dir, `SELECT m.match_id, x.match_id FROM matches m JOIN matches x ON m.ledger_id = x.ledger_id WHERE m.state = 'rejected' AND x.state IN ('matched', 'suggested') AND `+
		fmt.Sprintf(sides, "m")+" = "+fmt.Sprintf(sides, "x")); got != "" {
		r.t.Fatalf("rejected matches are made again: %s", got)
	}
}

// once makes sure that each line and each posting is in one match that counts, and
// that what is in none is open, with a reason.
func (r *reconciler) once() {
	r.t.Helper()
	for _, side := range []string{"i.ledger_line_id", "i.bill_id || '/' || i.line"} {
		if got := asked(r.t, r.dir, "SELECT "+side+" FROM match_items i JOIN matches m USING (match_id) WHERE "+storyLive+" GROUP BY 1 HAVING count(*) > 1 AND count("+side+") > 0"); got != "" {
			r.t.Fatalf("%s is in several matches: %s", side, got)
		}
	}
	if got := asked(r.t, r.dir, `SELECT l.line, l.open_code, l.open_reason FROM ledger_lines l WHERE removed_at IS NULL AND (open_code IS NULL OR coalesce(open_reason, '') = '')
		<> EXISTS (SELECT 1 FROM match_items i JOIN matches m USING (match_id) WHERE i.ledger_line_id = l.ledger_line_id AND `+storyLive+`)`); got != "" {
		r.t.Fatalf("lines that are open and matched, or neither: %s", got)
	}
}

// explained makes sure that every posting of the ledger's days that has no match is
// listed with a reason, the same in the report as in the view.
func (r *reconciler) explained(name string) {
	r.t.Helper()
	out, _ := r.run("show", name, "--csv", "--plain", "--part", "open_postings")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		r.t.Fatal(err)
	}
	column := func(name string) int { return slices.Index(rows[0], name) }
	id, code, reason := column("line_id"), column("code"), column("reason")
	var told []string
	for _, row := range rows[1:] {
		told = append(told, row[id]+"|"+row[code]+"|"+row[reason])
	}
	var viewed []string
	for _, row := range r.ask("SELECT line_id, open_code, open_reason FROM reconciliation_open_postings WHERE ledger = '" + name + "'") {
		viewed = append(viewed, strings.Join(row, "|"))
	}
	slices.Sort(told)
	slices.Sort(viewed)
	if !slices.Equal(told, viewed) {
		r.t.Fatalf("open postings in the report and in the view:\n%s\n\n%s", strings.Join(told, "\n"), strings.Join(viewed, "\n"))
	}
	want := asked(r.t, r.dir, `SELECT count(*) FROM postings p, ledgers g WHERE g.name = '`+name+`' AND p.posting_date BETWEEN g.period_from AND g.period_to
		AND NOT EXISTS (SELECT 1 FROM match_items i JOIN matches m USING (match_id) WHERE i.bill_id = p.bill_id AND i.line = p.line AND `+storyLive+`)`)
	if got := fmt.Sprint(len(told)); got != want {
		r.t.Fatalf("%s postings are open, and %s are listed", want, got)
	}
}

// load reads what there was before rules had their turn: lines that nobody confirmed,
// and postings that neither a person nor another ledger has.
func (r *reconciler) load(name string) {
	number := func(text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			r.t.Fatal(err)
		}
		return n
	}
	side := func(rows [][]string) (list []storySide) {
		for _, c := range rows {
			at, err := time.Parse(time.DateOnly, c[1])
			if err != nil {
				r.t.Fatal(err)
			}
			list = append(list, storySide{id: c[0], day: int(at.Unix() / 86400), value: number(c[2]), currency: c[3], name: c[4], named: c[5], bill: c[6], out: c[7] != "0"})
		}
		return list
	}
	r.lines = side(r.ask(`SELECT ledger_line_id, ledger_date, amount, currency, coalesce(payee, ''), coalesce(reference, ''), '',
		EXISTS (SELECT 1 FROM match_items i JOIN matches m USING (match_id) WHERE i.ledger_line_id = l.ledger_line_id AND m.state = 'confirmed')
		FROM ledger_lines l JOIN ledgers g USING (ledger_id) WHERE removed_at IS NULL AND g.name = '` + name + "' ORDER BY 1"))
	r.postings = side(r.ask(`SELECT line_id, posting_date, amount, currency, coalesce(merchant_name, ''), order_no, bill_id,
		EXISTS (SELECT 1 FROM match_items i JOIN matches m USING (match_id) JOIN ledgers g USING (ledger_id)
			WHERE i.bill_id = p.bill_id AND i.line = p.line AND (m.state = 'confirmed' OR g.name <> '` + name + "' AND " + storyLive + `))
		FROM postings p JOIN bills USING (bill_id) ORDER BY 1`))
	has := func(code string) bool {
		return slices.ContainsFunc(r.lines, func(l storySide) bool { return l.currency == code })
	}
	r.yuan = has("CNY") && !has("CNH")
	r.rejected = map[string]bool{}
	for _, m := range r.matches(name, "state = 'rejected'") {
		r.rejected[m.key()] = true
	}
}

// A storyMatch is a match by the places of its two sides.
type storyMatch struct {
	rule     string
	ls, ps   []int
	whatever string
}

func (m *storyMatch) key() string {
	slices.Sort(m.ls)
	slices.Sort(m.ps)
	return fmt.Sprint(m.ls, m.ps)
}

func (r *reconciler) matches(name, where string) (list []storyMatch) {
	place := func(of []storySide, id string) int {
		return slices.IndexFunc(of, func(x storySide) bool { return x.id == id })
	}
	last := ""
	for _, c := range r.ask(`SELECT m.match_id, m.rule, coalesce(i.ledger_line_id, ''), coalesce(p.line_id, '') FROM matches m JOIN ledgers g USING (ledger_id) JOIN match_items i USING (match_id)
		LEFT JOIN postings p ON p.bill_id = i.bill_id AND p.line = i.line WHERE g.name = '` + name + "' AND " + where + " ORDER BY m.match_id, i.item") {
		if c[0] != last {
			last = c[0]
			list = append(list, storyMatch{rule: c[1], whatever: c[0]})
		}
		m := &list[len(list)-1]
		if c[2] != "" {
			m.ls = append(m.ls, place(r.lines, c[2]))
		}
		if c[3] != "" {
			m.ps = append(m.ps, place(r.postings, c[3]))
		}
	}
	return list
}

// The rules, pair by pair.

func (r *reconciler) currency(l, p int) bool {
	a, b := r.lines[l].currency, r.postings[p].currency
	return a == b || r.yuan && a == "CNY" && b == "CNH"
}

func (r *reconciler) equal(l, p int) bool {
	return r.currency(l, p) && r.lines[l].value == r.postings[p].value && r.lines[l].value != 0
}

func (r *reconciler) names(l, p int) bool { return r.lines[l].named == r.postings[p].named }

func (r *reconciler) namesAny(l int) bool {
	return slices.ContainsFunc(r.postings, func(p storySide) bool { return p.named == r.lines[l].named })
}

func (r *reconciler) free(l, p int) bool {
	if r.lines[l].out || r.postings[p].out || r.namesAny(l) {
		return false
	}
	for i := range r.lines {
		named := storyMatch{ls: []int{i}, ps: []int{p}}
		if !r.lines[i].out && r.names(i, p) && !r.rejected[named.key()] {
			return false
		}
	}
	m := storyMatch{ls: []int{l}, ps: []int{p}}
	return !r.rejected[m.key()]
}

func (r *reconciler) within(l, p int) bool {
	lag := r.postings[p].day - r.lines[l].day
	return lag >= 0 && lag <= 5
}

func (r *reconciler) alike(l, p int) bool {
	return r.lines[l].name != "" && r.lines[l].name == r.postings[p].name
}

func (r *reconciler) near(l, p int) bool {
	a, b := r.lines[l].value, r.postings[p].value
	return r.currency(l, p) && a*b > 0 && r.alike(l, p) && max(a-b, b-a) <= min(100, max(b, -b)/200)
}

// only tells for each pair whether it fits, and nothing else fits either side.
func (r *reconciler) only(fits func(l, p int) bool) map[[2]int]bool {
	ls, ps := map[int]int{}, map[int]int{}
	var pairs [][2]int
	for l := range r.lines {
		for p := range r.postings {
			if fits(l, p) {
				ls[l]++
				ps[p]++
				pairs = append(pairs, [2]int{l, p})
			}
		}
	}
	only := map[[2]int]bool{}
	for _, x := range pairs {
		if ls[x[0]] == 1 && ps[x[1]] == 1 {
			only[x] = true
		}
	}
	return only
}

// judge goes through the rules in their order: each made exactly the matches that are
// the one possibility on both sides.
func (r *reconciler) judge(name string) {
	r.t.Helper()
	made := r.matches(name, "state = 'matched'")
	isNamed := func(m *storyMatch) bool { return r.namesAny(m.ls[0]) }
	take := func(rule string, want func(m *storyMatch) bool) {
		for _, m := range made {
			if m.rule == rule && want(&m) {
				for _, l := range m.ls {
					r.lines[l].out = true
				}
				for _, p := range m.ps {
					r.postings[p].out = true
				}
			}
		}
	}
	every := func(*storyMatch) bool { return true }
	step := func(rule string, fits func(l, p int) bool) {
		r.t.Helper()
		want := r.only(fits)
		for _, m := range made {
			if m.rule != rule {
				continue
			}
			pair := [2]int{m.ls[0], m.ps[0]}
			if len(m.ls)+len(m.ps) != 2 || !want[pair] {
				r.t.Fatalf("match %s by %s is not the one possibility: %+v, %+v", m.whatever, rule, r.lines[m.ls[0]], r.postings[m.ps[0]])
			}
			delete(want, pair)
		}
		for pair := range want {
			r.t.Fatalf("the one possibility by %s is not matched: %+v, %+v", rule, r.lines[pair[0]], r.postings[pair[1]])
		}
		take(rule, every)
	}
	step("reference", func(l, p int) bool {
		m := storyMatch{ls: []int{l}, ps: []int{p}}
		return !r.lines[l].out && !r.postings[p].out && r.names(l, p) && r.equal(l, p) && !r.rejected[m.key()]
	})
	for _, m := range made {
		if m.rule == "sum" && isNamed(&m) {
			r.exact(&m)
			for _, l := range m.ls {
				for _, p := range m.ps {
					if !r.names(l, p) {
						r.t.Fatalf("match %s: line %+v does not name %+v", m.whatever, r.lines[l], r.postings[p])
					}
				}
			}
		}
	}
	take("sum", isNamed)
	equal := func(l, p int) bool { return r.free(l, p) && r.within(l, p) && r.equal(l, p) }
	step("amount", equal)
	near := func(l, p int) bool { return r.free(l, p) && r.within(l, p) && r.near(l, p) }
	busy := func(fits func(l, p int) bool) (ls, ps map[int]bool) {
		ls, ps = map[int]bool{}, map[int]bool{}
		for l := range r.lines {
			for p := range r.postings {
				if fits(l, p) {
					ls[l], ps[p] = true, true
				}
			}
		}
		return ls, ps
	}
	ls, ps := busy(equal)
	step("tolerance", func(l, p int) bool { return near(l, p) && !ls[l] && !ps[p] })
	ls, ps = busy(func(l, p int) bool { return equal(l, p) || near(l, p) })
	solutions := r.sums(ls, ps)
	for _, m := range made {
		if m.rule == "sum" && !isNamed(&m) {
			r.exact(&m)
			if !r.mixed(&m) && !solutions[m.key()] {
				r.t.Fatalf("match %s is no sum that the rules allow: %+v", m.whatever, m)
			}
			for key := range solutions {
				if key != m.key() && r.shares(key, &m) {
					r.t.Fatalf("match %s is one way to add up, and %s another", m.whatever, key)
				}
			}
		}
	}
}

// mixed: what a bill took and gave back.
func (r *reconciler) mixed(m *storyMatch) bool {
	for _, p := range m.ps {
		if r.postings[p].bill != r.postings[m.ps[0]].bill {
			return false
		}
	}
	return len(m.ps) > 1 && r.postings[m.ps[0]].value*r.postings[m.ps[1]].value < 0
}

// exact makes sure that a sum is one, of one currency.
func (r *reconciler) exact(m *storyMatch) {
	r.t.Helper()
	var left, right int64
	for _, l := range m.ls {
		left += r.lines[l].value
	}
	for _, p := range m.ps {
		right += r.postings[p].value
		if r.postings[p].currency != r.postings[m.ps[0]].currency || !r.currency(m.ls[0], p) {
			r.t.Fatalf("match %s adds up several currencies", m.whatever)
		}
	}
	if left != right || len(m.ls)+len(m.ps) < 3 || len(m.ls)+len(m.ps) > 6 || len(m.ls) > 1 && len(m.ps) > 1 {
		r.t.Fatalf("match %s is no sum: %d and %d", m.whatever, left, right)
	}
}

// sums are all sums that the rules allow.
func (r *reconciler) sums(busyLines, busyPostings map[int]bool) map[string]bool {
	found := map[string]bool{}
	part := func(l, p int) bool {
		return r.free(l, p) && r.within(l, p) && r.currency(l, p) && r.lines[l].value*r.postings[p].value > 0 && r.alike(l, p) && !busyLines[l] && !busyPostings[p]
	}
	keep := func(m storyMatch) {
		for _, p := range m.ps {
			if r.postings[p].currency != r.postings[m.ps[0]].currency {
				return
			}
		}
		if !r.rejected[m.key()] {
			found[m.key()] = true
		}
	}
	for l := range r.lines {
		var parts []int
		for p := range r.postings {
			if part(l, p) {
				parts = append(parts, p)
			}
		}
		subsets(parts, r.lines[l].value, func(p int) int64 { return r.postings[p].value }, nil, func(chosen []int) { keep(storyMatch{ls: []int{l}, ps: chosen}) })
	}
	for p := range r.postings {
		var parts []int
		for l := range r.lines {
			if part(l, p) {
				parts = append(parts, l)
			}
		}
		subsets(parts, r.postings[p].value, func(l int) int64 { return r.lines[l].value }, nil, func(chosen []int) { keep(storyMatch{ls: chosen, ps: []int{p}}) })
	}
	return found
}

// subsets finds two to five of some parts that add up to a whole.
func subsets(parts []int, rest int64, of func(int) int64, chosen []int, fn func([]int)) {
	if rest == 0 && len(chosen) >= 2 {
		fn(slices.Clone(chosen))
	}
	if len(chosen) == 5 {
		return
	}
	for i, p := range parts {
		subsets(parts[i+1:], rest-of(p), of, append(chosen, p), fn)
	}
}

// shares reports whether a sum has a line or a posting of a match.
func (r *reconciler) shares(key string, m *storyMatch) bool {
	var ls, ps string
	ls, ps, _ = strings.Cut(strings.Trim(key, "[]"), "] [")
	has := func(text string, of []int) bool {
		return slices.ContainsFunc(strings.Fields(text), func(s string) bool {
			n, err := strconv.Atoi(s)
			return err == nil && slices.Contains(of, n)
		})
	}
	return has(ls, m.ls) || has(ps, m.ps)
}

// decide confirms, rejects and matches by hand what comes along.
func (r *reconciler) decide() {
	for _, c := range r.ask("SELECT match_id FROM matches WHERE " + storyLive + " ORDER BY 1") {
		switch r.random.IntN(6) {
		case 0:
			r.run("confirm", c[0], "--by", "x")
		case 1:
			r.run("reject", c[0], "--by", "x", "--note", "y")
		}
	}
	for range 4 {
		lines := r.ask("SELECT ledger_line_id, name FROM ledger_lines JOIN ledgers USING (ledger_id) WHERE removed_at IS NULL")
		postings := r.ask("SELECT line_id FROM postings")
		l, p := lines[r.random.IntN(len(lines))], postings[r.random.IntN(len(postings))]
		free := asked(r.t, r.dir, "SELECT (SELECT open_code IS NOT NULL FROM ledger_lines WHERE ledger_line_id = "+l[0]+") AND EXISTS (SELECT 1 FROM postings p WHERE line_id = '"+p[0]+`'
			AND NOT EXISTS (SELECT 1 FROM match_items i JOIN matches m USING (match_id) WHERE i.bill_id = p.bill_id AND i.line = p.line AND `+storyLive+"))") == "1"
		if out, code := r.run("match", "id:"+l[0], p[0], "--name", l[1], "--by", "x", "--force", "--note", "y"); (code == exitDone) != free {
			r.t.Fatalf("matching line %s with %s by hand ends with %d: %s", l[0], p[0], code, out)
		}
	}
	r.once()
}

// Whatever is booked, imported, decided and corrected, in two ledgers over one book:
// every match that a rule made is the one possibility on both sides, nothing is in two
// matches, decisions stay, and everything that is open has a reason.
func TestReconcileStories(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := newReconciler(t, seed, seed)
			yuan := anyOf(r.random, "CNY", "CNH")
			one, two := r.book(14, yuan), r.book(8, "CNY")
			r.bring("one", one)
			r.bring("two", two)
			for range 2 {
				r.decide()
				r.random.Shuffle(len(one), func(i, j int) { one[i], one[j] = one[j], one[i] })
				one = append(one[2:], r.book(2, yuan)...)
				r.bring("one", one)
				r.bring("two", two)
			}
		})
	}
}

// What "reconcile match --json" prints is one document.
func TestReconcileMatchJSON(t *testing.T) {
	t.Parallel()
	dir, ledger := newLedger(t)
	inside(t, dir, "reconcile", "--ledger", ledger)
	posting := asked(t, dir, "SELECT line_id FROM reconciliation_open_postings WHERE merchant_name = 'Twice' LIMIT 1")
	out, errout, code := inside(t, dir, "reconcile", "match", "8", strings.ToLower(posting), "--by", "Ann", "--json")
	var doc struct {
		Type, State, Rule, Differ string
		ID                        int64 `json:"match_id"`
		Lines, Postings           []struct {
			ID      string
			Line    int    `json:"ledger_line"`
			Amount  int64  `json:"amount"`
			Decimal string `json:"amount_decimal"`
		}
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || code != exitDone {
		t.Fatalf("it ends with %d: %v, %s%s", code, err, out, errout)
	}
	if doc.Type != "match" || doc.State != "confirmed" || doc.Rule != "manual" || doc.ID == 0 || doc.Differ != "" || len(doc.Lines) != 1 || len(doc.Postings) != 1 ||
		doc.Lines[0].Line != 8 || doc.Lines[0].Amount != -700 || doc.Postings[0].ID != posting || doc.Postings[0].Decimal != "-7.00" {
		t.Errorf("it says %+v", doc)
	}
}

package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The order of the ledger's lines and that of bills in the database do not matter.
func TestReconcileAnyOrder(t *testing.T) {
	t.Parallel()
	const said = `SELECT g.name, m.state, m.rule, m.reason, (SELECT group_concat(x, ' ') FROM (SELECT coalesce(l.line_key, '') || '/' || coalesce(p.line_id, '') AS x FROM match_items i
			LEFT JOIN ledger_lines l USING (ledger_line_id) LEFT JOIN postings p ON p.bill_id = i.bill_id AND p.line = i.line WHERE i.match_id = m.match_id ORDER BY 1))
		FROM matches m JOIN ledgers g USING (ledger_id) WHERE (SELECT count(*) FROM match_items i WHERE i.match_id = m.match_id) = 1
		UNION ALL SELECT g.name, m.state, m.rule, m.reason, (SELECT group_concat(x, ' ') FROM (SELECT coalesce(l.line_key, '') AS x FROM match_items i JOIN ledger_lines l USING (ledger_line_id) WHERE i.match_id = m.match_id ORDER BY 1))
			|| '/' || (SELECT group_concat(x, ' ') FROM (SELECT p.line_id AS x FROM match_items i JOIN postings p ON p.bill_id = i.bill_id AND p.line = i.line WHERE i.match_id = m.match_id ORDER BY 1))
		FROM matches m JOIN ledgers g USING (ledger_id) WHERE (SELECT count(*) FROM match_items i WHERE i.match_id = m.match_id) > 1
		UNION ALL SELECT l.line_key, c.rank, p.line_id, c.reason, '' FROM candidates c JOIN postings p ON p.bill_id = c.bill_id AND p.line = c.line JOIN ledger_lines l USING (ledger_line_id)
		UNION ALL SELECT g.name, l.line_key, l.open_code, l.open_reason, '' FROM ledger_lines l JOIN ledgers g USING (ledger_id) WHERE l.open_code IS NOT NULL
		ORDER BY 1, 2, 3, 4, 5`
	for seed := range uint64(6) {
		a, b := newReconciler(t, seed, 1), newReconciler(t, seed, 2)
		lines := a.book(16, "CNY")
		a.bring("one", lines)
		shuffled := slices.Clone(lines)
		b.random.Shuffle(len(lines), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		b.bring("one", shuffled)
		if x, y := asked(t, a.dir, said), asked(t, b.dir, said); x != y {
			t.Errorf("seed %d: in one order\n%s\nin another\n%s", seed, strings.ReplaceAll(x, ";", "\n"), strings.ReplaceAll(y, ";", "\n"))
		}
	}
}

// Two databases with the same bills say the same of the same ledger, whatever numbers
// the bills have in them.
func TestReconcileAnyDatabase(t *testing.T) {
	t.Parallel()
	numbers := regexp.MustCompile(`"bill_id":\d+,`)
	for seed := range uint64(6) {
		a, b := newReconciler(t, seed, 1), newReconciler(t, seed, 2)
		lines := a.book(16, "CNY")
		a.bring("one", lines)
		b.bring("one", lines)
		for _, part := range []string{"open_ledger", "open_postings", "matches", "suggested", "summary"} {
			x, _ := a.run("show", "one", "--part", part, "--json")
			y, _ := b.run("show", "one", "--part", part, "--json")
			if x, y = numbers.ReplaceAllString(x, ""), numbers.ReplaceAllString(y, ""); x != y {
				t.Errorf("seed %d: %s of one database\n%s\nof another\n%s", seed, part, x, y)
			}
		}
	}
}

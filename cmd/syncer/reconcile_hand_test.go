package main

import (
	"path/filepath"
	"strings"
	"testing"

	"billsync/internal/bill"
)

// reconciled runs "syncer reconcile" in a folder.
func reconciled(t *testing.T, dir string, code int, args ...string) string {
	t.Helper()
	out, errout, got := inside(t, dir, append([]string{"reconcile"}, args...)...)
	if got != code {
		t.Fatalf("reconcile %v ends with %d and says %s%s", args, got, out, errout)
	}
	return out + errout
}

// says makes sure that all texts are in what was said.
func says(t *testing.T, what, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%s says\n%s\nwithout %q", what, got, w)
		}
	}
}

// A person matches what no rule may: one with one, one with several, several with one.
func TestReconcileMatch(t *testing.T) {
	t.Parallel()
	dir, ledger := newLedger(t)
	reconciled(t, dir, exitIncomplete, "--ledger", ledger)
	id := func(merchant string) string {
		return asked(t, dir, "SELECT line_id FROM reconciliation_open_postings WHERE merchant_name = '"+merchant+"' ORDER BY line_id LIMIT 1")
	}
	twice, shop, hotel := id("Twice"), id("Nobody''s Shop"), id("東京ホテル")
	named := asked(t, dir, "SELECT line_id FROM reconciliation_matches WHERE rule = 'reference'")
	before := asked(t, dir, all)
	for _, wrong := range []struct{ args, want string }{
		{"", "match takes a line of the ledger and a posting\nhint: such as: "},
		{"8", "match takes a line of the ledger and a posting"},
		{"x " + twice, `"x" is no line of a ledger`},
		{"8, " + twice, `"" is no line of a ledger`},
		{"0 " + twice, `"0" is no line of a ledger`},
		{"id:99999 " + twice, "ledger may has no line with the ledger_line_id 99999"},
		{"99 " + twice, "ledger may has no line 99\n"},
		{"8,8 " + twice, "line 8 is named twice"},
		{"8 NONSENSE", `there is no posting "NONSENSE" in the books`},
		{"8 " + twice + " " + strings.ToLower(twice), "posting " + strings.ToLower(twice) + " is named twice"},
		{"8,12 " + twice + " " + shop, "several lines and several postings are no match"},
		{"2 " + twice, "line 2 is in match "},
		{"8 " + named, "posting " + named + " is in match "},
		{"12 " + twice, "the two sides do not add up: they differ by 3.79 USD\nhint: if they belong together all the same: --force --note TEXT"},
		{"12 " + twice + " --force", "the two sides do not add up: they differ by 3.79 USD"},
		{"12 " + shop + " --note x", "the two sides do not add up: they are in USD and EUR"},
		{"8 " + twice + " --name june", `there is no ledger "june"`},
	} {
		if got := reconciled(t, dir, exitUsage, append([]string{"match"}, strings.Fields(wrong.args)...)...); !strings.HasPrefix(got, "syncer: "+wrong.want) {
			t.Errorf("match %s says %s", wrong.args, got)
		}
	}
	says(t, "a dry run", reconciled(t, dir, exitDone, "match", "8", twice, "-n"), "would be matched by hand:\n  line 8 ", "-7.00 USD  Twice")
	if got := asked(t, dir, all); got != before {
		t.Errorf("what was refused or only tried leaves\n%s\nnot\n%s", got, before)
	}

	says(t, "match", reconciled(t, dir, exitDone, "match", "8", twice, "--by", "Ann"), " confirmed, by hand:\n  line 8 ")
	says(t, "match", reconciled(t, dir, exitDone, "match", "4,12", hotel, "--force", "--note", "paid in dollars", "--by", "Ann", "--name", "may"), "they are in JPY and USD")
	const decided = "SELECT m.state, m.rule, m.reason, m.decided_by, m.note, group_concat(l.line), group_concat(i.bill_id) FROM matches m JOIN match_items i USING (match_id) LEFT JOIN ledger_lines l USING (ledger_line_id) WHERE m.rule = 'manual' GROUP BY m.match_id"
	const want = "confirmed|manual|matched by hand|Ann|<nil>|8|6;confirmed|manual|matched by hand, they are in JPY and USD|Ann|paid in dollars|4,12|3"
	got := func() string { return strings.ReplaceAll(asked(t, dir, decided), "; they", ", they") }
	if got() != want {
		t.Errorf("stored is %s", got())
	}
	says(t, "show", reconciled(t, dir, exitDone, "show", "may", "--part", "matches", "--csv"), "matched by hand; they are in JPY and USD,Ann,paid in dollars,2026-")
	reconciled(t, dir, exitIncomplete, "--ledger", ledger)
	if got() != want {
		t.Errorf("after another import stored is %s", got())
	}
	if got := asked(t, dir, "SELECT open_code, open_reason FROM reconciliation_open_postings WHERE merchant_name = 'Twice'"); got != "taken|line 8 has its amount within the days, and is matched with another posting" {
		t.Errorf("the other posting of two is open because %s", got)
	}
	// Rejected again, both sides are open again, and no rule makes it again.
	match := asked(t, dir, "SELECT match_id FROM matches WHERE rule = 'manual' ORDER BY 1 LIMIT 1")
	reconciled(t, dir, exitDone, "reject", match, "--note", "the other one", "--by", "Bob")
	reconciled(t, dir, exitIncomplete, "--ledger", ledger)
	if got := asked(t, dir, "SELECT state, rule, bill_id FROM reconciliation_matches WHERE ledger_line = 8"); got != "rejected|manual|6;matched|amount|7" {
		t.Errorf("of two postings one was rejected, and the line is %s", got)
	}
	if got := asked(t, dir, "SELECT open_code, open_reason FROM reconciliation_open_postings WHERE merchant_name = 'Twice'"); got != "rejected|match "+match+" with it was rejected" {
		t.Errorf("the posting that was rejected is open because %s", got)
	}
}

// One line with several postings that add up, a ledger about one account, and a line
// that the ledger no longer has.
func TestReconcileMatchSeveral(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t)
	for _, merchant := range []string{"Alpha", "Bravo"} {
		k.bill("main", "2026-05-03 02:00", "SUCCESS", merchant, "", "500 USD", "500 USD", "", nil)
	}
	k.bill("second", "2026-05-03 02:00", "SUCCESS", "Alpha", "", "500 USD", "500 USD", "", nil)
	path := filepath.Join(dir, "may.csv")
	put(t, path, []byte("Date,Amount,Currency,Payee\n2026-05-03,-10.00,USD,Both\n2026-05-03,-1.00,USD,x\n"))
	reconciled(t, dir, exitIncomplete, "--ledger", path, "--of", "main")
	ids := strings.Split(asked(t, dir, "SELECT line_id FROM postings ORDER BY bill_id"), ";")
	says(t, "the posting of another account", reconciled(t, dir, exitUsage, "match", "2", ids[0], ids[2]), "is one of account second, and ledger may is about main")
	reconciled(t, dir, exitDone, "match", "2", ids[0], ids[1], "--by", "Ann")
	says(t, "all but a line", reconciled(t, dir, exitIncomplete, "--ledger", path, "--of", "main"), "ledger may: 1 line without a posting\n")
	put(t, path, []byte("Date,Amount,Currency,Payee\n2026-05-03,-1.00,USD,x\n"))
	out := reconciled(t, dir, exitDone, "--ledger", path, "--of", "main", "--preview")
	says(t, "a preview", out, "withdrawn  confirmed matches of which the file no longer has a line: 1\n")
	out = reconciled(t, dir, exitIncomplete, "--ledger", path, "--of", "main")
	says(t, "an import", out, "withdrawn  confirmed matches of which the file no longer has a line: 1\n")
	says(t, "show", reconciled(t, dir, exitDone, "show", "--part", "rejected", "--csv"), "1,withdrawn,manual,2,2026-05-03,-10.00,USD,Both")
}

// Of lines that say the same, the one that was confirmed is the last to go.
func TestReconcileBookedTwice(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t)
	k.bill("main", "2026-05-03 02:00", "SUCCESS", "Alpha", "", "500 USD", "500 USD", "", nil)
	const head, line = "Date,Amount,Currency,Payee\n", "2026-05-03,-5.00,USD,Alpha\n"
	path := filepath.Join(dir, "may.csv")
	put(t, path, []byte(head+line+line+line))
	reconciled(t, dir, exitIncomplete, "--ledger", path)
	reconciled(t, dir, exitDone, "match", "4", asked(t, dir, "SELECT line_id FROM postings"), "--by", "Ann")
	stored := asked(t, dir, all)
	reconciled(t, dir, exitIncomplete, "--ledger", path)
	again := asked(t, dir, all)
	reconciled(t, dir, exitIncomplete, "--ledger", path)
	if got := asked(t, dir, all); got != again || !strings.Contains(stored, "confirmed") {
		t.Errorf("the same ledger makes of\n%s\n%s", again, got)
	}
	if got := asked(t, dir, "SELECT line, open_code FROM ledger_lines ORDER BY 1"); got != "2|taken;3|taken;4|<nil>" {
		t.Errorf("the lines are %s", got)
	}
	put(t, path, []byte(head+line))
	says(t, "with one of them", reconciled(t, dir, exitDone, "--ledger", path), "every line has its posting", "every posting has its line")
	if got := asked(t, dir, "SELECT m.state, l.line, l.removed_at FROM matches m JOIN match_items i USING (match_id) JOIN ledger_lines l USING (ledger_line_id)"); got != "confirmed|2|<nil>" {
		t.Errorf("the match is %s", got)
	}
	put(t, path, []byte(head+line+line)) // the other one is back, as a line of its own
	reconciled(t, dir, exitIncomplete, "--ledger", path)
	if got := asked(t, dir, "SELECT line, open_code FROM ledger_lines ORDER BY 1"); got != "2|<nil>;3|taken" {
		t.Errorf("with two of them again, the lines are %s", got)
	}
}

// Programs that know ISO 4217 only write CNY for CNH; what the books have in both is
// never added together.
func TestReconcileYuan(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t)
	for _, b := range []struct{ day, merchant, amount string }{
		{"03", "Alpha", "500 CNH"}, {"04", "Bravo", "700 CNY"}, {"05", "Charlie", "6100 CNH"}, {"05", "Charlie", "4000 CNY"},
		{"06", "Delta Air", "6200 CNH"}, {"06", "Delta Air", "4000 CNH"}, {"07", "Echo", "800 CNH"}, {"07", "Echo", "800 CNY"}, {"08", "Foxtrot", "9900 CNH"},
	} {
		k.bill("main", "2026-05-"+b.day+" 02:00", "SUCCESS", b.merchant, "", b.amount, b.amount, "", nil)
	}
	lines := "Date,Amount,Currency,Payee\n2026-05-03,-5.00,RMB,Alpha\n2026-05-04,-7.00,CNY,Bravo\n2026-05-05,-101.00,CNY,Charlie\n2026-05-06,-102.00,CNY,Delta Air\n2026-05-07,-8.00,CNY,Echo\n2026-05-08,-98.80,CNY,Foxtrot\n"
	path := filepath.Join(dir, "may.csv")
	put(t, path, []byte(lines))
	reconciled(t, dir, exitIncomplete, "--ledger", path)
	const matched = "SELECT ledger_line, rule, reason, posting_currency FROM reconciliation_matches WHERE ledger_line IS NOT NULL ORDER BY 1"
	want := "2|amount|equal amounts, the same day, the one possibility on both sides, in CNH in the books|CNH;3|amount|equal amounts, the same day, the one possibility on both sides|CNY;" +
		"5|sum|2 postings of merchants that are alike add up to it within the days, in one way only, in CNH in the books|CNH;" +
		"7|tolerance|the amounts differ by 0.20 CNY, the merchants are alike, the same day, the one possibility on both sides, in CNH in the books|CNH"
	if got := asked(t, dir, matched); got != want {
		t.Errorf("matched is\n%s\nnot\n%s", strings.ReplaceAll(got, ";", "\n"), strings.ReplaceAll(want, ";", "\n"))
	}
	if got := asked(t, dir, "SELECT ledger_line, open_code FROM reconciliation_open_ledger ORDER BY 1"); got != "4|missing;6|ambiguous" {
		t.Errorf("open is %s", got)
	}
	id := func(where string) string { return asked(t, dir, "SELECT line_id FROM postings WHERE "+where) }
	says(t, "both kinds together", reconciled(t, dir, exitUsage, "match", "4", id("amount = -6100"), id("amount = -4000 AND currency = 'CNY'")), "they are in CNY and CNH")
	reconciled(t, dir, exitDone, "match", "6", id("amount = -800 AND currency = 'CNH'"), "--by", "Ann")

	// A ledger that knows CNH means CNY by CNY.
	put(t, path, []byte(lines+"2026-05-20,-1.00,CNH,x\n"))
	reconciled(t, dir, exitIncomplete, "--ledger", path, "--name", "other")
	if got := asked(t, dir, "SELECT count(*) FROM reconciliation_matches WHERE ledger = 'other' AND posting_currency = 'CNH'"); got != "0" {
		t.Errorf("of a ledger with CNH, %s lines in CNY are matched with CNH", got)
	}
}

// A confirmed match stays when its bill is refunded or cancelled later; what that
// posts is open.
func TestReconcileReversedLater(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t)
	b := k.bill("main", "2026-05-03 02:00", "SUCCESS", "Alpha", "", "500 USD", "500 USD", "", nil)
	path := filepath.Join(dir, "may.csv")
	put(t, path, []byte("Date,Amount,Currency,Payee\n2026-05-03,-5.00,USD,Alpha\n"))
	args := []string{"--ledger", path, "--from", "2026-05-01", "--to", "2026-06-30"}
	reconciled(t, dir, exitDone, args...)
	reconciled(t, dir, exitDone, "confirm", "1", "--by", "Ann")
	k.change("main", b, func(b *bill.Bill) { b.Status = "CANCELLED" })
	says(t, "after the bill was cancelled", reconciled(t, dir, exitIncomplete, args...), "ledger may: 1 posting without a line\n", "reversal")
	if got := asked(t, dir, "SELECT state, line_id = (SELECT line_id FROM postings WHERE kind = 'spend') FROM reconciliation_matches"); got != "confirmed|1" {
		t.Errorf("the match is %s", got)
	}
}

// The days that a ledger is about may be more than those of its lines.
func TestReconcilePeriod(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t)
	for _, day := range []string{"03", "31"} {
		k.bill("main", "2026-05-"+day+" 02:00", "SUCCESS", "Alpha", "", "500 USD", "500 USD", "", nil)
	}
	k.bill("main", "2026-05-02 02:00", "SUCCESS", "Before", "", "900 USD", "900 USD", "", nil)
	path := filepath.Join(dir, "may.csv")
	put(t, path, []byte("Date,Amount,Currency,Payee\n2026-05-03,-5.00,USD,Alpha\n"))
	says(t, "by its lines", reconciled(t, dir, exitDone, "--ledger", path), "days       2026-05-03 to 2026-05-03\n", "every posting has its line")
	out := reconciled(t, dir, exitIncomplete, "--ledger", path, "--from", "2026-05-01", "--to", "2026-05-31")
	says(t, "the whole month", out, "days       2026-05-01 to 2026-05-31\n", "ledger may: 2 postings without a line", "no open line comes near it; one of a day before the ledger's first may belong to it")
	if got := asked(t, dir, "SELECT posting_date, open_reason FROM reconciliation_open_postings WHERE posting_date = '2026-05-31'"); got != "2026-05-31|no open line comes near it" {
		t.Errorf("open in the view is %s", got)
	}
	for _, wrong := range []struct{ args, want string }{
		{"--from 2026-05-04", "DIR/may.csv: 1 of its lines are outside of the days from 2026-05-04 to …, such as line 2 of 2026-05-03\n"},
		{"--to 2026-05-02 --preview", "DIR/may.csv: 1 of its lines are outside"},
		{"--from 5/1/2026", `--from "5/1/2026" is not allowed`},
		{"--to 2026-02-30", `--to "2026-02-30" is not allowed`},
		{"--from 2026-05-04 --to 2026-05-03", "--from 2026-05-04 is after --to 2026-05-03"},
	} {
		if got := reconciled(t, dir, exitUsage, append([]string{"--ledger", path}, strings.Fields(wrong.args)...)...); !strings.HasPrefix(got, "syncer: "+wrong.want) {
			t.Errorf("%s says %s", wrong.args, got)
		}
	}
}

// A ledger whose signs are the other way round is told so.
func TestReconcileSigns(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t)
	k.bill("main", "2026-05-03 02:00", "SUCCESS", "Alpha", "", "500 USD", "500 USD", "", nil)
	path := filepath.Join(dir, "may.csv")
	put(t, path, []byte("Date,Amount,Currency,Payee\n2026-05-03,5.00,USD,Alpha\n"))
	says(t, "the wrong sign", reconciled(t, dir, exitIncomplete, "--ledger", path), "hint: nothing matches, and most lines are money in: if that is the wrong way round, the other --spend-sign turns it\n")
	reconciled(t, dir, exitDone, "--ledger", path, "--spend-sign", "positive")
}

// What the shell completes.
func TestReconcileCompletion(t *testing.T) {
	t.Parallel()
	dir, ledger := newLedger(t)
	reconciled(t, dir, exitIncomplete, "--ledger", ledger)
	for args, want := range map[string]string{
		"show": "may\n", "match --name": "may\n", "--name": "may\n", "confirm": "6\tsuggested by reference_differs: ", "reject": "6\tsuggested by reference_differs: ",
		"--part": "summary\nsuggested\nopen_ledger\nopen_postings\nmatches\nrejected\n", "show may --part": "summary\n", "--spend-sign": "negative\npositive\n", "match": ":4\n",
	} {
		out, _, code := inside(t, dir, append(append([]string{"__complete", "-c", filepath.Join(dir, "config.toml"), "reconcile"}, strings.Fields(args)...), "")...)
		if code != exitDone || !strings.HasPrefix(out, want) {
			t.Errorf("%s is completed with %d and %q, want %q", args, code, out, want)
		}
	}
}

// A ledger that was imported by mistake gives back what it took.
func TestReconcileForget(t *testing.T) {
	t.Parallel()
	dir, ledger := newLedger(t)
	wrong := filepath.Join(dir, "may (1).csv")
	put(t, wrong, []byte(readFile(t, ledger)))
	reconciled(t, dir, exitIncomplete, "--ledger", wrong)
	says(t, "the same file", reconciled(t, dir, exitUsage, "--ledger", ledger), `may.csv is known already, as ledger may (1)`+"\n"+`hint: --name "may (1)" imports it again`)
	put(t, ledger, []byte(readFile(t, ledger)+"\n")) // not the same file, though it says the same
	taken := reconciled(t, dir, exitIncomplete, "--ledger", ledger)
	says(t, "a second ledger of the same", taken, "matched with a line of ledger may (1)")
	before := asked(t, dir, all)
	for args, want := range map[string]string{"": "forget takes one ledger", "a|b": "forget takes one ledger", "june": `there is no ledger "june"`} {
		says(t, "forget "+args, reconciled(t, dir, exitUsage, append([]string{"forget"}, strings.FieldsFunc(args, func(r rune) bool { return r == '|' })...)...), want)
	}
	says(t, "a dry run", reconciled(t, dir, exitDone, "forget", "may (1)", "-n"), "ledger may (1) would be forgotten: 11 lines; matches undone: 7, confirmed ones withdrawn: 0\n")
	if got := asked(t, dir, all); got != before {
		t.Errorf("a dry run leaves\n%s\nnot\n%s", got, before)
	}
	says(t, "forget", reconciled(t, dir, exitDone, "forget", "may (1)", "--json"), `"lines":11,"matches":7,"withdrawn":0,"kept":false`)
	if got := asked(t, dir, "SELECT name FROM ledgers"); got != "may" {
		t.Errorf("the ledgers are %s", got)
	}
	reconciled(t, dir, exitIncomplete, "--ledger", ledger)
	if got := asked(t, dir, states); !strings.Contains(got, "reference|matched|1") || asked(t, dir, "SELECT count(*) FROM ledger_lines") != "11" {
		t.Errorf("then matched is %s", got)
	}

	id := asked(t, dir, "SELECT match_id FROM matches WHERE rule = 'reference'")
	reconciled(t, dir, exitDone, "confirm", id, "--by", "Ann")
	says(t, "forgetting what was confirmed", reconciled(t, dir, exitUsage, "forget", "may"), "ledger may has 1 confirmed matches, which would be withdrawn\nhint: --force")
	says(t, "by force", reconciled(t, dir, exitDone, "forget", "may", "--force"), "what was decided about it stays readable")
	says(t, "show", reconciled(t, dir, exitDone, "show", "may", "--part", "rejected"), "withdrawn")
	if got := asked(t, dir, states); got != "reference|withdrawn|1" {
		t.Errorf("then matches are %s", got)
	}
}

// What is said right after an import is what is stored: also of lines that take the
// place of others.
func TestReconcileSaysWhatIsStored(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t)
	k.bill("main", "2026-05-03 02:00", "SUCCESS", "Alpha", "", "500 USD", "500 USD", "", nil)
	k.bill("main", "2026-05-04 02:00", "SUCCESS", "Bravo", "", "900 USD", "900 USD", "", nil)
	const head, alpha = "Date,Amount,Currency,Payee\n", "2026-05-03,-5.00,USD,Alpha\n"
	path := filepath.Join(dir, "may.csv")
	for _, x := range []struct {
		last string
		code int
	}{
		{"2026-05-04,-90.00,USD,Typo\n", exitIncomplete}, {"2026-05-04,-9.00,USD,Bravo\n", exitDone}, {"2026-05-04,-77.00,USD,Other\n", exitIncomplete}, {"", exitDone},
	} {
		for _, part := range []string{"summary", "matches", "open_ledger", "open_postings"} {
			put(t, path, []byte(head+alpha+"2026-05-05,-1.00,USD,Before\n"))
			reconciled(t, dir, exitIncomplete, "--ledger", path)
			put(t, path, []byte(head+alpha+x.last))
			said := reconciled(t, dir, x.code, "--ledger", path, "--csv", "--part", part)
			if shown := reconciled(t, dir, exitDone, "show", "--csv", "--part", part); !strings.Contains(said, shown) {
				t.Errorf("after %q the part %s is said to be\n%s\nand is\n%s", x.last, part, said, shown)
			}
		}
	}
}

// A line that is gone does not take the place of one that says the same and is there,
// whatever was decided about it.
func TestReconcileTwinsStay(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t)
	k.bill("main", "2026-05-03 02:00", "SUCCESS", "Alpha", "", "500 USD", "500 USD", "", nil)
	k.bill("main", "2026-05-03 03:00", "SUCCESS", "Bravo", "", "500 USD", "500 USD", "", nil)
	const head, z = "Date,Amount,Currency,Payee\n", "2026-05-03,-5.00,USD,Shop\n"
	path := filepath.Join(dir, "may.csv")
	put(t, path, []byte(head+z+z))
	reconciled(t, dir, exitIncomplete, "--ledger", path)
	decide := func(args ...string) { reconciled(t, dir, exitDone, append(args, "--by", "Ann", "--note", "x")...) }
	postings := strings.Fields(asked(t, dir, "SELECT group_concat(line_id, ' ') FROM (SELECT line_id FROM postings ORDER BY bill_id)"))
	decide("match", "2", postings[0])
	decide("reject", asked(t, dir, "SELECT max(match_id) FROM matches"))
	decide("match", "3", postings[1])
	last := asked(t, dir, "SELECT max(match_id) FROM matches")
	put(t, path, []byte(head+z))
	reconciled(t, dir, exitIncomplete, "--ledger", path)
	decide("reject", last)
	const there = "SELECT group_concat(ledger_line_id) FROM ledger_lines WHERE removed_at IS NULL"
	before := asked(t, dir, there)
	reconciled(t, dir, exitIncomplete, "--ledger", path)
	if got := asked(t, dir, there); got != before {
		t.Errorf("the same file has the lines %s now, and had %s", got, before)
	}
}

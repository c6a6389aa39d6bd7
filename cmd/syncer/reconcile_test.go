package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"billsync/internal/bill"
)

// newLedger makes books and a ledger with something for every rule.
func newLedger(t *testing.T) (dir, ledger string) {
	t.Helper()
	k, dir := newBookkeeper(t)
	const s = "SUCCESS"
	named := k.bill("main", "2026-05-02 02:00", s, "ACME CLOUD", "4242", "1234 USD", "1234 USD", "", nil)
	k.bill("main", "2026-05-03 02:00", s, "SQ *BLUE CUP", "4242", "550 USD", "550 USD", "", nil)
	k.bill("main", "2026-05-04 02:00", s, "東京ホテル", "4242", "20100 JPY", "20100 JPY", "", nil)
	k.bill("main", "2026-05-05 02:00", s, "ACME CLOUD", "4242", "30000 USD", "30000 USD", "", nil)
	k.bill("main", "2026-05-06 02:00", s, "支付宝-星星超市", "4242", "9900 CNH", "9900 CNH", "", nil)
	k.bill("main", "2026-05-07 02:00", s, "Twice", "4242", "700 USD", "700 USD", "", nil)
	k.bill("main", "2026-05-07 03:00", s, "Twice", "4242", "700 USD", "700 USD", "", nil)
	k.bill("main", "2026-05-08 02:00", s, "Gulf Air", "0007", "12500 KWD", "12500 KWD", "", nil)
	differs := k.bill("main", "2026-05-09 02:00", s, "Inn", "0007", "8800 EUR", "8800 EUR", "", func(b *bill.Bill) { b.BillNo = "B2026050900000001" })
	k.bill("main", "2026-05-10 02:00", s, "Nobody's Shop", "0007", "100 EUR", "100 EUR", "", nil)
	k.bill("second", "2026-05-11 02:00", "PARTIAL_REFUND", "Inn", "9999", "5000 EUR", "5000 EUR", "1500 EUR", nil)
	if err := k.s.Close(); err != nil {
		t.Fatal(err)
	}
	ledger = filepath.Join(dir, "may.csv")
	put(t, ledger, []byte("Date,Amount,Currency,Payee,Reference,Memo\n"+
		"2026-05-20,-12.34,USD,Acme,"+named.OrderNo+",\n"+
		"2026-05-03,-5.50,USD,Blue Cup,,coffee\n"+
		"2026-05-03,-20000,JPY,東京ホテル,,\n"+
		"2026-05-04,-120.00,USD,Acme Cloud,,first half\n"+
		"2026-05-05,-180.00,USD,Acme Cloud,,second half\n"+
		"2026-05-06,-98.70,CNH,星星超市,,\n"+
		"2026-05-07,-7.00,USD,Twice,,\n"+
		"2026-05-07,-12.500,KWD,Gulf Air,,\n"+
		"2026-05-09,-80.00,EUR,Inn,,bill "+differs.BillNo+"\n"+
		"2026-05-11,-35.00,EUR,Inn,,less a refund\n"+
		"2026-05-12,-3.21,USD,=Evil(),,\n"))
	return dir, ledger
}

func TestReconcileGolden(t *testing.T) {
	t.Parallel()
	dir, ledger := newLedger(t)
	for _, step := range []struct {
		name, command string
		code          int
	}{
		{"reconcile_preview", "reconcile --ledger " + ledger + " --preview", exitDone},
		{"reconcile_list_none", "reconcile list", exitDone},
		{"reconcile", "reconcile --ledger " + ledger, exitIncomplete},
		{"reconcile_show", "reconcile show may", exitDone},
		{"reconcile_list", "reconcile list", exitDone},
	} {
		args := strings.Fields(step.command)
		made := func(more ...string) string {
			out, errout, code := inside(t, dir, append(args, more...)...)
			if code != step.code || code == exitDone && errout != "" {
				t.Errorf("%s %v ends with %d and says %s", step.command, more, code, errout)
			}
			return out
		}
		golden(t, step.name+".txt", made())
		doc := made("--json")
		if !json.Valid([]byte(doc)) {
			t.Errorf("%s --json is no JSON: %s", step.command, doc)
		}
		golden(t, step.name+".json", strings.ReplaceAll(doc, "},{", "},\n{"))
		var csv strings.Builder
		for _, m := range partNames.FindAllStringSubmatch(doc, -1) {
			csv.WriteString("# " + m[1] + "\n" + made("--csv", "--part", m[1]))
		}
		golden(t, step.name+".csv", csv.String())
		book := filepath.Join(dir, step.name+".xlsx")
		made("--xlsx", book)
		golden(t, step.name+".xlsx.txt", strings.ReplaceAll(workbook(t, book), dir, "DIR"))
	}
}

// asked is what a query says, its rows joined by ; and its cells by |.
func asked(t *testing.T, dir, query string) string {
	t.Helper()
	db, err := opened(filepath.Join(dir, "bills.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := ask(db, query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return strings.Join(rows, ";")
}

// all is everything that reconciling stores.
const all = `SELECT 'ledger', name, content_hash, matched_at, skipped FROM ledgers
	UNION ALL SELECT 'line', line_key, ledger_line_id, line, coalesce(open_reason, '') || coalesce(removed_at, '') FROM ledger_lines
	UNION ALL SELECT 'match', match_id, state, rule, made_at FROM matches
	UNION ALL SELECT 'item', match_id, item, ledger_line_id, bill_id || '/' || line FROM match_items
	UNION ALL SELECT 'near', ledger_line_id, rank, bill_id, reason FROM candidates
	UNION ALL SELECT 'count', value, '', '', '' FROM meta WHERE key = 'reconciled' ORDER BY 1, 2, 3`

// The same file again changes nothing, a preview neither.
func TestReconcileAgain(t *testing.T) {
	t.Parallel()
	dir, ledger := newLedger(t)
	if _, errout, code := inside(t, dir, "reconcile", "--ledger", ledger, "-n"); code != exitDone || asked(t, dir, all) != "" {
		t.Errorf("a dry run ends with %d, says %s and leaves %s", code, errout, asked(t, dir, all))
	}
	if _, errout, code := inside(t, dir, "reconcile", "--ledger", ledger); code != exitIncomplete {
		t.Fatalf("it ends with %d and says %s", code, errout)
	}
	want := asked(t, dir, all)
	for _, more := range [][]string{nil, {"--preview"}, {"--json"}} {
		inside(t, dir, append([]string{"reconcile", "--ledger", ledger}, more...)...)
		if got := asked(t, dir, all); got != want {
			t.Errorf("again %v:\n%s\nnot\n%s", more, got, want)
		}
	}
	if !strings.Contains(want, "reference_differs") || !strings.Contains(want, "tolerance") || !strings.Contains(want, "sum") {
		t.Errorf("not every rule is in it: %s", want)
	}
}

const states = "SELECT rule, state, count(*) FROM matches GROUP BY 1, 2 ORDER BY 1, 2"

// Decisions, and a corrected ledger.
func TestReconcileDecisions(t *testing.T) {
	t.Parallel()
	dir, ledger := newLedger(t)
	run := func(code int, args ...string) string {
		t.Helper()
		out, errout, got := inside(t, dir, append([]string{"reconcile"}, args...)...)
		if got != code {
			t.Fatalf("%v ends with %d and says %s%s", args, got, out, errout)
		}
		return out + errout
	}
	run(exitIncomplete, "--ledger", ledger)
	id := func(rule string) string {
		return asked(t, dir, "SELECT match_id FROM matches WHERE state IN ('matched', 'suggested') AND rule = '"+rule+"' ORDER BY match_id LIMIT 1")
	}
	differs, tolerance, sum, amount := id("reference_differs"), id("tolerance"), id("sum"), id("amount")
	if got := run(exitDone, "confirm", differs, sum, "--by", "Ann", "-n"); !strings.Contains(got, "match "+differs+" would be confirmed (suggested by reference_differs") ||
		strings.Contains(asked(t, dir, states), "confirmed") {
		t.Errorf("a dry run says %s", got)
	}
	run(exitDone, "confirm", differs, sum, "--by", "Ann", "--note", "seen")
	run(exitDone, "reject", tolerance, "--by", "Bob", "--note", "another hotel", "--json")
	for _, wrong := range []struct{ args, want string }{
		{"confirm " + differs, "match " + differs + " is confirmed already"},
		{"reject " + tolerance + " --note x", "match " + tolerance + " is rejected already"},
		{"reject " + amount, "a match is rejected with a note"},
		{"confirm 999", "there is no match 999"},
		{"confirm x", `"x" is no number of a match`},
		{"confirm", "confirm takes the numbers of matches"},
		{"confirm " + amount + " 999", "there is no match 999"},
	} {
		if got := run(exitUsage, strings.Fields(wrong.args)...); !strings.Contains(got, wrong.want) {
			t.Errorf("%s says %s", wrong.args, got)
		}
	}
	decided := asked(t, dir, "SELECT match_id, state, decided_by, note FROM matches WHERE decided_at IS NOT NULL ORDER BY 1")
	run(exitIncomplete, "--ledger", ledger)
	if got := asked(t, dir, "SELECT match_id, state, decided_by, note FROM matches WHERE decided_at IS NOT NULL ORDER BY 1"); got != decided {
		t.Errorf("the same ledger makes of %s\n%s", decided, got)
	}
	if got := asked(t, dir, fmt.Sprintf(`SELECT count(*) FROM matches m JOIN match_items i USING (match_id) JOIN match_items r ON r.ledger_line_id = i.ledger_line_id AND r.bill_id = i.bill_id
		WHERE r.match_id = %s AND m.match_id <> r.match_id AND m.state <> 'rejected'`, tolerance)); got != "0" {
		t.Errorf("what was rejected is proposed again: %s", got)
	}

	// Corrected: another order, one line more, the amount of a confirmed line is another.
	text := readFile(t, ledger)
	text = strings.Replace(text, "2026-05-09,-80.00", "2026-05-09,-88.00", 1)
	rows := strings.SplitAfter(strings.TrimSuffix(text, "\n")+"\n", "\n")
	text = rows[0] + "2026-05-10,-1.00,EUR,Nobodys Shop,,new\n" + strings.Join(rows[6:], "") + strings.Join(rows[1:6], "")
	corrected := filepath.Join(dir, "corrected.csv")
	put(t, corrected, []byte(text))
	run(exitIncomplete, "--ledger", corrected, "--name", "may")
	if got := asked(t, dir, fmt.Sprintf("SELECT state FROM matches WHERE match_id IN (%s, %s, %s) ORDER BY match_id IN (%[2]s) DESC, match_id IN (%[3]s) DESC", differs, sum, tolerance)); got != "confirmed;rejected;withdrawn" {
		t.Errorf("after a correction decisions are %s", got)
	}
	if got := asked(t, dir, "SELECT state, rule FROM reconciliation_matches WHERE ledger_amount = -8800"); got != "matched|reference" {
		t.Errorf("the corrected line is %s", got)
	}
	if got := asked(t, dir, "SELECT count(*), count(removed_at) FROM ledger_lines"); got != "13|1" {
		t.Errorf("lines and removed ones: %s", got)
	}
	if got := asked(t, dir, "SELECT count(*) FROM match_items i JOIN matches m USING (match_id) WHERE m.state IN ('matched', 'suggested', 'confirmed') GROUP BY ledger_line_id HAVING count(*) > 1 AND ledger_line_id IS NOT NULL"); got != "" {
		t.Errorf("lines are in several matches: %s", got)
	}
	if got := run(exitUsage, "confirm", differs, "--by", "Ann"); !strings.Contains(got, "was withdrawn") {
		t.Errorf("confirming what was withdrawn: %s", got)
	}
}

// Ledgers of two names share no posting, and all matched is exit code 0.
func TestReconcileTwoLedgers(t *testing.T) {
	t.Parallel()
	dir, _ := newLedger(t)
	one := filepath.Join(dir, "one.csv")
	put(t, one, []byte("Date;Betrag;Währung;Merchant\n08.05.2026;-12,500;KWD;Gulf Air\n"))
	two := filepath.Join(dir, "two.csv")
	put(t, two, []byte("Date,Amount,Currency,Payee\n2026-05-08,12.500,KWD,Gulf Air\n"))
	if out, errout, code := inside(t, dir, "reconcile", "--ledger", one, "--decimal-mark", ","); code != exitDone || !strings.Contains(out, "every posting has its line") {
		t.Errorf("all is matched, and it ends with %d: %s%s", code, out, errout)
	}
	out, _, code := inside(t, dir, "reconcile", "--ledger", two, "--spend-sign", "positive", "--decimal-mark", ".")
	if code != exitIncomplete || !strings.Contains(out, "the posting of its amount within the days is matched with a line of ledger one") || !strings.Contains(out, "every posting has its line") {
		t.Errorf("a second ledger ends with %d: %s", code, out)
	}
	if got := asked(t, dir, states); got != "amount|matched|1" {
		t.Errorf("matches are %s", got)
	}
	if out, _, code := inside(t, dir, "reconcile", "--ledger", one, "--name", "other", "--of", "second", "--decimal-mark", ",", "--preview"); code != exitDone || !strings.Contains(out, "no posting in KWD comes near") {
		t.Errorf("of another account: %d %s", code, out)
	}
}

// What is wrong is told in a line, and nothing is stored.
func TestReconcileBadInput(t *testing.T) {
	t.Parallel()
	dir, ledger := newLedger(t)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		put(t, path, []byte(text))
		return path
	}
	bad := file("bad.csv", "Date,Amount,Currency\n2026-05-03,-5.50,USD\n2026-05-32,-1,USD\n2026-05-04,x,USD\n")
	for _, tt := range []struct {
		args, want string
	}{
		{"", "reconcile needs a ledger"},
		{"nonsense", `unknown command "nonsense" for syncer reconcile`},
		{"--ledger " + dir + "/none.csv", "the ledger cannot be opened: "},
		{"--ledger " + bad, "DIR/bad.csv: 2 lines of 3 cannot be understood; nothing was stored\n  line 3: the date \"2026-05-32\": there is no such day\n  line 4: the amount \"x\": it is no number\nhint: "},
		{"--ledger " + file("doubt.csv", "Date,Amount,Currency\n01/02/2026,1,USD\n"), `DIR/doubt.csv: line 2: the date "01/02/2026" may have the day or the month first`},
		{"--ledger " + file("head.csv", "Date,Amount,Currency\n"), "DIR/head.csv: the ledger has no lines below its head"},
		{"--ledger " + file("text.XLSX", "this is\nno ledger\n"), "DIR/text.XLSX: the ledger is no workbook, whatever its name says; read as text: no column is known to hold the date\nhint: "},
		{"--ledger " + file("part.xlsx", "PK\x03\x04 and so on"), "DIR/part.xlsx: the workbook is damaged, or only a part of it: its end is missing\nhint: copy it again"},
		{"--ledger " + ledger + " --date Posted", `--date: there is no column "Posted"`},
		{"--ledger " + ledger + " --spend-sign minus", `--spend-sign "minus" is not allowed`},
		{"--ledger " + ledger + " --days 5..1", `--days "5..1" is not allowed`},
		{"--ledger " + ledger + " --tolerance 30", `--tolerance "30" is not allowed`},
		{"--ledger " + ledger + " --tolerance-limit -1", `--tolerance-limit "-1" is not allowed`},
		{"--ledger " + ledger + " --of nobody", `there is no account "nobody" in the database`},
		{"--ledger " + ledger + " --csv --json", "--csv and --json do not go together"},
		{"--ledger " + ledger + " --sheet x --amount=", "--amount is empty"},
		{"show", "no ledger was reconciled yet"},
		{"show a b", "show takes one ledger"},
	} {
		_, errout, code := inside(t, dir, append([]string{"reconcile"}, strings.Fields(tt.args)...)...)
		if code != exitUsage || !strings.HasPrefix(errout, "syncer: "+tt.want) {
			t.Errorf("reconcile %s ends with %d and says %q, want %q", tt.args, code, errout, tt.want)
		}
	}
	if got := asked(t, dir, all); got != "" {
		t.Errorf("something was stored: %s", got)
	}
	out, _, code := inside(t, dir, "reconcile", "--ledger", bad, "--lenient", "--json")
	if code != exitIncomplete || !strings.Contains(out, `"complete":true`) || asked(t, dir, "SELECT skipped FROM ledgers") != "2" {
		t.Errorf("leniently it ends with %d: %s", code, out)
	}
	if out, _, code := inside(t, dir, "reconcile", "--ledger", bad, "--preview"); code != exitDone || !strings.Contains(out, "Lines that cannot be understood") {
		t.Errorf("a preview ends with %d: %s", code, out)
	}
}

// Whatever is corrected in a ledger: what was decided about lines that are still there
// stays, each line and posting is in one match, and another import changes nothing.
func TestReconcileCorrected(t *testing.T) {
	t.Parallel()
	dir, ledger := newLedger(t)
	rows := strings.SplitAfter(strings.TrimSuffix(readFile(t, ledger), "\n")+"\n", "\n")
	rows = rows[:len(rows)-1]
	head, lines := rows[0], rows[1:]
	for seed := range uint64(8) { // each is a dozen runs of the program
		random := rand.New(rand.NewPCG(seed, 7))
		name := fmt.Sprintf("l%d", seed)
		file := func(lines []string) string {
			path := filepath.Join(dir, name+".csv")
			put(t, path, []byte(head+strings.Join(lines, "")))
			return path
		}
		import_ := func(lines []string) { inside(t, dir, "reconcile", "--ledger", file(lines)) }
		import_(lines)
		of := func(query string) string {
			return asked(t, dir, strings.ReplaceAll(query, "LEDGER", "(SELECT ledger_id FROM ledgers WHERE name = '"+name+"')"))
		}
		live := strings.Split(of("SELECT match_id FROM matches WHERE ledger_id = LEDGER ORDER BY 1"), ";")
		if len(live) < 3 {
			t.Fatalf("seed %d: matches are %q", seed, live)
		}
		for _, id := range live {
			switch random.IntN(3) {
			case 0:
				inside(t, dir, "reconcile", "confirm", id, "--by", "x")
			case 1:
				inside(t, dir, "reconcile", "reject", id, "--by", "x", "--note", "y")
			}
		}
		const decisions = `SELECT m.match_id, m.state, group_concat(l.line_key) FROM matches m JOIN match_items i USING (match_id) JOIN ledger_lines l USING (ledger_line_id)
			WHERE m.ledger_id = LEDGER AND m.decided_at IS NOT NULL GROUP BY 1 ORDER BY 1`
		before := strings.Split(of(decisions), ";")
		corrected := slices.Clone(lines)
		random.Shuffle(len(lines), func(i, j int) { corrected[i], corrected[j] = corrected[j], corrected[i] })
		corrected = corrected[:1+random.IntN(len(lines))]
		corrected = append(corrected, "2026-05-10,-1.00,EUR,Nobodys Shop,,new\n")
		import_(corrected)
		there := "," + of("SELECT group_concat(line_key) FROM ledger_lines WHERE ledger_id = LEDGER AND removed_at IS NULL") + ","
		after := "\n" + strings.ReplaceAll(of(decisions), ";", "\n") + "\n"
		for _, d := range before {
			if d == "" {
				continue
			}
			cells := strings.Split(d, "|")
			want := d
			for _, key := range strings.Split(cells[2], ",") {
				if !strings.Contains(there, ","+key+",") && cells[1] == "confirmed" {
					want = cells[0] + "|withdrawn|" + cells[2]
				}
			}
			if !strings.Contains(after, "\n"+want+"\n") {
				t.Fatalf("seed %d: %s is gone; there are%s", seed, want, after)
			}
		}
		for _, side := range []string{"i.ledger_line_id", "i.bill_id || '/' || i.line"} {
			if got := of("SELECT " + side + " FROM match_items i JOIN matches m USING (match_id) WHERE m.state IN ('matched', 'suggested', 'confirmed') GROUP BY 1 HAVING count(*) > 1 AND count(" + side + ") > 0"); got != "" {
				t.Fatalf("seed %d: %s is in several matches: %s", seed, side, got)
			}
		}
		stored := of(all)
		import_(corrected)
		if got := of(all); got != stored {
			t.Fatalf("seed %d: another import makes of\n%s\n%s", seed, stored, got)
		}
		executed(t, filepath.Join(dir, "bills.db"), "DELETE FROM candidates", "DELETE FROM match_items", "DELETE FROM matches", "DELETE FROM ledger_lines", "DELETE FROM ledgers")
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

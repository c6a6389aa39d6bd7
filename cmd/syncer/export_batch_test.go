package main

import (
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// reopened opens the diary's database again.
func (d *diary) reopened() {
	d.t.Helper()
	s, err := store.Open(d.t.Context(), filepath.Join(d.dir, "bills.db"), d.zone())
	if err != nil {
		d.t.Fatal(err)
	}
	d.s = s
	d.t.Cleanup(func() { _ = s.Close() })
}

// sqlRows is what a query on the diary's database answers.
func (d *diary) sqlRows(query string) []string {
	d.t.Helper()
	return lookAt(d.t, filepath.Join(d.dir, "bills.db"), query)
}

// crashed leaves the last batch of a target as a crash would have left it: its
// lines partly noted, or its files partly in place.
func (d *diary) crashed(r *rand.Rand, target string, files map[string]string, out string) {
	d.t.Helper()
	ids := d.sqlRows(fmt.Sprintf("SELECT max(batch_id) FROM export_batches WHERE target = '%s'", target))
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(d.dir, "bills.db")+"?_busy_timeout=5000")
	if err != nil {
		d.t.Fatal(err)
	}
	defer db.Close()
	do := func(sql string, args ...any) {
		d.t.Helper()
		if _, err := db.Exec(sql, args...); err != nil {
			d.t.Fatal(err)
		}
	}
	do("DELETE FROM export_files WHERE batch_id = ?", ids[0])
	whole := r.IntN(2) == 0
	if whole {
		do("UPDATE export_batches SET state = 'writing', done_at = NULL WHERE batch_id = ?", ids[0])
	} else {
		do("UPDATE export_batches SET state = 'choosing', as_of = NULL, lines = 0, done_at = NULL WHERE batch_id = ?", ids[0])
		do("DELETE FROM export_lines WHERE batch_id = ? AND bill_id > ?", ids[0], r.IntN(6))
	}
	for name := range files {
		if !whole || r.IntN(2) == 0 {
			if err := os.Remove(filepath.Join(out, name)); err != nil {
				d.t.Fatal(err)
			}
		}
	}
}

// idsIn are the ids of the lines in a file, whatever its format.
var idsIn = regexp.MustCompile(`(?m)(?:<FITID>|line_id: "|,)([A-Z2-7]{26}(?:-[RXA]\d+)?)(?:</FITID>|"$|$)`)

// Whatever happens to bills, and wherever an export is interrupted, each posting is
// in exactly one file of each target, with the amount that it has; and each batch
// can be written again byte for byte.
func TestEachPostingIsExportedOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			d := newDiary(t)
			r := rand.New(rand.NewPCG(seed, 7))
			targets := map[string]string{"ofx": "ofx", "ledger": "beancount", "xero": "xero-csv"}
			names := slices.Sorted(maps.Keys(targets))
			batches := map[string]int64{} // of files, by their name with the target's
			orders, closed := 0, false
			export := func(target string, narrow ...string) {
				out := filepath.Join(d.dir, target) + "/"
				before := tree(t, out)
				if err := d.s.Close(); err != nil {
					t.Fatal(err)
				}
				args := append([]string{targets[target], "--new", "--target", target, "-o", out}, narrow...)
				if open := d.sqlRows("SELECT batch_id FROM export_batches WHERE state <> 'done' AND target = '" + target + "'"); len(open) > 0 {
					// Something else than what was interrupted is refused; finishing it is not.
					_, errout, code := d.ask(append([]string{"export"}, args...)...)
					if code != exitDone && (code != exitUsage || !strings.Contains(errout, "batch "+open[0]+" to "+target+" was interrupted")) {
						t.Fatalf("%v: %d %s", args, code, errout)
					}
					args = []string{"--repeat", open[0], "-o", out}
				}
				doc := d.exports(exitDone, args...)
				made := tree(t, out)
				for name := range made {
					if batches[target+"/"+name] == 0 {
						batches[target+"/"+name] = doc.Batch
					}
				}
				for name, data := range before {
					if made[name] != data {
						t.Errorf("%s of %s is not what it was", name, target)
					}
					delete(made, name)
				}
				if doc.Batch != 0 && r.IntN(3) == 0 {
					d.crashed(r, target, made, out)
				}
				d.reopened()
			}
			for step := range 40 {
				now := fmt.Sprintf("2026-%02d-%02d %02d:00", 4+step/20, 1+step%20, r.IntN(24))
				switch n := r.IntN(8); {
				case n < 3 || orders == 0:
					orders++
					currency := []string{"USD", "CNH", "JPY", "KWD"}[r.IntN(4)]
					d.seen(now, []string{"main", "shop"}[orders%2], fmt.Sprint("o", orders), now, "SUCCESS", fmt.Sprint("Shop ", r.IntN(9)), "77 EUR", fmt.Sprint(100+r.IntN(9), " ", currency), "")
				case n < 5:
					order := fmt.Sprint("o", 2+2*r.IntN(orders)) // of main
					if b := d.bills[order]; b != nil {
						b.MerchantName = fmt.Sprint("Renamed ", step)
						status := []string{"CANCELLED", "SUCCESS", "PARTIAL_REFUND"}[r.IntN(3)]
						d.turns(now, order, status, fmt.Sprint(90+r.IntN(30), " ", b.Out.Currency), fmt.Sprint(r.IntN(90), " ", b.Out.Currency))
					}
				case step > 30 && !closed:
					closed = true
					c := store.Closing{Month: "2026-04", At: d.at(now), By: "me", Program: "test"}
					if err := d.s.CloseMonth(t.Context(), &c, plainNames{}, false); err != nil {
						t.Fatal(err)
					}
				default:
					narrow := [][]string{nil, nil, {"--account", "main"}, {"--month", "2026-04"}}[r.IntN(4)]
					export(names[r.IntN(3)], narrow...)
				}
			}
			if err := d.s.Close(); err != nil {
				t.Fatal(err)
			}
			for target, format := range targets {
				d.settles(target, format, batches)
			}
		})
	}
}

// settles exports what is left, and compares all files of a target with the books.
func (d *diary) settles(target, format string, batches map[string]int64) {
	t := d.t
	out := filepath.Join(d.dir, target)
	for _, open := range d.sqlRows("SELECT batch_id FROM export_batches WHERE state <> 'done' AND target = '" + target + "'") {
		d.exports(exitDone, "--repeat", open, "-o", out+"/")
	}
	d.exports(exitDone, format, "--new", "--target", target, "-o", out+"/")
	if doc := d.exports(exitDone, format, "--new", "--target", target, "-o", out+"/"); doc.Batch != 0 || doc.Lines != 0 {
		t.Errorf("%s gets more: %+v", target, doc)
	}
	have := map[string]int{}
	for name, data := range tree(t, out) {
		for _, m := range idsIn.FindAllStringSubmatch(data, -1) {
			have[m[1]]++
		}
		if strings.Contains(name, ".syncer-") {
			t.Errorf("%s was left", name)
		}
	}
	want := d.sqlRows("SELECT line_id FROM posting_details")
	if len(want) < 10 || len(have) != len(want) {
		t.Errorf("%s has %d lines, the books %d", target, len(have), len(want))
	}
	for _, id := range want {
		if have[id] != 1 {
			t.Errorf("%s has line %s %d times", target, id, have[id])
		}
	}
	again := filepath.Join(d.dir, target+"-again") + "/"
	for _, id := range d.sqlRows("SELECT batch_id FROM export_batches WHERE target = '" + target + "'") {
		d.exports(exitDone, "--repeat", id, "-o", again)
	}
	first, second := tree(t, out), tree(t, again)
	if len(first) != len(second) {
		t.Errorf("%s: %d files, %d when they are repeated", target, len(first), len(second))
	}
	for name, data := range first {
		if second[name] != data {
			t.Errorf("%s is repeated as\n%s\nand was\n%s", name, second[name], data)
		}
	}
	if format == "ofx" {
		d.sums(first)
	}
}

var ofxLine = regexp.MustCompile(`<TRNAMT>([^<]+)</TRNAMT>\n<FITID>([^<]+)<`)

// sums compares the amounts in OFX files with the books.
func (d *diary) sums(files map[string]string) {
	amounts := map[string]string{}
	for _, row := range d.sqlRows("SELECT line_id || ' ' || amount_decimal FROM posting_details") {
		id, amount, _ := strings.Cut(row, " ")
		amounts[id] = amount
	}
	for name, data := range files {
		for _, m := range ofxLine.FindAllStringSubmatch(data, -1) {
			if amounts[m[2]] != m[1] {
				d.t.Errorf("%s: line %s is %s, want %s", name, m[2], m[1], amounts[m[2]])
			}
		}
	}
}

// A file that is there is not replaced without --force, and what fails leaves
// nothing behind.
func TestExportReplacesNothing(t *testing.T) {
	t.Parallel()
	d := exported(t)
	out := filepath.Join(d.dir, "out")
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(out, "main-USD-all.ofx"), []byte("mine"))
	_, errout, code := d.ask("export", "ofx", "-o", out)
	if files := tree(t, out); code != exitUsage || !strings.Contains(errout, "main-USD-all.ofx: it is there already") || len(files) != 1 || files["main-USD-all.ofx"] != "mine" {
		t.Errorf("%d %s, and there is %v", code, errout, slices.Collect(maps.Keys(files)))
	}
	if _, errout, code := d.ask("export", "ofx", "-o", out, "--force"); code != exitDone || len(tree(t, out)) != 7 {
		t.Errorf("with --force: %d %s", code, errout)
	}
	one := filepath.Join(out, "one.ofx")
	if _, errout, code := d.ask("export", "ofx", "-o", one); code != exitUsage || !strings.Contains(errout, "this is 7 files") {
		t.Errorf("one file for 7: %d %s", code, errout)
	}
	if _, errout, code := d.ask("export", "ofx", "-o", one, "--account", "shop", "--card", "4242"); code != exitDone || len(tree(t, out)) != 8 {
		t.Errorf("one file: %d %s", code, errout)
	}
	// A dry run changes nothing, also of the database.
	before := d.sqlRows("SELECT count(*) FROM export_batches")
	said, _, code := d.ask("export", "xero-csv", "--new", "-n", "-o", filepath.Join(d.dir, "none"))
	if code != exitDone || !strings.Contains(said, "21 lines in 7 files would be written") || len(tree(t, filepath.Join(d.dir, "none"))) != 0 ||
		!slices.Equal(before, d.sqlRows("SELECT count(*) FROM export_batches")) {
		t.Errorf("a dry run: %d %s", code, said)
	}
}

// A batch that cannot be written again as it was is not written at all.
func TestRepeatNoticesOtherBytes(t *testing.T) {
	t.Parallel()
	d := exported(t)
	out := filepath.Join(d.dir, "out")
	doc := d.exports(exitDone, "qbo-csv", "--new", "-o", out)
	if err := d.s.Close(); err != nil {
		t.Fatal(err)
	}
	executed(t, filepath.Join(d.dir, "bills.db"), "UPDATE postings SET amount = amount - 1 WHERE line_id LIKE '%-A1'")
	_, errout, code := d.ask("export", "--repeat", fmt.Sprint(doc.Batch), "-o", filepath.Join(d.dir, "again"))
	if code != exitIncomplete || !strings.Contains(errout, "cannot be written again as it was: main-USD-all-batch1.csv") || len(tree(t, filepath.Join(d.dir, "again"))) != 0 {
		t.Errorf("%d %s", code, errout)
	}
}

// QuickBooks and Xero get at most 1,000 lines in a file.
func TestExportSplits(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	d.do(func(tx *store.Tx) error {
		for i := range 2001 {
			b := &bill.Bill{OrderNo: fmt.Sprint(i), Status: "SUCCESS", TransactionTime: d.at("2026-05-01 00:00"), MerchantName: "Shop",
				Out: &bill.Amount{Value: int64(i + 1), Currency: "USD"}, Hash: fmt.Sprint(i), Raw: []byte("{}")}
			if _, err := tx.InsertBill("main", b, 0, d.at("2026-05-01 01:00"), d.at("2026-05-01 01:00"), 1); err != nil {
				return err
			}
		}
		return nil
	})
	out := filepath.Join(d.dir, "out")
	doc := d.exports(exitDone, "xero-csv", "-o", out, "--month", "2026-05")
	var sum int64
	for _, f := range doc.Files {
		sum += *f.Sum
	}
	if want := int64(-2001 * 2002 / 2); sum != want || doc.Lines != 2001 {
		t.Errorf("%d lines, %d in all, want %d", doc.Lines, sum, want)
	}
	for name, lines := range map[string]int{"main-USD-2026-05-01.csv": 1001, "main-USD-2026-05-02.csv": 1001, "main-USD-2026-05-03.csv": 2} {
		if got := strings.Count(tree(t, out)[name], "\n"); got != lines {
			t.Errorf("%s has %d lines, want %d", name, got, lines)
		}
	}
}

// More files at the same time than may be open are the same as some of them at a time.
func TestExportManyFiles(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	const currencies, each = 26, 3
	d.do(func(tx *store.Tx) error {
		for i := range 5 * currencies * each {
			currency := string([]rune{'Q', rune('A' + i/currencies%5), rune('A' + i%currencies)})
			b := &bill.Bill{OrderNo: fmt.Sprint(i), Status: "SUCCESS", TransactionTime: d.at("2026-05-01 00:00"), MerchantName: strings.Repeat("Shop ", 1+i%20),
				Out: &bill.Amount{Value: int64(i + 1), Currency: currency}, Hash: fmt.Sprint(i), Raw: []byte("{}")}
			if _, err := tx.InsertBill([]string{"main", "shop"}[i%2], b, 0, d.at("2026-05-01 01:00"), d.at("2026-05-01 01:00"), 1); err != nil {
				return err
			}
		}
		return nil
	})
	if err := d.s.Close(); err != nil {
		t.Fatal(err)
	}
	together, apart := filepath.Join(d.dir, "together"), filepath.Join(d.dir, "apart")
	doc := d.exports(exitDone, "ofx", "-o", together)
	if doc.Lines != 5*currencies*each || len(doc.Files) != 5*currencies {
		t.Fatalf("%d lines in %d files", doc.Lines, len(doc.Files))
	}
	for _, account := range []string{"main", "shop"} {
		if doc := d.exports(exitDone, "ofx", "-o", apart, "--account", account); len(doc.Files) > 100 {
			t.Fatalf("%s has %d files: they are not apart", account, len(doc.Files))
		}
	}
	if diff := cmp.Diff(tree(t, apart), tree(t, together)); diff != "" {
		t.Errorf("(-apart +together):\n%.3000s", diff)
	}
}

// A dry run tells of a batch that was interrupted, and leaves it as it is.
func TestExportDryAfterAnInterruption(t *testing.T) {
	t.Parallel()
	d := exported(t)
	out := filepath.Join(d.dir, "out")
	d.exports(exitDone, "ofx", "--new", "-o", out)
	if err := d.s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ state, want string }{
		{"state = 'writing'", "batch 1 was interrupted: its 21 lines would be written again\n"},
		{"state = 'choosing', as_of = NULL, lines = 0", "batch 1 was interrupted before its lines were all noted: it would be written\n"},
	} {
		executed(t, filepath.Join(d.dir, "bills.db"), "UPDATE export_batches SET done_at = NULL, "+c.state)
		before := d.sqlRows("SELECT state, lines FROM export_batches")
		if said, errout, code := d.ask("export", "ofx", "--new", "-n", "-o", out); code != exitDone || said != c.want {
			t.Errorf("%s: %d %s%s", c.state, code, said, errout)
		}
		if after := d.sqlRows("SELECT state, lines FROM export_batches"); !slices.Equal(before, after) {
			t.Errorf("a dry run made %v of %v", after, before)
		}
	}
}

// An export that is refused notes no batch, and a report that cannot be written stores
// nothing.
func TestExportRefusedNotesNothing(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	d.written()
	there, folder := filepath.Join(d.dir, "all.beancount"), filepath.Join(d.dir, "no", "folder")
	put(t, there, []byte("mine"))
	for _, args := range []string{
		"beancount --new -o " + there, "ofx --new -o " + folder, "ofx --new -o " + filepath.Join(there, "x"), "ofx --new -o " + filepath.Join(d.dir, "one.ofx"),
	} {
		if out, errout, code := d.ask(append([]string{"export"}, strings.Fields(args)...)...); code != exitUsage || out != "" || strings.Count(errout, "\n") > 2 {
			t.Errorf("%s ends with %d and says %s%s", args, code, out, errout)
		}
	}
	if out, _, _ := d.ask("export", "--list"); !strings.HasPrefix(out, "no export is remembered") {
		t.Errorf("then there is %s", out)
	}
	ledger := filepath.Join(d.dir, "may.csv")
	put(t, ledger, []byte("Date,Amount,Currency\n2026-05-03,-5.00,USD\n"))
	if _, errout, code := d.ask("reconcile", "--ledger", ledger, "--xlsx", filepath.Join(folder, "x.xlsx")); code != exitUsage {
		t.Errorf("reconcile ends with %d and says %s", code, errout)
	}
	if _, errout, code := d.ask("reconcile", "show"); code != exitUsage || !strings.Contains(errout, "no ledger was reconciled yet") {
		t.Errorf("then show ends with %d and says %s", code, errout)
	}
}

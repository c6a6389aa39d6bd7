package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"billsync/internal/bill"
)

// Several processes reconcile, and decide, at the same time: each line and each
// posting ends in one match at most, and of those who want the same posting one wins.
func TestReconcileAtOnce(t *testing.T) {
	t.Parallel()
	r := newReconciler(t, 1, 1)
	lines := r.book(16, "CNY")
	text := []byte("Date,Amount,Currency,Payee,Reference\n" + strings.Join(lines, ""))
	for _, name := range []string{"one", "two", "three"} {
		text = append(text, '\n') // not the same file, though it says the same
		put(t, filepath.Join(r.dir, name+".csv"), text)
	}
	for range 3 {
		var all []*child
		for _, name := range []string{"one", "two", "one", "three"} {
			all = append(all, launch(t, r.dir, "reconcile", "--ledger", name+".csv"))
		}
		for _, c := range all {
			if code := c.code(patience); code != exitIncomplete && code != exitDone {
				t.Fatalf("%v ends with %d: %s", c.args, code, c.err)
			}
		}
		r.once()
		if id := asked(t, r.dir, "SELECT match_id FROM matches WHERE state = 'matched' ORDER BY match_id LIMIT 1"); id != "" {
			r.run("reject", id, "--by", "x", "--note", "y")
		}
	}
	posting := asked(t, r.dir, "SELECT p.line_id FROM postings p WHERE NOT EXISTS (SELECT 1 FROM match_items i JOIN matches m USING (match_id) WHERE i.bill_id = p.bill_id AND i.line = p.line AND "+storyLive+") LIMIT 1")
	open := r.ask("SELECT ledger_line_id, name FROM ledger_lines JOIN ledgers USING (ledger_id) WHERE open_code IS NOT NULL LIMIT 4")
	if posting == "" || len(open) < 2 {
		t.Fatalf("nothing is open: %q, %v", posting, open)
	}
	var all []*child
	for _, l := range open {
		all = append(all, launch(t, r.dir, "reconcile", "match", "id:"+l[0], posting, "--name", l[1], "--force", "--note", "x", "--by", "y"))
	}
	won := 0
	for _, c := range all {
		switch code := c.code(patience); {
		case code == exitDone:
			won++
		case code != exitUsage || !strings.Contains(c.err.String(), "posting "+posting+" is in match"):
			t.Errorf("%v ends with %d: %s", c.args, code, c.err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d have the posting", won, len(all))
	}
	r.once()
}

// Killed at any instant, an import is there as a whole or not at all, and another one
// comes to what an undisturbed one comes to.
func TestReconcileKilled(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t)
	var text strings.Builder
	text.WriteString("Date,Amount,Currency,Payee,Reference\n")
	for i := range 400 {
		amount := fmt.Sprint(1000+i/3*7, " USD")
		b := k.bill("main", fmt.Sprintf("2026-05-%02d 02:00", 1+i%20), "SUCCESS", "Alpha Shop", "4242", amount, amount, "", nil)
		for range 4 { // most lines are open, and have candidates
			fmt.Fprintf(&text, "2026-05-%02d,%s,USD,Alpha Shop,%s\n", 1+i%20, bill.Amount{Currency: "USD", Value: -1000 - int64(i/3*7)}.Decimal(), []string{"", b.OrderNo}[i%2])
		}
	}
	if err := k.s.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "may.csv"), []byte(text.String()))
	calm := t.TempDir()
	for _, name := range []string{"config.toml", "may.csv", "bills.db"} {
		put(t, filepath.Join(calm, name), []byte(readFile(t, filepath.Join(dir, name))))
	}
	const stored = `SELECT 'line', line_key, line, coalesce(open_reason, '') FROM ledger_lines
		UNION ALL SELECT 'match', m.state || m.rule, l.line_key, i.bill_id || '/' || i.line FROM matches m JOIN match_items i USING (match_id) LEFT JOIN ledger_lines l USING (ledger_line_id)
		UNION ALL SELECT 'near', l.line_key, c.rank, c.reason FROM candidates c JOIN ledger_lines l USING (ledger_line_id) ORDER BY 1, 2, 3, 4`
	began := time.Now()
	if c := launch(t, calm, "reconcile", "--ledger", "may.csv"); c.code(patience) != exitIncomplete {
		t.Fatalf("undisturbed it says %s", c.err)
	}
	took := time.Since(began)
	want := asked(t, calm, stored)
	if want == "" {
		t.Fatal("nothing was stored")
	}
	seed := time.Now().UnixNano()
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	for i := range 12 {
		c := launch(t, dir, "reconcile", "--ledger", "may.csv")
		time.Sleep(time.Duration(random.Int64N(int64(took))))
		c.signal(syscall.SIGKILL)
		<-c.ended
		if got := asked(t, dir, stored); got != "" && got != want {
			t.Fatalf("seed %d, kill %d: half of it is stored:\n%s", seed, i, got)
		}
		if got := asked(t, dir, "PRAGMA integrity_check"); got != "ok" {
			t.Fatalf("seed %d, kill %d: %s", seed, i, got)
		}
	}
	if c := launch(t, dir, "reconcile", "--ledger", "may.csv"); c.code(patience) != exitIncomplete {
		t.Fatalf("after all it says %s", c.err)
	}
	if got := asked(t, dir, stored); got != want {
		t.Errorf("after all there is\n%s\nnot\n%s", got, want)
	}
}

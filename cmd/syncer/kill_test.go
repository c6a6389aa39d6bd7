package main

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lookAt asks a database read-only, one text per row.
func lookAt(t *testing.T, path, query string) []string {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro&_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := ask(db, query)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return rows
}

// columns are those of a table, without some.
func columns(t *testing.T, dir, table string, without ...string) string {
	t.Helper()
	var keep []string
	for _, c := range look(t, dir, fmt.Sprintf("SELECT name FROM pragma_table_info('%s')", table)) {
		if !slices.Contains(without, c) {
			keep = append(keep, c)
		}
	}
	return strings.Join(keep, ", ")
}

// contents is all that two databases of the same bills have in common. They
// differ in when and by which run a thing was read, and so in the end of the
// newest window.
func contents(t *testing.T, dir string) map[string][]string {
	t.Helper()
	bills := columns(t, dir, "bills", "bill_id", "first_seen_at", "changed_at", "read_at", "run_id")
	windows := columns(t, dir, "windows", "window_id", "window_end", "proved_at")
	return map[string][]string{
		"bills":        look(t, dir, "SELECT "+bills+" FROM bills ORDER BY account, order_no, transaction_time, ordinal"),
		"states":       look(t, dir, "SELECT bill_id, bill_status FROM bill_states"),
		"windows":      look(t, dir, "SELECT "+windows+" FROM windows ORDER BY account, window_start"),
		"ends":         look(t, dir, "SELECT window_end FROM windows ORDER BY window_start DESC LIMIT -1 OFFSET 1"),
		"fail reasons": look(t, dir, "SELECT error_code, error_desc, category, documented FROM fail_reasons ORDER BY error_code"),
		"rejected":     look(t, dir, "SELECT item_hash, occurrence FROM rejected_items"),
		"held":         look(t, dir, "SELECT count(*) FROM held_items"),
		"evidence":     look(t, dir, "SELECT count(*) FROM evidence"),
		"unfinished":   look(t, dir, "SELECT count(*) FROM passes WHERE state <> 'done'"),
	}
}

// sound checks what holds at any instant: the file, and that each checkpoint
// says exactly what was stored.
func sound(t *testing.T, dir, when string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "bills.db")+"?mode=ro&_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := unsound(db); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
}

// unsound says what is wrong with a database that should be right.
func unsound(db *sql.DB) error {
	for _, c := range []struct{ query, want string }{
		{"PRAGMA integrity_check", "ok"},
		{"PRAGMA foreign_key_check", ""},
		// Every page before the checkpoint is stored, and none after it.
		{`SELECT pass_id, next_page FROM passes p
		  WHERE next_page - 1 <> (SELECT count(*) FROM pages WHERE pass_id = p.pass_id)
		     OR next_page - 1 <> (SELECT coalesce(max(page_number), 0) FROM pages WHERE pass_id = p.pass_id)
		     OR items <> (SELECT coalesce(sum(items), 0) FROM pages WHERE pass_id = p.pass_id)`, ""},
		// The bills of every page are there.
		{`SELECT pass_id, page_number, j.value FROM pages, json_each(bill_ids) j
		  WHERE NOT EXISTS (SELECT 1 FROM bills WHERE bill_id = j.value)`, ""},
		{`SELECT count(*) FROM pages, json_each(bill_ids) j HAVING count(*) > 0 AND count(DISTINCT j.value) > (SELECT count(*) FROM bills)`, ""},
		// Done means proved.
		{"SELECT window_id FROM windows WHERE state = 'done' AND (total_count IS NOT stored_count OR proved_at IS NULL)", ""},
	} {
		rows, err := ask(db, c.query)
		if err != nil {
			return err
		}
		if got := strings.Join(rows, "; "); got != c.want {
			return fmt.Errorf("%s is %q, want %q", c.query, got, c.want)
		}
	}
	return nil
}

func number(t *testing.T, dir, query string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.Join(look(t, dir, query), ""))
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// Killed at any instant, again and again, the program goes on where it was; at
// the end nothing is lost and nothing doubled.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	const kills, lastRequests = 15, "SELECT requests FROM runs ORDER BY run_id DESC LIMIT 1"
	s := simulate(t, "--latency", "60ms", "--bills-per-day", "12")
	whole, torn := folder(t, s, 105, "tail_days = 1\n"), folder(t, s, 105, "tail_days = 1\n")
	ran(t, whole, 0, "sync", "-q")
	full := number(t, whole, lastRequests)

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 1))
	stored, grew := 0, 0
	for i := range kills {
		db := filepath.Join(torn, "bills.db")
		c := launch(t, torn, "sync", "--log-level", "debug")
		if dice.IntN(4) > 0 { // else perhaps before it began
			atWork(c)
		}
		time.Sleep(time.Duration(dice.Int64N(int64(350 * time.Millisecond))))
		c.signal(os.Kill)
		<-c.ended
		if c.cmd.ProcessState.Exited() {
			t.Logf("the sync was done before kill %d", i+1)
			if stored > 0 {
				break
			}
			torn = folder(t, s, 105, "tail_days = 1\n") // nothing was tried yet
			continue
		}
		if fi, err := os.Stat(db); err != nil || fi.Size() == 0 {
			continue
		}
		sound(t, torn, fmt.Sprintf("after kill %d", i+1))
		n := number(t, torn, "SELECT count(*) FROM bills")
		if n < stored {
			t.Fatalf("after kill %d there are %d bills, before it there were %d", i+1, n, stored)
		}
		if n > stored {
			grew++
		}
		stored = n
	}
	// What the checkpoints say is still to be read. The last stored page of a
	// pass is asked for again; a window of which nothing is stored is counted
	// from the uninterrupted run.
	proved := number(t, torn, `SELECT coalesce(sum(p.pages), 0) FROM passes p JOIN windows w USING (window_id) WHERE w.state = 'done'`)
	behind := number(t, torn, `SELECT coalesce(sum(next_page - 2), 0) FROM passes WHERE state = 'reading' AND window_id IS NOT NULL AND next_page > 1`)
	out, _ := ran(t, torn, 0, "sync")
	contains(t, "the summary of the last run", out, "main   complete: ")
	sound(t, torn, "at the end")
	last := number(t, torn, lastRequests)
	tail := number(t, torn, `SELECT coalesce(sum(max(pages, 1)), 0) FROM passes WHERE window_id IS NULL`)
	t.Logf("%d bills were stored before the last run, by %d of the killed runs; it made %d requests, an uninterrupted one %d", stored, grew, last, full)
	if most := full - proved - behind + tail; last > most || last >= full || stored == 0 {
		t.Errorf("the last run made %d requests; an uninterrupted one makes %d, of which %d pages of proved windows and %d before the checkpoints were there, and the tail has %d: want %d at most",
			last, full, proved, behind, tail, most)
	}
	got, want := contents(t, torn), contents(t, whole)
	for _, what := range []string{"bills", "states", "windows", "ends", "fail reasons", "rejected", "held", "evidence", "unfinished"} {
		if diff := cmp.Diff(want[what], got[what]); diff != "" {
			t.Errorf("%s of a sync killed again and again (-uninterrupted +killed):\n%.4000s", what, diff)
		}
	}
	if n, distinct := len(got["bills"]), number(t, torn, "SELECT count(*) FROM (SELECT DISTINCT account, order_no, bill_no, transaction_time, ordinal FROM bills)"); n != distinct || n == 0 {
		t.Errorf("%d bills, %d of them different", n, distinct)
	}
	if got := number(t, torn, "SELECT count(*) FROM runs WHERE outcome = 'running'"); got != 0 {
		t.Errorf("%d runs are still called running", got)
	}
}

// atWork waits until the program has stored a page, or has ended.
func atWork(c *child) {
	for {
		text, more := c.err.read()
		if strings.Contains(text, "page stored") {
			return
		}
		select {
		case <-more:
		case <-c.ended:
			return
		}
	}
}

package main

import (
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/config"
)

// A run is called running while somebody works on the database, and killed once
// nobody does; looking changes nothing, and does not keep the next run away.
func TestStatusOfKilledRun(t *testing.T) {
	t.Parallel()
	dir := folder(t, simulate(t, "--latency", "100ms"), 90, "")
	c := launch(t, dir, "sync", "--log-level", "debug")
	c.says("page stored", 1)
	out, _ := ran(t, dir, 0, "status")
	contains(t, "status beside a sync", out, " running\n")
	c.signal(syscall.SIGKILL)
	<-c.ended
	out, _ = ran(t, dir, 0, "status")
	contains(t, "status after a kill", out, " killed\n", "\nrun 1: the process ended without a word; \"syncer sync\" goes on where it was\n")
	out, _ = ran(t, dir, 0, "status", "--json")
	contains(t, "status --json after a kill", out, `"outcome":"killed"`, `"error":"the process ended without a word"`)
	if got := look(t, dir, "SELECT outcome FROM runs"); got[0] != "running" {
		t.Errorf("looking changed the outcome to %s", got[0])
	}
	// Without a lock file nobody works on it either, and none is made.
	lock := filepath.Join(dir, "bills.db.lock")
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	out, _ = ran(t, dir, 0, "status")
	contains(t, "status without a lock file", out, " killed\n")
	if _, err := os.Stat(lock); err == nil {
		t.Errorf("looking made a lock file")
	}
	ran(t, dir, 0, "sync", "-q")
	out, _ = ran(t, dir, 0, "status")
	contains(t, "status after the next sync", out, " interrupted\n", " complete\n")
}

// Why the last run was not complete stands below the runs.
func TestStatusSaysWhy(t *testing.T) {
	t.Parallel()
	s, stop := simulateUntil(t)
	dir := folder(t, s, 400, "")
	stop()
	ran(t, dir, 3, "sync", "-q")
	out, _ := ran(t, dir, 0, "status")
	contains(t, "status after an outage", out, "\nrun 1: 5 requests in a row got no answer: ")
}

// A window is shown from its first to its last day, and one that is open to now.
func TestWindowDays(t *testing.T) {
	t.Parallel()
	dir := folder(t, simulate(t, "--fault", "u=1"), 250, "")
	synced, _ := ran(t, dir, 3, "sync")
	status, _ := ran(t, dir, 0, "status")
	evidence, _ := ran(t, dir, 0, "status", "--evidence")
	// In Shanghai, two seconds behind the start.
	waiting := look(t, dir, `SELECT date(window_start, '+8 hours', '+2 seconds') || ' … ' || date(window_end, '+8 hours')
		FROM windows WHERE state = 'waiting'`)
	for _, w := range waiting {
		contains(t, "sync", synced, "       window "+w+": waiting until ")
		contains(t, "status", status, "\nmain "+w+": waiting until ")
		contains(t, "status --evidence", evidence, "\naccount main, "+w+": waiting until ")
	}
	if len(waiting) < 2 {
		t.Errorf("%d windows wait, want several", len(waiting))
	}

	now := time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)
	g, cfg := &globals{now: func() time.Time { return now }}, config.Default()
	start := time.Date(2026, 8, 13, 15, 59, 58, 0, time.UTC)
	for _, tt := range []struct {
		end  time.Time
		want string
	}{
		{time.Date(2026, 11, 20, 15, 59, 59, 0, time.UTC), "2026-08-14 … 2026-11-20"},
		{time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC), "2026-08-14 … 2026-11-21"},
		{now.Add(-2 * time.Minute), "2026-08-14 … 2026-11-21"},
		{time.Date(2026, 11, 22, 15, 59, 59, 0, time.UTC), "2026-08-14 … now"},
		{time.Time{}, "2026-08-14 … now"},
	} {
		if got := g.days(bill.Span{Start: start, End: tt.end}, cfg); got != tt.want {
			t.Errorf("days(%s) = %q, want %q", tt.end, got, tt.want)
		}
	}
}

// A plan also tells what it leaves out, and until when.
func TestPlanOfWhatWaits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fault, says, json string }{
		{"u=1", ": waits until 20", `"state":"waiting","next_attempt_at":"20`},
		{"f=1", `: failed; a refresh or "syncer retry" asks again`, `"state":"failed","next_attempt_at":null`},
	} {
		dir := folder(t, simulate(t, "--fault", tt.fault), 250, "")
		ran(t, dir, 3, "sync", "-q")
		out, _ := ran(t, dir, 0, "plan")
		if !strings.HasPrefix(out, "nothing is due\nnot asked: main 20") || strings.Count(out, tt.says) != number(t, dir, "SELECT count(*) FROM windows") {
			t.Errorf("%s: plan says\n%s", tt.fault, out)
		}
		out, _ = ran(t, dir, 0, "plan", "--json")
		contains(t, "plan --json", out, `"steps":[],"waiting":[{"account":"main",`, tt.json)
		out, _ = ran(t, dir, 0, "retry", "--now", "-n")
		if strings.Contains(out, "not asked: ") {
			t.Errorf("%s: retry --now -n leaves something out:\n%s", tt.fault, out)
		}
	}
	// What waits beside what is due; other spans are left out of both.
	dir := folder(t, settings{}, 150, "")
	ran(t, dir, 0, "sync", "-q")
	db, err := sql.Open("sqlite3", filepath.Join(dir, "bills.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := ask(db, "UPDATE windows SET state = 'waiting', next_attempt_at = '2999-01-01T00:00:00.000Z' WHERE window_start = (SELECT min(window_start) FROM windows)"); err != nil {
		t.Fatal(err)
	}
	out, _ := ran(t, dir, 0, "plan", "--full")
	contains(t, "plan --full", out, "read again", "\nnot asked: main 20", ": waits until 2999-01-01 08:00:00 +08:00\nnext: syncer sync\n")
	out, _ = ran(t, dir, 0, "plan", "--from", time.Now().AddDate(0, 0, -5).Format(time.DateOnly))
	if strings.Contains(out, "not asked") {
		t.Errorf("plan of the last days says\n%s", out)
	}
}

// Of an account that is refused, or that got no answer, nothing is called done
// that was not asked for.
func TestNothingAskedIsNotDone(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(t.TempDir(), "keys")
	s, stop := simulateUntil(t, "--dir", keys)
	dir := folder(t, s, 60, "")
	ran(t, dir, 0, "sync", "-q")
	ran(t, dir, 0, "sync", "-q") // proves the tail
	stop()
	out, _ := ran(t, dir, 3, "sync")
	contains(t, "a sync without an answer", out, "\n       tail ", ": to be read again\n")
	if strings.Contains(out, ": done") {
		t.Errorf("a sync without an answer says\n%s", out)
	}
	// The same API refuses now.
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.BaseURL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	simulate(t, "--dir", keys, "--port", port, "--fault", "refuse=1")
	out, _ = ran(t, dir, 4, "sync")
	contains(t, "a refused sync", out, "main   REFUSED: ", "AUTHORIZATION_NOT_EXIST")
	if strings.Contains(out, "       tail ") || strings.Contains(out, "       window ") {
		t.Errorf("a refused sync says of what was not asked\n%s", out)
	}
}

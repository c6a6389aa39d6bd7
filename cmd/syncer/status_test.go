package main

import (
	"os"
	"path/filepath"
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

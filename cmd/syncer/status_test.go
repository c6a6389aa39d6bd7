package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
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

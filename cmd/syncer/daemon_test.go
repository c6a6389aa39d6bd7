package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A second daemon for the same database ends at its start and says why, also
// while the first one is idle; whoever does one run is not kept away.
func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	dir := folder(t, settings{}, 40, "[schedule]\nsync = \"0 0 1 1 *\"\nrefresh = \"\"\n")
	first := launch(t, dir, "run")
	first.says("run ended", 1)
	out, errout := ran(t, dir, 5, "run")
	contains(t, "what the second daemon says", errout, "syncer: another daemon looks after ", fmt.Sprintf("bills.db: process %d, run, since ", first.cmd.Process.Pid), " +08:00\nhint: one daemon is enough")
	if out != "" || strings.Count(errout, "\n") != 2 {
		t.Errorf("the second daemon says %q and %q, want a line and a hint", out, errout)
	}
	ran(t, dir, 0, "run", "-n")
	ran(t, dir, 0, "status")

	// However the first one ended, the next one takes its place.
	first.signal(os.Kill)
	<-first.ended
	next := launch(t, dir, "run")
	next.says("run ended", 1)
	next.signal(syscall.SIGTERM)
	if got := next.code(patience); got != 0 {
		t.Errorf("the next daemon ended with %d, want 0:\n%s", got, next.err)
	}
	last := launch(t, dir, "run")
	last.says("run ended", 1)
	last.signal(syscall.SIGTERM)
	if got := last.code(patience); got != 0 {
		t.Errorf("the last daemon ended with %d, want 0:\n%s", got, last.err)
	}
}

// A run of somebody else is no reason for a daemon to end: it is over some day.
func TestDaemonBesideASync(t *testing.T) {
	t.Parallel()
	api, srv := serveBook(t, many(300, 90))
	dir := folder(t, api, 90, "[schedule]\nsync = \"@every 1s\"\nrefresh = \"\"\n")
	g := gated(t, srv, 6)
	other := launch(t, dir, "sync", "--log-level", "debug")
	other.says("page stored", 1)
	daemon := launch(t, dir, "run")
	daemon.says("another syncer is working on ", 1)
	other.signal(os.Kill)
	g.opened()
	daemon.says("run ended", 1)
	daemon.signal(syscall.SIGTERM)
	if got := daemon.code(patience); got != 0 {
		t.Errorf("the daemon ended with %d, want 0:\n%s", got, daemon.err)
	}
}

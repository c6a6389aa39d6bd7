package soak

import (
	"flag"
	"os"
	"runtime/debug"
	"testing"
	"time"
)

var (
	first  = flag.Uint64("first", 1, "the first seed")
	seeds  = flag.Uint64("seeds", 300, "how many seeds at most")
	budget = flag.Duration("budget", 15*time.Second, "begin no further seed after this long; 0: no limit")
	tell   = flag.Bool("tell", false, "print the steps of every seed, and what the program logs")
)

// jobVariable tells a process started by a test what it is to do.
const jobVariable = "BILLSYNC_SOAK_JOB"

// The test binary is also the program that the tests start and kill.
func TestMain(m *testing.M) {
	if text := os.Getenv(jobVariable); text != "" {
		os.Exit(beProcess(text))
	}
	debug.SetGCPercent(400) // nothing here is large
	code := m.Run()
	removeKeys()
	os.Exit(code)
}

package main

import (
	"testing"
)

// A query may begin with a comment, although two dashes begin a flag as well; flags
// are flags all the same.
func TestQueryBeginsWithAComment(t *testing.T) {
	t.Parallel()
	_, dir := newBookkeeper(t)
	const answer = "one\n1\n"
	for _, args := range [][]string{
		{"query", "--csv", "-- what it came to\nSELECT 1 AS one"},
		{"query", "-- what it came to\nSELECT 1 AS one", "--csv"},
		{"query", "--csv", "--what it = came to\nSELECT 1 AS one", "--plain"},
		{"query", "--csv", "--what\r\nSELECT 1 AS one"},
		{"query", "--csv", "--", "-- what\nSELECT 1 AS one"},
		{"query", "--log-level", "warn", "--csv", "-- what\nSELECT 1 AS one -- and more"},
	} {
		if out, errout, code := inside(t, dir, args...); code != exitDone || out != answer || errout != "" {
			t.Errorf("%q ends with %d and says %q, %q", args, code, out, errout)
		}
	}
	for _, flag := range []string{"--cvs", "--spend=a b", "--log-level=no level"} {
		if out, errout, code := inside(t, dir, "query", "SELECT 1 AS one", flag); code != exitUsage {
			t.Errorf("%q ends with %d and says %q, %q", flag, code, out, errout)
		}
	}
	if _, errout, code := inside(t, dir, "close", "2026-05", "-- note"); code != exitUsage {
		t.Errorf("another command takes it for no flag: %d, %q", code, errout)
	}
}

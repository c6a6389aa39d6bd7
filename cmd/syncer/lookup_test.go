package main

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A look-up ends with the code of what the API did, and shows what it answered
// before.
func TestLookupUnanswered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault string
		want  int
		says  []string
	}{
		{"u=1", 3, []string{"queryBillList ended unknown", "UNKNOWN_EXCEPTION", "\nhint: Ask again in five minutes"}},
		{"f=1", 3, []string{"SYSTEM_ERROR", "\nhint: Do not repeat it"}},
		{"drop=1", 3, []string{"got no answer", "\nhint: "}},
		{"refuse=1", 4, []string{"AUTHORIZATION_NOT_EXIST", "\nhint: "}},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, simulate(t, "--fault", tt.fault), 60, "")
			out, errout := ran(t, dir, tt.want, "lookup", "--order-no", "x")
			contains(t, "standard error", errout, append(tt.says, "syncer: account main, ")...)
			if out != "" {
				t.Errorf("lookup without an answer prints %q", out)
			}
			out, _ = ran(t, dir, tt.want, "lookup", "--order-no", "x", "--json")
			contains(t, "standard output", out, `{"type":"error","code":`)
			if files, _ := filepath.Glob(filepath.Join(dir, "bills.db*")); len(files) > 0 {
				t.Errorf("lookup made %v", files)
			}
		})
	}
	t.Run("some windows are answered", func(t *testing.T) {
		t.Parallel()
		for seed := range 60 { // whether the first request is answered and a later one is not depends on it
			s, stop := simulateUntil(t, "--fault", "refuse=0.3", "--fault-seed", strconv.Itoa(seed))
			c := launch(t, folder(t, s, 250, ""), "lookup", "--status", "WAITING_DEDUCT", "--json")
			code, out := c.code(patience), c.out.String()
			stop()
			if code == 0 || strings.HasPrefix(out, `{"type":"error"`) {
				continue
			}
			var doc struct {
				Type  string
				Whole bool
				Error struct{ Code int }
			}
			if err := json.Unmarshal([]byte(out), &doc); err != nil || code != 4 || doc.Type != "lookup" || doc.Whole || doc.Error.Code != 4 {
				t.Errorf("lookup ended with %d and prints %q, %v; want one document with the error in it", code, out, err)
			}
			return
		}
		t.Errorf("no seed answered the first request and not a later one")
	})
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the API's support asks for is shown for all that waits, failed or is
// refused, without secrets.
func TestStatusEvidence(t *testing.T) {
	t.Parallel()
	const token = "very-secret-token"
	for _, tt := range []struct {
		fault   string
		code    int
		title   string
		outcome string
		result  string
	}{
		{"u=1", 3, ": waiting until ", "unknown", "UNKNOWN_EXCEPTION"},
		{"f=1", 3, ": failed\n", "refused", "SYSTEM_ERROR"},
		{"refuse=1", 4, "account main: refused\n", "refused us", "AUTHORIZATION_NOT_EXIST"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, "--fault", tt.fault)
			dir := folder(t, s, 60, "[[account]]\nname = \"main\"\nconnected_customer_id = \"C7\"\naccess_token_file = \"token\"\n")
			if err := os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600); err != nil {
				t.Fatal(err)
			}
			out, _ := ran(t, dir, 0, "status", "--evidence")
			contains(t, "evidence before anything", out, "there is no database at ", "no evidence")
			ran(t, dir, tt.code, "sync", "-q")

			out, errout := ran(t, dir, 0, "status", "--evidence")
			contains(t, "the evidence", out, tt.title, "  outcome   "+tt.outcome+"\n", "  code      "+tt.result+"\n", "  sent      20", "  answered  20", "  HTTP      200\n",
				"\n    POST /amsin/api/v1/business/worldcard/queryBillList\n", "\n    Connected-Customerid: C7\n", "\n    Access-Token: ***\n",
				"\n    {\"startTime\":", `"resultCode":"`+tt.result+`"`, "\n    Response-Time: 20", s.BaseURL)
			asked, _ := ran(t, dir, 0, "status")
			contains(t, "status", asked, "syncer status --evidence")
			doc, _ := ran(t, dir, 0, "status", "--evidence", "--json")
			if all := out + errout + doc + asked; strings.Contains(all, token) {
				t.Errorf("the token is shown:\n%s", all)
			}
			var x struct {
				Type  string
				Cases []struct {
					Account, State string
					Evidence       struct {
						Outcome, Code string
						Request       struct{ Line, Headers, Body string }
						Response      struct{ Headers, Body string }
					}
				}
			}
			if err := json.Unmarshal([]byte(doc), &x); err != nil || x.Type != "evidence" || len(x.Cases) == 0 {
				t.Fatalf("status --evidence --json prints %s, %v", doc, err)
			}
			for _, c := range x.Cases {
				if e := c.Evidence; c.Account != "main" || e.Outcome != tt.outcome || e.Code != tt.result || e.Request.Body == "" || e.Response.Headers == "" || !json.Valid([]byte(e.Response.Body)) {
					t.Errorf("a case is %+v", c)
				}
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		dir := folder(t, settings{}, 40, "")
		ran(t, dir, 0, "sync", "-q")
		out, _ := ran(t, dir, 0, "status", "--evidence")
		contains(t, "the evidence", out, "nothing waits, failed or is refused: there is no evidence to show\n")
		out, _ = ran(t, dir, 0, "status", "--evidence", "--json")
		contains(t, "the evidence", out, `"cases":[]`)
		_, errout := ran(t, dir, 2, "status", "--evidence", "--healthy")
		contains(t, "standard error", errout, "--healthy and --evidence do not go together")
	})
}

// What came is shown as text whatever it was, and a window whose pages did not
// add up has no request to show.
func TestEvidenceIsText(t *testing.T) {
	t.Parallel()
	if got, want := quoted("a\x1b[31m\tb \r\n\r\n\u0085c"), "    a\ufffd[31m    b\n\n    \ufffdc\n"; got != want {
		t.Errorf("quoted() = %q, want %q", got, want)
	}
	dir := folder(t, simulate(t, "--fault", "short-page=1"), 40, "")
	ran(t, dir, 3, "sync", "-q")
	out, _ := ran(t, dir, 0, "status", "--evidence")
	contains(t, "the evidence", out, ": waiting\n", "  no request of it is kept: every one was answered\n")
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"billsync/internal/simulator"
	"billsync/internal/worldfirst"
)

// cards serves an API for cardholders and makes a folder with a program for it
// and a person in info.json.
func cards(t *testing.T, o simulator.Options, more string) (dir string, srv *simulator.Server) {
	t.Helper()
	o.Book = simulator.NewLedger()
	s, srv := serveOptions(t, o)
	dir = folder(t, s, 30, more)
	person(t, dir, "Maximiliane")
	return dir, srv
}

func person(t *testing.T, dir, name string) {
	t.Helper()
	put(t, filepath.Join(dir, "info.json"), fmt.Appendf(nil, `{"userName": {"firstName": %q, "lastName": "Oberhuber"}, "dateOfBirth": "1990-06-15"}`, name))
}

// nothingLeft looks for the person in every byte of a folder and in what was said.
func nothingLeft(t *testing.T, dir string, said ...string) {
	t.Helper()
	private := []string{"maximiliane", "oberhuber", "1990-06-15"}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "info.json" {
			return err
		}
		data, err := os.ReadFile(path)
		said = append(said, path+"\n"+string(data))
		return err
	})
	if err != nil || len(said) < 4 {
		t.Fatalf("%d places looked at, %v", len(said), err)
	}
	for _, text := range said {
		for _, p := range private {
			if bytes.Contains(bytes.ToLower([]byte(text)), []byte(p)) {
				t.Errorf("%s is in %.200q", p, text)
			}
		}
	}
}

var create = []string{"cardholder", "create", "--type", "EMPLOYEE", "--info", "info.json"}

// Killed while the API has the request and no answer came, and killed again: one
// cardholder, whichever command goes on with it.
func TestCardholderKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, next := range [][]string{create, {"cardholder", "resume"}, {"run"}} {
		t.Run(next[len(next)-1], func(t *testing.T) {
			t.Parallel()
			dir, srv := cards(t, simulator.Options{}, "[schedule]\nsync = \"@every 1h\"\nrefresh = \"\"\n")
			var said []string
			var mu sync.Mutex
			var victim *child
			kills := 0
			srv.OnRequest(func(r simulator.Request) {
				mu.Lock()
				defer mu.Unlock()
				if r.Path == worldfirst.CreateCardholderPath && kills > 0 {
					kills--
					victim.signal(os.Kill)
					<-victim.ended
				}
			})
			begin := func(kill bool, args ...string) *child {
				mu.Lock()
				defer mu.Unlock()
				if kill {
					kills = 1
				}
				victim = launch(t, dir, append(args, "--log-level", "debug")...)
				return victim
			}
			for _, args := range [][]string{create, next} {
				c := begin(true, args...)
				select {
				case <-c.ended:
				case <-time.After(patience):
					t.Fatalf("syncer %v was not killed:\n%s%s", args, c.out, c.err)
				}
				said = append(said, c.out.String(), c.err.String())
				if got := look(t, dir, "SELECT state FROM cardholders"); len(got) != 1 || got[0] != "sending" {
					t.Fatalf("after the kill the requests are %v:\n%s", got, c.err)
				}
			}
			c := begin(false, next...)
			if next[0] == "run" {
				c.says(`"state":"answered"`, 1)
				c.signal(os.Interrupt)
			}
			if code := c.code(patience); code != 0 {
				t.Errorf("syncer %v ended with %d:\n%s", next, code, c.err)
			}
			said = append(said, c.out.String(), c.err.String())
			if got := srv.Cardholders(); len(got) != 1 {
				t.Errorf("%d cardholders, want one", len(got))
			}
			if got := look(t, dir, "SELECT state, audit_status FROM cardholders"); len(got) != 1 || got[0] != "answered|PENDING" {
				t.Errorf("the requests are %v", got)
			}
			nothingLeft(t, dir, said...)
		})
	}
}

// Killed at any operation on its files, the request is there before the API is
// asked: the next command goes on with it.
func TestCardholderKilledAnywhere(t *testing.T) {
	t.Parallel()
	f := buildFaulty(t)
	dir, srv := cards(t, simulator.Options{}, "")
	config, err := os.ReadFile(filepath.Join(dir, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	if r, err := f.run(dir, create, "FAULT_LOG="+log); err != nil || r.code != 0 {
		t.Fatalf("undisturbed: %+v, %v", r, err)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	operations := strings.Count(string(text), "\n")
	every := max(1, operations/16) | 1 // odd, so that some of them are resumed
	if os.Getenv("CRASH_ALL") != "" {
		every = 1
	}
	killed, sent := 0, 0
	for n := 1; n <= operations; n += every {
		for _, how := range []string{"before", "after"} {
			dir, what := t.TempDir(), fmt.Sprintf("killed %s operation %d of %d", how, n, operations)
			put(t, filepath.Join(dir, "config.toml"), config)
			name := fmt.Sprintf("Maximiliane%s%d", how, n)
			person(t, dir, name)
			mine := func() (n int) {
				for _, h := range srv.Cardholders() {
					if bytes.Contains(h.Info, []byte(`"`+name+`"`)) {
						n++
					}
				}
				return n
			}
			r, err := f.run(dir, create, fmt.Sprint("FAULT_AT=", n), "FAULT_HOW="+how)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if r.killed {
				killed++
			}
			if sentOnce := mine(); sentOnce > 0 {
				sent++
				if rows := look(t, dir, "SELECT count(*) FROM cardholders"); rows[0] != "1" {
					t.Errorf("%s: the API knows a cardholder, and %s rows are stored", what, rows[0])
				}
			}
			if n%2 == 0 {
				if r, err := f.run(dir, []string{"cardholder", "resume"}); err != nil || r.code != 0 {
					t.Errorf("%s: resume ended with %d, %v:\n%s", what, r.code, err, r.stderr)
				}
			}
			if r, err := f.run(dir, create); err != nil || r.code != 0 {
				t.Errorf("%s: the next create ended with %d, %v:\n%s", what, r.code, err, r.stderr)
			}
			if got := mine(); got != 1 {
				t.Errorf("%s: %d cardholders, want one", what, got)
			}
			if got := look(t, dir, "SELECT state FROM cardholders"); len(got) != 1 || got[0] != "answered" {
				t.Errorf("%s: the requests are %v", what, got)
			}
		}
	}
	t.Logf("%d operations, killed %d times, %d times after the API was asked", operations, killed, sent)
	if killed < 20 || sent == 0 || sent == killed {
		t.Errorf("killed %d times, %d times after the API was asked: this test tries too little", killed, sent)
	}
}

// Several programs at once register a person once.
func TestCardholderSeveralPrograms(t *testing.T) {
	t.Parallel()
	dir, srv := cards(t, simulator.Options{RefuseRepeats: true, Latency: 50 * time.Millisecond}, "[schedule]\nsync = \"@every 1s\"\nrefresh = \"\"\n")
	daemon := launch(t, dir, "run")
	daemon.says("run ended", 1)
	var all []*child
	for range 4 {
		all = append(all, launch(t, dir, create...), launch(t, dir, "cardholder", "resume", "--now"))
	}
	for _, c := range all {
		if code := c.code(patience); code != 0 {
			t.Errorf("syncer %v ended with %d:\n%s", c.args, code, c.err)
		}
	}
	daemon.signal(os.Interrupt)
	if code := daemon.code(patience); code != 0 {
		t.Errorf("the daemon ended with %d:\n%s", code, daemon.err)
	}
	if got := srv.Cardholders(); len(got) != 1 {
		t.Errorf("%d cardholders, want one", len(got))
	}
	if got := look(t, dir, "SELECT state FROM cardholders"); len(got) != 1 || got[0] != "answered" {
		t.Errorf("the requests are %v", got)
	}
}

// What is printed is one document, also beside an error.
func TestCardholderJSON(t *testing.T) {
	t.Parallel()
	dir, srv := cards(t, simulator.Options{}, "")
	srv.SetFault(func(r simulator.Request) simulator.Fault {
		if r.Path == worldfirst.CreateCardholderPath {
			return simulator.Fault{Kind: simulator.ResultAfter}
		}
		return simulator.Fault{}
	})
	var doc struct {
		Type, State, LastCode, RequestID string
		Sent                             bool
		NextAttemptAt                    time.Time `json:"next_attempt_at"`
		ID                               string    `json:"request_id"`
		Cardholders                      []struct {
			State       string `json:"state"`
			AuditStatus string `json:"audit_status"`
		}
		Open    []struct{ State string } `json:"open"`
		Holders []struct{ State string } `json:"cardholders_open"`
		Error   struct {
			Code          int
			Message, Hint string
		}
	}
	parse := func(out string) {
		t.Helper()
		if err := json.Unmarshal([]byte(out), &doc); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
	}
	out, _ := ran(t, dir, 3, append(create, "--json")...)
	if parse(out); doc.Type != "cardholder" || doc.State != "waiting" || !doc.Sent || doc.Error.Code != 3 || doc.Error.Hint == "" || len(doc.ID) != 32 || doc.NextAttemptAt.Before(time.Now().Add(4*time.Minute)) {
		t.Errorf("create prints %s", out)
	}
	out, _ = ran(t, dir, 0, "status", "--json")
	if parse(out); len(doc.Holders) != 1 || doc.Holders[0].State != "waiting" {
		t.Errorf("status prints %s", out)
	}
	out, _ = ran(t, dir, 0, "status")
	contains(t, "status", out, "cardholder: request "+doc.ID, "it waits until")
	out, _ = ran(t, dir, 3, "cardholder", "resume", "--json")
	if parse(out); doc.Type != "cardholder_resume" || len(doc.Open) != 1 || doc.Error.Code != 3 {
		t.Errorf("resume prints %s", out)
	}
	srv.SetFault(nil)
	ran(t, dir, 0, "cardholder", "resume", "--now")
	out, _ = ran(t, dir, 0, "cardholder", "list", "--refresh", "--json")
	if parse(out); doc.Type != "cardholders" || len(doc.Cardholders) != 1 || doc.Cardholders[0].State != "answered" || doc.Cardholders[0].AuditStatus != "PENDING" {
		t.Errorf("list prints %s", out)
	}
	if got := srv.Cardholders(); len(got) != 1 {
		t.Errorf("%d cardholders, want one", len(got))
	}
}

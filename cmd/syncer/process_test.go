package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// patience is how long these tests wait for what should come at once, also on a
// machine that is busy with other things.
const patience = 3 * time.Minute

// A settings is what "syncer simulate --json" prints.
type settings struct {
	BaseURL    string `json:"base_url"`
	ClientID   string `json:"client_id"`
	PrivateKey string `json:"private_key_file"`
	ServerKey  string `json:"server_public_key_file"`
	AuthCode   string `json:"auth_code"`
}

// simulate serves the simulator until the test ends. Its clock stands still a
// quarter of an hour ago: whenever it is asked, its books are the same.
func simulate(t *testing.T, flags ...string) settings {
	t.Helper()
	s, _ := simulateUntil(t, flags...)
	return s
}

// simulateUntil is simulate with a function that stops it before that.
func simulateUntil(t *testing.T, flags ...string) (s settings, stop func()) {
	t.Helper()
	at := time.Now().Add(-15 * time.Minute)
	return simulateAt(t, func() time.Time { return at }, flags...)
}

// simulateAt is simulateUntil with a clock.
func simulateAt(t *testing.T, now func() time.Time, flags ...string) (s settings, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		g := &globals{stdin: strings.NewReader(""), stdout: in, stderr: io.Discard, now: now}
		code := run(ctx, g, append([]string{"simulate", "--json", "-q", "--port", "0", "--dir", filepath.Join(t.TempDir(), "keys")}, flags...))
		in.CloseWithError(fmt.Errorf("the simulator ended with %d", code))
		ended <- code
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Errorf("simulate did not end when told to")
		}
	})
	t.Cleanup(stop)
	if err := json.NewDecoder(out).Decode(&s); err != nil {
		t.Fatalf("simulate %v: %v", flags, err)
	}
	return s, stop
}

// folder makes a folder with a configuration that asks the simulator for so
// many days of history.
func folder(t *testing.T, s settings, days int, more string) string {
	t.Helper()
	dir := t.TempDir()
	since := time.Now().AddDate(0, 0, -days).Format(time.DateOnly)
	text := fmt.Sprintf(`
[api]
base_url = %q
client_id = %q
private_key_file = %q
server_public_key_file = %q
requests_per_second = 100000.0
[sync]
history_start = %q
page_size = 10
`, s.BaseURL, s.ClientID, s.PrivateKey, s.ServerKey, since)
	if s.BaseURL == "" {
		text = fmt.Sprintf("[api]\nrequests_per_second = 100000.0\n[sync]\nhistory_start = %q\n", since)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(text+more), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A child is the program in a process of its own.
type child struct {
	t        *testing.T
	args     []string
	cmd      *exec.Cmd
	out, err *tape
	ended    chan struct{}
}

// A tape keeps what was written and tells who waits for a word in it.
type tape struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newTape() *tape { return &tape{more: make(chan struct{})} }

func (b *tape) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.more)
	b.more = make(chan struct{})
	return b.text.Write(p)
}

func (b *tape) String() string {
	s, _ := b.read()
	return s
}

func (b *tape) read() (string, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String(), b.more
}

// launch starts the program in a folder.
func launch(t *testing.T, dir string, args ...string) *child {
	t.Helper()
	return begin(t, exec.Command("syncer", args...), dir)
}

// begin starts a command that is the program in some way.
func begin(t *testing.T, cmd *exec.Cmd, dir string) *child {
	t.Helper()
	c := &child{t: t, args: cmd.Args[1:], cmd: cmd, out: newTape(), err: newTape(), ended: make(chan struct{})}
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = dir, c.out, c.err
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "SYNCER_") {
			c.cmd.Env = append(c.cmd.Env, e)
		}
	}
	c.cmd.Env = append(c.cmd.Env, "GORACE=atexit_sleep_ms=0")
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = c.cmd.Wait()
		close(c.ended)
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.ended
	})
	return c
}

// executable is the program in a folder, without settings of whoever tests it.
func executable(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("syncer", args...)
	cmd.Dir = dir
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "SYNCER_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0")
	return cmd
}

func (c *child) signal(s os.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Fatal(err)
	}
}

// code waits for the end and returns the exit code.
func (c *child) code(within time.Duration) int {
	c.t.Helper()
	select {
	case <-c.ended:
		return c.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		c.t.Fatalf("syncer %v did not end within %s; it says:\n%s%s", c.args, within, c.out, c.err)
		return 0
	}
}

// says waits until a word was written to standard error n times.
func (c *child) says(word string, n int) {
	c.t.Helper()
	late := time.After(patience)
	for {
		text, more := c.err.read()
		if strings.Count(text, word) >= n {
			return
		}
		select {
		case <-more:
		case <-c.ended:
			if strings.Count(c.err.String(), word) >= n {
				return
			}
			c.t.Fatalf("syncer %v ended without saying %q %d times:\n%s%s", c.args, word, n, c.out, c.err)
		case <-late:
			c.t.Fatalf("syncer %v did not say %q %d times:\n%s%s", c.args, word, n, c.out, c.err)
		}
	}
}

// ran runs the program to its end and compares the exit code.
func ran(t *testing.T, dir string, want int, args ...string) (out, errout string) {
	t.Helper()
	c := launch(t, dir, args...)
	if got := c.code(patience); got != want {
		t.Errorf("syncer %v ended with %d, want %d; it says:\n%s%s", args, got, want, c.out, c.err)
	}
	return c.out.String(), c.err.String()
}

func contains(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s is %q, want %q in it", what, text, w)
		}
	}
}

// A sync that is told to stop ends at once with the code that shells expect,
// and the next one goes on.
func TestSyncStopped(t *testing.T) {
	t.Parallel()
	api, srv := serveBook(t, many(300, 60))
	dir := folder(t, api, 60, "")
	for _, tt := range []struct {
		signal os.Signal
		name   string
		want   int
	}{{syscall.SIGTERM, "SIGTERM", 143}, {os.Interrupt, "SIGINT", 130}} {
		g := gated(t, srv, 6)
		c := launch(t, dir, "sync", "--log-level", "debug", "--json")
		c.says("page stored", 1)
		c.signal(tt.signal)
		if got := c.code(patience); got != tt.want {
			t.Errorf("sync stopped by %s ended with %d, want %d; it says:\n%s%s", tt.name, got, tt.want, c.out, c.err)
		}
		g.opened()
		contains(t, "standard error after "+tt.name, c.err.String(), "stopped by "+tt.name, "running it again continues")
		answered := false
		for line := range strings.Lines(c.err.String()) {
			var x struct{ Signal, Message string } // of a log in JSON every line is
			if json.Unmarshal([]byte(line), &x) == nil && x.Signal == tt.name && x.Message == "finishing what is in hand, once more to stop now" {
				answered = true
			}
		}
		if !answered {
			t.Errorf("the signal is not answered in the log:\n%s", c.err)
		}
		contains(t, "standard output after "+tt.name, c.out.String(), fmt.Sprintf(`"outcome":"interrupted","code":%d,`, tt.want))
	}
	srv.OnRequest(nil)
	out, _ := ran(t, dir, 0, "sync")
	contains(t, "the summary of the run after", out, "complete: ")
	rows := look(t, dir, "SELECT outcome FROM runs ORDER BY run_id")
	if got := strings.Join(rows, " "); got != "interrupted interrupted complete" {
		t.Errorf("outcomes of the runs are %q", got)
	}
}

// A request that hangs does not hold up the end.
func TestSyncStoppedWhileWaiting(t *testing.T) {
	t.Parallel()
	api, srv := serveBook(t, many(60, 60))
	dir := folder(t, api, 60, "")
	g := gated(t, srv, 1)
	cmd := exec.Command("syncer", "sync")
	cmd.Env = []string{"SYNCER_API_TIMEOUT=10m"} // longer than this test waits for the end
	c := begin(t, cmd, dir)
	g.waits(t, c)
	c.signal(syscall.SIGTERM)
	if got := c.code(patience); got != 143 {
		t.Errorf("sync stopped by SIGTERM ended with %d, want 143; it says:\n%s%s", got, c.out, c.err)
	}
}

// One run at a time: the second says who is at work. Looking goes on.
func TestSyncBusy(t *testing.T) {
	t.Parallel()
	api, srv := serveBook(t, many(300, 90))
	dir := folder(t, api, 90, "")
	gated(t, srv, 6) // it stays at work
	c := launch(t, dir, "sync", "--log-level", "debug")
	c.says("page stored", 1)
	out, errout := ran(t, dir, 5, "sync")
	contains(t, "what the second sync says", errout, "syncer: another syncer is working on ", fmt.Sprintf("bills.db: process %d, sync, since ", c.cmd.Process.Pid), "\nhint: ")
	if out != "" || strings.Count(errout, "\n") != 2 {
		t.Errorf("the second sync says %q and %q, want a line and a hint", out, errout)
	}
	out, _ = ran(t, dir, 5, "retry", "--now", "--json")
	contains(t, "what retry --json prints", out, `{"type":"error","code":5,`)
	ran(t, dir, 0, "plan")
	ran(t, dir, 0, "sync", "-n")
	out, _ = ran(t, dir, 0, "status")
	contains(t, "status beside a sync", out, "not read yet", "running")
	ran(t, dir, 3, "status", "--healthy")
	c.signal(syscall.SIGKILL)
	<-c.ended
	out, _ = ran(t, dir, 0, "plan")
	contains(t, "plan after a kill", out, "goes on from page ")
}

// The daemon syncs by its schedule, leaves the database alone in between, and
// ends in good order when told to.
func TestDaemon(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		signal os.Signal
	}{{"SIGTERM", syscall.SIGTERM}, {"SIGINT", os.Interrupt}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, settings{}, 40, "[schedule]\nsync = \"@every 1s\"\nrefresh = \"\"\n")
			c := launch(t, dir, "run")
			c.says("daemon started", 1)
			c.says("run ended", 3)
			c.signal(tt.signal)
			if got := c.code(patience); got != 0 {
				t.Errorf("run stopped by %s ended with %d, want 0; it says:\n%s", tt.name, got, c.err)
			}
			contains(t, "the daemon's log", c.err.String(), "daemon stopped", `"trigger":"schedule"`)
			if got := look(t, dir, "SELECT complete FROM coverage"); len(got) != 1 || got[0] != "1" {
				t.Errorf("complete is %v after the daemon, want 1", got)
			}
			if _, err := os.Stat(filepath.Join(dir, "bills.db.holder")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the daemon left its note of holding the database: %v", err)
			}
			ran(t, dir, 0, "status", "--healthy")
		})
	}
}

func TestDaemonBetweenRuns(t *testing.T) {
	t.Parallel()
	dir := folder(t, settings{}, 40, "[schedule]\nsync = \"0 0 1 1 *\"\nrefresh = \"\"\n")
	c := launch(t, dir, "run")
	c.says("run ended", 1) // it reads once at its start
	late := time.Now().Add(patience)
	for {
		other := launch(t, dir, "sync", "-q")
		code := other.code(patience)
		if code == 0 {
			break
		}
		if code != 5 || time.Now().After(late) { // 5: the log line comes a moment before the lock is given back
			t.Fatalf("sync beside an idle daemon ended with %d:\n%s", code, other.err)
		}
	}
	c.signal(syscall.SIGTERM)
	if got := c.code(patience); got != 0 {
		t.Errorf("run stopped while idle ended with %d, want 0; it says:\n%s", got, c.err)
	}
}

// A daemon told to stop in the middle of a run ends soon and with 0.
func TestDaemonStoppedWithinARun(t *testing.T) {
	t.Parallel()
	api, srv := serveBook(t, many(300, 90))
	dir := folder(t, api, 90, "[schedule]\nsync = \"@every 1h\"\nrefresh = \"\"\n")
	gated(t, srv, 6)
	c := launch(t, dir, "run", "--log-level", "debug")
	c.says("page stored", 1)
	c.signal(syscall.SIGTERM)
	if got := c.code(patience); got != 0 {
		t.Errorf("run stopped within a run ended with %d, want 0; it says:\n%s", got, c.err)
	}
	if got := strings.Join(look(t, dir, "SELECT outcome FROM runs"), " "); got != "interrupted" {
		t.Errorf("outcome of the run is %q, want interrupted", got)
	}
}

// When the API does not say yes, the exit code says what that means, and the
// database and status say what to do.
func TestSyncNotYes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault           string
		want            int
		says            string // on standard error
		status          []string
		window, retried string // state, attempts and next attempt
	}{
		{"u=1", 3, "UNKNOWN_EXCEPTION", []string{"waiting until ", "UNKNOWN_EXCEPTION"}, "waiting|1|20", "waiting|2|20"},
		{"f=1", 3, "SYSTEM_ERROR", []string{": failed; \"syncer retry\" asks again", "SYSTEM_ERROR"}, "failed|0|<nil>", "failed|0|<nil>"},
		{"refuse=1", 4, "AUTHORIZATION_NOT_EXIST", []string{"main is refused by the API since ", "AUTHORIZATION_NOT_EXIST"}, "", ""},
		{"no-signature=1", 4, "", []string{"main is refused by the API since "}, "", ""},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, simulate(t, "--fault", tt.fault), 60, "")
			out, errout := ran(t, dir, tt.want, "sync")
			contains(t, "standard error", errout, tt.says, "\nsyncer: ", "\nhint: ")
			if tt.want == 4 {
				contains(t, "standard output", out, "main   REFUSED: 0 bills")
			} else {
				contains(t, "standard output", out, "main   NOT complete: 0 bills")
			}
			if strings.Contains(out, "next: syncer status") {
				t.Errorf("a sync that is not complete ends with the words of one that is: %q", out)
			}
			out, _ = ran(t, dir, 0, "status")
			contains(t, "status", out, tt.status...)
			ran(t, dir, 3, "status", "--healthy")
			const window = "SELECT state, attempts, next_attempt_at FROM windows"
			before := look(t, dir, window)
			if got := strings.Join(before, " "); !strings.HasPrefix(got, tt.window) {
				t.Errorf("%s is %q, want %q", window, got, tt.window)
			}
			if got := look(t, dir, "SELECT count(*) FROM evidence WHERE request_body IS NOT NULL AND response_body IS NOT NULL"); got[0] == "0" {
				t.Errorf("no evidence is kept for support")
			}
			out, errout = ran(t, dir, tt.want, "sync", "-q")
			if lines := strings.Split(strings.TrimSpace(errout), "\n"); out != "" || !strings.HasPrefix(lines[len(lines)-1], "hint: ") || !strings.HasPrefix(lines[len(lines)-2], "syncer: main: ") {
				t.Errorf("a quiet sync that is not complete says %q and %q, want only why it is not", out, errout)
			}
			if tt.want == 4 {
				ran(t, dir, 4, "check")
				return
			}
			// Neither what waits nor what failed is asked before its time.
			if diff := cmp.Diff(before, look(t, dir, window)); diff != "" {
				t.Errorf("the next sync asked again for a window that is not due (-before +after):\n%s", diff)
			}
			ran(t, dir, 3, "retry", "--now", "-q")
			if got := strings.Join(look(t, dir, window), " "); !strings.HasPrefix(got, tt.retried) {
				t.Errorf("%s after retry --now is %q, want %q", window, got, tt.retried)
			}
			if got := look(t, dir, "SELECT requests > 0 FROM runs ORDER BY run_id DESC LIMIT 1"); got[0] != "1" {
				t.Errorf("retry --now asked nothing")
			}
		})
	}
}

// Without an answer there is no proof, and without proof no exit code 0:
// neither for the first run nor for one that only had the newest bills to read.
func TestSyncWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	s, stop := simulateUntil(t)
	fresh, proved := folder(t, s, 30, ""), folder(t, s, 30, "")
	ran(t, proved, 0, "sync", "-q")
	stop()
	for _, tt := range []struct{ name, dir string }{{"nothing read yet", fresh}, {"only the tail is due", proved}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, errout := ran(t, tt.dir, 3, "sync")
			contains(t, "standard output", out, "main   NOT complete: ")
			contains(t, "standard error", errout, "\nhint: ")
			if got := look(t, tt.dir, "SELECT outcome FROM runs ORDER BY run_id DESC LIMIT 1"); got[0] != "incomplete" {
				t.Errorf("outcome of a run that got no answer is %q, want incomplete", got[0])
			}
		})
	}
}

// look asks the database of a folder, read-only.
func look(t *testing.T, dir, query string) []string {
	t.Helper()
	return lookAt(t, filepath.Join(dir, "bills.db"), query)
}

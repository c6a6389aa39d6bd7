package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"billsync/internal/app"
	"billsync/internal/config"
	"billsync/internal/schedule"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A clock is moved by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// noon in Shanghai is when these tests begin.
func newClock() *clock { return &clock{at: time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)} }

// load makes a configuration in a folder of the test's own.
func load(t *testing.T, c *clock, dir, text string) *config.Config {
	t.Helper()
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Options{Path: path, Now: c.now, CheckCron: schedule.Check})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func newApp(t *testing.T, c *clock, cfg *config.Config, log zerolog.Logger) *app.App {
	t.Helper()
	a := app.New(cfg, app.Options{Log: log, Now: c.now, Getenv: func(string) string { return "" }})
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return a
}

const simulated = `
[api]
requests_per_second = 100000.0
[sync]
history_start = "2026-08-01"
`

func exitCode(err error) int {
	var c interface{ ExitCode() int }
	switch {
	case err == nil:
		return 0
	case errors.As(err, &c):
		return c.ExitCode()
	}
	return 1
}

// As months pass, each sync finds what the months brought, and the past is
// refreshed when its schedule says so.
func TestMonthsPass(t *testing.T) {
	t.Parallel()
	c := newClock()
	a := newApp(t, c, load(t, c, t.TempDir(), simulated), zerolog.Nop())
	bills, changed := 0, 0
	for month := range 8 {
		sum, err := a.Sync(t.Context(), app.SyncOptions{Trigger: "sync"})
		if err != nil || !sum.Complete() {
			t.Fatalf("month %d: Sync = %v, complete %t", month, err, sum.Complete())
		}
		if got := sum.Accounts[0]; month > 0 && (got.New == 0 || !got.Refresh) {
			t.Errorf("month %d: Sync found %d new bills, refreshed %t; want some, and a refresh", month, got.New, got.Refresh)
		}
		changed += sum.Accounts[0].Changed
		s, err := a.Status(t.Context())
		if err != nil || len(s.Accounts) != 1 {
			t.Fatalf("month %d: Status = %+v, %v", month, s, err)
		}
		acct := s.Accounts[0]
		if !acct.Healthy() || acct.Bills <= bills || c.now().Sub(acct.To) > 5*time.Minute {
			t.Errorf("month %d: healthy %t, %d bills (before: %d), proved to %s; want all of it, now is %s", month, acct.Healthy(), acct.Bills, bills, acct.To, c.now())
		}
		bills = acct.Bills
		c.move(30 * 24 * time.Hour)
	}
	if changed == 0 {
		t.Errorf("in eight months no bill changed")
	}
	// Now nobody has looked for a month: what is proved stays so, but it is late.
	s, err := a.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if acct := s.Accounts[0]; !acct.Complete || acct.Healthy() || acct.Late < 29*24*time.Hour {
		t.Errorf("a month later: complete %t, healthy %t, late by %s", acct.Complete, acct.Healthy(), acct.Late)
	}
}

// A change of the report's zone dates every bill anew.
func TestReportZone(t *testing.T) {
	t.Parallel()
	c, dir := newClock(), t.TempDir()
	var before app.Status
	for i, zone := range []string{"Asia/Shanghai", "America/New_York", "Asia/Shanghai"} {
		a := newApp(t, c, load(t, c, dir, simulated+"[report]\ntimezone = \""+zone+"\"\n"), zerolog.Nop())
		if _, err := a.Sync(t.Context(), app.SyncOptions{Trigger: "sync"}); err != nil {
			t.Fatalf("Sync in %s = %v", zone, err)
		}
		s, err := a.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && fmt.Sprint(s.ByCurrency) != fmt.Sprint(before.ByCurrency) {
			t.Errorf("in %s the amounts are %v, want %v", zone, s.ByCurrency, before.ByCurrency)
		}
		before = s
	}
}

// Wrong options are told before any work.
func TestSyncOptions(t *testing.T) {
	t.Parallel()
	c, dir := newClock(), t.TempDir()
	a := newApp(t, c, load(t, c, dir, simulated), zerolog.Nop())
	date := func(text string) config.Date {
		d, err := config.ParseDate(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, tt := range []struct {
		o    app.SyncOptions
		want string
	}{
		{app.SyncOptions{Accounts: []string{"nobody"}}, `there is no account "nobody"`},
		{app.SyncOptions{From: date("2026-09-02"), To: date("2026-09-01")}, "--from 2026-09-02 is after --to 2026-09-01"},
		{app.SyncOptions{From: date("2026-11-22")}, "is in the future"},
		{app.SyncOptions{To: date("2001-01-01")}, "is before history_start"},
		{app.SyncOptions{From: date("2026-11-22"), To: date("2026-12-01")}, "is in the future"},
	} {
		_, err := a.Sync(t.Context(), tt.o)
		if exitCode(err) != 2 || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("Sync(%+v) = %v with exit code %d, want %q and 2", tt.o, err, exitCode(err), tt.want)
		}
		if _, err := a.Plan(t.Context(), tt.o, false); exitCode(err) != 2 {
			t.Errorf("Plan(%+v) = %v with exit code %d, want 2", tt.o, err, exitCode(err))
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("the folder holds %v, want the configuration alone", files)
	}
	if _, err := a.Status(t.Context()); !errors.Is(err, app.ErrNoDatabase) {
		t.Errorf("Status = %v, want ErrNoDatabase", err)
	}
}

// The plan tells the requests that the sync then makes.
func TestPlanIsTrue(t *testing.T) {
	t.Parallel()
	c := newClock()
	a := newApp(t, c, load(t, c, t.TempDir(), simulated), zerolog.Nop())
	for _, o := range []app.SyncOptions{{}, {}, {Full: true}, {Refresh: true}, {Retry: true}} {
		p, err := a.Plan(t.Context(), o, true)
		if err != nil || p.Unknown > 0 {
			t.Fatalf("Plan(%+v) = %+v, %v", o, p, err)
		}
		sum, err := a.Sync(t.Context(), o)
		if err != nil {
			t.Fatalf("Sync(%+v) = %v", o, err)
		}
		if got := int(sum.Run.Requests); got != p.Requests {
			t.Errorf("Plan(%+v) promises %d requests, Sync made %d", o, p.Requests, got)
		}
		c.move(time.Minute)
	}
}

// A check looks at everything even if something is wrong, and tells no secret.
func TestCheck(t *testing.T) {
	t.Parallel()
	c, dir := newClock(), t.TempDir()
	a := newApp(t, c, load(t, c, dir, simulated), zerolog.Nop())
	for _, f := range a.Check(t.Context(), false) {
		if f.Level != "ok" || f.Code != 0 {
			t.Errorf("Check of the simulator: %+v", f)
		}
	}
	dir = t.TempDir()
	b := newApp(t, c, load(t, c, dir, `
[api]
base_url = "http://127.0.0.1:1"
client_id = "C"
private_key_file = "missing.pem"
[database]
url = "no/folder/bills.db"
[schedule]
sync = ""
timezone = "America/New_York"
`), zerolog.Nop())
	levels := map[string]string{}
	for _, f := range b.Check(t.Context(), false) {
		levels[f.Subject] += f.Level + " "
		if f.Level != "ok" && f.Advice == "" {
			t.Errorf("Check: %s %s: %s, without advice", f.Level, f.Subject, f.Text)
		}
	}
	for subject, want := range map[string]string{"configuration": "ok ", "keys": "FAIL ", "database": "FAIL ", "schedule": "warn ok warn "} {
		if levels[subject] != want {
			t.Errorf("Check says %q of %s, want %q", levels[subject], subject, want)
		}
	}
}

// What is wrong is told when the daemon starts; stopping it is no error.
func TestDaemon(t *testing.T) {
	t.Parallel()
	c := newClock()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := &notice{word: []byte("run ended"), then: cancel}
	a := newApp(t, c, load(t, c, t.TempDir(), simulated), zerolog.New(log))
	if err := a.Daemon(ctx); err != nil {
		t.Errorf("Daemon that was stopped = %v", err)
	}
	s, err := a.Status(t.Context())
	if err != nil || !s.Accounts[0].Healthy() {
		t.Errorf("after the daemon: Status = %+v, %v, want it healthy", s.Accounts, err)
	}
	b := newApp(t, c, load(t, c, t.TempDir(), "[database]\nurl = \"no/folder/bills.db\"\n"), zerolog.Nop())
	if err := b.Daemon(t.Context()); exitCode(err) != 2 {
		t.Errorf("Daemon without a folder = %v with exit code %d, want 2", err, exitCode(err))
	}
}

// notice is a log that acts on a word in it.
type notice struct {
	word []byte
	then func()
}

func (n *notice) Write(p []byte) (int, error) {
	if bytes.Contains(p, n.word) {
		n.then()
	}
	return len(p), nil
}

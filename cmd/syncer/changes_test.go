package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"billsync/internal/simulator"
)

// A setup is what of a configuration these tests change.
type setup struct {
	days, page, window, concurrency int
	zone, report                    string
}

// usual is what the others are changed from and to.
var usual = setup{days: 100, page: 10, window: 60, concurrency: 4, zone: "Asia/Shanghai", report: "Asia/Shanghai"}

// since is the first day of history.
func (c setup) since(now time.Time) time.Time {
	zone, err := time.LoadLocation(c.zone)
	if err != nil {
		panic(err) // the zones are compiled in
	}
	y, m, d := now.AddDate(0, 0, -c.days).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone)
}

func (c setup) write(t *testing.T, dir string, s settings, now time.Time) {
	t.Helper()
	put(t, filepath.Join(dir, "config.toml"), fmt.Appendf(nil, `
[api]
base_url = %q
client_id = %q
private_key_file = %q
server_public_key_file = %q
requests_per_second = 100000.0
concurrency = %d
[sync]
history_start = %q
timezone = %q
page_size = %d
window_days = %d
tail_days = 3
[report]
timezone = %q
`, s.BaseURL, s.ClientID, s.PrivateKey, s.ServerKey, c.concurrency, c.since(now).Format(time.DateOnly), c.zone, c.page, c.window, c.report))
}

// Whatever of the configuration changes, between two runs or in the middle of a
// pass that was killed, the next run ends with what the API lists, proved
// without a gap, each bill on its day.
func TestChangedConfiguration(t *testing.T) {
	t.Parallel()
	changed := func(change func(*setup)) setup {
		c := usual
		change(&c)
		return c
	}
	for _, tt := range []struct {
		name string
		to   setup
	}{
		{"smaller pages", changed(func(c *setup) { c.page = 3 })},
		{"larger pages", changed(func(c *setup) { c.page = 100 })},
		{"shorter windows", changed(func(c *setup) { c.window = 20 })},
		{"longer windows", changed(func(c *setup) { c.window = 100 })},
		{"history begins earlier", changed(func(c *setup) { c.days = 150 })},
		{"history begins later", changed(func(c *setup) { c.days = 30 })},
		{"a zone in the west", changed(func(c *setup) { c.zone = "America/Los_Angeles" })},
		{"a zone of half hours", changed(func(c *setup) { c.zone = "Asia/Kolkata" })},
		{"reports elsewhere", changed(func(c *setup) { c.report = "America/New_York" })},
		{"one request at a time", changed(func(c *setup) { c.concurrency = 1 })},
		{"everything", setup{days: 140, page: 7, window: 33, concurrency: 9, zone: "UTC", report: "Pacific/Kiritimati"}},
	} {
		for _, middle := range []bool{false, true} {
			name := tt.name + ", between runs"
			if middle {
				name = tt.name + ", in the middle of a pass"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newChanging(t)
				w.write(usual)
				if middle {
					w.killedWithin()
				} else {
					w.whole()
				}
				w.write(tt.to)
				w.whole()
				w.check()
				w.write(usual) // and back
				w.whole()
				w.check()
			})
		}
	}
}

// The configuration changes again and again, each time in the middle of a run.
func TestConfigurationAdrift(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 1))
	one := func(of ...string) string { return of[dice.IntN(len(of))] }
	w := newChanging(t)
	for range 8 {
		c := setup{days: 20 + dice.IntN(140), page: 1 + dice.IntN(30), window: 7 + dice.IntN(94), concurrency: 1 + dice.IntN(8)}
		c.zone, c.report = one("Asia/Shanghai", "UTC", "America/New_York", "Australia/Lord_Howe"), one("Asia/Shanghai", "UTC", "Europe/London", "Asia/Kathmandu")
		w.write(c)
		if dice.IntN(4) == 0 {
			w.whole()
			w.check()
			continue
		}
		w.killed(1 + dice.Int64N(15))
	}
	w.whole()
	w.check()
}

// A changing is a database whose configuration changes.
type changing struct {
	t      *testing.T
	dir    string
	api    settings
	srv    *simulator.Server
	ledger *simulator.Ledger
	now    time.Time
	setup
	reach time.Time // the earliest beginning of history so far
}

// newChanging makes one whose API lists 170 days of bills, some at midnight.
func newChanging(t *testing.T) *changing {
	t.Helper()
	w := &changing{t: t, dir: t.TempDir(), ledger: many(170, 170), now: time.Now()}
	for i := range 20 {
		day := w.now.AddDate(0, 0, -3-8*i).UTC().Truncate(24 * time.Hour)
		w.ledger.Add("", billed(fmt.Sprintf("MIDNIGHT%02d", i), day.Add(time.Duration(i%5-2)*8*time.Hour)), billed(fmt.Sprintf("BEFORE%02d", i), day.Add(-time.Millisecond)))
	}
	w.api, w.srv = serveBook(t, w.ledger)
	return w
}

func (w *changing) write(c setup) {
	w.t.Helper()
	w.setup = c
	c.write(w.t, w.dir, w.api, w.now)
	if since := c.since(w.now); w.reach.IsZero() || since.Before(w.reach) {
		w.reach = since
	}
}

// killed lets a sync go as far as so many requests.
func (w *changing) killed(requests int64) {
	w.t.Helper()
	g := gated(w.t, w.srv, requests)
	c := launch(w.t, w.dir, "sync", "-q")
	select {
	case <-g.held:
		c.signal(syscall.SIGKILL)
	case <-c.ended: // it had less to ask for
	case <-time.After(patience):
		w.t.Fatalf("the sync was not held up:\n%s%s", c.out, c.err)
	}
	<-c.ended
	g.opened()
	w.srv.OnRequest(nil)
	if fi, err := os.Stat(filepath.Join(w.dir, "bills.db")); err == nil && fi.Size() > 0 {
		sound(w.t, w.dir, fmt.Sprintf("killed within %+v", w.setup))
	}
}

// killedWithin lets a sync begin a pass, and kills it in the middle of that.
func (w *changing) killedWithin() {
	w.t.Helper()
	open := make(chan struct{})
	w.srv.OnRequest(func(r simulator.Request) {
		if r.Query.Page > 2 {
			<-open
		}
	})
	c := launch(w.t, w.dir, "sync", "-q", "--log-level", "debug")
	c.says("page stored", 1) // and soon it is committed
	const begun = "SELECT count(*) FROM passes WHERE state = 'reading' AND next_page > 1"
	for late := time.Now().Add(patience); number(w.t, w.dir, begun) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			w.t.Fatalf("no pass is in its middle:\n%s%s", c.out, c.err)
		}
	}
	c.signal(syscall.SIGKILL)
	<-c.ended
	close(open)
	w.srv.OnRequest(nil)
	sound(w.t, w.dir, fmt.Sprintf("killed within %+v", w.setup))
}

// whole syncs to the end: one run for everything, one for the tail.
func (w *changing) whole() {
	w.t.Helper()
	ran(w.t, w.dir, 0, "sync", "-q")
	ran(w.t, w.dir, 0, "sync", "-q")
}

// check compares with the API's list.
func (w *changing) check() {
	w.t.Helper()
	when := fmt.Sprintf("%+v", w.setup)
	sound(w.t, w.dir, when)
	report, err := time.LoadLocation(w.report)
	if err != nil {
		w.t.Fatal(err)
	}
	listed := func(since time.Time) map[string]string {
		raws, _ := w.ledger.Bills(time.Now(), "", simulator.Filter{From: since, To: w.now, IncludeFrom: true, IncludeTo: true}, 0, 1000)
		out := map[string]string{}
		for _, raw := range raws {
			e := decoded(w.t, raw)
			out[e.OrderNo] = e.TransactionTime.In(report).Format(time.DateOnly)
		}
		return out
	}
	// What the history of earlier configurations brought stays.
	want, possible, got := listed(w.since(w.now)), listed(w.reach.Add(-2*time.Second)), map[string]string{}
	for _, row := range look(w.t, w.dir, "SELECT order_no, transaction_date FROM bills WHERE withdrawn_at IS NULL") {
		order, date, _ := strings.Cut(row, "|")
		got[order] = date
	}
	for _, order := range slices.Sorted(maps.Keys(want)) {
		if got[order] == "" {
			w.t.Errorf("%s: bill %s is missing", when, order)
		}
	}
	for _, order := range slices.Sorted(maps.Keys(got)) {
		if got[order] != possible[order] {
			w.t.Errorf("%s: bill %s is of the day %s, want %q", when, order, got[order], possible[order])
		}
	}
	if n := look(w.t, w.dir, "SELECT count(*) FROM bills WHERE withdrawn_at IS NOT NULL"); n[0] != "0" {
		w.t.Errorf("%s: %v bills are withdrawn, although nothing was", when, n)
	}
	if n := look(w.t, w.dir, "SELECT count(*) FROM bill_states"); n[0] != "0" {
		w.t.Errorf("%s: %v earlier states, although nothing changed", when, n)
	}
	coverage := look(w.t, w.dir, "SELECT complete, proved_from FROM coverage")
	if want := "1|" + w.since(w.now).UTC().Format("2006-01-02T15:04:05.000Z"); len(coverage) != 1 || coverage[0] > want {
		w.t.Errorf("%s: coverage is %v, want %s or earlier", when, coverage, want)
	}
	if long := look(w.t, w.dir, "SELECT window_start, window_end FROM windows WHERE julianday(window_end) - julianday(window_start) >= 100"); len(long) > 0 {
		w.t.Errorf("%s: windows of more than 100 days: %v", when, long)
	}
	out, _ := ran(w.t, w.dir, 0, "plan")
	if strings.Contains(out, "goes on from page") {
		w.t.Errorf("%s: after a run that is complete something is left to be gone on with:\n%s", when, out)
	}
}

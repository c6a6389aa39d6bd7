package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"billsync/internal/simulator"
)

// A gate holds back the answers to requests from a given one on, so that a run
// stays in the middle of its work for as long as a test wants.
type gate struct {
	from   int64
	open   chan struct{}
	opened func()
	held   chan struct{} // closed when the first one waits
	once   sync.Once
}

// gated makes a server hold back its answers from the nth request on.
func gated(t *testing.T, srv *simulator.Server, n int64) *gate {
	g := &gate{from: srv.Requests() + n, open: make(chan struct{}), held: make(chan struct{})}
	g.opened = sync.OnceFunc(func() { close(g.open) })
	t.Cleanup(g.opened)
	srv.OnRequest(func(r simulator.Request) {
		if r.N < g.from {
			return
		}
		g.once.Do(func() { close(g.held) })
		select {
		case <-g.open:
		case <-time.After(patience):
		}
	})
	return g
}

// waits waits until an answer is held back.
func (g *gate) waits(t *testing.T, c *child) {
	t.Helper()
	select {
	case <-g.held:
	case <-c.ended:
		t.Fatalf("syncer %v ended before it was held up:\n%s%s", c.args, c.out, c.err)
	case <-time.After(patience):
		t.Fatalf("syncer %v was not held up:\n%s%s", c.args, c.out, c.err)
	}
}

// many is a ledger of n bills over some days, newest a day ago.
func many(n, days int) *simulator.Ledger {
	l := simulator.NewLedger()
	now := time.Now().Truncate(time.Second)
	entries := make([]simulator.Entry, n)
	for i := range entries {
		entries[i] = billed(fmt.Sprintf("ORDER%05d", i), now.Add(-24*time.Hour-time.Duration(i)*time.Duration(days-1)*24*time.Hour/time.Duration(n)))
	}
	l.Add("", entries...)
	return l
}

// beside opens a database as another program does while syncer works on it.
// The second result closes it before the test ends.
func beside(t *testing.T, dir, options string) (conn *sql.Conn, away func()) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "bills.db")+"?_busy_timeout=30000"+options)
	if err != nil {
		t.Fatal(err)
	}
	away = func() { _ = errors.Join(conn.Close(), db.Close()) }
	if conn, err = db.Conn(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(away)
	return conn, away
}

func do(t *testing.T, conn *sql.Conn, statement string) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func count(t *testing.T, conn *sql.Conn, query string) (n int) {
	t.Helper()
	if err := conn.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// While a daemon's run is on, another run is told who is at work; a person's
// word is taken and stays.
func TestCompanyOfADaemon(t *testing.T) {
	t.Parallel()
	ledger := many(60, 40)
	ledger.Add("", simulator.Entry{Raw: json.RawMessage(`{"orderNo":"?"}`), Time: time.Now().AddDate(0, 0, -10)})
	api, srv := serveBook(t, ledger)
	dir := folder(t, api, 40, "[schedule]\nsync = \"@every 1s\"\nrefresh = \"\"\n")
	ran(t, dir, 3, "sync", "-q")

	g := gated(t, srv, 1)
	c := launch(t, dir, "run")
	g.waits(t, c)
	for _, args := range [][]string{{"sync"}, {"sync", "--full"}, {"retry", "--now"}} {
		_, errout := ran(t, dir, 5, args...)
		contains(t, fmt.Sprint(args, " beside the daemon"), errout, fmt.Sprintf("process %d, schedule, since ", c.cmd.Process.Pid), "\nhint: ")
	}
	out, _ := ran(t, dir, 0, "accept", "item:1", "--note", "a test of the bank")
	contains(t, "accept beside the daemon", out, "accepted: item:1 of main")
	ran(t, dir, 2, "accept", "item:1", "--note", "again")
	g.opened()
	// The run in hand and the next one know of it.
	c.says(`"outcome":"complete"`, 2)
	c.signal(syscall.SIGTERM)
	if got := c.code(patience); got != 0 {
		t.Errorf("the daemon ended with %d, want 0:\n%s", got, c.err)
	}
	if got := strings.Join(look(t, dir, "SELECT subject, note FROM acceptances"), ";"); got != "item:1|a test of the bank" {
		t.Errorf("acceptances are %q", got)
	}
	ran(t, dir, 0, "status", "--healthy")
}

// Somebody reads all the time: a report holds its transaction open from before
// a sync until after it, and sees the same all along.
func TestReaderThroughASync(t *testing.T) {
	t.Parallel()
	ledger := many(50, 40)
	api, srv := serveBook(t, ledger)
	dir := folder(t, api, 40, "")
	ran(t, dir, 0, "sync", "-q")
	reader, _ := beside(t, dir, "&mode=ro")
	do(t, reader, "BEGIN")
	before := count(t, reader, "SELECT count(*) FROM bills")
	for i := range 300 {
		ledger.Add("", billed(fmt.Sprintf("MORE%03d", i), time.Now().Add(-time.Duration(i+3)*time.Hour)))
	}
	g := gated(t, srv, 10)
	c := launch(t, dir, "sync", "--full")
	g.waits(t, c)
	if n := count(t, reader, "SELECT count(*) FROM bill_history"); n != before {
		t.Errorf("the reader counts %d states in the middle of the sync, %d bills before it", n, before)
	}
	g.opened()
	if code := c.code(patience); code != 0 {
		t.Errorf("the sync beside a reader ended with %d, want 0:\n%s", code, c.err)
	}
	if n := count(t, reader, "SELECT count(*) FROM bills"); n != before {
		t.Errorf("the reader counts %d bills after the sync, within the same transaction %d before it", n, before)
	}
	ran(t, dir, 0, "sync", "-q") // and another one
	do(t, reader, "COMMIT")
	if n := count(t, reader, "SELECT count(*) FROM bills"); n != before+300 {
		t.Errorf("the reader counts %d bills in its next transaction, want %d", n, before+300)
	}
	sound(t, dir, "at the end")
}

// A database may be vacuumed and copied while a sync writes to it. Every copy
// is one that could be gone on with.
func TestVacuumBesideASync(t *testing.T) {
	t.Parallel()
	ledger := many(1500, 100)
	api, _ := serveBook(t, ledger)
	alone, dir := folder(t, api, 100, "window_days = 30\n"), folder(t, api, 100, "window_days = 30\n")
	ran(t, alone, 0, "sync", "-q")
	ran(t, dir, 0, "sync", "-q", "--from", time.Now().AddDate(0, 0, -1).Format(time.DateOnly)) // there is a database
	vacuum, _ := beside(t, dir, "")
	c := launch(t, dir, "sync", "-q")
	copies := 0
	for done := false; !done; copies++ {
		select {
		case <-c.ended:
			done = true
		default:
		}
		do(t, vacuum, "VACUUM")
		name := filepath.Join(t.TempDir(), "bills.db")
		do(t, vacuum, "VACUUM INTO '"+name+"'")
		sound(t, filepath.Dir(name), fmt.Sprint("copy ", copies))
	}
	if code := c.code(patience); code != 0 {
		t.Errorf("the sync beside VACUUM ended with %d, want 0:\n%s%s", code, c.out, c.err)
	}
	t.Logf("%d times vacuumed and copied during the sync", copies-1)
	sound(t, dir, "at the end")
	ran(t, dir, 0, "sync", "-q")
	ran(t, alone, 0, "sync", "-q")
	sameBooks(t, alone, dir)
}

// sameBooks compares two databases that should hold the same.
func sameBooks(t *testing.T, want, got string) {
	t.Helper()
	var said [2]map[string][]string
	for i, dir := range []string{want, got} {
		db, err := opened(filepath.Join(dir, "bills.db"))
		if err != nil {
			t.Fatal(err)
		}
		said[i], err = books(db, "")
		db.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := differences(said[0], said[1]); diff != "" {
		t.Errorf("the database is not as it should be; rows more (+) or fewer (-):\n%.3000s", diff)
	}
}

// Somebody else's transaction is waited for, for a while. If it lasts longer,
// the run ends with a clear word and nothing is lost.
func TestLockedBySomebody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		begin  string // what somebody does
		within bool   // in the middle of a run, or before it
		long   bool
	}{
		{"a while, within a run", "BEGIN EXCLUSIVE", true, false},
		{"long, within a run", "BEGIN EXCLUSIVE", true, true},
		{"a while, before a run", "BEGIN IMMEDIATE", false, false},
		{"long, before a run", "BEGIN IMMEDIATE", false, true},
		{"for good, before a run", "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ledger := many(80, 40)
			api, srv := serveBook(t, ledger)
			dir := folder(t, api, 40, "")
			ran(t, dir, 0, "sync", "-q")
			before := number(t, dir, "SELECT count(*) FROM bills")
			for i := range 30 {
				ledger.Add("", billed(fmt.Sprintf("MORE%03d", i), time.Now().Add(-time.Duration(i+3)*time.Hour)))
			}
			somebody, away := beside(t, dir, "")
			var c *child
			if tt.within {
				g := gated(t, srv, 2)
				c = launch(t, dir, "sync", "-q")
				g.waits(t, c)
				do(t, somebody, tt.begin)
				g.opened()
			} else {
				do(t, somebody, tt.begin)
				c = launch(t, dir, "sync", "-q")
			}
			end := func() {
				do(t, somebody, "COMMIT")
				away()
			}
			if !tt.long {
				time.Sleep(1500 * time.Millisecond) // less than the program waits
				end()
				if code := c.code(patience); code != 0 {
					t.Errorf("the sync beside somebody's transaction ended with %d, want 0:\n%s", code, c.err)
				}
			} else {
				if code := c.code(patience); code != 1 {
					t.Errorf("the sync beside somebody's endless transaction ended with %d, want 1:\n%s", code, c.err)
				}
				contains(t, "what it says", c.err.String(), "syncer: database "+filepath.Join(dir, "bills.db")+": ", "another program holds the database locked\nhint: close it there")
				end()
			}
			sound(t, dir, "after it")
			if n := number(t, dir, "SELECT count(*) FROM bills"); n < before {
				t.Errorf("%d bills after it, %d before", n, before)
			}
			ran(t, dir, 0, "sync", "-q")
			if got := look(t, dir, "SELECT bills, complete FROM coverage"); got[0] != "110|1" {
				t.Errorf("bills and complete are %v, want 110|1", got)
			}
			if got := look(t, dir, "SELECT count(*) FROM runs WHERE outcome = 'running'"); got[0] != "0" {
				t.Errorf("%v runs are called running", got)
			}
		})
	}
}

// Told to stop at any point, a sync ends with the code that shells expect, and
// the next one goes on where it was.
func TestStoppedAgainAndAgain(t *testing.T) {
	t.Parallel()
	ledger := many(400, 100)
	ledger.Update("", "ORDER00017", func(e *simulator.Entry) { e.BillNo = "B17" })
	api, _ := serveBook(t, slowly{ledger})
	whole, torn := folder(t, api, 100, "window_days = 40\n"), folder(t, api, 100, "window_days = 40\n")
	ran(t, whole, 0, "sync", "-q")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 1))
	stopped := 0
	for i := range 12 {
		c := launch(t, torn, "sync", "--log-level", "debug")
		if dice.IntN(4) > 0 {
			atWork(c)
		}
		time.Sleep(time.Duration(dice.Int64N(int64(150 * time.Millisecond))))
		c.signal(syscall.SIGTERM)
		// Before the program has begun to listen, the signal simply ends it.
		code := c.code(patience)
		if early := c.cmd.ProcessState.Sys().(syscall.WaitStatus); early.Signaled() && early.Signal() == syscall.SIGTERM && c.err.String() == "" {
			continue
		}
		if code == 0 {
			t.Logf("the sync was done before signal %d", i+1)
			if stopped > 0 {
				break
			}
			torn = folder(t, api, 100, "window_days = 40\n") // nothing was tried yet
			continue
		}
		if code != 143 {
			t.Fatalf("sync stopped for the %dth time ended with %d, want 143:\n%s%s", i+1, code, c.out, c.err)
		}
		stopped++
		if fi, err := os.Stat(filepath.Join(torn, "bills.db")); err == nil && fi.Size() > 0 {
			sound(t, torn, fmt.Sprintf("stopped for the %dth time", i+1))
			got := look(t, torn, "SELECT outcome FROM runs WHERE outcome <> 'interrupted'")
			if slices.Equal(got, []string{"complete"}) {
				t.Logf("the run was done just before signal %d", i+1) // and the program was about to end
				break
			}
			if len(got) > 0 {
				t.Errorf("runs that were stopped ended as %v", got)
			}
		}
	}
	if stopped == 0 {
		t.Errorf("no run was stopped: this test tries nothing")
	}
	ran(t, torn, 0, "sync", "-q")
	ran(t, torn, 0, "sync", "-q")
	ran(t, whole, 0, "sync", "-q")
	sameBooks(t, whole, torn)
}

// slowly is a book that takes its time.
type slowly struct{ *simulator.Ledger }

func (s slowly) Bills(now time.Time, customer string, f simulator.Filter, skip, limit int) ([]json.RawMessage, int) {
	time.Sleep(20 * time.Millisecond)
	return s.Ledger.Bills(now, customer, f, skip, limit)
}

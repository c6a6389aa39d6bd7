package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/worldfirst"
)

// A story is what happens to a company's bills, step by step.
type story struct {
	faulty
	steps   []*step
	version string // of the schema
	listed  shelf
	root    string // of all folders
	folders atomic.Int64
}

// A step is what the provider's books say at a time, and a command.
type step struct {
	name   string
	args   []string
	code   int                             // how the command ends
	again  []int                           // how else it may end once its work is done
	aside  string                          // what the number of runs decides, and is not compared
	first  func(t *testing.T, path string) // is done to the database before it
	ledger *simulator.Ledger

	before     string              // the folder as the command finds it
	runsBefore int                 // the runs in its database
	want       map[string][]string // what the database says after it
	operations []string            // what it does to the files
}

// A shelf is a book that may be exchanged for another.
type shelf struct {
	atomic.Pointer[simulator.Ledger]
}

// Bills implements simulator.Book.
func (s *shelf) Bills(now time.Time, customer string, f simulator.Filter, skip, limit int) ([]json.RawMessage, int) {
	return s.Load().Bills(now, customer, f, skip, limit)
}

// turn lets the provider list what it does at a step.
func (s *story) turn(st *step) { s.listed.Store(st.ledger) }

func (s *story) operations() (n int) {
	for _, st := range s.steps {
		n += len(st.operations)
	}
	return n
}

// tellStory runs a story undisturbed: a first sync, a sync that finds the
// database to be an older version's, a re-read of everything after bills changed,
// vanished and grew twins, a person's word about an item that cannot be read,
// and a refresh that chases a change of an old bill while another comes back.
func tellStory(t *testing.T, f faulty) *story {
	t.Helper()
	s := &story{faulty: f, root: t.TempDir()}
	now := time.Now()
	s.steps = []*step{
		// The tail is read by the run after the one that proved the newest window.
		{name: "first sync", args: []string{"sync"}, aside: "tails", ledger: chapter(now, 1)},
		{name: "upgrade", args: []string{"sync"}, first: older, ledger: chapter(now, 1)},
		{name: "full", args: []string{"sync", "--full"}, code: 3, ledger: chapter(now, 2)},
		{name: "accept", args: []string{"accept", "item:1", "--note", "looked at"}, again: []int{2}, ledger: chapter(now, 2)},
		{name: "refresh", args: []string{"sync", "--refresh"}, ledger: chapter(now, 3)},
	}
	s.listed.Store(s.steps[0].ledger)
	api, _ := serveBook(t, &s.listed)
	config, err := os.ReadFile(filepath.Join(folder(t, api, 130, "window_days = 40\nrefresh_days = 30\n"), "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(s.root, "undisturbed")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	runs := 0
	for i, st := range s.steps {
		s.turn(st)
		if st.first != nil {
			st.first(t, filepath.Join(dir, "bills.db"))
		}
		if st.before, err = s.folder(dir); err != nil {
			t.Fatal(err)
		}
		st.runsBefore = runs
		if st.args[0] == "sync" {
			runs++
		}
		log := filepath.Join(s.root, fmt.Sprint("operations ", i))
		r, err := s.run(dir, st.args, "FAULT_LOG="+log, "SYNCER_API_CONCURRENCY=1")
		if err != nil || r.code != st.code {
			t.Fatalf("%s ended with %d, %v, want %d:\n%s", st.name, r.code, err, st.code, r.stderr)
		}
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatalf("no file operations were seen: %v", err)
		}
		for line := range strings.Lines(string(text)) {
			_, op, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			st.operations = append(st.operations, op)
		}
		db, err := opened(filepath.Join(dir, "bills.db"))
		if err != nil {
			t.Fatal(err)
		}
		st.want, err = books(db, st.aside)
		if err != nil {
			t.Fatal(err)
		}
		s.version = look(t, dir, "PRAGMA user_version")[0]
		db.Close()
	}
	return s
}

// older turns a database into one of the first version, with what it holds.
func older(t *testing.T, path string) {
	t.Helper()
	schema, err := os.ReadFile("../../internal/store/testdata/schema1.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".new"); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path + ".new")
	executed(t, path, "PRAGMA page_size = 16384", "PRAGMA journal_mode = WAL", string(schema))
	for _, table := range lookAt(t, path, "SELECT name FROM sqlite_master WHERE type = 'table'") {
		columns := strings.Join(lookAt(t, path, "SELECT name FROM pragma_table_info('"+table+"')"), ", ")
		executed(t, path, "ATTACH '"+path+".new' AS new", fmt.Sprintf("INSERT OR REPLACE INTO %s (%s) SELECT %s FROM new.%s", table, columns, columns, table))
	}
}

// chapter is what the provider lists at a time of the story.
func chapter(now time.Time, n int) *simulator.Ledger {
	l := simulator.NewLedger()
	order := func(i int) string { return fmt.Sprintf("ORDER%03d", i) }
	at := func(days int) time.Time { return now.Truncate(time.Second).AddDate(0, 0, -days) }
	for i := range 50 {
		l.Add("", billed(order(i), at(1+i*129/50)))
	}
	// An order of several bills: one has a number, two are told apart by nothing.
	for _, no := range []string{"B1", "", ""} {
		e := billed("SEVERAL", at(20))
		e.BillNo = no
		l.Add("", e)
	}
	if n < 2 {
		return l
	}
	status := func(order, to string) {
		l.Update("", order, func(e *simulator.Entry) {
			e.Status, e.LastUpdate = to, now.Add(-time.Hour)
			if to == "FAILED" {
				e.FailCode, e.FailDesc = "NEW_REASON", "a reason that is not documented"
			}
		})
	}
	status(order(3), "FAILED")
	status(order(17), "WAITING_CLEARANCE")
	status(order(45), "PARTIAL_REFUND")
	l.Remove("", order(1)) // of the tail
	back := l.Take("", order(25))
	l.Remove("", order(40))
	for _, i := range []int{2, 10, 30} {
		twin := billed(order(i), at(1+i*129/50))
		twin.Trade = &bill.Amount{Currency: "USD", Value: 77}
		l.Add("", twin)
	}
	l.Add("", simulator.Entry{Raw: json.RawMessage(`{"orderNo":"?","billStatus":"SUCCESS"}`), Time: at(12)})
	if n < 3 {
		return l
	}
	status(order(17), "SUCCESS")
	status(order(44), "REFUNDED")
	l.Add("", back...)
	l.Add("", billed("LATE", at(60))) // appears long after its time
	return l
}

// billed is a bill as the provider lists it.
func billed(order string, at time.Time) simulator.Entry {
	return simulator.Entry{Bill: bill.Bill{
		OrderNo: order, TransactionTime: at, Status: "SUCCESS", AssetID: "CARD1", MaskedCardNo: "555555******4444",
		MerchantName: "EXAMPLE", Trade: &bill.Amount{Currency: "USD", Value: 1000}, Out: &bill.Amount{Currency: "USD", Value: 1000},
		LastUpdate: at.Add(time.Minute),
	}}
}

// decoded is a bill as the program reads what the provider lists.
func decoded(t *testing.T, raw []byte) bill.Bill {
	t.Helper()
	it := worldfirst.DecodeItem(raw)
	if it.Rejected {
		t.Fatalf("%s is no bill", raw)
	}
	return it.Bill
}

// folder makes a copy of a folder: the configuration and the database's files
// but for the -shm, which is memory and means nothing to the next process.
func (s *story) folder(of string) (string, error) {
	dir := filepath.Join(s.root, fmt.Sprint(s.folders.Add(1)))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"config.toml", "bills.db", "bills.db-wal", "bills.db-journal"} {
		data, err := os.ReadFile(filepath.Join(of, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
		}
		if err != nil {
			return "", err
		}
	}
	return dir, nil
}

package syncer_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/syncer"
)

// What the tail could not understand is never resolved, however often it is
// read again readable: the tail's span has moved on.
func TestWhatTheTailRejectedIsResolved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.fill(10, 20)
	w.sync()
	w.pass(time.Hour)
	bad := entry("BAD", start.Add(-30*time.Minute))
	bad.Raw, bad.Time = json.RawMessage(`{"orderNo":"BAD","transactionTime":"yesterday"}`), bad.TransactionTime
	w.ledger.Add("", bad)
	if sum, err := w.run(syncer.Options{}); err != nil || sum.Accounts[0].Rejected != 1 {
		t.Fatalf("with an unreadable item: %+v, %v", sum, err)
	}
	w.pass(24 * time.Hour)
	w.ledger.SetRaw("", "BAD", nil)
	if sum, err := w.run(full); err != nil || !sum.Complete() {
		t.Errorf("after it was mended a full run is not complete: %s, %v", sum.Reason(), err)
	}
}

// A bill without number, whose twin with a number is no longer listed, takes
// that one's row when it changes.
func TestNumberedTwinGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	at := start.AddDate(0, 0, -10)
	a, b := entry("TWO", at), entry("TWO", at)
	a.BillNo = "B1"
	w.ledger.Add("", a, b)
	w.sync()
	before := w.ids("TWO")
	w.ledger.Change("", func(es []simulator.Entry) []simulator.Entry {
		for _, e := range es {
			if e.BillNo == "" {
				e.Status, e.LastUpdate = "REFUNDED", e.LastUpdate.Add(time.Hour)
				return []simulator.Entry{e}
			}
		}
		return nil
	})
	w.pass(time.Hour)
	if _, err := w.run(full); err != nil {
		t.Fatal(err)
	}
	if got := w.query("SELECT bill_no FROM bills WHERE order_no = 'TWO' AND bill_status = 'REFUNDED'"); len(got) != 1 || got[0] != "<nil>" {
		t.Errorf("the bill without number was refunded; refunded are bills with the numbers %v\nbefore: %v\nafter:  %v", got, before, w.ids("TWO"))
	}
}

// A listed item that is held to be older than its row counts as seen: the
// proof says that all is stored, and the bill is nowhere.
func TestOlderTwinIsProvedButNotStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	at := start.AddDate(0, 0, -10)
	w.ledger.Add("", entry("TWO", at), entry("TWO", at))
	w.sync()
	var gone simulator.Entry
	change := func(status string, after time.Duration, twins func([]simulator.Entry) []simulator.Entry) {
		w.ledger.Change("", func(es []simulator.Entry) []simulator.Entry {
			last := &es[len(es)-1]
			last.Status, last.LastUpdate = status, at.Add(after)
			return twins(es)
		})
		w.pass(time.Hour)
		if sum, err := w.run(full); err != nil || !sum.Complete() {
			t.Fatalf("%v %v", sum.Reason(), err)
		}
	}
	change("WAITING_CLEARANCE", time.Hour, func(es []simulator.Entry) []simulator.Entry { return es })
	change("REFUNDED", 2*time.Hour, func(es []simulator.Entry) []simulator.Entry { gone = es[0]; return es[1:] })
	change("REFUNDED", 2*time.Hour, func(es []simulator.Entry) []simulator.Entry { return append([]simulator.Entry{gone}, es...) })
	w.equal("main", "")
}

// Two passes over the same time, read at once: one gives a row to a twin, the
// other has counted that row for the other twin. The tail's proof is wrong, and
// because of 3 no later reading mends it.
func TestTwinsReadByTwoPassesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	for i := range 9 { // newer than the twins, in the window
		w.ledger.Add("", entry(fmt.Sprintf("NEWER%d", i), start.Add(-time.Duration(10+i)*time.Minute)))
	}
	for i := range 20 {
		w.ledger.Add("", entry(fmt.Sprintf("OLDER%d", i), start.Add(-time.Duration(2+i)*time.Hour)))
	}
	a := entry("TWO", start.Add(-time.Hour))
	w.ledger.Add("", a)
	w.sync()
	w.pass(20 * time.Minute)
	// Two more in the tail alone: there the twins are 12th and 13th, in the window 10th and 11th.
	w.ledger.Add("", entry("NEWEST1", start.Add(5*time.Minute)), entry("NEWEST2", start.Add(6*time.Minute)))
	twin := a
	w.ledger.Update("", "TWO", func(e *simulator.Entry) { e.Status, e.LastUpdate = "WAITING_CLEARANCE", start })
	w.ledger.Add("", twin)
	status := func() string { return w.query("SELECT bill_status FROM bills WHERE order_no = 'TWO'")[0] }
	tailDone := make(chan struct{})
	done := sync.OnceFunc(func() { close(tailDone) })
	w.server.OnRequest(func(r simulator.Request) {
		tail := r.Query.End.After(start)
		switch {
		case tail && r.Query.Page == 4: // its last page waits for page 1 of the window
			for i := 0; i < 200 && status() != "WAITING_CLEARANCE"; i++ {
				time.Sleep(5 * time.Millisecond)
			}
			done()
		case !tail && r.Query.Page == 1: // which waits until the tail has seen the twins
			stored := "SELECT count(*) FROM pages JOIN passes USING (pass_id) WHERE window_id IS NULL AND state = 'reading' AND page_number = 2"
			for i := 0; i < 200 && w.query(stored)[0] == "0"; i++ {
				time.Sleep(5 * time.Millisecond)
			}
		case !tail && r.Query.Page == 2: // and the window's second for the tail
			<-tailDone
			time.Sleep(100 * time.Millisecond)
		}
	})
	sum, err := w.run(full)
	t.Logf("%v %v: %v", sum.Complete(), err, w.ids("TWO"))
	w.equal("main", "")
}

// A tail whose pass was interrupted is read on for an hour, and then the run
// calls complete what ends an hour ago.
func TestInterruptedTailIsFresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.fill(60, 6)
	w.sync()
	w.pass(time.Hour)
	commits := 0
	_, err := w.runWith(syncer.Options{}, w.client, func() error {
		if commits++; commits == 3 {
			return errCrash
		}
		return nil
	})
	if err == nil {
		t.Fatal("it did not crash")
	}
	w.pass(50 * time.Minute)
	sum := w.sync()
	if behind := w.now().Sub(sum.Accounts[0].Until); behind > 20*time.Minute {
		t.Errorf("complete, but proved up to %v ago", behind)
	}
}

// A run that is asked for some days and proves the newest window leaves out
// what came after that window's end, and calls it complete.
func TestDaysAfterAnInterruptedBackfill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.fill(60, 20)
	commits := 0
	if _, err := w.runWith(syncer.Options{}, w.client, func() error {
		if commits++; commits == 3 { // the newest window's end is set, its first page stored
			return errCrash
		}
		return nil
	}); err == nil {
		t.Fatal("it did not crash")
	}
	w.pass(48 * time.Hour)
	w.ledger.Add("", entry("LATER", start.Add(24*time.Hour)))
	sum, err := w.run(syncer.Options{Scope: syncer.Scope{Span: bill.Span{Start: start.AddDate(0, 0, -10), End: w.now()}}})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Complete() {
		w.equal("main", "")
	}
}

// A newest window that was laid out long ago and never begun leaves a gap
// for a further run.
func TestOldLayoutTakesTwoRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.cfg.WindowDays = 7
	w.fill(20, 20)
	if _, err := w.run(syncer.Options{Scope: syncer.Scope{Retry: true}}); err != nil { // lays out the windows, reads nothing
		t.Fatal(err)
	}
	w.pass(80 * 24 * time.Hour)
	if sum, err := w.run(syncer.Options{}); err != nil || !sum.Complete() {
		t.Errorf("in peace: %s, %v, %+v", sum.Reason(), err, sum.Accounts[0].Open)
	}
	w.sync()
}

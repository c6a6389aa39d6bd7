package syncer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/store"
	"billsync/internal/syncer"
)

// fresh makes sure that a run which calls itself complete has proved everything
// up to two minutes before now, and holds what the provider lists.
func (w *world) fresh() {
	w.t.Helper()
	want := "1|" + w.now().UTC().Add(-2*time.Minute).Format("2006-01-02T15:04:05.000Z")
	if got := w.one("SELECT complete, proved_to FROM coverage"); got != want {
		w.t.Errorf("complete, proved to = %s, want %s", got, want)
	}
	w.equal("main", "")
}

// The first attempt was in vain and is mended days later: what came meanwhile is
// read by the run that mends it.
func TestFirstRunMendedDaysLater(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]simulator.Fault{"refused": result("INVALID_SIGNATURE"), "outage": {Kind: simulator.Drop}} {
		w := newWorld(t, 30)
		w.fill(20, 29)
		w.server.SetFault(func(simulator.Request) simulator.Fault { return fault })
		if sum, err := w.run(syncer.Options{}); err != nil || sum.Complete() {
			t.Fatalf("%s: %v, complete %v", name, err, sum.Complete())
		}
		w.server.SetFault(nil)
		w.pass(3 * 24 * time.Hour)
		w.ledger.Add("", entry("LATER", w.now().Add(-24*time.Hour)))
		w.sync()
		w.fresh()
	}
}

// A run for an old span only, and the rest long after.
func TestSpanFirstRestLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	w.fill(100, 249)
	old := bill.Span{Start: start.AddDate(0, 0, -240), End: start.AddDate(0, 0, -230)}
	if sum, err := w.run(syncer.Options{Scope: syncer.Scope{Span: old}}); err != nil || !sum.Complete() {
		t.Fatalf("%v %s", err, sum.Reason())
	}
	w.pass(90 * 24 * time.Hour)
	w.ledger.Add("", entry("LATER", w.now().Add(-24*time.Hour)))
	w.sync()
	w.fresh()
}

// history_start moves forward and back again: no gap stays behind.
func TestHistoryStartForthAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.fill(20, 49)
	w.sync()
	begin := w.cfg.Accounts[0].HistoryStart
	w.pass(40 * 24 * time.Hour)
	w.ledger.Add("", entry("GAP", w.now().AddDate(0, 0, -20)))
	w.cfg.Accounts[0].HistoryStart = begin.AddDate(0, 0, 80)
	w.sync()
	w.cfg.Accounts[0].HistoryStart = begin
	for range 2 { // the first run may only learn of the gap
		w.pass(time.Hour)
		if _, err := w.run(syncer.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	w.sync()
	w.fresh()
}

// A span inside the tail is read, and --full reads all of the tail.
func TestSpanAndFullReachIntoTheTail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	w.cfg.Refresh = 10 * 24 * time.Hour
	w.fill(100, 99)
	w.sync()
	w.pass(50 * 24 * time.Hour)
	w.ledger.Add("", entry("MID", w.now().AddDate(0, 0, -30)))
	w.sync()
	for i, scope := range []syncer.Scope{
		{Span: bill.Span{Start: w.now().AddDate(0, 0, -33), End: w.now().AddDate(0, 0, -27)}}, {Full: true},
	} {
		w.pass(time.Hour)
		w.ledger.Update("", "MID", func(e *simulator.Entry) {
			e.Status, e.LastUpdate = []string{"PARTIAL_REFUND", "REFUNDED"}[i], w.now()
		})
		if sum, err := w.run(syncer.Options{Scope: scope}); err != nil || !sum.Complete() || sum.Run.Changed != 1 {
			t.Errorf("scope %+v: %v, %d changed, %s; want the one change", scope, err, sum.Run.Changed, sum.Reason())
		}
	}
}

// A numbered bill whose time moves onto another's takes nobody's place.
func TestNumberedBillMovesToAnothersSecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	at := start.AddDate(0, 0, -10)
	a, b := entry("TWO", at), entry("TWO", at.Add(time.Hour))
	a.BillNo, b.BillNo = "B1", "B2"
	w.ledger.Add("", a, b)
	w.sync()
	w.pass(time.Hour)
	w.ledger.Change("", func(e []simulator.Entry) []simulator.Entry {
		for i := range e {
			e[i].TransactionTime, e[i].LastUpdate = at, w.now()
		}
		return e
	})
	if sum, err := w.run(full); err != nil || !sum.Complete() || sum.Run.New != 0 {
		t.Fatalf("%v %s, %d new", err, sum.Reason(), sum.Run.New)
	}
	w.equal("main", "")
	if got := w.query("SELECT bill_no FROM bills ORDER BY bill_no"); !slices.Equal(got, []string{"B1", "B2"}) {
		t.Errorf("stored %v", got)
	}
}

// Cutting the tail into windows takes no proof away.
func TestCuttingTheTailKeepsItsProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	w.fill(20, 19)
	w.sync()
	for range 97 {
		w.pass(24 * time.Hour)
		w.sync()
	}
	before := w.one("SELECT proved_to FROM coverage")
	w.server.SetFault(func(simulator.Request) simulator.Fault { return simulator.Fault{Kind: simulator.Drop} })
	for range 4 { // the cut falls into an outage
		w.pass(24 * time.Hour)
		if _, err := w.run(syncer.Options{}); err != nil {
			t.Fatal(err)
		}
		if got := w.one("SELECT proved_to FROM coverage"); got != before {
			t.Fatalf("proved to %s, before the outage it was %s", got, before)
		}
	}
	if got := w.one("SELECT count(*) FROM windows"); got == "1" {
		t.Fatal("the tail was not cut")
	}
	w.server.SetFault(nil)
	w.sync()
	w.fresh()
}

// While something of a refresh waits, the syncs after it do not begin it anew;
// and the daemon's retries leave failed windows alone.
func TestRefreshDoesNotBeginAnewWhileSomethingWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 200)
	w.cfg.WindowDays = 20
	w.cfg.NextRefresh = func(t time.Time) time.Time { return t.Add(24 * time.Hour) }
	w.fill(200, 199)
	w.sync()
	poisoned := start.AddDate(0, 0, -60)
	w.server.SetFault(func(r simulator.Request) simulator.Fault {
		if !r.Query.Start.After(poisoned) && !r.Query.End.Before(poisoned) {
			return result("UNKNOWN_EXCEPTION")
		}
		return simulator.Fault{}
	})
	w.pass(25 * time.Hour)
	for i := range 5 {
		sum, err := w.run(syncer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && sum.Accounts[0].Proved > 1 {
			t.Errorf("sync %d after the refresh proved %d spans, want the tail alone", i, sum.Accounts[0].Proved)
		}
		w.pass(16 * time.Minute)
	}
}

func TestDueRetriesLeaveFailedWindowsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	w.fill(100, 249)
	poison(w, result("SYSTEM_ERROR"))
	if _, err := w.run(syncer.Options{}); err != nil {
		t.Fatal(err)
	}
	sum, err := w.run(syncer.Options{Scope: syncer.Scope{Retry: true, DueOnly: true}})
	if err != nil || sum.Run.Requests != 0 {
		t.Errorf("%v, %d requests, want none", err, sum.Run.Requests)
	}
}

// The tail is read again while a long run goes on, and a run that has nothing
// else to do ends.
func TestTailIsReadAgainDuringALongRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 300)
	w.cfg.Concurrency = 1
	w.fill(300, 299)
	w.sync()
	w.pass(time.Hour)
	w.server.OnRequest(func(r simulator.Request) {
		if r.Query.Page == 1 {
			w.ledger.Add("", entry("R"+r.Query.Start.Format("0102150405")+r.Query.End.Format("150405"), w.now().Add(-10*time.Minute)))
		}
		w.pass(2 * time.Minute) // each request takes its time
	})
	sum, err := w.run(full)
	if err != nil || !sum.Complete() {
		t.Fatalf("%v %s", err, sum.Reason())
	}
	if got := w.one("SELECT count(*) > 1, max(first_seen_at) > min(first_seen_at) FROM bills WHERE order_no LIKE 'R%'"); got != "1|1" {
		t.Errorf("bills that came during the run were not found by it: %s", got)
	}
}

// failing is a store whose nth transaction fails when it is to be committed.
type failing struct {
	*store.Store
	n *int
}

var errDiskFull = errors.New("the disk is full")

func (s failing) Update(ctx context.Context, fn func(syncer.Tx) error) error {
	return s.Store.Update(ctx, func(t *store.Tx) error {
		if err := fn(t); err != nil {
			return err
		}
		if *s.n--; *s.n == 0 {
			return errDiskFull
		}
		return nil
	})
}

// What was rolled back is neither counted nor called proved.
func TestRolledBackIsNotCounted(t *testing.T) {
	t.Parallel()
	for n := 2; ; n++ {
		w := newWorld(t, 50)
		w.fill(45, 49)
		w.sync() // the account and its windows are there
		w.ledger.Change("", func(entries []simulator.Entry) []simulator.Entry {
			for i := range entries {
				entries[i].Status, entries[i].LastUpdate = "REFUNDED", w.now()
			}
			return entries
		})
		w.pass(time.Minute)
		st := w.open()
		left := n
		sum, err := syncer.New(w.cfg, w.client, failing{st, &left}, nop, w.now).Run(w.ctx, full)
		_ = st.Close()
		if err == nil {
			return // it ended before the nth transaction
		}
		if !errors.Is(err, errDiskFull) {
			t.Fatal(err)
		}
		changed := w.one("SELECT count(*) FROM bills WHERE bill_status = 'REFUNDED'")
		if got := fmt.Sprint(sum.Run.Changed); got != changed {
			t.Errorf("transaction %d fails: %s changes counted, %s stored", n, got, changed)
		}
		if got := w.one("SELECT bills_changed FROM runs ORDER BY run_id DESC LIMIT 1"); got != changed {
			t.Errorf("transaction %d fails: %s changes in runs, %s stored", n, got, changed)
		}
		proved := w.one("SELECT (SELECT count(*) FROM windows WHERE reread_at IS NULL) + (SELECT count(*) FROM tails WHERE proved_at IS NOT NULL)")
		if got := fmt.Sprint(sum.Accounts[0].Proved); got != proved {
			t.Errorf("transaction %d fails: %s windows are called proved, %s are", n, got, proved)
		}
		w.close()
	}
}

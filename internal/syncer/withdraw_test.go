package syncer_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"billsync/internal/simulator"
	"billsync/internal/syncer"
)

// again does a run that reads all history again and must end complete.
func (w *world) again() syncer.Summary {
	w.t.Helper()
	w.pass(time.Minute)
	sum, err := w.run(full)
	if err != nil {
		w.t.Fatal(err)
	}
	if !sum.Complete() {
		w.t.Fatalf("not complete: %s", sum.Reason())
	}
	return sum
}

// A bill that the API lists no longer is marked, kept and counted; when it is
// listed again the mark goes. Every state stays readable.
func TestWithdrawalAndReturn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60)
	w.fill(30, 59)
	w.sync()
	gone := w.ledger.Take("", "O000010")
	sum := w.again()
	if sum.Run.Withdrawn != 1 || sum.Run.Changed != 0 || sum.Accounts[0].Withdrawn != 1 {
		t.Errorf("run: %d withdrawn, %d changed, want 1 and 0", sum.Run.Withdrawn, sum.Run.Changed)
	}
	w.equal("main", "")
	if got := w.one("SELECT count(*), sum(withdrawn_at IS NOT NULL) FROM bills"); got != "30|1" {
		t.Errorf("bills and withdrawn ones: %s, want 30|1", got)
	}
	if got := w.one("SELECT bills_withdrawn, bills_returned FROM runs ORDER BY run_id DESC LIMIT 1"); got != "1|0" {
		t.Errorf("runs: %s, want 1|0", got)
	}
	if sum := w.again(); sum.Run.Withdrawn != 0 {
		t.Errorf("it was withdrawn again")
	}
	w.ledger.Add("", gone...)
	sum = w.again()
	if sum.Run.Returned != 1 || sum.Run.New != 0 || sum.Run.Changed != 0 {
		t.Errorf("run: %d returned, %d new, %d changed, want 1, 0, 0", sum.Run.Returned, sum.Run.New, sum.Run.Changed)
	}
	w.equal("main", "")
	got := w.query("SELECT withdrawn_at IS NOT NULL, valid_to IS NULL FROM bill_history WHERE order_no = 'O000010' ORDER BY valid_from")
	if fmt.Sprint(got) != "[0|0 1|0 0|1]" {
		t.Errorf("states: %v", got)
	}
}

// A stored bill is not withdrawn because of the ends of a span, whichever of
// them the API counts in.
func TestEndsWithdrawNothing(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]func(*simulator.Options){
		"inclusive": func(o *simulator.Options) {},
		"exclusive": func(o *simulator.Options) { o.ExcludeStart, o.ExcludeEnd = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 250, o)
			w.cfg.WindowDays = 50
			for day := 1; day < 250; day++ {
				if day%49 < 3 || day%49 > 8 { // the windows' ends are not far from the fifth
					continue
				}
				midnight := time.Date(2026, 5, 20-day, 0, 0, 0, 0, shanghai)
				for i, d := range []time.Duration{-time.Second, -400 * time.Millisecond, 0, 300 * time.Millisecond, time.Second} {
					w.ledger.Add("", entry(fmt.Sprintf("E%03d-%d", day, i), midnight.Add(d)))
				}
			}
			w.sync()
			for range 2 {
				if sum := w.again(); sum.Run.Withdrawn != 0 || sum.Run.Changed != 0 {
					t.Fatalf("%d withdrawn, %d changed although nothing happened", sum.Run.Withdrawn, sum.Run.Changed)
				}
			}
			w.equal("main", "")
			// And each of them is withdrawn where it is gone.
			for i := range 5 {
				w.ledger.Remove("", fmt.Sprintf("E054-%d", i))
			}
			if sum := w.again(); sum.Run.Withdrawn != 5 {
				t.Errorf("%d withdrawn, want 5", sum.Run.Withdrawn)
			}
			w.equal("main", "")
		})
	}
}

// Of twins the one that is gone is withdrawn, and not another in turn.
func TestWithdrawnTwinStaysWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.fill(15, 49)
	at := start.AddDate(0, 0, -20)
	w.ledger.Add("", entry("TWIN", at), entry("TWIN", at), entry("TWIN", at))
	w.sync()
	left := 3
	w.ledger.Change("", func(entries []simulator.Entry) []simulator.Entry {
		var out []simulator.Entry
		for _, e := range entries {
			if e.OrderNo == "TWIN" && left > 1 {
				left--
				continue
			}
			out = append(out, e)
		}
		return out
	})
	for i, want := range []int{2, 0, 0} {
		if sum := w.again(); sum.Run.Withdrawn != want || sum.Run.Returned != 0 {
			t.Errorf("re-read %d: %d withdrawn, %d returned, want %d and 0", i, sum.Run.Withdrawn, sum.Run.Returned, want)
		}
		w.equal("main", "")
	}
	w.ledger.Add("", entry("TWIN", at))
	if sum := w.again(); sum.Run.Returned != 1 || sum.Run.New != 0 {
		t.Errorf("%d returned, %d new, want 1 and 0", sum.Run.Returned, sum.Run.New)
	}
	w.equal("main", "")
}

// A bill that two readings miss at the same time, the newest window's and the
// tail's, is withdrawn once: one earlier state, and counted as one.
func TestWithdrawnOnceByTwoReadings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.fill(45, 49)
	w.sync()
	gone := w.ledger.Take("", "O000003")
	// Both ask for its order; neither gets its answer before the other has asked.
	var asked sync.WaitGroup
	asked.Add(2)
	var lookups atomic.Int32
	w.server.OnRequest(func(r simulator.Request) {
		if r.Query.OrderNo == "O000003" && lookups.Add(1) <= 2 {
			asked.Done()
			asked.Wait()
		}
	})
	if sum := w.again(); sum.Run.Withdrawn != 1 || sum.Accounts[0].Withdrawn != 1 {
		t.Errorf("%d withdrawn, want 1", sum.Run.Withdrawn)
	}
	if n := lookups.Load(); n != 2 {
		t.Errorf("the order was asked for %d times, want 2", n)
	}
	w.ledger.Add("", gone...)
	if sum := w.again(); sum.Run.Returned != 1 {
		t.Errorf("%d returned, want 1", sum.Run.Returned)
	}
	got := w.query("SELECT withdrawn_at IS NOT NULL, valid_to IS NULL FROM bill_history WHERE order_no = 'O000003' ORDER BY valid_from, valid_to IS NULL")
	if fmt.Sprint(got) != "[0|0 1|0 0|1]" {
		t.Errorf("states: %v", got)
	}
}

// A bill that slipped past a pass is asked for and not withdrawn.
func TestSlippedBillIsNotWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.cfg.Concurrency = 1
	w.fill(45, 49)
	w.sync()
	var once sync.Once
	w.server.OnRequest(func(r simulator.Request) {
		if r.Query.Page == 3 && r.Query.OrderNo == "" && r.Query.Start.Before(start.AddDate(0, 0, -40)) {
			once.Do(func() { // a bill of page 1 goes, one at the end comes: the count stands still
				w.ledger.Remove("", "O000000")
				w.ledger.Add("", entry("LAST", start.AddDate(0, 0, -49)))
			})
		}
	})
	w.again()
	w.again()
	w.equal("main", "")
	if got := w.one("SELECT count(*) FROM bills WHERE withdrawn_at IS NOT NULL"); got != "1" {
		t.Errorf("%s bills withdrawn, want 1", got)
	}
	if got := w.one("SELECT count(*) FROM bill_states WHERE withdrawn_at IS NOT NULL"); got != "0" {
		t.Errorf("a bill was withdrawn in passing")
	}
}

// Too many bills at once are not withdrawn: the window waits for a person. The
// runs between do not ask for it, and a person's word lets it go on.
func TestMassWithdrawalNeedsAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	w.fill(250, 249)
	w.sync()
	var taken []simulator.Entry
	for i := 120; i < 145; i++ { // 25 bills of the window in the middle
		taken = append(taken, w.ledger.Take("", fmt.Sprintf("O%06d", i))...)
	}
	w.pass(time.Minute)
	sum, err := w.run(full)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Complete() || sum.Run.Withdrawn != 0 || len(sum.Accounts[0].Open) != 1 {
		t.Fatalf("complete %v, %d withdrawn, open: %v", sum.Complete(), sum.Run.Withdrawn, sum.Accounts[0].Open)
	}
	id := w.one("SELECT window_id FROM windows WHERE state = 'waiting' AND missing = 25 AND proved_at IS NULL")
	if why := sum.Accounts[0].Open[0].Why; !strings.Contains(why, "25 of ") || !strings.Contains(why, "syncer accept window:"+id) {
		t.Errorf("it says %q", why)
	}
	w.pass(time.Hour)
	before := w.client.Requests()
	if sum, err = w.run(syncer.Options{}); err != nil || sum.Complete() {
		t.Fatalf("complete %v, err %v", sum.Complete(), err)
	}
	if n := w.client.Requests() - before; n > 2 {
		t.Errorf("%d requests although only the tail is due", n)
	}

	t.Run("the bills come back", func(t *testing.T) {
		w.ledger.Add("", taken...)
		if sum := w.again(); sum.Run.Returned+sum.Run.Withdrawn+sum.Run.Changed != 0 {
			t.Errorf("something changed: %+v", sum.Run)
		}
		w.equal("main", "")
	})
	for i := 120; i < 145; i++ {
		w.ledger.Remove("", fmt.Sprintf("O%06d", i))
	}
	w.pass(time.Minute)
	if sum, err = w.run(full); err != nil || sum.Complete() {
		t.Fatalf("complete %v, err %v", sum.Complete(), err)
	}
	w.accept("window:"+id, "the merchant cancelled them all")
	w.pass(time.Minute)
	before = w.client.Requests()
	sum = w.sync()
	if sum.Run.Withdrawn != 25 {
		t.Errorf("%d withdrawn, want 25", sum.Run.Withdrawn)
	}
	if n := w.client.Requests() - before; n > 14 {
		t.Errorf("%d requests to read a window of ten pages and the tail", n)
	}
	w.equal("main", "")
}

// A grant that lapsed answers S with nothing. Where few bills are known they
// are marked, and the run says that it found nothing; when the grant is back so
// are they.
func TestLapsedGrantIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.fill(100, 49)
	w.sync()
	w.server.SetFault(func(simulator.Request) simulator.Fault { return simulator.Fault{Kind: simulator.EmptyList} })
	w.pass(time.Hour)
	sum, err := w.run(syncer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if q := sum.Accounts[0].Quiet; !strings.Contains(q, "lists nothing") {
		t.Errorf("the run says %q", q)
	}
	w.server.SetFault(nil)
	w.again()
	w.equal("main", "")
}

// A run after which nothing has come for far longer than ever says so.
func TestUnusualQuietIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60)
	w.fill(120, 59) // one every half day
	if q := w.sync().Accounts[0].Quiet; q != "" {
		t.Errorf("said without a reason: %q", q)
	}
	w.pass(24 * time.Hour)
	if q := w.sync().Accounts[0].Quiet; q != "" {
		t.Errorf("said after a day: %q", q)
	}
	w.pass(48 * time.Hour)
	if q := w.sync().Accounts[0].Quiet; !strings.Contains(q, "nothing new since") {
		t.Errorf("after three days it says %q", q)
	}
}

// Should the API list bills by the time of their last change, a bill whose
// change lies outside its window is not taken for withdrawn.
func TestListByChangeWithdrawsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	for i := range 120 {
		e := entry(fmt.Sprintf("U%03d", i), start.AddDate(0, 0, -2*i-1))
		if i%3 == 0 { // changed 110 days later, or yesterday
			e.LastUpdate = e.TransactionTime.AddDate(0, 0, 110)
			if e.LastUpdate.After(start) {
				e.LastUpdate = start.AddDate(0, 0, -1)
			}
		}
		e.Time = e.LastUpdate
		w.ledger.Add("", e)
	}
	w.sync()
	for range 2 {
		if sum := w.again(); sum.Run.Withdrawn != 0 {
			t.Fatalf("%d withdrawn", sum.Run.Withdrawn)
		}
	}
	w.equal("main", "")
}

// A bill whose item can no longer be read is still listed.
func TestUnreadableItemIsNotWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.fill(20, 49)
	w.sync()
	w.ledger.SetRaw("", "O000007", []byte(`{"orderNo":"O000007","transactionTime":"soon"}`))
	w.pass(time.Minute)
	sum, err := w.run(full)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Run.Withdrawn != 0 || sum.Accounts[0].Rejected != 1 {
		t.Errorf("%d withdrawn, %d not understood, want 0 and 1", sum.Run.Withdrawn, sum.Accounts[0].Rejected)
	}
}

// Killed at every request and after every commit of a re-read that finds bills
// gone, come back, changed and twinned, it ends like one that was not disturbed.
func TestInterruptedWithdrawal(t *testing.T) {
	t.Parallel()
	prepare := func() *world {
		w := newWorld(t, 50)
		w.cfg.Concurrency = 1
		w.fill(40, 49)
		at := start.AddDate(0, 0, -20)
		w.ledger.Add("", entry("TWIN", at), entry("TWIN", at))
		w.ledger.Add("", entry("GONE", at.Add(time.Hour)))
		w.sync()
		gone := w.ledger.Take("", "GONE")
		w.again()
		w.ledger.Add("", gone...)
		w.ledger.Remove("", "O000003")
		w.ledger.Remove("", "O000030")
		w.ledger.Update("", "O000020", func(e *simulator.Entry) { e.Status, e.LastUpdate = "REFUNDED", w.now() })
		w.ledger.Add("", entry("TWIN", at))
		w.pass(time.Minute)
		return w
	}
	state := func(w *world) string {
		return strings.Join(w.query(`SELECT order_no, ordinal, bill_status, withdrawn_at IS NOT NULL,
			(SELECT count(*) FROM bill_states s WHERE s.bill_id = b.bill_id) FROM bills b ORDER BY 1, 2`), "\n")
	}
	w := prepare()
	w.again()
	want := state(w)
	w.close()
	for n := 1; ; n++ {
		w := prepare()
		commits := 0
		crash := func() error {
			if commits++; commits == n {
				return errCrash
			}
			return nil
		}
		_, err := w.runWith(full, w.client, crash)
		if err == nil {
			break // it ended before the nth commit
		}
		w.again()
		if got := state(w); got != want {
			t.Fatalf("killed after commit %d it ends otherwise:\n%s\nwant\n%s", n, got, want)
		}
		w.equal("main", "")
		w.close()
	}
}

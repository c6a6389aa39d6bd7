package syncer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/syncer"
)

// plain does a run as the schedule does it, complete or not.
func (w *world) plain() syncer.Summary {
	w.t.Helper()
	sum, err := w.run(syncer.Options{})
	if err != nil {
		w.t.Fatalf("sync: %v", err)
	}
	return sum
}

// partial does a run that must end incomplete for a reason that contains why.
func (w *world) partial(o syncer.Options, why string) syncer.Summary {
	w.t.Helper()
	sum, err := w.run(o)
	if err != nil {
		w.t.Fatalf("run %+v: %v", o, err)
	}
	if sum.Complete() || !strings.Contains(sum.Reason(), why) {
		w.t.Fatalf("run %+v: complete %v, reason %q; want incomplete, %q", o, sum.Complete(), sum.Reason(), why)
	}
	return sum
}

// faulty has the provider answer the matching requests with a fault, until
// w.server.SetFault(nil), and counts them.
func (w *world) faulty(f simulator.Fault, match func(q bill.Query) bool) *atomic.Int32 {
	asked := new(atomic.Int32)
	w.server.SetFault(func(r simulator.Request) simulator.Fault {
		if !match(r.Query) {
			return simulator.Fault{}
		}
		asked.Add(1)
		return f
	})
	return asked
}

// status fails the test unless an order has one bill, of a given status.
func (w *world) status(order, want string) {
	w.t.Helper()
	if got := w.one("SELECT bill_status FROM bills WHERE order_no = ?", order); got != want {
		w.t.Errorf("order %s is stored as %s, want %s", order, got, want)
	}
}

// grown makes a world whose tail is 70 days long, with a number of bills a day
// (T00-0, T00-1, ..., T69-0), all proved. Refreshes read that many days in full.
func grown(t *testing.T, refreshDays, perDay int) *world {
	t.Helper()
	w := newWorld(t, 20)
	w.cfg.Refresh, w.cfg.Audit = time.Duration(refreshDays)*24*time.Hour, 0
	w.fill(10, 19)
	w.sync()
	for day := range 70 {
		w.pass(24 * time.Hour)
		for i := range perDay {
			w.ledger.Add("", entry(fmt.Sprintf("T%02d-%d", day, i), w.now().Add(-time.Hour-time.Duration(i)*time.Minute)))
		}
		if day%5 == 0 {
			w.sync()
		}
	}
	w.sync()
	w.refresh()
	return w
}

// chasesTail reports whether a request counts or lists the bills of a grown
// tail by their status.
func chasesTail(q bill.Query) bool {
	return len(q.Statuses) > 0 && q.End.After(start.AddDate(0, 0, 20))
}

// A proved window whose reading again is refused is asked for once: the syncs
// after it leave it alone but say that it is to be read again.
func TestRefusedRereadIsAskedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60)
	w.cfg.PageSize = 100
	w.fill(30, 59)
	w.sync()
	w.pass(24 * time.Hour)
	asked := w.faulty(result("SYSTEM_ERROR"), func(q bill.Query) bool { return q.Start.Before(start.AddDate(0, 0, -50)) })
	w.partial(refresh, "1 window to be read again")
	for range 5 {
		w.pass(15 * time.Minute)
		w.partial(syncer.Options{}, "1 window to be read again")
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("a refused window was asked for %d times, want 1", n)
	}
	w.server.SetFault(nil)
	w.refresh() // the next one asks anew
}

// A window that failed, and was accepted, keeps no refresh from its turn.
func TestAcceptedWindowDoesNotStopRefreshes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.cfg.PageSize = 100
	w.cfg.NextRefresh = func(t time.Time) time.Time { return t.Add(24 * time.Hour) }
	w.fill(400, 399)
	w.faulty(result("SYSTEM_ERROR"), func(q bill.Query) bool { return q.Start.Before(start.AddDate(0, 0, -390)) })
	w.partial(syncer.Options{}, "1 window failed")
	w.pass(48 * time.Hour)
	if sum := w.partial(syncer.Options{}, "1 window failed"); !sum.Accounts[0].Refresh {
		t.Error("no refresh two days after the first run, with a failed window; want one")
	}
	w.accept("window:"+w.one("SELECT window_id FROM windows WHERE state <> 'done'"), "ok")
	w.set("O000030", "REFUNDED")
	for day := range 5 {
		w.pass(24 * time.Hour)
		if sum := w.sync(); !sum.Accounts[0].Refresh {
			t.Errorf("no refresh on day %d after the window was accepted, want one a day", day)
		}
	}
	w.status("O000030", "REFUNDED")
}

// A request of a chase that got no answer, or an unknown outcome, is made again
// by a sync when its time has come.
func TestWaitingChaseIsAskedAgain(t *testing.T) {
	t.Parallel()
	target := start.AddDate(0, 0, -1000)
	for name, tt := range map[string]struct {
		world func(*testing.T) *world
		order string
		fault simulator.Fault
		match func(bill.Query) bool
	}{
		"no answer about a window": {
			func(t *testing.T) *world { return old(t) }, "O001800", simulator.Fault{Kind: simulator.HTTP},
			func(q bill.Query) bool {
				return len(q.Statuses) > 0 && q.Start.Before(target) && q.End.After(target)
			},
		},
		"unknown outcome for the tail": {
			func(t *testing.T) *world { return grown(t, 10, 1) }, "T30-0", result("UNKNOWN_EXCEPTION"), chasesTail,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := tt.world(t)
			w.set(tt.order, "REFUNDED")
			asked := w.faulty(tt.fault, tt.match)
			w.pass(time.Minute)
			w.partial(refresh, "1 window waiting")
			if asked.Load() == 0 {
				t.Fatal("the chase was not asked for at all")
			}
			w.server.SetFault(nil)
			w.pass(15 * time.Minute)
			w.sync()
			w.equal("main", "")
			if got := w.query("SELECT window_id, state FROM chases WHERE state <> 'done'"); len(got) != 0 {
				t.Errorf("chases left over: %v, want none", got)
			}
		})
	}
}

// A chase of the tail that failed can be accepted, and the runs after it are
// complete.
func TestFailedChaseOfTheTailCanBeAccepted(t *testing.T) {
	t.Parallel()
	w := grown(t, 10, 1)
	w.faulty(result("SYSTEM_ERROR"), chasesTail)
	w.pass(time.Minute)
	w.partial(refresh, "1 window failed")
	w.accept("tail:main", "known")
	w.pass(15 * time.Minute)
	w.sync()
}

// A tail that lacks no bills cannot be accepted, because every sync asks for it
// again: the runs stay incomplete while nothing new can be read.
func TestFailedTailCannotBeAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.fill(30, 29)
	w.sync()
	w.pass(24 * time.Hour)
	asked := w.faulty(result("SYSTEM_ERROR"), func(q bill.Query) bool { return q.End.After(start) })
	w.partial(syncer.Options{}, "1 window failed")
	st := w.open()
	defer st.Close()
	if a, err := st.Accept(t.Context(), "tail:main", "known", w.now()); err == nil {
		t.Errorf("Accept(tail:main) = %+v, nil; want an error", a)
	}
	for day := range 30 {
		w.pass(24 * time.Hour)
		w.ledger.Add("", entry(fmt.Sprintf("T%02d", day), w.now().Add(-time.Hour)))
		n := asked.Load()
		w.partial(syncer.Options{}, "failed")
		if asked.Load() == n {
			t.Fatalf("the sync of day %d did not ask for the tail", day)
		}
	}
	w.server.SetFault(nil)
	w.pass(24 * time.Hour)
	w.sync()
	w.equal("main", "")
}

// Where a chase finds a change while the newer part of the tail is being read,
// the refresh still reads all of the tail before it is complete.
func TestChangeInTheTailIsReadByTheSameRefresh(t *testing.T) {
	t.Parallel()
	w := grown(t, 60, 12)
	w.set("T05-3", "CHARGED_BACK")
	w.refresh()
	w.status("T05-3", "CHARGED_BACK")
	w.equal("main", "")
}

// A tail that is to be read from its beginning, and has to wait, is read from
// its beginning by the sync that makes up for it.
func TestWholeTailIsReadAfterWaiting(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*simulator.Entry)
		o      syncer.Options
		column string
		want   string
	}{
		"found by a chase": {
			func(e *simulator.Entry) { e.Status, e.LastUpdate = "CHARGED_BACK", e.LastUpdate.Add(time.Hour) },
			refresh, "bill_status", "CHARGED_BACK",
		},
		"asked for by a person": {
			func(e *simulator.Entry) { e.MerchantName = "RENAMED" }, full, "merchant_name", "RENAMED",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := grown(t, 10, 1)
			asked := w.faulty(result("UNKNOWN_EXCEPTION"), func(q bill.Query) bool {
				return len(q.Statuses) == 0 && q.PageSize == 10 && q.OrderNo == "" &&
					q.Start.Before(start.AddDate(0, 0, 10)) && q.End.After(start.AddDate(0, 0, 20))
			})
			w.ledger.Update("", "T30-0", tt.change)
			w.pass(time.Minute)
			w.partial(tt.o, "1 window waiting")
			if asked.Load() == 0 {
				t.Fatal("the tail was not asked for from its beginning")
			}
			w.server.SetFault(nil)
			w.pass(15 * time.Minute)
			w.sync()
			if got := w.one("SELECT " + tt.column + " FROM bills WHERE order_no = 'T30-0'"); got != tt.want {
				t.Errorf("a complete run left %s as %s, want %s", tt.column, got, tt.want)
			}
		})
	}
}

// An item of a long tail that could not be understood, and now can, is read by
// the next refresh, however far back it is.
func TestItemOfALongTailBecomesReadable(t *testing.T) {
	t.Parallel()
	w := grown(t, 30, 1)
	at := w.now().AddDate(0, 0, -20)
	w.ledger.Add("", simulator.Entry{Time: at, Raw: []byte(`{"orderNo":17,"billStatus":"SUCCESS"}`)})
	w.pass(time.Minute)
	w.partial(refresh, "1 not understood")
	w.ledger.Change("", func(es []simulator.Entry) []simulator.Entry {
		for i := range es {
			if es[i].Raw != nil {
				es[i] = entry("FIXED", at)
			}
		}
		return es
	})
	w.pass(20 * 24 * time.Hour) // by now it is older than what a refresh reads in full
	w.refresh()
	w.status("FIXED", "SUCCESS")
	w.equal("main", "")
	if got := w.query("SELECT rejected_id FROM rejected_items WHERE resolved_at IS NULL"); len(got) != 0 {
		t.Errorf("items still not understood: %v, want none", got)
	}
}

// A part of the tail becomes a window of its own while the chase of the tail
// waits: what the chase was to find is found, and nothing goes on waiting.
func TestTailIsCutWhileItsChaseWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	w.cfg.Refresh, w.cfg.Audit = 10*24*time.Hour, 0
	w.fill(10, 19)
	w.ledger.Add("", entry("TAIL", start.AddDate(0, 0, 30)))
	w.sync()
	for range 19 {
		w.pass(5 * 24 * time.Hour)
		w.sync()
	}
	for range 3 {
		w.pass(24 * time.Hour)
		w.refresh()
	}
	w.set("TAIL", "REFUNDED")
	asked := w.faulty(result("UNKNOWN_EXCEPTION"), chasesTail)
	w.pass(time.Minute)
	w.partial(refresh, "1 window waiting")
	if asked.Load() == 0 {
		t.Fatal("the tail was not chased")
	}
	w.server.SetFault(nil)
	before := w.one("SELECT covered_from FROM tails")
	w.pass(24 * time.Hour)
	w.sync()
	if after := w.one("SELECT covered_from FROM tails"); after <= before {
		t.Fatalf("the tail begins at %s, before at %s; want it cut", after, before)
	}
	w.equal("main", "")
	if got := w.query("SELECT window_id, state FROM chases WHERE state <> 'done'"); len(got) != 0 {
		t.Errorf("chases left over: %v, want none", got)
	}
	if sum, err := w.run(syncer.Options{Scope: syncer.Scope{Retry: true}}); err != nil || !sum.Complete() {
		t.Errorf("retry after a complete run: %v, %s; want complete", err, sum.Reason())
	}
}

// A difference that a chase counted is not forgotten when reading the window is
// refused: no run is complete until it was read.
func TestCountedDifferenceIsNotForgotten(t *testing.T) {
	t.Parallel()
	w := old(t)
	w.set("O001800", "CHARGED_BACK")
	asked := w.faulty(result("SYSTEM_ERROR"), func(q bill.Query) bool {
		return q.PageSize == 100 && len(q.Statuses) == 0 && q.Start.Before(start.AddDate(0, 0, -900))
	})
	w.pass(time.Minute)
	w.partial(refresh, "1 window to be read again")
	w.pass(15 * time.Minute)
	w.partial(syncer.Options{}, "1 window to be read again")
	if n := asked.Load(); n != 1 {
		t.Errorf("a refused window was asked for %d times, want 1", n)
	}
	if got := w.one("SELECT complete FROM coverage"); got != "0" {
		t.Errorf("coverage.complete = %s while a difference is known, want 0", got)
	}
	retry := syncer.Options{Scope: syncer.Scope{Retry: true}}
	w.partial(retry, "1 window to be read again")
	if n := asked.Load(); n != 2 {
		t.Errorf("a retry asked for the window %d times, want 1", n-1)
	}
	w.server.SetFault(nil)
	if sum, err := w.run(retry); err != nil || !sum.Complete() {
		t.Errorf("retry once the API is well: %v, %s; want complete", err, sum.Reason())
	}
	w.status("O001800", "CHARGED_BACK")
	w.equal("main", "")
}

// A status that the API refuses to filter by keeps no change from being found.
func TestChaseWithARefusedStatus(t *testing.T) {
	t.Parallel()
	w := old(t)
	w.set("O001800", "PARTIAL_REFUND")
	asked := w.faulty(result("PARAM_ILLEGAL"), func(q bill.Query) bool { return slices.Contains(q.Statuses, "WAITING_DEDUCT") })
	w.refresh()
	if asked.Load() == 0 {
		t.Error("the status was not asked for")
	}
	w.status("O001800", "PARTIAL_REFUND")
	w.equal("main", "")
}

// Should the API list bills by the time of their last change, a refresh finds
// what changed, withdraws nothing and asks no more for it.
func TestListByChangeIsRefreshed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 800)
	w.cfg.PageSize, w.cfg.Audit = 100, 0
	for i := range 400 {
		e := entry(fmt.Sprintf("U%03d", i), start.AddDate(0, 0, -2*i).Add(-3*time.Hour))
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
	for n := range 5 {
		w.pass(24 * time.Hour)
		w.ledger.Update("", fmt.Sprintf("U%03d", 300+10*n+1), func(e *simulator.Entry) {
			e.Status, e.LastUpdate, e.Time = "REFUNDED", w.now().Add(-time.Hour), w.now().Add(-time.Hour)
		})
		before := w.client.Requests()
		if sum := w.refresh(); sum.Run.Changed != 1 || sum.Run.Withdrawn != 0 {
			t.Errorf("refresh %d: %d changed, %d withdrawn, want 1 and 0", n, sum.Run.Changed, sum.Run.Withdrawn)
		}
		if got := w.client.Requests() - before; got > 90 {
			t.Errorf("refresh %d: %d requests, want at most 90", n, got)
		}
		w.equal("main", "")
	}
}

// A run over a span, while a refresh is under way, asks for its span alone and
// leaves the refresh to the next sync.
func TestSpanLeavesTheRefreshUnderWay(t *testing.T) {
	t.Parallel()
	w := old(t)
	w.set("O001800", "REFUNDED")
	commits := 0
	w.pass(time.Minute)
	_, err := w.runWith(refresh, w.client, func() error {
		if commits++; commits == 20 {
			return errCrash
		}
		return nil
	})
	if !errors.Is(err, errCrash) {
		t.Fatalf("the refresh ended with %v, want %v", err, errCrash)
	}
	w.settle() // what was on its way when the refresh was killed
	span := bill.Span{Start: start.AddDate(0, 0, -600), End: start.AddDate(0, 0, -590)}
	for _, s := range w.spans(syncer.Options{Scope: syncer.Scope{Span: span}}) {
		if s.Start.After(span.End) || s.End.Before(span.Start) {
			t.Errorf("a run over %v asked for %v", span, s)
		}
	}
	if got := w.one("SELECT refresh_wanted_at IS NOT NULL FROM accounts"); got != "1" {
		t.Error("the refresh is over after a run over a span, want it under way")
	}
	w.sync()
	w.status("O001800", "REFUNDED")
	if got := w.one("SELECT refresh_wanted_at FROM accounts"); got != "<nil>" {
		t.Errorf("a refresh is still wanted since %s after the next sync", got)
	}
}

// history_start moves into the middle of the tail, and back to before it was:
// every run is complete, and what lies between is read.
func TestHistoryStartInsideTheTail(t *testing.T) {
	t.Parallel()
	w := grown(t, 10, 1)
	begin := func(days int) {
		y, m, d := start.AddDate(0, 0, days).Date()
		w.cfg.Accounts[0].HistoryStart = time.Date(y, m, d, 0, 0, 0, 0, shanghai)
	}
	begin(30)
	w.refresh()
	w.again()
	w.ledger.Add("", entry("EARLY", start.AddDate(0, 0, -40)))
	begin(-50)
	w.refresh()
	w.status("EARLY", "SUCCESS")
	w.equal("main", "")
}

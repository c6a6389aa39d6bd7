package syncer_test

import (
	"slices"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/syncer"
)

// first one is again what the list says, although that is older.
func TestNotificationTakenForAnotherBill(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"", "B2"} {
		w := newWorld(t, 30)
		w.cfg.PageSize = 3
		w.fill(9, 20)
		first := entry("A", start.Add(-48*time.Hour))
		first.BillNo = "B1"
		w.ledger.Add("", first)
		w.sync()
		second := later(first, "REFUNDED", time.Hour)
		second.BillNo = ""
		wantReceipt(t, "a bill like it", w.notify("main", second), bill.Placed)
		second.BillNo = number
		w.ledger.Add("", second)
		w.pass(time.Hour)
		w.sync()
		w.equal("main", "")
		if got, want := w.query("SELECT coalesce(bill_no, ''), bill_status FROM bills WHERE order_no = 'A' ORDER BY bill_id"),
			[]string{"B1|SUCCESS", number + "|REFUNDED"}; !slices.Equal(got, want) {
			t.Errorf("stored: %v, want %v", got, want)
		}
	}
}

// list was read a day later, it does not matter any more.
func TestInboxIsToldByTheList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.fill(5, 20)
	at := start.Add(-48 * time.Hour)
	one, two := entry("A", at), entry("A", at)
	w.ledger.Add("", one, two)
	w.sync()
	w.notify("main", later(two, "PARTIAL_REFUND", time.Hour))
	refunded := later(two, "REFUNDED", 2*time.Hour) // the state before was never listed
	w.ledger.Change("", func(es []simulator.Entry) []simulator.Entry {
		es[slices.IndexFunc(es, func(x simulator.Entry) bool { return x.OrderNo == "A" })] = refunded
		return es
	})
	for _, tt := range []struct {
		wait    time.Duration
		read    bool
		settled int
	}{{time.Hour, true, 0}, {22 * time.Hour, true, 0}, {2 * time.Hour, false, 0}, {0, true, 1}} {
		w.pass(tt.wait)
		if tt.read {
			w.sync()
		}
		if n := w.settleInbox(); n != tt.settled {
			t.Errorf("%s later, read %t: %d settled, want %d", tt.wait, tt.read, n, tt.settled)
		}
	}
	w.equal("main", "")
}

// lapsed.
func TestNotifiedBillsAreNoLapse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.fill(5, 20)
	w.sync()
	w.notify("main", entry("GHOST1", start.AddDate(0, 0, -390)))
	w.notify("main", entry("GHOST2", start.AddDate(0, 0, -250)))
	w.pass(25 * time.Hour)
	sum, err := w.run(syncer.Options{Scope: syncer.Scope{Full: true}})
	if err != nil || !sum.Complete() {
		t.Errorf("complete %t, %v: %s", sum.Complete(), err, sum.Reason())
	}
	if got := w.query("SELECT order_no FROM bills WHERE order_no LIKE 'GHOST%' AND withdrawn_at IS NOT NULL ORDER BY 1"); !slices.Equal(got, []string{"GHOST1", "GHOST2"}) {
		t.Errorf("withdrawn: %v, want both", got)
	}
}

// list until the clock has caught up.
func TestNotificationBeforeTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.fill(5, 20)
	e := entry("A", start.Add(-48*time.Hour))
	e.LastUpdate = time.Time{}
	w.ledger.Add("", e)
	w.sync()
	e.Status = "WAITING_CLEARANCE"
	w.pass(time.Hour)
	wantReceipt(t, "what was true then", w.notify("main", e), bill.Placed)
	w.ledger.Update("", "A", func(e *simulator.Entry) { e.Status = "REFUNDED" })
	w.pass(-30 * time.Minute)
	w.sync()
	w.equal("main", "")
}

// may be of one that has changed since, or that is gone.
func TestNotificationOfABillThatIsGone(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{true, false} {
		w := newWorld(t, 30)
		w.fill(9, 20)
		one := entry("A", start.Add(-48*time.Hour))
		two := later(one, "FAILED", 2*time.Hour)
		w.ledger.Add("", one, two)
		w.sync()
		now := []simulator.Entry{one}
		if !gone {
			changed := later(two, "FAILED", 3*time.Hour)
			changed.Trade = &bill.Amount{Currency: "USD", Value: 7777}
			now = append(now, changed)
		}
		w.ledger.Change("", func(es []simulator.Entry) []simulator.Entry {
			return append(slices.DeleteFunc(es, func(x simulator.Entry) bool { return x.OrderNo == "A" }), now...)
		})
		w.pass(time.Hour)
		w.sync()
		wantReceipt(t, "an earlier state of the other one", w.notify("main", later(two, "WAITING_CLEARANCE", -time.Hour)), bill.Kept)
		w.equal("main", "")
	}
}

// bill, even if nothing else tells that.
func TestNotifiedStateIsNeverListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.fill(9, 20)
	e := entry("A", start.Add(-48*time.Hour))
	w.ledger.Add("", e)
	w.sync()
	wantReceipt(t, "news", w.notify("main", later(e, "REFUNDED", 2*time.Hour)), bill.Placed)
	for _, tt := range []struct {
		wait time.Duration
		want string
	}{{time.Hour, "REFUNDED"}, {22 * time.Hour, "REFUNDED"}, {2 * time.Hour, "SUCCESS"}} {
		w.pass(tt.wait)
		w.sync()
		w.status("A", tt.want)
	}
	w.equal("main", "")
}

// A notification that waited is not newer than what the list was read to say
// meanwhile, however far the provider's clock is ahead of ours.
func TestNotificationByAClockAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.account("shop", "CUST2")
	w.fill(3, 20)
	w.sync()
	e := entry("A", start.Add(-48*time.Hour))
	e.AssetID, e.Status, e.LastUpdate = "CARD9", "WAITING_CLEARANCE", start.Add(3*time.Hour)
	wantReceipt(t, "of a card nobody knows", w.notify("", e), bill.Kept)
	e.Status, e.LastUpdate = "REFUNDED", time.Time{}
	w.ledger.Add("CUST2", e)
	w.pass(time.Hour)
	w.sync()
	if n := w.settleInbox(); n != 1 {
		t.Errorf("%d settled, want it", n)
	}
	w.equal("shop", "CUST2")
}

package syncer_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/syncer"
)

// ignoringOrders is an API that does not keep to the filter by order.
type ignoringOrders struct{ syncer.Source }

func (s ignoringOrders) QueryBillList(ctx context.Context, a bill.Account, q bill.Query) (bill.Page, error) {
	q.OrderNo = ""
	return s.Source.QueryBillList(ctx, a, q)
}

// An API that does not keep to the filter by order costs few more requests, and
// bills are withdrawn and followed all the same.
func TestOrderFilterIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	w.cfg.PageSize, w.cfg.Audit = 100, 0
	w.fill(4000, 249)
	w.sync()
	run := func(o syncer.Options) syncer.Summary {
		t.Helper()
		w.pass(time.Minute)
		before := w.client.Requests()
		sum, err := w.runWith(o, ignoringOrders{w.client}, nil)
		if err != nil || !sum.Complete() {
			t.Fatalf("run %+v: %v, %s; want complete", o, err, sum.Reason())
		}
		if n := w.client.Requests() - before; n > 70 { // all bills are on about 45 pages
			t.Errorf("run %+v: %d requests, want at most 70", o, n)
		}
		w.equal("main", "")
		return sum
	}
	for i := range 15 {
		w.ledger.Remove("", fmt.Sprintf("O%06d", 3000+i*10))
	}
	if sum := run(full); sum.Run.Withdrawn != 15 {
		t.Errorf("%d withdrawn, want 15", sum.Run.Withdrawn)
	}
	w.set("O003500", "WAITING_CLEARANCE")
	w.set("O003501", "WAITING_CLEARANCE")
	if sum := run(refresh); sum.Run.Changed != 2 {
		t.Errorf("%d changed, want 2", sum.Run.Changed)
	}
}

// Where the API refuses to be asked for an order, nothing is withdrawn: the
// window is to be read again, and the syncs between do not ask for it.
func TestOrderFilterRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60)
	w.cfg.PageSize = 100
	w.fill(30, 59)
	w.sync()
	w.ledger.Remove("", "O000015")
	w.faulty(result("PARAM_ILLEGAL"), func(q bill.Query) bool { return q.OrderNo != "" })
	w.pass(time.Minute)
	w.partial(refresh, "1 window to be read again")
	for i := range 3 {
		w.pass(15 * time.Minute)
		before := w.client.Requests()
		w.partial(syncer.Options{}, "1 window to be read again")
		if n := w.client.Requests() - before; n != 1 {
			t.Errorf("sync %d: %d requests, want 1 for the tail", i, n)
		}
	}
	if got := w.one("SELECT count(*) FROM bills WHERE withdrawn_at IS NOT NULL"); got != "0" {
		t.Errorf("%s bills withdrawn that were not asked for, want 0", got)
	}
	w.server.SetFault(nil)
	if sum := w.refresh(); sum.Run.Withdrawn != 1 {
		t.Errorf("once the API can be asked %d withdrawn, want 1", sum.Run.Withdrawn)
	}
	w.equal("main", "")
}

// A withdrawn bill that is listed again comes back in the state it is listed
// in, be it an earlier one than was last known.
func TestWithdrawnBillReturnsInAnEarlierState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.fill(20, 49)
	w.sync()
	first := w.ledger.Take("", "O000010")
	changed := first[0]
	changed.Status, changed.LastUpdate = "REFUNDED", w.now()
	w.ledger.Add("", changed)
	w.again()
	w.ledger.Remove("", "O000010")
	w.again()
	w.ledger.Add("", first...)
	if sum := w.again(); sum.Run.Returned != 1 || sum.Run.New != 0 {
		t.Errorf("%d returned, %d new, want 1 and 0", sum.Run.Returned, sum.Run.New)
	}
	w.status("O000010", "SUCCESS")
	w.equal("main", "")
}

// A further bill that looks like a stored one and has another status, first
// seen in a list by status, is a new bill and no change of the stored one.
func TestTwinFoundByChaseIsANewBill(t *testing.T) {
	t.Parallel()
	w := old(t)
	at := start.AddDate(0, 0, -950)
	w.ledger.Add("", entry("TWIN", at))
	w.again()
	twin := entry("TWIN", at)
	twin.Status, twin.LastUpdate = "WAITING_CLEARANCE", w.now()
	w.ledger.Add("", twin)
	w.refresh()
	w.equal("main", "")
	got := w.query("SELECT bill_status FROM bills WHERE order_no = 'TWIN' ORDER BY bill_id")
	if want := "[SUCCESS WAITING_CLEARANCE]"; fmt.Sprint(got) != want {
		t.Errorf("the twins are stored as %v, want %s", got, want)
	}
	if got := w.one("SELECT count(*) FROM bill_states s JOIN bills b USING (bill_id) WHERE order_no = 'TWIN'"); got != "0" {
		t.Errorf("%s earlier states of twins that never changed, want 0", got)
	}
}

// Where a person accepts that bills of a window are gone, one whose item is
// listed, but cannot be understood, is not withdrawn with them.
func TestAcceptedWithdrawalSparesUnreadableItem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	w.fill(250, 249)
	w.sync()
	for i := 120; i < 145; i++ {
		w.ledger.Remove("", fmt.Sprintf("O%06d", i))
	}
	w.ledger.SetRaw("", "O000146", []byte(`{"orderNo":"O000146","transactionTime":"soon"}`))
	w.pass(time.Minute)
	w.partial(full, "1 window waiting")
	w.accept("window:"+w.one("SELECT window_id FROM windows WHERE state = 'waiting'"), "ok")
	w.pass(time.Minute)
	if sum := w.partial(syncer.Options{}, "1 not understood"); sum.Run.Withdrawn != 25 {
		t.Errorf("%d withdrawn, want 25", sum.Run.Withdrawn)
	}
	if got := w.one("SELECT withdrawn_at FROM bills WHERE order_no = 'O000146'"); got != "<nil>" {
		t.Errorf("the unreadable bill was withdrawn at %s, want it live", got)
	}
}

// Too many bills of the tail gone at once wait for a person, in its newer part
// and in its older one, and cost the syncs until then next to nothing.
func TestMassWithdrawalInTheTailNeedsAPerson(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ refreshDays, perDay int }{
		"older part": {10, 2},
		"newer part": {60, 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := grown(t, tt.refreshDays, tt.perDay)
			gone := 0
			for day := 20; day < 35; day++ {
				for i := range tt.perDay {
					gone += w.ledger.Remove("", fmt.Sprintf("T%02d-%d", day, i))
				}
			}
			w.pass(time.Minute)
			if sum := w.partial(refresh, "1 window waiting"); sum.Run.Withdrawn != 0 {
				t.Errorf("%d withdrawn without a person's word, want 0", sum.Run.Withdrawn)
			}
			for i := range 3 {
				w.pass(15 * time.Minute)
				before := w.client.Requests()
				w.partial(syncer.Options{}, "1 window waiting")
				if n := w.client.Requests() - before; n > 6 {
					t.Errorf("sync %d while the tail waits for a person: %d requests, want at most 6", i, n)
				}
			}
			w.accept("tail:main", "the merchant cancelled them all")
			w.pass(15 * time.Minute)
			if sum := w.sync(); sum.Run.Withdrawn != gone {
				t.Errorf("%d withdrawn once it was accepted, want %d", sum.Run.Withdrawn, gone)
			}
			w.equal("main", "")
		})
	}
}

// A new reading has all its attempts, whatever an earlier one of the same window
// used up.
func TestNewReadingHasAllItsAttempts(t *testing.T) {
	t.Parallel()
	w := old(t)
	asked := w.faulty(result("UNKNOWN_EXCEPTION"), func(q bill.Query) bool {
		return q.PageSize == 100 && len(q.Statuses) == 0 && q.Start.Before(start.AddDate(0, 0, -900))
	})
	w.pass(time.Minute)
	w.partial(full, "2 windows to be read again")
	for range 60 { // until the last attempt was made
		w.pass(15 * time.Minute)
		w.plain()
	}
	attempts := int32(len(w.cfg.RetrySchedule) + 1)
	if n := asked.Load(); n != 2*attempts {
		t.Errorf("two windows were asked for %d times, want %d each", n, attempts)
	}
	w.set("O001800", "CHARGED_BACK")
	w.pass(24 * time.Hour)
	w.partial(refresh, "2 windows to be read again")
	if got := w.query("SELECT attempts, next_attempt_at IS NOT NULL FROM windows WHERE reread_at IS NOT NULL"); fmt.Sprint(got) != "[1|1 1|1]" {
		t.Errorf("attempts of the new reading, and whether there is a next one: %v, want [1|1 1|1]", got)
	}
	w.server.SetFault(nil)
	w.pass(15 * time.Minute)
	w.sync()
	w.status("O001800", "CHARGED_BACK")
}

// A clock that runs two years ahead for one sync of a proved history, untold,
// leaves no window in the future and is made up for within two runs.
func TestClockAheadOnceIsMadeUpFor(t *testing.T) {
	t.Parallel()
	const ahead = 2 * 365 * 24 * time.Hour
	w := newWorld(t, 150)
	w.fill(100, 149)
	w.sync()
	w.pass(ahead)
	w.plain()
	w.pass(-ahead)
	w.pass(time.Hour)
	w.plain() // may only learn of it
	for range 3 {
		w.pass(time.Hour)
		w.sync()
	}
	w.equal("main", "")
	now := w.now().UTC().Format("2006-01-02T15:04:05.000Z")
	if got := w.query("SELECT window_start, window_end FROM windows WHERE window_end > ? OR state <> 'done'", now); len(got) != 0 {
		t.Errorf("windows in the future or without a proof: %v, want none", got)
	}
	if got := w.one("SELECT max(covered_from, proved_until) <= ? FROM tails", now); got != "1" {
		t.Errorf("the tail reaches into the future: %v", w.query("SELECT covered_from, proved_until FROM tails"))
	}
	if got := w.one("SELECT complete FROM coverage"); got != "1" {
		t.Errorf("coverage.complete = %s, want 1", got)
	}
}

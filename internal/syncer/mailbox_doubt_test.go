package syncer_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/syncer"
	"billsync/internal/worldfirst"
)

// A second bill of the same order and second looks like a change of the first:
// only what the list shows, or another status, tells.
func TestNotifiedTwinIsNotTakenForItsSibling(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	one := entry("A", start.Add(-time.Minute))
	one.Status = "WAITING_CLEARANCE"
	two := one
	two.LastUpdate = one.LastUpdate.Add(time.Second)
	w.ledger.Add("", one, two)
	w.fill(3, 2)
	w.sync()
	for _, order := range []string{"A"} {
		if n := len(w.ids(order)); n != 0 { // the newest minutes are not read yet
			t.Fatalf("%d rows of the order before anything was notified", n)
		}
	}
	wantReceipt(t, "the first", w.notify("main", one), bill.Placed)
	wantReceipt(t, "the second", w.notify("main", two), bill.Kept)
	w.pass(time.Hour)
	w.sync()
	if n := w.settleInbox(); n != 1 {
		t.Errorf("%d settled, want the second", n)
	}
	w.equal("main", "")
	if got := w.query("SELECT state_id FROM bill_states"); len(got) != 0 {
		t.Errorf("a bill has states that it never had: %v", got)
	}
}

// An address may be registered for another customer, or one notification be sent
// to several: what the list told decides whose bill it is.
func TestNotificationAtTheWrongAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.account("shop", "CUST2")
	mine, theirs := entry("A", start.Add(-48*time.Hour)), entry("B", start.Add(-48*time.Hour))
	theirs.AssetID = "CARD2"
	w.ledger.Add("", mine)
	w.ledger.Add("CUST2", theirs)
	w.sync()
	fresh := entry("C", start.Add(-time.Minute)) // paid with the card of main
	for _, tt := range []struct {
		account string
		e       simulator.Entry
		want    bill.Receipt
	}{
		{"shop", later(mine, "REFUNDED", time.Hour), bill.Kept},
		{"main", later(mine, "REFUNDED", time.Hour), bill.Placed},
		{"shop", fresh, bill.Kept},
		{"main", fresh, bill.Placed},
		{"", later(fresh, "REFUNDED", time.Hour), bill.Placed},
	} {
		wantReceipt(t, tt.e.OrderNo+" at "+tt.account, w.notify(tt.account, tt.e), tt.want)
	}
	if got := w.query("SELECT account, order_no, bill_status FROM bills ORDER BY order_no, account"); !slices.Equal(got, []string{"main|A|REFUNDED", "shop|B|SUCCESS", "main|C|REFUNDED"}) {
		t.Errorf("stored: %v", got)
	}
	if got := w.query("SELECT account, order_no, deliveries FROM inbox ORDER BY notification_id"); !slices.Equal(got, []string{"shop|A|1", "shop|C|1"}) {
		t.Errorf("inbox: %v", got)
	}
	// A card that only a notification named says nothing of whose it is.
	ghost := entry("D", start.Add(-time.Minute))
	ghost.AssetID = "CARD9"
	wantReceipt(t, "a new card", w.notify("main", ghost), bill.Placed)
	wantReceipt(t, "the same bill at another address", w.notify("shop", ghost), bill.Kept)
	wantReceipt(t, "the same bill at another address", w.notify("shop", ghost), bill.Kept)
	other := ghost
	other.OrderNo = "E"
	wantReceipt(t, "the new card, without an account", w.notify("", other), bill.Kept)
	wantReceipt(t, "the new card, at another address", w.notify("shop", other), bill.Placed)
}

// However much waits in the inbox, all of it is looked at.
func TestLongInboxIsSettled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.account("shop", "CUST2")
	w.fill(3, 2)
	w.sync()
	last := entry("LAST", start.Add(-time.Minute))
	last.AssetID = "CARD9"
	w.mailbox(func(m *syncer.Mailbox) {
		var batch []bill.Notification
		for i := range 250 {
			e := entry(fmt.Sprintf("X%03d", i), start.Add(-time.Hour))
			e.AssetID = "UNKNOWN"
			batch = append(batch, bill.Notification{Item: worldfirst.DecodeItem(jsonOf(e)), SentAt: w.now(), ReceivedAt: w.now()})
		}
		batch = append(batch, bill.Notification{Item: worldfirst.DecodeItem(jsonOf(last)), SentAt: w.now(), ReceivedAt: w.now()})
		deliver := func(what string, want bool) {
			t.Helper()
			_, unsettled, err := m.Deliver(context.Background(), batch)
			if err != nil || unsettled != want {
				t.Errorf("%s: something new in the inbox %t, %v; want %t", what, unsettled, err, want)
			}
		}
		deliver("the first time", true)
		deliver("a replay", false)
		if n, err := m.Settle(context.Background()); n != 0 || err != nil {
			t.Errorf("%d settled, %v", n, err)
		}
		e := entry("Y", start.Add(-time.Hour))
		e.AssetID = "UNKNOWN"
		batch = []bill.Notification{{Item: worldfirst.DecodeItem(jsonOf(e)), SentAt: w.now(), ReceivedAt: w.now()}}
		deliver("one more of a card that the list does not know", false)
	})
	w.ledger.Add("CUST2", last)
	w.pass(time.Hour)
	w.sync()
	if n := w.settleInbox(); n != 1 {
		t.Errorf("%d settled, want the last", n)
	}
	if got := w.one("SELECT account FROM bills WHERE order_no = 'LAST'"); got != "shop" {
		t.Errorf("stored in %s", got)
	}
}

// The list may tell the time of a change in whole seconds, and notifications in
// milliseconds: it is the same change, and the list is believed.
func TestNotifiedInMilliseconds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.fill(3, 2)
	e := entry("A", start.Add(-48*time.Hour))
	e.LastUpdate = e.LastUpdate.Truncate(time.Second)
	w.ledger.Add("", e)
	w.sync()
	told := later(e, "REFUNDED", time.Hour)
	listed := told
	told.LastUpdate = told.LastUpdate.Add(237 * time.Millisecond)
	listed.MerchantName = "AS THE LIST SAYS"
	wantReceipt(t, "the notification", w.notify("main", told), bill.Placed)
	w.ledger.Change("", func(es []simulator.Entry) []simulator.Entry {
		es[slices.IndexFunc(es, func(x simulator.Entry) bool { return x.OrderNo == "A" })] = listed
		return es
	})
	w.pass(time.Hour)
	before := w.server.Requests()
	w.sync()
	if got := w.one("SELECT merchant_name FROM bills WHERE order_no = 'A'"); got != "AS THE LIST SAYS" {
		t.Errorf("stored: %s", got)
	}
	first := w.server.Requests() - before
	w.pass(time.Hour)
	w.sync()
	if second := w.server.Requests() - before - first; second > first {
		t.Errorf("%d requests after %d: the pass is read twice", second, first)
	}
	wantReceipt(t, "the notification again", w.notify("main", told), bill.Had)
	w.equal("main", "")
}

// A bill of an account that is switched off, or gone from the configuration, is not
// taken for one of the only account that is left.
func TestNotificationForAnAccountThatIsOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.account("shop", "CUST2")
	mine, theirs := entry("A", start.Add(-48*time.Hour)), entry("B", start.Add(-48*time.Hour))
	theirs.AssetID = "CARD2"
	w.ledger.Add("", mine)
	w.ledger.Add("CUST2", theirs)
	w.sync()
	w.cfg.Accounts = w.cfg.Accounts[:1]
	fresh, strange := entry("C", start.Add(-time.Minute)), entry("D", start.Add(-time.Minute))
	fresh.AssetID, strange.AssetID = "CARD2", "CARD9"
	for _, account := range []string{"", "main"} {
		wantReceipt(t, "a change of a bill of shop, at "+account, w.notify(account, later(theirs, "REFUNDED", time.Hour)), bill.Kept)
		wantReceipt(t, "a new one with its card, at "+account, w.notify(account, fresh), bill.Kept)
	}
	wantReceipt(t, "one with a card that nobody knows", w.notify("", strange), bill.Kept)
	wantReceipt(t, "one of main", w.notify("", later(mine, "REFUNDED", time.Hour)), bill.Placed)
	if got := w.query("SELECT account, order_no, bill_status FROM bills ORDER BY order_no"); !slices.Equal(got, []string{"main|A|REFUNDED", "shop|B|SUCCESS"}) {
		t.Errorf("stored: %v", got)
	}
}

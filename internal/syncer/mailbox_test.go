package syncer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/syncer"
	"billsync/internal/worldfirst"

	"pgregory.net/rapid"
)

// mailbox calls fn with a mailbox, as a process beside the runs would have it.
func (w *world) mailbox(fn func(*syncer.Mailbox)) {
	w.t.Helper()
	st := w.open()
	defer st.Close()
	var names []string
	for _, a := range w.cfg.Accounts {
		names = append(names, a.Name)
	}
	fn(syncer.NewMailbox(names, names, wrapped{Store: st}, worldfirst.DecodeItem, nop, w.now))
}

// notify delivers what the provider lists of a bill, and returns what became of
// it.
func (w *world) notify(account string, e simulator.Entry) bill.Receipt {
	w.t.Helper()
	return w.notifyRaw(account, jsonOf(e))
}

func (w *world) notifyRaw(account string, body []byte) (receipt bill.Receipt) {
	w.t.Helper()
	w.mailbox(func(m *syncer.Mailbox) {
		got, _, err := m.Deliver(context.Background(), []bill.Notification{
			{Account: account, Item: worldfirst.DecodeItem(body), SentAt: w.now(), ReceivedAt: w.now()},
		})
		if err != nil {
			w.t.Fatalf("Deliver: %v", err)
		}
		receipt = got[0]
	})
	return receipt
}

// jsonOf is an entry as the provider lists it.
func jsonOf(e simulator.Entry) []byte {
	l := simulator.NewLedger()
	l.Add("", e)
	raw, _ := l.Bills(e.TransactionTime.AddDate(10, 0, 0), "", simulator.Filter{}, 0, 1)
	return raw[0]
}

func (w *world) settleInbox() (n int) {
	w.t.Helper()
	w.mailbox(func(m *syncer.Mailbox) {
		var err error
		if n, err = m.Settle(context.Background()); err != nil {
			w.t.Fatalf("Settle: %v", err)
		}
	})
	return n
}

// later is an entry in a later state.
func later(e simulator.Entry, status string, after time.Duration) simulator.Entry {
	e.Status, e.LastUpdate = status, e.LastUpdate.Add(after)
	return e
}

func wantReceipt(t *testing.T, what string, got, want bill.Receipt) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// A bill that is notified before the list has it is the same row afterwards, and
// counts as listed from then on.
func TestNotifiedBeforeListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.fill(30, 25)
	w.sync()
	e := entry("NEW", w.now().Add(-time.Minute))
	e.ListedFrom = w.now().Add(10 * time.Minute)
	w.ledger.Add("", e)
	wantReceipt(t, "the first time", w.notify("main", e), bill.Placed)
	wantReceipt(t, "a replay", w.notify("", e), bill.Had)
	row := w.one("SELECT bill_id, run_id, notified_at IS NOT NULL, withdrawn_at IS NULL FROM bills WHERE order_no = 'NEW'")
	if row != "31|0|1|1" {
		t.Fatalf("the notified bill: %s", row)
	}
	w.pass(5 * time.Minute) // the tail now reaches beyond it, and does not list it
	w.sync()
	if got := w.one("SELECT notified_at IS NOT NULL, withdrawn_at IS NULL FROM bills WHERE order_no = 'NEW'"); got != "1|1" {
		t.Errorf("before it is listed: %s", got)
	}
	w.pass(10 * time.Minute)
	sum := w.sync()
	if got := w.one("SELECT bill_id, notified_at IS NULL, withdrawn_at IS NULL FROM bills WHERE order_no = 'NEW'"); got != "31|1|1" {
		t.Errorf("once it is listed: %s", got)
	}
	if sum.Run.New != 0 || sum.Run.Changed != 0 || len(w.query("SELECT state_id FROM bill_states")) != 0 {
		t.Errorf("%d new and %d changed bills, want the notified one to be known", sum.Run.New, sum.Run.Changed)
	}
	w.equal("main", "")
}

// A bill that only a notification told of is left alone for a day, and then
// treated like every other that the API does not list.
func TestNotifiedAndNeverListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.fill(30, 25)
	w.sync()
	w.notify("main", entry("GHOST", w.now().Add(-time.Minute)))
	for _, tt := range []struct {
		wait time.Duration
		live string
	}{{time.Hour, "1"}, {22 * time.Hour, "1"}, {2 * time.Hour, "0"}} {
		w.pass(tt.wait)
		w.sync()
		if got := w.one("SELECT withdrawn_at IS NULL FROM bills WHERE order_no = 'GHOST'"); got != tt.live {
			t.Errorf("after another %s: live %s, want %s", tt.wait, got, tt.live)
		}
	}
	// The same notification again does not bring it back, a newer one does.
	wantReceipt(t, "a replay", w.notify("main", entry("GHOST", start.Add(-time.Minute))), bill.Had)
	wantReceipt(t, "news of it", w.notify("main", later(entry("GHOST", start.Add(-time.Minute)), "REFUNDED", 25*time.Hour)), bill.Placed)
	if got := w.one("SELECT withdrawn_at IS NULL, notified_at IS NOT NULL, bill_status FROM bills WHERE order_no = 'GHOST'"); got != "1|1|REFUNDED" {
		t.Errorf("after news of it: %s", got)
	}
}

// A notification replaces an earlier state and nothing else (API §9.5).
func TestNotificationsInAnyOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	e := entry("A", start.Add(-48*time.Hour))
	e.Status = "WAITING_CLEARANCE"
	w.ledger.Add("", e)
	w.sync()
	cleared, back := later(e, "SUCCESS", time.Hour), later(e, "PARTIAL_REFUND", 2*time.Hour)
	wantReceipt(t, "a newer state", w.notify("main", back), bill.Placed)
	wantReceipt(t, "one that was overtaken", w.notify("main", cleared), bill.Had)
	wantReceipt(t, "the first one again", w.notify("main", e), bill.Had)
	other := back
	other.MerchantName = "SOMEBODY ELSE"
	wantReceipt(t, "another word of the same change", w.notify("main", other), bill.Had)
	if got := w.one("SELECT bill_status, merchant_name, run_id, notified_at IS NULL FROM bills"); got != "PARTIAL_REFUND|EXAMPLE|0|1" {
		t.Errorf("stored: %s", got)
	}
	if got := w.query("SELECT bill_status FROM bill_states ORDER BY valid_from"); !slices.Equal(got, []string{"WAITING_CLEARANCE"}) {
		t.Errorf("earlier states: %v", got)
	}
	// The list lags behind: the newer state stays. When it has caught up and says
	// something else of the same change, it is believed.
	w.sync()
	if got := w.one("SELECT bill_status FROM bills"); got != "PARTIAL_REFUND" {
		t.Errorf("after the list said what was before: %s", got)
	}
	w.ledger.Change("", func([]simulator.Entry) []simulator.Entry { return []simulator.Entry{other} })
	w.pass(time.Hour)
	w.sync()
	w.equal("main", "")
}

// Where no time of the change is told, what came later is newer: an answer that
// was asked for before the notification came does not undo it.
func TestNotificationOvertakesAnAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.fill(5, 3)
	e := entry("A", start.Add(-48*time.Hour))
	e.LastUpdate = time.Time{}
	w.ledger.Add("", e)
	w.sync()
	before := e
	before.Status = "WAITING_DEDUCT"
	w.ledger.Change("", func(es []simulator.Entry) []simulator.Entry {
		es[slices.IndexFunc(es, func(x simulator.Entry) bool { return x.OrderNo == "A" })] = before
		return es
	})
	now := e
	now.Status = "REFUNDED"
	w.pass(time.Hour)
	told := false
	src := sourceFunc{w.client, func(ctx context.Context, a bill.Account, q bill.Query) (bill.Page, error) {
		p, err := w.client.QueryBillList(ctx, a, q)
		if !told {
			told = true
			w.pass(time.Second)
			w.ledger.Change("", func(es []simulator.Entry) []simulator.Entry {
				es[slices.IndexFunc(es, func(x simulator.Entry) bool { return x.OrderNo == "A" })] = now
				return es
			})
			wantReceipt(t, "while an answer is on its way", w.notify("main", now), bill.Placed)
		}
		return p, err
	}}
	if _, err := w.runWith(syncer.Options{}, src, nil); err != nil {
		t.Fatal(err)
	}
	if !told {
		t.Fatal("nothing was asked")
	}
	if got := w.query("SELECT bill_status FROM bill_history WHERE order_no = 'A' ORDER BY valid_from"); !slices.Equal(got, []string{"SUCCESS", "REFUNDED"}) {
		t.Errorf("the bill's states are %v: the answer from before undid the notification", got)
	}
}

// What may be any of several bills waits for the list, which shows all of them.
func TestNotificationOfATwin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	at := start.Add(-48 * time.Hour)
	one, two := entry("A", at), entry("A", at)
	one.Status, two.Status = "WAITING_CLEARANCE", "WAITING_CLEARANCE"
	w.ledger.Add("", one, two)
	w.sync()
	cleared := later(two, "SUCCESS", time.Hour)
	wantReceipt(t, "a change of one of two", w.notify("main", cleared), bill.Kept)
	wantReceipt(t, "the same again", w.notify("main", cleared), bill.Kept)
	dearer := entry("B", at)
	w.ledger.Add("", dearer)
	w.sync()
	dearer.Trade = &bill.Amount{Currency: "USD", Value: 7777}
	dearer.LastUpdate = dearer.LastUpdate.Add(time.Hour)
	wantReceipt(t, "another amount", w.notify("main", dearer), bill.Kept)
	if got := w.query("SELECT account, order_no, deliveries, resolved_at IS NULL FROM inbox ORDER BY notification_id"); !slices.Equal(got, []string{"main|A|2|1", "main|B|1|1"}) {
		t.Errorf("inbox: %v", got)
	}
	if n := w.settleInbox(); n != 0 {
		t.Errorf("%d settled before the list was read", n)
	}
	w.ledger.Change("", func([]simulator.Entry) []simulator.Entry { return []simulator.Entry{one, cleared, dearer} })
	w.pass(time.Hour)
	w.sync()
	if n := w.settleInbox(); n != 2 {
		t.Errorf("%d settled, want both", n)
	}
	w.equal("main", "")
	if got := w.query("SELECT order_no FROM inbox WHERE resolved_at IS NULL"); len(got) != 0 {
		t.Errorf("still in the inbox: %v", got)
	}
}

// The list gives bills a number that notifications do not have.
func TestNotificationWithoutNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	e := entry("A", start.Add(-48*time.Hour))
	e.BillNo = "B1"
	w.ledger.Add("", e)
	w.sync()
	e.BillNo = ""
	wantReceipt(t, "without the number", w.notify("main", later(e, "REFUNDED", time.Hour)), bill.Placed)
	if got := w.one("SELECT bill_no, bill_status FROM bills"); got != "B1|REFUNDED" {
		t.Errorf("stored: %s", got)
	}
	other := later(e, "FAILED", time.Hour)
	other.BillNo = "B2"
	wantReceipt(t, "with another number", w.notify("main", other), bill.Placed)
	if got := w.query("SELECT bill_no, ordinal FROM bills ORDER BY bill_id"); !slices.Equal(got, []string{"B1|0", "B2|1"}) {
		t.Errorf("stored: %v", got)
	}
}

// A notification names no account: the bill tells whose it is, or its card.
func TestWhoseNotification(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.account("shop", "CUST2")
	mine, theirs := entry("A", start.Add(-48*time.Hour)), entry("B", start.Add(-48*time.Hour))
	theirs.AssetID = "CARD2"
	both := entry("C", start.Add(-48*time.Hour))
	both.AssetID = "SHARED"
	w.ledger.Add("", mine, both)
	w.ledger.Add("CUST2", theirs, both)
	w.sync()
	fresh := func(order, asset string) simulator.Entry {
		e := entry(order, start.Add(-time.Minute))
		e.AssetID = asset
		return e
	}
	moved := later(theirs, "REFUNDED", time.Hour)
	moved.AssetID, moved.MerchantName = "", "" // the order is enough
	for _, tt := range []struct {
		what string
		e    simulator.Entry
		want bill.Receipt
		in   string
	}{
		{"a bill of shop", moved, bill.Placed, "shop"},
		{"a card of main", fresh("D", "CARD1"), bill.Placed, "main"},
		{"a card of shop", fresh("E", "CARD2"), bill.Placed, "shop"},
		{"a card of both", fresh("F", "SHARED"), bill.Kept, ""},
		{"a bill of both", later(both, "REFUNDED", time.Hour), bill.Kept, ""},
		{"a card nobody knows", fresh("G", "CARD9"), bill.Kept, ""},
		{"no card", fresh("H", ""), bill.Kept, ""},
	} {
		wantReceipt(t, tt.what, w.notify("", tt.e), tt.want)
		if got := strings.Join(w.query("SELECT account FROM bills WHERE order_no = ? AND run_id = 0", tt.e.OrderNo), ","); got != tt.in {
			t.Errorf("%s: stored in %q, want %q", tt.what, got, tt.in)
		}
	}
	// What a notification does not say of a bill stays.
	if got := w.one("SELECT asset_id, merchant_name, bill_status FROM bills WHERE order_no = 'B'"); got != "CARD2|EXAMPLE|REFUNDED" {
		t.Errorf("the bill of shop: %s", got)
	}
	// The list brings the unknown card's bill, and with it the card's account.
	w.ledger.Add("CUST2", fresh("G", "CARD9"))
	w.pass(10 * time.Minute)
	if sum, err := w.run(syncer.Options{}); err != nil || !sum.Complete() {
		t.Fatalf("sync: %v", err)
	}
	if n := w.settleInbox(); n != 1 {
		t.Errorf("%d settled, want the bill of the unknown card", n)
	}
	wantReceipt(t, "its card again", w.notify("", fresh("I", "CARD9")), bill.Placed)
	if got := w.one("SELECT account FROM bills WHERE order_no = 'I'"); got != "shop" {
		t.Errorf("stored in %s", got)
	}
}

// What is no bill is kept for a person, and what is one with an unreadable part
// for the list; neither holds a full card number.
func TestNotificationNotUnderstood(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.fill(3, 2)
	w.sync()
	at := start.Add(-time.Minute).Format(time.RFC3339)
	for i, tt := range []struct {
		body string
		want bill.Receipt
	}{
		{`{"hello":"world","cardNo":"5555555555554444"}`, bill.NotUnderstood},
		{`[]`, bill.NotUnderstood},
		{`not JSON 5555555555554444`, bill.NotUnderstood},
		{``, bill.NotUnderstood},
		{`{"orderNo":"X"}`, bill.NotUnderstood},
		{`{"orderNo":"X","transactionTime":"` + at + `","tradeAmount":{"currency":"USD","value":"1.5"}}`, bill.Kept},
	} {
		wantReceipt(t, tt.body, w.notifyRaw("main", []byte(tt.body)), tt.want)
		if n := len(w.query("SELECT raw FROM inbox")); n != i+1 {
			t.Errorf("%d in the inbox after %d", n, i+1)
		}
	}
	if got := w.query("SELECT notification_id FROM inbox WHERE raw LIKE '%55555%' OR reason LIKE '%55555%'"); len(got) != 0 {
		t.Errorf("a card number is in the inbox: %v", got)
	}
	w.accept("notification:1", "a test of the bank")
	if n := w.settleInbox(); n != 0 {
		t.Errorf("%d settled", n)
	}
	if got := w.one("SELECT count(*), sum(accepted_at IS NOT NULL) FROM inbox"); got != "6|1" {
		t.Errorf("inbox: %s", got)
	}
	if got := len(w.query("SELECT bill_id FROM bills")); got != 3 {
		t.Errorf("%d bills, want the 3 of the list", got)
	}
}

// Whatever is notified, in whatever order and however often, before and after
// the list shows it, after a sync the database is what the list is, each bill
// is one row, and no state in between was older than one before.
func TestNotificationsAndListAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, 30)
		defer w.close()
		w.fill(3, 20)
		w.sync()
		var told [][]byte // every state there ever was
		bills := map[string]simulator.Entry{}
		var orders []string
		for step := range rapid.IntRange(3, 7).Draw(rt, "steps") {
			switch op := rapid.IntRange(0, 5).Draw(rt, "op"); {
			case op == 0 || len(orders) == 0:
				e := entry(fmt.Sprintf("N%d", step), w.now().Add(-time.Duration(rapid.IntRange(1, 600).Draw(rt, "age"))*time.Second).Truncate(time.Second))
				e.Status = "WAITING_CLEARANCE"
				if rapid.Bool().Draw(rt, "numbered") {
					e.BillNo = "B" + e.OrderNo
				}
				e.ListedFrom = w.now().Add(time.Duration(rapid.IntRange(0, 300).Draw(rt, "lag")) * time.Second)
				w.ledger.Add("", e)
				orders, bills[e.OrderNo] = append(orders, e.OrderNo), e
				told = append(told, jsonOf(e))
			case op == 1:
				order := rapid.SampledFrom(orders).Draw(rt, "order")
				e := later(bills[order], rapid.SampledFrom([]string{"SUCCESS", "REFUNDED", "FAILED"}).Draw(rt, "status"), time.Minute)
				bills[order] = e
				w.ledger.Change("", func(es []simulator.Entry) []simulator.Entry {
					es[slices.IndexFunc(es, func(x simulator.Entry) bool { return x.OrderNo == order })] = e
					return es
				})
				told = append(told, jsonOf(e))
			case op == 2:
				w.pass(time.Duration(rapid.IntRange(1, 900).Draw(rt, "pass")) * time.Second)
				w.sync()
			default:
				w.notifyRaw(rapid.SampledFrom([]string{"", "main"}).Draw(rt, "account"), told[rapid.IntRange(0, len(told)-1).Draw(rt, "notified")])
			}
		}
		w.pass(20 * time.Minute)
		w.sync()
		w.settleInbox()
		w.equal("main", "")
		if got := w.query("SELECT order_no FROM bills GROUP BY order_no HAVING count(*) > 1"); len(got) != 0 {
			rt.Errorf("orders with two rows: %v", got)
		}
		if got := w.query("SELECT order_no FROM bills WHERE notified_at IS NOT NULL"); len(got) != 0 {
			rt.Errorf("listed, and still called notified only: %v", got)
		}
		if got := w.query("SELECT reason FROM inbox WHERE resolved_at IS NULL"); len(got) != 0 {
			rt.Errorf("still in the inbox: %v", got)
		}
		if got := w.query(`SELECT bill_id FROM (
			SELECT bill_id, last_update, lag(last_update) OVER (PARTITION BY bill_id ORDER BY place) AS before
			FROM (SELECT bill_id, state_id AS place, last_update FROM bill_states UNION ALL SELECT bill_id, 1 << 60, last_update FROM bills))
			WHERE last_update < before`); len(got) != 0 {
			rt.Errorf("bills that went back: %v", got)
		}
	})
}

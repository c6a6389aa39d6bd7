package syncer_test

import (
	"context"
	"strings"
	"testing"

	"billsync/internal/bill"
	"billsync/internal/syncer"
	"billsync/internal/worldfirst"
)

// FuzzDeliver: whatever the provider signs, it is a bill, or waits in the inbox,
// or says nothing new; it is never an error, for which it would be sent again and
// again.
func FuzzDeliver(f *testing.F) {
	for _, body := range []string{
		string(jsonOf(entry("A", start))), `{}`, `[]`, `null`, `"x"`, ``, "\x00", "\xff{", `{"orderNo":1}`,
		`{"orderNo":"A","transactionTime":1769710268237}`, `{"orderNo":"A","transactionTime":"2026-05-20T01:00:00Z","billFailReason":{"errorCode":"NEW"},"billStatus":"FAILED"}`,
		`{"orderNo":"A\u0000","transactionTime":"2026-05-20T01:00:00Z","assetId":"\ud800","metadata":{"a":"\u0000"}}`,
		`{"orderNo":"A","transactionTime":"2026-05-20T01:00:00Z","tradeAmount":{"currency":"USD","value":"999999999999999999999"}}`,
		`{"orderNo":"` + strings.Repeat("9", 5000) + `","transactionTime":"9999-12-31T23:59:59.999Z"}`,
		`{"orderNo":"A","billNo":"B","transactionTime":"0001-01-01T00:00:00Z","lastUpdate":"0"}`,
	} {
		f.Add([]byte(body), true)
		f.Add([]byte(body), false)
	}
	w := newWorld(f, 30)
	w.account("shop", "CUST2")
	w.fill(3, 2)
	w.sync()
	st := w.open()
	f.Cleanup(func() { _ = st.Close() })
	box := syncer.NewMailbox([]string{"main", "shop"}, []string{"main", "shop"}, wrapped{Store: st}, worldfirst.DecodeItem, nop, w.now)
	f.Fuzz(func(t *testing.T, body []byte, named bool) {
		n := bill.Notification{Item: worldfirst.DecodeItem(body), SentAt: w.now(), ReceivedAt: w.now()}
		if named {
			n.Account = "main"
		}
		got, _, err := box.Deliver(context.Background(), []bill.Notification{n})
		if err != nil || got[0] < bill.Placed || got[0] > bill.NotUnderstood {
			t.Errorf("Deliver(%q) = %v, %v", body, got, err)
		}
		if n.Item.Rejected != (len(got) > 0 && got[0] == bill.NotUnderstood) {
			t.Errorf("Deliver(%q) = %v; no bill: %t", body, got, n.Item.Rejected)
		}
		if _, err := box.Settle(context.Background()); err != nil {
			t.Errorf("Settle after %q: %v", body, err)
		}
	})
}

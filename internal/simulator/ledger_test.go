package simulator

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"billsync/internal/bill"
)

// listed reads a ledger's orders.
func listed(t *testing.T, b Book, customer string, f Filter) []string {
	t.Helper()
	items, total := b.Bills(testNow, customer, f, 0, 1000)
	if len(items) != total {
		t.Errorf("%d bills of %d", len(items), total)
	}
	return field(t, items, "orderNo")
}

func TestLedger(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	entry := func(orderNo string, at time.Time) Entry {
		return Entry{Bill: bill.Bill{OrderNo: orderNo, TransactionTime: at}}
	}
	l := NewLedger()
	l.Add("", entry("b", at), entry("d", at.Add(-time.Hour)), entry("a", at.Add(time.Hour)))
	l.Add("", entry("c", at))
	l.Add("C1", entry("x", at))
	check := func(want ...string) {
		t.Helper()
		if got := listed(t, l, "", Filter{}); !slices.Equal(got, want) {
			t.Errorf("listed %v, want %v", got, want)
		}
	}
	check("a", "b", "c", "d")
	if l.Len("") != 4 || l.Len("C1") != 1 || l.Len() != 5 || l.Len("C2") != 0 {
		t.Errorf("Len: %d, %d, %d in all", l.Len(""), l.Len("C1"), l.Len())
	}
	if n := l.Update("", "d", func(e *Entry) { e.TransactionTime = at.Add(2 * time.Hour) }); n != 1 {
		t.Errorf("Update changes %d entries", n)
	}
	check("d", "a", "b", "c")
	if n := l.Remove("", "b"); n != 1 {
		t.Errorf("Remove removes %d entries", n)
	}
	check("d", "a", "c")
	l.Change("", func(entries []Entry) []Entry { return entries[:1] })
	check("d")
	l.Add("", Entry{Bill: bill.Bill{OrderNo: "late", TransactionTime: at}, ListedFrom: testNow.Add(time.Second)})
	check("d")
}

func TestLedgerJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 10, 0, 0, 1, 500e6, time.UTC)
	full := bill.Bill{
		OrderNo: "O1", BillNo: "B1", BillType: "CARD_REFUND", Status: "FAILED", AssetID: "CARD1", MaskedCardNo: "555555******4444",
		CardNickName: "a < b", TransactionTime: at, MerchantName: "A & B", BudgetAccountID: "BA1",
		Trade: &bill.Amount{Currency: "JPY", Value: 12}, Out: &bill.Amount{Currency: "USD"},
		In:           &bill.Amount{Currency: "USD", Value: -1},
		ExchangeRate: "0.0064", TradeCountry: "JP", FailCode: "SYSTEM_ERROR", FailDesc: "System error.", LastUpdate: at,
		Metadata: `{"k":"v"}`,
	}
	for _, tt := range []struct {
		entry Entry
		want  string
	}{
		{Entry{Bill: bill.Bill{OrderNo: "O1", TransactionTime: at.Truncate(time.Second)}},
			`{"orderNo":"O1","transactionTime":"2026-01-10T08:00:01+08:00","billType":"CARD_PAYMENT","billStatus":"SUCCESS"}`},
		{Entry{Bill: full, CardNo: "5555555555554444"},
			`{"billNo":"B1","assetId":"CARD1","maskedCardNo":"555555******4444","cardNo":"5555555555554444","orderNo":"O1",` +
				`"cardNickName":"a < b","transactionTime":"2026-01-10T08:00:01.5+08:00","merchantName":"A & B",` +
				`"tradeAmount":{"currency":"JPY","value":"12"},"inAmount":{"currency":"USD","value":"-1"},` +
				`"outAmount":{"currency":"USD","value":"0"},"exchangeRate":"0.0064","billType":"CARD_REFUND","tradeCountry":"JP",` +
				`"billStatus":"FAILED","billFailReason":{"errorCode":"SYSTEM_ERROR","errorDesc":"System error."},` +
				`"lastUpdate":"1768003201500","budgetAccountId":"BA1","metadata":{"k":"v"}}`},
		{Entry{Raw: json.RawMessage(`{ "what" : 1 }`), Time: at}, `{ "what" : 1 }`},
	} {
		l := NewLedger()
		l.Add("", tt.entry)
		items, _ := l.Bills(testNow, "", between(at.Add(-time.Second), at), 0, 1)
		if len(items) != 1 || string(items[0]) != tt.want {
			t.Errorf("listed\n%s\nwant\n%s", items, tt.want)
		}
	}
}

func TestSetRaw(t *testing.T) {
	t.Parallel()
	l := sampleLedger(3)
	if n := l.SetRaw("", "O001", json.RawMessage(`"no bill"`)); n != 1 {
		t.Errorf("SetRaw changes %d entries", n)
	}
	items, total := l.Bills(testNow, "", Filter{OrderNo: "O001"}, 0, 10)
	if total != 1 || string(items[0]) != `"no bill"` {
		t.Errorf("listed %s", items)
	}
	if n := l.SetRaw("", "O001", nil); n != 1 {
		t.Errorf("SetRaw changes %d entries", n)
	}
	if got := listed(t, l, "", Filter{}); !slices.Equal(got, orders(2, 1, 0)) {
		t.Errorf("listed %v", got)
	}
	raw := json.RawMessage(`{"orderNo":"R","transactionTime":"2026-01-10T00:30:00+08:00","billStatus":"A_FUTURE_STATUS",` +
		`"cardNo":"5555555555554444"}`)
	l.Add("", Entry{Raw: raw})
	f := Filter{Statuses: []string{"A_FUTURE_STATUS"}, CardLast4: "4444", From: testNow.AddDate(0, -1, 0)}
	if got := listed(t, l, "", f); !slices.Equal(got, []string{"R"}) {
		t.Errorf("a raw bill's own fields: listed %v", got)
	}
}

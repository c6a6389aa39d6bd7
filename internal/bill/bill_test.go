package bill_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"billsync/internal/bill"
)

func TestAlike(t *testing.T) {
	t.Parallel()
	usd := func(v int64) *bill.Amount { return &bill.Amount{Currency: "USD", Value: v} }
	for _, tt := range []struct {
		name string
		a, b bill.Bill
		want bool
	}{
		{"both empty", bill.Bill{}, bill.Bill{}, true},
		{"same amount and card", bill.Bill{Trade: usd(1), AssetID: "c"}, bill.Bill{Trade: usd(1), AssetID: "c"}, true},
		{"other value", bill.Bill{Trade: usd(1)}, bill.Bill{Trade: usd(2)}, false},
		{"other sign", bill.Bill{Trade: usd(1)}, bill.Bill{Trade: usd(-1)}, false},
		{"other currency", bill.Bill{Trade: usd(1)}, bill.Bill{Trade: &bill.Amount{Currency: "EUR", Value: 1}}, false},
		{"amount gone", bill.Bill{Trade: usd(1)}, bill.Bill{}, false},
		{"zero is an amount", bill.Bill{Trade: usd(0)}, bill.Bill{}, false},
		{"other card", bill.Bill{AssetID: "c"}, bill.Bill{AssetID: "d"}, false},
		{"card known to one", bill.Bill{AssetID: "c", CardLast4: "1111"}, bill.Bill{CardLast4: "1111"}, true},
		{"other digits, card known to one", bill.Bill{AssetID: "c", CardLast4: "1111"}, bill.Bill{CardLast4: "2222"}, false},
		{"card known to one, no digits", bill.Bill{AssetID: "c"}, bill.Bill{CardLast4: "1111"}, true},
		{"same card, other digits", bill.Bill{AssetID: "c", CardLast4: "1111"}, bill.Bill{AssetID: "c", CardLast4: "2222"}, true},
		{"status, merchant and exchanged amounts may change",
			bill.Bill{Trade: usd(1), Status: "WAITING_CLEARANCE", MerchantName: "A", Out: usd(5)},
			bill.Bill{Trade: usd(1), Status: "REFUNDED", MerchantName: "B", Out: usd(6), In: usd(6)}, true},
	} {
		if got, back := tt.a.Alike(&tt.b), tt.b.Alike(&tt.a); got != tt.want || back != tt.want {
			t.Errorf("%s: Alike = %t, the other way round %t, want %t", tt.name, got, back, tt.want)
		}
	}
}

// The second of a bill is cut, not rounded, and belongs to UTC.
func TestSecond(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 7, 59, 59, 999_000_000, time.FixedZone("+08:00", 8*3600))
	b := bill.Bill{TransactionTime: at}
	if got, want := b.Second(), time.Date(2026, 2, 28, 23, 59, 59, 0, time.UTC).Unix(); got != want {
		t.Errorf("Second() of %s = %d, want %d", at, got, want)
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection reset")
	for _, tt := range []struct {
		in   bill.Failure
		want string
	}{
		{bill.Failure{Outcome: bill.NoAnswer, Op: "queryBillList", Message: "proxy page", Code: "HTTP_502"}, "queryBillList got no answer: proxy page (HTTP_502)"},
		{bill.Failure{Outcome: bill.Unknown, Op: "queryBillList", Message: "later", Code: "UNKNOWN_EXCEPTION"}, "queryBillList ended unknown: later (UNKNOWN_EXCEPTION)"},
		{bill.Failure{Outcome: bill.RefusedRequest, Op: "queryBillList", Message: "bad date"}, "queryBillList refused: bad date"},
		{bill.Failure{Outcome: bill.RefusedUs, Op: "queryBillList", Message: "no contract", Code: "X", Unverified: true}, "queryBillList refused: no contract (X) (unverified)"},
	} {
		tt.in.Err = cause
		if got := tt.in.Error(); got != tt.want {
			t.Errorf("Error() = %q, want %q", got, tt.want)
		}
		err := fmt.Errorf("reading page 7: %w", &tt.in)
		if f, ok := bill.AsFailure(err); !ok || f != &tt.in || !errors.Is(err, cause) {
			t.Errorf("AsFailure(%v) = %v, %t; its cause is found: %t", err, f, ok, errors.Is(err, cause))
		}
	}
	if _, ok := bill.AsFailure(cause); ok {
		t.Errorf("AsFailure(%v) finds one", cause)
	}
}

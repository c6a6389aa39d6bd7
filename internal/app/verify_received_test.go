package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"billsync/internal/app"
	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/store"
)

const (
	billsSaid = `SELECT order_no || ' ' || coalesce(bill_status, '') || ' ' || coalesce(out_amount, '') || ' ' || coalesce(out_currency, '') || ' ' || coalesce(in_amount, '') ||
		' ' || coalesce(last_update, '') || ' ' || coalesce(merchant_name, '') || ' ' || transaction_date FROM bills
		UNION ALL SELECT 'before ' || bill_status || ' ' || out_amount FROM bill_states ORDER BY 1`
	postingsSaid = "SELECT line_id || ' ' || kind || ' ' || amount || ' ' || posting_date || ' ' || effect_date || ' ' || reason FROM postings ORDER BY bill_id, line"
)

// settled has some bills in the books, one of which cleared after it was first seen.
func settled(t *testing.T) *office {
	t.Helper()
	o := newOffice(t)
	o.ledger.Add("", o.entry("O1", "SUCCESS", 50, 1000), o.entry("O2", "SUCCESS", 40, 2000))
	o.ledger.Add("", o.entry("O3", "WAITING_CLEARANCE", 30, 3000))
	o.sync()
	o.clock.move(time.Hour)
	o.ledger.Update("", "O3", func(e *simulator.Entry) { e.Status, e.LastUpdate = "SUCCESS", o.clock.now() })
	o.sync()
	return o
}

// entry is a bill of the API that was made so many hours ago.
func (o *office) entry(order, status string, hours int, out int64) simulator.Entry {
	at := o.clock.now().Add(-time.Duration(hours) * time.Hour)
	return simulator.Entry{Bill: bill.Bill{
		OrderNo: order, TransactionTime: at, LastUpdate: at, Status: status, Out: &bill.Amount{Currency: "USD", Value: out}, MerchantName: "Shop " + order,
	}}
}

func (o *office) sync() {
	o.t.Helper()
	if _, err := o.app("").Sync(o.t.Context(), app.SyncOptions{Trigger: "sync"}); err != nil {
		o.t.Fatalf("Sync = %v", err)
	}
}

func expectSame(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What somebody changes in bills by hand is told, and is not what the books are made of:
// a repair puts back what was received.
func TestVerifyTellsWhatWasChangedByHand(t *testing.T) {
	t.Parallel()
	for change, want := range map[string]string{
		"UPDATE bills SET out_amount = 5000 WHERE order_no = 'O1'":                                                                      "out_amount is 5000, and 1000 was received",
		"UPDATE bills SET out_amount = NULL, out_currency = NULL WHERE order_no = 'O1'":                                                 `out_amount is nothing, and 1000 was received; out_currency is nothing, and "USD" was received`,
		"UPDATE bills SET in_amount = 7, in_currency = 'USD' WHERE order_no = 'O1'":                                                     "in_amount is 7, and nothing was received",
		"UPDATE bills SET bill_status = 'CANCELLED' WHERE order_no = 'O1'":                                                              `bill_status is "CANCELLED", and "SUCCESS" was received`,
		"UPDATE bills SET last_update = '2026-01-01T00:00:00.000Z' WHERE order_no = 'O1'":                                               `last_update is "2026-01-01T00:00:00.000Z", and `,
		"UPDATE bills SET merchant_name = 'Other' WHERE order_no = 'O1'":                                                                `merchant_name is "Other", and "Shop O1" was received`,
		"UPDATE bills SET transaction_date = '2026-01-01' WHERE order_no = 'O1'":                                                        `transaction_date is "2026-01-01", and `,
		"UPDATE bill_states SET out_amount = 9":                                                                                         "somebody changed its state until ",
		"UPDATE bills SET out_amount = 1, merchant_name = 'x', in_amount = 2, exchange_rate = 1, fail_desc = 'C' WHERE order_no = 'O1'": "; and 2 more",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			o := settled(t)
			bills, postings := o.query(billsSaid), o.query(postingsSaid)
			if v, err := o.app("").Verify(t.Context(), app.VerifyOptions{Offline: true}); err != nil || len(v.Books.Findings) > 0 {
				t.Fatalf("Verify, nothing changed = %+v, %v", v.Books, err)
			}
			o.behind(change)
			v, err := o.app("").Verify(t.Context(), app.VerifyOptions{Offline: true})
			expectError(t, "Verify", err, 3, "1 bill is not what was received", "puts back what was received")
			told := slices.DeleteFunc(slices.Clone(v.Books.Findings), func(f store.BooksFinding) bool { return !f.Altered }) // sums follow labels
			if len(told) != 1 || v.Books.Altered != 1 || !strings.HasPrefix(told[0].Subject, "bill ") || !strings.Contains(told[0].Reason, want) {
				t.Errorf("findings = %+v, want one with %q", v.Books.Findings, want)
			}
			o.sync() // which does not mend it: the API says the same
			if v, err := o.app("").Verify(t.Context(), app.VerifyOptions{Repair: true}); err != nil || len(v.Books.Findings) > 0 {
				t.Errorf("Verify with Repair = %+v, %v", v.Books, err)
			}
			expectSame(t, "bills", o.query(billsSaid), bills)
			expectSame(t, "postings", o.query(postingsSaid), postings)
		})
	}
}

// Where nothing tells any more what was received, or another bill may be meant, a repair
// books nothing.
func TestVerifyDoubts(t *testing.T) {
	t.Parallel()
	for change, want := range map[string]string{
		`UPDATE bills SET raw = replace(raw, '1000', '1'), out_amount = 1 WHERE order_no = 'O1'`: "raw is not what content_hash stands for",
		"UPDATE bills SET raw = '{}' WHERE order_no = 'O1'":                                      "raw is not what content_hash stands for",
		"UPDATE bills SET content_hash = 'x', out_amount = 1 WHERE order_no = 'O1'":              "raw is not what content_hash stands for",
		"UPDATE bills SET order_no = 'O9', out_amount = 1 WHERE order_no = 'O1'":                 `order_no is "O9", and "O1" was received`,
	} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			o := settled(t)
			postings := o.query(postingsSaid)
			o.behind(change)
			for _, repair := range []bool{false, true} {
				v, err := o.app("").Verify(t.Context(), app.VerifyOptions{Repair: repair, Offline: !repair})
				expectError(t, fmt.Sprintf("Verify, repaired %t", repair), err, 3, "1 bill is not what was received", "compare with a backup")
				if len(v.Books.Findings) != 1 || !strings.Contains(v.Books.Findings[0].Reason, want) {
					t.Errorf("repaired %t: findings = %+v, want one with %q", repair, v.Books.Findings, want)
				}
			}
			expectSame(t, "postings", o.query(postingsSaid), postings)
		})
	}
}

// However many bills were changed by hand, what else is wrong is told with them.
func TestVerifyTellsOfBooksBesideManyBills(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for i := range 25 {
		o.ledger.Add("", o.entry(fmt.Sprintf("M%d", i), "SUCCESS", 30+i, 1000))
	}
	o.sync()
	o.behind("UPDATE bills SET exchange_rate = '9'")
	v, err := o.app("").Verify(t.Context(), app.VerifyOptions{Offline: true})
	expectError(t, "Verify", err, 3, "25 bills are not what was received")
	if n := len(v.Books.Findings); n != 20 || strings.Contains(err.Error(), "the books are not") {
		t.Errorf("%d findings, %v; want 20 bills alone", n, err)
	}
	o.behind("UPDATE postings SET effect_date = '2026-02-30' WHERE bill_id = (SELECT min(bill_id) FROM postings)")
	v, err = o.app("").Verify(t.Context(), app.VerifyOptions{Offline: true})
	expectError(t, "Verify", err, 3, "25 bills are not what was received", "the books are not what the bills say")
	if n := len(v.Books.Findings); n != 21 || !strings.Contains(v.Books.Findings[n-1].Reason, "2026-02-30") {
		t.Errorf("findings = %+v, want 20 bills and the day that is none", v.Books.Findings)
	}
}

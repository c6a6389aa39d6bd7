package store_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"billsync"
	"billsync/internal/bill"
	"billsync/internal/store"
)

// The decimals of the view are those that the program prints.
func TestBillDetailsDecimals(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	values := []int64{0, 1, -1, 5, -5, 9, 10, 99, 100, -100, 999, 1000, 1001, 1050, -1050, 123456789, 999999999999999999, -999999999999999999}
	var bills []*bill.Bill
	for _, currency := range []string{"USD", "CNH", "JPY", "KWD", "XXX"} {
		for _, v := range values {
			b := plain(fmt.Sprintf("%s %d", currency, v), day(2))
			b.Trade = &bill.Amount{Currency: currency, Value: v}
			b.Out = &bill.Amount{Currency: currency, Value: v}
			b.In = &bill.Amount{Currency: currency, Value: v}
			bills = append(bills, b)
		}
	}
	insert(t, s, bills...)
	// The bills have no status, so open_bills shows them all.
	for i, r := range grid(t, s, "SELECT trade_decimal, out_decimal, trade_amount, out_amount, trade_currency, out_currency FROM open_bills ORDER BY bill_id") {
		a := *bills[i].Trade
		same(t, fmt.Sprintf("open_bills of %#v", a), r, []any{a.Decimal(), a.Decimal(), a.Value, a.Value, a.Currency, a.Currency})
	}
	for i, r := range grid(t, s, "SELECT trade_decimal, out_decimal, in_decimal, trade_amount, out_amount, in_amount, trade_currency FROM bill_details ORDER BY bill_id") {
		a := *bills[i].Trade
		same(t, fmt.Sprintf("bill_details of %#v", a), r, []any{a.Decimal(), a.Decimal(), a.Decimal(), a.Value, a.Value, a.Value, a.Currency})
	}
}

func TestBillDetails(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	mixed, bare, words, noWords, gone := plain("mixed", day(2)), plain("bare", day(2)), plain("words", day(2)), plain("no words", day(2)), plain("gone", day(2))
	mixed.Trade, mixed.Out, mixed.In = &bill.Amount{Currency: "JPY", Value: 1050}, usd(1050), &bill.Amount{Currency: "KWD", Value: -1050}
	words.FailCode, words.FailDesc = "SYSTEM_ERROR", "Its own words."
	noWords.FailCode = "SYSTEM_ERROR"
	insert(t, s, mixed, bare, words, noWords, gone)
	execute(t, raw(t, s.Path()), "UPDATE bills SET withdrawn_at = '2026-02-02T00:00:00.000Z' WHERE order_no = 'gone'")
	same(t, "bill_details", grid(t, s, "SELECT order_no, trade_decimal, out_decimal, in_decimal, fail_desc, fail_category, fail_advice IS NOT NULL FROM bill_details ORDER BY order_no"), [][]any{
		{"bare", nil, nil, nil, nil, nil, int64(0)},
		{"mixed", "1050", "10.50", "-1.050", nil, nil, int64(0)},
		{"no words", nil, nil, nil, "System error.", "system", int64(1)},
		{"words", nil, nil, nil, "Its own words.", "system", int64(1)},
	})
}

// spent is a bill that moved money.
func spent(order, status string, at time.Time, out, in *bill.Amount) *bill.Bill {
	b := plain(order, at)
	b.Status, b.Out, b.In = status, out, in
	return b
}

// Currencies are never mixed, and what moved no money is left out.
func TestMonthlySpend(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	amount := func(currency string, v int64) *bill.Amount { return &bill.Amount{Currency: currency, Value: v} }
	february := time.Date(2026, 1, 31, 16, 0, 0, 0, time.UTC) // in Shanghai
	insert(t, s,
		spent("a", "SUCCESS", day(3), usd(1000), nil),
		spent("b", "WAITING_CLEARANCE", day(4), usd(250), nil),
		spent("c", "PARTIAL_REFUND", day(5), usd(5000), usd(2000)),
		spent("d", "REFUNDED", day(5), usd(700), amount("EUR", 650)), // came back in another currency
		spent("e", "FAILED", day(5), usd(100_000), usd(100_000)),
		spent("f", "CANCELLED", day(5), usd(100_000), nil),
		spent("g", "SUCCESS", day(5), amount("JPY", 1050), nil),
		spent("h", "SUCCESS", day(5), amount("KWD", 1050), nil),
		spent("i", "SUCCESS", day(5), amount("XXX", 1050), nil),
		spent("j", "SUCCESS", february, usd(1), nil),
		spent("k", "SUCCESS", february.Add(-time.Millisecond), usd(10), nil),
		spent("l", "BRAND_NEW", day(6), usd(3), nil), // an unknown status counts
		spent("m", "", day(6), usd(4), nil),
		spent("n", "SUCCESS", day(6), nil, nil),
		spent("o", "SUCCESS", day(6), usd(900), nil),
		spent("p", "WAITING_DEDUCT", day(6), usd(5), nil),
		spent("q", "PARTIAL_CANCEL", day(6), usd(6), nil),
	)
	execute(t, raw(t, s.Path()), "UPDATE bills SET withdrawn_at = '2026-02-02T00:00:00.000Z' WHERE order_no = 'o'")
	same(t, "monthly_spend", grid(t, s, `
		SELECT account, month, currency, bills, uncleared, out_amount, in_amount, net_amount, net_decimal
		FROM monthly_spend ORDER BY month, currency`), [][]any{
		{"main", "2026-01", "EUR", int64(0), int64(0), int64(0), int64(650), int64(-650), "-6.50"},
		{"main", "2026-01", "JPY", int64(1), int64(0), int64(1050), int64(0), int64(1050), "1050"},
		{"main", "2026-01", "KWD", int64(1), int64(0), int64(1050), int64(0), int64(1050), "1.050"},
		{"main", "2026-01", "USD", int64(9), int64(3), int64(6978), int64(2000), int64(4978), "49.78"},
		{"main", "2026-01", "XXX", int64(1), int64(0), int64(1050), int64(0), int64(1050), "1050"},
		{"main", "2026-02", "USD", int64(1), int64(0), int64(1), int64(0), int64(1), "0.01"},
	})
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.ByCurrency()
		same(t, "ByCurrency", got, []store.Count{
			{Name: "USD", Bills: 10, Amount: 6979, Back: 2000}, {Name: "JPY", Bills: 1, Amount: 1050}, {Name: "KWD", Bills: 1, Amount: 1050},
			{Name: "XXX", Bills: 1, Amount: 1050}, {Name: "EUR", Back: 650},
		})
		return err
	})
}

func TestFailuresByReason(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	failed := func(order, status, code, card, merchant string, at time.Time) *bill.Bill {
		b := plain(order, at)
		b.Status, b.FailCode, b.AssetID, b.MerchantName = status, code, card, merchant
		return b
	}
	insert(t, s,
		failed("a", "FAILED", "WORLD_CARD_OVER_LIMIT", "c1", "m1", day(2)),
		failed("b", "FAILED", "WORLD_CARD_OVER_LIMIT", "c1", "m2", day(4)),
		failed("c", "FAILED", "WORLD_CARD_OVER_LIMIT", "c2", "m2", day(3)),
		failed("d", "FAILED", "NEW_CODE", "c1", "m1", day(5)),
		failed("e", "FAILED", "", "c1", "m1", day(6)),
		failed("f", "SUCCESS", "SYSTEM_ERROR", "c1", "m1", day(6)), // a reason alone is no failure
		failed("g", "FAILED", "SYSTEM_ERROR", "c1", "m1", day(6)),
	)
	execute(t, raw(t, s.Path()), "UPDATE bills SET withdrawn_at = '2026-02-02T00:00:00.000Z' WHERE order_no = 'g'")
	same(t, "failures_by_reason", grid(t, s, "SELECT fail_code, error_desc, category, bills, cards, merchants, first_time, last_time FROM failures_by_reason"), [][]any{
		{"WORLD_CARD_OVER_LIMIT", "Insufficient daily/monthly limit.", "limit", int64(3), int64(2), int64(2), dayText(2), dayText(4)},
		{nil, nil, nil, int64(1), int64(1), int64(1), dayText(6), dayText(6)},
		{"NEW_CODE", "NEW_CODE", "unknown", int64(1), int64(1), int64(1), dayText(5), dayText(5)},
	})
}

func TestOpenBills(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	var bills []*bill.Bill
	for i, status := range []string{"BRAND_NEW", "", "WAITING_CLEARANCE", "SUCCESS", "FAILED", "REFUNDED", "CANCELLED", "PARTIAL_CANCEL", "PARTIAL_REFUND", "WAITING_DEDUCT"} {
		bills = append(bills, spent(fmt.Sprint(i), status, day(20-i), usd(1), nil))
	}
	bills = append(bills, spent("gone", "WAITING_CLEARANCE", day(1), usd(1), nil))
	insert(t, s, bills...)
	execute(t, raw(t, s.Path()), "UPDATE bills SET withdrawn_at = '2026-02-02T00:00:00.000Z' WHERE order_no = 'gone'")
	same(t, "open_bills, the oldest first", grid(t, s, "SELECT bill_status FROM open_bills"), [][]any{
		{"WAITING_DEDUCT"}, {"PARTIAL_CANCEL"}, {"WAITING_CLEARANCE"}, {nil}, {"BRAND_NEW"},
	})
	same(t, "amounts of open_bills", grid(t, s, "SELECT DISTINCT trade_decimal, trade_amount, out_decimal, out_amount FROM open_bills"), [][]any{{nil, nil, "0.01", int64(1)}})
	age := grid(t, s, "SELECT age_days FROM open_bills WHERE bill_status = 'BRAND_NEW'")[0][0].(int64)
	if want := int64(time.Since(day(20)) / (24 * time.Hour)); age != want && age != want+1 {
		t.Errorf("age_days of a bill of %s = %d, want %d", day(20), age, want)
	}
}

func TestOrdersWithSeveralBills(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	update(t, s, func(tx *store.Tx) error {
		if err := tx.SaveAccount(bill.Account{Name: "other"}, day(1), t0); err != nil {
			return err
		}
		_, err := tx.InsertBill("other", plain("single", day(2)), 0, t0, t0, 1)
		return err
	})
	insert(t, s, spent("twice", "SUCCESS", day(3), nil, nil), spent("twice", "FAILED", day(2), nil, nil), plain("single", day(4)),
		plain("gone", day(5)), plain("gone", day(6)))
	execute(t, raw(t, s.Path()), "UPDATE bills SET withdrawn_at = '2026-02-02T00:00:00.000Z' WHERE order_no = 'gone' AND ordinal = 4")
	same(t, "orders_with_several_bills", grid(t, s, "SELECT account, order_no, bills, first_time, last_time FROM orders_with_several_bills"), [][]any{
		{"main", "twice", int64(2), dayText(2), dayText(3)},
	})
}

// What is proved without a gap, up to the newest proof.
func TestCoverage(t *testing.T) {
	t.Parallel()
	type w struct {
		from, to int
		state    bill.State
	}
	const done, pending, waiting, failed, reading = bill.Done, bill.Pending, bill.Waiting, bill.Failed, bill.Reading
	tail := func(from, until int, state bill.State) *bill.Tail {
		x := &bill.Tail{Account: "main", CoveredFrom: day(from), Progress: bill.Progress{State: state, NextPage: 1}}
		if until > 0 {
			x.ProvedUntil = day(until)
		}
		return x
	}
	for _, tt := range []struct {
		name     string
		windows  []w
		tail     *bill.Tail
		refused  bool
		rejected bool
		from, to int // 0: nothing is proved
		complete bool
	}{
		{name: "nothing"},
		{name: "nothing read yet", windows: []w{{1, 10, pending}}},
		{name: "one window", windows: []w{{1, 10, done}}, from: 1, to: 10, complete: true},
		{name: "overlapping windows", windows: []w{{1, 10, done}, {9, 20, done}, {19, 30, done}}, from: 1, to: 30, complete: true},
		{name: "ends that touch", windows: []w{{1, 10, done}, {10, 20, done}}, from: 1, to: 20, complete: true},
		{name: "a gap between proofs", windows: []w{{1, 10, done}, {11, 20, done}}, from: 11, to: 20},
		{name: "two gaps", windows: []w{{1, 5, done}, {6, 8, done}, {9, 20, done}, {19, 30, done}}, from: 9, to: 30},
		{name: "a window within another", windows: []w{{1, 30, done}, {5, 10, done}, {12, 15, done}, {29, 40, done}}, from: 1, to: 40, complete: true},
		{name: "newest first, oldest not read", windows: []w{{1, 10, pending}, {9, 20, done}, {19, 30, done}}, from: 9, to: 30},
		{name: "a hole in the middle", windows: []w{{1, 10, done}, {9, 20, failed}, {19, 30, done}}, from: 19, to: 30},
		{name: "the newest waits", windows: []w{{1, 10, done}, {9, 20, waiting}}, from: 1, to: 10},
		{name: "the newest is being read", windows: []w{{1, 10, done}, {9, 20, reading}}, from: 1, to: 10},
		{name: "not back to history_start", windows: []w{{2, 10, done}}, from: 2, to: 10},
		{name: "with a tail", windows: []w{{1, 10, done}}, tail: tail(10, 40, done), from: 1, to: 40, complete: true},
		{name: "a tail not read yet", windows: []w{{1, 10, done}}, tail: tail(10, 0, pending), from: 1, to: 10, complete: true},
		{name: "a tail that waits", windows: []w{{1, 10, done}}, tail: tail(10, 40, waiting), from: 1, to: 40},
		{name: "a tail that failed", windows: []w{{1, 10, done}}, tail: tail(10, 40, failed), from: 1, to: 40},
		{name: "a tail beyond a window that waits", windows: []w{{1, 10, done}, {9, 20, waiting}}, tail: tail(20, 40, done), from: 20, to: 40},
		{name: "refused", windows: []w{{1, 10, done}}, refused: true, from: 1, to: 10},
		{name: "an item nobody understood", windows: []w{{1, 10, done}}, rejected: true, from: 1, to: 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := withAccount(t)
			want := store.Coverage{Account: "main", HistoryStart: day(1), Windows: len(tt.windows), Complete: tt.complete}
			if tt.from > 0 {
				want.From, want.To = day(tt.from), day(tt.to)
			}
			update(t, s, func(tx *store.Tx) error {
				// Another account's proofs are its own.
				if err := tx.SaveAccount(bill.Account{Name: "other"}, day(1), t0); err != nil {
					return err
				}
				if err := tx.InsertWindow(&bill.Window{Account: "other", Span: bill.Span{Start: day(-50), End: day(500)}, Zone: "UTC", Progress: bill.Progress{State: done, NextPage: 1}}); err != nil {
					return err
				}
				for _, x := range tt.windows {
					if x.state == done {
						want.WindowsProved++
					}
					if err := tx.InsertWindow(&bill.Window{Account: "main", Span: bill.Span{Start: day(x.from), End: day(x.to)}, Zone: "UTC", Progress: bill.Progress{State: x.state, NextPage: 1}}); err != nil {
						return err
					}
				}
				if tt.tail != nil {
					if err := tx.SaveTail(tt.tail); err != nil {
						return err
					}
				}
				if tt.refused {
					if err := tx.SaveRefusal("main", &bill.Failure{Outcome: bill.RefusedUs}, t0); err != nil {
						return err
					}
				}
				if tt.rejected {
					want.Unreadable = 1
					return tx.Reject(&bill.Item{Rejected: true, Bill: bill.Bill{Hash: "h"}}, 0, "why", &bill.Pass{Account: "main", Span: bill.Span{Start: day(1), End: day(2)}}, 1, t0)
				}
				return nil
			})
			view(t, s, func(tx *store.Tx) error {
				got, err := tx.Coverage()
				if err == nil && len(got) == 2 {
					same(t, "Coverage", got[0], want)
					same(t, "Coverage of the other account", got[1].Complete, true)
				} else {
					t.Errorf("Coverage = %v, %v, want two rows", got, err)
				}
				return err
			})
		})
	}
}

func TestByStatus(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	insert(t, s, spent("a", "SUCCESS", day(2), nil, nil), spent("b", "FAILED", day(2), nil, nil), spent("c", "FAILED", day(2), nil, nil),
		spent("d", "", day(2), nil, nil), spent("e", "SUCCESS", day(2), nil, nil), spent("f", "FAILED", day(2), nil, nil))
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.ByStatus()
		same(t, "ByStatus", got, []store.Count{{Name: "FAILED", Bills: 3}, {Name: "SUCCESS", Bills: 2}, {Name: "(none)", Bills: 1}})
		return err
	})
}

// contractColumns are those the contract fixes.
var contractColumns = map[string]string{
	"bills": `bill_id account order_no bill_no bill_type bill_status asset_id masked_card_no card_last4 card_nick_name transaction_time
		transaction_date merchant_name budget_account_id trade_amount trade_currency out_amount out_currency in_amount in_currency
		exchange_rate trade_country fail_code fail_desc last_update metadata raw first_seen_at changed_at withdrawn_at`,
	"fail_reasons": "error_code error_desc category advice documented",
	"windows": `account window_start window_end state next_page total_count stored_count attempts next_attempt_at last_error
		proved_at`,
	"rejected_items":            "accepted_at",
	"runs":                      "started_at finished_at trigger outcome requests bills_read bills_new bills_changed error",
	"bill_history":              "valid_from valid_to run_id bill_id order_no bill_status trade_amount",
	"bill_details":              "",
	"monthly_spend":             "",
	"failures_by_reason":        "",
	"open_bills":                "",
	"orders_with_several_bills": "",
	"coverage":                  "account proved_from proved_to complete",
}

func TestContractNames(t *testing.T) {
	t.Parallel()
	s := open(t)
	for table, columns := range contractColumns {
		var have []string
		for _, r := range grid(t, s, "SELECT name FROM pragma_table_info(?)", table) {
			have = append(have, r[0].(string))
		}
		if len(have) == 0 {
			t.Errorf("there is no %s", table)
		}
		for _, want := range strings.Fields(columns) {
			if !slices.Contains(have, want) {
				t.Errorf("%s has no column %s", table, want)
			}
		}
	}
	same(t, "tables that are not strict", grid(t, s, "SELECT name FROM pragma_table_list WHERE type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'"), [][]any(nil))
}

// The schema is its own manual: a comment stands before every table and view.
func TestSchemaIsCommented(t *testing.T) {
	t.Parallel()
	lines := strings.Split(billsync.Schema, "\n")
	creates := regexp.MustCompile(`^CREATE (TABLE|VIEW) (\w+)`)
	var found []string
	for i, line := range lines {
		m := creates.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		found = append(found, m[2])
		if i == 0 || !strings.HasPrefix(lines[i-1], "-- ") {
			t.Errorf("schema.sql:%d: no comment before %s %s", i+1, strings.ToLower(m[1]), m[2])
		}
	}
	var have []string
	for _, r := range grid(t, open(t), "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'") {
		have = append(have, r[0].(string))
	}
	slices.Sort(found)
	slices.Sort(have)
	same(t, "tables and views found in schema.sql", found, have)
}

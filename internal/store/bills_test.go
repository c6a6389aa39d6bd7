package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// full is a bill in which no two values are alike, n telling its states apart.
func full(n int) *bill.Bill {
	s := func(what string) string { return fmt.Sprintf("%s %d", what, n) }
	return &bill.Bill{
		OrderNo: "order 1", BillNo: s("bill no"), BillType: s("type"), Status: s("status"), AssetID: s("asset"),
		MaskedCardNo: s("masked"), CardLast4: fmt.Sprintf("%04d", n), CardNickName: s("nick"),
		TransactionTime: t0, MerchantName: s("merchant"), BudgetAccountID: s("budget"),
		Trade: &bill.Amount{Currency: "USD", Value: int64(1000 + n)}, Out: &bill.Amount{Currency: "EUR", Value: int64(2000 + n)},
		In: &bill.Amount{Currency: "GBP", Value: int64(-3000 - n)}, ExchangeRate: s("rate"), TradeCountry: s("country"),
		FailCode: s("FAIL"), FailDesc: s("fail desc"), LastUpdate: day(n), LastUpdateRaw: "not stored",
		Metadata: s("metadata"), Hash: s("hash"), Raw: []byte(s("raw")),
	}
}

const (
	stamp0 = "2026-01-31T18:30:00.123Z" // t0
	noon   = "2026-01-%02dT12:00:00.000Z"
)

func dayText(n int) string { return fmt.Sprintf(noon, n) }

// row is full(n) as it stands in a table.
func row(n int64) map[string]any {
	s := func(what string) string { return fmt.Sprintf("%s %d", what, n) }
	return map[string]any{
		"bill_no": s("bill no"), "bill_type": s("type"), "bill_status": s("status"), "asset_id": s("asset"),
		"masked_card_no": s("masked"), "card_last4": fmt.Sprintf("%04d", n), "card_nick_name": s("nick"),
		"transaction_time": stamp0, "transaction_date": "2026-02-01", // in Shanghai it is the next day
		"merchant_name": s("merchant"), "budget_account_id": s("budget"),
		"trade_amount": 1000 + n, "trade_currency": "USD", "out_amount": 2000 + n, "out_currency": "EUR",
		"in_amount": -3000 - n, "in_currency": "GBP", "exchange_rate": s("rate"), "trade_country": s("country"),
		"fail_code": s("FAIL"), "fail_desc": s("fail desc"), "last_update": dayText(int(n)), "metadata": s("metadata"),
		"content_hash": s("hash"), "raw": s("raw"), "withdrawn_at": nil,
	}
}

func with(m map[string]any, more map[string]any) map[string]any {
	for k, v := range more {
		m[k] = v
	}
	return m
}

// Every column of two states of a bill comes back as it was stored, and each
// value in the column that is its own.
func TestBillColumns(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	var id int64
	update(t, s, func(tx *store.Tx) (err error) {
		id, err = tx.InsertBill("main", full(1), 3, day(10), day(9), 5)
		return err
	})
	inserted := with(row(1), map[string]any{
		"bill_id": id, "account": "main", "order_no": "order 1", "ordinal": int64(3), "first_seen_at": dayText(10),
		"changed_at": dayText(10), "read_at": dayText(9), "run_id": int64(5), "notified_at": nil,
	})
	same(t, "bills after InsertBill", query(t, s, "SELECT * FROM bills"), []map[string]any{inserted})
	same(t, "bill_states after InsertBill", query(t, s, "SELECT * FROM bill_states"), []map[string]any(nil))

	update(t, s, func(tx *store.Tx) error { return tx.UpdateBill(id, full(2), 3, day(12), day(11), 6) })
	updated := with(row(2), map[string]any{
		"bill_id": id, "account": "main", "order_no": "order 1", "ordinal": int64(3), "first_seen_at": dayText(10),
		"changed_at": dayText(12), "read_at": dayText(11), "run_id": int64(6), "notified_at": nil,
	})
	same(t, "bills after UpdateBill", query(t, s, "SELECT * FROM bills"), []map[string]any{updated})
	kept := with(row(1), map[string]any{
		"state_id": int64(1), "bill_id": id, "valid_from": dayText(10), "valid_to": dayText(12), "run_id": int64(5),
	})
	same(t, "bill_states after UpdateBill", query(t, s, "SELECT * FROM bill_states"), []map[string]any{kept})

	// The view says the same of both, column by column.
	common := func(m map[string]any, from, to any) map[string]any {
		m = with(m, map[string]any{"account": "main", "order_no": "order 1", "ordinal": int64(3), "bill_id": id, "valid_from": from, "valid_to": to})
		delete(m, "content_hash")
		return m
	}
	same(t, "bill_history", query(t, s, "SELECT * FROM bill_history ORDER BY valid_from"), []map[string]any{
		common(with(row(1), map[string]any{"run_id": int64(5)}), dayText(10), dayText(12)),
		common(with(row(2), map[string]any{"run_id": int64(6)}), dayText(12), nil),
	})
}

// What the provider did not send is NULL, in a new row and in a changed one.
func TestBillNulls(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	bare := &bill.Bill{OrderNo: "order 1", TransactionTime: t0, Hash: "h", Raw: []byte("{}")}
	id := insert(t, s, bare)[0]
	empty := map[string]any{}
	for k := range row(1) {
		empty[k] = nil
	}
	empty = with(empty, map[string]any{
		"transaction_time": stamp0, "transaction_date": "2026-02-01", "content_hash": "h", "raw": "{}",
		"bill_id": id, "account": "main", "order_no": "order 1", "ordinal": int64(0), "first_seen_at": stamp0,
		"changed_at": stamp0, "read_at": stamp0, "run_id": int64(1), "notified_at": nil,
	})
	same(t, "an empty bill", query(t, s, "SELECT * FROM bills"), []map[string]any{empty})
	update(t, s, func(tx *store.Tx) error { return tx.UpdateBill(id, full(1), 0, day(40), day(40), 2) })
	update(t, s, func(tx *store.Tx) error { return tx.UpdateBill(id, bare, 0, t0, t0, 1) })
	same(t, "a bill that lost its values", query(t, s, "SELECT * FROM bills"), []map[string]any{empty})
}

// The nickname is the user's own label: its change is no change of the bill.
func TestNickname(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	id := insert(t, s, full(1))[0]
	before := query(t, s, "SELECT * FROM bills")[0]
	for _, tt := range []struct {
		nick string
		want any
	}{{"new label", "new label"}, {"", nil}} {
		renamed := full(2)
		renamed.CardNickName = tt.nick
		update(t, s, func(tx *store.Tx) error { return tx.UpdateNickName(id, renamed.CardNickName) })
		same(t, "bills after a new nickname", query(t, s, "SELECT * FROM bills"),
			[]map[string]any{with(before, map[string]any{"card_nick_name": tt.want})})
	}
	same(t, "states after a new nickname", grid(t, s, "SELECT count(*) FROM bill_states"), [][]any{{int64(0)}})
}

// The books as of a moment, as schema.sql says to ask for them.
func TestHistoryAsOf(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	var id int64
	update(t, s, func(tx *store.Tx) (err error) {
		if id, err = tx.InsertBill("main", full(1), 0, day(1), day(1), 1); err != nil {
			return err
		}
		if err := tx.UpdateBill(id, full(2), 0, day(3), day(3), 2); err != nil {
			return err
		}
		return tx.UpdateBill(id, full(3), 0, day(5), day(5), 3)
	})
	for _, tt := range []struct {
		at   time.Time
		want [][]any
	}{
		{day(1).Add(-time.Millisecond), nil},
		{day(1), [][]any{{"status 1"}}},
		{day(3).Add(-time.Millisecond), [][]any{{"status 1"}}},
		{day(3), [][]any{{"status 2"}}},
		{day(4), [][]any{{"status 2"}}},
		{day(5), [][]any{{"status 3"}}},
		{day(300), [][]any{{"status 3"}}},
	} {
		at := tt.at.Format("2006-01-02T15:04:05.000Z")
		got := grid(t, s, "SELECT bill_status FROM bill_history WHERE valid_from <= ?1 AND (valid_to IS NULL OR valid_to > ?1)", at)
		same(t, "bill_history as of "+at, got, tt.want)
	}
}

// A later state takes the mark of a withdrawal away; the state before keeps it.
func TestWithdrawnComesBack(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	id := insert(t, s, full(1))[0]
	execute(t, raw(t, s.Path()), "UPDATE bills SET withdrawn_at = '2026-02-02T00:00:00.000Z'")
	view(t, s, func(tx *store.Tx) error {
		known, err := tx.KnownByOrders("main", []string{"order 1"})
		if err == nil && (len(known) != 1 || !known[0].Withdrawn) {
			t.Errorf("KnownByOrders = %+v, want one bill, withdrawn", known)
		}
		return err
	})
	update(t, s, func(tx *store.Tx) error { return tx.UpdateBill(id, full(2), 0, day(20), day(20), 2) })
	same(t, "withdrawn_at", grid(t, s, "SELECT withdrawn_at, (SELECT withdrawn_at FROM bill_states) FROM bills"),
		[][]any{{nil, "2026-02-02T00:00:00.000Z"}})
}

func TestKnown(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	update(t, s, func(tx *store.Tx) error { return tx.SaveAccount(bill.Account{Name: "other"}, day(1), t0) })
	var id, other int64
	update(t, s, func(tx *store.Tx) (err error) {
		if id, err = tx.InsertBill("main", full(1), 2, day(10), day(9), 5); err != nil {
			return err
		}
		if _, err = tx.InsertBill("main", plain("order 2", day(2)), 0, day(10), day(9), 5); err != nil {
			return err
		}
		other, err = tx.InsertBill("other", full(1), 0, day(10), day(9), 5)
		return err
	})
	want := bill.Known{
		ID: id, OrderNo: "order 1", BillNo: "bill no 1", Second: t0.Unix(), Ordinal: 2, Hash: "hash 1",
		Trade: usd(1001), AssetID: "asset 1", CardLast4: "0001", CardNickName: "nick 1", LastUpdate: day(1), ReadAt: day(9), RunID: 5,
	}
	view(t, s, func(tx *store.Tx) error {
		for _, tt := range []struct {
			call string
			ask  func() ([]bill.Known, error)
			want []bill.Known
		}{
			{"KnownByOrders(order 1)", func() ([]bill.Known, error) { return tx.KnownByOrders("main", []string{"order 1", "order 1", "none"}) }, []bill.Known{want}},
			{"KnownByBillNos(bill no 1)", func() ([]bill.Known, error) { return tx.KnownByBillNos("main", []string{"bill no 1"}) }, []bill.Known{want}},
			{"KnownByOrders()", func() ([]bill.Known, error) { return tx.KnownByOrders("main", nil) }, nil},
			{"KnownByBillNos(order 1)", func() ([]bill.Known, error) { return tx.KnownByBillNos("main", []string{"order 1"}) }, nil},
			{"KnownByOrders(order 2)", func() ([]bill.Known, error) { return tx.KnownByOrders("main", []string{"order 2"}) }, []bill.Known{
				{ID: id + 1, OrderNo: "order 2", Second: day(2).Unix(), Hash: "hash of order 2", ReadAt: day(9), RunID: 5},
			}},
		} {
			got, err := tt.ask()
			if err != nil {
				return fmt.Errorf("%s: %w", tt.call, err)
			}
			same(t, tt.call, got, tt.want)
		}
		return nil
	})
	if other == id {
		t.Errorf("two bills have the id %d", id)
	}
	// Odd texts are looked up as they are.
	odd := `a"b'c\d é 💳 ` + "\t"
	insert(t, s, plain(odd, day(3)))
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.KnownByOrders("main", []string{odd})
		if len(got) != 1 || got[0].OrderNo != odd {
			t.Errorf("KnownByOrders(%q) = %v", odd, got)
		}
		return err
	})
}

// The database itself refuses to hold a bill twice.
func TestIdentity(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	numbered := func(order, no string, at time.Time) *bill.Bill {
		b := plain(order, at)
		b.BillNo = no
		return b
	}
	for _, tt := range []struct {
		name    string
		b       *bill.Bill
		ordinal int
		ok      bool
	}{
		{"same order, second and ordinal", plain("A", at), 0, false},
		{"same second, another fraction", plain("A", at.Add(999*time.Millisecond)), 0, false},
		{"another ordinal", plain("A", at), 1, true},
		{"another second", plain("A", at.Add(time.Second)), 0, true},
		{"another order", plain("B", at), 0, true},
		{"the bill number under another order", numbered("C", "N", at), 0, false},
		{"another bill number", numbered("C", "M", at), 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := withAccount(t)
			insert(t, s, plain("A", at), numbered("Z", "N", at))
			id := int64(-1)
			err := s.Update(t.Context(), func(tx *store.Tx) (err error) {
				id, err = tx.InsertBill("main", tt.b, tt.ordinal, t0, t0, 1)
				return err
			})
			if (err == nil && id > 0) != tt.ok {
				t.Errorf("InsertBill = %d, %v, want ok %t", id, err, tt.ok)
			}
			// A number that is taken is an answer, anything else a mistake of ours.
			if taken := tt.b.BillNo == "N"; taken != (err == nil && id == 0) {
				t.Errorf("InsertBill = %d, %v, want the number to be taken: %t", id, err, taken)
			}
		})
	}
}

// The documented reasons in the words of the API's document.
var documented = [][]any{
	{"WORLD_CARD_BALANCE_NOT_ENOUGH", "Insufficient account balance."},
	{"WORLD_CARD_OVER_LIMIT", "Insufficient daily/monthly limit."},
	{"WORLD_CARD_AVS_RESULT", "AVS verification failed."},
	{"WORLD_CARD_ASSERT_ERROR", "The card has expired."},
	{"WORLD_CARD_SECURITY_REJECT", "Risk control rejection."},
	{"WORLD_CARD_INVALID_MERCHANT", "Invalid merchant."},
	{"UN_KNOWN_EXCEPTION", "Unknow reason."},
	{"WORLD_CARD_INVALID_AMOUNT", "Invalid payment amount."},
	{"WORLD_CARD_INVALID_CARD_NUMBER", "Invaild card number."},
	{"WORLD_CARD_EXPIRED_CARD", "Card expired."},
	{"WORLD_CARD_INCORRECT_PIN", "Incorrect PIN."},
	{"WORLD_CARD_INVALID_TRANSACTION", "Abnormal transaction."},
	{"WORLD_CARD_EXCEED_WITHDRAW_AMOUNT_LIMIT", "Withdrawal amount limit exceeded."},
	{"WORLD_CARD_EXCEED_WITHDRAW_FREQUENCY_LIMIT", "Withdrawal frequency limit exceeded."},
	{"WORLD_CARD_VERIFICATION_FAILED", "Verification failed."},
	{"WORLD_CARD_EXCEED_PIN_ALLOW_NUMBER", "Exceeded allowed PIN attempts."},
	{"WORLD_CARD_AUTHENTICATION_REQUIRED", "Authentication required."},
	{"WORLD_CARD_CVV2_FAILURE", "CVV2 verification failed."},
	{"WORLD_CARD_INVALID_CARD", "Invalid card."},
	{"BALANCE_ACCOUNT_NOT_AVAILABLE", "Account status abnormal."},
	{"SYSTEM_ERROR", "System error."},
}

func TestDocumentedReasons(t *testing.T) {
	t.Parallel()
	s := open(t)
	want := slices.SortedFunc(slices.Values(documented), func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
	same(t, "fail_reasons of a new database", grid(t, s, "SELECT error_code, error_desc FROM fail_reasons ORDER BY error_code"), want)
	same(t, "undocumented reasons in a new database", grid(t, s, "SELECT error_code FROM fail_reasons WHERE documented <> 1"), [][]any(nil))
	same(t, "reasons without words for a person", grid(t, s, `
		SELECT error_code FROM fail_reasons
		WHERE advice = '' OR category NOT IN ('funds', 'limit', 'card', 'verification', 'risk', 'merchant', 'account', 'system', 'unknown')`), [][]any(nil))
}

// A code that is not documented is added when a bill brings it, and again if
// the transaction that brought it was rolled back.
func TestUnknownReason(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	failed := func(order, code, desc string) *bill.Bill {
		b := plain(order, day(2))
		b.FailCode, b.FailDesc = code, desc
		return b
	}
	insert(t, s, failed("A", "NEW_CODE", "In its own words."), failed("B", "NEW_CODE", "In others."), failed("C", "SILENT", ""),
		failed("D", "SYSTEM_ERROR", "Something else."))
	const reasons = "SELECT error_code, error_desc, category, documented FROM fail_reasons WHERE documented = 0 ORDER BY error_code"
	same(t, "undocumented reasons", grid(t, s, reasons), [][]any{
		{"NEW_CODE", "In its own words.", "unknown", int64(0)}, {"SILENT", "SILENT", "unknown", int64(0)},
	})
	same(t, "a documented reason keeps its words", grid(t, s, "SELECT error_desc FROM fail_reasons WHERE error_code = 'SYSTEM_ERROR'"),
		[][]any{{"System error."}})
	update(t, s, func(tx *store.Tx) error {
		return tx.UpdateBill(1, failed("A", "LATER", "Later."), 0, day(3), day(3), 2)
	})
	same(t, "the reason of a change", grid(t, s, "SELECT fail_code FROM bills WHERE bill_id = 1"), [][]any{{"LATER"}})
}

func TestUnknownReasonAfterRollback(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	b := plain("A", day(2))
	b.FailCode = "NEW_CODE"
	disk := errors.New("no space left")
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.InsertBill("main", b, 0, t0, t0, 1); err != nil {
			return err
		}
		return disk
	})
	if !errors.Is(err, disk) {
		t.Fatalf("Update = %v, want %v", err, disk)
	}
	err = s.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.InsertBill("main", b, 0, t0, t0, 1)
		return err
	})
	if err != nil {
		t.Errorf("storing a bill with fail code %s after a rollback = %v", b.FailCode, err)
	}
}

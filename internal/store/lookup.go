package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"billsync/internal/bill"
)

// A StoredBill is a bill as it is stored, without what was received beside its
// fields.
type StoredBill struct {
	bill.Bill
	ID          int64
	Ordinal     int
	ChangedAt   time.Time // since when this state is stored
	WithdrawnAt time.Time // zero: the API listed it when it was last read
}

// storedColumns are what a StoredBill is made of.
const storedColumns = `b.bill_id, b.ordinal, b.changed_at, b.withdrawn_at, b.order_no, b.bill_no, b.bill_type, b.bill_status,
	b.asset_id, b.masked_card_no, b.card_last4, b.transaction_time, b.merchant_name, b.budget_account_id,
	b.trade_amount, b.trade_currency, b.out_amount, b.out_currency, b.in_amount, b.in_currency,
	b.exchange_rate, b.trade_country, b.fail_code, b.fail_desc, b.last_update, b.metadata, b.content_hash`

type storedRow struct {
	ID        int64   `db:"bill_id"`
	Ordinal   int     `db:"ordinal"`
	Changed   stamp   `db:"changed_at"`
	Withdrawn stamp   `db:"withdrawn_at"`
	OrderNo   string  `db:"order_no"`
	BillNo    *string `db:"bill_no"`
	Type      *string `db:"bill_type"`
	Status    *string `db:"bill_status"`
	AssetID   *string `db:"asset_id"`
	Masked    *string `db:"masked_card_no"`
	Last4     *string `db:"card_last4"`
	Time      stamp   `db:"transaction_time"`
	Merchant  *string `db:"merchant_name"`
	Budget    *string `db:"budget_account_id"`
	Trade     *int64  `db:"trade_amount"`
	TradeIn   *string `db:"trade_currency"`
	Out       *int64  `db:"out_amount"`
	OutIn     *string `db:"out_currency"`
	In        *int64  `db:"in_amount"`
	InIn      *string `db:"in_currency"`
	Rate      *string `db:"exchange_rate"`
	Country   *string `db:"trade_country"`
	FailCode  *string `db:"fail_code"`
	FailDesc  *string `db:"fail_desc"`
	Update    stamp   `db:"last_update"`
	Metadata  *string `db:"metadata"`
	Hash      string  `db:"content_hash"`
}

func (r *storedRow) stored() StoredBill {
	amount := func(value *int64, currency *string) *bill.Amount {
		if value == nil || currency == nil {
			return nil
		}
		return &bill.Amount{Currency: *currency, Value: *value}
	}
	return StoredBill{
		Bill: bill.Bill{
			OrderNo: r.OrderNo, BillNo: deref(r.BillNo), BillType: deref(r.Type), Status: deref(r.Status),
			AssetID: deref(r.AssetID), MaskedCardNo: deref(r.Masked), CardLast4: deref(r.Last4), TransactionTime: r.Time.Time,
			MerchantName: deref(r.Merchant), BudgetAccountID: deref(r.Budget),
			Trade: amount(r.Trade, r.TradeIn), Out: amount(r.Out, r.OutIn), In: amount(r.In, r.InIn),
			ExchangeRate: deref(r.Rate), TradeCountry: deref(r.Country), FailCode: deref(r.FailCode), FailDesc: deref(r.FailDesc),
			LastUpdate: r.Update.Time, Metadata: deref(r.Metadata), Hash: r.Hash,
		},
		ID: r.ID, Ordinal: r.Ordinal, ChangedAt: r.Changed.Time, WithdrawnAt: r.Withdrawn.Time,
	}
}

// StoredBills returns the bills of an account that belong to one of the orders
// or bear one of the bill numbers, withdrawn ones among them, by ordinal.
func (t *Tx) StoredBills(account string, orders, billNos []string) ([]StoredBill, error) {
	const doing = "looking up bills"
	byOrder, err := json.Marshal(orders)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	byNumber, err := json.Marshal(billNos)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	var rows []storedRow
	err = t.rows(doing, &rows, `
		SELECT `+storedColumns+`
		FROM (
			SELECT x.bill_id FROM (SELECT DISTINCT value FROM json_each(?1)) k CROSS JOIN bills x ON x.account = ?3 AND x.order_no = k.value
			UNION
			SELECT x.bill_id FROM (SELECT DISTINCT value FROM json_each(?2)) k CROSS JOIN bills x ON x.account = ?3 AND x.bill_no = k.value
		) i JOIN bills b ON b.bill_id = i.bill_id
		ORDER BY b.ordinal, b.bill_id`, string(byOrder), string(byNumber), account)
	out := make([]StoredBill, len(rows))
	for i := range rows {
		out[i] = rows[i].stored()
	}
	return out, err
}

// A BillFilter says which stored bills are meant. Empty fields admit everything.
type BillFilter struct {
	From, To       time.Time // of the transaction time: From is included, To is not
	OrderNo        string
	CardLast4      string
	Statuses       []string
	BudgetAccounts []string
}

// LiveBills tells fn of an account's bills that the filter admits, the newest
// first, except those that were withdrawn.
func (t *Tx) LiveBills(account string, f BillFilter, fn func(StoredBill) error) error {
	const doing = "looking up stored bills"
	where := []string{"b.account = ?", "b.withdrawn_at IS NULL", "b.transaction_time >= ?", "b.transaction_time < ?"}
	args := []any{account, text(f.From), text(f.To)}
	for _, c := range []struct{ column, value string }{{"b.order_no", f.OrderNo}, {"b.card_last4", f.CardLast4}} {
		if c.value != "" {
			where, args = append(where, c.column+" = ?"), append(args, c.value)
		}
	}
	for _, c := range []struct {
		column string
		values []string
	}{{"b.bill_status", f.Statuses}, {"b.budget_account_id", f.BudgetAccounts}} {
		if len(c.values) == 0 {
			continue
		}
		list, err := json.Marshal(c.values)
		if err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		where, args = append(where, c.column+" IN (SELECT value FROM json_each(?))"), append(args, string(list))
	}
	st, err := t.prepared(`SELECT ` + storedColumns + ` FROM bills b WHERE ` + strings.Join(where, " AND ") + `
		ORDER BY b.transaction_time DESC, b.bill_id`)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	rows, err := st.QueryxContext(t.ctx, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer rows.Close()
	for rows.Next() {
		var r storedRow
		if err := rows.StructScan(&r); err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		if err := fn(r.stored()); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

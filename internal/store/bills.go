package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"billsync/internal/bill"
)

// knownColumns is what Known needs of a bill.
const knownColumns = `b.bill_id, b.order_no, b.bill_no, unixepoch(b.transaction_time) AS second, b.ordinal, b.content_hash,
	b.trade_amount, b.trade_currency, b.asset_id, b.card_last4, b.card_nick_name, b.last_update, b.read_at, b.run_id,
	b.withdrawn_at IS NOT NULL AS withdrawn`

type knownRow struct {
	ID        int64   `db:"bill_id"`
	OrderNo   string  `db:"order_no"`
	BillNo    *string `db:"bill_no"`
	Second    int64   `db:"second"`
	Ordinal   int     `db:"ordinal"`
	Hash      string  `db:"content_hash"`
	Trade     *int64  `db:"trade_amount"`
	Currency  *string `db:"trade_currency"`
	AssetID   *string `db:"asset_id"`
	Last4     *string `db:"card_last4"`
	NickName  *string `db:"card_nick_name"`
	Update    stamp   `db:"last_update"`
	ReadAt    stamp   `db:"read_at"`
	RunID     int64   `db:"run_id"`
	Withdrawn bool    `db:"withdrawn"`
}

func (r *knownRow) known() bill.Known {
	k := bill.Known{
		ID: r.ID, OrderNo: r.OrderNo, BillNo: deref(r.BillNo), Second: r.Second, Ordinal: r.Ordinal, Hash: r.Hash,
		AssetID: deref(r.AssetID), CardLast4: deref(r.Last4), CardNickName: deref(r.NickName),
		LastUpdate: r.Update.Time, ReadAt: r.ReadAt.Time, RunID: r.RunID, Withdrawn: r.Withdrawn,
	}
	if r.Trade != nil && r.Currency != nil {
		k.Trade = &bill.Amount{Currency: *r.Currency, Value: *r.Trade}
	}
	return k
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// KnownByOrders returns all stored bills of the given orders.
func (t *Tx) KnownByOrders(account string, orders []string) ([]bill.Known, error) {
	return t.known("looking up orders", `
		SELECT `+knownColumns+`
		FROM (SELECT DISTINCT value FROM json_each(?)) k CROSS JOIN bills b ON b.account = ? AND b.order_no = k.value`, account, orders)
}

// KnownByBillNos returns the stored bills with the given bill numbers.
func (t *Tx) KnownByBillNos(account string, billNos []string) ([]bill.Known, error) {
	return t.known("looking up bill numbers", `
		SELECT `+knownColumns+`
		FROM (SELECT DISTINCT value FROM json_each(?)) k CROSS JOIN bills b ON b.account = ? AND b.bill_no = k.value`, account, billNos)
}

func (t *Tx) known(doing, query, account string, keys []string) ([]bill.Known, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(keys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	var rows []knownRow
	if err := t.rows(doing, &rows, query, string(list), account); err != nil {
		return nil, err
	}
	out := make([]bill.Known, len(rows))
	for i := range rows {
		out[i] = rows[i].known()
	}
	return out, nil
}

// stateColumns are the columns of a bill that make up a state of it, in the
// order of stateValues.
const stateColumns = `bill_no, bill_type, bill_status, asset_id, masked_card_no, card_last4, card_nick_name, transaction_time,
	transaction_date, merchant_name, budget_account_id, trade_amount, trade_currency, out_amount, out_currency,
	in_amount, in_currency, exchange_rate, trade_country, fail_code, fail_desc, last_update, metadata, content_hash, raw`

var (
	stateCount = len(strings.Split(stateColumns, ","))

	insertBill = `INSERT INTO bills (` + stateColumns + `, account, order_no, ordinal, first_seen_at, changed_at, read_at, run_id)
		VALUES (` + strings.Repeat("?, ", stateCount) + `?, ?, ?, ?, ?, ?, ?)`

	updateBill = `UPDATE bills SET (` + stateColumns + `, ordinal, changed_at, read_at, run_id, withdrawn_at)
		= (` + strings.Repeat("?, ", stateCount) + `?, ?, ?, ?, NULL) WHERE bill_id = ?`

	// A state that was stored by a clock that ran ahead ends as it began, so
	// that the states of a bill stay in order.
	keepState = `INSERT INTO bill_states (bill_id, valid_from, valid_to, run_id, withdrawn_at, ` + stateColumns + `)
		SELECT bill_id, min(changed_at, ?), ?, run_id, withdrawn_at, ` + stateColumns + ` FROM bills WHERE bill_id = ?`
)

func (t *Tx) stateValues(b *bill.Bill) []any {
	return []any{
		orNull(b.BillNo), orNull(b.BillType), orNull(b.Status), orNull(b.AssetID), orNull(b.MaskedCardNo), orNull(b.CardLast4),
		orNull(b.CardNickName), text(b.TransactionTime), b.TransactionTime.In(t.s.zone).Format(time.DateOnly),
		orNull(b.MerchantName), orNull(b.BudgetAccountID),
		value(b.Trade), currency(b.Trade), value(b.Out), currency(b.Out), value(b.In), currency(b.In),
		orNull(b.ExchangeRate), orNull(b.TradeCountry), orNull(b.FailCode), orNull(b.FailDesc),
		timeOrNull(b.LastUpdate), orNull(b.Metadata), b.Hash, string(b.Raw),
	}
}

func value(a *bill.Amount) any {
	if a == nil {
		return nil
	}
	return a.Value
}

func currency(a *bill.Amount) any {
	if a == nil {
		return nil
	}
	return a.Currency
}

// InsertBill stores a bill that is new. The ordinal tells it apart from stored
// bills of the same order and second.
func (t *Tx) InsertBill(account string, b *bill.Bill, ordinal int, now, readAt time.Time, run int64) (int64, error) {
	if err := t.knowReason(b); err != nil {
		return 0, err
	}
	args := append(t.stateValues(b), account, b.OrderNo, ordinal, text(now), text(now), text(readAt), run)
	return t.insert("storing a bill", insertBill, args...)
}

// UpdateBill stores a later state of a bill and keeps the one before.
func (t *Tx) UpdateBill(id int64, b *bill.Bill, ordinal int, now, readAt time.Time, run int64) error {
	if err := t.knowReason(b); err != nil {
		return err
	}
	if err := t.exec("keeping a bill's earlier state", keepState, text(now), text(now), id); err != nil {
		return err
	}
	if err := t.straighten(id, now); err != nil {
		return err
	}
	args := append(t.stateValues(b), ordinal, text(now), text(readAt), run, id)
	return t.exec("storing a bill's change", updateBill, args...)
}

// straighten ends the earlier states of a bill by now, should a clock that was
// ahead have let them last longer: they stay in order and do not overlap.
func (t *Tx) straighten(id int64, now time.Time) error {
	return t.exec("keeping a bill's states in order", `
		UPDATE bill_states SET valid_from = min(valid_from, ?1), valid_to = ?1 WHERE bill_id = ?2 AND valid_to > ?1`, text(now), id)
}

// UpdateNickName stores another label of a bill's card, which is no change of
// the bill.
func (t *Tx) UpdateNickName(id int64, name string) error {
	return t.exec("storing a card's label", "UPDATE bills SET card_nick_name = ? WHERE bill_id = ?", orNull(name), id)
}

// knowReason adds a fail reason that is not documented.
func (t *Tx) knowReason(b *bill.Bill) error {
	if b.FailCode == "" || t.s.reasons[b.FailCode] {
		return nil
	}
	// It is known for good only once it is committed.
	t.reasons = append(t.reasons, b.FailCode)
	desc := b.FailDesc
	if desc == "" {
		desc = b.FailCode
	}
	return t.exec("adding a fail reason", `
		INSERT INTO fail_reasons (error_code, error_desc, category, advice, documented)
		VALUES (?, ?, 'unknown', 'The API document does not list this reason. Ask WorldFirst support what it means.', 0)
		ON CONFLICT (error_code) DO NOTHING`, b.FailCode, desc)
}

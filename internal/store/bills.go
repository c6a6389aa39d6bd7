package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"billsync/internal/bill"
)

// knownColumns is what Known needs of a bill.
const knownColumns = `b.bill_id, b.order_no, b.bill_no, b.transaction_time, b.ordinal, b.content_hash,
	b.trade_amount, b.trade_currency, b.asset_id, b.card_last4, b.card_nick_name, b.last_update, b.read_at, b.run_id,
	b.withdrawn_at, b.notified_at`

func knownOf(row []driver.Value) (bill.Known, error) {
	c := columns{row: row}
	k := bill.Known{
		ID: c.int(0), OrderNo: c.text(1), BillNo: c.text(2), Second: c.time(3).Unix(), Ordinal: int(c.int(4)), Hash: c.text(5),
		AssetID: c.text(8), CardLast4: c.text(9), CardNickName: c.text(10), LastUpdate: c.time(11), ReadAt: c.time(12),
		RunID: c.int(13), Withdrawn: row[14] != nil, NotifiedAt: c.time(15),
	}
	if row[6] != nil && row[7] != nil {
		k.Trade = &bill.Amount{Currency: c.text(7), Value: c.int(6)}
	}
	return k, c.err
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
	var out []bill.Known
	err = t.each(doing, query, []any{string(list), account}, func(row []driver.Value) error {
		k, err := knownOf(row)
		out = append(out, k)
		return err
	})
	return out, err
}

// stateColumns are the columns of a bill that make up a state of it, in the
// order of stateValues.
const stateColumns = `bill_no, bill_type, bill_status, asset_id, masked_card_no, card_last4, card_nick_name, transaction_time,
	transaction_date, merchant_name, budget_account_id, trade_amount, trade_currency, out_amount, out_currency,
	in_amount, in_currency, exchange_rate, trade_country, fail_code, fail_desc, last_update, metadata, content_hash, raw`

var (
	stateCount = len(strings.Split(stateColumns, ","))

	// The last one, raw, is bound as bytes: a string would be a copy.
	stateMarks = strings.Repeat("?, ", stateCount-1) + "CAST(? AS TEXT), "

	insertBill = `INSERT INTO bills (` + stateColumns + `, account, order_no, ordinal, run_id, read_at, first_seen_at, changed_at)
		VALUES (` + stateMarks + `?26, ?27, ?28, ?29, ?30, ?31, ?31)
		ON CONFLICT (account, bill_no) WHERE bill_no IS NOT NULL DO NOTHING`

	updateBill = `UPDATE bills SET (` + stateColumns + `, ordinal, changed_at, read_at, run_id, withdrawn_at, notified_at)
		= (` + stateMarks + `?, ?, ?, ?, NULL, NULL) WHERE bill_id = ?`

	// A state that was stored by a clock that ran ahead ends as it began, so
	// that the states of a bill stay in order.
	keepState = `INSERT INTO bill_states (bill_id, valid_from, valid_to, run_id, withdrawn_at, ` + stateColumns + `)
		SELECT bill_id, min(changed_at, ?), ?, run_id, withdrawn_at, ` + stateColumns + ` FROM bills WHERE bill_id = ?`
)

// bindState binds what makes up a state of a bill.
func (t *Tx) bindState(d *direct, b *bill.Bill) {
	d.begin()
	d.text(b.BillNo)
	d.often(b.BillType)
	d.often(b.Status)
	d.often(b.AssetID)
	d.often(b.MaskedCardNo)
	d.often(b.CardLast4)
	d.often(b.CardNickName)
	d.text(text(b.TransactionTime))
	d.often(bill.DayText(b.TransactionTime.In(t.s.zone)))
	d.often(b.MerchantName)
	d.often(b.BudgetAccountID)
	for _, a := range [...]*bill.Amount{b.Trade, b.Out, b.In} {
		if a == nil {
			d.value(nil)
			d.value(nil)
			continue
		}
		d.value(a.Value)
		d.often(a.Currency)
	}
	d.often(b.ExchangeRate)
	d.often(b.TradeCountry)
	d.often(b.FailCode)
	d.often(b.FailDesc)
	d.value(timeOrNull(b.LastUpdate))
	d.often(b.Metadata)
	d.value(b.Hash)
	d.value(b.Raw)
}

// InsertBill stores a bill that is new. The ordinal tells it apart from stored
// bills of the same order and second. It returns 0, and stores nothing, if there
// is a bill with that number already.
func (t *Tx) InsertBill(account string, b *bill.Bill, ordinal int, now, readAt time.Time, run int64) (int64, error) {
	const doing = "storing a bill"
	if err := t.knowReason(b); err != nil {
		return 0, err
	}
	if err := t.knowCard(account, b.AssetID, run); err != nil {
		return 0, err
	}
	d, err := t.direct(insertBill)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	t.bindState(d, b)
	d.often(account)
	d.text(b.OrderNo)
	d.value(int64(ordinal))
	d.value(run)
	d.value(t.stamp(&t.readAt, readAt))
	d.value(t.stamp(&t.now, now))
	res, err := t.run(d)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	t.written++
	if n, err := res.RowsAffected(); n == 0 || err != nil {
		return 0, err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return 0, err
	}
	return id, t.postNew(id, account, b, ordinal, now, run)
}

// A stamped is a time and how it is stored: many rows have the same.
type stamped struct {
	milli int64
	text  driver.Value
}

func (t *Tx) stamp(s *stamped, at time.Time) driver.Value {
	if milli := at.UnixMilli(); s.text == nil || s.milli != milli {
		s.milli, s.text = milli, text(at)
	}
	return s.text
}

// UpdateBill stores a later state of a bill and keeps the one before. The bill
// counts as listed then: see MarkNotified.
func (t *Tx) UpdateBill(id int64, b *bill.Bill, ordinal int, now, readAt time.Time, run int64) error {
	const doing = "storing a bill's change"
	if err := t.knowReason(b); err != nil {
		return err
	}
	if err := t.exec("keeping a bill's earlier state", keepState, text(now), text(now), id); err != nil {
		return err
	}
	if err := t.straighten(id, now); err != nil {
		return err
	}
	d, err := t.direct(updateBill)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	t.bindState(d, b)
	d.value(int64(ordinal))
	d.value(t.stamp(&t.now, now))
	d.value(t.stamp(&t.readAt, readAt))
	d.value(run)
	d.value(id)
	if _, err := t.run(d); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	t.written++
	return t.noteChanged(id)
}

// AnyBetween reports whether a bill of an account is stored, withdrawn or not,
// whose time lies between two seconds, both included.
func (t *Tx) AnyBetween(account string, from, to int64) (bool, error) {
	found := false
	err := t.each("looking for stored bills", `
		SELECT 1 FROM bills WHERE account = ? AND transaction_time >= ? AND transaction_time < ? LIMIT 1`,
		[]any{account, text(time.Unix(from, 0)), text(time.Unix(to+1, 0))}, func([]driver.Value) error {
			found = true
			return nil
		})
	return found, err
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

// MarkNotified notes that only a notification told of a bill so far; the zero
// time that the bill list has it as well.
func (t *Tx) MarkNotified(id int64, at time.Time) error {
	err := t.exec("noting who told of a bill", "UPDATE bills SET notified_at = ? WHERE bill_id = ?", timeOrNull(at), id)
	if err != nil || !at.IsZero() {
		return err
	}
	return t.exec("noting a card", `
		INSERT INTO cards (asset_id, account) SELECT asset_id, account FROM bills WHERE bill_id = ? AND asset_id IS NOT NULL
		ON CONFLICT DO NOTHING`, id)
}

// A use is a card that an account pays with.
type use struct{ account, assetID string }

// knowCard notes which account pays with a card, if a run read that and no
// notification (run 0) told it: those are believed only as far as the list goes.
func (t *Tx) knowCard(account, assetID string, run int64) error {
	u := use{account, assetID}
	if run == 0 || assetID == "" || t.s.cards[u] || slices.Contains(t.cards, u) {
		return nil
	}
	t.cards = append(t.cards, u) // it is known for good only once it is committed
	return t.exec("noting a card", "INSERT INTO cards (asset_id, account) VALUES (?, ?) ON CONFLICT DO NOTHING", assetID, account)
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

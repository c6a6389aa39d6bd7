package store

import (
	"database/sql/driver"
	"time"

	"billsync/internal/bill"
)

// A Posting is a line of the books with what it is about.
type Posting struct {
	LineID, Kind, Reason                string
	Date, Effect                        string // its day in the books, and the day it belongs to
	Amount                              bill.Amount
	BillID, Line                        int64
	Account, OrderNo, TransactionDate   string
	Merchant, Name                      string // as received when it was posted, and by the rules
	AssetID, CardLast4, BudgetAccountID string
}

// Postings calls fn with the postings of days from one to another, both included,
// in the order of account, day and line. In a closed month they are what they were
// when it was closed. Within fn nothing else may be asked of the Tx.
func (t *Tx) Postings(accounts []string, from, to string, fn func(*Posting) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	return t.postings(postingsOf("", "FROM postings p JOIN bills b ON b.bill_id = p.bill_id",
		"WHERE p.posting_date BETWEEN ?1 AND ?2 AND (?3 IS NULL OR b.account IN (SELECT value FROM json_each(?3)))",
		"l.account, l.posting_date, l.bill_id, l.line"), []any{from, to, list}, fn)
}

// postingsOf is a query for Postings, of some tables, where something is the case and
// in some order. What is asked for besides ends with a comma.
func postingsOf(besides, from, where, order string) string {
	return `
		WITH lines AS (
			SELECT ` + besides + ` p.line_id, p.kind, p.reason, p.posting_date, p.effect_date, p.amount, p.currency, p.bill_id, p.line, b.account, b.order_no, b.transaction_date,
			       CASE WHEN k.bill_id IS NULL THEN b.merchant_name ELSE k.merchant_name END AS merchant_name,
			       CASE WHEN k.bill_id IS NULL THEN b.asset_id ELSE k.asset_id END AS asset_id,
			       CASE WHEN k.bill_id IS NULL THEN b.card_last4 ELSE k.card_last4 END AS card_last4,
			       CASE WHEN k.bill_id IS NULL THEN b.budget_account_id ELSE k.budget_account_id END AS budget_account_id
			` + from + `
			LEFT JOIN kept_labels k ON k.bill_id = p.bill_id AND k.line = p.line
			` + where + `
		)
		SELECT l.line_id, l.kind, l.reason, l.posting_date, l.effect_date, l.amount, l.currency, l.bill_id, l.account, l.order_no, l.transaction_date,
		       l.merchant_name, coalesce(m.merchant, l.merchant_name), l.asset_id, l.card_last4, l.budget_account_id, l.line
		FROM lines l LEFT JOIN merchants m ON m.merchant_name = l.merchant_name
		ORDER BY ` + order
}

// postings calls fn with what a query of postingsOf answers.
func (t *Tx) postings(query string, args []any, fn func(*Posting) error) error {
	return t.each("reading postings", query, args, func(row []driver.Value) error {
		c := columns{row: row}
		p := Posting{
			LineID: c.text(0), Kind: c.text(1), Reason: c.text(2), Date: c.text(3), Effect: c.text(4),
			Amount: bill.Amount{Value: c.int(5), Currency: c.text(6)}, BillID: c.int(7), Account: c.text(8), OrderNo: c.text(9), TransactionDate: c.text(10),
			Merchant: c.text(11), Name: c.text(12), AssetID: c.text(13), CardLast4: c.text(14), BudgetAccountID: c.text(15), Line: c.int(16),
		}
		if c.err != nil {
			return c.err
		}
		return fn(&p)
	})
}

// A Proof is a window, or the tail (window 0), that was proved: what the API
// counted in it is what was stored.
type Proof struct {
	Account       string
	WindowID      int64
	From, To      time.Time
	Total, Stored int64
	ProvedAt      time.Time
}

// Proofs calls fn with what proves a time, the oldest first. Within fn nothing else
// may be asked of the Tx.
func (t *Tx) Proofs(accounts []string, from, to time.Time, fn func(*Proof) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	return t.each("reading proofs", `
		SELECT account, window_id, window_start, window_end, total_count, stored_count, proved_at FROM windows
		WHERE state = 'done' AND window_start < ?2 AND window_end > ?1 AND (?3 IS NULL OR account IN (SELECT value FROM json_each(?3)))
		UNION ALL
		SELECT account, 0, covered_from, proved_until, total_count, stored_count, proved_at FROM tails
		WHERE proved_until IS NOT NULL AND covered_from < ?2 AND proved_until > ?1 AND (?3 IS NULL OR account IN (SELECT value FROM json_each(?3)))
		ORDER BY 1, 3, 4`, []any{text(from), text(to), list}, func(row []driver.Value) error {
		c := columns{row: row}
		p := Proof{c.text(0), c.int(1), c.time(2), c.time(3), c.int(4), c.int(5), c.time(6)}
		if c.err != nil {
			return c.err
		}
		return fn(&p)
	})
}

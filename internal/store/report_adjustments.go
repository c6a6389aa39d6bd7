package store

import (
	"database/sql/driver"
	"time"

	"billsync/internal/bill"
	"billsync/internal/books"
)

// An Adjusted is a posting that belongs to a closed month and stands in a later
// one.
type Adjusted struct {
	Month                        string // the closed month that it belongs to
	ClosedAt                     time.Time
	PostingDate, EffectDate      string
	Account, OrderNo, BillNo     string
	BillID                       int64
	LineID                       string
	Kind                         books.Kind
	Amount                       bill.Amount
	Merchant, AssetID, CardLast4 string
	Reason                       string
	// Late: it happened in that month and is posted later because the month was
	// closed. Else it follows up on a bill that is posted in that month.
	Late bool
}

// adjustments looks at the postings behind the first closed month alone. c is the
// closed month in which a posting happened, e and d that in which its bill's first one happened, and is posted.
const adjustments = `SELECT coalesce(c.month, e.month, d.month) AS belongs_to, coalesce(c.closed_at, e.closed_at, d.closed_at), p.posting_date, p.effect_date,
	       b.account, b.order_no, b.bill_no, b.bill_id, p.line_id, p.kind, p.amount, p.currency,
	       CASE WHEN k.bill_id IS NULL THEN b.merchant_name ELSE k.merchant_name END,
	       CASE WHEN k.bill_id IS NULL THEN b.asset_id ELSE k.asset_id END,
	       CASE WHEN k.bill_id IS NULL THEN b.card_last4 ELSE k.card_last4 END, p.reason, c.month IS NOT NULL
	FROM postings p INDEXED BY postings_date
	JOIN bills b ON b.bill_id = p.bill_id
	LEFT JOIN closes c ON c.month = substr(p.effect_date, 1, 7) AND c.month < substr(p.posting_date, 1, 7)
	LEFT JOIN postings f ON f.bill_id = p.bill_id AND f.line = 1 AND p.line > 1
	LEFT JOIN closes e ON e.month = substr(f.effect_date, 1, 7) AND e.month < substr(p.posting_date, 1, 7)
	LEFT JOIN closes d ON d.month = substr(f.posting_date, 1, 7) AND d.month < substr(p.posting_date, 1, 7)
	LEFT JOIN kept_labels k ON k.bill_id = p.bill_id AND k.line = p.line
	WHERE p.posting_date >= ?2 AND (p.line > 1 OR p.effect_date < p.posting_date) AND ` + wantedAccount + `
	  AND coalesce(c.month, e.month, d.month) BETWEEN ?3 AND ?4
	ORDER BY 1, p.posting_date, b.account, p.line_id`

// Adjustments calls fn with the postings that belong to closed months and stand in
// later ones, by closed month, day and account. The months are those that they
// belong to. Within fn nothing else may be asked of the Tx.
func (t *Tx) Adjustments(accounts []string, months MonthSpan, fn func(*Adjusted) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	from, to := months.bounds()
	first := ""
	err = t.each("looking for closed months", "SELECT min(month) FROM closes WHERE month BETWEEN ? AND ?", []any{from, to}, func(row []driver.Value) error {
		c := columns{row: row}
		first = c.text(0)
		return c.err
	})
	if err != nil || first == "" {
		return err
	}
	return t.each("reading adjustments", adjustments, []any{list, nextMonth(first) + "-01", from, to}, func(row []driver.Value) error {
		c := columns{row: row}
		a := Adjusted{
			Month: c.text(0), ClosedAt: c.time(1), PostingDate: c.text(2), EffectDate: c.text(3), Account: c.text(4), OrderNo: c.text(5), BillNo: c.text(6),
			BillID: c.int(7), LineID: c.text(8), Kind: books.Kind(c.text(9)), Amount: bill.Amount{Value: c.int(10), Currency: c.text(11)},
			Merchant: c.text(12), AssetID: c.text(13), CardLast4: c.text(14), Reason: c.text(15), Late: c.int(16) != 0,
		}
		if c.err != nil {
			return c.err
		}
		return fn(&a)
	})
}

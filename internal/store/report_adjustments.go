package store

import (
	"database/sql/driver"
	"slices"
	"strings"
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
	// Known: it was in the books when that month was closed. Unsure: what is stored
	// does not tell that any more, because rows were changed or taken away by hand.
	Known, Unsure bool

	line int // of the bill
}

// adjustments looks at the postings behind the first closed month alone. c is the
// closed month in which a posting happened, e and d that in which its bill's first one happened, and is posted.
const adjustments = `SELECT coalesce(c.month, e.month, d.month) AS belongs_to, coalesce(c.closed_at, e.closed_at, d.closed_at), p.posting_date, p.effect_date,
	       b.account, b.order_no, b.bill_no, b.bill_id, p.line_id, p.kind, p.amount, p.currency,
	       CASE WHEN k.bill_id IS NULL THEN b.merchant_name ELSE k.merchant_name END,
	       CASE WHEN k.bill_id IS NULL THEN b.asset_id ELSE k.asset_id END,
	       CASE WHEN k.bill_id IS NULL THEN b.card_last4 ELSE k.card_last4 END, p.reason, c.month IS NOT NULL, p.line
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
	var all []Adjusted
	err = t.each("reading adjustments", adjustments, []any{list, nextMonth(first) + "-01", from, to}, func(row []driver.Value) error {
		c := columns{row: row}
		all = append(all, Adjusted{
			Month: c.text(0), ClosedAt: c.time(1), PostingDate: c.text(2), EffectDate: c.text(3), Account: c.text(4), OrderNo: c.text(5), BillNo: c.text(6),
			BillID: c.int(7), LineID: c.text(8), Kind: books.Kind(c.text(9)), Amount: bill.Amount{Value: c.int(10), Currency: c.text(11)},
			Merchant: c.text(12), AssetID: c.text(13), CardLast4: c.text(14), Reason: c.text(15), Late: c.int(16) != 0, line: int(c.int(17)),
		})
		return c.err
	})
	if err != nil {
		return err
	}
	if err := t.knownThen(all); err != nil {
		return err
	}
	for i := range all {
		if err := fn(&all[i]); err != nil {
			return err
		}
	}
	return nil
}

// knownThen tells which postings were there when their months were closed. That is told
// by the states of their bills, which a closing counts, not by clocks.
func (t *Tx) knownThen(all []Adjusted) error {
	zone, err := t.ReportZone()
	if err != nil {
		return err
	}
	months, err := t.closed()
	if err != nil {
		return err
	}
	told := map[int64]history{}
	for i := range all {
		a := &all[i]
		h, ok := told[a.BillID]
		if !ok {
			if h, err = t.history(a.BillID, zone); err != nil {
				return err
			}
			told[a.BillID] = h
		}
		a.Known, a.Unsure = h.knew(a.line, a.BillID, months[a.Month])
	}
	return nil
}

// A history is what is known of when a bill's postings came about.
type history struct {
	states []int64 // rows of bill_states in their order; 0: the present state
	by     []int   // by line: which state brought it; as far as that is certain
}

// history looks a bill's up.
func (t *Tx) history(id int64, zone *time.Location) (h history, err error) {
	bills, err := t.postedBetween(id, id)
	if err != nil || len(bills) == 0 || len(bills[0].have) == 0 {
		return h, err
	}
	b := &bills[0]
	for i := range b.states {
		h.states = append(h.states, b.states[i].id)
	}
	key, _, _ := strings.Cut(b.have[0].ID, "-")
	said, by := b.follow(key, zone)
	for i := range b.have {
		if i == len(said) || !b.have[i].is(&said[i], i) {
			return h, nil
		}
		h.by = append(h.by, by[i])
	}
	return h, nil
}

// knew reports whether a line was there when a month was closed: the state that brought
// it is not later than the one that the bill was in then, which is the first that was
// stored away afterwards.
func (h *history) knew(line int, id int64, c closed) (known, unsure bool) {
	if id > c.lastBill {
		return false, false
	}
	if line > len(h.by) {
		return false, true
	}
	then := slices.IndexFunc(h.states, func(s int64) bool { return s == 0 || s > c.lastState })
	return h.by[line-1] <= then, false
}

package store

import (
	"database/sql/driver"
	"fmt"
	"strings"

	"billsync/internal/bill"
)

// An Accrual is a bill that was made by the end of a month and was not in the
// books by then.
type Accrual struct {
	BillInfo        // amounts and status as last seen by the end of the month, else as first seen
	Key      string // what the ids of its postings begin with, or will
	Known    string // the status by which it counts: when the month was closed, else now
	Now      string // its status now
	Gone     bool   // it is no longer listed by now
	// Spend is the posting that brought it into the books meanwhile, if one did, and
	// ClearedOn its day. It is an adjustment if the bill had taken effect before, and
	// waited again.
	Spend     *bill.Amount
	ClearedOn string
}

// spentPart tells postings about what was spent from those about what came back.
const spentPart = "(%[1]s.kind IN ('spend', 'adjustment') OR %[1]s.kind = 'reversal' AND %[1]s.amount > 0)"

// accruals are the bills that are not in the books by the end of a day (?2), as
// known when ?4 was the last row of bill_states and ?5 that of bills (NULL: now); ?3 is
// when that day is over.
//
// Whatever counts is one of three: still open now; open then, and changed since;
// posted after that day. Each is found by an index. k is the state as known then,
// if it is not the present one, and e that of the end of the day. f is the posting
// that brought the bill into the books after that day: where the books of the day
// have nothing of it, the first that took money after it is all of the bill.
var accruals = `WITH candidates AS (
		SELECT b.bill_id FROM bills b INDEXED BY bills_open
		WHERE b.withdrawn_at IS NULL AND b.bill_status IS NOT 'SUCCESS' AND b.bill_status IS NOT 'FAILED' AND b.bill_status IS NOT 'REFUNDED'
			AND b.bill_status IS NOT 'CANCELLED' AND b.bill_status IS NOT 'PARTIAL_REFUND'
		  AND b.transaction_time < ?3
		UNION
		SELECT s.bill_id FROM bill_states s WHERE ?4 IS NOT NULL AND s.state_id > ?4
		UNION
		SELECT p.bill_id FROM postings p INDEXED BY postings_date WHERE p.posting_date > ?2 AND p.kind IN ('spend', 'adjustment')
	), known AS MATERIALIZED (
		SELECT b.bill_id,
		       CASE WHEN b.bill_id > ?5 THEN NULL WHEN ?4 IS NULL THEN 0 ELSE coalesce((
		           SELECT min(s.state_id) FROM bill_states s
		           WHERE s.bill_id = b.bill_id AND s.state_id > ?4), 0) END AS known_id,
		       CASE WHEN b.changed_at < ?3 THEN 0 ELSE coalesce((
		           SELECT s.state_id FROM bill_states s
		           WHERE s.bill_id = b.bill_id AND s.valid_from < ?3 ORDER BY s.valid_from DESC, s.state_id DESC LIMIT 1), (
		           SELECT s.state_id FROM bill_states s
		           WHERE s.bill_id = b.bill_id ORDER BY s.valid_from, s.state_id LIMIT 1), 0) END AS end_id
		FROM candidates c CROSS JOIN bills b ON b.bill_id = c.bill_id
		WHERE ` + wantedAccount + `
	)
	SELECT ` + stateInfo("e", "end_id") + `, b.ordinal, b.transaction_time, first.line_id,
	       ` + inState("k", "known_id", "bill_status") + ` AS known_status, b.bill_status, b.withdrawn_at IS NOT NULL,
	       f.amount, f.currency, f.posting_date
	FROM known n CROSS JOIN bills b ON b.bill_id = n.bill_id
	LEFT JOIN bill_states k ON k.state_id = n.known_id
	LEFT JOIN bill_states e ON e.state_id = n.end_id
	LEFT JOIN postings f ON f.bill_id = b.bill_id AND f.line = (
	    SELECT min(p.line) FROM postings p WHERE p.bill_id = b.bill_id AND p.posting_date > ?2 AND p.kind IN ('spend', 'adjustment'))
	LEFT JOIN postings first ON first.bill_id = b.bill_id AND first.line = 1
	WHERE n.known_id IS NOT NULL
	  AND ` + inState("k", "known_id", "withdrawn_at") + ` IS NULL
	  AND ` + inState("k", "known_id", "transaction_date") + ` <= ?2
	  AND CASE coalesce(` + inState("k", "known_id", "bill_status") + `, '')
	      WHEN 'FAILED' THEN 0 WHEN 'CANCELLED' THEN 0
	      WHEN 'SUCCESS' THEN ` + knownSpent + ` WHEN 'PARTIAL_CANCEL' THEN ` + knownSpent + `
	      WHEN 'PARTIAL_REFUND' THEN ` + knownSpent + ` WHEN 'REFUNDED' THEN ` + knownSpent + `
	      ELSE 1 END
	  AND NOT EXISTS (
	      SELECT 1 FROM postings p WHERE p.bill_id = b.bill_id AND p.posting_date <= ?2 AND ` + fmt.Sprintf(spentPart, "p") + `
	      GROUP BY p.currency HAVING sum(p.amount) <> 0)
	ORDER BY b.account, b.transaction_time, b.bill_id`

// knownSpent says that an effective bill is known to have taken money. Whatever could
// not be read when it was known comes later and moves nothing.
var knownSpent = "coalesce((" + inState("k", "known_id", "out_amount") + ") > 0, 0)"

// inState is a column of a bill in a state of it; 0 is the present one.
func inState(alias, id, column string) string {
	return "CASE n." + id + " WHEN 0 THEN b." + column + " ELSE " + alias + "." + column + " END"
}

// stateInfo is infoColumns with each in a state.
func stateInfo(alias, id string) string {
	columns := "b.bill_id, b.account, b.order_no"
	for _, c := range [...]string{"bill_no", "bill_status", "transaction_time", "transaction_date", "merchant_name", "asset_id", "card_last4",
		"trade_amount", "trade_currency", "out_amount", "out_currency", "in_amount", "in_currency"} {
		columns += ", " + inState(alias, id, c)
	}
	return columns
}

// Accruals calls fn with the bills of a month or before that were not in the books
// by its end, by account and time: as known when it was closed, else as known now.
// Within fn nothing else may be asked of the Tx.
func (t *Tx) Accruals(accounts []string, month string, fn func(*Accrual) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	zone, err := t.ReportZone()
	if err != nil {
		return err
	}
	_, end, err := monthSpan(month, zone)
	if err != nil {
		return err
	}
	closed, err := t.closed()
	if err != nil {
		return err
	}
	taken, err := t.keptKeys()
	if err != nil {
		return err
	}
	last := bill.DayText(end.AddDate(0, 0, -1))
	var lastState, lastBill any
	if c := closed[month]; !c.IsZero() {
		lastState, lastBill = c.lastState, c.lastBill
	}
	return t.each("reading what is not cleared", accruals, []any{list, last, text(end), lastState, lastBill}, func(row []driver.Value) error {
		c := columns{row: row}
		a := Accrual{
			BillInfo: c.info(), Known: c.text(infoCount + 3), Now: c.text(infoCount + 4), Gone: c.int(infoCount+5) != 0,
		}
		if a.ClearedOn = c.text(infoCount + 8); a.ClearedOn != "" {
			a.Spend = c.amount(infoCount + 6)
		}
		if a.Key, _, _ = strings.Cut(c.text(infoCount+2), "-"); a.Key == "" {
			a.Key = freeKey(taken, a.ID, a.Account, a.OrderNo, c.time(infoCount+1), int(c.int(infoCount)))
		}
		if c.err != nil {
			return c.err
		}
		return fn(&a)
	})
}

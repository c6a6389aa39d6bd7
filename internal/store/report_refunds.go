package store

import (
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"

	"billsync/internal/bill"
	"billsync/internal/books"
)

// A Refund is a bill whose money came back, or is said to.
type Refund struct {
	BillInfo
	SpentOn  string        // when the spend is posted; "" if it is not
	Returns  []ReturnLine  // what came back, in order
	Expected *bill.Amount  // nil: the API does not say
	Received []bill.Amount // in each currency what came back on the whole, if anything did
}

// A ReturnLine is a posting that brought money back, or took that back.
type ReturnLine struct {
	Date   string // of posting
	Kind   books.Kind
	Amount bill.Amount
	Reason string
}

// Outstanding is what is expected and did not come; nil if that cannot be told,
// because it came in another currency or nobody knows how much it will be.
func (r *Refund) Outstanding() *bill.Amount {
	if r.Expected == nil {
		return nil
	}
	left := *r.Expected
	for _, a := range r.Received {
		if a.Currency != left.Currency {
			return nil
		}
		if addTo(&left.Value, -a.Value) != nil {
			return nil
		}
	}
	return &left
}

// refunds are the bills that may have had money back, each with its postings.
var refunds = "SELECT " + presentInfo + `, p.kind, p.amount, p.currency, p.posting_date, p.reason
	FROM accounts a CROSS JOIN bills b INDEXED BY bills_time ON b.account = a.account LEFT JOIN postings p ON p.bill_id = b.bill_id
	WHERE ` + wantedAccount + ` AND b.transaction_time >= ?2 AND b.transaction_time < ?3 AND b.withdrawn_at IS NULL
	  AND (b.bill_status IN ('REFUNDED', 'PARTIAL_REFUND')
	       OR b.in_amount <> 0 AND coalesce(b.bill_status, '') NOT IN ('FAILED', 'CANCELLED')
	       OR EXISTS (SELECT 1 FROM postings q WHERE q.bill_id = b.bill_id AND q.kind IN ('return', 'reversal')))
	ORDER BY a.account, b.transaction_time, b.bill_id, p.line`

// Refunds calls fn with the bills that had money back or whose status promises it,
// of transactions in some months, by account and time. Bills that are no longer
// listed are not among them. Within fn nothing else may be asked of the Tx.
func (t *Tx) Refunds(accounts []string, months MonthSpan, fn func(*Refund) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	from, to, err := t.span(months)
	if err != nil {
		return err
	}
	var r *refunding
	err = t.each("reading refunds", refunds, []any{list, from, to}, func(row []driver.Value) error {
		c := columns{row: row}
		if id := c.int(0); r == nil || r.ID != id {
			if err := r.tell(fn); err != nil {
				return err
			}
			r = &refunding{Refund: Refund{BillInfo: c.info()}, back: map[string]int64{}, reversed: map[string]int64{}}
		}
		if row[infoCount] != nil {
			l := ReturnLine{Kind: books.Kind(c.text(infoCount)), Date: c.text(infoCount + 3), Reason: c.text(infoCount + 4)}
			l.Amount = bill.Amount{Value: c.int(infoCount + 1), Currency: c.text(infoCount + 2)}
			if err := r.take(&l); err != nil {
				return err
			}
		}
		return c.err
	})
	if err != nil {
		return err
	}
	return r.tell(fn)
}

// span returns when months begin and are over, as SQL compares times.
func (t *Tx) span(months MonthSpan) (from, to string, err error) {
	zone, err := t.ReportZone()
	if err != nil {
		return "", "", err
	}
	to = "9999"
	if months.From != "" {
		at, _, err := monthSpan(months.From, zone)
		if err != nil {
			return "", "", err
		}
		from = text(at)
	}
	if months.To != "" {
		_, at, err := monthSpan(months.To, zone)
		if err != nil {
			return "", "", err
		}
		to = text(at)
	}
	return from, to, nil
}

// A refunding is a Refund while its postings are read.
type refunding struct {
	Refund
	back     map[string]int64 // by currency, what came back in in_amount
	reversed map[string]int64 // and what of a spend was taken back and is not in effect again
}

// take adds a posting.
func (r *refunding) take(l *ReturnLine) error {
	currency := l.Amount.Currency
	var err error
	switch {
	case books.PartOf(l.Kind, l.Amount.Value) == books.Returned:
		n := r.back[currency]
		err = addTo(&n, l.Amount.Value)
		r.back[currency] = n
	case l.Kind == books.Reversal:
		n := r.reversed[currency]
		err = addTo(&n, l.Amount.Value)
		r.reversed[currency] = n
	case l.Kind == books.Spend:
		r.SpentOn = l.Date
		return nil
	default: // an adjustment: what was reversed takes effect again, as far as it goes
		r.reversed[currency] = max(0, r.reversed[currency]+l.Amount.Value)
		return nil
	}
	if err != nil {
		return fmt.Errorf("bill %d: %w", r.ID, err)
	}
	r.Returns = append(r.Returns, *l)
	return nil
}

// tell works out what is expected and calls fn, if there is anything to tell.
func (r *refunding) tell(fn func(*Refund) error) error {
	if r == nil {
		return nil
	}
	for _, currency := range slices.Sorted(maps.Keys(r.all())) {
		n := r.back[currency]
		if err := addTo(&n, r.reversed[currency]); err != nil {
			return fmt.Errorf("bill %d: %w", r.ID, err)
		}
		if n != 0 {
			r.Received = append(r.Received, bill.Amount{Currency: currency, Value: n})
		}
	}
	if err := r.expect(); err != nil {
		return fmt.Errorf("bill %d: %w", r.ID, err)
	}
	if r.Expected == nil && len(r.Received) == 0 && !r.promises() {
		return nil // what came back was taken back again
	}
	return fn(&r.Refund)
}

// all has the currencies of what moved.
func (r *refunding) all() map[string]int64 {
	all := maps.Clone(r.back)
	maps.Copy(all, r.reversed)
	return all
}

// promises reports whether the status says that money comes back.
func (r *Refund) promises() bool { return r.Status == "REFUNDED" || r.Status == "PARTIAL_REFUND" }

// expect works out what should come back in all: what the status promises, and
// what was reversed.
func (r *refunding) expect() error {
	promised := r.In
	switch {
	case r.Status == "REFUNDED":
		promised = r.Out
	case r.Status == "FAILED" || r.Status == "CANCELLED": // an in_amount means nothing then
		promised = nil
	case r.In != nil && r.In.Value == 0 && !r.promises():
		promised = nil
	}
	switch {
	case promised != nil:
		r.Expected = &bill.Amount{Currency: promised.Currency, Value: promised.Value}
		return addTo(&r.Expected.Value, r.reversed[promised.Currency])
	case !r.promises() && len(r.Received) == 1: // no more than what came is known of
		r.Expected = &bill.Amount{Currency: r.Received[0].Currency, Value: r.Received[0].Value}
	}
	return nil
}

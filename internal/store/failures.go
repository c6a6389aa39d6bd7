package store

import (
	"cmp"
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
	"time"

	"billsync/internal/bill"
	"billsync/internal/books"
)

// A FailedPayment is a failed bill and what became of its purchase.
type FailedPayment struct {
	BillID                       int64
	Account, OrderNo             string
	At                           time.Time
	Date                         string // in the report's time zone
	Merchant, AssetID, CardLast4 string
	FailCode, FailDesc           string
	Trade                        *bill.Amount
	books.Fate
}

// payments are what may tell of a failed payment whether it was paid. What looks
// like none by merchant and amount cannot be the same purchase: to leave it out
// here is much cheaper than to read it.
const payments = `
	WITH failed AS MATERIALIZED (
		SELECT b.merchant_name, b.trade_amount, b.trade_currency FROM bills b
		WHERE b.account = ?1 AND b.transaction_time >= ?2 AND b.transaction_time < ?3 AND b.withdrawn_at IS NULL AND b.bill_status = 'FAILED')
	SELECT b.bill_id, b.order_no, b.transaction_time, b.transaction_date, b.merchant_name, b.asset_id, b.card_last4,
		b.fail_code, b.fail_desc, b.trade_amount, b.trade_currency, b.bill_status FROM bills b
	WHERE b.account = ?1 AND b.transaction_time >= ?2 AND b.transaction_time < ?3 AND b.withdrawn_at IS NULL
	  AND (b.bill_status = 'FAILED' OR (b.merchant_name, b.trade_amount, b.trade_currency) IN (SELECT merchant_name, trade_amount, trade_currency FROM failed))
	ORDER BY b.transaction_time, b.bill_id`

// FailedPayments calls fn for every failed payment of an account whose transaction
// lies in a month. They come in the order in which it is clear what became of them. Within fn nothing else may
// be asked of the Tx.
func (t *Tx) FailedPayments(account, month string, fn func(*FailedPayment) error) error {
	zone, err := t.ReportZone()
	if err != nil {
		return err
	}
	from, to, err := monthSpan(month, zone)
	if err != nil {
		return err
	}
	// What was tried just before may be the same purchase, and what was paid just
	// after.
	args := []any{account, text(from.Add(-books.SettleLimit)), text(to.Add(books.SettleLimit))}
	settled, waiting := books.NewSettled(books.SettleLimit), map[int64]*FailedPayment{}
	tell := func(fates []books.Fate) error {
		for _, f := range fates {
			p := waiting[f.ID]
			delete(waiting, f.ID)
			if p.Date[:7] != month {
				continue
			}
			p.Fate = f
			if err := fn(p); err != nil {
				return err
			}
		}
		return nil
	}
	err = t.each("reading payments", payments, args, func(row []driver.Value) error {
		c := columns{row: row}
		status := c.text(11)
		p := books.Payment{ID: c.int(0), At: c.time(2), Account: account, AssetID: c.text(5), Merchant: c.text(4), Failed: books.Failed(status), Paid: books.Paid(status)}
		if row[9] != nil && row[10] != nil {
			p.Trade = &bill.Amount{Value: c.int(9), Currency: c.text(10)}
		}
		if p.Failed {
			waiting[p.ID] = &FailedPayment{
				BillID: p.ID, Account: account, OrderNo: c.text(1), At: p.At, Date: c.text(3), Merchant: p.Merchant, AssetID: p.AssetID, CardLast4: c.text(6),
				FailCode: c.text(7), FailDesc: c.text(8), Trade: p.Trade,
			}
		}
		fates, err := settled.Add(p)
		if err == nil {
			err = c.err
		}
		if err != nil {
			return err
		}
		return tell(fates)
	})
	if err != nil {
		return err
	}
	return tell(settled.Rest())
}

// monthSpan returns when a month of a time zone begins and when it is over.
func monthSpan(month string, zone *time.Location) (from, to time.Time, err error) {
	from, err = time.ParseInLocation("2006-01", month, zone)
	return from, from.AddDate(0, 1, 0), err
}

// ReportZone returns the time zone whose days the database has.
func (t *Tx) ReportZone() (zone *time.Location, err error) {
	zone = t.s.zone
	err = t.each("reading the report zone", "SELECT value FROM meta WHERE key = 'report_timezone'", nil, func(row []driver.Value) (err error) {
		c := columns{row: row}
		if zone, err = bill.LoadZone(c.text(0)); err != nil {
			return fmt.Errorf("%w: %w", errMisread, err)
		}
		return c.err
	})
	if zone == nil && err == nil {
		zone = time.UTC // nothing was ever synced
	}
	return zone, err
}

// A failureKey is a group of the sums of failed payments.
type failureKey struct{ dimension, account, name, code, currency string }

// A FailureSum is what the failed payments of a group come to.
type FailureSum struct {
	Failures, Settled, Purchases, Unpaid int64
	UnpaidAmount                         int64 // of the first tries of purchases that were not paid
}

func (f *FailureSum) take(p *FailedPayment) error {
	f.Failures++
	if p.By != 0 {
		f.Settled++
	}
	if !p.First() {
		return nil
	}
	f.Purchases++
	if p.By != 0 {
		return nil
	}
	f.Unpaid++
	if p.Trade == nil {
		return nil
	}
	return addTo(&f.UnpaidAmount, p.Trade.Value)
}

// failureSums adds up the failed payments of a month, and finds the latest bill of
// each card.
func (t *Tx) failureSums(month string) (map[failureKey]*FailureSum, cardBills, error) {
	accounts, err := t.AccountNames()
	if err != nil {
		return nil, nil, err
	}
	sums, cards := map[failureKey]*FailureSum{}, cardBills{}
	for _, account := range accounts {
		err := t.FailedPayments(account, month, func(p *FailedPayment) error {
			currency := ""
			if p.Trade != nil {
				currency = p.Trade.Currency
			}
			for _, g := range [...]failureKey{
				{"account", account, "", p.FailCode, currency}, {"merchant", account, p.Merchant, p.FailCode, currency}, {"card", account, p.AssetID, p.FailCode, currency},
			} {
				if sums[g] == nil {
					sums[g] = &FailureSum{}
				}
				if err := sums[g].take(p); err != nil {
					return fmt.Errorf("%s %s: %w", account, currency, err)
				}
			}
			if p.CardLast4 != "" {
				cards.take(p.AssetID, p.BillID)
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return sums, cards, nil
}

// writeFailures stores the sums of the month's failed payments.
func (z *summer) writeFailures(t *Tx) error {
	if err := t.exec("taking sums away", "DELETE FROM failure_sums WHERE dimension IN ('account', 'merchant', 'card') AND month = ?", z.month); err != nil {
		return err
	}
	for _, g := range slices.SortedFunc(maps.Keys(z.failures), failureKey.compare) {
		s := z.failures[g]
		err := t.insertSums(`
			INSERT INTO failure_sums (dimension, month, account, name, fail_code, currency, failures, settled, purchases, unpaid, unpaid_amount)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			[]string{g.dimension, z.month, g.account, g.name, g.code, g.currency}, s.Failures, s.Settled, s.Purchases, s.Unpaid, s.UnpaidAmount)
		if err != nil {
			return err
		}
	}
	return z.nameAll(t, "failure_sums")
}

func (g failureKey) compare(h failureKey) int {
	return cmp.Or(cmp.Compare(g.dimension, h.dimension), cmp.Compare(g.account, h.account), cmp.Compare(g.name, h.name), cmp.Compare(g.code, h.code), cmp.Compare(g.currency, h.currency))
}

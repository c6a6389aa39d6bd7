package store

import "database/sql/driver"

// openBills are the bills of the view open_bills, by way of the index that holds
// them alone: it is named, so that a query that cannot use it fails.
var openBills = "SELECT " + presentInfo + ` FROM bills b INDEXED BY bills_open
	WHERE b.withdrawn_at IS NULL AND b.bill_status IS NOT 'SUCCESS' AND b.bill_status IS NOT 'FAILED' AND b.bill_status IS NOT 'REFUNDED'
		AND b.bill_status IS NOT 'CANCELLED' AND b.bill_status IS NOT 'PARTIAL_REFUND'
	  AND ` + wantedAccount + `
	ORDER BY b.transaction_time, b.bill_id`

// OpenBills calls fn with the bills whose last word is not yet spoken, the oldest
// first. Within fn nothing else may be asked of the Tx.
func (t *Tx) OpenBills(accounts []string, fn func(*BillInfo) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	return t.each("reading open bills", openBills, []any{list}, func(row []driver.Value) error {
		c := columns{row: row}
		b := c.info()
		if c.err != nil {
			return c.err
		}
		return fn(&b)
	})
}

package store

import (
	"fmt"
	"time"

	"billsync/internal/bill"
)

// Stored counts an account's bills from a time to before another, without those
// that only a notification told of: the provider's count need not have them.
func (t *Tx) Stored(account string, from, to time.Time) (bill.Stored, error) {
	var rows []struct {
		Bills     int   `db:"bills"`
		Withdrawn int   `db:"withdrawn"`
		Changed   stamp `db:"changed"`
	}
	err := t.rows("counting bills", &rows, `
		SELECT count(*) AS bills, count(withdrawn_at) AS withdrawn, max(changed_at) AS changed
		FROM bills WHERE account = ? AND transaction_time >= ? AND transaction_time < ? AND (notified_at IS NULL OR withdrawn_at IS NOT NULL)`, account, text(from), text(to))
	if err != nil {
		return bill.Stored{}, err
	}
	r := rows[0]
	return bill.Stored{Live: r.Bills - r.Withdrawn, Withdrawn: r.Withdrawn, ChangedAt: r.Changed.Time}, nil
}

// Moments calls fn with the times of an account's bills from one time to
// another, both included, one after the other until it returns false.
func (t *Tx) Moments(account string, from, to time.Time, newestFirst bool, fn func(time.Time) bool) error {
	query := "SELECT transaction_time FROM bills WHERE account = ? AND transaction_time BETWEEN ? AND ? ORDER BY transaction_time"
	if newestFirst {
		query += " DESC"
	}
	st, err := t.prepared(query)
	if err != nil {
		return fmt.Errorf("reading the times of bills: %w", err)
	}
	rows, err := st.QueryContext(t.ctx, account, text(from), text(to))
	if err != nil {
		return fmt.Errorf("reading the times of bills: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var at stamp
		if err := rows.Scan(&at); err != nil {
			return fmt.Errorf("reading the times of bills: %w", err)
		}
		if !fn(at.Time) {
			return nil
		}
	}
	return rows.Err()
}

// Unreadable calls fn for every item that the provider lists and that is no
// bill to us, accepted by a person or not: as received, in which window it was
// seen last (0: the tail), and in which span.
func (t *Tx) Unreadable(account string, fn func(raw []byte, window int64, seen bill.Span)) error {
	st, err := t.prepared(`
		SELECT raw, coalesce(window_id, 0), span_start, span_end FROM rejected_items
		WHERE account = ? AND bill_id IS NULL AND resolved_at IS NULL ORDER BY rejected_id`)
	if err != nil {
		return fmt.Errorf("reading unreadable items: %w", err)
	}
	rows, err := st.QueryContext(t.ctx, account)
	if err != nil {
		return fmt.Errorf("reading unreadable items: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var raw string
		var window int64
		var start, end stamp
		if err := rows.Scan(&raw, &window, &start, &end); err != nil {
			return fmt.Errorf("reading unreadable items: %w", err)
		}
		fn([]byte(raw), window, bill.Span{Start: start.Time, End: end.Time})
	}
	return rows.Err()
}

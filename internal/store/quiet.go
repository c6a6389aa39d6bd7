package store

import (
	"time"

	"billsync/internal/bill"
)

// Quiet tells how long nothing has happened in an account until a given time.
// Withdrawn bills count: they did happen.
func (t *Tx) Quiet(account string, until time.Time) (bill.Quiet, error) {
	const doing = "looking how long nothing has happened"
	var newest []stamp
	err := t.rows(doing, &newest, "SELECT max(transaction_time) FROM bills WHERE account = ? AND transaction_time <= ?", account, text(until))
	if err != nil || newest[0].IsZero() || until.Sub(newest[0].Time) <= 24*time.Hour {
		return bill.Quiet{}, err
	}
	q := bill.Quiet{Since: newest[0].Time, For: until.Sub(newest[0].Time)}
	var rows []struct {
		Bills   int      `db:"bills"`
		Longest *float64 `db:"longest"`
	}
	err = t.rows(doing, &rows, `
		SELECT count(*) AS bills, max(gap) AS longest
		FROM (SELECT unixepoch(transaction_time) - unixepoch(lag(transaction_time) OVER (ORDER BY transaction_time)) AS gap
		      FROM bills WHERE account = ? AND transaction_time BETWEEN ? AND ?)`,
		account, text(q.Since.AddDate(0, 0, -90)), text(q.Since))
	if err != nil {
		return bill.Quiet{}, err
	}
	q.Bills = rows[0].Bills
	if rows[0].Longest != nil {
		q.Longest = time.Duration(*rows[0].Longest) * time.Second
	}
	return q, nil
}

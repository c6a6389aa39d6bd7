package store

import (
	"database/sql/driver"
	"slices"
	"strings"
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
	// A window function over the times takes five times as long; a day's are few
	// enough for one text.
	var last time.Time
	end := q.Since.Add(time.Millisecond)
	for from := q.Since.AddDate(0, 0, -90); from.Before(end); from = from.Add(24 * time.Hour) {
		var times []time.Time
		err := t.each(doing, `
			SELECT group_concat(transaction_time) FROM bills INDEXED BY bills_time
			WHERE account = ? AND transaction_time >= ? AND transaction_time < ?`,
			[]any{account, text(from), text(earlier(from.Add(24*time.Hour), end))}, func(row []driver.Value) error {
				c := columns{row: row}
				for list := c.text(0); list != ""; {
					var first string
					first, list, _ = strings.Cut(list, ",")
					if at, err := parse(first); err == nil { // this is no place to find damage
						times = append(times, at)
					}
				}
				return c.err
			})
		if err != nil {
			return bill.Quiet{}, err
		}
		slices.SortFunc(times, time.Time.Compare)
		for _, at := range times {
			if q.Bills++; q.Bills > 1 {
				q.Longest = max(q.Longest, at.Sub(last))
			}
			last = at
		}
	}
	return q, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

package store

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"
	"time"
)

// A Closing is a month that a person has closed: what its postings came to, once
// and for all.
type Closing struct {
	Month      string // YYYY-MM, in the report's time zone
	At         time.Time
	By         string
	Note       string
	Forced     bool   // closed although it was not proved complete,
	OpenPoints string // and what stood in the way
	ProvedAt   time.Time
	Program    string
	Postings   int
	Hash       string // SHA-256 over its postings; see hashPostings
	Totals     []CloseTotal
}

// A CloseTotal is what a closed month came to for an account in a currency.
type CloseTotal struct {
	Account, Currency string
	BookSum
}

// ErrNotPosted says that Post comes first.
var ErrNotPosted = errors.New("not all bills are posted yet")

// CloseMonth closes a month: nothing is posted in it from then on, and what it
// came to is kept. It fills in Postings, Hash and Totals. The error is
// ErrNotPosted if Post has to come first, a UsageError if the month is
// closed already. With dry nothing is stored.
func (s *Store) CloseMonth(ctx context.Context, c *Closing, names Namer, dry bool) error {
	return s.UpdateDurably(ctx, func(t *Tx) error {
		closed, err := t.closed()
		if err != nil {
			return err
		}
		if at := closed[c.Month]; !at.IsZero() {
			return &UsageError{fmt.Sprintf("%s is closed already, since %s", c.Month, at.at.In(s.zone).Format("2006-01-02 15:04:05 -07:00")),
				"what changed since is posted in the next open month: \"syncer report adjustments\""}
		}
		switch from, to, err := t.backlog(); {
		case err != nil:
			return err
		case from <= to:
			return ErrNotPosted
		}
		if c.Postings, c.Hash, err = t.hashPostings(c.Month); err != nil {
			return err
		}
		z := summer{month: c.Month, names: names} // what people will be shown of it from now on
		if err := z.read(t, "books"); err != nil {
			return err
		}
		if c.Totals = totals(z.books); dry {
			return nil
		}
		if err := z.write(t); err != nil {
			return err
		}
		if err := t.exec("noting sums that are made", "DELETE FROM dirty_months WHERE month = ? AND sums = 'books'", c.Month); err != nil {
			return err
		}
		return t.saveClosing(c)
	})
}

func (t *Tx) saveClosing(c *Closing) error {
	err := t.exec("closing a month", `
		INSERT INTO closes (month, closed_at, closed_by, note, forced, open_points, postings, postings_hash, proved_at, program, last_bill_id, last_state_id)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(bill_id), 0) FROM bills), (SELECT coalesce(max(state_id), 0) FROM bill_states))`,
		c.Month, text(c.At), c.By, orNull(c.Note), c.Forced, orNull(c.OpenPoints), c.Postings, c.Hash, timeOrNull(c.ProvedAt), c.Program)
	if err != nil {
		return err
	}
	for i := range c.Totals {
		s := &c.Totals[i]
		err := t.exec("keeping what a month came to", `
			INSERT INTO close_totals (month, account, currency, postings, spends, spent, returned, reversed, adjusted)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			c.Month, s.Account, s.Currency, s.Postings, s.Spends, s.Spent, s.Returned, s.Reversed, s.Adjusted)
		if err != nil {
			return err
		}
	}
	return nil
}

// totals returns what a month came to per account and currency.
func totals(sums map[sumKey]*BookSum) (out []CloseTotal) {
	for _, g := range slices.SortedFunc(maps.Keys(sums), sumKey.compare) {
		if g.dimension == "account" {
			out = append(out, CloseTotal{g.account, g.currency, *sums[g]})
		}
	}
	return out
}

// hashPostings hashes the postings of a month: of each, by account and line_id,
// its fields with a tab between and a line feed behind. Anybody can do the same
// with a query and sha256sum; the README says how.
func (t *Tx) hashPostings(month string) (n int, sum string, err error) {
	h := sha256.New()
	err = t.each("reading postings", `
		SELECT b.account, p.line_id, p.kind, p.amount, p.currency, p.posting_date, p.effect_date, p.reason
		FROM postings p JOIN bills b ON b.bill_id = p.bill_id
		WHERE p.posting_date >= ? AND p.posting_date < ? ORDER BY b.account, p.line_id`,
		[]any{month + "-01", nextMonth(month) + "-01"}, func(row []driver.Value) error {
			n++
			return hashRow(h, row)
		})
	return n, hex.EncodeToString(h.Sum(nil)), err
}

// hashRow adds a row to a hash, as it would be written to a file.
func hashRow(h hash.Hash, row []driver.Value) error {
	for i, v := range row {
		var cell string
		switch v := v.(type) {
		case string:
			cell = v
		case int64:
			cell = strconv.FormatInt(v, 10)
		default:
			return fmt.Errorf("%w: column %d is a %T", errMisread, i, v)
		}
		end := "\t"
		if i == len(row)-1 {
			end = "\n"
		}
		h.Write([]byte(cell + end))
	}
	return nil
}

// Closings returns the closed months, the latest first, with their totals.
func (t *Tx) Closings() ([]Closing, error) {
	var out []Closing
	err := t.each("reading closed months", `
		SELECT month, closed_at, closed_by, note, forced, open_points, postings, postings_hash, proved_at, program
		FROM closes ORDER BY month DESC`, nil, func(row []driver.Value) error {
		c := columns{row: row}
		out = append(out, Closing{
			Month: c.text(0), At: c.time(1), By: c.text(2), Note: c.text(3), Forced: c.int(4) != 0, OpenPoints: c.text(5),
			Postings: int(c.int(6)), Hash: c.text(7), ProvedAt: c.time(8), Program: c.text(9),
		})
		return c.err
	})
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for i := range out {
		at[out[i].Month] = i
	}
	return out, t.each("reading what closed months came to", `
		SELECT month, account, currency, postings, spends, spent, returned, reversed, adjusted
		FROM close_totals ORDER BY month, account, currency`, nil, func(row []driver.Value) error {
		c := columns{row: row}
		i, ok := at[c.text(0)]
		if ok {
			out[i].Totals = append(out[i].Totals, CloseTotal{c.text(1), c.text(2),
				BookSum{c.int(3), c.int(4), c.int(5), c.int(6), c.int(7), c.int(8)}})
		}
		return c.err
	})
}

// Recount makes a closed month's count, hash and totals again of its postings, as
// they are now.
func (t *Tx) Recount(month string) (c Closing, err error) {
	c.Month = month
	if c.Postings, c.Hash, err = t.hashPostings(month); err != nil {
		return c, err
	}
	sums, _, err := t.sums(month)
	if err != nil {
		return c, err
	}
	c.Totals = totals(sums)
	return c, nil
}

// OpenPoints returns what else than a missing proof speaks against closing a
// month: what could not be understood, notifications nobody could place, bills
// whose amount is not in the books because it cannot be read.
func (t *Tx) OpenPoints(month string, from, to time.Time) (points []string, err error) {
	var rejected, inbox, amounts int64
	for _, q := range []struct {
		count *int64
		sql   string
		args  []any
	}{
		{&rejected, "SELECT count(*) FROM rejected_items WHERE accepted_at IS NULL AND resolved_at IS NULL AND span_start < ? AND span_end > ?", []any{text(to), text(from)}},
		{&inbox, `SELECT count(*) FROM inbox WHERE accepted_at IS NULL AND resolved_at IS NULL
			AND (transaction_time IS NULL OR transaction_time >= ? AND transaction_time < ?)`, []any{text(from), text(to)}},
		{&amounts, "SELECT count(*) FROM (" + unvalued + " AND b.account = a.account AND b.transaction_time >= ? AND b.transaction_time < ?)", []any{text(from), text(to)}},
	} {
		err := t.each("looking for open points of "+month, q.sql, q.args, func(row []driver.Value) error {
			c := columns{row: row}
			*q.count = c.int(0)
			return c.err
		})
		if err != nil {
			return nil, err
		}
	}
	add := func(n int64, one, many string) {
		switch {
		case n == 1:
			points = append(points, "1 "+one)
		case n > 1:
			points = append(points, fmt.Sprintf("%d %s", n, many))
		}
	}
	add(rejected, "item could not be understood", "items could not be understood")
	add(inbox, "notification waits in the inbox", "notifications wait in the inbox")
	add(amounts, "bill has taken effect and has no amount", "bills have taken effect and have no amount")
	return points, nil
}

// unvalued selects bills that have taken effect, but nobody knows for how much, and
// no person has accepted that.
const unvalued = `SELECT b.bill_id FROM accounts a CROSS JOIN bills b
	WHERE b.out_amount IS NULL AND b.in_amount IS NULL AND b.withdrawn_at IS NULL AND b.bill_status IN ('SUCCESS', 'PARTIAL_CANCEL', 'PARTIAL_REFUND', 'REFUNDED')
	  AND NOT EXISTS (SELECT 1 FROM rejected_items r WHERE r.bill_id = b.bill_id AND r.accepted_at IS NOT NULL)`

// RefreshedAt returns when an account's past was last read again; the zero time if
// it never was.
func (t *Tx) RefreshedAt(account string) (at time.Time, err error) {
	err = t.each("reading when an account was refreshed", "SELECT refreshed_at FROM accounts WHERE account = ?", []any{account}, func(row []driver.Value) error {
		c := columns{row: row}
		at = c.time(0)
		return c.err
	})
	return at, err
}

package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A BooksFinding is something in the books that is not what it is made of.
type BooksFinding struct {
	Subject string // bill 7, month 2026-05, line ABC
	Reason  string
	Altered bool // a bill is not what was received
}

// BooksChecked is what was looked at.
type BooksChecked struct {
	Bills, Postings, Months, Closed int
	Altered                         int // bills that are not what was received
	Findings                        []BooksFinding
}

// maxFindings bounds what is listed of bills that are not what was received, and of
// everything else: whoever has more has one problem.
const maxFindings = 20

// CheckBooks compares every bill with what was received, if decode is set, its
// postings with its states, and the sums and what is closed with the postings. What is
// to be summed anew is no finding. Progress, if set, is told how many of how many bills
// are compared.
func (s *Store) CheckBooks(ctx context.Context, decode Decoder, progress func(done, total int)) (c BooksChecked, err error) {
	err = s.View(ctx, func(t *Tx) error {
		k := bookChecker{t: t, decode: decode, BooksChecked: &c, progress: progress, altered: map[int64]bool{}, told: map[bool]int{}}
		if k.zone, err = t.ReportZone(); err != nil {
			return err
		}
		if k.closed, err = t.closed(); err != nil {
			return err
		}
		for _, check := range []func() error{k.bills, k.orphans, k.lines, k.days, k.months, k.failures, k.closings} {
			if err := check(); err != nil {
				return err
			}
		}
		return nil
	})
	return c, err
}

type bookChecker struct {
	t *Tx
	*BooksChecked
	decode   Decoder
	progress func(done, total int)
	zone     *time.Location
	closed   map[string]closed
	altered  map[int64]bool // bills that are not what was received: what follows from them is told with that
	told     map[bool]int   // findings, by whether they are such bills
}

func (k *bookChecker) found(subject, reason string, args ...any) {
	k.tell(BooksFinding{Subject: subject, Reason: fmt.Sprintf(reason, args...)})
}

// tell lists a finding. Bills that are not what was received are told first, and leave
// room for the others: with a closed month that was changed the verdict is another one.
func (k *bookChecker) tell(f BooksFinding) {
	if k.told[f.Altered]++; k.told[f.Altered] <= maxFindings {
		k.Findings = append(k.Findings, f)
	}
}

// moved are the movements that the present states of bills and their postings
// stand for, the latter with the other sign: together they are nothing.
const moved = `
	SELECT bill_id, out_currency AS currency, -out_amount AS amount FROM bills WHERE bill_id BETWEEN ?1 AND ?2 AND out_amount IS NOT NULL
	  AND withdrawn_at IS NULL AND bill_status IN ('SUCCESS', 'PARTIAL_CANCEL', 'PARTIAL_REFUND', 'REFUNDED')
	UNION ALL
	SELECT bill_id, in_currency, in_amount FROM bills WHERE bill_id BETWEEN ?1 AND ?2 AND in_amount IS NOT NULL
	  AND withdrawn_at IS NULL AND bill_status IN ('SUCCESS', 'PARTIAL_CANCEL', 'PARTIAL_REFUND', 'REFUNDED')
	UNION ALL
	SELECT bill_id, currency, -amount FROM postings p WHERE bill_id BETWEEN ?1 AND ?2 AND EXISTS (SELECT 1 FROM bills b WHERE b.bill_id = p.bill_id)`

// chunks calls fn with the first and the last key of some bills at a time, so that
// memory does not grow with their number.
func (t *Tx) chunks(fn func(from, to int64) error) error {
	const atOnce = 20000
	var last int64
	err := t.each("counting bills", "SELECT max(bill_id) FROM bills", nil, func(row []driver.Value) error {
		c := columns{row: row}
		last = c.int(0)
		return c.err
	})
	for from := int64(1); err == nil && from <= last; from += atOnce {
		err = fn(from, min(from+atOnce-1, last))
	}
	return err
}

// bills compares every bill.
func (k *bookChecker) bills() error {
	var last, count int64
	one := func(doing, query string, into ...*int64) error {
		return k.t.each(doing, query, nil, func(row []driver.Value) error {
			c := columns{row: row}
			for i := range into {
				*into[i] = c.int(i)
			}
			return c.err
		})
	}
	if err := one("counting bills", "SELECT max(bill_id), count(*) FROM bills", &last, &count); err != nil {
		return err
	}
	k.Bills = int(count)
	if first, until, err := k.t.backlog(); err != nil {
		return err
	} else if first <= until {
		k.found("books", "the bills %d to %d are not posted yet", first, until)
		return nil
	}
	err := k.t.chunks(func(from, to int64) error {
		if err := k.received(from, to); err != nil {
			return err
		}
		err := k.t.each("comparing bills with their postings", `
			SELECT bill_id, currency, sum(amount) FROM (`+moved+`)
			GROUP BY bill_id, currency HAVING sum(amount) <> 0`,
			[]any{from, to}, func(row []driver.Value) error {
				c := columns{row: row}
				if !k.altered[c.int(0)] {
					k.found(fmt.Sprintf("bill %d", c.int(0)), "its state and its postings differ by %d of the smallest unit of %s", c.int(2), c.text(1))
				}
				return c.err
			})
		if err != nil {
			return err
		}
		if err := k.histories(from, to); err != nil {
			return err
		}
		if k.progress != nil {
			k.progress(int(to), int(last))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := one("counting postings", "SELECT count(*) FROM postings", &count); err != nil {
		return err
	}
	k.Postings = int(count)
	return nil
}

// orphans looks for postings whose bill is not stored any more.
func (k *bookChecker) orphans() error {
	return k.t.each("looking for postings without a bill", `
		SELECT p.bill_id, p.line_id, p.amount, p.currency FROM postings p
		WHERE NOT EXISTS (SELECT 1 FROM bills b WHERE b.bill_id = p.bill_id) LIMIT ?`, []any{int64(maxFindings)}, func(row []driver.Value) error {
		c := columns{row: row}
		k.found("line "+c.text(1), "it is posted, %d of the smallest unit of %s, and its bill is not there", c.int(2), c.text(3))
		return c.err
	})
}

// lines looks for two postings that other programs would take for one.
func (k *bookChecker) lines() error {
	return k.t.each("comparing the ids of postings", `
		SELECT line_id, count(*), min(bill_id), max(bill_id) FROM postings GROUP BY line_id HAVING count(*) > 1 LIMIT ?`,
		[]any{int64(maxFindings)}, func(row []driver.Value) error {
			c := columns{row: row}
			k.found("line "+c.text(0), "%d postings have this id, of the bills %d and %d", c.int(1), c.int(2), c.int(3))
			return c.err
		})
}

// days looks for postings whose days are none: no report has them.
func (k *bookChecker) days() error {
	return k.t.each("looking at the days of postings", `
		SELECT line_id, posting_date, effect_date FROM postings
		WHERE posting_date IS NOT date(posting_date) OR effect_date IS NOT date(effect_date) LIMIT ?`, []any{int64(maxFindings)}, func(row []driver.Value) error {
		c := columns{row: row}
		k.found("line "+c.text(0), "it is posted on %q for %q, and one of these is no day", c.text(1), c.text(2))
		return c.err
	})
}

// aMonth is whether a text is a month, as far as that matters here.
const aMonth = "month IS strftime('%Y-%m', month || '-01')"

// months compares the sums that are not marked as dirty with the rows.
func (k *bookChecker) months() error {
	var months []string
	err := k.t.each("listing months", `
		SELECT month FROM (SELECT month FROM book_sums UNION SELECT substr(posting_date, 1, 7) FROM postings)
		WHERE `+aMonth+` AND month NOT IN (SELECT month FROM dirty_months WHERE sums = 'books') ORDER BY month`, nil, func(row []driver.Value) error {
		c := columns{row: row}
		months = append(months, c.text(0))
		return c.err
	})
	if err != nil {
		return err
	}
	for _, month := range months {
		want, _, err := k.t.sums(month)
		if err != nil {
			return err
		}
		err = k.t.each("reading sums", `
			SELECT dimension, account, name, currency, postings, spends, spent, returned, reversed, adjusted FROM book_sums
			WHERE dimension IN ('account', 'merchant', 'card', 'budget') AND month = ?`, []any{month}, func(row []driver.Value) error {
			c := columns{row: row}
			g := sumKey{c.text(0), c.text(1), c.text(2), c.text(3)}
			have := BookSum{c.int(4), c.int(5), c.int(6), c.int(7), c.int(8), c.int(9)}
			if w := want[g]; w == nil || *w != have {
				k.found("month "+month, "the sum of %s is not that of its postings", g)
			}
			delete(want, g)
			return c.err
		})
		if err != nil {
			return err
		}
		for _, g := range slices.SortedFunc(maps.Keys(want), sumKey.compare) {
			k.found("month "+month, "there is no sum of %s", g)
		}
		k.Months++
	}
	return nil
}

// failures compares the sums of failed payments that are not marked as dirty with
// the bills.
func (k *bookChecker) failures() error {
	var months []string
	err := k.t.each("listing months", `
		SELECT DISTINCT month FROM (
			SELECT month FROM failure_sums UNION SELECT substr(transaction_date, 1, 7) FROM bills WHERE bill_status = 'FAILED' AND withdrawn_at IS NULL)
		WHERE month NOT IN (SELECT month FROM dirty_months WHERE sums = 'failures') ORDER BY month`, nil, func(row []driver.Value) error {
		c := columns{row: row}
		months = append(months, c.text(0))
		return c.err
	})
	if err != nil {
		return err
	}
	for _, month := range months {
		want, _, err := k.t.failureSums(month)
		if err != nil {
			return err
		}
		err = k.t.each("reading sums", `
			SELECT dimension, account, name, fail_code, currency, failures, settled, purchases, unpaid, unpaid_amount FROM failure_sums
			WHERE dimension IN ('account', 'merchant', 'card') AND month = ?`, []any{month}, func(row []driver.Value) error {
			c := columns{row: row}
			g := failureKey{c.text(0), c.text(1), c.text(2), c.text(3), c.text(4)}
			have := FailureSum{c.int(5), c.int(6), c.int(7), c.int(8), c.int(9)}
			if w := want[g]; w == nil || *w != have {
				k.found("month "+month, "the sum of failed payments of %s is not that of the bills", g)
			}
			delete(want, g)
			return c.err
		})
		if err != nil {
			return err
		}
		for _, g := range slices.SortedFunc(maps.Keys(want), failureKey.compare) {
			k.found("month "+month, "there is no sum of failed payments of %s", g)
		}
	}
	return nil
}

// String names a group of sums for people.
func (g failureKey) String() string {
	return strings.Join(strings.Fields(strings.Join([]string{g.dimension, g.account, g.name, g.code, g.currency}, " ")), " ")
}

// String names a group of sums for people.
func (g sumKey) String() string {
	return strings.Join(strings.Fields(strings.Join([]string{g.dimension, g.account, g.name, g.currency}, " ")), " ")
}

// closings compares what was closed with what is there.
func (k *bookChecker) closings() error {
	list, err := k.t.Closings()
	if err != nil {
		return err
	}
	for i := range list {
		c := &list[i]
		now, err := k.t.Recount(c.Month)
		if err != nil {
			return err
		}
		if why := c.Differs(&now); why != "" {
			k.found("month "+c.Month, "it is closed, and %s", why)
		}
		k.Closed++
	}
	return k.t.each("looking for closings that were taken away", `
		SELECT DISTINCT month FROM close_totals WHERE month NOT IN (SELECT month FROM closes) ORDER BY month`, nil, func(row []driver.Value) error {
		c := columns{row: row}
		k.found("month "+c.text(0), "it was closed, and who closed it and its hash are not there any more")
		return c.err
	})
}

// Differs says in what a closed month is not what it was when it was closed; ""
// if it is the same.
func (c *Closing) Differs(now *Closing) string {
	switch {
	case now.Postings != c.Postings:
		return fmt.Sprintf("it had %d postings then, and has %d now", c.Postings, now.Postings)
	case now.Hash != c.Hash:
		return "its postings are not those it was closed with: the hash differs"
	case !slices.Equal(now.Totals, c.Totals):
		return "what it came to was changed"
	}
	return ""
}

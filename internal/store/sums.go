package store

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"billsync/internal/books"

	"github.com/mattn/go-sqlite3"
)

// A Namer makes merchants' names comparable.
type Namer interface {
	Name(raw string) (name, rule string)
	Version() string // another one: names may come out differently
}

// Sum makes the sums that are dirty anew, of the rows they are sums of, one month
// a transaction, and the names of merchants that are in them. Post comes first. A
// month whose sums do not fit keeps nobody from the others: it stays dirty, and the
// error, an UnsummedError, comes once all others are made.
func (s *Store) Sum(ctx context.Context, names Namer) error {
	if err := s.rename(ctx, names); err != nil {
		return err
	}
	failed := map[dirt]bool{}
	var unsummed UnsummedError
	for tries := 0; ; {
		var next dirt
		var z summer
		err := s.View(ctx, func(t *Tx) (err error) {
			if next, err = t.dirt(failed); err != nil || next.month == "" {
				return err
			}
			// Reading a month takes long, and nobody is to wait for it.
			z = summer{month: next.month, names: names}
			return z.read(t, next.sums)
		})
		done := false
		if err == nil && next.month != "" {
			err = s.Update(ctx, func(t *Tx) error {
				// The mark is another one if somebody changed the month, or summed it,
				// meanwhile. Whoever comes too late again and again reads it here.
				n, err := t.affected("noting sums that are made", "DELETE FROM dirty_months WHERE month = ? AND sums = ? AND (mark = ? OR ?)",
					next.month, next.sums, next.mark, tries >= 3)
				if err != nil || n == 0 {
					return err
				}
				if tries >= 3 {
					if err := z.read(t, next.sums); err != nil {
						return err
					}
				}
				done = true
				return z.write(t)
			})
		}
		switch {
		case errors.Is(err, ErrTooMuch):
			failed[dirt{month: next.month, sums: next.sums}] = true
			unsummed.Months, unsummed.Errs = append(unsummed.Months, next.month), append(unsummed.Errs, err)
		case err != nil:
			return err
		case next.month == "" && len(failed) > 0:
			return &unsummed
		case next.month == "":
			return nil
		}
		if tries++; done {
			tries = 0
		}
	}
}

// An UnsummedError says which months have sums that do not fit. It is ErrTooMuch.
type UnsummedError struct {
	Months []string
	Errs   []error // why, one each
}

func (e *UnsummedError) Error() string {
	texts := make([]string, len(e.Errs))
	for i, err := range e.Errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns why the months have no sums.
func (e *UnsummedError) Unwrap() []error { return e.Errs }

// Hint says what to do about it.
func (e *UnsummedError) Hint() string { return ErrTooMuch.Hint() }

// Summed reports whether the sums are those of what is posted, with names by the
// rules of a version.
func (s *Store) Summed(ctx context.Context, version string) (summed bool, err error) {
	err = s.View(ctx, func(t *Tx) error {
		next, err := t.dirt(nil)
		if err != nil || next.month != "" {
			return err
		}
		have, err := t.merchantRules()
		summed = have == version
		return err
	})
	return summed, err
}

// dirt returns a month whose sums are dirty, the latest first, but for some; the
// zero dirt if there is none.
func (t *Tx) dirt(but map[dirt]bool) (next dirt, err error) {
	err = t.each("looking for sums to be made", "SELECT month, sums, mark FROM dirty_months ORDER BY month DESC, sums LIMIT ?", []any{int64(len(but) + 1)}, func(row []driver.Value) error {
		c := columns{row: row}
		if next.month == "" && !but[dirt{month: c.text(0), sums: c.text(1)}] {
			next = dirt{c.text(0), c.text(1), c.text(2)}
		}
		return c.err
	})
	return next, err
}

func (t *Tx) merchantRules() (version string, err error) {
	err = t.each("reading the version of the merchants' names", "SELECT value FROM meta WHERE key = 'merchant_rules'", nil, func(row []driver.Value) error {
		c := columns{row: row}
		version = c.text(0)
		return c.err
	})
	return version, err
}

// rename makes the merchants' names anew if the rules are others than before.
func (s *Store) rename(ctx context.Context, names Namer) error {
	same := false
	err := s.View(ctx, func(t *Tx) error {
		have, err := t.merchantRules()
		same = have == names.Version()
		return err
	})
	if err != nil || same {
		return err
	}
	return s.Update(ctx, func(t *Tx) error {
		have, err := t.merchantRules()
		if err != nil || have == names.Version() {
			return err
		}
		var raw []string
		err = t.each("reading merchants' names", "SELECT merchant_name FROM merchants", nil, func(row []driver.Value) error {
			c := columns{row: row}
			raw = append(raw, c.text(0))
			return c.err
		})
		if err != nil {
			return err
		}
		for _, r := range raw {
			if err := t.name(names, r); err != nil {
				return err
			}
		}
		return t.exec("noting the version of the merchants' names", `
			INSERT INTO meta (key, value) VALUES ('merchant_rules', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, names.Version())
	})
}

func (t *Tx) name(names Namer, raw string) error {
	name, rule := names.Name(raw)
	return t.exec("naming a merchant", `
		INSERT INTO merchants (merchant_name, merchant, rule) VALUES (?, ?, ?)
		ON CONFLICT (merchant_name) DO UPDATE SET merchant = excluded.merchant, rule = excluded.rule
		WHERE (merchants.merchant, merchants.rule) IS NOT (excluded.merchant, excluded.rule)`, raw, name, rule)
}

// A summer sums a month: it reads, and then writes what it read.
type summer struct {
	month    string
	names    Namer
	sums     string // which
	books    map[sumKey]*BookSum
	failures map[failureKey]*FailureSum
	cards    cardBills
}

func (z *summer) read(t *Tx, sums string) (err error) {
	if z.sums = sums; sums == "books" {
		z.books, z.cards, err = t.sums(z.month)
	} else {
		z.failures, z.cards, err = t.failureSums(z.month)
	}
	if err != nil {
		return fmt.Errorf("summing %s: %w", z.month, err)
	}
	return nil
}

func (z *summer) write(t *Tx) error {
	if err := t.keepCards(z.month, z.sums, z.cards); err != nil {
		return err
	}
	if z.sums == "books" {
		return z.writeBooks(t)
	}
	return z.writeFailures(t)
}

// A sumKey is a group of the books' sums.
type sumKey struct{ dimension, account, name, currency string }

// A BookSum is what postings of a group came to; amounts are signed as in
// postings.
type BookSum struct {
	Postings, Spends                    int64
	Spent, Returned, Reversed, Adjusted int64
}

// Net returns the sum of all postings.
func (b *BookSum) Net() int64 { return b.Spent + b.Returned + b.Reversed + b.Adjusted }

// ErrTooMuch says that a sum does not fit.
var ErrTooMuch = &tooMuchError{}

type tooMuchError struct{}

func (*tooMuchError) Error() string {
	return "the sum is more than can be counted (9.2e18 of the smallest unit)"
}

// Hint says what to do about it.
func (*tooMuchError) Hint() string {
	return `bills with impossible amounts: syncer query "SELECT account, order_no, out_amount, out_currency FROM bills ORDER BY abs(out_amount) DESC LIMIT 20"; what is asked about other months (--month, --from, --to) is answered`
}

// overflowed reports whether SQLite could not add up.
func overflowed(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == sqlite3.ErrError && e.Error() == "integer overflow"
}

// take adds a posting.
func (b *BookSum) take(kind books.Kind, amount int64) error {
	b.Postings++
	part := &b.Adjusted
	switch kind {
	case books.Spend:
		b.Spends++
		part = &b.Spent
	case books.Return:
		part = &b.Returned
	case books.Reversal:
		part = &b.Reversed
	}
	return addTo(part, amount)
}

// addTo adds to a sum that may not overflow.
func addTo(sum *int64, n int64) error {
	if n > 0 && *sum > math.MaxInt64-n || n < 0 && *sum < math.MinInt64-n {
		return ErrTooMuch
	}
	*sum += n
	return nil
}

// monthLines selects the postings of days with what they are summed by. Account,
// currency and kind come as one text: each column that is read costs more than
// SQLite needs to put them together. (An account's name has no blank.)
const monthLines = `SELECT b.account || ' ' || p.kind || ' ' || p.currency,
		CASE WHEN k.bill_id IS NULL THEN b.merchant_name ELSE k.merchant_name END,
		CASE WHEN k.bill_id IS NULL THEN b.asset_id ELSE k.asset_id END,
		CASE WHEN k.bill_id IS NULL THEN b.budget_account_id ELSE k.budget_account_id END,
		p.amount, CASE WHEN coalesce(b.card_last4, b.card_nick_name) IS NOT NULL THEN b.bill_id END
	FROM postings p JOIN bills b ON b.bill_id = p.bill_id
	LEFT JOIN kept_labels k ON k.bill_id = p.bill_id AND k.line = p.line
	WHERE p.posting_date >= ? AND p.posting_date < ?`

// sums adds up a month's postings, and finds the latest bill of each card.
func (t *Tx) sums(month string) (map[sumKey]*BookSum, cardBills, error) {
	sums, cards := map[sumKey]*BookSum{}, cardBills{}
	err := t.each("reading postings", monthLines, []any{month + "-01", nextMonth(month) + "-01"}, func(row []driver.Value) error {
		c := columns{row: row}
		account, rest, _ := strings.Cut(c.text(0), " ")
		kind, currency, _ := strings.Cut(rest, " ")
		for _, g := range [...]sumKey{
			{"account", account, "", currency}, {"merchant", account, c.text(1), currency},
			{"card", account, c.text(2), currency}, {"budget", account, c.text(3), currency},
		} {
			sum := sums[g]
			if sum == nil {
				sum = &BookSum{}
				sums[g] = sum
			}
			if err := sum.take(books.Kind(kind), c.int(4)); err != nil {
				return fmt.Errorf("%s %s: %w", g.account, g.currency, err)
			}
		}
		cards.take(c.text(2), c.int(5))
		return c.err
	})
	return sums, cards, err
}

// writeBooks stores the sums of the month's postings.
func (z *summer) writeBooks(t *Tx) error {
	if err := t.exec("taking sums away", "DELETE FROM book_sums WHERE dimension IN ('account', 'merchant', 'card', 'budget') AND month = ?", z.month); err != nil {
		return err
	}
	for _, g := range slices.SortedFunc(maps.Keys(z.books), sumKey.compare) {
		s := z.books[g]
		err := t.insertSums(`
			INSERT INTO book_sums (dimension, month, account, name, currency, postings, spends, spent, returned, reversed, adjusted)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			[]string{g.dimension, z.month, g.account, g.name, g.currency}, s.Postings, s.Spends, s.Spent, s.Returned, s.Reversed, s.Adjusted)
		if err != nil {
			return err
		}
	}
	return z.nameAll(t, "book_sums")
}

// insertSums stores a row of sums. There are many of them, and few texts.
func (t *Tx) insertSums(query string, texts []string, sums ...int64) error {
	d, err := t.direct(query)
	if err != nil {
		return fmt.Errorf("storing sums: %w", err)
	}
	d.begin()
	for _, s := range texts {
		if s == "" {
			d.value("")
			continue
		}
		d.often(s)
	}
	for _, n := range sums {
		d.value(n)
	}
	if _, err := t.run(d); err != nil {
		return fmt.Errorf("storing sums: %w", err)
	}
	return nil
}

// nameAll makes sure that the merchants in the month's sums have a name by the
// rules.
func (z *summer) nameAll(t *Tx, table string) error {
	var raw []string
	err := t.each("looking for merchants without a name", `
		SELECT DISTINCT s.name FROM `+table+` s LEFT JOIN merchants m ON m.merchant_name = s.name
		WHERE s.dimension = 'merchant' AND s.month = ? AND s.name <> '' AND m.merchant_name IS NULL`, []any{z.month}, func(row []driver.Value) error {
		c := columns{row: row}
		raw = append(raw, c.text(0))
		return c.err
	})
	if err != nil {
		return err
	}
	for _, r := range raw {
		if err := t.name(z.names, r); err != nil {
			return err
		}
	}
	return nil
}

func (g sumKey) compare(h sumKey) int {
	return cmp.Or(cmp.Compare(g.dimension, h.dimension), cmp.Compare(g.account, h.account), cmp.Compare(g.name, h.name), cmp.Compare(g.currency, h.currency))
}

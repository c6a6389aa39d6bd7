package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
)

// A MonthSpan is months from one to another, both YYYY-MM and included; "" is no
// limit.
type MonthSpan struct{ From, To string }

// bounds are the limits as SQL compares them.
func (m MonthSpan) bounds() (from, to string) {
	if to = m.To; to == "" {
		to = "9999-99"
	}
	return m.From, to
}

// textList is a list of texts as SQL gets it; NULL if there is none.
func textList(texts []string) (any, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(texts)
	if err != nil {
		return nil, fmt.Errorf("listing %d texts: %w", len(texts), err)
	}
	return string(list), nil
}

// A MonthSum is what a group of postings of a month came to.
type MonthSum struct {
	Month, Account string
	Name           string // of the merchant (as people compare them), card or budget account; "" for an account, and where there is none
	Currency       string
	Closed         bool
	BookSum
}

// MonthSums calls fn with the sums of the books by month, account, name and
// currency, in that order. The dimension is account, merchant, card or budget.
// Within fn nothing else may be asked of the Tx.
func (t *Tx) MonthSums(dimension string, accounts []string, months MonthSpan, fn func(*MonthSum) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	name, join := "s.name", ""
	if dimension == "merchant" {
		name, join = "coalesce(m.merchant, s.name)", "LEFT JOIN merchants m ON m.merchant_name = s.name"
	}
	from, to := months.bounds()
	return t.each("reading sums", `
		SELECT s.month, s.account, `+name+`, s.currency, c.month IS NOT NULL,
		       sum(s.postings), sum(s.spends), sum(s.spent), sum(s.returned), sum(s.reversed), sum(s.adjusted)
		FROM book_sums s `+join+` LEFT JOIN closes c ON c.month = s.month
		WHERE s.dimension = ?1 AND s.month BETWEEN ?2 AND ?3 AND (?4 IS NULL OR s.account IN (SELECT value FROM json_each(?4)))
		GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`, []any{dimension, from, to, list}, func(row []driver.Value) error {
		c := columns{row: row}
		s := MonthSum{c.text(0), c.text(1), c.text(2), c.text(3), c.int(4) != 0,
			BookSum{c.int(5), c.int(6), c.int(7), c.int(8), c.int(9), c.int(10)}}
		if c.err != nil {
			return c.err
		}
		return fn(&s)
	})
}

// NameSums calls fn with the sums of the books of some months together, by name and
// currency; of a merchant with several names, one after the other. The dimension is
// merchant, card or budget. Within fn nothing else may be asked of the Tx.
func (t *Tx) NameSums(dimension string, accounts []string, months MonthSpan, fn func(name, currency string, s *BookSum) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	name, join := "g.name", ""
	if dimension == "merchant" {
		name, join = "coalesce(m.merchant, g.name)", "LEFT JOIN merchants m ON m.merchant_name = g.name"
	}
	from, to := months.bounds()
	return t.each("reading sums", `
		WITH g AS MATERIALIZED (
			SELECT name, currency, sum(postings) AS postings, sum(spends) AS spends, sum(spent) AS spent, sum(returned) AS returned, sum(reversed) AS reversed, sum(adjusted) AS adjusted
			FROM book_sums
			WHERE dimension = ?1 AND month BETWEEN ?2 AND ?3 AND (?4 IS NULL OR account IN (SELECT value FROM json_each(?4)))
			GROUP BY name, currency)
		SELECT `+name+`, g.currency, g.postings, g.spends, g.spent, g.returned, g.reversed, g.adjusted FROM g `+join,
		[]any{dimension, from, to, list}, func(row []driver.Value) error {
			c := columns{row: row}
			name, currency := c.text(0), c.text(1)
			s := BookSum{c.int(2), c.int(3), c.int(4), c.int(5), c.int(6), c.int(7)}
			if c.err != nil {
				return c.err
			}
			return fn(name, currency, &s)
		})
}

// SummedMonths returns the months that the sums of the books or of failed payments
// are of, the latest first.
func (t *Tx) SummedMonths() ([]string, error) {
	var months []string
	err := t.rows("listing months", &months, `
		SELECT month FROM book_sums WHERE dimension = 'account' UNION SELECT month FROM failure_sums WHERE dimension = 'account'
		ORDER BY month DESC`)
	return months, err
}

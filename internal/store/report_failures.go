package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"
)

// A FailureGroup is what failed payments of a group come to.
type FailureGroup struct {
	Name     string // of the merchant (as people compare them) or card; "" for an account, and where there is none
	Code     string // why they failed; "" if no reason was given
	Currency string // of what was to be paid; "" if that is not known
	FailureSum
}

// FailureGroups calls fn with the sums of failed payments of some months by name,
// reason and currency. The dimension is account, merchant or card. The bills are
// not read. Within fn nothing else may be asked of the Tx.
func (t *Tx) FailureGroups(dimension string, accounts []string, months MonthSpan, fn func(*FailureGroup) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	name, join := "g.name", ""
	if dimension == "merchant" {
		name, join = "coalesce(m.merchant, g.name)", "LEFT JOIN merchants m ON m.merchant_name = g.name"
	}
	from, to := months.bounds()
	return t.each("reading sums of failed payments", `
		WITH g AS MATERIALIZED (
			SELECT name, fail_code, currency, sum(failures) AS failures, sum(settled) AS settled, sum(purchases) AS purchases, sum(unpaid) AS unpaid, sum(unpaid_amount) AS unpaid_amount
			FROM failure_sums
			WHERE dimension = ?1 AND month BETWEEN ?2 AND ?3 AND (?4 IS NULL OR account IN (SELECT value FROM json_each(?4)))
			GROUP BY name, fail_code, currency)
		SELECT `+name+`, g.fail_code, g.currency, g.failures, g.settled, g.purchases, g.unpaid, g.unpaid_amount FROM g `+join,
		[]any{dimension, from, to, list}, func(row []driver.Value) error {
			c := columns{row: row}
			g := FailureGroup{c.text(0), c.text(1), c.text(2), FailureSum{c.int(3), c.int(4), c.int(5), c.int(6), c.int(7)}}
			if c.err != nil {
				return c.err
			}
			return fn(&g)
		})
}

// Add adds the sums of another group.
func (f *FailureSum) Add(o *FailureSum) error {
	for _, x := range []struct {
		sum *int64
		n   int64
	}{
		{&f.Failures, o.Failures}, {&f.Settled, o.Settled}, {&f.Purchases, o.Purchases}, {&f.Unpaid, o.Unpaid}, {&f.UnpaidAmount, o.UnpaidAmount},
	} {
		if err := addTo(x.sum, x.n); err != nil {
			return err
		}
	}
	return nil
}

// A FailReason is why a payment can fail.
type FailReason struct {
	Words            string // the API's
	Category, Advice string
}

// FailReasons returns all reasons that the database knows, by error code.
func (t *Tx) FailReasons() (map[string]FailReason, error) {
	reasons := map[string]FailReason{}
	return reasons, t.each("reading reasons of failures", "SELECT error_code, error_desc, category, advice FROM fail_reasons", nil, func(row []driver.Value) error {
		c := columns{row: row}
		reasons[c.text(0)] = FailReason{c.text(1), c.text(2), c.text(3)}
		return c.err
	})
}

// A BillRef is by what people find a bill again.
type BillRef struct {
	ID                               int64
	OrderNo, BillNo                  string
	At                               time.Time
	AssetID, CardLast4, CardNickName string
}

// BillRefs returns bills by their keys.
func (t *Tx) BillRefs(ids []int64) (map[int64]BillRef, error) {
	refs := make(map[int64]BillRef, len(ids))
	if len(ids) == 0 {
		return refs, nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("looking up bills: %w", err)
	}
	return refs, t.each("looking up bills", `
		SELECT bill_id, order_no, bill_no, transaction_time, asset_id, card_last4, card_nick_name
		FROM bills WHERE bill_id IN (SELECT value FROM json_each(?))`, []any{string(list)}, func(row []driver.Value) error {
		c := columns{row: row}
		refs[c.int(0)] = BillRef{c.int(0), c.text(1), c.text(2), c.time(3), c.text(4), c.text(5), c.text(6)}
		return c.err
	})
}

// FailedMonths returns the months in which payments of some accounts failed, the
// earliest first.
func (t *Tx) FailedMonths(accounts []string, months MonthSpan) ([]string, error) {
	list, err := textList(accounts)
	if err != nil {
		return nil, err
	}
	from, to := months.bounds()
	var out []string
	err = t.each("listing months with failed payments", `
		SELECT DISTINCT month FROM failure_sums
		WHERE dimension = 'account' AND month BETWEEN ?1 AND ?2 AND (?3 IS NULL OR account IN (SELECT value FROM json_each(?3)))
		ORDER BY month`, []any{from, to, list}, func(row []driver.Value) error {
		c := columns{row: row}
		out = append(out, c.text(0))
		return c.err
	})
	return out, err
}

package store

import (
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"billsync/internal/bill"
	"billsync/internal/books"
)

// A BillChange is what happened to a bill since a moment.
type BillChange struct {
	BillInfo             // as it is now
	ChangedAt  time.Time // since when it is so
	FirstSeen  time.Time
	Late       bool // it was not known at the moment, though its transaction is of a day before
	Was, Is    bool // whether it was listed, and is
	Fields     []FieldChange
	Effect     []bill.Amount // what that did to the books, in each currency; what left is negative
	StatusThen string        // "" for a late one
}

// A FieldChange is what changed of a bill; texts as people read them, "" for
// nothing.
type FieldChange struct{ Name, From, To string }

// Columns of a bill's state that are compared one by one. Amounts have their
// currency behind them.
var (
	comparedTexts = [...]string{"bill_no", "bill_type", "asset_id", "masked_card_no", "card_last4", "merchant_name", "budget_account_id",
		"exchange_rate", "trade_country", "fail_code", "fail_desc", "metadata", "transaction_time", "last_update"}
	comparedAmounts = [...]string{"trade", "out", "in"}
)

// Where the columns that are not those of BillInfo stand in a row of changes.
const (
	changeSeen   = infoCount
	changeAt     = infoCount + 1
	changeLate   = infoCount + 2
	changeGone   = infoCount + 3
	changeStatus = infoCount + 4 // then; the texts now and then follow, then the amounts
	changeTexts  = infoCount + 6
)

// changes are the bills whose state was another one at a moment (?2), and those
// that came since with a day before that of the moment (?3).
var changes = changeColumns("s", "0") + ` FROM bill_states s CROSS JOIN bills b ON b.bill_id = s.bill_id
	WHERE s.valid_to >= ?2 AND s.valid_from < ?2 AND ` + wantedAccount + `
	UNION ALL ` + changeColumns("b", "1") + ` FROM bills b NOT INDEXED
	WHERE b.first_seen_at >= ?2 AND b.transaction_date < ?3 AND ` + wantedAccount + `
	  AND NOT EXISTS (SELECT 1 FROM bill_states s WHERE s.bill_id = b.bill_id AND s.valid_from < ?2)
	ORDER BY 2, 6, 1`

func changeColumns(then, late string) string {
	columns := "SELECT " + presentInfo + ", b.first_seen_at, b.changed_at, " + late + ", b.withdrawn_at, " + then + ".bill_status, " + then + ".withdrawn_at"
	for _, name := range comparedTexts {
		columns += ", " + then + "." + name + ", b." + name
	}
	for _, name := range comparedAmounts {
		columns += fmt.Sprintf(", %[1]s.%[2]s_amount, %[1]s.%[2]s_currency", then, name)
	}
	return columns
}

// Changes calls fn with the bills that changed since a moment, and with those that
// came since although their transaction is of a day before, by account and time.
// Within fn nothing else may be asked of the Tx.
func (t *Tx) Changes(accounts []string, since time.Time, fn func(*BillChange) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	zone, err := t.ReportZone()
	if err != nil {
		return err
	}
	return t.each("reading changes", changes, []any{list, text(since), bill.DayText(since.In(zone))}, func(row []driver.Value) error {
		c := columns{row: row}
		b, err := c.change()
		if err == nil {
			err = c.err
		}
		if err != nil {
			return err
		}
		return fn(b)
	})
}

// A Beginning is when an account came into the database: nothing of it was known
// before.
type Beginning struct {
	Account string
	At      time.Time
}

// BegunSince returns the accounts that came into the database at a moment or after
// it, in the order of their names.
func (t *Tx) BegunSince(accounts []string, since time.Time) (begun []Beginning, err error) {
	list, err := textList(accounts)
	if err != nil {
		return nil, err
	}
	err = t.each("reading when accounts began", `
		SELECT account, created_at FROM accounts
		WHERE created_at >= ?1 AND (?2 IS NULL OR account IN (SELECT value FROM json_each(?2))) ORDER BY account`, []any{text(since), list}, func(row []driver.Value) error {
		c := columns{row: row}
		begun = append(begun, Beginning{c.text(0), c.time(1)})
		return c.err
	})
	return begun, err
}

// change reads a row of changes.
func (c *columns) change() (*BillChange, error) {
	b := &BillChange{
		BillInfo: c.info(), FirstSeen: c.time(changeSeen), ChangedAt: c.time(changeAt), Late: c.int(changeLate) != 0,
		Is: c.row[changeGone] == nil,
	}
	is := books.State{Status: b.Status, Withdrawn: !b.Is, Out: b.Out, In: b.In}
	if b.Late {
		return b, b.effect(nil, &is)
	}
	b.StatusThen, b.Was = c.text(changeStatus), c.row[changeStatus+1] == nil
	b.differ("listed", yes(b.Was), yes(b.Is))
	b.differ("bill_status", b.StatusThen, b.Status)
	at := changeTexts + 2*len(comparedTexts)
	then := map[string]*bill.Amount{}
	for i, name := range comparedAmounts {
		then[name] = c.amount(at + 2*i)
	}
	b.differ("out_amount", amountText(then["out"]), amountText(b.Out))
	b.differ("in_amount", amountText(then["in"]), amountText(b.In))
	b.differ("trade_amount", amountText(then["trade"]), amountText(b.Trade))
	for i, name := range comparedTexts {
		b.differ(name, c.text(changeTexts+2*i), c.text(changeTexts+2*i+1))
	}
	return b, b.effect(&books.State{Status: b.StatusThen, Withdrawn: !b.Was, Out: then["out"], In: then["in"]}, &is)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func amountText(a *bill.Amount) string {
	if a == nil {
		return ""
	}
	return strings.TrimSpace(a.Decimal() + " " + a.Currency)
}

func (b *BillChange) differ(name, from, to string) {
	if from != to {
		b.Fields = append(b.Fields, FieldChange{name, from, to})
	}
}

// effect works out what one state does to the books more than another.
func (b *BillChange) effect(was, is *books.State) error {
	sums := map[string]int64{}
	add := func(s *books.State, sign int64) error {
		if s == nil {
			return nil
		}
		for _, l := range books.Next("", nil, *s) {
			n := sums[l.Amount.Currency]
			if err := addTo(&n, sign*l.Amount.Value); err != nil {
				return fmt.Errorf("bill %d: %w", b.ID, err)
			}
			sums[l.Amount.Currency] = n
		}
		return nil
	}
	if err := add(was, -1); err != nil {
		return err
	}
	if err := add(is, 1); err != nil {
		return err
	}
	for _, currency := range slices.Sorted(maps.Keys(sums)) {
		if n := sums[currency]; n != 0 {
			b.Effect = append(b.Effect, bill.Amount{Currency: currency, Value: n})
		}
	}
	return nil
}

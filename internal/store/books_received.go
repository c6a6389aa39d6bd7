package store

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"billsync/internal/bill"
)

// A Decoder reads a bill as it was received: what the column raw keeps.
type Decoder func(raw []byte) bill.Item

// A saidColumn is a column that says what the received JSON of a bill says.
type saidColumn struct {
	name string
	of   func(b *bill.Bill, zone *time.Location) driver.Value
	// identity: other bills and postings are told apart by it, so that it is not put
	// back without looking at them.
	identity bool
	kept     bool // what was received without it takes it not away (see KeepUnsaid)
}

// saidColumns are all of a state of a bill but the card's nick name, which is stored
// without a word of what it was received with. In bills the order number stands before
// them.
var saidColumns = []saidColumn{
	{name: "bill_no", kept: true, identity: true, of: saidText(func(b *bill.Bill) string { return b.BillNo })},
	{name: "transaction_time", identity: true, of: saidTime(func(b *bill.Bill) time.Time { return b.TransactionTime })},
	{name: "transaction_date", of: func(b *bill.Bill, zone *time.Location) driver.Value { return bill.DayText(b.TransactionTime.In(zone)) }},
	{name: "bill_type", kept: true, of: saidText(func(b *bill.Bill) string { return b.BillType })},
	{name: "bill_status", of: saidText(func(b *bill.Bill) string { return b.Status })},
	{name: "asset_id", kept: true, of: saidText(func(b *bill.Bill) string { return b.AssetID })},
	{name: "masked_card_no", kept: true, of: saidText(func(b *bill.Bill) string { return b.MaskedCardNo })},
	{name: "card_last4", kept: true, of: saidText(func(b *bill.Bill) string { return b.CardLast4 })},
	{name: "merchant_name", kept: true, of: saidText(func(b *bill.Bill) string { return b.MerchantName })},
	{name: "budget_account_id", kept: true, of: saidText(func(b *bill.Bill) string { return b.BudgetAccountID })},
	{name: "trade_amount", of: saidValue(func(b *bill.Bill) *bill.Amount { return b.Trade })},
	{name: "trade_currency", of: saidCurrency(func(b *bill.Bill) *bill.Amount { return b.Trade })},
	{name: "out_amount", of: saidValue(func(b *bill.Bill) *bill.Amount { return b.Out })},
	{name: "out_currency", of: saidCurrency(func(b *bill.Bill) *bill.Amount { return b.Out })},
	{name: "in_amount", of: saidValue(func(b *bill.Bill) *bill.Amount { return b.In })},
	{name: "in_currency", of: saidCurrency(func(b *bill.Bill) *bill.Amount { return b.In })},
	{name: "exchange_rate", of: saidText(func(b *bill.Bill) string { return b.ExchangeRate })},
	{name: "trade_country", kept: true, of: saidText(func(b *bill.Bill) string { return b.TradeCountry })},
	{name: "fail_code", of: saidText(func(b *bill.Bill) string { return b.FailCode })},
	{name: "fail_desc", of: saidText(func(b *bill.Bill) string { return b.FailDesc })},
	{name: "last_update", of: saidTime(func(b *bill.Bill) time.Time { return b.LastUpdate })},
	{name: "metadata", kept: true, of: saidText(func(b *bill.Bill) string { return b.Metadata })},
}

func saidText(of func(*bill.Bill) string) func(*bill.Bill, *time.Location) driver.Value {
	return func(b *bill.Bill, _ *time.Location) driver.Value { return orNull(of(b)) }
}

func saidTime(of func(*bill.Bill) time.Time) func(*bill.Bill, *time.Location) driver.Value {
	return func(b *bill.Bill, _ *time.Location) driver.Value { return timeOrNull(of(b)) }
}

func saidValue(of func(*bill.Bill) *bill.Amount) func(*bill.Bill, *time.Location) driver.Value {
	return func(b *bill.Bill, _ *time.Location) driver.Value {
		if a := of(b); a != nil {
			return a.Value
		}
		return nil
	}
}

func saidCurrency(of func(*bill.Bill) *bill.Amount) func(*bill.Bill, *time.Location) driver.Value {
	return func(b *bill.Bill, _ *time.Location) driver.Value {
		if a := of(b); a != nil {
			return orNull(a.Currency)
		}
		return nil
	}
}

// An altered is a row of bills or bill_states that is not what was received.
type altered struct {
	bill    int64
	table   *statesTable
	key     int64  // of the row
	until   string // how long a state of bill_states lasted
	columns []alteredColumn
	unsure  bool // what was received is not what its hash stands for, so that nothing tells what is right
}

type alteredColumn struct {
	name       string
	have, said driver.Value
	identity   bool
}

// A statesTable has states of bills. Until says how long a state lasted; the order
// number is that of the bill.
type statesTable struct{ name, key, until, order string }

var (
	presentTable = statesTable{"bills", "bill_id", "NULL", "order_no"}
	earlierTable = statesTable{"bill_states", "state_id", "valid_to", "NULL"}
)

// altered calls fn with the states of the bills from one key to another that are not
// what was received: somebody changed them by hand. Reading the bill again would not
// mend that, because its hash is still that of what the API says.
func (t *Tx) altered(from, to int64, decode Decoder, zone *time.Location, fn func(*altered)) error {
	names := make([]string, len(saidColumns))
	for i := range saidColumns {
		names[i] = saidColumns[i].name
	}
	for _, table := range []*statesTable{&presentTable, &earlierTable} {
		err := t.each("comparing bills with what was received", `
			SELECT bill_id, `+table.key+", "+table.until+", content_hash, raw, "+table.order+", "+strings.Join(names, ", ")+`
			FROM `+table.name+" WHERE bill_id BETWEEN ? AND ? ORDER BY "+table.key, []any{from, to}, func(row []driver.Value) error {
			c := columns{row: row}
			a := altered{bill: c.int(0), table: table, key: c.int(1), until: c.text(2)}
			it := decode([]byte(c.text(4)))
			if c.err != nil {
				return c.err
			}
			a.unsure = it.Rejected || it.Bill.Hash != c.text(3)
			if !a.unsure {
				a.compare(row[5], row[6:], &it.Bill, zone)
			}
			if a.unsure || len(a.columns) > 0 {
				fn(&a)
			}
			return c.err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compare notes which columns are not what was received.
func (a *altered) compare(order driver.Value, row []driver.Value, b *bill.Bill, zone *time.Location) {
	if a.table == &presentTable && order != b.OrderNo {
		a.columns = append(a.columns, alteredColumn{"order_no", order, b.OrderNo, true})
	}
	for i := range saidColumns {
		c := &saidColumns[i]
		said := c.of(b, zone)
		if row[i] == said || c.kept && said == nil {
			continue
		}
		a.columns = append(a.columns, alteredColumn{c.name, row[i], said, c.identity})
	}
}

// restorable reports whether what was received can be put back.
func (a *altered) restorable() bool {
	return !a.unsure && !slices.ContainsFunc(a.columns, func(c alteredColumn) bool { return c.identity })
}

// String says for people what is not as it was received.
func (a *altered) String() string {
	text := "somebody changed it: "
	if a.until != "" {
		text = "somebody changed its state until " + a.until + ": "
	}
	if a.unsure {
		return text + "raw is not what content_hash stands for, so that nothing tells what was received"
	}
	var parts []string
	for _, c := range a.columns {
		parts = append(parts, fmt.Sprintf("%s is %s, and %s was received", c.name, shown(c.have), shown(c.said)))
	}
	const most = 3
	if n := len(parts); n > most {
		parts = append(parts[:most], fmt.Sprintf("and %d more", n-most))
	}
	return text + strings.Join(parts, "; ")
}

// shown is a value of a column for people.
func shown(v driver.Value) string {
	const most = 40
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		if r := []rune(v); len(r) > most {
			return strconv.Quote(string(r[:most])) + "…"
		}
		return strconv.Quote(v)
	default:
		return fmt.Sprint(v)
	}
}

// received compares bills with what was received.
func (k *bookChecker) received(from, to int64) error {
	if k.decode == nil {
		return nil
	}
	return k.t.altered(from, to, k.decode, k.zone, func(a *altered) {
		if !k.altered[a.bill] {
			k.Altered++
			k.altered[a.bill] = true
		}
		k.tell(BooksFinding{Subject: fmt.Sprintf("bill %d", a.bill), Reason: a.String(), Altered: true})
	})
}

// restore puts back what was received where it is certain what that was. It returns the
// bills that were mended and those of which it is not: their amounts are nobody's word.
func (p *poster) restore(decode Decoder) (mended, doubted map[int64]bool, err error) {
	mended, doubted = map[int64]bool{}, map[int64]bool{}
	if decode == nil {
		return mended, doubted, nil
	}
	zone, err := p.t.ReportZone()
	if err != nil {
		return nil, nil, err
	}
	var rows []altered
	err = p.t.chunks(func(from, to int64) error {
		return p.t.altered(from, to, decode, zone, func(a *altered) { rows = append(rows, *a) })
	})
	if err != nil {
		return nil, nil, err
	}
	for i := range rows {
		if !rows[i].restorable() {
			doubted[rows[i].bill] = true
		}
	}
	for i := range rows {
		a := &rows[i]
		if doubted[a.bill] {
			continue
		}
		if err := p.t.putBack(a); err != nil {
			return nil, nil, err
		}
		mended[a.bill] = true
	}
	return mended, doubted, nil
}

// putBack puts back what was received of one row.
func (t *Tx) putBack(a *altered) error {
	var set []string
	var args []any
	for _, c := range a.columns {
		set, args = append(set, c.name+" = ?"), append(args, c.said)
	}
	return t.exec("putting back what was received", "UPDATE "+a.table.name+" SET "+strings.Join(set, ", ")+" WHERE "+a.table.key+" = ?", append(args, a.key)...)
}

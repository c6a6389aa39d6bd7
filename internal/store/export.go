package store

import (
	"cmp"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"billsync/internal/bill"
)

// An ExportFilter says which postings, or bills, are exported.
type ExportFilter struct {
	Accounts []string `json:"accounts,omitempty"`
	From     string   `json:"from,omitempty"` // the first month, YYYY-MM
	To       string   `json:"to,omitempty"`   // the last one, included
	Card     string   `json:"card,omitempty"` // asset id, or last four digits
}

// days are the bounds of the filter's days, as texts compare.
func (f *ExportFilter) days() (from, to string) {
	from, to = "0000", "9999"
	if f.From != "" {
		from = f.From + "-01"
	}
	if f.To != "" {
		to = f.To + "-31"
	}
	return from, to
}

// An ExportChoice is the postings of an export: those that fit a filter as they are
// now, or those of a batch as they were when it was made.
type ExportChoice struct {
	ExportFilter
	Target string       // without those that are in a batch of it; "": with them
	Batch  *ExportBatch // nil: by the filter
}

// An ExportLine is a posting with what other programs are told of it.
type ExportLine struct {
	LineID, Kind, Date, Effect  string
	Amount                      bill.Amount
	Account, OrderNo, Status    string
	At                          time.Time
	Merchant, AssetID, CardLast string
	Trade                       *bill.Amount // of a spend in another currency that is all that left for it
}

// An ExportGroup is the postings of an export that belong together.
type ExportGroup struct {
	Account, Currency string
	CardLast, Trade   string // with details only
	First, Last       string // months, YYYY-MM
	Lines             int
	Sum               int64
}

// keptOr is a label of a posting: that of its closed month, or the bill's.
const keptOr = "CASE WHEN k.bill_id IS NULL THEN %[1]s ELSE k.%[2]s END AS %[2]s"

// exportColumns select a posting and its bill, in a state of it: %[1]s comes before
// the names of the state's columns, %[2]s behind.
func exportColumns(of func(column string) string) string {
	asset := fmt.Sprintf(keptOr, of("asset_id"), "asset_id")
	return `p.line_id, p.kind, p.amount, p.currency, p.posting_date, p.effect_date, p.bill_id, p.line, b.account, b.order_no, ` +
		of("bill_status") + " AS bill_status, " + of("transaction_time") + " AS transaction_time, " +
		fmt.Sprintf(keptOr, of("merchant_name"), "merchant_name") + ", " + asset + ", " +
		fmt.Sprintf(keptOr, of("card_last4"), "card_last4") + ", " +
		"CASE WHEN p.kind = 'spend' AND " + of("out_amount") + " = -p.amount AND " + of("out_currency") + " = p.currency AND " +
		of("trade_currency") + " <> p.currency AND " + of("trade_amount") + " > 0 THEN " + of("trade_amount") + " END AS trade_amount, " +
		of("trade_currency") + " AS trade_currency"
}

// exportNow selects postings by a filter: from day, to day, accounts; %s is what
// keeps SQLite from going by the day, which gives them in the order of days without
// any sorting.
var exportNow = "SELECT " + exportColumns(func(c string) string { return "b." + c }) + `
	FROM postings p JOIN bills b ON b.bill_id = p.bill_id
	LEFT JOIN kept_labels k ON k.bill_id = p.bill_id AND k.line = p.line
	WHERE %sp.posting_date BETWEEN ?1 AND ?2 AND (?3 IS NULL OR b.account IN (SELECT value FROM json_each(?3)))`

// exportRest is the rest of the filter: the card, and the target that has not got
// them yet.
const exportRest = ` x WHERE (?4 IS NULL OR x.asset_id = ?4 OR x.card_last4 = ?4)
	AND (?5 IS NULL OR NOT EXISTS (SELECT 1 FROM export_lines e WHERE e.target = ?5 AND e.bill_id = x.bill_id AND e.line = x.line))`

// exportThen selects the postings of a batch: target, batch, the last state of a
// bill that was history then, and the months that were closed. A bill's state of
// then is the first that became history since, else the present one: that depends
// on no clock. %s is where its lines come from, in which order.
var exportThen = "SELECT " + exportColumns(func(c string) string { return "iif(s.state_id IS NULL, b." + c + ", s." + c + ")" }) + `
	FROM %s e CROSS JOIN postings p ON p.bill_id = e.bill_id AND p.line = e.line
	CROSS JOIN bills b ON b.bill_id = p.bill_id
	LEFT JOIN bill_states s ON s.state_id = (SELECT min(x.state_id) FROM bill_states x WHERE x.bill_id = p.bill_id AND x.state_id > ?3)
	LEFT JOIN kept_labels k ON k.bill_id = p.bill_id AND k.line = p.line AND substr(p.posting_date, 1, 7) IN (SELECT value FROM json_each(?4))`

// exportLinesByDay are the lines of a batch by day. Nothing but their keys is sorted:
// whole lines would take ten times the room on the disk. A join goes on in the order
// of what comes first in it.
const exportLinesByDay = `(SELECT l.bill_id, l.line FROM export_lines l JOIN postings d ON d.bill_id = l.bill_id AND d.line = l.line
	WHERE l.target = ?1 AND l.batch_id = ?2 ORDER BY d.posting_date, l.bill_id, l.line LIMIT -1)`

// selection returns what selects the postings of an export, and its arguments; by day
// if that is wanted.
func (c *ExportChoice) selection(byDay bool) (sql string, args []any, err error) {
	if c.Batch != nil {
		closed, err := textList(c.Batch.AsOf.Closed)
		if err == nil && closed == nil {
			closed = "[]"
		}
		lines := "(SELECT bill_id, line FROM export_lines WHERE target = ?1 AND batch_id = ?2)"
		if byDay {
			lines = exportLinesByDay
		}
		return "SELECT x.* FROM (" + fmt.Sprintf(exportThen, lines) + ") x", []any{c.Batch.Target, c.Batch.ID, c.Batch.AsOf.States, closed}, err
	}
	accounts, err := textList(c.Accounts)
	from, to := c.days()
	sql = "SELECT x.* FROM (" + fmt.Sprintf(exportNow, "") + ")" + exportRest
	if byDay {
		sql += " ORDER BY x.posting_date, x.bill_id, x.line"
	}
	return sql, []any{from, to, accounts, orNull(c.Card), orNull(c.Target)}, err
}

// ExportGroups adds up the postings of an export by account and currency, and with
// details by card and the merchants' currency too.
func (t *Tx) ExportGroups(c *ExportChoice, details bool, fn func(*ExportGroup) error) error {
	doing, sql, args, err := t.exportGroups(c, details)
	if err != nil {
		return err
	}
	return t.each(doing, sql, args, func(row []driver.Value) error {
		c := columns{row: row}
		g := ExportGroup{c.text(0), c.text(1), c.text(2), c.text(3), c.text(4), c.text(5), int(c.int(6)), c.int(7)}
		if c.err != nil {
			return c.err
		}
		return fn(&g)
	})
}

// exportSums are the groups of all postings of some months, as the sums have them:
// accounts, first month, last month.
const exportSums = `SELECT account, currency, NULL, NULL, min(month), max(month), sum(postings), sum(spent + returned + reversed + adjusted)
	FROM book_sums WHERE dimension = 'account' AND (?1 IS NULL OR account IN (SELECT value FROM json_each(?1))) AND month BETWEEN ?2 AND ?3
	GROUP BY account, currency ORDER BY account, currency`

// exportGroups returns the query of ExportGroups: the sums if they have it, else one
// that reads all postings.
func (t *Tx) exportGroups(c *ExportChoice, details bool) (doing, sql string, args []any, err error) {
	if !details && c.Batch == nil && c.Card == "" && c.Target == "" {
		stale, err := t.dirt(nil)
		from, to, e := t.backlog()
		if err = errors.Join(err, e); err != nil {
			return "", "", nil, err
		}
		if stale.month == "" && from > to {
			accounts, err := textList(c.Accounts)
			return "reading sums", exportSums, []any{accounts, cmp.Or(c.From, "0000"), cmp.Or(c.To, "9999")}, err
		}
	}
	by, extra := "account, currency", "NULL, NULL"
	if details {
		by, extra = by+", card_last4, iif(trade_amount IS NULL, NULL, trade_currency)", "card_last4, iif(trade_amount IS NULL, NULL, trade_currency)"
	}
	sql, args, err = c.selection(false)
	return "adding up postings", "SELECT account, currency, " + extra + `, substr(min(posting_date), 1, 7), substr(max(posting_date), 1, 7), count(*), sum(amount)
		FROM (` + sql + ") GROUP BY " + by + " ORDER BY " + by, args, err
}

// ExportsAny reports whether an export has any postings. The latest are looked at
// first: if there are new ones, most likely these are.
func (t *Tx) ExportsAny(c *ExportChoice) (some bool, err error) {
	sql, args, err := c.selection(false)
	if err != nil {
		return false, err
	}
	return some, t.each("looking for postings", sql+" ORDER BY x.posting_date DESC LIMIT 1", args, func([]driver.Value) error {
		some = true
		return nil
	})
}

// ExportLines calls fn with the postings of an export, by day, bill and line. Within
// fn nothing else may be asked of the Tx.
func (t *Tx) ExportLines(c *ExportChoice, fn func(*ExportLine) error) error {
	sql, args, err := c.selection(true)
	if err != nil {
		return err
	}
	day := ""
	return t.each("reading postings", sql, args, func(row []driver.Value) error {
		c := columns{row: row}
		l := ExportLine{
			LineID: c.text(0), Kind: c.text(1), Amount: bill.Amount{Value: c.int(2), Currency: c.text(3)}, Date: c.text(4), Effect: c.text(5),
			Account: c.text(8), OrderNo: c.text(9), Status: c.text(10), At: c.time(11), Merchant: c.text(12), AssetID: c.text(13), CardLast: c.text(14), Trade: c.amount(15),
		}
		switch {
		case c.err != nil:
			return c.err
		case l.Date < day:
			return fmt.Errorf("postings of %s come after those of %s", l.Date, day)
		}
		day = l.Date
		return fn(&l)
	})
}

// An ExportBalance is what all postings of an account in a currency come to, up to
// the end of an export.
type ExportBalance struct {
	Account  string `json:"account"`
	Currency string `json:"currency"`
	Month    string `json:"month"` // the last one with a posting
	Balance  int64  `json:"balance"`
}

// ExportBalances returns the balances at the end of what a filter selects, whenever
// it begins.
func (t *Tx) ExportBalances(f ExportFilter) (out []ExportBalance, err error) {
	f.From = ""
	all := ExportChoice{ExportFilter: f}
	return out, t.ExportGroups(&all, false, func(g *ExportGroup) error {
		out = append(out, ExportBalance{g.Account, g.Currency, g.Last, g.Sum})
		return nil
	})
}

// HasCard reports whether any bill is of a card, named by asset id or last four
// digits.
func (t *Tx) HasCard(card string) (has bool, err error) {
	return has, t.each("looking for a card", `SELECT EXISTS (SELECT 1 FROM cards WHERE asset_id = ?1)
		OR EXISTS (SELECT 1 FROM bills WHERE card_last4 = ?1 OR asset_id = ?1)`, []any{card}, func(row []driver.Value) error {
		c := columns{row: row}
		has = c.int(0) != 0
		return c.err
	})
}

// A FullBill is a bill with all that is known of it, but for the text as received.
type FullBill struct {
	BillInfo
	Type, MaskedCard, Nick, Budget           string
	Rate, Country, FailCode, FailDesc        string
	Metadata                                 string
	LastUpdate, FirstSeen, Changed, Withdrew time.Time
}

var fullBills = "SELECT " + presentInfo + `, b.bill_type, b.masked_card_no, b.card_nick_name, b.budget_account_id, b.exchange_rate, b.trade_country,
	b.fail_code, b.fail_desc, b.metadata, b.last_update, b.first_seen_at, b.changed_at, b.withdrawn_at ` + filteredBills + `
	ORDER BY b.account, b.transaction_time, b.withdrawn_at, b.bill_id`

// filteredBills are the bills that fit a filter; see billArgs.
const filteredBills = "FROM bills b WHERE " + wantedAccount + ` AND b.transaction_time BETWEEN ?2 AND ?3 AND b.transaction_date BETWEEN ?4 AND ?5
	AND (?6 IS NULL OR b.asset_id = ?6 OR b.card_last4 = ?6)`

// billArgs are the arguments of filteredBills.
func (f *ExportFilter) billArgs() ([]any, error) {
	accounts, err := textList(f.Accounts)
	from, to := f.days()
	// The index is by UTC, which is not more than a day off.
	early, late := "0000", "9999"
	if f.From != "" {
		early = beforeMonth(f.From)
	}
	if f.To != "" {
		late = nextMonth(f.To) + "-03"
	}
	return []any{accounts, early, late, from, to, orNull(f.Card)}, err
}

// CountBills counts the bills that fit a filter.
func (t *Tx) CountBills(f *ExportFilter) (n int, err error) {
	args, err := f.billArgs()
	if err != nil {
		return 0, err
	}
	return n, t.each("counting bills", "SELECT count(*) "+filteredBills, args, func(row []driver.Value) error {
		c := columns{row: row}
		n = int(c.int(0))
		return c.err
	})
}

// FullBills calls fn with the bills that fit a filter, by account and time. Within
// fn nothing else may be asked of the Tx.
func (t *Tx) FullBills(f *ExportFilter, fn func(*FullBill) error) error {
	args, err := f.billArgs()
	if err != nil {
		return err
	}
	return t.each("reading bills", fullBills, args, func(row []driver.Value) error {
		c := columns{row: row}
		const n = infoCount
		b := FullBill{BillInfo: c.info(), Type: c.text(n), MaskedCard: c.text(n + 1), Nick: c.text(n + 2), Budget: c.text(n + 3), Rate: c.text(n + 4),
			Country: c.text(n + 5), FailCode: c.text(n + 6), FailDesc: c.text(n + 7), Metadata: c.text(n + 8),
			LastUpdate: c.time(n + 9), FirstSeen: c.time(n + 10), Changed: c.time(n + 11), Withdrew: c.time(n + 12)}
		if c.err != nil {
			return c.err
		}
		return fn(&b)
	})
}

// beforeMonth is a day shortly before a month, YYYY-MM.
func beforeMonth(month string) string {
	at, err := time.Parse("2006-01", month)
	if err != nil {
		panic("no month: " + month) // it was parsed before
	}
	return at.AddDate(0, 0, -2).Format(time.DateOnly)
}

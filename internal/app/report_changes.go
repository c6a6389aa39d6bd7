package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"billsync/internal/bill"
	"billsync/internal/report"
	"billsync/internal/store"
)

// Changes reports what moved since a day (2026-06-01), a moment
// (2026-06-01T12:00:00+08:00) or the closing of a month (2026-05); "" is the last
// closing.
func (a *App) Changes(ctx context.Context, since string, o BookOptions, write func(*report.Report) error) error {
	return a.makeReport(ctx, o, func(b *book) (*report.Report, error) { return b.changeReport(since) }, write)
}

func (b *book) changeReport(since string) (*report.Report, error) {
	at, told, err := b.moment(since)
	if err != nil {
		return nil, err
	}
	if at.After(b.madeAt) {
		return nil, &InputError{fmt.Sprintf("--since %s has not come yet", since), "name a day or a moment that is over"}
	}
	begun, err := b.begunSince(at)
	if err != nil {
		return nil, err
	}
	return &report.Report{
		Name: "changes", Title: "What moved since " + told,
		About: b.about(report.Fact{Label: "since", Text: told}),
		Notes: append(begun,
			"late: first seen since, though its transaction is of a day before; changed: it was known and says something else now; withdrawn: no longer listed; returned: listed again",
			"effect: what the books have of the bill now less what they had of it then; "+signNote,
			"new bills of later days are no changes and are left out",
		),
		Parts: []report.Part{b.changeSummary(at), b.changedBills(at)},
	}, nil
}

// begunSince warns of accounts that the database did not know at a moment: all of
// their past would seem to have come late.
func (b *book) begunSince(at time.Time) ([]string, error) {
	begun, err := b.BegunSince(b.accounts, at)
	if err != nil || len(begun) == 0 {
		return nil, err
	}
	var list []string
	for _, x := range begun {
		list = append(list, fmt.Sprintf("%s on %s", x.Account, x.At.In(b.app.cfg.Report.Timezone).Format("2006-01-02 15:04:05 -07:00")))
	}
	return []string{"first read after that moment: " + strings.Join(list, ", ") +
		"; all of it is new to this database, so every bill of an earlier day is listed as late"}, nil
}

// moment reads what a report is since, and says it for people.
func (b *book) moment(since string) (at time.Time, told string, err error) {
	const shape = "2006-01-02 15:04:05 -07:00"
	zone := b.app.cfg.Report.Timezone
	if at, err := time.ParseInLocation(time.DateOnly, since, zone); err == nil {
		return at, at.Format(shape), nil
	}
	if at, err := time.Parse(time.RFC3339, since); err == nil {
		return at, at.In(zone).Format(shape), nil
	}
	month := Month("")
	if since != "" {
		if month, err = ParseMonth(since); err != nil {
			return at, "", &InputError{fmt.Sprintf("--since %q is neither a day nor a moment", since),
				"a day is written 2026-06-01, a moment 2026-06-01T12:00:00+08:00, and 2026-05 stands for the closing of that month"}
		}
	}
	closed, err := b.Closings()
	if err != nil {
		return at, "", err
	}
	if month == "" && len(closed) == 0 {
		return at, "", &InputError{"no month is closed yet, so it is not clear since when", "say --since DAY, such as --since 2026-06-01"}
	}
	last := -1
	for i := range closed {
		if month == "" && (last < 0 || closed[i].At.After(closed[last].At)) || closed[i].Month == string(month) {
			last = i
		}
	}
	if last < 0 {
		return at, "", notClosed(month, closed)
	}
	// What changed in the very millisecond was before it: see store.CloseMonth.
	c := &closed[last]
	return c.At.Add(time.Millisecond), fmt.Sprintf("%s was closed, %s", c.Month, c.At.In(zone).Format(shape)), nil
}

const noChanges = "nothing moved"

// changeKind is what happened to a bill, in a word.
func changeKind(c *store.BillChange) string {
	switch {
	case c.Late:
		return "late"
	case c.Was && !c.Is:
		return "withdrawn"
	case !c.Was && c.Is:
		return "returned"
	}
	return "changed"
}

// changeSummary is the table by kind, account and currency.
func (b *book) changeSummary(since time.Time) report.Part {
	type sum struct{ bills, effect int64 }
	return report.Part{
		Name: "summary", Title: "By kind and account", Empty: noChanges,
		Columns: []report.Column{
			{Name: "kind", Title: "kind"}, {Name: "account", Title: "account"}, {Name: "currency", Title: "currency"},
			{Name: "bills", Title: "bills", Kind: report.Count, Sum: true},
			{Name: "effect", Title: "effect", Kind: report.Money, Currency: 2, Sum: true},
		},
		Notes: []string{"a bill counts in each currency in which the books changed; without a currency: bills that left the books as they were"},
		Rows: func(row func(report.Row) error) error {
			groups := map[groupKey]*sum{}
			err := b.Tx.Changes(b.accounts, since, func(c *store.BillChange) error {
				if len(c.Effect) == 0 {
					group(groups, groupKey{changeKind(c), c.Account, ""}).bills++
				}
				for _, e := range c.Effect {
					s := group(groups, groupKey{changeKind(c), c.Account, e.Currency})
					s.bills++
					if err := addAll("changes of "+c.Account, &s.effect, e.Value); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			return sorted(groups, func(k groupKey, s *sum) error {
				if k[2] == "" {
					return row(report.Row{k[0], k[1], nil, s.bills, nil})
				}
				return row(report.Row{k[0], k[1], k[2], s.bills, s.effect})
			})
		},
	}
}

// changedBills is the list of bills.
func (b *book) changedBills(since time.Time) report.Part {
	columns := append([]report.Column{
		{Name: "kind", Title: "kind"}, {Name: "account", Title: "account"}, {Name: "transaction_date", Title: b.dayTitle("date"), Kind: report.Date},
		{Name: "order_no", Title: "order", Kind: report.ID}, {Name: "bill_no", Title: "bill", Kind: report.ID},
		{Name: "bill_id", Title: "bill_id", Kind: report.ID, Data: true}, {Name: "merchant", Title: "merchant", None: nobody},
	}, cardColumns()...)
	n := len(columns)
	columns = append(columns,
		report.Column{Name: "status_before", Title: "status before", Data: true}, report.Column{Name: "bill_status", Title: "status", None: nobody},
		report.Column{Name: "changes", Title: "what changed"},
		report.Column{Name: "effect", Title: "effect", Kind: report.Money, Currency: n + 4, Sum: true}, report.Column{Name: "currency", Title: "currency"},
		report.Column{Name: "moved_at", Title: "when", Kind: report.Time})
	return report.Part{
		Name: "bills", Title: "Bills that moved", Columns: columns, Empty: noChanges,
		Notes: []string{"a bill that moved the books in several currencies has a line for each; when: the last change, of a late one when it was first seen"},
		Rows: func(row func(report.Row) error) error {
			return b.Tx.Changes(b.accounts, since, func(c *store.BillChange) error { return changeRows(c, row) })
		},
	}
}

// changeRows writes the lines of a bill: one, and one more for each further
// currency.
func changeRows(c *store.BillChange, row func(report.Row) error) error {
	at := c.ChangedAt
	if c.Late {
		at = c.FirstSeen
	}
	line := func(what string, effect *bill.Amount) error {
		value, currency := moneyCells(effect)
		return row(report.Row{changeKind(c), c.Account, c.Date, c.OrderNo, some(c.BillNo), fmt.Sprint(c.ID), some(c.Merchant), some(c.CardLast4),
			some(c.AssetID), some(c.StatusThen), some(c.Status), what, value, currency, report.At(at)})
	}
	var first *bill.Amount
	if len(c.Effect) > 0 {
		first = &c.Effect[0]
	}
	err := line(whatChanged(c), first)
	for i := 1; i < len(c.Effect) && err == nil; i++ {
		err = line("the same, in another currency", &c.Effect[i])
	}
	return err
}

// whatChanged tells the fields of a bill that changed, from what to what.
func whatChanged(c *store.BillChange) string {
	switch {
	case c.Late && !c.Is:
		return "new, and no longer listed"
	case c.Late:
		return "new"
	case len(c.Fields) == 0:
		return "as it was: changed and changed back, or in something that is not shown"
	}
	var out []string
	for _, f := range c.Fields {
		switch {
		case f.Name == "metadata": // long, and nothing for people
			out = append(out, f.Name)
		case f.From == "":
			out = append(out, f.Name+" "+f.To+" (none before)")
		case f.To == "":
			out = append(out, f.Name+" gone ("+f.From+" before)")
		default:
			out = append(out, fmt.Sprintf("%s %s -> %s", f.Name, f.From, f.To))
		}
	}
	return strings.Join(out, "; ")
}

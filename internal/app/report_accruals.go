package app

import (
	"context"
	"fmt"
	"strings"

	"billsync/internal/report"
	"billsync/internal/store"
)

// Accruals reports what was made by the end of a month and was not in the books by
// then, as journal lines: an accrual on the month's last day and its reversal on
// the day after.
func (a *App) Accruals(ctx context.Context, month Month, o BookOptions, write func(*report.Report) error) error {
	if now := a.thisMonth(); month > now {
		return &InputError{fmt.Sprintf("%s has not begun", month), fmt.Sprintf("the latest month is %s", now)}
	}
	return a.makeReport(ctx, o, func(b *book) (*report.Report, error) { return b.accrualReport(month) }, write)
}

func (b *book) accrualReport(month Month) (*report.Report, error) {
	closing, _, err := b.closing(month)
	if err != nil {
		return nil, err
	}
	zone := b.app.cfg.Report.Timezone
	known := "now: the month is open"
	notes := []string{
		"accrued: made by the cut-off, not cancelled or failed, and not in the books of that day",
		"an accrual is negative, as the spend that it stands for; its reversal on the next day is positive, so the lines add up to nothing",
		"the amount is out_amount as last seen by the cut-off, else as first seen after it",
		"cleared: the spend that came into the books meanwhile; difference: that less the accrual, negative if more left than was accrued",
		"status is that by the cut-off; WAITING_DEDUCT seems to be cleared and not yet taken from the balance (the API document does not define it)",
	}
	if closing != nil {
		known = "when the month was closed, " + closing.At.In(zone).Format("2006-01-02 15:04:05 -07:00")
	}
	if month == b.app.thisMonth() {
		notes = append(notes, fmt.Sprintf("%s is not over: more will come", month))
	}
	return &report.Report{
		Name: "accruals", Title: "Accruals for " + string(month),
		About: b.about(report.Fact{Label: "cut-off", Text: month.Last()}, report.Fact{Label: "as known", Text: known}),
		Notes: notes, Parts: []report.Part{b.accrualTotals(month), b.accrualLines(month)},
	}, nil
}

const noAccruals = "nothing was uncleared at the cut-off"

// accrualTotals is the table by account, status and currency.
func (b *book) accrualTotals(month Month) report.Part {
	type sum struct{ bills, without, accrued, cleared, difference int64 }
	return report.Part{
		Name: "totals", Title: "By account and status", Empty: noAccruals,
		Columns: []report.Column{
			{Name: "account", Title: "account"}, {Name: "bill_status", Title: "status", None: nobody}, {Name: "currency", Title: "currency"},
			{Name: "bills", Title: "bills", Kind: report.Count, Sum: true},
			{Name: "without_amount", Title: "without amount", Kind: report.Count, Sum: true},
			{Name: "accrued", Title: "accrued", Kind: report.Money, Currency: 2, Sum: true},
			{Name: "cleared_bills", Title: "cleared since", Kind: report.Count, Sum: true},
			{Name: "difference", Title: "difference", Kind: report.Money, Currency: 2, Sum: true, Signed: true},
		},
		Rows: func(row func(report.Row) error) error {
			groups := map[groupKey]*sum{}
			err := b.Tx.Accruals(b.accounts, string(month), func(a *store.Accrual) error {
				l := accrue(a)
				currency, _ := l.currency.(string)
				s := group(groups, groupKey{a.Account, a.Status, currency})
				s.bills++
				if a.ClearedOn != "" {
					s.cleared++
				}
				amount, ok := l.amount.(int64)
				if !ok {
					s.without++
					return nil
				}
				difference, _ := l.difference.(int64)
				return addAll("accruals of "+a.Account, &s.accrued, amount, &s.difference, difference)
			})
			if err != nil {
				return err
			}
			return sorted(groups, func(k groupKey, s *sum) error {
				if k[2] == "" {
					return row(report.Row{k[0], some(k[1]), nil, s.bills, s.without, nil, s.cleared, nil})
				}
				return row(report.Row{k[0], some(k[1]), k[2], s.bills, s.without, s.accrued, s.cleared, s.difference})
			})
		},
	}
}

// An accrued is what is worked out of an accrual: cells.
type accrued struct {
	amount, currency any // signed as the spend it stands for; nil: the bill has no amount
	difference       any // nil if it has not cleared, or cannot be compared
	note             string
}

// accrue works out the amount of an accrual and what is peculiar about it.
func accrue(a *store.Accrual) accrued {
	var l accrued
	var notes []string
	switch {
	case a.Out == nil:
		notes = append(notes, "no out_amount: not accrued")
	default:
		l.amount, l.currency = -a.Out.Value, a.Out.Currency
	}
	switch {
	case a.Gone:
		notes = append(notes, "no longer listed by now")
	case a.Now == "FAILED" || a.Now == "CANCELLED":
		notes = append(notes, a.Now+" by now")
	}
	switch {
	case a.Spend == nil || a.Out == nil:
	case a.Spend.Currency != a.Out.Currency:
		notes = append(notes, "cleared in another currency")
	default:
		d := a.Spend.Value
		if store.Add(&d, a.Out.Value) != nil {
			notes = append(notes, "the difference is more than can be counted")
			break
		}
		l.difference = d
		if d != 0 {
			notes = append(notes, "cleared with another amount")
		}
	}
	l.note = strings.Join(notes, "; ")
	return l
}

// accrualLines are the journal lines, two for each bill.
func (b *book) accrualLines(month Month) report.Part {
	columns := append([]report.Column{
		{Name: "line_id", Title: "line", Kind: report.ID}, {Name: "date", Title: b.dayTitle("date"), Kind: report.Date}, {Name: "kind", Title: "kind"},
		{Name: "account", Title: "account"}, {Name: "bill_status", Title: "status", None: nobody}, {Name: "known_status", Title: "as known", Data: true},
		{Name: "transaction_date", Title: "transaction", Kind: report.Date},
		{Name: "order_no", Title: "order", Kind: report.ID}, {Name: "bill_no", Title: "bill", Kind: report.ID},
		{Name: "bill_id", Title: "bill_id", Kind: report.ID, Data: true}, {Name: "merchant", Title: "merchant", None: nobody},
	}, cardColumns()...)
	n := len(columns)
	columns = append(columns,
		report.Column{Name: "amount", Title: "amount", Kind: report.Money, Currency: n + 1, Sum: true}, report.Column{Name: "currency", Title: "currency"},
		report.Column{Name: "trade_amount", Title: "traded", Kind: report.Money, Currency: n + 3}, report.Column{Name: "trade_currency", Title: "currency"},
		report.Column{Name: "cleared_date", Title: "cleared on", Kind: report.Date},
		report.Column{Name: "cleared_amount", Title: "cleared", Kind: report.Money, Currency: n + 6, Sum: true}, report.Column{Name: "cleared_currency", Title: "currency"},
		report.Column{Name: "difference", Title: "difference", Kind: report.Money, Currency: n + 1, Sum: true, Signed: true},
		report.Column{Name: "note", Title: "note"})
	return report.Part{
		Name: "lines", Title: "Journal lines", Columns: columns, Empty: noAccruals,
		Notes: []string{"what cleared since is told in the line of the accrual"},
		Rows: func(row func(report.Row) error) error {
			return b.Tx.Accruals(b.accounts, string(month), func(a *store.Accrual) error { return accrualRows(month, a, row) })
		},
	}
}

// accrualRows writes the lines of a bill. Their ids begin as those of its postings.
func accrualRows(month Month, a *store.Accrual, row func(report.Row) error) error {
	l := accrue(a)
	digits := strings.ReplaceAll(string(month), "-", "")
	line := func(id, date, kind string, amount any) report.Row {
		traded, tradeCurrency := moneyCells(a.Trade)
		return report.Row{id, date, kind, a.Account, some(a.Status), some(a.Known), a.Date, a.OrderNo, some(a.BillNo), fmt.Sprint(a.ID),
			some(a.Merchant), some(a.CardLast4), some(a.AssetID), amount, l.currency, traded, tradeCurrency}
	}
	cleared, clearedCurrency := moneyCells(a.Spend)
	err := row(append(line(a.Key+"-ACC"+digits, month.Last(), "accrual", l.amount),
		some(a.ClearedOn), cleared, clearedCurrency, l.difference, some(l.note)))
	if amount, ok := l.amount.(int64); ok && err == nil { // what is not accrued is not reversed
		err = row(append(line(a.Key+"-REV"+digits, month.Add(1).First(), "reversal", -amount), nil, nil, nil, nil, nil))
	}
	return err
}

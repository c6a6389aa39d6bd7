package app

import (
	"context"
	"slices"
	"strings"

	"billsync/internal/books"
	"billsync/internal/report"
	"billsync/internal/store"
)

// refundMonths is how far back refunds are reported if nothing else is said.
const refundMonths = 12

// Refunds reports what money of purchases came back and what is expected to: of
// transactions of some months, the last twelve if none are named.
func (a *App) Refunds(ctx context.Context, o BookOptions, write func(*report.Report) error) error {
	if o.From == "" && o.To == "" {
		o.To = a.thisMonth()
		o.From = o.To.Add(1 - refundMonths)
	}
	return a.makeReport(ctx, o, (*book).refundReport, write)
}

func (b *book) refundReport() (*report.Report, error) {
	period := b.period()
	period.Label = "purchases of"
	return &report.Report{
		Name: "refunds", Title: "Refunds expected and received",
		About: b.about(period),
		Notes: []string{
			"the months are those of the purchases: a refund stands with its purchase, whenever it came",
			"expected: of a REFUNDED bill its whole out_amount; of a PARTIAL_REFUND one what in_amount says by now, because the API does not say how much is still to come; of any other bill what came back",
			"what was reversed, as when a bill was cancelled or became less after the money had left, is both expected and received",
			"received: returns and reversals in the books; outstanding: expected less received, if both are in one currency",
			"the API does not announce refunds: one that nobody has booked yet is not in this report",
			"bills that are no longer listed are left out: what was taken back of them is no refund (see \"syncer report changes\")",
		},
		Parts: []report.Part{b.refundTotals(), b.refundBills()},
	}, nil
}

// refundTotals is the table by account and currency.
func (b *book) refundTotals() report.Part {
	type sum struct{ bills, expected, received, outstanding, waiting, unclear int64 }
	return report.Part{
		Name: "totals", Title: "By account and currency", Empty: "nothing came back, and nothing is expected to",
		Columns: []report.Column{
			{Name: "account", Title: "account"}, {Name: "currency", Title: "currency"},
			{Name: "bills", Title: "bills", Kind: report.Count, Sum: true},
			{Name: "expected", Title: "expected", Kind: report.Money, Currency: 1, Sum: true},
			{Name: "received", Title: "received", Kind: report.Money, Currency: 1, Sum: true},
			{Name: "outstanding", Title: "outstanding", Kind: report.Money, Currency: 1, Sum: true},
			{Name: "outstanding_bills", Title: "bills with it", Kind: report.Count, Sum: true},
			{Name: "not_comparable", Title: "not comparable", Kind: report.Count, Sum: true},
		},
		Notes: []string{"a bill is counted where its expected amount is; not comparable: bills whose outstanding amount cannot be told, so expected less received is more or less than outstanding"},
		Rows: func(row func(report.Row) error) error {
			groups := map[groupKey]*sum{}
			err := b.Tx.Refunds(b.accounts, b.span(), func(r *store.Refund) error {
				s := group(groups, groupKey{r.Account, refundCurrency(r)})
				s.bills++
				what := "refunds of " + r.Account
				if r.Expected != nil {
					if err := addAll(what, &s.expected, r.Expected.Value); err != nil {
						return err
					}
				}
				for _, a := range r.Received {
					if err := addAll(what, &group(groups, groupKey{r.Account, a.Currency}).received, a.Value); err != nil {
						return err
					}
				}
				left := r.Outstanding()
				switch {
				case left == nil:
					s.unclear++
					return nil
				case left.Value > 0:
					s.waiting++
				}
				return addAll(what, &s.outstanding, left.Value)
			})
			if err != nil {
				return err
			}
			return sorted(groups, func(k groupKey, s *sum) error {
				if k[1] == "" {
					return row(report.Row{k[0], nil, s.bills, nil, nil, nil, s.waiting, s.unclear})
				}
				return row(report.Row{k[0], k[1], s.bills, s.expected, s.received, s.outstanding, s.waiting, s.unclear})
			})
		},
	}
}

// refundCurrency is where a bill is counted.
func refundCurrency(r *store.Refund) string {
	switch {
	case r.Expected != nil:
		return r.Expected.Currency
	case len(r.Received) > 0:
		return r.Received[0].Currency
	}
	return ""
}

// refundBills is the list of bills.
func (b *book) refundBills() report.Part {
	columns := append([]report.Column{
		{Name: "account", Title: "account"}, {Name: "transaction_date", Title: b.dayTitle("date"), Kind: report.Date},
		{Name: "bill_status", Title: "status", None: nobody}, {Name: "order_no", Title: "order", Kind: report.ID}, {Name: "bill_no", Title: "bill", Kind: report.ID},
		{Name: "merchant", Title: "merchant", None: nobody},
	}, cardColumns()...)
	n := len(columns)
	columns = append(columns,
		report.Column{Name: "expected", Title: "expected", Kind: report.Money, Currency: n + 1, Sum: true},
		report.Column{Name: "expected_currency", Title: "currency"},
		report.Column{Name: "received", Title: "received", Kind: report.Money, Currency: n + 3, Sum: true},
		report.Column{Name: "received_currency", Title: "currency"},
		report.Column{Name: "outstanding", Title: "outstanding", Kind: report.Money, Currency: n + 1, Sum: true},
		report.Column{Name: "spent_on", Title: "spent on", Kind: report.Date},
		report.Column{Name: "returned_on", Title: "returned on"},
		report.Column{Name: "reason", Title: "reason"}, report.Column{Name: "note", Title: "note"})
	return report.Part{
		Name: "bills", Title: "Bills with a refund", Columns: columns, Empty: "nothing came back, and nothing is expected to",
		Notes: []string{"a bill that had money back in several currencies has a line for each; spent on and returned on are days in the books"},
		Rows: func(row func(report.Row) error) error {
			return b.Tx.Refunds(b.accounts, b.span(), func(r *store.Refund) error { return refundRows(r, row) })
		},
	}
}

// refundRows writes the lines of a bill: one, and one more for each further
// currency that came back.
func refundRows(r *store.Refund, row func(report.Row) error) error {
	about := func() report.Row {
		return report.Row{r.Account, r.Date, some(r.Status), r.OrderNo, some(r.BillNo), some(r.Merchant), some(r.CardLast4), some(r.AssetID)}
	}
	var days, reasons []string
	for _, l := range r.Returns {
		days, reasons = append(days, l.Date), append(reasons, l.Reason)
	}
	expected, expectedCurrency := moneyCells(r.Expected)
	left, _ := moneyCells(r.Outstanding())
	var received, receivedCurrency any
	if len(r.Received) > 0 {
		received, receivedCurrency = moneyCells(&r.Received[0])
	}
	err := row(append(about(), expected, expectedCurrency, received, receivedCurrency, left, some(r.SpentOn),
		some(strings.Join(slices.Compact(days), ", ")), some(strings.Join(reasons, "; ")), some(refundNote(r))))
	for i := 1; i < len(r.Received) && err == nil; i++ {
		received, receivedCurrency = moneyCells(&r.Received[i])
		err = row(append(about(), nil, nil, received, receivedCurrency, nil, nil, nil, nil, "also came back"))
	}
	return err
}

// refundNote says what is peculiar about a refund.
func refundNote(r *store.Refund) string {
	switch {
	case r.Expected == nil && len(r.Received) > 1:
		return "not comparable: several currencies came back"
	case r.Expected == nil:
		return "the API does not say how much is to come back"
	case r.Outstanding() == nil:
		return "not comparable: it came back in another currency"
	case !books.Effective(r.Status) && r.In != nil && len(r.Received) == 0:
		return "not in the books while the bill waits"
	}
	return ""
}

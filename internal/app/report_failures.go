package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"billsync/internal/report"
	"billsync/internal/store"
)

// Failures reports the payments that failed in a period (the last twelve months if
// none is said) by reason, merchant and card, and what became of them; with list,
// each of them.
func (a *App) Failures(ctx context.Context, list bool, o BookOptions, write func(*report.Report) error) error {
	return a.makeReport(ctx, o, func(b *book) (*report.Report, error) {
		b.lastYear()
		reasons, err := b.FailReasons()
		if err != nil {
			return nil, err
		}
		codes, err := b.failureSums("account")
		if err != nil {
			return nil, err
		}
		parts := []report.Part{reasonsPart(codes, reasons), advicePart(codes, reasons)}
		for _, dimension := range []string{"merchant", "card"} {
			part, err := b.failuresBy(dimension)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
		}
		if list {
			parts = append(parts, b.paymentsPart(reasons))
		}
		return &report.Report{
			Name: "failures", Title: "Payments that failed",
			About: b.about(b.period()),
			Notes: []string{
				"months are those of the transactions",
				"a purchase is the tries to pay the same amount to the same merchant, each within three days of the one before; a failure counts as paid later if a try within three days after it succeeded, with whichever card",
				"the unpaid amount is that of the purchases that were not paid within three days of their first try: it may be less in truth, not more",
			},
			Parts: parts,
		}, nil
	}, write)
}

// A failureRow is what the failed payments of a name or reason come to in a
// currency.
type failureRow struct {
	nameGroup
	all int64 // failures of the name, whatever the currency
	store.FailureSum
}

// failureSums adds up the months of the period: by reason for accounts, else by
// name. What failed most comes first.
func (b *book) failureSums(dimension string) ([]failureRow, error) {
	sums, all := map[nameGroup]*failureRow{}, map[string]int64{}
	err := b.FailureGroups(dimension, b.accounts, b.span(), func(f *store.FailureGroup) error {
		g := nameGroup{f.Name, f.Currency}
		if dimension == "account" {
			g.name = f.Code
		}
		if sums[g] == nil {
			sums[g] = &failureRow{nameGroup: g}
		}
		all[g.name] += f.Failures
		if err := sums[g].Add(&f.FailureSum); err != nil {
			return fmt.Errorf("%s %s: %w", g.name, g.currency, err)
		}
		return nil
	})
	rows := make([]failureRow, 0, len(sums))
	for g, s := range sums {
		s.all = all[g.name]
		rows = append(rows, *s)
	}
	slices.SortFunc(rows, func(a, b failureRow) int {
		return cmp.Or(cmp.Compare(b.all, a.all), cmp.Compare(a.name, b.name), cmp.Compare(a.currency, b.currency))
	})
	return rows, err
}

// failureColumns are the columns of these sums behind the first ones.
func failureColumns(before ...report.Column) []report.Column {
	currency := len(before)
	return append(before,
		report.Column{Name: "currency", Title: "currency"},
		report.Column{Name: "failures", Title: "failures", Kind: report.Count, Sum: true},
		report.Column{Name: "settled", Title: "then paid", Kind: report.Count, Sum: true},
		report.Column{Name: "purchases", Title: "purchases", Kind: report.Count, Sum: true},
		report.Column{Name: "unpaid_purchases", Title: "unpaid", Kind: report.Count, Sum: true},
		report.Column{Name: "unpaid_amount", Title: "unpaid amount", Kind: report.Money, Currency: currency, Sum: true})
}

func (r *failureRow) cells(before ...any) report.Row {
	var unpaid any
	if r.currency != "" {
		unpaid = r.UnpaidAmount
	}
	return append(before, some(r.currency), r.Failures, r.Settled, r.Purchases, r.Unpaid, unpaid)
}

// reasonColumn is that of the error code.
var reasonColumn = report.Column{Name: "error_code", Title: "reason", None: "(no reason given)"}

const nothingFailed = "no payment failed"

func reasonsPart(rows []failureRow, reasons map[string]store.FailReason) report.Part {
	return report.Part{
		Name: "by_reason", Title: "By reason", Empty: nothingFailed,
		Columns: failureColumns(reasonColumn,
			report.Column{Name: "error_desc", Title: "in the API's words", Data: true},
			report.Column{Name: "category", Title: "category"},
			report.Column{Name: "advice", Title: "what to do", Data: true}),
		Rows: func(row func(report.Row) error) error {
			for i := range rows {
				r := &rows[i]
				why := reasons[r.name]
				if err := row(r.cells(some(r.name), some(why.Words), some(why.Category), some(why.Advice))); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// advicePart says what the reasons mean that are there, which is too long for the
// table of their numbers.
func advicePart(rows []failureRow, reasons map[string]store.FailReason) report.Part {
	return report.Part{
		Name: "advice", Title: "What to do", Empty: nothingFailed,
		Columns: []report.Column{reasonColumn, {Name: "error_desc", Title: "in the API's words"}, {Name: "advice", Title: "what to do"}},
		Rows: func(row func(report.Row) error) error {
			for i := range rows {
				code := rows[i].name
				if i > 0 && rows[i-1].name == code {
					continue
				}
				why, known := reasons[code]
				if !known {
					why.Advice = "The API gave no reason. If it happens again, send the order number to WorldFirst support."
				}
				if err := row(report.Row{some(code), some(why.Words), some(why.Advice)}); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// failuresBy is the table by merchant or by card.
func (b *book) failuresBy(dimension string) (report.Part, error) {
	rows, err := b.failureSums(dimension)
	if err != nil {
		return report.Part{}, err
	}
	names, err := b.namer(dimension)
	return report.Part{
		Name: "by_" + dimension, Title: "By " + dimension, Columns: failureColumns(nameColumns(dimension)...), Empty: nothingFailed,
		Rows: func(row func(report.Row) error) error {
			for i := range rows {
				if err := row(rows[i].cells(names.cells(rows[i].name)...)); err != nil {
					return err
				}
			}
			return nil
		},
	}, err
}

// paymentsPart lists the failed payments, month by month.
func (b *book) paymentsPart(reasons map[string]store.FailReason) report.Part {
	return report.Part{
		Name: "payments", Title: "Failed payments", Empty: nothingFailed,
		Columns: []report.Column{
			{Name: "transaction_date", Title: "date", Kind: report.Date},
			{Name: "transaction_time", Kind: report.Time, Data: true},
			{Name: "account", Title: "account"},
			{Name: "bill_id", Kind: report.Count, Data: true},
			{Name: "order_no", Title: "order", Kind: report.ID},
			{Name: "merchant_name", Title: "merchant", None: nobody},
			{Name: "asset_id", Kind: report.ID, Data: true},
			{Name: "card_last4", Title: "card", Kind: report.ID},
			{Name: "amount", Title: "amount", Kind: report.Money, Currency: 9, Sum: true},
			{Name: "currency", Title: "currency"},
			reasonColumn,
			{Name: "error_desc", Title: "in the API's words", Data: true},
			{Name: "attempt", Title: "attempt", Kind: report.Count},
			{Name: "paid_by_order_no", Title: "then paid by order", Kind: report.ID, None: "(not paid)"},
			{Name: "paid_by_bill_no", Kind: report.ID, Data: true},
			{Name: "paid_by_bill_id", Kind: report.Count, Data: true},
			{Name: "paid_at", Kind: report.Time, Data: true},
			{Name: "paid_with", Title: "with which card"},
			{Name: "paid_with_card_last4", Title: "ending in", Kind: report.ID},
			{Name: "paid_with_asset_id", Kind: report.ID, Data: true},
		},
		Notes: []string{"the sums are of all tries: a purchase that was tried twice is in them twice"},
		Rows: func(row func(report.Row) error) error {
			accounts := b.accounts
			var err error
			if len(accounts) == 0 {
				if accounts, err = b.AccountNames(); err != nil {
					return err
				}
			}
			months, err := b.FailedMonths(b.accounts, b.span())
			if err != nil {
				return err
			}
			for _, month := range months {
				if err := b.failedIn(month, accounts, reasons, row); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// failedIn writes the failed payments of a month in the order of their times. They
// are put in it first, so a month of them is what is kept.
func (b *book) failedIn(month string, accounts []string, reasons map[string]store.FailReason, row func(report.Row) error) error {
	var failed []store.FailedPayment
	var by []int64
	for _, account := range accounts {
		err := b.FailedPayments(account, month, func(p *store.FailedPayment) error {
			failed = append(failed, *p)
			if p.By != 0 {
				by = append(by, p.By)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	slices.SortFunc(failed, func(a, b store.FailedPayment) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.BillID, b.BillID)) })
	paid, err := b.BillRefs(by)
	if err != nil {
		return err
	}
	for i := range failed {
		p := &failed[i]
		words := cmp.Or(p.FailDesc, reasons[p.FailCode].Words)
		r := report.Row{
			p.Date, report.At(p.At), p.Account, p.BillID, p.OrderNo, some(p.Merchant), some(p.AssetID), some(p.CardLast4), nil, nil,
			some(p.FailCode), some(words), int64(p.Attempt),
		}
		if p.Trade != nil {
			r[8], r[9] = p.Trade.Value, p.Trade.Currency
		}
		if err := row(append(r, paidCells(p, paid)...)); err != nil {
			return err
		}
	}
	return nil
}

// paidCells are the cells about the payment that settled a failure.
func paidCells(p *store.FailedPayment, paid map[int64]store.BillRef) []any {
	by, ok := paid[p.By]
	if p.By == 0 || !ok {
		return []any{nil, nil, nil, nil, nil, nil, nil}
	}
	with := any(nil)
	if p.Card != "" {
		with = string(p.Card)
	}
	return []any{by.OrderNo, some(by.BillNo), by.ID, report.At(by.At), with, some(by.CardLast4), some(by.AssetID)}
}

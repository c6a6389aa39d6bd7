package app

import (
	"context"
	"fmt"

	"billsync/internal/report"
	"billsync/internal/store"
)

// Dimensions are what monthly sums can be told by, beside account and currency.
var Dimensions = []string{"account", "merchant", "card", "budget"}

// sumColumns are the columns of what postings came to; the currency is in the
// column of a given index.
func sumColumns(currency int) []report.Column {
	return []report.Column{
		{Name: "spends", Title: "spends", Kind: report.Count, Sum: true},
		{Name: "spent", Title: "spent", Kind: report.Money, Currency: currency, Sum: true},
		{Name: "returned", Title: "returned", Kind: report.Money, Currency: currency, Sum: true},
		{Name: "reversed", Title: "reversed", Kind: report.Money, Currency: currency, Sum: true},
		{Name: "adjusted", Title: "adjusted", Kind: report.Money, Currency: currency, Sum: true},
		{Name: "net", Title: "net", Kind: report.Money, Currency: currency, Sum: true},
	}
}

// sumCells are the cells of these columns.
func sumCells(s *store.BookSum) []any {
	return []any{s.Spends, s.Spent, s.Returned, s.Reversed, s.Adjusted, s.Net()}
}

// signNote says what the signs of amounts mean.
const signNote = "money that left is negative, money that came back positive; net is their sum"

// Monthly reports what the books of each month came to, by account and currency
// and, if the dimension says so, by merchant, card or budget account.
func (a *App) Monthly(ctx context.Context, dimension string, o BookOptions, write func(*report.Report) error) error {
	if !contains(Dimensions, dimension) {
		return &InputError{fmt.Sprintf("there is no report by %q", dimension), "it is by account, merchant, card or budget"}
	}
	return a.makeReport(ctx, o, func(b *book) (*report.Report, error) {
		part, err := b.monthly(dimension)
		if err != nil {
			return nil, err
		}
		return &report.Report{
			Name: "monthly", Title: "The books by month and " + dimension,
			About: b.about(b.period()), Notes: []string{signNote}, Parts: []report.Part{part},
		}, nil
	}, write)
}

// monthly is the table of monthly sums.
func (b *book) monthly(dimension string) (report.Part, error) {
	columns := []report.Column{{Name: "month", Title: "month", Kind: report.Month}, {Name: "account", Title: "account"}}
	switch dimension {
	case "merchant":
		columns = append(columns, report.Column{Name: "merchant", Title: "merchant"})
	case "card":
		columns = append(columns, report.Column{Name: "asset_id", Title: "card", Kind: report.ID})
	case "budget":
		columns = append(columns, report.Column{Name: "budget_account_id", Title: "budget account", Kind: report.ID})
	}
	columns = append(columns, report.Column{Name: "currency", Title: "currency"}, report.Column{Name: "closed", Title: "", Kind: report.Text})
	columns = append(columns, sumColumns(len(columns)-2)...)
	return report.Part{
		Name: "monthly", Title: "By month and " + dimension, Columns: columns, Empty: "nothing is posted",
		Rows: func(row func(report.Row) error) error {
			return b.MonthSums(dimension, b.accounts, b.span(), func(s *store.MonthSum) error {
				r := report.Row{s.Month, s.Account}
				if dimension != "account" {
					r = append(r, s.Name)
				}
				closed := "open"
				if s.Closed {
					closed = "closed"
				}
				return row(append(append(r, s.Currency, closed), sumCells(&s.BookSum)...))
			})
		},
	}, nil
}

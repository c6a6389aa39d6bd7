package app

import (
	"context"
	"fmt"
	"slices"

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
	if !slices.Contains(Dimensions, dimension) {
		return &InputError{fmt.Sprintf("there is no report by %q", dimension), "it is by account, merchant, card or budget"}
	}
	return a.makeReport(ctx, o, func(b *book) (*report.Report, error) {
		part, err := b.monthly(dimension)
		if err != nil {
			return nil, err
		}
		notes, err := b.unbilled()
		if err != nil {
			return nil, err
		}
		return &report.Report{
			Name: "monthly", Title: "The books by month and " + dimension,
			About: b.about(b.period()), Notes: append([]string{signNote}, notes...), Parts: []report.Part{part},
		}, nil
	}, write)
}

// unbilled says what the books cannot have, if there is anything.
func (b *book) unbilled() ([]string, error) {
	n, err := b.Unbilled(b.accounts, b.span())
	if err != nil || n == 0 {
		return nil, err
	}
	if n == 1 {
		return []string{"1 bill of these months has taken effect without a readable out_amount: what it spent is not in the books (the view bill_details has it, out_amount IS NULL)"}, nil
	}
	return []string{fmt.Sprintf("%d bills of these months have taken effect without a readable out_amount: what they spent is not in the books (the view bill_details has them, out_amount IS NULL)", n)}, nil
}

// nobody is what people read where a bill names no merchant, card or budget account.
const nobody = "(none)"

// some is a cell with a text; empty if there is none.
func some(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// nameColumns are the columns of what sums are told by; nameCells fills them.
func nameColumns(dimension string) []report.Column {
	switch dimension {
	case "merchant":
		return []report.Column{{Name: "merchant", Title: "merchant", None: nobody}}
	case "card":
		return []report.Column{
			{Name: "asset_id", Title: "card", Kind: report.ID, None: nobody},
			{Name: "card_last4", Title: "number ends in", Kind: report.ID},
			{Name: "card_nick_name", Title: "nick name"},
		}
	case "budget":
		return []report.Column{{Name: "budget_account_id", Title: "budget account", Kind: report.ID, None: nobody}}
	}
	return nil
}

// A namer fills the columns of names.
type namer struct {
	dimension string
	labels    map[string]store.CardLabel
}

// namer gets what is needed for names: nothing else may be asked while rows are
// read.
func (b *book) namer(dimension string) (n namer, err error) {
	n.dimension = dimension
	if dimension == "card" {
		n.labels, err = b.CardLabels()
	}
	return n, err
}

func (n *namer) cells(name string) []any {
	switch n.dimension {
	case "account":
		return nil
	case "card":
		label := n.labels[name]
		return []any{some(name), some(label.Last4), some(label.NickName)}
	}
	return []any{some(name)}
}

// monthly is the table of monthly sums.
func (b *book) monthly(dimension string) (report.Part, error) {
	names, err := b.namer(dimension)
	if err != nil {
		return report.Part{}, err
	}
	columns := []report.Column{{Name: "month", Title: "month", Kind: report.Month}, {Name: "account", Title: "account"}}
	columns = append(columns, nameColumns(dimension)...)
	columns = append(columns, report.Column{Name: "currency", Title: "currency"}, report.Column{Name: "state", Title: "state"})
	columns = append(columns, sumColumns(len(columns)-2)...)
	return report.Part{
		Name: "monthly", Title: "By month and " + dimension, Columns: columns, Empty: "nothing is posted",
		Rows: func(row func(report.Row) error) error {
			return b.MonthSums(dimension, b.accounts, b.span(), func(s *store.MonthSum) error {
				state := "open"
				if s.Closed {
					state = "closed"
				}
				r := append(report.Row{s.Month, s.Account}, names.cells(s.Name)...)
				return row(append(append(r, s.Currency, state), sumCells(&s.BookSum)...))
			})
		},
	}, nil
}

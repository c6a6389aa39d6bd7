package app

import (
	"context"

	"billsync/internal/report"
)

// Cards reports what was spent with which cards in a period (the last twelve months
// if none is said), and the cards that several accounts pay with.
func (a *App) Cards(ctx context.Context, o BookOptions, write func(*report.Report) error) error {
	return a.makeReport(ctx, o, func(b *book) (*report.Report, error) {
		b.lastYear()
		sums, err := b.periodSums("card")
		if err != nil {
			return nil, err
		}
		names, err := b.namer("card")
		if err != nil {
			return nil, err
		}
		return &report.Report{
			Name: "cards", Title: "What was spent with which cards",
			About: b.about(b.period()), Notes: []string{signNote},
			Parts: []report.Part{cardsPart(sums, names), b.sharedPart(names)},
		}, nil
	}, write)
}

func cardsPart(sums []groupSum, names namer) report.Part {
	columns := append(nameColumns("card"), report.Column{Name: "currency", Title: "currency"})
	return report.Part{
		Name: "cards", Title: "By card", Columns: append(columns, sumColumns(len(columns)-1)...), Empty: "nothing is posted",
		Rows: func(row func(report.Row) error) error {
			for i := range sums {
				s := &sums[i]
				cells := append(report.Row(names.cells(s.name)), s.currency)
				if err := row(append(cells, sumCells(&s.BookSum)...)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// sharedPart lists the cards of several accounts, a row for each account.
func (b *book) sharedPart(names namer) report.Part {
	return report.Part{
		Name: "shared", Title: "Cards that several accounts pay with", Empty: "no card is used by several accounts",
		Columns: append(nameColumns("card"), report.Column{Name: "account", Title: "account"}),
		Rows: func(row func(report.Row) error) error {
			return b.SharedCards(b.accounts, func(assetID, account string) error {
				return row(append(names.cells(assetID), account))
			})
		},
	}
}

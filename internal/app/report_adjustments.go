package app

import (
	"context"

	"billsync/internal/report"
	"billsync/internal/store"
)

// Adjustments reports the postings that belong to closed months and stand in later
// ones. The months of the options are the closed ones.
func (a *App) Adjustments(ctx context.Context, o BookOptions, write func(*report.Report) error) error {
	return a.makeReport(ctx, o, (*book).adjustmentReport, write)
}

func (b *book) adjustmentReport() (*report.Report, error) {
	if b.from != "" && b.from == b.to {
		closing, closed, err := b.closing(b.from)
		if err != nil {
			return nil, err
		}
		if closing == nil {
			return nil, notClosed(b.from, closed)
		}
	}
	period, err := b.closedPeriod()
	if err != nil {
		return nil, err
	}
	return &report.Report{
		Name: "adjustments", Title: "Postings that belong to closed months",
		About: b.about(period),
		Notes: []string{
			signNote,
			"late: it happened in the closed month, became known afterwards and is posted on the first day that was open",
			"follow-up: it changes a bill that was first posted in the closed month, such as a refund, and is posted in a later one",
			"the closed month itself stays as it was",
		},
		Parts: []report.Part{b.adjustmentTotals(), b.adjustments()},
	}, nil
}

// closedPeriod says which closed months a report is about.
func (b *book) closedPeriod() (report.Fact, error) {
	period := b.period()
	period.Label = "closed months"
	if b.from == "" && b.to == "" {
		period.Text = "all"
		closed, err := b.Closings()
		if err != nil {
			return period, err
		}
		if len(closed) == 0 {
			period.Text = "none yet"
		}
	}
	return period, nil
}

const noAdjustments = "nothing in later months belongs to a closed one"

// adjustmentTotals is the table by closed month and currency.
func (b *book) adjustmentTotals() report.Part {
	type sum struct{ late, lateAmount, follow, followAmount, net int64 }
	return report.Part{
		Name: "totals", Title: "By closed month", Empty: noAdjustments,
		Columns: []report.Column{
			{Name: "belongs_to", Title: "belongs to", Kind: report.Month}, {Name: "account", Title: "account"}, {Name: "currency", Title: "currency"},
			{Name: "late", Title: "late", Kind: report.Count, Sum: true},
			{Name: "late_amount", Title: "amount", Kind: report.Money, Currency: 2, Sum: true},
			{Name: "follow_ups", Title: "follow-ups", Kind: report.Count, Sum: true},
			{Name: "follow_up_amount", Title: "amount", Kind: report.Money, Currency: 2, Sum: true},
			{Name: "net", Title: "net", Kind: report.Money, Currency: 2, Sum: true},
		},
		Rows: func(row func(report.Row) error) error {
			groups := map[groupKey]*sum{}
			err := b.Tx.Adjustments(b.accounts, b.span(), func(a *store.Adjusted) error {
				s := group(groups, groupKey{a.Month, a.Account, a.Amount.Currency})
				count, part := &s.follow, &s.followAmount
				if a.Late {
					count, part = &s.late, &s.lateAmount
				}
				*count++
				return addAll("adjustments of "+a.Month, part, a.Amount.Value, &s.net, a.Amount.Value)
			})
			if err != nil {
				return err
			}
			return sorted(groups, func(k groupKey, s *sum) error {
				return row(report.Row{k[0], k[1], k[2], s.late, s.lateAmount, s.follow, s.followAmount, s.net})
			})
		},
	}
}

// adjustments is the list of postings.
func (b *book) adjustments() report.Part {
	columns := []report.Column{
		{Name: "belongs_to", Title: "belongs to", Kind: report.Month}, {Name: "why", Title: "why"},
		{Name: "posting_date", Title: b.dayTitle("posted"), Kind: report.Date}, {Name: "effect_date", Title: "happened", Kind: report.Date},
		{Name: "account", Title: "account"}, {Name: "order_no", Title: "order", Kind: report.ID}, {Name: "bill_no", Title: "bill", Kind: report.ID},
		{Name: "line_id", Title: "line", Kind: report.ID}, {Name: "kind", Title: "kind"},
		{Name: "amount", Title: "amount", Kind: report.Money, Currency: 10, Sum: true}, {Name: "currency", Title: "currency"},
		{Name: "merchant", Title: "merchant", None: nobody},
	}
	columns = append(append(columns, cardColumns()...), report.Column{Name: "reason", Title: "reason"},
		report.Column{Name: "closed_at", Title: "closed", Kind: report.Time}, report.Column{Name: "known", Title: "known", None: "?"})
	return report.Part{
		Name: "adjustments", Title: "Postings", Columns: columns, Empty: noAdjustments, Notes: []string{knownNote},
		Rows: func(row func(report.Row) error) error {
			return b.Tx.Adjustments(b.accounts, b.span(), func(a *store.Adjusted) error {
				why := "follow-up"
				if a.Late {
					why = "late"
				}
				return row(report.Row{a.Month, why, a.PostingDate, a.EffectDate, a.Account, a.OrderNo, some(a.BillNo), a.LineID, string(a.Kind),
					a.Amount.Value, a.Amount.Currency, some(a.Merchant), some(a.CardLast4), some(a.AssetID), a.Reason, report.At(a.ClosedAt), known(a)})
			})
		},
	}
}

const knownNote = "known: whether it was in the books already when the month was closed (then), or came after that (since)"

// known is whether a posting was in the books when its month was closed.
func known(a *store.Adjusted) any {
	switch {
	case a.Unsure:
		return nil
	case a.Known:
		return "then"
	}
	return "since"
}

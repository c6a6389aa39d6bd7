package app

import (
	"context"
	"fmt"
	"time"

	"billsync/internal/report"
	"billsync/internal/store"
)

// Postings reports the books line by line.
func (a *App) Postings(ctx context.Context, o BookOptions, write func(*report.Report) error) error {
	return a.makeReport(ctx, o, func(b *book) (*report.Report, error) {
		return &report.Report{
			Name: "postings", Title: "The books, line by line",
			About: b.about(b.period()), Notes: []string{signNote}, Parts: []report.Part{b.postings()},
		}, nil
	}, write)
}

// days are the first and the last day of the period, as SQL compares them.
func (b *book) days() (from, to string) {
	from, to = "0000", "9999"
	if b.from != "" {
		from = b.from.First()
	}
	if b.to != "" {
		to = b.to.Last()
	}
	return from, to
}

// postings lists the lines of the period.
func (b *book) postings() report.Part {
	return report.Part{
		Name: "postings", Title: "Postings", Empty: "nothing is posted",
		Columns: []report.Column{
			{Name: "posting_date", Title: b.dayTitle("posted"), Kind: report.Date},
			{Name: "effect_date", Title: "belongs to", Kind: report.Date, Data: true},
			{Name: "account", Title: "account"},
			{Name: "kind", Title: "kind"},
			{Name: "amount", Title: "amount", Kind: report.Money, Currency: 5, Sum: true},
			{Name: "currency", Title: "currency"},
			{Name: "merchant_name", Title: "merchant"},
			{Name: "merchant", Title: "by the rules", Data: true},
			{Name: "order_no", Title: "order", Kind: report.ID},
			{Name: "transaction_date", Title: "bought", Kind: report.Date},
			{Name: "asset_id", Title: "card id", Kind: report.ID, Data: true},
			{Name: "card_last4", Title: "card", Kind: report.ID},
			{Name: "budget_account_id", Title: "budget account", Kind: report.ID, Data: true},
			{Name: "reason", Title: "because"},
			{Name: "line_id", Title: "line", Kind: report.ID, Data: true},
			{Name: "bill_id", Title: "bill_id", Kind: report.Count, Data: true},
		},
		Rows: func(row func(report.Row) error) error {
			from, to := b.days()
			return b.Tx.Postings(b.accounts, from, to, func(p *store.Posting) error {
				return row(report.Row{
					p.Date, p.Effect, p.Account, p.Kind, p.Amount.Value, p.Amount.Currency, some(p.Merchant), some(p.Name), p.OrderNo, p.TransactionDate,
					some(p.AssetID), some(p.CardLast4), some(p.BudgetAccountID), p.Reason, p.LineID, p.BillID,
				})
			})
		},
	}
}

// proof lists the windows that prove a month, and what is not proved of it.
func (b *book) proof(month Month) (report.Part, error) {
	from, err := time.ParseInLocation("2006-01", string(month), b.app.cfg.Report.Timezone)
	if err != nil {
		return report.Part{}, fmt.Errorf("reading a month: %w", err)
	}
	return report.Part{
		Name: "proof", Title: "What proves that no bill is missing", Empty: "nothing of the month is proved",
		Columns: []report.Column{
			{Name: "account", Title: "account"},
			{Name: "window_id", Title: "window", Kind: report.ID},
			{Name: "window_start", Title: "from", Kind: report.Time},
			{Name: "window_end", Title: "to", Kind: report.Time},
			{Name: "api_count", Title: "API counts", Kind: report.Count},
			{Name: "stored", Title: "stored", Kind: report.Count},
			{Name: "proved_at", Title: "proved", Kind: report.Time},
		},
		Notes: []string{"windows overlap and may reach beyond the month: do not add up their counts; \"syncer report completeness\" counts each month anew at the API"},
		Rows: func(row func(report.Row) error) error {
			return b.Proofs(b.accounts, from, from.AddDate(0, 1, 0), func(p *store.Proof) error {
				window := "tail"
				if p.WindowID != 0 {
					window = fmt.Sprint(p.WindowID)
				}
				return row(report.Row{p.Account, window, report.At(p.From), report.At(p.To), p.Total, p.Stored, report.At(p.ProvedAt)})
			})
		},
	}, nil
}

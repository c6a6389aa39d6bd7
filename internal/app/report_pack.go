package app

import (
	"context"
	"fmt"
	"strings"

	"billsync/internal/report"
	"billsync/internal/store"
)

// Pack reports a month as finance hands it in: what the books came to and of which
// lines, by merchant, card and budget account, what came back, failed, was not
// cleared at its end, what later months hold of it, and what proves it.
func (a *App) Pack(ctx context.Context, month Month, o BookOptions, write func(*report.Report) error) error {
	if month > a.thisMonth() {
		return &InputError{fmt.Sprintf("%s has not begun yet", month), "a pack is of a month that is over, or of the present one"}
	}
	o.From, o.To = month, month
	return a.makeReport(ctx, o, func(b *book) (*report.Report, error) { return b.pack(month) }, write)
}

func (b *book) pack(month Month) (*report.Report, error) {
	closing, _, err := b.closing(month)
	if err != nil {
		return nil, err
	}
	r := &report.Report{
		Name: "pack", Title: "World Card bills of " + string(month),
		About: b.about(report.Fact{Label: "month", Text: string(month)}, report.Fact{Label: "state", Text: b.stateOf(closing)}),
		Notes: []string{signNote,
			"the sheets of the books go by the day on which money moved; failed payments by the day of the transaction",
			"a card feed has no balance: these are movements, and no statement of one"},
	}
	if closing != nil {
		r.About = append(r.About, report.Fact{Label: "hash of the postings", Text: closing.Hash}, report.Fact{Label: "closed by", Text: closing.By})
		if closing.Note != "" {
			r.About = append(r.About, report.Fact{Label: "note", Text: closing.Note})
		}
		if closing.Forced {
			r.Notes = append(r.Notes, "it was closed although "+closing.OpenPoints)
		}
	}
	notes, err := b.unbilled()
	if err != nil {
		return nil, err
	}
	r.Notes = append(r.Notes, notes...)
	for _, part := range []func() (report.Part, error){
		func() (report.Part, error) { return b.packSummary(closing), nil },
		func() (report.Part, error) { return named(b.postings(), "postings", "The books, line by line"), nil },
		b.packMerchants, b.packCards,
		func() (report.Part, error) {
			p, err := b.monthly("budget")
			return named(p, "budget", "By budget account"), err
		},
		func() (report.Part, error) { return b.packReturns(), nil },
		b.packFailures,
		func() (report.Part, error) {
			return named(b.accrualTotals(month), "accrued", "Not cleared at the end of the month, by account and status"), nil
		},
		func() (report.Part, error) {
			p := named(b.accrualLines(month), "accruals", "Not cleared at the end of the month, with its reversal")
			p.Notes = append(p.Notes, "an accrual and its reversal add up to nothing; what is accrued in all stands at the foot of accrued")
			return p, nil
		},
		func() (report.Part, error) { return b.packEarlier(month), nil },
		func() (report.Part, error) {
			return named(b.adjustments(), "since_close", "Posted later, and belongs to this month"), nil
		},
		func() (report.Part, error) { return b.proof(month) },
	} {
		p, err := part()
		if err != nil {
			return nil, err
		}
		r.Parts = append(r.Parts, p)
	}
	return r, nil
}

// stateOf says whether a month is closed.
func (b *book) stateOf(closing *store.Closing) string {
	if closing == nil {
		return "open: it can still change"
	}
	return "closed " + closing.At.In(b.app.cfg.Report.Timezone).Format("2006-01-02 15:04:05 -07:00")
}

// named is a part under another name.
func named(p report.Part, name, title string) report.Part {
	p.Name, p.Title = name, title
	return p
}

// packSummary is what the month came to, beside what it was closed with.
func (b *book) packSummary(closing *store.Closing) report.Part {
	columns := []report.Column{
		{Name: "account", Title: "account"}, {Name: "currency", Title: "currency"},
		{Name: "postings", Title: "postings", Kind: report.Count, Sum: true},
	}
	columns = append(columns, sumColumns(1)...)
	kept := map[groupKey]store.BookSum{}
	if closing != nil {
		columns = append(columns, report.Column{Name: "closed_net", Title: "net when closed", Kind: report.Money, Currency: 1, Sum: true})
		for _, t := range closing.Totals {
			kept[groupKey{t.Account, t.Currency}] = t.BookSum
		}
	}
	return report.Part{
		Name: "summary", Title: "What the month came to", Columns: columns, Empty: "nothing is posted in the month",
		Rows: func(row func(report.Row) error) error {
			return b.MonthSums("account", b.accounts, b.span(), func(s *store.MonthSum) error {
				cells := append(report.Row{s.Account, s.Currency, s.Postings}, sumCells(&s.BookSum)...)
				if closing != nil {
					was := kept[groupKey{s.Account, s.Currency}]
					cells = append(cells, was.Net())
				}
				return row(cells)
			})
		},
	}
}

func (b *book) packMerchants() (report.Part, error) {
	sums, err := b.periodSums("merchant")
	if err != nil {
		return report.Part{}, err
	}
	rows, _, err := rankMerchants(sums, 0)
	return merchantsPart(rows), err
}

func (b *book) packCards() (report.Part, error) {
	sums, err := b.periodSums("card")
	if err != nil {
		return report.Part{}, err
	}
	names, err := b.namer("card")
	return cardsPart(sums, names), err
}

func (b *book) packFailures() (report.Part, error) {
	reasons, err := b.FailReasons()
	if err != nil {
		return report.Part{}, err
	}
	codes, err := b.failureSums("account")
	return named(reasonsPart(codes, reasons), "failures", "Failed payments by reason"), err
}

// packReturns lists what came back in the month.
func (b *book) packReturns() report.Part {
	p := named(b.postings(), "refunds", "What came back or was reversed")
	all := p.Rows
	p.Empty = "nothing came back"
	p.Rows = func(row func(report.Row) error) error {
		return all(func(r report.Row) error {
			const kind = 3
			if r[kind] == "return" || r[kind] == "reversal" {
				return row(r)
			}
			return nil
		})
	}
	return p
}

// packEarlier lists what is posted in the month and belongs to earlier ones, which
// were closed.
func (b *book) packEarlier(month Month) report.Part {
	wider := *b
	wider.from, wider.to = "", month.Add(-1)
	p := named(wider.adjustments(), "adjustments", "Posted here, and belongs to closed months before")
	all := p.Rows
	p.Rows = func(row func(report.Row) error) error {
		return all(func(r report.Row) error {
			const postingDate = 2
			if date, ok := r[postingDate].(string); ok && strings.HasPrefix(date, string(month)) {
				return row(r)
			}
			return nil
		})
	}
	return p
}

package app

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"billsync/internal/books"
	"billsync/internal/report"
	"billsync/internal/store"
)

// rateDigits is how many significant digits a rate is shown with.
const rateDigits = 6

// Exchange reports what was billed for what was traded in a period (the last twelve
// months if none is said), by pair of currencies and month, and the bills whose
// rate is further than a limit (1/100 is one per cent) from the API's or from the
// median of the day.
func (a *App) Exchange(ctx context.Context, above *big.Rat, o BookOptions, write func(*report.Report) error) error {
	return a.makeReport(ctx, o, func(b *book) (*report.Report, error) {
		b.lastYear()
		x := &exchange{book: b, above: above}
		percent := percentText(above, 4)
		if strings.Contains(percent, ".") {
			percent = strings.TrimRight(strings.TrimRight(percent, "0"), ".")
		}
		return &report.Report{
			Name: "fx", Title: "What was billed for what was traded",
			About: b.about(b.period(), report.Fact{Label: "deviations", Text: "above " + percent + " %"}),
			Notes: []string{
				"months are those of the transactions; amounts have the sign that the API gives them",
				"a rate is what was billed for one unit of what was traded, to six significant digits; a currency that is not known counts in its smallest unit",
				"bills that failed, were cancelled (all or a part) or withdrawn are left out, and those without both amounts",
			},
			Parts: []report.Part{x.pairsPart(), x.deviationsPart()},
		}, nil
	}, write)
}

// An exchange makes the report on rates.
type exchange struct {
	*book
	above *big.Rat
	pairs []*pairMonth // nil: not added up yet
}

// A currencyPair is what was traded in and what was billed in.
type currencyPair struct{ trade, out string }

func pairOf(e *store.Exchange) currencyPair { return currencyPair{e.Trade.Currency, e.Out.Currency} }

// A pairMonth is what was billed for what was traded in a month.
type pairMonth struct {
	currencyPair
	month string
	store.ExchangeSum
	rates     bool // there are some: low and high
	low, high books.Rate
}

func (p *pairMonth) take(e *store.Exchange) error {
	if err := p.Add(e); err != nil {
		return fmt.Errorf("%s to %s: %w", p.trade, p.out, err)
	}
	rate, ok := books.RateOf(e.Trade, e.Out)
	if !ok {
		return nil
	}
	if !p.rates || rate.Compare(p.low) < 0 {
		p.low = rate
	}
	if !p.rates || rate.Compare(p.high) > 0 {
		p.high = rate
	}
	p.rates = true
	return nil
}

// rate is a rate as people know it, between whole units.
func (p currencyPair) rate(between *big.Rat) string {
	return books.Significant(new(big.Rat).Mul(between, books.Scale(p.trade, p.out)), rateDigits)
}

// percentText is a part as per cent.
func percentText(of *big.Rat, places int) string {
	text := new(big.Rat).Mul(of, big.NewRat(100, 1)).FloatString(places)
	if strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-")
	}
	return text
}

// days returns the first day of the period and the one after its last, as far as
// there are transactions; nothing if there are none.
func (x *exchange) days() (from, to time.Time, err error) {
	first, last, err := x.TransactionDays()
	if err != nil || first == "" {
		return from, to, err
	}
	if x.from != "" {
		first = max(first, x.from.First())
	}
	if x.to != "" {
		last = min(last, x.to.Last())
	}
	zone, err := x.ReportZone()
	if err != nil || last < first {
		return from, to, err
	}
	if from, err = time.ParseInLocation(time.DateOnly, first, zone); err != nil {
		return from, to, err
	}
	to, err = time.ParseInLocation(time.DateOnly, last, zone)
	return from, to.AddDate(0, 0, 1), err
}

// add reads the period's bills and adds them up. As many sums are kept as there are
// pairs and months.
func (x *exchange) add() error {
	from, to, err := x.days()
	if err != nil {
		return err
	}
	type key struct {
		currencyPair
		month string
	}
	sums := map[key]*pairMonth{}
	err = x.Exchanges(x.accounts, from, to, func(e *store.Exchange) error {
		k := key{pairOf(e), e.Date[:len("2006-01")]}
		if sums[k] == nil {
			sums[k] = &pairMonth{currencyPair: k.currencyPair, month: k.month}
		}
		return sums[k].take(e)
	})
	x.pairs = slices.SortedFunc(maps.Values(sums), func(a, b *pairMonth) int {
		return cmp.Or(cmp.Compare(a.trade, b.trade), cmp.Compare(a.out, b.out), cmp.Compare(a.month, b.month))
	})
	return err
}

func (x *exchange) pairsPart() report.Part {
	return report.Part{
		Name: "pairs", Title: "By pair of currencies and month", Empty: "no bill has both amounts",
		Columns: []report.Column{
			{Name: "trade_currency", Title: "traded in"}, {Name: "out_currency", Title: "billed in"},
			{Name: "month", Title: "month", Kind: report.Month},
			{Name: "bills", Title: "bills", Kind: report.Count, Sum: true},
			{Name: "traded", Title: "traded", Kind: report.Money, Currency: 0, Sum: true},
			{Name: "billed", Title: "billed", Kind: report.Money, Currency: 1, Sum: true},
			{Name: "rate", Title: "rate", Kind: report.Decimal},
			{Name: "lowest_rate", Title: "lowest", Kind: report.Decimal}, {Name: "highest_rate", Title: "highest", Kind: report.Decimal},
		},
		Rows: func(row func(report.Row) error) error {
			if x.pairs == nil {
				if err := x.add(); err != nil {
					return err
				}
			}
			for _, p := range x.pairs {
				r := report.Row{p.trade, p.out, p.month, p.Bills, p.Traded, p.Billed, nil, nil, nil}
				if p.Traded != 0 {
					r[6] = p.rate(new(big.Rat).SetFrac(big.NewInt(p.Billed), big.NewInt(p.Traded)))
				}
				if p.rates {
					r[7], r[8] = p.rate(p.low.Ratio()), p.rate(p.high.Ratio())
				}
				if err := row(r); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

package app

import (
	"fmt"
	"math/big"
	"strings"
	"time"

	"billsync/internal/books"
	"billsync/internal/report"
	"billsync/internal/store"
)

// deviationsPart lists the bills whose rates need looking at.
func (x *exchange) deviationsPart() report.Part {
	return report.Part{
		Name: "deviations", Title: "Bills whose rate deviates", Empty: "no rate deviates",
		Columns: []report.Column{
			{Name: "transaction_date", Title: "date", Kind: report.Date},
			{Name: "transaction_time", Kind: report.Time, Data: true},
			{Name: "account", Title: "account"},
			{Name: "bill_id", Kind: report.Count, Data: true},
			{Name: "order_no", Title: "order", Kind: report.ID},
			{Name: "bill_no", Kind: report.ID, Data: true},
			{Name: "bill_status", Data: true},
			{Name: "merchant_name", Title: "merchant", None: nobody},
			{Name: "asset_id", Kind: report.ID, Data: true},
			{Name: "card_last4", Title: "card", Kind: report.ID},
			{Name: "trade_amount", Title: "traded", Kind: report.Money, Currency: 11, Sum: true},
			{Name: "trade_currency", Title: "in"},
			{Name: "out_amount", Title: "billed", Kind: report.Money, Currency: 13, Sum: true},
			{Name: "out_currency", Title: "in"},
			{Name: "rate", Title: "rate", Kind: report.Decimal},
			{Name: "exchange_rate", Title: "API's rate"},
			{Name: "deviation_percent", Title: "off by, %", Kind: report.Decimal},
			{Name: "median_rate", Title: "day's median", Kind: report.Decimal},
			{Name: "median_bills", Title: "of bills", Kind: report.Count},
			{Name: "median_deviation_percent", Title: "off by, %", Kind: report.Decimal},
			{Name: "remark", Title: ""},
		},
		Notes: []string{
			"the API's rate may be one of whole units or of smallest ones, which is not documented: the one that is nearer counts",
			"the median is that of all bills of the same currencies on the same day; a difference of the smallest unit is rounding, and no deviation",
			fmt.Sprintf("a median of fewer than %d bills does not tell which of them is off: such bills are marked, and not said to differ", enoughRates),
		},
		Rows: func(row func(report.Row) error) error {
			from, to, err := x.days()
			if err != nil {
				return err
			}
			for day := from; day.Before(to); day = day.AddDate(0, 0, 1) {
				if err := x.deviating(day, row); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// enoughRates is how many bills of a day there must be for one to differ from their
// median: of two both are as far from it, and of three one that is right may be as well.
const enoughRates = 4

// deviating writes the bills of a day that deviate. The day is read twice: first
// for the medians. Its rates, 16 bytes each, are all that is kept.
func (x *exchange) deviating(day time.Time, row func(report.Row) error) error {
	next := day.AddDate(0, 0, 1)
	rates := map[currencyPair][]books.Rate{}
	err := x.Exchanges(x.accounts, day, next, func(e *store.Exchange) error {
		if rate, ok := books.RateOf(e.Trade, e.Out); ok && !rate.Zero() {
			rates[pairOf(e)] = append(rates[pairOf(e)], rate)
		}
		return nil
	})
	if err != nil {
		return err
	}
	medians := map[currencyPair]*median{}
	for p, list := range rates {
		exact := books.Median(list)
		about, _ := exact.Float64()
		scale, _ := books.Scale(p.trade, p.out).Float64()
		medians[p] = &median{exact, about, scale, len(list)}
	}
	limit, _ := x.above.Float64()
	return x.ExchangeBills(x.accounts, day, next, func(b *store.ExchangeBill) error {
		m := medians[pairOf(&b.Exchange)]
		if m.explains(b, limit) {
			return nil
		}
		if r := x.judge(b, m); r != nil {
			return row(r)
		}
		return nil
	})
}

// A median is that of the rates of a pair on a day.
type median struct {
	exact        *big.Rat
	about, scale float64 // scale is between smallest and whole units
	bills        int
}

// explains reports whether a bill certainly needs no looking at. What it does not
// explain is calculated exactly.
func (m *median) explains(b *store.ExchangeBill, limit float64) bool {
	rate, ok := books.RateOf(b.Trade, b.Out)
	if m == nil || !ok || !rate.Surely(m.about, limit) {
		return false
	}
	if b.Rate == "" {
		return true
	}
	said, ok := books.AboutRate(b.Rate)
	return ok && (rate.Surely(said/m.scale, limit) || rate.Surely(said, limit))
}

// judge returns the row of a bill that needs looking at; nil for others.
func (x *exchange) judge(b *store.ExchangeBill, m *median) report.Row {
	var remarks []string
	var said, middle books.Deviation
	rate, ok := books.RateOf(b.Trade, b.Out)
	if !ok && b.Out.Value != 0 {
		remarks = append(remarks, "nothing was traded")
	}
	if b.Rate != "" {
		given, readable := books.ParseRate(b.Rate)
		if !readable {
			remarks = append(remarks, "the API's rate cannot be read")
		} else if ok {
			said = books.DeviateFromSaid(b.Trade, b.Out, given)
			if said.Beyond(x.above) {
				remarks = append(remarks, "differs from the API's rate")
			}
		}
	}
	if ok && m != nil {
		middle = books.Deviate(b.Trade, b.Out, m.exact)
		switch {
		case !middle.Beyond(x.above):
		case m.bills < enoughRates:
			remarks = append(remarks, fmt.Sprintf("one of %d bills of the day that are apart: too few to tell which is off", m.bills))
		default:
			remarks = append(remarks, "differs from the day's median")
		}
	}
	if len(remarks) == 0 {
		return nil
	}
	p := pairOf(&b.Exchange)
	var shown, median, bills any
	if ok {
		shown = p.rate(rate.Ratio())
	}
	if ok && m != nil {
		median, bills = p.rate(m.exact), int64(m.bills)
	}
	return report.Row{
		b.Date, report.At(b.At), b.Account, b.BillID, b.OrderNo, some(b.BillNo), some(b.Status), some(b.Merchant), some(b.AssetID), some(b.CardLast4),
		b.Trade.Value, b.Trade.Currency, b.Out.Value, b.Out.Currency,
		shown, some(b.Rate), offCell(said), median, bills, offCell(middle), strings.Join(remarks, "; "),
	}
}

// offCell is a deviation in per cent; empty if there is none to tell.
func offCell(d books.Deviation) any {
	if d.Of == nil {
		return nil
	}
	return percentText(d.Of, 2)
}

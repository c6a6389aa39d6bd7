package app

import (
	"context"
	"fmt"

	"billsync/internal/bill"
	"billsync/internal/report"
	"billsync/internal/store"
)

// ages are what uncleared bills are sorted by: card networks hold a final
// authorisation for about 7 days and a preliminary one for 30; hotels extend
// theirs; what is older than 120 days needs a person.
var ages = []struct {
	to   int64 // days, included
	name string
}{{7, "0-7 days"}, {30, "8-30 days"}, {60, "31-60 days"}, {120, "61-120 days"}}

// oldest is the age of all that is older.
const oldest = "over 120 days"

// ageOf returns the place of an age and its name.
func ageOf(days int64) (place int, name string) {
	for i, a := range ages {
		if days <= a.to {
			return i, a.name
		}
	}
	return len(ages), oldest
}

// Open reports bills that are not cleared, by age.
func (a *App) Open(ctx context.Context, o BookOptions, write func(*report.Report) error) error {
	return a.makeReport(ctx, o, (*book).openReport, write)
}

func (b *book) openReport() (*report.Report, error) {
	return &report.Report{
		Name: "open", Title: "Uncleared bills by age",
		About: b.about(report.Fact{Label: "as of", Text: b.today()}),
		Notes: []string{
			"age: calendar days from the transaction to the day of this report",
			"amounts are as the bills have them; what is about to leave the account is positive",
			"WAITING_CLEARANCE is authorised; WAITING_DEDUCT seems to be cleared and not yet taken from the balance (the API document does not define it)",
			"a PARTIAL_CANCEL bill is in the books with what is left of it; it is listed until its last word is spoken, as are bills in a status that this program does not know",
		},
		Parts: []report.Part{b.openAges(), b.openBills()},
	}, nil
}

// openAges is the table of ages.
func (b *book) openAges() report.Part {
	type sum struct{ bills, amount int64 }
	return report.Part{
		Name: "ages", Title: "Uncleared bills by status and age", Empty: "every bill is cleared",
		Columns: []report.Column{
			{Name: "account", Title: "account"}, {Name: "bill_status", Title: "status", None: nobody}, {Name: "age", Title: "age"},
			{Name: "bills", Title: "bills", Kind: report.Count, Sum: true},
			{Name: "out_amount", Title: "amount", Kind: report.Money, Currency: 5, Sum: true}, {Name: "out_currency", Title: "currency"},
		},
		Rows: func(row func(report.Row) error) error {
			groups := map[groupKey]*sum{}
			err := b.OpenBills(b.accounts, func(o *store.BillInfo) error {
				days, err := daysBetween(o.Date, b.today())
				if err != nil {
					return err
				}
				place, _ := ageOf(days)
				var out bill.Amount
				if o.Out != nil {
					out = *o.Out
				}
				s := group(groups, groupKey{o.Account, o.Status, fmt.Sprint(place), out.Currency})
				s.bills++
				return addAll("open bills of "+o.Account, &s.amount, out.Value)
			})
			if err != nil {
				return err
			}
			return sorted(groups, func(k groupKey, s *sum) error {
				name := oldest
				for i, a := range ages {
					if k[2] == fmt.Sprint(i) {
						name = a.name
					}
				}
				var amount any
				if k[3] != "" {
					amount = s.amount
				}
				return row(report.Row{k[0], some(k[1]), name, s.bills, amount, some(k[3])})
			})
		},
	}
}

// openBills is the list of them, the oldest first.
func (b *book) openBills() report.Part {
	columns := append([]report.Column{
		{Name: "account", Title: "account"}, {Name: "transaction_date", Title: b.dayTitle("date"), Kind: report.Date},
		{Name: "age_days", Title: "days", Kind: report.Count}, {Name: "bill_status", Title: "status", None: nobody},
		{Name: "order_no", Title: "order", Kind: report.ID}, {Name: "bill_no", Title: "bill", Kind: report.ID}, {Name: "merchant", Title: "merchant", None: nobody},
	}, cardColumns()...)
	n := len(columns)
	columns = append(columns,
		report.Column{Name: "trade_amount", Title: "traded", Kind: report.Money, Currency: n + 1}, report.Column{Name: "trade_currency", Title: "currency"},
		report.Column{Name: "out_amount", Title: "amount", Kind: report.Money, Currency: n + 3, Sum: true}, report.Column{Name: "out_currency", Title: "currency"},
		report.Column{Name: "transaction_time", Title: "time", Kind: report.Time, Data: true})
	return report.Part{
		Name: "bills", Title: "Uncleared bills, the oldest first", Columns: columns, Empty: "every bill is cleared",
		Rows: func(row func(report.Row) error) error {
			return b.OpenBills(b.accounts, func(o *store.BillInfo) error {
				days, err := daysBetween(o.Date, b.today())
				if err != nil {
					return err
				}
				traded, tradeCurrency := moneyCells(o.Trade)
				out, outCurrency := moneyCells(o.Out)
				return row(report.Row{o.Account, o.Date, days, some(o.Status), o.OrderNo, some(o.BillNo), some(o.Merchant),
					some(o.CardLast4), some(o.AssetID), traded, tradeCurrency, out, outCurrency, report.At(o.At)})
			})
		},
	}
}

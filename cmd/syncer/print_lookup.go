package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"billsync/internal/app"
	"billsync/internal/bill"
	"billsync/internal/config"
)

// lookupText is the answer for people.
func (g *globals) lookupText(l *app.Lookup, o app.LookupOptions, cfg *config.Config) string {
	var b strings.Builder
	n := g.number
	days := cfg.Sync.Timezone // as they are given
	what := l.From.In(days).Format(time.DateOnly) + " … " + l.To.Add(-time.Millisecond).In(days).Format(time.DateOnly)
	switch {
	case l.Around > 0:
		what = fmt.Sprintf("a day either side of %s of the order", plural(l.Around, "stored bill", n))
	case days.String() != cfg.Report.Timezone.String():
		what += " in " + days.String()
	}
	fmt.Fprintf(&b, "account %s, %s (times in %s)\n", l.Account, what, cfg.Report.Timezone)
	if l.NoDatabase {
		b.WriteString("nothing is stored yet: there is no database\n")
	}
	if l.Ignored > 0 {
		fmt.Fprintf(&b, "WARNING: the API listed %s that %s not match the filter; shown are those that do\n",
			plural(l.Ignored, "bill", n), map[bool]string{true: "does", false: "do"}[l.Ignored == 1])
	}
	if l.GaveUp {
		b.WriteString("WARNING: the API does not honour the filter, so it was asked no further; --from and --to narrow it down\n")
	}
	numbered := slices.ContainsFunc(l.Items, func(i app.LookupItem) bool { return i.Bill.BillNo != "" })
	for i := range l.NotListed {
		numbered = numbered || l.NotListed[i].BillNo != ""
	}
	table := func() (*grid, func(x *bill.Bill, stored string)) {
		head := []string{"order_no", "bill_no", "time", "status", "merchant", "trade", "out", "stored"}
		if !numbered {
			head = slices.Delete(head, 1, 2)
		}
		t := g.newTable(head...)
		t.right(len(head)-2, len(head)-1)
		return t, func(x *bill.Bill, stored string) {
			cells := []string{x.OrderNo, x.BillNo, x.TransactionTime.In(cfg.Report.Timezone).Format(time.DateTime), x.Status, x.MerchantName,
				money(x.Trade), money(x.Out), stored}
			if !numbered {
				cells = slices.Delete(cells, 1, 2)
			}
			for i := range cells {
				cells[i] = printable(cells[i])
			}
			t.row(cells...)
		}
	}
	counts := map[string]int{}
	if len(l.Items) > 0 {
		t, row := table()
		for i := range l.Items {
			counts[l.Items[i].Verdict()]++
			row(&l.Items[i].Bill, verdict(&l.Items[i]))
		}
		b.WriteString("\n" + t.String())
	}
	for i := range l.Items {
		if x := &l.Items[i]; len(x.Problems) > 0 {
			fmt.Fprintf(&b, "%s: not understood: %s\n", x.Bill.OrderNo, printable(strings.Join(x.Problems, "; ")))
		}
	}
	for _, why := range l.NotUnderstood {
		fmt.Fprintf(&b, "an item that is no bill: %s\n", printable(why))
	}
	if len(l.NotListed) > 0 {
		b.WriteString("\nstored, and not listed by the API with these filters:\n")
		t, row := table()
		for i := range l.NotListed[:min(len(l.NotListed), o.Limit)] {
			row(&l.NotListed[i].Bill, "not listed")
		}
		b.WriteString(t.String())
		if more := len(l.NotListed) - o.Limit; more > 0 {
			fmt.Fprintf(&b, "and %s more\n", n(more))
		}
		if l.MerchantRule != "" {
			b.WriteString("how the API compares merchant names is not documented: it may want the whole name\n")
		}
	}
	b.WriteString("\n" + lookupSum(l, counts, n) + "\n")
	if l.More {
		fmt.Fprintf(&b, "there are more: shown are the newest %s (--limit)\n", n(o.Limit))
	}
	if l.Moved {
		b.WriteString("the API's list did not add up, it may have changed while it was read: look again\n")
	}
	if hint := g.lookupNext(l, cfg); hint != "" {
		b.WriteString(hint)
	}
	return b.String()
}

// lookupSum is the answer in a line.
func lookupSum(l *app.Lookup, counts map[string]int, n func(int) string) string {
	if len(l.Items) == 0 {
		s := "the API lists no such bill"
		if len(l.NotListed) > 0 {
			s += "; " + plural(len(l.NotListed), "such bill", n) + " stored"
		}
		return s
	}
	var parts []string
	for _, v := range []struct{ verdict, one, many string }{
		{"same", "as stored", "as stored"}, {"differs", "differs", "differ"},
		{"withdrawn", "stored as withdrawn", "stored as withdrawn"}, {"not stored", "not stored", "not stored"},
	} {
		switch c := counts[v.verdict]; {
		case c == 1:
			parts = append(parts, "1 "+v.one)
		case c > 1:
			parts = append(parts, n(c)+" "+v.many)
		}
	}
	s := plural(len(l.Items), "bill", n) + ": " + strings.Join(parts, ", ")
	if len(l.NotListed) > 0 {
		s += "; " + n(len(l.NotListed)) + " stored but not listed"
	}
	return s
}

// lookupNext says how what differs gets into the database.
func (g *globals) lookupNext(l *app.Lookup, cfg *config.Config) string {
	var first, last time.Time
	note := func(t time.Time) {
		if first.IsZero() || t.Before(first) {
			first = t
		}
		if t.After(last) {
			last = t
		}
	}
	for i := range l.Items {
		if x := &l.Items[i]; x.Verdict() != "same" {
			note(x.Bill.TransactionTime)
		}
	}
	for i := range l.NotListed {
		note(l.NotListed[i].TransactionTime)
	}
	a, ok := cfg.Account(l.Account)
	switch {
	case first.IsZero() || !ok:
		return ""
	case last.Before(cfg.HistoryStart(a)):
		return "these bills are older than history_start: move it back in the configuration, then syncer sync\n"
	case l.NoDatabase:
		return "next: syncer sync\n"
	}
	zone := cfg.Sync.Timezone
	return fmt.Sprintf("next: syncer sync --from %s --to %s\n", first.In(zone).Format(time.DateOnly), last.In(zone).Format(time.DateOnly))
}

// verdict says in a cell how an item compares with what is stored.
func verdict(i *app.LookupItem) string {
	if len(i.Differs) == 0 {
		return i.Verdict()
	}
	var fields, stored []string
	for _, d := range i.Differs {
		fields = append(fields, map[string]string{"bill_status": "status", "raw": "fields without a column"}[d.Field])
		if fields[len(fields)-1] == "" {
			fields[len(fields)-1] = d.Field
		}
		if d.Field == "raw" {
			continue
		}
		stored = append(stored, shortly(d))
	}
	s := "differs: " + strings.Join(fields, ", ")
	if len(stored) > 0 {
		s += " (stored: " + strings.Join(stored, ", ") + ")"
	}
	if v := i.Verdict(); v != "differs" {
		s = v + "; " + s
	}
	return s
}

// shortly is the stored side of a difference, short enough for a cell.
func shortly(d app.Difference) string {
	const longest = 40
	currency, decimal, ok := strings.Cut(d.Stored, " ")
	switch {
	case d.Stored == "":
		return "none"
	case ok && strings.HasSuffix(d.Field, "_amount") && strings.HasPrefix(d.Listed, currency+" "):
		return decimal
	}
	if r := []rune(d.Stored); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return d.Stored
}

// money is an amount in a cell, the currency behind it.
func money(a *bill.Amount) string {
	if a == nil {
		return ""
	}
	return a.Decimal() + " " + a.Currency
}

// lookupJSON is the answer for programs.
func lookupJSON(l *app.Lookup, o app.LookupOptions, failure error) any {
	type difference struct {
		Field  string `json:"field"`
		Listed string `json:"listed"`
		Stored string `json:"stored"`
	}
	type item struct {
		OrderNo       string       `json:"order_no"`
		BillNo        string       `json:"bill_no,omitempty"`
		BillID        *int64       `json:"bill_id"`
		Time          time.Time    `json:"transaction_time"`
		Status        string       `json:"bill_status"`
		Merchant      string       `json:"merchant_name"`
		CardLast4     string       `json:"card_last4,omitempty"`
		Budget        string       `json:"budget_account_id,omitempty"`
		Trade         *int64       `json:"trade_amount"`
		TradeCurrency string       `json:"trade_currency,omitempty"`
		TradeDecimal  string       `json:"trade_decimal,omitempty"`
		Out           *int64       `json:"out_amount"`
		OutCurrency   string       `json:"out_currency,omitempty"`
		OutDecimal    string       `json:"out_decimal,omitempty"`
		Stored        string       `json:"stored"`
		Differences   []difference `json:"differences,omitempty"`
		Problems      []string     `json:"not_understood,omitempty"`
	}
	itemOf := func(b *bill.Bill, stored string) item {
		x := item{OrderNo: b.OrderNo, BillNo: b.BillNo, Time: b.TransactionTime.UTC(), Status: b.Status, Merchant: b.MerchantName,
			CardLast4: b.CardLast4, Budget: b.BudgetAccountID, Stored: stored}
		if b.Trade != nil {
			x.Trade, x.TradeCurrency, x.TradeDecimal = &b.Trade.Value, b.Trade.Currency, b.Trade.Decimal()
		}
		if b.Out != nil {
			x.Out, x.OutCurrency, x.OutDecimal = &b.Out.Value, b.Out.Currency, b.Out.Decimal()
		}
		return x
	}
	out := struct {
		Type          string     `json:"type"`
		Account       string     `json:"account"`
		From          time.Time  `json:"from"`
		To            time.Time  `json:"to"` // bills at to are not in it
		Whole         bool       `json:"whole"`
		More          bool       `json:"more"`
		NotMatching   int        `json:"not_matching"`
		AddsUp        bool       `json:"adds_up"`
		Requests      int64      `json:"requests"`
		Bills         []item     `json:"bills"`
		NotListed     []item     `json:"not_listed"`
		NotUnderstood []string   `json:"not_understood"`
		Error         *errorJSON `json:"error,omitempty"`
	}{"lookup", l.Account, l.From.UTC(), l.To.UTC(), l.Whole, l.More, l.Ignored, !l.Moved, l.Requests, []item{}, []item{}, l.NotUnderstood, errorOf(failure)}
	if out.NotUnderstood == nil {
		out.NotUnderstood = []string{}
	}
	for i := range l.Items {
		it := &l.Items[i]
		x := itemOf(&it.Bill, it.Verdict())
		x.Problems = it.Problems
		if it.Stored != nil {
			x.BillID = &it.Stored.ID
		}
		for _, d := range it.Differs {
			x.Differences = append(x.Differences, difference(d))
		}
		out.Bills = append(out.Bills, x)
	}
	for i := range l.NotListed[:min(len(l.NotListed), o.Limit)] {
		s := &l.NotListed[i]
		x := itemOf(&s.Bill, "not listed")
		x.BillID = &s.ID
		out.NotListed = append(out.NotListed, x)
	}
	return out
}

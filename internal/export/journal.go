package export

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"billsync/internal/bill"
)

// beancount writes a journal for Beancount.
type beancount struct {
	*out
	o *Options
}

func openBeancount(w *out, o *Options, h *Head) (Writer, error) {
	b := &beancount{w, o}
	for _, c := range currencies(h, false) {
		b.text(`option "operating_currency" "`, c, "\"\n")
	}
	if o.NoAccounts || len(h.Statements) == 0 {
		return b, b.failed()
	}
	b.text("\n")
	first, held := accounts(h, b.account)
	for _, name := range slices.Sorted(maps.Keys(held)) {
		b.text(first, " open ", name, " ", strings.Join(held[name], ","), "\n")
	}
	b.text(first, " open ", o.Expense, "\n")
	return b, b.failed()
}

// currencies are those of the statements, and with trade those of merchants too.
func currencies(h *Head, trade bool) []string {
	var all []string
	for i := range h.Statements {
		s := &h.Statements[i]
		all = append(all, s.Currency)
		if trade {
			all = append(all, s.Trades...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// accounts returns the accounts of the lines with their currencies, and the first
// day that one is used.
func accounts(h *Head, name func(account, last4 string) string) (first string, held map[string][]string) {
	held = map[string][]string{}
	for i := range h.Statements {
		s := &h.Statements[i]
		if first == "" || s.From < first {
			first = s.From
		}
		for _, card := range s.Cards {
			n := name(s.Account, card)
			if !slices.Contains(held[n], s.Currency) {
				held[n] = append(held[n], s.Currency)
			}
		}
	}
	for n := range held {
		slices.Sort(held[n])
	}
	return first, held
}

// part is a text as a part of the name of an account: letters, digits, and - for
// what is neither.
func part(s string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '-'
	}, s)
}

// account is the name of a card's account. A part begins with a capital or a
// digit.
func (b *beancount) account(account, last4 string) string {
	name := part(account)
	if name == "" || !unicode.IsUpper(rune(name[0])) && !unicode.IsDigit(rune(name[0])) {
		if name != "" && unicode.IsLower(rune(name[0])) {
			name = strings.ToUpper(name[:1]) + name[1:]
		} else {
			name = "A" + name
		}
	}
	card := "Unknown"
	if last4 != "" {
		card = "C" + part(last4)
	}
	return b.o.Account + ":" + name + ":" + card
}

var quotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// quoted is a text in quotes.
func quoted(s string) string { return `"` + quotes.Replace(s) + `"` }

func (b *beancount) Line(l *Line) error {
	b.text("\n", l.Date, " * ", quoted(l.payee(nameLimit)), " ", quoted(narration(l)), " ^", l.bill(), " #worldcard\n")
	for _, t := range tags(l) {
		b.text("  ", t[0], ": ", quoted(t[1]), "\n")
	}
	mine, other := sides(l)
	b.text("  ", b.account(l.Account, l.CardLast4), "  ", mine, "\n  ", b.o.Expense, "  ", other, "\n")
	return b.failed()
}

func (b *beancount) Close() error { return b.Flush() }

// narration is what the line is about, without the amounts that stand below.
func narration(l *Line) string {
	if w := l.word(); w != "" {
		return w + ", " + l.card()
	}
	return l.card()
}

// sides are the amounts of both sides of a transaction. Where the merchant was paid
// in another currency, the total cost stands behind, so that no rate is rounded.
func sides(l *Line) (mine, other string) {
	mine = l.Amount.Decimal() + " " + l.Amount.Currency
	against := bill.Amount{Currency: l.Amount.Currency, Value: -l.Amount.Value}
	if l.Trade == nil || !beancountCurrency.MatchString(l.Trade.Currency) {
		return mine, against.Decimal() + " " + against.Currency
	}
	return mine, l.Trade.Decimal() + " " + l.Trade.Currency + " @@ " + against.Decimal() + " " + against.Currency
}

// tags are what a program may want to know of a line.
func tags(l *Line) [][2]string {
	all := [][2]string{{"line_id", l.ID}, {"bill_key", l.bill()}, {"kind", l.Kind}, {"status", l.Status}, {"order_no", l.OrderNo}, {"card", l.AssetID}}
	if l.Effect != l.Date {
		all = append(all, [2]string{"effect_date", l.Effect})
	}
	var out [][2]string
	for _, t := range all {
		if t[1] = Clean(t[1], nameLimit); t[1] != "" {
			out = append(out, t)
		}
	}
	return out
}

// hledger writes a journal that hledger and ledger read.
type hledger struct {
	*out
	o *Options
}

func openHledger(w *out, o *Options, h *Head) (Writer, error) {
	j := &hledger{w, o}
	for _, c := range currencies(h, true) {
		if beancountCurrency.MatchString(c) {
			// Both want a point, also where there is nothing behind it.
			sample := bill.Amount{Currency: c, Value: 1}.Decimal()
			_, places, _ := strings.Cut(sample, ".")
			j.text("commodity 1000.", strings.Repeat("0", len(places)), " ", commodity(c), "\n")
		}
	}
	if o.NoAccounts || len(h.Statements) == 0 {
		return j, j.failed()
	}
	_, held := accounts(h, j.account)
	for _, name := range slices.Sorted(maps.Keys(held)) {
		j.text("account ", name, "\n")
	}
	j.text("account ", o.Expense, "\n")
	return j, j.failed()
}

// commodity is a currency as journals have it: in quotes if it is not of letters.
func commodity(c string) string {
	if strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		return c
	}
	return `"` + c + `"`
}

func (j *hledger) account(account, last4 string) string {
	card := "unknown"
	if last4 != "" {
		card = part(last4)
	}
	return j.o.Account + ":" + part(account) + ":" + card
}

// plainWords takes away what has a meaning in a journal.
var plainWords = strings.NewReplacer(";", ",", "|", "/")

// plainValues does the same for values of tags, which end at a comma.
var plainValues = strings.NewReplacer(";", " ", ",", " ", ":", " ")

func (j *hledger) Line(l *Line) error {
	j.text("\n", l.Date, " * (", l.bill(), ") ", plainWords.Replace(l.payee(nameLimit)), " | ", plainWords.Replace(narration(l)), "\n")
	for _, t := range tags(l) {
		j.text("    ; ", t[0], ": ", Clean(plainValues.Replace(t[1]), 0), "\n")
	}
	mine, other := j.sides(l)
	j.text("    ", j.account(l.Account, l.CardLast4), "    ", mine, "\n    ", j.o.Expense, "    ", other, "\n")
	return j.failed()
}

func (j *hledger) sides(l *Line) (mine, other string) {
	mine, other = sides(l)
	words := func(s string) string {
		fields := strings.Fields(s)
		for i := 1; i < len(fields); i += 2 {
			if fields[i] != "@@" {
				fields[i] = commodity(fields[i])
			}
		}
		return strings.Join(fields, " ")
	}
	if commodity(l.Amount.Currency) == l.Amount.Currency && (l.Trade == nil || commodity(l.Trade.Currency) == l.Trade.Currency) {
		return mine, other
	}
	// 1 "X1" @@ 2 USD: number, currency, sign, number, currency
	before, after, ok := strings.Cut(other, " @@ ")
	if ok {
		return words(mine), words(before) + " @@ " + words(after)
	}
	return words(mine), words(other)
}

func (j *hledger) Close() error { return j.Flush() }

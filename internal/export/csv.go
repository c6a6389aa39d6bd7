package export

import (
	"encoding/csv"
	"strings"
	"unicode"
)

// table writes CSV for programs: no ' in front of anything.
type table struct {
	*out
	csv *csv.Writer
	row func(*Line) []string
}

func openTable(w *out, head []string, row func(*Line) []string) (Writer, error) {
	t := &table{w, csv.NewWriter(w), row}
	return t, t.csv.Write(head)
}

func (t *table) Line(l *Line) error {
	if l.Amount.Value == 0 {
		return nil // QuickBooks refuses a file that has one, and it moves nothing
	}
	return t.csv.Write(t.row(l))
}

func (t *table) Close() error {
	t.csv.Flush()
	if err := t.csv.Error(); err != nil {
		return err
	}
	return t.Flush()
}

// dayAs is a day in one of the forms that people choose.
func dayAs(form, day string) string {
	if len(day) != len("2026-01-31") {
		return day
	}
	y, m, d := day[:4], day[5:7], day[8:]
	switch form {
	case "dmy":
		return d + "/" + m + "/" + y
	case "mdy":
		return m + "/" + d + "/" + y
	}
	return day
}

const (
	nameLimit = 140 // of names and descriptions where a format has no limit of its own
	memoLimit = 255
)

func openXero(w *out, o *Options, _ *Head) (Writer, error) {
	return openTable(w, []string{"Date", "Amount", "Payee", "Description", "Reference"}, func(l *Line) []string {
		about := Clean(strings.Join(l.about(), " · "), memoLimit)
		return []string{dayAs(o.DateFormat, l.Date), l.Amount.Decimal(), l.payee(nameLimit), about, l.ID}
	})
}

func openQBO(w *out, o *Options, _ *Head) (Writer, error) {
	return openTable(w, []string{"Date", "Description", "Amount"}, func(l *Line) []string {
		return []string{dayAs(o.DateFormat, l.Date), qboDescription(l), l.Amount.Decimal()}
	})
}

// qboDescription names the merchant, and nothing that is made of digits: QuickBooks
// takes a column of those for numbers.
func qboDescription(l *Line) string {
	name := l.payee(nameLimit)
	if !strings.ContainsFunc(name, unicode.IsLetter) {
		name = "Merchant " + name
	}
	if w := l.word(); w != "" {
		name += " " + strings.ToLower(w)
	}
	return name
}

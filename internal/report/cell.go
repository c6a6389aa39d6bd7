package report

import (
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/xuri/excelize/v2"

	"billsync/internal/bill"
)

// Formats of numbers. A text has the text format, so that it is one still after
// somebody has edited the cell.
const (
	textFormat   = "@"
	countFormat  = "#,##0"
	signedFormat = "+#,##0;-#,##0;0"
	dateFormat   = "yyyy-mm-dd"
	monthFormat  = "yyyy-mm"
)

// A style is how a cell looks.
type style struct {
	format string
	size   float64
	bold   bool
	right  bool
	apart  bool // from a number on its left
	wrap   bool
	grey   bool // of lesser importance
	rule   bool // a line below
	over   bool // a line above
}

// style returns the number of a style in the book.
func (b *book) style(s style) (int, error) {
	if id, ok := b.styles[s]; ok {
		return id, nil
	}
	x := &excelize.Style{
		Font:      &excelize.Font{Family: "Calibri", Size: 11, Bold: s.bold},
		Alignment: &excelize.Alignment{Vertical: "top", WrapText: s.wrap},
	}
	switch s.format {
	case "":
	case textFormat:
		x.NumFmt = 49 // Excel's own
	default:
		x.CustomNumFmt = &s.format
	}
	if s.size > 0 {
		x.Font.Size = s.size
	}
	if s.grey {
		x.Font.Color = "666666"
	}
	switch {
	case s.right:
		x.Alignment.Horizontal = "right"
	case s.apart:
		x.Alignment.Horizontal, x.Alignment.Indent = "left", 1
	case s.format == dateFormat || s.format == monthFormat:
		x.Alignment.Horizontal = "left"
	}
	if s.rule {
		x.Border = append(x.Border, excelize.Border{Type: "bottom", Color: "000000", Style: 1})
		x.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E7E6E6"}}
	}
	if s.over {
		x.Border = append(x.Border, excelize.Border{Type: "top", Color: "000000", Style: 1})
	}
	id, err := b.f.NewStyle(x)
	if err != nil {
		return 0, err
	}
	b.styles[s] = id
	return id, nil
}

// moneyFormat is the format of a currency's amounts.
func moneyFormat(currency string) string {
	places, _ := bill.Decimals(currency)
	number := "#,##0" + fraction(places)
	return number + ";[Red]-" + number
}

// fraction is a format's places behind the point.
func fraction(places int) string {
	if places == 0 {
		return ""
	}
	return "." + strings.Repeat("0", places)
}

// maxDigits is how many digits Excel keeps of a number. One with more of them is
// written as text, or it would be another number.
const maxDigits = 15

// maxPlaces is how many places behind the point Excel shows.
const maxPlaces = 30

// number is a decimal number as the value of a cell; ok is false if Excel cannot
// hold it exactly. With no more than 15 digits a float64 has exactly one decimal
// form of that length, which is the one that is written and shown: nothing is
// ever calculated with it here.
func number(decimal string) (value float64, ok bool) {
	digits := strings.TrimLeft(strings.Replace(strings.TrimLeft(decimal, "+-"), ".", "", 1), "0")
	if len(digits) > maxDigits {
		return 0, false
	}
	value, err := strconv.ParseFloat(decimal, 64)
	return value, err == nil
}

// days is a day as Excel counts them, from the 30th of December 1899. It has days
// of its own before March 1900.
func days(layout, s string) (int, bool) {
	t, err := time.Parse(layout, s)
	n := int(t.Unix()/86400) + 25569
	return n, err == nil && n > 60
}

// numeric reports whether a column is aligned to the right.
func (k Kind) numeric() bool { return k == Count || k == Money || k == Decimal }

// apart reports whether a column is to stand apart from numbers on its left.
func (p *Part) apart(column int) bool {
	return column > 0 && p.Columns[column-1].Kind.numeric() && !p.Columns[column].Kind.numeric()
}

// value is a cell of a part as the value of a cell in Excel, and its style.
func (c *Column) value(row Row, i int) (any, style) {
	switch v := row[i].(type) {
	case int64:
		if c.Kind == Money {
			a, _ := c.amount(row, i)
			return amountValue(a)
		}
		return c.countValue(v)
	case time.Time:
		return stamp(v), style{format: textFormat}
	case string:
		if v == "" {
			return nil, style{} // a formula that looks for empty cells does not find an empty text
		}
		return c.textValue(v)
	}
	if c.None != "" {
		return c.None, style{format: textFormat, grey: true, right: c.Kind.numeric()}
	}
	return nil, style{}
}

func amountValue(a bill.Amount) (any, style) {
	if v, ok := number(a.Decimal()); ok {
		return v, style{format: moneyFormat(a.Currency), right: true}
	}
	return a.Decimal(), style{format: textFormat, right: true}
}

func (c *Column) countValue(n int64) (any, style) {
	s := style{format: countFormat, right: true}
	if c.Signed {
		s.format = signedFormat
	}
	if _, ok := number(strconv.FormatInt(n, 10)); ok {
		return n, s
	}
	s.format = textFormat
	return strconv.FormatInt(n, 10), s
}

func (c *Column) textValue(v string) (any, style) {
	switch c.Kind {
	case Date:
		if n, ok := days(time.DateOnly, v); ok {
			return n, style{format: dateFormat}
		}
	case Month:
		if n, ok := days("2006-01", v); ok {
			return n, style{format: monthFormat}
		}
	case Decimal:
		_, places, _ := strings.Cut(v, ".")
		if n, ok := number(v); ok && isDecimal(v) && len(places) <= maxPlaces {
			return n, style{format: "0" + fraction(len(places)), right: true}
		}
		return v, style{format: textFormat, right: true}
	}
	return v, style{format: textFormat}
}

// maxText is how many units of UTF-16 Excel holds in a cell.
const maxText = excelize.TotalCellChars

// cellText is a text that fits into a cell; cut is true if it is not all of it.
func cellText(s string) (fits string, cut bool) {
	s = Printable(s)
	if len(s) <= maxText || len(shorten(s, maxText)) == len(s) { // most have fewer bytes, even
		return s, false
	}
	return shorten(s, maxText-1) + "…", true
}

// width is how wide a cell is shown, in letters.
func (c *Column) width(row Row, i int) int {
	switch v := row[i].(type) {
	case nil:
		return len(c.None)
	case int64:
		// A sum is longer than what it adds up, and too narrow a number is not shown at
		// all.
		return len(Separated(c.plain(row, i))) + 5
	case string:
		if c.Kind == Date || c.Kind == Month {
			return 10
		}
		return text.StringWidthWithoutEscSequences(shorten(v, maxWidth))
	default:
		return len(c.plain(row, i))
	}
}

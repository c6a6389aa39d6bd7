package report

import (
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// A Grid is a plain table with columns of the right width for any script.
type Grid struct{ w table.Writer }

// NewGrid returns a table with a head.
func NewGrid(head ...string) *Grid {
	w := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	w.SetStyle(style)
	w.AppendHeader(cells(head))
	w.SuppressTrailingSpaces()
	return &Grid{w}
}

func cells(texts []string) table.Row {
	row := make(table.Row, len(texts))
	for i, t := range texts {
		row[i] = t
	}
	return row
}

// Right aligns columns, counted from 1, to the right.
func (g *Grid) Right(columns ...int) {
	var cfg []table.ColumnConfig
	for _, c := range columns {
		cfg = append(cfg, table.ColumnConfig{Number: c, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	g.w.SetColumnConfigs(cfg)
}

// Row appends a row, its texts as Printable makes them.
func (g *Grid) Row(texts ...string) {
	row := cells(texts)
	for i, t := range texts {
		row[i] = Printable(t)
	}
	g.w.AppendRow(row)
}

// String is the table, with the end of its last line.
func (g *Grid) String() string { return g.w.Render() + "\n" }

// Printable makes control characters visible: names come from elsewhere, and a
// terminal would obey them, also those that turn the direction of writing, by which
// an amount reads as another. In a workbook an end of a line would be printed across
// the row below, and XML cannot hold most of them.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || '\u2028' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' {
			return '\ufffd'
		}
		return r
	}, s)
}

// Separated puts a comma between thousands, in the part before a decimal point.
func Separated(s string) string {
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	whole, rest, _ := strings.Cut(s, ".")
	if rest != "" {
		rest = "." + rest
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + whole + rest
}

package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"billsync/internal/bill"
)

// MaxShown is how many rows a table for people shows: all of them have to be there
// before the first is printed.
const MaxShown = 1000

// TextOptions say how a report is shown to people.
type TextOptions struct {
	Separators bool           // between thousands
	Zone       *time.Location // of times; nil is UTC
	Part       string         // only this part
}

// WriteText writes a report for people: what it is about, a table for each part
// with the sums at its foot, and the notes. Nothing is written if a part ends in an
// error.
func WriteText(w io.Writer, r *Report, o TextOptions) error {
	parts, err := r.parts(o.Part)
	if err != nil {
		return err
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	var b strings.Builder
	b.WriteString(Printable(r.Title) + "\n")
	writeFacts(&b, r.About)
	for i := range parts {
		b.WriteString("\n")
		if err := o.part(&b, r, &parts[i]); err != nil {
			return err
		}
	}
	if len(r.Notes) > 0 {
		b.WriteString("\n")
	}
	for _, note := range r.Notes {
		b.WriteString(Printable(note) + "\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// writeFacts writes one fact a line, the texts below each other.
func writeFacts(b *strings.Builder, facts []Fact) {
	width := 0
	for _, f := range facts {
		width = max(width, text.StringWidthWithoutEscSequences(f.Label))
	}
	for _, f := range facts {
		b.WriteString(text.Pad(Printable(f.Label), width+2, ' ') + Printable(f.Text) + "\n")
	}
}

// part writes the table of a part and what belongs to it.
func (o *TextOptions) part(b *strings.Builder, r *Report, p *Part) error {
	if p.Title != "" && p.Title != r.Title {
		b.WriteString(Printable(p.Title) + "\n")
	}
	grid := p.grid()
	shown := 0
	foot, err := p.each(func(row Row) error {
		if shown++; shown > MaxShown {
			return nil
		}
		all := make([]string, len(row))
		for i := range row {
			all[i] = o.cell(&p.Columns[i], row, i)
		}
		grid.Row(p.visible(all)...)
		return nil
	})
	if err != nil {
		return err
	}
	for _, line := range foot.sorted() {
		all := foot.cells(total, line, o.amount)
		for i := range all {
			all[i] = Printable(all[i]) // a currency is a text of others, too
		}
		grid.Row(p.visible(all)...)
	}
	switch {
	case shown == 0 && p.Empty != "":
		b.WriteString(Printable(p.Empty) + "\n")
	case shown == 0:
		b.WriteString("nothing\n")
	default:
		b.WriteString(grid.String())
	}
	if more := shown - MaxShown; more > 0 {
		noun := "rows"
		if more == 1 {
			noun = "row"
		}
		fmt.Fprintf(b, "%s more %s; --csv, --json and --xlsx have all\n", o.number(strconv.Itoa(more)), noun)
	}
	for _, note := range p.Notes {
		b.WriteString(Printable(note) + "\n")
	}
	return nil
}

// grid is the table of a part, with its head.
func (p *Part) grid() *Grid {
	titles := make([]string, len(p.Columns))
	var right []int
	n := 0
	for i := range p.Columns {
		c := &p.Columns[i]
		titles[i] = Printable(c.title())
		if c.Data {
			continue
		}
		n++
		if c.Kind.numeric() {
			right = append(right, n)
		}
	}
	grid := NewGrid(p.visible(titles)...)
	grid.Right(right...)
	return grid
}

// title is what stands above the column.
func (c *Column) title() string {
	if c.Title == "" {
		return c.Name
	}
	return c.Title
}

// visible leaves out the cells of columns that people are not shown.
func (p *Part) visible(all []string) []string {
	var out []string
	for i, text := range all {
		if !p.Columns[i].Data {
			out = append(out, text)
		}
	}
	return out
}

// cell is a cell for people.
func (o *TextOptions) cell(c *Column, row Row, i int) string {
	switch v := row[i].(type) {
	case int64:
		a := bill.Amount{Value: v}
		if c.Kind == Money {
			a, _ = c.amount(row, i)
		}
		return o.amount(c, a)
	case time.Time:
		return v.In(o.Zone).Format("2006-01-02 15:04:05 -07:00")
	case string:
		return short(v)
	}
	return c.None
}

// maxCell is how wide a cell may become: one name without end would push all other
// columns of all rows out of sight.
const maxCell = 200

// short cuts a text that is too wide, and shows that it did.
func short(s string) string {
	if s = Printable(s); len(s) <= maxCell {
		return s
	}
	width := 0
	for i, r := range s {
		if width += text.RuneWidth(r); width > maxCell {
			return s[:i] + "…"
		}
	}
	return s
}

// amount is an amount, or a count, which has no currency.
func (o *TextOptions) amount(c *Column, a bill.Amount) string {
	s := a.Decimal()
	if c.Signed && a.Value > 0 {
		s = "+" + s
	}
	return o.number(s)
}

func (o *TextOptions) number(s string) string {
	if o.Separators {
		return Separated(s)
	}
	return s
}

package report

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/xuri/excelize/v2"
)

// sampled is how many rows are looked at to set the width of columns, which must be
// known before the first is written.
const sampled = 200

// Widths of columns, in letters.
const (
	minWidth = 6
	maxWidth = 60
)

// A partSheets is a part while it is written: on a sheet, or on several.
type partSheets struct {
	book   *book
	part   *Part
	titles []string
	widths []float64
	first  []Row // until the widths are known
	spans  []span
	count  int

	sw   *excelize.StreamWriter
	name string // of the sheet
	row  int    // the next one; rows are counted from 1, and the first is the head

	asText []bool // columns in which a number is a text
	odd    []bool // columns of currencies that a formula cannot tell apart
	cut    bool   // a text was too long for a cell
}

// A span is where rows are: on a sheet, from a row to a row.
type span struct {
	sheet       string
	first, last int
}

// part writes a part.
func (b *book) part(p *Part) error {
	s := &partSheets{book: b, part: p, asText: make([]bool, len(p.Columns)), odd: make([]bool, len(p.Columns)), titles: p.heads()}
	sums, err := p.each(s.take)
	if err != nil {
		return err
	}
	if s.sw == nil {
		if err := s.start(); err != nil {
			return err
		}
	}
	if err := s.foot(sums); err != nil {
		return err
	}
	if err := s.end(); err != nil {
		return err
	}
	s.remark()
	return nil
}

// heads are the titles of the columns. A table's must be different from each
// other, and none may be empty.
func (p *Part) heads() []string {
	used := names{}
	out := make([]string, len(p.Columns))
	for i := range p.Columns {
		out[i] = used.unique(Printable(p.Columns[i].title()), " ", 255)
	}
	return out
}

// take takes a row, and writes it once the widths are known.
func (s *partSheets) take(row Row) error {
	s.count++
	if s.sw == nil {
		s.first = append(s.first, slices.Clone(row))
		if len(s.first) < sampled {
			return nil
		}
		return s.start()
	}
	return s.write(row)
}

// start sets the widths, begins the first sheet and writes the rows that waited.
func (s *partSheets) start() error {
	for i := range s.part.Columns {
		c := &s.part.Columns[i]
		width := text.StringWidthWithoutEscSequences(s.titles[i]) + 3 // the button of the filter
		for _, row := range s.first {
			width = max(width, c.width(row, i))
		}
		s.widths = append(s.widths, float64(min(max(width, minWidth), maxWidth)+1))
	}
	s.widths[0] = max(s.widths[0], float64(len(difference)+1)) // a word at the foot
	if err := s.begin(); err != nil {
		return err
	}
	for _, row := range s.first {
		if err := s.write(row); err != nil {
			return err
		}
	}
	s.first = nil
	return nil
}

// begin begins a sheet with its head.
func (s *partSheets) begin() (err error) {
	s.name = s.book.sheets.sheetName(s.part.Name)
	if s.sw, err = s.book.sheet(s.name); err != nil {
		return err
	}
	for i, width := range s.widths {
		if err := s.sw.SetColWidth(i+1, i+1, width); err != nil {
			return err
		}
	}
	if err := s.sw.SetPanes(&excelize.Panes{
		Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft",
		Selection: []excelize.Selection{{SQRef: "A2", ActiveCell: "A2", Pane: "bottomLeft"}},
	}); err != nil {
		return err
	}
	if err := s.book.f.SetDefinedName(&excelize.DefinedName{
		Name: "_xlnm.Print_Titles", RefersTo: quoted(s.name) + "!$1:$1", Scope: s.name,
	}); err != nil {
		return err
	}
	head := make([]any, len(s.titles))
	for i, title := range s.titles {
		look := style{format: textFormat, bold: true, rule: true, right: s.part.Columns[i].Kind.numeric(), apart: s.part.apart(i)}
		if head[i], err = s.cell(title, look); err != nil {
			return err
		}
	}
	s.row = 1
	return s.put(head)
}

// put writes a row of cells.
func (s *partSheets) put(cells []any) error {
	err := s.sw.SetRow("A"+strconv.Itoa(s.row), cells)
	s.row++
	return err
}

func (s *partSheets) cell(value any, look style) (excelize.Cell, error) {
	id, err := s.book.style(look)
	return excelize.Cell{StyleID: id, Value: value}, err
}

// write writes a row, on the next sheet if this one is full.
func (s *partSheets) write(row Row) error {
	if s.row > s.book.rows {
		if err := s.next(); err != nil {
			return err
		}
	}
	cells := make([]any, len(row))
	for i := range row {
		c := &s.part.Columns[i]
		value, look := c.value(row, i)
		if value == nil || row[i] == nil && s.part.names(i) {
			continue // where there is no currency, the formulas of the foot look for an empty cell
		}
		if v, isText := value.(string); isText {
			var cut bool
			value, cut = cellText(v)
			s.cut = s.cut || cut
			s.asText[i] = s.asText[i] || c.Kind == Money || c.Kind == Count || c.Kind == Decimal && isDecimal(v)
		}
		look.apart = s.part.apart(i)
		var err error
		if cells[i], err = s.cell(value, look); err != nil {
			return err
		}
	}
	return s.put(cells)
}

// next ends a sheet and begins another one with the same columns.
func (s *partSheets) next() error {
	s.span()
	if err := s.end(); err != nil {
		return err
	}
	return s.begin()
}

// span keeps where the rows on this sheet are.
func (s *partSheets) span() {
	if last := s.row - 1; last > 1 && (len(s.spans) == 0 || s.spans[len(s.spans)-1].sheet != s.name) {
		s.spans = append(s.spans, span{s.name, 2, last})
	}
}

// end ends a sheet: its rows become a table, with one empty row if there are none.
func (s *partSheets) end() error {
	last, listed := 2, listed{s.name, s.part.Title, 0}
	if n := len(s.spans); n > 0 && s.spans[n-1].sheet == s.name {
		last = s.spans[n-1].last
		listed.rows = last - 1
	}
	corner, err := excelize.CoordinatesToCellName(len(s.part.Columns), last)
	if err != nil {
		return err
	}
	stripes := false
	if err := s.sw.AddTable(&excelize.Table{
		Range: "A1:" + corner, Name: s.book.tables.tableName(s.part.Name), StyleName: "TableStyleLight1", ShowRowStripes: &stripes,
	}); err != nil {
		return err
	}
	s.book.index = append(s.book.index, listed)
	return s.sw.Flush()
}

// remark tells the first sheet what is to be known about this one.
func (s *partSheets) remark() {
	name := s.name
	if len(s.spans) > 0 {
		name = s.spans[0].sheet
	}
	note := func(format string, args ...any) {
		s.book.notes = append(s.book.notes, [2]string{name, fmt.Sprintf(format, args...)})
	}
	for _, n := range s.part.Notes {
		note("%s", n)
	}
	for i, is := range s.asText {
		if is {
			note("%s: a number of more than %d digits, which Excel cannot hold exactly, stands here as text", s.titles[i], maxDigits)
		}
	}
	for i, is := range s.odd {
		if is {
			note("%s: its sums are values, because a formula could not tell its currencies apart", s.titles[i])
		}
	}
	if s.cut {
		note("a text of more than %d characters, which is what a cell holds, ends with …", maxText)
	}
}

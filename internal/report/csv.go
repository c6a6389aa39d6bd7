package report

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"time"

	"billsync/internal/bill"
)

// CSVOptions say for whom CSV is written.
type CSVOptions struct {
	Plain bool // for programs: every text as it is, and no foot
	BOM   bool // a mark by which spreadsheets see that it is UTF-8
	CRLF  bool // lines end as RFC 4180 has it; else as everywhere in Unix
}

// total is the word at the foot.
const total = "total"

// WriteCSV writes one part of a report, the first if none is named, as CSV (RFC
// 4180) in UTF-8: amounts and counts as plain numbers, times in UTC. Rows that
// came before an error are written.
func WriteCSV(w io.Writer, r *Report, part string, o CSVOptions) error {
	p, err := r.Part(part)
	if err != nil {
		return err
	}
	out := newCSVWriter(w, o)
	head := make([]string, len(p.Columns))
	for i := range p.Columns {
		head[i] = p.Columns[i].Name
	}
	if err := p.check(); err != nil {
		return err
	}
	if err := out.write(head); err != nil {
		return err
	}
	cells := make([]string, len(p.Columns))
	foot, err := p.each(func(row Row) error {
		for i := range row {
			cells[i] = p.Columns[i].plain(row, i)
			if _, isText := row[i].(string); isText && !o.Plain {
				cells[i] = NoFormula(cells[i])
			}
		}
		return out.write(cells)
	})
	if err == nil && !o.Plain {
		err = out.foot(foot)
	}
	if e := out.w.Flush(); err == nil {
		err = e
	}
	return err
}

// plain is a cell as text for programs.
func (c *Column) plain(row Row, i int) string {
	switch v := row[i].(type) {
	case string:
		return v
	case int64:
		if c.Kind == Money {
			a, _ := c.amount(row, i)
			return a.Decimal()
		}
		return strconv.FormatInt(v, 10)
	case time.Time:
		return stamp(v)
	}
	return ""
}

// A csvWriter writes lines of CSV. The one of the standard library changes the
// ends of lines inside a cell when it is told to write CRLF.
type csvWriter struct {
	w   *bufio.Writer
	end string
}

func newCSVWriter(w io.Writer, o CSVOptions) *csvWriter {
	c := &csvWriter{bufio.NewWriterSize(w, 1<<16), "\n"}
	if o.CRLF {
		c.end = "\r\n"
	}
	if o.BOM {
		c.w.WriteString("\ufeff") // its error comes back with the next write
	}
	return c
}

func (c *csvWriter) write(cells []string) error {
	for i, cell := range cells {
		if i > 0 {
			c.w.WriteByte(',')
		}
		if isPlain(cell) {
			c.w.WriteString(cell)
			continue
		}
		cell = strings.ToValidUTF8(cell, "\ufffd")
		// An only cell with nothing in it would be an empty line, which readers skip.
		if strings.ContainsAny(cell, "\",\r\n") || strings.HasPrefix(cell, " ") || cell == "" && len(cells) == 1 {
			cell = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
		}
		c.w.WriteString(cell)
	}
	_, err := c.w.WriteString(c.end)
	return err
}

// isPlain tells most cells that stand in CSV as they are from others, at little cost.
func isPlain(cell string) bool {
	for i := range len(cell) {
		if b := cell[i]; b >= 0x80 || b == '"' || b == ',' || b == '\r' || b == '\n' {
			return false
		}
	}
	return cell != "" && cell[0] != ' '
}

func (c *csvWriter) foot(f *foot) error {
	for _, line := range f.sorted() {
		cells := f.cells(total, line, func(_ *Column, a bill.Amount) string { return a.Decimal() })
		for i := range cells {
			cells[i] = NoFormula(cells[i]) // a currency is a text of others, too
		}
		if err := c.write(cells); err != nil {
			return err
		}
	}
	return nil
}

// NoFormula puts a ' in front of a text that a spreadsheet would take for a
// formula (CWE-1236). Decimal numbers that are texts stay.
//
// The signs of full width are there because spreadsheets set to Chinese or
// Japanese take them for the ordinary ones.
func NoFormula(text string) string {
	if text == "" || !strings.ContainsAny(firstRune(text), "=+-@\t\r\n\x00＝＋－＠") || isDecimal(text) {
		return text
	}
	return "'" + text
}

func firstRune(text string) string {
	for i := range text {
		if i > 0 {
			return text[:i]
		}
	}
	return text
}

// isDecimal reports whether a text is a plain decimal number.
func isDecimal(text string) bool {
	if _, err := strconv.ParseFloat(text, 64); err != nil {
		return false
	}
	return strings.Trim(text, "+-0123456789.") == ""
}

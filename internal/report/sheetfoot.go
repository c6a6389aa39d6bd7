package report

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"billsync/internal/bill"
)

// The words at the foot of a sheet.
const (
	exactly    = "exact sum"
	difference = "difference (0)"
)

// foot writes the sums below the table, an empty row between: a row of formulas
// for each currency, below it what the sums are, and the difference, which is 0
// also while rows are filtered out.
func (s *partSheets) foot(sums *foot) error {
	s.span()
	lines := sums.sorted()
	if s.count == 0 {
		s.row++ // the table has an empty row
		if s.part.Empty == "" {
			return nil
		}
		s.row++
		empty, err := s.cell(Printable(s.part.Empty), style{format: textFormat})
		if err != nil {
			return err
		}
		return s.put([]any{empty})
	}
	if len(lines) == 0 {
		return nil
	}
	if s.row+3*len(lines) > s.book.rows {
		if err := s.next(); err != nil {
			return err
		}
		s.row++
	}
	s.row++
	for _, line := range lines {
		if err := s.sums(sums, line); err != nil {
			return err
		}
	}
	return nil
}

// A sumCell is a sum in the three rows of a line.
type sumCell struct {
	column  int
	exact   any // a number, or a text of too many digits
	look    style
	formula string // of the sum that follows the filter; empty if Excel cannot add it up
	all     string // of the sum that does not
	places  int
}

// sums writes a line of the foot.
func (s *partSheets) sums(f *foot, line *footLine) error {
	var sums []sumCell
	live := false
	for i, sum := range line.sums {
		if sum == nil {
			continue
		}
		c := s.sumCell(f, line, i, *sum)
		live = live || c.formula != ""
		sums = append(sums, c)
	}
	texts := func(word string) []string {
		return f.cells(word, line, func(*Column, bill.Amount) string { return "" })
	}
	top := s.row
	if err := s.footRow(texts(total), sums, style{bold: true, over: true}, func(c *sumCell) (string, any) { return c.formula, c.exact }); err != nil || !live {
		return err
	}
	if err := s.footRow(texts(exactly), sums, style{grey: true}, func(c *sumCell) (string, any) { return "", c.exact }); err != nil {
		return err
	}
	words := make([]string, len(f.columns))
	words[0] = difference
	return s.footRow(words, sums, style{grey: true}, func(c *sumCell) (string, any) {
		if c.formula == "" {
			return "", nil
		}
		return fmt.Sprintf("ROUND(%s-%s%d,%d)", c.all, letters(c.column), top+1, c.places), 0
	})
}

// footRow writes a row of the foot: its texts, and in the columns of sums what
// value says.
func (s *partSheets) footRow(texts []string, sums []sumCell, look style, value func(*sumCell) (formula string, value any)) error {
	row := make([]any, len(texts))
	for i, t := range texts {
		if t == "" && !look.over {
			continue
		}
		l := look
		l.format, l.apart = textFormat, s.part.apart(i)
		cell, err := s.cell(any(Printable(t)), l)
		if err != nil {
			return err
		}
		if t == "" {
			cell.Value = nil
		}
		row[i] = cell
	}
	for i := range sums {
		c := &sums[i]
		l := look
		l.format, l.right = c.look.format, true
		formula, v := value(c)
		if v == nil {
			continue
		}
		cell, err := s.cell(v, l)
		if err != nil {
			return err
		}
		cell.Formula = formula
		row[c.column] = cell
	}
	return s.put(row)
}

// plainCurrency is one that a formula can look for: letters mean themselves.
var plainCurrency = regexp.MustCompile(`^[A-Z]{3}$`)

// sumCell is how the sum of a column in a line is written. It is a formula if
// Excel can add it up: if all of the column are numbers, the sum has not too many
// digits, and the currencies can be told apart by a formula.
func (s *partSheets) sumCell(f *foot, line *footLine, column int, sum int64) sumCell {
	c := &s.part.Columns[column]
	out := sumCell{column: column}
	by := f.by
	if c.Kind == Money {
		by = c.Currency
		out.exact, out.look = amountValue(bill.Amount{Currency: line.currency, Value: sum})
		out.places, _ = bill.Decimals(line.currency)
	} else {
		out.exact, out.look = c.countValue(sum)
	}
	if _, isText := out.exact.(string); isText || s.asText[column] {
		return out
	}
	several, plain := 0, true
	for key, l := range f.lines {
		if l.sums[column] != nil {
			several++
			plain = plain && (key.currency == "" || plainCurrency.MatchString(key.currency))
		}
	}
	switch {
	case several == 1:
		ranges := strings.Join(s.ranges(column), ",")
		out.formula, out.all = "SUBTOTAL(109,"+ranges+")", "SUM("+ranges+")"
	case plain:
		criterion := line.currency
		if criterion == "" {
			criterion = "=" // an empty cell
		}
		currencies := s.ranges(by)
		var terms []string
		for i, r := range s.ranges(column) {
			terms = append(terms, "SUMIFS("+r+","+currencies[i]+","+strconv.Quote(criterion)+")")
		}
		out.all = strings.Join(terms, "+")
		out.formula = out.all
		if len(terms) > 1 {
			out.all = "(" + out.all + ")"
		}
	default:
		s.odd[column] = true
	}
	return out
}

// ranges are the cells of a column on all sheets.
func (s *partSheets) ranges(column int) []string {
	var out []string
	for _, p := range s.spans {
		l := letters(column)
		ref := fmt.Sprintf("%s%d:%s%d", l, p.first, l, p.last)
		if p.sheet != s.name {
			ref = quoted(p.sheet) + "!" + ref
		}
		out = append(out, ref)
	}
	return out
}

// letters is the name of a column that is counted from 0.
func letters(column int) string {
	name, err := excelize.ColumnNumberToName(column + 1)
	if err != nil {
		panic(err) // a part has no 16,384 columns
	}
	return name
}

// quoted is the name of a sheet in a formula.
func quoted(sheet string) string { return "'" + strings.ReplaceAll(sheet, "'", "''") + "'" }

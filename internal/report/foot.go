package report

import (
	"cmp"
	"fmt"
	"slices"

	"billsync/internal/bill"
)

// A foot adds up a part while its rows go by.
type foot struct {
	columns []Column
	by      int // the column by whose currency counts are told; -1 if there is none
	lines   map[footKey]*footLine
}

// A footKey says what is added up in a line: what has the currency, which may be
// missing, or the counts of all rows.
type footKey struct {
	currency string
	all      bool
}

// A footLine is a line of the foot.
type footLine struct {
	footKey
	sums []*int64 // for each column; nil where nothing was added up
}

func newFoot(columns []Column) *foot {
	f := &foot{columns: columns, by: -1, lines: map[footKey]*footLine{}}
	for i := range columns {
		switch c := &columns[i]; {
		case !c.Sum || c.Kind != Money:
		case f.by == -1:
			f.by = c.Currency
		case f.by != c.Currency:
			f.by = -1
			return f
		}
	}
	return f
}

// add adds a row. A sum that cannot be held is an error: it would be a wrong
// number that looks right.
func (f *foot) add(row Row) error {
	for i := range f.columns {
		c := &f.columns[i]
		value, ok := row[i].(int64)
		if !c.Sum || !ok {
			continue
		}
		by := f.by
		if c.Kind == Money {
			by = c.Currency
		}
		key := footKey{all: by < 0}
		if by >= 0 {
			key.currency, _ = row[by].(string)
		}
		sum := f.sum(key, i)
		total := *sum + value
		if (total > *sum) != (value > 0) && value != 0 {
			return fmt.Errorf("column %s %s: %w", c.Name, key.currency, errOverflow)
		}
		*sum = total
	}
	return nil
}

func (f *foot) sum(key footKey, column int) *int64 {
	line := f.lines[key]
	if line == nil {
		line = &footLine{key, make([]*int64, len(f.columns))}
		f.lines[key] = line
	}
	if line.sums[column] == nil {
		line.sums[column] = new(int64)
	}
	return line.sums[column]
}

// sorted returns the lines by currency, then that of no currency, then that of all
// rows.
func (f *foot) sorted() []*footLine {
	var out []*footLine
	for _, line := range f.lines {
		out = append(out, line)
	}
	slices.SortFunc(out, func(a, b *footLine) int { return cmp.Compare(a.order(), b.order()) })
	return out
}

func (k footKey) order() string {
	switch {
	case k.all:
		return "3"
	case k.currency == "":
		return "2"
	}
	return "1" + k.currency
}

// cells are the texts of a line of the foot: the word, the currency in the columns
// that have the currency of a sum, and the sums as number writes them; a count is
// an amount of no currency.
func (f *foot) cells(word string, line *footLine, number func(*Column, bill.Amount) string) []string {
	out := make([]string, len(f.columns))
	out[0] = word
	for i, sum := range line.sums {
		if sum == nil {
			continue
		}
		c := &f.columns[i]
		if c.Kind == Count {
			out[i] = number(c, bill.Amount{Value: *sum})
			f.name(out, f.by, word, line.currency)
			continue
		}
		out[i] = number(c, bill.Amount{Currency: line.currency, Value: *sum})
		f.name(out, c.Currency, word, line.currency)
	}
	return out
}

// name puts the currency into its column, or behind the word if they share one.
func (f *foot) name(cells []string, column int, word, currency string) {
	if column == 0 && currency != "" {
		cells[0] = word + " " + currency
	} else if column > 0 {
		cells[column] = currency
	}
}

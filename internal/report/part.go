package report

import (
	"fmt"
	"strings"
	"time"

	"billsync/internal/bill"
)

// A UsageError is what is wrong with how a report was asked for: a part that it
// does not have, flags that do not go together, a file that is there already.
type UsageError struct {
	Reason string
	Advice string
}

func (e *UsageError) Error() string { return e.Reason }

// Hint says what to do about it.
func (e *UsageError) Hint() string { return e.Advice }

// ExitCode is 2.
func (e *UsageError) ExitCode() int { return 2 }

// Part returns the part of a name, the first for none. The error is a UsageError
// that names the parts there are.
func (r *Report) Part(name string) (*Part, error) {
	if len(r.Parts) == 0 {
		return nil, fmt.Errorf("the report %s has no parts", r.Name)
	}
	if name == "" {
		return &r.Parts[0], nil
	}
	var names []string
	for i := range r.Parts {
		if r.Parts[i].Name == name {
			return &r.Parts[i], nil
		}
		names = append(names, r.Parts[i].Name)
	}
	return nil, &UsageError{
		fmt.Sprintf("the report %s has no part %q", r.Name, name),
		"its parts are: " + strings.Join(names, ", "),
	}
}

// parts are those of a name, or all for none.
func (r *Report) parts(name string) ([]Part, error) {
	if name == "" {
		return r.Parts, nil
	}
	p, err := r.Part(name)
	if err != nil {
		return nil, err
	}
	return []Part{*p}, nil
}

// check finds what whoever made the part got wrong.
func (p *Part) check() error {
	names := make(map[string]bool, len(p.Columns))
	for i, c := range p.Columns {
		switch {
		case c.Name == "" || names[c.Name]:
			return fmt.Errorf("part %s: column %d has no name of its own: %q", p.Name, i, c.Name)
		case c.Kind < Text || c.Kind > Time:
			return fmt.Errorf("part %s: column %s is of %s", p.Name, c.Name, c.Kind)
		case c.Kind == Money && (c.Currency < 0 || c.Currency >= len(p.Columns) || p.Columns[c.Currency].Kind != Text):
			return fmt.Errorf("part %s: column %s has no text column with its currency", p.Name, c.Name)
		case c.Kind == Money && p.Columns[c.Currency].Data && !c.Data:
			return fmt.Errorf("part %s: people see the amounts of column %s without their currency", p.Name, c.Name)
		case c.Sum && c.Kind != Money && c.Kind != Count:
			return fmt.Errorf("part %s: column %s is a %s and has no sum", p.Name, c.Name, c.Kind)
		case c.Sum && i == 0:
			return fmt.Errorf("part %s: the first column, %s, cannot have a sum", p.Name, c.Name)
		}
		names[c.Name] = true
		if c.Kind == Money {
			names[c.Name+"_decimal"] = true // a field of JSON
		}
	}
	if len(p.Columns) == 0 {
		return fmt.Errorf("part %s has no columns", p.Name)
	}
	return nil
}

// fits reports whether a cell is of the type that a kind has.
func (k Kind) fits(cell any) bool {
	if cell == nil {
		return true
	}
	ok := false
	switch k {
	case Count, Money:
		_, ok = cell.(int64)
	case Time:
		_, ok = cell.(time.Time)
	default:
		_, ok = cell.(string)
	}
	return ok
}

// each calls row for each row of the part, once it is known to fit its columns,
// and returns the sums of all of them.
func (p *Part) each(row func(Row) error) (*foot, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	sums := newFoot(p.Columns)
	if p.Rows == nil {
		return sums, nil
	}
	err := p.Rows(func(r Row) error {
		if len(r) != len(p.Columns) {
			return fmt.Errorf("part %s: a row of %d cells for %d columns", p.Name, len(r), len(p.Columns))
		}
		for i, cell := range r {
			if c := &p.Columns[i]; !c.Kind.fits(cell) {
				return fmt.Errorf("part %s: a %T in the %s column %s", p.Name, cell, c.Kind, c.Name)
			}
		}
		if err := sums.add(r); err != nil {
			return fmt.Errorf("part %s: %w", p.Name, err)
		}
		return row(r)
	})
	return sums, err
}

// amount is the cell of a Money column as an amount; ok is false where there is
// none.
func (c *Column) amount(row Row, i int) (a bill.Amount, ok bool) {
	a.Value, ok = row[i].(int64)
	a.Currency, _ = row[c.Currency].(string)
	return a, ok
}

// names reports whether a column has the currencies of another one.
func (p *Part) names(column int) bool {
	for i := range p.Columns {
		if p.Columns[i].Kind == Money && p.Columns[i].Currency == column {
			return true
		}
	}
	return false
}

// stamp is a time for programs.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

var errOverflow = &overflowError{}

// An overflowError says that a sum at the foot does not fit.
type overflowError struct{}

func (*overflowError) Error() string { return "the sum is larger than can be counted" }

// Hint says what to do about it.
func (*overflowError) Hint() string {
	return "ask for fewer months or accounts at once, or look for bills with impossible amounts"
}

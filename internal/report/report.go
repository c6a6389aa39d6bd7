// Package report is what a report consists of, whatever it is about, and how it
// is written: as a table for people, as CSV, JSON or a workbook.
//
// A report has parts; a part has columns and rows. Rows come one by one and are
// written as they come, so a report may be longer than memory. Whoever makes a
// report decides what is in it; how money, dates and ids look, that a formula
// stays a text, and the sums at the foot are the same for all of them.
package report

import (
	"fmt"
	"time"
)

// A Report is what one command prints, or one workbook.
type Report struct {
	Name  string // as in the command: monthly
	Title string // what it is, in a line
	About []Fact // what it covers: period, time zone, accounts, database, when it was made
	Notes []string
	Parts []Part // CSV has room for one: the first, or the one that is asked for
}

// A Fact is one thing to know about a whole report.
type Fact struct{ Label, Text string }

// A Part is a table of a report; in a workbook it is a sheet.
type Part struct {
	Name    string // what it is asked for by, and the sheet's name: at most 31 characters
	Title   string
	Columns []Column
	// Rows calls row for each row, in order, and returns its error. It may be
	// called more than once. A row is only good for the one call.
	Rows  func(row func(Row) error) error
	Notes []string
	Empty string // what is said instead of an empty table
}

// A Column says what is in the cells of a part.
type Column struct {
	Name  string // for programs: snake_case
	Title string // for people
	Kind  Kind
	// Currency is the index of the column with the currency of a Money column.
	Currency int
	// Sum: the column has sums at the foot, one line for each currency. The counts
	// of a part whose sums are all in the currency of one column are told by that
	// currency too; else their sum, over all rows, stands in a line of its own. The
	// first column has no sum: the foot has its word there.
	Sum bool
	// Signed: a number above zero is shown with a +, because it is a difference.
	Signed bool
	// None is what people read in an empty cell; programs find nothing there.
	None string
	// Data: the column is for programs and the workbook; the table for people, which
	// has little room, does without it.
	Data bool
}

// A Kind is what a column holds.
type Kind int

const (
	Text    Kind = iota // string
	ID                  // string: never a number, however many digits it has
	Count               // int64
	Money               // int64, in the smallest unit of the currency that another column names
	Decimal             // string: an exact decimal number, such as a rate
	Date                // string, YYYY-MM-DD
	Month               // string, YYYY-MM
	Time                // time.Time
)

var kindNames = [...]string{"text", "id", "count", "money", "decimal", "date", "month", "time"}

// String is the kind's name for programs.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return kindNames[k]
}

// A Row is the cells of a row, of the types that the kinds of its columns say; nil
// where there is nothing.
type Row []any

// At is a cell of a Time column; the zero time is an empty cell.
func At(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

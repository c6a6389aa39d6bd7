// Package ledger reads the company's own ledger, as an accounting program wrote it
// into a file: CSV with any separator, or a workbook.
//
// Nothing is guessed that could be wrong by a day or by a factor of a thousand: a
// date that may be read in two ways, or an amount whose mark may stand between
// thousands as well as in front of decimals, is read as the rest of the column
// says, and if that says nothing, not at all.
package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"billsync/internal/bill"
)

// A Field is what a column of a ledger holds.
type Field string

// The fields. A ledger has a date, and an amount or a debit and a credit.
const (
	Date        Field = "date"
	Amount      Field = "amount"
	Debit       Field = "debit"
	Credit      Field = "credit"
	Currency    Field = "currency"
	Reference   Field = "reference"
	Payee       Field = "payee"
	Account     Field = "account"
	Description Field = "description"
)

// Fields are all fields, in the order in which they are shown.
var Fields = []Field{Date, Amount, Debit, Credit, Currency, Reference, Payee, Account, Description}

// Auto leaves it to the file.
const Auto = "auto"

// Options say how a ledger is read. What is empty is found out, or its default.
type Options struct {
	Columns         map[Field]string // by the name in the head, or by letter
	Skip            int              // lines above the head
	Sheet           string           // of a workbook; the first
	Positive        bool             // spends are positive, money that comes back negative
	DateFormat      string           // ymd, dmy, mdy
	DecimalMark     string           // "." or ","
	DefaultCurrency string           // of lines without one
	Encoding        string           // one of Encodings
	Workbook        bool             // its name says that it is one
	Zone            *time.Location   // of days; for times that say their own
}

// A Line is a movement of money, as the company has booked it.
type Line struct {
	Number  int         // of the line in the file, the head included
	Key     string      // the same in a corrected file, if the line is
	Date    string      // YYYY-MM-DD
	Amount  bill.Amount // negative: money left, whatever the file says
	Payee   string
	Account string
	// Reference and Description are where the numbers of orders and bills may be.
	Reference, Description string
}

// A Bad line is one that cannot be understood.
type Bad struct {
	Number int
	Reason string
}

// A Column is where a field was found.
type Column struct {
	Field  Field
	Letter string
	Title  string // in the head
	Given  bool   // it was asked for; else it was found by its name
}

// A Book is a ledger that was read.
type Book struct {
	Hash        string // SHA-256 of the file
	Form        string // what kind of file it is: "CSV, comma", "XLSX, sheet May"
	Columns     []Column
	Unused      []string // titles of columns that were not read
	DateFormat  string   // ymd, dmy, mdy: how its dates are written
	DecimalMark string   // "." or ","; empty if nothing tells
	Positive    bool
	Default     string // currency of lines without one
	Lines       []Line
	Bad         []Bad
	Totals      []int // lines that are sums or balances, and no movements
}

// An Error is what is wrong with a ledger as a whole, or with how it is read.
type Error struct {
	Reason string
	Advice string
}

func (e *Error) Error() string { return e.Reason }

// Hint says what to do about it.
func (e *Error) Hint() string { return e.Advice }

// ExitCode is 2.
func (e *Error) ExitCode() int { return 2 }

// maxLines is far beyond what a spreadsheet holds; what has more is no ledger.
const maxLines = 2_000_000

// A row is a line of the file before it is understood, its cells by the place of
// their field in Fields.
type row struct {
	number int
	cells  [9]string
	total  bool // one of its cells says that it is a sum or a balance
	beyond bool // it has cells where the head has none
}

func place(f Field) int { return slices.Index(Fields, f) }

func (r *row) cell(f Field) string { return r.cells[place(f)] }

// Read reads a ledger. The error is an Error if the file cannot be used; lines that
// cannot be understood are listed in the Book.
func Read(data []byte, o Options) (*Book, error) {
	sum := sha256.Sum256(data)
	b := &Book{Hash: hex.EncodeToString(sum[:]), Positive: o.Positive, Default: o.DefaultCurrency}
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	r := &reader{o: o, b: b}
	read, zipped := r.text, bytes.HasPrefix(data, []byte("PK\x03\x04")) || bytes.HasPrefix(data, []byte("PK\x05\x06"))
	switch {
	case len(data) == 0:
		return nil, &Error{"the ledger is empty", "name another file"}
	case zipped:
		read = r.workbook
	case notText(data) != "":
		return nil, &Error{"the ledger is " + notText(data), "save it as .xlsx or as CSV"}
	}
	err := read(data)
	if err == nil {
		err = r.understood()
	}
	var wrong *Error
	if o.Workbook && !zipped && errors.As(err, &wrong) {
		err = &Error{"the ledger is no workbook, whatever its name says; read as text: " + wrong.Reason, wrong.Advice}
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// understood makes lines of what was read, if it has a head.
func (r *reader) understood() error {
	if r.head == nil {
		return &Error{"the ledger has no line with the names of its columns", "it is the first line that is not empty, after those that --skip leaves out"}
	}
	return r.understand()
}

func (o *Options) check() error {
	choice := func(flag, value string, allowed ...string) error {
		if value == "" || value == Auto || slices.Contains(allowed, value) {
			return nil
		}
		return &Error{fmt.Sprintf("%s %q is not allowed", flag, value), "auto, " + strings.Join(allowed, ", ")}
	}
	if err := choice("--date-format", o.DateFormat, ymd, dmy, mdy); err != nil {
		return err
	}
	if err := choice("--decimal-mark", o.DecimalMark, point, comma); err != nil {
		return err
	}
	if err := choice("--encoding", o.Encoding, Encodings[1:]...); err != nil {
		return err
	}
	if c := o.DefaultCurrency; c != "" {
		if _, known := bill.Decimals(c); !known {
			return &Error{fmt.Sprintf("--default-currency: the currency %q is not known", c), "three capital letters, such as USD"}
		}
	}
	if o.Skip < 0 {
		return &Error{fmt.Sprintf("--skip %d: it is a number of lines", o.Skip), "0 or more"}
	}
	return nil
}

// A reader takes the rows of a file, one after the other.
type reader struct {
	o         Options
	b         *Book
	sheet     bool   // cells of a workbook: numbers are written as programs do
	others    string // what to do if the ledger is in another sheet
	since1904 bool   // a workbook that counts its days from 1904
	above     int    // lines that were taken off the text already
	head      []string
	where     [9]int // columns by field, counted from 1; 0: there is none
	rows      []row
	known     map[string]splitText // dates
}

// take takes a line of the file. The first that is not empty is the head.
func (r *reader) take(number int, cells []string) error {
	if number <= r.o.Skip {
		return nil
	}
	if !slices.ContainsFunc(cells, func(s string) bool { return strings.TrimSpace(s) != "" }) {
		return nil
	}
	if r.head == nil {
		r.head = make([]string, len(cells))
		for i, c := range cells {
			r.head[i] = clean(c)
		}
		return r.columns()
	}
	if len(r.rows) == maxLines {
		return &Error{fmt.Sprintf("the ledger has more than %d lines", maxLines), "reconcile it in parts"}
	}
	x := row{number: number}
	if !r.sheet && len(cells) > len(r.head) {
		x.beyond = slices.ContainsFunc(cells[len(r.head):], func(s string) bool { return strings.TrimSpace(s) != "" })
	}
	for i, at := range r.where {
		if at > 0 && at <= len(cells) {
			x.cells[i] = clean(cells[at-1])
		}
	}
	x.total = !strings.ContainsAny(x.cell(Date), "0123456789") && slices.ContainsFunc(cells, isTotal)
	r.rows = append(r.rows, x)
	return nil
}

// clean takes away blanks around a cell, and line breaks within it.
func clean(s string) string {
	if strings.ContainsAny(s, "\r\n\t\x00") {
		s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\r' || r == '\n' || r == '\t' || r == 0 }), " ")
	}
	return strings.TrimSpace(s)
}

// totals are what accounting programs call lines that are no movements.
var totals = []string{"total", "totals", "grand total", "subtotal", "sub total", "sum", "balance", "opening balance", "closing balance",
	"summe", "gesamt", "saldo", "合计", "总计", "小计", "合計", "總計", "期初余额", "期末余额", "本月合计", "本年累计"}

// isTotal reports whether a cell says that its line is a sum or a balance.
func isTotal(cell string) bool {
	return len(cell) < 40 && slices.Contains(totals, strings.ToLower(strings.TrimRight(strings.Join(strings.Fields(cell), " "), ":： ")))
}

// understand makes lines of rows. A line without a date that says it is a total is
// none.
func (r *reader) understand() error {
	d, err := r.dates()
	if err != nil {
		return err
	}
	m, err := r.marks()
	if err != nil {
		return err
	}
	r.b.DateFormat, r.b.DecimalMark = d, m
	seen := make(map[string]int32, len(r.rows))
	r.b.Lines = make([]Line, 0, len(r.rows))
	for i := range r.rows {
		x := &r.rows[i]
		if date := x.cell(Date); x.total && (date == "" || isTotal(date)) {
			r.b.Totals = append(r.b.Totals, x.number)
			continue
		}
		l, err := r.line(x, d, m)
		if err != nil {
			r.b.Bad = append(r.b.Bad, Bad{x.number, err.Error()})
			continue
		}
		hash := l.hash()
		n := seen[hash]
		seen[hash] = n + 1
		l.Key = hash
		if n > 0 {
			l.Key += "-" + strconv.Itoa(int(n)+1)
		}
		r.b.Lines = append(r.b.Lines, l)
	}
	r.rows = nil
	return r.b.countable()
}

// countable makes sure that whatever lines are added together, the sum can be held.
func (b *Book) countable() error {
	sums := map[string]uint64{}
	for i := range b.Lines {
		a := b.Lines[i].Amount
		sums[a.Currency] += uint64(max(a.Value, -a.Value))
		if sums[a.Currency] > math.MaxInt64 {
			return &Error{fmt.Sprintf("line %d: up to it, the amounts in %s add up to more than can be counted", b.Lines[i].Number, a.Currency),
				"look for impossible amounts; --decimal-mark says which mark is in front of decimals"}
		}
	}
	return nil
}

// line understands one row.
func (r *reader) line(x *row, format, mark string) (Line, error) {
	l := Line{Number: x.number, Payee: x.cell(Payee), Account: x.cell(Account), Reference: x.cell(Reference), Description: x.cell(Description)}
	var err error
	if x.beyond {
		return l, errors.New("it has more cells than there are columns: a cell with a separator in it needs quotes")
	}
	if l.Date, err = r.day(x.cell(Date), format); err != nil {
		return l, err
	}
	if l.Amount.Currency, err = r.currency(x.cell(Currency)); err != nil {
		return l, err
	}
	if r.where[place(Amount)] > 0 {
		l.Amount.Value, err = r.value(x.cell(Amount), l.Amount.Currency, mark)
	} else {
		l.Amount.Value, err = r.sides(x.cell(Debit), x.cell(Credit), l.Amount.Currency, mark)
	}
	if err != nil {
		return l, err
	}
	if r.o.Positive {
		l.Amount.Value = -l.Amount.Value
	}
	return l, nil
}

// sides reads debit and credit: one of them, or one is zero.
func (r *reader) sides(debit, credit, currency, mark string) (int64, error) {
	for _, side := range []*string{&debit, &credit} {
		if strings.Trim(*side, "-–— ") == "" { // how spreadsheets show a zero
			*side = ""
		}
	}
	if debit == "" && credit == "" {
		return 0, fmt.Errorf("neither debit nor credit is there")
	}
	var d, c int64
	var err error
	if debit != "" {
		if d, err = r.value(debit, currency, mark); err != nil {
			return 0, err
		}
	}
	if credit != "" {
		if c, err = r.value(credit, currency, mark); err != nil {
			return 0, err
		}
	}
	if d != 0 && c != 0 {
		return 0, fmt.Errorf("debit %q and credit %q are both there: a line has one of them", debit, credit)
	}
	return d - c, nil
}

// currency reads a currency.
func (r *reader) currency(text string) (string, error) {
	if text == "" {
		if r.o.DefaultCurrency == "" {
			return "", fmt.Errorf("there is no currency")
		}
		return r.o.DefaultCurrency, nil
	}
	code := strings.ToUpper(text)
	if code == "RMB" {
		code = "CNY"
	}
	if _, known := bill.Decimals(code); !known {
		return "", fmt.Errorf("the currency %q is not known", text)
	}
	return code, nil
}

// hash identifies a line by what it says.
func (l *Line) hash() string {
	text := make([]byte, 0, 400)
	for _, s := range []string{l.Date, strconv.FormatInt(l.Amount.Value, 10), l.Amount.Currency, l.Reference, l.Payee, l.Account, l.Description} {
		text = strconv.AppendInt(text, int64(len(s)), 10)
		text = append(append(text, ':'), s...)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12])
}

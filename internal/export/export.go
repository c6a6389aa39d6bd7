// Package export writes the books for other programs: lines of the books in, the
// bytes of a file out. It knows the layouts that these programs read, and nothing
// of databases or folders.
//
// Lines come one by one and are written as they come. The same lines, options and
// head give the same bytes.
package export

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"time"

	"billsync/internal/bill"
)

// A Line is a movement of the books, a posting, with what it is about.
type Line struct {
	ID           string // stable for ever: importers know the line by it
	Kind         string // spend, return, reversal, adjustment
	Amount       bill.Amount
	Date, Effect string // YYYY-MM-DD: its day in the books, and the day it belongs to
	At           time.Time
	Account      string
	OrderNo      string
	Status       string
	Merchant     string
	AssetID      string
	CardLast4    string
	// Trade is what a spend was in the merchant's currency, if that is another one
	// and the amount is all that left for it; else nil.
	Trade *bill.Amount
}

// A Statement is the lines of one account in one currency.
type Statement struct {
	Account, Currency string
	Card              string // the only card whose lines they are; "" if they are of all
	From, To          string // the first and the last day that it is about
	Lines             int
	Sum               int64
	Balance           int64    // of all lines there are until To, also those of other files
	Cards             []string // the last four digits, in order; only where a Layout wants Details
	Trades            []string // currencies of Trade, in order; the same
}

// A Head is what has to be known before the first line.
type Head struct {
	MadeAt     time.Time
	Name       string // of the file, without folder and ending: what it is called inside
	Statements []Statement
	Buffer     int // so many bytes are written at a time
}

// Options are how people want it. They are kept with a batch, so names are for
// ever.
type Options struct {
	OFXVersion string `json:"ofx_version,omitempty"` // 2.02, 1.02
	OFXKind    string `json:"ofx_kind,omitempty"`    // card, bank
	DateFormat string `json:"date_format,omitempty"` // iso, dmy, mdy
	Account    string `json:"account,omitempty"`     // of beancount and hledger: what card accounts are below
	Expense    string `json:"expense,omitempty"`     // and what is spent goes to
	NoAccounts bool   `json:"no_accounts,omitempty"` // accounts are declared elsewhere
}

// A Layout is a format of files.
type Layout struct {
	Name    string
	Ext     string
	About   string
	Whole   bool // all accounts and currencies are in one file; else each has its own
	MaxRows int  // of a file; 0: no limit
	Details bool // the head tells cards and currencies too
	open    func(*out, *Options, *Head) (Writer, error)
}

// Layouts are all formats of the books.
var Layouts = []*Layout{
	{Name: "ofx", Ext: ".ofx", About: "OFX statements; ids keep importers from taking a line twice", open: openOFX},
	{Name: "qbo-csv", Ext: ".csv", About: "QuickBooks Online, three columns", MaxRows: 1000, open: openQBO},
	{Name: "xero-csv", Ext: ".csv", About: "Xero bank statements", MaxRows: 1000, open: openXero},
	{Name: "beancount", Ext: ".beancount", About: "a Beancount journal", Whole: true, Details: true, open: openBeancount},
	{Name: "hledger", Ext: ".journal", About: "a journal for hledger and ledger", Whole: true, Details: true, open: openHledger},
	{Name: "camt053", Ext: ".xml", About: "ISO 20022 camt.053.001.08 statements", open: openCamt},
}

// LayoutNamed returns the layout of a name; nil if there is none.
func LayoutNamed(name string) *Layout {
	for _, l := range Layouts {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// A Writer writes one file.
type Writer interface {
	// Line writes a line, which it does not keep.
	Line(*Line) error
	// Close writes what stands at the end. It does not close what is below.
	Close() error
}

// Open begins a file.
func (l *Layout) Open(w io.Writer, o Options, h Head) (Writer, error) {
	if !l.Whole && len(h.Statements) != 1 {
		return nil, fmt.Errorf("%s: %d statements for one file", l.Name, len(h.Statements))
	}
	for i := range h.Statements {
		if err := l.Fits(h.Statements[i].Currency); err != nil {
			return nil, err
		}
	}
	return l.open(&out{bufio.NewWriterSize(w, max(h.Buffer, 1<<12))}, &o, &h)
}

// A CurrencyError is a currency that a format has no way to write.
type CurrencyError struct{ Layout, Currency string }

func (e *CurrencyError) Error() string {
	return fmt.Sprintf("%s has no way to write amounts in the currency %q", e.Layout, e.Currency)
}

var (
	isoCurrency       = regexp.MustCompile(`^[A-Z]{3}$`)
	beancountCurrency = regexp.MustCompile(`^[A-Z][A-Z0-9'._-]{0,22}[A-Z0-9]$`)
)

// Fits reports whether a format can write amounts in a currency.
func (l *Layout) Fits(currency string) error {
	ok := true
	switch l.Name {
	case "ofx", "camt053":
		ok = isoCurrency.MatchString(currency)
	case "beancount", "hledger":
		ok = beancountCurrency.MatchString(currency)
	}
	if !ok {
		return &CurrencyError{l.Name, currency}
	}
	return nil
}

// out is a file. The first error of what is below stays with it and comes back from
// Flush, and from each line.
type out struct{ *bufio.Writer }

func (o *out) text(parts ...string) {
	for _, s := range parts {
		o.WriteString(s)
	}
}

// failed is the first error there was.
func (o *out) failed() error {
	_, err := o.WriteString("")
	return err
}

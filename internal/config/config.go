package config

import (
	"fmt"
	"time"
)

// Simulator is the base_url that stands for the built-in simulator.
const Simulator = "simulator"

// A Config is a configuration in which everything has been checked that can be
// checked without touching a key file, the database or the network.
type Config struct {
	File string // absolute path of the file read; empty if there was none

	API       API
	Database  Database
	Sync      Sync
	Schedule  Schedule
	Report    Report
	Export    Export
	Reconcile Reconcile
	Web       Web
	Webhook   Webhook
	Log       Log
	Accounts  []Account

	// Warnings are one line each: what was ignored, and what was perhaps meant.
	Warnings []string

	origins map[slot]origin
}

// API says where the provider's API is and how it may be used.
type API struct {
	BaseURL             string // Simulator, or an absolute http or https URL
	ClientID            string
	PrivateKeyFile      string // absolute; empty only with the simulator
	ServerPublicKeyFile string // absolute, or empty: answers are not verified
	KeyVersion          int
	Timeout             time.Duration
	RequestsPerSecond   float64
	Concurrency         int
}

// Simulated reports whether the built-in simulator is asked instead of the
// provider.
func (a API) Simulated() bool { return a.BaseURL == Simulator }

// Database says where the bills are kept.
type Database struct {
	URL string // absolute path of a SQLite file
}

// Sync says which history is read and how.
type Sync struct {
	HistoryStart  Date
	Timezone      *time.Location
	WindowDays    int
	PageSize      int
	TailDays      int
	RefreshDays   int
	AuditDays     int
	RetrySchedule []time.Duration
}

// Schedule says when the daemon works. An empty expression is never due.
type Schedule struct {
	Sync     string
	Refresh  string
	Timezone *time.Location
}

// Report has what decides the day a bill belongs to, and what merchants are called.
type Report struct {
	Timezone      *time.Location
	MerchantRules []MerchantRule // the first that matches counts
}

// A MerchantRule gives a name to the merchants that match a regular expression.
type MerchantRule struct {
	Pattern string // compiles, and does not match everything
	Name    string // may use the groups of the pattern, $1 for instance
}

// Export has what files for other programs need to know.
type Export struct {
	OFX                OFX
	Beancount, Hledger Journal
}

// OFX says how statements are written.
type OFX struct {
	Kind string // card, bank
}

// A Journal has the accounts of a journal.
type Journal struct {
	Account        string // what those of cards are below
	ExpenseAccount string
}

// Reconcile says how the company's own ledger is read and matched. Texts are what
// flags would say.
type Reconcile struct {
	Columns          []string // date=Posted
	SpendSign        string
	DateFormat       string
	DefaultCurrency  string
	Days             string
	TolerancePercent string
	ToleranceLimit   string
}

// Web is the read-only page; it is off when Listen is empty.
type Web struct {
	Listen string
}

// Webhook is the receiver of bill notifications; it is off when Listen is empty.
type Webhook struct {
	Listen      string
	Path        string
	SignedPaths []string
}

// Log says what is logged and in which form.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // auto, console, json
}

// An Account is one of those whose bills are read.
type Account struct {
	Name                string
	Enabled             bool
	ConnectedCustomerID string
	ConnectedAccountID  string
	AccessTokenFile     string // absolute; at most one of this and AccessTokenEnv
	AccessTokenEnv      string // the name of an environment variable
	HistoryStart        Date   // zero: that of [sync]
}

// Enabled returns the accounts that are switched on, in the file's order.
func (c *Config) Enabled() []Account {
	var on []Account
	for _, a := range c.Accounts {
		if a.Enabled {
			on = append(on, a)
		}
	}
	return on
}

// Account returns the account of a name, and whether there is one.
func (c *Config) Account(name string) (Account, bool) {
	for _, a := range c.Accounts {
		if a.Name == name {
			return a, true
		}
	}
	return Account{}, false
}

// HistoryStart returns the instant an account's history begins: midnight of its
// own history_start, or else of the one in [sync], in the [sync] timezone.
func (c *Config) HistoryStart(a Account) time.Time {
	d := a.HistoryStart
	if d == (Date{}) {
		d = c.Sync.HistoryStart
	}
	return d.Midnight(c.Sync.Timezone)
}

// A Date is a day of the calendar, in no particular zone. The zero Date is no
// day.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate reads a date in the form 2024-01-01.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return Date{}, fmt.Errorf("%q is no date such as 2024-01-01", text)
	}
	return dateOf(t), nil
}

func dateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// Midnight returns the beginning of the day in a zone.
func (d Date) Midnight(loc *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, loc)
}

// Before reports whether d is an earlier day than o.
func (d Date) Before(o Date) bool {
	return d.Midnight(time.UTC).Before(o.Midnight(time.UTC))
}

// String renders the date as 2024-01-01, and the zero Date as nothing.
func (d Date) String() string {
	if d == (Date{}) {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

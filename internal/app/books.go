package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"billsync/internal/merchant"
	"billsync/internal/report"
	"billsync/internal/store"
)

// BookOptions say what a report is about.
type BookOptions struct {
	Accounts []string
	From, To Month // both included; the zero Month: no limit
}

// A Month is a calendar month as the books have it: YYYY-MM, in the report's time
// zone. "" is no month.
type Month string

// ParseMonth reads a month in the form 2026-05.
func ParseMonth(text string) (Month, error) {
	at, err := time.Parse("2006-01", text)
	if err != nil || at.Year() < 1970 {
		return "", &InputError{fmt.Sprintf("%q is no month", text), "a month is written 2026-05"}
	}
	return Month(text), nil
}

// Add returns the month n months later.
func (m Month) Add(n int) Month {
	at, err := time.Parse("2006-01", string(m))
	if err != nil {
		return m
	}
	return Month(at.AddDate(0, n, 0).Format("2006-01"))
}

// First returns the month's first day, Last its last one.
func (m Month) First() string { return string(m) + "-01" }

// Last returns the month's last day.
func (m Month) Last() string {
	at, err := time.Parse(time.DateOnly, m.Add(1).First())
	if err != nil {
		return m.First()
	}
	return at.AddDate(0, 0, -1).Format(time.DateOnly)
}

// thisMonth is the month it is now.
func (a *App) thisMonth() Month { return Month(a.now().In(a.cfg.Report.Timezone).Format("2006-01")) }

// A book is the database while a report is made of it: one state of it, whoever
// writes meanwhile.
type book struct {
	*store.Tx
	app      *App
	accounts []string // that are asked for; nil: all that the database knows
	from, to Month
	madeAt   time.Time
	unsummed *store.UnsummedError // months that have no sums; nil: all have
}

// summed makes sure that the months of the report have sums. What is made of the
// bills and postings themselves does not need it.
func (b *book) summed() error {
	if b.unsummed == nil {
		return nil
	}
	for _, month := range b.unsummed.Months {
		if m := Month(month); m >= b.from && (b.to == "" || m <= b.to) {
			return b.unsummed
		}
	}
	return nil
}

// MonthSums is that of the Tx, if there are all these sums.
func (b *book) MonthSums(dimension string, accounts []string, months store.MonthSpan, fn func(*store.MonthSum) error) error {
	if err := b.summed(); err != nil {
		return err
	}
	return b.Tx.MonthSums(dimension, accounts, months, fn)
}

// NameSums is that of the Tx, if there are all these sums.
func (b *book) NameSums(dimension string, accounts []string, months store.MonthSpan, fn func(name, currency string, s *store.BookSum) error) error {
	if err := b.summed(); err != nil {
		return err
	}
	return b.Tx.NameSums(dimension, accounts, months, fn)
}

// FailureGroups is that of the Tx, if there are all these sums.
func (b *book) FailureGroups(dimension string, accounts []string, months store.MonthSpan, fn func(*store.FailureGroup) error) error {
	if err := b.summed(); err != nil {
		return err
	}
	return b.Tx.FailureGroups(dimension, accounts, months, fn)
}

// makeReport brings the books up to date, has a report made and written. Rows are
// read as they are written, so write must be done with them when it returns.
func (a *App) makeReport(ctx context.Context, o BookOptions, build func(*book) (*report.Report, error), write func(*report.Report) error) error {
	if o.From != "" && o.To != "" && o.To < o.From {
		return &InputError{fmt.Sprintf("--from %s is after --to %s", o.From, o.To), "both months are included; --from comes first"}
	}
	if now := a.thisMonth(); o.From > now {
		return &InputError{fmt.Sprintf("%s has not begun yet", o.From), fmt.Sprintf("the latest month is %s", now)}
	}
	st, err := a.readBooks(ctx)
	var unsummed *store.UnsummedError
	if err != nil && !errors.As(err, &unsummed) {
		return err
	}
	defer a.logged("closing the database", st.Close)
	return withCode(st.View(ctx, func(t *store.Tx) error {
		b := &book{Tx: t, unsummed: unsummed, app: a, accounts: o.Accounts, from: o.From, to: o.To, madeAt: a.now()}
		if err := b.known(); err != nil {
			return err
		}
		r, err := build(b)
		if err != nil {
			return err
		}
		if err := b.doubt(r); err != nil {
			return err
		}
		return write(r)
	}))
}

// doubt has a report say what of the accounts it is about is not proved complete.
func (b *book) doubt(r *report.Report) error {
	list, err := b.Standings()
	if err != nil {
		return err
	}
	zone, until := b.app.cfg.Report.Timezone, time.Time{} // the end of its months, if these are over
	if b.to != "" {
		end, err := time.ParseInLocation("2006-01", string(b.to.Add(1)), zone)
		if err != nil {
			return err
		}
		if !end.After(b.madeAt) {
			until = end
		}
	}
	var lacks []string
	for _, s := range list {
		switch {
		case len(b.accounts) > 0 && !slices.Contains(b.accounts, s.Account), s.Complete && !s.To.Before(until):
		case s.Complete:
			lacks = append(lacks, fmt.Sprintf("%s is proved complete until %s only", s.Account, s.To.In(zone).Format("2006-01-02 15:04 -07:00")))
		default:
			lacks = append(lacks, s.Account+" is not proved complete")
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	r.About = append(r.About, report.Fact{Label: "proved", Text: "NO: " + strings.Join(lacks, ", ")})
	b.app.log.Warn().Str("report", r.Name).Strs("lacks", lacks).Msg("the report may lack bills; \"syncer status\" says what is missing")
	return nil
}

// readBooks opens the database for looking, with the books up to date. They are
// brought there first if they are not, in short transactions beside whoever else
// writes. In which time zone days are is not changed by a look. With an
// UnsummedError, which tells of months without sums, the database is open all the
// same.
func (a *App) readBooks(ctx context.Context) (*store.Store, error) {
	st, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	current, err := a.current(ctx, st)
	if err != nil || current {
		if err != nil {
			a.logged("closing the database", st.Close)
			return nil, withCode(err)
		}
		return st, nil
	}
	if err := st.Close(); err != nil {
		return nil, fmt.Errorf("closing the database: %w", err)
	}
	kept := a.keepBooks(ctx)
	if kept != nil && !errors.Is(kept, store.ErrTooMuch) {
		return nil, kept
	}
	if st, err = a.look(ctx); err != nil {
		return nil, err
	}
	return st, kept
}

// readLines is readBooks for what is made of postings alone: months that have no sums
// are nothing to it.
func (a *App) readLines(ctx context.Context) (*store.Store, error) {
	st, err := a.readBooks(ctx)
	if errors.Is(err, store.ErrTooMuch) && st != nil {
		return st, nil
	}
	return st, err
}

// current reports whether the books are those of the bills, with the names of the
// configuration. The error is an InputError if their days are those of another time
// zone.
func (a *App) current(ctx context.Context, st *store.Store) (bool, error) {
	if err := a.sameZone(ctx, st); err != nil {
		return false, err
	}
	names, err := a.names()
	if err != nil {
		return false, err
	}
	if pending, err := st.Unposted(ctx); err != nil || pending {
		return false, err
	}
	return st.Summed(ctx, names.Version())
}

// sameZone makes sure that the days of the database are those of the configuration.
func (a *App) sameZone(ctx context.Context, st *store.Store) error {
	return st.View(ctx, func(t *store.Tx) error {
		zone, err := t.ReportZone()
		if err != nil || zone.String() == a.cfg.Report.Timezone.String() {
			return err
		}
		if list, err := t.AccountNames(); err != nil || len(list) == 0 {
			return err // nothing was ever synced
		}
		return &InputError{fmt.Sprintf("the days in the database are those of %s, and [report] timezone is %s", zone, a.cfg.Report.Timezone),
			fmt.Sprintf("\"syncer sync\" brings the database over, unless a month is closed; or set [report] timezone to %q", zone)}
	})
}

// keepBooks opens the database for writing and brings the books up to date.
func (a *App) keepBooks(ctx context.Context) error {
	st, err := store.Open(ctx, a.cfg.Database.URL, a.cfg.Report.Timezone)
	var denied *store.InputError
	switch {
	case errors.As(err, &denied): // it could be read
		return &InputError{"the books are not up to date with the bills and the configuration, and cannot be brought there: " + err.Error(),
			"make a report once where the database can be written, with the same [report] settings, and then look at it or at a new snapshot"}
	case err != nil:
		return withCode(err)
	}
	defer a.logged("closing the database", st.Close)
	st.ShareWrites(&a.writes)
	return withCode(a.post(ctx, st))
}

// post writes down what bills did to the books since the last time, and makes the
// sums of that anew.
func (a *App) post(ctx context.Context, st *store.Store) error {
	names, err := a.names()
	if err != nil {
		return err
	}
	began := a.now()
	lines, err := st.Post(ctx)
	if err == nil {
		err = st.Sum(ctx, names)
	}
	if err != nil {
		return err
	}
	if lines > 0 {
		a.log.Debug().Int("postings", lines).Int64("took_ms", a.now().Sub(began).Milliseconds()).Msg("posted")
	}
	return nil
}

// known makes sure that the accounts that are asked for are in the database.
func (b *book) known() error {
	if len(b.accounts) == 0 {
		return nil
	}
	names, err := b.AccountNames()
	if err != nil {
		return err
	}
	for _, want := range b.accounts {
		if !slices.Contains(names, want) {
			return &InputError{fmt.Sprintf("there is no account %q in the database", want), "accounts in the database: " + strings.Join(names, ", ")}
		}
	}
	return nil
}

// about says what a report covers. What a report adds to that comes before.
func (b *book) about(facts ...report.Fact) []report.Fact {
	accounts := "all"
	if len(b.accounts) > 0 {
		accounts = strings.Join(b.accounts, ", ")
	}
	zone := b.app.cfg.Report.Timezone
	return append(facts,
		report.Fact{Label: "accounts", Text: accounts},
		report.Fact{Label: "time zone", Text: zone.String()},
		report.Fact{Label: "database", Text: b.app.cfg.Database.URL},
		report.Fact{Label: "made", Text: b.madeAt.In(zone).Format("2006-01-02 15:04:05 -07:00")})
}

// period says which months a report is about.
func (b *book) period() report.Fact {
	text := "all months"
	switch {
	case b.from != "" && b.from == b.to:
		text = string(b.from)
	case b.from != "" && b.to != "":
		text = string(b.from) + " to " + string(b.to)
	case b.from != "":
		text = "since " + string(b.from)
	case b.to != "":
		text = "until " + string(b.to)
	}
	return report.Fact{Label: "months", Text: text}
}

// lastYear makes the last twelve months the period of a report that was asked for
// without one.
func (b *book) lastYear() {
	if b.from == "" && b.to == "" {
		b.to = b.app.thisMonth()
		b.from = b.to.Add(-11)
	}
}

// span returns the months of a report as the store takes them.
func (b *book) span() store.MonthSpan { return store.MonthSpan{From: string(b.from), To: string(b.to)} }

// names returns the rules for merchants' names: those of the configuration, then
// the built-in ones.
func (a *App) names() (*merchant.Normaliser, error) { return a.namesOnce() }

func (a *App) readNames() (*merchant.Normaliser, error) {
	var own []merchant.Own
	for _, r := range a.cfg.Report.MerchantRules {
		own = append(own, merchant.Own{Pattern: r.Pattern, Name: r.Name})
	}
	names, err := merchant.New(own)
	if err != nil {
		return nil, &InputError{"[report] merchant_rules: " + err.Error(), "correct it in the configuration"}
	}
	return names, nil
}

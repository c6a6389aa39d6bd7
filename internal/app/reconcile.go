package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"billsync/internal/config"
	"billsync/internal/ledger"
	"billsync/internal/reconcile"
	"billsync/internal/report"
	"billsync/internal/store"
)

// ReconcileOptions say which ledger is reconciled, and how.
type ReconcileOptions struct {
	File     string
	Name     string // under which it is kept; empty: the file's
	Accounts []string
	Read     ledger.Options
	// What is empty of these, and of Read, is as in the configuration.
	SpendSign, Days, Percent, Limit string

	From, To string // days that the ledger is about; empty: those of its lines

	Lenient bool // leave out lines that cannot be understood
	Preview bool // store nothing
	Part    string
	Table   bool // it is read by a person: matches are left out unless they are asked for

	undone []int64           // confirmed matches that were withdrawn
	match  reconcile.Options // of Days, Percent and Limit
}

// configure fills in what the flags leave to the configuration, and reads the limits.
func (o *ReconcileOptions) configure(c config.Reconcile) error {
	r := &o.Read
	r.DateFormat, r.DefaultCurrency = cmp.Or(r.DateFormat, c.DateFormat), cmp.Or(r.DefaultCurrency, c.DefaultCurrency)
	switch sign := cmp.Or(o.SpendSign, c.SpendSign); sign {
	case "negative", "positive":
		r.Positive = sign == "positive"
	default:
		return &InputError{fmt.Sprintf("--spend-sign %q is not allowed", sign), "negative or positive"}
	}
	if err := o.period(); err != nil {
		return err
	}
	columns := map[ledger.Field]string{}
	for _, text := range c.Columns {
		field, column, _ := strings.Cut(text, "=")
		columns[ledger.Field(field)] = column
	}
	if r.Columns[ledger.Amount] != "" { // flags are of one kind or the other
		delete(columns, ledger.Debit)
		delete(columns, ledger.Credit)
	} else if r.Columns[ledger.Debit] != "" || r.Columns[ledger.Credit] != "" {
		delete(columns, ledger.Amount)
	}
	maps.Copy(columns, r.Columns)
	r.Columns = columns
	from, to, err := config.ParseDays(cmp.Or(o.Days, c.Days))
	if err != nil {
		return &InputError{"--days " + err.Error(), ""}
	}
	o.match.From, o.match.To = int32(from), int32(to)
	percent, err := config.ParseMillionths(cmp.Or(o.Percent, c.TolerancePercent))
	if err != nil || percent > 20*million {
		return &InputError{fmt.Sprintf("--tolerance %q is not allowed", o.Percent), "per cent from 0 to 20, such as 0.5"}
	}
	o.match.PPM = percent / 100
	if o.match.Limit, err = config.ParseMillionths(cmp.Or(o.Limit, c.ToleranceLimit)); err != nil || o.match.Limit > 10_000*million {
		return &InputError{fmt.Sprintf("--tolerance-limit %q is not allowed", o.Limit), "an amount from 0 to 10000, such as 1.00"}
	}
	return nil
}

const million = 1_000_000

// A Decision is what a person says about matches; a LedgerMatch is one of them.
type (
	Decision    = store.Decision
	LedgerMatch = store.LedgerMatch
)

// maxLedger is how large a ledger's file may be.
const maxLedger = 1 << 30

// A LedgerError lists what of a ledger cannot be understood.
type LedgerError struct {
	File string
	Bad  []ledger.Bad
	Of   int // lines in all
}

const toldLines = 20

// Error has a line for each, up to some.
func (e *LedgerError) Error() string {
	var b strings.Builder
	verb := "lines"
	if len(e.Bad) == 1 {
		verb = "line"
	}
	fmt.Fprintf(&b, "%s: %d %s of %d cannot be understood; nothing was stored", e.File, len(e.Bad), verb, e.Of)
	for i, x := range e.Bad {
		if i == toldLines {
			fmt.Fprintf(&b, "\n  and %d more", len(e.Bad)-i)
			break
		}
		fmt.Fprintf(&b, "\n  line %d: %s", x.Number, x.Reason)
	}
	return b.String()
}

// Hint says what to do about it.
func (e *LedgerError) Hint() string {
	return "correct the file, or tell with flags how it is to be read (--preview shows how it was); --lenient leaves these lines out"
}

// ExitCode is 2.
func (e *LedgerError) ExitCode() int { return 2 }

// Reconcile reads a ledger, matches it with the books, keeps what came of it and has
// it reported. The error is a Verdict of exit code 3 if something is left to a person.
func (a *App) Reconcile(ctx context.Context, o ReconcileOptions, write func(*report.Report) error) error {
	if err := o.configure(a.cfg.Reconcile); err != nil {
		return err
	}
	defer lean()()
	data, err := readLedger(o.File)
	if err != nil {
		return err
	}
	o.Read.Zone, o.Read.Workbook = a.cfg.Report.Timezone, strings.EqualFold(filepath.Ext(o.File), ".xlsx")
	book, err := ledger.Read(data, o.Read)
	var wrong *ledger.Error
	if errors.As(err, &wrong) && !strings.HasPrefix(wrong.Reason, "--") { // else a flag is wrong, and not the file
		return &InputError{o.File + ": " + wrong.Reason, wrong.Advice}
	}
	if err != nil {
		return err
	}
	if o.Name == "" {
		base := filepath.Base(o.File)
		o.Name = cmp.Or(strings.TrimSuffix(base, filepath.Ext(base)), base)
	}
	if len(book.Bad) > 0 && !o.Lenient && !o.Preview {
		return &LedgerError{o.File, book.Bad, len(book.Bad) + len(book.Lines)}
	}
	if len(book.Lines) == 0 && !o.Preview {
		return &InputError{o.File + ": the ledger has no lines below its head", "--preview shows how it was read"}
	}
	if err := o.outside(book); err != nil {
		return err
	}
	// Somebody else may reconcile or decide in between.
	const enough = 5
	for tries := 0; ; tries++ {
		err := a.reconcile(ctx, &o, book, write)
		if errors.Is(err, store.ErrReconciledMeanwhile) && tries < enough {
			continue
		}
		return err
	}
}

// period checks the days that the ledger is about.
func (o *ReconcileOptions) period() error {
	for _, x := range []struct{ flag, date string }{{"--from", o.From}, {"--to", o.To}} {
		if _, err := time.Parse(time.DateOnly, x.date); x.date != "" && err != nil {
			return &InputError{fmt.Sprintf("%s %q is not allowed", x.flag, x.date), "a day such as 2026-05-01"}
		}
	}
	if o.From != "" && o.To != "" && o.From > o.To {
		return &InputError{fmt.Sprintf("--from %s is after --to %s", o.From, o.To), "the first and the last day that the ledger is about"}
	}
	return nil
}

// outside reports lines of other days than those that the ledger is said to be about.
func (o *ReconcileOptions) outside(b *ledger.Book) error {
	var first *ledger.Line
	n := 0
	for i := range b.Lines {
		if l := &b.Lines[i]; o.From != "" && l.Date < o.From || o.To != "" && l.Date > o.To {
			n++
			first = cmp.Or(first, l)
		}
	}
	if n == 0 {
		return nil
	}
	return &InputError{fmt.Sprintf("%s: %d of its lines are outside of the days from %s to %s, such as line %d of %s", o.File, n, cmp.Or(o.From, "…"), cmp.Or(o.To, "…"), first.Number, first.Date),
		"--from and --to say which days the ledger is about; its lines have to be of these"}
}

// lean keeps the garbage below what is in use until it is restored. Elsewhere that is
// a few megabytes and some times as much does no harm; here it is a whole ledger.
func lean() (restore func()) {
	const percent = 60
	was := debug.SetGCPercent(percent)
	if was >= 0 && was < percent { // who runs the program wants it leaner still
		debug.SetGCPercent(was)
	}
	return func() { debug.SetGCPercent(was) }
}

func readLedger(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &InputError{"the ledger cannot be opened: " + err.Error(), "--ledger FILE"}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLedger+1))
	switch {
	case err != nil:
		return nil, &InputError{"the ledger cannot be read: " + err.Error(), "--ledger FILE"}
	case len(data) > maxLedger:
		return nil, &InputError{fmt.Sprintf("%s: it is larger than %d MB", path, maxLedger>>20), "reconcile it in parts"}
	}
	return data, nil
}

// reconcile matches a ledger that was read, and keeps and reports what came of it.
func (a *App) reconcile(ctx context.Context, o *ReconcileOptions, read *ledger.Book, write func(*report.Report) error) error {
	names, err := a.names()
	if err != nil {
		return err
	}
	st, err := a.readLines(ctx)
	if err != nil {
		return err
	}
	r := &reconciling{o: o, book: read, names: names, now: a.now()}
	err = st.View(ctx, func(t *store.Tx) error {
		b := &book{Tx: t, app: a, accounts: o.Accounts, madeAt: r.now}
		if err := b.known(); err != nil {
			return err
		}
		if err := r.match(t); err != nil || !o.Preview {
			return err
		}
		return a.writeReconciled(b, r.outcome(), o, write)
	})
	a.logged("closing the database", st.Close)
	if err != nil || o.Preview {
		return withCode(err)
	}
	if r.changed {
		if err := a.keepReconciled(ctx, r); err != nil {
			return err
		}
	}
	o.undone = r.save.Undone
	return a.showReconciled(ctx, r, write)
}

// keepReconciled stores what matching came to.
func (a *App) keepReconciled(ctx context.Context, r *reconciling) error {
	st, err := a.write(ctx)
	if err != nil {
		return err
	}
	defer a.logged("closing the database", st.Close)
	err = st.UpdateDurably(ctx, func(t *store.Tx) error { return t.SaveReconciliation(&r.save, r.old, r.now) })
	if err == nil {
		a.log.Info().Str("ledger", r.o.Name).Int("lines", len(r.save.Lines)).Int("matches", len(r.save.Matches)).Msg("ledger reconciled")
	}
	return withCode(err)
}

// showReconciled reports a ledger that was reconciled just now. What is stored of it
// is in memory, unless somebody else has reconciled or decided since.
func (a *App) showReconciled(ctx context.Context, r *reconciling, write func(*report.Report) error) error {
	stored := r.save.Since
	if r.changed {
		stored++
	}
	return a.showOutcome(ctx, r.o, write, func(t *store.Tx) (*outcome, error) {
		if now, err := t.Reconciled(); err != nil || now == stored {
			return r.stands(), err
		}
		return ledgerOutcome(t, r.o.Name)
	})
}

// showLedger reports a ledger as it is stored.
func (a *App) showLedger(ctx context.Context, name string, o *ReconcileOptions, write func(*report.Report) error) error {
	return a.showOutcome(ctx, o, write, func(t *store.Tx) (*outcome, error) { return ledgerOutcome(t, name) })
}

// ledgerOutcome reads a ledger as it is stored.
func ledgerOutcome(t *store.Tx, name string) (*outcome, error) {
	found, err := ledgerNamed(t, name)
	if err != nil {
		return nil, err
	}
	out := &outcome{ledger: found}
	if out.lines, err = t.LedgerLines(found.ID); err != nil {
		return nil, err
	}
	out.lines = slices.DeleteFunc(out.lines, func(l store.LedgerLine) bool {
		if l.Removed {
			out.removed = append(out.removed, l)
		}
		return l.Removed
	})
	out.matches, err = t.LedgerMatches(found.ID)
	return out, err
}

// showOutcome reports a ledger as it is stored. The error is a Verdict if something is
// left to a person.
func (a *App) showOutcome(ctx context.Context, o *ReconcileOptions, write func(*report.Report) error, read func(*store.Tx) (*outcome, error)) error {
	st, err := a.look(ctx)
	if err != nil {
		return err
	}
	defer a.logged("closing the database", st.Close)
	var left error
	err = st.View(ctx, func(t *store.Tx) error {
		out, err := read(t)
		if err != nil {
			return err
		}
		out.undone = o.undone
		b := &book{Tx: t, app: a, accounts: out.ledger.Accounts, madeAt: a.now()}
		err = a.writeReconciled(b, out, o, write)
		left = out.left()
		return err
	})
	if err != nil {
		return withCode(err)
	}
	return left
}

// ledgerNamed is the ledger of a name; of no name if there is only one.
func ledgerNamed(t *store.Tx, name string) (store.Ledger, error) {
	list, err := t.Ledgers("")
	if err != nil {
		return store.Ledger{}, err
	}
	var names []string
	for _, l := range list {
		if l.Name == name || name == "" && len(list) == 1 {
			return l, nil
		}
		names = append(names, l.Name)
	}
	switch {
	case len(names) == 0:
		return store.Ledger{}, &InputError{"no ledger was reconciled yet", "syncer reconcile --ledger FILE"}
	case name == "":
		return store.Ledger{}, &InputError{"there are several ledgers", "name one: " + strings.Join(names, ", ")}
	}
	return store.Ledger{}, &InputError{fmt.Sprintf("there is no ledger %q", name), "ledgers: " + strings.Join(names, ", ")}
}

// ShowLedger reports a ledger as it was reconciled last.
func (a *App) ShowLedger(ctx context.Context, name string, o ReconcileOptions, write func(*report.Report) error) error {
	err := a.showLedger(ctx, name, &o, write)
	var left *Verdict
	if errors.As(err, &left) { // it was asked for to be seen
		return nil
	}
	return err
}

// Decide confirms or rejects matches. With dry nothing is changed.
func (a *App) Decide(ctx context.Context, d store.Decision, dry bool) (decided []store.LedgerMatch, err error) {
	d.At, d.By, d.Note = a.now(), strings.TrimSpace(d.By), strings.TrimSpace(d.Note)
	switch {
	case !d.Confirm && d.Note == "":
		return nil, &InputError{"a match is rejected with a note", "--note TEXT: why it is wrong; it is kept for the auditor"}
	case d.By == "":
		return nil, &InputError{"nobody is named who decides", "--by NAME"}
	}
	st, err := a.change(ctx)
	if err != nil {
		return nil, err
	}
	defer a.logged("closing the database", st.Close)
	err = st.UpdateDurably(ctx, func(t *store.Tx) (err error) {
		if decided, err = t.Decide(d); err == nil && dry {
			err = errDry
		}
		return err
	})
	if errors.Is(err, errDry) {
		err = nil
	}
	return decided, withCode(err)
}

// errDry rolls a transaction back that was only to be tried.
var errDry = errors.New("nothing is to be changed")

// mapping is how a ledger was read and matched, as it is kept.
func (o *ReconcileOptions) mapping(b *ledger.Book, yuan bool) string {
	x := readAs{Form: b.Form, Columns: map[string]string{}, DateFormat: b.DateFormat, Mark: b.DecimalMark, Sign: "negative", Default: b.Default, Totals: b.Totals,
		Yuan: yuan, From: o.match.From, To: o.match.To, PPM: o.match.PPM, Limit: o.match.Limit}
	for _, c := range b.Columns {
		x.Columns[string(c.Field)] = c.Letter + " " + c.Title
	}
	if b.Positive {
		x.Sign = "positive"
	}
	return x.text()
}

// dayNumber counts days since 1970.
func dayNumber(date string) (int32, error) {
	at, err := time.Parse(time.DateOnly, date)
	return int32(at.Unix() / 86400), err
}

func dayText(n int32) string { return time.Unix(int64(n)*86400, 0).UTC().Format(time.DateOnly) }

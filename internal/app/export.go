package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"billsync/internal/bill"
	"billsync/internal/export"
	"billsync/internal/report"
	"billsync/internal/store"
)

// ExportOptions say what is exported, how, and where to.
type ExportOptions struct {
	Format string
	BookOptions
	Card   string // asset id, or last four digits
	Output string // a file or a folder; "" with a writer for standard output
	Force  bool   // replace files
	Dry    bool   // write nothing, tell what it would be

	New    bool   // only what the target has not got yet, and remember it
	Target string // which program gets it
	Repeat int64  // the batch that is written again

	export.Options
	// Balances are what accounts hold at the end, by currency, where it is known
	// better than the sum of all lines.
	Balances map[string]int64
	CSV      report.CSVOptions // of bills

	Progress func(done, total int) // told now and then how many lines are written
}

// An ExportResult is what was exported.
type ExportResult struct {
	Files   []ExportedFile
	Lines   int
	Batch   *store.ExportBatch // nil if it is not remembered
	Resumed bool               // the batch had been interrupted
}

// An ExportedFile is a file that is in its place, or would be.
type ExportedFile struct {
	Path              string
	Account, Currency string // "" if it is of all
	Lines             int
	Sum               int64 // in Currency
	Bytes             int64
	SHA256            string
}

// BillFormats are the formats of bills, as they are now; all others are made of the
// books.
var BillFormats = []string{"csv", "xlsx", "jsonl"}

// Export exports bills or the books: to w if no output is named, else to files.
func (a *App) Export(ctx context.Context, o ExportOptions, w io.Writer) (ExportResult, error) {
	switch {
	case o.Repeat != 0:
		return a.exportAgain(ctx, &o)
	case o.New:
		return a.exportNew(ctx, &o)
	}
	x := exporter{app: a, o: &o, layout: export.LayoutNamed(o.Format), madeAt: a.now(), choice: store.ExportChoice{ExportFilter: o.filter()}}
	if x.layout == nil {
		return a.exportBills(ctx, &x, w)
	}
	if err := x.free(); err != nil {
		return x.result, err
	}
	st, err := a.readLines(ctx)
	if err != nil {
		return x.result, err
	}
	defer a.logged("closing the database", st.Close)
	err = st.View(ctx, func(t *store.Tx) error {
		if err := x.known(t); err != nil {
			return err
		}
		return x.books(t, w)
	})
	return x.result, withCode(err)
}

func (o *ExportOptions) filter() store.ExportFilter {
	return store.ExportFilter{Accounts: o.Accounts, From: string(o.From), To: string(o.To), Card: o.Card}
}

// An exporter is one export while it is made.
type exporter struct {
	app        *App
	o          *ExportOptions
	layout     *export.Layout // nil: of bills
	choice     store.ExportChoice
	madeAt     time.Time
	balances   []store.ExportBalance
	statements []export.Statement
	single     bool               // the output is the name of one file
	wanted     []store.ExportFile // what it has to be
	result     ExportResult
	done       int // lines that were written
	total      int // lines that are to be written
}

// tick counts a line that was written.
func (x *exporter) tick() {
	const every = 1000
	if x.done++; x.o.Progress != nil && x.done%every == 1 {
		x.o.Progress(x.done, x.total)
	}
}

// known makes sure that there is what is asked for.
func (x *exporter) known(t *store.Tx) error {
	b := &book{Tx: t, app: x.app, accounts: x.o.Accounts}
	if err := b.known(); err != nil || x.o.Card == "" {
		return err
	}
	has, err := t.HasCard(x.o.Card)
	if err == nil && !has {
		err = &InputError{fmt.Sprintf("no bill has a card %q", x.o.Card), "a card is named by its asset id, or by the last four digits of its number: \"syncer report cards\""}
	}
	return err
}

// plan finds out what is to be written: for each account and currency, how much.
func (x *exporter) plan(t *store.Tx) error {
	x.statements = nil
	err := t.ExportGroups(&x.choice, x.layout.Details, func(g *store.ExportGroup) error {
		if err := x.layout.Fits(g.Currency); err != nil {
			return &InputError{err.Error(), "export other accounts, or in another format: csv, xlsx and jsonl have all"}
		}
		n := len(x.statements)
		if n == 0 || x.statements[n-1].Account != g.Account || x.statements[n-1].Currency != g.Currency {
			x.statements = append(x.statements, export.Statement{Account: g.Account, Currency: g.Currency, Card: x.o.Card, From: g.First, To: g.Last})
			n++
		}
		s := &x.statements[n-1]
		s.Lines += g.Lines
		s.From, s.To = min(s.From, g.First), max(s.To, g.Last)
		if !x.layout.Details {
			s.Sum = g.Sum
			return nil
		}
		if !slices.Contains(s.Cards, g.CardLast) {
			s.Cards = append(s.Cards, g.CardLast)
		}
		if g.Trade != "" && !slices.Contains(s.Trades, g.Trade) {
			s.Trades = append(s.Trades, g.Trade)
		}
		return store.Add(&s.Sum, g.Sum)
	})
	if err != nil {
		return err
	}
	if x.balances == nil && x.o.Format == "ofx" && len(x.statements) > 0 {
		if x.balances, err = t.ExportBalances(x.choice.ExportFilter); err != nil {
			return err
		}
	}
	x.total = 0
	for i := range x.statements {
		if err := x.complete(&x.statements[i]); err != nil {
			return err
		}
		x.total += x.statements[i].Lines
	}
	return x.balancesFit()
}

// complete sets the days and the balance of a statement.
func (x *exporter) complete(s *export.Statement) error {
	for _, b := range x.balances {
		if b.Account == s.Account && b.Currency == s.Currency {
			s.Balance, s.To = b.Balance, max(s.To, b.Month)
		}
	}
	if v, ok := x.o.Balances[s.Currency]; ok {
		s.Balance = v
	}
	if x.o.From != "" {
		s.From = string(x.o.From)
	}
	if x.o.To != "" {
		s.To = string(x.o.To)
	}
	s.From, s.To = Month(s.From).First(), Month(s.To).Last()
	return nil
}

// balancesFit makes sure that each balance is of one file.
func (x *exporter) balancesFit() error {
	seen := map[string]int{}
	for i := range x.statements {
		seen[x.statements[i].Currency]++
	}
	for currency := range x.o.Balances {
		if n := seen[currency]; n > 1 {
			return &InputError{fmt.Sprintf("--ledger-balance %s would be that of %d accounts", currency, n), "name one account with --account"}
		}
	}
	return nil
}

// A part is a file of an export: a statement, or a part of one, or all of them.
type part struct {
	name       string
	statements []export.Statement
	lines      int
}

// parts are the files in the order of their lines.
func (x *exporter) parts() ([]part, error) {
	if x.layout.Whole {
		n := 0
		for i := range x.statements {
			n += x.statements[i].Lines
		}
		return []part{{x.name("books", 0, 1), x.statements, n}}, nil
	}
	var all []part
	used := map[string]bool{}
	for i := range x.statements {
		s := &x.statements[i]
		files := 1
		if most := x.layout.MaxRows; most > 0 {
			files = (s.Lines + most - 1) / most
		}
		base := fileName(s.Account) + "-" + fileName(s.Currency)
		if s.Card != "" {
			base += "-" + fileName(s.Card)
		}
		for n, plain := 2, base; used[strings.ToLower(base)]; n++ {
			base = fmt.Sprintf("%s_%d", plain, n)
		}
		used[strings.ToLower(base)] = true
		for n := range files {
			lines := s.Lines
			if x.layout.MaxRows > 0 {
				lines = min(x.layout.MaxRows, s.Lines-n*x.layout.MaxRows)
			}
			all = append(all, part{x.name(base, n, files), x.statements[i : i+1], lines})
		}
	}
	if x.single && len(all) > 1 {
		return nil, &InputError{fmt.Sprintf("%s: this is %d files, one for each account and currency%s", x.o.Output, len(all), x.most()),
			"name a folder, or one account, a shorter period"}
	}
	return all, nil
}

// most says how many lines a file may have, if there is a limit.
func (x *exporter) most() string {
	if x.layout.MaxRows == 0 {
		return ""
	}
	return fmt.Sprintf(", of %d lines at most", x.layout.MaxRows)
}

// name is the name of a file: whose lines it has, of when, and in which batch.
func (x *exporter) name(base string, n, of int) string {
	if x.single {
		return filepath.Base(x.o.Output)
	}
	base += "-" + x.period()
	if x.choice.Batch != nil {
		base += fmt.Sprintf("-batch%d", x.choice.Batch.ID)
	} else if x.o.New {
		base += "-batch"
	}
	if of > 1 {
		base += fmt.Sprintf("-%0*d", max(2, len(fmt.Sprint(of))), n+1)
	}
	return base + x.layout.Ext
}

// period is the period in the name of a file.
func (x *exporter) period() string {
	period := "all"
	switch from, to := string(x.o.From), string(x.o.To); {
	case from != "" && from == to:
		period = from
	case from != "" && to != "":
		period = from + "_" + to
	case from != "":
		period = "since-" + from
	case to != "":
		period = "until-" + to
	}
	return period
}

// fileName is a text as a part of a name of a file.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, s)
}

// place returns the folder of the output, and whether the output is the name of a
// file in it.
func (x *exporter) place() (dir string, single bool) {
	out := x.o.Output
	if out == "" {
		return ".", false
	}
	if info, err := os.Stat(out); err == nil && info.IsDir() || os.IsPathSeparator(out[len(out)-1]) {
		return out, false
	}
	ext := filepath.Ext(out)
	if x.layout == nil || x.layout.Whole || strings.EqualFold(ext, x.layout.Ext) {
		return filepath.Dir(out), true
	}
	return out, false
}

// free finds out before any work that the output is the name of a file that is
// there already.
func (x *exporter) free() error {
	if _, single := x.place(); single && x.o.Output != "" && !x.o.Dry {
		return x.mayWrite(x.o.Output, x.o.Force)
	}
	return nil
}

// mayWrite makes sure that a file can be put at a place, and replaces nothing that the
// program lives from.
func (x *exporter) mayWrite(path string, force bool) error {
	if err := x.app.Spare(path); err != nil {
		return err
	}
	return report.Free(path, force)
}

// books writes the chosen lines: to w if there is no output, else to files.
func (x *exporter) books(t *store.Tx, w io.Writer) error {
	dir, single := x.place()
	x.single = single
	if err := x.plan(t); err != nil {
		return err
	}
	switch {
	case x.o.Dry:
		return x.foresee()
	case x.o.Output == "" && w != nil && x.layout.Whole:
		return x.stream(t, w)
	case len(x.statements) == 0: // no file for nothing, and none is replaced with it
		return x.compare()
	}
	parts, err := x.parts()
	if err != nil {
		return err
	}
	return x.inFiles(dir, func(files *report.Files) error {
		for i := range parts { // a batch may find its own files
			if err := x.mayWrite(filepath.Join(dir, parts[i].name), x.o.Force || x.choice.Batch != nil); err != nil {
				return err
			}
		}
		return x.writeParts(t, parts, dir, files)
	})
}

// inFiles has files made for a folder, and puts them there.
func (x *exporter) inFiles(dir string, fill func(*report.Files) error) (err error) {
	files, err := x.begin(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(report.Full(err, dir), files.Close()) }()
	if err := fill(files); err != nil {
		return err
	}
	if err := x.compare(); err != nil {
		return err
	}
	if err := files.Free(x.o.Force, x.choice.Batch != nil); err != nil {
		return err
	}
	return files.Place()
}

// begin makes the folder, if it is not there, and begins files for it.
func (x *exporter) begin(dir string) (*report.Files, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		if full := report.Full(err, dir); full != err {
			return nil, full
		}
		return nil, &InputError{err.Error(), "name a file or a folder in a folder that is there and can be written"}
	}
	return report.NewFiles(dir)
}

// foresee tells what would be written.
func (x *exporter) foresee() error {
	dir, single := x.place()
	x.single = single
	if len(x.statements) == 0 {
		return nil
	}
	parts, err := x.parts()
	if err != nil {
		return err
	}
	for i := range parts {
		f := ExportedFile{Path: filepath.Join(dir, parts[i].name), Lines: parts[i].lines}
		if s := parts[i].statements; len(s) == 1 {
			f.Account, f.Currency = s[0].Account, s[0].Currency
			if f.Lines == s[0].Lines {
				f.Sum = s[0].Sum
			}
		}
		x.result.Lines += f.Lines
		x.result.Files = append(x.result.Files, f)
	}
	return nil
}

func (x *exporter) head(p *part) export.Head {
	return export.Head{
		MadeAt: x.madeAt, Name: strings.TrimSuffix(p.name, x.layout.Ext), Statements: p.statements,
		Buffer: max(minBuffer, min(maxBuffer, allBuffers/max(1, len(x.statements)))),
	}
}

// stream writes one file to w.
func (x *exporter) stream(t *store.Tx, w io.Writer) error {
	parts, err := x.parts()
	if err != nil {
		return err
	}
	out, err := x.layout.Open(w, x.o.Options, x.head(&parts[0]))
	if err != nil {
		return err
	}
	var line export.Line
	err = t.ExportLines(&x.choice, func(l *store.ExportLine) error {
		x.tick()
		x.result.Lines++
		fillLine(&line, l)
		return out.Line(&line)
	})
	if err != nil {
		return err
	}
	return out.Close()
}

// kept is what a batch keeps of its files.
func (x *exporter) kept() []store.ExportFile {
	out := make([]store.ExportFile, len(x.result.Files))
	for i, f := range x.result.Files {
		out[i] = store.ExportFile{Name: filepath.Base(f.Path), Lines: f.Lines, Bytes: f.Bytes, SHA256: f.SHA256}
	}
	return out
}

// ParseBalance reads what an account holds, such as USD=-123.45.
func ParseBalance(text string) (a bill.Amount, err error) {
	wrong := func(why string) error {
		return &InputError{fmt.Sprintf("%q is no balance: %s", text, why), "such as USD=-123.45; money that is owed is negative"}
	}
	currency, number, ok := strings.Cut(text, "=")
	places, known := bill.Decimals(currency)
	switch {
	case !ok:
		return a, wrong("a currency and an amount, with = between them")
	case !known:
		return a, wrong(fmt.Sprintf("%q is no currency", currency))
	}
	whole, fraction, point := strings.Cut(number, ".")
	if point && (fraction == "" || len(fraction) > places) {
		return a, wrong(fmt.Sprintf("%s has %d decimals", currency, places))
	}
	value, err := bill.ParseValue(whole + fraction + strings.Repeat("0", places-len(fraction)))
	if err != nil || whole == "" || whole == "-" {
		return a, wrong("the amount cannot be read")
	}
	return bill.Amount{Currency: currency, Value: value}, nil
}

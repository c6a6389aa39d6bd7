package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/config"
	"billsync/internal/export"
)

// exportFlags are the flags of the command, as they are written.
type exportFlags struct {
	period
	accounts, balances   []string
	card, output, target string
	ofxVersion, dates    string
	repeat               batchNumber
	force, dryRun, fresh bool
	list, noAccounts     bool
	plain, bom, crlf     bool
}

// A batchNumber is the flag that names a batch.
type batchNumber int64

// Set takes the number of a batch. What is wrong with another text is said by
// flagKinds.
func (n *batchNumber) Set(text string) error {
	id, err := strconv.ParseInt(text, 10, 64)
	if err == nil && id < 1 {
		err = strconv.ErrSyntax // batches are numbered from 1
	}
	*n = batchNumber(id)
	return err
}

func (n *batchNumber) String() string { return strconv.FormatInt(int64(*n), 10) }
func (n *batchNumber) Type() string   { return "batch" }

func newExportCmd(g *globals) *cobra.Command {
	f := &exportFlags{}
	cmd := &cobra.Command{
		Use:     "export FORMAT",
		Short:   "Bills or the books, in files for other programs",
		GroupID: groupLook,
		Long: `Write bills or the books in the formats of other programs.

Bills as they are now, one row each, by the month of their transaction:
  csv, xlsx, jsonl   all that is known of a bill but the text as received

The books, a line for each posting (see "syncer report postings"), by the month it
is posted in; what left is negative:
` + layoutHelp() + `
csv, jsonl and journals go to standard output, or with -o to a file. The others
have a file for each account and currency, ACCOUNT-CURRENCY-PERIOD, in the folder
that -o names (default: the present one); one for Xero or QuickBooks has at most
1,000 lines. Files are written beside their place and renamed when they are whole.
Where there is nothing to export, no file is written or replaced, and the exit code
is 0.

--new exports what a target has not got yet, and remembers it as a batch: each
posting goes to a target exactly once, whatever happens in between. A target is a
name, the format's unless --target says otherwise. --repeat writes the files of a
batch again, byte for byte; --list shows the batches. If an export with --new is
interrupted, the next one writes the same lines again; of two at the same time one
waits. Bills that have not taken effect yet are not in the books: "syncer report
open".

A line has an id that stays the same for ever, and a line is never changed: what
becomes of a bill later is a line of its own. OFX, Xero and journals have the id.

What the formats cannot have: OFX and camt.053 know no CNH, so it stands there as
CNY, with a note. OFX 1.02 is ASCII: letters lose their accents and other signs
become ?; 2.02 has all of them. The balance in an OFX file is the sum of all lines
there are until the end of its period, unless --ledger-balance gives the real one;
camt.053 opens at 0.00. Journals put each spend on the account of [export.beancount]
or [export.hledger] expense_account.

Parquet, by DuckDB: syncer export csv --plain -o bills.csv && duckdb -c "COPY (FROM
read_csv('bills.csv', all_varchar = true)) TO 'bills.parquet'"`,
		Example: `  syncer export csv --month 2026-05 > bills.csv
  syncer export ofx --new -o books/
  syncer export xero-csv --account main --month 2026-05 -o may/
  syncer export beancount --from 2026-01 --to 2026-03 -o q1.beancount
  syncer export --list
  syncer export --repeat 7 -o again/`,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return exportFormats(), cobra.ShellCompDirectiveNoFileComp
		},
		Args: func(cmd *cobra.Command, args []string) error { return f.fit(g, cmd, args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			a, cfg, err := g.app(cmd)
			if err != nil {
				return err
			}
			if f.list {
				err = g.listExports(cmd, a, cfg)
			} else {
				err = g.export(cmd, a, cfg, f, args)
			}
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			return err
		},
	}
	f.flags(g, cmd)
	return cmd
}

func (f *exportFlags) flags(g *globals, cmd *cobra.Command) {
	fs := cmd.Flags()
	f.add(g, cmd, "all months")
	fs.StringArrayVar(&f.accounts, "account", nil, "only this `NAME`, repeatable")
	fs.StringVar(&f.card, "card", "", "only this `CARD`: its asset id, or the last four digits of its number")
	fs.StringVarP(&f.output, "output", "o", "", "the `FILE` or folder to write; - is standard output")
	fs.BoolVar(&f.force, "force", false, "replace files that are there")
	fs.BoolVarP(&f.dryRun, "dry-run", "n", false, "tell what would be written, write nothing")
	fs.BoolVar(&f.fresh, "new", false, "only what the target has not got yet; remember it")
	fs.StringVar(&f.target, "target", "", "with --new: the `NAME` of who gets it (default: the format)")
	fs.Var(&f.repeat, "repeat", "write the files of this `BATCH` again")
	fs.BoolVar(&f.list, "list", false, "show the batches")
	fs.StringVar(&f.ofxVersion, "ofx-version", "2.02", "`VERSION` of OFX: 2.02 or 1.02")
	fs.StringVar(&f.dates, "date-format", "", "`FORM` of dates: iso, dmy or mdy for Xero (default: iso), dmy or mdy for QuickBooks (default: mdy)")
	fs.StringArrayVar(&f.balances, "ledger-balance", nil, "in OFX, what the account holds at the end: `CUR=AMOUNT`, repeatable")
	fs.BoolVar(&f.noAccounts, "no-accounts", false, "in journals: do not declare the accounts, another file does")
	fs.BoolVar(&f.plain, "plain", false, "with csv, for programs: no ' in front of what looks like a formula")
	fs.BoolVar(&f.bom, "bom", false, "with csv: a mark by which Excel sees that it is UTF-8")
	fs.BoolVar(&f.crlf, "crlf", false, "with csv: lines end with CR LF")
	g.completeAccounts(cmd)
	completed := map[string]cobra.CompletionFunc{
		"repeat": g.completeBatches(func(id int64, format, target string) string { return fmt.Sprintf("%d\t%s to %s", id, format, target) }),
		"target": g.completeBatches(func(_ int64, _, target string) string { return target }),
	}
	for name, choices := range map[string][]string{"ofx-version": {"2.02", "1.02"}, "date-format": {"iso", "dmy", "mdy"}} {
		completed[name] = cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)
	}
	for name, complete := range completed {
		if err := cmd.RegisterFlagCompletionFunc(name, complete); err != nil {
			panic(err) // a flag of that name is missing
		}
	}
}

// completeBatches completes what is said of batches, the latest first.
func (g *globals) completeBatches(say func(id int64, format, target string) string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) (all []string, directive cobra.ShellCompDirective) {
		directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
		a, _, err := g.app(cmd)
		if err != nil {
			return nil, directive
		}
		list, err := a.Exports(cmd.Context())
		if e := a.Close(); err != nil || e != nil {
			return nil, directive
		}
		for i := range list {
			if text := say(list[i].ID, list[i].Format, list[i].Target); !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
		return all, directive
	}
}

// exportFormats are all formats, in the order of the help.
func exportFormats() []string {
	all := slices.Clone(app.BillFormats)
	for _, l := range export.Layouts {
		all = append(all, l.Name)
	}
	return all
}

func layoutHelp() string {
	var b strings.Builder
	for _, l := range export.Layouts {
		fmt.Fprintf(&b, "  %-10s %s\n", l.Name, l.About)
	}
	return b.String()
}

// flagsOf are the flags that only some formats know.
var flagsOf = map[string][]string{
	"ofx-version": {"ofx"}, "ledger-balance": {"ofx"}, "date-format": {"xero-csv", "qbo-csv"}, "no-accounts": {"beancount", "hledger"},
	"plain": {"csv"}, "bom": {"csv"}, "crlf": {"csv"},
}

// fit judges which flags and arguments go together.
func (f *exportFlags) fit(g *globals, cmd *cobra.Command, args []string) error {
	given := cmd.Flags().Changed
	refuse := func(why, hint string, names ...string) error {
		for _, name := range names {
			if given(name) {
				return usagef(hint, "--%s %s", name, why)
			}
		}
		return nil
	}
	narrow := []string{"month", "from", "to", "account", "card", "new", "target", "dry-run", "ofx-version", "date-format", "ledger-balance", "no-accounts", "plain", "bom", "crlf"}
	switch {
	case f.list && len(args) > 0:
		return usagef("it shows all batches", "--list takes no format")
	case f.list:
		return refuse("does not go with --list", "it shows all batches", append(narrow, "repeat", "output", "force")...)
	case len(args) > 1 || len(args) == 0 && !given("repeat"):
		return usagef("formats: "+strings.Join(exportFormats(), ", "), "export takes one format")
	case len(args) == 1 && !slices.Contains(exportFormats(), args[0]):
		return usagef("formats: "+strings.Join(exportFormats(), ", "), "%q is no format", args[0])
	case given("repeat") && f.output == "" || f.output == "-" && (given("repeat") || f.fresh):
		return usagef("such as -o books/", "--repeat and --new need -o: a file or a folder, because nobody knows what became of standard output")
	case given("repeat"):
		return refuse("does not go with --repeat", "a batch is written again as it was", narrow...)
	}
	if err := f.fitFormat(g, given, args[0]); err != nil {
		return err
	}
	_, err := f.options(cmd, new(config.Config), args) // what they say is looked at before anything else
	return err
}

// fitFormat judges what goes with a format.
func (f *exportFlags) fitFormat(g *globals, given func(string) bool, format string) error {
	for _, name := range slices.Sorted(mapKeys(flagsOf)) {
		if given(name) && !slices.Contains(flagsOf[name], format) {
			return usagef("\"syncer export --help\" shows what there is", "--%s goes with %s, not with %s", name, strings.Join(flagsOf[name], " and "), format)
		}
	}
	layout := export.LayoutNamed(format)
	flow := flows(format)
	switch {
	case layout == nil && (f.fresh || given("target")):
		return usagef("export a format of the books, or \"syncer report postings --csv\"", "--new and --target go with the books, not with %s: bills are what they are now, and change", format)
	case given("target") && !f.fresh:
		return usagef("all other exports are not remembered", "--target goes with --new")
	case given("target") && strings.TrimSpace(f.target) == "":
		return usagef("such as --target xero-main", "--target is empty")
	case given("output") && f.output == "":
		return usagef("such as -o books/", "--output is empty")
	case f.output == "-" && !flow:
		return usagef("name a file or a folder", "%s does not go to standard output", format)
	case f.output == "" && (format == "xlsx" || f.fresh && flow):
		return usagef("such as -o FILE", "%s needs -o here", format)
	case (f.output == "" || f.output == "-") && flow && g.json && !f.dryRun:
		return usagef("name a file with -o; --json then tells what was written", "--json and %s both go to standard output", format)
	case (f.output == "" || f.output == "-") && flow && f.force:
		return usagef("standard output is no file; a shell replaces one with > FILE", "--force goes with -o FILE")
	case f.ofxVersion != "2.02" && f.ofxVersion != "1.02":
		return usagef("2.02 or 1.02", "--ofx-version %q is not known", f.ofxVersion)
	case given("date-format") && !slices.Contains(dateForms[format], f.dates):
		return usagef(strings.Join(dateForms[format], " or "), "--date-format %q is no form of dates in %s", f.dates, format)
	}
	return nil
}

// flows reports whether a format may go to standard output.
func flows(format string) bool {
	layout := export.LayoutNamed(format)
	return format == "csv" || format == "jsonl" || layout != nil && layout.Whole
}

// dateForms are the forms of dates that a format has, its own first.
var dateForms = map[string][]string{"xero-csv": {"iso", "dmy", "mdy"}, "qbo-csv": {"mdy", "dmy"}}

// options are what is asked for.
func (f *exportFlags) options(cmd *cobra.Command, cfg *config.Config, args []string) (o app.ExportOptions, err error) {
	o.Accounts, o.Card, o.Force, o.Dry, o.New, o.Repeat = f.accounts, f.card, f.force, f.dryRun, f.fresh, int64(f.repeat)
	if f.output != "-" {
		o.Output = f.output
	}
	if o.From, o.To, err = f.months(cmd); err != nil || len(args) == 0 {
		return o, err
	}
	o.Format, o.Target = args[0], cmp.Or(f.target, args[0])
	o.CSV.Plain, o.CSV.BOM, o.CSV.CRLF = f.plain, f.bom, f.crlf
	switch o.Format {
	case "ofx":
		o.OFXVersion, o.OFXKind = f.ofxVersion, cfg.Export.OFX.Kind
	case "xero-csv", "qbo-csv":
		o.DateFormat = cmp.Or(f.dates, dateForms[o.Format][0])
	case "beancount":
		o.Options.Account, o.Expense, o.NoAccounts = cfg.Export.Beancount.Account, cfg.Export.Beancount.ExpenseAccount, f.noAccounts
	case "hledger":
		o.Options.Account, o.Expense, o.NoAccounts = cfg.Export.Hledger.Account, cfg.Export.Hledger.ExpenseAccount, f.noAccounts
	}
	for _, text := range f.balances {
		b, err := app.ParseBalance(text)
		if err != nil {
			return o, usagef("such as --ledger-balance USD=-123.45; money that is owed is negative", "--ledger-balance: %w", err)
		}
		if o.Balances == nil {
			o.Balances = map[string]int64{}
		}
		if _, twice := o.Balances[b.Currency]; twice {
			return o, usagef("one for each currency", "--ledger-balance: %s is there twice", b.Currency)
		}
		o.Balances[b.Currency] = b.Value
	}
	return o, nil
}

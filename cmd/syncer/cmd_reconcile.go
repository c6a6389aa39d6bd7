package main

import (
	"cmp"
	"fmt"
	"os/user"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/ledger"
	"billsync/internal/report"
)

// reconcileFlags are those of importing a ledger.
type reconcileFlags struct {
	o       app.ReconcileOptions
	columns map[ledger.Field]*string
	dry     bool
	out     *report.Output
}

// columnHelp says what the columns of a ledger are for.
var columnHelp = map[ledger.Field]string{
	ledger.Date: "the day it was booked", ledger.Amount: "the amount", ledger.Debit: "money in, with --credit", ledger.Credit: "money out, with --debit",
	ledger.Currency: "the currency", ledger.Reference: "where the numbers of orders, bills and lines of the books are", ledger.Payee: "the merchant",
	ledger.Account: "the ledger's own account; it is kept with the line", ledger.Description: "more text; numbers are looked for in it, too",
}

func newReconcileCmd(g *globals) *cobra.Command {
	f := reconcileFlags{columns: map[ledger.Field]*string{}}
	cmd := &cobra.Command{
		Use:     "reconcile --ledger FILE",
		Short:   "The company's own ledger against the books",
		GroupID: groupLook,
		Long: `Match the lines of the company's own ledger, a CSV file or a workbook (.xlsx), with
the postings of the books, and keep what came of it.

Columns are found by their usual names; flags name others, by their name in the head
or by letter. --preview shows how the file was read and what matching would give,
and stores nothing. A file of which a line cannot be understood is refused, with the
reasons; --lenient leaves such lines out.

Rules have their turns in this order, and each matches only what is the one
possibility on both sides:

  reference  the line names the order, the bill or the line of the books, and the
             amounts are equal
  amount     equal amounts; the posting is 0 to 5 days after the line (--days)
  tolerance  nearly equal amounts (--tolerance, --tolerance-limit) within these days,
             of merchants whose names are alike
  sum        up to five lines add up to one posting, or the other way round, within
             these days, merchants alike, in one way only

What is named and differs in its amount, and what only the merchant's name singles
out, is suggested: "reconcile confirm ID" and "reconcile reject ID --note TEXT"
decide it. All else is listed, lines and postings, with the reason and up to three
postings that come nearest; "reconcile match LINE POSTING" matches by hand. Exit code
3: something is left to a person.

A ledger with lines in CNY and none in CNH is matched with postings in both, since many
programs know one yuan only; the two are never added together.

The ledger is kept under the name of its file, or --name. It is about the days from its
first line to its last, or --from and --to: postings of these days have to be in it.
The same file again changes nothing but for bills that came since; a corrected file
under the same name keeps what was decided about lines that it still has. What was
confirmed is matched with nothing else, what was rejected is never proposed again, and
its posting is free for other lines. Nothing is posted by any of this, so closed months can be reconciled.

The parts are summary, suggested, open_ledger, open_postings and, in --csv, --json,
--xlsx and with --part, matches and rejected. The views reconciliation_matches,
reconciliation_open_ledger and reconciliation_open_postings say the same in SQL.`,
		Example: `  syncer reconcile --ledger may.csv --preview
  syncer reconcile --ledger may.csv --date "Posted on" --amount F --spend-sign positive
  syncer reconcile --ledger may.xlsx --debit Soll --credit Haben --default-currency EUR
  syncer reconcile confirm 17 18
  syncer reconcile match 8 33IETL44HVY7GWYGBVWJVEWZM3
  syncer reconcile show may --csv --part open_ledger`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return lost(cmd, args)
			}
			return g.reconcile(cmd, &f)
		},
	}
	f.add(cmd)
	f.out = outputFlags(cmd)
	g.completeReconcile(cmd)
	for _, sub := range []*cobra.Command{newReconcileListCmd(g), newReconcileShowCmd(g), newDecideCmd(g, true), newDecideCmd(g, false), newHandMatchCmd(g), newForgetCmd(g)} {
		cmd.AddCommand(sub)
	}
	return cmd
}

// add gives the command the flags that say how a ledger is read and matched.
func (f *reconcileFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.o.File, "ledger", "", "the ledger: `FILE`, CSV or .xlsx")
	fs.StringVar(&f.o.Name, "name", "", "keep it under this `NAME` (default: the file's)")
	fs.StringArrayVar(&f.o.Accounts, "of", nil, "match with the postings of this account only: `NAME`, repeatable")
	fs.StringVar(&f.o.From, "from", "", "the ledger is about the days from this `DATE` (default: its first line's)")
	fs.StringVar(&f.o.To, "to", "", "to this `DATE`; postings of these days have to be in it (default: its last line's)")
	for _, field := range ledger.Fields {
		f.columns[field] = fs.String(string(field), "", columnHelp[field]+": `COLUMN`, its name or letter")
	}
	fs.StringVar(&f.o.SpendSign, "spend-sign", "", "how the ledger writes money that leaves: negative or positive")
	fs.StringVar(&f.o.Read.DateFormat, "date-format", "", "auto, ymd, dmy or mdy")
	fs.StringVar(&f.o.Read.DecimalMark, "decimal-mark", "", "the mark in front of decimals, . or , (default: as the amounts tell)")
	fs.StringVar(&f.o.Read.DefaultCurrency, "default-currency", "", "the `CURRENCY` of lines without one")
	fs.StringVar(&f.o.Read.Encoding, "encoding", "", "of a CSV file: "+strings.Join(ledger.Encodings, ", "))
	fs.StringVar(&f.o.Read.Sheet, "sheet", "", "which `SHEET` of a workbook (default: the first)")
	fs.IntVar(&f.o.Read.Skip, "skip", 0, "so many `LINES` stand above the head")
	fs.StringVar(&f.o.Days, "days", "", "how many days after the line the posting may be, such as 5 or -2..5")
	fs.StringVar(&f.o.Percent, "tolerance", "", "amounts are near within this many per cent of the posting,")
	fs.StringVar(&f.o.Limit, "tolerance-limit", "", "and no more than this, in the currency's unit")
	fs.BoolVar(&f.o.Lenient, "lenient", false, "leave out lines that cannot be understood")
	fs.BoolVar(&f.o.Preview, "preview", false, "show how it is read and what matching would give, store nothing")
	fs.BoolVarP(&f.dry, "dry-run", "n", false, "the same")
}

func (g *globals) reconcile(cmd *cobra.Command, f *reconcileFlags) error {
	if f.o.File == "" {
		return usagef("such as: syncer reconcile --ledger may.csv", "reconcile needs a ledger")
	}
	if err := g.checkOutput(cmd, f.out); err != nil {
		return err
	}
	f.o.Read.Columns = map[ledger.Field]string{}
	for field, column := range f.columns {
		if cmd.Flags().Changed(string(field)) {
			if *column == "" {
				return usagef("its name in the head, or its letter", "--%s is empty", field)
			}
			f.o.Read.Columns[field] = *column
		}
	}
	f.o.Preview = f.o.Preview || f.dry
	f.o.Part, f.o.Table = f.out.Part, f.table()
	a, _, err := g.reportApp(cmd, f.out)
	if err != nil {
		return err
	}
	err = a.Reconcile(cmd.Context(), f.o, func(r *report.Report) error { return g.writeReport(r, f.out) })
	if e := a.Close(); e != nil {
		g.log.Error().Err(e).Msg("closing")
	}
	return err
}

// table reports whether a person reads the result.
func (f *reconcileFlags) table() bool { return !f.out.CSV && !f.out.JSON && f.out.XLSX == "" }

func newReconcileListCmd(g *globals) *cobra.Command {
	var out *report.Output
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "The ledgers that were reconciled",
		Example: `  syncer reconcile list`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := g.checkOutput(cmd, out); err != nil {
				return err
			}
			a, _, err := g.reportApp(cmd, out)
			if err != nil {
				return err
			}
			err = a.Ledgers(cmd.Context(), func(r *report.Report) error { return g.writeReport(r, out) })
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			return err
		},
	}
	out = outputFlags(cmd)
	return cmd
}

func newReconcileShowCmd(g *globals) *cobra.Command {
	f := reconcileFlags{}
	cmd := &cobra.Command{
		Use:   "show [NAME]",
		Short: "A ledger as it was reconciled last: matches, suggestions, what is open",
		Example: `  syncer reconcile show may
  syncer reconcile show may --xlsx may-reconciled.xlsx
  syncer reconcile show may --part matches --csv > matches.csv`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return g.completeLedgers(cmd, args, word)
		},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("\"syncer reconcile list\" names the ledgers", "show takes one ledger")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := g.checkOutput(cmd, f.out); err != nil {
				return err
			}
			f.o.Part, f.o.Table = f.out.Part, f.table()
			a, _, err := g.reportApp(cmd, f.out)
			if err != nil {
				return err
			}
			err = a.ShowLedger(cmd.Context(), strings.Join(args, ""), f.o, func(r *report.Report) error { return g.writeReport(r, f.out) })
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			return err
		},
	}
	f.out = outputFlags(cmd)
	g.completeReconcile(cmd)
	return cmd
}

// newDecideCmd is confirm or reject.
func newDecideCmd(g *globals, confirm bool) *cobra.Command {
	d := app.Decision{Confirm: confirm}
	var dry bool
	word, done, short := "reject", "rejected", "A match is wrong: it is never proposed again"
	if confirm {
		word, done, short = "confirm", "confirmed", "A match is right: it stays, whatever is imported later"
	}
	cmd := &cobra.Command{
		Use:     word + " ID…",
		Short:   short,
		Example: "  syncer reconcile " + word + " 17 18 --note \"seen on the invoice\"",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("\"syncer reconcile show\" lists them", "%s takes the numbers of matches", word)
			}
			for _, text := range args {
				id, err := strconv.ParseInt(text, 10, 64)
				if err != nil || id < 1 {
					return usagef("\"syncer reconcile show\" lists them", "%q is no number of a match", text)
				}
				d.IDs = append(d.IDs, id)
			}
			return nil
		},
		ValidArgsFunction: g.completeMatches(confirm),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if u, err := user.Current(); err == nil && d.By == "" {
				d.By = cmp.Or(u.Username, u.Name)
			}
			a, _, err := g.app(cmd)
			if err != nil {
				return err
			}
			decided, err := a.Decide(cmd.Context(), d, dry)
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			if err != nil {
				return err
			}
			return g.printDecided(decided, done, dry)
		},
	}
	cmd.Flags().StringVar(&d.By, "by", "", "who decides: `NAME` (default: the user of this computer)")
	cmd.Flags().StringVar(&d.Note, "note", "", "`TEXT` for the auditor")
	cmd.Flags().BoolVarP(&dry, "dry-run", "n", false, "show what would be "+done+", change nothing")
	return cmd
}

func (g *globals) printDecided(decided []app.LedgerMatch, done string, dry bool) error {
	if g.json {
		type matchJSON struct {
			ID     int64  `json:"match_id"`
			Before string `json:"state_before"`
			State  string `json:"state"`
			Rule   string `json:"rule"`
		}
		out := struct {
			Type    string      `json:"type"`
			DryRun  bool        `json:"dry_run"`
			Matches []matchJSON `json:"matches"`
		}{"decision", dry, []matchJSON{}}
		for _, m := range decided {
			out.Matches = append(out.Matches, matchJSON{m.ID, m.State, done, m.Rule})
		}
		return g.printJSON(out)
	}
	word := done
	if dry {
		word = "would be " + done
	}
	var b strings.Builder
	for _, m := range decided {
		fmt.Fprintf(&b, "match %d %s (%s by %s: %s)\n", m.ID, word, m.State, m.Rule, printable(m.Reason))
	}
	return g.print(b.String())
}

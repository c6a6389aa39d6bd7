package main

import (
	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/report"
)

// addStateFlags gives a report the flags that do not say which months it is about.
func (g *globals) addStateFlags(cmd *cobra.Command) *bookFlags {
	f := &bookFlags{}
	cmd.Flags().StringArrayVar(&f.accounts, "account", nil, "only this `NAME`, repeatable")
	f.out = outputFlags(cmd)
	g.completeAccounts(cmd)
	return f
}

func newOpenCmd(g *globals) *cobra.Command {
	var f *bookFlags
	cmd := &cobra.Command{
		Use:   "open",
		Short: "Uncleared bills by age",
		Long: `Bills whose last word is not yet spoken: authorised and not cleared, cleared and
not yet taken from the balance (WAITING_DEDUCT), partly cancelled, or in a status
that this program does not know. These are the bills of the view open_bills.

Their age is counted in calendar days of the [report] timezone, from the day of the
transaction to today. Card networks hold a final authorisation for about 7 days and
a preliminary one for 30; what is older than 120 days needs a person.

The parts are ages (how many and how much, by account, status, age and currency) and
bills (each of them, the oldest first). Amounts are those of the bills: what is about
to leave is positive.
` + outputHelp,
		Example: `  syncer report open
  syncer report open --account main --csv --part bills > open.csv
  syncer report open --xlsx open.xlsx`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.makeReport(cmd, f, func(a *app.App, o app.BookOptions, write func(*report.Report) error) error {
				return a.Open(cmd.Context(), o, write)
			})
		},
	}
	f = g.addStateFlags(cmd)
	return cmd
}

func newRefundsCmd(g *globals) *cobra.Command {
	var f *bookFlags
	cmd := &cobra.Command{
		Use:   "refunds",
		Short: "Refunds: expected, received, outstanding",
		Long: `Bills whose money came back, or whose status says that it does. The months are
those of the purchases: a refund stands with its purchase, whenever it came.

Expected is, of a REFUNDED bill, its whole out_amount; of a PARTIAL_REFUND one what
in_amount says by now, because the API does not say how much is still to come; of
any other bill what came back. What was reversed, as when a bill was cancelled after
the money had left, is both expected and received. Received are the returns and
reversals in the books. Outstanding is expected less received, if both are in one
currency; if not there is a note instead.

The API does not announce refunds: one that was promised by a merchant and that
nobody has booked yet is not here.

The parts are totals (by account and currency) and bills.
` + outputHelp,
		Example: `  syncer report refunds
  syncer report refunds --from 2026-01 --to 2026-06 --xlsx refunds.xlsx
  syncer report refunds --month 2026-05 --csv --part bills > refunds.csv`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.makeReport(cmd, f, func(a *app.App, o app.BookOptions, write func(*report.Report) error) error {
				return a.Refunds(cmd.Context(), o, write)
			})
		},
	}
	f = g.addBookFlags(cmd, lastYear)
	return cmd
}

func newAccrualsCmd(g *globals) *cobra.Command {
	var f *bookFlags
	cmd := &cobra.Command{
		Use:   "accruals MONTH",
		Short: "What is uncleared at the end of a month, with its reversal",
		Long: `What was made by the last day of a month (in the [report] timezone), was neither
cancelled nor failed, and was not in the books by then, or not any more because it
waited again: as two journal lines each, an accrual on the last day (negative) and
its reversal on the next (positive). Their ids begin as those of the bill's postings
do.

Of a closed month the report says what was known when it was closed, else what is
known now. The amount is out_amount as last seen by the cut-off, else as first seen
after it; a bill without one is listed and not accrued. What has cleared meanwhile
stands beside it, with the difference.

The parts are totals (by account, status and currency; WAITING_DEDUCT apart from
WAITING_CLEARANCE) and lines.
` + outputHelp,
		Example: `  syncer report accruals 2026-05
  syncer report accruals 2026-05 --csv --plain --part lines > accruals.csv
  syncer report accruals 2026-05 --account main --xlsx accruals.xlsx`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("such as: syncer report accruals 2026-05", "accruals are those of one month, and %d are named", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			month, err := app.ParseMonth(args[0])
			if err != nil {
				return err
			}
			return g.makeReport(cmd, f, func(a *app.App, o app.BookOptions, write func(*report.Report) error) error {
				return a.Accruals(cmd.Context(), month, o, write)
			})
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return g.completeMonths(cmd, args, word)
	}
	f = g.addStateFlags(cmd)
	return cmd
}

func newChangesCmd(g *globals) *cobra.Command {
	var since string
	var f *bookFlags
	cmd := &cobra.Command{
		Use:   "changes",
		Short: "What moved since a day, or since a month was closed",
		Long: `Bills that moved since a moment, each with what changed and what that did to the
books: late are those first seen since, though their transaction is of a day before;
changed are those that were known and say something else now; withdrawn those that
the API no longer lists, returned those that it lists again. New bills of later days
are no changes.

--since takes a day (from its beginning, in the [report] timezone), a moment, or a
closed month: since it was closed. Without it: since a month was closed last.

The parts are summary (by kind, account and currency) and bills.
` + outputHelp,
		Example: `  syncer report changes --since 2026-06-01
  syncer report changes --since 2026-06-01T12:00:00+08:00 --csv --part bills
  syncer report changes --since 2026-05 --xlsx changes.xlsx`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("since") && since == "" {
				return usagef("such as --since 2026-06-01", "--since is empty")
			}
			return g.makeReport(cmd, f, func(a *app.App, o app.BookOptions, write func(*report.Report) error) error {
				return a.Changes(cmd.Context(), since, o, write)
			})
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "`WHEN`: a day, a moment, or a month that is closed (default: when a month was closed last)")
	if err := cmd.RegisterFlagCompletionFunc("since", g.completeMonths); err != nil {
		panic(err) // a flag of that name is missing
	}
	f = g.addStateFlags(cmd)
	return cmd
}

func newAdjustmentsCmd(g *globals) *cobra.Command {
	var f *bookFlags
	cmd := &cobra.Command{
		Use:   "adjustments",
		Short: "Postings that belong to closed months",
		Long: `Postings that stand in a later month and belong to a closed one. Late are those of
what happened in the closed month and became known afterwards: they are posted on
the first day that was open. Follow-ups change a bill that was first posted in the
closed month, such as a refund. The closed month itself stays as it was. The column
"known" says whether a posting was in the books already when the month was closed
(then), or came after that (since).

The months are the closed ones. The parts are totals (by closed month, account and
currency) and adjustments, the postings.
` + outputHelp,
		Example: `  syncer report adjustments
  syncer report adjustments --month 2026-05
  syncer report adjustments --csv --part adjustments > adjustments.csv`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.makeReport(cmd, f, func(a *app.App, o app.BookOptions, write func(*report.Report) error) error {
				return a.Adjustments(cmd.Context(), o, write)
			})
		},
	}
	f = g.addBookFlags(cmd, "all closed months")
	return cmd
}

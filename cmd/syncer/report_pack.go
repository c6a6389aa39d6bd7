package main

import (
	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/report"
)

func newPostingsCmd(g *globals) *cobra.Command {
	var f *bookFlags
	cmd := &cobra.Command{
		Use:   "postings",
		Short: "The books line by line: what each bill did to them, and when",
		Long: `The books line by line: a spend when a bill took effect, a return when money came
back, a reversal when a spend or a return was less after all, an adjustment when a
spend was more. A line has an id that stays the same for ever, the bill it belongs
to, and the change of the bill that brought it. What is posted is never changed.

Its one part is postings; --csv, --json and --xlsx have more columns than the table.
` + outputHelp,
		Example: `  syncer report postings --month 2026-05
  syncer report postings --from 2026-01 --to 2026-03 --csv > journal.csv`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.makeReport(cmd, f, func(a *app.App, o app.BookOptions, write func(*report.Report) error) error {
				return a.Postings(cmd.Context(), o, write)
			})
		},
	}
	f = g.addBookFlags(cmd, "all months")
	return cmd
}

func newPackCmd(g *globals) *cobra.Command {
	f := &bookFlags{}
	cmd := &cobra.Command{
		Use:   "pack MONTH",
		Short: "A month's reports in one workbook",
		Long: `What finance hands in for a month, in one workbook, pack-MONTH.xlsx in the present
folder unless --xlsx names another. Its sheets: summary, postings, merchants, cards,
budget, refunds, failures, accrued (what was not cleared at the end of the month, by
account and status), accruals (the same line by line, with its reversal), adjustments
(posted here, belongs to closed months before), since_close (posted later, belongs to
this month) and proof.

Once a month is closed, its postings and all sums over them stay as they are;
failures are those known now, and since_close grows. --json and --csv --part NAME
write the same to standard output; --part NAME alone shows one of them as a table.
` + outputHelp,
		Example: `  syncer report pack 2026-05
  syncer report pack 2026-05 --xlsx may.xlsx --force
  syncer report pack 2026-05 --csv --part accruals > accruals.csv`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return g.completeMonths(cmd, args, to)
		},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("such as: syncer report pack 2026-05", "pack takes one month")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			month, err := app.ParseMonth(args[0])
			if err != nil {
				return err
			}
			if f.out.XLSX == "" && !f.out.CSV && !g.json && !cmd.Flags().Changed("xlsx") && f.out.Part == "" {
				f.out.XLSX = "pack-" + string(month) + ".xlsx"
			}
			if err := g.checkOutput(cmd, f.out); err != nil {
				return err
			}
			a, _, err := g.reportApp(cmd, f.out)
			if err != nil {
				return err
			}
			err = a.Pack(cmd.Context(), month, app.BookOptions{Accounts: f.accounts}, func(r *report.Report) error { return g.writeReport(r, f.out) })
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			return err
		},
	}
	cmd.Flags().StringArrayVar(&f.accounts, "account", nil, "only this `NAME`, repeatable")
	f.out = outputFlags(cmd)
	g.completeAccounts(cmd)
	return cmd
}

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"billsync/internal/report"
)

// reports are all reports, in the order of the help.
var reports = []func(*globals) *cobra.Command{
	newPackCmd,
	newMonthlyCmd,
	newMerchantsCmd,
	newCardsCmd,
	newFailuresCmd,
	newFxCmd,
	newPostingsCmd,
	newOpenCmd,
	newRefundsCmd,
	newAccrualsCmd,
	newChangesCmd,
	newAdjustmentsCmd,
	newCompletenessCmd,
}

func newReportCmd(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report NAME",
		Short: "Reports for finance and audit",
		Example: `  syncer report monthly --month 2026-05
  syncer report merchants --top 20 --xlsx merchants.xlsx
  syncer report failures --csv --part by_card > failures.csv`,
		GroupID: groupLook,
		Long: `Reports for finance and audit. Each is a table for people, the first ` + strconv.Itoa(report.MaxShown) + ` rows;
--csv and --json give all of them to programs, --xlsx FILE is a workbook with a
sheet for each part. Currencies are never added together: the foot has a line for
each. Days and months are those of the [report] timezone. "syncer report NAME --help"
says what is in one.

The reports of the books (monthly, merchants, cards, postings) count a posting in
the month in which it took effect; failures, fx and refunds go by the day of the
transaction. Before a report is made, the books are brought up to date with the bills
that are stored.

In CSV amounts are plain decimal numbers, and a text that a spreadsheet would take
for a formula gets a ' in front; --plain leaves texts as they are and has no foot,
--bom tells Excel that the file is UTF-8. In JSON an amount x is a whole number of
the smallest unit, and x_decimal the same as decimal text. In a workbook amounts,
counts and days are real numbers and days, and ids are texts; each sum is a formula
that can be checked, above the exact sum and the difference, which is 0.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return lost(cmd, args)
		},
	}
	for _, newCmd := range reports {
		cmd.AddCommand(newCmd(g))
	}
	return cmd
}

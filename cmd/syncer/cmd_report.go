package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"billsync/internal/report"
)

// reports are all reports, in the order of the help.
var reports = []func(*globals) *cobra.Command{
	newCompletenessCmd,
}

func newReportCmd(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "report NAME",
		Short:   "Reports for finance and audit",
		GroupID: groupLook,
		Long: `Reports for finance and audit. Each is a table for people, the first ` + strconv.Itoa(report.MaxShown) + ` rows;
--csv and --json give all of them to programs, --xlsx FILE is a workbook with a
sheet for each part. Currencies are never added together: the foot has a line for
each.

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

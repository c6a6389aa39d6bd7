package main

import "github.com/spf13/cobra"

// reports are all reports, in the order of the help.
var reports = []func(*globals) *cobra.Command{
	newCompletenessCmd,
}

func newReportCmd(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "report NAME",
		Short:   "Reports for finance and audit",
		GroupID: groupLook,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return lost(cmd, args)
		},
	}
	for _, report := range reports {
		cmd.AddCommand(report(g))
	}
	return cmd
}

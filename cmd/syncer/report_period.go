package main

import (
	"github.com/spf13/cobra"

	"billsync/internal/app"
)

// A period is the flags that say which months a report is about.
type period struct{ month, from, to string }

// add gives a report the flags, and the shell the months to choose from. The
// default is what the report is about without them.
func (p *period) add(g *globals, cmd *cobra.Command, otherwise string) {
	fs := cmd.Flags()
	fs.StringVar(&p.month, "month", "", "this `MONTH` alone, such as 2026-05 (default: "+otherwise+")")
	fs.StringVar(&p.from, "from", "", "first `MONTH`")
	fs.StringVar(&p.to, "to", "", "last `MONTH`, included")
	for _, name := range []string{"month", "from", "to"} {
		if err := cmd.RegisterFlagCompletionFunc(name, g.completeMonths); err != nil {
			panic(err) // a flag of that name is missing
		}
	}
}

// months returns the months that the flags say; what they do not say is no month.
func (p *period) months(cmd *cobra.Command) (from, to app.Month, err error) {
	given := cmd.Flags().Changed
	if given("month") && (given("from") || given("to")) {
		return "", "", usagef("one month, or the first and the last one", "--month does not go with --from and --to")
	}
	month := func(flag, text string, m *app.Month) {
		if err != nil || !given(flag) {
			return
		}
		if *m, err = app.ParseMonth(text); err != nil {
			err = usagef("a month is written 2026-05", "--%s: %w", flag, err)
		}
	}
	month("from", p.from, &from)
	month("to", p.to, &to)
	if given("month") {
		month("month", p.month, &from)
		to = from
	}
	if err != nil {
		return "", "", err
	}
	if from != "" && to != "" && to < from {
		return "", "", usagef("both months are included; --from comes first", "--from %s is after --to %s", from, to)
	}
	return from, to, nil
}

// completeMonths offers the months that the database knows, the latest first.
func (g *globals) completeMonths(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	a, _, err := g.app(cmd)
	if err != nil {
		return nil, directive
	}
	months, err := a.Months(cmd.Context())
	if e := a.Close(); err != nil || e != nil {
		return nil, directive
	}
	return months, directive
}

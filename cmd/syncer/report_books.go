package main

import (
	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/report"
)

// bookFlags are the flags that reports of the books have in common.
type bookFlags struct {
	period
	accounts []string
	out      *report.Output
}

// addBookFlags gives a report these flags. Otherwise is what the report is about
// if no month is named.
func (g *globals) addBookFlags(cmd *cobra.Command, otherwise string) *bookFlags {
	f := &bookFlags{}
	cmd.Flags().StringArrayVar(&f.accounts, "account", nil, "only this `NAME`, repeatable")
	f.add(g, cmd, otherwise)
	f.out = outputFlags(cmd)
	g.completeAccounts(cmd)
	return f
}

// lastYear is the period of most reports.
const lastYear = "the last twelve months"

// makeReport makes a report of the books and prints it as the flags say.
func (g *globals) makeReport(cmd *cobra.Command, f *bookFlags, do func(*app.App, app.BookOptions, func(*report.Report) error) error) error {
	if err := g.checkOutput(cmd, f.out); err != nil {
		return err
	}
	from, to, err := f.months(cmd)
	if err != nil {
		return err
	}
	a, _, err := g.reportApp(cmd, f.out)
	if err != nil {
		return err
	}
	err = do(a, app.BookOptions{Accounts: f.accounts, From: from, To: to}, func(r *report.Report) error { return g.writeReport(r, f.out) })
	if e := a.Close(); e != nil {
		g.log.Error().Err(e).Msg("closing")
	}
	return err
}

// outputHelp is what the help of each report says of its outputs.
const outputHelp = `
Currencies are never added together: there is a sum for each at the foot.`

func newMonthlyCmd(g *globals) *cobra.Command {
	var by string
	var f *bookFlags
	cmd := &cobra.Command{
		Use:   "monthly",
		Short: "The books by month: spent, returned, reversed, adjusted",
		Long: `What the books of each month came to, by account and currency and, with --by, by
merchant, card or budget account. A posting is in the month in which it took effect,
in the [report] timezone, or in the next open one if that month was closed.

Merchants go by the names that rules give them: "syncer report merchants" shows
which names fell under which. Bills that have taken effect but do not say, in a way
that can be read, what was spent are not in the books; a note below says how many
there are.
` + outputHelp,
		Example: `  syncer report monthly
  syncer report monthly --month 2026-05 --by merchant
  syncer report monthly --from 2026-01 --to 2026-03 --by card --csv > cards.csv
  syncer report monthly --by budget --account main --xlsx budget.xlsx`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.makeReport(cmd, f, func(a *app.App, o app.BookOptions, write func(*report.Report) error) error {
				return a.Monthly(cmd.Context(), by, o, write)
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "account", "`DIMENSION`: account, merchant, card or budget")
	f = g.addBookFlags(cmd, "all months")
	if err := cmd.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(app.Dimensions, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // a flag of that name is missing
	}
	return cmd
}

func newMerchantsCmd(g *globals) *cobra.Command {
	var top int
	var rules bool
	var f *bookFlags
	cmd := &cobra.Command{
		Use:   "merchants",
		Short: "What was spent at which merchants, and how their names were read",
		Long: `What was spent at which merchants in a period, by currency, most first, and the
share of what was spent in that currency. Merchants' names are made comparable by
rules; the part "names" shows which names, as the bills have them, fell under which
merchant by which rules.

--rules shows the rules instead: your own ([report] merchant_rules) and the built-in
ones, each with an example.

The parts are merchants and names; with --rules there is one, rules.
` + outputHelp,
		Example: `  syncer report merchants --top 20
  syncer report merchants --month 2026-05 --csv --part names > names.csv
  syncer report merchants --rules`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			changed := cmd.Flags().Changed
			if changed("top") && top < 1 {
				return usagef("such as --top 20; leave it out to see all", "--top %d: it is the number of merchants to show, 1 or more", top)
			}
			if rules {
				for _, other := range []string{"top", "account", "month", "from", "to"} {
					if changed(other) {
						return usagef("the rules are the same for all bills", "--%s does not go with --rules", other)
					}
				}
			}
			return g.makeReport(cmd, f, func(a *app.App, o app.BookOptions, write func(*report.Report) error) error {
				if rules {
					return a.MerchantRules(write)
				}
				return a.Merchants(cmd.Context(), top, o, write)
			})
		},
	}
	cmd.Flags().IntVar(&top, "top", 0, "the first `N` merchants of each currency, the others in one row (default: all)")
	cmd.Flags().BoolVar(&rules, "rules", false, "show the rules for names instead")
	f = g.addBookFlags(cmd, lastYear)
	return cmd
}

func newCardsCmd(g *globals) *cobra.Command {
	var f *bookFlags
	cmd := &cobra.Command{
		Use:   "cards",
		Short: "What was spent with which cards",
		Long: `What was spent with which cards in a period, by currency, most first, with the last
four digits and the nick name that the latest bills have; and the cards that several
accounts pay with.

The parts are cards and shared.
` + outputHelp,
		Example: `  syncer report cards
  syncer report cards --from 2026-01 --to 2026-06 --xlsx cards.xlsx
  syncer report cards --json --part shared`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.makeReport(cmd, f, func(a *app.App, o app.BookOptions, write func(*report.Report) error) error {
				return a.Cards(cmd.Context(), o, write)
			})
		},
	}
	f = g.addBookFlags(cmd, lastYear)
	return cmd
}

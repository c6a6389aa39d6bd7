package main

import (
	"math/big"
	"regexp"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/report"
)

func newFailuresCmd(g *globals) *cobra.Command {
	var list bool
	var f *bookFlags
	cmd := &cobra.Command{
		Use:   "failures",
		Short: "Payments that failed: why, where, with which card, and what to do",
		Long: `The payments that failed in a period (of the transactions' days), by reason,
merchant and card: how many, how many were followed by a success of the same
purchase, how many purchases that were, how many of these stayed unpaid, and what
those would have cost.

Tries to pay the same amount to the same merchant, each within three days of the one
before, are one purchase, with whichever card they were made. It is paid if a try
within that time succeeded.

--list adds every failed payment: the reason, which try it was, and which order paid
for it in the end and with which card.

The parts are by_reason, advice, by_merchant, by_card and, with --list, payments.
` + outputHelp,
		Example: `  syncer report failures
  syncer report failures --month 2026-05 --list
  syncer report failures --list --csv --part payments > failed.csv`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.makeReport(cmd, f, func(a *app.App, o app.BookOptions, write func(*report.Report) error) error {
				return a.Failures(cmd.Context(), list, o, write)
			})
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "also every failed payment")
	f = g.addBookFlags(cmd, lastYear)
	return cmd
}

func newFxCmd(g *globals) *cobra.Command {
	var above string
	var f *bookFlags
	cmd := &cobra.Command{
		Use:   "fx",
		Short: "Exchange rates: what was billed for what was traded, and what deviates",
		Long: `What was billed for what was traded, by pair of currencies and month (of the
transactions' days): bills, amounts, and the rate that they imply, with the lowest
and the highest one. A rate is what was billed for one unit of what was traded.

The part "deviations" lists bills whose rate is more than --above per cent away from
the rate that the API gives, or from the median of all bills of the same currencies
on the same day. The API does not say whether its rate is one of whole units
(dollars a yen) or of smallest ones (cents a yen): the one that is nearer counts. A
rate that cannot be read is listed as such. A median of fewer than four bills does
not tell which of them is off: they are listed as apart, and not as wrong. A
difference of the smallest unit of what was billed is rounding and no deviation.

Bills that failed, were cancelled (all or a part) or withdrawn are left out, and those
without both amounts. A currency that is not known counts in its smallest unit.

The parts are pairs and deviations.
` + outputHelp,
		Example: `  syncer report fx
  syncer report fx --month 2026-05 --above 2.5
  syncer report fx --csv --part deviations > deviations.csv`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			limit, err := parsePercent(above)
			if err != nil {
				return err
			}
			return g.makeReport(cmd, f, func(a *app.App, o app.BookOptions, write func(*report.Report) error) error {
				return a.Exchange(cmd.Context(), limit, o, write)
			})
		},
	}
	cmd.Flags().StringVar(&above, "above", "1.0", "list bills whose rate is more than this `PERCENT` off")
	f = g.addBookFlags(cmd, lastYear)
	return cmd
}

var percent = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,4})?$`)

// parsePercent reads --above; 1/100 is one per cent.
func parsePercent(text string) (*big.Rat, error) {
	limit, ok := new(big.Rat), percent.MatchString(text)
	if ok {
		limit, ok = limit.SetString(text)
	}
	if !ok {
		return nil, usagef("such as --above 2.5", "--above: %q is no number of per cent: 0 to 9999, with up to four decimal places", text)
	}
	return limit.Quo(limit, big.NewRat(100, 1)), nil
}

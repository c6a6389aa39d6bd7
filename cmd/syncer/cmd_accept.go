package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/bill"
	"billsync/internal/config"
)

func newAcceptCmd(g *globals) *cobra.Command {
	var note string
	var dryRun bool
	cmd := &cobra.Command{
		Use:     "accept WHAT --note TEXT",
		Short:   "A person has looked at it, it may stay as it is",
		GroupID: groupWork,
		Long: `Record that a person has looked at something that keeps runs from being complete.
From then on it does not count against exit code 0. "syncer status" names what
there is to accept:

  item:ID        an item that could not be understood; it stays in rejected_items
  window:ID      a window that waits or failed; it stays without a proof, and is
                 asked again by the nightly refresh all the same
  window:ID      a window whose bills the API lists no longer, too many at once to
                 be believed; the next sync marks them as withdrawn
  tail:ACCOUNT   the same for bills in the newest part of an account's history
  notification:ID  a bill notification that waits in the inbox
  cardholder:ID  a request for a cardholder that is not settled, by its request id:
                 it is closed and not sent again, and another may be made

A bare number is taken for the item or the window that waits under it. What was
accepted, when and with which note stays in the table acceptances.`,
		Example: `  syncer accept item:12 --note "test entry of the bank, confirmed by support"
  syncer accept window:7 --note "card programme closed, WorldFirst case 4711"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("\"syncer status\" names what there is to accept", "accept takes one thing: item:ID, window:ID, tail:ACCOUNT, notification:ID or cardholder:REQUEST_ID")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			a, cfg, err := g.app(cmd)
			if err != nil {
				return err
			}
			found, err := a.Accept(cmd.Context(), args[0], note, dryRun)
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			if err != nil {
				return err
			}
			if g.json {
				return g.printJSON(acceptanceJSON(found, dryRun))
			}
			return g.print(g.acceptanceText(found, dryRun, cfg))
		},
	}
	cmd.Flags().StringVar(&note, "note", "", "who looked at it and why it may stay: `TEXT` for the auditor")
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "show what would be accepted, change nothing")
	return cmd
}

func (g *globals) acceptanceText(a app.Acceptance, dry bool, cfg *config.Config) string {
	var b strings.Builder
	word := "accepted"
	if dry {
		word = "would be accepted"
	}
	fmt.Fprintf(&b, "%s: %s of %s", word, a.Subject, cmp.Or(a.Account, "an account that is not known"))
	if !a.Start.IsZero() && !a.End.IsZero() {
		fmt.Fprintf(&b, ", %s", g.days(bill.Span{Start: a.Start, End: a.End}, cfg))
	}
	if a.Reason != "" {
		fmt.Fprintf(&b, "\n  %s", a.Reason)
	}
	b.WriteString("\n")
	if a.Missing > 0 {
		fmt.Fprintf(&b, "the next sync reads it again and marks up to %s as withdrawn\n", plural(a.Missing, "bill", g.number))
	}
	if !dry && !strings.HasPrefix(a.Subject, "cardholder:") { // which no sync looks at
		b.WriteString("next: syncer sync\n")
	}
	return b.String()
}

func acceptanceJSON(a app.Acceptance, dry bool) any {
	return struct {
		Subject string     `json:"subject"`
		Account string     `json:"account"`
		Start   *time.Time `json:"span_start"`
		End     *time.Time `json:"span_end"`
		Reason  string     `json:"reason"`
		Missing int        `json:"bills_to_withdraw"`
		Note    string     `json:"note"`
		At      time.Time  `json:"accepted_at"`
		Dry     bool       `json:"dry_run"`
	}{a.Subject, a.Account, timeOrNil(a.Start), timeOrNil(a.End), a.Reason, a.Missing, a.Note, a.At.UTC(), dry}
}

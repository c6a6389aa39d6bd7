package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/card"
)

func newCardholderCmd(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cardholder COMMAND",
		Short:   "Register cardholders, each once, and see how their reviews end",
		GroupID: groupCards,
	}
	cmd.AddCommand(newCardholderCreateCmd(g), newCardholderResumeCmd(g), newCardholderListCmd(g))
	return cmd
}

func newCardholderCreateCmd(g *globals) *cobra.Command {
	var o app.CardholderOptions
	cmd := &cobra.Command{
		Use:   "create --type TYPE --info FILE",
		Short: "Register a cardholder",
		Long: `Register a cardholder. FILE holds the cardholder's information, a JSON object with
the fields that WorldFirst asks of you; it is passed on byte for byte and not
kept. With - it is read from standard input.

The request gets an id, which is stored before it is sent. If no answer comes, or
none that says what became of it, the request is sent again with the same id and
the same content: by the daemon, by "syncer cardholder resume", or by the same
command once more, and the same command later shows the cardholder it made. While
nobody knows what became of a request, nothing else is sent from its file or with
what it says, however it is written: that ends with exit code 2 and the request's
id. To register the same once more on purpose, give a --request-id of your own;
"syncer accept cardholder:ID" closes a request that nobody can settle.

Exit code 0: registered. The review may go on (PENDING) or end badly (REJECTED):
that is an answer, and is shown. 3: it waits, was refused or needs a look; 4: the
API refuses us, and "syncer cardholder resume" sends it again when that is mended.`,
		Example: `  syncer cardholder create --type EMPLOYEE --info employee-17.json
  gpg -d employee-17.json.gpg | syncer cardholder create --type EMPLOYEE --info -`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, cfg, err := g.app(cmd)
			if err != nil {
				return err
			}
			o.Stdin = g.stdin
			r, err := a.CreateCardholder(cmd.Context(), o)
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			if r.Account == "" || !r.Sent && !r.Known && err != nil || cmd.Context().Err() != nil {
				return err // nothing to show
			}
			if g.json {
				g.summed = true
				return errors.Join(g.printJSON(registrationJSON(&r, o.DryRun, err)), err)
			}
			return errors.Join(g.print(registrationText(&r, o.DryRun, cfg)), err)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Type, "type", "", "`TYPE` of cardholder: "+strings.Join(card.HolderTypes, ", "))
	f.StringVar(&o.Info, "info", "", "`FILE` with the cardholder's information, a JSON object; -: standard input")
	f.StringVar(&o.RequestID, "request-id", "", "`ID` of your own for the request, 1 to 32 letters and digits")
	f.StringVar(&o.Account, "account", "", "for which account: the `NAME`, needed if there are several")
	f.BoolVarP(&o.DryRun, "dry-run", "n", false, "check everything and show what would be sent; send and store nothing")
	g.completeAccounts(cmd)
	if err := cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(card.HolderTypes, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // a flag of that name is missing
	}
	return cmd
}

func newCardholderResumeCmd(g *globals) *cobra.Command {
	var o app.ResumeOptions
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "Send unanswered requests again, with their ids",
		Long: `Send those requests again that got no answer and are due, that a crash left
behind, or that the API refused because of us, each with its own id and content.
The daemon does the same by itself, except for what was refused.

The content is read again from the file it came from; if that is gone, or it came
from standard input, --info says where it is now. Other content is not sent.
--now also sends what is not due yet, and what was given up after seven further
attempts; --request-id picks one request, whatever became of it, unless it was
answered. Exit code 0 if nothing is left open.`,
		Example: `  syncer cardholder resume
  syncer cardholder resume --request-id 5f0c… --info employee-17.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, cfg, err := g.app(cmd)
			if err != nil {
				return err
			}
			o.Stdin = g.stdin
			r, err := a.ResumeCardholders(cmd.Context(), o)
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			if err != nil && len(r.Done)+len(r.Still) == 0 || cmd.Context().Err() != nil {
				return err
			}
			if g.json {
				g.summed = true
				return errors.Join(g.printJSON(resumptionJSON(&r, o.DryRun, err)), err)
			}
			return errors.Join(g.print(resumptionText(&r, o.DryRun, cfg)), err)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.RequestID, "request-id", "", "the request with this `ID` and no other")
	f.StringVar(&o.Info, "info", "", "`FILE` where the content is now; -: standard input")
	f.BoolVar(&o.Now, "now", false, "also before its time, and what was given up")
	f.StringVar(&o.Account, "account", "", "only those of the account `NAME`")
	f.BoolVarP(&o.DryRun, "dry-run", "n", false, "show what would be sent, change nothing")
	g.completeAccounts(cmd)
	return cmd
}

func newCardholderListCmd(g *globals) *cobra.Command {
	var o app.ListOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show the cardholders that were made from here",
		Long: `Show the requests for cardholders that were made from here, in their last known
state. With --refresh the API is asked first how reviews ended; cardholders that
were not made from here are counted and not stored.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("audit-status") && strings.TrimSpace(o.AuditStatus) == "" {
				return usagef("leave it out to see all", "--audit-status is empty")
			}
			a, cfg, err := g.app(cmd)
			if err != nil {
				return err
			}
			l, err := a.ListCardholders(cmd.Context(), o)
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			if err != nil && !holdersShown(err) {
				return err
			}
			if g.json {
				g.summed = true
				return errors.Join(g.printJSON(holderListJSON(&l, err)), err)
			}
			return errors.Join(g.print(g.holderListText(&l, o, cfg)), err)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.Refresh, "refresh", false, "ask the API how reviews ended")
	f.StringVar(&o.AuditStatus, "audit-status", "", "only those in this `STATUS`: APPROVED, PENDING, REJECTED")
	f.StringVar(&o.Account, "account", "", "only those of the account `NAME`")
	g.completeAccounts(cmd)
	if err := cmd.RegisterFlagCompletionFunc("audit-status", cobra.FixedCompletions([]string{"APPROVED", "PENDING", "REJECTED"}, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // a flag of that name is missing
	}
	return cmd
}

// holdersShown reports whether there is a list in spite of an error: the API was
// asked and did not say yes.
func holdersShown(err error) bool {
	var v *app.Verdict
	return errors.As(err, &v)
}

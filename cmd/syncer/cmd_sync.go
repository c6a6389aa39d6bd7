package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/bill"
	"billsync/internal/config"
	"billsync/internal/syncer"
)

// syncFlags are the flags of those commands that do a run or plan one.
type syncFlags struct {
	accounts []string
	from, to string
	refresh  bool
	full     bool
	now      bool
	dryRun   bool
}

func (f *syncFlags) add(cmd *cobra.Command, retry bool) {
	fs := cmd.Flags()
	fs.StringArrayVar(&f.accounts, "account", nil, "only this `NAME`, repeatable")
	if retry {
		fs.BoolVar(&f.now, "now", false, "ask also for what is not due yet")
		return
	}
	fs.StringVar(&f.from, "from", "", "first `DATE` to read, proved or not")
	fs.StringVar(&f.to, "to", "", "last `DATE` to read")
	fs.BoolVar(&f.refresh, "refresh", false, "read the past again in which bills still change")
	fs.BoolVar(&f.full, "full", false, "read all history again")
}

func (f *syncFlags) addDryRun(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&f.dryRun, "dry-run", "n", false, "show what would be asked for, change nothing")
}

// options checks the flags and returns what they mean.
func (f *syncFlags) options() (app.SyncOptions, error) {
	o := app.SyncOptions{Accounts: f.accounts, Refresh: f.refresh, Full: f.full, RetryNow: f.now}
	var err error
	if o.From, o.To, err = dates(f.from, f.to); err != nil {
		return o, err
	}
	if (f.full || f.refresh) && (f.from != "" || f.to != "") {
		return o, usagef("--from and --to read their span again in any case", "--refresh and --full do not go with --from and --to")
	}
	return o, nil
}

// dates reads --from and --to; the zero Date is none.
func dates(from, to string) (first, last config.Date, err error) {
	for _, d := range []struct {
		flag, text string
		date       *config.Date
	}{{"--from", from, &first}, {"--to", to, &last}} {
		if d.text == "" {
			continue
		}
		if *d.date, err = config.ParseDate(d.text); err != nil {
			return first, last, usagef("dates are days in the [sync] timezone", "%s: %v", d.flag, err)
		}
	}
	return first, last, nil
}

// app loads the configuration and returns the program.
func (g *globals) app(cmd *cobra.Command) (*app.App, *config.Config, error) {
	cfg, err := g.load(cmd)
	if err != nil {
		return nil, nil, err
	}
	return app.New(cfg, app.Options{Log: g.log, Now: g.now, Getenv: g.getenv}), cfg, nil
}

func newSyncCmd(g *globals) *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:     "sync",
		Short:   "Read what is due, now",
		GroupID: groupWork,
		Long: `Read everything that is due: history not read yet, new bills, retries whose time
has come, and a refresh if the last one is older than its schedule says. At the
end, everything asked for is complete and proved, or the exit code says why not
("syncer help exit-codes"). Stopped or killed, it goes on where it was.`,
		Example: `  syncer sync
  syncer sync --refresh
  syncer sync --from 2026-03-01 --to 2026-03-31`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			o.Trigger = "sync"
			if f.dryRun {
				return g.plan(cmd, o, false, "syncer sync")
			}
			return g.sync(cmd, o)
		},
	}
	f.add(cmd, false)
	f.addDryRun(cmd)
	g.completeAccounts(cmd)
	return cmd
}

func newRetryCmd(g *globals) *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:     "retry",
		Short:   "Ask again for what waits or failed",
		GroupID: groupWork,
		Long: `Ask again for windows that wait and whose time has come, and for those that
failed. With --now also for those whose time has not come: the API asks for at
least the documented pauses, so use it only after talking to its support.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			o.Trigger, o.Retry = "retry", true
			if f.dryRun {
				next := "syncer retry"
				if o.RetryNow {
					next += " --now"
				}
				return g.plan(cmd, o, false, next)
			}
			return g.sync(cmd, o)
		},
	}
	f.add(cmd, true)
	f.addDryRun(cmd)
	g.completeAccounts(cmd)
	return cmd
}

// completeAccounts lets the shell complete account names.
func (g *globals) completeAccounts(cmd *cobra.Command) {
	err := cmd.RegisterFlagCompletionFunc("account", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		cfg, err := g.load(cmd)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, a := range cfg.Enabled() {
			names = append(names, a.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // a flag of that name is missing
	}
}

// sync does a run and tells how it went.
func (g *globals) sync(cmd *cobra.Command, o app.SyncOptions) error {
	a, cfg, err := g.app(cmd)
	if err != nil {
		return err
	}
	bar := g.newProgress(cfg.Log)
	a.SetLog(g.log)
	o.Progress = bar.tell
	sum, err := a.Sync(cmd.Context(), o)
	bar.end()
	if e := a.Close(); e != nil {
		g.log.Error().Err(e).Msg("closing")
	}
	if sum.Run.ID == 0 || g.quiet && !g.json {
		return err // it did not come to a run, or only what is wrong is wanted
	}
	if e := g.printSync(cmd.Context(), a, cfg, sum, err); e != nil {
		return e
	}
	return err
}

// printSync prints how a run ended: a paragraph per account, or with --json one
// document.
func (g *globals) printSync(ctx context.Context, a *app.App, cfg *config.Config, sum syncer.Summary, verdict error) error {
	s, err := a.Coverage(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	if g.json {
		g.summed = true
		return g.printJSON(summaryJSON(ctx, sum, s, verdict))
	}
	n := g.number
	var b strings.Builder
	for i := range sum.Accounts {
		acct := &sum.Accounts[i]
		var st app.AccountStatus
		for _, x := range s.Accounts {
			if x.Account == acct.Name {
				st = x
			}
		}
		word := "complete"
		switch {
		case acct.Refused != nil:
			word = "REFUSED"
		case !acct.Complete():
			word = "NOT complete"
		case acct.Accepted > 0:
			word = "complete but for " + plural(acct.Accepted, "accepted window", n)
		case !st.Complete:
			word = "complete as far as asked, the whole history is not"
		}
		fmt.Fprintf(&b, "%s   %s: %s bills", acct.Name, word, n(st.Bills))
		if !st.To.IsZero() {
			fmt.Fprintf(&b, ", proved %s … %s", firstDay(st.From, cfg), moment(st.To, cfg))
		}
		b.WriteString("\n")
		fmt.Fprintf(&b, "%*s   this run: %s, %s proved\n", len([]rune(acct.Name)), "",
			found(acct.New, acct.Changed, acct.Withdrawn, acct.Returned, n), plural(acct.Proved, "window", n))
		if acct.Quiet != "" {
			fmt.Fprintf(&b, "%*s   %s\n", len([]rune(acct.Name)), "", acct.Quiet)
		}
		for _, t := range troubles(acct) {
			fmt.Fprintf(&b, "%*s   %s\n", len([]rune(acct.Name)), "", g.trouble(t, cfg))
		}
		if acct.Refused != nil {
			fmt.Fprintf(&b, "%*s   %s\n", len([]rune(acct.Name)), "", acct.Refused.Error())
		}
		if acct.Rejected > 0 {
			fmt.Fprintf(&b, "%*s   %s could not be understood; \"syncer status\" shows which, \"syncer accept\" lets it be\n", len([]rune(acct.Name)), "", plural(acct.Rejected, "item", n))
		}
	}
	if d := sum.ClockAhead; d != 0 {
		word := "ahead of"
		if d < 0 {
			word = "behind"
		}
		fmt.Fprintf(&b, "this machine's clock is %s %s the API's: set it right (NTP)\n", d.Abs().Round(time.Second), word)
	}
	took := sum.Run.FinishedAt.Sub(sum.Run.StartedAt)
	fmt.Fprintf(&b, "%s in %s\n", plural(int(sum.Run.Requests), "request", n), seconds(took))
	if verdict == nil {
		b.WriteString("next: syncer status\n")
	}
	return g.print(b.String())
}

// found says what a run brought.
func found(added, changed, withdrawn, returned int, n func(int) string) string {
	if added+changed+withdrawn+returned == 0 {
		return "nothing changed"
	}
	s := n(added) + " new, " + n(changed) + " changed"
	if withdrawn > 0 {
		s += ", " + n(withdrawn) + " withdrawn"
	}
	if returned > 0 {
		s += ", " + n(returned) + " came back"
	}
	return s
}

// troubles are the parts of an account that are worth a line. Of one that is
// refused nothing further was asked: only what stood in the way before is told.
func troubles(acct *syncer.Account) []syncer.Trouble {
	if acct.Refused == nil {
		return acct.Open
	}
	return slices.DeleteFunc(slices.Clone(acct.Open), func(t syncer.Trouble) bool {
		return t.State != bill.Waiting && t.State != bill.Failed
	})
}

// trouble says in a line what of an account is not proved.
func (g *globals) trouble(t syncer.Trouble, cfg *config.Config) string {
	what := "window"
	if t.Tail {
		what = "tail"
	}
	state := string(t.State)
	if t.State == bill.Done { // it was proved once, and is due again
		state = "to be read again"
	}
	line := fmt.Sprintf("%s %s: %s", what, g.days(t.Span, cfg), state)
	if !t.Until.IsZero() {
		line += " until " + moment(t.Until, cfg)
	}
	if t.Why != "" {
		line += ": " + t.Why
	}
	return line
}

type accountSummary struct {
	Account    string     `json:"account"`
	Complete   bool       `json:"complete"`
	Bills      int        `json:"bills"`
	ProvedFrom *time.Time `json:"proved_from"`
	ProvedTo   *time.Time `json:"proved_to"`
	New        int        `json:"new"`
	Changed    int        `json:"changed"`
	Withdrawn  int        `json:"withdrawn"`
	Returned   int        `json:"returned"`
	Proved     int        `json:"windows_proved"`
	Refused    string     `json:"refused,omitempty"`
	Advice     string     `json:"advice,omitempty"`
	Rejected   int        `json:"not_understood"`
	Accepted   int        `json:"accepted_windows"`
	Quiet      string     `json:"quiet,omitempty"`
	Open       []openJSON `json:"open"`
}

type openJSON struct {
	Start         time.Time  `json:"start"`
	End           time.Time  `json:"end"`
	Tail          bool       `json:"tail"`
	State         string     `json:"state"`
	NextAttemptAt *time.Time `json:"next_attempt_at"`
	Why           string     `json:"why,omitempty"`
}

// summaryJSON is the last line of "syncer sync --json".
func summaryJSON(ctx context.Context, sum syncer.Summary, s app.Status, verdict error) any {
	var h hinter
	hint := ""
	if errors.As(verdict, &h) {
		hint = h.Hint()
	}
	out := struct {
		Type       string           `json:"type"`
		Run        int64            `json:"run_id"`
		Outcome    string           `json:"outcome"`
		Code       int              `json:"code"` // the exit code
		Hint       string           `json:"hint,omitempty"`
		StartedAt  time.Time        `json:"started_at"`
		FinishedAt time.Time        `json:"finished_at"`
		Requests   int64            `json:"requests"`
		Read       int              `json:"bills_read"`
		New        int              `json:"bills_new"`
		Changed    int              `json:"bills_changed"`
		Withdrawn  int              `json:"bills_withdrawn"`
		Returned   int              `json:"bills_returned"`
		ClockAhead int64            `json:"clock_ahead_seconds"`
		Error      string           `json:"error,omitempty"`
		Accounts   []accountSummary `json:"accounts"`
	}{"summary", sum.Run.ID, sum.Run.Outcome, exitCode(ctx, verdict), hint, sum.Run.StartedAt.UTC(), sum.Run.FinishedAt.UTC(), sum.Run.Requests,
		sum.Run.Read, sum.Run.New, sum.Run.Changed, sum.Run.Withdrawn, sum.Run.Returned, int64(sum.ClockAhead.Seconds()), sum.Run.Error, []accountSummary{}}
	for i := range sum.Accounts {
		a := &sum.Accounts[i]
		x := accountSummary{Account: a.Name, Complete: a.Complete(), New: a.New, Changed: a.Changed,
			Withdrawn: a.Withdrawn, Returned: a.Returned, Proved: a.Proved, Rejected: a.Rejected, Accepted: a.Accepted, Quiet: a.Quiet, Open: []openJSON{}}
		for _, c := range s.Accounts {
			if c.Account == a.Name {
				x.Bills, x.ProvedFrom, x.ProvedTo = c.Bills, timeOrNil(c.From), timeOrNil(c.To)
			}
		}
		if a.Refused != nil {
			x.Refused, x.Advice = a.Refused.Error(), a.Refused.Advice
		}
		for _, t := range a.Open {
			x.Open = append(x.Open, openJSON{t.Span.Start.UTC(), t.Span.End.UTC(), t.Tail, string(t.State), timeOrNil(t.Until), t.Why})
		}
		out.Accounts = append(out.Accounts, x)
	}
	return out
}

package main

import (
	"cmp"
	"fmt"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/bill"
	"billsync/internal/ledger"
)

func newHandMatchCmd(g *globals) *cobra.Command {
	var h app.HandMatch
	var dry bool
	cmd := &cobra.Command{
		Use:   "match LINE[,LINE…] POSTING…",
		Short: "Match by hand: a line of the ledger with its posting, or with several",
		Long: `Match what no rule may decide: a line of a ledger with one posting or several, or
several lines with one posting. The match is confirmed at once: it stays, whatever is
imported later, as long as the ledger has its lines.

Lines are named by their number in the file, as "reconcile show" lists them, or by
id:N, their ledger_line_id in SQL; postings by their line_id, the "line of the books".
None of them may be in a match already: "reconcile reject ID" takes that apart first.
Two sides that do not add up need --force and a note.`,
		Example: `  syncer reconcile match 8 33IETL44HVY7GWYGBVWJVEWZM3
  syncer reconcile match 12 IPYV5PFRF4NGNT37S34WP32HTD PTW4DL4I23DNHX7ZYJEVRITLWQ --name may
  syncer reconcile match 5,6 KWLRDJJJPHMRRR7JLW33MGDB7L --note "paid in two halves"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usagef(`such as: syncer reconcile match 8 33IETL44HVY7GWYGBVWJVEWZM3; "syncer reconcile show" lists both`, "match takes a line of the ledger and a posting")
			}
			h.Lines, h.Postings = strings.Split(args[0], ","), args[1:]
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if u, err := user.Current(); err == nil && h.By == "" {
				h.By = cmp.Or(u.Username, u.Name)
			}
			a, _, err := g.app(cmd)
			if err != nil {
				return err
			}
			made, err := a.MatchByHand(cmd.Context(), h, dry)
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			if err != nil {
				return err
			}
			return g.printHandMatched(made, dry)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&h.Ledger, "name", "", "the `LEDGER` (default: the only one)")
	fs.StringVar(&h.By, "by", "", "who decides: `NAME` (default: the user of this computer)")
	fs.StringVar(&h.Note, "note", "", "`TEXT` for the auditor")
	fs.BoolVar(&h.Force, "force", false, "match them although they do not add up; needs --note")
	fs.BoolVarP(&dry, "dry-run", "n", false, "show what would be matched, change nothing")
	if err := cmd.RegisterFlagCompletionFunc("name", g.completeLedgers); err != nil {
		panic(err) // the flag is there
	}
	return cmd
}

func newForgetCmd(g *globals) *cobra.Command {
	var force, dry bool
	cmd := &cobra.Command{
		Use:   "forget NAME",
		Short: "A ledger was imported by mistake: free what it was matched with",
		Long: `Take a ledger away, as one that was imported by mistake or under a wrong name: its
matches are undone, and its postings are free for other ledgers. What a person has
decided stays readable: what was confirmed as withdrawn, what was rejected as such,
also if the ledger is imported again.`,
		Example: `  syncer reconcile forget "may (1)"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usagef("\"syncer reconcile list\" names the ledgers", "forget takes one ledger")
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return g.completeLedgers(cmd, args, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			a, _, err := g.app(cmd)
			if err != nil {
				return err
			}
			f, err := a.ForgetLedger(cmd.Context(), args[0], force, dry)
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			if err != nil {
				return err
			}
			return g.printForgotten(f, dry)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "withdraw confirmed matches, too")
	cmd.Flags().BoolVarP(&dry, "dry-run", "n", false, "show what would be forgotten, change nothing")
	return cmd
}

func (g *globals) printForgotten(f *app.Forgotten, dry bool) error {
	if g.json {
		return g.printJSON(struct {
			Type      string `json:"type"`
			DryRun    bool   `json:"dry_run"`
			Ledger    string `json:"ledger"`
			Lines     int    `json:"lines"`
			Matches   int    `json:"matches"`
			Withdrawn int    `json:"withdrawn"`
			Kept      bool   `json:"kept"`
		}{"forgotten", dry, f.Ledger, f.Lines, f.Matches, f.Confirmed, f.Kept})
	}
	word := "forgotten"
	if dry {
		word = "would be forgotten"
	}
	text := fmt.Sprintf("ledger %s %s: %s; matches undone: %s, confirmed ones withdrawn: %s\n", printable(f.Ledger), word, plural(f.Lines, "line", g.number), g.number(f.Matches), g.number(f.Confirmed))
	if f.Kept {
		text += "what was decided about it stays readable\n"
	}
	return g.print(text)
}

// printHandMatched tells which match a person made.
func (g *globals) printHandMatched(m *app.HandMatched, dry bool) error {
	if g.json {
		type sideJSON struct {
			ID       string `json:"id"` // ledger_line_id or line_id
			Line     int    `json:"ledger_line,omitempty"`
			Date     string `json:"date"`
			Amount   int64  `json:"amount"`
			Decimal  string `json:"amount_decimal"`
			Currency string `json:"currency"`
		}
		side := func(id string, line int, date string, a bill.Amount) sideJSON {
			return sideJSON{id, line, date, a.Value, a.Decimal(), a.Currency}
		}
		out := struct {
			Type     string     `json:"type"`
			DryRun   bool       `json:"dry_run"`
			ID       int64      `json:"match_id,omitempty"`
			State    string     `json:"state"`
			Rule     string     `json:"rule"`
			Differ   string     `json:"differ,omitempty"`
			Lines    []sideJSON `json:"lines"`
			Postings []sideJSON `json:"postings"`
		}{Type: "match", DryRun: dry, State: "confirmed", Rule: "manual", Differ: m.Differ}
		if !dry {
			out.ID = m.ID
		}
		for _, l := range m.Lines {
			out.Lines = append(out.Lines, side(fmt.Sprint(l.ID), l.Number, l.Date, l.Amount))
		}
		for _, p := range m.Postings {
			out.Postings = append(out.Postings, side(p.LineID, 0, p.Date, p.Amount))
		}
		return g.printJSON(out)
	}
	var b strings.Builder
	if dry {
		b.WriteString("would be matched by hand:\n")
	} else {
		fmt.Fprintf(&b, "match %d confirmed, by hand:\n", m.ID)
	}
	for _, l := range m.Lines {
		fmt.Fprintf(&b, "  line %-26d  %s  %s %s  %s\n", l.Number, l.Date, l.Amount.Decimal(), l.Amount.Currency, printable(l.Payee))
	}
	for _, p := range m.Postings {
		fmt.Fprintf(&b, "  %-31s  %s  %s %s  %s\n", p.LineID, p.Date, p.Amount.Decimal(), p.Amount.Currency, printable(p.Merchant))
	}
	if m.Differ != "" {
		fmt.Fprintf(&b, "  %s\n", m.Differ)
	}
	return g.print(b.String())
}

// completeLedgers lets the shell complete names of ledgers.
func (g *globals) completeLedgers(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp
	a, _, err := g.app(cmd)
	if err != nil {
		return nil, directive
	}
	names, err := a.LedgerNames(cmd.Context())
	if e := a.Close(); err != nil || e != nil {
		return nil, directive
	}
	return names, directive
}

// completeMatches lets the shell complete the numbers of matches.
func (g *globals) completeMatches(confirm bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
		a, _, err := g.app(cmd)
		if err != nil {
			return nil, directive
		}
		list, err := a.Undecided(cmd.Context(), confirm)
		if e := a.Close(); err != nil || e != nil {
			return nil, directive
		}
		var all []string
		for _, m := range list {
			all = append(all, cobra.CompletionWithDesc(fmt.Sprint(m.ID), fmt.Sprintf("%s by %s: %s", m.State, m.Rule, printable(m.Reason))))
		}
		return all, directive
	}
}

// completeReconcile lets the shell complete what the flags of reconcile allow.
func (g *globals) completeReconcile(cmd *cobra.Command) {
	fixed := func(choices ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)
	}
	for name, fn := range map[string]cobra.CompletionFunc{
		"name": g.completeLedgers, "spend-sign": fixed("negative", "positive"), "date-format": fixed("auto", "ymd", "dmy", "mdy"),
		"decimal-mark": fixed(".", ","), "encoding": fixed(ledger.Encodings...), "part": fixed(app.ReconcileParts...),
	} {
		if cmd.Flags().Lookup(name) == nil {
			continue
		}
		if err := cmd.RegisterFlagCompletionFunc(name, fn); err != nil {
			panic(err) // the flag is there
		}
	}
}

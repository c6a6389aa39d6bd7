package main

import (
	"cmp"
	"errors"
	"fmt"
	"os/user"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/bill"
	"billsync/internal/config"
	"billsync/internal/report"
)

type closeFlags struct {
	by, note                   string
	force, dryRun, list, check bool
}

func newCloseCmd(g *globals) *cobra.Command {
	var f closeFlags
	cmd := &cobra.Command{
		Use:     "close MONTH",
		Short:   "Close a month: what is in the books of it stays as it is",
		GroupID: groupLook,
		Long: `Close a month, written 2026-05, in the [report] timezone. What was posted in it is
kept for good: its totals, a hash over all its postings, who closed it and when.
What changes later is posted on the first day of the next open month, and
"syncer report adjustments" lists it with the month it belongs to.

A month is closed only if it is over and proved complete in every account, with
nothing left that could not be understood; --force closes it all the same, and
what stood in the way is kept with it. A closed month cannot be opened again, and
[report] timezone cannot change from then on.

--list shows the closed months. --check makes their hashes again, of all or of one
MONTH, and compares: exit code 3 if one differs.`,
		Example: `  syncer close 2026-05 --note "May, agreed with the ledger"
  syncer close 2026-05 --dry-run
  syncer close --list
  syncer close --check`,
		Args: func(_ *cobra.Command, args []string) error { return f.fit(args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			var month app.Month
			if len(args) == 1 {
				m, err := app.ParseMonth(args[0])
				if err != nil {
					return err
				}
				month = m
			}
			a, cfg, err := g.app(cmd)
			if err != nil {
				return err
			}
			switch {
			case f.list:
				err = g.listClosings(cmd, a, cfg)
			case f.check:
				err = g.checkClosings(cmd, a, cfg, month)
			default:
				err = g.closeMonth(cmd, a, cfg, month, f)
			}
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			return err
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.by, "by", "", "who closes it: `NAME` (default: the user of this computer)")
	fs.StringVar(&f.note, "note", "", "`TEXT` that is kept with it")
	fs.BoolVar(&f.force, "force", false, "also if it is not proved complete; what stood in the way is kept with it")
	fs.BoolVarP(&f.dryRun, "dry-run", "n", false, "show what it comes to, close nothing")
	fs.BoolVar(&f.list, "list", false, "show the closed months")
	fs.BoolVar(&f.check, "check", false, "make the hashes of closed months again and compare")
	return cmd
}

// fit judges which flags and arguments go together.
func (f *closeFlags) fit(args []string) error {
	closing := f.by != "" || f.note != "" || f.force || f.dryRun
	switch {
	case f.list && f.check:
		return usagef("choose one of them", "--list and --check do not go together")
	case (f.list || f.check) && closing:
		return usagef("\"syncer close --help\" shows what there is", "--by, --note, --force and --dry-run are for closing a month, not for looking at those that are closed")
	case f.list && len(args) > 0:
		return usagef("\"syncer close --check MONTH\" looks at one", "--list takes no month: it shows all")
	case len(args) > 1 || len(args) == 0 && !f.list && !f.check:
		return usagef("such as: syncer close 2026-05", "close takes one month")
	}
	for _, said := range []struct{ flag, text string }{{"--by", f.by}, {"--note", f.note}} {
		if !isLine(strings.TrimSpace(said.text)) {
			return usagef("say it in one line, without tabs", "%s: it holds a line's end or another control character", said.flag)
		}
	}
	return nil
}

// isLine reports whether a text is a line that can stand in a list.
func isLine(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) })
}

func (g *globals) closeMonth(cmd *cobra.Command, a *app.App, cfg *config.Config, month app.Month, f closeFlags) error {
	if f.by == "" && !cmd.Flags().Changed("by") {
		if u, err := user.Current(); err == nil {
			f.by = cmp.Or(u.Username, u.Name)
		}
	}
	c, err := a.CloseMonth(cmd.Context(), app.CloseOptions{Month: month, By: f.by, Note: f.note, Force: f.force, Dry: f.dryRun, Program: program()})
	if err != nil {
		var open *app.Verdict
		if errors.As(err, &open) && !g.json {
			g.remark(c.Remarks)
		}
		return err
	}
	if g.json {
		return g.printJSON(struct {
			Type    string   `json:"type"`
			DryRun  bool     `json:"dry_run"`
			Remarks []string `json:"remarks"`
			closingJSON
		}{"close", f.dryRun, append([]string{}, c.Remarks...), newClosingJSON(&c.Closing)})
	}
	g.remark(c.Remarks)
	word := "is closed"
	if f.dryRun {
		word = "would be closed"
	}
	if c.Forced {
		word += " although " + printable(c.OpenPoints)
	}
	text := fmt.Sprintf("%s %s, by %s: %s\nhash %s\n\n%s", c.Month, word, printable(c.By), plural(c.Postings, "posting", g.number), c.Hash, g.closingTable([]app.ClosedMonth{c.Closing}))
	if !f.dryRun {
		text += "\nwhat changes from now on is posted later: syncer report adjustments\n"
	}
	return g.print(text)
}

// remark says what is worth knowing, beside the result.
func (g *globals) remark(remarks []string) {
	for _, r := range remarks {
		fmt.Fprintf(g.stderr, "note: %s\n", r)
	}
}

// closingTable shows what closed months came to.
func (g *globals) closingTable(list []app.ClosedMonth) string {
	t := g.newTable("month", "account", "currency", "postings", "spends", "spent", "returned", "reversed", "adjusted", "net")
	t.right(4, 5, 6, 7, 8, 9, 10)
	none := true
	for i := range list {
		for j := range list[i].Totals {
			s := &list[i].Totals[j]
			money := func(v int64) string { return g.decimal(bill.Amount{Currency: s.Currency, Value: v}) }
			t.row(list[i].Month, s.Account, s.Currency, g.number(int(s.Postings)), g.number(int(s.Spends)),
				money(s.Spent), money(s.Returned), money(s.Reversed), money(s.Adjusted), money(s.Net()))
			none = false
		}
	}
	if none {
		return "nothing is posted in it\n"
	}
	return t.String()
}

// decimal is an amount without its currency, with separators where a person
// reads it.
func (g *globals) decimal(a bill.Amount) string {
	if isTerminal(g.stdout) {
		return report.Separated(a.Decimal())
	}
	return a.Decimal()
}

func (g *globals) listClosings(cmd *cobra.Command, a *app.App, cfg *config.Config) error {
	list, err := a.Closings(cmd.Context())
	if err != nil {
		return err
	}
	if g.json {
		out := struct {
			Type   string        `json:"type"`
			Months []closingJSON `json:"months"`
		}{"closings", []closingJSON{}}
		for i := range list {
			out.Months = append(out.Months, newClosingJSON(&list[i]))
		}
		return g.printJSON(out)
	}
	if len(list) == 0 {
		return g.print("no month is closed\n")
	}
	t := g.newTable("month", "closed", "by", "postings", "proved", "hash", "note")
	t.right(4)
	var forced strings.Builder // below the table, which it would make too wide
	for i := range list {
		c := &list[i]
		proved := momentOrNot(c.ProvedAt, cfg)
		if c.Forced {
			proved = "forced"
			fmt.Fprintf(&forced, "%s was closed although %s\n", c.Month, printable(c.OpenPoints))
		}
		t.row(c.Month, moment(c.At, cfg), printable(c.By), g.number(c.Postings), proved, c.Hash[:min(16, len(c.Hash))], printable(c.Note))
	}
	return g.print(t.String() + forced.String() + "\n" + g.closingTable(list))
}

func (g *globals) checkClosings(cmd *cobra.Command, a *app.App, cfg *config.Config, month app.Month) error {
	checked, err := a.CheckClosings(cmd.Context(), month)
	var differ *app.Verdict
	if err != nil && !errors.As(err, &differ) {
		return err
	}
	if g.json {
		type checkJSON struct {
			Month    string `json:"month"`
			Same     bool   `json:"same"`
			Differs  string `json:"differs,omitempty"`
			Hash     string `json:"postings_hash"`
			HashNow  string `json:"postings_hash_now"`
			Postings int    `json:"postings"`
			Now      int    `json:"postings_now"`
		}
		out := struct {
			Type string `json:"type"`
			verdictJSON
			Months []checkJSON `json:"months"`
		}{"close_check", endJSON(cmd.Context(), err), []checkJSON{}}
		for i := range checked {
			c := &checked[i]
			out.Months = append(out.Months, checkJSON{c.Month, c.Differ == "", c.Differ, c.Hash, c.Now.Hash, c.Postings, c.Now.Postings})
		}
		g.summed = true
		if e := g.printJSON(out); e != nil {
			return e
		}
		return err
	}
	var b strings.Builder
	for i := range checked {
		c := &checked[i]
		if c.Differ != "" {
			fmt.Fprintf(&b, "%s  DIFFERS: %s\n", c.Month, c.Differ)
			continue
		}
		fmt.Fprintf(&b, "%s  as it was closed on %s: %s, hash %s\n", c.Month, moment(c.At, cfg), plural(c.Postings, "posting", g.number), c.Hash)
	}
	if len(checked) == 0 {
		b.WriteString("no month is closed\n")
	}
	if e := g.print(b.String()); e != nil {
		return e
	}
	return err
}

type closingJSON struct {
	Month      string             `json:"month"`
	ClosedAt   time.Time          `json:"closed_at"`
	ClosedBy   string             `json:"closed_by"`
	Note       string             `json:"note,omitempty"`
	Forced     bool               `json:"forced"`
	OpenPoints string             `json:"open_points,omitempty"`
	ProvedAt   *time.Time         `json:"proved_at"`
	Postings   int                `json:"postings"`
	Hash       string             `json:"postings_hash"`
	Program    string             `json:"program"`
	Totals     []closingTotalJSON `json:"totals"`
}

type closingTotalJSON struct {
	Account         string `json:"account"`
	Currency        string `json:"currency"`
	Postings        int64  `json:"postings"`
	Spends          int64  `json:"spends"`
	Spent           int64  `json:"spent"`
	SpentDecimal    string `json:"spent_decimal"`
	Returned        int64  `json:"returned"`
	ReturnedDecimal string `json:"returned_decimal"`
	Reversed        int64  `json:"reversed"`
	ReversedDecimal string `json:"reversed_decimal"`
	Adjusted        int64  `json:"adjusted"`
	AdjustedDecimal string `json:"adjusted_decimal"`
	Net             int64  `json:"net"`
	NetDecimal      string `json:"net_decimal"`
}

func newClosingJSON(c *app.ClosedMonth) closingJSON {
	out := closingJSON{c.Month, c.At.UTC(), c.By, c.Note, c.Forced, c.OpenPoints, timeOrNil(c.ProvedAt), c.Postings, c.Hash, c.Program, []closingTotalJSON{}}
	for i := range c.Totals {
		s := &c.Totals[i]
		money := func(v int64) string { return bill.Amount{Currency: s.Currency, Value: v}.Decimal() }
		out.Totals = append(out.Totals, closingTotalJSON{
			s.Account, s.Currency, s.Postings, s.Spends, s.Spent, money(s.Spent), s.Returned, money(s.Returned),
			s.Reversed, money(s.Reversed), s.Adjusted, money(s.Adjusted), s.Net(), money(s.Net()),
		})
	}
	return out
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/config"
	"billsync/internal/verify"
)

func newVerifyCmd(g *globals) *cobra.Command {
	var f syncFlags
	var repair, books bool
	cmd := &cobra.Command{
		Use:     "verify",
		Short:   "Count at the API again what is proved, and compare",
		GroupID: groupLook,
		Long: `Count every proved window again at the API, one small request each, and compare
with the bills that are stored now. The windows overlap, the counted spans do
not: a bill is counted once. They end at seconds with no stored bill nearby,
because the API does not say whether it includes the ends.

Then each bill is compared with the JSON that was received, and the books with the
bills: each bill's postings with its states, the sums with the postings, and closed
months with their hashes. --books does that alone and asks the API nothing.

Exit code 0 if everything is proved and agrees, else 3. With --repair the windows
that differ are read again, in an ordinary run, and counted once more; bills that
somebody changed by hand are brought back to what was received; and what is missing
in the books is posted. A bill of which it is not certain any more what was received
is told, and nothing is posted of it.`,
		Example: `  syncer verify
  syncer verify --from 2026-03-01 --to 2026-05-31
  syncer verify --repair`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			if books && (repair || len(o.Accounts) > 0 || f.from != "" || f.to != "") {
				return usagef("the books are compared as a whole", "--books goes alone")
			}
			return g.verify(cmd, app.VerifyOptions{Accounts: o.Accounts, From: o.From, To: o.To, Repair: repair && !f.dryRun, Offline: books})
		},
	}
	fs := cmd.Flags()
	fs.StringArrayVar(&f.accounts, "account", nil, "only this `NAME`, repeatable")
	fs.StringVar(&f.from, "from", "", "only windows that reach into or past this `DATE`")
	fs.StringVar(&f.to, "to", "", "only windows that begin on or before this `DATE`")
	fs.BoolVar(&repair, "repair", false, "read the windows again that differ, and mend bills and books")
	fs.BoolVar(&books, "books", false, "compare the books with the bills only, ask the API nothing")
	fs.BoolVarP(&f.dryRun, "dry-run", "n", false, "count only, also with --repair")
	g.completeAccounts(cmd)
	return cmd
}

// verify counts and prints what came of it.
func (g *globals) verify(cmd *cobra.Command, o app.VerifyOptions) error {
	a, cfg, err := g.app(cmd)
	if err != nil {
		return err
	}
	bar := g.newProgress(cfg.Log)
	a.SetLog(g.log)
	o.Counting, o.Reading = bar.counted, bar.tell
	v, err := a.Verify(cmd.Context(), o)
	bar.end()
	if e := a.Close(); e != nil {
		g.log.Error().Err(e).Msg("closing")
	}
	if v.First == nil && v.Books == nil {
		return err // it did not come to a count
	}
	if g.json {
		g.summed = true
		if e := g.printJSON(verificationJSON(cmd.Context(), v, err)); e != nil {
			return e
		}
		return err
	}
	if e := g.print(g.verificationText(v, cfg, err)); e != nil {
		return e
	}
	return err
}

func (g *globals) verificationText(v app.Verification, cfg *config.Config, verdict error) string {
	var b strings.Builder
	if v.First != nil {
		b.WriteString(g.windowTable(v.First, cfg))
	}
	for _, r := range v.Runs {
		fmt.Fprintf(&b, "\nread again in run %d: %s\n", r.ID, found(r.New, r.Changed, r.Withdrawn, r.Returned, g.number))
	}
	if v.Again != nil {
		b.WriteString("\n" + g.windowTable(v.Again, cfg))
	}
	if k := v.Books; k != nil {
		fmt.Fprintf(&b, "\nbooks: %s of %s, %s, %d closed\n", plural(k.Postings, "posting", g.number), plural(k.Bills, "bill", g.number), plural(k.Months, "month", g.number), k.Closed)
		for _, f := range k.Findings {
			fmt.Fprintf(&b, "  %s: %s\n", printable(f.Subject), printable(f.Reason))
		}
	}
	b.WriteString("\n" + g.lastWord(v, verdict))
	return b.String()
}

// lastWord says in a line how it ended.
func (g *globals) lastWord(v app.Verification, verdict error) string {
	var open *app.Verdict
	switch {
	case errors.As(verdict, &open) && open.Advice != "":
		return open.Reason + "; " + open.Advice + "\n"
	case verdict != nil:
		return verdict.Error() + "\n"
	case v.Again != nil:
		return "everything agrees now\n"
	}
	if v.First == nil {
		return "the books are what the bills say\n"
	}
	rows, bills := v.First.Rows(), 0
	for _, r := range rows {
		bills += r.API
	}
	return fmt.Sprintf("everything agrees: %s, %s\n", plural(len(rows), "window", g.number), plural(bills, "bill", g.number))
}

func (g *globals) windowTable(res *verify.Result, cfg *config.Config) string {
	t := g.newTable("account", "span", "API counts", "stored", "unreadable", "difference", "proved", "")
	t.right(3, 4, 5, 6)
	for _, r := range res.Rows() {
		cells := append([]string{r.Account, g.days(r.Span, cfg)}, g.countCells(r)...)
		if !r.Asked {
			cells[3], cells[4] = "", "" // nor was it looked up
		}
		t.row(append(cells, momentOrNot(r.ProvedAt, cfg), remarks(r))...)
	}
	return t.String()
}

func verificationJSON(ctx context.Context, v app.Verification, verdict error) any {
	type runJSON struct {
		Run     int64  `json:"run_id"`
		Outcome string `json:"outcome"`
		New     int    `json:"bills_new"`
		Changed int    `json:"bills_changed"`
		Error   string `json:"error,omitempty"`
	}
	type repairJSON struct {
		Runs []runJSON `json:"runs"`
		Rows []rowJSON `json:"rows"`
	}
	type findingJSON struct {
		Subject string `json:"subject"`
		Reason  string `json:"reason"`
	}
	type booksJSON struct {
		Bills    int           `json:"bills"`
		Postings int           `json:"postings"`
		Months   int           `json:"months"`
		Closed   int           `json:"months_closed"`
		Altered  int           `json:"bills_altered"` // not what was received
		Findings []findingJSON `json:"findings"`
	}
	out := struct {
		Type string `json:"type"`
		verdictJSON
		Database  string      `json:"database"`
		Differing int         `json:"windows_differing"` // after the repair, if there was one
		Rows      []rowJSON   `json:"rows"`
		Repair    *repairJSON `json:"repair,omitempty"`
		Books     *booksJSON  `json:"books,omitempty"`
	}{Type: "verify", verdictJSON: endJSON(ctx, verdict), Database: v.Path, Rows: []rowJSON{}}
	if v.First != nil {
		out.Differing, out.Rows = len(v.Differing()), rowsJSON(v.First)
	}
	if k := v.Books; k != nil {
		out.Books = &booksJSON{k.Bills, k.Postings, k.Months, k.Closed, k.Altered, []findingJSON{}}
		for _, f := range k.Findings {
			out.Books.Findings = append(out.Books.Findings, findingJSON{f.Subject, f.Reason})
		}
	}
	if len(v.Runs) > 0 {
		out.Repair = &repairJSON{Rows: []rowJSON{}}
		for _, r := range v.Runs {
			out.Repair.Runs = append(out.Repair.Runs, runJSON{r.ID, r.Outcome, r.New, r.Changed, r.Error})
		}
		if v.Again != nil {
			out.Repair.Rows = rowsJSON(v.Again)
		}
	}
	return out
}

// endJSON is how a command ended.
func endJSON(ctx context.Context, verdict error) verdictJSON {
	end := verdictJSON{Code: exitCode(ctx, verdict)}
	if verdict == nil {
		return end
	}
	end.Message = verdict.Error()
	var h hinter
	if errors.As(verdict, &h) {
		end.Hint = h.Hint()
	}
	return end
}

package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/config"
	"billsync/internal/verify"
)

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

func newCompletenessCmd(g *globals) *cobra.Command {
	var accounts []string
	var asCSV bool
	cmd := &cobra.Command{
		Use:   "completeness",
		Short: "Month by month: what the API counts, what is stored, when it was proved",
		Long: `A sheet for an auditor: for each account and calendar month in the [report]
timezone what the API counts now, what is stored, the difference, the bills that
are stored but no longer listed (withdrawn; not counted), since when all of the
month is proved, and when it was counted. The first month begins with
history_start, the last one ends where the proof ends.

Every number is counted when the sheet is made, one small request a month. Months
are counted between seconds with no stored bill nearby, because the API does not
say whether it includes the ends: a bill within seconds of midnight may stand in
the month beside its own, never in both.

Exit code 0 if every month is proved and agrees, else 3; 4 if the API refuses us.`,
		Example: `  syncer report completeness
  syncer report completeness --csv > completeness.csv`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if asCSV && g.json {
				return usagef("choose one of them", "--csv and --json do not go together")
			}
			return g.completeness(cmd, app.ReportOptions{Accounts: accounts}, asCSV)
		},
	}
	cmd.Flags().StringArrayVar(&accounts, "account", nil, "only this `NAME`, repeatable")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "comma-separated values, times in UTC")
	g.completeAccounts(cmd)
	return cmd
}

// completeness makes the sheet and prints it.
func (g *globals) completeness(cmd *cobra.Command, o app.ReportOptions, asCSV bool) error {
	a, cfg, err := g.app(cmd)
	if err != nil {
		return err
	}
	bar := g.newProgress(cfg.Log)
	a.SetLog(g.log)
	o.Counting = bar.counted
	s, err := a.Completeness(cmd.Context(), o)
	bar.end()
	if e := a.Close(); e != nil {
		g.log.Error().Err(e).Msg("closing")
	}
	if s.Result == nil {
		return err
	}
	var e error
	switch {
	case g.json:
		g.summed = true
		e = g.printJSON(sheetJSON(s, cfg, endJSON(cmd.Context(), err)))
	case asCSV:
		e = g.sheetCSV(s)
	default:
		e = g.print(g.sheetText(s, cfg, err))
	}
	if e != nil {
		return e
	}
	return err
}

// program says which program made a sheet.
func program() string {
	b := thisBuild()
	if b.Commit == "" {
		return "syncer " + b.Version
	}
	return fmt.Sprintf("syncer %s (commit %.12s)", b.Version, b.Commit)
}

func (g *globals) sheetText(s app.Sheet, cfg *config.Config, verdict error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Completeness of World Card bills, by month in %s\n", cfg.Report.Timezone)
	fmt.Fprintf(&b, "database  %s\nAPI       %s, client %s\nmade      %s by %s\n\n", s.Path, s.Host, s.Client, moment(s.MadeAt, cfg), program())
	t := g.newTable("account", "month", "API counts", "stored", "unreadable", "difference", "withdrawn", "proved", "counted", "")
	t.right(3, 4, 5, 6, 7)
	for i := range s.Accounts {
		acct := &s.Accounts[i]
		for j := range acct.Rows {
			r := &acct.Rows[j]
			cells := append([]string{r.Account, r.Month}, g.countCells(r)...)
			t.row(append(cells, g.number(r.Withdrawn), momentOrNot(r.ProvedAt, cfg), momentOrNot(r.CountedAt, cfg), remarks(r))...)
		}
		if len(acct.Rows) > 0 {
			sum := sumOf(acct)
			t.row(append(append([]string{acct.Name, "all"}, g.countCells(&sum)...), g.number(sum.Withdrawn))...)
		}
	}
	b.WriteString(t.String() + "\n")
	var open *app.Verdict
	switch {
	case errors.As(verdict, &open) && open.Advice != "":
		b.WriteString(open.Reason + "; " + open.Advice + "\n")
	case verdict != nil:
		b.WriteString(verdict.Error() + "\n")
	default:
		b.WriteString("every month is proved, and what the API counts is what is stored\n")
	}
	return b.String()
}

// sumOf adds up the months of an account. What was not counted in every month
// has no sum.
func sumOf(acct *verify.Account) verify.Row {
	sum := verify.Row{Account: acct.Name, Counted: true}
	for i := range acct.Rows {
		r := &acct.Rows[i]
		sum.API += r.API
		sum.Stored += r.Stored
		sum.Unreadable += r.Unreadable
		sum.Withdrawn += r.Withdrawn
		sum.Counted = sum.Counted && r.Counted
	}
	return sum
}

// sheetCSV prints a line for each month. What the sheet says at its head stands
// in every line, so that lines may be filtered and put together.
func (g *globals) sheetCSV(s app.Sheet) error {
	w := csv.NewWriter(g.stdout)
	lines := [][]string{{
		"account", "month", "api_count", "stored", "unreadable", "difference", "withdrawn", "proved_at", "counted_at",
		"counted_from", "counted_to", "remark", "database", "api_host", "client_id", "made_at", "program",
	}}
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	for _, r := range s.Rows() {
		api, diff := "", ""
		if r.Counted {
			api, diff = strconv.Itoa(r.API), strconv.Itoa(r.Difference())
		}
		lines = append(lines, []string{
			r.Account, r.Month, api, strconv.Itoa(r.Stored), strconv.Itoa(r.Unreadable), diff, strconv.Itoa(r.Withdrawn),
			at(r.ProvedAt), at(r.CountedAt), at(r.Span.Start), at(r.Span.End), remarks(r), s.Path, s.Host, s.Client, at(s.MadeAt), program(),
		})
	}
	return w.WriteAll(lines)
}

func sheetJSON(s app.Sheet, cfg *config.Config, end verdictJSON) any {
	type sumJSON struct {
		Account    string     `json:"account"`
		Start      time.Time  `json:"history_start"`
		Until      *time.Time `json:"proved_to"`
		API        *int       `json:"api_count"`
		Stored     int        `json:"stored"`
		Unreadable int        `json:"unreadable"`
		Difference *int       `json:"difference"`
		Withdrawn  int        `json:"withdrawn"`
		Refused    string     `json:"refused,omitempty"`
	}
	out := struct {
		Type   string `json:"type"`
		Report string `json:"report"`
		verdictJSON
		Database string    `json:"database"`
		Host     string    `json:"api_host"`
		Client   string    `json:"client_id"`
		MadeAt   time.Time `json:"made_at"`
		Program  string    `json:"program"`
		Zone     string    `json:"timezone"`
		Rows     []rowJSON `json:"rows"`
		Sums     []sumJSON `json:"sums"`
	}{"report", "completeness", end, s.Path, s.Host, s.Client, s.MadeAt.UTC(), program(), cfg.Report.Timezone.String(), rowsJSON(s.Result), []sumJSON{}}
	for i := range s.Accounts {
		acct := &s.Accounts[i]
		sum := sumOf(acct)
		x := sumJSON{Account: acct.Name, Start: acct.Start.UTC(), Until: timeOrNil(acct.Until), Stored: sum.Stored, Unreadable: sum.Unreadable, Withdrawn: sum.Withdrawn}
		if sum.Counted && len(acct.Rows) > 0 {
			diff := sum.Difference()
			x.API, x.Difference = &sum.API, &diff
		}
		if acct.Refused != nil {
			x.Refused = acct.Refused.Error()
		}
		out.Sums = append(out.Sums, x)
	}
	return out
}

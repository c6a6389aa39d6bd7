package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/config"
	"billsync/internal/report"
	"billsync/internal/verify"
)

func newCompletenessCmd(g *globals) *cobra.Command {
	var accounts []string
	var out *report.Output
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

Its parts are months and accounts, the sums of each account. --json has them as rows
and sums.

Exit code 0 if every month is proved and agrees, else 3; 4 if the API refuses us.`,
		Example: `  syncer report completeness
  syncer report completeness --csv > completeness.csv
  syncer report completeness --xlsx completeness.xlsx`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := g.checkOutput(cmd, out); err != nil {
				return err
			}
			if out.JSON && out.Part != "" {
				return usagef("it has always both parts: rows and sums", "--part does not go with --json here")
			}
			return g.completeness(cmd, app.ReportOptions{Accounts: accounts}, out)
		},
	}
	cmd.Flags().StringArrayVar(&accounts, "account", nil, "only this `NAME`, repeatable")
	out = outputFlags(cmd)
	g.completeAccounts(cmd)
	return cmd
}

// completeness makes the sheet and prints it. Its JSON is older than other reports
// and keeps its names.
func (g *globals) completeness(cmd *cobra.Command, o app.ReportOptions, out *report.Output) error {
	a, cfg, err := g.reportApp(cmd, out)
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
	if g.json {
		g.summed = true
		e = g.printJSON(sheetJSON(s, cfg, endJSON(cmd.Context(), err)))
	} else {
		e = g.writeReport(completenessReport(s, cfg, err), out)
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

// completenessReport is the sheet as a report. What it says at its head stands in
// every row for programs, so that rows may be filtered and put together.
func completenessReport(s app.Sheet, cfg *config.Config, verdict error) *report.Report {
	return &report.Report{
		Name:  "completeness",
		Title: fmt.Sprintf("Completeness of World Card bills, by month in %s", cfg.Report.Timezone),
		About: []report.Fact{
			{Label: "database", Text: s.Path},
			{Label: "API", Text: s.Host + ", client " + s.Client},
			{Label: "made", Text: moment(s.MadeAt, cfg) + " by " + program()},
		},
		Parts: []report.Part{monthsPart(s), accountsPart(s)},
		Notes: []string{judged(verdict)},
	}
}

// judged says in a line how the counts turned out.
func judged(verdict error) string {
	var open *app.Verdict
	switch {
	case errors.As(verdict, &open) && open.Advice != "":
		return open.Reason + "; " + open.Advice
	case verdict != nil:
		return verdict.Error()
	}
	return "every month is proved, and what the API counts is what is stored"
}

// countColumns are those of counts. Where not everything was counted there is no
// sum of what the API counts: it would look like all.
func countColumns(counted bool) []report.Column {
	return []report.Column{
		{Name: "api_count", Title: "API counts", Kind: report.Count, Sum: counted},
		{Name: "stored", Title: "stored", Kind: report.Count, Sum: true},
		{Name: "unreadable", Title: "unreadable", Kind: report.Count, Sum: true},
		{Name: "difference", Title: "difference", Kind: report.Count, Sum: counted, Signed: true},
		{Name: "withdrawn", Title: "withdrawn", Kind: report.Count, Sum: true},
	}
}

// counts are the cells of those columns.
func counts(r *verify.Row) []any {
	var api, diff any
	if r.Counted {
		api, diff = int64(r.API), int64(r.Difference())
	}
	return []any{api, int64(r.Stored), int64(r.Unreadable), diff, int64(r.Withdrawn)}
}

func allCounted(rows []*verify.Row) bool {
	for _, r := range rows {
		if !r.Counted {
			return false
		}
	}
	return true
}

func monthsPart(s app.Sheet) report.Part {
	rows := s.Rows()
	columns := append([]report.Column{{Name: "account", Title: "account"}, {Name: "month", Title: "month", Kind: report.Month}}, countColumns(allCounted(rows))...)
	columns = append(columns,
		report.Column{Name: "proved_at", Title: "proved", Kind: report.Time},
		report.Column{Name: "counted_at", Title: "counted", Kind: report.Time},
		report.Column{Name: "counted_from", Title: "counted from", Kind: report.Time, Data: true},
		report.Column{Name: "counted_to", Title: "counted to", Kind: report.Time, Data: true},
		report.Column{Name: "remark", Title: "remark"},
		report.Column{Name: "database", Title: "database", Data: true},
		report.Column{Name: "api_host", Title: "API", Data: true},
		report.Column{Name: "client_id", Title: "client", Data: true},
		report.Column{Name: "made_at", Title: "made", Kind: report.Time, Data: true},
		report.Column{Name: "program", Title: "program", Data: true},
	)
	return report.Part{
		Name:    "months",
		Title:   "Months",
		Columns: columns,
		Empty:   "no month is proved",
		Rows: func(row func(report.Row) error) error {
			for _, r := range rows {
				cells := append(report.Row{r.Account, r.Month}, counts(r)...)
				cells = append(cells,
					report.At(r.ProvedAt), report.At(r.CountedAt), report.At(r.Span.Start), report.At(r.Span.End), remarks(r),
					s.Path, s.Host, s.Client, report.At(s.MadeAt), program())
				if err := row(cells); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func accountsPart(s app.Sheet) report.Part {
	columns := append([]report.Column{{Name: "account", Title: "account"}}, countColumns(allCounted(s.Rows()))...)
	columns = append(columns,
		report.Column{Name: "history_start", Title: "history from", Kind: report.Time},
		report.Column{Name: "proved_to", Title: "proved to", Kind: report.Time},
		report.Column{Name: "refused", Title: "refused"},
	)
	return report.Part{
		Name:    "accounts",
		Title:   "Accounts",
		Columns: columns,
		Empty:   "no account",
		Rows: func(row func(report.Row) error) error {
			for i := range s.Accounts {
				acct := &s.Accounts[i]
				sum := sumOf(acct)
				sum.Counted = sum.Counted && len(acct.Rows) > 0
				var refused any
				if acct.Refused != nil {
					refused = acct.Refused.Error()
				}
				cells := append(report.Row{acct.Name}, counts(&sum)...)
				if err := row(append(cells, report.At(acct.Start), report.At(acct.Until), refused)); err != nil {
					return err
				}
			}
			return nil
		},
	}
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

package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/bill"
	"billsync/internal/config"
	"billsync/internal/report"
)

func newStatusCmd(g *globals) *cobra.Command {
	var healthy, evidence bool
	var maxAge time.Duration
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "What is proved, what waits, what failed",
		GroupID: groupLook,
		Long: `Show for each account since when and until when every bill is proved to be
stored, what waits and until when, what failed and what to do, and the latest
runs. With --healthy nothing is printed: exit code 0 if everything is proved and
no older than the schedule expects (or than --max-age), else 3.

With --evidence: of all that waits, failed or is refused the last request and
answer with times and codes, to be sent to the API's support. Tokens, keys and
full card numbers were removed from them before they were stored.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if healthy && evidence {
				return usagef("--healthy prints nothing", "--healthy and --evidence do not go together")
			}
			a, cfg, err := g.app(cmd)
			if err != nil {
				return err
			}
			if evidence {
				return g.evidence(cmd, a, cfg)
			}
			s, err := a.Status(cmd.Context())
			if healthy {
				return g.healthy(s, maxAge, err)
			}
			if errors.Is(err, app.ErrNoDatabase) {
				if g.json {
					return g.printJSON(statusJSON(s))
				}
				return g.print(fmt.Sprintf("there is no database at %s yet\nnext: syncer sync\n", s.Path))
			}
			if err != nil {
				return err
			}
			if g.json {
				return g.printJSON(statusJSON(s))
			}
			return g.print(g.statusText(s, cfg))
		},
	}
	cmd.Flags().BoolVar(&healthy, "healthy", false, "print nothing; exit 0 or 3")
	cmd.Flags().BoolVar(&evidence, "evidence", false, "show the requests and answers that are kept for the API's support")
	cmd.Flags().DurationVar(&maxAge, "max-age", 0, "with --healthy: how old the newest proof may be, such as 2h")
	return cmd
}

// evidence prints what is kept for the API's support.
func (g *globals) evidence(cmd *cobra.Command, a *app.App, cfg *config.Config) error {
	cases, err := a.Evidence(cmd.Context())
	switch {
	case errors.Is(err, app.ErrNoDatabase) && !g.json:
		return g.print(fmt.Sprintf("there is no database at %s yet, and so no evidence\nnext: syncer sync\n", a.DatabasePath()))
	case err != nil && !errors.Is(err, app.ErrNoDatabase):
		return err
	case g.json:
		return g.printJSON(evidenceJSON(cfg, cases))
	}
	return g.print(g.evidenceText(cases, cfg))
}

// healthy is for containers and monitors.
func (g *globals) healthy(s app.Status, maxAge time.Duration, err error) error {
	if errors.Is(err, app.ErrNoDatabase) {
		return &checkFailed{exitIncomplete}
	}
	if err != nil {
		return err
	}
	for i := range s.Accounts {
		a := &s.Accounts[i]
		if !a.Healthy() && (maxAge == 0 || !a.Complete) || maxAge > 0 && g.now().Sub(a.To) > maxAge {
			return &checkFailed{exitIncomplete}
		}
	}
	return nil
}

func (g *globals) statusText(s app.Status, cfg *config.Config) string {
	var b strings.Builder
	t := g.newTable("account", "bills", "proved from", "proved to", "windows", "complete")
	t.right(2)
	for _, a := range s.Accounts {
		if !a.Known {
			t.row(a.Account, "0", "", "", "", "no: not read yet")
			continue
		}
		word := "yes"
		switch {
		case !a.Complete:
			word = "NO"
		case a.Late > 0:
			word = "yes, but late by " + seconds(a.Late)
		}
		from, to := "", ""
		if !a.To.IsZero() {
			from, to = firstDay(a.From, cfg), moment(a.To, cfg)
		}
		t.row(a.Account, g.number(a.Bills), from, to, fmt.Sprintf("%d of %d proved", a.WindowsProved, a.Windows), word)
	}
	b.WriteString(t.String())
	kept := false
	for _, a := range s.Accounts {
		g.accountTrouble(&b, &a, cfg)
		kept = kept || len(a.Waiting) > 0 || a.Refusal.Code != "" || a.Tail != nil && a.Tail.LastError != ""
	}
	for _, n := range s.Notices {
		fmt.Fprintf(&b, "\n%s: a notification of %s waits in the inbox: %s\n  the next sync looks again; \"syncer accept notification:%d --note TEXT\" lets it be\n",
			cmp.Or(n.Account, "account not known"), moment(n.ReceivedAt, cfg), printable(n.Reason), n.ID)
	}
	if more := s.Inbox - len(s.Notices); more > 0 {
		fmt.Fprintf(&b, "\n%s more in the table inbox\n", plural(more, "notification", g.number))
	}
	b.WriteString(openHolders(s.Cardholders))
	if kept {
		b.WriteString("\nfor the API's support: syncer status --evidence\n")
	}
	if len(s.ByStatus) > 0 {
		b.WriteString("\n")
		t := g.newTable("status", "bills")
		t.right(2)
		for _, c := range s.ByStatus {
			t.row(c.Name, g.number(c.Bills))
		}
		b.WriteString(t.String())
	}
	if len(s.ByCurrency) > 0 {
		b.WriteString("\n")
		t := g.newTable("currency", "bills", "spent", "returned", "net")
		t.right(2, 3, 4, 5)
		for _, c := range s.ByCurrency {
			money := func(v int64) string {
				d := bill.Amount{Currency: c.Name, Value: v}.Decimal()
				if isTerminal(g.stdout) {
					d = report.Separated(d)
				}
				return d
			}
			t.row(c.Name, g.number(c.Bills), money(c.Amount), money(c.Back), money(c.Amount-c.Back))
		}
		b.WriteString(t.String())
		b.WriteString("failed and cancelled bills moved no money and are left out\n")
	}
	if len(s.Runs) > 0 {
		b.WriteString("\n")
		t := g.newTable("run", "started", "took", "requests", "new", "changed", "withdrawn", "came back", "outcome")
		t.right(1, 3, 4, 5, 6, 7, 8)
		for _, r := range s.Runs {
			took := ""
			if !r.FinishedAt.IsZero() {
				took = seconds(r.FinishedAt.Sub(r.StartedAt))
			}
			t.row(fmt.Sprint(r.ID), moment(r.StartedAt, cfg), took, g.number(int(r.Requests)), g.number(r.New), g.number(r.Changed),
				g.number(r.Withdrawn), g.number(r.Returned), r.Outcome)
		}
		b.WriteString(t.String())
		b.WriteString(lastRun(s.Runs[0]))
	}
	fmt.Fprintf(&b, "\nask the database: sqlite3 -readonly -box %s 'SELECT * FROM monthly_spend'\nmore: syncer help sql\n", near(s.Path))
	return b.String()
}

// lastRun says why the latest run was not complete.
func lastRun(r bill.Run) string {
	why := r.Error
	if r.Outcome == app.Killed {
		why += "; \"syncer sync\" goes on where it was"
	}
	if r.Outcome == "complete" || why == "" {
		return ""
	}
	return fmt.Sprintf("run %d: %s\n", r.ID, printable(why))
}

// accountTrouble says what of an account waits, failed or was refused, and what
// to do.
func (g *globals) accountTrouble(b *strings.Builder, a *app.AccountStatus, cfg *config.Config) {
	if a.Refusal.Code != "" {
		fmt.Fprintf(b, "\n%s is refused by the API since %s: %s\n", a.Account, moment(a.Refusal.At, cfg), a.Refusal.Reason)
	}
	if a.TokenEnd != "" {
		fmt.Fprintf(b, "\n%s: access token %s\n", a.Account, a.TokenEnd)
	}
	for _, w := range a.Waiting {
		line := fmt.Sprintf("\n%s %s: %s", a.Account, g.days(w.Span, cfg), w.State)
		switch {
		case !w.NextAttemptAt.IsZero():
			line += " until " + moment(w.NextAttemptAt, cfg)
		case !w.AcceptedAt.IsZero():
			line += ", accepted " + moment(w.AcceptedAt, cfg)
		case w.NeedsPerson():
			line += " for a person"
		case w.State == bill.Waiting:
			line += " for the next run"
		case w.State == bill.Failed:
			line += fmt.Sprintf("; \"syncer retry\" asks again, \"syncer accept window:%d\" lets it be", w.ID)
		}
		fmt.Fprintf(b, "%s\n  %s\n", line, w.LastError)
	}
	if t := a.Tail; t != nil && t.LastError != "" {
		fmt.Fprintf(b, "\n%s since %s: %s\n  %s\n", a.Account, firstDay(t.CoveredFrom, cfg), t.State, t.LastError)
	}
	for _, c := range a.Chases {
		fmt.Fprintf(b, "\n%s: looking for changed bills in window:%d: %s: %s\n", a.Account, c.WindowID, c.State, c.LastError)
	}
	if a.Quiet != "" {
		fmt.Fprintf(b, "\n%s: %s\n", a.Account, a.Quiet)
	}
	if a.Unread > 0 {
		fmt.Fprintf(b, "\n%s: %s not read yet; \"syncer sync\" goes on\n", a.Account, plural(a.Unread, "window", g.number))
	}
	for _, r := range a.Rejected {
		fmt.Fprintf(b, "\n%s: item %d could not be understood: %s\n  \"syncer accept item:%d --note TEXT\" lets it be\n", a.Account, r.ID, r.Reason, r.ID)
	}
	if n := a.Unreadable - len(a.Rejected); n > 0 {
		fmt.Fprintf(b, "\n%s: %s more in the table rejected_items\n", a.Account, plural(n, "item", g.number))
	}
}

func statusJSON(s app.Status) any {
	type windowJSON struct {
		Start         time.Time  `json:"start"`
		End           time.Time  `json:"end"`
		State         string     `json:"state"`
		Attempts      int        `json:"attempts"`
		NextAttemptAt *time.Time `json:"next_attempt_at"`
		LastError     string     `json:"last_error"`
	}
	type accountJSON struct {
		Account       string       `json:"account"`
		Complete      bool         `json:"complete"`
		HistoryStart  *time.Time   `json:"history_start"`
		ProvedFrom    *time.Time   `json:"proved_from"`
		ProvedTo      *time.Time   `json:"proved_to"`
		ProvedAt      *time.Time   `json:"proved_at"`
		LateSeconds   int          `json:"late_seconds"`
		Bills         int          `json:"bills"`
		Windows       int          `json:"windows"`
		WindowsProved int          `json:"windows_proved"`
		Refused       string       `json:"refused,omitempty"`
		NotUnderstood int          `json:"not_understood"`
		Waiting       []windowJSON `json:"waiting"`
		TokenExpires  *time.Time   `json:"token_expires_at"`
		TokenDue      *time.Time   `json:"token_refresh_due_at"`
	}
	type runJSON struct {
		Run        int64      `json:"run_id"`
		Trigger    string     `json:"trigger"`
		StartedAt  time.Time  `json:"started_at"`
		FinishedAt *time.Time `json:"finished_at"`
		Outcome    string     `json:"outcome"`
		Requests   int64      `json:"requests"`
		New        int        `json:"bills_new"`
		Changed    int        `json:"bills_changed"`
		Withdrawn  int        `json:"bills_withdrawn"`
		Returned   int        `json:"bills_returned"`
		Error      string     `json:"error,omitempty"`
	}
	out := struct {
		Type     string        `json:"type"`
		Database string        `json:"database"`
		Accounts []accountJSON `json:"accounts"`
		Runs     []runJSON     `json:"runs"`
		Inbox    int           `json:"notifications_waiting"`
		Holders  []holderJSON  `json:"cardholders_open"`
	}{"status", s.Path, []accountJSON{}, []runJSON{}, s.Inbox, []holderJSON{}}
	for i := range s.Cardholders {
		out.Holders = append(out.Holders, holderOf(&s.Cardholders[i].Cardholder))
	}
	for _, a := range s.Accounts {
		x := accountJSON{a.Account, a.Complete, timeOrNil(a.HistoryStart), timeOrNil(a.From), timeOrNil(a.To), timeOrNil(a.ProvedAt),
			int(a.Late.Seconds()), a.Bills, a.Windows, a.WindowsProved, a.Refusal.Reason, a.Unreadable, []windowJSON{}, nil, nil}
		if a.Token != nil {
			x.TokenExpires, x.TokenDue = timeOrNil(a.Token.ExpiresAt), timeOrNil(a.Token.DueAt)
		}
		for _, w := range a.Waiting {
			x.Waiting = append(x.Waiting, windowJSON{w.Start.UTC(), w.End.UTC(), string(w.State), w.Attempts, timeOrNil(w.NextAttemptAt), w.LastError})
		}
		out.Accounts = append(out.Accounts, x)
	}
	for _, r := range s.Runs {
		out.Runs = append(out.Runs, runJSON{r.ID, r.Trigger, r.StartedAt.UTC(), timeOrNil(r.FinishedAt), r.Outcome, r.Requests, r.New, r.Changed, r.Withdrawn, r.Returned, r.Error})
	}
	return out
}

// near names a file the short way if it lies in the current folder.
func near(path string) string {
	if dir, err := os.Getwd(); err == nil && filepath.Dir(path) == dir {
		return filepath.Base(path)
	}
	return path
}

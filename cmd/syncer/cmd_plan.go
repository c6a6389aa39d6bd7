package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/config"
)

func newPlanCmd(g *globals) *cobra.Command {
	var f syncFlags
	var probe bool
	cmd := &cobra.Command{
		Use:     "plan",
		Short:   "What sync would ask for now",
		GroupID: groupLook,
		Long: `Show what "syncer sync" would ask for now: windows, pages, requests, and how long
that takes at the configured rate. Nothing is written and the API is asked
nothing, unless --probe lets it count the bills of each window first.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			return g.plan(cmd, o, probe, "syncer sync")
		},
	}
	f.add(cmd, false)
	cmd.Flags().BoolVar(&probe, "probe", false, "ask the API how many bills each window has")
	g.completeAccounts(cmd)
	return cmd
}

// plan prints what a run would ask for, and the command that does it.
func (g *globals) plan(cmd *cobra.Command, o app.SyncOptions, probe bool, next string) error {
	a, cfg, err := g.app(cmd)
	if err != nil {
		return err
	}
	p, err := a.Plan(cmd.Context(), o, probe)
	if e := a.Close(); e != nil {
		g.log.Error().Err(e).Msg("closing")
	}
	if err != nil {
		return err
	}
	if g.json {
		return g.printJSON(planJSON(p))
	}
	if len(p.Steps) == 0 {
		return g.print("nothing is due\n" + g.pauses(p.Waiting, cfg))
	}
	t := g.newTable("account", "span", "what", "bills", "requests")
	for _, s := range p.Steps {
		what, bills := "first reading", "?"
		switch {
		case s.Tail:
			what = "tail"
		case s.Chase:
			what = "counts, for changes"
		case s.From > 1:
			what = fmt.Sprintf("goes on from page %d", s.From)
		case s.Reread:
			what = "read again"
		}
		if s.Bills >= 0 {
			if bills = g.number(s.Bills); !s.Known {
				bills = "~" + bills
			}
		}
		t.row(s.Account, g.days(s.Span, cfg), what, bills, g.number(s.Requests(p.PageSize)))
	}
	var b strings.Builder
	b.WriteString(t.String())
	if p.Unknown > 0 {
		fmt.Fprintf(&b, "\nat least %s; how many bills %s hold is not known yet (--probe asks)\n",
			plural(p.Requests, "request", g.number), plural(p.Unknown, "window", g.number))
	} else {
		fmt.Fprintf(&b, "\n%s, about %s at %g a second\n", plural(p.Requests, "request", g.number), seconds(p.Takes), cfg.API.RequestsPerSecond)
	}
	b.WriteString(g.pauses(p.Waiting, cfg))
	b.WriteString("next: " + next + "\n")
	return g.print(b.String())
}

// pauses says what is left out, and until when.
func (g *globals) pauses(all []app.Pause, cfg *config.Config) string {
	var b strings.Builder
	for _, p := range all {
		what := ""
		if p.Tail {
			what = "tail "
		}
		fmt.Fprintf(&b, "not asked: %s %s%s: ", p.Account, what, g.days(p.Span, cfg))
		if p.Until.IsZero() {
			b.WriteString("failed; a refresh or \"syncer retry\" asks again\n")
		} else {
			b.WriteString("waits until " + moment(p.Until, cfg) + "\n")
		}
	}
	return b.String()
}

func planJSON(p app.Plan) any {
	type step struct {
		Account  string    `json:"account"`
		Start    time.Time `json:"start"`
		End      time.Time `json:"end"`
		Tail     bool      `json:"tail"`
		Reread   bool      `json:"reread"`
		FromPage int       `json:"from_page"`
		Bills    *int      `json:"bills"`
		Counted  bool      `json:"counted"`
		Requests int       `json:"requests"`
	}
	type pause struct {
		Account       string     `json:"account"`
		Start         time.Time  `json:"start"`
		End           *time.Time `json:"end"` // null: now
		Tail          bool       `json:"tail"`
		State         string     `json:"state"`
		NextAttemptAt *time.Time `json:"next_attempt_at"` // null: by a refresh or a retry
		Why           string     `json:"why,omitempty"`
	}
	out := struct {
		Type     string  `json:"type"`
		Requests int     `json:"requests"`
		AtLeast  bool    `json:"at_least"`
		Seconds  float64 `json:"seconds"`
		Steps    []step  `json:"steps"`
		Waiting  []pause `json:"waiting"`
	}{"plan", p.Requests, p.Unknown > 0, p.Takes.Seconds(), []step{}, []pause{}}
	for _, s := range p.Steps {
		x := step{s.Account, s.Span.Start.UTC(), s.Span.End.UTC(), s.Tail, s.Reread, max(1, s.From), nil, s.Known, s.Requests(p.PageSize)}
		if s.Bills >= 0 {
			x.Bills = &s.Bills
		}
		out.Steps = append(out.Steps, x)
	}
	for _, w := range p.Waiting {
		out.Waiting = append(out.Waiting, pause{w.Account, w.Span.Start.UTC(), timeOrNil(w.Span.End), w.Tail, string(w.State), timeOrNil(w.Until), w.Why})
	}
	return out
}

package main

import (
	"fmt"
	"strings"
	"time"

	"billsync/internal/app"
	"billsync/internal/config"
)

// evidenceText is what the API's support asks for, to be pasted into a mail.
func (g *globals) evidenceText(cases []app.Case, cfg *config.Config) string {
	if len(cases) == 0 {
		return "nothing waits, failed or is refused: there is no evidence to show\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "What was asked of %s and what came; times in %s.\n", cfg.API.BaseURL, cfg.Report.Timezone)
	b.WriteString("Tokens, keys and full card numbers were removed before this was stored.\n")
	for i := range cases {
		c := &cases[i]
		fmt.Fprintf(&b, "\n%s\n", g.caseTitle(c, cfg))
		if c.Why != "" {
			fmt.Fprintf(&b, "  %s\n", printable(c.Why))
		}
		e := c.Evidence
		if e == nil {
			b.WriteString("  no request of it is kept: every one was answered\n")
			continue
		}
		line := func(name, text string) {
			if text != "" {
				fmt.Fprintf(&b, "  %-10s%s\n", name, printable(text))
			}
		}
		b.WriteString("\n")
		line("outcome", e.Outcome)
		line("code", e.Code)
		line("message", e.Message)
		line("run", fmt.Sprint(e.RunID))
		if e.SentAt.IsZero() {
			line("sent", "never")
			continue
		}
		line("sent", precise(e.SentAt, cfg))
		if e.AnsweredAt.IsZero() {
			line("answered", "never")
		} else {
			line("answered", precise(e.AnsweredAt, cfg))
		}
		if e.HTTPStatus != 0 {
			line("HTTP", fmt.Sprint(e.HTTPStatus))
		}
		fmt.Fprintf(&b, "\n  the request:\n\n%s%s\n%s", quoted(e.RequestLine), quoted(e.RequestHeaders), quoted(e.RequestBody))
		if e.ResponseHeaders != "" || e.ResponseBody != "" {
			fmt.Fprintf(&b, "\n  the answer:\n\n%s\n%s", quoted(e.ResponseHeaders), quoted(e.ResponseBody))
		}
	}
	return b.String()
}

// caseTitle says what of an account this is about.
func (g *globals) caseTitle(c *app.Case, cfg *config.Config) string {
	s := "account " + c.Account
	if !c.Span.Start.IsZero() {
		s += ", " + g.days(c.Span, cfg)
	}
	s += ": " + c.State
	if !c.Until.IsZero() {
		s += " until " + moment(c.Until, cfg)
	}
	return s
}

// precise is a moment to the millisecond, as support compares it with its logs.
func precise(t time.Time, cfg *config.Config) string {
	return t.In(cfg.Report.Timezone).Format("2006-01-02 15:04:05.000 -07:00")
}

// quoted indents a text of others and takes out what could move the cursor.
func quoted(text string) string {
	if text == "" {
		return ""
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		b.WriteString(strings.TrimRight("    "+printable(strings.ReplaceAll(line, "\t", "    ")), " ") + "\n")
	}
	return b.String()
}

// evidenceJSON is the same for programs.
func evidenceJSON(cfg *config.Config, cases []app.Case) any {
	type message struct {
		Line    string `json:"line,omitempty"`
		Headers string `json:"headers"`
		Body    string `json:"body"`
	}
	type evidence struct {
		Run        int64      `json:"run_id"`
		Outcome    string     `json:"outcome"`
		Code       string     `json:"code"`
		Message    string     `json:"message"`
		SentAt     *time.Time `json:"sent_at"`
		AnsweredAt *time.Time `json:"answered_at"`
		HTTPStatus int        `json:"http_status,omitempty"`
		Request    message    `json:"request"`
		Response   message    `json:"response"`
	}
	type caseJSON struct {
		Account       string     `json:"account"`
		Start         *time.Time `json:"start"`
		End           *time.Time `json:"end"` // null: now
		Tail          bool       `json:"tail"`
		State         string     `json:"state"`
		NextAttemptAt *time.Time `json:"next_attempt_at"`
		Why           string     `json:"why"`
		Evidence      *evidence  `json:"evidence"` // null: no request of it is kept
	}
	out := struct {
		Type     string     `json:"type"`
		Database string     `json:"database"`
		BaseURL  string     `json:"base_url"`
		Cases    []caseJSON `json:"cases"`
	}{"evidence", cfg.Database.URL, cfg.API.BaseURL, []caseJSON{}}
	for _, c := range cases {
		x := caseJSON{Account: c.Account, Start: timeOrNil(c.Span.Start), Tail: c.Tail, State: c.State, NextAttemptAt: timeOrNil(c.Until), Why: c.Why}
		if !c.OpenEnd {
			x.End = timeOrNil(c.Span.End)
		}
		if e := c.Evidence; e != nil {
			x.Evidence = &evidence{e.RunID, e.Outcome, e.Code, e.Message, timeOrNil(e.SentAt), timeOrNil(e.AnsweredAt), e.HTTPStatus,
				message{e.RequestLine, e.RequestHeaders, e.RequestBody}, message{"", e.ResponseHeaders, e.ResponseBody}}
		}
		out.Cases = append(out.Cases, x)
	}
	return out
}

package main

import (
	"fmt"
	"strings"
	"time"

	"billsync/internal/app"
	"billsync/internal/card"
	"billsync/internal/config"
)

// registrationText is a request and what came of it, for people.
func registrationText(r *app.Registration, dry bool, cfg *config.Config) string {
	var b strings.Builder
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-12s%s\n", name, printable(text))
		}
	}
	if dry {
		return previewText(r)
	}
	if r.Known {
		said := "it was stored before; nothing was asked"
		if r.Sent {
			said = "it was stored before and is sent again, under the same id"
		}
		line("known", said)
	}
	line("request", r.RequestID)
	line("account", r.Account)
	line("type", r.Type)
	line("state", holderState(&r.Cardholder))
	line("review", r.AuditStatus)
	line("available", available(&r.Cardholder))
	line("order", r.OrderID)
	line("cardholder", r.CardholderID)
	b.WriteString(reviewText(&r.Cardholder, cfg))
	b.WriteString(othersText(r.Others))
	return b.String()
}

// previewText says what would be sent.
func previewText(r *app.Registration) string {
	switch {
	case r.Known && r.State == "answered":
		return fmt.Sprintf("nothing would be sent: request %s made this cardholder before (%s)\n", r.RequestID, r.AuditStatus)
	case r.Known:
		return fmt.Sprintf("would send request %s of account %s again: %s, %d bytes of information\n", r.RequestID, r.Account, r.Type, r.Bytes)
	}
	id := r.RequestID
	if id == "" {
		id = "with an id made for it"
	}
	return fmt.Sprintf("would send a new request %s for account %s: %s, %d bytes of information\n", id, r.Account, r.Type, r.Bytes)
}

// holderState says where a request stands.
func holderState(c *app.Cardholder) string {
	if !c.AcceptedAt.IsZero() && c.State != "answered" {
		return c.State + ", accepted"
	}
	return c.State
}

// available says whether a cardholder can be used, and why not.
func available(c *app.Cardholder) string {
	text := map[string]string{"T": "yes", "F": "no"}[c.AvailableStatus]
	if text == "" {
		text = c.AvailableStatus
	}
	var why []string
	for _, w := range []string{c.FailCode, c.FailMessage} {
		if w != "" {
			why = append(why, w)
		}
	}
	if len(why) > 0 {
		text = strings.TrimSpace(text + " (" + strings.Join(why, ": ") + ")")
	}
	return text
}

// reviewText says in a line what an answer means.
func reviewText(c *app.Cardholder, cfg *config.Config) string {
	const ask = "\"syncer cardholder list --refresh\" asks how it ended"
	switch {
	case c.State != "answered":
		if c.NextAttemptAt.IsZero() {
			return ""
		}
		return "asked again under the same id from " + moment(c.NextAttemptAt, cfg) + "\n"
	case c.AuditStatus == "APPROVED" && c.CardholderID == "":
		return "approved, but the API did not name the cardholder: \"syncer cardholder list --refresh\" looks for it\n"
	case c.AuditStatus == "APPROVED":
		return ""
	case c.AuditStatus == "PENDING":
		return "registered; the review goes on: " + ask + "\n"
	case c.AuditStatus == "REJECTED":
		return "the review REJECTED it: there is no usable cardholder, and nothing is sent again\n"
	case c.AuditStatus == "":
		return "registered; the API does not say how the review stands: " + ask + "\n"
	}
	return "registered; this review status is not documented: " + ask + "\n"
}

// othersText names what the API lists and nobody here made.
func othersText(others []card.Holder) string {
	const most = 5
	if len(others) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("the API lists cardholders that were not made from here; it may be one of them, or none:\n")
	for _, h := range others[:min(len(others), most)] {
		b.WriteString(" ")
		for _, part := range []string{h.CardholderID, h.OrderID, h.Type, h.AuditStatus} {
			if part != "" {
				b.WriteString(" " + printable(part))
			}
		}
		b.WriteString("\n")
	}
	if more := len(others) - most; more > 0 {
		fmt.Fprintf(&b, "  and %d more\n", more)
	}
	return b.String()
}

// resumptionText is what became of the requests that were open, for people.
func resumptionText(r *app.Resumption, dry bool, cfg *config.Config) string {
	var b strings.Builder
	for i := range r.Done {
		x := &r.Done[i]
		switch {
		case dry:
			b.WriteString(previewText(x))
			continue
		case !x.Sent:
			fmt.Fprintf(&b, "request %s: not sent\n", x.RequestID)
			continue
		}
		fmt.Fprintf(&b, "request %s: %s", x.RequestID, x.State)
		for _, part := range []string{x.AuditStatus, x.CardholderID} {
			if part != "" {
				b.WriteString(" " + printable(part))
			}
		}
		b.WriteString("\n")
		if text := reviewText(&x.Cardholder, cfg); text != "" {
			b.WriteString("  " + text)
		}
		b.WriteString(othersText(x.Others))
	}
	switch {
	case len(r.Done)+len(r.Still) == 0:
		b.WriteString("nothing is open\n")
	case dry && len(r.Done) == 0:
		b.WriteString("nothing is due\n")
	case len(r.Still) > 0 && !dry:
		fmt.Fprintf(&b, "%d still open: syncer cardholder list\n", len(r.Still))
	}
	return b.String()
}

// holderListText is the list for people.
func (g *globals) holderListText(l *app.HolderList, o app.ListOptions, cfg *config.Config) string {
	var b strings.Builder
	if len(l.Holders) > 0 {
		t := g.newTable("request", "account", "type", "made", "state", "review", "available", "order", "cardholder")
		for i := range l.Holders {
			c := &l.Holders[i]
			cells := []string{c.RequestID, c.Account, c.Type, moment(c.CreatedAt, cfg), holderState(&c.Cardholder), c.AuditStatus, available(&c.Cardholder), c.OrderID, c.CardholderID}
			for i := range cells {
				cells[i] = printable(cells[i])
			}
			t.row(cells...)
		}
		b.WriteString(t.String())
	} else if o.AuditStatus != "" {
		fmt.Fprintf(&b, "no cardholder that was made from here is in the review status %s\n", printable(o.AuditStatus))
	} else {
		b.WriteString("no cardholder was made from here yet\n")
	}
	pending := false
	for i := range l.Holders {
		c := &l.Holders[i]
		pending = pending || c.State == "answered" && c.AuditStatus != "APPROVED" && c.AuditStatus != "REJECTED"
		if c.Reason != "" {
			fmt.Fprintf(&b, "\n%s\n  %s\n", printable(c.Reason), c.Advice)
		}
	}
	if o.Refresh {
		b.WriteString("\n" + refreshText(l, g.number))
	} else if pending {
		b.WriteString("\nreviews go on: syncer cardholder list --refresh\n")
	}
	return b.String()
}

// refreshText says what the API's list held.
func refreshText(l *app.HolderList, n func(int) string) string {
	var b strings.Builder
	if l.Unknown > 0 || l.Refreshed {
		fmt.Fprintf(&b, "the API lists %s not made from here\n", plural(l.Unknown, "cardholder", n))
	}
	if l.Unreadable > 0 {
		fmt.Fprintf(&b, "WARNING: %s of the API's list could not be understood\n", plural(l.Unreadable, "item", n))
	}
	if l.Partial {
		b.WriteString("WARNING: the API's list is longer than was read\n")
	}
	for _, id := range l.Missing {
		fmt.Fprintf(&b, "request %s is not in the API's list\n", id)
	}
	return b.String()
}

// openHolders are the lines of a status about requests that are not settled.
func openHolders(open []app.HolderState) string {
	var b strings.Builder
	for i := range open {
		fmt.Fprintf(&b, "\ncardholder: %s\n  %s\n", printable(open[i].Reason), open[i].Advice)
	}
	return b.String()
}

type holderJSON struct {
	RequestID       string     `json:"request_id"`
	Account         string     `json:"account"`
	Type            string     `json:"cardholder_type"`
	State           string     `json:"state"`
	AuditStatus     string     `json:"audit_status"`
	AvailableStatus string     `json:"available_status"`
	FailCode        string     `json:"fail_code"`
	FailMessage     string     `json:"fail_message"`
	OrderID         string     `json:"order_id"`
	CardholderID    string     `json:"cardholder_id"`
	Attempts        int        `json:"attempts"`
	NextAttemptAt   *time.Time `json:"next_attempt_at"`
	LastCode        string     `json:"last_code"`
	LastError       string     `json:"last_error"`
	InfoFile        string     `json:"info_file"`
	CreatedAt       *time.Time `json:"created_at"`
	SentAt          *time.Time `json:"sent_at"`
	AnsweredAt      *time.Time `json:"answered_at"`
	RefreshedAt     *time.Time `json:"refreshed_at"`
	AcceptedAt      *time.Time `json:"accepted_at"`
	AcceptedNote    string     `json:"accepted_note"`
}

func holderOf(c *app.Cardholder) holderJSON {
	return holderJSON{c.RequestID, c.Account, c.Type, c.State, c.AuditStatus, c.AvailableStatus, c.FailCode, c.FailMessage, c.OrderID, c.CardholderID,
		c.Attempts, timeOrNil(c.NextAttemptAt), c.LastCode, c.LastError, c.InfoFile,
		timeOrNil(c.CreatedAt), timeOrNil(c.SentAt), timeOrNil(c.AnsweredAt), timeOrNil(c.RefreshedAt),
		timeOrNil(c.AcceptedAt), c.AcceptedNote}
}

type otherJSON struct {
	CardholderID string `json:"cardholder_id"`
	OrderID      string `json:"order_id"`
	Type         string `json:"cardholder_type"`
	AuditStatus  string `json:"audit_status"`
}

type registeredJSON struct {
	holderJSON
	Sent   bool        `json:"sent"`
	Known  bool        `json:"known_before"`
	Others []otherJSON `json:"not_from_here,omitempty"`
}

func registeredOf(r *app.Registration) registeredJSON {
	out := registeredJSON{holderJSON: holderOf(&r.Cardholder), Sent: r.Sent, Known: r.Known}
	for _, h := range r.Others {
		out.Others = append(out.Others, otherJSON{h.CardholderID, h.OrderID, h.Type, h.AuditStatus})
	}
	return out
}

// registrationJSON is a request and what came of it, for programs.
func registrationJSON(r *app.Registration, dry bool, err error) any {
	return struct {
		Type string `json:"type"`
		registeredJSON
		Dry   bool       `json:"dry_run"`
		Error *errorJSON `json:"error,omitempty"`
	}{"cardholder", registeredOf(r), dry, errorOf(err)}
}

// resumptionJSON is what became of the requests that were open, for programs.
func resumptionJSON(r *app.Resumption, dry bool, err error) any {
	out := struct {
		Type  string           `json:"type"`
		Done  []registeredJSON `json:"resumed"`
		Still []holderJSON     `json:"open"`
		Dry   bool             `json:"dry_run"`
		Error *errorJSON       `json:"error,omitempty"`
	}{"cardholder_resume", []registeredJSON{}, []holderJSON{}, dry, errorOf(err)}
	for i := range r.Done {
		out.Done = append(out.Done, registeredOf(&r.Done[i]))
	}
	for i := range r.Still {
		out.Still = append(out.Still, holderOf(&r.Still[i]))
	}
	return out
}

// holderListJSON is the list for programs.
func holderListJSON(l *app.HolderList, err error) any {
	out := struct {
		Type        string       `json:"type"`
		Holders     []holderJSON `json:"cardholders"`
		Refreshed   bool         `json:"refreshed"`
		NotFromHere int          `json:"not_from_here"`
		NotListed   []string     `json:"not_listed"`
		Unreadable  int          `json:"not_understood"`
		Partial     bool         `json:"partial"`
		Error       *errorJSON   `json:"error,omitempty"`
	}{"cardholders", []holderJSON{}, l.Refreshed, l.Unknown, append([]string{}, l.Missing...), l.Unreadable, l.Partial, errorOf(err)}
	for i := range l.Holders {
		out.Holders = append(out.Holders, holderOf(&l.Holders[i].Cardholder))
	}
	return out
}

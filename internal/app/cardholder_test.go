package app_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"billsync/internal/app"
	"billsync/internal/simulator"
	"billsync/internal/worldfirst"
)

const person = `{"userName": {"firstName": "Maximiliane", "lastName": "Oberhuber"},  "dateOfBirth": "1990-06-15"}`

// A counter is a desk for cardholders.
type counter struct {
	*desk
	info string // a file with a person
	log  *memo
}

func newCounter(t *testing.T, more string, change func(*simulator.Options)) *counter {
	t.Helper()
	c := &counter{desk: newDesk(t, more, change), log: &memo{}}
	c.App = c.again()
	c.info = c.file("info.json", person)
	return c
}

// again is the program started once more.
func (c *counter) again() *app.App {
	a := app.New(c.cfg, app.Options{Log: zerolog.New(c.log), Now: c.clock.now, Getenv: func(string) string { return "" }, RetryWait: time.Millisecond})
	c.t.Cleanup(func() { _ = a.Close() })
	return a
}

func (c *counter) file(name, text string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// create registers the person and wants an exit code.
func (c *counter) create(code int, change ...func(*app.CardholderOptions)) (app.Registration, error) {
	c.t.Helper()
	o := app.CardholderOptions{Type: "EMPLOYEE", Info: c.info}
	for _, f := range change {
		f(&o)
	}
	r, err := c.CreateCardholder(c.t.Context(), o)
	if got := exitCode(err); got != code {
		c.t.Errorf("create ended with %d (%v), want %d", got, err, code)
	}
	return r, err
}

func (c *counter) resume(code int, o app.ResumeOptions) (app.Resumption, error) {
	c.t.Helper()
	r, err := c.ResumeCardholders(c.t.Context(), o)
	if got := exitCode(err); got != code {
		c.t.Errorf("resume %+v ended with %d (%v), want %d", o, got, err, code)
	}
	return r, err
}

// only wants the one stored request to be in a state.
func (c *counter) only(state string) app.Cardholder {
	c.t.Helper()
	l, err := c.ListCardholders(c.t.Context(), app.ListOptions{})
	if err != nil || len(l.Holders) != 1 || l.Holders[0].State != state {
		c.t.Fatalf("list: %+v, %v, want one request that is %s", l.Holders, err, state)
	}
	return l.Holders[0].Cardholder
}

// registered wants so many cardholders at the API.
func (c *counter) registered(n int) {
	c.t.Helper()
	if got := c.api.Cardholders(); len(got) != n {
		c.t.Errorf("%d cardholders are registered, want %d: %+v", len(got), n, got)
	}
}

// faults gives the requests for cardholders their faults in turn, and none after
// the last.
func (c *counter) faults(list ...simulator.Fault) {
	var n atomic.Int64
	c.api.SetFault(func(r simulator.Request) simulator.Fault {
		if r.Path != worldfirst.CreateCardholderPath {
			return simulator.Fault{}
		}
		if i := n.Add(1) - 1; i < int64(len(list)) {
			return list[i]
		}
		return simulator.Fault{}
	})
}

func times(n int, f simulator.Fault) []simulator.Fault {
	list := make([]simulator.Fault, n)
	for i := range list {
		list[i] = f
	}
	return list
}

var (
	lost      = simulator.Fault{Kind: simulator.Drop}
	lostAfter = simulator.Fault{Kind: simulator.DropAfter}
	unknown   = simulator.Fault{Kind: simulator.Result, Code: "UNKNOWN_EXCEPTION"}
	unknownly = simulator.Fault{Kind: simulator.ResultAfter, Code: "UNKNOWN_EXCEPTION"}
)

func contains(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s is %q, want %q in it", what, text, w)
		}
	}
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestCardholderReviews(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	r, _ := c.create(0)
	if !r.Sent || r.Known || r.AuditStatus != "PENDING" || r.AvailableStatus != "F" || r.FailCode != "AUDIT_PENDING" || r.OrderID == "" || r.CardholderID != "" || len(r.RequestID) != 32 {
		t.Errorf("create: %+v", r)
	}
	if got := c.api.Cardholders()[0]; string(got.Info) != person || got.Type != "EMPLOYEE" || got.RequestID != r.RequestID {
		t.Errorf("the API received %+v", got)
	}
	// The same command again shows what it made and asks nothing.
	before := c.api.Requests()
	again, _ := c.create(0)
	if again.RequestID != r.RequestID || again.Sent || !again.Known || c.api.Requests() != before {
		t.Errorf("create again: %+v", again)
	}
	c.clock.move(time.Second)
	bad := c.file("bad.json", `{"n":"REJECT me"}`)
	c.create(0, func(o *app.CardholderOptions) { o.Info, o.Type = bad, "shareholder" })
	list := func(o app.ListOptions) (states []string) {
		l, err := c.ListCardholders(t.Context(), o)
		if err != nil || l.Refreshed != o.Refresh || l.Unreadable != 0 || l.Partial || len(l.Missing) != 0 {
			t.Errorf("list: %+v, %v", l, err)
		}
		for _, h := range l.Holders {
			states = append(states, fmt.Sprint(h.AuditStatus, " ", h.AvailableStatus, h.FailCode, " ", h.CardholderID != ""))
		}
		return states
	}
	c.clock.move(10 * time.Minute)
	expect(t, "before a refresh", list(app.ListOptions{}), []string{"PENDING FAUDIT_PENDING false", "PENDING FAUDIT_PENDING false"})
	expect(t, "refreshed", list(app.ListOptions{Refresh: true, AuditStatus: "approved"}), []string{"APPROVED T true"})
	expect(t, "afterwards", list(app.ListOptions{}), []string{"APPROVED T true", "REJECTED FAUDIT_REJECTED false"})
	c.registered(2)
	// What was rejected may be tried again.
	if again, _ := c.create(0, func(o *app.CardholderOptions) { o.Info, o.Type = bad, "SHAREHOLDER" }); again.Known || !again.Sent {
		t.Errorf("create after a rejection: %+v", again)
	}
	c.registered(3)
	// And a person may want the very same once more.
	if again, _ := c.create(0, func(o *app.CardholderOptions) { o.RequestID = "mine1" }); again.Known || again.RequestID != "mine1" {
		t.Errorf("create with another id: %+v", again)
	}
	c.registered(4)
}

// The API lists what was made elsewhere: it is counted, and not stored.
func TestCardholderListOfOthers(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	c.create(0)
	other := newCounter(t, "", nil)
	*other.cfg = *c.cfg
	other.cfg.Database.URL = filepath.Join(other.dir, "other.db")
	other.App = other.again()
	for i := range 60 {
		other.info = other.file("x.json", fmt.Sprintf(`{"n":"Nobody%d"}`, i))
		other.create(0)
	}
	for _, a := range []*counter{c, other} {
		l, err := a.ListCardholders(t.Context(), app.ListOptions{Refresh: true})
		if err != nil || len(l.Holders)+l.Unknown != 61 || len(l.Missing) > 0 || l.Holders[0].RefreshedAt.IsZero() {
			t.Errorf("list: %d here, %d elsewhere, missing %v, %v", len(l.Holders), l.Unknown, l.Missing, err)
		}
	}
	c.api.SetFault(func(simulator.Request) simulator.Fault { return simulator.Fault{Kind: simulator.EmptyList} })
	l, err := c.ListCardholders(t.Context(), app.ListOptions{Refresh: true})
	if err != nil || len(l.Missing) != 1 || l.Holders[0].AuditStatus != "PENDING" {
		t.Errorf("an empty list: %+v, %v", l, err)
	}
	for code, f := range map[int]simulator.Fault{3: unknown, 4: {Kind: simulator.Result, Code: "AUTHORIZATION_NOT_EXIST"}} {
		c.api.SetFault(func(simulator.Request) simulator.Fault { return f })
		l, err := c.ListCardholders(t.Context(), app.ListOptions{Refresh: true})
		if exitCode(err) != code || l.Refreshed || len(l.Holders) != 1 {
			t.Errorf("list when the API says %s: %+v, %v", f.Code, l, err)
		}
	}
}

// U is asked again after 5, 10, 20, 40, 80, 160 and 320 minutes, not a moment
// earlier, and then no more.
func TestCardholderSchedule(t *testing.T) {
	t.Parallel()
	for _, succeed := range []int{1, 4, 7, 8} { // which further attempt is answered; 8: none
		c := newCounter(t, "", nil)
		c.faults(times(succeed, unknown)...)
		_, err := c.create(3)
		contains(t, "the error", err.Error(), "createCardholder ended unknown", "UNKNOWN_EXCEPTION", "it waits until 2026-11-21 12:05:00 +08:00")
		contains(t, "the hint", hintOf(err), "same request id on the documented schedule", "contact WorldFirst Technical Support", "the daemon does so by itself")
		for i, minutes := range []int{5, 10, 20, 40, 80, 160, 320} {
			wait := time.Duration(minutes) * time.Minute
			if got, want := c.only("waiting").NextAttemptAt, c.clock.now().Add(wait); !got.Equal(want) {
				t.Fatalf("attempt %d is due at %s, want %s", i+1, got, want)
			}
			c.clock.move(wait - time.Millisecond)
			before := c.api.Requests()
			c.resume(3, app.ResumeOptions{})
			c.create(3)
			if got := c.api.Requests(); got != before {
				t.Fatalf("attempt %d was made early", i+1)
			}
			c.clock.move(time.Millisecond)
			if i+1 == succeed {
				c.resume(0, app.ResumeOptions{})
				break
			}
			_, err = c.resume(3, app.ResumeOptions{})
		}
		if succeed < 8 {
			if h := c.only("answered"); h.Attempts != 0 || h.LastError != "" || h.OrderID == "" {
				t.Errorf("after attempt %d: %+v", succeed, h)
			}
			c.registered(1)
			continue
		}
		contains(t, "the last error", err.Error(), "given up after 7 further attempts")
		contains(t, "its hint", hintOf(err), "Contact WorldFirst Technical Support", "resume --request-id")
		c.clock.move(1000 * time.Hour)
		before := c.api.Requests()
		_, err = c.create(3)
		contains(t, "create when it was given up", err.Error(), "given up after 7")
		c.resume(3, app.ResumeOptions{})
		if c.api.Requests() != before {
			t.Error("what was given up is asked again by itself")
		}
		s, err := c.Status(t.Context())
		if err != nil || len(s.Cardholders) != 1 || !strings.Contains(s.Cardholders[0].Reason, "given up") {
			t.Errorf("status: %+v, %v", s.Cardholders, err)
		}
		c.resume(0, app.ResumeOptions{Now: true})
		c.only("answered")
		c.registered(1)
	}
}

// Silence does not use up the schedule; it is asked less and less often.
func TestCardholderSilence(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	c.faults(times(3*8, lost)...)
	_, err := c.create(3)
	contains(t, "the error", err.Error(), "got no answer", "it waits until")
	for _, minutes := range []int{5, 10, 20, 40, 60, 60, 60} {
		h := c.only("waiting")
		if got, want := h.NextAttemptAt.Sub(c.clock.now()), time.Duration(minutes)*time.Minute; got != want || h.Attempts != 0 {
			t.Errorf("it waits %s with %d attempts, want %s", got, h.Attempts, want)
		}
		c.clock.move(time.Duration(minutes) * time.Minute)
		c.resume(3, app.ResumeOptions{})
	}
	c.clock.move(time.Hour)
	c.resume(0, app.ResumeOptions{})
	c.registered(1)
	// A pause that is asked for is kept.
	c.info = c.file("b.json", `{"n":"b"}`)
	c.faults(simulator.Fault{Kind: simulator.HTTP, HTTPStatus: 503, RetryAfter: 2 * time.Hour})
	r, _ := c.create(3)
	if got := r.NextAttemptAt.Sub(c.clock.now()); got != 2*time.Hour {
		t.Errorf("it waits %s, want 2h", got)
	}
}

// The request was received, and the answer lost or unknown: one cardholder,
// whatever the API makes of the repetition.
func TestCardholderLostAnswers(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} {
		for name, faults := range map[string][]simulator.Fault{
			"lost once": {lostAfter}, "lost thrice": {lostAfter, lostAfter, lostAfter}, "first lost, then unknown": {lostAfter, unknown},
			"unknown although done": {unknownly}, "not believed": {{Kind: simulator.BadSignature}}, "silent, then lost": {lost, lostAfter},
		} {
			c := newCounter(t, "", func(o *simulator.Options) { o.RefuseRepeats = refuse })
			// Answers are not verified here; an unsigned yes would be one.
			if name == "not believed" {
				c = newCounterVerifying(t, refuse)
			}
			c.faults(faults...)
			r, err := c.CreateCardholder(t.Context(), app.CardholderOptions{Type: "EMPLOYEE", Info: c.info})
			for range 3 {
				if r.State != "waiting" && r.State != "refused" {
					break
				}
				c.clock.move(time.Hour)
				var x app.Resumption
				if x, err = c.ResumeCardholders(t.Context(), app.ResumeOptions{}); len(x.Done) == 1 {
					r = x.Done[0]
				}
			}
			c.registered(1)
			if !refuse {
				if err != nil || r.State != "answered" {
					t.Errorf("%s: %+v, %v", name, r.Cardholder, err)
				}
				continue
			}
			c.only("repeated")
			if exitCode(err) != 3 || len(r.Others) != 1 || !strings.Contains(err.Error(), "REPEAT_REQUEST") ||
				!strings.Contains(hintOf(err), "change the requestId and retry calling this API") || strings.Contains(err.Error(), "used elsewhere") {
				t.Errorf("%s, repeats refused: %+v, %v (%s)", name, r, err, hintOf(err))
			}
			// Nothing asks again by itself, however often it is told to.
			before := c.api.Requests()
			c.clock.move(1000 * time.Hour)
			c.resume(0, app.ResumeOptions{})
			c.resume(0, app.ResumeOptions{Now: true})
			c.resume(3, app.ResumeOptions{RequestID: r.RequestID, Now: true})
			c.create(3)
			if c.api.Requests() != before {
				t.Errorf("%s: a repeated request is sent again", name)
			}
			c.registered(1)
		}
	}
}

// newCounterVerifying is a counter that verifies answers.
func newCounterVerifying(t *testing.T, refuse bool) *counter {
	c := newCounter(t, "", func(o *simulator.Options) { o.RefuseRepeats = refuse })
	c.cfg.API.ServerPublicKeyFile = filepath.Join(c.dir, "server.pem")
	if err := os.WriteFile(c.cfg.API.ServerPublicKeyFile, publicPEM(t), 0o600); err != nil {
		t.Fatal(err)
	}
	c.App = c.again()
	return c
}

// An id that a person chose may not be new to the API.
func TestCardholderIDUsedElsewhere(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	c.create(0, func(o *app.CardholderOptions) { o.RequestID = "taken1" })
	other := newCounter(t, "", nil)
	other.cfg.API.BaseURL = c.cfg.API.BaseURL
	other.App = other.again()
	other.info = other.file("other.json", `{"n":"somebody else"}`)
	r, err := other.create(3, func(o *app.CardholderOptions) { o.RequestID = "taken1" })
	contains(t, "the error", err.Error(), "used elsewhere", "REPEAT_REQUEST")
	contains(t, "the hint", hintOf(err), "change the requestId and retry calling this API", "list --refresh")
	if r.State != "repeated" || len(r.Others) != 1 {
		t.Errorf("create: %+v", r)
	}
	if r, _ := other.create(0, func(o *app.CardholderOptions) { o.RequestID = "free1" }); r.Known {
		t.Errorf("create with another id: %+v", r)
	}
	c.registered(2)
}

// One id is one request.
func TestCardholderSameID(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	id := func(o *app.CardholderOptions) { o.RequestID = "mine7" }
	c.faults(unknown)
	c.create(3, id)
	other := c.file("other.json", `{"n":"somebody else"}`)
	before := c.api.Requests()
	for _, change := range []func(*app.CardholderOptions){
		func(o *app.CardholderOptions) { o.Info = other },
		func(o *app.CardholderOptions) { o.Type = "INDIVIDUAL" },
	} {
		_, err := c.create(2, id, change)
		contains(t, "the error", err.Error(), "is stored already")
	}
	c.create(3, id) // not due
	if c.api.Requests() != before {
		t.Error("something was sent")
	}
	c.clock.move(5 * time.Minute)
	r, _ := c.create(0, id)
	if !r.Known || !r.Sent || r.State != "answered" {
		t.Errorf("create when it is due: %+v", r)
	}
	if r, _ = c.create(0, id); r.Sent || !r.Known {
		t.Errorf("create when it was answered: %+v", r)
	}
	c.registered(1)
}

// A refusal about us is sent again once that is mended, one about the request is
// not.
func TestCardholderRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code   string
		exit   int
		resume int // how a plain resume ends when all is well again
	}{
		{"AUTHORIZATION_NOT_EXIST", 4, 0}, {"RISK_REJECT", 4, 0}, {"INVALID_SIGNATURE", 4, 0}, {"PARAM_ILLEGAL", 3, -1}, {"SYSTEM_ERROR", 3, -1},
	} {
		c := newCounter(t, "", nil)
		c.faults(simulator.Fault{Kind: simulator.Result, Code: tt.code}, simulator.Fault{Kind: simulator.Result, Code: tt.code})
		r, err := c.create(tt.exit)
		contains(t, "the error", err.Error(), tt.code)
		if r.State != "refused" || strings.Contains(hintOf(err), "An earlier sending") {
			t.Errorf("%s: %+v, %s", tt.code, r, hintOf(err))
		}
		if c.daemonTick(); c.api.Requests() != 1 {
			t.Errorf("%s: the daemon made a request of it", tt.code)
		}
		if tt.resume == 0 {
			contains(t, "the hint", hintOf(err), "resume")
			c.resume(4, app.ResumeOptions{})
			c.resume(0, app.ResumeOptions{})
		} else {
			c.resume(0, app.ResumeOptions{Now: true})
			if c.api.Requests() != 1 {
				t.Errorf("%s: a refused request is sent again", tt.code)
			}
			c.resume(tt.exit, app.ResumeOptions{RequestID: r.RequestID})
			c.resume(0, app.ResumeOptions{RequestID: r.RequestID})
		}
		c.registered(1)
	}
	// What was said to a later try says nothing about the first.
	c := newCounter(t, "", nil)
	c.faults(lostAfter, simulator.Fault{Kind: simulator.Result, Code: "PARAM_ILLEGAL"})
	_, err := c.create(3)
	contains(t, "the hint", hintOf(err), "An earlier sending of it was not answered")
	if r, _ := c.create(3); !r.Known || r.Sent {
		t.Errorf("create after a doubtful refusal: %+v, want no second request", r)
	}
	c.registered(1)
}

// daemonTick does what the daemon does when something is due.
func (c *counter) daemonTick() {
	_, _ = c.ResumeCardholders(c.t.Context(), app.ResumeOptions{Daemon: true}) // the error says what is open still
}

// The content is read again, and only the same is sent.
func TestCardholderContent(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	c.faults(unknown)
	r, _ := c.create(3)
	c.clock.move(5 * time.Minute)
	before := c.api.Requests()
	for _, change := range []func(){
		func() { c.file("info.json", strings.Replace(person, "1990", "1991", 1)) },
		func() { _ = os.Remove(c.info) },
		func() { c.file("info.json", "{") },
	} {
		change()
		for _, o := range []app.ResumeOptions{{Now: true}, {RequestID: r.RequestID, Now: true}} {
			_, err := c.resume(map[bool]int{false: 3, true: 2}[o.RequestID != ""], o)
			contains(t, "the error", err.Error(), r.RequestID, "info.json")
			contains(t, "the hint", hintOf(err), "resume --request-id "+r.RequestID+" --info FILE")
			if strings.Contains(err.Error()+hintOf(err), "1991") {
				t.Errorf("the error repeats the content: %v", err)
			}
		}
	}
	moved := c.file("moved.json", "\n "+person+"\n\n")
	wrong := c.file("wrong.json", `{"n":1}`)
	_, err := c.resume(2, app.ResumeOptions{Info: wrong})
	contains(t, "the error", err.Error(), "no unanswered request was made with this content")
	_, err = c.resume(2, app.ResumeOptions{Info: wrong, RequestID: r.RequestID})
	contains(t, "the error", err.Error(), "not the one that request")
	if c.api.Requests() != before {
		t.Error("other content was sent")
	}
	c.faults(unknown)
	c.resume(3, app.ResumeOptions{Info: moved, Now: true})
	if h := c.only("waiting"); h.InfoFile != moved {
		t.Errorf("the content is looked for at %s", h.InfoFile)
	}
	c.clock.move(10 * time.Minute)
	c.daemonTick()
	c.only("answered")
	if got := c.api.Cardholders(); len(got) != 1 || string(got[0].Info) != person {
		t.Errorf("registered: %+v", got)
	}
}

// Standard input can be read once: a person gives the content again.
func TestCardholderFromStandardInput(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	c.faults(unknown)
	stdin := func(o *app.CardholderOptions) { o.Info, o.Stdin = "-", strings.NewReader(person) }
	r, err := c.create(3, stdin)
	contains(t, "the hint", hintOf(err), "resume --request-id "+r.RequestID+" --info FILE")
	if r.InfoFile != "" {
		t.Errorf("standard input is called %s", r.InfoFile)
	}
	c.clock.move(5 * time.Minute)
	before := c.api.Requests()
	if c.daemonTick(); c.api.Requests() != before {
		t.Error("the daemon sent something")
	}
	_, err = c.resume(3, app.ResumeOptions{})
	contains(t, "the error", err.Error(), "standard input")
	c.resume(0, app.ResumeOptions{RequestID: r.RequestID, Info: "-", Stdin: strings.NewReader(person)})
	c.only("answered")
	c.registered(1)
}

// What is wrong is told before anything is done.
func TestCardholderInput(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	file := func(name, text string) func(o *app.CardholderOptions) {
		path := c.file(name, text)
		return func(o *app.CardholderOptions) { o.Info = path }
	}
	for _, tt := range []struct {
		want   string
		change func(o *app.CardholderOptions)
	}{
		{"needs --type", func(o *app.CardholderOptions) { o.Type = " " }},
		{"is no type of cardholder", func(o *app.CardholderOptions) { o.Type = "OWNER" }},
		{"needs --info", func(o *app.CardholderOptions) { o.Info = "" }},
		{"--request-id", func(o *app.CardholderOptions) { o.RequestID = "a-b" }},
		{"--request-id", func(o *app.CardholderOptions) { o.RequestID = strings.Repeat("a", 33) }},
		{"--request-id", func(o *app.CardholderOptions) { o.RequestID = "ä" }},
		{"no account", func(o *app.CardholderOptions) { o.Account = "nobody" }},
		{"no such file", func(o *app.CardholderOptions) { o.Info = "nowhere.json" }},
		{"folder", func(o *app.CardholderOptions) { o.Info = c.dir }},
		{"it is empty", file("a", " \n")},
		{"see line 2, column 7", file("b", "\n{\"n\": secret77}")},
		{"is not JSON", file("c", `{"n":"secret77"} {}`)},
		{"no object", file("d", `["secret77"]`)},
		{"no object", file("e", `"secret77"`)},
		{"not UTF-8", file("f", "{\"n\":\"secret77\xff\"}")},
		{"byte order mark", file("g", "\ufeff{}")},
		{"too large", file("h", `{"n":"`+strings.Repeat("x", 1<<20)+`"}`)},
	} {
		_, err := c.create(2, tt.change)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error()+hintOf(err), "secret77") {
			t.Errorf("create: %v (%s), want %q", err, hintOf(err), tt.want)
		}
	}
	if r, _ := c.create(0, func(o *app.CardholderOptions) { o.DryRun = true }); r.Sent || r.Known || r.Bytes != len(person) {
		t.Errorf("create --dry-run: %+v", r)
	}
	for _, tt := range []struct {
		want string
		o    app.ResumeOptions
	}{
		{"there is no request x", app.ResumeOptions{RequestID: "x"}}, {"--request-id", app.ResumeOptions{RequestID: "x y"}},
		{"no account", app.ResumeOptions{Account: "nobody"}}, {"no unanswered request", app.ResumeOptions{Info: c.info}},
	} {
		_, err := c.resume(2, tt.o)
		contains(t, "the error", fmt.Sprint(err), tt.want)
	}
	c.resume(0, app.ResumeOptions{})
	l, err := c.ListCardholders(t.Context(), app.ListOptions{Refresh: true})
	if err != nil || !l.NoDatabase || len(l.Holders) != 0 {
		t.Errorf("list without a database: %+v, %v", l, err)
	}
	if _, err := os.Stat(c.cfg.Database.URL); err == nil {
		t.Error("a database was made")
	}
	c.registered(0)
	_ = os.Chmod(c.info, 0o644)
	c.create(0)
	contains(t, "the log", c.log.String(), "other users of this machine may read", "chmod 600")
}

// A database belongs to one API: a cardholder of another is no request of it.
func TestCardholderOrigin(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	c.create(0)
	c.cfg.API.ClientID = "D"
	c.App = c.again()
	c.info = c.file("b.json", `{}`)
	_, err := c.create(2)
	contains(t, "the error", err.Error(), "client_id")
	if _, err := c.ListCardholders(t.Context(), app.ListOptions{Refresh: true}); exitCode(err) != 2 {
		t.Errorf("list --refresh: %v", err)
	}
	c.registered(1)
}

func publicPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&testKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

package app_test

import (
	"strings"
	"testing"
	"time"

	"billsync/internal/app"
	"billsync/internal/simulator"
	"billsync/internal/store"
)

// A request of which nobody knows what became is not made a second time because
// its file was written anew, in other words for the same.
func TestCardholderWrittenAnew(t *testing.T) {
	t.Parallel()
	const (
		blanks    = `{ "userName": {"firstName": "Maximiliane", "lastName": "Oberhuber"},  "dateOfBirth": "1990-06-15"}`
		reordered = `{"dateOfBirth":"1990-06-15","userName":{"lastName":"Oberhuber","firstName":"Maximil\u0069ane"}}`
		corrected = `{"userName": {"firstName": "Maximilian", "lastName": "Oberhuber"},  "dateOfBirth": "1990-06-15"}`
	)
	silent := []simulator.Fault{lostAfter, lostAfter, lostAfter}
	for name, tt := range map[string]struct {
		faults  []simulator.Fault
		refuse  bool // repetitions
		prepare func(c *counter)
		state   string
	}{
		"waiting":  {[]simulator.Fault{unknownly}, false, func(*counter) {}, "waiting"},
		"sending":  {[]simulator.Fault{unknownly}, false, (*counter).leave, "sending"},
		"silent":   {silent, false, func(*counter) {}, "waiting"},
		"repeated": {[]simulator.Fault{unknownly}, true, func(c *counter) { c.resume(3, app.ResumeOptions{Now: true}) }, "repeated"},
		"failed": {times(8, unknownly), false, func(c *counter) {
			for range 7 {
				c.resume(3, app.ResumeOptions{Now: true})
			}
		}, "failed"},
		"refused when it was sent again": {append(silent, simulator.Fault{Kind: simulator.Result, Code: "PARAM_ILLEGAL"}), false,
			func(c *counter) { c.resume(3, app.ResumeOptions{Now: true}) }, "refused"},
		"refused by a failure of theirs": {[]simulator.Fault{{Kind: simulator.ResultAfter, Code: "SYSTEM_ERROR"}}, false, func(*counter) {}, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCounter(t, "", func(o *simulator.Options) { o.RefuseRepeats = tt.refuse })
			c.faults(tt.faults...)
			r, _ := c.create(3)
			tt.prepare(c)
			c.only(tt.state)
			c.clock.move(time.Minute)
			asked := c.api.Requests()
			for _, anew := range []struct {
				file, text, word string
			}{
				{"info.json", blanks, "written differently"}, {"info.json", reordered, "written differently"},
				{"other.json", reordered, "written differently"},
			} {
				path := c.file(anew.file, anew.text)
				for _, dry := range []bool{false, true} {
					_, err := c.create(2, func(o *app.CardholderOptions) { o.Info, o.DryRun = path, dry })
					if err == nil {
						t.Fatalf("%s: no error", anew.text)
					}
					contains(t, "the error", err.Error(), r.RequestID, tt.state, anew.word, "second")
					contains(t, "the hint", hintOf(err), "nothing was sent", "--request-id with a new id")
					if goes := strings.Contains(hintOf(err), "resume --request-id "+r.RequestID); goes == (tt.state == "repeated") {
						t.Errorf("the hint is %q", hintOf(err))
					}
				}
			}
			_, err := c.create(2, func(o *app.CardholderOptions) { o.Info, o.Stdin = "-", strings.NewReader(blanks) })
			contains(t, "the error", err.Error(), "written differently")
			if c.api.Requests() != asked {
				t.Error("something was sent")
			}
			c.only(tt.state)
			c.registered(1)
			// Another type or another person is another request, and so is what a person wants.
			c.faults()
			other := c.file("third.json", `{"n": "Third"}`)
			same := c.file("info.json", corrected)
			for i, change := range []func(o *app.CardholderOptions){
				func(o *app.CardholderOptions) { o.Type = "SHAREHOLDER" },
				func(o *app.CardholderOptions) { o.Info = other },
				func(o *app.CardholderOptions) { o.Info = same },
				func(o *app.CardholderOptions) { o.RequestID = "deliberate1" },
			} {
				c.create(0, change)
				c.registered(2 + i)
			}
		})
	}
}

// leave makes the one request what a crash leaves behind.
func (c *counter) leave() {
	st, err := store.Open(c.t.Context(), c.cfg.Database.URL, time.UTC)
	if err != nil {
		c.t.Fatal(err)
	}
	defer st.Close()
	h := c.only("waiting")
	h.State = store.HolderSending
	if err := st.Update(c.t.Context(), func(t *store.Tx) error { return t.SaveCardholder(h) }); err != nil {
		c.t.Fatal(err)
	}
}

// What the API refused because of us is sent again when that is mended: written
// anew it would be sent twice. A corrected file is another request.
func TestCardholderRefusedAndWrittenAnew(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	c.faults(simulator.Fault{Kind: simulator.Result, Code: "RISK_REJECT"})
	c.create(4)
	c.file("info.json", strings.ReplaceAll(person, " ", ""))
	_, err := c.create(2)
	contains(t, "the error", err.Error(), "can still be sent", "written differently")
	contains(t, "the hint", hintOf(err), "cardholder resume --request-id")
	c.registered(0)
	c.file("info.json", strings.Replace(person, "1990", "1991", 1))
	c.create(0)
	c.registered(1)
}

// What was answered is shown for a file that says the same, and a file may be
// used for the next person. Numbers count as they are written.
func TestCardholderAnsweredAnew(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	c.file("info.json", `{"a": 1.0, "b": [12345678901234567890]}`)
	first, _ := c.create(0)
	c.file("info.json", "{\"b\":\n[12345678901234567890], \"a\":1.0}")
	if r, _ := c.create(0); r.RequestID != first.RequestID || r.Sent || !r.Known {
		t.Errorf("written anew: %+v", r)
	}
	c.registered(1)
	for i, text := range []string{`{"a": 1, "b": [12345678901234567890]}`, `{"a": 1.0, "b": [12345678901234567891]}`, `{"a":"1.0","b":[12345678901234567890]}`} {
		c.file("info.json", text)
		if r, _ := c.create(0); r.Known {
			t.Errorf("%s is taken for another: %+v", text, r)
		}
		c.registered(2 + i)
	}
	// Rejected, or refused as illegal: nothing came of it.
	for i, f := range []simulator.Fault{{}, {Kind: simulator.Result, Code: "PARAM_ILLEGAL"}} {
		c := newCounter(t, "", func(o *simulator.Options) { o.Review = simulator.AtOnce })
		c.file("info.json", `{"n": "Reject"}`)
		c.faults(f)
		c.create(3 * i)
		c.file("info.json", `{"n":"Reject"}`)
		if r, _ := c.create(0); r.Known {
			t.Errorf("after a rejection: %+v", r)
		}
		c.registered(2 - i)
	}
}

// A failure of theirs, or a code that nobody documents, does not say that nothing
// was registered: the same command again finds its request.
func TestCardholderRefusedInDoubt(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"SYSTEM_ERROR", "PROCESS_FAIL", "NEVER_SEEN", "AUTH_CODE_EXPIRED"} {
		c := newCounter(t, "", nil)
		c.faults(simulator.Fault{Kind: simulator.ResultAfter, Code: code, Status: "F"})
		r, err := c.create(3)
		contains(t, "the error", err.Error(), code)
		contains(t, "the hint", hintOf(err), "may have registered", "list --refresh", "--request-id")
		again, err := c.create(3)
		contains(t, "the error", err.Error(), code)
		if again.RequestID != r.RequestID || again.Sent || !again.Known || c.api.Requests() != 1 {
			t.Errorf("%s: the same command again: %+v", code, again.Cardholder)
		}
		s, err := c.Status(t.Context())
		if err != nil || len(s.Cardholders) != 1 {
			t.Errorf("%s: status: %+v, %v", code, s.Cardholders, err)
		}
		c.registered(1)
		c.resume(0, app.ResumeOptions{RequestID: r.RequestID}) // under its id, because a person asks for it
		c.only("answered")
		c.registered(1)
	}
}

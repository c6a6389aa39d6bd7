package app_test

import (
	"sync"
	"testing"
	"time"

	"billsync/internal/app"
	"billsync/internal/simulator"
)

// A person closes a request that nobody can settle: it is open no longer, it is
// never sent again, and stands in nobody's way.
func TestCardholderAccepted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		faults  []simulator.Fault
		refuse  bool // repetitions
		resumed int  // times, before it is closed
		state   string
		exit    int
	}{
		"waiting":  {[]simulator.Fault{unknown}, false, 0, "waiting", 3},
		"repeated": {[]simulator.Fault{unknownly}, true, 1, "repeated", 3},
		"failed":   {times(8, unknownly), false, 7, "failed", 3},
		"in doubt": {[]simulator.Fault{{Kind: simulator.Result, Code: "SYSTEM_ERROR"}}, false, 0, "refused", 3},
		"for us":   {[]simulator.Fault{{Kind: simulator.Result, Code: "RISK_REJECT"}}, false, 0, "refused", 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCounter(t, "", func(o *simulator.Options) { o.RefuseRepeats = tt.refuse })
			c.faults(tt.faults...)
			_, err := c.create(tt.exit)
			for range tt.resumed {
				_, err = c.resume(3, app.ResumeOptions{Now: true})
			}
			r := c.only(tt.state)
			if tt.state != "waiting" { // which may be settled yet
				contains(t, "the hint", hintOf(err), "syncer accept cardholder:"+r.RequestID+" --note TEXT")
			}
			if _, err := c.Accept(t.Context(), "cardholder:"+r.RequestID, "case 4711: none came of it", false); err != nil {
				t.Fatal(err)
			}
			c.clock.move(1000 * time.Hour)
			before := c.api.Requests()
			c.daemonTick()
			c.resume(0, app.ResumeOptions{Now: true})
			c.resume(2, app.ResumeOptions{Info: c.info, Now: true})
			_, err = c.resume(2, app.ResumeOptions{RequestID: r.RequestID, Now: true})
			contains(t, "the error", err.Error(), "was accepted as it is", "case 4711")
			_, err = c.create(2, func(o *app.CardholderOptions) { o.RequestID = r.RequestID })
			contains(t, "the error", err.Error(), "was accepted as it is")
			if c.api.Requests() != before {
				t.Error("it was sent again")
			}
			s, err := c.Status(t.Context())
			if err != nil || len(s.Cardholders) != 0 {
				t.Errorf("status: %+v, %v", s.Cardholders, err)
			}
			l, err := c.ListCardholders(t.Context(), app.ListOptions{})
			if err != nil || len(l.Holders) != 1 || l.Holders[0].Reason != "" || l.Holders[0].AcceptedNote != "case 4711: none came of it" {
				t.Errorf("list: %+v, %v", l.Holders, err)
			}
			// The same command makes a request of its own, also with the file written anew.
			c.faults()
			c.file("info.json", person+" ")
			if again, _ := c.create(0); again.Known || again.RequestID == r.RequestID {
				t.Errorf("create afterwards: %+v", again.Cardholder)
			}
		})
	}
}

// What is settled needs nobody's word.
func TestCardholderNothingToAccept(t *testing.T) {
	t.Parallel()
	for code, word := range map[string]string{"": "is settled: the cardholder was registered", "PARAM_ILLEGAL": "is settled: the API refused it"} {
		c := newCounter(t, "", nil)
		exit := 0
		if code != "" {
			c.faults(simulator.Fault{Kind: simulator.Result, Code: code})
			exit = 3
		}
		r, _ := c.create(exit)
		_, err := c.Accept(t.Context(), "cardholder:"+r.RequestID, "x", false)
		if exitCode(err) != 2 {
			t.Fatalf("accept: %v", err)
		}
		contains(t, "the error", err.Error(), word)
	}
}

// Closed by a person while a resume is at work on another, it is not sent.
func TestCardholderAcceptedMeanwhile(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	c.faults(unknown, unknown)
	first, _ := c.create(3)
	c.clock.move(time.Second)
	second, _ := c.create(3, func(o *app.CardholderOptions) { o.Info = c.file("b.json", `{"n":"b"}`) })
	c.clock.move(time.Hour)
	var once sync.Once
	c.api.OnRequest(func(simulator.Request) {
		once.Do(func() {
			if _, err := c.again().Accept(t.Context(), "cardholder:"+second.RequestID, "x", false); err != nil {
				t.Errorf("accept: %v", err)
			}
		})
	})
	c.resume(0, app.ResumeOptions{})
	if got := c.api.Cardholders(); len(got) != 1 || got[0].RequestID != first.RequestID {
		t.Errorf("registered: %+v", got)
	}
}

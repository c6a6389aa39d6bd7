package syncer_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/syncer"
)

// poison makes the oldest of a world's windows answer with a fault.
func poison(w *world, f simulator.Fault) {
	first := w.cfg.Accounts[0].HistoryStart
	w.server.SetFault(func(r simulator.Request) simulator.Fault {
		if r.Query.Start.Before(first) {
			return f
		}
		return simulator.Fault{}
	})
}

const oldest = "SELECT %s FROM windows ORDER BY window_start LIMIT 1"

// An unknown outcome is asked again after 5, 10, 20, 40, 80, 160 and 320 minutes,
// never earlier, and then given up. The other windows go on.
func TestUnknownOutcomeFollowsTheSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	w.fill(100, 249)
	poison(w, result("UNKNOWN_EXCEPTION"))
	var mu sync.Mutex
	asked := 0
	first := w.cfg.Accounts[0].HistoryStart
	w.server.OnRequest(func(r simulator.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Query.Start.Before(first) {
			asked++
		}
	})
	run := func() syncer.Summary {
		t.Helper()
		sum, err := w.run(syncer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if sum.Complete() {
			t.Fatal("complete although a window waits")
		}
		return sum
	}
	run()
	if got := w.one("SELECT count(*) FROM windows WHERE state = 'done'"); got != "2" {
		t.Errorf("%s windows proved, want the other two", got)
	}
	for i, wait := range []int{5, 10, 20, 40, 80, 160, 320} {
		due := w.now().Add(time.Duration(wait) * time.Minute)
		want := fmt.Sprintf("waiting|%d|%s", i+1, due.UTC().Format("2006-01-02T15:04:05.000Z"))
		if got := w.one(fmt.Sprintf(oldest, "state, attempts, next_attempt_at")); got != want {
			t.Fatalf("after %d answers: %s, want %s", i+1, got, want)
		}
		w.pass(due.Sub(w.now()) - time.Millisecond)
		run()
		if asked != i+1 {
			t.Fatalf("asked a millisecond early, after %d answers", i+1)
		}
		w.pass(time.Millisecond)
		sum := run()
		if asked != i+2 {
			t.Fatalf("not asked although it was due, after %d answers", i+1)
		}
		if i == 6 && !strings.Contains(sum.Reason(), "failed") {
			t.Errorf("reason %q does not say that it failed", sum.Reason())
		}
	}
	if got := w.one(fmt.Sprintf(oldest, "state, next_attempt_at, last_error LIKE '%%given up after 7%%support%%'")); got != "failed|<nil>|1" {
		t.Errorf("after the last attempt: %s", got)
	}
	if got := w.one("SELECT outcome, code, request_body LIKE '%pageNumber%', response_body LIKE '%UNKNOWN_EXCEPTION%' FROM evidence"); got != "unknown|UNKNOWN_EXCEPTION|1|1" {
		t.Errorf("evidence = %s", got)
	}
	w.pass(24 * time.Hour)
	run()
	if asked != 8 {
		t.Errorf("a failed window was asked again by a plain sync")
	}
	w.server.SetFault(nil)
	sum, err := w.run(syncer.Options{Trigger: "retry", Scope: syncer.Scope{Retry: true}})
	if err != nil || !sum.Complete() {
		t.Errorf("retry: %v %s", err, sum.Reason())
	}
	w.sync()
	w.equal("main", "")
	if got := w.query("SELECT code FROM evidence"); len(got) > 0 {
		t.Errorf("evidence of a proved window is still kept: %v", got)
	}
}

func TestRetryNowAsksEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	w.fill(100, 249)
	poison(w, result("UNKNOWN_EXCEPTION"))
	if _, err := w.run(syncer.Options{}); err != nil {
		t.Fatal(err)
	}
	w.server.SetFault(nil)
	sum, err := w.run(syncer.Options{Scope: syncer.Scope{Retry: true}})
	if err != nil || sum.Complete() || sum.Run.Requests != 0 {
		t.Errorf("retry before the time: %v, %d requests", err, sum.Run.Requests)
	}
	sum, err = w.run(syncer.Options{Scope: syncer.Scope{Retry: true, RetryNow: true}})
	if err != nil || !sum.Complete() {
		t.Errorf("retry --now: %v %s", err, sum.Reason())
	}
}

// A page that was unknown and then came ends the schedule; the next unknown
// page begins one of its own.
func TestScheduleBeginsAnewAfterTheCheckpointMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.fill(45, 49)
	fail := 2
	w.server.SetFault(func(r simulator.Request) simulator.Fault {
		if r.Query.Page >= fail {
			return result("UNKNOWN_EXCEPTION")
		}
		return simulator.Fault{}
	})
	w.cfg.Concurrency = 1
	for i, want := range []string{"2|1", "2|2", "4|1", "4|2"} {
		if i == 2 {
			fail = 4
		}
		if _, err := w.run(syncer.Options{}); err != nil {
			t.Fatal(err)
		}
		if got := w.one("SELECT next_page, attempts FROM windows"); got != want {
			t.Errorf("run %d: page, attempts = %s, want %s", i, got, want)
		}
		w.pass(11 * time.Minute)
	}
}

func TestRefusedRequestFailsAtOnce(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"SYSTEM_ERROR", "PARAM_ILLEGAL", "PROCESS_FAIL", "A_NEW_CODE"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 250)
			w.fill(100, 249)
			f := result(code)
			f.Status = "F"
			poison(w, f)
			sum, err := w.run(syncer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if sum.Outcome() != "incomplete" {
				t.Errorf("outcome %s, want incomplete", sum.Outcome())
			}
			if got := w.one(fmt.Sprintf(oldest, "state, attempts, next_attempt_at, last_error LIKE '%%"+code+"%%'")); got != "failed|0|<nil>|1" {
				t.Errorf("window = %s", got)
			}
			if got := w.one("SELECT count(*) FROM windows WHERE state = 'done'"); got != "2" {
				t.Errorf("%s windows proved, want the other two", got)
			}
			w.server.SetFault(nil)
			sum, err = w.run(syncer.Options{})
			if err != nil || sum.Complete() {
				t.Errorf("a plain sync asked for a failed window again: %v", err)
			}
			sum, err = w.run(syncer.Options{Scope: syncer.Scope{Refresh: true}})
			if err != nil || !sum.Complete() {
				t.Errorf("the refresh did not ask for it again: %v %s", err, sum.Reason())
			}
			w.equal("main", "")
		})
	}
}

// No answer for one window while others get theirs: it waits, less and less
// eager, and uses up nothing of the provider's schedule.
func TestNoAnswerForOneWindow(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]simulator.Fault{
		"dropped":    {Kind: simulator.Drop},
		"half":       {Kind: simulator.DropAfter},
		"garbage":    {Kind: simulator.Garbage},
		"empty":      {Kind: simulator.Empty},
		"no result":  {Kind: simulator.NoResult},
		"502":        {Kind: simulator.HTTP, HTTPStatus: http.StatusBadGateway},
		"429":        {Kind: simulator.HTTP, HTTPStatus: http.StatusTooManyRequests, RetryAfter: time.Hour},
		"408":        {Kind: simulator.HTTP, HTTPStatus: http.StatusRequestTimeout},
		"never ends": {Kind: simulator.HTTP, HTTPStatus: http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 250)
			w.fill(100, 249)
			poison(w, f)
			sum, err := w.run(syncer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if sum.Outcome() != "incomplete" || sum.Stopped != nil {
				t.Errorf("outcome %s, stopped %v", sum.Outcome(), sum.Stopped)
			}
			want := "waiting|0|1|1"
			if got := w.one(fmt.Sprintf(oldest, "state, attempts, setbacks, last_error <> ''")); got != want {
				t.Errorf("window = %s, want %s", got, want)
			}
			if got := w.one(fmt.Sprintf(oldest, "next_attempt_at IS NOT NULL")); (got == "1") != (f.RetryAfter > 0) {
				t.Errorf("waits for a time: %s", got)
			}
			for range 12 {
				w.pass(61 * time.Minute)
				if _, err := w.run(syncer.Options{}); err != nil {
					t.Fatal(err)
				}
			}
			if got := w.one(fmt.Sprintf(oldest, "state, attempts, setbacks")); got != "waiting|0|13" {
				t.Errorf("after 13 runs: window = %s, want it waiting as ever", got)
			}
			w.server.SetFault(nil)
			w.pass(61 * time.Minute)
			w.sync()
			w.equal("main", "")
		})
	}
}

// Nobody gets an answer: the run ends soon, and the windows stay untouched.
func TestOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 900)
	w.fill(100, 899)
	w.server.SetFault(func(simulator.Request) simulator.Fault { return simulator.Fault{Kind: simulator.Drop} })
	sum, err := w.run(syncer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Stopped == nil || sum.Outcome() != "incomplete" || !strings.Contains(sum.Reason(), "no answer") {
		t.Errorf("outcome %s: %s", sum.Outcome(), sum.Reason())
	}
	if sum.Run.Requests != 10 { // five windows, two tries each
		t.Errorf("%d requests before the run ended, want 10", sum.Run.Requests)
	}
	if got := w.query("SELECT DISTINCT state, attempts, setbacks, next_attempt_at FROM windows WHERE state <> 'pending' OR setbacks > 0"); len(got) > 0 {
		t.Errorf("windows after the outage: %v, want them untouched", got)
	}
	w.server.SetFault(nil)
	w.sync()
	w.equal("main", "")
}

// A window that waits or failed is still just that after an outage.
func TestOutageLeavesWaitingAndFailedAsTheyWere(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{"UNKNOWN_EXCEPTION": "waiting|1", "SYSTEM_ERROR": "failed|0"} {
		w := newWorld(t, 50)
		w.fill(20, 49)
		w.server.SetFault(func(simulator.Request) simulator.Fault { return result(code) })
		if _, err := w.run(syncer.Options{}); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Hour)
		w.server.SetFault(func(simulator.Request) simulator.Fault { return simulator.Fault{Kind: simulator.Drop} })
		if _, err := w.run(syncer.Options{Scope: syncer.Scope{Retry: true, RetryNow: true}}); err != nil {
			t.Fatal(err)
		}
		if got := w.one("SELECT state, attempts FROM windows"); got != want {
			t.Errorf("%s, then an outage: window %s, want %s", code, got, want)
		}
		w.server.SetFault(nil)
		if sum, err := w.run(syncer.Options{Scope: syncer.Scope{Retry: true}}); err != nil || !sum.Complete() {
			t.Errorf("%s, then an outage, then a retry: %v %s", code, err, sum.Reason())
		}
		w.equal("main", "")
	}
}

// An outage in the middle of a run leaves untouched what it hit.
func TestOutageInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 900)
	w.fill(100, 899)
	w.server.SetFault(func(r simulator.Request) simulator.Fault {
		if r.N > 6 {
			return simulator.Fault{Kind: simulator.Drop}
		}
		return simulator.Fault{}
	})
	sum, err := w.run(syncer.Options{})
	if err != nil || sum.Stopped == nil {
		t.Fatalf("%v, stopped %v", err, sum.Stopped)
	}
	if got := w.query("SELECT window_id FROM windows WHERE state IN ('waiting', 'failed')"); len(got) > 0 {
		t.Errorf("windows %v wait or failed because of an outage of ours", got)
	}
	w.server.SetFault(nil)
	w.sync()
	w.equal("main", "")
}

// What was asked before an outage may be answered after its first victims are known:
// that does not make them wait on their own account.
func TestLateAnswerInAnOutage(t *testing.T) {
	t.Parallel()
	const late = 6
	w := newWorld(t, 1800)
	width := w.cfg.Concurrency
	w.fill(100, 1799)
	// All places but that of the late one are taken by victims, which are asked twice
	// each: whoever asks after that many drops does so because a victim is known.
	known := make(chan struct{})
	w.server.SetFault(func(r simulator.Request) simulator.Fault {
		switch {
		case r.N < late:
			return simulator.Fault{}
		case r.N == late:
			select {
			case <-known:
			case <-time.After(40 * time.Second): // the client waits a minute
				t.Error("no victim of the outage is known after 40 seconds")
			}
			return simulator.Fault{}
		case r.N == int64(late+2*(width-1)+1):
			close(known)
		}
		return simulator.Fault{Kind: simulator.Drop}
	})
	sum, err := w.run(syncer.Options{})
	if err != nil || sum.Stopped == nil {
		t.Fatalf("%v, stopped %v", err, sum.Stopped)
	}
	if got := w.query("SELECT window_id FROM windows WHERE state IN ('waiting', 'failed')"); len(got) > 0 {
		t.Errorf("windows %v wait or failed because of an outage of ours", got)
	}
	w.server.SetFault(nil)
	w.sync()
	w.equal("main", "")
}

func TestSmallOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.fill(10, 49)
	w.sync()
	w.pass(time.Hour)
	w.server.SetFault(func(simulator.Request) simulator.Fault { return simulator.Fault{Kind: simulator.Drop} })
	if sum, err := w.run(syncer.Options{}); err != nil || sum.Complete() {
		t.Fatalf("%v; complete although the tail was not read", err)
	}
	w.server.SetFault(nil)
	w.sync()
}

func TestTooFastBeginsNoFreshWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 900)
	w.fill(100, 899)
	w.cfg.Concurrency = 1
	w.server.SetFault(func(r simulator.Request) simulator.Fault {
		if r.N > 1 {
			return result("REQUEST_TRAFFIC_EXCEED_LIMIT")
		}
		return simulator.Fault{}
	})
	sum, err := w.run(syncer.Options{})
	if err != nil || sum.Complete() {
		t.Fatalf("%v, complete %v", err, sum.Complete())
	}
	if sum.Run.Requests != 4 { // one answer, three times too fast
		t.Errorf("%d requests, want 4", sum.Run.Requests)
	}
	if got := w.one("SELECT count(*) FROM windows WHERE state = 'waiting' AND attempts = 1"); got != "3" {
		t.Errorf("%s windows wait, want 3", got)
	}
	if now, configured := w.client.Rate(); now >= configured {
		t.Errorf("the rate is still %g", now)
	}
	w.server.SetFault(nil)
	w.pass(10 * time.Minute)
	w.sync()
	w.equal("main", "")
}

// An answer nobody signed is not believed, and a person has to look at it.
func TestUnsignedAnswersAreNotBelieved(t *testing.T) {
	t.Parallel()
	for _, kind := range []simulator.FaultKind{simulator.BadSignature, simulator.NoSignature} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 250)
			w.fill(50, 249)
			w.server.SetFault(func(r simulator.Request) simulator.Fault {
				if r.N > 2 {
					return simulator.Fault{Kind: kind}
				}
				return simulator.Fault{}
			})
			sum, err := w.run(syncer.Options{})
			if err != nil || !sum.Refused() {
				t.Fatalf("%v, outcome %s; want refused", err, sum.Outcome())
			}
			w.server.SetFault(nil)
			w.sync()
			w.equal("main", "")
		})
	}
}

func TestRedirectsAndOtherRefusals(t *testing.T) {
	t.Parallel()
	for _, status := range []int{302, 400, 401, 403, 404} {
		w := newWorld(t, 50)
		w.server.SetFault(func(simulator.Request) simulator.Fault {
			return simulator.Fault{Kind: simulator.HTTP, HTTPStatus: status}
		})
		if sum, err := w.run(syncer.Options{}); err != nil || !sum.Refused() || sum.Run.Requests != 1 {
			t.Errorf("HTTP %d: %v, outcome %s after %d requests; want refused after one", status, err, sum.Outcome(), sum.Run.Requests)
		}
	}
}

// Faults of every kind, at random, in every order: in the end all is there.
func TestRandomFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 250)
			w.account("second", "CUSTOMER2")
			w.fill(150, 249)
			w.fillOf("CUSTOMER2", 60, 200)
			faults := simulator.RandomFaults(seed, map[simulator.FaultKind]float64{
				simulator.Result: 0.05, simulator.HTTP: 0.05, simulator.Drop: 0.05, simulator.DropAfter: 0.03, simulator.Garbage: 0.03,
				simulator.Empty: 0.02, simulator.NoResult: 0.02, simulator.WrongPage: 0.03, simulator.StalePage: 0.03, simulator.ShortPage: 0.03,
			})
			w.server.SetFault(faults)
			for i := range 60 {
				if i == 30 {
					w.server.SetFault(nil)
				}
				if i%3 == 0 {
					w.ledger.Add("", entry(fmt.Sprintf("L%d", i), w.now().Add(-time.Duration(i)*time.Hour)))
				}
				if _, err := w.run(syncer.Options{}); err != nil {
					t.Fatal(err)
				}
				w.pass(37 * time.Minute)
			}
			if _, err := w.run(syncer.Options{Scope: syncer.Scope{Refresh: true}}); err != nil {
				t.Fatal(err)
			}
			w.sync()
			w.equal("main", "")
			w.equal("second", "CUSTOMER2")
		})
	}
}

func TestOutcomeNamesAreStable(t *testing.T) {
	t.Parallel()
	for o, want := range map[bill.Outcome]string{bill.NoAnswer: "no answer", bill.Unknown: "unknown", bill.RefusedRequest: "refused", bill.RefusedUs: "refused us"} {
		if got := o.String(); got != want {
			t.Errorf("outcome %d is called %q, want %q: the table evidence holds these words", o, got, want)
		}
	}
}

// A list that is capped is noticed also where all its bills lie in one half, so
// that this half counts as much as the whole.
func TestCappedListInOneHalf(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 90, func(o *simulator.Options) { o.MaxCount = 10_000 })
	w.cfg.PageSize = 100
	entries := make([]simulator.Entry, 10_300)
	for i := range entries { // within nine days in the middle
		entries[i] = entry(fmt.Sprintf("C%05d", i), start.AddDate(0, 0, -30).Add(-time.Duration(i)*75*time.Second))
	}
	w.ledger.Add("", entries...)
	w.sync()
	w.equal("main", "")
}

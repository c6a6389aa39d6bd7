package verify_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/verify"
)

// counts reports whether a request is one for a count.
func counts(r simulator.Request) bool { return r.Query.PageSize == 1 }

// An account that is refused is asked once; the others go on.
func TestOneAccountRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.account("shop", "C2")
	w.account("other", "C3")
	for _, c := range []string{"", "C2", "C3"} {
		w.fill(c, 50, 399)
	}
	w.sync()
	w.behind("DELETE FROM bills WHERE account = 'shop' AND order_no = 'FC2000007'")
	var asked atomic.Int64
	w.server.SetFault(func(r simulator.Request) simulator.Fault {
		if r.Customer == "C2" {
			asked.Add(1)
			return result("AUTHORIZATION_NOT_EXIST")
		}
		return simulator.Fault{}
	})
	for name, r := range w.both(shanghai) {
		if got := asked.Swap(0); got != 1 {
			t.Errorf("%s: the refused account was asked %d times, want once", name, got)
		}
		for _, a := range r.Accounts {
			if refused := a.Name == "shop"; (a.Refused != nil) != refused {
				t.Errorf("%s: %s: refused %v", name, a.Name, a.Refused)
			}
			stored, want := 0, 50
			for i := range a.Rows {
				row := &a.Rows[i]
				if stored += row.Stored; row.Counted == (a.Name == "shop") || row.Differs() {
					t.Errorf("%s: %s", name, describe(row))
				}
			}
			if a.Name == "shop" {
				want = 49
			}
			if stored != want {
				t.Errorf("%s: %s: stored are %d, want %d", name, a.Name, stored, want)
			}
		}
		if got := len(r.Uncounted()); got != len(r.Accounts[1].Rows) {
			t.Errorf("%s: %d rows not counted, want those of the refused account, %d", name, got, len(r.Accounts[1].Rows))
		}
	}
}

// A span whose count does not come, or is unknown, or refused, says so; the
// others are counted. Nothing is asked again.
func TestOneSpanWithoutACount(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault simulator.Fault
		tries int64
		want  string
	}{
		{simulator.Fault{Kind: simulator.Drop}, 2, "got no answer"},
		{simulator.Fault{Kind: simulator.HTTP, HTTPStatus: 503}, 2, "got no answer"},
		{result("UNKNOWN_EXCEPTION"), 1, "ended unknown"},
		{result("SYSTEM_ERROR"), 1, "refused"},
		{simulator.Fault{Kind: simulator.WrongPage}, 1, "does not add up"},
		{simulator.Fault{Kind: simulator.ShortPage}, 1, "does not add up"},
	} {
		t.Run(tt.fault.Kind.String()+tt.fault.Code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 400)
			w.fill("", 237, 399)
			w.sync()
			target := start.AddDate(0, 0, -150)
			var asked atomic.Int64
			w.server.SetFault(func(r simulator.Request) simulator.Fault {
				if r.Query.Start.Before(target) && target.Before(r.Query.End) {
					asked.Add(1)
					return tt.fault
				}
				return simulator.Fault{}
			})
			for name, r := range w.both(shanghai) {
				if got := asked.Swap(0); got != tt.tries {
					t.Errorf("%s: asked %d times, want %d", name, got, tt.tries)
				}
				missing := r.Uncounted()
				if len(missing) != 1 || !missing[0].Span.Contains(target) || !strings.Contains(strings.Join(missing[0].Remarks(), "; "), tt.want) || r.Stopped != nil {
					t.Errorf("%s: %d rows not counted, stopped: %v", name, len(missing), r.Stopped)
					for _, row := range missing {
						t.Log(describe(row))
					}
				}
				if len(r.Differing()) > 0 || len(r.Rows()) < 5 {
					t.Errorf("%s: %d of %d rows differ", name, len(r.Differing()), len(r.Rows()))
				}
			}
		})
	}
}

// Five requests in a row without an answer end it. What is stored is told
// nevertheless.
func TestOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.fill("", 237, 399)
	w.sync()
	w.cfg.Concurrency = 1
	before := w.server.Requests()
	w.server.SetFault(func(simulator.Request) simulator.Fault { return simulator.Fault{Kind: simulator.Drop} })
	r := w.months(shanghai)
	if got := w.server.Requests() - before; got != 10 {
		t.Errorf("%d requests, want five spans with two tries each", got)
	}
	if r.Stopped == nil || len(r.Uncounted()) != len(r.Rows()) {
		t.Errorf("stopped: %v; %d of %d rows not counted", r.Stopped, len(r.Uncounted()), len(r.Rows()))
	}
	if _, stored, _, _ := sums(r); stored != 237 {
		t.Errorf("stored are %d, want 237", stored)
	}
}

// The provider says three times in a row that it is asked too fast.
func TestTooFast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.fill("", 237, 399)
	w.sync()
	w.cfg.Concurrency = 1
	before := w.server.Requests()
	w.server.SetFault(func(simulator.Request) simulator.Fault { return result("REQUEST_TRAFFIC_EXCEED_LIMIT") })
	if r := w.months(shanghai); r.Stopped == nil || len(r.Uncounted()) != len(r.Rows()) {
		t.Errorf("stopped: %v; %d of %d rows not counted", r.Stopped, len(r.Uncounted()), len(r.Rows()))
	}
	if got := w.server.Requests() - before; got != 3 {
		t.Errorf("%d requests, want 3", got)
	}
}

// An account's first request goes alone; those after it do not.
func TestFirstRequestGoesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.fill("", 237, 399)
	w.sync()
	s := &watched{Source: w.client}
	w.source = s
	w.agrees("months", w.months(shanghai), 237)
	if s.early > 0 || s.most < 2 {
		t.Errorf("%d requests came before the first was answered, %d at once; want none, and several later", s.early, s.most)
	}
}

// watched counts requests under way.
type watched struct {
	verify.Source
	mu                             sync.Mutex
	begun, ended, early, now, most int
}

func (s *watched) QueryBillList(ctx context.Context, acct bill.Account, q bill.Query) (bill.Page, error) {
	s.mu.Lock()
	if s.begun > 0 && s.ended == 0 {
		s.early++
	}
	s.begun++
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ended++
		s.now--
	}()
	return s.Source.QueryBillList(ctx, acct, q)
}

// Spans asked for are never later than what is proved.
func TestNothingBeyondTheProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	w.fill("", 100, 99)
	w.sync()
	proved := start.Add(-2 * time.Minute)
	w.pass(5 * 24 * time.Hour)
	w.list(proved.Add(time.Second), w.now().Add(-time.Hour))
	w.server.OnRequest(func(r simulator.Request) {
		if !counts(r) || r.Query.End.After(proved) {
			t.Errorf("asked for %s … %s with %d a page, proved is up to %s", r.Query.Start, r.Query.End, r.Query.PageSize, proved)
		}
	})
	for name, r := range w.both(shanghai) {
		w.agrees(name, r, 100)
	}
}

// Stopping ends the counting with the reason.
func TestStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.fill("", 100, 399)
	w.sync()
	why := errors.New("stopped by a signal")
	ctx, stop := context.WithCancelCause(context.Background())
	w.source = between{w.client, func(bill.Query) { stop(why) }}
	var err error
	w.count(func(v *verify.Verifier) (*verify.Result, error) {
		var r *verify.Result
		r, err = v.Months(ctx, shanghai, verify.Options{})
		return r, nil
	})
	if !errors.Is(err, why) {
		t.Errorf("the error is %v, want %v", err, why)
	}
}

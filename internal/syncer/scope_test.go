package syncer_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/syncer"
)

// spans runs and returns the spans whose first page was asked for.
func (w *world) spans(o syncer.Options) (asked []bill.Span) {
	w.t.Helper()
	var mu sync.Mutex
	w.server.OnRequest(func(r simulator.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Query.Page == 1 {
			asked = append(asked, bill.Span{Start: r.Query.Start.UTC(), End: r.Query.End.UTC()})
		}
	})
	defer w.server.OnRequest(nil)
	sum, err := w.run(o)
	if err != nil || !sum.Complete() {
		w.t.Fatalf("run: %v, %s", err, sum.Reason())
	}
	return asked
}

// settle waits until the provider has seen all that was sent to it, also by a
// run that was killed.
func (w *world) settle() {
	w.t.Helper()
	for range 200 {
		if w.server.Requests() >= w.client.Requests() {
			time.Sleep(10 * time.Millisecond) // for the last one to be looked at
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	// A request that was cancelled early never arrives.
}

// A run over named windows reads these again, proved or not, and nothing else.
func TestScopeOfWindows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.fill(80, 399)
	w.sync()
	w.pass(3 * 24 * time.Hour) // a tail is due, and it will have a day of its own
	w.ledger.Add("", entry("LATER", w.now().Add(-time.Hour)))
	ids := w.query("SELECT window_id FROM windows ORDER BY window_start")
	if len(ids) != 5 {
		t.Fatalf("%d windows, want 5", len(ids))
	}
	asked := w.spans(syncer.Options{Scope: syncer.Scope{Windows: []int64{4, 2}}}) // the newest is 1
	want := w.query("SELECT window_start || window_end FROM windows WHERE window_id IN (2, 4) ORDER BY window_start DESC")
	var got []string
	slices.SortFunc(asked, func(x, y bill.Span) int { return y.Start.Compare(x.Start) })
	for _, s := range asked {
		got = append(got, s.Start.Format("2006-01-02T15:04:05.000Z")+s.End.Format("2006-01-02T15:04:05.000Z"))
	}
	if !slices.Equal(got, want) {
		t.Errorf("asked for %v, want %v", got, want)
	}
	if got := w.one("SELECT count(*) FROM windows WHERE reread_at IS NOT NULL"); got != "0" {
		t.Errorf("%s windows are left to be read again", got)
	}
	if got := w.one("SELECT proved_until IS NULL FROM tails"); got != "1" {
		t.Errorf("the tail was read as well")
	}
}

// Window 0 is the tail, which is read from its beginning.
func TestScopeOfTheTail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 120)
	w.fill(40, 119)
	w.sync()
	covered := start.Add(-2 * time.Minute)
	w.pass(30 * 24 * time.Hour)
	w.ledger.Add("", entry("TAIL", covered.Add(time.Hour)), entry("END", w.now().Add(-time.Hour)))
	w.sync()
	w.pass(time.Hour)
	asked := w.spans(syncer.Options{Scope: syncer.Scope{Windows: []int64{0}}})
	want := bill.Span{Start: covered.Add(-24 * time.Hour).UTC(), End: w.now().Add(-2 * time.Minute).UTC()}
	if len(asked) != 1 || !asked[0].Start.Equal(want.Start) || !asked[0].End.Equal(want.End) {
		t.Errorf("asked for %v, want %v", asked, want)
	}
	if asked := w.spans(syncer.Options{Scope: syncer.Scope{Windows: []int64{}}}); len(asked) > 0 {
		t.Errorf("a run over no windows asked for %v", asked)
	}
}

// A window of the scope that failed is asked for again; one that waits keeps its
// time.
func TestScopeOfFailedWindows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	w.fill(40, 249)
	target := start.AddDate(0, 0, -150)
	fail := func(code string) {
		w.server.SetFault(func(r simulator.Request) simulator.Fault {
			if r.Query.Start.Before(target) && target.Before(r.Query.End) {
				return result(code)
			}
			return simulator.Fault{}
		})
	}
	fail("SYSTEM_ERROR")
	if _, err := w.run(syncer.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := w.one("SELECT state FROM windows WHERE window_id = 2"); got != "failed" {
		t.Fatalf("the window is %s, want failed", got)
	}
	scope := syncer.Options{Scope: syncer.Scope{Windows: []int64{2}}}
	fail("UNKNOWN_EXCEPTION")
	if sum, err := w.run(scope); err != nil || sum.Run.Requests != 1 {
		t.Errorf("a failed window of the scope was asked for %d times (%v), want once", sum.Run.Requests, err)
	}
	if sum, err := w.run(scope); err != nil || sum.Run.Requests != 0 {
		t.Errorf("a window that waits was asked for %d times (%v) before its time", sum.Run.Requests, err)
	}
}

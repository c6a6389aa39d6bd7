package syncer_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/syncer"
)

// A sourceFunc answers in its own way.
type sourceFunc struct {
	syncer.Source
	answer func(ctx context.Context, a bill.Account, q bill.Query) (bill.Page, error)
}

func (s sourceFunc) QueryBillList(ctx context.Context, a bill.Account, q bill.Query) (bill.Page, error) {
	return s.answer(ctx, a, q)
}

// Answers to a pass that was given up come late, when the next pass of the window
// is being read: they prove nothing. Between the two a bill goes and another comes.
func TestLateAnswersOfAPassGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	at := func(i int) time.Time { return start.AddDate(0, 0, -10).Add(-time.Duration(i) * time.Hour) }
	for i := range 45 {
		w.ledger.Add("", entry("B"+string(rune('A'+i)), at(i)))
	}
	gone := "B" + string(rune('A'+42))
	var passes, fetched atomic.Int32
	changed := make(chan struct{})
	src := sourceFunc{w.client, func(ctx context.Context, a bill.Account, q bill.Query) (bill.Page, error) {
		if q.Page == 1 {
			passes.Add(1)
		}
		first := passes.Load() == 1
		if first && q.Page == 2 {
			for fetched.Load() < 3 {
				time.Sleep(time.Millisecond)
			}
			p, err := w.client.QueryBillList(ctx, a, q)
			p.TotalCount++ // of a replica: the pass is given up
			w.ledger.Remove("", gone)
			w.ledger.Add("", entry("LATE", at(42).Add(time.Minute)))
			close(changed)
			return p, err
		}
		p, err := w.client.QueryBillList(ctx, a, q)
		switch {
		case !first && q.Page > 2:
			time.Sleep(30 * time.Millisecond)
		case first && q.Page > 2:
			fetched.Add(1)
			<-changed
			time.Sleep(50 * time.Millisecond)
		}
		return p, err
	}}
	sum, err := w.runWith(syncer.Options{}, src, nil)
	if err != nil || !sum.Complete() {
		t.Fatal(err, sum.Reason())
	}
	w.equal("main", "")
	if got := passes.Load(); got != 2 {
		t.Errorf("%d passes were begun, want 2", got)
	}
}

// Once it is known that an account is refused, nothing more is asked for it, and
// for a window that has to wait as little: not even what was planned.
func TestNothingPlannedIsAskedAfterARefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 690)
	w.fill(600, 690)
	w.server.SetFault(func(r simulator.Request) simulator.Fault {
		if r.Query.Page == 2 {
			return result("INVALID_SIGNATURE")
		}
		return simulator.Fault{}
	})
	var first, after atomic.Int32
	var answered, handled atomic.Bool
	gate := make(chan struct{})
	src := sourceFunc{w.client, func(ctx context.Context, a bill.Account, q bill.Query) (bill.Page, error) {
		if handled.Load() {
			after.Add(1)
		}
		if q.Page == 2 {
			p, err := w.client.QueryBillList(ctx, a, q)
			answered.Store(true)
			return p, err
		}
		if q.Page > 2 || first.Add(1) > 1 {
			<-gate
		}
		return w.client.QueryBillList(ctx, a, q)
	}}
	var once sync.Once
	sum, err := w.runWith(syncer.Options{Progress: func(syncer.Progress) {
		if !answered.Load() {
			return
		}
		time.Sleep(20 * time.Millisecond)
		once.Do(func() { // those under way end while this is told
			handled.Store(true)
			close(gate)
			time.Sleep(100 * time.Millisecond)
		})
	}}, src, nil)
	if err != nil || sum.Complete() {
		t.Fatal(err, sum.Complete())
	}
	if got := after.Load(); got != 0 {
		t.Errorf("%d requests were begun after the refusal was known", got)
	}
}

// While a page is missing no other is asked for that lies further than so many
// pages beyond the last one stored, and those within are.
func TestPagesAheadOfTheCheckpoint(t *testing.T) {
	t.Parallel()
	for _, concurrency := range []int{1, 4, 7} {
		w := newWorld(t, 50)
		w.fill(300, 49)
		w.cfg.Concurrency = concurrency
		var furthest atomic.Int64
		src := sourceFunc{w.client, func(ctx context.Context, a bill.Account, q bill.Query) (bill.Page, error) {
			for n := int64(q.Page); ; {
				have := furthest.Load()
				if n <= have || furthest.CompareAndSwap(have, n) {
					break
				}
			}
			if q.Page == 2 {
				want := int64(1 + concurrency)
				for end := time.Now().Add(time.Minute); furthest.Load() < want && time.Now().Before(end); {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(50 * time.Millisecond) // one too many would come now
				if got := furthest.Load(); got != want {
					t.Errorf("%d at a time: page %d was asked for while page 2 was missing, want %d", concurrency, got, want)
				}
			}
			return w.client.QueryBillList(ctx, a, q)
		}}
		if sum, err := w.runWith(syncer.Options{}, src, nil); err != nil || !sum.Complete() {
			t.Fatal(err, sum.Reason())
		}
		w.equal("main", "")
	}
}

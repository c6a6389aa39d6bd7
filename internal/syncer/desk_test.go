package syncer

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"billsync/internal/bill"
)

// A heldSource answers a request when it is let go.
type heldSource struct {
	mu    sync.Mutex
	begun []string
	let   chan error
}

func (s *heldSource) Requests() int64 { return 0 }

func (s *heldSource) QueryBillList(_ context.Context, _ bill.Account, q bill.Query) (bill.Page, error) {
	s.mu.Lock()
	s.begun = append(s.begun, q.OrderNo) // a name for it
	s.mu.Unlock()
	return bill.Page{}, <-s.let
}

func (s *heldSource) names() (all string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.begun {
		all += n
	}
	return all
}

// expect waits until these requests were begun, and makes sure that no other is.
func (s *heldSource) expect(t *testing.T, want string) {
	t.Helper()
	for range 12_000 { // a minute
		if len(s.names()) >= len(want) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond)
	if got := s.names(); got != want {
		t.Fatalf("begun so far: %q, want %q", got, want)
	}
}

func TestDesk(t *testing.T) {
	t.Parallel()
	src := &heldSource{let: make(chan error)}
	one, two := &account{}, &account{}
	window := func(a *account) *reading { return &reading{acct: a, win: &bill.Window{}} }
	put := func(d *desk, r *reading, name string) { d.put(ask{r: r, q: bill.Query{OrderNo: name}}) }
	answer := func(d *desk, err error) {
		t.Helper()
		src.let <- err
		if ans := <-d.answers; !errors.Is(ans.err, err) {
			t.Fatalf("the answer is %v, want %v", ans.err, err)
		}
	}
	ctx := t.Context()

	// Two at a time, one of an account; a tail before what is no tail.
	d := newDesk(src, 2, 2)
	put(d, window(one), "a")
	put(d, window(one), "b")
	put(d, window(two), "c")
	put(d, &reading{acct: one}, "T")
	put(d, &reading{acct: two}, "U")
	put(d, &reading{acct: one}, "V")
	d.serve(ctx, 1)
	for len(src.names()) < 2 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond)
	if got := src.names(); got != "TU" && got != "UT" {
		t.Fatalf("begun first: %q", got)
	}
	answer(d, nil) // of either: the next of its account is begun, by whoever had it
	for len(src.names()) < 3 {
		time.Sleep(time.Millisecond)
	}
	if got := src.names(); got != "TUV" && got != "TUc" && got != "UTV" && got != "UTc" {
		t.Fatalf("begun so far: %q", got)
	}
	dropped := d.drop(func(ask) bool { return true })
	answer(d, nil)
	answer(d, nil)
	d.wait()
	if got := len(src.names()) + len(dropped); got != 6 {
		t.Errorf("%d begun and %d dropped, want 6 in all", len(src.names()), len(dropped))
	}

	// After an answer that is no yes nothing is begun before it was handled.
	src.begun = nil
	d = newDesk(src, 1, 1)
	put(d, window(one), "a")
	put(d, window(one), "b")
	put(d, window(one), "c")
	d.serve(ctx, 1)
	no := errors.New("no")
	answer(d, no)
	src.expect(t, "a")
	d.serve(ctx, 1)
	src.expect(t, "a")
	d.handled(1)
	d.serve(ctx, 1)
	src.expect(t, "ab")

	// Nor once it is closed.
	d.close()
	answer(d, nil)
	d.serve(ctx, 1)
	d.wait()
	src.expect(t, "ab")
}

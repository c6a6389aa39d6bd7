package syncer_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"billsync/internal/simulator"
	"billsync/internal/syncer"
)

// The list changes between two pages of a pass, in every way and at every page:
// the database ends equal to the list, or the run says what is not settled.
func TestPagesMove(t *testing.T) {
	t.Parallel()
	at := func(i int) time.Time { return start.AddDate(0, 0, -1).Add(-time.Duration(i) * time.Hour) }
	for name, change := range map[string]func(w *world){
		"a bill appears":          func(w *world) { w.ledger.Add("", entry("LATE", at(0).Add(time.Minute))) },
		"a bill vanishes":         func(w *world) { w.ledger.Remove("", "B00") },
		"a bill appears at last":  func(w *world) { w.ledger.Add("", entry("LATE", at(60))) },
		"a bill vanishes at last": func(w *world) { w.ledger.Remove("", "B44") },
		"a bill changes": func(w *world) {
			w.ledger.Update("", "B07", func(e *simulator.Entry) { e.Status, e.LastUpdate = "REFUNDED", w.now() })
		},
		"a page full appears": func(w *world) {
			for i := range 10 {
				w.ledger.Add("", entry(fmt.Sprintf("LATE%d", i), at(0).Add(time.Minute)))
			}
		},
	} {
		for page := 2; page <= 5; page++ {
			for _, concurrency := range []int{1, 4} {
				t.Run(fmt.Sprintf("%s at page %d of %d at once", name, page, concurrency), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, 50)
					w.cfg.Concurrency = concurrency
					for i := range 45 {
						w.ledger.Add("", entry(fmt.Sprintf("B%02d", i), at(i)))
					}
					var once sync.Once
					w.server.OnRequest(func(r simulator.Request) {
						if r.Query.Page == page {
							once.Do(func() { change(w) })
						}
					})
					sum, err := w.run(syncer.Options{})
					if err != nil {
						t.Fatal(err)
					}
					if !sum.Complete() {
						t.Fatalf("not settled although the list moved only once: %s", sum.Reason())
					}
					// A bill may have vanished or changed after its page was read; that
					// is for a later re-read to find.
					w.pass(time.Minute)
					if _, err := w.run(full); err != nil {
						t.Fatal(err)
					}
					w.equal("main", "")
				})
			}
		}
	}
}

// A list that never holds still is not claimed to be proved.
func TestListThatNeverSettles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.fill(45, 49)
	n := 0
	var mu sync.Mutex
	w.server.OnRequest(func(r simulator.Request) {
		mu.Lock()
		defer mu.Unlock()
		if n++; r.Query.Page > 1 {
			w.ledger.Add("", entry(fmt.Sprintf("X%d", n), start.AddDate(0, 0, -2)))
		}
	})
	sum, err := w.run(syncer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Complete() || sum.Outcome() != "incomplete" {
		t.Errorf("outcome %s, want incomplete", sum.Outcome())
	}
	if got := w.one("SELECT state, proved_at IS NULL, last_error <> '', setbacks FROM windows"); got != "waiting|1|1|1" {
		t.Errorf("window = %s, want it waiting, not proved, with a reason", got)
	}
	w.server.OnRequest(nil)
	w.sync()
	w.equal("main", "")
}

// Where the provider always counts more than it lists, nothing is proved, but
// everything that is listed is stored.
func TestWhatIsListedIsStoredEvenWithoutProof(t *testing.T) {
	t.Parallel()
	for _, n := range []int{7, 10, 33} {
		w := newWorld(t, 50)
		w.fill(n, 49)
		w.server.SetFault(func(simulator.Request) simulator.Fault { return simulator.Fault{Kind: simulator.ShortPage} })
		sum, err := w.run(syncer.Options{})
		if err != nil || sum.Complete() {
			t.Fatalf("%d bills: %v, complete %v", n, err, sum.Complete())
		}
		pages := (n + 9) / 10 // each lists a bill less than it should
		if got := w.one("SELECT count(*) FROM bills"); got != fmt.Sprint(n-pages) {
			t.Errorf("%s of %d bills stored, want the %d that were listed", got, n, n-pages)
		}
		if got := w.one("SELECT state, proved_at IS NULL FROM windows"); got != "waiting|1" {
			t.Errorf("window %s, want it waiting without proof", got)
		}
		w.server.SetFault(nil)
		w.sync()
		w.equal("main", "")
	}
}

// A proved window stays proved until a finished pass disagrees with it.
func TestProofIsLostOnlyToAFinishedPass(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.fill(45, 49)
	w.sync()
	w.pass(time.Hour)
	w.server.SetFault(func(r simulator.Request) simulator.Fault {
		if r.Query.Page == 3 {
			return result("UNKNOWN_EXCEPTION")
		}
		return simulator.Fault{}
	})
	sum, err := w.run(full)
	if err != nil || sum.Complete() {
		t.Fatalf("%v, complete %v", err, sum.Complete())
	}
	if got := w.one("SELECT state, reread_at IS NOT NULL, next_attempt_at IS NOT NULL FROM windows"); got != "done|1|1" {
		t.Errorf("window = %s, want it done, and its re-reading waiting", got)
	}
	w.server.SetFault(func(r simulator.Request) simulator.Fault {
		if r.Query.Page == 3 {
			return simulator.Fault{Kind: simulator.ShortPage}
		}
		return simulator.Fault{}
	})
	w.pass(6 * time.Minute)
	if sum, err = w.run(syncer.Options{}); err != nil || sum.Complete() {
		t.Fatalf("%v, complete %v", err, sum.Complete())
	}
	if got := w.one("SELECT state, proved_at IS NULL FROM windows"); got != "waiting|1" {
		t.Errorf("window = %s, want the proof gone after a pass disagreed", got)
	}
}

func TestWrongAndStalePagesAreNotBelieved(t *testing.T) {
	t.Parallel()
	for _, kind := range []simulator.FaultKind{simulator.WrongPage, simulator.StalePage, simulator.ShortPage} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 50)
			w.fill(45, 49)
			var mu sync.Mutex
			n := 0
			w.server.SetFault(func(r simulator.Request) simulator.Fault {
				mu.Lock()
				defer mu.Unlock()
				if r.Query.Page == 3 {
					if n++; n == 1 {
						return simulator.Fault{Kind: kind}
					}
				}
				return simulator.Fault{}
			})
			w.sync()
			w.equal("main", "")
		})
	}
}

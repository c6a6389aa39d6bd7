package syncer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/syncer"
)

// A dying source crashes at the nth request.
type dying struct {
	syncer.Source
	left *atomic.Int64
}

func (d dying) QueryBillList(ctx context.Context, acct bill.Account, q bill.Query) (bill.Page, error) {
	if d.left.Add(-1) < 0 {
		return bill.Page{}, errCrash
	}
	return d.Source.QueryBillList(ctx, acct, q)
}

// peculiar fills a world with what makes identity hard: orders of several bills,
// alike and not, at one second and at several, with and without numbers.
func peculiar(w *world) {
	w.fill(55, 140)
	for i, at := range []time.Time{start.AddDate(0, 0, -2), start.AddDate(0, 0, -41), start.AddDate(0, 0, -120)} {
		order := fmt.Sprintf("P%d", i)
		a, b := entry(order, at), entry(order, at)
		b.Trade = &bill.Amount{Currency: "USD", Value: 77}
		c, d := entry(order, at.Add(time.Hour)), entry(order, at.Add(time.Hour))
		e, f := entry(order+"N", at), entry(order+"N", at)
		e.BillNo, f.BillNo = order+"B1", order+"B2"
		w.ledger.Add("", a, b, c, d, e, f)
	}
	w.ledger.Add("", simulator.Entry{Raw: raw(map[string]any{"orderNo": "?"}), Time: start.AddDate(0, 0, -60)})
}

// story is everything the database says about bills and windows that does not
// depend on when it was read.
func (w *world) story() []string {
	out := w.query(`SELECT account, order_no, bill_no, substr(transaction_time, 1, 19), ordinal, bill_status, trade_amount, content_hash, withdrawn_at
		FROM bills ORDER BY 1, 2, 4, 5`)
	out = append(out, w.query("SELECT account, window_start, window_end, state, total_count, stored_count FROM windows ORDER BY 1, 2")...)
	out = append(out, w.query("SELECT account, item_hash, occurrence, reason FROM rejected_items ORDER BY 1, 2, 3")...)
	return append(out, w.query("SELECT count(*) FROM held_items WHERE pass_id IN (SELECT pass_id FROM passes WHERE state = 'done')")...)
}

// Killed after every single transaction, and before every single request, the
// work goes on and ends like work that nobody disturbed.
func TestInterruptedAnywhereEndsTheSame(t *testing.T) {
	t.Parallel()
	calm := newWorld(t, 150)
	peculiar(calm)
	first, err := calm.run(syncer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := calm.story()

	t.Run("commits", func(t *testing.T) {
		t.Parallel()
		for at := 1; ; at++ {
			w := newWorld(t, 150)
			peculiar(w)
			commits := 0
			_, err := w.runWith(syncer.Options{}, w.client, func() error {
				if commits++; commits == at {
					return errCrash
				}
				return nil
			})
			if err == nil {
				if at < 6 { // answers that come at once are stored at once, so that it is not always the same
					t.Errorf("the whole run made only %d commits", at)
				}
				return // it ended before its death
			}
			if !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			if _, err := w.run(syncer.Options{}); err != nil {
				t.Fatal(err)
			}
			compare(t, fmt.Sprintf("killed after commit %d", at), w.story(), want)
		}
	})
	t.Run("again and again", func(t *testing.T) {
		t.Parallel()
		// Of each run's commits the first opens it, the second opens passes, the
		// next read the tail and compare last pages: with six, every run comes
		// further.
		for every := 6; every <= 9; every++ {
			w := newWorld(t, 150)
			peculiar(w)
			for runs := 0; ; runs++ {
				if runs > 100 {
					t.Fatalf("killed after every %d commits: no end in sight", every)
				}
				commits := 0
				_, err := w.runWith(syncer.Options{}, w.client, func() error {
					if commits++; commits == every {
						return errCrash
					}
					return nil
				})
				if err == nil {
					break
				}
			}
			compare(t, fmt.Sprintf("killed after every %d commits", every), w.story(), want)
		}
	})
	t.Run("requests", func(t *testing.T) {
		t.Parallel()
		for at := range first.Run.Requests {
			w := newWorld(t, 150)
			peculiar(w)
			var left atomic.Int64
			left.Store(at)
			if _, err := w.runWith(syncer.Options{}, dying{w.client, &left}, nil); err == nil {
				t.Fatalf("the run survived its death at request %d", at)
			}
			before := w.server.Requests()
			if _, err := w.run(syncer.Options{}); err != nil {
				t.Fatal(err)
			}
			compare(t, fmt.Sprintf("killed at request %d", at), w.story(), want)
			// At most the pages in flight are asked again, and the last stored one.
			if total := w.server.Requests(); total > first.Run.Requests+int64(w.cfg.Concurrency)+6 {
				t.Errorf("killed at request %d: %d requests before, %d in all; an undisturbed run makes %d", at, before, total, first.Run.Requests)
			}
		}
	})
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: the database says\n%s\nan undisturbed run says\n%s", what, got[i], want[i])
		}
	}
	t.Fatalf("%s: %d lines, an undisturbed run has %d", what, len(got), len(want))
}

// Told to stop, a run keeps what it has and says why it ended.
func TestStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 150)
	w.fill(100, 149)
	cause := errors.New("told to stop")
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	w.server.OnRequest(func(r simulator.Request) {
		if r.N == 4 {
			cancel(cause)
		}
	})
	w.ctx = ctx
	if _, err := w.run(syncer.Options{}); !errors.Is(err, cause) {
		t.Errorf("Run = %v, want the cause of the stop", err)
	}
	w.ctx = context.Background()
	if got := w.one("SELECT outcome, error FROM runs"); got != "interrupted|told to stop" {
		t.Errorf("runs = %s", got)
	}
	kept := w.one("SELECT count(*) > 0 FROM bills")
	if kept != "1" {
		t.Error("what was read before the stop is gone")
	}
	w.sync()
	w.equal("main", "")
}

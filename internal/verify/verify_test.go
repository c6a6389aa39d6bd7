package verify_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/syncer"
	"billsync/internal/verify"
)

// Each proved window and the proved part of the tail has a row; together they
// hold every bill once, although the windows overlap.
func TestAllAgree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.fill("", 237, 399)
	w.sync()
	w.pass(3 * 24 * time.Hour)
	w.list(w.now().Add(-time.Hour), w.now().Add(-30*time.Hour))
	w.sync()
	r := w.windows()
	w.agrees("windows", r, 239)
	w.clean(r)
	rows := r.Rows()
	if len(rows) != 6 || !rows[5].Tail || rows[0].Tail {
		t.Errorf("%d rows, want five windows and the tail", len(rows))
	}
	for i, row := range rows {
		if i > 0 && row.Span.Start.Add(time.Second) != rows[i-1].Span.End {
			t.Errorf("row %d begins at %s, the one before ends at %s; want an overlap of one second", i, row.Span.Start, rows[i-1].Span.End)
		}
		if len(row.Windows) != 1 || row.ProvedAt.IsZero() || row.CountedAt.IsZero() {
			t.Errorf("row %d: windows %v, proved at %s, counted at %s", i, row.Windows, row.ProvedAt, row.CountedAt)
		}
	}
	if got, want := rows[0].Span.Start, w.history().Add(-bill.Lead); !got.Equal(want) {
		t.Errorf("counted from %s, want %s", got, want)
	}
	if got, want := rows[5].Span.End, w.now().Add(-2*time.Minute); !got.Equal(want) {
		t.Errorf("counted until %s, want %s", got, want)
	}
}

// A bill that is gone from our database, one that the API lists newly, and one
// that it lists no longer are found where they are.
func TestDifferencesAreFound(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(w *world)
		want int
	}{
		{"deleted here", func(w *world) { w.behind("DELETE FROM bills WHERE order_no = 'F000150'") }, +1},
		{"new at the API", func(w *world) { w.list(start.AddDate(0, 0, -252)) }, +1},
		{"removed at the API", func(w *world) { w.ledger.Remove("", "F000150") }, -1},
		{"withdrawn here", func(w *world) {
			w.behind("UPDATE bills SET withdrawn_at = '2026-05-19T00:00:00.000Z' WHERE order_no = 'F000150'")
		}, +1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 400)
			w.fill("", 237, 399) // F000150 is 253 days old
			w.sync()
			tt.do(w)
			at := start.AddDate(0, 0, -253)
			for name, r := range w.both(shanghai) {
				differing := r.Differing()
				if len(differing) != 1 || differing[0].Difference() != tt.want || !differing[0].Span.Contains(at) {
					t.Errorf("%s: %d rows differ, want one by %d around %s", name, len(differing), tt.want, at)
					for _, row := range r.Rows() {
						t.Log(describe(row))
					}
				}
				if _, _, _, d := sums(r); d != tt.want {
					t.Errorf("%s: the differences add up to %d, want %d", name, d, tt.want)
				}
			}
		})
	}
}

// Withdrawn bills stand in their month, and are not counted as stored.
func TestWithdrawnBillsAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	w.fill("", 50, 99)
	w.sync()
	w.ledger.Remove("", "F000010")
	w.behind("UPDATE bills SET withdrawn_at = '2026-05-19T00:00:00.000Z' WHERE order_no = 'F000010'")
	r := w.months(shanghai)
	w.agrees("months", r, 49)
	var got []string
	for _, row := range r.Rows() {
		got = append(got, fmt.Sprintf("%s %d", row.Month, row.Withdrawn))
	}
	if want := []string{"2026-02 0", "2026-03 0", "2026-04 1", "2026-05 0"}; !slices.Equal(got, want) {
		t.Errorf("withdrawn = %v, want %v", got, want)
	}
}

// Bills exactly on the ends of windows, months, history and proof change
// nothing, whichever ends the provider includes.
func TestBillsOnEnds(t *testing.T) {
	t.Parallel()
	for _, exclude := range []struct{ start, end bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		t.Run(fmt.Sprintf("exclude start %t, end %t", exclude.start, exclude.end), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 250, func(o *simulator.Options) { o.ExcludeStart, o.ExcludeEnd = exclude.start, exclude.end })
			proved := start.Add(-2 * time.Minute)
			points := []time.Time{w.history()}
			for _, s := range bill.Layout(w.history().Add(-bill.Lead), proved, 100)[:2] {
				points = append(points, s.End, s.End.Add(time.Second))
			}
			for m := time.December; m < time.December+6; m++ {
				points = append(points, time.Date(2025, m, 1, 0, 0, 0, 0, shanghai))
			}
			for _, at := range points[1:] {
				for _, d := range []time.Duration{-2 * time.Second, -time.Second, -time.Millisecond, 0, time.Millisecond, 999 * time.Millisecond, time.Second, 2 * time.Second} {
					w.list(at.Add(d))
				}
			}
			w.list(points[0], points[0].Add(time.Millisecond), points[0].Add(time.Second))
			w.list(proved.Add(-3*time.Second), proved.Add(time.Second), proved.Add(2*time.Second)) // the last two come after the proof
			w.sync()
			n := w.ledger.Len() - 2
			for name, r := range w.both(shanghai) {
				w.agrees(name, r, n)
				w.clean(r)
			}
			// Those on the proved end itself are near it: it is moved back.
			w.behind("UPDATE bills SET transaction_time = '2026-05-20T01:57:59.000Z' WHERE transaction_time = '2026-05-20T01:57:57.000Z'")
			for name, r := range w.both(shanghai) {
				rows := r.Rows()
				if got, want := rows[len(rows)-1].Span.End, proved.Add(-4*time.Second); !got.Equal(want) {
					t.Errorf("%s: with a bill a second before the proved end it is counted until %s, want %s", name, got, want)
				}
			}
		})
	}
}

// Where bills lie so densely that there is no clean second for hours, the row
// says by how much the count may differ.
func TestDenseBills(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 40, func(o *simulator.Options) { o.ExcludeStart, o.ExcludeEnd = true, true })
	month := time.Date(2026, 5, 1, 0, 0, 0, 0, shanghai)
	const step = 6 * time.Second // five seconds must be free
	for at := month.Add(-6*time.Hour - time.Minute); at.Before(month.Add(6*time.Hour + time.Minute)); at = at.Add(step) {
		w.list(at)
	}
	w.sync()
	n := w.ledger.Len()
	r := w.months(shanghai)
	rows := r.Rows()
	// The bill at midnight is in neither count, and in May's books.
	if got := len(r.Differing()); got != 0 || len(rows) != 2 {
		t.Errorf("%d of %d rows differ, want none of two", got, len(rows))
	}
	for _, row := range rows {
		if row.Tolerance != 1 || !slices.Contains(row.Remarks(), "ends not clean: count may differ by 1") {
			t.Errorf("%s", describe(row))
		}
	}
	if api, stored, _, _ := sums(r); api != n-1 || stored != n {
		t.Errorf("the API counts %d, stored are %d, want %d and %d", api, stored, n-1, n)
	}
	// What differs by more does differ.
	w.behind("DELETE FROM bills WHERE bill_id IN (SELECT bill_id FROM bills WHERE transaction_time < '2026-04-30T15:00' LIMIT 2)")
	if d := w.months(shanghai).Differing(); len(d) != 1 || d[0].Month != "2026-04" || d[0].Difference() != 2 {
		t.Errorf("after two bills of April were deleted, %d rows differ", len(d))
	}
}

// A minute in which every second has a bill is passed by.
func TestDenseMinute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 40)
	month := time.Date(2026, 5, 1, 0, 0, 0, 0, shanghai)
	for i := range 60 {
		w.list(month.Add(time.Duration(i-30) * time.Second))
	}
	w.sync()
	r := w.months(shanghai)
	w.agrees("months", r, 60)
	w.clean(r)
	if got, want := r.Rows()[1].Span.Start, month.Add(-34*time.Second); !got.Equal(want) {
		t.Errorf("May is counted from %s, want %s", got, want)
	}
}

// A busy beginning of the history is counted by itself, so that the rest of the
// month is exact.
func TestBusyBeginning(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	first := w.history()
	w.list(first.Add(-time.Second), first, first.Add(time.Second), first.Add(3*time.Second), first.Add(5*time.Second), first.Add(time.Hour))
	w.sync()
	for name, r := range w.both(shanghai) {
		w.agrees(name, r, 6)
		if got := r.Rows()[0].Remarks(); !slices.Equal(got, []string{"ends not clean: count may differ by 1"}) {
			t.Errorf("%s: remarks %q", name, got)
		}
	}
	w.behind("DELETE FROM bills WHERE transaction_time = ?", first.Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000Z"))
	for name, r := range w.both(shanghai) {
		if d := r.Differing(); len(d) != 1 || d[0].Difference() != 1 {
			t.Errorf("%s: after a bill was deleted %d rows differ, want one by 1", name, len(d))
		}
	}
}

// A bill that lies exactly where two spans overlap, and that we do not know,
// makes one difference and not two, nor none.
func TestHiddenInASeam(t *testing.T) {
	t.Parallel()
	for _, offset := range []time.Duration{-time.Second, -500 * time.Millisecond, 0, time.Second} {
		for _, exclude := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, exclude %t", offset, exclude), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, 60, func(o *simulator.Options) { o.ExcludeStart, o.ExcludeEnd = exclude, exclude })
				w.fill("", 30, 59)
				month := time.Date(2026, 5, 1, 0, 0, 0, 0, shanghai)
				w.list(month.Add(offset))
				w.sync()
				w.agrees("months", w.months(shanghai), 31)
				w.behind("DELETE FROM bills WHERE order_no LIKE 'O%'")
				r := w.months(shanghai)
				if d := r.Differing(); len(d) != 1 || d[0].Difference() != 1 {
					t.Errorf("%d rows differ, want one by 1", len(d))
				}
				if api, stored, _, difference := sums(r); api != 31 || stored != 30 || difference != 1 {
					t.Errorf("the API counts %d, stored are %d, the differences add up to %d; want 31, 30, 1", api, stored, difference)
				}
			})
		}
	}
}

// A list that ends at 10,000 is counted in halves, also where all its bills lie
// in one half.
func TestCappedList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 99)
	april := time.Date(2026, 4, 2, 0, 0, 0, 0, shanghai)
	at := make([]time.Time, 12_500)
	for i := range at {
		at[i] = april.Add(time.Duration(i) * time.Minute)
	}
	w.list(at...)
	w.sync()
	o := w.options()
	o.MaxCount = 10_000
	server, client := w.serve(o)
	t.Cleanup(func() {
		client.Close()
		_ = server.Close()
	})
	w.source = client
	for name, r := range w.both(shanghai) {
		w.agrees(name, r, len(at))
	}
	w.behind("DELETE FROM bills WHERE order_no IN ('O000100', 'O012000')")
	for name, r := range w.both(shanghai) {
		if d := r.Differing(); len(d) != 1 || d[0].Difference() != 2 {
			t.Errorf("%s: after two bills were deleted %d rows differ, want one by 2", name, len(d))
		}
	}
}

// A count of more than 10,000 that is not capped stands.
func TestManyBillsAreNotCapped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	at := make([]time.Time, 10_100)
	for i := range at {
		at[i] = start.AddDate(0, 0, -20).Add(time.Duration(i) * time.Minute)
	}
	w.list(at...)
	w.sync()
	before := w.server.Requests()
	r := w.windows()
	w.agrees("windows", r, len(at))
	if got := w.server.Requests() - before; got != 3 {
		t.Errorf("%d requests, want one for the whole and one for each half", got)
	}
}

// Months follow the report's zone, also where clocks are changed; the first one
// begins with the history, the last one ends with the proof, and some are empty.
func TestMonths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "UTC"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			z := zone(name)
			w := newWorld(t, 400) // 2025-04-15
			var want []string
			bills := map[string]int{}
			first := w.history()
			for m := first; m.Before(start); m = m.AddDate(0, 1, 0) {
				y, mo, _ := m.In(z).Date()
				begin := time.Date(y, mo, 1, 0, 0, 0, 0, z)
				want = append(want, begin.Format("2006-01"))
				if mo%3 == 0 {
					continue // empty
				}
				for _, at := range []time.Time{begin.Add(10 * time.Second), begin.AddDate(0, 0, 20), begin.AddDate(0, 1, 0).Add(-10 * time.Second)} {
					if at.After(first) && at.Before(start.Add(-time.Hour)) {
						w.list(at)
						bills[want[len(want)-1]]++
					}
				}
			}
			w.sync()
			r := w.months(z)
			w.agrees("months", r, w.ledger.Len())
			w.clean(r)
			var got []string
			for _, row := range r.Rows() {
				got = append(got, row.Month)
				if row.API != bills[row.Month] {
					t.Errorf("%s has %d bills, want %d", row.Month, row.API, bills[row.Month])
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("months = %v, want %v", got, want)
			}
			rows := r.Rows()
			if got, want := rows[0].Span.Start, first.Add(-bill.Lead); !got.Equal(want) {
				t.Errorf("counted from %s, want %s", got, want)
			}
			if got, want := rows[len(rows)-1].Span.End, start.Add(-2*time.Minute); !got.Equal(want) {
				t.Errorf("counted until %s, want %s", got, want)
			}
		})
	}
}

// A month is proved since the oldest proof that is needed to cover it.
func TestMonthsProvedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	w.fill("", 60, 249)
	w.sync()
	w.behind("UPDATE windows SET proved_at = '2026-01-0' || window_id || 'T00:00:00.000Z'") // the newest is 1
	w.behind("UPDATE windows SET state = 'failed' WHERE window_id = 3")                     // until 2025-12-21
	got := map[string]string{}
	for _, row := range w.months(shanghai).Rows() {
		got[row.Month] = strings.TrimSuffix(row.ProvedAt.Format(time.DateOnly), "0001-01-01") + strings.Join(row.Remarks(), "")
		if !row.Counted || row.Differs() {
			t.Errorf("%s", describe(row))
		}
	}
	want := map[string]string{
		"2025-09": "not proved", "2025-10": "not proved", "2025-11": "not proved", "2025-12": "not proved",
		"2026-01": "2026-01-02", "2026-02": "2026-01-02", "2026-03": "2026-01-01", "2026-04": "2026-01-01", "2026-05": "2026-01-01",
	}
	for m, x := range want {
		if got[m] != x {
			t.Errorf("%s: %q, want %q; windows: %v", m, got[m], x, w.query("SELECT window_id || ' ' || window_start || ' ' || window_end FROM windows"))
		}
	}
}

// What is not proved is not counted by window, and is named.
func TestUnprovedWindows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	w.fill("", 60, 249)
	w.sync()
	w.behind("UPDATE windows SET state = 'failed' WHERE window_id = 2")
	w.behind("DELETE FROM bills WHERE bill_id IN (SELECT bill_id FROM bills ORDER BY transaction_time LIMIT 1)")
	r := w.windows()
	rows := r.Rows()
	if len(rows) != 3 || rows[1].Counted || rows[1].Asked || !slices.Equal(rows[1].Remarks(), []string{"not proved: failed"}) {
		for _, row := range rows {
			t.Errorf("%s", describe(row))
		}
	}
	if len(r.Unproved()) != 1 || len(r.Uncounted()) != 0 || len(r.Differing()) != 1 {
		t.Errorf("%d unproved, %d uncounted, %d differ; want 1, 0, 1", len(r.Unproved()), len(r.Uncounted()), len(r.Differing()))
	}
	// Nothing is proved of what was never read.
	w.behind("UPDATE windows SET state = 'pending'")
	for name, r := range w.both(shanghai) {
		if a := r.Accounts[0]; !a.Until.IsZero() || len(r.Uncounted()) > 0 || len(r.Unproved()) != len(r.Rows()) {
			t.Errorf("%s: proved until %s, %d rows", name, a.Until, len(r.Rows()))
		}
	}
}

// Items that are no bills are counted by the API as well: by their time where
// that is readable, else wherever the API counts one more.
func TestUnreadableItems(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	w.fill("", 60, 249)
	timed := func(at time.Time) simulator.Entry {
		return simulator.Entry{Raw: []byte(fmt.Sprintf(`{"transactionTime":%q,"merchantName":"without order"}`, at.Format(time.RFC3339)))}
	}
	windows := bill.Layout(w.history().Add(-bill.Lead), start.Add(-2*time.Minute), 100)
	noTime := func(at time.Time) simulator.Entry {
		return simulator.Entry{Time: at, Raw: []byte(fmt.Sprintf(`{"orderNo":"X","transactionTime":"soon","metadata":{"n":"%d"}}`, at.Unix()))}
	}
	month := time.Date(2026, 3, 1, 0, 0, 0, 0, shanghai)
	w.ledger.Add("",
		timed(month), timed(month.Add(time.Second)), // on the end of a month
		timed(windows[0].End),
		noTime(windows[1].Start.Add(time.Hour)), // on the day that two windows share
		noTime(month.AddDate(0, 0, 5)),
	)
	if sum := w.run(syncer.Options{}); sum.Accounts[0].Rejected != 5 {
		t.Fatalf("%d items rejected, want 5", sum.Accounts[0].Rejected)
	}
	for range 2 {
		for name, r := range w.both(shanghai) {
			w.agrees(name, r, 65)
			if _, _, unreadable, _ := sums(r); unreadable != 5 {
				t.Errorf("%s: %d unreadable, want 5", name, unreadable)
			}
		}
		// That a person has accepted them changes nothing: they are still listed.
		w.behind("UPDATE rejected_items SET accepted_at = '2026-05-20T00:00:00.000Z', accepted_note = 'seen'")
	}
	// A bill that is missing is not taken for one of them.
	w.behind("DELETE FROM bills WHERE order_no = 'F000003'")
	for name, r := range w.both(shanghai) {
		if _, _, _, d := sums(r); d != 1 || len(r.Differing()) != 1 {
			t.Errorf("%s: after a bill was deleted the differences add up to %d in %d rows, want 1 in 1", name, d, len(r.Differing()))
		}
	}
}

// Where the gateway wants shorter spans, none is longer.
func TestShortSpans(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	w.cfg.WindowDays = 7
	w.fill("", 300, 99)
	w.sync()
	w.server.OnRequest(func(r simulator.Request) {
		s, e := r.Query.Start, r.Query.End
		if days := int(midnight(e).Sub(midnight(s)).Hours() / 24); days > 6 || e.Sub(s) > 7*24*time.Hour-time.Second {
			t.Errorf("asked for %s … %s: %d calendar days, want 7 at most", s, e, days+1)
		}
	})
	for name, r := range w.both(shanghai) {
		w.agrees(name, r, 300)
	}
}

func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// between stands between the counting and the provider.
type between struct {
	verify.Source
	after func(bill.Query)
}

func (s between) QueryBillList(ctx context.Context, acct bill.Account, q bill.Query) (bill.Page, error) {
	p, err := s.Source.QueryBillList(ctx, acct, q)
	s.after(q)
	return p, err
}

// A bill that a sync brings while we count is no difference: the span is counted
// once more. One that stays different is one.
func TestSyncBesideTheCounting(t *testing.T) {
	t.Parallel()
	for _, lasting := range []bool{false, true} {
		w := newWorld(t, 50)
		w.fill("", 40, 49)
		w.sync()
		var once sync.Once
		asked := 0
		w.cfg.Concurrency = 1
		w.source = between{w.client, func(bill.Query) {
			asked++
			once.Do(func() {
				w.list(start.AddDate(0, 0, -20))
				w.run(syncer.Options{Scope: syncer.Scope{Full: true}})
				if lasting {
					w.ledger.Remove("", "F000003")
				}
			})
		}}
		r := w.windows()
		if lasting {
			if d := r.Differing(); len(d) != 1 || d[0].Difference() != -1 {
				t.Errorf("a bill was removed: %d rows differ, want one by -1", len(d))
			}
		} else {
			w.agrees("windows", r, 41)
		}
		if asked != 2 {
			t.Errorf("asked %d times, want twice", asked)
		}
	}
}

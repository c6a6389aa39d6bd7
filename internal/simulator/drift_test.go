package simulator

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// readAll reads a list page by page as a client does, whatever moves. It
// reports whether the pages fitted together.
func readAll(b Book, now time.Time, f Filter, size int) (bills []json.RawMessage, ok bool) {
	first, ok := -1, true
	for skip := 0; ; skip += size {
		items, total := b.Bills(now, "", f, skip, size)
		if first < 0 {
			first = total
		}
		ok = ok && total == first
		bills = append(bills, items...)
		if skip+size >= total {
			return bills, ok && len(bills) == total
		}
	}
}

func TestDriftConverges(t *testing.T) {
	t.Parallel()
	now := twoYears
	f := between(now.AddDate(0, 0, -30), now.Add(-2*time.Minute))
	read := func() (d *Drift, passes int, bills []json.RawMessage) {
		d = NewDrift(NewHistory(HistoryOptions{Seed: 2}), 11, 0.5)
		for passes = 1; passes < 20; passes++ {
			moves := d.Moves()
			var ok bool
			if bills, ok = readAll(d, now, f, 20); ok && d.Moves() == moves {
				break
			}
		}
		return d, passes, bills
	}
	d, passes, bills := read()
	if d.Moves() < 3 || passes < 2 || passes > 4 {
		t.Errorf("%d moves, at rest after %d passes; want some moves, and 2 to 4 passes", d.Moves(), passes)
	}
	if again, ok := readAll(d, now, f, 20); !ok || !sameBills(again, bills) {
		t.Error("a list at rest reads differently")
	}
	if _, _, other := read(); !sameBills(other, bills) {
		t.Error("the same seed moves other bills")
	}
	original := all(t, NewHistory(HistoryOptions{Seed: 2}), now, "", f, 100)
	if sameBills(original, bills) {
		t.Error("nothing moved")
	}
}

// TestDriftPages compares every page of a drifted list with the list made in
// one piece.
func TestDriftPages(t *testing.T) {
	t.Parallel()
	now := twoYears
	d := NewDrift(NewHistory(HistoryOptions{Seed: 6, BillsPerDay: 9}), 1, 1)
	f := between(now.AddDate(0, 0, -20), now)
	for range 2 {
		readAll(d, now, f, 4)
	}
	if d.Moves() < 40 {
		t.Fatalf("%d moves, want many", d.Moves())
	}
	whole, total := d.merged(now, "", f, 0, 100000)
	if len(whole) != total {
		t.Fatalf("the whole list has %d bills of %d", len(whole), total)
	}
	if !slices.IsSortedFunc(whole, func(a, b json.RawMessage) int {
		return glanceAt(b).time.Compare(glanceAt(a).time)
	}) {
		t.Error("the list is out of order")
	}
	for _, size := range []int{7, 50} {
		for skip := 0; skip <= total+size; skip += size {
			got, n := d.merged(now, "", f, skip, size)
			want := whole[min(skip, total):min(skip+size, total)]
			if n != total || !sameBills(got, want) {
				t.Fatalf("%d bills from %d: got %d of %d, want %d of %d", size, skip, len(got), n, len(want), total)
			}
		}
	}
	// A filter shows the same bills as the whole list.
	for _, status := range statuses {
		one := f
		one.Statuses = []string{status}
		want := slices.DeleteFunc(slices.Clone(whole), func(raw json.RawMessage) bool {
			g := glanceAt(raw)
			return !one.admits(&g)
		})
		if got := all(t, quiet{d}, now, "", one, 40); !sameBills(got, want) {
			t.Errorf("%s: %d bills, want %d", status, len(got), len(want))
		}
	}
}

// quiet reads a drift without disturbing it.
type quiet struct{ *Drift }

func (q quiet) Bills(now time.Time, customer string, f Filter, skip, limit int) ([]json.RawMessage, int) {
	return q.merged(now, customer, f, skip, limit)
}

// TestDriftOverEmptyBook has nothing to move.
func TestDriftOverEmptyBook(t *testing.T) {
	t.Parallel()
	d := NewDrift(NewLedger(), 1, 1)
	if items, total := d.Bills(testNow, "", Filter{}, 10, 10); len(items) != 0 || total != 0 || d.Moves() != 0 {
		t.Errorf("%d bills of %d after %d moves", len(items), total, d.Moves())
	}
}

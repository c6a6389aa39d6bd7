package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

func TestStored(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	insert(t, s, plain("A", day(1)), plain("B", day(2)), plain("C", day(2).Add(time.Millisecond)), plain("D", day(3)))
	db := raw(t, s.Path())
	execute(t, db,
		"UPDATE bills SET withdrawn_at = '2026-02-01T00:00:00.000Z', changed_at = '2026-02-01T00:00:00.000Z' WHERE order_no = 'C'")
	for _, tt := range []struct {
		from, to time.Time
		want     bill.Stored
	}{
		{day(1), day(4), bill.Stored{Live: 3, Withdrawn: 1, ChangedAt: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}},
		{day(1), day(2), bill.Stored{Live: 1, ChangedAt: t0}}, // the end belongs to the next
		{day(2), day(2).Add(time.Millisecond), bill.Stored{Live: 1, ChangedAt: t0}},
		{day(4), day(5), bill.Stored{}},
	} {
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Stored("main", tt.from, tt.to)
			same(t, fmt.Sprintf("Stored(%s, %s)", tt.from, tt.to), got, tt.want)
			return err
		})
	}
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.Stored("other", day(1), day(4))
		same(t, "Stored of another account", got, bill.Stored{})
		return err
	})
}

func TestMoments(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	insert(t, s, plain("A", day(1)), plain("B", day(2)), plain("C", day(2)), plain("D", day(3)))
	for _, tt := range []struct {
		newestFirst bool
		most        int
		want        []time.Time
	}{
		{false, 10, []time.Time{day(1), day(2), day(2), day(3)}},
		{true, 10, []time.Time{day(3), day(2), day(2), day(1)}},
		{true, 2, []time.Time{day(3), day(2)}},
	} {
		view(t, s, func(tx *store.Tx) error {
			var got []time.Time
			err := tx.Moments("main", day(1), day(3), tt.newestFirst, func(at time.Time) bool {
				got = append(got, at)
				return len(got) < tt.most
			})
			same(t, "Moments", got, tt.want)
			return err
		})
	}
}

// Counting and looking for clean ends must not walk through all bills.
func TestVerifyingUsesTheIndexOfTimes(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	for _, q := range []string{
		`SELECT count(*) AS bills, count(withdrawn_at) AS withdrawn, max(changed_at) AS changed
		 FROM bills WHERE account = ? AND transaction_time >= ? AND transaction_time < ?`,
		"SELECT transaction_time FROM bills WHERE account = ? AND transaction_time BETWEEN ? AND ? ORDER BY transaction_time DESC",
	} {
		var plan []string
		for _, row := range grid(t, s, "EXPLAIN QUERY PLAN "+q, "main", "2026", "2027") {
			plan = append(plan, fmt.Sprint(row[len(row)-1]))
		}
		text := strings.Join(plan, "; ")
		if !strings.Contains(text, "bills_time (account=? AND transaction_time>? AND transaction_time<?)") || strings.Contains(text, "TEMP B-TREE") {
			t.Errorf("%s: %s", q, text)
		}
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	ids := insert(t, s, plain("A", day(1)))
	item := func(hash string) *bill.Item {
		return &bill.Item{Bill: bill.Bill{Hash: hash, Raw: []byte(`{"item":"` + hash + `"}`)}, Rejected: true}
	}
	span := bill.Span{Start: day(1), End: day(9)}
	update(t, s, func(tx *store.Tx) error {
		for _, r := range []struct {
			hash   string
			window int64
			bill   int64
		}{{"in a window", 7, 0}, {"in the tail", 0, 0}, {"of a bill", 7, ids[0]}, {"resolved", 7, 0}, {"accepted", 7, 0}} {
			if err := tx.Reject(item(r.hash), r.bill, "why", &bill.Pass{ID: 1, Account: "main", WindowID: r.window, Span: span}, 1, t0); err != nil {
				return err
			}
		}
		return nil
	})
	execute(t, raw(t, s.Path()),
		"UPDATE rejected_items SET resolved_at = '2026-02-01T00:00:00.000Z' WHERE item_hash = 'resolved'",
		"UPDATE rejected_items SET accepted_at = '2026-02-01T00:00:00.000Z' WHERE item_hash = 'accepted'")
	view(t, s, func(tx *store.Tx) error {
		var got []string
		err := tx.Unreadable("main", func(raw []byte, window int64, seen bill.Span) {
			if seen != span {
				t.Errorf("seen in %v, want %v", seen, span)
			}
			got = append(got, fmt.Sprintf("%s %d", raw, window))
		})
		want := []string{`{"item":"in a window"} 7`, `{"item":"in the tail"} 0`, `{"item":"accepted"} 7`}
		if !slices.Equal(got, want) {
			t.Errorf("Unreadable = %v, want %v", got, want)
		}
		return err
	})
}

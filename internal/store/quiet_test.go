package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// The longest pause is found between bills of a day, of two days, and over days
// without any; bills of more than 90 days ago are not counted.
func TestQuiet(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 20 {
		s := withAccount(t)
		newest := day(1).Add(time.Duration(rng.IntN(86_400_000)) * time.Millisecond)
		times := []time.Time{newest, newest.AddDate(0, 0, -90), newest.AddDate(0, 0, -90).Add(-time.Millisecond)}
		for range i * i {
			times = append(times, newest.Add(-time.Duration(rng.ExpFloat64()*float64(20*24*time.Hour)).Truncate(time.Millisecond)))
		}
		update(t, s, func(tx *store.Tx) error {
			for i, at := range times {
				b := bill.Bill{OrderNo: fmt.Sprint(i), TransactionTime: at, Hash: "h", Raw: []byte("{}")}
				if _, err := tx.InsertBill("main", &b, 0, t0, t0, 1); err != nil {
					return err
				}
			}
			return nil
		})
		times = slices.DeleteFunc(times, func(at time.Time) bool { return at.Before(newest.AddDate(0, 0, -90)) })
		slices.SortFunc(times, time.Time.Compare)
		want := bill.Quiet{Since: newest, For: 25 * time.Hour, Bills: len(times)}
		for i := range times[1:] {
			want.Longest = max(want.Longest, times[i+1].Sub(times[i]))
		}
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Quiet("main", newest.Add(25*time.Hour))
			if err != nil || got != want {
				t.Errorf("Quiet = %+v, %v, want %+v", got, err, want)
			}
			if got, err = tx.Quiet("main", newest.Add(24*time.Hour)); err != nil || got != (bill.Quiet{}) {
				t.Errorf("Quiet a day later = %+v, %v, want nothing", got, err)
			}
			return nil
		})
	}
}

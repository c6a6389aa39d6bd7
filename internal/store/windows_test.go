package store_test

import (
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

func ptr[T any](v T) *T { return &v }

// fullProgress has no two values alike, n telling its states apart.
func fullProgress(n int) bill.Progress {
	return bill.Progress{
		State: bill.Waiting, NextPage: 10 + n, TotalCount: ptr(20 + n), StoredCount: ptr(30 + n), Attempts: 40 + n, Setbacks: 50 + n,
		NextAttemptAt: day(60 + n), LastError: "error " + string(rune('a'+n)), ProvedAt: day(70 + n),
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	w := bill.Window{
		Account: "main", Span: bill.Span{Start: day(1), End: day(100)}, Zone: "Asia/Shanghai", OpenEnd: true,
		RereadAt: day(80), Progress: fullProgress(1),
	}
	older := bill.Window{Account: "main", Span: bill.Span{Start: day(-98), End: day(1)}, Zone: "UTC", Progress: bill.Progress{State: bill.Pending, NextPage: 1}}
	windows := func() (got []bill.Window) {
		view(t, s, func(tx *store.Tx) (err error) {
			got, err = tx.Windows("main")
			return err
		})
		return got
	}
	update(t, s, func(tx *store.Tx) error {
		if err := tx.InsertWindow(&older); err != nil {
			return err
		}
		return tx.InsertWindow(&w)
	})
	if w.ID == 0 || older.ID == 0 || w.ID == older.ID {
		t.Errorf("InsertWindow set the ids %d and %d", older.ID, w.ID)
	}
	same(t, "Windows after InsertWindow", windows(), []bill.Window{w, older})

	again := bill.Window{Account: "main", Span: w.Span, Zone: "UTC", Progress: bill.Progress{State: bill.Failed}}
	update(t, s, func(tx *store.Tx) error { return tx.InsertWindow(&again) })
	if again.ID != 0 {
		t.Errorf("InsertWindow of a span that is there set the id %d", again.ID)
	}
	same(t, "Windows after the same span again", windows(), []bill.Window{w, older})

	w.Progress, w.End, w.OpenEnd, w.RereadAt = fullProgress(2), day(90), false, day(81)
	update(t, s, func(tx *store.Tx) error { return tx.SaveWindow(&w) })
	same(t, "Windows after SaveWindow", windows(), []bill.Window{w, older})

	w.Progress, w.RereadAt = bill.Progress{State: bill.Done, NextPage: 1}, time.Time{}
	update(t, s, func(tx *store.Tx) error { return tx.SaveWindow(&w) })
	same(t, "Windows without what may be missing", windows(), []bill.Window{w, older})

	update(t, s, func(tx *store.Tx) error {
		for _, id := range []int64{w.ID, older.ID} {
			if err := tx.BeginPass(&bill.Pass{Account: "main", WindowID: id, Span: w.Span, Zone: "UTC", NextPage: 1}); err != nil {
				return err
			}
			if err := tx.SaveEvidence("main", id, 1, &bill.Failure{Outcome: bill.Unknown}); err != nil {
				return err
			}
		}
		return tx.DeleteWindow(&w)
	})
	same(t, "Windows after DeleteWindow", windows(), []bill.Window{older})
	same(t, "windows of passes that are left", grid(t, s, "SELECT window_id FROM passes"), [][]any{{older.ID}})
	same(t, "windows of evidence that is left", grid(t, s, "SELECT window_id FROM evidence"), [][]any{{older.ID}})
}

func TestTail(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	tail := func() (got *bill.Tail) {
		view(t, s, func(tx *store.Tx) (err error) {
			got, err = tx.Tail("main")
			return err
		})
		return got
	}
	if got := tail(); got != nil {
		t.Errorf("Tail() of a new account = %+v, want nil", got)
	}
	for n := range 3 {
		want := &bill.Tail{Account: "main", CoveredFrom: day(2 + n), ProvedUntil: day(9 + n), Progress: fullProgress(n)}
		if n == 2 {
			want = &bill.Tail{Account: "main", CoveredFrom: day(7), Progress: bill.Progress{State: bill.Pending, NextPage: 1}}
		}
		update(t, s, func(tx *store.Tx) error { return tx.SaveTail(want) })
		same(t, "Tail()", tail(), want)
	}
}

func TestAccountState(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	state := func(account string) (got bill.AccountState) {
		view(t, s, func(tx *store.Tx) (err error) {
			got, err = tx.AccountState(account)
			return err
		})
		return got
	}
	same(t, "AccountState(nobody)", state("nobody"), bill.AccountState{})
	same(t, "AccountState of a new account", state("main"), bill.AccountState{})
	f := &bill.Failure{Outcome: bill.RefusedUs, Op: "queryBillList", Message: "No contract.", Code: "CONTRACT_NOT_EXIST", Advice: "Sign one."}
	update(t, s, func(tx *store.Tx) error {
		if err := tx.SaveRefusal("main", f, day(5)); err != nil {
			return err
		}
		return tx.SaveRefresh("main", day(6), day(7))
	})
	same(t, "AccountState", state("main"), bill.AccountState{RefreshWantedAt: day(6), RefreshedAt: day(7), Refused: true})
	refusal := func() (got store.Refusal) {
		view(t, s, func(tx *store.Tx) (err error) {
			got, err = tx.Refusal("main")
			return err
		})
		return got
	}
	same(t, "Refusal", refusal(), store.Refusal{At: day(5), Code: "CONTRACT_NOT_EXIST", Reason: "queryBillList refused: No contract. (CONTRACT_NOT_EXIST). Sign one."})
	update(t, s, func(tx *store.Tx) error {
		if err := tx.SaveRefusal("main", nil, day(8)); err != nil {
			return err
		}
		return tx.SaveRefresh("main", time.Time{}, day(9))
	})
	same(t, "AccountState afterwards", state("main"), bill.AccountState{RefreshedAt: day(9)})
	same(t, "Refusal afterwards", refusal(), store.Refusal{})
}

func TestNextAttempt(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	update(t, s, func(tx *store.Tx) error { return tx.SaveAccount(bill.Account{Name: "other"}, day(1), t0) })
	next := func(accounts ...string) (got time.Time) {
		view(t, s, func(tx *store.Tx) (err error) {
			got, err = tx.NextAttempt(accounts)
			return err
		})
		return got
	}
	n := 0
	add := func(account string, state bill.State, at, reread time.Time) {
		n++
		update(t, s, func(tx *store.Tx) error {
			return tx.InsertWindow(&bill.Window{Account: account, Span: bill.Span{Start: day(n), End: day(n + 1)}, Zone: "UTC",
				RereadAt: reread, Progress: bill.Progress{State: state, NextPage: 1, NextAttemptAt: at}})
		})
	}
	same(t, "NextAttempt with nothing", next("main"), time.Time{})
	add("main", bill.Failed, day(1), time.Time{})  // failed: asked by nobody
	add("main", bill.Done, day(1), time.Time{})    // done and not to be read again
	add("main", bill.Waiting, time.Time{}, day(1)) // by the next run, not at a time
	same(t, "NextAttempt with nothing that waits for a time", next("main"), time.Time{})
	add("main", bill.Waiting, day(9), time.Time{})
	same(t, "NextAttempt with a window", next("main"), day(9))
	add("main", bill.Done, day(8), day(2)) // a re-reading waits
	same(t, "NextAttempt with a re-reading", next("main"), day(8))
	update(t, s, func(tx *store.Tx) error {
		return tx.SaveTail(&bill.Tail{Account: "main", CoveredFrom: day(1), Progress: bill.Progress{State: bill.Waiting, NextPage: 1, NextAttemptAt: day(7)}})
	})
	same(t, "NextAttempt with a tail", next("main"), day(7))
	add("other", bill.Waiting, day(6), time.Time{})
	same(t, "NextAttempt of main", next("main"), day(7))
	same(t, "NextAttempt of other", next("other"), day(6))
	same(t, "NextAttempt of both", next("main", "other"), day(6))
	same(t, "NextAttempt of none", next(), time.Time{})
}

package store_test

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/books"
	"billsync/internal/store"
)

// A bill that took effect, waited again over the end of the month and cleared later is
// accrued: the books of that day have nothing of it, whatever they had before. If the
// month was closed meanwhile, what was known then counts.
func TestAccrualsOfWhatWaitedAgain(t *testing.T) {
	t.Parallel()
	type step struct {
		status string
		on     int
		out    *bill.Amount
	}
	for _, tt := range []struct {
		name         string
		steps        []step
		open, closed [2]string // by the end of January and of February
	}{
		{"cleared later", []step{{"SUCCESS", 6, usd(100)}, {"WAITING_CLEARANCE", 20, usd(100)}, {"SUCCESS", 35, usd(90)}},
			[2]string{"WAITING_CLEARANCE 100USD, 2026-02-04 -90USD"}, [2]string{"WAITING_CLEARANCE 100USD, 2026-02-04 -90USD"}},
		{"cleared in another currency", []step{{"SUCCESS", 6, usd(100)}, {"WAITING_CLEARANCE", 20, usd(100)}, {"SUCCESS", 35, &bill.Amount{Currency: "JPY", Value: 15000}}},
			[2]string{"WAITING_CLEARANCE 100USD, 2026-02-04 -15000JPY"}, [2]string{"WAITING_CLEARANCE 100USD, 2026-02-04 -15000JPY"}},
		{"still waits", []step{{"SUCCESS", 6, usd(100)}, {"WAITING_DEDUCT", 20, usd(100)}},
			[2]string{"WAITING_DEDUCT 100USD, ", "WAITING_DEDUCT 100USD, "}, [2]string{"WAITING_DEDUCT 100USD, ", "WAITING_DEDUCT 100USD, "}},
		{"waited again after the end only", []step{{"SUCCESS", 6, usd(100)}, {"WAITING_CLEARANCE", 35, usd(100)}, {"SUCCESS", 62, usd(100)}},
			[2]string{"", "WAITING_CLEARANCE 100USD, 2026-03-03 -100USD"}, [2]string{"", "WAITING_CLEARANCE 100USD, 2026-03-03 -100USD"}},
		{"waited again by what was known after the closing", []step{{"SUCCESS", 6, usd(100)}, {"WAITING_CLEARANCE", 33, usd(100)}, {"SUCCESS", 36, usd(100)}},
			[2]string{}, [2]string{}},
		{"waited within the month", []step{{"SUCCESS", 6, usd(100)}, {"WAITING_CLEARANCE", 10, usd(100)}, {"SUCCESS", 20, usd(100)}},
			[2]string{}, [2]string{}},
		{"cancelled later", []step{{"SUCCESS", 6, usd(100)}, {"WAITING_CLEARANCE", 20, usd(100)}, {"CANCELLED", 35, usd(100)}},
			[2]string{}, [2]string{"WAITING_CLEARANCE 100USD, "}},
	} {
		for kind, want := range map[string][2]string{"open": tt.open, "closed": tt.closed} {
			t.Run(tt.name+", "+kind, func(t *testing.T) {
				t.Parallel()
				s := withAccount(t)
				id := insert(t, s, spent("a", "WAITING_CLEARANCE", day(5), usd(100), nil))[0]
				closing := kind == "closed"
				closeMonth := func() {
					c := store.Closing{Month: "2026-01", At: day(34), By: "me", Program: "test"}
					if err := s.CloseMonth(t.Context(), &c, shouted{}, false); err != nil {
						t.Fatal(err)
					}
					closing = false
				}
				for i, step := range tt.steps {
					if closing && step.on > 34 {
						closeMonth()
					}
					b := spent("a", step.status, day(5), step.out, nil)
					b.LastUpdate, b.Hash = day(step.on), fmt.Sprint(i)
					update(t, s, func(tx *store.Tx) error { return tx.UpdateBill(id, b, 0, day(step.on), day(step.on), 2) })
				}
				if closing {
					closeMonth()
				}
				for i, month := range []string{"2026-01", "2026-02"} {
					got := ""
					view(t, s, func(tx *store.Tx) error {
						return tx.Accruals(nil, month, func(a *store.Accrual) error {
							got += fmt.Sprint(a.Status, " ", told(a.Out), ", ", a.ClearedOn)
							if a.Spend != nil {
								got += " " + told(a.Spend)
							}
							return nil
						})
					})
					if got != want[i] {
						t.Errorf("accruals of %s: %q, want %q", month, got, want[i])
					}
				}
			})
		}
	}
}

// A bill that has no postings yet is known by the key that they will have, also
// where that is not the one of its own because another bill has it.
func TestAccrualKeys(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	waiting := func(order string) *bill.Bill { return spent(order, "WAITING_CLEARANCE", day(5), usd(100), nil) }
	ids := insert(t, s, waiting("a"), waiting("b"))
	plainKey := func(ordinal int) string { return books.Key("main", "b", day(5), ordinal) }
	execute(t, raw(t, s.Path()), "INSERT INTO kept_keys (line_key, bill_id) VALUES ('"+plainKey(1)+"', 4711)")
	keys := func() (keys []string) {
		view(t, s, func(tx *store.Tx) error {
			return tx.Accruals(nil, "2026-01", func(a *store.Accrual) error {
				keys = append(keys, a.Key)
				return nil
			})
		})
		return keys
	}
	before := keys()
	same(t, "keys", before, []string{books.Key("main", "a", day(5), 0), plainKey(1001)})
	update(t, s, func(tx *store.Tx) error {
		for i, b := range []*bill.Bill{waiting("a"), waiting("b")} {
			b.Status, b.Hash = "SUCCESS", "cleared"
			if err := tx.UpdateBill(ids[i], b, i, day(60), day(60), 2); err != nil {
				return err
			}
		}
		return nil
	})
	post(t, s)
	same(t, "keys once they are posted", keys(), before)
	same(t, "ids of the postings", texts(t, s, "SELECT line_id FROM postings ORDER BY bill_id"), before)
}

// What is stored after a closing was not known then, whatever the clock says; what
// changed since a moment is told by the clock, a millisecond later it
// was not; "changes since the closing" begins with that millisecond.
func TestAccrualsAtTheClosing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		after           time.Duration
		accrued, change int
	}{{-time.Millisecond, 1, 0}, {0, 1, 0}, {time.Millisecond, 1, 1}} {
		s := withAccount(t)
		ids := insert(t, s, spent("a", "WAITING_CLEARANCE", day(5), usd(100), nil))
		c := store.Closing{Month: "2026-01", At: day(40), By: "me", Program: "test"}
		if err := s.CloseMonth(t.Context(), &c, shouted{}, false); err != nil {
			t.Fatal(err)
		}
		update(t, s, func(tx *store.Tx) error {
			b := spent("a", "CANCELLED", day(5), usd(100), nil)
			b.Hash = "cancelled"
			return tx.UpdateBill(ids[0], b, 0, day(40).Add(tt.after), day(40).Add(tt.after), 2)
		})
		accrued, change := 0, 0
		view(t, s, func(tx *store.Tx) error {
			return cmp.Or(
				tx.Accruals(nil, "2026-01", func(*store.Accrual) error { accrued++; return nil }),
				tx.Changes(nil, c.At.Add(time.Millisecond), func(*store.BillChange) error { change++; return nil }))
		})
		if accrued != tt.accrued || change != tt.change {
			t.Errorf("cancelled %s after the closing: %d accruals and %d changes, want %d and %d", tt.after, accrued, change, tt.accrued, tt.change)
		}
	}
}

package store_test

import (
	"fmt"
	"strings"
	"testing"

	"billsync/internal/bill"
	"billsync/internal/store"
)

func findings(t *testing.T, s *store.Store) (out []string) {
	t.Helper()
	got, err := s.CheckBooks(t.Context(), nil, nil)
	if err != nil {
		t.Fatalf("CheckBooks = %v", err)
	}
	for _, f := range got.Findings {
		out = append(out, f.Subject+": "+f.Reason)
	}
	return out
}

// What somebody writes into a posting of an open month is told, also where no sum
// changes by it: the states of its bill say when it happened, and why.
func TestPostingsSayWhatBillsDid(t *testing.T) {
	t.Parallel()
	for column, tt := range map[string]struct{ change, want string }{
		"posting_date": {"posting_date = '2026-02-07' WHERE line = 2", `its posting_date is "2026-02-07", and its bill says "2026-02-08"`},
		"late":         {"posting_date = '2026-02-02' WHERE line = 1", `its posting_date is "2026-02-02", and its bill says "2026-02-01"`},
		"effect_date":  {"effect_date = '2026-02-07', posting_date = '2026-02-07' WHERE line = 2", `its effect_date is "2026-02-07", and its bill says "2026-02-08"`},
		"reason":       {"reason = 'SUCCESS' WHERE line = 2", `its reason is "SUCCESS", and its bill says "PARTIAL_REFUND: returned 4.00 USD, before 0.00"`},
		"kind":         {"kind = 'reversal' WHERE line = 3", `its kind is "reversal", and its bill says "return"`},
	} {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			s := withAccount(t)
			grown(t, s, "Z", "SUCCESS", usd(1))
			closeAt(t, s, "2026-01", dayOf(2, 2))
			l := grown(t, s, "A", "SUCCESS", usd(1000)) // late: it belongs to January
			l.becomes(t, s, dayOf(2, 9), func(b *bill.Bill) { b.Status, b.In, b.LastUpdate = "PARTIAL_REFUND", usd(400), dayOf(2, 8) })
			l.becomes(t, s, dayOf(2, 11), func(b *bill.Bill) { b.In = usd(500) })
			post(t, s)
			equal(t, "findings", findings(t, s), []string(nil))
			execute(t, raw(t, s.Path()), "UPDATE postings SET "+strings.Replace(tt.change, "WHERE", "WHERE bill_id = 2 AND", 1))
			got := strings.Join(findings(t, s), "\n")
			if !strings.Contains(got, tt.want) {
				t.Errorf("findings:\n%s\nwant one with %s", got, tt.want)
			}
		})
	}
}

// What the database does not know any more is no finding: dates by a clock that was set
// back, and what states that are gone had brought.
func TestPostingsOfWhatIsGone(t *testing.T) {
	t.Parallel()
	t.Run("a clock ran ahead", func(t *testing.T) {
		t.Parallel()
		s := withAccount(t)
		l := grown(t, s, "A", "WAITING_CLEARANCE", usd(1000))
		l.becomes(t, s, dayOf(5, 9), func(b *bill.Bill) { b.Status = "SUCCESS" })
		l.becomes(t, s, dayOf(2, 9), func(b *bill.Bill) { b.Status, b.In = "PARTIAL_REFUND", usd(400) })
		equal(t, "days", daysOf(t, s), []string{"spend -1000 2026-05-09", "return 400 2026-02-09"})
		sound(t, s)
	})
	t.Run("a bill was stored anew", func(t *testing.T) {
		t.Parallel()
		s := withAccount(t)
		l := grown(t, s, "A", "WAITING_CLEARANCE", usd(1000))
		l.becomes(t, s, dayOf(1, 25), func(b *bill.Bill) { b.Status = "SUCCESS" })
		grown(t, s, "Z", "FAILED", nil)
		execute(t, raw(t, s.Path()), "PRAGMA foreign_keys = OFF", "DELETE FROM bill_states WHERE bill_id = 1", "DELETE FROM bills WHERE bill_id = 1")
		update(t, s, func(tx *store.Tx) error {
			_, err := tx.InsertBill("main", &l.present, 0, dayOf(2, 9), dayOf(2, 9), 7)
			return err
		})
		if _, err := s.MendBooks(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		equal(t, "days", daysOf(t, s), []string{"spend -1000 2026-01-25"})
		sound(t, s)
	})
	for _, lost := range []string{"line = 1", "line = 2"} {
		t.Run(fmt.Sprint("without ", lost), func(t *testing.T) {
			t.Parallel()
			s := withAccount(t)
			l := grown(t, s, "A", "SUCCESS", usd(1000))
			l.becomes(t, s, dayOf(1, 10), func(b *bill.Bill) { b.Status, b.In = "PARTIAL_REFUND", usd(100) })
			l.becomes(t, s, dayOf(1, 20), func(b *bill.Bill) { b.In = usd(300) })
			execute(t, raw(t, s.Path()), "DELETE FROM postings WHERE "+lost)
			if _, err := s.MendBooks(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			l.becomes(t, s, dayOf(1, 25), func(b *bill.Bill) { b.In = usd(450) })
			sound(t, s)
		})
	}
}

package store_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// dayOf is eight o'clock UTC of a day of 2026.
func dayOf(month time.Month, n int) time.Time { return time.Date(2026, month, n, 8, 0, 0, 0, time.UTC) }

// grown is a bill of 5 January that is stored then.
func grown(t *testing.T, s *store.Store, order, status string, out *bill.Amount) *life {
	t.Helper()
	b := plain(order, dayOf(1, 5))
	b.Status, b.Out, b.MerchantName = status, out, "Old"
	l := &life{order: order, at: b.TransactionTime, present: *b}
	l.tell(t, s, dayOf(1, 5))
	return l
}

// becomes stores another state of it.
func (l *life) becomes(t *testing.T, s *store.Store, now time.Time, change func(*bill.Bill)) {
	t.Helper()
	change(&l.present)
	l.present.Hash = fmt.Sprint(l.order, now)
	l.tell(t, s, now)
}

func closeAt(t *testing.T, s *store.Store, month string, at time.Time) {
	t.Helper()
	post(t, s)
	c := store.Closing{Month: month, At: at, By: "me", Program: "test"}
	if err := s.CloseMonth(t.Context(), &c, shouted{}, false); err != nil {
		t.Fatalf("closing %s: %v", month, err)
	}
}

func sound(t *testing.T, s *store.Store) {
	t.Helper()
	post(t, s)
	if got, err := s.CheckBooks(t.Context(), nil, nil); err != nil || len(got.Findings) > 0 {
		t.Errorf("CheckBooks = %+v, %v", got.Findings, err)
	}
}

func daysOf(t *testing.T, s *store.Store) []string {
	return texts(t, s, "SELECT kind, amount, posting_date FROM postings ORDER BY bill_id, line")
}

// What the provider says of a change counts once: a bill that is listed again, or
// changed without another word of when, is not dated back.
func TestBooksAreNotDatedBack(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	l := grown(t, s, "A", "WAITING_CLEARANCE", usd(100))
	l.becomes(t, s, dayOf(1, 8), func(b *bill.Bill) { b.Status, b.LastUpdate = "SUCCESS", dayOf(1, 6) })
	l.vanish(t, s, dayOf(5, 10))
	l.becomes(t, s, dayOf(6, 12), func(*bill.Bill) {})
	l.becomes(t, s, dayOf(7, 1), func(b *bill.Bill) { b.Status, b.In = "PARTIAL_REFUND", usd(40) })
	l.becomes(t, s, dayOf(8, 9), func(b *bill.Bill) { b.In, b.LastUpdate = usd(50), dayOf(8, 2) })
	l.becomes(t, s, dayOf(9, 9), func(b *bill.Bill) { b.In, b.LastUpdate = usd(60), dayOf(12, 31) })
	equal(t, "days", daysOf(t, s), []string{
		"spend -100 2026-01-06", "reversal 100 2026-05-10", "adjustment -100 2026-06-12", "return 40 2026-07-01", "return 10 2026-08-02", "return 10 2026-09-09",
	})
	// Nor is anything posted on a day that is still to come.
	early := plain("B", dayOf(2, 2))
	early.Status, early.Out, early.In = "PARTIAL_REFUND", usd(7), usd(1)
	(&life{order: "B", at: early.TransactionTime, present: *early}).tell(t, s, dayOf(1, 31))
	equal(t, "days of a bill from the future", texts(t, s, "SELECT DISTINCT posting_date FROM postings WHERE bill_id = 2"), []string{"2026-01-31"})
	sound(t, s)
}

// What a closed month was made of is told by what was stored then, not by clocks.
func TestClosedMonthsHaveNoClock(t *testing.T) {
	t.Parallel()
	for _, closedAt := range []time.Time{dayOf(1, 2), dayOf(2, 10), dayOf(6, 1)} {
		s := withAccount(t)
		l := grown(t, s, "A", "SUCCESS", usd(100))
		open := grown(t, s, "B", "WAITING_CLEARANCE", usd(30))
		unsaid := grown(t, s, "C", "SUCCESS", nil)
		l.becomes(t, s, dayOf(2, 11), func(b *bill.Bill) { b.MerchantName, b.BudgetAccountID = "Mid", "B1" })
		closeAt(t, s, "2026-01", closedAt)
		accrued := func() (out []string) {
			view(t, s, func(tx *store.Tx) error {
				return tx.Accruals(nil, "2026-01", func(a *store.Accrual) error { out = append(out, a.OrderNo+" "+a.Known); return nil })
			})
			return out
		}
		want := accrued()
		equal(t, "accruals", want, []string{"B WAITING_CLEARANCE"})
		l.becomes(t, s, dayOf(2, 12), func(b *bill.Bill) { b.MerchantName, b.BudgetAccountID = "New", "B2" })
		open.becomes(t, s, dayOf(2, 13), func(b *bill.Bill) { b.Status = "CANCELLED" })
		unsaid.becomes(t, s, dayOf(2, 14), func(b *bill.Bill) { b.Out = usd(5) })
		grown(t, s, "D", "WAITING_CLEARANCE", usd(9))
		equal(t, "accruals afterwards", accrued(), want)
		sound(t, s)
		equal(t, "what the closed month is made of", texts(t, s, "SELECT merchant_name, merchant, budget_account_id FROM posting_details WHERE closed"), []string{"Mid MID B1"})
		equal(t, "and its sums", texts(t, s, "SELECT merchant, net FROM merchant_books WHERE month = '2026-01'"), []string{"MID -100"})
	}
}

// An id that a bill's lines have is never another bill's, also if the bills change
// who they are in one transaction, or all days are made anew.
func TestLineIDsStay(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bills.db")
	s := must(t, path)
	a := plain("O", dayOf(1, 5))
	a.BillNo, a.Status, a.Out = "N1", "SUCCESS", usd(100)
	insert(t, s, a)
	first := texts(t, s, "SELECT line_id FROM postings")
	update(t, s, func(tx *store.Tx) error {
		moved, other := *a, plain("O", dayOf(1, 5))
		moved.TransactionTime, moved.Hash = a.TransactionTime.Add(time.Second), "moved"
		if err := tx.UpdateBill(1, &moved, 0, dayOf(1, 6), dayOf(1, 6), 2); err != nil {
			return err
		}
		other.BillNo, other.Status, other.Out = "N2", "SUCCESS", usd(300)
		_, err := tx.InsertBill("main", other, 0, dayOf(1, 6), dayOf(1, 6), 2)
		return err
	})
	sound(t, s)
	before := texts(t, s, "SELECT line_id FROM postings ORDER BY bill_id")
	if before[0] != first[0] || before[0] == before[1] {
		t.Errorf("ids are %v, the first was %v", before, first)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	u := openAt(t, path, time.UTC)
	if err := u.Update(t.Context(), func(tx *store.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := u.AdoptReportZone(t.Context()); err != nil {
		t.Fatal(err)
	}
	sound(t, u)
	equal(t, "ids after another time zone", texts(t, u, "SELECT line_id FROM postings ORDER BY bill_id"), before)
}

// A process that counts days by another time zone than the database stores no bill.
func TestTwoZonesAtWork(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bills.db")
	s := openAt(t, path, shanghai)
	if err := s.AdoptReportZone(t.Context()); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *store.Tx) error { return tx.SaveAccount(bill.Account{Name: "main"}, day(1), t0) })
	insert(t, s, plain("A", day(2)))
	other := openAt(t, path, time.UTC)
	if err := other.AdoptReportZone(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.InsertBill("main", plain("B", day(3)), 0, day(3), day(3), 1)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "its days are those of UTC by now, and this process counts by Asia/Shanghai") {
		t.Errorf("InsertBill = %v", err)
	}
}

// What was mended stays out of closed months.
func TestMendLeavesClosedMonths(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	l := grown(t, s, "A", "WAITING_CLEARANCE", usd(100))
	l.becomes(t, s, dayOf(1, 25), func(b *bill.Bill) { b.Status = "SUCCESS" }) // posted on the 25th
	grown(t, s, "Z", "FAILED", nil)
	execute(t, raw(t, s.Path()), "PRAGMA foreign_keys = OFF", "DELETE FROM bill_states WHERE bill_id = 1", "DELETE FROM bills WHERE bill_id = 1")
	l.tell(t, s, dayOf(1, 30)) // read again, as another bill: posted on the 5th
	closeAt(t, s, "2026-01", dayOf(2, 9))
	was := texts(t, s, asPosted)
	if _, err := s.MendBooks(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	post(t, s)
	equal(t, "postings", texts(t, s, asPosted), was)
}

// A bill that only brings money back has an amount, and an amount that a person has
// accepted as unreadable is no open point.
func TestOpenPointsOfAmounts(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	back := plain("A", dayOf(1, 5))
	back.Status, back.BillType, back.In = "SUCCESS", "CARD_REFUND", usd(100)
	bad := plain("B", dayOf(1, 5))
	bad.Status = "SUCCESS"
	insert(t, s, back, bad)
	points := func() (out []string) {
		view(t, s, func(tx *store.Tx) (err error) {
			out, err = tx.OpenPoints("2026-01", dayOf(1, 1), dayOf(2, 1))
			return err
		})
		return out
	}
	equal(t, "open points", points(), []string{"1 bill has taken effect and has no amount"})
	execute(t, raw(t, s.Path()), `
		INSERT INTO rejected_items (account, bill_id, reason, item_hash, occurrence, raw, span_start, span_end, page_number, pass_id, first_seen_at, last_seen_at, accepted_at)
		VALUES ('main', 2, 'x', 'x', 0, '{}', '2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z', 1, 1, '2026-01-05T00:00:00.000Z', '2026-01-05T00:00:00.000Z', '2026-01-06T00:00:00.000Z')`)
	equal(t, "open points once it is accepted", points(), []string(nil))
}

// A refund of a bill that was posted late belongs to where the bill belongs.
func TestAdjustmentsBelong(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	closeAt(t, s, "2026-01", dayOf(2, 5))
	l := grown(t, s, "A", "SUCCESS", usd(100)) // January's, posted in February
	closeAt(t, s, "2026-02", dayOf(3, 5))
	l.becomes(t, s, dayOf(3, 10), func(b *bill.Bill) { b.Status, b.In = "REFUNDED", usd(100) })
	var got []string
	view(t, s, func(tx *store.Tx) error {
		return tx.Adjustments(nil, store.MonthSpan{}, func(a *store.Adjusted) error {
			got = append(got, fmt.Sprint(a.Month, " ", a.PostingDate, " ", a.Amount.Value, " ", a.Late))
			return nil
		})
	})
	equal(t, "adjustments", got, []string{"2026-01 2026-02-01 -100 true", "2026-01 2026-03-10 100 false"})
}

// What was there when a month was closed is told by states of bills, and not at all if
// what is stored of them is not what was posted.
func TestAdjustmentsKnown(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	l := grown(t, s, "A", "SUCCESS", usd(100))
	l.becomes(t, s, dayOf(2, 3), func(b *bill.Bill) { b.Status, b.In = "PARTIAL_REFUND", usd(40) })
	closeAt(t, s, "2026-01", dayOf(2, 5))
	l.becomes(t, s, dayOf(2, 4), func(b *bill.Bill) { b.In = usd(60) }) // by a clock that was set back
	known := func() (out []string) {
		view(t, s, func(tx *store.Tx) error {
			return tx.Adjustments(nil, store.MonthSpan{}, func(a *store.Adjusted) error {
				out = append(out, fmt.Sprint(a.Amount.Value, " ", a.Known, " ", a.Unsure))
				return nil
			})
		})
		return out
	}
	equal(t, "adjustments", known(), []string{"40 true false", "20 false false"})
	execute(t, raw(t, s.Path()), "UPDATE bill_states SET in_amount = 30 WHERE in_amount = 40")
	equal(t, "adjustments of a bill whose states were changed", known(), []string{"40 false true", "20 false true"})
}

// Views of sums say whether they are up to date.
func TestViewsOfSumsSaySo(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	l := grown(t, s, "A", "SUCCESS", usd(100))
	equal(t, "before anything is summed", texts(t, s, "SELECT current, waiting FROM books_state"), []string{"0 2026-01"})
	post(t, s)
	equal(t, "summed", texts(t, s, "SELECT b.current, coalesce(waiting, '-'), m.net, m.current FROM books_state b, monthly_books m"), []string{"1 - -100 1"})
	l.becomes(t, s, dayOf(1, 6), func(b *bill.Bill) { b.Out = usd(200) })
	equal(t, "changed", texts(t, s, "SELECT net, current FROM monthly_books UNION ALL SELECT net, current FROM merchant_books UNION ALL SELECT net, current FROM card_books"),
		[]string{"-100 0", "-100 0", "-100 0"})
}

// While a month is summed others write, and what they change is summed as well.
func TestSumBesideAWriter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bills.db")
	s, other := must(t, path), must(t, path)
	defer s.Close()
	defer other.Close()
	done := make(chan error, 1)
	go func() {
		for i := range 300 {
			err := other.Update(t.Context(), func(tx *store.Tx) error {
				b := plain(fmt.Sprint("O", i), dayOf(time.Month(1+i%3), 1+i%28))
				b.Status, b.Out = "SUCCESS", usd(int64(i))
				_, err := tx.InsertBill("main", b, 0, dayOf(4, 1), dayOf(4, 1), 1)
				return err
			})
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if running = false; err != nil {
				t.Fatal(err)
			}
		default:
		}
		if err := s.Sum(t.Context(), shouted{}); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "sums", texts(t, s, fmt.Sprintf(stored, "1")), texts(t, s, fmt.Sprintf(summed, "1")))
}

// Whichever lines somebody took away, a bill can change afterwards and the books can
// be mended: they add up again, and no id is given out twice.
func TestLinesTakenAway(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"1", "2", "3", "1, 2", "2, 3", "1, 3", "1, 2, 3"} {
		for _, mended := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s mended %t", lost, mended), func(t *testing.T) {
				t.Parallel()
				s := withAccount(t)
				l := grown(t, s, "A", "SUCCESS", usd(1000))
				l.becomes(t, s, dayOf(1, 10), func(b *bill.Bill) { b.Status, b.In = "PARTIAL_REFUND", usd(100) })
				l.becomes(t, s, dayOf(1, 20), func(b *bill.Bill) { b.In = usd(300) })
				execute(t, raw(t, s.Path()), "DELETE FROM postings WHERE line IN ("+lost+")")
				left := texts(t, s, asPosted)
				if mended {
					if n, err := s.MendBooks(t.Context(), nil); n != 1 || err != nil {
						t.Errorf("MendBooks = %d, %v; want 1", n, err)
					}
				}
				l.becomes(t, s, dayOf(1, 25), func(b *bill.Bill) { b.In = usd(450) })
				equal(t, "sum", texts(t, s, "SELECT sum(amount) FROM postings"), []string{"-550"})
				equal(t, "lines that stayed", texts(t, s, asPosted)[:len(left)], left)
				sound(t, s)
			})
		}
	}
}

// A closing that somebody took away is noticed.
func TestClosingTakenAway(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	grown(t, s, "A", "SUCCESS", usd(1000))
	closeAt(t, s, "2026-01", dayOf(2, 9))
	execute(t, raw(t, s.Path()), "PRAGMA foreign_keys = OFF", "DELETE FROM closes")
	got, err := s.CheckBooks(t.Context(), nil, nil)
	if err != nil || len(got.Findings) != 1 || got.Findings[0].Subject != "month 2026-01" || !strings.Contains(got.Findings[0].Reason, "it was closed, and ") {
		t.Errorf("CheckBooks = %+v, %v", got.Findings, err)
	}
}

// Which card a closed posting was paid with stays as it was when its month was closed.
func TestCardOfClosedMonth(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	l := grown(t, s, "A", "SUCCESS", usd(1000))
	day := 1
	card := func(asset, last4 string) {
		day++
		l.becomes(t, s, dayOf(2, day), func(b *bill.Bill) { b.AssetID, b.CardLast4 = asset, last4 })
	}
	card("C1", "3171")
	closeAt(t, s, "2026-01", dayOf(2, 21))
	for _, next := range [][2]string{{"C2", "9999"}, {"C1", ""}, {"C1", "8888"}} {
		card(next[0], next[1])
		equal(t, "card", texts(t, s, "SELECT asset_id, card_last4 FROM posting_details"), []string{"C1 3171"})
	}
}

//go:build unix

package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// manyBills stores bills of two years: 400 merchants, 10 currencies, 40 cards,
// most of them cleared, a few refunded or failed. The order is that of the first
// sync: the newest month first.
func manyBills(b *testing.B, s *store.Store, n int) {
	b.Helper()
	currencies := []string{"USD", "EUR", "JPY", "GBP", "KWD", "CNH", "HKD", "SGD", "AUD", "CAD"}
	end := time.Date(2026, 5, 31, 16, 0, 0, 0, time.UTC)
	step := 2 * 365 * 24 * time.Hour / time.Duration(n)
	rnd := uint64(1)
	next := func(n int) int {
		rnd = rnd*6364136223846793005 + 1442695040888963407
		return int(rnd>>33) % n
	}
	const atOnce = 5000
	for from := 0; from < n; from += atOnce {
		err := s.Update(b.Context(), func(tx *store.Tx) error {
			for i := from; i < min(from+atOnce, n); i++ {
				at := end.Add(-time.Duration(i) * step)
				x := &bill.Bill{
					OrderNo: fmt.Sprintf("%s%021d", at.Format("20060102"), i), BillNo: fmt.Sprintf("B%029d", i), TransactionTime: at, BillType: "CARD_PAYMENT",
					MerchantName: fmt.Sprintf("EXAMPLE MERCHANT %d LTD", next(400)), AssetID: fmt.Sprintf("CARD%028d", next(40)), CardLast4: "4444",
					MaskedCardNo: "555555******4444", CardNickName: "Team card", BudgetAccountID: fmt.Sprintf("BA%016d", next(5)), LastUpdate: at.Add(time.Duration(next(96)) * time.Hour),
					Status: "SUCCESS", Hash: fmt.Sprintf("%032x", i), Raw: make([]byte, 0, 520),
				}
				amount := bill.Amount{Currency: currencies[next(10)], Value: int64(100 + next(250_000))}
				x.Trade, x.Out = &amount, &bill.Amount{Currency: amount.Currency, Value: amount.Value}
				switch p := next(1000); {
				case p < 70:
					x.Status, x.FailCode, x.Out = "FAILED", "WORLD_CARD_OVER_LIMIT", nil
				case p < 110:
					x.Status = "CANCELLED"
				case p < 150:
					x.Status, x.In = "REFUNDED", x.Out
				}
				x.Raw = append(x.Raw, `{"orderNo":"`...)
				for len(x.Raw) < 515 {
					x.Raw = append(x.Raw, 'x')
				}
				x.Raw = append(x.Raw, `"}`...)
				if _, err := tx.InsertBill("main", x, 0, end, end, 1); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// processorTime is what this process has used. It says more than a clock on a
// machine that others use as well.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBooks tells what the books cost beside storing the bills, and how fast
// they are read. BOOKS_BILLS sets how many bills there are.
func BenchmarkBooks(b *testing.B) {
	n := 100_000
	if text := os.Getenv("BOOKS_BILLS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "books.db")
		s, err := store.Open(b.Context(), path, shanghai)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Update(b.Context(), func(tx *store.Tx) error { return tx.SaveAccount(bill.Account{Name: "main"}, day(1), t0) }); err != nil {
			b.Fatal(err)
		}
		lap := func(unit string, fn func()) {
			at := processorTime(b)
			fn()
			b.ReportMetric(float64((processorTime(b)-at).Microseconds())/float64(n), unit)
		}
		size := func() float64 {
			fi, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			return float64(fi.Size()) / float64(n)
		}
		lap("load-µs/bill", func() { manyBills(b, s, n) })
		before := size()
		lap("post-µs/bill", func() {
			if _, err := s.Post(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
		lap("sum-µs/bill", func() {
			if err := s.Sum(b.Context(), shouted{}); err != nil {
				b.Fatal(err)
			}
		})
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(before, "B/bill-before")
		b.ReportMetric(size(), "B/bill")
		r, err := store.OpenReader(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		for _, q := range []struct {
			unit string
			fn   func(*store.Tx) error
		}{
			{"monthly-ms", func(tx *store.Tx) error {
				return tx.MonthSums("account", nil, store.MonthSpan{}, func(*store.MonthSum) error { return nil })
			}},
			{"merchants-quarter-ms", func(tx *store.Tx) error {
				return tx.NameSums("merchant", nil, store.MonthSpan{From: "2026-01", To: "2026-03"}, func(string, string, *store.BookSum) error { return nil })
			}},
			{"failures-year-ms", func(tx *store.Tx) error {
				return tx.FailureGroups("account", nil, store.MonthSpan{From: "2025-06"}, func(*store.FailureGroup) error { return nil })
			}},
		} {
			at := time.Now()
			if err := r.View(b.Context(), q.fn); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(time.Since(at).Microseconds())/1000, q.unit)
		}
		if keep := os.Getenv("BOOKS_KEEP"); keep != "" {
			if err := r.Snapshot(b.Context(), keep, true); err != nil {
				b.Fatal(err)
			}
		}
		r.Close()
	}
}

package books_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"billsync/internal/bill"
	"billsync/internal/books"
)

var midnight = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// A tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// fates asks for the fates of payments, in the order of their failures' ids.
func fates(t tester, limit time.Duration, payments []books.Payment) []books.Fate {
	t.Helper()
	s := books.NewSettled(limit)
	var all []books.Fate
	for _, p := range payments {
		some, err := s.Add(p)
		if err != nil {
			t.Fatalf("Add(%+v): %v", p, err)
		}
		all = append(all, some...)
	}
	all = append(all, s.Rest()...)
	if n := s.Held(); n != 0 {
		t.Fatalf("%d failures are held after Rest", n)
	}
	slices.SortFunc(all, func(a, b books.Fate) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// A story is payments in few words, "HOURS failed|paid|cancelled CARD [AMOUNT]
// [MERCHANT]" each; they have the ids 1, 2, ….
func story(t *testing.T, lines ...string) (payments []books.Payment) {
	t.Helper()
	for i, line := range lines {
		f := append(strings.Fields(line), "", "", "", "", "")
		after, err := time.ParseDuration(f[0])
		if err != nil {
			t.Fatal(err)
		}
		p := books.Payment{
			ID: int64(i + 1), At: midnight.Add(after), Account: "main", AssetID: f[2], Merchant: "ACME", Trade: usd(1000),
			Failed: f[1] == "failed", Paid: f[1] == "paid",
		}
		if p.AssetID == "?" {
			p.AssetID = ""
		}
		switch f[3] {
		case "":
		case "nil":
			p.Trade = nil
		case "EUR":
			p.Trade = &bill.Amount{Currency: "EUR", Value: 1000}
		case "other":
			p.Account = "other"
		default:
			p.Trade = usd(999)
		}
		switch f[4] {
		case "":
		case "none":
			p.Merchant = ""
		default:
			p.Merchant = f[4]
		}
		payments = append(payments, p)
	}
	return payments
}

func TestSettled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		story []string
		want  []string // "ID<-BY card purchase.attempt"
	}{
		{"paid at once after", []string{"0h failed A", "1h paid A"}, []string{"1<-2 same 1.1"}},
		{"never", []string{"0h failed A"}, []string{"1<-0  1.1"}},
		{"with another card", []string{"0h failed A", "1h paid B"}, []string{"1<-2 other 1.1"}},
		{"cards not said", []string{"0h failed ?", "1h paid B", "2h failed A", "3h paid ?"}, []string{"1<-2  1.1", "3<-4  3.1"}},
		{"several attempts", []string{"0h failed A", "1h failed B", "2h failed A", "3h paid A"},
			[]string{"1<-4 same 1.1", "2<-4 other 1.2", "3<-4 same 1.3"}},
		{"before does not count", []string{"0h paid A", "1h failed A"}, []string{"2<-0  2.1"}},
		{"one success, one purchase", []string{"0h failed A", "1h paid A", "2h failed A"}, []string{"1<-2 same 1.1", "3<-0  3.1"}},
		{"two of each", []string{"0h failed A", "1h paid A", "2h failed A", "3h paid A"}, []string{"1<-2 same 1.1", "3<-4 same 3.1"}},
		{"the first success is it", []string{"0h failed A", "1h paid B", "2h paid A"}, []string{"1<-2 other 1.1"}},
		{"just in time", []string{"0h failed A", "72h paid A"}, []string{"1<-2 same 1.1"}},
		{"just too late", []string{"0h failed A", "72h0m0.001s paid A"}, []string{"1<-0  1.1"}},
		{"the first too early, the second not", []string{"0h failed A", "60h failed A", "80h paid A"}, []string{"1<-0  1.1", "2<-3 same 2.1"}},
		{"at the same time, in this order", []string{"0h failed A", "0h paid A"}, []string{"1<-2 same 1.1"}},
		{"at the same time, in that order", []string{"0h paid A", "0h failed A"}, []string{"2<-0  2.1"}},
		{"cancelled is neither", []string{"0h failed A", "1h cancelled A"}, []string{"1<-0  1.1"}},
		{"another amount", []string{"0h failed A", "1h paid A 999"}, []string{"1<-0  1.1"}},
		{"another currency", []string{"0h failed A", "1h paid A EUR"}, []string{"1<-0  1.1"}},
		{"another account", []string{"0h failed A", "1h paid A other"}, []string{"1<-0  1.1"}},
		{"another merchant", []string{"0h failed A 999 ACME", "1h paid A 999 ACME2"}, []string{"1<-0  1.1"}},
		{"names are not normalised", []string{"0h failed A 999 ACME", "1h paid A 999 acme"}, []string{"1<-0  1.1"}},
		{"no amount", []string{"0h failed A nil", "1h failed A nil", "2h paid A nil"}, []string{"1<-0  1.1", "2<-0  2.1"}},
		{"no merchant", []string{"0h failed A 999 none", "1h paid A 999 none"}, []string{"1<-0  1.1"}},
		{"never, day after day", []string{"0h failed A", "70h failed B", "140h failed A", "300h failed A"},
			[]string{"1<-0  1.1", "2<-0  1.2", "3<-0  1.3", "4<-0  4.1"}},
		{"others between", []string{"0h failed A", "1h failed A 999", "2h paid B 999", "3h paid A"}, []string{"1<-4 same 1.1", "2<-3 other 2.1"}},
	} {
		var got []string
		for _, f := range fates(t, 0, story(t, tt.story...)) {
			got = append(got, fmt.Sprintf("%d<-%d %s %d.%d", f.ID, f.By, f.Card, f.Purchase, f.Attempt))
			if f.First() != (f.ID == f.Purchase) {
				t.Errorf("%s: %+v.First() = %t", tt.name, f, f.First())
			}
		}
		if diff := gocmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestSettledWantsOrder(t *testing.T) {
	t.Parallel()
	s := books.NewSettled(time.Hour)
	for i, p := range story(t, "1h failed A", "0h paid A") {
		_, err := s.Add(p)
		if (err != nil) != (i == 1) {
			t.Errorf("Add(payment %d) = %v", p.ID, err)
		}
		if err != nil && err.Error() != "payment 2 of 2026-03-01T00:00:00Z comes after one of 2026-03-01T01:00:00Z: payments must be in the order of their times" {
			t.Errorf("Add says %q", err)
		}
	}
}

// Every status is a failure, a success or neither.
func TestPaidFailed(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]string{
		"FAILED": "failed", "CANCELLED": "", "": "", "WAITING_CLEARANCE": "paid", "WAITING_DEDUCT": "paid", "SUCCESS": "paid",
		"PARTIAL_CANCEL": "paid", "PARTIAL_REFUND": "paid", "REFUNDED": "paid", "NEW_ONE": "paid",
	} {
		if f, p := books.Failed(status), books.Paid(status); f != (want == "failed") || p != (want == "paid") {
			t.Errorf("%q: failed %t, paid %t, want %q", status, f, p, want)
		}
	}
}

// plainFates is what Settled does, said without any bookkeeping: every failure
// looks through all payments.
func plainFates(limit time.Duration, payments []books.Payment) []books.Fate {
	same := func(a, b books.Payment) bool {
		return a.Trade != nil && b.Trade != nil && *a.Trade == *b.Trade && a.Merchant != "" && a.Merchant == b.Merchant && a.Account == b.Account
	}
	var all []books.Fate
	for i, f := range payments {
		if !f.Failed {
			continue
		}
		fate := books.Fate{ID: f.ID, Purchase: f.ID, Attempt: 1}
		for _, p := range payments[i+1:] {
			if p.Paid && same(f, p) && p.At.Sub(f.At) <= limit {
				fate.By = p.ID
				if f.AssetID != "" && p.AssetID != "" {
					fate.Card = books.OtherCard
					if f.AssetID == p.AssetID {
						fate.Card = books.SameCard
					}
				}
				break
			}
		}
		all = append(all, fate)
	}
	// Attempts at one purchase: settled by the same, or unpaid and near each other.
	at := func(id int64) books.Payment { return payments[id-1] }
	for i := range all {
		for j := i - 1; j >= 0; j-- {
			a, b := all[j], &all[i]
			if !same(at(a.ID), at(b.ID)) {
				continue
			}
			if a.By == b.By && (a.By != 0 || at(b.ID).At.Sub(at(a.ID).At) <= limit) {
				b.Purchase, b.Attempt = a.Purchase, a.Attempt+1
			}
			break
		}
	}
	return all
}

// Settled says what a search through all payments says, and holds no more than
// the failures of the time up to the limit.
func TestSettledAgainstPlainSearch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := time.Duration(rapid.IntRange(1, 20).Draw(t, "limit")) * time.Minute
		payments := attempts.Draw(t, "payments")
		if diff := gocmp.Diff(plainFates(limit, payments), fates(t, limit, payments)); diff != "" {
			t.Fatalf("limit %s (-plain +Settled):\n%s", limit, diff)
		}
		s := books.NewSettled(limit)
		for i, p := range payments {
			if _, err := s.Add(p); err != nil {
				t.Fatal(err)
			}
			recent := 0
			for _, q := range payments[:i+1] {
				if q.Failed && p.At.Sub(q.At) <= limit {
					recent++
				}
			}
			if held := s.Held(); held > recent {
				t.Fatalf("%d failures are held, only %d are recent", held, recent)
			}
		}
	})
	settled, again, unpaid := 0, 0, 0
	for seed := range 100 {
		for _, f := range plainFates(10*time.Minute, attempts.Example(seed)) {
			switch {
			case f.By != 0 && f.Attempt > 1:
				again++
			case f.By != 0:
				settled++
			case f.Attempt > 1:
				unpaid++
			}
		}
	}
	if settled == 0 || again == 0 || unpaid == 0 {
		t.Errorf("the cases do not show enough: %d settled, %d further attempts settled, %d unpaid", settled, again, unpaid)
	}
}

// attempts are payments of a few cards at a few merchants, minutes apart.
var attempts = rapid.Custom(func(t *rapid.T) (all []books.Payment) {
	at := midnight
	for i := range rapid.IntRange(0, 60).Draw(t, "payments") {
		at = at.Add(time.Duration(rapid.IntRange(0, 9).Draw(t, "minutes")) * time.Minute)
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		p := books.Payment{
			ID: int64(i + 1), At: at, Failed: kind <= 2, Paid: kind == 3 || kind == 4,
			Account:  rapid.SampledFrom([]string{"a", "a", "a", "b"}).Draw(t, "account"),
			AssetID:  rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "card"),
			Merchant: rapid.SampledFrom([]string{"X", "X", "X", "Y", ""}).Draw(t, "merchant"),
		}
		if kind := rapid.IntRange(0, 9).Draw(t, "trade"); kind > 0 {
			p.Trade = &bill.Amount{Currency: []string{"USD", "EUR"}[kind/9], Value: int64(kind / 8)}
		}
		all = append(all, p)
	}
	return all
})

func BenchmarkSettled(b *testing.B) {
	trade := usd(1000)
	s := books.NewSettled(0)
	b.ReportAllocs()
	for i := range b.N {
		p := books.Payment{ID: int64(i + 1), At: midnight.Add(time.Duration(i) * time.Minute), Account: "main", AssetID: "1",
			Merchant: "EXAMPLE CLOUD", Trade: trade, Failed: i%10 < 2, Paid: i%10 >= 2}
		if _, err := s.Add(p); err != nil {
			b.Fatal(err)
		}
	}
}

package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"billsync/internal/bill"
)

var (
	since    = time.Date(2024, 1, 1, 0, 0, 0, 0, beijing)
	twoYears = since.AddDate(2, 0, 0)
)

// all reads a customer's books, page by page.
func all(t testing.TB, b Book, now time.Time, customer string, f Filter, size int) []json.RawMessage {
	t.Helper()
	var bills []json.RawMessage
	for {
		items, total := b.Bills(now, customer, f, len(bills), size)
		bills = append(bills, items...)
		if len(bills) == total {
			return bills
		}
		if len(items) != min(size, total-len(bills)+len(items)) {
			t.Fatalf("a page at %d of %d has %d bills, want %d", len(bills)-len(items), total, len(items), size)
		}
	}
}

func between(from, to time.Time) Filter {
	return Filter{From: from, To: to, IncludeFrom: true, IncludeTo: true}
}

func TestHistoryIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	f := between(twoYears.AddDate(0, 0, -99), twoYears)
	want := all(t, NewHistory(HistoryOptions{Seed: 7}), twoYears, "C1", f, 100)
	if len(want) < 500 {
		t.Fatalf("100 days have %d bills, want many", len(want))
	}
	again := NewHistory(HistoryOptions{Seed: 7})
	again.Bills(twoYears, "C2", f, 1, 20) // what was asked before makes no difference
	if got := all(t, again, twoYears, "C1", f, 7); !sameBills(got, want) {
		t.Error("the same bills in pages of 7 from another history differ")
	}
	for name, b := range map[string][]json.RawMessage{
		"another seed":     all(t, NewHistory(HistoryOptions{Seed: 8}), twoYears, "C1", f, 100),
		"another customer": all(t, again, twoYears, "C2", f, 100),
	} {
		if sameBills(b, want) {
			t.Errorf("%s has the same bills", name)
		}
	}
}

// TestHistoryVariety looks for everything a history of the usual size has to
// show within two years.
func TestHistoryVariety(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		h := NewHistory(HistoryOptions{Seed: seed})
		seen := make(map[string]int)
		ordersSeen := make(map[string][]item)
		days := twoYears.Sub(since).Hours() / 24
		bills := all(t, h, twoYears, "", Filter{}, 100)
		if mean := float64(len(bills)) / days; mean < 11 || mean > 13 {
			t.Errorf("seed %d: %.1f bills a day, want about 12", seed, mean)
		}
		previous := "9"
		for _, raw := range bills {
			it := itemAt(t, raw)
			checkItem(t, raw, &it)
			if it.TransactionTime > previous {
				t.Errorf("seed %d: %s is listed after %s", seed, it.TransactionTime, previous)
			}
			previous = it.TransactionTime
			seen[it.BillStatus]++
			seen["trade "+it.TradeAmount.Currency]++
			seen["out "+it.OutAmount.Currency]++
			seen["card "+it.MaskedCardNo]++
			seen["country "+it.TradeCountry]++
			seen["merchant "+it.MerchantName]++
			seen["billNo "+strconv.FormatBool(it.BillNo != "")]++
			seen["budget "+strconv.FormatBool(it.BudgetAccountID != "")]++
			seen["metadata "+strconv.FormatBool(it.Metadata != nil)]++
			if it.BillFailReason != nil {
				seen[it.BillFailReason.Code]++
			}
			ordersSeen[it.OrderNo] = append(ordersSeen[it.OrderNo], it)
		}
		want := []string{"billNo true", "billNo false", "budget true", "budget false", "metadata true", "out USD", "country KW"}
		want = append(want, statuses[:]...)
		for _, r := range failReasons {
			want = append(want, r.code)
		}
		for _, c := range []string{"USD", "EUR", "GBP", "JPY", "KRW", "KWD", "CNH", "HKD", "SGD"} {
			want = append(want, "trade "+c)
		}
		for _, name := range want {
			if seen[name] == 0 {
				t.Errorf("seed %d: there is no %s", seed, name)
			}
		}
		var several, sameSecond, nextDay, alike int
		for _, group := range ordersSeen {
			if len(group) > 1 {
				several++
			}
			for i := range group[1:] {
				a, b := group[i], group[i+1]
				if a.TransactionTime == b.TransactionTime {
					sameSecond++
					if bytes.Equal(quote(a), quote(b)) {
						alike++
					}
				}
				if a.TransactionTime[:10] != b.TransactionTime[:10] {
					nextDay++
				}
			}
		}
		if several < 50 || sameSecond < 10 || nextDay < 10 || alike < 1 {
			t.Errorf("seed %d: %d orders with several bills, %d pairs of one second, %d over two days, %d alike",
				seed, several, sameSecond, nextDay, alike)
		}
		merchants := 0
		for name := range seen {
			if strings.HasPrefix(name, "merchant ") {
				merchants++
			}
		}
		if merchants < 55 {
			t.Errorf("seed %d: %d merchants, want some 60", seed, merchants)
		}
	}
}

// checkItem checks a bill against API §8.2 and against itself.
func checkItem(t *testing.T, raw json.RawMessage, it *item) {
	t.Helper()
	at, err := time.Parse("2006-01-02T15:04:05-07:00", it.TransactionTime)
	updated, uerr := strconv.ParseInt(it.LastUpdate, 10, 64)
	problem := ""
	switch {
	case err != nil || !strings.HasSuffix(it.TransactionTime, "+08:00"):
		problem = "transaction time"
	case uerr != nil || updated < at.UnixMilli():
		problem = "last update"
	case len(it.OrderNo) < 28 || len(it.OrderNo) > 29 || strings.Trim(it.OrderNo, "0123456789") != "":
		problem = "order number"
	case len(it.BillNo) != 0 && len(it.BillNo) != 32:
		problem = "bill number"
	case len(it.AssetID) != 32 || len(it.MaskedCardNo) != 16:
		problem = "card"
	case it.MerchantName == "" || len([]rune(it.MerchantName)) > 64:
		problem = "merchant"
	case it.TradeAmount == nil || it.TradeAmount.Value <= 0:
		problem = "trade amount"
	case it.OutAmount == nil || (it.OutAmount.Value == 0) != (it.BillStatus == "FAILED"):
		problem = "out amount"
	case (it.InAmount != nil) != (it.BillStatus == "REFUNDED" || it.BillStatus == "PARTIAL_REFUND"):
		problem = "in amount"
	case it.BillStatus == "REFUNDED" && *it.InAmount != *it.OutAmount:
		problem = "refund"
	case it.BillStatus == "PARTIAL_REFUND" && it.InAmount.Value >= it.OutAmount.Value:
		problem = "partial refund"
	case (it.BillFailReason != nil) != (it.BillStatus == "FAILED"):
		problem = "failure reason"
	case it.BillType != "CARD_PAYMENT" || len(it.TradeCountry) != 2:
		problem = "type or country"
	}
	// Apart from rounding and parts given back, out is trade times rate.
	if problem == "" && it.BillStatus != "FAILED" && it.ExchangeRate != "" {
		rate, err := strconv.ParseFloat(it.ExchangeRate, 64)
		from, _ := bill.Decimals(it.TradeAmount.Currency)
		to, _ := bill.Decimals(it.OutAmount.Currency)
		want := float64(it.TradeAmount.Value) * rate * float64(pow10(to)) / float64(pow10(from))
		if got := float64(it.OutAmount.Value); err != nil || got > want+1 || got < want*0.29-1 {
			problem = fmt.Sprintf("exchange rate (out should be about %.1f)", want)
		}
	}
	if problem != "" {
		t.Errorf("wrong %s: %s", problem, raw)
	}
}

// TestLives follows the bills of some days through half a year: they keep what
// identifies them, keep their number, and each change carries a newer version.
func TestLives(t *testing.T) {
	t.Parallel()
	h := NewHistory(HistoryOptions{Seed: 3, BillsPerDay: 50})
	from := time.Date(2025, 3, 3, 0, 0, 0, 0, beijing)
	f := between(from, from.AddDate(0, 0, 4))
	type version struct {
		item
		updated int64
	}
	known := make(map[string]version)
	follows := make(map[[2]string]bool)
	decoded := make(map[string]item) // most bills are the same from step to step
	var previous []json.RawMessage
	changes := 0
	now := f.From
	for step := 3 * time.Hour; now.Before(from.AddDate(0, 9, 0)); now = now.Add(step) {
		if now.After(f.To.AddDate(0, 0, 15)) {
			step = 48 * time.Hour
		}
		bills := all(t, h, now, "", f, 1000)
		if sameBills(bills, previous) {
			continue
		}
		previous = bills
		times := make(map[string]int)
		for _, raw := range bills {
			it, seen := decoded[string(raw)]
			if !seen {
				it = itemAt(t, raw)
				decoded[string(raw)] = it
			}
			at, _ := time.Parse(time.RFC3339, it.TransactionTime)
			updated, _ := strconv.ParseInt(it.LastUpdate, 10, 64)
			if at.After(now) || updated > now.UnixMilli() {
				t.Fatalf("at %v: a bill of the future: %s", now, raw)
			}
			name := it.OrderNo + it.TransactionTime + it.BillNo + fmt.Sprint(*it.TradeAmount)
			times[name]++
			name += fmt.Sprint(times[name])
			old, ok := known[name]
			known[name] = version{it, updated}
			if !ok {
				if now.Sub(at) > step+listedWithin*time.Second {
					t.Errorf("at %v: first listed: %s", now, raw)
				}
				continue
			}
			if it.CardNickName != old.CardNickName {
				old.CardNickName = it.CardNickName
			}
			if it.AssetID != old.AssetID || it.MerchantName != old.MerchantName || it.TradeCountry != old.TradeCountry {
				t.Fatalf("at %v: %+v became %s", now, old, raw)
			}
			switch changed := !bytes.Equal(quote(it), quote(old.item)); {
			case updated < old.updated, changed && updated == old.updated:
				t.Errorf("at %v: %+v became %s", now, old, raw)
			case changed:
				changes++
				follows[[2]string{old.BillStatus, it.BillStatus}] = true
			}
		}
		if len(bills) < len(known) {
			t.Fatalf("at %v: %d of %d bills are listed", now, len(bills), len(known))
		}
	}
	if changes < 200 {
		t.Errorf("%d bills, %d changes: too quiet", len(known), changes)
	}
	for _, want := range [][2]string{
		{"WAITING_CLEARANCE", "SUCCESS"}, {"WAITING_CLEARANCE", "WAITING_DEDUCT"}, {"WAITING_DEDUCT", "SUCCESS"},
		{"WAITING_CLEARANCE", "CANCELLED"}, {"WAITING_CLEARANCE", "PARTIAL_CANCEL"}, {"PARTIAL_CANCEL", "SUCCESS"},
		{"SUCCESS", "PARTIAL_REFUND"}, {"SUCCESS", "REFUNDED"}, {"PARTIAL_REFUND", "REFUNDED"},
	} {
		if !follows[want] {
			t.Errorf("no bill went from %s to %s", want[0], want[1])
		}
	}
}

// TestFilters compares every filter with a reading of all bills.
func TestFilters(t *testing.T) {
	t.Parallel()
	h := NewHistory(HistoryOptions{Seed: 5, BillsPerDay: 20})
	now := twoYears.Add(-37 * time.Minute)
	span := between(now.AddDate(0, 0, -40).Truncate(time.Second), now.Add(-90*time.Minute).Truncate(time.Second))
	bills := all(t, h, now, "", span, 1000)
	some := itemAt(t, bills[len(bills)/3])
	for _, set := range []func(f *Filter){
		func(f *Filter) {},
		func(f *Filter) { f.Statuses = []string{"FAILED"} },
		func(f *Filter) { f.Statuses = []string{"WAITING_CLEARANCE", "REFUNDED", "CANCELLED"} },
		func(f *Filter) { f.CardLast4 = some.MaskedCardNo[12:] },
		func(f *Filter) { f.CardNo = strings.ReplaceAll(some.MaskedCardNo, "*", "0") },
		func(f *Filter) { f.MerchantName = strings.ToLower(some.MerchantName[:7]) },
		func(f *Filter) { f.MerchantName = "&" },
		func(f *Filter) { f.OrderNo = some.OrderNo },
		func(f *Filter) { f.OrderNo = "nonsense" },
		func(f *Filter) { f.OrderNo = "1" },
		func(f *Filter) { f.BudgetAccountIDs = []string{"BA0000000000000001", "BA0000000000000002"} },
		func(f *Filter) { f.From, f.IncludeFrom = glanceAt(bills[len(bills)-1]).time, false },
		func(f *Filter) { f.To, f.IncludeTo = glanceAt(bills[0]).time, false },
		func(f *Filter) { f.To = glanceAt(bills[5]).time.Add(time.Millisecond) },
		func(f *Filter) { f.From, f.IncludeFrom = glanceAt(bills[50]).time.Add(-time.Millisecond), false },
		func(f *Filter) { f.From, f.To = f.To, f.From },
	} {
		f := span
		set(&f)
		var want []json.RawMessage
		for _, raw := range bills {
			if g := glanceAt(raw); f.admits(&g) {
				want = append(want, raw)
			}
		}
		if got := all(t, h, now, "", f, 97); !sameBills(got, want) {
			t.Errorf("%+v lists %d bills, want %d", f, len(got), len(want))
		}
		if n := h.Count(now, "", f); n != len(want) {
			t.Errorf("%+v counts %d bills, want %d", f, n, len(want))
		}
	}
	if before := h.Count(now, "", between(since.AddDate(-1, 0, 0), since.Add(-time.Second))); before != 0 {
		t.Errorf("%d bills before the first day", before)
	}
}

// TestCountWithoutMaking compares the counts of days with the days made.
func TestCountWithoutMaking(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0.05, 0.7, 3, 40} {
		h := NewHistory(HistoryOptions{Seed: 9, BillsPerDay: rate})
		c := h.customer("")
		sum, days := 0, 800
		for day := h.firstDay; day < h.firstDay+int64(days); day++ {
			n := h.count(c, day)
			if plans := h.makeDay(c, day); len(plans) != n {
				t.Errorf("rate %g: day %d has %d bills, counted %d", rate, day, len(plans), n)
			}
			sum += n
		}
		if mean := float64(sum) / float64(days); mean < rate*0.8-0.02 || mean > rate*1.2+0.02 {
			t.Errorf("rate %g: mean is %g", rate, mean)
		}
	}
}

// TestLargeHistory reads at both ends of a million bills and more.
func TestLargeHistory(t *testing.T) {
	t.Parallel()
	h := NewHistory(HistoryOptions{Seed: 1, BillsPerDay: 1400})
	n := h.Count(twoYears, "", Filter{})
	if n < 950000 || n > 1100000 {
		t.Errorf("counted %d bills, want about a million", n)
	}
	for _, skip := range []int{0, n / 2, n - 50} {
		if items, total := h.Bills(twoYears, "", Filter{}, skip, 50); len(items) != 50 || total != n {
			t.Errorf("page at %d has %d bills of %d, want 50 of %d", skip, len(items), total, n)
		}
	}
	// A walk over many days, of several customers, keeps the cache bounded.
	for i := range 3 {
		h.Count(twoYears, strconv.Itoa(i), Filter{From: twoYears.AddDate(0, 0, -40), Statuses: []string{"FAILED"}})
	}
	h.cache.mu.Lock()
	defer h.cache.mu.Unlock()
	kept := 0
	for _, d := range h.cache.days {
		kept += len(d.plans) + 1
	}
	if kept > maxCached || kept != h.cache.bills || kept < maxCached/2 {
		t.Errorf("%d bills are kept, counted as %d, want %d at most", kept, h.cache.bills, maxCached)
	}
}

func TestCustomersAreForgotten(t *testing.T) {
	t.Parallel()
	h := NewHistory(HistoryOptions{})
	for i := range maxCustomers * 2 {
		h.customer(strconv.Itoa(i))
	}
	if len(h.customers) > maxCustomers {
		t.Errorf("%d customers are remembered, want %d at most", len(h.customers), maxCustomers)
	}
}

func BenchmarkHistoryPage(b *testing.B) {
	h := NewHistory(HistoryOptions{BillsPerDay: 1400})
	f := between(twoYears.AddDate(0, 0, -99), twoYears)
	n := h.Count(twoYears, "", f)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		h.Bills(twoYears, "", f, i*100%n, 100)
	}
}

func BenchmarkHistoryCountByStatus(b *testing.B) {
	h := NewHistory(HistoryOptions{BillsPerDay: 1400})
	f := between(twoYears.AddDate(0, 0, -99), twoYears)
	f.Statuses = []string{"WAITING_CLEARANCE"}
	for b.Loop() {
		h.Count(twoYears, "", f)
	}
}

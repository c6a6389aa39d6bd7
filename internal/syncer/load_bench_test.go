//go:build unix

package syncer_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sort"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
	"billsync/internal/syncer"

	"github.com/rs/zerolog"
)

// A shelfSource lists bills that were decoded before: what is measured with it
// is the engine and the database alone.
type shelfSource struct {
	items []bill.Item // in the order of time
	each  int         // so many of them are an account's; 0: all
	asked atomic.Int64
}

func (s *shelfSource) Requests() int64 { return s.asked.Load() }

func (s *shelfSource) QueryBillList(_ context.Context, a bill.Account, q bill.Query) (bill.Page, error) {
	s.asked.Add(1)
	items := s.items
	if s.each > 0 {
		i, _ := strconv.Atoi(a.Name[1:])
		items = s.items[i*s.each : (i+1)*s.each]
	}
	at := func(t time.Time) int {
		return sort.Search(len(items), func(i int) bool { return !items[i].Bill.TransactionTime.Before(t) })
	}
	from, to := at(q.Start), at(q.End.Add(time.Millisecond))
	total := to - from
	first := min(from+(q.Page-1)*q.PageSize, to)
	last := min(first+q.PageSize, to)
	p := bill.Page{
		Number: q.Page, TotalCount: total, TotalPages: (total + q.PageSize - 1) / q.PageSize, Count: last - first,
		Hash: fmt.Sprintf("%s-%d-%d", a.Name, first, last), AskedAt: time.Now().UTC(),
	}
	if p.Unchanged = p.Hash == q.KnownHash; !p.Unchanged {
		p.Items = items[first:last]
	}
	return p, nil
}

// manyItems makes n bills spread over so many days.
func manyItems(n int, from time.Time, days int) []bill.Item {
	items := make([]bill.Item, n)
	step := time.Duration(days) * 24 * time.Hour / time.Duration(n)
	for i := range items {
		at := from.Add(time.Duration(i) * step).Truncate(time.Millisecond)
		b := &items[i].Bill
		*b = bill.Bill{
			OrderNo: fmt.Sprintf("%s%020d", at.Format("20060102"), i), BillNo: fmt.Sprintf("%s9%019d", at.Format("20060102"), i),
			BillType: "CARD_PAYMENT", Status: "SUCCESS", AssetID: fmt.Sprintf("50%030d", i%40), MaskedCardNo: fmt.Sprintf("555555******%04d", i%40),
			CardLast4: fmt.Sprintf("%04d", i%40), CardNickName: "marketing", TransactionTime: at, MerchantName: fmt.Sprintf("EXAMPLE CLOUD %d", i%400),
			Trade: &bill.Amount{Currency: "EUR", Value: int64(i) * 7}, Out: &bill.Amount{Currency: "USD", Value: int64(i) * 8}, ExchangeRate: "1.0815",
			TradeCountry: "US", LastUpdate: at.Add(48 * time.Hour), Hash: fmt.Sprintf("%032x", i),
		}
		b.Raw = fmt.Appendf(nil, `{"orderNo":%q,"billNo":%q,"billType":"CARD_PAYMENT","billStatus":"SUCCESS","assetId":%q,"maskedCardNo":%q,"transactionTime":%q,"merchantName":%q,"tradeAmount":{"currency":"EUR","value":"%d"},"outAmount":{"currency":"USD","value":"%d"},"exchangeRate":"1.0815","tradeCountry":"US","cardNickName":"marketing","lastUpdate":"%d"}`,
			b.OrderNo, b.BillNo, b.AssetID, b.MaskedCardNo, at.Format(time.RFC3339Nano), b.MerchantName, b.Trade.Value, b.Out.Value, b.LastUpdate.UnixMilli())
	}
	return items
}

func benchConfig(start time.Time, concurrency int) syncer.Config {
	return syncer.Config{
		Accounts: []syncer.AccountConfig{{Account: bill.Account{Name: "main"}, HistoryStart: start}}, Zone: time.UTC, WindowDays: 100,
		PageSize: 100, Tail: 7 * 24 * time.Hour, Refresh: 90 * 24 * time.Hour, Audit: 30 * 24 * time.Hour, Concurrency: concurrency,
		RetrySchedule: []time.Duration{time.Minute},
	}
}

func benchRun(b *testing.B, path string, src *shelfSource, cfg syncer.Config, o syncer.Options) {
	b.Helper()
	ctx := context.Background()
	st, err := store.Open(ctx, path, time.UTC)
	if err != nil {
		b.Fatal(err)
	}
	s := syncer.New(cfg, src, wrapped{st, nil}, zerolog.Nop(), time.Now)
	if err := st.Update(ctx, func(tx *store.Tx) error {
		for _, a := range cfg.Accounts {
			if err := tx.SaveAccount(a.Account, a.HistoryStart, time.Now()); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	sum, err := s.Run(ctx, o)
	if err != nil || string(sum.Outcome()) != "complete" {
		b.Fatal(err, string(sum.Outcome()), sum.Reason())
	}
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
}

// processorTime is what this process took so far.
func processorTime(b *testing.B) time.Duration {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// BenchmarkLoad stores 100,000 bills that are new, and reads them again.
func BenchmarkLoad(b *testing.B) {
	const n, days = 100_000, 990
	start := time.Now().UTC().AddDate(0, 0, -days-8).Truncate(24 * time.Hour)
	src := &shelfSource{items: manyItems(n, start.Add(time.Hour), days)}
	cfg := benchConfig(start, 8)
	path := filepath.Join(b.TempDir(), "bills.db")
	b.Run("first", func(b *testing.B) {
		before := processorTime(b)
		for i := 0; i < b.N; i++ {
			path = filepath.Join(b.TempDir(), "bills.db")
			benchRun(b, path, src, cfg, syncer.Options{})
		}
		b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/1e3/n/float64(b.N), "cpu-µs/bill")
	})
	b.Run("again", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "bills.db")
		benchRun(b, path, src, cfg, syncer.Options{})
		b.ResetTimer()
		before := processorTime(b)
		for i := 0; i < b.N; i++ {
			benchRun(b, path, src, cfg, syncer.Options{Scope: syncer.Scope{Full: true}})
		}
		b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/1e3/n/float64(b.N), "cpu-µs/bill")
	})
}

// BenchmarkAccounts stores 300,000 bills of one account, and of 300 accounts.
func BenchmarkAccounts(b *testing.B) {
	const n, days = 300_000, 990
	start := time.Now().UTC().AddDate(0, 0, -days-8).Truncate(24 * time.Hour)
	for _, accounts := range []int{1, 300} {
		src := &shelfSource{each: n / accounts}
		cfg := benchConfig(start, 8)
		cfg.Accounts = nil
		for i := range accounts {
			src.items = append(src.items, manyItems(n/accounts, start.Add(time.Hour), days)...)
			cfg.Accounts = append(cfg.Accounts, syncer.AccountConfig{
				Account: bill.Account{Name: fmt.Sprintf("a%d", i), ConnectedCustomerID: strconv.Itoa(i)}, HistoryStart: start,
			})
		}
		b.Run(fmt.Sprint(accounts), func(b *testing.B) {
			before := processorTime(b)
			for range b.N {
				benchRun(b, filepath.Join(b.TempDir(), "bills.db"), src, cfg, syncer.Options{})
			}
			b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/1e3/n/float64(b.N), "cpu-µs/bill")
		})
	}
}

package simulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"billsync/internal/bill"
)

// sampleLedger has bills of the 10th of January 2026, an hour apart, numbered
// from the oldest.
func sampleLedger(n int) *Ledger {
	l := NewLedger()
	for i := range n {
		l.Add("", Entry{Bill: bill.Bill{
			OrderNo:         fmt.Sprintf("O%03d", i),
			Status:          statuses[i%len(statuses)],
			CardLast4:       []string{"1111", "2222"}[i%2],
			MerchantName:    []string{"Example <Cloud> & Co", "上海示例"}[i%2],
			BudgetAccountID: []string{"BA1", "BA2", ""}[i%3],
			TransactionTime: time.Date(2026, 1, 10, i, 0, 0, 0, beijing),
			Trade:           &bill.Amount{Currency: "USD", Value: int64(100 + i)},
		}})
	}
	return l
}

func orders(numbers ...int) []string {
	var s []string
	for _, n := range numbers {
		s = append(s, fmt.Sprintf("O%03d", n))
	}
	return s
}

func TestOptions(t *testing.T) {
	t.Parallel()
	noon := `"2026-01-10T12:00:00+08:00"`
	for _, tt := range []struct {
		name  string
		opts  Options
		query []string
		want  []string // orders
		total int
		pages int
	}{
		{"newest first", Options{}, []string{"pageSize", "3"}, orders(19, 18, 17), 20, 7},
		{"last page", Options{}, []string{"pageSize", "3", "pageNumber", "7"}, orders(1, 0), 20, 7},
		{"beyond", Options{}, []string{"pageSize", "3", "pageNumber", "8"}, nil, 20, 7},
		{"oldest first", Options{Ascending: true}, []string{"pageSize", "3"}, orders(0, 1, 2), 20, 7},
		{"oldest first, last", Options{Ascending: true}, []string{"pageSize", "3", "pageNumber", "7"}, orders(18, 19), 20, 7},
		{"oldest first, beyond", Options{Ascending: true}, []string{"pageSize", "3", "pageNumber", "9"}, nil, 20, 7},
		{"small pages", Options{MaxPageSize: 2}, []string{"pageSize", "3", "pageNumber", "2"}, orders(17, 16), 20, 10},
		{"capped", Options{MaxCount: 4}, []string{"pageSize", "3", "pageNumber", "2"}, orders(16), 4, 2},
		{"capped, beyond", Options{MaxCount: 4}, []string{"pageSize", "3", "pageNumber", "3"}, nil, 4, 2},
		{"capped, oldest first", Options{MaxCount: 4, Ascending: true}, []string{"pageSize", "3"}, orders(16, 17, 18), 4, 2},
		{"both ends", Options{}, []string{"startTime", noon, "endTime", noon}, orders(12), 1, 1},
		{"no start", Options{ExcludeStart: true}, []string{"startTime", noon}, orders(19, 18, 17, 16, 15, 14, 13), 7, 1},
		{"no end", Options{ExcludeEnd: true}, []string{"endTime", noon, "pageSize", "1"}, orders(11), 12, 12},
		{"statuses", Options{}, []string{"billStatusList", `["FAILED","CANCELLED"]`}, orders(18, 12, 10, 4, 2), 5, 1},
		{"last four", Options{}, []string{"cardNo", `"1111"`, "pageSize", "2"}, orders(18, 16), 10, 5},
		{"full number", Options{}, []string{"cardNo", `"5555551234561111"`, "pageSize", "2"}, orders(18, 16), 10, 5},
		{"another full number", Options{}, []string{"cardNo", `"4444441234561111"`}, nil, 0, 0},
		{"merchant", Options{}, []string{"merchantName", `"<cloud> & "`, "pageSize", "1"}, orders(18), 10, 10},
		{"merchant in Chinese", Options{}, []string{"merchantName", `"示例"`, "pageSize", "1"}, orders(19), 10, 10},
		{"order", Options{}, []string{"orderNo", `"O007"`}, orders(7), 1, 1},
		{"budgets", Options{}, []string{"budgetAccountIdList", `["BA1","X"]`, "pageSize", "2"}, orders(18, 15), 7, 4},
		{"all at once", Options{}, []string{"orderNo", `"O012"`, "billStatusList", `["CANCELLED"]`, "cardNo", `"1111"`,
			"merchantName", `"example"`, "budgetAccountIdList", `["BA1"]`}, orders(12), 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.opts.Book = sampleLedger(20)
			_, c := serve(t, tt.opts)
			a := c.ask(tt.query...)
			if got := field(t, a.Bills, "orderNo"); !slices.Equal(got, tt.want) || a.Total != tt.total || a.Pages != tt.pages {
				t.Errorf("%v lists %v of %d on %d pages, want %v of %d on %d",
					tt.query, got, a.Total, a.Pages, tt.want, tt.total, tt.pages)
			}
		})
	}
}

func TestIntegersAsStrings(t *testing.T) {
	t.Parallel()
	_, c := serve(t, Options{IntegersAsStrings: true, Unsigned: true, Book: sampleLedger(12)})
	a, err := c.do(c.request(bodyOf("pageNumber", "2")))
	if err != nil {
		t.Fatal(err)
	}
	if want := `],"currentPageNumber":"2","totalCount":"12","totalPageNumber":"2"}`; !strings.HasSuffix(string(a.Body), want) {
		t.Errorf("answer is %s, want it to end in %s", a.Body, want)
	}
	if h := a.HTTP.Header.Get("Signature"); h != "" {
		t.Errorf("an unsigned answer has the signature %q", h)
	}
	if strings.Contains(string(a.Body), `\u003c`) || !strings.Contains(string(a.Body), `Example <Cloud> & Co`) {
		t.Errorf("the answer's text is escaped: %s", a.Body)
	}
}

// TestObserver changes the ledger between two pages, as tests of drift do.
func TestObserver(t *testing.T) {
	t.Parallel()
	l := sampleLedger(6)
	s, c := serve(t, Options{Book: l})
	var mu sync.Mutex
	var seen []Request
	s.OnRequest(func(r Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r)
		if r.Query.Page == 2 {
			l.Remove("", "O005")
		}
	})
	c.ask("pageSize", "3", "cardNo", `"5555555555551111"`)
	a := c.ask("pageSize", "3", "pageNumber", "2")
	if got := field(t, a.Bills, "orderNo"); !slices.Equal(got, orders(1, 0)) || a.Total != 5 {
		t.Errorf("page 2 lists %v of %d, want %v of 5", got, a.Total, orders(1, 0))
	}
	if len(seen) != 2 || seen[0].N != 1 || seen[1].N != 2 || s.Requests() != 2 {
		t.Fatalf("observed %d requests, counted %d, want 2", len(seen), s.Requests())
	}
	if q := seen[0].Query; q.CardLast4 != "1111" || q.PageSize != 3 || q.Start.Format(time.RFC3339) != "2026-01-01T00:00:00+08:00" {
		t.Errorf("observed query %+v", q)
	}
	if seen[0].Header.Get("Client-Id") != clientID || !json.Valid(seen[0].Body) {
		t.Errorf("observed header %v, body %s", seen[0].Header, seen[0].Body)
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	if _, err := s.Start(""); err == nil {
		t.Error("starting twice succeeds")
	}
	c.ask()
	if s.Peak() != 1 {
		t.Errorf("peak is %d, want 1", s.Peak())
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.do(c.request(bodyOf())); err == nil {
		t.Error("a closed server answers")
	}
	other := New(Options{Book: NewLedger(), Unsigned: true})
	for _, addr := range []string{"0.0.0.0:0", "192.0.2.1:80", "example.com:80", "nonsense"} {
		if _, err := other.Start(addr); err == nil {
			t.Errorf("Start(%q) succeeds", addr)
		}
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if _, err := other.Start(""); err == nil {
		t.Error("starting a closed server succeeds")
	}
}

// TestCloseWhileWaiting closes a server that is asked to be slow.
func TestCloseWhileWaiting(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{Latency: time.Hour})
	arrived := make(chan struct{})
	s.OnRequest(func(Request) { close(arrived) })
	failed := make(chan error, 1)
	go func() {
		_, err := c.do(c.request(bodyOf()))
		failed <- err
	}()
	<-arrived
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-failed; err == nil {
		t.Error("a request in delay is answered by a closed server")
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{Book: NewDrift(NewHistory(HistoryOptions{Seed: 4}), 4, 0.5)})
	s.SetFault(RandomFaults(1, map[FaultKind]float64{Result: 0.2, ShortPage: 0.2}))
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				r := c.request(bodyOf("pageNumber", strconv.Itoa(i+1)))
				r.Header.Set("Connected-CustomerId", strconv.Itoa(w%3))
				if _, err := c.do(r); err != nil {
					t.Error(err)
				}
				s.SetAccessToken("other", strconv.Itoa(i))
			}
		})
	}
	wg.Wait()
	if s.Requests() != 80 || s.Peak() < 1 || s.Peak() > 8 {
		t.Errorf("%d requests, at most %d at a time; want 80, 1 to 8", s.Requests(), s.Peak())
	}
}

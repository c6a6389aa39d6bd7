package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/worldfirst"
)

// someHistory is long enough for a refresh to chase a part of it.
func someHistory(bills int) history {
	y, m, d := time.Now().In(zone).Date()
	to := time.Date(y, m, d-quietDays, 0, 0, 0, 0, zone)
	return history{Seed: 7, Bills: bills, From: to.AddDate(0, 0, -350), To: to}
}

func TestBook(t *testing.T) {
	t.Parallel()
	h := someHistory(3000)
	b := newBook(h, 0)
	if got := len(b.text)/h.Bills - 1; got < 514 || got > 534 {
		t.Errorf("a bill has %d bytes, want about 524", got)
	}
	seen := map[string]int{}
	last := bill.Bill{}
	for i := range h.Bills {
		it := worldfirst.DecodeItem(b.list(i, i+1))
		if it.Rejected || len(it.Problems) > 0 {
			t.Fatalf("bill %d is not understood: %v\n%s", i, it.Problems, b.list(i, i+1))
		}
		x := it.Bill
		if x.OrderNo <= last.OrderNo || x.TransactionTime.Before(last.TransactionTime) {
			t.Fatalf("bill %d (%s, %s) comes before bill %d (%s, %s)", i, x.OrderNo, x.TransactionTime, i-1, last.OrderNo, last.TransactionTime)
		}
		if (x.FailCode != "") != (x.Status == "FAILED") {
			t.Errorf("bill %d is %s because of %q", i, x.Status, x.FailCode)
		}
		if x.TransactionTime.Before(h.From) || !x.TransactionTime.Before(h.To) {
			t.Errorf("bill %d is of %s, outside the history", i, x.TransactionTime)
		}
		seen[x.Status]++
		seen["in "+x.Trade.Currency]++
		if x.BillNo != "" {
			seen["with billNo"]++
		}
		last = x
	}
	for _, s := range statuses {
		if seen[s] == 0 {
			t.Errorf("no bill is %s", s)
		}
	}
	if seen["SUCCESS"] < h.Bills*7/10 {
		t.Errorf("%d of %d bills are SUCCESS, want most", seen["SUCCESS"], h.Bills)
	}
	if n := seen["with billNo"]; n < h.Bills*9/10 || n == h.Bills {
		t.Errorf("%d of %d bills have a billNo, want most", n, h.Bills)
	}
	if !bytes.Equal(b.text, newBook(h, 0).text) {
		t.Error("the same seed gives other bills")
	}
	if bytes.Equal(b.text, newBook(h, 1).text) {
		t.Error("another account has the same bills")
	}
}

func TestBetween(t *testing.T) {
	t.Parallel()
	h := someHistory(350) // one at each midnight
	b := newBook(h, 0)
	at := func(days int, seconds time.Duration) time.Time {
		return h.From.AddDate(0, 0, days).Add(seconds * time.Second)
	}
	for _, tt := range []struct {
		name       string
		start, end time.Time
		lo, hi     int
	}{
		{"both ends count in", at(3, 0), at(5, 0), 3, 6},
		{"a second inside", at(3, 1), at(5, -1), 4, 5},
		{"nothing between", at(3, 1), at(4, -1), 0, 0},
		{"all", at(-5, 0), at(500, 0), 0, 350},
		{"before", at(-5, 0), at(0, -1), 0, 0},
		{"after", at(349, 1), at(500, 0), 0, 0},
	} {
		if lo, hi := b.between(tt.start, tt.end); lo != tt.lo || hi != tt.hi {
			t.Errorf("%s: between = %d, %d, want %d, %d", tt.name, lo, hi, tt.lo, tt.hi)
		}
	}
}

// A page is an answer as the tests read it.
type page struct {
	Result struct {
		Status string `json:"resultStatus"`
		Code   string `json:"resultCode"`
	} `json:"result"`
	Bills []struct {
		OrderNo string `json:"orderNo"`
		Status  string `json:"billStatus"`
	} `json:"billList"`
	Number int `json:"currentPageNumber"`
	Total  int `json:"totalCount"`
	Pages  int `json:"totalPageNumber"`
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	h := someHistory(700)
	s := newServer(h, 1, keyring{})
	ask := func(fields string) (p page) {
		t.Helper()
		var q billQuery
		body := fmt.Sprintf(`{"startTime":%q,"endTime":%q,%s}`, h.From.Format(worldfirst.TimeFormat),
			h.From.AddDate(0, 0, 99).Format(worldfirst.TimeFormat), fields)
		if err := json.Unmarshal([]byte(body), &q); err != nil {
			t.Fatal(err)
		}
		k, err := s.key(0, &q)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		a, _, err := s.answer(k)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if err := json.Unmarshal(bytes.Join(a.body[:], nil), &p); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return p
	}
	const total = 199 // two a day, and the one at the end
	var orders []string
	for n := 1; n <= 3; n++ {
		p := ask(fmt.Sprintf(`"pageNumber":%d,"pageSize":80`, n))
		want := min(80, total-80*(n-1))
		if p.Result.Status != "S" || p.Number != n || p.Total != total || p.Pages != 3 || len(p.Bills) != want {
			t.Errorf("page %d: %s, page %d of %d, %d bills of %d, want %d", n, p.Result.Status, p.Number, p.Pages, len(p.Bills), p.Total, want)
		}
		for _, b := range p.Bills {
			orders = append(orders, b.OrderNo)
		}
	}
	if !slices.IsSorted(orders) || len(slices.Compact(orders)) != total {
		t.Errorf("the pages list %d orders, not %d in order", len(orders), total)
	}
	if p := ask(`"pageNumber":4,"pageSize":80`); len(p.Bills) != 0 || p.Total != total {
		t.Errorf("the page after the last has %d bills of %d", len(p.Bills), p.Total)
	}
	sum := 0
	for _, status := range statuses {
		p := ask(fmt.Sprintf(`"pageNumber":1,"pageSize":100,"billStatusList":[%q]`, status))
		for _, b := range p.Bills {
			if b.Status != status {
				t.Errorf("asked for %s, listed is %s", status, b.Status)
			}
		}
		if len(p.Bills) != min(100, p.Total) {
			t.Errorf("%s: %d bills of %d", status, len(p.Bills), p.Total)
		}
		sum += p.Total
	}
	if sum != total {
		t.Errorf("%d bills by status, want %d", sum, total)
	}
	if p := ask(fmt.Sprintf(`"pageNumber":1,"pageSize":100,"orderNo":%q`, orders[17])); p.Total != 1 || p.Bills[0].OrderNo != orders[17] {
		t.Errorf("an order's list has %d bills: %v", p.Total, p.Bills)
	}
	if p := ask(`"pageNumber":1,"pageSize":100,"orderNo":"2020010100000000000000000000017"`); p.Total != 0 {
		t.Errorf("an unknown order has %d bills", p.Total)
	}
}

// What the server refuses: a request that is not signed, or not legal.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 100)
	legal := fmt.Sprintf(`{"startTime":%q,"endTime":%q,"pageNumber":1,"pageSize":100}`,
		w.history.From.Format(worldfirst.TimeFormat), w.history.From.AddDate(0, 0, 50).Format(worldfirst.TimeFormat))
	for _, tt := range []struct {
		name, url, body, as string
		signed              string // the text that is signed; empty: nothing
		want                string
	}{
		{"signed", w.service.Signed, legal, "", legal, "SUCCESS"},
		{"not signed", w.service.Signed, legal, "", "", "INVALID_SIGNATURE"},
		{"another text signed", w.service.Signed, legal, "", legal + " ", "INVALID_SIGNATURE"},
		{"not signed, where that is allowed", w.service.Unsigned, legal, "", "", "SUCCESS"},
		{"an unknown account", w.service.Unsigned, legal, customer(3), "", "AUTHORIZATION_NOT_EXIST"},
		{"page 0", w.service.Unsigned, strings.Replace(legal, `"pageNumber":1`, `"pageNumber":0`, 1), "", "", "PARAM_ILLEGAL"},
		{"a large page", w.service.Unsigned, strings.Replace(legal, "100", "101", 1), "", "", "PARAM_ILLEGAL"},
		{"no time", w.service.Unsigned, `{"pageNumber":1,"pageSize":100}`, "", "", "PARAM_ILLEGAL"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, tt.url+worldfirst.QueryBillListPath, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now().In(zone).Format(worldfirst.TimeFormat)
		req.Header.Set("Client-Id", clientID)
		req.Header.Set("Request-Time", at)
		req.Header.Set("Connected-CustomerId", tt.as)
		if tt.signed != "" {
			signature, err := worldfirst.Sign(w.key, 2, http.MethodPost, worldfirst.QueryBillListPath, clientID, at, []byte(tt.signed))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Signature", signature)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var p page
		err = json.NewDecoder(resp.Body).Decode(&p)
		resp.Body.Close()
		if err != nil || p.Result.Code != tt.want {
			t.Errorf("%s: %s, %v, want %s", tt.name, p.Result.Code, err, tt.want)
		}
	}
	if _, err := w.service.stats(t.Context()); err == nil {
		t.Error("refused requests are no error")
	}
}

// Answers are signed before they are asked for, and again when they are old.
func TestPrepare(t *testing.T) {
	t.Parallel()
	keys, err := loadKeys(filepath.Join(newWorld(t, 0).service.keys))
	if err != nil {
		t.Fatal(err)
	}
	h := someHistory(300)
	s := newServer(h, 1, keys)
	n, err := s.prepare()
	if err != nil || n < 3 {
		t.Fatalf("prepare = %d, %v, want some answers", n, err)
	}
	k := s.keyOf(0, bill.Span{Start: h.From.Add(-bill.Lead), End: h.From.AddDate(0, 0, 99).Add(-time.Second)}, 1, fullPage)
	a, late, err := s.answer(k)
	if err != nil || late {
		t.Errorf("the first window's first page was signed late (%v)", err)
	}
	if again, err := s.prepare(); err != nil || again != 0 {
		t.Errorf("preparing again signed %d answers, %v, want none", again, err)
	}
	a.made = time.Now().Add(-freshFor - time.Second)
	fresh, late, err := s.answer(k)
	if err != nil || !late || time.Since(fresh.made) > freshFor {
		t.Errorf("an old answer was sent: late %t, %v", late, err)
	}
	fresh.made = time.Now().Add(-warmFor - time.Second)
	if again, err := s.prepare(); err != nil || again != 1 {
		t.Errorf("with one answer that is no longer warm %d were signed, %v", again, err)
	}
}

package syncer_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/syncer"
)

func TestFirstSyncReadsAllAndProvesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.fill(237, 399)
	sum := w.sync()
	w.equal("main", "")
	if got := w.query("SELECT DISTINCT state FROM windows"); !slices.Equal(got, []string{"done"}) {
		t.Errorf("states of the windows = %v, want all done", got)
	}
	if got := w.query("SELECT window_id FROM windows WHERE total_count <> stored_count OR proved_at IS NULL"); len(got) > 0 {
		t.Errorf("windows without proof: %v", got)
	}
	if got, want := w.one("SELECT complete, proved_from, proved_to FROM coverage"), "1|2025-04-14T15:59:58.000Z|2026-05-20T01:58:00.000Z"; got != want {
		t.Errorf("coverage = %s, want %s", got, want)
	}
	if sum.Run.New != 237 || sum.Run.Changed != 0 || sum.Run.Outcome != "complete" {
		t.Errorf("run = %+v, want 237 new", sum.Run)
	}
	// The bills of the overlapping days come twice, nothing else does.
	least := 0
	for _, n := range w.query("SELECT (total_count + 9) / 10 FROM windows") {
		var pages int
		fmt.Sscan(n, &pages)
		least += max(1, pages)
	}
	if int(sum.Run.Requests) != least {
		t.Errorf("requests = %d, want the least possible, %d", sum.Run.Requests, least)
	}
}

func TestSyncWithoutNewsAsksForTheTailOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	w.fill(100, 249)
	w.sync()
	w.pass(15 * time.Minute)
	sum := w.sync()
	if sum.Run.Requests != 1 || sum.Run.New != 0 || sum.Run.Changed != 0 {
		t.Errorf("second run = %+v, want one request and no change", sum.Run)
	}
	if got := w.query("SELECT state_id FROM bill_states"); len(got) > 0 {
		t.Errorf("an unchanged re-read wrote %d states to the history", len(got))
	}
}

func TestNewestWindowFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.fill(40, 399)
	var starts []time.Time // one request at a time, so without a lock
	w.server.OnRequest(func(r simulator.Request) {
		if r.Query.Page == 1 {
			starts = append(starts, r.Query.Start)
		}
	})
	w.cfg.Concurrency = 1
	w.sync()
	if !slices.IsSortedFunc(starts, func(a, b time.Time) int { return b.Compare(a) }) || len(starts) != 5 {
		t.Errorf("windows were begun in the order %v, want 5, the newest first", starts)
	}
}

func TestTailFindsNewBillsAndChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.fill(20, 29)
	w.sync()
	for day := range 130 { // past a hundred days, so the tail is cut into windows on the way
		w.pass(24 * time.Hour)
		at := w.now().Add(-time.Hour)
		w.ledger.Add("", entry(fmt.Sprintf("N%03d", day), at))
		if day > 0 {
			w.ledger.Update("", fmt.Sprintf("N%03d", day-1), func(e *simulator.Entry) {
				e.Status, e.LastUpdate = "REFUNDED", at
			})
		}
		sum := w.sync()
		if sum.Run.New != 1 || day > 0 && sum.Run.Changed != 1 {
			t.Fatalf("day %d: %d new, %d changed; want 1 and 1", day, sum.Run.New, sum.Run.Changed)
		}
	}
	w.equal("main", "")
	if got := w.one("SELECT complete FROM coverage"); got != "1" {
		t.Errorf("coverage is not complete after 130 days")
	}
	if got := w.one("SELECT count(*) FROM windows"); got == "1" {
		t.Errorf("the tail of 130 days was never cut into windows")
	}
	if got := w.one("SELECT count(*) FROM bill_states WHERE bill_status = 'SUCCESS'"); got != "129" {
		t.Errorf("%s earlier states kept, want 129", got)
	}
}

func TestLongAbsence(t *testing.T) {
	t.Parallel()
	for _, days := range []int{5, 92, 98, 99, 100, 101, 250, 777} {
		w := newWorld(t, 30)
		w.fill(20, 29)
		w.sync()
		w.pass(time.Duration(days) * 24 * time.Hour)
		for i := range days {
			w.ledger.Add("", entry(fmt.Sprintf("N%04d", i), start.Add(time.Duration(i)*24*time.Hour+time.Hour)))
		}
		w.sync()
		w.equal("main", "")
		if got := w.one("SELECT complete, proved_to FROM coverage"); got != "1|"+w.now().UTC().Add(-2*time.Minute).Format("2006-01-02T15:04:05.000Z") {
			t.Errorf("after %d days: coverage = %s", days, got)
		}
	}
}

func TestHistoryStartMovedBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.fill(300, 399)
	w.sync()
	w.cfg.Accounts[0].HistoryStart = w.cfg.Accounts[0].HistoryStart.AddDate(0, 0, -370)
	var mu sync.Mutex
	var asked []bill.Query
	w.server.OnRequest(func(r simulator.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Query)
	})
	w.sync()
	w.equal("main", "")
	if got := w.one("SELECT complete FROM coverage"); got != "1" {
		t.Errorf("coverage is not complete")
	}
	// Of what was proved before only the tail is read again.
	for _, q := range asked {
		if q.End.After(start.AddDate(0, 0, -25)) && q.Start.Before(start.AddDate(0, 0, -8)) {
			t.Errorf("asked again for %s to %s", q.Start, q.End)
		}
	}
}

// Every setting that decides what is asked may change from run to run, also in
// the middle of a pass.
func TestSettingsChangeInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 200)
	w.fill(150, 199)
	zones := []string{"+08:00", "UTC", "America/New_York", "+05:30", "Pacific/Kiritimati"}
	for i := 0; i < 40; i++ {
		zone, err := bill.LoadZone(zones[i%len(zones)])
		if err != nil {
			t.Fatal(err)
		}
		w.cfg.Zone, w.cfg.PageSize, w.cfg.WindowDays = zone, []int{10, 7, 100, 1}[i%4], []int{100, 7, 30}[i%3]
		commits := 0
		_, _ = w.runWith(syncer.Options{}, w.client, func() error {
			if commits++; commits > 4+i%3 {
				return errCrash
			}
			return nil
		})
		w.pass(time.Minute)
	}
	w.sync()
	w.equal("main", "")
}

func TestRefreshReadsTheRecentPastAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.fill(400, 399)
	w.sync()
	w.pass(24 * time.Hour)
	change := func(order string) {
		w.ledger.Update("", order, func(e *simulator.Entry) { e.Status, e.LastUpdate = "REFUNDED", w.now() })
	}
	change("O000080") // 80 days ago: a refresh finds it, a sync does not
	if sum := w.sync(); sum.Run.Changed != 0 {
		t.Errorf("sync found %d changes 80 days back", sum.Run.Changed)
	}
	sum, err := w.run(syncer.Options{Trigger: "refresh", Scope: syncer.Scope{Refresh: true}})
	if err != nil || !sum.Complete() || sum.Run.Changed != 1 {
		t.Fatalf("refresh: changed %d, complete %v, %v; want the one change", sum.Run.Changed, sum.Complete(), err)
	}
	change("O000390")
	sum, err = w.run(syncer.Options{Scope: syncer.Scope{Full: true}})
	if err != nil || !sum.Complete() || sum.Run.Changed != 1 {
		t.Fatalf("full: changed %d, complete %v, %v; want the one change", sum.Run.Changed, sum.Complete(), err)
	}
	w.equal("main", "")
}

// A sync started by an outside cron does the refresh when its time has come.
func TestSyncRefreshesWhenDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60)
	w.fill(60, 59)
	w.cfg.NextRefresh = func(t time.Time) time.Time { return t.Add(24 * time.Hour) }
	w.sync()
	for i, want := range []bool{false, false, true, false} {
		w.pass(11 * time.Hour)
		w.ledger.Update("", "O000040", func(e *simulator.Entry) { e.Status, e.LastUpdate = fmt.Sprint("S", i), w.now() })
		sum := w.sync()
		if got := sum.Run.Changed == 1; got != want {
			t.Errorf("run %d after %d hours: found the change: %v, want %v", i, 11*(i+1), got, want)
		}
	}
}

// A refresh asks for failed windows once; the runs after it do not.
func TestRefreshAsksForFailedWindowsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	w.fill(100, 249)
	w.cfg.NextRefresh = func(t time.Time) time.Time { return t.Add(24 * time.Hour) }
	w.sync()
	asked := 0
	var mu sync.Mutex
	w.server.SetFault(func(r simulator.Request) simulator.Fault {
		if r.Query.Start.Before(start.AddDate(0, 0, -251)) {
			mu.Lock()
			defer mu.Unlock()
			asked++
			return result("SYSTEM_ERROR")
		}
		return simulator.Fault{}
	})
	// A window that was never proved fails at its first reading.
	w.cfg.Accounts[0].HistoryStart = w.cfg.Accounts[0].HistoryStart.AddDate(0, 0, -50)
	for i, want := range []int{1, 1, 2, 2, 2} { // first reading, then one refresh
		if i == 2 {
			w.pass(25 * time.Hour)
		}
		if _, err := w.run(syncer.Options{}); err != nil {
			t.Fatal(err)
		}
		if asked != want {
			t.Fatalf("run %d: the failed window was asked for %d times, want %d", i, asked, want)
		}
		w.pass(15 * time.Minute)
	}
}

// A refresh that was stopped goes on with what it has not read, and does not
// begin again.
func TestStoppedRefreshGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.cfg.WindowDays, w.cfg.Refresh, w.cfg.Concurrency = 20, 200*24*time.Hour, 1
	w.fill(200, 399)
	w.sync()
	w.pass(time.Hour)
	commits := 0
	refresh := syncer.Options{Scope: syncer.Scope{Refresh: true}}
	if _, err := w.runWith(refresh, w.client, func() error {
		if commits++; commits == 7 {
			return errCrash
		}
		return nil
	}); err == nil {
		t.Fatal("the refresh survived")
	}
	before := w.one("SELECT count(*) FROM windows WHERE reread_at IS NOT NULL")
	sum := w.sync()
	if n, _ := strconv.Atoi(before); n == 0 || sum.Accounts[0].Proved > n+1 {
		t.Errorf("%s windows were left to be read, %d were", before, sum.Accounts[0].Proved)
	}
	if got := w.one("SELECT refresh_wanted_at IS NULL, (SELECT count(*) FROM windows WHERE reread_at IS NOT NULL) FROM accounts"); got != "1|0" {
		t.Errorf("the refresh is not over: %s", got)
	}
	w.pass(time.Hour)
	if sum := w.sync(); sum.Run.Requests != 1 {
		t.Errorf("the run after it made %d requests, want the tail's one", sum.Run.Requests)
	}
}

func TestFromTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.fill(400, 399)
	w.sync()
	w.ledger.Update("", "O000300", func(e *simulator.Entry) { e.Status, e.LastUpdate = "REFUNDED", w.now() })
	w.ledger.Update("", "O000010", func(e *simulator.Entry) { e.Status, e.LastUpdate = "REFUNDED", w.now() })
	at := start.AddDate(0, 0, -300)
	sum, err := w.run(syncer.Options{Scope: syncer.Scope{Span: bill.Span{Start: at.AddDate(0, 0, -3), End: at.AddDate(0, 0, 3)}}})
	if err != nil || !sum.Complete() || sum.Run.Changed != 1 {
		t.Fatalf("from/to: changed %d, complete %v, %v; want the one change in the span", sum.Run.Changed, sum.Complete(), err)
	}
}

func TestEndsOfEveryKind(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*simulator.Options){
		"half open": func(o *simulator.Options) { o.ExcludeEnd = true },
		"open":      func(o *simulator.Options) { o.ExcludeEnd, o.ExcludeStart = true, true },
		"ascending": func(o *simulator.Options) { o.Ascending = true },
		"strings":   func(o *simulator.Options) { o.IntegersAsStrings = true },
		"smaller":   func(o *simulator.Options) { o.MaxPageSize = 4 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 299, change)
			w.fill(100, 290)
			// Bills at and around every end of a window.
			first := w.cfg.Accounts[0].HistoryStart
			for day := range 300 {
				for i, d := range []time.Duration{-time.Second, -time.Millisecond, 0, time.Millisecond, time.Second} {
					if at := first.AddDate(0, 0, day).Add(d); (day%99 == 0 || day%100 == 99) && !at.Before(first) {
						w.ledger.Add("", entry(fmt.Sprintf("E%03d%d", day, i), at))
					}
				}
			}
			w.sync()
			w.equal("main", "")
		})
	}
}

func TestAccountsDoNotMix(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 150)
	w.account("second", "CUSTOMER2")
	w.fill(60, 149)
	w.fillOf("CUSTOMER2", 30, 149)
	w.sync()
	w.equal("main", "")
	w.equal("second", "CUSTOMER2")
	sum, err := w.run(syncer.Options{Accounts: []string{"second"}})
	if err != nil || len(sum.Accounts) != 1 || sum.Accounts[0].Name != "second" {
		t.Errorf("a run for one account did %+v, %v", sum.Accounts, err)
	}
}

func TestRefusedAccountHoldsUpNobody(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"AUTHORIZATION_NOT_EXIST", "CONTRACT_NOT_EXIST", "ACCESS_TOKEN_EXPIRED", "INVALID_SIGNATURE",
		"INVALID_CLIENT", "INVALID_API", "METHOD_NOT_SUPPORTED", "SERVICE_NOT_ALLOWED", "CONTRACT_CHECK_FAIL", "OAUTH_FAIL", "USER_NOT_EXIST", "RISK_REJECT"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 250)
			w.account("bad", "BAD")
			w.fill(60, 249)
			asked := make(chan struct{}, 1000)
			w.server.SetFault(func(r simulator.Request) simulator.Fault {
				if r.Customer == "BAD" {
					asked <- struct{}{}
					return result(code)
				}
				return simulator.Fault{}
			})
			sum, err := w.run(syncer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			w.equal("main", "")
			if !sum.Refused() || sum.Run.Outcome != "refused" || !sum.Accounts[0].Complete() {
				t.Errorf("outcome %q, main complete %v; want refused, and main complete", sum.Run.Outcome, sum.Accounts[0].Complete())
			}
			if len(asked) != 1 {
				t.Errorf("the refused account was asked %d times, want once", len(asked))
			}
			if got := w.query("SELECT DISTINCT state FROM windows WHERE account = 'bad' AND state NOT IN ('pending', 'reading')"); len(got) > 0 {
				t.Errorf("windows of the refused account became %v, want them untouched", got)
			}
			if got := w.one("SELECT code, http_status FROM evidence WHERE account = 'bad'"); got != code+"|200" {
				t.Errorf("evidence = %s", got)
			}
			if got := w.one("SELECT refused_code FROM accounts WHERE account = 'bad'"); got != code {
				t.Errorf("refused_code = %s, want %s", got, code)
			}
			w.server.SetFault(nil)
			w.sync()
			if got := w.one("SELECT count(*) FROM accounts WHERE refused_at IS NOT NULL"); got != "0" {
				t.Errorf("the refusal is still noted after it was mended")
			}
		})
	}
}

func TestSlowAccountHoldsUpNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 250)
	w.account("slow", "SLOW")
	w.fill(200, 249)
	w.fillOf("SLOW", 20, 249)
	release := make(chan struct{})
	fast := make(chan struct{}, 1000)
	w.server.OnRequest(func(r simulator.Request) {
		if r.Customer == "SLOW" {
			<-release
			return
		}
		if fast <- struct{}{}; len(fast) == 22 { // the whole of main's history
			close(release)
		}
	})
	w.sync()
	w.equal("main", "")
	w.equal("slow", "SLOW")
}

func TestRejectedItems(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.fill(30, 49)
	at := start.AddDate(0, 0, -10)
	bad := func(fields map[string]any) simulator.Entry { return simulator.Entry{Raw: raw(fields), Time: at} }
	w.ledger.Add("",
		bad(map[string]any{"transactionTime": at.Format(time.RFC3339), "billStatus": "SUCCESS", "cardNo": "5555555555554444"}),
		bad(map[string]any{"orderNo": "NOTIME", "transactionTime": "yesterday"}),
		bad(map[string]any{"orderNo": "NOTIME", "transactionTime": "yesterday"}),
		simulator.Entry{Raw: []byte(`"a string"`), Time: at},
		bad(map[string]any{"orderNo": "HALF", "transactionTime": at.Format(time.RFC3339), "billStatus": "SUCCESS",
			"tradeAmount": map[string]any{"currency": "USD", "value": "12.50"}}),
	)
	for range 2 { // twice the same: seeing them again adds nothing
		sum, err := w.run(syncer.Options{Scope: syncer.Scope{Full: true}})
		if err != nil {
			t.Fatal(err)
		}
		if sum.Complete() || sum.Outcome() != "incomplete" || sum.Accounts[0].Rejected != 5 {
			t.Errorf("outcome %s with %d rejected, want incomplete with 5", sum.Outcome(), sum.Accounts[0].Rejected)
		}
		if got := w.one("SELECT count(*) FROM bills"); got != "31" {
			t.Errorf("%s bills stored, want 31: the rest of the page is kept", got)
		}
		if got := w.one("SELECT count(*), count(bill_id), count(DISTINCT item_hash) FROM rejected_items"); got != "5|1|4" {
			t.Errorf("rejected items, of bills, different = %s, want 5|1|4", got)
		}
		if got := w.one("SELECT trade_amount IS NULL, trade_currency IS NULL FROM bills WHERE order_no = 'HALF'"); got != "1|1" {
			t.Errorf("the unreadable amount was stored: %s", got)
		}
		if got := w.query("SELECT raw FROM rejected_items WHERE raw LIKE '%5555555555554444%'"); len(got) > 0 {
			t.Errorf("a full card number was stored: %v", got)
		}
		if got := w.one("SELECT count(*) FROM windows WHERE state <> 'done'"); got != "0" {
			t.Errorf("windows with rejected items are not proved although the counts add up")
		}
	}
	// The provider mends some: they are resolved by themselves.
	w.ledger.SetRaw("", "HALF", raw(map[string]any{"orderNo": "HALF", "transactionTime": at.Format(time.RFC3339), "billStatus": "SUCCESS",
		"tradeAmount": map[string]any{"currency": "USD", "value": "1250"}}))
	w.ledger.Remove("", "NOTIME")
	sum, err := w.run(syncer.Options{Scope: syncer.Scope{Full: true}})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Accounts[0].Rejected != 2 {
		t.Errorf("%d items still not understood, want 2", sum.Accounts[0].Rejected)
	}
}

func TestUnknownValuesAreUnderstood(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	e := entry("NEW", start.AddDate(0, 0, -3))
	e.Status, e.BillType, e.FailCode, e.FailDesc = "A_FUTURE_STATUS", "CARD_REFUND", "WORLD_CARD_NEW_REASON", "Something new."
	e.Trade = &bill.Amount{Currency: "XQZ", Value: 7}
	w.ledger.Add("", e)
	w.sync()
	if got := w.one("SELECT bill_status, bill_type, trade_currency, fail_code FROM bills"); got != "A_FUTURE_STATUS|CARD_REFUND|XQZ|WORLD_CARD_NEW_REASON" {
		t.Errorf("stored %s", got)
	}
	if got := w.one("SELECT error_desc, documented FROM fail_reasons WHERE error_code = 'WORLD_CARD_NEW_REASON'"); got != "Something new.|0" {
		t.Errorf("fail reason %s", got)
	}
}

func TestWindowIsHalvedWhenLaterPagesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 99, func(o *simulator.Options) { o.MaxPage = 5 })
	w.fill(180, 98)
	w.sync()
	w.equal("main", "")
	if got := w.one("SELECT max(total_count) <= 50, count(*) > 3, complete FROM windows, coverage"); got != "1|1|1" {
		t.Errorf("small enough, several, complete = %s, want 1|1|1", got)
	}
	w.pass(10 * time.Minute)
	sum, err := w.run(syncer.Options{Scope: syncer.Scope{Full: true}})
	if err != nil || !sum.Complete() {
		t.Errorf("reading again: %v, %s", err, sum.Reason())
	}
}

// Where even an hour holds too much, the window fails and says so.
func TestHalvingEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20, func(o *simulator.Options) { o.MaxPage = 1 })
	for i := range 30 {
		w.ledger.Add("", entry(fmt.Sprintf("D%02d", i), start.AddDate(0, 0, -5).Add(time.Duration(i)*time.Second)))
	}
	sum, err := w.run(syncer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Outcome() != "incomplete" || !strings.Contains(sum.Reason(), "failed") {
		t.Errorf("outcome %s: %s; want a failed window", sum.Outcome(), sum.Reason())
	}
	if got := w.query("SELECT window_id FROM windows WHERE julianday(window_end) - julianday(window_start) < 1.0/24"); len(got) > 0 {
		t.Errorf("%d windows are shorter than an hour", len(got))
	}
}

func TestCappedListIsHalved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 99, func(o *simulator.Options) { o.MaxCount = 10_000 })
	w.fill(13_000, 98)
	w.cfg.PageSize = 100
	w.sync()
	w.equal("main", "")
}

// What plan says is what sync then asks, to the request.
func TestPlanTellsWhatSyncAsks(t *testing.T) {
	t.Parallel()
	refresh, full := syncer.Options{Scope: syncer.Scope{Refresh: true}}, syncer.Options{Scope: syncer.Scope{Full: true}}
	for _, tt := range []struct {
		name   string
		days   int
		bills  int
		size   int
		before func(w *world)
		probe  bool
		o      syncer.Options
		least  int // what the scenario is about shows in so many requests
	}{
		{name: "first load, probed", days: 250, bills: 200, probe: true, least: 20},
		{name: "first load without bills", days: 250, probe: true, least: 3},
		{name: "a list so long that it may be cut short", days: 90, bills: 12_000, size: 100, probe: true, least: 122},
		{name: "nothing new", days: 250, bills: 200, before: func(w *world) { w.sync(); w.pass(time.Hour) }, least: 1},
		{name: "nothing new, several accounts", days: 250, bills: 200, before: func(w *world) {
			w.account("second", "C2")
			w.account("third", "C3")
			w.fillOf("C2", 100, 249)
			w.sync()
			w.pass(time.Hour)
		}, least: 3},
		{name: "refresh", days: 1000, bills: 900, o: refresh, before: func(w *world) { w.sync(); w.pass(24 * time.Hour) }, least: 9 * 9},
		{name: "refresh with many open bills", days: 400, bills: 400, o: refresh, before: func(w *world) {
			w.ledger.Change("", func(entries []simulator.Entry) []simulator.Entry {
				for i := range entries {
					entries[i].Bill.Status = []string{"SUCCESS", "WAITING_CLEARANCE", "REFUNDED", "PARTIAL_REFUND"}[i%4]
				}
				return entries
			})
			w.sync()
			w.pass(24 * time.Hour)
		}, least: 3 * 10},
		{name: "everything again", days: 250, bills: 200, o: full, before: func(w *world) { w.sync(); w.pass(time.Hour) }, least: 20},
		{name: "one span again", days: 250, bills: 200, o: syncer.Options{Scope: syncer.Scope{Span: bill.Span{Start: start.AddDate(0, 0, -120), End: start.AddDate(0, 0, -110)}}},
			before: func(w *world) { w.sync(); w.pass(time.Hour) }, least: 8},
		{name: "killed on the way", days: 90, bills: 200, before: func(w *world) {
			n := 0
			_, err := w.runWith(syncer.Options{}, w.client, func() error {
				if n++; n == 6 {
					return errCrash
				}
				return nil
			})
			if !errors.Is(err, errCrash) {
				w.t.Fatal(err)
			}
			w.pass(time.Minute)
		}, least: 10},
		{name: "one window waits", days: 250, bills: 200, before: func(w *world) {
			n := int64(0)
			w.server.SetFault(func(simulator.Request) simulator.Fault {
				if atomic.AddInt64(&n, 1) == 20 {
					return result("UNKNOWN_EXCEPTION")
				}
				return simulator.Fault{}
			})
			if _, err := w.run(syncer.Options{}); err != nil {
				w.t.Fatal(err)
			}
			w.server.SetFault(nil)
			w.pass(time.Minute)
		}, least: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.days)
			w.cfg.PageSize = cmp.Or(tt.size, w.cfg.PageSize)
			w.fill(tt.bills, tt.days-1)
			if tt.before != nil {
				tt.before(w)
			}
			st := w.open()
			work := syncer.New(w.cfg, w.client, nil, nop, w.now)
			var steps []syncer.Step
			err := st.Update(context.Background(), func(tx storeTx) (err error) {
				steps, err = work.Preview(tx, tt.o)
				return err
			})
			if err == nil && tt.probe {
				err = work.Probe(w.ctx, steps)
			}
			if err := errors.Join(err, st.Close()); err != nil {
				t.Fatal(err)
			}
			want := 0
			for _, s := range steps {
				want += s.Requests(w.cfg.PageSize)
			}
			if want < tt.least {
				t.Errorf("%d requests are planned, want at least %d", want, tt.least)
			}
			sum, err := w.run(tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if got := int(sum.Run.Requests); got != want {
				t.Errorf("the sync made %d requests, planned were %d", got, want)
			}
		})
	}
}

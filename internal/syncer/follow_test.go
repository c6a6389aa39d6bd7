package syncer_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"billsync/internal/simulator"
	"billsync/internal/syncer"
)

// refresh reads the mutable past again, whatever the schedule says.
var refresh = syncer.Options{Trigger: "refresh", Scope: syncer.Scope{Refresh: true}}

// refresh does a refresh that must end complete.
func (w *world) refresh() syncer.Summary {
	w.t.Helper()
	w.pass(time.Minute)
	sum, err := w.run(refresh)
	if err != nil {
		w.t.Fatal(err)
	}
	if !sum.Complete() {
		w.t.Fatalf("the refresh is not complete: %s", sum.Reason())
	}
	return sum
}

// old makes a world of three years, proved, whose audit is not due. Bills of
// every status are in it.
func old(t *testing.T, change ...func(*simulator.Options)) *world {
	t.Helper()
	w := newWorld(t, 1095, change...)
	w.cfg.PageSize = 100
	w.cfg.Audit = 0
	states := []string{"SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS", "FAILED", "WAITING_CLEARANCE", "PARTIAL_REFUND", "REFUNDED", "CANCELLED"}
	for i := range 2000 {
		if i%4 != 0 && i != 1500 && (i < 1790 || i > 1820) {
			continue // the tests name those that are left
		}
		e := entry(fmt.Sprintf("O%06d", i), start.Add(-time.Hour).Add(-time.Duration(i)*13*time.Hour))
		e.Status = states[i%len(states)]
		w.ledger.Add("", e)
	}
	w.sync()
	return w
}

// The chase finds every kind of change of a bill three years old with a hundred
// small requests.
func TestChaseFindsOldChanges(t *testing.T) {
	t.Parallel()
	const success, failed, waiting, partial, refunded = "O001800", "O001804", "O001805", "O001806", "O001807"
	for name, change := range map[string]func(w *world){
		"a refund": func(w *world) { w.set(success, "REFUNDED") },
		"a part of it refunded": func(w *world) {
			w.set(success, "PARTIAL_REFUND")
		},
		"a clearing":                      func(w *world) { w.set(waiting, "SUCCESS") },
		"a failure":                       func(w *world) { w.set(waiting, "FAILED") },
		"another status of a waiting one": func(w *world) { w.set(waiting, "WAITING_DEDUCT") },
		"a further refund": func(w *world) {
			w.ledger.Update("", partial, func(e *simulator.Entry) { e.In, e.LastUpdate = e.Trade, w.now() })
		},
		"a status nobody knows":    func(w *world) { w.set(success, "CHARGED_BACK") },
		"a failure that succeeded": func(w *world) { w.set(failed, "SUCCESS") },
		"a new bill in the past":   func(w *world) { w.ledger.Add("", entry("FOUND", start.AddDate(0, 0, -900))) },
		"a bill that vanished":     func(w *world) { w.ledger.Remove("", failed) },
		"a waiting bill vanished":  func(w *world) { w.ledger.Remove("", waiting) },
		"a refund taken back":      func(w *world) { w.set(refunded, "SUCCESS") },
		"two that swap":            func(w *world) { w.set(waiting, "SUCCESS"); w.set("O001809", "WAITING_CLEARANCE") },
		"a refunded twin": func(w *world) {
			w.ledger.Add("", entry("TWIN", start.AddDate(0, 0, -950)), entry("TWIN", start.AddDate(0, 0, -950)))
			w.refresh()
			n := 0
			w.ledger.Update("", "TWIN", func(e *simulator.Entry) {
				if n++; n == 1 {
					e.Status, e.LastUpdate = "REFUNDED", w.now()
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := old(t)
			change(w)
			before := w.client.Requests()
			sum := w.refresh()
			w.equal("main", "")
			n := w.client.Requests() - before
			// Where the counts alone cannot tell, one window is read in full.
			if limit := int64(125); n > limit {
				t.Errorf("%d requests, want at most %d", n, limit)
			}
			if sum.Run.New+sum.Run.Changed+sum.Run.Withdrawn == 0 {
				t.Error("the run counts nothing")
			}
			before = w.client.Requests()
			if sum := w.refresh(); sum.Run.New+sum.Run.Changed+sum.Run.Withdrawn+sum.Run.Returned != 0 {
				t.Errorf("the refresh after it finds something again: %+v", sum.Run)
			}
			if n := w.client.Requests() - before; n > 120 {
				t.Errorf("the refresh after it takes %d requests", n)
			}
		})
	}
}

// set changes the status of a bill.
func (w *world) set(order, status string) {
	w.t.Helper()
	if n := w.ledger.Update("", order, func(e *simulator.Entry) { e.Status, e.LastUpdate = status, w.now() }); n != 1 {
		w.t.Fatalf("order %s has %d bills", order, n)
	}
}

// An unchanged past is chased with nine requests a window, and nothing is
// written to the history.
func TestQuietChase(t *testing.T) {
	t.Parallel()
	w := old(t)
	states := w.one("SELECT count(*) FROM bill_states")
	var mu sync.Mutex
	sizes := map[int]int{}
	w.server.OnRequest(func(r simulator.Request) {
		mu.Lock()
		defer mu.Unlock()
		sizes[r.Query.PageSize]++
	})
	before := w.client.Requests()
	w.refresh()
	var chased int64
	if _, err := fmt.Sscan(w.one("SELECT count(*) FROM windows WHERE window_end < '2026-02-19'"), &chased); err != nil {
		t.Fatal(err)
	}
	// The newest window is read in full, in at most eight pages with the tail.
	if n := w.client.Requests() - before; chased < 10 || n > chased*9+8 {
		t.Errorf("%d requests for %d old windows", n, chased)
	}
	if sizes[1] != int(chased)*3 {
		t.Errorf("%d requests for a count alone, want %d", sizes[1], chased*3)
	}
	if got := w.one("SELECT count(*) FROM bill_states"); got != states {
		t.Errorf("%s states, before %s", got, states)
	}
	if got := w.one("SELECT sum(state = 'done') FROM chases"); got != fmt.Sprint(chased) {
		t.Errorf("%s windows chased, want %d", got, chased)
	}
}

// The chase works on an API that counts bills at the ends in or does not, and on
// bills that cannot be read.
func TestChaseAtTheEnds(t *testing.T) {
	t.Parallel()
	for _, exclude := range []bool{false, true} {
		t.Run(fmt.Sprint(exclude), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 400, func(o *simulator.Options) { o.ExcludeStart, o.ExcludeEnd = exclude, exclude })
			w.cfg.Audit, w.cfg.PageSize = 0, 100
			for day := 1; day < 400; day++ {
				midnight := time.Date(2026, 5, 20-day, 0, 0, 0, 0, shanghai)
				w.ledger.Add("", entry(fmt.Sprintf("A%03d", day), midnight), entry(fmt.Sprintf("B%03d", day), midnight.Add(-time.Second)))
			}
			w.ledger.Add("", simulator.Entry{Time: start.AddDate(0, 0, -300), Raw: []byte(`{"orderNo":17,"billStatus":"SUCCESS"}`)})
			if _, err := w.run(syncer.Options{}); err != nil {
				t.Fatal(err)
			}
			w.accept("item:"+w.one("SELECT rejected_id FROM rejected_items"), "seen")
			full := 0
			var mu sync.Mutex
			w.server.OnRequest(func(r simulator.Request) {
				mu.Lock()
				defer mu.Unlock()
				if r.Query.PageSize == 100 && len(r.Query.Statuses) == 0 && r.Query.Start.Before(start.AddDate(0, 0, -110)) {
					full++
				}
			})
			w.refresh()
			if full != 0 {
				t.Errorf("%d pages of old windows read in full although nothing changed", full)
			}
		})
	}
}

// An API that does not keep to the filter by status is read in full instead.
func TestChaseWithoutStatusFilter(t *testing.T) {
	t.Parallel()
	w := old(t, func(o *simulator.Options) { o.IgnoreStatuses = true })
	w.set("O001800", "REFUNDED")
	w.refresh()
	w.equal("main", "")
}

// What goes wrong with a chase waits, fails or is refused like anything else,
// takes no proof away, and is made up for.
func TestChaseGoesWrong(t *testing.T) {
	t.Parallel()
	w := old(t)
	w.set("O001800", "REFUNDED")
	target := start.AddDate(0, 0, -1000)
	var mu sync.Mutex
	code, asked := "UNKNOWN_EXCEPTION", []time.Time{}
	w.server.SetFault(func(r simulator.Request) simulator.Fault {
		mu.Lock()
		defer mu.Unlock()
		if code != "" && len(r.Query.Statuses) > 0 && r.Query.Start.Before(target) && r.Query.End.After(target) {
			asked = append(asked, w.now())
			return result(code)
		}
		return simulator.Fault{}
	})
	w.pass(time.Minute)
	sum, err := w.run(refresh)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Complete() || !strings.Contains(sum.Reason(), "waiting") {
		t.Errorf("complete %v: %s", sum.Complete(), sum.Reason())
	}
	if got := w.one("SELECT count(*) FROM windows WHERE state <> 'done'"); got != "0" {
		t.Errorf("%s windows lost their proof", got)
	}
	for _, minutes := range []int{4, 1, 9, 1} { // due after 5, and after 10 more
		w.pass(time.Duration(minutes) * time.Minute)
		if _, err := w.run(syncer.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	var after []string
	for _, at := range asked {
		after = append(after, at.Sub(asked[0]).String())
	}
	if want := []string{"0s", "5m0s", "15m0s"}; !slices.Equal(after, want) {
		t.Errorf("asked after %v, want %v", after, want)
	}
	mu.Lock()
	code = "SYSTEM_ERROR"
	mu.Unlock()
	w.pass(20 * time.Minute)
	if sum, err = w.run(syncer.Options{}); err != nil || !strings.Contains(sum.Reason(), "failed") {
		t.Errorf("%v: %s", err, sum.Reason())
	}
	n := len(asked)
	w.pass(20 * time.Minute)
	if sum, err = w.run(syncer.Options{}); err != nil || sum.Complete() || len(asked) != n {
		t.Errorf("%v: complete %v, asked %d times more", err, sum.Complete(), len(asked)-n)
	}
	mu.Lock()
	code = ""
	mu.Unlock()
	w.pass(20 * time.Minute)
	if sum, err = w.run(syncer.Options{Scope: syncer.Scope{Retry: true}}); err != nil || !sum.Complete() {
		t.Errorf("retry: %v: %s", err, sum.Reason())
	}
	w.equal("main", "")
	if sum := w.sync(); sum.Run.Changed != 0 {
		t.Errorf("%d changed", sum.Run.Changed)
	}
}

// A chase that was killed goes on with the windows that it has not done.
func TestKilledChaseGoesOn(t *testing.T) {
	t.Parallel()
	w := old(t)
	w.cfg.Concurrency = 1
	w.set("O001800", "REFUNDED")
	w.set("O001500", "CANCELLED")
	for n := 5; ; n += 7 {
		commits := 0
		w.pass(time.Minute)
		o := syncer.Options{}
		if n == 5 {
			o = refresh
		}
		_, err := w.runWith(o, w.client, func() error {
			if commits++; commits == n {
				return errCrash
			}
			return nil
		})
		if err == nil {
			break
		}
	}
	w.equal("main", "")
	if got := w.one("SELECT refresh_wanted_at FROM accounts"); got != "<nil>" {
		t.Errorf("the refresh is not over")
	}
}

// Equal counts do not prove equal content: each window is read in full within
// audit_days, the one proved longest ago first, and evenly.
func TestAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1000)
	w.cfg.PageSize, w.cfg.Audit = 100, 5*24*time.Hour
	w.cfg.NextRefresh = func(t time.Time) time.Time { return t.Add(24 * time.Hour) }
	w.fill(1000, 999)
	w.sync()
	for i := range 10 { // content that counts do not show, in every window
		w.ledger.Update("", fmt.Sprintf("O%06d", 50+100*i), func(e *simulator.Entry) { e.MerchantName = "RENAMED" })
	}
	var most int
	for range 5 {
		w.pass(24 * time.Hour)
		sum := w.sync() // from an outside cron: its time has come
		if !sum.Accounts[0].Refresh {
			t.Fatal("no refresh")
		}
		most = max(most, sum.Accounts[0].Proved)
	}
	w.equal("main", "")
	if most > 2+3 { // two windows and the tail within refresh_days, and a share of the others
		t.Errorf("%d windows proved in one night", most)
	}
}

// The older part of a tail is followed as well.
func TestChaseOfTheTail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 30)
	w.cfg.Refresh, w.cfg.Audit = 10*24*time.Hour, 1000*24*time.Hour
	w.fill(30, 29)
	w.sync()
	for day := range 60 {
		w.pass(24 * time.Hour)
		w.ledger.Add("", entry(fmt.Sprintf("T%02d", day), w.now().Add(-time.Hour)))
		if day%5 == 0 {
			w.sync()
		}
	}
	w.refresh() // reads it from its beginning, once
	w.set("T05", "REFUNDED")
	w.set("O000005", "REFUNDED")
	before := w.client.Requests()
	w.refresh()
	w.equal("main", "")
	if n := w.client.Requests() - before; n > 25 {
		t.Errorf("%d requests", n)
	}
	w.ledger.Update("", "T07", func(e *simulator.Entry) { e.MerchantName = "RENAMED" })
	w.ledger.Add("", entry("LATE", start.AddDate(0, 0, 3)))
	w.refresh()
	w.equal("main", "")
}

// "The books as of" a moment: every state is in the history with its time.
func TestBooksAsOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.fill(10, 49)
	w.sync()
	moments := []time.Time{w.now()}
	for _, status := range []string{"WAITING_CLEARANCE", "SUCCESS", "PARTIAL_REFUND"} {
		w.pass(24 * time.Hour)
		w.set("O000004", status)
		w.refresh()
		moments = append(moments, w.now())
	}
	w.ledger.Remove("", "O000004")
	w.refresh()
	for i, want := range []string{"SUCCESS", "WAITING_CLEARANCE", "SUCCESS", "PARTIAL_REFUND", "PARTIAL_REFUND"} {
		at := w.now()
		if i < len(moments) {
			at = moments[i]
		}
		got := w.one(`SELECT bill_status || CASE WHEN withdrawn_at IS NULL THEN '' ELSE '' END FROM bill_history
			WHERE order_no = 'O000004' AND valid_from <= ?1 AND (valid_to IS NULL OR valid_to > ?1)`, at.UTC().Format("2006-01-02T15:04:05.000Z"))
		if got != want {
			t.Errorf("as of moment %d: %s, want %s", i, got, want)
		}
	}
}

// Told three times in a row that it asks too fast, a refresh leaves the rest of
// the chase to later runs and does not call itself done.
func TestChaseAskedTooFast(t *testing.T) {
	t.Parallel()
	w := old(t)
	w.set("O001800", "REFUNDED")
	var mu sync.Mutex
	fast := true
	w.server.SetFault(func(r simulator.Request) simulator.Fault {
		mu.Lock()
		defer mu.Unlock()
		if fast && len(r.Query.Statuses) > 0 {
			return result("REQUEST_TRAFFIC_EXCEED_LIMIT")
		}
		return simulator.Fault{}
	})
	w.pass(time.Minute)
	before := w.client.Requests()
	sum, err := w.run(refresh)
	if err != nil || sum.Complete() {
		t.Fatalf("%v, complete %v", err, sum.Complete())
	}
	if n := w.client.Requests() - before; n > 25 {
		t.Errorf("%d requests although it was asked to slow down", n)
	}
	mu.Lock()
	fast = false
	mu.Unlock()
	for range 2 {
		w.pass(15 * time.Minute)
		if sum, err = w.run(syncer.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if !sum.Complete() {
		t.Errorf("not complete: %s", sum.Reason())
	}
	w.equal("main", "")
	if got := w.one("SELECT refresh_wanted_at FROM accounts"); got != "<nil>" {
		t.Error("the refresh is not over")
	}
}

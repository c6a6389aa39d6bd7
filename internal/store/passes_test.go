package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// fullPass has no two values alike, n telling its states apart.
func fullPass(window int64, n int) bill.Pass {
	return bill.Pass{
		Account: "main", WindowID: window, Span: bill.Span{Start: day(n), End: day(50 + n)}, Zone: "Asia/Shanghai", PageSize: 100 + n,
		BegunAt: day(60 + n), TouchedAt: day(70 + n), RunID: int64(200 + n), NextPage: 300 + n, Total: 400 + n, Pages: 500 + n,
		PageItems: 600 + n, Items: 700 + n, Rejected: 800 + n, Rereads: 900 + n,
	}
}

// newWindow stores a window to read.
func newWindow(t *testing.T, s *store.Store, from, to int) int64 {
	t.Helper()
	w := bill.Window{Account: "main", Span: bill.Span{Start: day(from), End: day(to)}, Zone: "UTC", Progress: bill.Progress{State: bill.Pending, NextPage: 1}}
	update(t, s, func(tx *store.Tx) error { return tx.InsertWindow(&w) })
	return w.ID
}

func TestPasses(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	window := newWindow(t, s, 1, 9)
	reading := func(window int64) (got *bill.Pass) {
		view(t, s, func(tx *store.Tx) (err error) {
			got, err = tx.ReadingPass("main", window)
			return err
		})
		return got
	}
	if got := reading(window); got != nil {
		t.Errorf("ReadingPass of a new window = %+v, want nil", got)
	}
	ofWindow, ofTail := fullPass(window, 1), fullPass(0, 2)
	update(t, s, func(tx *store.Tx) error {
		if err := tx.BeginPass(&ofWindow); err != nil {
			return err
		}
		return tx.BeginPass(&ofTail)
	})
	same(t, "ReadingPass of the window", reading(window), &ofWindow)
	same(t, "ReadingPass of the tail", reading(0), &ofTail)

	moved := fullPass(window, 3)
	ofWindow.TouchedAt, ofWindow.NextPage, ofWindow.Total, ofWindow.Pages = moved.TouchedAt, moved.NextPage, moved.Total, moved.Pages
	ofWindow.PageItems, ofWindow.Items, ofWindow.Rejected = moved.PageItems, moved.Items, moved.Rejected
	update(t, s, func(tx *store.Tx) error { return tx.SavePass(&ofWindow) })
	same(t, "ReadingPass after SavePass", reading(window), &ofWindow)
	same(t, "ReadingPass of the tail after SavePass of the window", reading(0), &ofTail)

	// A new pass takes the place of one that was not finished.
	second := fullPass(window, 4)
	update(t, s, func(tx *store.Tx) error {
		if err := tx.SavePage(&bill.PageRecord{PassID: ofWindow.ID, Number: 1, ReadAt: day(1)}); err != nil {
			return err
		}
		if err := tx.Hold(ofWindow.ID, &bill.HeldItem{Page: 1, AskedAt: day(1)}); err != nil {
			return err
		}
		return tx.BeginPass(&second)
	})
	same(t, "ReadingPass after BeginPass again", reading(window), &second)
	same(t, "pages and held items of the pass before", grid(t, s, "SELECT (SELECT count(*) FROM pages), (SELECT count(*) FROM held_items)"),
		[][]any{{int64(0), int64(0)}})

	// A finished pass is no longer being read, and the next proof replaces it.
	finish := func(p *bill.Pass) {
		update(t, s, func(tx *store.Tx) error {
			if err := tx.SavePage(&bill.PageRecord{PassID: p.ID, Number: 1, ReadAt: day(1)}); err != nil {
				return err
			}
			if err := tx.Hold(p.ID, &bill.HeldItem{Page: 1, AskedAt: day(1)}); err != nil {
				return err
			}
			return tx.FinishPass(p)
		})
	}
	finish(&second)
	if got := reading(window); got != nil {
		t.Errorf("ReadingPass after FinishPass = %+v, want nil", got)
	}
	third := fullPass(window, 5)
	update(t, s, func(tx *store.Tx) error { return tx.BeginPass(&third) })
	const kept = "SELECT pass_id, state, (SELECT count(*) FROM pages p WHERE p.pass_id = passes.pass_id) FROM passes WHERE window_id IS NOT NULL ORDER BY pass_id"
	same(t, "passes while the next is read", grid(t, s, kept), [][]any{{second.ID, "done", int64(1)}, {third.ID, "reading", int64(0)}})
	finish(&third)
	same(t, "passes after the next proof", grid(t, s, kept), [][]any{{third.ID, "done", int64(1)}})
	same(t, "held items of finished passes", grid(t, s, "SELECT count(*) FROM held_items"), [][]any{{int64(0)}})

	update(t, s, func(tx *store.Tx) error { return tx.DropPass("main", 0) })
	if got := reading(0); got != nil {
		t.Errorf("ReadingPass after DropPass = %+v, want nil", got)
	}
	same(t, "passes after DropPass of the tail", grid(t, s, kept), [][]any{{third.ID, "done", int64(1)}})
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	a, b := fullPass(newWindow(t, s, 1, 9), 1), fullPass(0, 2)
	records := func(pass int64) []bill.PageRecord {
		return []bill.PageRecord{
			{PassID: pass, Number: 1, Hash: "hash 1", Items: 3, BillIDs: []int64{7, 5, 1 << 40}, ReadAt: day(11)},
			{PassID: pass, Number: 2, Hash: "hash 2", Items: 4, BillIDs: []int64{}, ReadAt: day(12)},
			{PassID: pass, Number: 10, Hash: "hash 10", Items: 5, BillIDs: []int64{9}, ReadAt: day(13)},
		}
	}
	update(t, s, func(tx *store.Tx) error {
		for _, p := range []*bill.Pass{&a, &b} {
			if err := tx.BeginPass(p); err != nil {
				return err
			}
		}
		list := records(a.ID)
		list[1].BillIDs = nil
		for _, i := range []int{2, 0, 1} { // in whatever order they were stored
			if err := tx.SavePage(&list[i]); err != nil {
				return err
			}
		}
		return tx.SavePage(&bill.PageRecord{PassID: b.ID, Number: 1, Hash: "other", ReadAt: day(1)})
	})
	stop := errors.New("enough")
	view(t, s, func(tx *store.Tx) error {
		var got []bill.PageRecord
		if err := tx.Pages(a.ID, func(p bill.PageRecord) error { got = append(got, p); return nil }); err != nil {
			return err
		}
		same(t, "Pages", got, records(a.ID))
		n := 0
		if err := tx.Pages(a.ID, func(bill.PageRecord) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
			t.Errorf("Pages with a function that stops = %v after %d pages, want %v after 1", err, n, stop)
		}
		return nil
	})
	// A page is stored once.
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		return tx.SavePage(&bill.PageRecord{PassID: a.ID, Number: 1, Hash: "another", ReadAt: day(1)})
	})
	if err == nil {
		t.Errorf("SavePage stored page 1 a second time")
	}
}

func TestHeld(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	p := fullPass(0, 1)
	item := func(raw string) bill.Item { return bill.Item{Bill: bill.Bill{Raw: []byte(raw)}} }
	want := []bill.HeldItem{
		{Page: 1, Position: 9, OneAnswer: true, AskedAt: day(4), Item: item(`{"a":1}`)},
		{Page: 2, Position: 0, AskedAt: day(5), Item: item(`{"b":2}`)},
		{Page: 10, Position: 3, OneAnswer: true, AskedAt: day(6), Item: item(`{"a":1}`)},
	}
	update(t, s, func(tx *store.Tx) error {
		if err := tx.BeginPass(&p); err != nil {
			return err
		}
		for _, i := range []int{1, 2, 0} {
			if err := tx.Hold(p.ID, &want[i]); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.Held(p.ID, func(raw []byte) bill.Item { return item(string(raw)) })
		same(t, "Held", got, want)
		return err
	})
}

// rejected rows, as far as these tests look at them.
const rejectedRows = `SELECT item_hash, occurrence, pass_id, page_number, first_seen_at, last_seen_at, resolved_at IS NOT NULL
	FROM rejected_items ORDER BY item_hash, occurrence`

func TestReject(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	window := newWindow(t, s, 1, 9)
	id := insert(t, s, plain("A", day(2)))[0]
	p := fullPass(window, 1)
	it := &bill.Item{Bill: bill.Bill{OrderNo: "A", Hash: "h1", Raw: []byte(`{"orderNo":"A"}`)}}
	update(t, s, func(tx *store.Tx) error {
		if err := tx.BeginPass(&p); err != nil {
			return err
		}
		return tx.Reject(it, id, "tradeAmount: unreadable", &p, 7, day(10))
	})
	same(t, "rejected_items", query(t, s, "SELECT * FROM rejected_items"), []map[string]any{{
		"rejected_id": int64(1), "account": "main", "bill_id": id, "order_no": "A", "reason": "tradeAmount: unreadable", "item_hash": "h1",
		"occurrence": int64(0), "raw": `{"orderNo":"A"}`, "window_id": window, "span_start": dayText(1),
		"span_end": day(51).Format("2006-01-02T15:04:05.000Z"), "page_number": int64(7), "pass_id": p.ID,
		"first_seen_at": dayText(10), "last_seen_at": dayText(10), "accepted_at": nil, "accepted_note": nil, "resolved_at": nil,
	}})
	open := func() (n int) {
		view(t, s, func(tx *store.Tx) (err error) {
			n, err = tx.OpenRejected("main")
			return err
		})
		return n
	}
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.Rejected("main", 5)
		same(t, "Rejected", got, []store.Rejected{{ID: 1, Account: "main", Reason: "tradeAmount: unreadable"}})
		return err
	})
	if got := open(); got != 1 {
		t.Errorf("OpenRejected = %d, want 1", got)
	}
	update(t, s, func(tx *store.Tx) error { return tx.ResolveBill(id+1, day(11)) })
	if got := open(); got != 1 {
		t.Errorf("OpenRejected after another bill was resolved = %d, want 1", got)
	}
	update(t, s, func(tx *store.Tx) error { return tx.ResolveBill(id, day(12)) })
	if got := open(); got != 0 {
		t.Errorf("OpenRejected after ResolveBill = %d, want 0", got)
	}
	// What a person accepted counts no more, even when it is seen again.
	execute(t, raw(t, s.Path()), "UPDATE rejected_items SET accepted_at = '2026-01-20T00:00:00.000Z', resolved_at = NULL")
	next := p
	next.ID++
	update(t, s, func(tx *store.Tx) error { return tx.Reject(it, id, "tradeAmount: unreadable", &next, 7, day(21)) })
	if got := open(); got != 0 {
		t.Errorf("OpenRejected of an accepted item = %d, want 0", got)
	}
}

// Items alike are counted within a pass, and recognised by the next.
func TestRejectOccurrences(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	window := newWindow(t, s, 1, 9)
	item := func(hash string) *bill.Item {
		return &bill.Item{Rejected: true, Bill: bill.Bill{Hash: hash, Raw: []byte(hash)}}
	}
	pass := func(n int, at time.Time, hashes ...string) (p bill.Pass) {
		p = fullPass(window, 1)
		update(t, s, func(tx *store.Tx) error {
			if err := tx.BeginPass(&p); err != nil {
				return err
			}
			for i, h := range hashes {
				if err := tx.Reject(item(h), 0, "no order number", &p, i+1, at); err != nil {
					return err
				}
			}
			if err := tx.ResolveUnseen(&p, at); err != nil {
				return err
			}
			return tx.FinishPass(&p)
		})
		return p
	}
	first := pass(1, day(10), "a", "a", "b")
	same(t, "after a pass with a, a, b", grid(t, s, rejectedRows), [][]any{
		{"a", int64(0), first.ID, int64(1), dayText(10), dayText(10), int64(0)},
		{"a", int64(1), first.ID, int64(2), dayText(10), dayText(10), int64(0)},
		{"b", int64(0), first.ID, int64(3), dayText(10), dayText(10), int64(0)},
	})
	second := pass(2, day(11), "b", "a")
	same(t, "after a pass with b, a", grid(t, s, rejectedRows), [][]any{
		{"a", int64(0), second.ID, int64(2), dayText(10), dayText(11), int64(0)},
		{"a", int64(1), first.ID, int64(2), dayText(10), dayText(10), int64(1)}, // gone
		{"b", int64(0), second.ID, int64(1), dayText(10), dayText(11), int64(0)},
	})
	third := pass(3, day(12), "a", "a")
	same(t, "after a pass with a, a again", grid(t, s, rejectedRows), [][]any{
		{"a", int64(0), third.ID, int64(1), dayText(10), dayText(12), int64(0)},
		{"a", int64(1), third.ID, int64(2), dayText(10), dayText(12), int64(0)}, // back
		{"b", int64(0), second.ID, int64(1), dayText(10), dayText(11), int64(1)},
	})
}

// Only what lies within the span of a proof is resolved by it.
// An item that a killed pass saw last is not taken for one that the next pass saw.
func TestPassNumbersAreNotGivenOutAgain(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	window := newWindow(t, s, 1, 9)
	killed, next := fullPass(window, 1), fullPass(window, 1)
	it := bill.Item{Bill: bill.Bill{Raw: []byte("null"), Hash: "x"}, Rejected: true}
	update(t, s, func(tx *store.Tx) error {
		if err := tx.BeginPass(&killed); err != nil {
			return err
		}
		if err := tx.Reject(&it, 0, "not an object", &killed, 1, day(1)); err != nil {
			return err
		}
		if err := tx.BeginPass(&next); err != nil {
			return err
		}
		return tx.ResolveUnseen(&next, day(2))
	})
	if killed.ID == next.ID {
		t.Errorf("both passes have the number %d", next.ID)
	}
	same(t, "open items", grid(t, s, "SELECT count(*) FROM rejected_items WHERE resolved_at IS NULL"), [][]any{{int64(0)}})
}

func TestResolveUnseen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		from, to int // of the pass that saw the item
		account  string
		bill     bool
		want     bool
	}{
		{"the same span", 10, 20, "main", false, true},
		{"a part of it", 12, 18, "main", false, true},
		{"reaching out before", 9, 18, "main", false, false},
		{"reaching out behind", 12, 21, "main", false, false},
		{"elsewhere", 30, 40, "main", false, false},
		{"another account's", 10, 20, "other", false, false},
		{"a stored bill's, resolved with the bill", 10, 20, "main", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := withAccount(t)
			id := insert(t, s, plain("A", day(12)))[0]
			update(t, s, func(tx *store.Tx) error {
				if err := tx.SaveAccount(bill.Account{Name: "other"}, day(1), t0); err != nil {
					return err
				}
				saw := bill.Pass{ID: 1, Account: tt.account, Span: bill.Span{Start: day(tt.from), End: day(tt.to)}}
				it := &bill.Item{Rejected: true, Bill: bill.Bill{Hash: "h", Raw: []byte("x")}}
				of := int64(0)
				if tt.bill {
					of = id
				}
				if err := tx.Reject(it, of, "why", &saw, 1, day(20)); err != nil {
					return err
				}
				return tx.ResolveUnseen(&bill.Pass{ID: 2, Account: "main", Span: bill.Span{Start: day(10), End: day(20)}}, day(21))
			})
			got := grid(t, s, "SELECT resolved_at IS NOT NULL FROM rejected_items")
			if want := [][]any{{map[bool]int64{true: 1}[tt.want]}}; !cmp.Equal(got, want) {
				t.Errorf("resolved = %v, want %v", got, want)
			}
		})
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	s := open(t)
	killed := bill.Run{Trigger: "schedule", StartedAt: day(1)}
	update(t, s, func(tx *store.Tx) error { return tx.BeginRun(&killed) })
	r := bill.Run{Trigger: "sync", StartedAt: day(2)}
	update(t, s, func(tx *store.Tx) error { return tx.BeginRun(&r) })
	if r.ID == 0 || r.ID == killed.ID || r.Outcome != "running" {
		t.Errorf("BeginRun = %+v", r)
	}
	killed.Outcome, killed.Error = "interrupted", "the process ended without a word"
	runs := func(n int) (got []bill.Run) {
		view(t, s, func(tx *store.Tx) (err error) {
			got, err = tx.Runs(n)
			return err
		})
		return got
	}
	same(t, "Runs while one goes on", runs(5), []bill.Run{r, killed})
	r.FinishedAt, r.Outcome, r.Requests, r.Read, r.New, r.Changed, r.Error = day(3), "incomplete", 11, 12, 13, 14, "why"
	update(t, s, func(tx *store.Tx) error { return tx.SaveRun(&r) })
	same(t, "Runs after SaveRun", runs(5), []bill.Run{r, killed})
	same(t, "the latest run", runs(1), []bill.Run{r})
	// A run that ended keeps its outcome when the next begins.
	update(t, s, func(tx *store.Tx) error { return tx.BeginRun(&bill.Run{Trigger: "retry", StartedAt: day(4)}) })
	same(t, "the run before", runs(2)[1], r)
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	f := &bill.Failure{
		Outcome: bill.Unknown, Code: "UNKNOWN_EXCEPTION", Message: "Later.", HTTPStatus: 200,
		Exchange: &bill.Exchange{SentAt: day(1), AnsweredAt: day(2), Method: "POST", Path: "/p", RequestHeaders: "a", RequestBody: "b",
			HTTPStatus: 200, ResponseHeaders: "c", ResponseBody: "d"},
	}
	update(t, s, func(tx *store.Tx) error { return tx.SaveEvidence("main", 4, 5, f) })
	want := map[string]any{
		"account": "main", "window_id": int64(4), "run_id": int64(5), "outcome": "unknown", "code": "UNKNOWN_EXCEPTION", "message": "Later.",
		"sent_at": dayText(1), "answered_at": dayText(2), "http_status": int64(200), "request_line": "POST /p", "request_headers": "a",
		"request_body": "b", "response_headers": "c", "response_body": "d",
	}
	same(t, "evidence", query(t, s, "SELECT * FROM evidence"), []map[string]any{want})
	update(t, s, func(tx *store.Tx) error {
		return tx.SaveEvidence("main", 4, 6, &bill.Failure{Outcome: bill.NoAnswer, Code: "TIMEOUT", Message: "None."})
	})
	for k := range want {
		want[k] = nil
	}
	want = with(want, map[string]any{"account": "main", "window_id": int64(4), "run_id": int64(6), "outcome": "no answer", "code": "TIMEOUT",
		"message": "None.", "http_status": nil})
	same(t, "the latest evidence, without an exchange", query(t, s, "SELECT * FROM evidence"), []map[string]any{want})
	update(t, s, func(tx *store.Tx) error { return tx.ClearEvidence("main", 4) })
	same(t, "evidence after ClearEvidence", query(t, s, "SELECT * FROM evidence"), []map[string]any(nil))
}

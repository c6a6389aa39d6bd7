package syncer_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/syncer"
	"billsync/internal/worldfirst"

	"github.com/jmoiron/sqlx"
)

// A countingSource counts what was decoded.
type countingSource struct {
	syncer.Source
	mu                 sync.Mutex
	decoded, unchanged int
}

// counting counts in it as well what is decoded after all.
func (w *world) counting() *countingSource {
	s := &countingSource{Source: w.client}
	w.cfg.DecodeList = func(list []byte) ([]bill.Item, error) {
		s.mu.Lock()
		s.decoded++
		s.unchanged--
		s.mu.Unlock()
		return worldfirst.DecodeList(list)
	}
	return s
}

func (s *countingSource) QueryBillList(ctx context.Context, a bill.Account, q bill.Query) (bill.Page, error) {
	p, err := s.Source.QueryBillList(ctx, a, q)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && p.Unchanged {
		s.unchanged++
	} else if err == nil {
		s.decoded++
	}
	return p, err
}

// A page that is listed as before is not decoded, whatever happened to other
// pages; one whose bills are not stored any more as it had them is.
func TestUnchangedPages(t *testing.T) {
	t.Parallel()
	full := syncer.Options{Scope: syncer.Scope{Full: true}}
	for _, tt := range []struct {
		name   string
		change func(w *world)
		sql    string // done to the database by somebody else
		// pages that are read in full after that, of 10; and the states kept
		decoded, states int
		strays          int // rows that no reading of this time can say anything of
	}{
		{name: "nothing", decoded: 0},
		{name: "a bill changed", change: func(w *world) {
			w.ledger.Update("", "O000042", func(e *simulator.Entry) { e.Bill.Status = "REFUNDED" })
		}, decoded: 1, states: 1},
		{name: "a row is gone", sql: "DELETE FROM bills WHERE order_no = 'O000042'", decoded: 1},
		{name: "a row was withdrawn by hand", sql: "UPDATE bills SET withdrawn_at = changed_at WHERE order_no = 'O000042'", decoded: 1, states: 1},
		{name: "a row is in an earlier state", sql: "UPDATE bills SET content_hash = 'x', bill_status = 'FAILED' WHERE order_no = 'O000042'", decoded: 1, states: 1},
		{name: "a label differs", sql: "UPDATE bills SET card_nick_name = 'x' WHERE order_no = 'O000042'", decoded: 1},
		{name: "a row has another time", sql: "UPDATE bills SET transaction_time = '2020-01-01T00:00:00.000Z' WHERE order_no = 'O000042'", decoded: 1, strays: 1},
		{name: "a row has another order", sql: "UPDATE bills SET order_no = 'X' WHERE order_no = 'O000042'", decoded: 2, states: 1},
		{name: "two rows, two pages", sql: "DELETE FROM bills WHERE order_no IN ('O000042', 'O000077')", decoded: 2},
		{name: "the last pass is forgotten", sql: "DELETE FROM pages", decoded: 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 90)
			w.fill(100, 80)
			w.sync()
			if tt.sql != "" {
				db, err := sqlx.Open("sqlite3", "file:"+w.path)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := db.Exec(tt.sql); err != nil {
					t.Fatal(err)
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if tt.change != nil {
				tt.change(w)
			}
			w.pass(time.Hour)
			src := w.counting()
			sum, err := w.runWith(full, src, nil)
			if err != nil || !sum.Complete() {
				t.Fatal(err, sum.Reason())
			}
			if tt.strays == 0 {
				w.equal("main", "")
			} else if got := w.one("SELECT count(*) FROM bills WHERE order_no = 'O000042'"); got != "2" {
				t.Errorf("%s rows of the bill, want the stray one and another", got)
			}
			// Besides, the tail is read: at most one page of it.
			if got, tail := src.decoded, 1; got < tt.decoded || got > tt.decoded+tail {
				t.Errorf("%d pages were decoded and %d not, want %d decoded", got, src.unchanged, tt.decoded)
			}
			if src.unchanged < 10-tt.decoded {
				t.Errorf("%d pages were left undecoded, want %d", src.unchanged, 10-tt.decoded)
			}
			if got := w.one("SELECT count(*) FROM bill_states"); got != fmt.Sprint(tt.states) {
				t.Errorf("%s earlier states, want %d", got, tt.states)
			}
			if got := w.one("SELECT count(*) FROM pages p JOIN passes USING (pass_id) WHERE bills_hash IS NULL"); got != "0" {
				t.Errorf("%s pages would be decoded next time without need", got)
			}
			// What was not decoded is told from what was just as little.
			again := w.counting()
			if sum, err = w.runWith(full, again, nil); err != nil || !sum.Complete() || again.decoded > 1 {
				t.Errorf("once more: %v, %s, %d pages decoded", err, sum.Reason(), again.decoded)
			}
		})
	}
}

// What is not understood on a page is looked at each time.
func TestUnreadablePageIsDecoded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 90)
	w.fill(30, 80)
	w.ledger.Add("", simulator.Entry{Raw: raw(map[string]any{
		"orderNo": "BAD", "transactionTime": start.Add(-24 * time.Hour).Format(time.RFC3339), "tradeAmount": map[string]any{"currency": "USD", "value": "1.5"},
	})})
	if sum, err := w.run(syncer.Options{}); err != nil || sum.Complete() {
		t.Fatal(err, sum.Reason())
	}
	if got := w.one("SELECT count(*) FROM pages WHERE bills_hash IS NULL"); got != "1" {
		t.Errorf("%s pages are to be decoded again, want the one with the item that is not understood", got)
	}
	src := w.counting()
	sum, err := w.runWith(syncer.Options{Scope: syncer.Scope{Full: true}}, src, nil)
	if err != nil || sum.Complete() || src.unchanged < 2 {
		t.Errorf("again: %v, %s, %d pages left undecoded", err, sum.Reason(), src.unchanged)
	}
}

// A numbered bill that is listed at another time, among bills that are all new,
// is the one that is stored.
func TestNumberedBillAmongNewOnes(t *testing.T) {
	t.Parallel()
	for _, sameSecond := range []bool{false, true} {
		t.Run(fmt.Sprintf("same second %t", sameSecond), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 90)
			moved := entry("MOVED", start.AddDate(0, 0, -80))
			moved.BillNo = "B1"
			w.ledger.Add("", moved)
			w.sync()
			at := start.AddDate(0, 0, -40)
			w.ledger.Update("", "MOVED", func(e *simulator.Entry) { e.TransactionTime = at })
			for i := range 8 {
				e := entry(fmt.Sprintf("NEW%d", i), at.Add(time.Duration(i-4)*time.Minute))
				if sameSecond {
					e.TransactionTime = at
				}
				w.ledger.Add("", e)
			}
			w.pass(time.Hour)
			if sum, err := w.run(syncer.Options{Scope: syncer.Scope{Full: true}}); err != nil || !sum.Complete() || sum.Run.New != 8 || sum.Run.Changed != 1 {
				t.Fatalf("%v, %s, %d new and %d changed, want 8 and 1", err, sum.Reason(), sum.Run.New, sum.Run.Changed)
			}
			w.equal("main", "")
			if got, want := w.one("SELECT count(*), (SELECT count(*) FROM bill_states), max(transaction_time) FROM bills WHERE bill_no = 'B1'"),
				"1|1|"+at.UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
				t.Errorf("rows, earlier states and time of the bill are %s, want %s", got, want)
			}
		})
	}
}

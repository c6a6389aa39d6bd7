package syncer_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/syncer"
)

var full = syncer.Options{Scope: syncer.Scope{Full: true}}

// Two bills under one order stay two, and the same two, over many runs: with and
// without numbers, at one time or two, on one page or two, in one window or two.
func TestTwoBillsOfOneOrderStayTwo(t *testing.T) {
	t.Parallel()
	at := start.AddDate(0, 0, -40)
	for name, tt := range map[string]struct {
		gap     time.Duration // between the two
		numbers int           // how many of them carry a billNo
		amount  int64         // of the second
		between bool          // other bills of the same second lie between them
	}{
		"one second, alike":                {0, 0, 1000, false},
		"one second, different":            {0, 0, 2000, false},
		"one second, two numbers":          {0, 2, 1000, false},
		"one second, one number":           {0, 1, 1000, false},
		"one second, one number, differ":   {0, 1, 50, false},
		"two pages, alike":                 {0, 0, 1000, true},
		"two pages, different":             {0, 0, 2000, true},
		"two pages, two numbers":           {0, 2, 1000, true},
		"two times":                        {time.Hour, 0, 1000, false},
		"two times in two windows":         {60 * 24 * time.Hour, 0, 1000, false},
		"two times in two windows, number": {60 * 24 * time.Hour, 2, 1000, false},
		"half a second apart":              {500 * time.Millisecond, 0, 1000, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 150)
			w.fill(60, 149)
			a, b := entry("TWO", at), entry("TWO", at.Add(-tt.gap))
			b.Trade = &bill.Amount{Currency: "USD", Value: tt.amount}
			if tt.numbers > 0 {
				a.BillNo = "B1"
			}
			if tt.numbers > 1 {
				b.BillNo = "B2"
			}
			w.ledger.Add("", a)
			if tt.between {
				for i := range 12 {
					w.ledger.Add("", entry(fmt.Sprintf("BETWEEN%02d", i), at))
				}
			}
			w.ledger.Add("", b)
			w.sync()
			w.equal("main", "")
			want := w.ids("TWO")
			if len(want) != 2 {
				t.Fatalf("stored %v, want two bills", want)
			}
			for i := range 4 {
				w.pass(time.Minute)
				if i == 2 { // the list may be in another order another time
					w.ledger.Change("", func(e []simulator.Entry) []simulator.Entry { slices.Reverse(e); return e })
				}
				sum, err := w.run(full)
				if err != nil || !sum.Complete() {
					t.Fatalf("run %d: %v %s", i, err, sum.Reason())
				}
				if sum.Run.New+sum.Run.Changed > 0 {
					t.Errorf("run %d: %d new, %d changed, want neither", i, sum.Run.New, sum.Run.Changed)
				}
				if got := w.ids("TWO"); !slices.Equal(got, want) {
					t.Fatalf("run %d: %v, before %v", i, got, want)
				}
			}
		})
	}
}

// Of two bills that differ in amount each keeps its row when its state changes.
func TestTwinsKeepTheirRowsWhenTheyChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	at := start.AddDate(0, 0, -10)
	a, b := entry("TWO", at), entry("TWO", at)
	a.Status, b.Status, b.Trade = "WAITING_CLEARANCE", "WAITING_CLEARANCE", &bill.Amount{Currency: "USD", Value: 250}
	w.ledger.Add("", a, b)
	w.sync()
	for i, status := range []string{"SUCCESS", "PARTIAL_REFUND", "REFUNDED"} {
		w.pass(time.Hour)
		w.ledger.Change("", func(e []simulator.Entry) []simulator.Entry {
			slices.Reverse(e)
			for j := range e {
				if e[j].Trade.Value == []int64{1000, 250}[i%2] {
					e[j].Status, e[j].LastUpdate = status, w.now()
				}
			}
			return e
		})
		if sum, err := w.run(full); err != nil || !sum.Complete() || sum.Run.New != 0 || sum.Run.Changed != 1 {
			t.Fatalf("%s: %v, %+v", status, err, sum.Run)
		}
		w.equal("main", "")
		if got := w.query("SELECT trade_amount FROM bills ORDER BY bill_id"); !slices.Equal(got, []string{"1000", "250"}) && !slices.Equal(got, []string{"250", "1000"}) {
			t.Errorf("amounts by row: %v", got)
		}
		if got := w.query("SELECT DISTINCT s.trade_amount = b.trade_amount FROM bill_states s JOIN bills b USING (bill_id)"); !slices.Equal(got, []string{"1"}) {
			t.Errorf("a row's history mixes two bills")
		}
	}
}

// Twins that are alike to the letter, of which one changes.
func TestIdenticalTwinsOneChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	at := start.AddDate(0, 0, -10)
	w.ledger.Add("", entry("TWO", at), entry("TWO", at))
	w.sync()
	for i := range 3 {
		w.pass(time.Hour)
		w.ledger.Change("", func(e []simulator.Entry) []simulator.Entry {
			e[0].Status, e[0].LastUpdate = fmt.Sprint("STATE", i), w.now()
			return e
		})
		sum, err := w.run(full)
		if err != nil || !sum.Complete() || sum.Run.New != 0 || sum.Run.Changed != 1 {
			t.Fatalf("change %d: %v %s %+v", i, err, sum.Reason(), sum.Run)
		}
		w.equal("main", "")
	}
	if got := w.one("SELECT count(DISTINCT bill_id), count(*) FROM bill_states"); got != "1|3" {
		t.Errorf("rows with a history, states = %s; want all three states in one row", got)
	}
}

// A bill stored without a number is adopted when the number comes, not doubled.
func TestNumberComesLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	at := start.AddDate(0, 0, -10)
	b := entry("TWO", at)
	b.Trade = &bill.Amount{Currency: "USD", Value: 5}
	w.ledger.Add("", entry("ONE", at), entry("TWO", at), b)
	w.sync()
	before := w.query("SELECT bill_id, order_no, trade_amount FROM bills ORDER BY bill_id")
	w.pass(time.Hour)
	w.ledger.Change("", func(e []simulator.Entry) []simulator.Entry {
		for i := range e {
			e[i].BillNo = fmt.Sprintf("%s-%d", e[i].OrderNo, e[i].Trade.Value)
		}
		slices.Reverse(e)
		return e
	})
	if sum, err := w.run(full); err != nil || !sum.Complete() || sum.Run.New != 0 {
		t.Fatalf("%v %s %+v", err, sum.Reason(), sum.Run)
	}
	w.equal("main", "")
	if got := w.query("SELECT bill_id, order_no, trade_amount FROM bills ORDER BY bill_id"); !slices.Equal(got, before) {
		t.Errorf("rows %v, before the numbers came %v", got, before)
	}
	if got := w.query("SELECT bill_id FROM bills WHERE bill_no <> order_no || '-' || trade_amount"); len(got) > 0 {
		t.Errorf("rows %v have another bill's number", got)
	}
	// A further bill of the order arrives, numbered as well.
	c := entry("ONE", at)
	c.BillNo = "ONE-2"
	w.ledger.Add("", c)
	if sum, err := w.run(full); err != nil || !sum.Complete() || sum.Run.New != 1 || sum.Run.Changed != 0 {
		t.Fatalf("%v %s %+v", err, sum.Reason(), sum.Run)
	}
	w.equal("main", "")
}

// A bill whose amount changed is the same bill.
func TestAmountChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.ledger.Add("", entry("ONE", start.AddDate(0, 0, -10)))
	w.sync()
	w.pass(time.Hour)
	w.ledger.Update("", "ONE", func(e *simulator.Entry) {
		e.Trade, e.LastUpdate = &bill.Amount{Currency: "USD", Value: 1111}, w.now()
	})
	if sum, err := w.run(full); err != nil || !sum.Complete() || sum.Run.New != 0 || sum.Run.Changed != 1 || sum.Run.Requests != 2 {
		t.Fatalf("%v %s %+v; want one change and no question about the order", err, sum.Reason(), sum.Run)
	}
	w.equal("main", "")
}

// An answer that shows an older state does not take back a newer one.
func TestOlderStateIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	at := start.AddDate(0, 0, -10)
	e := entry("ONE", at)
	e.Status, e.LastUpdate = "REFUNDED", start
	w.ledger.Add("", e)
	w.sync()
	w.pass(time.Hour)
	w.ledger.Update("", "ONE", func(e *simulator.Entry) { e.Status, e.LastUpdate = "SUCCESS", at })
	if sum, err := w.run(full); err != nil || !sum.Complete() || sum.Run.Changed != 0 {
		t.Fatalf("%v %s %+v", err, sum.Reason(), sum.Run)
	}
	if got := w.one("SELECT bill_status FROM bills"); got != "REFUNDED" {
		t.Errorf("status %s, want the newer one, REFUNDED", got)
	}
}

// The card's nickname is no change of the bill; it is kept up to date all the same.
func TestNickNameIsNoChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.ledger.Add("", entry("ONE", start.AddDate(0, 0, -10)))
	w.sync()
	w.ledger.Update("", "ONE", func(e *simulator.Entry) { e.CardNickName = "New name" })
	if sum, err := w.run(full); err != nil || !sum.Complete() || sum.Run.Changed != 0 {
		t.Fatalf("%v %s %+v", err, sum.Reason(), sum.Run)
	}
	if got := w.one("SELECT card_nick_name, (SELECT count(*) FROM bill_states) FROM bills"); got != "New name|0" {
		t.Errorf("nickname and states = %s", got)
	}
}

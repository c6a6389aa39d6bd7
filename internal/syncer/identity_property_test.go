package syncer_test

import (
	"fmt"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"

	"pgregory.net/rapid"
)

// Whatever happens to bills that share orders and seconds: added, changed,
// numbered, listed in another order. After each reading the database holds what
// the list holds, a row for each bill and none besides.
func TestIdentityHoldsForAnyHistory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, 30)
		defer w.close()
		w.cfg.PageSize = rapid.SampledFrom([]int{1, 3, 100}).Draw(rt, "page size")
		added, serial := 0, 0
		base := start.AddDate(0, 0, -10)
		for step := range rapid.IntRange(2, 6).Draw(rt, "steps") {
			w.pass(time.Hour)
			n := rapid.IntRange(0, 4).Draw(rt, "added")
			for range n {
				e := entry(fmt.Sprintf("O%d", rapid.IntRange(0, 2).Draw(rt, "order")),
					base.Add(time.Duration(rapid.IntRange(0, 1).Draw(rt, "second"))*time.Second))
				e.Trade = &bill.Amount{Currency: "USD", Value: int64(rapid.IntRange(1, 2).Draw(rt, "amount"))}
				e.AssetID = fmt.Sprint("CARD", rapid.IntRange(1, 2).Draw(rt, "card"))
				if rapid.Bool().Draw(rt, "numbered") {
					serial++
					e.BillNo = fmt.Sprint("B", serial)
				}
				w.ledger.Add("", e)
				added++
			}
			// Changes of bills that cannot be mistaken for a further one: at most
			// one bill under each key changes between two readings.
			changed := map[string]bool{}
			w.ledger.Change("", func(es []simulator.Entry) []simulator.Entry {
				for i := range es {
					key := fmt.Sprint(es[i].OrderNo, es[i].TransactionTime.Unix())
					if n > 0 || changed[key] || !rapid.Bool().Draw(rt, "changes") {
						continue
					}
					changed[key] = true
					es[i].Status, es[i].LastUpdate = fmt.Sprint("STATE", step), w.now()
				}
				if rapid.Bool().Draw(rt, "reversed") {
					for i, j := 0, len(es)-1; i < j; i, j = i+1, j-1 {
						es[i], es[j] = es[j], es[i]
					}
				}
				return es
			})
			sum, err := w.run(full)
			if err != nil || !sum.Complete() {
				rt.Fatalf("step %d: %v %s %v", step, err, sum.Reason(), sum.Accounts[0].Open)
			}
			if got := w.one("SELECT count(*) FROM bills"); got != fmt.Sprint(added) {
				rt.Fatalf("step %d: %s rows for %d bills", step, got, added)
			}
			// Where a further bill is listed on an earlier page than the one it
			// looks like, its row may be given back only at the end of the pass.
			if w.cfg.PageSize == 100 && len(changed) != sum.Run.Changed {
				rt.Fatalf("step %d: %d changes found, %d made", step, sum.Run.Changed, len(changed))
			}
			w.equal("main", "")
		}
	})
}

package syncer_test

import (
	"slices"
	"testing"
	"time"

	"billsync/internal/syncer"
)

// lapsed.
func TestNotifiedBillsAreNoLapse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 400)
	w.fill(5, 20)
	w.sync()
	w.notify("main", entry("GHOST1", start.AddDate(0, 0, -390)))
	w.notify("main", entry("GHOST2", start.AddDate(0, 0, -250)))
	w.pass(25 * time.Hour)
	sum, err := w.run(syncer.Options{Scope: syncer.Scope{Full: true}})
	if err != nil || !sum.Complete() {
		t.Errorf("complete %t, %v: %s", sum.Complete(), err, sum.Reason())
	}
	if got := w.query("SELECT order_no FROM bills WHERE order_no LIKE 'GHOST%' AND withdrawn_at IS NOT NULL ORDER BY 1"); !slices.Equal(got, []string{"GHOST1", "GHOST2"}) {
		t.Errorf("withdrawn: %v, want both", got)
	}
}

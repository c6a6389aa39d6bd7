package bill_test

import (
	"testing"

	"billsync/internal/bill"
)

// A Failure whose outcome was forgotten must not pass for one of those that
// something follows from, and no two of them may be one.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	seen := map[bill.Outcome]bool{0: true}
	for _, o := range []bill.Outcome{bill.NoAnswer, bill.Unknown, bill.RefusedRequest, bill.RefusedUs} {
		if seen[o] {
			t.Errorf("%d is the value of another outcome, or of none", int(o))
		}
		seen[o] = true
	}
	if got := bill.Outcome(0).String(); got != "outcome 0" {
		t.Errorf("no outcome is called %q", got)
	}
}

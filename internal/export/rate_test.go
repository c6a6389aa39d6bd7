package export

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"billsync/internal/bill"
)

// Rates are what exact fractions come to, also where 64 bits are not enough.
func TestQuotient(t *testing.T) {
	t.Parallel()
	currencies := []string{"USD", "JPY", "KWD"}
	rapid.Check(t, func(t *rapid.T) {
		any := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-1000, 1000))
		a := bill.Amount{Value: any.Draw(t, "a"), Currency: rapid.SampledFrom(currencies).Draw(t, "currency")}
		b := bill.Amount{Value: any.Filter(func(v int64) bool { return v != 0 }).Draw(t, "b"), Currency: rapid.SampledFrom(currencies).Draw(t, "other currency")}
		q := new(big.Rat).Quo(ratOf(a), ratOf(b))
		want := strings.TrimSuffix(strings.TrimRight(q.Abs(q).FloatString(10), "0"), ".")
		if got := quotient(a, b); got != want {
			t.Fatalf("%s / %s = %s, want %s", a, b, got, want)
		}
	})
}

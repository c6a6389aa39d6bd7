package books

import (
	"cmp"
	"math"
	"math/big"
	"math/bits"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"billsync/internal/bill"
)

// A Rate is what was billed for what was traded, both in the smallest units of
// their currencies: an exact fraction with a number above 0 below the line.
type Rate struct{ billed, traded int64 }

// RateOf returns the rate that a bill stands for. There is none if nothing was
// traded.
func RateOf(trade, out bill.Amount) (Rate, bool) {
	switch {
	case trade.Value == 0 || trade.Value == math.MinInt64 || out.Value == math.MinInt64:
		return Rate{}, false
	case trade.Value < 0:
		return Rate{-out.Value, -trade.Value}, true
	}
	return Rate{out.Value, trade.Value}, true
}

// Surely reports whether a rate is no more than a limit away from another one above
// zero, as far as that can be told without an exact calculation: most rates need
// none then. If it cannot be told, or is not so, it is false.
func (r Rate) Surely(near, limit float64) bool {
	const doubt = 1e-9 // a million times as much as rounding comes to
	off := math.Abs(float64(r.billed)/float64(r.traded)/near - 1)
	return near > 0 && off+doubt < limit
}

// Zero reports whether nothing was billed.
func (r Rate) Zero() bool { return r.billed == 0 }

// Compare returns -1, 0 or 1 as r is lower than, equal to or higher than s, a rate
// of the same two currencies.
func (r Rate) Compare(s Rate) int {
	if a, b := cmp.Compare(r.billed, 0), cmp.Compare(s.billed, 0); a != b {
		return cmp.Compare(a, b)
	}
	hi1, lo1 := bits.Mul64(magnitude(r.billed), uint64(s.traded))
	hi2, lo2 := bits.Mul64(magnitude(s.billed), uint64(r.traded))
	order := cmp.Or(cmp.Compare(hi1, hi2), cmp.Compare(lo1, lo2))
	if r.billed < 0 {
		return -order
	}
	return order
}

func magnitude(n int64) uint64 { return uint64(abs(n)) }

// Ratio is the rate between smallest units.
func (r Rate) Ratio() *big.Rat { return big.NewRat(r.billed, r.traded) }

// Scale is what a rate between smallest units of two currencies is multiplied with
// to be the rate that people know, between whole units: 100 yen a dollar are 1 cent
// a yen.
func Scale(trade, out string) *big.Rat {
	from, _ := bill.Decimals(trade)
	to, _ := bill.Decimals(out)
	scale := new(big.Rat).SetInt(power(abs(int64(from - to))))
	if from < to {
		scale.Inv(scale)
	}
	return scale
}

func power(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }

// Median returns the median of rates of the same two currencies, between smallest
// units: the middle one, or half of the sum of the two in the middle. It sorts
// them. There must be one at least.
func Median(rates []Rate) *big.Rat {
	slices.SortFunc(rates, Rate.Compare)
	n := len(rates)
	median := rates[n/2].Ratio()
	if n%2 == 0 {
		median.Add(median, rates[n/2-1].Ratio())
		median.Mul(median, big.NewRat(1, 2))
	}
	return median
}

// Significant writes a number with so many significant digits, rounded half away
// from zero, as decimal text without zeros at its end.
func Significant(x *big.Rat, digits int) string {
	if x.Sign() == 0 {
		return "0"
	}
	// The first digit stands at 10^at: as many places as the whole part has, or the
	// next place if that is too many.
	at := len(new(big.Int).Abs(x.Num()).String()) - len(x.Denom().String())
	for _, try := range []int{at, at - 1} {
		if at = try; new(big.Rat).Abs(x).Cmp(ten(at)) >= 0 {
			break
		}
	}
	places := digits - 1 - at
	if places < 0 { // digits before the point are rounded as well
		whole := new(big.Rat).Mul(x, ten(places)).FloatString(0)
		return whole + strings.Repeat("0", -places)
	}
	s := x.FloatString(places)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// ten is 10^n.
func ten(n int) *big.Rat {
	x := new(big.Rat).SetInt(power(abs(int64(n))))
	if n < 0 {
		x.Inv(x)
	}
	return x
}

// decimal is a number as the provider may write a rate: above zero, and not so long
// that reading it would be work.
var decimal = regexp.MustCompile(`^[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$`)

// ParseRate reads a rate as the provider gave it; ok is false if it is no number
// above zero.
func ParseRate(text string) (rate *big.Rat, ok bool) {
	if !decimal.MatchString(text) {
		return nil, false
	}
	rate, ok = new(big.Rat).SetString(text)
	return rate, ok && rate.Sign() > 0
}

// AboutRate is ParseRate for [Rate.Surely].
func AboutRate(text string) (rate float64, ok bool) {
	if !decimal.MatchString(text) {
		return 0, false
	}
	rate, err := strconv.ParseFloat(text, 64)
	return rate, err == nil && rate > 0
}

// A Deviation is how far what was billed is from what a rate says.
type Deviation struct {
	// Of is the part of what the rate says, 1/100 being one per cent; nil if the rate
	// says that nothing is billed.
	Of *big.Rat
	// Unit: what was billed is no more than one smallest unit away. So much is
	// rounding.
	Unit bool
}

// Deviate compares what was billed with a rate between smallest units. Trade is not
// zero.
func Deviate(trade, out bill.Amount, rate *big.Rat) Deviation {
	expected := new(big.Rat).Mul(rate, new(big.Rat).SetInt64(trade.Value))
	diff := new(big.Rat).Sub(new(big.Rat).SetInt64(out.Value), expected)
	d := Deviation{Unit: new(big.Rat).Abs(diff).Cmp(big.NewRat(1, 1)) <= 0}
	if expected.Sign() != 0 {
		d.Of = diff.Quo(diff, expected)
	}
	return d
}

// Beyond reports whether a deviation is larger than a limit, and not rounding.
func (d Deviation) Beyond(limit *big.Rat) bool {
	return !d.Unit && (d.Of == nil || new(big.Rat).Abs(d.Of).Cmp(limit) > 0)
}

// DeviateFromSaid compares what was billed with the rate that the provider gave.
// Whether that is between whole or smallest units is not said: the reading that is
// nearer counts.
func DeviateFromSaid(trade, out bill.Amount, said *big.Rat) Deviation {
	whole := Deviate(trade, out, new(big.Rat).Quo(said, Scale(trade.Currency, out.Currency)))
	smallest := Deviate(trade, out, said)
	if new(big.Rat).Abs(smallest.Of).Cmp(new(big.Rat).Abs(whole.Of)) < 0 {
		return smallest
	}
	return whole
}

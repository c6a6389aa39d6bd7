package simulator

import (
	"slices"
	"strconv"

	"billsync/internal/bill"
)

// A currency is an index into currencies.
type currency uint8

// currencies are those of the merchants and cards, with what one unit of them
// is worth in US dollars, times 10^8, and with the multiple prices are rounded to.
var currencies = [...]struct {
	name   string
	worth  int64
	step   int64
	places int
}{
	{"USD", 100000000, 1, places("USD")},
	{"EUR", 108000000, 1, places("EUR")},
	{"GBP", 127000000, 1, places("GBP")},
	{"JPY", 670000, 10, places("JPY")},
	{"KRW", 73000, 100, places("KRW")},
	{"KWD", 325000000, 5, places("KWD")},
	{"CNH", 13900000, 1, places("CNH")},
	{"HKD", 12800000, 1, places("HKD")},
	{"SGD", 74500000, 1, places("SGD")},
}

func places(name string) int {
	n, _ := bill.Decimals(name)
	return n
}

func currencyByName(name string) currency {
	for i := range currencies {
		if currencies[i].name == name {
			return currency(i)
		}
	}
	panic("simulator: no such currency: " + name)
}

// one is the exchange rate 1: rates are counted in 10^-8.
const one = 100000000

// rateOn returns what a unit of one currency costs in another on a day,
// wobbling about its usual value. Five digits of it count.
func rateOn(seed uint64, day int, from, to currency) int64 {
	if from == to {
		return one
	}
	r := stream(hash(seed, uint64(day), uint64(from)<<8|uint64(to)))
	rate := currencies[from].worth * one / currencies[to].worth
	return fiveDigits(rate + rate*r.between(-2000, 2000)/100000)
}

func fiveDigits(n int64) int64 {
	unit := int64(1)
	for n/unit >= 100000 {
		unit *= 10
	}
	return n / unit * unit
}

// exchange turns an amount in the smallest unit of one currency into that of
// another, rounding half up.
func exchange(value, rate int64, from, to currency) int64 {
	num := value * rate * pow10(currencies[to].places)
	den := one * pow10(currencies[from].places)
	return (num + den/2) / den
}

// price is what so many US cents are in a currency, as prices go there.
func price(cents int64, c currency) int64 {
	v := cents * one / currencies[c].worth * pow10(currencies[c].places) / 100
	step := currencies[c].step
	return max(v/step*step, step)
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// appendRate writes a rate as the API does: a decimal without trailing zeros.
func appendRate(dst []byte, rate int64) []byte {
	dst = strconv.AppendInt(dst, rate/one, 10)
	if rate %= one; rate == 0 {
		return dst
	}
	dst = append(dst, '.')
	dst = appendDigits(dst, uint64(rate), 8)
	end := len(dst)
	for dst[end-1] == '0' {
		end--
	}
	return dst[:end]
}

// appendDigits writes the last so many decimal digits of n.
func appendDigits(dst []byte, n uint64, digits int) []byte {
	dst = slices.Grow(dst, digits)
	start := len(dst)
	dst = dst[:start+digits]
	for i := start + digits - 1; i >= start; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

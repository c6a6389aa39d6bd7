package books_test

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"billsync/internal/bill"
	"billsync/internal/books"
)

func money(currency string, value int64) bill.Amount {
	return bill.Amount{Currency: currency, Value: value}
}

func TestSignificant(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ x, want string }{
		{"0", "0"}, {"1", "1"}, {"-1", "-1"}, {"0.0064", "0.0064"}, {"10112/1580000", "0.0064"}, {"1/3", "0.333333"}, {"2/3", "0.666667"},
		{"-2/3", "-0.666667"}, {"1234567", "1234570"}, {"1234565", "1234570"}, {"123456.5", "123457"}, {"25431.2", "25431.2"}, {"999999.5", "1000000"}, {"9.9999996", "10"},
		{"0.00000123456789", "0.00000123457"}, {"10", "10"}, {"100000", "100000"}, {"1000000", "1000000"}, {"0.1", "0.1"}, {"1/1000000", "0.000001"},
		{"3316/12500", "0.26528"}, {"9999994/10000000", "0.999999"}, {"9999995/10000000", "1"},
	} {
		x, ok := new(big.Rat).SetString(tt.x)
		if got := books.Significant(x, 6); !ok || got != tt.want {
			t.Errorf("Significant(%s, 6) = %s, want %s", tt.x, got, tt.want)
		}
	}
}

// What is written is never further from the number than half a unit of its last
// digit.
func TestSignificantIsNear(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := big.NewRat(rapid.Int64Range(-1e18, 1e18).Draw(t, "above"), rapid.Int64Range(1, 1e18).Draw(t, "below"))
		text := books.Significant(x, 6)
		got, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("Significant(%s) = %q", x, text)
		}
		off := new(big.Rat).Sub(got, x)
		off.Abs(off).Mul(off, big.NewRat(200_000, 1)) // of six digits the last is worth 1/100,000 of the number at most
		if off.Cmp(new(big.Rat).Abs(x)) > 0 {
			t.Fatalf("Significant(%s) = %s", x.FloatString(12), text)
		}
	})
}

func TestRates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ trade, out bill.Amount }{
		{money("USD", 0), money("USD", 5)}, {money("USD", math.MinInt64), money("USD", 5)}, {money("USD", 5), money("USD", math.MinInt64)},
	} {
		if r, ok := books.RateOf(tt.trade, tt.out); ok {
			t.Errorf("RateOf(%s, %s) = %v, want none", tt.trade, tt.out, r)
		}
	}
	value := rapid.OneOf(rapid.Int64Range(-5, 5), rapid.Int64Range(-1e18, 1e18), rapid.SampledFrom([]int64{math.MaxInt64, -math.MaxInt64}))
	rapid.Check(t, func(t *rapid.T) {
		var rates []books.Rate
		var want []*big.Rat
		for range rapid.IntRange(1, 9).Draw(t, "n") {
			trade, out := value.Filter(func(n int64) bool { return n != 0 }).Draw(t, "trade"), value.Draw(t, "out")
			r, ok := books.RateOf(money("USD", trade), money("EUR", out))
			if !ok {
				t.Fatalf("no rate of %d and %d", trade, out)
			}
			if r.Ratio().Cmp(big.NewRat(out, trade)) != 0 || r.Zero() != (out == 0) {
				t.Fatalf("the rate of %d and %d is %s", trade, out, r.Ratio())
			}
			rates, want = append(rates, r), append(want, big.NewRat(out, trade))
		}
		slices.SortFunc(want, (*big.Rat).Cmp)
		middle := new(big.Rat).Set(want[len(want)/2])
		if len(want)%2 == 0 {
			middle.Add(middle, want[len(want)/2-1]).Quo(middle, big.NewRat(2, 1))
		}
		if got := books.Median(rates); got.Cmp(middle) != 0 {
			t.Fatalf("the median of %v is %s, want %s", want, got, middle)
		}
		for i := range rates { // it sorted them
			if rates[i].Ratio().Cmp(want[i]) != 0 {
				t.Fatalf("the rates in order are %v, want %v", rates, want)
			}
		}
	})
}

func TestParseRate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0.0064": "0.0064", "1": "1", "7.1234": "7.1234", "6.4E-3": "0.0064", "1e2": "100", "0001.50": "1.5",
		"": "", "0": "", "0.0": "", "-1": "", "+1": "", " 1": "", "1,5": "", "abc": "", "1/3": "", "0x10": "", "1_0": "", ".5": "", "1.": "", "1e999": "", "Inf": "", "NaN": "", "１": "",
	} {
		got, ok := books.ParseRate(text)
		if ok != (want != "") || ok && books.Significant(got, 9) != want {
			t.Errorf("ParseRate(%q) = %v, %t; want %q", text, got, ok, want)
		}
	}
}

func TestDeviations(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		trade, out bill.Amount
		said, of   string // per cent
		beyond     bool   // 1 per cent
	}{
		{money("JPY", 15800), money("USD", 10112), "0.0064", "0.00", false}, // between whole units
		{money("JPY", 15800), money("USD", 10112), "0.64", "0.00", false},   // between smallest ones
		{money("JPY", 15800), money("USD", 10300), "0.0064", "1.86", true},
		{money("JPY", 15800), money("USD", 10300), "0.64", "1.86", true},
		{money("BHD", 12500), money("USD", 3316), "2.6528", "0.00", false},
		{money("BHD", 12500), money("USD", 3316), "0.26528", "0.00", false},
		{money("USD", 10000), money("USD", 10100), "1", "1.00", false}, // not more than that
		{money("USD", 10000), money("USD", 10101), "1", "1.01", true},
		{money("USD", 10000), money("USD", 9899), "1", "-1.01", true},
		{money("USD", -10000), money("USD", -9899), "1", "-1.01", true},
		{money("USD", -10000), money("USD", 10000), "1", "-200.00", true},
		{money("USD", 10000), money("USD", 0), "1", "-100.00", true},
		{money("JPY", 1), money("USD", 1), "0.0064", "56.25", false}, // a cent is the smallest there is
		{money("JPY", 1), money("USD", 3), "0.0064", "368.75", true}, // 0.64 of a cent is expected
		{money("EUR", 1000), money("CNH", 7700), "7.7", "0.00", false},
	} {
		said, _ := books.ParseRate(tt.said)
		d := books.DeviateFromSaid(tt.trade, tt.out, said)
		percent := new(big.Rat).Mul(d.Of, big.NewRat(100, 1)).FloatString(2)
		if percent != tt.of || d.Beyond(big.NewRat(1, 100)) != tt.beyond {
			t.Errorf("%s for %s at %s: %s %%, beyond 1 %%: %t; want %s, %t", tt.out, tt.trade, tt.said, percent, d.Beyond(big.NewRat(1, 100)), tt.of, tt.beyond)
		}
	}
	if d := books.Deviate(money("USD", 5), money("USD", 7), new(big.Rat)); d.Of != nil || !d.Beyond(big.NewRat(1000, 1)) {
		t.Errorf("2 cents more than nothing are %+v, want something beyond all limits", d)
	}
}

// What is sure without an exact calculation is so with one.
func TestSurely(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		traded, billed := rapid.Int64Range(1, 1e15).Draw(t, "traded"), rapid.Int64Range(-1e6, 1e15).Draw(t, "billed")
		trade, out := money("USD", traded), money("USD", billed)
		text := books.Significant(big.NewRat(max(billed, 1), traded), rapid.IntRange(1, 12).Draw(t, "digits"))
		percent := rapid.Int64Range(0, 1000).Draw(t, "hundredths")
		limit := big.NewRat(percent, 10000)
		about, _ := limit.Float64()
		near, ok := books.AboutRate(text)
		exact, ok2 := books.ParseRate(text)
		if ok != ok2 {
			t.Fatalf("AboutRate(%q) and ParseRate do not agree", text)
		}
		if !ok {
			return // more than 20 places
		}
		rate, _ := books.RateOf(trade, out)
		if rate.Surely(near, about) {
			if d := books.Deviate(trade, out, exact); new(big.Rat).Abs(d.Of).Cmp(limit) > 0 {
				t.Fatalf("%d for %d is surely within %s of %s, and is %s off", billed, traded, limit, text, d.Of.FloatString(12))
			}
		}
	})
	// And it spares the exact calculation wherever that matters: of rates that are right.
	for billed := int64(1); billed < 1e15; billed = billed*3 + 1 {
		trade, out := money("USD", 7*billed+5), money("USD", billed)
		near, _ := books.AboutRate(books.Significant(big.NewRat(billed, 7*billed+5), 9))
		if rate, _ := books.RateOf(trade, out); !rate.Surely(near, 0.01) {
			t.Errorf("%d for %d is not surely within 1 %% of its own rate", billed, 7*billed+5)
		}
	}
	for _, text := range []string{"", "0", "-1", "x", "1/3"} {
		if _, ok := books.AboutRate(text); ok {
			t.Errorf("AboutRate(%q) takes it", text)
		}
	}
}

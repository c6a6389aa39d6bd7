package bill_test

import (
	"errors"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"billsync/internal/bill"
)

func TestParseValue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"0", 0, true},
		{"-0", 0, true},
		{"7", 7, true},
		{"007", 7, true},
		{"1050", 1050, true},
		{"-1050", -1050, true}, // a refund
		{"999999999999999999", 999999999999999999, true},
		{"-999999999999999999", -999999999999999999, true},
		{"000000000000000001", 1, true},

		{"", 0, false},
		{"-", 0, false},
		{"--1", 0, false},
		{"+1", 0, false},
		{" 1", 0, false},
		{"1 ", 0, false},
		{"1\n", 0, false},
		{"12.50", 0, false},
		{"12,50", 0, false},
		{"1e3", 0, false},
		{"0x10", 0, false},
		{"1_000", 0, false},
		{"1000000000000000000", 0, false},  // 19 digits
		{"0000000000000000001", 0, false},  // 19 digits
		{"9223372036854775807", 0, false},  // the largest int64
		{"-9223372036854775808", 0, false}, // the smallest
		{"٣", 0, false},                    // a digit, but not one of ours
		{"１", 0, false},
		{"1\x00", 0, false},
		{"NaN", 0, false},
		{"null", 0, false},
	} {
		got, err := bill.ParseValue(tt.in)
		if got != tt.want || (err == nil) != tt.ok || err != nil && !errors.Is(err, bill.ErrAmount) {
			t.Errorf("ParseValue(%q) = %d, %v, want %d, ok %t", tt.in, got, err, tt.want, tt.ok)
		}
	}
}

var valueRule = regexp.MustCompile(`\A-?[0-9]{1,18}\z`)

// shownRule has one digit at least before the point, and no zero in front.
var shownRule = regexp.MustCompile(`\A-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?\z`)

func FuzzParseValue(f *testing.F) {
	for _, s := range []string{"0", "-1", "1050", "12.50", "1e3", "999999999999999999", "9999999999999999999", "--1", "", "-", " 1", "٣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := bill.ParseValue(s)
		if !valueRule.MatchString(s) {
			if err == nil || got != 0 {
				t.Fatalf("ParseValue(%q) = %d, %v, want an error", s, got, err)
			}
			return
		}
		want, _ := new(big.Int).SetString(s, 10)
		if err != nil || want.Cmp(big.NewInt(got)) != 0 {
			t.Fatalf("ParseValue(%q) = %d, %v, want %s", s, got, err, want)
		}
		// And back: what is shown is the text that came, but for a point in its
		// place and zeros in front.
		for currency, places := range map[string]int{"JPY": 0, "USD": 2, "KWD": 3, "XXX": 0} {
			shown := bill.Amount{Currency: currency, Value: got}.Decimal()
			exact, ok := new(big.Rat).SetString(shown)
			unit := new(big.Rat).SetFrac(want, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil))
			_, fraction, _ := strings.Cut(shown, ".")
			if !ok || exact.Cmp(unit) != 0 || len(fraction) != places || !shownRule.MatchString(shown) {
				t.Fatalf("%q in %s is shown as %q", s, currency, shown)
			}
		}
	})
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   bill.Amount
		want string
	}{
		{bill.Amount{Currency: "USD", Value: 1050}, "10.50"},
		{bill.Amount{Currency: "EUR", Value: -1050}, "-10.50"}, // a refund
		{bill.Amount{Currency: "CNH", Value: 5}, "0.05"},
		{bill.Amount{Currency: "USD", Value: -5}, "-0.05"},
		{bill.Amount{Currency: "USD", Value: 0}, "0.00"},
		{bill.Amount{Currency: "USD", Value: 99}, "0.99"},
		{bill.Amount{Currency: "USD", Value: 100}, "1.00"},
		{bill.Amount{Currency: "JPY", Value: 1050}, "1050"}, // no minor unit
		{bill.Amount{Currency: "JPY", Value: -7}, "-7"},
		{bill.Amount{Currency: "JPY", Value: 0}, "0"},
		{bill.Amount{Currency: "KWD", Value: 1050}, "1.050"}, // three places
		{bill.Amount{Currency: "KWD", Value: -1}, "-0.001"},
		{bill.Amount{Currency: "KWD", Value: 0}, "0.000"},
		{bill.Amount{Currency: "XXX", Value: 1050}, "1050"}, // unknown: the smallest unit
		{bill.Amount{Currency: "", Value: -1050}, "-1050"},
		{bill.Amount{Currency: "usd", Value: 1050}, "1050"},
		{bill.Amount{Currency: "USD", Value: math.MaxInt64}, "92233720368547758.07"},
		{bill.Amount{Currency: "USD", Value: math.MinInt64}, "-92233720368547758.08"},
		{bill.Amount{Currency: "KWD", Value: math.MinInt64}, "-9223372036854775.808"},
		{bill.Amount{Currency: "JPY", Value: math.MinInt64}, "-9223372036854775808"},
	} {
		if got := tt.in.Decimal(); got != tt.want {
			t.Errorf("%#v.Decimal() = %q, want %q", tt.in, got, tt.want)
		}
	}
	if got, want := (bill.Amount{Currency: "USD", Value: 1050}).String(), "USD 10.50"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

// The decimal text says exactly the value: taking the point out gives it back.
func TestDecimalIsExact(t *testing.T) {
	t.Parallel()
	currencies := []string{"XXX"}
	for c := range bill.Currencies() {
		currencies = append(currencies, c)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := bill.Amount{
			Currency: rapid.SampledFrom(currencies).Draw(t, "currency"),
			Value:    rapid.Int64().Draw(t, "value"),
		}
		places, known := bill.Decimals(a.Currency)
		if known == (a.Currency == "XXX") {
			t.Fatalf("Decimals(%q) = %d, %t", a.Currency, places, known)
		}
		got := a.Decimal()
		back, ok := new(big.Int).SetString(strings.ReplaceAll(got, ".", ""), 10)
		if !ok || !back.IsInt64() || back.Int64() != a.Value {
			t.Fatalf("%#v.Decimal() = %q, which is not the value", a, got)
		}
		if _, fraction, _ := strings.Cut(got, "."); len(fraction) != places {
			t.Fatalf("%#v.Decimal() = %q, want %d decimal places", a, got, places)
		}
	})
}

// Who changes the answer changes nothing of ours.
func TestCurrencies(t *testing.T) {
	t.Parallel()
	m := bill.Currencies()
	m["USD"] = 7
	if places, known := bill.Decimals("USD"); places != 2 || !known {
		t.Errorf("Decimals(USD) = %d, %t, want 2, true", places, known)
	}
	for currency, want := range map[string]int{"USD": 2, "EUR": 2, "GBP": 2, "CNY": 2, "CNH": 2, "HKD": 2, "JPY": 0, "KRW": 0, "VND": 0, "KWD": 3, "BHD": 3, "TND": 3} {
		if got, known := bill.Decimals(currency); got != want || !known {
			t.Errorf("Decimals(%s) = %d, %t, want %d", currency, got, known, want)
		}
	}
}

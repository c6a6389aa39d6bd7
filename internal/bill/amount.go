package bill

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// An Amount is a sum of money: a count of the currency's smallest unit
// (API §3.5). 100 is USD 1.00 and is JPY 100.
type Amount struct {
	Currency string // ISO 4217, or CNH
	Value    int64  // in the smallest unit; the provider's sign is kept
}

// ErrAmount says that a text is no count of smallest units. A decimal point or
// an exponent would put the unit in doubt, so such text is never guessed at.
var ErrAmount = errors.New("not a whole number of smallest units (an optional minus and 1 to 18 digits)")

// ParseValue reads the value of an amount from the provider's text, which must
// match ^-?[0-9]{1,18}$ (API §3.5). The error is ErrAmount.
func ParseValue(text string) (int64, error) {
	digits := strings.TrimPrefix(text, "-")
	if len(digits) < 1 || len(digits) > 18 {
		return 0, ErrAmount
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, ErrAmount
		}
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, ErrAmount
	}
	return v, nil
}

// decimalPlaces maps every currency we know to the decimal places of its
// amounts (API §3.5).
var decimalPlaces = func() map[string]int {
	m := make(map[string]int)
	for places, currencies := range map[int]string{
		0: `BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF`,
		2: `AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD
			CAD CDF CHF CNH CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
			GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL
			MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK
			PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL
			THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWL`,
		3: `BHD IQD JOD KWD LYD OMR TND`,
	} {
		for _, c := range strings.Fields(currencies) {
			m[c] = places
		}
	}
	return m
}()

// Decimals returns how many decimal places amounts of a currency have, and
// whether the currency is known at all.
func Decimals(currency string) (places int, known bool) {
	places, known = decimalPlaces[currency]
	return places, known
}

// Decimal renders the value as people write it, exactly: 1050 is "10.50" in
// USD, "1050" in JPY and "1.050" in KWD. An unknown currency is shown in raw
// smallest units.
func (a Amount) Decimal() string {
	places, _ := Decimals(a.Currency)
	s := strconv.FormatInt(a.Value, 10)
	if places == 0 {
		return s
	}
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for len(s) <= places {
		s = "0" + s
	}
	return sign + s[:len(s)-places] + "." + s[len(s)-places:]
}

// String renders currency and decimal value, as in "USD 10.50".
func (a Amount) String() string { return fmt.Sprintf("%s %s", a.Currency, a.Decimal()) }

// Currencies returns the known currencies with their decimal places. The
// database keeps a copy for its views.
func Currencies() map[string]int { return maps.Clone(decimalPlaces) }

package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var (
	ledgerColumnPattern = regexp.MustCompile(`^(date|amount|debit|credit|currency|reference|payee|account|description)=[^=].{0,199}$`)
	currencyPattern     = regexp.MustCompile(`^([A-Z]{3})?$`)
)

var ledgerColumn = &rule{
	allowed: `a field, = and a column: "date=Posted"; the fields are date, amount, debit, credit, currency, reference, payee, account, description`,
	ok:      ledgerColumnPattern.MatchString,
}

var currencyCode = &rule{allowed: `three capital letters, such as "USD", or "" for none`, ok: currencyPattern.MatchString}

var dayRange = &rule{
	allowed: `two numbers from -60 to 60, such as "0..5", the smaller first; "5" is "0..5"`,
	ok:      func(s string) bool { _, _, err := ParseDays(s); return err == nil },
}

var percentage = &rule{
	allowed: `per cent as a decimal number from 0 to 20, in quotes, such as "0.5"`,
	ok:      func(s string) bool { n, err := ParseMillionths(s); return err == nil && n <= 20*million },
}

var unitLimit = &rule{
	allowed: `an amount from 0 to 10000, in quotes, such as "1.00"`,
	ok:      func(s string) bool { n, err := ParseMillionths(s); return err == nil && n <= 10_000*million },
}

const (
	million  = 1_000_000
	mostDays = 60
)

// ParseDays reads a range of days such as 0..5; a single number is the end of one
// that begins with 0.
func ParseDays(text string) (from, to int, err error) {
	first, last, both := strings.Cut(text, "..")
	if !both {
		first, last = "0", text
	}
	from, err1 := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	if err1 != nil || err2 != nil || from > to || from < -mostDays || to > mostDays {
		return 0, 0, fmt.Errorf("%q is not allowed; %s", text, "two numbers from -60 to 60, such as 0..5, the smaller first")
	}
	return from, to, nil
}

// ParseMillionths reads a decimal number of at most six places as millionths.
func ParseMillionths(text string) (int64, error) {
	whole, places, _ := strings.Cut(text, ".")
	digits := whole + places
	if len(whole) < 1 || len(whole) > 9 || len(places) > 6 || strings.Trim(digits, "0123456789") != "" || strings.HasSuffix(text, ".") {
		return 0, fmt.Errorf("%q is no decimal number of at most six places", text)
	}
	return strconv.ParseInt(digits+strings.Repeat("0", 6-len(places)), 10, 64)
}

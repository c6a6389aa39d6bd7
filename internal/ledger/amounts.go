package ledger

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"billsync/internal/bill"
)

// The marks in front of decimals.
const (
	point = "."
	comma = ","
)

// A figure is the text of an amount without sign, currency and blanks.
type figure struct {
	negative bool
	currency string // if the text names one
	body     string // digits and marks
	exact    bool   // the mark is a point, whatever the column says: a number of a workbook
}

// signs of currencies are no more than decoration: the currency stands elsewhere.
var signs = strings.NewReplacer("$", "", "€", "", "£", "", "¥", "", "￥", "", "元", "", "\u00a0", " ", "\u202f", " ", "\u2009", " ",
	"\u2212", "-", "－", "-", "，", ",", "．", ".", "（", "(", "）", ")", "’", "'")

var errNoNumber = errors.New("it is no number")

// split takes an amount apart.
func (r *reader) split(text string) (figure, error) {
	if r.sheet {
		if s, ok := plainNumber(text); ok {
			neg := strings.HasPrefix(s, "-")
			return figure{negative: neg, body: strings.TrimPrefix(s, "-"), exact: true}, nil
		}
	}
	var f figure
	s := strings.TrimSpace(signs.Replace(text))
	s, f.currency = code(s)
	if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") {
		f.negative, s = true, strings.TrimSpace(s[1:len(s)-1])
		if strings.ContainsAny(s, "+-") {
			return f, errNoNumber
		}
	}
	switch {
	case strings.HasPrefix(s, "-"):
		f.negative, s = true, s[1:]
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	case strings.HasSuffix(s, "-"):
		f.negative, s = true, s[:len(s)-1]
	}
	s = strings.TrimSpace(s)
	if f.currency == "" {
		s, f.currency = code(s)
	}
	if s == "" || strings.Trim(s, "0123456789.,' ") != "" || !strings.ContainsAny(s, "0123456789") {
		return f, errNoNumber
	}
	f.body = s
	return f, nil
}

// code takes the code of a currency away that stands before or behind a number.
func code(s string) (rest, currency string) {
	letters := func(s string) bool {
		return len(s) == 3 && strings.Trim(strings.ToUpper(s), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	}
	if len(s) > 3 && letters(s[:3]) {
		return strings.TrimSpace(s[3:]), strings.ToUpper(s[:3])
	}
	if len(s) > 3 && letters(s[len(s)-3:]) {
		return strings.TrimSpace(s[:len(s)-3]), strings.ToUpper(s[len(s)-3:])
	}
	return s, ""
}

// mark tells which mark is in front of the decimals, as far as this amount alone
// tells; open: there is one mark that may be either.
func (f *figure) mark() (mark string, open bool) {
	points, commas := strings.Count(f.body, point), strings.Count(f.body, comma)
	switch {
	case f.exact || points == 0 && commas == 0:
		return "", false
	case points > 0 && commas > 0:
		if strings.LastIndex(f.body, point) > strings.LastIndex(f.body, comma) {
			return point, false
		}
		return comma, false
	case points > 1:
		return comma, false // the points are between thousands
	case commas > 1:
		return point, false
	}
	mark = point
	if commas == 1 {
		mark = comma
	}
	whole, decimals, _ := strings.Cut(f.body, mark)
	// A group of thousands has three digits, and one to three before it.
	if len(decimals) == 3 && len(whole) >= 1 && len(whole) <= 3 && whole[0] != '0' {
		return "", true
	}
	return mark, false
}

// marks finds out which mark stands in front of the decimals, from all amounts.
func (r *reader) marks() (string, error) {
	if m := r.o.DecimalMark; m != "" && m != Auto {
		return m, nil
	}
	first := map[string]string{} // where each was seen
	for i := range r.rows {
		x := &r.rows[i]
		for _, f := range []Field{Amount, Debit, Credit} {
			text := x.cell(f)
			if text == "" {
				continue
			}
			fig, err := r.split(text)
			if err != nil {
				continue // told when the line is read
			}
			if m, _ := fig.mark(); m != "" && first[m] == "" {
				first[m] = fmt.Sprintf("line %d has %q", x.number, text)
			}
		}
	}
	if first[point] != "" && first[comma] != "" {
		return "", &Error{"its amounts are written in two ways: " + first[point] + ", " + first[comma],
			"--decimal-mark . or --decimal-mark , says which mark is in front of the decimals; lines with the other are then told one by one"}
	}
	for m := range first {
		return m, nil
	}
	return "", nil
}

// value reads an amount into the smallest unit of its currency.
func (r *reader) value(text, currency, mark string) (int64, error) {
	wrong := func(format string, args ...any) (int64, error) {
		return 0, fmt.Errorf("the amount %q: %w", text, fmt.Errorf(format, args...))
	}
	if text == "" {
		return 0, errors.New("there is no amount")
	}
	f, err := r.split(text)
	if err != nil {
		return wrong("%w", err)
	}
	if f.currency != "" && f.currency != currency {
		return wrong("it is in %s, and the line in %s", f.currency, currency)
	}
	places, _ := bill.Decimals(currency)
	if f.exact {
		mark = point
	} else if mark == "" {
		if _, open := f.mark(); open && places == 3 {
			return wrong("the mark may be between thousands or in front of decimals, and no other line tells; --decimal-mark says which")
		}
	}
	whole, decimals, err := f.parts(mark)
	if err != nil {
		return wrong("%w", err)
	}
	decimals = strings.TrimRight(decimals, "0")
	if len(decimals) > places {
		return wrong("%s has %d decimals", currency, places)
	}
	digits := whole + decimals + strings.Repeat("0", places-len(decimals))
	if digits = strings.TrimLeft(digits, "0"); digits == "" {
		return 0, nil
	}
	v, err := bill.ParseValue(digits)
	if err != nil {
		return wrong("it is too large")
	}
	if f.negative {
		v = -v
	}
	return v, nil
}

// parts are the digits before and behind the mark. Without a mark all others are
// between thousands.
func (f *figure) parts(mark string) (whole, decimals string, err error) {
	whole = f.body
	if mark != "" {
		if strings.Count(whole, mark) > 1 {
			return "", "", fmt.Errorf("it has more than one %q", mark)
		}
		whole, decimals, _ = strings.Cut(whole, mark)
	}
	if strings.Trim(decimals, "0123456789") != "" {
		return "", "", fmt.Errorf("behind the %q there are decimals only", mark)
	}
	groups := strings.FieldsFunc(whole, func(r rune) bool { return strings.ContainsRune(".,' ", r) })
	if joined := strings.Join(groups, ""); len(groups) > 1 {
		separators := strings.Trim(whole, "0123456789")
		if len(whole)-len(joined) != len(groups)-1 || separators == "" && len(groups) != 1 {
			return "", "", errNoNumber
		}
		sep := whole[len(groups[0])]
		for i, at := 0, 0; i < len(groups); i++ {
			at += len(groups[i])
			if i < len(groups)-1 && whole[at] != sep {
				return "", "", errors.New("it has several marks between thousands")
			}
			at++
			// India groups by two digits, but for the last three.
			if i > 0 && i < len(groups)-1 && len(groups[i]) != 2 && len(groups[i]) != 3 || i == len(groups)-1 && len(groups[i]) != 3 || i == 0 && len(groups[i]) > 3 {
				return "", "", errors.New("its thousands are not groups of three digits")
			}
		}
		whole = joined
	} else if len(whole) != len(joined) {
		return "", "", errNoNumber
	}
	return whole, decimals, nil
}

var plain = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$`)

// sheetDigits is how many digits of a number a workbook holds.
const sheetDigits = 15

// plainNumber reads a number as a workbook stores it: a binary fraction, written
// with up to 17 digits, of which the last two may be noise.
func plainNumber(text string) (string, bool) {
	if !plain.MatchString(text) || len(text) > 40 {
		return "", false
	}
	x, ok := new(big.Rat).SetString(text)
	if !ok {
		return "", false
	}
	whole := new(big.Int).Quo(x.Num(), x.Denom())
	digits := len(strings.TrimPrefix(whole.String(), "-"))
	if whole.Sign() == 0 {
		digits = 0
	}
	if digits > sheetDigits {
		return x.FloatString(0), x.IsInt()
	}
	s := x.FloatString(sheetDigits - digits)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s, true
}

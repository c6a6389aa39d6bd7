package worldfirst

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// What the fuzz tests hold the decoder and the scrubber against is written here
// a second time, by way of encoding/json and regular expressions, and shares no
// code with them.

// parse reads JSON with its numbers as they are written.
func parse(t rapid.TB, raw []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return v
}

var (
	digitRun  = regexp.MustCompile(`[0-9]+(?:[ -][0-9]+)*`)
	anyTime   = regexp.MustCompile(`\A(?:[0-9]{10}|[0-9]{13}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9:]+))\z`)
	timeField = regexp.MustCompile(`(?i)(?:time|update)\z`)
	idField   = regexp.MustCompile(`(?i)(?:no|ids?|number)\z|\AexchangeRate\z`)
	sumField  = regexp.MustCompile(`\A(?:currency|value)\z`)
	textField = regexp.MustCompile(`\A(?:billType|billStatus|merchantName|tradeCountry|billFailReason|errorCode|errorDesc)\z`)
)

// leftCard finds a card number that should have been cut down, by the rules of
// API §8.4; empty if there is none.
func leftCard(v any, names ...string) string {
	card := slices.ContainsFunc(names, func(n string) bool { return strings.Contains(strings.ToLower(n), "card") })
	free := len(names) == 0 || slices.Contains(names, "metadata")
	last, parent := "", ""
	if n := len(names); n > 0 {
		last = names[n-1]
		if n > 1 {
			parent = names[n-2]
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			if left := luhnRun(name); left != "" {
				return left
			}
			if left := leftCard(e, append(slices.Clone(names), name)...); left != "" {
				return left
			}
		}
	case []any:
		for _, e := range v {
			if left := leftCard(e, names...); left != "" {
				return left
			}
		}
	case json.Number, string:
		_, isText := v.(string)
		text := fmt.Sprint(v)
		switch {
		case card:
			return longRun(text)
		case free, textField.MatchString(last):
			return luhnRun(text)
		case idField.MatchString(last), sumField.MatchString(last) && strings.HasSuffix(strings.ToLower(parent), "amount"):
		case timeField.MatchString(last):
			if !anyTime.MatchString(text) {
				return luhnRun(text)
			}
		case isText:
			return luhnRun(text)
		}
	}
	return ""
}

// groupsOf returns the digits of a text: runs of groups with one blank or
// hyphen between them.
func groupsOf(text string) (runs [][]string) {
	for _, run := range digitRun.FindAllString(text, -1) {
		runs = append(runs, strings.FieldsFunc(run, func(r rune) bool { return r == ' ' || r == '-' }))
	}
	return runs
}

// longRun finds digits as many as a card number has, whatever they add up to.
// More than 19 in one piece are an id.
func longRun(text string) string {
	for _, run := range groupsOf(text) {
		var digits string
		for _, g := range append(run, strings.Repeat("0", 20)) {
			if len(g) <= 19 {
				digits += g
				continue
			}
			if len(digits) >= 12 {
				return digits
			}
			digits = ""
		}
	}
	return ""
}

// luhnRun finds groups that together are a card number.
func luhnRun(text string) string {
	for _, run := range groupsOf(text) {
		for i := range run {
			for j := i + 1; j <= len(run); j++ {
				if digits := strings.Join(run[i:j], ""); len(digits) >= 13 && len(digits) <= 19 && checkDigit(digits[:len(digits)-1]) == digits[len(digits)-1] {
					return digits
				}
			}
		}
	}
	return ""
}

// checkDigit returns the digit that makes a card number of the digits.
func checkDigit(digits string) byte {
	// What a digit in a doubled place adds.
	doubled := [...]int{0, 2, 4, 6, 8, 1, 3, 5, 7, 9}
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			d = doubled[d]
		}
		sum += d
	}
	return byte('0' + (10-sum%10)%10)
}

// A respeller writes a bill again so that it says the same: members in another
// order, other blanks, strings with escapes, members that are null left out or
// added, numbers as strings and strings as numbers where a text is meant.
type respeller struct{ *rand.Rand }

var (
	textMember = regexp.MustCompile(`\A(?:orderNo|billNo|billType|billStatus|assetId|maskedCardNo|cardNo|merchantName|budgetAccountId|exchangeRate|tradeCountry|transactionTime|lastUpdate|cardNickName|billFailReason)\z`)
	amountOf   = regexp.MustCompile(`\A(?:trade|out|in)Amount\z`)
	// numberOrTruth is what may stand in JSON without quotes.
	numberOrTruth = regexp.MustCompile(`\A(?:true|false|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\z`)
)

func (r respeller) blank() string { return []string{"", "", " ", "\n", "\t", "\r\n  "}[r.IntN(6)] }

// respell writes a bill.
func (r respeller) respell(v any) string {
	return r.blank() + r.write(v, func(path []string) bool {
		switch len(path) {
		case 1:
			return textMember.MatchString(path[0])
		case 2:
			return amountOf.MatchString(path[0]) && path[1] == "value" || path[0] == "billFailReason" && (path[1] == "errorCode" || path[1] == "errorDesc")
		}
		return false
	}) + r.blank()
}

func (r respeller) write(v any, isText func(path []string) bool, path ...string) string {
	switch v := v.(type) {
	case map[string]any:
		names := slices.Sorted(maps.Keys(v))
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		var parts []string
		for _, name := range names {
			if v[name] == nil && r.IntN(2) == 0 {
				continue
			}
			parts = append(parts, r.blank()+r.text(name)+r.blank()+":"+r.blank()+r.write(v[name], isText, append(slices.Clone(path), name)...)+r.blank())
		}
		if _, ok := v["no such member"]; !ok && r.IntN(4) == 0 {
			parts = append(parts, `"no such member":null`)
		}
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		var parts []string
		for _, e := range v {
			// An element is no member: 1 and "1" differ.
			parts = append(parts, r.blank()+r.write(e, func([]string) bool { return false })+r.blank())
		}
		return "[" + strings.Join(parts, ",") + "]"
	case string:
		if isText(path) && numberOrTruth.MatchString(v) && r.IntN(2) == 0 {
			return v
		}
		return r.text(v)
	case json.Number:
		if isText(path) && r.IntN(2) == 0 {
			return r.text(v.String())
		}
		return v.String()
	case bool:
		if s := fmt.Sprint(v); isText(path) && r.IntN(2) == 0 {
			return r.text(s)
		}
		return fmt.Sprint(v)
	}
	return "null"
}

// text writes a string, some of it escaped.
func (r respeller) text(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		if c < 0x20 || c == '"' || c == '\\' || c < 0x10000 && r.IntN(8) == 0 {
			fmt.Fprintf(&b, `\u%04x`, c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String() + `"`
}

// isColumn reports whether a text may stand in a column: databases keep neither
// broken UTF-8 nor U+0000.
func isColumn(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// isLine reports whether a text is one line that a terminal shows as it is.
func isLine(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029'
	})
}

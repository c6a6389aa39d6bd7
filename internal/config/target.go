package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones by name, wherever the program runs
	"unicode"
	"unicode/utf8"
)

// A target is a typed field that can take a value and show it again.
type target interface {
	set(v value) error // the error says what is wrong and what is allowed
	text() string      // the present value as TOML
	allowed() string   // what is allowed, in words
}

// refuse is the usual complaint about a value.
func refuse(v value, t target) error {
	return fmt.Errorf("%s is not allowed; %s", v, t.allowed())
}

// A rule is what a text must be like.
type rule struct {
	allowed string
	ok      func(string) bool
	secret  bool // a value that breaks the rule may be a secret in the wrong place
}

type textTarget struct {
	p    *string
	rule *rule
}

func textOf(p *string, r *rule) target { return textTarget{p, r} }

func choiceOf(p *string, choices ...string) target {
	return textTarget{p, &rule{
		allowed: strings.Join(choices[:len(choices)-1], ", ") + " or " + choices[len(choices)-1],
		ok:      func(s string) bool { return slices.Contains(choices, s) },
	}}
}

func (t textTarget) set(v value) error {
	s, ok := v.words()
	switch {
	case !ok:
		return fmt.Errorf("%s is no text; %s, in quotes", v, t.allowed())
	case t.rule != nil && !t.rule.ok(s) && t.rule.secret:
		return fmt.Errorf("this value is not allowed; %s", t.allowed())
	case t.rule != nil && !t.rule.ok(s):
		return refuse(v, t)
	case !utf8.ValidString(s): // only the environment can say that
		return fmt.Errorf("%s is not UTF-8; %s", v, t.allowed())
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return refuse(v, t)
	}
	*t.p = s
	return nil
}

func (t textTarget) text() string { return quote(*t.p) }

func (t textTarget) allowed() string {
	if t.rule == nil {
		return "text in one line"
	}
	return t.rule.allowed
}

// pathTarget is the name of a file. Relative names are relative to the
// configuration's folder.
type pathTarget struct{ textTarget }

var fileName = &rule{
	allowed: "the name of a file, not what is in it",
	ok: func(s string) bool {
		return len(s) <= 4096 && !strings.ContainsAny(s, "\n\r\x00") && !strings.HasPrefix(s, "-----")
	},
	secret: true,
}

func pathOf(p *string) target     { return pathTarget{textTarget{p, fileName}} }
func databaseOf(p *string) target { return pathTarget{textTarget{p, databaseFile}} }

type wholeTarget struct {
	p        *int
	min, max int
}

func wholeOf(p *int, low, high int) target { return wholeTarget{p, low, high} }

func (t wholeTarget) set(v value) error {
	base := 0 // 1_000 and 0x10 are good TOML
	switch v.form {
	case formWhole:
	case formEnv:
		base = 10
	default:
		return fmt.Errorf("%s is no whole number; %s", v, t.allowed())
	}
	n, err := strconv.ParseInt(strings.TrimSpace(v.text), base, 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return fmt.Errorf("%s is no whole number; %s", v, t.allowed())
	case err != nil || n < int64(t.min) || n > int64(t.max):
		return refuse(v, t)
	}
	*t.p = int(n)
	return nil
}

func (t wholeTarget) text() string { return strconv.Itoa(*t.p) }

func (t wholeTarget) allowed() string {
	if t.max == math.MaxInt32 {
		return fmt.Sprintf("%d or more", t.min)
	}
	return fmt.Sprintf("%d to %d", t.min, t.max)
}

type decimalTarget struct{ p *float64 }

func decimalOf(p *float64) target { return decimalTarget{p} }

func (t decimalTarget) set(v value) error {
	var f float64
	var err error
	switch v.form {
	case formWhole:
		var n int64
		n, err = strconv.ParseInt(v.text, 0, 64)
		f = float64(n)
	case formDecimal:
		f, err = strconv.ParseFloat(strings.ReplaceAll(v.text, "_", ""), 64)
	case formEnv:
		f, err = strconv.ParseFloat(strings.TrimSpace(v.text), 64)
	default:
		return fmt.Errorf("%s is no number; %s", v, t.allowed())
	}
	if err != nil || !(f > 0) || math.IsInf(f, 0) {
		return refuse(v, t)
	}
	*t.p = f
	return nil
}

func (t decimalTarget) text() string {
	s := strconv.FormatFloat(*t.p, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func (decimalTarget) allowed() string { return "a number above 0" }

type boolTarget struct{ p *bool }

func (t boolTarget) set(v value) error {
	word := strings.TrimSpace(v.text)
	if v.form != formBool && v.form != formEnv || word != "true" && word != "false" {
		return refuse(v, t)
	}
	*t.p = word == "true"
	return nil
}

func (t boolTarget) text() string  { return strconv.FormatBool(*t.p) }
func (boolTarget) allowed() string { return "true or false" }

type durationTarget struct{ p *time.Duration }

func durationOf(p *time.Duration) target { return durationTarget{p} }

func (t durationTarget) set(v value) error {
	s, ok := v.words()
	if !ok {
		return fmt.Errorf("%s is no duration; %s", v, t.allowed())
	}
	d, err := time.ParseDuration(strings.TrimSpace(s))
	if err != nil || d <= 0 {
		return refuse(v, t)
	}
	*t.p = d
	return nil
}

func (t durationTarget) text() string  { return quote(formatDuration(*t.p)) }
func (durationTarget) allowed() string { return `a duration above 0, such as "30s" or "5m"` }

// formatDuration is 5m where Duration.String says 5m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

type durationsTarget struct{ p *[]time.Duration }

func (t durationsTarget) set(v value) error {
	items, ok := v.list()
	if !ok {
		return fmt.Errorf("%s is no list; %s", v, t.allowed())
	}
	all := make([]time.Duration, len(items))
	for i, item := range items {
		if err := (durationTarget{&all[i]}).set(item); err != nil {
			return fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	if len(all) == 0 || len(all) > 100 {
		return refuse(v, t)
	}
	*t.p = all
	return nil
}

func (t durationsTarget) text() string {
	parts := make([]string, len(*t.p))
	for i, d := range *t.p {
		parts[i] = quote(formatDuration(d))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (durationsTarget) allowed() string { return `1 to 100 durations, such as ["5m", "10m"]` }

// textsTarget is a list of texts, which may be empty.
type textsTarget struct {
	p    *[]string
	rule *rule
}

const maxTexts = 20

func (t textsTarget) set(v value) error {
	items, ok := v.list()
	if !ok {
		return fmt.Errorf("%s is no list; %s", v, t.allowed())
	}
	var all []string
	for i, item := range items {
		var s string
		if err := (textTarget{&s, t.rule}).set(item); err != nil {
			return fmt.Errorf("element %d: %w", i+1, err)
		}
		all = append(all, s)
	}
	if len(all) > maxTexts {
		return refuse(v, t)
	}
	*t.p = all
	return nil
}

func (t textsTarget) text() string {
	parts := make([]string, len(*t.p))
	for i, s := range *t.p {
		parts[i] = quote(s)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (t textsTarget) allowed() string {
	return fmt.Sprintf("a list of at most %d: %s", maxTexts, t.rule.allowed)
}

type dateTarget struct {
	p *Date
	// none is what an empty text stands for; empty: a date there must be.
	none string
}

// firstDate is older than any bill can be; an earlier year is a slip.
var firstDate = Date{2000, time.January, 1}

func (t dateTarget) set(v value) error {
	if _, ok := v.words(); !ok && v.form != formDate {
		return fmt.Errorf("%s is no date; %s", v, t.allowed())
	}
	text := strings.TrimSpace(v.text)
	if text == "" && t.none != "" {
		*t.p = Date{}
		return nil
	}
	d, err := ParseDate(text)
	if err != nil || d.Before(firstDate) {
		return refuse(v, t)
	}
	*t.p = d
	return nil
}

func (t dateTarget) text() string { return quote(t.p.String()) }

func (t dateTarget) allowed() string {
	if t.none != "" {
		return `a date from "2000-01-01" to today, or "" for ` + t.none
	}
	return `a date from "2000-01-01" to today`
}

type zoneTarget struct{ p **time.Location }

func (t zoneTarget) set(v value) error {
	s, ok := v.words()
	if !ok {
		return fmt.Errorf("%s is no time zone; %s", v, t.allowed())
	}
	loc, err := loadZone(s)
	if err != nil {
		return refuse(v, t)
	}
	*t.p = loc
	return nil
}

func (t zoneTarget) text() string { return quote((*t.p).String()) }
func (zoneTarget) allowed() string {
	return `a zone's name such as "Asia/Shanghai", "UTC", or an offset such as "+08:00"`
}

// loadZone finds a zone by name or fixed offset. "Local" is no answer: the same
// file would mean something else on another machine.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, errors.New("no zone")
	}
	if name[0] != '+' && name[0] != '-' {
		return time.LoadLocation(name)
	}
	t, err := time.Parse("-07:00", name)
	if err != nil {
		return nil, err
	}
	_, offset := t.Zone()
	if offset < -12*3600 || offset > 14*3600 {
		return nil, errors.New("no place on earth has this offset")
	}
	return time.FixedZone(name, offset), nil
}

// quote writes a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029': // no line breaks, nothing that moves a cursor
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

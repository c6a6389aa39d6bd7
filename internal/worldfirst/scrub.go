package worldfirst

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
)

// A scrubRule says what is looked for in a value, which depends on its name.
type scrubRule int

const (
	scrubNothing scrubRule = iota // ids, amounts: long digit runs are normal there
	scrubTime                     // nothing if it can be read as a time, else any
	scrubText                     // free text: in strings, runs that pass the Luhn check
	scrubAny                      // the same in strings and numbers: texts of a bill, metadata, values without a name
	scrubCard                     // fields about a card: every run long enough
)

// Scrub removes full card numbers from a JSON value (API §8.4), before it is
// stored, logged or shown. In fields whose name contains "card", and in all
// beneath them, each run of 12 to 19 digits becomes **** and its last four
// digits; in free text only runs of 13 to 19 digits that pass the Luhn check
// do. A name is free text as well: those in metadata are the caller's. Digits of
// a run may be separated by single blanks or hyphens. Nothing else changes:
// valid JSON stays valid, with its keys, blanks and numbers as they are, and if
// there is nothing to remove, raw itself is returned. What is not JSON is taken
// for free text.
func Scrub(raw []byte) []byte {
	// \u00 may hide a digit or a separator.
	if !hasLongRun(raw) && !bytes.Contains(raw, []byte(`\u00`)) {
		return raw
	}
	if !json.Valid(raw) {
		out, changed := appendScrubbed(nil, raw, scrubText)
		if !changed {
			return raw
		}
		return out
	}
	return scrubJSON(raw)
}

// scrubJSON is Scrub for valid JSON.
func scrubJSON(raw []byte) []byte {
	s := scrubber{src: raw}
	s.value(skipSpace(raw, 0), scope{rule: scrubAny})
	if s.out == nil {
		return raw
	}
	return append(s.out, raw[s.done:]...)
}

// quoted quotes a text of others in a message, at most limit characters of it.
// It is scrubbed before: the escapes that quoting adds can end in digits, which
// would hide where a number begins.
func quoted(text string, limit int) string {
	text = scrubLine(text)
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit])
	}
	return strconv.Quote(text)
}

// scrubLine is Scrub for plain words that go into a message.
func scrubLine(text string) string {
	out, changed := appendScrubbed(nil, []byte(text), scrubText)
	if !changed {
		return text
	}
	return string(out)
}

// A scope is what the names around a value say about it.
type scope struct {
	rule   scrubRule
	name   []byte // nearest name
	sticky bool   // the rule holds for everything beneath, whatever its name
}

func (s scope) member(name []byte) scope {
	switch {
	case s.rule == scrubCard && s.sticky, containsFold(name, "card"):
		return scope{scrubCard, name, true}
	case s.sticky, string(name) == "metadata":
		return scope{scrubAny, name, true}
	}
	return scope{ruleFor(s.name, name), name, false}
}

// ruleFor returns the rule of a field that is not about a card.
func ruleFor(parent, name []byte) scrubRule {
	switch string(name) {
	case "exchangeRate":
		return scrubNothing
	case "billType", "billStatus", "merchantName", "tradeCountry", "billFailReason", "errorCode", "errorDesc":
		return scrubAny // a number there is read as text, and must be scrubbed as text is
	case "currency", "value":
		// Only where it is an amount's: a value of anything else may be anything.
		if hasSuffixFold(parent, "amount") {
			return scrubNothing
		}
	}
	for _, suffix := range [...]string{"no", "id", "ids", "number"} {
		if hasSuffixFold(name, suffix) {
			return scrubNothing
		}
	}
	for _, suffix := range [...]string{"time", "update"} {
		if hasSuffixFold(name, suffix) {
			return scrubTime
		}
	}
	return scrubText
}

// A scrubber copies JSON, but only once there is something to change.
type scrubber struct {
	src  []byte
	out  []byte // what src[:done] became; nil as long as nothing changed
	done int
	buf  []byte
}

// value handles the value at src[i] and returns the index after it.
func (s *scrubber) value(i int, in scope) int {
	src := s.src
	switch src[i] {
	case '{':
		for i = skipSpace(src, i+1); src[i] != '}'; {
			if src[i] == ',' {
				i = skipSpace(src, i+1)
			}
			end := skipString(src, i)
			name := stringBytes(src[i:end])
			s.text(i, end, scrubText)
			i = s.value(skipSpace(src, skipSpace(src, end)+1), in.member(name))
			i = skipSpace(src, i)
		}
		return i + 1
	case '[':
		for i = skipSpace(src, i+1); src[i] != ']'; {
			if src[i] == ',' {
				i = skipSpace(src, i+1)
			}
			i = skipSpace(src, s.value(i, in))
		}
		return i + 1
	case '"':
		end := skipString(src, i)
		if rule := in.rule.of(src[i:end]); rule != scrubNothing {
			s.text(i, end, rule)
		}
		return end
	}
	end := skipLiteral(src, i)
	if rule := in.rule.of(src[i:end]); (rule == scrubCard || rule == scrubAny) && end-i >= minCardDigits {
		var changed bool
		s.buf, changed = appendScrubbed(append(s.buf[:0], '"'), src[i:end], rule)
		if changed { // no number any more, so it becomes a string
			s.replace(i, end, append(s.buf, '"'))
		}
	}
	return end
}

// of returns the rule for a string or number: 13 digits may be milliseconds,
// but what is no time is text, and may be anything.
func (r scrubRule) of(literal []byte) scrubRule {
	if r != scrubTime {
		return r
	}
	if len(literal) <= 42 {
		if _, err := ParseTime(scalarText(literal)); err == nil {
			return scrubNothing
		}
	}
	return scrubAny
}

// text handles the string src[i:end].
func (s *scrubber) text(i, end int, rule scrubRule) {
	literal := s.src[i:end]
	if len(literal) < minCardDigits+len(`""`) {
		return
	}
	if bytes.IndexByte(literal, '\\') < 0 {
		var changed bool
		if s.buf, changed = appendScrubbed(s.buf[:0], literal, rule); changed {
			s.replace(i, end, s.buf)
		}
		return
	}
	// Escapes can hide digits and separators, so what counts is what it says, and
	// also what it will say in a column, which has no place for U+0000.
	said := stringBytes(literal)
	out, changed := appendScrubbed(s.buf[:0], said, rule)
	if bytes.IndexByte(out, 0) >= 0 {
		joined, also := appendScrubbed(nil, bytes.ReplaceAll(out, []byte{0}, nil), rule)
		if also {
			out, changed = joined, true
		}
	}
	if s.buf = out; changed {
		s.replace(i, end, quote(out))
	}
}

func (s *scrubber) replace(i, end int, with []byte) {
	if s.out == nil {
		s.out = make([]byte, 0, len(s.src)+16)
	}
	s.out = append(s.out, s.src[s.done:i]...)
	s.out = append(s.out, with...)
	s.done = end
}

// quote writes text as a JSON string, without the escapes HTML would want.
func quote(text []byte) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(string(text)); err != nil {
		panic("worldfirst: writing a string: " + err.Error()) // cannot be
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func containsFold(name []byte, lower string) bool {
	for i := range len(name) - len(lower) + 1 {
		if equalFold(name[i:i+len(lower)], lower) {
			return true
		}
	}
	return false
}

func hasSuffixFold(name []byte, lower string) bool {
	return len(name) >= len(lower) && equalFold(name[len(name)-len(lower):], lower)
}

// equalFold compares ASCII letters in any case, without the allocation of
// strings.EqualFold's conversion.
func equalFold(name []byte, lower string) bool {
	for i := range len(lower) {
		if name[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// oneLine turns the words of others into one line of bounded length without
// card numbers and without the characters that move a terminal's cursor.
func oneLine(text string, limit int) string {
	// A control character may hide a number as well as end one.
	text = scrubLine(strings.ToValidUTF8(text, "\ufffd"))
	text = strings.Join(strings.Fields(text), " ")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
	text = scrubLine(text)
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return text
}

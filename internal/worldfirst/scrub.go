package worldfirst

import (
	"bytes"
	"encoding/json"
	"slices"
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
	var doc document
	if !doc.parse(raw) {
		out, changed := appendScrubbed(nil, raw, scrubText)
		if !changed {
			return raw
		}
		return out
	}
	clean := doc.scrub(0)
	if clean == nil {
		return raw
	}
	// What is around the value are blanks.
	return slices.Concat(raw[:doc.nodes[0].from], clean, raw[doc.nodes[0].to:])
}

// scrub is Scrub for a value of a document; nil if there is nothing to remove.
func (d *document) scrub(v int) []byte {
	var s scrubber
	s.begin(d, v)
	s.scrub(v, scope{rule: scrubAny})
	return s.end()
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

// fieldScope is what member finds out of the name of a field of a bill, only
// sooner.
func fieldScope(f field) scope {
	return scope{fieldRules[f], []byte(fieldNames[f]), f == fieldMetadata || fieldRules[f] == scrubCard}
}

var fieldRules = [fields]scrubRule{
	fieldAssetID:         scrubNothing,
	fieldFailReason:      scrubAny,
	fieldBillNo:          scrubNothing,
	fieldStatus:          scrubAny,
	fieldBillType:        scrubAny,
	fieldBudgetAccountID: scrubNothing,
	fieldCardNickName:    scrubCard,
	fieldCardNo:          scrubCard,
	fieldExchangeRate:    scrubNothing,
	fieldIn:              scrubText,
	fieldLastUpdate:      scrubTime,
	fieldMaskedCardNo:    scrubCard,
	fieldMerchantName:    scrubAny,
	fieldMetadata:        scrubAny,
	fieldOrderNo:         scrubNothing,
	fieldOut:             scrubText,
	fieldTrade:           scrubText,
	fieldTradeCountry:    scrubAny,
	fieldTransactionTime: scrubTime,
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

// A scrubber copies a value, but only once there is something to change.
type scrubber struct {
	doc   *document
	value []byte
	from  int    // where the value begins in the document
	out   []byte // what value[:done] became; nil as long as nothing changed
	done  int
	buf   []byte
}

// begin makes the scrubber one of the value v.
func (s *scrubber) begin(d *document, v int) {
	*s = scrubber{doc: d, value: d.json(v), from: int(d.nodes[v].from), buf: s.buf[:0]}
}

// end returns what the value became; nil if it is as it was.
func (s *scrubber) end() []byte {
	if s.out == nil {
		return nil
	}
	return append(s.out, s.value[s.done:]...)
}

// scrub handles the value v, which may be part of that which is copied.
func (s *scrubber) scrub(v int, in scope) {
	d := s.doc
	switch d.first(v) {
	case '{':
		end := d.next(v)
		for m := v + 1; m < end; m = d.next(m + 1) {
			s.member(m, noField, in)
		}
	case '[':
		end := d.next(v)
		for e := v + 1; e < end; e = d.next(e) {
			s.scrub(e, in)
		}
	case '"':
		s.text(v, in.rule)
	default:
		if len(d.json(v)) < minCardDigits {
			return
		}
		if rule := in.rule.of(d, v); rule == scrubCard || rule == scrubAny {
			var changed bool
			s.buf, changed = appendScrubbed(append(s.buf[:0], '"'), d.json(v), rule)
			if changed { // no number any more, so it becomes a string
				s.replace(v, append(s.buf, '"'))
			}
		}
	}
}

// member handles a name and its value, of which it is known whether they are a
// field.
func (s *scrubber) member(m int, f field, in scope) {
	value := &s.doc.nodes[m+1]
	switch short := value.to-value.from < minCardDigits; {
	case f == noField:
		s.text(m, scrubText)
		if !short {
			s.scrub(m+1, in.member(s.doc.text(m)))
		}
	case short:
	case value.first == '"':
		s.text(m+1, fieldRules[f])
	default:
		s.scrub(m+1, fieldScope(f))
	}
}

// of returns the rule for a string or number: 13 digits may be milliseconds,
// but what is no time is text, and may be anything.
func (r scrubRule) of(d *document, v int) scrubRule {
	if r != scrubTime {
		return r
	}
	if len(d.json(v)) <= 42 {
		if _, err := ParseTime(string(d.text(v))); err == nil {
			return scrubNothing
		}
	}
	return scrubAny
}

// text handles the string v.
func (s *scrubber) text(v int, rule scrubRule) {
	literal := s.doc.json(v)
	if rule == scrubNothing || len(literal) < minCardDigits+len(`""`) {
		return
	}
	if s.doc.nodes[v].marks&markEscaped == 0 {
		if !hasLongRun(literal) {
			return
		}
		if rule = rule.of(s.doc, v); rule == scrubNothing {
			return
		}
		var changed bool
		if s.buf, changed = appendScrubbed(s.buf[:0], literal, rule); changed {
			s.replace(v, s.buf)
		}
		return
	}
	// Escapes can hide digits and separators, so what counts is what it says, and
	// also what it will say in a column, which has no place for U+0000.
	if rule = rule.of(s.doc, v); rule == scrubNothing {
		return
	}
	out, changed := appendScrubbed(s.buf[:0], s.doc.text(v), rule)
	if bytes.IndexByte(out, 0) >= 0 {
		joined, also := appendScrubbed(nil, bytes.ReplaceAll(out, []byte{0}, nil), rule)
		if also {
			out, changed = joined, true
		}
	}
	if s.buf = out; changed {
		s.replace(v, quote(out))
	}
}

func (s *scrubber) replace(v int, with []byte) {
	if s.out == nil {
		s.out = make([]byte, 0, len(s.value)+16)
	}
	s.out = append(s.out, s.value[s.done:int(s.doc.nodes[v].from)-s.from]...)
	s.out = append(s.out, with...)
	s.done = int(s.doc.nodes[v].to) - s.from
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

package worldfirst

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"billsync/internal/bill"
)

// This is the decoder as it was written first: one concern at a time, every
// step walking over the text again, and slow. It is kept as what the fast one
// must equal in every item, problem, scrubbed byte and hash. Hashes are stored,
// so a difference would make bills look changed that did not. Nothing here may
// change, unless what a bill says is to be understood in another way.

func plainDecodeItem(raw []byte) bill.Item {
	raw = bytes.TrimSpace(raw)
	if !json.Valid(raw) {
		clean := bytes.Clone(plainScrub(raw))
		var p plainFingerprint
		p.text([]byte("not JSON"), string(clean))
		return bill.Item{
			Bill:     bill.Bill{Raw: clean, Hash: p.sum()},
			Problems: []string{"not JSON"},
			Rejected: true,
		}
	}
	return plainDecodeValid(raw)
}

func plainDecodeValid(raw []byte) bill.Item {
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\ufffd"))
	}
	clean := plainScrubJSON(raw)
	// A page's body is large; a bill must not keep all of it in memory, nor
	// change with a buffer of the caller's.
	clean = bytes.Clone(clean)
	d := plainDecoder{}
	if clean[0] != '{' {
		d.print.json(nil, clean)
		return bill.Item{
			Bill:     bill.Bill{Raw: clean, Hash: d.print.sum()},
			Problems: []string{"not an object but " + plainKindOf(clean)},
			Rejected: true,
		}
	}
	var members [24]plainMember
	for _, m := range plainAppendMembers(members[:0], clean) {
		if !plainIsNull(m.value) {
			d.field(m)
		}
	}
	d.card()
	rejected := d.identity()
	d.b.Raw, d.b.Hash = clean, d.print.sum()
	if rejected {
		d.b = bill.Bill{Raw: d.b.Raw, Hash: d.b.Hash}
	}
	return bill.Item{Bill: d.b, Problems: d.problems, Rejected: rejected}
}

type plainDecoder struct {
	b        bill.Bill
	print    plainFingerprint
	problems []string

	cardNo            string // as received, scrubbed
	orderNoIsBad      bool   // a problem of it is noted already
	transactionTimeOK bool
	transactionTimeIs string // what it said; empty if there was none
}

func (d *plainDecoder) problem(field []byte, format string, args ...any) {
	d.problems = append(d.problems, plainOneLine(string(field)+": "+fmt.Sprintf(format, args...), 200))
}

func (d *plainDecoder) field(m plainMember) {
	switch string(m.name) {
	case "orderNo":
		d.b.OrderNo = d.text(m)
		d.orderNoIsBad = !plainIsScalar(m.value)
	case "billNo":
		d.b.BillNo = d.text(m)
	case "billType":
		d.b.BillType = d.text(m)
	case "billStatus":
		d.b.Status = d.text(m)
	case "assetId":
		d.b.AssetID = d.text(m)
	case "maskedCardNo":
		d.b.MaskedCardNo = d.text(m)
	case "cardNo":
		d.cardNo = d.text(m)
	case "cardNickName":
		// A user's label, renamed at will: no part of what the bill says.
		if plainIsScalar(m.value) {
			d.b.CardNickName = plainWithoutNUL(plainScalarText(m.value))
		} else {
			d.problem(m.name, "%s, not text", plainKindOf(m.value))
		}
	case "transactionTime":
		d.transactionTime(m)
	case "merchantName":
		d.b.MerchantName = d.text(m)
	case "budgetAccountId":
		d.b.BudgetAccountID = d.text(m)
	case "tradeAmount":
		d.b.Trade = d.amount(m)
	case "outAmount":
		d.b.Out = d.amount(m)
	case "inAmount":
		d.b.In = d.amount(m)
	case "exchangeRate":
		d.b.ExchangeRate = d.text(m)
	case "tradeCountry":
		d.b.TradeCountry = d.text(m)
	case "billFailReason":
		d.failReason(m)
	case "lastUpdate":
		d.lastUpdate(m)
	case "metadata":
		d.print.json(m.name, m.value)
		if m.value[0] == '{' {
			d.b.Metadata = string(m.value)
		}
	default:
		d.print.json(m.name, m.value)
	}
}

func (d *plainDecoder) text(m plainMember) string {
	if !plainIsScalar(m.value) {
		d.problem(m.name, "%s, not text", plainKindOf(m.value))
		d.print.json(m.name, m.value)
		return ""
	}
	text := plainScalarText(m.value)
	if text != "" { // says no more than an absent one
		d.print.text(m.name, text)
	}
	return plainWithoutNUL(text)
}

func plainWithoutNUL(text string) string {
	if strings.IndexByte(text, 0) < 0 {
		return text
	}
	return strings.ReplaceAll(text, "\x00", "")
}

func (d *plainDecoder) transactionTime(m plainMember) {
	if !plainIsScalar(m.value) {
		d.transactionTimeIs = plainKindOf(m.value)
		d.problem(m.name, "%s, not a time", plainKindOf(m.value))
		d.print.json(m.name, m.value)
		return
	}
	text := plainScalarText(m.value)
	if text == "" {
		return // as if absent
	}
	d.transactionTimeIs = text
	t, err := plainParseInstant(text)
	if err != nil {
		d.problem(m.name, "%s: %v", plainQuoted(text, 60), err)
		d.print.text(m.name, text)
		return
	}
	d.b.TransactionTime, d.transactionTimeOK = t.Truncate(time.Millisecond), true
	d.instant(m.name, t)
}

func (d *plainDecoder) lastUpdate(m plainMember) {
	if !plainIsScalar(m.value) {
		d.problem(m.name, "%s, not a time", plainKindOf(m.value))
		d.print.json(m.name, m.value)
		return
	}
	text := plainScalarText(m.value)
	d.b.LastUpdateRaw = plainWithoutNUL(text)
	t, err := plainParseInstant(text)
	switch {
	case err == nil:
		d.b.LastUpdate = t.Truncate(time.Millisecond)
		d.instant(m.name, t)
	case text != "":
		d.print.text(m.name, text)
	}
}

func (d *plainDecoder) instant(name []byte, t time.Time) {
	if y := t.Year(); y < 1700 || y > 2200 { // beyond what UnixNano can count
		d.print.text(name, t.Format(time.RFC3339Nano))
		return
	}
	d.print.time(name, t.UnixNano())
}

func (d *plainDecoder) amount(m plainMember) *bill.Amount {
	if m.value[0] != '{' {
		d.problem(m.name, "%s, not an object", plainKindOf(m.value))
		d.print.json(m.name, m.value)
		return nil
	}
	var currency, value []byte
	var room [4]plainMember
	others := room[:0]
	members := plainAppendMembers(nil, m.value)
	for _, part := range members {
		switch {
		case plainIsNull(part.value):
		case string(part.name) == "currency":
			currency = part.value
		case string(part.name) == "value":
			value = part.value
		default:
			others = append(others, part)
		}
	}
	a, reason := plainParseAmount(currency, value)
	if reason != "" {
		d.problem(m.name, "%s", reason)
		d.print.add(m.name, func(dst []byte) []byte {
			return plainAppendTexts(append(dst, plainPrintJSON), members, "currency", "value")
		})
		return nil
	}
	d.print.amount(m.name, a, others)
	return &a
}

func plainParseAmount(currency, value []byte) (a bill.Amount, reason string) {
	switch {
	case currency == nil:
		return a, "no currency"
	case currency[0] != '"':
		return a, "currency is " + plainKindOf(currency) + ", not text"
	case value == nil:
		return a, "no value"
	case !plainIsScalar(value):
		return a, "value is " + plainKindOf(value) + ", not a number"
	}
	a.Currency = strings.TrimSpace(plainWithoutNUL(plainScalarText(currency)))
	if a.Currency == "" {
		return a, "no currency"
	}
	text := plainScalarText(value)
	v, err := bill.ParseValue(text)
	if err != nil {
		return a, fmt.Sprintf("value %s is not a whole number of smallest units", plainQuoted(text, 40))
	}
	a.Value = v
	return a, ""
}

func (d *plainDecoder) failReason(m plainMember) {
	if m.value[0] == '[' {
		d.problem(m.name, "%s, not an object", plainKindOf(m.value))
		d.print.json(m.name, m.value)
		return
	}
	if plainIsScalar(m.value) {
		code := plainMember{name: []byte("errorCode"), value: m.value}
		d.b.FailCode = plainWithoutNUL(plainScalarText(m.value))
		d.print.add(m.name, func(dst []byte) []byte {
			return plainAppendTexts(append(dst, plainPrintJSON), []plainMember{code}, "errorCode")
		})
		return
	}
	members := plainAppendMembers(nil, m.value)
	for _, part := range members {
		var column *string
		switch string(part.name) {
		case "errorCode":
			column = &d.b.FailCode
		case "errorDesc":
			column = &d.b.FailDesc
		default:
			continue
		}
		switch {
		case plainIsNull(part.value):
		case plainIsScalar(part.value):
			*column = plainWithoutNUL(plainScalarText(part.value))
		default:
			d.problem(m.name, "%s is %s, not text", part.name, plainKindOf(part.value))
		}
	}
	d.print.add(m.name, func(dst []byte) []byte {
		return plainAppendTexts(append(dst, plainPrintJSON), members, "errorCode", "errorDesc")
	})
}

func plainAppendTexts(dst []byte, members []plainMember, texts ...string) []byte {
	spelled := slices.Clone(members)
	for i, m := range members {
		if slices.Contains(texts, string(m.name)) && plainIsScalar(m.value) && m.value[0] != '"' {
			spelled[i].value = plainQuote(m.value)
		}
	}
	return plainAppendCanonicalObject(dst, spelled)
}

func (d *plainDecoder) card() {
	if d.b.MaskedCardNo == "" {
		switch four, cut := strings.CutPrefix(d.cardNo, "****"); {
		case cut && len(four) == 4 && plainLastFourOf(four) != "":
			d.b.MaskedCardNo = "************" + four
		case strings.Contains(d.cardNo, "*"):
			d.b.MaskedCardNo = d.cardNo
		}
	}
	if d.b.CardLast4 = plainLastFourOf(d.b.MaskedCardNo); d.b.CardLast4 == "" {
		d.b.CardLast4 = plainLastFourOf(d.cardNo)
	}
}

func plainLastFourOf(text string) string {
	if len(text) < 4 {
		return ""
	}
	four := text[len(text)-4:]
	if _, ok := plainNumber(four); !ok {
		return ""
	}
	return four
}

func (d *plainDecoder) identity() (rejected bool) {
	if strings.TrimSpace(d.b.OrderNo) == "" {
		rejected = true
		if !d.orderNoIsBad {
			d.problem([]byte("orderNo"), "missing or blank")
		}
	}
	if !d.transactionTimeOK {
		rejected = true
		if d.transactionTimeIs == "" {
			d.problem([]byte("transactionTime"), "missing or blank")
		}
	}
	return rejected
}

type plainFingerprint struct {
	fields []plainPrintedField
	buf    []byte
}

type plainPrintedField struct {
	name     []byte
	from, to int // in buf
}

const (
	plainPrintText   = 's' // a text field, however it was spelled
	plainPrintTime   = 'z' // a time that was understood: the instant
	plainPrintAmount = 'a' // an amount that was understood
	plainPrintJSON   = 'j' // anything else: its JSON, in one canonical form
)

func (p *plainFingerprint) add(name []byte, write func(dst []byte) []byte) {
	from := len(p.buf)
	p.buf = write(p.buf)
	p.fields = append(p.fields, plainPrintedField{name, from, len(p.buf)})
}

func (p *plainFingerprint) text(name []byte, text string) {
	p.add(name, func(dst []byte) []byte { return plainAppendSized(append(dst, plainPrintText), text) })
}

func (p *plainFingerprint) time(name []byte, nanos int64) {
	p.add(name, func(dst []byte) []byte {
		return binary.BigEndian.AppendUint64(append(dst, plainPrintTime), uint64(nanos))
	})
}

func (p *plainFingerprint) amount(name []byte, a bill.Amount, others []plainMember) {
	p.add(name, func(dst []byte) []byte {
		dst = plainAppendSized(append(dst, plainPrintAmount), a.Currency)
		dst = binary.BigEndian.AppendUint64(dst, uint64(a.Value))
		return plainAppendCanonicalObject(dst, others)
	})
}

func (p *plainFingerprint) json(name, value []byte) {
	p.add(name, func(dst []byte) []byte { return plainAppendCanonical(append(dst, plainPrintJSON), value) })
}

func (p *plainFingerprint) sum() string {
	slices.SortFunc(p.fields, func(a, b plainPrintedField) int { return cmp.Compare(string(a.name), string(b.name)) })
	h := sha256.New()
	var size [2 * binary.MaxVarintLen64]byte
	for _, f := range p.fields {
		n := binary.PutUvarint(size[:], uint64(len(f.name)))
		n += binary.PutUvarint(size[n:], uint64(f.to-f.from))
		h.Write(size[:n])
		h.Write(f.name)
		h.Write(p.buf[f.from:f.to])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func plainAppendCanonical(dst, v []byte) []byte {
	switch v[0] {
	case '{':
		return plainAppendCanonicalObject(dst, plainAppendMembers(nil, v))
	case '[':
		elements := plainAppendElements(nil, v)
		dst = binary.AppendUvarint(append(dst, '['), uint64(len(elements)))
		for _, e := range elements {
			dst = plainAppendCanonical(dst, e)
		}
		return dst
	case '"':
		return plainAppendSized(append(dst, '"'), plainStringBytes(v))
	}
	return plainAppendSized(append(dst, '#'), v)
}

func plainAppendCanonicalObject(dst []byte, members []plainMember) []byte {
	members = slices.DeleteFunc(slices.Clone(members), func(m plainMember) bool { return plainIsNull(m.value) })
	slices.SortFunc(members, func(a, b plainMember) int { return cmp.Compare(string(a.name), string(b.name)) })
	dst = binary.AppendUvarint(append(dst, '{'), uint64(len(members)))
	for _, m := range members {
		dst = plainAppendCanonical(plainAppendSized(dst, m.name), m.value)
	}
	return dst
}

func plainAppendSized[T ~string | ~[]byte](dst []byte, text T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

type plainScrubRule int

const (
	plainScrubNothing plainScrubRule = iota // ids, amounts: long digit runs are normal there
	plainScrubTime                          // nothing if it can be read as a time, else any
	plainScrubText                          // free text: in strings, runs that pass the Luhn check
	plainScrubAny                           // the same in strings and numbers: texts of a bill, metadata, values without a name
	plainScrubCard                          // fields about a card: every run long enough
)

func plainScrub(raw []byte) []byte {
	// \u00 may hide a digit or a separator.
	if !plainHasLongRun(raw) && !bytes.Contains(raw, []byte(`\u00`)) {
		return raw
	}
	if !json.Valid(raw) {
		out, changed := plainAppendScrubbed(nil, raw, plainScrubText)
		if !changed {
			return raw
		}
		return out
	}
	return plainScrubJSON(raw)
}

func plainScrubJSON(raw []byte) []byte {
	s := plainScrubber{src: raw}
	s.value(plainSkipSpace(raw, 0), plainScope{rule: plainScrubAny})
	if s.out == nil {
		return raw
	}
	return append(s.out, raw[s.done:]...)
}

func plainQuoted(text string, limit int) string {
	text = plainScrubLine(text)
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit])
	}
	return strconv.Quote(text)
}

func plainScrubLine(text string) string {
	out, changed := plainAppendScrubbed(nil, []byte(text), plainScrubText)
	if !changed {
		return text
	}
	return string(out)
}

type plainScope struct {
	rule   plainScrubRule
	name   []byte // nearest name
	sticky bool   // the rule holds for everything beneath, whatever its name
}

func (s plainScope) member(name []byte) plainScope {
	switch {
	case s.rule == plainScrubCard && s.sticky, plainContainsFold(name, "card"):
		return plainScope{plainScrubCard, name, true}
	case s.sticky, string(name) == "metadata":
		return plainScope{plainScrubAny, name, true}
	}
	return plainScope{plainRuleFor(s.name, name), name, false}
}

func plainRuleFor(parent, name []byte) plainScrubRule {
	switch string(name) {
	case "exchangeRate":
		return plainScrubNothing
	case "billType", "billStatus", "merchantName", "tradeCountry", "billFailReason", "errorCode", "errorDesc":
		return plainScrubAny // a number there is read as text, and must be scrubbed as text is
	case "currency", "value":
		// Only where it is an amount's: a value of anything else may be anything.
		if plainHasSuffixFold(parent, "amount") {
			return plainScrubNothing
		}
	}
	for _, suffix := range [...]string{"no", "id", "ids", "number"} {
		if plainHasSuffixFold(name, suffix) {
			return plainScrubNothing
		}
	}
	for _, suffix := range [...]string{"time", "update"} {
		if plainHasSuffixFold(name, suffix) {
			return plainScrubTime
		}
	}
	return plainScrubText
}

type plainScrubber struct {
	src  []byte
	out  []byte // what src[:done] became; nil as long as nothing changed
	done int
	buf  []byte
}

func (s *plainScrubber) value(i int, in plainScope) int {
	src := s.src
	switch src[i] {
	case '{':
		for i = plainSkipSpace(src, i+1); src[i] != '}'; {
			if src[i] == ',' {
				i = plainSkipSpace(src, i+1)
			}
			end := plainSkipString(src, i)
			name := plainStringBytes(src[i:end])
			s.text(i, end, plainScrubText)
			i = s.value(plainSkipSpace(src, plainSkipSpace(src, end)+1), in.member(name))
			i = plainSkipSpace(src, i)
		}
		return i + 1
	case '[':
		for i = plainSkipSpace(src, i+1); src[i] != ']'; {
			if src[i] == ',' {
				i = plainSkipSpace(src, i+1)
			}
			i = plainSkipSpace(src, s.value(i, in))
		}
		return i + 1
	case '"':
		end := plainSkipString(src, i)
		if rule := in.rule.of(src[i:end]); rule != plainScrubNothing {
			s.text(i, end, rule)
		}
		return end
	}
	end := plainSkipLiteral(src, i)
	if rule := in.rule.of(src[i:end]); (rule == plainScrubCard || rule == plainScrubAny) && end-i >= plainMinCardDigits {
		var changed bool
		s.buf, changed = plainAppendScrubbed(append(s.buf[:0], '"'), src[i:end], rule)
		if changed { // no number any more, so it becomes a string
			s.replace(i, end, append(s.buf, '"'))
		}
	}
	return end
}

func (r plainScrubRule) of(literal []byte) plainScrubRule {
	if r != plainScrubTime {
		return r
	}
	if len(literal) <= 42 {
		if _, err := plainParseInstant(plainScalarText(literal)); err == nil {
			return plainScrubNothing
		}
	}
	return plainScrubAny
}

func (s *plainScrubber) text(i, end int, rule plainScrubRule) {
	literal := s.src[i:end]
	if len(literal) < plainMinCardDigits+len(`""`) {
		return
	}
	if bytes.IndexByte(literal, '\\') < 0 {
		var changed bool
		if s.buf, changed = plainAppendScrubbed(s.buf[:0], literal, rule); changed {
			s.replace(i, end, s.buf)
		}
		return
	}
	// Escapes can hide digits and separators, so what counts is what it says, and
	// also what it will say in a column, which has no place for U+0000.
	said := plainStringBytes(literal)
	out, changed := plainAppendScrubbed(s.buf[:0], said, rule)
	if bytes.IndexByte(out, 0) >= 0 {
		joined, also := plainAppendScrubbed(nil, bytes.ReplaceAll(out, []byte{0}, nil), rule)
		if also {
			out, changed = joined, true
		}
	}
	if s.buf = out; changed {
		s.replace(i, end, plainQuote(out))
	}
}

func (s *plainScrubber) replace(i, end int, with []byte) {
	if s.out == nil {
		s.out = make([]byte, 0, len(s.src)+16)
	}
	s.out = append(s.out, s.src[s.done:i]...)
	s.out = append(s.out, with...)
	s.done = end
}

func plainQuote(text []byte) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(string(text)); err != nil {
		panic("worldfirst: writing a string: " + err.Error()) // cannot be
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func plainContainsFold(name []byte, lower string) bool {
	for i := range len(name) - len(lower) + 1 {
		if plainEqualFold(name[i:i+len(lower)], lower) {
			return true
		}
	}
	return false
}

func plainHasSuffixFold(name []byte, lower string) bool {
	return len(name) >= len(lower) && plainEqualFold(name[len(name)-len(lower):], lower)
}

func plainEqualFold(name []byte, lower string) bool {
	for i := range len(lower) {
		if name[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}

func plainOneLine(text string, limit int) string {
	// A control character may hide a number as well as end one.
	text = plainScrubLine(strings.ToValidUTF8(text, "\ufffd"))
	text = strings.Join(strings.Fields(text), " ")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
	text = plainScrubLine(text)
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return text
}

const (
	plainMinCardDigits = 12
	plainMinTextDigits = 13 // in free text, where chance hits are dearer
	plainMaxCardDigits = 19
)

type plainGroup struct{ from, to int }

func (g plainGroup) len() int { return g.to - g.from }

func plainIsDigit(c byte) bool { return '0' <= c && c <= '9' }

func plainNextRun(buf []plainGroup, text []byte, i int) []plainGroup {
	for i < len(text) && !plainIsDigit(text[i]) {
		i++
	}
	for i < len(text) {
		g := plainGroup{from: i}
		for i < len(text) && plainIsDigit(text[i]) {
			i++
		}
		g.to = i
		buf = append(buf, g)
		if i+1 >= len(text) || (text[i] != ' ' && text[i] != '-') || !plainIsDigit(text[i+1]) {
			break
		}
		i++
	}
	return buf
}

func plainHasLongRun(text []byte) bool {
	var room [8]plainGroup
	for run := plainNextRun(room[:0], text, 0); len(run) > 0; run = plainNextRun(run[:0], text, run[len(run)-1].to) {
		if plainCountDigits(run) >= plainMinCardDigits {
			return true
		}
	}
	return false
}

func plainCountDigits(groups []plainGroup) int {
	n := 0
	for _, g := range groups {
		n += g.len()
	}
	return n
}

func plainAppendScrubbed(dst, text []byte, rule plainScrubRule) (out []byte, changed bool) {
	from := len(dst)
	dst, changed = plainAppendCut(dst, text, rule)
	// The four digits that stay may make another number with those beside them.
	// It goes as well: what was scrubbed must read the same when it is again.
	for again := changed; again; {
		var cut []byte
		cut, again = plainAppendCut(nil, dst[from:], rule)
		dst = append(dst[:from], cut...)
	}
	return dst, changed
}

func plainAppendCut(dst, text []byte, rule plainScrubRule) (out []byte, changed bool) {
	var room [8]plainGroup
	done := 0
	for run := plainNextRun(room[:0], text, 0); len(run) > 0; run = plainNextRun(run[:0], text, run[len(run)-1].to) {
		if plainCountDigits(run) < plainMinCardDigits {
			continue
		}
		for i := 0; i < len(run); {
			n := plainCardGroups(text, run[i:], rule)
			if n == 0 {
				i++
				continue
			}
			dst = append(dst, text[done:run[i].from]...)
			dst = append(dst, "****"...)
			dst = append(dst, plainLastFour(text, run[i:i+n])...)
			done, changed = run[i+n-1].to, true
			i += n
		}
	}
	return append(dst, text[done:]...), changed
}

func plainCardGroups(text []byte, groups []plainGroup, rule plainScrubRule) int {
	digits, n := 0, 0
	if rule == plainScrubCard {
		// Two numbers side by side are longer than one can be. All of it goes.
		for n < len(groups) && groups[n].len() <= plainMaxCardDigits {
			digits += groups[n].len()
			n++
		}
		if digits < plainMinCardDigits {
			return 0
		}
		return n
	}
	for n < len(groups) && digits+groups[n].len() <= plainMaxCardDigits {
		digits += groups[n].len()
		n++
	}
	// The longest first: other digits may stand before or behind the number.
	for ; n > 0 && digits >= plainMinTextDigits; n-- {
		if plainLuhn(text, groups[:n]) {
			return n
		}
		digits -= groups[n-1].len()
	}
	return 0
}

func plainLastFour(text []byte, groups []plainGroup) []byte {
	var four [4]byte
	at := len(four)
	for i := len(groups) - 1; i >= 0 && at > 0; i-- {
		for j := groups[i].to - 1; j >= groups[i].from && at > 0; j-- {
			at--
			four[at] = text[j]
		}
	}
	return four[at:]
}

func plainLuhn(text []byte, groups []plainGroup) bool {
	sum, double := 0, false
	for i := len(groups) - 1; i >= 0; i-- {
		for j := groups[i].to - 1; j >= groups[i].from; j-- {
			d := int(text[j] - '0')
			if double {
				if d *= 2; d > 9 {
					d -= 9
				}
			}
			sum += d
			double = !double
		}
	}
	return sum%10 == 0
}

type plainMember struct {
	name  []byte
	value []byte
}

func plainSkipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

func plainSkipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func plainSkipLiteral(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case ',', ']', '}', ' ', '\t', '\n', '\r':
			return i
		}
		i++
	}
	return i
}

func plainSkipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return plainSkipString(b, i)
	case '{', '[':
	default:
		return plainSkipLiteral(b, i)
	}
	for depth := 0; ; {
		switch b[i] {
		case '"':
			i = plainSkipString(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
}

func plainAppendMembers(dst []plainMember, b []byte) []plainMember {
	first := len(dst)
	for i := plainSkipSpace(b, 1); b[i] != '}'; {
		if b[i] == ',' {
			i = plainSkipSpace(b, i+1)
		}
		end := plainSkipString(b, i)
		m := plainMember{name: plainStringBytes(b[i:end])}
		i = plainSkipSpace(b, plainSkipSpace(b, end)+1) // over the colon
		end = plainSkipValue(b, i)
		m.value = b[i:end]
		i = plainSkipSpace(b, end)
		if at := slices.IndexFunc(dst[first:], func(o plainMember) bool { return bytes.Equal(o.name, m.name) }); at >= 0 {
			dst[first+at] = m
		} else {
			dst = append(dst, m)
		}
	}
	return dst
}

func plainAppendElements(dst [][]byte, b []byte) [][]byte {
	for i := plainSkipSpace(b, 1); b[i] != ']'; {
		if b[i] == ',' {
			i = plainSkipSpace(b, i+1)
		}
		end := plainSkipValue(b, i)
		dst = append(dst, b[i:end])
		i = plainSkipSpace(b, end)
	}
	return dst
}

func plainIsNull(v []byte) bool { return v[0] == 'n' }

func plainIsScalar(v []byte) bool { return v[0] != '{' && v[0] != '[' && v[0] != 'n' }

func plainScalarText(v []byte) string {
	if v[0] == '"' {
		return string(plainStringBytes(v))
	}
	return string(v)
}

func plainStringBytes(v []byte) []byte {
	if bytes.IndexByte(v, '\\') < 0 && utf8.Valid(v) {
		return v[1 : len(v)-1]
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		panic("worldfirst: string was not validated: " + err.Error())
	}
	return []byte(s)
}

func plainKindOf(v []byte) string {
	switch v[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "text"
	case 't', 'f':
		return "a truth value"
	case 'n':
		return "null"
	}
	return "a number"
}

func plainParseInstant(text string) (time.Time, error) {
	if n, ok := plainNumber(text); ok {
		switch len(text) {
		case 10:
			return time.Unix(n, 0).UTC(), nil
		case 13:
			return time.UnixMilli(n).UTC(), nil
		}
		return time.Time{}, errTime
	}
	// 2006-01-02T15:04:05
	const shape = "dddd-dd-ddTdd:dd:dd"
	if len(text) < len(shape) {
		return time.Time{}, errTime
	}
	for i := range len(shape) {
		if shape[i] == 'd' && isDigit(text[i]) || shape[i] == text[i] && shape[i] != 'd' {
			continue
		}
		return time.Time{}, errTime
	}
	year, month, day := plainDigits(text[0:4]), plainDigits(text[5:7]), plainDigits(text[8:10])
	hour, minute, second := plainDigits(text[11:13]), plainDigits(text[14:16]), plainDigits(text[17:19])
	if hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, errTime
	}
	rest := text[len(shape):]
	nanos := 0
	if rest != "" && rest[0] == '.' {
		end, scale := 1, 100_000_000
		for ; end < len(rest) && isDigit(rest[end]); end++ {
			nanos += int(rest[end]-'0') * scale
			scale /= 10
		}
		if end == 1 {
			return time.Time{}, errTime
		}
		rest = rest[end:]
	}
	if rest == "" {
		return time.Time{}, errNoOffset
	}
	offset, err := plainParseOffset(rest)
	if err != nil {
		return time.Time{}, err
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if t.Day() != day || t.Month() != time.Month(month) {
		return time.Time{}, errTime // time.Date makes 1 March of 30 February
	}
	t = t.Add(-offset)
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}, errTime // it could not be written in four digits
	}
	return t, nil
}

func plainParseOffset(text string) (time.Duration, error) {
	if text == "Z" {
		return 0, nil
	}
	if len(text) == 6 && text[3] == ':' {
		text = text[:3] + text[4:]
	}
	if len(text) != 5 || (text[0] != '+' && text[0] != '-') {
		return 0, errTime
	}
	if _, ok := plainNumber(text[1:]); !ok {
		return 0, errTime
	}
	hours, minutes := plainDigits(text[1:3]), plainDigits(text[3:5])
	if hours > 23 || minutes > 59 {
		return 0, errTime
	}
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if text[0] == '-' {
		d = -d
	}
	return d, nil
}

func plainNumber(text string) (int64, bool) {
	if len(text) < 1 || len(text) > 18 {
		return 0, false
	}
	for i := range len(text) {
		if !isDigit(text[i]) {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

func plainDigits(text string) int {
	n := 0
	for i := range len(text) {
		n = n*10 + int(text[i]-'0')
	}
	return n
}

package worldfirst

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"billsync/internal/bill"
)

// DecodeItem reads one BillInfo (API §8), from a bill list or a notification.
// It never fails: what cannot be understood is named in Problems and kept in
// Raw. Full card numbers are removed first, so neither Raw nor anything else
// of the item holds one.
func DecodeItem(raw []byte) bill.Item {
	raw = bytes.TrimSpace(raw)
	if !json.Valid(raw) {
		clean := bytes.Clone(Scrub(raw))
		var p fingerprint
		p.text([]byte("not JSON"), string(clean))
		return bill.Item{
			Bill:     bill.Bill{Raw: clean, Hash: p.sum()},
			Problems: []string{"not JSON"},
			Rejected: true,
		}
	}
	return decodeItem(raw)
}

// decodeItem is DecodeItem for valid JSON without blanks around it.
func decodeItem(raw []byte) bill.Item {
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\ufffd"))
	}
	clean := scrubJSON(raw)
	// A page's body is large; a bill must not keep all of it in memory, nor
	// change with a buffer of the caller's.
	clean = bytes.Clone(clean)
	d := decoder{}
	if clean[0] != '{' {
		d.print.json(nil, clean)
		return bill.Item{
			Bill:     bill.Bill{Raw: clean, Hash: d.print.sum()},
			Problems: []string{"not an object but " + kindOf(clean)},
			Rejected: true,
		}
	}
	var members [24]member
	for _, m := range appendMembers(members[:0], clean) {
		if !isNull(m.value) {
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

// A decoder gathers one bill.
type decoder struct {
	b        bill.Bill
	print    fingerprint
	problems []string

	cardNo            string // as received, scrubbed
	orderNoIsBad      bool   // a problem of it is noted already
	transactionTimeOK bool
	transactionTimeIs string // what it said; empty if there was none
}

func (d *decoder) problem(field []byte, format string, args ...any) {
	d.problems = append(d.problems, oneLine(string(field)+": "+fmt.Sprintf(format, args...), 200))
}

// field takes one member that is not null (API §8.2). Names match exactly.
func (d *decoder) field(m member) {
	switch string(m.name) {
	case "orderNo":
		d.b.OrderNo = d.text(m)
		d.orderNoIsBad = !isScalar(m.value)
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
		if isScalar(m.value) {
			d.b.CardNickName = withoutNUL(scalarText(m.value))
		} else {
			d.problem(m.name, "%s, not text", kindOf(m.value))
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

// text reads a field of text; numbers and truth values keep their literal.
func (d *decoder) text(m member) string {
	if !isScalar(m.value) {
		d.problem(m.name, "%s, not text", kindOf(m.value))
		d.print.json(m.name, m.value)
		return ""
	}
	text := scalarText(m.value)
	if text != "" { // says no more than an absent one
		d.print.text(m.name, text)
	}
	return withoutNUL(text)
}

// withoutNUL drops a character that databases cannot keep in text.
func withoutNUL(text string) string {
	if strings.IndexByte(text, 0) < 0 {
		return text
	}
	return strings.ReplaceAll(text, "\x00", "")
}

func (d *decoder) transactionTime(m member) {
	if !isScalar(m.value) {
		d.transactionTimeIs = kindOf(m.value)
		d.problem(m.name, "%s, not a time", kindOf(m.value))
		d.print.json(m.name, m.value)
		return
	}
	text := scalarText(m.value)
	if text == "" {
		return // as if absent
	}
	d.transactionTimeIs = text
	t, err := parseInstant(text)
	if err != nil {
		d.problem(m.name, "%s: %v", quoted(text, 60), err)
		d.print.text(m.name, text)
		return
	}
	d.b.TransactionTime, d.transactionTimeOK = t.Truncate(time.Millisecond), true
	d.instant(m.name, t)
}

// lastUpdate reads the provider's last change (API §9.5). Other spellings than
// those known are no problem: a bill has other ways to tell its versions apart.
func (d *decoder) lastUpdate(m member) {
	if !isScalar(m.value) {
		d.problem(m.name, "%s, not a time", kindOf(m.value))
		d.print.json(m.name, m.value)
		return
	}
	text := scalarText(m.value)
	d.b.LastUpdateRaw = withoutNUL(text)
	t, err := parseInstant(text)
	switch {
	case err == nil:
		d.b.LastUpdate = t.Truncate(time.Millisecond)
		d.instant(m.name, t)
	case text != "":
		d.print.text(m.name, text)
	}
}

func (d *decoder) instant(name []byte, t time.Time) {
	if y := t.Year(); y < 1700 || y > 2200 { // beyond what UnixNano can count
		d.print.text(name, t.Format(time.RFC3339Nano))
		return
	}
	d.print.time(name, t.UnixNano())
}

// amount reads currency and value (API §3.5). A value whose unit is in doubt
// is never guessed at: no amount, and a problem that quotes it.
func (d *decoder) amount(m member) *bill.Amount {
	if m.value[0] != '{' {
		d.problem(m.name, "%s, not an object", kindOf(m.value))
		d.print.json(m.name, m.value)
		return nil
	}
	var currency, value []byte
	var room [4]member
	others := room[:0]
	members := appendMembers(nil, m.value)
	for _, part := range members {
		switch {
		case isNull(part.value):
		case string(part.name) == "currency":
			currency = part.value
		case string(part.name) == "value":
			value = part.value
		default:
			others = append(others, part)
		}
	}
	a, reason := parseAmount(currency, value)
	if reason != "" {
		d.problem(m.name, "%s", reason)
		d.print.add(m.name, func(dst []byte) []byte { return appendTexts(append(dst, printJSON), members, "currency", "value") })
		return nil
	}
	d.print.amount(m.name, a, others)
	return &a
}

func parseAmount(currency, value []byte) (a bill.Amount, reason string) {
	switch {
	case currency == nil:
		return a, "no currency"
	case currency[0] != '"':
		return a, "currency is " + kindOf(currency) + ", not text"
	case value == nil:
		return a, "no value"
	case !isScalar(value):
		return a, "value is " + kindOf(value) + ", not a number"
	}
	a.Currency = strings.TrimSpace(withoutNUL(scalarText(currency)))
	if a.Currency == "" {
		return a, "no currency"
	}
	text := scalarText(value)
	v, err := bill.ParseValue(text)
	if err != nil {
		return a, fmt.Sprintf("value %s is not a whole number of smallest units", quoted(text, 40))
	}
	a.Value = v
	return a, ""
}

// failReason reads why a bill failed (API §6.4): an object, or the plain code.
func (d *decoder) failReason(m member) {
	if m.value[0] == '[' {
		d.problem(m.name, "%s, not an object", kindOf(m.value))
		d.print.json(m.name, m.value)
		return
	}
	if isScalar(m.value) {
		code := member{name: []byte("errorCode"), value: m.value}
		d.b.FailCode = withoutNUL(scalarText(m.value))
		d.print.add(m.name, func(dst []byte) []byte { return appendTexts(append(dst, printJSON), []member{code}, "errorCode") })
		return
	}
	members := appendMembers(nil, m.value)
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
		case isNull(part.value):
		case isScalar(part.value):
			*column = withoutNUL(scalarText(part.value))
		default:
			d.problem(m.name, "%s is %s, not text", part.name, kindOf(part.value))
		}
	}
	d.print.add(m.name, func(dst []byte) []byte { return appendTexts(append(dst, printJSON), members, "errorCode", "errorDesc") })
}

// appendTexts writes an object in which some members are texts however they
// were spelled: 100 is "100" in an amount's value.
func appendTexts(dst []byte, members []member, texts ...string) []byte {
	spelled := slices.Clone(members)
	for i, m := range members {
		if slices.Contains(texts, string(m.name)) && isScalar(m.value) && m.value[0] != '"' {
			spelled[i].value = quote(m.value)
		}
	}
	return appendCanonicalObject(dst, spelled)
}

// card fills in what is known of the card (API §8.4). A full number was cut
// down before; if it stood in cardNo, a mask takes its place.
func (d *decoder) card() {
	if d.b.MaskedCardNo == "" {
		switch four, cut := strings.CutPrefix(d.cardNo, "****"); {
		case cut && len(four) == 4 && lastFourOf(four) != "":
			d.b.MaskedCardNo = "************" + four
		case strings.Contains(d.cardNo, "*"):
			d.b.MaskedCardNo = d.cardNo
		}
	}
	if d.b.CardLast4 = lastFourOf(d.b.MaskedCardNo); d.b.CardLast4 == "" {
		d.b.CardLast4 = lastFourOf(d.cardNo)
	}
}

// lastFourOf returns the four digits at the end of a text; empty if there are
// fewer.
func lastFourOf(text string) string {
	if len(text) < 4 {
		return ""
	}
	four := text[len(text)-4:]
	if _, ok := number(four); !ok {
		return ""
	}
	return four
}

// identity notes what every bill must have, and reports whether it is missing:
// without an order number and a time there is nothing to know a bill by (API
// §8.3).
func (d *decoder) identity() (rejected bool) {
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

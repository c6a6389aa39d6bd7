package worldfirst

import (
	"bytes"
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
	var item bill.Item
	var doc document
	if doc.parse(raw) {
		new(decoder).decode(&item, &doc, 0)
		return item
	}
	clean := bytes.Clone(Scrub(raw))
	var p fingerprint
	p.text(headingOf("not JSON"), clean)
	hash := p.sum()
	return bill.Item{
		Bill:     bill.Bill{Raw: clean, Hash: string(hash[:])},
		Problems: []string{"not JSON"},
		Rejected: true,
	}
}

// A field is one of those of a bill that have a place in bill.Bill.
type field int

// The fields of a bill (API §8.2), in the order of their names.
const (
	fieldAssetID field = iota
	fieldFailReason
	fieldBillNo
	fieldStatus
	fieldBillType
	fieldBudgetAccountID
	fieldCardNickName
	fieldCardNo
	fieldExchangeRate
	fieldIn
	fieldLastUpdate
	fieldMaskedCardNo
	fieldMerchantName
	fieldMetadata
	fieldOrderNo
	fieldOut
	fieldTrade
	fieldTradeCountry
	fieldTransactionTime
	fields
	noField = fields
)

var fieldNames = [fields]string{
	"assetId", "billFailReason", "billNo", "billStatus", "billType", "budgetAccountId", "cardNickName", "cardNo", "exchangeRate", "inAmount",
	"lastUpdate", "maskedCardNo", "merchantName", "metadata", "orderNo", "outAmount", "tradeAmount", "tradeCountry", "transactionTime",
}

// fieldOf returns the field of a name, which must match exactly.
func fieldOf(name []byte) field {
	switch string(name) {
	case "assetId":
		return fieldAssetID
	case "billFailReason":
		return fieldFailReason
	case "billNo":
		return fieldBillNo
	case "billStatus":
		return fieldStatus
	case "billType":
		return fieldBillType
	case "budgetAccountId":
		return fieldBudgetAccountID
	case "cardNickName":
		return fieldCardNickName
	case "cardNo":
		return fieldCardNo
	case "exchangeRate":
		return fieldExchangeRate
	case "inAmount":
		return fieldIn
	case "lastUpdate":
		return fieldLastUpdate
	case "maskedCardNo":
		return fieldMaskedCardNo
	case "merchantName":
		return fieldMerchantName
	case "metadata":
		return fieldMetadata
	case "orderNo":
		return fieldOrderNo
	case "outAmount":
		return fieldOut
	case "tradeAmount":
		return fieldTrade
	case "tradeCountry":
		return fieldTradeCountry
	case "transactionTime":
		return fieldTransactionTime
	}
	return noField
}

// A decoder reads bills one after another and keeps its buffers from one to the
// next. Nothing of a finished item refers to them or to the text it was read
// from: a page's body is large, and a bill must not keep all of it in memory,
// nor change with a buffer of the caller's.
type decoder struct {
	item *bill.Item
	doc  *document // what the bill is read from
	own  document  // if that had to be written anew

	scrub   scrubber
	place   [fields]int // the fields' values; 0 if there is none
	first   [fields]int // of those that have one, where they were named first
	others  []member    // members that are no fields
	print   fingerprint
	texts   strings.Builder // what the columns say
	amounts []bill.Amount   // those of the item
	faulty  []field         // what the item's problems are about

	cardNo            string // as received, scrubbed
	transactionTimeOK bool
}

// decode reads the value v of a document into an empty item.
func (d *decoder) decode(item *bill.Item, doc *document, v int) {
	d.item, d.doc = item, doc
	if doc.broken && !utf8.Valid(doc.json(v)) {
		v = d.readAgain(bytes.ToValidUTF8(doc.json(v), []byte("\ufffd")))
	}
	d.print.reset()
	d.scrub.begin(d.doc, v)
	if d.doc.first(v) != '{' {
		d.scrub.scrub(v, scope{rule: scrubAny})
		d.noObject(v)
		return
	}
	d.members(v, true)
	if clean := d.scrub.end(); clean != nil {
		v = d.readAgain(clean)
		d.members(v, false)
	}
	d.keepRaw(v)
	d.fields()
}

// noObject takes a value that is no object, and so no bill.
func (d *decoder) noObject(v int) {
	if clean := d.scrub.end(); clean != nil {
		v = d.readAgain(clean)
	}
	d.keepRaw(v)
	d.print.json(headingOf(""), d.doc, v)
	hash := d.print.sum()
	d.item.Bill.Hash = string(hash[:])
	d.item.Problems = []string{"not an object but " + d.doc.kind(v)}
	d.item.Rejected = true
}

func (d *decoder) keepRaw(v int) {
	raw := d.doc.json(v)
	d.item.Bill.Raw = make([]byte, len(raw))
	copy(d.item.Bill.Raw, raw)
}

// readAgain replaces the document by a single value that was made of it, and
// returns its place.
func (d *decoder) readAgain(raw []byte) int {
	if !d.own.parse(raw) {
		panic("worldfirst: a bill that was JSON is none any more")
	}
	d.doc = &d.own
	return 0
}

// members finds the members of a bill. Of two with one name the last counts. All
// of them are scrubbed, if asked.
func (d *decoder) members(v int, scrub bool) {
	d.place, d.others = [fields]int{}, d.others[:0]
	end := d.doc.next(v)
	for m := v + 1; m < end; m = d.doc.next(m + 1) {
		name := d.doc.text(m)
		f := fieldOf(name)
		switch {
		case f == noField:
			d.others = append(d.others, member{name, m + 1})
		case d.place[f] == 0:
			d.first[f] = m
			fallthrough
		default:
			d.place[f] = m + 1
		}
		if scrub {
			d.scrub.member(m, f, scope{rule: scrubAny})
		}
	}
}

// fields reads the members of a bill, in the order of their names.
func (d *decoder) fields() {
	d.cardNo, d.transactionTimeOK, d.faulty = "", false, d.faulty[:0]
	d.makeRoom()
	others := d.doc.countedMembers(d.others)
	for f, v := range &d.place {
		if v == 0 || d.doc.isNull(v) {
			continue
		}
		for len(others) > 0 && string(others[0].name) < fieldNames[f] {
			d.print.json(headingOf(string(others[0].name)), d.doc, others[0].value)
			others = others[1:]
		}
		d.field(field(f), v)
	}
	for _, m := range others {
		d.print.json(headingOf(string(m.name)), d.doc, m.value)
	}
	b := &d.item.Bill
	hash := d.print.sum()
	b.Hash = d.keep(hash[:])
	d.card()
	d.sortProblems()
	if d.identity() {
		*b = bill.Bill{Raw: b.Raw, Hash: b.Hash}
		d.item.Rejected = true
	}
}

// makeRoom makes room for all texts of a bill and for its amounts: what is long
// enough for most is one allocation each, and what is longer gets another.
func (d *decoder) makeRoom() {
	texts, amounts := len("0123456789abcdef0123456789abcdef"), 0
	for f, v := range &d.place {
		switch {
		case v == 0 || f == int(fieldMetadata):
		case f == int(fieldTrade) || f == int(fieldOut) || f == int(fieldIn):
			amounts++
			texts += len("USD")
		case d.doc.isScalar(v) || f == int(fieldFailReason):
			texts += len(d.doc.json(v))
		}
	}
	d.texts.Reset() // lets go of those of the bill before
	d.texts.Grow(texts)
	d.amounts = nil
	if amounts > 0 {
		d.amounts = make([]bill.Amount, 0, amounts)
	}
}

// storable drops U+0000 from what the scalar v says. Databases cannot keep it,
// and JSON can say it only by an escape.
func (d *decoder) storable(v int, said []byte) []byte {
	if d.doc.nodes[v].marks&markEscaped == 0 {
		return said
	}
	return bytes.ReplaceAll(said, []byte{0}, nil)
}

// keep returns a text as a piece of the one string that holds all of the bill's.
func (d *decoder) keep(text []byte) string {
	from := d.texts.Len()
	d.texts.Write(text)
	return d.texts.String()[from:]
}

// column returns what the scalar v says as a text of the bill.
func (d *decoder) column(v int, said []byte) string { return d.keep(d.storable(v, said)) }

// problem notes what could not be understood of a field.
func (d *decoder) problem(f field, format string, args ...any) {
	d.faulty = append(d.faulty, f)
	d.item.Problems = append(d.item.Problems, oneLine(fieldNames[f]+": "+fmt.Sprintf(format, args...), 200))
}

// sortProblems puts the problems into the order in which the fields were sent.
func (d *decoder) sortProblems() {
	for i := range d.faulty {
		for j := i; j > 0 && d.first[d.faulty[j]] < d.first[d.faulty[j-1]]; j-- {
			d.faulty[j], d.faulty[j-1] = d.faulty[j-1], d.faulty[j]
			problems := d.item.Problems
			problems[j], problems[j-1] = problems[j-1], problems[j]
		}
	}
}

// field takes a field that is not null (API §8.2).
func (d *decoder) field(f field, v int) {
	b := &d.item.Bill
	switch f {
	case fieldOrderNo:
		d.text(f, v, &b.OrderNo)
	case fieldBillNo:
		d.text(f, v, &b.BillNo)
	case fieldBillType:
		d.text(f, v, &b.BillType)
	case fieldStatus:
		d.text(f, v, &b.Status)
	case fieldAssetID:
		d.text(f, v, &b.AssetID)
	case fieldMaskedCardNo:
		d.text(f, v, &b.MaskedCardNo)
	case fieldCardNo:
		d.text(f, v, &d.cardNo)
	case fieldCardNickName:
		// A user's label, renamed at will: no part of what the bill says.
		if d.doc.isScalar(v) {
			b.CardNickName = d.column(v, d.doc.text(v))
		} else {
			d.problem(f, "%s, not text", d.doc.kind(v))
		}
	case fieldTransactionTime:
		d.transactionTime(v)
	case fieldMerchantName:
		d.text(f, v, &b.MerchantName)
	case fieldBudgetAccountID:
		d.text(f, v, &b.BudgetAccountID)
	case fieldTrade:
		d.amount(f, v, &b.Trade)
	case fieldOut:
		d.amount(f, v, &b.Out)
	case fieldIn:
		d.amount(f, v, &b.In)
	case fieldExchangeRate:
		d.text(f, v, &b.ExchangeRate)
	case fieldTradeCountry:
		d.text(f, v, &b.TradeCountry)
	case fieldFailReason:
		d.failReason(v)
	case fieldLastUpdate:
		d.lastUpdate(v)
	case fieldMetadata:
		d.print.json(fieldHeadings[f], d.doc, v)
		if d.doc.first(v) == '{' {
			b.Metadata = string(d.doc.json(v)) // any length, so it stands alone
		}
	}
}

// text reads a field of text; numbers and truth values keep their literal.
func (d *decoder) text(f field, v int, to *string) {
	if !d.doc.isScalar(v) {
		d.problem(f, "%s, not text", d.doc.kind(v))
		d.print.json(fieldHeadings[f], d.doc, v)
		return
	}
	text := d.doc.text(v)
	if len(text) > 0 { // says no more than an absent one
		d.print.text(fieldHeadings[f], text)
	}
	*to = d.column(v, text)
}

func (d *decoder) transactionTime(v int) {
	const f = fieldTransactionTime
	if !d.doc.isScalar(v) {
		d.problem(f, "%s, not a time", d.doc.kind(v))
		d.print.json(fieldHeadings[f], d.doc, v)
		return
	}
	text := d.doc.text(v)
	if len(text) == 0 {
		return // as if absent
	}
	t, err := parseInstant(string(text))
	if err != nil {
		d.problem(f, "%s: %v", quoted(string(text), 60), err)
		d.print.text(fieldHeadings[f], text)
		return
	}
	d.item.Bill.TransactionTime, d.transactionTimeOK = t.Truncate(time.Millisecond), true
	d.instant(f, t)
}

// lastUpdate reads the provider's last change (API §9.5). Other spellings than
// those known are no problem: a bill has other ways to tell its versions apart.
func (d *decoder) lastUpdate(v int) {
	const f = fieldLastUpdate
	if !d.doc.isScalar(v) {
		d.problem(f, "%s, not a time", d.doc.kind(v))
		d.print.json(fieldHeadings[f], d.doc, v)
		return
	}
	text := d.doc.text(v)
	d.item.Bill.LastUpdateRaw = d.column(v, text)
	t, err := parseInstant(string(text))
	switch {
	case err == nil:
		d.item.Bill.LastUpdate = t.Truncate(time.Millisecond)
		d.instant(f, t)
	case len(text) > 0:
		d.print.text(fieldHeadings[f], text)
	}
}

func (d *decoder) instant(f field, t time.Time) {
	if at := t.Unix(); at < year1700 || at >= year2201 { // beyond what UnixNano can count
		d.print.text(fieldHeadings[f], t.AppendFormat(nil, time.RFC3339Nano))
		return
	}
	d.print.time(fieldHeadings[f], t.UnixNano())
}

// amount reads currency and value (API §3.5). A value whose unit is in doubt
// is never guessed at: no amount, and a problem that quotes it.
func (d *decoder) amount(f field, v int, to **bill.Amount) {
	if d.doc.first(v) != '{' {
		d.problem(f, "%s, not an object", d.doc.kind(v))
		d.print.json(fieldHeadings[f], d.doc, v)
		return
	}
	var currency, value int
	var room [4]member
	others := room[:0]
	for m := v + 1; m < d.doc.next(v); m = d.doc.next(m + 1) {
		switch name := d.doc.text(m); string(name) {
		case "currency":
			currency = m + 1
		case "value":
			value = m + 1
		default:
			others = append(others, member{name, m + 1})
		}
	}
	a, reason := d.parseAmount(currency, value)
	if reason != "" {
		d.problem(f, "%s", reason)
		d.print.object(fieldHeadings[f], d.doc, d.doc.appendMembers(room[:0], v), "currency", "value")
		return
	}
	d.amounts = append(d.amounts, a)
	*to = &d.amounts[len(d.amounts)-1]
	d.print.amount(fieldHeadings[f], *to, d.doc, d.doc.countedMembers(others))
}

// parseAmount returns an amount, or the reason why it is none; 0 stands for what
// was not sent.
func (d *decoder) parseAmount(currency, value int) (a bill.Amount, reason string) {
	switch {
	case currency == 0 || d.doc.isNull(currency):
		return a, "no currency"
	case d.doc.first(currency) != '"':
		return a, "currency is " + d.doc.kind(currency) + ", not text"
	case value == 0 || d.doc.isNull(value):
		return a, "no value"
	case !d.doc.isScalar(value):
		return a, "value is " + d.doc.kind(value) + ", not a number"
	}
	code := bytes.TrimSpace(d.storable(currency, d.doc.text(currency)))
	if len(code) == 0 {
		return a, "no currency"
	}
	text := d.doc.text(value)
	n, ok := number(string(text))
	if !ok { // it may have a sign
		var err error
		if n, err = bill.ParseValue(string(text)); err != nil {
			return a, fmt.Sprintf("value %s is not a whole number of smallest units", quoted(string(text), 40))
		}
	}
	return bill.Amount{Currency: d.keep(code), Value: n}, ""
}

// failReason reads why a bill failed (API §6.4): an object, or the plain code.
func (d *decoder) failReason(v int) {
	const f = fieldFailReason
	b := &d.item.Bill
	if d.doc.first(v) == '[' {
		d.problem(f, "%s, not an object", d.doc.kind(v))
		d.print.json(fieldHeadings[f], d.doc, v)
		return
	}
	if d.doc.isScalar(v) {
		b.FailCode = d.column(v, d.doc.text(v))
		d.print.object(fieldHeadings[f], d.doc, []member{{[]byte("errorCode"), v}}, "errorCode")
		return
	}
	var codeDone, descDone bool
	for m := v + 1; m < d.doc.next(v); m = d.doc.next(m + 1) {
		to, done := &b.FailCode, &codeDone
		switch string(d.doc.text(m)) {
		case "errorCode":
		case "errorDesc":
			to, done = &b.FailDesc, &descDone
		default:
			continue
		}
		if *done {
			continue // of two with one name the last counts, at the place of the first
		}
		*done = true
		name := string(d.doc.text(m))
		switch value := d.doc.find(v, name); {
		case value == 0:
		case d.doc.isScalar(value):
			*to = d.column(value, d.doc.text(value))
		default:
			d.problem(f, "%s is %s, not text", name, d.doc.kind(value))
		}
	}
	var room [4]member
	members := d.doc.appendMembers(room[:0], v)
	d.print.object(fieldHeadings[f], d.doc, members, "errorCode", "errorDesc")
}

// card fills in what is known of the card (API §8.4). A full number was cut
// down before; if it stood in cardNo, a mask takes its place.
func (d *decoder) card() {
	b := &d.item.Bill
	if b.MaskedCardNo == "" {
		switch four, cut := strings.CutPrefix(d.cardNo, "****"); {
		case cut && len(four) == 4 && lastFourOf(four) != "":
			b.MaskedCardNo = "************" + four
		case strings.Contains(d.cardNo, "*"):
			b.MaskedCardNo = d.cardNo
		}
	}
	if b.CardLast4 = lastFourOf(b.MaskedCardNo); b.CardLast4 == "" {
		b.CardLast4 = lastFourOf(d.cardNo)
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
	missing := func(f field) {
		rejected = true
		if !slices.Contains(d.faulty, f) {
			d.problem(f, "missing or blank")
		}
	}
	if strings.TrimSpace(d.item.Bill.OrderNo) == "" {
		missing(fieldOrderNo)
	}
	if !d.transactionTimeOK {
		missing(fieldTransactionTime)
	}
	return rejected
}

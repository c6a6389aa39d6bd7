package worldfirst

import (
	"bytes"
	"fmt"
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
	p.others = []printedMember{{name: []byte("not JSON"), said: p.text(clean)}}
	return bill.Item{
		Bill:     bill.Bill{Raw: clean, Hash: string(p.appendSum(nil))},
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

	place   [fields]int // the fields' values; 0 if there is none
	order   []field     // fields in the order in which they were sent
	others  []member    // members that are no fields
	print   fingerprint
	texts   []byte      // what the columns say
	columns []column    // where
	amounts []sumColumn // the amounts that were understood

	cardNo            string // as received, scrubbed
	orderNoIsBad      bool   // a problem of it is noted already
	transactionTimeOK bool
	transactionTimeIs bool // it said something
}

// A column is a text of the bill that stands in texts until all are known. All
// texts of a bill are pieces of one string: one allocation instead of many.
type column struct {
	text     *string
	from, to int
}

// A sumColumn is an amount whose currency stands in texts.
type sumColumn struct {
	amount   **bill.Amount
	value    int64
	from, to int
}

// decode reads the value v of a document into an empty item.
func (d *decoder) decode(item *bill.Item, doc *document, v int) {
	d.item, d.doc = item, doc
	if doc.broken && !utf8.Valid(doc.json(v)) {
		v = d.readAgain(bytes.ToValidUTF8(doc.json(v), []byte("\ufffd")))
	}
	if clean := d.doc.scrub(v); clean != nil {
		v = d.readAgain(clean)
	}
	d.print.reset()
	item.Bill.Raw = bytes.Clone(d.doc.json(v))
	if d.doc.first(v) != '{' {
		d.print.others = append(d.print.others, printedMember{said: d.print.json(d.doc, v)})
		item.Problems = []string{"not an object but " + d.doc.kind(v)}
		item.Bill.Hash = string(d.print.appendSum(nil))
		item.Rejected = true
		return
	}
	d.texts, d.columns, d.amounts = d.texts[:0], d.columns[:0], d.amounts[:0]
	d.cardNo, d.orderNoIsBad, d.transactionTimeOK, d.transactionTimeIs = "", false, false, false
	d.members(v)
	d.finish()
	d.card()
	if d.identity() {
		item.Bill = bill.Bill{Raw: item.Bill.Raw, Hash: item.Bill.Hash}
		item.Rejected = true
	}
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

// members reads the members of a bill. Of two with one name the last counts, at
// the place of the first.
func (d *decoder) members(v int) {
	d.place, d.order, d.others = [fields]int{}, d.order[:0], d.others[:0]
	end := d.doc.next(v)
	for m := v + 1; m < end; m = d.doc.next(m + 1) {
		name := d.doc.text(m)
		f := fieldOf(name)
		if f == noField {
			d.others = append(d.others, member{name, m + 1})
			continue
		}
		if d.place[f] == 0 {
			d.order = append(d.order, f)
		}
		d.place[f] = m + 1
	}
	for _, f := range d.order {
		if !d.doc.isNull(d.place[f]) {
			d.field(f, d.place[f])
		}
	}
	for _, m := range d.doc.countedMembers(d.others) {
		d.print.others = append(d.print.others, printedMember{m.name, d.print.json(d.doc, m.value)})
	}
}

// finish makes the texts and amounts of the bill, and its hash.
func (d *decoder) finish() {
	from := len(d.texts)
	d.texts = d.print.appendSum(d.texts)
	d.columns = append(d.columns, column{&d.item.Bill.Hash, from, len(d.texts)})
	texts := string(d.texts)
	for _, c := range d.columns {
		*c.text = texts[c.from:c.to]
	}
	if len(d.amounts) == 0 {
		return
	}
	amounts := make([]bill.Amount, len(d.amounts))
	for i, a := range d.amounts {
		amounts[i] = bill.Amount{Currency: texts[a.from:a.to], Value: a.value}
		*a.amount = &amounts[i]
	}
}

func (d *decoder) problem(f field, format string, args ...any) {
	d.item.Problems = append(d.item.Problems, oneLine(fieldNames[f]+": "+fmt.Sprintf(format, args...), 200))
}

// field takes a field that is not null (API §8.2).
func (d *decoder) field(f field, v int) {
	b := &d.item.Bill
	switch f {
	case fieldOrderNo:
		d.text(f, v, &b.OrderNo)
		d.orderNoIsBad = !d.doc.isScalar(v)
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
			d.column(&b.CardNickName, d.doc.text(v))
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
		d.print.fields[f] = d.print.json(d.doc, v)
		if d.doc.first(v) == '{' {
			b.Metadata = string(d.doc.json(v)) // any length, so it stands alone
		}
	}
}

// text reads a field of text; numbers and truth values keep their literal.
func (d *decoder) text(f field, v int, column *string) {
	if !d.doc.isScalar(v) {
		d.problem(f, "%s, not text", d.doc.kind(v))
		d.print.fields[f] = d.print.json(d.doc, v)
		return
	}
	text := d.doc.text(v)
	if len(text) > 0 { // says no more than an absent one
		d.print.fields[f] = d.print.text(text)
	}
	d.column(column, text)
}

// column remembers what a text of the bill says.
func (d *decoder) column(to *string, text []byte) {
	from := len(d.texts)
	d.texts = append(d.texts, withoutNUL(text)...)
	d.columns = append(d.columns, column{to, from, len(d.texts)})
}

// withoutNUL drops a character that databases cannot keep in text.
func withoutNUL(text []byte) []byte {
	if bytes.IndexByte(text, 0) < 0 {
		return text
	}
	return bytes.ReplaceAll(text, []byte{0}, nil)
}

func (d *decoder) transactionTime(v int) {
	const f = fieldTransactionTime
	if !d.doc.isScalar(v) {
		d.transactionTimeIs = true
		d.problem(f, "%s, not a time", d.doc.kind(v))
		d.print.fields[f] = d.print.json(d.doc, v)
		return
	}
	text := d.doc.text(v)
	if len(text) == 0 {
		return // as if absent
	}
	d.transactionTimeIs = true
	t, err := parseInstant(string(text))
	if err != nil {
		d.problem(f, "%s: %v", quoted(string(text), 60), err)
		d.print.fields[f] = d.print.text(text)
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
		d.print.fields[f] = d.print.json(d.doc, v)
		return
	}
	text := d.doc.text(v)
	d.column(&d.item.Bill.LastUpdateRaw, text)
	t, err := parseInstant(string(text))
	switch {
	case err == nil:
		d.item.Bill.LastUpdate = t.Truncate(time.Millisecond)
		d.instant(f, t)
	case len(text) > 0:
		d.print.fields[f] = d.print.text(text)
	}
}

func (d *decoder) instant(f field, t time.Time) {
	if y := t.Year(); y < 1700 || y > 2200 { // beyond what UnixNano can count
		d.print.fields[f] = d.print.text(t.AppendFormat(nil, time.RFC3339Nano))
		return
	}
	d.print.fields[f] = d.print.time(t.UnixNano())
}

// amount reads currency and value (API §3.5). A value whose unit is in doubt
// is never guessed at: no amount, and a problem that quotes it.
func (d *decoder) amount(f field, v int, to **bill.Amount) {
	if d.doc.first(v) != '{' {
		d.problem(f, "%s, not an object", d.doc.kind(v))
		d.print.fields[f] = d.print.json(d.doc, v)
		return
	}
	var room [4]member
	members := d.doc.appendMembers(room[:0], v)
	var currency, value int
	others := 0 // they come to stand before the two
	for i, m := range members {
		switch string(m.name) {
		case "currency":
			currency = m.value
		case "value":
			value = m.value
		default:
			members[others], members[i] = m, members[others]
			others++
		}
	}
	from := len(d.texts)
	n, reason := d.parseAmount(currency, value)
	if reason != "" {
		d.problem(f, "%s", reason)
		d.print.fields[f] = d.print.object(d.doc, d.doc.appendMembers(room[:0], v), "currency", "value")
		return
	}
	d.amounts = append(d.amounts, sumColumn{to, n, from, len(d.texts)})
	d.print.fields[f] = d.print.amount(d.texts[from:], n, d.doc, members[:others])
}

// parseAmount appends the currency of an amount to texts and returns its value,
// or the reason why it is none.
func (d *decoder) parseAmount(currency, value int) (n int64, reason string) {
	switch {
	case currency == 0:
		return 0, "no currency"
	case d.doc.first(currency) != '"':
		return 0, "currency is " + d.doc.kind(currency) + ", not text"
	case value == 0:
		return 0, "no value"
	case !d.doc.isScalar(value):
		return 0, "value is " + d.doc.kind(value) + ", not a number"
	}
	code := bytes.TrimSpace(withoutNUL(d.doc.text(currency)))
	if len(code) == 0 {
		return 0, "no currency"
	}
	text := d.doc.text(value)
	n, err := bill.ParseValue(string(text))
	if err != nil {
		return 0, fmt.Sprintf("value %s is not a whole number of smallest units", quoted(string(text), 40))
	}
	d.texts = append(d.texts, code...)
	return n, ""
}

// failReason reads why a bill failed (API §6.4): an object, or the plain code.
func (d *decoder) failReason(v int) {
	const f = fieldFailReason
	b := &d.item.Bill
	if d.doc.first(v) == '[' {
		d.problem(f, "%s, not an object", d.doc.kind(v))
		d.print.fields[f] = d.print.json(d.doc, v)
		return
	}
	if d.doc.isScalar(v) {
		d.column(&b.FailCode, d.doc.text(v))
		d.print.fields[f] = d.print.object(d.doc, []member{{[]byte("errorCode"), v}}, "errorCode")
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
			d.column(to, d.doc.text(value))
		default:
			d.problem(f, "%s is %s, not text", name, d.doc.kind(value))
		}
	}
	var room [4]member
	members := d.doc.appendMembers(room[:0], v)
	d.print.fields[f] = d.print.object(d.doc, members, "errorCode", "errorDesc")
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
	if strings.TrimSpace(d.item.Bill.OrderNo) == "" {
		rejected = true
		if !d.orderNoIsBad {
			d.problem(fieldOrderNo, "missing or blank")
		}
	}
	if !d.transactionTimeOK {
		rejected = true
		if !d.transactionTimeIs {
			d.problem(fieldTransactionTime, "missing or blank")
		}
	}
	return rejected
}

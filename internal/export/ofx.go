package export

import (
	"fmt"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"billsync/internal/bill"
)

// Lengths of OFX, 11.3 and 11.4.
const (
	ofxAcctID = 22
	ofxName   = 32
	ofxMemo   = 255
)

// ofx writes one statement of a card, or of a bank account: XML (2.02), or SGML
// (1.02), whose elements have no end and whose texts are ASCII.
type ofx struct {
	*out
	sgml, bank bool
	s          *Statement
}

const ofxHead1 = `OFXHEADER:100
DATA:OFXSGML
VERSION:102
SECURITY:NONE
ENCODING:USASCII
CHARSET:1252
COMPRESSION:NONE
OLDFILEUID:NONE
NEWFILEUID:NONE

`

const ofxHead2 = `<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<?OFX OFXHEADER="200" VERSION="202" SECURITY="NONE" OLDFILEUID="NONE" NEWFILEUID="NONE"?>
`

func openOFX(w *out, o *Options, h *Head) (Writer, error) {
	x := &ofx{out: w, sgml: o.OFXVersion == "1.02", bank: o.OFXKind == "bank", s: &h.Statements[0]}
	if x.sgml {
		x.text(ofxHead1)
	} else {
		x.text(ofxHead2)
	}
	from, err := ofxDay(x.s.From)
	if err != nil {
		return nil, err
	}
	end, err := x.end()
	if err != nil {
		return nil, err
	}
	x.text("<OFX>\n<SIGNONMSGSRSV1><SONRS>\n")
	x.status()
	x.line("DTSERVER", ofxTime(h.MadeAt))
	x.line("LANGUAGE", "ENG")
	x.text("<FI>")
	x.leaf("ORG", "WorldFirst")
	x.leaf("FID", "00000")
	x.text("</FI>\n</SONRS></SIGNONMSGSRSV1>\n")
	if x.bank {
		x.text("<BANKMSGSRSV1><STMTTRNRS>\n")
	} else {
		x.text("<CREDITCARDMSGSRSV1><CCSTMTTRNRS>\n")
	}
	x.line("TRNUID", "0")
	x.status()
	if x.bank {
		x.text("<STMTRS>\n")
	} else {
		x.text("<CCSTMTRS>\n")
	}
	x.line("CURDEF", iso(x.s.Currency))
	if x.bank {
		x.text("<BANKACCTFROM>")
		x.leaf("BANKID", "WFCARD")
		x.leaf("ACCTID", x.s.id(ofxAcctID))
		x.leaf("ACCTTYPE", "CHECKING")
		x.text("</BANKACCTFROM>\n")
	} else {
		x.text("<CCACCTFROM>")
		x.leaf("ACCTID", x.s.id(ofxAcctID))
		x.text("</CCACCTFROM>\n")
	}
	x.text("<BANKTRANLIST>\n")
	x.line("DTSTART", ofxTime(from))
	x.line("DTEND", ofxTime(end))
	return x, x.failed()
}

// end is when the statement's last day is over.
func (x *ofx) end() (time.Time, error) {
	to, err := ofxDay(x.s.To)
	return to.AddDate(0, 0, 1), err
}

func ofxDay(day string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return t, fmt.Errorf("a day of a statement: %w", err)
	}
	return t, nil
}

func ofxTime(t time.Time) string { return t.UTC().Format("20060102150405.000") + "[0:GMT]" }

func (x *ofx) status() {
	x.text("<STATUS>")
	x.leaf("CODE", "0")
	x.leaf("SEVERITY", "INFO")
	x.text("</STATUS>\n")
}

// xmlEscape is of XML, and of the SGML of OFX, which knows these three.
var xmlEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// leaf writes an element that holds a text.
func (x *ofx) leaf(name, value string) {
	if x.sgml {
		x.text("<", name, ">", xmlEscape.Replace(ASCII(value)), "\n")
		return
	}
	x.text("<", name, ">", xmlEscape.Replace(value), "</", name, ">")
}

// line writes one in a line of its own.
func (x *ofx) line(name, value string) {
	x.leaf(name, value)
	if !x.sgml {
		x.text("\n")
	}
}

// words is a text of a limited length, which ASCII may make longer.
func (x *ofx) words(s string, limit int) string {
	if x.sgml {
		s = ASCII(s)
	}
	return Clean(s, limit)
}

func (x *ofx) Line(l *Line) error {
	day, err := ofxDay(l.Date)
	if err != nil {
		return err
	}
	kind := "DEBIT"
	if l.Amount.Value > 0 {
		kind = "CREDIT"
	}
	x.text("<STMTTRN>\n")
	x.line("TRNTYPE", kind)
	// Noon is the same day wherever the importer thinks it is.
	x.line("DTPOSTED", ofxTime(day.Add(12*time.Hour)))
	x.line("DTUSER", ofxTime(l.At))
	x.line("TRNAMT", l.Amount.Decimal())
	x.line("FITID", l.ID)
	x.line("NAME", x.words(l.payee(0), ofxName))
	x.line("MEMO", x.words(x.memo(l), ofxMemo))
	if rate, currency := originalRate(l); rate != "" {
		x.text("<ORIGCURRENCY>")
		x.leaf("CURRATE", rate)
		x.leaf("CURSYM", currency)
		x.text("</ORIGCURRENCY>\n")
	}
	x.text("</STMTTRN>\n")
	return x.failed()
}

func (x *ofx) memo(l *Line) string {
	parts := l.about()
	if l.OrderNo != "" {
		parts = append(parts, "order "+l.OrderNo)
	}
	if note := noteISO(l.Amount.Currency); note != "" {
		parts = append(parts, note)
	}
	return strings.Join(parts, ", ")
}

// originalRate is what one unit of the merchant's currency was, in the statement's
// currency. It is rounded; the memo has the amount itself.
func originalRate(l *Line) (rate, currency string) {
	if l.Trade == nil || !isoCurrency.MatchString(l.Trade.Currency) || iso(l.Trade.Currency) == iso(l.Amount.Currency) {
		return "", ""
	}
	if rate = quotient(l.Amount, *l.Trade); rate == "0" {
		return "", ""
	}
	return rate, iso(l.Trade.Currency)
}

// quotient divides an amount by another, without signs, to ten places; half a unit of
// the last one is rounded up.
func quotient(a, b bill.Amount) string {
	const places = 10
	more, _ := bill.Decimals(b.Currency)
	less, _ := bill.Decimals(a.Currency)
	n, d := magnitude(a.Value), magnitude(b.Value)
	up, scale := bits.Mul64(n, power(places+more))
	over, by := bits.Mul64(d, power(less))
	var digits string
	if over > 0 || up >= by { // beyond 64 bits
		q := new(big.Rat).Quo(ratOf(a), ratOf(b))
		digits = q.Abs(q).FloatString(places)
	} else {
		q, rest := bits.Div64(up, scale, by)
		if rest >= by-rest {
			q++
		}
		whole, part := q/power(places), q%power(places)
		text := strconv.FormatUint(power(places)+part, 10) // with the zeros in front
		digits = strconv.FormatUint(whole, 10) + "." + text[1:]
	}
	return strings.TrimSuffix(strings.TrimRight(digits, "0"), ".")
}

// magnitude is a value without its sign.
func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

func power(n int) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

// ratOf is an amount in whole units of its currency.
func ratOf(a bill.Amount) *big.Rat {
	places, _ := bill.Decimals(a.Currency)
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)
	return new(big.Rat).SetFrac(big.NewInt(a.Value), unit)
}

func (x *ofx) Close() error {
	end, err := x.end()
	if err != nil {
		return err
	}
	x.text("</BANKTRANLIST>\n<LEDGERBAL>")
	x.leaf("BALAMT", bill.Amount{Currency: x.s.Currency, Value: x.s.Balance}.Decimal())
	x.leaf("DTASOF", ofxTime(end))
	x.text("</LEDGERBAL>\n")
	if x.bank {
		x.text("</STMTRS>\n</STMTTRNRS></BANKMSGSRSV1>\n</OFX>\n")
	} else {
		x.text("</CCSTMTRS>\n</CCSTMTTRNRS></CREDITCARDMSGSRSV1>\n</OFX>\n")
	}
	return x.Flush()
}

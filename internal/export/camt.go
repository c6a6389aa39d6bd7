package export

import (
	"strings"
	"time"

	"billsync/internal/bill"
)

// camt writes a statement of ISO 20022. A card has no balance of its own here, so
// it opens at nothing, and says so.
type camt struct {
	*out
	s *Statement
}

// Lengths of ISO 20022.
const (
	camtID   = 35
	camtAcct = 34
	camtText = 140
)

const camtNote = "No balance of an account: it opens at 0.00, and closes with the sum of the entries."

func openCamt(w *out, _ *Options, h *Head) (Writer, error) {
	c := &camt{w, &h.Statements[0]}
	s, made := c.s, h.MadeAt.UTC().Format(time.RFC3339)
	from, err := ofxDay(s.From)
	if err != nil {
		return nil, err
	}
	to, err := ofxDay(s.To)
	if err != nil {
		return nil, err
	}
	id := short("WC-"+h.Name, camtID)
	c.text(`<?xml version="1.0" encoding="UTF-8"?>`, "\n", `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>`, "\n")
	c.text("<GrpHdr>", element("MsgId", id), element("CreDtTm", made), "</GrpHdr>\n<Stmt>\n", element("Id", id), element("CreDtTm", made), "\n")
	c.text("<FrToDt>", element("FrDtTm", from.Format(time.RFC3339)), element("ToDtTm", to.AddDate(0, 0, 1).Format(time.RFC3339)), "</FrToDt>\n")
	c.text("<Acct><Id><Othr>", element("Id", s.id(camtAcct)), "</Othr></Id><Tp><Cd>CARD</Cd></Tp>", element("Ccy", iso(s.Currency)), "</Acct>\n")
	c.balance("OPBD", 0, s.From)
	c.balance("CLBD", s.Sum, s.To)
	return c, c.failed()
}

func element(name, text string) string {
	return "<" + name + ">" + xmlEscape.Replace(text) + "</" + name + ">"
}

// amount is an amount without its sign, with its currency.
func camtAmount(a bill.Amount) string {
	return `<Amt Ccy="` + iso(a.Currency) + `">` + positive(a) + "</Amt>"
}

// direction tells the sign.
func direction(value int64) string {
	if value < 0 {
		return "<CdtDbtInd>DBIT</CdtDbtInd>"
	}
	return "<CdtDbtInd>CRDT</CdtDbtInd>"
}

func (c *camt) balance(code string, value int64, day string) {
	c.text("<Bal><Tp><CdOrPrtry>", element("Cd", code), "</CdOrPrtry></Tp>", camtAmount(bill.Amount{Currency: c.s.Currency, Value: value}), direction(value),
		"<Dt>", element("Dt", day), "</Dt></Bal>\n")
}

func (c *camt) Line(l *Line) error {
	amount, sign, id := camtAmount(l.Amount), direction(l.Amount.Value), element("AcctSvcrRef", short(l.ID, camtID))
	reversal := "false"
	if l.Kind == "reversal" {
		reversal = "true"
	}
	c.text("<Ntry>\n", element("NtryRef", short(l.ID, camtID)), amount, sign, element("RvslInd", reversal), "<Sts><Cd>BOOK</Cd></Sts>\n")
	c.text("<BookgDt>", element("Dt", l.Date), "</BookgDt><ValDt>", element("Dt", l.Effect), "</ValDt>", id, "\n")
	c.text("<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>CCRD</Cd><SubFmlyCd>POSD</SubFmlyCd></Fmly></Domn></BkTxCd>\n")
	c.text("<NtryDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>", amount, sign, "\n")
	if t := l.Trade; t != nil && isoCurrency.MatchString(t.Currency) {
		c.text("<AmtDtls><InstdAmt>", camtAmount(*t), "</InstdAmt></AmtDtls>\n")
	}
	party := "Cdtr"
	if l.Amount.Value > 0 {
		party = "Dbtr"
	}
	c.text("<RltdPties><", party, "><Pty>", element("Nm", l.payee(camtText)), "</Pty></", party, "></RltdPties>")
	c.text("<RmtInf>", element("Ustrd", Clean(c.words(l), camtText)), "</RmtInf>\n</TxDtls></NtryDtls>\n</Ntry>\n")
	return c.failed()
}

func (c *camt) words(l *Line) string {
	parts := l.about()
	if l.OrderNo != "" {
		parts = append(parts, "order "+l.OrderNo)
	}
	if note := noteISO(l.Amount.Currency); note != "" {
		parts = append(parts, note)
	}
	return strings.Join(parts, ", ")
}

func (c *camt) Close() error {
	c.text(element("AddtlStmtInf", camtNote), "\n</Stmt>\n</BkToCstmrStmt></Document>\n")
	return c.Flush()
}

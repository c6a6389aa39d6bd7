package export_test

import (
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"billsync/internal/bill"
	"billsync/internal/export"
)

var made = time.Date(2026, 6, 1, 2, 3, 4, 0, time.UTC)

func statement() export.Statement {
	return export.Statement{Account: "main", Currency: "USD", From: "2026-05-01", To: "2026-05-31", Lines: 1, Sum: -1050, Balance: -1050, Cards: []string{"4242"}, Trades: []string{"EUR"}}
}

func line() *export.Line {
	return &export.Line{
		ID: "QTWPAT4PESLKY3BPEB3E3D6VSZ", Kind: "spend", Amount: bill.Amount{Currency: "USD", Value: -1050}, Date: "2026-05-03", Effect: "2026-05-03", At: made,
		Account: "main", OrderNo: "1", Status: "SUCCESS", Merchant: "ACME", AssetID: "2", CardLast4: "4242",
	}
}

func options(layout string) export.Options {
	o := export.Options{OFXVersion: "2.02", Account: "Liabilities:Card", Expense: "Expenses:New"}
	if layout == "hledger" {
		o.Account, o.Expense = "liabilities:card", "expenses:new"
	}
	return o
}

func write(t *testing.T, layout string, o export.Options, s export.Statement, lines ...*export.Line) string {
	t.Helper()
	var b strings.Builder
	w, err := export.LayoutNamed(layout).Open(&b, o, export.Head{MadeAt: made, Name: "main-USD-2026-05", Statements: []export.Statement{s}})
	if err != nil {
		t.Fatalf("%s: %v", layout, err)
	}
	for _, l := range lines {
		if err := w.Line(l); err != nil {
			t.Fatalf("%s: %v", layout, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("%s: %v", layout, err)
	}
	return b.String()
}

func TestClean(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text  string
		limit int
		want  string
	}{
		{"", 0, ""}, {"a", 1, "a"}, {"ab", 1, "a"}, {" a  b\t\nc ", 0, "a b c"}, {"a b", 2, "a"}, {"a\x00b\u202ec\u200bd", 0, "a bcd"},
		{"支付宝网络", 3, "支付宝"}, {"\xff", 0, "\ufffd"}, {"x\ufffey", 0, "xy"}, {"a\u2028b", 0, "a b"}, {"a ", 0, "a"},
	} {
		if got := export.Clean(tt.text, tt.limit); got != tt.want {
			t.Errorf("Clean(%q, %d) = %q, want %q", tt.text, tt.limit, got, tt.want)
		}
	}
	for text, want := range map[string]string{"Söhne": "Sohne", "ﬁne №1": "fine No1", "Straße": "Strasse", "支付a": "??a", "é": "e", "·": "-"} {
		if got := export.ASCII(text); got != want {
			t.Errorf("ASCII(%q) = %q, want %q", text, got, want)
		}
	}
}

// What a format cannot write is told before anything is written.
func TestCurrenciesThatDoNotFit(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{"ofx", "camt053", "beancount", "hledger"} {
		s := statement()
		s.Currency = "us$"
		var b strings.Builder
		_, err := export.LayoutNamed(layout).Open(&b, options(layout), export.Head{Statements: []export.Statement{s}})
		if err == nil || !strings.Contains(err.Error(), `"us$"`) || b.Len() > 0 {
			t.Errorf("%s: %v, and %q is written", layout, err, b.String())
		}
	}
}

// An error of what is below comes back.
func TestErrorsComeBack(t *testing.T) {
	t.Parallel()
	for _, layout := range export.Layouts {
		w, err := layout.Open(broken{}, options(layout.Name), export.Head{Statements: []export.Statement{statement()}})
		for i := 0; err == nil && i < 5000; i++ {
			err = w.Line(line())
		}
		if err == nil {
			t.Errorf("%s writes to a disk that is full", layout.Name)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// Ids of accounts are not longer than OFX has room for, and different for different
// accounts.
func TestAccountIDs(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	id := regexp.MustCompile("<ACCTID>(.*)</ACCTID>")
	for _, account := range []string{"a", "a-very-long-name-of-an-account-1", "a-very-long-name-of-an-account-2"} {
		for _, currency := range []string{"USD", "CNH", "CNY"} {
			for _, card := range []string{"", "4242", "202600000000000000000000004242"} {
				s := statement()
				s.Account, s.Currency, s.Card = account, currency, card
				got := id.FindStringSubmatch(write(t, "ofx", options("ofx"), s))[1]
				name := account + "|" + currency + "|" + card
				if len(got) > 22 || seen[got] != "" {
					t.Errorf("%s is %s, as %s", name, got, seen[got])
				}
				seen[got] = name
			}
		}
	}
}

// The rate is that of whole units, whatever their decimals, and is left out where
// both currencies have one name in the file.
func TestOriginalCurrency(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		amount, trade bill.Amount
		want          string
	}{
		{bill.Amount{Currency: "USD", Value: -1234}, bill.Amount{Currency: "EUR", Value: 1120}, "<CURRATE>1.1017857143</CURRATE><CURSYM>EUR</CURSYM>"},
		{bill.Amount{Currency: "USD", Value: -805}, bill.Amount{Currency: "JPY", Value: 1200}, "<CURRATE>0.0067083333</CURRATE><CURSYM>JPY</CURSYM>"},
		{bill.Amount{Currency: "JPY", Value: -200}, bill.Amount{Currency: "KWD", Value: 1000}, "<CURRATE>200</CURRATE><CURSYM>KWD</CURSYM>"},
		{bill.Amount{Currency: "USD", Value: -100}, bill.Amount{Currency: "CNH", Value: 700}, "<CURSYM>CNY</CURSYM>"},
		{bill.Amount{Currency: "CNH", Value: -100}, bill.Amount{Currency: "CNY", Value: 100}, ""},
	} {
		l, s := line(), statement()
		l.Amount, l.Trade, s.Currency = tt.amount, &tt.trade, tt.amount.Currency
		got := write(t, "ofx", options("ofx"), s, l)
		if !strings.Contains(got, tt.want) || (tt.want == "") == strings.Contains(got, "ORIGCURRENCY") {
			t.Errorf("%v for %v: want %s in %s", tt.amount, tt.trade, tt.want, got)
		}
	}
}

// QuickBooks gets no zero amounts, and no description of digits alone.
func TestQuickBooks(t *testing.T) {
	t.Parallel()
	zero, digits, refund := line(), line(), line()
	zero.Amount.Value = 0
	digits.Merchant = "7-11 24"
	refund.Kind, refund.Amount.Value, refund.OrderNo = "return", 5, "999"
	o := options("qbo-csv")
	o.DateFormat = "dmy"
	want := "Date,Description,Amount\n03/05/2026,Merchant 7-11 24,-10.50\n03/05/2026,ACME refund,0.05\n"
	if got := write(t, "qbo-csv", o, statement(), zero, digits, refund); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whatever merchants, cards and orders are called, a file is what it should be.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"ACME", "支付宝（中国）", "a\"b\\c;d|e,f:g", "<x>&amp;]]>", "\x00\x01\r\n\u2028", "\u202eabc", "=1+1", "  ", "\xff\xfe", "7-11", strings.Repeat("é", 300), "*(x) ;", "\ufffe"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, merchant, other string) {
		l := line()
		l.Merchant, l.OrderNo, l.Status, l.AssetID, l.CardLast4 = merchant, other, other, other, other
		s := statement()
		s.Cards = []string{other}
		for _, version := range []string{"2.02", "1.02"} {
			o := options("ofx")
			o.OFXVersion = version
			checkOFX(t, version, write(t, "ofx", o, s, l))
		}
		checkXML(t, write(t, "camt053", options("camt053"), s, l))
		for layout, columns := range map[string]int{"xero-csv": 5, "qbo-csv": 3} {
			checkCSV(t, write(t, layout, options(layout), s, l), columns)
		}
		checkLines(t, "beancount", write(t, "beancount", options("beancount"), s, l))
		checkLines(t, "hledger", write(t, "hledger", options("hledger"), s, l))
	})
}

// oneLine makes sure that a text has nothing that breaks or hides it.
func oneLine(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' || r&0xfffe == 0xfffe {
			t.Errorf("%q holds %U", text, r)
		}
	}
	if !utf8.ValidString(text) {
		t.Errorf("%q is no UTF-8", text)
	}
}

func checkOFX(t *testing.T, version, data string) {
	t.Helper()
	_, body, _ := strings.Cut(data, "<OFX>")
	if version == "1.02" {
		for _, r := range data {
			if r >= utf8.RuneSelf {
				t.Errorf("%q in ASCII", data)
			}
		}
		if n := strings.Count(body, "<STMTTRN>"); n != 1 {
			t.Errorf("%d lines in %s", n, body)
		}
		for text := range strings.Lines(body) {
			text = strings.TrimSuffix(text, "\n")
			oneLine(t, text)
			if strings.HasPrefix(text, "<NAME>") && len(unescape(text)) > len("<NAME>")+32 || text == "<NAME>" {
				t.Errorf("%s is too long, or nothing", text)
			}
		}
		return
	}
	var doc struct {
		Lines []struct {
			Name string `xml:"NAME"`
			Memo string `xml:"MEMO"`
		} `xml:"CREDITCARDMSGSRSV1>CCSTMTTRNRS>CCSTMTRS>BANKTRANLIST>STMTTRN"`
	}
	if err := xml.Unmarshal([]byte("<OFX>"+body), &doc); err != nil || len(doc.Lines) != 1 {
		t.Fatalf("%v: %d lines in %s", err, len(doc.Lines), body)
	}
	l := doc.Lines[0]
	oneLine(t, l.Name+l.Memo)
	if n := utf8.RuneCountInString(l.Name); n == 0 || n > 32 || utf8.RuneCountInString(l.Memo) > 255 {
		t.Errorf("name %q, memo %q", l.Name, l.Memo)
	}
}

func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

func checkXML(t *testing.T, data string) {
	t.Helper()
	var doc struct {
		Balances []string `xml:"BkToCstmrStmt>Stmt>Bal>Amt"`
		Name     string   `xml:"BkToCstmrStmt>Stmt>Ntry>NtryDtls>TxDtls>RltdPties>Cdtr>Pty>Nm"`
		Words    string   `xml:"BkToCstmrStmt>Stmt>Ntry>NtryDtls>TxDtls>RmtInf>Ustrd"`
	}
	if err := xml.Unmarshal([]byte(data), &doc); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	oneLine(t, doc.Name+doc.Words)
	if fmt.Sprint(doc.Balances) != "[0.00 10.50]" || doc.Name == "" || utf8.RuneCountInString(doc.Name) > 140 || utf8.RuneCountInString(doc.Words) > 140 {
		t.Errorf("balances %v, name %q, words %q", doc.Balances, doc.Name, doc.Words)
	}
}

func checkCSV(t *testing.T, data string, columns int) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(data)).ReadAll()
	if err != nil || len(rows) != 2 || len(rows[1]) != columns || strings.Count(data, "\n") != 2 {
		t.Fatalf("%v: %q", err, data)
	}
	for _, cell := range rows[1] {
		oneLine(t, cell)
	}
	if columns == 3 && !strings.ContainsFunc(rows[1][1], unicode.IsLetter) {
		t.Errorf("QuickBooks takes %q for a number", rows[1][1])
	}
}

// checkLines makes sure that a journal has the one transaction that it should have,
// line by line.
func checkLines(t *testing.T, layout, data string) {
	t.Helper()
	var head, rest []string
	for text := range strings.Lines(data) {
		text = strings.TrimSuffix(text, "\n")
		oneLine(t, text)
		switch {
		case strings.HasPrefix(text, " "):
			rest = append(rest, strings.TrimSpace(text))
		case strings.HasPrefix(text, "2026-05-03"):
			head = append(head, text)
		}
	}
	if len(head) != 1 || len(rest) < 3 || !strings.HasSuffix(rest[len(rest)-1], " 10.50 USD") || !strings.HasSuffix(rest[len(rest)-2], " -10.50 USD") {
		t.Fatalf("%s: %q", layout, data)
	}
	if layout == "beancount" {
		if !regexp.MustCompile(`^2026-05-03 \* "([^"\\]|\\["\\])*" "([^"\\]|\\["\\])*" \^[A-Z2-7]+ #worldcard$`).MatchString(head[0]) {
			t.Errorf("%s", head[0])
		}
		for _, tag := range rest[:len(rest)-2] {
			if !regexp.MustCompile(`^[a-z0-9_]+: "([^"\\]|\\["\\])*"$`).MatchString(tag) {
				t.Errorf("%s", tag)
			}
		}
		return
	}
	if strings.Contains(head[0], ";") || strings.Count(head[0], "|") != 1 {
		t.Errorf("%s", head[0])
	}
	for _, tag := range rest[:len(rest)-2] {
		if !strings.HasPrefix(tag, "; ") || strings.Count(tag, ":") != 1 || strings.Contains(tag, ",") {
			t.Errorf("%s", tag)
		}
	}
}

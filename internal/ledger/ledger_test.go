package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"billsync/internal/ledger"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// said is what a ledger says, a line each; what cannot be understood begins with !.
func said(t *testing.T, data string, o ledger.Options) []string {
	t.Helper()
	b, err := ledger.Read([]byte(data), o)
	if err != nil {
		return []string{"error: " + err.Error()}
	}
	return lines(b)
}

func lines(b *ledger.Book) (out []string) {
	for _, l := range b.Lines {
		out = append(out, strings.TrimRight(fmt.Sprintf("%d %s %s %s|%s|%s", l.Number, l.Date, l.Amount, l.Payee, l.Reference, l.Description), "| "))
	}
	for _, n := range b.Totals {
		out = append(out, fmt.Sprintf("=%d", n))
	}
	for _, x := range b.Bad {
		out = append(out, fmt.Sprintf("!%d %s", x.Number, x.Reason))
	}
	return out
}

func columns(pairs ...string) map[ledger.Field]string {
	m := map[ledger.Field]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[ledger.Field(pairs[i])] = pairs[i+1]
	}
	return m
}

func TestRead(t *testing.T) {
	t.Parallel()
	gb, err := simplifiedchinese.GB18030.NewEncoder().String("日期,金额,币种,商户\n2026年5月3日,-12.50,CNY,星星超市\n")
	if err != nil {
		t.Fatal(err)
	}
	eur := ledger.Options{DefaultCurrency: "EUR"}
	for name, tt := range map[string]struct {
		text string
		o    ledger.Options
		want []string
	}{
		"plain":     {"Date,Amount,Currency,Payee,Reference,Memo\n2026-05-03,-12.34,USD,ACME,R1,\"a, \"\"b\"\"\"\n", ledger.Options{}, []string{`2 2026-05-03 USD -12.34 ACME|R1|a, "b"`}},
		"bom, tabs": {"\ufeffDate\tAmount\tCurrency\n2026/05/03\t-1\tJPY\n", ledger.Options{}, []string{"2 2026-05-03 JPY -1"}},
		"semicolon, comma, empty lines": {"Datum;Betrag\r\n\r\n03.05.2026;-1.234,50\r\n04.05.2026;7\r\n", eur,
			[]string{"3 2026-05-03 EUR -1234.50", "4 2026-05-04 EUR 7.00"}},
		"quoted line breaks":     {"Date,Amount,Memo\n2026-05-03,-1,\"one\ntwo\"\n2026-05-04,-2,x\n", eur, []string{"2 2026-05-03 EUR -1.00 ||one two", "4 2026-05-04 EUR -2.00 ||x"}},
		"GB18030":                {gb, ledger.Options{}, []string{"2 2026-05-03 CNY -12.50 星星超市"}},
		"Western":                {"Datum;Betrag;Name\n03.05.2026;-1,50;Caf\xe9\n", ledger.Options{DefaultCurrency: "EUR", Encoding: "windows-1252"}, []string{"2 2026-05-03 EUR -1.50 Café"}},
		"Western asked, UTF-8":   {"\ufeffDatum;Betrag;Name\n03.05.2026;-1,50;Café\n", ledger.Options{DefaultCurrency: "EUR", Encoding: "windows-1252"}, []string{"2 2026-05-03 EUR -1.50 Café"}},
		"Big5":                   {"Date,Amount,Payee\n2026-05-03,-1.50,\xac\x50\xac\x50\n", ledger.Options{DefaultCurrency: "HKD", Encoding: "big5"}, []string{"2 2026-05-03 HKD -1.50 星星"}},
		"no Shift JIS":           {"Date,Amount,Payee\n2026-05-03,-1.50,\xff\xff\n", ledger.Options{DefaultCurrency: "JPY", Encoding: "shift_jis"}, []string{"error: its text is not shift_jis"}},
		"not UTF-8":              {"Date,Amount,Payee\n2026-05-03,-1,Caf\xe9 Noir\n", eur, []string{"error: its text is not UTF-8 (line 2)"}},
		"UTF-16":                 {"\xff\xfeD\x00a\x00t\x00e\x00,\x00A\x00m\x00o\x00u\x00n\x00t\x00\n\x002\x000\x002\x006\x00-\x000\x005\x00-\x000\x003\x00,\x001\x00\n\x00", eur, []string{"2 2026-05-03 EUR 1.00"}},
		"spends are positive":    {"Date,Amount\n2026-05-03,12.34\n2026-05-04,-1.00\n", ledger.Options{DefaultCurrency: "USD", Positive: true}, []string{"2 2026-05-03 USD -12.34", "3 2026-05-04 USD 1.00"}},
		"debit and credit":       {"Date,Debit,Credit\n2026-05-03,,12.34\n2026-05-04,1.00,0.00\n2026-05-05,,\n2026-05-06,1,2\n", eur, []string{"2 2026-05-03 EUR -12.34", "3 2026-05-04 EUR 1.00", "!4 neither debit nor credit is there", `!5 debit "1" and credit "2" are both there: a line has one of them`}},
		"by letter":              {"x,y,z\n1,2026-05-03,-1.00\n", ledger.Options{DefaultCurrency: "USD", Columns: columns("date", "B", "amount", "c", "reference", "X")}, []string{"2 2026-05-03 USD -1.00 |1"}},
		"lines above":            {"Ledger of ACME\nMay\nDate,Amount\n2026-05-03,-1.00\n", ledger.Options{DefaultCurrency: "USD", Skip: 2}, []string{"4 2026-05-03 USD -1.00"}},
		"signs":                  {"Date,Amount\n2026-05-03,(12.34)\n2026-05-03,12.34-\n2026-05-03,\u221212.34\n2026-05-03,+12.34\n2026-05-03,USD 12.34\n2026-05-03,$ -12.34\n2026-05-03,-12.34 usd\n", ledger.Options{DefaultCurrency: "USD"}, []string{"2 2026-05-03 USD -12.34", "3 2026-05-03 USD -12.34", "4 2026-05-03 USD -12.34", "5 2026-05-03 USD 12.34", "6 2026-05-03 USD 12.34", "7 2026-05-03 USD -12.34", "8 2026-05-03 USD -12.34"}},
		"thousands":              {"Date,Amount\n2026-05-03,\"1,234\"\n2026-05-03,\"1,234,567.8\"\n2026-05-03,1 234.50\n2026-05-03,1'234.50\n2026-05-03,\"12,34,567\"\n2026-05-03,\"1,23\"\n", ledger.Options{DefaultCurrency: "USD", DecimalMark: "."}, []string{"2 2026-05-03 USD 1234.00", "3 2026-05-03 USD 1234567.80", "4 2026-05-03 USD 1234.50", "5 2026-05-03 USD 1234.50", "6 2026-05-03 USD 1234567.00", `!7 the amount "1,23": its thousands are not groups of three digits`}},
		"thousands by currency":  {"Date,Amount,Currency\n2026-05-03,\"1,234\",JPY\n2026-05-03,1.234,USD\n2026-05-03,1.234,KWD\n", ledger.Options{}, []string{"2 2026-05-03 JPY 1234", "3 2026-05-03 USD 1234.00", `!4 the amount "1.234": the mark may be between thousands or in front of decimals, and no other line tells; --decimal-mark says which`}},
		"three decimals":         {"Date,Amount,Currency\n2026-05-03,1.234,KWD\n2026-05-03,1.5,KWD\n2026-05-03,1.234,USD\n2026-05-03,1.230,USD\n2026-05-03,1.5,JPY\n", ledger.Options{}, []string{"2 2026-05-03 KWD 1.234", "3 2026-05-03 KWD 1.500", "5 2026-05-03 USD 1.23", `!4 the amount "1.234": USD has 2 decimals`, `!6 the amount "1.5": JPY has 0 decimals`}},
		"two ways":               {"Date,Amount\n2026-05-03,\"1,50\"\n2026-05-03,1.50\n", eur, []string{`error: its amounts are written in two ways: line 3 has "1.50", line 2 has "1,50"`}},
		"one way asked":          {"Date,Amount\n2026-05-03,\"1,50\"\n2026-05-03,1.50\n", ledger.Options{DefaultCurrency: "EUR", DecimalMark: ","}, []string{"2 2026-05-03 EUR 1.50", `!3 the amount "1.50": its thousands are not groups of three digits`}},
		"no amounts":             {"Date,Amount\n2026-05-03,\n2026-05-03,abc\n2026-05-03,-\n2026-05-03,1.2.3\n2026-05-03,99999999999999999999\n2026-05-03,EUR 1\n", ledger.Options{DefaultCurrency: "USD"}, []string{"!2 there is no amount", `!3 the amount "abc": it is no number`, `!4 the amount "-": it is no number`, `!5 the amount "1.2.3": its thousands are not groups of three digits`, `!6 the amount "99999999999999999999": it is too large`, `!7 the amount "EUR 1": it is in EUR, and the line in USD`}},
		"dates":                  {"Date,Amount\n20260503,1\n2026-05-03 12:30:00,1\n2026-05-03T20:00:00Z,1\n3 May 2026,1\n\"May 3, 2026\",1\n2026年5月3日,1\n2026.5.3,1\n", ledger.Options{DefaultCurrency: "EUR", Zone: time.FixedZone("", 8*3600)}, []string{"2 2026-05-03 EUR 1.00", "3 2026-05-03 EUR 1.00", "4 2026-05-04 EUR 1.00", "5 2026-05-03 EUR 1.00", "6 2026-05-03 EUR 1.00", "7 2026-05-03 EUR 1.00", "8 2026-05-03 EUR 1.00"}},
		"day first":              {"Date,Amount\n01/02/2026,1\n13/02/2026,1\n", eur, []string{"2 2026-02-01 EUR 1.00", "3 2026-02-13 EUR 1.00"}},
		"month first":            {"Date,Amount\n01/02/2026,1\n02/13/2026 10:00,1\n", eur, []string{"2 2026-01-02 EUR 1.00", "3 2026-02-13 EUR 1.00"}},
		"nobody knows":           {"Date,Amount\n01/02/2026,1\n03/04/2026,1\n", eur, []string{`error: line 2: the date "01/02/2026" may have the day or the month first, and no other line tells`}},
		"both first":             {"Date,Amount\n13/02/2026,1\n02/13/2026,1\n", eur, []string{`error: its dates are written in two ways: line 2 has "13/02/2026", line 3 has "02/13/2026"`}},
		"asked":                  {"Date,Amount\n01/02/2026,1\n13/02/2026,1\n", ledger.Options{DefaultCurrency: "EUR", DateFormat: "mdy"}, []string{"2 2026-01-02 EUR 1.00", `!3 the date "13/02/2026": it is not written as mdy`}},
		"no dates":               {"Date,Amount\n,1\n2026-02-30,1\n01/02/26,1\n2026,1\n0026-01-01,1\nsoon,1\n", eur, []string{"!2 there is no date", `!3 the date "2026-02-30": there is no such day`, `!4 the date "01/02/26": its year has not four digits`, `!5 the date "2026": it is no date`, `!6 the date "0026-01-01": the year 26 cannot be right`, `!7 the date "soon": it is no date`}},
		"currencies":             {"Date,Amount,Currency\n2026-05-03,1,usd\n2026-05-03,1,RMB\n2026-05-03,1,XYZ\n2026-05-03,1,\n", ledger.Options{}, []string{"2 2026-05-03 USD 1.00", "3 2026-05-03 CNY 1.00", `!4 the currency "XYZ" is not known`, "!5 there is no currency"}},
		"empty":                  {"", ledger.Options{}, []string{"error: the ledger is empty"}},
		"no head":                {"\n\n", ledger.Options{}, []string{"error: the ledger has no line with the names of its columns"}},
		"no date column":         {"When,Amount\n", eur, []string{"error: no column is known to hold the date"}},
		"no amount column":       {"Date,Much\n", eur, []string{"error: no column is known to hold the amount"}},
		"no currency column":     {"Date,Amount\n", ledger.Options{}, []string{"error: no column is known to hold the currency"}},
		"credit missing":         {"Date,Debit\n", eur, []string{"error: of debit and credit only one column is known"}},
		"no such column":         {"Date,Amount\n", ledger.Options{DefaultCurrency: "EUR", Columns: columns("payee", "Z")}, []string{`error: --payee: there is no column "Z"`}},
		"two of the name":        {"Date,Amount,X,X\n", ledger.Options{DefaultCurrency: "EUR", Columns: columns("payee", "X")}, []string{`error: --payee: 2 columns are named "X"`}},
		"both kinds":             {"Date,Amount,D,C\n", ledger.Options{DefaultCurrency: "EUR", Columns: columns("amount", "B", "debit", "D", "credit", "C")}, []string{"error: the ledger has an amount, or debit and credit, not both"}},
		"quote that never ends":  {"Date,Amount\n2026-05-03,\"1\n", eur, []string{`error: line 2 cannot be taken apart: extraneous or missing " in quoted-field`}},
		"old workbook":           {"\xd0\xcf\x11\xe0abc", eur, []string{"error: the ledger is a workbook of the old kind (.xls)"}},
		"no workbook":            {"PK\x03\x04abc", eur, []string{"error: the workbook is damaged, or only a part of it: its end is missing"}},
		"empty lines above":      {"Ledger of ACME\n\n\"May\n2026\"\n\nDate,Amount\n2026-05-03,-1.00\n", ledger.Options{DefaultCurrency: "USD", Skip: 5}, []string{"7 2026-05-03 USD -1.00"}},
		"totals":                 {"Date,Amount,Payee\n2026-05-03,-1.00,Total\nTotal:,-1.00,\n,-1.00,合计\n2026-05-04,-2.00,x\n,-3.00,Totally\n", eur, []string{"2 2026-05-03 EUR -1.00 Total", "5 2026-05-04 EUR -2.00 x", "=3", "=4", "!6 there is no date"}},
		"dashes":                 {"Date,Debit,Credit\n2026-05-03, - ,12.34\n2026-05-04,1.00,-\n2026-05-05,-,—\n2026-05-06,-1.00,\n", eur, []string{"2 2026-05-03 EUR -12.34", "3 2026-05-04 EUR 1.00", "5 2026-05-06 EUR -1.00", "!4 neither debit nor credit is there"}},
		"two amounts":            {"Date,Amount,AMOUNT\n2026-05-03,-1.00,-2.00\n", eur, []string{`error: 2 columns are named "Amount"`}},
		"a comma too many":       {"Date,Currency,Amount\n2026-05-03,USD,-1,50\n2026-05-03,USD,-1,,\n", ledger.Options{}, []string{"3 2026-05-03 USD -1.00", "!2 it has more cells than there are columns: a cell with a separator in it needs quotes"}},
		"separator told":         {"sep=;\nDate;Amount\n2026-05-03;-1,50\nx;y\n", eur, []string{"3 2026-05-03 EUR -1.50", `!4 the date "x": it is no date`}},
		"separator told, quote":  {"sep=,\r\nDate,Amount\r\n2026-05-03,\"1\r\n", eur, []string{`error: line 3 cannot be taken apart: extraneous or missing " in quoted-field`}},
		"lines of old Macs":      {"Date,Amount\r2026-05-03,-1.50\r2026-05-04,-2.50\r", eur, []string{"2 2026-05-03 EUR -1.50", "3 2026-05-04 EUR -2.50"}},
		"zero bytes":             {"D\x00a\x00t\x00e\x00,\x00", eur, []string{"error: the ledger is no text: there is a zero byte in line 1"}},
		"web page":               {"\ufeff\n<HTML><table>", eur, []string{"error: the ledger is a web page, whatever its name says"}},
		"PDF":                    {"%PDF-1.4\n", eur, []string{"error: the ledger is a PDF"}},
		"picture":                {"\x89PNG\r\n", eur, []string{"error: the ledger is a picture"}},
		"times of their own":     {"Date,Amount\n2026-05-03 23:30:00+00:00,1\n2026-05-03 23:30:00 +0800,1\n2026-05-03 23:30:00 UTC,1\n2026-05-03 23:30:00 EST,1\n2026-05-03 11:30 PM,1\n", ledger.Options{DefaultCurrency: "EUR", Zone: time.FixedZone("", 8*3600)}, []string{"2 2026-05-04 EUR 1.00", "3 2026-05-03 EUR 1.00", "4 2026-05-04 EUR 1.00", "5 2026-05-03 EUR 1.00", "6 2026-05-03 EUR 1.00"}},
		"short years, serials":   {"Date,Amount\n03-May-26,1\n46145,1\n461450,1\n", eur, []string{`!2 the date "03-May-26": its year has not four digits`, `!3 the date "46145": it is a day as spreadsheets count them: format the column as a date and save it anew, or save it as .xlsx`, `!4 the date "461450": it is no date`}},
		"sums too large":         {"Date,Amount\n" + strings.Repeat("2026-05-03,-9000000000000000.00\n", 11), eur, []string{"error: line 12: up to it, the amounts in EUR add up to more than can be counted"}},
		"unknown option":         {"Date,Amount\n", ledger.Options{DateFormat: "ydm"}, []string{`error: --date-format "ydm" is not allowed`}},
		"unknown currency asked": {"Date,Amount\n", ledger.Options{DefaultCurrency: "XYZ"}, []string{`error: --default-currency: the currency "XYZ" is not known`}},
	} {
		if got := said(t, tt.text, tt.o); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n%q\nnot\n%q", name, got, tt.want)
		}
	}
}

// A line is known by what it says, wherever it stands; equal ones by their number.
func TestKeys(t *testing.T) {
	t.Parallel()
	keys := func(text string) []string {
		b, err := ledger.Read([]byte(text), ledger.Options{DefaultCurrency: "EUR"})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, l := range b.Lines {
			out = append(out, l.Key)
		}
		return out
	}
	a := keys("Date,Amount,Payee\n2026-05-03,1,A\n2026-05-03,1,A\n2026-05-04,2,B\n")
	b := keys("Payee;Amount;Date\nB;2.00;2026/05/04\nA;1.00;2026/05/03\nC;1.00;2026/05/03\nA;1.00;2026/05/03\n")
	if a[0] == a[1] || a[1] != a[0]+"-2" || b[0] != a[2] || b[1] != a[0] || b[3] != a[1] || slices.Contains(a, b[2]) {
		t.Errorf("%q and %q", a, b)
	}
}

// Workbooks: numbers are numbers and days are days, whatever they look like.
func TestWorkbook(t *testing.T) {
	t.Parallel()
	f := excelize.NewFile()
	if _, err := f.NewSheet("May"); err != nil {
		t.Fatal(err)
	}
	style, err := f.NewStyle(&excelize.Style{NumFmt: 14})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.SetCellValue("Sheet1", "A1", "Company ledger"); err != nil {
		t.Fatal(err)
	}
	for i, row := range [][]any{
		{"Date", "Amount", "Currency", "Payee", "Reference"},
		{time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC), -0.1 - 0.2, "USD", "ACME", "20240601000000000000001997302"},
		{"2026-05-04", "1,234.50", "USD", "星星超市", 12345},
		{20260505, 1.234, "KWD", "", ""},
		{nil, nil, nil, nil, nil},
		{time.Date(2026, 5, 6, 23, 0, 0, 0, time.UTC), 1.005, "USD", "", ""},
		{"total", "=B2", "", "", ""},
	} {
		if err := f.SetSheetRow("May", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	for _, cell := range []string{"A2", "A6"} {
		if err := f.SetCellStyle("May", cell, cell, style); err != nil {
			t.Fatal(err)
		}
	}
	var buf bytes.Buffer
	if err := f.Write(&buf); err != nil {
		t.Fatal(err)
	}
	want := []string{"2 2026-05-03 USD -0.30 ACME|20240601000000000000001997302", "3 2026-05-04 USD 1234.50 星星超市|12345", "4 2026-05-05 KWD 1.234",
		"=7", `!6 the amount "1.005": USD has 2 decimals`}
	if got := said(t, buf.String(), ledger.Options{Sheet: "may"}); !slices.Equal(got, want) {
		t.Errorf("%q\nnot\n%q", got, want)
	}
	_, err = ledger.Read(buf.Bytes(), ledger.Options{})
	var wrong *ledger.Error
	if !errors.As(err, &wrong) || !strings.HasPrefix(wrong.Hint(), "name it with --date; --sheet says which of the sheets Sheet1, May; --skip says") {
		t.Errorf("of the first sheet it says %v: %s", err, wrong.Hint())
	}
	if got := said(t, buf.String(), ledger.Options{Sheet: "June"}); !slices.Equal(got, []string{`error: the workbook has no sheet "June"`}) {
		t.Errorf("%q", got)
	}
}

// Whatever a file holds, it is read or refused; what is read is a day and an amount,
// and reading what was read says the same.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"Date,Amount,Currency\n2026-05-03,-12.34,USD\n", "Datum;Betrag\n03.05.2026;-1.234,50\n", "Date,Debit,Credit\n1/13/2026,,\"1,234\"\n", "\xff\xfeD\x00", "Date\tAmount\n20260101\t(1)\n", "日期,金额\n2026年1月2日,1\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(text, "PK") {
			return // the library's own business
		}
		b, err := ledger.Read([]byte(text), ledger.Options{DefaultCurrency: "USD"})
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		var again strings.Builder
		again.WriteString("Date,Amount,Currency\n")
		for _, l := range b.Lines {
			if _, err := time.Parse(time.DateOnly, l.Date); err != nil || l.Key == "" || !utf8.ValidString(l.Amount.Currency) {
				t.Fatalf("line %+v", l)
			}
			fmt.Fprintf(&again, "%s,%s,%s\n", l.Date, l.Amount.Decimal(), l.Amount.Currency)
		}
		c, err := ledger.Read([]byte(again.String()), ledger.Options{DecimalMark: "."})
		if err != nil || len(c.Lines) != len(b.Lines) {
			t.Fatalf("again: %v, %d lines of %d: %v", err, len(c.Lines), len(b.Lines), c.Bad)
		}
		for i := range c.Lines {
			if c.Lines[i].Amount != b.Lines[i].Amount || c.Lines[i].Date != b.Lines[i].Date {
				t.Fatalf("%+v became %+v", b.Lines[i], c.Lines[i])
			}
		}
	})
}

// A date and an amount alone: more of what is odd about them.
func FuzzCells(f *testing.F) {
	f.Add("2026-05-03", "1,234.50")
	f.Add("3 May 2026", "(1.234,5)")
	f.Add("2026年5月3日", "1'234-")
	f.Add("12/31/2026", "1 234 567.89 USD")
	f.Fuzz(func(t *testing.T, date, amount string) {
		quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
		b, err := ledger.Read([]byte("Date,Amount,Currency\n"+quote(date)+","+quote(amount)+",USD\n"), ledger.Options{})
		if err != nil || len(b.Lines) == 0 {
			return
		}
		digits := func(s string) string {
			return strings.Map(func(r rune) rune {
				if r >= '0' && r <= '9' {
					return r
				}
				return -1
			}, s)
		}
		// No digit of an amount is lost or added, but for zeros at its ends.
		got, want := strings.Trim(digits(b.Lines[0].Amount.Decimal()), "0"), strings.Trim(digits(amount), "0")
		if got != want {
			t.Fatalf("%q is read as %s", amount, b.Lines[0].Amount)
		}
	})
}

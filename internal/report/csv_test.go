package report_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"billsync/internal/report"
)

func TestCSV(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file, part string
		o          report.CSVOptions
	}{
		{"bills.csv", "", report.CSVOptions{}},
		{"bills.plain.csv", "bills", report.CSVOptions{Plain: true}},
		{"bills.excel.csv", "bills", report.CSVOptions{BOM: true, CRLF: true}},
		{"by_currency.csv", "by_currency", report.CSVOptions{}},
		{"none.csv", "none", report.CSVOptions{}},
		{"two.csv", "two", report.CSVOptions{}},
	} {
		var b bytes.Buffer
		if err := report.WriteCSV(&b, sample(), tt.part, tt.o); err != nil {
			t.Errorf("WriteCSV(%q, %+v) = %v", tt.part, tt.o, err)
		}
		golden(t, tt.file, b.Bytes())
		if !utf8.Valid(b.Bytes()) {
			t.Errorf("%s is not UTF-8", tt.file)
		}
	}
}

// What is written plain is read back as it was, also by a reader that is not ours.
func TestCSVIsReadBack(t *testing.T) {
	t.Parallel()
	texts := []string{"", " ", "a,b", `"`, `""`, "a\nb", "\n", "x", "\\.", "支付宝", "=1", "a;b", "\t"}
	var list []report.Row
	var want [][]string
	for _, text := range texts {
		list = append(list, report.Row{text})
		want = append(want, []string{text})
	}
	r := &report.Report{Parts: []report.Part{{Name: "p", Columns: []report.Column{{Name: "x"}}, Rows: rows(list...)}}}
	for _, crlf := range []bool{false, true} {
		var b bytes.Buffer
		if err := report.WriteCSV(&b, r, "", report.CSVOptions{Plain: true, CRLF: crlf}); err != nil {
			t.Fatal(err)
		}
		got, err := csv.NewReader(&b).ReadAll()
		if err != nil || cmp.Diff(want, got[1:]) != "" {
			t.Errorf("CRLF %t: read back %q, %v, want %q", crlf, got, err, want)
		}
	}
}

func TestUnknownPart(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	for name, write := range map[string]func() error{
		"csv":  func() error { return report.WriteCSV(&b, sample(), "bill", report.CSVOptions{}) },
		"json": func() error { return report.WriteJSON(&b, sample(), "bill") },
	} {
		err := write()
		var usage *report.UsageError
		if !errors.As(err, &usage) || usage.ExitCode() != 2 || usage.Hint() != "its parts are: bills, by_currency, none, two" || b.Len() > 0 {
			t.Errorf("%s: %v (%+v) and %q, want a UsageError that names the parts, and nothing written", name, err, usage, b.String())
		}
	}
}

func TestCSVBreaksOff(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	err := report.WriteCSV(&b, broken(), "by_currency", report.CSVOptions{})
	if want := "currency,spent,returned\nUSD,-9000.00,1.00\nUSD,-0.50,\n"; !errors.Is(err, errMiddle) || b.String() != want {
		t.Errorf("%v and %q, want the error of the rows, and %q without a foot", err, b.String(), want)
	}
}

// What a maker of a report does wrong is found before a wrong number is written.
func TestWrongReports(t *testing.T) {
	t.Parallel()
	text, money := report.Column{Name: "a"}, report.Column{Name: "b", Kind: report.Money, Sum: true}
	for _, tt := range []struct {
		want    string
		columns []report.Column
		row     report.Row
	}{
		{"has no columns", nil, nil},
		{"no name of its own", []report.Column{text, text}, nil},
		{"no name of its own", []report.Column{text, money, {Name: "b_decimal"}}, nil},
		{"no name of its own", []report.Column{{}}, nil},
		{"is of kind 9", []report.Column{{Name: "a", Kind: 9}}, nil},
		{"no text column with its currency", []report.Column{text, {Name: "b", Kind: report.Money, Currency: 1}}, nil},
		{"no text column with its currency", []report.Column{text, {Name: "b", Kind: report.Money, Currency: 7}}, nil},
		{"without their currency", []report.Column{text, {Name: "b", Kind: report.Money, Currency: 2}, {Name: "c", Data: true}}, nil},
		{"has no sum", []report.Column{text, {Name: "b", Sum: true}}, nil},
		{"the first column", []report.Column{{Name: "b", Kind: report.Count, Sum: true}}, nil},
		{"a row of 1 cells for 2 columns", []report.Column{text, money}, report.Row{"x"}},
		{"a int in the money column b", []report.Column{text, money}, report.Row{"USD", 1}},
		{"a float64 in the money column b", []report.Column{text, money}, report.Row{"USD", 1.5}},
		{"a int64 in the text column a", []report.Column{text, money}, report.Row{int64(1), int64(1)}},
		{"a string in the time column a", []report.Column{{Name: "a", Kind: report.Time}}, report.Row{"now"}},
	} {
		r := &report.Report{Parts: []report.Part{{Name: "p", Columns: tt.columns, Rows: rows(tt.row)}}}
		var b bytes.Buffer
		for name, err := range map[string]error{"csv": report.WriteCSV(&b, r, "", report.CSVOptions{}), "json": report.WriteJSON(&b, r, "")} {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s of %+v with %v: %v, want an error with %q", name, tt.columns, tt.row, err, tt.want)
			}
		}
	}
}

func TestNoFormula(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "x": "x", "x=1": "x=1", "支付宝": "支付宝", "'=1": "'=1", " =1": " =1",
		"=1+1": "'=1+1", "=": "'=", "-": "'-", "+": "'+", "@SUM(A1)": "'@SUM(A1)",
		"\t=1": "'\t=1", "\r=1": "'\r=1", "\n=1": "'\n=1", "\x00=1": "'\x00=1", "＝1": "'＝1", "－1": "'－1", "＋1": "'＋1", "＠x": "'＠x",
		"-12.34": "-12.34", "+1": "+1", "-.5": "-.5", "-5": "-5", "+0.00": "+0.00",
		"-1+2": "'-1+2", "--1": "'--1", "-1e5": "'-1e5", "-inf": "'-inf", "-0x1": "'-0x1", "-1_0": "'-1_0", "-1,5": "'-1,5", "-.": "'-.", "+86 1": "'+86 1",
	} {
		if got := report.NoFormula(text); got != want {
			t.Errorf("NoFormula(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzNoFormula(f *testing.F) {
	for _, s := range []string{"", "=1", "-12.34", "-1+2", "@", "\t", "＝", "\xff=", "a", "-", "1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := report.NoFormula(s)
		if got != s && got != "'"+s {
			t.Fatalf("NoFormula(%q) = %q", s, got)
		}
		if again := report.NoFormula(got); again != got {
			t.Fatalf("NoFormula(%q) = %q, and that once more %q", s, got, again)
		}
		if got == "" || !strings.ContainsRune("=+-@\t\r\n\x00", rune(got[0])) {
			return
		}
		// What is left with a sign in front is a number and nothing else.
		for i, r := range got {
			if !strings.ContainsRune("0123456789.", r) && (i > 0 || r == '=' || r == '@') {
				t.Fatalf("NoFormula(%q) = %q, which is no number", s, got)
			}
		}
	})
}

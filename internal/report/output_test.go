package report_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"billsync/internal/report"
)

func TestOutputValidate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	there := filepath.Join(dir, "there.xlsx")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.xlsx"), 0o700); err != nil {
		t.Fatal(err)
	}
	free := filepath.Join(dir, "free.XLSX")
	for _, tt := range []struct {
		o    report.Output
		want string // a part of the error; "" if there is none
	}{
		{report.Output{}, ""},
		{report.Output{Part: "p"}, ""},
		{report.Output{JSON: true, Part: "p"}, ""},
		{report.Output{CSV: true, Part: "p", Plain: true, BOM: true, CRLF: true}, ""},
		{report.Output{XLSX: free}, ""},
		{report.Output{XLSX: there, Force: true}, ""},
		{report.Output{CSV: true, JSON: true}, "--csv and --json do not go together"},
		{report.Output{CSV: true, XLSX: free}, "--csv and --xlsx do not go together"},
		{report.Output{CSV: true, JSON: true, XLSX: free}, "--csv and --json and --xlsx do not go together"},
		{report.Output{Plain: true}, "--plain goes with --csv"},
		{report.Output{JSON: true, BOM: true}, "--bom goes with --csv"},
		{report.Output{XLSX: free, CRLF: true}, "--crlf goes with --csv"},
		{report.Output{CSV: true, Force: true}, "--force goes with --xlsx"},
		{report.Output{XLSX: free, Part: "p"}, "--part does not go with --xlsx"},
		{report.Output{XLSX: filepath.Join(dir, "x.xls")}, "ends with .xlsx"},
		{report.Output{XLSX: there}, "it is there already"},
		{report.Output{XLSX: filepath.Join(dir, "folder.xlsx"), Force: true}, "it is a folder"},
	} {
		err := tt.o.Validate()
		if tt.want == "" {
			if err != nil {
				t.Errorf("%+v.Validate() = %v", tt.o, err)
			}
			continue
		}
		var usage *report.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), tt.want) || usage.Hint() == "" {
			t.Errorf("%+v.Validate() = %v, want a UsageError with %q and a hint", tt.o, err, tt.want)
		}
	}
}

func TestOutputWrite(t *testing.T) {
	t.Parallel()
	book := filepath.Join(t.TempDir(), "b.xlsx")
	for _, tt := range []struct {
		o    report.Output
		want string // how it begins
	}{
		{report.Output{}, "World Card bills, 2026-05\nperiod "},
		{report.Output{Part: "none"}, "World Card bills, 2026-05\nperiod "},
		{report.Output{CSV: true, Part: "none"}, "reason,bills\n"},
		{report.Output{CSV: true, Part: "none", BOM: true, CRLF: true}, "\ufeffreason,bills\r\n"},
		{report.Output{CSV: true, Plain: true, Part: "by_currency"}, "currency,spent,returned\nUSD,-9000.00,1.00\nUSD,-0.50,\n"},
		{report.Output{JSON: true, Part: "none"}, `{"type":"report","report":"sample",`},
		{report.Output{XLSX: book}, ""},
	} {
		var b bytes.Buffer
		if err := tt.o.Write(&b, sample(), report.TextOptions{}); err != nil {
			t.Errorf("%+v.Write = %v", tt.o, err)
		}
		whole := tt.o.Plain || tt.want == ""
		if got := b.String(); !strings.HasPrefix(got, tt.want) || whole && got != tt.want {
			t.Errorf("%+v.Write wrote %q, want %q", tt.o, got, tt.want)
		}
		if tt.o.Part == "none" && strings.Contains(b.String(), "by_currency") {
			t.Errorf("%+v.Write wrote other parts: %s", tt.o, b.String())
		}
	}
	if info, err := os.Stat(book); err != nil || info.Size() == 0 {
		t.Errorf("no workbook: %v", err)
	}
}

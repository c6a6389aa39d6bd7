package ledger_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"billsync/internal/ledger"
)

// zipped is a zip file of parts: name, content, and so on.
func zipped(t *testing.T, parts ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		w, err := z.Create(parts[i])
		if err == nil {
			_, err = io.WriteString(w, parts[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// partsOf are the parts of a zip file, as zipped takes them.
func partsOf(t *testing.T, data string) (parts []string) {
	t.Helper()
	z, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range z.File {
		r, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part.Name, string(content))
	}
	return parts
}

// What is no workbook, or only a part of one, is refused with what it is: never are
// the first half of its lines taken for all.
func TestNoWorkbook(t *testing.T) {
	t.Parallel()
	f := excelize.NewFile()
	const rows = 3000 // longer than what is looked at for the first element
	for i := range rows {
		row := []any{"2026-05-03", -i, "ACME"}
		if i == 0 {
			row = []any{"Date", "Amount", "Payee"}
		}
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	var good, locked bytes.Buffer
	if err := errors.Join(f.Write(&good), f.Write(&locked, excelize.Options{Password: "secret"})); err != nil {
		t.Fatal(err)
	}
	whole := good.String()
	// changed has one part changed, and removed if nothing is left of it.
	changed := func(name string, change func(string) string) string {
		parts := partsOf(t, whole)
		for i := 0; i < len(parts); i += 2 {
			if parts[i] != name {
				continue
			}
			if parts[i+1] = change(parts[i+1]); parts[i+1] == "" {
				parts = append(parts[:i], parts[i+2:]...)
			}
			return zipped(t, parts...)
		}
		t.Fatalf("there is no part %s", name)
		return ""
	}
	half := func(s string) string { return s[:len(s)/2] }
	row := func(s string) string { return s[:strings.LastIndex(s, "<row ")] } // it ends with a whole row
	none := func(string) string { return "" }
	junk := func(string) string { return "hello \x00\x01 <<<>" }
	flipped := []byte(whole)
	at := strings.Index(whole, "xl/worksheets/sheet1.xml") + 2000
	flipped[at] ^= 0x55
	const sheet, damaged = "xl/worksheets/sheet1.xml", "the workbook is damaged: %q in it cannot be read"
	for _, tt := range []struct{ name, data, want string }{
		{"whole", whole, ""},
		{"empty parts", changed("docProps/app.xml", func(string) string { return "<Properties xmlns='x'/>\n" }), ""},
		{"parts of others", changed("docProps/core.xml", func(string) string { return " " }), ""},
		{"space in the last tag", changed(sheet, func(s string) string { return strings.Replace(s, "</worksheet>", "</worksheet\n>", 1) }), ""},
		{"instructions behind it", changed(sheet, func(s string) string { return s + "<?saved by='x'?>\n" }), ""},
		{"half of the file", half(whole), "the workbook is damaged, or only a part of it: its end is missing"},
		{"all but the end", whole[:len(whole)-30], "the workbook is damaged, or only a part of it: its end is missing"},
		{"a bit is another", string(flipped), fmt.Sprintf(damaged, sheet)},
		{"half a sheet", changed(sheet, half), fmt.Sprintf(damaged, sheet)},
		{"the first rows of a sheet", changed(sheet, row), fmt.Sprintf(damaged, sheet)},
		{"no XML", changed(sheet, junk), fmt.Sprintf(damaged, sheet)},
		{"half a list of sheets", changed("xl/workbook.xml", half), fmt.Sprintf(damaged, "xl/workbook.xml")},
		{"half of the texts", changed("xl/sharedStrings.xml", half), fmt.Sprintf(damaged, "xl/sharedStrings.xml")},
		{"no relations", changed("xl/_rels/workbook.xml.rels", junk), fmt.Sprintf(damaged, "xl/_rels/workbook.xml.rels")},
		{"no sheet", changed(sheet, none), "the sheet Sheet1 cannot be read: sheet Sheet1 does not exist"},
		{"no list of sheets", changed("xl/workbook.xml", none), "the ledger is a zip file with no workbook in it"},
		{"with a password", locked.String(), "the ledger is encrypted: it is opened with a password"},
		{"nothing zipped", zipped(t), "the ledger is a zip file with no workbook in it"},
		{"CSV zipped", zipped(t, "may.csv", "Date,Amount\n"), "the ledger is a zip file with no workbook in it"},
		{"docx", zipped(t, "[Content_Types].xml", "<Types/>", "word/document.xml", "<x/>"), "the ledger is a text document (.docx)"},
		{"pptx", zipped(t, "ppt/presentation.xml", "<x/>"), "the ledger is a presentation (.pptx)"},
		{"xlsb", zipped(t, "[Content_Types].xml", "<Types/>", "xl/workbook.bin", "x"), "the ledger is a workbook of another kind (.xlsb)"},
		{"ods", zipped(t, "mimetype", "application/vnd.oasis.opendocument.spreadsheet", "content.xml", "<x/>"), "the ledger is a document of another kind, such as .ods"},
		{"numbers", zipped(t, "Index/Document.iwa", "x"), "the ledger is a document of Numbers or Pages"},
		{"text", "this is\nno ledger\n", "the ledger is no workbook, whatever its name says; read as text: no column is known to hold the date"},
		{"noise", "\x07\xc8\x03\x00c\x0d\x99", "the ledger is no workbook, whatever its name says; read as text: its text is not UTF-8 (line 1)"},
	} {
		b, err := ledger.Read([]byte(tt.data), ledger.Options{DefaultCurrency: "EUR", Workbook: true})
		var e *ledger.Error
		switch {
		case tt.want == "" && (err != nil || len(b.Lines) != rows-1):
			t.Errorf("%s: %v, want all lines", tt.name, err)
		case tt.want != "" && (!errors.As(err, &e) || e.Error() != tt.want || e.Advice == "" || b != nil):
			t.Errorf("%s: %v, want %s and an advice", tt.name, err, tt.want)
		}
	}
}

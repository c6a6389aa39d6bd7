package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"billsync/internal/report"
)

// What people read where there is nothing is nothing to programs.
func TestNone(t *testing.T) {
	t.Parallel()
	r := &report.Report{Title: "shops", Parts: []report.Part{{
		Name:    "shops",
		Columns: []report.Column{{Name: "shop", None: "(none)"}, {Name: "bills", Kind: report.Count}},
		Rows:    rows(report.Row{nil, int64(1)}, report.Row{"", nil}),
	}}}
	var text, csv, doc, book bytes.Buffer
	for what, err := range map[string]error{
		"WriteText": report.WriteText(&text, r, report.TextOptions{}), "WriteCSV": report.WriteCSV(&csv, r, "", report.CSVOptions{}),
		"WriteJSON": report.WriteJSON(&doc, r, ""), "WriteWorkbook": report.WriteWorkbook(&book, r, t.TempDir()),
	} {
		if err != nil {
			t.Fatalf("%s = %v", what, err)
		}
	}
	if got := text.String(); strings.Count(got, "(none)") != 1 || !strings.Contains(got, "\n(none)      1\n") {
		t.Errorf("the table is\n%s", got)
	}
	if got, want := csv.String(), "shop,bills\n,1\n,\n"; got != want {
		t.Errorf("the CSV is %q, want %q", got, want)
	}
	if want := `"rows":[{"shop":null,"bills":1},{"shop":"","bills":null}]`; !strings.Contains(doc.String(), want) {
		t.Errorf("the JSON is %s, want %s in it", doc.String(), want)
	}
	f, err := excelize.OpenReader(&book)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for cell, want := range map[string]string{"A2": "(none)", "B2": "1", "A3": "", "B3": ""} {
		if got, err := f.GetCellValue("shops", cell); err != nil || got != want {
			t.Errorf("cell %s of the workbook is %q, %v; want %q", cell, got, err, want)
		}
	}
}

// A note of several lines has room for them: not every program makes it.
func TestLongNote(t *testing.T) {
	t.Parallel()
	r := &report.Report{Title: "notes", Notes: []string{"short", strings.Repeat("long words ", 20), strings.Repeat("支付宝", 40)}}
	var book bytes.Buffer
	if err := report.WriteWorkbook(&book, r, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&book)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sheet := f.GetSheetList()[0]
	var heights []float64
	rows, err := f.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		h, err := f.GetRowHeight(sheet, i+1)
		if err != nil {
			t.Fatal(err)
		}
		heights = append(heights, h)
	}
	n := len(heights)
	if n < 3 || heights[n-3] != 15 || heights[n-2] != 45 || heights[n-1] != 45 {
		t.Errorf("the rows are %v points high, want 15, 45 and 45 for the notes", heights)
	}
}

package report_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"billsync/internal/bill"
	"billsync/internal/report"
)

// dump says what a workbook has in it, as a reader of it finds it.
func dump(t *testing.T, book []byte) []byte {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(book))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	names := map[string]string{}
	for _, n := range f.GetDefinedName() {
		names[n.Scope] += fmt.Sprintf(" %s=%s", n.Name, n.RefersTo)
	}
	for _, sheet := range f.GetSheetList() {
		visible, err := f.GetSheetVisible(sheet)
		must(err)
		panes, err := f.GetPanes(sheet)
		must(err)
		tables, err := f.GetTables(sheet)
		must(err)
		merged, err := f.GetMergeCells(sheet)
		must(err)
		layout, err := f.GetPageLayout(sheet)
		must(err)
		props, err := f.GetSheetProps(sheet)
		must(err)
		fmt.Fprintf(&b, "sheet %q visible %t, frozen %t %d x %d at %s, merged %d, %s %d x %d, fit %t\n", sheet, visible, panes.Freeze, panes.XSplit, panes.YSplit, panes.TopLeftCell, len(merged),
			*layout.Orientation, *layout.FitToWidth, *layout.FitToHeight, *props.FitToPage)
		fmt.Fprintf(&b, "names%s\n", names[sheet])
		for _, table := range tables {
			fmt.Fprintf(&b, "table %s %s %s\n", table.Name, table.Range, table.StyleName)
		}
		grid, err := f.GetRows(sheet, excelize.Options{RawCellValue: true})
		must(err)
		for r, row := range grid {
			for c := range row {
				cell, err := excelize.CoordinatesToCellName(c+1, r+1)
				must(err)
				value, err := f.GetCellValue(sheet, cell, excelize.Options{RawCellValue: true})
				must(err)
				formula, err := f.GetCellFormula(sheet, cell)
				must(err)
				if value == "" && formula == "" {
					continue
				}
				kind, err := f.GetCellType(sheet, cell)
				must(err)
				id, err := f.GetCellStyle(sheet, cell)
				must(err)
				look, err := f.GetStyle(id)
				must(err)
				format := map[int]string{49: "@"}[look.NumFmt]
				if look.CustomNumFmt != nil {
					format = *look.CustomNumFmt
				}
				typ := map[excelize.CellType]string{excelize.CellTypeUnset: "number", excelize.CellTypeNumber: "number", excelize.CellTypeInlineString: "text", excelize.CellTypeSharedString: "text"}[kind]
				fmt.Fprintf(&b, "  %-4s %-6s %q %s", cell, typ, value, format)
				if formula != "" {
					calculated, err := f.CalcCellValue(sheet, cell, excelize.Options{RawCellValue: true})
					must(err)
					fmt.Fprintf(&b, " ={%s} is %s", formula, calculated)
				}
				b.WriteByte('\n')
			}
		}
		for c := range grid[0] {
			col, err := excelize.ColumnNumberToName(c + 1)
			must(err)
			width, err := f.GetColWidth(sheet, col)
			must(err)
			fmt.Fprintf(&b, "width %s %g\n", col, width)
		}
	}
	return b.Bytes()
}

func workbook(t *testing.T, r *report.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteWorkbook(&b, r, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestXLSX(t *testing.T) {
	t.Parallel()
	golden(t, "sample.xlsx.txt", dump(t, workbook(t, sample())))
}

// The same report is the same bytes, whatever the order in which the library goes
// through its sheets, and nothing in them tells the time.
func TestXLSXIsTheSameAgain(t *testing.T) {
	t.Parallel()
	first := workbook(t, sample())
	for range 8 {
		if !bytes.Equal(first, workbook(t, sample())) {
			t.Fatal("the same report gave other bytes")
		}
	}
	z, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		if got := f.Modified.Format("2006-01-02 15:04:05"); got != "1980-01-01 00:00:00" {
			t.Errorf("%s is of %s", f.Name, got)
		}
		if strings.Contains(f.Name, "vba") {
			t.Errorf("%s: a macro", f.Name)
		}
	}
}

// Rows that have no room on a sheet go on on the next, and the foot is about all of
// them.
func TestXLSXGoesOn(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{4, 5, 9, 12, 13, 40} {
		r := sample()
		r.Parts = r.Parts[:1]
		r.Parts[0].Rows = func(row func(report.Row) error) error {
			for i := range 15 {
				currency := []string{"USD", "JPY"}[i%2]
				if err := row(report.Row{fmt.Sprint(i), nil, nil, nil, int64(1), int64(i * 101), any(currency), nil, nil}); err != nil {
					return err
				}
			}
			return nil
		}
		var b bytes.Buffer
		if err := report.WriteSmallWorkbook(&b, r, t.TempDir(), limit); err != nil {
			t.Fatal(err)
		}
		f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		next := 0
		sheets := f.GetSheetList()
		for i, sheet := range sheets[1:] {
			if want := "bills" + map[bool]string{true: fmt.Sprintf(" %d", i+1)}[i > 0]; sheet != want {
				t.Errorf("limit %d: sheet %d is %q, want %q", limit, i, sheet, want)
			}
			grid, err := f.GetRows(sheet, excelize.Options{RawCellValue: true})
			if err != nil || limit >= 9 && len(grid) > limit {
				t.Errorf("limit %d: %d rows on %s, %v", limit, len(grid), sheet, err)
			}
			for _, row := range grid[1:] {
				if len(row) > 5 && row[0] == fmt.Sprint(next) {
					next++
				}
			}
		}
		if next != 15 {
			t.Errorf("limit %d: %d rows in order, want 15", limit, next)
		}
		last := sheets[len(sheets)-1]
		want := map[string]string{"JPY": "4949", "USD": "56.56"} // 1+3+…+13 and 0+2+…+14 times 101
		grid, err := f.GetRows(last, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		for n, row := range grid {
			if len(row) < 6 || row[0] != "total" && row[0] != "difference (0)" {
				continue
			}
			cell := fmt.Sprintf("F%d", n+1)
			got, err := f.CalcCellValue(last, cell, excelize.Options{RawCellValue: true})
			if err != nil {
				t.Fatal(err)
			}
			if got == "-0" {
				got = "0" // of a number a little below, rounded
			}
			if row[0] == "total" && (got != want[row[6]] || row[5] != got) || row[0] != "total" && (got != "0" || row[5] != "0") {
				t.Errorf("limit %d: %v calculated as %s, want %s", limit, row, got, want)
			}
			if row[0] == "total" {
				delete(want, row[6])
			}
		}
		if len(want) > 0 {
			t.Errorf("limit %d: no total of %v", limit, want)
		}
		f.Close()
	}
}

// What Excel shows of an amount is the amount, or it is text.
func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := bill.Amount{
			Currency: rapid.SampledFrom([]string{"JPY", "USD", "KWD", "XXX"}).Draw(t, "currency"),
			Value:    rapid.OneOf(rapid.Int64(), rapid.Int64Range(-2e15, 2e15), rapid.Int64Range(-1000, 1000)).Draw(t, "value"),
		}
		value, ok := report.Number(a.Decimal())
		if fits := a.Value > -1e15 && a.Value < 1e15; ok != fits {
			t.Fatalf("Number(%s) = %v, %t, want %t", a.Decimal(), value, ok, fits)
		}
		places, _ := bill.Decimals(a.Currency)
		if shown := strconv.FormatFloat(value, 'f', places, 64); ok && shown != a.Decimal() {
			t.Fatalf("%s is shown as %s", a.Decimal(), shown)
		}
		if written := strconv.FormatFloat(value, 'f', -1, 64); ok && len(strings.Trim(written, "-0")) > 16 {
			t.Fatalf("%s is written as %s", a.Decimal(), written)
		}
	})
}

func TestWriteXLSX(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "月结 sample.xlsx")
	alone := func(when string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) > 1 {
			t.Errorf("%s: %v, %v are left beside the workbook", when, entries, err)
		}
	}
	if err := report.WriteXLSX(path, sample(), false); err != nil {
		t.Fatal(err)
	}
	alone("written")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var usage *report.UsageError
	if err := report.WriteXLSX(path, sample(), false); !errors.As(err, &usage) || !strings.Contains(usage.Hint(), "--force") {
		t.Errorf("writing over a file = %v, want a UsageError about --force", err)
	}
	if err := report.WriteXLSX(path, broken(), true); !errors.Is(err, errMiddle) {
		t.Errorf("rows that break off = %v, want %v", err, errMiddle)
	}
	alone("broken off")
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a workbook that could not be written changed the one that was there (%v)", err)
	}
	r := sample()
	r.Title = "another one"
	if err := report.WriteXLSX(path, r, true); err != nil {
		t.Fatal(err)
	}
	alone("replaced")
	if after, err := os.ReadFile(path); err != nil || bytes.Equal(before, after) {
		t.Errorf("--force did not replace the file (%v)", err)
	}
	for _, bad := range []string{dir, filepath.Join(dir, "none", "x.xlsx"), filepath.Join(path, "x.xlsx"), filepath.Join(dir, strings.Repeat("x", 300)+".xlsx")} {
		if err := report.WriteXLSX(bad, sample(), true); !errors.As(err, &usage) {
			t.Errorf("WriteXLSX(%s) = %v, want a UsageError", bad, err)
		}
	}
	alone("refused")
}

// Rows that are too many for memory are in a folder that nobody else may look
// into, and are gone afterwards, also if it broke off.
func TestXLSXLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, fails := range []bool{true, false} {
		r := &report.Report{Name: "long", Parts: []report.Part{{Name: "p", Columns: []report.Column{{Name: "x"}}, Rows: func(row func(report.Row) error) error {
			text := strings.Repeat("x", 30_000)
			for range 600 { // 18 MB
				if err := row(report.Row{text}); err != nil {
					return err
				}
			}
			spilled, err := filepath.Glob(filepath.Join(dir, ".syncer-*", "excelize-*"))
			if err != nil || len(spilled) != 1 {
				t.Errorf("rows are in %v, %v, want a file in a folder beside the workbook", spilled, err)
				return errMiddle
			}
			if info, err := os.Stat(filepath.Dir(spilled[0])); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%v, %v, want a folder of mode 0700", info.Mode(), err)
			}
			if fails {
				return errMiddle
			}
			return nil
		}}}}
		err := report.WriteXLSX(filepath.Join(dir, "x.xlsx"), r, false)
		want := []string(nil)
		if !fails {
			want = []string{"x.xlsx"}
		}
		if fails != errors.Is(err, errMiddle) || !fails && err != nil {
			t.Errorf("WriteXLSX = %v, rows fail: %t", err, fails)
		}
		entries, err := os.ReadDir(dir)
		var got []string
		for _, e := range entries {
			got = append(got, e.Name())
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("left: %v, %v, want %v", got, err, want)
		}
	}
}

// A footCase is rows, and how many of them a sheet has room for.
type footCase struct {
	rows []report.Row
	room int
}

var footCases = rapid.Custom(func(t *rapid.T) footCase {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"USD", "JPY", "KWD", "XTS", "", "usd", "U*D", "=1", "<>", ">A", "U?D", "\"x"}), 1, 3, rapid.ID).Draw(t, "currencies")
	amount := rapid.OneOf(rapid.Int64Range(-1000, 1000), rapid.Int64Range(-1e16, 1e16))
	c := footCase{room: rapid.IntRange(5, 30).Draw(t, "room")}
	for range rapid.IntRange(1, 9).Draw(t, "rows") {
		var currency any // nil or "": there is none
		if name := rapid.SampledFrom(names).Draw(t, "currency"); name != "" || rapid.Bool().Draw(t, "empty text") {
			currency = name
		}
		c.rows = append(c.rows, report.Row{"x", currency, amount.Draw(t, "amount"), int64(1)})
	}
	return c
})

// Whatever the currencies are called, what the formulas at the foot come to is the
// exact sum. (Reading a workbook back is slow: there are few cases, the same each
// time.)
func TestFormulasAreTheSums(t *testing.T) {
	t.Parallel()
	live := 0
	for seed := range 50 {
		c := footCases.Example(seed)
		r := &report.Report{Parts: []report.Part{{Name: "p", Rows: rows(c.rows...), Columns: []report.Column{
			{Name: "x"}, {Name: "c", None: "(none)"}, {Name: "amount", Kind: report.Money, Currency: 1, Sum: true}, {Name: "n", Kind: report.Count, Sum: true},
		}}}}
		var b bytes.Buffer
		if err := report.WriteSmallWorkbook(&b, r, t.TempDir(), c.room); err != nil {
			t.Fatal(err)
		}
		want := map[string]int64{}
		for _, row := range c.rows {
			currency, _ := row[1].(string)
			want[currency] += row[2].(int64)
		}
		f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		totals := 0
		sheets := f.GetSheetList()
		for _, cell := range footCells(t, f, sheets[len(sheets)-1]) {
			if cell.formula != "" {
				live++
			}
			switch {
			case cell.word == "difference (0)" && strings.Trim(cell.value, "-") != "0":
				t.Errorf("%v: the difference %s is %s", c, cell.formula, cell.value)
			case cell.word == "total" && cell.column == 2:
				totals++
				exact := bill.Amount{Currency: cell.currency, Value: want[cell.currency]}.Decimal()
				if !near(t, cell.value, exact) {
					t.Errorf("%v: the total of %q by %q is %s, want %s", c, cell.currency, cell.formula, cell.value, exact)
				}
			}
		}
		if totals != len(want) {
			t.Errorf("%v: %d totals of amounts, want %d", c, totals, len(want))
		}
		f.Close()
	}
	if live < 50 {
		t.Errorf("only %d formulas in all", live)
	}
}

// A footCell is a number at the foot, calculated if it is a formula.
type footCell struct {
	word, currency string
	column         int
	formula, value string
}

func footCells(t *testing.T, f *excelize.File, sheet string) []footCell {
	t.Helper()
	grid, err := f.GetRows(sheet, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	var out []footCell
	for n, row := range grid {
		if row == nil || row[0] != "total" && row[0] != "difference (0)" {
			continue
		}
		for c := 2; c < len(row); c++ {
			cell := footCell{word: row[0], currency: row[1], column: c, value: row[c]}
			name, err := excelize.CoordinatesToCellName(c+1, n+1)
			if err != nil {
				t.Fatal(err)
			}
			if cell.formula, err = f.GetCellFormula(sheet, name); err != nil {
				t.Fatal(err)
			}
			if cell.formula != "" {
				if cell.value, err = f.CalcCellValue(sheet, name, excelize.Options{RawCellValue: true}); err != nil {
					t.Fatalf("%s: %v", cell.formula, err)
				}
			}
			if cell.value != "" {
				out = append(out, cell)
			}
		}
	}
	return out
}

// near reports whether a number that was calculated is an exact one.
func near(t *testing.T, calculated, exact string) bool {
	t.Helper()
	want, err := strconv.ParseFloat(exact, 64)
	if err != nil {
		t.Fatal(err)
	}
	got, err := strconv.ParseFloat(calculated, 64)
	return err == nil && math.Abs(got-want) <= 1e-9*math.Abs(want)
}

// What is not exactly a number, or a day, as Excel has them, is a text.
func TestCellTypes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind report.Kind
		cell any
		want string // type, value and format
	}{
		{report.Decimal, "7.10", "number 7.1 0.00"},
		{report.Decimal, "-0.000001", "number -0.000001 0.000000"},
		{report.Decimal, "123456789.123456", "number 123456789.123456 0.000000"},
		{report.Decimal, "1234567890.123456", "text 1234567890.123456 @"},
		{report.Decimal, "0." + strings.Repeat("0", 30) + "1", "text 0." + strings.Repeat("0", 30) + "1 @"},
		{report.Decimal, "1e5", "text 1e5 @"},
		{report.Decimal, "NaN", "text NaN @"},
		{report.Decimal, "0x10", "text 0x10 @"},
		{report.Count, int64(999_999_999_999_999), "number 999999999999999 #,##0"},
		{report.Count, int64(-1_000_000_000_000_000), "text -1000000000000000 @"},
		{report.Date, "1900-03-01", "number 61 yyyy-mm-dd"},
		{report.Date, "1900-02-28", "text 1900-02-28 @"},
		{report.Date, "2026-02-29", "text 2026-02-29 @"},
		{report.Month, "2026-02", "number 46054 yyyy-mm"},
		{report.Month, "2026-13", "text 2026-13 @"},
		{report.ID, "12", "text 12 @"},
		{report.Text, "-12.34", "text -12.34 @"},
		{report.Text, "_x0041_", "text _x0041_ @"}, // what would be an A in XML
		{report.Text, "<&>\ufffe\x1b", "text <&>\ufffd\ufffd @"},
		{report.Time, noon, "text 2026-05-03T04:30:15Z @"},
	} {
		r := &report.Report{Parts: []report.Part{{Name: "p", Columns: []report.Column{{Name: "x", Kind: tt.kind}}, Rows: rows(report.Row{tt.cell})}}}
		_, sheet, _ := strings.Cut(string(dump(t, workbook(t, r))), "sheet \"p\"")
		_, line, _ := strings.Cut(sheet, "A2   ")
		line, _, _ = strings.Cut(line, "\n")
		kind, rest, _ := strings.Cut(line, " ")
		value, err := strconv.QuotedPrefix(strings.TrimSpace(rest))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		_, format, _ := strings.Cut(rest, value+" ")
		value, err = strconv.Unquote(value)
		if got := kind + " " + value + " " + format; err != nil || got != tt.want {
			t.Errorf("%v %v is %q, %v, want %q", tt.kind, tt.cell, got, err, tt.want)
		}
	}
}

// A text longer than a cell is cut, and the first sheet says so.
func TestLongCell(t *testing.T) {
	t.Parallel()
	r := &report.Report{Parts: []report.Part{{Name: "p", Columns: []report.Column{{Name: "x"}}, Rows: rows(
		report.Row{strings.Repeat("a", 32767)}, report.Row{strings.Repeat("𝄞", 16384)},
	)}}}
	f, err := excelize.OpenReader(bytes.NewReader(workbook(t, r)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	grid, err := f.GetRows("p")
	if err != nil || len(grid) != 3 || len(grid[1][0]) != 32767 || !strings.HasSuffix(grid[2][0], "𝄞…") || len(utf16.Encode([]rune(grid[2][0]))) > 32767 {
		t.Fatalf("%d rows, %v", len(grid), err)
	}
	about, err := f.GetRows("About")
	if err != nil || !strings.Contains(fmt.Sprint(about), "ends with …") {
		t.Errorf("About has %v, %v, want a note on the text that was cut", about, err)
	}
}

func TestSheetNames(t *testing.T) {
	t.Parallel()
	got := fmt.Sprintf("%q", report.SheetNames("bills", "Bills", "a/b:c", "", "'x'", "history", strings.Repeat("月", 40), strings.Repeat("月", 40), "a\x00b"))
	want := `["bills" "Bills 2" "a-b-c" "Sheet" "x" "history_" "` + strings.Repeat("月", 31) + `" "` + strings.Repeat("月", 29) + ` 2" "a�b"]`
	if got != want {
		t.Errorf("SheetNames = %s, want %s", got, want)
	}
}

func FuzzSheetNames(f *testing.F) {
	f.Add("bills", "BILLS", "Bills 2")
	f.Add("'", "[]", "\xff")
	f.Add(strings.Repeat("𝄞", 20), strings.Repeat("𝄞", 16), "İ")
	f.Add("History", "history_", " x ")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		book := excelize.NewFile()
		defer book.Close()
		seen := map[string]bool{}
		for _, name := range report.SheetNames(a, b, c, a, b, c) {
			if len(utf16.Encode([]rune(name))) > 31 || seen[strings.ToLower(name)] || strings.EqualFold(name, "history") || strings.ContainsAny(name, `:\/?*[]`) {
				t.Fatalf("a sheet of %q, %q, %q is called %q", a, b, c, name)
			}
			seen[strings.ToLower(name)] = true
			if _, err := book.NewSheet(name); err != nil {
				t.Fatalf("a sheet of %q, %q, %q is called %q: %v", a, b, c, name, err)
			}
		}
		seen = map[string]bool{}
		for _, name := range report.TableNames(a, b, c, a, b, c) {
			if len(name) > 255 || seen[strings.ToLower(name)] || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
				t.Fatalf("a table of %q, %q, %q is called %q", a, b, c, name)
			}
			seen[strings.ToLower(name)] = true
		}
	})
}

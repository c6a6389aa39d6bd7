package main

import (
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// toCSV has LibreOffice write each sheet of a file as CSV, with its values and not as
// they look, and returns one of them.
func toCSV(t *testing.T, file, sheet string) [][]string {
	t.Helper()
	if _, err := exec.LookPath("soffice"); err != nil {
		t.Skip("soffice is not installed: apt-get install libreoffice-calc")
	}
	dir := t.TempDir()
	// Comma, ", UTF-8, from line 1, English, not quoted, numbers recognised, values, no formulas, all sheets.
	const filter = "csv:Text - txt - csv (StarCalc):44,34,76,1,,1033,false,true,false,false,false,-1"
	cmd := exec.Command("soffice", "-env:UserInstallation=file://"+filepath.Join(dir, "profile"), "--headless", "--convert-to", filter, "--outdir", dir, file)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("soffice: %v\n%s", err, out)
	}
	base := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	data, err := os.ReadFile(filepath.Join(dir, base+"-"+sheet+".csv"))
	if err != nil {
		made, _ := filepath.Glob(filepath.Join(dir, "*.csv"))
		t.Fatalf("%v; there are %v", err, made)
	}
	return records(t, string(data))
}

func records(t *testing.T, text string) [][]string {
	t.Helper()
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// LibreOffice finds in the workbook of bills what the CSV has: amounts are numbers,
// ids are texts, and nothing is a formula.
func TestBillsInLibreOffice(t *testing.T) {
	t.Parallel()
	d := exported(t)
	book := filepath.Join(d.dir, "bills.xlsx")
	if _, errout, code := d.ask("export", "xlsx", "-o", book); code != exitDone {
		t.Fatalf("xlsx: %d %s", code, errout)
	}
	plain, errout, code := d.ask("export", "csv", "--plain")
	if code != exitDone {
		t.Fatalf("csv: %d %s", code, errout)
	}
	want, got := records(t, plain), toCSV(t, book, "bills")
	if len(got) < len(want) || len(want) < 15 {
		t.Fatalf("LibreOffice finds %d rows, there are %d", len(got), len(want))
	}
	for i := range want {
		for k, cell := range want[i] {
			switch {
			case i == 0: // the title of a day names its zone
				want[i][k], _, _ = strings.Cut(cell, " ")
				got[i][k], _, _ = strings.Cut(got[i][k], " ")
			case strings.HasSuffix(want[0][k], "_amount") && strings.Contains(cell, "."): // a number
				want[i][k] = strings.TrimSuffix(strings.TrimRight(cell, "0"), ".")
			default: // a workbook shows what steers a screen
				want[i][k] = strings.NewReplacer("\n", "\ufffd", "\u202e", "\ufffd").Replace(cell)
			}
		}
		if diff := cmp.Diff(want[i], got[i][:len(want[i])]); diff != "" {
			t.Errorf("row %d (-CSV +LibreOffice):\n%s", i, diff)
		}
	}
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A month's workbook and the lines of the books, in all outputs, as they are in
// files. May is closed; June is not.
func TestPackGolden(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	d.written()
	for name, command := range map[string]string{
		"pack_closed": "pack 2026-05", "pack_open": "pack 2026-06 --account main", "pack_empty": "pack 2026-01", "postings": "postings", "postings_june": "postings --month 2026-06",
	} {
		args := append([]string{"report"}, strings.Fields(command)...)
		made := func(more ...string) string {
			out, errout, code := d.ask(append(args, more...)...)
			if code != exitDone || errout != "" {
				t.Errorf("%s %v ends with %d and says %s", command, more, code, errout)
			}
			return out
		}
		if strings.HasPrefix(name, "postings") {
			golden(t, name+".txt", made())
		}
		doc := made("--json")
		var parsed struct {
			Parts []struct {
				Name string `json:"name"`
			} `json:"parts"`
		}
		if err := json.Unmarshal([]byte(doc), &parsed); err != nil || len(parsed.Parts) == 0 {
			t.Fatalf("%s --json has %d parts: %v", command, len(parsed.Parts), err)
		}
		golden(t, name+".json", strings.ReplaceAll(doc, "},{", "},\n{"))
		var csv strings.Builder
		for _, part := range parsed.Parts {
			csv.WriteString("# " + part.Name + "\n" + made("--csv", "--part", part.Name))
		}
		golden(t, name+".csv", csv.String())
		book := filepath.Join(d.dir, name+".xlsx")
		made("--xlsx", book)
		golden(t, name+".xlsx.txt", strings.ReplaceAll(workbook(t, book), d.dir, "DIR"))
	}
}

// Without a word of where, the workbook goes into the present folder, and replaces
// nothing that is there.
func TestPackNamesItsFile(t *testing.T) {
	d := newDiary(t)
	d.written()
	t.Chdir(d.dir)
	out, errout, code := d.ask("report", "pack", "2026-05")
	if want := "pack-2026-05.xlsx: World Card bills of 2026-05 written\n"; code != exitDone || out != want || errout != "" {
		t.Errorf("it ends with %d and says %s%s, want %s", code, out, errout, want)
	}
	first, err := os.ReadFile("pack-2026-05.xlsx")
	if err != nil {
		t.Fatal(err)
	}
	if out, errout, code := d.ask("report", "pack", "2026-05"); code != exitUsage || out != "" || !strings.Contains(errout, "pack-2026-05.xlsx: it is there already\nhint: ") {
		t.Errorf("again it ends with %d and says %s%s", code, out, errout)
	}
	if again, err := os.ReadFile("pack-2026-05.xlsx"); err != nil || string(again) != string(first) {
		t.Errorf("the workbook is not what it was: %v", err)
	}
	for args, want := range map[string]string{
		"pack":                             "pack takes one month\nhint: such as: syncer report pack 2026-05\n",
		"pack 2026-5":                      "\"2026-5\" is no month\nhint: a month is written 2026-05\n",
		"pack 2999-01":                     "2999-01 has not begun yet\n",
		"pack 2026-05 2026-06":             "pack takes one month\n",
		"pack 2026-05 --csv --part nosuch": "the report pack has no part \"nosuch\"\n",
		"pack 2026-06 --account nobody":    "there is no account \"nobody\" in the database\n",
		"postings --month 5":               "--month: \"5\" is no month\n",
	} {
		if out, errout, code := d.ask(append([]string{"report"}, strings.Fields(args)...)...); code != exitUsage || out != "" || !strings.Contains(errout, want) {
			t.Errorf("report %s ends with %d and says %s%s, want %s", args, code, out, errout, want)
		}
	}
}

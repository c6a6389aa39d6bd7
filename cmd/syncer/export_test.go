package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"billsync/internal/export"
)

// exported is a diary with what exports have to cope with beside the rest.
func exported(t *testing.T) *diary {
	t.Helper()
	d := newDiary(t)
	d.seen("2026-05-02 03:00", "main", "yuan", "2026-05-02 02:00", "SUCCESS", "淘宝网（中国）软件有限公司", "", "123456 CNH", "")
	d.seen("2026-05-03 03:00", "main", "more", "2026-05-03 02:00", "SUCCESS", "Hotel \"O'Neil\" & <Söhne>; a|b\\c\nnext\u202eline", "45000 EUR", "50000 USD", "")
	d.seen("2026-05-04 03:00", "shop", "digits", "2026-05-04 02:00", "SUCCESS", "12345", "99 USD", "99 USD", "")
	d.seen("2026-05-04 04:00", "shop", "nameless", "2026-05-04 03:00", "SUCCESS", "", "", "1 KWD", "")
	d.turns("2026-05-20 03:00", "yuan", "PARTIAL_REFUND", "", "3456 CNH")
	d.written()
	d.reopened()
	d.turns("2026-06-13 03:00", "more", "SUCCESS", "60000 USD", "") // May is closed
	d.turns("2026-06-14 03:00", "yuan", "REFUNDED", "", "123456 CNH")
	return d
}

// tree is what is in a folder, file by file.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(data)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}

// goldenTree compares the files of a folder with those in testdata/export.
func goldenTree(t *testing.T, name string, got map[string]string) {
	t.Helper()
	dir := filepath.Join("testdata", "export", name)
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for file, data := range got {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(data), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(tree(t, dir), got); diff != "" {
		t.Errorf("%s differs (-want +got); if it should, -update rewrites it:\n%s", dir, diff)
	}
}

// exports are the exports whose files are kept in testdata, and read by other
// programs.
var exports = map[string]string{
	"ofx": "ofx", "ofx102": "ofx --ofx-version 1.02 --ledger-balance CNH=-99.50 --account main", "bank": "ofx --month 2026-05 --account shop --card 4242",
	"qbo": "qbo-csv", "qbo_dmy": "qbo-csv --date-format dmy --month 2026-05 --account shop", "xero": "xero-csv --from 2026-05", "xero_mdy": "xero-csv --to 2026-05 --date-format mdy",
	"beancount": "beancount", "beancount_june": "beancount --month 2026-06 --no-accounts", "hledger": "hledger", "camt": "camt053", "camt_may": "camt053 --month 2026-05",
	"csv": "csv", "plain": "csv --plain --bom --crlf --month 2026-06", "jsonl": "jsonl --account main",
}

func TestExportGolden(t *testing.T) {
	t.Parallel()
	d := exported(t)
	const accounts = "[[account]]\nname = \"main\"\n"
	for name, command := range exports {
		dir := filepath.Join(d.dir, name)
		kind := ""
		if name == "bank" {
			kind = "[export]\nofx.kind = \"bank\"\n"
		}
		put(t, filepath.Join(d.dir, "config.toml"), []byte(kind+accounts))
		out, errout, code := d.ask(append(append([]string{"export"}, strings.Fields(command)...), "-o", dir+"/")...)
		if code != exitDone || errout != "" {
			t.Errorf("%s ends with %d and says %s", command, code, errout)
		}
		files := tree(t, dir)
		files["said.txt"] = regexp.MustCompile("  +").ReplaceAllString(out, "  ") // names are as long as the folder's
		goldenTree(t, name, files)
	}
	// What goes to standard output is what goes to a file.
	for _, format := range []string{"csv", "jsonl", "beancount", "hledger"} {
		out, errout, code := d.ask("export", format, "-o", "-")
		path := filepath.Join(d.dir, "one."+format)
		_, more, also := d.ask("export", format, "-o", path)
		data, err := os.ReadFile(path)
		if err != nil || code != exitDone || also != exitDone || errout+more != "" || out != strings.ReplaceAll(string(data), d.dir, "DIR") {
			t.Errorf("%s: %d %d %s %s %v; a file and standard output differ", format, code, also, errout, more, err)
		}
	}
	book := filepath.Join(d.dir, "book.xlsx")
	if _, errout, code := d.ask("export", "xlsx", "-o", book); code != exitDone {
		t.Fatalf("xlsx: %d %s", code, errout)
	}
	goldenTree(t, "xlsx", map[string]string{"book.txt": strings.ReplaceAll(workbook(t, book), d.dir, "DIR")})
}

// Other programs read what is in testdata.
func TestExportsAreReadByOthers(t *testing.T) {
	t.Parallel()
	dir := func(name string) string { return filepath.Join("testdata", "export", name) }
	schema := "no such file"
	if found, _ := filepath.Glob(filepath.Join(modules(t), "github.com/moov-io/iso20022@v0.2.1/docs/specifications/*/camt.053.001.08.xsd")); len(found) > 0 {
		schema = found[0]
	}
	for _, c := range []struct{ name, files, command string }{
		{"beancount", "*.beancount", "bean-check"},
		{"hledger", "*.journal", "hledger check --strict -f"},
		{"hledger", "*.journal", "ledger --pedantic --permissive bal -f"},
		{"camt", "*.xml", "xmllint --noout --schema " + schema},
		{"camt_may", "*.xml", "xmllint --noout --schema " + schema},
		{"ofx", "*.ofx", "ofxdump"},
		{"ofx102", "*.ofx", "ofxdump"},
		{"bank", "*.ofx", "ofxdump"},
		{"ofx", "*.ofx", "xmllint --noout"},
	} {
		t.Run(c.name+"_"+strings.Fields(c.command)[0], func(t *testing.T) {
			t.Parallel()
			args := strings.Fields(c.command)
			if _, err := exec.LookPath(args[0]); err != nil {
				t.Skipf("%s is not installed: apt-get install beancount hledger ledger ofx libxml2-utils", args[0])
			}
			if strings.Contains(c.command, "no such file") {
				t.Skip("the schema of camt.053 is not there: go mod download github.com/moov-io/iso20022@v0.2.1")
			}
			files, _ := filepath.Glob(filepath.Join(dir(c.name), c.files))
			if len(files) == 0 {
				t.Fatal("no files")
			}
			for _, file := range files {
				var errs bytes.Buffer
				cmd := exec.Command(args[0], append(args[1:len(args):len(args)], file)...)
				cmd.Stderr = &errs
				out, err := cmd.Output()
				if err != nil {
					t.Errorf("%s %s: %v\n%s%s", c.command, file, err, out, errs.String())
				}
				if args[0] == "ofxdump" {
					data, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					want := bytes.Count(data, []byte("<STMTTRN>"))
					if got := bytes.Count(out, []byte("Unique ID")) + bytes.Count(out, []byte("unique id")) + bytes.Count(out, []byte("Financial institution's ID")); got != want || want == 0 {
						t.Errorf("%s: ofxdump found %d lines of %d:\n%s", file, got, want, out)
					}
				}
			}
		})
	}
}

// modules is where Go keeps modules.
func modules(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// asked runs an export and returns what it says as JSON.
func (d *diary) exports(want int, args ...string) exportJSON {
	d.t.Helper()
	out, errout, code := d.ask(append([]string{"export", "--json"}, args...)...)
	if code != want {
		d.t.Fatalf("export %v ends with %d: %s %s", args, code, out, errout)
	}
	var doc exportJSON
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		d.t.Fatalf("%v: %s", err, out)
	}
	return doc
}

// zone is the report's.
func (d *diary) zone() *time.Location {
	d.t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		d.t.Fatal(err)
	}
	return zone
}

// The ids of lines are those of the bills: a database that is made anew, and read in
// another order, gives the same.
func TestExportIDsStay(t *testing.T) {
	t.Parallel()
	bills := [][3]string{{"main", "1", "SUCCESS"}, {"main", "2", "REFUNDED"}, {"shop", "1", "SUCCESS"}, {"main", "3", "PARTIAL_REFUND"}, {"main", "4", "WAITING_CLEARANCE"}}
	ids := func(order []int, more func(d *diary)) string {
		d := newDiary(t)
		for _, i := range order {
			b, in := bills[i], ""
			if strings.HasSuffix(b[2], "REFUND") || b[2] == "REFUNDED" {
				in = "50 USD"
			}
			d.seen("2026-05-02 03:00", b[0], b[1], "2026-05-02 02:00", b[2], "Shop", "", "100 USD", in)
		}
		more(d)
		if err := d.s.Close(); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(d.dir, "out")
		d.exports(exitDone, "ofx", "-o", out)
		var found []string
		for name, text := range tree(t, out) {
			for _, m := range ofxLine.FindAllStringSubmatch(text, -1) {
				found = append(found, name+" "+m[2]+" "+m[1])
			}
		}
		slices.Sort(found)
		return strings.Join(found, "\n")
	}
	first := ids([]int{0, 1, 2, 3, 4}, func(*diary) {})
	if n := strings.Count(first, "\n") + 1; n != 6 {
		t.Fatalf("%d lines, want 6:\n%s", n, first)
	}
	if diff := cmp.Diff(first, ids([]int{4, 3, 1, 0, 2}, func(*diary) {})); diff != "" {
		t.Errorf("made anew (-first +anew):\n%s", diff)
	}
	renamed := ids([]int{2, 0, 3, 4, 1}, func(d *diary) {
		d.bills["1"].MerchantName, d.bills["1"].BillNo = "Another name", "later"
		d.turns("2026-05-03 03:00", "2", "REFUNDED", "", "")
	})
	if diff := cmp.Diff(first, renamed); diff != "" {
		t.Errorf("made anew, with other names (-first +anew):\n%s", diff)
	}
}

// Of nothing there is no file, and none is replaced with it, whatever the format.
func TestExportOfNothing(t *testing.T) {
	t.Parallel()
	d := exported(t)
	for _, format := range exportFormats() {
		t.Run(format, func(t *testing.T) {
			dir := filepath.Join(d.dir, format)
			ext := "." + format
			if l := export.LayoutNamed(format); l != nil {
				ext = l.Ext
			}
			path := filepath.Join(dir, "old"+ext)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			put(t, path, []byte("old"))
			says := func(want string, args ...string) {
				t.Helper()
				out, errout, code := d.ask(append([]string{"export", format, "--month", "1999-01"}, args...)...)
				if code != exitDone || errout != "" || out != want {
					t.Errorf("%v ends with %d and says %q and %q, want %q", args, code, out, errout, want)
				}
			}
			const nothing = "nothing to export: no file was written"
			says(nothing+", and none replaced\n", "-o", path, "--force")
			says(nothing+"\n", "-o", dir)
			says(nothing+"\n", "-o", dir+"/new"+ext)
			says(nothing+"\n", "-o", dir+"/never/")
			says("nothing to export\n", "-n", "-o", path)
			says("", "-o", path, "--force", "-q")
			says(`{"type":"export","format":"`+format+`","dry_run":false,"resumed":false,"lines":0,"files":[]}`+"\n", "-o", path, "--force", "--json")
			if left := tree(t, dir); len(left) != 1 || left["old"+ext] != "old" {
				t.Errorf("there is %v", left)
			}
			if _, err := os.Stat(filepath.Join(dir, "never")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a folder was made: %v", err)
			}
			if _, errout, code := d.ask("export", format, "--month", "1999-01", "-o", path); code != exitUsage || !strings.Contains(errout, "it is there already") {
				t.Errorf("without --force it ends with %d and says %s", code, errout)
			}
			if flows(format) {
				out, errout, code := d.ask("export", format, "--month", "1999-01")
				if code != exitDone || errout != "note: nothing to export\n" || strings.Contains(out, "nothing to export") {
					t.Errorf("to standard output it ends with %d and says %q and %q", code, out, errout)
				}
			}
		})
	}
}

// Where there is no terminal, a long export writes a line to the log now and then, if
// it is to say anything.
func TestExportProgress(t *testing.T) {
	t.Parallel()
	d := exported(t)
	for _, format := range exportFormats() {
		for _, flags := range []string{"", "-q", "--log-level warn"} {
			var out, log bytes.Buffer
			clock := diaryTime
			g := &globals{stdin: strings.NewReader(""), stdout: &out, stderr: &log, now: func() time.Time {
				clock = clock.Add(logEvery) // each look at it is late
				return clock
			}}
			args := append([]string{"export", format, "-c", filepath.Join(d.dir, "config.toml"), "-o", filepath.Join(d.dir, format), "--force"}, strings.Fields(flags)...)
			if flows(format) {
				args[5] += ".x"
			}
			if code := run(t.Context(), g, args); code != exitDone {
				t.Fatalf("%v ends with %d: %s", args, code, &log)
			}
			said := regexp.MustCompile(`"done":1,"total":([0-9]+),.*"message":"exporting"`).FindStringSubmatch(log.String())
			wrote := regexp.MustCompile(`(?m)^([0-9]+) lines in `).FindStringSubmatch(out.String())
			if flags == "" && (said == nil || wrote == nil || said[1] != wrote[1]) || flags != "" && log.Len() > 0 {
				t.Errorf("%v says %q and logs %s", args, &out, &log)
			}
		}
	}
}

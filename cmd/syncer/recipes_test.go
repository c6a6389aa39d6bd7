package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// recipes is docs/other-programs.md.
func recipes(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "other-programs.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks are the blocks of code of a page that are in a language.
func blocks(page, language string) (found []string) {
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		found = append(found, m[1])
	}
	return found
}

// rehearsed makes a folder with a database that was synced from the simulator, in
// which the first month is closed.
func rehearsed(t *testing.T) (dir string) {
	t.Helper()
	s := simulate(t)
	dir = folder(t, s, 100, "")
	shell(t, dir, "syncer sync -q")
	month := lookAt(t, filepath.Join(dir, "bills.db"), "SELECT min(month) FROM monthly_books")[0]
	shell(t, dir, "syncer close "+month+" --force --note rehearsal")
	return dir
}

// shell runs a line of shell in a folder and returns what it prints.
func shell(t *testing.T, dir, line string) string {
	t.Helper()
	cmd := executable(dir)
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", line}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, stderr.String())
	}
	return string(out)
}

// snapshot makes one, for programs that may only read: in the journal mode in
// which nothing has to be written for that.
func snapshot(t *testing.T, dir string) (path string) {
	t.Helper()
	shell(t, dir, "syncer snapshot copy.db")
	path = filepath.Join(dir, "copy.db")
	if got := lookAt(t, path, "PRAGMA journal_mode"); got[0] != "delete" {
		t.Errorf("a snapshot is in journal mode %s, want delete", got[0])
	}
	return path
}

// answer asks a database and returns what the columns are
// called and how many rows came.
func answer(t *testing.T, path, query string, args ...any) (columns []string, n int) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found, err := db.Query(query, args...)
	if err != nil {
		t.Errorf("%v in\n%s", err, query)
		return nil, 0
	}
	defer found.Close()
	columns, err = found.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for found.Next() {
		n++
	}
	if err := found.Err(); err != nil {
		t.Errorf("%v in\n%s", err, query)
	}
	return columns, n
}

// What docs/other-programs.md tells people to run and to ask does something, and
// the columns of charts are the numbers that it says they are.
func TestRecipes(t *testing.T) {
	t.Parallel()
	page, dir := recipes(t), rehearsed(t)
	for _, lines := range blocks(page, "sh") {
		for line := range strings.Lines(lines) {
			shell(t, dir, strings.TrimSpace(line))
		}
	}
	for _, name := range []string{"monthly.xlsx", "open.csv", "bills.csv", "postings.csv"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("no recipe writes %s: %v", name, err)
		}
	}
	path := snapshot(t, dir)
	// What Grafana puts in place of its variables: milliseconds. The month on the page
	// may be one that the clock of this computer has not reached.
	fill := strings.NewReplacer("$__from", "0", "$__to", "99999999999999", "'2026-10'", "'2000-01'")
	types := map[string]string{"spent": "real", "net": "real", "amount": "real", "hours": "real", "time": "integer", "net_decimal": "text"}
	queries, charted := blocks(page, "sql"), 0
	for _, query := range queries {
		query = strings.TrimSuffix(strings.TrimSpace(fill.Replace(query)), ";")
		columns, n := answer(t, path, query)
		if n == 0 {
			t.Errorf("no rows from\n%s", query)
		}
		for _, c := range columns {
			if types[c] == "" {
				continue
			}
			charted++
			if got := lookAt(t, path, "SELECT DISTINCT typeof("+c+") FROM ("+query+")"); len(got) != 1 || got[0] != types[c] {
				t.Errorf("%s is %v, want %s, in\n%s", c, got, types[c], query)
			}
		}
	}
	if len(queries) < 9 || charted < 7 {
		t.Errorf("the page has %d queries and %d columns of charts", len(queries), charted)
	}
}

// Where nothing is summed yet, as after a first sync that was killed, the views of
// sums are empty: what the page tells to ask beside them says so.
func TestRecipesTellOfMissingSums(t *testing.T) {
	t.Parallel()
	page, dir := recipes(t), rehearsed(t)
	path := snapshot(t, dir)
	var asked []string
	for _, query := range blocks(page, "sql") {
		if strings.Contains(query, "books_state") {
			asked = append(asked, strings.TrimSuffix(strings.TrimSpace(query), ";"))
		}
	}
	if len(asked) < 2 || !strings.Contains(strings.Join(blocks(page, "python"), ""), "books_state") {
		t.Fatalf("the page looks at books_state in %q", asked)
	}
	state := func(query string) string {
		column := "current"
		if strings.Contains(query, "complete") {
			column = "complete"
		}
		return lookAt(t, path, "SELECT (SELECT count(*) > 0 FROM monthly_books) || ' ' || "+column+" FROM ("+query+")")[0]
	}
	for _, query := range asked {
		if got := state(query); got != "1 1" {
			t.Errorf("when all is summed: %s, in\n%s", got, query)
		}
	}
	executed(t, path, "INSERT OR IGNORE INTO dirty_months (sums, month) SELECT DISTINCT 'books', month FROM book_sums", "DELETE FROM book_sums")
	for _, query := range asked {
		if got := state(query); got != "0 0" {
			t.Errorf("when nothing is summed: %s, in\n%s", got, query)
		}
	}
}

// The queries of docs/datasette.yaml answer.
func TestDatasetteQueries(t *testing.T) {
	t.Parallel()
	dir := rehearsed(t)
	path := snapshot(t, dir)
	month := lookAt(t, path, "SELECT max(month) FROM monthly_failures")[0]
	merchant := lookAt(t, path, "SELECT max(merchant) FROM posting_details WHERE month = '"+month+"'")[0]
	values := map[string]string{"month": month, "merchant": merchant}
	for _, q := range canned {
		var given, blank []any
		for _, p := range q.params {
			given, blank = append(given, sql.Named(p, values[p])), append(blank, sql.Named(p, ""))
		}
		for _, args := range [][]any{given, blank} { // blank is how Datasette asks first
			if _, n := answer(t, path, q.sql, args...); n == 0 && !q.mayBeEmpty {
				t.Errorf("%s: no rows with %v", q.name, args)
			}
		}
	}
}

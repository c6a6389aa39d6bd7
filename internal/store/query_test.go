package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"billsync/internal/store"
)

// FuzzQuery: whatever is asked, nothing is changed, here or beside it.
func FuzzQuery(f *testing.F) {
	for _, sql := range []string{"SELECT 1", "", ";", "SELECT 1; DELETE FROM meta", "/* ; */ SELECT ';' -- ;", "DELETE FROM meta", "VACUUM", "VACUUM INTO 'x'",
		"ATTACH 'y' AS y", "PRAGMA user_version = 7", "PRAGMA table_info(bills)", "EXPLAIN DELETE FROM meta", "INSERT INTO meta VALUES ('a', 'b') RETURNING key",
		"REINDEX", "ANALYZE", "DROP TABLE bills", "SELECT * FROM [a;b]", "SAVEPOINT x", "PRAGMA query_only = OFF", `SELECT "a""b", ?`, "SELECT \"`x",
		"WITH x AS (SELECT 1) UPDATE meta SET value = 1"} {
		f.Add(sql)
	}
	dir := f.TempDir()
	path := filepath.Join(dir, "bills.db")
	s, err := store.Open(f.Context(), path, shanghai)
	if err != nil {
		f.Fatal(err)
	}
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	r, err := store.OpenReader(f.Context(), path)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = r.Close() })
	state := func(t testing.TB) string {
		var text strings.Builder
		err := r.Query(context.Background(), `SELECT (SELECT group_concat(name || coalesce(sql, '')) FROM sqlite_master), (SELECT group_concat(key || value) FROM meta),
			(SELECT count(*) FROM fail_reasons), (SELECT user_version FROM pragma_user_version)`, func([]string) error { return nil }, func(row []any) error {
			for _, c := range row {
				if t, ok := c.(string); ok {
					text.WriteString(t)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if !strings.HasSuffix(name, "-wal") && !strings.HasSuffix(name, "-shm") {
				text.WriteString("\n" + name)
			}
		}
		return text.String()
	}
	before := state(f)
	f.Fuzz(func(t *testing.T, sql string) {
		if len(sql) > 200 || strings.Contains(strings.ToLower(sql), "recursive") || strings.Contains(strings.ToLower(sql), "random") {
			return // they may take for ever
		}
		rows := 0
		stop := errors.New("enough")
		_ = r.Query(t.Context(), sql, func([]string) error { return nil }, func([]any) error {
			if rows++; rows > 100 {
				return stop
			}
			return nil
		})
		if after := state(t); after != before {
			t.Errorf("%q changed something:\n%s\nbefore:\n%s", sql, after, before)
		}
	})
}

// Names in double quotes are names and nothing else; texts stay as they are.
func TestQueryTakesNamesForNames(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bills.db")
	s, err := store.Open(t.Context(), path, shanghai)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for query, want := range map[string]string{
		`SELECT 1 AS "a"`:                       "a=1",
		"SELECT 1 AS \"a\"\"`b\"":               "a\"`b=1",
		"SELECT 1 AS \"\"\"\"":                  "\"=1",
		`SELECT '"x"' AS [y"z"], 2`:             `y"z"="x" 2=2`,
		`SELECT "k" FROM (SELECT 5 AS "k")`:     "k=5",
		"-- \"a\nSELECT 7 AS b /* \" */":        "b=7",
		`SELECT "x"`:                            "the query is wrong: no such column: x",
		`SELECT 'a' || "x" AS y`:                "the query is wrong: no such column: x",
		`SELECT count(*) FROM meta WHERE "q"=1`: "the query is wrong: no such column: q",
		`SELECT $a, ?2`:                         "the query leaves a value open: ?, :name, @name and $name stand for one that is not given here",
	} {
		var names []string
		var got []string
		err := s.Query(t.Context(), query, func(n []string) error { names = n; return nil }, func(row []any) error {
			for i, c := range row {
				got = append(got, fmt.Sprintf("%s=%v", names[i], c))
			}
			return nil
		})
		text := strings.Join(got, " ")
		if err != nil {
			text = err.Error()
		}
		if text != want {
			t.Errorf("%s answers %q, want %q", query, text, want)
		}
	}
}

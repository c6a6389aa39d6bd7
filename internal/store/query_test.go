package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"billsync/internal/store"
)

// FuzzQuery: whatever is asked, nothing is changed, here or beside it.
func FuzzQuery(f *testing.F) {
	for _, sql := range []string{"SELECT 1", "", ";", "SELECT 1; DELETE FROM meta", "/* ; */ SELECT ';' -- ;", "DELETE FROM meta", "VACUUM", "VACUUM INTO 'x'",
		"ATTACH 'y' AS y", "PRAGMA user_version = 7", "PRAGMA table_info(bills)", "EXPLAIN DELETE FROM meta", "INSERT INTO meta VALUES ('a', 'b') RETURNING key",
		"REINDEX", "ANALYZE", "DROP TABLE bills", "SELECT * FROM [a;b]", "SAVEPOINT x", "PRAGMA query_only = OFF", "WITH x AS (SELECT 1) UPDATE meta SET value = 1"} {
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

package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"billsync/internal/store"

	"github.com/jmoiron/sqlx"
	_ "github.com/mattn/go-sqlite3"
)

// shape describes the tables, indexes, views and triggers of a database, whatever the
// order of columns.
func shape(t *testing.T, path string) []string {
	t.Helper()
	db, err := sqlx.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var out, views, columns, indexes []string
	for _, q := range []struct {
		dst *[]string
		sql string
	}{
		{&views, "SELECT name || ': ' || sql FROM sqlite_master WHERE type IN ('view', 'trigger')"},
		{&columns, `SELECT m.name || '.' || c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || coalesce(c.dflt_value, '') || ' ' || c.pk
			FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'`},
		{&indexes, `SELECT m.name || ' ' || i.name || ' ' || i."unique" || ' ' || i.partial || ' ' || group_concat(coalesce(c.name, '(expression)'), ',')
			FROM sqlite_master m JOIN pragma_index_list(m.name) i JOIN pragma_index_info(i.name) c WHERE m.type = 'table' GROUP BY m.name, i.name`},
		{&out, `SELECT m.name || ' -> ' || f."table" || ' ' || f."from" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`},
	} {
		if err := db.Select(q.dst, q.sql); err != nil {
			t.Fatal(err)
		}
	}
	out = append(append(append(out, views...), columns...), indexes...)
	var version, app string
	if err := db.Get(&version, "PRAGMA user_version"); err != nil {
		t.Fatal(err)
	}
	if err := db.Get(&app, "PRAGMA application_id"); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return append(out, "version "+version, "application "+app)
}

// A database of every older version is brought to what a new one is, with what
// it holds.
func TestMigrationsEndEqual(t *testing.T) {
	t.Parallel()
	old, err := filepath.Glob("testdata/schema*.sql")
	if err != nil || len(old) == 0 {
		t.Fatalf("no older schemas: %v", err)
	}
	fresh := filepath.Join(t.TempDir(), "fresh.db")
	st, err := store.Open(context.Background(), fresh, shanghai)
	if err != nil {
		t.Fatal(err)
	}
	st.Close()
	want := shape(t, fresh)
	for _, name := range old {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			schema, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "old.db")
			db, err := sqlx.Open("sqlite3", path)
			if err != nil {
				t.Fatal(err)
			}
			db.MustExec(string(schema))
			db.MustExec(`
				INSERT INTO meta VALUES ('report_timezone', 'Asia/Shanghai');
				INSERT INTO accounts (account, connected_customer_id, connected_account_id, history_start, created_at) VALUES ('main', '', '', '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z');
				INSERT INTO windows (account, window_start, window_end, zone, state) VALUES ('main', '2024-01-01T00:00:00.000Z', '2024-04-01T00:00:00.000Z', 'UTC', 'done');
				INSERT INTO bills (account, order_no, ordinal, transaction_time, transaction_date, first_seen_at, changed_at, read_at, run_id, content_hash, raw)
				VALUES ('main', 'O1', 0, '2024-02-01T00:00:00.000Z', '2024-02-01', '2024-02-01T00:00:00.000Z', '2024-02-01T00:00:00.000Z', '2024-02-01T00:00:00.000Z', 1, 'x', '{}')`)
			db.Close()

			var in *store.InputError
			if _, err := store.OpenReader(context.Background(), path); !asInput(err, &in) || !strings.Contains(in.Hint(), "syncer sync") {
				t.Errorf("reading it: %v", err)
			}
			st, err := store.Open(context.Background(), path, shanghai)
			if err != nil {
				t.Fatal(err)
			}
			st.Close()
			if got := shape(t, path); !slices.Equal(got, want) {
				for _, line := range got {
					if !slices.Contains(want, line) {
						t.Errorf("has %s", line)
					}
				}
				for _, line := range want {
					if !slices.Contains(got, line) {
						t.Errorf("lacks %s", line)
					}
				}
			}
			r, err := store.OpenReader(context.Background(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			err = r.View(context.Background(), func(tx *store.Tx) error {
				c, err := tx.Coverage()
				if err == nil && (len(c) != 1 || c[0].Bills != 1 || c[0].WindowsProved != 1) {
					t.Errorf("coverage: %+v", c)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func asInput(err error, in **store.InputError) bool { return errors.As(err, in) }

package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// Times of these tests, each its own so that a mix-up shows.
var (
	t0       = time.Date(2026, 1, 31, 18, 30, 0, 123_000_000, time.UTC)
	shanghai = zone("Asia/Shanghai")
)

func zone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err) // the zones are compiled in
	}
	return z
}

// day is noon UTC of a day in January 2026 and after.
func day(n int) time.Time { return time.Date(2026, 1, n, 12, 0, 0, 0, time.UTC) }

// open opens a database in a folder of the test's own.
func open(t *testing.T) *store.Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "bills.db"), shanghai)
}

func openAt(t *testing.T, path string, z *time.Location) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path, z)
	if err != nil {
		t.Fatalf("Open(%s) = %v", path, err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// withAccount opens a database that knows the account main.
func withAccount(t *testing.T) *store.Store {
	t.Helper()
	s := open(t)
	update(t, s, func(tx *store.Tx) error { return tx.SaveAccount(bill.Account{Name: "main"}, day(1), t0) })
	return s
}

func update(t *testing.T, s *store.Store, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatalf("Update = %v", err)
	}
}

func view(t *testing.T, s *store.Store, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.View(t.Context(), fn); err != nil {
		t.Fatalf("View = %v", err)
	}
}

// raw opens the file beside the store, as a person with a tool of theirs does.
func raw(t *testing.T, path string) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func execute(t *testing.T, db *sqlx.DB, statements ...string) {
	t.Helper()
	for _, q := range statements {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// query returns rows as they stand in the database, a value per column.
func query(t *testing.T, s *store.Store, q string, args ...any) []map[string]any {
	t.Helper()
	rows, err := s.Reader().QueryxContext(t.Context(), q, args...)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	var out []map[string]any
	for rows.Next() {
		row := map[string]any{}
		if err := rows.MapScan(row); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return out
}

// grid is query with the values of each row in the order of the columns.
func grid(t *testing.T, s *store.Store, q string, args ...any) [][]any {
	t.Helper()
	rows, err := s.Reader().QueryxContext(t.Context(), q, args...)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	var out [][]any
	for rows.Next() {
		row, err := rows.SliceScan()
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return out
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// plain is a bill with as little as the provider may send.
func plain(order string, at time.Time) *bill.Bill {
	return &bill.Bill{OrderNo: order, TransactionTime: at, Hash: "hash of " + order, Raw: []byte(`{"orderNo":"` + order + `"}`)}
}

func usd(v int64) *bill.Amount { return &bill.Amount{Currency: "USD", Value: v} }

// insert stores bills of the account main, one run, one time.
func insert(t *testing.T, s *store.Store, bills ...*bill.Bill) []int64 {
	t.Helper()
	var ids []int64
	update(t, s, func(tx *store.Tx) error {
		for i, b := range bills {
			id, err := tx.InsertBill("main", b, i, t0, t0, 1)
			if err != nil {
				return fmt.Errorf("InsertBill(%s): %w", b.OrderNo, err)
			}
			ids = append(ids, id)
		}
		return nil
	})
	return ids
}

// TestMain is also the other process of the tests that need one.
func TestMain(m *testing.M) {
	if path := os.Getenv("STORE_TEST_HOLD"); path != "" {
		os.Exit(hold(path))
	}
	if path := os.Getenv("STORE_TEST_LOOK"); path != "" {
		os.Exit(lookHere(path))
	}
	os.Exit(m.Run())
}

// hold takes the lock of a database, says so, and keeps it until its standard
// input ends.
func hold(path string) int {
	l, err := store.TryLock(path, "sync", t0)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("locked")
	_, _ = os.Stdin.Read(make([]byte, 1))
	if err := l.Unlock(); err != nil {
		return 1
	}
	return 0
}

// lookHere looks at a database as somebody who may not write beside it, and says
// what it found: the other process of a test.
func lookHere(path string) int {
	s, err := store.OpenReader(context.Background(), path)
	if err != nil {
		var h interface{ Hint() string }
		if errors.As(err, &h) {
			err = fmt.Errorf("%w\nhint: %s", err, h.Hint())
		}
		fmt.Println(err)
		return 0
	}
	defer s.Close()
	var orders []string
	if err := s.Reader().Select(&orders, "SELECT order_no FROM bills"); err != nil {
		fmt.Println(err)
		return 0
	}
	err = s.View(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Coverage()
		return err
	})
	fmt.Println("orders", orders, err)
	return 0
}

package store

import (
	"context"
	"database/sql/driver"
	"path/filepath"
	"testing"
	"time"
)

// A row does not inherit what the one before it bound, and every kind of value
// comes back as it was.
func TestDirect(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "bills.db"), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Update(context.Background(), func(tx *Tx) error {
		if err := tx.exec("", "CREATE TEMP TABLE odd (a, b, c, d)"); err != nil {
			return err
		}
		const insert = "INSERT INTO odd VALUES (?, ?, ?, ?)"
		for _, args := range [][]any{{"x", 1, true, []byte("y")}, {nil, nil, nil, nil}, {"", int64(-5), 2.5, "é\x00z"}, {nil, nil, nil, "x"}} {
			if err := tx.exec("", insert, args...); err != nil {
				return err
			}
		}
		if err := tx.exec("", insert, "x", struct{}{}, nil, nil); err == nil {
			t.Error("a struct was bound")
		}
		d, err := tx.direct(insert)
		if err != nil {
			return err
		}
		for _, words := range [][]string{{"p", "q", "", "r"}, {"p", "", "", "s"}, {"", "q", "t", "s"}} {
			d.begin()
			for _, w := range words {
				d.often(w)
			}
			if _, err := tx.run(d); err != nil {
				return err
			}
		}
		want := [][]driver.Value{
			{"x", int64(1), int64(1), []byte("y")}, {nil, nil, nil, nil}, {"", int64(-5), 2.5, "é\x00z"}, {nil, nil, nil, "x"},
			{"p", "q", nil, "r"}, {"p", nil, nil, "s"}, {nil, "q", "t", "s"},
		}
		n := 0
		err = tx.each("", "SELECT a, b, c, d FROM odd ORDER BY rowid", nil, func(row []driver.Value) error {
			for i, v := range row {
				if blob, ok := want[n][i].([]byte); ok {
					if string(v.([]byte)) != string(blob) {
						t.Errorf("row %d, column %d is %v, want %v", n, i, v, blob)
					}
				} else if v != want[n][i] {
					t.Errorf("row %d, column %d is %#v, want %#v", n, i, v, want[n][i])
				}
			}
			n++
			return nil
		})
		if n != len(want) {
			t.Errorf("%d rows, want %d", n, len(want))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

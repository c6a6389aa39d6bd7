package store

import (
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// What must survive a loss of power waits for the disk, and nothing else does.
func TestUpdateDurably(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "bills.db"), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const normal, full = 1, 2
	level := func(tx *Tx) int {
		var got []int
		if err := tx.conn.SelectContext(t.Context(), &got, "PRAGMA synchronous"); err != nil || len(got) != 1 {
			t.Fatalf("PRAGMA synchronous = %v, %v", got, err)
		}
		return got[0]
	}
	wrong := errors.New("wrong")
	for _, tt := range []struct {
		name   string
		update func(fn func(*Tx) error) error
		fails  error
		want   int
	}{
		{"Update", func(fn func(*Tx) error) error { return s.Update(t.Context(), fn) }, nil, normal},
		{"UpdateDurably", func(fn func(*Tx) error) error { return s.UpdateDurably(t.Context(), fn) }, nil, full},
		{"UpdateDurably that fails", func(fn func(*Tx) error) error { return s.UpdateDurably(t.Context(), fn) }, wrong, full},
		{"Update afterwards", func(fn func(*Tx) error) error { return s.Update(t.Context(), fn) }, nil, normal},
	} {
		got := 0
		err := tt.update(func(tx *Tx) error {
			got = level(tx)
			if err := tx.exec("writing", "INSERT INTO meta (key, value) VALUES (?, 'x')", tt.name); err != nil {
				t.Fatal(err)
			}
			return tt.fails
		})
		var kept int
		if e := s.ro.GetContext(t.Context(), &kept, "SELECT count(*) FROM meta WHERE key = ?", tt.name); e != nil {
			t.Fatal(e)
		}
		if got != tt.want || !errors.Is(err, tt.fails) || kept == 1 != (tt.fails == nil) {
			t.Errorf("%s: synchronous = %d, error %v, %d rows; want %d, %v", tt.name, got, err, kept, tt.want, tt.fails)
		}
	}
}

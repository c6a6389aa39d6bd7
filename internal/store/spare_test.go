package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// A snapshot in place of the log takes away what is in the log alone: after a crash
// that may be everything.
func TestSnapshotSparesTheLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "bills.db")
	s, err := store.Open(t.Context(), path, shanghai)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Update(t.Context(), func(tx *store.Tx) error { // stays in the log
		return tx.SaveAccount(bill.Account{Name: "main"}, time.Now().AddDate(-1, 0, 0), time.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path+"-wal", link); err != nil {
		t.Fatal(err)
	}
	real := filepath.Join(t.TempDir(), "data.db")
	if err := os.Symlink(path, real); err != nil {
		t.Fatal(err)
	}
	r, err := store.OpenReader(t.Context(), real) // by another name, which its files do not have
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	before, err := os.ReadFile(path + "-wal")
	if err != nil || len(before) == 0 {
		t.Fatalf("the log holds %d bytes: %v", len(before), err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm", path + "-journal", path + ".lock", path + ".cardholder.holder", link,
		filepath.Join(dir, "..", filepath.Base(dir), "bills.db-wal"), real} {
		var usage *store.UsageError
		if err := r.Snapshot(t.Context(), name, true); !errors.As(err, &usage) {
			t.Errorf("a snapshot as %s: %v, want a UsageError", name, err)
		}
	}
	after, err := os.ReadFile(path + "-wal")
	if err != nil || string(after) != string(before) {
		t.Errorf("the log is another one: %v", err)
	}
	if err := r.Snapshot(t.Context(), filepath.Join(dir, "copy.db"), false); err != nil {
		t.Errorf("a snapshot beside it: %v", err)
	}
}

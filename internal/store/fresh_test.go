package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// halfMade makes what a process leaves that was killed while it wrote a new
// database: pages of it, and the journal that says that there was nothing.
func halfMade(t *testing.T, path string) {
	t.Helper()
	s := openAt(t, path, shanghai)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data := read(t, path)
	data[18], data[19] = 1, 1 // not yet in WAL mode
	write(t, path, data[:len(data)/2])
	journal := make([]byte, 512)
	copy(journal, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7")
	binary.BigEndian.PutUint32(journal[8:], 0xffffffff) // as many pages as follow: none
	binary.BigEndian.PutUint32(journal[16:], 0)         // pages there were before
	binary.BigEndian.PutUint32(journal[20:], 512)
	binary.BigEndian.PutUint32(journal[24:], 16384)
	write(t, path+"-journal", journal)
}

// A database in the making of which a process was killed is none: it is made
// anew, and who only looks finds nothing.
func TestOpenHalfMade(t *testing.T) {
	t.Parallel()
	t.Run("to write", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "bills.db")
		halfMade(t, path)
		if err := store.Check(t.Context(), path); err != nil {
			t.Errorf("Check() = %v, want nil", err)
		}
		s := openAt(t, path, shanghai)
		same(t, "currencies", len(grid(t, s, "SELECT currency FROM currencies")) > 0, true)
		if bad, err := s.IntegrityCheck(t.Context()); len(bad) > 0 || err != nil {
			t.Errorf("IntegrityCheck() = %v, %v", bad, err)
		}
	})
	t.Run("to look", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "bills.db")
		halfMade(t, path)
		if there, err := store.Exists(t.Context(), path); there || err != nil {
			t.Errorf("Exists() = %v, %v, want false", there, err)
		}
		if _, err := store.OpenReader(t.Context(), path); !errors.Is(err, store.ErrNoDatabase) {
			t.Errorf("OpenReader() = %v, want ErrNoDatabase", err)
		}
	})
}

// What another program left unfinished is for that program to undo.
func TestHalfMadeByOthers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bills.db")
	halfMade(t, path)
	data := read(t, path)
	binary.BigEndian.PutUint32(data[68:], 77)
	write(t, path, data)
	journal := read(t, path+"-journal")
	for name, err := range map[string]error{
		"Check": store.Check(t.Context(), path),
		"Open":  func() error { _, err := store.Open(t.Context(), path, shanghai); return err }(),
	} {
		complaint(t, name, err)
	}
	if !bytes.Equal(read(t, path), data) || !bytes.Equal(read(t, path+"-journal"), journal) {
		t.Errorf("the files were changed")
	}
}

// A newer program's database is left as it is, with what stands in its log.
func TestOpenNewerWithALog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := filepath.Join(dir, "open.db")
	s := openAt(t, open, shanghai)
	update(t, s, func(tx *store.Tx) error { return tx.SaveAccount(bill.Account{Name: "main"}, day(1), t0) })
	execute(t, raw(t, open), "PRAGMA user_version = 99")
	update(t, s, func(tx *store.Tx) error { return tx.SaveAccount(bill.Account{Name: "main"}, day(2), t0) })
	path := filepath.Join(dir, "bills.db") // as a killed process leaves it: nobody writes the log back
	for _, suffix := range []string{"", "-wal"} {
		write(t, path+suffix, read(t, open+suffix))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, log := read(t, path), read(t, path+"-wal")
	if len(log) == 0 {
		t.Fatal("there is nothing in the log")
	}
	_, err := store.Open(t.Context(), path, shanghai)
	complaint(t, "Open", err)
	complaint(t, "Check", store.Check(t.Context(), path))
	_, err = store.OpenReader(t.Context(), path)
	complaint(t, "OpenReader", err)
	if !bytes.Equal(read(t, path), before) || !bytes.Equal(read(t, path+"-wal"), log) {
		t.Errorf("the files were changed")
	}
	if _, err := os.Stat(path + "-wal"); err != nil {
		t.Error(err)
	}
}

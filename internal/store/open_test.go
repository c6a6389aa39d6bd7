package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// pragmas are what a person finds who opens the file.
func pragmas(t *testing.T, path string) map[string]string {
	t.Helper()
	db, got := raw(t, path), map[string]string{}
	defer db.Close()
	for _, name := range []string{"page_size", "journal_mode", "application_id", "user_version"} {
		var v string
		if err := db.Get(&v, "PRAGMA "+name); err != nil {
			t.Fatalf("PRAGMA %s: %v", name, err)
		}
		got[name] = v
	}
	return got
}

func TestOpenNew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bills.db")
	s := openAt(t, path, shanghai)
	if got := s.Path(); got != path {
		t.Errorf("Path() = %s, want %s", got, path)
	}
	if bad, err := s.IntegrityCheck(t.Context()); len(bad) > 0 || err != nil {
		t.Errorf("IntegrityCheck() of a new file = %v, %v", bad, err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close() = %v", err)
	}
	same(t, "settings of a new file", pragmas(t, path), map[string]string{
		"page_size": "16384", "journal_mode": "wal", "application_id": "1464025683", "user_version": "4",
	})
	for _, suffix := range []string{"-wal", "-journal"} {
		if fi, err := os.Stat(path + suffix); err == nil && fi.Size() > 0 {
			t.Errorf("%s%s has %d bytes after Close()", path, suffix, fi.Size())
		}
	}
}

// The schema knows every currency that the code does.
func TestCurrencies(t *testing.T) {
	t.Parallel()
	got := map[string]int{}
	for _, r := range grid(t, open(t), "SELECT currency, decimals FROM currencies") {
		got[r[0].(string)] = int(r[1].(int64))
	}
	same(t, "table currencies", got, bill.Currencies())
}

func TestReopen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bills.db")
	s := openAt(t, path, shanghai)
	update(t, s, func(tx *store.Tx) error { return tx.SaveAccount(bill.Account{Name: "main"}, day(1), t0) })
	insert(t, s, plain("A", day(2)))
	if err := s.Close(); err != nil {
		t.Fatalf("Close() = %v", err)
	}
	s = openAt(t, path, shanghai)
	same(t, "orders after reopening", grid(t, s, "SELECT order_no FROM bills"), [][]any{{"A"}})
	r, err := store.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatalf("OpenReader(%s) beside a writer = %v", path, err)
	}
	defer r.Close()
	same(t, "orders through a reader", grid(t, r, "SELECT order_no FROM bills"), [][]any{{"A"}})
	if _, err := r.Reader().Exec("DELETE FROM bills"); err == nil {
		t.Errorf("a reader deleted the bills")
	}
}

func TestOpenReaderWithoutDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "bills.db")
	if _, err := store.OpenReader(t.Context(), path); !errors.Is(err, store.ErrNoDatabase) {
		t.Errorf("OpenReader(%s) = %v, want ErrNoDatabase", path, err)
	}
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("OpenReader made %v", files)
	}
}

// Characters that mean something in a URI are part of the name.
func TestOpenOddPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a?mode=memory.db", "a#b.db", "100%.db", "50%20.db", "with blanks .db", "a&b=c;d.db", "ü 账单.db", "file:x.db", "a'b\"c.db", "[x]*.db"} {
		dir := filepath.Join(t.TempDir(), "folder "+name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		s := openAt(t, path, shanghai)
		update(t, s, func(tx *store.Tx) error { return tx.SaveAccount(bill.Account{Name: "main"}, day(1), t0) })
		same(t, name, grid(t, s, "SELECT account FROM accounts"), [][]any{{"main"}})
		if err := s.Close(); err != nil {
			t.Errorf("%s: Close() = %v", name, err)
		}
		if fi, err := os.Stat(path); err != nil || fi.Size() == 0 {
			t.Errorf("%s: the database is not where it was asked for: %v", name, err)
		}
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !strings.HasPrefix(f.Name(), name) {
				t.Errorf("%s: Open made %s as well", name, f.Name())
			}
		}
	}
}

// complaint is an error of a file or folder that a person has to look at.
func complaint(t *testing.T, call string, err error) {
	t.Helper()
	var input *store.InputError
	var problem *store.Problem
	if !errors.As(err, &input) && !errors.As(err, &problem) {
		t.Errorf("%s = %v (%T), want an InputError or a Problem", call, err, err)
		return
	}
	hint := ""
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		hint = h.Hint()
	}
	if msg := err.Error(); strings.Contains(msg, "\n") || !strings.HasPrefix(msg, "database ") {
		t.Errorf("%s = %q, want one line about the database", call, msg)
	}
	if hint == "" || strings.Contains(hint, "\n") {
		t.Errorf("%s: hint is %q, want one line", call, hint)
	}
}

// A file that is not ours, or not one to write to, is left as it is.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	ours := func(t *testing.T, path string) {
		s := openAt(t, path, shanghai)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, want string
		make       func(t *testing.T, path string)
	}{
		{"text", "this is not an SQLite database", func(t *testing.T, path string) {
			write(t, path, []byte("order,amount\nA,1\n"))
		}},
		{"one byte", "this is not an SQLite database", func(t *testing.T, path string) { write(t, path, []byte("S")) }},
		{"zeros", "this is not an SQLite database", func(t *testing.T, path string) { write(t, path, make([]byte, 40_000)) }},
		{"another program's", "this is an SQLite database of another program", func(t *testing.T, path string) {
			db := raw(t, path)
			execute(t, db, "CREATE TABLE bills (id INTEGER)", "INSERT INTO bills VALUES (7)")
			db.Close()
		}},
		{"another program's, with an id", "this is an SQLite database of another program", func(t *testing.T, path string) {
			db := raw(t, path)
			execute(t, db, "PRAGMA application_id = 77", "CREATE TABLE bills (id INTEGER)")
			db.Close()
		}},
		{"newer", "it was made by a newer version of syncer (schema 99, this program knows 4)", func(t *testing.T, path string) {
			ours(t, path)
			db := raw(t, path)
			execute(t, db, "PRAGMA user_version = 99")
			db.Close()
		}},
		{"unfinished", "its schema is unfinished", func(t *testing.T, path string) {
			db := raw(t, path)
			execute(t, db, "PRAGMA application_id = 1464025683", "CREATE TABLE x (id INTEGER)")
			db.Close()
		}},
		{"header alone", "", func(t *testing.T, path string) {
			ours(t, path)
			write(t, path, read(t, path)[:100])
		}},
		{"first page zeroed behind its header", "", func(t *testing.T, path string) {
			ours(t, path)
			data := read(t, path)
			clear(data[100:16384])
			write(t, path, data)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "bills.db")
			tt.make(t, path)
			before := read(t, path)
			s, err := store.Open(t.Context(), path, shanghai)
			if err == nil {
				_ = s.Close()
			}
			complaint(t, "Open", err)
			if err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open = %q, want %q in it", err, tt.want)
			}
			s, err = store.OpenReader(t.Context(), path)
			if err == nil {
				_ = s.Close()
			}
			complaint(t, "OpenReader", err)
			if !bytes.Equal(read(t, path), before) {
				t.Errorf("%s: the file was changed", tt.name)
			}
		})
	}
}

func TestOpenWhereNothingCanBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), []byte("x"))
	for _, tt := range []struct{ path, want string }{
		{filepath.Join(dir, "missing", "bills.db"), "does not exist"},
		{filepath.Join(dir, "file", "bills.db"), ""},
		{filepath.Join(dir, "file", "deeper", "bills.db"), ""},
		{dir, "this is a folder, not a file"},
	} {
		s, err := store.Open(t.Context(), tt.path, shanghai)
		if err == nil {
			_ = s.Close()
		}
		call := fmt.Sprintf("Open(%s)", tt.path)
		complaint(t, call, err)
		if err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s = %q, want %q in it", call, err, tt.want)
		}
		complaint(t, "CheckFolder", store.CheckFolder(tt.path))
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("the folder holds %v afterwards, want the one file", files)
	}
}

func TestOpenReadOnlyFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	if os.Getuid() == 0 {
		t.Skip("the superuser writes anywhere")
	}
	path := filepath.Join(dir, "bills.db")
	_, err := store.Open(t.Context(), path, shanghai)
	complaint(t, "Open", err)
	_, err = store.TryLock(path, "sync", t0)
	complaint(t, "TryLock", err)
}

// big makes a database of a few hundred pages and returns its bytes.
func big(t *testing.T, path string) []byte {
	t.Helper()
	s := openAt(t, path, shanghai)
	update(t, s, func(tx *store.Tx) error { return tx.SaveAccount(bill.Account{Name: "main"}, day(1), t0) })
	update(t, s, func(tx *store.Tx) error {
		for i := range 6000 {
			b := plain(fmt.Sprintf("ORDER-%06d", i), day(1+i%300))
			b.MerchantName, b.Raw = fmt.Sprintf("Merchant %d", i), []byte(`{"filler":"`+strings.Repeat("x", 300)+`"}`)
			if _, err := tx.InsertBill("main", b, 0, t0, t0, 1); err != nil {
				return err
			}
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return read(t, path)
}

// A damaged file is found to be so, and is not made worse by being looked at.
func TestDamaged(t *testing.T) {
	t.Parallel()
	good := big(t, filepath.Join(t.TempDir(), "bills.db"))
	for _, tt := range []struct {
		name   string
		damage func([]byte) []byte
	}{
		{"overwritten in the middle", func(b []byte) []byte {
			for i := len(b) / 2; i < len(b)/2+3*16384; i++ {
				b[i] = 0xa5
			}
			return b
		}},
		{"zeroed in the middle", func(b []byte) []byte {
			clear(b[len(b)/3 : len(b)/3+5*16384])
			return b
		}},
		{"cut off", func(b []byte) []byte { return b[:len(b)/2] }},
		{"cut off within a page", func(b []byte) []byte { return b[:len(b)/2+1234] }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "bills.db")
			bad := tt.damage(bytes.Clone(good))
			write(t, path, bad)
			found := false
			s, err := store.OpenReader(t.Context(), path)
			if err != nil {
				complaint(t, "OpenReader", err)
				found = true
			} else {
				what, err := s.IntegrityCheck(t.Context())
				if err != nil {
					complaint(t, "IntegrityCheck", err)
				}
				found = len(what) > 0 || err != nil
				if text := strings.Join(what, ""); strings.Contains(text, "\n") || strings.Contains(text, "***") {
					t.Errorf("IntegrityCheck() = %q, want a finding a line", what)
				}
				_ = s.Close()
			}
			if !found {
				t.Errorf("nothing was found wrong with the file")
			}
			if w, err := store.Open(t.Context(), path, shanghai); err != nil {
				complaint(t, "Open", err)
			} else {
				_ = w.Close()
			}
			if !bytes.Equal(read(t, path), bad) {
				t.Errorf("the file was changed by looking at it")
			}
		})
	}
}

// A damaged page met while writing is told as what it is, and nothing is written.
func TestDamagedWhileWriting(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bills.db")
	data := big(t, path)
	for i := 20 * 16384; i < len(data); i++ {
		data[i] = 0xa5
	}
	write(t, path, data)
	s, err := store.Open(t.Context(), path, shanghai)
	if err != nil {
		complaint(t, "Open", err)
		return
	}
	defer s.Close()
	err = s.Update(t.Context(), func(tx *store.Tx) error {
		for i := range 6000 {
			if _, err := tx.KnownByOrders("main", []string{fmt.Sprintf("ORDER-%06d", i)}); err != nil {
				return err
			}
		}
		return errors.New("read everything")
	})
	if !errors.Is(err, store.ErrDamaged) {
		t.Errorf("Update on a damaged file = %v, want ErrDamaged", err)
	}
	complaint(t, "Update", err)
}

// A value that cannot be what the schema promises is damage as well, although
// SQLite sees nothing wrong with it.
func TestDamagedValue(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	insert(t, s, plain("A", day(2)))
	execute(t, raw(t, s.Path()), "UPDATE bills SET read_at = '2026-01-0\xa5'")
	look := func(tx *store.Tx) error {
		_, err := tx.KnownByOrders("main", []string{"A"})
		return err
	}
	for call, err := range map[string]error{"Update": s.Update(t.Context(), look), "View": s.View(t.Context(), look)} {
		if !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s reads an unreadable time: %v, want ErrDamaged", call, err)
		}
		complaint(t, call, err)
	}
}

// An index that no longer fits its table is found, and a run that meets it says
// where to look.
func TestDamagedIndex(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	insert(t, s, plain("A", day(2)))
	err := s.Update(t.Context(), func(tx *store.Tx) error { // as after a look-up that missed the bill
		_, err := tx.InsertBill("main", plain("A", day(2)), 0, t0, t0, 1)
		return err
	})
	complaint(t, "Update", err)
	// As many entries as rows, but not of these rows.
	execute(t, raw(t, s.Path()), "DROP INDEX bills_identity",
		"CREATE UNIQUE INDEX bills_identity ON bills (account, content_hash, substr(transaction_time, 1, 19), ordinal)",
		"PRAGMA writable_schema = ON", "UPDATE sqlite_master SET sql = replace(sql, 'content_hash', 'order_no') WHERE name = 'bills_identity'")
	r, err := store.OpenReader(t.Context(), s.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if what, err := r.IntegrityCheck(t.Context()); len(what) == 0 || err != nil {
		t.Errorf("IntegrityCheck() of an index that does not fit its table = %v, %v", what, err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

package store_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

func count(t *testing.T, s *store.Store, table string) int64 {
	t.Helper()
	return grid(t, s, "SELECT count(*) FROM "+table)[0][0].(int64)
}

// What was not finished never happened, and the next transaction works.
func TestUpdateRollsBack(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	store1 := func(tx *store.Tx, order string) error {
		_, err := tx.InsertBill("main", plain(order, day(2)), 0, t0, t0, 1)
		return err
	}
	wrong := errors.New("wrong")
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return errors.Join(store1(tx, "A"), wrong) }); !errors.Is(err, wrong) {
		t.Errorf("Update = %v, want %v", err, wrong)
	}
	if got := count(t, s, "bills"); got != 0 {
		t.Errorf("%d bills after an error, want none", got)
	}

	func() {
		defer func() {
			if p := recover(); p != "a bug" {
				t.Errorf("Update passed on the panic %v", p)
			}
		}()
		_ = s.Update(t.Context(), func(tx *store.Tx) error {
			if err := store1(tx, "B"); err != nil {
				t.Error(err)
			}
			panic("a bug")
		})
	}()
	if got := count(t, s, "bills"); got != 0 {
		t.Errorf("%d bills after a panic, want none", got)
	}

	// A statement that fails within.
	err := s.Update(t.Context(), func(tx *store.Tx) error { return errors.Join(store1(tx, "C"), store1(tx, "C")) })
	if err == nil {
		t.Errorf("Update stored a bill twice")
	}
	if got := count(t, s, "bills"); got != 0 {
		t.Errorf("%d bills after a statement failed, want none", got)
	}

	update(t, s, func(tx *store.Tx) error { return store1(tx, "D") })
	same(t, "orders at the end", grid(t, s, "SELECT order_no FROM bills"), [][]any{{"D"}})
}

// The transaction in hand is finished when the program is told to stop; a new
// one is not begun.
func TestUpdateAndCancel(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Update(ctx, func(tx *store.Tx) error {
		cancel()
		_, err := tx.InsertBill("main", plain("A", day(2)), 0, t0, t0, 1)
		return err
	})
	if err != nil {
		t.Errorf("Update that was cancelled within = %v", err)
	}
	if got := count(t, s, "bills"); got != 1 {
		t.Errorf("%d bills, want 1", got)
	}
	called := false
	err = s.Update(ctx, func(*store.Tx) error { called = true; return nil })
	if !errors.Is(err, context.Canceled) || called {
		t.Errorf("Update after cancel = %v, called %t, want %v and not called", err, called, context.Canceled)
	}
}

// Who looks is not held up by who writes, and sees what was before.
func TestViewBesideUpdate(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	reader, err := store.OpenReader(t.Context(), s.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	update(t, s, func(tx *store.Tx) error {
		if _, err := tx.InsertBill("main", plain("A", day(2)), 0, t0, t0, 1); err != nil {
			return err
		}
		for name, r := range map[string]*store.Store{"the same store": s, "a reader": reader} {
			began := time.Now()
			err := r.View(ctx, func(v *store.Tx) error {
				known, err := v.KnownByOrders("main", []string{"A"})
				if len(known) != 0 {
					t.Errorf("%s sees what is not committed: %v", name, known)
				}
				return err
			})
			if took := time.Since(began); err != nil || took > 30*time.Second {
				t.Errorf("View through %s beside Update = %v after %s", name, err, took)
			}
		}
		return nil
	})
	for name, r := range map[string]*store.Store{"the same store": s, "a reader": reader} {
		view(t, r, func(v *store.Tx) error {
			known, err := v.KnownByOrders("main", []string{"A"})
			if len(known) != 1 {
				t.Errorf("%s sees %v afterwards, want one bill", name, known)
			}
			return err
		})
	}
}

// One View sees one state of the database, whatever is written meanwhile.
func TestViewIsOneMoment(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	view(t, s, func(v *store.Tx) error {
		before, err := v.OpenRejected("main")
		if err != nil {
			return err
		}
		update(t, s, func(tx *store.Tx) error {
			it := &bill.Item{Rejected: true, Bill: bill.Bill{Hash: "h", Raw: []byte("x")}}
			return tx.Reject(it, 0, "why", &bill.Pass{Account: "main", Span: bill.Span{Start: day(1), End: day(2)}}, 1, day(3))
		})
		after, err := v.OpenRejected("main")
		if before != 0 || after != 0 {
			t.Errorf("OpenRejected within one View = %d, then %d, want 0 both times", before, after)
		}
		return err
	})
}

func TestViewCannotWrite(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	err := s.View(t.Context(), func(tx *store.Tx) error {
		_, err := tx.InsertBill("main", plain("A", day(2)), 0, t0, t0, 1)
		return err
	})
	if err == nil || count(t, s, "bills") != 0 {
		t.Errorf("a View stored a bill: %v", err)
	}
	view(t, s, func(tx *store.Tx) error { _, err := tx.OpenRejected("main"); return err })
}

// holdElsewhere takes the lock in another process. Ending its input gives the
// lock back in good order.
func holdElsewhere(t *testing.T, path string) (*exec.Cmd, io.Closer) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STORE_TEST_HOLD="+path, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	said := make([]byte, len("locked\n"))
	if _, err := io.ReadFull(out, said); err != nil || string(said) != "locked\n" {
		t.Fatalf("the other process says %q, %v", said, err)
	}
	return cmd, in
}

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bills.db")
	cmd, in := holdElsewhere(t, path)
	_, err := store.TryLock(path, "refresh", t0)
	var busy *store.BusyError
	if !errors.As(err, &busy) {
		t.Fatalf("TryLock beside another process = %v (%T), want a BusyError", err, err)
	}
	for _, w := range []string{path, "process " + strconv.Itoa(cmd.Process.Pid), "sync", "since 2026-01-31 18:30:00 +00:00"} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("TryLock = %q, want %q in it", err, w)
		}
	}
	busy.Zone = shanghai
	if want := "since 2026-02-01 02:30:00 +08:00"; !strings.Contains(err.Error(), want) {
		t.Errorf("in Shanghai it says %q, want %q in it", err, want)
	}
	if hint := busy.Hint(); hint == "" {
		t.Errorf("Hint() of %v is empty", err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the other process = %v", err)
	}
	l, err := store.TryLock(path, "refresh", t0)
	if err != nil {
		t.Fatalf("TryLock after the holder gave it back = %v", err)
	}
	if _, err := store.TryLock(path, "retry", t0); !errors.As(err, &busy) || !strings.Contains(err.Error(), "refresh") {
		t.Errorf("TryLock within the same process = %v, want a BusyError that names refresh", err)
	}
	if err := l.Unlock(); err != nil {
		t.Errorf("Unlock = %v", err)
	}
	if _, err := os.Stat(path + ".holder"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the note of who holds the lock is still there: %v", err)
	}
}

// However the holder dies, the lock is free.
func TestLockOfKilledHolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bills.db")
	cmd, _ := holdElsewhere(t, path)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	l, err := store.TryLock(path, "retry", t0)
	if err != nil {
		t.Fatalf("TryLock after the holder was killed = %v", err)
	}
	defer l.Unlock()
	if _, err := store.TryLock(path, "sync", t0); err == nil || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())+", retry") {
		t.Errorf("TryLock = %v, want the new holder's name in it", err)
	}
}

// A database has one lock, under whatever name it is reached.
func TestLockThroughSymlink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "bills.db"), filepath.Join(dir, "link.db")
	if err := openAt(t, path, shanghai).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	l, err := store.TryLock(path, "sync", t0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	var busy *store.BusyError
	if l, err := store.TryLock(link, "sync", t0); !errors.As(err, &busy) {
		t.Errorf("TryLock(%s), a link to a database that is locked = %v, want a BusyError", link, err)
		_ = l.Unlock()
	}
}

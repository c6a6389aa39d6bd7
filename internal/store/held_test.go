package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"billsync/internal/store"
)

// Whoever asks who holds the lock leaves nothing behind and is in nobody's way.
func TestLockIsHeld(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bills.db")
	held := func(want bool) {
		t.Helper()
		if got, err := store.Held(path); got != want || err != nil {
			t.Errorf("Held() = %t, %v, want %t", got, err, want)
		}
	}
	held(false)
	if _, err := os.Stat(path + ".lock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Held made a lock file: %v", err)
	}
	l, err := store.TryLock(path, "sync", t0)
	if err != nil {
		t.Fatal(err)
	}
	held(true)
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	held(false)

	for range 200 {
		var onlooker sync.WaitGroup
		onlooker.Go(func() { _, _ = store.Held(path) })
		l, err := store.TryLock(path, "sync", t0)
		if err != nil {
			t.Fatalf("TryLock beside somebody who looks = %v", err)
		}
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
		onlooker.Wait()
	}
}

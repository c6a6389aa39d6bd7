package report

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"

	"github.com/gofrs/flock"
)

// tempPattern is what folders are called in which files are made, and staleName what
// those are called that may be found when their owner was killed.
const tempPattern = ".syncer-*"

var staleName = regexp.MustCompile(`^\.syncer-[0-9]+$`)

// lockedFolder makes a folder whose lock is held as long as its owner lives: the
// kernel gives it back however that ends.
func lockedFolder(dir string) (temp string, lock *flock.Flock, err error) {
	for {
		if temp, err = os.MkdirTemp(dir, tempPattern); err != nil { // nobody else may enter it
			return "", nil, err
		}
		lock = flock.New(temp, flock.SetFlag(os.O_RDONLY))
		held, err := lock.TryLock()
		if err != nil {
			// There are no locks on this disk. Then nobody has the lock of another one,
			// and nobody removes it.
			return temp, lock, nil
		}
		// Somebody may have taken it for a stale one before it was locked, and have the
		// lock, or have removed it by now.
		if _, gone := os.Lstat(temp); held && gone == nil {
			return temp, lock, nil
		}
		if err := errors.Join(os.RemoveAll(temp), lock.Unlock()); err != nil {
			return "", nil, err
		}
	}
}

// removeStale removes folders of lockedFolder whose owner is dead. What cannot be
// removed, or might be in use, stays: it is in nobody's way.
func removeStale(dir string) {
	entries, _ := os.ReadDir(dir) // whoever writes there finds out what is wrong with it
	for _, e := range entries {
		if !e.IsDir() || !staleName.MatchString(e.Name()) {
			continue
		}
		temp := filepath.Join(dir, e.Name())
		lock := flock.New(temp, flock.SetFlag(os.O_RDONLY))
		if held, err := lock.TryLock(); err == nil && held {
			_ = os.RemoveAll(temp)
			_ = lock.Unlock()
		}
	}
}

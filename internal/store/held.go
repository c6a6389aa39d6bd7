package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gofrs/flock"
)

// Held reports whether a process works on a database. It makes nothing: without
// a lock file nobody ever did.
func Held(path string) (bool, error) {
	f := flock.New(realPath(path)+lockSuffix, flock.SetFlag(os.O_RDONLY))
	// The kernel does not tell who holds a lock without an attempt to take it.
	// It is shared and given back at once; TryLock tries again for that reason.
	got, err := f.TryRLock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("looking at the lock of %s: %w", path, err)
	case !got:
		return true, nil
	}
	return false, f.Unlock()
}

// Exists reports whether there is anything at a database's place yet.
func Exists(ctx context.Context, path string) (bool, error) {
	fresh, err := isFresh(ctx, path)
	return !fresh, err
}

package token

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// A File keeps the tokens of an account. Whoever replaces them holds its lock:
// two processes that refresh at once would lose a refresh token that works
// once.
type File struct {
	name string // as configured
	path string // where it is: links are followed

	// step is told what is about to be done; an error makes it fail. It is
	// where tests fail and kill. Nil: nothing.
	step func(what string) error
}

// At returns the file of a name. A name that is a link stays one: what it
// points to is replaced.
func At(name string) *File { return &File{name: name, path: target(name)} }

// target follows links, also to a file that is not there yet.
func target(name string) string {
	for range 40 { // as many as a kernel follows
		if real, err := filepath.EvalSymlinks(name); err == nil {
			return real
		}
		next, err := os.Readlink(name)
		if err != nil {
			break
		}
		if !filepath.IsAbs(next) {
			next = filepath.Join(filepath.Dir(name), next)
		}
		name = next
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil {
		return filepath.Join(dir, filepath.Base(name))
	}
	return name
}

// Name is the file as it is configured.
func (f *File) Name() string { return f.name }

// Path is where the tokens are.
func (f *File) Path() string { return f.path }

const (
	lockSuffix = ".lock"
	// newSuffix is the file in which the next tokens are written. There is one
	// writer, so one name will do, and what a crash leaves is found again.
	newSuffix = ".new"
)

// ErrOpenToOthers says that others than the owner can read the file.
var ErrOpenToOthers = errors.New("can be read by others")

// Read returns what the file holds.
func (f *File) Read() (Stored, error) { return Read(f.path) }

// Read returns what the token file of a name holds. Its errors do not repeat
// the name.
func Read(name string) (Stored, error) {
	h, err := os.Open(name)
	if err != nil {
		return Stored{}, reason(err)
	}
	defer h.Close()
	info, err := h.Stat()
	if err != nil {
		return Stored{}, reason(err)
	}
	if info.IsDir() {
		return Stored{}, errors.New("is a folder")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Stored{}, ErrOpenToOthers
	}
	text, err := io.ReadAll(io.LimitReader(h, maxFile+1))
	if err != nil {
		return Stored{}, reason(err)
	}
	defer clear(text)
	return Parse(text)
}

// reason is an error without the path, which whoever reports it names.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// ErrLocked says that another process held the lock for all of the wait.
var ErrLocked = errors.New("another process is renewing the tokens")

// Held is a File whose lock is held.
type Held struct {
	*File
	lock *flock.Flock
}

// lockPause is how often a lock that is taken is tried again.
const lockPause = 20 * time.Millisecond

// Lock waits for the lock of the file, and puts in order what a killed process
// left. The kernel gives the lock back when the process dies.
func (f *File) Lock(ctx context.Context, wait time.Duration) (*Held, error) {
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	lock := flock.New(f.path + lockSuffix)
	ok, err := lock.TryLockContext(limited, lockPause)
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		err = ErrLocked
	case err != nil:
		err = fmt.Errorf("locking %s: %w", f.path+lockSuffix, reason(err))
	}
	if !ok {
		return nil, err
	}
	h := &Held{f, lock}
	giveToOwner(f.path, f.path+lockSuffix) // the daemon's user opens it as well
	if err := h.recover(); err != nil {
		return nil, errors.Join(err, h.Unlock())
	}
	return h, nil
}

// Unfinished reports whether there are tokens beside the file that are not in
// place: another process is at it, or was killed.
func (f *File) Unfinished() bool {
	_, err := os.Lstat(f.path + newSuffix)
	return err == nil
}

// Recover finishes what a killed process left of the file. It does nothing, not
// even wait, if there is nothing left or another process is at it.
func (f *File) Recover() error {
	if !f.Unfinished() {
		return nil
	}
	lock := flock.New(f.path + lockSuffix)
	ok, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("locking %s: %w", f.path+lockSuffix, reason(err))
	}
	if !ok {
		return nil
	}
	h := &Held{f, lock}
	giveToOwner(f.path, f.path+lockSuffix)
	return errors.Join(h.recover(), h.Unlock())
}

// Unlock gives the lock back. The lock's file stays: were it deleted, two
// processes could hold a lock of that name.
func (h *Held) Unlock() error { return h.lock.Unlock() }

// recover finishes what a killed process had begun. New tokens that were
// written whole but are not in place yet are put there: the refresh token they
// replace may work no longer. Anything else is removed.
func (h *Held) recover() error {
	path := h.path + newSuffix
	left, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at %s: %w", path, reason(err))
	}
	if left.Mode().IsRegular() && left.Mode().Perm()&0o077 == 0 && h.succeeds(path, left) {
		if err := h.put(path); err != nil {
			return err
		}
		return nil
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing %s: %w", path, reason(err))
	}
	return nil
}

// succeeds reports whether what was left holds whole tokens that are newer than
// the ones in place.
func (h *Held) succeeds(path string, left fs.FileInfo) bool {
	next, err := Read(path)
	if err != nil || next.ObtainedAt.IsZero() {
		return false
	}
	there, err := os.Stat(h.path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	now, err := h.Read()
	return !left.ModTime().Before(there.ModTime()) && (err != nil || !next.ObtainedAt.Before(now.ObtainedAt))
}

// A Draft is room for new tokens, made before they are asked for: what cannot
// be kept is not asked for.
type Draft struct {
	held *Held
	file *os.File
	path string
	kept bool // it holds what must not be removed
}

// room is how much of the disk is taken in advance, in bytes.
const room = 8 << 10

// Prepare makes room for new tokens in the folder of the file.
func (h *Held) Prepare() (*Draft, error) {
	d := &Draft{held: h, path: h.path + newSuffix}
	if err := h.prepare(d); err != nil {
		d.Drop()
		return nil, fmt.Errorf("making room for new tokens in %s: %w", filepath.Dir(h.path), reason(err))
	}
	return d, nil
}

func (h *Held) prepare(d *Draft) (err error) {
	if err = h.at("create"); err != nil {
		return err
	}
	if d.file, err = os.OpenFile(d.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return err
	}
	// A umask takes permissions away and adds none; an odd one would lock us out.
	if err = d.file.Chmod(0o600); err != nil {
		return err
	}
	if err = h.at("reserve"); err != nil {
		return err
	}
	// Blanks: behind whole tokens they do no harm, alone they are none.
	if _, err = d.file.Write(bytes.Repeat([]byte(" "), room)); err != nil {
		return err
	}
	return d.file.Sync()
}

// at tells the hook of the tests.
func (f *File) at(what string) error {
	if f.step == nil {
		return nil
	}
	return f.step(what)
}

// Drop gives the room back. After Save there is none.
func (d *Draft) Drop() {
	if d.file == nil {
		return
	}
	_ = d.file.Close()
	d.file = nil
	if !d.kept {
		_ = os.Remove(d.path) // what stays is removed by the next who locks
	}
}

// A LostError says that new tokens could not be put in their place.
type LostError struct {
	Kept string // where they are; empty: nowhere
	Err  error
}

func (e *LostError) Error() string { return e.Err.Error() }
func (e *LostError) Unwrap() error { return e.Err }

// Save puts new tokens in place of the old ones. At every instant, and after a
// crash at any of them, the file holds the old ones or the new ones. The error
// is a LostError.
func (d *Draft) Save(s Stored) error {
	defer d.Drop()
	err := d.write(s)
	if err != nil {
		return &LostError{Err: fmt.Errorf("writing %s: %w", d.path, reason(err))}
	}
	d.kept = true
	if err := d.held.put(d.path); err != nil {
		return &LostError{Kept: d.path, Err: err}
	}
	return nil
}

func (d *Draft) write(s Stored) error {
	text, err := s.Encode()
	defer clear(text)
	if err != nil {
		return err
	}
	for _, do := range []struct {
		what string
		do   func() error
	}{
		{"write", func() error { _, err := d.file.WriteAt(text, 0); return err }},
		{"truncate", func() error { return d.file.Truncate(int64(len(text))) }},
		{"sync", d.file.Sync},
	} {
		if err := d.held.at(do.what); err != nil {
			return err
		}
		if err := do.do(); err != nil {
			return err
		}
	}
	return nil
}

// put renames what is written to where it belongs.
func (h *Held) put(path string) error {
	giveToOwner(h.path, path)
	if err := h.at("rename"); err != nil {
		return fmt.Errorf("putting %s in place: %w", path, err)
	}
	if err := os.Rename(path, h.path); err != nil {
		return fmt.Errorf("putting %s in place: %w", path, err)
	}
	if err := h.at("sync folder"); err != nil {
		return nil
	}
	syncFolder(filepath.Dir(h.path))
	return nil
}

// syncFolder makes a renaming outlive a loss of power. Where a folder cannot be
// synchronised, what can be done was done.
func syncFolder(dir string) {
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	defer f.Close()
	_ = f.Sync()
}

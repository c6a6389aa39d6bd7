package report

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
)

// Free reports with a UsageError that a file may not be written, because it is
// there already or a folder.
// Its folder may be made later.
func Free(path string, force bool) error {
	if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return free(path, force)
}

// Writable reports with a UsageError that a file cannot be made, before there is
// anything to be in it.
func Writable(path string) error {
	files, err := NewFiles(filepath.Dir(path))
	if err != nil {
		return err
	}
	return files.Close()
}

// Files are files that are made in a folder of their own, beside their place, and
// put there when all of them are whole and on the disk: no name ever stands for
// half a file. Only their owner may read them.
type Files struct {
	// Frugal has files open only while they are written to: for more of them at the
	// same time than a process may have open.
	Frugal bool

	dir, temp string
	lock      *flock.Flock // of temp: nobody takes it for what a crash left
	names     []string
	open      map[*File]bool
}

// A File is one of them while it is written.
type File struct {
	Name  string
	Bytes int64
	of    *Files
	f     *os.File // nil: closed until it is written to again
	sum   hash.Hash
}

// NewFiles begins files for a folder, and removes what others left there when they
// were killed. The error is a UsageError if nothing can be written there. Close has
// to follow.
func NewFiles(dir string) (*Files, error) {
	removeStale(dir)
	temp, lock, err := lockedFolder(dir)
	if err != nil {
		if full(err) {
			return nil, &fullError{dir}
		}
		var e *fs.PathError // of a name that nobody has heard of
		if errors.As(err, &e) {
			err = fmt.Errorf("no file can be made in %s: %w", dir, e.Err)
		}
		return nil, &UsageError{err.Error(), "name a file in a folder that can be written"}
	}
	return &Files{dir: dir, temp: temp, lock: lock, open: map[*File]bool{}}, nil
}

// Temp is the folder in which they are made; what else is put there is removed with
// it.
func (f *Files) Temp() string { return f.temp }

// Create begins a file.
func (f *Files) Create(name string) (*File, error) {
	file, err := os.OpenFile(filepath.Join(f.temp, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	x := &File{Name: name, of: f, f: file, sum: sha256.New()}
	if err != nil {
		return nil, x.failed(err)
	}
	f.names = append(f.names, name)
	f.open[x] = true
	return x, nil
}

func (f *File) Write(p []byte) (int, error) {
	if err := f.reopen(); err != nil {
		return 0, f.failed(err)
	}
	n, err := f.f.Write(p)
	f.sum.Write(p[:n]) // a hash takes everything
	f.Bytes += int64(n)
	if err == nil && f.of.Frugal {
		err = f.f.Close()
		f.f = nil
	}
	return n, f.failed(err)
}

// failed names the place of a file in an error, not where it is made: of that nobody
// has heard.
func (f *File) failed(err error) error {
	if err == nil {
		return nil
	}
	path := filepath.Join(f.of.dir, f.Name)
	if full(err) {
		return &fullError{path}
	}
	var e *fs.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("writing %s: %w", path, err)
}

// reopen opens a file that was closed between two writes.
func (f *File) reopen() (err error) {
	if f.f == nil {
		f.f, err = os.OpenFile(filepath.Join(f.of.temp, f.Name), os.O_WRONLY|os.O_APPEND, 0)
	}
	return err
}

// Hash is the SHA-256 of what was written.
func (f *File) Hash() []byte { return f.sum.Sum(nil) }

// Close waits until the file is on the disk.
func (f *File) Close() error {
	delete(f.of.open, f)
	if err := f.reopen(); err != nil {
		return f.failed(err)
	}
	err := f.f.Sync()
	if e := f.f.Close(); err == nil {
		err = e
	}
	return f.failed(err)
}

// Free reports with a UsageError that one of the files may not be put in its place.
// With same, one that is there with the same bytes may stay.
func (f *Files) Free(force, same bool) error {
	for _, name := range f.names {
		path := filepath.Join(f.dir, name)
		err := free(path, force)
		if err == nil {
			continue
		}
		if !same {
			return err
		}
		equal, e := alike(path, filepath.Join(f.temp, name))
		if e != nil || !equal {
			return err
		}
	}
	return nil
}

// Place puts the files in their places, one after the other, in the order in which
// they were made.
func (f *Files) Place() error {
	for _, name := range f.names {
		if err := os.Rename(filepath.Join(f.temp, name), filepath.Join(f.dir, name)); err != nil {
			if full(err) {
				return &fullError{filepath.Join(f.dir, name)}
			}
			return &UsageError{err.Error(), "name a file, not a folder"}
		}
	}
	return syncFile(f.dir)
}

// Close removes what was not put in its place.
func (f *Files) Close() error {
	for x := range f.open {
		if x.f != nil {
			_ = x.f.Close() // what was written to it does not count any more
		}
	}
	return errors.Join(os.RemoveAll(f.temp), f.lock.Unlock())
}

// A fullError says that there is no room for a file.
type fullError struct{ path string }

func (e *fullError) Error() string { return e.path + ": the disk is full" }

// Hint says what to do about it.
func (e *fullError) Hint() string {
	hint := "free some space, or name a file on another disk"
	if strings.EqualFold(filepath.Ext(e.path), ".xlsx") {
		hint += "; while it is written a workbook takes several times its room"
	}
	return hint
}

// full reports whether there is no room left, or none for this user.
func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// Full names the file, and what to do, if an error is that the disk is full. What was
// done meanwhile does not matter then.
func Full(err error, path string) error {
	var known *fullError
	switch {
	case errors.As(err, &known):
		return known
	case full(err):
		return &fullError{path}
	}
	return err
}

// free reports with a UsageError that a file may not be written.
func free(path string, force bool) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return &UsageError{path + ": it is a folder", "name a file"}
	case err != nil && !errors.Is(err, fs.ErrNotExist): // a name too long, a file in place of a folder
		return unwritable(path, err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return unwritable(path, err)
	}
	if force {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return &UsageError{path + ": it is there already", "choose another name, or --force to replace it"}
	}
	return nil
}

// unwritable says that a file cannot be written, without what was tried with it.
func unwritable(path string, err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	return &UsageError{fmt.Sprintf("%s: it cannot be written: %v", path, err), "name a file in a folder that can be written"}
}

// syncFile waits until a file or a folder is on the disk.
func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// alike reports whether two files hold the same.
func alike(a, b string) (bool, error) {
	x, err := hashFile(a)
	if err != nil {
		return false, err
	}
	y, err := hashFile(b)
	return err == nil && bytes.Equal(x, y), err
}

func hashFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return h.Sum(nil), nil
}

package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// WriteXLSX writes a report as a workbook; see WriteWorkbook. The file is made
// under another name and renamed when it is whole and on the disk, so that the name
// never stands for half a workbook, and only its owner may read it. One that is
// there is replaced with force, and a UsageError without.
func WriteXLSX(path string, r *Report, force bool) (err error) {
	if err := free(path, force); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".report-*") // nobody else may enter it
	if err != nil {
		return unwritable(path, err)
	}
	defer func() {
		if errors.Is(err, syscall.ENOSPC) {
			err = &fullError{path}
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	temp := filepath.Join(dir, "book.xlsx")
	if err := writeFile(temp, func(w io.Writer) error { return WriteWorkbook(w, r, dir) }); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return &UsageError{err.Error(), "name a file, not a folder"}
	}
	return syncFile(filepath.Dir(path))
}

// A fullError says that there is no room for a workbook.
type fullError struct{ path string }

func (e *fullError) Error() string { return e.path + ": the disk is full" }

// Hint says what to do about it.
func (e *fullError) Hint() string {
	return "free some space, or name a file on another disk; while it is written a workbook takes several times its room"
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

// writeFile makes a file that only its owner may read, and waits until it is on
// the disk.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the workbook: %w", err)
	}
	return nil
}

// syncFile waits until a file or a folder is on the disk.
func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Snapshot writes a consistent copy of the database to a file, beside whoever
// reads and writes. The copy is one file without a log, and may be copied, sent
// and opened anywhere. It is made under another name and renamed when it is
// whole and on the disk, so that the name never stands for half a copy. A file
// that is there is replaced only if that is wanted.
func (s *Store) Snapshot(ctx context.Context, path string, replace bool) (err error) {
	const doing = "making a snapshot"
	if err := s.CheckSnapshot(path, replace); err != nil {
		return err
	}
	// VACUUM INTO takes no file that holds something, and makes one that all may
	// read; this one is there first, and ours.
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil { // without the name of the file that was tried
		return &UsageError{fmt.Sprintf("%s: it cannot be written: %v", path, errors.Unwrap(err)), "name a file in a folder that can be written"}
	}
	temp := f.Name()
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreGone(os.Remove(temp)))
		}
	}()
	if err := f.Close(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := s.vacuumInto(ctx, temp); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return explain(path, doing, err)
	}
	for _, name := range []string{temp, filepath.Dir(path)} {
		if err := syncFile(name); err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		if name == temp {
			if err := os.Rename(temp, path); err != nil {
				return &UsageError{fmt.Sprintf("%s: it cannot be written: %v", path, errors.Unwrap(err)), "name a file, not a folder"}
			}
		}
	}
	return nil
}

// CheckSnapshot finds out before any work whether a snapshot may have a name. The
// error is a UsageError.
func (s *Store) CheckSnapshot(path string, replace bool) error {
	if err := Spare(s.path, path); err != nil {
		return err
	}
	switch fi, err := os.Lstat(path); {
	case err != nil: // that there is none, as a rule; else making it fails
	case fi.IsDir():
		return &UsageError{path + ": it is a folder", "name a file"}
	case !replace:
		return &UsageError{path + ": it is there already", "choose another name, or --force to replace it"}
	}
	return lone(path)
}

// vacuumInto copies the database. The connection is one that only reads; that it
// may not write would hold for the copy as well.
func (s *Store) vacuumInto(ctx context.Context, path string) (err error) {
	conn, err := s.ro.Connx(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "PRAGMA query_only = OFF"); err != nil {
		return err
	}
	defer func() {
		_, e := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA query_only = ON")
		err = errors.Join(err, e)
	}()
	_, err = conn.ExecContext(ctx, "VACUUM INTO ?", path)
	return err
}

// syncFile waits until a file or a folder is on the disk.
func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func ignoreGone(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// same reports whether two names are one file.
func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

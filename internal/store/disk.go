package store

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// errFull is what a full disk is called, and adviceFull what to do about it.
var errFull = errors.New("the disk is full")

const (
	adviceFull = "free some space and run syncer again: it goes on from its checkpoint"
	// An index that lost an entry shows in this way. So would a mistake of ours.
	adviceContradiction = "\"syncer check\" says whether the file is damaged: if so, restore a snapshot, or move it away and sync again; if not, please report this"
	adviceDamaged       = "stop syncer, keep a copy of the file, and restore a snapshot; or move it away and sync again: the bills come back from the API"
)

// full reports whether there is no room left, or none for this user.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// denied reports whether somebody forbade it.
func denied(err error) bool {
	return errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EROFS)
}

// errMisread says that a value was not what the schema says.
var errMisread = errors.New("reading a row")

// misread reports whether a value was not what the schema says: STRICT tables
// and this program's own writing leave damage as the reason. database/sql has
// no type for such an error.
func misread(err error) bool {
	return errors.Is(err, errMisread) || strings.Contains(err.Error(), "sql: Scan error on column")
}

// broken is the Problem of a disk that does not do what it is told.
func broken(path, doing string, err error) error {
	return &Problem{path, doing, fmt.Errorf("reading or writing the disk failed: %w", err), "check the disk, then run syncer again: it goes on from its checkpoint"}
}

// beside explains why a file of ours beside the database could not be written.
func beside(path, doing string, err error) error {
	switch {
	case full(err):
		return &Problem{path, doing, errFull, adviceFull}
	case denied(err):
		return &InputError{path, fmt.Sprintf("%s: %v", doing, err), "give this user write permission for the folder and the files beside the database"}
	}
	return broken(path, doing, err)
}

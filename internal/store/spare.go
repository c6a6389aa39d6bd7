package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sideSuffixes are what SQLite adds to the name of a database for the files that
// belong to it. The newest part of the database may be in one of them alone.
var sideSuffixes = []string{"-wal", "-shm", "-journal"}

// Spare makes sure that writing a file would not replace the database at db, a file
// that SQLite keeps beside a database, or a lock, whether they are there yet or not.
// The error is a UsageError.
func Spare(db, path string) error {
	const advice = "name another file"
	real := realPath(db)
	if SameFile(path, real) {
		return &UsageError{path + ": it is the database itself", advice}
	}
	// A file of such a name is taken for a part of any database that is there or
	// comes: SQLite would add it to that, or delete it.
	for _, suffix := range sideSuffixes {
		base := filepath.Base(path)
		if owner := len(base) - len(suffix); owner > 0 && strings.EqualFold(base[owner:], suffix) {
			return &UsageError{fmt.Sprintf("%s: SQLite takes a file of this name for a part of the database %s", path, base[:owner]),
				"choose a name that does not end with " + suffix}
		}
		if SameFile(path, real+suffix) {
			return &UsageError{path + ": it is a part of the database", advice}
		}
	}
	for _, part := range []string{"", daemonPart, cardholderPart} {
		for _, suffix := range []string{lockSuffix, holderSuffix} {
			if SameFile(path, real+part+suffix) {
				return &UsageError{path + ": it is what keeps two runs apart", advice}
			}
		}
	}
	return nil
}

// lone makes sure that no log of another database lies beside the file: SQLite would
// add it to what is written there.
func lone(path string) error {
	for _, suffix := range []string{"-wal", "-journal"} {
		if fi, err := os.Stat(path + suffix); err == nil && fi.Size() > 0 {
			return &UsageError{fmt.Sprintf("%s: there is a file %s%s, a part of another database of this name", path, filepath.Base(path), suffix),
				"name another file; or let the program that has that database open close it"}
		}
	}
	return nil
}

// SameFile reports whether two names are one file, or would be if there were one.
// Names that only differ in case are one: on some disks they are.
func SameFile(a, b string) bool {
	if same(a, b) {
		return true
	}
	return strings.EqualFold(filepath.Base(a), filepath.Base(b)) && same(filepath.Dir(a), filepath.Dir(b))
}

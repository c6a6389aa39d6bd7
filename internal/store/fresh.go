package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jmoiron/sqlx"
)

// isFresh reports whether there is nothing at path yet. What a process left that
// was killed while it made the database counts as nothing.
func isFresh(ctx context.Context, path string) (bool, error) {
	fi, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, &InputError{path, err.Error(), "correct [database] url"}
	}
	if program, err := programOf(path); err != nil || program != applicationID {
		return fi.Size() == 0, nil
	}
	if left, err := os.Stat(path + "-journal"); err != nil || left.Size() == 0 {
		return false, nil
	}
	// Only in making a database, or in changing how it keeps its journal, is
	// there a file of that name. Until it is rolled back, nothing in the file
	// means anything, and whoever only looks cannot read it.
	db, err := sqlx.Open("sqlite3", dsn(path, "mode=rw&_busy_timeout=5000"))
	if err != nil {
		return false, fmt.Errorf("opening %s: %w", path, err)
	}
	defer db.Close()
	var tables int64
	if err := db.GetContext(ctx, &tables, "SELECT count(*) FROM sqlite_master"); err != nil {
		return false, explain(path, "undoing what a killed process left unfinished", err)
	}
	fi, err = os.Stat(path)
	return err == nil && fi.Size() == 0, err
}

// errNotSQLite says that a file is no SQLite database.
var errNotSQLite = errors.New("this is not an SQLite database")

// errFolder says that there is a folder where a database should be.
var errFolder = errors.New("this is a folder, not a file")

// programOf returns the number of the program that an SQLite database says it
// belongs to. SQLite itself is not asked: it would first tidy up, and a file of
// others is not to be touched.
func programOf(path string) (uint32, error) {
	if fi, err := os.Stat(path); err == nil && fi.IsDir() {
		return 0, errFolder
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	head := make([]byte, 100)
	if _, err := io.ReadFull(f, head); err != nil || !strings.HasPrefix(string(head), "SQLite format 3\x00") {
		return 0, errNotSQLite
	}
	return binary.BigEndian.Uint32(head[68:]), nil
}

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A deniedError is the InputError of a file or folder that may not be written.
type deniedError struct{ *InputError }

func (e *deniedError) Unwrap() error { return e.InputError }

// withoutWriting returns how a database can be looked at where SQLite may not
// write beside it, as on a read-only disk. It wants to, in WAL mode, even to
// read. If the log is empty, all there is stands in the file itself, and nobody
// is writing: then it can be read as one that never changes.
func withoutWriting(path string) (mode string, err error) {
	fi, err := os.Stat(path + "-wal")
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && fi.Size() == 0:
		return "ro&immutable=1", nil
	case err != nil:
		return "", &InputError{path, err.Error(), "give this user permission to look into its folder"}
	}
	return "", &InputError{path, fmt.Sprintf("its newest part is in %s-wal, and SQLite cannot read that without writing beside it",
		filepath.Base(path)), fmt.Sprintf("give this user write permission for the folder %s, or look again when no syncer works on it", filepath.Dir(path))}
}

package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// A Lock keeps a second run away from the database. The kernel releases it when
// the process dies, however it dies.
type Lock struct {
	flock  *flock.Flock
	holder string
}

// A BusyError says that another syncer works on the database.
type BusyError struct {
	Path   string
	Daemon bool // it is a daemon, perhaps between two of its runs
	PID    int  // who, as far as known; 0: not
	Doing  string
	Since  time.Time
	Zone   *time.Location // in which Since is told; nil: UTC
}

func (e *BusyError) Error() string {
	s := "another syncer is working on " + e.Path
	if e.Daemon {
		s = "another daemon looks after " + e.Path
	}
	if e.PID == 0 {
		return s
	}
	since := e.Since.UTC()
	if e.Zone != nil {
		since = e.Since.In(e.Zone)
	}
	return fmt.Sprintf("%s: process %d, %s, since %s", s, e.PID, e.Doing, since.Format("2006-01-02 15:04:05 -07:00"))
}

// Hint says what to do about it.
func (e *BusyError) Hint() string {
	if e.Daemon {
		return "one daemon is enough for a database: stop the other one first; \"syncer sync\" does a run beside it"
	}
	return "wait until it is done, or stop it; nothing was changed here"
}

type holder struct {
	PID   int       `json:"pid"`
	Doing string    `json:"doing"`
	Since time.Time `json:"since"`
}

const (
	lockSuffix   = ".lock"
	holderSuffix = ".holder"
	daemonPart   = ".daemon"
	// cardholderPart is of the lock for registering cardholders, which goes on
	// beside a run.
	cardholderPart = ".cardholder"
	// exportPart is of the lock for remembering exports.
	exportPart = ".export"

	// glances are how often a lock that is taken is tried again, and glance is
	// the pause before that: whoever only looks holds it for an instant.
	glances = 5
	glance  = 10 * time.Millisecond
)

// TryLock takes the lock of a database for what is about to be done, such as
// "sync". The error is a BusyError if another process holds it.
func TryLock(path, doing string, now time.Time) (*Lock, error) {
	return tryLock(realPath(path), "", doing, now)
}

// TryDaemonLock takes the lock that a daemon holds for its life, beside the one
// that it takes for each run: two daemons would do everything twice and get in
// each other's way. The error is a BusyError if there is another one.
func TryDaemonLock(path string, now time.Time) (*Lock, error) {
	l, err := tryLock(realPath(path), daemonPart, "run", now)
	var busy *BusyError
	if errors.As(err, &busy) {
		busy.Daemon = true
	}
	return l, err
}

// TryCardholderLock takes the lock that is held while a request to register a
// cardholder is under way. The kernel gives it back when its holder dies: who
// has it knows that whatever else is called under way was left by a crash. The
// error is a BusyError if another process has it.
func TryCardholderLock(path, doing string, now time.Time) (*Lock, error) {
	return tryLock(realPath(path), cardholderPart, doing, now)
}

// TryExportLock takes the lock that is held while a batch is made: whoever has it
// knows that a batch which is not done was left by a crash. The error is a BusyError
// if another process has it.
func TryExportLock(path, doing string, now time.Time) (*Lock, error) {
	return tryLock(realPath(path), exportPart, doing, now)
}

// tryLock takes one of a database's locks; part tells them apart.
func tryLock(path, part, doing string, now time.Time) (*Lock, error) {
	l := &Lock{flock: flock.New(path + part + lockSuffix), holder: path + part + holderSuffix}
	ok, err := l.flock.TryLock()
	for i := 0; i < glances && !ok && err == nil; i++ {
		time.Sleep(glance)
		ok, err = l.flock.TryLock()
	}
	if err != nil {
		return nil, beside(path, "locking it", err)
	}
	if !ok {
		return nil, readHolder(path, l.holder)
	}
	// Who holds it is told in a second file: the lock file itself is never
	// deleted or replaced, or two processes could hold a lock of that name.
	note, err := json.Marshal(holder{os.Getpid(), doing, now.UTC().Truncate(time.Second)})
	if err == nil {
		err = os.WriteFile(l.holder, note, 0o644)
	}
	if err != nil {
		_ = os.Remove(l.holder) // half a note says nothing
		return nil, errors.Join(beside(path, "noting who works on it", err), l.flock.Unlock())
	}
	return l, nil
}

// realPath follows links, so that one database has one lock by whatever name.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil { // no database yet
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// Unlock gives the lock back.
func (l *Lock) Unlock() error {
	if err := os.Remove(l.holder); err != nil && !errors.Is(err, os.ErrNotExist) {
		return errors.Join(err, l.flock.Unlock())
	}
	return l.flock.Unlock()
}

// readHolder says who holds the lock of a database, as far as the note tells.
func readHolder(path, note string) *BusyError {
	var h holder
	data, err := os.ReadFile(note)
	if err != nil || json.Unmarshal(data, &h) != nil {
		return &BusyError{Path: path}
	}
	return &BusyError{Path: path, PID: h.PID, Doing: strings.TrimSpace(h.Doing), Since: h.Since}
}

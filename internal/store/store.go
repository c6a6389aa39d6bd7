// Package store is the database: opening and checking the file, and the
// statements that bring bills, checkpoints and runs into it.
//
// One connection writes, in immediate transactions; a small read-only pool
// serves everything that only looks, so readers are never blocked. What belongs
// together (a page's bills, its record, the checkpoint) is written by one call
// of Update, which is one transaction.
package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"billsync"
	"billsync/internal/bill"

	"github.com/jmoiron/sqlx"
	"github.com/mattn/go-sqlite3"
)

const (
	applicationID = 1464025683 // as in schema.sql
	schemaVersion = 4          // as in schema.sql

	// pageSize of the file: larger pages made loading measurably faster.
	pageSize = 16384
)

// A Store is an open database.
type Store struct {
	path string
	ro   *sqlx.DB
	zone *time.Location // decides transaction_date

	mu      *sync.Mutex // one transaction at a time; guards what is below
	rw      *sqlx.DB    // nil for a reader
	conn    *sqlx.Conn  // the one connection that writes
	stmts   map[string]*sqlx.Stmt
	directs map[string]*direct
	back    checkpointer
	reasons map[string]bool // fail reasons known to be in the table
	cards   map[use]bool    // cards known to be in the table
}

// An InputError says that the database named in the configuration cannot be
// used as it is: nothing was done to it.
type InputError struct {
	Path   string
	Reason string
	Advice string
}

func (e *InputError) Error() string { return fmt.Sprintf("database %s: %s", e.Path, e.Reason) }

// Hint says what to do about it.
func (e *InputError) Hint() string { return e.Advice }

// ErrNoDatabase says that there is no database file yet.
var ErrNoDatabase = errors.New("there is no database yet")

// Open opens the database for writing and creates it if there is none. The
// zone decides the day a bill belongs to (transaction_date).
func Open(ctx context.Context, path string, zone *time.Location) (*Store, error) {
	if err := CheckFolder(path); err != nil {
		return nil, err
	}
	fresh, err := isFresh(ctx, path)
	if err != nil {
		return nil, err
	}
	if fresh {
		if err := create(ctx, path, zone); err != nil {
			return nil, explain(path, "creating the schema", err)
		}
	}
	version, err := identify(ctx, path, "rw")
	if err != nil {
		return nil, err
	}
	if version < schemaVersion {
		if err := migrate(ctx, path); err != nil {
			return nil, err
		}
	}
	// Others hold the database for moments, but for what came of a ledger with 200,000
	// lines, which is stored at once: 4 seconds, or more on a busy machine. Its one
	// connection is used by one goroutine at a time and needs no locks of SQLite's.
	rw, err := sqlx.Open("sqlite3", dsn(path, "_journal_mode=WAL&_synchronous=NORMAL&_foreign_keys=on&_busy_timeout=15000&_txlock=immediate&_cache_size=-32768&_mutex=no"))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	rw.SetMaxOpenConns(1)
	s := &Store{path: path, rw: rw, zone: zone, stmts: map[string]*sqlx.Stmt{}, directs: map[string]*direct{}, reasons: map[string]bool{}, cards: map[use]bool{}, back: checkpointer{path: path}, mu: new(sync.Mutex)}
	if s.conn, err = rw.Connx(ctx); err != nil {
		_ = rw.Close()
		return nil, explain(path, "opening", err)
	}
	if err := s.readBack(ctx); err != nil {
		s.Close()
		return nil, explain(path, "opening", err)
	}
	if s.ro, err = openReaders(path, "ro"); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// OpenReader opens an existing database for looking only. The error is
// ErrNoDatabase if there is none.
func OpenReader(ctx context.Context, path string) (*Store, error) {
	fresh, err := isFresh(ctx, path)
	if err != nil {
		return nil, err
	}
	if fresh {
		return nil, fmt.Errorf("%s: %w", path, ErrNoDatabase)
	}
	mode := "ro"
	version, err := identify(ctx, path, mode)
	var denied *deniedError
	if errors.As(err, &denied) {
		if mode, err = withoutWriting(path); err == nil {
			version, err = identify(ctx, path, mode)
		}
	}
	if err != nil {
		return nil, err
	}
	if version < schemaVersion {
		return nil, &InputError{path, fmt.Sprintf("it was made by an older version of syncer (schema %d of %d)", version, schemaVersion),
			"run \"syncer sync\" once: it brings the database up to date and keeps all that is in it"}
	}
	ro, err := openReaders(path, mode)
	if err != nil {
		return nil, err
	}
	return &Store{path: path, ro: ro, mu: new(sync.Mutex)}, nil
}

func openReaders(path, mode string) (*sqlx.DB, error) {
	ro, err := sqlx.Open("sqlite3", dsn(path, "mode="+mode+"&_query_only=on&_busy_timeout=5000"))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	ro.SetMaxOpenConns(4)
	return ro, nil
}

// ShareWrites makes the writing transactions of several stores of one process
// take turns by a mutex of theirs. SQLite's own waiting is no queue: who writes
// again and again would keep the others out. It must come before the first use.
func (s *Store) ShareWrites(turns *sync.Mutex) { s.mu = turns }

// Path returns where the database is.
func (s *Store) Path() string { return s.path }

// Close writes the log back into the file and closes it.
func (s *Store) Close() error {
	var errs []error
	s.back.close()
	for _, st := range s.stmts {
		errs = append(errs, st.Close())
	}
	for _, d := range s.directs {
		errs = append(errs, d.st.Close())
	}
	if s.ro != nil {
		errs = append(errs, s.ro.Close())
	}
	if s.rw != nil {
		// A reader may hold the log; then it is written back another time, and
		// nobody who wants to write is kept waiting for that.
		_, _ = s.conn.ExecContext(context.Background(), "PRAGMA busy_timeout = 100; PRAGMA wal_checkpoint(TRUNCATE)")
		errs = append(errs, s.conn.Close(), s.rw.Close())
	}
	return errors.Join(errs...)
}

// dsn builds the driver's name of a file. The driver does not escape the path,
// so a '?' or '#' in it would cut it short.
func dsn(path, params string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + params
}

// Check finds out before any work, and without leaving a trace, whether the
// database can be used: its folder, and the file if there is one. The error is
// an InputError, or a Problem if the file is damaged.
func Check(ctx context.Context, path string) error {
	if err := CheckFolder(path); err != nil {
		return err
	}
	fresh, err := isFresh(ctx, path)
	if err != nil || fresh {
		return err
	}
	_, err = identify(ctx, path, "rw")
	return err
}

// CheckFolder finds out before any work whether the database can be written where
// it is configured. The error is an InputError.
func CheckFolder(path string) error {
	dir := filepath.Dir(path)
	fi, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return &InputError{path, fmt.Sprintf("the folder %s does not exist", dir), "create the folder, or correct [database] url"}
	case err != nil:
		return &InputError{path, err.Error(), "correct [database] url"}
	case !fi.IsDir():
		return &InputError{path, fmt.Sprintf("%s is no folder", dir), "correct [database] url"}
	}
	if fi, err := os.Stat(path); err == nil && fi.IsDir() {
		return &InputError{path, errFolder.Error(), "name a file in [database] url"}
	}
	f, err := os.CreateTemp(dir, ".syncer-write-test-*")
	if full(err) {
		return &Problem{path, "trying to write beside it", errFull, adviceFull}
	}
	if err != nil {
		return &InputError{path, fmt.Sprintf("the folder %s cannot be written: %v", dir, errors.Unwrap(err)),
			"SQLite needs to create files beside the database: give this user write permission, or move the database"}
	}
	_ = f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return fmt.Errorf("removing %s: %w", f.Name(), err)
	}
	return nil
}

// identify makes sure that the file is a database of ours that this program
// can read or bring up to date, before anything is written, and returns the
// version of its schema.
func identify(ctx context.Context, path, mode string) (version int64, err error) {
	switch program, err := programOf(path); {
	case errors.Is(err, errFolder):
		return 0, &InputError{path, err.Error(), "name a file in [database] url"}
	case errors.Is(err, errNotSQLite):
		return 0, &InputError{path, err.Error(), "name another file in [database] url; this one is left as it is"}
	case err != nil:
		return 0, &InputError{path, err.Error(), "give this user permission to read it, and to write it for a sync"}
	case program != applicationID:
		return 0, &InputError{path, "this is an SQLite database of another program",
			"name another file in [database] url; this one is left as it is"}
	}
	// The last connection to close writes the log into the file, unless it may
	// only read; and a newer program's file must stay as it is.
	if fi, err := os.Stat(path + "-wal"); mode == "rw" && err == nil && fi.Size() > 0 {
		mode = "ro"
	}
	db, err := sqlx.Open("sqlite3", dsn(path, "mode="+mode+"&_busy_timeout=5000"))
	if err != nil {
		return 0, fmt.Errorf("opening %s: %w", path, err)
	}
	defer db.Close()
	var tables int64
	if err := db.GetContext(ctx, &version, "PRAGMA user_version"); err != nil {
		return 0, explain(path, "reading its header", err)
	}
	if err := db.GetContext(ctx, &tables, "SELECT count(*) FROM sqlite_master"); err != nil {
		return 0, explain(path, "reading its schema", err)
	}
	switch {
	case version > schemaVersion:
		return 0, &InputError{path, fmt.Sprintf("it was made by a newer version of syncer (schema %d, this program knows %d)", version, schemaVersion),
			"use the newer syncer; the file is left as it is"}
	case version < 1 || tables == 0:
		return 0, &InputError{path, fmt.Sprintf("its schema is unfinished (version %d of %d)", version, schemaVersion),
			"move the file away and sync again"}
	}
	return version, nil
}

// create makes a new database in one transaction, so that a crash leaves an
// empty file and not half a schema.
func create(ctx context.Context, path string, zone *time.Location) error {
	db, err := sqlx.Open("sqlite3", dsn(path, "_busy_timeout=5000&_txlock=immediate"))
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA page_size = %d", pageSize)); err != nil {
		return err
	}
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var tables int
	if err := tx.GetContext(ctx, &tables, "SELECT count(*) FROM sqlite_master"); err != nil {
		return err
	}
	if tables > 0 {
		return nil // another process was quicker
	}
	if _, err := tx.ExecContext(ctx, billsync.Schema); err != nil {
		return err
	}
	for currency, places := range bill.Currencies() {
		if _, err := tx.ExecContext(ctx, "INSERT INTO currencies (currency, decimals) VALUES (?, ?)", currency, places); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO meta (key, value) VALUES ('report_timezone', ?)", zone.String()); err != nil {
		return err
	}
	return tx.Commit()
}

// readBack compares the settings in force with those asked for: the driver
// ignores a misspelt one in silence.
func (s *Store) readBack(ctx context.Context) error {
	for _, p := range []struct {
		name string
		want string
	}{{"journal_mode", "wal"}, {"synchronous", "1"}, {"foreign_keys", "1"}, {"busy_timeout", "15000"}} {
		var got string
		if err := s.conn.GetContext(ctx, &got, "PRAGMA "+p.name); err != nil {
			return err
		}
		if got != p.want {
			return fmt.Errorf("PRAGMA %s is %s, not %s", p.name, got, p.want)
		}
	}
	for _, p := range []string{"PRAGMA temp_store = MEMORY", fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", logPages)} {
		if _, err := s.conn.ExecContext(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// ErrDamaged says that SQLite found the file to be damaged.
var ErrDamaged = errors.New("the database is damaged")

// explain turns SQLite's codes into words a person can act on.
func explain(path, doing string, err error) error {
	var e sqlite3.Error
	if misread(err) {
		return &Problem{path, doing, fmt.Errorf("%w: %w", ErrDamaged, err), adviceDamaged}
	}
	if !errors.As(err, &e) {
		return fmt.Errorf("database %s: %s: %w", path, doing, err)
	}
	if overflowed(err) {
		return fmt.Errorf("database %s: %s: %w", path, doing, ErrTooMuch)
	}
	switch e.Code {
	case sqlite3.ErrNotADB:
		return &InputError{path, errNotSQLite.Error(), "name another file in [database] url; this one is left as it is"}
	case sqlite3.ErrCorrupt:
		return &Problem{path, doing, ErrDamaged, adviceDamaged}
	case sqlite3.ErrFull:
		return &Problem{path, doing, errFull, adviceFull}
	case sqlite3.ErrCantOpen:
		if full(e.SystemErrno) {
			return &Problem{path, doing, errFull, adviceFull}
		}
		if !denied(e.SystemErrno) && CheckFolder(path) == nil { // that could be written, so it is something else
			return broken(path, doing, e)
		}
		return &deniedError{&InputError{path, "it cannot be written: " + e.Error(), "give this user write permission for the file and its folder"}}
	case sqlite3.ErrReadonly, sqlite3.ErrPerm:
		return &deniedError{&InputError{path, "it cannot be written: " + e.Error(), "give this user write permission for the file and its folder"}}
	case sqlite3.ErrConstraint:
		return &Problem{path, doing, fmt.Errorf("what is stored contradicts itself: %w", err), adviceContradiction}
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return &Problem{path, doing, errors.New("another program holds the database locked"), "close it there (an open transaction, a backup), and run syncer again"}
	case sqlite3.ErrIoErr:
		if full(e.SystemErrno) {
			return &Problem{path, doing, errFull, adviceFull}
		}
		return broken(path, doing, err)
	}
	return fmt.Errorf("database %s: %s: %w", path, doing, err)
}

// A Problem is a failure of the database that a person has to look at.
type Problem struct {
	Path, Doing string
	Err         error
	Advice      string
}

func (p *Problem) Error() string { return fmt.Sprintf("database %s: %s: %v", p.Path, p.Doing, p.Err) }

// Hint says what to do about it.
func (p *Problem) Hint() string  { return p.Advice }
func (p *Problem) Unwrap() error { return p.Err }

// orNull turns what was not said into NULL.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// IntegrityCheck runs SQLite's own check and returns what it found, nothing if
// all is well.
func (s *Store) IntegrityCheck(ctx context.Context) ([]string, error) {
	var found []string
	if err := s.ro.SelectContext(ctx, &found, "PRAGMA integrity_check(10)"); err != nil {
		return nil, explain(s.path, "checking it", err)
	}
	if len(found) == 1 && found[0] == "ok" {
		return nil, nil
	}
	// A row may have several lines, the first of which only names the database.
	var bad []string
	for _, line := range strings.Split(strings.Join(found, "\n"), "\n") {
		if !strings.HasPrefix(line, "***") {
			bad = append(bad, line)
		}
	}
	if len(bad) == 0 {
		return found, nil
	}
	return bad, nil
}

// Reader returns the read-only pool, for looking.
func (s *Store) Reader() *sqlx.DB { return s.ro }

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"billsync"

	"github.com/jmoiron/sqlx"
)

// The plain loop is the floor of what storing bills can cost: a loop in C over
// the same rows, one prepared statement, bind, step and reset, 5000 rows in a
// transaction; the table, indexes and settings of syncer's database, but nothing
// else: no look-up of what is there, no foreign keys, no checkpoints of ours. Its
// log is written back in between, every 64 MB: there is nobody beside it to do that.
// What takes the rows out of the other database is not measured.

// loopCommand makes this program the plain loop, in a process of its own so
// that its memory is not ours.
const loopCommand = "plain-loop"

// loopRows is how many rows a transaction has.
const loopRows = 5000

// A loopSample is one measured plain loop.
type loopSample struct {
	Rows  int   `json:"rows"`
	First usage `json:"first"` // inserting them into an empty table
	Same  usage `json:"same"`  // upserting the same again
	Bytes int64 `json:"bytes"` // of the database
}

// runLoop copies the bills of one database into another, which is made anew, in
// a process of its own.
func runLoop(ctx context.Context, from, to string) (l loopSample, err error) {
	if err := runSelf(ctx, &l, loopCommand, from, to); err != nil {
		return l, fmt.Errorf("the plain loop: %w", err)
	}
	if l.Rows == 0 {
		return l, fmt.Errorf("the plain loop: no bills in %s", from)
	}
	return l, nil
}

// runSelf runs this program with other arguments and reads what it prints.
func runSelf(ctx context.Context, into any, args ...string) error {
	cmd, err := self(ctx, args...)
	if err != nil {
		return err
	}
	return runJSON(cmd, into)
}

// runSelfWith is runSelf with a JSON argument.
func runSelfWith(ctx context.Context, into any, command string, order any) error {
	text, err := json.Marshal(order)
	if err != nil {
		return err
	}
	return runSelf(ctx, into, command, string(text))
}

func runJSON(cmd *exec.Cmd, into any) error {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, bytes.TrimSpace(errs.Bytes()))
	}
	return json.Unmarshal(out.Bytes(), into)
}

// loopMain is the process.
func loopMain(from, to string, stdout io.Writer) error {
	l, err := plainLoop(context.Background(), from, to)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(l)
}

func plainLoop(ctx context.Context, from, to string) (l loopSample, err error) {
	src, err := openReader(from)
	if err != nil {
		return l, err
	}
	defer src.Close()
	var columns []string
	if err := src.SelectContext(ctx, &columns, "SELECT name FROM pragma_table_info('bills') WHERE name <> 'bill_id' ORDER BY cid"); err != nil {
		return l, fmt.Errorf("reading the columns: %w", err)
	}
	var clock stopwatch
	clock.start()
	dst, err := openC(to)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, dst.close()) }()
	if err := dst.exec(`
		PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768;
		PRAGMA wal_autocheckpoint = 4000; PRAGMA temp_store = MEMORY;` + billsync.Schema); err != nil {
		return l, err
	}
	clock.stop()
	insert := insertInto(columns)
	if l.Rows, err = loopOver(ctx, src, dst, insert, columns, &clock); err != nil {
		return l, err
	}
	l.First = clock.usage
	changes := dst.changes()
	clock = stopwatch{}
	if _, err := loopOver(ctx, src, dst, insert+onConflict(columns), columns, &clock); err != nil {
		return l, err
	}
	l.Same = clock.usage
	if n := dst.changes() - changes; n > 0 {
		return l, fmt.Errorf("the same again changed %d rows", n)
	}
	l.Bytes, err = fileSize(to)
	return l, err
}

func insertInto(columns []string) string {
	return "INSERT INTO bills (" + strings.Join(columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")"
}

// onConflict makes an INSERT an upsert that writes only what differs.
func onConflict(columns []string) string {
	var set []string
	for _, c := range columns {
		if c != "first_seen_at" {
			set = append(set, c+" = excluded."+c)
		}
	}
	return " ON CONFLICT DO UPDATE SET " + strings.Join(set, ", ") + " WHERE content_hash <> excluded.content_hash"
}

// loopOver runs the loop over all rows of the source, in the order in which they
// were stored, and then writes the log back.
func loopOver(ctx context.Context, src *sqlx.DB, dst *cDatabase, statement string, columns []string, clock *stopwatch) (rows int, err error) {
	if err := dst.prepare(statement); err != nil {
		return 0, err
	}
	var encoded []byte
	for last := int64(0); ; {
		var n int
		if encoded, n, last, err = readRows(ctx, src, encoded[:0], columns, last); err != nil {
			return 0, fmt.Errorf("reading bills: %w", err)
		}
		if n == 0 {
			break
		}
		clock.start()
		if err := dst.store(encoded, n, len(columns)); err != nil {
			return 0, err
		}
		clock.stop()
		rows += n
	}
	clock.start()
	defer clock.stop()
	return rows, dst.exec("PRAGMA wal_checkpoint(TRUNCATE)")
}

// readRows encodes the next rows in the order in which they were stored, as the
// loop wants them.
func readRows(ctx context.Context, src *sqlx.DB, dst []byte, columns []string, last int64) ([]byte, int, int64, error) {
	found, err := src.QueryxContext(ctx, "SELECT bill_id, "+strings.Join(columns, ", ")+" FROM bills WHERE bill_id > ? ORDER BY bill_id LIMIT ?",
		last, loopRows)
	if err != nil {
		return nil, 0, 0, err
	}
	defer found.Close()
	n := 0
	for found.Next() {
		row, err := found.SliceScan()
		if err != nil {
			return nil, 0, 0, err
		}
		last = row[0].(int64)
		for _, v := range row[1:] {
			switch v := v.(type) {
			case nil:
				dst = append(dst, 'n')
			case int64:
				dst = binary.NativeEndian.AppendUint64(append(dst, 'i'), uint64(v))
			case string:
				dst = append(binary.NativeEndian.AppendUint32(append(dst, 't'), uint32(len(v))), v...)
			case []byte:
				dst = append(binary.NativeEndian.AppendUint32(append(dst, 't'), uint32(len(v))), v...)
			default:
				return nil, 0, 0, fmt.Errorf("a value is a %T", v)
			}
		}
		n++
	}
	return dst, n, last, found.Err()
}

// A stopwatch adds up elapsed and processor time between start and stop.
type stopwatch struct {
	usage
	began      time.Time
	cpuAtStart time.Duration
}

func (s *stopwatch) start() { s.began, s.cpuAtStart = time.Now(), processorTime() }

func (s *stopwatch) stop() {
	s.Wall += time.Since(s.began)
	s.CPU += processorTime() - s.cpuAtStart
}

// escaped is a path as the driver's URL wants it.
func escaped(path string) string { return (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() }

// openReader opens a database that nobody writes to.
func openReader(path string) (*sqlx.DB, error) {
	db, err := sqlx.Open("sqlite3", "file:"+escaped(path)+"?mode=ro")
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// fileSize is how large a database is, with what is still in its log.
func fileSize(path string) (int64, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	wal, err := os.Stat(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return fi.Size(), nil
	}
	if err != nil {
		return 0, err
	}
	return fi.Size() + wal.Size(), nil
}

package main

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"billsync"

	"github.com/jmoiron/sqlx"
	"github.com/mattn/go-sqlite3"
)

// The plain loop is the floor of what storing bills can cost: one prepared
// INSERT at the driver's level, 5000 rows in a transaction, the table, indexes
// and settings of syncer's database, but nothing else: no look-up of what is
// there, no foreign keys, no checkpoints. It is Go's driver that is looped over,
// whose calls into C cost about a third; a loop in C would be so much faster.

// plainLoopCommand makes this program the plain loop, in a process of its own
// so that its memory can be told.
const plainLoopCommand = "plain-loop"

// plainRows is how many rows a transaction has.
const plainRows = 5000

// A plainSample is one measured plain loop. Its memory includes what reading
// the rows took, its times do not.
type plainSample struct {
	usage
	Rows  int
	Bytes int64
}

// runPlainLoop copies the bills of one database into another, which is made
// anew, in a process of its own.
func runPlainLoop(ctx context.Context, from, to string) (plainSample, error) {
	self, err := os.Executable()
	if err != nil {
		return plainSample{}, fmt.Errorf("the plain loop: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, plainLoopCommand, from, to)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return plainSample{}, fmt.Errorf("the plain loop: %w\n%s", err, errs.String())
	}
	var p plainSample
	if err := json.Unmarshal(out.Bytes(), &p); err != nil {
		return plainSample{}, fmt.Errorf("the plain loop: %w", err)
	}
	p.Peak = peakOf(cmd.ProcessState)
	if p.Rows == 0 {
		return plainSample{}, fmt.Errorf("the plain loop found no bills in %s", from)
	}
	return p, nil
}

// plainLoopMain is the process.
func plainLoopMain(from, to string, stdout io.Writer) error {
	p, err := plainLoop(from, to)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(p)
}

func plainLoop(from, to string) (p plainSample, err error) {
	ctx := context.Background() // the driver starts a goroutine for what can be cancelled
	src, err := openReader(from)
	if err != nil {
		return p, err
	}
	defer src.Close()
	var columns []string
	if err := src.SelectContext(ctx, &columns, "SELECT name FROM pragma_table_info('bills') WHERE pk = 0 ORDER BY cid"); err != nil {
		return p, fmt.Errorf("reading the columns: %w", err)
	}
	var clock stopwatch
	clock.start()
	dst, err := sqlx.Open("sqlite3", "file:"+escaped(to)+"?_synchronous=NORMAL&_cache_size=-65536")
	if err != nil {
		return p, fmt.Errorf("opening %s: %w", to, err)
	}
	defer func() {
		if e := dst.Close(); err == nil {
			err = e
		}
	}()
	conn, err := dst.Connx(ctx)
	if err != nil {
		return p, fmt.Errorf("opening %s: %w", to, err)
	}
	defer conn.Close()
	for _, q := range []string{"PRAGMA page_size = 16384", "PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 4000",
		"PRAGMA temp_store = MEMORY", billsync.Schema} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return p, fmt.Errorf("making %s: %w", to, err)
		}
	}
	clock.stop()

	insert := "INSERT INTO bills (" + strings.Join(columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")"
	var rows [][]any
	for last := int64(0); ; {
		clear(rows) // let them go before the next ones come
		if rows, last, err = readRows(ctx, src, rows[:0], columns, last); err != nil {
			return p, fmt.Errorf("reading bills: %w", err)
		}
		if len(rows) == 0 {
			break
		}
		runtime.GC() // now, and not while the clock runs
		percent := debug.SetGCPercent(-1)
		clock.start()
		if err := insertRows(ctx, conn, insert, rows); err != nil {
			return p, fmt.Errorf("inserting bills: %w", err)
		}
		clock.stop()
		debug.SetGCPercent(percent)
		p.Rows += len(rows)
	}
	clock.start()
	if _, err := conn.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return p, fmt.Errorf("writing the log back: %w", err)
	}
	clock.stop()
	p.Wall, p.CPU = clock.wall, clock.cpu
	p.Bytes, err = fileSize(to)
	return p, err
}

// readRows reads the next rows in the order in which they were stored.
func readRows(ctx context.Context, src *sqlx.DB, rows [][]any, columns []string, last int64) ([][]any, int64, error) {
	found, err := src.QueryxContext(ctx, "SELECT bill_id, "+strings.Join(columns, ", ")+" FROM bills WHERE bill_id > ? ORDER BY bill_id LIMIT ?",
		last, plainRows)
	if err != nil {
		return nil, 0, err
	}
	defer found.Close()
	for found.Next() {
		row, err := found.SliceScan()
		if err != nil {
			return nil, 0, err
		}
		last = row[0].(int64)
		rows = append(rows, row[1:])
	}
	return rows, last, found.Err()
}

// insertRows is the loop, one transaction.
func insertRows(ctx context.Context, conn *sqlx.Conn, insert string, rows [][]any) error {
	return conn.Raw(func(c any) error {
		db := c.(*sqlite3.SQLiteConn)
		if _, err := db.ExecContext(ctx, "BEGIN IMMEDIATE", nil); err != nil {
			return err
		}
		prepared, err := db.PrepareContext(ctx, insert)
		if err != nil {
			return err
		}
		defer prepared.Close()
		st := prepared.(driver.StmtExecContext)
		args := make([]driver.NamedValue, len(rows[0]))
		for _, row := range rows {
			for i, v := range row {
				args[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
			}
			if _, err := st.ExecContext(ctx, args); err != nil {
				return err
			}
		}
		_, err = db.ExecContext(ctx, "COMMIT", nil)
		return err
	})
}

// A stopwatch adds up elapsed and processor time between start and stop.
type stopwatch struct {
	wall, cpu  time.Duration
	began      time.Time
	cpuAtStart time.Duration
}

func (s *stopwatch) start() { s.began, s.cpuAtStart = time.Now(), processorTime() }

func (s *stopwatch) stop() {
	s.wall += time.Since(s.began)
	s.cpu += processorTime() - s.cpuAtStart
}

// escaped is a path as the driver's URL wants it.
func escaped(path string) string { return (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() }

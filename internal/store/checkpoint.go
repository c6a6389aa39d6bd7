package store

import (
	"context"
	"sync"

	"github.com/jmoiron/sqlx"
)

const (
	// checkpointRows is after how many stored bills the log is written back, some
	// 20 MB of it.
	checkpointRows = 16_000
	// logPages is how long the log may become, in pages of the database (128 MB),
	// before whoever commits writes the rest of it back himself. Then it begins
	// anew.
	logPages = 8000
)

// A checkpointer writes the log back into the database from a connection of its
// own, so that whoever stores bills need not wait for it.
type checkpointer struct {
	path string
	rows int // stored since the log was last written back

	wanted chan struct{} // nil: not begun
	done   sync.WaitGroup
}

// stored notes that so many rows were committed.
func (c *checkpointer) stored(rows int) {
	if c.rows += rows; c.rows < checkpointRows {
		return
	}
	c.rows = 0
	if c.wanted == nil {
		c.wanted = make(chan struct{}, 1)
		c.done.Go(c.work)
	}
	select {
	case c.wanted <- struct{}{}:
	default: // it is at it
	}
}

// work writes the log back whenever that is wanted. That it fails is no news:
// what is in the log is safe there, and whoever commits will find out.
func (c *checkpointer) work() {
	db, err := sqlx.Open("sqlite3", dsn(c.path, "mode=rw&_busy_timeout=0&_synchronous=NORMAL"))
	if err == nil {
		defer db.Close()
		db.SetMaxOpenConns(1)
	}
	for range c.wanted {
		if err == nil {
			_, _ = db.ExecContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)")
		}
	}
}

// close ends the work.
func (c *checkpointer) close() {
	if c.wanted != nil {
		close(c.wanted)
		c.done.Wait()
		c.wanted = nil
	}
}

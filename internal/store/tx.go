package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/mattn/go-sqlite3"
)

// A Tx is one transaction. Its methods are what the sync needs; each is one
// statement or a few.
type Tx struct {
	s       *Store
	ctx     context.Context // of the writing transaction it cannot be cancelled: see Update
	conn    *sqlx.Conn
	stmts   map[string]*sqlx.Stmt // prepared on conn
	directs map[string]*direct    // the same, at the driver's level

	now, readAt stamped
	written     int // bills inserted or changed

	reasons []string // fail reasons this transaction made sure of
	cards   []use    // and cards
	posts   *poster  // nil until a bill is stored
}

// Update runs fn in one immediate transaction and commits it if fn succeeds.
//
// Cancelling ctx is looked at before the transaction begins and not again: the
// page in hand is finished, and the driver would start a goroutine for each
// statement that could be cancelled.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.update(context.WithoutCancel(ctx), fn)
}

// UpdateDurably is Update for what must not be forgotten once it returns, not
// even if the power fails: it waits for the disk. Bills need no such care, they
// are read again.
func (s *Store) UpdateDurably(ctx context.Context, fn func(*Tx) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx = context.WithoutCancel(ctx)
	if _, err := s.conn.ExecContext(ctx, "PRAGMA synchronous = FULL"); err != nil {
		return explain(s.path, "waiting for the disk", err)
	}
	defer func() {
		if _, e := s.conn.ExecContext(ctx, "PRAGMA synchronous = NORMAL"); e != nil && err == nil {
			err = explain(s.path, "waiting for the disk", e)
		}
	}()
	return s.update(ctx, fn)
}

// update is Update once it holds the connection.
func (s *Store) update(ctx context.Context, fn func(*Tx) error) (err error) {
	t := &Tx{s: s, ctx: ctx, conn: s.conn, stmts: s.stmts, directs: s.directs}
	if _, err := t.do("BEGIN IMMEDIATE", nil); err != nil {
		return explain(s.path, "beginning a transaction", err)
	}
	done := false
	defer func() { // also when fn panics
		if !done {
			if _, e := t.do("ROLLBACK", nil); e != nil && err == nil {
				err = explain(s.path, "rolling back", e)
			}
		}
	}()
	if err := fn(t); err != nil {
		var e sqlite3.Error
		if errors.As(err, &e) || misread(err) {
			return explain(s.path, "writing", err)
		}
		return err
	}
	if err := t.settleBooks(); err != nil {
		return explain(s.path, "posting", err)
	}
	if _, err := t.do("COMMIT", nil); err != nil {
		return explain(s.path, "committing", err)
	}
	done = true
	s.back.stored(t.written)
	for _, code := range t.reasons {
		s.reasons[code] = true
	}
	for _, u := range t.cards {
		s.cards[u] = true
	}
	return nil
}

// View runs fn in a transaction that only looks, beside whoever writes.
func (s *Store) View(ctx context.Context, fn func(*Tx) error) error {
	conn, err := s.ro.Connx(ctx)
	if err != nil {
		return explain(s.path, "opening", err)
	}
	t := &Tx{s: s, ctx: ctx, conn: conn, stmts: map[string]*sqlx.Stmt{}, directs: map[string]*direct{}}
	defer func() {
		for _, st := range t.stmts {
			_ = st.Close() // of a connection that is given back
		}
		for _, d := range t.directs {
			_ = d.st.Close()
		}
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		_ = conn.Close()
	}()
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return explain(s.path, "reading", err)
	}
	if err := fn(t); err != nil {
		var e sqlite3.Error
		if errors.As(err, &e) || misread(err) {
			return explain(s.path, "reading", err)
		}
		return err
	}
	return nil
}

// prepared returns the statement for a query, prepared once for the life of
// the connection.
func (t *Tx) prepared(query string) (*sqlx.Stmt, error) {
	if st, ok := t.stmts[query]; ok {
		return st, nil
	}
	st, err := t.conn.PreparexContext(t.ctx, query)
	if err != nil {
		return nil, err
	}
	t.stmts[query] = st
	return st, nil
}

// exec runs a prepared statement.
func (t *Tx) exec(doing, query string, args ...any) error {
	_, err := t.affected(doing, query, args...)
	return err
}

// affected runs a prepared statement and returns how many rows it touched.
func (t *Tx) affected(doing, query string, args ...any) (int64, error) {
	res, err := t.do(query, args)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	return res.RowsAffected()
}

// insert runs a prepared INSERT and returns the new row's key.
func (t *Tx) insert(doing, query string, args ...any) (int64, error) {
	res, err := t.do(query, args)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	return res.LastInsertId()
}

// rows selects into a slice through a prepared statement.
func (t *Tx) rows(doing string, dst any, query string, args ...any) error {
	st, err := t.prepared(query)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := st.SelectContext(t.ctx, dst, args...); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

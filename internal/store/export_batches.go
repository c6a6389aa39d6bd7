package store

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"
)

// The states of a batch.
const (
	ExportChoosing = "choosing" // its lines are being noted
	ExportWriting  = "writing"  // its lines are fixed, its files may be in place or not
	ExportDone     = "done"
)

// An ExportBatch is an export that is remembered.
type ExportBatch struct {
	ID             int64
	Target, Format string
	State          string
	CreatedAt      time.Time
	DoneAt         time.Time
	Filter         ExportFilter
	Options        string // JSON, of whoever writes the files
	AsOf           ExportMoment
	Lines          int
	Files          []ExportFile
}

// An ExportMoment is what the database was when the lines of a batch were fixed: what
// else than these lines decides the bytes of its files.
type ExportMoment struct {
	States   int64           `json:"states"`   // the last state of a bill that was history
	Closed   []string        `json:"closed"`   // months
	Balances []ExportBalance `json:"balances"` // see Tx.ExportBalances
}

// An ExportFile is a file of a batch.
type ExportFile struct {
	Name   string
	Lines  int
	Bytes  int64
	SHA256 string
}

// chooseAtOnce is how many bills one transaction goes through: others write in
// between.
const chooseAtOnce = 20_000

// OpenExport returns the batch of a target that is not done; nil if there is none.
func (t *Tx) OpenExport(target string) (*ExportBatch, error) {
	list, err := t.exports("state <> 'done' AND target = ?", target)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// Export returns a batch; nil if there is none.
func (t *Tx) Export(id int64) (*ExportBatch, error) {
	list, err := t.exports("batch_id = ?", id)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// Exports returns all batches, the latest first.
func (t *Tx) Exports() ([]ExportBatch, error) { return t.exports("true") }

func (t *Tx) exports(where string, args ...any) ([]ExportBatch, error) {
	var out []ExportBatch
	err := t.each("reading exports", `SELECT batch_id, target, format, state, created_at, done_at, filter, options, as_of, lines
		FROM export_batches WHERE `+where+" ORDER BY batch_id DESC", args, func(row []driver.Value) error {
		c := columns{row: row}
		b := ExportBatch{ID: c.int(0), Target: c.text(1), Format: c.text(2), State: c.text(3), CreatedAt: c.time(4), DoneAt: c.time(5), Options: c.text(7), Lines: int(c.int(9))}
		for text, into := range map[string]any{c.text(6): &b.Filter, c.text(8): &b.AsOf} {
			if text == "" {
				continue
			}
			if err := json.Unmarshal([]byte(text), into); err != nil {
				return fmt.Errorf("%w: export %d: %w", errMisread, b.ID, err)
			}
		}
		out = append(out, b)
		return c.err
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		err := t.each("reading the files of an export", "SELECT name, lines, bytes, sha256 FROM export_files WHERE batch_id = ? ORDER BY name", []any{out[i].ID}, func(row []driver.Value) error {
			c := columns{row: row}
			out[i].Files = append(out[i].Files, ExportFile{c.text(0), int(c.int(1)), c.int(2), c.text(3)})
			return c.err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ChooseExport notes a new batch with all postings that fit its filter and are not
// in an earlier one of its target, or goes on with one that was interrupted while
// that was done. It fills in ID, Lines and AsOf. Without such postings there is no
// batch: Lines is 0.
func (s *Store) ChooseExport(ctx context.Context, b *ExportBatch) error {
	err := s.Update(ctx, func(t *Tx) (err error) {
		if b.ID != 0 {
			return nil
		}
		// Somebody may have begun one since the caller looked.
		if open, err := t.OpenExport(b.Target); err != nil || open != nil {
			if open != nil {
				err = &UsageError{fmt.Sprintf("another syncer is exporting to %s just now: batch %d", b.Target, open.ID), "wait until it is done"}
			}
			return err
		}
		filter, err := json.Marshal(b.Filter)
		if err != nil {
			return fmt.Errorf("noting an export: %w", err)
		}
		b.ID, err = t.insert("noting an export", `INSERT INTO export_batches (target, format, state, created_at, filter, options)
			VALUES (?, ?, 'choosing', ?, ?, ?)`, b.Target, b.Format, text(b.CreatedAt), string(filter), b.Options)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.chooseLines(ctx, b); err != nil {
		return err
	}
	if err := s.View(ctx, func(t *Tx) (err error) {
		b.AsOf.Balances, err = t.ExportBalances(b.Filter)
		return err
	}); err != nil {
		return err
	}
	return s.UpdateDurably(ctx, func(t *Tx) error { return t.fixExport(b) })
}

// chooseLines notes the lines of a batch, some bills at a time.
func (s *Store) chooseLines(ctx context.Context, b *ExportBatch) error {
	var last int64
	err := s.View(ctx, func(t *Tx) error {
		return t.each("looking for the last posting", "SELECT max(bill_id) FROM postings", nil, func(row []driver.Value) error {
			c := columns{row: row}
			last = c.int(0)
			return c.err
		})
	})
	if err != nil {
		return err
	}
	accounts, err := textList(b.Filter.Accounts)
	if err != nil {
		return err
	}
	first, end := b.Filter.days()
	sql := "INSERT INTO export_lines (target, bill_id, line, batch_id) SELECT ?5, x.bill_id, x.line, ?6 FROM (" + fmt.Sprintf(exportNow, "+") + " AND p.bill_id BETWEEN ?7 AND ?8)" + exportRest
	for from := int64(1); from <= last; from += chooseAtOnce {
		err := s.Update(ctx, func(t *Tx) error {
			return t.exec("noting what is exported", sql, first, end, accounts, orNull(b.Filter.Card), b.Target, b.ID, from, from+chooseAtOnce-1)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fixExport fixes the lines of a batch and the moment whose bills they show.
func (t *Tx) fixExport(b *ExportBatch) error {
	err := t.each("counting what is exported", "SELECT count(*), (SELECT coalesce(max(state_id), 0) FROM bill_states) FROM export_lines WHERE target = ? AND batch_id = ?",
		[]any{b.Target, b.ID}, func(row []driver.Value) error {
			c := columns{row: row}
			b.Lines, b.AsOf.States = int(c.int(0)), c.int(1)
			return c.err
		})
	if err != nil {
		return err
	}
	if b.Lines == 0 {
		return t.exec("forgetting an export of nothing", "DELETE FROM export_batches WHERE batch_id = ?", b.ID)
	}
	b.AsOf.Closed = []string{}
	err = t.each("reading closed months", "SELECT month FROM closes ORDER BY month", nil, func(row []driver.Value) error {
		c := columns{row: row}
		b.AsOf.Closed = append(b.AsOf.Closed, c.text(0))
		return c.err
	})
	if err != nil {
		return err
	}
	moment, err := json.Marshal(b.AsOf)
	if err != nil {
		return fmt.Errorf("noting an export: %w", err)
	}
	b.State = ExportWriting
	return t.exec("noting an export", "UPDATE export_batches SET state = 'writing', lines = ?, as_of = ? WHERE batch_id = ? AND state = 'choosing'", b.Lines, string(moment), b.ID)
}

// FinishExport notes that the files of a batch are in place.
func (s *Store) FinishExport(ctx context.Context, b *ExportBatch, now time.Time) error {
	return s.UpdateDurably(ctx, func(t *Tx) error {
		if err := t.exec("noting the files of an export", "DELETE FROM export_files WHERE batch_id = ?", b.ID); err != nil {
			return err
		}
		for _, f := range b.Files {
			if err := t.exec("noting the files of an export", "INSERT INTO export_files (batch_id, name, lines, bytes, sha256) VALUES (?, ?, ?, ?, ?)",
				b.ID, f.Name, f.Lines, f.Bytes, f.SHA256); err != nil {
				return err
			}
		}
		b.State, b.DoneAt = ExportDone, now
		return t.exec("noting that an export is done", "UPDATE export_batches SET state = 'done', done_at = ? WHERE batch_id = ?", text(now), b.ID)
	})
}

package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"billsync/internal/bill"
)

// Chases returns what the chase knows of an account's windows, by window (0:
// the older part of the tail).
func (t *Tx) Chases(account string) (map[int64]bill.Chase, error) {
	var rows []struct {
		WindowID  int64  `db:"window_id"`
		Counts    string `db:"counts"`
		CountedAt stamp  `db:"counted_at"`
		progressRow
	}
	err := t.rows("reading the chase", &rows, `
		SELECT window_id, counts, counted_at, `+progressColumns+` FROM chases WHERE account = ?`, account)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]bill.Chase, len(rows))
	for i := range rows {
		r := &rows[i]
		c := bill.Chase{Account: account, WindowID: r.WindowID, CountedAt: r.CountedAt.Time, Progress: r.progress()}
		if err := json.Unmarshal([]byte(r.Counts), &c.Counts); err != nil {
			return nil, fmt.Errorf("reading the chase of window %d: %w", r.WindowID, err)
		}
		out[r.WindowID] = c
	}
	return out, nil
}

// SaveChase adds or stores what the chase knows of a window.
func (t *Tx) SaveChase(c *bill.Chase) error {
	counts := []byte("{}")
	if c.Counts != nil {
		var err error
		if counts, err = json.Marshal(c.Counts); err != nil {
			return fmt.Errorf("saving the chase: %w", err)
		}
	}
	args := append([]any{c.Account, c.WindowID, string(counts), timeOrNull(c.CountedAt)}, progressValues(&c.Progress)...)
	return t.exec("saving the chase", `
		INSERT INTO chases (account, window_id, counts, counted_at, `+savedColumns+`)
		VALUES (?, ?, ?, ?, `+savedMarks+`)
		ON CONFLICT (account, window_id) DO UPDATE SET counts = excluded.counts, counted_at = excluded.counted_at,
			`+savedExcluded, args...)
}

// SettleChase ends what stands in the way of a window's chase: the window was
// read in full.
func (t *Tx) SettleChase(account string, window int64) error {
	return t.exec("settling a chase", `
		UPDATE chases SET state = 'done', last_error = NULL, next_attempt_at = NULL, attempts = 0, setbacks = 0, accepted_at = NULL
		WHERE account = ? AND window_id = ? AND state IN ('waiting', 'failed')`, account, window)
}

// CountByStatus counts the live bills of an account with a transaction time
// from one instant to another, both included, by status; "" is all of them.
func (t *Tx) CountByStatus(account string, from, to time.Time) (map[string]int, error) {
	var rows []struct {
		Status string `db:"status"`
		N      int    `db:"n"`
	}
	err := t.rows("counting bills by status", &rows, `
		SELECT coalesce(bill_status, '') AS status, count(*) AS n FROM bills
		WHERE account = ? AND transaction_time BETWEEN ? AND ? AND withdrawn_at IS NULL GROUP BY 1`, account, text(from), text(to))
	if err != nil {
		return nil, err
	}
	out, all := make(map[string]int, len(rows)+1), 0
	for _, r := range rows {
		out[r.Status] = r.N
		all += r.N
	}
	out[""] = all
	return out, nil
}

// LiveInStatuses returns the live bills in a span, both ends included, that
// have one of the given statuses and for which seen is false.
func (t *Tx) LiveInStatuses(account string, from, to time.Time, statuses []string, seen func(int64) bool) ([]bill.Known, error) {
	list, err := json.Marshal(statuses)
	if err != nil {
		return nil, fmt.Errorf("looking for bills by status: %w", err)
	}
	var ids []int64
	err = t.rows("looking for bills by status", &ids, `
		SELECT bill_id FROM bills
		WHERE account = ? AND transaction_time BETWEEN ? AND ? AND withdrawn_at IS NULL
		  AND bill_status IN (SELECT value FROM json_each(?))`, account, text(from), text(to), string(list))
	if err != nil {
		return nil, err
	}
	return t.knownByIDs(unseen(ids, seen))
}

func unseen(ids []int64, seen func(int64) bool) []int64 {
	out := ids[:0]
	for _, id := range ids {
		if !seen(id) {
			out = append(out, id)
		}
	}
	return out
}

// knownByIDs returns stored bills by their keys, in the order of their keys.
func (t *Tx) knownByIDs(ids []int64) ([]bill.Known, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("reading bills: %w", err)
	}
	var out []bill.Known
	err = t.each("reading bills", `
		SELECT `+knownColumns+` FROM bills b WHERE b.bill_id IN (SELECT value FROM json_each(?)) ORDER BY b.bill_id`,
		[]any{string(list)}, func(row []driver.Value) error {
			k, err := knownOf(row)
			out = append(out, k)
			return err
		})
	return out, err
}

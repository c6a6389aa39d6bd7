package store

import (
	"database/sql/driver"
	"time"

	"billsync/internal/bill"
)

// Unlisted returns the live bills of an account that a pass should have listed
// and did not: with a transaction time from one instant to another, both
// included, and seen false; without those that were read in another way since
// the pass began. It also returns how many live bills there are in all.
func (t *Tx) Unlisted(account string, from, to time.Time, p *bill.Pass, seen func(int64) bool) (gone []bill.Known, live int, err error) {
	const doing = "looking for bills that are not listed"
	var ids []int64
	err = t.each(doing, `
		SELECT bill_id FROM bills INDEXED BY bills_time
		WHERE account = ? AND transaction_time BETWEEN ? AND ? AND withdrawn_at IS NULL`,
		[]any{account, text(from), text(to)}, func(row []driver.Value) error {
			live++
			c := columns{row: row}
			if id := c.int(0); !seen(id) {
				ids = append(ids, id)
			}
			return c.err
		})
	if err != nil {
		return nil, 0, err
	}
	known, err := t.knownByIDs(ids)
	for _, k := range known {
		if k.RunID < p.RunID || k.ReadAt.Before(p.BegunAt) {
			gone = append(gone, k)
		}
	}
	return gone, live, err
}

// LiveOutside returns when a live bill was made that is outside of a span: the
// last one before it or, if there is none, the first one after it; zero if there
// is neither.
func (t *Tx) LiveOutside(account string, from, to time.Time) (time.Time, error) {
	var rows []stamp
	err := t.rows("looking for another bill", &rows, `
		SELECT coalesce(
			(SELECT max(transaction_time) FROM bills WHERE account = ?1 AND transaction_time < ?2 AND withdrawn_at IS NULL),
			(SELECT min(transaction_time) FROM bills WHERE account = ?1 AND transaction_time > ?3 AND withdrawn_at IS NULL))`,
		account, text(from), text(to))
	if err != nil {
		return time.Time{}, err
	}
	return rows[0].Time, nil
}

// Withdraw marks a bill as one that the API no longer lists and keeps the state
// before. What was unreadable of it is settled by that. It reports false, and
// does nothing, if the bill was stored anew since it was looked at: a window and
// the tail that are read at the same time miss the same bill, or one of them
// finds it elsewhere.
func (t *Tx) Withdraw(k *bill.Known, now time.Time, run int64) (bool, error) {
	const asItWas = " AND withdrawn_at IS NULL AND read_at = ? AND content_hash = ?"
	if err := t.exec("keeping a bill's earlier state", keepState+asItWas, text(now), text(now), k.ID, text(k.ReadAt), k.Hash); err != nil {
		return false, err
	}
	n, err := t.affected("marking a bill as withdrawn", `
		UPDATE bills SET withdrawn_at = ?, changed_at = ?, read_at = ?, run_id = ? WHERE bill_id = ?`+asItWas,
		text(now), text(now), text(now), run, k.ID, text(k.ReadAt), k.Hash)
	if n == 0 || err != nil {
		return false, err
	}
	if err := t.straighten(k.ID, now); err != nil {
		return false, err
	}
	return true, t.ResolveBill(k.ID, now)
}

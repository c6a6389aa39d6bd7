package store

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"
	"time"

	"billsync/internal/bill"
)

// notifiedFor is how long a bill that only a notification told of is left alone
// although the list does not have it.
const notifiedFor = 24 * time.Hour

// Unlisted returns the live bills of an account that a pass should have listed
// and did not: with a transaction time from one instant to another, both
// included, and seen false; without those that were read in another way since
// the pass began, and those that only a notification told of within a day
// before: the list may lag behind. It also returns how many live bills there are in all.
func (t *Tx) Unlisted(account string, from, to time.Time, p *bill.Pass, seen func(int64) bool) (gone []bill.Known, live int, err error) {
	const doing = "looking for bills that are not listed"
	var ids []int64
	// One text of many keys is read much faster than a row each; the slices of
	// time keep it short.
	slices := p.Total/2000 + 1
	step := to.Sub(from)/time.Duration(slices) + time.Millisecond
	for ; !from.After(to); from = from.Add(step) {
		end := from.Add(step)
		if end.After(to) {
			end = to.Add(time.Millisecond)
		}
		list := ""
		err := t.each(doing, `
			SELECT group_concat(bill_id) FROM bills INDEXED BY bills_time
			WHERE account = ? AND transaction_time >= ? AND transaction_time < ? AND withdrawn_at IS NULL`,
			[]any{account, text(from), text(end)}, func(row []driver.Value) error {
				c := columns{row: row}
				list = c.text(0)
				return c.err
			})
		if err != nil {
			return nil, 0, err
		}
		err = eachID(list, func(id int64) {
			live++
			if !seen(id) {
				ids = append(ids, id)
			}
		})
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", doing, err)
		}
	}
	known, err := t.knownByIDs(ids)
	for _, k := range known {
		if !k.NotifiedAt.IsZero() && p.BegunAt.Sub(k.NotifiedAt) < notifiedFor {
			continue
		}
		if k.RunID < p.RunID || k.ReadAt.Before(p.BegunAt) {
			gone = append(gone, k)
		}
	}
	return gone, live, err
}

// listOf writes keys as a JSON array.
func listOf(ids []int64) string {
	list := append(make([]byte, 0, 2+8*len(ids)), '[')
	for i, id := range ids {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, id, 10)
	}
	return string(append(list, ']'))
}

// eachID calls fn with the keys in a text that lists them. They are many, so
// what every key looks like is read without package strconv.
func eachID(list string, fn func(int64)) error {
	list = strings.TrimSuffix(strings.TrimPrefix(list, "["), "]")
	for list != "" {
		id, n := int64(0), 0
		for n < len(list) && n < 18 && '0' <= list[n] && list[n] <= '9' {
			id = id*10 + int64(list[n]-'0')
			n++
		}
		if n == 0 || n < len(list) && list[n] != ',' {
			first, _, _ := strings.Cut(list, ",")
			var err error
			if id, err = strconv.ParseInt(first, 10, 64); err != nil {
				return fmt.Errorf("%w: %w", errMisread, err)
			}
			n = len(first)
		}
		fn(id)
		list = list[min(n+1, len(list)):]
	}
	return nil
}

// LiveOutside returns when a bill was made that is listed and outside of a span:
// the last one before it or, if there is none, the first one after it; zero if
// there is neither. A bill that only a notification told of is none.
func (t *Tx) LiveOutside(account string, from, to time.Time) (time.Time, error) {
	var rows []stamp
	err := t.rows("looking for another bill", &rows, `
		SELECT coalesce(
			(SELECT max(transaction_time) FROM bills WHERE account = ?1 AND transaction_time < ?2 AND withdrawn_at IS NULL AND notified_at IS NULL),
			(SELECT min(transaction_time) FROM bills WHERE account = ?1 AND transaction_time > ?3 AND withdrawn_at IS NULL AND notified_at IS NULL))`,
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
	if err := t.noteChanged(k.ID); err != nil {
		return false, err
	}
	return true, t.ResolveBill(k.ID, now)
}

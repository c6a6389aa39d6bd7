package store

import (
	"cmp"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"

	"billsync/internal/bill"
)

// BookAmounts calls fn with the amounts of the postings of days from one to another,
// both included, in the order of day, bill and line. Within fn nothing else may be
// asked of the Tx.
func (t *Tx) BookAmounts(accounts []string, from, to string, fn func(PostingKey, bill.Amount) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	query, args := "SELECT p.bill_id, p.line, p.amount, p.currency FROM postings p INDEXED BY postings_date WHERE p.posting_date BETWEEN ?1 AND ?2", []any{from, to}
	if len(accounts) > 0 {
		query += " AND (SELECT b.account FROM bills b WHERE b.bill_id = p.bill_id) IN (SELECT value FROM json_each(?3))"
		args = append(args, list)
	}
	return t.each("reading amounts", query+" ORDER BY p.posting_date, p.bill_id, p.line", args, func(row []driver.Value) error {
		c := columns{row: row}
		k, a := PostingKey{c.int(0), c.int(1)}, bill.Amount{Value: c.int(2), Currency: c.text(3)}
		if c.err != nil {
			return c.err
		}
		return fn(k, a)
	})
}

// PostingsOf is Postings for those that are named, in the order of accounts, days and
// line_id: the same in every database.
func (t *Tx) PostingsOf(keys []PostingKey, fn func(*Posting) error) error {
	keys, err := t.inOrder(keys)
	if err != nil {
		return err
	}
	query := postingsOf("w.key,", fromKeys, "", "l.key")
	return eachKeys(keys, func(list string) error { return t.postings(query, []any{list}, fn) })
}

// fromKeys are the postings of a list of keys, and their bills.
const fromKeys = `FROM json_each(?1) w CROSS JOIN postings p ON p.bill_id = w.value ->> 'Bill' AND p.line = w.value ->> 'Line'
			CROSS JOIN bills b ON b.bill_id = p.bill_id`

// eachKeys calls fn with lists of keys, some at a time.
func eachKeys(keys []PostingKey, fn func(list string) error) error {
	const atOnce = 1000
	for some := range slices.Chunk(keys, atOnce) {
		list, err := json.Marshal(some)
		if err != nil {
			return fmt.Errorf("listing %d postings: %w", len(some), err)
		}
		if err := fn(string(list)); err != nil {
			return err
		}
	}
	return nil
}

// inOrder puts postings in the order of their accounts, days and line_ids.
func (t *Tx) inOrder(keys []PostingKey) ([]PostingKey, error) {
	type place struct{ account, date, id string }
	places := make(map[PostingKey]place, len(keys))
	err := eachKeys(keys, func(list string) error {
		return t.each("putting postings in order", "SELECT p.bill_id, p.line, b.account, p.posting_date, p.line_id "+fromKeys, []any{list}, func(row []driver.Value) error {
			c := columns{row: row}
			places[PostingKey{c.int(0), c.int(1)}] = place{c.text(2), c.text(3), c.text(4)}
			return c.err
		})
	})
	return slices.SortedFunc(slices.Values(keys), func(k, l PostingKey) int {
		a, b := places[k], places[l]
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.date, b.date), cmp.Compare(a.id, b.id))
	}), err
}

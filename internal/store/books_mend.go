package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"billsync/internal/books"
)

// MendBooks brings the books back to what the bills say, after rows were taken away
// or changed by somebody else. First, if decode is set, bills are brought back to
// what was received; one of which that is not certain any more is not posted. Then
// postings whose bill is stored anew under another key
// are its own again, what is missing is posted, and all sums of open months are
// made again by the next Sum. Nothing that is posted is changed or taken away, but
// what stands there twice, and nothing at all in a closed month. It returns how many
// bills it looked after.
func (s *Store) MendBooks(ctx context.Context, decode Decoder) (mended int, err error) {
	err = s.Update(ctx, func(t *Tx) error {
		p, err := t.poster()
		if err != nil {
			return err
		}
		bills, doubted, err := p.restore(decode)
		if err != nil {
			return err
		}
		orphans, err := p.orphans()
		if err != nil {
			return err
		}
		if len(orphans) > 0 {
			if err := p.adopt(orphans, doubted); err != nil {
				return err
			}
		}
		differ, err := p.differing()
		if err != nil {
			return err
		}
		for _, id := range differ {
			if doubted[id] {
				continue
			}
			if err := p.span(id, id); err != nil {
				return err
			}
			bills[id] = true
		}
		mended = len(bills)
		return t.exec("noting sums to be made", `
			INSERT OR IGNORE INTO dirty_months (month, sums)
			SELECT DISTINCT month, 'books' FROM (SELECT substr(posting_date, 1, 7) AS month FROM postings UNION SELECT month FROM book_sums)
			WHERE `+aMonth+` AND month NOT IN (SELECT month FROM closes)
			UNION SELECT DISTINCT month, 'failures' FROM (SELECT substr(transaction_date, 1, 7) AS month FROM bills UNION SELECT month FROM failure_sums)`)
	})
	return mended, err
}

// orphans returns the bills of postings that are not stored any more, by what
// their lines' ids begin with.
func (p *poster) orphans() (map[string]int64, error) {
	orphans := map[string]int64{}
	return orphans, p.t.each("looking for postings without a bill", `
		SELECT bill_id, line_id FROM postings p WHERE line = 1 AND NOT EXISTS (SELECT 1 FROM bills b WHERE b.bill_id = p.bill_id)`, nil,
		func(row []driver.Value) error {
			c := columns{row: row}
			key, _, _ := strings.Cut(c.text(1), "-")
			orphans[key] = c.int(0)
			return c.err
		})
}

// adopt gives orphans to the bills that are what theirs were, but not to those of which
// that is in doubt.
func (p *poster) adopt(orphans map[string]int64, doubted map[int64]bool) error {
	found := map[int64]int64{}
	err := p.t.each("looking for the bills of postings", "SELECT bill_id, account, order_no, transaction_time, ordinal FROM bills", nil, func(row []driver.Value) error {
		c := columns{row: row}
		if old, ok := orphans[books.Key(c.text(1), c.text(2), c.time(3), int(c.int(4)))]; ok && !doubted[c.int(0)] {
			found[old] = c.int(0)
		}
		return c.err
	})
	if err != nil {
		return err
	}
	for old, id := range found {
		settled := false // a line of it stands in a closed month: it stays as it is
		err := p.t.each("looking for closed months", `
			SELECT 1 FROM postings p JOIN closes c ON c.month = substr(p.posting_date, 1, 7) WHERE p.bill_id = ? LIMIT 1`, []any{id}, func([]driver.Value) error {
			settled = true
			return nil
		})
		if err != nil {
			return err
		}
		if settled {
			continue
		}
		for _, table := range []string{"postings", "kept_labels"} {
			if err := p.t.exec("taking away what is there twice", "DELETE FROM "+table+" WHERE bill_id = ?", id); err != nil {
				return err
			}
			if err := p.t.exec("giving postings their bill again", "UPDATE "+table+" SET bill_id = ? WHERE bill_id = ?", id, old); err != nil {
				return err
			}
		}
		if err := p.follow(old, id); err != nil {
			return err
		}
		if err := p.span(id, id); err != nil {
			return fmt.Errorf("posting bill %d: %w", id, err)
		}
	}
	return nil
}

// follow gives a bill what was exported and matched of its postings. What was matched
// with them while they were there twice is undone: a posting is in one match.
func (p *poster) follow(old, id int64) error {
	const live = "state IN ('matched', 'suggested', 'confirmed')"
	err := p.t.exec("undoing matches", `
		UPDATE matches SET state = 'withdrawn' WHERE `+live+` AND match_id IN (
			SELECT i.match_id FROM match_items i JOIN match_items o ON o.bill_id = ? AND o.line = i.line
			WHERE i.bill_id = ? AND o.match_id IN (SELECT match_id FROM matches WHERE `+live+`))`, old, id)
	if err != nil {
		return err
	}
	for _, rows := range []string{"OR IGNORE export_lines SET bill_id = ? WHERE target IN (SELECT target FROM export_batches) AND",
		"match_items SET bill_id = ? WHERE", "candidates SET bill_id = ? WHERE"} {
		if err := p.t.exec("giving a bill what is its own", "UPDATE "+rows+" bill_id = ?", id, old); err != nil {
			return err
		}
	}
	return nil
}

// differing returns the bills whose postings do not add up to their present state.
func (p *poster) differing() (ids []int64, err error) {
	err = p.t.chunks(func(from, to int64) error {
		return p.t.each("comparing bills with their postings", `
			SELECT DISTINCT bill_id FROM (SELECT bill_id, currency, sum(amount) AS amount FROM (`+moved+`) GROUP BY bill_id, currency)
			WHERE amount <> 0 AND bill_id IN (SELECT bill_id FROM bills) ORDER BY bill_id`,
			[]any{from, to}, func(row []driver.Value) error {
				c := columns{row: row}
				ids = append(ids, c.int(0))
				return c.err
			})
	})
	return ids, err
}

package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"billsync/internal/bill"
)

type passRow struct {
	ID        int64  `db:"pass_id"`
	Account   string `db:"account"`
	WindowID  *int64 `db:"window_id"`
	Start     stamp  `db:"span_start"`
	End       stamp  `db:"span_end"`
	Zone      string `db:"zone"`
	PageSize  int    `db:"page_size"`
	RunID     int64  `db:"run_id"`
	BegunAt   stamp  `db:"begun_at"`
	TouchedAt stamp  `db:"touched_at"`
	NextPage  int    `db:"next_page"`
	Total     int    `db:"total_count"`
	Pages     int    `db:"pages"`
	PageItems int    `db:"page_items"`
	Items     int    `db:"items"`
	Rejected  int    `db:"rejected"`
	Rereads   int    `db:"rereads"`
}

func windowOrNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

// ReadingPass returns the pass of a window (0: the tail) that has begun and
// is not finished, nil if there is none.
func (t *Tx) ReadingPass(account string, window int64) (*bill.Pass, error) {
	var rows []passRow
	err := t.rows("reading a pass", &rows, `
		SELECT pass_id, account, window_id, span_start, span_end, zone, page_size, run_id, begun_at, touched_at,
		       next_page, total_count, pages, page_items, items, rejected, rereads
		FROM passes WHERE account = ? AND window_id IS ? AND state = 'reading' ORDER BY pass_id DESC LIMIT 1`,
		account, windowOrNull(window))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	r := &rows[0]
	return &bill.Pass{
		ID: r.ID, Account: r.Account, WindowID: window, Span: bill.Span{Start: r.Start.Time, End: r.End.Time}, Zone: r.Zone,
		PageSize: r.PageSize, RunID: r.RunID, BegunAt: r.BegunAt.Time, TouchedAt: r.TouchedAt.Time, NextPage: r.NextPage,
		Total: r.Total, Pages: r.Pages, PageItems: r.PageItems, Items: r.Items, Rejected: r.Rejected, Rereads: r.Rereads,
	}, nil
}

// BeginPass stores a new pass and sets its ID. An unfinished one of the same
// window is dropped with what it recorded, and its ID is not given out again:
// items that it could not understand are kept with that, and answers to it may
// still be on their way.
func (t *Tx) BeginPass(p *bill.Pass) error {
	id, err := t.insert("beginning a pass", `
		INSERT INTO passes (pass_id, account, window_id, state, span_start, span_end, zone, page_size, run_id, begun_at, touched_at,
		                    next_page, total_count, pages, page_items, items, rejected, rereads)
		VALUES (1 + max(coalesce((SELECT max(pass_id) FROM passes), 0), coalesce((SELECT max(pass_id) FROM rejected_items), 0)),
		        ?, ?, 'reading', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.Account, windowOrNull(p.WindowID), text(p.Start), text(p.End), p.Zone, p.PageSize, p.RunID, text(p.BegunAt), text(p.TouchedAt),
		p.NextPage, p.Total, p.Pages, p.PageItems, p.Items, p.Rejected, p.Rereads)
	if err != nil {
		return err
	}
	p.ID = id
	return t.deletePasses("account = ? AND window_id IS ? AND state = 'reading' AND pass_id <> ?", p.Account, windowOrNull(p.WindowID), id)
}

// DropPass forgets the unfinished pass of a window (0: the tail), if any. The
// bills it stored stay.
func (t *Tx) DropPass(account string, window int64) error {
	return t.deletePasses("account = ? AND window_id IS ? AND state = 'reading'", account, windowOrNull(window))
}

// SavePass stores how far a pass has come.
func (t *Tx) SavePass(p *bill.Pass) error {
	return t.exec("saving a pass", `
		UPDATE passes SET touched_at = ?, next_page = ?, total_count = ?, pages = ?, page_items = ?, items = ?, rejected = ?
		WHERE pass_id = ?`,
		text(p.TouchedAt), p.NextPage, p.Total, p.Pages, p.PageItems, p.Items, p.Rejected, p.ID)
}

// FinishPass marks a pass as a proof and drops the finished one before it.
func (t *Tx) FinishPass(p *bill.Pass) error {
	if err := t.deletePasses("account = ? AND window_id IS ? AND state = 'done'", p.Account, windowOrNull(p.WindowID)); err != nil {
		return err
	}
	if err := t.exec("dropping held items", "DELETE FROM held_items WHERE pass_id = ?", p.ID); err != nil {
		return err
	}
	return t.exec("finishing a pass", "UPDATE passes SET state = 'done' WHERE pass_id = ?", p.ID)
}

func (t *Tx) deletePasses(where string, args ...any) error {
	for _, table := range []string{"held_items", "pages", "passes"} {
		if err := t.exec("dropping a pass",
			"DELETE FROM "+table+" WHERE pass_id IN (SELECT pass_id FROM passes WHERE "+where+")", args...); err != nil {
			return err
		}
	}
	return nil
}

// SavePage stores the record of a page.
func (t *Tx) SavePage(p *bill.PageRecord) error {
	return t.exec("saving a page", `
		INSERT INTO pages (pass_id, page_number, page_hash, items, bill_ids, read_at, bills_hash) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		p.PassID, p.Number, p.Hash, p.Items, listOf(p.BillIDs), text(p.ReadAt), orNull(p.BillsHash))
}

// Pages calls fn for each page that a pass has stored, in order.
func (t *Tx) Pages(pass int64, fn func(bill.PageRecord) error) error {
	st, err := t.prepared("SELECT page_number, page_hash, items, bill_ids, read_at FROM pages WHERE pass_id = ? ORDER BY page_number")
	if err != nil {
		return fmt.Errorf("reading pages: %w", err)
	}
	rows, err := st.QueryContext(t.ctx, pass)
	if err != nil {
		return fmt.Errorf("reading pages: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		p := bill.PageRecord{PassID: pass}
		var ids string
		var readAt stamp
		if err := rows.Scan(&p.Number, &p.Hash, &p.Items, &ids, &readAt); err != nil {
			return fmt.Errorf("reading pages: %w", err)
		}
		if err := json.Unmarshal([]byte(ids), &p.BillIDs); err != nil {
			return fmt.Errorf("reading page %d: %w", p.Number, err)
		}
		p.ReadAt = readAt.Time
		if err := fn(p); err != nil {
			return err
		}
	}
	return rows.Err()
}

// KnownPages returns the hashes of those pages of the last finished pass of a
// window (0: the tail) that need not be decoded if they are listed again.
func (t *Tx) KnownPages(account string, window int64) (map[int]string, error) {
	var known map[int]string
	err := t.each("reading the pages of the last pass", `
		SELECT g.page_number, g.page_hash FROM passes p CROSS JOIN pages g ON g.pass_id = p.pass_id
		WHERE p.account = ? AND p.window_id IS ? AND p.state = 'done' AND g.bills_hash IS NOT NULL`,
		[]any{account, windowOrNull(window)}, func(row []driver.Value) error {
			if known == nil {
				known = map[int]string{}
			}
			c := columns{row: row}
			known[int(c.int(0))] = c.text(1)
			return c.err
		})
	return known, err
}

// RecordedBills returns the keys of the bills on a page of the last finished pass
// of a window (0: the tail), and a hash of them. The keys are nil if one of the
// bills is not there any more, was withdrawn or has changed since.
func (t *Tx) RecordedBills(account string, window int64, page int) (ids []int64, hash string, err error) {
	const doing = "reading a page of the last pass"
	var list string
	err = t.each(doing, `
		SELECT g.bill_ids, g.bills_hash FROM passes p CROSS JOIN pages g ON g.pass_id = p.pass_id
		WHERE p.account = ? AND p.window_id IS ? AND p.state = 'done' AND g.page_number = ? AND g.bills_hash IS NOT NULL
		LIMIT 1`,
		[]any{account, windowOrNull(window), page}, func(row []driver.Value) error {
			c := columns{row: row}
			list, hash = c.text(0), c.text(1)
			return c.err
		})
	if err != nil || list == "" {
		return nil, "", err
	}
	ids = make([]int64, 0, strings.Count(list, ",")+1)
	if err := eachID(list, func(id int64) { ids = append(ids, id) }); err != nil {
		return nil, "", fmt.Errorf("%s: %w", doing, err)
	}
	// Bills that were stored together are neighbours: they are found without a
	// search for each. The plus keeps the order of the keys, which an index on the
	// account would not.
	from, args := "json_each(?) j CROSS JOIN bills b ON b.bill_id = j.value WHERE", []any{list}
	if n := len(ids); n > 0 && ids[n-1]-ids[0] == int64(n-1) && slices.IsSorted(ids) {
		from, args = "bills b WHERE b.bill_id BETWEEN ? AND ? AND", []any{ids[0], ids[n-1]}
	}
	n, same := 0, false
	err = t.each(doing, "SELECT count(*), "+billsSaid+" FROM "+from+" +b.account = ? AND b.withdrawn_at IS NULL",
		append(args, account), func(row []driver.Value) error {
			c := columns{row: row}
			n, same = int(c.int(0)), bill.SaidHash(c.text(1), c.text(2), c.text(3), c.text(4)) == hash
			return c.err
		})
	if err != nil || n != len(ids) || !same {
		return nil, "", err
	}
	return ids, hash, nil
}

// billsSaid makes the lists that bill.SaidHash is made of.
const billsSaid = `group_concat(b.content_hash), group_concat(b.transaction_time), group_concat(b.order_no),
	group_concat(ifnull(b.card_nick_name, ''), '` + bill.LabelSeparator + `')`

// Hold keeps an item whose identity is settled at the end of its pass.
func (t *Tx) Hold(pass int64, h *bill.HeldItem) error {
	return t.exec("holding an item", `
		INSERT INTO held_items (pass_id, page_number, position, one_answer, asked_at, raw) VALUES (?, ?, ?, ?, ?, ?)`,
		pass, h.Page, h.Position, h.OneAnswer, text(h.AskedAt), string(h.Item.Bill.Raw))
}

// Held returns what a pass holds back, in the order of the pages. Only the raw
// text of the items is kept; decode makes items of it again.
func (t *Tx) Held(pass int64, decode func([]byte) bill.Item) ([]bill.HeldItem, error) {
	var rows []struct {
		Page      int    `db:"page_number"`
		Position  int    `db:"position"`
		OneAnswer bool   `db:"one_answer"`
		AskedAt   stamp  `db:"asked_at"`
		Raw       string `db:"raw"`
	}
	err := t.rows("reading held items", &rows, `
		SELECT page_number, position, one_answer, asked_at, raw FROM held_items WHERE pass_id = ? ORDER BY page_number, position`, pass)
	if err != nil {
		return nil, err
	}
	out := make([]bill.HeldItem, len(rows))
	for i, r := range rows {
		out[i] = bill.HeldItem{Page: r.Page, Position: r.Position, OneAnswer: r.OneAnswer, AskedAt: r.AskedAt.Time, Item: decode([]byte(r.Raw))}
	}
	return out, nil
}

// Reject keeps an item that could not be understood. With a bill's ID the bill
// itself is stored and only a part of it is unreadable.
func (t *Tx) Reject(it *bill.Item, billID int64, reason string, p *bill.Pass, page int, now time.Time) error {
	var seen []int
	if err := t.rows("counting rejected items", &seen, `
		SELECT count(*) FROM rejected_items WHERE account = ? AND item_hash = ? AND pass_id = ?`,
		p.Account, it.Bill.Hash, p.ID); err != nil {
		return err
	}
	var id any
	if billID != 0 {
		id = billID
	}
	return t.exec("keeping a rejected item", `
		INSERT INTO rejected_items (account, bill_id, order_no, reason, item_hash, occurrence, raw, window_id, span_start, span_end,
		                            page_number, pass_id, first_seen_at, last_seen_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (account, item_hash, occurrence) DO UPDATE SET
			bill_id = excluded.bill_id, window_id = excluded.window_id, span_start = excluded.span_start,
			span_end = excluded.span_end, page_number = excluded.page_number, pass_id = excluded.pass_id,
			last_seen_at = excluded.last_seen_at, resolved_at = NULL`,
		p.Account, id, orNull(it.Bill.OrderNo), reason, it.Bill.Hash, seen[0], string(it.Bill.Raw), windowOrNull(p.WindowID),
		text(p.Start), text(p.End), page, p.ID, text(now), text(now))
}

// ResolveBill marks what was unreadable of a bill as resolved, now that a state
// of it was stored that is readable.
func (t *Tx) ResolveBill(billID int64, now time.Time) error {
	return t.exec("resolving a rejected item", `
		UPDATE rejected_items SET resolved_at = ? WHERE bill_id = ? AND resolved_at IS NULL`, text(now), billID)
}

// ResolveUnseen marks items as resolved that a proved pass did not see again:
// those within its span, and those that reach beyond it where the other
// finished passes since then cover the rest.
func (t *Tx) ResolveUnseen(p *bill.Pass, now time.Time) error {
	const doing = "resolving rejected items"
	var open []struct {
		ID    int64 `db:"rejected_id"`
		Start stamp `db:"span_start"`
		End   stamp `db:"span_end"`
		Seen  stamp `db:"last_seen_at"`
	}
	err := t.rows(doing, &open, `
		SELECT rejected_id, span_start, span_end, last_seen_at FROM rejected_items
		WHERE account = ? AND bill_id IS NULL AND resolved_at IS NULL AND pass_id <> ? AND span_start <= ? AND span_end >= ?`,
		p.Account, p.ID, text(p.End), text(p.Start))
	if err != nil || len(open) == 0 {
		return err
	}
	var passes []struct {
		Start stamp `db:"span_start"`
		End   stamp `db:"span_end"`
		Begun stamp `db:"begun_at"`
	}
	err = t.rows(doing, &passes, `
		SELECT span_start, span_end, begun_at FROM passes WHERE account = ? AND state = 'done' ORDER BY span_start, span_end`, p.Account)
	if err != nil {
		return err
	}
	for _, it := range open {
		reach := it.Start.Time
		for _, x := range passes {
			if x.Begun.After(it.Seen.Time) && !x.Start.After(reach) && x.End.After(reach) {
				reach = x.End.Time
			}
		}
		if reach.Before(it.End.Time) && (it.Start.Before(p.Start) || it.End.After(p.End)) {
			continue
		}
		if err := t.exec(doing, "UPDATE rejected_items SET resolved_at = ? WHERE rejected_id = ?", text(now), it.ID); err != nil {
			return err
		}
	}
	return nil
}

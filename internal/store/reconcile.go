package store

import (
	"cmp"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"billsync/internal/bill"
)

// A Ledger is one of the company's own, as it was read last.
type Ledger struct {
	ID         int64
	Name, File string
	Hash       string   // of the file
	Mapping    string   // JSON
	Accounts   []string // nil: all
	From, To   string   // days
	Skipped    int
	ImportedAt time.Time
	MatchedAt  time.Time
}

// A LedgerLine is a line of a ledger.
type LedgerLine struct {
	ID                                      int64 // 0: not stored yet
	Key                                     string
	Number                                  int
	Date                                    string
	Amount                                  bill.Amount
	Reference, Payee, LedgerAccount, Detail string
	OpenCode, OpenReason                    string // why it is not matched; empty if it is
	Removed                                 bool
	Near                                    []Near // postings that come near, if it is not matched
}

// A PostingKey identifies a posting.
type PostingKey struct{ Bill, Line int64 }

// Compare orders postings by their bills.
func (k PostingKey) Compare(l PostingKey) int {
	return cmp.Or(cmp.Compare(k.Bill, l.Bill), cmp.Compare(k.Line, l.Line))
}

// A Near is a posting that comes near a line.
type Near struct {
	PostingKey
	Reason string
}

// States of matches.
const (
	MatchMade      = "matched"
	MatchSuggested = "suggested"
	MatchConfirmed = "confirmed"
	MatchRejected  = "rejected"
	MatchWithdrawn = "withdrawn"
)

// A LedgerMatch is lines of a ledger and postings that belong together.
type LedgerMatch struct {
	ID                  int64
	State, Rule, Reason string
	Lines               []int64 // ledger_line_id
	Postings            []PostingKey
	By, Note            string // of who decided about it
	DecidedAt           time.Time
}

// A BookLine is a posting as matching sees it.
type BookLine struct {
	PostingKey
	LineID   string
	Date     string
	Amount   bill.Amount
	Merchant string // as received
	Token    string // by which it was found
}

// ErrReconciledMeanwhile says that somebody else reconciled or decided while matches
// were being made.
var ErrReconciledMeanwhile = errors.New("ledgers were reconciled by somebody else at the same time")

// Reconciled counts what was written by reconciling, so that whoever reads first and
// writes later notices that somebody was quicker.
func (t *Tx) Reconciled() (n int64, err error) {
	err = t.each("reading how often ledgers were reconciled", "SELECT value FROM meta WHERE key = 'reconciled'", nil, func(row []driver.Value) error {
		c := columns{row: row}
		n, err = strconv.ParseInt(c.text(0), 10, 64)
		return errors.Join(c.err, err)
	})
	return n, err
}

// reconciles counts on from what was read.
func (t *Tx) reconciles(since int64) error {
	n, err := t.Reconciled()
	if err != nil {
		return err
	}
	if n != since {
		return ErrReconciledMeanwhile
	}
	return t.exec("counting", "INSERT INTO meta (key, value) VALUES ('reconciled', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", strconv.FormatInt(n+1, 10))
}

// Ledgers returns all ledgers by name, or the one of a name.
func (t *Tx) Ledgers(name string) (list []Ledger, err error) {
	err = t.each("reading ledgers", `
		SELECT ledger_id, name, file, content_hash, mapping, accounts, period_from, period_to, skipped, imported_at, matched_at
		FROM ledgers WHERE ?1 = '' OR name = ?1 ORDER BY name`, []any{name}, func(row []driver.Value) error {
		c := columns{row: row}
		l := Ledger{ID: c.int(0), Name: c.text(1), File: c.text(2), Hash: c.text(3), Mapping: c.text(4), From: c.text(6), To: c.text(7),
			Skipped: int(c.int(8)), ImportedAt: c.time(9), MatchedAt: c.time(10)}
		if text := c.text(5); text != "" {
			if err := json.Unmarshal([]byte(text), &l.Accounts); err != nil {
				return fmt.Errorf("%w: accounts of a ledger: %w", errMisread, err)
			}
		}
		list = append(list, l)
		return c.err
	})
	return list, err
}

// LedgerLines returns the lines of a ledger in the order of their keys.
func (t *Tx) LedgerLines(ledger int64) (list []LedgerLine, err error) {
	err = t.each("reading lines of a ledger", `
		SELECT ledger_line_id, line_key, line, ledger_date, amount, currency, reference, payee, ledger_account, description, open_code, open_reason, removed_at IS NOT NULL
		FROM ledger_lines WHERE ledger_id = ? ORDER BY line_key`, []any{ledger}, func(row []driver.Value) error {
		c := columns{row: row}
		list = append(list, LedgerLine{ID: c.int(0), Key: c.text(1), Number: int(c.int(2)), Date: c.text(3), Amount: bill.Amount{Value: c.int(4), Currency: c.text(5)},
			Reference: c.text(6), Payee: c.text(7), LedgerAccount: c.text(8), Detail: c.text(9), OpenCode: c.text(10), OpenReason: c.text(11), Removed: c.int(12) != 0})
		return c.err
	})
	if err != nil {
		return nil, err
	}
	at := map[int64]int{}
	for i := range list {
		at[list[i].ID] = i
	}
	err = t.each("reading candidates", `
		SELECT c.ledger_line_id, c.bill_id, c.line, c.reason FROM candidates c JOIN ledger_lines l ON l.ledger_line_id = c.ledger_line_id
		WHERE l.ledger_id = ? ORDER BY c.ledger_line_id, c.rank`, []any{ledger}, func(row []driver.Value) error {
		c := columns{row: row}
		l := &list[at[c.int(0)]]
		l.Near = append(l.Near, Near{PostingKey{c.int(1), c.int(2)}, c.text(3)})
		return c.err
	})
	return list, err
}

// LedgerMatches returns the matches of a ledger in the order of their ids.
func (t *Tx) LedgerMatches(ledger int64) (list []LedgerMatch, err error) {
	return t.matches("m.ledger_id = ?", ledger)
}

func (t *Tx) matches(where string, args ...any) (list []LedgerMatch, err error) {
	texts := map[string]string{} // most matches say the same
	once := func(s string) string {
		if _, ok := texts[s]; !ok {
			texts[s] = s
		}
		return texts[s]
	}
	err = t.each("reading matches", `
		SELECT m.match_id, m.state, m.rule, m.reason, i.ledger_line_id, i.bill_id, i.line, m.decided_by, m.note, m.decided_at
		FROM matches m JOIN match_items i ON i.match_id = m.match_id WHERE `+where+` ORDER BY m.match_id, i.item`, args, func(row []driver.Value) error {
		c := columns{row: row}
		if id := c.int(0); len(list) == 0 || list[len(list)-1].ID != id {
			list = append(list, LedgerMatch{ID: id, State: once(c.text(1)), Rule: once(c.text(2)), Reason: once(c.text(3)), By: once(c.text(7)), Note: once(c.text(8)), DecidedAt: c.time(9)})
		}
		m := &list[len(list)-1]
		if line := c.int(4); line != 0 {
			m.Lines = append(m.Lines, line)
		}
		if id := c.int(5); row[5] != nil {
			m.Postings = append(m.Postings, PostingKey{id, c.int(6)})
		}
		return c.err
	})
	return list, err
}

// TakenPostings calls fn with the postings that are matched with lines of other
// ledgers than one, and with the name of that ledger.
func (t *Tx) TakenPostings(other int64, fn func(k PostingKey, ledger string, suggested bool)) error {
	return t.each("reading what is matched", `
		SELECT i.bill_id, i.line, g.name, m.state = 'suggested' FROM matches m JOIN match_items i ON i.match_id = m.match_id JOIN ledgers g ON g.ledger_id = m.ledger_id
		WHERE m.ledger_id <> ? AND m.state IN ('matched', 'suggested', 'confirmed') AND i.bill_id IS NOT NULL`, []any{other}, func(row []driver.Value) error {
		c := columns{row: row}
		fn(PostingKey{c.int(0), c.int(1)}, c.text(2), c.int(3) != 0)
		return c.err
	})
}

// named finds the postings of bills by a number; by the identity of bills, and by
// that of those that have a number of their own.
const (
	namedHead = `SELECT r.value, p.bill_id, p.line, p.line_id, p.posting_date, p.amount, p.currency, b.merchant_name
		FROM json_each(?1) r CROSS JOIN accounts a `
	namedTail = ` CROSS JOIN postings p ON p.bill_id = b.bill_id
		WHERE ?2 IS NULL OR a.account IN (SELECT value FROM json_each(?2))`
	namedByOrder = namedHead + "CROSS JOIN bills b ON b.account = a.account AND b.order_no = r.value" + namedTail
	namedByBill  = namedHead + "CROSS JOIN bills b ON b.account = a.account AND b.bill_no = r.value" + namedTail
	namedByLine  = `SELECT substr(p.line_id, 1, 26), p.bill_id, p.line, p.line_id, p.posting_date, p.amount, p.currency, b.merchant_name
		FROM postings p CROSS JOIN bills b ON b.bill_id = p.bill_id
		WHERE substr(p.line_id, 1, 26) IN (SELECT value FROM json_each(?1)) AND (?2 IS NULL OR b.account IN (SELECT value FROM json_each(?2)))`
)

// NamedPostings calls fn with the postings of bills whose order_no or bill_no is one
// of the numbers, and of those whose line_id begins with one of the keys. Within fn
// nothing else may be asked of the Tx.
func (t *Tx) NamedPostings(accounts, numbers, keys []string, fn func(*BookLine) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	for _, q := range []struct {
		sql   string
		texts []string
	}{{namedByOrder, numbers}, {namedByBill, numbers}, {namedByLine, keys}} {
		if len(q.texts) == 0 {
			continue
		}
		texts, err := textList(q.texts)
		if err != nil {
			return err
		}
		err = t.each("looking for what a ledger names", q.sql, []any{texts, list}, func(row []driver.Value) error {
			c := columns{row: row}
			b := BookLine{Token: c.text(0), PostingKey: PostingKey{c.int(1), c.int(2)}, LineID: c.text(3), Date: c.text(4),
				Amount: bill.Amount{Value: c.int(5), Currency: c.text(6)}, Merchant: c.text(7)}
			if c.err != nil {
				return c.err
			}
			return fn(&b)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// BookLines calls fn with the postings of days from one to another, both included, in
// some currencies or, for none, all. Within fn nothing else may be asked of the Tx.
func (t *Tx) BookLines(accounts []string, from, to string, currencies []string, fn func(*BookLine) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	in, err := textList(currencies)
	if err != nil {
		return err
	}
	return t.each("reading postings", `
		SELECT p.bill_id, p.line, p.posting_date, p.amount, p.currency, b.merchant_name, p.line_id
		FROM postings p INDEXED BY postings_date CROSS JOIN bills b ON b.bill_id = p.bill_id
		WHERE p.posting_date BETWEEN ?1 AND ?2 AND (?3 IS NULL OR p.currency IN (SELECT value FROM json_each(?3)))
		  AND (?4 IS NULL OR b.account IN (SELECT value FROM json_each(?4)))`, []any{from, to, in, list}, func(row []driver.Value) error {
		c := columns{row: row}
		b := BookLine{PostingKey: PostingKey{c.int(0), c.int(1)}, Date: c.text(2), Amount: bill.Amount{Value: c.int(3), Currency: c.text(4)}, Merchant: c.text(5), LineID: c.text(6)}
		if c.err != nil {
			return c.err
		}
		return fn(&b)
	})
}

// PostingOf returns a posting with what people know it by; nil if it is no more.
func (t *Tx) PostingOf(k PostingKey) (p *Posting, err error) {
	err = t.each("reading a posting", `
		SELECT p.line_id, p.kind, p.posting_date, p.amount, p.currency, b.account, b.order_no, b.merchant_name
		FROM postings p JOIN bills b ON b.bill_id = p.bill_id WHERE p.bill_id = ? AND p.line = ?`, []any{k.Bill, k.Line}, func(row []driver.Value) error {
		c := columns{row: row}
		p = &Posting{LineID: c.text(0), Kind: c.text(1), Date: c.text(2), Amount: bill.Amount{Value: c.int(3), Currency: c.text(4)},
			Account: c.text(5), OrderNo: c.text(6), Merchant: c.text(7), BillID: k.Bill}
		return c.err
	})
	return p, err
}

// A LedgerCount is how many lines a ledger has, how many of them are open, and its
// matches by their state.
type LedgerCount struct {
	Lines, Open int64
	States      map[string]int64
}

// LedgerCounts counts lines and matches by ledger.
func (t *Tx) LedgerCounts() (map[int64]LedgerCount, error) {
	counts := map[int64]LedgerCount{}
	err := t.each("counting lines", "SELECT ledger_id, count(*), count(open_code) FROM ledger_lines WHERE removed_at IS NULL GROUP BY ledger_id", nil, func(row []driver.Value) error {
		c := columns{row: row}
		counts[c.int(0)] = LedgerCount{c.int(1), c.int(2), map[string]int64{}}
		return c.err
	})
	if err != nil {
		return nil, err
	}
	return counts, t.each("counting matches", "SELECT ledger_id, state, count(*) FROM matches GROUP BY ledger_id, state", nil, func(row []driver.Value) error {
		c := columns{row: row}
		if n, ok := counts[c.int(0)]; ok {
			n.States[c.text(1)] = c.int(2)
		}
		return c.err
	})
}

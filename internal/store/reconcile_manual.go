package store

import (
	"database/sql/driver"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"billsync/internal/bill"
)

// RuleManual is the rule of matches that a person made.
const RuleManual = "manual"

// A ManualMatch is what a person says belongs together: a line with one or several
// postings, or several lines with one posting.
type ManualMatch struct {
	Ledger   Ledger
	Numbers  []int    // of lines in the file
	IDs      []int64  // or ledger_line_id
	Postings []string // line_id
	Force    bool     // they need not add up
	Yuan     bool     // the ledger may write CNY for CNH
	By, Note string
	At       time.Time
}

// A ManualResult is the match that was made, with its two sides.
type ManualResult struct {
	ID       int64
	Lines    []LedgerLine
	Postings []Posting
	Differ   string // by how much they differ; empty: they add up
}

// MatchManually stores a match that a person made, as confirmed. The error is a
// UsageError if one of its lines or postings is not there or is matched already, or
// if the two sides do not add up.
func (t *Tx) MatchManually(m *ManualMatch) (r *ManualResult, err error) {
	r = &ManualResult{}
	if r.Lines, err = t.manualLines(m); err != nil {
		return nil, err
	}
	if r.Postings, err = t.manualPostings(m); err != nil {
		return nil, err
	}
	if len(r.Lines) > 1 && len(r.Postings) > 1 {
		return nil, &UsageError{"several lines and several postings are no match: nobody could tell which belongs to which",
			"one line with several postings, or several lines with one posting"}
	}
	r.Differ = r.differ(m.Yuan)
	if r.Differ != "" && (!m.Force || m.Note == "") {
		return nil, &UsageError{"the two sides do not add up: " + r.Differ, "if they belong together all the same: --force --note TEXT; the note is kept for the auditor"}
	}
	return r, t.saveManual(m, r)
}

// manualLines finds the lines, which may not be in a match.
func (t *Tx) manualLines(m *ManualMatch) (list []LedgerLine, err error) {
	find := func(what, where string, arg any) error {
		found, err := t.openLine(m.Ledger.ID, where, arg)
		switch {
		case err != nil:
			return err
		case found == nil || found.Removed:
			return &UsageError{fmt.Sprintf("ledger %s has no %s", m.Ledger.Name, what), "lines are named by their number in the file, or id:N, their ledger_line_id"}
		case slices.ContainsFunc(list, func(l LedgerLine) bool { return l.ID == found.ID }):
			return &UsageError{fmt.Sprintf("%s is named twice", what), "name it once"}
		}
		list = append(list, *found)
		return t.unmatched(fmt.Sprintf("line %d", found.Number), "m.match_id IN (SELECT match_id FROM match_items WHERE ledger_line_id = ?)", found.ID)
	}
	for _, n := range m.Numbers {
		if err := find(fmt.Sprintf("line %d", n), "line = ? AND removed_at IS NULL", n); err != nil {
			return nil, err
		}
	}
	for _, id := range m.IDs {
		if err := find(fmt.Sprintf("line with the ledger_line_id %d", id), "ledger_line_id = ?", id); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (t *Tx) openLine(ledger int64, where string, arg any) (l *LedgerLine, err error) {
	err = t.each("reading a line of a ledger", `
		SELECT ledger_line_id, line, ledger_date, amount, currency, payee, removed_at IS NOT NULL
		FROM ledger_lines WHERE ledger_id = ? AND `+where, []any{ledger, arg}, func(row []driver.Value) error {
		c := columns{row: row}
		l = &LedgerLine{ID: c.int(0), Number: int(c.int(1)), Date: c.text(2), Amount: bill.Amount{Value: c.int(3), Currency: c.text(4)}, Payee: c.text(5), Removed: c.int(6) != 0}
		return c.err
	})
	return l, err
}

// unmatched makes sure that something is in no match that counts.
func (t *Tx) unmatched(what, where string, args ...any) error {
	found, err := t.matches("m.state IN ('matched', 'suggested', 'confirmed') AND "+where, args...)
	if err != nil || len(found) == 0 {
		return err
	}
	x := found[0]
	return &UsageError{fmt.Sprintf("%s is in match %d already (%s by %s)", what, x.ID, x.State, x.Rule),
		fmt.Sprintf("first \"syncer reconcile reject %d --note TEXT\"", x.ID)}
}

// manualPostings finds the postings, which may not be in a match of any ledger.
func (t *Tx) manualPostings(m *ManualMatch) (list []Posting, err error) {
	keys, err := t.postingsNamed(m.Postings)
	if err != nil {
		return nil, err
	}
	seen := map[PostingKey]bool{}
	for _, id := range m.Postings {
		key, ok := keys[strings.ToUpper(id)]
		if !ok {
			return nil, &UsageError{fmt.Sprintf("there is no posting %q in the books", id),
				"postings are named by their line_id, \"line of the books\" in \"syncer reconcile show\" and \"syncer report postings\""}
		}
		if seen[key] {
			return nil, &UsageError{fmt.Sprintf("posting %s is named twice", id), "name it once"}
		}
		seen[key] = true
		p, err := t.PostingOf(key)
		if err != nil {
			return nil, err
		}
		if p == nil {
			return nil, &UsageError{fmt.Sprintf("the bill of posting %s is no longer stored", id), "\"syncer verify\" tells what is wrong"}
		}
		if of := m.Ledger.Accounts; len(of) > 0 && !slices.Contains(of, p.Account) {
			return nil, &UsageError{fmt.Sprintf("posting %s is one of account %s, and ledger %s is about %s", id, p.Account, m.Ledger.Name, strings.Join(of, ", ")),
				"\"syncer reconcile --of\" says which accounts a ledger is about"}
		}
		p.Line = key.Line
		list = append(list, *p)
		err = t.unmatched("posting "+p.LineID, "m.match_id IN (SELECT match_id FROM match_items WHERE bill_id = ? AND line = ?)", key.Bill, key.Line)
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// postingsNamed finds postings by their line_id, in one look through the books.
func (t *Tx) postingsNamed(ids []string) (map[string]PostingKey, error) {
	upper := make([]string, len(ids))
	for i, id := range ids {
		upper[i] = strings.ToUpper(id)
	}
	list, err := textList(upper)
	if err != nil {
		return nil, err
	}
	keys := map[string]PostingKey{}
	return keys, t.each("looking for postings", "SELECT line_id, bill_id, line FROM postings WHERE line_id IN (SELECT value FROM json_each(?))", []any{list}, func(row []driver.Value) error {
		c := columns{row: row}
		keys[c.text(0)] = PostingKey{c.int(1), c.int(2)}
		return c.err
	})
}

// differ is by how much the sides of a match differ; empty if they add up. Sums are
// as large as they need to be.
func (r *ManualResult) differ(yuan bool) string {
	offshore := !slices.ContainsFunc(r.Postings, func(p Posting) bool { return p.Amount.Currency != "CNH" })
	sums := map[string]*big.Int{}
	var order []string
	add := func(a bill.Amount, sign int64) {
		if sums[a.Currency] == nil {
			sums[a.Currency] = new(big.Int)
			order = append(order, a.Currency)
		}
		sums[a.Currency].Add(sums[a.Currency], new(big.Int).Mul(big.NewInt(a.Value), big.NewInt(sign)))
	}
	for _, l := range r.Lines {
		if yuan && offshore && l.Amount.Currency == "CNY" {
			l.Amount.Currency = "CNH"
		}
		add(l.Amount, 1)
	}
	for _, p := range r.Postings {
		add(p.Amount, -1)
	}
	if len(order) > 1 {
		return "they are in " + strings.Join(order, " and ")
	}
	d := sums[order[0]]
	switch d.Abs(d); {
	case d.Sign() == 0:
		return ""
	case d.IsInt64():
		return "they differ by " + bill.Amount{Currency: order[0], Value: d.Int64()}.Decimal() + " " + order[0]
	}
	return "they differ by more than can be counted"
}

// saveManual stores a match that a person made. The lines have no candidates any
// more.
func (t *Tx) saveManual(m *ManualMatch, r *ManualResult) (err error) {
	reason := "matched by hand"
	if r.Differ != "" {
		reason += "; " + r.Differ
	}
	r.ID, err = t.insert("storing a match", "INSERT INTO matches (ledger_id, state, rule, reason, made_at, decided_at, decided_by, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		m.Ledger.ID, MatchConfirmed, RuleManual, reason, text(m.At), text(m.At), m.By, orNull(m.Note))
	if err != nil {
		return err
	}
	for i := range max(len(r.Lines), len(r.Postings)) {
		var line, id, posting any
		if i < len(r.Lines) {
			line = r.Lines[i].ID
		}
		if i < len(r.Postings) {
			id, posting = r.Postings[i].BillID, r.Postings[i].Line
		}
		if err := t.exec("storing a match", "INSERT INTO match_items (match_id, item, ledger_line_id, bill_id, line) VALUES (?, ?, ?, ?, ?)", r.ID, i+1, line, id, posting); err != nil {
			return err
		}
	}
	for _, l := range r.Lines {
		if err := t.exec("removing candidates", "DELETE FROM candidates WHERE ledger_line_id = ?", l.ID); err != nil {
			return err
		}
		if err := t.exec("closing a line", "UPDATE ledger_lines SET open_code = NULL, open_reason = NULL WHERE ledger_line_id = ?", l.ID); err != nil {
			return err
		}
	}
	n, err := t.Reconciled()
	if err != nil {
		return err
	}
	return t.reconciles(n)
}

// UndecidedMatches are some matches that can be confirmed, or rejected: suggestions
// first.
func (t *Tx) UndecidedMatches(confirm bool) (list []LedgerMatch, err error) {
	const most = 200
	err = t.each("reading matches", `
		SELECT match_id, state, rule, reason FROM matches
		WHERE state IN ('suggested', 'matched') OR NOT ?1 AND state = 'confirmed'
		ORDER BY state = 'suggested' DESC, match_id DESC LIMIT ?2`, []any{confirm, most}, func(row []driver.Value) error {
		c := columns{row: row}
		list = append(list, LedgerMatch{ID: c.int(0), State: c.text(1), Rule: c.text(2), Reason: c.text(3)})
		return c.err
	})
	return list, err
}

// RemoveLedger removes a ledger that has no lines; kept tells that it has some.
func (t *Tx) RemoveLedger(id int64) (kept bool, err error) {
	n, err := t.affected("removing a ledger", `
		DELETE FROM ledgers WHERE ledger_id = ?1 AND NOT EXISTS (SELECT 1 FROM ledger_lines WHERE ledger_id = ?1) AND NOT EXISTS (SELECT 1 FROM matches WHERE ledger_id = ?1)`, id)
	return n == 0, err
}

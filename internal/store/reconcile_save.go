package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// A Reconciliation is a ledger with its lines and matches as they are to be stored.
type Reconciliation struct {
	Ledger Ledger
	Since  int64        // what Reconciled said when it was read
	Lines  []LedgerLine // with the ids of those that are stored already
	// Matches without an id are new; their lines are counted in Lines, from 0.
	Matches []LedgerMatch
	Dropped []int64 // ids of matches by rules that are no more
	Undone  []int64 // ids of confirmed matches of which a line is no more: they are withdrawn
	Gone    []int64 // ids of lines that the file no longer has
}

// SaveReconciliation stores what reconciling a ledger came to, as far as it differs
// from what is stored, and fills in the ids. The error is ErrReconciledMeanwhile if
// somebody was quicker.
func (t *Tx) SaveReconciliation(r *Reconciliation, old []LedgerLine, now time.Time) error {
	if err := t.reconciles(r.Since); err != nil {
		return err
	}
	if err := t.saveLedger(&r.Ledger); err != nil {
		return err
	}
	for _, id := range r.Undone {
		if err := t.exec("withdrawing a match", "UPDATE matches SET state = 'withdrawn' WHERE match_id = ?", id); err != nil {
			return err
		}
	}
	for _, id := range r.Dropped {
		for _, table := range []string{"match_items", "matches"} {
			if err := t.exec("removing a match", "DELETE FROM "+table+" WHERE match_id = ?", id); err != nil {
				return err
			}
		}
	}
	for _, id := range r.Gone {
		if err := t.removeLine(id, now); err != nil {
			return err
		}
	}
	before := make(map[int64]*LedgerLine, len(old))
	for i := range old {
		before[old[i].ID] = &old[i]
	}
	for i := range r.Lines {
		if err := t.saveLine(r.Ledger.ID, &r.Lines[i], before[r.Lines[i].ID]); err != nil {
			return err
		}
	}
	return t.saveMatches(r, text(now))
}

func (t *Tx) saveLedger(l *Ledger) error {
	var accounts any
	if len(l.Accounts) > 0 {
		text, err := json.Marshal(l.Accounts)
		if err != nil {
			return fmt.Errorf("keeping a ledger's accounts: %w", err)
		}
		accounts = string(text)
	}
	args := []any{l.Name, l.File, l.Hash, l.Mapping, accounts, l.From, l.To, l.Skipped, text(l.ImportedAt), text(l.MatchedAt)}
	if l.ID == 0 {
		id, err := t.insert("storing a ledger", `
			INSERT INTO ledgers (name, file, content_hash, mapping, accounts, period_from, period_to, skipped, imported_at, matched_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, args...)
		l.ID = id
		return err
	}
	return t.exec("storing a ledger", `
		UPDATE ledgers SET name = ?, file = ?, content_hash = ?, mapping = ?, accounts = ?, period_from = ?, period_to = ?, skipped = ?, imported_at = ?, matched_at = ?
		WHERE ledger_id = ?`, append(args, l.ID)...)
}

// removeLine removes a line. It stays, marked, if something was decided about it.
func (t *Tx) removeLine(id int64, now time.Time) error {
	if err := t.exec("removing candidates", "DELETE FROM candidates WHERE ledger_line_id = ?", id); err != nil {
		return err
	}
	err := t.exec("removing a line", "UPDATE ledger_lines SET removed_at = coalesce(removed_at, ?), open_code = NULL, open_reason = NULL WHERE ledger_line_id = ?", text(now), id)
	if err != nil {
		return err
	}
	return t.exec("removing a line", "DELETE FROM ledger_lines WHERE ledger_line_id = ?1 AND NOT EXISTS (SELECT 1 FROM match_items WHERE ledger_line_id = ?1)", id)
}

func (t *Tx) saveLine(ledger int64, l, old *LedgerLine) (err error) {
	switch {
	case old == nil:
		err = t.insertLine(ledger, l)
	case old.Number != l.Number || old.OpenCode != l.OpenCode || old.OpenReason != l.OpenReason || old.Removed:
		err = t.exec("storing a line", "UPDATE ledger_lines SET line = ?, open_code = ?, open_reason = ?, removed_at = NULL WHERE ledger_line_id = ?",
			l.Number, orNull(l.OpenCode), orNull(l.OpenReason), l.ID)
	}
	if err != nil || old != nil && slices.Equal(old.Near, l.Near) {
		return err
	}
	if old != nil {
		if err := t.exec("removing candidates", "DELETE FROM candidates WHERE ledger_line_id = ?", l.ID); err != nil {
			return err
		}
	}
	for i, n := range l.Near {
		err := t.exec("storing a candidate", "INSERT INTO candidates (ledger_line_id, rank, bill_id, line, reason) VALUES (?, ?, ?, ?, ?)", l.ID, i+1, n.Bill, n.Line, n.Reason)
		if err != nil {
			return err
		}
	}
	return nil
}

// insertLine stores a new line.
func (t *Tx) insertLine(ledger int64, l *LedgerLine) error {
	d, err := t.direct(`
		INSERT INTO ledger_lines (ledger_id, line_key, line, ledger_date, amount, currency, reference, payee, ledger_account, description, open_code, open_reason)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return fmt.Errorf("storing a line: %w", err)
	}
	d.begin()
	d.value(ledger)
	d.value(l.Key)
	d.value(int64(l.Number))
	d.often(l.Date)
	d.value(l.Amount.Value)
	d.often(l.Amount.Currency)
	for _, s := range []string{l.Reference, l.Payee, l.LedgerAccount, l.Detail, l.OpenCode, l.OpenReason} {
		d.often(s)
	}
	l.ID, err = t.added(d)
	if err != nil {
		return fmt.Errorf("storing a line: %w", err)
	}
	return nil
}

// added runs an INSERT with the arguments it has and returns the new row's key.
func (t *Tx) added(d *direct) (int64, error) {
	res, err := t.run(d)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// saveMatches stores the matches that are new.
func (t *Tx) saveMatches(r *Reconciliation, at string) error {
	match, err := t.direct("INSERT INTO matches (ledger_id, state, rule, reason, made_at) VALUES (?, ?, ?, ?, ?)")
	if err != nil {
		return fmt.Errorf("storing matches: %w", err)
	}
	item, err := t.direct("INSERT INTO match_items (match_id, item, ledger_line_id, bill_id, line) VALUES (?, ?, ?, ?, ?)")
	if err != nil {
		return fmt.Errorf("storing matches: %w", err)
	}
	for i := range r.Matches {
		m := &r.Matches[i]
		if m.ID != 0 {
			continue
		}
		match.begin()
		match.value(r.Ledger.ID)
		for _, s := range []string{m.State, m.Rule, m.Reason, at} {
			match.often(s)
		}
		if m.ID, err = t.added(match); err != nil {
			return fmt.Errorf("storing a match: %w", err)
		}
		if err := t.saveItems(item, r, m); err != nil {
			return fmt.Errorf("storing a match: %w", err)
		}
	}
	return nil
}

// saveItems stores what is in a match, and gives its lines their ids.
func (t *Tx) saveItems(d *direct, r *Reconciliation, m *LedgerMatch) error {
	for i := range max(len(m.Lines), len(m.Postings)) {
		var line, bill, posting driver.Value
		if i < len(m.Lines) {
			m.Lines[i] = r.Lines[m.Lines[i]].ID
			line = m.Lines[i]
		}
		if i < len(m.Postings) {
			bill, posting = m.Postings[i].Bill, m.Postings[i].Line
		}
		d.begin()
		for _, v := range []driver.Value{m.ID, int64(i + 1), line, bill, posting} {
			d.value(v)
		}
		if _, err := t.run(d); err != nil {
			return err
		}
	}
	return nil
}

// A Decision is what a person says about matches.
type Decision struct {
	IDs      []int64
	Confirm  bool // else they are rejected
	By, Note string
	At       time.Time
}

// Decide confirms or rejects matches, all or none, and returns them as they were.
// The error is a UsageError if one of them cannot be.
func (t *Tx) Decide(d Decision) (decided []LedgerMatch, err error) {
	for _, id := range d.IDs {
		found, err := t.matches("m.match_id = ?", id)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, &UsageError{fmt.Sprintf("there is no match %d", id), "\"syncer reconcile show\" lists them; a new import may have replaced it"}
		}
		m := found[0]
		if err := t.decidable(&m, d.Confirm); err != nil {
			return nil, err
		}
		state := MatchRejected
		if d.Confirm {
			state = MatchConfirmed
		}
		err = t.exec("deciding about a match", "UPDATE matches SET state = ?, decided_at = ?, decided_by = ?, note = ? WHERE match_id = ?",
			state, text(d.At), d.By, orNull(d.Note), id)
		if err != nil {
			return nil, err
		}
		if d.Confirm {
			err = t.exec("closing lines", `
				UPDATE ledger_lines SET open_code = NULL, open_reason = NULL
				WHERE ledger_line_id IN (SELECT ledger_line_id FROM match_items WHERE match_id = ?)`, id)
		} else {
			err = t.exec("opening lines", `
				UPDATE ledger_lines SET open_code = 'rejected', open_reason = ?
				WHERE ledger_line_id IN (SELECT ledger_line_id FROM match_items WHERE match_id = ?) AND removed_at IS NULL`,
				fmt.Sprintf("match %d was rejected; the next import looks for another one", id), id)
		}
		if err != nil {
			return nil, err
		}
		decided = append(decided, m)
	}
	n, err := t.Reconciled()
	if err != nil {
		return nil, err
	}
	return decided, t.reconciles(n)
}

// decidable reports why a match cannot be confirmed or rejected.
func (t *Tx) decidable(m *LedgerMatch, confirm bool) error {
	switch {
	case m.State == MatchWithdrawn:
		return &UsageError{fmt.Sprintf("match %d was withdrawn: a corrected ledger no longer has a line of it", m.ID), "nothing can be decided about it"}
	case m.State == MatchConfirmed && confirm, m.State == MatchRejected && !confirm:
		return &UsageError{fmt.Sprintf("match %d is %s already", m.ID, m.State), "nothing was changed"}
	case !confirm:
		return nil
	}
	// A rejected one may have been followed by another match of the same line or posting.
	rows, err := t.matches(`m.match_id <> ?1 AND m.state IN ('matched', 'suggested', 'confirmed') AND m.match_id IN (
		SELECT j.match_id FROM match_items i JOIN match_items j ON j.ledger_line_id = i.ledger_line_id WHERE i.match_id = ?1
		UNION SELECT j.match_id FROM match_items i JOIN match_items j ON j.bill_id = i.bill_id AND j.line = i.line WHERE i.match_id = ?1)`, m.ID)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		return &UsageError{fmt.Sprintf("match %d cannot be confirmed: match %d (%s) has the same line or posting", m.ID, rows[0].ID, rows[0].State),
			fmt.Sprintf("first \"syncer reconcile reject %d --note TEXT\"", rows[0].ID)}
	}
	removed, err := t.matches("m.match_id = ? AND i.ledger_line_id IN (SELECT ledger_line_id FROM ledger_lines WHERE removed_at IS NOT NULL)", m.ID)
	if err == nil && len(removed) > 0 {
		err = &UsageError{fmt.Sprintf("match %d cannot be confirmed: a corrected ledger no longer has a line of it", m.ID), "\"syncer reconcile show\" lists what there is"}
	}
	if err != nil {
		return err
	}
	return nil
}

package store_test

import (
	"strings"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// Matches and candidates stay with their postings when somebody takes rows away from
// bills, and SQLite gives their keys out again.
func TestMatchesFollowPostings(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	tell := func(order string, n int, out int64) {
		b := plain(order, day(n))
		b.Status, b.Out, b.MerchantName = "SUCCESS", usd(out), "Shop"
		(&life{order: order, at: day(n), present: *b}).tell(t, s, day(n).Add(time.Hour))
	}
	reconciled := func(name, key string, of int64) {
		t.Helper()
		err := s.Update(t.Context(), func(tx *store.Tx) error {
			since, err := tx.Reconciled()
			if err != nil {
				return err
			}
			at := bill.Amount{Currency: "USD", Value: -200}
			return tx.SaveReconciliation(&store.Reconciliation{
				Ledger: store.Ledger{Name: name, File: name, Mapping: "{}", From: "2026-01-01", To: "2026-01-31", ImportedAt: day(40), MatchedAt: day(40)}, Since: since,
				Lines: []store.LedgerLine{{Key: key, Number: 2, Date: "2026-01-03", Amount: at},
					{Key: key + "2", Number: 3, Date: "2026-01-03", Amount: at, OpenCode: "differs", OpenReason: "x", Near: []store.Near{{PostingKey: store.PostingKey{Bill: of, Line: 1}, Reason: "y"}}}},
				Matches: []store.LedgerMatch{{State: store.MatchMade, Rule: "amount", Reason: "z", Lines: []int64{0}, Postings: []store.PostingKey{{Bill: of, Line: 1}}}},
			}, nil, day(40))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	const with = `SELECT g.name, m.state, (SELECT group_concat(line_id) FROM postings p WHERE p.bill_id = i.bill_id AND p.line = i.line) FROM ledgers g JOIN matches m USING (ledger_id) JOIN match_items i USING (match_id) ORDER BY 1`
	const near = "SELECT DISTINCT p.line_id FROM candidates c JOIN postings p ON p.bill_id = c.bill_id AND p.line = c.line"
	tell("A", 2, 100)
	tell("B", 3, 200)
	post(t, s)
	reconciled("may", "k", 2)
	want, wantNear := texts(t, s, with), texts(t, s, near)
	db := raw(t, s.Path())
	execute(t, db, "PRAGMA foreign_keys = OFF", "DELETE FROM bills WHERE order_no = 'B'")
	tell("C", 4, 300) // under the key that B had
	post(t, s)
	equal(t, "matches once another bill has the key", texts(t, s, with), want)
	equal(t, "candidates once another bill has the key", texts(t, s, near), wantNear)
	tell("B", 3, 200)
	post(t, s)
	reconciled("june", "l", 3) // with the posting that is there twice now
	if _, err := s.MendBooks(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	post(t, s)
	equal(t, "candidates once the bill is back", texts(t, s, near), wantNear)
	got := texts(t, s, with+" DESC")
	equal(t, "matches once the bill is back", got[:1], want)
	equal(t, "matches that count", texts(t, s, "SELECT count(*) FROM matches WHERE state = 'matched'"), []string{"1"})
	equal(t, "orphans", texts(t, s, "SELECT count(*) FROM match_items i WHERE NOT EXISTS (SELECT 1 FROM bills b WHERE b.bill_id = i.bill_id)"), []string{"0"})
}

// A line and a posting are in one match at most that counts, whoever writes: the
// database itself says so. What is rejected makes room.
func TestOneLiveMatch(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	db := raw(t, s.Path())
	execute(t, db, `
		INSERT INTO ledgers (ledger_id, name, file, content_hash, mapping, period_from, period_to, skipped, imported_at, matched_at)
		VALUES (1, 'may', 'may', '', '{}', '2026-01-01', '2026-01-31', 0, '', ''), (2, 'june', 'june', '', '{}', '2026-01-01', '2026-01-31', 0, '', '')`,
		"INSERT INTO ledger_lines (ledger_line_id, ledger_id, line_key, line, ledger_date, amount, currency) VALUES (1, 1, 'a', 2, '2026-01-03', -1, 'USD'), (2, 1, 'b', 3, '2026-01-03', -1, 'USD')",
		"INSERT INTO matches (match_id, ledger_id, state, rule, reason, made_at) VALUES (1, 1, 'matched', 'amount', '', ''), (2, 1, 'suggested', 'amount', '', ''), (3, 2, 'confirmed', 'amount', '', '')",
		"INSERT INTO match_items (match_id, item, ledger_line_id, bill_id, line) VALUES (1, 1, 1, 7, 1), (1, 2, NULL, 7, 2)")
	const (
		sameLine = "INSERT INTO match_items (match_id, item, ledger_line_id, bill_id, line) VALUES (2, 1, 1, 8, 1)"
		samePart = "INSERT INTO match_items (match_id, item, ledger_line_id, bill_id, line) VALUES (3, 1, 2, 7, 2)"
		free     = "INSERT INTO match_items (match_id, item, ledger_line_id, bill_id, line) VALUES (2, 2, NULL, 7, 3), (2, 3, NULL, 8, 2)"
	)
	refused := func(what string, statements ...string) {
		t.Helper()
		for _, q := range statements {
			if _, err := db.Exec(q); err == nil || !strings.Contains(err.Error(), "UNIQUE constraint failed: match_items.") {
				t.Errorf("%s: %s = %v", what, q, err)
			}
		}
	}
	refused("while it is matched", sameLine, samePart)
	execute(t, db, free, "UPDATE matches SET state = 'confirmed' WHERE match_id = 1")
	refused("while it is confirmed", sameLine, samePart)
	execute(t, db, "UPDATE matches SET state = 'rejected' WHERE match_id = 1", sameLine)
	refused("once another has the line", "UPDATE matches SET state = 'confirmed' WHERE match_id = 1")
	execute(t, db, "UPDATE matches SET state = 'withdrawn' WHERE match_id = 2", samePart)
	refused("once another has a posting", "UPDATE matches SET state = 'matched' WHERE match_id = 1")
	execute(t, db, "UPDATE matches SET state = 'rejected' WHERE match_id = 3", "UPDATE matches SET state = 'confirmed' WHERE match_id = 1")
	equal(t, "what counts", texts(t, s, "SELECT match_id, item FROM match_items WHERE live = 1 ORDER BY 1, 2"), []string{"1 1", "1 2"})
}

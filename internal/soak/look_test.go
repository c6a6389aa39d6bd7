package soak

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"billsync/internal/store"
	"billsync/internal/worldfirst"

	"github.com/jmoiron/sqlx"
	_ "github.com/mattn/go-sqlite3" // the database is looked at with nothing of ours in between
)

// A row is a bill as it is stored.
type row struct {
	ID        int64  `db:"bill_id"`
	Account   string `db:"account"`
	Order     string `db:"order_no"`
	Time      string `db:"transaction_time"`
	Date      string `db:"transaction_date"`
	Withdrawn bool   `db:"withdrawn"`
	Notified  string `db:"notified_at"`
	Budget    string `db:"budget"`
	Said      string `db:"said"`
}

// A pass is one reading of a span that was proved.
type pass struct {
	ID      int64  `db:"pass_id"`
	Account string `db:"account"`
	Start   string `db:"span_start"`
	End     string `db:"span_end"`
	RunID   int64  `db:"run_id"`
	Total   int    `db:"total_count"`
	Begun   string `db:"begun_at"`
}

// A span is what a window or the tail says of itself.
type span struct {
	Account string `db:"account"`
	Tail    bool   `db:"tail"`
	Start   string `db:"span_start"`
	End     string `db:"span_end"`
	State   string `db:"state"`
	Proved  string `db:"proved_at"`
	Next    string `db:"next_attempt_at"`
	Reread  bool   `db:"reread"`
	Error   string `db:"last_error"`
}

// A look is what the database holds at a time.
type look struct {
	bills    []row
	passes   []pass
	spans    []span   // in the order of time
	inbox    []notice // that wait
	accounts []string
	states   int // rows of bill_states
	rejected int // items that nobody understood
	refused  int // accounts that the API refuses
	reading  int // passes that were begun and are not finished
	lastRun  int64
	runs     int
	running  int // runs that say they are still under way
	owed     int // chases that wait, and tails of which bills are missing
}

// reader opens the database for looking; nil if there is none.
func (w *world) reader() *sqlx.DB {
	if fi, err := os.Stat(w.database()); err != nil || fi.Size() == 0 {
		return nil
	}
	db, err := sqlx.Open("sqlite3", "file:"+w.database()+"?mode=rw&_query_only=1&_busy_timeout=5000") // to recover what a killed process left
	if err != nil {
		w.fail("%v", err)
	}
	db.SetMaxOpenConns(1)
	tables := 0
	if err := db.Get(&tables, "SELECT count(*) FROM sqlite_schema"); err != nil {
		w.fail("%v", err)
	}
	if tables == 0 { // its maker was killed
		db.Close()
		return nil
	}
	return db
}

// look reads what the database holds.
func (w *world) look() *look {
	l := &look{}
	db := w.reader()
	if db == nil {
		return l
	}
	defer db.Close()
	w.sound(db)
	w.verified()
	for _, q := range []struct {
		into  any
		query string
	}{
		{&l.bills, `SELECT bill_id, account, order_no, transaction_time, transaction_date, withdrawn_at IS NOT NULL AS withdrawn, coalesce(notified_at, '') AS notified_at,
			coalesce(budget_account_id || metadata, '') AS budget, ` +
			saidColumns + ` AS said FROM bills ORDER BY bill_id`},
		{&l.passes, `SELECT pass_id, account, span_start, span_end, run_id, total_count, begun_at FROM passes WHERE state = 'done' ORDER BY pass_id`},
		{&l.spans, `SELECT account, 0 AS tail, window_start AS span_start, window_end AS span_end,
				CASE WHEN reread_failed_at IS NULL THEN state ELSE 'failed' END AS state, coalesce(proved_at, '') AS proved_at,
				coalesce(next_attempt_at, '') AS next_attempt_at, reread_at IS NOT NULL AS reread, coalesce(last_error, '') AS last_error
			FROM windows UNION ALL
			SELECT account, 1, covered_from, coalesce(proved_until, covered_from), state, coalesce(proved_at, ''),
				coalesce(next_attempt_at, ''), 0, coalesce(last_error, '')
			FROM tails ORDER BY 1, 3, 4`},
		{&l.inbox, `SELECT notification_id, coalesce(order_no, '') AS order_no, reason, received_at, transaction_time, raw FROM inbox WHERE resolved_at IS NULL AND accepted_at IS NULL`},
		{&l.accounts, "SELECT account FROM accounts"},
	} {
		if err := db.Select(q.into, q.query); err != nil {
			w.fail("%s: %v", q.query, err)
		}
	}
	for _, q := range []struct {
		into  any
		query string
	}{
		{&l.states, "SELECT count(*) FROM bill_states"},
		{&l.rejected, "SELECT count(*) FROM rejected_items WHERE accepted_at IS NULL AND resolved_at IS NULL"},
		{&l.refused, "SELECT count(*) FROM accounts WHERE refused_at IS NOT NULL"},
		{&l.reading, "SELECT count(*) FROM passes WHERE state = 'reading'"},
		{&l.lastRun, "SELECT coalesce(max(run_id), 0) FROM runs"},
		{&l.runs, "SELECT count(*) FROM runs"},
		{&l.owed, `SELECT (SELECT count(*) FROM chases WHERE state IN ('waiting', 'failed')) +
			(SELECT count(*) FROM tails WHERE missing > missing_accepted)`},
		{&l.running, "SELECT count(*) FROM runs WHERE outcome = 'running'"},
	} {
		if err := db.Get(q.into, q.query); err != nil {
			w.fail("%s: %v", q.query, err)
		}
	}
	return l
}

// sound checks what holds of the file at any instant.
func (w *world) sound(db *sqlx.DB) {
	for _, c := range []struct{ query, want string }{
		{"PRAGMA integrity_check", "ok"},
		{`SELECT "table" || ' ' || rowid FROM pragma_foreign_key_check`, ""},
		// Every page before a checkpoint is stored, and none after it.
		{`SELECT pass_id FROM passes p
		  WHERE next_page - 1 <> (SELECT count(*) FROM pages WHERE pass_id = p.pass_id)
		     OR next_page - 1 <> (SELECT coalesce(max(page_number), 0) FROM pages WHERE pass_id = p.pass_id)
		     OR items <> (SELECT coalesce(sum(items), 0) FROM pages WHERE pass_id = p.pass_id)`, ""},
		// The bills of every page are there.
		{`SELECT pass_id || ' ' || page_number FROM pages, json_each(bill_ids) j
		  WHERE NOT EXISTS (SELECT 1 FROM bills WHERE bill_id = j.value)`, ""},
		// The books are what the bills say, unless they are to be made anew.
		{`SELECT bill_id || ' ' || currency || ' ' || sum(amount) FROM (
			SELECT bill_id, out_currency AS currency, -out_amount AS amount FROM bills
			WHERE withdrawn_at IS NULL AND bill_status IN ('SUCCESS', 'PARTIAL_CANCEL', 'PARTIAL_REFUND', 'REFUNDED') AND out_amount IS NOT NULL
			UNION ALL
			SELECT bill_id, in_currency, in_amount FROM bills
			WHERE withdrawn_at IS NULL AND bill_status IN ('SUCCESS', 'PARTIAL_CANCEL', 'PARTIAL_REFUND', 'REFUNDED') AND in_amount IS NOT NULL
			UNION ALL
			SELECT bill_id, currency, -amount FROM postings)
		  WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = 'unposted')
		  GROUP BY bill_id, currency HAVING sum(amount) <> 0`, ""},
		{"SELECT line_id FROM postings GROUP BY line_id HAVING count(*) > 1", ""},
		{"SELECT window_id FROM windows WHERE state = 'done' AND (total_count IS NOT stored_count OR proved_at IS NULL)", ""},
	} {
		var got []string
		if err := db.SelectContext(context.Background(), &got, c.query); err != nil {
			w.fail("%s: %v", c.query, err)
		}
		if text := strings.Join(got, "; "); text != c.want {
			w.fail("%s is %q, want %q", c.query, text, c.want)
		}
	}
}

// verified asks "syncer verify" about the bills and the books: nobody has changed them
// by hand, so that it finds nothing.
func (w *world) verified() {
	ctx := context.Background()
	st, err := store.OpenReader(ctx, w.database())
	if err != nil {
		w.fail("%v", err)
		return
	}
	defer st.Close()
	checked, err := st.CheckBooks(ctx, worldfirst.DecodeItem, nil)
	if err != nil {
		w.fail("%v", err)
	}
	left, err := st.Unposted(ctx)
	if err != nil {
		w.fail("%v", err)
	}
	if left {
		return // "syncer verify" posts them first
	}
	for _, f := range checked.Findings {
		w.fail("verify: %s: %s", f.Subject, f.Reason)
	}
}

func parse(text string) time.Time {
	t, err := time.Parse(stamp, text)
	if err != nil {
		panic(err)
	}
	return t
}

func (s span) String() string {
	what := "window"
	if s.Tail {
		what = "tail"
	}
	return fmt.Sprintf("%s of %s %s to %s, %s, next %q: %s", what, s.Account, s.Start, s.End, s.State, s.Next, s.Error)
}

// accept does what a person does who has looked at the items that could not be
// understood.
func (w *world) accept() {
	db, err := sqlx.Open("sqlite3", "file:"+w.database()+"?_busy_timeout=5000")
	if err != nil {
		w.fail("%v", err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE rejected_items SET accepted_at = ? WHERE resolved_at IS NULL", stampOf(w.clock.now())); err != nil {
		w.fail("%v", err)
	}
}

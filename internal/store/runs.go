package store

import (
	"context"
	"fmt"
	"time"

	"billsync/internal/bill"
)

// BeginRun stores the start of a run and sets its ID. A run that never ended,
// because its process was killed, is marked as interrupted.
func (t *Tx) BeginRun(r *bill.Run) error {
	if err := t.exec("closing killed runs", `
		UPDATE runs SET outcome = 'interrupted', error = 'the process ended without a word' WHERE outcome = 'running'`); err != nil {
		return err
	}
	id, err := t.insert("beginning a run", "INSERT INTO runs (trigger, started_at, outcome) VALUES (?, ?, 'running')",
		r.Trigger, text(r.StartedAt))
	r.ID, r.Outcome = id, "running"
	return err
}

// SaveRun stores a run's counts, and its end once it has one.
func (t *Tx) SaveRun(r *bill.Run) error {
	return t.exec("saving a run", `
		UPDATE runs SET finished_at = ?, outcome = ?, requests = ?, bills_read = ?, bills_new = ?, bills_changed = ?,
			bills_withdrawn = ?, bills_returned = ?, error = ?
		WHERE run_id = ?`,
		timeOrNull(r.FinishedAt), r.Outcome, r.Requests, r.Read, r.New, r.Changed, r.Withdrawn, r.Returned, orNull(r.Error), r.ID)
}

// SaveEvidence keeps the last request and answer of a window (0: the tail) that
// waits or failed, for the API's support.
func (t *Tx) SaveEvidence(account string, window, run int64, f *bill.Failure) error {
	x := f.Exchange
	if x == nil {
		x = &bill.Exchange{}
	}
	return t.exec("keeping evidence", `
		INSERT OR REPLACE INTO evidence (account, window_id, run_id, outcome, code, message, sent_at, answered_at, http_status,
		                                 request_line, request_headers, request_body, response_headers, response_body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		account, window, run, f.Outcome.String(), f.Code, f.Message, timeOrNull(x.SentAt), timeOrNull(x.AnsweredAt), statusOrNull(f.HTTPStatus),
		orNull(trim(x.Method+" "+x.Path)), orNull(x.RequestHeaders), orNull(x.RequestBody), orNull(x.ResponseHeaders), orNull(x.ResponseBody))
}

func statusOrNull(status int) any {
	if status == 0 {
		return nil
	}
	return status
}

func trim(s string) string {
	if s == " " {
		return ""
	}
	return s
}

// ClearEvidence forgets it once the window is proved.
func (t *Tx) ClearEvidence(account string, window int64) error {
	return t.exec("clearing evidence", "DELETE FROM evidence WHERE account = ? AND window_id = ?", account, window)
}

// OpenRejected counts the items of an account that could not be understood and
// that nobody has accepted.
func (t *Tx) OpenRejected(account string) (int, error) {
	var n []int
	err := t.rows("counting rejected items", &n, `
		SELECT count(*) FROM rejected_items WHERE account = ? AND accepted_at IS NULL AND resolved_at IS NULL`, account)
	if err != nil {
		return 0, err
	}
	return n[0], nil
}

// CountUnreadable counts the items listed in a window (0: the tail) that are no bills
// to us, whether or not somebody accepted them.
func (t *Tx) CountUnreadable(account string, window int64) (int, error) {
	var n []int
	err := t.rows("counting rejected items", &n, `
		SELECT count(*) FROM rejected_items
		WHERE account = ? AND window_id IS ? AND bill_id IS NULL AND resolved_at IS NULL`, account, windowOrNull(window))
	if err != nil {
		return 0, err
	}
	return n[0], nil
}

// An Origin says where the bills of a database come from.
type Origin struct {
	Host     string // of the API, or "simulator"
	ClientID string
	Accounts []bill.Account
	// ByToken are the accounts whose access token, and no connected id, says
	// whose bills are asked for.
	ByToken map[string]bool
}

// ClaimOrigin compares the origin with the one the database remembers and
// remembers it if there is none yet. A database never mixes the bills of two
// origins: the error is an InputError that says what differs.
func (s *Store) ClaimOrigin(ctx context.Context, o Origin, historyStart func(account string) time.Time, now time.Time) error {
	return s.Update(ctx, func(t *Tx) error {
		if err := t.CompareOrigin(o); err != nil {
			return err
		}
		for key, value := range map[string]string{"origin_host": o.Host, "origin_client_id": o.ClientID} {
			if err := t.exec("remembering the origin", "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", key, value); err != nil {
				return err
			}
		}
		for _, a := range o.Accounts {
			if err := t.SaveAccount(a, historyStart(a.Name), now); err != nil {
				return err
			}
		}
		return nil
	})
}

// CompareOrigin compares an origin with the one the database remembers. The error
// is an InputError that says what differs.
func (t *Tx) CompareOrigin(o Origin) error {
	const advice = "a database holds the bills of one origin: name another file in [database] url for the new one, or set the configuration back"
	for _, c := range []struct{ key, what, want string }{
		{"origin_host", "api.base_url", o.Host}, {"origin_client_id", "api.client_id", o.ClientID},
	} {
		var have []string
		if err := t.rows("reading the origin", &have, "SELECT value FROM meta WHERE key = ?", c.key); err != nil {
			return err
		}
		if len(have) == 1 && have[0] != c.want {
			return &InputError{t.s.path, fmt.Sprintf("its bills come from %s %q, but the configuration says %q", c.what, have[0], c.want), advice}
		}
	}
	for _, a := range o.Accounts {
		var have []struct {
			Customer string `db:"connected_customer_id"`
			Account  string `db:"connected_account_id"`
		}
		if err := t.rows("reading the origin", &have,
			"SELECT connected_customer_id, connected_account_id FROM accounts WHERE account = ?", a.Name); err != nil {
			return err
		}
		if len(have) == 0 {
			if err := t.compareNew(o, a); err != nil {
				return err
			}
			continue
		}
		if have[0].Customer != a.ConnectedCustomerID {
			return &InputError{t.s.path, fmt.Sprintf("account %q holds the bills of connected_customer_id %q, but the configuration says %q",
				a.Name, have[0].Customer, a.ConnectedCustomerID), "give the other customer an account name of its own, or set the configuration back"}
		}
		if have[0].Account != a.ConnectedAccountID {
			return &InputError{t.s.path, fmt.Sprintf("account %q belongs to connected_account_id %q, but the configuration says %q",
				a.Name, have[0].Account, a.ConnectedAccountID), "give the other customer an account name of its own, or set the configuration back"}
		}
	}
	return nil
}

// compareNew makes sure that an account the database does not know is not one it
// knows under another name: everything would be stored twice.
func (t *Tx) compareNew(o Origin, a bill.Account) error {
	if a.ConnectedCustomerID == "" && o.ByToken[a.Name] {
		return nil // nothing tells whose bills the others without an id are
	}
	var known []string
	if err := t.rows("reading the origin", &known,
		"SELECT account FROM accounts WHERE connected_customer_id = ? ORDER BY account", a.ConnectedCustomerID); err != nil {
		return err
	}
	for _, name := range known {
		if a.ConnectedCustomerID == "" && o.ByToken[name] {
			continue
		}
		return &InputError{t.s.path, fmt.Sprintf("account %q is new here, but the bills of its connected_customer_id %q are stored already, as those of account %q",
			a.Name, a.ConnectedCustomerID, name),
			fmt.Sprintf("keep the old name %q, or name another file in [database] url: under a second name everything would be stored twice", name)}
	}
	return nil
}

// AdoptReportZone makes transaction_date follow the report's time zone: if
// another one was in force before, every bill's day is computed anew.
func (s *Store) AdoptReportZone(ctx context.Context) error {
	return s.Update(ctx, func(t *Tx) error {
		if same, err := t.InZone(s.zone); err != nil || same {
			return err
		}
		if err := t.unpost(); err != nil {
			return err
		}
		for _, table := range []struct{ name, key string }{{"bills", "bill_id"}, {"bill_states", "state_id"}} {
			if err := t.redate(table.name, table.key); err != nil {
				return err
			}
		}
		return t.exec("saving the report zone", `
			INSERT INTO meta (key, value) VALUES ('report_timezone', ?)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value`, s.zone.String())
	})
}

// InZone reports whether the days of the database are those of a time zone. The error
// is an InputError if they are those of another one, and may not move any more.
func (t *Tx) InZone(zone *time.Location) (bool, error) {
	var have []string
	if err := t.rows("reading the report zone", &have, "SELECT value FROM meta WHERE key = 'report_timezone'"); err != nil || len(have) == 0 {
		return false, err
	}
	if have[0] == zone.String() {
		return true, nil
	}
	closed, err := t.closed()
	if err == nil && len(closed) > 0 {
		err = &InputError{t.s.path, fmt.Sprintf("months are closed in the time zone %s, and [report] timezone is %s now", have[0], zone),
			fmt.Sprintf("set [report] timezone back to %q: what is closed cannot move to other days", have[0])}
	}
	return false, err
}

// redate computes transaction_date anew, some rows at a time so that memory
// does not grow with the table.
func (t *Tx) redate(table, key string) error {
	for last := int64(0); ; {
		var rows []struct {
			ID   int64 `db:"id"`
			Time stamp `db:"transaction_time"`
		}
		if err := t.rows("reading "+table, &rows,
			"SELECT "+key+" AS id, transaction_time FROM "+table+" WHERE "+key+" > ? ORDER BY "+key+" LIMIT 5000", last); err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		for _, r := range rows {
			if err := t.exec("dating "+table, "UPDATE "+table+" SET transaction_date = ? WHERE "+key+" = ?",
				r.Time.In(t.s.zone).Format(time.DateOnly), r.ID); err != nil {
				return err
			}
			last = r.ID
		}
	}
}

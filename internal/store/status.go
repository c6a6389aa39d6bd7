package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"billsync/internal/bill"
)

// A Coverage is a row of the view of that name: what of an account is proved.
type Coverage struct {
	Account       string
	HistoryStart  time.Time
	From, To      time.Time // proved without a gap; zero if nothing is
	Windows       int
	WindowsProved int
	Bills         int
	Unreadable    int
	Accepted      int // windows without a proof, which a person has accepted
	Complete      bool
}

// A Standing is whether all bills of an account are there, as far as a run can tell.
type Standing struct {
	Account  string
	To       time.Time // until when it is proved; zero if nothing is
	Complete bool
}

// Standings returns the standing of each account; it counts no bills.
func (t *Tx) Standings() (list []Standing, err error) {
	err = t.each("reading the coverage", "SELECT account, proved_to, complete FROM coverage ORDER BY account", nil, func(row []driver.Value) error {
		c := columns{row: row}
		list = append(list, Standing{c.text(0), c.time(1), c.int(2) != 0})
		return c.err
	})
	return list, err
}

// Coverage returns what is proved of each account the database knows.
func (t *Tx) Coverage() ([]Coverage, error) {
	var rows []struct {
		Account string `db:"account"`
		Start   stamp  `db:"history_start"`
		From    stamp  `db:"proved_from"`
		To      stamp  `db:"proved_to"`
		Windows int    `db:"windows"`
		Proved  int    `db:"windows_proved"`
		Bills   int    `db:"bills"`
		Bad     int    `db:"unreadable"`
		Agreed  int    `db:"accepted"`
		Done    bool   `db:"complete"`
	}
	err := t.rows("reading the coverage", &rows, `
		SELECT account, history_start, proved_from, proved_to, windows, windows_proved, bills, unreadable, accepted, complete
		FROM coverage ORDER BY account`)
	out := make([]Coverage, len(rows))
	for i, r := range rows {
		out[i] = Coverage{r.Account, r.Start.Time, r.From.Time, r.To.Time, r.Windows, r.Proved, r.Bills, r.Bad, r.Agreed, r.Done}
	}
	return out, err
}

// A Refusal says since when and why the provider refuses an account.
type Refusal struct {
	At     time.Time
	Code   string
	Reason string
}

// Refusal returns why an account is refused; the zero Refusal if it is not.
func (t *Tx) Refusal(account string) (Refusal, error) {
	var rows []struct {
		At     stamp  `db:"refused_at"`
		Code   string `db:"refused_code"`
		Reason string `db:"refused_reason"`
	}
	err := t.rows("reading a refusal", &rows, `
		SELECT refused_at, refused_code, refused_reason FROM accounts WHERE account = ? AND refused_at IS NOT NULL`, account)
	if err != nil || len(rows) == 0 {
		return Refusal{}, err
	}
	return Refusal{rows[0].At.Time, rows[0].Code, rows[0].Reason}, nil
}

// Runs returns the latest runs, the newest first.
func (t *Tx) Runs(n int) ([]bill.Run, error) {
	var rows []struct {
		ID       int64   `db:"run_id"`
		Trigger  string  `db:"trigger"`
		Started  stamp   `db:"started_at"`
		Finished stamp   `db:"finished_at"`
		Outcome  string  `db:"outcome"`
		Requests int64   `db:"requests"`
		Read     int     `db:"bills_read"`
		New      int     `db:"bills_new"`
		Changed  int     `db:"bills_changed"`
		Gone     int     `db:"bills_withdrawn"`
		Returned int     `db:"bills_returned"`
		Error    *string `db:"error"`
	}
	err := t.rows("reading runs", &rows, `
		SELECT run_id, trigger, started_at, finished_at, outcome, requests, bills_read, bills_new, bills_changed, bills_withdrawn, bills_returned, error
		FROM runs ORDER BY run_id DESC LIMIT ?`, n)
	out := make([]bill.Run, len(rows))
	for i, r := range rows {
		out[i] = bill.Run{ID: r.ID, Trigger: r.Trigger, StartedAt: r.Started.Time, FinishedAt: r.Finished.Time, Outcome: r.Outcome,
			Requests: r.Requests, Read: r.Read, New: r.New, Changed: r.Changed, Withdrawn: r.Gone, Returned: r.Returned, Error: deref(r.Error)}
	}
	return out, err
}

// NextAttempt returns the earliest time at which something of these accounts
// that waits may be asked again; the zero time if nothing waits for a time.
func (t *Tx) NextAttempt(accounts []string) (time.Time, error) {
	list, err := json.Marshal(accounts)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading due retries: %w", err)
	}
	const asked = `account IN (SELECT value FROM json_each(?1)) AND account NOT IN (SELECT account FROM accounts WHERE refused_at IS NOT NULL)`
	var rows []stamp
	err = t.rows("reading due retries", &rows, `
		SELECT next_attempt_at FROM windows
		WHERE next_attempt_at IS NOT NULL AND (state = 'waiting' OR reread_at IS NOT NULL)
		  AND `+asked+`
		UNION ALL
		SELECT next_attempt_at FROM tails
		WHERE next_attempt_at IS NOT NULL AND state = 'waiting' AND `+asked+`
		UNION ALL
		SELECT next_attempt_at FROM chases
		WHERE next_attempt_at IS NOT NULL AND state = 'waiting' AND `+asked+`
		ORDER BY 1 LIMIT 1`, string(list))
	if err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return rows[0].Time, nil
}

// A Count is a line of a summary: how many bills say the same.
type Count struct {
	Name   string `db:"name"`
	Bills  int    `db:"bills"`
	Amount int64  `db:"amount"`
	Back   int64  `db:"back"`
}

// ByStatus counts the live bills by status, the most frequent first.
func (t *Tx) ByStatus() ([]Count, error) {
	var rows []Count
	err := t.rows("counting bills", &rows, `
		SELECT coalesce(bill_status, '(none)') AS name, count(*) AS bills, 0 AS amount, 0 AS back
		FROM bills WHERE withdrawn_at IS NULL GROUP BY 1 ORDER BY bills DESC, name`)
	return rows, err
}

// ByCurrency adds up what left and what came back per currency, as the view
// monthly_spend does. The error is ErrTooMuch if that does not fit.
func (t *Tx) ByCurrency() ([]Count, error) {
	var rows []Count
	err := t.rows("adding up bills", &rows, `
		SELECT currency AS name, sum(bills) AS bills, sum(out_amount) AS amount, sum(in_amount) AS back
		FROM monthly_spend GROUP BY currency ORDER BY bills DESC, name`)
	if overflowed(err) {
		return nil, ErrTooMuch
	}
	return rows, err
}

// Rejected is an item that could not be understood and that nobody accepted.
type Rejected struct {
	ID      int64  `db:"rejected_id"`
	Account string `db:"account"`
	Reason  string `db:"reason"`
}

// Rejected returns the items that could not be understood, the oldest first.
func (t *Tx) Rejected(account string, n int) ([]Rejected, error) {
	var rows []Rejected
	err := t.rows("reading rejected items", &rows, `
		SELECT rejected_id, account, reason FROM rejected_items
		WHERE account = ? AND accepted_at IS NULL AND resolved_at IS NULL ORDER BY rejected_id LIMIT ?`, account, n)
	return rows, err
}

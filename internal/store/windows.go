package store

import (
	"fmt"
	"time"

	"billsync/internal/bill"
)

// savedColumns are what windows, tails and chases have in common, as far as a run
// writes them; progressColumns adds what a person writes beside it.
const (
	savedColumns    = `state, next_page, total_count, stored_count, attempts, setbacks, next_attempt_at, last_error, proved_at, missing`
	progressColumns = savedColumns + `, missing_accepted, accepted_at`
)

const savedMarks = `?, ?, ?, ?, ?, ?, ?, ?, ?, ?` // for progressValues

type progressRow struct {
	State         string  `db:"state"`
	NextPage      int     `db:"next_page"`
	TotalCount    *int    `db:"total_count"`
	StoredCount   *int    `db:"stored_count"`
	Attempts      int     `db:"attempts"`
	Setbacks      int     `db:"setbacks"`
	NextAttemptAt stamp   `db:"next_attempt_at"`
	LastError     *string `db:"last_error"`
	ProvedAt      stamp   `db:"proved_at"`
	Missing       int     `db:"missing"`
	Agreed        int     `db:"missing_accepted"`
	AcceptedAt    stamp   `db:"accepted_at"`
}

func (r *progressRow) progress() bill.Progress {
	return bill.Progress{
		State: bill.State(r.State), NextPage: r.NextPage, TotalCount: r.TotalCount, StoredCount: r.StoredCount,
		Attempts: r.Attempts, Setbacks: r.Setbacks, NextAttemptAt: r.NextAttemptAt.Time,
		LastError: deref(r.LastError), ProvedAt: r.ProvedAt.Time,
		Missing: r.Missing, MissingAccepted: r.Agreed, AcceptedAt: r.AcceptedAt.Time,
	}
}

func progressValues(p *bill.Progress) []any {
	return []any{
		string(p.State), p.NextPage, p.TotalCount, p.StoredCount, p.Attempts, p.Setbacks,
		timeOrNull(p.NextAttemptAt), orNull(p.LastError), timeOrNull(p.ProvedAt),
		p.Missing,
	}
}

// savedExcluded sets them from the row that met a conflict.
//
// What a person accepted while a run was under way stays: only a proof ends it,
// or more missing bills than were agreed to.
const savedExcluded = `state = excluded.state, next_page = excluded.next_page, total_count = excluded.total_count,
	stored_count = excluded.stored_count, attempts = excluded.attempts, setbacks = excluded.setbacks,
	next_attempt_at = excluded.next_attempt_at, last_error = excluded.last_error, proved_at = excluded.proved_at,
	missing = excluded.missing,
	missing_accepted = CASE WHEN excluded.missing BETWEEN 1 AND missing_accepted THEN missing_accepted ELSE 0 END,
	accepted_at = CASE WHEN excluded.state IN ('pending', 'done') THEN NULL ELSE accepted_at END`

type windowRow struct {
	ID       int64  `db:"window_id"`
	Account  string `db:"account"`
	Start    stamp  `db:"window_start"`
	End      stamp  `db:"window_end"`
	Zone     string `db:"zone"`
	OpenEnd  bool   `db:"open_end"`
	RereadAt stamp  `db:"reread_at"`
	FailedAt stamp  `db:"reread_failed_at"`
	progressRow
}

// selectWindows lists an account's windows, the newest first.
const selectWindows = `SELECT window_id, account, window_start, window_end, zone, open_end, reread_at, reread_failed_at, ` + progressColumns + `
	FROM windows WHERE account = ? ORDER BY window_start DESC, window_end DESC`

func windowsOf(rows []windowRow) []bill.Window {
	out := make([]bill.Window, len(rows))
	for i := range rows {
		r := &rows[i]
		out[i] = bill.Window{
			ID: r.ID, Account: r.Account, Span: bill.Span{Start: r.Start.Time, End: r.End.Time}, Zone: r.Zone,
			OpenEnd: r.OpenEnd, RereadAt: r.RereadAt.Time, RereadFailedAt: r.FailedAt.Time, Progress: r.progress(),
		}
	}
	return out
}

// Windows returns an account's windows, the newest first.
func (t *Tx) Windows(account string) ([]bill.Window, error) {
	var rows []windowRow
	if err := t.rows("reading windows", &rows, selectWindows, account); err != nil {
		return nil, err
	}
	return windowsOf(rows), nil
}

// InsertWindow adds a window and sets its ID. One with the same ends that is
// there already is left as it is, and ID stays 0.
func (t *Tx) InsertWindow(w *bill.Window) error {
	args := append([]any{w.Account, text(w.Start), text(w.End), w.Zone, w.OpenEnd, timeOrNull(w.RereadAt)}, progressValues(&w.Progress)...)
	res, err := t.do(`
		INSERT INTO windows (account, window_start, window_end, zone, open_end, reread_at, `+savedColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, `+savedMarks+`)
		ON CONFLICT (account, window_start, window_end) DO NOTHING`, args)
	if err != nil {
		return fmt.Errorf("adding a window: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	w.ID, err = res.LastInsertId()
	return err
}

// SaveWindow stores a window's end and progress.
func (t *Tx) SaveWindow(w *bill.Window) error {
	args := append(progressValues(&w.Progress), text(w.End), w.OpenEnd, timeOrNull(w.RereadAt), timeOrNull(w.RereadFailedAt), w.Missing,
		w.State == bill.Done && w.RereadAt.IsZero(), w.ID)
	return t.exec("saving a window", `
		UPDATE windows SET (`+savedColumns+`, window_end, open_end, reread_at, reread_failed_at) = (`+savedMarks+`, ?, ?, ?, ?),
			missing_accepted = CASE WHEN ? BETWEEN 1 AND missing_accepted THEN missing_accepted ELSE 0 END,
			accepted_at = CASE WHEN ? THEN NULL ELSE accepted_at END
		WHERE window_id = ?`, args...)
}

// DeleteWindow removes a window that was cut into smaller ones, with what its
// passes recorded.
func (t *Tx) DeleteWindow(w *bill.Window) error {
	if err := t.deletePasses("window_id = ?", w.ID); err != nil {
		return err
	}
	if err := t.ClearEvidence(w.Account, w.ID); err != nil {
		return err
	}
	if err := t.exec("removing a chase", "DELETE FROM chases WHERE account = ? AND window_id = ?", w.Account, w.ID); err != nil {
		return err
	}
	return t.exec("removing a window", "DELETE FROM windows WHERE window_id = ?", w.ID)
}

type tailRow struct {
	Account     string `db:"account"`
	CoveredFrom stamp  `db:"covered_from"`
	ProvedUntil stamp  `db:"proved_until"`
	AuditedAt   stamp  `db:"audited_at"`
	RereadAt    stamp  `db:"reread_at"`
	MissingFrom stamp  `db:"missing_from"`
	progressRow
}

const selectTail = `SELECT account, covered_from, proved_until, audited_at, reread_at, missing_from, ` + progressColumns + ` FROM tails WHERE account = ?`

func tailOf(rows []tailRow) *bill.Tail {
	if len(rows) == 0 {
		return nil
	}
	r := &rows[0]
	return &bill.Tail{Account: r.Account, CoveredFrom: r.CoveredFrom.Time, ProvedUntil: r.ProvedUntil.Time, AuditedAt: r.AuditedAt.Time,
		RereadAt: r.RereadAt.Time, MissingFrom: r.MissingFrom.Time, Progress: r.progress()}
}

// Tail returns an account's tail, nil if there is none yet.
func (t *Tx) Tail(account string) (*bill.Tail, error) {
	var rows []tailRow
	if err := t.rows("reading the tail", &rows, selectTail, account); err != nil {
		return nil, err
	}
	return tailOf(rows), nil
}

// SaveTail adds or stores an account's tail.
func (t *Tx) SaveTail(tl *bill.Tail) error {
	args := append([]any{tl.Account, text(tl.CoveredFrom), timeOrNull(tl.ProvedUntil), timeOrNull(tl.AuditedAt),
		timeOrNull(tl.RereadAt), timeOrNull(tl.MissingFrom)}, progressValues(&tl.Progress)...)
	return t.exec("saving the tail", `
		INSERT INTO tails (account, covered_from, proved_until, audited_at, reread_at, missing_from, `+savedColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, `+savedMarks+`)
		ON CONFLICT (account) DO UPDATE SET
			covered_from = excluded.covered_from, proved_until = excluded.proved_until, audited_at = excluded.audited_at,
			reread_at = excluded.reread_at, missing_from = excluded.missing_from,
			`+savedExcluded, args...)
}

// SaveAccount adds an account or stores how far back its history reaches.
func (t *Tx) SaveAccount(a bill.Account, historyStart, now time.Time) error {
	return t.exec("saving an account", `
		INSERT INTO accounts (account, connected_customer_id, connected_account_id, history_start, created_at)
		VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (account) DO UPDATE SET history_start = excluded.history_start
		WHERE history_start <> excluded.history_start`,
		a.Name, a.ConnectedCustomerID, a.ConnectedAccountID, text(historyStart), text(now))
}

// SaveRefusal keeps why the API refuses an account; a nil failure clears it.
func (t *Tx) SaveRefusal(account string, f *bill.Failure, now time.Time) error {
	if f == nil {
		return t.exec("clearing a refusal", `
			UPDATE accounts SET refused_at = NULL, refused_code = NULL, refused_reason = NULL
			WHERE account = ? AND refused_at IS NOT NULL`, account)
	}
	return t.exec("saving a refusal", `
		UPDATE accounts SET refused_at = ?, refused_code = ?, refused_reason = ? WHERE account = ?`,
		text(now), f.Code, f.Error()+". "+f.Advice, account)
}

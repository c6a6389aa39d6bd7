package store

import (
	"encoding/json"
	"fmt"
	"time"
)

// The states of a request to register a cardholder.
const (
	HolderSending  = "sending"  // asked, and no answer stored: under way, or left by a crash
	HolderWaiting  = "waiting"  // to be asked again
	HolderAnswered = "answered" // registered; the review is another matter
	HolderRepeated = "repeated" // received before, and nobody says what became of it
	HolderRefused  = "refused"
	HolderFailed   = "failed" // asked as often as the API allows
)

// A Cardholder is a request to register a cardholder, and what came of it. What
// identifies the person is not in it.
type Cardholder struct {
	RequestID       string
	Account         string
	Type            string
	InfoFile        string // absolute; empty: from standard input
	InfoSalt        string
	InfoHash        string // of the content as it is
	SenseHash       string // of the content, however it is written
	State           string
	Attempts        int
	Setbacks        int
	NextAttemptAt   time.Time
	LastCode        string
	LastError       string
	OrderID         string
	CardholderID    string
	AuditStatus     string
	AvailableStatus string
	FailCode        string
	FailMessage     string
	CreatedAt       time.Time
	SentAt          time.Time
	AnsweredAt      time.Time
	RefreshedAt     time.Time
	AcceptedAt      time.Time // a person closed it; SaveCardholder leaves this and the note as they are
	AcceptedNote    string
}

// holderRow is a row as it stands in the table.
type holderRow struct {
	RequestID       string  `db:"request_id"`
	Account         string  `db:"account"`
	Type            string  `db:"cardholder_type"`
	InfoFile        *string `db:"info_file"`
	InfoSalt        string  `db:"info_salt"`
	InfoHash        string  `db:"info_hash"`
	SenseHash       string  `db:"sense_hash"`
	State           string  `db:"state"`
	Attempts        int     `db:"attempts"`
	Setbacks        int     `db:"setbacks"`
	NextAttemptAt   stamp   `db:"next_attempt_at"`
	LastCode        *string `db:"last_code"`
	LastError       *string `db:"last_error"`
	OrderID         *string `db:"order_id"`
	CardholderID    *string `db:"cardholder_id"`
	AuditStatus     *string `db:"audit_status"`
	AvailableStatus *string `db:"available_status"`
	FailCode        *string `db:"fail_code"`
	FailMessage     *string `db:"fail_message"`
	CreatedAt       stamp   `db:"created_at"`
	SentAt          stamp   `db:"sent_at"`
	AnsweredAt      stamp   `db:"answered_at"`
	RefreshedAt     stamp   `db:"refreshed_at"`
	AcceptedAt      stamp   `db:"accepted_at"`
	AcceptedNote    *string `db:"accepted_note"`
}

const holderColumns = `request_id, account, cardholder_type, info_file, info_salt, info_hash, sense_hash, state, attempts, setbacks, next_attempt_at,
	last_code, last_error, order_id, cardholder_id, audit_status, available_status, fail_code, fail_message,
	created_at, sent_at, answered_at, refreshed_at`

const holderFields = holderColumns + ", accepted_at, accepted_note"

func (r *holderRow) cardholder() Cardholder {
	return Cardholder{
		RequestID: r.RequestID, Account: r.Account, Type: r.Type, InfoFile: deref(r.InfoFile), InfoSalt: r.InfoSalt, InfoHash: r.InfoHash, SenseHash: r.SenseHash,
		State: r.State, Attempts: r.Attempts, Setbacks: r.Setbacks, NextAttemptAt: r.NextAttemptAt.Time,
		LastCode: deref(r.LastCode), LastError: deref(r.LastError), OrderID: deref(r.OrderID), CardholderID: deref(r.CardholderID),
		AuditStatus: deref(r.AuditStatus), AvailableStatus: deref(r.AvailableStatus), FailCode: deref(r.FailCode), FailMessage: deref(r.FailMessage),
		CreatedAt: r.CreatedAt.Time, SentAt: r.SentAt.Time, AnsweredAt: r.AnsweredAt.Time, RefreshedAt: r.RefreshedAt.Time,
		AcceptedAt: r.AcceptedAt.Time, AcceptedNote: deref(r.AcceptedNote),
	}
}

// Cardholder returns the request with an id, and whether there is one.
func (t *Tx) Cardholder(requestID string) (Cardholder, bool, error) {
	var rows []holderRow
	err := t.rows("reading a cardholder", &rows, "SELECT "+holderFields+" FROM cardholders WHERE request_id = ?", requestID)
	if err != nil || len(rows) == 0 {
		return Cardholder{}, false, err
	}
	return rows[0].cardholder(), true, nil
}

// Cardholders returns the requests of some accounts, the oldest first.
func (t *Tx) Cardholders(accounts []string) ([]Cardholder, error) {
	list, err := json.Marshal(accounts)
	if err != nil {
		return nil, fmt.Errorf("reading cardholders: %w", err)
	}
	var rows []holderRow
	err = t.rows("reading cardholders", &rows, "SELECT "+holderFields+` FROM cardholders
		WHERE account IN (SELECT value FROM json_each(?)) ORDER BY created_at, request_id`, string(list))
	if err != nil {
		return nil, err
	}
	out := make([]Cardholder, len(rows))
	for i := range rows {
		out[i] = rows[i].cardholder()
	}
	return out, nil
}

// SaveCardholder stores a request and where it stands.
func (t *Tx) SaveCardholder(c Cardholder) error {
	return t.exec("saving a cardholder", `
		INSERT INTO cardholders (`+holderColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (request_id) DO UPDATE SET
			info_file = excluded.info_file, state = excluded.state, attempts = excluded.attempts, setbacks = excluded.setbacks,
			next_attempt_at = excluded.next_attempt_at, last_code = excluded.last_code, last_error = excluded.last_error,
			order_id = excluded.order_id, cardholder_id = excluded.cardholder_id, audit_status = excluded.audit_status,
			available_status = excluded.available_status, fail_code = excluded.fail_code, fail_message = excluded.fail_message,
			sent_at = excluded.sent_at, answered_at = excluded.answered_at, refreshed_at = excluded.refreshed_at`,
		c.RequestID, c.Account, c.Type, orNull(c.InfoFile), c.InfoSalt, c.InfoHash, c.SenseHash, c.State, c.Attempts, c.Setbacks, timeOrNull(c.NextAttemptAt),
		orNull(c.LastCode), orNull(c.LastError), orNull(c.OrderID), orNull(c.CardholderID), orNull(c.AuditStatus), orNull(c.AvailableStatus),
		orNull(c.FailCode), orNull(c.FailMessage), text(c.CreatedAt), timeOrNull(c.SentAt), timeOrNull(c.AnsweredAt), timeOrNull(c.RefreshedAt))
}

// NextCardholder returns when the earliest request of some accounts is due that
// can be asked again without a person, and the zero time if there is none. One
// that is being sent is due as well: whoever was sending it may be dead.
func (t *Tx) NextCardholder(accounts []string) (time.Time, error) {
	list, err := json.Marshal(accounts)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading due cardholders: %w", err)
	}
	var rows []stamp
	err = t.rows("reading due cardholders", &rows, `
		SELECT CASE state WHEN 'waiting' THEN coalesce(next_attempt_at, created_at) ELSE coalesce(sent_at, created_at) END FROM cardholders
		WHERE state IN ('sending', 'waiting') AND info_file IS NOT NULL AND accepted_at IS NULL AND account IN (SELECT value FROM json_each(?))
		ORDER BY 1 LIMIT 1`, string(list))
	if err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return rows[0].Time, nil
}

// findCardholder finds a request for a cardholder that a person can close.
func (t *Tx) findCardholder(requestID string) (Acceptance, func(string, time.Time) error, error) {
	subject := "cardholder:" + requestID
	c, ok, err := t.Cardholder(requestID)
	switch {
	case err != nil:
		return Acceptance{}, nil, err
	case !ok:
		return Acceptance{}, nil, t.notAcceptable(subject, "does not exist")
	case !c.AcceptedAt.IsZero():
		return Acceptance{}, nil, t.notAcceptable(subject, "was accepted before, "+text(c.AcceptedAt))
	case c.State == HolderAnswered:
		return Acceptance{}, nil, t.notAcceptable(subject, "is settled: the cardholder was registered")
	case c.State == HolderSending:
		return Acceptance{}, nil, t.notAcceptable(subject, "is being sent, or was when syncer was killed; \"syncer cardholder resume\" goes on with it")
	}
	a := Acceptance{Subject: subject, Account: c.Account, Reason: c.LastError}
	return a, func(note string, now time.Time) error {
		return t.exec("accepting a request for a cardholder", "UPDATE cardholders SET accepted_at = ?, accepted_note = ? WHERE request_id = ?", text(now), note, requestID)
	}, nil
}

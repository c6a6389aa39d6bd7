package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An Acceptance is what a person has looked at and accepted.
type Acceptance struct {
	Subject    string // item:12, window:7, tail:main, notification:3, cardholder:ID
	Account    string
	Start, End time.Time // of the window or the tail; zero for an item
	Reason     string    // what stood in the way
	Missing    int       // bills that may be marked as withdrawn by the next sync; 0: it was not about that
	Note       string
	At         time.Time
}

// acceptable is a row that a person can accept.
type acceptable struct {
	ID        int64   `db:"id"`
	Account   string  `db:"account"`
	Start     stamp   `db:"span_start"`
	End       stamp   `db:"span_end"`
	State     string  `db:"state"`
	Missing   int     `db:"missing"`
	Agreed    int     `db:"agreed"`
	Accepted  stamp   `db:"accepted_at"`
	LastError *string `db:"last_error"`
}

// Accept records that a person has looked at something that keeps runs from
// being complete: an item that cannot be understood (item:ID), a window that
// waits or failed, or whose bills are listed no longer (window:ID), bills of the
// tail that are listed no longer (tail:ACCOUNT), a notification in the inbox
// (notification:ID), or a request for a cardholder that is not settled
// (cardholder:REQUEST_ID). A bare number is taken for whichever it can be. The
// error is an InputError if there is nothing like that to accept.
func (s *Store) Accept(ctx context.Context, subject, note string, now time.Time) (a Acceptance, err error) {
	err = s.Update(ctx, func(t *Tx) error {
		a, err = t.accept(subject, note, now)
		return err
	})
	return a, err
}

// PreviewAccept says what Accept would record and changes nothing.
func (s *Store) PreviewAccept(ctx context.Context, subject string, now time.Time) (a Acceptance, err error) {
	err = s.View(ctx, func(t *Tx) error {
		a, _, err = t.findAcceptable(subject)
		a.At = now
		return err
	})
	return a, err
}

func (t *Tx) accept(subject, note string, now time.Time) (Acceptance, error) {
	a, mark, err := t.findAcceptable(subject)
	if err != nil {
		return a, err
	}
	a.Note, a.At = note, now
	if err := mark(note, now); err != nil {
		return a, err
	}
	if a.Account == "" {
		return a, nil // a notification of which nobody knows whose it is: its own row tells
	}
	return a, t.exec("recording what was accepted", `
		INSERT INTO acceptances (account, subject, span_start, span_end, reason, note, accepted_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		a.Account, a.Subject, timeOrNull(a.Start), timeOrNull(a.End), a.Reason, note, text(now))
}

// findAcceptable finds what a subject names and how it is marked as accepted.
func (t *Tx) findAcceptable(subject string) (Acceptance, func(string, time.Time) error, error) {
	kind, name, ok := strings.Cut(subject, ":")
	if !ok {
		return t.findByNumber(subject)
	}
	switch kind {
	case "item", "window", "notification":
		id, err := strconv.ParseInt(name, 10, 64)
		if err != nil || id < 1 {
			return Acceptance{}, nil, t.notAcceptable(subject, "has no number")
		}
		switch kind {
		case "item":
			return t.findItem(id)
		case "notification":
			return t.findNotification(id)
		}
		return t.findWindow(id)
	case "tail":
		return t.findTail(name)
	case "cardholder":
		return t.findCardholder(name)
	}
	return Acceptance{}, nil, t.notAcceptable(subject, "is nothing that can be accepted")
}

func (t *Tx) notAcceptable(subject, why string) error {
	return &InputError{t.s.path, subject + " " + why,
		"what can be accepted: item:ID (an item that cannot be understood), window:ID, tail:ACCOUNT, notification:ID, cardholder:REQUEST_ID; \"syncer status\" shows what there is"}
}

// findByNumber takes a bare number for an open item or for a window.
func (t *Tx) findByNumber(subject string) (Acceptance, func(string, time.Time) error, error) {
	id, err := strconv.ParseInt(subject, 10, 64)
	if err != nil {
		return Acceptance{}, nil, t.notAcceptable(strconv.Quote(subject), "is nothing that can be accepted")
	}
	item, markItem, errItem := t.findItem(id)
	window, markWindow, errWindow := t.findWindow(id)
	switch {
	case errItem == nil && errWindow == nil:
		return Acceptance{}, nil, t.notAcceptable(subject, fmt.Sprintf("may be item:%d or window:%d: say which", id, id))
	case errItem == nil:
		return item, markItem, nil
	case errWindow == nil:
		return window, markWindow, nil
	}
	return Acceptance{}, nil, t.notAcceptable(subject, "is neither an item nor a window that waits for a person")
}

func (t *Tx) findItem(id int64) (Acceptance, func(string, time.Time) error, error) {
	subject := fmt.Sprintf("item:%d", id)
	var rows []struct {
		Account  string `db:"account"`
		Reason   string `db:"reason"`
		Accepted stamp  `db:"accepted_at"`
		Resolved stamp  `db:"resolved_at"`
	}
	err := t.rows("looking for an item", &rows, "SELECT account, reason, accepted_at, resolved_at FROM rejected_items WHERE rejected_id = ?", id)
	switch {
	case err != nil:
		return Acceptance{}, nil, err
	case len(rows) == 0:
		return Acceptance{}, nil, t.notAcceptable(subject, "does not exist")
	case !rows[0].Accepted.IsZero():
		return Acceptance{}, nil, t.notAcceptable(subject, "was accepted before, "+text(rows[0].Accepted.Time))
	case !rows[0].Resolved.IsZero():
		return Acceptance{}, nil, t.notAcceptable(subject, "is settled: the API lists it readable by now, or no longer")
	}
	a := Acceptance{Subject: subject, Account: rows[0].Account, Reason: rows[0].Reason}
	return a, func(note string, now time.Time) error {
		return t.exec("accepting an item", "UPDATE rejected_items SET accepted_at = ?, accepted_note = ? WHERE rejected_id = ?", text(now), note, id)
	}, nil
}

func (t *Tx) findWindow(id int64) (Acceptance, func(string, time.Time) error, error) {
	subject := fmt.Sprintf("window:%d", id)
	var rows []acceptable
	err := t.rows("looking for a window", &rows, `
		SELECT window_id AS id, account, window_start AS span_start, window_end AS span_end,
		       CASE WHEN reread_failed_at IS NOT NULL THEN 'failed' ELSE state END AS state, missing, missing_accepted AS agreed,
		       accepted_at, last_error
		FROM windows WHERE window_id = ?`, id)
	if err != nil {
		return Acceptance{}, nil, err
	}
	if len(rows) == 0 {
		return Acceptance{}, nil, t.notAcceptable(subject, "does not exist")
	}
	if rows[0].State == "done" {
		chased, err := t.findChase(&rows[0], id)
		if err != nil {
			return Acceptance{}, nil, err
		}
		if chased != nil {
			return t.settleAcceptable(subject, chased, "chases", "account = ? AND window_id = ?", chased.Account, id)
		}
	}
	return t.settleAcceptable(subject, &rows[0], "windows", "window_id = ?", id)
}

// findChase finds a look for changes in a window (0: the tail) that waits or
// failed.
func (t *Tx) findChase(of *acceptable, window int64) (*acceptable, error) {
	var rows []acceptable
	err := t.rows("looking for a window", &rows, `
		SELECT window_id AS id, account, NULL AS span_start, NULL AS span_end, state, 0 AS missing, 0 AS agreed, accepted_at, last_error
		FROM chases WHERE account = ? AND window_id = ? AND state IN ('waiting', 'failed')`, of.Account, window)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	rows[0].Start, rows[0].End = of.Start, of.End
	return &rows[0], nil
}

func (t *Tx) findTail(account string) (Acceptance, func(string, time.Time) error, error) {
	var rows []acceptable
	err := t.rows("looking for a tail", &rows, `
		SELECT 0 AS id, account, covered_from AS span_start, proved_until AS span_end, state, missing, missing_accepted AS agreed,
		       accepted_at, last_error
		FROM tails WHERE account = ?`, account)
	if err != nil {
		return Acceptance{}, nil, err
	}
	if len(rows) == 0 {
		return Acceptance{}, nil, t.notAcceptable("tail:"+account, "does not exist")
	}
	if rows[0].Missing == 0 {
		chased, err := t.findChase(&rows[0], 0)
		if err != nil {
			return Acceptance{}, nil, err
		}
		if chased != nil {
			return t.settleAcceptable("tail:"+account, chased, "chases", "account = ? AND window_id = ?", account, 0)
		}
		return Acceptance{}, nil, t.notAcceptable("tail:"+account, "lacks no bills, there is nothing to accept: every sync asks for it again")
	}
	return t.settleAcceptable("tail:"+account, &rows[0], "tails", "account = ?", account)
}

// settleAcceptable says how a window, a tail or a chase is marked as accepted.
func (t *Tx) settleAcceptable(subject string, x *acceptable, table, where string, key ...any) (Acceptance, func(string, time.Time) error, error) {
	a := Acceptance{Subject: subject, Account: x.Account, Start: x.Start.Time, End: x.End.Time, Reason: deref(x.LastError)}
	switch {
	case x.State == "done":
		return a, nil, t.notAcceptable(subject, "is proved, there is nothing to accept")
	case x.State != "waiting" && x.State != "failed":
		return a, nil, t.notAcceptable(subject, "was not read yet; \"syncer sync\" reads it")
	case x.Missing > 0 && x.Agreed > 0, x.Missing == 0 && !x.Accepted.IsZero():
		return a, nil, t.notAcceptable(subject, "was accepted before")
	case x.Missing > 0:
		a.Missing = x.Missing
		return a, func(string, time.Time) error {
			return t.exec("accepting a withdrawal", "UPDATE "+table+" SET missing_accepted = missing, next_attempt_at = NULL WHERE "+where, key...)
		}, nil
	}
	return a, func(_ string, now time.Time) error {
		return t.exec("accepting a window", "UPDATE "+table+" SET accepted_at = ? WHERE "+where, append([]any{text(now)}, key...)...)
	}, nil
}

package store

import (
	"fmt"
	"strings"
	"time"

	"billsync/internal/bill"
)

// AccountNames returns the accounts that the database knows, in the
// configuration or not.
func (t *Tx) AccountNames() ([]string, error) {
	var names []string
	err := t.rows("listing accounts", &names, "SELECT account FROM accounts ORDER BY account")
	return names, err
}

// Payers returns the accounts that pay with a card, as far as the bill list told.
func (t *Tx) Payers(assetID string) ([]string, error) {
	var names []string
	err := t.rows("looking for a card", &names, "SELECT account FROM cards WHERE asset_id = ? ORDER BY account", assetID)
	return names, err
}

// StatusOf returns a bill's status.
func (t *Tx) StatusOf(id int64) (string, error) {
	var rows []*string
	err := t.rows("looking for a bill's status", &rows, "SELECT bill_status FROM bills WHERE bill_id = ?", id)
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return deref(rows[0]), nil
}

// KeepUnsaid brings back, into the present state of a bill, what its last state
// said about card, merchant and budget and this one does not: a notification has
// fewer fields than the list (API §8.2). The next listing says it all again.
func (t *Tx) KeepUnsaid(id int64) error {
	const columns = "bill_type, asset_id, masked_card_no, card_last4, card_nick_name, merchant_name, budget_account_id, trade_country, metadata"
	var set []string
	for c := range strings.SplitSeq(columns, ", ") {
		set = append(set, "coalesce(bills."+c+", s."+c+")")
	}
	return t.exec("keeping what a notification does not say", `
		UPDATE bills SET (`+columns+`) = (`+strings.Join(set, ", ")+`)
		FROM (SELECT `+columns+` FROM bill_states WHERE bill_id = ?1 ORDER BY state_id DESC LIMIT 1) s
		WHERE bill_id = ?1`, id)
}

// PutInInbox keeps a notification that cannot be stored as a bill yet. It
// reports whether it is there for the first time: the same one delivered again
// is only counted.
func (t *Tx) PutInInbox(n *bill.Notification, reason string) (fresh bool, err error) {
	const doing = "keeping a notification"
	b := &n.Item.Bill
	again, err := t.affected(doing, "UPDATE inbox SET deliveries = deliveries + 1 WHERE item_hash = ? AND coalesce(account, '') = ?", b.Hash, n.Account)
	if again > 0 || err != nil {
		return false, err
	}
	var at any
	if !n.Item.Rejected {
		at = text(b.TransactionTime)
	}
	return true, t.exec(doing, `
		INSERT INTO inbox (account, reason, order_no, bill_no, transaction_time, asset_id, last_update, item_hash, sent_at, received_at, raw)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		orNull(n.Account), reason, orNull(b.OrderNo), orNull(b.BillNo), at, orNull(b.AssetID), timeOrNull(b.LastUpdate),
		b.Hash, timeOrNull(n.SentAt), text(n.ReceivedAt), string(b.Raw))
}

// Inbox returns notifications that wait, behind a given one, the oldest first.
func (t *Tx) Inbox(after int64, limit int) ([]bill.InboxEntry, error) {
	var rows []struct {
		ID       int64   `db:"notification_id"`
		Account  *string `db:"account"`
		Raw      string  `db:"raw"`
		Sent     stamp   `db:"sent_at"`
		Received stamp   `db:"received_at"`
	}
	err := t.rows("reading the inbox", &rows, `
		SELECT notification_id, account, raw, sent_at, received_at FROM inbox
		WHERE resolved_at IS NULL AND accepted_at IS NULL AND notification_id > ? ORDER BY notification_id LIMIT ?`, after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]bill.InboxEntry, len(rows))
	for i, r := range rows {
		out[i] = bill.InboxEntry{ID: r.ID, Account: deref(r.Account), Raw: []byte(r.Raw), SentAt: r.Sent.Time, ReceivedAt: r.Received.Time}
	}
	return out, nil
}

// ReadSince reports whether a pass over a time that began at some instant or
// later is finished.
func (t *Tx) ReadSince(account string, at, since time.Time) (bool, error) {
	const edge = time.Second // the API may leave out what is at the ends of a span
	var found []int
	err := t.rows("looking for a reading", &found, `
		SELECT 1 FROM passes WHERE account = ? AND state = 'done' AND span_start <= ? AND span_end >= ? AND begun_at >= ? LIMIT 1`,
		account, text(at.Add(-edge)), text(at.Add(edge)), text(since))
	return len(found) > 0, err
}

// A Notice is a notification that waits in the inbox, for people.
type Notice struct {
	ID         int64
	Account    string // empty: not known
	OrderNo    string
	Reason     string
	ReceivedAt time.Time
}

// Notices returns the notifications that wait, the oldest first and at most n,
// and how many wait in all.
func (t *Tx) Notices(n int) ([]Notice, int, error) {
	var rows []struct {
		ID       int64   `db:"notification_id"`
		Account  *string `db:"account"`
		OrderNo  *string `db:"order_no"`
		Reason   string  `db:"reason"`
		Received stamp   `db:"received_at"`
		All      int     `db:"waiting"`
	}
	err := t.rows("reading the inbox", &rows, `
		SELECT notification_id, account, order_no, reason, received_at, count(*) OVER () AS waiting FROM inbox
		WHERE resolved_at IS NULL AND accepted_at IS NULL ORDER BY notification_id LIMIT ?`, n)
	if err != nil || len(rows) == 0 {
		return nil, 0, err
	}
	out := make([]Notice, len(rows))
	for i, r := range rows {
		out[i] = Notice{r.ID, deref(r.Account), deref(r.OrderNo), r.Reason, r.Received.Time}
	}
	return out, rows[0].All, nil
}

// TakeFromInbox notes that a notification is settled. Its row stays.
func (t *Tx) TakeFromInbox(id int64, now time.Time) error {
	return t.exec("settling a notification", "UPDATE inbox SET resolved_at = ? WHERE notification_id = ?", text(now), id)
}

// findNotification finds a notification that waits for a person to accept it.
func (t *Tx) findNotification(id int64) (Acceptance, func(string, time.Time) error, error) {
	subject := fmt.Sprintf("notification:%d", id)
	var rows []struct {
		Account  *string `db:"account"`
		Reason   string  `db:"reason"`
		Accepted stamp   `db:"accepted_at"`
		Resolved stamp   `db:"resolved_at"`
	}
	err := t.rows("looking for a notification", &rows, "SELECT account, reason, accepted_at, resolved_at FROM inbox WHERE notification_id = ?", id)
	switch {
	case err != nil:
		return Acceptance{}, nil, err
	case len(rows) == 0:
		return Acceptance{}, nil, t.notAcceptable(subject, "does not exist")
	case !rows[0].Accepted.IsZero():
		return Acceptance{}, nil, t.notAcceptable(subject, "was accepted before, "+text(rows[0].Accepted.Time))
	case !rows[0].Resolved.IsZero():
		return Acceptance{}, nil, t.notAcceptable(subject, "is settled: its bill is stored")
	}
	a := Acceptance{Subject: subject, Account: deref(rows[0].Account), Reason: rows[0].Reason}
	return a, func(note string, now time.Time) error {
		return t.exec("accepting a notification", "UPDATE inbox SET accepted_at = ?, accepted_note = ? WHERE notification_id = ?", text(now), note, id)
	}, nil
}

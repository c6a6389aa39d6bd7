package bill

import (
	"fmt"
	"time"
)

// A Notification is one bill that the provider told us of by itself (API §10).
type Notification struct {
	// Account is whose bill it is, if the address it came to says so; empty: it
	// has to be found out.
	Account    string
	Item       Item
	SentAt     time.Time // its Request-Time; zero if that is not readable
	ReceivedAt time.Time
}

// A Receipt says what became of a Notification.
type Receipt int

const (
	// Placed: a new bill, or a newer state of one, is in the database.
	Placed Receipt = iota + 1
	// Had: the database has this state already, or a newer one.
	Had
	// Kept: it waits in the inbox until the bill list tells what it is.
	Kept
	// NotUnderstood: it is no bill, and is kept in the inbox for a person.
	NotUnderstood
)

func (r Receipt) String() string {
	switch r {
	case Placed:
		return "placed"
	case Had:
		return "had"
	case Kept:
		return "kept"
	case NotUnderstood:
		return "not understood"
	}
	return fmt.Sprintf("receipt %d", int(r))
}

// An InboxEntry is a notification in the inbox.
type InboxEntry struct {
	ID         int64
	Account    string // empty: not known
	Raw        []byte
	SentAt     time.Time
	ReceivedAt time.Time
}

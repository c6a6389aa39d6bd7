package verify

import (
	"context"
	"time"

	"billsync/internal/bill"
)

// A Source answers queries for bills. Its errors about the provider are
// bill.Failure values.
type Source interface {
	QueryBillList(ctx context.Context, acct bill.Account, q bill.Query) (bill.Page, error)
}

// A Library lets one look at the books. View runs fn on one state of them,
// whoever writes meanwhile.
type Library interface {
	View(ctx context.Context, fn func(Books) error) error
}

// Proofs are what was proved of accounts.
type Proofs interface {
	Windows(account string) ([]bill.Window, error)
	Tail(account string) (*bill.Tail, error)
}

// Books are what the database knows.
type Books interface {
	Proofs

	// Stored counts the bills from a time to before another.
	Stored(account string, from, to time.Time) (bill.Stored, error)
	// Moments calls fn with the times of all bills from one time to another,
	// both included, until it returns false.
	Moments(account string, from, to time.Time, newestFirst bool, fn func(time.Time) bool) error
	// Unreadable calls fn for every listed item that is no bill: as received,
	// in which window it was seen (0: the tail), and in which span.
	Unreadable(account string, fn func(raw []byte, window int64, seen bill.Span)) error
}

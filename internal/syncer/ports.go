package syncer

import (
	"context"
	"time"

	"billsync/internal/bill"
)

// A Source answers queries for bills. Its errors about the provider are
// bill.Failure values; an error of the context is passed through.
type Source interface {
	QueryBillList(ctx context.Context, acct bill.Account, q bill.Query) (bill.Page, error)
	// Requests returns how many HTTP requests were sent so far.
	Requests() int64
}

// A Store keeps what was read. Update runs fn in one transaction.
type Store interface {
	Update(ctx context.Context, fn func(Tx) error) error
}

// A Tx is one transaction of a Store.
type Tx interface {
	AccountState(account string) (bill.AccountState, error)
	SaveRefresh(account string, wanted, refreshed time.Time) error
	SaveRefusal(account string, f *bill.Failure, now time.Time) error

	Windows(account string) ([]bill.Window, error)
	InsertWindow(w *bill.Window) error
	SaveWindow(w *bill.Window) error
	DeleteWindow(w *bill.Window) error
	Tail(account string) (*bill.Tail, error)
	SaveTail(t *bill.Tail) error
	Chases(account string) (map[int64]bill.Chase, error)
	SaveChase(c *bill.Chase) error
	CountByStatus(account string, from, to time.Time) (map[string]int, error)
	LiveInStatuses(account string, from, to time.Time, statuses []string, seen func(int64) bool) ([]bill.Known, error)
	Unlisted(account string, from, to time.Time, p *bill.Pass, seen func(int64) bool) (gone []bill.Known, live int, err error)
	LiveOutside(account string, from, to time.Time) (time.Time, error)
	Withdraw(k *bill.Known, now time.Time, run int64) (bool, error)
	SettleChase(account string, window int64) error

	ReadingPass(account string, window int64) (*bill.Pass, error)
	BeginPass(p *bill.Pass) error
	SavePass(p *bill.Pass) error
	DropPass(account string, window int64) error
	FinishPass(p *bill.Pass) error
	SavePage(p *bill.PageRecord) error
	Pages(pass int64, fn func(bill.PageRecord) error) error
	KnownPages(account string, window int64) (map[int]string, error)
	RecordedBills(account string, window int64, page int) (ids []int64, hash string, err error)
	Hold(pass int64, h *bill.HeldItem) error
	Held(pass int64, decode func([]byte) bill.Item) ([]bill.HeldItem, error)

	KnownByOrders(account string, orders []string) ([]bill.Known, error)
	KnownByBillNos(account string, billNos []string) ([]bill.Known, error)
	AnyBetween(account string, from, to int64) (bool, error)
	InsertBill(account string, b *bill.Bill, ordinal int, now, readAt time.Time, run int64) (int64, error)
	UpdateBill(id int64, b *bill.Bill, ordinal int, now, readAt time.Time, run int64) error
	UpdateNickName(id int64, name string) error
	MarkNotified(id int64, at time.Time) error
	KeepUnsaid(id int64) error
	AccountNames() ([]string, error)
	Payers(assetID string) ([]string, error)
	StatusOf(id int64) (string, error)

	PutInInbox(n *bill.Notification, reason string) (fresh bool, err error)
	Inbox(after int64, limit int) ([]bill.InboxEntry, error)
	ReadSince(account string, at, since time.Time) (bool, error)
	TakeFromInbox(id int64, now time.Time) error

	Reject(it *bill.Item, billID int64, reason string, p *bill.Pass, page int, now time.Time) error
	ResolveBill(billID int64, now time.Time) error
	ResolveUnseen(p *bill.Pass, now time.Time) error
	Quiet(account string, until time.Time) (bill.Quiet, error)
	OpenRejected(account string) (int, error)
	CountUnreadable(account string, window int64) (int, error)

	SaveEvidence(account string, window, run int64, f *bill.Failure) error
	ClearEvidence(account string, window int64) error
	BeginRun(r *bill.Run) error
	SaveRun(r *bill.Run) error
}

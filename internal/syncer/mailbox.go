package syncer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"billsync/internal/bill"

	"github.com/rs/zerolog"
)

// notified is the run of bills that a notification brought.
const notified = 0

// A Mailbox stores the bills that the provider notifies us of, through the same
// statements as a pass. It never overwrites a newer state, and it proves
// nothing: that is for the passes. What it cannot place it keeps in the inbox.
type Mailbox struct {
	enabled  []string // accounts whose bills are stored
	accounts []string // all in the configuration
	store    Store
	decode   func([]byte) bill.Item
	log      zerolog.Logger
	now      func() time.Time

	mu       sync.Mutex
	hopeless map[string]bool // cards that the list was read for and did not tell of
}

// NewMailbox returns a Mailbox for the accounts that are enabled. It has to know
// the others as well: a bill of theirs must not be taken for one of these.
func NewMailbox(enabled, accounts []string, store Store, decode func([]byte) bill.Item, log zerolog.Logger, now func() time.Time) *Mailbox {
	return &Mailbox{enabled: enabled, accounts: accounts, store: store, decode: decode, log: log, now: now, hopeless: map[string]bool{}}
}

// Deliver stores notifications, all in one transaction, and says what became of
// each. With an error nothing is stored. Unsettled reports whether something is
// in the inbox that was not there before, which a reading of the tail may settle.
func (m *Mailbox) Deliver(ctx context.Context, batch []bill.Notification) (receipts []bill.Receipt, unsettled bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	receipts = make([]bill.Receipt, len(batch))
	err = m.store.Update(ctx, func(tx Tx) error {
		unsettled = false
		for i := range batch {
			n := batch[i] // its account may be found out on the way
			receipt, reason, err := m.place(tx, &n)
			if err != nil {
				return err
			}
			receipts[i] = receipt
			if receipt != bill.Kept && receipt != bill.NotUnderstood {
				continue
			}
			fresh, err := tx.PutInInbox(&n, reason)
			if err != nil {
				return err
			}
			if fresh {
				m.log.Warn().Str("account", n.Account).Str("order_no", n.Item.Bill.OrderNo).Str("reason", reason).
					Msg("a notification waits in the inbox")
			}
			unsettled = unsettled || fresh && receipt == bill.Kept && !(n.Account == "" && m.hopeless[n.Item.Bill.AssetID])
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("storing notifications: %w", err)
	}
	return receipts, unsettled, nil
}

const (
	// settledAtOnce is how many notifications of the inbox one transaction takes:
	// others write in between.
	settledAtOnce = 100
	// maxHopeless bounds the cards that are remembered as not known.
	maxHopeless = 10000
)

// Settle looks again at what waits in the inbox: the bill list may have brought
// it by now, or told whose card it is. It returns how much of it is settled. For
// cards that are not known even now the list need not be read once more.
func (m *Mailbox) Settle(ctx context.Context) (settled int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for last := int64(0); ; {
		n := 0
		var waiting []bill.InboxEntry
		err := m.store.Update(ctx, func(tx Tx) (err error) {
			n = 0
			if waiting, err = tx.Inbox(last, settledAtOnce); err != nil {
				return err
			}
			for _, w := range waiting {
				done, err := m.settle(tx, w)
				if err != nil {
					return err
				}
				if done {
					n++
				}
			}
			return nil
		})
		if err != nil {
			return settled, fmt.Errorf("settling notifications: %w", err)
		}
		settled += n
		if len(waiting) < settledAtOnce {
			return settled, nil
		}
		last = waiting[len(waiting)-1].ID
	}
}

// settle reports whether an entry of the inbox could be placed, or need not be.
func (m *Mailbox) settle(tx Tx, w bill.InboxEntry) (bool, error) {
	n := bill.Notification{Account: w.Account, Item: m.decode(w.Raw), SentAt: w.SentAt, ReceivedAt: w.ReceivedAt}
	receipt, _, err := m.place(tx, &n)
	told := receipt == bill.Placed || receipt == bill.Had
	if err == nil && receipt == bill.Kept {
		told, err = listTold(tx, &n)
	}
	switch {
	case err != nil:
		return false, err
	case told:
		return true, tx.TakeFromInbox(w.ID, m.now())
	case n.Account == "" && len(m.hopeless) < maxHopeless:
		m.hopeless[n.Item.Bill.AssetID] = true
	}
	return false, nil
}

// lagging is how long the list may take to show what a notification told. What
// it has not shown by then was about another bill.
const lagging = 24 * time.Hour

// listTold reports whether the list has shown the bills that a notification may
// be about, so long after it came that it has no more to say: which of them it
// was about will never be known.
func listTold(tx Tx, n *bill.Notification) (bool, error) {
	b := &n.Item.Bill
	if n.Account == "" {
		return false, nil
	}
	known, err := tx.KnownByOrders(n.Account, []string{b.OrderNo})
	if err != nil || !slices.ContainsFunc(known, func(k bill.Known) bool { return k.Second == b.Second() && compatible(b, &k) }) {
		return false, err
	}
	return tx.ReadSince(n.Account, b.TransactionTime, n.ReceivedAt.Add(lagging))
}

// place stores a notification where it belongs. If it cannot tell where that is
// the reason says why.
func (m *Mailbox) place(tx Tx, n *bill.Notification) (receipt bill.Receipt, reason string, err error) {
	it := &n.Item
	if it.Rejected {
		return bill.NotUnderstood, "it is no bill: " + strings.Join(it.Problems, "; "), nil
	}
	if n.Account == "" {
		if n.Account, reason, err = m.accountOf(tx, &it.Bill); err != nil || n.Account == "" {
			return bill.Kept, reason, err
		}
	} else if reason, err = m.objection(tx, n); err != nil || reason != "" {
		return bill.Kept, reason, err
	}
	s, err := stock(tx, n.Account, n.Item)
	if err != nil {
		return 0, "", err
	}
	k, doubt, err := rowOf(tx, n, s)
	if err != nil {
		return 0, "", err
	}
	switch {
	case doubt != "":
		return bill.Kept, doubt, nil
	case k != nil && !newer(n, k):
		return bill.Had, "", nil
	case len(it.Problems) > 0:
		// The bill list says it once more, with all that a person has to know.
		return bill.Kept, "a part of it could not be understood: " + strings.Join(it.Problems, "; "), nil
	}
	return m.write(tx, s, n, k)
}

// write stores the notified state: as the row k, or as a new one if k is nil.
func (m *Mailbox) write(tx Tx, s *shelf, n *bill.Notification, k *bill.Known) (bill.Receipt, string, error) {
	b, now := &n.Item.Bill, m.now()
	if k == nil {
		id, err := tx.InsertBill(n.Account, b, nextOrdinal(s.sameKey(b)), now, n.ReceivedAt, notified)
		if err != nil {
			return 0, "", err
		}
		if id == 0 {
			return 0, "", fmt.Errorf("%w: order %s", errNumberKnown, b.OrderNo)
		}
		m.tell(n, id).Msg("a notification brought a new bill")
		return bill.Placed, "", tx.MarkNotified(id, now)
	}
	// A bill that the list had, and has no longer, is as little listed as before.
	unlisted := k.Withdrawn || !k.NotifiedAt.IsZero()
	if err := change(tx, s, k, b, now, n.ReceivedAt, notified); err != nil {
		return 0, "", err
	}
	if err := tx.KeepUnsaid(k.ID); err != nil {
		return 0, "", err
	}
	m.tell(n, k.ID).Msg("a notification changed a bill")
	if unlisted {
		return bill.Placed, "", tx.MarkNotified(k.ID, now)
	}
	return bill.Placed, "", nil
}

func (m *Mailbox) tell(n *bill.Notification, id int64) *zerolog.Event {
	return m.log.Info().Str("account", n.Account).Str("order_no", n.Item.Bill.OrderNo).Str("bill_status", n.Item.Bill.Status).Int64("bill", id)
}

// accountOf finds out whose bill it is: of the only account there is, of the one
// that has it, or of the one that pays with its card.
func (m *Mailbox) accountOf(tx Tx, b *bill.Bill) (account, reason string, err error) {
	known, err := m.known(tx)
	if err != nil {
		return "", "", err
	}
	if len(known) == 1 {
		return m.only(known, "")
	}
	holders, err := holders(tx, known, b)
	switch {
	case err != nil:
		return "", "", err
	case len(holders) == 1:
		return m.only(holders, "it is a bill of ")
	case len(holders) > 1:
		return "", "several accounts have a bill like it: " + strings.Join(holders, ", "), nil
	case b.AssetID == "":
		return "", "it does not say which card it is about", nil
	}
	payers, err := tx.Payers(b.AssetID)
	switch {
	case err != nil:
		return "", "", err
	case len(payers) == 1:
		return m.only(payers, "its card is one of ")
	case len(payers) > 1:
		return "", "several accounts pay with its card: " + strings.Join(payers, ", "), nil
	}
	return "", "no account is known to pay with its card", nil
}

// only returns the one account in a list, if its bills are stored.
func (m *Mailbox) only(names []string, what string) (account, reason string, err error) {
	if !slices.Contains(m.enabled, names[0]) {
		return "", what + names[0] + ", which is not enabled", nil
	}
	return names[0], "", nil
}

// known returns all accounts that there are: in the configuration, and those that
// only the database still has.
func (m *Mailbox) known(tx Tx) ([]string, error) {
	names, err := tx.AccountNames()
	for _, name := range m.accounts {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, err
}

// objection says what speaks against the account that a notification was
// addressed to: an address may be registered for another customer, or one
// notification sent to several.
func (m *Mailbox) objection(tx Tx, n *bill.Notification) (string, error) {
	known, err := m.known(tx)
	if err != nil || len(known) == 1 {
		return "", err
	}
	b := &n.Item.Bill
	holders, err := holders(tx, known, b)
	if err != nil {
		return "", err
	}
	if len(holders) > 0 && !slices.Contains(holders, n.Account) {
		return "it was sent to this account's address, and is a bill of " + strings.Join(holders, ", "), nil
	}
	var payers []string
	if b.AssetID != "" {
		if payers, err = tx.Payers(b.AssetID); err != nil {
			return "", err
		}
	}
	if len(holders) == 0 && len(payers) > 0 && !slices.Contains(payers, n.Account) {
		return "it was sent to this account's address, and its card is one of " + strings.Join(payers, ", "), nil
	}
	return "", nil
}

// holders returns the accounts that have a bill that may be this one, whoever
// told of it: it is stored once, and the list decides where it stays.
func holders(tx Tx, accounts []string, b *bill.Bill) (names []string, err error) {
	for _, name := range accounts {
		known, err := tx.KnownByOrders(name, []string{b.OrderNo})
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(known, func(k bill.Known) bool { return !k.Withdrawn && k.Second == b.Second() && compatible(b, &k) }) {
			names = append(names, name)
		}
	}
	return names, nil
}

// rowOf finds the row of a notified bill, nil for a bill that is new. The doubt
// says why it cannot be told; then the next pass, which sees all bills of the
// order at once, tells.
//
// The list may give numbers (billNo) that the notification does not, so among
// rows that agree in order and second those are candidates which no number rules
// out (API §8.3).
func rowOf(tx Tx, n *bill.Notification, s *shelf) (k *bill.Known, doubt string, err error) {
	b := &n.Item.Bill
	if b.BillNo != "" {
		if k := s.byBillNo[b.BillNo]; k != nil {
			return k, "", nil
		}
	}
	var rows []*bill.Known
	for _, k := range s.sameKey(b) {
		if !compatible(b, k) {
			continue
		}
		if k.Hash == b.Hash {
			return k, "", nil
		}
		rows = append(rows, k)
	}
	switch {
	case len(rows) == 0:
		return nil, "", nil
	case !slices.ContainsFunc(rows, func(k *bill.Known) bool { return newer(n, k) }):
		return rows[0], "", nil // whichever it is, nothing is to be done
	case len(rows) > 1:
		// Also if one fits better: it may be an earlier state of another one,
		// whose amount has changed since or that is listed no longer.
		return nil, "it may be any of several bills of the order", nil
	case !rows[0].Bill().Alike(b):
		return nil, "it may be a bill of the order whose amount or card changed, or another one", nil
	}
	k = rows[0]
	if b.BillNo == "" && k.BillNo == "" {
		// Without a number a second bill of the same second looks like this.
		status, err := tx.StatusOf(k.ID)
		if err != nil || status == b.Status {
			return nil, "it may be a change of a bill that keeps its status, or another bill that looks alike", err
		}
	}
	return k, "", nil
}

// newer reports whether a notified state is newer than the stored one. What is
// as old changes nothing: the list may have said it in more detail. Without a
// time of the change on both sides, the times at which they were told decide
// (API §9.5).
func newer(n *bill.Notification, k *bill.Known) bool {
	b := &n.Item.Bill
	if b.Hash == k.Hash && !k.Withdrawn {
		return false
	}
	if !b.LastUpdate.IsZero() && !k.LastUpdate.IsZero() {
		return b.LastUpdate.After(k.LastUpdate) && !sameChange(b.LastUpdate, k.LastUpdate)
	}
	told := b.LastUpdate
	if told.IsZero() {
		told = n.SentAt
	}
	if told.After(n.ReceivedAt) { // by a clock that is ahead of ours
		told = n.ReceivedAt
	}
	stored := k.LastUpdate
	if stored.IsZero() {
		stored = k.ReadAt
	}
	return told.After(stored)
}

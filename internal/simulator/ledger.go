package simulator

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"

	"billsync/internal/bill"
)

// An Entry is a bill of a Ledger.
type Entry struct {
	// Bill is listed with the fields that are set. A status and a type that
	// are not set are SUCCESS and CARD_PAYMENT.
	bill.Bill

	// Raw, if set, is listed instead of the bill, byte for byte. What the
	// filters look at comes from it too, where it is readable.
	Raw json.RawMessage

	// Time is what the list is ordered and cut by. Zero: the transaction time.
	Time time.Time

	// ListedFrom is when the list first shows the bill. Zero: always.
	ListedFrom time.Time

	// CardNo is listed as a full card number beside the masked one.
	CardNo string

	glance glance
	json   json.RawMessage
}

// prepare derives what listing needs.
func (e *Entry) prepare() {
	if e.Raw != nil {
		e.json = e.Raw
	} else {
		b := e.Bill
		if b.Status == "" {
			b.Status = "SUCCESS"
		}
		if b.BillType == "" {
			b.BillType = "CARD_PAYMENT"
		}
		it := itemOf(&b)
		it.CardNo = e.CardNo
		e.json = quote(it)
	}
	g := glanceAt(e.json)
	e.glance = glance{
		time:     g.time,
		orderNo:  cmp.Or(g.orderNo, e.OrderNo),
		status:   cmp.Or(g.status, e.Status),
		card:     cmp.Or(g.card, e.MaskedCardNo),
		asset:    cmp.Or(g.asset, e.AssetID),
		merchant: cmp.Or(g.merchant, e.MerchantName),
		budget:   cmp.Or(g.budget, e.BudgetAccountID),
	}
	switch {
	case !e.Time.IsZero():
		e.glance.time = e.Time
	case !e.TransactionTime.IsZero():
		e.glance.time = e.TransactionTime
	}
}

// newestFirst is the order of the list.
func newestFirst(a, b *Entry) int { return b.glance.time.Compare(a.glance.time) }

// A Ledger is a book that a test writes, and may change while it is being
// read. It is safe for concurrent use.
type Ledger struct {
	mu sync.RWMutex
	// Newest first, and where times are equal in the order of adding. Slices
	// and entries are replaced, never changed: a page being read keeps the old.
	entries map[string][]*Entry

	cards map[string]map[string]Card // by customer and asset id
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{entries: make(map[string][]*Entry), cards: make(map[string]map[string]Card)}
}

// Add adds bills of a customer.
func (l *Ledger) Add(customer string, b ...Entry) {
	added := prepared(b)
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.entries[customer]
	merged := make([]*Entry, 0, len(old)+len(added))
	for _, e := range added {
		for len(old) > 0 && newestFirst(old[0], e) <= 0 {
			merged, old = append(merged, old[0]), old[1:]
		}
		merged = append(merged, e)
	}
	l.entries[customer] = append(merged, old...)
}

// prepared copies entries and puts them in order.
func prepared(entries []Entry) []*Entry {
	ready := make([]*Entry, len(entries))
	for i, e := range entries {
		e.prepare()
		ready[i] = &e
	}
	slices.SortStableFunc(ready, newestFirst)
	return ready
}

// Change replaces a customer's entries by what the function makes of them. The
// slice it is given is its own to change.
func (l *Ledger) Change(customer string, change func(entries []Entry) []Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries := make([]Entry, len(l.entries[customer]))
	for i, e := range l.entries[customer] {
		entries[i] = *e
	}
	l.entries[customer] = prepared(change(entries))
}

// Update changes every entry of an order and returns how many there are.
func (l *Ledger) Update(customer, orderNo string, change func(e *Entry)) (n int) {
	l.Change(customer, func(entries []Entry) []Entry {
		for i := range entries {
			if entries[i].glance.orderNo == orderNo {
				change(&entries[i])
				n++
			}
		}
		return entries
	})
	return n
}

// SetRaw makes every entry of an order be listed as the given text.
func (l *Ledger) SetRaw(customer, orderNo string, raw json.RawMessage) int {
	return l.Update(customer, orderNo, func(e *Entry) { e.Raw = raw })
}

// Remove removes every entry of an order and returns how many there were.
func (l *Ledger) Remove(customer, orderNo string) (n int) {
	l.Change(customer, func(entries []Entry) []Entry {
		before := len(entries)
		entries = slices.DeleteFunc(entries, func(e Entry) bool { return e.glance.orderNo == orderNo })
		n = before - len(entries)
		return entries
	})
	return n
}

// Take removes every entry of an order and returns them, to be added again.
func (l *Ledger) Take(customer, orderNo string) (taken []Entry) {
	l.Change(customer, func(entries []Entry) []Entry {
		return slices.DeleteFunc(entries, func(e Entry) bool {
			if e.glance.orderNo == orderNo {
				taken = append(taken, e)
			}
			return e.glance.orderNo == orderNo
		})
	})
	return taken
}

// Len is how many entries the customers have, or all if none is named.
func (l *Ledger) Len(customers ...string) (n int) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for name, entries := range l.entries {
		if len(customers) == 0 || slices.Contains(customers, name) {
			n += len(entries)
		}
	}
	return n
}

// Bills implements Book.
func (l *Ledger) Bills(now time.Time, customer string, f Filter, skip, limit int) (items []json.RawMessage, total int) {
	l.mu.RLock()
	entries := l.entries[customer]
	l.mu.RUnlock()
	for _, e := range entries {
		if e.ListedFrom.After(now) || !f.admits(&e.glance) {
			continue
		}
		if total >= skip && len(items) < limit {
			items = append(items, e.json)
		}
		total++
	}
	return items, total
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

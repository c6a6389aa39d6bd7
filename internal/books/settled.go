package books

import (
	"fmt"
	"time"

	"billsync/internal/bill"
)

// SettleLimit is how long after a failure a success still counts as the same
// purchase, unless said otherwise: topping up a budget or unlocking a card takes
// a weekend at most.
const SettleLimit = 72 * time.Hour

// A Payment is what of a bill matters to whether a failure was paid after all.
type Payment struct {
	ID       int64
	At       time.Time // transaction time
	Account  string
	AssetID  string       // the card; empty: not said
	Merchant string       // as received, not normalised: two companies must not pay for each other
	Trade    *bill.Amount // what the merchant asked for; nil: not said, or not readable
	Failed   bool
	Paid     bool // at least authorised; a payment that is neither is no event here
}

// Failed reports whether a bill's status says that the payment came to nothing
// because it was declined.
func Failed(status string) bool { return status == "FAILED" }

// Paid reports whether a bill's status says that the merchant got at least an
// authorisation: any status except a failure, a cancellation or none. Money that
// is still on its way (WAITING_CLEARANCE) has left the buyer's worries already.
func Paid(status string) bool {
	return status != "" && status != "CANCELLED" && !Failed(status)
}

// A Card says with which card a failure was paid after all.
type Card string

const (
	SameCard  Card = "same"
	OtherCard Card = "other"
	NoCard    Card = "" // not paid, or one of the two bills does not name its card
)

// A Fate is what became of one failed payment.
//
// A purchase is the row of attempts at one thing: all failures that one success
// settled or, where none did, failures each within the limit of the one before.
type Fate struct {
	ID       int64 // of the failure
	By       int64 // the success that settled it; 0: it was not paid
	Card     Card
	Purchase int64 // the id of the purchase's first attempt
	Attempt  int   // which attempt at the purchase it was; 1: the first
}

// First reports whether the failure was the first attempt at its purchase.
func (f Fate) First() bool { return f.Attempt == 1 }

// Settled finds out which failed payments were paid after all: by a later success
// of the same account at the same merchant with an equal traded amount, not later
// than a limit. A success settles all failures that wait for one like it, and
// nothing that fails after it. A failure whose amount or merchant is not known is
// never settled: it cannot be told whether another payment was for the same thing.
//
// It keeps the failures of the time up to the limit, and nothing else.
type Settled struct {
	limit   time.Duration
	now     time.Time
	waiting map[purchaseKey][]*failure // oldest first; no empty lists
	queue   []*failure                 // all of them, and settled ones until their time is over
}

// NewSettled begins with no payments. A limit that is not above 0 is SettleLimit.
func NewSettled(limit time.Duration) *Settled {
	if limit <= 0 {
		limit = SettleLimit
	}
	return &Settled{limit: limit, waiting: make(map[purchaseKey][]*failure)}
}

// A purchaseKey is what attempts at one purchase have in common.
type purchaseKey struct {
	account, merchant string
	trade             bill.Amount
}

// A failure waits for a success.
type failure struct {
	id, purchase int64
	attempt      int
	at           time.Time
	assetID      string
	key          purchaseKey
	settled      bool
}

// Add takes the next payment and returns the fates that it decides. Payments come
// in the order of their times; among equal times the order in which they come
// counts. The error says that one came too early.
func (s *Settled) Add(p Payment) ([]Fate, error) {
	if p.At.Before(s.now) {
		return nil, fmt.Errorf("payment %d of %s comes after one of %s: payments must be in the order of their times",
			p.ID, p.At.UTC().Format(time.RFC3339Nano), s.now.UTC().Format(time.RFC3339Nano))
	}
	s.now = p.At
	fates := s.expire(func(f *failure) bool { return p.At.Sub(f.at) > s.limit })
	known := p.Trade != nil && p.Merchant != ""
	switch {
	case p.Failed && !known:
		fates = append(fates, Fate{ID: p.ID, Purchase: p.ID, Attempt: 1})
	case p.Failed:
		s.wait(p)
	case p.Paid && known:
		fates = append(fates, s.settle(p)...)
	}
	return fates, nil
}

// Rest returns the fates of the failures that still wait: no payment comes any
// more.
func (s *Settled) Rest() []Fate {
	return s.expire(func(*failure) bool { return true })
}

func (p *Payment) key() purchaseKey { return purchaseKey{p.Account, p.Merchant, *p.Trade} }

// wait adds a failure to those that wait.
func (s *Settled) wait(p Payment) {
	f := &failure{id: p.ID, purchase: p.ID, attempt: 1, at: p.At, assetID: p.AssetID, key: p.key()}
	s.waiting[f.key] = append(s.waiting[f.key], f)
	s.queue = append(s.queue, f)
}

// settle ends the wait of all failures that a success is for.
func (s *Settled) settle(p Payment) []Fate {
	key := p.key()
	row := s.waiting[key]
	delete(s.waiting, key)
	var fates []Fate
	for i, f := range row {
		f.settled = true
		fates = append(fates, Fate{ID: f.id, By: p.ID, Card: cardOf(f.assetID, p.AssetID), Purchase: row[0].id, Attempt: i + 1})
	}
	return fates
}

func cardOf(failed, paid string) Card {
	switch {
	case failed == "" || paid == "":
		return NoCard
	case failed == paid:
		return SameCard
	}
	return OtherCard
}

// expire ends the wait of the oldest failures, as long as it is over.
func (s *Settled) expire(over func(*failure) bool) []Fate {
	var fates []Fate
	for len(s.queue) > 0 && over(s.queue[0]) {
		f := s.queue[0]
		s.queue[0] = nil // what is behind the slice's start is still held
		s.queue = s.queue[1:]
		if f.settled {
			continue
		}
		fates = append(fates, Fate{ID: f.id, Purchase: f.purchase, Attempt: f.attempt})
		// It is the oldest of its list. What waits there came within the limit
		// after it, or it would not have waited so long: the next attempt.
		row := s.waiting[f.key][1:]
		if len(row) == 0 {
			delete(s.waiting, f.key)
			continue
		}
		row[0].purchase, row[0].attempt = f.purchase, f.attempt+1
		s.waiting[f.key] = row
	}
	return fates
}

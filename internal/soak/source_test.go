package soak

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"billsync/internal/simulator"
)

// What happened to a record since it was last proved to be stored as it is.
type news uint8

const (
	added   news = 1 << iota // it is new, or back
	status                   // only its status changed
	content                  // anything else changed
	removed                  // it is no longer listed
	redated                  // its time changed
	garbled                  // it was, or is, listed unreadable
)

// A record is one bill of the source, listed or not.
type record struct {
	customer, order string
	state
	listed  bool
	garbage json.RawMessage // listed instead of the bill, which cannot be understood
	rank    int             // order among bills of the same instant
	json    json.RawMessage
	news    news
	serial  int
	letters []*letter // every state there was, the last one last
	moved   bool      // its time was another one
}

// readable reports whether the record is listed as a bill.
func (r *record) readable() bool { return r.listed && r.garbage == nil }

func (r *record) String() string {
	return fmt.Sprintf("%s/%s#%d at %s", r.customer, r.order, r.serial, stampOf(r.at))
}

// A book is what the source has of one customer.
type book struct {
	records []*record // in the order of the list: newest first
	changed int64     // when it last changed, in changes of the source
	orders  map[string]*order
}

// An order is what is known of the bills under one order number.
type order struct {
	records int             // how many there ever were
	said    map[string]bool // every state any of them was listed in
}

// A source is the model of what the provider has. It is the book that the
// simulator answers from, and safe for concurrent use.
type source struct {
	mu       sync.Mutex
	books    map[string]*book
	changes  int64
	serial   int
	spelling spelling
	updates  updates
	clock    time.Time // of the last change that is listed
	numbers  int       // order and bill numbers given out
}

func newSource() *source {
	return &source{books: map[string]*book{}, spelling: spelling{zone: time.UTC}}
}

func (s *source) book(customer string) *book {
	b := s.books[customer]
	if b == nil {
		b = &book{orders: map[string]*order{}}
		s.books[customer] = b
	}
	return b
}

// publish makes a record's present state what is listed from now on.
func (s *source) publish(r *record, now time.Time) {
	b := s.book(r.customer)
	s.changes++
	b.changed = s.changes
	o := b.orders[r.order]
	if o == nil {
		o = &order{said: map[string]bool{}}
		b.orders[r.order] = o
	}
	if !strings.HasSuffix(r.card, r.customer) {
		r.card += r.customer // a card belongs to one account
	}
	if r.serial == 0 {
		s.serial++
		r.serial = s.serial
		o.records++
		b.records = append(b.records, r)
	}
	r.json = s.spelling.item(r.order, &r.state)
	if r.readable() {
		o.said[r.state.String()] = true
	}
	if r.garbage == nil && (len(r.letters) == 0 || r.letters[len(r.letters)-1].state != r.state) {
		s.keep(r, now)
	}
	b.sort()
}

func (b *book) sort() {
	slices.SortStableFunc(b.records, func(x, y *record) int {
		if c := y.at.Compare(x.at); c != 0 {
			return c
		}
		return x.rank - y.rank
	})
}

// spell writes all bills anew in another spelling, which changes nothing.
func (s *source) spell(sp spelling) {
	sp.budgets = s.spelling.budgets
	s.spelling = sp
	for _, b := range s.books {
		for _, r := range b.records {
			r.json = sp.item(r.order, &r.state)
		}
	}
}

// Bills implements simulator.Book.
func (s *source) Bills(_ time.Time, customer string, f simulator.Filter, skip, limit int) (items []json.RawMessage, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.book(customer).records {
		if !r.listed || !within(&f, r.at) || f.OrderNo != "" && f.OrderNo != r.order ||
			len(f.Statuses) > 0 && !slices.Contains(f.Statuses, r.status) {
			continue
		}
		if total >= skip && len(items) < limit {
			if r.garbage != nil {
				items = append(items, r.garbage)
			} else {
				items = append(items, r.json)
			}
		}
		total++
	}
	return items, total
}

func within(f *simulator.Filter, t time.Time) bool {
	if !f.From.IsZero() && (t.Before(f.From) || t.Equal(f.From) && !f.IncludeFrom) {
		return false
	}
	return f.To.IsZero() || t.Before(f.To) || t.Equal(f.To) && f.IncludeTo
}

// pick returns a random record that a test is true for; nil if there is none.
func (s *source) pick(d dice, customer string, test func(*record) bool) *record {
	var fit []*record
	for _, r := range s.book(customer).records {
		if test(r) {
			fit = append(fit, r)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return fit[d.IntN(len(fit))]
}

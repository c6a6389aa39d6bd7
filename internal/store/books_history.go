package store

import (
	"slices"
	"strings"

	"billsync/internal/books"
)

// histories compares the postings of open months with what the states of their bills
// say: on which day, of which kind and why. What stands in a closed month is compared
// by its hash.
func (k *bookChecker) histories(from, to int64) error {
	bills, err := k.t.postedBetween(from, to)
	if err != nil {
		return err
	}
	for i := range bills {
		b := &bills[i]
		if !slices.ContainsFunc(b.have, k.open) {
			continue
		}
		said := b.determined(k)
		for j := range b.have {
			l := &b.have[j]
			if !k.open(*l) {
				continue
			}
			if j < len(said) {
				k.compare(b, l, &said[j])
			}
			if _, ok := monthOf(l.Effect); ok {
				k.differs(l, "posting_date", l.date, bookDay(k.closed, l.Effect))
			}
		}
	}
	return nil
}

// open reports whether a line is posted in an open month. One whose day is none is told
// elsewhere.
func (k *bookChecker) open(l storedLine) bool {
	month, ok := monthOf(l.date)
	return ok && k.closed[month].IsZero()
}

// compare compares a line with what the bill's states say.
func (k *bookChecker) compare(b *posted, l *storedLine, said *books.Line) {
	k.differs(l, "kind", string(l.Kind), string(said.Kind))
	k.differs(l, "reason", l.Reason, said.Reason)
	if _, ok := monthOf(l.Effect); ok && b.dated() {
		k.differs(l, "effect_date", l.Effect, said.Effect)
	}
}

func (k *bookChecker) differs(l *storedLine, column, have, want string) {
	if have != want {
		k.found("line "+l.ID, "its %s is %q, and its bill says %q", column, have, want)
	}
}

// determined returns the bill's lines as far as what is stored of its states tells them:
// nothing if somebody took states away, or changed one, and nothing from where
// a line is not what they say, since what was posted after it followed from the present
// state alone (see derive).
func (b *posted) determined(k *bookChecker) []books.Line {
	if k.altered[b.id] {
		return nil
	}
	for i := range b.have {
		run := b.have[i].run
		if !slices.ContainsFunc(b.states, func(s stateOf) bool { return s.run == run }) {
			return nil // the state that brought it is gone: the bill was stored anew since
		}
	}
	key, _, _ := strings.Cut(b.have[0].ID, "-")
	said, _ := b.follow(key, k.zone)
	for i := range b.have {
		if i == len(said) || !b.have[i].is(&said[i], i) {
			return said[:i]
		}
	}
	return said
}

// dated reports whether the bill's states still have the times by which they were
// posted: not if a clock was set back, and one of them was cut short (see straighten).
func (b *posted) dated() bool {
	for i := 1; i < len(b.states); i++ {
		if !b.states[i-1].Since.Before(b.states[i].Since) {
			return false
		}
	}
	return true
}

package syncer

import (
	"cmp"
	"slices"

	"billsync/internal/bill"
)

// A match says which row an item belongs to.
type match int

const (
	isNew  match = iota // no stored bill could be this one
	isRow               // it is the row returned with it
	isHeld              // cannot be told before the pass is over
)

// shelf is what is known of the bills of the orders on one page; rows are added
// to it as they are stored.
type shelf struct {
	byOrder  map[string][]*bill.Known
	byBillNo map[string]*bill.Known
}

// newShelf returns one with room for a page.
func newShelf(orders int) *shelf {
	return &shelf{make(map[string][]*bill.Known, orders), make(map[string]*bill.Known, orders)}
}

func (s *shelf) put(k *bill.Known) {
	s.byOrder[k.OrderNo] = append(s.byOrder[k.OrderNo], k)
	if k.BillNo != "" {
		s.byBillNo[k.BillNo] = k
	}
}

// sameKey returns the rows under a bill's natural key, order and second (API
// §8.3): those the provider still lists first, then by ordinal.
func (s *shelf) sameKey(b *bill.Bill) []*bill.Known {
	var out []*bill.Known
	for _, k := range s.byOrder[b.OrderNo] {
		if k.Second == b.Second() {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b *bill.Known) int {
		if a.Withdrawn != b.Withdrawn {
			if a.Withdrawn {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.Ordinal, b.Ordinal)
	})
	return out
}

// nextOrdinal returns the ordinal of a further bill under the same key.
func nextOrdinal(rows []*bill.Known) int {
	n := 0
	for _, k := range rows {
		n = max(n, k.Ordinal+1)
	}
	return n
}

// identify finds the row of an item, API §8.3. seen tells which rows this pass
// has met already.
//
// A billNo decides alone. Without one on both sides, a row under the same order
// and second is the bill if it says the same, or if no other row there agrees
// in amount and card. Everything else waits for the end of the pass: the item
// may be a bill seen twice because pages moved, a bill whose amount changed, or
// a second bill that looks alike.
func identify(b *bill.Bill, s *shelf, seen func(int64) bool) (*bill.Known, match) {
	if k := certain(b, s, seen); k != nil {
		return k, isRow
	}
	if b.BillNo != "" && s.byBillNo[b.BillNo] != nil {
		return nil, isHeld // seen before
	}
	var rows, alike []*bill.Known
	for _, k := range s.sameKey(b) {
		if !compatible(b, k) {
			continue // another bill of the order: two numbers are two bills
		}
		rows = append(rows, k)
		if k.Bill().Alike(b) {
			alike = append(alike, k)
		}
	}
	// A bill that was withdrawn comes back only where none that is listed fits.
	if live := slices.DeleteFunc(slices.Clone(alike), func(k *bill.Known) bool { return k.Withdrawn }); len(live) > 0 {
		alike = live
	}
	switch {
	case len(rows) == 0:
		return nil, isNew
	case len(alike) == 1 && !seen(alike[0].ID) && (b.BillNo != "" || alike[0].BillNo == ""):
		// A row with a number is left to the item with that number, should it
		// still come.
		return alike[0], isRow
	}
	return nil, isHeld
}

// certain returns the row that an item is without a doubt, nil if there is none:
// the one with its number, or one that says the same and was not met yet. On a
// page these are found before anything else, so that a further bill cannot take
// the row of one that is listed behind it.
func certain(b *bill.Bill, s *shelf, seen func(int64) bool) *bill.Known {
	if b.BillNo != "" {
		if k := s.byBillNo[b.BillNo]; k != nil {
			if seen(k.ID) {
				return nil
			}
			return k
		}
	}
	for _, k := range s.sameKey(b) {
		if k.Hash == b.Hash && !seen(k.ID) {
			return k
		}
	}
	return nil
}

// assign settles a group at the end of a pass: items under one key and the rows
// they may be. Each row takes at most one item, by billNo, then equal content,
// then amount and card, then order; among these an item without a number has
// the rows without one first. It returns the row of each item, nil for a
// further bill.
func assign(items []*bill.Bill, rows []*bill.Known) []*bill.Known {
	out := make([]*bill.Known, len(items))
	taken := make(map[*bill.Known]bool, len(rows))
	take := func(same func(*bill.Bill, *bill.Known) bool) {
		for i, b := range items {
			if out[i] != nil {
				continue
			}
			for _, k := range rows {
				if !taken[k] && compatible(b, k) && same(b, k) {
					out[i], taken[k] = k, true
					break
				}
			}
		}
	}
	take(func(b *bill.Bill, k *bill.Known) bool { return b.BillNo != "" && b.BillNo == k.BillNo })
	take(func(b *bill.Bill, k *bill.Known) bool { return b.Hash == k.Hash })
	// Whether a bill has a number changes rarely, and only from no to yes.
	likewise := func(b *bill.Bill, k *bill.Known) bool { return (b.BillNo == "") == (k.BillNo == "") }
	take(func(b *bill.Bill, k *bill.Known) bool { return likewise(b, k) && k.Bill().Alike(b) })
	take(likewise)
	take(func(b *bill.Bill, k *bill.Known) bool { return k.Bill().Alike(b) })
	take(func(*bill.Bill, *bill.Known) bool { return true })
	return out
}

// compatible reports whether a row may be the bill as far as numbers tell.
func compatible(b *bill.Bill, k *bill.Known) bool {
	return b.BillNo == "" || k.BillNo == "" || b.BillNo == k.BillNo
}

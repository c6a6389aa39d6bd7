package syncer

import (
	"fmt"
	"slices"

	"billsync/internal/bill"
)

// A groupKey is what alike bills have in common: order and second.
type groupKey struct {
	order  string
	second int64
}

func keyOf(b *bill.Bill) groupKey { return groupKey{b.OrderNo, b.Second()} }

// heldGroups returns the held items by their key, in the order of the pages.
func (r *reading) heldGroups() (keys []groupKey, groups map[groupKey][]found) {
	groups = map[groupKey][]found{}
	for _, h := range r.held {
		k := keyOf(&h.Item.Bill)
		if groups[k] == nil {
			keys = append(keys, k)
		}
		groups[k] = append(groups[k], found{h.Item, h.AskedAt, h.Page, h.OneAnswer, 0})
	}
	return keys, groups
}

// toLookUp lists the orders that have to be asked for: those of held items that
// may be bills seen twice as well as further bills, because what looks like them
// came on another page. One answer does not list a bill twice (API §8.3), so
// items that came together are different bills; these are asked for only if a
// reading of an overlapping span has stored something else of them meanwhile.
func (e *engine) toLookUp(tx Tx, r *reading) ([]string, error) {
	keys, groups := r.heldGroups()
	var orders, together []string
	for _, key := range keys {
		ask := false
		for _, f := range groups[key] {
			ask = ask || !f.oneAnswer || f.page != groups[key][0].page
		}
		switch {
		case slices.Contains(orders, key.order):
		case ask:
			orders = append(orders, key.order)
		default:
			together = append(together, key.order)
		}
	}
	known, err := tx.KnownByOrders(r.acct.Name, together)
	if err != nil {
		return nil, err
	}
	for i := range known {
		k := &known[i]
		group := groups[groupKey{k.OrderNo, k.Second}]
		if group == nil || !r.seen.has(k.ID) || slices.Contains(orders, k.OrderNo) {
			continue
		}
		saw, ok := r.saw[k.ID]
		changed := ok && saw != k.Hash
		if !ok { // of a pass that goes on: the row was read later than the items
			changed = k.ReadAt.After(group[0].at)
		}
		if changed {
			orders = append(orders, k.OrderNo)
		}
	}
	return orders, nil
}

func (e *engine) stockOf(tx Tx, account string, fs []found) (*shelf, error) {
	items := make([]bill.Item, len(fs))
	for i, f := range fs {
		items[i] = f.item
	}
	return stock(tx, account, items...)
}

// takeOrder collects the answer about an order; when the last is in, the pass
// is finished.
func (e *engine) takeOrder(tx Tx, r *reading, p bill.Page) error {
	order := r.inquiries[0].order
	if p.Number != 0 && p.Number != r.lookPage {
		return e.astray(tx, r, fmt.Sprintf("looking up order %s: asked for page %d, the API answered page %d", order, r.lookPage, p.Number))
	}
	r.looked += p.Count
	for _, it := range p.Items {
		switch {
		case it.Rejected:
			r.unread[order] = true
		case it.Bill.OrderNo == order:
			r.listed[order] = append(r.listed[order], found{it, p.AskedAt, 0, true, len(r.inquiries)})
		default:
			// The filter is not honoured: this answers the other questions about
			// the same span as well.
			for i := 1; i < len(r.inquiries); i++ {
				if q := r.inquiries[i]; q.span == r.inquiries[0].span && q.order == it.Bill.OrderNo {
					r.listed[q.order] = append(r.listed[q.order], found{it, p.AskedAt, 0, true, len(r.inquiries) - i})
				}
			}
			r.unfiltered = true
		}
	}
	const manyPages = 100 // no order has so many bills: the filter is not honoured
	if r.looked < p.TotalCount && p.Count > 0 && r.lookPage < manyPages {
		r.lookPage++
		return nil
	}
	if r.looked != p.TotalCount && r.lookPage < manyPages {
		return e.astray(tx, r, fmt.Sprintf("looking up order %s: the API counts %d bills and lists %d", order, p.TotalCount, r.looked))
	}
	answered := r.inquiries[0]
	r.inquiries = slices.DeleteFunc(slices.Clone(r.inquiries[1:]), func(q inquiry) bool { return r.unfiltered && q.span == answered.span })
	r.lookPage, r.looked, r.unfiltered = 1, 0, false
	if len(r.inquiries) > 0 {
		return nil
	}
	if r.chase != nil {
		return e.chased(tx, r)
	}
	return e.finish(tx, r)
}

// astray handles an answer about an order that does not fit the question.
func (e *engine) astray(tx Tx, r *reading, why string) error {
	if r.chase != nil {
		return e.readInFull(tx, r, why)
	}
	return e.moved(tx, r, why)
}

// settleHeld gives every held item its row, group by group.
func (e *engine) settleHeld(tx Tx, r *reading) error {
	keys, groups := r.heldGroups()
	for _, key := range keys {
		listed, asked := r.listed[key.order]
		listed = slices.DeleteFunc(slices.Clone(listed), func(f found) bool { return keyOf(&f.item.Bill) != key })
		var err error
		switch {
		case len(listed) > 0:
			err = e.settleGroup(tx, r, listed, func(int64) bool { return false })
		case asked && r.pass.Rereads == 0:
			// The order's filter told nothing about it. Twins are believed only
			// if a second pass in a row needs them to reach the count.
		default:
			err = e.settleGroup(tx, r, groups[key], r.seen.has)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settleGroup stores items under one key as the rows they are; rows for which
// taken is true belong to other items of the pass.
func (e *engine) settleGroup(tx Tx, r *reading, group []found, taken func(int64) bool) error {
	s, err := e.stockOf(tx, r.acct.Name, group)
	if err != nil {
		return err
	}
	bills := make([]*bill.Bill, len(group))
	var rows []*bill.Known
	add := func(k *bill.Known) {
		if !slices.Contains(rows, k) {
			rows = append(rows, k)
		}
	}
	for i := range group {
		bills[i] = &group[i].item.Bill
		if k := s.byBillNo[bills[i].BillNo]; k != nil {
			add(k) // also if seen: then it is the same bill once more
		}
	}
	several := len(group) > 1
	for _, k := range s.sameKey(bills[0]) {
		if taken(k.ID) {
			several = true
			continue
		}
		add(k)
	}
	r.twins = several && r.pass.Rereads > 0
	defer func() { r.twins = false }()
	for i, k := range assign(bills, rows) {
		id, err := e.apply(tx, r, s, &group[i].item, k, group[i].page, group[i].at)
		if err != nil {
			return err
		}
		r.seen.add(id)
	}
	return nil
}

package syncer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"billsync/internal/bill"
)

// maxLookups, and one a page, is how many orders are looked up at the end of a
// first pass; more than that are no twins but pages that moved, so the pass is
// read again first.
const maxLookups = 20

// storePage brings the items of a page to their rows and returns the ids of the
// bills among them, and a hash if that is all there is to say of the page.
//
// A page that is listed as the last finished pass had it needs no more than a
// look whether its bills are still as they were then.
func (e *engine) storePage(tx Tx, r *reading, page int, p bill.Page) (ids []int64, hash string, err error) {
	if p.Unchanged {
		if ids, hash, err = tx.RecordedBills(r.acct.Name, r.windowID(), page); err != nil {
			return nil, "", err
		}
		if len(ids) == p.Count && !slices.ContainsFunc(ids, r.seen.has) {
			for _, id := range ids {
				r.seen.add(id)
			}
			e.run.Read += p.Count
			return ids, hash, nil
		}
		if p.Items, err = e.cfg.DecodeList(p.List); err != nil {
			return nil, "", fmt.Errorf("decoding page %d: %w", page, err)
		}
	}
	return e.storeItems(tx, r, page, p)
}

// storeItems is storePage for a page that was decoded.
func (e *engine) storeItems(tx Tx, r *reading, page int, p bill.Page) (ids []int64, hash string, err error) {
	shelf, fresh, err := e.stockPage(tx, r.acct.Name, p.Items)
	if err != nil {
		return nil, "", err
	}
	ids = make([]int64, 0, len(p.Items))
	e.said.Reset()
	plain := true                             // every item is a bill that says what is stored
	var here seenSet                          // met on this page
	sure := make([]*bill.Known, len(p.Items)) // their rows, where there is no doubt
	seen := func(id int64) bool { return here.has(id) || r.seen.has(id) }
	ascertain := func(from int) {
		for i := from; i < len(p.Items); i++ {
			if b := &p.Items[i].Bill; !p.Items[i].Rejected {
				if k := certain(b, shelf, seen); k != nil {
					sure[i] = k
					here.add(k.ID)
				}
			}
		}
	}
	if !fresh {
		ascertain(0)
	}
	// Then nothing on a fresh page can be anything but a new bill, unless its
	// number says so: nothing needs to be known of the others.
	apart := fresh && apart(p.Items)
	if fresh && !apart {
		shelf = newShelf(len(p.Items))
	}
	for i := 0; i < len(p.Items); i++ {
		it := &p.Items[i]
		e.run.Read++
		if it.Rejected && r.chase != nil {
			continue // the passes tell of it
		}
		if it.Rejected {
			r.pass.Rejected++
			plain = false
			if err := tx.Reject(it, 0, reason(it), &r.pass, page, e.now()); err != nil {
				return nil, "", err
			}
			continue
		}
		k, m := sure[i], isRow
		if fresh && apart {
			m = isNew
		} else if k == nil {
			k, m = identify(&it.Bill, shelf, seen)
			// A list by status does not show the bills that look alike and have
			// another one: their order does.
			if m == isRow && r.chase != nil {
				m = isHeld
			}
			if m == isRow && older(&it.Bill, p.AskedAt, k, e.run, e.now()) {
				m = isHeld // a bill does not go back: it may be another one
			}
		} else if k.RunID == notified && k.Hash != it.Bill.Hash && older(&it.Bill, p.AskedAt, k, e.run, e.now()) {
			// The bill is sure, but what is stored of it may be another one's: the
			// notification may not have said the number.
			m = isHeld
		}
		if m == isHeld {
			h := bill.HeldItem{Page: page, Position: i, OneAnswer: true, AskedAt: p.AskedAt, Item: *it}
			for _, k := range shelf.sameKey(&it.Bill) {
				if r.seen.has(k.ID) && !here.has(k.ID) {
					h.OneAnswer = false
				}
				if _, ok := r.saw[k.ID]; !ok && r.saw != nil {
					r.saw[k.ID] = k.Hash
				}
			}
			if r.chase == nil {
				if err := tx.Hold(r.pass.ID, &h); err != nil {
					return nil, "", err
				}
			}
			r.held = append(r.held, h)
			continue
		}
		id, err := e.apply(tx, r, shelf, it, k, page, p.AskedAt)
		if errors.Is(err, errNumberKnown) && fresh {
			// The bill is stored with another time. From here on the page is
			// like any other.
			fresh = false
			if shelf, err = stock(tx, r.acct.Name, p.Items...); err != nil {
				return nil, "", err
			}
			ascertain(i)
			e.run.Read--
			i--
			continue
		}
		if err != nil {
			return nil, "", err
		}
		r.seen.add(id)
		here.add(id)
		ids = append(ids, id)
		plain = plain && len(it.Problems) == 0 && (k == nil || k.Hash == it.Bill.Hash)
		e.said.Add(&it.Bill)
	}
	if !plain || len(ids) != len(p.Items) {
		return ids, "", nil
	}
	return ids, e.said.Hash(), nil
}

func reason(it *bill.Item) string { return strings.Join(it.Problems, "; ") }

// apart reports whether the items of a page are bills of which no two were made
// in the same second.
func apart(items []bill.Item) bool {
	up, down := true, true
	for i := range items {
		if items[i].Rejected {
			return false
		}
		if i > 0 {
			a, b := items[i-1].Bill.Second(), items[i].Bill.Second()
			up, down = up && a < b, down && a > b
		}
	}
	return up || down
}

// errNumberKnown says that a bill that looked new has the number of a stored one.
var errNumberKnown = errors.New("a bill with this number is stored already")

// stockPage loads what is known of the bills on a page. Most pages of a first
// load are fresh: no bill is stored that was made when one of theirs was. Then
// only a number can make one of them a stored bill, and the database tells as it
// is stored: there is no shelf.
func (e *engine) stockPage(tx Tx, account string, items []bill.Item) (s *shelf, fresh bool, err error) {
	first, last, any := int64(0), int64(0), false
	for i := range items {
		if items[i].Rejected {
			continue
		}
		second := items[i].Bill.Second()
		if !any {
			first, last, any = second, second, true
		}
		first, last = min(first, second), max(last, second)
	}
	if any {
		stored, err := tx.AnyBetween(account, first, last)
		if err != nil {
			return nil, false, err
		}
		if !stored {
			return nil, true, nil
		}
	}
	s, err = stock(tx, account, items...)
	return s, false, err
}

// stock loads what is known of the bills on a page.
func stock(tx Tx, account string, items ...bill.Item) (*shelf, error) {
	var orders []string
	for i := range items {
		if b := &items[i].Bill; !items[i].Rejected {
			orders = append(orders, b.OrderNo)
		}
	}
	s := newShelf(len(items))
	known, err := tx.KnownByOrders(account, orders)
	if err != nil {
		return nil, err
	}
	for i := range known {
		s.put(&known[i])
	}
	return s, stockNumbers(tx, account, s, items)
}

// stockNumbers loads what is known under the numbers on a page. A number is
// looked up by itself only if its order does not have it.
func stockNumbers(tx Tx, account string, s *shelf, items []bill.Item) error {
	var numbers []string
	for i := range items {
		if n := items[i].Bill.BillNo; n != "" && s.byBillNo[n] == nil {
			numbers = append(numbers, n)
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	known, err := tx.KnownByBillNos(account, numbers)
	for i := range known {
		s.put(&known[i])
	}
	return err
}

// apply stores an item as the row k, or as a new one if k is nil, and returns
// the row's id. Without a shelf there is nothing like it.
func (e *engine) apply(tx Tx, r *reading, s *shelf, it *bill.Item, k *bill.Known, page int, askedAt time.Time) (int64, error) {
	b, now := &it.Bill, e.now()
	if k == nil {
		ordinal := 0
		if s != nil {
			ordinal = nextOrdinal(s.sameKey(b))
		}
		id, err := tx.InsertBill(r.acct.Name, b, ordinal, now, askedAt, e.run.ID)
		if err != nil {
			return 0, err
		}
		if id == 0 {
			return 0, fmt.Errorf("%w: order %s", errNumberKnown, b.OrderNo)
		}
		if s != nil {
			s.put(&bill.Known{
				ID: id, OrderNo: b.OrderNo, BillNo: b.BillNo, Second: b.Second(), Ordinal: ordinal, Hash: b.Hash, Trade: b.Trade,
				AssetID: b.AssetID, CardLast4: b.CardLast4, CardNickName: b.CardNickName, LastUpdate: b.LastUpdate, ReadAt: askedAt, RunID: e.run.ID,
			})
		}
		e.billNew(r)
		return id, e.note(tx, r, it, id, page)
	}
	if !k.NotifiedAt.IsZero() { // now it is listed
		k.NotifiedAt = time.Time{}
		if err := tx.MarkNotified(k.ID, k.NotifiedAt); err != nil {
			return 0, err
		}
	}
	if k.Hash == b.Hash && !k.Withdrawn {
		if k.CardNickName != b.CardNickName {
			k.CardNickName = b.CardNickName
			return k.ID, tx.UpdateNickName(k.ID, b.CardNickName)
		}
		return k.ID, e.note(tx, r, it, k.ID, page)
	}
	// What a notification told and the list does not show for so long was about
	// another bill.
	outlived := r.pass.Rereads > 0 && k.RunID == notified && askedAt.Sub(k.ReadAt) > lagging
	if older(b, askedAt, k, e.run, e.now()) && !r.twins && !outlived {
		if r.pass.Rereads == 0 {
			r.overtaken = b.OrderNo // by a replica that lags behind, or it is another bill: read again
		}
		e.log.Debug().Str("account", r.acct.Name).Str("order_no", b.OrderNo).Msg("an older state of a bill was listed, keeping the newer one")
		return k.ID, nil
	}
	if k.RunID == notified && !b.LastUpdate.IsZero() && sameChange(b.LastUpdate, k.LastUpdate) {
		e.log.Info().Str("account", r.acct.Name).Str("order_no", b.OrderNo).Msg("the list says something else than the notification of the same change, the list is believed")
	}
	back := k.Withdrawn
	if err := change(tx, s, k, b, now, askedAt, e.run.ID); err != nil {
		return 0, err
	}
	if back {
		e.billReturned(r)
	} else {
		e.billChanged(r)
	}
	return k.ID, e.note(tx, r, it, k.ID, page)
}

// change stores a later state of a bill in its row.
func change(tx Tx, s *shelf, k *bill.Known, b *bill.Bill, now, askedAt time.Time, run int64) error {
	if b.BillNo == "" && k.BillNo != "" {
		// The number was given once; an answer without it takes it not away.
		kept := *b
		kept.BillNo = k.BillNo
		b = &kept
	}
	ordinal := k.Ordinal
	if b.Second() != k.Second { // a numbered bill moved: it must not take another's place
		ordinal = nextOrdinal(s.sameKey(b))
	}
	if err := tx.UpdateBill(k.ID, b, ordinal, now, askedAt, run); err != nil {
		return err
	}
	if err := tx.ResolveBill(k.ID, now); err != nil {
		return err
	}
	if b.BillNo != "" {
		s.byBillNo[b.BillNo] = k
	}
	k.Ordinal = ordinal
	k.BillNo, k.Second, k.Hash, k.Trade, k.AssetID, k.CardLast4 = b.BillNo, b.Second(), b.Hash, b.Trade, b.AssetID, b.CardLast4
	k.CardNickName, k.LastUpdate, k.ReadAt, k.RunID, k.Withdrawn = b.CardNickName, b.LastUpdate, askedAt, run, false
	return nil
}

// older reports whether an item shows an earlier state than the stored one: an
// answer from a replica that lags behind, or one that was overtaken by another.
// Where both carry the provider's time of change, that decides (API §9.5);
// and a withdrawn bill comes back in whichever state; else, within a run, the
// order in which they were asked for, or the notification came. Our clock is not
// trusted from one run to another: what came in the future came before it was
// set back.
func older(b *bill.Bill, askedAt time.Time, k *bill.Known, run *bill.Run, now time.Time) bool {
	if !k.Withdrawn && !b.LastUpdate.IsZero() && !k.LastUpdate.IsZero() && !sameChange(b.LastUpdate, k.LastUpdate) {
		return b.LastUpdate.Before(k.LastUpdate)
	}
	meanwhile := k.RunID == run.ID || k.RunID == notified && !k.ReadAt.Before(run.StartedAt) && !k.ReadAt.After(now)
	return meanwhile && askedAt.Before(k.ReadAt)
}

// sameChange reports whether two times of change may be one: the list and
// notifications may tell it in whole seconds or in milliseconds (API §9.5).
func sameChange(a, b time.Time) bool {
	if a.Nanosecond() == 0 || b.Nanosecond() == 0 {
		return a.Unix() == b.Unix()
	}
	return a.Equal(b)
}

// note lists a bill of which a part could not be understood.
func (e *engine) note(tx Tx, r *reading, it *bill.Item, id int64, page int) error {
	if len(it.Problems) == 0 {
		return nil
	}
	return tx.Reject(it, id, reason(it), &r.pass, page, e.now())
}

package syncer

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"billsync/internal/bill"
)

const (
	// edge is how near to an end of a span it cannot be known whether the
	// provider lists a bill (API §9.3).
	edge = time.Second
	// massBills and massPercent: if more than that many bills, and more than
	// that share of a window, would be withdrawn at once, a person decides. A
	// lapsed grant answers S with nothing.
	massBills   = 20
	massPercent = 5
)

// sure returns the part of a span in which the provider lists every bill,
// whichever ends it counts in and whether or not it cuts off fractions.
func sure(s bill.Span) bill.Span { return bill.Span{Start: s.Start.Add(edge), End: s.End.Add(-edge)} }

// withdraw looks, at the end of a pass that adds up, for stored bills that
// should have been listed and were not. Each is asked for by its order; only
// those that are not there either are marked. It reports whether that is done;
// if not, requests are to be made first, or the pass has ended otherwise.
func (e *engine) withdraw(tx Tx, r *reading) (bool, error) {
	g := r.progress()
	if r.gone == nil {
		inner := sure(r.pass.Span)
		gone, live, err := tx.Unlisted(r.acct.Name, inner.Start, inner.End, &r.pass, r.seen.has)
		if err != nil {
			return false, err
		}
		if asks, err := e.probe(tx, r, gone); asks || err != nil {
			return false, err
		}
		if e.byUpdate {
			gone = slices.DeleteFunc(gone, func(k bill.Known) bool { return updatedOutside(&k, r.pass.Span) })
		}
		if len(gone) == 0 {
			return true, nil
		}
		if asks, err := e.askWhetherAlive(tx, r); asks || err != nil {
			return false, err
		}
		many := len(gone) > massBills && len(gone)*100 > live*massPercent || r.alive != nil && *r.alive == 0
		if many && len(gone) > g.MissingAccepted {
			return false, e.needPerson(tx, r, len(gone), live)
		}
		r.gone = gone
		if !many || r.pass.Rejected > 0 { // else a person's word stands for the look-ups
			r.elsewhere = nil
			r.inquire(ordersOf(gone), r.pass.Span)
			return false, r.save(tx)
		}
	} else if r.elsewhere == nil {
		missing, err := e.notListed(tx, r)
		if err != nil {
			return false, err
		}
		for _, k := range r.gone {
			if !slices.Contains(missing, k.ID) && !r.unread[k.OrderNo] {
				return false, e.moved(tx, r, fmt.Sprintf("order %s is listed when asked for, but not among the pages", k.OrderNo))
			}
		}
		r.gone = slices.DeleteFunc(r.gone, func(k bill.Known) bool { return !slices.Contains(missing, k.ID) })
		// Should the provider list bills by another time than that of their
		// transaction, they are elsewhere and not gone.
		r.elsewhere = e.otherPlaces(r)
		if len(r.elsewhere) > 0 {
			r.inquiries, r.lookPage, r.looked, r.stage = slices.Clone(r.elsewhere), 1, 0, askOrders
			for _, q := range r.elsewhere {
				delete(r.listed, q.order)
			}
			return false, r.save(tx)
		}
	}
	missing := idsOf(r.gone)
	if len(r.elsewhere) > 0 {
		var err error
		if missing, err = e.notListed(tx, r); err != nil {
			return false, err
		}
	}
	for _, k := range r.gone {
		if !slices.Contains(missing, k.ID) {
			continue
		}
		now := e.now()
		r.withdrawn++
		marked, err := tx.Withdraw(&k, now, e.run.ID)
		if err != nil {
			return false, err
		}
		if !marked {
			continue // by another reading, since this one looked
		}
		e.run.Withdrawn++
		r.acct.stats.Withdrawn++
		e.log.Warn().Str("account", r.acct.Name).Str("window", r.name()).Str("order_no", k.OrderNo).Int64("bill", k.ID).
			Msg("the API lists this bill no longer, marked as withdrawn")
	}
	return true, nil
}

// updatedOutside reports whether a bill's last change lies outside a span.
func updatedOutside(k *bill.Known, s bill.Span) bool {
	return !k.LastUpdate.IsZero() && !sure(s).Contains(k.LastUpdate)
}

// probe finds out whether the provider lists bills by the time of their last
// change and not of their transaction: the documents leave that open (API
// §9.4). It asks for one bill that this would explain; true: an answer is to be
// waited for.
func (e *engine) probe(tx Tx, r *reading, gone []bill.Known) (asks bool, err error) {
	if r.probed == nil && !e.byUpdate {
		for i := range gone {
			k := &gone[i]
			if !updatedOutside(k, r.pass.Span) {
				continue
			}
			// Around its change, but not where its transaction is.
			at := k.LastUpdate.Truncate(time.Second)
			s := bill.Span{Start: at.Add(-around), End: at.Add(around)}
			if at.After(r.pass.Start) {
				s.Start = latest(s.Start, r.pass.End.Add(edge))
			} else if end := r.pass.Start.Add(-edge); s.End.After(end) {
				s.End = end
			}
			if s.Start.Before(s.End) {
				r.probed = k
				r.inquire([]string{k.OrderNo}, s)
				return true, r.save(tx)
			}
		}
		return false, nil
	}
	if r.probed != nil && r.stage == askOrders {
		r.stage = askPages
		r.gone = []bill.Known{*r.probed}
		missing, err := e.notListed(tx, r)
		r.gone = nil
		if err != nil {
			return false, err
		}
		if len(missing) == 0 && !r.unread[r.probed.OrderNo] {
			e.byUpdate = true
			e.log.Warn().Str("account", r.acct.Name).Str("order_no", r.probed.OrderNo).
				Msg("the API lists bills by the time of their last change, not of their transaction")
		}
	}
	return false, nil
}

// askWhetherAlive is for a list that is empty although bills are stored. It
// asks how many bills there are elsewhere, where some are stored as well: if
// none, it is not these bills that are gone but the grant to see any. True: an
// answer is to be waited for.
func (e *engine) askWhetherAlive(tx Tx, r *reading) (bool, error) {
	if r.pass.Total > 0 || r.alive != nil {
		return false, nil
	}
	const days = 30
	at, err := tx.LiveOutside(r.acct.Name, r.pass.Start.Add(-2*edge), r.pass.End.Add(2*edge))
	if err != nil || at.IsZero() {
		return false, err // nothing else is stored: it cannot be told
	}
	s := bill.Span{Start: at.Add(-days * 24 * time.Hour).Truncate(time.Second), End: at.Add(2 * edge).Truncate(time.Second)}
	if at.After(r.pass.End) {
		s = bill.Span{Start: at.Add(-edge).Truncate(time.Second), End: at.Add(days * 24 * time.Hour).Truncate(time.Second)}
		if end := e.now().Add(-settle).Truncate(time.Second); s.End.After(end) {
			s.End = end
		}
	}
	if !s.Start.Before(s.End) {
		return false, nil
	}
	r.elsewhereSpan, r.stage = s, askAlive
	return true, r.save(tx)
}

// around is how far around a time a bill is looked for.
const around = 24 * time.Hour

func idsOf(bills []bill.Known) []int64 {
	ids := make([]int64, len(bills))
	for i, k := range bills {
		ids[i] = k.ID
	}
	return ids
}

func ordersOf(bills []bill.Known) []string {
	var orders []string
	for _, k := range bills {
		orders = append(orders, k.OrderNo)
	}
	slices.Sort(orders)
	return slices.Compact(orders)
}

// otherPlaces returns where else to ask for the bills in r.gone: a day around
// their transaction and around their last change, as far as the pass did not
// cover that.
func (e *engine) otherPlaces(r *reading) []inquiry {
	latest := e.now().Add(-settle).Truncate(time.Second)
	out := []inquiry{}
	for _, k := range r.gone {
		for _, t := range []time.Time{time.Unix(k.Second, 0), k.LastUpdate.Truncate(time.Second)} {
			s := bill.Span{Start: t.Add(-around), End: t.Add(around)}
			if s.End.After(latest) {
				s.End = latest
			}
			if t.IsZero() || !s.Start.Before(s.End) || (!s.Start.Before(r.pass.Start) && !s.End.After(r.pass.End)) {
				continue
			}
			if q := (inquiry{k.OrderNo, s}); !slices.Contains(out, q) {
				out = append(out, q)
			}
		}
	}
	return out
}

// notListed returns which of the bills in r.gone are not among what was listed
// about their orders. Where an answer held something unreadable nothing is
// said to be missing.
func (e *engine) notListed(tx Tx, r *reading) ([]int64, error) {
	known, err := tx.KnownByOrders(r.acct.Name, ordersOf(r.gone))
	if err != nil {
		return nil, err
	}
	gone := map[int64]bool{}
	for _, k := range r.gone {
		gone[k.ID] = true
	}
	var missing []int64
	for _, k := range r.gone {
		if r.unread[k.OrderNo] {
			continue
		}
		// The bills of the order at that second: those that the pass has seen
		// have the first claim to what is listed.
		var rows []*bill.Known
		for i := range known {
			if x := &known[i]; x.OrderNo == k.OrderNo && x.Second == k.Second && !x.Withdrawn {
				rows = append(rows, x)
			}
		}
		slices.SortFunc(rows, func(a, b *bill.Known) int {
			if gone[a.ID] != gone[b.ID] {
				if gone[a.ID] {
					return 1
				}
				return -1
			}
			return cmp.Compare(a.Ordinal, b.Ordinal)
		})
		items := map[int][]*bill.Bill{} // by inquiry: two may list the same bill
		there := false
		for _, f := range r.listed[k.OrderNo] {
			b := &f.item.Bill
			there = there || (k.BillNo != "" && b.BillNo == k.BillNo)
			if b.Second() == k.Second {
				items[f.inquiry] = append(items[f.inquiry], b)
			}
		}
		for _, listed := range items {
			for _, row := range assign(listed, rows) {
				there = there || (row != nil && row.ID == k.ID)
			}
		}
		if !there {
			missing = append(missing, k.ID)
		}
	}
	return missing, nil
}

// needPerson lets a window wait for a person: too many of its bills are listed
// no longer. None is marked. The proof that this pass disagrees with no longer
// holds.
func (e *engine) needPerson(tx Tx, r *reading, missing, live int) error {
	subject := "tail:" + r.acct.Name
	if r.win != nil {
		subject = fmt.Sprintf("window:%d", r.win.ID)
	}
	e.log.Error().Str("account", r.acct.Name).Str("window", r.name()).Int("missing", missing).Int("stored", live).
		Msg("many stored bills are listed no longer; none is marked before a person accepts it")
	g := r.progress()
	g.Missing, g.MissingAccepted = missing, 0
	g.NextAttemptAt = time.Time{}
	if r.win == nil {
		r.tail.MissingFrom, r.acct.tailOwed = r.pass.Start, false
		r.acct.tailRead, r.acct.tailListed, r.acct.tailGone = true, r.pass.Total, missing
	}
	return e.disproved(tx, r, fmt.Sprintf(
		"the API lists %d of %d stored bills no longer, which may mean that a grant lapsed; none was marked. If it is right: syncer accept %s --note TEXT",
		missing, live, subject))
}

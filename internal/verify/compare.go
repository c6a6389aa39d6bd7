package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"billsync/internal/bill"
)

// countRow counts a row on both sides. If they differ and what is stored changed
// meanwhile, because a sync is at work, it is counted once more.
func (c *counter) countRow(ctx context.Context, a *account, r *row) error {
	for try := 0; ; try++ {
		if err := c.lookUp(ctx, a, r.pieces...); err != nil {
			return err
		}
		before := r.stock()
		r.Failure = c.countPieces(ctx, a, r)
		if isFatal(r.Failure) {
			return r.Failure
		}
		if err := c.lookUp(ctx, a, r.pieces...); err != nil {
			return err
		}
		r.Counted = r.Failure == nil
		if !r.Counted || try > 0 || !slices.ContainsFunc(r.pieces, (*piece).differs) || r.stock() == before {
			return nil
		}
	}
}

// stock is what the database holds of all of a row.
func (r *row) stock() (sum stock) {
	for _, p := range r.pieces {
		sum.live += p.live
		sum.gone += p.gone
		sum.dated += p.dated
		sum.changed = latest(sum.changed, p.changed)
	}
	return sum
}

// settleSeams looks for bills that the provider lists in the overlap of two
// spans and that are not stored: both sides counted them. Such a seam is moved
// away, and both sides are counted again.
func (c *counter) settleSeams(ctx context.Context, a *account) error {
	var before *piece
	for _, r := range a.rows {
		if !r.Counted {
			before = nil
			continue
		}
		for _, p := range r.pieces {
			if before != nil && before.right == p.left && p.left.clean && (before.open() != 0 || p.open() != 0) {
				err := c.settleSeam(ctx, a, before, p)
				if isFatal(err) {
					return err
				}
				if err != nil {
					r.Remark = fmt.Sprintf("bills on its ends may be counted twice: %v", err)
				}
			}
			before = p
		}
	}
	return nil
}

// settleSeam is settleSeams for one of them.
func (c *counter) settleSeam(ctx context.Context, a *account, older, newer *piece) error {
	at := older.right.at
	tried := map[int64]bool{at.Unix(): true}
	n, err := c.hidden(ctx, a, at, newer.right)
	if err != nil || n == 0 {
		return err
	}
	// Backwards first, as with all ends, in steps that double.
	for _, direction := range []time.Duration{-1, 1} {
		for step := 4 * time.Second; step <= reach; step *= 2 {
			e, err := c.elsewhere(ctx, a, at.Add(direction*step), older.left, newer.right)
			if err != nil {
				return err
			}
			if e == nil || tried[e.at.Unix()] {
				continue
			}
			tried[e.at.Unix()] = true
			if n, err = c.hidden(ctx, a, e.at, newer.right); err != nil {
				return err
			}
			if n == 0 {
				return c.moveSeam(ctx, a, older, newer, e)
			}
		}
	}
	return errors.New("unknown bills are wherever it could be")
}

// hidden counts at the provider what lies on a seam, where nothing is stored.
func (c *counter) hidden(ctx context.Context, a *account, at time.Time, next *edge) (int, error) {
	return c.ask(ctx, a, bill.Span{Start: at.Add(-time.Second), End: earliest(at.Add(overlap+time.Second), next.end())})
}

// elsewhere finds a clean second near want between two edges; nil if there is none.
func (c *counter) elsewhere(ctx context.Context, a *account, want time.Time, left, right *edge) (e *edge, err error) {
	lo, hi := left.at.Add(time.Second), right.at.Add(-time.Second)
	err = c.library.View(ctx, func(b Books) error {
		at, ok, err := a.find(b, seam, want, latest(lo, want.Add(-reach)), earliest(hi, want.Add(time.Minute)))
		if found := (&edge{at, seam, true}); ok && a.legal(left.start(), found.end()) && a.legal(found.start(), right.end()) {
			e = found
		}
		return err
	})
	return e, err
}

// moveSeam puts the seam between two pieces elsewhere and counts both again.
func (c *counter) moveSeam(ctx context.Context, a *account, older, newer *piece, e *edge) error {
	pieces := [2]*piece{{left: older.left, right: e}, {left: e, right: newer.right}}
	for _, p := range pieces {
		n, err := c.ask(ctx, a, p.span())
		if err != nil {
			return err
		}
		p.api = n
	}
	if err := c.lookUp(ctx, a, pieces[:]...); err != nil {
		return err
	}
	*older, *newer = *pieces[0], *pieces[1]
	return nil
}

// attribute says for each unreadable item of unknown time where it belongs: it
// is somewhere in the span in which it was seen, so it is where the provider
// counts more than is stored, first of all in the row of its own window.
func (a *account) attribute() {
	items := slices.Clone(a.undated)
	slices.SortStableFunc(items, func(x, y undated) int {
		return cmp.Compare(x.seen.End.Sub(x.seen.Start), y.seen.End.Sub(y.seen.Start)) // the shortest has the fewest choices
	})
	for _, it := range items {
		var best *piece
		most := -1
		for _, r := range a.rows {
			for _, p := range r.pieces {
				if !p.span().Overlaps(it.seen) {
					continue
				}
				rank := 0
				if r.Counted && p.open() > p.undated {
					rank += 2
				}
				if r.own != nil && r.own.window == it.window {
					rank++
				}
				if rank == 0 && r.own != nil {
					continue // of a window beside it, which may not be looked at
				}
				if rank > most {
					best, most = p, rank
				}
			}
		}
		if best != nil {
			best.undated++
		}
	}
}

// finish fills in a row from its pieces.
func (r *row) finish() {
	for i, p := range r.pieces {
		r.API += p.api
		r.Stored += p.live
		r.Withdrawn += p.gone
		r.Unreadable += p.dated + p.undated
		if i == 0 {
			r.Tolerance = p.nearLeft
		}
		r.Tolerance += p.nearRight
		r.differs = r.differs || p.differs()
	}
	if len(r.pieces) > 0 {
		r.Span = r.asked()
	}
	if r.own != nil {
		r.Windows = readAgain(*r.own, r.Span, r.beside)
	}
}

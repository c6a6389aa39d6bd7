package verify

import (
	"slices"
	"time"

	"billsync/internal/bill"
)

const (
	// margin is how far a bill must be from an end, so that it does not matter
	// whether the end is included, nor whether one side cut the fraction of a
	// second off and the other did not.
	margin = 2 * time.Second
	// overlap is what neighbouring spans share at a clean second.
	overlap = time.Second
	// reach is how far an end is moved at most to a clean second.
	reach = 6 * time.Hour
	// tick is the precision of stored times.
	tick = time.Millisecond
)

// A kind says what lies on both sides of an edge.
type kind int

const (
	opening kind = iota // what was read begins here
	seam                // between two spans
	closing             // what was proved ends here
)

// room returns how far before and after an edge's second no bill may be.
//
// What was read begins exactly bill.Lead before the history does, so that a
// bill in the history's first second is margin away: that is enough there.
func (k kind) room() (before, after time.Duration) {
	switch k {
	case opening:
		return margin - tick, margin - tick
	case seam:
		return margin, overlap + margin
	}
	return margin, margin
}

// An edge is where a counted span ends and, at a seam, the next one begins.
type edge struct {
	at    time.Time // a whole second
	kind  kind
	clean bool
}

// start is where the provider is asked from.
func (e *edge) start() time.Time { return e.at }

// end is until when the provider is asked. Spans overlap at a clean seam only:
// elsewhere a stored bill would be counted twice.
func (e *edge) end() time.Time {
	if e.kind == seam && e.clean {
		return e.at.Add(overlap)
	}
	return e.at
}

// since is the first time of the stored bills that belong to the later side.
func (e *edge) since() time.Time {
	if e.kind == closing {
		return e.at.Add(tick) // the end itself was asked for
	}
	return e.at
}

// around returns the stretch in which a bill is near the edge, the last time
// not included.
func (e *edge) around() (from, to time.Time) {
	before, after := e.kind.room()
	if e.kind == seam && !e.clean {
		after = margin
	}
	return e.at.Add(-before), e.at.Add(after + tick)
}

// find looks for the clean second nearest to want: backwards down to lo, and if
// there is none onwards up to hi.
func (a *account) find(b Books, k kind, want, lo, hi time.Time) (time.Time, bool, error) {
	before, after := k.room()
	if from := earliest(want, hi).Truncate(time.Second); !from.Before(lo) {
		at, err := a.backwards(b, from, lo, before, after)
		if err != nil || !at.Before(lo) {
			return at, err == nil, err
		}
	}
	from := ceil(latest(want, lo))
	if from.After(hi) {
		return time.Time{}, false, nil
	}
	at, err := a.onwards(b, from, hi, before, after)
	return at, err == nil && !at.After(hi), err
}

// backwards returns the latest whole second not after from that no bill is
// near; one before lo means that there is none.
func (a *account) backwards(b Books, from, lo time.Time, before, after time.Duration) (time.Time, error) {
	at := from
	err := a.moments(b, lo.Add(-before), from.Add(after), true, func(t time.Time) bool {
		if t.Before(at.Add(-before)) {
			return false // and all others are further away
		}
		if !t.After(at.Add(after)) {
			at = t.Add(-after - tick).Truncate(time.Second)
		}
		return !at.Before(lo)
	})
	return at, err
}

// onwards is backwards the other way.
func (a *account) onwards(b Books, from, hi time.Time, before, after time.Duration) (time.Time, error) {
	at := from
	err := a.moments(b, from.Add(-before), hi.Add(after), false, func(t time.Time) bool {
		if t.After(at.Add(after)) {
			return false
		}
		if !t.Before(at.Add(-before)) {
			at = ceil(t.Add(before + tick))
		}
		return !at.After(hi)
	})
	return at, err
}

// moments goes through the times of bills and of unreadable items whose time is
// known, in order.
func (a *account) moments(b Books, from, to time.Time, newestFirst bool, fn func(time.Time) bool) error {
	items := a.datedIn(from, to.Add(tick))
	more := true
	// item hands over the items that come before t; all of them if t is zero.
	item := func(t time.Time) {
		for more && len(items) > 0 {
			next := items[0]
			if newestFirst {
				next = items[len(items)-1]
			}
			if !t.IsZero() && (next.Before(t) == newestFirst) {
				return
			}
			if newestFirst {
				items = items[:len(items)-1]
			} else {
				items = items[1:]
			}
			more = fn(next)
		}
	}
	err := b.Moments(a.Name, from, to, newestFirst, func(t time.Time) bool {
		if item(t); more {
			more = fn(t)
		}
		return more
	})
	if err == nil {
		item(time.Time{})
	}
	return err
}

// datedIn returns the times of unreadable items from one time to before another.
func (a *account) datedIn(from, to time.Time) []time.Time {
	i, _ := slices.BinarySearchFunc(a.dated, from, time.Time.Compare)
	j, _ := slices.BinarySearchFunc(a.dated, to, time.Time.Compare)
	return a.dated[i:max(i, j)]
}

// stored counts what the database holds from one time to before another;
// unreadable items whose time is known count as bills of their own kind.
func (a *account) stored(b Books, from, to time.Time) (bill.Stored, int, error) {
	s, err := b.Stored(a.Name, from, to)
	return s, len(a.datedIn(from, to)), err
}

// ceil returns the first whole second that is not before t.
func ceil(t time.Time) time.Time {
	if s := t.Truncate(time.Second); s.Before(t) {
		return s.Add(time.Second)
	}
	return t
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

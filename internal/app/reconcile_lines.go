package app

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"billsync/internal/store"
)

// sameLines are the stored lines that the lines of the file are. A line that is not
// stored has no ID, and a key that none has.
//
// Lines that say the same are known by their count alone. If a file has fewer of them
// than before, those go first about which nobody has decided: a person who takes a
// line out that was booked twice does not take back what was confirmed of the other.
func (r *reconciling) sameLines(matches []store.LedgerMatch) []sameLine {
	stored := make(map[string][]int, len(r.old)) // by what they say
	for i := range r.old {
		says, _, _ := strings.Cut(r.old[i].Key, "-")
		stored[says] = append(stored[says], i)
	}
	alike := make(map[string][]int, len(r.book.Lines))
	for i := range r.book.Lines {
		says, _, _ := strings.Cut(r.book.Lines[i].Key, "-")
		alike[says] = append(alike[says], i)
	}
	var decided map[int64]int // made when it is needed, which is seldom
	same := make([]sameLine, len(r.book.Lines))
	for says, lines := range alike {
		was := stored[says]
		if len(was) > len(lines) {
			if decided == nil {
				decided = decidedLines(matches)
			}
			slices.SortFunc(was, func(a, b int) int {
				x, y := &r.old[a], &r.old[b]
				return cmp.Or(cmp.Compare(rank(x, decided), rank(y, decided)), cmp.Compare(x.ID, y.ID))
			})
			was = was[:len(lines)]
		}
		slices.SortFunc(was, func(a, b int) int {
			x, y := &r.old[a], &r.old[b]
			return cmp.Or(cmp.Compare(x.Number, y.Number), cmp.Compare(x.ID, y.ID))
		})
		if len(was) == 0 && len(lines) == 1 { // as most are at first
			same[lines[0]] = sameLine{-1, says}
			continue
		}
		var used map[string]bool // keys of these, made when there are further lines
		k := 1
		for n, i := range lines {
			if n < len(was) {
				same[i].old = was[n]
				continue
			}
			if used == nil {
				used = make(map[string]bool, len(was))
				for _, at := range was {
					used[r.old[at].Key] = true
				}
			}
			key := says
			for used[key] {
				k++ // those before are given out
				key = fmt.Sprintf("%s-%d", says, k)
			}
			same[i] = sameLine{-1, key}
			used[key] = true
		}
	}
	return same
}

// A sameLine is the stored line that a line of the file is, or the key of a new one.
type sameLine struct {
	old int // of r.old; -1: it is new
	key string
}

// rank is which of lines that say the same are kept: the lower the rather.
func rank(l *store.LedgerLine, decided map[int64]int) int {
	if l.Removed { // what was decided about it, it keeps
		return 3
	}
	if n, ok := decided[l.ID]; ok {
		return n
	}
	return 2
}

// decidedLines are the lines of matches that somebody has confirmed (0) or rejected (1).
func decidedLines(matches []store.LedgerMatch) map[int64]int {
	decided := map[int64]int{}
	for i := range matches {
		m := &matches[i]
		for _, id := range m.Lines {
			switch was, ok := decided[id]; {
			case m.State == store.MatchConfirmed:
				decided[id] = 0
			case m.State == store.MatchRejected && (!ok || was > 1):
				decided[id] = 1
			}
		}
	}
	return decided
}

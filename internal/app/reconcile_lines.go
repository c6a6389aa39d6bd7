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
func (r *reconciling) sameLines(matches []store.LedgerMatch) []store.LedgerLine {
	stored := map[string][]*store.LedgerLine{} // by what they say
	for i := range r.old {
		says, _, _ := strings.Cut(r.old[i].Key, "-")
		stored[says] = append(stored[says], &r.old[i])
	}
	alike := map[string][]int{}
	for i := range r.book.Lines {
		says, _, _ := strings.Cut(r.book.Lines[i].Key, "-")
		alike[says] = append(alike[says], i)
	}
	var decided map[int64]int // made when it is needed, which is seldom
	same := make([]store.LedgerLine, len(r.book.Lines))
	for says, lines := range alike {
		was := stored[says]
		if len(was) > len(lines) {
			if decided == nil {
				decided = decidedLines(matches)
			}
			slices.SortFunc(was, func(a, b *store.LedgerLine) int {
				return cmp.Or(cmp.Compare(rank(a, decided), rank(b, decided)), cmp.Compare(a.ID, b.ID))
			})
			was = was[:len(lines)]
		}
		slices.SortFunc(was, func(a, b *store.LedgerLine) int {
			return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.ID, b.ID))
		})
		used := map[string]bool{}
		for _, l := range was {
			used[l.Key] = true
		}
		for n, i := range lines {
			if n < len(was) {
				same[i] = *was[n]
				continue
			}
			key := says
			for k := 2; used[key]; k++ {
				key = fmt.Sprintf("%s-%d", says, k)
			}
			used[key], same[i].Key = true, key
		}
	}
	return same
}

// rank is which of lines that say the same are kept: the lower the rather.
func rank(l *store.LedgerLine, decided map[int64]int) int {
	if n, ok := decided[l.ID]; ok {
		return n
	}
	if l.Removed {
		return 3
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

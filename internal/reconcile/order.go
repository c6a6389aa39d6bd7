package reconcile

import (
	"cmp"
	"slices"
	"sort"
)

// inOrder puts lines in the order of their keys, postings in that of their days,
// amounts and keys.
func inOrder(lines []Line, postings []Posting) (lineAt, postAt []int32) {
	lineAt = make([]int32, len(lines))
	for i := range lineAt {
		lineAt[i] = int32(i)
	}
	slices.SortFunc(lineAt, func(a, b int32) int { return cmp.Compare(lines[a].Key, lines[b].Key) })
	postAt = make([]int32, len(postings))
	for i := range postAt {
		postAt[i] = int32(i)
	}
	slices.SortFunc(postAt, func(a, b int32) int {
		x, y := &postings[a], &postings[b]
		if c := cmp.Or(cmp.Compare(x.Day, y.Day), cmp.Compare(x.Amount.Value, y.Amount.Value)); c != 0 {
			return c // nearly always: texts take longer
		}
		return cmp.Or(cmp.Compare(x.Amount.Currency, y.Amount.Currency), cmp.Compare(x.Key, y.Key))
	})
	return lineAt, postAt
}

// distinct sorts a list and leaves out what is there twice.
func distinct(list []int32) []int32 {
	if len(list) < 2 {
		return list
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// numbered gives texts numbers, from 0.
type numbered struct {
	texts   []string
	numbers map[string]int32
	last    string // the one that was asked for last, which often comes again
	number  int32
}

func (n *numbered) of(text string) int32 {
	if len(n.texts) > 0 && text == n.last {
		return n.number
	}
	if n.numbers == nil {
		n.numbers = map[string]int32{}
	}
	number, ok := n.numbers[text]
	if !ok {
		number = int32(len(n.texts))
		n.numbers[text] = number
		n.texts = append(n.texts, text)
	}
	n.last, n.number = text, number
	return number
}

// A shelf has a side's entries by amount, each amount's by day.
type shelf struct {
	starts, ends []int32 // of an amount's, in list
	list         []int32
}

func newShelf(side []entry, amounts int) shelf {
	s := shelf{make([]int32, amounts), make([]int32, amounts), nil}
	n := int32(0)
	for i := range side {
		if k := side[i].amount; k >= 0 {
			s.ends[k]++
			n++
		}
	}
	s.list = make([]int32, n)
	at := int32(0)
	for k, count := range s.ends {
		s.starts[k], s.ends[k] = at, at
		at += count
	}
	for i := range side {
		if k := side[i].amount; k >= 0 {
			s.list[s.ends[k]] = int32(i)
			s.ends[k]++
		}
	}
	for k := range s.starts {
		if list := s.of(int32(k)); len(list) > 1 {
			slices.SortFunc(list, func(a, b int32) int { return cmp.Or(cmp.Compare(side[a].day, side[b].day), cmp.Compare(a, b)) })
		}
	}
	return s
}

func (s *shelf) clone() shelf {
	return shelf{s.starts, slices.Clone(s.ends), slices.Clone(s.list)}
}

// of are the entries of an amount.
func (s *shelf) of(amount int32) []int32 {
	if amount < 0 {
		return nil
	}
	return s.list[s.starts[amount]:s.ends[amount]]
}

// since are those from a day on.
func (s *shelf) since(amount, day int32, side []entry) []int32 {
	list := s.of(amount)
	if len(list) == 0 || side[list[0]].day >= day {
		return list
	}
	return list[sort.Search(len(list), func(j int) bool { return side[list[j]].day >= day }):]
}

// keep leaves out what is not wanted.
func (s *shelf) keep(wanted func(i int) bool) {
	for k, start := range s.starts {
		at := start
		for _, i := range s.list[start:s.ends[k]] {
			if wanted(int(i)) {
				s.list[at] = i
				at++
			}
		}
		s.ends[k] = at
	}
}

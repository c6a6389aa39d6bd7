package reconcile

import (
	"cmp"
	"slices"
	"sort"
)

// A calendar finds the entries of a side by currency, day and amount.
type calendar struct {
	side []entry
	days map[dayOf][]int32 // sorted by amount
}

type dayOf struct{ currency, day int32 }

func newCalendar(side []entry) *calendar {
	c := &calendar{side, map[dayOf][]int32{}}
	count := map[dayOf]int32{}
	for i := range side {
		count[dayOf{side[i].currency, side[i].day}]++
	}
	all := make([]int32, 0, len(side))
	for k, n := range count {
		from := len(all)
		all = all[:from+int(n)]
		c.days[k] = all[from:from:len(all)]
	}
	for i := range side {
		k := dayOf{side[i].currency, side[i].day}
		c.days[k] = append(c.days[k], int32(i))
	}
	for _, list := range c.days {
		slices.SortFunc(list, func(a, b int32) int { return cmp.Or(cmp.Compare(side[a].value, side[b].value), cmp.Compare(a, b)) })
	}
	return c
}

// near calls fn with the entries of x's currency from one day to another whose
// amounts are no further from x's than reach, until it returns false.
func (c *calendar) near(x *entry, from, to int32, reach uint64, fn func(i int) bool) {
	for d := from; d <= to; d++ {
		list := c.days[dayOf{x.currency, d}]
		at := c.from(list, x.value)
		for i := at; i < len(list) && c.distance(list[i], x) <= reach; i++ {
			if !fn(int(list[i])) {
				return
			}
		}
		for i := at - 1; i >= 0 && c.distance(list[i], x) <= reach; i-- {
			if !fn(int(list[i])) {
				return
			}
		}
	}
}

func (c *calendar) distance(i int32, x *entry) uint64 { return distance(c.side[i].value, x.value) }

// from is where in a day's list amounts are no longer smaller.
func (c *calendar) from(list []int32, value int64) int {
	return sort.Search(len(list), func(i int) bool { return c.side[list[i]].value >= value })
}

// nearest calls fn with the entries of each day whose amounts are nearest to x's, of
// those that are good: at most n above and n below.
func (c *calendar) nearest(x *entry, from, to int32, n int, good func(i int) bool, fn func(i int)) {
	for d := from; d <= to; d++ {
		list := c.days[dayOf{x.currency, d}]
		at := c.from(list, x.value)
		const steps = 50 // past those that are not good
		for i, found := at, 0; i < len(list) && i < at+steps && found < n; i++ {
			if good(int(list[i])) {
				fn(int(list[i]))
				found++
			}
		}
		for i, found := at-1, 0; i >= 0 && i >= at-steps && found < n; i-- {
			if good(int(list[i])) {
				fn(int(list[i]))
				found++
			}
		}
	}
}

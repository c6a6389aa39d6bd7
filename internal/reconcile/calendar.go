package reconcile

import (
	"cmp"
	"slices"
	"sort"

	"billsync/internal/bill"
)

// An item is a line or a posting, as far as amounts and days go.
type item struct {
	amount bill.Amount
	day    int32
}

// A calendar finds the items of a side by currency, day and amount.
type calendar struct {
	of   func(int) item
	days map[dayOf][]int32 // sorted by amount
}

type dayOf struct {
	currency string
	day      int32
}

func newCalendar(n int, of func(int) item) *calendar {
	c := &calendar{of, map[dayOf][]int32{}}
	for i := range n {
		x := of(i)
		k := dayOf{x.amount.Currency, x.day}
		c.days[k] = append(c.days[k], int32(i))
	}
	for _, list := range c.days {
		slices.SortFunc(list, func(a, b int32) int {
			return cmp.Or(cmp.Compare(of(int(a)).amount.Value, of(int(b)).amount.Value), cmp.Compare(a, b))
		})
	}
	return c
}

// near calls fn with the items of a currency from one day to another whose amounts
// are no further than reach away, until it returns false.
func (c *calendar) near(a bill.Amount, from, to int32, reach uint64, fn func(i int) bool) {
	for d := from; d <= to; d++ {
		list := c.days[dayOf{a.Currency, d}]
		at := c.from(list, a.Value)
		for i := at; i < len(list) && c.distance(list[i], a) <= reach; i++ {
			if !fn(int(list[i])) {
				return
			}
		}
		for i := at - 1; i >= 0 && c.distance(list[i], a) <= reach; i-- {
			if !fn(int(list[i])) {
				return
			}
		}
	}
}

func (c *calendar) distance(i int32, a bill.Amount) uint64 {
	return distance(c.of(int(i)).amount.Value, a.Value)
}

// from is where in a day's list amounts are no longer smaller.
func (c *calendar) from(list []int32, value int64) int {
	return sort.Search(len(list), func(i int) bool { return c.of(int(list[i])).amount.Value >= value })
}

// nearest calls fn with the items of each day whose amounts are nearest, of those
// that are good: at most n above and n below.
func (c *calendar) nearest(a bill.Amount, from, to int32, n int, good func(i int) bool, fn func(i int)) {
	for d := from; d <= to; d++ {
		list := c.days[dayOf{a.Currency, d}]
		at := c.from(list, a.Value)
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

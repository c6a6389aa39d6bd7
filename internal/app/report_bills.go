package app

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"billsync/internal/bill"
	"billsync/internal/report"
	"billsync/internal/store"
)

// moneyCells are the cells of an amount, which may be missing, and of its currency.
func moneyCells(a *bill.Amount) (value, currency any) {
	if a == nil {
		return nil, nil
	}
	return a.Value, some(a.Currency)
}

// cardColumns are the columns of a card: what people know it by and its id.
func cardColumns() []report.Column {
	return []report.Column{
		{Name: "card_last4", Title: "card", Kind: report.ID},
		{Name: "asset_id", Title: "card id", Kind: report.ID, Data: true},
	}
}

// dayTitle is the title of a column of days, which depend on the time zone.
func (b *book) dayTitle(title string) string {
	return fmt.Sprintf("%s (%s)", title, b.app.cfg.Report.Timezone)
}

// A groupKey is what rows of a total have in common.
type groupKey [4]string

// sorted calls fn for each group, in order.
func sorted[V any](groups map[groupKey]*V, fn func(groupKey, *V) error) error {
	for _, k := range slices.SortedFunc(maps.Keys(groups), func(a, b groupKey) int { return slices.Compare(a[:], b[:]) }) {
		if err := fn(k, groups[k]); err != nil {
			return err
		}
	}
	return nil
}

// group returns the sums of a group, which may be new.
func group[V any](groups map[groupKey]*V, k groupKey) *V {
	if groups[k] == nil {
		groups[k] = new(V)
	}
	return groups[k]
}

// addAll adds amounts to sums, pair by pair.
func addAll(what string, pairs ...any) error {
	for i := 0; i < len(pairs); i += 2 {
		sum, n := pairs[i].(*int64), pairs[i+1].(int64)
		if err := store.Add(sum, n); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

// today is the day it is in the report's time zone.
func (b *book) today() string { return bill.DayText(b.madeAt.In(b.app.cfg.Report.Timezone)) }

// daysBetween counts calendar days from one day to another.
func daysBetween(from, to string) (int64, error) {
	a, err := time.Parse(time.DateOnly, from)
	z, e := time.Parse(time.DateOnly, to)
	if err := cmp.Or(err, e); err != nil {
		return 0, fmt.Errorf("counting days: %w", err)
	}
	return int64(z.Sub(a) / (24 * time.Hour)), nil
}

// closing returns the closing of a month; nil if it is open.
func (b *book) closing(month Month) (*store.Closing, []store.Closing, error) {
	closed, err := b.Closings()
	if err != nil {
		return nil, nil, err
	}
	for i := range closed {
		if closed[i].Month == string(month) {
			return &closed[i], closed, nil
		}
	}
	return nil, closed, nil
}

// notClosed says that a month is not closed, and which are.
func notClosed(month Month, closed []store.Closing) error {
	advice := "no month is closed yet; \"syncer close " + string(month) + "\" closes it"
	if len(closed) > 0 {
		advice = "closed months:"
		for i := range closed {
			advice += " " + closed[i].Month
		}
	}
	return &InputError{string(month) + " is not closed", advice}
}

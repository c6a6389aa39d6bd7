package simulator

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// A Book is what the server answers from.
type Book interface {
	// Bills lists the bills of a customer as they are at now, newest
	// transaction first and in a stable order where times are equal. Of those
	// the filter admits it leaves out the first skip and returns at most limit,
	// and the total of all that match. Its results are the caller's to read,
	// not to change.
	Bills(now time.Time, customer string, f Filter, skip, limit int) (items []json.RawMessage, total int)
}

// A Filter says which bills are asked for. Empty fields admit everything.
type Filter struct {
	From, To               time.Time // bounds of the transaction time; zero: unbounded
	IncludeFrom, IncludeTo bool      // whether a bill exactly at a bound is admitted
	Statuses               []string
	CardLast4              string
	CardNo                 string // full number, of which a book knows only parts
	MerchantName           string // part of the name, in any letter case
	OrderNo                string
	BudgetAccountIDs       []string
}

// plain reports whether the filter asks for nothing but a span of time.
func (f *Filter) plain() bool {
	return len(f.Statuses) == 0 && f.CardLast4 == "" && f.CardNo == "" && f.MerchantName == "" &&
		f.OrderNo == "" && len(f.BudgetAccountIDs) == 0
}

// within reports whether the filter's span holds t.
func (f *Filter) within(t time.Time) bool {
	if !f.From.IsZero() && (t.Before(f.From) || t.Equal(f.From) && !f.IncludeFrom) {
		return false
	}
	return f.To.IsZero() || t.Before(f.To) || t.Equal(f.To) && f.IncludeTo
}

// card reports whether a card with this masked number is asked for. Of a full
// number only the digits that the mask shows are compared.
func (f *Filter) card(masked string) bool {
	if f.CardLast4 != "" && !strings.HasSuffix(masked, f.CardLast4) {
		return false
	}
	if f.CardNo == "" {
		return true
	}
	if len(f.CardNo) != len(masked) {
		return false
	}
	for i := range len(masked) {
		if masked[i] != '*' && masked[i] != f.CardNo[i] {
			return false
		}
	}
	return true
}

func (f *Filter) status(s string) bool {
	return len(f.Statuses) == 0 || slices.Contains(f.Statuses, s)
}

func (f *Filter) budget(id string) bool {
	return len(f.BudgetAccountIDs) == 0 || slices.Contains(f.BudgetAccountIDs, id)
}

func (f *Filter) merchant(name string) bool {
	return f.MerchantName == "" || strings.Contains(strings.ToLower(name), strings.ToLower(f.MerchantName))
}

func (f *Filter) order(no string) bool { return f.OrderNo == "" || f.OrderNo == no }

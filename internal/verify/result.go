package verify

import (
	"fmt"
	"time"

	"billsync/internal/bill"
)

// A Row is a counted stretch of an account's bills beside what is stored of it.
type Row struct {
	Account string
	Month   string  // of a sheet by months, such as "2026-10"
	Windows []int64 // what has to be read again to cover it; 0 is the tail
	Tail    bool
	State   bill.State // of its window
	Span    bill.Span  // as it was asked for, or would have been

	Proved   bool      // a proof covers all of it
	ProvedAt time.Time // the oldest proof that is needed to cover it

	Asked     bool // it was to be counted
	Counted   bool
	API       int // what the provider counts
	CountedAt time.Time

	Stored     int // live bills
	Withdrawn  int // bills that are stored but no longer listed; not in Stored
	Unreadable int // items that are no bills; the provider counts them
	Tolerance  int // stored bills within two seconds of an end that is not clean

	Failure error  // why it was not counted
	Remark  string // what else a reader has to know

	differs bool
}

// Difference is what the provider counts more than is stored.
func (r *Row) Difference() int {
	if !r.Counted {
		return 0
	}
	return r.API - r.Stored - r.Unreadable
}

// Differs reports whether the counts differ by more than what ends that are not
// clean explain.
func (r *Row) Differs() bool { return r.Counted && r.differs }

// Remarks says what a reader has to know beside the numbers.
func (r *Row) Remarks() []string {
	var out []string
	if !r.Proved {
		word := "not proved"
		if r.State != "" && r.State != bill.Done {
			word += ": " + string(r.State)
		}
		out = append(out, word)
	}
	if r.Tolerance > 0 {
		out = append(out, fmt.Sprintf("ends not clean: count may differ by %d", r.Tolerance))
	}
	if r.Failure != nil {
		out = append(out, r.Failure.Error())
	}
	if r.Remark != "" {
		out = append(out, r.Remark)
	}
	return out
}

// An Account is what was found out about one account.
type Account struct {
	Name    string
	Start   time.Time // its history begins here
	Until   time.Time // what is proved ends here; zero if nothing is
	Rows    []Row     // oldest first
	Refused *bill.Failure
}

// A Result is what was counted.
type Result struct {
	Accounts []Account
	Stopped  error // why the provider was asked no further; nil if it was asked everything
}

// Rows returns the rows of all accounts.
func (r *Result) Rows() []*Row {
	var out []*Row
	for i := range r.Accounts {
		for j := range r.Accounts[i].Rows {
			out = append(out, &r.Accounts[i].Rows[j])
		}
	}
	return out
}

// Differing returns the rows whose counts differ.
func (r *Result) Differing() []*Row { return r.which((*Row).Differs) }

// Uncounted returns the rows that should have been counted and were not.
func (r *Result) Uncounted() []*Row {
	return r.which(func(r *Row) bool { return r.Asked && !r.Counted })
}

// Unproved returns the rows that no proof covers.
func (r *Result) Unproved() []*Row { return r.which(func(r *Row) bool { return !r.Proved }) }

func (r *Result) which(ok func(*Row) bool) []*Row {
	var out []*Row
	for _, row := range r.Rows() {
		if ok(row) {
			out = append(out, row)
		}
	}
	return out
}

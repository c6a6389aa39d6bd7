package main

import (
	"slices"
	"time"
)

// What the floor of a first load takes as given. Both were measured once, in
// November 2026 on a 2-core x86-64 machine with a server that was never the
// bottleneck, and are the small parts of it.
const (
	// scannerRate is how many bills a second a one-pass scanner decodes.
	scannerRate = 1_700_000
	// httpRate is how many pages a second of one core HTTP takes, client and
	// server.
	httpRate = 14_000
	// fullPage is how many bills a page has.
	fullPage = 100
)

// A machine is what this one can do, per second of one core.
type machine struct {
	cores int
	rows  float64 // of the plain loop in C
	signs float64
}

// floor is the least time that a first load of so many bills can take: the work
// spread evenly over the cores, but no less than its one writer takes.
//
//	F(N) = max( N/Rc , ( N/100/Rs + N/Rj + N/Rc + N/100/Rh ) / c )
//
// The server's own work, if it runs on the same cores, comes on top.
func (m machine) floor(bills int, server time.Duration) time.Duration {
	work := m.work(bills) + server
	return max(seconds(float64(bills)/m.rows), work/time.Duration(m.cores))
}

// work is the sum in the floor: the processor time that it takes at least.
func (m machine) work(bills int) time.Duration {
	n := float64(bills)
	return seconds(n/fullPage/m.signs + n/scannerRate + n/m.rows + n/fullPage/httpRate)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// leastRequests is how many requests list so many bills at least; an empty list
// has to be asked for as well.
func leastRequests(bills, pageSize int) int { return max(1, (bills+pageSize-1)/pageSize) }

// waiting is how long so many pages take at least if each answer takes that
// long and so many are on their way at a time.
func waiting(pages, width int, latency time.Duration) time.Duration {
	return time.Duration((pages+width-1)/width) * latency
}

// median is the middle value; of an even number of values the mean of the two
// in the middle. It is 0 if there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}

// ratio is a/b, and 0 if there is nothing to compare with.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// each returns what fn says of each round.
func each(rounds int, fn func(i int) float64) []float64 {
	out := make([]float64, rounds)
	for i := range out {
		out[i] = fn(i)
	}
	return out
}

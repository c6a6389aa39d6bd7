package soak

import (
	"math/rand/v2"
	"time"
)

// dice are where everything random of a seed comes from.
type dice struct{ *rand.Rand }

func newDice(seed, stream uint64) dice { return dice{rand.New(rand.NewPCG(seed, stream))} }

// chance reports true in so many of a hundred cases.
func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

// between returns a number from lo to hi, both included.
func (d dice) between(lo, hi int) int { return lo + d.IntN(hi-lo+1) }

// span returns a duration from lo to hi in whole milliseconds.
func (d dice) span(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(d.Int64N(int64((hi-lo)/time.Millisecond)+1))*time.Millisecond
}

// one returns one of several values.
func one[T any](d dice, values ...T) T { return values[d.IntN(len(values))] }

// A choice is one of several with its weight.
type choice[T any] struct {
	weight int
	value  T
}

// weighted returns one of several values, each as often as its weight says.
func weighted[T any](d dice, choices []choice[T]) T {
	sum := 0
	for _, c := range choices {
		sum += c.weight
	}
	n := d.IntN(sum)
	for _, c := range choices {
		if n -= c.weight; n < 0 {
			return c.value
		}
	}
	panic("no choice")
}

// killAt returns the request at which a run ends: mostly an early one, since
// many runs are short.
func (d dice) killAt() int {
	if d.chance(60) {
		return d.between(1, 5)
	}
	return d.between(1, 25)
}

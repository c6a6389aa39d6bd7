package bill

import (
	"math/rand/v2"
	"testing"
	"time"
)

// What is written out here for speed is held against package time.
func TestTimes(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	times := []time.Time{
		{}, time.Unix(0, 0), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2024, 2, 29, 23, 0, 0, 1e6, time.FixedZone("", 8*3600)),
	}
	for range 5000 {
		times = append(times, time.UnixMilli(rng.Int64N(253402300799999)).In(time.FixedZone("", rng.IntN(86400)-43200)))
	}
	for _, at := range times {
		if got, want := TimeText(at), at.UTC().Format(TimeFormat); got != want {
			t.Errorf("TimeText(%v) = %q, want %q", at, got, want)
		}
		if got, want := DayText(at), at.Format(time.DateOnly); got != want {
			t.Errorf("DayText(%v) = %q, want %q", at, got, want)
		}
	}
}

package store

import (
	"math/rand/v2"
	"testing"
	"time"

	"billsync/internal/bill"
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
		checkParse(t, text(at))
	}
	for _, s := range []string{"", "2026-02-30T00:00:00.000Z", "2026-01-01T24:00:00.000Z", "2026-01-01T00:60:00.000Z", "2026-01-01T00:00:60.000Z",
		"2026-13-01T00:00:00.000Z", "2026-00-01T00:00:00.000Z", "2026-01-00T00:00:00.000Z", "2026-01-01 00:00:00.000Z", "2026-01-0\xa5T00:00:00.000Z",
		"2026-01-01T00:00:00,000Z", "2026-01-01T00:00:00.00Z", "2026-01-01T00:00:00.0000Z", "2025-02-29T00:00:00.000Z"} {
		checkParse(t, s)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("2026-01-31T08:00:00.000Z")
	f.Add("2026-01-31T08:00:00,000Z")
	f.Fuzz(checkParse)
}

// checkParse compares parse with package time, which also takes a comma before
// the fraction: nothing of ours writes one.
func checkParse(t *testing.T, s string) {
	got, err := parse(s)
	want, wantErr := time.Parse(bill.TimeFormat, s)
	if (err == nil) != (wantErr == nil) || !got.Equal(want) {
		t.Errorf("parse(%q) = %v, %v, want %v, %v", s, got, err, want, wantErr)
	}
}

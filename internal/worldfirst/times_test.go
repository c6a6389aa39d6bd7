package worldfirst

import (
	"errors"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return time.Date(2026, 2, 7, 2, 5, 0, ms*1e6, time.UTC) }
	for text, want := range map[string]time.Time{
		"2026-02-07T10:05:00+08:00":                at(0),
		"2026-02-07T10:05:00+0800":                 at(0),
		"2026-02-07T02:05:00Z":                     at(0),
		"2026-02-07T02:05:00-00:00":                at(0),
		"2026-02-06T20:35:00-05:30":                at(0),
		"2026-02-07T10:05:00.123+08:00":            at(123),
		"2026-02-07T10:05:00.1+08:00":              at(100),
		"2026-02-07T02:05:00.123999999999999Z":     at(123),
		"1770429900":                               at(0),
		"1770429900123":                            at(123),
		"2024-02-29T00:00:00Z":                     time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		"1969-12-31T23:59:59.9999Z":                time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC),
		"2026-01-01T00:30:00.000000000000001+0100": time.Date(2025, 12, 31, 23, 30, 0, 0, time.UTC),
	} {
		got, err := ParseTime(text)
		if err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("ParseTime(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "0", "177042990", "17704299001", "177042990012", "17704299001234", "-1770429900", "1770429900.5", "1.77e12",
		"2026-02-07", "2026-02-07 10:05:00+08:00", "2026-02-07T10:05+08:00", "2026-02-07T10:05:00,5Z",
		"2026-02-07T10:05:00.Z", "2026-02-07T1:05:00Z", "2026-02-30T10:05:00Z", "2025-02-29T10:05:00Z", "2026-13-01T10:05:00Z",
		"2026-00-01T10:05:00Z", "2026-01-00T10:05:00Z", "2026-02-07T24:00:00Z", "2026-02-07T10:60:00Z", "2026-02-07T10:05:60Z",
		"2026-02-07T10:05:00z", "2026-02-07T10:05:00+08", "2026-02-07T10:05:00+8:00", "2026-02-07T10:05:00+24:00",
		"2026-02-07T10:05:00+08:60", "2026-02-07T10:05:00+0a:00", "2026-02-07T10:05:00 +08:00", "2026-02-07T10:05:00+08:00 ", "now",
	} {
		if got, err := ParseTime(text); err == nil {
			t.Errorf("ParseTime(%q) = %v, want an error", text, got)
		}
	}
	for _, text := range []string{"2026-02-07T10:05:00", "2026-02-07T10:05:00.123"} {
		if _, err := ParseTime(text); !errors.Is(err, errNoOffset) {
			t.Errorf("ParseTime(%q): %v, want it to miss the offset", text, err)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, text := range []string{"2026-02-07T10:05:00.123+08:00", "2026-02-07T02:05:00Z", "2026-02-07T10:05:00+0800", "1770429900", "1770429900123", "0000-01-01T00:00:00+23:59"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseTime(text)
		if err != nil {
			return
		}
		if got.Nanosecond()%1e6 != 0 || got.Location() != time.UTC {
			t.Fatalf("ParseTime(%q) = %v, want whole milliseconds in UTC", text, got)
		}
		// What the standard library takes as well, it reads alike.
		if want, err := time.Parse(time.RFC3339Nano, text); err == nil && !got.Equal(want.Truncate(time.Millisecond)) {
			t.Fatalf("ParseTime(%q) = %v, want %v", text, got, want)
		}
	})
}

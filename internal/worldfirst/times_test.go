package worldfirst

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
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

// isoTime is ISO 8601 as the provider may write it; the offset's colon is optional.
var isoTime = regexp.MustCompile(`\A([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(?:(Z)|([+-](?:[01][0-9]|2[0-3])):?([0-5][0-9]))\z`)

// readTime reads a time by way of the standard library.
func readTime(text string) (time.Time, bool) {
	if regexp.MustCompile(`\A(?:[0-9]{10}|[0-9]{13})\z`).MatchString(text) {
		n, _ := strconv.ParseInt(text, 10, 64)
		if len(text) == 10 {
			n *= 1000
		}
		return time.UnixMilli(n), true
	}
	parts := isoTime.FindStringSubmatch(text)
	if parts == nil {
		return time.Time{}, false
	}
	offset := "Z"
	if parts[3] == "" {
		offset = parts[4] + ":" + parts[5]
	}
	t, err := time.Parse(time.RFC3339, parts[1]+offset)
	if err != nil || t.UTC().Year() < 1 || t.UTC().Year() > 9999 {
		return time.Time{}, false
	}
	thousandths, _ := strconv.Atoi((strings.TrimPrefix(parts[2], ".") + "000")[:3])
	return t.Add(time.Duration(thousandths) * time.Millisecond), true
}

func FuzzParseTime(f *testing.F) {
	for _, text := range []string{"2026-02-07T10:05:00.123+08:00", "2026-02-07T02:05:00Z", "2026-02-07T10:05:00+0800", "1770429900", "1770429900123", "0000-01-01T00:00:00+23:59",
		"2026-02-07T10:05:00", "2024-02-29T23:59:59.999999999999-23:59", "2025-02-29T00:00:00Z", "9999-12-31T23:59:59-00:01", "2026-02-07T10:05:60Z"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		exact, exactErr := parseInstant(text)
		if plain, err := plainParseInstant(text); err != exactErr || exact != plain {
			t.Fatalf("parseInstant(%q) = %v, %v, and the plain one says %v, %v", text, exact, exactErr, plain, err)
		}
		got, err := ParseTime(text)
		want, ok := readTime(text)
		if (err == nil) != ok || ok && !got.Equal(want) {
			t.Fatalf("ParseTime(%q) = %v, %v, want %v, read %v", text, got, err, want, ok)
		}
		if err != nil {
			if !got.IsZero() || !isLine(err.Error()) {
				t.Fatalf("ParseTime(%q) = %v, %q", text, got, err)
			}
			return
		}
		if got.Nanosecond()%1e6 != 0 || got.Location() != time.UTC {
			t.Fatalf("ParseTime(%q) = %v, want whole milliseconds in UTC", text, got)
		}
		checkWritten(t, got)
	})
}

// checkWritten writes an instant in every way the provider may, and reads it.
func checkWritten(t *testing.T, at time.Time) {
	t.Helper()
	second := at.Truncate(time.Second)
	for text, want := range map[string]time.Time{
		at.Format(time.RFC3339Nano):                       at,
		at.Format("2006-01-02T15:04:05.000Z"):             at,
		at.Format("2006-01-02T15:04:05.000") + "999+0000": at,
		at.Format(TimeFormat):                             second,
	} {
		if got, err := ParseTime(text); err != nil || !got.Equal(want) {
			t.Fatalf("ParseTime(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	if text := strconv.FormatInt(at.UnixMilli(), 10); len(text) == 13 && text[0] != '-' {
		if got, err := ParseTime(text); err != nil || !got.Equal(at) {
			t.Fatalf("ParseTime(%q) = %v, %v, want %v", text, got, err, at)
		}
	}
	if text := strconv.FormatInt(at.Unix(), 10); len(text) == 10 && text[0] != '-' {
		if got, err := ParseTime(text); err != nil || !got.Equal(second) {
			t.Fatalf("ParseTime(%q) = %v, %v, want %v", text, got, err, second)
		}
	}
}

// FuzzWrittenTime goes the other way: an instant, written in any zone, is read
// as the same instant.
func FuzzWrittenTime(f *testing.F) {
	f.Add(int64(1770429900123), int16(8*60))
	f.Add(int64(0), int16(-23*60-59))
	f.Add(int64(-62135596800000), int16(0))
	f.Add(int64(253402300799999), int16(23*60+59))
	f.Fuzz(func(t *testing.T, ms int64, minutes int16) {
		at := time.UnixMilli(ms).UTC()
		there := at.In(time.FixedZone("", int(minutes)*60))
		if y := at.Year(); y < 1 || y > 9999 || there.Year() < 0 || there.Year() > 9999 || minutes <= -24*60 || minutes >= 24*60 {
			return // cannot be written in four digits, or in an offset
		}
		checkWritten(t, at)
		for layout, want := range map[string]time.Time{
			"2006-01-02T15:04:05.000-07:00": at,
			"2006-01-02T15:04:05.000-0700":  at,
			TimeFormat:                      at.Truncate(time.Second),
		} {
			text := there.Format(layout)
			if got, err := ParseTime(text); err != nil || !got.Equal(want) {
				t.Fatalf("ParseTime(%q) = %v, %v, want %v", text, got, err, want)
			}
		}
	})
}

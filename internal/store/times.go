package store

import (
	"fmt"
	"time"
)

// timeFormat is how times stand in the database: UTC, milliseconds, sortable.
const timeFormat = "2006-01-02T15:04:05.000Z"

// text writes a time as timeFormat says. It is written out because a bill has
// four of them, and time.Format takes ten times as long.
func text(t time.Time) string {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.Format(timeFormat)
	}
	hour, minute, second := t.Clock()
	b := [len(timeFormat)]byte{4: '-', 7: '-', 10: 'T', 13: ':', 16: ':', 19: '.', 23: 'Z'}
	two(b[0:], year/100)
	two(b[2:], year%100)
	two(b[5:], int(month))
	two(b[8:], day)
	two(b[11:], hour)
	two(b[14:], minute)
	two(b[17:], second)
	milli := t.Nanosecond() / 1e6
	two(b[20:], milli/10)
	b[22] = byte('0' + milli%10)
	return string(b[:])
}

// dayText writes the day that a time belongs to where it is, as time.DateOnly
// does.
func dayText(t time.Time) string {
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.Format(time.DateOnly)
	}
	b := [len(time.DateOnly)]byte{4: '-', 7: '-'}
	two(b[0:], year/100)
	two(b[2:], year%100)
	two(b[5:], int(month))
	two(b[8:], day)
	return string(b[:])
}

// two writes a number below 100 in two digits.
func two(b []byte, n int) {
	b[0], b[1] = byte('0'+n/10), byte('0'+n%10)
}

func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return text(t)
}

// A stamp scans our time columns; NULL is the zero time.
type stamp struct{ time.Time }

func (t *stamp) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		t.Time = time.Time{}
		return nil
	case string:
		at, err := parse(v)
		if err != nil {
			return fmt.Errorf("reading a time: %w", err)
		}
		t.Time = at
		return nil
	}
	return fmt.Errorf("reading a time: it is a %T", v)
}

// parse reads a time as text writes it.
func parse(s string) (time.Time, error) {
	const shape = "dddd-dd-ddTdd:dd:dd.dddZ"
	if len(s) != len(shape) {
		return time.Parse(timeFormat, s)
	}
	for i := range len(shape) {
		if digit := '0' <= s[i] && s[i] <= '9'; shape[i] == 'd' && !digit || shape[i] != 'd' && s[i] != shape[i] {
			return time.Parse(timeFormat, s) // its error says what is wrong
		}
	}
	n := func(from, to int) (n int) {
		for _, c := range []byte(s[from:to]) {
			n = n*10 + int(c-'0')
		}
		return n
	}
	year, month, day := n(0, 4), time.Month(n(5, 7)), n(8, 10)
	t := time.Date(year, month, day, n(11, 13), n(14, 16), n(17, 19), n(20, 23)*1e6, time.UTC)
	if t.Month() != month || t.Day() != day || n(11, 13) > 23 || n(14, 16) > 59 || n(17, 19) > 59 {
		return time.Parse(timeFormat, s)
	}
	return t, nil
}

package bill

import (
	"fmt"
	"time"
)

// TimeFormat is how times stand in the database: UTC, milliseconds, sortable.
const TimeFormat = "2006-01-02T15:04:05.000Z"

// AppendTime writes a time as TimeFormat says. It is written out because a bill
// has four of them, and time.Format takes ten times as long.
func AppendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, TimeFormat)
	}
	hour, minute, second := t.Clock()
	b := [len(TimeFormat)]byte{4: '-', 7: '-', 10: 'T', 13: ':', 16: ':', 19: '.', 23: 'Z'}
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
	return append(dst, b[:]...)
}

// TimeText is AppendTime for a text of its own.
func TimeText(t time.Time) string {
	var room [len(TimeFormat)]byte
	return string(AppendTime(room[:0], t))
}

// DayText writes the day that a time belongs to where it is, as time.DateOnly
// does.
func DayText(t time.Time) string {
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

// LoadZone returns the location of a name: a zone of the time zone database,
// UTC, or an offset such as +08:00.
func LoadZone(name string) (*time.Location, error) {
	if t, err := time.Parse("-07:00", name); err == nil {
		_, offset := t.Zone()
		return time.FixedZone(name, offset), nil
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: %w", name, err)
	}
	return z, nil
}

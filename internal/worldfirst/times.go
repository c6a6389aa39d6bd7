package worldfirst

import (
	"errors"
	"time"
)

var (
	errTime     = errors.New("not a time: expected ISO 8601 with an offset, or seconds or milliseconds since 1970")
	errNoOffset = errors.New("the time has no offset, so it may be any of a day's hours")
)

// Where a few years begin, in seconds since 1970.
var (
	year1     = yearBegins(1)
	year1700  = yearBegins(1700)
	year2201  = yearBegins(2201)
	year10000 = yearBegins(10000)
)

func yearBegins(year int) int64 { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Unix() }

// ParseTime reads a time of the provider (API §3.4): ISO 8601 with an explicit
// offset, with or without a fraction, or a count of seconds (10 digits) or
// milliseconds (13 digits) since 1970. The result is in UTC and whole
// milliseconds; finer fractions are cut off. A time without an offset is
// refused rather than guessed at.
func ParseTime(text string) (time.Time, error) {
	t, err := parseInstant(text)
	if err != nil {
		return time.Time{}, err
	}
	return t.Truncate(time.Millisecond), nil
}

// parseInstant is ParseTime with all of the fraction, so that two times that
// differ only beyond the milliseconds do not look the same.
//
// It is written out because time.Parse takes more than ISO 8601 allows, such
// as a comma before the fraction or an hour of one digit, and no form of it
// takes both ways to write an offset.
func parseInstant(text string) (time.Time, error) {
	if n, ok := number(text); ok {
		switch len(text) {
		case 10:
			return time.Unix(n, 0).UTC(), nil
		case 13:
			return time.UnixMilli(n).UTC(), nil
		}
		return time.Time{}, errTime
	}
	const shape = "2006-01-02T15:04:05"
	if len(text) < len(shape) || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' {
		return time.Time{}, errTime
	}
	century, year := pair(text[0:2]), pair(text[2:4])
	month, day := pair(text[5:7]), pair(text[8:10])
	hour, minute, second := pair(text[11:13]), pair(text[14:16]), pair(text[17:19])
	if min(century, year, month, day, hour, minute, second) < 0 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, errTime
	}
	year += 100 * century
	rest := text[len(shape):]
	nanos := 0
	if rest != "" && rest[0] == '.' {
		end, scale := 1, 100_000_000
		for ; end < len(rest) && isDigit(rest[end]); end++ {
			nanos += int(rest[end]-'0') * scale
			scale /= 10
		}
		if end == 1 {
			return time.Time{}, errTime
		}
		rest = rest[end:]
	}
	if rest == "" {
		return time.Time{}, errNoOffset
	}
	offset, err := parseOffset(rest)
	if err != nil {
		return time.Time{}, err
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if month < 1 || month > 12 || day < 1 || day > 28 && t.Day() != day {
		return time.Time{}, errTime // time.Date makes 1 March of 30 February
	}
	t = t.Add(-offset)
	if at := t.Unix(); at < year1 || at >= year10000 {
		return time.Time{}, errTime // it could not be written in four digits
	}
	return t, nil
}

// parseOffset reads Z, +08:00 or +0800.
func parseOffset(text string) (time.Duration, error) {
	if text == "Z" {
		return 0, nil
	}
	colon := len(text) == 6 && text[3] == ':'
	if len(text) != 5 && !colon || (text[0] != '+' && text[0] != '-') {
		return 0, errTime
	}
	hours, minutes := pair(text[1:3]), pair(text[len(text)-2:])
	if min(hours, minutes) < 0 || hours > 23 || minutes > 59 {
		return 0, errTime
	}
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if text[0] == '-' {
		d = -d
	}
	return d, nil
}

// number reads text that is nothing but digits, at most 18 of them.
func number(text string) (int64, bool) {
	if len(text) < 1 || len(text) > 18 {
		return 0, false
	}
	var n int64
	for i := range len(text) {
		if !isDigit(text[i]) {
			return 0, false
		}
		n = n*10 + int64(text[i]-'0')
	}
	return n, true
}

// pair reads two digits; -1 if they are none.
func pair(text string) int {
	tens, ones := text[0]-'0', text[1]-'0'
	if tens > 9 || ones > 9 {
		return -1
	}
	return int(tens)*10 + int(ones)
}

package store

import (
	"fmt"
	"time"

	"billsync/internal/bill"
)

// text writes a time as it stands in the database.
func text(t time.Time) string { return bill.TimeText(t) }

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
		return time.Parse(bill.TimeFormat, s)
	}
	for i := range len(shape) {
		if digit := '0' <= s[i] && s[i] <= '9'; shape[i] == 'd' && !digit || shape[i] != 'd' && s[i] != shape[i] {
			return time.Parse(bill.TimeFormat, s) // its error says what is wrong
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
		return time.Parse(bill.TimeFormat, s)
	}
	return t, nil
}

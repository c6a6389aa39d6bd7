package schedule_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
	"unicode"
	"unicode/utf8"

	"billsync/internal/schedule"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		expr string
		want string // part of the message; empty: the expression is good
	}{
		{"", ""},
		{"*/15 * * * *", ""},
		{"30 2 * * 1-5", ""},
		{"0 0 29 2 *", ""}, // only in leap years
		{"@every 15m", ""},
		{"@every 1s", ""},
		{"@hourly", ""},
		{"@every 999ms", "shortest interval"},
		{"@every 0s", "shortest interval"},
		{"@every -1h", "shortest interval"},
		{"@every soon", "no schedule"},
		{"@never", "no schedule"},
		{"TZ=0", "key of its own"},
		{"TZ=UTC", "key of its own"},
		{"CRON_TZ=UTC", "key of its own"},
		{"TZ=UTC * * * * *", "key of its own"},
		{"0 2 31 2 *", "never comes"},
		{", * * * *", "not understood"},
		{"1,,2 * * * *", "not understood"},
		{"*-5 * * * *", "not understood"},
		{"+5 * * * *", "not understood"},
		{"5\u00a0* * * *", "not ASCII"},
		{strings.Repeat("1,", 250) + "1 * * * *", "more than 500 characters"},
		{"0-59/7,3 0,12,23/2 1-31 JAN-dec,2 Mon-fri,0", ""},
		{"0 0 * * 7", "no schedule"},
		{"* * * *", "expected exactly 5 fields"},
		{"0 * * * * *", "expected exactly 5 fields"},
		{" ", "expected exactly 5 fields"},
		{"*/0 * * * *", "no schedule"},
		{"60 * * * *", "no schedule"},
		{"@\n", "control character"},
	} {
		err := schedule.Check(tt.expr)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("Check(%q): %v", tt.expr, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("Check(%q) = %v, want something with %q", tt.expr, err, tt.want)
		}
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 11, 21, 12, 7, 30, 0, time.UTC)
	for _, tt := range []struct {
		expr string
		want string
	}{
		{"*/15 * * * *", "2026-11-21T20:15:00+08:00 2026-11-21T20:30:00+08:00"},
		{"30 2 * * *", "2026-11-22T02:30:00+08:00 2026-11-23T02:30:00+08:00"},
		{"@every 1h", "2026-11-21T21:07:30+08:00 2026-11-21T22:07:30+08:00"},
		{"", ""},
		{"nonsense", ""},
	} {
		var got []string
		for _, at := range schedule.Next(tt.expr, shanghai, from, 2) {
			got = append(got, at.Format(time.RFC3339))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("Next(%q) = %s, want %s", tt.expr, s, tt.want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, expr := range []string{"*/15 * * * *", "TZ=0", "@every 1s", "0 2 31 2 *", "59 23 29 2 ?", "0-59/7,3 0,12,23/2 1-31 JAN-dec,2 Mon-fri,0", "@daily", "@every 1h0m0.5s", "0 0 1 1 0", "*/1 */1 */1 */1 */1"} {
		f.Add(expr, int64(1795262850))
	}
	f.Fuzz(func(t *testing.T, expr string, unix int64) {
		err := schedule.Check(expr)
		from := time.Unix(unix%(1<<33), 0).UTC()
		times := schedule.Next(expr, time.UTC, from, 3)
		if err != nil {
			line := err.Error()
			if len(line) > 3000 || strings.ContainsFunc(line, unicode.IsControl) || !utf8.ValidString(line) || len(times) > 0 {
				t.Fatalf("Check(%q): %q, Next %v", expr, line, times)
			}
			return
		}
		if want := 3; expr == "" && len(times) != 0 || expr != "" && len(times) != want && !strings.Contains(expr, "29") {
			t.Fatalf("Next(%q) from %v = %v", expr, from, times)
		}
		before := from
		for _, at := range times {
			if !at.After(before) || at.Nanosecond() != 0 {
				t.Fatalf("Next(%q) from %v = %v, not one after the other", expr, from, times)
			}
			if fields := strings.Fields(expr); len(fields) == 5 {
				checkMinutes(t, fields, before, at)
			}
			before = at
		}
		if every, ok := strings.CutPrefix(expr, "@every "); ok {
			d, err := time.ParseDuration(every)
			if want := from.Add(d.Truncate(time.Second)); err != nil || !times[0].Equal(want) {
				t.Fatalf("Next(%q) from %v = %v, want %v, %v", expr, from, times[0], want, err)
			}
		}
	})
}

// checkMinutes goes through the minutes after an instant, a few days at most,
// and asks that the first one that fits is the one that was found.
func checkMinutes(t *testing.T, fields []string, before, found time.Time) {
	t.Helper()
	if !fits(fields, found) {
		t.Fatalf("%q at %v, which does not fit", fields, found)
	}
	at := before.Truncate(time.Minute).Add(time.Minute)
	for range 3 * 24 * 60 {
		if !at.Before(found) {
			return
		}
		if fits(fields, at) {
			t.Fatalf("%q at %v, although %v is earlier", fields, found, at)
		}
		at = at.Add(time.Minute)
	}
}

// fits reports whether a minute fits five fields, read as cron reads them: if
// neither day field is a star, either will do.
func fits(fields []string, at time.Time) bool {
	day, weekday := fitsField(fields[2], at.Day(), 1, 31), fitsField(fields[4], int(at.Weekday()), 0, 6)
	days := day && weekday
	if !hasStar(fields[2]) && !hasStar(fields[4]) {
		days = day || weekday
	}
	return days && at.Second() == 0 && fitsField(fields[0], at.Minute(), 0, 59) && fitsField(fields[1], at.Hour(), 0, 23) && fitsField(fields[3], int(at.Month()), 1, 12)
}

var star = regexp.MustCompile(`\A[*?](?:/0*1)?\z`)

// hasStar reports whether a field has a part that stands for every value.
func hasStar(field string) bool {
	return slices.ContainsFunc(strings.Split(field, ","), func(part string) bool {
		return star.MatchString(part)
	})
}

func fitsField(field string, value, least, most int) bool {
	return slices.ContainsFunc(strings.Split(field, ","), func(part string) bool {
		span, step, stepped := strings.Cut(part, "/")
		low, high, isRange := strings.Cut(span, "-")
		from, to := least, most
		if low != "*" && low != "?" {
			from = fieldNumber(low)
			switch {
			case isRange:
				to = fieldNumber(high)
			case !stepped:
				to = from
			}
		}
		by := 1
		if stepped {
			by = fieldNumber(step)
		}
		return from <= value && value <= to && (value-from)%by == 0
	})
}

func fieldNumber(word string) int {
	for _, names := range [][]string{
		{"sun", "mon", "tue", "wed", "thu", "fri", "sat"},
		{"", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"},
	} {
		if i := slices.Index(names, strings.ToLower(word)); i >= 0 {
			return i
		}
	}
	n, err := strconv.Atoi(word)
	if err != nil {
		panic(err)
	}
	return n
}

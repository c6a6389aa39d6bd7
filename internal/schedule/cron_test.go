package schedule_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

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
		{", * * * *", "never comes"},
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
	f.Add("*/15 * * * *")
	f.Add("TZ=0")
	f.Add("@every 1s")
	f.Add("0 2 31 2 *")
	f.Fuzz(func(t *testing.T, expr string) {
		err := schedule.Check(expr)
		if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("Check(%q): more than a line: %v", expr, err)
		}
		if n := len(schedule.Next(expr, time.UTC, time.Unix(0, 0), 1)); (err == nil && expr != "") != (n == 1) {
			t.Errorf("Check(%q) = %v, but Next has %d times", expr, err, n)
		}
	})
}

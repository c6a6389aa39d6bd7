package app_test

import (
	"testing"
	"time"

	"billsync/internal/app"
)

func TestDurationText(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0.0 s"}, {44 * time.Millisecond, "0.0 s"}, {1500 * time.Millisecond, "1.5 s"}, {9949 * time.Millisecond, "9.9 s"},
		{9950 * time.Millisecond, "10 s"}, {95 * time.Second, "95 s"}, {119499 * time.Millisecond, "119 s"}, {119500 * time.Millisecond, "2 min"},
		{2 * time.Minute, "2 min"}, {59*time.Minute + 29*time.Second, "59 min"}, {59*time.Minute + 30*time.Second, "1 h"},
		{time.Hour, "1 h"}, {time.Hour + 5*time.Minute, "1 h 5 min"}, {23*time.Hour + 59*time.Minute + 29*time.Second, "23 h 59 min"},
		{day - time.Second, "1 day"}, {day, "1 day"}, {day + 4*time.Hour, "1 day 4 h"}, {2 * day, "2 days"}, {2*day + 3*time.Hour, "2 days 3 h"},
		{3*day - time.Minute, "3 days"}, {3 * day, "3 days"}, {29*day + 11*time.Hour, "29 days"}, {-90 * time.Minute, "-1 h 30 min"},
	} {
		if got := app.DurationText(tt.d); got != tt.want {
			t.Errorf("DurationText(%s) = %q, want %q", tt.d, got, tt.want)
		}
	}
}

package app

import (
	"fmt"
	"time"
)

// DurationText is how a duration is told: 0.4 s, 95 s, 12 min, 1 h 5 min,
// 2 days 3 h, 29 days.
func DurationText(d time.Duration) string {
	const day = 24 * time.Hour
	minutes, hours := d.Round(time.Minute), d.Round(time.Hour)
	switch {
	case d < 0:
		return "-" + DurationText(-d)
	case d < 9950*time.Millisecond: // less than what is told as 10 s
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d.Round(time.Second) < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case minutes < time.Hour:
		return fmt.Sprintf("%d min", minutes/time.Minute)
	case minutes < day:
		return withRest(minutes/time.Hour, "h", minutes%time.Hour/time.Minute, "min")
	case hours < 3*day:
		unit := "days"
		if hours < 2*day {
			unit = "day"
		}
		return withRest(hours/day, unit, hours%day/time.Hour, "h")
	}
	return fmt.Sprintf("%d days", d.Round(day)/day)
}

func withRest(n time.Duration, unit string, rest time.Duration, smaller string) string {
	if rest == 0 {
		return fmt.Sprintf("%d %s", n, unit)
	}
	return fmt.Sprintf("%d %s %d %s", n, unit, rest, smaller)
}

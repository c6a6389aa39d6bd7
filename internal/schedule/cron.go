package schedule

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/robfig/cron/v3"
)

const allowed = `five fields such as "*/15 * * * *", "@every 15m", "@hourly", "@daily", or "" for off`

// maxExpr is more than listing every minute, hour, day and month takes.
const maxExpr = 500

// Check reports what is wrong with an expression. It may have five fields
// (minute, hour, day of month, month, weekday), be "@every" and a duration of
// at least a second, a word such as "@hourly", or empty, which is off.
func Check(expr string) error {
	_, err := parse(expr)
	return err
}

// parse returns the schedule of an expression, and nil for an empty one.
func parse(expr string) (cron.Schedule, error) {
	if expr == "" {
		return nil, nil
	}
	if len(expr) > maxExpr {
		return nil, fmt.Errorf("%.40q… is no schedule (it has more than %d characters); allowed: %s", expr, maxExpr, allowed)
	}
	if strings.HasPrefix(expr, "TZ=") || strings.HasPrefix(expr, "CRON_TZ=") {
		return nil, fmt.Errorf("%q: a zone has no place in an expression; it has a key of its own, schedule.timezone", expr)
	}
	if strings.ContainsFunc(expr, func(r rune) bool { return r >= utf8.RuneSelf || unicode.IsControl(r) }) {
		return nil, fmt.Errorf("%q is no schedule (it has a control character or one that is not ASCII); allowed: %s", expr, allowed)
	}
	s, err := parseStandard(expr)
	if err != nil {
		return nil, fmt.Errorf("%q is no schedule (%w); allowed: %s", expr, err, allowed)
	}
	// The library makes a second of anything shorter, zero and less included.
	if words, ok := strings.CutPrefix(expr, "@every "); ok {
		if d, err := time.ParseDuration(words); err != nil || d < time.Second {
			return nil, fmt.Errorf("%q is too often; a second is the shortest interval", expr)
		}
	}
	// It also accepts days that never come. A leap day can be eight years away,
	// and the library looks five years ahead: any leap year will do.
	if s.Next(time.Date(2023, 12, 31, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("%q never comes, like a 31st of February; %q switches a schedule off", expr, "")
	}
	return s, nil
}

// parseStandard guards against the library's panics.
func parseStandard(expr string) (s cron.Schedule, err error) {
	defer func() {
		if recover() != nil {
			s, err = nil, errors.New("it cannot be read")
		}
	}()
	s, err = cron.ParseStandard(expr)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "failed to "))
	}
	// The library ignores what it cannot use: it makes * of *-5, and nothing of
	// a comma too many.
	if !strings.HasPrefix(expr, "@") {
		for _, f := range strings.Fields(expr) {
			if !field.MatchString(f) {
				return nil, fmt.Errorf("%s is not understood", f)
			}
		}
	}
	return s, nil
}

// field is what one of the five fields may be: parts with commas in between.
var field = func() *regexp.Regexp {
	const part = `(?:[*?]|[0-9A-Za-z]+(?:-[0-9A-Za-z]+)?)(?:/[0-9]+)?`
	return regexp.MustCompile(`^` + part + `(?:,` + part + `)*$`)
}()

// Next returns the next n times of an expression after an instant, in the zone;
// none if the expression is empty or wrong.
func Next(expr string, loc *time.Location, from time.Time, n int) []time.Time {
	s, err := parse(expr)
	if err != nil || s == nil {
		return nil
	}
	var times []time.Time
	at := wall(from, loc)
	for range n {
		if at = s.Next(at); at.IsZero() {
			break
		}
		times = append(times, at)
	}
	return times
}

// wall returns an instant in the zone without Go's monotonic clock, which
// stands still while a machine sleeps.
func wall(t time.Time, loc *time.Location) time.Time { return t.Round(0).In(loc) }

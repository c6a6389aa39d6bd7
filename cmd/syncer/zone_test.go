package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
)

// All times on a screen are in the report's zone, those in hints as well.
func TestOneZone(t *testing.T) {
	t.Parallel()
	dir := folder(t, simulate(t, "--fault", "u=1"), 60, "[report]\ntimezone = \"Asia/Kolkata\"\n")
	out, errout := ran(t, dir, 3, "sync")
	hint := regexp.MustCompile(`\nhint: running it again after (....-..-.. ..:..:.. \+05:30) asks`).FindStringSubmatch(errout)
	if hint == nil || !strings.Contains(out, "waiting until "+hint[1]+": ") {
		t.Errorf("the hint tells %q, want the time that stands in\n%s", hint, out)
	}
	for _, command := range []string{"status", "status --evidence"} {
		out, _ := ran(t, dir, 0, strings.Fields(command)...)
		screen := regexp.MustCompile(`(?m)^    .*$`).ReplaceAllString(out, "") // what was sent and came
		if !strings.Contains(screen, "+05:30") || regexp.MustCompile(`\+0[0-46-9]:00|[0-9]Z\b`).MatchString(screen) {
			t.Errorf("%s mixes zones:\n%s", command, screen)
		}
	}
}

// Log lines for people have the time of the report's zone.
func TestConsoleLogZone(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", 5*3600+1800)
	var line bytes.Buffer
	g := &globals{stderr: &line, zone: zone, noColor: true}
	sinceMidnight := func(at time.Time) time.Duration {
		at = at.In(zone)
		return at.Sub(time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, zone))
	}
	before := sinceMidnight(time.Now().Truncate(time.Second))
	g.setLog("info", "console")
	g.log.Info().Msg("hello")
	clock, _, _ := strings.Cut(line.String(), " ")
	at, err := time.Parse("15:04:05.000", clock)
	if err != nil {
		t.Fatalf("the line is %q: %v", line.String(), err)
	}
	got := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second
	const day = 24 * time.Hour
	if passed := (got - before + day) % day; passed > time.Minute {
		t.Errorf("the line begins with %s, %s after the clock of its zone", clock, passed)
	}
}

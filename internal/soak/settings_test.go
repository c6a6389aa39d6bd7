package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// An account is one of those whose bills are read.
type account struct{ name, customer string }

// settings are what the configuration file says.
type settings struct {
	accounts                                              []account
	start                                                 time.Time // midnight UTC of the date
	zone, reportZone                                      string
	windowDays, pageSize, tailDays, refreshDays, parallel int
	timeout                                               time.Duration
}

var zones = []string{"Asia/Shanghai", "Asia/Shanghai", "UTC", "America/New_York", "Europe/Berlin", "+05:30"}

// newSettings rolls a configuration as of a moment.
func newSettings(d dice, now time.Time) settings {
	return settings{
		start: now.AddDate(0, 0, -d.between(20, 400)).Truncate(24 * time.Hour),
		zone:  one(d, zones...), reportZone: one(d, zones...),
		windowDays: one(d, 100, 100, 100, 60, 30, 7), pageSize: d.between(3, 20), tailDays: one(d, 7, 7, 1, 30),
		refreshDays: one(d, 90, 90, 30, 10), parallel: one(d, 4, 4, 1, 2, 8), timeout: 30 * time.Second,
	}
}

// change rolls one of the settings anew and says which.
func (s *settings) change(d dice, now time.Time) string {
	fresh := newSettings(d, now)
	switch d.IntN(9) {
	case 0:
		s.pageSize = fresh.pageSize
		return fmt.Sprintf("page_size = %d", s.pageSize)
	case 1:
		s.windowDays = fresh.windowDays
		return fmt.Sprintf("window_days = %d", s.windowDays)
	case 2:
		s.tailDays = d.between(1, 90)
		return fmt.Sprintf("tail_days = %d", s.tailDays)
	case 3:
		s.start = s.start.AddDate(0, 0, -d.between(1, 150))
		return "history_start back to " + s.start.Format(time.DateOnly)
	case 4:
		if to := s.start.AddDate(0, 0, d.between(1, 60)); to.Before(now.AddDate(0, 0, -2)) {
			s.start = to
		}
		return "history_start forth to " + s.start.Format(time.DateOnly)
	case 5:
		s.zone = fresh.zone
		return "timezone = " + s.zone
	case 6:
		s.reportZone = fresh.reportZone
		return "report timezone = " + s.reportZone
	case 7:
		s.parallel = fresh.parallel
		return fmt.Sprintf("concurrency = %d", s.parallel)
	}
	s.refreshDays = fresh.refreshDays
	return fmt.Sprintf("refresh_days = %d", s.refreshDays)
}

// location returns a zone of the settings.
func location(name string) *time.Location {
	if t, err := time.Parse("-07:00", name); err == nil {
		_, offset := t.Zone()
		return time.FixedZone(name, offset)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return zone
}

// begin returns the instant that the history is wanted from.
func (s *settings) begin() time.Time {
	y, m, d := s.start.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, location(s.zone))
}

// write writes the file.
func (w *world) configure() {
	s := &w.settings
	var b strings.Builder
	fmt.Fprintf(&b, "[api]\nbase_url = %q\nclient_id = %q\nprivate_key_file = %q\n", w.base, clientID, keys().private)
	if w.signed {
		fmt.Fprintf(&b, "server_public_key_file = %q\n", keys().public)
	}
	fmt.Fprintf(&b, "requests_per_second = 1e9\nconcurrency = %d\ntimeout = %q\n\n[database]\nurl = \"bills.db\"\n\n", s.parallel, s.timeout)
	fmt.Fprintf(&b, "[sync]\nhistory_start = %q\ntimezone = %q\nwindow_days = %d\npage_size = %d\ntail_days = %d\nrefresh_days = %d\n\n",
		s.start.Format(time.DateOnly), s.zone, s.windowDays, s.pageSize, s.tailDays, s.refreshDays)
	fmt.Fprintf(&b, "[report]\ntimezone = %q\n", s.reportZone)
	for _, a := range s.accounts {
		fmt.Fprintf(&b, "\n[[account]]\nname = %q\nconnected_customer_id = %q\n", a.name, a.customer)
	}
	if err := os.WriteFile(w.config(), []byte(b.String()), 0o600); err != nil {
		w.fail("%v", err)
	}
}

func (w *world) config() string   { return filepath.Join(w.dir, "config.toml") }
func (w *world) database() string { return filepath.Join(w.dir, "bills.db") }

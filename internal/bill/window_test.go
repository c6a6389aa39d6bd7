package bill_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"billsync/internal/bill"
)

// zones are those whose clocks behave most strangely, beside ordinary ones:
// midnights that do not exist (São Paulo, Cairo), a day that was skipped
// (Apia), changes by half an hour (Lord Howe) and by two hours (Troll).
var zones = func() []*time.Location {
	all := []*time.Location{time.UTC, time.FixedZone("+05:30", 5*3600+1800), time.FixedZone("-12:00", -12*3600)}
	for _, name := range []string{
		"Asia/Shanghai", "America/New_York", "America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia", "Pacific/Kiritimati",
		"Antarctica/Troll", "Australia/Lord_Howe", "Europe/London", "Asia/Tehran", "America/Santiago", "Asia/Beirut",
		"America/Havana", "Africa/Casablanca", "Asia/Kathmandu", "America/St_Johns", "Asia/Gaza", "America/Nuuk",
	} {
		z, err := time.LoadLocation(name)
		if err != nil {
			panic(err) // the zones are compiled in
		}
		all = append(all, z)
	}
	return all
}()

// A history is what Layout is given.
type history struct {
	start, end time.Time // start is midnight in its zone
	days       int
}

func drawHistory(t *rapid.T) history {
	zone := rapid.SampledFrom(zones).Draw(t, "zone")
	day := rapid.IntRange(0, 40*366).Draw(t, "first day, from 2000")
	h := history{
		start: time.Date(2000, 1, 1+day, 0, 0, 0, 0, zone),
		days:  rapid.IntRange(7, bill.MaxWindowDays).Draw(t, "window days"),
	}
	h.end = h.start.Add(time.Duration(rapid.Int64Range(0, int64(12*366*24*time.Hour)).Draw(t, "length")))
	return h
}

func (h history) layout() []bill.Span { return bill.Layout(h.start.Add(-bill.Lead), h.end, h.days) }

// within reports whether an instant is strictly inside one of the windows, so
// that it is listed whichever ends the provider includes.
func within(windows []bill.Span, at time.Time) bool {
	for _, w := range windows {
		if w.Start.Before(at) && at.Before(w.End) {
			return true
		}
	}
	return false
}

// Every instant of the history is inside a window, whatever the ends mean and
// whatever fraction of a second a bill's time has.
func TestLayoutCoversEveryInstant(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		windows := h.layout()
		last := windows[len(windows)-1].End
		if last.Before(h.end) {
			t.Fatalf("Layout(%s, %s, %d) ends at %s", h.start, h.end, h.days, last)
		}
		check := func(at time.Time) {
			if !at.Before(h.start) && at.Before(last) && !within(windows, at) {
				t.Fatalf("Layout(%s, %s, %d): no window holds %s strictly inside", h.start, h.end, h.days, at.Format(time.RFC3339Nano))
			}
		}
		check(h.start)
		check(last.Add(-1))
		for _, w := range windows {
			for _, edge := range []time.Time{w.Start, w.End} {
				for _, d := range []time.Duration{0, 1, time.Millisecond, time.Second - 1, time.Second, time.Second + 1, time.Minute, time.Hour} {
					check(edge.Add(d))
					check(edge.Add(-d))
				}
			}
		}
		for _, share := range rapid.SliceOfN(rapid.Int64Range(0, 1<<30), 20, 20).Draw(t, "shares") {
			check(h.start.Add(time.Duration(float64(last.Sub(h.start)) * float64(share) / (1 << 30))))
		}
	})
}

// Every window is one that the provider answers for, whether it counts hours,
// seconds or calendar days in the zone the request is sent in.
func TestLayoutIsLegal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		windows := h.layout()
		for i, w := range windows {
			if !w.Start.Before(w.End) {
				t.Fatalf("Layout(%s, %s, %d)[%d] = %v: it ends before it begins", h.start, h.end, h.days, i, w)
			}
			if w.Start.Nanosecond() != 0 || w.End.Nanosecond() != 0 {
				t.Fatalf("Layout(%s, %s, %d)[%d] = %v: not whole seconds", h.start, h.end, h.days, i, w)
			}
			if got, most := w.End.Sub(w.Start), time.Duration(h.days)*24*time.Hour-time.Second; got > most {
				t.Fatalf("Layout(%s, %s, %d)[%d] = %v is %s long, at most %s is legal", h.start, h.end, h.days, i, w, got, most)
			}
			if got := calendarDays(w); got > h.days-1 {
				t.Fatalf("Layout(%s, %s, %d)[%d] = %v spans %d calendar days, at most %d is legal", h.start, h.end, h.days, i, w, got, h.days-1)
			}
			if i == 0 {
				continue
			}
			before := windows[i-1]
			if !before.Start.Before(w.Start) || !before.End.Before(w.End) {
				t.Fatalf("Layout(%s, %s, %d): %v does not follow %v", h.start, h.end, h.days, w, before)
			}
			if got := before.End.Sub(w.Start); got < 2*time.Second {
				t.Fatalf("Layout(%s, %s, %d): %v and %v overlap by %s, want 2 s at least", h.start, h.end, h.days, before, w, got)
			}
		}
		if first := windows[0].Start; !first.Equal(h.start.Add(-bill.Lead)) {
			t.Fatalf("Layout(%s, %s, %d) begins at %s", h.start.Add(-bill.Lead), h.end, h.days, first)
		}
		// None is there for nothing: without the last, the end is not reached.
		if n := len(windows); n > 1 && !windows[n-2].End.Before(h.end) {
			t.Fatalf("Layout(%s, %s, %d): %v is one too many", h.start, h.end, h.days, windows[n-1])
		}
	})
}

// calendarDays is the difference of the dates of a span's ends.
func calendarDays(s bill.Span) int {
	date := func(t time.Time) time.Time {
		y, m, d := t.Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	return int(date(s.End).Sub(date(s.Start)) / (24 * time.Hour))
}

// Where clocks are never changed, neighbours share a calendar day.
func TestLayoutOverlapsByADay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		zone := rapid.SampledFrom([]*time.Location{zones[0], zones[1], zones[2], zones[3]}).Draw(t, "zone without summer time")
		y, m, d := h.start.Date()
		h.start = time.Date(y, m, d, 0, 0, 0, 0, zone)
		windows := h.layout()
		for i := 1; i < len(windows); i++ {
			if got, want := windows[i-1].End.Sub(windows[i].Start), 24*time.Hour-time.Second; got != want {
				t.Fatalf("Layout(%s, %s, %d): %v and %v overlap by %s, want %s", h.start, h.end, h.days, windows[i-1], windows[i], got, want)
			}
		}
	})
}

func TestLayoutAsDesigned(t *testing.T) {
	t.Parallel()
	shanghai := zones[3]
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, shanghai)
	got := bill.Layout(start.Add(-bill.Lead), time.Date(2024, 5, 1, 0, 0, 0, 0, shanghai), 100)
	const layout = "2006-01-02 15:04:05"
	want := [][2]string{
		{"2023-12-31 23:59:58", "2024-04-08 23:59:59"},
		{"2024-04-08 00:00:00", "2024-07-16 23:59:59"},
	}
	if len(got) != len(want) {
		t.Fatalf("Layout = %v, want %v", got, want)
	}
	for i, w := range got {
		if s, e := w.Start.Format(layout), w.End.Format(layout); s != want[i][0] || e != want[i][1] {
			t.Errorf("Layout[%d] = %s … %s, want %s … %s", i, s, e, want[i][0], want[i][1])
		}
	}
}

func drawSpan(t *rapid.T) bill.Span {
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, 1e8).Draw(t, "start")) * time.Second)
	length := rapid.OneOf(
		rapid.Int64Range(1, 4*3600),
		rapid.SampledFrom([]int64{2*3600 - 1, 2 * 3600, 2*3600 + 1, 100*86400 - 1}),
		rapid.Int64Range(1, 100*86400-1),
	).Draw(t, "seconds")
	return bill.Span{Start: start, End: start.Add(time.Duration(length) * time.Second)}
}

// The halves cover the whole, overlap by two seconds, are shorter than the
// whole and never shorter than an hour.
func TestHalve(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpan(t)
		older, newer, ok := s.Halve()
		if length := s.End.Sub(s.Start); ok != (length >= 2*bill.MinHalf) {
			t.Fatalf("%v.Halve() says %t of a span of %s", s, ok, length)
		}
		if !ok {
			return
		}
		if !older.Start.Equal(s.Start) || !newer.End.Equal(s.End) {
			t.Fatalf("%v.Halve() = %v, %v: not the whole span", s, older, newer)
		}
		if got := older.End.Sub(newer.Start); got != 2*time.Second {
			t.Fatalf("%v.Halve() = %v, %v: they overlap by %s, want 2s", s, older, newer, got)
		}
		for _, half := range []bill.Span{older, newer} {
			length := half.End.Sub(half.Start)
			if length < bill.MinHalf || length >= s.End.Sub(s.Start) {
				t.Fatalf("%v.Halve() = %v, %v: one is %s long", s, older, newer, length)
			}
			if half.End.Nanosecond() != 0 || half.Start.Nanosecond() != 0 {
				t.Fatalf("%v.Halve() = %v, %v: not whole seconds", s, older, newer)
			}
		}
	})
}

// Halving comes to an end, and what is left covers the span it began with.
func TestHalveToTheEnd(t *testing.T) {
	t.Parallel()
	whole := bill.Span{Start: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
	whole.End = whole.Start.Add(100*24*time.Hour - time.Second)
	var leaves []bill.Span
	var cut func(s bill.Span, depth int)
	cut = func(s bill.Span, depth int) {
		if depth > 20 {
			t.Fatalf("%v was halved %d times and is still too long", s, depth)
		}
		older, newer, ok := s.Halve()
		if !ok {
			leaves = append(leaves, s)
			return
		}
		cut(older, depth+1)
		cut(newer, depth+1)
	}
	cut(whole, 0)
	for i := 1; i < len(leaves); i++ {
		if got := leaves[i-1].End.Sub(leaves[i].Start); got < 2*time.Second {
			t.Errorf("leaves %v and %v overlap by %s, want 2s at least", leaves[i-1], leaves[i], got)
		}
	}
	if first, last := leaves[0].Start, leaves[len(leaves)-1].End; !first.Equal(whole.Start) || !last.Equal(whole.End) {
		t.Errorf("the leaves cover %s … %s, want %v", first, last, whole)
	}
}

// No instant is counted in both parts, and what is in neither is the cut alone.
func TestSplit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpan(t)
		if s.End.Sub(s.Start) < 4*time.Second {
			return
		}
		older, newer := s.Split()
		if !older.Start.Equal(s.Start) || !newer.End.Equal(s.End) || older.End.Before(older.Start) || newer.End.Before(newer.Start) {
			t.Fatalf("%v.Split() = %v, %v", s, older, newer)
		}
		if older.Overlaps(newer) {
			t.Fatalf("%v.Split() = %v, %v: they overlap", s, older, newer)
		}
		if got := newer.Start.Sub(older.End); got != 2*time.Second {
			t.Fatalf("%v.Split() = %v, %v: %s between them, want 2s", s, older, newer, got)
		}
	})
}

func TestSpan(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	s := bill.Span{Start: at(10), End: at(20)}
	for _, tt := range []struct {
		second int
		want   bool
	}{{9, false}, {10, true}, {15, true}, {20, true}, {21, false}} {
		if got := s.Contains(at(tt.second)); got != tt.want {
			t.Errorf("10…20 Contains(%d) = %t, want %t", tt.second, got, tt.want)
		}
	}
	for _, tt := range []struct {
		start, end int
		want       bool
	}{{0, 9, false}, {0, 10, true}, {12, 13, true}, {0, 30, true}, {20, 30, true}, {21, 30, false}} {
		o := bill.Span{Start: at(tt.start), End: at(tt.end)}
		if got, back := s.Overlaps(o), o.Overlaps(s); got != tt.want || back != tt.want {
			t.Errorf("10…20 and %d…%d Overlaps = %t and %t, want %t", tt.start, tt.end, got, back, tt.want)
		}
	}
}

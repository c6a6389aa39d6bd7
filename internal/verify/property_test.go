package verify_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"billsync/internal/bill"
	"billsync/internal/simulator"
)

// TestMain lowers the number of stories that are told unless one is asked for:
// each takes two syncs and four counts. -rapid.checks=1000 is worth a try after
// a change.
func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if !asked {
		if err := flag.Set("rapid.checks", "40"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// A story is a ledger that is read in two syncs.
type story struct {
	zone, months *time.Location // of the requests, and of the report
	days         int            // how long the history is
	options      simulator.Options
	later        time.Duration // until the second sync
	first, then  []time.Time   // the bills, by when the list shows them
}

var zones = []string{"Asia/Shanghai", "UTC", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia"}

func drawStory(t *rapid.T) story {
	s := story{
		zone:   zone(rapid.SampledFrom(zones).Draw(t, "zone of the requests")),
		months: zone(rapid.SampledFrom(zones).Draw(t, "zone of the months")),
		days:   rapid.IntRange(1, 250).Draw(t, "days"),
		later:  time.Duration(rapid.IntRange(0, 20*24*3600).Draw(t, "until the second sync")) * time.Second,
	}
	s.options.ExcludeStart, s.options.ExcludeEnd = rapid.Bool().Draw(t, "exclude start"), rapid.Bool().Draw(t, "exclude end")

	y, m, d := start.AddDate(0, 0, -s.days).In(s.zone).Date()
	from := time.Date(y, m, d, 0, 0, 0, 0, s.zone)
	proved := start.Add(-2 * time.Minute) // by the first sync
	points := []time.Time{from, proved.Add(-time.Minute)}
	for _, w := range bill.Layout(from.Add(-bill.Lead), proved, 100) {
		points = append(points, w.Start, w.End)
	}
	y, m, _ = from.In(s.months).Date()
	for at := from; at.Before(proved); m++ {
		at = time.Date(y, m, 1, 0, 0, 0, 0, s.months)
		points = append(points, at)
	}
	s.first = drawBills(t, "first", points, from, proved.Add(-time.Minute))
	end := start.Add(s.later).Add(-3 * time.Minute)
	s.then = drawBills(t, "second", []time.Time{proved, proved.Add(24 * time.Hour), end}, proved.Add(-12*time.Hour), end)
	return s
}

// drawBills draws the times of bills between two times, many of them on and
// around certain points.
func drawBills(t *rapid.T, name string, points []time.Time, from, to time.Time) []time.Time {
	offset := rapid.OneOf(
		rapid.Just(int64(0)), rapid.Int64Range(-6_000, 6_000), // milliseconds
		rapid.SampledFrom([]int64{-1000, -999, -1, 1, 999, 1000, 1001, 2000, -2000, 3000}),
	)
	var out []time.Time
	add := func(at time.Time) {
		if !at.Before(from) && !at.After(to) {
			out = append(out, at)
		}
	}
	for range rapid.IntRange(0, 25).Draw(t, name+" bills at random") {
		share := rapid.Int64Range(0, 1<<20).Draw(t, "share")
		add(from.Add(to.Sub(from) / (1 << 20) * time.Duration(share)).Truncate(time.Millisecond))
	}
	for range rapid.IntRange(0, 25).Draw(t, name+" bills at points") {
		add(rapid.SampledFrom(points).Draw(t, "point").Add(time.Duration(offset.Draw(t, "offset")) * time.Millisecond))
	}
	for range rapid.IntRange(0, 2).Draw(t, name+" dense stretches") {
		at := rapid.SampledFrom(points).Draw(t, "point").Add(-time.Duration(rapid.IntRange(0, 40).Draw(t, "before")) * time.Second)
		step := time.Duration(rapid.IntRange(500, 6_000).Draw(t, "step")) * time.Millisecond
		for i := range rapid.IntRange(1, 30).Draw(t, "long") {
			add(at.Add(time.Duration(i) * step))
		}
	}
	return out
}

// After a sync nothing differs, whatever the provider's ends mean and wherever
// bills lie; after rows were deleted behind the program's back, the differences
// add up to exactly so many.
func TestDifferencesAreExact(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s := drawStory(t)
		dir, err := os.MkdirTemp(base, "")
		if err != nil {
			t.Fatalf("%v", err)
		}
		defer os.RemoveAll(dir)
		w := makeWorld(t, dir, s.zone, start.AddDate(0, 0, -s.days), func(o *simulator.Options) {
			o.ExcludeStart, o.ExcludeEnd = s.options.ExcludeStart, s.options.ExcludeEnd
		})
		defer w.close()
		w.list(s.first...)
		w.sync()
		w.pass(s.later)
		w.list(s.then...)
		w.sync()
		bills := len(s.first) + len(s.then)
		for name, r := range w.both(s.months) {
			w.agrees(name, r, bills)
			w.clean(r)
		}
		k := rapid.IntRange(0, bills).Draw(t, "deleted")
		seed := rapid.Int64Range(1, 1<<30).Draw(t, "which")
		n := w.behind("DELETE FROM bills WHERE bill_id IN (SELECT bill_id FROM bills ORDER BY (bill_id * ?) % 1000003 LIMIT ?)", seed, k)
		for name, r := range w.both(s.months) {
			api, stored, _, difference := sums(r)
			if n != k || difference != k || api != bills || stored != bills-k {
				t.Errorf("%s: %d of %d rows deleted, the differences add up to %d; the API counts %d, stored are %d", name, n, bills, difference, api, stored)
				for _, row := range r.Rows() {
					t.Log(describe(row))
				}
			}
		}
	})
}

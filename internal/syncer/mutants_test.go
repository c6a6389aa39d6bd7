package syncer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/syncer"
)

// These tests hold the edges of the rules that the stories of the other files
// pass by: what is due in which state and scope, and from where to where.

// A given is what a database may know of an account; windows newest first.
type given struct {
	state   bill.AccountState
	windows []bill.Window
	tail    *bill.Tail
}

func (g given) AccountState(string) (bill.AccountState, error) { return g.state, nil }
func (g given) Windows(string) ([]bill.Window, error)          { return slices.Clone(g.windows), nil }
func (g given) Tail(string) (*bill.Tail, error)                { return g.tail, nil }
func (g given) Chases(string) (map[int64]bill.Chase, error)    { return nil, nil }
func (g given) OpenRejected(string) (int, error)               { return 0, nil }
func (g given) CountUnreadable(string, int64) (int, error)     { return 0, nil }
func (g given) ReadingPass(string, int64) (*bill.Pass, error)  { return nil, nil }
func (g given) CountByStatus(string, time.Time, time.Time) (map[string]int, error) {
	return nil, nil
}
func at(days int) time.Time               { return start.AddDate(0, 0, days) }
func spanOf(from, to time.Time) bill.Span { return bill.Span{Start: from, End: to} }
func midnight(days int) time.Time {
	y, m, d := at(days).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, shanghai)
}
func endOfDay(days int) time.Time { return midnight(days + 1).Add(-time.Second) }

// rules are the settings of newWorld without a world.
func rules(days int, change ...func(*syncer.Config)) syncer.Config {
	c := syncer.Config{
		Zone: shanghai, WindowDays: 100, PageSize: 10, Tail: 7 * 24 * time.Hour, Refresh: 90 * 24 * time.Hour,
		Accounts: []syncer.AccountConfig{{Account: bill.Account{Name: "main"}, HistoryStart: midnight(-days)}},
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

// due returns what a run would read at the start of the tests' story, a line
// for each span: tail, new or again, and from when to when.
func due(t *testing.T, c syncer.Config, g given, s syncer.Scope) []string {
	t.Helper()
	return dueAt(t, start, c, g, s)
}

func dueAt(t *testing.T, now time.Time, c syncer.Config, g given, s syncer.Scope) []string {
	t.Helper()
	steps, err := syncer.New(c, nil, nil, nop, func() time.Time { return now }).Preview(g, syncer.Options{Scope: s})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, st := range steps {
		kind := "new"
		switch {
		case st.Chase:
			continue
		case st.Tail:
			kind = "tail"
		case st.Reread:
			kind = "again"
		}
		lines = append(lines, line(kind, st.Span.Start, st.Span.End))
	}
	return lines
}

func line(kind string, from, to time.Time) string {
	const layout = "2006-01-02 15:04:05"
	return fmt.Sprintf("%s %s … %s", kind, from.In(shanghai).Format(layout), to.In(shanghai).Format(layout))
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: due\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// Which window is due in which state, asked for how.
func TestWindowsDueByStateAndScope(t *testing.T) {
	t.Parallel()
	scopes := []syncer.Scope{
		{}, {Refresh: true}, {Full: true}, {Retry: true}, {Retry: true, RetryNow: true}, {Retry: true, DueOnly: true},
		{Span: spanOf(at(-40), at(-40))}, {Span: spanOf(at(-60), at(-51))},
	}
	recent, old := spanOf(at(-50), at(-10)), spanOf(at(-190), at(-91))
	early, now := start.Add(time.Millisecond), start
	for _, tt := range []struct {
		name   string
		window bill.Window
		want   string // for each scope: x if it is due
	}{
		//                                                                                          sync refresh full retry now due span elsewhere
		{"pending", bill.Window{Span: recent, Progress: bill.Progress{State: bill.Pending}}, "xxx...x."},
		{"reading", bill.Window{Span: recent, Progress: bill.Progress{State: bill.Reading}}, "xxx...x."},
		{"waiting", bill.Window{Span: recent, Progress: bill.Progress{State: bill.Waiting}}, "xxxxxxx."},
		{"waiting, due now", bill.Window{Span: recent, Progress: bill.Progress{State: bill.Waiting, NextAttemptAt: now}}, "xxxxxxx."},
		{"waiting, too early", bill.Window{Span: recent, Progress: bill.Progress{State: bill.Waiting, NextAttemptAt: early}}, "....x..."},
		{"failed", bill.Window{Span: recent, Progress: bill.Progress{State: bill.Failed}}, ".xxxx.x."},
		{"proved", bill.Window{Span: recent, Progress: bill.Progress{State: bill.Done, ProvedAt: at(-1)}}, ".xx...x."},
		{"proved this instant", bill.Window{Span: recent, Progress: bill.Progress{State: bill.Done, ProvedAt: now}}, "..x...x."},
		{"proved, too old for a refresh", bill.Window{Span: old, Progress: bill.Progress{State: bill.Done, ProvedAt: at(-1)}}, "..x....."},
		{"proved, just not too old", bill.Window{Span: spanOf(at(-150), start.Add(-90*24*time.Hour)), Progress: bill.Progress{State: bill.Done, ProvedAt: at(-1)}}, ".xx....."},
		{"proved, to be read again", bill.Window{Span: recent, RereadAt: at(-1), Progress: bill.Progress{State: bill.Done, ProvedAt: at(-2)}}, "xxxxxxx."},
		{"proved, again, due now", bill.Window{Span: recent, RereadAt: at(-1), Progress: bill.Progress{State: bill.Done, ProvedAt: at(-2), NextAttemptAt: now}}, "xxxxxxx."},
		{"proved, again, too early", bill.Window{Span: recent, RereadAt: at(-1), Progress: bill.Progress{State: bill.Done, ProvedAt: at(-2), NextAttemptAt: early}}, "....x..."},
		{"proved, an old wait", bill.Window{Span: recent, Progress: bill.Progress{State: bill.Done, ProvedAt: at(-2), NextAttemptAt: early}}, ".xx...x."},
	} {
		tt.window.ID = 1
		for i, s := range scopes {
			g := given{windows: []bill.Window{tt.window}, tail: &bill.Tail{CoveredFrom: tt.window.End, ProvedUntil: now.Add(-2 * time.Minute), Progress: bill.Progress{State: bill.Done, ProvedAt: now}}}
			got := "."
			for _, l := range due(t, rules(0, func(c *syncer.Config) { c.Accounts[0].HistoryStart = tt.window.Start.Add(bill.Lead) }), g, s) {
				if !strings.HasPrefix(l, "tail") && strings.HasSuffix(l, line("", tt.window.Start, tt.window.End)) {
					got = "x"
				}
			}
			if want := tt.want[i : i+1]; got != want {
				t.Errorf("%s, scope %+v: due %q, want %q", tt.name, s, got, want)
			}
		}
	}
}

// From where to where the tail is read, and when it is not.
func TestTailSpans(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	end := start.Add(-2 * time.Minute)
	covered := func(from, until time.Time, change ...func(*bill.Tail)) *bill.Tail {
		l := &bill.Tail{CoveredFrom: from, ProvedUntil: until, Progress: bill.Progress{State: bill.Done, ProvedAt: until}}
		for _, f := range change {
			f(l)
		}
		return l
	}
	fresh := start.Add(-time.Hour)
	waits := func(state bill.State, until time.Time) func(*bill.Tail) {
		return func(l *bill.Tail) { l.State, l.NextAttemptAt = state, until }
	}
	span := func(from, to int) syncer.Scope { return syncer.Scope{Span: spanOf(at(from), at(to))} }
	settings := func(tail, refresh time.Duration, windowDays int) func(*syncer.Config) {
		return func(c *syncer.Config) { c.Tail, c.Refresh, c.WindowDays = tail, refresh, windowDays }
	}
	for _, tt := range []struct {
		name   string
		tail   *bill.Tail
		scope  syncer.Scope
		change func(*syncer.Config)
		from   time.Time // zero: not read
	}{
		{"tail_days", covered(at(-50), fresh), syncer.Scope{}, nil, start.Add(-7 * day)},
		{"a day before the proof", covered(at(-50), at(-30)), syncer.Scope{}, nil, at(-31)},
		{"a day before the proof, short tail_days", covered(at(-50), fresh), syncer.Scope{}, settings(time.Hour, 90*day, 100), fresh.Add(-day)},
		{"never proved", covered(at(-20), time.Time{}), syncer.Scope{}, nil, at(-21)},
		{"proved less than the windows", covered(at(-20), at(-25)), syncer.Scope{}, nil, at(-21)},
		{"never proved, young", covered(at(-3), time.Time{}), syncer.Scope{}, nil, start.Add(-7 * day)},
		{"due now", covered(at(-50), fresh, waits(bill.Waiting, start)), syncer.Scope{}, nil, start.Add(-7 * day)},
		{"too early", covered(at(-50), fresh, waits(bill.Waiting, start.Add(time.Millisecond))), syncer.Scope{}, nil, time.Time{}},
		{"early on demand", covered(at(-50), fresh, waits(bill.Waiting, start.Add(time.Hour))), syncer.Scope{Retry: true, RetryNow: true}, nil, start.Add(-7 * day)},
		{"retry of a tail that waits", covered(at(-50), fresh, waits(bill.Waiting, time.Time{})), syncer.Scope{Retry: true}, nil, start.Add(-7 * day)},
		{"retry of a tail that failed", covered(at(-50), fresh, waits(bill.Failed, time.Time{})), syncer.Scope{Retry: true}, nil, start.Add(-7 * day)},
		{"retry of a tail that is fine", covered(at(-50), fresh), syncer.Scope{Retry: true}, nil, time.Time{}},
		{"refresh", covered(at(-50), fresh), syncer.Scope{Refresh: true}, nil, at(-51)},
		{"refresh, short", covered(at(-50), fresh), syncer.Scope{Refresh: true}, settings(7*day, 40*day, 100), start.Add(-40 * day)},
		{"refresh, shorter than the tail", covered(at(-50), fresh), syncer.Scope{Refresh: true}, settings(7*day, 5*day, 100), start.Add(-7 * day)},
		{"refresh, young tail", covered(at(-2), fresh), syncer.Scope{Refresh: true}, nil, start.Add(-7 * day)},
		{"full", covered(at(-50), fresh), syncer.Scope{Full: true}, settings(7*day, 10*day, 100), at(-51)},
		{"full, young tail", covered(at(-2), fresh), syncer.Scope{Full: true}, nil, start.Add(-7 * day)},
		{"span within", covered(at(-50), fresh), span(-30, -28), nil, at(-30)},
		{"span before its beginning", covered(at(-50), fresh), span(-70, -28), nil, at(-51)},
		{"span up to its beginning", covered(at(-50), fresh), span(-70, -50), nil, at(-51)},
		{"span before it", covered(at(-50), fresh), syncer.Scope{Span: spanOf(at(-70), at(-50).Add(-time.Second))}, nil, time.Time{}},
		{"span at its end", covered(at(-50), fresh), span(-1, 0), nil, start.Add(-7 * day)},
		{"history begins later", covered(at(-50), fresh), syncer.Scope{}, func(c *syncer.Config) { c.Accounts[0].HistoryStart = midnight(-3) }, midnight(-3).Add(-2 * time.Second)},
		{"as long as may be asked for", covered(at(-95), at(-94)), syncer.Scope{}, settings(365*day, 90*day, 100), midnight(-99)},
		{"no longer than window_days", covered(at(-20), at(-19)), syncer.Scope{}, settings(30*day, 90*day, 30), midnight(-29)},
		{"seconds only", covered(at(-50), at(-30).Add(500*time.Millisecond)), syncer.Scope{}, nil, at(-31)},
	} {
		// The window before the tail is proved and of no interest here.
		w := bill.Window{ID: 1, Span: spanOf(midnight(-120).Add(-bill.Lead), tt.tail.CoveredFrom), Progress: bill.Progress{State: bill.Done, ProvedAt: start}}
		c := rules(120)
		if tt.change != nil {
			tt.change(&c)
		}
		got := slices.DeleteFunc(due(t, c, given{windows: []bill.Window{w}, tail: tt.tail}, tt.scope), func(l string) bool { return !strings.HasPrefix(l, "tail") })
		if tt.from.IsZero() {
			same(t, tt.name, got)
		} else {
			same(t, tt.name, got, line("tail", tt.from, end))
		}
	}
}

// Whoever has summer time asks for no more than so many times 24 hours.
func TestTailIsLegalWhereClocksGoBack(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 20, 23, 50, 0, 0, zone) // clocks went back on the 1st
	c := rules(0, func(c *syncer.Config) {
		c.Zone, c.WindowDays, c.Tail = zone, 30, 40*24*time.Hour
		c.Accounts[0].HistoryStart = time.Date(2026, 10, 1, 0, 0, 0, 0, zone)
	})
	w := bill.Window{ID: 1, Span: spanOf(c.Accounts[0].HistoryStart.Add(-bill.Lead), now.AddDate(0, 0, -28)), Progress: bill.Progress{State: bill.Done, ProvedAt: now}}
	l := &bill.Tail{CoveredFrom: w.End, ProvedUntil: now.AddDate(0, 0, -27), Progress: bill.Progress{State: bill.Done, ProvedAt: now}}
	steps, err := syncer.New(c, nil, nil, nop, func() time.Time { return now }).Preview(given{windows: []bill.Window{w}, tail: l}, syncer.Options{})
	if err != nil || len(steps) == 0 || !steps[0].Tail {
		t.Fatalf("%v, %+v; want the tail", err, steps)
	}
	end := now.Add(-2 * time.Minute)
	if got, want := steps[0].Span, spanOf(end.Add(-30*24*time.Hour+time.Second), end); !got.Start.Equal(want.Start) || !got.End.Equal(want.End) {
		t.Errorf("the tail is read from %s to %s, want %s to %s", got.Start, got.End, want.Start, want.End)
	}
}

// As long as the window before it was never read, the tail has no beginning.
func TestTailWaitsForTheNewestWindow(t *testing.T) {
	t.Parallel()
	newest := spanOf(midnight(-50).Add(-bill.Lead), at(-10))
	for _, tt := range []struct {
		name   string
		window bill.Window
		tail   bill.Tail
		want   bool
	}{
		{"open end", bill.Window{Span: newest, OpenEnd: true, Progress: bill.Progress{State: bill.Pending}}, bill.Tail{CoveredFrom: at(-10), ProvedUntil: at(-9), Progress: bill.Progress{ProvedAt: at(-9)}}, false},
		{"not proved", bill.Window{Span: newest, Progress: bill.Progress{State: bill.Reading}}, bill.Tail{CoveredFrom: at(-10)}, false},
		{"not proved any more", bill.Window{Span: newest, Progress: bill.Progress{State: bill.Waiting}}, bill.Tail{CoveredFrom: at(-10), ProvedUntil: at(-1), Progress: bill.Progress{ProvedAt: at(-1)}}, true},
		{"proved", bill.Window{Span: newest, Progress: bill.Progress{State: bill.Done, ProvedAt: at(-9)}}, bill.Tail{CoveredFrom: at(-10)}, true},
		{"another window is not proved", bill.Window{Span: spanOf(newest.Start, at(-9)), Progress: bill.Progress{State: bill.Failed}}, bill.Tail{CoveredFrom: at(-10)}, true},
	} {
		tt.window.ID = 1
		got := due(t, rules(50), given{windows: []bill.Window{tt.window}, tail: &tt.tail}, syncer.Scope{})
		if read := slices.ContainsFunc(got, func(l string) bool { return strings.HasPrefix(l, "tail") }); read != tt.want {
			t.Errorf("%s: due %q, want the tail to be read: %t", tt.name, got, tt.want)
		}
	}
}

// A tail that is due but has not a second to itself is not asked for.
func TestTailOfNoLength(t *testing.T) {
	t.Parallel()
	c := rules(0, func(c *syncer.Config) { c.Accounts[0].HistoryStart = start.Add(-2*time.Minute + bill.Lead) })
	w := bill.Window{ID: 1, Span: spanOf(start.Add(-3*time.Minute), start.Add(-2*time.Minute)), Progress: bill.Progress{State: bill.Done, ProvedAt: start}}
	l := &bill.Tail{CoveredFrom: w.End, ProvedUntil: w.End, Progress: bill.Progress{State: bill.Done, ProvedAt: start}}
	same(t, "no length", due(t, c, given{windows: []bill.Window{w}, tail: l}, syncer.Scope{}))
}

// Windows are laid out for all of the history, also where it was moved back and
// where settings left something out.
func TestWindowsLaidOut(t *testing.T) {
	t.Parallel()
	proved := func(from, to time.Time) bill.Window {
		return bill.Window{ID: 1, Span: spanOf(from, to), Progress: bill.Progress{State: bill.Done, ProvedAt: start}}
	}
	tailFrom := func(from time.Time) *bill.Tail {
		return &bill.Tail{CoveredFrom: from, ProvedUntil: start.Add(-time.Hour), Progress: bill.Progress{State: bill.Done, ProvedAt: start}}
	}
	end, tail := start.Add(-2*time.Minute), line("tail", start.Add(-7*24*time.Hour), start.Add(-2*time.Minute))
	for _, tt := range []struct {
		name  string
		days  int // of history
		given given
		want  []string
	}{
		{"nothing yet", 150, given{}, []string{
			// Its first two seconds make the day before the first of a hundred.
			line("new", midnight(-52), end),
			line("new", midnight(-150).Add(-2*time.Second), endOfDay(-52)),
		}},
		{"nothing yet, and less than a window", 20, given{}, []string{line("new", midnight(-20).Add(-2*time.Second), end)}},
		{"all there", 60, given{windows: []bill.Window{proved(midnight(-60).Add(-2*time.Second), at(-10))}, tail: tailFrom(at(-10))}, []string{tail}},
		{"moved back", 90, given{windows: []bill.Window{proved(midnight(-60).Add(-2*time.Second), at(-10))}, tail: tailFrom(at(-10))}, []string{
			tail, line("new", midnight(-90).Add(-2*time.Second), midnight(-59).Add(-2*time.Second)),
		}},
		{"moved back by more than a window", 200, given{windows: []bill.Window{proved(midnight(-60).Add(-2*time.Second), at(-10))}, tail: tailFrom(at(-10))}, []string{
			tail, line("new", midnight(-102), midnight(-59).Add(-2*time.Second)), line("new", midnight(-200).Add(-2*time.Second), endOfDay(-102)),
		}},
		{"moved back by a second", 60, given{windows: []bill.Window{proved(midnight(-60).Add(-time.Second), at(-10))}, tail: tailFrom(at(-10))}, []string{
			tail, line("new", midnight(-60).Add(-2*time.Second), midnight(-59).Add(-time.Second)),
		}},
		{"a gap between windows", 80, given{windows: []bill.Window{proved(at(-30), at(-10)), proved(midnight(-80).Add(-2*time.Second), at(-50))}, tail: tailFrom(at(-10))}, []string{
			tail, line("new", at(-50).Add(-2*time.Second), at(-30).Add(2*time.Second)),
		}},
		{"windows that just touch", 80, given{windows: []bill.Window{proved(at(-50), at(-10)), proved(midnight(-80).Add(-2*time.Second), at(-50))}, tail: tailFrom(at(-10))}, []string{tail}},
		{"a short window within a long one", 80, given{windows: []bill.Window{proved(at(-50), at(-40)), proved(midnight(-80).Add(-2*time.Second), at(-10))}, tail: tailFrom(at(-10))}, []string{tail}},
		{"a gap before the tail", 80, given{windows: []bill.Window{proved(midnight(-80).Add(-2*time.Second), at(-20))}, tail: tailFrom(at(-10))}, []string{
			tail, line("new", at(-20).Add(-2*time.Second), at(-10).Add(2*time.Second)),
		}},
		{"two gaps and moved back", 90, given{windows: []bill.Window{proved(at(-30), at(-20)), proved(midnight(-80).Add(-2*time.Second), at(-50))}, tail: tailFrom(at(-10))}, []string{
			tail, line("new", at(-20).Add(-2*time.Second), at(-10).Add(2*time.Second)), line("new", at(-50).Add(-2*time.Second), at(-30).Add(2*time.Second)),
			line("new", midnight(-90).Add(-2*time.Second), midnight(-79).Add(-2*time.Second)),
		}},
	} {
		same(t, tt.name, due(t, rules(tt.days), tt.given, syncer.Scope{}), tt.want...)
	}
}

// A tail that has outgrown one request becomes a window, which keeps what was
// proved of it.
func TestTailCutIntoWindows(t *testing.T) {
	t.Parallel()
	before := func(covered time.Time) []bill.Window {
		return []bill.Window{{ID: 1, Span: spanOf(midnight(-300).Add(-2*time.Second), covered), Progress: bill.Progress{State: bill.Done, ProvedAt: start}}}
	}
	end := start.Add(-2 * time.Minute)
	for _, tt := range []struct {
		name     string
		from     int
		until    time.Time
		provedAt time.Time
		want     []string
	}{
		{"not yet", -98, start.Add(-time.Hour), start, []string{line("tail", start.Add(-7*24*time.Hour), end)}},
		{"proved throughout", -99, start.Add(-time.Hour), start, []string{
			line("tail", start.Add(-7*24*time.Hour), end), line("again", midnight(-99), start.Add(-time.Hour)),
		}},
		{"twice", -260, start.Add(-time.Hour), start, []string{
			line("tail", start.Add(-7*24*time.Hour), end), line("again", midnight(-161), endOfDay(-62)), line("again", midnight(-260), endOfDay(-161)),
		}},
		{"proved in part", -150, at(-80), at(-80), []string{
			line("tail", at(-81), end), line("again", midnight(-150), at(-80)),
		}},
		{"never proved", -150, time.Time{}, time.Time{}, []string{
			line("tail", endOfDay(-52), end), line("new", midnight(-150), endOfDay(-51)),
		}},
	} {
		l := &bill.Tail{CoveredFrom: at(tt.from), ProvedUntil: tt.until, Progress: bill.Progress{State: bill.Done, ProvedAt: tt.provedAt}}
		same(t, tt.name, due(t, rules(300), given{windows: before(at(tt.from)), tail: l}, syncer.Scope{}), tt.want...)
	}
}

// A minute after midnight the day before is not over yet: the newest window still
// ends in it, and a tail that just fits is not cut.
func TestJustAfterMidnight(t *testing.T) {
	t.Parallel()
	now, end := midnight(0).Add(time.Minute), midnight(0).Add(-time.Minute)
	same(t, "the first run", dueAt(t, now, rules(99), given{}, syncer.Scope{}), line("new", midnight(-99).Add(-2*time.Second), end))
	w := bill.Window{ID: 1, Span: spanOf(midnight(-200).Add(-2*time.Second), midnight(-99).Add(time.Hour)), Progress: bill.Progress{State: bill.Done, ProvedAt: now}}
	l := &bill.Tail{CoveredFrom: w.End, ProvedUntil: end, Progress: bill.Progress{State: bill.Done, ProvedAt: now}}
	same(t, "the tail", dueAt(t, now, rules(200), given{windows: []bill.Window{w}, tail: l}, syncer.Scope{}), line("tail", now.Add(-7*24*time.Hour), end))
}

// What can be told of a page's bills is stored with the page: a death before the
// next one loses nothing, and nothing is held back for the end of the pass.
func TestWhatIsCertainIsStoredWithItsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.cfg.Concurrency = 1
	for i := range 25 {
		e := entry(fmt.Sprintf("O%02d", i), at(-12).Add(-time.Duration(i)*time.Hour))
		if i%2 == 0 {
			e.BillNo = fmt.Sprintf("B%02d", i)
		}
		w.ledger.Add("", e)
	}
	die := func(requests int64, o syncer.Options) {
		t.Helper()
		left := &atomic.Int64{}
		left.Store(requests)
		if _, err := w.runWith(o, dying{w.client, left}, nil); !errors.Is(err, errCrash) {
			t.Fatalf("%v, want the crash", err)
		}
		if got := w.one("SELECT count(*) FROM held_items"); got != "0" {
			t.Errorf("%s items are held back", got)
		}
	}
	die(1, syncer.Options{})
	if got := w.one("SELECT count(*), count(bill_no) FROM bills"); got != "10|5" {
		t.Errorf("bills, and numbered ones, stored with the first page: %s, want 10|5", got)
	}
	w.sync()
	w.pass(time.Hour)
	w.ledger.Change("", func(e []simulator.Entry) []simulator.Entry {
		for i := range e {
			e[i].Status, e[i].LastUpdate = "REFUNDED", w.now()
		}
		return e
	})
	die(2, full) // the tail, which has none of them, and the window's first page
	if got := w.one("SELECT count(*), count(bill_no) FROM bills WHERE bill_status = 'REFUNDED'"); got != "10|5" {
		t.Errorf("changes, and those of numbered bills, stored with the first page: %s, want 10|5", got)
	}
	w.sync()
	w.equal("main", "")
}

// Of two bills of one order and second only one has a number. When the other
// gets its own, it stays the row it was.
func TestSecondNumberComesLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	a, b := entry("TWO", at(-10)), entry("TWO", at(-10))
	a.BillNo = "B1"
	w.ledger.Add("", a, b)
	w.sync()
	before := w.query("SELECT bill_id, ordinal FROM bills ORDER BY bill_id")
	w.pass(time.Hour)
	w.ledger.Change("", func(e []simulator.Entry) []simulator.Entry {
		for i := range e {
			e[i].LastUpdate = w.now()
			if e[i].BillNo == "" {
				e[i].BillNo = "B2"
			}
		}
		return e
	})
	sum, err := w.run(full)
	if err != nil || !sum.Complete() || sum.Run.New != 0 || sum.Run.Changed != 2 {
		t.Fatalf("%v %s %+v; want two changes and nothing new", err, sum.Reason(), sum.Run)
	}
	w.equal("main", "")
	if got := w.query("SELECT bill_id, ordinal FROM bills ORDER BY bill_id"); !slices.Equal(got, before) {
		t.Errorf("rows %v, before the number came %v", got, before)
	}
}

// A numbered bill is met on two pages, because pages moved, and its time was
// corrected in between: it is one bill all the same.
func TestNumberedBillIsMetTwiceAtTwoTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	w.cfg.Concurrency = 1
	when := func(i int) time.Time { return at(-1).Add(-time.Duration(i) * time.Hour) }
	for i := range 45 {
		e := entry(fmt.Sprintf("O%02d", i), when(i))
		e.BillNo = fmt.Sprintf("B%02d", i)
		w.ledger.Add("", e)
	}
	var once sync.Once
	w.server.OnRequest(func(r simulator.Request) {
		if r.Query.Page == 2 {
			once.Do(func() { // the count stays as it was
				w.ledger.Remove("", "O44")
				w.ledger.Add("", entry("LATE", when(0).Add(time.Minute)))
				w.ledger.Update("", "O09", func(e *simulator.Entry) { e.TransactionTime = e.TransactionTime.Add(time.Second) })
			})
		}
	})
	sum, err := w.run(syncer.Options{})
	if err != nil || !sum.Complete() {
		t.Fatalf("%v %s", err, sum.Reason())
	}
	if got := w.query("SELECT order_no FROM bills WHERE bill_no = 'B09' OR order_no = 'O09'"); len(got) != 1 {
		t.Errorf("the bill is stored %d times", len(got))
	}
	w.equal("main", "")
}

// A further bill, listed pages before one that has a number and is alike, does
// not take that one's row.
func TestRowIsLeftToTheBillWithItsNumber(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"", "B2"} {
		w := newWorld(t, 50)
		numbered, further := entry("TWO", at(-10)), entry("TWO", at(-10))
		numbered.BillNo, further.BillNo = "B1", number
		for i := range 12 {
			w.ledger.Add("", entry(fmt.Sprintf("BETWEEN%02d", i), at(-10)))
		}
		w.ledger.Add("", numbered)
		w.sync()
		before := w.ids("TWO")
		w.pass(time.Hour)
		w.ledger.Change("", func(e []simulator.Entry) []simulator.Entry { return append([]simulator.Entry{further}, e...) })
		sum, err := w.run(full)
		if err != nil || !sum.Complete() || sum.Run.New != 1 || sum.Run.Changed != 0 {
			t.Fatalf("number %q: %v %s %+v; want the further bill and no change", number, err, sum.Reason(), sum.Run)
		}
		w.equal("main", "")
		if got := w.ids("TWO"); len(got) != 2 || got[0] != before[0] {
			t.Errorf("number %q: stored %v, before the further bill came %v", number, got, before)
		}
	}
}

// Two bills that are alike but for the merchant change together: each keeps its
// row by its place.
func TestTwinsThatChangeTogetherKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	for _, merchant := range []string{"FIRST", "SECOND", "THIRD"} {
		e := entry("THREE", at(-10))
		e.MerchantName = merchant
		w.ledger.Add("", e)
	}
	w.sync()
	const rows = "SELECT bill_id, ordinal, merchant_name FROM bills ORDER BY bill_id"
	before := w.query(rows)
	w.pass(time.Hour)
	w.ledger.Change("", func(e []simulator.Entry) []simulator.Entry {
		for i := range e {
			e[i].Status, e[i].LastUpdate = "REFUNDED", w.now()
		}
		return e
	})
	if sum, err := w.run(full); err != nil || !sum.Complete() || sum.Run.New != 0 || sum.Run.Changed != 3 {
		t.Fatalf("%v %s %+v", err, sum.Reason(), sum.Run)
	}
	w.equal("main", "")
	if got := w.query(rows); !slices.Equal(got, before) {
		t.Errorf("rows %v, before the change %v", got, before)
	}
}

// lookedUp makes a world in which an order is looked up at the end of a pass,
// because a further bill of it comes pages after the first, and in which the
// list is turned around, and changed otherwise, just before that.
func lookedUp(t *testing.T, first, further simulator.Entry, change func(*simulator.Entry)) *world {
	w := newWorld(t, 50)
	w.cfg.Concurrency = 1
	w.ledger.Add("", first)
	for i := range 12 {
		w.ledger.Add("", entry(fmt.Sprintf("BETWEEN%02d", i), at(-10)))
	}
	w.sync()
	w.pass(time.Hour)
	w.ledger.Add("", further)
	var once sync.Once
	w.server.OnRequest(func(r simulator.Request) {
		if r.Query.OrderNo != "" {
			once.Do(func() {
				w.ledger.Change("", func(e []simulator.Entry) []simulator.Entry {
					slices.Reverse(e)
					for i := range e {
						if e[i].OrderNo == first.OrderNo && e[i].MerchantName == first.MerchantName {
							change(&e[i])
						}
					}
					return e
				})
			})
		}
	})
	sum, err := w.run(full)
	if err != nil || !sum.Complete() || sum.Run.New != 1 {
		t.Fatalf("%v %s %+v; want the further bill", err, sum.Reason(), sum.Run)
	}
	w.equal("main", "")
	return w
}

// In the answer about an order a number decides first, whatever else changed.
func TestLookedUpByNumber(t *testing.T) {
	t.Parallel()
	first, further := entry("TWO", at(-10)), entry("TWO", at(-10))
	first.BillNo, further.MerchantName = "B1", "OTHER"
	w := lookedUp(t, first, further, func(e *simulator.Entry) { e.Status, e.LastUpdate = "REFUNDED", e.LastUpdate.Add(time.Hour) })
	if got := w.query("SELECT bill_no, merchant_name, bill_status FROM bills WHERE order_no = 'TWO' ORDER BY bill_id"); !slices.Equal(got, []string{"B1|EXAMPLE|REFUNDED", "<nil>|OTHER|SUCCESS"}) {
		t.Errorf("stored %v", got)
	}
}

// And a further bill's number does not take the row of one that says what it
// always said.
func TestLookedUpByContent(t *testing.T) {
	t.Parallel()
	first, further := entry("TWO", at(-10)), entry("TWO", at(-10))
	further.BillNo, further.MerchantName = "B2", "OTHER"
	w := lookedUp(t, first, further, func(*simulator.Entry) {})
	if got := w.query("SELECT bill_no, merchant_name FROM bills WHERE order_no = 'TWO' ORDER BY bill_id"); !slices.Equal(got, []string{"<nil>|EXAMPLE", "B2|OTHER"}) {
		t.Errorf("stored %v", got)
	}
}

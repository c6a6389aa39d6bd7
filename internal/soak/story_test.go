package soak

import (
	"fmt"
	"strings"
	"time"
)

// withdraws says whether the program marks bills that the API no longer lists.
const withdraws = true

// chases says whether a refresh finds changed statuses in all of history.
const chases = true

// resolves says whether an item that could be understood only later is taken
// off the list of those that could not by reading it again, wherever it was
// seen.
const resolves = true

// tellsApart says whether twins stay apart also where one of them is no longer
// listed, and where two passes over the same time read them at once.
const tellsApart = true

// daysReachTail says whether a run that is asked for some days reads the tail
// also if the windows before it are proved only now.
const daysReachTail = true

// atFirst begins the lines about changes before the first run.
const atFirst = "  at first: "

// live is a seed's life.
func (w *world) live() {
	d := w.dice
	w.note("seed %d: %s", w.seed, w.describe())
	m := w.maker()
	for _, said := range m.several(w.customers(), d.between(15, 60)) {
		w.note("%s%s", atFirst, said)
	}
	for i := range d.between(3, 9) {
		w.note("step %d at %s", i+1, stampOf(w.clock.now()))
		w.prepare()
		w.mail()
		if withdraws && d.chance(2) {
			w.lapse()
		}
		w.runSomehow()
	}
	w.end()
}

func (w *world) describe() string {
	s := &w.settings
	return fmt.Sprintf("%d accounts, history from %s in %s, window_days %d, page_size %d, tail_days %d, refresh_days %d, concurrency %d; API: ascending %t, ends excluded %t %t, pages of at most %d, signed %t; last update: %d; notifications: %v",
		len(s.accounts), s.start.Format(time.DateOnly), s.zone, s.windowDays, s.pageSize, s.tailDays, s.refreshDays, s.parallel,
		w.api.Ascending, w.api.ExcludeStart, w.api.ExcludeEnd, w.api.MaxPageSize, w.signed, w.source.updates, w.postman)
}

func (w *world) customers() []string {
	var out []string
	for _, a := range w.accounts {
		out = append(out, a.customer)
	}
	return out
}

// maker returns what changes the source as of now.
func (w *world) maker() *maker {
	zone := location(w.zone)
	y, mo, day := w.clock.real().In(zone).Date()
	m := &maker{src: w.source, dice: newDice(w.dice.Uint64(), 1), now: w.clock.real(), start: w.settings.begin(), dirty: w.dirty && w.seen.last != nil}
	m.marks = append(m.marks, m.start, time.Date(y, mo, day, 0, 0, 0, 0, zone))
	if w.seen.last != nil {
		for _, s := range w.seen.last.spans {
			m.marks = append(m.marks, parse(s.Start), parse(s.End))
		}
	}
	return m
}

// prepare lets the world go on between two runs.
func (w *world) prepare() {
	d := w.dice
	w.clock.set(0)
	if d.chance(85) {
		w.elapse()
	}
	if d.chance(8) {
		back := d.span(time.Minute, 5*time.Hour)
		w.clock.set(-back)
		w.setBack = true
		w.note("  the clock is set back by %v", back)
	}
	if d.chance(30) {
		w.note("  %s", w.settings.change(d, w.clock.now()))
	}
	if d.chance(3) && len(w.everyone) < 3 {
		w.addAccount(len(w.everyone))
		w.note("  a further account")
	}
	if d.chance(20) {
		w.source.mu.Lock()
		w.source.spell(spelling{reverse: d.chance(50), bare: d.chance(50), zone: location(one(d, zones...)), nickNames: d.IntN(3)})
		w.source.mu.Unlock()
		w.note("  the same in another spelling")
	}
	if d.chance(75) {
		for _, said := range w.maker().several(w.customers(), d.between(1, 8)) {
			w.note("  %s", said)
		}
	}
}

// elapse lets time pass.
func (w *world) elapse() {
	d := w.dice
	by := weighted(d, []choice[time.Duration]{
		{5, d.span(time.Minute, 30*time.Minute)}, {4, d.span(time.Hour, 10*time.Hour)}, {3, d.span(12*time.Hour, 5*24*time.Hour)},
		{1, d.span(6*24*time.Hour, 120*24*time.Hour)},
	})
	w.clock.pass(by)
	w.note("  %v later", by)
}

// runSomehow does a run of some kind under some circumstances.
func (w *world) runSomehow() {
	d := w.dice
	t := &trial{job: w.someJob()}
	calm := w.calm()
	if d.chance(30) {
		p := weighted(d, plans)(w)
		t.plan = &p
		if strings.HasPrefix(p.name, "too late") {
			w.settings.timeout = shortTimeout
			defer func() { w.settings.timeout = 30 * time.Second }()
		}
	}
	acts := map[int][]func(){}
	if d.chance(35) {
		t.changes = true
		for range d.between(1, 4) {
			m, n, customers := w.maker(), d.between(1, 3), w.customers()
			acts = with(acts, d.between(1, 15), func() {
				for _, said := range m.several(customers, n) {
					w.later("    at request %d: %s", w.asked.n, said)
				}
			})
		}
	}
	acts = w.mailDuring(acts)
	endAt, process := 0, false
	switch n := d.IntN(100); {
	case n < 4:
		endAt, process = atOnce, true
	case n < 24:
		endAt, process = d.killAt(), true
	case n < 29:
		endAt = d.killAt()
	case n < 35:
		process = true
	}
	w.note("  %s", t.describe(process))
	t.peaceful = calm && t.plan == nil
	w.try(t, acts, endAt, process)
	w.check(t)
}

// someJob returns a run of some kind.
func (w *world) someJob() job {
	d := w.dice
	j := job{}
	switch n := d.IntN(100); {
	case n < 45:
	case n < 60:
		j.Refresh = true
	case n < 75:
		j.Full = true
	case n < 85:
		j.Retry, j.RetryNow = true, d.chance(70)
	case n < 95:
		zone := location(w.zone)
		now := w.clock.now()
		from := w.settings.begin().Add(time.Duration(d.Int64N(int64(now.Sub(w.settings.begin())))))
		to := from.Add(d.span(0, 60*24*time.Hour))
		j.From = from.In(zone).Format(time.DateOnly)
		if d.chance(70) {
			j.To = to.In(zone).Format(time.DateOnly)
		}
	default:
		j.Accounts = []string{one(d, w.accounts...).name}
	}
	return j
}

// end brings the world to rest and lets the program have a quiet look; then
// database and source are equal.
func (w *world) end() {
	w.note("the end")
	w.ending = true
	w.clock.set(0)
	w.clock.pass(26 * time.Hour)
	for _, said := range w.maker().settle() {
		w.note("  %s", said)
	}
	for _, s := range w.seen.last.spans {
		if s.Next != "" {
			if wait := parse(s.Next).Sub(w.clock.now()); wait > 0 {
				w.clock.pass(wait + time.Minute)
			}
		}
	}
	w.note("  at %s", stampOf(w.clock.now()))
	w.mail()
	t := w.quietly(job{Retry: true, RetryNow: true})
	if t.code != exitDone && t.code != exitIncomplete {
		w.fail("%v at the end: exit code %d: %s", &t.job, t.code, t.said)
	}
	if !resolves {
		w.accept()
	}
	w.mail()
	last := job{Full: true}
	if w.dice.chance(50) && w.refreshWillDo() {
		last = job{Refresh: true}
	}
	if t = w.quietly(last); t.code != exitDone {
		w.fail("%v at the end: exit code %d: %s\n%s", &t.job, t.code, t.said, w.seen.last.troubles())
	}
	w.equal(t)
	if w.dice.chance(40) {
		before := w.seen.last
		w.source.mu.Lock()
		w.source.spell(spelling{reverse: w.dice.chance(50), bare: w.dice.chance(50), zone: time.UTC, nickNames: 7})
		w.source.mu.Unlock()
		if t = w.quietly(job{Full: true}); t.code != exitDone {
			w.fail("%v once more: exit code %d: %s", &t.job, t.code, t.said)
		}
		if l := w.seen.last; len(l.bills) != len(before.bills) || l.states != before.states {
			w.fail("reading again what did not change made %d bills and %d earlier states of %d and %d",
				len(l.bills), l.states, len(before.bills), before.states)
		}
	}
	w.checkHistory()
}

// quietly does a run in peace and checks what became of it.
func (w *world) quietly(j job) *trial {
	w.note("  %v", &j)
	t := w.undisturbed(j)
	w.check(t)
	return t
}

// refreshWillDo reports whether a refresh alone finds all that is new: what
// happened longer ago than it reads in full is no more than a status that
// changed.
func (w *world) refreshWillDo() bool {
	w.source.mu.Lock()
	defer w.source.mu.Unlock()
	old := w.clock.now().AddDate(0, 0, -w.refreshDays+1)
	for _, b := range w.source.books {
		chased := 0
		for _, r := range b.records {
			switch {
			case r.news == 0 || r.at.After(old):
			case r.news == status && chases && chased == 0:
				chased++ // counts can hide that two bills changed places
			default:
				return false
			}
		}
	}
	return true
}

// equal holds all live rows against the source.
func (w *world) equal(t *trial) {
	w.source.mu.Lock()
	defer w.source.mu.Unlock()
	l := w.seen.last
	for _, a := range w.accounts {
		w.compare(l, a.name, oldest(l, a.name).Add(edge), t.began.Add(-settleTime-2*time.Second), t.began, "at the end, of "+a.name)
	}
	w.checkInbox(l, t)
	if l.rejected > 0 || l.running > 0 {
		w.fail("at the end %d items are not understood and %d runs under way", l.rejected, l.running)
	}
	zone := location(w.reportZone)
	for _, r := range l.bills {
		if want := parse(r.Time).In(zone).Format(time.DateOnly); r.Date != want {
			w.fail("bill %d at %s has the transaction_date %s, in %s it is %s", r.ID, r.Time, r.Date, w.reportZone, want)
		}
	}
}

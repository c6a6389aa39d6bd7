package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

// A goal is one line: what was measured beside what is wanted.
type goal struct {
	Number  string    `json:"number"`
	Name    string    `json:"name"`
	Value   float64   `json:"figure"`
	Unit    string    `json:"unit"`
	Limit   float64   `json:"goal"`
	AtMost  bool      `json:"at_most"`          // else at least
	Rounds  []float64 `json:"rounds,omitempty"` // of which the figure is the median
	Missing string    `json:"missing,omitempty"`
	Reached bool      `json:"reached"`
	Fewer   bool      `json:"fewer,omitempty"` // bills than the goal is about
	Note    string    `json:"note"`
}

// A figure is a line beside the goals: what was measured, what it is compared
// with, and the first divided by the second. Floor and ratio are 0 where there
// is nothing to compare with.
type figure struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"figure"`
	Floor float64 `json:"beside,omitempty"`
	Ratio float64 `json:"ratio,omitempty"`
}

// A report is all of it.
type report struct {
	Size    string   `json:"size"`
	At      string   `json:"at"`
	Cores   int      `json:"cores"`
	System  string   `json:"system"`
	Go      string   `json:"go"`
	SQLite  string   `json:"sqlite"`
	Seconds float64  `json:"seconds"`
	Goals   []goal   `json:"goals"`
	Beside  []figure `json:"beside"`
	Notes   []string `json:"notes"`
}

// Units of figures. What is no ratio is one of these.
const (
	perSecond = "/s"
	micros    = "µs"
	millis    = "ms"
	secs      = "s"
	megabytes = "MB"
	byteCount = "B"
	requests  = "requests"
)

func (b *bench) report() *report {
	version, _, _ := sqlite3.Version()
	return &report{
		Size: b.meant.name, At: b.begun.UTC().Format(time.DateOnly), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), SQLite: version, Seconds: time.Since(b.begun).Seconds(),
		Goals: b.goals(), Beside: b.beside(), Notes: b.notes(),
	}
}

// atMost and atLeast make the goal of some rounds.
func atMost(number, name, unit string, limit float64, rounds []float64, note string) goal {
	g := goal{Number: number, Name: name, Value: median(rounds), Unit: unit, Limit: limit, AtMost: true, Rounds: rounds, Note: note}
	g.Reached = g.Value <= limit
	return g
}

func atLeast(number, name, unit string, limit float64, rounds []float64, note string) goal {
	g := goal{Number: number, Name: name, Value: median(rounds), Unit: unit, Limit: limit, Rounds: rounds, Note: note}
	g.Reached = g.Value >= limit
	return g
}

// unlessMissing takes the figure out of a goal that was not measured.
func (g goal) unlessMissing(why string) goal {
	if why != "" {
		g.Value, g.Rounds, g.Reached, g.Missing = 0, nil, false, why
	}
	return g
}

// fewerIf marks a goal that was measured with less than it is about.
func (g goal) fewerIf(fewer bool) goal {
	g.Fewer = fewer
	return g
}

// of returns what fn says of each round.
func (b *bench) of(fn func(r *round) float64) []float64 {
	return each(len(b.rounds), func(i int) float64 { return fn(&b.rounds[i]) })
}

// machine is what this machine could do in a round.
func (r *round) machine() machine {
	return machine{runtime.NumCPU(), float64(r.loop.Rows) / r.loop.First.CPU.Seconds(), r.signs}
}

func (b *bench) goals() []goal {
	few, load, part := instead(b.size.compared, b.meant.compared), instead(b.size.load, b.meant.load), number(b.mostPart)
	wall := func(u usage) float64 { return u.Wall.Seconds() }
	var goals []goal
	less := b.size.compared < b.meant.compared // and of the larger load with it
	add := func(g goal) { goals = append(goals, g.fewerIf(g.Fewer || less)) }
	fewerMany, fewerMost, fewerAccounts := b.many.bills < b.meant.many, b.most.bills < b.meant.most, b.size.accounts < b.meant.accounts

	perPage := median(b.of(func(r *round) float64 { return r.load.serverPerPage() * 1e3 }))
	note := fmt.Sprintf("%.2f s beside F = %.2f s.", median(b.of(func(r *round) float64 { return wall(r.load.usage) })),
		median(b.of(func(r *round) float64 { return r.machine().floor(b.size.load, 0).Seconds() })))
	if perPage > 0.1 {
		note += fmt.Sprintf(" The server took %.2f ms of processor time a page, more than the 0.1 ms up to which F stands without it.", perPage)
	}
	add(atMost("1", "first load of "+load+" bills", "x F", 1.6,
		b.of(func(r *round) float64 { return ratio(wall(r.load.usage), r.machine().floor(b.size.load, 0).Seconds()) }), note))

	add(atLeast("2a", "first load of "+few+", beside naive Go", "x faster", 5,
		b.of(func(r *round) float64 { return ratio(wall(r.naive.usage), wall(r.first.usage)) }),
		b.between(func(r *round) (usage, usage) { return r.first.usage, r.naive.usage })))
	add(atLeast("2b", "first load of "+few+", beside Python", "x faster", 3,
		b.of(func(r *round) float64 { return ratio(wall(r.py.usage), wall(r.first.usage)) }),
		b.between(func(r *round) (usage, usage) { return r.first.usage, r.py.usage })).unlessMissing(b.noPy))
	add(atLeast("3a", "the same "+few+" again, beside naive Go", "x faster", 7,
		b.of(func(r *round) float64 { return ratio(wall(r.naiveTwo.usage), wall(r.same.usage)) }),
		b.between(func(r *round) (usage, usage) { return r.same.usage, r.naiveTwo.usage })))
	add(atLeast("3b", "the same "+few+" again, beside Python", "x faster", 3,
		b.of(func(r *round) float64 { return ratio(wall(r.pyTwo.usage), wall(r.same.usage)) }),
		b.between(func(r *round) (usage, usage) { return r.same.usage, r.pyTwo.usage })).unlessMissing(b.noPy))
	add(atMost("3c", "the same "+load+" again, beside the first load", "x", 0.62,
		b.of(func(r *round) float64 { return ratio(wall(r.full.usage), wall(r.load.usage)) }),
		b.between(func(r *round) (usage, usage) { return r.full.usage, r.load.usage })))

	add(atLeast("4a", "the writer, "+load+" bills", "x C", 0.62,
		b.of(func(r *round) float64 {
			return ratio(perCPU(r.writer.Rows, r.writer.First), perCPU(r.loop.Rows, r.loop.First))
		}),
		b.rates(func(r *round) (usage, usage) { return r.writer.First, r.loop.First })))
	add(atLeast("4b", "the writer, nothing changed", "x C", 1.3,
		b.of(func(r *round) float64 {
			return ratio(perCPU(r.writer.Rows, r.writer.Same), perCPU(r.loop.Rows, r.loop.Same))
		}),
		b.rates(func(r *round) (usage, usage) { return r.writer.Same, r.loop.Same })))

	for i, w := range slowWidths {
		limit := []float64{1.15, 1.25}[i]
		ideal := func(s *sample) float64 { return waiting(s.least(), w, slowAnswer).Seconds() }
		ratios := each(len(b.slow), func(k int) float64 { return ratio(wall(b.slow[k][i].usage), ideal(&b.slow[k][i])) })
		add(atMost("5"+string(rune('a'+i)), fmt.Sprintf("%s bills, %s of latency, %d at a time", few, slowAnswer, w), "x ideal", limit, ratios,
			fmt.Sprintf("%.2f s beside %.2f s, the time in which %d answers come %d at a time.",
				median(each(len(b.slow), func(k int) float64 { return wall(b.slow[k][i].usage) })), ideal(&b.slow[0][i]), b.slow[0][i].least(), w)))
	}

	peak := func(s *sample) float64 { return float64(s.Peak) / 1e6 }
	small := b.of(func(r *round) float64 { return peak(&r.first) })
	noPeak := ""
	if median(small) == 0 {
		noPeak = "this system does not tell"
	}
	add(atMost("6a", "peak memory at "+few+" bills", megabytes, 120, small, "").unlessMissing(noPeak))
	add(atMost("6b", "peak memory at "+instead(b.many.bills, b.meant.many)+" bills", "x that", 1.3, []float64{ratio(peak(&b.many), median(small))},
		fmt.Sprintf("%.0f MB.", peak(&b.many))).unlessMissing(noPeak).fewerIf(fewerMany))

	most := instead(b.most.bills, b.meant.most) + " bills"
	for _, r := range b.books.reads {
		add(atMost(r.number, r.name+", "+most, millis, 10, []float64{r.fast.Seconds() * 1e3},
			fmt.Sprintf("The scan that it replaces: %.0f ms.", r.scan.Seconds()*1e3)).fewerIf(fewerMost))
		add(atLeast(r.number+"'", "the same beside the scan", "x faster", 50, []float64{ratio(r.scan.Seconds(), r.fast.Seconds())}, "").fewerIf(fewerMost))
	}
	// The load made all sums once as well.
	add(atMost("7d", "what keeps them fast, beside the load without", "x", 0.25,
		[]float64{ratio(b.books.sums.CPU.Seconds(), b.most.CPU.Seconds()-b.books.sums.CPU.Seconds())},
		fmt.Sprintf("All sums made anew: %.1f s of processor time; the load took %.1f s.", b.books.sums.CPU.Seconds(), b.most.CPU.Seconds())).fewerIf(fewerMost))

	ledger := number(b.ledger.lines) + " ledger lines"
	beside := func(u usage) string {
		return fmt.Sprintf("%.1f s beside %.1f s of processor time; elapsed %.1f s.", u.CPU.Seconds(), b.ledger.plain.CPU.Seconds(), wall(u))
	}
	add(atMost("7e", ledger+" that name their orders, beside plain SQL", "x", 4,
		[]float64{ratio(b.ledger.named.CPU.Seconds(), b.ledger.plain.CPU.Seconds())}, beside(b.ledger.named)).fewerIf(fewerMost))
	add(atMost("7f", "as many that name nothing, beside that SQL", "x", 5,
		[]float64{ratio(b.ledger.unnamed.CPU.Seconds(), b.ledger.plain.CPU.Seconds())}, beside(b.ledger.unnamed)).fewerIf(fewerMost))
	add(atMost("7g", "peak memory with "+ledger, megabytes, 450,
		[]float64{max(peak(&sample{usage: b.ledger.named}), peak(&sample{usage: b.ledger.unnamed}))}, "").unlessMissing(noPeak).fewerIf(fewerMost))

	add(atLeast("8a", fmt.Sprintf("%s bills, the last %s stored", instead(b.most.bills, b.meant.most), part), "x first", 0.75, []float64{b.mostPace},
		fmt.Sprintf("Their rate beside that of the first %s; the whole took %.0f s.", part, wall(b.most.usage))).fewerIf(fewerMost))
	add(atMost("8b", "bytes of database a bill at "+instead(b.most.bills, b.meant.most), byteCount, 1150, []float64{float64(b.mostSize) / float64(b.most.bills)}, "").fewerIf(fewerMost))

	over := func(s *sample) float64 {
		return float64(s.server.Requests-s.least()) / float64(len(s.spans))
	}
	first := &b.rounds[0].load
	add(atMost("9a", "first load of "+load+", above ceil(bills/100) a window", requests, 3, []float64{over(first)},
		fmt.Sprintf("%d requests for %d windows; %d list what they hold.", first.server.Requests, len(first.spans), first.least())))
	add(atMost("9b", fmt.Sprintf("nothing new, %s accounts, an account", instead(b.size.accounts, b.meant.accounts)), requests, 1,
		[]float64{float64(b.nothing.server.Requests) / float64(b.size.accounts)},
		fmt.Sprintf("%d requests; with one account, %d.", b.nothing.server.Requests, b.rounds[0].nothing.server.Requests)).fewerIf(fewerAccounts))
	chased := b.chase.server
	add(atMost("9c", "chase of "+few+" bills of three years", requests, 120, []float64{float64(chased.Requests - chased.Pages)},
		fmt.Sprintf("sync --refresh asked %d times: %d counts of all bills, %d lists by status, %d by order, and %d pages of what it reads in full, which are not counted.",
			chased.Requests, chased.Counts, chased.ByStatus, chased.ByOrder, chased.Pages)))

	for _, e := range []struct {
		number, name string
		limit        float64
		of           func(r *round) *exportSample
	}{
		{"10a", "export csv of " + load + " bills", 2.2, func(r *round) *exportSample { return &r.csv }},
		{"10b", "export ofx of their books", 3.2, func(r *round) *exportSample { return &r.ofx }},
	} {
		add(atMost(e.number, e.name+", processor time", "x plain", e.limit, b.of(func(r *round) float64 { return ratio(e.of(r).Ours.CPU.Seconds(), e.of(r).Plain.CPU.Seconds()) }),
			b.between(func(r *round) (usage, usage) { return e.of(r).Ours, e.of(r).Plain })))
	}
	add(atMost("10c", "peak memory of these exports", megabytes, 80,
		b.of(func(r *round) float64 { return float64(max(r.csv.Ours.Peak, r.ofx.Ours.Peak)) / 1e6 }), "").unlessMissing(noPeak))

	spread := func(fn func(r *spreadRound) float64) []float64 {
		return each(len(b.spread), func(i int) float64 { return fn(&b.spread[i]) })
	}
	add(atMost("+a", fmt.Sprintf("%s accounts of %s bills, beside one", instead(b.size.accounts, b.meant.accounts), number(b.size.each)), "x", 1.25,
		spread(func(r *spreadRound) float64 { return ratio(wall(r.many.usage), wall(r.one.usage)) }),
		fmt.Sprintf("%s Requests: %d beside %d.", times(len(b.spread), func(i int) (usage, usage) { return b.spread[i].many.usage, b.spread[i].one.usage }),
			b.spread[0].many.server.Requests, b.spread[0].one.server.Requests)).fewerIf(fewerAccounts))
	// As many as are on their way at a time may pass each other.
	heard := b.spread[0].many.server
	add(atMost("+b", "further pages asked for before an account's first", requests, width-1,
		spread(func(r *spreadRound) float64 { return float64(r.many.server.Overtaken) }),
		fmt.Sprintf("The last account was asked about after %.0f ms, the first further page was asked for after %.0f ms; %d requests may pass each other.",
			heard.LastFirst.Seconds()*1e3, heard.FirstFurther.Seconds()*1e3, width-1)))
	return goals
}

// between says of which times a ratio is. Processor time, unlike elapsed time,
// hardly depends on what else the machine does.
func (b *bench) between(fn func(r *round) (ours, other usage)) string {
	return times(len(b.rounds), func(i int) (usage, usage) { return fn(&b.rounds[i]) })
}

func times(rounds int, fn func(i int) (ours, other usage)) string {
	of := func(what func(ours, other usage) time.Duration) float64 {
		return median(each(rounds, func(i int) float64 { return what(fn(i)).Seconds() }))
	}
	return fmt.Sprintf("%.2f s beside %.2f s; of processor time %.2f s beside %.2f s.",
		of(func(x, _ usage) time.Duration { return x.Wall }), of(func(_, y usage) time.Duration { return y.Wall }),
		of(func(x, _ usage) time.Duration { return x.CPU }), of(func(_, y usage) time.Duration { return y.CPU }))
}

// rates says of which rows per second of processor time a ratio is.
func (b *bench) rates(fn func(r *round) (writer, loop usage)) string {
	return fmt.Sprintf("%s rows per second of processor time beside %s.",
		thousands(median(b.of(func(r *round) float64 { u, _ := fn(r); return perCPU(r.writer.Rows, u) }))),
		thousands(median(b.of(func(r *round) float64 { _, u := fn(r); return perCPU(r.loop.Rows, u) }))))
}

// beside are figures that explain the others.
func (b *bench) beside() []figure {
	with := func(name, unit string, value, floor func(r *round) float64) figure {
		f := figure{Name: name, Unit: unit, Value: median(b.of(value))}
		if floor != nil {
			f.Floor = median(b.of(floor))
			f.Ratio = median(b.of(func(r *round) float64 { return ratio(value(r), floor(r)) }))
		}
		return f
	}
	load, few := number(b.size.load), number(b.size.compared)
	cpuPerBill := func(s *sample) float64 { return s.CPU.Seconds() * 1e6 / float64(s.bills) }
	figures := []figure{
		with("first load of "+load+", bills elapsed, beside F", perSecond,
			func(r *round) float64 { return float64(r.load.bills) / r.load.Wall.Seconds() },
			func(r *round) float64 { return float64(r.load.bills) / r.machine().floor(b.size.load, 0).Seconds() }),
		with("first load of "+load+", elapsed, beside F with the server", secs,
			func(r *round) float64 { return r.load.Wall.Seconds() },
			func(r *round) float64 { return r.machine().floor(b.size.load, r.load.server.CPU).Seconds() }),
		with("first load of "+load+", processor time, beside the sum in F", secs,
			func(r *round) float64 { return r.load.CPU.Seconds() },
			func(r *round) float64 { return r.machine().work(b.size.load).Seconds() }),
		with("processor time a bill, first load, beside the C loop", micros,
			func(r *round) float64 { return cpuPerBill(&r.load) },
			func(r *round) float64 { return r.loop.First.CPU.Seconds() * 1e6 / float64(r.loop.Rows) }),
		with("processor time a bill, the same again, beside the C loop", micros,
			func(r *round) float64 { return cpuPerBill(&r.full) },
			func(r *round) float64 { return r.loop.Same.CPU.Seconds() * 1e6 / float64(r.loop.Rows) }),
		with("processor time a bill, first load, naive Go", micros,
			func(r *round) float64 { return r.naive.CPU.Seconds() * 1e6 / float64(r.naive.Rows) }, nil),
		with("sync with nothing new in "+load+" bills, elapsed", secs, func(r *round) float64 { return r.nothing.Wall.Seconds() }, nil),
		with("peak memory, the same "+few+" again", megabytes, func(r *round) float64 { return float64(r.same.Peak) / 1e6 }, nil),
		with("database at "+load+" bills, bytes a bill, beside the C loop", byteCount,
			func(r *round) float64 { return float64(r.bytes) / float64(r.load.bills) },
			func(r *round) float64 { return float64(r.loop.Bytes) / float64(r.loop.Rows) }),
		with("server, processor time a request", micros, func(r *round) float64 { return r.load.serverPerPage() * 1e6 }, nil),
		with("signatures, RSA 2048, a second of one core (Rs)", perSecond, func(r *round) float64 { return r.signs }, nil),
		with("verifications, RSA 2048, a second of one core", perSecond, func(r *round) float64 { return r.verifies }, nil),
		with("the C loop, rows a second of one core (Rc)", perSecond, func(r *round) float64 { return perCPU(r.loop.Rows, r.loop.First) }, nil),
		with("the C loop, the same again", perSecond, func(r *round) float64 { return perCPU(r.loop.Rows, r.loop.Same) }, nil),
	}
	figures = append(figures, figure{Name: number(b.most.bills) + " bills, bills elapsed", Unit: perSecond,
		Value: float64(b.most.bills) / b.most.Wall.Seconds()})
	return figures
}

// serverPerPage is the server's processor time for a request, in seconds.
func (s *sample) serverPerPage() float64 {
	return s.server.CPU.Seconds() / float64(max(1, s.server.Requests))
}

func perCPU(rows int, u usage) float64 { return ratio(float64(rows), u.CPU.Seconds()) }

// notes say how it was measured.
func (b *bench) notes() []string {
	last, first := &b.rounds[len(b.rounds)-1], &b.rounds[0]
	late, asked := 0, 0
	for _, s := range b.samples() {
		late, asked = late+s.server.Late, asked+s.server.Requests
	}
	notes := []string{
		`"syncer sync" is measured as a whole process: every request signed (RSA 2048), every answer verified, WAL with synchronous
		NORMAL, each page in one transaction with its checkpoint; a run that does not end complete is an error. Unless a line says
		otherwise there are ` + fmt.Sprint(width) + ` requests at a time and no latency.`,
		`The server is a process on the same cores. Its answers were signed before they were asked for (` + number(late) + ` of ` + number(asked) +
			` were not) and it verifies each request.`,
		fmt.Sprintf(`F(N) = max(N/Rc, (N/100/Rs + N/Rj + N/Rc + N/100/Rh) / cores): Rc = %s rows/s of the plain loop, Rs = %s signatures/s, both per
		second of one core, measured in the same round; Rj = %s decoded bills/s and Rh = %s pages/s of HTTP, client and server, given. Cores: %d.`,
			thousands(first.machine().rows), thousands(first.signs), thousands(scannerRate), thousands(httpRate), runtime.NumCPU()),
		fmt.Sprintf(`The plain loop is C, in the SQLite of the same program: the rows of the database that the first load made, one prepared
		statement, bind, step and reset, %s rows a transaction, same table, indexes and settings, no foreign keys. Its "same again"
		upserts them with DO UPDATE where the content hash differs.`, number(loopRows)),
		fmt.Sprintf(`The writer is syncer's engine and database in one process, fed with decoded pages from memory; its processor time is that of the
		whole run, from opening the database to closing it (%d rows).`, last.writer.Rows),
		`Naive Go: one request after the other, each signed, encoding/json, sqlx NamedExec a row, a transaction a page, same table and
		indexes, WAL, NORMAL; it verifies nothing. Python: http.client, json, sqlite3, executemany a page; it does not sign either.`,
		`The plain write is Go: the rows of an export in its order, columns as they are, commas between them, to a file; nothing is formatted,
		hashed or waited for.`,
		`The plain SQL beside reconciling is a join by order number of lines that are in a table already, and three INSERTs of what it
		says, in the same database and SQLite, not committed; syncer reads and understands a CSV file, looks for every number in orders
		and bills, decides, stores, and reports what is left. Processor time of the whole process.`,
		`Peak memory is what the system says a process had resident at most. The first and last bills of the long load are told by when
		they were stored.`,
		fmt.Sprintf(`Medians of %d rounds (slow answers %d, accounts %d); ratios are taken within a round. 6b, 8 and 9 are measured once.`,
			len(b.rounds), len(b.slow), len(b.spread)),
	}
	if b.others > 0.05*float64(runtime.NumCPU()) {
		notes = append(notes, fmt.Sprintf("Other work took %.1f of the %d cores meanwhile: whatever is compared by elapsed time with F, with latency or between runs is worse than on a quiet machine.",
			b.others, runtime.NumCPU()))
	}
	if len(b.cuts) > 0 {
		notes = append(notes, "The machine was slow or busy: "+strings.Join(b.cuts, "; ")+".")
	}
	if b.meant.name != fullSize.name {
		notes = append(notes, "These are fewer bills than the goals are about: starting and ending a process weighs more, so take the verdicts as hints.")
	}
	for i, n := range notes {
		notes[i] = strings.Join(strings.Fields(n), " ")
	}
	return notes
}

// samples are all runs of syncer.
func (b *bench) samples() []*sample {
	all := []*sample{&b.nothing, &b.chaseLoad, &b.chase, &b.many, &b.most}
	for i := range b.rounds {
		r := &b.rounds[i]
		all = append(all, &r.first, &r.same, &r.load, &r.nothing, &r.full)
	}
	for _, s := range b.slow {
		for i := range s {
			all = append(all, &s[i])
		}
	}
	for i := range b.spread {
		all = append(all, &b.spread[i].many, &b.spread[i].one)
	}
	return all
}

// instead is a number of bills, and the one that was meant if it is another.
func instead(n, meant int) string {
	if n != meant {
		return number(n) + " instead of " + number(meant)
	}
	return number(n)
}

func number(n int) string { return thousands(float64(n)) }

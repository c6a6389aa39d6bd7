package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/mattn/go-sqlite3"
)

// A figure is one line: what was measured, what it is compared with, and the
// first divided by the second. Floor and ratio are 0 where there is no floor.
type figure struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"figure"`
	Floor float64 `json:"floor,omitempty"`
	Ratio float64 `json:"ratio,omitempty"`
}

// A section is some figures and how they were measured.
type section struct {
	Title   string   `json:"title"`
	Figures []figure `json:"figures"`
	Note    string   `json:"note"`
}

// A report is all of it.
type report struct {
	Bills      int       `json:"bills"`
	LargeBills int       `json:"large_bills"`
	Rounds     int       `json:"rounds"`
	Cores      int       `json:"cores"`
	System     string    `json:"system"`
	Go         string    `json:"go"`
	SQLite     string    `json:"sqlite"`
	Seconds    float64   `json:"seconds"`
	Sections   []section `json:"sections"`
}

// compare makes the figure of some rounds: medians, also of the ratio, which is
// taken within each round.
func compare(name, unit string, values, floors []float64) figure {
	return figure{name, unit, median(values), median(floors),
		median(each(len(values), func(i int) float64 { return ratio(values[i], floors[i]) }))}
}

// Units of figures.
const (
	perSecond = "/s"
	micros    = "µs"
	secs      = "s"
	megabytes = "MB"
	count     = ""
)

func (b *bench) report() *report {
	version, _, _ := sqlite3.Version()
	wide := widths[len(widths)-1]
	return &report{
		Bills: b.first[wide][0].bills, LargeBills: b.largeFirst.bills, Rounds: len(b.plain), Cores: runtime.NumCPU(),
		System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), SQLite: version, Seconds: time.Since(b.begun).Seconds(),
		Sections: []section{b.firstLoad(), b.theSameAgain(), b.slowAnswers(), b.requests(), b.memory(), b.disk(), b.machine()},
	}
}

// firstLoad compares with the plain loop, and with the floor F.
func (b *bench) firstLoad() section {
	s := section{Title: "First load into an empty database", Note: fmt.Sprintf(`bills per second: elapsed, from the start of
		"syncer sync" to its end, each page signed, sent over HTTP, verified, decoded, stored and the whole proved. Its
		floor is the plain loop: the same rows by one prepared INSERT of Go's SQLite driver (not C, which is faster by
		about a half), %d rows a transaction, same table, indexes, page size and WAL, in the same round; no HTTP, no look-ups, no foreign keys.
		Higher is better. processor time: of syncer alone and of the loop, per bill; lower is better. elapsed: the floor is
		F(N) = max(N/Rc, (N/100/Rs + N/Rj + N/Rc + N/100/Rh) / cores), with Rc the plain loop's rows and Rs the signatures
		per second of one core as measured here (below), and Rj = %s decoded bills/s and Rh = %s pages/s of HTTP
		measured once, in November 2026 on two x86-64 cores. F knows nothing of the simulator, which runs on the same cores and signs every answer as well;
		"with the simulator" adds its measured processor time to the sum.`, plainRows, thousands(scannerRate), thousands(httpRate))}
	for _, width := range widths {
		runs := b.first[width]
		n := len(runs)
		elapsed := each(n, func(i int) float64 { return runs[i].Wall.Seconds() })
		s.Figures = append(s.Figures,
			compare(at("bills per second", width), perSecond,
				each(n, func(i int) float64 { return runs[i].rate() }),
				each(n, func(i int) float64 { return float64(b.plain[i].Rows) / b.plain[i].Wall.Seconds() })),
			compare(at("processor time per bill", width), micros,
				each(n, func(i int) float64 { return runs[i].cpuPerBill() }),
				each(n, func(i int) float64 { return b.plain[i].CPU.Seconds() * 1e6 / float64(b.plain[i].Rows) })),
			compare(at("elapsed", width), secs, elapsed,
				each(n, func(i int) float64 { return b.machineIn(i).floor(runs[i].bills, 0).Seconds() })),
			compare(at("elapsed, with the simulator", width), secs, elapsed,
				each(n, func(i int) float64 { return b.machineIn(i).floor(runs[i].bills, runs[i].server).Seconds() })))
	}
	return s
}

func at(name string, width int) string { return fmt.Sprintf("%s, %d at a time", name, width) }

// A bill counts once, however often it was read.
func (s *sample) rate() float64       { return float64(s.bills) / s.Wall.Seconds() }
func (s *sample) cpuPerBill() float64 { return s.CPU.Seconds() * 1e6 / float64(s.bills) }

func (s *sample) cpuPerPage() float64 { return s.CPU.Seconds() * 1e6 / float64(s.requests) }

// machineIn is what this machine could do in a round.
func (b *bench) machineIn(i int) machine {
	return machine{runtime.NumCPU(), float64(b.plain[i].Rows) / b.plain[i].CPU.Seconds(), b.signs[i]}
}

func (b *bench) theSameAgain() section {
	changed := 0
	s := section{Title: "Syncs after the first"}
	for _, width := range widths {
		first, again := b.first[width], b.again[width]
		n := len(first)
		s.Figures = append(s.Figures,
			compare(at("sync --full, elapsed", width), secs,
				each(n, func(i int) float64 { return again[i].Wall.Seconds() }),
				each(n, func(i int) float64 { return first[i].Wall.Seconds() })),
			compare(at("sync --full, processor time per bill", width), micros,
				each(n, func(i int) float64 { return again[i].cpuPerBill() }),
				each(n, func(i int) float64 { return first[i].cpuPerBill() })))
		for _, a := range again {
			changed = max(changed, a.added+a.changed)
		}
	}
	few, many := thousands(float64(b.nothing[0].bills)), thousands(float64(b.largeNothing.bills))
	line := func(bills string, nothing, full []sample) {
		n := len(nothing)
		s.Figures = append(s.Figures,
			figure{Name: "sync, " + bills + " bills, elapsed", Unit: secs,
				Value: median(each(n, func(i int) float64 { return nothing[i].Wall.Seconds() }))},
			compare("sync, "+bills+" bills, processor time per page", micros,
				each(n, func(i int) float64 { return nothing[i].cpuPerPage() }),
				each(n, func(i int) float64 { return full[i].cpuPerPage() })))
	}
	line(few, b.nothing, b.again[widths[0]])
	line(many, []sample{b.largeNothing}, []sample{b.largeAgain})
	s.Note = fmt.Sprintf(`sync --full asks for all pages once more and compares them. Its floor is the first load of the same
		round. The simulator's history goes on meanwhile: at most %d bills were new or changed. A plain sync reads the last
		days only, %d requests with few bills and %d with many. Its floor is sync --full on the same database: what it takes
		for a page beyond that is start and end. Lower is better.`, changed, b.nothing[0].requests, b.largeNothing.requests)
	return s
}

func (b *bench) slowAnswers() section {
	s := section{Title: fmt.Sprintf("First load with %s added to every answer", slowAnswer), Note: `elapsed: the floor is
		ceil(pages/W) x latency, the time for which somebody has to wait with W requests on their way, if nothing else
		took any. Lower is better.`}
	for _, width := range widths {
		late := b.late[width]
		s.Figures = append(s.Figures, compare(at("elapsed", width), secs,
			each(len(late), func(i int) float64 { return late[i].Wall.Seconds() }),
			each(len(late), func(i int) float64 { return waiting(late[i].least, width, slowAnswer).Seconds() })))
	}
	return s
}

func (b *bench) requests() section {
	wide := widths[len(widths)-1]
	line := func(name string, runs ...sample) figure {
		return compare(name, count,
			each(len(runs), func(i int) float64 { return float64(runs[i].requests) }),
			each(len(runs), func(i int) float64 { return float64(runs[i].least) }))
	}
	return section{Title: "Requests", Figures: []figure{
		line("first load", b.first[wide]...),
		line("the same again (sync --full)", b.again[wide]...),
		line("nothing new (sync)", b.nothing...),
		line(fmt.Sprintf("first load of %s bills", thousands(float64(b.largeFirst.bills))), b.largeFirst),
	}, Note: `Requests sent, as the table runs has them. The floor is the least that lists what was read: for each span that was
		read, max(1, ceil(totalCount/100)). More are made to find out whether a long list is capped, to look up orders
		that came twice, and where a window had to be read again. A sync with nothing new reads the last days only. Lower
		is better.`}
}

func (b *bench) memory() section {
	wide := widths[len(widths)-1]
	peaks := func(runs []sample) []float64 {
		return each(len(runs), func(i int) float64 { return float64(runs[i].Peak) / 1e6 })
	}
	small := func(runs []sample) []float64 { return []float64{median(peaks(runs))} }
	few, many := thousands(float64(b.first[wide][0].bills)), thousands(float64(b.largeFirst.bills))
	loops := each(len(b.plain), func(i int) float64 { return float64(b.plain[i].Peak) / 1e6 })
	return section{Title: "Peak memory", Figures: []figure{
		compare(few+" bills, first load", megabytes, peaks(b.first[wide]), loops),
		compare(few+" bills, the same again", megabytes, peaks(b.again[wide]), loops),
		compare(many+" bills, first load", megabytes, []float64{float64(b.largeFirst.Peak) / 1e6}, small(b.first[wide])),
		compare(many+" bills, the same again", megabytes, []float64{float64(b.largeAgain.Peak) / 1e6}, small(b.again[wide])),
	}, Note: fmt.Sprintf(`The most that syncer had resident, from wait4, %d requests at a time. The floor of the first two lines
		is the plain loop's process, with the same 64 MB cache and one transaction of rows; that of the others is the line of the same name with fewer
		bills: it must not grow with their number, beyond filling the database's cache. The bench itself had %.0f MB, less
		than which could not be told. Lower is better.`, wide, float64(ownPeak())/1e6)}
}

func (b *bench) disk() section {
	wide := widths[len(widths)-1]
	line := func(name string, runs []sample, loops []plainSample) figure {
		return compare(name, count,
			each(len(runs), func(i int) float64 { return float64(runs[i].bytes) / float64(runs[i].bills) }),
			each(len(loops), func(i int) float64 { return float64(loops[i].Bytes) / float64(loops[i].Rows) }))
	}
	return section{Title: "Bytes of database per bill", Figures: []figure{
		line(thousands(float64(b.first[wide][0].bills))+" bills", b.first[wide], b.plain),
		line(thousands(float64(b.largeFirst.bills))+" bills", []sample{b.largeFirst}, []plainSample{b.largePlain}),
	}, Note: `The file after the first load, divided by its bills; the floor is the plain loop's file, which has the bills and
		their indexes only. Lower is better.`}
}

// machine is what the floors are made of, and how loading holds its speed.
func (b *bench) machine() section {
	wide := widths[len(widths)-1]
	alone := func(name string, values []float64) figure {
		return figure{Name: name, Unit: perSecond, Value: median(values)}
	}
	loop := func(p plainSample) float64 { return float64(p.Rows) / p.CPU.Seconds() }
	first := b.first[wide]
	rates := each(len(first), func(i int) float64 { return first[i].rate() })
	many := thousands(float64(b.largeFirst.bills))
	totals := slices.Max(b.largeFirst.totals)
	return section{Title: "This machine, and many bills", Figures: []figure{
		compare(many+" bills: bills per second", perSecond, []float64{b.largeFirst.rate()}, []float64{median(rates)}),
		compare(many+" bills: the plain loop, rows", perSecond, []float64{loop(b.largePlain)},
			[]float64{median(each(len(b.plain), func(i int) float64 { return loop(b.plain[i]) }))}),
		alone("signatures, RSA 2048", b.signs),
		alone("verifications, RSA 2048", b.verifies),
	}, Note: fmt.Sprintf(`The first two compare with the same at fewer bills: does loading hold its speed (elapsed, %d requests at a
		time; measured once; the largest window had %s bills)? The loop's rows, and the signatures and verifications
		(crypto/rsa), are per second of processor time of one core. Higher is better.`, wide, thousands(float64(totals)))}
}

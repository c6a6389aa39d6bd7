package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// madeUp is a bench that has measured round figures.
func madeUp() *bench {
	const ms = time.Millisecond
	use := func(wall, cpu time.Duration) usage { return usage{Wall: wall, CPU: cpu, Peak: 100e6} }
	run := func(wall time.Duration, bills, requests int) sample {
		return sample{
			usage: use(wall, wall), bills: bills, requests: requests, spans: []span{{Total: bills, PageSize: 100}},
			server: serverStats{CPU: time.Duration(requests) * 50 * time.Microsecond, Requests: requests, Pages: requests},
		}
	}
	other := func(wall time.Duration) naiveSample { return naiveSample{usage: use(wall, wall), Rows: 50_000} }
	b := &bench{meant: fullSize, size: fullSize, begun: time.Now(), python: "python3"}
	b.rounds = []round{{
		first: run(time.Second, 50_000, 500), same: run(500*ms, 50_000, 500),
		naive: other(6 * time.Second), naiveTwo: other(3 * time.Second), py: other(2 * time.Second), pyTwo: other(2 * time.Second),
		load: run(2*time.Second, 100_000, 1002), nothing: run(10*ms, 100_000, 1), full: run(time.Second, 100_000, 1002), bytes: 100e6,
		loop:   loopSample{Rows: 100_000, First: use(time.Second, time.Second), Same: use(250*ms, 250*ms), Bytes: 95e6},
		writer: writerSample{Rows: 100_000, First: use(2*time.Second, 2*time.Second), Same: use(100*ms, 100*ms)},
		csv:    exportSample{use(3*time.Second, 1500*ms), use(2*time.Second, time.Second)},
		ofx:    exportSample{use(3*time.Second, 3*time.Second), use(2*time.Second, time.Second)},
		signs:  1000, verifies: 30_000,
	}}
	b.slow = [][]sample{{run(2*time.Second, 50_000, 500), run(1200*ms, 50_000, 500)}}
	b.spread = []spreadRound{{many: run(3*time.Second, 300_000, 3000), one: run(2*time.Second, 300_000, 3000)}}
	b.nothing, b.chaseLoad = run(100*ms, 300_000, 300), run(time.Second, 50_000, 500)
	b.chase = sample{server: serverStats{Requests: 200, Pages: 100, ByStatus: 90, Counts: 10}}
	b.many, b.most, b.mostPace, b.mostPart, b.mostSize = run(20*time.Second, 1_000_000, 10_000), run(40*time.Second, 2_000_000, 20_000), 0.8, 250_000, 2_400_000_000
	b.books = booksSample{use(5*time.Second, 5*time.Second), []readSample{{"7a", "monthly", 2 * ms, time.Second}, {"7b", "merchants", 20 * ms, 200 * ms}}}
	b.ledger = ledgerSample{200_000, use(2*time.Second, 2*time.Second), use(6*time.Second, 6*time.Second), use(11*time.Second, 11*time.Second)}
	return b
}

func TestGoals(t *testing.T) {
	t.Parallel()
	want := map[string]struct {
		figure, limit, verdict string
	}{
		"2a": {"6.00 x faster", ">= 5.00 x faster", "reached"},
		"2b": {"2.00 x faster", ">= 3.00 x faster", "not reached"},
		"3a": {"6.00 x faster", ">= 7.00 x faster", "not reached"},
		"3b": {"4.00 x faster", ">= 3.00 x faster", "reached"},
		"3c": {"0.50 x", "<= 0.62 x", "reached"},
		"4a": {"0.50 x C", ">= 0.62 x C", "not reached"},
		"4b": {"2.50 x C", ">= 1.30 x C", "reached"},
		"5a": {"1.06 x ideal", "<= 1.15 x ideal", "reached"}, // 63 times 30 ms
		"5b": {"1.25 x ideal", "<= 1.25 x ideal", "reached"}, // 32 times 30 ms
		"6a": {"100 MB", "<= 120 MB", "reached"},             //
		"6b": {"1.00 x that", "<= 1.30 x that", "reached"},   //
		"7a": {"2.0 ms", "<= 10.0 ms", "reached"}, "7a'": {"500.00 x faster", ">= 50.00 x faster", "reached"},
		"7b": {"20.0 ms", "<= 10.0 ms", "not reached"}, "7b'": {"10.00 x faster", ">= 50.00 x faster", "not reached"},
		"7d": {"0.14 x", "<= 0.25 x", "reached"}, // 5 of 40 seconds
		"7e": {"3.00 x", "<= 4.00 x", "reached"}, "7f": {"5.50 x", "<= 5.00 x", "not reached"}, "7g": {"100 MB", "<= 450 MB", "reached"},
		"8a":  {"0.80 x first", ">= 0.75 x first", "reached"}, //
		"8b":  {"1,200 B", "<= 1,150 B", "not reached"},       //
		"9a":  {"2", "<= 3", "reached"},                       // beyond the 1000 pages of one window
		"9b":  {"1", "<= 1", "reached"},                       //
		"9c":  {"100", "<= 120", "reached"},                   // without the pages read in full
		"10a": {"1.50 x plain", "<= 2.20 x plain", "reached"}, "10b": {"3.00 x plain", "<= 3.20 x plain", "reached"},
		"10c": {"100 MB", "<= 80 MB", "not reached"},  //
		"+a":  {"1.50 x", "<= 1.25 x", "not reached"}, //
		"+b":  {"0", "<= 7", "reached"},               //
	}
	r := madeUp().report()
	for i := range r.Goals {
		g := &r.Goals[i]
		if g.Number == "1" { // depends on the cores
			continue
		}
		w, ok := want[g.Number]
		if !ok || g.figure() != w.figure || g.limit() != w.limit || g.verdict() != w.verdict {
			t.Errorf("goal %s: %s, %s, %s, want %+v", g.Number, g.figure(), g.limit(), g.verdict(), w)
		}
		delete(want, g.Number)
	}
	if len(want) > 0 {
		t.Errorf("goals without a line: %v", want)
	}
}

// A comparison that could not be made is neither reached nor not.
func TestNoPython(t *testing.T) {
	t.Parallel()
	b := madeUp()
	b.noPy = "no python3"
	for _, g := range b.goals() {
		if (g.Number == "2b" || g.Number == "3b") != (g.verdict() == "not measured: no python3") || g.Missing != "" && g.figure() != "-" {
			t.Errorf("goal %s: %s, %s", g.Number, g.figure(), g.verdict())
		}
	}
}

// What was measured less of, and a server that takes too much, is said.
func TestHonest(t *testing.T) {
	t.Parallel()
	b := madeUp()
	b.log = new(bytes.Buffer)
	b.cut("the long load has %d bills", 5)
	b.most.bills, b.others = 1_500_000, 1.5
	b.rounds[0].load.server.CPU = time.Second
	r := b.report()
	var text bytes.Buffer
	if err := r.print(&text); err != nil {
		t.Fatal(err)
	}
	flat := strings.Join(strings.Fields(text.String()), " ")
	for _, want := range []string{"the long load has 5 bills", "The server took 1.00 ms of processor time a page", "1,500,000 instead of 2,000,000 bills", "reached, with less than meant", "Other work took 1.5 of the", "not reached"} {
		if !strings.Contains(flat, want) {
			t.Errorf("the table does not say %q:\n%s", want, text.String())
		}
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	r := madeUp().report()
	var doc bytes.Buffer
	if err := r.printJSON(&doc); err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(doc.Bytes(), &back); err != nil || len(back.Goals) != len(r.Goals) {
		t.Errorf("the JSON has %d goals, %v, want %d", len(back.Goals), err, len(r.Goals))
	}
	path := filepath.Join(t.TempDir(), "docs", "benchmarks.md") // the folder is made
	if err := r.writeMarkdown(path, "make bench-doc"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Goals {
		g := &r.Goals[i]
		if !strings.Contains(string(text), "| "+g.Number+" | "+g.Name+" | "+g.figure()+" | ") {
			t.Errorf("the document lacks goal %s", g.Number)
		}
	}
	for line := range strings.Lines(string(text)) {
		if len([]rune(line)) > markdownLine+1 && !strings.HasPrefix(line, "|") {
			t.Errorf("a line has %d characters: %s", len([]rune(line)), line)
		}
	}
}

// Fewer bills have to do when the time is short, but never silently.
func TestFitting(t *testing.T) {
	t.Parallel()
	b := madeUp()
	b.log = new(bytes.Buffer)
	b.size.limit = 100 * time.Second
	if got := b.fitting("it", 2_000_000, 40e-6, 1); got != 2_000_000 || b.cuts != nil {
		t.Errorf("fitting = %d, said %q, want all", got, b.cuts)
	}
	if got := b.fitting("it", 2_000_000, 100e-6, 1); got != 900_000 || len(b.cuts) != 1 {
		t.Errorf("fitting = %d, said %q, want 900,000", got, b.cuts)
	}
	if got := b.fitting("it", 2_000_000, 1, 1); got != 200_000 || len(b.cuts) != 2 {
		t.Errorf("fitting = %d, said %q, want a tenth", got, b.cuts)
	}
}

// On a machine where not even one round would be finished in time, it is fewer
// bills.
func TestWithin(t *testing.T) {
	t.Parallel()
	if got := fullSize.within(30e-6, 200e-6); got != fullSize {
		t.Errorf("on an ordinary machine it is %+v", got)
	}
	got := fullSize.within(600e-6, 4e-3)
	takes := float64(got.compared)*(2*600e-6+3.2*4e-3) + float64(got.load)*4.5*600e-6
	if limit := roundsShare * got.limit.Seconds(); takes > limit || takes < limit/2 || got.load/2000 != got.compared/1000 {
		t.Errorf("a round of %d and %d bills takes %.0f s of %.0f s", got.compared, got.load, takes, limit)
	}
	if got.accounts >= fullSize.accounts || got.accounts < 2*width {
		t.Errorf("it is %d accounts", got.accounts)
	}
}

func TestFindPython(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if path, why := findPython(t.Context()); path != "" || why != "no python3" {
		t.Errorf("findPython = %q, %q", path, why)
	}
}

package main

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// A size says how much is measured.
type size struct {
	name     string
	compared int // bills of the comparisons with other programs, of slow answers, of the chase and of memory
	load     int // bills of the first load that is compared with the floor, and of the writer
	accounts int // beside one account with as many bills in all
	each     int // bills of each of them
	many     int // bills of the second look at memory
	most     int // bills of the load that must hold its speed
	rounds   int
	limit    time.Duration // of the whole
}

var (
	fullSize = size{"full", 50_000, 100_000, 300, 1000, 1_000_000, 2_000_000, 3, 570 * time.Second}
	// What fewer bills say about the goals is a hint only: starting and ending a
	// process weighs more.
	quickSize = size{"quick", 5000, 20_000, 20, 1000, 50_000, 160_000, 2, 54 * time.Second}
)

const (
	// historyDays is how long most histories are: ten windows of 100 days, which
	// overlap by one, together with the quiet time after them.
	historyDays = 970
	// quietDays is how long before now a history ends, so that nothing new comes.
	quietDays = 10
	// chaseDays is the history of the chase: three years.
	chaseDays = 3 * 365
	// accountDays is the history of many accounts: one window.
	accountDays = 85
	// slowAnswer is the latency of the runs that wait for the network.
	slowAnswer = 30 * time.Millisecond
	// signingTime is how long a round looks at the speed of signing, and of
	// verifying.
	signingTime = 300 * time.Millisecond
	// width is how many requests are on their way at a time.
	width = 8
)

// slowWidths are those of the runs with slow answers.
var slowWidths = []int{8, 16}

// On a slow or busy machine fewer rounds have to do: no further round begins if
// it would end after that share of the limit.
const (
	roundsShare = 0.45
	slowShare   = 0.53
	spreadShare = 0.63
	manyShare   = 0.75
)

// A bench is the measuring and what came of it.
type bench struct {
	meant  size
	size   size // what there is time for
	dir    string
	keys   string // folder
	syncer string // the program
	today  time.Time
	key    *rsa.PrivateKey
	log    io.Writer
	begun  time.Time
	busy   time.Duration // of the machine, when it began
	others float64       // processors that other work took, on average
	cuts   []string      // what was measured less of than meant
	python string        // the program; empty: there is none that will do
	noPy   string        // why not

	rounds []round
	slow   [][]sample // by round, then by slowWidths
	spread []spreadRound

	nothing sample // of many accounts: a sync with nothing new

	chaseLoad, chase sample

	many     sample
	manyTook time.Duration // with all that belongs to it
	most     sample
	mostPace float64 // the last part of it beside the first
	mostPart int     // bills of a part
	mostSize int64   // bytes
	books    booksSample
	ledger   ledgerSample
}

// A round is what was measured in turn.
type round struct {
	first, same     sample // compared
	naive, naiveTwo naiveSample
	py, pyTwo       naiveSample

	load, nothing, full sample       // the larger load, a sync with nothing new, all of it again
	bytes               int64        // of its database
	csv, ofx            exportSample // of the larger load
	loop                loopSample
	writer              writerSample
	signs, verifies     float64
}

// A spreadRound has as many bills in many accounts and in one.
type spreadRound struct{ many, one sample }

// newBench builds the program.
func newBench(ctx context.Context, dir string, size size, log io.Writer) (*bench, error) {
	y, m, d := time.Now().In(zone).Date()
	b := &bench{
		meant: size, size: size, dir: dir, log: log, begun: time.Now(), busy: busyTime(), syncer: filepath.Join(dir, "syncer"), keys: filepath.Join(dir, "keys"),
		today: time.Date(y, m, d, 0, 0, 0, 0, zone),
	}
	if runtime.GOOS == "windows" {
		b.syncer += ".exe"
	}
	b.tell("building syncer")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", b.syncer, "billsync/cmd/syncer")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building syncer: %w\n%s", err, bytes.TrimSpace(out))
	}
	var err error
	if b.key, err = makeKeys(b.keys); err != nil {
		return nil, err
	}
	b.python, b.noPy = findPython(ctx)
	return b, nil
}

// findPython returns the interpreter, or why there is none: it must have an
// SQLite that knows STRICT tables.
func findPython(ctx context.Context) (path, why string) {
	path, err := exec.LookPath("python3")
	if err != nil {
		return "", "no python3"
	}
	const probe = `import sqlite3; assert sqlite3.sqlite_version_info >= (3, 37)`
	if exec.CommandContext(ctx, path, "-c", probe).Run() != nil {
		return "", "python3 has no SQLite of 3.37 or newer"
	}
	return path, ""
}

func (b *bench) tell(format string, args ...any) {
	fmt.Fprintf(b.log, "%4.0f s  %s\n", time.Since(b.begun).Seconds(), fmt.Sprintf(format, args...))
}

// cut notes that less is measured than meant.
func (b *bench) cut(format string, args ...any) {
	b.cuts = append(b.cuts, fmt.Sprintf(format, args...))
	b.tell("the machine is slow or busy: %s", b.cuts[len(b.cuts)-1])
}

// ends returns when that share of the limit is used up.
func (b *bench) ends(share float64) time.Time {
	return b.begun.Add(time.Duration(share * float64(b.size.limit)))
}

// repeat runs the rounds of something, as many as fit.
func (b *bench) repeat(what string, rounds int, share float64, one func(round int) error) error {
	for i := range rounds {
		begun := time.Now()
		if err := one(i); err != nil {
			return err
		}
		if next := time.Now().Add(time.Since(begun)); i+1 < rounds && next.After(b.ends(share)) {
			b.cut("%s measured %d times instead of %d", what, i+1, rounds)
			return nil
		}
	}
	return nil
}

func (b *bench) history(bills, days int) history {
	to := b.today.AddDate(0, 0, -quietDays)
	return history{Seed: 1, Bills: bills, From: to.AddDate(0, 0, -days), To: to}
}

// serve starts a server for a history.
func (b *bench) serve(ctx context.Context, h history, accounts int) (*service, error) {
	return startService(ctx, serveOrder{h, accounts, b.keys})
}

// site returns a new folder.
func (b *bench) site(name string, s *service, h history, accounts, width int) (*site, error) {
	x := &site{syncer: b.syncer, dir: filepath.Join(b.dir, name), service: s, history: h, accounts: accounts, width: width}
	if err := os.Mkdir(x.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	return x, nil
}

// run measures everything.
func (b *bench) run(ctx context.Context) error {
	for _, stage := range []func(context.Context) error{b.try, b.compare, b.spreadOut, b.follow, b.grow} {
		if err := stage(ctx); err != nil {
			return err
		}
	}
	if b.busy > 0 {
		b.others = max(0, (busyTime()-b.busy-childrenTime()-processorTime()).Seconds()/time.Since(b.begun).Seconds())
	}
	b.tell("done")
	return nil
}

// try finds out how fast the machine is, so that what is measured is finished in
// time also on one that is very slow or busy.
func (b *bench) try(ctx context.Context) (err error) {
	h := b.history(max(2000, b.size.compared/10), historyDays)
	b.tell("a trial with %d bills", h.Bills)
	service, err := b.serve(ctx, h, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.stop()) }()
	s, err := b.site("trial", service, h, 1, width)
	if err != nil {
		return err
	}
	ours, err := s.load(ctx, 0)
	if err != nil {
		return err
	}
	cmd, err := self(ctx, naiveCommand)
	if err != nil {
		return err
	}
	theirs, err := runNaive(cmd, naiveTask(service.Signed, filepath.Join(b.keys, clientPrivate), filepath.Join(s.dir, "naive.db"), h))
	if err != nil {
		return err
	}
	perBill := func(u usage) float64 { return u.Wall.Seconds() / float64(h.Bills) }
	b.size = b.meant.within(perBill(ours.usage), perBill(theirs.usage))
	if b.size.compared < b.meant.compared {
		b.cut("it is %d bills and %d instead of %d and %d", b.size.compared, b.size.load, b.meant.compared, b.meant.load)
	}
	if b.size.accounts < b.meant.accounts {
		b.cut("it is %d accounts instead of %d", b.size.accounts, b.meant.accounts)
	}
	return s.remove()
}

// within is a size of which a round is finished in time, by what a bill takes
// syncer and the naive program, in seconds.
func (s size) within(ours, naive float64) size {
	less := func(n, step int, share, takes float64) int {
		fit := int(float64(n) * min(1, share*s.limit.Seconds()/takes))
		if fit == n {
			return n
		}
		return max(step, fit/step*step)
	}
	// The naive program's two runs, and Python's, which take it a little more
	// than half as long; ours, exports, the loop and the writer.
	takes := float64(s.compared)*(2*ours+3.2*naive) + float64(s.load)*5*ours
	compared, load := less(s.compared, 1000, 0.9*roundsShare, takes), less(s.load, 1000, 0.9*roundsShare, takes)
	takes = 2 * ours * float64(s.accounts*s.each)
	s.accounts = less(s.accounts, 2*width, spreadShare-slowShare+0.05, takes)
	s.compared, s.load = compared, load
	return s
}

// compare measures what is compared with other programs and with the floors, in
// rounds, and then the runs with slow answers.
func (b *bench) compare(ctx context.Context) (err error) {
	few, more := b.history(b.size.compared, historyDays), b.history(b.size.load, historyDays)
	small, err := b.serve(ctx, few, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, small.stop()) }()
	large, err := b.serve(ctx, more, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, large.stop()) }()
	err = b.repeat("the comparisons are", b.size.rounds, roundsShare, func(i int) error {
		var r round
		b.tell("round %d of %d: %d bills, beside other programs", i+1, b.size.rounds, few.Bills)
		if err := b.besideOthers(ctx, small, few, &r); err != nil {
			return err
		}
		b.tell("round %d of %d: %d bills, beside the floors", i+1, b.size.rounds, more.Bills)
		if err := b.besideFloors(ctx, large, more, &r); err != nil {
			return err
		}
		b.rounds = append(b.rounds, r)
		return nil
	})
	if err != nil {
		return err
	}
	return b.repeat("slow answers are", b.size.rounds, slowShare, func(i int) error {
		b.tell("round %d of %d: answers after %s", i+1, b.size.rounds, slowAnswer)
		var samples []sample
		for _, w := range slowWidths {
			s, err := b.site("slow", small, few, 1, w)
			if err != nil {
				return err
			}
			late, err := s.load(ctx, slowAnswer)
			if err != nil {
				return err
			}
			samples = append(samples, late)
			if err := s.remove(); err != nil {
				return err
			}
		}
		b.slow = append(b.slow, samples)
		return nil
	})
}

// besideOthers measures syncer, the naive program and the script in turn, each
// loading and then reading the same again.
func (b *bench) besideOthers(ctx context.Context, service *service, h history, r *round) error {
	s, err := b.site("others", service, h, 1, width)
	if err != nil {
		return err
	}
	if r.first, err = s.load(ctx, 0); err != nil {
		return err
	}
	if r.same, err = s.sync(ctx, 0, "--full"); err != nil {
		return err
	}
	for _, other := range []struct {
		name       string
		command    func() (*exec.Cmd, error)
		url        string
		first, two *naiveSample
	}{
		{"naive", func() (*exec.Cmd, error) { return self(ctx, naiveCommand) }, service.Signed, &r.naive, &r.naiveTwo},
		{"python", func() (*exec.Cmd, error) { return exec.CommandContext(ctx, b.python, "-c", script), nil }, service.Unsigned, &r.py, &r.pyTwo},
	} {
		if other.name == "python" && b.python == "" {
			continue
		}
		task := naiveTask(other.url, filepath.Join(b.keys, clientPrivate), filepath.Join(s.dir, other.name+".db"), h)
		for _, into := range []*naiveSample{other.first, other.two} {
			if err := service.prepare(ctx, 0); err != nil {
				return err
			}
			cmd, err := other.command()
			if err != nil {
				return err
			}
			if *into, err = runNaive(cmd, task); err != nil {
				return fmt.Errorf("the %s program: %w", other.name, err)
			}
			if into.Rows != h.Bills {
				return fmt.Errorf("the %s program stored %d of %d bills", other.name, into.Rows, h.Bills)
			}
		}
	}
	return s.remove()
}

// besideFloors measures syncer and what its floor is made of in turn.
func (b *bench) besideFloors(ctx context.Context, service *service, h history, r *round) error {
	s, err := b.site("floors", service, h, 1, width)
	if err != nil {
		return err
	}
	if r.load, err = s.load(ctx, 0); err != nil {
		return err
	}
	if r.bytes, err = fileSize(s.database()); err != nil {
		return err
	}
	if r.nothing, err = s.sync(ctx, 0); err != nil {
		return err
	}
	if r.csv, err = s.export(ctx, "csv", "--plain"); err != nil {
		return err
	}
	if r.ofx, err = s.export(ctx, "ofx"); err != nil {
		return err
	}
	if r.loop, err = runLoop(ctx, s.database(), filepath.Join(s.dir, "loop.db")); err != nil {
		return err
	}
	if r.full, err = s.sync(ctx, 0, "--full"); err != nil {
		return err
	}
	order := writerOrder{History: h, Keys: b.keys, Database: filepath.Join(s.dir, "writer.db"), Width: width}
	if err := runSelfWith(ctx, &r.writer, writerCommand, order); err != nil {
		return fmt.Errorf("the writer: %w", err)
	}
	if r.signs, r.verifies, err = signing(b.key, signingTime); err != nil {
		return err
	}
	return s.remove()
}

// spreadOut measures many accounts beside one with as many bills.
func (b *bench) spreadOut(ctx context.Context) (err error) {
	each := b.history(b.size.each, accountDays)
	all := b.history(b.size.each*b.size.accounts, accountDays)
	many, err := b.serve(ctx, each, b.size.accounts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, many.stop()) }()
	one, err := b.serve(ctx, all, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, one.stop()) }()
	rounds := max(1, b.size.rounds-1)
	return b.repeat("many accounts are", rounds, spreadShare, func(i int) error {
		b.tell("round %d of %d: %d accounts with %d bills each, beside one", i+1, rounds, b.size.accounts, each.Bills)
		var r spreadRound
		s, err := b.site("accounts", many, each, b.size.accounts, width)
		if err != nil {
			return err
		}
		if r.many, err = s.load(ctx, 0); err != nil {
			return err
		}
		if i == 0 {
			if b.nothing, err = s.sync(ctx, 0); err != nil {
				return err
			}
		}
		if err := s.remove(); err != nil {
			return err
		}
		if s, err = b.site("account", one, all, 1, width); err != nil {
			return err
		}
		if r.one, err = s.load(ctx, 0); err != nil {
			return err
		}
		b.spread = append(b.spread, r)
		return s.remove()
	})
}

// follow measures what a refresh asks for when nothing has changed.
func (b *bench) follow(ctx context.Context) (err error) {
	h := b.history(b.size.compared, chaseDays)
	b.tell("a refresh of %d bills of three years", h.Bills)
	service, err := b.serve(ctx, h, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.stop()) }()
	s, err := b.site("chase", service, h, 1, width)
	if err != nil {
		return err
	}
	if b.chaseLoad, err = s.load(ctx, 0); err != nil {
		return err
	}
	if b.chase, err = s.sync(ctx, 0, "--refresh"); err != nil {
		return err
	}
	return s.remove()
}

// grow measures many more bills, once each.
func (b *bench) grow(ctx context.Context) (err error) {
	// By what a bill took so far, and some more.
	last := &b.rounds[len(b.rounds)-1]
	perBill := 1.5 * (last.load.Wall.Seconds()/float64(b.size.load) + 1/(fullPage*last.signs))
	bills := b.fitting("the second look at memory", b.size.many, perBill, manyShare)
	begun := time.Now()
	if b.many, _, err = b.loadMany(ctx, bills, 0); err != nil {
		return err
	}
	b.manyTook = time.Since(begun)
	perBill = 1.35 * b.manyTook.Seconds() / float64(bills)
	bills = b.fitting("the long load", b.size.most, perBill, 1)
	b.mostPart = bills / 8
	b.most, b.mostPace, err = b.loadMany(ctx, bills, b.mostPart)
	return err
}

// fitting returns how many bills fit into the time that is left, in twentieths of
// what was meant; never fewer than two.
func (b *bench) fitting(what string, bills int, perBill, share float64) int {
	step := bills / 20
	fit := int(time.Until(b.ends(share)).Seconds()/perBill) / step * step
	if fit >= bills {
		return bills
	}
	fit = max(fit, 2*step)
	b.cut("%s has %d bills instead of %d", what, fit, bills)
	return fit
}

// loadMany measures a first load, and how it holds its speed if a part has bills.
func (b *bench) loadMany(ctx context.Context, bills, part int) (got sample, pace float64, err error) {
	h := b.history(bills, historyDays)
	b.tell("%d bills", bills)
	service, err := b.serve(ctx, h, 1)
	if err != nil {
		return got, 0, err
	}
	defer func() { err = errors.Join(err, service.stop()) }()
	s, err := b.site("many", service, h, 1, width)
	if err != nil {
		return got, 0, err
	}
	if got, err = s.load(ctx, 0); err != nil {
		return got, 0, err
	}
	if b.mostSize, err = fileSize(s.database()); err != nil {
		return got, 0, err
	}
	if part > 0 {
		if pace, err = s.pace(ctx, part); err != nil {
			return got, 0, err
		}
		b.tell("the books of %d bills", bills)
		if b.books, err = s.books(ctx); err != nil {
			return got, 0, err
		}
		b.tell("a ledger of %d lines", bills/ledgerShare)
		if b.ledger, err = s.reconcile(ctx, bills); err != nil {
			return got, 0, err
		}
	}
	return got, pace, s.remove()
}

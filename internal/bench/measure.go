package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
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
	bills  int // of the comparisons
	large  int // of the second look at memory
	rounds int
}

var (
	fullSize  = size{bills: 100_000, large: 1_000_000, rounds: 3}
	quickSize = size{bills: 10_000, large: 100_000, rounds: 3}
)

const (
	// historyDays is how long every history is: ten windows of 100 days, which
	// overlap by one.
	historyDays = 990
	// slowAnswer is the latency of the runs that wait for the network.
	slowAnswer = 30 * time.Millisecond
	// signingTime is how long a round looks at the speed of signing, and of
	// verifying.
	signingTime = 300 * time.Millisecond
	// On a busy machine no further round begins after so long: the whole must
	// not take ten minutes.
	roundsUntil = 100 * time.Second
	slowUntil   = 150 * time.Second
)

// widths are the numbers of requests at a time that are compared.
var widths = []int{4, 8}

// A bench is the measuring and what came of it.
type bench struct {
	size   size
	dir    string
	syncer string // the program
	since  string // first day of every history
	key    *rsa.PrivateKey
	log    io.Writer
	begun  time.Time

	first, again map[int][]sample // by width
	nothing      []sample         // of the first width: a sync with nothing new
	late         map[int][]sample // by width, with slow answers
	plain        []plainSample
	signs        []float64 // signatures a second of processor time
	verifies     []float64

	largeFirst, largeNothing, largeAgain sample
	largePlain                           plainSample
}

// newBench builds the program.
func newBench(ctx context.Context, dir string, size size, log io.Writer) (*bench, error) {
	b := &bench{
		size: size, dir: dir, log: log, begun: time.Now(), syncer: filepath.Join(dir, "syncer"),
		since: time.Now().In(time.FixedZone("", 8*60*60)).AddDate(0, 0, -historyDays).Format(time.DateOnly),
		first: map[int][]sample{}, again: map[int][]sample{}, late: map[int][]sample{},
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
	if b.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return b, nil
}

func (b *bench) tell(format string, args ...any) {
	fmt.Fprintf(b.log, "%4.0f s  %s\n", time.Since(b.begun).Seconds(), fmt.Sprintf(format, args...))
}

// site returns a new folder for a history of about so many bills.
func (b *bench) site(name string, bills, width int, latency time.Duration) (*site, error) {
	s := &site{
		syncer: b.syncer, dir: filepath.Join(b.dir, name), keys: filepath.Join(b.dir, "keys"),
		since: b.since, perDay: float64(bills) / historyDays, width: width, latency: latency,
	}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	return s, nil
}

// rounds measures first loads, syncs of the same again and the floor of both in
// turn.
func (b *bench) rounds(ctx context.Context) error {
	for round := range b.size.rounds {
		if round > 0 && time.Since(b.begun) > roundsUntil {
			b.tell("the machine is slow or busy: %d rounds have to do", round)
			return nil
		}
		for _, width := range widths {
			b.tell("round %d of %d: about %d bills, %d requests at a time", round+1, b.size.rounds, b.size.bills, width)
			s, err := b.site(fmt.Sprintf("round-%d-%d", round, width), b.size.bills, width, 0)
			if err != nil {
				return err
			}
			first, err := s.load(ctx)
			if err != nil {
				return err
			}
			if width == widths[0] {
				nothing, err := s.sync(ctx)
				if err != nil {
					return err
				}
				b.nothing = append(b.nothing, nothing)
			}
			// What the loop inserts is what the first load stored.
			if width == widths[len(widths)-1] {
				plain, err := runPlainLoop(ctx, s.database(), filepath.Join(s.dir, "plain.db"))
				if err != nil {
					return err
				}
				b.plain = append(b.plain, plain)
			}
			again, err := s.sync(ctx, "--full")
			if err != nil {
				return err
			}
			b.first[width], b.again[width] = append(b.first[width], first), append(b.again[width], again)
			if err := s.remove(); err != nil {
				return err
			}
		}
		sign, verify, err := signing(b.key, signingTime)
		if err != nil {
			return err
		}
		b.signs, b.verifies = append(b.signs, sign), append(b.verifies, verify)
	}
	return nil
}

// slow measures first loads from a server that takes its time.
func (b *bench) slow(ctx context.Context) error {
	for round := range b.size.rounds {
		if round > 0 && time.Since(b.begun) > slowUntil {
			b.tell("the machine is slow or busy: %d rounds have to do", round)
			return nil
		}
		for _, width := range widths {
			b.tell("round %d of %d: answers after %s, %d requests at a time", round+1, b.size.rounds, slowAnswer, width)
			s, err := b.site(fmt.Sprintf("slow-%d-%d", round, width), b.size.bills, width, slowAnswer)
			if err != nil {
				return err
			}
			late, err := s.load(ctx)
			if err != nil {
				return err
			}
			b.late[width] = append(b.late[width], late)
			if err := s.remove(); err != nil {
				return err
			}
		}
	}
	return nil
}

// large measures many more bills, once.
func (b *bench) large(ctx context.Context) error {
	s, err := b.site("large", b.size.large, widths[len(widths)-1], 0)
	if err != nil {
		return err
	}
	b.tell("about %d bills: first load", b.size.large)
	if b.largeFirst, err = s.load(ctx); err != nil {
		return err
	}
	b.tell("about %d bills: nothing new", b.size.large)
	if b.largeNothing, err = s.sync(ctx); err != nil {
		return err
	}
	b.tell("about %d bills: the plain loop", b.size.large)
	plain := filepath.Join(s.dir, "plain.db")
	if b.largePlain, err = runPlainLoop(ctx, s.database(), plain); err != nil {
		return err
	}
	if err := os.Remove(plain); err != nil {
		return fmt.Errorf("removing the plain loop's database: %w", err)
	}
	b.tell("about %d bills: the same again", b.size.large)
	if b.largeAgain, err = s.sync(ctx, "--full"); err != nil {
		return err
	}
	b.tell("done")
	return s.remove()
}

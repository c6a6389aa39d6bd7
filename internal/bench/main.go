// Bench measures how fast syncer is and prints each figure beside a floor that
// was measured in the same run: "make bench", or go run ./internal/bench.
//
// It builds the real program, serves the simulator as a process of its own and
// lets "syncer sync" read it over HTTP, every request signed and every answer
// verified, into a database in a temporary folder. A figure counts only if the
// database ends complete. The main floor is the plain loop: the same rows, read
// back from that database, inserted into an empty one by the fastest loop that
// the SQLite driver allows.
//
// Machines are noisy, so nothing is compared with a time from elsewhere: what is
// measured and its floor alternate in rounds, the ratio is taken within a round,
// and of the rounds the median is printed. It needs Go, a C compiler and some
// 3 GB of disk, and takes a few minutes.
//
//	-quick   smaller numbers, less than a minute
//	-json    one JSON document instead of the table
//	-dir     where to put the temporary folder
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// run does what the arguments say. The table goes to stdout, what is being done
// to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 3 && args[0] == plainLoopCommand {
		return plainLoopMain(args[1], args[2], stdout)
	}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	quick := fs.Bool("quick", false, "smaller numbers, less than a minute")
	asJSON := fs.Bool("json", false, "one JSON document instead of the table")
	dir := fs.String("dir", "", "put the temporary `folder` here (default: where the system puts them)")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", fs.Arg(0))
	}
	size := fullSize
	if *quick {
		size = quickSize
	}
	report, err := measure(ctx, size, *dir, stderr)
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		return err
	}
	if *asJSON {
		return report.printJSON(stdout)
	}
	return report.print(stdout)
}

// measure does the whole work in a temporary folder, which it removes.
func measure(ctx context.Context, size size, parent string, log io.Writer) (_ *report, err error) {
	dir, err := os.MkdirTemp(parent, "billsync-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := newBench(ctx, dir, size, log)
	if err != nil {
		return nil, err
	}
	if err := b.rounds(ctx); err != nil {
		return nil, err
	}
	if err := b.slow(ctx); err != nil {
		return nil, err
	}
	if err := b.large(ctx); err != nil {
		return nil, err
	}
	return b.report(), nil
}

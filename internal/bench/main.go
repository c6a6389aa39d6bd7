// Bench measures how fast syncer is beside floors measured in the same run, and
// prints for each goal whether it is reached: "make bench", or go run
// ./internal/bench.
//
// It builds the real program, serves a fixed set of bills from a process that is
// never the bottleneck, and lets "syncer sync" read them over HTTP, every
// request signed and every answer verified, into a database in a temporary
// folder. A figure counts only if the database ends complete. The floors are a
// loop in C that stores the same rows, the speed of signing, and what programs
// do that one would write instead.
//
// Machines are noisy, so nothing is compared with a time from elsewhere: what is
// measured and its floor alternate in rounds, the ratio is taken within a round,
// and of the rounds the median is printed. It needs Go, a C compiler, some 4 GB
// of disk and 2 GB of memory, and less than ten minutes; on a slow machine it
// measures less and says so.
//
//	-quick     fewer bills, less than a minute
//	-json      one JSON document instead of the table
//	-md FILE   write the document about the project's speed as well
//	-dir       where to put the temporary folder
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
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
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
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case serveCommand, naiveCommand, writerCommand, loopCommand, plainCommand:
			return part(args, stdin, stdout)
		}
	}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	quick := fs.Bool("quick", false, "fewer bills, less than a minute")
	asJSON := fs.Bool("json", false, "one JSON document instead of the table")
	document := fs.String("md", "", "write the document about the project's speed to this `file` as well")
	dir := fs.String("dir", "", "put the temporary `folder` here (default: where the system puts them)")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", fs.Arg(0))
	}
	size := fullSize
	command := "make bench-doc"
	if *quick {
		size, command = quickSize, "go run ./internal/bench -quick -md FILE"
	}
	report, err := measure(ctx, size, *dir, stderr)
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		return err
	}
	printed := report.print
	if *asJSON {
		printed = report.printJSON
	}
	err = printed(stdout)
	if *document != "" {
		err = errors.Join(err, report.writeMarkdown(*document, command))
	}
	return err
}

// part is this program as one of the processes that it starts.
func part(args []string, stdin io.Reader, stdout io.Writer) error {
	switch {
	case len(args) == 3 && args[0] == loopCommand:
		return loopMain(args[1], args[2], stdout)
	case len(args) == 4 && args[0] == plainCommand:
		return plainMain(args[1], args[2], args[3], stdout)
	case len(args) == 2 && args[0] == serveCommand:
		return serveMain(args[1], stdin, stdout)
	case len(args) == 2 && args[0] == naiveCommand:
		return naiveMain(args[1], stdout)
	case len(args) == 2 && args[0] == writerCommand:
		return writerMain(args[1], stdout)
	}
	return fmt.Errorf("%s is for this program's own use", args[0])
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
	if err := b.run(ctx); err != nil {
		return nil, err
	}
	return b.report(), nil
}

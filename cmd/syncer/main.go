package main

import (
	"context"
	"io"
	stdlog "log"
	"os"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

// gcPercent lets garbage pile up to some more than what is in use, which is a few
// megabytes only: with Go's own 100 the collector takes a tenth of the processor
// time of a long run.
const gcPercent = 400

func main() { os.Exit(start()) }

// start runs the program with the real world around it. What libraries keep in
// variables of theirs is set here and nowhere else.
func start() int {
	cobra.EnableCommandSorting = false
	// net/http quotes there what a server sends that nobody asked for, which may
	// hold a card number. What of it matters comes as an error as well.
	stdlog.SetOutput(io.Discard)
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00"
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
	g := &globals{
		stdin:   os.Stdin,
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		environ: os.Environ(),
		now:     time.Now,
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := withSignals(context.Background(), g.stopping, os.Exit)
	defer stop()
	return run(ctx, g, os.Args[1:])
}

// run does what the arguments say, tells what went wrong, and returns the exit
// code. Nothing outside g is touched, so a test can call it.
func run(ctx context.Context, g *globals, args []string) int {
	err := execute(ctx, g, args)
	code := exitCode(ctx, err)
	g.tell(ctx, err, code, args)
	return code
}

// execute turns a panic into an error: the Go runtime would exit with 2, which
// means something else here.
func execute(ctx context.Context, g *globals, args []string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = newPanicError(p)
		}
	}()
	root := newRootCmd(g)
	root.SetArgs(withSQL(root, args))
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !g.started {
		return asUsage(cmd, err)
	}
	return err
}

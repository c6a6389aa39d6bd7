package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// stopped is the cause of a context that ended because of a signal.
type stopped struct{ signal os.Signal }

func (s *stopped) Error() string {
	return fmt.Sprintf("stopped by %s; what was read is kept, and running it again continues", s.name())
}

// ExitCode is 128 and the signal's number, as shells have it.
func (s *stopped) ExitCode() int {
	if s.signal == syscall.SIGTERM {
		return 143
	}
	return 130
}

func (s *stopped) name() string {
	if s.signal == syscall.SIGTERM {
		return "SIGTERM"
	}
	return "SIGINT"
}

// withSignals returns a context that ends with the first SIGINT or SIGTERM, which
// say answers. The second one exits at once.
func withSignals(parent context.Context, say func(*stopped), exit func(code int)) (context.Context, func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, unwatch := watchSignals(parent, signals, say, exit)
	return ctx, func() {
		signal.Stop(signals)
		unwatch()
	}
}

// watchSignals is withSignals with signals from anywhere.
func watchSignals(parent context.Context, signals <-chan os.Signal, say func(*stopped), exit func(code int)) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	done := make(chan struct{})
	go func() {
		for first := true; ; first = false {
			select {
			case <-done:
				return
			case s := <-signals:
				cause := &stopped{s}
				if !first {
					exit(cause.ExitCode())
					return
				}
				say(cause)
				cancel(cause)
			}
		}
	}()
	return ctx, func() {
		close(done)
		cancel(nil)
	}
}

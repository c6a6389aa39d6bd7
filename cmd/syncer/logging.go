package main

import (
	"fmt"
	"io"
	"sync"

	"github.com/rs/zerolog"
)

// setLog sets up the log on standard error. The level of -q is error, whatever
// the configuration says; --log-level wins over both.
func (g *globals) setLog(level, format string) { g.logTo(g.stderr, level, format) }

// logTo is setLog with another writer between the log and the terminal, such as
// a progress bar's.
func (g *globals) logTo(w io.Writer, level, format string) {
	if g.logLevel != "" {
		level = g.logLevel
	} else if g.quiet {
		level = "error"
	}
	parsed, err := zerolog.ParseLevel(level)
	if err != nil || parsed == zerolog.NoLevel {
		parsed = zerolog.InfoLevel
	}
	screen := io.Writer(nil)
	if g.forPeople(format) {
		screen = w
	}
	g.log, g.logForm = g.logger(w, format).Level(parsed), format
	g.talk.set(screen, g.log)
}

// logger is a log of a format, of every level.
func (g *globals) logger(w io.Writer, format string) zerolog.Logger {
	if g.forPeople(format) {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !g.colour(g.stderr), TimeFormat: "15:04:05.000", TimeLocation: g.zone}
	}
	return zerolog.New(w).With().Timestamp().Logger()
}

// forPeople reports whether a format of the log is for people to read.
func (g *globals) forPeople(format string) bool {
	return format == "console" || format != "json" && isTerminal(g.stderr)
}

// A talk is where somebody who wants to stop is answered. The signals have a
// goroutine of their own, which uses it while the program sets it.
type talk struct {
	mu     sync.Mutex
	screen io.Writer // for people; nil while the log is JSON
	log    zerolog.Logger
	ready  bool
}

func (t *talk) set(screen io.Writer, log zerolog.Logger) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.screen, t.log, t.ready = screen, log, true
}

// stopping answers the first signal: in the log if programs read it, else as a
// line for people, above the progress bar if there is one.
func (g *globals) stopping(s *stopped) {
	const answer = "finishing what is in hand, once more to stop now"
	t := &g.talk
	t.mu.Lock()
	defer t.mu.Unlock()
	screen := t.screen
	if !t.ready {
		screen = g.stderr
	}
	if screen == nil {
		t.log.Warn().Str("signal", s.name()).Msg(answer)
		return
	}
	fmt.Fprintf(screen, "syncer: %s: %s\n", s.name(), answer)
}

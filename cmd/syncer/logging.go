package main

import (
	"io"

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
	if format == "console" || format != "json" && isTerminal(g.stderr) {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !g.colour(g.stderr), TimeFormat: "15:04:05.000", TimeLocation: g.zone}
	}
	g.log = zerolog.New(w).Level(parsed).With().Timestamp().Logger()
}

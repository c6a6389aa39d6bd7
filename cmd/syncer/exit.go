package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes. Scripts depend on them: none is ever given another meaning.
const (
	exitDone       = 0
	exitUnexpected = 1
	exitUsage      = 2
	exitIncomplete = 3
	exitRefused    = 4
	exitBusy       = 5
)

// exitMeanings is what "syncer help exit-codes" says.
var exitMeanings = []struct{ codes, meaning string }{
	{"0", "done, and everything asked for is complete and proved"},
	{"1", "an unexpected failure (disk full, database damaged, a bug)"},
	{"2", "the command line, the configuration or an input file is wrong, found before any work; nothing was done"},
	{"3", "done, but not complete: something waits for a retry, failed, could not be understood or does not add up"},
	{"4", "the API refuses us for a reason only a person can mend: credentials, contract, authorisation, signature"},
	{"5", "another syncer is working on this database"},
	{"130, 143", "stopped by SIGINT, SIGTERM; what was read is kept (`run` exits 0: stopping when asked is its job)"},
}

// Errors may know their exit code, a hint what to do, and that everything has
// been said already. Those of other packages do so by having these methods.
type (
	coder    interface{ ExitCode() int }
	hinter   interface{ Hint() string }
	silencer interface{ Silent() bool }
)

// exitCode maps an error to the exit code. Of several joined errors the worst
// one decides.
func exitCode(ctx context.Context, err error) int {
	if err == nil {
		return exitDone
	}
	var s *stopped
	if errors.As(err, &s) || errors.Is(err, context.Canceled) && errors.As(context.Cause(ctx), &s) {
		return s.ExitCode()
	}
	return worst(err)
}

// severity orders the codes from harmless to bad.
var severity = []int{exitDone, exitIncomplete, exitBusy, exitRefused, exitUsage, exitUnexpected}

func worst(err error) int {
	switch e := err.(type) { // this walks the tree itself, because errors.As stops at the first
	case coder:
		return e.ExitCode()
	case interface{ Unwrap() []error }:
		code := exitDone
		for _, part := range e.Unwrap() {
			if c := worst(part); slices.Index(severity, c) > slices.Index(severity, code) {
				code = c
			}
		}
		if code != exitDone {
			return code
		}
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return worst(inner)
		}
	}
	return exitUnexpected
}

// tell says what went wrong: a line on standard error, a hint below it, and
// with --json an object as the last line of standard output.
func (g *globals) tell(ctx context.Context, err error, code int, args []string) {
	if err == nil {
		return
	}
	var quiet silencer
	if errors.As(err, &quiet) && quiet.Silent() {
		return
	}
	var s *stopped
	if !errors.As(err, &s) && errors.As(context.Cause(ctx), &s) && code == s.ExitCode() {
		err = s // "context canceled" says less
	}
	said := errorOf(err)
	said.Code = code
	fmt.Fprintf(g.stderr, "syncer: %s\n", said.Message)
	if said.Hint != "" {
		fmt.Fprintf(g.stderr, "hint: %s\n", said.Hint)
	}
	if !g.summed && (g.json || slices.Contains(args, "--json")) {
		// Nobody is left to be told if this cannot be written.
		_ = g.printJSON(struct {
			Type string `json:"type"`
			*errorJSON
		}{"error", said})
	}
}

// An errorJSON is an error for programs, alone or beside a result.
type errorJSON struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// errorOf returns an error for programs; nil if there is none.
func errorOf(err error) *errorJSON {
	if err == nil {
		return nil
	}
	out := &errorJSON{Code: worst(err), Message: err.Error()}
	var h hinter
	if errors.As(err, &h) {
		out.Hint = h.Hint()
	}
	return out
}

// A usageError says that the command line is wrong.
type usageError struct {
	err  error
	hint string
}

// usagef returns an error about the command line, with a hint that may be empty.
func usagef(hint, format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...), hint}
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }
func (e *usageError) ExitCode() int { return exitUsage }
func (e *usageError) Hint() string  { return e.hint }

// asUsage makes what cobra found wrong an error about the command line.
func asUsage(cmd *cobra.Command, err error) error {
	var c coder
	var p *panicError
	if errors.As(err, &c) || errors.As(err, &p) {
		return err
	}
	var bad *pflag.InvalidValueError
	if errors.As(err, &bad) {
		if kind, ok := flagKinds[bad.GetFlag().Value.Type()]; ok {
			if errors.Is(bad, strconv.ErrRange) {
				kind.what += ", and not so large"
			}
			return usagef(kind.such, "--%s %q: it must be %s", bad.GetFlag().Name, bad.GetValue(), kind.what)
		}
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return usagef(fmt.Sprintf("%q shows what is allowed", cmd.CommandPath()+" --help"), "%s", first)
}

// flagKinds are what flags of a kind take, by the type that they have: the errors of
// the flags themselves are those of the functions that read them.
var flagKinds = map[string]struct{ what, such string }{
	"batch":    {"the number of a batch", "\"syncer export --list\" shows the batches"},
	"int":      {"a whole number", "such as 20"},
	"uint64":   {"a whole number, 0 or more", "such as 20"},
	"float64":  {"a number", "such as 0.5"},
	"duration": {"a span of time", "such as 30s, 10m or 2h"},
	"bool":     {"true or false", "the flag alone means true"},
}

// A panicError is a bug that was caught.
type panicError struct {
	value any
	file  string // where the details are; empty if they could not be kept
}

// newPanicError keeps the stack in a file, for a report of the bug. It is
// called by the deferred function that recovered.
func newPanicError(value any) *panicError {
	e := &panicError{value: value}
	f, err := os.CreateTemp("", "syncer-crash-*.txt")
	if err != nil {
		return e
	}
	defer f.Close()
	if _, err := io.WriteString(f, fmt.Sprintf("panic: %v\n\n%s", value, debug.Stack())); err == nil {
		e.file = f.Name()
	}
	return e
}

func (e *panicError) Error() string {
	first, _, _ := strings.Cut(fmt.Sprint(e.value), "\n")
	return "this is a bug: " + first
}

func (e *panicError) ExitCode() int { return exitUnexpected }

func (e *panicError) Hint() string {
	if e.file == "" {
		return "please report it"
	}
	return "please report it; the details are in " + e.file
}

package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"billsync"
)

// coded is how errors of other packages tell their exit code.
type coded int

func (c coded) Error() string { return fmt.Sprintf("ended with %d", int(c)) }
func (c coded) ExitCode() int { return int(c) }

func TestExitCode(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancelCause(t.Context())
	cancel(&stopped{os.Interrupt})
	terminated, cancel := context.WithCancelCause(t.Context())
	cancel(&stopped{syscall.SIGTERM})
	plain := errors.New("disk full")
	for _, tt := range []struct {
		name string
		ctx  context.Context
		err  error
		want int
	}{
		{"nothing", t.Context(), nil, 0},
		{"plain", t.Context(), plain, 1},
		{"wrapped plain", t.Context(), fmt.Errorf("saving: %w", plain), 1},
		{"usage", t.Context(), usagef("", "no"), 2},
		{"wrapped", t.Context(), fmt.Errorf("account main: %w", coded(3)), 3},
		{"refused over incomplete", t.Context(), errors.Join(coded(3), coded(4), coded(3)), 4},
		{"unexpected over refused", t.Context(), errors.Join(coded(4), plain), 1},
		{"two verbs", t.Context(), fmt.Errorf("%w, %w", coded(3), coded(4)), 4},
		{"busy", t.Context(), coded(5), 5},
		{"panic", t.Context(), &panicError{value: "a bug"}, 1},
		{"canceled by nobody", t.Context(), context.Canceled, 1},
		{"interrupted", interrupted, fmt.Errorf("reading page 7: %w", context.Canceled), 130},
		{"terminated", terminated, context.Canceled, 143},
		{"terminated, the cause passed on", terminated, fmt.Errorf("syncing: %w", context.Cause(terminated)), 143},
		{"interrupted, but done", interrupted, nil, 0},
		{"interrupted, incomplete for another reason", interrupted, coded(3), 3},
	} {
		if got := exitCode(tt.ctx, tt.err); got != tt.want {
			t.Errorf("%s: exitCode(%v) = %d, want %d", tt.name, tt.err, got, tt.want)
		}
	}
}

func TestTell(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancelCause(t.Context())
	cancel(&stopped{os.Interrupt})
	for _, tt := range []struct {
		name       string
		ctx        context.Context
		err        error
		args       []string
		out, errut string
	}{
		{"nothing", t.Context(), nil, nil, "", ""},
		{"hint", t.Context(), usagef("do that", "wrong"), nil, "", "syncer: wrong\nhint: do that\n"},
		{"JSON", t.Context(), fmt.Errorf("account main: %w", coded(3)), []string{"--json"},
			`{"type":"error","code":3,"message":"account main: ended with 3"}` + "\n", "syncer: account main: ended with 3\n"},
		{"signal", interrupted, context.Canceled, nil, "",
			"syncer: stopped by SIGINT; what was read is kept, and running it again continues\n"},
		{"silent", t.Context(), silentError{}, nil, "", ""},
	} {
		var stdout, stderr bytes.Buffer
		g := &globals{stdout: &stdout, stderr: &stderr}
		g.tell(tt.ctx, tt.err, exitCode(tt.ctx, tt.err), tt.args)
		if stdout.String() != tt.out || stderr.String() != tt.errut {
			t.Errorf("%s: told %q and %q, want %q and %q", tt.name, stdout.String(), stderr.String(), tt.out, tt.errut)
		}
	}
}

type silentError struct{ coded }

func (silentError) Silent() bool { return true }

// A bug in a command ends as 1 with one line, not as 2 with a stack.
func TestPanicEndsAsOne(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var stderr bytes.Buffer
	g := &globals{stdout: panicking{}, stderr: &stderr, now: time.Now}
	code := run(t.Context(), g, []string{"version"})
	first, rest, _ := strings.Cut(stderr.String(), "\n")
	if code != 1 || first != "syncer: this is a bug: index out of range" {
		t.Errorf("a panic ends with %d and says %q", code, stderr.String())
	}
	_, file, _ := strings.Cut(strings.TrimSpace(rest), "the details are in ")
	data, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(data), "panicking.Write") {
		t.Errorf("the details in %q are %q, %v; want the stack", file, data, err)
	}
}

// panicking is standard output with a bug in it.
type panicking struct{}

func (panicking) Write([]byte) (int, error) { panic("index out of range\nand more") }

func TestSignals(t *testing.T) {
	t.Parallel()
	signals := make(chan os.Signal)
	codes := make(chan int, 1)
	ctx, stop := watchSignals(t.Context(), signals, func(*stopped) {}, func(code int) { codes <- code })
	defer stop()
	signals <- syscall.SIGTERM
	<-ctx.Done()
	if code := exitCode(ctx, ctx.Err()); code != 143 {
		t.Errorf("after SIGTERM the code is %d, want 143", code)
	}
	signals <- os.Interrupt
	if code := <-codes; code != 130 {
		t.Errorf("the second signal exits with %d, want 130", code)
	}
}

// The examples in "syncer help sql" work on the schema as it is.
func TestSQLExamples(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite3", "file:"+t.TempDir()+"/x.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(billsync.Schema); err != nil {
		t.Fatal(err)
	}
	for _, e := range sqlExamples {
		rows, err := db.QueryContext(t.Context(), e.query)
		if err != nil {
			t.Errorf("%s\n%v", e.query, err)
			continue
		}
		for rows.Next() {
		}
		if err := rows.Err(); err != nil {
			t.Errorf("%s\n%v", e.query, err)
		}
		rows.Close()
	}
}

// Every command has a line for the list and stands where the help can find it.
func TestCommandsAreWhole(t *testing.T) {
	t.Parallel()
	g := &globals{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: Short is %q", cmd.CommandPath(), cmd.Short)
		}
		if cmd.Runnable() && cmd.Args == nil {
			t.Errorf("%s takes any arguments", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRootCmd(g))
}

// TestFlagKinds makes sure that no flag answers in the words of the function that
// reads it: what is not a text has a kind, and each kind says what it takes.
func TestFlagKinds(t *testing.T) {
	t.Parallel()
	texts := map[string]bool{"string": true, "stringArray": true, "stringSlice": true} // they take everything
	seen := map[string]bool{}
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			kind := f.Value.Type()
			if texts[kind] {
				return
			}
			seen[kind] = true
			for _, text := range []string{"abc", "", "99999999999999999999e9999"} {
				err := cmd.Flags().Set(f.Name, text)
				if err == nil {
					t.Errorf("%s --%s takes %q", cmd.CommandPath(), f.Name, text)
					continue
				}
				said := errorOf(asUsage(cmd, err))
				want := fmt.Sprintf("--%s %q: it must be ", f.Name, text)
				if !strings.HasPrefix(said.Message, want) || said.Hint == "" || said.Code != exitUsage {
					t.Errorf("%s: %+v, want one that begins %q", cmd.CommandPath(), *said, want)
				}
			}
		})
	}
	visit(newRootCmd(&globals{}))
	for kind := range flagKinds {
		if !seen[kind] {
			t.Errorf("no flag is of the kind %q", kind)
		}
	}
}

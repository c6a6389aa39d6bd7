package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"billsync/internal/app"
	"billsync/internal/config"

	"github.com/rs/zerolog"
)

// A job is one run of the program.
type job struct {
	Config                         string // the file
	Now                            time.Time
	Refresh, Full, Retry, RetryNow bool
	From, To                       string // dates
	Accounts                       []string
	Trace                          bool
}

func (j *job) String() string {
	parts := []string{"sync"}
	for _, f := range []struct {
		on   bool
		text string
	}{
		{j.Refresh, "--refresh"}, {j.Full, "--full"}, {j.Retry, "(retry)"}, {j.RetryNow, "--now"},
		{j.From != "", "--from " + j.From}, {j.To != "", "--to " + j.To},
		{len(j.Accounts) > 0, "--account " + strings.Join(j.Accounts, " --account ")},
	} {
		if f.on {
			parts = append(parts, f.text)
		}
	}
	return strings.Join(parts, " ")
}

// whole reports whether the run is about all of the history of all accounts.
func (j *job) whole() bool { return !j.Retry && j.From == "" && j.To == "" && len(j.Accounts) == 0 }

// The exit codes that are judged here.
const (
	exitDone        = 0
	exitUnexpected  = 1
	exitUsage       = 2
	exitIncomplete  = 3
	exitRefused     = 4
	exitInterrupted = 130
	exitKilled      = -1
)

// do runs the program in this process and returns its exit code and its words.
func (j *job) do(ctx context.Context, now func() time.Time) (code int, said string) {
	err := j.sync(ctx, now)
	var coded interface{ ExitCode() int }
	switch {
	case err == nil:
		return exitDone, ""
	case errors.As(err, &coded):
		return coded.ExitCode(), err.Error()
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted, err.Error()
	}
	return exitUnexpected, err.Error()
}

func (j *job) sync(ctx context.Context, now func() time.Time) error {
	text, err := os.ReadFile(j.Config)
	if err != nil {
		return err
	}
	cfg, err := config.Parse(j.Config, text, config.Options{Now: now})
	if err != nil {
		return err
	}
	log := zerolog.Nop()
	if j.Trace {
		log = zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, NoColor: true, PartsExclude: []string{"time"}})
	}
	a := app.New(cfg, app.Options{
		Log: log, Now: now, Getenv: func(string) string { return "" }, RetryWait: time.Millisecond,
	})
	o := app.SyncOptions{
		Trigger: j.String(), Accounts: j.Accounts, Refresh: j.Refresh, Full: j.Full, Retry: j.Retry, RetryNow: j.RetryNow,
	}
	for _, d := range []struct {
		text string
		date *config.Date
	}{{j.From, &o.From}, {j.To, &o.To}} {
		if d.text == "" {
			continue
		}
		if *d.date, err = config.ParseDate(d.text); err != nil {
			return err
		}
	}
	_, err = a.Sync(ctx, o)
	return errors.Join(err, a.Close())
}

// beProcess does a job as a process of its own.
func beProcess(text string) int {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUnexpected
	}
	begun := time.Now()
	code, said := j.do(context.Background(), func() time.Time { return j.Now.Add(time.Since(begun)) })
	fmt.Fprintln(os.Stderr, said)
	return code
}

// command is the process that does a job.
func (j *job) command(ctx context.Context) (*exec.Cmd, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), jobVariable+"="+string(text), "GORACE=atexit_sleep_ms=0")
	return cmd, nil
}

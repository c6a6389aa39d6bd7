package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A faulty program is the real one with a library before it that numbers what
// it does to the database's files, and may kill it there: testdata/filefaults.c.
type faulty struct{ program, library string }

// buildFaulty builds both, or skips the test where no library can be put before
// a program in this way.
func buildFaulty(t *testing.T) faulty {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skipf("meeting every file operation needs the LD_PRELOAD of Linux; this is %s", runtime.GOOS)
	}
	dir := t.TempDir()
	f := faulty{filepath.Join(dir, "syncer"), filepath.Join(dir, "filefaults.so")}
	cc, err := exec.Command("go", "env", "CC").Output()
	if err != nil {
		t.Fatalf("go env CC: %v", err)
	}
	for _, args := range [][]string{
		{strings.TrimSpace(string(cc)), "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-o", f.library, "testdata/filefaults.c", "-ldl"},
		// Without the race detector, even if this test runs under it: it would
		// take several times as long and see nothing of what this is about.
		{"go", "build", "-buildvcs=false", "-o", f.program, "."},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	log := filepath.Join(dir, "log")
	if _, err := f.run(dir, []string{"version"}, "FAULT_LOG="+log); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(log); err != nil {
		t.Skipf("meeting every file operation needs LD_PRELOAD, which has no effect here: %v", err)
	}
	return f
}

// A result is how a process ended.
type result struct {
	stdout, stderr string
	code           int
	killed         bool
}

// run runs the program in a folder to its end, with variables for the library
// or for the program.
func (f faulty) run(dir string, args []string, env ...string) (r result, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out, errout bytes.Buffer
	cmd := exec.CommandContext(ctx, f.program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errout
	cmd.Env = append([]string{"LD_PRELOAD=" + f.library, "HOME=" + dir, "TMPDIR=" + dir}, env...)
	err = cmd.Run()
	r.stdout, r.stderr = out.String(), errout.String()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return r, fmt.Errorf("%v did not end within %s:\n%s%s", args, patience, r.stdout, r.stderr)
	case errors.As(err, &exit):
		status := exit.Sys().(syscall.WaitStatus)
		r.code, r.killed = exit.ExitCode(), status.Signaled() && status.Signal() == syscall.SIGKILL
		return r, nil
	}
	return r, err
}

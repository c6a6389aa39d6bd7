package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"syncer": main})
}

// TestScripts runs the program as its users do.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"mode":  mode,
		},
	})
}

// exits runs the program and compares the exit code: exits 2 syncer bogus.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENTS")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = err.Error() // "exit status 2"
	}
	if want := map[bool]string{true: "0", false: "exit status " + args[0]}[args[0] == "0"]; got != want {
		ts.Fatalf("%v ended with %q, want %q", args[1:], got, want)
	}
}

// mode compares a file's permissions: mode 0600 config.toml.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode MODE FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if want := "-rw-------"; args[0] == "0600" && info.Mode().String() != want {
		ts.Fatalf("%s has mode %s, want %s", args[1], info.Mode(), want)
	}
}

package main

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

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
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else each program waits a second at its end
			env.Setenv("PAST", time.Now().AddDate(0, 0, -105).Format(time.DateOnly))
			env.Setenv("WEEK", time.Now().AddDate(0, 0, -98).Format(time.DateOnly)) // after PAST
			env.Setenv("EARLIER", time.Now().AddDate(0, 0, -150).Format(time.DateOnly))
			month := time.Now().UTC().Add(8 * time.Hour) // in the report's time zone
			env.Setenv("NOW_MONTH", month.Format("2006-01"))
			month = month.AddDate(0, 0, 1-month.Day())
			env.Setenv("MONTH", month.AddDate(0, -2, 0).Format("2006-01")) // all of it is after PAST
			env.Setenv("FUTURE", time.Now().AddDate(0, 0, 3).Format(time.DateOnly))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"mode":      mode,
			"complains": complains,
			"query":     query,
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

// complains runs the program, which must end with the exit code 2 and say
// nothing but a line that matches and perhaps a hint: complains PATTERN syncer sync.
func complains(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: complains PATTERN PROGRAM ARGUMENTS")
	}
	exits(ts, false, append([]string{"2"}, args[1:]...))
	said := strings.TrimSuffix(ts.ReadFile("stderr"), "\n")
	line, hint, _ := strings.Cut(said, "\n")
	if !strings.HasPrefix(line, "syncer: ") || strings.Contains(hint, "\n") || hint != "" && !strings.HasPrefix(hint, "hint: ") {
		ts.Fatalf("%v says %q, want one line and perhaps a hint", args[1:], said)
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("%v prints %q, want nothing", args[1:], out)
	}
	if !strings.Contains(line, args[0]) {
		ts.Fatalf("%v says %q, want %q in it", args[1:], line, args[0])
	}
}

// query runs SQL on a file, which is made if there is none, and compares the
// rows, values joined by "|" and rows by " ": query FILE SQL [ROWS].
func query(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: query FILE SQL [ROWS]")
	}
	db, err := sql.Open("sqlite3", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	rows, err := ask(db, args[1])
	ts.Check(err)
	if got := strings.Join(rows, " "); len(args) == 3 && got != args[2] {
		ts.Fatalf("%s: %s is %q, want %q", args[0], args[1], got, args[2])
	}
}

// ask runs a statement and returns its rows, values joined by "|".
func ask(db *sql.DB, statement string) ([]string, error) {
	rows, err := db.Query(statement)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", statement, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", statement, err)
	}
	var out []string
	for rows.Next() {
		values, cells := make([]any, len(columns)), make([]string, len(columns))
		for i := range values {
			values[i] = &values[i]
		}
		if err := rows.Scan(values...); err != nil {
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
		for i, v := range values {
			cells[i] = fmt.Sprint(v)
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out, rows.Err()
}

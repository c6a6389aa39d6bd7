package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// crashes is about how many trials TestCrash makes unless it is to make all.
const crashes = 130

// TestCrash lets the real program run against the simulator with a library
// before it that numbers all it does to the database's files: first undisturbed,
// then again and again, each time killed at one of these operations, or with a
// disk that fails from there on. The next run must end like one that nobody
// disturbed.
//
// With CRASH_ALL set every operation is tried in every way, else some are.
func TestCrash(t *testing.T) {
	t.Parallel()
	s := tellStory(t, buildFaulty(t))
	every := 1
	if os.Getenv("CRASH_ALL") == "" {
		every = max(1, s.operations()/crashes)
	}
	for _, st := range s.steps {
		t.Run(st.name, func(t *testing.T) { s.crash(t, st, every) })
	}
	t.Run("daemon", s.daemon)
}

// daemon fills the disk under a daemon and makes room again: it says so, stays,
// and goes on.
func (s *story) daemon(t *testing.T) {
	st := s.steps[1]
	s.turn(st)
	dir, err := s.folder(s.steps[2].before)
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "config.toml"), append(config, "[schedule]\nsync = \"@every 1s\"\nrefresh = \"\"\n"...))
	full := filepath.Join(dir, "full")
	cmd := exec.Command(s.program, "run")
	cmd.Env = []string{"LD_PRELOAD=" + s.library, "FAULT_WHILE=" + full}
	c := begin(t, cmd, dir)
	const well, ill = `"outcome":"complete"`, ": the disk is full"
	c.says(well, 1)
	put(t, full, nil)
	c.says(ill, 2)
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	c.says(well, strings.Count(c.err.String(), well)+2) // one of them may have been written before
	c.signal(syscall.SIGTERM)
	if code := c.code(patience); code != 0 {
		t.Errorf("the daemon ended with %d, want 0:\n%s", code, c.err)
	}
	if err := st.compare(filepath.Join(dir, "bills.db")); err != nil {
		t.Error(err)
	}
}

// crash tries a step's operations, all of them in all ways, or every so-manieth
// in one way each.
func (s *story) crash(t *testing.T, st *step, every int) {
	s.turn(st)
	var trials []trial
	first := rand.IntN(every) // over time all have their turn
	for i, op := range st.operations {
		if every == 1 {
			for _, how := range ways {
				trials = append(trials, trial{i + 1, how, op})
			}
		} else if i%every == first {
			trials = append(trials, trial{i + 1, ways[(i/every+first)%len(ways)], op})
		}
	}
	trials = slices.DeleteFunc(trials, func(tr trial) bool { return !tr.matters() })
	begun, met := time.Now(), map[string]int{}
	var mu sync.Mutex
	queue := make(chan trial)
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) + 1 {
		wait.Go(func() {
			for tr := range queue {
				reached, err := s.try(st, tr)
				if err != nil {
					t.Errorf("%s: %v", tr, err)
				}
				how := tr.how
				switch {
				case !reached && tr.kills() && tr.atOnce() == 1:
					how = "not reached"
				case !reached && tr.kills():
					how = "not reached by several" // which, the busier the machine, write the less often
				case !reached:
					how = "borne" // or not reached
				}
				mu.Lock()
				met[how]++
				mu.Unlock()
			}
		})
	}
	for _, tr := range trials {
		queue <- tr
	}
	close(queue)
	wait.Wait()
	t.Logf("%d operations, %d trials in %s: %v", len(st.operations), len(trials), time.Since(begun).Round(time.Millisecond), met)
	if killed := met["before"] + met["torn"] + met["after"]; met["not reached"] > killed/4+2 {
		t.Errorf("%d operations were not met again, at %d the program was killed: this test tries too little", met["not reached"], killed)
	}
}

// ways are what happens at an operation: see testdata/filefaults.c.
var ways = []string{"before", "full", "torn", "broken", "after", "once"}

// A trial is one operation of a step and what happens there.
type trial struct {
	n         int
	how       string
	operation string // kind, file and bytes, in the undisturbed run
}

func (tr trial) String() string {
	return fmt.Sprintf("%s operation %d, %s", map[string]string{
		"before": "killed before", "torn": "killed in the middle of", "after": "killed after",
		"full": "disk full from", "broken": "disk broken from", "once": "disk failing at",
	}[tr.how], tr.n, tr.operation)
}

func (tr trial) kills() bool { return tr.how == "before" || tr.how == "torn" || tr.how == "after" }

// atOnce is how many requests are under way at once.
func (tr trial) atOnce() int { return 1 + 3*(tr.n%2) }

// matters reports whether the way is another one than those tried anyway.
func (tr trial) matters() bool {
	kind, _, _ := strings.Cut(tr.operation, " ")
	switch tr.how {
	case "torn":
		return kind == "write" && !strings.HasSuffix(tr.operation, " 1")
	case "full":
		return kind == "write" || kind == "grow" || kind == "make"
	}
	return true
}

// try does a trial and compares. It reports whether the operation was reached
// and felt: where requests overlap, no two runs are quite alike.
func (s *story) try(st *step, tr trial) (reached bool, err error) {
	dir, err := s.folder(st.before)
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	r, err := s.run(dir, st.args, fmt.Sprint("FAULT_AT=", tr.n), "FAULT_HOW="+tr.how,
		// One request at a time does the same each time; four are as in life.
		fmt.Sprint("SYNCER_API_CONCURRENCY=", tr.atOnce()))
	if err != nil {
		return false, err
	}
	left, err := s.inspect(dir, st)
	switch {
	case err != nil:
		return r.killed, err
	case tr.kills() && !r.killed && r.code != st.code:
		return false, fmt.Errorf("it ended with %d, want a death or %d:\n%s", r.code, st.code, r.stderr)
	case !tr.kills() && r.killed:
		return false, fmt.Errorf("it was killed:\n%s", r.stderr)
	case !r.killed && r.code == st.code && !left.done:
		return false, fmt.Errorf("it ended with %d, but its work is not done:\n%s", r.code, r.stderr)
	case !tr.kills() && r.code != st.code:
		if err := complaint(r, dir); err != nil {
			return true, err
		}
	}
	reached = r.killed || r.code != st.code
	if tr.n%3 == 0 && (left.current || st.first == nil) { // who looks first finds nothing wrong, and puts nothing wrong
		if look, err := s.run(dir, []string{"status"}); err != nil || look.code != 0 {
			return reached, fmt.Errorf("status ended with %d, %v, want 0:\n%s", look.code, err, look.stderr)
		}
	}
	args := st.args
	if left.begun {
		args = []string{"sync"} // it goes on with what was begun, whatever that was
	}
	again, err := s.run(dir, args)
	if err != nil {
		return reached, err
	}
	if again.code != st.code && !(left.done && slices.Contains(st.again, again.code)) {
		return reached, fmt.Errorf("the next run ended with %d, want %d:\n%s\nthe one before said:\n%s", again.code, st.code, again.stderr, r.stderr)
	}
	return reached, st.compare(filepath.Join(dir, "bills.db"))
}

// A remainder is what a process left behind.
type remainder struct {
	current bool // there is a database of this version
	begun   bool // the step's run is in it
	done    bool // and all that it is to do
}

// inspect looks at a copy of the files, as the next process finds them. They
// must be sound, and a run that calls itself done there must be.
func (s *story) inspect(dir string, st *step) (left remainder, err error) {
	copied, err := s.folder(dir)
	if err != nil {
		return left, err
	}
	defer os.RemoveAll(copied)
	path := filepath.Join(copied, "bills.db")
	if fi, err := os.Stat(path); err != nil || fi.Size() == 0 {
		return left, nil // nothing was begun
	}
	db, err := opened(path)
	if err != nil {
		return left, err
	}
	defer db.Close()
	// A database that was being made is there whole or not at all.
	if tables, err := ask(db, "SELECT count(*) FROM sqlite_master"); err != nil || tables[0] == "0" {
		return left, err
	}
	if err := unsound(db); err != nil {
		return left, fmt.Errorf("what it left is not sound: %w", err)
	}
	if version, err := ask(db, "PRAGMA user_version"); err != nil || version[0] != s.version {
		return left, err // still the older one
	}
	left.current = true
	got, err := books(db, st.aside)
	if err != nil {
		return left, err
	}
	left.done = differences(st.want, got) == ""
	runs, err := ask(db, fmt.Sprint("SELECT outcome FROM runs WHERE run_id > ", st.runsBefore))
	if err != nil {
		return left, err
	}
	left.begun = len(runs) > 0
	if left.begun && (runs[0] == "complete" || runs[0] == "incomplete") && !left.done {
		return left, fmt.Errorf("a run is stored as %s, but its work is not done; rows more (+) or fewer (-):\n%.3000s", runs[0], differences(st.want, got))
	}
	return left, nil
}

// compare checks a database after the step.
func (st *step) compare(path string) error {
	db, err := opened(path)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := unsound(db); err != nil {
		return err
	}
	got, err := books(db, st.aside)
	if err != nil {
		return err
	}
	if diff := differences(st.want, got); diff != "" {
		return fmt.Errorf("the database is not as after an undisturbed run; rows more (+) or fewer (-):\n%.3000s", diff)
	}
	return nil
}

// complaint checks what a run says that met a failing disk: the exit code, one
// line that names the database, and what to do.
func complaint(r result, dir string) error {
	var said []string
	for line := range strings.Lines(r.stderr) {
		if !strings.HasPrefix(line, "{") { // not the log
			said = append(said, strings.TrimSuffix(line, "\n"))
		}
	}
	if r.code != 1 || len(said) != 2 || !strings.HasPrefix(said[0], "syncer: ") || !strings.Contains(said[0], filepath.Join(dir, "bills.db")) || !strings.HasPrefix(said[1], "hint: ") {
		return fmt.Errorf("it ended with %d, want 1, a line about the database and a hint; it says:\n%s", r.code, r.stderr)
	}
	return nil
}

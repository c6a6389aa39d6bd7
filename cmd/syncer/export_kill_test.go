package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// An interruptible is a database with enough postings to kill an export of them, and
// what an export is that nobody disturbs.
type interruptible struct {
	faulty
	folder   string            // with the database before the export; nobody changes it
	files    map[string]string // what the undisturbed export writes
	took     time.Duration
	postings int
	changes  []string // of the database's files, in the undisturbed run
}

// exportArgs export to a folder of the test's, in several files.
var exportArgs = []string{"export", "ofx", "--new", "-o", "out"}

// madeAt is what an OFX file says of when it was made: the only thing that differs
// between two runs.
var madeAt = regexp.MustCompile(`<DTSERVER>[0-9.]+\[0:GMT\]</DTSERVER>`)

// undisturbed makes an interruptible.
func undisturbed(t *testing.T, bills int) *interruptible {
	t.Helper()
	d := newDiary(t)
	d.do(func(tx *store.Tx) error {
		for i := range bills {
			b := &bill.Bill{
				OrderNo: fmt.Sprint(i), Status: "SUCCESS", TransactionTime: d.at("2026-05-01 00:00").Add(time.Duration(i*7919%bills) * time.Minute), MerchantName: "Shop",
				Out: &bill.Amount{Value: int64(i + 1), Currency: []string{"USD", "JPY", "CNH"}[i%3]}, Hash: fmt.Sprint(i), Raw: []byte("{}"),
			}
			if _, err := tx.InsertBill([]string{"main", "shop"}[i%2], b, 0, d.at("2026-05-01 01:00"), d.at("2026-05-01 01:00"), 1); err != nil {
				return err
			}
		}
		return nil
	})
	if err := d.s.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(d.dir, "config.toml"), []byte("[[account]]\nname = \"main\"\n"))
	d.exports(exitDone, "ofx", "-n") // makes the sums, which are not what this is about
	x := &interruptible{faulty: buildFaulty(t), folder: d.dir}
	dir := x.copied(t)
	log := filepath.Join(t.TempDir(), "log")
	begun := time.Now()
	r, err := x.run(dir, exportArgs, "FAULT_LOG="+log)
	x.took = time.Since(begun)
	if err != nil || r.code != 0 {
		t.Fatalf("undisturbed it ends with %d, %v: %s", r.code, err, r.stderr)
	}
	x.files = exportedTo(t, dir)
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	x.changes = strings.Split(strings.TrimSpace(string(text)), "\n")
	x.postings = number(t, dir, "SELECT count(*) FROM postings")
	if len(x.files) != 6 || x.postings != bills || len(x.changes) < 10 {
		t.Fatalf("%d files of %d postings, %d changes: this tries too little", len(x.files), x.postings, len(x.changes))
	}
	return x
}

// copied is another folder with the database.
func (x *interruptible) copied(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(x.folder)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// exportedTo is what there is under final names, without when it was made.
func exportedTo(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for name, text := range tree(t, filepath.Join(dir, "out")) {
		if !strings.HasPrefix(name, ".syncer-") {
			files[name] = madeAt.ReplaceAllString(text, "")
		}
	}
	return files
}

// leftOver are the hidden folders that a killed export left.
func leftOver(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "out"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

// whole checks that no final name stands for anything but a whole file.
func (x *interruptible) whole(t *testing.T, dir, when string) {
	t.Helper()
	for name, text := range exportedTo(t, dir) {
		if want, ok := x.files[name]; !ok || text != want {
			t.Errorf("%s: %s has %d bytes, want %d", when, name, len(text), len(want))
		}
	}
}

// ends lets the export be done, and compares with the undisturbed one.
func (x *interruptible) ends(t *testing.T, dir, when string) {
	t.Helper()
	if r, err := x.run(dir, exportArgs); err != nil || r.code != 0 {
		t.Errorf("%s the next export ends with %d, %v: %s", when, r.code, err, r.stderr)
	}
	if diff := cmp.Diff(x.files, exportedTo(t, dir)); diff != "" {
		t.Errorf("%s the next export leaves other files (-undisturbed +killed):\n%.2000s", when, diff)
	}
	if left := leftOver(t, dir); len(left) > 0 {
		t.Errorf("%s the next export leaves %v", when, left)
	}
	for query, want := range map[string]int{
		"SELECT count(*) FROM export_batches":                                           1,
		"SELECT count(*) FROM export_batches WHERE state = 'done' AND batch_id = 1":     1,
		"SELECT count(*) FROM export_lines WHERE target = 'ofx' AND batch_id = 1":       x.postings,
		"SELECT count(*) FROM export_lines NATURAL JOIN postings":                       x.postings,
		"SELECT count(*) FROM export_files":                                             len(x.files),
		"SELECT sum(lines) FROM export_files":                                           x.postings,
		"SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'":     0,
		"SELECT lines FROM export_batches":                                              x.postings,
		"SELECT count(*) FROM export_batches WHERE as_of IS NULL OR created_at IS NULL": 0,
	} {
		if got := number(t, dir, query); got != want {
			t.Errorf("%s: %s is %d, want %d", when, query, got, want)
		}
	}
	if r, err := x.run(dir, exportArgs); err != nil || r.code != 0 || r.stdout != "nothing is new for ofx\n" {
		t.Errorf("%s: the export after that ends with %d, %v, and says %s", when, r.code, err, r.stdout)
	}
}

// Killed at any change of the database, the next export gives the same files, and
// each posting once.
func TestExportKilledAtTheDatabase(t *testing.T) {
	t.Parallel()
	x := undisturbed(t, 3000)
	ways := []string{"before", "torn", "after"}
	every := 6 // over time all have their turn
	if os.Getenv("CRASH_ALL") != "" {
		every = 1
	}
	first, killed := rand.IntN(every), 0
	for i := first; i < len(x.changes); i += every {
		how := ways[(i/every+first)%3]
		when := fmt.Sprintf("killed %s %s", how, x.changes[i])
		dir := x.copied(t)
		r, err := x.run(dir, exportArgs, fmt.Sprint("FAULT_AT=", i+1), "FAULT_HOW="+how)
		if err != nil {
			t.Fatal(err)
		}
		if r.killed {
			killed++
		}
		x.whole(t, dir, when)
		x.ends(t, dir, when)
	}
	if killed < len(x.changes)/every*3/4 {
		t.Errorf("it was killed %d times: this tries too little", killed)
	}
	t.Logf("%d changes of the database, killed %d times", len(x.changes), killed)
}

// Killed at any time, again and again, the export goes on with the same batch; what
// it had begun to write is removed by the next one.
func TestExportKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	x := undisturbed(t, 20_000)
	seed := rand.Uint64()
	t.Logf("seed %d, undisturbed it takes %s", seed, x.took)
	dice := rand.New(rand.NewPCG(seed, 2))
	died, left := 0, 0
	within := x.took * 3 / 4
	for round := 0; round < 3 || died == 0 && within > time.Millisecond; round++ {
		dir := x.copied(t)
		for range 6 {
			c := begin(t, exec.Command(x.program, exportArgs...), dir)
			time.Sleep(time.Duration(dice.Int64N(int64(within))))
			c.signal(os.Kill)
			<-c.ended
			x.whole(t, dir, "killed")
			n := len(leftOver(t, dir))
			if n > 1 {
				t.Errorf("there are %d folders of killed exports: the ones before were not removed", n)
			}
			left += n
			if c.cmd.ProcessState.Exited() {
				within /= 2 // it took longer when it was measured
				break
			}
			died++
		}
		x.ends(t, dir, "killed again and again,")
	}
	if died == 0 {
		t.Error("it was never killed")
	}
	t.Logf("killed %d times, %d times while it wrote files", died, left)
}

// Exports that begin together give each posting once, whichever of them has it.
func TestExportsTogether(t *testing.T) {
	t.Parallel()
	x := undisturbed(t, 3000)
	dir := x.copied(t)
	var wait sync.WaitGroup
	var mu sync.Mutex
	said := map[string]int{}
	for i := range 6 {
		wait.Go(func() {
			args := exportArgs
			if i%2 == 1 {
				args = []string{"export", "xero-csv", "--new", "-o", "xero"}
			}
			r, err := x.run(dir, args)
			if err != nil || r.code != 0 {
				t.Errorf("it ends with %d, %v: %s", r.code, err, r.stderr)
			}
			mu.Lock()
			defer mu.Unlock()
			said[strings.SplitN(r.stdout, " ", 2)[0]+" "+args[1]]++
		})
	}
	wait.Wait()
	if want := map[string]int{"file ofx": 1, "nothing ofx": 2, "file xero-csv": 1, "nothing xero-csv": 2}; !cmp.Equal(said, want) {
		t.Errorf("they say %v, want %v", said, want)
	}
	files := map[string]string{} // whichever target was first
	for name, text := range exportedTo(t, dir) {
		files[strings.Replace(name, "-batch2.", "-batch1.", 1)] = text
	}
	if diff := cmp.Diff(x.files, files); diff != "" {
		t.Errorf("together they write other files (-one +several):\n%.2000s", diff)
	}
	for _, target := range []string{"ofx", "xero-csv"} {
		if n := number(t, dir, "SELECT count(*) FROM export_lines NATURAL JOIN postings WHERE target = '"+target+"'"); n != x.postings {
			t.Errorf("%s got %d postings of %d", target, n, x.postings)
		}
	}
	if n := number(t, dir, "SELECT count(*) FROM export_batches WHERE state = 'done'"); n != 2 {
		t.Errorf("there are %d batches, want 2", n)
	}
}

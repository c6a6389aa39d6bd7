package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestModel lives as many lives as there is time for.
func TestModel(t *testing.T) {
	limit := *budget
	if testing.Short() && limit > 0 {
		limit = min(limit, 10*time.Second)
	}
	var (
		begun  = time.Now()
		next   atomic.Uint64
		ran    atomic.Uint64
		totals tally
		wg     sync.WaitGroup
	)
	dir := folder(t)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				n := next.Add(1) - 1
				if n >= *seeds || limit > 0 && time.Since(begun) > limit {
					return
				}
				if text := live(*first+n, dir, &totals); text != "" {
					t.Error(text)
				}
				if n := ran.Add(1); n%250 == 0 {
					t.Logf("%d seeds after %v", n, time.Since(begun).Round(time.Second))
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d seeds from %d on in %v: %v", ran.Load(), *first, time.Since(begun).Round(time.Second), &totals)
}

// folder returns where the databases of the seeds go. A killed process loses
// nothing that the kernel has, so memory will do; syncing a disk takes longer
// than all the rest.
func folder(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "billsync-soak-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// A tally is what all seeds did together.
type tally struct{ runs, kills, bills, states, requests, mailed atomic.Int64 }

func (t *tally) String() string {
	return fmt.Sprintf("%d runs, %d of them killed, %d requests; %d bills with %d earlier states; %d notifications",
		t.runs.Load(), t.kills.Load(), t.requests.Load(), t.bills.Load(), t.states.Load(), t.mailed.Load())
}

// live lives one seed and returns what went wrong, for people; nothing if all
// was well.
func live(seed uint64, parent string, totals *tally) (report string) {
	dir := filepath.Join(parent, fmt.Sprint(seed))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	var w *world
	defer func() {
		p := recover()
		if w != nil && w.server != nil {
			_ = w.close()
		}
		if p == nil {
			return
		}
		words, ours := p.(failure)
		if !ours {
			stack := make([]byte, 1<<14)
			words = failure(fmt.Sprintf("panic: %v\n%s", p, stack[:runtime.Stack(stack, false)]))
		}
		story := ""
		if w != nil {
			story = w.tell(string(words))
		}
		report = fmt.Sprintf("seed %d: %s\n\nits story:\n%s\n\nto run it again: go test ./internal/soak -run TestModel -first %d -seeds 1\n", seed, words, story, seed)
	}()
	w = newWorld(seed, dir)
	w.live()
	totals.add(w)
	return ""
}

var orderNumbers = regexp.MustCompile(`O[0-9]{6}`)

// tell returns the story of a seed. Of the changes before the first run there
// are many; only those of orders that the failure names are told.
func (w *world) tell(failed string) string {
	named := orderNumbers.FindAllString(failed, -1)
	var lines []string
	for _, line := range w.log {
		if !strings.HasPrefix(line, atFirst) || slices.ContainsFunc(named, func(o string) bool { return strings.Contains(line, o) }) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func (t *tally) add(w *world) {
	t.requests.Add(w.server.Requests())
	t.bills.Add(int64(len(w.seen.last.bills)))
	t.states.Add(int64(w.seen.last.states))
	t.runs.Add(int64(w.runs))
	t.kills.Add(int64(w.kills))
	if w.postman != nil {
		t.mailed.Add(int64(w.postman.mailed))
	}
}

package schedule_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"billsync/internal/schedule"
)

// A diary notes when what happened. Fake time begins at midnight UTC.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, time.Now().UTC().Format("15:04:05 ")+what)
}

func (d *diary) check(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.lines, want) {
		t.Errorf("what happened:\n%s\nwant:\n%s", strings.Join(d.lines, "\n"), strings.Join(want, "\n"))
	}
}

// job notes its begin and end and takes a while, unless it is stopped.
func (d *diary) job(name, expr string, takes time.Duration) schedule.Job {
	return schedule.Job{Name: name, Expr: expr, Run: func(ctx context.Context) error {
		d.note(name + " begins")
		select {
		case <-time.After(takes):
			d.note(name + " ends")
			return nil
		case <-ctx.Done():
			d.note(name + " is stopped")
			return ctx.Err()
		}
	}}
}

// runFor runs for a while of fake time and returns what Run returned.
func runFor(t *testing.T, r *schedule.Runner, d time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return r.Run(ctx)
}

func TestRunOnSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		r := &schedule.Runner{
			Jobs:       []schedule.Job{d.job("sync", "*/15 * * * *", time.Second), d.job("never", "", 0)},
			RunAtStart: "sync",
		}
		if err := runFor(t, r, 31*time.Minute); err != nil {
			t.Errorf("Run: %v", err)
		}
		d.check(t,
			"00:00:00 sync begins", "00:00:01 sync ends",
			"00:15:00 sync begins", "00:15:01 sync ends",
			"00:30:00 sync begins", "00:30:01 sync ends")
	})
}

func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		r := &schedule.Runner{Jobs: []schedule.Job{d.job("sync", "@every 6h", time.Second)}}
		if err := runFor(t, r, 13*time.Hour); err != nil {
			t.Errorf("Run: %v", err)
		}
		d.check(t, "06:00:00 sync begins", "06:00:01 sync ends", "12:00:00 sync begins", "12:00:01 sync ends")
	})
}

// Triggers during a run become one run, of each job, when it is over; two jobs
// never run at once.
func TestTriggersAreMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		first := true
		slow := d.job("sync", "*/15 * * * *", 50*time.Minute)
		quick := d.job("sync", "", time.Minute)
		slow.Run = func(run, once func(context.Context) error) func(context.Context) error {
			return func(ctx context.Context) error {
				if first {
					first = false
					return once(ctx)
				}
				return run(ctx)
			}
		}(quick.Run, slow.Run)
		r := &schedule.Runner{Jobs: []schedule.Job{slow, d.job("refresh", "20 0 * * *", time.Minute)}}
		if err := runFor(t, r, 80*time.Minute); err != nil {
			t.Errorf("Run: %v", err)
		}
		d.check(t,
			"00:15:00 sync begins", "01:05:00 sync ends", // missed: refresh 0:20, sync 0:30, 0:45, 1:00
			"01:05:00 sync begins", "01:06:00 sync ends",
			"01:06:00 refresh begins", "01:07:00 refresh ends",
			"01:15:00 sync begins", "01:16:00 sync ends")
	})
}

func TestPanicsKeepGoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		var log strings.Builder
		r := &schedule.Runner{
			Log: zerolog.New(&log),
			Jobs: []schedule.Job{{Name: "sync", Expr: "*/15 * * * *", Run: func(context.Context) error {
				d.note("sync")
				panic("a bug")
			}}},
			Due: func(context.Context) (time.Time, bool) { panic("another") },
			OnDue: func(context.Context) error {
				d.note("retry")
				return nil
			},
		}
		if err := runFor(t, r, 46*time.Minute); err != nil {
			t.Errorf("Run: %v", err)
		}
		d.check(t, "00:15:00 sync", "00:30:00 sync", "00:45:00 sync")
		if !strings.Contains(log.String(), `"panic":"a bug"`) {
			t.Errorf("the log says nothing of the panic: %s", log.String())
		}
	})
}

// A retry is asked to the second, also one that a job brought about; what is not
// settled by OnDue is asked again after a pause.
func TestDueWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		midnight := time.Now()
		due := map[string]time.Time{}
		r := &schedule.Runner{
			Jobs: []schedule.Job{{Name: "sync", Expr: "10 * * * *", Run: func(context.Context) error {
				d.note("sync")
				due["a"] = midnight.Add(15*time.Minute + 7*time.Second)
				due["stuck"] = midnight.Add(17 * time.Minute)
				return nil
			}}},
			Due: func(context.Context) (at time.Time, ok bool) {
				for _, t := range due {
					if !ok || t.Before(at) {
						at, ok = t, true
					}
				}
				return at, ok
			},
			OnDue: func(context.Context) error {
				d.note("retry")
				delete(due, "a")
				return nil
			},
		}
		if err := runFor(t, r, 18*time.Minute+30*time.Second); err != nil {
			t.Errorf("Run: %v", err)
		}
		d.check(t, "00:10:00 sync", "00:15:07 retry", "00:17:00 retry", "00:18:00 retry")
	})
}

func TestStopWithinGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		r := &schedule.Runner{
			Jobs:       []schedule.Job{d.job("sync", "* * * * *", time.Hour)},
			RunAtStart: "sync",
			Grace:      10 * time.Second,
		}
		if err := runFor(t, r, 5*time.Minute); err != nil {
			t.Errorf("Run: %v", err)
		}
		d.check(t, "00:00:00 sync begins", "00:05:00 sync is stopped")
	})
}

func TestStopAfterGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := &schedule.Runner{
			Jobs: []schedule.Job{{Name: "deaf", Run: func(context.Context) error {
				time.Sleep(time.Hour)
				return nil
			}}},
			RunAtStart: "deaf",
			Grace:      10 * time.Second,
		}
		if err := runFor(t, r, time.Minute); !errors.Is(err, schedule.ErrGrace) {
			t.Errorf("Run = %v, want ErrGrace", err)
		}
		if took := time.Since(start); took != 70*time.Second {
			t.Errorf("Run took %v, want 1m10s", took)
		}
		time.Sleep(time.Hour)
	})
}

// The clock may be set, or stand still while the machine sleeps: within a
// minute the schedule follows it.
func TestClockJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		var mu sync.Mutex
		var offset time.Duration
		jump := func(by time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			offset += by
		}
		r := &schedule.Runner{
			Jobs: []schedule.Job{d.job("sync", "0 * * * *", time.Second)},
			Now: func() time.Time {
				mu.Lock()
				defer mu.Unlock()
				return time.Now().Add(offset)
			},
		}
		time.AfterFunc(10*time.Minute+30*time.Second, func() { jump(3*time.Hour + 30*time.Minute) }) // slept: 3:40:30
		time.AfterFunc(31*time.Minute+30*time.Second, func() { jump(-10 * time.Hour) })              // set back: 18:01:30
		if err := runFor(t, r, 100*time.Minute); err != nil {
			t.Errorf("Run: %v", err)
		}
		d.check(t,
			"00:11:00 sync begins", "00:11:01 sync ends", // one run for the hours slept through
			"00:30:00 sync begins", "00:30:01 sync ends", // 4:00 on that clock
			"01:30:00 sync begins", "01:30:01 sync ends") // 19:00 on the clock set back
	})
}

func TestWrongSetup(t *testing.T) {
	t.Parallel()
	for _, r := range []*schedule.Runner{
		{Jobs: []schedule.Job{{Name: "sync", Expr: "0 2 31 2 *"}}},
		{RunAtStart: "nothing"},
	} {
		if err := r.Run(t.Context()); err == nil {
			t.Errorf("Run with %+v: no error", r)
		}
	}
}

package schedule

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/rs/zerolog"
)

// A Job is work with a schedule.
type Job struct {
	Name string
	Expr string // as Check allows; empty: never by the clock
	Run  func(ctx context.Context) error
}

// A Runner is the daemon's clock. Its fields are set before Run and not changed
// afterwards.
type Runner struct {
	Jobs       []Job
	Location   *time.Location // of the expressions; nil: UTC
	RunAtStart string         // the name of a job to run at once; may be empty

	// Due returns when the earliest retry is due, and false if none waits.
	// OnDue does what is due then. Both may be nil.
	Due   func(ctx context.Context) (time.Time, bool)
	OnDue func(ctx context.Context) error

	// Wake brings the names of jobs to be run as soon as nothing else runs,
	// whatever the clock says. It may be nil.
	Wake <-chan string

	Log   zerolog.Logger
	Now   func() time.Time // nil: time.Now
	Grace time.Duration    // how long a running job is waited for at the end
}

const (
	// atLeast is how often the Runner looks at the clock, which may have been
	// set or have stood still.
	atLeast = time.Minute
	// dueAgain is how long the Runner lets pass before it asks again for what
	// OnDue left undone.
	dueAgain = time.Minute
)

// ErrGrace says that a job went on although its context had ended.
var ErrGrace = errors.New("a job did not stop in time")

// Run works until the context ends and then waits for a running job, at most
// for Grace. It returns nil if everything stopped, ErrGrace if a job did not,
// and another error, before any work, if a job's expression is wrong.
func (r *Runner) Run(ctx context.Context) error {
	l, err := r.newLoop()
	if err != nil {
		return err
	}
	for {
		l.note()
		timer := time.NewTimer(l.wait(l.startNext(ctx)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return l.stop()
		case <-l.ended:
			l.running = nil
		case name := <-r.Wake:
			l.wake(name)
		case <-timer.C:
		}
		timer.Stop()
	}
}

// A loop is the state of one Run; one goroutine uses it.
type loop struct {
	*Runner
	entries []*entry
	due     *entry // OnDue as a job; nil if there is none
	lastDue time.Time
	running *entry
	ended   chan struct{} // a value when the running job has ended
	last    time.Time     // when note last looked at the clock
}

// An entry is a job and where it stands.
type entry struct {
	Job
	schedule cron.Schedule // nil: never by the clock
	next     time.Time
	pending  bool // to be run as soon as nothing else runs
}

func (r *Runner) newLoop() (*loop, error) {
	l := &loop{Runner: r, ended: make(chan struct{}, 1)}
	l.last = l.now()
	known := r.RunAtStart == ""
	for _, job := range r.Jobs {
		s, err := parse(job.Expr)
		if err != nil {
			return nil, fmt.Errorf("schedule of %s: %w", job.Name, err)
		}
		e := &entry{Job: job, schedule: s, pending: job.Name == r.RunAtStart}
		e.advance(l.last)
		known = known || e.pending
		l.entries = append(l.entries, e)
	}
	if !known {
		return nil, fmt.Errorf("no job %q to run at the start", r.RunAtStart)
	}
	if r.Due != nil && r.OnDue != nil {
		l.due = &entry{Job: Job{Name: "retry", Run: r.OnDue}}
	}
	return l, nil
}

func (l *loop) now() time.Time {
	loc := l.Location
	if loc == nil {
		loc = time.UTC
	}
	if l.Now == nil {
		return wall(time.Now(), loc)
	}
	return wall(l.Now(), loc)
}

// advance sets the entry's next time after an instant.
func (e *entry) advance(now time.Time) {
	if e.schedule != nil {
		e.next = e.schedule.Next(now)
	}
}

// note marks the jobs whose time has come. Times that passed while the machine
// slept or a job ran make one run, not many.
func (l *loop) note() {
	now := l.now()
	back := now.Before(l.last) // the clock was set back: times ahead are too far ahead
	l.last = now
	for _, e := range l.entries {
		switch {
		case e.next.IsZero():
			e.advance(now)
		case !e.next.After(now):
			if e.pending || e == l.running {
				l.Log.Debug().Str("job", e.Name).Msg("trigger merged into the next run")
			}
			e.pending = true
			e.advance(now)
		case back:
			e.advance(now)
		}
	}
}

// wake marks a job as if its time had come.
func (l *loop) wake(name string) {
	for _, e := range l.entries {
		if e.Name == name {
			e.pending = true
		}
	}
}

// startNext starts the first job that is pending, unless one runs. If nothing
// is left to start it returns when the next retry is due, or zero.
func (l *loop) startNext(ctx context.Context) (due time.Time) {
	if l.running != nil || ctx.Err() != nil {
		return time.Time{}
	}
	for _, e := range l.entries {
		if e.pending {
			l.start(ctx, e)
			return time.Time{}
		}
	}
	at, ok := l.nextDue(ctx)
	if ok && !at.After(l.now()) {
		l.lastDue = l.now()
		l.start(ctx, l.due)
		return time.Time{}
	}
	return at
}

func (l *loop) start(ctx context.Context, e *entry) {
	e.pending = false
	l.running = e
	go func() {
		defer func() { l.ended <- struct{}{} }()
		l.work(ctx, e)
	}()
}

// work runs a job and keeps its panic from ending the schedule.
func (l *loop) work(ctx context.Context, e *entry) {
	start := l.now()
	log := l.Log.With().Str("job", e.Name).Logger()
	defer func() {
		if p := recover(); p != nil {
			log.Error().Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("job panicked")
		}
	}()
	log.Debug().Msg("job started")
	err := e.Run(ctx)
	event := log.Debug()
	if err != nil && ctx.Err() == nil {
		event = log.Error().Err(err)
	}
	event.Int64("took_ms", l.now().Sub(start).Milliseconds()).Msg("job ended")
}

// nextDue returns when to run OnDue. What the last one left undone is not asked
// for again without a pause.
func (l *loop) nextDue(ctx context.Context) (at time.Time, ok bool) {
	if l.due == nil {
		return time.Time{}, false
	}
	defer func() {
		if p := recover(); p != nil {
			l.Log.Error().Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("asking for due retries panicked")
			at, ok = time.Time{}, false
		}
	}()
	if at, ok = l.Due(ctx); !ok {
		return time.Time{}, false
	}
	if !at.After(l.lastDue) && !l.lastDue.After(l.now()) {
		at = l.lastDue.Add(dueAgain)
	}
	return at, true
}

// wait returns how long nothing will happen by itself.
func (l *loop) wait(due time.Time) time.Duration {
	now := l.now()
	d := atLeast
	for _, e := range l.entries {
		if !e.next.IsZero() {
			d = min(d, e.next.Sub(now))
		}
	}
	if !due.IsZero() {
		d = min(d, due.Sub(now))
	}
	return max(d, time.Millisecond)
}

// stop waits for the running job, whose context has ended.
func (l *loop) stop() error {
	if l.running == nil {
		return nil
	}
	select {
	case <-l.ended:
		return nil
	default:
	}
	timer := time.NewTimer(l.Grace)
	defer timer.Stop()
	select {
	case <-l.ended:
		return nil
	case <-timer.C:
		l.Log.Error().Str("job", l.running.Name).Msg("job did not stop in time")
		return ErrGrace
	}
}

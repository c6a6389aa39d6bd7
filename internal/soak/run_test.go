package soak

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"
)

// stuck is how long a run may take at most: something hangs.
const stuck = 2 * time.Minute

// atOnce stands for the request at which a process is killed: it is killed soon
// after it was started, whatever it does then.
const atOnce = -1

// A trial is a run under certain circumstances, and what became of it.
type trial struct {
	job
	plan     *plan // how the API fails; nil: it does not
	changes  bool  // the source changes during the run
	killed   bool  // the process was really killed
	canceled bool  // the run was told to stop

	code     int
	said     string
	since    int64 // the source's changes when it began
	until    int64 // and when it ended
	began    time.Time
	runID    int64 // 0: it did not come so far
	peaceful bool  // nothing of the circumstances could keep it from being complete
}

// quiet reports whether the source stayed the same during the run.
func (t *trial) quiet() bool { return t.since == t.until }

// undisturbed is a run in peace.
func (w *world) undisturbed(j job) *trial {
	t := &trial{job: j}
	w.try(t, nil, 0, false)
	return t
}

// try does a run. At the request killAt, if that is not 0, the run ends: the
// process is killed, or the run is told to stop. acts happen at other requests.
func (w *world) try(t *trial, acts map[int][]func(), killAt int, process bool) {
	w.configure()
	w.server.SetFault(nil)
	if t.plan != nil {
		w.server.SetFault(t.plan.fault)
	}
	w.source.mu.Lock()
	t.since = w.source.changes
	w.source.mu.Unlock()
	t.Config, t.Now, t.Trace = w.config(), w.clock.now(), *tell
	t.began = t.Now
	begun := time.Now()
	if process {
		w.runProcess(t, acts, killAt)
	} else {
		w.runHere(t, acts, killAt)
	}
	w.server.SetFault(nil)
	w.source.mu.Lock()
	t.until = w.source.changes
	w.source.mu.Unlock()
	for _, line := range w.asked.takeSaid() {
		w.note("%s", line)
	}
	w.asked.judge(w)
	w.runs++
	if t.killed {
		w.kills++
	}
	if took := time.Since(begun); took > time.Second {
		w.note("    it took %v", took.Round(time.Millisecond))
	}
	w.note("    exit %d after %d requests %s", t.code, w.asked.made, t.said)
}

func (w *world) runHere(t *trial, acts map[int][]func(), stopAt int) {
	ctx, stop := context.WithTimeout(context.Background(), stuck)
	defer stop()
	run, cancel := context.WithCancel(ctx)
	defer cancel()
	if stopAt > 0 {
		acts = with(acts, stopAt, func() { t.canceled = true; cancel() })
	}
	w.asked.begin(acts)
	t.code, t.said = t.do(run, w.clock.now)
	w.asked.end()
	if ctx.Err() != nil {
		w.fail("%v has not ended after %v", t, stuck)
	}
}

func with(acts map[int][]func(), at int, act func()) map[int][]func() {
	if acts == nil {
		acts = map[int][]func(){}
	}
	acts[at] = append(acts[at], act)
	return acts
}

// runProcess does the run in a process of its own and kills it at a request,
// or a little later, in the middle of whatever it does then.
func (w *world) runProcess(t *trial, acts map[int][]func(), killAt int) {
	ctx, stop := context.WithTimeout(context.Background(), stuck)
	defer stop()
	cmd, err := t.command(ctx)
	if err != nil {
		w.fail("%v", err)
	}
	var words bytes.Buffer
	cmd.Stderr = &words
	var killed atomic.Bool
	started := make(chan struct{})
	kill := func() {
		killed.Store(true)
		_ = cmd.Process.Kill() // it may have ended already
	}
	soon := time.Duration(0)
	switch {
	case killAt == atOnce:
		soon = time.Duration(w.dice.Int64N(int64(60 * time.Millisecond)))
		w.note("    kill after %v", soon)
	case killAt > 0:
		after := time.Duration(0)
		if w.dice.chance(60) {
			after = time.Duration(w.dice.Int64N(int64(8 * time.Millisecond)))
		}
		w.note("    kill at request %d + %v", killAt, after)
		acts = with(acts, killAt, func() {
			<-started
			if after == 0 {
				kill()
				return
			}
			time.AfterFunc(after, kill)
		})
	}
	w.asked.begin(acts)
	err = cmd.Start()
	close(started)
	if err != nil {
		w.fail("%v", err)
	}
	if soon > 0 {
		timer := time.AfterFunc(soon, kill)
		defer timer.Stop()
	}
	err = cmd.Wait()
	w.asked.end()
	if ctx.Err() != nil {
		w.fail("%v has not ended after %v", t, stuck)
	}
	t.code, t.said = cmd.ProcessState.ExitCode(), strings.TrimSpace(words.String())
	if _, isExit := err.(*exec.ExitError); err != nil && !isExit {
		w.fail("%v", err)
	}
	if t.code == exitKilled {
		if !killed.Load() {
			w.fail("%v ended by a signal that was not ours: %v\n%s", t, cmd.ProcessState, t.said)
		}
		t.killed = true
	}
}

// describe says a trial for the story.
func (t *trial) describe(process bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v", &t.job)
	if process {
		b.WriteString(", as a process")
	}
	if t.plan != nil {
		fmt.Fprintf(&b, ", %s", t.plan.name)
	}
	return b.String()
}

package main

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"billsync/internal/config"
	"billsync/internal/syncer"
)

// logEvery is how often a long run writes a line where there is no terminal.
const logEvery = 10 * time.Second

// A progress shows how a run is going: a bar on a terminal, elsewhere a log line
// now and then.
type progress struct {
	g     *globals
	set   *mpb.Progress // nil: no bar
	bar   *mpb.Bar
	text  atomic.Pointer[string] // written by the run, read by the bar
	began time.Time
	last  time.Time
	scale int64
}

// newProgress starts it. While there is a bar, the log is written above it.
func (g *globals) newProgress(log config.Log) *progress {
	p := &progress{g: g, began: g.now(), last: g.now(), scale: 10_000}
	p.text.Store(new(string))
	if g.quiet || g.json || !isTerminal(g.stderr) || log.Format == "json" {
		return p
	}
	p.set = mpb.New(mpb.WithOutput(g.stderr), mpb.WithWidth(24), mpb.WithRefreshRate(100*time.Millisecond))
	p.bar = p.set.New(p.scale, mpb.BarStyle().Lbound("").Filler("▓").Tip("▓").Padding("░").Rbound(""),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.NewPercentage("%3d ", decor.WCSyncSpace)),
		mpb.AppendDecorators(
			decor.Any(func(decor.Statistics) string { return " " + *p.text.Load() }),
			decor.Any(func(s decor.Statistics) string { return p.left(s) }),
		))
	level := log.Level
	if level == "info" && g.logLevel == "" {
		level = "warn" // the bar says what the info lines would
	}
	g.logTo(barWriter{p.set, g.stderr}, level, log.Format)
	return p
}

// left says how long the rest takes if it goes on like this.
func (p *progress) left(s decor.Statistics) string {
	spent := time.Since(p.began)
	if s.Current <= 0 || spent < time.Second {
		return ""
	}
	rest := time.Duration(float64(spent) * float64(s.Total-s.Current) / float64(s.Current))
	return "   " + seconds(rest) + " left"
}

// barWriter writes lines above the bar, and as they are once it is gone.
type barWriter struct {
	bar   io.Writer
	after io.Writer
}

func (w barWriter) Write(line []byte) (int, error) {
	// What a terminal echoes for a key, such as ^C, has moved the cursor.
	_, err := w.bar.Write(append([]byte{'\r'}, line...))
	if errors.Is(err, mpb.ErrDone) {
		return w.after.Write(line)
	}
	return len(line), err
}

// tell takes the state of the run.
func (p *progress) tell(s syncer.Progress) {
	if p.bar != nil {
		pages := ""
		if s.Pages > 0 {
			pages = fmt.Sprintf("   %d/%d pages", s.Page, s.Pages)
		}
		text := fmt.Sprintf("%s   %s%s   +%d new  ~%d changed", s.Account, s.Window, pages, s.New, s.Changed)
		p.text.Store(&text)
		p.bar.SetCurrent(int64(s.Share * float64(p.scale)))
		return
	}
	if now := p.g.now(); now.Sub(p.last) >= logEvery {
		p.last = now
		p.g.log.Info().Str("account", s.Account).Str("window", s.Window).Int("page", s.Page).Int("pages", s.Pages).
			Int("windows_proved", s.Proved).Int("windows", s.Total).Int("new", s.New).Int("changed", s.Changed).Msg("syncing")
	}
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar == nil {
		return
	}
	p.bar.Abort(true)
	p.set.Wait()
}

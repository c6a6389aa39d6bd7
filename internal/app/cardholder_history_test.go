package app_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"billsync/internal/app"
	"billsync/internal/simulator"
)

// Several at once, by command and by daemon: one request at a time.
func TestCardholderCompany(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	c.faults(unknown)
	c.create(3)
	c.clock.move(5 * time.Minute)
	var under, most atomic.Int64
	c.api.OnRequest(func(r simulator.Request) {
		for n := under.Add(1); ; {
			if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		time.Sleep(20 * time.Millisecond)
		under.Add(-1)
	})
	before := c.api.Requests()
	var wait sync.WaitGroup
	for i := range 8 {
		a := c.again()
		wait.Go(func() {
			switch i % 4 {
			case 0:
				_, _ = a.ResumeCardholders(t.Context(), app.ResumeOptions{Daemon: true})
			case 1:
				if _, err := a.ResumeCardholders(t.Context(), app.ResumeOptions{Now: true}); err != nil {
					t.Errorf("resume: %v", err)
				}
			default:
				if r, err := a.CreateCardholder(t.Context(), app.CardholderOptions{Type: "EMPLOYEE", Info: c.info}); err != nil || r.State != "answered" {
					t.Errorf("create: %+v, %v", r, err)
				}
			}
		})
	}
	wait.Wait()
	if n := c.api.Requests() - before; n != 1 || most.Load() != 1 {
		t.Errorf("%d requests, %d at a time; want one", n, most.Load())
	}
	c.only("answered")
	c.registered(1)
}

// Stopped in the middle, a request is due at once.
func TestCardholderStopped(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.api.SetFault(func(simulator.Request) simulator.Fault {
		cancel()
		return simulator.Fault{Kind: simulator.Slow, Delay: 20 * time.Second}
	})
	_, err := c.CreateCardholder(ctx, app.CardholderOptions{Type: "EMPLOYEE", Info: c.info})
	if err == nil || ctx.Err() == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("create that is stopped: %v", err)
	}
	if h := c.only("waiting"); h.LastCode != "STOPPED" || h.NextAttemptAt.After(c.clock.now()) || h.Setbacks != 1 {
		t.Errorf("it is stored as %+v", h)
	}
	c.api.SetFault(nil)
	c.resume(0, app.ResumeOptions{})
	c.registered(1)
}

// The daemon goes on with what it finds.
func TestCardholderDaemon(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	c.faults(unknown)
	c.create(3)
	c.clock.move(6 * time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.log.then = map[string]func(){`"state":"answered"`: cancel}
	c.App = c.again()
	late := time.AfterFunc(time.Minute, cancel)
	defer late.Stop()
	if err := c.Daemon(ctx); err != nil {
		t.Errorf("Daemon = %v", err)
	}
	c.only("answered")
	c.registered(1)
}

// Whatever happens in whatever order, one command makes one cardholder, and none
// is forgotten: when all is well again each is registered, unless the API refused
// it or nobody can say.
func TestCardholderAnyHistory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		refuse := rapid.Bool().Draw(rt, "repeats are refused")
		c := newCounter(t, "", func(o *simulator.Options) { o.RefuseRepeats = refuse })
		texts := [][]string{{person, strings.ReplaceAll(person, " ", "\n")}, {`{"n":"Second"}`, `{ "n": "Second" }`}}
		files := []string{c.info, c.file("b.json", texts[1][0])}
		kinds := rapid.SampledFrom([]simulator.Fault{{}, {}, lost, lostAfter, unknown, unknownly, {Kind: simulator.Garbage}, {Kind: simulator.NoResult},
			{Kind: simulator.HTTP, HTTPStatus: 503}, {Kind: simulator.HTTP, HTTPStatus: 403}, {Kind: simulator.Result, Code: "RISK_REJECT"},
			{Kind: simulator.Result, Code: "REQUEST_TRAFFIC_EXCEED_LIMIT"}, {Kind: simulator.Result, Code: "SYSTEM_ERROR"},
			{Kind: simulator.ResultAfter, Code: "SYSTEM_ERROR"}})
		for range rapid.IntRange(1, 5).Draw(rt, "steps") {
			list := rapid.SliceOfN(kinds, 1, 4).Draw(rt, "faults")
			c.faults(list...)
			ctx, cancel := context.WithCancel(t.Context())
			if n := rapid.IntRange(0, 6).Draw(rt, "stopped at request"); n > 0 {
				c.api.OnRequest(func(simulator.Request) {
					if n--; n == 0 {
						cancel()
					}
				})
			}
			a := c.again()
			which := rapid.IntRange(0, 1).Draw(rt, "content")
			c.file(filepath.Base(files[which]), rapid.SampledFrom(texts[which]).Draw(rt, "written"))
			switch rapid.IntRange(0, 3).Draw(rt, "command") {
			case 0, 1:
				_, _ = a.CreateCardholder(ctx, app.CardholderOptions{Type: "EMPLOYEE", Info: files[which]})
			case 2:
				_, _ = a.ResumeCardholders(ctx, app.ResumeOptions{Now: rapid.Bool().Draw(rt, "now")})
			case 3:
				_, _ = a.ResumeCardholders(ctx, app.ResumeOptions{Daemon: true})
			}
			cancel()
			_ = a.Close()
			c.api.OnRequest(nil)
			c.clock.move(rapid.SampledFrom([]time.Duration{0, time.Second, 5 * time.Minute, 6 * time.Hour}).Draw(rt, "time passes"))
			many := map[string]int{}
			for _, h := range c.api.Cardholders() {
				who := strings.Join(strings.Fields(string(h.Info)), "")
				if many[who]++; many[who] > 1 {
					rt.Fatalf("two cardholders of one content: %+v", c.api.Cardholders())
				}
			}
		}
		c.api.SetFault(nil)
		var err error
		var l app.HolderList
		for written := range texts[0] {
			for i, name := range files {
				c.file(filepath.Base(name), texts[i][written])
			}
			_, err = c.ResumeCardholders(t.Context(), app.ResumeOptions{Now: true})
			var e error
			if l, e = c.ListCardholders(t.Context(), app.ListOptions{}); e != nil {
				rt.Fatal(e)
			}
			for _, h := range l.Holders { // what needs a person
				if h.State == "refused" {
					_, _ = c.ResumeCardholders(t.Context(), app.ResumeOptions{RequestID: h.RequestID})
				}
			}
		}
		l, _ = c.ListCardholders(t.Context(), app.ListOptions{})
		for _, h := range l.Holders {
			found := 0
			for _, x := range c.api.Cardholders() {
				if x.RequestID == h.RequestID {
					found++
				}
			}
			if h.State != "answered" && h.State != "repeated" || found != 1 || h.State == "repeated" && !refuse {
				rt.Errorf("request %s is %s and registered %d times; the last resume: %v", h.RequestID, h.State, found, err)
			}
		}
		if len(c.api.Cardholders()) != len(l.Holders) {
			rt.Errorf("%d requests, %d cardholders", len(l.Holders), len(c.api.Cardholders()))
		}
	})
}

// Nothing of what identifies the person stays anywhere.
func TestCardholderLeavesNothing(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	c.cfg.Log.Level = "debug"
	c.faults(unknown, lost, lostAfter, simulator.Fault{Kind: simulator.Result, Code: "PARAM_ILLEGAL", Message: "Maximiliane OBERHUBER, 1990-06-15, is illegal"})
	var said strings.Builder
	for range 4 {
		r, err := c.CreateCardholder(t.Context(), app.CardholderOptions{Type: "EMPLOYEE", Info: c.info})
		fmt.Fprintf(&said, "%+v %v %s\n", r, err, hintOf(err))
		x, err := c.ResumeCardholders(t.Context(), app.ResumeOptions{Now: true})
		fmt.Fprintf(&said, "%+v %v %s\n", x, err, hintOf(err))
		l, err := c.ListCardholders(t.Context(), app.ListOptions{Refresh: true})
		fmt.Fprintf(&said, "%+v %v\n", l, err)
		c.clock.move(time.Hour)
	}
	said.WriteString(c.log.String())
	found := 0
	look := func(where string, data []byte) {
		for _, private := range []string{"Maximiliane", "Oberhuber", "1990-06-15", "dateOfBirth"} {
			if bytes.Contains(bytes.ToLower(data), []byte(strings.ToLower(private))) {
				t.Errorf("%s is in %s", private, where)
			}
		}
		found++
	}
	look("what was said", []byte(said.String()))
	files, err := os.ReadDir(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == filepath.Base(c.info) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(c.dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		look(f.Name(), data)
	}
	if found < 4 {
		t.Errorf("only %d places were looked at", found)
	}
	c.registered(1)
}

// The daemon sends one request in a turn, the one that is due first: bills have
// to wait for one at most.
func TestCardholderDaemonTurns(t *testing.T) {
	t.Parallel()
	c := newCounter(t, "", nil)
	var ids []string
	for i := range 4 {
		c.info = c.file(fmt.Sprintf("%d.json", i), fmt.Sprintf(`{"n":%d}`, i))
		c.faults(lost, lost, lost)
		r, _ := c.create(3)
		ids = append(ids, r.RequestID)
		c.clock.move(time.Second)
	}
	// The first was asked once more, and is due last.
	c.clock.move(5 * time.Minute)
	c.faults(lost, lost, lost)
	c.resume(3, app.ResumeOptions{RequestID: ids[0]})
	c.clock.move(time.Hour)
	_ = os.Remove(filepath.Join(c.dir, "2.json")) // one that cannot be sent takes no turn
	for i, want := range [][]string{{ids[1]}, {ids[1], ids[3]}, {ids[1], ids[3], ids[0]}, {ids[1], ids[3], ids[0]}} {
		c.daemonTick()
		var got []string
		for _, h := range c.api.Cardholders() {
			got = append(got, h.RequestID)
		}
		expect(t, fmt.Sprint("after turn ", i+1), got, want)
	}
	// A silent one is not in the others' way.
	c.faults(times(100, lost)...)
	for i := range 3 {
		c.info = c.file(fmt.Sprintf("silent%d.json", i), fmt.Sprintf(`{"silent":%d}`, i))
		c.create(3)
	}
	c.clock.move(5 * time.Minute)
	before := c.api.Requests()
	c.daemonTick()
	if n := c.api.Requests() - before; n != 3 {
		t.Errorf("a turn made %d requests, want the three tries of one", n)
	}
}

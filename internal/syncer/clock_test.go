package syncer_test

import (
	"testing"
	"time"

	"billsync/internal/simulator"
	"billsync/internal/syncer"
)

// A clock that runs ahead claims nothing of the future, and no bill is lost
// when it is set right again.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"an hour": time.Hour, "three days": 72 * time.Hour, "two years": 2 * 365 * 24 * time.Hour} {
		for when, told := range map[string]bool{"told by the API": true, "not told": false} {
			t.Run(name+", "+when, func(t *testing.T) {
				t.Parallel()
				skew := new(time.Duration)
				w := newWorld(t, 150, func(o *simulator.Options) {
					ours := o.Now
					o.Now = func() time.Time { return ours().Add(-*skew) } // the API's clock is right
					if !told {
						o.ResponseTime = ours // but does not show
					}
				})
				w.fill(100, 149)
				*skew = ahead
				w.pass(ahead) // ours is not
				sum, err := w.run(syncer.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if told != (sum.ClockAhead > ahead-time.Minute && sum.ClockAhead < ahead+time.Minute) {
					t.Errorf("the run says that the clock is %v ahead", sum.ClockAhead)
				}
				limit := start.Add(time.Minute).UTC().Format("2006-01-02T15:04:05.000Z")
				if told {
					if got := w.one("SELECT count(*) FROM windows WHERE window_end > ?", limit); got != "0" {
						t.Errorf("%s windows reach into the future", got)
					}
					if got := w.one("SELECT max(covered_from, coalesce(proved_until, '')) <= ? FROM tails", limit); got != "1" {
						t.Errorf("the tail reaches into the future")
					}
				}
				w.equal("main", "")
				// The clock is set right; three weeks pass, with bills.
				*skew = 0
				w.pass(-ahead)
				for range 21 {
					w.pass(24 * time.Hour)
					w.ledger.Add("", entry(w.now().String(), w.now().Add(-time.Hour)))
				}
				// Where nothing told, nothing shows that a bill came late: the
				// nightly refresh finds it.
				for _, o := range []syncer.Options{{}, {}, {Scope: syncer.Scope{Refresh: !told}}, {}} {
					if sum, err = w.run(o); err != nil {
						t.Fatal(err)
					}
				}
				if !sum.Complete() || sum.ClockAhead != 0 {
					t.Errorf("after the clock was set right: %s, %v ahead", sum.Reason(), sum.ClockAhead)
				}
				w.equal("main", "")
				if got := w.one("SELECT complete FROM coverage"); got != "1" {
					t.Error("the coverage is not complete")
				}
			})
		}
	}
}

// A clock that runs behind is told and costs nothing but freshness.
func TestClockBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 150, func(o *simulator.Options) {
		now := o.Now
		o.ResponseTime = func() time.Time { return now().Add(3 * time.Hour) }
	})
	w.fill(100, 149)
	sum := w.sync()
	if d := sum.ClockAhead + 3*time.Hour; d.Abs() > time.Minute {
		t.Errorf("the run says that the clock is %v ahead", sum.ClockAhead)
	}
	w.equal("main", "")
}

// A clock that says that it is long ago changes nothing that was proved.
func TestClockFarBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 150)
	w.fill(100, 149)
	w.sync()
	before := w.query("SELECT window_start, window_end, state FROM windows")
	w.pass(-30 * 365 * 24 * time.Hour)
	sum, err := w.run(syncer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Complete() {
		t.Error("a run of 1996 calls everything complete")
	}
	w.pass(30 * 365 * 24 * time.Hour)
	w.sync()
	if after := w.query("SELECT window_start, window_end, state FROM windows"); len(after) != len(before) || after[0] != before[0] {
		t.Errorf("windows: %v, before %v", after, before)
	}
	w.equal("main", "")
}

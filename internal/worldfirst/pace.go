package worldfirst

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// slowest is the part of the configured rate below which it never falls.
	slowest = 1.0 / 16
	// recovery is the part of the configured rate that comes back for each
	// recoverEvery without a complaint.
	recovery     = 0.1
	recoverEvery = time.Minute
)

// A pace spaces requests evenly, without bursts, over the whole program. It
// goes down when the provider says that we ask too fast and comes back slowly;
// no figure is published that it could keep to (API §5).
type pace struct {
	limiter    *rate.Limiter
	configured float64
	now        func() time.Time
	next       http.RoundTripper

	mu      sync.Mutex
	current float64
	lowered time.Time // when it last went down
	since   time.Time // from when on the next minute without a complaint counts
}

func newPace(perSecond float64, now func() time.Time, next http.RoundTripper) *pace {
	return &pace{
		limiter:    rate.NewLimiter(rate.Limit(perSecond), 1), // one at a time: no bursts
		configured: perSecond,
		now:        now,
		next:       next,
		current:    perSecond,
	}
}

func (p *pace) RoundTrip(req *http.Request) (*http.Response, error) {
	p.rate() // it may be time to be faster again
	// Not Wait: it gives up at once, with an error of its own, when the turn
	// comes after the context's deadline.
	turn := p.limiter.Reserve()
	if delay := turn.Delay(); delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-req.Context().Done():
			turn.Cancel()
			closeBody(req)
			return nil, fmt.Errorf("waiting for a turn: %w", req.Context().Err())
		}
	}
	return p.next.RoundTrip(req)
}

// slowDown halves the rate. Several requests can be under way when the provider
// complains, and each will bring a complaint about the same rate: those that
// were sent before it last went down do not count again.
func (p *pace) slowDown(sentAt time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.regain()
	p.since = p.now()
	if sentAt.Before(p.lowered) {
		return
	}
	p.lowered = p.since
	p.current = max(p.current/2, p.configured*slowest)
	p.limiter.SetLimit(rate.Limit(p.current))
}

// rate returns the rate that holds now.
func (p *pace) rate() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.regain()
	return p.current
}

// regain gives back a part of the rate for each minute without a complaint.
// The caller holds mu.
func (p *pace) regain() {
	if p.current >= p.configured {
		return
	}
	now := p.now()
	if now.Before(p.since) { // the clock was set back
		p.since = now
	}
	steps := int64(now.Sub(p.since) / recoverEvery)
	if steps == 0 {
		return
	}
	p.since = p.since.Add(time.Duration(steps) * recoverEvery)
	p.current = min(p.current+float64(steps)*recovery*p.configured, p.configured)
	p.limiter.SetLimit(rate.Limit(p.current))
}

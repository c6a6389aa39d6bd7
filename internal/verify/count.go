package verify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"billsync/internal/bill"
)

const (
	// outage is how many requests in a row get no answer before none is made.
	outage = 5
	// tooFast is the same for answers that say that we ask too fast.
	tooFast = 3
	// cappedAt is the count from which a list is suspected to be capped.
	cappedAt = 10_000
)

// A piece is a span that is asked for at once.
type piece struct {
	left, right *edge

	api     int // what the provider counts
	undated int // unreadable items of unknown time that are taken to be here
	stock
}

// A stock is what the database holds of a piece.
type stock struct {
	live, gone          int       // bills, and those that are no longer listed
	dated               int       // unreadable items whose time is known
	nearLeft, nearRight int       // bills, listed or not, that are near an edge
	changed             time.Time // the latest change of a bill
}

func (p *piece) span() bill.Span { return bill.Span{Start: p.left.start(), End: p.right.end()} }

// open is what the provider counts more than is known to be stored, before
// items of unknown time are taken into account.
func (p *piece) open() int { return p.api - p.live - p.dated }

// differs reports whether the counts differ by more than the ends explain.
func (p *piece) differs() bool {
	d := p.open() - p.undated
	return max(d, -d) > p.nearLeft+p.nearRight
}

// A counter asks the provider for counts.
type counter struct {
	*Verifier
	progress func(done, total int)

	mu      sync.Mutex // guards what follows, and the accounts' answered and refused
	silent  int        // requests without an answer, in a row
	slow    int        // answers in a row that say that we ask too fast
	stopped error      // why nothing is asked any more
	flying  map[int]context.CancelFunc
	number  int
	done    int
	total   int
}

// notAsked says why a request was not made.
type notAsked struct{ why string }

func (e *notAsked) Error() string { return "not asked: " + e.why }

// ask counts a span at the provider. An error that is neither a bill.Failure,
// nor a notAsked, nor an oddAnswer ends all work.
func (c *counter) ask(ctx context.Context, a *account, s bill.Span) (int, error) {
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	land, err := c.begin(a, cancel)
	if err != nil {
		return 0, err
	}
	page, err := c.source.QueryBillList(own, a.Account, bill.Query{Start: s.Start, End: s.End, Zone: a.zone, Page: 1, PageSize: 1})
	land()
	if err != nil {
		return 0, c.failed(ctx, a, err)
	}
	c.heard(a, nil)
	return page.TotalCount, odd(page)
}

// begin enters a request that is about to be made.
func (c *counter) begin(a *account, cancel context.CancelFunc) (land func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case a.refused != nil:
		return nil, &notAsked{"the API refuses this account"}
	case c.stopped != nil:
		return nil, &notAsked{c.stopped.Error()}
	}
	c.number++
	n := c.number
	c.flying[n] = cancel
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.flying, n)
	}, nil
}

// heard notes that the provider is there, even if it does not say yes.
func (c *counter) heard(a *account, f *bill.Failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a.answered, c.silent = true, 0
	if f == nil || !f.SlowDown {
		c.slow = 0
	} else if c.slow++; c.slow >= tooFast {
		c.stop(errors.New("the API says that it is asked too fast"))
	}
	if f != nil && f.Outcome == bill.RefusedUs && a.refused == nil {
		a.refused = f
	}
}

// stop ends all asking; what is on its way is not waited for. The caller holds mu.
func (c *counter) stop(why error) {
	if c.stopped != nil {
		return
	}
	c.stopped = why
	for _, cancel := range c.flying {
		cancel()
	}
}

// failed judges a request that was not answered with yes.
func (c *counter) failed(ctx context.Context, a *account, err error) error {
	f, ok := bill.AsFailure(err)
	switch {
	case ok && f.Outcome == bill.NoAnswer:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.silent++; c.silent >= outage {
			c.stop(fmt.Errorf("%d requests in a row got no answer", c.silent))
		}
		return f
	case ok:
		c.heard(a, f)
		return f
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.Canceled): // by stop
		c.mu.Lock()
		defer c.mu.Unlock()
		return &notAsked{c.stopped.Error()}
	}
	return err
}

// isFatal reports whether an error of ask ends all work.
func isFatal(err error) bool {
	var n *notAsked
	var o *oddAnswer
	_, failed := bill.AsFailure(err)
	return err != nil && !failed && !errors.As(err, &n) && !errors.As(err, &o)
}

// An oddAnswer is one that contradicts itself.
type oddAnswer struct{ why string }

func (e *oddAnswer) Error() string { return "the answer does not add up: " + e.why }

// odd judges an answer as the reading of a page would.
func odd(p bill.Page) error {
	n := len(p.Items)
	switch {
	case p.Number > 1:
		return &oddAnswer{fmt.Sprintf("asked for page 1, the API answered page %d", p.Number)}
	case n > p.TotalCount, n == 0 && p.TotalCount > 0:
		return &oddAnswer{fmt.Sprintf("the API counts %d, but lists %d", p.TotalCount, n)}
	}
	return nil
}

// countPieces asks for every piece of a row. A piece whose list is capped is
// replaced by smaller ones.
func (c *counter) countPieces(ctx context.Context, a *account, r *row) error {
	var pieces []*piece
	for _, p := range r.pieces {
		n, err := c.ask(ctx, a, p.span())
		if err != nil {
			return err
		}
		p.api = n
		parts, err := c.uncap(ctx, a, p)
		if err != nil {
			return err
		}
		pieces = append(pieces, parts...)
	}
	r.pieces = pieces
	r.CountedAt = c.now().Truncate(time.Millisecond)
	return nil
}

// uncap checks a count that may have come from a list that ends too early: if
// smaller parts add up to more than the whole, they are what counts. That the
// halves add up proves it only if each has fewer: where all bills lie in one
// half, that may be capped as well.
func (c *counter) uncap(ctx context.Context, a *account, p *piece) ([]*piece, error) {
	if p.api < cappedAt {
		return []*piece{p}, nil
	}
	mid, err := c.middle(ctx, a, p)
	if err != nil || mid == nil {
		return []*piece{p}, err
	}
	older, newer := &piece{left: p.left, right: mid}, &piece{left: mid, right: p.right}
	for _, half := range []*piece{older, newer} {
		if half.api, err = c.ask(ctx, a, half.span()); err != nil {
			return nil, err
		}
	}
	if older.api < p.api && newer.api < p.api && older.api+newer.api <= p.api {
		return []*piece{p}, nil
	}
	parts, err := c.uncap(ctx, a, older)
	if err != nil {
		return nil, err
	}
	more, err := c.uncap(ctx, a, newer)
	if err != nil {
		return nil, err
	}
	parts = append(parts, more...)
	sum := 0
	for _, part := range parts {
		sum += part.api
	}
	if sum <= p.api {
		return []*piece{p}, nil
	}
	return parts, nil
}

// middle finds where to cut a piece in two; nil if it is too short for that.
func (c *counter) middle(ctx context.Context, a *account, p *piece) (*edge, error) {
	lo, hi := p.left.at.Add(time.Second), p.right.at.Add(-time.Second)
	if !lo.Before(hi) {
		return nil, nil
	}
	want := lo.Add(hi.Sub(lo) / 2)
	e := &edge{kind: seam}
	err := c.library.View(ctx, func(b Books) (err error) {
		e.at, e.clean, err = a.find(b, seam, want, latest(lo, want.Add(-reach)), earliest(hi, want.Add(reach)))
		return err
	})
	if !e.clean {
		e.at = want.Truncate(time.Second)
	}
	return e, err
}

// lookUp counts what is stored of pieces, all of them at the same moment.
func (c *counter) lookUp(ctx context.Context, a *account, pieces ...*piece) error {
	return c.library.View(ctx, func(b Books) (err error) {
		for _, p := range pieces {
			if p.stock, err = a.look(b, p.left, p.right); err != nil {
				return err
			}
		}
		return nil
	})
}

// look counts what is stored between two edges.
func (a *account) look(b Books, left, right *edge) (s stock, err error) {
	n, dated, err := a.stored(b, left.since(), right.since())
	if err != nil {
		return s, err
	}
	s = stock{live: n.Live, gone: n.Withdrawn, dated: dated, changed: n.ChangedAt}
	from, to := left.around()
	if s.nearLeft, err = a.near(b, from, to); err != nil {
		return s, err
	}
	since, until := right.around()
	s.nearRight, err = a.near(b, latest(since, to), until)
	return s, err
}

// near counts stored bills, listed or not, from one time to before another.
func (a *account) near(b Books, from, to time.Time) (int, error) {
	if !from.Before(to) {
		return 0, nil
	}
	s, dated, err := a.stored(b, from, to)
	return s.Live + s.Withdrawn + dated, err
}

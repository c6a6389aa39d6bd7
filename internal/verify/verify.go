package verify

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"billsync/internal/bill"
)

// Config is what the counting depends on.
type Config struct {
	Subjects    []Subject
	Zone        *time.Location // offset used in requests
	WindowDays  int            // the most calendar days that are asked for at once
	Concurrency int
	// ItemTime reads the time of an item that is no bill; false if it cannot.
	ItemTime func(raw []byte) (time.Time, bool)
}

// Options say what is counted.
type Options struct {
	// Within leaves out rows for which it returns false. Nil: none.
	Within func(account string, s bill.Span) bool
	// Progress, if set, is told after each row how many of how many are counted.
	Progress func(done, total int)
}

// A Verifier counts.
type Verifier struct {
	cfg     Config
	source  Source
	library Library
	now     func() time.Time
}

// New returns a Verifier that compares what source counts with what is in the
// library.
func New(cfg Config, source Source, library Library, now func() time.Time) *Verifier {
	return &Verifier{cfg, source, library, now}
}

// Windows counts every proved window, and the proved part of the tail.
func (v *Verifier) Windows(ctx context.Context, o Options) (*Result, error) {
	return v.count(ctx, o, func(a *account, b Books, others []bill.Window) error { return a.byWindow(b, others) })
}

// Months counts every calendar month of a zone, proved or not, from the
// beginning of the history to the end of what is proved.
func (v *Verifier) Months(ctx context.Context, zone *time.Location, o Options) (*Result, error) {
	return v.count(ctx, o, func(a *account, b Books, _ []bill.Window) error { return a.byMonth(b, zone) })
}

func (v *Verifier) count(ctx context.Context, o Options, lay func(*account, Books, []bill.Window) error) (*Result, error) {
	accounts, err := v.lay(ctx, o, lay)
	c := &counter{Verifier: v, progress: o.Progress, flying: map[int]context.CancelFunc{}}
	if err == nil {
		err = c.all(ctx, accounts)
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	}
	res := &Result{Stopped: c.stopped}
	for _, a := range accounts {
		a.attribute()
		out := Account{Name: a.Name, Start: a.HistoryStart, Until: a.until(), Refused: a.refused}
		for _, r := range a.rows {
			r.finish()
			out.Rows = append(out.Rows, r.Row)
		}
		res.Accounts = append(res.Accounts, out)
	}
	return res, nil
}

// lay reads the books and lays out the rows.
func (v *Verifier) lay(ctx context.Context, o Options, lay func(*account, Books, []bill.Window) error) ([]*account, error) {
	var accounts []*account
	for _, s := range v.cfg.Subjects {
		a := &account{Subject: s, zone: v.cfg.Zone, days: v.cfg.WindowDays}
		err := v.library.View(ctx, func(b Books) error {
			others, err := a.load(b, v.cfg.ItemTime)
			if err != nil {
				return err
			}
			return lay(a, b, others)
		})
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", s.Name, err)
		}
		if o.Within != nil {
			var rows []*row
			for _, r := range a.rows {
				if o.Within(a.Name, r.Span) {
					rows = append(rows, r)
				}
			}
			a.rows = rows
		}
		accounts = append(accounts, a)
	}
	return accounts, nil
}

// all counts everything. An account's first request goes alone, so that a
// refusal is one answer and not several.
func (c *counter) all(ctx context.Context, accounts []*account) error {
	left := make([][]*row, len(accounts)) // of each account, what is still to be counted
	for i, a := range accounts {
		for _, r := range a.rows {
			if r.Asked {
				left[i] = append(left[i], r)
			}
		}
		c.total += len(left[i])
	}
	err := c.each(ctx, len(accounts), func(ctx context.Context, i int) error {
		for len(left[i]) > 0 && !c.answered(accounts[i]) {
			r := left[i][0]
			left[i] = left[i][1:]
			if err := c.countOne(ctx, accounts[i], r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	type job struct {
		a *account
		r *row
	}
	var jobs []job
	for more := true; more; { // each account in its turn: a slow one does not hold up the others
		more = false
		for i, a := range accounts {
			if len(left[i]) > 0 {
				jobs = append(jobs, job{a, left[i][0]})
				left[i], more = left[i][1:], true
			}
		}
	}
	err = c.each(ctx, len(jobs), func(ctx context.Context, i int) error { return c.countOne(ctx, jobs[i].a, jobs[i].r) })
	if err != nil {
		return err
	}
	return c.each(ctx, len(accounts), func(ctx context.Context, i int) error { return c.settleSeams(ctx, accounts[i]) })
}

// each calls fn for 0 to n-1, several at a time, and stops at the first error.
func (c *counter) each(ctx context.Context, n int, fn func(ctx context.Context, i int) error) error {
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(c.cfg.Concurrency)
	for i := range n {
		if within.Err() != nil {
			break
		}
		g.Go(func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = fmt.Errorf("panic: %v", p)
				}
			}()
			return fn(within, i)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

func (c *counter) answered(a *account) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return a.answered
}

// countOne counts a row and tells so.
func (c *counter) countOne(ctx context.Context, a *account, r *row) error {
	if err := c.countRow(ctx, a, r); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	if c.progress != nil {
		c.progress(c.done, c.total)
	}
	return nil
}

package syncer

import (
	"context"
	"fmt"
	"time"

	"billsync/internal/bill"
)

// Books is what Preview reads of a database: a part of Tx.
type Books interface {
	AccountState(account string) (bill.AccountState, error)
	Windows(account string) ([]bill.Window, error)
	Tail(account string) (*bill.Tail, error)
	Chases(account string) (map[int64]bill.Chase, error)
	OpenRejected(account string) (int, error)
	CountUnreadable(account string, window int64) (int, error)
	ReadingPass(account string, window int64) (*bill.Pass, error)
	CountByStatus(account string, from, to time.Time) (map[string]int, error)
}

// A Step is one span that a run would read.
type Step struct {
	Account string
	Span    bill.Span
	Tail    bool
	Chase   bool // only counts and small sets are asked for
	Reread  bool // proved before
	From    int  // first page to be asked for, if a pass goes on
	Bills   int  // expected; -1: not known
	Known   bool // Bills was counted by the API, not estimated

	stored map[string]int // of a chase: bills by status
}

// Requests returns how many requests the step is expected to need, at a page
// size; where nothing is known it is the one that tells.
func (s Step) Requests(pageSize int) int {
	if s.Chase {
		return chaseRequests(s.stored, pageSize)
	}
	pages := max(1, pagesOf(s.Bills, pageSize))
	if s.From > 1 {
		return max(1, pages-s.From+2) // the last stored page is asked for again
	}
	if _, _, ok := s.Span.Halve(); ok && s.Bills >= cappedAt {
		pages += 2 // both halves are counted: is the list cut short?
	}
	return pages
}

// Preview says what Run would read now. It changes nothing. A nil Books stands
// for a database that is not there yet.
func (s *Syncer) Preview(from Books, o Options) ([]Step, error) {
	now := s.now()
	var steps []Step
	for _, c := range s.cfg.Accounts {
		if !o.names(c.Name) {
			continue
		}
		var b books
		if from != nil {
			var err error
			if b, err = loadBooks(from, c.Name); err != nil {
				return nil, err
			}
		}
		p := plan(b, s.cfg.rules(c.HistoryStart, now), o.Scope, s.cfg.refreshDue(b, now), now)
		perDay := density(b.windows)
		if p.tailDue {
			steps = append(steps, Step{Account: c.Name, Span: p.span, Tail: true, Bills: expected(p.span, perDay)})
		}
		for _, w := range p.queue {
			st := Step{Account: c.Name, Span: w.Span, Reread: w.State == bill.Done, Bills: expected(w.Span, perDay)}
			if end := now.Add(-settle); w.OpenEnd && end.Before(st.Span.End) {
				st.Span.End = end
				st.Bills = expected(st.Span, perDay)
			}
			if w.TotalCount != nil {
				st.Bills, st.Known = *w.TotalCount, true
			}
			if from != nil && w.ID != 0 {
				pass, err := from.ReadingPass(c.Name, w.ID)
				if err != nil {
					return nil, err
				}
				if pass != nil && pass.NextPage > 1 && now.Sub(pass.TouchedAt) < maxPause {
					st.From, st.Bills, st.Known = pass.NextPage, pass.Total, true
				}
			}
			steps = append(steps, st)
		}
		for _, job := range p.chases {
			st := Step{Account: c.Name, Span: job.span, Chase: true, Reread: true, Bills: -1}
			var err error
			inner := sure(job.span)
			if st.stored, err = from.CountByStatus(c.Name, inner.Start, inner.End); err != nil {
				return nil, err
			}
			steps = append(steps, st)
		}
	}
	return steps, nil
}

// density returns how many bills a day has, from the newest window that was
// counted; -1 if none was.
func density(windows []bill.Window) float64 {
	for i := range windows {
		if w := &windows[i]; w.TotalCount != nil && w.End.After(w.Start) {
			return float64(*w.TotalCount) / max(1.0/24, w.End.Sub(w.Start).Hours()/24)
		}
	}
	return -1
}

func expected(s bill.Span, perDay float64) int {
	if perDay < 0 {
		return -1
	}
	return int(perDay*s.End.Sub(s.Start).Hours()/24 + 0.5)
}

// Probe asks the API how many bills each step has: one small request a step.
func (s *Syncer) Probe(ctx context.Context, steps []Step) error {
	for i := range steps {
		st := &steps[i]
		if st.From > 1 || st.Chase {
			continue
		}
		for _, c := range s.cfg.Accounts {
			if c.Name != st.Account {
				continue
			}
			p, err := s.source.QueryBillList(ctx, c.Account, bill.Query{
				Start: st.Span.Start, End: st.Span.End, Zone: s.cfg.Zone, Page: 1, PageSize: 1,
			})
			if err != nil {
				return fmt.Errorf("counting %s, %s: %w", st.Account, st.Span.Start.Format(time.DateOnly), err)
			}
			st.Bills, st.Known = p.TotalCount, true
		}
	}
	return nil
}

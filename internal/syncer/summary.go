package syncer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"billsync/internal/bill"
)

// Account is what a run did for one account and what its books look like
// afterwards, judged from the database.
type Account struct {
	Name    string
	Refresh bool // the run was a refresh of it
	Proved  int  // windows and tails proved by this run
	Chased  int  // windows whose changes were looked for by counts
	New     int
	Changed int
	// Withdrawn bills are listed no longer; returned ones are listed again.
	Withdrawn, Returned int
	Read                int
	Bills               int       // items the proved windows of this run hold, each window by itself
	Until               time.Time // everything is proved up to here; zero if nothing is
	Open                []Trouble // what keeps it from being complete
	Refused             *bill.Failure
	Rejected            int    // items nobody could understand and nobody has accepted
	Accepted            int    // windows without a proof, which a person has accepted
	Quiet               string // that nothing was found where something usually is; empty: it was

	judged bool // the database was asked; a run that failed came not so far
}

// Complete reports whether everything asked for is proved.
func (a *Account) Complete() bool {
	return a.judged && a.Refused == nil && a.Rejected == 0 && len(a.Open) == 0
}

// A Trouble is a part of an account's history that is not proved.
type Trouble struct {
	Span  bill.Span
	Tail  bool
	State bill.State
	Until time.Time // asked again then; zero: by the next run, if it waits
	Why   string
}

// Summary is how a run ended.
type Summary struct {
	Run      bill.Run
	Accounts []Account
	Stopped  error // why the run asked no further; nil if it did all it could
	// ClockAhead is how far this machine's clock is ahead of the provider's; 0
	// if that is within what does not matter.
	ClockAhead time.Duration
}

// Complete reports whether everything asked for is proved.
func (s *Summary) Complete() bool {
	for i := range s.Accounts {
		if !s.Accounts[i].Complete() {
			return false
		}
	}
	return s.Stopped == nil
}

// Refused reports whether the provider refused one of the accounts for a reason
// that only a person can mend.
func (s *Summary) Refused() bool {
	for i := range s.Accounts {
		if s.Accounts[i].Refused != nil {
			return true
		}
	}
	return false
}

// Outcome is the word for the run's row.
func (s *Summary) Outcome() string {
	switch {
	case s.Refused():
		return "refused"
	case !s.Complete():
		return "incomplete"
	}
	return "complete"
}

// Reason says in a line why the run is not complete; empty if it is.
func (s *Summary) Reason() string {
	var parts []string
	if s.Stopped != nil {
		parts = append(parts, s.Stopped.Error())
	}
	for i := range s.Accounts {
		a := &s.Accounts[i]
		switch {
		case a.Refused != nil:
			parts = append(parts, a.Name+": "+a.Refused.Error())
		case !a.Complete():
			parts = append(parts, fmt.Sprintf("%s: %s", a.Name, a.describe()))
		}
	}
	return strings.Join(parts, "; ")
}

func (a *Account) describe() string {
	var parts []string
	count := map[bill.State]int{}
	for _, t := range a.Open {
		count[t.State]++
	}
	for _, s := range []bill.State{bill.Failed, bill.Waiting, bill.Reading, bill.Pending, bill.Done} {
		if n := count[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, stateWord(s, n)))
		}
	}
	if a.Rejected > 0 {
		parts = append(parts, fmt.Sprintf("%d not understood", a.Rejected))
	}
	return strings.Join(parts, ", ")
}

func stateWord(s bill.State, n int) string {
	noun := "windows"
	if n == 1 {
		noun = "window"
	}
	switch s {
	case bill.Failed:
		return noun + " failed"
	case bill.Waiting:
		return noun + " waiting"
	case bill.Done:
		return noun + " to be read again"
	}
	return noun + " not read yet"
}

// Progress is how a run is going.
type Progress struct {
	Account  string // whose answer came last
	Window   string // and for which span
	Page     int    // pages of that window stored
	Pages    int    // pages it has; 0: not known yet
	Proved   int    // windows and tails proved by this run, over all accounts
	Total    int    // windows and tails that are due
	Read     int    // items received
	New      int
	Changed  int
	Requests int64
	Chased   int     // windows whose changes were looked for by counts
	Share    float64 // how much is done, 0 to 1; windows count alike; 1 only when all is proved
}

// tell reports progress to whoever watches.
func (e *engine) tell() {
	if e.progress == nil {
		return
	}
	p := Progress{Read: e.run.Read, New: e.run.New, Changed: e.run.Changed, Requests: e.desk.source.Requests() - e.requestsBefore}
	share := 0.0
	for _, a := range e.accounts {
		p.Proved += a.stats.Proved
		p.Chased += a.stats.Chased
		p.Total += a.total
		for _, r := range a.active {
			if r.pass.Pages > 0 {
				share += 0.99 * float64(r.pass.NextPage-1) / float64(r.pass.Pages)
			}
		}
	}
	if e.last != nil {
		p.Account, p.Window = e.last.acct.Name, e.last.name()
		p.Page, p.Pages = e.last.pass.NextPage-1, e.last.pass.Pages
	}
	if p.Total > 0 {
		p.Share = min(1, (float64(p.Proved+p.Chased)+share)/float64(p.Total))
	}
	e.progress(p)
}

func (e *engine) pageStored(r *reading, items int) {
	r.acct.stats.Read += items
	e.last = r
	e.log.Debug().Str("account", r.acct.Name).Str("window", r.name()).Int("page", r.pass.NextPage-1).Int("pages", r.pass.Pages).
		Int("bills", items).Msg("page stored")
}

func (e *engine) billNew(r *reading) {
	e.run.New++
	r.acct.stats.New++
}

func (e *engine) billChanged(r *reading) {
	e.run.Changed++
	r.acct.stats.Changed++
}

func (e *engine) billReturned(r *reading) {
	e.run.Returned++
	r.acct.stats.Returned++
}

// windowProved counts a proof. Once the newest window is proved for the first
// time, the tail carries on when the schedule asks for the next run.
func (e *engine) windowProved(r *reading) {
	a := r.acct
	a.stats.Proved++
	if r.win == nil {
		a.tailOwed, a.tailRead = false, true
		a.tailListed, a.tailGone = r.pass.Total, r.withdrawn
		if !a.tail.RereadAt.IsZero() && !a.tail.NeedsPerson() {
			// What is wanted is to read it from its beginning.
			a.tailOwed, a.tailDueAt = true, e.now()
		}
		if r.pass.End.Before(e.run.StartedAt.Add(-settle - time.Minute)) {
			// It was begun by an earlier run: what came since is read now.
			a.tailOwed, a.tailDueAt = true, e.now()
		}
	}
	a.stats.Bills += r.pass.Total
	wanted := a.tail != nil && (e.scope.beyond(a.tail.CoveredFrom) ||
		e.scope.Retry && (a.tail.State == bill.Waiting || a.tail.State == bill.Failed))
	if r.win != nil && wanted && a.tailDueAt.IsZero() && r.win.End.Equal(a.tail.CoveredFrom) {
		// Its end may be long ago: then the tail is still to be read now.
		a.tailDueAt = e.cfg.NextSync(r.win.End.Add(settle))
		if a.tail.State == bill.Waiting || a.tail.State == bill.Failed {
			a.tailDueAt = e.now()
		}
		a.tailOwed = !a.tailDueAt.IsZero() && !a.tailDueAt.After(e.now())
	}
	e.log.Info().Str("account", a.Name).Str("window", r.name()).Int("bills", r.pass.Total).Int("pages", r.pass.Pages).Msg("window proved")
}

// judge finds out from the database what of an account is not proved, and
// whether its refresh is over.
func (e *engine) judge(tx Tx, a *account, o Options) error {
	b, err := loadBooks(tx, a.Name)
	if err != nil {
		return err
	}
	healed, err := e.heal(tx, a, b)
	if err != nil {
		return err
	}
	if healed {
		if b, err = loadBooks(tx, a.Name); err != nil {
			return err
		}
	}
	s := &a.stats
	s.judged, s.Refused = true, a.refused
	if s.Rejected, err = tx.OpenRejected(a.Name); err != nil {
		return err
	}
	for i := range b.windows {
		w := &b.windows[i]
		if !o.covers(w) {
			continue
		}
		switch {
		case !w.AcceptedAt.IsZero() && (w.State != bill.Done || !w.RereadFailedAt.IsZero()):
			s.Accepted++
		case w.State != bill.Done || !w.RereadAt.IsZero() || a.failed[w.ID]:
			s.Open = append(s.Open, Trouble{Span: w.Span, State: w.State, Until: w.NextAttemptAt, Why: w.LastError})
		}
	}
	if t := b.tail; t != nil {
		s.Until = t.CoveredFrom
		if t.ProvedUntil.After(s.Until) {
			s.Until = t.ProvedUntil
		}
		span := bill.Span{Start: t.CoveredFrom, End: e.run.StartedAt}
		if o.Windows != nil && !slices.Contains(o.Windows, 0) {
			return nil
		}
		if (t.State == bill.Waiting || t.State == bill.Failed || a.tailOwed) && (o.Span.Start.IsZero() || span.Overlaps(o.Span)) {
			s.Open = append(s.Open, Trouble{Span: span, Tail: true, State: t.State, Until: t.NextAttemptAt, Why: t.LastError})
		}
	}
	if t := b.tail; t != nil && !e.scope.limited() && a.provedBefore.After(e.run.StartedAt) && !healed {
		s.Open = append(s.Open, Trouble{Span: bill.Span{Start: t.CoveredFrom, End: t.ProvedUntil}, Tail: true, State: t.State,
			Why: "this machine's clock says " + e.run.StartedAt.UTC().Format(time.RFC3339) + ", which is before the last proof: nothing new was asked for; set the clock right"})
	}
	if from, to := latest(o.Span.Start, a.rules.historyStart), e.run.StartedAt.Add(-settle-5*time.Second); !o.Span.Start.IsZero() && len(s.Open)+s.Accepted == 0 && a.refused == nil {
		if o.Span.End.Before(to) {
			to = o.Span.End
		}
		if gap, ok := uncovered(b, from, to); ok && from.Before(to) {
			s.Open = append(s.Open, Trouble{Span: gap, State: bill.Pending, Why: "not read yet; the next run reads it"})
		}
	}
	if healed && len(s.Open) == 0 {
		s.Open = append(s.Open, Trouble{Span: bill.Span{Start: b.tail.CoveredFrom, End: e.run.StartedAt}, Tail: true, State: bill.Pending,
			Why: "an earlier run's clock was ahead; the next run reads again what it claimed"})
	}
	end := a.rules.historyStart
	if b.tail != nil {
		end = latest(b.tail.CoveredFrom, b.tail.ProvedUntil)
	}
	if gap, ok := uncovered(b, a.rules.historyStart, end); ok && len(s.Open) == 0 && !e.scope.limited() && a.refused == nil {
		s.Open = append(s.Open, Trouble{Span: gap, State: bill.Pending, Why: "no window covers this time yet; the next run reads it"})
	}
	e.judgeChases(a, b)
	open, err := e.closeRefresh(tx, a, b)
	if err != nil {
		return err
	}
	if open && !e.scope.limited() && len(s.Open) == 0 && s.Refused == nil && e.stopped == nil {
		s.Open = append(s.Open, Trouble{Span: bill.Span{Start: a.rules.historyStart, End: e.run.StartedAt}, State: bill.Pending,
			Why: "the refresh is not finished; the next run goes on with it"})
	}
	return e.judgeQuiet(tx, a, b)
}

// judgeChases names the windows whose changes could not be looked for.
func (e *engine) judgeChases(a *account, b books) {
	if e.scope.limited() && !e.scope.Retry {
		return
	}
	spans := map[int64]bill.Span{}
	for i := range b.windows {
		spans[b.windows[i].ID] = b.windows[i].Span
	}
	if t := b.tail; t != nil {
		spans[0] = bill.Span{Start: t.CoveredFrom, End: e.run.StartedAt.Add(-a.rules.refresh)}
	}
	for _, id := range slices.Sorted(maps.Keys(b.chases)) {
		if c := b.chases[id]; c.AcceptedAt.IsZero() && (c.State == bill.Waiting || c.State == bill.Failed) {
			a.stats.Open = append(a.stats.Open, Trouble{Span: spans[id], State: c.State, Until: c.NextAttemptAt,
				Why: "looking for changed bills: " + c.LastError})
		}
	}
}

// judgeQuiet notices that a run which read the tail found nothing although
// there usually is something: either the provider lists nothing of what it
// listed before, or for three times as long as ever before nothing came.
func (e *engine) judgeQuiet(tx Tx, a *account, b books) error {
	t := b.tail
	if t == nil || !a.tailRead {
		return nil
	}
	if a.tailListed == 0 && a.tailGone > 0 {
		a.stats.Quiet = fmt.Sprintf("the API lists nothing in the days before %s, where %d bills were stored; a lapsed grant looks like that",
			t.ProvedUntil.In(a.rules.zone).Format(time.DateOnly), a.tailGone)
	} else {
		q, err := tx.Quiet(a.Name, latest(t.CoveredFrom, t.ProvedUntil))
		if err != nil {
			return err
		}
		a.stats.Quiet = q.String()
	}
	if a.stats.Quiet != "" {
		e.log.Warn().Str("account", a.Name).Str("reason", a.stats.Quiet).Msg("nothing was found where something usually is")
	}
	return nil
}

// uncovered returns a part of a span of history that no proof covers. It is the
// last word on whether an account is complete, whatever the states of windows
// say.
func uncovered(b books, from, end time.Time) (bill.Span, bool) {
	var spans []bill.Span
	for i := range b.windows {
		if b.windows[i].State == bill.Done || !b.windows[i].AcceptedAt.IsZero() {
			spans = append(spans, b.windows[i].Span)
		}
	}
	if t := b.tail; t != nil {
		spans = append(spans, bill.Span{Start: t.CoveredFrom, End: latest(t.CoveredFrom, t.ProvedUntil)})
	}
	slices.SortFunc(spans, func(x, y bill.Span) int { return x.Start.Compare(y.Start) })
	reach := from
	for _, s := range spans {
		if s.Start.After(reach) && reach.Before(end) {
			return bill.Span{Start: reach, End: s.Start}, true
		}
		reach = latest(reach, s.End)
	}
	return bill.Span{Start: reach, End: end}, reach.Before(end) || len(spans) == 0
}

// closeRefresh records that the past was read again once nothing of it is
// outstanding; what failed or waits has a schedule of its own. A finished
// backfill counts as a refresh.
func (e *engine) closeRefresh(tx Tx, a *account, b books) (open bool, err error) {
	open = !b.RefreshWantedAt.IsZero()
	if a.refused != nil || e.stopped != nil || e.scope.limited() || a.tailOwed || len(a.queue)+len(a.chases)+len(a.active) > 0 {
		return open, nil
	}
	for i := range b.windows {
		w := &b.windows[i]
		if !w.RereadAt.IsZero() && w.LastError == "" {
			return open, nil
		}
		if open && w.State == bill.Done && w.RereadAt.IsZero() && !b.followed(w.ID, w.ProvedAt) {
			return open, nil
		}
	}
	if t := b.tail; open && t != nil && t.State == bill.Done && !t.RereadAt.IsZero() {
		return open, nil
	}
	if t := b.tail; open && t != nil && t.State == bill.Done && t.ProvedUntil.After(t.CoveredFrom) && !b.followed(0, t.AuditedAt) {
		return open, nil
	}
	refreshed := b.RefreshedAt
	if !refreshed.IsZero() && !b.RefreshWantedAt.IsZero() || refreshed.IsZero() && backfilled(b) {
		refreshed = e.run.StartedAt
	}
	if refreshed.Equal(b.RefreshedAt) && b.RefreshWantedAt.IsZero() {
		return false, nil
	}
	return false, tx.SaveRefresh(a.Name, time.Time{}, refreshed)
}

// followed reports whether the refresh under way has looked for changes in a
// window (0: the older part of the tail) that was last read in full at a given
// time. A look that waits or failed has a schedule of its own.
func (b *books) followed(window int64, read time.Time) bool {
	c := b.chases[window]
	return !read.Before(b.RefreshWantedAt) || !c.ProvedAt.Before(b.RefreshWantedAt) || c.State == bill.Waiting || c.State == bill.Failed
}

func (e *engine) summary() Summary {
	sum := Summary{Run: *e.run, Stopped: e.stopped}
	if e.skew.Abs() > clockTolerance {
		sum.ClockAhead = -e.skew
	}
	for _, a := range e.accounts {
		sum.Accounts = append(sum.Accounts, a.stats)
	}
	return sum
}

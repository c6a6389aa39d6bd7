package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"billsync/internal/config"
	"billsync/internal/store"
	"billsync/internal/syncer"
)

// SyncOptions say what one run is about.
type SyncOptions struct {
	Trigger   string
	Accounts  []string
	From, To  config.Date // the zero Date: no limit
	Refresh   bool
	Scheduled bool // the schedule asks for the refresh: one under way goes on
	Full      bool
	Retry     bool
	RetryNow  bool
	DueOnly   bool    // of a retry: leave out what failed
	Windows   []int64 // only these, read again; 0 is the tail
	Progress  func(syncer.Progress)
}

// scope translates the options into what the work understands.
func (a *App) scope(o SyncOptions) (syncer.Scope, error) {
	s := syncer.Scope{Refresh: o.Refresh, Scheduled: o.Scheduled, Full: o.Full, Retry: o.Retry, RetryNow: o.RetryNow, DueOnly: o.DueOnly, Windows: o.Windows}
	accounts, err := a.accounts(o.Accounts)
	if err != nil {
		return s, err
	}
	none := config.Date{}
	if o.From == none && o.To == none {
		return s, nil
	}
	zone := a.cfg.Sync.Timezone
	s.Span.Start, s.Span.End = time.Unix(0, 0), a.now()
	if o.From != none {
		s.Span.Start = o.From.Midnight(zone)
	}
	if o.To != none {
		s.Span.End = o.To.Midnight(zone).AddDate(0, 0, 1).Add(-time.Second)
	}
	switch {
	case s.Span.Start.After(a.now()):
		return s, &InputError{fmt.Sprintf("--from %s is in the future", o.From), "there are no bills yet"}
	case s.Span.End.Before(s.Span.Start):
		return s, &InputError{fmt.Sprintf("--from %s is after --to %s", o.From, o.To), "both days are included; --from comes first"}
	}
	for _, c := range accounts {
		if !s.Span.End.Before(a.cfg.HistoryStart(c)) {
			return s, nil
		}
	}
	return s, &InputError{fmt.Sprintf("--to %s is before history_start", o.To), "move history_start back in the configuration, then sync"}
}

// Sync does one run. The error says, with its exit code, why not everything
// asked for is complete and proved; the Summary tells what was done either way.
func (a *App) Sync(ctx context.Context, o SyncOptions) (syncer.Summary, error) {
	scope, err := a.scope(o)
	if err != nil {
		return syncer.Summary{}, err
	}
	client, err := a.source()
	if err != nil {
		return syncer.Summary{}, err
	}
	path := a.cfg.Database.URL
	if err := store.Check(ctx, path); err != nil {
		return syncer.Summary{}, withCode(err)
	}
	switch there, err := store.Exists(ctx, path); {
	case err != nil:
		return syncer.Summary{}, withCode(err)
	case !there && o.Retry:
		return syncer.Summary{}, errNothingToRetry()
	}
	lock, err := store.TryLock(path, o.Trigger, a.now())
	if err != nil {
		return syncer.Summary{}, a.busy(err)
	}
	defer a.logged("giving the lock back", lock.Unlock)
	st, err := store.Open(ctx, path, a.cfg.Report.Timezone)
	if err != nil {
		return syncer.Summary{}, withCode(err)
	}
	defer a.logged("closing the database", st.Close)
	st.ShareWrites(&a.writes)
	if err := st.ClaimOrigin(ctx, a.origin, a.historyStart, a.now()); err != nil {
		return syncer.Summary{}, withCode(err)
	}
	if err := st.AdoptReportZone(ctx); err != nil {
		return syncer.Summary{}, withCode(err)
	}
	a.beginTokens()
	a.renewDue(ctx, o.Accounts)
	sum, err := a.newSyncer(careful{client}, st).Run(ctx, syncer.Options{
		Trigger: o.Trigger, Accounts: o.Accounts, Scope: scope, Progress: o.Progress,
	})
	a.logRun(sum, err)
	if err != nil {
		return sum, withCode(err)
	}
	if err := a.settleInbox(ctx, st); err != nil {
		return sum, withCode(err)
	}
	switch err := a.post(ctx, st); {
	case err != nil && ctx.Err() != nil:
		// The run is whole; what was not summed any more is summed before it is read.
	case errors.Is(err, store.ErrTooMuch):
		a.log.Error().Err(err).Msg("the books cannot be summed") // the bills are there all the same; a report says it again
	case err != nil:
		return sum, withCode(err)
	}
	return sum, a.verdict(sum)
}

// errNothingToRetry says that a retry comes before the first sync.
func errNothingToRetry() error {
	return &InputError{"nothing to retry: there is no database yet", "run syncer sync"}
}

func (a *App) historyStart(account string) time.Time {
	c, _ := a.cfg.Account(account)
	return a.cfg.HistoryStart(c)
}

// logged runs the end of something; an error there changes no result.
func (a *App) logged(doing string, end func() error) {
	if err := end(); err != nil {
		a.log.Error().Err(err).Msg(doing)
	}
}

// logRun writes the one line a run leaves in the log.
func (a *App) logRun(sum syncer.Summary, err error) {
	r := sum.Run
	line := a.log.Info()
	if err != nil {
		line = a.log.Error().Err(err)
	} else if !sum.Complete() {
		line = a.log.Warn().Str("reason", r.Error)
	}
	line.Int64("run", r.ID).Str("trigger", r.Trigger).Str("outcome", r.Outcome).Int64("requests", r.Requests).
		Int("bills", r.Read).Int("new", r.New).Int("changed", r.Changed).Int("withdrawn", r.Withdrawn).Int("returned", r.Returned).
		Int64("took_ms", r.FinishedAt.Sub(r.StartedAt).Milliseconds()).Msg("run ended")
}

// verdict turns what is not complete into an error with its exit code.
func (a *App) verdict(sum syncer.Summary) error {
	switch {
	case sum.Refused():
		var advice []string
		for _, acct := range sum.Accounts {
			if acct.Refused != nil {
				advice = append(advice, acct.Refused.Advice)
			}
		}
		return &Verdict{4, sum.Reason(), strings.Join(compact(advice), "; ")}
	case !sum.Complete():
		return &Verdict{3, sum.Reason(), a.nextStep(sum)}
	}
	return nil
}

func compact(list []string) []string {
	var out []string
	for _, s := range list {
		if s != "" && (len(out) == 0 || out[len(out)-1] != s) {
			out = append(out, s)
		}
	}
	return out
}

// nextStep says how an incomplete run goes on.
func (a *App) nextStep(sum syncer.Summary) string {
	var until time.Time
	failed, rejected := false, false
	for _, acct := range sum.Accounts {
		rejected = rejected || acct.Rejected > 0
		for _, t := range acct.Open {
			failed = failed || t.State == "failed"
			if !t.Until.IsZero() && (until.IsZero() || t.Until.Before(until)) {
				until = t.Until
			}
		}
	}
	switch {
	case sum.Stopped != nil:
		return "nothing is lost: running it again continues from the checkpoint"
	case failed:
		return "\"syncer status\" says what failed and what to do; \"syncer retry\" asks again"
	case !until.IsZero():
		return "running it again after " + until.In(a.cfg.Report.Timezone).Format("2006-01-02 15:04:05 -07:00") + " asks for what waits; the daemon does so by itself"
	case rejected:
		return "\"syncer status\" shows what could not be understood; \"syncer accept item:ID --note TEXT\" lets it be"
	}
	return "running it again continues from the checkpoint; \"syncer status\" says what is missing"
}

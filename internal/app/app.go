// Package app wires the parts together: it is the only one that sees the
// provider's client, the database and the work side by side. Each command of
// the program is a method here; the command line only reads flags and prints.
package app

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"billsync/internal/bill"
	"billsync/internal/config"
	"billsync/internal/merchant"
	"billsync/internal/schedule"
	"billsync/internal/simulator"
	"billsync/internal/store"
	"billsync/internal/syncer"
	"billsync/internal/worldfirst"

	"github.com/rs/zerolog"
)

// An App is the program with its configuration, before any work.
type App struct {
	cfg    *config.Config
	log    zerolog.Logger
	now    func() time.Time
	getenv func(string) string
	pause  time.Duration

	client *worldfirst.Client
	sim    *simulator.Server // nil unless the built-in simulator is asked
	book   simulator.Book    // what it answers from
	origin store.Origin
	keys   keys

	writes sync.Mutex      // whose turn it is to write to the database
	box    *syncer.Mailbox // of the daemon; nil unless it receives notifications

	namesOnce func() (*merchant.Normaliser, error)

	renewals map[string]*renewal // by account; never changed after New
	frozen   bool                // nothing is written: no token is renewed

	tokensThere bool // each account's token was there
}

// keys are what messages are signed and checked with.
type keys struct {
	clientID string
	version  int
	own      *rsa.PrivateKey
	server   []*rsa.PublicKey
}

// Options are what an App needs beside its configuration.
type Options struct {
	Log    zerolog.Logger
	Now    func() time.Time // nil: time.Now
	Getenv func(string) string
	// RetryWait is the pause before a request without an answer is sent again;
	// 0: the client's own.
	RetryWait time.Duration
}

// New returns an App for a configuration. Nothing is opened yet.
func New(cfg *config.Config, o Options) *App {
	a := &App{cfg: cfg, log: o.Log, now: o.Now, getenv: o.Getenv, pause: o.RetryWait}
	if a.now == nil {
		a.now = time.Now
	}
	if a.getenv == nil {
		a.getenv = os.Getenv
	}
	a.namesOnce = sync.OnceValues(a.readNames)
	a.renewals = make(map[string]*renewal)
	for _, c := range cfg.Accounts {
		a.renewals[c.Name] = new(renewal)
	}
	return a
}

// Close ends what was started.
func (a *App) Close() error {
	if a.client != nil {
		a.client.Close()
	}
	if a.sim != nil {
		return a.sim.Close()
	}
	return nil
}

// DatabasePath returns where the bills are kept.
func (a *App) DatabasePath() string { return a.cfg.Database.URL }

// accounts returns the accounts that are enabled, all or those named.
func (a *App) accounts(names []string) ([]config.Account, error) {
	if len(names) == 0 {
		return a.cfg.Enabled(), nil
	}
	var out []config.Account
	for _, n := range names {
		c, ok := a.cfg.Account(n)
		switch {
		case !ok:
			var known []string
			for _, x := range a.cfg.Accounts {
				known = append(known, x.Name)
			}
			return nil, &InputError{fmt.Sprintf("there is no account %q", n), "accounts in the configuration: " + strings.Join(known, ", ")}
		case !c.Enabled:
			return nil, &InputError{fmt.Sprintf("account %q is switched off", n), "set enabled = true in its [[account]]"}
		}
		out = append(out, c)
	}
	return out, nil
}

func vocabulary(c config.Account) bill.Account {
	return bill.Account{Name: c.Name, ConnectedCustomerID: c.ConnectedCustomerID, ConnectedAccountID: c.ConnectedAccountID}
}

// newSyncer returns the work for the accounts that are enabled.
func (a *App) newSyncer(source syncer.Source, st *store.Store) *syncer.Syncer {
	s := a.cfg.Sync
	cfg := syncer.Config{
		Zone: s.Timezone, WindowDays: s.WindowDays, PageSize: s.PageSize,
		Tail: time.Duration(s.TailDays) * 24 * time.Hour, Refresh: time.Duration(s.RefreshDays) * 24 * time.Hour,
		Audit:         time.Duration(s.AuditDays) * 24 * time.Hour,
		RetrySchedule: s.RetrySchedule, Concurrency: a.cfg.API.Concurrency, Decode: worldfirst.DecodeItem, DecodeList: worldfirst.DecodeList,
	}
	for _, c := range a.cfg.Enabled() {
		cfg.Accounts = append(cfg.Accounts, syncer.AccountConfig{Account: vocabulary(c), HistoryStart: a.cfg.HistoryStart(c)})
	}
	if expr := a.cfg.Schedule.Sync; expr != "" {
		cfg.NextSync = func(t time.Time) time.Time { return a.next(expr, t) }
	}
	if expr := a.cfg.Schedule.Refresh; expr != "" {
		cfg.NextRefresh = func(t time.Time) time.Time { return a.next(expr, t) }
	}
	return syncer.New(cfg, source, storeFor{st}, a.log, a.now)
}

// next returns when a schedule's expression is due after t; the zero time if
// it never is.
func (a *App) next(expr string, t time.Time) time.Time {
	if due := schedule.Next(expr, a.cfg.Schedule.Timezone, t, 1); len(due) == 1 {
		return due[0]
	}
	return time.Time{}
}

// storeFor lets the work see the store through the interface it asks for.
type storeFor struct{ *store.Store }

func (s storeFor) Update(ctx context.Context, fn func(syncer.Tx) error) error {
	return s.Store.Update(ctx, func(t *store.Tx) error { return fn(t) })
}

// An InputError says that the command line, the configuration or a file it
// names is wrong: exit code 2.
type InputError struct {
	Reason string
	Advice string
}

func (e *InputError) Error() string { return e.Reason }

// Hint says what to do about it.
func (e *InputError) Hint() string { return e.Advice }

// ExitCode is 2.
func (e *InputError) ExitCode() int { return 2 }

// A Verdict says that a run is done but not complete, or refused.
type Verdict struct {
	Code   int // 3 or 4
	Reason string
	Advice string
}

func (e *Verdict) Error() string { return e.Reason }

// Hint says what to do about it.
func (e *Verdict) Hint() string { return e.Advice }

// ExitCode is 3 if something waits, failed or does not add up, and 4 if the API
// refuses us.
func (e *Verdict) ExitCode() int { return e.Code }

// coded gives an error of another package its exit code.
type coded struct {
	error
	code int
}

func (e *coded) ExitCode() int { return e.code }
func (e *coded) Unwrap() error { return e.error }

// Hint passes the hint of the error on.
func (e *coded) Hint() string {
	var h interface{ Hint() string }
	if errors.As(e.error, &h) {
		return h.Hint()
	}
	return ""
}

// withCode gives the store's errors their exit codes.
func withCode(err error) error {
	var input *store.InputError
	var usage *store.UsageError
	var busy *store.BusyError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &input), errors.As(err, &usage):
		return &coded{err, 2}
	case errors.As(err, &busy):
		return &coded{err, 5}
	}
	return err
}

// busy is withCode for the error of a lock, told in the report's time zone.
func (a *App) busy(err error) error {
	var busy *store.BusyError
	if errors.As(err, &busy) {
		busy.Zone = a.cfg.Report.Timezone
	}
	return withCode(err)
}

// SetLog replaces the logger, for as long as a progress bar stands between it
// and the terminal. It must come before the first use of the App.
func (a *App) SetLog(log zerolog.Logger) { a.log = log }

package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"billsync/internal/bill"
	"billsync/internal/config"
	"billsync/internal/token"
	"billsync/internal/worldfirst"
)

const (
	// lockSlack is how much longer than one request another process is waited
	// for.
	lockSlack = 15 * time.Second
	// askedGrace is how long an answer that holds tokens is waited for after the
	// program was told to stop: it cannot be had a second time.
	askedGrace = 5 * time.Second

	// minRenewPause and maxRenewPause bound the pause after a refresh that got
	// no answer.
	minRenewPause = 5 * time.Minute
	maxRenewPause = 160 * time.Minute
	// refusedPause is the pause after one that was refused, while the token
	// still lives: as with bills, what is refused is asked once more a day.
	refusedPause = 24 * time.Hour
	// soonPause is the pause after new tokens that are due at once.
	soonPause = time.Hour
)

// A renewal is what is known in this process of an account's refreshes. Its
// lock is held while one is under way.
type renewal struct {
	mu        sync.Mutex
	renewed   string    // the token that was renewed in this run
	failedFor string    // the token whose refresh failed last
	failed    error     // how
	inThisRun bool      // it failed in this run, in which it is not asked again
	againAt   time.Time // when it is asked again because a call needs it
	failures  int       // in a row
	notBefore time.Time // no refresh by the clock before
}

// beginTokens forgets what holds for one run only.
func (a *App) beginTokens() {
	for _, r := range a.renewals {
		r.mu.Lock()
		r.renewed, r.inThisRun = "", false
		r.mu.Unlock()
	}
}

// renewExpired renews an account's token because the API says that the one used
// has expired. The error is what to do instead. However many calls find out, one
// of them asks.
func (a *App) renewExpired(ctx context.Context, account, used string) error {
	c, _ := a.cfg.Account(account)
	if advice := a.unrenewable(c); advice != "" {
		return instead(advice)
	}
	r := a.renewals[account]
	r.mu.Lock()
	defer r.mu.Unlock()
	a.recoverTokens(c)
	now := a.now()
	switch s, err := token.Read(c.AccessTokenFile); {
	case err != nil:
		return instead(fmt.Sprintf("The token file %s %v: put it right, or run: %s", c.AccessTokenFile, err, applyCommand(account)))
	case !s.Same(used), r.renewed == used:
		return nil
	case a.frozen && s.Refreshable(now):
		return instead("This command changes nothing, so the token was not refreshed. Run: syncer token refresh --account " + account)
	case r.failedFor == used && (r.inThisRun || now.Before(r.againAt)):
		return r.failed
	}
	_, _, err := a.renew(ctx, c, used, false)
	a.noteRenewal(ctx, r, used, err)
	if err != nil {
		return a.whatToDo(err)
	}
	return nil
}

// noteRenewal notes how a refresh ended.
func (a *App) noteRenewal(ctx context.Context, r *renewal, used string, err error) {
	if err == nil {
		r.renewed, r.failedFor, r.failed, r.inThisRun = used, "", nil, false
		r.failures, r.notBefore = 0, time.Time{}
		return
	}
	if ctx.Err() != nil {
		return // it was not the API that ended it
	}
	now := a.now()
	r.failedFor, r.failed, r.inThisRun, r.againAt = used, a.whatToDo(err), true, now.Add(minRenewPause)
	if d, ok := r.failed.(*delayed); ok {
		r.againAt = d.until
	}
	r.failures++
	pause := min(minRenewPause<<min(r.failures-1, 10), maxRenewPause)
	if f, ok := bill.AsFailure(err); ok && (f.Outcome == bill.RefusedUs || f.Outcome == bill.RefusedRequest) {
		pause = refusedPause
	} else if ok {
		pause = max(pause, f.RetryAfter)
	}
	r.notBefore = now.Add(pause)
}

// whatToDo is an error as one text: what is wrong, and what to do. If that is to
// wait, it is a delayed.
func (a *App) whatToDo(err error) error {
	text := "The access token expired and could not be refreshed: " + strings.TrimRight(err.Error(), ".") + "."
	if hint := hintOf(err); hint != "" {
		text += " " + strings.ToUpper(hint[:1]) + hint[1:]
	}
	if at := a.nextTry(err); !at.IsZero() {
		return &delayed{instead(text + " It is tried again from " + a.clockTime(at) + "."), at, a.now}
	}
	return instead(text)
}

// nextTry is when a refresh that failed is tried again because a call needs it;
// zero if a person has to act first.
func (a *App) nextTry(err error) time.Time {
	var paused *pausedRefresh
	var failed *tokenFailure
	var held *coded
	soon := a.now().Add(minRenewPause)
	switch {
	case errors.As(err, &paused):
		return paused.until
	case errors.As(err, &held) && held.code == 5:
		return soon
	case !errors.As(err, &failed):
	case failed.failure.Outcome == bill.NoAnswer:
		if at := a.now().Add(failed.failure.RetryAfter); at.After(soon) {
			return at
		}
		return soon
	case failed.failure.Outcome == bill.Unknown:
		return failed.until
	}
	return time.Time{}
}

// A delayed is an instead that is to wait until the refresh is tried again.
type delayed struct {
	instead
	until time.Time
	now   func() time.Time
}

// Unwrap is for the call that needs the token. Whatever became of the refresh, the
// call itself got no answer that counts: the schedule for its own outcome, should
// that be unknown, is not used up by it.
func (e *delayed) Unwrap() error {
	return &bill.Failure{Outcome: bill.NoAnswer, Op: "applyToken", Message: string(e.instead), RetryAfter: max(e.until.Sub(e.now()), time.Second)}
}

// An instead is what to do in place of using the token that expired.
type instead string

func (e instead) Error() string { return string(e) }

// unrenewable says what to do about an account whose token nothing can renew;
// empty if it can be.
func (a *App) unrenewable(c config.Account) string {
	switch {
	case c.AccessTokenEnv != "":
		return "Nothing refreshes a token from the environment: put a new one into the variable " + c.AccessTokenEnv +
			", or set access_token_file in place of access_token_env and run: " + applyCommand(c.Name)
	case c.AccessTokenFile == "":
		return "The API wants an access token and none is configured: have the customer grant access, set access_token_file in the account's [[account]], then run: " + applyCommand(c.Name)
	}
	return ""
}

// applyCommand is how a new grant's tokens are put into place.
func applyCommand(account string) string {
	return "syncer token apply --account " + account + " --auth-code-file FILE"
}

// grantAgain is what helps where no refresh does.
func grantAgain(account string) string {
	return "have the customer grant access again, then run: " + applyCommand(account)
}

// renew replaces the token used by a new one, unless another process has done
// so. Asked tells whether the API was asked. With force the API's pause after an
// outcome that is not known is not kept.
func (a *App) renew(ctx context.Context, c config.Account, used string, force bool) (s token.Stored, asked bool, err error) {
	if err := a.settle(ctx, c); err != nil {
		return s, false, err
	}
	if s, err = a.readTokens(c); err != nil || !s.Same(used) {
		return s, false, err
	}
	if err := a.refreshable(c, s); err != nil {
		return s, false, err // no lock is left beside a file that holds a bare token
	}
	client, err := a.connect()
	if err != nil {
		return s, false, err
	}
	held, err := a.lockTokens(ctx, c)
	if err != nil {
		return s, false, err
	}
	defer a.logged("giving the lock of the token file back", held.Unlock)
	if s, err = a.readTokens(c); err != nil || !s.Same(used) {
		return s, false, err
	}
	if err := a.refreshable(c, s); err != nil {
		return s, false, err
	}
	if err := a.spent(c, s); err != nil && !force {
		return s, false, err
	}
	if now := a.now(); !force && now.Before(s.NextAttemptAt) {
		return s, false, &pausedRefresh{Verdict{3, fmt.Sprintf("account %s: the outcome of the last refresh is not known, and the API wants a pause until %s", c.Name, a.clockTime(s.NextAttemptAt)),
			"run it again then; the daemon does so by itself; \"syncer token refresh --force\" asks at once"}, s.NextAttemptAt}
	}
	draft, err := held.Prepare()
	if err != nil {
		return s, false, a.unwritable(c, err)
	}
	defer draft.Drop()
	g, err := applyToken(ctx, client, c, worldfirst.TokenRequest{RefreshToken: s.Refresh})
	if err != nil {
		a.putOff(c, &s, draft, err)
		return s, true, a.notRefreshed(c, s, err)
	}
	next := s.Refreshed(g, a.now())
	if err := draft.Save(next); err != nil {
		return s, true, a.notKept(c, err)
	}
	a.log.Info().Str("account", c.Name).Time("expires_at", next.ExpiresAt).Msg("access token refreshed")
	return next, true, nil
}

// applyToken asks for tokens and, once asked, waits for the answer a little
// longer than ctx lasts: it comes only once.
func applyToken(ctx context.Context, client *worldfirst.Client, c config.Account, q worldfirst.TokenRequest) (token.Grant, error) {
	if err := ctx.Err(); err != nil {
		return token.Grant{}, err
	}
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(askedGrace, cancel)
		context.AfterFunc(longer, func() { t.Stop() })
	})
	defer stop()
	return client.ApplyToken(longer, vocabulary(c), q)
}

// settle puts new tokens in place that a killed process got and wrote down: they
// may be the only ones there are. If another process is at it, that is waited for.
func (a *App) settle(ctx context.Context, c config.Account) error {
	if !token.At(c.AccessTokenFile).Unfinished() {
		return nil
	}
	held, err := a.lockTokens(ctx, c)
	if err != nil {
		return err
	}
	return held.Unlock()
}

// recoverTokens is settle for those who use tokens and replace none: they wait for
// nobody, and what cannot be put in place is no more than told.
func (a *App) recoverTokens(c config.Account) {
	if a.frozen {
		return
	}
	if err := token.At(c.AccessTokenFile).Recover(); err != nil {
		a.log.Warn().Str("account", c.Name).Err(err).Msg("new tokens are not in their place yet")
	}
}

// readTokens reads an account's token file.
func (a *App) readTokens(c config.Account) (token.Stored, error) {
	s, err := token.Read(c.AccessTokenFile)
	switch {
	case errors.Is(err, token.ErrOpenToOthers):
		return s, &InputError{fmt.Sprintf("account %s: access_token_file: %s can be read by others", c.Name, c.AccessTokenFile), "run: chmod 600 " + c.AccessTokenFile}
	case err != nil && token.At(c.AccessTokenFile).Unfinished():
		return s, &InputError{fmt.Sprintf("account %s: access_token_file: %s: %v", c.Name, c.AccessTokenFile, err), "tokens that were given are beside it and not in place yet; run: syncer token refresh --account " + c.Name}
	case err != nil:
		return s, &InputError{fmt.Sprintf("account %s: access_token_file: %s: %v", c.Name, c.AccessTokenFile, err), grantAgain(c.Name)}
	}
	return s, nil
}

// refreshable says why tokens cannot be refreshed; nil if they can.
func (a *App) refreshable(c config.Account, s token.Stored) error {
	switch {
	case s.Refresh.Empty() && s.ObtainedAt.IsZero() && s.ExpiresAt.IsZero():
		return &InputError{fmt.Sprintf("account %s: %s holds a bare access token and no refresh token", c.Name, c.AccessTokenFile), grantAgain(c.Name)}
	case s.Refresh.Empty():
		return &InputError{fmt.Sprintf("account %s: the API gave no refresh token, so nothing can be refreshed", c.Name), grantAgain(c.Name)}
	case s.RefreshEnded(a.now()):
		return &Verdict{4, fmt.Sprintf("account %s: the refresh token expired %s", c.Name, a.clockTime(s.RefreshExpiresAt)), grantAgain(c.Name)}
	}
	return nil
}

// lockTokens takes the lock of an account's token file.
func (a *App) lockTokens(ctx context.Context, c config.Account) (*token.Held, error) {
	file := token.At(c.AccessTokenFile)
	held, err := file.Lock(ctx, a.cfg.API.Timeout+lockSlack)
	switch {
	case errors.Is(err, token.ErrLocked):
		return nil, &coded{fmt.Errorf("account %s: another process has been renewing the tokens in %s for long", c.Name, file.Path()), 5}
	case err != nil && ctx.Err() == nil:
		return nil, a.unwritable(c, err)
	}
	return held, err
}

// unwritable is the error of a place where tokens cannot be kept, found before
// anything was asked.
func (a *App) unwritable(c config.Account, err error) error {
	dir := filepath.Dir(token.At(c.AccessTokenFile).Path())
	text := fmt.Sprintf("account %s: %v; nothing was asked", c.Name, err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &InputError{fmt.Sprintf("account %s: access_token_file: there is no folder %s", c.Name, dir), "make it: mkdir -m 700 " + dir}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return &InputError{text, "tokens are replaced, so this user must be able to write into " + dir}
	}
	return &advised{errors.New(text), "make room in " + dir + ", then run it again"}
}

// advised is an unexpected failure with a hint.
type advised struct {
	error
	hint string
}

func (e *advised) Hint() string  { return e.hint }
func (e *advised) Unwrap() error { return e.error }

// notKept is the error of tokens that the API gave and that could not be put
// into the file.
func (a *App) notKept(c config.Account, err error) error {
	text := fmt.Errorf("account %s: the API gave new tokens, and they could not be kept: %w", c.Name, err)
	var lost *token.LostError
	if errors.As(err, &lost) && lost.Kept != "" {
		return &advised{text, "they are in " + lost.Kept + "; mend it, then run \"syncer token refresh\", which puts them in place"}
	}
	return &advised{text, "mend it and run \"syncer token refresh\"; if that is refused, the old refresh token is used up: " + grantAgain(c.Name)}
}

// notRefreshed is the error of a refresh that the API did not answer with yes.
func (a *App) notRefreshed(c config.Account, s token.Stored, err error) error {
	f, ok := bill.AsFailure(err)
	if !ok {
		return err
	}
	v := tokenVerdict(c, f)
	v.until = s.NextAttemptAt
	if spent := a.spent(c, s); spent != nil && f.Outcome == bill.Unknown {
		v.Advice = "No more refreshes are made by themselves: " + hintOf(spent)
		return v
	}
	switch f.Outcome {
	case bill.RefusedUs:
		v.Advice += " If that is not it, the refresh token is good no longer: " + grantAgain(c.Name)
	case bill.NoAnswer, bill.Unknown:
		v.Advice += " Should it be refused then, an answer that was lost has used up the refresh token: " + grantAgain(c.Name)
	}
	return v
}

// A pausedRefresh is a Verdict about a refresh that was not asked for yet.
type pausedRefresh struct {
	Verdict
	until time.Time
}

// A tokenFailure is a Verdict about a call for tokens that keeps the failure.
type tokenFailure struct {
	Verdict
	failure *bill.Failure
	until   time.Time // when it is asked again after an unknown outcome; zero: not by itself
}

func (e *tokenFailure) Unwrap() error { return e.failure }

func tokenVerdict(c config.Account, f *bill.Failure) *tokenFailure {
	v := Verdict{Code: 3, Reason: "account " + c.Name + ": " + f.Error(), Advice: f.Advice}
	if f.Outcome == bill.RefusedUs {
		v.Code = 4
	}
	return &tokenFailure{v, f, time.Time{}}
}

// spent says that the API's schedule for a refresh of unknown outcome is used up:
// at most so many further attempts, then its support is asked (API §5). Nil: it is
// not.
func (a *App) spent(c config.Account, s token.Stored) error {
	if !a.isSpent(s) {
		return nil
	}
	return &Verdict{3, fmt.Sprintf("account %s: the outcome of %d refreshes in a row is not known, and no more are made by themselves", c.Name, s.Attempts),
		"contact WorldFirst Technical Support; then run: syncer token refresh --force --account " + c.Name + "; if that is refused, " + grantAgain(c.Name)}
}

func (a *App) isSpent(s token.Stored) bool { return s.Attempts > len(a.cfg.Sync.RetrySchedule) }

// putOff notes in the file that a refresh of unknown outcome is asked again on
// the API's schedule, or no more.
func (a *App) putOff(c config.Account, s *token.Stored, draft *token.Draft, err error) {
	f, ok := bill.AsFailure(err)
	if !ok || f.Outcome != bill.Unknown {
		return
	}
	schedule := a.cfg.Sync.RetrySchedule
	s.Attempts++
	if s.NextAttemptAt = (time.Time{}); !a.isSpent(*s) {
		s.NextAttemptAt = a.now().Add(max(schedule[s.Attempts-1], f.RetryAfter)).UTC()
	}
	a.logged("noting when the token is refreshed again", func() error { return draft.Save(*s) })
}

// clockTime is a time as people read it.
func (a *App) clockTime(t time.Time) string {
	return t.In(a.cfg.Report.Timezone).Format("2006-01-02 15:04:05 -07:00")
}

// tokenDue returns when the next token is to be refreshed.
func (a *App) tokenDue(context.Context) (time.Time, bool) {
	var first time.Time
	for _, c := range a.cfg.Enabled() {
		if at := a.dueOf(c); !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first, !first.IsZero()
}

// dueOf returns when an account's token is to be refreshed; zero if nothing
// refreshes it.
func (a *App) dueOf(c config.Account) time.Time {
	if c.AccessTokenFile == "" {
		return time.Time{}
	}
	a.recoverTokens(c)
	s, err := token.Read(c.AccessTokenFile)
	due := s.DueAt()
	if err != nil || due.IsZero() || !s.Refreshable(a.now()) || a.isSpent(s) {
		return time.Time{} // the next run says what is wrong
	}
	r := a.renewals[c.Name]
	r.mu.Lock()
	defer r.mu.Unlock()
	if due.Before(s.NextAttemptAt) {
		due = s.NextAttemptAt
	}
	if due.Before(r.notBefore) && (r.failed == nil || s.Same(r.failedFor)) {
		due = r.notBefore
	}
	return due
}

// renewDue refreshes the tokens that are due, of all accounts or of those named.
// A failure is told and no more: the token still lives, or the first call that
// needs it says that it does not.
func (a *App) renewDue(ctx context.Context, names []string) {
	accounts, err := a.accounts(names)
	if err != nil {
		return // whoever named them has been told
	}
	for _, c := range accounts {
		a.tellSpent(c)
		if at := a.dueOf(c); ctx.Err() == nil && !at.IsZero() && !at.After(a.now()) {
			a.renewNow(ctx, c)
		}
	}
}

// tellSpent says in each run that nothing refreshes an account's token any more.
func (a *App) tellSpent(c config.Account) {
	if c.AccessTokenFile == "" {
		return
	}
	s, err := token.Read(c.AccessTokenFile)
	if err != nil || !s.Refreshable(a.now()) {
		return
	}
	if err := a.spent(c, s); err != nil {
		a.log.Error().Str("account", c.Name).Int("attempts", s.Attempts).Time("expires_at", s.ExpiresAt).
			Str("reason", err.Error()).Str("advice", hintOf(err)).Msg("access token not refreshed any more")
	}
}

func (a *App) renewNow(ctx context.Context, c config.Account) {
	r := a.renewals[c.Name]
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := token.Read(c.AccessTokenFile)
	if err != nil {
		return
	}
	used := string(s.Access.Reveal())
	next, asked, err := a.renew(ctx, c, used, false)
	a.noteRenewal(ctx, r, used, err)
	switch {
	case err == nil && asked && !next.DueAt().After(a.now()):
		r.notBefore = a.now().Add(soonPause)
		a.log.Warn().Str("account", c.Name).Time("expires_at", next.ExpiresAt).Msg("the new access token is due for a refresh at once: is this machine's clock right?")
	case err != nil && ctx.Err() == nil:
		a.log.Warn().Str("account", c.Name).Str("reason", err.Error()).Str("advice", hintOf(err)).Time("expires_at", s.ExpiresAt).Msg("access token not refreshed")
	}
}

// writableFolder reports what would keep tokens from being kept, without
// writing.
func (a *App) writableFolder(c config.Account) error {
	info, err := os.Stat(filepath.Dir(token.At(c.AccessTokenFile).Path()))
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return a.unwritable(c, err)
	}
	return nil
}

package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"billsync/internal/bill"
	"billsync/internal/card"
	"billsync/internal/config"
	"billsync/internal/store"
	"billsync/internal/worldfirst"
)

// How a request stays one request, whatever happens (API §7.2).
//
// A request is stored, with its id, before it is sent. Whoever sends holds a lock
// that the kernel gives back when the process dies; so a request in state sending
// that is found by the holder of the lock was left by a crash, and is sent again
// with the same id and the same content. What came of it is stored only if the
// request is still the one that was sent; an answer with a cardholder always is.
// A new id is made for a new command alone, never in answer to anything.

// The words of ours in last_code, where nothing was sent or heard.
const (
	codeNotSent = "NOT_SENT"
	codeStopped = "STOPPED"
	codeContent = "CONTENT_MISSING"
)

// approved and rejected are how a review ends (API §7.2).
const (
	approved = "APPROVED"
	rejected = "REJECTED"
)

// contentAgain is how long a request waits whose content was not there.
const contentAgain = time.Hour

// A holderDesk is where requests for cardholders are sent from, one at a time.
type holderDesk struct {
	app    *App
	st     *store.Store
	source careful
	lock   *store.Lock
}

// openDesk takes the lock, which others may hold for as long as a request may
// take, and opens the database.
func (a *App) openDesk(ctx context.Context, doing string, wait bool) (*holderDesk, error) {
	path := a.cfg.Database.URL
	if err := store.Check(ctx, path); err != nil {
		return nil, withCode(err)
	}
	lock, err := a.deskLock(ctx, doing, wait)
	if err != nil {
		return nil, err
	}
	d := &holderDesk{app: a, source: careful{a.client}, lock: lock}
	if d.st, err = store.Open(ctx, path, a.cfg.Report.Timezone); err == nil {
		d.st.ShareWrites(&a.writes)
		err = d.st.ClaimOrigin(ctx, a.origin, a.historyStart, a.now())
	}
	if err != nil {
		d.close()
		return nil, withCode(err)
	}
	return d, nil
}

func (a *App) deskLock(ctx context.Context, doing string, wait bool) (*store.Lock, error) {
	most := time.Duration(0)
	if wait {
		most = 4 * a.cfg.API.Timeout
	}
	return a.patiently(ctx, most, "registering a cardholder", func() (*store.Lock, error) {
		return store.TryCardholderLock(a.cfg.Database.URL, doing, a.now())
	})
}

// patiently takes a lock, and waits for it if another syncer has it, not longer than
// so long.
func (a *App) patiently(ctx context.Context, most time.Duration, doing string, try func() (*store.Lock, error)) (*store.Lock, error) {
	const pause = 50 * time.Millisecond
	until := time.Now().Add(most)
	for told := false; ; told = true {
		lock, err := try()
		var busy *store.BusyError
		if err == nil || !errors.As(err, &busy) || time.Now().After(until) {
			return lock, a.busy(err)
		}
		if !told {
			a.log.Info().Int("process", busy.PID).Msg("another syncer is " + doing + ", waiting")
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (d *holderDesk) close() {
	if d.st != nil {
		d.app.logged("closing the database", d.st.Close)
	}
	d.app.logged("giving the lock back", d.lock.Unlock)
}

// stored returns the requests of some accounts.
func (d *holderDesk) stored(ctx context.Context, names []string) (all []store.Cardholder, err error) {
	err = d.st.View(ctx, func(t *store.Tx) (err error) {
		all, err = t.Cardholders(names)
		return err
	})
	return all, withCode(err)
}

// claim marks a request as about to be sent. One that was left by a crash may
// have been sent before: that counts as a request without answer.
func (d *holderDesk) claim(c *store.Cardholder) {
	if c.State == store.HolderSending {
		c.Setbacks++
	}
	c.State, c.SentAt, c.NextAttemptAt = store.HolderSending, d.app.now().Truncate(time.Millisecond), time.Time{}
}

// send sends a request that is stored as being sent, and stores what came of it.
// With fresh, nothing was ever sent from here under this id, which a person chose.
func (d *holderDesk) send(ctx context.Context, c store.Cardholder, acct config.Account, info holderInfo, fresh bool) (Registration, error) {
	d.app.log.Debug().Str("account", c.Account).Str("request_id", c.RequestID).Int("bytes", len(info.object)).Msg("registering a cardholder")
	h, err := d.source.CreateCardholder(ctx, vocabulary(acct), card.Application{RequestID: c.RequestID, Type: c.Type, Info: info.object})
	f, failed := bill.AsFailure(err)
	if err != nil && !failed { // stopped: the answer may be on its way
		f = &bill.Failure{Outcome: bill.NoAnswer, Op: "createCardholder", Code: codeStopped, Message: "stopped before an answer came"}
	}
	r := Registration{Cardholder: c, Sent: true}
	if e := d.settle(ctx, &r.Cardholder, h, f); e != nil {
		return r, e
	}
	d.log(&r.Cardholder)
	switch {
	case err != nil && !failed:
		return r, err
	case f != nil && f.Repeated && r.State == store.HolderRepeated:
		if r.Others, err = d.lookUp(ctx, &r.Cardholder, acct); err != nil {
			return r, err
		}
		if fresh && f.Tries <= 1 && r.State == store.HolderRepeated {
			return r, usedElsewhere(&r.Cardholder, f)
		}
	}
	return r, verdictOn(&r.Cardholder, d.app.cfg.Report.Timezone)
}

// settle stores what came of a request: h, unless there is an f. Afterwards c is
// what is stored.
func (d *holderDesk) settle(ctx context.Context, c *store.Cardholder, h card.Holder, f *bill.Failure) error {
	sent := *c
	err := d.st.UpdateDurably(context.WithoutCancel(ctx), func(t *store.Tx) error {
		have, ok, err := t.Cardholder(sent.RequestID)
		if err != nil {
			return err
		}
		if !ok {
			have = sent // somebody deleted the row; what is known is worth keeping
		}
		*c = have
		ours := have.State == store.HolderSending && have.SentAt.Equal(sent.SentAt)
		if !ours && (f != nil || have.State == store.HolderAnswered) {
			return nil // another process went on with it meanwhile
		}
		if f == nil {
			answered(c, h, d.app.now())
		} else {
			d.unanswered(c, f)
		}
		return t.SaveCardholder(*c)
	})
	if err != nil && f == nil {
		return fmt.Errorf("keeping the answer to request %s (orderId %q, cardholderId %q): %w", sent.RequestID, h.OrderID, h.CardholderID, withCode(err))
	}
	return withCode(err)
}

// answered notes that a cardholder was registered.
func answered(c *store.Cardholder, h card.Holder, now time.Time) {
	c.State, c.AnsweredAt = store.HolderAnswered, now.Truncate(time.Millisecond)
	c.Attempts, c.Setbacks, c.NextAttemptAt, c.LastCode, c.LastError = 0, 0, time.Time{}, "", ""
	reviewed(c, h)
}

// reviewed notes how a review stands. What is not said stays as it was.
func reviewed(c *store.Cardholder, h card.Holder) {
	for _, x := range []struct {
		to   *string
		said string
	}{{&c.OrderID, h.OrderID}, {&c.CardholderID, h.CardholderID}, {&c.AuditStatus, h.AuditStatus}} {
		if x.said != "" {
			*x.to = x.said
		}
	}
	switch {
	case h.AvailableStatus == "":
	case h.AvailableStatus != "F" || h.FailCode != "" || h.FailMessage != "":
		c.FailCode, c.FailMessage = h.FailCode, h.FailMessage
		fallthrough
	default:
		c.AvailableStatus = h.AvailableStatus
	}
}

// unanswered notes why there is no cardholder, as far as is known, and when to
// ask again.
func (d *holderDesk) unanswered(c *store.Cardholder, f *bill.Failure) {
	now, schedule := d.app.now(), d.app.cfg.Sync.RetrySchedule
	c.LastCode, c.LastError, c.NextAttemptAt = f.Code, f.Error(), time.Time{}
	switch {
	case f.Repeated:
		c.State = store.HolderRepeated
	case f.Outcome == bill.Unknown:
		c.Attempts, c.Setbacks, c.State = c.Attempts+1, 0, store.HolderWaiting
		if c.Attempts > len(schedule) {
			c.State = store.HolderFailed
			return
		}
		c.NextAttemptAt = ceilMilli(now.Add(schedule[c.Attempts-1]))
	case f.Outcome == bill.NoAnswer:
		c.Setbacks, c.State = c.Setbacks+1, store.HolderWaiting
		if f.Code != codeStopped {
			c.NextAttemptAt = ceilMilli(now.Add(max(holderSetback(c.Setbacks), f.RetryAfter)))
		}
	default:
		c.State = store.HolderRefused
		if f.Tries > 1 || f.Unverified || f.HTTPStatus != 0 && f.HTTPStatus != 200 {
			c.Setbacks++ // what it answered, to this or to an earlier try, is not known
		}
	}
}

// holderSetback returns how long a request waits after the nth time without an
// answer, in a row. It does not use up the API's schedule.
func holderSetback(n int) time.Duration {
	const first, longest = 5 * time.Minute, time.Hour
	return min(first<<min(max(n-1, 0), 10), longest)
}

// ceilMilli rounds up to the database's precision: nothing is asked early.
func ceilMilli(t time.Time) time.Time {
	if c := t.Truncate(time.Millisecond); c.Before(t) {
		return c.Add(time.Millisecond)
	}
	return t
}

// contentMissing lets a request wait whose content could not be read again.
func (d *holderDesk) contentMissing(ctx context.Context, c store.Cardholder, why error) error {
	if c.State != store.HolderWaiting && c.State != store.HolderSending || c.NextAttemptAt.After(d.app.now()) {
		return nil // it keeps its time
	}
	return withCode(d.st.Update(ctx, func(t *store.Tx) error {
		have, ok, err := t.Cardholder(c.RequestID)
		if err != nil || !ok || have.State != c.State {
			return err // it was settled meanwhile
		}
		if c.State == store.HolderSending {
			c.Setbacks++
		}
		c.State, c.LastCode, c.LastError = store.HolderWaiting, codeContent, why.Error()
		c.NextAttemptAt = ceilMilli(d.app.now().Add(contentAgain))
		return t.SaveCardholder(c)
	}))
}

// log writes the one line that a request leaves in the log.
func (d *holderDesk) log(c *store.Cardholder) {
	line := d.app.log.Info()
	if c.State != store.HolderAnswered {
		line = d.app.log.Warn().Str("code", c.LastCode)
	}
	if !c.NextAttemptAt.IsZero() {
		line.Time("next_attempt_at", c.NextAttemptAt)
	}
	line.Str("account", c.Account).Str("request_id", c.RequestID).Str("state", c.State).Str("audit_status", c.AuditStatus).Msg("cardholder requested")
}

// lookUp looks in the list of cardholders for what became of a request that was
// received before. It can be told for sure only if the list names its id, which
// is not documented; else the entries that were not made from here are returned.
func (d *holderDesk) lookUp(ctx context.Context, c *store.Cardholder, acct config.Account) ([]card.Holder, error) {
	list, err := d.app.readHolders(ctx, acct)
	if err != nil {
		d.app.log.Warn().Err(err).Str("account", c.Account).Str("request_id", c.RequestID).Msg("the list of cardholders could not be read")
	}
	ours, err := d.stored(context.WithoutCancel(ctx), []string{c.Account})
	if err != nil {
		return nil, err
	}
	var others []card.Holder
	for _, h := range list.holders {
		if h.RequestID == c.RequestID {
			return nil, d.found(ctx, c, h)
		}
		if match(ours, h) == nil && (h.Type == "" || h.Type == c.Type) {
			others = append(others, h)
		}
	}
	return others, nil
}

// found stores the cardholder that the list has under a request's id.
func (d *holderDesk) found(ctx context.Context, c *store.Cardholder, h card.Holder) error {
	return withCode(d.st.UpdateDurably(context.WithoutCancel(ctx), func(t *store.Tx) error {
		have, ok, err := t.Cardholder(c.RequestID)
		if err != nil || !ok || have.State != store.HolderRepeated {
			return err
		}
		answered(&have, h, d.app.now())
		have.RefreshedAt = have.AnsweredAt
		*c = have
		return t.SaveCardholder(have)
	}))
}

// CreateCardholder makes a refusal of an error on our side: nothing was sent.
func (c careful) CreateCardholder(ctx context.Context, acct bill.Account, a card.Application) (card.Holder, error) {
	h, err := c.Client.CreateCardholder(ctx, acct, a)
	return h, notSent(ctx, "createCardholder", err)
}

// QueryCardholderList does the same.
func (c careful) QueryCardholderList(ctx context.Context, acct bill.Account, status string, page, size int) (card.HolderPage, error) {
	p, err := c.Client.QueryCardholderList(ctx, acct, status, page, size)
	return p, notSent(ctx, "queryCardholderList", err)
}

func notSent(ctx context.Context, op string, err error) error {
	if _, ok := bill.AsFailure(err); ok || err == nil || ctx.Err() != nil {
		return err
	}
	return &bill.Failure{
		Outcome: bill.RefusedUs, Op: op, Code: codeNotSent, Message: err.Error(),
		Advice: "mend it here; nothing was sent to the API", Err: err,
	}
}

// refusesUs reports whether a refusal is about us: mended, it may be sent again.
func refusesUs(c *store.Cardholder) bool {
	return c.LastCode == codeNotSent || worldfirst.RefusesUs(c.LastCode)
}

// unsure reports whether an earlier sending of a request got no answer, so that a
// cardholder may have come of it whatever was said later.
func unsure(c *store.Cardholder) bool { return c.Attempts+c.Setbacks > 0 }

// inDoubt reports whether a cardholder may have come of a request, although no
// answer says so: another request with its content may make a second one.
func inDoubt(c *store.Cardholder) bool {
	switch c.State {
	case store.HolderAnswered:
		return false
	case store.HolderRefused:
		return unsure(c) || c.LastCode != codeNotSent && worldfirst.LeavesDoubt(c.LastCode)
	}
	return true
}

// open reports whether a request is not settled yet, and nobody closed it.
func open(c *store.Cardholder) bool {
	return c.AcceptedAt.IsZero() && c.State != store.HolderAnswered && (c.State != store.HolderRefused || refusesUs(c) || inDoubt(c))
}

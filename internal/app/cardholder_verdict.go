package app

import (
	"context"
	"fmt"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
	"billsync/internal/worldfirst"
)

// asking says how strongly a person asks for a request to be sent again.
type asking struct {
	named  bool // this very one
	now    bool // before its time, or although it was given up
	daemon bool // nobody does
}

// standing reports whether a stored request is to be sent now. If not, the error
// says why and what to do; there is none if it was answered.
func (a *App) standing(c *store.Cardholder, ask asking) (send bool, err error) {
	if !c.AcceptedAt.IsZero() && c.State != store.HolderAnswered {
		return false, closed(c, a.cfg.Report.Timezone)
	}
	switch c.State {
	case store.HolderSending: // left by a crash: we hold the lock
		return true, nil
	case store.HolderWaiting:
		// What waits for its content alone was due already.
		send = ask.now || !c.NextAttemptAt.After(a.now()) || c.LastCode == codeContent && !ask.daemon
	case store.HolderRefused:
		send = ask.named || refusesUs(c)
	case store.HolderFailed:
		send = ask.named || ask.now
	}
	if send {
		return true, nil
	}
	return false, verdictOn(c, a.cfg.Report.Timezone)
}

// closed says that a person has closed a request.
func closed(c *store.Cardholder, zone *time.Location) error {
	return &InputError{
		fmt.Sprintf("request %s of account %s was accepted as it is at %s (%s): it is not sent again",
			c.RequestID, c.Account, c.AcceptedAt.In(zone).Format("2006-01-02 15:04:05 -07:00"), c.AcceptedNote),
		"nothing was sent; \"syncer cardholder create\" with another --request-id, or without, makes a request of its own",
	}
}

// unsettled makes an error of it that nothing has to be accepted about a request.
func (a *App) unsettled(ctx context.Context, st *store.Store, id string) error {
	return st.View(ctx, func(t *store.Tx) error {
		c, ok, err := t.Cardholder(id)
		if err == nil && ok && !open(&c) {
			err = &InputError{"cardholder:" + id + " is settled: the API refused it, and no cardholder came of it", "there is nothing to accept"}
		}
		return err
	})
}

// verdictOn says, with an exit code, what of a stored request is not as it was
// asked for; nil if it was answered. Times are told in the zone.
func verdictOn(c *store.Cardholder, zone *time.Location) error {
	v := &Verdict{Code: 3, Reason: fmt.Sprintf("request %s of account %s: %s", c.RequestID, c.Account, c.LastError)}
	switch c.State {
	case store.HolderAnswered:
		return nil
	case store.HolderSending:
		v.Reason = fmt.Sprintf("request %s of account %s was sent and no answer is known", c.RequestID, c.Account)
		v.Advice = "\"syncer cardholder resume\" sends it again under the same id"
	case store.HolderWaiting:
		v.Advice = waitingAdvice(c)
		if c.NextAttemptAt.IsZero() {
			v.Reason += "; it is due"
		} else {
			v.Reason += "; it waits until " + c.NextAttemptAt.In(zone).Format("2006-01-02 15:04:05 -07:00")
		}
	case store.HolderFailed:
		v.Reason += fmt.Sprintf("; given up after %d further attempts", c.Attempts-1)
		v.Advice = fmt.Sprintf("Contact WorldFirst Technical Support with the request id. \"syncer cardholder resume --request-id %s\" asks again under the same id; a request with another id may make a second cardholder. ", c.RequestID) + closing(c)
	case store.HolderRepeated:
		v.Advice = worldfirst.CardholderAdvice(c.LastCode, bill.RefusedRequest) + " " + closing(c)
	case store.HolderRefused:
		v.Advice = refusedAdvice(c)
		if refusesUs(c) {
			v.Code = 4
		}
	}
	return v
}

// waitingAdvice says how a request goes on that waits.
func waitingAdvice(c *store.Cardholder) string {
	outcome := bill.NoAnswer
	if c.Setbacks == 0 {
		outcome = bill.Unknown
	}
	const running = "the daemon does so by itself, \"syncer cardholder resume\" once it is due"
	switch {
	case c.LastCode == codeContent:
		return fmt.Sprintf("\"syncer cardholder resume --request-id %s --info FILE\" sends it with the same content from FILE", c.RequestID)
	case c.InfoFile == "":
		return fmt.Sprintf("It must be asked again under the same id, with its content, which came from standard input and is not kept: syncer cardholder resume --request-id %s --info FILE", c.RequestID)
	case c.LastCode == codeStopped:
		return "It is asked again under the same id: " + running + "."
	}
	return worldfirst.CardholderAdvice(c.LastCode, outcome) + " Until then nothing is to be done: " + running + "."
}

// refusedAdvice says what to do about a refusal.
func refusedAdvice(c *store.Cardholder) string {
	advice := "mend it here; nothing was sent to the API"
	if c.LastCode != codeNotSent {
		outcome := bill.RefusedRequest
		if refusesUs(c) {
			outcome = bill.RefusedUs
		}
		advice = worldfirst.CardholderAdvice(c.LastCode, outcome)
	}
	if refusesUs(c) {
		advice += " Once that is mended, \"syncer cardholder resume\" sends it again under the same id."
		if !unsure(c) {
			advice += fmt.Sprintf(" \"syncer accept cardholder:%s --note TEXT\" gives it up.", c.RequestID)
		}
	}
	look := "look with \"syncer cardholder list --refresh\" whether a cardholder came of it before you make another request. " + closing(c)
	switch {
	case unsure(c):
		advice += " An earlier sending of it was not answered: " + look
	case inDoubt(c):
		advice += " The API may have registered the cardholder all the same: " + look
	}
	return advice
}

// closing says how a person ends a request of which no cardholder came.
func closing(c *store.Cardholder) string {
	return fmt.Sprintf("Once that is clear, \"syncer accept cardholder:%s --note TEXT\" closes this one, and a new request may be made (or, with this one open, under a --request-id of its own).", c.RequestID)
}

// looksRepeated says that a request with other bytes says what one does that was
// stored before and is not settled.
func (a *App) looksRepeated(c *store.Cardholder) error {
	danger := "may have made a cardholder: a second request may make a second one"
	if !inDoubt(c) {
		danger = "can still be sent: with a second request there would be two cardholders"
	}
	next := fmt.Sprintf("\"syncer cardholder resume --request-id %s --info FILE\" goes on with it, FILE holding its content as it was", c.RequestID)
	if c.State == store.HolderRepeated {
		next = "\"syncer cardholder list --refresh\" shows what the API has"
	}
	return &InputError{
		fmt.Sprintf("request %s of %s, %s, was made with the same content, written differently, and %s",
			c.RequestID, c.CreatedAt.In(a.cfg.Report.Timezone).Format("2006-01-02 15:04:05 -07:00"), c.State, danger),
		"nothing was sent; " + next + "; once it is clear that no cardholder came of it, \"syncer accept cardholder:" + c.RequestID + " --note TEXT\" closes it; for another cardholder, on purpose, give --request-id with a new id",
	}
}

// usedElsewhere says that an id a person chose is not new to the API.
func usedElsewhere(c *store.Cardholder, f *bill.Failure) error {
	return &Verdict{Code: 3,
		Reason: fmt.Sprintf("request %s of account %s: %v: the id was never sent from here before, so it was used elsewhere", c.RequestID, c.Account, f),
		Advice: "Look at \"syncer cardholder list --refresh\" whether that was this very cardholder; if not, do as WorldFirst's document says: change the requestId and retry calling this API (--request-id with another id)."}
}

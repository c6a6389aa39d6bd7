package soak

import (
	"fmt"
	"time"

	"billsync/internal/simulator"
)

// A plan is how the API fails for the length of a run.
type plan struct {
	name  string
	fault func(simulator.Request) simulator.Fault
}

// plans are made by these.
var plans = []choice[func(*world) plan]{
	{6, (*world).mixed}, {3, (*world).outage}, {4, (*world).oneAnswer}, {3, (*world).deepPages}, {2, (*world).refusal}, {1, (*world).timeouts},
}

// results are what the API may say instead of yes.
var results = []simulator.Fault{
	{Kind: simulator.Result, Code: "UNKNOWN_EXCEPTION"},
	{Kind: simulator.Result, Code: "UNKNOWN_EXCEPTION"},
	{Kind: simulator.Result, Code: "REQUEST_TRAFFIC_EXCEED_LIMIT"},
	{Kind: simulator.Result, Code: "SYSTEM_ERROR"},
	{Kind: simulator.Result, Code: "PARAM_ILLEGAL"},
	{Kind: simulator.Result, Code: "WHAT_IS_THIS", Status: "F"},
	{Kind: simulator.HTTP, HTTPStatus: 502},
	{Kind: simulator.HTTP, HTTPStatus: 503, RetryAfter: 2 * time.Minute},
	{Kind: simulator.HTTP, HTTPStatus: 429, RetryAfter: time.Minute},
}

// mixed lets a part of the answers go wrong, each in its own way.
func (w *world) mixed() plan {
	kinds := []simulator.FaultKind{
		simulator.Drop, simulator.DropAfter, simulator.Garbage, simulator.Empty, simulator.NoResult,
		simulator.WrongPage, simulator.StalePage, simulator.ShortPage,
	}
	if w.signed && w.dice.chance(20) {
		kinds = append(kinds, simulator.BadSignature, simulator.NoSignature)
	}
	probs := map[simulator.FaultKind]float64{}
	name := "faults"
	for _, k := range kinds {
		if w.dice.chance(40) {
			probs[k] = float64(w.dice.between(1, 15)) / 100
			name += fmt.Sprintf(" %v %.2f", k, probs[k])
		}
	}
	random := simulator.RandomFaults(w.dice.Uint64(), probs)
	every, answer := 0, one(w.dice, results...)
	if w.dice.chance(60) {
		every = w.dice.between(2, 12)
		name += fmt.Sprintf(", every %dth %v %s %d", every, answer.Kind, answer.Code, answer.HTTPStatus)
	}
	return plan{name, func(r simulator.Request) simulator.Fault {
		if every > 0 && r.N%int64(every) == 0 {
			return answer
		}
		return random(r)
	}}
}

// outage lets nothing get through after some requests.
func (w *world) outage() plan {
	from := w.server.Requests() + int64(w.dice.IntN(8))
	fault := one(w.dice, simulator.Fault{Kind: simulator.Drop}, simulator.Fault{Kind: simulator.HTTP}, simulator.Fault{Kind: simulator.Garbage})
	return plan{fmt.Sprintf("%v after %d requests", fault.Kind, from-w.server.Requests()), func(r simulator.Request) simulator.Fault {
		if r.N > from {
			return fault
		}
		return simulator.Fault{}
	}}
}

// oneAnswer lets a few answers in a row be the same no.
func (w *world) oneAnswer() plan {
	from := w.server.Requests() + int64(w.dice.between(1, 8))
	to := from + int64(w.dice.IntN(5))
	fault := one(w.dice, results...)
	return plan{fmt.Sprintf("%v %s %d for requests %d to %d", fault.Kind, fault.Code, fault.HTTPStatus, from-w.server.Requests(), to-w.server.Requests()),
		func(r simulator.Request) simulator.Fault {
			if r.N >= from && r.N <= to {
				return fault
			}
			return simulator.Fault{}
		}}
}

// deepPages refuses the pages after the first ones.
func (w *world) deepPages() plan {
	last := w.dice.between(1, 3)
	return plan{fmt.Sprintf("PARAM_ILLEGAL after page %d", last), func(r simulator.Request) simulator.Fault {
		if r.Query.Page > last {
			return simulator.Fault{Kind: simulator.Result, Code: "PARAM_ILLEGAL"}
		}
		return simulator.Fault{}
	}}
}

// refusal refuses a customer for a reason that a person has to mend.
func (w *world) refusal() plan {
	from := w.server.Requests() + int64(w.dice.IntN(6))
	code := one(w.dice, "ACCESS_TOKEN_EXPIRED", "INVALID_SIGNATURE", "CONTRACT_NOT_EXIST", "AUTHORIZATION_NOT_EXIST")
	who := one(w.dice, w.accounts...)
	return plan{fmt.Sprintf("%s for %s after %d requests", code, who.name, from-w.server.Requests()), func(r simulator.Request) simulator.Fault {
		if r.N > from && r.Customer == who.customer {
			return simulator.Fault{Kind: simulator.Result, Code: code}
		}
		return simulator.Fault{}
	}}
}

// timeouts lets one answer come too late.
func (w *world) timeouts() plan {
	from := w.server.Requests() + int64(w.dice.IntN(6))
	return plan{fmt.Sprintf("too late at request %d", from-w.server.Requests()), func(r simulator.Request) simulator.Fault {
		if r.N == from {
			return simulator.Fault{Kind: simulator.Slow, Delay: 2 * shortTimeout}
		}
		return simulator.Fault{}
	}}
}

// shortTimeout is in force while answers come too late.
const shortTimeout = 200 * time.Millisecond

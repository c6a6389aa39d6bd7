package simulator

import (
	"net/http"
	"strconv"
	"time"
)

// A FaultKind is a way in which an answer goes wrong. Those of a page of bills
// have their likes where a card is asked for: WrongPage answers about another card,
// StalePage about one of another account, ShortPage leaves out the CVV, and
// EmptyList everything.
type FaultKind int

const (
	None         FaultKind = iota
	Result                 // a signed result with the fault's code and status; UNKNOWN_EXCEPTION by default
	HTTP                   // the fault's HTTP status, with a page of HTML as a proxy makes it; 502 by default
	Drop                   // the connection is closed without an answer
	DropAfter              // the headers and half of the body come, then the connection is closed
	Garbage                // 200, and a body that is not JSON
	Empty                  // 200, and no body
	NoResult               // 200, signed, JSON without a result
	BadSignature           // the right answer with a signature of something else
	NoSignature            // the right answer unsigned
	WrongPage              // the bills asked for, under the number of another page
	StalePage              // the bills of page 1, under the number asked for
	ShortPage              // the right answer, but one bill is left out of the list
	EmptyList              // S with no bills, as for a customer whose grant has lapsed
	Slow                   // the right answer after the fault's delay; a second by default
	ResultAfter            // as Result, but what was asked for is done: the outcome is unknown to the client alone

	faultKinds // how many there are
)

var faultNames = [faultKinds]string{"none", "result", "http", "drop", "drop-after", "garbage", "empty", "no-result",
	"bad-signature", "no-signature", "wrong-page", "stale-page", "short-page", "empty-list", "slow", "result-after"}

func (k FaultKind) String() string {
	if k < 0 || k >= faultKinds {
		return "fault " + strconv.Itoa(int(k))
	}
	return faultNames[k]
}

// ParseFaultKind finds a kind by its name, such as "drop-after".
func ParseFaultKind(name string) (FaultKind, bool) {
	for k, n := range faultNames {
		if n == name {
			return FaultKind(k), true
		}
	}
	return None, false
}

// FaultKinds lists all kinds but None.
func FaultKinds() []FaultKind {
	kinds := make([]FaultKind, 0, faultKinds-1)
	for k := None + 1; k < faultKinds; k++ {
		kinds = append(kinds, k)
	}
	return kinds
}

// A Fault is what goes wrong with one answer. Its zero value is nothing.
type Fault struct {
	Kind       FaultKind
	Code       string        // result code; the documented status and words belong to it
	Status     string        // result status, if not the documented one
	Message    string        // the result's words, if not the documented ones
	HTTPStatus int           // of kind HTTP, also of kind Result
	RetryAfter time.Duration // sent as Retry-After in whole seconds, rounded up
	Delay      time.Duration // waited before answering, whatever the kind
}

// result is the result a fault of kind Result answers with.
func (f *Fault) result() result {
	code := f.Code
	if code == "" {
		code = "UNKNOWN_EXCEPTION"
	}
	r, known := results[code]
	if !known {
		r = result{Code: code, Status: "F", Message: "Something else."}
	}
	if f.Status != "" {
		r.Status = f.Status
	}
	if f.Message != "" {
		r.Message = f.Message
	}
	return r
}

func (f *Fault) delay() time.Duration {
	if f.Kind == Slow && f.Delay == 0 {
		return time.Second
	}
	return f.Delay
}

func (f *Fault) setRetryAfter(h http.Header) {
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((f.RetryAfter+time.Second-1)/time.Second), 10))
	}
}

// RandomFaults is a plan for SetFault in which kinds have the given
// probabilities. It depends on the seed and the number of the request alone.
func RandomFaults(seed uint64, probs map[FaultKind]float64) func(Request) Fault {
	var bounds [faultKinds]float64 // sums of the probabilities up to a kind
	sum := 0.0
	for k := range faultKinds {
		if k != None {
			sum += probs[k]
		}
		bounds[k] = sum
	}
	return func(r Request) Fault {
		s := stream(hash(seed, uint64(r.N), 'f'))
		u := s.fraction()
		for k := None + 1; k < faultKinds; k++ {
			if u < bounds[k] {
				return Fault{Kind: k}
			}
		}
		return Fault{}
	}
}

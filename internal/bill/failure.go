package bill

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// An Outcome is one of the ways in which the provider does not say yes. What
// follows from each is the table in the design, "When the API does not say
// yes"; which code means which is decided in one place, by the API client.
type Outcome int

const (
	// NoAnswer: connection, timeout, HTTP 5xx, 429, 408, or a body that is no
	// result. It never uses up the provider's retry schedule.
	NoAnswer Outcome = iota + 1
	// Unknown is result status U: ask again on the documented schedule.
	Unknown
	// RefusedRequest is status F about this one request: do not repeat it.
	RefusedRequest
	// RefusedUs is status F about us (credentials, contract, authorisation),
	// an answer that is not to be believed, or an HTTP 3xx or 4xx: only a
	// person can mend it.
	RefusedUs
)

func (o Outcome) String() string {
	switch o {
	case NoAnswer:
		return "no answer"
	case Unknown:
		return "unknown"
	case RefusedRequest:
		return "refused"
	case RefusedUs:
		return "refused us"
	}
	return fmt.Sprintf("outcome %d", int(o))
}

// A Failure is the error of a question to the provider that was not answered
// with a believable yes.
type Failure struct {
	Outcome      Outcome
	Op           string        // such as "queryBillList"
	Code         string        // resultCode, or a word of ours such as "HTTP_503", "TIMEOUT"
	Message      string        // the provider's own words, or ours; one line, scrubbed
	Advice       string        // what to do, in plain words
	HTTPStatus   int           // 0 if there was no HTTP answer
	RetryAfter   time.Duration // what the Retry-After header asked for; 0 if nothing
	SlowDown     bool          // the provider says that we ask too fast
	BadSpan      bool          // the span or page may be what was refused: halving may help
	TokenExpired bool          // a refreshed access token may help
	Repeated     bool          // a request with this id was received before (API §7.2)
	Unverified   bool          // the answer carried no signature we could check although we check them
	Tries        int           // requests that were made for the one question; those before the last got no answer
	Exchange     *Exchange     // evidence for support; nil if nothing was sent
	Err          error         // the cause below, if any
}

func (f *Failure) Error() string {
	var b strings.Builder
	b.WriteString(f.Op)
	switch f.Outcome {
	case NoAnswer:
		b.WriteString(" got no answer: ")
	case Unknown:
		b.WriteString(" ended unknown: ")
	default:
		b.WriteString(" refused: ")
	}
	b.WriteString(f.Message)
	if f.Code != "" {
		b.WriteString(" (" + f.Code + ")")
	}
	if f.Unverified {
		b.WriteString(" (unverified)")
	}
	return b.String()
}

func (f *Failure) Unwrap() error { return f.Err }

// AsFailure finds the Failure in an error's chain.
func AsFailure(err error) (*Failure, bool) {
	var f *Failure
	ok := errors.As(err, &f)
	return f, ok
}

// An Exchange is one request and its answer, secrets and full card numbers
// removed: what the provider's support will ask for.
type Exchange struct {
	SentAt          time.Time
	AnsweredAt      time.Time // zero if no answer came
	Method          string
	Path            string
	RequestHeaders  string // one "Name: value" per line; signature shortened, token masked
	RequestBody     string
	HTTPStatus      int
	ResponseHeaders string
	ResponseBody    string // scrubbed, cut to a few kilobytes
}

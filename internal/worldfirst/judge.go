package worldfirst

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"billsync/internal/bill"
)

// A reply is an answer whose body has been read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
	hide   *mask // the secrets that the request held
}

// judge decides what an answer says (API §5): a result to be used, or the
// Failure it stands for. Nothing else looks at HTTP statuses and result codes.
//
// check verifies the answer's signature; nil if answers are not checked. The
// order of the questions matters. An explicit U is one whatever the HTTP status
// and whoever signed it: it promises nothing and only makes us wait. A gateway
// that is disturbed gave no answer, whatever its page says. Only then does it
// matter whether what is said can be believed.
func judge(op string, r reply, check func(reply) error, now time.Time) (envelope, *bill.Failure) {
	fail := func(outcome bill.Outcome, code, message string) *bill.Failure {
		f := newFailure(op, outcome, code, message)
		f.HTTPStatus = r.status
		f.RetryAfter = retryAfter(r.header, now)
		f.SlowDown = r.status == http.StatusTooManyRequests
		return f
	}
	httpCode := "HTTP_" + strconv.Itoa(r.status)
	httpText := strings.TrimSpace(fmt.Sprintf("HTTP %d %s", r.status, http.StatusText(r.status)))

	encoding := r.header.Get("Content-Encoding")
	compressed := encoding != "" && !strings.EqualFold(encoding, "identity")
	var env envelope
	var isResult bool
	if !compressed { // what was compressed is not what was signed
		env, isResult = readEnvelope(r.body, r.hide)
	}

	if isResult && env.status == "U" {
		f := fail(bill.Unknown, env.code, env.message)
		f.Unverified = check != nil && check(r) != nil
		return env, withFlags(f, env)
	}
	switch {
	case r.status >= 500, r.status == http.StatusTooManyRequests, r.status == http.StatusRequestTimeout:
		return env, fail(bill.NoAnswer, httpCode, httpText)
	case r.status == http.StatusOK && compressed:
		return env, fail(bill.NoAnswer, codeCompressed, fmt.Sprintf("the answer is compressed (%.20q) although none was asked for", encoding))
	case r.status == http.StatusOK && !isResult:
		return env, fail(bill.NoAnswer, codeNoResult, "the answer is no result of the API")
	case r.status >= 200 && r.status < 300 && !isResult:
		return env, fail(bill.NoAnswer, codeNoResult, httpText+", and the answer is no result of the API")
	case !isResult:
		return env, fail(bill.RefusedUs, httpCode, httpText)
	}

	var unverified error
	if check != nil {
		unverified = check(r)
	}
	if r.status != http.StatusOK {
		switch {
		case env.status == "S":
			return env, fail(bill.RefusedUs, httpCode, httpText+", although the result says success")
		case unverified != nil:
			// A gateway that does not know us cannot always sign, so the HTTP
			// status is what counts; the reason is shown as what it is.
			f := fail(bill.RefusedUs, httpCode, httpText+unbelieved(env))
			f.Unverified = true
			return env, f
		}
	}
	if unverified != nil {
		f := fail(bill.RefusedUs, codeUnverified, strings.TrimPrefix(unverified.Error(), "verifying: ")+unbelieved(env))
		f.Unverified, f.Err = true, unverified
		if env.status == "F" {
			f.Advice += " Should the reason it names be right: " + advice(op, env.code, refusal(op, env.code))
		}
		return env, f
	}
	if env.status == "F" {
		return env, withFlags(fail(refusal(op, env.code), env.code, env.message), env)
	}
	return env, nil
}

// unbelieved names the reason of a refusal that carries no good signature.
func unbelieved(env envelope) string {
	if env.status != "F" {
		return ""
	}
	return fmt.Sprintf("; unverified reason: %s (%s)", orMeaning(env.code, env.message), env.code)
}

// withFlags adds what the code says beyond the outcome.
func withFlags(f *bill.Failure, env envelope) *bill.Failure {
	info, _ := lookup(env.code)
	f.SlowDown = f.SlowDown || info.slowDown
	f.BadSpan = info.badSpan && env.status == "F"
	f.TokenExpired = info.tokenExpired && env.status == "F"
	f.Repeated = info.repeated
	return f
}

func newFailure(op string, outcome bill.Outcome, code, message string) *bill.Failure {
	return &bill.Failure{
		Op:      op,
		Outcome: outcome,
		Code:    code,
		Message: orMeaning(code, message),
		Advice:  advice(op, code, outcome),
	}
}

// orMeaning helps out where the provider sends a code without words.
func orMeaning(code, message string) string {
	if message != "" {
		return message
	}
	if info, ok := lookup(code); ok {
		return info.Meaning
	}
	return "no reason given"
}

// maxRetryAfter bounds what a Retry-After header may say; beyond it the clock
// of one side is wrong.
const maxRetryAfter = 7 * 24 * time.Hour

// retryAfter reads the Retry-After header: seconds, or the time to wait for.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	var wait time.Duration
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(seconds) {
		wait = time.Duration(min(seconds, maxRetryAfter.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

package worldfirst

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// A gate lets at most so many requests through at once, over the whole program.
// A place is held until the layers below return, which is after the body of
// the answer was read.
type gate struct {
	places chan struct{}
	next   http.RoundTripper
}

func newGate(places int, next http.RoundTripper) *gate {
	return &gate{places: make(chan struct{}, places), next: next}
}

func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case g.places <- struct{}{}:
	case <-req.Context().Done():
		closeBody(req)
		return nil, fmt.Errorf("waiting for a free place: %w", req.Context().Err())
	}
	defer func() { <-g.places }()
	return g.next.RoundTrip(req)
}

// errAttemptTimeout says that our own limit for one try ended it.
var errAttemptTimeout = errors.New("the time for one try is over")

// A deadline limits the time of one try, from the first byte sent to the last
// byte read. It stands below gate and pace: waiting for a turn is no try.
type deadline struct {
	limit time.Duration
	next  http.RoundTripper
}

func (d *deadline) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), d.limit, errAttemptTimeout)
	defer cancel() // the body has been read by then
	resp, err := d.next.RoundTrip(req.WithContext(ctx))
	if err != nil && errors.Is(context.Cause(ctx), errAttemptTimeout) {
		return nil, fmt.Errorf("%w: %w", errAttemptTimeout, err)
	}
	return resp, err
}

// A signer signs each request with its own Request-Time (API §4.2).
type signer struct {
	clientID   string
	key        *rsa.PrivateKey
	keyVersion int
	now        func() time.Time
	next       http.RoundTripper
}

func (s *signer) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := readRequest(req)
	if err != nil {
		return nil, fmt.Errorf("signing %s: %w", req.URL.Path, err)
	}
	req = req.Clone(req.Context()) // a RoundTripper leaves the caller's request alone
	at := s.now().In(beijing).Format(TimeFormat)
	signature, err := Sign(s.key, s.keyVersion, req.Method, req.URL.Path, s.clientID, at, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Client-Id", s.clientID)
	req.Header.Set("Request-Time", at)
	req.Header.Set("Signature", signature)
	req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	// What was signed is what is sent, also when the transport has to send it
	// again on a fresh connection.
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.ContentLength = int64(len(body))
	return s.next.RoundTrip(req)
}

func readRequest(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer req.Body.Close()
	return io.ReadAll(req.Body)
}

// A trace is what is known of one try. It travels down with the request.
type trace struct {
	op, account string
	page        int
	sentAt      time.Time // zero if nothing was handed to the network
	answeredAt  time.Time // zero if no whole answer came
	header      http.Header
}

type traceKey struct{}

func withTrace(ctx context.Context, t *trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// A recorder counts and logs what is handed to the network. It never logs
// bodies, tokens or signatures.
type recorder struct {
	log  zerolog.Logger
	now  func() time.Time
	sent atomic.Int64
	next http.RoundTripper
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	t, ok := req.Context().Value(traceKey{}).(*trace)
	if !ok {
		t = new(trace)
	}
	r.sent.Add(1)
	t.sentAt, t.header = r.now(), req.Header
	resp, err := r.next.RoundTrip(req)
	ended := r.now()
	status := 0
	if err == nil {
		status, t.answeredAt = resp.StatusCode, ended
	}
	r.log.Debug().Str("op", t.op).Str("account", t.account).Int("page", t.page).
		Int("status", status).Int64("took_ms", ended.Sub(t.sentAt).Milliseconds()).Msg("request")
	return resp, err
}

// maxBody bounds an answer. A page of 100 bills has about 60 kB.
const maxBody = 16 << 20

// errTooLarge says that an answer is larger than maxBody.
var errTooLarge = errors.New("the answer is too large")

// A brokenBody is the error of an answer whose body could not be read to its
// end; it keeps what did come, as evidence.
type brokenBody struct {
	reply reply
	err   error
}

func (e *brokenBody) Error() string { return "reading the answer: " + e.err.Error() }
func (e *brokenBody) Unwrap() error { return e.err }

// A wholeBody reads answers to their end, so that everything above deals with
// whole answers only and nobody has to remember to close one.
type wholeBody struct {
	limit int64
	next  http.RoundTripper
}

func (w *wholeBody) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := readBody(resp.Body, resp.ContentLength, w.limit)
	if err != nil {
		return nil, &brokenBody{reply{status: resp.StatusCode, header: resp.Header, body: body[:min(len(body), maxEvidence)]}, err}
	}
	resp.Body = &receivedBody{bytes.NewReader(body), body}
	return resp, nil
}

// A receivedBody is a body that is in memory already, for those above who would
// rather have it than read it.
type receivedBody struct {
	*bytes.Reader
	all []byte
}

func (*receivedBody) Close() error { return nil }

// maxTrusted is how much room is made for an answer because it says that it is
// so long. What really is longer gets more as it comes.
const maxTrusted = 1 << 20

// readBody reads to the end of a body of the announced length, which is below 1
// if it is not known. What came is returned with an error as well.
func readBody(r io.Reader, announced, limit int64) ([]byte, error) {
	room := int64(bytes.MinRead)
	if announced > 0 {
		room = min(announced, maxTrusted) + 1 // there is room to find the end, too
	}
	body := make([]byte, 0, room)
	for {
		n, err := r.Read(body[len(body):min(int64(cap(body)), limit+1)])
		body = body[:len(body)+n]
		switch {
		case err != nil && err != io.EOF:
			return body, err
		case int64(len(body)) > limit:
			return body, errTooLarge
		case err == io.EOF:
			return body, nil
		case len(body) == cap(body):
			outgrown := body
			body = slices.Grow(body, len(body))
			clear(outgrown) // whoever overwrites a private answer knows of the last place only
		}
	}
}

// closeBody closes the body of a request that is not handed on, as a
// RoundTripper must.
func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

package worldfirst

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/rs/zerolog"

	"billsync/internal/bill"
)

// A Config says how to reach the provider, and as whom (API §2, §3.1).
type Config struct {
	BaseURL    string // as CheckBaseURL allows
	ClientID   string
	PrivateKey *rsa.PrivateKey
	KeyVersion int              // 0 is 2, what all documents show (API §4.2)
	ServerKeys []*rsa.PublicKey // empty: answers are not checked

	Timeout           time.Duration // of one try, from connecting to the last byte; 0 is 30 s (API §5)
	RequestsPerSecond float64       // evenly spaced over the whole program; 0 is 5
	Concurrency       int           // requests under way at once over the whole program; 0 is 1
	Tries             int           // tries while there is no answer; 0 is 3
	RetryWait         time.Duration // before the second try; 0 is 500 ms. Doubles, up to 5 s

	Now func() time.Time // nil is time.Now
	Log zerolog.Logger

	// Transport is the network; nil is one of our own, which honours the proxy
	// settings of the environment.
	Transport http.RoundTripper

	// AccessToken returns the access token of an account. Without a function,
	// or for an empty token, the header is not sent (API §3.1). It is asked
	// again by every try.
	AccessToken func(account string) (string, error)

	// RefreshToken renews the access token of an account, of which used has
	// expired. It is called once for a call that was refused for that reason,
	// which is then asked once more; concurrent calls call it concurrently. Its
	// error is what to do instead, in plain words. If it wraps a bill.Failure that
	// got no answer or ended unknown, the token may be renewed later, and the call
	// waits until then: it fails with that outcome and its RetryAfter. Nil: nothing
	// renews tokens.
	RefreshToken func(ctx context.Context, account, used string) error
}

// A Client asks the provider. It is safe for concurrent use; pace and
// concurrency hold over all who use it.
type Client struct {
	cfg     Config
	base    *url.URL
	top     http.RoundTripper // the layers, see the package comment
	pace    *pace
	record  *recorder
	network *http.Transport // ours to close; nil if it was given
}

// The errors of New and CheckBaseURL that need no further words.
var (
	errNoKey      = errors.New("no private key")
	errNoClientID = errors.New("no client id")
	errRate       = errors.New("requests per second must be a number above 0")
)

// CheckBaseURL parses the address of the provider (API §2): scheme and host
// only, and https, except on this machine itself.
func CheckBaseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The parser's error repeats the text, which may hold a password.
		return nil, errors.New("not a URL: expected https:// and a host name")
	}
	port, portErr := strconv.ParseUint(cmp.Or(u.Port(), "443"), 10, 16)
	switch {
	case u.User != nil:
		return nil, errors.New("must not hold a user or password")
	case u.Scheme != "https" && u.Scheme != "http" || u.Opaque != "":
		return nil, errors.New("must begin with https://")
	case u.Hostname() == "":
		return nil, errors.New("names no host")
	case portErr != nil || port == 0 || u.Host[len(u.Host)-1] == ':':
		return nil, errors.New("the port is not a number from 1 to 65535")
	case u.Path != "" && u.Path != "/":
		return nil, errors.New("must end after the host: the paths are known")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("must end after the host: no query and no fragment")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, errors.New("must begin with https:// (plain http is for this machine only)")
	}
	u.Path, u.RawPath = "", ""
	return u, nil
}

// New returns a client. It sends nothing.
func New(cfg Config) (*Client, error) {
	base, err := CheckBaseURL(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("setting up the client: base URL: %w", err)
	}
	if cfg.PrivateKey == nil {
		return nil, fmt.Errorf("setting up the client: %w", errNoKey)
	}
	if cfg.ClientID == "" {
		return nil, fmt.Errorf("setting up the client: %w", errNoClientID)
	}
	if err := checkHeader(cfg.ClientID); err != nil {
		return nil, fmt.Errorf("setting up the client: client id: %w", err)
	}
	cfg.RequestsPerSecond = cmp.Or(cfg.RequestsPerSecond, 5)
	if !(cfg.RequestsPerSecond > 0) || math.IsInf(cfg.RequestsPerSecond, 0) {
		return nil, fmt.Errorf("setting up the client: %w", errRate)
	}
	cfg.KeyVersion = cmp.Or(cfg.KeyVersion, 2)
	cfg.Timeout = cmp.Or(max(cfg.Timeout, 0), 30*time.Second)
	cfg.Concurrency = max(cfg.Concurrency, 1)
	cfg.Tries = cmp.Or(max(cfg.Tries, 0), 3)
	cfg.RetryWait = cmp.Or(max(cfg.RetryWait, 0), 500*time.Millisecond)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}

	c := &Client{cfg: cfg, base: base}
	network := cfg.Transport
	if network == nil {
		c.network = newTransport(cfg.Timeout, cfg.Concurrency)
		network = c.network
	}
	c.record = &recorder{log: cfg.Log, now: cfg.Now, next: &wholeBody{limit: maxBody, next: network}}
	sign := &signer{clientID: cfg.ClientID, key: cfg.PrivateKey, keyVersion: cfg.KeyVersion, now: cfg.Now, next: c.record}
	c.pace = newPace(cfg.RequestsPerSecond, cfg.Now, &deadline{limit: cfg.Timeout, next: sign})
	c.top = newGate(cfg.Concurrency, c.pace)
	return c, nil
}

// Requests returns how many requests have been handed to the network so far;
// each try counts.
func (c *Client) Requests() int64 { return c.record.sent.Load() }

// Rate returns how many requests per second are sent at most, now and as
// configured. They differ after the provider said that it was too many.
func (c *Client) Rate() (current, configured float64) {
	return c.pace.rate(), c.pace.configured
}

// Close closes idle connections.
func (c *Client) Close() {
	if c.network != nil {
		c.network.CloseIdleConnections()
	}
}

const opQueryBillList = "queryBillList"

// QueryBillList asks for one page of an account's bills (API §6). Whatever the
// provider does instead of answering is a *bill.Failure; while there is no
// answer at all it is asked again a few times first. When ctx ends, the error
// is that of ctx.
//
// A page whose bill list still has the hash q.KnownHash is judged and verified
// like every other, but comes back Unchanged and not decoded. DecodeList
// decodes it later if need be.
func (c *Client) QueryBillList(ctx context.Context, acct bill.Account, q bill.Query) (bill.Page, error) {
	body, err := encodeQuery(q)
	if err != nil {
		return bill.Page{}, fmt.Errorf("%s: %w", opQueryBillList, err)
	}
	var page bill.Page
	err = c.ask(ctx, call{
		op:          opQueryBillList,
		path:        QueryBillListPath,
		account:     acct.Name,
		page:        q.Page,
		body:        body,
		connectedAs: "Connected-CustomerId",
		connectedID: acct.ConnectedCustomerID,
	}, func(doc *document) (err error) {
		page, err = decodePage(doc, q.KnownHash)
		return err
	}, func(t *trace, r reply) {
		page.AskedAt = t.sentAt.UTC()
		if at, err := ParseTime(r.header.Get("Response-Time")); err == nil {
			page.ServerTime = at
		}
	})
	if err != nil {
		return bill.Page{}, err
	}
	return page, nil
}

// A call is a question to the provider, the same for all of its tries.
type call struct {
	op, path, account string
	page              int
	body              []byte
	connectedAs       string // the header's name differs between endpoints (API §12)
	connectedID       string

	// private: question and answer hold what must not stay anywhere. Neither
	// body is kept as evidence, and the answer is overwritten once it is decoded.
	private bool
	// secrets are what the body holds and nobody may repeat, beside the access token.
	secrets []string
	noToken bool // the call is the one that gets the token
	once    bool // no quick tries: what was lost must not be sent again unseen

	usedToken *string // where the access token of the last try is noted; nil: nowhere
}

const (
	// maxWait is the longest pause between two quick tries.
	maxWait = 5 * time.Second
	// maxObeyed is the longest Retry-After that is waited for here. Longer ones
	// are for those who keep the schedule.
	maxObeyed = 10 * time.Second
)

// A cappedBackOff keeps the pauses under maxWait; the back-off itself caps them
// before it adds its jitter.
type cappedBackOff struct{ *backoff.ExponentialBackOff }

func (b cappedBackOff) NextBackOff() time.Duration {
	return min(b.ExponentialBackOff.NextBackOff(), maxWait)
}

// ask asks, and once more with another access token if the one that was sent has
// expired.
func (c *Client) ask(ctx context.Context, q call, decode func(*document) error, done func(*trace, reply)) error {
	if q.noToken || c.cfg.RefreshToken == nil {
		return c.insist(ctx, q, decode, done)
	}
	var used string
	q.usedToken = &used
	err := c.insist(ctx, q, decode, done)
	f, ok := bill.AsFailure(err)
	if !ok || !f.TokenExpired {
		return err
	}
	if err := c.cfg.RefreshToken(ctx, q.account, used); err != nil {
		if err := canceled(ctx, q.op); err != nil {
			return err
		}
		// What the API said stands; only what to do about it is known better.
		f.Advice, f.Err = err.Error(), err
		if r, ok := bill.AsFailure(err); ok && (r.Outcome == bill.NoAnswer || r.Outcome == bill.Unknown) {
			f.Outcome, f.RetryAfter = r.Outcome, r.RetryAfter
			f.Message = "the access token expired and is not refreshed yet"
		}
		return f
	}
	q.secrets = append(slices.Clone(q.secrets), used) // it may still be named
	return c.insist(ctx, q, decode, done)
}

// insist asks until there is an answer, or no more tries. Pauses between tries
// hold no place in the gate.
func (c *Client) insist(ctx context.Context, q call, decode func(*document) error, done func(*trace, reply)) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.Multiplier, pauses.MaxInterval = c.cfg.RetryWait, 2, maxWait

	tries := uint(c.cfg.Tries)
	if q.once {
		tries = 1
	}
	var last error // what Retry returns may be wrapped in its own types
	attempt := 0
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		attempt++
		last = c.try(ctx, q, decode, done)
		f, ok := bill.AsFailure(last)
		switch {
		case last == nil:
			return struct{}{}, nil
		case !ok, f.Outcome != bill.NoAnswer, f.RetryAfter > maxObeyed:
			return struct{}{}, backoff.Permanent(last)
		case f.RetryAfter > 0:
			return struct{}{}, &backoff.RetryAfterError{Duration: f.RetryAfter}
		}
		return struct{}{}, last
	},
		backoff.WithBackOff(cappedBackOff{pauses}),
		backoff.WithMaxTries(tries),
		backoff.WithMaxElapsedTime(0), // the tries are the limit
		backoff.WithNotify(func(_ error, wait time.Duration) {
			f, _ := bill.AsFailure(last)
			c.cfg.Log.Warn().Str("op", q.op).Str("account", q.account).Int("page", q.page).Int("attempt", attempt).
				Str("code", f.Code).Str("reason", f.Message).Int64("wait_ms", wait.Milliseconds()).Msg("asking again")
		}),
	)
	if err == nil {
		return nil
	}
	f, ok := bill.AsFailure(last)
	if ok {
		f.Tries = attempt
	}
	// An answer that came in spite of the end of ctx is still an answer.
	if !ok || f.Outcome == bill.NoAnswer {
		if err := canceled(ctx, q.op); err != nil {
			return err
		}
	}
	return last
}

// try asks once.
func (c *Client) try(ctx context.Context, q call, decode func(*document) error, done func(*trace, reply)) error {
	t := &trace{op: q.op, account: q.account, page: q.page}
	req, err := c.request(withTrace(ctx, t), q)
	if err != nil {
		return fmt.Errorf("%s: %w", q.op, err)
	}
	r, err := c.send(req)
	var broken *brokenBody
	if errors.As(err, &broken) {
		r = broken.reply
	}
	r.hide = &mask{secrets: append(slices.Clone(q.secrets), req.Header.Get("Access-Token"))}
	if q.private {
		defer func() { clear(r.body[:cap(r.body)]) }()
	}
	if err != nil {
		if err := canceled(ctx, q.op); err != nil {
			return err
		}
		if t.sentAt.IsZero() { // a layer of ours gave up before the network
			return fmt.Errorf("%s: %w", q.op, err)
		}
		return c.told(q, t, r, networkFailure(q.op, c.base.Host, c.cfg.Timeout, r.hide, err))
	}
	var check func(reply) error
	if len(c.cfg.ServerKeys) > 0 || c.forOther(r) {
		check = func(r reply) error { return c.verify(q, r) }
	}
	env, f := judge(q.op, r, check, c.cfg.Now())
	if f == nil {
		err := decode(env.doc)
		env.doc.release() // those of other answers are few, and not worth the care
		if err == nil {
			if done != nil {
				done(t, r)
			}
			return nil
		}
		err = r.hide.hideQuoted(r.body, err)
		f = newFailure(q.op, bill.NoAnswer, codeBadAnswer, "the answer is incomplete: "+err.Error())
		f.HTTPStatus, f.Err = r.status, err
	}
	if f.SlowDown {
		c.pace.slowDown(t.sentAt)
	}
	return c.told(q, t, r, f)
}

// told makes a failure one that may be seen, with its evidence.
func (c *Client) told(q call, t *trace, r reply, f *bill.Failure) *bill.Failure {
	r.hide.hideFailure(f)
	if q.private {
		withhold(f, c.base.Host)
	}
	f.Exchange = evidence(q, t, r)
	return f
}

// request builds the request of one try. What is not conditional is set by the
// layers.
func (c *Client) request(ctx context.Context, q call) (*http.Request, error) {
	u := *c.base
	u.Path = q.path
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(q.body))
	if err != nil {
		return nil, fmt.Errorf("building the request: %w", err)
	}
	// A connection that is kept is read from, and net/http writes what comes out of
	// turn, such as the rest of an answer longer than it said, to the log.
	req.Close = q.private
	req.Header.Set("User-Agent", "billsync")
	if q.connectedID != "" {
		if err := checkHeader(q.connectedID); err != nil {
			return nil, fmt.Errorf("connected id of account %q: %w", q.account, err)
		}
		req.Header.Set(q.connectedAs, q.connectedID)
	}
	if c.cfg.AccessToken == nil || q.noToken {
		return req, nil
	}
	token, err := c.cfg.AccessToken(q.account)
	if err != nil {
		return nil, fmt.Errorf("access token of account %q: %w", q.account, err)
	}
	if token != "" {
		if err := checkHeader(token); err != nil {
			return nil, fmt.Errorf("access token of account %q: %w", q.account, err)
		}
		req.Header.Set("Access-Token", token)
	}
	if q.usedToken != nil {
		*q.usedToken = token
	}
	return req, nil
}

// send passes a request through the layers, of which wholeBody is the last.
func (c *Client) send(req *http.Request) (reply, error) {
	resp, err := c.top.RoundTrip(req)
	if err != nil {
		return reply{}, err
	}
	return reply{status: resp.StatusCode, header: resp.Header, body: resp.Body.(*receivedBody).all}, nil
}

// forOther reports whether an answer is addressed to another client. That is not
// believed even where signatures are not checked (API §4.3).
func (c *Client) forOther(r reply) bool {
	id := r.header.Get("Client-Id")
	return id != "" && id != c.cfg.ClientID
}

// verify checks the signature of an answer (API §4.3).
func (c *Client) verify(q call, r reply) error {
	if c.forOther(r) {
		return errors.New("verifying: the answer is addressed to another client id")
	}
	return Verify(c.cfg.ServerKeys, r.header.Get("Signature"), http.MethodPost, q.path,
		c.cfg.ClientID, r.header.Get("Response-Time"), r.body)
}

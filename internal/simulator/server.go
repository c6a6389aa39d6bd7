package simulator

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Options say how the server behaves. The second half of them are choices that
// the API's documents leave open, or limits that it might have.
type Options struct {
	Book       Book
	ClientID   string
	ClientKeys []*rsa.PublicKey // of the client: requests signed by any of them are accepted
	Key        *rsa.PrivateKey  // signs the answers
	Now        func() time.Time // nil: the clock
	Latency    time.Duration    // waited before every answer
	// Customers are the accepted values of Connected-CustomerId, among which
	// the empty one is the client's own account. None: any is accepted.
	Customers []string
	// AccessTokens are the tokens that customers must send. A customer without
	// one need not send any.
	AccessTokens map[string]string
	// TokenLife and RefreshLife are how long the tokens live that applyToken
	// gives; 0: 30 and 180 days. The documents say the first and leave the second
	// open.
	TokenLife, RefreshLife time.Duration
	// Accounts are the customers by their account ids, which the calls about
	// cards name instead (API §12). None: an account id may stand for any customer.
	Accounts map[string]string

	MaxCount          int  // bills beyond the newest so many are neither listed nor counted; 0: no limit
	MaxPage           int  // page numbers above are refused; 0: no limit
	MaxPageSize       int  // a page has no more bills, whatever is asked for; 0: no limit
	ExcludeStart      bool // a bill exactly at startTime is not listed
	ExcludeEnd        bool // nor one at endTime
	Ascending         bool // oldest first
	IntegersAsStrings bool // the three counts of an answer are JSON strings
	Unsigned          bool // answers carry no signature
	IgnoreStatuses    bool // billStatusList is not honoured
	RotateRefresh     bool // a refresh token works once: the answer brings another
	NoRefreshTokens   bool // applyToken gives none
	RefuseRepeats     bool // a request id of createCardholder that was received is refused, not answered again

	// Review is how long the review of a cardholder takes. Zero: ten minutes.
	Review time.Duration

	// ResponseTime is what answers carry as their time. Nil: Now.
	ResponseTime func() time.Time

	Log zerolog.Logger
}

// A Server answers as the API does. It is safe for concurrent use.
type Server struct {
	opts     Options
	requests atomic.Int64
	inFlight atomic.Int64
	peak     atomic.Int64
	holders  holders

	mu      sync.RWMutex
	fault   func(Request) Fault
	observe func(Request)
	tokens  map[string]string
	oauth   oauth

	closing context.Context // done when Close has begun
	close   context.CancelFunc
	started sync.Mutex // held by Start and Close
	http    *http.Server
	served  chan error
}

// New makes a server, which does not listen yet. It panics if there is no book,
// or no key although answers are to be signed.
func New(o Options) *Server {
	if o.Book == nil || o.Key == nil && !o.Unsigned {
		panic("simulator: a server needs a book and a key")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ResponseTime == nil {
		o.ResponseTime = o.Now
	}
	s := &Server{opts: o, tokens: maps.Clone(o.AccessTokens), oauth: newOAuth()}
	s.closing, s.close = context.WithCancel(context.Background())
	return s
}

// SetFault installs the plan that is asked before each answer what is to go
// wrong with it. A nil plan lets everything go well. Plans are called
// concurrently.
func (s *Server) SetFault(plan func(Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = plan
}

// OnRequest installs an observer that is told of every request before it is
// answered, and may change the book. Observers are called concurrently.
func (s *Server) OnRequest(observe func(Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observe = observe
}

// SetAccessToken changes the token that a customer must send; the old one has
// then expired, as has what applyToken gave. An empty token lifts the demand.
func (s *Server) SetAccessToken(customer, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens == nil {
		s.tokens = make(map[string]string)
	}
	s.tokens[customer] = token
	delete(s.oauth.access, customer)
	if token == "" {
		delete(s.tokens, customer)
	}
}

func (s *Server) hooks() (fault func(Request) Fault, observe func(Request)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.fault, s.observe
}

// Requests is how many requests have come in, whatever became of them.
func (s *Server) Requests() int64 { return s.requests.Load() }

// Peak is how many requests there were at a time at most.
func (s *Server) Peak() int64 { return s.peak.Load() }

// Handler returns the API as an http.Handler, for use without Start.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Start listens on a loopback address and serves until Close. An empty address
// is a free port of 127.0.0.1. It returns the base URL for clients.
func (s *Server) Start(addr string) (baseURL string, err error) {
	s.started.Lock()
	defer s.started.Unlock()
	if s.http != nil {
		return "", errors.New("starting the simulator: it was started before")
	}
	if s.closing.Err() != nil {
		return "", errors.New("starting the simulator: it is closed")
	}
	addr, err = loopback(addr)
	if err != nil {
		return "", fmt.Errorf("starting the simulator: %w", err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("starting the simulator: %w", err)
	}
	s.http = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      5*time.Minute + s.opts.Latency, // faults may wait as well
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	s.served = make(chan error, 1)
	go func() { s.served <- s.http.Serve(l) }()
	return "http://" + l.Addr().String(), nil
}

// loopback completes a listening address. The answers are for clients on this
// machine: everyone else could read them, too.
func loopback(addr string) (string, error) {
	if addr == "" {
		addr = ":0"
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", fmt.Errorf("%s is not an address of this machine alone; use 127.0.0.1", host)
	}
	return net.JoinHostPort(host, port), nil
}

// closeWait bounds how long Close waits for answers being written.
const closeWait = 5 * time.Second

// Close stops a started server and waits until it has stopped. Requests that
// are being delayed lose their connection, others are answered first. A server
// that was not started, or is closed already, has nothing to stop.
func (s *Server) Close() error {
	s.close()
	s.started.Lock()
	defer s.started.Unlock()
	if s.served == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	if serr := <-s.served; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	s.served = nil
	if err != nil {
		return fmt.Errorf("closing the simulator: %w", err)
	}
	return nil
}

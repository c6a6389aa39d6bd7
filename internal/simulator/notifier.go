package simulator

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"billsync/internal/worldfirst"
)

// redelivery is how long is waited before each further delivery of a
// notification that was not acknowledged (API §10.4).
var redelivery = []time.Duration{2 * time.Minute, 10 * time.Minute, 10 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 15 * time.Hour}

// NotifierOptions say whom a Notifier tells of what.
type NotifierOptions struct {
	Book       Book
	Customer   string // whose bills
	URL        string // where they are sent
	ClientID   string
	Key        *rsa.PrivateKey  // signs notifications
	ClientKeys []*rsa.PublicKey // acknowledgements must be signed by one of them
	Lookback   time.Duration    // bills older than that are not watched; 0: 40 days
	Now        func() time.Time // nil: the clock
	Client     *http.Client     // nil: one with a time limit of 10 seconds
	Log        zerolog.Logger
}

// A Notifier plays the other side of bill notifications (API §10): it watches a
// book and tells of every bill that is new or changed, again and again by the
// documented schedule until that is acknowledged. It is safe for concurrent use.
type Notifier struct {
	opts NotifierOptions
	path string

	mu    sync.Mutex
	seen  map[[32]byte]bool // what was listed by the last look; nil: none so far
	queue []*letter
	stats NotifierStats
}

// NotifierStats count what became of notifications.
type NotifierStats struct {
	Deliveries   int // requests made
	Acknowledged int
	Waiting      int // to be delivered again
	GivenUp      int // by the provider (F), or after the last delivery
}

// A letter is a notification that was not acknowledged yet.
type letter struct {
	body  []byte
	due   time.Time
	tries int
}

// NewNotifier returns a Notifier. What the book lists at its first look is not
// told of.
func NewNotifier(o NotifierOptions) (*Notifier, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("notifications need an address such as http://127.0.0.1:8090/notify/bill")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Lookback <= 0 {
		o.Lookback = 40 * 24 * time.Hour
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	return &Notifier{opts: o, path: u.EscapedPath()}, nil
}

// Stats returns what became of the notifications so far.
func (n *Notifier) Stats() NotifierStats {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.stats
	s.Waiting = len(n.queue)
	return s
}

// Run looks every so often until ctx ends.
func (n *Notifier) Run(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		n.Look(ctx)
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// Look looks once what has changed in the book and delivers what is due.
func (n *Notifier) Look(ctx context.Context) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.opts.Now()
	items, _ := n.opts.Book.Bills(now, n.opts.Customer, Filter{From: now.Add(-n.opts.Lookback), IncludeFrom: true}, 0, 1<<30)
	seen := make(map[[32]byte]bool, len(items))
	for i := len(items) - 1; i >= 0; i-- { // the oldest first
		key := sha256.Sum256(items[i])
		seen[key] = true
		if n.seen != nil && !n.seen[key] {
			n.queue = append(n.queue, &letter{body: bytes.Clone(items[i]), due: now})
		}
	}
	n.seen = seen
	n.deliverDue(ctx, now)
}

// deliverDue is called with the lock held.
func (n *Notifier) deliverDue(ctx context.Context, now time.Time) {
	waiting := n.queue[:0]
	for _, l := range n.queue {
		if l.due.After(now) || ctx.Err() != nil {
			waiting = append(waiting, l)
			continue
		}
		n.stats.Deliveries++
		status, err := n.Deliver(ctx, l.body)
		switch {
		case status == "S":
			n.stats.Acknowledged++
			continue
		case status == "F", l.tries == len(redelivery):
			n.stats.GivenUp++
			n.opts.Log.Warn().Err(err).Int("deliveries", l.tries+1).Msg("notification given up")
			continue
		}
		l.due = now.Add(redelivery[l.tries])
		l.tries++
		n.opts.Log.Debug().Err(err).Time("again_at", l.due).Msg("notification not acknowledged")
		waiting = append(waiting, l)
	}
	clear(n.queue[len(waiting):])
	n.queue = waiting
}

// Deliver sends one notification and returns the status of its acknowledgement.
// It is empty if there is none that could be believed; then the error says why.
func (n *Notifier) Deliver(ctx context.Context, body []byte) (status string, err error) {
	o := &n.opts
	at := o.Now().In(beijing).Format(worldfirst.TimeFormat)
	signature, err := worldfirst.Sign(o.Key, 2, http.MethodPost, n.path, o.ClientID, at, body)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.URL, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	for name, value := range map[string]string{
		"Client-Id": o.ClientID, "Request-Time": at, "Signature": signature, "Content-Type": "application/json; charset=UTF-8",
	} {
		req.Header.Set(name, value)
	}
	resp, err := o.Client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	switch {
	case err != nil:
		return "", err
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("answered with HTTP %d", resp.StatusCode)
	case resp.Header.Get("Client-Id") != o.ClientID:
		return "", errors.New("answered as another client")
	}
	err = worldfirst.Verify(o.ClientKeys, resp.Header.Get("Signature"), http.MethodPost, n.path, o.ClientID, resp.Header.Get("Response-Time"), answer)
	if err != nil {
		return "", err
	}
	var said struct {
		Result result `json:"result"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return "", err
	}
	switch s := said.Result.Status; s {
	case "S", "U", "F":
		return s, nil
	}
	return "", fmt.Errorf("answered with status %q", said.Result.Status)
}

package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"billsync/internal/bill"
)

const (
	// maxConnections are served at a time; others wait to be accepted.
	maxConnections = 256
	// maxBatch is how many notifications one transaction takes.
	maxBatch = 256
	// closing is how long answers may still take when the server is told to stop.
	closing = 5 * time.Second
)

// Listen takes the address, so that a wrong one is told before any work.
func Listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	return &limited{Listener: l, places: make(chan struct{}, maxConnections), closed: make(chan struct{})}, nil
}

// Run serves on a listener until ctx ends, and then finishes the answers that are
// under way. It closes the listener.
func (h *Handler) Run(ctx context.Context, l net.Listener) error {
	stored := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(stored)
		h.keepStoring(stop)
	}()
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10*time.Second + patience,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          stdlog.New(io.Discard, "", 0), // broken connections are nothing to us
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
		if srv.Shutdown(wait) != nil {
			_ = srv.Close() // who is slower than that is told again
		}
		cancel()
		err = <-ended
	}
	close(stop)
	<-stored
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("receiving notifications: %w", err)
}

// keepStoring stores what comes, what came at the same time in one transaction:
// the database writes for one at a time, and a sync that is under way writes as
// well.
func (h *Handler) keepStoring(stop <-chan struct{}) {
	for {
		var batch []job
		select {
		case j := <-h.jobs:
			batch = append(batch, j)
		case <-stop:
			return
		}
		for more := true; more && len(batch) < maxBatch; {
			select {
			case j := <-h.jobs:
				batch = append(batch, j)
			default:
				more = false
			}
		}
		h.deliver(batch)
	}
}

// deliver stores a batch and tells those who wait. If it cannot be stored as a
// whole each is tried by itself, so that one does not keep back the others; but
// not for those who were told to come again meanwhile, or a database that is
// locked for long would be tried once for each.
func (h *Handler) deliver(batch []job) {
	list := make([]bill.Notification, len(batch))
	for i, j := range batch {
		list[i] = j.n
	}
	receipts, err := h.tryDeliver(list)
	if err != nil && len(batch) > 1 {
		for _, j := range batch {
			if j.abandoned() {
				continue
			}
			h.deliver([]job{j})
		}
		return
	}
	for i, j := range batch {
		o := outcome{err: err}
		if err == nil {
			o.receipt = receipts[i]
		}
		j.done <- o
	}
}

// tryDeliver is Deliver, with its panics as errors.
func (h *Handler) tryDeliver(list []bill.Notification) (receipts []bill.Receipt, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.cfg.Log.Error().Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("storing notifications panicked")
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	// Those who wait may have gone; what came is stored all the same.
	return h.cfg.Deliver(context.Background(), list)
}

// A limited listener accepts so many connections at a time.
type limited struct {
	net.Listener
	places chan struct{}
	once   sync.Once
	closed chan struct{} // closed with the listener
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &counted{Conn: c, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

// A counted connection gives its place back when it is closed.
type counted struct {
	net.Conn
	leave func()
}

func (c *counted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

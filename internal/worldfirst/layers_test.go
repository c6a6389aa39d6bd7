package worldfirst

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// A tripper is a function that is a layer.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func ok(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// closeRecorder is a request's body that tells whether it was closed.
type closeRecorder struct {
	io.Reader
	closed atomic.Bool
}

func (c *closeRecorder) Close() error { c.closed.Store(true); return nil }

func newRequest(ctx context.Context) (*http.Request, *closeRecorder) {
	body := &closeRecorder{Reader: strings.NewReader("body")}
	req, err := http.NewRequestWithContext(ctx, "POST", "https://h/path", body)
	if err != nil {
		panic(err)
	}
	return req, body
}

func TestGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var inside, most atomic.Int64
		g := newGate(3, tripper(func(req *http.Request) (*http.Response, error) {
			most.Store(max(most.Load(), inside.Add(1)))
			time.Sleep(time.Second)
			inside.Add(-1)
			return ok(req)
		}))
		began := time.Now()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				req, _ := newRequest(t.Context())
				if _, err := g.RoundTrip(req); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := inside.Load(); n != 3 {
			t.Errorf("%d at once, want 3", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		req, body := newRequest(ctx)
		if _, err := g.RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) || !body.closed.Load() {
			t.Errorf("waiting with an ended context: %v, body closed %v", err, body.closed.Load())
		}
		wg.Wait()
		if took := time.Since(began); took != 4*time.Second || most.Load() != 3 {
			t.Errorf("10 requests took %v with %d at once, want 4s with 3", took, most.Load())
		}
	})
}

func TestPaceIsEven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var at []time.Duration
		began := time.Now()
		p := newPace(5, time.Now, tripper(func(req *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(began))
			return ok(req)
		}))
		time.Sleep(time.Hour) // a rest earns no burst
		began = time.Now()
		var wg sync.WaitGroup
		for range 11 {
			wg.Go(func() {
				req, _ := newRequest(t.Context())
				if _, err := p.RoundTrip(req); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for i, got := range at {
			if want := time.Duration(i) * 200 * time.Millisecond; got < want-time.Microsecond || got > want+time.Microsecond {
				t.Errorf("request %d went after %v, want %v", i, got, want)
			}
		}
		// A turn that comes after the deadline is waited for until the deadline.
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began = time.Now()
		req, body := newRequest(ctx)
		_, err := p.RoundTrip(req)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 100*time.Millisecond || !body.closed.Load() {
			t.Errorf("after %v: %v, want the deadline after 100ms", time.Since(began), err)
		}
	})
}

func TestPaceSlowsDownAndRecovers(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	p := newPace(16, func() time.Time { return now }, tripper(ok))
	step := func(what string, want float64) {
		t.Helper()
		if got := p.rate(); got < want-1e-9 || got > want+1e-9 || got != float64(p.limiter.Limit()) {
			t.Errorf("%s: rate %v, limiter %v, want %v", what, got, p.limiter.Limit(), want)
		}
	}
	step("at first", 16)
	p.slowDown(now)
	step("one complaint", 8)
	now = now.Add(time.Second)
	p.slowDown(now.Add(-2 * time.Second))
	step("a complaint about a request sent before", 8)
	now = now.Add(59 * time.Second)
	step("59 seconds later", 8)
	now = now.Add(time.Second)
	step("a minute later", 9.6)
	now = now.Add(90 * time.Second)
	step("90 seconds later", 11.2)
	now = now.Add(30 * time.Second)
	step("the half minute is not lost", 12.8)
	for range 10 {
		p.slowDown(now)
	}
	step("the floor", 1)
	now = now.Add(-time.Hour)
	step("the clock set back", 1)
	now = now.Add(9 * time.Minute)
	step("nine minutes later", 15.4)
	now = now.Add(time.Hour)
	step("never above what is configured", 16)
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wait := tripper(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		d := &deadline{limit: time.Second, next: wait}
		began := time.Now()
		req, _ := newRequest(t.Context())
		if _, err := d.RoundTrip(req); !errors.Is(err, errAttemptTimeout) || time.Since(began) != time.Second {
			t.Errorf("after %v: %v, want our own limit after 1s", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		req, _ = newRequest(ctx)
		if _, err := d.RoundTrip(req); errors.Is(err, errAttemptTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the caller's deadline", err)
		}
	})
}

// TestTimeoutExcludesWaiting lets a request wait for its turn far longer than
// one try may take.
func TestTimeoutExcludesWaiting(t *testing.T) {
	t.Parallel()
	key := privateKey(t, "client_private_pkcs8.pem")
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Config{BaseURL: "https://h", ClientID: "c", PrivateKey: key, Timeout: time.Second,
			RequestsPerSecond: 0.1, Concurrency: 1, Tries: 1, Transport: tripper(func(req *http.Request) (*http.Response, error) {
				time.Sleep(900 * time.Millisecond)
				resp, err := ok(req)
				resp.Body = io.NopCloser(strings.NewReader(yes))
				return resp, err
			})})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := c.QueryBillList(t.Context(), testAccount, testQuery); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// TestPausesHoldNoPlace lets a question that pauses between two tries share the
// only place with another.
func TestPausesHoldNoPlace(t *testing.T) {
	t.Parallel()
	key := privateKey(t, "client_private_pkcs8.pem")
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		c, err := New(Config{BaseURL: "https://h", ClientID: "c", PrivateKey: key, RequestsPerSecond: 1e6, Concurrency: 1, Tries: 2,
			RetryWait: 4 * time.Second, Transport: tripper(func(req *http.Request) (*http.Response, error) {
				resp, err := ok(req)
				resp.Body = io.NopCloser(strings.NewReader(yes))
				if n.Add(1) == 1 {
					resp.StatusCode = 503
				}
				return resp, err
			})})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := c.QueryBillList(t.Context(), testAccount, testQuery)
			done <- err
		}()
		synctest.Wait() // the first one pauses now
		began := time.Now()
		if _, err := c.QueryBillList(t.Context(), testAccount, testQuery); err != nil || time.Since(began) > time.Second {
			t.Errorf("the second question: %v after %v", err, time.Since(began))
		}
		if err := <-done; err != nil || time.Since(began) < time.Second || time.Since(began) > maxWait {
			t.Errorf("the first question: %v after %v", err, time.Since(began))
		}
	})
}

func TestSignerLeavesTheRequestAlone(t *testing.T) {
	t.Parallel()
	var sent *http.Request
	var bodies []string
	s := &signer{clientID: "C", key: privateKey(t, "client_private_pkcs8.pem"), keyVersion: 3,
		now: func() time.Time { return time.Date(2026, 2, 1, 2, 30, 0, 999e6, time.UTC) },
		next: tripper(func(req *http.Request) (*http.Response, error) {
			sent = req
			again, _ := req.GetBody()
			for _, r := range []io.Reader{req.Body, again} {
				b, _ := io.ReadAll(r)
				bodies = append(bodies, string(b))
			}
			return ok(req)
		})}
	req, body := newRequest(t.Context())
	req.Header.Set("X", "y")
	if _, err := s.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	if len(req.Header) != 1 || sent == req || sent.Header.Get("X") != "y" || !body.closed.Load() {
		t.Errorf("the caller's request has headers %v, its body is closed: %v", req.Header, body.closed.Load())
	}
	want, _ := Sign(s.key, 3, "POST", "/path", "C", "2026-02-01T10:30:00+08:00", []byte("body"))
	if h := sent.Header; h.Get("Signature") != want || h.Get("Request-Time") != "2026-02-01T10:30:00+08:00" || h.Get("Client-Id") != "C" {
		t.Errorf("headers %v, want signature %s", h, want)
	}
	if strings.Join(bodies, ",") != "body,body" || sent.ContentLength != 4 {
		t.Errorf("sent %q with length %d", bodies, sent.ContentLength)
	}
}

func TestRecorder(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	now := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	fails := errors.New("broken")
	r := &recorder{log: zerolog.New(&log), now: func() time.Time { now = now.Add(7 * time.Millisecond); return now }}
	for _, tt := range []struct {
		next     tripper
		answered bool
		want     string
	}{
		{ok, true, `{"level":"debug","op":"op","account":"a","page":3,"status":200,"took_ms":7,"message":"request"}`},
		{func(*http.Request) (*http.Response, error) { return nil, fails }, false, `{"level":"debug","op":"op","account":"a","page":3,"status":0,"took_ms":7,"message":"request"}`},
	} {
		log.Reset()
		r.next = tt.next
		tr := &trace{op: "op", account: "a", page: 3}
		req, _ := newRequest(withTrace(t.Context(), tr))
		req.Header.Set("Access-Token", "SECRET")
		_, err := r.RoundTrip(req)
		if (err == nil) != tt.answered || tr.sentAt.IsZero() || tr.answeredAt.IsZero() == tt.answered || strings.TrimSpace(log.String()) != tt.want {
			t.Errorf("%v, trace %+v, log %s, want %s", err, tr, log.String(), tt.want)
		}
	}
	req, _ := newRequest(t.Context()) // without a trace
	r.RoundTrip(req)
	if r.sent.Load() != 3 {
		t.Errorf("counted %d, want 3", r.sent.Load())
	}
}

func TestWholeBody(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		body io.Reader
		want string
		err  error
	}{
		{"at the limit", strings.NewReader("12345678"), "12345678", nil},
		{"over the limit", strings.NewReader("123456789"), "", errTooLarge},
		{"broken", io.MultiReader(strings.NewReader("123"), errReader{broken}), "", broken},
	} {
		body := &closeRecorder{Reader: tt.body}
		w := &wholeBody{limit: 8, next: tripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 203, Header: http.Header{"A": {"b"}}, Body: body}, nil
		})}
		req, _ := newRequest(t.Context())
		resp, err := w.RoundTrip(req)
		if !errors.Is(err, tt.err) || !body.closed.Load() {
			t.Errorf("%s: %v, closed %v, want %v", tt.name, err, body.closed.Load(), tt.err)
		}
		if err != nil {
			var b *brokenBody
			if !errors.As(err, &b) || b.reply.status != 203 || !strings.HasPrefix(string(b.reply.body), "123") || b.reply.header.Get("A") != "b" {
				t.Errorf("%s: %+v does not keep what came", tt.name, b)
			}
			continue
		}
		if got, _ := io.ReadAll(resp.Body); string(got) != tt.want {
			t.Errorf("%s: read %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestReadBody announces lengths that are right and wrong.
func TestReadBody(t *testing.T) {
	t.Parallel()
	const limit = maxTrusted + 1000
	for _, length := range []int{0, 1, 511, 512, 513, 55_000, maxTrusted + 1, limit, limit + 1, limit + 2} {
		text := strings.Repeat("0123456789", length/10+1)[:length]
		for _, announced := range []int{-1, 1, length - 1, length, length + 1, 1 << 40} {
			for name, r := range map[string]io.Reader{
				"whole":       strings.NewReader(text),
				"with EOF":    iotest.DataErrReader(strings.NewReader(text)),
				"half":        iotest.HalfReader(strings.NewReader(text)),
				"broken":      io.MultiReader(strings.NewReader(text), errReader{io.ErrUnexpectedEOF}),
				"after pause": io.MultiReader(strings.NewReader(text[:length/2]), strings.NewReader(text[length/2:])),
			} {
				got, err := readBody(r, int64(announced), limit)
				want, wantErr := text[:min(length, limit+1)], error(nil)
				switch {
				case length > limit:
					wantErr = errTooLarge
				case name == "broken":
					wantErr = io.ErrUnexpectedEOF
				}
				if err != wantErr || string(got) != want {
					t.Errorf("%d bytes, announced %d, %s: read %d, %v, want %v", length, announced, name, len(got), err, wantErr)
				}
				// Room is made for what came, not for what was said.
				if room := max(2*len(got), maxTrusted); cap(got) > room+room/2 {
					t.Errorf("%d bytes, announced %d, %s: room for %d", length, announced, name, cap(got))
				}
			}
		}
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

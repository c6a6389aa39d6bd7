package worldfirst

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"billsync/internal/bill"
)

func TestQueryBillList(t *testing.T) {
	t.Parallel()
	body := sample(t, "queryBillList.response.success.json")
	p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) { p.send(w, 200, body) })
	now := time.Date(2026, 2, 1, 2, 30, 0, 5e8, time.UTC)
	c := p.client(func(cfg *Config) {
		cfg.Now = func() time.Time { return now }
		cfg.AccessToken = func(account string) (string, error) { return "token-of-" + account, nil }
	})
	acct := bill.Account{Name: "main", ConnectedCustomerID: "CUST1", ConnectedAccountID: "ACCT1"}
	page, err := c.QueryBillList(t.Context(), acct, testQuery)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) != 6 || page.TotalCount != 6 || !page.AskedAt.Equal(now) || page.AskedAt.Location() != time.UTC ||
		!page.ServerTime.Equal(utc(2026, 2, 1, 2, 30, 5, 0)) || len(page.Hash) != 32 {
		t.Errorf("page %d items of %d, asked %v, server %v, hash %q", len(page.Items), page.TotalCount, page.AskedAt, page.ServerTime, page.Hash)
	}
	if n := c.Requests(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}

	r := p.requests[0]
	want := loadVectors(t).Vectors[0] // the same question at the same time
	if string(p.bodies[0]) != *want.Body {
		t.Errorf("body %s, want %s", p.bodies[0], *want.Body)
	}
	for name, want := range map[string]string{
		"Signature": *want.SignatureHeader, "Request-Time": "2026-02-01T10:30:00+08:00", "Client-Id": testClientID,
		"Content-Type": "application/json; charset=UTF-8", "User-Agent": "billsync",
		"Connected-Customerid": "CUST1", "Access-Token": "token-of-main", "Content-Length": strconv.Itoa(len(*want.Body)),
	} {
		if got := r.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("header %s = %q, want %q", name, got, want)
		}
	}
	if len(r.Header) != 8 || r.Method != "POST" || r.URL.String() != QueryBillListPath || r.Host != strings.TrimPrefix(p.URL, "http://") {
		t.Errorf("%s %s to %s with headers %v", r.Method, r.URL, r.Host, r.Header)
	}

	// Nothing conditional without a reason.
	c = p.client(func(cfg *Config) { cfg.AccessToken = func(string) (string, error) { return "", nil } })
	if _, err := c.QueryBillList(t.Context(), testAccount, testQuery); err != nil {
		t.Fatal(err)
	}
	if h := p.requests[1].Header; len(h) != 6 || h.Get("Access-Token")+h.Get("Connected-CustomerId") != "" {
		t.Errorf("headers %v", h)
	}
}

func TestEncodeQuery(t *testing.T) {
	t.Parallel()
	q := testQuery
	q.PageSize, q.Statuses, q.CardLast4 = 10, []string{"WAITING_CLEARANCE", "WAITING_DEDUCT", "PARTIAL_CANCEL"}, "4444"
	q.MerchantName, q.OrderNo, q.BudgetAccountIDs = "EXAMPLE CLOUD", "20260110190741000100120000001", []string{"BA0000000000000001"}
	filtered := strings.Join(strings.Fields(string(sample(t, "queryBillList.request.filtered.json"))), "")
	filtered = strings.Replace(filtered, "EXAMPLECLOUD", "EXAMPLE CLOUD", 1)
	utf8 := testQuery
	utf8.MerchantName = "上海示例 & Co <测试>/\"引号\""
	inUTC := bill.Query{Start: time.Date(2026, 1, 1, 0, 0, 0, 999e6, beijing), End: testQuery.End, Page: 2, PageSize: 1}
	for _, tt := range []struct {
		q    bill.Query
		want string
	}{
		{q, filtered},
		{utf8, *loadVectors(t).Vectors[1].Body},
		{inUTC, `{"startTime":"2025-12-31T16:00:00+00:00","endTime":"2026-01-30T16:00:00+00:00","pageNumber":2,"pageSize":1}`},
	} {
		got, err := encodeQuery(tt.q)
		if err != nil || string(got) != tt.want {
			t.Errorf("encodeQuery = %s, %v, want %s", got, err, tt.want)
		}
	}
	p := newProvider(t, func(*provider, int, http.ResponseWriter, *http.Request) {})
	c := p.client()
	for _, card := range []string{"5555555555554444", "444", "44444", "444x", "４４"} {
		q.CardLast4 = card
		_, err := c.QueryBillList(t.Context(), testAccount, q)
		if _, ok := bill.AsFailure(err); err == nil || ok || p.count() != 0 || strings.Contains(err.Error(), card) {
			t.Errorf("card filter %q: %v and %d requests, want a plain error and none", card, err, p.count())
		}
	}
}

func TestTriesSignAgain(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(p *provider, n int, w http.ResponseWriter, r *http.Request) {
		if n < 2 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		p.send(w, 200, []byte(yes))
	})
	clock := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	var log bytes.Buffer
	c := p.client(func(cfg *Config) {
		cfg.Now = func() time.Time { clock = clock.Add(time.Second); return clock }
		cfg.Log = zerolog.New(&log)
	})
	if _, err := c.QueryBillList(t.Context(), testAccount, testQuery); err != nil {
		t.Fatal(err)
	}
	if p.count() != 3 || c.Requests() != 3 {
		t.Fatalf("%d requests, counted %d, want 3", p.count(), c.Requests())
	}
	keys := []*rsa.PublicKey{publicKey(t, "client_public.pem")}
	seen := map[string]bool{}
	for i, r := range p.requests {
		at := r.Header.Get("Request-Time")
		if err := Verify(keys, r.Header.Get("Signature"), "POST", QueryBillListPath, testClientID, at, p.bodies[i]); err != nil {
			t.Errorf("try %d: %v", i, err)
		}
		if seen[at] || !bytes.Equal(p.bodies[i], p.bodies[0]) {
			t.Errorf("try %d has an old time %s or another body %s", i, at, p.bodies[i])
		}
		seen[at] = true
	}
	if n := strings.Count(log.String(), `"message":"asking again"`); n != 2 || !strings.Contains(log.String(), `"code":"HTTP_502"`) {
		t.Errorf("log %s, want two lines about asking again", log.String())
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		header  string
		tries   int
		atLeast time.Duration
		want    time.Duration
	}{
		{"1", 2, time.Second, time.Second},
		{"11", 1, 0, 11 * time.Second},
		{"3600", 1, 0, time.Hour},
	} {
		t.Run(tt.header, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, func(_ *provider, _ int, w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", tt.header)
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			c := p.client(func(cfg *Config) { cfg.Tries = 2 })
			began := time.Now()
			f := failure(t, c)
			if f.RetryAfter != tt.want || f.Outcome != bill.NoAnswer || p.count() != tt.tries || time.Since(began) < tt.atLeast {
				t.Errorf("%+v after %d tries in %v, want %d and RetryAfter %v", f, p.count(), time.Since(began), tt.tries, tt.want)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		p := newProvider(t, func(_ *provider, _ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, status)
		})
		if f := failure(t, p.client()); f.Code != fmt.Sprintf("HTTP_%d", status) || f.Outcome != bill.RefusedUs || !strings.Contains(f.Advice, "redirect") {
			t.Errorf("HTTP %d: %+v", status, f)
		}
	}
}

func TestNetworkFailures(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	insecure := httptest.NewUnstartedServer(nil)
	insecure.Config.ErrorLog = log.New(io.Discard, "", 0)
	insecure.StartTLS()
	t.Cleanup(insecure.Close)
	plain := httptest.NewServer(nil)
	t.Cleanup(plain.Close)
	handler := func(f func(w http.ResponseWriter, r *http.Request)) string {
		return newProvider(t, func(_ *provider, _ int, w http.ResponseWriter, r *http.Request) { f(w, r) }).URL
	}
	for _, tt := range []struct{ name, url, code, message string }{
		{"refused", closed.URL, codeRefused, "refused the connection"},
		{"no such host", "https://nowhere.invalid", codeDNS, "nowhere.invalid"},
		{"unknown certificate", insecure.URL, codeTLS, "not trusted"},
		{"no TLS", strings.Replace(plain.URL, "http", "https", 1), codeTLS, "does not speak TLS"},
		{"late headers", handler(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), codeTimeout, "no whole answer"},
		{"late body", handler(func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte("{"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}), codeTimeout, "no whole answer"},
		{"closed", handler(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
		}), codeConnection, "closed the connection"},
		{"cut off", handler(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, yes)
		}), codeCutOff, "middle"},
		{"too large", handler(func(w http.ResponseWriter, _ *http.Request) {
			for piece, i := bytes.Repeat([]byte(" "), 1<<20), 0; i < 17; i++ {
				w.Write(piece)
			}
		}), codeTooLarge, "16 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limit := time.Minute // never in the way
			if tt.code == codeTimeout {
				limit = 100 * time.Millisecond
			}
			c, err := New(Config{BaseURL: tt.url, ClientID: testClientID, PrivateKey: privateKey(t, "client_private_pkcs8.pem"),
				Timeout: limit, Tries: 2, RetryWait: time.Millisecond, RequestsPerSecond: 1e6})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			f := failure(t, c)
			if f.Outcome != bill.NoAnswer || f.Code != tt.code || !strings.Contains(f.Message, tt.message) || f.Advice == "" || c.Requests() != 2 {
				t.Errorf("%+v after %d tries, want %s", f, c.Requests(), tt.code)
			}
			for _, noise := range []string{"dial tcp", "x509:", "context deadline", "Post "} {
				if strings.Contains(f.Error(), noise) {
					t.Errorf("%q holds %q", f, noise)
				}
			}
			if f.Exchange == nil || f.Exchange.SentAt.IsZero() || !f.Exchange.AnsweredAt.IsZero() {
				t.Errorf("exchange %+v, want it sent and not answered", f.Exchange)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		code string
	}{
		{&net.OpError{Op: "proxyconnect", Err: errors.New("x")}, codeProxy},
		{errors.New("Proxy Authentication Required"), codeProxy},
		{errors.New(`invalid proxy address "http://user:secret@": x`), codeProxy},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, codeTLS},
		{&net.DNSError{Name: "h", IsTimeout: true}, codeDNS},
		{errors.New("something\nelse"), codeConnection},
	} {
		code, message := explain("host", time.Second, nil, tt.err)
		if code != tt.code || strings.Contains(message, "secret") || strings.Contains(message, "\n") {
			t.Errorf("explain(%v) = %s, %q, want %s", tt.err, code, message, tt.code)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) { p.send(w, 200, []byte(yes)) })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		wantCanceled(t, ctx, p.client(), context.Canceled)
		if p.count() != 0 {
			t.Errorf("%d requests with an ended context", p.count())
		}
	})
	t.Run("under way", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		p := newProvider(t, func(_ *provider, _ int, w http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
		wantCanceled(t, ctx, p.client(), context.Canceled)
	})
	t.Run("deadline of the caller", func(t *testing.T) {
		t.Parallel()
		p := newProvider(t, func(_ *provider, _ int, w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		wantCanceled(t, ctx, p.client(), context.DeadlineExceeded)
	})
	t.Run("between tries", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		p := newProvider(t, func(_ *provider, _ int, w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) })
		c := p.client(func(cfg *Config) {
			cfg.RetryWait = time.Hour
			cfg.Log = zerolog.New(writerFunc(func(b []byte) {
				if bytes.Contains(b, []byte("asking again")) {
					cancel()
				}
			}))
		})
		wantCanceled(t, ctx, c, context.Canceled)
	})
	t.Run("waiting for a turn", func(t *testing.T) {
		t.Parallel()
		p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) { p.send(w, 200, []byte(yes)) })
		c := p.client(func(cfg *Config) { cfg.RequestsPerSecond = 0.001 })
		if _, err := c.QueryBillList(t.Context(), testAccount, testQuery); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		wantCanceled(t, ctx, c, context.DeadlineExceeded)
	})
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) { f(b); return len(b), nil }

func wantCanceled(t *testing.T, ctx context.Context, c *Client, want error) {
	t.Helper()
	_, err := c.QueryBillList(ctx, testAccount, testQuery)
	if _, isFailure := bill.AsFailure(err); !errors.Is(err, want) || isFailure {
		t.Errorf("QueryBillList: %v, want %v and no Failure", err, want)
	}
}

// TestNothingSecretIsKept looks for secrets in all that leaves the client.
func TestNothingSecretIsKept(t *testing.T) {
	t.Parallel()
	const token, pan = "SECRET-TOKEN-1", "4111111111111111"
	p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) {
		body := fmt.Sprintf(`{"result":{"resultCode":"X","resultStatus":"F","resultMessage":"card %s"},"cardNo":"5555555555554445","pad":%q}`, pan, strings.Repeat("é", maxEvidence))
		w.Header().Set("Set-Cookie", "session=secret")
		w.Header().Set("X-Echo", pan)
		p.send(w, 200, []byte(body))
	})
	var log bytes.Buffer
	c := p.client(func(cfg *Config) {
		cfg.AccessToken = func(string) (string, error) { return token, nil }
		cfg.Log = zerolog.New(&log)
	})
	q := testQuery
	q.MerchantName = pan
	_, err := c.QueryBillList(t.Context(), testAccount, q)
	f, ok := bill.AsFailure(err)
	if !ok || f.Exchange == nil {
		t.Fatalf("%v, want a Failure with its exchange", err)
	}
	x := f.Exchange
	all := fmt.Sprintf("%+v\n%+v\n%s\n%v", *f, *x, log.String(), err)
	ours, theirs := p.requests[0].Header.Get("Signature"), x.ResponseHeaders
	for _, secret := range []string{token, pan, "5555555555554445", "session=secret", ours[len(ours)-40:], "MII"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is in %s", secret, all)
		}
	}
	signature := strings.SplitAfter(ours, "signature=")[1]
	for _, want := range []string{"Access-Token: ***", "Client-Id: " + testClientID, "Signature: algorithm=RSA256, keyVersion=2, signature=" + signature[:24] + "…"} {
		if !strings.Contains(x.RequestHeaders, want) {
			t.Errorf("request headers %q, want %q", x.RequestHeaders, want)
		}
	}
	if !strings.Contains(theirs, "X-Echo: ****1111") || !strings.Contains(x.RequestBody, `"merchantName":"****1111"`) || !strings.Contains(x.ResponseBody, `"cardNo":"****4445"`) {
		t.Errorf("exchange %+v", x)
	}
	if n := len(x.ResponseBody); n > maxEvidence+len("…") || n < maxEvidence-4 || !strings.HasSuffix(x.ResponseBody, "é…") {
		t.Errorf("the kept body has %d bytes and ends %q", n, x.ResponseBody[n-8:])
	}
	if x.Method != "POST" || x.Path != QueryBillListPath || x.HTTPStatus != 200 || x.SentAt.IsZero() || x.AnsweredAt.Before(x.SentAt) {
		t.Errorf("exchange %+v", x)
	}
	if want := `"op":"queryBillList","account":"main","page":1,"status":200,"took_ms":`; !strings.Contains(log.String(), want) {
		t.Errorf("log %s, want %s", log.String(), want)
	}
}

func TestAccessTokenErrors(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(*provider, int, http.ResponseWriter, *http.Request) {})
	broken := errors.New("token file is gone")
	for _, tt := range []struct {
		token string
		err   error
	}{{"", broken}, {"two\nlines", nil}, {"SECRET ", nil}} {
		c := p.client(func(cfg *Config) { cfg.AccessToken = func(string) (string, error) { return tt.token, tt.err } })
		_, err := c.QueryBillList(t.Context(), testAccount, testQuery)
		if _, ok := bill.AsFailure(err); err == nil || ok || !errors.Is(err, tt.err) && tt.err != nil || strings.Contains(err.Error(), "SECRET") || c.Requests() != 0 {
			t.Errorf("token %q, %v: %v after %d requests, want a plain error and none", tt.token, tt.err, err, c.Requests())
		}
	}
}

func TestCheckBaseURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://open-sea.worldfirst.com": "https://open-sea.worldfirst.com", "https://open-sea.worldfirst.com/": "https://open-sea.worldfirst.com",
		"https://h:8443": "https://h:8443", "http://localhost:80": "http://localhost:80", "http://LOCALHOST": "http://LOCALHOST",
		"http://127.0.0.1": "http://127.0.0.1", "http://127.9.9.9:1": "http://127.9.9.9:1", "http://[::1]:8080": "http://[::1]:8080",
	} {
		u, err := CheckBaseURL(raw)
		if err != nil || u.String() != want {
			t.Errorf("CheckBaseURL(%q) = %v, %v, want %s", raw, u, err, want)
		}
	}
	for _, raw := range []string{
		"", "open-sea.worldfirst.com", "http://open-sea.worldfirst.com", "http://localhost.example.com", "http://128.0.0.1", "http://[::2]", "ftp://localhost",
		"https://", "https:///x", "https://h/path", "https://h/amsin/", "https://h?x=1", "https://h?", "https://h#x", "https://user:pa55@h", "https:h", "simulator",
		"https://h:0", "https://h:65536", "https://h:", "https://h:x", "https://user:pa55@h:x", "http://0.0.0.0", "\x00",
	} {
		if u, err := CheckBaseURL(raw); err == nil {
			t.Errorf("CheckBaseURL(%q) = %v, want an error", raw, u)
		} else if strings.Contains(err.Error(), "pa55") {
			t.Errorf("CheckBaseURL(%q): %v holds the password", raw, err)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	good := Config{BaseURL: "https://h", ClientID: "c", PrivateKey: privateKey(t, "client_private_pkcs8.pem")}
	c, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if cfg := c.cfg; cfg.KeyVersion != 2 || cfg.Timeout != 30*time.Second || cfg.Concurrency != 1 || cfg.Tries != 3 || cfg.RetryWait != 500*time.Millisecond || cfg.RequestsPerSecond != 5 {
		t.Errorf("defaults %+v", cfg)
	}
	network := c.network
	if !network.DisableCompression || network.MaxIdleConnsPerHost != 1 || network.TLSHandshakeTimeout != 10*time.Second || network.Proxy == nil {
		t.Errorf("transport %+v", network)
	}
	if network := newTransport(3*time.Second, 7); network.TLSHandshakeTimeout != 3*time.Second || network.MaxIdleConnsPerHost != 7 {
		t.Errorf("transport %+v", network)
	}
	for name, change := range map[string]func(*Config){
		"base URL":  func(c *Config) { c.BaseURL = "http://h" },
		"key":       func(c *Config) { c.PrivateKey = nil },
		"client id": func(c *Config) { c.ClientID = "" },
		"header":    func(c *Config) { c.ClientID = "a\nb" },
		"rate":      func(c *Config) { c.RequestsPerSecond = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("a bad %s was accepted", name)
		}
	}
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	var addresses []string
	p := newProvider(t, func(p *provider, n int, w http.ResponseWriter, r *http.Request) {
		addresses = append(addresses, r.RemoteAddr)
		p.send(w, 200, []byte(yes))
	})
	c := p.client()
	for range 3 {
		if _, err := c.QueryBillList(t.Context(), testAccount, testQuery); err != nil {
			t.Fatal(err)
		}
	}
	if addresses[0] != addresses[1] || addresses[1] != addresses[2] {
		t.Errorf("three requests came from %v, want one connection", addresses)
	}
}

// An answer for another client is not believed, whether signatures are checked or
// not (API §4.3).
func TestAnswerForAnotherClient(t *testing.T) {
	t.Parallel()
	body := sample(t, "queryBillList.response.success.json")
	for _, checked := range []bool{true, false} {
		for id, want := range map[string]bool{"": true, testClientID: true, "SOMEBODY_ELSE": false} {
			p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) {
				p.sign(w, body)
				w.Header().Set("Client-Id", id)
				if id == "" {
					w.Header().Del("Client-Id")
				}
				_, _ = w.Write(body)
			})
			c := p.client(func(cfg *Config) {
				if !checked {
					cfg.ServerKeys = nil
				}
			})
			_, err := c.QueryBillList(t.Context(), testAccount, testQuery)
			f, _ := bill.AsFailure(err)
			if want != (err == nil) || !want && (f == nil || f.Outcome != bill.RefusedUs) {
				t.Errorf("checked %t, Client-Id %q: %v", checked, id, err)
			}
		}
	}
}

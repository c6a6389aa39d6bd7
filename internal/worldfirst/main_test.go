package worldfirst

import (
	"crypto/rsa"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"billsync/internal/bill"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testClientID = "TEST_5Y00000000000000000"

var testAccount = bill.Account{Name: "main"}

var testQuery = bill.Query{
	Start: time.Date(2026, 1, 1, 0, 0, 0, 0, beijing), End: time.Date(2026, 1, 31, 0, 0, 0, 0, beijing),
	Zone: beijing, Page: 1, PageSize: 100,
}

func read(t testing.TB, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func sample(t testing.TB, name string) []byte { return read(t, "samples", name) }

func privateKey(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	key, err := ParsePrivateKey(read(t, "vectors", name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return key
}

func publicKey(t testing.TB, name string) *rsa.PublicKey {
	t.Helper()
	keys, err := ParsePublicKeys(read(t, "vectors", name))
	if err != nil || len(keys) != 1 {
		t.Fatalf("%s: %d keys, %v", name, len(keys), err)
	}
	return keys[0]
}

// A provider is a server that plays WorldFirst: it answers with what a test
// wants and remembers what it was asked.
type provider struct {
	*httptest.Server
	t   *testing.T
	key *rsa.PrivateKey

	mu       sync.Mutex
	requests []*http.Request
	bodies   [][]byte
}

// newProvider starts a provider whose n-th request, counted from 0, is answered
// by answer.
func newProvider(t *testing.T, answer func(p *provider, n int, w http.ResponseWriter, r *http.Request)) *provider {
	p := &provider{t: t, key: privateKey(t, "worldfirst_private_pkcs8.pem")}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has gone
		}
		p.mu.Lock()
		n := len(p.requests)
		p.requests, p.bodies = append(p.requests, r), append(p.bodies, body)
		p.mu.Unlock()
		answer(p, n, w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.requests)
}

// send answers with a signed body.
func (p *provider) send(w http.ResponseWriter, status int, body []byte) {
	p.sign(w, body)
	w.WriteHeader(status)
	w.Write(body)
}

func (p *provider) sign(w http.ResponseWriter, body []byte) {
	const at = "2026-02-01T10:30:05+08:00"
	signature, err := Sign(p.key, 2, "POST", QueryBillListPath, testClientID, at, body)
	if err != nil {
		p.t.Error(err)
	}
	w.Header().Set("Signature", signature)
	w.Header().Set("Response-Time", at)
	w.Header().Set("Client-Id", testClientID)
}

// client returns a client of the provider that checks its signatures.
func (p *provider) client(change ...func(*Config)) *Client {
	p.t.Helper()
	cfg := Config{
		BaseURL: p.URL, ClientID: testClientID, PrivateKey: privateKey(p.t, "client_private_pkcs8.pem"),
		ServerKeys: []*rsa.PublicKey{&p.key.PublicKey},
		Timeout:    10 * time.Second, RequestsPerSecond: 1e6, Concurrency: 4, RetryWait: time.Millisecond,
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(c.Close)
	return c
}

// failure asks once and wants a Failure.
func failure(t *testing.T, c *Client) *bill.Failure {
	t.Helper()
	_, err := c.QueryBillList(t.Context(), testAccount, testQuery)
	f, ok := bill.AsFailure(err)
	if !ok {
		t.Fatalf("QueryBillList: %v, want a Failure", err)
	}
	return f
}

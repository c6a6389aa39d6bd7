package simulator

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"billsync/internal/worldfirst"
)

const clientID = "TEST_5Y00000000000000000"

// testKeys are made once: a key costs more than most tests.
var testKeys = sync.OnceValue(func() (keys [2]*rsa.PrivateKey) {
	for i := range keys {
		k, err := NewKeyPair()
		if err != nil {
			panic(err)
		}
		keys[i] = k
	}
	return keys
})

// testNow is when most tests take place.
var testNow = time.Date(2026, 2, 1, 10, 30, 0, 0, beijing)

// A testClient asks a server that listens.
type testClient struct {
	t    *testing.T
	url  string
	http *http.Client
}

// serve starts a server with the test's options completed.
func serve(t *testing.T, o Options) (*Server, *testClient) {
	t.Helper()
	keys := testKeys()
	o.ClientID, o.ClientKeys, o.Key = clientID, []*rsa.PublicKey{&keys[0].PublicKey}, keys[1]
	if o.Book == nil {
		o.Book = NewLedger()
	}
	if o.Now == nil {
		o.Now = func() time.Time { return testNow }
	}
	s := New(o)
	url, err := s.Start("")
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{DisableCompression: true}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s, &testClient{t, url, &http.Client{Transport: tr, Timeout: 20 * time.Second}}
}

// A testAnswer is an answer as it came, and what it says if that is JSON.
type testAnswer struct {
	HTTP   *http.Response
	Body   []byte
	Signed error // nil: the signature is the server's

	Result  result            `json:"result"`
	Bills   []json.RawMessage `json:"billList"`
	Page    int               `json:"currentPageNumber"`
	Total   int               `json:"totalCount"`
	Pages   int               `json:"totalPageNumber"`
	garbage error
}

// bodyOf makes a request body for January 2026 of pairs of names and JSON.
func bodyOf(pairs ...string) string {
	fields := []string{"startTime", `"2026-01-01T00:00:00+08:00"`, "endTime", `"2026-01-31T23:59:59+08:00"`,
		"pageNumber", "1", "pageSize", "10"}
pairs:
	for i := 0; i < len(pairs); i += 2 {
		for j := 0; j < len(fields); j += 2 {
			if fields[j] == pairs[i] {
				fields[j+1] = pairs[i+1]
				continue pairs
			}
		}
		fields = append(fields, pairs[i], pairs[i+1])
	}
	var parts []string
	for i := 0; i < len(fields); i += 2 {
		if fields[i+1] != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", fields[i], fields[i+1]))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// request makes a signed request.
func (c *testClient) request(body string) *http.Request {
	c.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost,
		c.url+worldfirst.QueryBillListPath, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Client-Id", clientID)
	r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	r.Header.Set("Request-Time", testNow.Format(worldfirst.TimeFormat))
	c.sign(r, body)
	return r
}

func (c *testClient) sign(r *http.Request, body string) {
	c.t.Helper()
	signature, err := worldfirst.Sign(testKeys()[0], 2, r.Method, r.URL.Path, r.Header.Get("Client-Id"),
		r.Header.Get("Request-Time"), []byte(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Signature", signature)
}

// do sends a request and reads what comes.
func (c *testClient) do(r *http.Request) (*testAnswer, error) {
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	a := &testAnswer{HTTP: resp, Body: body}
	a.garbage = json.Unmarshal(body, a)
	a.Signed = worldfirst.Verify([]*rsa.PublicKey{&testKeys()[1].PublicKey}, resp.Header.Get("Signature"),
		r.Method, r.URL.Path, clientID, resp.Header.Get("Response-Time"), body)
	return a, nil
}

// ask asks for a page of January 2026 and wants a result.
func (c *testClient) ask(pairs ...string) *testAnswer {
	c.t.Helper()
	a, err := c.do(c.request(bodyOf(pairs...)))
	if err != nil {
		c.t.Fatal(err)
	}
	if a.garbage != nil {
		c.t.Fatalf("answer is no JSON: %v\n%s", a.garbage, a.Body)
	}
	return a
}

// field is a text field of each bill.
func field(t *testing.T, bills []json.RawMessage, name string) []string {
	t.Helper()
	var texts []string
	for _, raw := range bills {
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatalf("bill %s: %v", raw, err)
		}
		s, _ := m[name].(string)
		texts = append(texts, s)
	}
	return texts
}

// itemAt reads a bill strictly: a field the API does not document is an error.
func itemAt(t *testing.T, raw json.RawMessage) item {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var it item
	if err := dec.Decode(&it); err != nil {
		t.Fatalf("bill %s: %v", raw, err)
	}
	return it
}

// sameBills reports whether two lists are equal byte for byte.
func sameBills(a, b []json.RawMessage) bool {
	return slices.EqualFunc(a, b, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
}

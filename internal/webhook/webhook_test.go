package webhook_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/webhook"
	"billsync/internal/worldfirst"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const vectors = "../worldfirst/testdata/vectors"

func file(t testing.TB, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A desk is what stands behind a handler under test.
type desk struct {
	mu      sync.Mutex
	got     []bill.Notification
	batches int
	answer  func(bill.Notification) (bill.Receipt, error)
	hold    chan struct{} // not nil: each delivery waits for it
	holds   chan struct{} // not nil: each delivery says that it waits
}

func (d *desk) deliver(_ context.Context, batch []bill.Notification) ([]bill.Receipt, error) {
	if d.holds != nil {
		d.holds <- struct{}{}
	}
	if d.hold != nil {
		<-d.hold
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.batches++
	receipts := make([]bill.Receipt, len(batch))
	for i, n := range batch {
		receipts[i] = bill.Placed
		if d.answer != nil {
			var err error
			if receipts[i], err = d.answer(n); err != nil {
				return nil, err
			}
		}
	}
	d.got = append(d.got, batch...)
	return receipts, nil
}

func (d *desk) received() []bill.Notification {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.got
}

var (
	ours = sync.OnceValue(func() *rsa.PrivateKey { return mustKey(simulator.NewKeyPair()) })
	wf   = sync.OnceValue(func() *rsa.PrivateKey { return mustKey(simulator.NewKeyPair()) })
)

func mustKey(k *rsa.PrivateKey, err error) *rsa.PrivateKey {
	if err != nil {
		panic(err)
	}
	return k
}

// serve runs a handler on a port of its own and returns its base URL.
func serve(t testing.TB, d *desk, change ...func(*webhook.Config)) string {
	t.Helper()
	cfg := webhook.Config{
		Path: "/notify/bill", Accounts: []string{"main", "shop-1"}, ClientID: "CLIENT", KeyVersion: 2,
		ServerKeys: []*rsa.PublicKey{&wf().PublicKey}, PrivateKey: ours(), Deliver: d.deliver, Now: time.Now, Log: zerolog.Nop(),
	}
	for _, c := range change {
		c(&cfg)
	}
	l, err := webhook.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- webhook.New(cfg).Run(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

// A post is a notification as it is sent; its zero values are the right ones.
type post struct {
	path, signedPath string
	body             string
	clientID         string
	key              *rsa.PrivateKey
	at               string
	change           func(*http.Request)
}

const aBill = `{"orderNo":"A","transactionTime":"2026-01-10T08:00:01+08:00","billStatus":"SUCCESS","tradeAmount":{"currency":"USD","value":"100"}}`

func (p post) request(t testing.TB, base string) *http.Request {
	t.Helper()
	or := func(text *string, otherwise string) {
		if *text == "" {
			*text = otherwise
		}
	}
	or(&p.path, "/notify/bill")
	or(&p.signedPath, p.path)
	or(&p.body, aBill)
	or(&p.clientID, "CLIENT")
	or(&p.at, "2026-02-01T10:30:00+08:00")
	if p.key == nil {
		p.key = wf()
	}
	signature, err := worldfirst.Sign(p.key, 2, "POST", p.signedPath, p.clientID, p.at, []byte(p.body))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, base+p.path, strings.NewReader(p.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Client-Id", p.clientID)
	req.Header.Set("Request-Time", p.at)
	req.Header.Set("Signature", signature)
	req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	if p.change != nil {
		p.change(req)
	}
	return req
}

// send sends it and returns the HTTP status, the result's code and status, and
// whether the answer is signed for the given path.
func (p post) send(t testing.TB, base string) (status int, code string, signed bool) {
	t.Helper()
	resp, err := http.DefaultClient.Do(p.request(t, base))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Result struct{ ResultCode, ResultStatus, ResultMessage string }
	}
	if err := json.Unmarshal(body, &said); err != nil {
		t.Fatalf("answered %d %q: %v", resp.StatusCode, body, err)
	}
	path := p.signedPath
	if path == "" {
		path = p.path
	}
	if path == "" {
		path = "/notify/bill"
	}
	signed = resp.Header.Get("Client-Id") == "CLIENT" && worldfirst.Verify([]*rsa.PublicKey{&ours().PublicKey},
		resp.Header.Get("Signature"), "POST", path, "CLIENT", resp.Header.Get("Response-Time"), body) == nil
	return resp.StatusCode, said.Result.ResultCode + "/" + said.Result.ResultStatus, signed
}

// The documents' own example, made by another program: taken, and answered with
// the very bytes of its acknowledgement but for the time.
func TestVectors(t *testing.T) {
	t.Parallel()
	body, header := file(t, vectors, "08-notification-notify_bill.body"), string(bytes.TrimSpace(file(t, vectors, "08-notification-notify_bill.header")))
	key, err := worldfirst.ParsePrivateKey(file(t, vectors, "client_private_pkcs8.pem"))
	if err != nil {
		t.Fatal(err)
	}
	serverKeys, err := worldfirst.ParsePublicKeys(file(t, vectors, "worldfirst_public.pem"))
	if err != nil {
		t.Fatal(err)
	}
	sts := strings.Split(string(file(t, vectors, "08-notification-notify_bill.sts")), "\n")
	path := strings.TrimPrefix(sts[0], "POST ")
	client, rest, _ := strings.Cut(sts[1], ".")
	at, _, _ := strings.Cut(rest, ".")
	ack := strings.Split(string(file(t, vectors, "09-notification-ack.sts")), "\n")
	_, rest, _ = strings.Cut(ack[1], ".")
	ackAt, _, _ := strings.Cut(rest, ".")
	now, err := time.Parse(worldfirst.TimeFormat, ackAt)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{}
	base := serve(t, d, func(c *webhook.Config) {
		c.Path, c.ClientID, c.ServerKeys, c.PrivateKey = path, client, serverKeys, key
		c.Now = func() time.Time { return now }
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("client-id", client)
	req.Header.Set("request-time", at)
	req.Header.Set("signature", header)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if want := file(t, vectors, "09-notification-ack.body"); resp.StatusCode != 200 || !bytes.Equal(got, want) {
		t.Errorf("answered %d %s, want 200 %s", resp.StatusCode, got, want)
	}
	if want := strings.TrimSpace(string(file(t, vectors, "09-notification-ack.header"))); resp.Header.Get("Signature") != want {
		t.Errorf("signed as %q, want %q", resp.Header.Get("Signature"), want)
	}
	if n := d.received(); len(n) != 1 || n[0].Item.Bill.OrderNo != "20260128190741000100120000006" || n[0].Item.Bill.Status != "SUCCESS" {
		t.Errorf("received %+v", n)
	}
}

// What is refused, and what is not.
func TestReceive(t *testing.T) {
	t.Parallel()
	other := mustKey(simulator.NewKeyPair())
	big := `{"orderNo":"A","x":"` + strings.Repeat("x", 1<<20) + `"}`
	fits := `{"orderNo":"A","transactionTime":"2026-01-10T08:00:01+08:00","merchantName":"` + strings.Repeat("x", 1<<19) + `"}`
	for _, tt := range []struct {
		name    string
		post    post
		status  int
		result  string
		account string // of what was received; "-": nothing was
	}{
		{"as it should be", post{}, 200, "SUCCESS/S", ""},
		{"for an account", post{path: "/notify/bill/shop-1"}, 200, "SUCCESS/S", "shop-1"},
		{"with a slash at the end", post{path: "/notify/bill/"}, 200, "SUCCESS/S", ""},
		{"with a query", post{path: "/notify/bill?x=1", signedPath: "/notify/bill"}, 200, "SUCCESS/S", ""},
		{"with a signed query", post{path: "/notify/bill?x=1"}, 200, "SUCCESS/S", ""},
		{"behind a proxy", post{signedPath: "/hooks/wf"}, 200, "SUCCESS/S", ""},
		{"behind a proxy, for an account", post{path: "/notify/bill/main", signedPath: "/hooks/wf/main"}, 200, "SUCCESS/S", "main"},
		{"a large one", post{body: fits}, 200, "SUCCESS/S", ""},
		{"time in milliseconds", post{at: "1769913000000"}, 200, "SUCCESS/S", ""},
		{"a time nobody can read", post{at: "yesterday"}, 200, "SUCCESS/S", ""},
		{"no content type", post{change: func(r *http.Request) { r.Header.Del("Content-Type") }}, 200, "SUCCESS/S", ""},
		{"of unknown length", post{change: func(r *http.Request) { r.ContentLength = -1 }}, 200, "SUCCESS/S", ""},

		{"for an account that is not configured", post{path: "/notify/bill/nobody"}, 404, "INVALID_API/F", "-"},
		{"another path", post{path: "/notify"}, 404, "INVALID_API/F", "-"},
		{"a longer path", post{path: "/notify/bills"}, 404, "INVALID_API/F", "-"},
		{"another client", post{clientID: "OTHER"}, 400, "INVALID_CLIENT/F", "-"},
		{"no client", post{change: func(r *http.Request) { r.Header.Del("Client-Id") }}, 400, "INVALID_CLIENT/F", "-"},
		{"signed by somebody else", post{key: other}, 400, "INVALID_SIGNATURE/F", "-"},
		{"signed for another path", post{signedPath: "/else"}, 400, "INVALID_SIGNATURE/F", "-"},
		{"not signed", post{change: func(r *http.Request) { r.Header.Del("Signature") }}, 400, "INVALID_SIGNATURE/F", "-"},
		{"without a time", post{change: func(r *http.Request) { r.Header.Del("Request-Time") }}, 400, "INVALID_SIGNATURE/F", "-"},
		{"with another time", post{change: func(r *http.Request) { r.Header.Set("Request-Time", "2026-02-01T10:30:01+08:00") }}, 400, "INVALID_SIGNATURE/F", "-"},
		{"with another body", post{change: func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(aBill+" ")), int64(len(aBill)+1)
		}}, 400, "INVALID_SIGNATURE/F", "-"},
		{"too large", post{body: big}, 413, "PARAM_ILLEGAL/F", "-"},
		{"compressed", post{change: func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }}, 415, "PARAM_ILLEGAL/F", "-"},
		{"got", post{change: func(r *http.Request) { r.Method = http.MethodGet }}, 405, "METHOD_NOT_SUPPORTED/F", "-"},
		{"put", post{change: func(r *http.Request) { r.Method = http.MethodPut }}, 405, "METHOD_NOT_SUPPORTED/F", "-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &desk{}
			base := serve(t, d, func(c *webhook.Config) { c.SignedPaths = []string{"/hooks/wf"} })
			status, result, signed := tt.post.send(t, base)
			if status != tt.status || result != tt.result || signed != (tt.status == 200) {
				t.Errorf("answered %d %s, signed %t; want %d %s, signed if it was taken", status, result, signed, tt.status, tt.result)
			}
			got := d.received()
			if tt.account == "-" {
				if len(got) != 0 {
					t.Errorf("received %+v, want nothing", got)
				}
				return
			}
			if len(got) != 1 || got[0].Account != tt.account || got[0].Item.Bill.OrderNo != "A" {
				t.Errorf("received %+v, want one of account %q", got, tt.account)
			}
		})
	}
}

// What could not be stored is asked for again, and what is no bill is not.
func TestAnswers(t *testing.T) {
	t.Parallel()
	d := &desk{answer: func(n bill.Notification) (bill.Receipt, error) {
		switch n.Item.Bill.MerchantName {
		case "full disk":
			return 0, errors.New("disk full")
		case "panic":
			panic("made up")
		}
		if n.Item.Rejected {
			return bill.NotUnderstood, nil
		}
		return bill.Kept, nil
	}}
	base := serve(t, d)
	named := func(merchant string) string {
		return `{"orderNo":"A","transactionTime":"2026-01-10T08:00:01+08:00","merchantName":"` + merchant + `"}`
	}
	for body, want := range map[string]string{
		named("full disk"): "UNKNOWN_EXCEPTION/U", named("panic"): "UNKNOWN_EXCEPTION/U", named("x"): "SUCCESS/S",
		`{"orderNo":"A"}`: "PROCESS_FAIL/F", `nothing`: "PROCESS_FAIL/F",
	} {
		status, result, signed := post{body: body}.send(t, base)
		if status != 200 || result != want || !signed {
			t.Errorf("%s: answered %d %s, signed %t; want 200 %s, signed", body, status, result, signed, want)
		}
	}
}

// One that cannot be stored does not keep back those that came with it.
func TestOneBadApple(t *testing.T) {
	t.Parallel()
	d := &desk{hold: make(chan struct{}), answer: func(n bill.Notification) (bill.Receipt, error) {
		if n.Item.Bill.OrderNo == "BAD" {
			return 0, errors.New("made up")
		}
		return bill.Placed, nil
	}}
	base := serve(t, d)
	var wg sync.WaitGroup
	results := make([]string, 9)
	for i := range results {
		wg.Go(func() {
			order := fmt.Sprint("O", i)
			if i == 4 {
				order = "BAD"
			}
			_, results[i], _ = post{body: `{"orderNo":"` + order + `","transactionTime":"2026-01-10T08:00:01+08:00"}`}.send(t, base)
		})
	}
	time.Sleep(200 * time.Millisecond) // most of them wait behind the first
	close(d.hold)
	wg.Wait()
	for i, got := range results {
		want := "SUCCESS/S"
		if i == 4 {
			want = "UNKNOWN_EXCEPTION/U"
		}
		if got != want {
			t.Errorf("notification %d: %s, want %s", i, got, want)
		}
	}
	if n := len(d.received()); n != 8 {
		t.Errorf("%d stored, want 8", n)
	}
}

// The provider is not kept waiting for a database that is busy.
func TestBusyDatabase(t *testing.T) {
	t.Parallel()
	d := &desk{hold: make(chan struct{})}
	base := serve(t, d)
	begun := time.Now()
	status, result, signed := post{}.send(t, base)
	if status != 200 || result != "UNKNOWN_EXCEPTION/U" || !signed || time.Since(begun) > time.Minute { // it is 4 seconds, and what the machine adds
		t.Errorf("after %s: %d %s, signed %t; want a U soon", time.Since(begun), status, result, signed)
	}
	close(d.hold)
	if status, result, _ := (post{}).send(t, base); status != 200 || result != "SUCCESS/S" {
		t.Errorf("afterwards: %d %s", status, result)
	}
}

// Whoever sends slowly, or nothing, takes nobody's place for long.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	d := &desk{}
	base := serve(t, d)
	var conns []net.Conn
	for range 300 { // more than there are places
		c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "POST /notify/bill HTTP/1.1\r\nHost: x\r\nClient-Id: CLIENT\r\nContent-Length: 100\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	client := &http.Client{Timeout: 90 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(post{}.request(t, base))
	if err != nil {
		t.Fatalf("nobody was served beside %d slow clients: %v", len(conns), err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || len(d.received()) != 1 {
		t.Errorf("answered %d, %d received", resp.StatusCode, len(d.received()))
	}
}

// What is under way when the server is told to stop is still answered.
func TestStopping(t *testing.T) {
	t.Parallel()
	d := &desk{hold: make(chan struct{}), holds: make(chan struct{}, 1)}
	l, err := webhook.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := webhook.New(webhook.Config{
		Path: "/notify/bill", ClientID: "CLIENT", ServerKeys: []*rsa.PublicKey{&wf().PublicKey}, PrivateKey: ours(), Deliver: d.deliver,
		Now: time.Now, Log: zerolog.Nop(),
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx, l) }()
	answered := make(chan string, 1)
	go func() {
		defer close(answered)
		_, result, _ := post{}.send(t, "http://"+l.Addr().String())
		answered <- result
	}()
	select {
	case <-d.holds:
	case got := <-answered:
		t.Fatalf("answered %q before it was stored", got)
	}
	stop()
	time.Sleep(100 * time.Millisecond) // by now or soon it is stopping
	close(d.hold)
	if got := <-answered; got != "SUCCESS/S" {
		t.Errorf("answered %s, want SUCCESS/S", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

// FuzzServeHTTP: whatever comes, it is answered, and what is not signed by the
// provider is never stored.
func FuzzServeHTTP(f *testing.F) {
	f.Add("POST", "/notify/bill", "CLIENT", "2026-02-01T10:30:00+08:00", "algorithm=RSA256, keyVersion=2, signature=AAAA", []byte(aBill), true)
	f.Add("GET", "/notify/bill/main", "", "", "", []byte("{}"), false)
	f.Add("POST", "/notify/bill/main", "CLIENT", "1769913000000", "signature=%2B", []byte("\x00\xff[{"), true)
	d := &desk{}
	h := webhook.New(webhook.Config{
		Path: "/notify/bill", Accounts: []string{"main"}, ClientID: "CLIENT", KeyVersion: 2,
		ServerKeys: []*rsa.PublicKey{&wf().PublicKey}, PrivateKey: ours(), Deliver: d.deliver, Now: time.Now, Log: zerolog.Nop(),
	})
	ctx, stop := context.WithCancel(context.Background())
	l, err := webhook.Listen("127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx, l) }()
	f.Cleanup(func() {
		stop()
		<-ended
	})
	f.Fuzz(func(t *testing.T, method, path, client, at, signature string, body []byte, sign bool) {
		req := httptest.NewRequest("POST", "http://x/", bytes.NewReader(body))
		req.Method, req.URL.Path = method, path
		req.Header.Set("Client-Id", client)
		req.Header.Set("Request-Time", at)
		req.Header.Set("Signature", signature)
		good := sign && method == "POST" && (path == "/notify/bill" || path == "/notify/bill/main") && client == "CLIENT" && at != ""
		if good {
			s, err := worldfirst.Sign(wf(), 2, "POST", path, client, at, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Signature", s)
		}
		before := len(d.received())
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if stored := len(d.received()) > before; stored != good || (w.Code == 200) != good {
			t.Errorf("answered %d, stored %t; the notification is good: %t", w.Code, stored, good)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("answered %q", w.Body)
		}
	})
}

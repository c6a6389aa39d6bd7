package worldfirst

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"billsync/internal/bill"
	"billsync/internal/card"
)

const (
	testAsset = "CARD0000000000000000000000000001"
	// oddNumber is no number of anybody's card: it does not pass the check, so
	// that nothing but care keeps it out of a text.
	oddNumber = "5555550000004243"
)

// cardAnswer answers a question about a card with a signed body.
func cardAnswer(p *provider, w http.ResponseWriter, r *http.Request, status int, body string) {
	const at = "2026-02-01T10:30:05+08:00"
	signature, err := Sign(p.key, 2, "POST", r.URL.Path, testClientID, at, []byte(body))
	if err != nil {
		p.t.Error(err)
	}
	w.Header().Set("Signature", signature)
	w.Header().Set("Response-Time", at)
	w.Header().Set("Client-Id", testClientID)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// details asks a provider that gives one answer for a card.
func details(t *testing.T, body string) (card.Details, error) {
	t.Helper()
	p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) { cardAnswer(p, w, r, 200, body) })
	return p.client().QueryCardSensitiveInfo(t.Context(), testAccount, testAsset)
}

// secrets writes what was understood of an answer: a test may.
func secrets(d card.Details) string {
	return fmt.Sprintf("%s|%s|%s|%s|%s|%s", d.AssetID, d.AccountID, d.Number.Reveal(), d.CVV.Reveal(), d.Month.Reveal(), d.Year.Reveal())
}

func TestQueryCardSensitiveInfo(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) {
		cardAnswer(p, w, r, 200, string(sample(t, "queryCardSensitiveInfo.response.success.json")))
	})
	now := time.Date(2026, 2, 1, 2, 30, 2, 0, time.UTC)
	c := p.client(func(cfg *Config) {
		cfg.Now = func() time.Time { return now }
		cfg.AccessToken = func(account string) (string, error) { return "token-of-" + account, nil }
	})
	acct := bill.Account{Name: "main", ConnectedCustomerID: "CUST1", ConnectedAccountID: "ACCT1"}
	d, err := c.QueryCardSensitiveInfo(t.Context(), acct, testAsset)
	if want := testAsset + "|ACCT0000000000000000000000000001|5555555555554444|123|07|29"; err != nil || secrets(d) != want {
		t.Errorf("details are %q, %v, want %q", secrets(d), err, want)
	}
	r, want := p.requests[0], loadVectors(t).Vectors[2] // the same question at the same time
	if string(p.bodies[0]) != *want.Body {
		t.Errorf("body %s, want %s", p.bodies[0], *want.Body)
	}
	var asked, documented any
	if json.Unmarshal(p.bodies[0], &asked) != nil || json.Unmarshal(sample(t, "queryCardSensitiveInfo.request.json"), &documented) != nil ||
		fmt.Sprint(asked) != fmt.Sprint(documented) {
		t.Errorf("body %s is not that of the sample", p.bodies[0])
	}
	for name, want := range map[string]string{
		"Signature": *want.SignatureHeader, "Request-Time": "2026-02-01T10:30:02+08:00", "Client-Id": testClientID,
		"Content-Type": "application/json; charset=UTF-8", "User-Agent": "billsync",
		"Connected-Accountid": "ACCT1", "Access-Token": "token-of-main", "Content-Length": "46", "Connection": "close",
	} {
		if got := r.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("header %s = %q, want %q", name, got, want)
		}
	}
	if len(r.Header) != 9 || r.Method != "POST" || r.URL.String() != QueryCardSensitiveInfoPath {
		t.Errorf("%s %s with headers %v", r.Method, r.URL, r.Header)
	}

	// Nothing conditional without a reason.
	c = p.client()
	if _, err := c.QueryCardSensitiveInfo(t.Context(), bill.Account{Name: "main", ConnectedCustomerID: "CUST1"}, testAsset); err != nil {
		t.Fatal(err)
	}
	if h := p.requests[1].Header; h.Get("Access-Token")+h.Get("Connected-AccountId")+h.Get("Connected-CustomerId") != "" {
		t.Errorf("headers %v", h)
	}
}

func TestOddDetails(t *testing.T) {
	t.Parallel()
	const result = `{"result":{"resultCode":"SUCCESS","resultStatus":"S"},`
	for _, tt := range []struct{ name, members, want string }{
		{"numbers", `"assetId":7,"accountId":8,"cardNo":5555550000004243,"cvv":123,"expiredMonth":7,"expiredYear":29`, "7|8|5555550000004243|123|7|29"},
		{"more fields", `"assetId":"A","accountId":"B","cardNo":"1","cvv":"2","expiredMonth":"3","expiredYear":"4","new":{"cvv":"9"},"cardNumber":"8"`, "A|B|1|2|3|4"},
		{"no account", `"assetId":"A","cardNo":"1","cvv":"2","expiredMonth":"3","expiredYear":"4"`, "A||1|2|3|4"},
		{"null account", `"assetId":"A","accountId":null,"cardNo":"1","cvv":"2","expiredMonth":"3","expiredYear":"4"`, "A||1|2|3|4"},
		{"account is an object", `"assetId":"A","accountId":{"id":"B"},"cardNo":"1","cvv":"2","expiredMonth":"3","expiredYear":"4"`, "A|(an object)|1|2|3|4"},
		{"account far too long", `"assetId":"A","accountId":"` + strings.Repeat("x", 300) + `","cardNo":"1","cvv":"2","expiredMonth":"3","expiredYear":"4"`,
			"A|" + strings.Repeat("x", 256) + "…|1|2|3|4"},
		{"no asset", `"accountId":"B","cardNo":"1","cvv":"2","expiredMonth":"3","expiredYear":"4"`, "|B|1|2|3|4"},
		{"ids to the last character", `"assetId":"A\u0000 ","accountId":"\u200bB","cardNo":"1","cvv":"2","expiredMonth":"3","expiredYear":"4"`, "A\x00 |\u200bB|1|2|3|4"},
		{"escapes", `"assetId":"A","accountId":"B","cardNo":"\u0035\u0035","cvv":"\u0031\n","expiredMonth":"3","expiredYear":"4"`, "A|B|55|1\n|3|4"},
		{"no cvv", `"assetId":"A","accountId":"B","cardNo":"1","expiredMonth":"3","expiredYear":"4"`, "A|B|1||3|4"},
		{"null, empty, a list", `"assetId":"A","accountId":"B","cardNo":null,"cvv":"","expiredMonth":["3"],"expiredYear":"4"`, "A|B||||4"},
		{"twice", `"assetId":"X","assetId":"A","accountId":"B","cardNo":"1","cvv":"9","cvv":"2","expiredMonth":"3","expiredYear":"4"`, "A|B|1|2|3|4"},
	} {
		if d, err := details(t, result+tt.members+"}"); err != nil || secrets(d) != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, secrets(d), err, tt.want)
		}
	}
	for name, members := range map[string]string{
		"nothing":    `"assetId":"A","accountId":"B"`,
		"only nulls": `"assetId":"A","cardNo":null,"cvv":null,"expiredMonth":{},"expiredYear":""`,
		"in letters": `"CardNo":"5555550000004243","CVV":"123"`,
	} {
		d, err := details(t, result+members+"}")
		f, ok := bill.AsFailure(err)
		if !ok || f.Code != codeBadAnswer || f.Outcome != bill.NoAnswer || secrets(d) != "|||||" || f.Advice == "" ||
			!strings.Contains(f.Message, "cardNo, cvv, expiredMonth, expiredYear are missing") {
			t.Errorf("%s: %q, %v, want an incomplete answer", name, secrets(d), err)
		}
	}
}

// TestCardCodes names every result code of the pages of queryCardSensitiveInfo
// with the further action that they give.
func TestCardCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code, status string
		outcome      bill.Outcome
		action       string   // of the page
		advice       []string // of ours, in the same sense
	}{
		{"PARAM_ILLEGAL", "F", bill.RefusedRequest, "confirm whether the request header and parameters are correct", []string{"not accepted: check", "connected_account_id"}},
		{"SYSTEM_ERROR", "F", bill.RefusedRequest, "Do not retry. Contact WorldFirst Technical Support", []string{"Do not repeat it", contactSupport}},
		{"SERVICE_NOT_ALLOWED", "F", bill.RefusedUs, "Retry with correct information. If the issue persists, contact", []string{"Correct", "try again; if it stays", contactSupport}},
		{"UNKNOWN_EXCEPTION", "U", bill.Unknown, "If retrying later does not resolve the issue, contact", []string{"try again by hand, no sooner than the documented schedule says", "does not resolve it", contactSupport}},
		{"REQUEST_TRAFFIC_EXCEED_LIMIT", "U", bill.Unknown, "Retry. If the issue persists, contact", []string{"try again by hand, no sooner than the documented schedule says", "If it keeps happening", contactSupport}},
		{"OAUTH_FAIL", "F", bill.RefusedUs, "Contact WorldFirst Technical Support", []string{contactSupport}},
		{"INVALID_API", "F", bill.RefusedUs, "Confirm whether the correct API is called", []string{"Check base_url"}},
		{"INVALID_CLIENT", "F", bill.RefusedUs, "The Client ID does not exist or is invalid", []string{"client_id does not exist or is not valid"}},
		{"INVALID_SIGNATURE", "F", bill.RefusedUs, "Confirm that the request is correctly signed", []string{"private_key_file"}},
		{"METHOD_NOT_SUPPORTED", "F", bill.RefusedUs, "Confirm that the HTTP request method is POST", []string{"POST"}},
		{"CONTRACT_CHECK_FAIL", "F", bill.RefusedUs, "Contact WorldFirst Technical Support to check the contract status and retry", []string{"WorldFirst Technical Support for the state of the contract, then try again"}},
		{"USER_NOT_EXIST", "F", bill.RefusedUs, "Retry with the correct user information", []string{"Correct the account's connected customer or account id and try again"}},
		{"AUTHORIZATION_NOT_EXIST", "F", bill.RefusedUs, "Make sure that the input is correct. If the issue persists, contact our Technical Support Team to verify the authorization status",
			[]string{"connected ids are right", "WorldFirst Technical Support to verify the authorization"}},
		{"RISK_REJECT", "F", bill.RefusedUs, "Please reach out to our Technical Support Team", []string{contactSupport}},
	} {
		t.Run(tt.code, func(t *testing.T) {
			t.Parallel()
			d, err := details(t, result(tt.code, tt.status))
			f, ok := bill.AsFailure(err)
			if !ok || f.Outcome != tt.outcome || f.Code != tt.code || f.Message != "words of the provider" || f.Op != "queryCardSensitiveInfo" || secrets(d) != "|||||" {
				t.Fatalf("%+v, want outcome %v", err, tt.outcome)
			}
			for _, part := range tt.advice {
				if !strings.Contains(f.Advice, part) {
					t.Errorf("advice %q, want %q in it: the page says %q", f.Advice, part, tt.action)
				}
			}
			for _, wrong := range []string{"{", "by itself", "is kept", "are kept", "page_size", "nightly", "Requests are sent more slowly"} {
				if strings.Contains(f.Advice, wrong) {
					t.Errorf("advice %q, which does not hold for this call (%q)", f.Advice, wrong)
				}
			}
		})
	}
	p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) {
		cardAnswer(p, w, r, 200, string(sample(t, "queryCardSensitiveInfo.response.RISK_REJECT.json")))
	})
	_, err := p.client().QueryCardSensitiveInfo(t.Context(), testAccount, testAsset)
	if f, ok := bill.AsFailure(err); !ok || f.Code != "RISK_REJECT" || f.Outcome != bill.RefusedUs || p.count() != 1 {
		t.Errorf("%v after %d requests", err, p.count())
	}
	if a := advice(opQueryCardSensitive, codeTooLarge, bill.NoAnswer); strings.Contains(a, "page_size") {
		t.Errorf("advice %q", a)
	}
}

// Whatever comes instead of an answer, with the secrets in it: none of them is in
// the error, the evidence or any log.
//
// It does not run in parallel: net/http has one log for the process.
func TestNothingOfACardStays(t *testing.T) {
	secret := `"assetId":"` + testAsset + `","accountId":"A","cvv":"OPAQUE-CVV","cardNo":"` + oddNumber + `","expiredMonth":"7","expiredYear":"29"`
	whole := `{"result":{"resultCode":"SUCCESS","resultStatus":"S"},` + secret + `}`
	raw := func(text string) func(*provider, http.ResponseWriter, *http.Request) {
		return func(p *provider, w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				p.t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}
	signedAs := func(status int, body string) func(*provider, http.ResponseWriter, *http.Request) {
		return func(p *provider, w http.ResponseWriter, r *http.Request) { cardAnswer(p, w, r, status, body) }
	}
	var stdlog, clientLog bytes.Buffer
	log.SetOutput(&stdlog)
	before := log.Writer()
	defer log.SetOutput(before)
	for name, answer := range map[string]func(*provider, http.ResponseWriter, *http.Request){
		"no status line":   raw(whole + "\r\n\r\n"),
		"a broken header":  raw("HTTP/1.1 200 OK\r\n" + secret + "\r\n\r\n"),
		"a broken length":  raw("HTTP/1.1 200 OK\r\nContent-Length: " + oddNumber + "x\r\n\r\n"),
		"cut off":          raw("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + whole),
		"longer than said": raw("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + whole),
		"a bad chunk":      raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + whole),
		"a kept connection with more": func(p *provider, w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				p.t.Error(err)
				return
			}
			go func() {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"+whole)
				_ = conn.SetReadDeadline(time.Now().Add(time.Second))
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}()
		},
		"unsigned": func(_ *provider, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, whole) },
		"forged": func(_ *provider, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Signature", "algorithm=RSA256, keyVersion=2, signature=AAAA")
			_, _ = io.WriteString(w, whole)
		},
		"no JSON":           signedAs(200, whole[1:]),
		"no result":         signedAs(200, "{"+secret+"}"),
		"yes with 403":      signedAs(403, whole),
		"yes with 503":      signedAs(503, whole),
		"a refusal with it": signedAs(200, `{"result":{"resultCode":"SYSTEM_ERROR","resultStatus":"F","resultMessage":"card `+oddNumber+` is not there"},`+secret+`}`),
		"a code":            signedAs(200, `{"result":{"resultCode":"`+oddNumber+`","resultStatus":"F","resultMessage":"x"},`+secret+`}`),
		"unknown":           signedAs(200, `{"result":{"resultCode":"X","resultStatus":"U","resultMessage":"5555 5500 0000 4243"},`+secret+`}`),
		"other names":       signedAs(200, `{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"cardnumber":"`+oddNumber+`","CVV":"OPAQUE-CVV"}`),
	} {
		p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) { answer(p, w, r) })
		c := p.client(func(cfg *Config) { cfg.Log = zerolog.New(&clientLog) })
		d, err := c.QueryCardSensitiveInfo(t.Context(), testAccount, testAsset)
		f, ok := bill.AsFailure(err)
		if !ok || secrets(d) != "|||||" {
			t.Errorf("%s: %q, %v, want a Failure and nothing", name, secrets(d), err)
			continue
		}
		said := fmt.Sprintf("%s %+v %+v %#v %v %v", f, f, f.Exchange, f, f.Err, errorTexts(err))
		for _, leak := range []string{oddNumber, "5555 5500", "OPAQUE-CVV"} {
			if strings.Contains(said, leak) {
				t.Errorf("%s: the error holds %q: %s", name, leak, said)
			}
		}
		if f.Exchange == nil || f.Exchange.RequestBody != withheld || f.Exchange.ResponseBody != withheld {
			t.Errorf("%s: evidence %+v", name, f.Exchange)
		}
	}
	time.Sleep(50 * time.Millisecond) // net/http reads on in the background
	log.SetOutput(before)
	for _, leak := range []string{oddNumber, "5555 5500", "OPAQUE-CVV", `"expiredYear":`} {
		if all := stdlog.String() + clientLog.String(); strings.Contains(all, leak) {
			t.Errorf("a log holds %q:\n%s", leak, all)
		}
	}
	if !strings.Contains(clientLog.String(), `"op":"queryCardSensitiveInfo"`) {
		t.Errorf("the log does not even say what was asked: %s", clientLog.String())
	}
}

// errorTexts are the words of every error in a chain.
func errorTexts(err error) (all []string) {
	for err != nil {
		all = append(all, err.Error())
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			break
		}
		err = u.Unwrap()
	}
	return all
}

// What was received of a private answer is overwritten, also what has moved as it
// came in pieces.
func TestPrivateBodiesAreOverwritten(t *testing.T) {
	t.Parallel()
	server, client := net.Pipe()
	go func() {
		for range 40 {
			_, _ = io.WriteString(server, strings.Repeat(oddNumber, 10))
		}
		_ = server.Close()
	}()
	spy := &spyReader{r: client}
	body, err := readBody(spy, 0, 1<<20)
	if err != nil || len(body) != 6400 {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	clear(body)
	for i, room := range spy.rooms {
		if bytes.Contains(room[:cap(room)], []byte("5555")) {
			t.Errorf("room %d of %d still holds what came", i+1, len(spy.rooms))
		}
	}
	if len(spy.rooms) < 3 {
		t.Errorf("the answer did not move: %d rooms", len(spy.rooms))
	}
}

// A spyReader keeps the places it was told to read into.
type spyReader struct {
	r     io.Reader
	rooms [][]byte
}

func (s *spyReader) Read(p []byte) (int, error) {
	s.rooms = append(s.rooms, p)
	return s.r.Read(p)
}

package worldfirst

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"billsync/internal/bill"
	"billsync/internal/secret"
)

// sendAs is send for another path than that of queryBillList.
func (p *provider) sendAs(path string, w http.ResponseWriter, status int, body []byte) {
	const at = "2026-02-01T10:30:05+08:00"
	signature, err := Sign(p.key, 2, "POST", path, testClientID, at, body)
	if err != nil {
		p.t.Error(err)
	}
	w.Header().Set("Signature", signature)
	w.Header().Set("Response-Time", at)
	w.WriteHeader(status)
	w.Write(body)
}

// granting is a provider that answers every call with a body.
func granting(t *testing.T, body []byte) *provider {
	return newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) { p.sendAs(r.URL.Path, w, 200, body) })
}

var (
	byCode    = TokenRequest{AuthCode: secret.New([]byte("AUTHCODE-MADE-UP-0001"))}
	byRefresh = TokenRequest{RefreshToken: secret.New([]byte("REFRESH-MADE-UP-0001"))}
)

// The request is that of the samples, signed, with no header that has a
// condition; the answer is read, and nothing of either is logged.
func TestApplyToken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		q      TokenRequest
		sample string
	}{{byCode, "applyToken.request.json"}, {byRefresh, "refreshToken.request.json"}} {
		p := granting(t, sample(t, "applyToken.response.json"))
		var log bytes.Buffer
		c := p.client(func(cfg *Config) {
			cfg.AccessToken = func(string) (string, error) { return "", errors.New("no token is needed for this call") }
			cfg.Log = zerolog.New(&log).Level(zerolog.TraceLevel)
		})
		g, err := c.ApplyToken(t.Context(), bill.Account{Name: "main", ConnectedCustomerID: "C", ConnectedAccountID: "A"}, tt.q)
		if err != nil {
			t.Fatal(err)
		}
		if string(g.Access.Reveal()) != "ACCESS-MADE-UP-0001" || string(g.Refresh.Reveal()) != "REFRESH-MADE-UP-0001" ||
			!g.ExpiresAt.Equal(utc(2026, 2, 14, 2, 30, 0, 0)) || !g.RefreshExpiresAt.Equal(utc(2026, 7, 14, 2, 30, 0, 0)) {
			t.Errorf("%s: %q %v %q %v", tt.sample, g.Access.Reveal(), g.ExpiresAt, g.Refresh.Reveal(), g.RefreshExpiresAt)
		}
		r := p.requests[0]
		var sent, want map[string]string
		if err := errors.Join(json.Unmarshal(p.bodies[0], &sent), json.Unmarshal(sample(t, tt.sample), &want)); err != nil {
			t.Fatal(err)
		}
		for name := range want {
			if sent[name] != want[name] || len(sent) != len(want) {
				t.Errorf("%s: sent %s", tt.sample, p.bodies[0])
			}
		}
		err = Verify([]*rsa.PublicKey{publicKey(t, "client_public.pem")}, r.Header.Get("Signature"), "POST", "/amsin/api/v1/oauth/applyToken",
			testClientID, r.Header.Get("Request-Time"), p.bodies[0])
		if err != nil || r.URL.String() != "/amsin/api/v1/oauth/applyToken" || len(r.Header) != 7 || r.Header.Get("Connection") != "close" {
			t.Errorf("%s: %s with headers %v, %v", tt.sample, r.URL, r.Header, err)
		}
		if strings.Contains(log.String(), "MADE-UP") || log.Len() == 0 {
			t.Errorf("%s: the log is %s", tt.sample, &log)
		}
	}
}

// Answers that the documents leave open, and such as no document shows.
func TestApplyTokenAnswers(t *testing.T) {
	t.Parallel()
	const ok = `{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"Success"}`
	for _, tt := range []struct {
		name, rest              string
		access, refresh         string // access empty: no answer
		expires, refreshExpires time.Time
	}{
		{"the access token alone", `,"accessToken":"A"}`, "A", "", time.Time{}, time.Time{}},
		{"nulls", `,"accessToken":"A","expireTime":null,"refreshToken":null,"refreshTokenExpireTime":null,"extendInfo":null}`, "A", "", time.Time{}, time.Time{}},
		{"empty texts", `,"accessToken":"A","expireTime":"","refreshToken":"","refreshTokenExpireTime":""}`, "A", "", time.Time{}, time.Time{}},
		{"seconds as a number", `,"accessToken":"A","expireTime":1771036200}`, "A", "", utc(2026, 2, 14, 2, 30, 0, 0), time.Time{}},
		{"milliseconds as text", `,"accessToken":"A","expireTime":"1771036200000"}`, "A", "", utc(2026, 2, 14, 2, 30, 0, 0), time.Time{}},
		{"a time in UTC with a fraction", `,"accessToken":"A","expireTime":"2026-02-14T02:30:00.000Z"}`, "A", "", utc(2026, 2, 14, 2, 30, 0, 0), time.Time{}},
		{"a time that is none", `,"accessToken":"A","expireTime":"soon","refreshToken":"R","refreshTokenExpireTime":"later"}`, "A", "R", time.Time{}, time.Time{}},
		{"numbers as tokens", `,"accessToken":12345,"refreshToken":67890}`, "12345", "67890", time.Time{}, time.Time{}},
		{"more than is known", `,"customerId":"C","accessToken":"A","extendInfo":{"x":[1,2]},"scope":"CARD"}`, "A", "", time.Time{}, time.Time{}},
		{"no token", `,"expireTime":"2026-02-14T10:30:00+08:00"}`, "", "", time.Time{}, time.Time{}},
		{"an empty token", `,"accessToken":""}`, "", "", time.Time{}, time.Time{}},
		{"a null token", `,"accessToken":null}`, "", "", time.Time{}, time.Time{}},
		{"a token of two lines", `,"accessToken":"A\r\nX-Evil: 1"}`, "", "", time.Time{}, time.Time{}},
		{"a token that is an object", `,"accessToken":{"value":"A"}}`, "", "", time.Time{}, time.Time{}},
	} {
		g, err := granting(t, []byte(ok+tt.rest)).client().ApplyToken(t.Context(), testAccount, byRefresh)
		if tt.access == "" {
			f, isFailure := bill.AsFailure(err)
			if !isFailure || f.Outcome != bill.NoAnswer || f.Code != codeBadAnswer || strings.Contains(err.Error(), "Evil") {
				t.Errorf("%s: %v, want no answer", tt.name, err)
			}
			continue
		}
		if err != nil || string(g.Access.Reveal()) != tt.access || string(g.Refresh.Reveal()) != tt.refresh || !g.ExpiresAt.Equal(tt.expires) || !g.RefreshExpiresAt.Equal(tt.refreshExpires) {
			t.Errorf("%s: %q %v %q %v, %v", tt.name, g.Access.Reveal(), g.ExpiresAt, g.Refresh.Reveal(), g.RefreshExpiresAt, err)
		}
	}
}

// Every documented code, sent once, whatever it says; and what follows from it.
func TestApplyTokenCodes(t *testing.T) {
	t.Parallel()
	about := map[string]string{ // code: a word of the advice
		"PARAM_ILLEGAL": "was not accepted", "SYSTEM_ERROR": "Do not repeat it", "SERVICE_NOT_ALLOWED": "Correct", "OAUTH_FAIL": "authorization by access token failed",
		"INVALID_API": "activated", "INVALID_CLIENT": "client_id", "INVALID_SIGNATURE": "private_key_file", "METHOD_NOT_SUPPORTED": "POST only",
		"CONTRACT_CHECK_FAIL": "contract", "CONTRACT_NOT_EXIST": "contract", "AUTHORIZATION_NOT_EXIST": "grant", "ACCESS_TOKEN_EXPIRED": "grant access again",
		"USER_NOT_EXIST": "connected", "RISK_REJECT": "risk control", "PROCESS_FAIL": "A person", "AUTH_CODE_NOT_EXIST": "grant access again",
		"AUTH_CODE_EXPIRED": "grant access again", "REFRESH_TOKEN_EXPIRED_AND_NOT_DOCUMENTED": "Technical Support",
	}
	for code, word := range about {
		for _, q := range []TokenRequest{byCode, byRefresh} {
			p := granting(t, []byte(result(code, "F")))
			_, err := p.client().ApplyToken(t.Context(), testAccount, q)
			f, ok := bill.AsFailure(err)
			want := bill.RefusedUs
			if code == "SYSTEM_ERROR" {
				want = bill.RefusedRequest
			}
			if !ok || f.Outcome != want || f.Code != code || !strings.Contains(f.Advice, word) || p.count() != 1 {
				t.Errorf("%s: %v with advice %q after %d requests, want outcome %v and %q", code, err, f.Advice, p.count(), want, word)
			}
			if x := f.Exchange; x == nil || strings.Contains(x.RequestBody+x.ResponseBody+x.RequestHeaders, "MADE-UP") {
				t.Errorf("%s: the evidence is %+v", code, x)
			}
		}
	}
	for code, word := range map[string]string{"UNKNOWN_EXCEPTION": "nobody knows", "REQUEST_TRAFFIC_EXCEED_LIMIT": "after 5 minutes"} {
		p := granting(t, []byte(result(code, "U")))
		_, err := p.client().ApplyToken(t.Context(), testAccount, byCode)
		if f, ok := bill.AsFailure(err); !ok || f.Outcome != bill.Unknown || f.Code != code || p.count() != 1 || !strings.Contains(f.Advice, word) {
			t.Errorf("%s: %v after %d requests", code, err, p.count())
		}
		if _, err = p.client().ApplyToken(t.Context(), testAccount, byRefresh); !strings.Contains(failureOf(t, err).Advice, "5 minutes") && !strings.Contains(failureOf(t, err).Advice, "slowly") {
			t.Errorf("%s of a refresh: advice %q", code, failureOf(t, err).Advice)
		}
	}
}

func failureOf(t *testing.T, err error) *bill.Failure {
	t.Helper()
	f, ok := bill.AsFailure(err)
	if !ok {
		t.Fatalf("%v is no failure", err)
	}
	return f
}

// A code whose answer is lost may be used up: it is not sent a second time, and
// the advice says what that means. One that was not sent is as good as before.
func TestCodeLost(t *testing.T) {
	t.Parallel()
	const grantAgain = "have the customer grant access again"
	for name, answer := range map[string]func(p *provider, _ int, w http.ResponseWriter, r *http.Request){
		"dropped": func(*provider, int, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a proxy": func(_ *provider, _ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) },
		"no JSON": func(p *provider, _ int, w http.ResponseWriter, r *http.Request) {
			p.sendAs(r.URL.Path, w, 200, []byte("<html>"))
		},
		"no token": func(p *provider, _ int, w http.ResponseWriter, r *http.Request) {
			p.sendAs(r.URL.Path, w, 200, []byte(result("SUCCESS", "S")))
		},
		"unsigned": func(_ *provider, _ int, w http.ResponseWriter, _ *http.Request) {
			w.Write(sample(t, "applyToken.response.json"))
		},
		"cut off": func(_ *provider, _ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			w.Write([]byte("{"))
		},
		"wrong path's": func(p *provider, _ int, w http.ResponseWriter, _ *http.Request) {
			p.send(w, 200, sample(t, "applyToken.response.json"))
		},
	} {
		p := newProvider(t, answer)
		_, err := p.client().ApplyToken(t.Context(), testAccount, byCode)
		f := failureOf(t, err)
		if !strings.Contains(f.Advice, grantAgain) || p.count() != 1 {
			t.Errorf("%s: %v, advice %q after %d requests", name, err, f.Advice, p.count())
		}
		if unsigned := name == "unsigned" || name == "wrong path's"; (f.Outcome == bill.RefusedUs) != unsigned {
			t.Errorf("%s: outcome %v", name, f.Outcome)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close()
	c := granting(t, nil).client(func(cfg *Config) { cfg.BaseURL = closed })
	_, err = c.ApplyToken(t.Context(), testAccount, byCode)
	if f := failureOf(t, err); strings.Contains(f.Advice, grantAgain) || !strings.Contains(f.Advice, "was not sent") {
		t.Errorf("a refused connection: advice %q", f.Advice)
	}
}

// An expired token is renewed once for a call, which is then asked once more,
// signed anew.
func TestTokenRenewed(t *testing.T) {
	t.Parallel()
	var token atomic.Value
	token.Store("OLD")
	p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Access-Token") != "NEW" {
			p.send(w, 200, []byte(result("ACCESS_TOKEN_EXPIRED", "F")))
			return
		}
		p.send(w, 200, []byte(yes))
	})
	var clock atomic.Int64
	clock.Store(utc(2026, 2, 1, 0, 0, 0, 0).Unix())
	var mu sync.Mutex
	var asked []string
	renew := func(_ context.Context, account, used string) error {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, account+" "+used)
		token.Store("NEW")
		return nil
	}
	c := p.client(func(cfg *Config) {
		cfg.Now = func() time.Time { return time.Unix(clock.Add(1), 0) }
		cfg.AccessToken = func(string) (string, error) { return token.Load().(string), nil }
		cfg.RefreshToken = renew
	})
	if _, err := c.QueryBillList(t.Context(), testAccount, testQuery); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(asked, []string{"main OLD"}) || p.count() != 2 {
		t.Fatalf("renewed for %q, %d requests, want once and 2", asked, p.count())
	}
	keys := []*rsa.PublicKey{publicKey(t, "client_public.pem")}
	for i, r := range p.requests {
		if err := Verify(keys, r.Header.Get("Signature"), "POST", QueryBillListPath, testClientID, r.Header.Get("Request-Time"), p.bodies[i]); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if a, b := p.requests[0].Header, p.requests[1].Header; a.Get("Request-Time") == b.Get("Request-Time") || b.Get("Access-Token") != "NEW" {
		t.Errorf("the call was not signed anew with the new token: %v", b)
	}

	// A new token that is refused as well is no reason to renew again.
	token.Store("OLD")
	c = p.client(func(cfg *Config) {
		cfg.AccessToken = func(string) (string, error) { return "OLD", nil }
		cfg.RefreshToken = renew
	})
	asked = nil
	_, err := c.QueryBillList(t.Context(), testAccount, testQuery)
	if f := failureOf(t, err); !f.TokenExpired || len(asked) != 1 {
		t.Errorf("a new token that is refused: %v, renewed %d times", err, len(asked))
	}
}

// What cannot be renewed stays the failure it was, with what to do about it.
func TestTokenNotRenewed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer string
		signed bool
		calls  int
	}{
		{"expired", result("ACCESS_TOKEN_EXPIRED", "F"), true, 1},
		{"expired, says somebody", result("ACCESS_TOKEN_EXPIRED", "F"), false, 0},
		{"expired, perhaps", result("ACCESS_TOKEN_EXPIRED", "U"), true, 0},
		{"another reason", result("OAUTH_FAIL", "F"), true, 0},
	} {
		p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, _ *http.Request) {
			if tt.signed {
				p.send(w, 200, []byte(tt.answer))
				return
			}
			w.Write([]byte(tt.answer))
		})
		calls := 0
		c := p.client(func(cfg *Config) {
			cfg.AccessToken = func(string) (string, error) { return "OLD", nil }
			cfg.RefreshToken = func(context.Context, string, string) error { calls++; return instead("Do this instead.") }
		})
		_, err := c.QueryBillList(t.Context(), testAccount, testQuery)
		f := failureOf(t, err)
		if calls != tt.calls || p.count() != 1 || (f.Advice == "Do this instead.") != (tt.calls > 0) {
			t.Errorf("%s: %v with advice %q, renewed %d times, %d requests", tt.name, err, f.Advice, calls, p.count())
		}
	}
	// What can be renewed later makes the call wait until then.
	for _, outcome := range []bill.Outcome{bill.NoAnswer, bill.Unknown, bill.RefusedUs, bill.RefusedRequest} {
		p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, _ *http.Request) {
			p.send(w, 200, []byte(result("ACCESS_TOKEN_EXPIRED", "F")))
		})
		c := p.client(func(cfg *Config) {
			cfg.AccessToken = func(string) (string, error) { return "OLD", nil }
			cfg.RefreshToken = func(context.Context, string, string) error {
				return fmt.Errorf("Wait. %w", &bill.Failure{Outcome: outcome, RetryAfter: 5 * time.Minute})
			}
		})
		_, err := c.QueryBillList(t.Context(), testAccount, testQuery)
		f, want, wait := failureOf(t, err), outcome, 5*time.Minute
		if outcome != bill.NoAnswer && outcome != bill.Unknown {
			want, wait = bill.RefusedUs, 0
		}
		if f.Outcome != want || f.RetryAfter != wait || f.Code != "ACCESS_TOKEN_EXPIRED" || !f.TokenExpired || !strings.HasPrefix(f.Advice, "Wait.") || f.Exchange == nil || p.count() != 1 {
			t.Errorf("a refresh that ended %v: %v, %v after %v with advice %q, %d requests", outcome, err, f.Outcome, f.RetryAfter, f.Advice, p.count())
		}
	}
	// The call for tokens itself never asks for any.
	p := granting(t, []byte(result("ACCESS_TOKEN_EXPIRED", "F")))
	c := p.client(func(cfg *Config) {
		cfg.RefreshToken = func(context.Context, string, string) error { t.Error("renewed by the call that renews"); return nil }
	})
	if _, err := c.ApplyToken(t.Context(), testAccount, byRefresh); err == nil || p.count() != 1 {
		t.Errorf("applyToken refused: %v after %d requests", err, p.count())
	}
}

// An instead is an error that is an advice.
type instead string

func (e instead) Error() string { return string(e) }

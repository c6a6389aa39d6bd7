package worldfirst

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"billsync/internal/bill"
	"billsync/internal/secret"
)

// Tokens and codes that an answer repeats are in nothing that leaves the client:
// no error, no log, no evidence.
func TestEchoedSecretsAreHidden(t *testing.T) {
	t.Parallel()
	const key = `K+y/"&4111111111111111-ECHOED=END` // with all that is written differently somewhere
	spelt := strings.ReplaceAll(strings.ReplaceAll(key, `"`, `\"`), "E", `\u0045`)
	long := strings.Repeat("word ", 58)
	signed := func(status int, body string) func(*provider, http.ResponseWriter, *http.Request) {
		return func(p *provider, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Echo", "it was "+key)
			w.Header().Set("X-Encoded", url.QueryEscape(key)+" "+url.PathEscape(key))
			w.Header().Set("Client-Id", testClientID)
			p.sendAs(r.URL.Path, w, status, []byte(body))
		}
	}
	refusal := func(status, code, message, more string) string {
		return `{"result":{"resultStatus":"` + status + `","resultCode":"` + code + `","resultMessage":"` + message + `"}` + more + `}`
	}
	raw := func(text string) func(*provider, http.ResponseWriter, *http.Request) {
		return func(p *provider, w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				p.t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}
	plainKey := strings.ReplaceAll(key, `"`, `\"`)
	encoded := ""
	for before := range 3 {
		encoded += base64.StdEncoding.EncodeToString([]byte("user::"[:3+before]+key)) + " " + base64.URLEncoding.EncodeToString([]byte("user::"[:3+before]+key)) + " "
	}
	for name, answer := range map[string]func(*provider, http.ResponseWriter, *http.Request){
		"in the message":       signed(200, refusal("F", "OAUTH_FAIL", "access token "+plainKey+" is not known", "")),
		"spelt by numbers":     signed(200, refusal("F", "OAUTH_FAIL", "token "+spelt, `,"token":"`+spelt+`"`)),
		"in the code":          signed(200, refusal("F", "BAD_"+plainKey, "x", "")),
		"where it is cut":      signed(200, refusal("F", "X", long+plainKey, "")),
		"in an unknown":        signed(200, refusal("U", "X", plainKey, `,"again":"`+plainKey+`"`)),
		"with another status":  signed(403, refusal("F", "X", plainKey, "")),
		"encoded":              signed(200, refusal("F", "X", encoded, `,"x":"`+url.QueryEscape(key)+` &quot;"`)),
		"in a page of a proxy": signed(502, "<p>K+y/&#34;&amp;4111111111111111-ECHOED=END "+key+"</p>"),
		"unsigned": func(_ *provider, w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, refusal("F", "BAD_"+plainKey, plainKey, ""))
		},
		"in a yes that is none": signed(200, refusal("S", "SUCCESS", "", `,"totalCount":"`+plainKey+`","accessToken":["`+plainKey+`"]`)),
		"no HTTP":               raw(key + "\r\n\r\n"),
		"a broken header":       raw("HTTP/1.1 200 OK\r\n" + key + "\r\n\r\n"),
		"cut off":               raw("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{\"x\":\"" + plainKey[:len(key)-3]),
	} {
		p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) { answer(p, w, r) })
		var log bytes.Buffer
		c := p.client(func(cfg *Config) {
			cfg.Log = zerolog.New(&log).Level(zerolog.TraceLevel)
			cfg.AccessToken = func(string) (string, error) { return key, nil }
		})
		for call, err := range map[string]error{
			"queryBillList": func() error { _, err := c.QueryBillList(t.Context(), testAccount, testQuery); return err }(),
			"card":          func() error { _, err := c.QueryCardSensitiveInfo(t.Context(), testAccount, testAsset); return err }(),
			"code": func() error {
				_, err := c.ApplyToken(t.Context(), testAccount, TokenRequest{AuthCode: secret.New([]byte(key))})
				return err
			}(),
			"refresh": func() error {
				_, err := c.ApplyToken(t.Context(), testAccount, TokenRequest{RefreshToken: secret.New([]byte(key))})
				return err
			}(),
		} {
			f, ok := bill.AsFailure(err)
			if !ok || f.Exchange == nil {
				t.Errorf("%s, %s: %v, want a Failure with evidence", name, call, err)
				continue
			}
			said := fmt.Sprintf("%+v\n%+v\n%v\n%q", *f, *f.Exchange, err, errorTexts(err))
			for _, leak := range []string{"ECHOED", `\u0045`, "Kyt5", "RUNIT0VE", "K+y", "K%2By", "K+y/", "1111-"} {
				if strings.Contains(said, leak) {
					t.Errorf("%s, %s: %q is in %s", name, call, leak, said)
				}
			}
		}
		if strings.Contains(log.String(), "ECHOED") || log.Len() == 0 {
			t.Errorf("%s: the log is %s", name, &log)
		}
	}
}

// What is not a secret stays readable.
func TestHide(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ secrets, text, want string }{
		{"TOKEN-1", "the token TOKEN-1 is bad, TOKEN-1!", "the token *** is bad, ***!"},
		{"TOKEN-1", "TOKEN-2", "TOKEN-2"},
		{"short", "a short text", "a short text"},
		{"", "a text", "a text"},
		{"TOKEN-1 TOKEN-12", "TOKEN-12 TOKEN-1", "*** ***"},
		{"aaaaaab", "aaaaaaaab", "aa***"},
		{"ACCESS-MADE-UP-0001", "ACCESS-MADE-UP-0 and ACCESS-MADE", "*** and ***"},
		{"ACCESS-MADE-UP-0001", "ACCESS-MADE is not it", "ACCESS-MADE is not it"},
		{"ACCESS-MADE-UP-0001", "ACCESS-MADE…", "***…"},
	} {
		m := &mask{secrets: strings.Split(tt.secrets, " ")}
		if got := m.hide(tt.text); got != tt.want {
			t.Errorf("hide(%q) without %q = %q, want %q", tt.text, tt.secrets, got, tt.want)
		}
	}
	// A code of the provider stays what it is, whatever a token looks like.
	p := granting(t, []byte(result("OAUTH_FAIL", "F")))
	_, err := p.client().ApplyToken(t.Context(), testAccount, TokenRequest{RefreshToken: secret.New([]byte("OAUTH_FAIL"))})
	if f := failureOf(t, err); f.Code != "OAUTH_FAIL" {
		t.Errorf("the code became %q", f.Code)
	}
}

// The token that has just been replaced may be named by the answer to the second
// question.
func TestReplacedTokenIsHidden(t *testing.T) {
	t.Parallel()
	current := "TOKEN-BEFORE"
	p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Access-Token") == "TOKEN-BEFORE" {
			p.send(w, 200, []byte(result("ACCESS_TOKEN_EXPIRED", "F")))
			return
		}
		p.send(w, 200, []byte(`{"result":{"resultCode":"X","resultStatus":"F","resultMessage":"TOKEN-BEFORE was replaced by TOKEN-AFTER"}}`))
	})
	c := p.client(func(cfg *Config) {
		cfg.AccessToken = func(string) (string, error) { return current, nil }
		cfg.RefreshToken = func(context.Context, string, string) error { current = "TOKEN-AFTER"; return nil }
	})
	_, err := c.QueryBillList(t.Context(), testAccount, testQuery)
	if f := failureOf(t, err); f.Message != "*** was replaced by ***" {
		t.Errorf("the message is %q", f.Message)
	}
}

// FuzzHide: whatever is hidden, nothing of the secret's length is left of it, and
// a text without it is as it was.
func FuzzHide(f *testing.F) {
	f.Add("TOKEN-1", "the token TOKEN-1")
	f.Add("aaaaaab", "aaaaaaaab")
	f.Add("&<>\"/+%", "&amp;&lt;&gt;")
	f.Fuzz(func(t *testing.T, s, text string) {
		if len(s) < minMasked || strings.Contains(s, "*") {
			return
		}
		m := &mask{secrets: []string{s}}
		if got := m.hide(text + s + text); strings.Contains(got, s) {
			t.Errorf("hide left %q in %q", s, got)
		}
		if got := string(m.hideBody([]byte(`{"x":` + string(quote([]byte(s))) + `}`))); strings.Contains(got, s) {
			t.Errorf("hideBody left %q in %q", s, got)
		}
	})
}

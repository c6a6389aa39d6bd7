package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"billsync/internal/worldfirst"
)

// tokens are what an answer of applyToken holds.
type tokens struct {
	Access         string    `json:"accessToken"`
	Expires        time.Time `json:"expireTime"`
	Refresh        string    `json:"refreshToken"`
	RefreshExpires time.Time `json:"refreshTokenExpireTime"`
}

// tokenRequest makes a signed request for tokens.
func (c *testClient) tokenRequest(body string) *http.Request {
	c.t.Helper()
	r := c.request(body)
	r.URL.Path = worldfirst.ApplyTokenPath
	c.sign(r, body)
	return r
}

// apply asks applyToken with a body, and returns the result code.
func (c *testClient) apply(body string) (tokens, string) {
	c.t.Helper()
	r := c.tokenRequest(body)
	a, err := c.do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	if a.Signed != nil {
		c.t.Errorf("the answer to %s: %v", body, a.Signed)
	}
	var got tokens
	if a.Result.Code == "SUCCESS" {
		if err := json.Unmarshal(a.Body, &got); err != nil {
			c.t.Fatalf("%v in %s", err, a.Body)
		}
	}
	return got, a.Result.Code
}

func byCode(code string) string {
	return fmt.Sprintf(`{"grantType":"AUTHORIZATION_CODE","authCode":%q}`, code)
}
func byRefresh(token string) string {
	return fmt.Sprintf(`{"grantType":"REFRESH_TOKEN","refreshToken":%q}`, token)
}

// bills asks for bills as a customer with a token, and returns the result code.
func (c *testClient) bills(customer, token string) string {
	c.t.Helper()
	r := c.request(bodyOf())
	if customer != "" {
		r.Header.Set("Connected-CustomerId", customer)
	}
	if token != "" {
		r.Header.Set("Access-Token", token)
	}
	a, err := c.do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return a.Result.Code
}

// A handClock is set by hand.
type handClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *handClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *handClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// From a grant over months of refreshes to the end of the refresh token.
func TestTokensLive(t *testing.T) {
	t.Parallel()
	for _, rotate := range []bool{false, true} {
		clock := &handClock{at: testNow}
		s, c := serve(t, Options{Now: clock.now, ResponseTime: func() time.Time { return testNow }, RotateRefresh: rotate})
		if got := c.bills("C1", ""); got != "SUCCESS" {
			t.Fatalf("before the grant: %s", got)
		}
		code := s.Grant("C1")
		if got := c.bills("C1", ""); got != "ACCESS_TOKEN_EXPIRED" {
			t.Errorf("after the grant, without a token: %s", got)
		}
		if got := c.bills("C2", ""); got != "SUCCESS" {
			t.Errorf("a customer who granted nothing: %s", got)
		}
		first, got := c.apply(byCode(code))
		if got != "SUCCESS" || first.Access == "" || first.Refresh == "" || !first.Expires.Equal(testNow.Add(tokenLife)) || !first.RefreshExpires.Equal(testNow.Add(refreshLife)) {
			t.Fatalf("applyToken = %+v, %s", first, got)
		}
		if _, got := c.apply(byCode(code)); got != "AUTH_CODE_NOT_EXIST" {
			t.Errorf("a code used twice: %s", got)
		}
		for _, tt := range []struct{ customer, token, want string }{
			{"C1", first.Access, "SUCCESS"}, {"C1", first.Refresh, "ACCESS_TOKEN_EXPIRED"}, {"C1", "x", "ACCESS_TOKEN_EXPIRED"}, {"C1", "", "ACCESS_TOKEN_EXPIRED"},
		} {
			if got := c.bills(tt.customer, tt.token); got != tt.want {
				t.Errorf("the token %q: %s, want %s", tt.token, got, tt.want)
			}
		}
		clock.move(tokenLife - time.Second)
		if got := c.bills("C1", first.Access); got != "SUCCESS" {
			t.Errorf("a second before its end: %s", got)
		}
		clock.move(time.Second)
		if got := c.bills("C1", first.Access); got != "ACCESS_TOKEN_EXPIRED" {
			t.Errorf("at its end: %s", got)
		}
		second, got := c.apply(byRefresh(first.Refresh))
		if got != "SUCCESS" || second.Access == first.Access || (second.Refresh == first.Refresh) == rotate {
			t.Fatalf("refresh = %+v, %s", second, got)
		}
		if rotate != second.RefreshExpires.After(first.RefreshExpires) {
			t.Errorf("rotate %t: the refresh token ends %v, before %v", rotate, second.RefreshExpires, first.RefreshExpires)
		}
		if got := c.bills("C1", second.Access); got != "SUCCESS" {
			t.Errorf("the second token: %s", got)
		}
		want := map[bool]string{true: "OAUTH_FAIL", false: "SUCCESS"}[rotate]
		third, got := c.apply(byRefresh(first.Refresh))
		if got != want {
			t.Errorf("rotate %t: a refresh token used twice: %s, want %s", rotate, got, want)
		}
		if !rotate && c.bills("C1", second.Access) != "ACCESS_TOKEN_EXPIRED" {
			t.Errorf("the token before the newest is still good")
		}
		if rotate {
			third = second
		}
		s.ExpireAccessToken("C1")
		if got := c.bills("C1", third.Access); got != "ACCESS_TOKEN_EXPIRED" {
			t.Errorf("a token that was made to expire: %s", got)
		}
		clock.move(refreshLife)
		if _, got := c.apply(byRefresh(second.Refresh)); got != "OAUTH_FAIL" {
			t.Errorf("rotate %t: a refresh token past its end: %s", rotate, got)
		}
		late := s.Grant("C1")
		clock.move(codeLife)
		if _, got := c.apply(byCode(late)); got != "AUTH_CODE_EXPIRED" {
			t.Errorf("a code past its end: %s", got)
		}
		again, got := c.apply(byCode(s.Grant("C1")))
		if got != "SUCCESS" || c.bills("C1", again.Access) != "SUCCESS" {
			t.Errorf("a second grant: %s", got)
		}
		s.RevokeRefreshTokens("C1")
		if _, got := c.apply(byRefresh(again.Refresh)); got != "OAUTH_FAIL" {
			t.Errorf("a revoked refresh token: %s", got)
		}
		s.SetAccessToken("C1", "fixed")
		if c.bills("C1", again.Access) != "ACCESS_TOKEN_EXPIRED" || c.bills("C1", "fixed") != "SUCCESS" {
			t.Errorf("a token that is set does not replace the one given")
		}
		if s.SetAccessToken("C1", ""); c.bills("C1", "") != "SUCCESS" {
			t.Errorf("the demand is not lifted")
		}
	}
	_, c := serve(t, Options{})
	s, c2 := serve(t, Options{NoRefreshTokens: true, TokenLife: time.Hour})
	if got, code := c2.apply(byCode(s.Grant(""))); code != "SUCCESS" || got.Refresh != "" || !got.Expires.Equal(testNow.Add(time.Hour)) || c2.bills("", got.Access) != "SUCCESS" {
		t.Errorf("without refresh tokens: %+v, %s", got, code)
	}
	if _, got := c.apply(byCode("SIM-CODE-X")); got != "AUTH_CODE_NOT_EXIST" {
		t.Errorf("a code of nobody: %s", got)
	}
	if _, got := c.apply(byRefresh("X")); got != "OAUTH_FAIL" {
		t.Errorf("a refresh token of nobody: %s", got)
	}
}

func TestApplyTokenIsStrict(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	code := s.Grant("")
	for _, body := range []string{
		``, `[]`, `{}`, `null`, `{"authCode":"` + code + `"}`, `{"grantType":"AUTHORIZATION_CODE"}`, `{"grantType":"REFRESH_TOKEN"}`,
		`{"grantType":"authorization_code","authCode":"` + code + `"}`, `{"grantType":"CODE","authCode":"` + code + `"}`,
		`{"grantType":"REFRESH_TOKEN","authCode":"` + code + `"}`, `{"grantType":"AUTHORIZATION_CODE","authCode":""}`,
		`{"grantType":"AUTHORIZATION_CODE","authCode":null}`, `{"grantType":"AUTHORIZATION_CODE","authCode":7}`,
		`{"grantType":"AUTHORIZATION_CODE","authCode":"` + code + `","refreshToken":"x"}`,
		`{"grantType":"AUTHORIZATION_CODE","authCode":"` + code + `","scope":"x"}`,
		`{"grantType":"AUTHORIZATION_CODE","authCode":"` + code + `","authCode":"x"}`,
		`{"grantType":"AUTHORIZATION_CODE","authCode":"` + code + `"} x`, "{\"grantType\":\"\xff\"}",
	} {
		if _, got := c.apply(body); got != "PARAM_ILLEGAL" {
			t.Errorf("%s: %s, want PARAM_ILLEGAL", body, got)
		}
	}
	r := c.tokenRequest(byCode(code))
	r.Header.Del("Signature")
	if a, err := c.do(r); err != nil || a.Result.Code != "INVALID_SIGNATURE" {
		t.Errorf("unsigned: %+v, %v", a, err)
	}
	if _, got := c.apply(byCode(code)); got != "SUCCESS" {
		t.Errorf("after all the refusals the code is %s, want it good", got)
	}
}

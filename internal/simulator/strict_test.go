package simulator

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"billsync/internal/worldfirst"
)

// TestRefusals goes through everything the documents forbid.
func TestRefusals(t *testing.T) {
	t.Parallel()
	_, c := serve(t, Options{
		Customers:    []string{"", "C1", "C2"},
		AccessTokens: map[string]string{"C2": "secret"},
		MaxPage:      50,
	})
	resign := func(change func(r *http.Request)) func(*http.Request, string) {
		return func(r *http.Request, body string) {
			change(r)
			c.sign(r, body)
		}
	}
	header := func(name, value string) func(*http.Request, string) {
		return resign(func(r *http.Request) {
			if value == "" {
				r.Header.Del(name)
			} else {
				r.Header.Set(name, value)
			}
		})
	}
	for _, tt := range []struct {
		name   string
		body   string
		change func(r *http.Request, body string)
		want   string
	}{
		{"fine", bodyOf(), nil, "SUCCESS"},

		// The request line and the headers.
		{"another path", bodyOf(), resign(func(r *http.Request) { r.URL.Path += "2" }), "INVALID_API"},
		{"a trailing slash", bodyOf(), resign(func(r *http.Request) { r.URL.Path += "/" }), "INVALID_API"},
		{"a query string", bodyOf(), resign(func(r *http.Request) { r.URL.RawQuery = "a=b" }), "INVALID_API"},
		{"GET", bodyOf(), resign(func(r *http.Request) { r.Method = "GET" }), "METHOD_NOT_SUPPORTED"},
		{"PUT", bodyOf(), resign(func(r *http.Request) { r.Method = "PUT" }), "METHOD_NOT_SUPPORTED"},
		{"another client", bodyOf(), header("Client-Id", "TEST_OTHER"), "INVALID_CLIENT"},
		{"no client", bodyOf(), header("Client-Id", ""), "INVALID_CLIENT"},
		{"no content type", bodyOf(), header("Content-Type", ""), "PARAM_ILLEGAL"},
		{"no charset", bodyOf(), header("Content-Type", "application/json"), "PARAM_ILLEGAL"},
		{"another charset", bodyOf(), header("Content-Type", "application/json; charset=GBK"), "PARAM_ILLEGAL"},
		{"a form", bodyOf(), header("Content-Type", "application/x-www-form-urlencoded"), "PARAM_ILLEGAL"},
		{"charset in small letters", bodyOf(), header("Content-Type", "application/json;charset=utf-8"), "SUCCESS"},
		{"compressed", bodyOf(), header("Content-Encoding", "gzip"), "PARAM_ILLEGAL"},
		{"no time", bodyOf(), header("Request-Time", ""), "PARAM_ILLEGAL"},
		{"epoch time", bodyOf(), header("Request-Time", "1769913000000"), "PARAM_ILLEGAL"},
		{"time without offset", bodyOf(), header("Request-Time", "2026-02-01T10:30:00"), "PARAM_ILLEGAL"},
		{"an old time", bodyOf(), header("Request-Time", "2019-04-04T12:08:56+08:00"), "SUCCESS"},
		{"another customer", bodyOf(), header("Connected-CustomerId", "C3"), "AUTHORIZATION_NOT_EXIST"},
		{"a customer", bodyOf(), header("Connected-CustomerId", "C1"), "SUCCESS"},
		{"a token missing", bodyOf(), header("Connected-CustomerId", "C2"), "ACCESS_TOKEN_EXPIRED"},
		{"a token wrong", bodyOf(), func(r *http.Request, _ string) {
			r.Header.Set("Connected-CustomerId", "C2")
			r.Header.Set("Access-Token", "stale")
		}, "ACCESS_TOKEN_EXPIRED"},
		{"a token right", bodyOf(), func(r *http.Request, _ string) {
			r.Header.Set("Connected-CustomerId", "C2")
			r.Header.Set("Access-Token", "secret")
		}, "SUCCESS"},

		// The signature.
		{"no signature", bodyOf(), func(r *http.Request, _ string) { r.Header.Del("Signature") }, "INVALID_SIGNATURE"},
		{"no sense", bodyOf(), func(r *http.Request, _ string) { r.Header.Set("Signature", "x") }, "INVALID_SIGNATURE"},
		{"of another body", bodyOf(), func(r *http.Request, b string) { c.sign(r, b+" ") }, "INVALID_SIGNATURE"},
		{"of another time", bodyOf(), func(r *http.Request, _ string) {
			r.Header.Set("Request-Time", testNow.Add(time.Second).Format(worldfirst.TimeFormat))
		}, "INVALID_SIGNATURE"},
		{"by another key", bodyOf(), func(r *http.Request, b string) {
			h, err := worldfirst.Sign(testKeys()[1], 2, r.Method, r.URL.Path, clientID, r.Header.Get("Request-Time"), []byte(b))
			if err != nil {
				t.Error(err)
			}
			r.Header.Set("Signature", h)
		}, "INVALID_SIGNATURE"},
		{"another key version", bodyOf(), func(r *http.Request, _ string) {
			r.Header.Set("Signature", strings.Replace(r.Header.Get("Signature"), "keyVersion=2", "keyVersion=7", 1))
		}, "SUCCESS"},

		// The body as a whole.
		{"no body", "", nil, "PARAM_ILLEGAL"},
		{"no JSON", "startTime=1", nil, "PARAM_ILLEGAL"},
		{"a list", "[" + bodyOf() + "]", nil, "PARAM_ILLEGAL"},
		{"null", "null", nil, "PARAM_ILLEGAL"},
		{"cut off", strings.TrimSuffix(bodyOf(), "}"), nil, "PARAM_ILLEGAL"},
		{"two objects", bodyOf() + bodyOf(), nil, "PARAM_ILLEGAL"},
		{"not UTF-8", bodyOf("merchantName", "\"\xff\""), nil, "PARAM_ILLEGAL"},
		{"a byte order mark", "\ufeff" + bodyOf(), nil, "PARAM_ILLEGAL"},
		{"too large", bodyOf("merchantName", strconv.Quote(strings.Repeat("a", maxBody))), nil, "PARAM_ILLEGAL"},
		{"a field unknown", bodyOf("pagesize", "10"), nil, "PARAM_ILLEGAL"},
		{"a field twice", `{"pageNumber":1,` + bodyOf()[1:], nil, "PARAM_ILLEGAL"},

		// The span.
		{"no start", bodyOf("startTime", ""), nil, "PARAM_ILLEGAL"},
		{"no end", bodyOf("endTime", ""), nil, "PARAM_ILLEGAL"},
		{"a null start", bodyOf("startTime", "null"), nil, "PARAM_ILLEGAL"},
		{"a numeric start", bodyOf("startTime", "1769913000000"), nil, "PARAM_ILLEGAL"},
		{"a start without offset", bodyOf("startTime", `"2026-01-01T00:00:00"`), nil, "PARAM_ILLEGAL"},
		{"a start with Z", bodyOf("startTime", `"2026-01-01T00:00:00Z"`), nil, "PARAM_ILLEGAL"},
		{"a start with fractions", bodyOf("startTime", `"2026-01-01T00:00:00.5+08:00"`), nil, "PARAM_ILLEGAL"},
		{"a date only", bodyOf("startTime", `"2026-01-01"`), nil, "PARAM_ILLEGAL"},
		{"no such day", bodyOf("endTime", `"2026-02-30T00:00:00+08:00"`), nil, "PARAM_ILLEGAL"},
		{"an end before the start", bodyOf("endTime", `"2025-12-31T23:59:59+08:00"`), nil, "PARAM_ILLEGAL"},
		{"an end at the start", bodyOf("endTime", `"2026-01-01T00:00:00+08:00"`), nil, "SUCCESS"},
		{"other offsets", bodyOf("startTime", `"2026-01-01T00:00:00-05:00"`, "endTime", `"2026-01-31T00:00:00+00:00"`), nil, "SUCCESS"},
		{"100 calendar days", bodyOf("endTime", `"2026-04-10T23:59:59+08:00"`), nil, "SUCCESS"},
		{"100 x 24 hours", bodyOf("endTime", `"2026-04-11T00:00:00+08:00"`), nil, "PARAM_ILLEGAL"},
		{"99 days and a bit over 100 calendar days",
			bodyOf("startTime", `"2026-01-01T12:00:00+08:00"`, "endTime", `"2026-04-11T00:00:00+08:00"`), nil, "PARAM_ILLEGAL"},
		{"100 days with a change of offset",
			bodyOf("startTime", `"2026-01-01T00:00:00+01:00"`, "endTime", `"2026-04-11T00:30:00+02:00"`), nil, "PARAM_ILLEGAL"},

		// The page.
		{"no page", bodyOf("pageNumber", ""), nil, "PARAM_ILLEGAL"},
		{"page 0", bodyOf("pageNumber", "0"), nil, "PARAM_ILLEGAL"},
		{"page -1", bodyOf("pageNumber", "-1"), nil, "PARAM_ILLEGAL"},
		{"page as text", bodyOf("pageNumber", `"1"`), nil, "PARAM_ILLEGAL"},
		{"page 1.0", bodyOf("pageNumber", "1.0"), nil, "PARAM_ILLEGAL"},
		{"page 1e0", bodyOf("pageNumber", "1e0"), nil, "PARAM_ILLEGAL"},
		{"page null", bodyOf("pageNumber", "null"), nil, "PARAM_ILLEGAL"},
		{"a page beyond the last", bodyOf("pageNumber", "50"), nil, "SUCCESS"},
		{"a page beyond the limit", bodyOf("pageNumber", "51"), nil, "PARAM_ILLEGAL"},
		{"no size", bodyOf("pageSize", ""), nil, "PARAM_ILLEGAL"},
		{"size 0", bodyOf("pageSize", "0"), nil, "PARAM_ILLEGAL"},
		{"size 1", bodyOf("pageSize", "1"), nil, "SUCCESS"},
		{"size 100", bodyOf("pageSize", "100"), nil, "SUCCESS"},
		{"size 101", bodyOf("pageSize", "101"), nil, "PARAM_ILLEGAL"},
		{"size as text", bodyOf("pageSize", `"10"`), nil, "PARAM_ILLEGAL"},

		// The filters.
		{"all statuses", bodyOf("billStatusList", string(quote(statuses))), nil, "SUCCESS"},
		{"no such status", bodyOf("billStatusList", `["SUCCESS","DONE"]`), nil, "PARAM_ILLEGAL"},
		{"a status in small letters", bodyOf("billStatusList", `["success"]`), nil, "PARAM_ILLEGAL"},
		{"a status that is no list", bodyOf("billStatusList", `"SUCCESS"`), nil, "PARAM_ILLEGAL"},
		{"no statuses", bodyOf("billStatusList", `[]`), nil, "PARAM_ILLEGAL"},
		{"last four digits", bodyOf("cardNo", `"4444"`), nil, "SUCCESS"},
		{"a full number", bodyOf("cardNo", `"5555555555554444"`), nil, "SUCCESS"},
		{"five digits", bodyOf("cardNo", `"54444"`), nil, "PARAM_ILLEGAL"},
		{"twenty digits", bodyOf("cardNo", `"55555555555544445555"`), nil, "PARAM_ILLEGAL"},
		{"a masked number", bodyOf("cardNo", `"555555******4444"`), nil, "PARAM_ILLEGAL"},
		{"a numeric card", bodyOf("cardNo", `4444`), nil, "PARAM_ILLEGAL"},
		{"a merchant", bodyOf("merchantName", `"a"`), nil, "SUCCESS"},
		{"an empty merchant", bodyOf("merchantName", `""`), nil, "PARAM_ILLEGAL"},
		{"a null merchant", bodyOf("merchantName", `null`), nil, "PARAM_ILLEGAL"},
		{"an order", bodyOf("orderNo", `"20260101000000"`), nil, "SUCCESS"},
		{"a numeric order", bodyOf("orderNo", `20260101000000`), nil, "PARAM_ILLEGAL"},
		{"budgets", bodyOf("budgetAccountIdList", `["BA1","BA2"]`), nil, "SUCCESS"},
		{"numeric budgets", bodyOf("budgetAccountIdList", `[1]`), nil, "PARAM_ILLEGAL"},
		{"a budget that is no list", bodyOf("budgetAccountIdList", `"BA1"`), nil, "PARAM_ILLEGAL"},
	} {
		r := c.request(tt.body)
		if tt.change != nil {
			tt.change(r, tt.body)
		}
		a, err := c.do(r)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if r.Header.Get("Client-Id") == clientID && a.Signed != nil {
			t.Errorf("%s: the answer's signature: %v", tt.name, a.Signed)
		}
		wantStatus := "F"
		if tt.want == "SUCCESS" {
			wantStatus = "S"
		}
		if a.Result.Code != tt.want || a.Result.Status != wantStatus || a.HTTP.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %+v, want %s %s", tt.name, a.HTTP.StatusCode, a.Result, tt.want, wantStatus)
		}
		if a.Result.Message == "" {
			t.Errorf("%s: no message", tt.name)
		}
		if wantStatus == "F" && bytes.Contains(a.Body, []byte("billList")) {
			t.Errorf("%s: a refusal has a bill list: %s", tt.name, a.Body)
		}
	}
}

func TestAnswerHeaders(t *testing.T) {
	t.Parallel()
	_, c := serve(t, Options{})
	a := c.ask()
	for name, want := range map[string]string{
		"Content-Type":  "application/json;charset=UTF-8",
		"Client-Id":     clientID,
		"Response-Time": "2026-02-01T10:30:00+08:00",
	} {
		if got := a.HTTP.Header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	if a.Signed != nil {
		t.Error(a.Signed)
	}
	want := `{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"Success"},` +
		`"billList":[],"currentPageNumber":1,"totalCount":0,"totalPageNumber":0}`
	if string(a.Body) != want {
		t.Errorf("empty page:\n%s\nwant\n%s", a.Body, want)
	}
}

func TestTokenExpires(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	if a := c.ask(); a.Result.Code != "SUCCESS" {
		t.Errorf("no token demanded: %+v", a.Result)
	}
	s.SetAccessToken("", "new")
	if a := c.ask(); a.Result.Code != "ACCESS_TOKEN_EXPIRED" {
		t.Errorf("token missing: %+v", a.Result)
	}
	s.SetAccessToken("", "")
	if a := c.ask(); a.Result.Code != "SUCCESS" {
		t.Errorf("demand lifted: %+v", a.Result)
	}
}

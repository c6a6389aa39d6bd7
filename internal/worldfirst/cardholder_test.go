package worldfirst

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"billsync/internal/bill"
	"billsync/internal/card"
)

// answerAs sends a signed body in answer to any call.
func (p *provider) answerAs(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	const at = "2026-02-01T10:30:05+08:00"
	signature, err := Sign(p.key, 2, "POST", r.URL.Path, testClientID, at, body)
	if err != nil {
		p.t.Error(err)
	}
	w.Header().Set("Signature", signature)
	w.Header().Set("Response-Time", at)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// holderProvider answers the calls about cardholders with bodies in turn, the
// last one for ever.
func holderProvider(t *testing.T, bodies ...string) *provider {
	return newProvider(t, func(p *provider, n int, w http.ResponseWriter, r *http.Request) {
		p.answerAs(w, r, 200, []byte(bodies[min(n, len(bodies)-1)]))
	})
}

var application = card.Application{RequestID: "ch20260115000000000000000000001", Type: "EMPLOYEE",
	Info: json.RawMessage(`{ "userName":{"firstName":"San",  "lastName":"Zhang"},"dateOfBirth":"1990-06-15","note":"a<b & \u00e9","n":1.0e2 }`)}

func TestCreateCardholder(t *testing.T) {
	t.Parallel()
	p := holderProvider(t, string(sample(t, "createCardholder.response.approved.json")))
	c := p.client(func(cfg *Config) {
		cfg.AccessToken = func(account string) (string, error) { return "token-of-" + account, nil }
	})
	acct := bill.Account{Name: "main", ConnectedCustomerID: "CUST1", ConnectedAccountID: "ACCT1"}
	h, err := c.CreateCardholder(t.Context(), acct, application)
	if err != nil {
		t.Fatal(err)
	}
	want := card.Holder{OrderID: "OR2026011500000000000000000001", CardholderID: "CH2026011500000000000000000001", AuditStatus: "APPROVED", AvailableStatus: "T"}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("CreateCardholder (-want +got):\n%s", diff)
	}
	r := p.requests[0]
	body := `{"requestId":"ch20260115000000000000000000001","cardholderInfo":` + string(application.Info) + `,"cardholderType":"EMPLOYEE"}`
	if got := string(p.bodies[0]); got != body {
		t.Errorf("body %s, want %s", got, body)
	}
	if r.URL.Path != "/amsin/api/v1/business/worldcard/createCardholder" || r.Method != "POST" {
		t.Errorf("%s %s", r.Method, r.URL)
	}
	for name, want := range map[string]string{"Connected-Accountid": "ACCT1", "Connected-Customerid": "", "Access-Token": "token-of-main", "Content-Type": "application/json; charset=UTF-8"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("header %s = %q, want %q", name, got, want)
		}
	}
	if err := Verify([]*rsa.PublicKey{&privateKey(t, "client_private_pkcs8.pem").PublicKey}, r.Header.Get("Signature"), "POST", r.URL.Path, testClientID, r.Header.Get("Request-Time"), p.bodies[0]); err != nil {
		t.Errorf("the request's signature: %v", err)
	}
	// As the sample, but for blanks.
	a := application
	var min bytes.Buffer
	if err := json.Compact(&min, sample(t, "createCardholder.request.json")); err != nil {
		t.Fatal(err)
	}
	a.Info = json.RawMessage(`{"userName":{"firstName":"San","lastName":"Zhang"},"dateOfBirth":"1990-06-15"}`)
	if _, err := c.CreateCardholder(t.Context(), testAccount, a); err != nil {
		t.Fatal(err)
	}
	if got := string(p.bodies[1]); got != min.String() {
		t.Errorf("body %s, want %s", got, &min)
	}
	if got := p.requests[1].Header.Get("Connected-AccountId"); got != "" {
		t.Errorf("Connected-AccountId %q without one configured", got)
	}
}

func TestCreateCardholderAnswers(t *testing.T) {
	t.Parallel()
	yes := func(members string) string {
		return `{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"Success"}` + members + `}`
	}
	for _, tt := range []struct {
		name, body string
		want       card.Holder
		fails      string // the code
	}{
		{"pending", string(sample(t, "createCardholder.response.pending.json")), card.Holder{OrderID: "OR2026011500000000000000000002", AuditStatus: "PENDING",
			AvailableStatus: "F", FailCode: "AUDIT_PENDING", FailMessage: "made-up text: under review"}, ""},
		{"rejected", string(sample(t, "createCardholder.response.rejected.json")), card.Holder{OrderID: "OR2026011500000000000000000003", AuditStatus: "REJECTED",
			AvailableStatus: "F", FailCode: "MADE_UP_CODE", FailMessage: "made-up text: rejected"}, ""},
		{"numbers", yes(`,"auditStatus":"APPROVED","availableStatus":"T","orderId":20260115000000000000000000,"cardholderId":7`),
			card.Holder{OrderID: "20260115000000000000000000", CardholderID: "7", AuditStatus: "APPROVED", AvailableStatus: "T"}, ""},
		{"nulls and strangers", yes(`,"auditStatus":"PENDING","availableStatus":null,"failCode":null,"orderId":"O","cardholderId":null,"new":{"auditStatus":"X"},"list":[1]`),
			card.Holder{OrderID: "O", AuditStatus: "PENDING"}, ""},
		{"objects for texts", yes(`,"auditStatus":"PENDING","orderId":{"a":1},"failMessage":["x"]`), card.Holder{AuditStatus: "PENDING"}, ""},
		{"no auditStatus", yes(`,"orderId":"O"`), card.Holder{OrderID: "O"}, ""},
		{"a status nobody documents", yes(`,"auditStatus":"REVIEWING","orderId":"O"`), card.Holder{OrderID: "O", AuditStatus: "REVIEWING"}, ""},
		{"the provider repeats what is private", yes(`,"auditStatus":"REJECTED","availableStatus":"F","orderId":"O","failMessage":"ZHANG, born 1990-06-15, is known"`),
			card.Holder{OrderID: "O", AuditStatus: "REJECTED", AvailableStatus: "F", FailMessage: "***, born ***, is known"}, ""},
		{"a yes that says nothing", yes(``), card.Holder{}, "BAD_ANSWER"},
		{"no result", `{"auditStatus":"APPROVED"}`, card.Holder{}, "NO_RESULT"},
		{"no JSON", `<html>`, card.Holder{}, "NO_RESULT"},
		{"nothing", ``, card.Holder{}, "NO_RESULT"},
	} {
		p := holderProvider(t, tt.body)
		h, err := p.client(func(cfg *Config) { cfg.Tries = 2 }).CreateCardholder(t.Context(), testAccount, application)
		f, _ := bill.AsFailure(err)
		switch {
		case tt.fails == "" && (err != nil || h != tt.want):
			t.Errorf("%s: %+v, %v, want %+v", tt.name, h, err, tt.want)
		case tt.fails != "" && (f == nil || f.Code != tt.fails || f.Outcome != bill.NoAnswer || f.Tries != 2 || p.count() != 2):
			t.Errorf("%s: %+v after %d requests, want %s after two", tt.name, err, p.count(), tt.fails)
		case tt.fails != "" && !bytes.Equal(p.bodies[0], p.bodies[1]):
			t.Errorf("%s: the second try differs: %s", tt.name, p.bodies[1])
		}
	}
}

// Every code that the document of createCardholder names has the outcome and the
// further action that it names.
func TestCreateCardholderCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code, status string
		outcome      bill.Outcome
		advice       []string
	}{
		{"PARAM_ILLEGAL", "F", bill.RefusedRequest, []string{"check what was given"}},
		{"SYSTEM_ERROR", "F", bill.RefusedRequest, []string{"Do not repeat it", "contact WorldFirst Technical Support"}},
		{"SERVICE_NOT_ALLOWED", "F", bill.RefusedUs, []string{"Correct", "try again", "contact WorldFirst Technical Support"}},
		{"UNKNOWN_EXCEPTION", "U", bill.Unknown, []string{"asked again under the same request id on the documented schedule", "contact WorldFirst Technical Support"}},
		{"REQUEST_TRAFFIC_EXCEED_LIMIT", "U", bill.Unknown, []string{"asked again under the same request id", "contact WorldFirst Technical Support"}},
		{"OAUTH_FAIL", "F", bill.RefusedUs, []string{"contact WorldFirst Technical Support"}},
		{"INVALID_API", "F", bill.RefusedUs, []string{"Check base_url", "activated"}},
		{"INVALID_CLIENT", "F", bill.RefusedUs, []string{"client_id does not exist or is not valid"}},
		{"INVALID_SIGNATURE", "F", bill.RefusedUs, []string{"private_key_file"}},
		{"METHOD_NOT_SUPPORTED", "F", bill.RefusedUs, []string{"POST"}},
		{"CONTRACT_CHECK_FAIL", "F", bill.RefusedUs, []string{"Technical Support for the state of the contract, then try again"}},
		{"RISK_REJECT", "F", bill.RefusedUs, []string{"contact WorldFirst Technical Support"}},
		{"AUTHORIZATION_NOT_EXIST", "F", bill.RefusedUs, []string{"connected ids are right", "Technical Support to verify the authorization"}},
		{"REPEAT_REQUEST", "U", bill.Unknown, []string{"change the requestId and retry calling this API", "no cardholder came of it"}},
		{"REPEAT_REQUEST", "F", bill.RefusedRequest, []string{"change the requestId and retry calling this API"}},
		{"NEVER_SEEN", "F", bill.RefusedRequest, []string{"not documented"}},
		{"NEVER_SEEN", "U", bill.Unknown, []string{"same request id on the documented schedule"}},
	} {
		p := holderProvider(t, fmt.Sprintf(`{"result":{"resultCode":%q,"resultStatus":%q,"resultMessage":"zhang was born on 1990-06-15"}}`, tt.code, tt.status))
		_, err := p.client().CreateCardholder(t.Context(), testAccount, application)
		f, ok := bill.AsFailure(err)
		if !ok || f.Outcome != tt.outcome || f.Code != tt.code || f.Tries != 1 || p.count() != 1 || f.Repeated != (tt.code == "REPEAT_REQUEST") ||
			f.Message != "*** was born on ***" || f.SlowDown != (tt.code == "REQUEST_TRAFFIC_EXCEED_LIMIT") {
			t.Errorf("%s %s: %+v after %d requests", tt.code, tt.status, f, p.count())
			continue
		}
		for _, want := range tt.advice {
			if !strings.Contains(f.Advice, want) {
				t.Errorf("%s %s: advice %q, want %q in it", tt.code, tt.status, f.Advice, want)
			}
		}
		if got := CardholderAdvice(tt.code, tt.outcome); got != f.Advice {
			t.Errorf("CardholderAdvice(%s) = %q, want %q", tt.code, got, f.Advice)
		}
		if f.Outcome == bill.RefusedUs != RefusesUs(tt.code) && tt.status == "F" {
			t.Errorf("RefusesUs(%s) = %t", tt.code, RefusesUs(tt.code))
		}
	}
	for code, want := range map[string]bool{"HTTP_302": true, "HTTP_403": true, "HTTP_503": false, codeUnverified: true, codeTimeout: false, "": false} {
		if got := RefusesUs(code); got != want {
			t.Errorf("RefusesUs(%q) = %t, want %t", code, got, want)
		}
	}
}

// Nothing of what identifies a person stays: not in the log, in errors, or in
// what is kept for support.
func TestCardholderIsPrivate(t *testing.T) {
	t.Parallel()
	echo := `{"result":{"resultCode":"PARAM_ILLEGAL","resultStatus":"F","resultMessage":"illegal: San Zhang 1990-06-15"},"cardholderInfo":` + string(application.Info) + `}`
	for _, status := range []int{200, 400, 502} {
		for _, unsigned := range []bool{false, true} {
			p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) {
				if unsigned {
					w.WriteHeader(status)
					_, _ = w.Write([]byte(echo))
					return
				}
				p.answerAs(w, r, status, []byte(echo))
			})
			var log bytes.Buffer
			c := p.client(func(cfg *Config) { cfg.Log = zerolog.New(&log).Level(zerolog.TraceLevel) })
			_, err := c.CreateCardholder(t.Context(), testAccount, application)
			f, ok := bill.AsFailure(err)
			if !ok || f.Exchange == nil || log.Len() == 0 {
				t.Fatalf("%d: %v", status, err)
			}
			all := fmt.Sprintf("%+v %+v %s %s", f, f.Exchange, err, &log)
			for _, private := range []string{"Zhang", "1990-06-15", "firstName", "San "} {
				if strings.Contains(all, private) {
					t.Errorf("%d, unsigned %t: %q is in %s", status, unsigned, private, all)
				}
			}
		}
	}
}

func TestQueryCardholderList(t *testing.T) {
	t.Parallel()
	entry := func(n int, more string) string {
		return fmt.Sprintf(`{"cardholderId":"CH%d","orderId":"OR%d","cardholderType":"EMPLOYEE","auditStatus":"APPROVED","availableStatus":"T"%s}`, n, n, more)
	}
	holder := func(n int) card.Holder {
		return card.Holder{CardholderID: fmt.Sprint("CH", n), OrderID: fmt.Sprint("OR", n), Type: "EMPLOYEE", AuditStatus: "APPROVED", AvailableStatus: "T"}
	}
	private := holder(1)
	private.AvailableStatus, private.RequestID = "F", "R1"
	for _, tt := range []struct {
		name, members string
		want          card.HolderPage
	}{
		{"a list", `,"cardholderList":[` + entry(1, "") + `,` + entry(2, `,"more":{"x":[]}`) + `],"currentPageNumber":1,"totalCount":2,"totalPageNumber":1`,
			card.HolderPage{Holders: []card.Holder{holder(1), holder(2)}, Number: 1, TotalCount: 2, TotalPages: 1}},
		{"another name, counts as texts", `,"x":[` + entry(1, "") + `],"currentPageNumber":"2","totalCount":"51","totalPageNumber":"2"`,
			card.HolderPage{Holders: []card.Holder{holder(1)}, Number: 2, TotalCount: 51, TotalPages: 2}},
		{"deeper", `,"page":{"totalCount":1,"data":{"items":[` + entry(1, "") + `]}}`, card.HolderPage{Holders: []card.Holder{holder(1)}, TotalCount: 1}},
		{"other lists beside it", `,"warnings":["x",1,{"a":1}],"list":[` + entry(3, "") + `]`, card.HolderPage{Holders: []card.Holder{holder(3)}}},
		{"empty", `,"cardholderList":[],"totalCount":0`, card.HolderPage{}},
		{"null", `,"cardholderList":null,"totalCount":null`, card.HolderPage{}},
		{"names in it", `,"l":[{"requestId":"R1","cardholderId":"CH1","orderId":"OR1","cardholderType":"EMPLOYEE","auditStatus":"APPROVED","availableStatus":"F","failMessage":"Anna Huber is known","name":{"first":"Anna","last":"Huber"}}]`,
			card.HolderPage{Holders: []card.Holder{private}}},
	} {
		p := holderProvider(t, `{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"Success"}`+tt.members+`}`)
		got, err := p.client().QueryCardholderList(t.Context(), bill.Account{Name: "main", ConnectedAccountID: "ACCT1"}, "", 1, 50)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, diff)
		}
		if r := p.requests[0]; string(p.bodies[0]) != `{"pageNumber":1,"pageSize":50}` || r.URL.Path != "/amsin/api/v1/business/worldcard/queryCardholderList" || r.Header.Get("Connected-AccountId") != "ACCT1" {
			t.Errorf("%s %s asked %s", r.URL, r.Header, p.bodies[0])
		}
	}
	p := holderProvider(t, `{"result":{"resultCode":"SUCCESS","resultStatus":"S"}}`)
	if _, err := p.client().QueryCardholderList(t.Context(), testAccount, "PENDING", 2, 10); err != nil || string(p.bodies[0]) != `{"auditStatus":"PENDING","pageNumber":2,"pageSize":10}` {
		t.Errorf("asked %s, %v", p.bodies[0], err)
	}
}

// FuzzHolders reads any answer as one about cardholders, and finds in it nothing
// that is not there.
func FuzzHolders(f *testing.F) {
	f.Add([]byte(`{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"list":[{"cardholderId":"a","failMessage":"x y","n":"x"}],"totalCount":1}`), []byte(`{"n":"x"}`))
	f.Fuzz(func(t *testing.T, answer, info []byte) {
		var doc document
		if !doc.parse(answer) || doc.first(0) != '{' {
			return
		}
		r := newRedactor(info)
		for _, h := range append(decodeHolders(&doc).Holders, decodeHolder(&doc, 0, r)) {
			for _, text := range []string{h.OrderID, h.CardholderID, h.AuditStatus, h.FailCode, h.FailMessage} {
				if strings.ContainsAny(text, "\n\r\x00\x1b") {
					t.Errorf("%q is more than a line", text)
				}
			}
		}
		if h := decodeHolder(&doc, 0, r); r.redact(h.FailMessage) != h.FailMessage && !strings.Contains(h.FailMessage, "***") {
			t.Errorf("%q is not redacted to the end", h.FailMessage)
		}
	})
}

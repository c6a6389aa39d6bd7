package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"billsync/internal/worldfirst"
)

// A holderAnswer is an answer about cardholders.
type holderAnswer struct {
	Result          result
	OrderID         string
	CardholderID    string
	AuditStatus     string
	AvailableStatus string
	FailCode        string
	List            []map[string]any `json:"cardholderList"`
	TotalCount      any
	TotalPageNumber any
}

// post asks any call as an account.
func (c *testClient) post(path, account, body string) (*testAnswer, error) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Client-Id", clientID)
	r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	r.Header.Set("Request-Time", testNow.Format(worldfirst.TimeFormat))
	if account != "" {
		r.Header.Set("Connected-AccountId", account)
	}
	c.sign(r, body)
	return c.do(r)
}

// call is post for an answer that is one.
func (c *testClient) call(path, account, body string) (holderAnswer, error) {
	c.t.Helper()
	a, err := c.post(path, account, body)
	if err != nil {
		return holderAnswer{}, err
	}
	var h holderAnswer
	if err := json.Unmarshal(a.Body, &h); err != nil || a.Signed != nil {
		c.t.Errorf("answer %s: %v, %v", a.Body, err, a.Signed)
	}
	return h, nil
}

func (c *testClient) create(id, kind, info string) holderAnswer {
	c.t.Helper()
	h, err := c.call(worldfirst.CreateCardholderPath, "A1", fmt.Sprintf(`{"requestId":%q,"cardholderInfo":%s,"cardholderType":%q}`, id, info, kind))
	if err != nil {
		c.t.Fatal(err)
	}
	return h
}

// A request id makes one cardholder, whatever is asked and answered.
func TestCardholderOnce(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} {
		s, c := serve(t, Options{RefuseRepeats: refuse})
		first := c.create("r1", "EMPLOYEE", `{"n":"x"}`)
		if first.Result.Code != "SUCCESS" || first.AuditStatus != "PENDING" || first.AvailableStatus != "F" || first.OrderID == "" || first.CardholderID != "" || first.FailCode == "" {
			t.Errorf("createCardholder: %+v", first)
		}
		again := c.create("r1", "EMPLOYEE", `{"n":"x"}`)
		if refuse && (again.Result != results["REPEAT_REQUEST"] || again.OrderID != "") || !refuse && again.OrderID != first.OrderID {
			t.Errorf("refusing repeats %t: the same request again: %+v, first %+v", refuse, again, first)
		}
		for _, other := range []holderAnswer{c.create("r1", "EMPLOYEE", `{"n":"y"}`), c.create("r1", "INDIVIDUAL", `{"n":"x"}`)} {
			if other.Result != results["REPEAT_REQUEST"] {
				t.Errorf("another request under the same id: %+v", other)
			}
		}
		s.SetFault(func(r Request) Fault {
			return Fault{Kind: []FaultKind{Drop, DropAfter, Result, ResultAfter, HTTP}[r.N%5]}
		})
		for range 20 {
			_, _ = c.post(worldfirst.CreateCardholderPath, "A1", `{"requestId":"r2","cardholderInfo":{},"cardholderType":"SHAREHOLDER"}`)
		}
		s.SetFault(nil)
		if got := s.Cardholders(); len(got) != 2 || got[0].RequestID != "r1" || string(got[0].Info) != `{"n":"x"}` || got[1].RequestID != "r2" || got[1].Account != "A1" {
			t.Errorf("cardholders: %+v", got)
		}
	}
}

func TestCardholderFaults(t *testing.T) {
	t.Parallel()
	for kind, registered := range map[FaultKind]int{Drop: 0, DropAfter: 1, Result: 0, ResultAfter: 1, BadSignature: 1, None: 1} {
		s, c := serve(t, Options{})
		s.SetFault(func(Request) Fault { return Fault{Kind: kind} })
		a, err := c.post(worldfirst.CreateCardholderPath, "", `{"requestId":"r","cardholderInfo":{},"cardholderType":"EMPLOYEE"}`)
		if got := len(s.Cardholders()); got != registered {
			t.Errorf("%v: %d cardholders, want %d", kind, got, registered)
		}
		if (kind == Result || kind == ResultAfter) && (err != nil || a.Result != results["UNKNOWN_EXCEPTION"]) {
			t.Errorf("%v: %+v, %v", kind, a, err)
		}
	}
}

// A review takes its time, and the content decides how it ends.
func TestCardholderReview(t *testing.T) {
	t.Parallel()
	now := testNow
	_, c := serve(t, Options{Review: time.Hour, Now: func() time.Time { return now }})
	c.create("good", "EMPLOYEE", `{"n":"x"}`)
	c.create("bad", "INDIVIDUAL", `{"n":"please reject"}`)
	list := func(body string) holderAnswer {
		h, err := c.call(worldfirst.QueryCardholderListPath, "A1", body)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	statuses := func(h holderAnswer) string {
		var all []string
		for _, e := range h.List {
			all = append(all, fmt.Sprint(e["cardholderType"], e["auditStatus"], e["availableStatus"], e["cardholderId"] != nil))
		}
		return strings.Join(all, " ")
	}
	if got := statuses(list(`{}`)); got != "INDIVIDUALPENDINGFfalse EMPLOYEEPENDINGFfalse" {
		t.Errorf("before the end of the review: %s", got)
	}
	now = now.Add(time.Hour)
	if got := statuses(list(`{}`)); got != "INDIVIDUALREJECTEDFfalse EMPLOYEEAPPROVEDTtrue" {
		t.Errorf("at the end of the review: %s", got)
	}
	if got := c.create("good", "EMPLOYEE", `{"n":"x"}`); got.AuditStatus != "APPROVED" || got.CardholderID == "" {
		t.Errorf("the request again: %+v", got)
	}
	if got := list(`{"auditStatus":"APPROVED","pageNumber":1,"pageSize":50}`); statuses(got) != "EMPLOYEEAPPROVEDTtrue" || got.TotalCount != 1.0 {
		t.Errorf("the approved: %+v", got)
	}
	if got := list(`{"pageNumber":2,"pageSize":1}`); statuses(got) != "EMPLOYEEAPPROVEDTtrue" || got.TotalPageNumber != 2.0 {
		t.Errorf("page 2: %+v", got)
	}
	if got := list(`{"pageNumber":3,"pageSize":1}`); len(got.List) != 0 || got.TotalCount != 2.0 {
		t.Errorf("page 3: %+v", got)
	}
	other, err := c.call(worldfirst.QueryCardholderListPath, "A2", `{}`)
	if err != nil || len(other.List) != 0 {
		t.Errorf("another account sees %+v, %v", other, err)
	}
	_, c = serve(t, Options{Review: AtOnce, IntegersAsStrings: true})
	if got := c.create("r", "EMPLOYEE", `{}`); got.AuditStatus != "APPROVED" || got.AvailableStatus != "T" || got.FailCode != "" {
		t.Errorf("a review that ends at once: %+v", got)
	}
	if got := list(`{}`); got.TotalCount != "1" {
		t.Errorf("counts as texts: %+v", got)
	}
}

func TestCardholderRefusals(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	for _, body := range []string{
		``, `[]`, `{}`, `{"requestId":"r","cardholderInfo":{}}`, `{"requestId":"r","cardholderType":"EMPLOYEE"}`, `{"cardholderInfo":{},"cardholderType":"EMPLOYEE"}`,
		`{"requestId":"r","cardholderInfo":{},"cardholderType":"employee"}`, `{"requestId":"r","cardholderInfo":{},"cardholderType":"OWNER"}`,
		`{"requestId":"r","cardholderInfo":[],"cardholderType":"EMPLOYEE"}`, `{"requestId":"r","cardholderInfo":"{}","cardholderType":"EMPLOYEE"}`,
		`{"requestId":"r","cardholderInfo":null,"cardholderType":"EMPLOYEE"}`, `{"requestId":"","cardholderInfo":{},"cardholderType":"EMPLOYEE"}`,
		`{"requestId":7,"cardholderInfo":{},"cardholderType":"EMPLOYEE"}`, `{"requestId":"r-1","cardholderInfo":{},"cardholderType":"EMPLOYEE"}`,
		`{"requestId":"` + strings.Repeat("a", 33) + `","cardholderInfo":{},"cardholderType":"EMPLOYEE"}`,
		`{"requestId":"r","requestId":"r","cardholderInfo":{},"cardholderType":"EMPLOYEE"}`, `{"requestId":"r","cardholderInfo":{},"cardholderType":"EMPLOYEE","x":1}`,
		`{"requestId":"r","cardholderInfo":{"a":"` + "\xff" + `"},"cardholderType":"EMPLOYEE"}`,
	} {
		h, err := c.call(worldfirst.CreateCardholderPath, "A1", body)
		if err != nil || h.Result.Code != "PARAM_ILLEGAL" || h.Result.Status != "F" {
			t.Errorf("createCardholder %.200s: %+v, %v", body, h, err)
		}
	}
	if got := s.Cardholders(); len(got) != 0 {
		t.Errorf("%d cardholders were registered", len(got))
	}
	for _, body := range []string{`[]`, `{"pageSize":51}`, `{"pageSize":0}`, `{"pageNumber":0}`, `{"pageNumber":"1"}`, `{"auditStatus":"DONE"}`, `{"auditStatus":null}`, `{"x":1}`} {
		h, err := c.call(worldfirst.QueryCardholderListPath, "A1", body)
		if err != nil || h.Result.Code != "PARAM_ILLEGAL" {
			t.Errorf("queryCardholderList %s: %+v, %v", body, h, err)
		}
	}
}

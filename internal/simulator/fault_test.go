package simulator

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFaults sees to it that every kind can be told from a right answer.
func TestFaults(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{Book: sampleLedger(6)})
	// ask asks for the second of three pages, with a fault.
	ask := func(f Fault) (*testAnswer, error) {
		s.SetFault(func(r Request) Fault {
			if r.Query.Page != 2 {
				t.Errorf("the plan is asked about page %d, want 2", r.Query.Page)
			}
			return f
		})
		return c.do(c.request(bodyOf("pageSize", "2", "pageNumber", "2")))
	}
	right, err := ask(Fault{})
	if err != nil {
		t.Fatal(err)
	}
	same := func(a *testAnswer) bool { return bytes.Equal(a.Body, right.Body) }
	listed := func(a *testAnswer) []string { return field(t, a.Bills, "orderNo") }

	for _, tt := range []struct {
		fault Fault
		want  func(a *testAnswer) bool
	}{
		{Fault{Kind: None}, func(a *testAnswer) bool { return same(a) && a.Signed == nil }},
		{Fault{Kind: Result}, func(a *testAnswer) bool {
			return a.Result.Code == "UNKNOWN_EXCEPTION" && a.Result.Status == "U" && a.Signed == nil && a.Bills == nil
		}},
		{Fault{Kind: Result, Code: "SYSTEM_ERROR"}, func(a *testAnswer) bool {
			return a.Result == result{"SYSTEM_ERROR", "F", "System error."} && a.Signed == nil
		}},
		{Fault{Kind: Result, Code: "NEW_CODE", Status: "U", Message: "m", HTTPStatus: 429, RetryAfter: 1500 * time.Millisecond},
			func(a *testAnswer) bool {
				return a.Result == result{"NEW_CODE", "U", "m"} && a.HTTP.StatusCode == 429 &&
					a.HTTP.Header.Get("Retry-After") == "2"
			}},
		{Fault{Kind: HTTP}, func(a *testAnswer) bool {
			return a.HTTP.StatusCode == 502 && bytes.HasPrefix(a.Body, []byte("<html>")) && a.Signed != nil
		}},
		{Fault{Kind: HTTP, HTTPStatus: 503, RetryAfter: 7 * time.Second}, func(a *testAnswer) bool {
			return a.HTTP.StatusCode == 503 && a.HTTP.Header.Get("Retry-After") == "7"
		}},
		{Fault{Kind: Drop}, nil},
		{Fault{Kind: DropAfter}, nil},
		{Fault{Kind: Garbage}, func(a *testAnswer) bool { return a.HTTP.StatusCode == 200 && !json.Valid(a.Body) && len(a.Body) > 0 }},
		{Fault{Kind: Empty}, func(a *testAnswer) bool { return a.HTTP.StatusCode == 200 && len(a.Body) == 0 }},
		{Fault{Kind: NoResult}, func(a *testAnswer) bool {
			return a.garbage == nil && a.Signed == nil && !bytes.Contains(a.Body, []byte("result"))
		}},
		{Fault{Kind: BadSignature}, func(a *testAnswer) bool {
			return same(a) && a.Signed != nil && a.HTTP.Header.Get("Signature") != ""
		}},
		{Fault{Kind: NoSignature}, func(a *testAnswer) bool { return same(a) && a.HTTP.Header.Get("Signature") == "" }},
		{Fault{Kind: WrongPage}, func(a *testAnswer) bool {
			return a.Page == 3 && slices.Equal(listed(a), orders(3, 2)) && a.Signed == nil
		}},
		{Fault{Kind: StalePage}, func(a *testAnswer) bool {
			return a.Page == 2 && slices.Equal(listed(a), orders(5, 4)) && a.Signed == nil
		}},
		{Fault{Kind: ShortPage}, func(a *testAnswer) bool {
			return a.Page == 2 && a.Total == 6 && slices.Equal(listed(a), orders(3)) && a.Signed == nil
		}},
		{Fault{Kind: EmptyList}, func(a *testAnswer) bool {
			return a.Page == 2 && a.Total == 0 && len(listed(a)) == 0 && a.Signed == nil
		}},
		{Fault{Kind: Slow, Delay: 30 * time.Millisecond}, same},
	} {
		begun := time.Now()
		a, err := ask(tt.fault)
		switch {
		case tt.want == nil && err == nil:
			t.Errorf("%v: an answer comes: %s", tt.fault.Kind, a.Body)
		case tt.want != nil && err != nil:
			t.Errorf("%v: %v", tt.fault.Kind, err)
		case tt.want != nil && !tt.want(a):
			t.Errorf("%+v: %d %v\n%s\nsigned: %v", tt.fault, a.HTTP.StatusCode, a.HTTP.Header, a.Body, a.Signed)
		}
		if took := time.Since(begun); took < tt.fault.Delay {
			t.Errorf("%+v: answered after %v", tt.fault, took)
		}
	}
	s.SetFault(nil)
	if a := c.ask(); a.Result.Code != "SUCCESS" {
		t.Errorf("without a plan: %+v", a.Result)
	}
}

// TestDropAfterIsHalf looks at what a client has when the connection breaks.
func TestDropAfterIsHalf(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{Book: sampleLedger(6)})
	s.SetFault(func(Request) Fault { return Fault{Kind: DropAfter} })
	resp, err := c.http.Do(c.request(bodyOf()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var b bytes.Buffer
	if _, err = b.ReadFrom(resp.Body); err == nil || b.Len() == 0 || int64(b.Len()) >= resp.ContentLength {
		t.Errorf("read %d of %d bytes, error %v; want a part and an error", b.Len(), resp.ContentLength, err)
	}
	if !strings.HasPrefix(b.String(), `{"result":`) {
		t.Errorf("the body begins %q", b.String())
	}
}

func TestRandomFaults(t *testing.T) {
	t.Parallel()
	probs := map[FaultKind]float64{Result: 0.1, Drop: 0.2, None: 5}
	a, b, other := RandomFaults(1, probs), RandomFaults(1, probs), RandomFaults(2, probs)
	counts, differs := make(map[FaultKind]int), false
	const n = 10000
	for i := range int64(n) {
		f := a(Request{N: i})
		if f != b(Request{N: i}) {
			t.Fatalf("request %d: two plans of one seed differ", i)
		}
		differs = differs || f != other(Request{N: i})
		counts[f.Kind]++
	}
	if !differs {
		t.Error("two seeds make one plan")
	}
	for kind, p := range map[FaultKind]float64{None: 0.7, Result: 0.1, Drop: 0.2} {
		if got := float64(counts[kind]) / n; got < p-0.03 || got > p+0.03 {
			t.Errorf("%v has the share %.3f, want %.1f", kind, got, p)
		}
	}
}

func TestFaultNames(t *testing.T) {
	t.Parallel()
	for _, k := range FaultKinds() {
		if got, ok := ParseFaultKind(k.String()); got != k || !ok {
			t.Errorf("ParseFaultKind(%q) = %v, %v", k, got, ok)
		}
	}
	if _, ok := ParseFaultKind("flood"); ok {
		t.Error("an unknown kind is found")
	}
}

package worldfirst

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	gocmpopts "github.com/google/go-cmp/cmp/cmpopts"

	"billsync/internal/bill"
)

func result(code, status string) string {
	return fmt.Sprintf(`{"result":{"resultCode":%q,"resultStatus":%q,"resultMessage":"words of the provider"}}`, code, status)
}

const yes = `{"result":{"resultCode":"SUCCESS","resultStatus":"S"},"billList":[],"currentPageNumber":1,"totalCount":0,"totalPageNumber":0}`

func yesWith(members string) string {
	return `{"result":{"resultCode":"SUCCESS","resultStatus":"S"},` + members + `}`
}

// TestJudge asks over real HTTP, once for every row of the table.
func TestJudge(t *testing.T) {
	t.Parallel()
	const (
		signed = iota
		unsigned
		forged
		otherClient
	)
	for _, tt := range []struct {
		name    string
		status  int
		body    string
		how     int
		outcome bill.Outcome // 0: used
		code    string
		flags   string // of slow, span, token, unverified
		header  string // one more header of the answer
	}{
		{"yes", 200, yes, signed, 0, "", "", ""},
		{"identity is no compression", 200, yes, signed, 0, "", "", "Content-Encoding: identity"},
		{"U", 200, result("UNKNOWN_EXCEPTION", "U"), signed, bill.Unknown, "UNKNOWN_EXCEPTION", "", ""},
		{"U unsigned", 200, result("UNKNOWN_EXCEPTION", "U"), unsigned, bill.Unknown, "UNKNOWN_EXCEPTION", "unverified", ""},
		{"U on 500", 500, result("UNKNOWN_EXCEPTION", "U"), signed, bill.Unknown, "UNKNOWN_EXCEPTION", "", ""},
		{"U on 429", 429, result("UNKNOWN_EXCEPTION", "U"), signed, bill.Unknown, "UNKNOWN_EXCEPTION", "slow", ""},
		{"U on 403", 403, result("UNKNOWN_EXCEPTION", "U"), signed, bill.Unknown, "UNKNOWN_EXCEPTION", "", ""},
		{"U too fast", 200, result("REQUEST_TRAFFIC_EXCEED_LIMIT", "U"), signed, bill.Unknown, "REQUEST_TRAFFIC_EXCEED_LIMIT", "slow", ""},
		{"U with the code of a refusal", 200, result("PARAM_ILLEGAL", "U"), signed, bill.Unknown, "PARAM_ILLEGAL", "", ""},
		{"U with a new code", 200, result("NEW_CODE", "U"), signed, bill.Unknown, "NEW_CODE", "", ""},
		{"F with the code of an unknown", 200, result("UNKNOWN_EXCEPTION", "F"), signed, bill.RefusedRequest, "UNKNOWN_EXCEPTION", "", ""},
		{"F success", 200, result("SUCCESS", "F"), signed, bill.RefusedRequest, "SUCCESS", "", ""},
		{"F with a new code", 200, result("ACCESS_TOKEN_INVALID", "F"), signed, bill.RefusedRequest, "ACCESS_TOKEN_INVALID", "", ""},
		{"F on 400", 400, result("PARAM_ILLEGAL", "F"), signed, bill.RefusedRequest, "PARAM_ILLEGAL", "span", ""},
		{"F on 302", 302, result("SYSTEM_ERROR", "F"), signed, bill.RefusedRequest, "SYSTEM_ERROR", "", ""},
		{"F on 201", 201, result("INVALID_CLIENT", "F"), signed, bill.RefusedUs, "INVALID_CLIENT", "", ""},
		{"F on 401 unsigned", 401, result("INVALID_CLIENT", "F"), unsigned, bill.RefusedUs, "HTTP_401", "unverified", ""},
		{"F on 500", 500, result("PARAM_ILLEGAL", "F"), signed, bill.NoAnswer, "HTTP_500", "", ""},
		{"S on 403", 403, yes, signed, bill.RefusedUs, "HTTP_403", "", ""},
		{"S on 201", 201, yes, signed, bill.RefusedUs, "HTTP_201", "", ""},
		{"S on 503", 503, yes, signed, bill.NoAnswer, "HTTP_503", "", ""},
		{"S unsigned", 200, yes, unsigned, bill.RefusedUs, codeUnverified, "unverified", ""},
		{"S forged", 200, yes, forged, bill.RefusedUs, codeUnverified, "unverified", ""},
		{"S for another client", 200, yes, otherClient, bill.RefusedUs, codeUnverified, "unverified", ""},
		{"F unsigned", 200, result("ACCESS_TOKEN_EXPIRED", "F"), unsigned, bill.RefusedUs, codeUnverified, "unverified", ""},
		{"F forged", 200, result("PARAM_ILLEGAL", "F"), forged, bill.RefusedUs, codeUnverified, "unverified", ""},
		{"500", 500, "<html>", unsigned, bill.NoAnswer, "HTTP_500", "", ""},
		{"502", 502, "", unsigned, bill.NoAnswer, "HTTP_502", "", ""},
		{"503", 503, "{}", unsigned, bill.NoAnswer, "HTTP_503", "", ""},
		{"429", 429, "", unsigned, bill.NoAnswer, "HTTP_429", "slow", ""},
		{"408", 408, "", unsigned, bill.NoAnswer, "HTTP_408", "", ""},
		{"300", 300, "", unsigned, bill.RefusedUs, "HTTP_300", "", ""},
		{"301", 301, "", unsigned, bill.RefusedUs, "HTTP_301", "", "Location: /elsewhere"},
		{"302", 302, "{}", unsigned, bill.RefusedUs, "HTTP_302", "", "Location: /elsewhere"},
		{"307", 307, "", unsigned, bill.RefusedUs, "HTTP_307", "", "Location: /elsewhere"},
		{"400", 400, "<html>", unsigned, bill.RefusedUs, "HTTP_400", "", ""},
		{"403", 403, "", unsigned, bill.RefusedUs, "HTTP_403", "", ""},
		{"404", 404, "", unsigned, bill.RefusedUs, "HTTP_404", "", ""},
		{"204", 204, "", unsigned, bill.NoAnswer, codeNoResult, "", ""},
		{"202", 202, "{}", unsigned, bill.NoAnswer, codeNoResult, "", ""},
		{"empty", 200, "", signed, bill.NoAnswer, codeNoResult, "", ""},
		{"a page", 200, "<html>hello</html>", unsigned, bill.NoAnswer, codeNoResult, "", ""},
		{"a list", 200, "[]", signed, bill.NoAnswer, codeNoResult, "", ""},
		{"null", 200, "null", signed, bill.NoAnswer, codeNoResult, "", ""},
		{"no result", 200, `{"billList":[],"totalCount":0}`, signed, bill.NoAnswer, codeNoResult, "", ""},
		{"result is null", 200, `{"result":null}`, signed, bill.NoAnswer, codeNoResult, "", ""},
		{"result is text", 200, `{"result":"S"}`, signed, bill.NoAnswer, codeNoResult, "", ""},
		{"result in other letters", 200, `{"Result":{"resultStatus":"S"},"totalCount":0}`, signed, bill.NoAnswer, codeNoResult, "", ""},
		{"new status", 200, result("SUCCESS", "P"), signed, bill.NoAnswer, codeNoResult, "", ""},
		{"small status", 200, result("SUCCESS", "s"), signed, bill.NoAnswer, codeNoResult, "", ""},
		{"no status", 200, `{"result":{"resultCode":"SUCCESS"}}`, signed, bill.NoAnswer, codeNoResult, "", ""},
		{"cut JSON", 200, yes[:len(yes)-1], signed, bill.NoAnswer, codeNoResult, "", ""},
		{"compressed", 200, yes, signed, bill.NoAnswer, codeCompressed, "", "Content-Encoding: gzip"},
		{"no count", 200, yesWith(`"billList":[]`), signed, bill.NoAnswer, codeBadAnswer, "", ""},
		{"null count", 200, yesWith(`"billList":[],"totalCount":null`), signed, bill.NoAnswer, codeBadAnswer, "", ""},
		{"negative count", 200, yesWith(`"billList":[],"totalCount":-1`), signed, bill.NoAnswer, codeBadAnswer, "", ""},
		{"count in words", 200, yesWith(`"billList":[],"totalCount":"none"`), signed, bill.NoAnswer, codeBadAnswer, "", ""},
		{"count as a fraction", 200, yesWith(`"billList":[],"totalCount":"2.0"`), signed, bill.NoAnswer, codeBadAnswer, "", ""},
		{"count as a list", 200, yesWith(`"billList":[],"totalCount":[1]`), signed, bill.NoAnswer, codeBadAnswer, "", ""},
		{"negative page", 200, yesWith(`"totalCount":0,"currentPageNumber":-1`), signed, bill.NoAnswer, codeBadAnswer, "", ""},
		{"negative pages", 200, yesWith(`"totalCount":0,"totalPageNumber":"-1"`), signed, bill.NoAnswer, codeBadAnswer, "", ""},
		{"list is an object", 200, yesWith(`"totalCount":0,"billList":{}`), signed, bill.NoAnswer, codeBadAnswer, "", ""},
		{"no list", 200, yesWith(`"totalCount":0`), signed, 0, "", "", ""},
		{"null list", 200, yesWith(`"totalCount":"0","billList":null`), signed, 0, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, func(p *provider, _ int, w http.ResponseWriter, r *http.Request) {
				switch tt.how {
				case signed:
					p.sign(w, []byte(tt.body))
				case forged:
					p.sign(w, []byte(tt.body+" "))
				case otherClient:
					p.sign(w, []byte(tt.body))
					w.Header().Set("Client-Id", "SOMEBODY_ELSE")
				}
				if name, value, ok := strings.Cut(tt.header, ": "); ok {
					w.Header().Set(name, value)
				}
				w.WriteHeader(tt.status)
				if tt.status != http.StatusNoContent {
					w.Write([]byte(tt.body))
				}
			})
			c := p.client(func(cfg *Config) { cfg.Tries = 2 })
			_, err := c.QueryBillList(t.Context(), testAccount, testQuery)
			if tt.outcome == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			f, ok := bill.AsFailure(err)
			if !ok {
				t.Fatalf("QueryBillList: %v, want a Failure", err)
			}
			var flags []string
			for name, set := range map[string]bool{"slow": f.SlowDown, "span": f.BadSpan, "token": f.TokenExpired, "unverified": f.Unverified} {
				if set {
					flags = append(flags, name)
				}
			}
			if f.Outcome != tt.outcome || f.Code != tt.code || strings.Join(flags, " ") != tt.flags || f.HTTPStatus != tt.status {
				t.Errorf("%v %s %v HTTP %d, want %v %s [%s]", f.Outcome, f.Code, flags, f.HTTPStatus, tt.outcome, tt.code, tt.flags)
			}
			if f.Message == "" || f.Advice == "" || f.Op != "queryBillList" || f.Exchange == nil || f.Exchange.HTTPStatus != tt.status || f.Exchange.AnsweredAt.IsZero() {
				t.Errorf("incomplete failure %+v", f)
			}
			wantTries := 1
			if tt.outcome == bill.NoAnswer {
				wantTries = 2
			}
			if n := p.count(); n != wantTries || c.Requests() != int64(wantTries) {
				t.Errorf("%d requests, counted %d, want %d", n, c.Requests(), wantTries)
			}
			if current, configured := c.Rate(); (current < configured) != f.SlowDown {
				t.Errorf("rate %v of %v after SlowDown %v", current, configured, f.SlowDown)
			}
		})
	}
}

func TestJudgeWithoutServerKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status  int
		body    string
		outcome bill.Outcome
		code    string
	}{
		{200, yes, 0, ""},
		{200, result("PARAM_ILLEGAL", "F"), bill.RefusedRequest, "PARAM_ILLEGAL"},
		{401, result("INVALID_CLIENT", "F"), bill.RefusedUs, "INVALID_CLIENT"},
		{403, yes, bill.RefusedUs, "HTTP_403"},
	} {
		_, f := judge("op", reply{tt.status, http.Header{}, []byte(tt.body), nil}, nil, time.Now())
		switch {
		case tt.outcome == 0 && f != nil, tt.outcome != 0 && (f == nil || f.Outcome != tt.outcome || f.Code != tt.code || f.Unverified):
			t.Errorf("HTTP %d %s: %+v, want %v %s", tt.status, tt.body, f, tt.outcome, tt.code)
		}
	}
}

// An answer that is not believed is shown as what it is, and what to do should
// it be right stands beside what to do about the signature.
func TestUnbelievedAnswers(t *testing.T) {
	t.Parallel()
	forged := func(reply) error { return errors.New("verifying: no signature") }
	for _, tt := range []struct {
		status        int
		body          string
		code, message string
		advice        []string // of these codes, in order
	}{
		{200, yes, codeUnverified, "no signature", []string{codeUnverified}},
		{200, result("ACCESS_TOKEN_EXPIRED", "F"), codeUnverified, "no signature; unverified reason: words of the provider (ACCESS_TOKEN_EXPIRED)", []string{codeUnverified, "ACCESS_TOKEN_EXPIRED"}},
		{200, `{"result":{"resultStatus":"F","resultCode":"RISK_REJECT"}}`, codeUnverified, "no signature; unverified reason: refused for security reasons (RISK_REJECT)", []string{codeUnverified, "RISK_REJECT"}},
		{401, result("INVALID_CLIENT", "F"), "HTTP_401", "HTTP 401 Unauthorized; unverified reason: words of the provider (INVALID_CLIENT)", []string{"HTTP_401"}},
		{403, yes, "HTTP_403", "HTTP 403 Forbidden, although the result says success", []string{"HTTP_403"}},
	} {
		_, f := judge("op", reply{tt.status, http.Header{}, []byte(tt.body), nil}, forged, time.Now())
		want := AdviceFor(tt.advice[0])
		if len(tt.advice) > 1 {
			want += " Should the reason it names be right: " + AdviceFor(tt.advice[1])
		}
		if f == nil || f.Code != tt.code || f.Message != tt.message || f.Advice != want {
			t.Errorf("HTTP %d %s: %+v, want %s %q, advice %q", tt.status, tt.body, f, tt.code, tt.message, want)
		}
	}
}

// What to do about a code that nobody documents follows from what it is.
func TestAdviceForUnknownCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"HTTP_300": "redirect", "HTTP_307": "redirect",
		"HTTP_400": "Check base_url and client_id", "HTTP_418": "Check base_url and client_id",
		"HTTP_500": "disturbance", "HTTP_204": "disturbance",
		"300": "not documented", "400": "not documented", "NEVER_SEEN": "not documented",
	} {
		if got := AdviceFor(code); !strings.Contains(got, want) {
			t.Errorf("AdviceFor(%s) = %q, want something about %q", code, got, want)
		}
	}
	for outcome, want := range map[bill.Outcome]string{
		bill.NoAnswer: "asked again by itself", bill.Unknown: "documented schedule", bill.RefusedUs: "A person has to mend this", bill.RefusedRequest: "not documented",
	} {
		if got := advice(opQueryBillList, "NEVER_SEEN", outcome); !strings.Contains(got, want) {
			t.Errorf("advice for %v = %q, want something about %q", outcome, got, want)
		}
	}
}

// TestCodes holds the table against the documentation (API §6.3, §7).
func TestCodes(t *testing.T) {
	t.Parallel()
	us := []string{"INVALID_SIGNATURE", "INVALID_CLIENT", "INVALID_API", "METHOD_NOT_SUPPORTED", "SERVICE_NOT_ALLOWED", "CONTRACT_NOT_EXIST",
		"CONTRACT_CHECK_FAIL", "AUTHORIZATION_NOT_EXIST", "ACCESS_TOKEN_EXPIRED", "OAUTH_FAIL", "USER_NOT_EXIST", "RISK_REJECT"}
	request := []string{"SYSTEM_ERROR", "PARAM_ILLEGAL", "PROCESS_FAIL", "REPEAT_REQUEST", "AUTH_CODE_NOT_EXIST", "AUTH_CODE_EXPIRED"}
	unknown := []string{"UNKNOWN_EXCEPTION", "REQUEST_TRAFFIC_EXCEED_LIMIT"}
	seen := map[string]bool{}
	for _, info := range Codes() {
		want := bill.Outcome(0)
		switch {
		case slices.Contains(us, info.Code):
			want = bill.RefusedUs
		case slices.Contains(request, info.Code):
			want = bill.RefusedRequest
		case slices.Contains(unknown, info.Code):
			want = bill.Unknown
		case info.Code != "SUCCESS":
			t.Errorf("%s is not documented", info.Code)
		}
		if info.Outcome != want || info.Meaning == "" || info.Advice == "" || seen[info.Code] {
			t.Errorf("%+v, want outcome %v, a meaning, an advice, once", info, want)
		}
		seen[info.Code] = true
		if got := AdviceFor(info.Code); got != info.Advice {
			t.Errorf("AdviceFor(%s) = %q, want %q", info.Code, got, info.Advice)
		}
		if want == 0 {
			continue
		}
		status := "F"
		if want == bill.Unknown {
			status = "U"
		}
		_, f := judge(opQueryBillList, reply{200, http.Header{}, []byte(result(info.Code, status)), nil}, nil, time.Now())
		if f == nil || f.Outcome != want || f.Code != info.Code || f.Advice != info.Advice || f.Message != "words of the provider" ||
			f.SlowDown != (info.Code == "REQUEST_TRAFFIC_EXCEED_LIMIT") || f.BadSpan != (info.Code == "PARAM_ILLEGAL") || f.TokenExpired != (info.Code == "ACCESS_TOKEN_EXPIRED") ||
			f.Repeated != (info.Code == "REPEAT_REQUEST") {
			t.Errorf("%s with status %s: %+v", info.Code, status, f)
		}
	}
	if len(seen) != 1+len(us)+len(request)+len(unknown) {
		t.Errorf("%d codes: %v", len(seen), seen)
	}
	if Codes()[0].Code = "CHANGED"; Codes()[0].Code != "SUCCESS" {
		t.Error("Codes gives away the table itself")
	}
	for _, code := range []string{"HTTP_302", "HTTP_401", "HTTP_418", "HTTP_503", codeUnverified, "NEVER_SEEN"} {
		if AdviceFor(code) == "" {
			t.Errorf("no advice for %s", code)
		}
	}
	source, err := os.ReadFile("outcomes.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\tcode\w+ += "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		if ourAdvice[m[1]] == "" {
			t.Errorf("no advice of its own for %s", m[1])
		}
	}
}

func TestJudgeSamples(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		outcome bill.Outcome
		message string
	}{
		"F.ACCESS_TOKEN_EXPIRED":         {bill.RefusedUs, "The access token expired."},
		"F.AUTHORIZATION_NOT_EXIST":      {bill.RefusedUs, "The authorization does not exist."},
		"F.INVALID_SIGNATURE":            {bill.RefusedUs, "The signature is invalid."},
		"F.PARAM_ILLEGAL":                {bill.RefusedRequest, "Illegal parameters exist."},
		"F.SYSTEM_ERROR":                 {bill.RefusedRequest, "System error."},
		"U.REQUEST_TRAFFIC_EXCEED_LIMIT": {bill.Unknown, "The request traffic exceeds the limit."},
		"U.UNKNOWN_EXCEPTION":            {bill.Unknown, "API failed due to unknown reason."},
		"gateway-short-names":            {bill.RefusedRequest, "illegal parameter"},
	} {
		_, f := judge("op", reply{200, http.Header{}, sample(t, "result."+name+".json"), nil}, nil, time.Now())
		if f == nil || f.Outcome != want.outcome || f.Message != want.message {
			t.Errorf("%s: %+v, want %v %q", name, f, want.outcome, want.message)
		}
	}
}

func TestMessageIsOneScrubbedLine(t *testing.T) {
	t.Parallel()
	words, _ := json.Marshal("card 4111111111111111\r\n\trefused \x1b[31m\u009b2J" + strings.Repeat("é", 1000))
	body := fmt.Sprintf(`{"result":{"resultCode":"A\nB","resultStatus":"F","resultMessage":%s}}`, words)
	_, f := judge("op", reply{200, http.Header{}, []byte(body), nil}, nil, time.Now())
	if !strings.HasPrefix(f.Message, "card ****1111 refused [31m2Jé") || !isLine(f.Error()) || len([]rune(f.Message)) > maxMessage+1 || f.Code != "A B" {
		t.Errorf("message %q, code %q", f.Message, f.Code)
	}
	_, f = judge("op", reply{200, http.Header{}, []byte(`{"result":{"resultCode":"RISK_REJECT","resultStatus":"F"}}`), nil}, nil, time.Now())
	if f.Message != "refused for security reasons" {
		t.Errorf("without words the message is %q", f.Message)
	}
}

func TestBadCounts(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`"none"`:                            `totalCount is "none", not a whole number from 0`,
		`2.5`:                               `totalCount is "2.5", not a whole number from 0`,
		`[1]`:                               `totalCount is a list, not a whole number from 0`,
		`"\u00014111111111111111\n"`:        `totalCount is "\x01****1111\n", not a whole number from 0`,
		`"` + strings.Repeat("é", 90) + `"`: `totalCount is "` + strings.Repeat("é", 30) + `", not a whole number from 0`,
		`null`:                              "totalCount is missing",
	} {
		env, _ := readEnvelope([]byte(yesWith(`"totalCount":`+in)), nil)
		if _, err := decodePage(env.doc, ""); err == nil || err.Error() != want {
			t.Errorf("totalCount %s: %v, want %s", in, err, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 120 ": 2 * time.Minute, "-5": 0, "soon": 0, "NaN": 0, "1e300": maxRetryAfter,
		"99999999999999999999":          maxRetryAfter,
		"Sun, 01 Feb 2026 00:00:30 GMT": 30 * time.Second,
		"Sat, 31 Jan 2026 00:00:30 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("Retry-After %q = %v, want %v", text, got, want)
		}
	}
}

func FuzzDecodePage(f *testing.F) {
	for _, name := range []string{"success", "variants", "same-orderno", "empty"} {
		f.Add(sample(f, "queryBillList.response."+name+".json"))
	}
	f.Add(sample(f, "result.gateway-short-names.json"))
	f.Fuzz(func(t *testing.T, body []byte) {
		env, ok := readEnvelope(body, nil)
		// encoding/json, kept from matching names in any case, reads the same.
		var members, result map[string]any
		if json.Valid(body) {
			members, _ = parse(t, body).(map[string]any)
			result, _ = members["result"].(map[string]any)
		}
		text := func(v any) string {
			switch v := v.(type) {
			case string, json.Number, bool:
				return fmt.Sprint(v)
			}
			return ""
		}
		status := text(result["resultStatus"])
		if want := status == "S" || status == "F" || status == "U"; ok != want {
			t.Fatalf("%q is a result: %v, want %v", body, ok, want)
		}
		if !ok {
			return
		}
		message := text(result["resultMessage"])
		if oneLine(message, maxMessage) == "" {
			message = text(result["resultMsg"])
		}
		if env.status != status || env.code != oneLine(text(result["resultCode"]), 64) || env.message != oneLine(message, maxMessage) {
			t.Fatalf("%q: %+v", body, env)
		}
		for _, line := range []string{env.code, env.message} {
			if !isLine(line) || luhnRun(line) != "" || len([]rune(line)) > maxMessage+1 {
				t.Fatalf("%q gave the line %q", body, line)
			}
		}
		page, err := decodePage(env.doc, "")
		counts, good := map[string]int64{}, true
		for _, name := range []string{"totalCount", "currentPageNumber", "totalPageNumber"} {
			n, isCount := new(big.Int).SetString(text(members[name]), 10)
			switch {
			case members[name] == nil:
				good = good && name != "totalCount"
			case !isCount || !regexp.MustCompile(`\A[0-9]{1,18}\z`).MatchString(text(members[name])):
				good = false
			default:
				counts[name] = n.Int64()
			}
		}
		list, isList := members["billList"].([]any)
		good = good && (isList || members["billList"] == nil)
		if (err == nil) != good {
			t.Fatalf("%q: %v, want it read: %v", body, err, good)
		}
		if err != nil {
			// The digits of an escape that quoting adds are none of the number's.
			unquoted := regexp.MustCompile(`\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})`).ReplaceAllString(err.Error(), "?")
			if !isLine(err.Error()) || len(err.Error()) > 300 || luhnRun(unquoted) != "" {
				t.Fatalf("%q: the error %q is no short line", body, err)
			}
			return
		}
		if int64(page.TotalCount) != counts["totalCount"] || int64(page.Number) != counts["currentPageNumber"] || int64(page.TotalPages) != counts["totalPageNumber"] {
			t.Fatalf("%q: page %d of %d, %d bills, want %v", body, page.Number, page.TotalPages, page.TotalCount, counts)
		}
		if len(page.Items) != len(list) || page.Count != len(list) || page.Unchanged || page.List != nil || len(page.Hash) != 32 {
			t.Fatalf("%q: %d items of %d, counted %d, hash %q", body, len(page.Items), len(list), page.Count, page.Hash)
		}
		// The same list with its hash known: only the decoding is left to later.
		same, err := decodePage(env.doc, page.Hash)
		if err != nil || !same.Unchanged || same.Items != nil || same.Count != len(list) {
			t.Fatalf("%q, hash known: %+v, %v", body, same, err)
		}
		if same.Items, err = DecodeList(same.List); err != nil {
			t.Fatalf("%q: %v", same.List, err)
		}
		if diff := gocmp.Diff(page, same, gocmpopts.IgnoreFields(bill.Page{}, "Unchanged", "List"), gocmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%q decoded later (-first +later):\n%s", body, diff)
		}
		// The page's hash stands for the list alone, and an item for its element.
		var raws struct{ BillList json.RawMessage }
		again := []byte(`{"result":{"resultStatus":"S"},"totalCount":7,"billList":` + cmp.Or(string(billList(env)), "null") + `}`)
		if err := json.Unmarshal(again, &raws); err != nil {
			t.Fatal(err)
		}
		env, _ = readEnvelope(again, nil)
		if other, err := decodePage(env.doc, ""); err != nil || other.Hash != page.Hash {
			t.Fatalf("%q and %q have other hashes, %v", body, again, err)
		}
		var elements []json.RawMessage
		if err := json.Unmarshal(raws.BillList, &elements); err != nil {
			t.Fatal(err)
		}
		for i, e := range elements {
			if plain := plainDecodeItem(e); !reflect.DeepEqual(page.Items[i], plain) {
				t.Fatalf("%q: item %d is not what its element says:\n%s", body, i, gocmp.Diff(plain, page.Items[i]))
			}
		}
	})
}

package worldfirst

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func TestScrub(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"card number", `{"cardNo":"5555555555554444"}`, `{"cardNo":"****4444"}`},
		{"as a number", `{"cardNo":5555555555554444,"a":1}`, `{"cardNo":"****4444","a":1}`},
		{"with an exponent", `{"cardNo":5.555555555554444e15}`, `{"cardNo":"5.****4444e15"}`},
		{"not passing Luhn", `{"cardNo":"5555555555554445"}`, `{"cardNo":"****4445"}`},
		{"12 digits", `{"cardNo":"123456789012"}`, `{"cardNo":"****9012"}`},
		{"12 digits as a number", `{"cardNo":123456789012}`, `{"cardNo":"****9012"}`},
		{"19 digits", `{"cardNo":"1234567890123456789"}`, `{"cardNo":"****6789"}`},
		{"11 digits stay", `{"cardNo":"12345678901"}`, `{"cardNo":"12345678901"}`},
		{"11 digits stay a number", `{"cardNo":12345678901}`, `{"cardNo":12345678901}`},
		{"20 digits are an id", `{"cardNo":"12345678901234567890"}`, `{"cardNo":"12345678901234567890"}`},
		{"blanks", `{"cardNo":"5555 5555 5555 4444"}`, `{"cardNo":"****4444"}`},
		{"hyphens, last group short", `{"cardNo":"5555-5555-5555-44-44"}`, `{"cardNo":"****4444"}`},
		{"two blanks part", `{"cardNo":"555555  555555"}`, `{"cardNo":"555555  555555"}`},
		{"two numbers side by side", `{"cardNo":"5555555555554444 4111111111111111"}`, `{"cardNo":"****1111"}`},
		{"two numbers apart", `{"cardNo":"5555555555554444/4111111111111111"}`, `{"cardNo":"****4444/****1111"}`},
		{"masked stays", `{"maskedCardNo":"555555******4444"}`, `{"maskedCardNo":"555555******4444"}`},
		{"name in any case", `{"myCARDpan":"5555555555554444"}`, `{"myCARDpan":"****4444"}`},
		{"name with an escape", `{"c\u0061rdNo":"5555555555554444"}`, `{"c\u0061rdNo":"****4444"}`},
		{"digits as escapes", `{"cardNo":"5\u0035555555555\u00354444"}`, `{"cardNo":"****4444"}`},
		{"blank as an escape", `{"cardNo":"55555555\u002055554444"}`, `{"cardNo":"****4444"}`},
		{"escapes kept if nothing is found", `{"cardNo":"\u00e9\u0020x"}`, `{"cardNo":"\u00e9\u0020x"}`},
		{"escaped text around", `{"cardNo":"\"\u00e9 5555555555554444 <&>\n"}`, `{"cardNo":"\"é ****4444 <&>\n"}`},
		{"beneath an object", `{"cardInfo":{"a":[{"id":"5555555555554444","n":5555555555554444}]}}`, `{"cardInfo":{"a":[{"id":"****4444","n":"****4444"}]}}`},
		{"at any depth", `{"x":{"y":[1,{"bankCards":["5555555555554444"]}]}}`, `{"x":{"y":[1,{"bankCards":["****4444"]}]}}`},
		{"nickname", `{"cardNickName":"my 123456789012"}`, `{"cardNickName":"my ****9012"}`},
		{"ids stay", `{"orderNo":"4111111111111111","billNo":"4111111111111111","assetId":"4111111111111111","budgetAccountIds":["4111111111111111"]}`, ""},
		{"numbers and times stay", `{"phoneNumber":"4111111111111111","lastUpdate":"1770429601237","someTime":"1770429601"}`, ""},
		{"amounts stay", `{"tradeAmount":{"currency":"USD","value":"4111111111111111"},"inAmount":{"value":4111111111111111}}`, ""},
		{"rates stay", `{"exchangeRate":"0.4111111111111111"}`, ""},
		{"codes are text", `{"billStatus":"4111111111111111"}`, `{"billStatus":"****1111"}`},
		{"times stay", `{"lastUpdate":"1722308496237","transactionTime":"2026-01-10T08:00:01+08:00"}`, ""},
		{"what is no time is text", `{"transactionTime":"4111 1111 1111 1111"}`, `{"transactionTime":"****1111"}`},
		{"numbers in unknown fields stay", `{"sequence":4111111111111111}`, ""},
		{"merchant", `{"merchantName":"X 4111 1111 1111 1111 Y"}`, `{"merchantName":"X ****1111 Y"}`},
		{"merchant, not passing Luhn", `{"merchantName":"4111111111111112"}`, ""},
		{"merchant, 12 digits", `{"merchantName":"000000000018"}`, ""},
		{"13 digits", `{"merchantName":"4222222222222"}`, `{"merchantName":"****2222"}`},
		{"digits before the number", `{"merchantName":"no 12 4111111111111111"}`, `{"merchantName":"no 12 ****1111"}`},
		{"digits behind the number", `{"merchantName":"4111111111111111 12"}`, `{"merchantName":"****1111 12"}`},
		{"a date before the number", `{"merchantName":"2026-01-28 4111111111111111"}`, `{"merchantName":"2026-01-28 ****1111"}`},
		{"longer than a card number", `{"merchantName":"00004111111111111111"}`, ""},
		{"reason", `{"billFailReason":{"errorDesc":"card 4111111111111111 refused"}}`, `{"billFailReason":{"errorDesc":"card ****1111 refused"}}`},
		{"message", `{"result":{"resultMessage":"4111111111111111","resultMsg":"4111111111111111"}}`, `{"result":{"resultMessage":"****1111","resultMsg":"****1111"}}`},
		{"metadata", `{"metadata":{"orderNo":"4111111111111111","n":4111111111111111,"k":"4111111111111112"}}`, `{"metadata":{"orderNo":"****1111","n":"****1111","k":"4111111111111112"}}`},
		{"card in metadata", `{"metadata":{"x":{"card":"123456789012"}}}`, `{"metadata":{"x":{"card":"****9012"}}}`},
		{"unknown text", `{"remark":["4111111111111111"],"pan":{"value":"4111111111111111"}}`, `{"remark":["****1111"],"pan":{"value":"****1111"}}`},
		{"no name", `["4111111111111111",4111111111111111]`, `["****1111","****1111"]`},
		{"bare text", ` "4111111111111111" `, ` "****1111" `},
		{"the same name twice", `{"cardNo":"5555555555554444","cardNo":"4111111111111111"}`, `{"cardNo":"****4444","cardNo":"****1111"}`},
		{"layout stays", "{ \"a\" : 1.50 ,\n\t\"cardNo\" : \"5555555555554444\" , \"z\":1e2 , \"b\":[ ] ,\"c\":{ } }\n", "{ \"a\" : 1.50 ,\n\t\"cardNo\" : \"****4444\" , \"z\":1e2 , \"b\":[ ] ,\"c\":{ } }\n"},
		{"not JSON", `<p>4111 1111 1111 1111</p> and 1234567890123456`, `<p>****1111</p> and 1234567890123456`},
		{"cut off", `{"cardNo":"4111111111111111","x`, `{"cardNo":"****1111","x`},
		{"empty", ``, ``},
	} {
		if tt.want == "" {
			tt.want = tt.in
		}
		in := []byte(tt.in)
		got := Scrub(in)
		if string(got) != tt.want {
			t.Errorf("%s: Scrub(%s) = %s, want %s", tt.name, tt.in, got, tt.want)
		}
		if string(in) != tt.in {
			t.Errorf("%s: Scrub changed its input", tt.name)
		}
		if tt.in == tt.want && len(in) > 0 && &got[0] != &in[0] {
			t.Errorf("%s: nothing was scrubbed, but the bytes are others", tt.name)
		}
		if again := Scrub(got); string(again) != string(got) {
			t.Errorf("%s: Scrub of its own result %s = %s", tt.name, got, again)
		}
	}
}

func TestScrubLeavesSamplesAlone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"success", "same-orderno", "empty"} {
		raw := sample(t, "queryBillList.response."+name+".json")
		if got := Scrub(raw); !bytes.Equal(got, raw) {
			t.Errorf("Scrub changed sample %s:\n%s", name, got)
		}
	}
	raw := sample(t, "queryBillList.response.variants.json")
	want := bytes.Replace(raw, []byte("5555555555554444"), []byte("****4444"), 1)
	if got := Scrub(raw); !bytes.Equal(got, want) {
		t.Errorf("Scrub(variants) = %s, want only the card number replaced", got)
	}
}

func FuzzScrub(f *testing.F) {
	for _, name := range []string{"queryBillList.response.variants.json", "queryCardSensitiveInfo.response.success.json", "notify_bill.request.json"} {
		f.Add(sample(f, name))
	}
	f.Add([]byte(`{"cards":[{"x":"5555-5555 5555\u0034444"},411111111111111.1e3,null]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		got := Scrub(raw)
		if !bytes.Equal(raw, before) {
			t.Fatal("Scrub changed its input")
		}
		if !json.Valid(raw) {
			return
		}
		if !json.Valid(got) {
			t.Fatalf("Scrub(%q) = %q, which is no JSON", raw, got)
		}
		if left := cardRuns(t, got); left != "" {
			t.Fatalf("Scrub(%q) = %q left %q", raw, got, left)
		}
		if again := Scrub(got); !bytes.Equal(again, got) {
			t.Fatalf("Scrub(%q) = %q, and of that %q", raw, got, again)
		}
	})
}

var digitRun = regexp.MustCompile(`[0-9](?:[ -]?[0-9])*`)

// cardRuns finds a run of digits as long as a card number beneath a field named
// after a card, by way of encoding/json.
func cardRuns(t *testing.T, raw []byte) string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var walk func(v any, card bool) string
	walk = func(v any, card bool) string {
		switch v := v.(type) {
		case map[string]any:
			for name, e := range v {
				if left := walk(e, card || containsFold([]byte(name), "card")); left != "" {
					return left
				}
			}
		case []any:
			for _, e := range v {
				if left := walk(e, card); left != "" {
					return left
				}
			}
		case string, json.Number:
			if !card {
				return ""
			}
			for _, run := range digitRun.FindAllString(fmt.Sprint(v), -1) {
				if n := len(run) - strings.Count(run, " ") - strings.Count(run, "-"); n >= 12 && n <= 19 {
					return run
				}
			}
		}
		return ""
	}
	return walk(v, false)
}

package worldfirst

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
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
		{"a text as a number", `{"merchantName":4111111111111111,"errorDesc":4111111111111111,"billFailReason":4111111111111111}`, `{"merchantName":"****1111","errorDesc":"****1111","billFailReason":"****1111"}`},
		{"a number that is no time", `{"lastUpdate":4111111111111111,"transactionTime":1770429601237}`, `{"lastUpdate":"****1111","transactionTime":1770429601237}`},
		{"what stays makes another number", `{"merchantName":"4111111111111111 123456789019"}`, `{"merchantName":"********9019"}`},
		{"U+0000 hides a number", `{"cardNo":"5555555\u00005555544\u000045"}`, `{"cardNo":"****4445"}`},
		{"U+0000 ends a number", `{"merchantName":"4111111111111111\u00007"}`, `{"merchantName":"****1111\u00007"}`},
		{"a name", `{"metadata":{"4111111111111111":"x"},"4111 1111\u00201111 1111":{"y":1}}`, `{"metadata":{"****1111":"x"},"****1111":{"y":1}}`},
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
		if plain := plainScrub(raw); !bytes.Equal(got, plain) {
			t.Fatalf("Scrub(%q) = %q, and the plain one makes %q of it", raw, got, plain)
		}
		if again := Scrub(got); !bytes.Equal(again, got) {
			t.Fatalf("Scrub(%q) = %q, and of that %q", raw, got, again)
		}
		if !json.Valid(raw) {
			if left := luhnRun(string(got)); left != "" {
				t.Fatalf("Scrub(%q) = %q left %q", raw, got, left)
			}
			return
		}
		if !json.Valid(got) {
			t.Fatalf("Scrub(%q) = %q, which is no JSON", raw, got)
		}
		if left := leftCard(parse(t, got)); left != "" {
			t.Fatalf("Scrub(%q) = %q left %q", raw, got, left)
		}
		if !utf8.Valid(raw) {
			return // broken names and texts may have become others
		}
		if diff := scrubbedBeyond(parse(t, raw), parse(t, got)); diff != "" {
			t.Fatalf("Scrub(%q) = %q changed more than card numbers: %s", raw, got, diff)
		}
	})
}

// scrubbedBeyond compares a value before and after: the same tree, in which
// texts may differ only where digits became asterisks.
func scrubbedBeyond(before, after any) string {
	switch b := before.(type) {
	case map[string]any:
		a, ok := after.(map[string]any)
		if !ok {
			return fmt.Sprintf("%v became %v", before, after)
		}
		for name, e := range b {
			if other, ok := a[name]; ok {
				if diff := scrubbedBeyond(e, other); diff != "" {
					return diff
				}
			} else if luhnRun(name) == "" {
				return fmt.Sprintf("%q is gone", name)
			}
		}
		return ""
	case []any:
		a, ok := after.([]any)
		if !ok || len(a) != len(b) {
			return fmt.Sprintf("%v became %v", before, after)
		}
		for i := range b {
			if diff := scrubbedBeyond(b[i], a[i]); diff != "" {
				return diff
			}
		}
		return ""
	case string, json.Number:
		text, now := fmt.Sprint(before), fmt.Sprint(after)
		if _, isText := after.(string); !isText || text == now {
			if before == after {
				return ""
			}
			return fmt.Sprintf("%#v became %#v", before, after)
		}
		// Beside digits and what may stand between or hide them not a character differs.
		rest := func(s string) string {
			return strings.Map(func(r rune) rune {
				if strings.ContainsRune("0123456789* -\x00", r) {
					return -1
				}
				return r
			}, s)
		}
		if rest(text) != rest(now) || !strings.Contains(now, "****") || len(now) >= len(text) {
			return fmt.Sprintf("%q became %q", text, now)
		}
		return ""
	}
	if before != after {
		return fmt.Sprintf("%v became %v", before, after)
	}
	return ""
}

// FuzzPlantedCard hides a card number in a bill, wherever and however it is
// written, and looks for it in everything that is made of the bill.
func FuzzPlantedCard(f *testing.F) {
	f.Add(uint64(411111111111111), byte(16), "merchantName", "SHOP ", " LTD")
	f.Add(uint64(555555555555444), byte(16+32), "metadata/a/b", "", "")
	f.Add(uint64(37828224631000), byte(15+64), "billFailReason/errorDesc", "12 ", "-7")
	f.Add(uint64(422222222222), byte(13), "card_x/no/value", "a", "\x00")
	f.Add(uint64(1), byte(19+128), "tradeAmount/value", "\x01", "")
	f.Add(uint64(411111111111111), byte(16+32+128), "lastUpdate", "", "")
	f.Fuzz(func(t *testing.T, digits uint64, form byte, path, before, after string) {
		length := 13 + int(form&31)%7
		number := fmt.Sprintf("%0*d", length-1, digits)
		number = number[len(number)-length+1:]
		number += string(checkDigit(number))
		if number[0] == '0' || hasDigit(before, len(before)-1) || hasDigit(after, 0) {
			return // no card number, or part of a longer one, which is an id
		}
		names := strings.Split(path, "/")
		about := func(name string) bool { return idField.MatchString(name) || sumField.MatchString(name) }
		// An id or an amount may well look like a card number: only messages must
		// not quote it.
		stays := slices.ContainsFunc(names, about) && !slices.Contains(names, "metadata") && !strings.Contains(strings.ToLower(path), "card")
		written := number
		switch {
		case form&32 != 0:
			written = number[:4] + " " + number[4:8] + " " + number[8:12] + " " + number[12:]
		case form&64 != 0:
			written = number[:4] + "-" + number[4:10] + "-" + number[10:]
		}
		if timeField.MatchString(names[len(names)-1]) && anyTime.MatchString(before+written+after) {
			return // milliseconds since 1970
		}
		var value any = before + written + after
		if form&128 != 0 && before == "" && after == "" && written == number {
			value = json.Number(number)
			stays = stays || leftCard(value, names...) == "" // numbers in fields unknown to us are no text
		}
		for _, name := range slices.Backward(names) {
			value = map[string]any{name: value}
		}
		members := value.(map[string]any)
		for name, value := range map[string]string{"orderNo": "1", "transactionTime": "2026-02-07T02:00:00Z"} {
			if path != name {
				members[name] = value
			}
		}
		raw := []byte(respeller{rand.New(rand.NewPCG(digits, uint64(form)))}.write(members, func([]string) bool { return false }))
		item := DecodeItem(raw)
		b := item.Bill
		if item.Rejected != (path == "transactionTime") {
			t.Fatalf("%s: rejected %v, problems %q", raw, item.Rejected, item.Problems)
		}
		body := []byte(`{"result":{"resultStatus":"F","resultCode":"X","resultMessage":` + respeller{rand.New(rand.NewPCG(digits, 1))}.text(before+written+after) + `}}`)
		env, ok := readEnvelope(body, nil)
		if !ok {
			t.Fatalf("%s is no result", body)
		}
		shown := append(item.Problems, env.message, evidenceBody(body))
		if !stays {
			shown = append(shown, string(b.Raw), evidenceBody(raw), b.BillNo, b.BillType, b.Status, b.AssetID, b.MaskedCardNo, b.CardLast4, b.CardNickName,
				b.MerchantName, b.BudgetAccountID, b.ExchangeRate, b.TradeCountry, b.FailCode, b.FailDesc, b.LastUpdateRaw, b.Metadata)
		}
		for _, text := range shown {
			if strings.Contains(text, written) || strings.Contains(text, number) {
				t.Fatalf("%s: %q holds the card number", raw, text)
			}
		}
	})
}

func hasDigit(text string, at int) bool {
	return at >= 0 && at < len(text) && isDigit(text[at])
}

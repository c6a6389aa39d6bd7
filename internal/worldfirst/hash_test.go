package worldfirst

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func hashOf(raw string) string { return DecodeItem([]byte(raw)).Bill.Hash }

func TestHashEqual(t *testing.T) {
	t.Parallel()
	for _, tt := range [][]string{
		{`"inAmount":{"currency":"USD","value":"100"}`, `"inAmount":{"value":100,"currency":"USD"}`, ` "inAmount" : { "currency":"USD", "value":"100", "x":null } `, `"inAmount":{"currency":"USD","value":"0100"}`},
		{`"lastUpdate":1770429601237`, `"lastUpdate":"1770429601237"`, `"lastUpdate":"2026-02-07T10:00:01.237+08:00"`},
		{`"x":1,"merchantName":"A"`, `"merchantName":"A","x":1`, `"merchantName":"\u0041","x":1,"y":null`, `"merchantName":"B","merchantName":"A","x":1`, `"cardNickName":"renamed","x":1,"merchantName":"A"`},
		{`"x":{"a":[1],"b":"é"}`, `"x":{"b":"\u00e9","c":null,"a":[ 1 ]}`},
		{`"cardNo":"5555555555554444"`, `"cardNo":5555555555554444`, `"cardNo":"5555 5555 5555 4444"`, `"cardNo":"4111111111114444"`},
		{`"billFailReason":"X"`, `"billFailReason":{"errorCode":"X"}`, `"billFailReason":{"errorDesc":null,"errorCode":"X"}`},
		{`"merchantName":null`, `"merchantName":""`, `"cardNickName":"x"`, `"transactionTime":"2026-02-07T10:00:00+08:00"`},
		{`"exchangeRate":0.0064`, `"exchangeRate":"0.0064"`},
		{`"tradeAmount":{"value":12.5,"currency":"USD"}`, `"tradeAmount":{"value":"12.5","currency":"USD"}`},
	} {
		for _, other := range tt[1:] {
			if hashOf(with(tt[0])) != hashOf(with(other)) {
				t.Errorf("%s and %s have different hashes", tt[0], other)
			}
		}
	}
}

func TestHashDiffers(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, in := range []string{
		`"x":1`, `"x":"1"`, `"x":1.0`, `"x":[1]`, `"x":[1,null]`, `"x":{"a":1}`, `"x":{}`, `"x":[]`, `"x":true`, `"x":""`, `"y":1`, `"x":[[],[]]`, `"x":[[[]]]`,
		`"merchantName":"AB"`, `"merchantName":"A"`, `"merchantName":"A","tradeCountry":"B"`, `"merchantName":"B","tradeCountry":"A"`,
		`"merchantName":"a"`, `"merchantName":" A"`, `"MerchantName":"A"`, `"merchantName":["A"]`,
		`"inAmount":{"currency":"USD","value":"1"}`, `"inAmount":{"currency":"USD","value":"-1"}`, `"inAmount":{"currency":"EUR","value":"1"}`,
		`"outAmount":{"currency":"USD","value":"1"}`, `"inAmount":{"currency":"USD","value":"1","fee":1}`, `"inAmount":{"currency":"USD","value":"1","fee":"1"}`,
		`"inAmount":{"currency":"USD","value":"1.0"}`, `"inAmount":{"currency":"USD"}`, `"inAmount":{"value":1}`,
		`"billFailReason":"X"`, `"billFailReason":{"errorDesc":"X"}`, `"billFailReason":{"errorCode":"X","errorDesc":"Y"}`, `"billFailReason":{"errorCode":"X","n":1}`,
		`"lastUpdate":1770429601237`, `"lastUpdate":1770429601238`, `"lastUpdate":"x"`, `"lastUpdate":"2026-02-07T02:00:01.2370001Z"`,
		`"transactionTime":"2026-02-07T02:00:00.001Z"`, `"transactionTime":"2026-02-07T02:00:00.0001Z"`, `"transactionTime":"2026-02-07T02:00:01Z"`,
		`"orderNo":"2"`, `"orderNo":"01"`, `"metadata":{"k":"v"}`, `"metadata":{"k":"w"}`, `"metadata":{"kv":""}`, `"metadata":"v"`,
		`"cardNo":"5555555555554444"`, `"cardNo":"5555555555554445"`, `"maskedCardNo":"5555555555554444"`,
		`"exchangeRate":"1"`, `"exchangeRate":"1.0"`,
	} {
		h := hashOf(with(in))
		if before, ok := seen[h]; ok {
			t.Errorf("%s and %s have one hash", before, in)
		}
		seen[h] = in
	}
}

// TestHashIsTheSameInEveryProcess holds the form: hashes are stored, and a new
// form would make every bill look changed.
func TestHashIsTheSameInEveryProcess(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		with(`"x":[1,{"b":"c"}],"tradeAmount":{"currency":"JPY","value":1200},"billFailReason":{"errorCode":"E"}`): "5b9e561c2310b24f6e960b9ac3bf5380",
		string(sample(t, "notify_bill.request.json")):                                                              "09387473bb52229bd17e85f38059f1f9",
	} {
		if got := hashOf(in); got != want {
			t.Errorf("hash of %s = %s, want %s", in, got, want)
		}
	}
}

// jsonValue draws a JSON value that is not null.
func jsonValue() *rapid.Generator[any] {
	scalar := rapid.OneOf(rapid.String().AsAny(), rapid.Int64().AsAny(), rapid.Bool().AsAny())
	return rapid.OneOf(scalar, rapid.SliceOfN(scalar, 0, 3).AsAny(), rapid.MapOfN(rapid.StringN(1, 4, 8), scalar, 0, 3).AsAny())
}

// write writes members in the given order, with odd blanks, and the numbers in
// texts as strings if asked.
func write(members map[string]any, order []string, quoted bool) string {
	var b strings.Builder
	b.WriteString("{ ")
	for i, name := range order {
		if i > 0 {
			b.WriteString(" ,\n")
		}
		value, _ := json.Marshal(members[name])
		if _, isText := members[name].(int64); isText && quoted && name == "exchangeRate" {
			value = fmt.Appendf(nil, "%q", value)
		}
		key, _ := json.Marshal(name)
		fmt.Fprintf(&b, "%s :\t%s", key, value)
	}
	return b.String() + "}"
}

func TestHashProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.MapOfN(rapid.SampledFrom([]string{"orderNo", "merchantName", "billStatus", "exchangeRate", "tradeAmount", "metadata", "lastUpdate", "unknown", "x"}),
			jsonValue(), 1, 9).Draw(t, "members")
		order := slices.Sorted(maps.Keys(members))
		plain := write(members, order, false)
		shuffled := rapid.Permutation(order).Draw(t, "order")
		if other := write(members, shuffled, true); hashOf(plain) != hashOf(other) {
			t.Fatalf("%s and %s say the same but have different hashes", plain, other)
		}
		members["cardNickName"] = "any"
		if other := write(members, append(shuffled, "cardNickName"), true); hashOf(plain) != hashOf(other) {
			t.Fatalf("the nickname changed the hash of %s", plain)
		}
		delete(members, "cardNickName")
		name := rapid.SampledFrom(order).Draw(t, "changed")
		before := members[name]
		members[name] = rapid.StringMatching(`changed [a-z]{1,5}`).Draw(t, "new")
		if members[name] == before {
			return
		}
		if other := write(members, order, false); hashOf(plain) == hashOf(other) {
			t.Fatalf("%s and %s differ but have one hash", plain, other)
		}
	})
}

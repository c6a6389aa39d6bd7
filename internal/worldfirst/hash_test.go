package worldfirst

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"
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
		{`"merchantName":4111111111111111`, `"merchantName":"4111111111111111"`},
		{`"lastUpdate":4111111111111111`, `"lastUpdate":"4111111111111111"`},
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

// TestHashesOfOddBills holds the hashes of nearly two hundred bills, right and wrong,
// as they were when hashes were first stored: a line each, hash and Go string.
func TestHashesOfOddBills(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(string(read(t, "hashes.txt"))), "\n")
	for _, line := range lines {
		want, in, _ := strings.Cut(line, " ")
		raw, err := strconv.Unquote(in)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := hashOf(raw); got != want {
			t.Errorf("hash of %s = %s, want %s", raw, got, want)
		}
	}
	if len(lines) < 180 {
		t.Errorf("only %d bills", len(lines))
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

// FuzzHash writes a bill in another way that says the same, which must change
// nothing, and then says something else, which must show.
func FuzzHash(f *testing.F) {
	for _, name := range []string{"success", "variants", "same-orderno"} {
		env, _ := readEnvelope(sample(f, "queryBillList.response."+name+".json"), nil)
		for i, raw := range plainAppendElements(nil, billList(env)) {
			f.Add(raw, uint64(i))
		}
	}
	f.Add([]byte(with(`"merchantName":4111111111111111,"lastUpdate":"4111111111111111","billFailReason":{"errorCode":7,"errorDesc":"5"},"x":[null,{"y":null,"z":1e2}]`)), uint64(1))
	f.Add([]byte(with(`"tradeAmount":{"currency":"USD","value":1e2},"outAmount":{"value":"007","currency":" USD","x":"1"},"billFailReason":12,"billNo":false`)), uint64(2))
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) { checkHash(t, raw, seed) })
}

// checkHash respells a bill by chance, and asks for the same hash; then changes
// it, and asks for another.
func checkHash(t rapid.TB, raw []byte, seed uint64) {
	t.Helper()
	if !json.Valid(raw) || !utf8.Valid(raw) {
		return
	}
	members, ok := parse(t, raw).(map[string]any)
	if !ok || nameWithCard(members) {
		return // a name that is cut down may become that of another member
	}
	item := DecodeItem(raw)
	r := respeller{rand.New(rand.NewPCG(seed, 0))}
	other := r.respell(members)
	again := DecodeItem([]byte(other))
	if again.Bill.Hash != item.Bill.Hash {
		t.Fatalf("%q and %q say the same but have different hashes", raw, other)
	}
	// The columns are the same as well; metadata keeps its blanks.
	ignored := gocmp.FilterPath(func(p gocmp.Path) bool { return p.Last().String() == ".Raw" || p.Last().String() == ".Metadata" }, gocmp.Ignore())
	slices.Sort(item.Problems)
	slices.Sort(again.Problems)
	if diff := gocmp.Diff(item, again, ignored); diff != "" {
		t.Fatalf("%q and %q say the same but:\n%s", raw, other, diff)
	}
	names := slices.Sorted(maps.Keys(members))
	if len(names) == 0 {
		return
	}
	name := names[r.IntN(len(names))]
	members["cardNickName"] = "renamed"
	if other = r.respell(members); hashOf(other) != item.Bill.Hash {
		t.Fatalf("%q and %q differ in the nickname alone but have different hashes", raw, other)
	}
	if name == "cardNickName" {
		return
	}
	const said = "said of no bill before"
	if members[name] == said {
		return
	}
	members[name] = said
	if other = r.respell(members); hashOf(other) == item.Bill.Hash {
		t.Fatalf("%q and %q differ in %q but have one hash", raw, other, name)
	}
}

// nameWithCard reports whether a member at any depth is named like a card number.
func nameWithCard(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			if hasLongRun([]byte(strings.ReplaceAll(name, "\x00", ""))) || nameWithCard(e) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, nameWithCard)
	}
	return false
}

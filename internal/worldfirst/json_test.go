package worldfirst

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// checkDocument holds a document against encoding/json: what is JSON, and what
// it says.
func checkDocument(t rapid.TB, raw []byte) {
	t.Helper()
	var d document
	isJSON := d.parse(raw)
	if isJSON != json.Valid(raw) {
		t.Fatalf("%q is JSON: %v, want %v", raw, isJSON, !isJSON)
	}
	if !isJSON {
		return
	}
	if d.next(0) != len(d.nodes) {
		t.Fatalf("%q: the value ends at node %d of %d", raw, d.next(0), len(d.nodes))
	}
	if got, want := said(t, &d, 0), parse(t, raw); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q is taken for another value (-want +got):\n%s", raw, cmp.Diff(want, got))
	}
}

// said returns a value of a document as encoding/json would.
func said(t rapid.TB, d *document, v int) any {
	t.Helper()
	if d.first(v) != d.json(v)[0] || d.isScalar(v) != (d.next(v) == v+1 && strings.IndexByte("{[n", d.first(v)) < 0) {
		t.Fatalf("%q: first %q, scalar %v", d.json(v), d.first(v), d.isScalar(v))
	}
	switch d.first(v) {
	case '{':
		object := map[string]any{}
		for m := v + 1; m < d.next(v); m = d.next(m + 1) {
			object[string(d.text(m))] = said(t, d, m+1)
		}
		members := d.appendMembers(nil, v)
		for i, m := range members {
			if d.find(v, string(m.name)) != m.value || d.isNull(m.value) || i > 0 && string(members[i-1].name) >= string(m.name) {
				t.Fatalf("%q: member %q is not what counts", d.json(v), m.name)
			}
		}
		for name, value := range object {
			if found := d.find(v, name); (found == 0) != (value == nil) || found == 0 && len(members) == len(object) {
				t.Fatalf("%q: %q found at %d", d.json(v), name, found)
			}
		}
		return object
	case '[':
		list := []any{}
		for e := v + 1; e < d.next(v); e = d.next(e) {
			list = append(list, said(t, d, e))
		}
		if n := d.count(v); n != len(list) {
			t.Fatalf("%q has %d elements, want %d", d.json(v), n, len(list))
		}
		return list
	case '"':
		return string(d.text(v))
	case 't', 'f':
		return string(d.text(v)) == "true"
	case 'n':
		return nil
	}
	return json.Number(d.text(v))
}

func FuzzDocument(f *testing.F) {
	for _, name := range []string{"queryBillList.response.variants.json", "notify_bill.request.json"} {
		f.Add(sample(f, name))
	}
	f.Add([]byte(` {"a":[1,-0.5e+7,"\u00e9\ud800",true ,null],"a":{"b":null,"b":"` + "\xff\x7fé" + `"},"":[[],{}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) { checkDocument(t, raw) })
}

// TestShortDocuments tries all short texts of the characters that matter.
func TestShortDocuments(t *testing.T) {
	t.Parallel()
	const letters = "\"\\{}[],:01-.eE \n\x1fu\x80"
	var d document
	var try func(text []byte, more int)
	try = func(text []byte, more int) {
		if got, want := d.parse(text), json.Valid(text); got != want {
			t.Errorf("%q is JSON: %v, want %v", text, got, want)
		}
		if more == 0 {
			return
		}
		for i := range len(letters) {
			try(append(text, letters[i]), more-1)
		}
	}
	try(make([]byte, 0, 8), 4)
	// Inside of what they can be part of, they may be longer.
	for _, frame := range []string{`[%]`, `{"a":%}`, `"\u%"`, `[1%1]`, `-%`, `1e%`, `{%:1}`, `tru%`, `[[%]]`, `{"a":1%}`} {
		before, after, _ := strings.Cut(frame, "%")
		var fill func(middle []byte, more int)
		fill = func(middle []byte, more int) {
			text := []byte(before + string(middle) + after)
			if got, want := d.parse(text), json.Valid(text); got != want {
				t.Errorf("%q is JSON: %v, want %v", text, got, want)
			}
			if more == 0 {
				return
			}
			for i := range len(letters) {
				fill(append(middle, letters[i]), more-1)
			}
		}
		fill(make([]byte, 0, 8), 3)
	}
}

// TestStringsOfAnyLength puts every byte at every place of a string, which is
// read eight bytes at a time.
func TestStringsOfAnyLength(t *testing.T) {
	t.Parallel()
	for length := range 18 {
		for at := range length {
			for c := range 256 {
				for _, fill := range []string{"a", "é"} {
					text := []byte(strings.Repeat(fill, length))
					text[at] = byte(c)
					checkDocument(t, []byte(`["`+string(text)+`",0]`))
				}
			}
		}
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, maxDepth - 1, maxDepth, maxDepth + 1} {
		for _, pair := range []string{"[]", `{"":}`} {
			open, shut := pair[:len(pair)-1], pair[len(pair)-1:]
			text := []byte(strings.Repeat(open, n) + "1" + strings.Repeat(shut, n))
			if got, want := new(document).parse(text), json.Valid(text); got != want {
				t.Errorf("%d deep in %s: JSON %v, want %v", n, pair, got, want)
			}
		}
	}
}

// TestManyMembers has more members than are sorted by hand.
func TestManyMembers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.StringMatching(`[a-e]{0,2}`), 0, 40).Draw(t, "names")
		var parts []string
		for i, name := range names {
			value := json.Number(rapid.SampledFrom([]string{"1", "2", "null"}).Draw(t, "value"))
			if i%3 == 0 {
				value = "[1]"
			}
			parts = append(parts, `"`+name+`":`+value.String())
		}
		raw := []byte("{" + strings.Join(parts, ",") + "}")
		checkDocument(t, raw)
		checkItem(t, raw)
	})
}

// TestFieldNames holds what the order of the hash depends on.
func TestFieldNames(t *testing.T) {
	t.Parallel()
	for f, name := range fieldNames {
		if got := fieldOf([]byte(name)); got != field(f) {
			t.Errorf("%s is field %d, want %d", name, got, f)
		}
		if f > 0 && fieldNames[f-1] >= name {
			t.Errorf("%s stands before %s", fieldNames[f-1], name)
		}
		// The rule that is known beforehand is the one that the name would find.
		found := scope{rule: scrubAny}.member([]byte(name))
		if known := fieldScope(field(f)); !reflect.DeepEqual(found, known) {
			t.Errorf("%s: scope %+v, want %+v", name, known, found)
		}
		if long := hasLongRun([]byte(name)); long {
			t.Errorf("%s holds digits", name)
		}
	}
	for _, name := range []string{"", "OrderNo", "orderno", "orderNo ", "card", "currency"} {
		if f := fieldOf([]byte(name)); f != noField {
			t.Errorf("%q is field %d", name, f)
		}
	}
}

// TestLongFields has names and texts whose lengths take more than a byte to say
// in the hash.
func TestLongFields(t *testing.T) {
	t.Parallel()
	for _, n := range []int{100, 120, 124, 125, 126, 127, 128, 129, 130, 200, 16370, 16381, 16382, 16383, 16384, 16385} {
		long := strings.Repeat("x", n)
		for _, members := range []string{
			`"merchantName":"%"`, `"%":1`, `"%":"%"`, `"%":{"%":["%"]}`, `"metadata":{"%":null,"a":"%"}`, `"billFailReason":"%"`, `"billFailReason":{"errorDesc":"%","errorCode":"%"}`,
			`"tradeAmount":{"currency":"%","value":1}`, `"tradeAmount":{"currency":"USD","value":1,"%":"%"}`, `"tradeAmount":{"currency":"USD","value":"%"}`, `"lastUpdate":"%"`, `"cardNickName":"%"`,
			`"zz%":1,"aa%":"%","billType":"%","orderNo":"%","mm":"%"`,
		} {
			raw := []byte(with(strings.ReplaceAll(members, "%", long)))
			if plain, item := plainDecodeItem(raw), DecodeItem(raw); !reflect.DeepEqual(item, plain) {
				t.Errorf("%s with %d characters is decoded in another way than the plain one (-plain +fast):\n%s", members, n, cmp.Diff(plain, item))
			}
		}
	}
}

// TestLongRun compares the quick look with a slow one.
func TestLongRun(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([0-9]{1,13}|[ -]|[0-9][ -]|[a-z ]{1,3}){0,30}`).Draw(t, "text")
		if got, want := hasLongRun([]byte(text)), plainHasLongRun([]byte(text)); got != want {
			t.Fatalf("%q has a long run: %v, want %v", text, got, want)
		}
	})
}

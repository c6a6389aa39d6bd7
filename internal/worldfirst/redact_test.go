package worldfirst

import (
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	info := `{"userName":{"firstName":"San","lastName":"Zhang"},"full":"San  de la\tCruz","dateOfBirth":"1990-06-15","no":1234567,"cn":"张三","sex":"F","n":null,"list":["X9-77",true],"long":"` + strings.Repeat("z", 1000) + `"}`
	r := newRedactor([]byte(info))
	for _, tt := range []struct{ in, want string }{
		{"dateOfBirth 1990-06-15 is illegal", "dateOfBirth *** is illegal"},
		{"SAN ZHANG (san zhang) exists", "*** *** (*** ***) exists"},
		{"San de la Cruz", "***"},
		{"no 1234567, 张三, x9-77!", "no ***, ***, ***!"},
		{"Field F is wrong", "Field F is wrong"},
		{"it is Zha…", "it is ***…"},
		{"it is Zh…", "it is Zh…"},
		{"", ""},
		{strings.Repeat("z", 900), "***"},
	} {
		if got := r.redact(tt.in); got != tt.want {
			t.Errorf("redact(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	for _, r := range []redactor{{}, newRedactor([]byte("no json")), newRedactor([]byte(`{"orderId":"OR2"}`))} {
		if got := r.redact("OR1 stays"); got != "OR1 stays" {
			t.Errorf("nothing to redact: %q", got)
		}
	}
}

// Words that repeat a value in another spelling are not kept.
func TestRedactOtherSpellings(t *testing.T) {
	t.Parallel()
	r := newRedactor([]byte(`{"last":"Wu-Königsmark","no":"P<D0123456789","city":"New York & Co"}`))
	for _, text := range []string{
		`bad {"last":"Wu-K\u00f6nigsmark"}`, `bad "Wu-K\u00F6nigsmark"`, `P&lt;D0123456789 is bad`, `Wu-K&#246;nigsmark`, `name=Wu-K%C3%B6nigsmark`,
		`New+York+%26+Co`, `wu-k\u00f6nigsmark`,
	} {
		if got := r.redact(text); got != withheldWords {
			t.Errorf("redact(%s) = %s, want nothing of it", text, got)
		}
	}
	for text, want := range map[string]string{
		"Wu-Königsmark is bad": "*** is bad", `a "quoted" \n word`: `a "quoted" \n word`, "100% sure & <b>": "100% sure & <b>",
	} {
		if got := r.redact(text); got != want {
			t.Errorf("redact(%s) = %s, want %s", text, got, want)
		}
	}
}

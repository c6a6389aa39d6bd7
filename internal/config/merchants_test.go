package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"billsync/internal/config"
)

// Rules of merchants' names, from the file and from the environment.
func TestMerchantRules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file, variable string
		want           []config.MerchantRule
	}{
		{`[]`, "", nil},
		{`['^ACME (EU|US)\b => Acme $1', "FOO=>Foo & Co"]`, "", []config.MerchantRule{{`^ACME (EU|US)\b`, "Acme $1"}, {"FOO", "Foo & Co"}}},
		{`['(?P<who>\w+) => x => ${who} costs $$1']`, "", []config.MerchantRule{{`(?P<who>\w+) => x`, "${who} costs $$1"}}},
		{`[" 星巴克.*  =>  星巴克 "]`, "", []config.MerchantRule{{"星巴克.*", "星巴克"}}},
		{`["A => B"]`, "^C => D, E => F", []config.MerchantRule{{"^C", "D"}, {"E", "F"}}},
		{`["A => B"]`, `['^C{1,2}, INC => D, "E"', "F => G"]`, []config.MerchantRule{{"^C{1,2}, INC", `D, "E"`}, {"F", "G"}}},
		{`["A => B"]`, "[AB]+ => C, [D] => E [F]", []config.MerchantRule{{"[AB]+", "C"}, {"[D]", "E [F]"}}},
	} {
		o := options()
		if tt.variable != "" {
			o = options("SYNCER_REPORT_MERCHANT_RULES=" + tt.variable)
		}
		c, err := config.Parse("config.toml", []byte("[report]\nmerchant_rules = "+tt.file+"\n"), o)
		if err != nil {
			t.Errorf("%s, %q: %v", tt.file, tt.variable, err)
			continue
		}
		if diff := cmp.Diff(tt.want, c.Report.MerchantRules); diff != "" {
			t.Errorf("%s, %q (-want +got):\n%s", tt.file, tt.variable, diff)
		}
	}
}

// Every rule that is wrong has its own line, among the other mistakes.
func TestMerchantRulesAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	text := `
[report]
timezone = "Nowhere"
merchant_rules = ["A => B", "(", "( => x", "C => $1", "A+ => D", "(A)(B) => ${x}"]
`
	_, err := config.Parse("config.toml", []byte(text), options("SYNCER_LOG_LEVEL=loud"))
	want := `6 mistakes in the configuration:
  config.toml:3:1: report.timezone: "Nowhere" is not allowed; a zone's name such as "Asia/Shanghai", "UTC", or an offset such as "+08:00"
  config.toml:4:1: report.merchant_rules: element 2: "(" is not allowed; a text such as "^ACME (EU|US) => Acme $1": a regular expression, =>, a name
  config.toml:4:1: report.merchant_rules: element 3: "(" is no regular expression: missing closing ) in "("; see https://pkg.go.dev/regexp/syntax
  config.toml:4:1: report.merchant_rules: element 4: the name "$1" uses "$1", but the expression has no groups in parentheses; a dollar itself is $$
  config.toml:4:1: report.merchant_rules: element 6: the name "${x}" uses "${x}", but the expression has 2 groups in parentheses; a dollar itself is $$
  SYNCER_LOG_LEVEL: log.level: "loud" is not allowed; debug, info, warn or error`
	if err == nil || err.Error() != want {
		t.Errorf("Parse says\n%v\nwant\n%s", err, want)
	}
}

func TestMerchantRulesAreNotTooMany(t *testing.T) {
	t.Parallel()
	for n, ok := range map[int]bool{500: true, 501: false} {
		text := fmt.Sprintf("[report]\nmerchant_rules = [%s]\n", strings.Repeat(`"A => B", `, n))
		_, err := config.Parse("config.toml", []byte(text), options())
		if ok != (err == nil) || err != nil && !strings.Contains(err.Error(), "501 rules are too many; a list of at most 500") {
			t.Errorf("%d rules: %v", n, err)
		}
	}
}

// A list in the environment ends where its bracket closes.
func TestListInBrackets(t *testing.T) {
	t.Parallel()
	for variable, want := range map[string]string{
		`["/a,b", '/c']`:       "[/a,b /c]",
		` [ "/a" ] `:           "[/a]",
		`[]`:                   "[]",
		"[\"/a\"]\n[log]":      "",
		"[\"/a\"]\nlevel = 1":  "",
		`["/a"`:                "",
		`[["/a"]]`:             "",
		`["/a", {b = "/c"}]`:   "",
		`[7]`:                  "",
		"[\"/a\"] # a comment": "[/a]",
	} {
		c, err := config.Parse("config.toml", nil, options("SYNCER_WEBHOOK_SIGNED_PATHS="+variable))
		switch {
		case want == "" && err == nil:
			t.Errorf("%q is taken: %q", variable, c.Webhook.SignedPaths)
		case want != "" && err != nil:
			t.Errorf("%q: %v", variable, err)
		case want != "" && fmt.Sprint(c.Webhook.SignedPaths) != want:
			t.Errorf("%q is %q, want %s", variable, c.Webhook.SignedPaths, want)
		}
	}
}

package config

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// merchantRulesTarget is a list of texts such as "^ACME .* => Acme". The last =>
// divides, so that an expression may have one.
type merchantRulesTarget struct{ p *[]MerchantRule }

const maxMerchantRules = 500

var merchantRule = &rule{
	allowed: `a text such as "^ACME (EU|US) => Acme $1": a regular expression, =>, a name`,
	ok:      func(s string) bool { return strings.Contains(s, arrow) },
}

const arrow = "=>"

// set takes all rules or none. The error joins one for each rule that is wrong.
func (t merchantRulesTarget) set(v value) error {
	items, ok := v.list()
	if !ok {
		return fmt.Errorf("%s is no list; %s", v, t.allowed())
	}
	if len(items) > maxMerchantRules {
		return fmt.Errorf("%d rules are too many; %s", len(items), t.allowed())
	}
	var all []MerchantRule
	var wrong []error
	for i, item := range items {
		r, err := parseMerchantRule(item)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("element %d: %w", i+1, err))
			continue
		}
		all = append(all, r)
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	*t.p = all
	return nil
}

func (t merchantRulesTarget) text() string {
	parts := make([]string, len(*t.p))
	for i, r := range *t.p {
		parts[i] = quote(r.Pattern + " " + arrow + " " + r.Name)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (merchantRulesTarget) allowed() string {
	return fmt.Sprintf("a list of at most %d: each %s", maxMerchantRules, merchantRule.allowed)
}

// parseMerchantRule reads one rule and says what is wrong with it.
func parseMerchantRule(v value) (MerchantRule, error) {
	var s string
	if err := (textTarget{&s, merchantRule}).set(v); err != nil {
		return MerchantRule{}, err
	}
	at := strings.LastIndex(s, arrow)
	r := MerchantRule{strings.TrimSpace(s[:at]), strings.TrimSpace(s[at+len(arrow):])}
	if r.Pattern == "" || r.Name == "" {
		return r, fmt.Errorf("%s has nothing on one side of %s; %s", v, arrow, merchantRule.allowed)
	}
	re, err := regexp.Compile(r.Pattern)
	if err != nil {
		return r, fmt.Errorf("%s is no regular expression: %s; see https://pkg.go.dev/regexp/syntax", strconv.Quote(shorten(r.Pattern)), whatIsWrong(err))
	}
	if re.MatchString("") {
		return r, fmt.Errorf("%s matches every name; say what must be there", strconv.Quote(shorten(r.Pattern)))
	}
	return r, checkGroups(r.Name, re)
}

// whatIsWrong is the reason why an expression is none, in one line.
func whatIsWrong(err error) string {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return strconv.Quote(shorten(err.Error()))
	}
	return e.Code.String() + " in " + strconv.Quote(shorten(e.Expr))
}

// groupPattern finds what [regexp.Regexp.Expand] replaces.
var groupPattern = regexp.MustCompile(`\$(?:\$|([\pL\p{Nd}_]+)|\{([\pL\p{Nd}_]+)\})`)

// checkGroups refuses a name with groups that the expression does not have:
// nothing would stand in their place.
func checkGroups(name string, re *regexp.Regexp) error {
	for _, m := range groupPattern.FindAllStringSubmatch(name, -1) {
		group := m[1] + m[2]
		if group == "" {
			continue // $$ is a dollar
		}
		n, err := strconv.Atoi(group)
		if err == nil && n <= re.NumSubexp() || err != nil && re.SubexpIndex(group) > 0 {
			continue
		}
		hint := ""
		if m[1] != "" && err != nil && m[1][0] >= '0' && m[1][0] <= '9' {
			hint = "; write ${1} where letters or digits follow"
		}
		return fmt.Errorf("the name %s uses %s, but the expression has %s%s; a dollar itself is $$",
			strconv.Quote(shorten(name)), strconv.Quote(shorten(m[0])), groups(re.NumSubexp()), hint)
	}
	return nil
}

func groups(n int) string {
	switch n {
	case 0:
		return "no groups in parentheses"
	case 1:
		return "one group in parentheses"
	}
	return fmt.Sprintf("%d groups in parentheses", n)
}

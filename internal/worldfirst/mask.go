package worldfirst

import (
	"encoding/base64"
	"errors"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"billsync/internal/bill"
)

const (
	// minMasked is how long a secret must be, in bytes: a shorter one would be
	// found in words that have nothing to do with it.
	minMasked = 6
	// minBeginning is how much of a secret is taken out although the rest of it is
	// not there: whoever repeated it, or we, may have cut it short.
	minBeginning = 16
)

// A mask takes the secrets that went out with a try out of what came back: a
// provider or a proxy may repeat them. Nil takes out nothing.
type mask struct {
	secrets []string
	forms   []string // in which they may be repeated, the longest first; made at the first use
}

// hide returns a text with *** in place of the secrets.
func (m *mask) hide(text string) string {
	if m == nil || len(text) < minMasked {
		return text
	}
	if m.forms == nil {
		m.forms = formsOf(m.secrets)
	}
	for _, form := range m.forms {
		text = cutOut(text, form)
	}
	return text
}

// hideBody is hide for a body, in which JSON may spell any character by its number.
func (m *mask) hideBody(body []byte) []byte {
	text := string(body)
	if spelt := spelling.ReplaceAllStringFunc(text, func(s string) string {
		n, err := strconv.ParseUint(s[2:], 16, 8)
		if err != nil || n == '"' || n == '\\' {
			return s
		}
		return string(rune(n))
	}); m.hide(spelt) != spelt {
		text = spelt
	}
	return []byte(m.hide(text))
}

// spelling is a visible character of ASCII by its number.
var spelling = regexp.MustCompile(`\\u00[2-7][0-9a-fA-F]`)

// hideFailure takes the secrets out of a failure but for its evidence.
func (m *mask) hideFailure(f *bill.Failure) {
	if _, ours := lookup(f.Code); !ours {
		f.Code = m.hide(f.Code)
	}
	f.Message, f.Advice = m.hide(f.Message), m.hide(f.Advice)
	if f.Err == nil {
		return
	}
	if text := f.Err.Error(); m.hide(text) != text {
		f.Err = errors.New(m.hide(text)) // the errors below it say the same
	}
}

// hideQuoted hides what an error quotes of a body that holds a secret: it is a
// piece of it, and may have been changed where card numbers are taken out.
func (m *mask) hideQuoted(body []byte, err error) error {
	if string(m.hideBody(body)) == string(body) {
		return err
	}
	return errors.New(quotation.ReplaceAllLiteralString(err.Error(), "***"))
}

var quotation = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// formsOf are the ways in which secrets are repeated: as they are, in an address,
// in JSON, in HTML, and within a text that was encoded in base64.
func formsOf(secrets []string) []string {
	forms := []string{}
	for _, s := range secrets {
		if len(s) < minMasked {
			continue
		}
		literal := func(s string) string { return strings.Trim(string(quote([]byte(s))), `"`) }
		forms = append(forms, s, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s),
			literal(s), strings.ReplaceAll(literal(s), "/", `\/`), strconv.Quote(s)[1:len(strconv.Quote(s))-1])
		for before := range 3 { // how many bytes stand before it, of those that share a letter with it
			text := append(make([]byte, before), s...)
			from, to := (before*8+5)/6, len(text)*8/6
			forms = append(forms, base64.RawStdEncoding.EncodeToString(text)[from:to], base64.RawURLEncoding.EncodeToString(text)[from:to])
		}
	}
	slices.SortFunc(forms, func(a, b string) int {
		if d := len(b) - len(a); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(forms)
}

// cutOut replaces a form of a secret in a text, and the beginning of one where the
// text was cut.
func cutOut(text, form string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, form[:minMasked])
		if i < 0 {
			break
		}
		n := minMasked
		for n < len(form) && i+n < len(text) && text[i+n] == form[n] {
			n++
		}
		rest := text[i+n:]
		if n == len(form) || n >= minBeginning || rest == "" || strings.HasPrefix(rest, "…") {
			b.WriteString(text[:i] + "***")
			text = rest
			continue
		}
		b.WriteString(text[:i+1])
		text = text[i+1:]
	}
	if b.Len() == 0 {
		return text
	}
	return b.String() + text
}

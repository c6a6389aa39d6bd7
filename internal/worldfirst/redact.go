package worldfirst

import (
	"bytes"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// A redactor takes the values of an object out of the provider's words about it,
// which may repeat a name or a date. Its zero value takes out nothing.
type redactor struct{ values [][]rune } // in small letters

// newRedactor takes an object with identity data.
func newRedactor(object []byte) redactor {
	var v any
	dec := json.NewDecoder(bytes.NewReader(object))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return redactor{}
	}
	var r redactor
	r.gather(v)
	return r
}

// gather takes in the texts and numbers of a value, whole and word by word.
func (r *redactor) gather(v any) {
	switch v := v.(type) {
	case string:
		words := strings.Fields(v)
		r.add(strings.Join(words, " ")) // as oneLine leaves it
		if len(words) > 1 {
			for _, w := range words {
				r.add(w)
			}
		}
	case json.Number:
		r.add(v.String())
	case []any:
		for _, x := range v {
			r.gather(x)
		}
	case map[string]any:
		for _, x := range v {
			r.gather(x)
		}
	}
}

// add leaves out one or two Latin letters, such as a country or a sex: they say
// nothing by themselves, and would be found in every sentence.
func (r *redactor) add(text string) {
	small := lower(text)
	if len(small) < 2 || len(small) == 2 && len(text) == 2 {
		return
	}
	r.values = append(r.values, small[:min(len(small), maxMessage)])
}

// lower writes a text in small letters, as many as there were.
func lower(text string) []rune {
	runes := []rune(text)
	for i, c := range runes {
		runes[i] = unicode.ToLower(c)
	}
	return runes
}

// withheldWords stand for words that repeat a value in another spelling.
const withheldWords = "(words that repeat the content were left out)"

// redact returns what of the provider's words may be kept. Words that repeat a
// value as it is written in JSON, HTML or an address are left out altogether.
func (r redactor) redact(text string) string {
	for _, plain := range spellings(text) {
		if plain != text && r.replace(plain) != plain {
			return withheldWords
		}
	}
	return r.replace(text)
}

// spellings returns what a text says if it was written for JSON, HTML or an
// address.
func spellings(text string) []string {
	all := []string{html.UnescapeString(text)}
	var said string
	if json.Unmarshal([]byte(`"`+strings.ReplaceAll(strings.ReplaceAll(text, `\"`, `"`), `"`, `\"`)+`"`), &said) == nil {
		all = append(all, said)
	}
	if said, err := url.QueryUnescape(text); err == nil {
		all = append(all, said)
	}
	return all
}

// replace takes out values as they are.
func (r redactor) replace(text string) string {
	words, small := []rune(text), lower(text)
	hidden := make([]bool, len(words))
	for _, v := range r.values {
		for i := range small {
			// Words that were cut short may end within a value.
			n := min(len(v), len(small)-i)
			whole := n == len(v) || n > 3 && small[len(small)-1] == '…'
			if n < len(v) && whole {
				n--
			}
			if whole && slices.Equal(small[i:i+n], v[:n]) {
				for j := i; j < i+n; j++ {
					hidden[j] = true
				}
			}
		}
	}
	var b strings.Builder
	for i, c := range words {
		switch {
		case !hidden[i]:
			b.WriteRune(c)
		case i == 0 || !hidden[i-1]:
			b.WriteString("***")
		}
	}
	return b.String()
}

package config

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// A form is how a value was written.
type form int

const (
	formText form = iota
	formWhole
	formDecimal
	formBool
	formDate
	formList
	formOther // a time, a table: nothing we have a key for
	formEnv   // text from the environment or the command line
)

// A value is what was written for a key, not yet understood.
type value struct {
	form  form
	text  string
	items []value // of a formList
}

// String renders the value for a message: in one line, and not too long.
func (v value) String() string {
	s := v.text
	switch v.form {
	case formText, formEnv:
		s = strconv.Quote(shorten(v.text))
	case formList:
		parts := make([]string, len(v.items))
		for i, item := range v.items {
			parts[i] = item.String()
		}
		s = "[" + strings.Join(parts, ", ") + "]"
	}
	return shorten(s)
}

// shorten cuts what would make a message unreadable.
func shorten(s string) string { return cut(s, 60) }

func cut(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit]) + "…"
}

// words returns the value as text, if text it is.
func (v value) words() (string, bool) {
	return v.text, v.form == formText || v.form == formEnv
}

// list returns the elements of a list. In the environment it is written as in the
// file, in brackets, or simply with commas between elements that have none.
func (v value) list() ([]value, bool) {
	if v.form == formEnv {
		if items, ok := bracketed(v.text); ok {
			return items, true
		}
		if strings.TrimSpace(v.text) == "" {
			return nil, true
		}
		var items []value
		for s := range strings.SplitSeq(v.text, ",") {
			items = append(items, value{form: formEnv, text: strings.TrimSpace(s)})
		}
		return items, true
	}
	return v.items, v.form == formList
}

// bracketed reads a text that is a list in TOML.
func bracketed(text string) ([]value, bool) {
	if !strings.HasPrefix(strings.TrimSpace(text), "[") {
		return nil, false
	}
	// The parser alone would take what comes behind the list for more lines.
	data := []byte("x = " + text)
	var said map[string]any
	if toml.Unmarshal(data, &said) != nil || len(said) != 1 {
		return nil, false
	}
	var p unstable.Parser
	p.Reset(data)
	if !p.NextExpression() {
		return nil, false
	}
	v := valueOf(p.Expression().Value())
	return v.items, v.form == formList
}

// valueOf copies a value out of the parser, whose memory is reused.
func valueOf(n *unstable.Node) value {
	v := value{text: string(n.Data)}
	switch n.Kind {
	case unstable.String:
		v.form = formText
	case unstable.Integer:
		v.form = formWhole
	case unstable.Float:
		v.form = formDecimal
	case unstable.Bool:
		v.form = formBool
	case unstable.LocalDate:
		v.form = formDate
	case unstable.Array:
		v.form = formList
		for it := n.Children(); it.Next(); {
			if item := it.Node(); item.Kind != unstable.Comment {
				v.items = append(v.items, valueOf(item))
			}
		}
	case unstable.InlineTable:
		v.form, v.text = formOther, "a table"
	default:
		v.form = formOther
	}
	return v
}

// literal reads a value written in this package, such as a default.
func literal(text string) value {
	var p unstable.Parser
	p.Reset([]byte("x = " + text))
	if !p.NextExpression() {
		panic("config: bad literal " + text)
	}
	return valueOf(p.Expression().Value())
}

package reconcile

import (
	"slices"
	"strings"
)

// keyLength is how long the key is that the ids of a bill's postings begin with; see
// books.Key.
const keyLength = 26

// shortest is how long a number must be to name an order or a bill.
const shortest = 6

// Tokens are the words of a line's texts by which it may name an order, a bill or a
// line of the books: numbers of some length, and the first text, its reference, as a
// whole.
func Tokens(reference string, texts ...string) []string {
	var t tokens
	t.keep(strings.TrimSpace(reference))
	t.words(reference)
	for _, text := range texts {
		t.words(text)
	}
	return t.list
}

// tokens are texts, each once.
type tokens struct {
	list []string
	seen map[string]bool // of many
}

// words keeps the words of a text.
func (t *tokens) words(text string) {
	for i := 0; i < len(text); i++ {
		from := i
		for i < len(text) && ofWord(text[i]) {
			i++
		}
		if i > from {
			t.keep(strings.Trim(text[from:i], "-_"))
		}
	}
}

func ofWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_'
}

// keep keeps a text if it may name something.
func (t *tokens) keep(s string) {
	if len(s) < shortest || t.has(s) {
		return
	}
	if !strings.ContainsAny(s, "0123456789") {
		if key, _ := Key(s); key == "" {
			return
		}
	}
	t.list = append(t.list, s)
	if t.seen != nil {
		t.seen[s] = true
	}
}

func (t *tokens) has(s string) bool {
	const few = 20
	if len(t.list) < few {
		return slices.Contains(t.list, s)
	}
	if t.seen == nil {
		t.seen = map[string]bool{}
		for _, x := range t.list {
			t.seen[x] = true
		}
	}
	return t.seen[s]
}

// Key takes the id of a line of the books apart: the key of its bill, and the whole
// id if the text is more than the key. Both are empty if the text is no such id.
func Key(text string) (key, whole string) {
	if len(text) < keyLength {
		return "", ""
	}
	text = strings.ToUpper(text) // which may be shorter
	if len(text) < keyLength || strings.Trim(text[:keyLength], "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return "", ""
	}
	key, rest := text[:keyLength], text[keyLength:]
	switch {
	case rest == "":
		return key, ""
	case len(rest) >= 3 && rest[0] == '-' && strings.ContainsRune("RXA", rune(rest[1])) && strings.Trim(rest[2:], "0123456789") == "":
		return key, text
	}
	return "", ""
}

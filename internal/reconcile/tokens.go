package reconcile

import "strings"

// keyLength is how long the key is that the ids of a bill's postings begin with; see
// books.Key.
const keyLength = 26

// shortest is how long a number must be to name an order or a bill.
const shortest = 6

// Tokens are the words of a line's texts by which it may name an order, a bill or a
// line of the books: numbers of some length, and the first text, its reference, as a
// whole.
func Tokens(reference string, texts ...string) []string {
	var out []string
	seen := map[string]bool{}
	keep := func(s string) {
		if len(s) >= shortest && strings.ContainsAny(s, "0123456789") && !seen[s] {
			seen[s] = true
			out = append(out, s)
		} else if key, _ := Key(s); key != "" && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	keep(strings.TrimSpace(reference))
	for _, text := range append([]string{reference}, texts...) {
		for _, word := range strings.FieldsFunc(text, func(r rune) bool {
			return !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '-' || r == '_')
		}) {
			keep(strings.Trim(word, "-_"))
		}
	}
	return out
}

// Key takes the id of a line of the books apart: the key of its bill, and the whole
// id if the text is more than the key. Both are empty if the text is no such id.
func Key(text string) (key, whole string) {
	text = strings.ToUpper(text)
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

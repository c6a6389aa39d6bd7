package merchant

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// tidy writes a name in one of the ways in which Unicode can write it, without
// what cannot be seen, with single blanks; and says which of the rules idForms and
// idBlanks that was.
func tidy(text string) (string, []string) {
	if isTidy(text) {
		return text, nil
	}
	var changes []string
	if folded := fold(text); folded != text {
		text, changes = folded, append(changes, idForms)
	}
	if single := strings.Join(strings.FieldsFunc(text, isBlank), " "); single != text {
		text, changes = single, append(changes, idBlanks)
	}
	return text, changes
}

// isTidy reports whether tidy would change nothing; most names are tidy.
func isTidy(text string) bool {
	blank, ascii := true, true
	for _, r := range text {
		switch {
		case r == ' ':
			if blank {
				return false
			}
		case r >= utf8.RuneSelf:
			if r == utf8.RuneError || isBlank(r) || isDropped(r) {
				return false
			}
			ascii = false
		case isBlank(r):
			return false
		}
		blank = r == ' '
	}
	return !blank && (ascii || norm.NFKC.IsNormalString(text))
}

func isBlank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// isDropped holds for marks that only some write: trade marks, of which NFKC would
// make letters, and signs for line breaks and the direction of writing.
func isDropped(r rune) bool {
	switch r {
	case '™', '®', '©', '℠', '\u00ad', '\ufeff':
		return true
	}
	return r >= '\u200b' && r <= '\u200f' || r >= '\u202a' && r <= '\u202e' || r >= '\u2060' && r <= '\u2069'
}

// fold brings full-width and half-width letters, ligatures and composed accents
// into one form (Unicode's NFKC), and drops what isDropped.
func fold(text string) string {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	text = strings.Map(func(r rune) rune {
		if isDropped(r) {
			return -1
		}
		return r
	}, text)
	return norm.NFKC.String(text)
}

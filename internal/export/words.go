package export

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"billsync/internal/bill"
)

// Clean is a text in one line that every format can hold: without control
// characters, what steers the direction of writing, and ends of lines; blanks are
// single ones. It has at most limit characters; 0 is no limit.
func Clean(s string, limit int) string {
	if isClean(s, limit) {
		return s
	}
	var b strings.Builder
	gap := false
	n := 0
	for _, r := range strings.ToValidUTF8(s, "\ufffd") {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), r == '\u2028', r == '\u2029':
			gap = true
			continue
		case unicode.Is(unicode.Cf, r), r&0xfffe == 0xfffe, unicode.Is(unicode.Co, r), r >= 0xfdd0 && r <= 0xfdef:
			continue // shows nothing, or is no character
		}
		room := 1
		if gap && n > 0 {
			room = 2
		}
		if limit > 0 && n+room > limit {
			break
		}
		if room == 2 {
			b.WriteByte(' ')
		}
		gap = false
		b.WriteRune(r)
		n += room
	}
	return b.String()
}

// isClean tells most texts that Clean leaves as they are from others, at little cost.
func isClean(s string, limit int) bool {
	if limit > 0 && len(s) > limit {
		return false
	}
	last := byte(' ')
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c >= 0x7f || c == ' ' && last == ' ' {
			return false
		}
		last = c
	}
	return last != ' ' || s == ""
}

// ASCII is a text in ASCII: letters lose their accents, and what has no place in it
// becomes a question mark.
func ASCII(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r):
		case plainLetters[r] != "":
			b.WriteString(plainLetters[r])
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}

// plainLetters are letters and signs that Unicode does not take apart.
var plainLetters = map[rune]string{
	'ß': "ss", 'æ': "ae", 'Æ': "AE", 'œ': "oe", 'Œ': "OE", 'ø': "o", 'Ø': "O", 'ł': "l", 'Ł': "L", 'đ': "d", 'Đ': "D", 'ð': "d", 'þ': "th", 'ı': "i",
	'‘': "'", '’': "'", '“': `"`, '”': `"`, '–': "-", '—': "-", '·': "-", '€': "EUR", '£': "GBP",
}

// noMerchant stands where a name is required and the bill has none.
const noMerchant = "World Card"

// payee is the merchant's name.
func (l *Line) payee(limit int) string {
	if name := Clean(l.Merchant, limit); name != "" {
		return name
	}
	return noMerchant
}

// word is what the line is, where it is no spend.
func (l *Line) word() string {
	switch l.Kind {
	case "return":
		return "Refund"
	case "reversal":
		return "Reversal"
	case "adjustment":
		return "Adjustment"
	}
	return ""
}

// card is the card in words.
func (l *Line) card() string {
	if last := Clean(l.CardLast4, 8); last != "" {
		return "World Card " + last
	}
	return "World Card"
}

// about says in words what the line is about.
func (l *Line) about() []string {
	var parts []string
	if w := l.word(); w != "" {
		parts = append(parts, w)
	}
	parts = append(parts, l.card())
	if l.Trade != nil {
		parts = append(parts, l.Trade.String())
	}
	if l.Effect != l.Date {
		parts = append(parts, "of "+l.Effect)
	}
	return parts
}

// iso is a currency as ISO 4217 has it. CNH, the yuan outside of China, is not in
// it.
func iso(currency string) string {
	if currency == "CNH" {
		return "CNY"
	}
	return currency
}

// noteISO says that a currency has another name in the file.
func noteISO(currency string) string {
	if other := iso(currency); other != currency {
		return currency + " written as " + other
	}
	return ""
}

// positive is an amount without its sign.
func positive(a bill.Amount) string { return strings.TrimPrefix(a.Decimal(), "-") }

// bill is what the ids of all lines of a bill begin with.
func (l *Line) bill() string {
	key, _, _ := strings.Cut(l.ID, "-")
	return key
}

// id is what identifies the account of a statement, in limit characters: another
// one for another account, currency or card, and always the same one.
func (s *Statement) id(limit int) string {
	text := s.Account + "-" + s.Currency
	if s.Card != "" {
		text += "-" + s.Card
	}
	return short(text, limit)
}

// short is a text that is too long with a part of its hash at the end.
func short(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	const digits = 8
	return text[:limit-digits-1] + "-" + base32.StdEncoding.EncodeToString(sum[:])[:digits]
}

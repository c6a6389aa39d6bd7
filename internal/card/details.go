// Package card is the vocabulary of cards: their secret details, and the
// people who hold them (API §7).
package card

import (
	"bytes"

	"billsync/internal/secret"
)

// Details are what queryCardSensitiveInfo tells of a card (API §7.3). Wipe them
// when they were shown. A secret that the answer did not have is empty.
type Details struct {
	AssetID   string      // as echoed by the answer
	AccountID string      // of the account the card belongs to; may be absent
	Number    secret.Text // 12 to 19 digits, or something opaque
	CVV       secret.Text // 3 or 4 digits, or something opaque
	Month     secret.Text // as received: 1 to 12, with or without a leading zero
	Year      secret.Text // as received: the last two digits
}

// Wipe overwrites what is secret.
func (d *Details) Wipe() {
	for _, s := range []secret.Text{d.Number, d.CVV, d.Month, d.Year} {
		s.Wipe()
	}
}

// Understand brings the expiry into one form, 07 and 2029. It returns the names
// of the fields that the answer did not have, and of those that are opaque:
// something else than the documents say, and left as received. Nothing is judged
// by a check digit: sister documents call number and CVV encrypted (API §7.3).
func (d *Details) Understand() (missing, opaque []string) {
	for _, f := range []struct {
		name string
		text *secret.Text
		read func(text []byte) (form []byte, ok bool)
	}{
		{"cardNo", &d.Number, func(text []byte) ([]byte, bool) { return nil, isDigits(text, 12, 19) }},
		{"cvv", &d.CVV, func(text []byte) ([]byte, bool) { return nil, isDigits(text, 3, 4) }},
		{"expiredMonth", &d.Month, month},
		{"expiredYear", &d.Year, year},
	} {
		if f.text.Empty() {
			missing = append(missing, f.name)
			continue
		}
		form, ok := f.read(f.text.Reveal())
		switch {
		case !ok:
			opaque = append(opaque, f.name)
		case form != nil:
			f.text.Wipe()
			*f.text = secret.New(form)
			clear(form)
		}
	}
	return missing, opaque
}

// LastFour returns the last four digits of the number, which are no secret (bills
// show them); empty if it is none.
func (d *Details) LastFour() string {
	n := d.Number.Reveal()
	if !isDigits(n, 12, 19) {
		return ""
	}
	return string(n[len(n)-4:])
}

// month reads 1 to 12, with or without a leading zero, into two digits.
func month(text []byte) ([]byte, bool) {
	form, ok := twoDigits(text)
	return form, ok && bytes.Compare(form, []byte("01")) >= 0 && bytes.Compare(form, []byte("12")) <= 0
}

// year reads the last two digits of a year from 2000 to 2099 into all four. Of
// one sent as a number the leading zero is missing.
func year(text []byte) ([]byte, bool) {
	form, ok := twoDigits(text)
	return append([]byte("20"), form...), ok
}

func twoDigits(text []byte) ([]byte, bool) {
	switch {
	case isDigits(text, 2, 2):
		return bytes.Clone(text), true
	case isDigits(text, 1, 1):
		return []byte{'0', text[0]}, true
	}
	return nil, false
}

// isDigits reports whether a text is so many ASCII digits and nothing else.
func isDigits(text []byte, least, most int) bool {
	if len(text) < least || len(text) > most {
		return false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"billsync/internal/app"
	"billsync/internal/secret"
)

// The texts with details of a card are made in one place in memory, which is large
// enough from the start and overwritten once it is written out: growing it, or
// making it with fmt or encoding/json, would leave copies.

// room returns an empty text with room for a card's details and what is said of
// them. A character becomes six bytes at most for each one it has.
func room(c *app.Card, words int) []byte {
	size := words
	for _, s := range []secret.Text{c.Number, c.CVV, c.Month, c.Year} {
		size += 6*len(s.Reveal()) + 64
	}
	return make([]byte, 0, size)
}

// cardText is a card for people.
func cardText(c *app.Card, reveal bool) []byte {
	account := printable(c.AccountID)
	switch {
	case c.AccountID == "":
		account = "not in the answer"
	case c.Connected == "":
		account += "  (not compared: no connected_account_id is configured)"
	default:
		account += "  (as configured)"
	}
	head := fmt.Sprintf("card        %s\naccount     %s\naccount id  %s\n", c.AssetID, c.Account, account)
	b := append(room(c, len(head)+256), head...)
	b = append(b, "number      "...)
	b = appendShown(b, c.Number, reveal, maskedNumber(c))
	b = append(b, "\nCVV         "...)
	b = appendShown(b, c.CVV, reveal, "***")
	b = append(b, "\nexpires     "...)
	if c.Month.Empty() && c.Year.Empty() {
		b = append(b, absent...)
	} else {
		b = appendShown(b, c.Month, reveal, "**")
		b = append(b, '/')
		b = appendShown(b, c.Year, reveal, "**")
	}
	return append(b, '\n')
}

const absent = "not in the answer"

// maskedNumber is all of a card's number that is no secret.
func maskedNumber(c *app.Card) string {
	four := c.LastFour()
	if four == "" {
		return "***"
	}
	return strings.Repeat("*", len(c.Number.Reveal())-len(four)) + four
}

// appendShown appends a secret for a terminal, or its mask.
func appendShown(b []byte, s secret.Text, reveal bool, mask string) []byte {
	switch {
	case s.Empty():
		return append(b, absent...)
	case !reveal:
		return append(b, mask...)
	}
	for text := s.Reveal(); len(text) > 0; {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		if !unicode.IsPrint(r) { // also what turns the direction of writing
			r = utf8.RuneError
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

// cardJSON is a card for programs, with how it ended.
func cardJSON(c *app.Card, reveal bool, failure error) []byte {
	doc := struct {
		Type      string     `json:"type"`
		Account   string     `json:"account"`
		AssetID   string     `json:"asset_id"`
		AccountID *string    `json:"account_id"` // null: not in the answer
		Compared  bool       `json:"account_id_compared"`
		Bills     *int       `json:"stored_bills"` // of the account; null: cannot be said
		Elsewhere []string   `json:"stored_bills_of"`
		Missing   []string   `json:"missing"`
		Opaque    []string   `json:"not_as_documented"`
		Error     *errorJSON `json:"error,omitempty"`
		Revealed  bool       `json:"revealed"`
	}{Type: "card", Account: c.Account, AssetID: c.AssetID, Elsewhere: orNone(c.Elsewhere), Missing: orNone(c.Missing), Opaque: orNone(c.Opaque), Revealed: reveal}
	if c.AccountID != "" {
		doc.AccountID, doc.Compared = &c.AccountID, c.Connected != ""
	}
	if c.NoBooks == "" {
		doc.Bills = &c.Bills
	}
	doc.Error = errorOf(failure)
	head, err := json.Marshal(doc)
	if err != nil {
		panic(err) // it is made of texts and numbers
	}
	b := append(room(c, len(head)+256), head[:len(head)-1]...)
	for _, f := range []struct {
		name, mask string
		text       secret.Text
	}{
		{"card_no", maskedNumber(c), c.Number}, {"cvv", "***", c.CVV}, {"expired_month", "**", c.Month}, {"expired_year", "**", c.Year},
	} {
		b = append(append(append(b, `,"`...), f.name...), `":`...)
		switch {
		case f.text.Empty():
			b = append(b, "null"...)
		case !reveal:
			b = append(append(append(b, '"'), f.mask...), '"')
		default:
			b = appendQuoted(b, f.text.Reveal())
		}
	}
	return append(b, "}\n"...)
}

// orNone makes an empty list of none.
func orNone(texts []string) []string { return append([]string{}, texts...) }

// appendQuoted appends a text as JSON, with escapes for all that is not printed.
func appendQuoted(b, text []byte) []byte {
	const hex = "0123456789abcdef"
	escape := func(u rune) {
		b = append(b, '\\', 'u', hex[u>>12&15], hex[u>>8&15], hex[u>>4&15], hex[u&15])
	}
	b = append(b, '"')
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escape(high)
			escape(low)
		default:
			escape(r)
		}
	}
	return append(b, '"')
}

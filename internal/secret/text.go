// Package secret holds texts that must not be seen by accident: card numbers,
// CVVs, tokens.
package secret

import "fmt"

// A Text prints as a placeholder in every way there is, JSON included. Reveal
// gives the text itself, Wipe overwrites it.
//
// It is kept in a function because fmt looks into fields that are not exported
// without asking: there it finds an address.
type Text struct{ text func() []byte }

// placeholder is what a Text prints as.
const placeholder = "***"

// New takes a copy of text.
func New(text []byte) Text {
	own := append([]byte(nil), text...)
	return Text{func() []byte { return own }}
}

// Reveal returns the text itself, to be used until Wipe and not to be kept.
func (t Text) Reveal() []byte {
	if t.text == nil {
		return nil
	}
	return t.text()
}

// Empty reports whether there is no text.
func (t Text) Empty() bool { return len(t.Reveal()) == 0 }

// Wipe overwrites the text. Copies that were made of it stay.
func (t Text) Wipe() { clear(t.Reveal()) }

func (Text) String() string               { return placeholder }
func (Text) GoString() string             { return placeholder }
func (Text) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(placeholder)) }
func (Text) MarshalJSON() ([]byte, error) { return []byte(`"` + placeholder + `"`), nil }
func (Text) MarshalText() ([]byte, error) { return []byte(placeholder), nil }

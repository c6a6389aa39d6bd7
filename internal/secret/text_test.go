package secret_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"billsync/internal/secret"
)

func TestTextIsNeverPrinted(t *testing.T) {
	t.Parallel()
	type holder struct {
		Number  secret.Text
		Pointer *secret.Text
		list    []secret.Text
	}
	s := secret.New([]byte("5555555555554444"))
	h := holder{s, &s, []secret.Text{s}}
	asJSON, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	asKey, err := json.Marshal(map[string]any{"x": h})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{string(asJSON), string(asKey), s.String(), s.GoString()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%c", "%U", "%p", "%20v"} {
		texts = append(texts, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, h), fmt.Sprintf(verb, []any{s, h}))
	}
	for _, text := range texts {
		for _, leak := range []string{"5555", "4444", "35353535", "[53 53", "53, 53"} {
			if strings.Contains(text, leak) {
				t.Errorf("printed as %q", text)
			}
		}
	}
}

func TestWipe(t *testing.T) {
	t.Parallel()
	source := []byte("123")
	s := secret.New(source)
	source[0] = 'x'
	if got := string(s.Reveal()); got != "123" {
		t.Errorf("Reveal() = %q, want a copy of what was given", got)
	}
	s.Wipe()
	if got := s.Reveal(); string(got) != "\x00\x00\x00" || s.Empty() {
		t.Errorf("after Wipe: %q, Empty() = %v", got, s.Empty())
	}
	if !(secret.Text{}).Empty() {
		t.Error("a Text without text is not Empty")
	}
}

package token

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"billsync/internal/secret"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func grant(access, refresh string, ends, refreshEnds time.Time) Grant {
	return Grant{Access: secret.New([]byte(access)), ExpiresAt: ends, Refresh: secret.New([]byte(refresh)), RefreshExpiresAt: refreshEnds}
}

// equal compares what is kept, the texts included.
func equal(a, b Stored) bool {
	x, errX := a.Encode()
	y, errY := b.Encode()
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		access     string // empty: an error
		refresh    string
		err        error
	}{
		{"bare", "TOKEN-1", "TOKEN-1", "", nil},
		{"bare with blanks around", "\ufeff \tTOKEN-1\r\n\n", "TOKEN-1", "", nil},
		{"bare with signs", "aA0-._~+/=:;,'\"[]", "aA0-._~+/=:;,'\"[]", "", nil},
		{"nothing", "", "", "", ErrEmpty},
		{"blanks", " \r\n\t", "", "", ErrEmpty},
		{"two lines", "TOKEN-1\nTOKEN-2", "", "", errLines},
		{"two words", "Bearer TOKEN-1", "", "", errLines},
		{"a control character", "TOKEN\x00", "", "", errLines},
		{"not ASCII", "TÖKEN", "", "", errLines},
		{"too large", strings.Repeat("x", maxFile+1), "", "", errTooLarge},
		{"ours", `{"access_token":"A","expires_at":"2026-12-21T12:00:00Z","refresh_token":"R"}`, "A", "R", nil},
		{"ours with a room behind", `{"access_token":"A"}` + strings.Repeat(" ", 100), "A", "", nil},
		{"nulls", `{"access_token":"A","expires_at":null,"refresh_token":null,"obtained_at":null}`, "A", "", nil},
		{"a later version's fields", `{"access_token":"A","new":{"x":[1]},"refresh_token":"R"}`, "A", "R", nil},
		{"an offset", `{"access_token":"A","expires_at":"2026-12-21T20:00:00+08:00"}`, "A", "", nil},
		{"half", `{"access_token":"A","refresh_tok`, "", "", errForm},
		{"something behind", `{"access_token":"A"}{}`, "", "", errForm},
		{"a number", `{"access_token":7}`, "", "", errForm},
		{"no time", `{"access_token":"A","expires_at":"soon"}`, "", "", errForm},
		{"the API's answer", `{"accessToken":"A"}`, "", "", errNoAccess},
		{"empty", `{"access_token":""}`, "", "", errNoAccess},
		{"a line feed in it", `{"access_token":"A\n"}`, "", "", errNoAccess},
		{"below none", `{"access_token":"A","refresh_attempts":-1}`, "", "", errAttempts},
	} {
		s, err := Parse([]byte(tt.text))
		if !errors.Is(err, tt.err) || string(s.Access.Reveal()) != tt.access || string(s.Refresh.Reveal()) != tt.refresh {
			t.Errorf("%s: Parse = %q %q, %v, want %q %q, %v", tt.name, s.Access.Reveal(), s.Refresh.Reveal(), err, tt.access, tt.refresh, tt.err)
		}
		if tt.name == "ours" || tt.name == "an offset" {
			if want := time.Date(2026, 12, 21, 12, 0, 0, 0, time.UTC); s.ExpiresAt != want {
				t.Errorf("%s: expires %v, want %v", tt.name, s.ExpiresAt, want)
			}
		}
	}
}

// FuzzParse: whatever is read is written and read again as the same, and what is
// wrong is told without a word of the text.
func FuzzParse(f *testing.F) {
	whole, err := Refreshable().Encode()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"TOKEN-1", "", "{", "a b", `{"access_token":"A","expires_at":null}`, string(whole), string(whole[:40]),
		`{"access_token":"A","expires_at":"9999-12-31T23:59:59-23:59"}`, `{"access_token":"A","obtained_at":"0001-01-01T00:00:00+23:59"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		s, err := Parse(text)
		if !bytes.Equal(before, text) {
			t.Fatalf("Parse changed the text %q", before)
		}
		if err != nil {
			if !errors.Is(err, ErrEmpty) && !errors.Is(err, errTooLarge) && !errors.Is(err, errLines) && !errors.Is(err, errForm) && !errors.Is(err, errNoAccess) && !errors.Is(err, errAttempts) {
				t.Errorf("Parse(%q) = %v, an error with words of others", text, err)
			}
			return
		}
		if !Plain(s.Access.Reveal()) {
			t.Fatalf("Parse(%q) gives an access token that no header carries", text)
		}
		s.DueAt()
		encoded, err := s.Encode()
		if err != nil {
			t.Fatalf("Parse(%q), then Encode: %v", text, err)
		}
		again, err := Parse(encoded)
		if err != nil || !equal(s, again) || !again.Same(string(s.Access.Reveal())) || !bytes.Equal(s.Refresh.Reveal(), again.Refresh.Reveal()) {
			t.Fatalf("Parse(%q), then Encode and Parse: %v, %s", text, err, encoded)
		}
	})
}

// Refreshable is what a file holds after a grant.
func Refreshable() Stored {
	return Granted(grant("ACCESS-1", "REFRESH-1", noon.Add(30*day), noon.Add(180*day)), noon)
}

func TestRefreshed(t *testing.T) {
	t.Parallel()
	s := Refreshable()
	s.Attempts, s.NextAttemptAt = 3, noon.Add(time.Hour)
	later := noon.Add(27 * day)
	for _, tt := range []struct {
		name    string
		g       Grant
		refresh string
		ends    time.Time
		since   time.Time
	}{
		{"a new refresh token", grant("A2", "R2", later.Add(30*day), later.Add(180*day)), "R2", later.Add(180 * day), later},
		{"a new one without an end", grant("A2", "R2", later.Add(30*day), time.Time{}), "R2", time.Time{}, later},
		{"none", grant("A2", "", later.Add(30*day), time.Time{}), "REFRESH-1", noon.Add(180 * day), noon},
		{"the same", grant("A2", "REFRESH-1", later.Add(30*day), noon.Add(180*day)), "REFRESH-1", noon.Add(180 * day), noon},
		{"the same, told when it ends", grant("A2", "REFRESH-1", later.Add(30*day), later.Add(180*day)), "REFRESH-1", later.Add(180 * day), noon},
	} {
		got := s.Refreshed(tt.g, later)
		if !got.Same("A2") || string(got.Refresh.Reveal()) != tt.refresh || !got.RefreshExpiresAt.Equal(tt.ends) ||
			!got.RefreshObtainedAt.Equal(tt.since) || !got.ObtainedAt.Equal(later) || got.Attempts != 0 || !got.NextAttemptAt.IsZero() {
			t.Errorf("%s: %+v, refresh token %q", tt.name, got, got.Refresh.Reveal())
		}
	}
	// A new grant may be another customer's: nothing of the old one stays.
	if got := Granted(grant("A2", "", later.Add(30*day), time.Time{}), later); !got.Refresh.Empty() || got.Refreshable(later) {
		t.Errorf("a grant without a refresh token can be refreshed")
	}
}

func TestDueAt(t *testing.T) {
	t.Parallel()
	never := time.Time{}
	for _, tt := range []struct {
		name string
		s    Stored
		want time.Time
	}{
		{"a month", Refreshable(), noon.Add(27 * day)},
		{"an hour", Granted(grant("A", "R", noon.Add(time.Hour), never), noon), noon.Add(54 * time.Minute)},
		{"a year", Granted(grant("A", "R", noon.Add(365*day), never), noon), noon.Add(362 * day)},
		{"no refresh token", Granted(grant("A", "", noon.Add(30*day), never), noon), never},
		{"no end told", Granted(grant("A", "R", never, never), noon), noon.Add(27 * day)},
		{"bare", Stored{Grant: grant("A", "", never, never)}, never},
		{"by hand", Stored{Grant: grant("A", "R", noon.Add(30*day), never)}, noon.Add(27 * day)},
		{"by hand, nothing told", Stored{Grant: grant("A", "R", never, never)}, never},
		{"ended before it was given", Granted(grant("A", "R", noon.Add(-time.Hour), never), noon), noon.Add(-time.Hour - 3*day)},
		{"the refresh token ends first", Granted(grant("A", "R", noon.Add(30*day), noon.Add(10*day)), noon), noon.Add(9 * day)},
		{"and did not change by a refresh", Granted(grant("A", "R", noon.Add(30*day), noon.Add(10*day)), noon).
			Refreshed(grant("A2", "R", noon.Add(39*day), noon.Add(10*day)), noon.Add(9*day)), noon.Add(36 * day)},
	} {
		if got := tt.s.DueAt(); !got.Equal(tt.want) {
			t.Errorf("%s: due %v, want %v", tt.name, got, tt.want)
		}
	}
	s := Refreshable()
	if s.Ended(noon.Add(30*day-1)) || !s.Ended(noon.Add(30*day)) || s.RefreshEnded(noon.Add(180*day-1)) || !s.RefreshEnded(noon.Add(180*day)) ||
		!s.Refreshable(noon.Add(180*day-1)) || s.Refreshable(noon.Add(180*day)) {
		t.Errorf("tokens do not end when they end")
	}
}

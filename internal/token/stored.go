package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"billsync/internal/secret"
)

const (
	// lead is how long before its end a token is renewed (API §11); one that
	// lives less than ten times as long is renewed in the last tenth of its life.
	lead = 3 * 24 * time.Hour
	// life is how long an access token lives by the documents (API §11), used
	// where an answer does not say when it ends.
	life = 30 * 24 * time.Hour
)

// A Stored is what a token file holds.
type Stored struct {
	Grant
	ObtainedAt        time.Time // when the access token was given; zero: a bare token
	RefreshObtainedAt time.Time // when the refresh token was given

	// An outcome that is not known is asked again on the API's schedule, also by
	// the next process.
	Attempts      int       // refreshes in a row whose outcome is unknown
	NextAttemptAt time.Time // no refresh before; zero: none is put off
}

// A file is the form in which this program keeps tokens.
type file struct {
	Access            string     `json:"access_token"`
	ExpiresAt         *time.Time `json:"expires_at"`
	Refresh           string     `json:"refresh_token,omitempty"`
	RefreshExpiresAt  *time.Time `json:"refresh_expires_at,omitempty"`
	ObtainedAt        *time.Time `json:"obtained_at,omitempty"`
	RefreshObtainedAt *time.Time `json:"refresh_obtained_at,omitempty"`
	Attempts          int        `json:"refresh_attempts,omitempty"`
	NextAttemptAt     *time.Time `json:"next_refresh_at,omitempty"`
}

// maxFile bounds a token file, in bytes.
const maxFile = 1 << 20

// What is wrong with the text of a token file. None of it repeats the text.
var (
	ErrEmpty    = errors.New("is empty")
	errTooLarge = errors.New("is too large to be a token")
	errLines    = errors.New("holds more than one line or word: a bare token is one, and what \"syncer token apply\" keeps is one JSON object")
	errForm     = errors.New("begins like a JSON object and is none that \"syncer token apply\" wrote")
	errNoAccess = errors.New("has no access_token, or none that a header can carry")
	errAttempts = errors.New("has a refresh_attempts below 0")
)

// Parse reads the text of a token file: a bare token, or the form that Encode
// writes.
func Parse(text []byte) (Stored, error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	switch {
	case len(text) == 0:
		return Stored{}, ErrEmpty
	case len(text) > maxFile:
		return Stored{}, errTooLarge
	case text[0] == '{':
		return parseForm(text)
	case !Plain(text):
		return Stored{}, errLines
	}
	return Stored{Grant: Grant{Access: secret.New(text)}}, nil
}

func parseForm(text []byte) (Stored, error) {
	var f file
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&f); err != nil {
		return Stored{}, errForm // the decoder's words may repeat a part of the text
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Stored{}, errForm
	}
	switch {
	case !Plain([]byte(f.Access)):
		return Stored{}, errNoAccess
	case f.Attempts < 0:
		return Stored{}, errAttempts
	}
	return Stored{
		Grant: Grant{
			Access: secret.New([]byte(f.Access)), ExpiresAt: timeOf(f.ExpiresAt),
			Refresh: secret.New([]byte(f.Refresh)), RefreshExpiresAt: timeOf(f.RefreshExpiresAt),
		},
		ObtainedAt: timeOf(f.ObtainedAt), RefreshObtainedAt: timeOf(f.RefreshObtainedAt),
		Attempts: f.Attempts, NextAttemptAt: timeOf(f.NextAttemptAt),
	}, nil
}

// Plain reports whether a text is one word that a header can carry.
func Plain(text []byte) bool {
	for _, c := range text {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(text) > 0
}

// errUnwritable says that a token cannot be kept as it is.
var errUnwritable = errors.New("the refresh token is no text that a file can keep")

// Encode returns the text of a file that holds s.
func (s Stored) Encode() ([]byte, error) {
	if !utf8.Valid(s.Refresh.Reveal()) || !Plain(s.Access.Reveal()) {
		return nil, errUnwritable
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(file{
		string(s.Access.Reveal()), timeOrNil(s.ExpiresAt), string(s.Refresh.Reveal()), timeOrNil(s.RefreshExpiresAt),
		timeOrNil(s.ObtainedAt), timeOrNil(s.RefreshObtainedAt), s.Attempts, timeOrNil(s.NextAttemptAt),
	})
	return b.Bytes(), err
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return nil
	}
	t = t.UTC()
	return &t
}

// Granted is what a new grant leaves in the file. Nothing of an earlier one
// stays: it may be another customer's.
func Granted(g Grant, now time.Time) Stored {
	s := Stored{Grant: g, ObtainedAt: now.UTC().Truncate(time.Second)}
	if !g.Refresh.Empty() {
		s.RefreshObtainedAt = s.ObtainedAt
	}
	return s
}

// Refreshed is s after a refresh. The refresh token stays if the answer brought
// none (API §11).
func (s Stored) Refreshed(g Grant, now time.Time) Stored {
	next := Granted(g, now)
	if g.Refresh.Empty() || bytes.Equal(g.Refresh.Reveal(), s.Refresh.Reveal()) {
		next.Refresh, next.RefreshObtainedAt = s.Refresh, s.RefreshObtainedAt
		if g.RefreshExpiresAt.IsZero() {
			next.RefreshExpiresAt = s.RefreshExpiresAt
		}
	}
	return next
}

// Same reports whether both hold the same access token.
func (s Stored) Same(access string) bool { return string(s.Access.Reveal()) == access }

// Refreshable reports whether a refresh may bring a new token.
func (s Stored) Refreshable(now time.Time) bool {
	return !s.Refresh.Empty() && !s.RefreshEnded(now)
}

// Ended reports whether the access token has expired, as far as is known.
func (s Stored) Ended(now time.Time) bool { return !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt) }

// RefreshEnded reports whether the refresh token has expired, as far as is
// known.
func (s Stored) RefreshEnded(now time.Time) bool {
	return !s.Refresh.Empty() && !s.RefreshExpiresAt.IsZero() && !now.Before(s.RefreshExpiresAt)
}

// DueAt returns when the token is to be refreshed; zero if it cannot be, or
// nobody knows when it was given.
func (s Stored) DueAt() time.Time {
	if s.Refresh.Empty() {
		return time.Time{}
	}
	ends := s.ExpiresAt
	if ends.IsZero() && !s.ObtainedAt.IsZero() {
		ends = s.ObtainedAt.Add(life)
	}
	due := before(ends, s.ObtainedAt)
	// A refresh token that ends first is used while it lives, and once: its
	// successor may live longer.
	if r := before(s.RefreshExpiresAt, s.RefreshObtainedAt); !r.IsZero() && (due.IsZero() || r.Before(due)) && s.ObtainedAt.Before(r) {
		due = r
	}
	return due
}

// before is when a token that ends is to be renewed; zero if nobody knows when
// it ends.
func before(ends, obtained time.Time) time.Time {
	if ends.IsZero() {
		return time.Time{}
	}
	margin := lead
	if !obtained.IsZero() && ends.After(obtained) {
		margin = min(margin, ends.Sub(obtained)/10)
	}
	return ends.Add(-margin).Truncate(time.Second)
}

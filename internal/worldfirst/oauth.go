package worldfirst

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"billsync/internal/bill"
	"billsync/internal/secret"
	"billsync/internal/token"
)

const opApplyToken = "applyToken"

// A TokenRequest asks for an account's tokens (API §11): with the code of a
// grant, or with the refresh token of an earlier one. Exactly one is set.
type TokenRequest struct {
	AuthCode     secret.Text
	RefreshToken secret.Text
}

// ApplyToken exchanges a code or a refresh token for tokens. It is sent once:
// a code works once, so a lost answer to it must be told and not hidden behind
// the refusal of a second try.
func (c *Client) ApplyToken(ctx context.Context, acct bill.Account, q TokenRequest) (token.Grant, error) {
	body := struct {
		GrantType    string `json:"grantType"`
		AuthCode     string `json:"authCode,omitempty"`
		RefreshToken string `json:"refreshToken,omitempty"`
	}{GrantType: "AUTHORIZATION_CODE", AuthCode: string(q.AuthCode.Reveal())}
	if q.AuthCode.Empty() {
		body.GrantType, body.RefreshToken = "REFRESH_TOKEN", string(q.RefreshToken.Reveal())
	}
	encoded, err := encodeBody(body)
	if err != nil {
		return token.Grant{}, fmt.Errorf("%s: %w", opApplyToken, err)
	}
	defer clear(encoded)
	var g token.Grant
	err = c.ask(ctx, call{
		op: opApplyToken, path: ApplyTokenPath, account: acct.Name, body: encoded, private: true, noToken: true, once: true,
		secrets: []string{string(q.AuthCode.Reveal()), string(q.RefreshToken.Reveal())},
	}, func(doc *document) error {
		var err error
		g, err = decodeGrant(doc)
		return err
	}, nil)
	if f, ok := bill.AsFailure(err); ok {
		f.Advice = grantAdvice(f, !q.AuthCode.Empty())
	}
	return g, err
}

// grantAdvice is what to do when a code or a refresh token brought no tokens.
func grantAdvice(f *bill.Failure, code bool) string {
	switch {
	case !code || f.Outcome == bill.RefusedRequest:
		return f.Advice
	case f.Outcome == bill.RefusedUs && !f.Unverified:
		return f.Advice
	case slices.Contains(unsent, f.Code):
		return f.Advice + " The code was not sent: it can be used as long as it lives, a few minutes."
	case f.SlowDown:
		return "The code may not have been used: try once more after 5 minutes. If it is refused then, have the customer grant access again, and apply with the new code."
	}
	return "A code works once, and nobody knows whether this one was used: have the customer grant access again, and apply with the new code."
}

func decodeGrant(doc *document) (token.Grant, error) {
	text := func(name string) []byte {
		if v := doc.find(0, name); v != 0 && doc.isScalar(v) {
			return doc.text(v)
		}
		return nil
	}
	at := func(name string) time.Time {
		t, err := ParseTime(string(text(name)))
		if err != nil {
			return time.Time{}
		}
		return t
	}
	if checkHeader(string(text("accessToken"))) != nil || len(text("accessToken")) == 0 {
		return token.Grant{}, errors.New("accessToken is missing, or no text that a header can carry")
	}
	return token.Grant{
		Access: secret.New(text("accessToken")), ExpiresAt: at("expireTime"),
		Refresh: secret.New(text("refreshToken")), RefreshExpiresAt: at("refreshTokenExpireTime"),
	}, nil
}

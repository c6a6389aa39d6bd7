package simulator

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"billsync/internal/worldfirst"
)

const (
	codeLife    = 10 * time.Minute     // of the newer generation of the API; this one does not say
	tokenLife   = 30 * 24 * time.Hour  // of an access token (API §11)
	refreshLife = 180 * 24 * time.Hour // no document says
)

// An apply is the body of applyToken that was read.
type apply struct{ grantType, code, refresh string }

// An issued is a code or a token that was given out.
type issued struct {
	text     string
	customer string
	ends     time.Time
}

// An oauth is what was granted. Server.mu guards it.
type oauth struct {
	codes   map[string]issued
	access  map[string]issued // by customer: the newest one alone is good
	refresh map[string]issued
}

func newOAuth() oauth {
	return oauth{map[string]issued{}, map[string]issued{}, map[string]issued{}}
}

// Grant is a customer's approval. It returns the code that applyToken exchanges
// for tokens: it works once, and lives 10 minutes. From now on the customer's
// calls need an access token.
func (s *Server) Grant(customer string) (code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, customer)
	if _, ok := s.oauth.access[customer]; !ok {
		s.oauth.access[customer] = issued{} // none is good yet
	}
	code = "SIM-CODE-" + rand.Text()
	s.oauth.codes[code] = issued{code, customer, s.opts.Now().Add(codeLife)}
	return code
}

// ExpireAccessToken makes a customer's access token one that has expired.
func (s *Server) ExpireAccessToken(customer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oauth.access[customer] = issued{}
}

// RevokeRefreshTokens makes a customer's refresh tokens unknown.
func (s *Server) RevokeRefreshTokens(customer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.oauth.refresh, func(_ string, t issued) bool { return t.customer == customer })
}

// tokenHolds reports whether a customer's call with a token may pass.
func (s *Server) tokenHolds(customer, token string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if fixed := s.tokens[customer]; fixed != "" {
		return token == fixed
	}
	t, demanded := s.oauth.access[customer]
	return !demanded || token != "" && token == t.text && s.opts.Now().Before(t.ends)
}

// readApply reads the body of applyToken (API §11). It is strict: a field that
// does not belong to the grant type is refused.
func (a *answer) readApply(body []byte) error {
	if !utf8.Valid(body) {
		return illegal("the body is not UTF-8")
	}
	fields, err := readObject(body)
	if err != nil {
		return err
	}
	var p apply
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		to, ok := map[string]*string{"grantType": &p.grantType, "authCode": &p.code, "refreshToken": &p.refresh}[name]
		if !ok {
			return illegal(name + " is not a field of this API")
		}
		if *to, err = readText(fields[name]); err != nil {
			return illegal(name + " " + err.Error())
		}
	}
	switch {
	case p.grantType == "":
		return illegal("grantType is missing")
	case p.grantType == "AUTHORIZATION_CODE" && (p.code == "" || p.refresh != ""):
		return illegal("AUTHORIZATION_CODE goes with authCode and nothing else")
	case p.grantType == "REFRESH_TOKEN" && (p.refresh == "" || p.code != ""):
		return illegal("REFRESH_TOKEN goes with refreshToken and nothing else")
	case p.grantType != "AUTHORIZATION_CODE" && p.grantType != "REFRESH_TOKEN":
		return illegal("grantType is neither AUTHORIZATION_CODE nor REFRESH_TOKEN")
	}
	a.apply = &p
	return nil
}

// applyToken gives tokens for a code or a refresh token. No document says which
// code refuses a refresh token; OAUTH_FAIL is the one that is about the matter.
func (a *answer) applyToken() result {
	s, p := a.server, a.apply
	s.mu.Lock()
	from, refusal := s.redeem(p)
	var members []byte
	if refusal == "" {
		members = s.issue(from, p)
	}
	s.mu.Unlock()
	if refusal != "" {
		return a.no(results[refusal])
	}
	return a.yes(members)
}

// redeem takes a code or a refresh token, and returns the result code that
// refuses it; empty if it is good.
func (s *Server) redeem(p *apply) (issued, string) {
	now := s.opts.Now()
	if p.refresh != "" {
		t, ok := s.oauth.refresh[p.refresh]
		if !ok || !now.Before(t.ends) {
			return t, "OAUTH_FAIL"
		}
		return t, ""
	}
	c, ok := s.oauth.codes[p.code]
	switch {
	case !ok:
		return c, "AUTH_CODE_NOT_EXIST"
	case !now.Before(c.ends):
		return c, "AUTH_CODE_EXPIRED"
	}
	delete(s.oauth.codes, p.code)
	return c, ""
}

// issue makes the tokens, and returns the members of the answer.
func (s *Server) issue(from issued, p *apply) []byte {
	o, now := &s.opts, s.opts.Now()
	life, refresh := o.TokenLife, o.RefreshLife
	if life == 0 {
		life = tokenLife
	}
	if refresh == 0 {
		refresh = refreshLife
	}
	access := issued{"SIM-ACCESS-" + rand.Text(), from.customer, now.Add(life)}
	s.oauth.access[from.customer] = access
	next := from
	if p.refresh == "" || o.RotateRefresh {
		delete(s.oauth.refresh, p.refresh)
		next = issued{"SIM-REFRESH-" + rand.Text(), from.customer, now.Add(refresh)}
		s.oauth.refresh[next.text] = next
	}
	if o.NoRefreshTokens {
		delete(s.oauth.refresh, next.text)
		next = issued{}
	}
	members, err := json.Marshal(struct {
		Access      string `json:"accessToken"`
		Ends        string `json:"expireTime"`
		Refresh     string `json:"refreshToken,omitempty"`
		RefreshEnds string `json:"refreshTokenExpireTime,omitempty"`
		ExtendInfo  string `json:"extendInfo"`
	}{access.text, timeText(access.ends), next.text, timeText(next.ends), ""})
	if err != nil {
		panic(err) // texts alone
	}
	members[0] = ',' // in place of the brace: they stand behind the result
	return members[:len(members)-1]
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(beijing).Format(worldfirst.TimeFormat)
}

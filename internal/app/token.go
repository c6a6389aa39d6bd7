package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"billsync/internal/bill"
	"billsync/internal/config"
	"billsync/internal/secret"
	"billsync/internal/token"
	"billsync/internal/worldfirst"
)

// Tokens say how an account's tokens stand. What they are is not in it.
type Tokens struct {
	Account          string
	File             string // where they are, as configured; empty: nowhere
	Variable         string // or the environment variable
	Bare             bool   // a token of which nothing is known
	ObtainedAt       time.Time
	ExpiresAt        time.Time // zero: not known
	Refreshable      bool      // something can refresh it
	RefreshToken     bool      // there is a refresh token
	RefreshExpiresAt time.Time // zero: not known
	DueAt            time.Time // when it is refreshed by itself; zero: never
	Spent            string    // why no refresh is made by itself any more, although one could be; and what to do
	Asked            bool      // the API was asked
}

// tokensOf describes what a file holds.
func (a *App) tokensOf(c config.Account, s token.Stored) Tokens {
	now := a.now()
	t := Tokens{
		Account: c.Name, File: c.AccessTokenFile, Bare: s.Refresh.Empty() && s.ExpiresAt.IsZero() && s.ObtainedAt.IsZero(),
		ObtainedAt: s.ObtainedAt, ExpiresAt: s.ExpiresAt, Refreshable: s.Refreshable(now), RefreshToken: !s.Refresh.Empty(), RefreshExpiresAt: s.RefreshExpiresAt,
	}
	switch spent := a.spent(c, s); {
	case t.Refreshable && spent != nil:
		t.Refreshable, t.Spent = false, hintOf(spent)
	case t.Refreshable:
		t.DueAt = s.DueAt()
		if t.DueAt.Before(s.NextAttemptAt) {
			t.DueAt = s.NextAttemptAt
		}
	}
	return t
}

// lookAtTokens describes an account's tokens; nil if it has none.
func (a *App) lookAtTokens(c config.Account) (*Tokens, error) {
	switch {
	case c.AccessTokenEnv != "":
		return &Tokens{Account: c.Name, Variable: c.AccessTokenEnv, Bare: true}, nil
	case c.AccessTokenFile == "":
		return nil, nil
	}
	s, err := a.readTokens(c)
	if err != nil {
		return nil, err
	}
	t := a.tokensOf(c, s)
	return &t, nil
}

// tokenAccount returns the account whose tokens are to be kept, if they can be.
func (a *App) tokenAccount(name string) (config.Account, error) {
	c, err := a.oneAccount(name)
	if err != nil {
		return c, err
	}
	advice := fmt.Sprintf("set access_token_file = \"%s.token\" in the [[account]] of %s: tokens are kept in a file that this program writes", c.Name, c.Name)
	switch {
	case c.AccessTokenEnv != "":
		return c, &InputError{fmt.Sprintf("account %s has its token from the environment (access_token_env), where no tokens can be kept", c.Name), advice + "; and take access_token_env out"}
	case c.AccessTokenFile == "":
		return c, &InputError{fmt.Sprintf("account %s has no access_token_file to keep tokens in", c.Name), advice}
	case a.cfg.API.Simulated():
		return c, &InputError{"the built-in simulator gives no tokens", "\"syncer simulate --oauth\" serves one that does, and prints a code"}
	}
	return c, nil
}

// CheckTokenAccount reports before anything is read whether an account's tokens
// can be kept.
func (a *App) CheckTokenAccount(name string) error {
	c, err := a.tokenAccount(name)
	if err != nil {
		return err
	}
	return a.writableFolder(c)
}

// ApplyCode exchanges the code of a customer's grant for tokens and keeps them.
// With dry nothing is asked and nothing changed.
func (a *App) ApplyCode(ctx context.Context, account string, code secret.Text, dry bool) (Tokens, error) {
	none := Tokens{}
	c, err := a.tokenAccount(account)
	if err != nil {
		return none, err
	}
	client, err := a.connect()
	if err != nil {
		return none, err
	}
	if dry {
		return Tokens{Account: c.Name, File: c.AccessTokenFile}, a.writableFolder(c)
	}
	held, err := a.lockTokens(ctx, c)
	if err != nil {
		return none, err
	}
	defer a.logged("giving the lock of the token file back", held.Unlock)
	draft, err := held.Prepare()
	if err != nil {
		return none, a.unwritable(c, err)
	}
	defer draft.Drop()
	g, err := applyToken(ctx, client, c, worldfirst.TokenRequest{AuthCode: code})
	if err != nil {
		return none, a.notGranted(ctx, c, err)
	}
	s := token.Granted(g, a.now())
	if err := draft.Save(s); err != nil {
		var lost *token.LostError
		if errors.As(err, &lost) && lost.Kept != "" {
			return none, a.notKept(c, err)
		}
		return none, &advised{fmt.Errorf("account %s: the API gave tokens, and they could not be kept: %w", c.Name, err),
			"the code is used up: mend it, then " + grantAgain(c.Name)}
	}
	a.log.Info().Str("account", c.Name).Time("expires_at", s.ExpiresAt).Msg("access token stored")
	t := a.tokensOf(c, s)
	t.Asked = true
	return t, nil
}

// notGranted is the error of a code that brought no tokens.
func (a *App) notGranted(ctx context.Context, c config.Account, err error) error {
	if f, ok := bill.AsFailure(err); ok {
		return tokenVerdict(c, f)
	}
	if ctx.Err() != nil {
		return &advised{err, "a code works once, and nobody knows whether this one was used: " + grantAgain(c.Name)}
	}
	return err
}

// RefreshTokens exchanges the refresh token that is kept for new tokens. If
// another process does so meanwhile, its tokens are taken. With dry nothing is
// asked and nothing changed.
func (a *App) RefreshTokens(ctx context.Context, account string, force, dry bool) (Tokens, error) {
	c, err := a.tokenAccount(account)
	if err != nil {
		return Tokens{}, err
	}
	if !dry {
		if err := a.settle(ctx, c); err != nil {
			return Tokens{}, err
		}
	}
	s, err := a.readTokens(c)
	if err != nil {
		return Tokens{}, err
	}
	if dry {
		if err := a.refreshable(c, s); err != nil {
			return Tokens{}, err
		}
		if err := a.spent(c, s); err != nil && !force {
			return Tokens{}, err
		}
		return a.tokensOf(c, s), a.writableFolder(c)
	}
	next, asked, err := a.renew(ctx, c, string(s.Access.Reveal()), force)
	if err != nil {
		return Tokens{}, err
	}
	t := a.tokensOf(c, next)
	t.Asked = asked
	return t, nil
}

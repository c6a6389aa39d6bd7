package app

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"billsync/internal/bill"
	"billsync/internal/config"
	"billsync/internal/simulator"
	"billsync/internal/store"
	"billsync/internal/token"
	"billsync/internal/worldfirst"
)

const (
	// simulatorClient is the client id of the built-in simulator.
	simulatorClient = "SIMULATOR"
	// simulatorSeed makes the built-in simulator tell the same story each time.
	simulatorSeed = 1
	// simulatorBillsPerDay makes two years a matter of seconds at the rate that
	// the configuration ships with.
	simulatorBillsPerDay = 9
)

// simulatorSince is the first day of the built-in simulator's history. It does
// not follow history_start: moving that back must find the same bills again.
var simulatorSince = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// source returns the client for questions about the accounts: each account's
// token is there.
func (a *App) source() (*worldfirst.Client, error) {
	client, err := a.connect()
	if err != nil {
		return nil, err
	}
	if !a.tokensThere { // one that goes away later stops its account and no other
		if err := a.checkTokens(); err != nil {
			return nil, err
		}
		a.tokensThere = true
	}
	return client, nil
}

// connect returns the client, made at its first use and kept: its pace and its
// connections belong to the whole program.
func (a *App) connect() (*worldfirst.Client, error) {
	if a.client != nil {
		return a.client, nil
	}
	api := a.cfg.API
	cfg := worldfirst.Config{
		ClientID: api.ClientID, KeyVersion: api.KeyVersion, Timeout: api.Timeout, RequestsPerSecond: api.RequestsPerSecond,
		Concurrency: api.Concurrency, RetryWait: a.pause, Now: a.now, Log: a.log, AccessToken: a.accessToken,
		RefreshToken: a.renewExpired,
	}
	host := config.Simulator
	if api.Simulated() {
		if err := a.startSimulator(&cfg); err != nil {
			return nil, err
		}
	} else {
		base, err := a.realAPI(&cfg)
		if err != nil {
			return nil, err
		}
		host = base.Host
	}
	client, err := worldfirst.New(cfg)
	if err != nil {
		return nil, &InputError{err.Error(), "correct [api] in the configuration"}
	}
	a.client = client
	a.keys = keys{cfg.ClientID, cfg.KeyVersion, cfg.PrivateKey, cfg.ServerKeys}
	a.origin = store.Origin{Host: host, ClientID: cfg.ClientID, ByToken: map[string]bool{}}
	for _, c := range a.cfg.Enabled() {
		a.origin.Accounts = append(a.origin.Accounts, vocabulary(c))
		if c.ConnectedCustomerID == "" && (c.AccessTokenFile != "" || c.AccessTokenEnv != "") {
			a.origin.ByToken[c.Name] = true
		}
	}
	return client, nil
}

// startSimulator serves the built-in simulator on a free port of this machine,
// with keys that live as long as the process.
func (a *App) startSimulator(cfg *worldfirst.Config) error {
	key, err := simulator.NewKeyPair()
	if err != nil {
		return fmt.Errorf("starting the simulator: %w", err)
	}
	cfg.ClientID, cfg.PrivateKey, cfg.ServerKeys = simulatorClient, key, []*rsa.PublicKey{&key.PublicKey}
	accounts := map[string]string{}
	for _, c := range a.cfg.Accounts {
		if c.ConnectedAccountID != "" {
			accounts[c.ConnectedAccountID] = c.ConnectedCustomerID
		}
	}
	a.book = simulator.NewHistory(simulator.HistoryOptions{Seed: simulatorSeed, Since: simulatorSince, BillsPerDay: simulatorBillsPerDay})
	a.sim = simulator.New(simulator.Options{
		Book: a.book, ClientID: simulatorClient, ClientKeys: cfg.ServerKeys, Key: key, Now: a.now, Log: a.log,
		Accounts: accounts,
		// It lives no longer than the process: nobody would see the end of a review.
		Review: simulator.AtOnce,
	})
	cfg.BaseURL, err = a.sim.Start("127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("starting the simulator: %w", err)
	}
	return nil
}

// realAPI loads the keys that the configuration names.
func (a *App) realAPI(cfg *worldfirst.Config) (*url.URL, error) {
	api := a.cfg.API
	base, err := worldfirst.CheckBaseURL(api.BaseURL)
	if err != nil {
		return nil, &InputError{"api.base_url: " + err.Error(), "in production it is https://open-sea.worldfirst.com or its EU or NA sister"}
	}
	cfg.BaseURL = api.BaseURL
	if cfg.PrivateKey, err = worldfirst.LoadPrivateKey(api.PrivateKeyFile); err != nil {
		return nil, &InputError{"api.private_key_file: " + err.Error(), worldfirst.PrivateKeyAdvice(err)}
	}
	if api.ServerPublicKeyFile != "" {
		if cfg.ServerKeys, err = worldfirst.LoadPublicKeys(api.ServerPublicKeyFile); err != nil {
			return nil, &InputError{"api.server_public_key_file: " + err.Error(), worldfirst.PublicKeyAdvice(err)}
		}
	}
	return base, nil
}

// checkTokens finds out before any work whether each account's token is there.
func (a *App) checkTokens() error {
	for _, c := range a.cfg.Enabled() {
		if _, err := a.accessToken(c.Name); err != nil {
			return &InputError{err.Error(), "\"syncer token apply\" puts the tokens of a grant there; or put an access token there yourself, or take the key out of the configuration"}
		}
	}
	return nil
}

// accessToken returns an account's access token, empty if it needs none.
func (a *App) accessToken(account string) (string, error) {
	c, _ := a.cfg.Account(account)
	switch {
	case c.AccessTokenEnv != "":
		text := strings.TrimSpace(a.getenv(c.AccessTokenEnv))
		if text == "" {
			return "", fmt.Errorf("account %s: access_token_env: the environment variable %s is not set", account, c.AccessTokenEnv)
		}
		return text, nil
	case c.AccessTokenFile != "":
		a.recoverTokens(c)
		s, err := token.Read(c.AccessTokenFile)
		if errors.Is(err, token.ErrOpenToOthers) {
			return "", fmt.Errorf("account %s: access_token_file: %s can be read by others; run: chmod 600 %s", account, c.AccessTokenFile, c.AccessTokenFile)
		}
		if errors.Is(err, token.ErrEmpty) {
			return "", fmt.Errorf("account %s: access_token_file: %s is empty", account, c.AccessTokenFile)
		}
		if err != nil {
			return "", fmt.Errorf("account %s: access_token_file: %s: %w", account, c.AccessTokenFile, err)
		}
		return string(s.Access.Reveal()), nil
	}
	return "", nil
}

// A careful source makes a failure of one account out of an error on our side,
// such as a token file that went away: it must not stop the other accounts.
type careful struct{ *worldfirst.Client }

func (c careful) QueryBillList(ctx context.Context, acct bill.Account, q bill.Query) (bill.Page, error) {
	page, err := c.Client.QueryBillList(ctx, acct, q)
	if err == nil || ctx.Err() != nil {
		return page, err
	}
	if _, ok := bill.AsFailure(err); ok {
		return page, err
	}
	return page, &bill.Failure{
		Outcome: bill.RefusedUs, Op: "queryBillList", Code: "NOT_SENT", Message: err.Error(),
		Advice: "mend it here; nothing was sent to the API", Err: err,
	}
}

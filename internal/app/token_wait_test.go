package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"billsync/internal/app"
	"billsync/internal/secret"
	"billsync/internal/simulator"
)

const withShop = withFile + "[[account]]\nname = \"shop\"\nconnected_customer_id = \"C2\"\n"

// A token that expired and whose refresh is disturbed makes its account wait, and
// no other; nobody has to act.
func TestRefreshDisturbed(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]simulator.Fault{
		"a proxy's page":         {Kind: simulator.HTTP},
		"a dropped connection":   {Kind: simulator.Drop},
		"no result":              {Kind: simulator.NoResult},
		"unknown":                {Kind: simulator.Result, Code: "UNKNOWN_EXCEPTION"},
		"too much is asked":      {Kind: simulator.Result, Code: "REQUEST_TRAFFIC_EXCEED_LIMIT"},
		"asks for a longer wait": {Kind: simulator.HTTP, HTTPStatus: 503, RetryAfter: 20 * time.Minute},
	} {
		w := newGrantor(t, simulator.Options{}, withShop)
		// Nothing was read yet, so that many windows wait at once.
		w.config = strings.Replace(w.config, "page_size", "window_days = 7\npage_size", 1)
		w.grantedTo("main")
		w.srv.ExpireAccessToken("")
		w.fault(fault)
		a := w.app(zerolog.Nop())
		w.applied.Store(0)
		sum, err := a.Sync(t.Context(), app.SyncOptions{Trigger: "sync"})
		if exitCode(err) != 3 || w.applied.Load() != 1 || sum.Stopped != nil || sum.Accounts[0].Refused != nil {
			t.Errorf("%s: Sync = %v (%s) with exit code %d, %d requests for tokens", name, err, hint(err), exitCode(err), w.applied.Load())
			continue
		}
		if len(sum.Accounts[1].Open) != 0 || len(sum.Accounts[0].Open) < 5 {
			t.Errorf("%s: %d windows of the account wait, and %d of the other", name, len(sum.Accounts[0].Open), len(sum.Accounts[1].Open))
		}
		pause := max(5*time.Minute, fault.RetryAfter)
		for _, open := range sum.Accounts[0].Open {
			if wait := open.Until.Sub(w.now()); wait < pause-time.Second || wait > pause+time.Second ||
				!strings.Contains(open.Why, "the access token expired and is not refreshed yet") || !strings.Contains(open.Why, "It is tried again from ") {
				t.Errorf("%s: a window waits %v, because %q", name, wait, open.Why)
			}
		}
		if _, err := a.Lookup(t.Context(), app.LookupOptions{Account: "main", Statuses: []string{"FAILED"}, Limit: 1}); exitCode(err) != 3 || !strings.Contains(hint(err), "It is tried again from ") {
			t.Errorf("%s: Lookup = %v (%s) with exit code %d", name, err, hint(err), exitCode(err))
		}
		w.move(time.Minute)
		w.sync(w.app(zerolog.Nop()), 3, 0) // in a process of its own: all wait
		w.fault(simulator.Fault{})
		w.move(pause)
		w.sync(a, 0, 1)
	}
	// In the pause that the API wants, in a process that knows of it by the file alone.
	w := newGrantor(t, simulator.Options{}, withFile)
	a := w.granted(zerolog.Nop())
	w.fault(simulator.Fault{Kind: simulator.Result, Code: "UNKNOWN_EXCEPTION"})
	if _, err := a.RefreshTokens(t.Context(), "", false, false); exitCode(err) != 3 {
		t.Errorf("RefreshTokens = %v", err)
	}
	w.fault(simulator.Fault{})
	w.srv.ExpireAccessToken("")
	w.sync(w.app(zerolog.Nop()), 3, 0)
	w.move(5*time.Minute + time.Second)
	w.sync(w.app(zerolog.Nop()), 0, 1)
}

// grantedTo gives an account tokens.
func (w *grantor) grantedTo(account string) {
	w.t.Helper()
	if _, err := w.app(zerolog.Nop()).ApplyCode(w.t.Context(), account, secret.New([]byte(w.srv.Grant(""))), false); err != nil {
		w.t.Fatalf("ApplyCode = %v, %s", err, hint(err))
	}
}

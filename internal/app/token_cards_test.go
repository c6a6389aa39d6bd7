package app_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"billsync/internal/app"
	"billsync/internal/simulator"
)

// The calls for cards refresh a token that is due before they use it, where no
// daemon does; that this fails is told and no more while the token lives.
func TestCardCallsRefreshDueTokens(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *grantor, *app.App) error{
		"card show": func(ctx context.Context, w *grantor, a *app.App) error {
			c := app.Card{ID: "CARD1", Account: "main"}
			return a.AskCard(ctx, &c)
		},
		"cardholder create": func(ctx context.Context, w *grantor, a *app.App) error {
			_, err := a.CreateCardholder(ctx, app.CardholderOptions{Account: "main", Type: "EMPLOYEE", Info: w.path("info.json")})
			return err
		},
		"cardholder list": func(ctx context.Context, w *grantor, a *app.App) error {
			_, err := a.ListCardholders(ctx, app.ListOptions{Account: "main", Refresh: true})
			return err
		},
	} {
		for _, works := range []bool{true, false} {
			w := newGrantor(t, simulator.Options{}, withShop)
			w.write("info.json", person)
			w.grantedTo("main")
			before := w.read("main.token")
			w.applied.Store(0)
			w.move(28 * 24 * time.Hour)
			if !works {
				w.fault(simulator.Fault{Kind: simulator.Result, Code: "OAUTH_FAIL"})
			}
			var log memo
			err := call(t.Context(), w, w.app(zerolog.New(&log)))
			if exitCode(err) == 4 || w.applied.Load() != 1 || w.listed.Load() == 0 {
				t.Errorf("%s, the refresh works: %t: %v with exit code %d, %d requests for tokens, %d others", name, works, err, exitCode(err), w.applied.Load(), w.listed.Load())
			}
			if changed := w.read("main.token") != before; changed != works {
				t.Errorf("%s, the refresh works: %t: the tokens changed: %t", name, works, changed)
			}
			if told := strings.Contains(log.String(), "access token not refreshed"); told == works {
				t.Errorf("%s, the refresh works: %t: the log is %s", name, works, &log)
			}
		}
	}
}

package app_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"billsync/internal/app"
	"billsync/internal/simulator"
)

// killed leaves what a process leaves that was killed when it had written the
// tokens of a grant and not yet put them in place of what was there.
func (w *grantor) killed(there string) {
	w.t.Helper()
	if err := os.Rename(w.path("main.token"), w.path("main.token.new")); err != nil {
		w.t.Fatal(err)
	}
	if there == "" {
		return
	}
	w.write("main.token", there)
	before := time.Now().Add(-time.Minute)
	if err := os.Chtimes(w.path("main.token"), before, before); err != nil {
		w.t.Fatal(err)
	}
}

// The tokens of a grant that a killed process had written are found, by whatever
// comes next: they may be the only ones there are.
func TestTokensOfAKilledProcess(t *testing.T) {
	t.Parallel()
	for _, there := range []string{"", "BARE", "{half"} {
		for name, next := range map[string]func(*grantor, *app.App) error{
			"sync": func(w *grantor, a *app.App) error { return w.sync(a, 0, 0) },
			"lookup": func(w *grantor, a *app.App) error {
				_, err := a.Lookup(w.t.Context(), app.LookupOptions{Statuses: []string{"FAILED"}, Limit: 1})
				return err
			},
			"refresh": func(w *grantor, a *app.App) error {
				got, err := a.RefreshTokens(w.t.Context(), "", false, false)
				if !got.Asked {
					w.t.Errorf("the API was not asked for new tokens")
				}
				return err
			},
			"check": func(w *grantor, a *app.App) error {
				for _, f := range a.Check(w.t.Context(), false) {
					if f.Level == "FAIL" {
						w.t.Errorf("check says %+v", f)
					}
				}
				return nil
			},
		} {
			w := newGrantor(t, simulator.Options{}, withFile)
			w.granted(zerolog.Nop())
			w.killed(there)
			if err := next(w, w.app(zerolog.Nop())); err != nil {
				t.Errorf("%s over %q: %v (%s)", name, there, err, hint(err))
			}
			if _, err := os.Stat(w.path("main.token.new")); err == nil || !strings.Contains(w.read("main.token"), "SIM-REFRESH") {
				t.Errorf("%s over %q: the tokens are not in place", name, there)
			}
		}
	}
	// While it runs, too: what was in use is replaced by another process, which is
	// killed.
	w := newGrantor(t, simulator.Options{}, withFile)
	a := w.granted(zerolog.Nop())
	w.sync(a, 0, 0)
	before := w.read("main.token")
	w.granted(zerolog.Nop())
	w.killed(before)
	w.sync(a, 0, 0)
	if w.read("main.token") == before {
		t.Errorf("the tokens in place are the old ones")
	}
	// What changes nothing puts nothing in place, and says who does.
	w.killed("")
	if _, err := a.RefreshTokens(t.Context(), "", false, true); exitCode(err) != 2 || !strings.Contains(hint(err), "syncer token refresh --account main") {
		t.Errorf("RefreshTokens, dry = %v (%s)", err, hint(err))
	}
	if _, err := a.Plan(t.Context(), app.SyncOptions{}, true); err == nil {
		t.Errorf("Plan without a token in place is no error")
	}
	if _, err := os.Stat(w.path("main.token.new")); err != nil {
		t.Errorf("a dry run put tokens in place: %v", err)
	}
}

package app_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"billsync/internal/app"
	"billsync/internal/secret"
	"billsync/internal/simulator"
	"billsync/internal/worldfirst"
)

// A grantor is a simulator whose customer has granted access.
type grantor struct {
	*clock
	t       *testing.T
	srv     *simulator.Server
	dir     string
	config  string
	applied atomic.Int64 // requests for tokens
	listed  atomic.Int64 // requests for bills
	onList  atomic.Pointer[func(n int64)]
}

// grantorKeys are made once: a key costs more than most tests.
var grantorKeys = sync.OnceValues(simulator.NewKeyPair)

func newGrantor(t *testing.T, o simulator.Options, more string) *grantor {
	t.Helper()
	key, err := grantorKeys()
	if err != nil {
		t.Fatal(err)
	}
	w := &grantor{clock: newClock(), t: t, dir: t.TempDir()}
	o.Book = simulator.NewHistory(simulator.HistoryOptions{Seed: 1, Since: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), BillsPerDay: 3})
	o.ClientID, o.ClientKeys, o.Key, o.Now = "C", []*rsa.PublicKey{&key.PublicKey}, key, w.now
	w.srv = simulator.New(o)
	w.srv.OnRequest(func(r simulator.Request) {
		if r.Path == worldfirst.ApplyTokenPath {
			w.applied.Add(1)
			return
		}
		n := w.listed.Add(1)
		if f := w.onList.Load(); f != nil {
			(*f)(n)
		}
	})
	url, err := w.srv.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.srv.Close(); err != nil {
			t.Error(err)
		}
	})
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	w.write("client.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	w.write("server.pub", base64.StdEncoding.EncodeToString(public))
	w.config = fmt.Sprintf(`
[api]
base_url = %q
client_id = "C"
private_key_file = "client.pem"
server_public_key_file = "server.pub"
requests_per_second = 100000.0
concurrency = 8
[sync]
history_start = "2026-10-01"
page_size = 5
`, url) + more
	return w
}

const withFile = "[[account]]\nname = \"main\"\naccess_token_file = \"main.token\"\n"

func (w *grantor) path(name string) string { return filepath.Join(w.dir, name) }

func (w *grantor) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *grantor) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// app is the program in a process of its own, as far as tokens are concerned.
func (w *grantor) app(log zerolog.Logger) *app.App {
	w.t.Helper()
	a := app.New(load(w.t, w.clock, w.dir, w.config), app.Options{Log: log, Now: w.now, RetryWait: time.Millisecond, Getenv: func(name string) string {
		if name == "TOKEN" {
			return "FROM-THE-ENVIRONMENT"
		}
		return ""
	}})
	w.t.Cleanup(func() {
		if err := a.Close(); err != nil {
			w.t.Errorf("Close() = %v", err)
		}
	})
	return a
}

// granted is an app whose account has tokens.
func (w *grantor) granted(log zerolog.Logger) *app.App {
	w.t.Helper()
	a := w.app(log)
	if _, err := a.ApplyCode(w.t.Context(), "", secret.New([]byte(w.srv.Grant(""))), false); err != nil {
		w.t.Fatalf("ApplyCode = %v, %s", err, hint(err))
	}
	w.applied.Store(0)
	return a
}

func hint(err error) string {
	if h, ok := err.(interface{ Hint() string }); ok {
		return h.Hint()
	}
	return ""
}

// sync does one run and compares the exit code and the requests for tokens.
func (w *grantor) sync(a *app.App, code int, requests int64) error {
	w.t.Helper()
	w.applied.Store(0)
	_, err := a.Sync(w.t.Context(), app.SyncOptions{Trigger: "sync"})
	if exitCode(err) != code || w.applied.Load() != requests {
		w.t.Errorf("%s: Sync = %v (%s) with exit code %d and %d requests for tokens, want %d and %d",
			w.now().Format(time.DateTime), err, hint(err), exitCode(err), w.applied.Load(), code, requests)
	}
	return err
}

// fault lets the requests for tokens go wrong.
func (w *grantor) fault(f simulator.Fault) {
	w.srv.SetFault(func(r simulator.Request) simulator.Fault {
		if r.Path == worldfirst.ApplyTokenPath {
			return f
		}
		return simulator.Fault{}
	})
}

// Over months each token is refreshed once, before it expires; the API never
// has to say that one has. When the refresh token ends, the customer is needed.
func TestTokensOverMonths(t *testing.T) {
	t.Parallel()
	for _, rotate := range []bool{false, true} {
		t.Run(fmt.Sprintf("rotate %t", rotate), func(t *testing.T) {
			t.Parallel()
			w := newGrantor(t, simulator.Options{RotateRefresh: rotate}, withFile+"[schedule]\nrefresh = \"\"\n")
			w.config = strings.Replace(w.config, "page_size = 5", "page_size = 100", 1)
			a := w.granted(zerolog.Nop())
			refreshes, expired := 0, false
			for day := 0; day < 230 && !expired; day += 2 {
				w.applied.Store(0)
				_, err := a.Sync(t.Context(), app.SyncOptions{Trigger: "sync"})
				if exitCode(err) == 4 {
					expired = true
					if !strings.Contains(hint(err), "refresh token expired") || !strings.Contains(hint(err), "ave the customer grant access again, then run: syncer token apply --account main") {
						t.Errorf("at the end: %v, advice %q", err, hint(err))
					}
				} else if err != nil {
					t.Fatalf("day %d: Sync = %v, %s", day, err, hint(err))
				}
				refreshes += int(w.applied.Load())
				w.move(48 * time.Hour)
			}
			if expired == rotate || refreshes < 6 || refreshes > 9 {
				t.Errorf("%d refreshes, at the end expired: %t", refreshes, expired)
			}
			if !expired {
				return
			}
			if _, err := a.ApplyCode(t.Context(), "main", secret.New([]byte(w.srv.Grant(""))), false); err != nil {
				t.Fatal(err)
			}
			w.sync(a, 0, 0)
		})
	}
}

// A token that expires while eight requests are under way is refreshed once, and
// the run ends as if nothing had been.
func TestTokenExpiresInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, rotate := range []bool{false, true} {
		w := newGrantor(t, simulator.Options{RotateRefresh: rotate, Latency: 2 * time.Millisecond}, withFile)
		a := w.granted(zerolog.Nop())
		once := func(n int64) {
			if n == 12 {
				w.srv.ExpireAccessToken("")
			}
		}
		w.onList.Store(&once)
		before := w.read("main.token")
		w.sync(a, 0, 1)
		if w.listed.Load() < 20 || w.read("main.token") == before {
			t.Errorf("%d requests for bills, tokens changed: %t", w.listed.Load(), w.read("main.token") != before)
		}
		// And if the clock of the API is ahead: once for each run.
		w.onList.Store(nil)
		w.srv.ExpireAccessToken("")
		w.sync(a, 0, 1)
		w.sync(a, 0, 0)
	}
}

// A refresh that is refused is asked for once, whatever many calls want it; and
// again by a later run.
func TestRefreshRefused(t *testing.T) {
	t.Parallel()
	w := newGrantor(t, simulator.Options{}, withFile)
	a := w.granted(zerolog.Nop())
	w.sync(a, 0, 0)
	w.srv.RevokeRefreshTokens("")
	w.srv.ExpireAccessToken("")
	w.move(time.Hour)
	err := w.sync(a, 4, 1)
	for _, word := range []string{"OAUTH_FAIL", "have the customer grant access again, then run: syncer token apply --account main --auth-code-file FILE"} {
		if !strings.Contains(hint(err), word) {
			t.Errorf("the advice is %q, want %q in it", hint(err), word)
		}
	}
	w.sync(a, 4, 0) // a minute is no reason to ask again
	w.move(5 * time.Minute)
	w.sync(a, 4, 1)
	w.sync(w.app(zerolog.Nop()), 4, 1)
	if _, err := a.RefreshTokens(t.Context(), "", false, false); exitCode(err) != 4 {
		t.Errorf("RefreshTokens = %v with exit code %d, want 4", err, exitCode(err))
	}
	if _, err := a.ApplyCode(t.Context(), "", secret.New([]byte(w.srv.Grant(""))), false); err != nil {
		t.Fatal(err)
	}
	w.sync(a, 0, 0) // what failed was another token

	// While the token lives, a refusal is a warning, and asked once more a day.
	w.srv.RevokeRefreshTokens("")
	w.move(28 * 24 * time.Hour)
	w.sync(a, 0, 1)
	w.move(23 * time.Hour)
	w.sync(a, 0, 0)
	w.move(time.Hour)
	w.sync(a, 0, 1)
}

// What nothing can refresh stops its account, says what to do, and asks for no
// tokens.
func TestNotRefreshable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, account, file, want string }{
		{"a bare token", withFile, "OLD", "holds a bare access token and no refresh token"},
		{"no refresh token", withFile, `{"access_token":"OLD","expires_at":"2026-12-01T00:00:00Z"}`, "gave no refresh token"},
		{"one that ended", withFile, `{"access_token":"OLD","refresh_token":"R","refresh_expires_at":"2026-11-01T00:00:00Z"}`, "the refresh token expired 2026-11-01"},
		{"the environment", "[[account]]\nname = \"main\"\naccess_token_env = \"TOKEN\"\n", "", "variable TOKEN"},
		{"nothing", "[[account]]\nname = \"main\"\n", "", "none is configured"},
	} {
		w := newGrantor(t, simulator.Options{}, tt.account)
		if tt.file != "" {
			w.write("main.token", tt.file)
		}
		w.srv.Grant("")
		err := w.sync(w.app(zerolog.Nop()), 4, 0)
		if !strings.Contains(hint(err), tt.want) || !strings.Contains(hint(err), "syncer token apply --account main") {
			t.Errorf("%s: %v, advice %q", tt.name, err, hint(err))
		}
		if _, err := os.Stat(w.path("main.token.lock")); err == nil {
			t.Errorf("%s: a lock was left beside the file", tt.name)
		}
		if tt.file != "" && w.read("main.token") != tt.file {
			t.Errorf("%s: the file was changed", tt.name)
		}
	}
}

// An outcome that is not known is asked again on the API's schedule, by whatever
// process; a person may insist.
func TestRefreshUnknown(t *testing.T) {
	t.Parallel()
	w := newGrantor(t, simulator.Options{}, withFile)
	w.granted(zerolog.Nop())
	before := w.read("main.token")
	w.fault(simulator.Fault{Kind: simulator.Result, Code: "UNKNOWN_EXCEPTION", Status: "U"})
	refresh := func(force bool, code int, requests int64) {
		t.Helper()
		w.applied.Store(0)
		_, err := w.app(zerolog.Nop()).RefreshTokens(t.Context(), "", force, false)
		if exitCode(err) != code || w.applied.Load() != requests {
			t.Errorf("%s: RefreshTokens = %v with exit code %d, %d requests, want %d and %d", w.now(), err, exitCode(err), w.applied.Load(), code, requests)
		}
	}
	refresh(false, 3, 1)
	for _, pause := range []int{5, 10, 20, 40, 80, 160, 320} {
		w.move(time.Duration(pause)*time.Minute - time.Second)
		refresh(false, 3, 0)
		w.move(time.Second)
		refresh(false, 3, 1)
	}
	// Seven further attempts are all that the documents allow. Then a person has to
	// act, and is told so everywhere.
	const support = "contact WorldFirst Technical Support; then run: syncer token refresh --force --account main"
	for _, pause := range []time.Duration{0, 320 * time.Minute, 28 * 24 * time.Hour} {
		w.move(pause)
		refresh(false, 3, 0)
	}
	var log memo
	a := w.app(zerolog.New(&log))
	w.srv.SetAccessToken("", "") // the token may be any
	w.sync(a, 0, 0)
	w.sync(a, 0, 0)
	if n := strings.Count(log.String(), "access token not refreshed any more"); n != 2 || !strings.Contains(log.String(), support) {
		t.Errorf("two runs say %d times that nothing refreshes the token: %s", n, &log)
	}
	if _, err := a.RefreshTokens(t.Context(), "", false, true); exitCode(err) != 3 || !strings.Contains(hint(err), support) {
		t.Errorf("RefreshTokens, dry = %v (%s)", err, hint(err))
	}
	if s, err := a.Status(t.Context()); err != nil || !strings.Contains(s.Accounts[0].TokenEnd, support) || !s.Accounts[0].Token.DueAt.IsZero() {
		t.Errorf("Status = %+v, %v", s.Accounts, err)
	}
	told := func(level string) {
		t.Helper()
		for _, f := range w.app(zerolog.Nop()).Check(t.Context(), true) {
			if f.Subject == "token main" && (f.Level != level || !strings.Contains(f.Advice, support)) {
				t.Errorf("check says %+v, want %s", f, level)
			}
		}
	}
	told("warn")
	w.srv.Grant("") // a token is needed, and the one there is has expired
	err := w.sync(a, 4, 0)
	if !strings.Contains(hint(err), support[1:]) {
		t.Errorf("the advice is %q", hint(err))
	}
	w.move(3 * 24 * time.Hour)
	told("FAIL")
	refresh(true, 3, 1)
	refresh(false, 3, 0)
	tokens := func(text string) (out [2]string) {
		var f struct {
			A string `json:"access_token"`
			R string `json:"refresh_token"`
		}
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatal(err)
		}
		return [2]string{f.A, f.R}
	}
	if tokens(before) != tokens(w.read("main.token")) {
		t.Errorf("the tokens were changed by an outcome that is not known")
	}
	w.fault(simulator.Fault{})
	refresh(true, 0, 1)
	refresh(false, 0, 1)
	if strings.Contains(w.read("main.token"), "attempts") {
		t.Errorf("after a refresh the file still knows of attempts")
	}
}

// Lost answers: a refresh is asked again, a code is not, and nothing is changed.
func TestTokenAnswerLost(t *testing.T) {
	t.Parallel()
	w := newGrantor(t, simulator.Options{}, withFile)
	a := w.granted(zerolog.Nop())
	before := w.read("main.token")
	for _, kind := range []simulator.FaultKind{simulator.Drop, simulator.DropAfter, simulator.HTTP, simulator.Garbage, simulator.Empty, simulator.NoResult, simulator.BadSignature} {
		w.fault(simulator.Fault{Kind: kind})
		want := 3
		if kind == simulator.BadSignature {
			want = 4
		}
		w.applied.Store(0)
		_, err := a.ApplyCode(t.Context(), "", secret.New([]byte(w.srv.Grant(""))), false)
		if exitCode(err) != want || !strings.Contains(hint(err), "have the customer grant access again") || w.applied.Load() != 1 {
			t.Errorf("%v: ApplyCode = %v (%s) with exit code %d after %d requests", kind, err, hint(err), exitCode(err), w.applied.Load())
		}
		_, err = a.RefreshTokens(t.Context(), "", false, false)
		if exitCode(err) != want || w.applied.Load() != 2 || !strings.Contains(hint(err), "syncer token apply") {
			t.Errorf("%v: RefreshTokens = %v (%s) with exit code %d", kind, err, hint(err), exitCode(err))
		}
	}
	if w.read("main.token") != before {
		t.Errorf("the file was changed")
	}
	// Lost, and the refresh token works once: that only the customer can mend.
	rotating := newGrantor(t, simulator.Options{RotateRefresh: true}, withFile)
	b := rotating.granted(zerolog.Nop())
	rotating.fault(simulator.Fault{Kind: simulator.DropAfter})
	if _, err := b.RefreshTokens(t.Context(), "", false, false); exitCode(err) != 3 || !strings.Contains(hint(err), "used up the refresh token") {
		t.Errorf("RefreshTokens with a lost answer = %v (%s)", err, hint(err))
	}
	rotating.fault(simulator.Fault{})
	rotating.sync(b, 4, 1)
	w.fault(simulator.Fault{Kind: simulator.Result, Code: "SYSTEM_ERROR", Status: "F"})
	if _, err := a.RefreshTokens(t.Context(), "", false, false); exitCode(err) != 3 {
		t.Errorf("SYSTEM_ERROR: %v with exit code %d, want 3", err, exitCode(err))
	}
	// By the clock it is not asked again within five minutes, then after longer
	// and longer pauses; the runs go on with the token that lives.
	w.fault(simulator.Fault{Kind: simulator.Drop})
	w.srv.SetAccessToken("", "") // the token may be any
	w.move(28 * 24 * time.Hour)
	w.sync(a, 0, 1)
	for _, pause := range []time.Duration{5, 10, 20, 40, 80, 160, 160} {
		w.move(pause*time.Minute - time.Second)
		w.sync(a, 0, 0)
		w.move(time.Second)
		w.sync(a, 0, 1)
	}
}

// Two processes at once: one asks, both go on with what it got.
func TestTwoRefreshAtOnce(t *testing.T) {
	t.Parallel()
	w := newGrantor(t, simulator.Options{RotateRefresh: true, Latency: 20 * time.Millisecond}, withFile)
	w.granted(zerolog.Nop())
	for round := range 5 {
		w.applied.Store(0)
		w.move(time.Minute)
		var wg sync.WaitGroup
		var asked atomic.Int64
		apps := []*app.App{w.app(zerolog.Nop()), w.app(zerolog.Nop()), w.app(zerolog.Nop())}
		ready := make(chan struct{})
		for _, a := range apps {
			wg.Go(func() {
				<-ready
				got, err := a.RefreshTokens(t.Context(), "", false, false)
				if err != nil {
					t.Errorf("round %d: RefreshTokens = %v, %s", round, err, hint(err))
				}
				if got.Asked {
					asked.Add(1)
				}
			})
		}
		close(ready)
		wg.Wait()
		if asked.Load() != w.applied.Load() {
			t.Errorf("round %d: %d say that they asked, the API was asked %d times", round, asked.Load(), w.applied.Load())
		}
	}
	// Expired, and found out by two at once: exactly one refresh.
	w.srv.ExpireAccessToken("")
	w.applied.Store(0)
	var wg sync.WaitGroup
	for range 3 {
		a := w.app(zerolog.Nop())
		wg.Go(func() {
			if _, err := a.Lookup(t.Context(), app.LookupOptions{Statuses: []string{"FAILED"}, Limit: 10}); err != nil {
				t.Errorf("Lookup = %v, %s", err, hint(err))
			}
		})
	}
	wg.Wait()
	if w.applied.Load() != 1 {
		t.Errorf("%d requests for tokens, want 1", w.applied.Load())
	}
}

// The daemon wakes for a token that is due although nothing else is.
func TestDaemonRefreshes(t *testing.T) {
	t.Parallel()
	w := newGrantor(t, simulator.Options{TokenLife: 10 * time.Hour}, withFile+"[schedule]\nsync = \"\"\nrefresh = \"\"\n")
	w.granted(zerolog.Nop())
	w.move(9*time.Hour - 2*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log := &memo{then: map[string]func(){
		"run ended":              func() { w.move(3 * time.Second) },
		"access token refreshed": cancel,
	}}
	w.applied.Store(0)
	if err := w.app(zerolog.New(log)).Daemon(ctx); err != nil {
		t.Errorf("Daemon = %v", err)
	}
	if w.applied.Load() != 1 || !strings.Contains(log.String(), "access token refreshed") {
		t.Errorf("%d requests for tokens:\n%s", w.applied.Load(), log)
	}
}

// Before anything is asked it is known that the tokens can be kept; a dry run
// asks and changes nothing.
func TestTokensNeedAPlace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, account, want string }{
		{"no file", "[[account]]\nname = \"main\"\n", "has no access_token_file"},
		{"the environment", "[[account]]\nname = \"main\"\naccess_token_env = \"TOKEN\"\n", "access_token_env"},
		{"no folder", "[[account]]\nname = \"main\"\naccess_token_file = \"none/main.token\"\n", "there is no folder"},
		{"no folder but a file", "[[account]]\nname = \"main\"\naccess_token_file = \"client.pem/main.token\"\n", "folder"},
	} {
		w := newGrantor(t, simulator.Options{}, tt.account)
		a := w.app(zerolog.Nop())
		for _, dry := range []bool{true, false} {
			_, err := a.ApplyCode(t.Context(), "", secret.New([]byte(w.srv.Grant(""))), dry)
			if exitCode(err) != 2 || err == nil || !strings.Contains(err.Error(), tt.want) && !strings.Contains(err.Error(), "not a directory") || hint(err) == "" || w.applied.Load() != 0 {
				t.Errorf("%s, dry %t: ApplyCode = %v (%s) with exit code %d, %d requests", tt.name, dry, err, hint(err), exitCode(err), w.applied.Load())
			}
		}
	}
	w := newGrantor(t, simulator.Options{}, withFile)
	a := w.app(zerolog.Nop())
	if _, err := a.ApplyCode(t.Context(), "", secret.New([]byte("X")), true); err != nil {
		t.Errorf("ApplyCode, dry = %v", err)
	}
	if _, err := os.Stat(w.path("main.token")); err == nil || w.applied.Load() != 0 {
		t.Errorf("a dry run made a file or %d requests", w.applied.Load())
	}
	a = w.granted(zerolog.Nop())
	before := w.read("main.token")
	if got, err := a.RefreshTokens(t.Context(), "", false, true); err != nil || got.Asked || got.DueAt.IsZero() || w.applied.Load() != 0 || w.read("main.token") != before {
		t.Errorf("RefreshTokens, dry = %+v, %v, %d requests", got, err, w.applied.Load())
	}
	// A plan changes nothing either, not even an expired token.
	w.srv.ExpireAccessToken("")
	_, err := a.Plan(t.Context(), app.SyncOptions{}, true)
	if exitCode(err) != 4 || w.applied.Load() != 0 || !strings.Contains(hint(err), "syncer token refresh") {
		t.Errorf("Plan with an expired token = %v (%s), %d requests", err, hint(err), w.applied.Load())
	}
	w.sync(a, 0, 1)
}

// A check and the status say how long a token lives.
func TestCheckTokens(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ file, level, want string }{
		{"BARE", "ok", "a bare token"},
		{`{"access_token":"A","expires_at":"2026-12-21T04:00:00Z","refresh_token":"R"}`, "ok", "good until 2026-12-21 12:00:00 +08:00, refreshed by itself from 2026-12-18 12:00:00 +08:00"},
		{`{"access_token":"A","expires_at":"2026-11-21T03:00:00Z","refresh_token":"R"}`, "ok", "expired 2026-11-21 11:00:00 +08:00, refreshed by the next run"},
		{`{"access_token":"A","refresh_token":"R"}`, "ok", "not known, refreshed when the API says"},
		{`{"access_token":"A","expires_at":"2026-12-21T04:00:00Z"}`, "ok", "nothing refreshes it"},
		{`{"access_token":"A","expires_at":"2026-11-24T03:59:59Z"}`, "warn", "nothing refreshes it"},
		{`{"access_token":"A","expires_at":"2026-11-24T03:59:59Z","refresh_token":"R","refresh_expires_at":"2026-11-01T00:00:00Z"}`, "warn", "the refresh token expired 2026-11-01"},
		{`{"access_token":"A","expires_at":"2026-11-21T03:00:00Z"}`, "FAIL", "expired 2026-11-21"},
	} {
		w := newGrantor(t, simulator.Options{}, withFile)
		w.write("main.token", tt.file)
		found := 0
		for _, f := range w.app(zerolog.Nop()).Check(t.Context(), true) {
			if f.Subject != "token main" {
				continue
			}
			found++
			if f.Level != tt.level || !strings.Contains(f.Text, tt.want) || (f.Level == "FAIL") != (f.Code == 4) || (f.Level == "ok") != (f.Advice == "") {
				t.Errorf("%s: %+v, want %s %q", tt.file, f, tt.level, tt.want)
			}
		}
		if found != 1 {
			t.Errorf("%s: %d findings", tt.file, found)
		}
	}
	w := newGrantor(t, simulator.Options{}, withFile)
	a := w.granted(zerolog.Nop())
	w.sync(a, 0, 0)
	s, err := a.Status(t.Context())
	if err != nil || s.Accounts[0].Token == nil || !strings.Contains(s.Accounts[0].TokenEnd, "good until 2026-12-21") {
		t.Errorf("Status = %+v, %v", s.Accounts, err)
	}
}

// One account's token that goes away stops no other, and none of it is logged.
func TestTokensOfTwo(t *testing.T) {
	t.Parallel()
	w := newGrantor(t, simulator.Options{}, withFile+"[[account]]\nname = \"shop\"\nconnected_customer_id = \"C2\"\naccess_token_file = \"shop.token\"\n")
	var log memo
	a := w.app(zerolog.New(zerolog.SyncWriter(&log)).Level(zerolog.TraceLevel))
	for account, customer := range map[string]string{"main": "", "shop": "C2"} {
		if _, err := a.ApplyCode(t.Context(), account, secret.New([]byte(w.srv.Grant(customer))), false); err != nil {
			t.Fatal(err)
		}
	}
	w.sync(a, 0, 0)
	w.srv.ExpireAccessToken("C2")
	w.srv.RevokeRefreshTokens("C2")
	w.srv.ExpireAccessToken("")
	w.move(time.Hour)
	sum, err := a.Sync(t.Context(), app.SyncOptions{Trigger: "sync"})
	if exitCode(err) != 4 || sum.Accounts[0].Refused != nil || sum.Accounts[1].Refused == nil || w.applied.Load() != 2 {
		t.Errorf("Sync = %v, %d requests for tokens", err, w.applied.Load())
	}
	if err := os.Remove(w.path("shop.token")); err != nil {
		t.Fatal(err)
	}
	if sum, err = a.Sync(t.Context(), app.SyncOptions{Trigger: "sync"}); exitCode(err) != 4 || sum.Accounts[0].Refused != nil {
		t.Errorf("Sync without one's token = %v", err)
	}
	if text := log.String(); strings.Contains(text, "SIM-") || !strings.Contains(text, "access token refreshed") {
		t.Errorf("the log is %s", text)
	}
}

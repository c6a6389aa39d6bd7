package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"billsync/internal/secret"
	"billsync/internal/simulator"
	"billsync/internal/worldfirst"
)

// tokens are what a token file holds.
func (w *grantor) tokens() (access, refresh string) {
	w.t.Helper()
	var f struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(w.read("main.token")), &f); err != nil {
		w.t.Fatal(err)
	}
	return f.Access, f.Refresh
}

// An API that repeats codes and tokens in its answers does not get them into an
// error, the log or the database.
func TestEchoedTokensGoNowhere(t *testing.T) {
	t.Parallel()
	w := newGrantor(t, simulator.Options{}, withFile)
	var said memo
	a := w.granted(zerolog.New(zerolog.SyncWriter(&said)).Level(zerolog.TraceLevel))
	access, refresh := w.tokens()
	const code = "A-CODE-OF-A-GRANT"
	echo := func(path, message string) {
		w.srv.SetFault(func(r simulator.Request) simulator.Fault {
			if r.Path == path {
				return simulator.Fault{Kind: simulator.Result, Code: "OAUTH_FAIL", Message: message}
			}
			return simulator.Fault{}
		})
	}
	note := func(err error, words string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("the error is %v, want %q in it", err, words)
		}
		fmt.Fprintln(&said, err, hint(err))
	}
	echo(worldfirst.ApplyTokenPath, "the refresh token "+refresh+" is not valid")
	_, err := a.RefreshTokens(t.Context(), "", false, false)
	note(err, "the refresh token *** is not valid")
	echo(worldfirst.ApplyTokenPath, "there is no code "+code)
	_, err = a.ApplyCode(t.Context(), "", secret.New([]byte(code)), false)
	note(err, "there is no code ***")
	echo(worldfirst.QueryBillListPath, "access token "+access+" is not known")
	note(w.sync(a, 4, 0), "access token *** is not known")
	search := func() (found []byte) {
		t.Helper()
		files, err := filepath.Glob(w.path("*"))
		if err != nil || len(files) < 4 {
			t.Fatalf("%q, %v", files, err)
		}
		for _, name := range files {
			if name == w.path("main.token") {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, text...)
		}
		return found
	}
	if found := search(); !bytes.Contains(found, []byte("access token *** is not known")) {
		t.Errorf("no evidence was kept")
	} else {
		said.Write(found)
	}
	// A refresh that is due, and one because the API says that the token expired.
	echo(worldfirst.ApplyTokenPath, "the refresh token "+refresh+" is not valid")
	w.move(28 * 24 * time.Hour)
	w.sync(a, 0, 1)
	w.srv.ExpireAccessToken("")
	w.move(time.Hour)
	note(w.sync(w.app(zerolog.New(&said)), 4, 1), "")
	if text := said.String(); !strings.Contains(text, "access token not refreshed") || !strings.Contains(text, "the refresh token ***") {
		t.Errorf("the log is %s", text)
	}
	said.Write(search())
	for _, s := range []string{access, refresh, code} {
		if strings.Contains(said.String(), s) || strings.Contains(said.String(), s[len(s)-6:]) {
			t.Errorf("%.11s… is in what the program leaves or says", s)
		}
	}
}

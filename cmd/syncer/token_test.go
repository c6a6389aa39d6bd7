package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// granted is a folder for an account that has a grant, and the grant's code.
func granted(t *testing.T, flags ...string) (dir, code string) {
	t.Helper()
	dir, code, _ = grantedUntil(t, flags...)
	return dir, code
}

// grantedUntil is granted with a function that stops the simulator.
func grantedUntil(t *testing.T, flags ...string) (dir, code string, stop func()) {
	t.Helper()
	s, stop := simulateUntil(t, append([]string{"--oauth", "--rotate"}, flags...)...)
	dir = folder(t, s, 40, "[[account]]\nname = \"main\"\naccess_token_file = \"tokens/main.token\"\n")
	if err := os.Mkdir(filepath.Join(dir, "tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	code = s.AuthCode
	if code == "" {
		t.Fatal("simulate --oauth prints no code")
	}
	put(t, filepath.Join(dir, "code"), []byte("  "+code+"\r\n"))
	return dir, code, stop
}

// secrets are the tokens in a folder's token file.
func secrets(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "tokens", "main.token"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`SIM-(ACCESS|REFRESH)-[A-Z0-9]+`).FindAllString(string(text), -1)
	if len(found) != 2 {
		t.Fatalf("the token file holds %d tokens", len(found))
	}
	return found
}

// From the grant over syncs and refreshes: the codes and tokens are in the token
// file and in no other byte that the program leaves or prints.
func TestTokensAreNowhereElse(t *testing.T) {
	t.Parallel()
	dir, code := granted(t, "--token-life", "1s")
	hidden := []string{code}
	var said bytes.Buffer
	do := func(want int, args ...string) string {
		out, errout := ran(t, dir, want, append(args, "--log-level", "debug")...)
		said.WriteString(out + errout)
		return out
	}
	do(2, "sync")
	do(0, "token", "apply", "--auth-code-file", "code")
	hidden = append(hidden, secrets(t, dir)...)
	do(0, "sync")
	do(0, "token", "refresh")
	hidden = append(hidden, secrets(t, dir)...)
	do(0, "token", "refresh", "--json")
	hidden = append(hidden, secrets(t, dir)...)
	do(0, "token", "refresh", "-n")
	do(4, "token", "apply", "--auth-code-file", "code") // a second time
	do(0, "status")
	do(0, "status", "--json")
	do(0, "check")
	do(0, "config", "show", "--origin")
	do(0, "plan", "--json")
	do(0, "status", "--evidence")
	// Refused, with the evidence kept.
	path := filepath.Join(dir, "tokens", "main.token")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	hidden = append(hidden, "NOT-A-TOKEN")
	put(t, path, []byte("NOT-A-TOKEN"))
	do(4, "sync")
	do(0, "status", "--evidence", "--json")
	do(2, "token", "refresh")
	put(t, path, text)
	do(2, "token", "apply", code)
	do(2, "token", "apply", "--auth-code-file", code)
	do(2, "token", "apply", "--auth-code="+code)

	if err := os.Remove(filepath.Join(dir, "code")); err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == path {
			return err
		}
		files++
		data, err := os.ReadFile(name)
		for _, h := range hidden {
			if bytes.Contains(data, []byte(h)) {
				t.Errorf("%s holds %.10s…", name, h)
			}
		}
		return err
	})
	if err != nil || files < 3 {
		t.Errorf("%d files were searched, %v", files, err)
	}
	for _, h := range hidden {
		if i := strings.Index(said.String(), h); i >= 0 {
			t.Errorf("the program prints %.10s…: %q", h, said.String()[max(0, i-80):i])
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token file has mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 {
		t.Errorf("beside the token file there are %v, %v", entries, err)
	}
}

// Two processes at once, refresh tokens that work once: one asks, and both end
// well.
func TestTwoProcessesRefresh(t *testing.T) {
	t.Parallel()
	dir, _ := granted(t, "--latency", "150ms")
	ran(t, dir, 0, "token", "apply", "--auth-code-file", "code")
	for round := range 3 {
		a, b := launch(t, dir, "token", "refresh", "--json"), launch(t, dir, "token", "refresh", "--json")
		asked := 0
		for _, c := range []*child{a, b} {
			var out struct{ Asked bool }
			if code := c.code(patience); code != 0 || json.Unmarshal([]byte(c.out.String()), &out) != nil {
				t.Errorf("round %d: token refresh ended with %d: %s%s", round, code, c.out, c.err)
			}
			if out.Asked {
				asked++
			}
		}
		if asked == 0 {
			t.Errorf("round %d: nobody asked", round)
		}
	}
	ran(t, dir, 0, "sync")
}

// A door stands between the program of a folder and its API: a request waits at it
// until it is open. One whose client has gone never comes through.
type door struct {
	knocked, open chan struct{}
	remove        func()
}

// newDoor puts a closed door before the API of a folder.
func newDoor(t *testing.T, dir string) *door {
	t.Helper()
	config := filepath.Join(dir, "config.toml")
	text := readFile(t, config)
	base := regexp.MustCompile(`base_url = "(.+)"`).FindStringSubmatch(text)
	if base == nil {
		t.Fatalf("there is no base_url in\n%s", text)
	}
	behind, err := url.Parse(base[1])
	if err != nil {
		t.Fatal(err)
	}
	d := &door{knocked: make(chan struct{}), open: make(chan struct{})}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // else nobody notices that the client has gone
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		select {
		case d.knocked <- struct{}{}:
		case <-r.Context().Done():
			return
		}
		select {
		case <-d.open:
			proxy.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(srv.Close)
	put(t, config, []byte(strings.Replace(text, base[1], srv.URL, 1)))
	d.remove = func() { put(t, config, []byte(text)) }
	return d
}

// Killed while it waits for the answer, the tokens are those from before; told
// to stop, it takes the answer that is on its way.
func TestRefreshKilled(t *testing.T) {
	t.Parallel()
	dir, _ := granted(t)
	ran(t, dir, 0, "token", "apply", "--auth-code-file", "code")
	before := secrets(t, dir)
	room := filepath.Join(dir, "tokens", "main.token.new")
	waits := func(d *door, c *child) {
		t.Helper()
		select {
		case <-d.knocked:
		case <-c.ended:
			t.Fatalf("token refresh asked for nothing: %s", c.err)
		case <-time.After(patience):
			t.Fatalf("token refresh asks for nothing: %s", c.err)
		}
		if info, err := os.Stat(room); err != nil || info.Size() == 0 {
			t.Fatalf("token refresh made no room for its answer: %v: %s", err, c.err)
		}
	}
	d := newDoor(t, dir)
	c := launch(t, dir, "token", "refresh")
	waits(d, c)
	c.signal(os.Kill)
	<-c.ended
	d.remove()
	if got := secrets(t, dir); fmt.Sprint(got) != fmt.Sprint(before) {
		t.Errorf("killed, the tokens changed")
	}
	ran(t, dir, 0, "token", "refresh")
	if _, err := os.Stat(room); err == nil {
		t.Errorf("the room of the killed process is still there")
	}

	dir, _ = granted(t)
	ran(t, dir, 0, "token", "apply", "--auth-code-file", "code")
	before = secrets(t, dir)
	room = filepath.Join(dir, "tokens", "main.token.new")
	d = newDoor(t, dir)
	c = launch(t, dir, "token", "refresh")
	waits(d, c)
	c.signal(os.Interrupt)
	close(d.open)
	if code := c.code(patience); code != 0 && code != 130 {
		t.Errorf("token refresh stopped by SIGINT ended with %d: %s", code, c.err)
	}
	if got := secrets(t, dir); fmt.Sprint(got) == fmt.Sprint(before) {
		t.Errorf("the answer that was on its way was thrown away")
	}
	d.remove()
	ran(t, dir, 0, "token", "refresh")
}

// The code is read from standard input, too, also within the address to which
// the browser was sent; the token's file may be a link.
func TestApplyFromStandardInput(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"%s\n", "https://shop.example/?authResult=SUCCESS&code=%s", "https://shop.example/back?state=x&authCode=%s\n"} {
		dir, code := granted(t)
		real := filepath.Join(t.TempDir(), "real")
		link := filepath.Join(dir, "tokens", "main.token")
		if err := os.Symlink(real, link); err != nil {
			t.Fatal(err)
		}
		cmd := executable(dir, "token", "apply", "--auth-code-file", "-")
		cmd.Stdin = strings.NewReader(fmt.Sprintf(form, code))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", form, err, out)
		}
		contains(t, "token apply", string(out), "account main: the code was exchanged for tokens", "access token   good until ", "refresh token  good until ", "main.token (mode 0600)")
		if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("the link is %v, %v", info, err)
		}
		ran(t, dir, 0, "sync")
	}
}

func TestAuthCode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"CODE-1": "CODE-1", " CODE-1\r\n": "CODE-1", "\ufeffCODE-1": "CODE-1", "a+b/c=": "a+b/c=",
		"https://d/?authResult=SUCCESS&code=C%2B1": "C+1", "https://d/p?code=C1#x": "C1", "http://127.0.0.1:8/?authCode=C1&state=s": "C1",
		"": "", " \n": "", "two words": "", "two\nlines": "", "n\u00f6": "", "nul\x00": "",
		"https://d/?authResult=FAIL&code=C1": "", "https://d/?authResult=SUCCESS": "", "https://d/?code=": "", "https://d/?code=C1&code=C2": "",
		"https://d/?code=C1&authCode=C2": "", "https://d/?code=C%0A1": "", "https://d/?code=%zz": "", "https://[/?code=C1": "",
	} {
		code, err := authCode([]byte(text))
		if string(code.Reveal()) != want || (err == nil) != (want != "") {
			t.Errorf("authCode(%q) = %q, %v, want %q", text, code.Reveal(), err, want)
		}
		if err != nil && strings.Contains(err.Error(), "C1") {
			t.Errorf("authCode(%q) repeats the text: %v", text, err)
		}
	}
}

// FuzzAuthCode: what is found is a word that was in the text, and an error holds
// nothing of it.
func FuzzAuthCode(f *testing.F) {
	for _, seed := range []string{"CODE-1", "https://d/?authResult=SUCCESS&code=C%2B1", "://?code=a", "a b"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		code, err := authCode(bytes.Clone(text))
		if err != nil {
			if code.Reveal() != nil || exitCode(t.Context(), err) != exitUsage {
				t.Errorf("authCode(%q) = %q, %v", text, code.Reveal(), err)
			}
			return
		}
		if len(code.Reveal()) == 0 || bytes.ContainsAny(code.Reveal(), " \r\n\x00") {
			t.Errorf("authCode(%q) = %q", text, code.Reveal())
		}
	})
}

// A place where tokens cannot be kept is told before the code is spent.
func TestApplyWithoutAPlace(t *testing.T) {
	t.Parallel()
	dir, _ := granted(t)
	lock := filepath.Join(dir, "tokens", "main.token.lock")
	if err := os.Mkdir(lock, 0o700); err != nil {
		t.Fatal(err)
	}
	_, errout := ran(t, dir, 2, "token", "apply", "--auth-code-file", "code")
	contains(t, "token apply", errout, "nothing was asked", "hint: tokens are replaced")
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	ran(t, dir, 0, "token", "apply", "--auth-code-file", "code") // the code is as good as before
}

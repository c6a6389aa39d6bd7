package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"billsync/internal/app"
	"billsync/internal/bill"
	"billsync/internal/card"
	"billsync/internal/secret"
	"billsync/internal/simulator"
)

// The secrets of these tests. The number passes no check, and the CVV is long
// enough to be found: so that nothing but care keeps them out.
const (
	secretNumber = "5555550000004243"
	secretCVV    = "enc:Zq7-cvv"
)

// withCards serves a few bills, and cards of the own account and of account A1.
func withCards(t *testing.T, cards ...simulator.Card) (settings, *simulator.Server) {
	t.Helper()
	l := simulator.NewLedger()
	l.Add("", simulator.Entry{Bill: bill.Bill{OrderNo: "1", AssetID: "CARD1", CardLast4: "4243", TransactionTime: time.Now().Add(-48 * time.Hour)}})
	for _, customer := range []string{"", "A1"} {
		l.SetCard(customer, simulator.Card{AssetID: "CARD1", Number: secretNumber, CVV: secretCVV, Month: "7", Year: "29"})
		for _, c := range cards {
			l.SetCard(customer, c)
		}
	}
	return serveBook(t, l)
}

const accountA1 = "[[account]]\nname = \"main\"\nconnected_account_id = \"A1\"\n"

// Every result code of the page ends with its exit code, its words and what to do,
// after one request.
func TestCardCodes(t *testing.T) {
	t.Parallel()
	s, srv := withCards(t)
	dir := folder(t, s, 30, accountA1)
	for _, tt := range []struct {
		code, status string
		want         int
		hint         string
	}{
		{"PARAM_ILLEGAL", "F", 3, "Check the ASSET_ID, and the account's connected_account_id"},
		{"SYSTEM_ERROR", "F", 3, "Do not repeat it; contact WorldFirst Technical Support."},
		{"SERVICE_NOT_ALLOWED", "F", 4, "try again; if it stays, contact WorldFirst Technical Support"},
		{"UNKNOWN_EXCEPTION", "U", 3, "try again by hand, no sooner than the documented schedule says. If that does not resolve it, contact WorldFirst Technical Support."},
		{"REQUEST_TRAFFIC_EXCEED_LIMIT", "U", 3, "try again by hand, no sooner than the documented schedule says. If it keeps happening, "},
		{"OAUTH_FAIL", "F", 4, "contact WorldFirst Technical Support"},
		{"INVALID_API", "F", 4, "Check base_url"},
		{"INVALID_CLIENT", "F", 4, "client_id does not exist"},
		{"INVALID_SIGNATURE", "F", 4, "private_key_file"},
		{"METHOD_NOT_SUPPORTED", "F", 4, "POST"},
		{"CONTRACT_CHECK_FAIL", "F", 4, "the state of the contract, then try again"},
		{"USER_NOT_EXIST", "F", 4, "Correct the account's connected customer or account id and try again"},
		{"AUTHORIZATION_NOT_EXIST", "F", 4, "ask WorldFirst Technical Support to verify the authorization"},
		{"RISK_REJECT", "F", 4, "contact WorldFirst Technical Support or your account manager"},
		{"NEVER_SEEN", "F", 3, "not documented"},
		{"NEVER_SEEN", "U", 3, "The schedule: not before "},
	} {
		srv.SetFault(func(simulator.Request) simulator.Fault {
			return simulator.Fault{Kind: simulator.Result, Code: tt.code, Status: tt.status, Message: "words of the provider"}
		})
		before := srv.Requests()
		begun := time.Now()
		out, errout := ran(t, dir, tt.want, "card", "show", "CARD1", "--reveal", "--json")
		contains(t, "standard error for "+tt.code, errout, "words of the provider ("+tt.code+")", "\nhint: ", tt.hint, "account main, card CARD1: queryCardSensitiveInfo ")
		contains(t, "standard output for "+tt.code, out, fmt.Sprintf(`{"type":"error","code":%d,`, tt.want))
		if n := srv.Requests() - before; n != 1 || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %d requests and %q, want one request and one document", tt.code, n, out)
		}
		schedule := regexp.MustCompile(`The schedule: not before (\S+ \S+ \S+) \(in 5 min\), then after another 10, 20, 40, 80, 160 and 320 minutes, 7 times at most\. Nothing is asked again by itself\.`).FindStringSubmatch(errout)
		if (schedule != nil) != (tt.status == "U") {
			t.Errorf("%s %s: the schedule is told wrongly: %s", tt.code, tt.status, errout)
		}
		if schedule != nil {
			at, err := time.Parse("2006-01-02 15:04:05 -07:00", schedule[1])
			if err != nil || at.Before(begun.Add(5*time.Minute)) || at.After(time.Now().Add(5*time.Minute+time.Second)) {
				t.Errorf("%s: %q, %v, want five minutes from now", tt.code, schedule[1], err)
			}
		}
	}
	srv.SetFault(func(simulator.Request) simulator.Fault {
		return simulator.Fault{Kind: simulator.Result, RetryAfter: 40 * time.Minute}
	})
	_, errout := ran(t, dir, 3, "card", "show", "CARD1")
	contains(t, "what is said of a longer pause", errout, "(in 40 min), then after another 10, 20, ")

	// A partner who forgot the id that this call wants.
	srv.SetFault(func(simulator.Request) simulator.Fault {
		return simulator.Fault{Kind: simulator.Result, Code: "AUTHORIZATION_NOT_EXIST"}
	})
	other := folder(t, s, 30, "[[account]]\nname = \"main\"\nconnected_customer_id = \"C1\"\n")
	_, errout = ran(t, other, 4, "card", "show", "CARD1")
	contains(t, "what is said without an account id", errout, "by connected_account_id, which is not configured")
}

// What goes wrong otherwise, and what is shown then.
func TestCardFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind     simulator.FaultKind
		want     int
		requests int64
		shown    bool
		says     []string
	}{
		{simulator.None, 0, 1, true, nil},
		{simulator.Drop, 3, 3, false, []string{"got no answer", "Try again by hand"}},
		{simulator.DropAfter, 3, 3, false, []string{"got no answer", "Try again by hand"}},
		{simulator.HTTP, 3, 3, false, []string{"HTTP 502", "Try again by hand"}},
		{simulator.Garbage, 3, 3, false, []string{"no result of the API"}},
		{simulator.Empty, 3, 3, false, []string{"no result of the API"}},
		{simulator.NoResult, 3, 3, false, []string{"no result of the API"}},
		{simulator.EmptyList, 3, 3, false, []string{"cardNo, cvv, expiredMonth, expiredYear are missing"}},
		{simulator.BadSignature, 4, 1, false, []string{"SIGNATURE_UNVERIFIED", "Nothing of the answer was used"}},
		{simulator.NoSignature, 4, 1, false, []string{"SIGNATURE_UNVERIFIED"}},
		{simulator.WrongPage, 3, 1, false, []string{"the answer is about another card: its assetId is not the one asked for; nothing of the answer is shown"}},
		{simulator.StalePage, 4, 1, false, []string{`the card belongs to accountId "A10", but connected_account_id is "A1"; nothing of the answer is shown`, "--account"}},
		{simulator.ShortPage, 3, 1, true, []string{"the answer is incomplete, it lacks cvv", "What there is is shown"}},
	} {
		t.Run(tt.kind.String(), func(t *testing.T) {
			t.Parallel()
			s, srv := withCards(t)
			srv.SetFault(func(simulator.Request) simulator.Fault { return simulator.Fault{Kind: tt.kind} })
			dir := folder(t, s, 30, accountA1)
			for _, args := range [][]string{{"--json", "--reveal"}, {"--json"}, {}} {
				before := srv.Requests()
				out, errout := ran(t, dir, tt.want, append([]string{"card", "show", "CARD1"}, args...)...)
				contains(t, "standard error", errout, tt.says...)
				if n := srv.Requests() - before; n != tt.requests {
					t.Errorf("%v: %d requests, want %d", args, n, tt.requests)
				}
				revealed, last4 := strings.Contains(out, secretNumber), strings.Contains(out, "************4243")
				if revealed != (tt.shown && len(args) == 2) || last4 != (tt.shown && len(args) < 2) {
					t.Errorf("%v prints %q", args, out)
				}
				if strings.Contains(errout, secretNumber) || strings.Contains(errout, secretCVV) || strings.Contains(errout, "4243") {
					t.Errorf("%v says %q", args, errout)
				}
				if len(args) > 0 && !json.Valid([]byte(out)) {
					t.Errorf("%v prints %q, want one JSON document", args, out)
				}
				if tt.kind == simulator.ShortPage && len(args) > 0 {
					contains(t, "the document", out, `"missing":["cvv"]`, `"cvv":null`, `"error":{"code":3,`)
				}
				if tt.kind == simulator.ShortPage && len(args) == 0 {
					contains(t, "the text", out, "\nCVV         not in the answer\n")
				}
			}
		})
	}
}

// Values that are not as documented are shown as they came.
func TestOddCards(t *testing.T) {
	t.Parallel()
	odd := "a\x1b[2J\u202e\"\\\u0085b\U000e0001é"
	s, _ := withCards(t,
		simulator.Card{AssetID: "ODD", AccountID: "A1", Number: odd, CVV: "12", Month: "13", Year: "2029"},
		simulator.Card{AssetID: "NONUMBER", AccountID: "A1", CVV: "0123", Month: "07", Year: "00"})
	dir := folder(t, s, 30, accountA1)
	out, errout := ran(t, dir, 0, "card", "show", "ODD", "--reveal", "--json")
	var doc struct {
		Number string   `json:"card_no"`
		CVV    string   `json:"cvv"`
		Month  string   `json:"expired_month"`
		Year   string   `json:"expired_year"`
		Odd    []string `json:"not_as_documented"`
		Same   bool     `json:"account_id_compared"`
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || doc.Number != odd || doc.CVV != "12" || doc.Month != "13" || doc.Year != "2029" || len(doc.Odd) != 4 || !doc.Same {
		t.Errorf("the document is %q: %+v, %v", out, doc, err)
	}
	if strings.ContainsFunc(strings.TrimSuffix(out, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("the document holds characters that are not printed: %q", out)
	}
	contains(t, "standard error", errout, "note: not of the documented form: cardNo, cvv, expiredMonth, expiredYear; it is shown as received\n")
	out, errout = ran(t, dir, 0, "card", "show", "ODD")
	contains(t, "the masked text", out, "account id  A1  (as configured)\nnumber      ***\nCVV         ***\nexpires     **/**\n")
	contains(t, "standard error", errout, "--reveal shows it as received")
	out, _ = ran(t, dir, 3, "card", "show", "NONUMBER", "--json", "--reveal")
	contains(t, "a document without a number", out, `"missing":["cardNo"]`, `"card_no":null,"cvv":"0123","expired_month":"07","expired_year":"2000"}`)
}

// leaking lists the files below a folder that hold one of the secrets.
func leaking(t *testing.T, root string, secrets ...string) (leaks []string, files int) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		files++
		for _, s := range secrets {
			if bytes.Contains(data, []byte(s)) {
				leaks = append(leaks, path+": "+s)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return leaks, files
}

// Every byte that is left behind, whatever the API answers, with everything
// logged: neither number nor CVV is in it.
func TestCardLeavesNothing(t *testing.T) {
	t.Parallel()
	s, srv := withCards(t)
	root := t.TempDir()
	for _, d := range []string{"home", "tmp", "cache", "logs"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	work := filepath.Join(root, "work")
	if err := os.Rename(folder(t, s, 30, "[log]\nlevel = \"debug\"\n"+accountA1), work); err != nil {
		t.Fatal(err)
	}
	n := 0
	left := func(want int, args ...string) string {
		t.Helper()
		n++
		cmd := executable(work, append([]string{"card", "show", "CARD1"}, args...)...)
		cmd.Env = append(cmd.Env, "HOME="+filepath.Join(root, "home"), "TMPDIR="+filepath.Join(root, "tmp"), "XDG_CACHE_HOME="+filepath.Join(root, "cache"),
			"XDG_CONFIG_HOME="+filepath.Join(root, "cache"), "GOTRACEBACK=all")
		log, err := os.Create(filepath.Join(root, "logs", fmt.Sprint(n)))
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, log
		if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
			t.Errorf("%v: %v, want exit code %d", args, err, want)
		}
		return out.String()
	}
	all := func(kinds []simulator.FaultKind) {
		t.Helper()
		if out := left(0); strings.Contains(out, secretNumber) || strings.Contains(out, secretCVV) {
			t.Errorf("masked: %s", out)
		}
		if out := left(0, "--json"); strings.Contains(out, secretNumber) || strings.Contains(out, secretCVV) {
			t.Errorf("masked in JSON: %s", out)
		}
		// Were it not here, the search below would prove nothing.
		if out := left(0, "--json", "--reveal"); !strings.Contains(out, secretNumber) || !strings.Contains(out, secretCVV) {
			t.Errorf("revealed in JSON: %s", out)
		}
		left(2, "--reveal")
		for _, kind := range kinds {
			want := map[simulator.FaultKind]int{simulator.BadSignature: 4, simulator.NoSignature: 4, simulator.StalePage: 4, simulator.Slow: 0}
			code, ok := want[kind]
			if !ok {
				code = 3
			}
			srv.SetFault(func(r simulator.Request) simulator.Fault {
				return simulator.Fault{Kind: kind, Delay: time.Millisecond, Message: "card " + secretNumber}
			})
			left(code, "--json", "--reveal")
		}
		srv.SetFault(nil)
	}
	all(simulator.FaultKinds()) // without a database
	c := launch(t, work, "run")
	c.says(`"message":"run ended"`, 1)
	all([]simulator.FaultKind{simulator.Garbage, simulator.StalePage}) // beside a daemon, its log not yet written back
	if leaks, files := leaking(t, root, secretNumber, secretCVV); len(leaks) > 0 || files < 25 {
		t.Errorf("of %d files these hold a secret: %q", files, leaks)
	}
	c.signal(os.Interrupt)
	if code := c.code(patience); code != 0 {
		t.Errorf("the daemon ended with %d", code)
	}
	leaks, _ := leaking(t, root, secretNumber, secretCVV)
	if all := c.out.String() + c.err.String(); len(leaks) > 0 || strings.Contains(all, secretNumber) || strings.Contains(all, secretCVV) {
		t.Errorf("after the daemon's end these hold a secret: %q", leaks)
	}
	logs, err := os.ReadFile(filepath.Join(root, "logs", "3"))
	if err != nil || !strings.Contains(string(logs), `"account":"main","asset_id":"CARD1","account_id":"A1","revealed":true`) || !strings.Contains(string(logs), `"level":"debug"`) {
		t.Errorf("the log of what was revealed is %q, %v", logs, err)
	}
}

// A revealing is standard output that keeps the very memory it was given, and may
// have a bug in it.
type revealing struct {
	bytes.Buffer
	given [][]byte
	bug   func(p []byte)
}

func (r *revealing) Write(p []byte) (int, error) {
	if r.bug != nil {
		r.bug(p)
	}
	r.given = append(r.given, p)
	return r.Buffer.Write(p)
}

// A bug while the details are in hand leaves nothing of them in the report, and
// what was written out is overwritten.
func TestCardPanics(t *testing.T) {
	s, _ := withCards(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	dir := folder(t, s, 30, accountA1)
	config := filepath.Join(dir, "config.toml")
	for name, tt := range map[string]struct {
		bug  func(p []byte)
		says string
	}{
		"none":            {nil, ""},
		"of a text":       {func(p []byte) { panic(string(p)) }, "syncer: this is a bug: its words are withheld, card details were in hand\nhint: please report it; the details are in "},
		"of an error":     {func(p []byte) { panic(fmt.Errorf("writing %s", p)) }, "its words are withheld"},
		"of the runtime":  {func(p []byte) { _ = p[len(p)] }, "syncer: this is a bug: runtime error: index out of range"},
		"of the secret":   {func(p []byte) { panic(secret.New(p)) }, "its words are withheld"},
		"while panicking": {func(p []byte) { defer func() { panic(string(p)) }(); panic("x") }, "its words are withheld"},
	} {
		stdout, stderr := &revealing{bug: tt.bug}, &bytes.Buffer{}
		g := &globals{stdin: strings.NewReader(""), stdout: stdout, stderr: stderr, now: time.Now}
		code := run(t.Context(), g, []string{"card", "show", "CARD1", "--reveal", "--json", "--config", config, "--log-level", "debug"})
		if want := map[bool]int{true: 0, false: 1}[tt.bug == nil]; code != want || !strings.Contains(stderr.String(), tt.says) {
			t.Errorf("%s: ended with %d and says %s", name, code, stderr)
		}
		if strings.Contains(stderr.String(), secretNumber) || strings.Contains(stderr.String(), secretCVV) {
			t.Errorf("%s: standard error holds a secret: %s", name, stderr)
		}
		if tt.bug != nil {
			continue
		}
		if out := stdout.String(); !strings.Contains(out, secretNumber) || !strings.Contains(out, secretCVV) {
			t.Errorf("printed is %q", out)
		}
		for _, p := range stdout.given {
			if strings.Trim(string(p), "\x00") != "" {
				t.Errorf("what was written out is still there: %q", p)
			}
		}
	}
	leaks, files := leaking(t, tmp, secretNumber, secretCVV)
	if len(leaks) > 0 || files < 5 {
		t.Errorf("of %d reports of bugs these hold a secret: %q", files, leaks)
	}
	reports, _ := filepath.Glob(filepath.Join(tmp, "syncer-crash-*.txt"))
	for _, r := range reports {
		if data, err := os.ReadFile(r); err != nil || !strings.Contains(string(data), "revealing).Write") {
			t.Errorf("%s does not say where the bug is: %s, %v", r, data, err)
		}
	}
}

// FuzzShownSecrets: whatever a secret is, its text for a terminal holds nothing
// that moves the cursor, its JSON says the same, and neither leaves a copy.
func FuzzShownSecrets(f *testing.F) {
	for _, s := range []string{secretNumber, "", "\x1b[2J\x00", "\xff\xc0", "\u2028\u202e\U0001f4b3\U000e0001", `"\`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c := &app.Card{Details: card.Details{Number: secret.New(text)}}
		for name, b := range map[string][]byte{
			"terminal": appendShown(room(c, 16), c.Number, true, ""),
			"JSON":     appendQuoted(room(c, 16), text),
		} {
			if cap(b) != cap(room(c, 16)) {
				t.Errorf("%s: %q outgrew its room: %d of %d", name, text, len(b), cap(room(c, 16)))
			}
			if strings.ContainsFunc(string(b), func(r rune) bool { return !unicode.IsPrint(r) && r != utf8.RuneError }) {
				t.Errorf("%s: %q is shown as %q", name, text, b)
			}
			var said string
			if want := string(bytes.ToValidUTF8(text, nil)); name == "JSON" && utf8.Valid(text) {
				if err := json.Unmarshal(b, &said); err != nil || said != want {
					t.Errorf("%q is %s in JSON, which says %q, %v", text, b, said, err)
				}
			} else if name == "JSON" && !json.Valid(b) {
				t.Errorf("%q is %s, which is no JSON", text, b)
			}
		}
	})
}

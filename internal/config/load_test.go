package config_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"billsync/internal/config"
)

var update = flag.Bool("update", false, "rewrite config.toml at the top")

// noon is the present in these tests.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func options(environ ...string) config.Options {
	return config.Options{
		Environ: environ,
		Now:     func() time.Time { return noon },
		CheckCron: func(expr string) error {
			if expr == "never" {
				return errors.New(`"never" is no schedule`)
			}
			return nil
		},
	}
}

// ignoreFile leaves out what differs by where a configuration came from.
var ignoreFile = cmp.Options{
	cmpopts.IgnoreFields(config.Config{}, "File"),
	cmpopts.IgnoreUnexported(config.Config{}),
	cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
}

// The file at the top is what the table of keys says, and what it says is the
// default.
func TestShippedFile(t *testing.T) {
	const name = "../../config.toml"
	if *update {
		if err := os.WriteFile(name, []byte(config.Template(nil)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Template(nil), string(data)); diff != "" {
		t.Errorf("config.toml is not Template(nil); run go test ./internal/config -update\n%s", diff)
	}
	got, err := config.Parse(name, data, options())
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Database.URL, _ = filepath.Abs("../../bills.db")
	if diff := cmp.Diff(want, got, ignoreFile); diff != "" {
		t.Errorf("config.toml does not hold the defaults (-default +file):\n%s", diff)
	}
}

// The defaults, in words of this test's own.
func TestDefault(t *testing.T) {
	shanghai, _ := time.LoadLocation("Asia/Shanghai")
	m := time.Minute
	want := &config.Config{
		API:      config.API{BaseURL: "simulator", KeyVersion: 2, Timeout: 30 * time.Second, RequestsPerSecond: 5, Concurrency: 4},
		Database: config.Database{URL: "bills.db"},
		Sync: config.Sync{
			HistoryStart: config.Date{Year: 2024, Month: 1, Day: 1}, Timezone: shanghai,
			WindowDays: 100, PageSize: 100, TailDays: 7, RefreshDays: 90, AuditDays: 30,
			RetrySchedule: []time.Duration{5 * m, 10 * m, 20 * m, 40 * m, 80 * m, 160 * m, 320 * m},
		},
		Schedule: config.Schedule{Sync: "*/15 * * * *", Refresh: "30 2 * * *", Timezone: shanghai},
		Report:   config.Report{Timezone: shanghai},
		Export: config.Export{
			OFX:       config.OFX{Kind: "card"},
			Beancount: config.Journal{Account: "Liabilities:WorldFirst:WorldCard", ExpenseAccount: "Expenses:Uncategorized"},
			Hledger:   config.Journal{Account: "liabilities:worldfirst:worldcard", ExpenseAccount: "expenses:uncategorized"},
		},
		Reconcile: config.Reconcile{SpendSign: "negative", DateFormat: "auto", Days: "0..5", TolerancePercent: "0.5", ToleranceLimit: "1.00"},
		Webhook:   config.Webhook{Path: "/notify/bill"},
		Log:       config.Log{Level: "info", Format: "auto"},
		Accounts:  []config.Account{{Name: "main", Enabled: true}},
	}
	if diff := cmp.Diff(want, config.Default(), ignoreFile); diff != "" {
		t.Errorf("Default() (-want +got):\n%s", diff)
	}
}

// Each file in testdata has one mistake, and its first line says which.
func TestMistakes(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("testdata/*.toml")
	if len(files) < 40 {
		t.Fatalf("only %d files in testdata", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".toml"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(data), "\n")
			want, ok := strings.CutPrefix(first, "# want: ")
			if !ok {
				t.Fatalf("%s does not begin with # want", file)
			}
			_, err = config.Parse("config.toml", data, options())
			if err == nil {
				t.Fatalf("Parse found nothing wrong; want\n%s", want)
			}
			if err.Error() != want {
				t.Errorf("Parse says\n%v\nwant\n%s", err, want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the message gives a secret away: %v", err)
			}
		})
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	text := `
[sync]
window_days = 101
page_size = "many"
[api]
base_url = "https://open-sea.worldfirst.com"
colour = "red"
[[account]]
name = "a b"
`
	_, err := config.Parse("config.toml", []byte(text), options("SYNCER_API_CONCURRENCY=0", "SYNCER_LOG_LEVEL=loud"))
	want := `8 mistakes in the configuration:
  config.toml:3:1: sync.window_days: 101 is not allowed; 7 to 100
  config.toml:4:1: sync.page_size: "many" is no whole number; 1 to 100
  config.toml:7:1: api.colour: unknown key; [api] has base_url, client_id, private_key_file, server_public_key_file, key_version, timeout, requests_per_second, concurrency
  config.toml:9:1: account.name: "a b" is not allowed; 1 to 64 letters, digits, - and _
  SYNCER_API_CONCURRENCY: api.concurrency: "0" is not allowed; 1 to 64
  SYNCER_LOG_LEVEL: log.level: "loud" is not allowed; debug, info, warn or error
  config.toml: api.client_id: missing; required unless api.base_url is "simulator"
  config.toml: api.private_key_file: missing; required unless api.base_url is "simulator"`
	if err == nil || err.Error() != want {
		t.Errorf("Parse says\n%v\nwant\n%s", err, want)
	}
}

func TestWaysToWriteIt(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"[api]\nrequests_per_second = 7\n[[account]]\nname = \"x\"\n",
		"\ufeff[api]\r\nrequests_per_second = 7.0\r\n[[account]]\r\nname = \"x\"\r\n",
		"api.requests_per_second = 7.0\naccount = [{name = 'x'}]\n",
		"api = {requests_per_second = 0x7}\naccount = [ # one\n {name = \"x\"},\n]\n",
	} {
		c, err := config.Parse("config.toml", []byte(text), options())
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
			continue
		}
		if c.API.RequestsPerSecond != 7 || len(c.Accounts) != 1 || c.Accounts[0].Name != "x" || !c.Accounts[0].Enabled {
			t.Errorf("Parse(%q) = %+v, %+v", text, c.API, c.Accounts)
		}
	}
}

func TestHistoryStart(t *testing.T) {
	t.Parallel()
	text := `
[sync]
history_start = 2024-03-01
timezone = "+08:00"
[[account]]
name = "a"
[[account]]
name = "b"
history_start = "2026-11-21" # today, in this zone
enabled = false
`
	c, err := config.Parse("config.toml", []byte(text), options())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "2024-02-29T16:00:00Z", "b": "2026-11-20T16:00:00Z"} {
		a, _ := c.Account(name)
		if got := c.HistoryStart(a).UTC().Format(time.RFC3339); got != want {
			t.Errorf("HistoryStart(%s) = %s, want %s", name, got, want)
		}
	}
	if on := c.Enabled(); len(on) != 1 || on[0].Name != "a" {
		t.Errorf("Enabled() = %+v, want a alone", on)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write := func(name, level string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("[log]\nlevel = \""+level+"\"\n[database]\nurl = \"b.db\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := options("XDG_CONFIG_HOME="+filepath.Join(dir, "xdg"), "HOME="+dir)

	_, err := config.Load(o)
	var missing *config.NotFoundError
	if !errors.As(err, &missing) || missing.ExitCode() != 2 || !strings.Contains(missing.Hint(), "syncer init") {
		t.Errorf("Load without any file: %v, want a NotFoundError", err)
	}
	write("xdg/syncer/config.toml", "debug")
	write("env.toml", "error")
	for _, step := range []struct{ what, file, level string }{
		{"XDG_CONFIG_HOME", "xdg/syncer/config.toml", "debug"},
		{"./config.toml", "config.toml", "warn"},
		{"SYNCER_CONFIG", "env.toml", "error"},
		{"--config", "sub/flag.toml", "info"},
	} {
		switch step.what {
		case "./config.toml":
			write(step.file, step.level)
		case "SYNCER_CONFIG":
			o.Environ = append(o.Environ, "SYNCER_CONFIG="+step.file)
		case "--config":
			write(step.file, step.level)
			o.Path = step.file
		}
		c, err := config.Load(o)
		if err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if want := filepath.Join(dir, step.file); c.File != want || c.Log.Level != step.level {
			t.Errorf("%s: Load read %s with level %s, want %s with %s", step.what, c.File, c.Log.Level, want, step.level)
		}
		if want := filepath.Join(dir, filepath.Dir(step.file), "b.db"); c.Database.URL != want {
			t.Errorf("%s: database.url = %s, want %s", step.what, c.Database.URL, want)
		}
	}
	o.Path = "nowhere.toml"
	if _, err := config.Load(o); !errors.As(err, &missing) || missing.File != "nowhere.toml" {
		t.Errorf("Load(nowhere.toml): %v, want a NotFoundError with the name", err)
	}
	o.Path = "."
	if _, err := config.Load(o); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("Load(a folder): %v", err)
	}
}

func TestShow(t *testing.T) {
	t.Parallel()
	o := options("SYNCER_SYNC_PAGE_SIZE=50")
	o.Flags = map[string]string{"log.level": "debug"}
	c, err := config.Parse("/etc/syncer/config.toml", []byte("[sync]\n\ntail_days = 9\nretry_schedule = [\"90m\", \"2h\"]\n"), o)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]config.Setting)
	for _, s := range c.Show() {
		got[s.Key] = s
	}
	for _, want := range []config.Setting{
		{Key: "sync.tail_days", Value: "9", Origin: "/etc/syncer/config.toml:3"},
		{Key: "sync.retry_schedule", Value: `["1h30m", "2h"]`, Origin: "/etc/syncer/config.toml:4"},
		{Key: "sync.page_size", Value: "50", Origin: "SYNCER_SYNC_PAGE_SIZE"},
		{Key: "log.level", Value: `"debug"`, Origin: "--log-level"},
		{Key: "api.requests_per_second", Value: "5.0", Origin: "default"},
		{Key: "database.url", Value: `"/etc/syncer/bills.db"`, Origin: "default"},
		{Key: "account.main.enabled", Value: "true", Origin: "default"},
	} {
		if got[want.Key] != want {
			t.Errorf("Show has %+v, want %+v", got[want.Key], want)
		}
	}
}

// FuzzLoad reads a file beside one variable of the environment.
func FuzzLoad(f *testing.F) {
	f.Add(config.Template(nil), "API_BASE_URL", "simulator")
	f.Add("account = [{name = 'x', enabled = true}, {}]\n", "ACCOUNT_X_HISTORY_START", "2020-02-29")
	f.Add("[a.b]\nc.d = [[1], {e = 2}]\n", "", "")
	f.Add("[[account]]\nname = \"a-b\"\n[[account]]\nname = 'c'\n", "ACCOUNT_A_B_ACCESS_TOKEN_FILE", "keys/a b.txt")
	f.Add(strings.Repeat("a", 2000)+" = 1\n[api]\n"+strings.Repeat("b", 2000)+" = 1\n", strings.Repeat("C", 2000), "")
	f.Add("[schedule]\nsync = \"\u2028\u009b\"\n", "API_PRIVATE_KEY_FILE", "\xff")
	f.Add("[log]\nlevel = \"\"\"\n\u2028\x7f\"\"\"\n", "ACCOUNT_MAIN_CONNECTED_ACCOUNT_ID", "\u009b")
	f.Add("\u009b\u2028 = 1\n", "\n", "\r")
	f.Add("[sync]\ntimezone = \"\u009b\"\nhistory_start = 2024-02-30\n", "SYNC_TIMEZONE", "-00:00")
	f.Add("[api]\nrequests_per_second = 1e-300\nkey_version = +0x7f\ntimeout = \"0.000000001h\"\n", "API_REQUESTS_PER_SECOND", "0x1p-4")
	f.Add("[report]\nmerchant_rules = ['^A{1,2}, [\"B\"] (.*) => C, $1 [D]', \"E=>F=>${0}\"]\n", "REPORT_MERCHANT_RULES", `["[, => x", 'y']`)
	f.Add("", "REPORT_MERCHANT_RULES", "^A => B, [C]+ =>[D]")
	f.Add("[webhook]\nsigned_paths = [\"/a,b\", \"/[c]\"]\n", "WEBHOOK_SIGNED_PATHS", "[\"/x\"]\n[y]")
	for _, k := range config.Keys() {
		f.Add("", strings.TrimPrefix(strings.Replace(k.Env, "<NAME>", "MAIN", 1), "SYNCER_"), strings.Trim(k.Default, `"`))
	}
	files, _ := filepath.Glob("testdata/*.toml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), "SYNC_RETRY_SCHEDULE", "90m, 2h")
	}
	f.Fuzz(func(t *testing.T, text, name, value string) {
		const file = "/etc/syncer/config.toml"
		o := options("SYNCER_"+name+"="+value, "PATH=/bin")
		c, err := config.Parse(file, []byte(text), o)
		if _, again := config.Parse(file, []byte(text), o); fmt.Sprint(again) != fmt.Sprint(err) {
			t.Fatalf("Parse(%q) says\n%v\nand then\n%v", text, err, again)
		}
		if err != nil {
			checkMistakes(t, text, err, file, "SYNCER_"+name)
			return
		}
		for _, w := range c.Warnings {
			if !isLine(w) || !strings.HasPrefix(w, "SYNCER_") && !strings.HasPrefix(w, `"SYNCER_`) {
				t.Fatalf("Parse(%q): the warning %q", text, w)
			}
		}
		if len(c.Enabled()) == 0 {
			t.Fatalf("Parse(%q) left no account", text)
		}
		// What is in force is shown, and what is shown, is read the same.
		shown := asFile(t, c)
		again, err := config.Parse(file, []byte(shown), options())
		if err != nil {
			t.Fatalf("Parse(%q) with %s=%q is shown as\n%s\nwhich is wrong: %v", text, name, value, shown, err)
		}
		if diff := cmp.Diff(c, again, ignoreFile, cmpopts.IgnoreFields(config.Config{}, "Warnings")); diff != "" {
			t.Fatalf("Parse(%q) with %s=%q is shown as\n%s\nwhich reads differently (-first +second):\n%s", text, name, value, shown, diff)
		}
		if len(c.Accounts) > 1 {
			return
		}
		// So it is from the commented file, and from the environment alone.
		values := make(map[string]string)
		environ := []string{}
		for _, s := range c.Show() {
			key := strings.Replace(s.Key, "account."+c.Accounts[0].Name+".", "account.", 1)
			values[key] = s.Value
			var said string
			if json.Unmarshal([]byte(s.Value), &said) != nil { // no text
				said = s.Value
			}
			environ = append(environ, "SYNCER_"+strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.Key))+"="+said)
		}
		values["account.name"] = config.QuoteTOML(c.Accounts[0].Name)
		for what, o := range map[string]struct {
			text string
			config.Options
		}{
			"the commented file": {config.Template(values), options()},
			"the environment":    {"[[account]]\nname = " + values["account.name"], options(environ...)},
		} {
			again, err := config.Parse(file, []byte(o.text), o.Options)
			if err != nil {
				t.Fatalf("%s of Parse(%q) is wrong: %v\n%s\n%q", what, text, err, o.text, environ)
			}
			if diff := cmp.Diff(c, again, ignoreFile, cmpopts.IgnoreFields(config.Config{}, "Warnings")); diff != "" {
				t.Fatalf("%s of Parse(%q) reads differently (-first +second):\n%s", what, text, diff)
			}
		}
	})
}

// asFile writes what Show says as a file.
func asFile(t *testing.T, c *config.Config) string {
	t.Helper()
	var b strings.Builder
	section := ""
	for _, s := range c.Show() {
		at := strings.LastIndexByte(s.Key, '.')
		if s.Key[:at] != section {
			section = s.Key[:at]
			head := "[" + section + "]"
			if name, ok := strings.CutPrefix(section, "account."); ok {
				head = "[[account]]\nname = " + config.QuoteTOML(name)
			}
			b.WriteString(head + "\n")
		}
		if !isLine(s.Value) || !json.Valid([]byte(s.Value)) {
			t.Fatalf("%s is shown as %q", s.Key, s.Value)
		}
		b.WriteString(s.Key[at+1:] + " = " + s.Value + "\n")
	}
	return b.String()
}

var place = regexp.MustCompile(`\A(.*?)(?::([0-9]+):([0-9]+))?\z`)

// checkMistakes asks of a complaint that each of its lines says where and about
// which key, and that the places are in order.
func checkMistakes(t *testing.T, text string, err error, file, variable string) {
	t.Helper()
	var all *config.Error
	if !errors.As(err, &all) || len(all.Mistakes) == 0 {
		t.Fatalf("Parse(%q): %v is no *Error", text, err)
	}
	lines := strings.Count(text, "\n") + 1
	last := 0
	for _, m := range all.Mistakes {
		s := m.String()
		if !isLine(s) || len([]rune(s)) > 600 || m.Text == "" {
			t.Fatalf("Parse(%q): the mistake %q is no short line", text, s)
		}
		if (m.Key == "") != strings.HasPrefix(m.Text, "this is not TOML: ") {
			t.Fatalf("Parse(%q): the mistake %q does not name a key", text, s)
		}
		at := place.FindStringSubmatch(m.Where)
		if at[1] != file && at[1] != variable {
			t.Fatalf("Parse(%q): the mistake %q is nowhere", text, s)
		}
		line, _ := strconv.Atoi(at[2])
		if line > lines || line > 0 && line < last || at[2] != "" && (line < 1 || at[3] == "0") {
			t.Fatalf("Parse(%q): the mistake %q is at line %d of %d, after %d", text, s, line, lines, last)
		}
		last = max(last, line)
	}
	if want := len(all.Mistakes); want > 1 && strings.Count(err.Error(), "\n") != want {
		t.Fatalf("Parse(%q): %d mistakes in\n%v", text, want, err)
	}
}

// isLine reports whether a text is one line that a terminal shows as it is.
func isLine(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029'
	})
}

package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// However little is logged, what was shown is; and where that cannot be written,
// nothing is shown.
func TestCardIsAlwaysLogged(t *testing.T) {
	t.Parallel()
	s, _ := withCards(t)
	dir := folder(t, s, 30, "[log]\nlevel = \"error\"\n"+accountA1)
	for _, flags := range [][]string{{}, {"-q"}, {"--log-level", "warn"}, {"--log-level", "error", "--log-format", "json"}} {
		for _, reveal := range []string{"false", "true"} {
			_, errout := ran(t, dir, 0, append([]string{"card", "show", "CARD1", "--json", "--reveal=" + reveal}, flags...)...)
			if n := strings.Count(errout, `"account":"main","asset_id":"CARD1","account_id":"A1","revealed":`+reveal); n != 1 || !strings.Contains(errout, `"level":"info"`) || !strings.Contains(errout, `"message":"showing card details"`) {
				t.Errorf("%v, revealed %s: the log says it %d times: %s", flags, reveal, n, errout)
			}
		}
	}
	_, errout := ran(t, dir, 0, "card", "show", "CARD1", "-q", "--log-format", "console")
	contains(t, "the log for people", errout, "INF showing card details", "asset_id=CARD1", "revealed=false")
	for _, format := range []string{"json", "console"} {
		var stdout bytes.Buffer
		g := &globals{stdin: strings.NewReader(""), stdout: &stdout, stderr: brokenLog{}, now: time.Now}
		code := run(t.Context(), g, []string{"card", "show", "CARD1", "--reveal", "--json", "--log-format", format, "--config", filepath.Join(dir, "config.toml")})
		if out := stdout.String(); code != 1 || strings.Contains(out, secretNumber) || strings.Contains(out, secretCVV) || strings.Contains(out, "4243") {
			t.Errorf("with a log that cannot be written it ends with %d and shows %q", code, out)
		}
	}
}

// A brokenLog takes nothing.
type brokenLog struct{}

func (brokenLog) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

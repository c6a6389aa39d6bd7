package app_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
)

// What is configured and not served is told, by check and when the daemon starts.
func TestUnserved(t *testing.T) {
	t.Parallel()
	c := newClock()
	cfg := load(t, c, t.TempDir(), simulated+"[web]\nlisten = \"127.0.0.1:8321\"\n")
	var said []string
	for _, f := range newApp(t, c, cfg, zerolog.Nop()).Check(t.Context(), true) {
		if f.Level == "warn" {
			said = append(said, f.Text)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := &memo{then: map[string]func(){"run ended": cancel}}
	if err := newApp(t, c, cfg, zerolog.New(log)).Daemon(ctx); err != nil {
		t.Errorf("Daemon that was stopped = %v", err)
	}
	if len(said) != 1 {
		t.Errorf("check warns %q, want of it alone", said)
	}
	for _, key := range []string{`web.listen = "127.0.0.1:8321": this version does not serve`} {
		if !strings.Contains(strings.Join(said, "\n"), key) {
			t.Errorf("check warns %q, want %q in it", said, key)
		}
		if n := strings.Count(strings.ReplaceAll(log.String(), `\"`, `"`), key); n != 1 {
			t.Errorf("the daemon says %q %d times, want once:\n%s", key, n, log)
		}
	}
}

// A memo is a log that is kept and acts on words in it.
type memo struct {
	mu   sync.Mutex
	text bytes.Buffer
	then map[string]func()
}

func (m *memo) Write(p []byte) (int, error) {
	for word, do := range m.then {
		if bytes.Contains(p, []byte(word)) {
			do()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.Write(p)
}

func (m *memo) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.String()
}

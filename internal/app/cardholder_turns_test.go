package app

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"billsync/internal/config"
	"billsync/internal/schedule"
)

// What writes about cardholders waits for its turn, as all of one process do: the
// webhook of the daemon would be kept out otherwise.
func TestCardholderTakesTurns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cfg, err := config.Load(config.Options{Path: file("config.toml", "[api]\nrequests_per_second = 100000.0\n"), CheckCron: schedule.Check})
	if err != nil {
		t.Fatal(err)
	}
	a := New(cfg, Options{Log: zerolog.Nop(), Getenv: func(string) string { return "" }})
	defer a.Close()
	if _, err := a.source(); err != nil { // from here on it knows where bills come from
		t.Fatal(err)
	}
	info := file("info.json", "{}")
	for name, work := range map[string]func(context.Context) error{
		"create": func(ctx context.Context) error {
			_, err := a.CreateCardholder(ctx, CardholderOptions{Type: "EMPLOYEE", Info: info})
			return err
		},
		"resume": func(ctx context.Context) error {
			_, err := a.ResumeCardholders(ctx, ResumeOptions{Daemon: true})
			return err
		},
		"list": func(ctx context.Context) error {
			_, err := a.ListCardholders(ctx, ListOptions{Refresh: true})
			return err
		},
	} {
		if err := a.claim(t.Context()); err != nil { // there is a database
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		a.writes.Lock()
		go func() { ended <- work(t.Context()) }()
		select {
		case err := <-ended:
			t.Errorf("%s did not wait for its turn: %v", name, err)
			a.writes.Unlock()
			continue
		case <-time.After(300 * time.Millisecond):
		}
		a.writes.Unlock()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A site is a folder with a configuration and a database, whose bills come from
// a service.
type site struct {
	syncer   string // the program
	dir      string
	service  *service
	history  history
	accounts int // in the configuration
	width    int // requests at a time
}

// A sample is one measured "syncer sync".
type sample struct {
	usage
	server serverStats

	bills    int    // in the database
	added    int    // of these, by this run
	spans    []span // read by this run
	requests int    // sent, as the run's row has it
}

// A span is a window or a tail that a run read to its end.
type span struct {
	Total    int  `db:"total_count"` // as the API counts
	PageSize int  `db:"page_size"`
	Tail     bool `db:"tail"`
}

// least is how many requests list what was read at least.
func (s *sample) least() (n int) {
	for _, x := range s.spans {
		n += leastRequests(x.Total, x.PageSize)
	}
	return n
}

func (s *site) database() string { return filepath.Join(s.dir, "bills.db") }

func (s *site) remove() error {
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("removing a database: %w", err)
	}
	return nil
}

// load measures a first load into an empty database.
func (s *site) load(ctx context.Context, latency time.Duration) (sample, error) {
	got, err := s.sync(ctx, latency)
	if err != nil {
		return sample{}, err
	}
	if want := s.history.Bills * s.accounts; got.bills != want || got.added != want {
		return sample{}, fmt.Errorf("the first load stored %d new bills, the database has %d, the server %d", got.added, got.bills, want)
	}
	return got, nil
}

// sync runs "syncer sync", the whole process.
func (s *site) sync(ctx context.Context, latency time.Duration, args ...string) (got sample, err error) {
	if err := s.configure(); err != nil {
		return sample{}, err
	}
	if err := s.service.prepare(ctx, latency); err != nil {
		return sample{}, err
	}
	cmd := exec.CommandContext(ctx, s.syncer, append([]string{"sync", "--json", "--quiet"}, args...)...)
	cmd.Dir, cmd.Env = s.dir, environ()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	begun := time.Now()
	err = cmd.Run()
	wall := time.Since(begun)
	if err != nil {
		return sample{}, fmt.Errorf("syncer sync %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	if got.server, err = s.service.stats(ctx); err != nil {
		return sample{}, err
	}
	if err := s.look(ctx, &got); err != nil {
		return sample{}, fmt.Errorf("looking at the database: %w", err)
	}
	if got.requests != got.server.Requests {
		return sample{}, fmt.Errorf("syncer sent %d requests, the server had %d", got.requests, got.server.Requests)
	}
	got.usage = usageOf(cmd.ProcessState, wall)
	return got, nil
}

// configure writes the configuration. Nothing is on a schedule: what is measured
// does not depend on the time of day.
func (s *site) configure() error {
	var b strings.Builder
	fmt.Fprintf(&b, `[api]
base_url = %q
client_id = %q
private_key_file = '%s'
server_public_key_file = '%s'
requests_per_second = 1e9
concurrency = %d

[database]
url = "bills.db"

[sync]
history_start = %q

[schedule]
sync = ""
refresh = ""
`, s.service.Signed, clientID, filepath.Join(s.service.keys, clientPrivate), filepath.Join(s.service.keys, serverPublic),
		s.width, s.history.From.In(zone).Format(time.DateOnly))
	if s.accounts > 1 {
		for i := range s.accounts {
			fmt.Fprintf(&b, "\n[[account]]\nname = \"a%05d\"\nconnected_customer_id = %q\n", i, customer(i))
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, "config.toml"), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

// look reads from the database what the last run did, and that it is complete.
func (s *site) look(ctx context.Context, got *sample) error {
	db, err := openReader(s.database())
	if err != nil {
		return err
	}
	defer db.Close()
	var open int
	if err := db.GetContext(ctx, &open, "SELECT count(*) FROM coverage WHERE complete = 0"); err != nil {
		return err
	}
	if open > 0 {
		return errors.New("it is not complete")
	}
	var run struct {
		ID       int64 `db:"run_id"`
		Requests int   `db:"requests"`
		New      int   `db:"bills_new"`
	}
	if err := db.GetContext(ctx, &run, `
		SELECT run_id, requests, bills_new FROM runs WHERE outcome = 'complete' ORDER BY run_id DESC LIMIT 1`); err != nil {
		return err
	}
	got.requests, got.added = run.Requests, run.New
	if err := db.GetContext(ctx, &got.bills, "SELECT count(*) FROM bills"); err != nil {
		return err
	}
	return db.SelectContext(ctx, &got.spans, `
		SELECT total_count, page_size, window_id IS NULL AS tail FROM passes WHERE state = 'done' AND run_id = ?`, run.ID)
}

// pace compares how fast the last part of the bills was stored with the first,
// elapsed; a part is so many bills.
func (s *site) pace(ctx context.Context, part int) (float64, error) {
	db, err := openReader(s.database())
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var took []float64
	for _, first := range []int{1, s.history.Bills - part} {
		var d float64
		if err := db.GetContext(ctx, &d, `
			SELECT (julianday((SELECT first_seen_at FROM bills WHERE bill_id = ?)) - julianday((SELECT first_seen_at FROM bills WHERE bill_id = ?))) * 86400`,
			first+part-1, first); err != nil {
			return 0, fmt.Errorf("looking when bills were stored: %w", err)
		}
		took = append(took, d)
	}
	return ratio(took[0], took[1]), nil
}

// environ is our environment without what would change syncer's configuration.
func environ() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "SYNCER_") {
			env = append(env, e)
		}
	}
	return env
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

// A site is a folder with a configuration and a database, and the history that
// the simulator serves for it.
type site struct {
	syncer  string // the program
	dir     string
	keys    string // folder of the simulator's keys
	since   string
	perDay  float64
	width   int // requests at a time
	latency time.Duration
	port    int // of the simulator; 0 until it has one
}

// A sample is one measured "syncer sync".
type sample struct {
	usage
	server time.Duration // processor time of the simulator
	bytes  int64         // of the database

	bills    int   // in the database
	added    int   // of these, by this run
	changed  int   // by this run
	requests int   // sent
	least    int   // the fewest that list what was read
	totals   []int // what the API counted in each span read
}

func (s *site) database() string { return filepath.Join(s.dir, "bills.db") }

func (s *site) remove() error {
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("removing a database: %w", err)
	}
	return nil
}

// load measures a first load into an empty database.
func (s *site) load(ctx context.Context) (sample, error) {
	got, err := s.sync(ctx)
	if err != nil {
		return sample{}, err
	}
	if got.added != got.bills || got.bills == 0 {
		return sample{}, fmt.Errorf("the first load stored %d new bills, but the database has %d", got.added, got.bills)
	}
	return got, nil
}

// sync runs "syncer sync" against a simulator started for it, so that the
// processor time of both is known.
func (s *site) sync(ctx context.Context, args ...string) (got sample, err error) {
	sim, err := s.simulate(ctx)
	if err != nil {
		return sample{}, err
	}
	stopped := false
	defer func() {
		if !stopped {
			_, _ = sim.stop() // the error that brought us here says more
		}
	}()
	if err := s.configure(sim.settings); err != nil {
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
	stopped = true
	if got.server, err = sim.stop(); err != nil {
		return sample{}, err
	}
	if err := s.look(ctx, &got); err != nil {
		return sample{}, fmt.Errorf("looking at the database: %w", err)
	}
	got.usage = usageOf(cmd.ProcessState, wall)
	return got, nil
}

// configure writes the configuration for a simulator.
func (s *site) configure(sim settings) error {
	text := fmt.Sprintf(`[api]
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
`, sim.BaseURL, sim.ClientID, sim.PrivateKeyFile, sim.ServerPublicKeyFile, s.width, s.since)
	if err := os.WriteFile(filepath.Join(s.dir, "config.toml"), []byte(text), 0o600); err != nil {
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
		Changed  int   `db:"bills_changed"`
	}
	if err := db.GetContext(ctx, &run, `
		SELECT run_id, requests, bills_new, bills_changed FROM runs
		WHERE outcome = 'complete' ORDER BY run_id DESC LIMIT 1`); err != nil {
		return err
	}
	got.requests, got.added, got.changed = run.Requests, run.New, run.Changed
	if err := db.GetContext(ctx, &got.bills, "SELECT count(*) FROM bills"); err != nil {
		return err
	}
	var spans []struct {
		Total    int `db:"total_count"`
		PageSize int `db:"page_size"`
	}
	if err := db.SelectContext(ctx, &spans, "SELECT total_count, page_size FROM passes WHERE state = 'done' AND run_id = ?", run.ID); err != nil {
		return err
	}
	for _, span := range spans {
		got.totals = append(got.totals, span.Total)
		got.least += leastRequests(span.Total, span.PageSize)
	}
	got.bytes, err = fileSize(s.database())
	return err
}

// openReader opens a database that nobody writes to.
func openReader(path string) (*sqlx.DB, error) {
	db, err := sqlx.Open("sqlite3", "file:"+escaped(path)+"?mode=ro")
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// fileSize is how large a database is, with what is still in its log.
func fileSize(path string) (int64, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	wal, err := os.Stat(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return fi.Size(), nil
	}
	if err != nil {
		return 0, err
	}
	return fi.Size() + wal.Size(), nil
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

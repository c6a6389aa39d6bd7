package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"strconv"
	"time"
)

// settings are what the simulator says a client needs.
type settings struct {
	BaseURL             string `json:"base_url"`
	ClientID            string `json:"client_id"`
	PrivateKeyFile      string `json:"private_key_file"`
	ServerPublicKeyFile string `json:"server_public_key_file"`
}

// A simulation is a "syncer simulate" that runs.
type simulation struct {
	cmd      *exec.Cmd
	settings settings
}

// simulate serves the history of a site. Once it had a port it keeps it: a
// database remembers where its bills come from.
func (s *site) simulate(ctx context.Context) (*simulation, error) {
	cmd := exec.CommandContext(ctx, s.syncer, "simulate", "--json", "--quiet", "--dir", s.keys, "--port", strconv.Itoa(s.port),
		"--since", s.since, "--bills-per-day", strconv.FormatFloat(s.perDay, 'f', -1, 64), "--latency", s.latency.String())
	cmd.Dir, cmd.Env = s.dir, environ()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the simulator: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the simulator: %w", err)
	}
	sim := &simulation{cmd: cmd}
	err = json.NewDecoder(out).Decode(&sim.settings) // waits until it listens
	if err == nil && s.port == 0 {
		s.port, err = portOf(sim.settings.BaseURL)
	}
	if err != nil {
		_, _ = sim.stop()
		return nil, fmt.Errorf("starting the simulator: %w\n%s", err, errs.String())
	}
	return sim, nil
}

func portOf(baseURL string) (int, error) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Port())
}

// stop ends the simulator, which keeps nothing, and returns the processor time
// it took.
func (s *simulation) stop() (time.Duration, error) {
	if err := s.cmd.Process.Kill(); err != nil {
		return 0, fmt.Errorf("stopping the simulator: %w", errors.Join(err, s.cmd.Wait()))
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("stopping the simulator: %w", err)
	}
	return s.cmd.ProcessState.UserTime() + s.cmd.ProcessState.SystemTime(), nil
}

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"billsync/internal/worldfirst"
)

// serveCommand makes this program the server, in a process of its own so that
// its processor time can be told. It ends when its standard input does.
const serveCommand = "serve"

// A serveOrder is what the process is told on its command line, as JSON.
type serveOrder struct {
	History  history `json:"history"`
	Accounts int     `json:"accounts"`
	Keys     string  `json:"keys"` // folder
}

// serverAddresses is what the process says once it listens.
type serverAddresses struct {
	Signed   string `json:"signed"`   // takes signed requests only
	Unsigned string `json:"unsigned"` // takes any
	Control  string `json:"control"`
}

// The files of a folder of keys.
const (
	clientPrivate = "client_private.pem"
	clientPublic  = "client_public.pem"
	serverPrivate = "server_private.pem"
	serverPublic  = "server_public.pem"
)

// makeKeys fills a new folder with keys and returns the client's.
func makeKeys(dir string) (*rsa.PrivateKey, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making keys: %w", err)
	}
	var client *rsa.PrivateKey
	for _, names := range [][2]string{{serverPrivate, serverPublic}, {clientPrivate, clientPublic}} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, fmt.Errorf("making keys: %w", err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("making keys: %w", err)
		}
		public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("making keys: %w", err)
		}
		for i, block := range []*pem.Block{{Type: "PRIVATE KEY", Bytes: private}, {Type: "PUBLIC KEY", Bytes: public}} {
			if err := os.WriteFile(filepath.Join(dir, names[i]), pem.EncodeToMemory(block), 0o600); err != nil {
				return nil, fmt.Errorf("making keys: %w", err)
			}
		}
		client = key
	}
	return client, nil
}

// loadKeys reads what the server needs of a folder of keys.
func loadKeys(dir string) (keyring, error) {
	server, err := worldfirst.LoadPrivateKey(filepath.Join(dir, serverPrivate))
	if err != nil {
		return keyring{}, err
	}
	client, err := worldfirst.LoadPublicKeys(filepath.Join(dir, clientPublic))
	if err != nil {
		return keyring{}, err
	}
	return keyring{server, client[0]}, nil
}

// serveMain is the process.
func serveMain(order string, stdin io.Reader, stdout io.Writer) error {
	var o serveOrder
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		return fmt.Errorf("reading what to serve: %w", err)
	}
	keys, err := loadKeys(o.Keys)
	if err != nil {
		return err
	}
	s := newServer(o.History, o.Accounts, keys)
	runtime.GOMAXPROCS(1) // see prepare
	addresses, stop, err := s.listen()
	if err != nil {
		return err
	}
	defer stop()
	if err := json.NewEncoder(stdout).Encode(addresses); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, stdin)
	return err
}

// listen begins to serve on free ports of this machine.
func (s *server) listen() (a serverAddresses, stop func(), err error) {
	var listeners []net.Listener
	stop = func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}
	for _, address := range []*string{&a.Signed, &a.Unsigned, &a.Control} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			stop()
			return a, nil, fmt.Errorf("listening: %w", err)
		}
		listeners = append(listeners, l)
		*address = "http://" + l.Addr().String()
	}
	go s.accept(listeners[0], true)
	go s.accept(listeners[1], false)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /prepare", func(w http.ResponseWriter, r *http.Request) {
		latency, err := time.ParseDuration(r.FormValue("latency"))
		if err == nil {
			_, err = s.prepare()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s.reset(latency)
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(s.measured()) // who asked notices
	})
	go func() { _ = http.Serve(listeners[2], mux) }()
	return a, stop, nil
}

// A service is a server that runs.
type service struct {
	serverAddresses
	cmd   *exec.Cmd // nil: it is no process of its own
	input io.Closer
	keys  string
}

// startService starts the process and waits until it listens.
func startService(ctx context.Context, o serveOrder) (*service, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	cmd, err := self(ctx, serveCommand, string(text))
	if err != nil {
		return nil, err
	}
	s := &service{cmd: cmd, keys: o.Keys}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if s.input, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	if err := json.NewDecoder(out).Decode(&s.serverAddresses); err != nil {
		return nil, fmt.Errorf("starting the server: %w\n%s", errors.Join(err, s.stop()), errs.String())
	}
	return s, nil
}

// self is this program with other arguments.
func self(ctx context.Context, args ...string) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	return exec.CommandContext(ctx, path, args...), nil
}

// stop ends the process.
func (s *service) stop() error {
	if s == nil || s.cmd == nil {
		return nil
	}
	_ = s.input.Close()
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("stopping the server: %w", err)
	}
	return nil
}

// prepare signs the answers to come and begins to count anew. Answers then take
// the latency longer.
func (s *service) prepare(ctx context.Context, latency time.Duration) error {
	return s.control(ctx, http.MethodPost, "/prepare?latency="+latency.String(), nil)
}

// stats returns what was counted since prepare. Requests that were refused are
// an error: nothing that is measured may be wrong.
func (s *service) stats(ctx context.Context) (st serverStats, err error) {
	if err := s.control(ctx, http.MethodGet, "/stats", &st); err != nil {
		return st, err
	}
	if st.Refused > 0 {
		return st, fmt.Errorf("the server refused %d of %d requests", st.Refused, st.Requests)
	}
	return st, nil
}

func (s *service) control(ctx context.Context, method, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.Control+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking the server: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("asking the server: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("asking the server: %s", bytes.TrimSpace(body))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

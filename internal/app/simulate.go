package app

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"billsync/internal/simulator"
	"billsync/internal/worldfirst"

	"github.com/rs/zerolog"
)

// SimulateOptions are what "syncer simulate" can be told.
type SimulateOptions struct {
	Port        int // of 127.0.0.1; 0: a free one
	Dir         string
	Seed        uint64
	BillsPerDay float64
	Cards       int
	Since       time.Time // zero: the built-in simulator's first day
	Latency     time.Duration
	Drift       float64 // probability that a request finds the list changed under it
	FaultSeed   uint64
	MaxPageSize int
	MaxCount    int
	Ascending   bool
	Unsigned    bool
	Notify      string        // where its bills are notified; empty: nowhere
	OAuth       bool          // a customer has granted access, and calls need a token
	Customer    string        // which one: its connected id; empty: none is sent
	TokenLife   time.Duration // 0: the documented one
	Rotate      bool          // a refresh token works once
	Review      time.Duration // of a cardholder
	NoRepeats   bool          // a request id that comes again is refused

	Log zerolog.Logger
	Now func() time.Time

	faults []namedFault
}

type namedFault struct {
	fault       simulator.Fault
	probability float64
}

// shortFaults are the results people want most, beside the simulator's own
// kinds of faults.
var shortFaults = map[string]simulator.Fault{
	"u":        {Kind: simulator.Result, Code: "UNKNOWN_EXCEPTION", Status: "U"},
	"too-fast": {Kind: simulator.Result, Code: "REQUEST_TRAFFIC_EXCEED_LIMIT", Status: "U"},
	"f":        {Kind: simulator.Result, Code: "SYSTEM_ERROR", Status: "F"},
	"refuse":   {Kind: simulator.Result, Code: "AUTHORIZATION_NOT_EXIST", Status: "F"},
}

// FaultNames lists what AddFault knows.
func FaultNames() []string {
	names := slices.Sorted(maps.Keys(shortFaults))
	for _, k := range simulator.FaultKinds() {
		if k != simulator.Result {
			names = append(names, k.String())
		}
	}
	return names
}

// AddFault adds a fault in the form NAME=PROBABILITY.
func (o *SimulateOptions) AddFault(text string) error {
	name, chance, _ := strings.Cut(text, "=")
	p, err := strconv.ParseFloat(chance, 64)
	if err != nil || !(p >= 0 && p <= 1) {
		return fmt.Errorf("the probability %q is not a number from 0 to 1", chance)
	}
	f, ok := shortFaults[name]
	if !ok {
		kind, known := simulator.ParseFaultKind(name)
		if !known || kind == simulator.None {
			return fmt.Errorf("there is no fault %q", name)
		}
		f = simulator.Fault{Kind: kind}
	}
	o.faults = append(o.faults, namedFault{f, p})
	return nil
}

// plan decides which requests go wrong: each fault by a dice of its own, the
// first that falls wins.
func (o *SimulateOptions) plan() func(simulator.Request) simulator.Fault {
	var dice []func(simulator.Request) simulator.Fault
	for i, f := range o.faults {
		// Of each dice only whether it falls is used.
		dice = append(dice, simulator.RandomFaults(o.FaultSeed+uint64(i)*1_000_003, map[simulator.FaultKind]float64{simulator.Result: f.probability}))
	}
	return func(r simulator.Request) simulator.Fault {
		for i, d := range dice {
			if d(r).Kind != simulator.None {
				return o.faults[i].fault
			}
		}
		return simulator.Fault{}
	}
}

// notifyEvery is how often the simulator looks whom it has to notify.
const notifyEvery = time.Second

// SimulatorSettings are what a client needs to talk to the simulator.
type SimulatorSettings struct {
	BaseURL             string `json:"base_url"`
	ClientID            string `json:"client_id"`
	PrivateKeyFile      string `json:"private_key_file"`
	ServerPublicKeyFile string `json:"server_public_key_file"`
	AuthCode            string `json:"auth_code,omitempty"` // of a grant; works once
}

// Simulate serves the simulator until ctx ends. Once it listens, ready is
// called with the settings for a client.
func Simulate(ctx context.Context, o SimulateOptions, ready func(SimulatorSettings) error) error {
	s := SimulatorSettings{ClientID: simulatorClient}
	client, server, err := o.keys(&s)
	if err != nil {
		return err
	}
	if o.Since.IsZero() {
		o.Since = simulatorSince
	}
	var book simulator.Book = simulator.NewHistory(simulator.HistoryOptions{
		Seed: o.Seed, Since: o.Since, BillsPerDay: o.BillsPerDay, Cards: o.Cards,
	})
	if o.Drift > 0 {
		book = simulator.NewDrift(book, o.FaultSeed, o.Drift)
	}
	srv := simulator.New(simulator.Options{
		Book: book, ClientID: simulatorClient, ClientKeys: []*rsa.PublicKey{&client.PublicKey}, Key: server, Now: o.Now,
		Latency: o.Latency, MaxPageSize: o.MaxPageSize, MaxCount: o.MaxCount, Ascending: o.Ascending, Unsigned: o.Unsigned, Log: o.Log,
		TokenLife: o.TokenLife, RotateRefresh: o.Rotate,
		Review: o.Review, RefuseRepeats: o.NoRepeats,
	})
	if len(o.faults) > 0 {
		srv.SetFault(o.plan())
	}
	notify := func(context.Context) {}
	if o.Notify != "" {
		n, err := simulator.NewNotifier(simulator.NotifierOptions{
			Book: book, URL: o.Notify, ClientID: simulatorClient, Key: server, ClientKeys: []*rsa.PublicKey{&client.PublicKey}, Now: o.Now, Log: o.Log,
		})
		if err != nil {
			return &InputError{"--notify: " + err.Error(), "it is [webhook] listen and path of the syncer that is to be told"}
		}
		notify = func(ctx context.Context) { n.Run(ctx, notifyEvery) }
	}
	if s.BaseURL, err = srv.Start("127.0.0.1:" + strconv.Itoa(o.Port)); err != nil {
		return &InputError{err.Error(), "choose another --port; 0 takes a free one"}
	}
	if o.OAuth {
		s.AuthCode = srv.Grant(o.Customer)
	}
	if err := ready(s); err != nil {
		return errors.Join(err, srv.Close())
	}
	notify(ctx)
	<-ctx.Done()
	return srv.Close()
}

// keys loads the simulator's key pairs from its folder, or makes them.
func (o *SimulateOptions) keys(s *SimulatorSettings) (client, server *rsa.PrivateKey, err error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, &InputError{"--dir: " + err.Error(), "name a folder that can be written"}
	}
	s.PrivateKeyFile, s.ServerPublicKeyFile = filepath.Join(dir, "client.pem"), filepath.Join(dir, "simulator.pub")
	if client, err = keyAt(s.PrivateKeyFile); err != nil {
		return nil, nil, err
	}
	if server, err = keyAt(filepath.Join(dir, "simulator.pem")); err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&server.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	if err := os.WriteFile(s.ServerPublicKeyFile, []byte(base64.StdEncoding.EncodeToString(der)+"\n"), 0o644); err != nil {
		return nil, nil, &InputError{"--dir: " + err.Error(), "name a folder that can be written"}
	}
	return client, server, nil
}

// keyAt loads a private key, made anew if there is none.
func keyAt(path string) (*rsa.PrivateKey, error) {
	if _, err := os.Stat(path); err == nil {
		key, err := worldfirst.LoadPrivateKey(path)
		if err != nil {
			return nil, &InputError{"--dir: " + err.Error(), "remove the file to have a key made anew"}
		}
		return key, nil
	}
	key, err := simulator.NewKeyPair()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return nil, &InputError{"--dir: " + err.Error(), "name a folder that can be written"}
	}
	return key, nil
}

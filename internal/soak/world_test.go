package soak

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"billsync/internal/simulator"

	"github.com/rs/zerolog"
)

const clientID = "SOAK"

// A clock is the world's time: it goes on by itself and may be set.
type clock struct {
	mu     sync.Mutex
	base   time.Time
	anchor time.Time
	off    time.Duration // how far the program's clock is set wrong
}

func newClock(at time.Time) *clock { return &clock{base: at, anchor: time.Now()} }

// now is what the program's clock says.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base.Add(time.Since(c.anchor)).Add(c.off)
}

// real is the time it is.
func (c *clock) real() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base.Add(time.Since(c.anchor))
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base = c.base.Add(d)
}

func (c *clock) set(off time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = off
}

// A keyring is the pair of keys of all seeds, as files: making keys takes time.
type keyring struct {
	key             *rsa.PrivateKey
	private, public string
}

var keysMade bool

// removeKeys removes the key files, if there are any.
func removeKeys() {
	if keysMade {
		_ = os.RemoveAll(filepath.Dir(keys().private))
	}
}

var keys = sync.OnceValue(func() keyring {
	dir, err := os.MkdirTemp("", "soak-keys-")
	if err != nil {
		panic(err)
	}
	keysMade = true
	k, err := simulator.NewKeyPair()
	if err != nil {
		panic(err)
	}
	r := keyring{k, filepath.Join(dir, "private.pem"), filepath.Join(dir, "public.pem")}
	public, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		panic(err)
	}
	for file, block := range map[string]*pem.Block{
		r.private: {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)},
		r.public:  {Type: "PUBLIC KEY", Bytes: public},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			panic(err)
		}
	}
	return r
})

// A world is one seed's: the provider, the program's database and
// configuration, and the time.
type world struct {
	seed   uint64
	dice   dice
	dir    string
	source *source
	server *simulator.Server
	api    simulator.Options
	base   string
	signed bool // answers are signed, and checked
	dirty  bool // some of what is listed is unreadable at times
	clock  *clock
	settings
	everyone []account // that ever were in the configuration
	asked    *script   // what happens at which request of the present run
	log      []string

	seen        memory
	postman     *postman      // brings notifications; nil: there are none
	known       []string      // accounts that the database knows
	skew        time.Duration // how far the provider's clock is ahead
	ending      bool          // the source is at rest for good
	runs, kills int
	setBack     bool // the program's clock went backwards at some time
}

// A failure is the end of a seed: what the program did is not what the model
// says.
type failure string

func (w *world) fail(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

// note keeps a line of the seed's story.
func (w *world) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	w.log = append(w.log, line)
	if *tell {
		fmt.Fprintln(os.Stderr, line)
	}
}

// later is note for the goroutines of the simulator: the line is kept until the
// run is over.
func (w *world) later(format string, args ...any) {
	w.asked.said = append(w.asked.said, fmt.Sprintf(format, args...))
}

// story is when all seeds begin.
var story = time.Date(2026, 5, 20, 2, 0, 0, 0, time.UTC)

func newWorld(seed uint64, dir string) *world {
	w := &world{seed: seed, dice: newDice(seed, 0), dir: dir, source: newSource()}
	d := w.dice
	w.clock = newClock(story.Add(d.span(0, 72*time.Hour)))
	w.settings = newSettings(d, w.clock.now())
	w.source.updates = one(d, noUpdates, constantUpdates, growingUpdates, growingUpdates)
	w.signed = d.chance(20)
	w.dirty = d.chance(35)
	w.asked = &script{}
	if w.postman = newPostman(seed); w.postman != nil {
		w.source.spelling.budgets = w.postman.dice.chance(40)
	}
	if d.chance(30) {
		w.skew = d.span(-10*time.Minute, 10*time.Minute)
	}
	w.api = simulator.Options{
		Book: w.source, ClientID: clientID, ClientKeys: []*rsa.PublicKey{&keys().key.PublicKey}, Key: keys().key,
		Now: func() time.Time { return w.clock.real().Add(w.skew) }, Log: zerolog.Nop(),
		Unsigned: !w.signed, Ascending: d.chance(40), ExcludeStart: d.chance(20), ExcludeEnd: d.chance(20), IntegersAsStrings: d.chance(20),
	}
	if d.chance(15) {
		w.api.MaxPageSize = d.between(2, 6)
	}
	w.server = simulator.New(w.api)
	w.server.OnRequest(func(simulator.Request) { w.asked.next() })
	var err error
	if w.base, err = w.server.Start(""); err != nil {
		w.fail("%v", err)
	}
	for i := range weighted(d, []choice[int]{{6, 1}, {3, 2}, {1, 3}}) {
		w.addAccount(i)
	}
	return w
}

// addAccount adds a further account to the configuration.
func (w *world) addAccount(i int) {
	a := account{[]string{"main", "second", "third"}[i], []string{"", "C2", "C3"}[i]}
	w.accounts = append(w.accounts, a)
	w.everyone = append(w.everyone, a)
	w.source.book(a.customer)
}

func (w *world) close() error { return w.server.Close() }

// A script is what happens at which request of a run.
type script struct {
	mu   sync.Mutex
	n    int
	acts map[int][]func()
	said []string
	made int   // requests of the run that ended last
	err  error // of what happened at a request
}

// begin starts a new run.
func (s *script) begin(acts map[int][]func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.acts = 0, acts
}

// next is called at each request, before it is answered.
func (s *script) next() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	for _, act := range s.acts[s.n] {
		act()
	}
}

// failed keeps an error until the seed's own goroutine asks for it: a panic in
// one of the simulator's would only break a connection.
func (s *script) failed(err error) { s.err = errors.Join(s.err, err) }

// judge ends the seed if something failed.
func (s *script) judge(w *world) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		w.fail("delivering notifications: %v", s.err)
	}
}

// takeSaid returns what was said at the requests.
func (s *script) takeSaid() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := s.said
	s.said = nil
	return said
}

// end ends a run: what is still on its way does nothing any more.
func (s *script) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made, s.acts = s.n, nil
}

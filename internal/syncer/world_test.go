package syncer_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/store"
	"billsync/internal/syncer"
	"billsync/internal/worldfirst"

	"github.com/rs/zerolog"
)

// shanghai is the zone of the tests, as in the shipped configuration.
var shanghai = time.FixedZone("+08:00", 8*60*60)

// start is when the tests' story begins.
var start = time.Date(2026, 5, 20, 10, 0, 0, 0, shanghai)

// keys are the throwaway keys of all tests: making them takes time. They are short,
// because signing is what these tests would spend most of their time on.
var keys = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	return k
})

// A world is the provider as a simulator over real HTTP, a database, and a clock
// that the test moves.
type world struct {
	t      testing.TB
	ledger *simulator.Ledger
	server *simulator.Server
	client *worldfirst.Client
	cfg    syncer.Config
	path   string
	ctx    context.Context // of the runs

	mu    sync.Mutex
	clock time.Time
}

// newWorld makes a world with one account, "main", whose history begins a given
// number of days ago. Options of the server may be changed before it starts.
func newWorld(t testing.TB, days int, change ...func(*simulator.Options)) *world {
	t.Helper()
	w := &world{t: t, ledger: simulator.NewLedger(), clock: start, path: filepath.Join(t.TempDir(), "bills.db"), ctx: context.Background()}
	o := simulator.Options{
		Book: w.ledger, ClientID: "TEST", ClientKeys: []*rsa.PublicKey{&keys().PublicKey}, Key: keys(),
		Now: w.now, Log: zerolog.Nop(),
	}
	for _, c := range change {
		c(&o)
	}
	w.server = simulator.New(o)
	base, err := w.server.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.server.Close() })
	w.client, err = worldfirst.New(worldfirst.Config{
		BaseURL: base, ClientID: "TEST", PrivateKey: keys(), ServerKeys: []*rsa.PublicKey{&keys().PublicKey},
		Timeout: time.Minute, RequestsPerSecond: 1e6, Concurrency: 4, Tries: 2, RetryWait: time.Millisecond, Now: w.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	y, m, d := start.AddDate(0, 0, -days).Date()
	w.cfg = syncer.Config{
		Zone: shanghai, WindowDays: 100, PageSize: 10, Tail: 7 * 24 * time.Hour, Refresh: 90 * 24 * time.Hour,
		RetrySchedule: []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, 80 * time.Minute, 160 * time.Minute, 320 * time.Minute},
		Concurrency:   4, Decode: worldfirst.DecodeItem, DecodeList: worldfirst.DecodeList,
		Accounts: []syncer.AccountConfig{{Account: bill.Account{Name: "main"}, HistoryStart: time.Date(y, m, d, 0, 0, 0, 0, shanghai)}},
	}
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// account adds an account for a connected customer.
func (w *world) account(name, customer string) {
	w.cfg.Accounts = append(w.cfg.Accounts, syncer.AccountConfig{
		Account: bill.Account{Name: name, ConnectedCustomerID: customer}, HistoryStart: w.cfg.Accounts[0].HistoryStart,
	})
}

// close ends a world before its test does, where a test makes many.
func (w *world) close() {
	w.client.Close()
	_ = w.server.Close()
}

// fill adds n bills of the own account, spread evenly over the days before now.
func (w *world) fill(n, days int) { w.fillOf("", n, days) }

func (w *world) fillOf(customer string, n, days int) {
	entries := make([]simulator.Entry, n)
	step := time.Duration(days) * 24 * time.Hour / time.Duration(n+1)
	for i := range entries {
		entries[i] = entry(fmt.Sprintf("O%s%06d", customer, i), start.Add(-time.Hour).Add(-time.Duration(i)*step))
	}
	w.ledger.Add(customer, entries...)
}

// entry is a bill as the provider lists it.
func entry(order string, at time.Time) simulator.Entry {
	return simulator.Entry{Bill: bill.Bill{
		OrderNo: order, TransactionTime: at, Status: "SUCCESS", AssetID: "CARD1", MaskedCardNo: "555555******4444",
		MerchantName: "EXAMPLE", Trade: &bill.Amount{Currency: "USD", Value: 1000}, Out: &bill.Amount{Currency: "USD", Value: 1000},
		LastUpdate: at.Add(time.Minute),
	}}
}

// wrapped lets a test stand between the work and the store.
type wrapped struct {
	*store.Store
	after func() error // called after each commit; an error is a crash
}

func (s wrapped) Update(ctx context.Context, fn func(syncer.Tx) error) error {
	if err := s.Store.Update(ctx, func(t *store.Tx) error { return fn(t) }); err != nil {
		return err
	}
	if s.after != nil {
		return s.after()
	}
	return nil
}

// errCrash stands for the death of the process.
var errCrash = errors.New("crash")

// open opens the database for a test to look at or to work with.
func (w *world) open() *store.Store {
	w.t.Helper()
	st, err := store.Open(context.Background(), w.path, shanghai)
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// run does a run as a process of its own would.
func (w *world) run(o syncer.Options) (syncer.Summary, error) {
	return w.runWith(o, w.client, nil)
}

func (w *world) runWith(o syncer.Options, source syncer.Source, after func() error) (syncer.Summary, error) {
	w.t.Helper()
	st := w.open()
	defer st.Close()
	origin := store.Origin{Host: "test", ClientID: "TEST"}
	begins := map[string]time.Time{}
	for _, a := range w.cfg.Accounts {
		origin.Accounts = append(origin.Accounts, a.Account)
		begins[a.Name] = a.HistoryStart
	}
	if err := st.ClaimOrigin(context.Background(), origin, func(n string) time.Time { return begins[n] }, w.now()); err != nil {
		w.t.Fatal(err)
	}
	if o.Trigger == "" {
		o.Trigger = "sync"
	}
	return syncer.New(w.cfg, source, wrapped{st, after}, zerolog.Nop(), w.now).Run(w.ctx, o)
}

// sync does a run that must end complete.
func (w *world) sync() syncer.Summary {
	w.t.Helper()
	sum, err := w.run(syncer.Options{})
	if err != nil {
		w.t.Fatalf("sync: %v", err)
	}
	if !sum.Complete() {
		w.t.Fatalf("sync is not complete: %s", sum.Reason())
	}
	return sum
}

// listed returns the hashes of all bills the provider lists, sorted.
func (w *world) listed(customer string) []string {
	raw, _ := w.ledger.Bills(w.now(), customer, simulator.Filter{
		From: time.Unix(0, 0), To: w.now(), IncludeFrom: true, IncludeTo: true,
	}, 0, 1<<30)
	out := make([]string, len(raw))
	for i, r := range raw {
		it := worldfirst.DecodeItem(r)
		out[i] = it.Bill.Hash
	}
	slices.Sort(out)
	return out
}

// query reads rows of the database, one text per row.
func (w *world) query(sql string, args ...any) []string {
	w.t.Helper()
	st, err := store.OpenReader(context.Background(), w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer st.Close()
	rows, err := st.Reader().Queryx(sql, args...)
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		cells, err := rows.SliceScan()
		if err != nil {
			w.t.Fatal(err)
		}
		parts := make([]string, len(cells))
		for i, c := range cells {
			parts[i] = fmt.Sprint(c)
		}
		out = append(out, strings.Join(parts, "|"))
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// one reads a single row.
func (w *world) one(sql string, args ...any) string {
	w.t.Helper()
	rows := w.query(sql, args...)
	if len(rows) != 1 {
		w.t.Fatalf("%s: %d rows, want 1: %v", sql, len(rows), rows)
	}
	return rows[0]
}

// equal makes sure that the database holds exactly what the provider lists.
func (w *world) equal(account, customer string) {
	w.t.Helper()
	got := w.query("SELECT content_hash FROM bills WHERE account = ? AND withdrawn_at IS NULL ORDER BY content_hash", account)
	if want := w.listed(customer); !slices.Equal(got, want) {
		w.t.Fatalf("account %s: %d bills stored, the provider lists %d; they differ", account, len(got), len(want))
	}
}

// ids returns the rows of an order as "id order second status".
func (w *world) ids(order string) []string {
	w.t.Helper()
	return w.query("SELECT bill_id, ordinal, bill_no, trade_amount, bill_status FROM bills WHERE order_no = ? ORDER BY bill_id", order)
}

// result is a fault that answers one of the provider's codes.
func result(code string) simulator.Fault {
	return simulator.Fault{Kind: simulator.Result, Code: code}
}

// raw is the JSON of an entry, for tests that change it by hand.
func raw(fields map[string]any) json.RawMessage {
	data, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return data
}

type storeTx = *store.Tx

var nop = zerolog.Nop()

// accept records a person's word, as the command does.
func (w *world) accept(subject, note string) {
	w.t.Helper()
	st := w.open()
	defer st.Close()
	if _, err := st.Accept(context.Background(), subject, note, w.now()); err != nil {
		w.t.Fatal(err)
	}
}

package verify_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"iter"
	"path/filepath"
	"sync"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/jmoiron/sqlx"
	_ "github.com/mattn/go-sqlite3"
	"github.com/rs/zerolog"

	"billsync/internal/bill"
	"billsync/internal/simulator"
	"billsync/internal/store"
	"billsync/internal/syncer"
	"billsync/internal/verify"
	"billsync/internal/worldfirst"
)

// shanghai is the zone of the requests in most of these tests.
var shanghai = zone("Asia/Shanghai")

func zone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err) // the zones are compiled in
	}
	return z
}

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

// tb is what a test and a property have in common.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// A world is the provider as a simulator over real HTTP, a database, and a clock
// that the test moves.
type world struct {
	tb
	ledger *simulator.Ledger
	server *simulator.Server
	client *worldfirst.Client
	source verify.Source
	cfg    syncer.Config
	path   string

	mu    sync.Mutex
	clock time.Time
}

// newWorld makes a world with one account, "main", whose history begins a given
// number of days ago. Options of the server may be changed before it starts.
func newWorld(t *testing.T, days int, change ...func(*simulator.Options)) *world {
	t.Helper()
	w := makeWorld(t, t.TempDir(), shanghai, start.AddDate(0, 0, -days), change...)
	t.Cleanup(w.close)
	return w
}

// makeWorld is newWorld for a day on which the history begins.
func makeWorld(t tb, dir string, z *time.Location, first time.Time, change ...func(*simulator.Options)) *world {
	t.Helper()
	w := &world{tb: t, ledger: simulator.NewLedger(), clock: start, path: filepath.Join(dir, "bills.db")}
	o := w.options()
	for _, c := range change {
		c(&o)
	}
	w.server, w.client = w.serve(o)
	w.source = w.client
	y, m, d := first.In(z).Date()
	w.cfg = syncer.Config{
		Zone: z, WindowDays: 100, PageSize: 100, Tail: 7 * 24 * time.Hour, Refresh: 90 * 24 * time.Hour,
		RetrySchedule: []time.Duration{5 * time.Minute}, Concurrency: 4, Decode: worldfirst.DecodeItem, DecodeList: worldfirst.DecodeList,
		Accounts: []syncer.AccountConfig{{Account: bill.Account{Name: "main"}, HistoryStart: time.Date(y, m, d, 0, 0, 0, 0, z)}},
	}
	return w
}

// options are those of a server that answers from the ledger.
func (w *world) options() simulator.Options {
	return simulator.Options{
		Book: w.ledger, ClientID: "TEST", ClientKeys: []*rsa.PublicKey{&keys().PublicKey}, Key: keys(),
		Now: w.now, Log: zerolog.Nop(),
	}
}

// serve starts a server, and makes a client of it.
func (w *world) serve(o simulator.Options) (*simulator.Server, *worldfirst.Client) {
	w.Helper()
	server := simulator.New(o)
	base, err := server.Start("")
	if err != nil {
		w.Fatalf("%v", err)
	}
	client, err := worldfirst.New(worldfirst.Config{
		BaseURL: base, ClientID: "TEST", PrivateKey: keys(), ServerKeys: []*rsa.PublicKey{&keys().PublicKey},
		Timeout: time.Minute, RequestsPerSecond: 1e6, Concurrency: 4, Tries: 2, RetryWait: time.Millisecond, Now: w.now,
	})
	if err != nil {
		w.Fatalf("%v", err)
	}
	return server, client
}

func (w *world) close() {
	w.client.Close()
	_ = w.server.Close()
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

// history returns when the history begins.
func (w *world) history() time.Time { return w.cfg.Accounts[0].HistoryStart }

// account adds an account for a connected customer.
func (w *world) account(name, customer string) {
	w.cfg.Accounts = append(w.cfg.Accounts, syncer.AccountConfig{
		Account: bill.Account{Name: name, ConnectedCustomerID: customer}, HistoryStart: w.history(),
	})
}

// entry is a bill as the provider lists it.
func entry(order string, at time.Time) simulator.Entry {
	return simulator.Entry{Bill: bill.Bill{
		OrderNo: order, TransactionTime: at, Status: "SUCCESS", AssetID: "CARD1", MaskedCardNo: "555555******4444",
		Trade: &bill.Amount{Currency: "USD", Value: 1000}, LastUpdate: at.Add(time.Minute),
	}}
}

// list adds bills of the own account at the given times.
func (w *world) list(at ...time.Time) {
	entries := make([]simulator.Entry, len(at))
	n := w.ledger.Len()
	for i, t := range at {
		entries[i] = entry(fmt.Sprintf("O%06d", n+i), t)
	}
	w.ledger.Add("", entries...)
}

// fill adds n bills of a customer, spread evenly over the days before now.
func (w *world) fill(customer string, n, days int) {
	step := time.Duration(days) * 24 * time.Hour / time.Duration(n+1)
	entries := make([]simulator.Entry, n)
	for i := range entries {
		entries[i] = entry(fmt.Sprintf("F%s%06d", customer, i), start.Add(-time.Hour).Add(-time.Duration(i)*step))
	}
	w.ledger.Add(customer, entries...)
}

// run does a run as a process of its own would.
func (w *world) run(o syncer.Options) syncer.Summary {
	w.Helper()
	ctx := context.Background()
	st, err := store.Open(ctx, w.path, w.cfg.Zone)
	if err != nil {
		w.Fatalf("%v", err)
	}
	defer st.Close()
	origin := store.Origin{Host: "test", ClientID: "TEST"}
	begins := map[string]time.Time{}
	for _, a := range w.cfg.Accounts {
		origin.Accounts = append(origin.Accounts, a.Account)
		begins[a.Name] = a.HistoryStart
	}
	if err := st.ClaimOrigin(ctx, origin, func(n string) time.Time { return begins[n] }, w.now()); err != nil {
		w.Fatalf("%v", err)
	}
	o.Trigger = "sync"
	sum, err := syncer.New(w.cfg, w.client, storeFor{st}, zerolog.Nop(), w.now).Run(ctx, o)
	if err != nil {
		w.Fatalf("sync: %v", err)
	}
	return sum
}

// sync does a run that must end complete.
func (w *world) sync() {
	w.Helper()
	if sum := w.run(syncer.Options{}); !sum.Complete() {
		w.Fatalf("sync is not complete: %s", sum.Reason())
	}
}

type storeFor struct{ *store.Store }

func (s storeFor) Update(ctx context.Context, fn func(syncer.Tx) error) error {
	return s.Store.Update(ctx, func(t *store.Tx) error { return fn(t) })
}

func (s storeFor) View(ctx context.Context, fn func(verify.Books) error) error {
	return s.Store.View(ctx, func(t *store.Tx) error { return fn(t) })
}

// count opens the database and counts.
func (w *world) count(fn func(*verify.Verifier) (*verify.Result, error)) *verify.Result {
	w.Helper()
	st, err := store.OpenReader(context.Background(), w.path)
	if err != nil {
		w.Fatalf("%v", err)
	}
	defer st.Close()
	cfg := verify.Config{Zone: w.cfg.Zone, WindowDays: w.cfg.WindowDays, Concurrency: w.cfg.Concurrency, ItemTime: worldfirst.ItemTime}
	for _, a := range w.cfg.Accounts {
		cfg.Subjects = append(cfg.Subjects, verify.Subject{Account: a.Account, HistoryStart: a.HistoryStart})
	}
	res, err := fn(verify.New(cfg, w.source, storeFor{st}, w.now))
	if err != nil {
		w.Fatalf("counting: %v", err)
	}
	return res
}

func (w *world) windows() *verify.Result {
	w.Helper()
	return w.count(func(v *verify.Verifier) (*verify.Result, error) {
		return v.Windows(context.Background(), verify.Options{})
	})
}

func (w *world) months(z *time.Location) *verify.Result {
	w.Helper()
	return w.count(func(v *verify.Verifier) (*verify.Result, error) {
		return v.Months(context.Background(), z, verify.Options{})
	})
}

// both counts by windows, and then by months of a zone.
func (w *world) both(z *time.Location) iter.Seq2[string, *verify.Result] {
	return func(yield func(string, *verify.Result) bool) {
		if yield("by window", w.windows()) {
			yield("by month", w.months(z))
		}
	}
}

// behind changes the database behind the program's back and returns how many
// rows that touched.
func (w *world) behind(statement string, args ...any) int {
	w.Helper()
	db, err := sqlx.Open("sqlite3", w.path)
	if err != nil {
		w.Fatalf("%v", err)
	}
	defer db.Close()
	res, err := db.Exec(statement, args...)
	if err != nil {
		w.Fatalf("%s: %v", statement, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		w.Fatalf("%s: %v", statement, err)
	}
	return int(n)
}

// query reads one column of the database.
func (w *world) query(statement string, args ...any) (out []string) {
	w.Helper()
	db, err := sqlx.Open("sqlite3", "file:"+w.path+"?mode=ro")
	if err != nil {
		w.Fatalf("%v", err)
	}
	defer db.Close()
	if err := db.Select(&out, statement, args...); err != nil {
		w.Fatalf("%s: %v", statement, err)
	}
	return out
}

// sums adds up a result.
func sums(r *verify.Result) (api, stored, unreadable, difference int) {
	for _, row := range r.Rows() {
		api += row.API
		stored += row.Stored
		unreadable += row.Unreadable
		difference += row.Difference()
	}
	return api, stored, unreadable, difference
}

// agrees makes sure that every row was counted, is proved and agrees, and that
// the rows hold so many bills.
func (w *world) agrees(what string, r *verify.Result, bills int) {
	w.Helper()
	for _, row := range r.Rows() {
		if !row.Counted || !row.Proved || row.Differs() || row.Difference() != 0 {
			w.Errorf("%s: %s", what, describe(row))
		}
	}
	if api, stored, unreadable, _ := sums(r); api != bills || stored+unreadable != bills {
		w.Errorf("%s: the API counts %d, stored are %d and %d unreadable, want %d", what, api, stored, unreadable, bills)
	}
}

func describe(r *verify.Row) string {
	return fmt.Sprintf("%s %s %s … %s: API %d (counted %t), stored %d, unreadable %d, withdrawn %d, proved %t, remarks %q",
		r.Account, r.Month, r.Span.Start.UTC().Format(time.RFC3339), r.Span.End.UTC().Format(time.RFC3339),
		r.API, r.Counted, r.Stored, r.Unreadable, r.Withdrawn, r.Proved, r.Remarks())
}

// clean makes sure that no stored bill is within two seconds of an end, except
// that the history's first second is exactly two seconds from its beginning.
func (w *world) clean(r *verify.Result) {
	w.Helper()
	for i, row := range r.Rows() {
		for _, end := range []time.Time{row.Span.Start, row.Span.End} {
			near := w.query("SELECT transaction_time FROM bills WHERE transaction_time BETWEEN ? AND ?",
				end.Add(-2*time.Second).UTC().Format("2006-01-02T15:04:05.000Z"), end.Add(2*time.Second).UTC().Format("2006-01-02T15:04:05.000Z"))
			if len(near) > 0 && !(i == 0 && end.Equal(row.Span.Start) && near[0] >= end.Add(2*time.Second).UTC().Format("2006-01-02T15:04:05.000Z")) {
				w.Errorf("the end %s has bills nearby: %v", end.UTC().Format(time.RFC3339), near)
			}
		}
	}
}

// result is a fault that answers one of the provider's codes.
func result(code string) simulator.Fault {
	return simulator.Fault{Kind: simulator.Result, Code: code}
}

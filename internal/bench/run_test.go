package main

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"billsync/internal/app"
	"billsync/internal/config"
	reports "billsync/internal/report"

	"github.com/rs/zerolog"
)

// testKeys are made once: making them is slow.
var testKeys = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "billsync-bench-test-")
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "keys")
	testKey, err = makeKeys(dir)
	return dir, err
})

var testKey *rsa.PrivateKey

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := testKeys(); err == nil {
		_ = os.RemoveAll(filepath.Dir(dir))
	}
	os.Exit(code)
}

// A world is a server within the test, and a site that reads from it.
type world struct {
	*site
	key *rsa.PrivateKey
}

// newWorld serves so many bills; none at all if that is 0.
func newWorld(t *testing.T, bills int) *world {
	t.Helper()
	dir, err := testKeys()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{&site{dir: t.TempDir(), service: &service{keys: dir}, history: someHistory(bills), accounts: 1, width: 4}, testKey}
	if bills == 0 {
		return w
	}
	keys, err := loadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	addresses, stop, err := newServer(w.history, 1, keys).listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	w.service.serverAddresses = addresses
	return w
}

// run is a sync in this process.
func (w *world) run(t *testing.T, o app.SyncOptions) (got sample) {
	t.Helper()
	if err := w.configure(); err != nil {
		t.Fatal(err)
	}
	if err := w.service.prepare(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Options{Path: filepath.Join(w.dir, "config.toml"), Environ: nil})
	if err != nil {
		t.Fatal(err)
	}
	a := app.New(cfg, app.Options{Log: zerolog.Nop()})
	defer a.Close()
	o.Trigger = "sync"
	if _, err := a.Sync(t.Context(), o); err != nil {
		t.Fatalf("sync: %v", err)
	}
	if got.server, err = w.service.stats(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.look(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	if got.requests != got.server.Requests {
		t.Errorf("the run sent %d requests, the server had %d", got.requests, got.server.Requests)
	}
	return got
}

// A real sync reads the server's bills, every request signed and every answer
// verified, and the loop, the writer and the other programs end with the same.
func TestWholeRun(t *testing.T) {
	t.Parallel()
	const bills = 1200
	w := newWorld(t, bills)
	first := w.run(t, app.SyncOptions{})
	if first.bills != bills || first.added != bills || first.server.Late > 0 {
		t.Errorf("the first load stored %d bills, %d of them new, %d answers signed late; want %d", first.bills, first.added, first.server.Late, bills)
	}
	if least := first.least(); first.requests < least || first.requests > least+3*len(first.spans) || least < bills/fullPage {
		t.Errorf("%d requests, at least %d, for %d windows", first.requests, least, len(first.spans))
	}
	if nothing := w.run(t, app.SyncOptions{}); nothing.requests != 1 || nothing.added != 0 {
		t.Errorf("with nothing new %d requests brought %d bills", nothing.requests, nothing.added)
	}
	if again := w.run(t, app.SyncOptions{Full: true}); again.requests < first.least() || again.added != 0 {
		t.Errorf("the same again took %d requests and brought %d bills", again.requests, again.added)
	}
	if chase := w.run(t, app.SyncOptions{Refresh: true}); chase.server.ByStatus == 0 || chase.server.Pages == 0 {
		t.Errorf("the refresh asked for %d lists by status and %d pages", chase.server.ByStatus, chase.server.Pages)
	}
	if _, err := w.pace(t.Context(), bills/8); err != nil {
		t.Errorf("pace: %v", err)
	}

	w.reconciles(t, bills)

	loop, err := plainLoop(t.Context(), w.database(), filepath.Join(w.dir, "loop.db"))
	if err != nil || loop.Rows != bills || loop.First.CPU <= 0 || loop.Same.CPU <= 0 || loop.Bytes == 0 {
		t.Errorf("plainLoop = %+v, %v", loop, err)
	}
	same(t, "the loop's", w.database(), filepath.Join(w.dir, "loop.db"))

	written, err := writer(t.Context(), writerOrder{w.history, w.service.keys, filepath.Join(w.dir, "writer.db"), 4})
	if err != nil || written.Rows != bills || written.First.CPU <= 0 || written.Same.CPU <= 0 {
		t.Errorf("writer = %+v, %v", written, err)
	}
	same(t, "the writer's", w.database(), filepath.Join(w.dir, "writer.db"))

	task := naiveTask(w.service.Signed, filepath.Join(w.service.keys, clientPrivate), filepath.Join(w.dir, "naive.db"), w.history)
	for range 2 {
		if n, err := naive(t.Context(), task); err != nil || n.Rows != bills || n.Read < bills {
			t.Errorf("naive = %+v, %v, want %d rows", n, err, bills)
		}
	}
	same(t, "the naive program's", w.database(), task.Database)
	python, why := findPython(t.Context())
	if python == "" {
		t.Skip(why)
	}
	task = naiveTask(w.service.Unsigned, "", filepath.Join(w.dir, "python.db"), w.history)
	for range 2 {
		n, err := runNaive(exec.CommandContext(t.Context(), python, "-c", script), task)
		if err != nil || n.Rows != bills || n.Read < bills || n.CPU <= 0 {
			t.Errorf("the script = %+v, %v, want %d rows", n, err, bills)
		}
	}
	same(t, "the script's", w.database(), task.Database)
}

// reconciles tries the ledgers and the join that syncer is compared with.
func (w *world) reconciles(t *testing.T, bills int) {
	t.Helper()
	lines, err := w.ledgers(t.Context(), bills/ledgerShare)
	if err != nil || lines != bills/ledgerShare {
		t.Fatalf("ledgers = %d, %v", lines, err)
	}
	if u, matched, err := w.plainJoin(t.Context()); err != nil || matched != lines || u.CPU <= 0 {
		t.Errorf("plainJoin = %+v, %d, %v, want %d matches", u, matched, err, lines)
	}
	cfg, err := config.Load(config.Options{Path: filepath.Join(w.dir, "config.toml"), Environ: nil})
	if err != nil {
		t.Fatal(err)
	}
	a := app.New(cfg, app.Options{Log: zerolog.Nop()})
	defer a.Close()
	for name, least := range map[string]int{namedLedger: lines, unnamedLedger: lines / 2} {
		err := a.Reconcile(t.Context(), app.ReconcileOptions{File: w.ledger(name)}, func(*reports.Report) error { return nil })
		var left *app.Verdict
		if err != nil && !errors.As(err, &left) {
			t.Errorf("reconciling %s: %v", name, err)
		}
		if err := w.forget(t.Context(), name, lines+1); err == nil {
			t.Errorf("more lines of ledger %s are matched than it has", name)
		}
		if err := w.forget(t.Context(), name, least); err != nil {
			t.Error(err)
		}
	}
}

// same compares what all programs must store of a bill.
func same(t *testing.T, whose, ours, theirs string) {
	t.Helper()
	const columns = `order_no, bill_no, bill_status, transaction_time, transaction_date, merchant_name, trade_amount, trade_currency,
		out_amount, in_amount, exchange_rate, fail_code, card_last4, budget_account_id, json(raw) AS raw`
	db, err := openReader(ours)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "ATTACH ? AS other", "file:"+escaped(theirs)+"?mode=ro"); err != nil {
		t.Fatal(err)
	}
	var differ int
	if err := db.GetContext(t.Context(), &differ, `
		SELECT count(*) FROM (SELECT `+columns+` FROM main.bills EXCEPT SELECT `+columns+` FROM other.bills)`); err != nil {
		t.Fatal(err)
	}
	if differ > 0 {
		t.Errorf("%s table lacks or changes %d bills", whose, differ)
	}
}

// Accounts have bills of their own.
func TestAccounts(t *testing.T) {
	t.Parallel()
	h := someHistory(50)
	s := newServer(h, 3, keyring{})
	for i := range 3 {
		if got, ok := s.book(customer(i)); !ok || got != i {
			t.Errorf("book(%q) = %d, %t", customer(i), got, ok)
		}
	}
	for _, name := range []string{"", customer(3), "CUSTOMER", "someone"} {
		if got, ok := s.book(name); ok {
			t.Errorf("book(%q) = %d, want none", name, got)
		}
	}
	// Two accounts are asked for further pages before the third is asked at all.
	for _, k := range []answerKey{{book: 0, page: 1}, {book: 1, page: 1}, {book: 0, page: 2}, {book: 1, page: 2}, {book: 2, page: 1}, {book: 2, page: 2}} {
		s.note(k, false)
	}
	if got := s.measured(); got.Overtaken != 2 || got.Requests != 6 || got.FirstFurther > got.LastFirst {
		t.Errorf("measured = %+v, want 2 overtaking", got)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"surprise"}, {serveCommand}, {writerCommand, "no JSON"}, {"-nonsense"}} {
		if err := run(t.Context(), args, strings.NewReader(""), io.Discard, io.Discard); err == nil {
			t.Errorf("run(%q) is no error", args)
		}
	}
}

// The server process says where it listens and ends with its input.
func TestServeMain(t *testing.T) {
	t.Parallel()
	dir, err := testKeys()
	if err != nil {
		t.Fatal(err)
	}
	order, err := json.Marshal(serveOrder{someHistory(100), 1, dir})
	if err != nil {
		t.Fatal(err)
	}
	input, stop := io.Pipe()
	output, said := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- serveMain(string(order), input, said) }()
	s := &service{keys: dir}
	if err := json.NewDecoder(output).Decode(&s.serverAddresses); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.prepare(ctx, 0); err != nil {
		t.Error(err)
	}
	if _, err := s.stats(ctx); err != nil {
		t.Error(err)
	}
	stop.Close()
	if err := <-ended; err != nil {
		t.Errorf("serveMain: %v", err)
	}
}

package app_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/rs/zerolog"

	"billsync/internal/app"
	"billsync/internal/bill"
	"billsync/internal/config"
	"billsync/internal/simulator"
	"billsync/internal/store"
	"billsync/internal/verify"
)

// key is the throwaway key of both sides: making one takes time.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := simulator.NewKeyPair()
	if err != nil {
		panic(err)
	}
	return k
})

// An office is the program with a configuration of two accounts, main and shop,
// beside an API whose books the test writes.
type office struct {
	t      *testing.T
	clock  *clock
	dir    string
	base   string
	ledger *simulator.Ledger
	server *simulator.Server
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, clock: newClock(), dir: t.TempDir(), ledger: simulator.NewLedger()}
	public, err := x509.MarshalPKIXPublicKey(&key().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key())})
	for name, data := range map[string][]byte{"client.pem": private, "server.pub": []byte(base64.StdEncoding.EncodeToString(public))} {
		if err := os.WriteFile(filepath.Join(o.dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o.server = simulator.New(simulator.Options{
		Book: o.ledger, ClientID: "C1", ClientKeys: []*rsa.PublicKey{&key().PublicKey}, Key: key(), Now: o.clock.now, Log: zerolog.Nop(),
	})
	if o.base, err = o.server.Start(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.server.Close() })
	return o
}

// app returns the program, with more lines of configuration.
func (o *office) app(more string) *app.App {
	o.t.Helper()
	text := fmt.Sprintf(`
[api]
base_url = %q
client_id = "C1"
private_key_file = "client.pem"
server_public_key_file = "server.pub"
requests_per_second = 100000.0
[sync]
history_start = "2026-03-10"
%s
[[account]]
name = "main"
[[account]]
name = "shop"
connected_customer_id = "SHOP"
`, o.base, more)
	return newApp(o.t, o.clock, load(o.t, o.clock, o.dir, text), zerolog.Nop())
}

// list adds bills of a customer: order numbers and how many hours ago they were made.
func (o *office) list(customer string, bills map[string]int) {
	for order, hours := range bills {
		at := o.clock.now().Add(-time.Duration(hours) * time.Hour)
		o.ledger.Add(customer, simulator.Entry{Bill: bill.Bill{OrderNo: order, TransactionTime: at, LastUpdate: at}})
	}
}

// fill adds a bill of a customer for every seventh of the last hours.
func (o *office) fill(customer string, hours int) {
	bills := map[string]int{}
	for h := 1; h < hours; h += 7 {
		bills[fmt.Sprintf("%s%05d", customer, h)] = h
	}
	o.list(customer, bills)
}

// behind changes the database behind the program's back.
func (o *office) behind(statement string) {
	o.t.Helper()
	db, err := sqlx.Open("sqlite3", filepath.Join(o.dir, "bills.db"))
	if err != nil {
		o.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		o.t.Fatalf("%s: %v", statement, err)
	}
}

// query reads one column.
func (o *office) query(statement string) (out []string) {
	o.t.Helper()
	db, err := sqlx.Open("sqlite3", "file:"+filepath.Join(o.dir, "bills.db")+"?mode=ro")
	if err != nil {
		o.t.Fatal(err)
	}
	defer db.Close()
	if err := db.Select(&out, statement); err != nil {
		o.t.Fatalf("%s: %v", statement, err)
	}
	return out
}

// stocked is an office whose books are read: 256 days in three windows and a
// tail of some hours, of two accounts.
func stocked(t *testing.T) (*office, *app.App) {
	t.Helper()
	o := newOffice(t)
	o.fill("", 256*24)
	o.fill("SHOP", 256*24)
	a := o.app("")
	for range 2 {
		if _, err := a.Sync(t.Context(), app.SyncOptions{Trigger: "sync"}); err != nil {
			t.Fatalf("Sync = %v", err)
		}
		o.clock.move(10 * time.Hour)
		o.list("", map[string]int{"TAIL" + o.clock.now().String(): 5})
	}
	return o, a
}

// differing names the rows that differ: account, whether it is the tail, by how much.
func differing(rows []*verify.Row) (out []string) {
	for _, r := range rows {
		out = append(out, fmt.Sprintf("%s %v %+d", r.Account, r.Windows, r.Difference()))
	}
	return out
}

// expectError compares an error's exit code and words.
func expectError(t *testing.T, what string, err error, code int, words ...string) {
	t.Helper()
	if got := exitCode(err); got != code {
		t.Errorf("%s = %v with exit code %d, want %d", what, err, got, code)
	}
	var h interface{ Hint() string }
	text := fmt.Sprint(err)
	if errors.As(err, &h) {
		text += " | " + h.Hint()
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s says %q, want %q in it", what, text, w)
		}
	}
}

// What differs is found without writing anything; repairing reads those windows
// again and no others, in ordinary runs, and counts once more.
func TestVerifyAndRepair(t *testing.T) {
	t.Parallel()
	o, a := stocked(t)
	v, err := a.Verify(t.Context(), app.VerifyOptions{})
	expectError(t, "Verify of what agrees", err, 0)
	if got := len(v.First.Rows()); got != 8 {
		t.Errorf("%d rows, want three windows and a tail for each of two accounts", got)
	}

	// Gone here: two in main's oldest window, one in the tail of shop. New at the API: one in main's second.
	o.behind("DELETE FROM bills WHERE account = 'main' AND order_no IN ('06000', '06007')")
	o.list("", map[string]int{"NEW": 115 * 24})
	o.list("SHOP", map[string]int{"LATE": 15})
	oldest := o.query("SELECT window_id FROM windows WHERE account = 'main' ORDER BY window_start")
	want := []string{"main [" + oldest[0] + "] +2", "main [" + oldest[1] + "] +1", "shop [0] +1"}
	runs := o.query("SELECT count(*) FROM runs")
	v, err = a.Verify(t.Context(), app.VerifyOptions{})
	expectError(t, "Verify", err, 3, "3 windows differ", `"syncer verify --repair" reads them again`)
	if got := differing(v.Differing()); !slices.Equal(got, want) {
		t.Errorf("Verify finds %v, want %v", got, want)
	}
	if got := o.query("SELECT count(*) FROM runs"); !slices.Equal(got, runs) {
		t.Errorf("Verify made a run")
	}

	var mu sync.Mutex
	read := map[string]bool{}
	o.server.OnRequest(func(r simulator.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Query.PageSize > 1 {
			read[r.Customer+r.Query.Start.UTC().Format(" 2006-01-02")] = true
		}
	})
	v, err = a.Verify(t.Context(), app.VerifyOptions{Repair: true})
	expectError(t, "Verify with repair", err, 0)
	if got := differing(v.First.Differing()); !slices.Equal(got, want) {
		t.Errorf("Verify finds %v, want %v", got, want)
	}
	if v.Again == nil || len(v.Again.Differing()) > 0 || len(v.Again.Rows()) != 3 {
		t.Errorf("after the repair %d rows were counted again, want the three", len(v.Again.Rows()))
	}
	// The tail is young: tail_days reach further back than its beginning.
	wantRead := append(o.query("SELECT ' ' || substr(window_start, 1, 10) FROM windows WHERE window_id IN ("+oldest[0]+", "+oldest[1]+")"),
		o.clock.now().AddDate(0, 0, -7).Format("SHOP 2006-01-02"))
	for _, w := range wantRead {
		if !read[w] {
			t.Errorf("%q was not read again, only %v", w, read)
		}
	}
	if len(read) != len(wantRead) {
		t.Errorf("read again were %v, want %v alone", read, wantRead)
	}
	if got := o.query("SELECT outcome || bills_new FROM runs WHERE trigger = 'repair' ORDER BY bills_new"); !slices.Equal(got, []string{"complete1", "complete3"}) || len(v.Runs) != 2 {
		t.Errorf("runs = %v, want two of trigger repair", got)
	}
	if got := o.query("SELECT count(*) FROM bills"); got[0] != fmt.Sprint(o.ledger.Len()-1) { // one came after the last sync
		t.Errorf("%v bills stored, the API lists %d", got, o.ledger.Len())
	}
}

// A bill that the API lists no longer is a difference as long as it is stored as
// if it were.
func TestVerifyFindsWhatIsNoLongerListed(t *testing.T) {
	t.Parallel()
	o, a := stocked(t)
	o.ledger.Remove("SHOP", "SHOP03109")
	v, err := a.Verify(t.Context(), app.VerifyOptions{Accounts: []string{"shop"}})
	expectError(t, "Verify", err, 3, "1 window differs")
	if d := v.Differing(); len(d) != 1 || d[0].Difference() != -1 {
		t.Errorf("%v differ, want one by -1", differing(d))
	}
	v, err = a.Verify(t.Context(), app.VerifyOptions{Accounts: []string{"main"}})
	expectError(t, "Verify of the other account", err, 0)
	if got := len(v.First.Rows()); got != 4 {
		t.Errorf("%d rows of one account, want 4", got)
	}
}

// Only the windows that a range of days touches are counted.
func TestVerifyRange(t *testing.T) {
	t.Parallel()
	o, a := stocked(t)
	o.behind("DELETE FROM bills WHERE account = 'main' AND order_no = '06000'") // 250 days ago, in March
	date := func(text string) config.Date {
		d, err := config.ParseDate(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	v, err := a.Verify(t.Context(), app.VerifyOptions{From: date("2026-09-01"), To: date("2026-09-02")})
	expectError(t, "Verify of September", err, 0)
	if got := len(v.First.Rows()); got != 2 {
		t.Errorf("%d rows, want one for each account", got)
	}
	_, err = a.Verify(t.Context(), app.VerifyOptions{To: date("2026-03-31"), Accounts: []string{"main"}})
	expectError(t, "Verify until March", err, 3, "1 window differs")
	_, err = a.Verify(t.Context(), app.VerifyOptions{From: date("2027-01-01")})
	expectError(t, "Verify of the future", err, 2, "is in the future")
	_, err = a.Verify(t.Context(), app.VerifyOptions{Accounts: []string{"nobody"}})
	expectError(t, "Verify of nobody", err, 2, "there is no account")
}

// While another syncer is at work nothing is repaired, but it can be counted.
func TestVerifyBesideARun(t *testing.T) {
	t.Parallel()
	o, a := stocked(t)
	lock, err := store.TryLock(filepath.Join(o.dir, "bills.db"), "sync", o.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	before := o.server.Requests()
	_, err = a.Verify(t.Context(), app.VerifyOptions{Repair: true})
	expectError(t, "Verify with repair beside a run", err, 5)
	if got := o.server.Requests(); got != before {
		t.Errorf("%d requests were made before that was told", got-before)
	}
	_, err = a.Verify(t.Context(), app.VerifyOptions{})
	expectError(t, "Verify beside a run", err, 0)
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	_, err = a.Verify(t.Context(), app.VerifyOptions{Repair: true})
	expectError(t, "Verify with nothing to repair", err, 0)
}

// A refused account is told with its advice; the others are counted.
func TestVerifyRefused(t *testing.T) {
	t.Parallel()
	o, a := stocked(t)
	o.behind("DELETE FROM bills WHERE account = 'main' AND order_no = '06000'")
	o.server.SetFault(func(r simulator.Request) simulator.Fault {
		if r.Customer == "SHOP" {
			return simulator.Fault{Kind: simulator.Result, Code: "AUTHORIZATION_NOT_EXIST"}
		}
		return simulator.Fault{}
	})
	words := []string{"shop: queryBillList refused", "AUTHORIZATION_NOT_EXIST", "customer's grant"}
	v, err := a.Verify(t.Context(), app.VerifyOptions{})
	expectError(t, "Verify", err, 4, append(words, "1 window differs")...)
	if got := len(v.First.Uncounted()); got != 4 {
		t.Errorf("%d rows not counted, want the four of the refused account", got)
	}
	v, err = a.Verify(t.Context(), app.VerifyOptions{Repair: true})
	expectError(t, "Verify with repair", err, 4, words...)
	if v.Again == nil || len(v.Again.Differing()) > 0 {
		t.Errorf("the other account was not repaired")
	}
	s, err := a.Completeness(t.Context(), app.ReportOptions{})
	expectError(t, "Completeness", err, 4, words...)
	if got := len(s.Uncounted()); got != 9 {
		t.Errorf("%d months not counted, want the nine of the refused account", got)
	}
}

// Without an answer nothing agrees.
func TestVerifyWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	o, a := stocked(t)
	o.server.SetFault(func(simulator.Request) simulator.Fault {
		return simulator.Fault{Kind: simulator.Result, Code: "UNKNOWN_EXCEPTION"}
	})
	_, err := a.Verify(t.Context(), app.VerifyOptions{Repair: true})
	expectError(t, "Verify", err, 3, "8 windows were not counted", "run it again later")
	s, err := a.Completeness(t.Context(), app.ReportOptions{Accounts: []string{"main"}})
	expectError(t, "Completeness", err, 3, "9 months were not counted")
	stored := 0
	for _, r := range s.Rows() {
		stored += r.Stored
	}
	if want := o.query("SELECT count(*) FROM bills WHERE account = 'main'"); fmt.Sprint(stored) != want[0] {
		t.Errorf("stored are %d, want %s although nothing could be counted", stored, want[0])
	}
}

// What was never read is not proved, and a database of another origin is not
// compared with this one.
func TestVerifyNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	a := o.app("")
	_, err := a.Verify(t.Context(), app.VerifyOptions{})
	expectError(t, "Verify without a database", err, 3, "there is no database", "syncer sync")
	_, err = a.Completeness(t.Context(), app.ReportOptions{})
	expectError(t, "Completeness without a database", err, 2, "there is no database", "run syncer sync")
	if _, err := a.Sync(t.Context(), app.SyncOptions{Trigger: "sync", Accounts: []string{"main"}}); err != nil {
		t.Fatal(err)
	}
	_, err = a.Verify(t.Context(), app.VerifyOptions{})
	expectError(t, "Verify of an account never read", err, 3, "shop: nothing is proved yet")
	_, err = a.Completeness(t.Context(), app.ReportOptions{})
	expectError(t, "Completeness of an account never read", err, 3, "shop: nothing is proved yet")
	o.behind("UPDATE meta SET value = 'ANOTHER' WHERE key = 'origin_client_id'")
	before := o.server.Requests()
	_, err = a.Verify(t.Context(), app.VerifyOptions{})
	expectError(t, "Verify of another origin", err, 2, "ANOTHER")
	_, err = a.Completeness(t.Context(), app.ReportOptions{})
	expectError(t, "Completeness of another origin", err, 2, "ANOTHER")
	if got := o.server.Requests(); got != before {
		t.Errorf("%d requests were made before that was told", got-before)
	}
}

// The sheet has a row for each month, from the history's first to the proof's
// last, and tells where its numbers come from.
func TestCompleteness(t *testing.T) {
	t.Parallel()
	o, _ := stocked(t)
	a := o.app("[report]\ntimezone = \"America/New_York\"\n")
	s, err := a.Completeness(t.Context(), app.ReportOptions{})
	expectError(t, "Completeness", err, 0)
	if want := strings.TrimPrefix(o.base, "http://"); s.Host != want || s.Client != "C1" || !s.MadeAt.Equal(o.clock.now()) || s.Path != filepath.Join(o.dir, "bills.db") {
		t.Errorf("the sheet says %s, %s, %s, %s", s.Host, s.Client, s.MadeAt, s.Path)
	}
	months := map[string]int{}
	for _, r := range s.Rows() {
		if r.Account == "shop" {
			months[r.Month] = r.API
		}
	}
	want := map[string]int{}
	z, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range o.query("SELECT transaction_time FROM bills WHERE account = 'shop'") {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		want[at.In(z).Format("2006-01")]++
	}
	if fmt.Sprint(months) != fmt.Sprint(want) {
		t.Errorf("shop's months are %v, want %v", months, want)
	}
	o.behind("UPDATE windows SET state = 'waiting' WHERE window_id = 2")
	_, err = a.Completeness(t.Context(), app.ReportOptions{})
	expectError(t, "Completeness with a window that waits", err, 3, "are not proved", "syncer status")
}

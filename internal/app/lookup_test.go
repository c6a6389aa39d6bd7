package app_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"
	"github.com/rs/zerolog"

	"billsync/internal/app"
	"billsync/internal/bill"
	"billsync/internal/config"
	"billsync/internal/simulator"
	"billsync/internal/store"
)

// testKey signs on both sides; making one takes long.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := simulator.NewKeyPair()
	if err != nil {
		panic(err)
	}
	return key
})

// A desk is the API with a ledger, and a program that asks it.
type desk struct {
	*app.App
	t      *testing.T
	clock  *clock
	dir    string
	cfg    *config.Config
	ledger *simulator.Ledger
	api    *simulator.Server

	mu    sync.Mutex
	asked []bill.Query
}

// newDesk serves a ledger. Options may change how, more is further configuration.
func newDesk(t *testing.T, more string, change func(*simulator.Options)) *desk {
	t.Helper()
	d := &desk{t: t, clock: newClock(), dir: t.TempDir(), ledger: simulator.NewLedger()}
	o := simulator.Options{Book: d.ledger, ClientID: "C", ClientKeys: []*rsa.PublicKey{&testKey().PublicKey}, Key: testKey(), Now: d.clock.now}
	if change != nil {
		change(&o)
	}
	d.api = simulator.New(o)
	d.api.OnRequest(func(r simulator.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.asked = append(d.asked, r.Query)
	})
	base, err := d.api.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.api.Close() })
	der, err := x509.MarshalPKCS8PrivateKey(testKey())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	d.cfg = load(t, d.clock, d.dir, fmt.Sprintf(`
[api]
base_url = %q
client_id = "C"
private_key_file = "key.pem"
requests_per_second = 100000.0
[sync]
history_start = "2026-01-01"
page_size = 10
%s`, base, more))
	d.App = newApp(t, d.clock, d.cfg, zerolog.Nop())
	return d
}

func (d *desk) sync() {
	d.t.Helper()
	if _, err := d.Sync(d.t.Context(), app.SyncOptions{Trigger: "sync"}); err != nil {
		d.t.Fatalf("Sync = %v", err)
	}
}

// look looks up, and forgets what was asked before.
func (d *desk) look(o app.LookupOptions) app.Lookup {
	d.t.Helper()
	l, err := d.tryLook(o)
	if err != nil {
		d.t.Fatalf("Lookup(%+v) = %v", o, err)
	}
	return l
}

func (d *desk) tryLook(o app.LookupOptions) (app.Lookup, error) {
	d.mu.Lock()
	d.asked = nil
	d.mu.Unlock()
	if o.Limit == 0 {
		o.Limit = 200
	}
	return d.Lookup(d.t.Context(), o)
}

// db changes the database as a person with a tool of theirs does.
func (d *desk) db(statement string) {
	d.t.Helper()
	db, err := sqlx.Open("sqlite3", d.cfg.Database.URL)
	if err != nil {
		d.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		d.t.Fatalf("%s: %v", statement, err)
	}
}

// verdicts are the orders of a look-up with how each compares, the stored ones
// that were not listed behind them.
func verdicts(l app.Lookup) []string {
	var out []string
	for i := range l.Items {
		x := &l.Items[i]
		s := strings.TrimSpace(x.Bill.OrderNo+" "+x.Bill.BillNo) + ": " + x.Verdict()
		for _, d := range x.Differs {
			s += fmt.Sprintf(" %s %q->%q", d.Field, d.Stored, d.Listed)
		}
		out = append(out, s)
	}
	for _, b := range l.NotListed {
		out = append(out, b.OrderNo+": not listed")
	}
	return out
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func date(t *testing.T, text string) config.Date {
	t.Helper()
	if text == "" {
		return config.Date{}
	}
	d, err := config.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// at is a time in Shanghai, where the days of these tests are.
func at(text string) time.Time {
	t, err := time.ParseInLocation(time.DateTime, text, time.FixedZone("", 8*3600))
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func entry(order, when string, cents int64) simulator.Entry {
	return simulator.Entry{Bill: bill.Bill{
		OrderNo: order, TransactionTime: at(when), AssetID: "CARD1", MaskedCardNo: "555555******4242", MerchantName: "Example Cloud",
		Trade: &bill.Amount{Currency: "USD", Value: cents}, Out: &bill.Amount{Currency: "USD", Value: cents},
		LastUpdate: at(when),
	}}
}

// Each bill is shown beside what is stored of it.
func TestLookup(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "", nil)
	d.ledger.Add("", entry("same", "2026-11-10 10:00:00", 100), entry("changed", "2026-11-10 11:00:00", 200),
		entry("gone", "2026-11-10 12:00:00", 300), entry("back", "2026-11-10 13:00:00", 400), entry("elsewhere", "2026-11-12 00:00:00", 500))
	d.sync()
	d.ledger.Update("", "changed", func(e *simulator.Entry) {
		e.Status, e.Out = "REFUNDED", &bill.Amount{Currency: "EUR", Value: 190}
	})
	d.ledger.Remove("", "gone")
	d.ledger.Add("", entry("new", "2026-11-10 14:00:00", 600))
	d.db("UPDATE bills SET withdrawn_at = '2026-11-20T00:00:00.000Z' WHERE order_no = 'back'")

	day := date(t, "2026-11-10")
	l := d.look(app.LookupOptions{From: day, To: day})
	expect(t, "the look-up", verdicts(l), []string{
		"new: not stored", "back: withdrawn", `changed: differs bill_status "SUCCESS"->"REFUNDED" out_amount "USD 2.00"->"EUR 1.90"`, "same: same",
		"gone: not listed",
	})
	if !l.Whole || l.More || l.Moved || l.Ignored != 0 || l.Requests != 1 || l.NoDatabase {
		t.Errorf("the look-up says %+v", l)
	}
	// The filters hold for what is stored as well.
	for _, tt := range []struct {
		name string
		o    app.LookupOptions
		want []string
	}{
		{"status", app.LookupOptions{Statuses: []string{"REFUNDED", "UNHEARD_OF"}}, nil}, // the simulator refuses what is not documented
		{"one status", app.LookupOptions{Statuses: []string{"REFUNDED"}}, []string{`changed: differs bill_status "SUCCESS"->"REFUNDED" out_amount "USD 2.00"->"EUR 1.90"`}},
		{"the status before", app.LookupOptions{Statuses: []string{"SUCCESS"}, From: day, To: day},
			[]string{"new: not stored", "back: withdrawn", "same: same", "gone: not listed", "changed: not listed"}},
		{"card", app.LookupOptions{CardLast4: "4242", From: day}, []string{"elsewhere: same", "new: not stored", "back: withdrawn",
			`changed: differs bill_status "SUCCESS"->"REFUNDED" out_amount "USD 2.00"->"EUR 1.90"`, "same: same", "gone: not listed"}},
		{"another card", app.LookupOptions{CardLast4: "1111"}, nil},
		{"merchant", app.LookupOptions{Merchant: "cLOUD", From: date(t, "2026-11-11")}, []string{"elsewhere: same"}},
		{"budget account", app.LookupOptions{BudgetAccounts: []string{"BA1"}}, nil},
		{"order", app.LookupOptions{OrderNo: "gone"}, []string{"gone: not listed"}},
		{"order and another day", app.LookupOptions{OrderNo: "same", From: date(t, "2026-11-11")}, nil},
	} {
		l, err := d.tryLook(tt.o)
		if want := tt.name == "status"; (err != nil) != want || want && exitCode(err) != 3 {
			t.Errorf("%s: Lookup = %v", tt.name, err)
		}
		expect(t, tt.name, verdicts(l), tt.want)
	}
}

// Two bills of one order and second stay two: numbers decide, then equal
// content, then amounts.
func TestLookupTwins(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "", nil)
	when := "2026-11-10 10:00:00"
	numbered := func(no string, cents int64) simulator.Entry {
		e := entry("numbered", when, cents)
		e.BillNo = no
		return e
	}
	d.ledger.Add("", entry("order", when, 100), entry("order", when, 200), entry("order", when, 200), numbered("B1", 100), numbered("B2", 100))
	d.sync()
	d.ledger.Change("", func(entries []simulator.Entry) []simulator.Entry {
		for i := range entries {
			switch e := &entries[i]; {
			case e.OrderNo == "order" && e.Trade.Value == 100, e.BillNo == "B2":
				e.Status = "REFUNDED"
			}
		}
		return entries
	})
	d.ledger.Add("", entry("order", when, 300))
	got := verdicts(d.look(app.LookupOptions{From: date(t, "2026-11-10")}))
	expect(t, "twins", got, []string{
		"numbered B1: same", `numbered B2: differs bill_status "SUCCESS"->"REFUNDED"`,
		`order: differs bill_status "SUCCESS"->"REFUNDED"`, "order: same", "order: same", "order: not stored",
	})
}

// A stored order is asked for around its bills alone, any other in all history.
func TestLookupOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "", nil)
	d.ledger.Add("", entry("order", "2026-11-10 10:00:00", 100), entry("order", "2026-11-10 12:00:00", 200), entry("order", "2026-03-01 10:00:00", 300))
	spans := func() (out []string) {
		for _, q := range d.asked {
			out = append(out, q.Start.Format(time.DateTime)+" "+q.End.Format(time.DateTime))
		}
		return out
	}
	l := d.look(app.LookupOptions{OrderNo: "order"})
	expect(t, "without a database", verdicts(l), []string{"order: not stored", "order: not stored", "order: not stored"})
	if !l.NoDatabase || l.Around != 0 {
		t.Errorf("without a database the look-up says %+v", l)
	}
	if files, _ := filepath.Glob(filepath.Join(d.dir, "bills.db*")); len(files) != 0 {
		t.Errorf("a look-up made %v", files)
	}
	expect(t, "spans asked for", spans(), []string{
		"2026-10-24 00:00:00 2026-11-21 12:00:00", "2026-07-17 00:00:00 2026-10-24 23:59:59",
		"2026-04-09 00:00:00 2026-07-17 23:59:59", "2025-12-31 23:59:58 2026-04-09 23:59:59",
	})
	d.sync()
	l = d.look(app.LookupOptions{OrderNo: "order"})
	expect(t, "the order once it is stored", verdicts(l), []string{"order: same", "order: same", "order: same"})
	if l.Around != 3 {
		t.Errorf("the look-up was around %d stored bills, want 3", l.Around)
	}
	expect(t, "spans asked for around stored bills", spans(), []string{
		"2026-11-09 09:59:58 2026-11-11 12:00:01", "2026-02-28 09:59:58 2026-03-02 10:00:01",
	})
	d.look(app.LookupOptions{OrderNo: "order", From: date(t, "2026-11-01"), To: date(t, "2026-11-02")})
	expect(t, "spans asked for with dates", spans(), []string{"2026-10-31 23:59:58 2026-11-03 00:00:01"})
}

// Every bill is shown once, however many spans and pages it takes, whichever
// ends the API counts in; bills in the first and last instant are among them.
func TestLookupIsWhole(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*simulator.Options)
	}{
		{"both ends counted in", nil},
		{"no end counted in", func(o *simulator.Options) { o.ExcludeStart, o.ExcludeEnd = true, true }},
		{"short pages, oldest first", func(o *simulator.Options) { o.MaxPageSize, o.Ascending = 3, true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, "", tt.change)
			want := 0
			for when := at("2026-02-01 00:00:00"); when.Before(at("2026-09-01 00:00:00")); when = when.Add(12 * time.Hour) {
				e := entry(fmt.Sprintf("order %d", want), "2026-01-01 00:00:00", 100)
				e.TransactionTime = when
				d.ledger.Add("", e)
				want++
			}
			last := entry("last", "2026-08-31 23:59:59", 100)
			last.TransactionTime = last.TransactionTime.Add(999 * time.Millisecond)
			d.ledger.Add("", last, entry("before", "2026-01-31 23:59:59", 100), entry("after", "2026-09-01 00:00:00", 100))
			want++
			o := app.LookupOptions{From: date(t, "2026-02-01"), To: date(t, "2026-08-31"), Limit: want}
			l := d.look(o)
			seen := map[string]bool{}
			for _, i := range l.Items {
				seen[i.Bill.OrderNo] = true
			}
			if len(seen) != want || len(l.Items) != want || !seen["last"] || !seen["order 0"] || seen["before"] || seen["after"] || !l.Whole || l.More || l.Moved {
				t.Errorf("the look-up shows %d bills, %d different, want %d; whole %t, more %t, moved %t", len(l.Items), len(seen), want, l.Whole, l.More, l.Moved)
			}
			o.Limit--
			if l := d.look(o); len(l.Items) != want-1 || l.Whole || !l.More {
				t.Errorf("with a limit of %d it shows %d, whole %t, more %t", o.Limit, len(l.Items), l.Whole, l.More)
			}
			o.Limit = 1
			if l := d.look(o); len(l.Items) != 1 || l.Requests != 1 || !l.More {
				t.Errorf("with a limit of 1 it shows %d after %d requests, more %t", len(l.Items), l.Requests, l.More)
			}
		})
	}
}

// A deaf book does not honour filters.
type deaf struct{ *simulator.Ledger }

func (b deaf) Bills(now time.Time, customer string, f simulator.Filter, skip, limit int) ([]json.RawMessage, int) {
	return b.Ledger.Bills(now, customer, simulator.Filter{From: f.From, To: f.To, IncludeFrom: f.IncludeFrom, IncludeTo: f.IncludeTo}, skip, limit)
}

// What the API lists although nobody asked for it is counted and not shown, and
// if there is no end of it the look-up has one.
func TestLookupFiltersIgnored(t *testing.T) {
	t.Parallel()
	var d *desk
	ledger := simulator.NewLedger()
	d = newDesk(t, "", func(o *simulator.Options) { o.Book = deaf{ledger} })
	ledger.Add("", entry("wanted", "2026-11-10 10:00:00", 100), entry("other", "2026-11-10 11:00:00", 100))
	d.sync()
	l := d.look(app.LookupOptions{OrderNo: "wanted"})
	expect(t, "the look-up", verdicts(l), []string{"wanted: same"})
	if l.Ignored != 1 || l.GaveUp || !l.Whole {
		t.Errorf("the look-up says %+v", l)
	}
	var many []simulator.Entry
	for i := range 1200 {
		many = append(many, entry(fmt.Sprint("more ", i), "2026-11-20 10:00:00", 100))
	}
	ledger.Add("", many...)
	l = d.look(app.LookupOptions{CardLast4: "1111"})
	if len(l.Items) != 0 || !l.GaveUp || l.Whole || l.Requests > 102 {
		t.Errorf("with all filters ignored: %d bills, gave up %t, whole %t, %d requests", len(l.Items), l.GaveUp, l.Whole, l.Requests)
	}
}

// What the API refuses or leaves unanswered has the exit code of its outcome;
// what was answered before is shown.
func TestLookupUnanswered(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "", nil)
	d.ledger.Add("", entry("new", "2026-11-10 10:00:00", 100), entry("old", "2026-03-01 10:00:00", 100))
	for _, tt := range []struct {
		fault simulator.Fault
		code  int
		hint  string
	}{
		{simulator.Fault{Kind: simulator.Result, Code: "UNKNOWN_EXCEPTION"}, 3, "in five minutes"},
		{simulator.Fault{Kind: simulator.Result, Code: "REQUEST_TRAFFIC_EXCEED_LIMIT"}, 3, "requests_per_second"},
		{simulator.Fault{Kind: simulator.Result, Code: "SYSTEM_ERROR"}, 3, "contact WorldFirst"},
		{simulator.Fault{Kind: simulator.Result, Code: "AUTHORIZATION_NOT_EXIST"}, 4, "connected ids"},
		{simulator.Fault{Kind: simulator.HTTP, HTTPStatus: 503, RetryAfter: time.Hour}, 3, "Ask again"},
		{simulator.Fault{Kind: simulator.WrongPage}, 3, "Ask again"},
	} {
		for _, from := range []int{1, 3} { // from which request on
			n := 0
			d.api.SetFault(func(simulator.Request) simulator.Fault {
				if n++; n >= from {
					return tt.fault
				}
				return simulator.Fault{}
			})
			l, err := d.tryLook(app.LookupOptions{Statuses: []string{"SUCCESS"}})
			var h interface{ Hint() string }
			if h, _ = err.(interface{ Hint() string }); exitCode(err) != tt.code || h == nil || !strings.Contains(h.Hint(), tt.hint) {
				t.Errorf("%+v from request %d: Lookup = %v with exit code %d, hint %v; want %d and %q", tt.fault, from, err, exitCode(err), h, tt.code, tt.hint)
			}
			if h != nil && (strings.Contains(h.Hint(), "kept") || strings.Contains(h.Hint(), "asked again by itself")) {
				t.Errorf("%+v: the hint is %q, but nothing is kept or asked again", tt.fault, h.Hint())
			}
			want := 0
			if from > 1 {
				want = 1
			}
			if len(l.Items) != want || l.Whole {
				t.Errorf("%+v from request %d: %d bills are shown, whole %t; want %d of the windows before", tt.fault, from, len(l.Items), l.Whole, want)
			}
		}
	}
}

// A look-up changes nothing, needs no lock, and compares only with bills of the
// same origin.
func TestLookupOnlyLooks(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "", nil)
	d.ledger.Add("", entry("order", "2026-11-10 10:00:00", 100))
	d.sync()
	before, err := os.ReadFile(d.cfg.Database.URL)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := store.TryLock(d.cfg.Database.URL, "sync", d.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	d.ledger.Update("", "order", func(e *simulator.Entry) { e.Status = "REFUNDED" })
	expect(t, "beside a run", verdicts(d.look(app.LookupOptions{OrderNo: "order"})), []string{`order: differs bill_status "SUCCESS"->"REFUNDED"`})
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
	if after, err := os.ReadFile(d.cfg.Database.URL); err != nil || string(after) != string(before) {
		t.Errorf("a look-up changed the database: %v", err)
	}
	d.db("UPDATE meta SET value = 'elsewhere' WHERE key = 'origin_host'")
	d.asked = nil
	if _, err := d.tryLook(app.LookupOptions{OrderNo: "order"}); exitCode(err) != 2 || len(d.asked) > 0 {
		t.Errorf("with bills of another origin Lookup = %v with exit code %d after %d requests, want 2 before any", err, exitCode(err), len(d.asked))
	}
}

// What is wrong with the options is told before anything is asked.
func TestLookupOptions(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "[[account]]\nname = \"main\"\n[[account]]\nname = \"shop\"\nconnected_customer_id = \"C2\"\n[[account]]\nname = \"off\"\nenabled = false\n", nil)
	for _, tt := range []struct {
		o    app.LookupOptions
		want string
	}{
		{app.LookupOptions{OrderNo: "x"}, "there are several accounts: say which one with --account"},
		{app.LookupOptions{OrderNo: "x", Account: "nobody"}, `there is no account "nobody"`},
		{app.LookupOptions{OrderNo: "x", Account: "off"}, `account "off" is switched off`},
		{app.LookupOptions{Account: "shop"}, "a look-up needs a filter or a date"},
		{app.LookupOptions{Account: "shop", OrderNo: "x", Limit: -1}, "--limit -1: at least 1"},
		{app.LookupOptions{Account: "shop", From: date(t, "2026-11-22")}, "--from 2026-11-22 is in the future"},
		{app.LookupOptions{Account: "shop", From: date(t, "2026-11-20"), To: date(t, "2026-11-19")}, "--from 2026-11-20 is after --to 2026-11-19"},
		{app.LookupOptions{Account: "shop", To: date(t, "2025-12-31")}, "--to 2025-12-31 is before history_start"},
	} {
		_, err := d.tryLook(tt.o)
		if exitCode(err) != 2 || !strings.Contains(fmt.Sprint(err), tt.want) || len(d.asked) > 0 {
			t.Errorf("Lookup(%+v) = %v with exit code %d after %d requests, want %q and 2 before any", tt.o, err, exitCode(err), len(d.asked), tt.want)
		}
	}
	d.ledger.Add("C2", entry("of the shop", "2026-11-21 10:00:00", 100))
	expect(t, "the account's own bills", verdicts(d.look(app.LookupOptions{Account: "shop", From: date(t, "2026-11-21")})), []string{"of the shop: not stored"})
	expect(t, "another account's", verdicts(d.look(app.LookupOptions{Account: "main", From: date(t, "2026-11-21")})), []string(nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Lookup(ctx, app.LookupOptions{Account: "shop", OrderNo: "x", Limit: 1}); err == nil {
		t.Errorf("a look-up that was stopped says nothing")
	}
}

package store_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

func claim(t *testing.T, s *store.Store, o store.Origin, start time.Time) error {
	t.Helper()
	return s.ClaimOrigin(t.Context(), o, func(string) time.Time { return start }, t0)
}

// A database never mixes the bills of two origins.
func TestClaimOrigin(t *testing.T) {
	t.Parallel()
	origin := func() store.Origin {
		return store.Origin{Host: "open-sea.worldfirst.com", ClientID: "client", Accounts: []bill.Account{
			{Name: "main", ConnectedCustomerID: "customer 1", ConnectedAccountID: "account 1"},
			{Name: "shop", ConnectedCustomerID: "customer 2"},
		}}
	}
	everything := func(s *store.Store) any {
		return []any{
			query(t, s, "SELECT * FROM meta ORDER BY key"), query(t, s, "SELECT * FROM accounts ORDER BY account"),
		}
	}
	s := open(t)
	if err := claim(t, s, origin(), day(1)); err != nil {
		t.Fatalf("ClaimOrigin of a new database = %v", err)
	}
	same(t, "accounts", grid(t, s, "SELECT account, connected_customer_id, connected_account_id, history_start, created_at FROM accounts ORDER BY account"), [][]any{
		{"main", "customer 1", "account 1", dayText(1), stamp0}, {"shop", "customer 2", "", dayText(1), stamp0},
	})
	before := everything(s)
	if err := claim(t, s, origin(), day(1)); err != nil {
		t.Errorf("ClaimOrigin again = %v", err)
	}
	same(t, "the database after the same claim again", everything(s), before)
	for _, tt := range []struct {
		name   string
		change func(*store.Origin)
		want   []string
	}{
		{"host", func(o *store.Origin) { o.Host = "simulator" }, []string{"api.base_url", "open-sea.worldfirst.com", "simulator"}},
		{"client", func(o *store.Origin) { o.ClientID = "another" }, []string{"api.client_id", `"client"`, `"another"`}},
		{"customer", func(o *store.Origin) { o.Accounts[0].ConnectedCustomerID = "customer 2" }, []string{`"main"`, "connected_customer_id", "customer 1", "customer 2"}},
		{"customer taken away", func(o *store.Origin) { o.Accounts[1].ConnectedCustomerID = "" }, []string{`"shop"`, "customer 2"}},
		{"card account", func(o *store.Origin) { o.Accounts[0].ConnectedAccountID = "" }, []string{`"main"`, "connected_account_id", "account 1"}},
		{"card account added", func(o *store.Origin) { o.Accounts[1].ConnectedAccountID = "account 1" }, []string{`"shop"`, "connected_account_id"}},
		{"a new account beside a wrong one", func(o *store.Origin) {
			o.Accounts = append([]bill.Account{{Name: "a-new-one"}}, o.Accounts...)
			o.Accounts[2].ConnectedCustomerID = "x"
		}, []string{`"shop"`}},
		{"an account renamed", func(o *store.Origin) { o.Accounts[0].Name = "hq" },
			[]string{`"hq" is new here`, `"customer 1"`, `stored already, as those of account "main"`}},
		{"the same customer under a second name", func(o *store.Origin) {
			o.Accounts = append(o.Accounts, bill.Account{Name: "hq", ConnectedCustomerID: "customer 2", ConnectedAccountID: "account 9"})
		}, []string{`"hq"`, `"shop"`}},
	} {
		o := origin()
		tt.change(&o)
		err := claim(t, s, o, day(2))
		var input *store.InputError
		if !errors.As(err, &input) {
			t.Errorf("%s: ClaimOrigin = %v (%T), want an InputError", tt.name, err, err)
			continue
		}
		complaint(t, tt.name+": ClaimOrigin", err)
		for _, w := range tt.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: ClaimOrigin = %q, want %q in it", tt.name, err, w)
			}
		}
		same(t, tt.name+": the database afterwards", everything(s), before)
		if err := s.View(t.Context(), func(tx *store.Tx) error { return tx.CompareOrigin(o) }); !errors.As(err, &input) {
			t.Errorf("%s: CompareOrigin = %v, want an InputError", tt.name, err)
		}
	}

	// What may change: accounts come and go, and history begins elsewhere.
	o := origin()
	o.Accounts = append(o.Accounts[1:], bill.Account{Name: "new", ConnectedCustomerID: "customer 3"})
	if err := claim(t, s, o, day(-30)); err != nil {
		t.Errorf("ClaimOrigin with a new account = %v", err)
	}
	same(t, "accounts afterwards", grid(t, s, "SELECT account, connected_customer_id, history_start FROM accounts ORDER BY account"), [][]any{
		{"main", "customer 1", dayText(1)},
		{"new", "customer 3", "2025-12-01T12:00:00.000Z"},
		{"shop", "customer 2", "2025-12-01T12:00:00.000Z"},
	})
}

// The client's own account under a second name is refused as well, and what an
// access token tells apart is not.
func TestClaimOriginOwnAccount(t *testing.T) {
	t.Parallel()
	origin := func(byToken []string, names ...string) store.Origin {
		o := store.Origin{Host: "h", ClientID: "c", ByToken: map[string]bool{}}
		for _, n := range names {
			o.Accounts = append(o.Accounts, bill.Account{Name: n})
		}
		for _, n := range byToken {
			o.ByToken[n] = true
		}
		return o
	}
	s := open(t)
	if err := claim(t, s, origin(nil, "main"), day(1)); err != nil {
		t.Fatal(err)
	}
	err := claim(t, s, origin(nil, "hq"), day(1))
	complaint(t, "ClaimOrigin of a renamed account", err)
	var hinter interface{ Hint() string }
	if !errors.As(err, &hinter) || !strings.Contains(hinter.Hint(), `keep the old name "main", or name another file`) {
		t.Errorf("ClaimOrigin of a renamed account = %v, want a hint what to do", err)
	}
	if err := claim(t, s, origin([]string{"customer"}, "main", "customer"), day(1)); err != nil {
		t.Errorf("ClaimOrigin of an account with a token beside the client's own = %v", err)
	}
	if err := claim(t, s, origin([]string{"customer", "other"}, "main", "customer", "other"), day(1)); err != nil {
		t.Errorf("ClaimOrigin of a second account with a token = %v", err)
	}
	s = open(t)
	if err := claim(t, s, origin([]string{"customer"}, "customer"), day(1)); err != nil {
		t.Fatal(err)
	}
	if err := claim(t, s, origin([]string{"customer"}, "customer", "main"), day(1)); err != nil {
		t.Errorf("ClaimOrigin of the client's own account beside one with a token = %v", err)
	}
}

// The day of a bill follows the report's time zone, in earlier states as well.
func TestAdoptReportZone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bills.db")
	s := openAt(t, path, shanghai)
	update(t, s, func(tx *store.Tx) error { return tx.SaveAccount(bill.Account{Name: "main"}, day(1), t0) })
	// More than are read at once.
	update(t, s, func(tx *store.Tx) error {
		for i := range 5003 {
			b := plain("filler", day(1).Add(time.Duration(i)*time.Second))
			if _, err := tx.InsertBill("main", b, 0, t0, t0, 1); err != nil {
				return err
			}
		}
		return nil
	})
	late := plain("late", time.Date(2026, 5, 31, 16, 0, 0, 0, time.UTC))
	early := plain("early", time.Date(2026, 6, 1, 15, 59, 59, 999_000_000, time.UTC))
	ids := insert(t, s, late, early)
	update(t, s, func(tx *store.Tx) error {
		late.TransactionTime = late.TransactionTime.Add(-time.Millisecond)
		return tx.UpdateBill(ids[0], late, 0, day(20), day(20), 2)
	})
	dates := func(s *store.Store) [][]any {
		return grid(t, s, `SELECT (SELECT transaction_date FROM bills WHERE order_no = 'late'), (SELECT transaction_date FROM bill_states),
			(SELECT transaction_date FROM bills WHERE order_no = 'early'), (SELECT max(transaction_date) FROM bills WHERE order_no = 'filler'),
			(SELECT value FROM meta WHERE key = 'report_timezone')`)
	}
	same(t, "dates in Shanghai", dates(s), [][]any{{"2026-05-31", "2026-06-01", "2026-06-01", "2026-01-01", "Asia/Shanghai"}})
	for _, tt := range []struct{ zone, late, state, early, filler string }{
		{"America/New_York", "2026-05-31", "2026-05-31", "2026-06-01", "2026-01-01"},
		{"Pacific/Kiritimati", "2026-06-01", "2026-06-01", "2026-06-02", "2026-01-02"},
		{"Asia/Shanghai", "2026-05-31", "2026-06-01", "2026-06-01", "2026-01-01"},
	} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openAt(t, path, zone(tt.zone))
		for range 2 { // once is enough, twice does no harm
			if err := s.AdoptReportZone(t.Context()); err != nil {
				t.Fatalf("AdoptReportZone in %s = %v", tt.zone, err)
			}
		}
		same(t, "dates in "+tt.zone, dates(s), [][]any{{tt.late, tt.state, tt.early, tt.filler, tt.zone}})
	}
	same(t, "changed_at of what was only dated anew", grid(t, s, "SELECT DISTINCT changed_at FROM bills WHERE order_no <> 'late'"), [][]any{{stamp0}})
}

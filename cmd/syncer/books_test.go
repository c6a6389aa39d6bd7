package main

import (
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"billsync/internal/simulator"
)

// opened opens a database that no program has open.
func opened(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// executed runs statements on a database file, which is made if there is none.
func executed(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := opened(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// books is all that two databases say in common that hold the same bills,
// whichever runs read them and when, but for one part.
func books(db *sql.DB, aside string) (map[string][]string, error) {
	const bills = `b.account, b.order_no, substr(b.transaction_time, 1, 19), b.ordinal`
	const state = `x.bill_no, x.bill_type, x.bill_status, x.asset_id, x.masked_card_no, x.card_last4, x.transaction_time, x.transaction_date,
		x.merchant_name, x.trade_amount, x.trade_currency, x.out_amount, x.out_currency, x.in_amount, x.in_currency, x.exchange_rate,
		x.fail_code, x.fail_desc, x.last_update, x.metadata, x.withdrawn_at IS NOT NULL, x.content_hash, x.raw`
	const progress = `x.state, x.next_page, x.total_count, x.stored_count, x.attempts, x.setbacks, x.next_attempt_at, x.last_error,
		x.proved_at IS NOT NULL, x.missing, x.missing_accepted, x.accepted_at IS NOT NULL`
	out := make(map[string][]string)
	for name, query := range map[string]string{
		"bills":  "SELECT " + bills + ", " + state + " FROM bills b JOIN bills x USING (bill_id) ORDER BY 1, 2, 3, 4",
		"states": "SELECT " + bills + ", " + state + " FROM bills b JOIN bill_states x USING (bill_id) ORDER BY 1, 2, 3, 4, x.state_id",
		// The newest window ends where it was when it was read first.
		"windows": "SELECT account, window_start, zone, open_end, reread_at IS NOT NULL, " + progress + " FROM windows x ORDER BY 1, 2",
		"ends":    "SELECT window_end FROM windows ORDER BY window_start DESC LIMIT -1 OFFSET 1",
		"tails":   "SELECT account, proved_until IS NOT NULL, " + progress + " FROM tails x ORDER BY 1",
		"chases": "SELECT x.account, w.window_start, x.counts, " + progress + ` FROM chases x LEFT JOIN windows w USING (window_id)
			ORDER BY 1, 2`,
		"accounts":     "SELECT account, history_start, refreshed_at IS NOT NULL, refresh_wanted_at, refused_at FROM accounts ORDER BY 1",
		"fail reasons": "SELECT error_code, error_desc, category, documented FROM fail_reasons ORDER BY 1",
		"rejected": `SELECT account, bill_id, order_no, reason, item_hash, occurrence, raw, page_number, accepted_at IS NOT NULL, resolved_at IS NOT NULL
			FROM rejected_items ORDER BY 1, 5, 6`,
		"acceptances": "SELECT account, subject, reason, note FROM acceptances ORDER BY 1, 2",
		"left over": `SELECT (SELECT count(*) FROM held_items), (SELECT count(*) FROM evidence), (SELECT count(*) FROM passes WHERE state <> 'done'),
			(SELECT count(*) FROM (SELECT count(*) AS n FROM passes GROUP BY account, window_id HAVING n > 1))`,
		"coverage": "SELECT account, windows, windows_proved, bills, unreadable, accepted, complete FROM coverage ORDER BY 1",
	} {
		rows, err := ask(db, query)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if name != aside {
			out[name] = rows
		}
	}
	return out, nil
}

// differences lists what only one of two databases says: + the second.
func differences(want, got map[string][]string) string {
	var b strings.Builder
	for _, part := range slices.Sorted(maps.Keys(want)) {
		count := map[string]int{}
		for _, row := range want[part] {
			count[row]--
		}
		for _, row := range got[part] {
			count[row]++
		}
		for _, row := range slices.Sorted(maps.Keys(count)) {
			if n := count[row]; n != 0 {
				fmt.Fprintf(&b, "  %s %+d: %.300s\n", part, n, row)
			}
		}
	}
	return b.String()
}

// throwaway is the key of all servers here, since making one takes time.
var throwaway = sync.OnceValues(simulator.NewKeyPair)

// serveBook serves a book until the test ends.
func serveBook(t *testing.T, book simulator.Book) (settings, *simulator.Server) {
	t.Helper()
	return serveOptions(t, simulator.Options{Book: book})
}

// serveOptions is serveBook with other options, of which it fills in who asks.
func serveOptions(t *testing.T, o simulator.Options) (settings, *simulator.Server) {
	t.Helper()
	key, err := throwaway()
	if err != nil {
		t.Fatal(err)
	}
	s := settings{ClientID: "TEST", PrivateKey: filepath.Join(t.TempDir(), "client.pem")}
	s.ServerKey = filepath.Join(filepath.Dir(s.PrivateKey), "server.pub")
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string][]byte{
		s.PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		s.ServerKey:  []byte(base64.StdEncoding.EncodeToString(public)),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o.ClientID, o.ClientKeys, o.Key = s.ClientID, []*rsa.PublicKey{&key.PublicKey}, key
	srv := simulator.New(o)
	if s.BaseURL, err = srv.Start(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	return s, srv
}

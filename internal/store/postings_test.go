package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// shouted names merchants in capitals.
type shouted struct{}

func (shouted) Name(raw string) (name, rule string) { return strings.ToUpper(raw), "capitals" }
func (shouted) Version() string                     { return "1" }

// A tester is a test, or a case of a property.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Context() context.Context
}

// post brings the books and their sums up to date.
func post(t tester, s *store.Store) {
	t.Helper()
	if _, err := s.Post(t.Context()); err != nil {
		t.Fatalf("Post = %v", err)
	}
	if err := s.Sum(t.Context(), shouted{}); err != nil {
		t.Fatalf("Sum = %v", err)
	}
}

// texts returns the rows of a query, each as one text.
func texts(t tester, s *store.Store, q string, args ...any) []string {
	t.Helper()
	rows, err := s.Reader().QueryxContext(t.Context(), q, args...)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	out := []string{}
	for rows.Next() {
		row, err := rows.SliceScan()
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		var cells []string
		for _, c := range row {
			cells = append(cells, fmt.Sprint(c))
		}
		out = append(out, strings.Join(cells, " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return out
}

// A life is a bill that changes, in one or several databases alike.
type life struct {
	order   string
	at      time.Time
	present bill.Bill
}

// tell stores the present state of a bill.
func (l *life) tell(t tester, s *store.Store, now time.Time) {
	t.Helper()
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		known, err := tx.KnownByOrders("main", []string{l.order})
		if err != nil {
			return err
		}
		b := l.present
		if len(known) == 0 {
			_, err = tx.InsertBill("main", &b, 0, now, now, 1)
			return err
		}
		return tx.UpdateBill(known[0].ID, &b, 0, now, now, 2)
	})
	if err != nil {
		t.Fatalf("storing a bill: %v", err)
	}
}

// vanish marks a bill as withdrawn.
func (l *life) vanish(t tester, s *store.Store, now time.Time) {
	t.Helper()
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		known, err := tx.KnownByOrders("main", []string{l.order})
		if err != nil || len(known) == 0 {
			return err
		}
		_, err = tx.Withdraw(&known[0], now, 3)
		return err
	})
	if err != nil {
		t.Fatalf("withdrawing a bill: %v", err)
	}
}

// What the books must say of a bill, from its present state alone.
const presentNet = `
	SELECT bill_id, currency, sum(amount) FROM (
		SELECT bill_id, out_currency AS currency, -out_amount AS amount FROM bills
		WHERE withdrawn_at IS NULL AND bill_status IN ('SUCCESS', 'PARTIAL_CANCEL', 'PARTIAL_REFUND', 'REFUNDED') AND out_amount IS NOT NULL
		UNION ALL
		SELECT bill_id, in_currency, in_amount FROM bills
		WHERE withdrawn_at IS NULL AND bill_status IN ('SUCCESS', 'PARTIAL_CANCEL', 'PARTIAL_REFUND', 'REFUNDED') AND in_amount IS NOT NULL)
	GROUP BY bill_id, currency HAVING sum(amount) <> 0 ORDER BY bill_id, currency`

const (
	postedNet = "SELECT bill_id, currency, sum(amount) FROM postings GROUP BY bill_id, currency HAVING sum(amount) <> 0 ORDER BY bill_id, currency"
	asPosted  = "SELECT bill_id, line, line_id, kind, amount, currency, posting_date, effect_date, reason FROM postings ORDER BY bill_id, line"
	asDerived = "SELECT line_id, kind, amount, currency, effect_date, reason FROM postings ORDER BY bill_id, line"

	stored = `SELECT dimension, month, account, name, currency, postings, spends, spent, returned, reversed, adjusted
		FROM book_sums WHERE %s ORDER BY dimension, month, account, name, currency`
	summed = `
		SELECT dimension, month, account, name, currency, count(*), sum(kind = 'spend'),
		       sum(CASE kind WHEN 'spend' THEN amount ELSE 0 END), sum(CASE kind WHEN 'return' THEN amount ELSE 0 END),
		       sum(CASE kind WHEN 'reversal' THEN amount ELSE 0 END), sum(CASE kind WHEN 'adjustment' THEN amount ELSE 0 END)
		FROM (SELECT 'account' AS dimension, '' AS name, p.*, b.account, substr(p.posting_date, 1, 7) AS month FROM postings p JOIN bills b USING (bill_id)
		      UNION ALL
		      SELECT 'merchant', coalesce(b.merchant_name, ''), p.*, b.account, substr(p.posting_date, 1, 7) FROM postings p JOIN bills b USING (bill_id)
		      UNION ALL
		      SELECT 'card', coalesce(b.asset_id, ''), p.*, b.account, substr(p.posting_date, 1, 7) FROM postings p JOIN bills b USING (bill_id)
		      UNION ALL
		      SELECT 'budget', coalesce(b.budget_account_id, ''), p.*, b.account, substr(p.posting_date, 1, 7) FROM postings p JOIN bills b USING (bill_id))
		WHERE %s GROUP BY dimension, month, account, name, currency ORDER BY 1, 2, 3, 4, 5`
)

// Whatever happens to bills, whenever it is posted and whatever is closed
// meanwhile: the postings add up to the present state, those there stay as they
// are, closed months do not move, and the sums are those of the rows.
func TestBooksFollow(t *testing.T) {
	t.Parallel()
	dir, n := t.TempDir(), 0
	amount := rapid.Custom(func(t *rapid.T) *bill.Amount {
		if rapid.IntRange(0, 3).Draw(t, "there") == 0 {
			return nil
		}
		return &bill.Amount{Currency: rapid.SampledFrom([]string{"USD", "JPY"}).Draw(t, "currency"), Value: rapid.Int64Range(-20, 500).Draw(t, "value")}
	})
	statuses := []string{"WAITING_CLEARANCE", "WAITING_DEDUCT", "SUCCESS", "SUCCESS", "FAILED", "CANCELLED", "PARTIAL_CANCEL", "PARTIAL_REFUND", "REFUNDED", "NEW_ONE"}
	rapid.Check(t, func(t *rapid.T) {
		n++
		often, once := must(t, filepath.Join(dir, fmt.Sprintf("often%d.db", n))), must(t, filepath.Join(dir, fmt.Sprintf("once%d.db", n)))
		defer often.Close()
		defer once.Close()
		now := time.Date(2026, 1, 10, 8, 0, 0, 0, time.UTC)
		var lives []*life
		var before []string
		closed := map[string]store.Closing{}
		for range rapid.IntRange(4, 25).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 240).Draw(t, "hours")) * time.Hour)
			switch step := rapid.IntRange(0, 9).Draw(t, "step"); {
			case step < 6:
				var l *life
				if len(lives) == 0 || step == 0 {
					l = &life{order: fmt.Sprintf("O%d", len(lives)), at: now.Add(-time.Duration(rapid.IntRange(0, 600).Draw(t, "ago")) * time.Hour)}
					lives = append(lives, l)
				} else {
					l = rapid.SampledFrom(lives).Draw(t, "bill")
				}
				b := plain(l.order, l.at)
				b.Status = rapid.SampledFrom(statuses).Draw(t, "status")
				b.Out, b.In = amount.Draw(t, "out"), amount.Draw(t, "in")
				b.MerchantName = rapid.SampledFrom([]string{"", "Shop", "Inn"}).Draw(t, "merchant")
				b.AssetID = rapid.SampledFrom([]string{"CARD1", "CARD2"}).Draw(t, "card")
				if b.Status == "FAILED" {
					b.FailCode, b.Trade = rapid.SampledFrom([]string{"", "WORLD_CARD_OVER_LIMIT"}).Draw(t, "reason"), usd(100)
				}
				switch rapid.IntRange(0, 3).Draw(t, "updated") {
				case 0: // as before, though something else changed
					b.LastUpdate = l.present.LastUpdate
				case 1, 2:
					b.LastUpdate = now.Add(-time.Duration(rapid.IntRange(-50, 500).Draw(t, "update")) * time.Hour)
				}
				b.Hash = fmt.Sprint(n, now)
				l.present = *b
				l.tell(t, often, now)
				l.tell(t, once, now)
			case step == 6 && len(lives) > 0:
				l := rapid.SampledFrom(lives).Draw(t, "bill")
				l.vanish(t, often, now)
				l.vanish(t, once, now)
			case step == 7:
				post(t, often)
				c := store.Closing{Month: now.AddDate(0, -rapid.IntRange(0, 2).Draw(t, "back"), 0).Format("2006-01"), At: now, By: "me", Program: "test"}
				var usage *store.UsageError
				if err := often.CloseMonth(t.Context(), &c, shouted{}, false); err == nil {
					closed[c.Month] = c
				} else if !errors.As(err, &usage) || closed[c.Month].Hash == "" {
					t.Fatalf("closing %s: %v", c.Month, err)
				}
			default:
				post(t, often)
			}
			after := texts(t, often, asPosted)
			for _, line := range before {
				if !slices.Contains(after, line) {
					t.Fatalf("a posting changed or went: %s\n%s", line, strings.Join(after, "\n"))
				}
			}
			before = after
		}
		post(t, often)
		post(t, once)
		before = texts(t, often, asPosted)
		equal(t, "the postings and the present states", texts(t, often, postedNet), texts(t, often, presentNet))
		equal(t, "the postings made often and once", texts(t, often, asDerived), texts(t, once, asDerived))
		equal(t, "bills with an id of another", texts(t, often, "SELECT line_id FROM postings GROUP BY line_id HAVING count(*) > 1"), []string{})
		// Nothing is undone before it was done. The day of a purchase may be told later.
		equal(t, "lines that happened before the one they change", texts(t, often, `
			SELECT a.line_id, b.line_id FROM postings a JOIN postings b ON b.bill_id = a.bill_id AND b.line > a.line
			WHERE b.effect_date < a.effect_date`), []string{})
		const open = "month NOT IN (SELECT month FROM closes)"
		equal(t, "the sums of open months", texts(t, often, fmt.Sprintf(stored, open)), texts(t, often, fmt.Sprintf(summed, open)))
		equal(t, "all sums where nothing is closed", texts(t, once, fmt.Sprintf(stored, "1")), texts(t, once, fmt.Sprintf(summed, "1")))
		equal(t, "the sums of failed payments and the bills", texts(t, often, `
			SELECT dimension, month, account, sum(failures) FROM failure_sums GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`), texts(t, often, `
			SELECT d.column1, substr(transaction_date, 1, 7), account, count(*) FROM bills JOIN (VALUES ('account'), ('card'), ('merchant')) d
			WHERE bill_status = 'FAILED' AND withdrawn_at IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`))
		checked, err := often.CheckBooks(t.Context(), nil, nil)
		equal(t, "findings", checked.Findings, []store.BooksFinding(nil))
		if err != nil || checked.Bills != len(lives) || checked.Postings != len(before) || checked.Closed != len(closed) {
			t.Fatalf("CheckBooks = %+v, %v", checked, err)
		}
		err = often.View(t.Context(), func(tx *store.Tx) error {
			list, err := tx.Closings()
			if err != nil || len(list) != len(closed) {
				t.Fatalf("%d months are listed as closed, of %d: %v", len(list), len(closed), err)
			}
			for _, c := range list {
				again, err := tx.Recount(c.Month)
				if err != nil {
					return err
				}
				again.At, again.By, again.Program = c.At, c.By, c.Program
				equal(t, "a closed month then and now", again, c)
				equal(t, "a closed month as it was closed and as it is listed", c, closed[c.Month])
			}
			return nil
		})
		if err != nil {
			t.Fatalf("looking at what is closed: %v", err)
		}
		// Merchants and cards of closed months are what they were as well.
		equal(t, "the sums of closed months", texts(t, often, `
			SELECT dimension, month, currency, sum(spent), sum(returned), sum(reversed), sum(adjusted) FROM book_sums
			WHERE NOT `+open+` AND dimension <> 'account' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`), texts(t, often, `
			SELECT d.column1, month, currency, sum(spent), sum(returned), sum(reversed), sum(adjusted) FROM close_totals
			JOIN (VALUES ('budget'), ('card'), ('merchant')) d GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`))
	})
}

// template is a database that knows the account main. To make one anew takes longer
// than what most cases of a property do with it.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "billsync-template-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "bills.db")
	s, err := store.Open(context.Background(), path, shanghai)
	if err != nil {
		return nil, err
	}
	err = s.Update(context.Background(), func(tx *store.Tx) error { return tx.SaveAccount(bill.Account{Name: "main"}, day(1), t0) })
	if err = errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// must opens a new database that knows the account main.
func must(t tester, path string) *store.Store {
	t.Helper()
	data, err := template()
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatalf("making a database: %v", err)
	}
	s, err := store.Open(t.Context(), path, shanghai)
	if err != nil {
		t.Fatalf("opening %s: %v", path, err)
	}
	return s
}

func equal(t tester, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s differ (-want +got):\n%s", what, diff)
	}
}

// Rows that somebody takes away, and whose keys SQLite gives out again, cost
// neither the next sync nor a closed month: what is read again is mended.
func TestBooksMend(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	tell := func(order string, n int, out int64) {
		b := plain(order, day(n))
		b.Status, b.Out, b.MerchantName = "SUCCESS", usd(out), "Shop"
		(&life{order: order, at: day(n), present: *b}).tell(t, s, day(n).Add(time.Hour))
	}
	tell("A", 2, 100)
	tell("B", 3, 200)
	tell("C", 4, 300)
	post(t, s)
	c := store.Closing{Month: "2026-01", At: day(40), By: "me", Program: "test"}
	if err := s.CloseMonth(t.Context(), &c, shouted{}, false); err != nil {
		t.Fatal(err)
	}
	want := texts(t, s, "SELECT line_id, amount, posting_date FROM postings ORDER BY line_id")
	db := raw(t, s.Path())
	execute(t, db, "PRAGMA foreign_keys = OFF", "DELETE FROM bills WHERE order_no IN ('B', 'C')")
	check := func(what string, findings int) {
		t.Helper()
		got, err := s.CheckBooks(t.Context(), nil, nil)
		if err != nil || len(got.Findings) != findings {
			t.Errorf("%s: CheckBooks = %+v, %v; want %d findings", what, got.Findings, err, findings)
		}
	}
	check("two bills are gone", 7) // two lines, four sums, what is closed
	tell("C", 4, 300)              // under the key that B had
	tell("D", 50, 400)             // under that of C
	tell("B", 3, 200)
	if _, err := s.MendBooks(t.Context(), nil); err != nil {
		t.Fatalf("MendBooks = %v", err)
	}
	post(t, s)
	check("mended", 0)
	got := texts(t, s, "SELECT line_id, amount, posting_date FROM postings WHERE bill_id <> (SELECT bill_id FROM bills WHERE order_no = 'D') ORDER BY line_id")
	equal(t, "the postings before and after", got, want)
}

// A database of the version before there were books gets them for all that is in
// it, whatever interrupts that, and new bills are posted beside it.
func TestBooksOfAnOlderDatabase(t *testing.T) {
	t.Parallel()
	schema, err := os.ReadFile("testdata/schema3.sql")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "old.db")
	db := raw(t, path)
	execute(t, db, string(schema), `
		INSERT INTO meta VALUES ('report_timezone', 'Asia/Shanghai');
		INSERT INTO accounts (account, connected_customer_id, connected_account_id, history_start, created_at) VALUES ('main', '', '', '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z');
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5001)
		INSERT INTO bills (account, order_no, ordinal, transaction_time, transaction_date, bill_status, out_amount, out_currency, in_amount, in_currency, merchant_name, asset_id,
			last_update, first_seen_at, changed_at, read_at, run_id, content_hash, raw)
		SELECT 'main', 'O' || i, 0, '2024-02-01T16:30:00.000Z', '2024-02-02',
			CASE i % 3 WHEN 0 THEN 'SUCCESS' WHEN 1 THEN 'REFUNDED' ELSE 'FAILED' END, i, 'USD', CASE i % 3 WHEN 1 THEN i END, CASE i % 3 WHEN 1 THEN 'USD' END, 'Shop', 'C1',
			CASE i % 3 WHEN 1 THEN '2024-03-31T16:00:00.000Z' END, '2024-05-01T00:00:00.000Z', '2024-05-01T00:00:00.000Z', '2024-05-01T00:00:00.000Z', 1, 'x', '{}' FROM n;
		-- One waited first, and cleared on the second day of the books.
		INSERT INTO bill_states (bill_id, valid_from, valid_to, bill_status, out_amount, out_currency, transaction_time, transaction_date, run_id, content_hash, raw)
		VALUES (3, '2024-02-01T17:00:00.000Z', '2024-02-03T10:00:00.000Z', 'WAITING_CLEARANCE', 4, 'USD', '2024-02-01T16:30:00.000Z', '2024-02-02', 1, 'y', '{}');
		UPDATE bills SET changed_at = '2024-02-03T10:00:00.000Z' WHERE bill_id = 3`)
	db.Close()
	s := openAt(t, path, shanghai)
	if left, err := s.Unposted(t.Context()); err != nil || !left {
		t.Fatalf("Unposted = %t, %v", left, err)
	}
	b := plain("NEW", day(3))
	b.Status, b.Out = "SUCCESS", usd(77)
	insert(t, s, b)
	equal(t, "what is posted at once", texts(t, s, "SELECT line_id <> '', amount FROM postings"), []string{"1 -77"})
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := s.Post(stopped); !errors.Is(err, context.Canceled) {
		t.Errorf("Post, stopped = %v", err)
	}
	post(t, s)
	equal(t, "the postings and the present states", texts(t, s, postedNet), texts(t, s, presentNet))
	equal(t, "days", texts(t, s, "SELECT kind, posting_date, count(*) FROM postings WHERE bill_id <= 5001 GROUP BY 1, 2 ORDER BY 1, 2"), []string{
		"return 2024-04-01 1667", // when it changed last, in Shanghai
		"spend 2024-02-02 3333",  // when it was bought: when it cleared nobody said
		"spend 2024-02-03 1",     // when it was seen to have cleared
	})
	if got, err := s.CheckBooks(t.Context(), nil, nil); err != nil || len(got.Findings) > 0 {
		t.Errorf("CheckBooks = %+v, %v", got, err)
	}
	if left, err := s.Unposted(t.Context()); err != nil || left {
		t.Errorf("Unposted afterwards = %t, %v", left, err)
	}
}

// Days of postings that somebody wrote by hand and that are none are told, and
// cost neither the next change of the bill nor the sums of other months.
func TestBooksOfNoDay(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"garbage", "", "2026-13-01", "2026-02-30", "2026-01"} {
		t.Run(bad, func(t *testing.T) {
			t.Parallel()
			s := withAccount(t)
			b := plain("A", day(2))
			b.Status, b.Out = "SUCCESS", usd(100)
			l := life{order: "A", at: day(2), present: *b}
			l.tell(t, s, day(2).Add(time.Hour))
			post(t, s)
			execute(t, raw(t, s.Path()), "UPDATE postings SET posting_date = '"+bad+"'")
			told := func() (days int) {
				t.Helper()
				got, err := s.CheckBooks(t.Context(), nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range got.Findings {
					if strings.Contains(f.Reason, "one of these is no day") {
						days++
					}
				}
				return days
			}
			if told() != 1 {
				t.Errorf("CheckBooks does not tell that %q is no day", bad)
			}
			l.present.Status, l.present.In, l.present.Hash = "REFUNDED", usd(100), "later"
			l.tell(t, s, day(3))
			if _, err := s.MendBooks(t.Context(), nil); err != nil {
				t.Errorf("MendBooks = %v", err)
			}
			post(t, s)
			equal(t, "the sums", texts(t, s, "SELECT month, spent, returned FROM book_sums WHERE dimension = 'account' AND month = '2026-01'"), []string{"2026-01 0 100"})
			if told() != 1 {
				t.Errorf("a day that is none is not told any more")
			}
		})
	}
}

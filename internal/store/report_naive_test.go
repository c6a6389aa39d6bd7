package store_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// A drawn database has two accounts and bills of a few months with all that is
// missing now and then.
func drawn(t *rapid.T, path string) *store.Store {
	s := must(t, path)
	text := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	amount := func(name string) *bill.Amount {
		if rapid.IntRange(0, 5).Draw(t, "no "+name) == 0 {
			return nil
		}
		return &bill.Amount{Currency: text(name+" currency", "USD", "JPY", "KWD", "CNH"), Value: rapid.Int64Range(-50, 900).Draw(t, name)}
	}
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.SaveAccount(bill.Account{Name: "second"}, day(1), t0); err != nil {
			return err
		}
		for i := range rapid.IntRange(0, 40).Draw(t, "bills") {
			account := text("account", "main", "second")
			b := plain(fmt.Sprintf("O%d", i), day(1).Add(time.Duration(rapid.IntRange(0, 90*24*4).Draw(t, "quarters"))*15*time.Minute))
			b.Status = text("status", "WAITING_CLEARANCE", "SUCCESS", "SUCCESS", "FAILED", "FAILED", "CANCELLED", "PARTIAL_CANCEL", "PARTIAL_REFUND", "REFUNDED", "NEW", "")
			b.Trade, b.Out, b.In = amount("trade"), amount("out"), amount("in")
			b.MerchantName = text("merchant", "", "Shop", "SHOP", "酒店", "a\x1bb")
			b.AssetID = text("card", "", "C1", "C2", "C3")
			b.CardLast4, b.CardNickName = text("last four", "", "1111", "2222"), text("nick name", "", "Ads", "云")
			b.ExchangeRate = text("rate", "", "1", "0.0064", "x")
			if b.Status == "FAILED" {
				b.FailCode = text("reason", "", "WORLD_CARD_OVER_LIMIT", "NEW_CODE")
			}
			id, err := tx.InsertBill(account, b, 0, t0, t0, 1)
			if err != nil {
				return err
			}
			if rapid.IntRange(0, 9).Draw(t, "withdrawn") == 0 {
				known, err := tx.KnownByOrders(account, []string{b.OrderNo})
				if err != nil {
					return err
				}
				if _, err := tx.Withdraw(&known[0], t0.Add(time.Hour), 2); err != nil {
					return fmt.Errorf("bill %d: %w", id, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("making bills: %v", err)
	}
	post(t, s)
	return s
}

// What reports ask for is what plain SQL says of the bills and postings.
func TestReportsAreNaive(t *testing.T) {
	t.Parallel()
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		s := drawn(t, filepath.Join(dir, fmt.Sprintf("%d.db", n)))
		defer s.Close()
		var accounts []string
		if one := rapid.SampledFrom([]string{"", "main", "second"}).Draw(t, "of account"); one != "" {
			accounts = []string{one}
		}
		from := rapid.SampledFrom([]string{"", "2026-01", "2026-02"}).Draw(t, "from")
		to := rapid.SampledFrom([]string{"", "2026-02", "2026-03"}).Draw(t, "to")
		c := naive{t, s, accounts, store.MonthSpan{From: from, To: to}}
		err := s.View(t.Context(), func(tx *store.Tx) error {
			for _, check := range []func(*store.Tx) error{c.names, c.failures, c.cards, c.exchanges, c.counts} {
				if err := check(tx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("reading: %v", err)
		}
	})
}

// naive compares what a Tx tells with plain SQL.
type naive struct {
	t        *rapid.T
	s        *store.Store
	accounts []string
	months   store.MonthSpan
}

// where are the conditions of the report on rows with an account and a month.
func (c *naive) where(month string) string {
	w := fmt.Sprintf("%s >= '%s'", month, c.months.From)
	if c.months.To != "" {
		w += fmt.Sprintf(" AND %s <= '%s'", month, c.months.To)
	}
	if len(c.accounts) > 0 {
		w += fmt.Sprintf(" AND account = '%s'", c.accounts[0])
	}
	return w
}

func (c *naive) equal(what string, got []string, query string) {
	c.t.Helper()
	if got == nil {
		got = []string{}
	}
	want := texts(c.t, c.s, query)
	slices.Sort(got)
	slices.Sort(want)
	equal(c.t, what, got, want)
}

func (c *naive) names(tx *store.Tx) error {
	var got []string
	err := tx.MerchantNames(c.accounts, c.months, func(m *store.MerchantName) error {
		got = append(got, fmt.Sprint(m.Raw, " ", m.Name, " ", m.Rule, " ", m.Postings))
		return nil
	})
	c.equal("merchants' names", got, `SELECT merchant_name, upper(merchant_name), 'capitals', count(*) FROM postings JOIN bills USING (bill_id)
		WHERE merchant_name <> '' AND `+c.where("substr(posting_date, 1, 7)")+" GROUP BY merchant_name")
	return err
}

// failures leaves out what became of purchases, which other tests are about.
func (c *naive) failures(tx *store.Tx) error {
	for dimension, column := range map[string]string{"account": "''", "merchant": "coalesce(upper(merchant_name), '')", "card": "coalesce(asset_id, '')"} {
		sums := map[string]int64{}
		err := tx.FailureGroups(dimension, c.accounts, c.months, func(f *store.FailureGroup) error {
			sums[fmt.Sprintf("%s|%s|%s", f.Name, f.Code, f.Currency)] += f.Failures
			return nil
		})
		if err != nil {
			return err
		}
		var got []string
		for k, n := range sums {
			got = append(got, fmt.Sprint(k, " ", n))
		}
		c.equal("failures by "+dimension, got, `SELECT `+column+` || '|' || coalesce(fail_code, '') || '|' || CASE WHEN trade_amount IS NULL THEN '' ELSE trade_currency END, count(*)
			FROM bills WHERE bill_status = 'FAILED' AND withdrawn_at IS NULL AND `+c.where("substr(transaction_date, 1, 7)")+" GROUP BY 1")
	}
	months, err := tx.FailedMonths(c.accounts, c.months)
	if err != nil {
		return err
	}
	if !slices.IsSorted(months) {
		c.t.Fatalf("months with failures come as %v", months)
	}
	c.equal("months with failures", months, "SELECT DISTINCT substr(transaction_date, 1, 7) FROM bills WHERE bill_status = 'FAILED' AND withdrawn_at IS NULL AND "+
		c.where("substr(transaction_date, 1, 7)"))
	reasons, err := tx.FailReasons()
	var got []string
	for code, r := range reasons {
		got = append(got, strings.Join([]string{code, r.Words, r.Category, r.Advice}, " "))
	}
	c.equal("reasons", got, "SELECT error_code, error_desc, category, advice FROM fail_reasons")
	return err
}

func (c *naive) cards(tx *store.Tx) error {
	labels, err := tx.CardLabels()
	if err != nil {
		return err
	}
	var got []string
	for asset, l := range labels {
		got = append(got, fmt.Sprintf("%s|%s|%s", asset, l.Last4, l.NickName))
	}
	// Of each card the bill that was stored last in the latest month of the books,
	// and of failed payments; of these two the one with the later transaction.
	c.equal("names of cards", got, `
		WITH told AS (
			SELECT 'books' AS sums, substr(p.posting_date, 1, 7) AS month, b.* FROM postings p JOIN bills b USING (bill_id)
			WHERE b.asset_id <> '' AND coalesce(b.card_last4, b.card_nick_name) IS NOT NULL
			UNION ALL
			SELECT 'failures', substr(b.transaction_date, 1, 7), b.* FROM bills b
			WHERE b.asset_id <> '' AND b.bill_status = 'FAILED' AND b.withdrawn_at IS NULL AND b.card_last4 IS NOT NULL
		), latest AS (
			SELECT *, row_number() OVER (PARTITION BY asset_id, sums ORDER BY month DESC, bill_id DESC) AS place FROM told
		), one AS (
			SELECT *, row_number() OVER (PARTITION BY asset_id ORDER BY transaction_time DESC, bill_id DESC) AS place2 FROM latest WHERE place = 1
		)
		SELECT asset_id || '|' || coalesce(card_last4, '') || '|' || coalesce(card_nick_name, '') FROM one WHERE place2 = 1`)
	got = nil
	err = tx.SharedCards(c.accounts, func(asset, account string) error {
		got = append(got, asset+" "+account)
		return nil
	})
	mine := "1"
	if len(c.accounts) > 0 {
		mine = "EXISTS (SELECT 1 FROM bills o WHERE o.asset_id = b.asset_id AND o.account = '" + c.accounts[0] + "')"
	}
	c.equal("cards of several accounts", got, `SELECT DISTINCT asset_id, account FROM bills b WHERE asset_id <> '' AND `+mine+`
		AND (SELECT count(DISTINCT account) FROM bills o WHERE o.asset_id = b.asset_id) > 1`)
	return err
}

const exchanged = ` FROM bills WHERE withdrawn_at IS NULL AND trade_amount IS NOT NULL AND out_amount IS NOT NULL
	AND (bill_status IS NULL OR bill_status NOT IN ('FAILED', 'CANCELLED', 'PARTIAL_CANCEL')) AND `

func (c *naive) exchanges(tx *store.Tx) error {
	start := time.Date(2026, 1, 10, 0, 0, 0, 0, shanghai)
	end := start.AddDate(0, 0, rapid.IntRange(1, 60).Draw(c.t, "days"))
	days := fmt.Sprintf("transaction_date >= '2026-01-10' AND transaction_date < '%s'", end.Format(time.DateOnly))
	if len(c.accounts) > 0 {
		days += " AND account = '" + c.accounts[0] + "'"
	}
	var got []string
	err := tx.Exchanges(c.accounts, start, end, func(e *store.Exchange) error {
		got = append(got, fmt.Sprint(e.Date, " ", e.Trade.Value, " ", e.Trade.Currency, " ", e.Out.Value, " ", e.Out.Currency))
		return nil
	})
	if err != nil {
		return err
	}
	c.equal("exchanges", got, "SELECT transaction_date, trade_amount, trade_currency, out_amount, out_currency"+exchanged+days)
	got = nil
	var last time.Time
	err = tx.ExchangeBills(c.accounts, start, end, func(b *store.ExchangeBill) error {
		if b.At.Before(last) {
			c.t.Fatalf("a bill of %s comes after one of %s", b.At, last)
		}
		last = b.At
		got = append(got, strings.Join([]string{fmt.Sprint(b.BillID), b.Account, b.OrderNo, b.Status, b.Merchant, b.AssetID, b.CardLast4, b.Rate, b.Date}, "|"))
		return nil
	})
	c.equal("bills of exchanges", got, `SELECT bill_id || '|' || account || '|' || order_no || '|' || coalesce(bill_status, '') || '|' || coalesce(merchant_name, '') || '|' ||
		coalesce(asset_id, '') || '|' || coalesce(card_last4, '') || '|' || coalesce(exchange_rate, '') || '|' || transaction_date`+exchanged+days)
	return err
}

func (c *naive) counts(tx *store.Tx) error {
	n, err := tx.Unbilled(c.accounts, c.months)
	if err != nil {
		return err
	}
	c.equal("bills without an amount", []string{fmt.Sprint(n)}, `SELECT count(*) FROM bills WHERE withdrawn_at IS NULL AND out_amount IS NULL AND in_amount IS NULL
		AND bill_status IN ('SUCCESS', 'PARTIAL_CANCEL', 'PARTIAL_REFUND', 'REFUNDED') AND `+c.where("substr(transaction_date, 1, 7)"))
	months, err := tx.SummedMonths()
	if err != nil {
		return err
	}
	c.equal("months", months, `SELECT substr(posting_date, 1, 7) FROM postings UNION
		SELECT substr(transaction_date, 1, 7) FROM bills WHERE bill_status = 'FAILED' AND withdrawn_at IS NULL`)
	first, last, err := tx.TransactionDays()
	c.equal("days", []string{first + " " + last}, "SELECT coalesce(min(transaction_date), ''), coalesce(max(transaction_date), '') FROM bills")
	return err
}

// What a report finds without reading all bills has an index.
func TestReportsUseIndexes(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	for query, index := range map[string]string{
		`SELECT count(*) FROM bills INDEXED BY bills_unbilled
		 WHERE withdrawn_at IS NULL AND out_amount IS NULL AND (bill_status = 'SUCCESS' OR bill_status = 'PARTIAL_CANCEL' OR bill_status = 'PARTIAL_REFUND' OR bill_status = 'REFUNDED')`: "USING INDEX bills_unbilled",
		`SELECT trade_amount FROM bills WHERE account IN (SELECT value FROM json_each('["main"]')) AND transaction_time >= 'a' AND transaction_time < 'b'
		 AND withdrawn_at IS NULL AND trade_amount IS NOT NULL AND coalesce(bill_status, '') NOT IN ('FAILED')`: "USING INDEX bills_time (account=? AND transaction_time>? AND transaction_time<?)",
	} {
		if plan := strings.Join(texts(t, s, "EXPLAIN QUERY PLAN "+query), "\n"); !strings.Contains(plan, index) {
			t.Errorf("the plan of %s is\n%s\nwant %s", query, plan, index)
		}
	}
}

// A sum that cannot be counted is an error, not another number.
func TestReportSumsOverflow(t *testing.T) {
	t.Parallel()
	const most = 1<<63 - 1
	b, f, e := store.BookSum{Spent: -most}, store.FailureSum{UnpaidAmount: most}, store.ExchangeSum{Traded: most}
	for what, err := range map[string]error{
		"BookSum.Add": b.Add(&store.BookSum{Spent: -2}), "FailureSum.Add": f.Add(&store.FailureSum{UnpaidAmount: 1}),
		"ExchangeSum.Add": e.Add(&store.Exchange{Trade: bill.Amount{Value: 1}}),
	} {
		if err == nil {
			t.Errorf("%s beyond what can be counted = nil", what)
		}
	}
	if b.Spent != -most || f.UnpaidAmount != most || e.Traded != most {
		t.Errorf("the sums changed: %+v, %+v, %+v", b, f, e)
	}
}

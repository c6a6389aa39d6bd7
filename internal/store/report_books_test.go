package store_test

import (
	"cmp"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"billsync/internal/bill"
	"billsync/internal/books"
	"billsync/internal/store"
)

// A past is a state of a bill as the view bill_history has it.
type past struct {
	ID        int64          `db:"bill_id"`
	Order     string         `db:"order_no"`
	Status    sql.NullString `db:"bill_status"`
	Out       sql.NullInt64  `db:"out_amount"`
	OutCur    sql.NullString `db:"out_currency"`
	In        sql.NullInt64  `db:"in_amount"`
	InCur     sql.NullString `db:"in_currency"`
	Merchant  sql.NullString `db:"merchant_name"`
	Date      string         `db:"transaction_date"`
	Time      string         `db:"transaction_time"`
	Withdrawn sql.NullString `db:"withdrawn_at"`
	From      string         `db:"valid_from"`
	To        sql.NullString `db:"valid_to"`
}

// A line is a posting.
type line struct {
	ID       int64  `db:"bill_id"`
	N        int    `db:"line"`
	LineID   string `db:"line_id"`
	Kind     string `db:"kind"`
	Amount   int64  `db:"amount"`
	Currency string `db:"currency"`
	Posted   string `db:"posting_date"`
	Effect   string `db:"effect_date"`
}

// A ledger is all that is stored, for whoever counts by hand.
type ledger struct {
	ids    []int64 // by transaction time
	states map[int64][]past
	lines  map[int64][]line
	closed map[string]string // month: when
	since  map[string]string // line_id: since when it is posted
}

func ledgerOf(t tester, s *store.Store) *ledger {
	t.Helper()
	l := &ledger{states: map[int64][]past{}, lines: map[int64][]line{}, closed: map[string]string{}}
	var states []past
	var lines []line
	var closed []struct {
		Month string `db:"month"`
		At    string `db:"closed_at"`
	}
	for q, dst := range map[string]any{
		`SELECT bill_id, order_no, bill_status, out_amount, out_currency, in_amount, in_currency, merchant_name, transaction_date, transaction_time,
			withdrawn_at, valid_from, valid_to FROM bill_history ORDER BY bill_id, valid_from`: &states,
		"SELECT bill_id, line, line_id, kind, amount, currency, posting_date, effect_date FROM postings ORDER BY bill_id, line": &lines,
		"SELECT month, closed_at FROM closes": &closed,
	} {
		if err := s.Reader().SelectContext(t.Context(), dst, q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	for _, p := range states {
		l.states[p.ID] = append(l.states[p.ID], p)
	}
	for _, p := range lines {
		l.lines[p.ID] = append(l.lines[p.ID], p)
	}
	for _, c := range closed {
		l.closed[c.Month] = c.At
	}
	for id := range l.states {
		l.ids = append(l.ids, id)
	}
	slices.SortFunc(l.ids, func(a, b int64) int {
		return strings.Compare(l.now(a).Time+fmt.Sprintf("%09d", a), l.now(b).Time+fmt.Sprintf("%09d", b))
	})
	return l
}

func (l *ledger) now(id int64) past { return l.states[id][len(l.states[id])-1] }

// asOf is the last state that was stored before a moment, or at it.
func (l *ledger) asOf(id int64, at string) *past {
	var found *past
	for i := range l.states[id] {
		if l.states[id][i].From <= at {
			found = &l.states[id][i]
		}
	}
	return found
}

// moved is what the books must have of a state.
func (p *past) moved() map[string]int64 {
	m := map[string]int64{}
	if p == nil || p.Withdrawn.Valid || !books.Effective(p.Status.String) {
		return m
	}
	if p.Out.Valid {
		m[p.OutCur.String] -= p.Out.Int64
	}
	if p.In.Valid {
		m[p.InCur.String] += p.In.Int64
	}
	return m
}

func (l *line) spent() bool {
	return l.Kind == "spend" || l.Kind == "adjustment" || l.Kind == "reversal" && l.Amount > 0
}

func told(a *bill.Amount) string {
	if a == nil {
		return "-"
	}
	return fmt.Sprint(a.Value, a.Currency)
}

func toldCell(v sql.NullInt64, currency sql.NullString) string {
	if !v.Valid || !currency.Valid {
		return "-"
	}
	return fmt.Sprint(v.Int64, currency.String)
}

func (l *ledger) open() []string {
	out := []string{}
	for _, id := range l.ids {
		p := l.now(id)
		if !p.Withdrawn.Valid && !slices.Contains([]string{"SUCCESS", "FAILED", "REFUNDED", "CANCELLED", "PARTIAL_REFUND"}, p.Status.String) {
			out = append(out, fmt.Sprint(id, p.Order, p.Status.String, p.Date, toldCell(p.Out, p.OutCur)))
		}
	}
	return out
}

func (l *ledger) accruals(month, end string) []string {
	out := []string{}
	cutoff := month + "-31"
	for _, id := range l.ids {
		p := l.now(id)
		known, until := &p, ""
		if at, ok := l.closed[month]; ok {
			known = l.asOf(id, at)
		}
		if known == nil || known.Withdrawn.Valid || known.Date > cutoff || known.Status.String == "FAILED" || known.Status.String == "CANCELLED" {
			continue
		}
		var spend *line            // what brought it into the books after the cut-off
		held := map[string]int64{} // in the books by the cut-off
		for i := range l.lines[id] {
			x := &l.lines[id][i]
			switch {
			case x.spent() && x.Posted <= cutoff:
				held[x.Currency] += x.Amount
			case x.spent() && x.Amount < 0 && spend == nil:
				spend = x
			}
		}
		if books.Effective(known.Status.String) && (!known.Out.Valid || known.Out.Int64 <= 0) || held["USD"] != 0 || held["JPY"] != 0 {
			continue
		}
		seen := &l.states[id][0]
		for i := range l.states[id] {
			if l.states[id][i].From < end {
				seen = &l.states[id][i]
			}
		}
		if spend != nil {
			until = fmt.Sprint(spend.Posted, " ", spend.Amount, spend.Currency)
		}
		out = append(out, fmt.Sprint(id, seen.Status.String, known.Status.String, p.Status.String, toldCell(seen.Out, seen.OutCur), " ", until))
	}
	return out
}

func (l *ledger) changes(since, day string) []string {
	out := []string{}
	for _, id := range l.ids {
		var was *past
		moved := false
		for i := range l.states[id] {
			p := &l.states[id][i]
			if p.From < since {
				was = p
			} else {
				moved = true
			}
		}
		p := l.now(id)
		if !moved || was == nil && p.Date >= day {
			continue
		}
		effect := p.moved()
		for currency, n := range was.moved() {
			effect[currency] -= n
		}
		var amounts []string
		for _, currency := range []string{"JPY", "USD"} {
			if effect[currency] != 0 {
				amounts = append(amounts, fmt.Sprint(effect[currency], currency))
			}
		}
		fields := []string{}
		if was != nil {
			for _, f := range [][3]string{
				{"listed", fmt.Sprint(!was.Withdrawn.Valid), fmt.Sprint(!p.Withdrawn.Valid)}, {"bill_status", was.Status.String, p.Status.String},
				{"out_amount", toldCell(was.Out, was.OutCur), toldCell(p.Out, p.OutCur)}, {"in_amount", toldCell(was.In, was.InCur), toldCell(p.In, p.InCur)},
				{"merchant_name", was.Merchant.String, p.Merchant.String},
			} {
				if f[1] != f[2] {
					fields = append(fields, f[0])
				}
			}
		}
		out = append(out, fmt.Sprint(id, " late ", was == nil, " ", amounts, fields))
	}
	return out
}

func (l *ledger) adjustments() []string {
	out := []string{}
	for _, id := range l.ids {
		for _, x := range l.lines[id] {
			month, late := "", false
			// Its first line happened in that month, or is at least posted there.
			for _, first := range []string{l.lines[id][0].Posted[:7], l.lines[id][0].Effect[:7]} {
				if x.N > 1 && l.closed[first] != "" && first < x.Posted[:7] {
					month = first
				}
			}
			if effect := x.Effect[:7]; l.closed[effect] != "" && effect < x.Posted[:7] {
				month, late = effect, true
			}
			if month != "" {
				known := l.since[x.LineID] <= l.closed[month]
				out = append(out, fmt.Sprint(month, " ", x.Posted, " ", x.LineID, " ", x.Kind, x.Amount, x.Currency, late, l.closed[month], known))
			}
		}
	}
	slices.Sort(out)
	return out
}

// checkReports compares what reports read with what is counted by hand.
func checkReports(t tester, s *store.Store, months []string, since []time.Time, posted map[string]string) {
	t.Helper()
	l := ledgerOf(t, s)
	l.since = posted
	look := func(what string, want []string, read func(*store.Tx, func(string)) error) {
		t.Helper()
		got := []string{}
		if err := s.View(t.Context(), func(tx *store.Tx) error { return read(tx, func(row string) { got = append(got, row) }) }); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		equal(t, what, got, want)
	}
	look("open bills", l.open(), func(tx *store.Tx, row func(string)) error {
		return tx.OpenBills([]string{"main"}, func(b *store.BillInfo) error {
			row(fmt.Sprint(b.ID, b.OrderNo, b.Status, b.Date, told(b.Out)))
			return nil
		})
	})
	for _, month := range months {
		end, err := time.ParseInLocation("2006-01", month, shanghai)
		if err != nil {
			t.Fatalf("%v", err)
		}
		look("accruals of "+month, l.accruals(month, bill.TimeText(end.AddDate(0, 1, 0))), func(tx *store.Tx, row func(string)) error {
			return tx.Accruals(nil, month, func(a *store.Accrual) error {
				until := ""
				if a.Spend != nil {
					until = fmt.Sprint(a.ClearedOn, " ", a.Spend.Value, a.Spend.Currency)
				}
				for i, x := range l.lines[a.ID] {
					if key, _, _ := strings.Cut(x.LineID, "-"); i == 0 && key != a.Key {
						t.Fatalf("bill %d: key %s, its postings have %s", a.ID, a.Key, key)
					}
				}
				row(fmt.Sprint(a.ID, a.Status, a.Known, a.Now, told(a.Out), " ", until))
				return nil
			})
		})
	}
	for _, at := range since {
		look("changes since "+at.String(), l.changes(bill.TimeText(at), bill.DayText(at.In(shanghai))), func(tx *store.Tx, row func(string)) error {
			return tx.Changes(nil, at, func(c *store.BillChange) error {
				var amounts []string
				for _, e := range c.Effect {
					amounts = append(amounts, fmt.Sprint(e.Value, e.Currency))
				}
				fields := []string{}
				for _, f := range c.Fields {
					if f.Name != "last_update" {
						fields = append(fields, f.Name)
					}
				}
				row(fmt.Sprint(c.ID, " late ", c.Late, " ", amounts, fields))
				return nil
			})
		})
	}
	look("adjustments", l.adjustments(), func(tx *store.Tx, row func(string)) error {
		return tx.Adjustments(nil, store.MonthSpan{}, func(a *store.Adjusted) error {
			row(fmt.Sprint(a.Month, " ", a.PostingDate, " ", a.LineID, " ", a.Kind, a.Amount.Value, a.Amount.Currency, a.Late, bill.TimeText(a.ClosedAt), a.Known))
			if a.Unsure {
				t.Fatalf("nobody knows since when %s is posted", a.LineID)
			}
			return nil
		})
	})
	look("refunds", l.refunds(), func(tx *store.Tx, row func(string)) error {
		return tx.Refunds(nil, store.MonthSpan{}, func(r *store.Refund) error {
			row(toldRefund(r.ID, r.Received, r.Expected, r.Outstanding()))
			return nil
		})
	})
}

func toldRefund(id int64, received []bill.Amount, expected, left *bill.Amount) string {
	return fmt.Sprint(id, " received ", received, " expected ", told(expected), " left ", told(left))
}

// refunds counts what came back without a look at what kinds of postings there
// are: what a bill took at most and what it has taken in the end tell it as well.
func (l *ledger) refunds() []string {
	out := []string{}
	for _, id := range l.ids {
		p := l.now(id)
		if p.Withdrawn.Valid {
			continue
		}
		var received []bill.Amount
		reversed := map[string]int64{}
		for _, currency := range []string{"JPY", "USD"} {
			var gone, most, back int64 // what left, what had left at most since the bill last began anew
			for _, x := range l.lines[id] {
				switch {
				case x.Currency != currency:
				case x.spent():
					gone -= x.Amount
					most = max(most, gone)
				default:
					back += x.Amount
				}
			}
			reversed[currency] = most - gone
			if n := back + most - gone; n != 0 {
				received = append(received, bill.Amount{Currency: currency, Value: n})
			}
		}
		amount := func(v sql.NullInt64, currency sql.NullString) *bill.Amount {
			if !v.Valid {
				return nil
			}
			return &bill.Amount{Currency: currency.String, Value: v.Int64}
		}
		promised := amount(p.In, p.InCur)
		status := p.Status.String
		promises := status == "REFUNDED" || status == "PARTIAL_REFUND"
		switch {
		case status == "REFUNDED":
			promised = amount(p.Out, p.OutCur)
		case status == "FAILED" || status == "CANCELLED", promised != nil && promised.Value == 0 && !promises:
			promised = nil
		}
		var expected, left *bill.Amount
		switch {
		case promised != nil:
			expected = &bill.Amount{Currency: promised.Currency, Value: promised.Value + reversed[promised.Currency]}
		case !promises && len(received) == 1:
			expected = &received[0]
		}
		if expected == nil && len(received) == 0 && !promises {
			continue
		}
		if expected != nil && (len(received) == 0 || len(received) == 1 && received[0].Currency == expected.Currency) {
			left = &bill.Amount{Currency: expected.Currency, Value: expected.Value}
			if len(received) == 1 {
				left.Value -= received[0].Value
			}
		}
		out = append(out, toldRefund(id, received, expected, left))
	}
	return out
}

// Whatever happened to bills and whatever is closed: reports say what can be
// counted by hand of all states and postings.
func TestReportsFollow(t *testing.T) {
	t.Parallel()
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		s := must(t, filepath.Join(dir, fmt.Sprintf("%d.db", n)))
		defer s.Close()
		now := time.Date(2026, 1, 10, 8, 0, 0, 0, time.UTC)
		var lives []*life
		since, posted := []time.Time{now}, map[string]string{}
		for range rapid.IntRange(4, 25).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 240).Draw(t, "hours")) * time.Hour)
			since = append(since, now)
			step := rapid.IntRange(0, 9).Draw(t, "step")
			switch {
			case step < 7:
				var l *life
				if len(lives) == 0 || step == 0 {
					l = &life{order: fmt.Sprintf("O%d", len(lives)), at: now.Add(-time.Duration(rapid.IntRange(0, 600).Draw(t, "ago")) * time.Hour)}
					lives = append(lives, l)
				} else {
					l = rapid.SampledFrom(lives).Draw(t, "bill")
				}
				l.present = *drawState(t, l, now)
				l.tell(t, s, now)
			case step == 7 && len(lives) > 0:
				rapid.SampledFrom(lives).Draw(t, "bill").vanish(t, s, now)
			default:
				post(t, s)
				c := store.Closing{Month: now.AddDate(0, -rapid.IntRange(0, 2).Draw(t, "back"), 0).Format("2006-01"), At: now, By: "me", Program: "test"}
				if err := s.CloseMonth(t.Context(), &c, shouted{}, false); err != nil && !strings.Contains(err.Error(), "closed already") {
					t.Fatalf("closing %s: %v", c.Month, err)
				}
			}
			for _, line := range texts(t, s, "SELECT line_id FROM postings") {
				if posted[line] == "" {
					posted[line] = bill.TimeText(now)
				}
			}
		}
		post(t, s)
		checkReports(t, s, []string{"2025-12", "2026-01", "2026-02", "2026-03", "2026-04"}, since, posted)
	})
}

// drawState draws what a bill may say.
func drawState(t *rapid.T, l *life, now time.Time) *bill.Bill {
	amount := func(label string) *bill.Amount {
		if rapid.IntRange(0, 4).Draw(t, label) == 0 {
			return nil
		}
		return &bill.Amount{Currency: rapid.SampledFrom([]string{"USD", "USD", "JPY"}).Draw(t, "currency"), Value: rapid.Int64Range(0, 3).Draw(t, "value") * 100}
	}
	b := plain(l.order, l.at)
	b.Status = rapid.SampledFrom([]string{"", "WAITING_CLEARANCE", "WAITING_DEDUCT", "SUCCESS", "SUCCESS", "FAILED", "CANCELLED", "PARTIAL_CANCEL", "PARTIAL_REFUND", "REFUNDED", "NEW_ONE"}).Draw(t, "status")
	b.Out, b.In = amount("out"), amount("in")
	b.MerchantName = rapid.SampledFrom([]string{"", "Shop", "Inn"}).Draw(t, "merchant")
	if rapid.Bool().Draw(t, "updated") {
		b.LastUpdate = now.Add(-time.Duration(rapid.IntRange(-50, 500).Draw(t, "update")) * time.Hour)
	}
	b.Hash = fmt.Sprint(now)
	return b
}

// Reports look at what they are about by an index, and not at all bills.
func TestReportPlans(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	for _, tt := range []struct {
		name, query string
		args        int
		has, hasNot []string
	}{
		{"open bills", store.OpenBillsQuery, 1, []string{"b USING INDEX bills_open"}, []string{"TEMP B-TREE", "SCAN b\n"}},
		{"refunds", store.RefundsQuery, 3, []string{"SEARCH b USING INDEX bills_time (account=? AND transaction_time>? AND transaction_time<?)"}, []string{"SCAN b"}},
		{"accruals", store.AccrualsQuery, 5, []string{"SEARCH b USING INDEX bills_open", "SEARCH p USING INDEX postings_date", "MATERIALIZE known"}, []string{"SCAN b", "SCAN p"}},
		{"changes", store.ChangesQuery, 3, []string{"SCAN s", "SEARCH b USING INTEGER PRIMARY KEY"}, []string{"bills_time"}},
		{"adjustments", store.AdjustmentsQuery, 4, []string{"SEARCH p USING INDEX postings_date (posting_date>?)"}, []string{"SCAN p", "SCAN b"}},
	} {
		plan := ""
		for _, r := range grid(t, s, "EXPLAIN QUERY PLAN "+tt.query, make([]any, tt.args)...) {
			plan += fmt.Sprintln(r[3])
		}
		for _, want := range tt.has {
			if !strings.Contains(plan, want) {
				t.Errorf("%s: the plan has no %q:\n%s", tt.name, want, plan)
			}
		}
		for _, want := range tt.hasNot {
			if strings.Contains(plan, want) {
				t.Errorf("%s: the plan has %q:\n%s", tt.name, want, plan)
			}
		}
	}
}

// Reports of one account have nothing of another.
func TestReportsOfAccounts(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	update(t, s, func(tx *store.Tx) error {
		if err := tx.SaveAccount(bill.Account{Name: "shop"}, day(1), t0); err != nil {
			return err
		}
		for _, account := range []string{"main", "shop"} {
			for i, status := range []string{"WAITING_CLEARANCE", "REFUNDED", "SUCCESS"} {
				if _, err := tx.InsertBill(account, spent(account+" "+status, status, day(5), usd(100), nil), i, day(6), day(6), 1); err != nil {
					return err
				}
			}
		}
		return nil
	})
	post(t, s)
	c := store.Closing{Month: "2026-01", At: day(40), By: "me", Program: "test"}
	if err := s.CloseMonth(t.Context(), &c, shouted{}, false); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *store.Tx) error {
		for _, account := range []string{"main", "shop"} {
			known, err := tx.KnownByOrders(account, []string{account + " SUCCESS"})
			if err != nil {
				return err
			}
			b := spent(account+" SUCCESS", "REFUNDED", day(5), usd(100), usd(100))
			b.Hash = "refunded"
			if err := tx.UpdateBill(known[0].ID, b, 2, day(41), day(41), 2); err != nil {
				return err
			}
		}
		return nil
	})
	post(t, s)
	for _, tt := range []struct {
		accounts []string
		want     []string
	}{
		{nil, []string{"open main", "open shop", "refund main", "refund main", "refund shop", "refund shop", "accrual main", "accrual shop", "change main", "change shop", "adjustment main", "adjustment shop"}},
		{[]string{"shop"}, []string{"open shop", "refund shop", "refund shop", "accrual shop", "change shop", "adjustment shop"}},
		{[]string{"none"}, []string{}},
	} {
		got := []string{}
		row := func(what, account string) error {
			got = append(got, what+" "+account)
			return nil
		}
		view(t, s, func(tx *store.Tx) error {
			return cmp.Or(
				tx.OpenBills(tt.accounts, func(b *store.BillInfo) error { return row("open", b.Account) }),
				tx.Refunds(tt.accounts, store.MonthSpan{From: "2026-01", To: "2026-01"}, func(r *store.Refund) error { return row("refund", r.Account) }),
				tx.Refunds(tt.accounts, store.MonthSpan{From: "2026-02"}, func(r *store.Refund) error { return row("refund", r.Account) }),
				tx.Accruals(tt.accounts, "2026-01", func(a *store.Accrual) error { return row("accrual", a.Account) }),
				tx.Changes(tt.accounts, day(40), func(c *store.BillChange) error { return row("change", c.Account) }),
				tx.Adjustments(tt.accounts, store.MonthSpan{From: "2026-01", To: "2026-01"}, func(a *store.Adjusted) error { return row("adjustment", a.Account) }),
				tx.Adjustments(tt.accounts, store.MonthSpan{To: "2025-12"}, func(a *store.Adjusted) error { return row("adjustment", a.Account) }))
		})
		same(t, fmt.Sprintf("reports of %q", tt.accounts), got, tt.want)
	}
}

// What came back is told by its postings, and what is expected by the status.
func TestRefundsExpected(t *testing.T) {
	t.Parallel()
	s := withAccount(t)
	jpy := func(v int64) *bill.Amount { return &bill.Amount{Currency: "JPY", Value: v} }
	steps := func(order string, states ...*bill.Bill) {
		id := insert(t, s, states[0])[0]
		for i, b := range states[1:] {
			b.Hash = fmt.Sprint(order, i)
			update(t, s, func(tx *store.Tx) error {
				return tx.UpdateBill(id, b, 0, t0.AddDate(0, 0, i+1), t0.AddDate(0, 0, i+1), 2)
			})
		}
	}
	for _, l := range []struct {
		order  string
		states []*bill.Bill
	}{
		{"a whole", []*bill.Bill{spent("a whole", "SUCCESS", day(5), usd(1000), nil), spent("a whole", "REFUNDED", day(5), usd(1000), usd(1000))}},
		{"b on its way", []*bill.Bill{spent("b on its way", "SUCCESS", day(5), usd(1000), nil), spent("b on its way", "REFUNDED", day(5), usd(1000), nil)}},
		{"c part", []*bill.Bill{spent("c part", "SUCCESS", day(5), usd(1000), nil), spent("c part", "PARTIAL_REFUND", day(5), usd(1000), usd(300)),
			spent("c part", "PARTIAL_REFUND", day(5), usd(1000), usd(400))}},
		{"d cancelled", []*bill.Bill{spent("d cancelled", "SUCCESS", day(5), usd(1000), nil), spent("d cancelled", "CANCELLED", day(5), usd(1000), nil)}},
		{"e never left", []*bill.Bill{spent("e never left", "WAITING_CLEARANCE", day(5), usd(1000), nil), spent("e never left", "CANCELLED", day(5), usd(1000), nil)}},
		{"f other currency", []*bill.Bill{spent("f other currency", "SUCCESS", day(5), usd(1000), nil), spent("f other currency", "REFUNDED", day(5), usd(1000), jpy(150))}},
		{"g less", []*bill.Bill{spent("g less", "SUCCESS", day(5), usd(1000), nil), spent("g less", "PARTIAL_CANCEL", day(5), usd(600), nil)}},
		{"h back in effect", []*bill.Bill{spent("h back in effect", "SUCCESS", day(5), usd(1000), nil), spent("h back in effect", "CANCELLED", day(5), usd(1000), nil),
			spent("h back in effect", "SUCCESS", day(5), usd(1200), nil)}},
		{"i no amount", []*bill.Bill{spent("i no amount", "PARTIAL_REFUND", day(5), usd(1000), nil)}},
		{"j waits", []*bill.Bill{spent("j waits", "WAITING_CLEARANCE", day(5), usd(1000), usd(10))}},
		{"k too much", []*bill.Bill{spent("k too much", "REFUNDED", day(5), usd(1000), usd(1100))}},
		{"l next month", []*bill.Bill{spent("l next month", "REFUNDED", time.Date(2026, 1, 31, 16, 0, 0, 0, time.UTC), usd(1), usd(1))}},
	} {
		steps(l.order, l.states...)
	}
	post(t, s)
	got := []string{}
	view(t, s, func(tx *store.Tx) error {
		return tx.Refunds(nil, store.MonthSpan{From: "2026-01", To: "2026-01"}, func(r *store.Refund) error {
			days := ""
			for _, x := range r.Returns {
				days += fmt.Sprintf(" %s %s %d", x.Date, x.Kind, x.Amount.Value)
			}
			got = append(got, fmt.Sprint(r.OrderNo, ": ", told(r.Expected), " ", r.Received, " ", told(r.Outstanding()), " ", r.SpentOn, days))
			return nil
		})
	})
	same(t, "refunds", got, []string{
		"a whole: 1000USD [USD 10.00] 0USD 2026-01-05 2026-02-02 return 1000",
		"b on its way: 1000USD [] 1000USD 2026-01-05",
		"c part: 400USD [USD 4.00] 0USD 2026-01-05 2026-02-02 return 300 2026-02-03 return 100",
		"d cancelled: 1000USD [USD 10.00] 0USD 2026-01-05 2026-02-02 reversal 1000",
		"f other currency: 1000USD [JPY 150] - 2026-01-05 2026-02-02 return 150",
		"g less: 400USD [USD 4.00] 0USD 2026-01-05 2026-02-02 reversal 400",
		"i no amount: - [] - 2026-01-05",
		"j waits: 10USD [] 10USD ",
		"k too much: 1000USD [USD 11.00] -100USD 2026-01-05 2026-01-05 return 1100",
	})
}

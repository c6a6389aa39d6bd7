package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"billsync/internal/bill"
	"billsync/internal/simulator"
)

// A month end is the work of two finance teams on the same bills: one closes
// months, the other never does. All times are those of Shanghai.
type monthEnd struct {
	t      *testing.T
	ledger *simulator.Ledger
	now    time.Time
	closed string // the folder of the team that closes months
	open   string // that of the other
}

var shanghai = time.FixedZone("", 8*3600)

// moment reads such as "2026-05-03 10:00".
func (m *monthEnd) moment(text string) time.Time {
	m.t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", text, shanghai)
	if err != nil {
		m.t.Fatal(err)
	}
	return at
}

func newMonthEnd(t *testing.T) *monthEnd {
	t.Helper()
	m := &monthEnd{t: t, ledger: simulator.NewLedger()}
	m.now = m.moment("2026-06-03 10:00")
	api, _ := serveOptions(t, simulator.Options{Book: m.ledger, Now: func() time.Time { return m.now }})
	config := fmt.Appendf(nil, `
[api]
base_url = %q
client_id = %q
private_key_file = %q
server_public_key_file = %q
requests_per_second = 100000.0
[sync]
history_start = "2026-03-01"
page_size = 10
window_days = 30
[report]
timezone = "Asia/Shanghai"
[[account]]
name = "main"
[[account]]
name = "second"
connected_customer_id = "2"
`, api.BaseURL, api.ClientID, api.PrivateKey, api.ServerKey)
	for _, dir := range []*string{&m.closed, &m.open} {
		*dir = t.TempDir()
		put(t, filepath.Join(*dir, "config.toml"), config)
	}
	return m
}

// says runs the program in process on the story's day, expects an exit code, and
// returns what it says to standard output and to standard error.
func (m *monthEnd) says(dir string, code int, args ...string) (out, errout string) {
	m.t.Helper()
	return m.saysWith(dir, nil, code, args...)
}

// saysWith is says with variables of the environment.
func (m *monthEnd) saysWith(dir string, environ []string, code int, args ...string) (out, errout string) {
	m.t.Helper()
	var stdout, stderr bytes.Buffer
	g := &globals{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, environ: environ, now: func() time.Time { return m.now }}
	got := run(context.Background(), g, append(slices.Clone(args), "-c", filepath.Join(dir, "config.toml"), "--log-level", "error"))
	if got != code {
		m.t.Fatalf("syncer %v on %s ends with %d, want %d; it says:\n%s%s", args, m.now, got, code, &stdout, &stderr)
	}
	return stdout.String(), stderr.String()
}

// on is a day of both teams: they sync, and what they have is proved.
func (m *monthEnd) on(day string, args ...string) {
	m.t.Helper()
	m.now = m.moment(day)
	for _, dir := range []string{m.closed, m.open} {
		m.says(dir, exitDone, append([]string{"sync", "-q"}, args...)...)
		m.says(dir, exitDone, "sync", "-q") // reads the newest bills behind what was proved
	}
}

// cash reads an amount such as "1050 USD"; "" is none.
func (m *monthEnd) cash(text string) *bill.Amount {
	m.t.Helper()
	if text == "" {
		return nil
	}
	var a bill.Amount
	if _, err := fmt.Sscan(text, &a.Value, &a.Currency); err != nil {
		m.t.Fatalf("%q: %v", text, err)
	}
	return &a
}

// lists adds a bill to what the provider lists of a customer.
func (m *monthEnd) lists(customer, order, at, status, merchant, out, in, updated string) {
	m.t.Helper()
	e := simulator.Entry{Bill: bill.Bill{
		OrderNo: order, TransactionTime: m.moment(at), Status: status, MerchantName: merchant, AssetID: "CARD" + customer, MaskedCardNo: "555555******4242",
		CardNickName: "市场部 ads", BudgetAccountID: "B" + customer, Trade: m.cash(out), Out: m.cash(out), In: m.cash(in), LastUpdate: m.moment(updated),
	}}
	if status == "FAILED" {
		e.FailCode, e.FailDesc, e.Out = "WORLD_CARD_BALANCE_NOT_ENOUGH", "Insufficient account balance.", nil
	}
	m.ledger.Add(customer, e)
}

// turns lists a later state of a bill.
func (m *monthEnd) turns(customer, order, status, in, updated string) {
	m.t.Helper()
	n := m.ledger.Update(customer, order, func(e *simulator.Entry) {
		e.Status, e.In, e.LastUpdate = status, m.cash(in), m.moment(updated)
	})
	if n != 1 {
		m.t.Fatalf("there are %d bills of %s", n, order)
	}
}

// spring lists the bills as they are at the beginning of June.
func (m *monthEnd) spring() {
	const s = "SUCCESS"
	m.lists("", "A01", "2026-03-10 12:00", s, "SQ *蓝杯咖啡", "1234 USD", "", "2026-03-11 09:00")
	m.lists("", "A02", "2026-04-30 23:30", s, "支付宝-星星超市", "5000 USD", "", "2026-05-02 09:00") // April's purchase, May's money
	m.lists("", "A03", "2026-05-03 12:00", s, "支付宝-星星超市", "10000 USD", "", "2026-05-04 09:00")
	m.lists("", "A04", "2026-05-05 12:00", "FAILED", "云计算 Cloud", "3000 USD", "", "2026-05-05 12:00")
	m.lists("", "A05", "2026-05-05 13:00", s, "云计算 Cloud", "3000 USD", "", "2026-05-06 09:00") // the same purchase, paid
	m.lists("", "A06", "2026-05-10 12:00", "REFUNDED", "SOUQ", "12345 KWD", "12345 KWD", "2026-05-20 09:00")
	m.lists("", "A07", "2026-05-12 12:00", "PARTIAL_REFUND", "東京ホテル", "5000 JPY", "1200 JPY", "2026-05-25 09:00")
	m.lists("", "A08", "2026-05-31 23:50", "WAITING_CLEARANCE", "云计算 Cloud", "8800 USD", "", "2026-05-31 23:50")
	m.lists("", "A09", "2026-05-15 12:00", s, "支付宝-星星超市", "30000 CNH", "", "2026-05-16 09:00")
	m.lists("", "A10", "2026-05-16 12:00", s, "SQ *蓝杯咖啡", "7000 USD", "", "2026-05-17 09:00")
	m.lists("", "A11", "2026-05-18 12:00", s, "SQ *蓝杯咖啡", "2000 USD", "", "2026-05-19 09:00")
	m.lists("", "A13", "2026-06-01 00:10", s, "SQ *蓝杯咖啡", "500 USD", "", "2026-06-02 09:00")
	m.lists("2", "S01", "2026-05-07 12:00", s, "東京ホテル", "15800 JPY", "", "2026-05-08 09:00")
	m.lists("2", "S02", "2026-05-08 12:00", s, "支付宝-星星超市", "88000 CNH", "", "2026-05-09 09:00")
}

// summer lists what the provider says of these bills some days later.
func (m *monthEnd) summer() {
	m.turns("", "A08", "SUCCESS", "", "2026-06-04 09:00")
	m.turns("", "A09", "REFUNDED", "30000 CNH", "2026-05-30 09:00")                                 // said late, and to have been in May
	m.turns("", "A10", "PARTIAL_REFUND", "2500 USD", "2026-06-05 09:00")                            // in June
	m.turns("", "A11", "CANCELLED", "", "2026-06-06 09:00")                                         // after the money had left
	m.lists("", "A12", "2026-05-20 12:00", "SUCCESS", "東京ホテル", "900 JPY", "", "2026-05-21 09:00")   // listed late
	m.turns("2", "S01", "PARTIAL_REFUND", "800 JPY", "2026-05-31 09:00")                            // said late too
	m.lists("2", "S03", "2026-06-02 12:00", "SUCCESS", "支付宝-星星超市", "1 CNH", "", "2026-06-04 09:00") // June's own
}

// A team closes a month; what becomes known of it afterwards is in the next one,
// told as what it is, and what was closed stays as it was to the byte.
func TestMonthEnd(t *testing.T) {
	t.Parallel()
	m := newMonthEnd(t)
	m.spring()
	m.on("2026-06-03 10:00")

	before := m.packed("before.xlsx")
	m.packIsSQL(before)
	m.mayIs(before)
	m.says(m.closed, exitDone, "close", "2026-05", "--by", "李雷", "--note", "五月 agreed")
	after := m.packed("after.xlsx")
	m.packIsSQL(after)
	for _, sheet := range []string{"postings", "merchants", "cards", "refunds", "failures", "accruals", "proof"} {
		if diff := cmp.Diff(before[sheet], after[sheet]); diff != "" {
			t.Errorf("closing May changes the sheet %s (-before +after):\n%s", sheet, diff)
		}
	}
	may := m.mayReports()

	m.summer()
	m.on("2026-06-10 10:00", "--refresh")
	if diff := cmp.Diff(may, m.mayReports()); diff != "" {
		t.Errorf("May is closed, and its reports change (-before +after):\n%s", diff)
	}
	later := m.packed("later.xlsx")
	m.packIsSQL(later)
	for _, sheet := range []string{"summary", "postings", "merchants", "cards", "budget", "refunds", "adjustments"} {
		if diff := cmp.Diff(after[sheet], later[sheet]); diff != "" {
			t.Errorf("May is closed, and the sheet %s of its pack changes (-before +after):\n%s", sheet, diff)
		}
	}
	m.afterwards(later)
	m.juneHas()
	m.moved()
	m.sealed()
	m.sameAllTogether()

	// June closed with May's late lines in it: they stay there as well.
	m.on("2026-07-03 10:00", "--refresh")
	m.says(m.closed, exitDone, "close", "2026-06", "--by", "李雷")
	m.turns("", "A10", "REFUNDED", "7000 USD", "2026-06-20 09:00")
	m.turns("", "A11", "SUCCESS", "", "2026-07-02 09:00") // it was not cancelled after all
	m.on("2026-07-04 10:00", "--refresh")
	if diff := cmp.Diff(may, m.mayReports()); diff != "" {
		t.Errorf("May's reports change when June is closed (-before +after):\n%s", diff)
	}
	m.says(m.closed, exitDone, "close", "--check")
	m.sameAllTogether()
}

// mayReports are the reports of the books of May in all forms but for when they
// were made, and what the check of its closing says.
func (m *monthEnd) mayReports() map[string]string {
	m.t.Helper()
	made := map[string]string{}
	for _, by := range []string{"account", "merchant", "card", "budget"} {
		for _, form := range []string{"", "--csv", "--json"} {
			args := []string{"report", "monthly", "--month", "2026-05", "--by", by}
			if form != "" {
				args = append(args, form)
			}
			out, _ := m.says(m.closed, exitDone, args...)
			made[by+form] = strings.ReplaceAll(out, m.now.Format("2006-01-02 15:04:05 -07:00"), "NOW")
		}
	}
	for _, name := range []string{"merchants", "cards", "postings"} {
		made[name], _ = m.says(m.closed, exitDone, "report", name, "--month", "2026-05", "--csv")
	}
	made["check"], _ = m.says(m.closed, exitDone, "close", "--check", "2026-05")
	return made
}

// table is a report in CSV as rows without the foot, each column=cell.
func (m *monthEnd) table(dir string, args ...string) (rows []map[string]string) {
	m.t.Helper()
	out, _ := m.says(dir, exitDone, append(append([]string{"report"}, args...), "--csv", "--plain")...)
	records, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(records) == 0 {
		m.t.Fatalf("report %v is no CSV: %v\n%s", args, err, out)
	}
	for _, r := range records[1:] {
		row := map[string]string{}
		for i, cell := range r {
			row[records[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

// pick shows some columns of rows.
func pick(rows []map[string]string, columns ...string) []string {
	out := []string{}
	for _, r := range rows {
		var cells []string
		for _, c := range columns {
			cells = append(cells, r[c])
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out
}

// afterwards checks what became known of May when it was closed: the report and
// the pack's sheet agree.
func (m *monthEnd) afterwards(pack map[string][][]string) {
	m.t.Helper()
	columns := []string{"belongs_to", "why", "posting_date", "effect_date", "account", "order_no", "kind", "amount", "currency", "merchant", "reason"}
	got := pick(m.table(m.closed, "adjustments", "--part", "adjustments"), columns...)
	want := []string{
		"2026-05|late|2026-06-01|2026-05-30|main|A09|return|300.00|CNH|支付宝-星星超市|REFUNDED: returned 300.00 CNH, before 0.00",
		"2026-05|late|2026-06-01|2026-05-21|main|A12|spend|-900|JPY|東京ホテル|SUCCESS",
		"2026-05|late|2026-06-01|2026-05-31|second|S01|return|800|JPY|東京ホテル|PARTIAL_REFUND: returned 800 JPY, before 0",
		"2026-05|follow-up|2026-06-05|2026-06-05|main|A10|return|25.00|USD|SQ *蓝杯咖啡|PARTIAL_REFUND: returned 25.00 USD, before 0.00",
		"2026-05|follow-up|2026-06-06|2026-06-06|main|A11|reversal|20.00|USD|SQ *蓝杯咖啡|CANCELLED: spent 0.00 USD, before 20.00",
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("report adjustments (-want +got):\n%s", diff)
	}
	if n := len(rowsOf(m.t, pack, "since_close")); n != len(want) {
		m.t.Errorf("the pack's sheet since_close has %d lines, want %d", n, len(want))
	}
	totals := pick(m.table(m.closed, "adjustments", "--part", "totals", "--month", "2026-05"), "belongs_to", "account", "currency", "late", "late_amount", "follow_ups", "follow_up_amount", "net")
	if diff := cmp.Diff([]string{
		"2026-05|main|CNH|1|300.00|0|0.00|300.00", "2026-05|main|JPY|1|-900|0|0|-900", "2026-05|main|USD|0|0.00|2|45.00|45.00", "2026-05|second|JPY|1|800|0|0|800",
	}, totals); diff != "" {
		m.t.Errorf("the totals of the adjustments (-want +got):\n%s", diff)
	}
	if out, _ := m.says(m.open, exitDone, "report", "adjustments"); !strings.Contains(out, "nothing in later months belongs to a closed one") {
		m.t.Errorf("without a closed month the adjustments are\n%s", out)
	}
}

// juneHas checks that June has its own lines and what was late for May, and that
// its pack tells them apart.
func (m *monthEnd) juneHas() {
	m.t.Helper()
	columns := []string{"month", "account", "currency", "state", "spends", "spent", "returned", "reversed", "adjusted", "net"}
	if diff := cmp.Diff([]string{
		"2026-06|main|CNH|open|0|0.00|300.00|0.00|0.00|300.00",
		"2026-06|main|JPY|open|1|-900|0|0|0|-900",
		"2026-06|main|USD|open|2|-93.00|25.00|20.00|0.00|-48.00",
		"2026-06|second|CNH|open|1|-0.01|0.00|0.00|0.00|-0.01",
		"2026-06|second|JPY|open|0|0|800|0|0|800",
	}, pick(m.table(m.closed, "monthly", "--month", "2026-06"), columns...)); diff != "" {
		m.t.Errorf("June where May is closed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"2026-06|main|USD|open|2|-93.00|25.00|20.00|0.00|-48.00",
		"2026-06|second|CNH|open|1|-0.01|0.00|0.00|0.00|-0.01",
	}, pick(m.table(m.open, "monthly", "--month", "2026-06"), columns...)); diff != "" {
		m.t.Errorf("June where nothing is closed (-want +got):\n%s", diff)
	}
	if got := m.table(m.closed, "pack", "2026-06", "--part", "adjustments"); len(got) != 5 {
		m.t.Errorf("June's pack has %d lines that belong to May, want 5: %v", len(got), got)
	}
	if got := m.table(m.closed, "accruals", "2026-05", "--part", "lines"); len(got) != 2 {
		m.t.Errorf("the accruals of May are %v, want one and its reversal", got)
	}
}

// moved checks what moved since May was closed.
func (m *monthEnd) moved() {
	m.t.Helper()
	got := pick(m.table(m.closed, "changes", "--since", "2026-05", "--part", "bills"), "kind", "account", "order_no", "status_before", "bill_status", "effect", "currency")
	want := []string{
		"changed|main|A08|WAITING_CLEARANCE|SUCCESS|-88.00|USD",
		"changed|main|A09|SUCCESS|REFUNDED|300.00|CNH",
		"changed|main|A10|SUCCESS|PARTIAL_REFUND|25.00|USD",
		"changed|main|A11|SUCCESS|CANCELLED|20.00|USD",
		"changed|second|S01|SUCCESS|PARTIAL_REFUND|800|JPY",
		"late|main|A12||SUCCESS|-900|JPY",
		"late|second|S03||SUCCESS|-0.01|CNH", // of the day before the closing
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("changes since the closing (-want +got):\n%s", diff)
	}
}

// sealed checks that the books are what the bills say, and that a closed month
// keeps its time zone.
func (m *monthEnd) sealed() {
	m.t.Helper()
	for _, dir := range []string{m.closed, m.open} {
		out, _ := m.says(dir, exitDone, "verify", "--books")
		contains(m.t, "verify --books", out, "\nthe books are what the bills say\n")
	}
	zone := []string{"SYNCER_REPORT_TIMEZONE=UTC"}
	for _, args := range [][]string{{"sync", "-q"}, {"report", "monthly"}, {"report", "pack", "2026-05", "--json"}, {"close", "2026-06", "--by", "me", "--force"}} {
		out, errout := m.saysWith(m.closed, zone, exitUsage, args...)
		if !strings.Contains(errout+out, "Asia/Shanghai, and [report] timezone is UTC") {
			m.t.Errorf("%v in another time zone says\n%s%s", args, errout, out)
		}
	}
	m.says(m.closed, exitDone, "close", "--check")
}

// sameAllTogether checks that closing moves money between months and makes none:
// over all months both teams have the same, and that is what the bills say.
func (m *monthEnd) sameAllTogether() {
	m.t.Helper()
	sums := func(dir string) map[string]int64 {
		out, _ := m.says(dir, exitDone, "report", "monthly", "--json")
		var doc struct {
			Parts []struct {
				Rows []struct {
					Account, Currency string
					Net               int64
				}
			}
		}
		if err := json.Unmarshal([]byte(out), &doc); err != nil || len(doc.Parts) != 1 {
			m.t.Fatalf("report monthly --json: %v\n%s", err, out)
		}
		total := map[string]int64{}
		for _, r := range doc.Parts[0].Rows {
			total[r.Account+" "+r.Currency] += r.Net
		}
		return total
	}
	closed, open := sums(m.closed), sums(m.open)
	if diff := cmp.Diff(open, closed); diff != "" {
		m.t.Errorf("all months together where nothing is closed and where months are (-open +closed):\n%s", diff)
	}
	bills := map[string]int64{}
	for _, row := range lookAt(m.t, filepath.Join(m.closed, "bills.db"), `
		SELECT account || ' ' || currency, sum(amount) FROM (
			SELECT account, out_currency AS currency, -out_amount AS amount FROM bills WHERE bill_status IN ('SUCCESS', 'PARTIAL_REFUND', 'REFUNDED')
			UNION ALL SELECT account, in_currency, in_amount FROM bills WHERE in_amount IS NOT NULL AND bill_status IN ('PARTIAL_REFUND', 'REFUNDED'))
		GROUP BY 1`) {
		name, sum, _ := strings.Cut(row, "|")
		var n int64
		if _, err := fmt.Sscan(sum, &n); err != nil {
			m.t.Fatal(err)
		}
		bills[name] = n
	}
	if diff := cmp.Diff(bills, closed); diff != "" {
		m.t.Errorf("the bills and all months of the books (-bills +books):\n%s", diff)
	}
}

// Amounts that nobody can add up cost what needs their sum, and nothing else: the
// sync, other months, what goes line by line, and status.
func TestAmountsThatDoNotFit(t *testing.T) {
	t.Parallel()
	m := newMonthEnd(t)
	m.spring()
	for i := range 12 {
		m.lists("", fmt.Sprintf("BIG%02d", i), "2026-05-14 12:00", "SUCCESS", "BIG", "999999999999999999 USD", "", "2026-05-15 09:00")
	}
	for range 2 {
		m.says(m.closed, exitDone, "sync", "-q")
	}
	folder := t.TempDir()
	ledger := filepath.Join(folder, "march.csv")
	if err := os.WriteFile(ledger, []byte("Date,Amount,Currency\n2026-03-10,-12.34,USD\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{
		"status", "report open", "report accruals 2026-05", "report refunds --month 2026-04", "report failures --month 2026-03", "report monthly --month 2026-06",
		"report monthly --month 2026-03 --by card", "report merchants --to 2026-04", "report postings --month 2026-06", "report pack 2026-06 --csv", "verify --books", "close 2026-04 --by me",
		"export beancount --to 2026-04", "export ofx --to 2026-04 -o " + folder + "/old", "export qbo-csv --new --month 2026-03 -o " + folder + "/new", "export csv",
		"reconcile --ledger " + ledger + " --preview",
	} {
		m.says(m.closed, exitDone, strings.Fields(args)...)
	}
	for _, args := range []string{
		"report monthly", "report monthly --month 2026-05", "report merchants", "report cards --from 2026-05", "report pack 2026-05 --csv", "close 2026-05 --by me",
		"report postings --month 2026-05", "export ofx -o " + folder + "/all", "export beancount", "export xero-csv --new -o " + folder + "/all",
	} {
		_, errout := m.says(m.closed, exitUnexpected, strings.Fields(args)...)
		if n := strings.Count(errout, "\n"); n != 2 || !strings.Contains(errout, "than can be counted") || !strings.Contains(errout, "\nhint: ") {
			t.Errorf("%s says %q, want one line and a hint", args, errout)
		}
	}
	if diff := cmp.Diff([]string{"2026-03|main|USD|-12.34"}, pick(m.table(m.closed, "monthly", "--to", "2026-04"), "month", "account", "currency", "net")); diff != "" {
		t.Errorf("the months before (-want +got):\n%s", diff)
	}
}

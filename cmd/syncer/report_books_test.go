package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// reportTime is when these reports are made.
var reportTime = time.Date(2026, 6, 15, 3, 4, 5, 0, time.UTC)

// A bookkeeper makes a database of bills.
type bookkeeper struct {
	t   *testing.T
	s   *store.Store
	now time.Time
	n   int
}

// newBookkeeper makes a folder with a configuration of two accounts and a database.
func newBookkeeper(t *testing.T) (k *bookkeeper, dir string) {
	t.Helper()
	dir = t.TempDir()
	put(t, filepath.Join(dir, "config.toml"), []byte(`[report]
timezone = "Asia/Shanghai"
merchant_rules = ["^BLUE CUP.* => Blue Cup Coffee"]
[[account]]
name = "main"
[[account]]
name = "second"
connected_customer_id = "2"
`))
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), filepath.Join(dir, "bills.db"), zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	k = &bookkeeper{t: t, s: s, now: reportTime.AddDate(0, 0, -1)}
	k.do(func(tx *store.Tx) error {
		for _, name := range []string{"main", "second"} {
			if err := tx.SaveAccount(bill.Account{Name: name, ConnectedCustomerID: name}, reportTime.AddDate(-1, 0, 0), k.now); err != nil {
				return err
			}
			if err := proved(tx, name, reportTime.AddDate(-1, 0, 0), k.now); err != nil {
				return err
			}
		}
		return nil
	})
	return k, dir
}

func (k *bookkeeper) do(fn func(*store.Tx) error) {
	k.t.Helper()
	if err := k.s.Update(k.t.Context(), fn); err != nil {
		k.t.Fatal(err)
	}
}

// cash reads an amount such as "1050 USD"; "" is none.
func (k *bookkeeper) cash(text string) *bill.Amount {
	if text == "" {
		return nil
	}
	var a bill.Amount
	if _, err := fmt.Sscan(text, &a.Value, &a.Currency); err != nil {
		k.t.Fatalf("%q: %v", text, err)
	}
	return &a
}

// bill stores a bill of a day, such as "2026-05-03 10:00", in UTC.
func (k *bookkeeper) bill(account, at, status, merchant, card, trade, out, in string, more func(*bill.Bill)) *bill.Bill {
	k.t.Helper()
	when, err := time.Parse("2006-01-02 15:04", at)
	if err != nil {
		k.t.Fatal(err)
	}
	k.n++
	b := &bill.Bill{
		OrderNo: fmt.Sprintf("%s%021d", when.Format("20060102"), k.n), Status: status, BillType: "CARD_PAYMENT", TransactionTime: when,
		MerchantName: merchant, Trade: k.cash(trade), Out: k.cash(out), In: k.cash(in), Hash: fmt.Sprint(k.n), Raw: []byte("{}"),
	}
	if card != "" {
		b.AssetID, b.CardLast4 = "CARD000000000000000000000000"+card, card
		b.CardNickName = map[string]string{"4242": "Ads 广告", "0007": "Evil\x1b[31m"}[card]
	}
	if more != nil {
		more(b)
	}
	k.do(func(tx *store.Tx) error {
		_, err := tx.InsertBill(account, b, 0, k.now, k.now, 1)
		return err
	})
	return b
}

// change stores a later state of a bill.
func (k *bookkeeper) change(account string, b *bill.Bill, change func(*bill.Bill)) {
	k.t.Helper()
	change(b)
	b.Hash += "'"
	k.do(func(tx *store.Tx) error {
		known, err := tx.KnownByOrders(account, []string{b.OrderNo})
		if err != nil {
			return err
		}
		return tx.UpdateBill(known[0].ID, b, 0, k.now, k.now, 2)
	})
}

// rate is what the API says of a bill's rate.
func rate(text string) func(*bill.Bill) { return func(b *bill.Bill) { b.ExchangeRate = text } }

// failed is why a bill failed.
func failed(code, words string) func(*bill.Bill) {
	return func(b *bill.Bill) { b.FailCode, b.FailDesc = code, words }
}

// tellBooks stores bills with all that reports have to cope with.
func (k *bookkeeper) tellBooks() {
	const s = "SUCCESS"
	k.bill("main", "2026-03-31 15:59", s, "SQ *BLUE CUP", "4242", "1050 USD", "1050 USD", "", rate("1"))
	k.bill("main", "2026-03-31 16:01", s, "Blue Cup #12", "4242", "2100 USD", "2100 USD", "", rate("1")) // April in Shanghai
	k.bill("main", "2026-04-02 02:00", s, "支付宝-星星超市", "4242", "70000 CNH", "9700 USD", "", rate("0.138571"))
	k.bill("main", "2026-04-02 03:00", s, "支付宝-星星超市", "4242", "70000 CNH", "9800 USD", "", rate("0.138571"))
	k.bill("main", "2026-04-02 04:00", s, "支付宝-星星超市", "4242", "7 CNH", "2 USD", "", rate("0.138571"))
	k.bill("main", "2026-04-10 04:00", s, "支付宝-星星超市", "4242", "12 CNH", "2 USD", "", rate("0.138571")) // rounded by a third of a cent
	k.bill("main", "2026-04-03 02:00", s, "東京ホテル", "0007", "15800 JPY", "10112 USD", "", rate("0.0064"))
	k.bill("main", "2026-04-03 03:00", s, "東京ホテル", "0007", "15800 JPY", "10112 USD", "", rate("0.64"))
	k.bill("main", "2026-04-03 04:00", s, "東京ホテル", "0007", "15800 JPY", "10500 USD", "", rate("0.0064"))
	k.bill("main", "2026-04-04 02:00", "PARTIAL_REFUND", "SOUQ", "0007", "12500 KWD", "4069 USD", "1326 USD", rate("3.2552"))
	k.bill("main", "2026-04-05 02:00", s, "=1+1", "4242", "900 USD", "900 USD", "", rate("n/a"))
	k.bill("main", "2026-04-05 03:00", s, "+86 shop\x07", "4242", "0 USD", "30 USD", "", nil)
	k.bill("main", "2026-04-06 03:00", s, "NEGATIVE LTD", "4242", "-500 USD", "-500 USD", "", rate("1"))
	k.bill("main", "2026-04-07 03:00", s, "", "", "123456 KWD", "123456 KWD", "", nil)
	k.bill("main", "2026-04-08 03:00", s, "支付宝-星星超市", "", "880000 CNH", "880000 CNH", "", rate("1"))
	k.bill("second", "2026-04-09 03:00", s, "東京ホテル", "4242", "500 JPY", "500 JPY", "", nil)
	k.bill("second", "2026-04-09 04:00", "REFUNDED", "東京ホテル", "9999", "900 JPY", "900 JPY", "900 JPY", nil)
	k.bill("main", "2026-05-01 04:00", s, "SQ *BLUE CUP", "4242", "100 USD", "", "", nil) // nothing readable was billed
	k.bill("main", "2026-05-02 04:00", "WAITING_CLEARANCE", "SQ *BLUE CUP", "4242", "5000 EUR", "5400 USD", "", rate("1.08"))
	k.bill("main", "2026-05-02 05:00", "PARTIAL_CANCEL", "Inn", "4242", "5000 EUR", "2000 USD", "", rate("1.08"))
	gone := k.bill("main", "2026-05-03 04:00", s, "Inn", "4242", "7000 USD", "7000 USD", "", nil)
	more := k.bill("main", "2026-05-03 05:00", s, "Inn", "4242", "8000 USD", "8000 USD", "", nil)
	k.change("main", gone, func(b *bill.Bill) { b.Status = "CANCELLED" })
	k.change("main", more, func(b *bill.Bill) { b.Out = k.cash("8800 USD") })

	balance := failed("WORLD_CARD_BALANCE_NOT_ENOUGH", "")
	k.bill("main", "2026-05-04 01:00", "FAILED", "Cloud 云", "4242", "1000 USD", "0 USD", "", balance)
	k.bill("main", "2026-05-04 02:00", "FAILED", "Cloud 云", "4242", "1000 USD", "0 USD", "", balance)
	k.bill("main", "2026-05-04 03:00", s, "Cloud 云", "0007", "1000 USD", "1000 USD", "", nil) // with another card
	k.bill("main", "2026-05-05 01:00", "FAILED", "Cloud 云", "4242", "3000 USD", "0 USD", "", balance)
	k.bill("main", "2026-05-05 02:00", "FAILED", "SOUQ", "0007", "12345 KWD", "", "", failed("NEW_CODE", "something\nnew"))
	k.bill("main", "2026-05-05 03:00", "FAILED", "", "", "", "", "", nil)
	k.bill("second", "2026-05-06 01:00", "FAILED", "東京ホテル", "9999", "700 JPY", "", "", failed("WORLD_CARD_OVER_LIMIT", "Insufficient daily/monthly limit."))
	k.bill("second", "2026-05-06 02:00", s, "東京ホテル", "9999", "700 JPY", "700 JPY", "", nil)
}

// inside runs the program in process, in a folder.
func inside(t *testing.T, dir string, args ...string) (out, errout string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	g := &globals{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, now: func() time.Time { return reportTime }}
	all := append([]string{args[0], "-c", filepath.Join(dir, "config.toml"), "--log-level", "error"}, args[1:]...)
	code = run(context.Background(), g, all)
	clean := func(b *bytes.Buffer) string { return strings.ReplaceAll(b.String(), dir, "DIR") }
	return clean(&stdout), clean(&stderr), code
}

var partNames = regexp.MustCompile(`\{"name":"([a-z_]+)","title":"[^"]*","columns":`)

// Reports in all outputs, as they are in files.
func TestReportsGolden(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t)
	k.tellBooks()
	if err := k.s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string]string{
		"monthly": "monthly", "monthly_card": "monthly --by card --from 2026-04", "monthly_merchant": "monthly --by merchant --month 2026-04 --account main",
		"monthly_budget": "monthly --by budget --account second", "merchants": "merchants", "merchants_top": "merchants --top 2 --month 2026-04",
		"merchants_rules": "merchants --rules", "cards": "cards", "cards_second": "cards --account second --to 2026-04", "failures": "failures", "failures_list": "failures --list --month 2026-05",
		"fx": "fx", "fx_above": "fx --above 4 --account main --from 2026-04 --to 2026-04", "nothing": "failures --list --month 2020-01",
	} {
		args := append([]string{"report"}, strings.Fields(command)...)
		made := func(more ...string) string {
			out, errout, code := inside(t, dir, append(args, more...)...)
			if code != exitDone || errout != "" {
				t.Errorf("%s %v ends with %d and says %s", command, more, code, errout)
			}
			return out
		}
		golden(t, name+".txt", made())
		doc := made("--json")
		if !json.Valid([]byte(doc)) {
			t.Errorf("%s --json is no JSON: %s", command, doc)
		}
		golden(t, name+".json", strings.ReplaceAll(doc, "},{", "},\n{"))
		var csv strings.Builder
		for _, m := range partNames.FindAllStringSubmatch(doc, -1) {
			csv.WriteString("# " + m[1] + "\n" + made("--csv", "--part", m[1]))
		}
		golden(t, name+".csv", csv.String())
		book := filepath.Join(dir, name+".xlsx")
		made("--xlsx", book)
		golden(t, name+".xlsx.txt", strings.ReplaceAll(workbook(t, book), dir, "DIR"))
	}
}

// What is wrong with how a report is asked for is told in a line, before any work.
func TestReportsBadInput(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t)
	k.tellBooks()
	for command, want := range map[string]string{
		"monthly --by day":                      `there is no report by "day"`,
		"monthly --month 2026-00":               `--month: "2026-00" is no month`,
		"monthly --account nobody":              `there is no account "nobody" in the database`,
		"monthly --csv --json":                  "--csv and --json do not go together",
		"monthly --part x":                      `the report monthly has no part "x"`,
		"monthly --xlsx x.csv":                  "--xlsx x.csv: the name of a workbook ends with .xlsx",
		"monthly extra":                         `unknown command "extra" for "syncer report monthly"`,
		"merchants --top 0":                     "--top 0: it is the number of merchants to show, 1 or more",
		"merchants --top -3":                    "--top -3: it is the number of merchants to show, 1 or more",
		"merchants --top many":                  "--top \"many\": it must be a whole number\nhint: such as 20\n",
		"merchants --top 99999999999999999999":  "--top \"99999999999999999999\": it must be a whole number, and not so large\nhint: ",
		"monthly --csv=x":                       "--csv \"x\": it must be true or false\nhint: ",
		"monthly --xlsx /nonexistent/x.xlsx":    "/nonexistent/x.xlsx: it cannot be written: no such file or directory\nhint: name a file in a folder",
		"monthly --month 2026-07":               "2026-07 has not begun yet\nhint: the latest month is 2026-06\n",
		"cards --from 2030-01":                  "2030-01 has not begun yet\n",
		"merchants --rules --top 3":             "--top does not go with --rules",
		"merchants --rules --from 2026-01":      "--from does not go with --rules",
		"cards --from 2026-05 --to 2026-04":     "--from 2026-05 is after --to 2026-04",
		"cards --list":                          "unknown flag: --list",
		"failures --month 2026-05 --to 2026-05": "--month does not go with --from and --to",
		"failures --part payments":              `the report failures has no part "payments"`,
		"fx --above x":                          `--above: "x" is no number of per cent`,
		"fx --above -1":                         `--above: "-1" is no number of per cent`,
		"fx --above 1e2":                        `--above: "1e2" is no number of per cent`,
		"fx --above=":                           `--above: "" is no number of per cent`,
		"fx --above 1,5":                        `--above: "1,5" is no number of per cent`,
	} {
		out, errout, code := inside(t, dir, append([]string{"report"}, strings.Fields(command)...)...)
		_, hint, _ := strings.Cut(strings.TrimSuffix(errout, "\n"), "\n")
		if code != exitUsage || !strings.HasPrefix(errout, "syncer: "+want) || hint != "" && !strings.HasPrefix(hint, "hint: ") || strings.Contains(hint, "\n") {
			t.Errorf("report %s ends with %d and says %q, want 2 and %q", command, code, errout, want)
		}
		if out != "" && !strings.Contains(command, "--json") {
			t.Errorf("report %s prints %q", command, out)
		}
	}
	empty := t.TempDir()
	put(t, filepath.Join(empty, "config.toml"), nil)
	for _, name := range []string{"monthly", "merchants", "cards", "failures", "fx", "completeness"} {
		if _, errout, code := inside(t, empty, "report", name); code != exitUsage || !strings.Contains(errout, "there is no database at DIR/bills.db yet\nhint: ") {
			t.Errorf("report %s without a database ends with %d and says %q", name, code, errout)
		}
	}
	if out, errout, code := inside(t, empty, "report", "merchants", "--rules"); code != exitDone || !strings.Contains(out, "via.square") {
		t.Errorf("the rules without a database: %d, %s", code, errout)
	}
}

// The help of each report names its flags, parts and examples; the shell offers
// what there is.
func TestReportsHelp(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t)
	k.tellBooks()
	out, _, _ := inside(t, dir, "report", "monthly") // brings the books up to date
	if !strings.Contains(out, "2026-04") {
		t.Fatalf("the books are\n%s", out)
	}
	list, _, code := inside(t, dir, "report", "--help")
	for _, name := range []string{"monthly", "merchants", "cards", "failures", "fx"} {
		if !strings.Contains(list, "\n  "+name) || code != exitDone {
			t.Errorf("the help does not list %s:\n%s", name, list)
		}
		help, _, _ := inside(t, dir, "report", name, "--help")
		for _, want := range []string{"Examples:\n  syncer report " + name, "--account NAME", "--month MONTH", "--from MONTH", "--to MONTH", "--xlsx FILE", "--csv", "--part PART"} {
			if !strings.Contains(help, want) {
				t.Errorf("the help of %s does not say %q:\n%s", name, want, help)
			}
		}
		for line := range strings.Lines(help) {
			if len(line) > 140 {
				t.Errorf("the help of %s has a long line: %s", name, line)
			}
		}
		for flag, want := range map[string]string{"--month": "2026-06\n2026-05\n2026-04\n2026-03\n", "--to": "2026-06\n2026-05\n2026-04\n2026-03\n", "--account": "main\nsecond\n"} {
			if got, _, _ := inside(t, dir, "__complete", "report", name, flag, ""); !strings.HasPrefix(got, want) {
				t.Errorf("for %s %s the shell offers %q, want %q", name, flag, got, want)
			}
		}
	}
	if got, _, _ := inside(t, dir, "__complete", "report", "monthly", "--by", ""); !strings.HasPrefix(got, "account\nmerchant\ncard\nbudget\n") {
		t.Errorf("for --by the shell offers %q", got)
	}
}

// One part of a pack can be looked at without a workbook.
func TestPackPart(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t)
	k.tellBooks()
	out, errout, code := inside(t, dir, "report", "pack", "2026-04", "--part", "summary")
	if code != exitDone || errout != "" || !strings.Contains(out, "\nWhat the month came to\naccount  currency") || strings.Contains(out, "Failed payments") {
		t.Errorf("report pack --part summary ends with %d and says\n%s%s", code, errout, out)
	}
	if found, err := filepath.Glob("pack-*.xlsx"); err != nil || len(found) > 0 {
		t.Errorf("there are workbooks: %v, %v", found, err)
	}
	if _, errout, code := inside(t, dir, "report", "pack", "2026-04", "--part", "summary", "--xlsx", filepath.Join(dir, "x.xlsx")); code != exitUsage || !strings.Contains(errout, "--part does not go with --xlsx") {
		t.Errorf("report pack --part --xlsx ends with %d and says %s", code, errout)
	}
}

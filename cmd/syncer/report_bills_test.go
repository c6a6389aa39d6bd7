package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// diaryTime is when the reports of a diary are made.
var diaryTime = time.Date(2026, 6, 20, 2, 0, 0, 0, time.UTC)

// A diary is what happened to bills, day by day, in a database of its own.
type diary struct {
	t     *testing.T
	s     *store.Store
	dir   string
	bills map[string]*bill.Bill
}

func newDiary(t *testing.T) *diary {
	t.Helper()
	d := &diary{t: t, dir: t.TempDir(), bills: map[string]*bill.Bill{}}
	put(t, filepath.Join(d.dir, "config.toml"), []byte("[[account]]\nname = \"main\"\n[[account]]\nname = \"shop\"\nconnected_customer_id = \"2\"\n"))
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	if d.s, err = store.Open(t.Context(), filepath.Join(d.dir, "bills.db"), zone); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.s.Close() })
	d.do(func(tx *store.Tx) error {
		for _, name := range []string{"main", "shop"} {
			if err := tx.SaveAccount(bill.Account{Name: name, ConnectedCustomerID: name}, d.at("2026-01-01 00:00"), d.at("2026-01-01 00:00")); err != nil {
				return err
			}
			if err := proved(tx, name, d.at("2026-01-01 00:00"), d.at("2026-07-01 00:00")); err != nil {
				return err
			}
		}
		return nil
	})
	return d
}

// proved notes that an account's bills of a span are all there.
func proved(tx *store.Tx, account string, from, until time.Time) error {
	return tx.SaveTail(&bill.Tail{Account: account, CoveredFrom: from, ProvedUntil: until, Progress: bill.Progress{State: bill.Done, ProvedAt: until}})
}

func (d *diary) do(fn func(*store.Tx) error) {
	d.t.Helper()
	if err := d.s.Update(d.t.Context(), fn); err != nil {
		d.t.Fatal(err)
	}
}

// at reads a time in UTC.
func (d *diary) at(text string) time.Time {
	d.t.Helper()
	at, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		d.t.Fatal(err)
	}
	return at
}

// amount reads an amount such as "1050 USD"; "" is none.
func (d *diary) amount(text string) *bill.Amount {
	d.t.Helper()
	if text == "" {
		return nil
	}
	var a bill.Amount
	if _, err := fmt.Sscan(text, &a.Value, &a.Currency); err != nil {
		d.t.Fatalf("%q: %v", text, err)
	}
	return &a
}

// seen stores a bill that was made at a time and seen at another.
func (d *diary) seen(now, account, order, made, status, merchant, trade, out, in string) {
	d.t.Helper()
	b := &bill.Bill{
		OrderNo: order, BillNo: "B" + order, Status: status, TransactionTime: d.at(made), MerchantName: merchant,
		Trade: d.amount(trade), Out: d.amount(out), In: d.amount(in), Hash: order, Raw: []byte("{}"),
	}
	if merchant != "" {
		b.AssetID, b.CardLast4 = "202600000000000000000000004242", "4242"
	}
	d.bills[order] = b
	d.do(func(tx *store.Tx) error {
		_, err := tx.InsertBill(account, b, 0, d.at(now), d.at(now), 1)
		return err
	})
}

// turns stores a later state of a bill of the account main.
func (d *diary) turns(now, order, status, out, in string) {
	d.t.Helper()
	b := d.bills[order]
	b.Status, b.Hash = status, order+now
	if out != "" {
		b.Out = d.amount(out)
	}
	if in != "" {
		b.In = d.amount(in)
	}
	d.do(func(tx *store.Tx) error {
		known, err := tx.KnownByOrders("main", []string{order})
		if err != nil {
			return err
		}
		return tx.UpdateBill(known[0].ID, b, 0, d.at(now), d.at(now), 2)
	})
}

// vanishes marks a bill as listed no longer.
func (d *diary) vanishes(now, order string) {
	d.t.Helper()
	d.do(func(tx *store.Tx) error {
		known, err := tx.KnownByOrders("main", []string{order})
		if err != nil {
			return err
		}
		_, err = tx.Withdraw(&known[0], d.at(now), 3)
		return err
	})
}

// written tells all that reports on bills have to cope with. May is closed on 5 June.
func (d *diary) written() {
	d.t.Helper()
	const late = "20260528194010800100188290254"
	d.seen("2026-03-01 03:00", "shop", "20260301000000000000000000001", "2026-03-01 02:00", "WAITING_CLEARANCE", "", "", "700000 CNH", "")
	d.seen("2026-04-29 03:00", "main", "partcancel", "2026-04-29 02:00", "PARTIAL_CANCEL", "Inn", "9000 USD", "6000 USD", "")
	d.seen("2026-05-03 03:00", "main", "refunded-late", "2026-05-03 02:00", "SUCCESS", "支付宝（中国）网络技术有限公司", "7000 CNH", "1050 USD", "")
	d.seen("2026-05-04 03:00", "main", "in-other-currency", "2026-05-04 02:00", "REFUNDED", "Möbel", "2800 EUR", "3000 USD", "2800 EUR")
	d.seen("2026-05-05 03:00", "main", "part", "2026-05-05 02:00", "PARTIAL_REFUND", "東京ホテル", "5000 JPY", "5000 JPY", "2000 JPY")
	d.seen("2026-05-06 03:00", "main", "on-its-way", "2026-05-06 02:00", "REFUNDED", "SOUQ", "12345 KWD", "12345 KWD", "")
	d.seen("2026-05-10 03:00", "main", "goes", "2026-05-10 02:00", "SUCCESS", "Gone Ltd", "500 USD", "500 USD", "")
	d.seen("2026-05-12 03:00", "main", "cancelled", "2026-05-12 02:00", "SUCCESS", "Inn", "8000 USD", "8000 USD", "")
	d.seen("2026-05-20 03:00", "main", "unknown", "2026-05-20 02:00", "NEW_ONE", "Inn", "100 USD", "", "")
	d.seen("2026-05-28 13:00", "main", late, "2026-05-28 12:00", "WAITING_CLEARANCE", "東京ホテル", "1200 JPY", "805 USD", "")
	d.seen("2026-05-30 03:00", "main", "deduct", "2026-05-30 02:00", "WAITING_DEDUCT", "SOUQ", "12345 KWD", "12345 KWD", "")
	d.seen("2026-05-31 17:00", "main", "june-already", "2026-05-31 16:00", "WAITING_CLEARANCE", "SOUQ", "1 KWD", "1 KWD", "")
	d.turns("2026-06-02 03:00", late, "SUCCESS", "810 USD", "")
	d.turns("2026-06-03 03:00", "cancelled", "CANCELLED", "", "")
	c := store.Closing{Month: "2026-05", At: d.at("2026-06-05 08:00"), By: "me", Program: "test", Forced: true, OpenPoints: "a test"}
	if err := d.s.CloseMonth(d.t.Context(), &c, plainNames{}, false); err != nil {
		d.t.Fatal(err)
	}
	d.turns("2026-06-10 03:00", "refunded-late", "REFUNDED", "", "1050 USD")
	d.vanishes("2026-06-11 03:00", "goes")
	d.seen("2026-06-12 03:00", "main", "came-late", "2026-05-15 02:00", "SUCCESS", "@SUM(A1)", "450 EUR", "500 USD", "")
	d.seen("2026-06-15 03:00", "main", "-7", "2026-06-15 02:00", "WAITING_CLEARANCE", "=HYPERLINK(\"http://x\")", "123 XTS", "123 XTS", "")
	d.turns("2026-06-16 03:00", "deduct", "WAITING_DEDUCT", "12346 KWD", "")
	if err := d.s.Close(); err != nil {
		d.t.Fatal(err)
	}
}

// plainNames leaves merchants' names as they are.
type plainNames struct{}

func (plainNames) Name(raw string) (name, rule string) { return raw, "" }
func (plainNames) Version() string                     { return "plain" }

// ask runs the program in process on the diary.
func (d *diary) ask(args ...string) (out, errout string, code int) {
	d.t.Helper()
	var stdout, stderr bytes.Buffer
	g := &globals{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, now: func() time.Time { return diaryTime }}
	code = run(context.Background(), g, append([]string{args[0], "-c", filepath.Join(d.dir, "config.toml"), "--log-level", "error"}, args[1:]...))
	clean := func(b *bytes.Buffer) string { return strings.ReplaceAll(b.String(), d.dir, "DIR") }
	return clean(&stdout), clean(&stderr), code
}

// Reports on bills in all outputs, as they are in files.
func TestBillReportsGolden(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	d.written()
	for name, command := range map[string]string{
		"open": "open", "open_shop": "open --account shop", "refunds": "refunds", "refunds_june": "refunds --month 2026-06",
		"accruals_closed": "accruals 2026-05", "accruals_now": "accruals 2026-06", "accruals_none": "accruals 2026-02",
		"changes_close": "changes", "changes_day": "changes --since 2026-06-11", "changes_moment": "changes --since 2026-06-16T03:00:00.001Z",
		"adjustments": "adjustments", "adjustments_may": "adjustments --month 2026-05 --account shop",
	} {
		args := append([]string{"report"}, strings.Fields(command)...)
		made := func(more ...string) string {
			out, errout, code := d.ask(append(args, more...)...)
			if code != exitDone || errout != "" {
				t.Errorf("%s %v ends with %d and says %s", command, more, code, errout)
			}
			return out
		}
		golden(t, name+".txt", made())
		doc := made("--json")
		var parsed struct {
			Parts []struct {
				Name string `json:"name"`
			} `json:"parts"`
		}
		if err := json.Unmarshal([]byte(doc), &parsed); err != nil || len(parsed.Parts) != 2 {
			t.Errorf("%s --json has %d parts: %v", command, len(parsed.Parts), err)
		}
		golden(t, name+".json", strings.ReplaceAll(doc, "},{", "},\n{"))
		var csv strings.Builder
		for _, part := range parsed.Parts {
			csv.WriteString("# " + part.Name + "\n" + made("--csv", "--part", part.Name))
		}
		golden(t, name+".csv", csv.String())
		book := filepath.Join(d.dir, name+".xlsx")
		made("--xlsx", book)
		golden(t, name+".xlsx.txt", strings.ReplaceAll(workbook(t, book), d.dir, "DIR"))
	}
	closing, _, _ := d.ask("report", "changes", "--json")
	month, _, _ := d.ask("report", "changes", "--since", "2026-05", "--json")
	if closing != month {
		t.Errorf("since the last closing:\n%s\nsince that of the month:\n%s", closing, month)
	}
}

// The lines of an accrual and its reversal add up to nothing, in each currency, and
// their ids are as different as the lines.
func TestAccrualsCancelOut(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	d.written()
	out, _, _ := d.ask("report", "accruals", "2026-05", "--json", "--part", "lines")
	var doc struct {
		Parts []struct {
			Rows []struct {
				ID       string `json:"line_id"`
				Date     string `json:"date"`
				Kind     string `json:"kind"`
				Amount   *int64 `json:"amount"`
				Currency string `json:"currency"`
			} `json:"rows"`
		} `json:"parts"`
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sums, ids := map[string]int64{}, map[string]bool{}
	for _, r := range doc.Parts[0].Rows {
		ids[r.ID] = true
		if r.Amount == nil {
			continue
		}
		sums[r.Currency] += *r.Amount
		if want := map[string]string{"accrual": "2026-05-31", "reversal": "2026-06-01"}[r.Kind]; r.Date != want || (*r.Amount < 0) != (r.Kind == "accrual") {
			t.Errorf("%+v: want the date %s", r, want)
		}
	}
	for currency, sum := range sums {
		if sum != 0 {
			t.Errorf("the lines in %s add up to %d", currency, sum)
		}
	}
	if len(sums) != 3 || len(ids) != len(doc.Parts[0].Rows) || len(ids) != 7 {
		t.Errorf("%d currencies, %d ids in %d lines", len(sums), len(ids), len(doc.Parts[0].Rows))
	}
}

// What is wrong with how a report on bills is asked for is told in a line.
func TestBillReportsBadInput(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	d.written()
	for command, want := range map[string]string{
		"open --month 2026-05":                     "unknown flag: --month",
		"open --account nobody":                    `there is no account "nobody" in the database`,
		"open --part old":                          `the report open has no part "old"`,
		"open --csv --json":                        "--csv and --json do not go together",
		"open now":                                 `unknown command "now" for "syncer report open"`,
		"refunds --month 2026-5":                   `--month: "2026-5" is no month`,
		"refunds --from 2026-05 --to 2026-04":      "--from 2026-05 is after --to 2026-04",
		"accruals":                                 "accruals are those of one month, and 0 are named",
		"accruals 2026-04 2026-05":                 "accruals are those of one month, and 2 are named",
		"accruals May":                             `"May" is no month`,
		"accruals 2026-13":                         `"2026-13" is no month`,
		"accruals 2026-07":                         "2026-07 has not begun",
		"changes --since=":                         "--since is empty",
		"changes --since yesterday":                `--since "yesterday" is neither a day nor a moment`,
		"changes --since 2026-02-30":               `--since "2026-02-30" is neither a day nor a moment`,
		"changes --since 2026-06-01T12:00":         `--since "2026-06-01T12:00" is neither a day nor a moment`,
		"changes --since 2026-04":                  "2026-04 is not closed",
		"changes --since 2026-06-21":               "--since 2026-06-21 has not come yet",
		"adjustments --month 2026-06":              "2026-06 is not closed",
		"adjustments --month 2026-05 --to 2026-06": "--month does not go with --from and --to",
	} {
		out, errout, code := d.ask(append([]string{"report"}, strings.Fields(command)...)...)
		line, hint, _ := strings.Cut(strings.TrimSuffix(errout, "\n"), "\n")
		if code != exitUsage || !strings.HasPrefix(line, "syncer: "+want) || !strings.HasPrefix(hint, "hint: ") || strings.Contains(hint, "\n") {
			t.Errorf("report %s ends with %d and says %q, want 2, %q and a hint", command, code, errout, want)
		}
		if out != "" && !strings.Contains(command, "--json") {
			t.Errorf("report %s prints %q", command, out)
		}
	}
	fresh := newDiary(t)
	if err := fresh.s.Close(); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		"changes": "no month is closed yet, so it is not clear since when", "changes --since 2026-05": "2026-05 is not closed",
		"adjustments --month 2026-05": "2026-05 is not closed",
	} {
		if _, errout, code := fresh.ask(append([]string{"report"}, strings.Fields(command)...)...); code != exitUsage || !strings.HasPrefix(errout, "syncer: "+want+"\nhint: ") {
			t.Errorf("report %s without a closed month ends with %d and says %q", command, code, errout)
		}
	}
	for _, command := range []string{"open", "refunds", "accruals 2026-05", "changes --since 2026-05-01", "adjustments"} {
		if out, errout, code := fresh.ask(append([]string{"report"}, strings.Fields(command)...)...); code != exitDone || errout != "" || !strings.Contains(out, "\n") {
			t.Errorf("report %s without bills ends with %d, prints %q and says %q", command, code, out, errout)
		}
	}
}

// Of an account that was first read after the moment all is late: that is told, with
// the day, and only of those that are asked for.
func TestChangesBeforeTheDatabase(t *testing.T) {
	t.Parallel()
	k, dir := newBookkeeper(t) // both accounts come into it a day before the report
	k.tellBooks()
	const note = "first read after that moment: %s; all of it is new to this database, so every bill of an earlier day is listed as late"
	const day = "2026-06-14 11:04:05 +08:00"
	for args, want := range map[string]string{
		"--since 2026-05-01":                               fmt.Sprintf(note, "main on "+day+", second on "+day),
		"--since 2026-05-01 --account second":              fmt.Sprintf(note, "second on "+day),
		"--since 2026-06-14T11:04:05+08:00 --account main": fmt.Sprintf(note, "main on "+day),
		"--since 2026-06-14T11:04:06+08:00":                "",
		"--since 2026-05-01 --json --account main":         fmt.Sprintf(note, "main on "+day),
	} {
		out, errout, _ := inside(t, dir, append([]string{"report", "changes"}, strings.Fields(args)...)...)
		if want != "" && !strings.Contains(out, want) || want == "" && strings.Contains(out, "first read after") {
			t.Errorf("report changes %s says %s%s, want %q", args, out, errout, want)
		}
	}
}

// The help of each report names its flags, its parts and examples.
func TestBillReportsHelp(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	d.written()
	d.ask("report", "open") // brings the books up to date, and so the months
	list, _, _ := d.ask("report", "--help")
	for name, wants := range map[string][]string{
		"open":        {"ages", "bills"},
		"refunds":     {"totals", "bills", "--month MONTH", "the last twelve months"},
		"accruals":    {"totals", "lines", "accruals MONTH"},
		"changes":     {"summary", "bills", "--since WHEN"},
		"adjustments": {"totals", "adjustments", "--month MONTH", "all closed months"},
	} {
		if !strings.Contains(list, "\n  "+name) {
			t.Errorf("the help does not list %s:\n%s", name, list)
		}
		help, _, code := d.ask("report", name, "--help")
		for _, want := range append(wants, "Examples:\n  syncer report "+name, "--account NAME", "--xlsx FILE", "--csv", "--part PART", "The parts are ") {
			if code != exitDone || !strings.Contains(strings.ReplaceAll(help, "\nparts", " parts"), want) {
				t.Errorf("the help of %s does not say %q:\n%s", name, want, help)
			}
		}
	}
	for _, args := range [][]string{{"accruals", ""}, {"changes", "--since", ""}, {"refunds", "--month", ""}} {
		if got, _, _ := d.ask(append([]string{"__complete", "report"}, args...)...); !strings.HasPrefix(got, "2026-06\n2026-05\n2026-04\n") {
			t.Errorf("for %v the shell offers %q", args, got)
		}
	}
	if got, _, _ := d.ask("__complete", "report", "accruals", "2026-05", ""); !strings.HasPrefix(got, ":") {
		t.Errorf("behind the month the shell offers %q", got)
	}
}

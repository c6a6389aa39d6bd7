package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"billsync/internal/bill"
)

// packed makes the pack of May and reads it back: the rows of each sheet, the
// cells as they are stored.
func (m *monthEnd) packed(name string) map[string][][]string {
	m.t.Helper()
	path := filepath.Join(m.closed, name)
	m.says(m.closed, exitDone, "report", "pack", "2026-05", "--xlsx", path)
	f, err := excelize.OpenFile(path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	want := []string{"About", "summary", "postings", "merchants", "cards", "budget", "refunds", "failures", "accrued", "accruals", "adjustments", "since_close", "proof"}
	if diff := cmp.Diff(want, f.GetSheetList()); diff != "" {
		m.t.Errorf("the sheets of %s (-want +got):\n%s", name, diff)
	}
	pack := map[string][][]string{}
	for _, sheet := range f.GetSheetList() {
		if pack[sheet], err = f.GetRows(sheet, excelize.Options{RawCellValue: true}); err != nil {
			m.t.Fatal(err)
		}
	}
	return pack
}

// rowsOf returns the rows of a sheet by the titles of its columns, without the
// foot, which an empty row stands before.
func rowsOf(t *testing.T, pack map[string][][]string, sheet string) (rows []map[string]string) {
	t.Helper()
	all := pack[sheet]
	if len(all) == 0 {
		t.Fatalf("the sheet %s is empty", sheet)
	}
	for _, r := range all[1:] {
		if len(r) == 0 {
			break
		}
		row := map[string]string{}
		for i, cell := range r {
			row[all[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

// minor reads a number of a workbook as an amount in the smallest unit.
func minor(t *testing.T, cell, currency string) int64 {
	t.Helper()
	_, places, _ := strings.Cut(bill.Amount{Currency: currency, Value: 1}.Decimal(), ".")
	whole, part, _ := strings.Cut(cell, ".")
	if len(part) > len(places) {
		t.Fatalf("%q is no amount in %s", cell, currency)
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", len(places)-len(part)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// packIsSQL checks that each sheet of the books adds up to what plain SQL says of
// the postings of the month: per currency, and per account where it has them.
func (m *monthEnd) packIsSQL(pack map[string][][]string) {
	m.t.Helper()
	summed := func(columns, where string) map[string]int64 {
		sums := map[string]int64{}
		for _, row := range lookAt(m.t, filepath.Join(m.closed, "bills.db"), "SELECT "+columns+`, sum(p.amount)
			FROM postings p JOIN bills b USING (bill_id) LEFT JOIN merchants n USING (merchant_name)
			WHERE p.posting_date LIKE '2026-05-%' AND `+where+" GROUP BY "+columns) {
			cut := strings.LastIndex(row, "|")
			n, err := strconv.ParseInt(row[cut+1:], 10, 64)
			if err != nil {
				m.t.Fatal(err)
			}
			sums[row[:cut]] = n
		}
		return sums
	}
	for _, s := range []struct{ sheet, amount, sql, where, titles string }{
		{"summary", "net", "b.account, p.currency", "1", "account currency"},
		{"postings", "amount", "b.account, p.kind, p.currency", "1", "account kind currency"},
		{"merchants", "net", "n.merchant, p.currency", "1", "merchant currency"},
		{"cards", "net", "b.asset_id, p.currency", "1", "card currency"},
		{"budget", "net", "b.account, b.budget_account_id, p.currency", "1", "account budget+account currency"},
		{"refunds", "amount", "b.account, p.kind, p.currency", "p.kind IN ('return', 'reversal')", "account kind currency"},
	} {
		got := map[string]int64{}
		for _, row := range rowsOf(m.t, pack, s.sheet) {
			var key []string
			for _, title := range strings.Fields(s.titles) {
				key = append(key, row[strings.ReplaceAll(title, "+", " ")])
			}
			got[strings.Join(key, "|")] += minor(m.t, row[s.amount], row["currency"])
		}
		if diff := cmp.Diff(summed(s.sql, s.where), got); diff != "" {
			m.t.Errorf("the sheet %s (-plain SQL +workbook):\n%s", s.sheet, diff)
		}
		m.footAdds(pack[s.sheet], s.sheet, s.amount)
	}
}

// footAdds checks the foot of a sheet: the exact sum of each currency is that of
// the rows above.
func (m *monthEnd) footAdds(rows [][]string, sheet, amount string) {
	m.t.Helper()
	column, currency := slices.Index(rows[0], amount), slices.Index(rows[0], "currency")
	want, got := map[string]int64{}, map[string]int64{}
	for _, r := range rows[1:] {
		switch {
		case len(r) == 0 || r[0] == "total" || r[0] == "difference (0)":
		case r[0] == "exact sum":
			got[r[currency]] = minor(m.t, r[column], r[currency])
		default:
			want[r[currency]] += minor(m.t, r[column], r[currency])
		}
	}
	if !maps.Equal(want, got) {
		m.t.Errorf("the foot of the sheet %s says %v, its rows add up to %v", sheet, got, want)
	}
}

// mayIs checks the pack of May against what was made up for it.
func (m *monthEnd) mayIs(pack map[string][][]string) {
	m.t.Helper()
	for sheet, want := range map[string][]string{
		"summary": {
			"main|CNH|1|-300|0|-300", "main|JPY|1|-5000|1200|-3800", "main|KWD|1|-12.345|12.345|0", "main|USD|5|-270|0|-270",
			"second|CNH|1|-880|0|-880", "second|JPY|1|-15800|0|-15800",
		},
		"failures": {"WORLD_CARD_BALANCE_NOT_ENOUGH|USD|1|1|1|0|0"}, // it was paid with the next try
		"accrued":  {"main|1|-88|USD"},                              // at whose foot it stands, while the foot of the lines is 0
		"accruals": {"accrual|main|A08|-88|USD", "reversal|main|A08|88|USD"},
		"refunds":  {"return|main|A06|12.345|KWD", "return|main|A07|1200|JPY"},
		"merchants": {
			"星星超市|CNH|-1180", "東京ホテル|JPY|-19600", "SOUQ|KWD|0", "星星超市|USD|-150", "蓝杯咖啡|USD|-90", "云计算 CLOUD|USD|-30",
		},
		"adjustments": {}, "since_close": {},
	} {
		columns := map[string]string{
			"summary": "account currency spends spent returned net", "failures": "reason currency failures then+paid purchases unpaid unpaid+amount",
			"accrued":  "account bills accrued currency",
			"accruals": "kind account order amount currency", "refunds": "kind account order amount currency", "merchants": "merchant currency net",
		}[sheet]
		titles := strings.Fields(columns)
		for i := range titles {
			titles[i] = strings.ReplaceAll(titles[i], "+", " ")
		}
		got := pick(rowsOf(m.t, pack, sheet), titles...)
		if diff := cmp.Diff(want, got); diff != "" {
			m.t.Errorf("the sheet %s of May (-want +got):\n%s", sheet, diff)
		}
	}
	// A purchase of April is in May's books, with the day it was made.
	var bought []string
	for _, row := range rowsOf(m.t, pack, "postings") {
		if row["bill_id"] == "" || row["bill"] != "" {
			m.t.Errorf("bill is the API's number in other sheets, and bill_id ours: %v", row)
		}
		if row["order"] == "A02" {
			bought = append(bought, fmt.Sprint(row["posted (Asia/Shanghai)"], " ", row["bought"]))
		}
	}
	if diff := cmp.Diff([]string{"46144 46142"}, bought); diff != "" { // 2026-05-02, 2026-04-30
		m.t.Errorf("April's purchase in May's books (-want +got):\n%s", diff)
	}
	for _, row := range rowsOf(m.t, pack, "proof") {
		if row["API counts"] != row["stored"] {
			m.t.Errorf("the proof of May has %v", row)
		}
	}
}

// A month's books hold what came back of earlier bills, so its own bills alone prove
// nothing: all history before its end has to be proved, and read again since.
func TestCloseNeedsEarlierBills(t *testing.T) {
	t.Parallel()
	m := newMonthEnd(t)
	m.spring()
	refuses := func(want string) {
		t.Helper()
		_, errout := m.says(m.closed, exitIncomplete, "close", "2026-05", "--by", "ann")
		if !strings.Contains(errout, want) || strings.Count(errout, "\n") != 2 {
			t.Errorf("close says %q, want %q and a hint", errout, want)
		}
	}
	for range 2 {
		m.says(m.closed, exitDone, "sync", "-q", "--from", "2026-04-28")
	}
	refuses("2026-05 is not closed: account main: its earlier history is not proved complete, and the month's books hold what came back of earlier bills (window 3 is pending, of 2 that lack); account main: what changed of earlier bills")

	doubts := func(want string) {
		t.Helper()
		for _, name := range []string{"monthly --month 2026-05", "open", "pack 2026-05", "accruals 2026-05", "changes --since 2026-05-01"} {
			out, _ := m.says(m.closed, exitDone, append([]string{"report", "--json"}, strings.Fields(name)...)...)
			var doc struct {
				About map[string]string `json:"about"`
			}
			if err := json.Unmarshal([]byte(out), &doc); err != nil || doc.About["proved"] != want {
				t.Errorf("report %s is about %v, %v; want %q of what is proved", name, doc.About, err, want)
			}
		}
	}
	doubts("NO: main is not proved complete, second is not proved complete")

	m.now = m.moment("2026-05-20 10:00")
	quiet := []string{"SYNCER_SCHEDULE_REFRESH="}
	sync := func() { m.saysWith(m.closed, quiet, exitDone, "sync", "-q") }
	if err := os.Remove(filepath.Join(m.closed, "bills.db")); err != nil {
		t.Fatal(err)
	}
	sync()
	doubts("")
	m.now = m.moment("2026-06-03 10:00")
	if out, _ := m.says(m.closed, exitDone, "report", "monthly", "--month", "2026-05", "--account", "main"); !strings.Contains(out, "\nproved     NO: main is proved complete until 2026-05-") {
		t.Errorf("a month that is over since the last sync is reported as\n%s", out)
	}
	sync()
	sync()
	refuses("2026-05 is not closed: account main: what changed of earlier bills until the month ended is not read again yet (last refresh: 2026-05-20 ")
	m.says(m.closed, exitDone, "sync", "-q", "--refresh")
	m.says(m.closed, exitDone, "close", "2026-05", "--by", "ann")
}

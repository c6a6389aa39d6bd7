package report_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"billsync/internal/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares what was written with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); if it should, -update rewrites it:\n%s", path, diff)
	}
}

var (
	errMiddle = errors.New("the disk went away")
	noon      = time.Date(2026, 5, 3, 12, 30, 15, 999, time.FixedZone("", 8*3600))
)

// rows are rows that are there already.
func rows(list ...report.Row) func(func(report.Row) error) error {
	return func(row func(report.Row) error) error {
		for _, r := range list {
			if err := row(r); err != nil {
				return err
			}
		}
		return nil
	}
}

// sample is a report with all that is awkward.
func sample() *report.Report {
	const order = "20260503194010800100188290254"
	return &report.Report{
		Name:  "sample",
		Title: "World Card bills, 2026-05",
		About: []report.Fact{
			{Label: "period", Text: "2026-05-01 … 2026-05-31"},
			{Label: "time zone", Text: "Asia/Shanghai"},
			{Label: "database", Text: "=cmd|' /C calc'!A0"},
		},
		Notes: []string{"Currencies are never added together."},
		Parts: []report.Part{
			{
				Name:  "bills",
				Title: "Bills",
				Columns: []report.Column{
					{Name: "merchant", Title: "merchant"},
					{Name: "order_no", Title: "order", Kind: report.ID},
					{Name: "date", Title: "date (Asia/Shanghai)", Kind: report.Date},
					{Name: "month", Title: "month", Kind: report.Month},
					{Name: "bills", Title: "bills", Kind: report.Count, Sum: true},
					{Name: "amount", Title: "amount", Kind: report.Money, Currency: 6, Sum: true},
					{Name: "currency", Title: "cur."},
					{Name: "rate", Title: "rate", Kind: report.Decimal},
					{Name: "seen_at", Title: "seen (UTC)", Kind: report.Time, Data: true},
				},
				Rows: rows(
					report.Row{"支付宝（中国）网络技术有限公司", order, "2026-05-03", "2026-05", int64(3), int64(-123456789), "CNH", "7.1234", noon},
					report.Row{"=1+1", "0001", "2026-05-04", "2026-05", int64(1), int64(-1050), "USD", "1", nil},
					report.Row{"+1", "-7", "2026-05-04", "2026-05", int64(1), int64(5), "USD", "0.10", nil},
					report.Row{"-1+2", "=2", "2026-05-04", "2026-05", int64(1), int64(700), "JPY", "-0.5", nil},
					report.Row{"@SUM(A1)", order, "2026-05-04", "2026-05", int64(1), int64(-1), "KWD", nil, nil},
					report.Row{"\tSUM(A1)", order, "2026-05-05", "2026-05", int64(1), int64(1234567), "KWD", nil, nil},
					report.Row{"-12.34", order, "2026-05-05", "2026-05", nil, int64(9), "XTS", nil, nil},
					report.Row{"a \"quoted\", name\nin two lines\x00\x07", "", nil, nil, nil, nil, nil, nil, nil},
					report.Row{"\r=1", nil, "2026-05-06", "2026-05", int64(1200), nil, "EUR", nil, nil},
					report.Row{"＝1+1", nil, "somewhen", "soon", int64(-4), int64(0), "USD", "none", nil},
				),
				Notes: []string{"XTS is a currency nobody knows: smallest units."},
			},
			{
				Name:  "by_currency",
				Title: "By currency",
				Columns: []report.Column{
					{Name: "currency", Title: "currency"},
					{Name: "spent", Title: "spent", Kind: report.Money, Sum: true},
					{Name: "returned", Title: "returned", Kind: report.Money, Sum: true},
				},
				Rows: rows(
					report.Row{"USD", int64(-900000), int64(100)},
					report.Row{"USD", int64(-50), nil},
				),
			},
			{
				Name:    "none",
				Title:   "Failures",
				Columns: []report.Column{{Name: "reason", Title: "reason"}, {Name: "bills", Title: "bills", Kind: report.Count, Sum: true}},
				Empty:   "nothing failed",
			},
			{
				Name:  "two",
				Title: "Trade against out",
				Columns: []report.Column{
					{Name: "card", Title: "card", Kind: report.ID},
					{Name: "trade", Title: "amount", Kind: report.Money, Currency: 2, Sum: true},
					{Name: "trade_currency", Title: "cur."},
					{Name: "out", Title: "amount", Kind: report.Money, Currency: 4, Sum: true},
					{Name: "out_currency", Title: "CUR."},
					{Name: "bills", Title: "bills", Kind: report.Count, Sum: true},
					{Name: "difference", Title: "more", Kind: report.Count, Sum: true, Signed: true},
					{Name: "at", Title: "at", Kind: report.Time},
				},
				Rows: rows(
					report.Row{"1234", int64(1120), "EUR", int64(1234), "USD", int64(1), int64(2000), noon},
					report.Row{"0042", int64(999999999999999999), "JPY", int64(-5), "EUR", int64(2), int64(-1), report.At(time.Time{})},
					report.Row{"0042", int64(3), "JPY", int64(-5), nil, int64(1), int64(0), report.At(noon)},
					report.Row{"\xff", int64(1), "=1", int64(7), "-\xff", nil, nil, nil},
				),
			},
		},
	}
}

// broken is a report whose second part ends in an error after a row.
func broken() *report.Report {
	r := sample()
	whole := r.Parts[1].Rows
	r.Parts[1].Rows = func(row func(report.Row) error) error {
		if err := whole(row); err != nil {
			return err
		}
		return errMiddle
	}
	return r
}

package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"billsync/internal/report"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := report.WriteJSON(&b, sample(), ""); err != nil {
		t.Fatal(err)
	}
	if bytes.Count(b.Bytes(), []byte("\n")) != 1 {
		t.Errorf("WriteJSON wrote more than a line")
	}
	golden(t, "sample.json", indented(t, b.Bytes()))
	b.Reset()
	if err := report.WriteJSON(&b, sample(), "none"); err != nil {
		t.Fatal(err)
	}
	golden(t, "none.json", indented(t, b.Bytes()))
}

func indented(t *testing.T, doc []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, doc, "", " "); err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	return b.Bytes()
}

// A document that breaks off is one still, and says so.
func TestJSONBreaksOff(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := report.WriteJSON(&b, broken(), ""); !errors.Is(err, errMiddle) {
		t.Errorf("WriteJSON = %v, want %v", err, errMiddle)
	}
	golden(t, "broken.json", indented(t, b.Bytes()))
}

type fullDisk struct{ room int }

var errFull = errors.New("disk full")

func (f *fullDisk) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// A disk that is full ends the reading of rows soon, and is told.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	read := 0
	r := &report.Report{Parts: []report.Part{{Name: "p", Columns: []report.Column{{Name: "x"}}, Rows: func(row func(report.Row) error) error {
		for read = 0; read < 1_000_000; read++ {
			if err := row(report.Row{"some text"}); err != nil {
				return err
			}
		}
		return nil
	}}}}
	for name, write := range map[string]func() error{
		"csv":  func() error { return report.WriteCSV(&fullDisk{100_000}, r, "", report.CSVOptions{}) },
		"json": func() error { return report.WriteJSON(&fullDisk{100_000}, r, "") },
	} {
		if err := write(); !errors.Is(err, errFull) || read > 30_000 {
			t.Errorf("%s: %v after %d rows, want %v before all are read", name, err, read, errFull)
		}
	}
	if err := report.WriteWorkbook(&fullDisk{1000}, sample(), t.TempDir()); !errors.Is(err, errFull) {
		t.Errorf("xlsx: %v, want %v", err, errFull)
	}
	if err := report.WriteWorkbook(&fullDisk{1 << 20}, sample(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("xlsx without a folder for its rows: %v, want %v", err, fs.ErrNotExist)
	}
}

// The foot of every output is the sum of its rows, for each currency; a sum that
// cannot be held is an error.
func TestFootIsTheSum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		currency := rapid.SampledFrom([]string{"USD", "JPY", "KWD", ""})
		amount := rapid.OneOf(rapid.Int64Range(-1000, 1000), rapid.Int64(), rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, 0}))
		var list []report.Row
		want, holds := map[string]int64{}, true
		for range rapid.IntRange(0, 8).Draw(t, "rows") {
			c, v := currency.Draw(t, "currency"), amount.Draw(t, "amount")
			list = append(list, report.Row{any(c), v})
			old := want[c]
			want[c] += v
			if v > 0 && want[c] < old || v < 0 && want[c] > old {
				holds = false
			}
		}
		r := &report.Report{Parts: []report.Part{{Name: "p", Columns: []report.Column{{Name: "c"}, {Name: "x", Kind: report.Money, Sum: true}}, Rows: rows(list...)}}}
		var b bytes.Buffer
		err := report.WriteJSON(&b, r, "")
		var doc struct {
			Parts []struct {
				Foot []struct {
					Currency *string
					X        int64
				}
			}
			Complete bool
		}
		if e := json.Unmarshal(b.Bytes(), &doc); e != nil {
			t.Fatalf("%v in %s", e, b.Bytes())
		}
		if doc.Complete != holds || (err == nil) != holds {
			t.Fatalf("WriteJSON of %v = %v, complete %t; the sums can be held: %t", list, err, doc.Complete, holds)
		}
		if !holds {
			return
		}
		got := map[string]int64{}
		for _, f := range doc.Parts[0].Foot {
			c := ""
			if f.Currency != nil {
				c = *f.Currency
			}
			got[c] = f.X
		}
		if len(got) != len(want) {
			t.Fatalf("foot %v, want %v", got, want)
		}
		for c, v := range want {
			if got[c] != v {
				t.Fatalf("foot %v, want %v", got, want)
			}
		}
	})
}

package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"billsync/internal/report"
)

func TestText(t *testing.T) {
	t.Parallel()
	for file, o := range map[string]report.TextOptions{
		"sample.txt":   {},
		"terminal.txt": {Separators: true, Zone: time.FixedZone("", 8*3600)},
		"two.txt":      {Part: "two"},
	} {
		var b bytes.Buffer
		if err := report.WriteText(&b, sample(), o); err != nil {
			t.Errorf("WriteText(%+v) = %v", o, err)
		}
		golden(t, file, b.Bytes())
		if i := strings.IndexFunc(strings.ReplaceAll(b.String(), "\n", ""), func(r rune) bool { return r < ' ' }); i >= 0 {
			t.Errorf("%s has control characters", file)
		}
	}
	var b bytes.Buffer
	if err := report.WriteText(&b, broken(), report.TextOptions{}); !errors.Is(err, errMiddle) || b.Len() > 0 {
		t.Errorf("WriteText of rows that break off = %v and %q, want %v and nothing", err, b.String(), errMiddle)
	}
	var usage *report.UsageError
	if err := report.WriteText(&b, sample(), report.TextOptions{Part: "x"}); !errors.As(err, &usage) {
		t.Errorf("WriteText of an unknown part = %v, want a UsageError", err)
	}
}

// A long table is cut for people, and its sums are those of all rows.
func TestLongText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rows int
		want string
	}{
		{1000, ""},
		{1001, "1 more row; --csv, --json and --xlsx have all\n"},
		{3500, "2,500 more rows; --csv, --json and --xlsx have all\n"},
	} {
		r := &report.Report{Title: "long", Parts: []report.Part{{
			Name:    "p",
			Columns: []report.Column{{Name: "no"}, {Name: "n", Kind: report.Count, Sum: true}},
			Rows: func(row func(report.Row) error) error {
				for i := range tt.rows {
					if err := row(report.Row{fmt.Sprintf("r%d", i), int64(1000)}); err != nil {
						return err
					}
				}
				return nil
			},
		}}}
		var b bytes.Buffer
		if err := report.WriteText(&b, r, report.TextOptions{Separators: true}); err != nil {
			t.Fatal(err)
		}
		_, tail, _ := strings.Cut(b.String(), "\nr999 ")
		_, tail, _ = strings.Cut(tail, "\n")
		sum := report.Separated(fmt.Sprint(tt.rows * 1000))
		if want := "total  " + sum + "\n" + tt.want; tail != want {
			t.Errorf("%d rows end with %q after the thousandth, want %q", tt.rows, tail, want)
		}
	}
}

func TestSeparated(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "0": "0", "999": "999", "1000": "1,000", "-999": "-999", "-1000": "-1,000", "+1000000": "+1,000,000",
		"1234567.891": "1,234,567.891", "-0.05": "-0.05", "9223372036854775807": "9,223,372,036,854,775,807",
	} {
		if got := report.Separated(in); got != want {
			t.Errorf("Separated(%q) = %q, want %q", in, got, want)
		}
	}
}

// What others write into names and currencies can neither turn a line around nor
// push the columns beside it out of sight.
func TestTextOfOthers(t *testing.T) {
	t.Parallel()
	names := []string{"\x1b[31mred", "a\nb", "two\u2028lines", "\u202e00.1 DSU", "\u2066isolated\u2069", strings.Repeat("长", 20000), strings.Repeat("x", 60000)}
	r := &report.Report{Name: "r", Title: "R", Parts: []report.Part{{
		Name: "p", Columns: []report.Column{{Name: "name"}, {Name: "amount", Kind: report.Money, Currency: 2, Sum: true}, {Name: "currency"}},
		Rows: func(row func(report.Row) error) error {
			for _, name := range names {
				if err := row(report.Row{name, int64(1050), "US\x1b\u202e"}); err != nil {
					return err
				}
			}
			return nil
		},
	}}}
	var b bytes.Buffer
	if err := report.WriteText(&b, r, report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(strings.ReplaceAll(b.String(), "\n", ""), func(r rune) bool { return r < ' ' || strings.ContainsRune("\u2028\u202e\u2066\u2069", r) }); i >= 0 {
		t.Errorf("the table has control characters:\n%q", b.String())
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if want := 3 + len(names) + 1; len(lines) != want {
		t.Errorf("the table has %d lines, want %d", len(lines), want)
	}
	for _, line := range lines {
		if n := len([]rune(line)); n > 250 {
			t.Errorf("a line has %d characters, and begins with %.50s", n, line)
		}
	}
	if !strings.Contains(b.String(), strings.Repeat("长", 100)+"…  ") {
		t.Errorf("a name that was cut does not show it")
	}
	grid := report.NewGrid("name")
	grid.Row("a\x1b[31m\n\u202eb")
	if got := grid.String(); !strings.HasSuffix(got, "\na\ufffd[31m\ufffd\ufffdb\n") {
		t.Errorf("the grid is %q", got)
	}
}

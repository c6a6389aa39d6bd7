package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"billsync/internal/app"
	"billsync/internal/bill"
	"billsync/internal/config"
)

// number writes a count, with separators where a person reads it.
func (g *globals) number(n int) string {
	s := strconv.Itoa(n)
	if !isTerminal(g.stdout) {
		return s
	}
	return separated(s)
}

// separated puts a comma between thousands, in the part before a decimal point.
func separated(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, rest, _ := strings.Cut(s, ".")
	if rest != "" {
		rest = "." + rest
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + whole + rest
}

// plural writes a count with its noun.
func plural(n int, noun string, number func(int) string) string {
	if n != 1 {
		noun += "s"
	}
	return number(n) + " " + noun
}

// firstDay is the day a span of bill time begins with, as people in the
// report's zone read it. Spans begin two seconds early.
func firstDay(t time.Time, cfg *config.Config) string {
	return t.Add(bill.Lead).In(cfg.Report.Timezone).Format(time.DateOnly)
}

// days are the first and the last day of a span. One that ends in the future, or
// nowhere, goes on to now.
func (g *globals) days(s bill.Span, cfg *config.Config) string {
	last := "now"
	if !s.End.IsZero() && !s.End.After(g.now()) {
		last = s.End.In(cfg.Report.Timezone).Format(time.DateOnly)
	}
	return firstDay(s.Start, cfg) + " … " + last
}

// moment is a time as people in the report's zone read it.

func moment(t time.Time, cfg *config.Config) string {
	return t.In(cfg.Report.Timezone).Format("2006-01-02 15:04:05 -07:00")
}

// seconds is a duration as people read it.
func seconds(d time.Duration) string { return app.DurationText(d) }

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &u
}

// A grid is a plain table with columns of the right width for any script.
type grid struct{ w table.Writer }

func (g *globals) newTable(head ...string) *grid {
	w := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	w.SetStyle(style)
	row := make(table.Row, len(head))
	for i, h := range head {
		row[i] = h
	}
	w.AppendHeader(row)
	w.SuppressTrailingSpaces()
	return &grid{w}
}

// right aligns columns, counted from 1, to the right.
func (t *grid) right(columns ...int) {
	var cfg []table.ColumnConfig
	for _, c := range columns {
		cfg = append(cfg, table.ColumnConfig{Number: c, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.w.SetColumnConfigs(cfg)
}

func (t *grid) row(cells ...string) {
	row := make(table.Row, len(cells))
	for i, c := range cells {
		row[i] = c
	}
	t.w.AppendRow(row)
}

func (t *grid) String() string { return t.w.Render() + "\n" }

package main

import (
	"strconv"
	"time"

	"billsync/internal/app"
	"billsync/internal/bill"
	"billsync/internal/config"
	"billsync/internal/report"
)

// number writes a count, with separators where a person reads it.
func (g *globals) number(n int) string {
	s := strconv.Itoa(n)
	if !isTerminal(g.stdout) {
		return s
	}
	return report.Separated(s)
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
type grid struct{ g *report.Grid }

func (g *globals) newTable(head ...string) *grid { return &grid{report.NewGrid(head...)} }

// right aligns columns, counted from 1, to the right.
func (t *grid) right(columns ...int) { t.g.Right(columns...) }

func (t *grid) row(cells ...string) { t.g.Row(cells...) }

func (t *grid) String() string { return t.g.String() }

// printable makes control characters visible; see report.Printable.
func printable(s string) string { return report.Printable(s) }

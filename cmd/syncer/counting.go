package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"billsync/internal/config"
	"billsync/internal/report"
	"billsync/internal/verify"
)

// counted takes how many of how many spans are counted. The bar never gets
// full: what differs may yet be read again.
func (p *progress) counted(done, total int) {
	p.portion(done, total, "counting", fmt.Sprintf("%d of %d counted", done, total))
}

// exported takes how many of how many lines are written. The bar never gets full:
// files are then put in their places.
func (p *progress) exported(done, total int) {
	p.portion(done, total, "exporting", report.Separated(strconv.Itoa(done))+" of "+report.Separated(strconv.Itoa(total))+" lines")
}

// portion shows how much of something is done: what a log calls it, and the text
// beside the bar.
func (p *progress) portion(done, total int, doing, text string) {
	if p.bar != nil {
		p.text.Store(&text)
		p.bar.SetCurrent(min(p.scale-1, p.scale*int64(done)/int64(total)))
		return
	}
	if now := p.g.now(); now.Sub(p.last) >= logEvery {
		p.last = now
		p.g.log.Info().Int("done", done).Int("total", total).Msg(doing)
	}
}

// countCells are the columns that every table of counts has: what the API
// counts, what is stored, what of that is unreadable, and the difference.
func (g *globals) countCells(r *verify.Row) []string {
	api, diff := "", ""
	if r.Counted {
		api, diff = g.number(r.API), g.signed(r.Difference())
	}
	return []string{api, g.number(r.Stored), g.number(r.Unreadable), diff}
}

// signed writes a difference.
func (g *globals) signed(n int) string {
	if n > 0 {
		return "+" + g.number(n)
	}
	return g.number(n)
}

// momentOrNot writes a time that may be missing.
func momentOrNot(t time.Time, cfg *config.Config) string {
	if t.IsZero() {
		return ""
	}
	return moment(t, cfg)
}

func remarks(r *verify.Row) string { return strings.Join(r.Remarks(), "; ") }

// A rowJSON is a counted row for programs.
type rowJSON struct {
	Account    string     `json:"account"`
	Month      string     `json:"month,omitempty"`
	Windows    []int64    `json:"windows,omitempty"` // window_id; 0: the tail
	Tail       bool       `json:"tail,omitempty"`
	State      string     `json:"state,omitempty"`
	Start      time.Time  `json:"start"` // as counted
	End        time.Time  `json:"end"`
	Proved     bool       `json:"proved"`
	ProvedAt   *time.Time `json:"proved_at"`
	CountedAt  *time.Time `json:"counted_at"`
	API        *int       `json:"api_count"` // null: not counted
	Stored     int        `json:"stored"`
	Unreadable int        `json:"unreadable"`
	Difference *int       `json:"difference"`
	Differs    bool       `json:"differs"`
	Tolerance  int        `json:"tolerance"`
	Withdrawn  int        `json:"withdrawn"`
	Remarks    []string   `json:"remarks"`
}

func rowsJSON(res *verify.Result) []rowJSON {
	out := []rowJSON{}
	for _, r := range res.Rows() {
		x := rowJSON{
			Account: r.Account, Month: r.Month, Windows: r.Windows, Tail: r.Tail, State: string(r.State),
			Start: r.Span.Start.UTC(), End: r.Span.End.UTC(), Proved: r.Proved, ProvedAt: timeOrNil(r.ProvedAt),
			Stored: r.Stored, Unreadable: r.Unreadable, Differs: r.Differs(), Tolerance: r.Tolerance, Withdrawn: r.Withdrawn,
			Remarks: append([]string{}, r.Remarks()...),
		}
		if r.Counted {
			diff := r.Difference()
			x.API, x.Difference, x.CountedAt = &r.API, &diff, timeOrNil(r.CountedAt)
		}
		out = append(out, x)
	}
	return out
}

// A verdictJSON says for programs how it ended.
type verdictJSON struct {
	Code    int    `json:"code"` // the exit code
	Message string `json:"message,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

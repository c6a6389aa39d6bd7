package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// lineWidth is where notes are wrapped.
const lineWidth = 110

// print writes the report as a table.
func (r *report) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.machineLine())
	fmt.Fprintf(&b, "%-5s %-58s %14s %14s  %s\n", "goal", "", "figure", "goal", "")
	for i := range r.Goals {
		g := &r.Goals[i]
		fmt.Fprintf(&b, "%-5s %-58s %14s %14s  %s\n", g.Number, g.Name, g.figure(), g.limit(), g.verdict())
	}
	fmt.Fprintf(&b, "\n%-64s %14s %14s %8s\n", "beside the goals", "figure", "beside", "ratio")
	for _, f := range r.Beside {
		floor, ratio := f.columns()
		fmt.Fprintf(&b, "%-64s %14s %14s %8s\n", f.Name, inUnit(f.Unit, f.Value), floor, ratio)
	}
	b.WriteString("\n")
	for i := range r.Goals {
		if note := r.Goals[i].note(); note != "" {
			writeWrapped(&b, fmt.Sprintf("%-5s", r.Goals[i].Number), note)
		}
	}
	b.WriteString("\n")
	for _, n := range r.Notes {
		writeWrapped(&b, "- ", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *report) machineLine() string {
	return fmt.Sprintf("%d cores, %s, %s, SQLite %s, %s; measured in %.0f s", r.Cores, r.System, r.Go, r.SQLite, r.At, r.Seconds)
}

// figure is what was measured, with its unit.
func (g *goal) figure() string {
	if g.Missing != "" {
		return "-"
	}
	return inUnit(g.Unit, g.Value)
}

func (g *goal) limit() string {
	if g.AtMost {
		return "<= " + inUnit(g.Unit, g.Limit)
	}
	return ">= " + inUnit(g.Unit, g.Limit)
}

func (g *goal) verdict() string {
	verdict := "not reached"
	switch {
	case g.Missing != "":
		return "not measured: " + g.Missing
	case g.Reached:
		verdict = "reached"
	}
	if g.Fewer {
		verdict += ", with less than meant"
	}
	return verdict
}

// note is what explains the figure, with what each round said.
func (g *goal) note() string {
	note := g.Note
	if g.Missing == "" && len(g.Rounds) > 1 {
		var all []string
		for _, v := range g.Rounds {
			all = append(all, inUnit(g.Unit, v))
		}
		note = strings.TrimSpace(note + " Rounds: " + strings.Join(all, ", ") + ".")
	}
	return note
}

func (f *figure) columns() (floor, ratio string) {
	if f.Floor == 0 {
		return "-", "-"
	}
	return inUnit(f.Unit, f.Floor), fmt.Sprintf("%.2f", f.Ratio)
}

// printJSON writes the report as one document.
func (r *report) printJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// inUnit is a value with its unit.
func inUnit(unit string, v float64) string {
	switch unit {
	case secs:
		return fmt.Sprintf("%.2f s", v)
	case millis:
		return fmt.Sprintf("%.1f ms", v)
	case micros:
		if v >= 1000 {
			return fmt.Sprintf("%.1f ms", v/1000)
		}
		return fmt.Sprintf("%.1f µs", v)
	case megabytes, byteCount:
		return thousands(v) + " " + unit
	case perSecond:
		return thousands(v) + "/s"
	case requests:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	}
	return strings.TrimSpace(fmt.Sprintf("%.2f %s", v, unit))
}

// thousands is a whole number with commas.
func thousands(v float64) string {
	s := strconv.FormatInt(int64(math.Round(v)), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// writeWrapped writes a text behind a mark, in lines that begin below each other.
func writeWrapped(b *strings.Builder, mark, text string) { writeWrappedAt(b, mark, text, lineWidth) }

func writeWrappedAt(b *strings.Builder, mark, text string, width int) {
	for _, line := range wrap(text, width-len(mark)) {
		b.WriteString(mark + line + "\n")
		mark = strings.Repeat(" ", len(mark))
	}
}

// wrap breaks a text into lines of at most so many characters.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

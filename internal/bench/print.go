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
const lineWidth = 100

// print writes the report as a table.
func (r *report) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "syncer, %s bills, %d cores, %s, %s, SQLite %s\n", thousands(float64(r.Bills)), r.Cores, r.System, r.Go, r.SQLite)
	fmt.Fprintf(&b, "medians of up to %d rounds; what was measured with %s bills was measured once\n", r.Rounds, thousands(float64(r.LargeBills)))
	for _, s := range r.Sections {
		fmt.Fprintf(&b, "\n%-52s %14s %14s %8s\n", s.Title, "figure", "floor", "ratio")
		for _, f := range s.Figures {
			floor, ratio := "-", "-"
			if f.Floor != 0 {
				floor, ratio = f.text(f.Floor), fmt.Sprintf("%.2f", f.Ratio)
			}
			fmt.Fprintf(&b, "  %-50s %14s %14s %8s\n", f.Name, f.text(f.Value), floor, ratio)
		}
		for _, line := range wrap(s.Note, lineWidth-4) {
			b.WriteString("    " + line + "\n")
		}
	}
	fmt.Fprintf(&b, "\nmeasured in %.0f s\n", r.Seconds)
	_, err := io.WriteString(w, b.String())
	return err
}

// printJSON writes the report as one document.
func (r *report) printJSON(w io.Writer) error {
	for i := range r.Sections {
		s := &r.Sections[i]
		s.Note = strings.Join(strings.Fields(s.Note), " ")
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// text is a value of a figure with its unit.
func (f figure) text(v float64) string {
	switch f.Unit {
	case secs:
		return fmt.Sprintf("%.2f s", v)
	case micros:
		if v >= 1000 {
			return fmt.Sprintf("%.1f ms", v/1000)
		}
		return fmt.Sprintf("%.1f µs", v)
	case megabytes:
		return fmt.Sprintf("%.0f MB", v)
	case perSecond:
		return thousands(v) + "/s"
	}
	return thousands(v)
}

// thousands is a whole number with commas.
func thousands(v float64) string {
	s := strconv.FormatInt(int64(math.Round(v)), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
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

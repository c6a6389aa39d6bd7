package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// markdownLine is where the document's paragraphs are wrapped.
const markdownLine = 120

// writeMarkdown writes the report as the project's document about its speed.
func (r *report) writeMarkdown(path, command string) error {
	var b strings.Builder
	paragraph := func(mark, text string) { writeWrappedAt(&b, mark, text, markdownLine) }
	b.WriteString("# How fast it is\n\n")
	paragraph("", fmt.Sprintf("Made by `%s`, which writes this file; do not edit it. `make bench` measures the same and prints it, "+
		"`make bench-quick` does so with fewer bills in less than a minute. All they need is Go and a C compiler; with `python3` "+
		"there is one comparison more. Times are compared only with what was measured in the same run.", command))
	fmt.Fprintf(&b, "\nThis run: %s.\n\n", r.machineLine())
	b.WriteString("## Goals\n\n| # | What | Figure | Goal | |\n|---|---|---|---|---|\n")
	for i := range r.Goals {
		g := &r.Goals[i]
		verdict := g.verdict()
		if !g.Reached && g.Missing == "" {
			verdict = "**" + verdict + "**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", g.Number, g.Name, g.figure(), g.limit(), verdict)
	}
	b.WriteString("\nWhat is behind the figures:\n\n")
	for i := range r.Goals {
		if note := r.Goals[i].note(); note != "" {
			paragraph("* ", r.Goals[i].Number+": "+note)
		}
	}
	b.WriteString("\n## Beside the goals\n\n| What | Figure | Beside | Ratio |\n|---|---|---|---|\n")
	for _, f := range r.Beside {
		floor, ratio := f.columns()
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", f.Name, inUnit(f.Unit, f.Value), floor, ratio)
	}
	b.WriteString("\n## How it was measured\n\n")
	for _, n := range r.Notes {
		paragraph("* ", n)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/config"
	"billsync/internal/report"
)

// outputFlags gives a report the flags that say how it is written. What they hold
// is complete after checkOutput.
func outputFlags(cmd *cobra.Command) *report.Output {
	o := new(report.Output)
	f := cmd.Flags()
	f.BoolVar(&o.CSV, "csv", false, "comma-separated values, times in UTC")
	f.StringVar(&o.XLSX, "xlsx", "", "write a workbook to `FILE`, a sheet for each part")
	f.StringVar(&o.Part, "part", "", "only this `PART` of the report; --csv has room for one: else the first")
	f.BoolVar(&o.Plain, "plain", false, "with --csv, for programs: no sums at the foot, no ' in front of what looks like a formula")
	f.BoolVar(&o.BOM, "bom", false, "with --csv: a mark by which Excel sees that it is UTF-8")
	f.BoolVar(&o.CRLF, "crlf", false, "with --csv: lines end with CR LF")
	f.BoolVar(&o.Force, "force", false, "with --xlsx: replace the file if it is there")
	if err := cmd.MarkFlagFilename("xlsx", "xlsx"); err != nil {
		panic(err) // the flag is there
	}
	return o
}

// checkOutput reports what is wrong with how a report is asked for, before any
// work.
func (g *globals) checkOutput(cmd *cobra.Command, o *report.Output) error {
	o.JSON = g.json
	for _, name := range []string{"xlsx", "part"} {
		if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
			return usagef(fmt.Sprintf("%q shows what is allowed", cmd.CommandPath()+" --help"), "--%s is empty", name)
		}
	}
	return o.Validate()
}

// reportApp returns the App that makes a report, if the workbook that is asked for
// replaces nothing that the program lives from.
func (g *globals) reportApp(cmd *cobra.Command, o *report.Output) (*app.App, *config.Config, error) {
	a, cfg, err := g.app(cmd)
	if err != nil || o.XLSX == "" {
		return a, cfg, err
	}
	err = a.Spare(o.XLSX)
	if err == nil {
		err = report.Writable(o.XLSX)
	}
	if err != nil {
		return nil, nil, errors.Join(err, a.Close())
	}
	return a, cfg, nil
}

// writeReport writes a report as it is asked for, and says where a workbook is.
func (g *globals) writeReport(r *report.Report, o *report.Output) error {
	// Reports have time, and should not take more memory the longer they are; a sync
	// lets more garbage pile up.
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	out := &begun{w: g.stdout}
	err := o.Write(out, r, report.TextOptions{Separators: isTerminal(g.stdout), Zone: g.zone})
	g.summed = g.summed || o.JSON && out.any // the document says how it ended
	if err != nil || o.XLSX == "" || g.quiet {
		return err
	}
	path, err := filepath.Abs(o.XLSX)
	if err != nil {
		path = o.XLSX
	}
	return g.print(fmt.Sprintf("%s: %s written\n", near(path), r.Title))
}

// begun knows whether something was written.
type begun struct {
	w   io.Writer
	any bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.any = true
	return b.w.Write(p)
}

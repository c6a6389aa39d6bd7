package report

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// An Output is how a report is asked for: the flags that all reports share. With
// none it is a table for people.
type Output struct {
	CSV, JSON bool
	XLSX      string // the file of the workbook
	Part      string // only this part
	Plain     bool   // of CSV; see CSVOptions
	BOM       bool
	CRLF      bool
	Force     bool // replace the file
}

// Validate reports what does not go together, and a file that cannot be written,
// before any work is done. The error is a UsageError.
func (o Output) Validate() error {
	var forms []string
	for _, f := range []struct {
		is   bool
		flag string
	}{{o.CSV, "--csv"}, {o.JSON, "--json"}, {o.XLSX != "", "--xlsx"}} {
		if f.is {
			forms = append(forms, f.flag)
		}
	}
	if len(forms) > 1 {
		return &UsageError{strings.Join(forms, " and ") + " do not go together", "choose one of them"}
	}
	for _, f := range []struct {
		is   bool
		flag string
	}{{o.Plain, "--plain"}, {o.BOM, "--bom"}, {o.CRLF, "--crlf"}} {
		if f.is && !o.CSV {
			return &UsageError{f.flag + " goes with --csv", "other outputs have one form only"}
		}
	}
	if o.XLSX == "" {
		if o.Force {
			return &UsageError{"--force goes with --xlsx", "no other output is a file; a shell replaces one with > FILE"}
		}
		return nil
	}
	if o.Part != "" {
		return &UsageError{"--part does not go with --xlsx", "a workbook has a sheet for each part"}
	}
	if !strings.EqualFold(filepath.Ext(o.XLSX), ".xlsx") {
		return &UsageError{fmt.Sprintf("--xlsx %s: the name of a workbook ends with .xlsx", o.XLSX), "spreadsheets go by it; such as --xlsx report.xlsx"}
	}
	return free(o.XLSX, o.Force)
}

// Write writes a report as it was asked for: a workbook to its file, else to w.
func (o Output) Write(w io.Writer, r *Report, text TextOptions) error {
	switch {
	case o.XLSX != "":
		return WriteXLSX(o.XLSX, r, o.Force)
	case o.JSON:
		return WriteJSON(w, r, o.Part)
	case o.CSV:
		return WriteCSV(w, r, o.Part, CSVOptions{Plain: o.Plain, BOM: o.BOM, CRLF: o.CRLF})
	}
	text.Part = o.Part
	return WriteText(w, r, text)
}

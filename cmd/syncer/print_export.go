package main

import (
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"billsync/internal/app"
	"billsync/internal/bill"
	"billsync/internal/config"
)

func mapKeys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

// export exports, and says what was written.
func (g *globals) export(cmd *cobra.Command, a *app.App, cfg *config.Config, f *exportFlags, args []string) error {
	o, err := f.options(cmd, cfg, args)
	if err != nil {
		return err
	}
	// As with reports: no more memory the longer they are.
	defer debug.SetGCPercent(debug.SetGCPercent(200))
	end := func() {}
	if o.Output != "" || !flows(o.Format) || !isTerminal(g.stdout) { // else the lines would run through the bar
		bar := g.newProgress(cfg.Log)
		a.SetLog(g.log)
		o.Progress, end = bar.exported, bar.end
	}
	r, err := a.Export(cmd.Context(), o, g.stdout)
	end()
	switch {
	case err != nil:
		return err
	case g.json:
		return g.printJSON(newExportJSON(&o, &r))
	case g.quiet && !o.Dry: // what would be written is what was asked for
		return nil
	case len(r.Files) > 0:
		return g.print(g.exported(&o, &r))
	case r.Resumed && r.Lines == 0:
		return g.print(fmt.Sprintf("batch %d was interrupted before its lines were all noted: it would be written\n", r.Batch.ID))
	case r.Resumed:
		return g.print(fmt.Sprintf("batch %d was interrupted: its %s would be written again\n", r.Batch.ID, plural(r.Lines, "line", g.number)))
	case r.Lines == 0 && o.New:
		return g.print(fmt.Sprintf("nothing is new for %s\n", o.Target))
	case r.Lines > 0: // on standard output
		return nil
	case o.Dry:
		return g.print("nothing to export\n")
	case o.Output == "" && flows(o.Format):
		g.note("nothing to export")
		return nil
	case o.Force:
		return g.print("nothing to export: no file was written, and none replaced\n")
	}
	return g.print("nothing to export: no file was written\n")
}

// exported lists the files of an export.
func (g *globals) exported(o *app.ExportOptions, r *app.ExportResult) string {
	t := g.newTable("file", "account", "currency", "lines", "sum", "bytes")
	t.right(4, 5, 6)
	for i := range r.Files {
		file := &r.Files[i]
		sum, size := "", ""
		if file.Currency != "" && (file.Sum != 0 || !o.Dry) {
			sum = g.decimal(bill.Amount{Currency: file.Currency, Value: file.Sum})
		}
		if !o.Dry {
			size = g.number(int(file.Bytes))
		}
		t.row(printable(file.Path), file.Account, file.Currency, g.number(file.Lines), sum, size)
	}
	word := "written"
	if o.Dry {
		word = "would be written"
	}
	text := t.String() + fmt.Sprintf("%s in %s %s\n", plural(r.Lines, "line", g.number), plural(len(r.Files), "file", g.number), word)
	switch {
	case r.Batch == nil:
	case o.Repeat != 0 && !r.Resumed:
		text += fmt.Sprintf("batch %d again, byte for byte\n", r.Batch.ID)
	case r.Resumed:
		text += fmt.Sprintf("batch %d to %s, which had been interrupted; what is new since is not in it\n", r.Batch.ID, printable(r.Batch.Target))
	default:
		text += fmt.Sprintf("batch %d to %s; \"syncer export --repeat %d -o PLACE\" writes it again\n", r.Batch.ID, printable(r.Batch.Target), r.Batch.ID)
	}
	return text
}

type exportJSON struct {
	Type   string           `json:"type"`
	Format string           `json:"format"`
	DryRun bool             `json:"dry_run"`
	Batch  int64            `json:"batch,omitempty"`
	Target string           `json:"target,omitempty"`
	Again  bool             `json:"resumed"`
	Lines  int              `json:"lines"`
	Files  []exportFileJSON `json:"files"`
}

type exportFileJSON struct {
	File       string `json:"file"`
	Account    string `json:"account,omitempty"`
	Currency   string `json:"currency,omitempty"`
	Lines      int    `json:"lines"`
	Sum        *int64 `json:"sum,omitempty"`
	SumDecimal string `json:"sum_decimal,omitempty"`
	Bytes      int64  `json:"bytes,omitempty"`
	SHA256     string `json:"sha256,omitempty"`
}

func newExportJSON(o *app.ExportOptions, r *app.ExportResult) exportJSON {
	out := exportJSON{Type: "export", Format: o.Format, DryRun: o.Dry, Again: r.Resumed, Lines: r.Lines, Files: []exportFileJSON{}}
	if r.Batch != nil {
		out.Batch, out.Target, out.Format = r.Batch.ID, r.Batch.Target, r.Batch.Format
	}
	for i := range r.Files {
		f := &r.Files[i]
		path, err := filepath.Abs(f.Path)
		if err != nil || f.Path == "" {
			path = f.Path
		}
		x := exportFileJSON{File: path, Account: f.Account, Currency: f.Currency, Lines: f.Lines, Bytes: f.Bytes, SHA256: f.SHA256}
		if f.Currency != "" && !o.Dry {
			x.Sum, x.SumDecimal = &f.Sum, bill.Amount{Currency: f.Currency, Value: f.Sum}.Decimal()
		}
		out.Files = append(out.Files, x)
	}
	return out
}

type batchJSON struct {
	Batch     int64            `json:"batch"`
	Target    string           `json:"target"`
	Format    string           `json:"format"`
	State     string           `json:"state"`
	CreatedAt time.Time        `json:"created_at"`
	DoneAt    *time.Time       `json:"done_at"`
	Accounts  []string         `json:"accounts"`
	From      string           `json:"from,omitempty"`
	To        string           `json:"to,omitempty"`
	Card      string           `json:"card,omitempty"`
	Lines     int              `json:"lines"`
	Files     []exportFileJSON `json:"files"`
}

// listExports shows the batches.
func (g *globals) listExports(cmd *cobra.Command, a *app.App, cfg *config.Config) error {
	list, err := a.Exports(cmd.Context())
	if err != nil {
		return err
	}
	if g.json {
		out := struct {
			Type    string      `json:"type"`
			Batches []batchJSON `json:"batches"`
		}{"exports", []batchJSON{}}
		for i := range list {
			b := &list[i]
			x := batchJSON{b.ID, b.Target, b.Format, b.State, b.CreatedAt.UTC(), timeOrNil(b.DoneAt), append([]string{}, b.Filter.Accounts...), b.Filter.From, b.Filter.To,
				b.Filter.Card, b.Lines, []exportFileJSON{}}
			for _, f := range b.Files {
				x.Files = append(x.Files, exportFileJSON{File: f.Name, Lines: f.Lines, Bytes: f.Bytes, SHA256: f.SHA256})
			}
			out.Batches = append(out.Batches, x)
		}
		return g.printJSON(out)
	}
	if len(list) == 0 {
		return g.print("no export is remembered; \"syncer export FORMAT --new -o PLACE\" makes one that is\n")
	}
	t := g.newTable("batch", "target", "format", "made", "of", "lines", "files", "state")
	t.right(1, 6, 7)
	for i := range list {
		b := &list[i]
		state := "done"
		if b.DoneAt.IsZero() {
			state = fmt.Sprintf("interrupted: \"syncer export --repeat %d -o PLACE\" finishes it", b.ID)
		}
		t.row(fmt.Sprint(b.ID), printable(b.Target), b.Format, moment(b.CreatedAt, cfg), printable(narrowed(b.Filter.Accounts, b.Filter.From, b.Filter.To, b.Filter.Card)),
			g.number(b.Lines), g.number(len(b.Files)), state)
	}
	return g.print(t.String())
}

// narrowed says what an export was limited to.
func narrowed(accounts []string, from, to, card string) string {
	var parts []string
	switch {
	case from != "" && from == to:
		parts = append(parts, from)
	case from != "" && to != "":
		parts = append(parts, from+" to "+to)
	case from != "":
		parts = append(parts, "since "+from)
	case to != "":
		parts = append(parts, "until "+to)
	}
	if len(accounts) > 0 {
		parts = append(parts, strings.Join(accounts, ", "))
	}
	if card != "" {
		parts = append(parts, "card "+card)
	}
	if len(parts) == 0 {
		return "all"
	}
	return strings.Join(parts, "; ")
}

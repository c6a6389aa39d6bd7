package app

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"

	"billsync/internal/export"
	"billsync/internal/report"
	"billsync/internal/store"
)

// Buffers of files that are written at the same time: all of them together, and the
// least and the most for one.
const (
	allBuffers = 8 << 20
	minBuffer  = 4 << 10
	maxBuffer  = 64 << 10
)

// fewFiles is how many files stay open while others are written.
const fewFiles = 100

// writeParts writes all files at the same time: the lines come by day, whatever
// account and currency they are of, because sorting them would take longer than all
// the rest.
func (x *exporter) writeParts(t *store.Tx, parts []part, dir string, files *report.Files) error {
	files.Frugal = len(x.statements) > fewFiles
	all := make([]*partWriter, 0, len(x.statements))
	of := map[[2]string]*partWriter{}
	for rest := parts; len(rest) > 0; {
		w := &partWriter{x: x, dir: dir, files: files}
		n := 1
		for n < len(rest) && &rest[n].statements[0] == &rest[0].statements[0] {
			n++
		}
		w.parts, rest = rest[:n], rest[n:]
		all = append(all, w)
		if !x.layout.Whole {
			s := &w.parts[0].statements[0]
			of[[2]string{s.Account, s.Currency}] = w
		}
	}
	err := t.ExportLines(&x.choice, func(l *store.ExportLine) error {
		x.tick()
		w := all[0]
		if !x.layout.Whole {
			if w = of[[2]string{l.Account, l.Amount.Currency}]; w == nil {
				return fmt.Errorf("a line of %s in %s: what was counted is not what was read", l.Account, l.Amount.Currency)
			}
		}
		return w.line(l)
	})
	if err != nil {
		return err
	}
	for _, w := range all {
		if err := w.end(); err != nil {
			return err
		}
		for i := range w.made {
			x.result.Lines += w.made[i].Lines
		}
		x.result.Files = append(x.result.Files, w.made...)
	}
	return nil
}

// A partWriter writes the files of a statement, one after the other, or the one of
// all of them.
type partWriter struct {
	x     *exporter
	parts []part // that are still to come; the first is being written if out is set
	dir   string
	files *report.Files
	file  *report.File
	out   export.Writer
	now   ExportedFile // what out writes
	made  []ExportedFile
	text  export.Line
}

func (w *partWriter) line(l *store.ExportLine) error {
	if w.out != nil && w.now.Lines == w.parts[0].lines {
		if err := w.close(); err != nil {
			return err
		}
	}
	if w.out == nil {
		if err := w.begin(); err != nil {
			return err
		}
	}
	w.now.Lines++
	if !w.x.layout.Whole {
		if err := store.Add(&w.now.Sum, l.Amount.Value); err != nil {
			return err
		}
	}
	fillLine(&w.text, l)
	return w.out.Line(&w.text)
}

func (w *partWriter) begin() (err error) {
	if len(w.parts) == 0 {
		return errors.New("more lines than were counted")
	}
	p := &w.parts[0]
	if w.file, err = w.files.Create(p.name); err != nil {
		return err
	}
	w.now = ExportedFile{Path: filepath.Join(w.dir, p.name)}
	if !w.x.layout.Whole {
		w.now.Account, w.now.Currency = p.statements[0].Account, p.statements[0].Currency
	}
	w.out, err = w.x.layout.Open(w.file, w.x.o.Options, w.x.head(p))
	return err
}

func (w *partWriter) close() error {
	if err := w.out.Close(); err != nil {
		return err
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	if want := w.parts[0].lines; w.now.Lines != want {
		return fmt.Errorf("%s has %d lines, %d were counted", w.file.Name, w.now.Lines, want)
	}
	w.now.Bytes, w.now.SHA256 = w.file.Bytes, hex.EncodeToString(w.file.Hash())
	w.made = append(w.made, w.now)
	w.parts, w.out = w.parts[1:], nil
	return nil
}

// end ends the last file, once there are no more lines.
func (w *partWriter) end() error {
	if w.out != nil {
		if err := w.close(); err != nil {
			return err
		}
	}
	if len(w.parts) > 0 {
		return fmt.Errorf("there are no lines for %s: what was counted is not what was read", w.parts[0].name)
	}
	return nil
}

// fillLine makes a posting one for the layouts.
func fillLine(to *export.Line, l *store.ExportLine) {
	*to = export.Line{
		ID: l.LineID, Kind: l.Kind, Amount: l.Amount, Date: l.Date, Effect: l.Effect, At: l.At, Account: l.Account, OrderNo: l.OrderNo,
		Status: l.Status, Merchant: l.Merchant, AssetID: l.AssetID, CardLast4: l.CardLast, Trade: l.Trade,
	}
}

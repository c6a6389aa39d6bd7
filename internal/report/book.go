package report

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/xuri/excelize/v2"
)

// maxRows is how many rows Excel has on a sheet.
const maxRows = excelize.TotalRows

// WriteWorkbook writes a report as a workbook (XLSX): a sheet that says what it is
// about, then one for each part, or several where the rows of a part are too many
// for one. Amounts, counts and days are real numbers and days; the sums at the foot
// are formulas, with the exact sums below them and the difference. Texts are texts,
// whatever they begin with, and stay so when somebody edits the cell; they need no '
// in front, and a ' would change what is copied from here.
//
// Rows are kept in temp, a folder for files that the caller removes: no more than
// some 32 MB of a part are in memory. The same report gives the same bytes.
func WriteWorkbook(w io.Writer, r *Report, temp string) error {
	return writeWorkbook(w, r, temp, maxRows)
}

func writeWorkbook(w io.Writer, r *Report, temp string, rows int) (err error) {
	for i := range r.Parts {
		if err := r.Parts[i].check(); err != nil {
			return err
		}
	}
	b := &book{
		f:      excelize.NewFile(excelize.Options{TmpDir: temp}),
		rows:   rows,
		sheets: names{},
		tables: names{},
		styles: map[style]int{},
	}
	defer func() { err = errors.Join(err, b.f.Close()) }()
	about := b.sheets.sheetName("About")
	if err := b.f.SetSheetName("Sheet1", about); err != nil {
		return err
	}
	for i := range r.Parts {
		if err := b.part(&r.Parts[i]); err != nil {
			return err
		}
	}
	if err := b.about(about, r); err != nil {
		return err
	}
	if err := b.properties(r); err != nil {
		return err
	}
	return b.save(w, temp)
}

// A book is a workbook while it is made.
type book struct {
	f      *excelize.File
	rows   int // on a sheet, at most
	sheets names
	tables names
	styles map[style]int
	index  []listed
	notes  [][2]string // of which sheet, and what
}

// A listed sheet is a line on the first one.
type listed struct {
	sheet, title string
	rows         int
}

// properties are those of the file. They are fixed, or the same report would be
// other bytes tomorrow.
func (b *book) properties(r *Report) error {
	const day = "2000-01-01T00:00:00Z"
	return errors.Join(
		b.f.SetDocProps(&excelize.DocProperties{Title: Printable(r.Title), Creator: "syncer", LastModifiedBy: "syncer", Created: day, Modified: day}),
		b.f.SetAppProps(&excelize.AppProperties{Application: "syncer"}),
	)
}

// save writes the zip file. The library would make it in memory.
func (b *book) save(w io.Writer, temp string) error {
	s, err := newSpool(w, temp)
	if err != nil {
		return err
	}
	b.f.SetZipWriter(func(io.Writer) excelize.ZipWriter { return s })
	return errors.Join(b.f.Write(io.Discard), s.disk.Close())
}

// sheet begins a sheet whose rows come one by one.
func (b *book) sheet(name string) (*excelize.StreamWriter, error) {
	yes, landscape, paper, wide, high := true, "landscape", 9, 1, 0 // A4; as many pages high as it takes
	if index, err := b.f.GetSheetIndex(name); err != nil {
		return nil, err
	} else if index < 0 {
		if _, err := b.f.NewSheet(name); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(
		b.f.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &yes}),
		b.f.SetPageLayout(name, &excelize.PageLayoutOptions{Orientation: &landscape, Size: &paper, FitToWidth: &wide, FitToHeight: &high}),
		b.f.SetHeaderFooter(name, &excelize.HeaderFooterOptions{OddFooter: "&L&A&R&P / &N"}),
	); err != nil {
		return nil, err
	}
	return b.f.NewStreamWriter(name)
}

// aboutWidth is the width of the column with texts on the first sheet, in letters;
// lineHeight is how high a line in it is, in points.
const (
	aboutWidth = 90
	lineHeight = 15
)

// about writes the first sheet, when all that is to be said is known.
func (b *book) about(name string, r *Report) error {
	sw, err := b.sheet(name)
	if err != nil {
		return err
	}
	if err := errors.Join(sw.SetColWidth(1, 1, 26), sw.SetColWidth(2, 2, aboutWidth), sw.SetColWidth(3, 3, 12)); err != nil {
		return err
	}
	a := &aboutSheet{b: b, sw: sw}
	a.line(style{bold: true, size: 14}, r.Title)
	a.gap()
	for _, f := range r.About {
		a.line(style{}, f.Label, f.Text)
	}
	a.gap()
	a.line(style{bold: true, rule: true}, "sheet", "what is in it", "rows")
	for _, l := range b.index {
		a.line(style{}, l.sheet, l.title, l.rows)
	}
	if len(r.Notes)+len(b.notes) > 0 {
		a.gap()
		a.line(style{bold: true, rule: true}, "notes on", "", "")
	}
	for _, note := range r.Notes {
		a.line(style{}, "all", note)
	}
	for _, note := range b.notes {
		a.line(style{}, note[0], note[1])
	}
	if a.err != nil {
		return a.err
	}
	return sw.Flush()
}

// An aboutSheet is the first sheet while it is written.
type aboutSheet struct {
	b   *book
	sw  *excelize.StreamWriter
	row int
	err error // the first there was
}

func (a *aboutSheet) gap() { a.row++ }

// line writes texts, and counts, into the next row.
func (a *aboutSheet) line(s style, cells ...any) {
	a.row++
	row := make([]any, len(cells))
	var height []excelize.RowOpts
	for i, cell := range cells {
		s := s
		if n, ok := cell.(int); ok {
			s.format, s.right = countFormat, true
			row[i] = a.cell(s, n)
			continue
		}
		s.format, s.wrap, s.right = textFormat, i == 1, i == 2
		said, _ := cellText(fmt.Sprint(cell))
		row[i] = a.cell(s, said)
		// Not every program makes room by itself for a text of several lines; words
		// that do not fit leave a tenth of a line empty.
		if n := text.StringWidthWithoutEscSequences(said)/(aboutWidth*9/10) + 1; s.wrap && n > 1 {
			height = []excelize.RowOpts{{Height: min(float64(n*lineHeight), excelize.MaxRowHeight)}}
		}
	}
	if a.err == nil {
		a.err = a.sw.SetRow("A"+strconv.Itoa(a.row), row, height...)
	}
}

func (a *aboutSheet) cell(s style, value any) excelize.Cell {
	id, err := a.b.style(s)
	if a.err == nil {
		a.err = err
	}
	return excelize.Cell{StyleID: id, Value: value}
}

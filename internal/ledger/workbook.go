package ledger

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/xuri/excelize/v2"
)

// most is how many bytes a workbook may have, unpacked.
const most = 2 << 30

const saveAnew = "save it anew as .xlsx, without a password, or as CSV"

// workbook reads a sheet.
func (r *reader) workbook(data []byte) error {
	if err := sound(data); err != nil {
		return err
	}
	const inMemory = 64 << 20
	f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{RawCellValue: true, UnzipSizeLimit: most, UnzipXMLSizeLimit: inMemory})
	if err != nil {
		return &Error{"the workbook cannot be opened: " + err.Error(), saveAnew}
	}
	defer func() { _ = f.Close() }()
	sheet, err := r.sheetOf(f.GetSheetList())
	if err != nil {
		return err
	}
	r.sheet, r.b.Form = true, "XLSX, sheet "+sheet
	if list := f.GetSheetList(); len(list) > 1 {
		r.others = "--sheet says which of the sheets " + strings.Join(list, ", ") + "; "
	}
	if props, err := f.GetWorkbookProps(); err == nil && props.Date1904 != nil {
		r.since1904 = *props.Date1904
	}
	unreadable := func(err error) error {
		return &Error{"the sheet " + sheet + " cannot be read: " + err.Error(), saveAnew}
	}
	rows, err := f.Rows(sheet)
	if err != nil {
		return unreadable(err)
	}
	defer func() { _ = rows.Close() }()
	for n := 1; rows.Next(); n++ {
		cells, err := rows.Columns(excelize.Options{RawCellValue: true})
		if err != nil {
			return unreadable(err)
		}
		if err := r.take(n, cells); err != nil {
			return err
		}
	}
	if err := rows.Error(); err != nil {
		return unreadable(err)
	}
	return nil
}

// sheetOf is the sheet that is asked for, the first if none is.
func (r *reader) sheetOf(sheets []string) (string, error) {
	if len(sheets) == 0 {
		return "", &Error{"the workbook has no sheets", "name another file"}
	}
	if r.o.Sheet == "" {
		return sheets[0], nil
	}
	for _, s := range sheets {
		if strings.EqualFold(s, r.o.Sheet) {
			return s, nil
		}
	}
	return "", &Error{fmt.Sprintf("the workbook has no sheet %q", r.o.Sheet), "its sheets are: " + strings.Join(sheets, ", ")}
}

// sound finds out whether a file that begins as a workbook is one, and whole: the
// library takes the rows up to where a sheet breaks off for all that there are. The
// error is an Error.
func sound(data []byte) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return &Error{"the workbook is damaged, or only a part of it: its end is missing", "copy it again, or " + saveAnew}
	}
	if what := otherThan(z.File); what != "" {
		return &Error{"the ledger is " + what, saveAnew}
	}
	size := uint64(0)
	for _, part := range z.File {
		if size += part.UncompressedSize64; size > most || part.UncompressedSize64 > most {
			return &Error{"the workbook is too large: unpacked it has more than 2 GiB", "export a shorter period, or save it as CSV"}
		}
		if ext := strings.ToLower(path.Ext(part.Name)); (ext == ".xml" || ext == ".rels") && !whole(part) {
			return &Error{fmt.Sprintf("the workbook is damaged: %q in it cannot be read", part.Name), "copy it again, or " + saveAnew}
		}
	}
	return nil
}

// otherThan says what a zip file is that is no workbook.
func otherThan(parts []*zip.File) string {
	what := "a zip file with no workbook in it"
	for _, part := range parts {
		name := strings.ToLower(strings.ReplaceAll(part.Name, "\\", "/"))
		book := strings.HasPrefix(path.Base(name), "workbook")
		switch {
		case book && path.Ext(name) == ".xml":
			return ""
		case book && path.Ext(name) == ".bin":
			return "a workbook of another kind (.xlsb)"
		case strings.HasPrefix(name, "word/"):
			return "a text document (.docx)"
		case strings.HasPrefix(name, "ppt/"):
			return "a presentation (.pptx)"
		case name == "mimetype":
			what = "a document of another kind, such as .ods"
		case strings.HasPrefix(name, "index/") && strings.HasSuffix(name, ".iwa"):
			return "a document of Numbers or Pages"
		}
	}
	return what
}

// space is what XML takes for space.
const space = " \r\n\t"

// whole reports whether a part of a workbook is there to its end: its first element
// is closed by what stands last. Parts that say nothing of sheets are others' own, and
// some programs leave them empty: of these only the checksum has to be right.
func whole(part *zip.File) bool {
	r, err := part.Open()
	if err != nil {
		return false
	}
	defer r.Close()
	const room = 64 << 10
	head, err := io.ReadAll(io.LimitReader(r, room))
	if err != nil {
		return false
	}
	end := tail{keep: bytes.Clone(head)}
	if _, err := io.Copy(&end, r); err != nil { // or its checksum is another
		return false
	}
	if top, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(part.Name, "\\", "/")), "/"); top == "customxml" || top == "docprops" {
		return true
	}
	if !bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), space), []byte("<")) {
		return bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) // UTF-16 is left to the library
	}
	d := xml.NewDecoder(bytes.NewReader(head))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // names are ASCII
	for {
		token, err := d.RawToken()
		if err != nil {
			return false
		}
		if first, ok := token.(xml.StartElement); ok {
			name := first.Name.Local
			if first.Name.Space != "" {
				name = first.Name.Space + ":" + name
			}
			last := bytes.TrimRight(end.keep, space+"\x00")
			return closes(last, name) || bytes.HasSuffix(last, []byte("-->")) || bytes.HasSuffix(last, []byte("?>")) ||
				len(head) < room && d.InputOffset() >= int64(len(last)) // an empty one
		}
	}
}

// closes reports whether a text ends with the end of an element.
func closes(text []byte, name string) bool {
	text, ok := bytes.CutSuffix(text, []byte(">"))
	return ok && bytes.HasSuffix(bytes.TrimRight(text, space), []byte("</"+name))
}

// A tail keeps the end of what is written to it.
type tail struct{ keep []byte }

func (t *tail) Write(p []byte) (int, error) {
	const room = 1 << 10
	t.keep = append(t.keep, p[max(0, len(p)-room):]...)
	t.keep = t.keep[max(0, len(t.keep)-room):]
	return len(p), nil
}

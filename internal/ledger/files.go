package ledger

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode/utf32"

	utf16 "golang.org/x/text/encoding/unicode"
)

const (
	utf8Name = "utf-8"
	gbName   = "gb18030"
)

// encodings are those that a file is read in only if it is asked for: nothing about a
// text says for sure that it is in one of them.
var encodings = map[string]encoding.Encoding{"windows-1252": charmap.Windows1252, "big5": traditionalchinese.Big5, "shift_jis": japanese.ShiftJIS}

// Encodings are the names of all that can be asked for.
var Encodings = []string{Auto, utf8Name, gbName, "big5", "shift_jis", "windows-1252"}

// encrypted is in workbooks with a password, which look like those of the old kind: the
// name of the part with what is hidden.
var encrypted = []byte("E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00")

// notText says what a file is by how it begins, if it is surely no text with
// separators.
func notText(data []byte) string {
	begin := bytes.Clone(bytes.TrimLeft(bytes.TrimPrefix(data[:min(len(data), 512)], []byte("\xef\xbb\xbf")), " \r\n\t"))
	for i, c := range begin {
		if c >= 'A' && c <= 'Z' {
			begin[i] = c + 'a' - 'A'
		}
	}
	for _, kind := range []struct{ begin, what string }{
		{"\xd0\xcf\x11\xe0", "a workbook of the old kind (.xls)"}, {"%pdf-", "a PDF"}, {"\x89png", "a picture"}, {"\xff\xd8\xff", "a picture"},
		{"<!doctype html", "a web page, whatever its name says"}, {"<html", "a web page, whatever its name says"}, {"<table", "a web page, whatever its name says"},
		{"<?xml", "an XML file"}, {"{\\rtf", "a text document (RTF)"}, {"sqlite format 3\x00", "a database"}, {"\x1f\x8b", "compressed"},
	} {
		if bytes.HasPrefix(begin, []byte(kind.begin)) {
			if bytes.Contains(data, encrypted) {
				return "encrypted: it is opened with a password"
			}
			return kind.what
		}
	}
	return ""
}

// text reads a file of values with separators.
func (r *reader) text(data []byte) error {
	data, encoding, err := r.decode(data)
	if err != nil {
		return err
	}
	if at := bytes.IndexByte(data, 0); at >= 0 {
		return &Error{fmt.Sprintf("the ledger is no text: there is a zero byte in line %d", 1+bytes.Count(data[:at], []byte("\n"))), "save it as UTF-8 CSV or as .xlsx"}
	}
	if !bytes.ContainsRune(data, '\n') { // lines end as they did on old Macs
		data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	}
	separator, name := separatorOf(data)
	// "sep=;" in the first line tells Excel the separator.
	if first, rest, _ := bytes.Cut(data, []byte("\n")); len(bytes.TrimRight(first, "\r")) == 5 && bytes.EqualFold(first[:4], []byte("sep=")) {
		for _, s := range separators {
			if rune(first[4]) == s.mark {
				separator, name, data, r.above = s.mark, s.name, rest, 1
			}
		}
	}
	r.b.Form = "CSV, " + name + encoding
	c := csv.NewReader(bytes.NewReader(data))
	c.Comma, c.FieldsPerRecord, c.LazyQuotes = separator, -1, separator == '\t'
	for {
		cells, err := c.Read()
		var bad *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &bad):
			return &Error{fmt.Sprintf("line %d cannot be taken apart: %v", bad.StartLine+r.above, bad.Err),
				"a quoted cell ends with a quote, and a quote within it is doubled; save the file anew from the accounting program"}
		case err != nil:
			return fmt.Errorf("reading the ledger: %w", err)
		}
		line, _ := c.FieldPos(0)
		if err := r.take(line+r.above, cells); err != nil {
			return err
		}
	}
}

// decode makes UTF-8 of a file.
func (r *reader) decode(data []byte) (text []byte, name string, err error) {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		if data = data[3:]; utf8.Valid(data) {
			return data, "", nil // it says what it is in, whatever was asked for
		}
	case bytes.HasPrefix(data, []byte("\xff\xfe\x00\x00")), bytes.HasPrefix(data, []byte("\x00\x00\xfe\xff")):
		data, err = utf32.UTF32(utf32.LittleEndian, utf32.ExpectBOM).NewDecoder().Bytes(data)
		return data, ", UTF-32", err
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		data, err = utf16.UTF16(utf16.LittleEndian, utf16.ExpectBOM).NewDecoder().Bytes(data)
		return data, ", UTF-16", err
	}
	asked := r.o.Encoding
	if asked == "" {
		asked = Auto
	}
	if e := encodings[asked]; e != nil {
		out, err := e.NewDecoder().Bytes(data)
		if err == nil && !bytes.ContainsRune(out, utf8.RuneError) {
			return out, ", " + asked, nil
		}
		return nil, "", &Error{"its text is not " + asked, "--encoding: " + strings.Join(Encodings, ", ")}
	}
	if asked != gbName && utf8.Valid(data) {
		return data, "", nil
	}
	if asked == gbName || asked == Auto && looksChinese(data) {
		out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data)
		if err == nil && !bytes.ContainsRune(out, utf8.RuneError) {
			return out, ", GB18030", nil
		}
	}
	at := 1 + bytes.Count(data[:invalid(data)], []byte("\n"))
	return nil, "", &Error{fmt.Sprintf("its text is not UTF-8 (line %d)", at),
		"save it as UTF-8, or name its encoding with --encoding: Western spreadsheets write windows-1252, Chinese ones gb18030 or big5, Japanese ones shift_jis"}
}

// invalid is where a text is not UTF-8 first.
func invalid(data []byte) int {
	for i := 0; i < len(data); {
		c, n := utf8.DecodeRune(data[i:])
		if c == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return len(data)
}

// looksChinese reports whether a text that is not UTF-8 is surely Chinese: nearly
// all that is not ASCII are pairs of bytes as the commonest characters have them.
// A letter with an accent in a Western text has a plain letter behind it.
func looksChinese(data []byte) bool {
	var common, other int
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c < 0x80:
		case c >= 0xa1 && c <= 0xf7 && i+1 < len(data) && data[i+1] >= 0xa1:
			common++
			i++
		default:
			other++
			i++
		}
	}
	return common > 0 && other*20 <= common
}

// separators between cells, the commonest first.
var separators = []struct {
	mark rune
	name string
}{{',', "comma"}, {';', "semicolon"}, {'\t', "tab"}, {'|', "bar"}}

// separatorOf finds out what separates the cells: that by which the first lines
// have most cells, the same number in each.
func separatorOf(data []byte) (rune, string) {
	const enough = 30
	best, at := 0, 0
	for i, s := range separators {
		c := csv.NewReader(bytes.NewReader(data[:min(len(data), 1<<20)]))
		c.Comma, c.FieldsPerRecord, c.LazyQuotes = s.mark, -1, true
		widths := map[int]int{}
		for range enough {
			cells, err := c.Read()
			if err != nil {
				break
			}
			widths[len(cells)]++
		}
		for width, times := range widths {
			if score := (width - 1) * times; width > 1 && score > best {
				best, at = score, i
			}
		}
	}
	return separators[at].mark, separators[at].name
}

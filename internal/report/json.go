package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"billsync/internal/bill"
)

// WriteJSON writes a report, or the one part that is named, as one JSON document,
// row by row. An amount x stands there twice: x in the smallest unit, x_decimal as
// decimal text. If the rows end in an error the document is closed all the same,
// and says "complete":false and why.
func WriteJSON(w io.Writer, r *Report, part string) error {
	parts, err := r.parts(part)
	if err != nil {
		return err
	}
	for i := range parts {
		if err := parts[i].check(); err != nil {
			return err
		}
	}
	j := newJSONWriter(w)
	j.head(r)
	for i := range parts {
		if i > 0 {
			j.text(",")
		}
		if err = j.part(&parts[i]); err != nil {
			break
		}
	}
	j.text(`],`)
	if err != nil {
		j.field("error", err.Error())
		j.text(",")
	}
	fmt.Fprintf(j.w, `"complete":%t}`+"\n", err == nil)
	if e := j.w.Flush(); err == nil {
		err = e
	}
	return err
}

// A jsonWriter writes the pieces of a document. The first error of what is below
// stays with the bufio.Writer and comes back from its Flush.
type jsonWriter struct {
	w   *bufio.Writer
	buf bytes.Buffer
	enc *json.Encoder // into buf
}

func newJSONWriter(w io.Writer) *jsonWriter {
	j := &jsonWriter{w: bufio.NewWriterSize(w, 1<<16)}
	j.enc = json.NewEncoder(&j.buf)
	j.enc.SetEscapeHTML(false)
	return j
}

func (j *jsonWriter) text(s string) { j.w.WriteString(s) }

// value writes a text, or a list of texts.
func (j *jsonWriter) value(v any) { j.w.Write(j.encoded(v)) }

// encoded is good until the next one.
func (j *jsonWriter) encoded(v any) []byte {
	j.buf.Reset()
	if err := j.enc.Encode(v); err != nil {
		panic(err) // texts can always be written
	}
	return bytes.TrimSuffix(j.buf.Bytes(), []byte("\n"))
}

func (j *jsonWriter) field(name string, v any) {
	j.value(name)
	j.text(":")
	j.value(v)
}

func (j *jsonWriter) head(r *Report) {
	j.text(`{"type":"report",`)
	j.field("report", r.Name)
	j.text(",")
	j.field("title", r.Title)
	j.text(`,"about":{`)
	used := map[string]bool{}
	for i, fact := range r.About {
		if i > 0 {
			j.text(",")
		}
		name := snake(fact.Label)
		for n, base := 2, name; used[name]; n++ {
			name = fmt.Sprintf("%s_%d", base, n)
		}
		used[name] = true
		j.field(name, fact.Text)
	}
	j.text("},")
	j.notes(r.Notes)
	j.text(`,"parts":[`)
}

func (j *jsonWriter) notes(notes []string) {
	if notes == nil {
		notes = []string{}
	}
	j.field("notes", notes)
}

// snake is a label as the name of a field.
func snake(label string) string {
	words := strings.FieldsFunc(strings.ToLower(label), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return strings.Join(words, "_")
}

func (j *jsonWriter) part(p *Part) error {
	j.text("{")
	j.field("name", p.Name)
	j.text(",")
	j.field("title", p.Title)
	j.text(`,"columns":[`)
	for i := range p.Columns {
		c := &p.Columns[i]
		if i > 0 {
			j.text(",")
		}
		j.text("{")
		j.field("name", c.Name)
		j.text(",")
		j.field("title", c.Title)
		j.text(",")
		j.field("kind", c.Kind.String())
		if c.Kind == Money {
			j.text(",")
			j.field("currency", p.Columns[c.Currency].Name)
		}
		j.text("}")
	}
	j.text(`],"rows":[`)
	keys := j.keys(p)
	first := true
	foot, err := p.each(func(row Row) error {
		if !first {
			j.text(",")
		}
		first = false
		j.row(p, keys, row)
		// An error below is found at each row, not only when all are read.
		_, err := j.w.WriteString("")
		return err
	})
	j.text(`],"foot":[`)
	if err == nil {
		j.foot(p, keys, foot)
	}
	j.text("],")
	j.notes(p.Notes)
	j.text("}")
	return err
}

// A key is the name of a column as it stands before its values, and before the
// decimal texts of an amount.
type key struct{ value, decimal string }

func (j *jsonWriter) keys(p *Part) []key {
	out := make([]key, len(p.Columns))
	for i := range p.Columns {
		name := p.Columns[i].Name
		out[i].value = string(j.encoded(name)) + ":"
		out[i].decimal = "," + string(j.encoded(name+"_decimal")) + ":"
	}
	return out
}

func (j *jsonWriter) row(p *Part, keys []key, row Row) {
	j.text("{")
	for i := range row {
		c := &p.Columns[i]
		if i > 0 {
			j.text(",")
		}
		switch v := row[i].(type) {
		case int64:
			var a bill.Amount
			if a.Value = v; c.Kind == Money {
				a, _ = c.amount(row, i)
			}
			j.number(c, keys[i], a)
		case time.Time:
			j.text(keys[i].value)
			j.value(stamp(v))
		case string:
			j.text(keys[i].value)
			j.value(v)
		default:
			j.text(keys[i].value + "null")
			if c.Kind == Money {
				j.text(keys[i].decimal + "null")
			}
		}
	}
	j.text("}")
}

// number writes a count, or an amount in both its forms.
func (j *jsonWriter) number(c *Column, k key, a bill.Amount) {
	j.text(k.value)
	j.w.Write(strconv.AppendInt(j.w.AvailableBuffer(), a.Value, 10))
	if c.Kind == Money {
		j.text(k.decimal + `"` + a.Decimal() + `"`)
	}
}

func (j *jsonWriter) foot(p *Part, keys []key, f *foot) {
	for n, line := range f.sorted() {
		if n > 0 {
			j.text(",")
		}
		j.text(`{"currency":`)
		if line.currency == "" {
			j.text("null")
		} else {
			j.value(line.currency)
		}
		for i, sum := range line.sums {
			if sum == nil {
				continue
			}
			j.text(",")
			j.number(&p.Columns[i], keys[i], bill.Amount{Currency: line.currency, Value: *sum})
		}
		j.text("}")
	}
}

package report

import "io"

// WriteJSONLines writes the rows of one part, the first if none is named, as one
// JSON object a line, with the fields that WriteJSON gives them. Rows that came
// before an error are written.
func WriteJSONLines(w io.Writer, r *Report, part string) error {
	p, err := r.Part(part)
	if err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	j := newJSONWriter(w)
	keys := j.keys(p)
	_, err = p.each(func(row Row) error {
		j.row(p, keys, row)
		_, err := j.w.WriteString("\n")
		return err
	})
	if e := j.w.Flush(); err == nil {
		err = e
	}
	return err
}

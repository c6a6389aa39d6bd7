package report

import "io"

// WriteSmallWorkbook writes a workbook whose sheets have room for few rows.
func WriteSmallWorkbook(w io.Writer, r *Report, temp string, rows int) error {
	return writeWorkbook(w, r, temp, rows)
}

// SheetNames returns what the sheets of these names are called.
func SheetNames(wanted ...string) []string {
	n := names{}
	var out []string
	for _, name := range wanted {
		out = append(out, n.sheetName(name))
	}
	return out
}

// TableNames returns what the tables of these names are called.
func TableNames(wanted ...string) []string {
	n := names{}
	var out []string
	for _, name := range wanted {
		out = append(out, n.tableName(name))
	}
	return out
}

// Number is number.
func Number(decimal string) (float64, bool) { return number(decimal) }

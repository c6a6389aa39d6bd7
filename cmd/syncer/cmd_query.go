package main

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"billsync/internal/report"
)

func newQueryCmd(g *globals) *cobra.Command {
	var asCSV, plain bool
	cmd := &cobra.Command{
		Use:     "query SQL",
		Short:   "Ask the database, reading only",
		GroupID: groupLook,
		Long: `Run one SQL query on the database and print what it answers, as a table (the
first ` + strconv.Itoa(report.MaxShown) + ` rows), as --csv or as --json (all rows). Nothing can be changed by it,
neither the database nor another file, and it works beside a sync. "-" reads the
query from standard input.

In CSV a text that a spreadsheet would take for a formula gets a ' in front; a
number does not, also a negative one. --plain leaves all texts as they are, for
other programs. "syncer help sql" lists the tables and views.`,
		Example: `  syncer query "SELECT * FROM monthly_spend"
  syncer query "SELECT * FROM open_bills" --csv > open.csv
  syncer query - --json < report.sql`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("put the query into double quotes", "query takes one thing: the SQL, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case asCSV && g.json:
				return usagef("choose one of them", "--csv and --json do not go together")
			case plain && !asCSV:
				return usagef("a table and JSON have all texts as they are", "--plain goes with --csv")
			}
			sql := args[0]
			if sql == "-" {
				text, err := readQuery(g.stdin)
				if err != nil {
					return err
				}
				sql = text
			}
			a, _, err := g.app(cmd)
			if err != nil {
				return err
			}
			var out rowWriter = &tableRows{g: g}
			switch {
			case asCSV:
				out = &csvRows{w: csv.NewWriter(g.stdout), plain: plain}
			case g.json:
				out = &jsonRows{w: g.stdout}
				g.summed = true // an error in the middle ends the list, and is told on standard error
			}
			err = a.Query(cmd.Context(), sql, out.head, out.row)
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			if e := out.end(err); err == nil {
				err = e
			}
			if err != nil && !out.begun() {
				g.summed = false
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asCSV, "csv", false, "comma-separated values")
	cmd.Flags().BoolVar(&plain, "plain", false, "with --csv: no ' in front of what looks like a formula")
	return cmd
}

// withSQL lets a query begin with a comment: what begins with two dashes would be a
// flag. A flag has no blank in its name, though; and to SQL one more in front is
// nothing.
func withSQL(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil || cmd.Name() != "query" {
		return args
	}
	out := slices.Clone(args)
	for i, arg := range out {
		if at := strings.IndexAny(arg, "= \t\r\n"); strings.HasPrefix(arg, "--") && at > 0 && arg[at] != '=' {
			out[i] = " " + arg
		}
	}
	return out
}

// maxQuery bounds a query from standard input.
const maxQuery = 1 << 20

func readQuery(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxQuery+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the query: %w", err)
	case len(text) > maxQuery || !utf8.Valid(text):
		return "", usagef("give a file with SQL", "standard input is no SQL: it is not UTF-8, or longer than 1 MiB")
	}
	return string(text), nil
}

// A rowWriter prints the answer of a query row by row.
type rowWriter interface {
	head(names []string) error
	row(cells []any) error
	end(err error) error // err is why the answer is not whole; nil if it is
	begun() bool
}

// cellText is a cell as people and CSV have it.
func cellText(cell any) string {
	switch v := cell.(type) {
	case nil:
		return ""
	case []byte:
		return fmt.Sprintf("x'%x'", v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(cell)
}

// tableRows prints a table, for people.
type tableRows struct {
	g     *globals
	names []string
	rows  [][]string
	more  int
	right []bool // columns of numbers alone
}

func (t *tableRows) head(names []string) error {
	t.names, t.right = names, make([]bool, len(names))
	for i := range t.right {
		t.right[i] = true
	}
	return nil
}

func (t *tableRows) begun() bool { return false }

func (t *tableRows) row(cells []any) error {
	if len(t.rows) == report.MaxShown {
		t.more++
		return nil
	}
	row := make([]string, len(cells))
	for i, c := range cells {
		switch c.(type) {
		case nil, int64, float64:
		default:
			t.right[i] = false
		}
		row[i] = printable(cellText(c))
	}
	t.rows = append(t.rows, row)
	return nil
}

func (t *tableRows) end(err error) error {
	if err != nil {
		return nil
	}
	grid := t.g.newTable(t.names...)
	var right []int
	for i, is := range t.right {
		if is && len(t.rows) > 0 {
			right = append(right, i+1)
		}
	}
	grid.right(right...)
	for _, row := range t.rows {
		grid.row(row...)
	}
	text := grid.String()
	switch {
	case t.more > 0:
		text += fmt.Sprintf("%s more; --csv and --json print all\n", plural(t.more, "row", t.g.number))
	default:
		text += plural(len(t.rows), "row", t.g.number) + "\n"
	}
	return t.g.print(text)
}

// csvRows prints CSV, for spreadsheets and, plain, for programs.
type csvRows struct {
	w     *csv.Writer
	plain bool
	any   bool
}

func (c *csvRows) begun() bool { return c.any }

func (c *csvRows) head(names []string) error {
	c.any = true
	return c.w.Write(names)
}

func (c *csvRows) row(cells []any) error {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = cellText(cell)
		if _, isText := cell.(string); isText && !c.plain {
			row[i] = report.NoFormula(row[i])
		}
	}
	return c.w.Write(row)
}

func (c *csvRows) end(error) error {
	c.w.Flush()
	return c.w.Error()
}

// jsonRows prints one JSON document, row by row.
type jsonRows struct {
	w     io.Writer
	names []string
	rows  int
	any   bool
}

func (j *jsonRows) begun() bool { return j.any }

// head makes names that are there twice different, or a row would lose a value.
func (j *jsonRows) head(names []string) error {
	j.any = true
	used := map[string]bool{}
	for _, name := range names {
		name = cmp.Or(name, "column")
		for n, base := 2, name; used[name]; n++ {
			name = fmt.Sprintf("%s_%d", base, n)
		}
		used[name] = true
		j.names = append(j.names, name)
	}
	_, err := io.WriteString(j.w, `{"type":"query","rows":[`)
	return err
}

func (j *jsonRows) row(cells []any) error {
	var b strings.Builder
	if j.rows > 0 {
		b.WriteByte(',')
	}
	j.rows++
	b.WriteByte('{')
	for i, cell := range cells {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(j.names[i])
		if err != nil {
			return err
		}
		if f, ok := cell.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
			cell = cellText(cell) // JSON has no such number
		}
		if blob, ok := cell.([]byte); ok {
			cell = cellText(blob)
		}
		value, err := json.Marshal(cell)
		if err != nil {
			return err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	_, err := io.WriteString(j.w, b.String())
	return err
}

func (j *jsonRows) end(err error) error {
	if !j.any {
		return nil
	}
	_, e := fmt.Fprintf(j.w, `],"complete":%t}`+"\n", err == nil)
	return e
}

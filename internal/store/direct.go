package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mattn/go-sqlite3"
)

// A direct is a prepared statement at the driver's level. database/sql and sqlx
// are for what is asked once in a while: between them and the driver a row costs
// as much again as SQLite itself takes to store it.
//
// Arguments that are NULL are not bound at all: the driver clears all of them
// before it binds.
type direct struct {
	st   *sqlite3.SQLiteStmt
	args []driver.NamedValue // those of the next execution
	n    int                 // how many they are, NULL among them
	last []lastText          // by argument, what often bound last
	row  []driver.Value      // room for a row of the answer
}

type lastText struct {
	text  string
	value driver.Value
}

// direct returns the statement for a query, prepared once for the life of the
// connection.
func (t *Tx) direct(query string) (*direct, error) {
	if d, ok := t.directs[query]; ok {
		return d, nil
	}
	d := &direct{}
	err := t.conn.Raw(func(conn any) error {
		c, ok := conn.(*sqlite3.SQLiteConn)
		if !ok {
			return fmt.Errorf("the connection is a %T", conn)
		}
		st, err := c.Prepare(query)
		if err != nil {
			return err
		}
		if d.st, ok = st.(*sqlite3.SQLiteStmt); !ok {
			return errors.Join(fmt.Errorf("the statement is a %T", st), st.Close())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	d.last = make([]lastText, d.st.NumInput())
	t.directs[query] = d
	return d, nil
}

// begin empties the arguments.
func (d *direct) begin() { d.args, d.n = d.args[:0], 0 }

// bind takes over the arguments.
func (d *direct) bind(args []any) error {
	d.begin()
	for _, arg := range args {
		if err := d.add(arg); err != nil {
			return err
		}
	}
	return nil
}

// add adds the next argument.
func (d *direct) add(arg any) error {
	switch x := arg.(type) {
	case nil, string, int64, bool, []byte, float64:
		d.value(arg)
	case int:
		d.value(int64(x))
	default:
		v, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return err
		}
		d.value(v)
	}
	return nil
}

// value adds an argument that the driver takes as it is.
func (d *direct) value(v driver.Value) {
	d.n++
	if v != nil {
		d.args = append(d.args, driver.NamedValue{Ordinal: d.n, Value: v})
	}
}

// text adds a text, NULL if there is none.
func (d *direct) text(s string) {
	if s == "" {
		d.n++
		return
	}
	d.value(s)
}

// often is text for a column that often says what it said in the row before: it
// is not made an argument of anew then.
func (d *direct) often(s string) {
	if s == "" {
		d.n++
		return
	}
	l := &d.last[d.n]
	if l.text != s || l.value == nil {
		l.text, l.value = s, s
	}
	d.value(l.value)
}

// do runs a statement that answers nothing. The connection is held for it alone,
// so that nobody else can be using it.
func (t *Tx) do(query string, args []any) (res driver.Result, err error) {
	d, err := t.direct(query)
	if err != nil {
		return nil, err
	}
	if err := d.bind(args); err != nil {
		return nil, err
	}
	return t.run(d)
}

// run runs a statement with the arguments it has.
func (t *Tx) run(d *direct) (res driver.Result, err error) {
	err = t.conn.Raw(func(any) error {
		// It cannot be cancelled; the driver would start a goroutine for that.
		res, err = d.st.ExecContext(context.Background(), d.args)
		return err
	})
	return res, err
}

// each calls fn for every row that a statement answers. The row is only good for
// the one call, its texts are good for ever. Within fn no other statement may run.
func (t *Tx) each(doing, query string, args []any, fn func(row []driver.Value) error) error {
	d, err := t.direct(query)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := d.bind(args); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	err = t.conn.Raw(func(any) (err error) {
		rows, err := d.st.QueryContext(t.ctx, d.args)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		if d.row == nil {
			d.row = make([]driver.Value, len(rows.Columns()))
		}
		for {
			switch err := rows.Next(d.row); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
			if err := fn(d.row); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// columns reads a row; what is NULL is nothing. err says that one was not what
// the schema says.
type columns struct {
	row []driver.Value
	err error
}

func (c *columns) text(i int) string {
	switch v := c.row[i].(type) {
	case nil:
	case string:
		return v
	default:
		c.err = fmt.Errorf("%w: column %d is a %T, not text", errMisread, i, v)
	}
	return ""
}

func (c *columns) int(i int) int64 {
	switch v := c.row[i].(type) {
	case nil:
	case int64:
		return v
	default:
		c.err = fmt.Errorf("%w: column %d is a %T, not a whole number", errMisread, i, v)
	}
	return 0
}

func (c *columns) time(i int) time.Time {
	var t stamp
	if err := t.Scan(c.row[i]); err != nil {
		c.err = fmt.Errorf("%w: %w", errMisread, err)
	}
	return t.Time
}

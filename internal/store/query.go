package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mattn/go-sqlite3"
)

// A UsageError is what is wrong with what somebody asked for: a query, or a file
// to be written. Nothing was done.
type UsageError struct {
	Reason string
	Advice string
}

func (e *UsageError) Error() string { return e.Reason }

// Hint says what to do about it.
func (e *UsageError) Hint() string { return e.Advice }

// Query runs one query that only reads, and calls head with the names of its
// columns and row with each of its rows: numbers are int64 or float64, texts
// string, blobs []byte, NULL is nil. The row is only good for the one call.
//
// Nothing can be changed by it, here or elsewhere: the file is opened for reading,
// and an authorizer refuses whatever is no reading before it is begun. Being
// read-only alone would still allow VACUUM INTO, which writes another file.
func (s *Store) Query(ctx context.Context, query string, head func([]string) error, row func([]any) error) error {
	query, err := oneStatement(query)
	if err != nil {
		return err
	}
	query = namesOnly(query)
	conn, err := s.ro.Connx(ctx)
	if err != nil {
		return explain(s.path, "opening", err)
	}
	defer conn.Close()
	guard := &guard{}
	if err := register(conn.Raw, guard.judge); err != nil {
		return explain(s.path, "opening", err)
	}
	defer func() { _ = register(conn.Raw, nil) }()
	switch open, err := places(conn.Raw, query); {
	case err != nil:
		return s.refused(ctx, guard, err)
	case open > 0:
		return &UsageError{"the query leaves a value open: ?, :name, @name and $name stand for one that is not given here",
			"write the value itself; a text stands in single quotes: 'text'"}
	}
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return s.refused(ctx, guard, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return s.refused(ctx, guard, err)
	}
	if len(names) == 0 {
		return &UsageError{"the statement is no query: it has no columns", "it must begin with SELECT, WITH or VALUES"}
	}
	if err := head(names); err != nil {
		return err
	}
	cells, places := make([]any, len(names)), make([]any, len(names))
	for i := range cells {
		places[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return s.refused(ctx, guard, err)
		}
		if err := row(cells); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return s.refused(ctx, guard, err)
	}
	return nil
}

// refused tells a mistake in the query from a fault of the database.
func (s *Store) refused(ctx context.Context, g *guard, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if g.refused != "" {
		return &UsageError{"the query would do more than read: " + g.refused, "only SELECT is allowed; for a copy that may be changed: syncer snapshot FILE"}
	}
	var e sqlite3.Error
	if errors.As(err, &e) && e.Code == sqlite3.ErrError {
		advice := "\"syncer help sql\" lists the tables and views"
		if strings.HasPrefix(e.Error(), "no such column") {
			advice += "; a text stands in single quotes: 'text'"
		}
		return &UsageError{"the query is wrong: " + e.Error(), advice}
	}
	return explain(s.path, "reading", err)
}

// places returns how many values a statement leaves open.
func places(raw func(func(any) error) error, query string) (n int, err error) {
	err = raw(func(c any) error {
		conn, ok := c.(*sqlite3.SQLiteConn)
		if !ok {
			return fmt.Errorf("the connection is a %T", c)
		}
		st, err := conn.Prepare(query)
		if err != nil {
			return err
		}
		n = st.NumInput()
		return st.Close()
	})
	return n, err
}

// register sets the authorizer of a connection; nil takes it away.
func register(raw func(func(any) error) error, judge func(int, string, string, string) int) error {
	return raw(func(c any) error {
		conn, ok := c.(*sqlite3.SQLiteConn)
		if !ok {
			return fmt.Errorf("the connection is a %T", c)
		}
		conn.RegisterAuthorizer(judge)
		return nil
	})
}

// A guard is an authorizer that lets read and nothing else.
type guard struct{ refused string }

// What SQLite asks an authorizer about, beyond what the driver names.
const sqliteRecursive = 33

// pragmas that tell something and change nothing, whatever their argument.
var pragmas = []string{"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list",
	"database_list", "compile_options", "function_list", "collation_list", "pragma_list", "integrity_check", "quick_check"}

// askedPragmas tell something unless they are given an argument.
var askedPragmas = []string{"user_version", "application_id", "page_size", "page_count", "freelist_count", "encoding", "journal_mode",
	"schema_version", "data_version", "foreign_keys", "query_only"}

// judge is called for everything a statement would do, before it is begun.
func (g *guard) judge(action int, a, b, _ string) int {
	switch action {
	case sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqliteRecursive:
		return sqlite3.SQLITE_OK
	case sqlite3.SQLITE_FUNCTION:
		if !strings.EqualFold(b, "load_extension") {
			return sqlite3.SQLITE_OK
		}
		g.refused = "it calls " + b
	case sqlite3.SQLITE_PRAGMA:
		name := strings.ToLower(a)
		if slices.Contains(pragmas, name) || b == "" && slices.Contains(askedPragmas, name) {
			return sqlite3.SQLITE_OK
		}
		g.refused = "PRAGMA " + a
	case sqlite3.SQLITE_ATTACH:
		g.refused = "ATTACH, or VACUUM INTO"
	case sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT:
		g.refused = "a transaction"
	default:
		g.refused = "it is no query"
	}
	return sqlite3.SQLITE_DENY
}

// oneStatement returns the statement in a text, and refuses a text with no or
// several: the driver would run all of them and answer the last one, and a comment
// behind the semicolon is one to it.
func oneStatement(query string) (string, error) {
	if strings.ContainsRune(query, 0) {
		return "", &UsageError{"the query holds a NUL character", "take it out"}
	}
	rest, empty := statement(query)
	if empty && strings.TrimSpace(rest) == "" {
		return "", &UsageError{"the query is empty", "for example: syncer query \"SELECT * FROM monthly_spend\""}
	}
	first := query[:len(query)-len(rest)]
	for rest != "" {
		var nothing bool
		if rest, nothing = statement(rest); !nothing {
			return "", &UsageError{"the text holds more than one statement", "run them one after the other"}
		}
	}
	return first, nil
}

// namesOnly writes the names of a statement that stand in double quotes in
// backquotes, which SQLite takes for the same. But a name in double quotes that there
// is not it takes for a text, so that a misspelt column would have its own name in
// every row; the driver has no way to switch that off.
func namesOnly(sql string) string {
	var b strings.Builder
	for i := 0; i < len(sql); {
		next := token(sql, i)
		part := sql[i:next]
		if len(part) > 1 && part[0] == '"' && part[len(part)-1] == '"' {
			for next < len(sql) && sql[next] == '"' { // a doubled quote is one of the name
				more := token(sql, next)
				part, next = part+sql[next:more], more
			}
			name := strings.ReplaceAll(part[1:len(part)-1], `""`, `"`)
			part = "`" + strings.ReplaceAll(name, "`", "``") + "`"
		}
		b.WriteString(part)
		i = next
	}
	return b.String()
}

// statement cuts a statement off at its semicolon and returns what follows, and
// whether there was nothing in it but blanks and comments.
func statement(sql string) (rest string, empty bool) {
	empty = true
	for i := 0; i < len(sql); i = token(sql, i) {
		switch c := sql[i]; {
		case c == ';':
			return sql[i+1:], empty
		case c == ' ' || c >= '\t' && c <= '\r', strings.HasPrefix(sql[i:], "--"), strings.HasPrefix(sql[i:], "/*"):
		default:
			empty = false
		}
	}
	return "", empty
}

// token returns the index behind the comment, the quoted text or name, or the single
// character that begins at i.
func token(sql string, i int) int {
	switch c := sql[i]; {
	case strings.HasPrefix(sql[i:], "--"):
		return after(sql, i+2, "\n")
	case strings.HasPrefix(sql[i:], "/*"):
		return after(sql, i+2, "*/")
	case c == '\'' || c == '"' || c == '`':
		return after(sql, i+1, string(c)) // a doubled quote begins another text at once
	case c == '[':
		return after(sql, i+1, "]")
	}
	return i + 1
}

// after returns the index behind the next end mark, the text's end if there is
// none.
func after(sql string, from int, mark string) int {
	if at := strings.Index(sql[from:], mark); at >= 0 {
		return from + at + len(mark)
	}
	return len(sql)
}

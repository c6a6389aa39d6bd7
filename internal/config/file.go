package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// An entry is one thing a file says: a value, or the head of a table.
type entry struct {
	path         []string
	kind         entryKind
	value        value
	line, column int
}

type entryKind int

const (
	entryValue entryKind = iota
	entryTable           // [a.b]
	entryItem            // [[a.b]]
)

// readFile takes what the file says, and reports whether it could be read at
// all: beyond a mistake in TOML itself nothing can be said about keys.
func (l *loader) readFile(data []byte) bool {
	// The plain decoder knows what the parser below does not: keys and tables
	// that are there twice.
	if err := toml.Unmarshal(data, new(map[string]any)); err != nil {
		l.complainSyntax(err)
		return false
	}
	entries, err := flatten(data)
	if err != nil {
		l.complainSyntax(err)
		return false
	}
	r := reader{loader: l, account: -1}
	for _, e := range entries {
		r.take(e)
	}
	return true
}

// complainSyntax notes a mistake in TOML itself.
func (l *loader) complainSyntax(err error) {
	at := origin{where: l.name}
	text := strings.TrimPrefix(err.Error(), "toml: ")
	var de *toml.DecodeError
	if errors.As(err, &de) {
		line, column := de.Position()
		at = origin{fmt.Sprintf("%s:%d:%d", l.name, line, column), line, column}
	}
	text, _, _ = strings.Cut(text, "\n")
	l.complain(at, "", "this is not TOML: "+text)
}

// flatten lists what the file says in its order, whichever of TOML's ways it
// uses to say it.
func flatten(data []byte) ([]entry, error) {
	var p unstable.Parser
	p.Reset(data)
	f := flattener{parser: &p}
	var table []string
	for p.NextExpression() {
		n := p.Expression()
		switch n.Kind {
		case unstable.Table, unstable.ArrayTable:
			kind := entryTable
			if n.Kind == unstable.ArrayTable {
				kind = entryItem
			}
			var e entry
			table, e = f.head(nil, n)
			e.kind = kind
			f.entries = append(f.entries, e)
		case unstable.KeyValue:
			f.keyValue(table, n)
		}
	}
	return f.entries, p.Error()
}

type flattener struct {
	parser  *unstable.Parser
	entries []entry
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// head returns the path that a key spells below a prefix, and an entry that
// stands at its place. A part that needs quotes keeps them, so that a dot in it
// is none of ours.
func (f *flattener) head(prefix []string, n *unstable.Node) ([]string, entry) {
	path := slices.Clone(prefix)
	var e entry
	for it := n.Key(); it.Next(); {
		part := it.Node()
		if e.line == 0 {
			start := f.parser.Shape(part.Raw).Start
			e.line, e.column = start.Line, start.Column
		}
		name := string(part.Data)
		if !bareKey.MatchString(name) {
			name = strconv.Quote(shorten(name))
		}
		path = append(path, name)
	}
	if n.Kind != unstable.KeyValue {
		e.column = 1 // the bracket
	}
	e.path = path
	return path, e
}

// keyValue adds what one assignment says.
func (f *flattener) keyValue(prefix []string, n *unstable.Node) {
	path, e := f.head(prefix, n)
	v := n.Value()
	switch {
	case v.Kind == unstable.InlineTable:
		e.kind = entryTable
		f.inline(e, v)
	case v.Kind == unstable.Array && isTables(v):
		for it := v.Children(); it.Next(); {
			if it.Node().Kind == unstable.InlineTable {
				f.inline(entry{path: path, kind: entryItem, line: e.line, column: e.column}, it.Node())
			}
		}
	default:
		e.value = valueOf(v)
		f.entries = append(f.entries, e)
	}
}

// inline adds a table written in braces.
func (f *flattener) inline(head entry, n *unstable.Node) {
	f.entries = append(f.entries, head)
	for it := n.Children(); it.Next(); {
		if it.Node().Kind == unstable.KeyValue {
			f.keyValue(head.path, it.Node())
		}
	}
}

// isTables reports whether an array holds tables and nothing else.
func isTables(n *unstable.Node) bool {
	some := false
	for it := n.Children(); it.Next(); {
		switch it.Node().Kind {
		case unstable.Comment:
		case unstable.InlineTable:
			some = true
		default:
			return false
		}
	}
	return some
}

// A reader takes entries in their order.
type reader struct {
	*loader
	account int      // the account being read; -1: none yet
	skip    []string // below this table nothing is judged: the table itself is a mistake
}

func (r *reader) take(e entry) {
	if r.skip != nil && len(e.path) > len(r.skip) && slices.Equal(e.path[:len(r.skip)], r.skip) {
		return
	}
	r.skip = nil
	name := strings.Join(e.path, ".")
	at := origin{fmt.Sprintf("%s:%d:%d", r.name, e.line, e.column), e.line, e.column}
	switch {
	case e.kind == entryItem && name == "account":
		r.account++
		if r.account > 0 { // the first one takes the place of the default account
			r.config.Accounts = append(r.config.Accounts, defaultAccount())
		}
	case e.path[0] == "account" && r.account < 0:
		r.complain(at, "account", "accounts are a list; write [[account]] with two brackets")
		r.skip = e.path[:1]
	case e.kind == entryTable && knownSection(name):
	case e.kind == entryItem && knownSection(name):
		r.complain(at, name, fmt.Sprintf("there is only one; write [%s] with single brackets", name))
		r.skip = e.path
	case e.kind == entryValue && knownSection(name):
		r.complain(at, name, fmt.Sprintf("this is a table; write [%s] and its keys below", name))
	case e.kind != entryValue && keyNamed(name) != nil:
		r.complain(at, name, "this is no table but a key with a value")
		r.skip = e.path
	case e.kind != entryValue:
		r.complain(at, name, "unknown table"+suggestTable(name))
		r.skip = e.path
	default:
		r.takeValue(name, e.value, at)
	}
}

// takeValue fills the field a name stands for.
func (r *reader) takeValue(name string, v value, at origin) {
	k := keyNamed(name)
	switch {
	case k == nil:
		r.complain(at, name, "unknown key"+suggestKey(name))
	case k.account != nil:
		s := slot{r.account, k.name}
		r.fill(field{s, k, k.account(&r.config.Accounts[r.account])}, v, at)
	default:
		r.fill(field{slot{-1, k.name}, k, k.field(r.config)}, v, at)
	}
}

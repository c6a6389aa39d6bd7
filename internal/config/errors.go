package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Mistake is one thing that is wrong with the configuration.
type Mistake struct {
	Where string // "config.toml:12:1", the file alone, or an environment variable
	Key   string // empty if the mistake is not about one key
	Text  string // what is wrong, and what is allowed

	line, column int // for the order; 0 outside the file
}

func (m Mistake) String() string {
	if m.Key == "" {
		return m.Where + ": " + m.Text
	}
	return m.Where + ": " + m.Key + ": " + m.Text
}

// An Error is everything that is wrong with the configuration.
type Error struct {
	Mistakes []Mistake // at least one
}

// Error has a line for each mistake.
func (e *Error) Error() string {
	if len(e.Mistakes) == 1 {
		return e.Mistakes[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d mistakes in the configuration:", len(e.Mistakes))
	for _, m := range e.Mistakes {
		b.WriteString("\n  " + m.String())
	}
	return b.String()
}

// ExitCode is that of a wrong configuration.
func (*Error) ExitCode() int { return 2 }

// Hint says where to look up what is allowed.
func (*Error) Hint() string { return `"syncer help environment" lists every key` }

// A NotFoundError says that there is no file to read.
type NotFoundError struct {
	File   string   // the file that was asked for, if one was
	Looked []string // otherwise, where one was looked for
}

func (e *NotFoundError) Error() string {
	if e.File != "" {
		return fmt.Sprintf("%s: there is no such file", e.File)
	}
	return "no config.toml; looked for " + strings.Join(e.Looked, ", ")
}

// ExitCode is that of a wrong configuration.
func (*NotFoundError) ExitCode() int { return 2 }

// Hint says how to get a file.
func (*NotFoundError) Hint() string {
	return `run "syncer init" to write one, or name one with --config`
}

// sortMistakes puts them in the file's order, then the others as found.
func sortMistakes(all []Mistake) {
	slices.SortStableFunc(all, func(a, b Mistake) int {
		if (a.line == 0) != (b.line == 0) {
			return cmp.Compare(b.line, a.line)
		}
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
}

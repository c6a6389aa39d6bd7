package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Options say where the configuration comes from. The zero Options are usable:
// no environment, the real clock.
type Options struct {
	Path    string   // the file from the command line; empty: look in the usual places
	Environ []string // NAME=value, as os.Environ returns it

	// Flags are values given on the command line, by key: "log.level". They win
	// over everything else.
	Flags map[string]string

	Now       func() time.Time        // nil: time.Now
	CheckCron func(expr string) error // what a schedule may be; nil: anything
}

// getenv returns a variable of the environment, the last one if it is there
// twice.
func (o Options) getenv(name string) string {
	var found string
	for _, entry := range o.Environ {
		if n, v, _ := strings.Cut(entry, "="); n == name {
			found = v
		}
	}
	return found
}

// Load finds the file, reads it together with the environment, and checks
// everything. The error is an *Error or a *NotFoundError unless the file cannot
// be read.
func Load(o Options) (*Config, error) {
	name, err := find(o)
	if err != nil {
		return nil, err
	}
	data, err := read(name)
	if err != nil {
		return nil, &Error{Mistakes: []Mistake{{Where: name, Text: err.Error()}}}
	}
	return Parse(name, data, o)
}

// find returns the file to read, as the contract orders the places.
func find(o Options) (string, error) {
	for _, asked := range []string{o.Path, o.getenv("SYNCER_CONFIG")} {
		if asked == "" {
			continue
		}
		if _, err := os.Stat(asked); errors.Is(err, fs.ErrNotExist) {
			return "", &NotFoundError{File: asked}
		}
		return asked, nil
	}
	looked := []string{"config.toml"}
	if dir := o.getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		looked = append(looked, filepath.Join(dir, "syncer", "config.toml"))
	} else if home := o.getenv("HOME"); home != "" {
		looked = append(looked, filepath.Join(home, ".config", "syncer", "config.toml"))
	}
	looked = append(looked, "/etc/syncer/config.toml")
	for _, name := range looked {
		if _, err := os.Stat(name); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return name, nil // one that cannot be read is a mistake, not a reason to take another
		}
	}
	return "", &NotFoundError{Looked: looked}
}

// read returns what is in a file of reasonable size.
func read(name string) ([]byte, error) {
	const limit = 1 << 20
	f, err := os.Open(name)
	if err == nil {
		defer f.Close()
		var data []byte
		if data, err = io.ReadAll(io.LimitReader(f, limit+1)); err == nil {
			if len(data) > limit {
				return nil, errors.New("larger than 1 MiB; this is no configuration")
			}
			return data, nil
		}
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return nil, fmt.Errorf("reading the configuration: %w", err)
}

// Default returns the configuration with every key at its default.
func Default() *Config {
	c := &Config{Accounts: []Account{defaultAccount()}, origins: map[slot]origin{}}
	for _, f := range c.fields() {
		f.setDefault()
	}
	return c
}

func defaultAccount() Account {
	c := Config{Accounts: make([]Account, 1)}
	for _, f := range c.accountFields(0) {
		f.setDefault()
	}
	return c.Accounts[0]
}

// setDefault fills the field from the table.
func (f field) setDefault() {
	if f.def == "" {
		return
	}
	if err := f.target.set(literal(f.def)); err != nil {
		panic("config: default of " + f.name + ": " + err.Error())
	}
}

// Parse checks the text of a file, called name in messages, together with the
// environment. Options.Path is not used. The error is an *Error.
func Parse(name string, data []byte, o Options) (*Config, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &loader{Options: o, name: name, config: Default()}
	if abs, err := filepath.Abs(name); err == nil {
		l.config.File = abs
	}
	if l.readFile(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		l.readEnvironment()
		l.readFlags()
		l.check()
	}
	if len(l.mistakes) > 0 {
		sortMistakes(l.mistakes)
		return nil, &Error{Mistakes: l.mistakes}
	}
	l.resolvePaths()
	return l.config, nil
}

// A loader puts a configuration together and collects what is wrong with it.
type loader struct {
	Options
	name     string // the file, as messages call it
	config   *Config
	mistakes []Mistake
	wrong    map[slot]bool // slots whose value was refused; not judged again
}

// An origin is where a value came from.
type origin struct {
	where        string // as in Mistake; empty: the default
	line, column int
}

// refuse notes a mistake about a slot.
func (l *loader) refuse(s slot, at origin, text string) {
	if l.wrong == nil {
		l.wrong = make(map[slot]bool)
	}
	l.wrong[s] = true
	l.complain(at, l.config.label(s), text)
}

// complain notes a mistake about a place.
func (l *loader) complain(at origin, key, text string) {
	if at.where == "" {
		at.where = l.name
	}
	key = cut(key, 120) // an account's longest fits
	l.mistakes = append(l.mistakes, Mistake{at.where, key, text, at.line, at.column})
}

// fill puts a value into a field.
func (l *loader) fill(f field, v value, at origin) {
	if err := f.target.set(v); err != nil {
		all := []error{err}
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			all = several.Unwrap()
		}
		for _, err := range all {
			l.refuse(f.slot, at, err.Error())
		}
		return
	}
	delete(l.wrong, f.slot)
	l.config.origins[f.slot] = at
}

// readFlags takes what the command line says.
func (l *loader) readFlags() {
	for _, f := range l.config.fields() {
		if text, ok := l.Flags[f.name]; ok && f.field != nil {
			at := origin{where: "--" + strings.ReplaceAll(f.name, ".", "-")}
			l.fill(f, value{form: formEnv, text: text}, at)
		}
	}
}

// resolvePaths makes the names of files absolute.
func (l *loader) resolvePaths() {
	dir := filepath.Dir(l.config.File)
	for _, f := range l.config.fields() {
		p, ok := f.target.(pathTarget)
		if ok && *p.p != "" && !filepath.IsAbs(*p.p) {
			*p.p = filepath.Join(dir, *p.p)
		}
	}
}

// CheckValue judges a text for a key, "log.level" for instance, as it would be
// judged in the environment. Accounts' keys are not known to it.
func CheckValue(key, text string) error {
	for _, f := range Default().fields() {
		if f.name == key && f.field != nil {
			return f.target.set(value{form: formEnv, text: text})
		}
	}
	return fmt.Errorf("unknown key%s", suggestKey(key))
}

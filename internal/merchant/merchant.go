// Package merchant makes merchants' names comparable: "SQ *BLUE BOTTLE #1234" and
// "Blue Bottle" are one shop.
//
// What the card networks pass on as a name is a line of 25 or 40 characters into
// which payment processors, shops and banks put what they like. A list of rules
// takes away what is not the name, and no more than that: two names too many in a
// report are a nuisance, two companies under one name are a wrong report. Every
// rule can be read, has an example, and says its id where it was used; own rules
// come before the built-in ones.
//
// A name is first tidied (blanks, wide and narrow forms of letters); then all
// rules have a turn, again and again until none of them changes anything. So what
// comes out is a name that comes out of itself. A normalised name is for people
// and sums; it is no key.
package merchant

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A Rule is one step on the way from a raw name to a normalised one.
type Rule struct {
	ID      string
	Pattern string // regular expression; empty: the rule is not one that an expression can say
	Name    string // what stands in the place of the match; $1 is the first group
	Why     string // one line
	In, Out string // an example: a raw name that the rule is used for, and what becomes of it

	whole bool // the match is not replaced, but the whole name
	when  func(text string) bool
	re    *regexp.Regexp
}

// An Own rule is one of the user's: a name with a match of the pattern, in capitals
// or not, is called Name, which may use the pattern's groups.
type Own struct{ Pattern, Name string }

// A Normaliser makes names comparable. It does not change, and may be used by
// several at once.
type Normaliser struct {
	own     []Rule
	builtin []Rule
	final   map[string]bool // names that own rules give as they stand
	version string
}

// Limits, so that a name is done soon whatever it is and whatever own rules do
// with it. Networks pass on 40 characters at most, wallets perhaps a hundred.
const (
	longest = 200 // characters
	turns   = 150 // what takes one letter away in each still ends
)

// Ids of what is no expression.
const (
	idForms  = "forms"
	idBlanks = "blanks"
	idCase   = "case"
	idCircle = "circle"
	idLong   = "long"
)

// revision is raised when the code changes what becomes of a name though the rules
// stay the same.
const revision = 1

// New returns a Normaliser with own rules before the built-in ones. The error names
// the rule that is wrong.
func New(own []Own) (*Normaliser, error) {
	n := &Normaliser{builtin: builtin(), final: make(map[string]bool)}
	for i, o := range own {
		re, err := regexp.Compile("(?i)" + o.Pattern)
		if err != nil {
			return nil, fmt.Errorf("own rule %d: %w", i+1, err)
		}
		name, _ := tidy(o.Name)
		if name == "" {
			return nil, fmt.Errorf("own rule %d: the name is empty", i+1)
		}
		if !strings.Contains(name, "$") {
			n.final[name] = true
		}
		n.own = append(n.own, Rule{ID: fmt.Sprintf("own.%d", i+1), Pattern: o.Pattern, Name: name, Why: "own rule", re: re, whole: true})
	}
	n.version = n.hash()
	return n, nil
}

// hash stands for everything that decides about names.
func (n *Normaliser) hash() string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %s %s %d %d\n", revision, norm.Version, unicode.Version, longest, turns)
	for _, r := range n.Rules() {
		fmt.Fprintf(h, "%q %q %q\n", r.ID, r.Pattern, r.Name)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// Version is another one when the rules are others, so that what was kept of
// earlier names can be made again.
func (n *Normaliser) Version() string { return n.version }

// Rules lists all rules in their order.
func (n *Normaliser) Rules() []Rule {
	return slices.Concat(n.own, n.builtin)
}

// Name returns the normalised form of a raw name, and the ids of the rules that
// made it, joined by "+" in the order of their first use; none if the raw name is
// good as it is. Only an empty name has an empty form.
func (n *Normaliser) Name(raw string) (name, rule string) {
	var ids ids
	tidied, changes := tidy(raw)
	if tidied == "" { // nothing but blanks: a name nobody can tell from others
		return raw, ""
	}
	ids.add(changes...)
	if utf8.RuneCountInString(tidied) > longest {
		ids.add(idLong)
		return tidied, ids.String()
	}
	text := tidied
	for range turns {
		next := n.turn(text, &ids)
		if next == text {
			return text, ids.String()
		}
		if utf8.RuneCountInString(next) > longest {
			break
		}
		text = next
	}
	// Own rules that send names round in circles, or let them grow. Wherever in
	// the circle one begins, it has no end: each of its names stays what it is.
	return tidied, joined(changes, idCircle)
}

func joined(changes []string, id string) string {
	return strings.Join(append(slices.Clone(changes), id), "+")
}

// turn lets every rule have a go at a tidied name, and returns a tidied name.
func (n *Normaliser) turn(text string, ids *ids) string {
	for i := range n.own {
		if next, ok := n.own[i].rename(text); ok {
			ids.add(n.own[i].ID)
			return next
		}
	}
	if n.final[text] {
		return text
	}
	text = capitals(text, ids)
	for i := range n.builtin {
		r := &n.builtin[i]
		if r.re == nil || r.when != nil && !r.when(text) {
			continue
		}
		if next, ok := r.strip(text); ok {
			ids.add(r.ID)
			text = next
		}
	}
	return text
}

// capitals is the name in capitals, tidied again: not all letters have capitals
// that are written in one way only.
func capitals(text string, ids *ids) string {
	upper := strings.ToUpper(text)
	if upper == text {
		return text
	}
	ids.add(idCase)
	upper, changes := tidy(upper)
	ids.add(changes...)
	return upper
}

// rename returns the name that an own rule gives, and whether it gives one.
func (r *Rule) rename(text string) (string, bool) {
	m := r.re.FindStringSubmatchIndex(text)
	if m == nil {
		return "", false
	}
	next, _ := tidy(string(r.re.ExpandString(nil, r.Name, text, m)))
	return next, next != "" // groups may be empty
}

// strip replaces the match of a built-in rule, and reports whether that changed
// anything. A rule never leaves less than a name.
func (r *Rule) strip(text string) (string, bool) {
	m := r.re.FindStringSubmatchIndex(text)
	if m == nil {
		return text, false
	}
	b := append(make([]byte, 0, len(text)+len(r.Name)), text[:m[0]]...)
	b = r.re.ExpandString(b, r.Name, text, m)
	b = append(b, text[m[1]:]...)
	next, _ := tidy(string(b))
	if next == text || !isName(next) {
		return text, false
	}
	return next, true
}

// isName reports whether what is left can be a name: it has a letter, is more than
// an article ("THE LIMITED" is a shop), and does not break off.
func isName(text string) bool {
	for _, word := range []string{" &", " +", " AND", " UND", " ET", " OF", " THE"} {
		if strings.HasSuffix(text, word) {
			return false
		}
	}
	switch text {
	case "THE", "A", "AN", "EL", "LA", "LE", "LOS", "LES", "DER", "DIE", "DAS", "PRIVATE":
		return false
	}
	return strings.ContainsFunc(text, unicode.IsLetter)
}

// ids are those of the rules that were used, each once.
type ids []string

func (s *ids) add(more ...string) {
	for _, id := range more {
		if !slices.Contains(*s, id) {
			*s = append(*s, id)
		}
	}
}

func (s *ids) String() string { return strings.Join(*s, "+") }

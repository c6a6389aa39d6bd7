package worldfirst

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// A document is a JSON text taken apart without changing a byte of it: bills
// are kept as received (API §1), names are matched exactly, and numbers keep
// their text. encoding/json gives none of the three, and its check alone would
// cost as much as all that is done here: one walk finds out whether the text is
// JSON and where each of its values begins and ends.
type document struct {
	src    []byte
	nodes  []node // in the order of the text; the first is the whole value
	broken bool   // some string is no UTF-8
}

// documents keeps the room for nodes from one answer to the next. Nodes are
// numbers, so nothing of an answer is kept with them.
var documents = sync.Pool{New: func() any { return new(document) }}

// maxKeptNodes is the most that is kept of a document: several full pages.
const maxKeptNodes = 1 << 16

// release gives a document back. Nothing that was asked of it may be used any
// more, but what it said of src may.
func (d *document) release() {
	if cap(d.nodes) <= maxKeptNodes {
		*d = document{nodes: d.nodes[:0]}
		documents.Put(d)
	}
}

// A node is a value or a member's name. Behind a list stand its elements,
// behind an object its members, each a name and a value, and behind each value
// what is in it.
type node struct {
	from, to uint32 // in src; a string's quotes included
	next     uint32 // index of the first node that is not in this one
	first    byte   // src[from], which tells the kind of value
	marks    mark
}

// A mark says something of a string. Other values have none.
type mark uint8

const (
	markString  mark = 1 << iota // it is one
	markEscaped                  // it holds a backslash, so that it says something else than its bytes
	markBroken                   // it is no UTF-8
)

// maxDepth is how deep lists and objects may be in one another; encoding/json
// draws the line there.
const maxDepth = 10000

// parse takes src apart and reports whether it is JSON, which is so for exactly
// those texts that json.Valid accepts. Nothing else may be asked of a document
// that is none.
func (d *document) parse(src []byte) bool {
	d.src, d.nodes, d.broken = src, d.nodes[:0], false
	if uint64(len(src)) > math.MaxUint32 {
		return false // a node could not say where it is; see maxBody
	}
	if d.nodes == nil {
		d.nodes = make([]node, 0, 8+len(src)/12) // bills have a node in 14 bytes
	}
	end := d.parseValue(skipSpace(src, 0), 0)
	return end >= 0 && skipSpace(src, end) == len(src)
}

// parseValue notes the value that begins at src[i], inside depth others, and
// returns the index after it; -1 if there is none.
func (d *document) parseValue(i, depth int) int {
	if i >= len(d.src) {
		return -1
	}
	switch d.src[i] {
	case '"':
		return d.parseString(i)
	case '{':
		return d.parseObject(i, depth+1)
	case '[':
		return d.parseList(i, depth+1)
	case 't':
		return d.parseWord(i, "true")
	case 'f':
		return d.parseWord(i, "false")
	case 'n':
		return d.parseWord(i, "null")
	}
	return d.parseNumber(i)
}

func (d *document) parseObject(i, depth int) int {
	if depth > maxDepth {
		return -1
	}
	src, at := d.src, len(d.nodes)
	d.nodes = append(d.nodes, node{from: uint32(i), first: '{'})
	i = skipSpace(src, i+1)
	if i < len(src) && src[i] == '}' {
		return d.close(at, i+1)
	}
	for {
		if i >= len(src) || src[i] != '"' {
			return -1
		}
		if i = d.parseString(i); i < 0 {
			return -1
		}
		if i = skipSpace(src, i); i >= len(src) || src[i] != ':' {
			return -1
		}
		if i = d.parseValue(skipSpace(src, i+1), depth); i < 0 {
			return -1
		}
		i = skipSpace(src, i)
		switch {
		case i >= len(src):
			return -1
		case src[i] == '}':
			return d.close(at, i+1)
		case src[i] != ',':
			return -1
		}
		i = skipSpace(src, i+1)
	}
}

func (d *document) parseList(i, depth int) int {
	if depth > maxDepth {
		return -1
	}
	src, at := d.src, len(d.nodes)
	d.nodes = append(d.nodes, node{from: uint32(i), first: '['})
	i = skipSpace(src, i+1)
	if i < len(src) && src[i] == ']' {
		return d.close(at, i+1)
	}
	for {
		if i = d.parseValue(i, depth); i < 0 {
			return -1
		}
		i = skipSpace(src, i)
		switch {
		case i >= len(src):
			return -1
		case src[i] == ']':
			return d.close(at, i+1)
		case src[i] != ',':
			return -1
		}
		i = skipSpace(src, i+1)
	}
}

// close notes where a list or an object ends.
func (d *document) close(at, end int) int {
	d.nodes[at].to, d.nodes[at].next = uint32(end), uint32(len(d.nodes))
	return end
}

// scalar notes a value with nothing in it.
func (d *document) scalar(from, to int, marks mark) int {
	d.nodes = append(d.nodes, node{uint32(from), uint32(to), uint32(len(d.nodes) + 1), d.src[from], marks})
	return to
}

// Eight bytes at once; see parseString.
const (
	eachByte = 0x0101010101010101
	eachHigh = 0x80 * eachByte
)

func (d *document) parseString(from int) int {
	src, i := d.src, from+1
	marks, ascii := markString, true
	for {
		// Over what needs no look, eight bytes at a time: a byte's high bit is set
		// here if it is a quote or a backslash, less than a blank, or no ASCII. A
		// borrow can set it in the bytes behind such a one as well, never before it.
		for i+8 <= len(src) {
			w := binary.LittleEndian.Uint64(src[i:])
			quote, slash := w^('"'*eachByte), w^('\\'*eachByte)
			stop := ((quote-eachByte)&^quote | (slash-eachByte)&^slash | (w - ' '*eachByte) | w) & eachHigh
			if stop != 0 {
				i += bits.TrailingZeros64(stop) / 8
				break
			}
			i += 8
		}
		if i >= len(src) {
			return -1
		}
		switch c := src[i]; {
		case c == '"':
			i++
			if !ascii && !utf8.Valid(src[from:i]) {
				marks |= markBroken
				d.broken = true
			}
			return d.scalar(from, i, marks)
		case c == '\\':
			n := escape(src[i:])
			if n == 0 {
				return -1
			}
			marks |= markEscaped
			i += n
		case c < ' ':
			return -1
		case c >= utf8.RuneSelf:
			ascii = false
			for i++; i < len(src) && src[i] >= utf8.RuneSelf; i++ {
			}
		default: // one of the last seven bytes
			i++
		}
	}
}

// escape returns the length of the escape that b begins with; 0 if it is none.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) >= 6 && isHex(b[2]) && isHex(b[3]) && isHex(b[4]) && isHex(b[5]) {
			return 6
		}
	}
	return 0
}

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func (d *document) parseWord(i int, word string) int {
	if end := i + len(word); end <= len(d.src) && string(d.src[i:end]) == word {
		return d.scalar(i, end, 0)
	}
	return -1
}

func (d *document) parseNumber(from int) int {
	src, i := d.src, from
	if src[i] == '-' {
		i++
	}
	whole := i
	i = skipDigits(src, i)
	if i == whole || src[whole] == '0' && i > whole+1 {
		return -1
	}
	if i < len(src) && src[i] == '.' {
		fraction := i + 1
		if i = skipDigits(src, fraction); i == fraction {
			return -1
		}
	}
	if i < len(src) && (src[i] == 'e' || src[i] == 'E') {
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		exponent := i
		if i = skipDigits(src, exponent); i == exponent {
			return -1
		}
	}
	return d.scalar(from, i, 0)
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// The methods from here on read a document that is JSON. A value is named by
// the index of its node.

// json returns a value as it was received.
func (d *document) json(v int) []byte { return d.src[d.nodes[v].from:d.nodes[v].to] }

// next returns the index of the node behind a value and all that is in it.
func (d *document) next(v int) int { return int(d.nodes[v].next) }

// first returns the first byte of a value, which tells its kind.
func (d *document) first(v int) byte { return d.nodes[v].first }

func (d *document) isNull(v int) bool { return d.first(v) == 'n' }

// isScalar reports whether v is a string, a number or a truth value.
func (d *document) isScalar(v int) bool {
	c := d.first(v)
	return c != '{' && c != '[' && c != 'n'
}

// text returns what a string says, or the literal of a number or truth value as
// it was received. Bytes that are no UTF-8 become U+FFFD. The result may share
// the document's memory.
func (d *document) text(v int) []byte {
	n := &d.nodes[v]
	if n.marks > markString {
		return d.unescaped(v)
	}
	quote := uint32(n.marks)
	return d.src[n.from+quote : n.to-quote]
}

// unescaped is text for a string that does not say what its bytes are.
func (d *document) unescaped(v int) []byte {
	literal := d.json(v)
	said := make([]byte, 0, len(literal))
	for i := 1; i < len(literal)-1; {
		if literal[i] != '\\' {
			r, size := utf8.DecodeRune(literal[i:])
			said = utf8.AppendRune(said, r)
			i += size
			continue
		}
		switch c := literal[i+1]; c {
		case 'u':
			r := unicodeEscape(literal[i:])
			i += 6
			if utf16.IsSurrogate(r) {
				// Half a character; without its other half it says nothing.
				if r = utf16.DecodeRune(r, unicodeEscape(literal[i:])); r != utf8.RuneError {
					i += 6
				}
			}
			said = utf8.AppendRune(said, r)
			continue
		case 'b':
			said = append(said, '\b')
		case 'f':
			said = append(said, '\f')
		case 'n':
			said = append(said, '\n')
		case 'r':
			said = append(said, '\r')
		case 't':
			said = append(said, '\t')
		default:
			said = append(said, c)
		}
		i += 2
	}
	return said
}

// unicodeEscape returns the character of the escape \uXXXX that b begins with;
// -1 if it begins with something else.
func unicodeEscape(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[2:6] {
		if isDigit(c) {
			c -= '0'
		} else {
			c = (c | 0x20) - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

// count returns how many elements a list has.
func (d *document) count(list int) int {
	n := 0
	for v := list + 1; v < d.next(list); v = d.next(v) {
		n++
	}
	return n
}

// find returns the value of an object's member; 0 if there is none or it is
// null. Of two members with one name the last counts.
func (d *document) find(object int, name string) int {
	found := 0
	for m := object + 1; m < d.next(object); m = d.next(m + 1) {
		if string(d.text(m)) == name {
			found = m + 1
		}
	}
	if found > 0 && d.isNull(found) {
		return 0
	}
	return found
}

// A member is one name and value of an object.
type member struct {
	name  []byte
	value int
}

// appendMembers appends the members of an object as they count: see
// countedMembers.
func (d *document) appendMembers(dst []member, object int) []member {
	from := len(dst)
	for m := object + 1; m < d.next(object); m = d.next(m + 1) {
		dst = append(dst, member{d.text(m), m + 1})
	}
	return dst[:from+len(d.countedMembers(dst[from:]))]
}

// countedMembers sorts members by name. Of those with one name only the last
// stays, and none that is null. It changes and returns its argument.
func (d *document) countedMembers(members []member) []member {
	if len(members) > 16 {
		slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(string(a.name), string(b.name)) })
	} else {
		for i := range members {
			for j := i; j > 0 && string(members[j].name) < string(members[j-1].name); j-- {
				members[j], members[j-1] = members[j-1], members[j]
			}
		}
	}
	kept := members[:0]
	for i, m := range members {
		if i+1 < len(members) && bytes.Equal(m.name, members[i+1].name) || d.isNull(m.value) {
			continue
		}
		kept = append(kept, m)
	}
	return kept
}

// kind names the type of a value for people.
func (d *document) kind(v int) string {
	switch d.first(v) {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "text"
	case 't', 'f':
		return "a truth value"
	case 'n':
		return "null"
	}
	return "a number"
}

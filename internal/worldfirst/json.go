package worldfirst

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// The functions here take JSON apart without changing a byte of it: bills are
// kept as received (API §1), names are matched exactly, and numbers keep their
// text. encoding/json gives none of the three. All of them rely on input that
// json.Valid has accepted, and read any other input wrongly.

// A member is one name and value of a JSON object; the value is the bytes as
// received.
type member struct {
	name  []byte
	value []byte
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index after the string that begins at b[i].
func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipLiteral returns the index after the number, true, false or null that
// begins at b[i].
func skipLiteral(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case ',', ']', '}', ' ', '\t', '\n', '\r':
			return i
		}
		i++
	}
	return i
}

// skipValue returns the index after the value that begins at b[i].
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
	default:
		return skipLiteral(b, i)
	}
	for depth := 0; ; {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
}

// appendMembers appends the members of the object b. Of two members with one
// name the last stays, at the place of the first.
func appendMembers(dst []member, b []byte) []member {
	first := len(dst)
	for i := skipSpace(b, 1); b[i] != '}'; {
		if b[i] == ',' {
			i = skipSpace(b, i+1)
		}
		end := skipString(b, i)
		m := member{name: stringBytes(b[i:end])}
		i = skipSpace(b, skipSpace(b, end)+1) // over the colon
		end = skipValue(b, i)
		m.value = b[i:end]
		i = skipSpace(b, end)
		if at := slices.IndexFunc(dst[first:], func(o member) bool { return bytes.Equal(o.name, m.name) }); at >= 0 {
			dst[first+at] = m
		} else {
			dst = append(dst, m)
		}
	}
	return dst
}

// find returns the value of a member; nil if there is none or it is null.
func find(members []member, name string) []byte {
	for _, m := range members {
		if string(m.name) == name && !isNull(m.value) {
			return m.value
		}
	}
	return nil
}

// appendElements appends the elements of the array b.
func appendElements(dst [][]byte, b []byte) [][]byte {
	for i := skipSpace(b, 1); b[i] != ']'; {
		if b[i] == ',' {
			i = skipSpace(b, i+1)
		}
		end := skipValue(b, i)
		dst = append(dst, b[i:end])
		i = skipSpace(b, end)
	}
	return dst
}

// countElements returns how many elements the array b has.
func countElements(b []byte) int {
	n := 0
	for i := skipSpace(b, 1); b[i] != ']'; n++ {
		if b[i] == ',' {
			i = skipSpace(b, i+1)
		}
		i = skipSpace(b, skipValue(b, i))
	}
	return n
}

func isNull(v []byte) bool { return v[0] == 'n' }

// isScalar reports whether v is a string, a number or a truth value.
func isScalar(v []byte) bool { return v[0] != '{' && v[0] != '[' && v[0] != 'n' }

// scalarText returns the text of a string, or the literal of a number or truth
// value as it was received.
func scalarText(v []byte) string {
	if v[0] == '"' {
		return string(stringBytes(v))
	}
	return string(v)
}

// stringBytes returns what the JSON string v says. Bytes that are no UTF-8
// become U+FFFD.
func stringBytes(v []byte) []byte {
	if bytes.IndexByte(v, '\\') < 0 && utf8.Valid(v) {
		return v[1 : len(v)-1]
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		panic("worldfirst: string was not validated: " + err.Error())
	}
	return []byte(s)
}

// kindOf names the type of a JSON value for people.
func kindOf(v []byte) string {
	switch v[0] {
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

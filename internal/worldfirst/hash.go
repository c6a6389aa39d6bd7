package worldfirst

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"billsync/internal/bill"
)

// A fingerprint collects what a bill's fields say, for bill.Bill.Hash. Every
// piece carries its length, so that two neighbours cannot run together.
type fingerprint struct {
	fields []printedField
	buf    []byte
}

type printedField struct {
	name     []byte
	from, to int // in buf
}

// Kinds of what a field says. Each begins what is written about a field.
const (
	printText   = 's' // a text field, however it was spelled
	printTime   = 'z' // a time that was understood: the instant
	printAmount = 'a' // an amount that was understood
	printJSON   = 'j' // anything else: its JSON, in one canonical form
)

// add makes room for one more field and returns buf to write it to.
func (p *fingerprint) add(name []byte, write func(dst []byte) []byte) {
	from := len(p.buf)
	p.buf = write(p.buf)
	p.fields = append(p.fields, printedField{name, from, len(p.buf)})
}

func (p *fingerprint) text(name []byte, text string) {
	p.add(name, func(dst []byte) []byte { return appendSized(append(dst, printText), text) })
}

func (p *fingerprint) time(name []byte, nanos int64) {
	p.add(name, func(dst []byte) []byte { return binary.BigEndian.AppendUint64(append(dst, printTime), uint64(nanos)) })
}

// amount takes the members beside currency and value too: whatever they say, a
// change of it is a change of the bill.
func (p *fingerprint) amount(name []byte, a bill.Amount, others []member) {
	p.add(name, func(dst []byte) []byte {
		dst = appendSized(append(dst, printAmount), a.Currency)
		dst = binary.BigEndian.AppendUint64(dst, uint64(a.Value))
		return appendCanonicalObject(dst, others)
	})
}

func (p *fingerprint) json(name, value []byte) {
	p.add(name, func(dst []byte) []byte { return appendCanonical(append(dst, printJSON), value) })
}

// sum returns the hash; the order in which fields were added does not matter.
func (p *fingerprint) sum() string {
	slices.SortFunc(p.fields, func(a, b printedField) int { return cmp.Compare(string(a.name), string(b.name)) })
	h := sha256.New()
	var size [2 * binary.MaxVarintLen64]byte
	for _, f := range p.fields {
		n := binary.PutUvarint(size[:], uint64(len(f.name)))
		n += binary.PutUvarint(size[n:], uint64(f.to-f.from))
		h.Write(size[:n])
		h.Write(f.name)
		h.Write(p.buf[f.from:f.to])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// appendCanonical writes JSON so that equal values give equal bytes and
// different ones different bytes: members sorted by name, those that are null
// left out, strings by what they say, numbers by their literal.
func appendCanonical(dst, v []byte) []byte {
	switch v[0] {
	case '{':
		return appendCanonicalObject(dst, appendMembers(nil, v))
	case '[':
		elements := appendElements(nil, v)
		dst = binary.AppendUvarint(append(dst, '['), uint64(len(elements)))
		for _, e := range elements {
			dst = appendCanonical(dst, e)
		}
		return dst
	case '"':
		return appendSized(append(dst, '"'), stringBytes(v))
	}
	return appendSized(append(dst, '#'), v)
}

func appendCanonicalObject(dst []byte, members []member) []byte {
	members = slices.DeleteFunc(slices.Clone(members), func(m member) bool { return isNull(m.value) })
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(string(a.name), string(b.name)) })
	dst = binary.AppendUvarint(append(dst, '{'), uint64(len(members)))
	for _, m := range members {
		dst = appendCanonical(appendSized(dst, m.name), m.value)
	}
	return dst
}

func appendSized[T ~string | ~[]byte](dst []byte, text T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

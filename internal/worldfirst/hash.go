package worldfirst

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// A fingerprint collects what a bill's fields say, for bill.Bill.Hash. Every
// piece carries its length, so that two neighbours cannot run together.
type fingerprint struct {
	buf    []byte
	fields [fields]printed
	others []printedMember // what is no field; sorted by name, which none shares with a field
	whole  []byte          // the fields in their order
}

// A printed is where buf tells what a field says; empty if it says nothing.
type printed struct{ from, to int }

type printedMember struct {
	name []byte
	said printed
}

// Kinds of what a field says. Each begins what is written about a field.
const (
	printText   = 's' // a text field, however it was spelled
	printTime   = 'z' // a time that was understood: the instant
	printAmount = 'a' // an amount that was understood
	printJSON   = 'j' // anything else: its JSON, in one canonical form
)

func (p *fingerprint) reset() {
	p.buf, p.others, p.fields = p.buf[:0], p.others[:0], [fields]printed{}
}

// put takes buf with something more at its end.
func (p *fingerprint) put(buf []byte) printed {
	from := len(p.buf)
	p.buf = buf
	return printed{from, len(buf)}
}

func (p *fingerprint) text(text []byte) printed {
	return p.put(appendSized(append(p.buf, printText), text))
}

func (p *fingerprint) time(nanos int64) printed {
	return p.put(binary.BigEndian.AppendUint64(append(p.buf, printTime), uint64(nanos)))
}

// amount takes the members beside currency and value too: whatever they say, a
// change of it is a change of the bill.
func (p *fingerprint) amount(currency []byte, value int64, d *document, others []member) printed {
	buf := appendSized(append(p.buf, printAmount), currency)
	buf = binary.BigEndian.AppendUint64(buf, uint64(value))
	return p.put(appendObject(buf, d, others))
}

func (p *fingerprint) json(d *document, v int) printed {
	return p.put(appendCanonical(append(p.buf, printJSON), d, v))
}

// object takes members of which some are texts however they were spelled: 100
// is "100" in an amount's value.
func (p *fingerprint) object(d *document, members []member, texts ...string) printed {
	return p.put(appendObject(append(p.buf, printJSON), d, members, texts...))
}

// appendSum appends the hash of all, in hexadecimal digits. The order in which
// the fields came does not matter.
func (p *fingerprint) appendSum(dst []byte) []byte {
	whole, others := p.whole[:0], p.others
	for f, said := range p.fields {
		if said.to == 0 {
			continue
		}
		for len(others) > 0 && string(others[0].name) < fieldNames[f] {
			whole = appendPrinted(whole, others[0].name, p.buf[others[0].said.from:others[0].said.to])
			others = others[1:]
		}
		whole = appendPrinted(whole, fieldNames[f], p.buf[said.from:said.to])
	}
	for _, o := range others {
		whole = appendPrinted(whole, o.name, p.buf[o.said.from:o.said.to])
	}
	p.whole = whole
	sum := sha256.Sum256(whole)
	return hex.AppendEncode(dst, sum[:16])
}

func appendPrinted[T ~string | ~[]byte](dst []byte, name T, said []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(name)))
	dst = binary.AppendUvarint(dst, uint64(len(said)))
	dst = append(dst, name...)
	return append(dst, said...)
}

// appendCanonical writes JSON so that equal values give equal bytes and
// different ones different bytes: members sorted by name, those that are null
// left out, strings by what they say, numbers by their literal.
func appendCanonical(dst []byte, d *document, v int) []byte {
	switch d.first(v) {
	case '{':
		var room [8]member
		return appendObject(dst, d, d.appendMembers(room[:0], v))
	case '[':
		dst = binary.AppendUvarint(append(dst, '['), uint64(d.count(v)))
		for e := v + 1; e < d.next(v); e = d.next(e) {
			dst = appendCanonical(dst, d, e)
		}
		return dst
	case '"':
		return appendSized(append(dst, '"'), d.text(v))
	}
	return appendSized(append(dst, '#'), d.json(v))
}

// appendObject writes an object of members as they count. Those named in texts
// are written as if they were strings, if they are scalars.
func appendObject(dst []byte, d *document, members []member, texts ...string) []byte {
	dst = binary.AppendUvarint(append(dst, '{'), uint64(len(members)))
	for _, m := range members {
		dst = appendSized(dst, m.name)
		if len(texts) > 0 && d.isScalar(m.value) && slices.Contains(texts, string(m.name)) {
			dst = appendSized(append(dst, '"'), d.text(m.value))
		} else {
			dst = appendCanonical(dst, d, m.value)
		}
	}
	return dst
}

func appendSized(dst, text []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

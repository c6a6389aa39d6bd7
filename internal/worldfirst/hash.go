package worldfirst

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"billsync/internal/bill"
)

// A fingerprint collects what a bill's fields say, for bill.Bill.Hash. They are
// added in the order of their names. Every piece carries its length, so that two
// neighbours cannot run together.
type fingerprint struct {
	buf  []byte
	size int // where in buf the length of what is being added is to stand
	said int // where that begins
}

// A heading is what stands before what a field says: its name and room for the
// length, which is seldom more than a byte.
type heading struct {
	text string
	size int // where the room is
}

func headingOf(name string) heading {
	size := binary.AppendUvarint(nil, uint64(len(name)))
	return heading{string(size) + "\x00" + name, len(size)}
}

// fieldHeadings are the headings of a bill's fields.
var fieldHeadings = func() (headings [fields]heading) {
	for f, name := range fieldNames {
		headings[f] = headingOf(name)
	}
	return headings
}()

// Kinds of what a field says. Each begins what is written about a field.
const (
	printText   = 's' // a text field, however it was spelled
	printTime   = 'z' // a time that was understood: the instant
	printAmount = 'a' // an amount that was understood
	printJSON   = 'j' // anything else: its JSON, in one canonical form
)

func (p *fingerprint) reset() { p.buf = p.buf[:0] }

func (p *fingerprint) begin(h heading) {
	p.size = len(p.buf) + h.size
	p.buf = append(p.buf, h.text...)
	p.said = len(p.buf)
}

// end takes buf with all that was to be said.
func (p *fingerprint) end(buf []byte) {
	size := len(buf) - p.said
	if size < 0x80 {
		buf[p.size], p.buf = byte(size), buf
		return
	}
	p.buf = slices.Replace(buf, p.size, p.size+1, binary.AppendUvarint(nil, uint64(size))...)
}

func (p *fingerprint) text(h heading, text []byte) {
	p.begin(h)
	p.end(appendSized(append(p.buf, printText), text))
}

func (p *fingerprint) time(h heading, nanos int64) {
	p.begin(h)
	p.end(binary.BigEndian.AppendUint64(append(p.buf, printTime), uint64(nanos)))
}

// amount takes the members beside currency and value too: whatever they say, a
// change of it is a change of the bill.
func (p *fingerprint) amount(h heading, a *bill.Amount, d *document, others []member) {
	p.begin(h)
	buf := appendSized(append(p.buf, printAmount), a.Currency)
	buf = binary.BigEndian.AppendUint64(buf, uint64(a.Value))
	p.end(appendObject(buf, d, others))
}

func (p *fingerprint) json(h heading, d *document, v int) {
	p.begin(h)
	p.end(appendCanonical(append(p.buf, printJSON), d, v))
}

// object takes members of which some are texts however they were spelled: 100
// is "100" in an amount's value.
func (p *fingerprint) object(h heading, d *document, members []member, texts ...string) {
	p.begin(h)
	p.end(appendObject(append(p.buf, printJSON), d, members, texts...))
}

// sum returns the hash of all, in hexadecimal digits.
func (p *fingerprint) sum() (digits [32]byte) {
	sum := sha256.Sum256(p.buf)
	hex.Encode(digits[:], sum[:16])
	return digits
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

func appendSized[T ~string | ~[]byte](dst []byte, text T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

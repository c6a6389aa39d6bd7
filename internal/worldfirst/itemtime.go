package worldfirst

import (
	"bytes"
	"time"
)

// ItemTime reads the transaction time of an item of a bill list that is no bill
// to us, such as one without an order number; false if that is not readable
// either. Like a bill's it is in whole milliseconds.
func ItemTime(raw []byte) (time.Time, bool) {
	var doc document
	if !doc.parse(bytes.TrimSpace(raw)) || doc.first(0) != '{' {
		return time.Time{}, false
	}
	v := doc.find(0, "transactionTime")
	if v == 0 || !doc.isScalar(v) {
		return time.Time{}, false
	}
	at, err := ParseTime(string(doc.text(v)))
	return at, err == nil
}

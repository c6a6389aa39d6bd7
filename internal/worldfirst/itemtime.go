package worldfirst

import (
	"bytes"
	"encoding/json"
	"time"
)

// ItemTime reads the transaction time of an item of a bill list that is no bill
// to us, such as one without an order number; false if that is not readable
// either. Like a bill's it is in whole milliseconds.
func ItemTime(raw []byte) (time.Time, bool) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' || !json.Valid(raw) {
		return time.Time{}, false
	}
	v := find(appendMembers(nil, raw), "transactionTime")
	if v == nil || !isScalar(v) {
		return time.Time{}, false
	}
	at, err := ParseTime(scalarText(v))
	return at, err == nil
}

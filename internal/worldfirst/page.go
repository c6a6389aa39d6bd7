package worldfirst

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"billsync/internal/bill"
)

// An envelope is an answer's body taken apart: its result, and the members
// that the endpoint adds (API §3.3).
type envelope struct {
	status  string // S, F or U
	code    string
	message string
	members []member
}

// readEnvelope takes a body apart. It reports false for everything that is no
// result: another status than S, F and U counts as none (API §5).
func readEnvelope(body []byte) (envelope, bool) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' || !json.Valid(body) {
		return envelope{}, false
	}
	env := envelope{members: appendMembers(nil, body)}
	result := find(env.members, "result")
	if result == nil || result[0] != '{' {
		return envelope{}, false
	}
	members := appendMembers(nil, result)
	text := func(name string) string {
		if v := find(members, name); v != nil && isScalar(v) {
			return scalarText(v)
		}
		return ""
	}
	env.status = text("resultStatus")
	switch env.status {
	case "S", "F", "U":
	default:
		return envelope{}, false
	}
	env.code = oneLine(text("resultCode"), 64)
	// The gateway itself spells it resultMsg (API §3.3).
	if env.message = oneLine(text("resultMessage"), maxMessage); env.message == "" {
		env.message = oneLine(text("resultMsg"), maxMessage)
	}
	return env, true
}

// maxMessage bounds the words of others in a message, in characters.
const maxMessage = 300

// decodePage reads what a yes to queryBillList carries (API §6.2). A bill list
// with the known hash is not decoded but kept; empty knows none.
func decodePage(members []member, known string) (bill.Page, error) {
	var page bill.Page
	for _, number := range []struct {
		name     string
		value    *int
		required bool
	}{
		{"totalCount", &page.TotalCount, true},
		{"currentPageNumber", &page.Number, false},
		{"totalPageNumber", &page.TotalPages, false},
	} {
		v := find(members, number.name)
		if v == nil {
			if number.required {
				return bill.Page{}, fmt.Errorf("%s is missing", number.name)
			}
			continue
		}
		n, err := count(v)
		if err != nil {
			said := kindOf(v)
			if isScalar(v) {
				said = quoted(scalarText(v), 30)
			}
			return bill.Page{}, fmt.Errorf("%s is %s, %w", number.name, said, err)
		}
		*number.value = n
	}
	list := find(members, "billList")
	sum := sha256.Sum256(list)
	page.Hash = hex.EncodeToString(sum[:16])
	page.Unchanged = known != "" && page.Hash == known
	if list == nil {
		return page, nil // as good as an empty one (API §6.2)
	}
	if list[0] != '[' {
		return bill.Page{}, fmt.Errorf("billList is %s, not a list", kindOf(list))
	}
	if page.Unchanged {
		page.Count, page.List = countElements(list), list
		return page, nil
	}
	page.Items = decodeElements(list)
	page.Count = len(page.Items)
	return page, nil
}

// DecodeList reads a bill list that was kept because its page was unchanged
// (bill.Page.List). It gives the items the page would have had. The error is
// that of a text that is no JSON list; no list at all is an empty one.
func DecodeList(list []byte) ([]bill.Item, error) {
	if len(list) == 0 {
		return nil, nil
	}
	list = bytes.TrimSpace(list)
	if !json.Valid(list) {
		return nil, errors.New("the bill list is not JSON")
	}
	if list[0] != '[' {
		return nil, fmt.Errorf("the bill list is %s, not a list", kindOf(list))
	}
	return decodeElements(list), nil
}

// decodeElements decodes the elements of the array list.
func decodeElements(list []byte) []bill.Item {
	elements := appendElements(nil, list)
	items := make([]bill.Item, len(elements))
	for i, e := range elements {
		items[i] = decodeItem(e)
	}
	return items
}

var errCount = errors.New("not a whole number from 0")

// count reads an integer that may have been sent as a string (API §6.2).
func count(v []byte) (int, error) {
	if !isScalar(v) {
		return 0, errCount
	}
	n, ok := number(scalarText(v))
	if !ok || int64(int(n)) != n {
		return 0, errCount
	}
	return int(n), nil
}

package worldfirst

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"billsync/internal/bill"
)

// An envelope is an answer's body taken apart: its result, and the document
// with what the endpoint adds (API §3.3).
type envelope struct {
	status  string // S, F or U
	code    string
	message string
	doc     *document
}

// readEnvelope takes a body apart. It reports false for everything that is no
// result: another status than S, F and U counts as none (API §5). Secrets are
// hidden in its words before they are cut.
func readEnvelope(body []byte, hide *mask) (envelope, bool) {
	doc := documents.Get().(*document)
	if !doc.parse(bytes.TrimSpace(body)) || doc.first(0) != '{' {
		return envelope{}, false
	}
	result := doc.find(0, "result")
	if result == 0 || doc.first(result) != '{' {
		return envelope{}, false
	}
	text := func(name string) string {
		if v := doc.find(result, name); v != 0 && doc.isScalar(v) {
			return string(doc.text(v))
		}
		return ""
	}
	env := envelope{doc: doc}
	env.status = text("resultStatus")
	switch env.status {
	case "S", "F", "U":
	default:
		return envelope{}, false
	}
	if env.status == "S" {
		hide = nil // its words go nowhere
	}
	env.code = oneLine(text("resultCode"), 64)
	if _, known := lookup(env.code); !known {
		env.code = oneLine(hide.hide(text("resultCode")), 64)
	}
	// The gateway itself spells it resultMsg (API §3.3).
	if env.message = oneLine(hide.hide(text("resultMessage")), maxMessage); env.message == "" {
		env.message = oneLine(hide.hide(text("resultMsg")), maxMessage)
	}
	return env, true
}

// maxMessage bounds the words of others in a message, in characters.
const maxMessage = 300

// decodePage reads what a yes to queryBillList carries (API §6.2). A bill list
// with the known hash is not decoded but kept; empty knows none.
func decodePage(doc *document, known string) (bill.Page, error) {
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
		v := doc.find(0, number.name)
		if v == 0 {
			if number.required {
				return bill.Page{}, fmt.Errorf("%s is missing", number.name)
			}
			continue
		}
		n, err := count(doc, v)
		if err != nil {
			said := doc.kind(v)
			if doc.isScalar(v) {
				said = quoted(string(doc.text(v)), 30)
			}
			return bill.Page{}, fmt.Errorf("%s is %s, %w", number.name, said, err)
		}
		*number.value = n
	}
	list := doc.find(0, "billList")
	var raw []byte
	if list != 0 {
		raw = doc.json(list)
	}
	sum := sha256.Sum256(raw)
	page.Hash = hex.EncodeToString(sum[:16])
	page.Unchanged = known != "" && page.Hash == known
	if list == 0 {
		return page, nil // as good as an empty one (API §6.2)
	}
	if doc.first(list) != '[' {
		return bill.Page{}, fmt.Errorf("billList is %s, not a list", doc.kind(list))
	}
	page.Count = doc.count(list)
	if page.Unchanged {
		page.List = raw
	} else {
		page.Items = decodeElements(doc, list, page.Count)
	}
	return page, nil
}

// DecodeList reads a bill list that was kept because its page was unchanged
// (bill.Page.List). It gives the items the page would have had. The error is
// that of a text that is no JSON list; no list at all is an empty one.
func DecodeList(list []byte) ([]bill.Item, error) {
	if len(list) == 0 {
		return nil, nil
	}
	doc := documents.Get().(*document)
	defer doc.release()
	if !doc.parse(list) {
		return nil, errors.New("the bill list is not JSON")
	}
	if doc.first(0) != '[' {
		return nil, fmt.Errorf("the bill list is %s, not a list", doc.kind(0))
	}
	return decodeElements(doc, 0, doc.count(0)), nil
}

// decodeElements decodes the elements of a list.
func decodeElements(doc *document, list, count int) []bill.Item {
	items := make([]bill.Item, count)
	var d decoder
	v := list + 1
	for i := range items {
		d.decode(&items[i], doc, v)
		v = doc.next(v)
	}
	return items
}

var errCount = errors.New("not a whole number from 0")

// count reads an integer that may have been sent as a string (API §6.2).
func count(doc *document, v int) (int, error) {
	if !doc.isScalar(v) {
		return 0, errCount
	}
	n, ok := number(string(doc.text(v)))
	if !ok || int64(int(n)) != n {
		return 0, errCount
	}
	return int(n), nil
}

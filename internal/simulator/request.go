package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"billsync/internal/bill"
)

// A Request is what the server makes of a request.
type Request struct {
	N        int64  // the requests of a server are counted from 1
	Path     string // as requested
	Customer string // Connected-CustomerId or -AccountId; empty: the client's own account
	// Query is empty if the call is not queryBillList or the body is illegal. Of a full card number it has the
	// last four digits.
	Query  bill.Query
	Header http.Header
	Body   []byte
}

// A query is a request body that was read, or why it is refused.
type query struct {
	bill.Query
	cardNo string // full number
}

// An illegal is what is wrong with the parameters of a request.
type illegal string

func (e illegal) Error() string { return string(e) }

func illegalf(format string, args ...any) error { return illegal(fmt.Sprintf(format, args...)) }

// readQuery reads a request body. It is as strict as the API's documents allow
// (API §6.1) and a little stricter where that catches a client's mistakes: a
// field unknown, empty or given twice is refused.
func readQuery(body []byte) (*query, error) {
	if !utf8.Valid(body) {
		return nil, illegal("the body is not UTF-8")
	}
	fields, err := readObject(body)
	if err != nil {
		return nil, err
	}
	var q query
	for _, name := range []string{"startTime", "endTime", "pageNumber", "pageSize"} {
		if fields[name] == nil {
			return nil, illegalf("%s is missing", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := q.set(name, fields[name]); err != nil {
			return nil, fmt.Errorf("%s %w", name, err)
		}
	}
	return &q, checkSpan(q.Start, q.End)
}

// readObject splits a JSON object into its fields.
func readObject(body []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, illegal("the body is not a JSON object")
	}
	fields := make(map[string]json.RawMessage)
	for dec.More() {
		t, err := dec.Token()
		name, isText := t.(string)
		if err != nil || !isText {
			return nil, illegal("the body is not a JSON object")
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, illegal("the body is not a JSON object")
		}
		if fields[name] != nil {
			return nil, illegalf("%s is given twice", name)
		}
		fields[name] = raw
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, illegal("the body is not a JSON object")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, illegal("something follows the JSON object")
	}
	return fields, nil
}

var cardNumber = regexp.MustCompile(`^([0-9]{4}|[0-9]{12,19})$`)

func (q *query) set(name string, raw json.RawMessage) (err error) {
	switch name {
	case "startTime":
		q.Start, err = readTimeField(raw)
		q.Zone = q.Start.Location()
	case "endTime":
		q.End, err = readTimeField(raw)
	case "pageNumber":
		q.Page, err = readInteger(raw, 1, 999999999)
	case "pageSize":
		q.PageSize, err = readInteger(raw, 1, 100)
	case "billStatusList":
		if q.Statuses, err = readTexts(raw); err == nil {
			for _, s := range q.Statuses {
				if !slices.Contains(statuses[:], s) {
					return illegal("has a value that is no bill status")
				}
			}
		}
	case "cardNo":
		var no string
		if no, err = readText(raw); err == nil && !cardNumber.MatchString(no) {
			return illegal("is neither a card number nor its last four digits")
		}
		if len(no) >= 4 {
			q.CardLast4 = no[len(no)-4:]
		}
		if len(no) > 4 {
			q.cardNo = no
		}
	case "merchantName":
		q.MerchantName, err = readText(raw)
	case "orderNo":
		q.OrderNo, err = readText(raw)
	case "budgetAccountIdList":
		q.BudgetAccountIDs, err = readTexts(raw)
	default:
		return illegal("is not a field of this API")
	}
	return err
}

// readTime reads a time as the API documents it: ISO 8601, whole seconds, and
// an offset in digits. Only older pages allow a Z (API §3.4), so none is taken.
func readTime(s string) (time.Time, error) {
	t, err := time.Parse("2006-01-02T15:04:05-07:00", s)
	if err != nil || len(s) != len("2006-01-02T15:04:05+08:00") {
		return time.Time{}, illegal("is not an ISO 8601 time of whole seconds with an offset")
	}
	// Parse may put a time in the local zone; the offset sent is what counts.
	_, offset := t.Zone()
	return t.In(time.FixedZone("", offset)), nil
}

func readTimeField(raw json.RawMessage) (time.Time, error) {
	s, err := readText(raw)
	if err != nil {
		return time.Time{}, err
	}
	return readTime(s)
}

var integer = regexp.MustCompile(`^-?[0-9]{1,10}$`)

func readInteger(raw json.RawMessage, lo, hi int) (int, error) {
	if !integer.Match(raw) {
		return 0, illegal("is not an integer number")
	}
	n, err := strconv.Atoi(string(raw))
	if err != nil || n < lo || n > hi {
		return 0, illegalf("is not from %d to %d", lo, hi)
	}
	return n, nil
}

func readText(raw json.RawMessage) (s string, err error) {
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil || s == "" {
		return "", illegal("is not a string, or empty")
	}
	return s, nil
}

func readTexts(raw json.RawMessage) ([]string, error) {
	var list []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil, illegal("is not a list of strings, or empty")
	}
	texts := make([]string, len(list))
	for i, raw := range list {
		s, err := readText(raw)
		if err != nil {
			return nil, illegal("is not a list of strings, or has an empty one")
		}
		texts[i] = s
	}
	return texts, nil
}

// checkSpan enforces every reading of "not more than 100 days, 0 to 99
// inclusive" at once (API §9.2): less than 100 x 24 hours, and not more than 99
// from the first calendar day to the last, each in the offset it came with.
func checkSpan(start, end time.Time) error {
	if end.Before(start) {
		return illegal("endTime is before startTime")
	}
	if end.Sub(start) >= 100*24*time.Hour {
		return illegal("endTime is 100 days after startTime, or more")
	}
	if calendarDay(end)-calendarDay(start) > 99 {
		return illegal("endTime is more than 99 calendar days after startTime")
	}
	return nil
}

// calendarDay numbers the days of the calendar in a time's own zone.
func calendarDay(t time.Time) int64 {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / daySeconds
}

package app

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// A readAs is how a ledger was read and matched, as it is kept with it. The view
// reconciliation_open_postings reads it, too.
type readAs struct {
	Form       string            `json:"form"`
	Columns    map[string]string `json:"columns"`
	DateFormat string            `json:"date_format"`
	Mark       string            `json:"decimal_mark,omitempty"`
	Sign       string            `json:"spend_sign"`
	Default    string            `json:"default_currency,omitempty"`
	Totals     []int             `json:"totals,omitempty"` // lines left out as totals
	Yuan       bool              `json:"cnh_as_cny"`       // its CNY may be the CNH of the books
	From       int32             `json:"days_from"`
	To         int32             `json:"days_to"`
	PPM        int64             `json:"tolerance_millionths"`
	Limit      int64             `json:"tolerance_limit_millionths"`
}

// text is the JSON of it.
func (x readAs) text() string {
	text, err := json.Marshal(x)
	if err != nil {
		return "{}" // of texts and numbers it cannot fail
	}
	return string(text)
}

// readAsOf is how a stored ledger was read.
func readAsOf(l *store.Ledger) (x readAs, err error) {
	if err := json.Unmarshal([]byte(l.Mapping), &x); err != nil {
		return x, fmt.Errorf("how ledger %s was read: %w", l.Name, err)
	}
	return x, nil
}

// A whyOpen tells why postings have no line in a ledger. What it says, the view
// reconciliation_open_postings says in SQL.
type whyOpen struct {
	readAs
	edge     string // postings before this day may belong to lines before the ledger's first
	rejected map[store.PostingKey]int64
	near     map[store.PostingKey]nearLine
	open     map[bill.Amount][]*store.LedgerLine // by their numbers
	matched  map[bill.Amount][]*store.LedgerLine
}

// A nearLine is the line that a posting comes nearest to.
type nearLine struct {
	rank, line   int
	code, reason string
}

func newWhyOpen(x *outcome) (*whyOpen, error) {
	how, err := readAsOf(&x.ledger)
	if err != nil {
		return nil, err
	}
	w := &whyOpen{readAs: how, rejected: map[store.PostingKey]int64{}, near: map[store.PostingKey]nearLine{},
		open: map[bill.Amount][]*store.LedgerLine{}, matched: map[bill.Amount][]*store.LedgerLine{}}
	if x.ledger.From != "" {
		first, err := dayNumber(x.ledger.From)
		if err != nil {
			return nil, fmt.Errorf("the first day of ledger %s: %w", x.ledger.Name, err)
		}
		w.edge = dayText(first + how.To)
	}
	for i := range x.matches {
		if m := &x.matches[i]; m.State == store.MatchRejected {
			for _, k := range m.Postings {
				if _, ok := w.rejected[k]; !ok {
					w.rejected[k] = m.ID
				}
			}
		}
	}
	for i := range x.lines {
		l := &x.lines[i]
		if l.OpenCode == "" {
			w.matched[l.Amount] = append(w.matched[l.Amount], l)
			continue
		}
		w.open[l.Amount] = append(w.open[l.Amount], l)
		for rank, n := range l.Near {
			was, ok := w.near[n.PostingKey]
			if !ok || rank < was.rank || rank == was.rank && l.Number < was.line {
				w.near[n.PostingKey] = nearLine{rank, l.Number, l.OpenCode, n.Reason}
			}
		}
	}
	return w, nil
}

// why is the reason why a posting has no line.
func (w *whyOpen) why(p *store.Posting) (code, reason string, err error) {
	key := store.PostingKey{Bill: p.BillID, Line: p.Line}
	if id, ok := w.rejected[key]; ok {
		return "rejected", fmt.Sprintf("match %d with it was rejected", id), nil
	}
	posted, err := dayNumber(p.Date)
	if err != nil {
		return "", "", fmt.Errorf("the day of posting %s: %w", p.LineID, err)
	}
	first, last := dayText(posted-w.To), dayText(posted-w.From)
	if l := w.equal(w.open, p.Amount, first, last); l != nil {
		return ambiguousOr(l.OpenCode), fmt.Sprintf("line %d has its amount within the days: %s", l.Number, l.OpenReason), nil
	}
	if n, ok := w.near[key]; ok {
		return ambiguousOr(n.code), fmt.Sprintf("line %d comes near: %s", n.line, n.reason), nil
	}
	if l := w.equal(w.matched, p.Amount, first, last); l != nil {
		return "taken", fmt.Sprintf("line %d has its amount within the days, and is matched with another posting", l.Number), nil
	}
	if p.Date < w.edge {
		return "missing", "no open line comes near it; one of a day before the ledger's first may belong to it", nil
	}
	return "missing", "no open line comes near it", nil
}

// ambiguousOr is what is said of a posting whose line is open for a reason.
func ambiguousOr(code string) string {
	if code == "ambiguous" {
		return code
	}
	return "differs"
}

// equal is the first of the lines of an amount within some days.
func (w *whyOpen) equal(lines map[bill.Amount][]*store.LedgerLine, a bill.Amount, first, last string) (found *store.LedgerLine) {
	look := func(a bill.Amount) {
		for _, l := range lines[a] {
			if l.Date >= first && l.Date <= last && (found == nil || l.Number < found.Number) {
				found = l
			}
		}
	}
	look(a)
	if w.Yuan && a.Currency == cnh {
		look(bill.Amount{Currency: cny, Value: a.Value})
	}
	return found
}

// Offshore and onshore yuan. Programs that know ISO 4217 only have one code for both.
const (
	cnh = "CNH"
	cny = "CNY"
)

// writesYuanOneWay reports whether a ledger may write CNY for the CNH of the books:
// it has lines in CNY, and none in CNH.
func writesYuanOneWay(lines []store.LedgerLine) bool {
	of := func(currency string) bool {
		return slices.ContainsFunc(lines, func(l store.LedgerLine) bool { return l.Amount.Currency == currency })
	}
	return of(cny) && !of(cnh)
}

// seen is an amount of the books as the ledger would write it.
func (r *reconciling) seen(a bill.Amount) bill.Amount {
	if r.yuan && a.Currency == cnh {
		a.Currency = cny
	}
	return a
}

// booked tells of postings that the books have in CNH and the ledger in CNY.
func (r *reconciling) booked(postings []int) string {
	if !slices.ContainsFunc(postings, func(p int) bool { return r.offshore[int32(p)] }) {
		return ""
	}
	return ", in CNH in the books"
}

// mixes reports whether some of several postings are in CNH and some in CNY: these
// are never added together.
func (r *reconciling) mixes(postings []int) bool {
	for _, p := range postings {
		if r.offshore[int32(p)] != r.offshore[int32(postings[0])] {
			return true
		}
	}
	return false
}

// numbersText lists numbers, up to some.
func numbersText[T int | int64](numbers []T) string {
	var list []string
	for i, n := range numbers {
		if i == toldLines {
			list = append(list, fmt.Sprintf("and %d more", len(numbers)-i))
			break
		}
		list = append(list, fmt.Sprint(n))
	}
	return strings.Join(list, ", ")
}

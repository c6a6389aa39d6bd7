// Package books knows what bills do to the books: which movements of money each
// state of a bill stands for, when they count, and what identifies them.
//
// A bill is a state that changes; books are movements that do not. So each state
// of a bill is compared with the movements that its earlier states brought, and
// the difference is written down as further ones: a spend when it first takes
// effect, a return when money comes back, a reversal or an adjustment when
// something is no longer what it was. Nothing is ever taken back by changing a
// line, so the sum of a bill's lines is what its present state says.
package books

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"
	"time"

	"billsync/internal/bill"
)

// A Kind is what a movement is.
type Kind string

const (
	Spend      Kind = "spend"      // money left the card's account, for the first time for this bill
	Return     Kind = "return"     // money came back
	Reversal   Kind = "reversal"   // a spend (positive) or a return (negative) was less, or none, after all
	Adjustment Kind = "adjustment" // a spend was more after all, or took effect again
)

// A Line is a movement, a posting. Amounts are from the company's view: what left
// is negative, what came back positive.
type Line struct {
	ID     string // stable for ever, also in a rebuilt database
	Kind   Kind
	Amount bill.Amount
	// Effect is the day on which it happened, as far as that is known, in the
	// report's time zone: YYYY-MM-DD.
	Effect string
	Part   Part   // which of the bill's amounts it is about: PartOf tells it from the rest
	Reason string // which change of the bill brought it; stored, and compared by "syncer verify": the words stay
}

// A Part is one of the two amounts of a bill that move money.
type Part string

const (
	Spent    Part = "spent"    // out_amount
	Returned Part = "returned" // in_amount
)

// PartOf returns which of a bill's amounts a line is about: its kind and its sign
// tell.
func PartOf(kind Kind, value int64) Part {
	if kind == Return || kind == Reversal && value < 0 {
		return Returned
	}
	return Spent
}

// A Dating is what tells on which day a state of a bill came about. All times but
// Since may be zero.
type Dating struct {
	First       bool // no earlier state of the bill is known
	Transaction time.Time
	Updated     time.Time // the provider's time of the last change
	Since       time.Time // when we first saw it so
	Withdrawn   time.Time

	// Of the state before it: what its Updated was, and whether it was withdrawn.
	Before time.Time
	Back   bool
}

// Date sets the days of a state. A state came about when the provider says that
// the bill last changed, if that is news against the state before, else when we
// first saw it so. A bill that had taken effect when we met it, without a word of
// when, did so when its transaction was made (finance notes, part 3); so did one
// that was met when money had come back already, since the last change was that.
// What the provider says is believed between the transaction and the moment we saw
// it.
func (s *State) Date(d Dating, zone *time.Location) {
	day := func(t time.Time) string {
		if t.After(d.Since) {
			t = d.Since
		}
		return bill.DayText(t.In(zone))
	}
	at := d.Since
	switch news := d.Updated.After(d.Before) && !d.Back; {
	case !d.Withdrawn.IsZero():
		at = d.Withdrawn
	case d.First && d.Updated.IsZero(), news && d.Updated.Before(d.Transaction):
		at = d.Transaction
	case news:
		at = d.Updated
	}
	s.Effect, s.SpentOn = day(at), ""
	if d.First && s.In != nil && s.In.Value != 0 {
		s.SpentOn = day(d.Transaction)
	}
}

// A State is what of a bill's state matters to the books.
type State struct {
	Status    string
	Withdrawn bool
	Out, In   *bill.Amount // nil: not said, or not readable
	// Effect is the day on which the state came about; see Line. SpentOn is that
	// of a spend, if the state is a later one than that which spent; "" if not.
	Effect, SpentOn string
}

// effective are the statuses in which a bill's amounts have moved money (finance
// notes, 2.1). Others are on their way (WAITING_*), came to nothing (FAILED,
// CANCELLED), or are not known to this program: those wait.
var effective = map[string]bool{"SUCCESS": true, "PARTIAL_CANCEL": true, "PARTIAL_REFUND": true, "REFUNDED": true}

// Effective reports whether a status moves money.
func Effective(status string) bool { return effective[status] }

// moves returns what a state says was spent and what came back, as signed
// amounts; zero amounts have no currency.
func (s *State) moves() (spent, back bill.Amount) {
	if s.Withdrawn || !effective[s.Status] {
		return
	}
	if s.Out != nil && s.Out.Value != 0 {
		spent = bill.Amount{Currency: s.Out.Currency, Value: -s.Out.Value}
	}
	if s.In != nil && s.In.Value != 0 {
		back = *s.In
	}
	return spent, back
}

// Key returns what the ids of a bill's lines begin with. It is made of what
// identifies the bill for ever: account, order number, transaction time in whole
// seconds, and the ordinal among bills that are alike in these; not of the bill
// number, which may come later.
func Key(account, orderNo string, at time.Time, ordinal int) string {
	text := make([]byte, 0, 128)
	text = append(append(text, account...), '\n')
	text = append(append(text, orderNo...), '\n')
	text = append(at.UTC().AppendFormat(text, time.RFC3339), '\n') // whole seconds, with a Z
	text = strconv.AppendInt(text, int64(ordinal), 10)
	sum := sha256.Sum256(text)
	var key [56]byte
	base32.StdEncoding.Encode(key[:], sum[:])
	const length = 26
	return string(key[:length])
}

// Next returns the lines that a state of a bill adds to those that its earlier
// states brought. The key is that of Key; once there are lines, theirs is kept.
func Next(key string, lines []Line, s State) []Line {
	w := writer{key: key, lines: lines, state: s}
	if len(lines) > 0 {
		w.key, _, _ = strings.Cut(lines[0].ID, "-")
	}
	spent, back := s.moves()
	w.settle(spent, Spent)
	w.settle(back, Returned)
	return w.lines[len(lines):]
}

// A writer adds lines to those of a bill.
type writer struct {
	key   string
	lines []Line
	state State
}

// settle adds what is missing to the sums of a part.
func (w *writer) settle(want bill.Amount, part Part) {
	sums := map[string]int64{}
	var order []string // of the currencies, as they first came
	if want.Value != 0 {
		sums[want.Currency], order = 0, append(order, want.Currency)
	}
	for i := range w.lines {
		l := &w.lines[i]
		if l.Part != part {
			continue
		}
		if _, ok := sums[l.Amount.Currency]; !ok {
			order = append(order, l.Amount.Currency)
		}
		sums[l.Amount.Currency] += l.Amount.Value
	}
	// What is in another currency by now goes first.
	for i := len(order) - 1; i >= 0; i-- {
		currency := order[i]
		target := int64(0)
		if want.Value != 0 && currency == want.Currency {
			target = want.Value
		}
		if diff := target - sums[currency]; diff != 0 {
			w.add(bill.Amount{Currency: currency, Value: diff}, sums[currency], part)
		}
	}
}

// add writes one line. Before is what the lines of its part and currency added
// up to.
func (w *writer) add(diff bill.Amount, before int64, part Part) {
	l := Line{Amount: diff, Effect: w.state.Effect, Part: part}
	switch {
	case part == Spent && diff.Value < 0 && !w.has(Spend):
		l.ID, l.Kind, l.Effect = w.key, Spend, cmp.Or(w.state.SpentOn, w.state.Effect)
	case part == Returned && diff.Value > 0:
		l.ID, l.Kind = w.number("R"), Return
	case part == Returned || diff.Value > 0:
		l.ID, l.Kind = w.number("X"), Reversal
	default:
		l.ID, l.Kind = w.number("A"), Adjustment
	}
	state := w.state.Status
	switch {
	case w.state.Withdrawn:
		state = "no longer listed"
	case state == "":
		state = "no status"
	}
	l.Reason = state
	if l.Kind != Spend {
		l.Reason = fmt.Sprintf("%s: %s %s %s, before %s", state, part,
			bill.Amount{Currency: diff.Currency, Value: abs(before + diff.Value)}.Decimal(), diff.Currency,
			bill.Amount{Currency: diff.Currency, Value: abs(before)}.Decimal())
	}
	w.lines = append(w.lines, l)
}

func (w *writer) has(k Kind) bool {
	for i := range w.lines {
		if w.lines[i].Kind == k {
			return true
		}
	}
	return false
}

// number returns the id of the next line with a suffix: one that no line has had,
// also if somebody took one away.
func (w *writer) number(suffix string) string {
	last := 0
	for i := range w.lines {
		if rest, ok := strings.CutPrefix(w.lines[i].ID, w.key+"-"+suffix); ok {
			if n, err := strconv.Atoi(rest); err == nil {
				last = max(last, n)
			}
		}
	}
	return fmt.Sprintf("%s-%s%d", w.key, suffix, last+1)
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

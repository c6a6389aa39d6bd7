package app

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"billsync/internal/ledger"
	"billsync/internal/merchant"
	"billsync/internal/reconcile"
	"billsync/internal/store"
)

// A reconciling is a ledger on its way to its matches.
type reconciling struct {
	o     *ReconcileOptions
	book  *ledger.Book
	names *merchant.Normaliser
	now   time.Time

	old     []store.LedgerLine // as they are stored
	save    store.Reconciliation
	changed bool                // something differs from what is stored
	kept    []store.LedgerMatch // matches that stay as they are

	name     map[string]string           // of merchants, by what they are called
	matched  map[int]bool                // lines in confirmed matches
	taken    map[store.PostingKey]string // postings that are matched already, and with what
	refused  map[string]bool             // pairs and sums that were rejected
	lines    []reconcile.Line
	lineOf   []int // of r.save.Lines, by engine's line
	postings []reconcile.Posting
	yuan     bool           // the ledger may write CNY for CNH
	offshore map[int32]bool // postings that are in CNH then, by their place
	at       map[store.PostingKey]int32
}

// match finds out what is stored of the ledger, reads of the books what may belong to
// it, and matches.
func (r *reconciling) match(t *store.Tx) error {
	r.name, r.at, r.offshore = map[string]string{}, map[store.PostingKey]int32{}, map[int32]bool{}
	if err := r.stored(t); err != nil {
		return err
	}
	if err := r.named(t); err != nil {
		return err
	}
	if err := r.nearby(t); err != nil {
		return err
	}
	limits := r.o.match
	limits.Refused = func(l, p int) bool { return len(r.refused) > 0 && r.refused[r.sideKey([]int{l}, []int{p})] }
	limits.RefusedSums = func(ls, ps []int) bool {
		return r.mixes(ps) || len(r.refused) > 0 && r.refused[r.sideKey(ls, ps)]
	}
	return r.settle(reconcile.Find(r.lines, r.postings, limits))
}

// stored compares the ledger with what is stored of it.
func (r *reconciling) stored(t *store.Tx) error {
	var err error
	if r.save.Since, err = t.Reconciled(); err != nil {
		return err
	}
	r.save.Ledger = store.Ledger{Name: r.o.Name, ImportedAt: r.now}
	list, err := t.Ledgers(r.o.Name)
	if err != nil {
		return err
	}
	if len(list) == 1 {
		r.save.Ledger = list[0]
	}
	var matches []store.LedgerMatch
	if id := r.save.Ledger.ID; id != 0 {
		if r.old, err = t.LedgerLines(id); err != nil {
			return err
		}
		if matches, err = t.LedgerMatches(id); err != nil {
			return err
		}
	}
	r.compare(matches)
	r.header()
	r.decisions(matches)
	return t.TakenPostings(r.save.Ledger.ID, func(k store.PostingKey, of string) { r.taken[k] = "a line of ledger " + of })
}

// header notes what the ledger as a whole says now.
func (r *reconciling) header() {
	l := &r.save.Ledger
	before := *l
	r.yuan = writesYuanOneWay(r.save.Lines)
	l.File, l.Hash, l.Mapping, l.Skipped = filepath.Base(r.o.File), r.book.Hash, r.o.mapping(r.book, r.yuan), len(r.book.Bad)
	l.Accounts = slices.Sorted(slices.Values(r.o.Accounts))
	l.From, l.To = "9999", ""
	for i := range r.book.Lines {
		l.From, l.To = min(l.From, r.book.Lines[i].Date), max(l.To, r.book.Lines[i].Date)
	}
	if len(r.book.Lines) == 0 {
		l.From = ""
	}
	l.From, l.To = cmp.Or(r.o.From, l.From), cmp.Or(r.o.To, l.To)
	if l.Hash != before.Hash {
		l.ImportedAt = r.now
	}
	r.changed = r.changed || l.ID == 0 || l.File != before.File || l.Hash != before.Hash || l.Mapping != before.Mapping || l.Skipped != before.Skipped ||
		!slices.Equal(l.Accounts, before.Accounts) || l.From != before.From || l.To != before.To
}

// compare finds the lines that are stored already, and those that are no more.
func (r *reconciling) compare(matches []store.LedgerMatch) {
	same := r.sameLines(matches)
	there := map[string]bool{}
	for i := range r.book.Lines {
		x := &r.book.Lines[i]
		l := store.LedgerLine{Key: x.Key, Number: x.Number, Date: x.Date, Amount: x.Amount, Reference: x.Reference, Payee: x.Payee, LedgerAccount: x.Account, Detail: x.Description}
		if was := same[i]; was.ID != 0 {
			l.ID, l.Key = was.ID, was.Key
			r.changed = r.changed || was.Removed || was.Number != l.Number
		} else {
			l.Key = was.Key
			r.changed = true
		}
		there[l.Key] = true
		r.save.Lines = append(r.save.Lines, l)
	}
	for i := range r.old {
		if !r.old[i].Removed && !there[r.old[i].Key] {
			r.save.Gone = append(r.save.Gone, r.old[i].ID)
			r.changed = true
		}
	}
}

// decisions keeps what people have decided, as far as the lines are still there. What
// rules made is made again.
func (r *reconciling) decisions(matches []store.LedgerMatch) {
	r.matched, r.taken, r.refused = map[int]bool{}, map[store.PostingKey]string{}, map[string]bool{}
	at := map[int64]int{}
	for i := range r.save.Lines {
		if id := r.save.Lines[i].ID; id != 0 {
			at[id] = i
		}
	}
	for i := range matches {
		m := matches[i]
		lost := slices.ContainsFunc(m.Lines, func(id int64) bool { _, ok := at[id]; return !ok })
		switch {
		case m.State == store.MatchConfirmed && lost:
			r.save.Undone = append(r.save.Undone, m.ID)
			m.State, r.changed = store.MatchWithdrawn, true
		case m.State == store.MatchConfirmed:
			for _, id := range m.Lines {
				r.matched[at[id]] = true
			}
			for _, k := range m.Postings {
				r.taken[k] = fmt.Sprintf("another line (match %d)", m.ID)
			}
		case m.State == store.MatchRejected:
			r.refused[matchKey(m.Lines, m.Postings)] = true
		}
		r.kept = append(r.kept, m)
	}
}

// matchKey identifies what belongs together.
func matchKey(lines []int64, postings []store.PostingKey) string {
	ls, ps := slices.Clone(lines), slices.Clone(postings)
	slices.Sort(ls)
	slices.SortFunc(ps, func(a, b store.PostingKey) int {
		return slices.Compare([]int64{a.Bill, a.Line}, []int64{b.Bill, b.Line})
	})
	return fmt.Sprint(ls, ps)
}

// sideKey is matchKey for lines and postings as the engine counts them. New lines
// have no id, and no decisions.
func (r *reconciling) sideKey(lines, postings []int) string {
	var ls []int64
	for _, l := range lines {
		ls = append(ls, r.save.Lines[r.lineOf[l]].ID)
	}
	return matchKey(ls, r.keys(postings))
}

func (r *reconciling) keys(postings []int) (out []store.PostingKey) {
	for _, p := range postings {
		out = append(out, store.PostingKey{Bill: r.postings[p].Bill, Line: int64(r.postings[p].Line)})
	}
	return out
}

// normal is a merchant's name by the rules.
func (r *reconciling) normal(raw string) string {
	if raw == "" {
		return ""
	}
	name, ok := r.name[raw]
	if !ok {
		name, _ = r.names.Name(raw)
		r.name[raw] = name
	}
	return name
}

// add takes a posting up, once, and returns its place.
func (r *reconciling) add(b *store.BookLine) (int32, error) {
	if at, ok := r.at[b.PostingKey]; ok {
		return at, nil
	}
	day, err := dayNumber(b.Date)
	if err != nil {
		return -1, fmt.Errorf("the day of posting %d/%d: %w", b.Bill, b.Line, err)
	}
	at := int32(len(r.postings))
	r.at[b.PostingKey] = at
	if r.yuan && b.Amount.Currency == cnh {
		r.offshore[at] = true
	}
	r.postings = append(r.postings, reconcile.Posting{Bill: b.Bill, Line: int32(b.Line), Day: day, Amount: r.seen(b.Amount), Name: r.normal(b.Merchant), Taken: r.taken[b.PostingKey]})
	return at, nil
}

// named makes the lines for the engine, with what they name.
func (r *reconciling) named(t *store.Tx) error {
	users := map[string][]int32{} // lines by numbers in their texts
	var numbers, keys []string
	asked := map[string]bool{}
	for i := range r.save.Lines {
		l := &r.save.Lines[i]
		if r.matched[i] {
			continue
		}
		day, err := dayNumber(l.Date)
		if err != nil {
			return fmt.Errorf("the day of line %d: %w", l.Number, err)
		}
		payee := l.Payee
		if payee == "" {
			payee = l.Detail
		}
		at := int32(len(r.lines))
		r.lines = append(r.lines, reconcile.Line{Key: l.Key, Number: l.Number, Day: day, Amount: l.Amount, Name: r.normal(payee)})
		r.lineOf = append(r.lineOf, i)
		for _, token := range reconcile.Tokens(l.Reference, l.Detail) {
			if key, _ := reconcile.Key(token); key != "" {
				if !asked[key] {
					asked[key] = true
					keys = append(keys, key)
				}
				token = strings.ToUpper(token)
			} else if !asked[token] {
				asked[token] = true
				numbers = append(numbers, token)
			}
			users[token] = append(users[token], at)
		}
	}
	return t.NamedPostings(r.o.Accounts, numbers, keys, func(b *store.BookLine) error {
		at, err := r.add(b)
		if err != nil {
			return err
		}
		for _, l := range users[b.Token] {
			r.lines[l].Named = append(r.lines[l].Named, at)
		}
		if b.LineID != b.Token {
			for _, l := range users[b.LineID] {
				r.lines[l].Named, r.lines[l].Exact = append(r.lines[l].Named, at), true
			}
		}
		return nil
	})
}

// margin is how many days beyond those of the rules postings are read, for what comes
// near.
const margin = 10

// nearby reads the postings of the days and currencies of lines that name nothing.
func (r *reconciling) nearby(t *store.Tx) error {
	var days []int32
	currencies := map[string]bool{}
	for i := range r.lines {
		if l := &r.lines[i]; len(l.Named) == 0 && l.Amount.Value != 0 {
			days = append(days, l.Day)
			currencies[l.Amount.Currency] = true
		}
	}
	if len(days) == 0 {
		return nil
	}
	if r.yuan {
		currencies[cnh] = true
	}
	var list []string
	for c := range currencies {
		list = append(list, c)
	}
	slices.Sort(list)
	slices.Sort(days)
	before, after := r.o.match.From-margin, r.o.match.To+margin
	for i := 0; i < len(days); {
		from, to := days[i]+before, days[i]+after
		for i++; i < len(days) && days[i]+before <= to+1; i++ {
			to = days[i] + after
		}
		err := t.BookLines(r.o.Accounts, dayText(from), dayText(to), list, func(b *store.BookLine) error {
			_, err := r.add(b)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settle compares what the engine found with what is stored.
func (r *reconciling) settle(found reconcile.Result) error {
	old := map[string]int{} // matches by rules, of r.kept
	for i := range r.kept {
		if m := &r.kept[i]; m.State == store.MatchMade || m.State == store.MatchSuggested {
			old[m.State+m.Rule+m.Reason+matchKey(m.Lines, m.Postings)] = i
		}
	}
	stays := map[int]bool{}
	for _, x := range found.Matches {
		m := store.LedgerMatch{State: store.MatchMade, Rule: string(x.Rule), Reason: x.Reason + r.booked(x.Postings), Postings: r.keys(x.Postings)}
		if x.Suggested {
			m.State = store.MatchSuggested
		}
		var ids []int64
		for _, l := range x.Lines {
			ids = append(ids, r.save.Lines[r.lineOf[l]].ID)
			m.Lines = append(m.Lines, int64(r.lineOf[l]))
		}
		if i, ok := old[m.State+m.Rule+m.Reason+matchKey(ids, m.Postings)]; ok && !slices.Contains(ids, 0) {
			stays[i] = true
			continue
		}
		r.save.Matches = append(r.save.Matches, m)
	}
	var kept []store.LedgerMatch
	for i := range r.kept {
		if m := &r.kept[i]; !stays[i] && (m.State == store.MatchMade || m.State == store.MatchSuggested) {
			r.save.Dropped = append(r.save.Dropped, m.ID)
			continue
		}
		kept = append(kept, r.kept[i])
	}
	r.kept = kept
	r.changed = r.changed || len(r.save.Matches)+len(r.save.Dropped) > 0
	for _, x := range found.Exceptions {
		l := &r.save.Lines[r.lineOf[x.Line]]
		l.OpenCode, l.OpenReason = string(x.Code), x.Reason
		for _, c := range x.Candidates {
			l.Near = append(l.Near, store.Near{PostingKey: r.keys([]int{c.Posting})[0], Reason: c.Reason + r.booked([]int{c.Posting})})
		}
	}
	r.openChanged()
	if r.changed || r.save.Ledger.MatchedAt.IsZero() {
		r.save.Ledger.MatchedAt = r.now
	}
	return nil
}

// openChanged notes whether why lines are open differs from what is stored.
func (r *reconciling) openChanged() {
	old := map[int64]*store.LedgerLine{}
	for i := range r.old {
		old[r.old[i].ID] = &r.old[i]
	}
	for i := range r.save.Lines {
		l := &r.save.Lines[i]
		if was := old[l.ID]; was != nil && (was.OpenCode != l.OpenCode || was.OpenReason != l.OpenReason || !slices.Equal(was.Near, l.Near)) {
			r.changed = true
		}
	}
}

// outcome is what would be stored, for a preview.
func (r *reconciling) outcome() *outcome {
	out := &outcome{ledger: r.save.Ledger, preview: r.book, matches: slices.Clone(r.kept), undone: r.save.Undone}
	there := map[int64]bool{}
	for i := range r.save.Lines {
		there[r.save.Lines[i].ID] = true
	}
	for _, l := range r.old {
		if !there[l.ID] {
			l.OpenCode = ""
			out.removed = append(out.removed, l)
		}
	}
	out.lines = slices.Clone(r.save.Lines)
	for i := range out.lines {
		if out.lines[i].ID == 0 {
			out.lines[i].ID = -1 - int64(i) // for the time being
		}
	}
	for _, m := range r.save.Matches {
		m.Lines = slices.Clone(m.Lines)
		for i, at := range m.Lines {
			m.Lines[i] = out.lines[at].ID
		}
		out.matches = append(out.matches, m)
	}
	return out
}

package app

import (
	"cmp"
	"encoding/binary"
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

	name      map[string]string           // of merchants, by what they are called
	matched   map[int]bool                // lines in confirmed matches
	taken     map[store.PostingKey]string // postings that are matched already, and with what
	undecided map[store.PostingKey]bool   // those of them that another ledger's suggestion holds
	refused   map[string]bool             // pairs and sums that were rejected
	lines     []reconcile.Line
	lineOf    []int // of r.save.Lines, by engine's line
	postings  []reconcile.Posting
	yuan      bool                       // the ledger may write CNY for CNH
	offshore  map[int32]bool             // postings that are in CNH then, by their place
	at        map[store.PostingKey]int32 // those that lines name
	days      dayNumbers
	sideKeys  []byte             // room for one
	removed   []store.LedgerLine // that the file no longer has
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
	limits.Refused = func(l, p int) bool { return len(r.refused) > 0 && r.refused[string(r.sideKey([]int{l}, []int{p}))] }
	limits.RefusedSums = func(ls, ps []int) bool {
		return r.mixes(ps) || len(r.refused) > 0 && r.refused[string(r.sideKey(ls, ps))]
	}
	found := reconcile.Find(r.lines, r.postings, limits)
	r.lines, r.at, r.name = nil, nil, nil // what follows needs the room
	if err := r.settle(found); err != nil {
		return err
	}
	r.postings, r.lineOf = nil, nil
	r.removed = r.removedLines()
	if !r.changed {
		r.old = nil
	}
	return nil
}

// stored compares the ledger with what is stored of it.
func (r *reconciling) stored(t *store.Tx) error {
	var err error
	if r.save.Since, err = t.Reconciled(); err != nil {
		return err
	}
	r.save.Ledger = store.Ledger{Name: r.o.Name, ImportedAt: r.now}
	if err := r.another(t); err != nil {
		return err
	}
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
	return t.TakenPostings(r.save.Ledger.ID, func(k store.PostingKey, of string, suggested bool) {
		if r.taken[k] = "a line of ledger " + of; suggested {
			r.undecided[k] = true
		}
	})
}

// another makes sure that the file is not known as another ledger: its postings would
// be taken by that, and what is left matched with what is not its own.
func (r *reconciling) another(t *store.Tx) error {
	list, err := t.Ledgers("")
	if err != nil {
		return err
	}
	for _, l := range list {
		if l.Name != r.o.Name && l.Hash == r.book.Hash && slices.Equal(l.Accounts, slices.Sorted(slices.Values(r.o.Accounts))) {
			return &InputError{fmt.Sprintf("%s is known already, as ledger %s", r.o.File, l.Name),
				fmt.Sprintf("--name %q imports it again; \"syncer reconcile forget %s\" takes that one away", l.Name, l.Name)}
		}
	}
	return nil
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
	there := make([]bool, len(r.old))
	r.save.Lines = make([]store.LedgerLine, len(r.book.Lines))
	for i := range r.book.Lines {
		x, l := &r.book.Lines[i], &r.save.Lines[i]
		*l = store.LedgerLine{Key: same[i].key, Number: x.Number, Date: x.Date, Amount: x.Amount, Reference: x.Reference, Payee: x.Payee, LedgerAccount: x.Account, Detail: x.Description}
		if at := same[i].old; at >= 0 {
			was := &r.old[at]
			there[at], l.ID, l.Key = true, was.ID, was.Key
			r.changed = r.changed || was.Removed || was.Number != l.Number
		} else {
			r.changed = true
		}
	}
	for i := range r.old {
		if !r.old[i].Removed && !there[i] {
			r.save.Gone = append(r.save.Gone, r.old[i].ID)
			r.changed = true
		}
	}
}

// decisions keeps what people have decided, as far as the lines are still there. What
// rules made is made again.
func (r *reconciling) decisions(matches []store.LedgerMatch) {
	r.matched, r.taken, r.undecided, r.refused = map[int]bool{}, map[store.PostingKey]string{}, map[store.PostingKey]bool{}, map[string]bool{}
	if len(matches) == 0 {
		return
	}
	at := make(map[int64]int, len(r.old))
	for i := range r.save.Lines {
		if id := r.save.Lines[i].ID; id != 0 {
			at[id] = i
		}
	}
	for i := range matches {
		m := &matches[i]
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
	}
	r.kept = matches
}

// matchKey identifies what belongs together.
func matchKey(lines []int64, postings []store.PostingKey) string {
	return string(appendMatchKey(nil, lines, postings))
}

func appendMatchKey(key []byte, lines []int64, postings []store.PostingKey) []byte {
	if len(lines) > 1 {
		lines = slices.Sorted(slices.Values(lines))
	}
	if len(postings) > 1 {
		postings = slices.SortedFunc(slices.Values(postings), store.PostingKey.Compare)
	}
	for _, l := range lines {
		key = binary.AppendVarint(key, l)
	}
	key = binary.AppendVarint(key, 0) // no line has this id
	for _, p := range postings {
		key = binary.AppendVarint(binary.AppendVarint(key, p.Bill), p.Line)
	}
	return key
}

// sideKey is matchKey for lines and postings as the engine counts them, good until
// the next one. New lines have no id, and no decisions.
func (r *reconciling) sideKey(lines, postings []int) []byte {
	ids, keys := make([]int64, 0, 5), make([]store.PostingKey, 0, 5) // as many as a match has
	for _, l := range lines {
		id := r.save.Lines[r.lineOf[l]].ID
		if id == 0 {
			return nil
		}
		ids = append(ids, id)
	}
	for _, p := range postings {
		keys = append(keys, r.key(p))
	}
	r.sideKeys = appendMatchKey(r.sideKeys[:0], ids, keys)
	return r.sideKeys
}

func (r *reconciling) key(posting int) store.PostingKey {
	return store.PostingKey{Bill: r.postings[posting].Bill, Line: int64(r.postings[posting].Line)}
}

func (r *reconciling) keys(postings []int) []store.PostingKey {
	out := make([]store.PostingKey, 0, len(postings))
	for _, p := range postings {
		out = append(out, r.key(p))
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

// add takes a posting up and returns its place.
func (r *reconciling) add(b *store.BookLine) (int32, error) {
	day, err := r.days.of(b.Date)
	if err != nil {
		return -1, fmt.Errorf("the day of posting %d/%d: %w", b.Bill, b.Line, err)
	}
	at := int32(len(r.postings))
	if r.yuan && b.Amount.Currency == cnh {
		r.offshore[at] = true
	}
	x := reconcile.Posting{Bill: b.Bill, Line: int32(b.Line), Key: b.LineID, Day: day, Amount: r.seen(b.Amount), Name: r.normal(b.Merchant)}
	if len(r.taken) > 0 {
		x.Taken, x.Undecided = r.taken[b.PostingKey], r.undecided[b.PostingKey]
	}
	r.postings = append(r.postings, x)
	return at, nil
}

// dayNumbers remembers the day that it was asked for last: days come in crowds.
type dayNumbers struct {
	date string
	day  int32
}

func (d *dayNumbers) of(date string) (day int32, err error) {
	if date != d.date {
		if day, err = dayNumber(date); err != nil {
			return 0, err
		}
		d.date, d.day = date, day
	}
	return d.day, nil
}

// Tokens are what the lines' texts may name, with the lines that they are in.
type tokens struct {
	first         map[string]int32 // by token, of uses, from 1
	uses          []use
	keys          map[string]bool
	numbers, asks []string // of orders and bills; of what ids of postings begin with
}

// A use is a line that has a token, and where its next one is, from 1.
type use struct{ line, next int32 }

// note notes a token of a line.
func (x *tokens) note(token string, line int32) {
	key, _ := reconcile.Key(token)
	if key != "" {
		token = strings.ToUpper(token)
		if !x.keys[key] {
			x.keys[key] = true
			x.asks = append(x.asks, key)
		}
	}
	next := x.first[token]
	if next == 0 && key == "" {
		x.numbers = append(x.numbers, token)
	}
	x.uses = append(x.uses, use{line, next})
	x.first[token] = int32(len(x.uses))
}

// lines calls fn with the lines that have a token.
func (x *tokens) lines(token string, fn func(line int32)) {
	for at := x.first[token]; at != 0; at = x.uses[at-1].next {
		fn(x.uses[at-1].line)
	}
}

// named makes the lines for the engine, with what they name.
func (r *reconciling) named(t *store.Tx) error {
	x := tokens{first: map[string]int32{}, keys: map[string]bool{}}
	r.lines, r.lineOf = make([]reconcile.Line, 0, len(r.save.Lines)), make([]int, 0, len(r.save.Lines))
	for i := range r.save.Lines {
		l := &r.save.Lines[i]
		if r.matched[i] {
			continue
		}
		day, err := r.days.of(l.Date)
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
			x.note(token, at)
		}
	}
	return t.NamedPostings(r.o.Accounts, x.numbers, x.asks, func(b *store.BookLine) error {
		at, ok := r.at[b.PostingKey]
		if !ok {
			var err error
			if at, err = r.add(b); err != nil {
				return err
			}
			r.at[b.PostingKey] = at
		}
		x.lines(b.Token, func(l int32) { r.lines[l].Named = append(r.lines[l].Named, at) })
		if b.LineID != b.Token {
			x.lines(b.LineID, func(l int32) { r.lines[l].Named, r.lines[l].Exact = append(r.lines[l].Named, at), true })
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
			if _, ok := r.at[b.PostingKey]; ok {
				return nil
			}
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
	old := make(map[string]int, len(r.kept)) // matches by rules, of r.kept
	for i := range r.kept {
		if m := &r.kept[i]; byRule(m) {
			old[matchKey(m.Lines, m.Postings)] = i
		}
	}
	stays := make([]bool, len(r.kept))
	for _, x := range found.Matches {
		m := store.LedgerMatch{State: store.MatchMade, Rule: string(x.Rule), Reason: x.Reason + r.booked(x.Postings), Postings: r.keys(x.Postings)}
		if x.Suggested {
			m.State = store.MatchSuggested
		}
		m.Lines = make([]int64, 0, len(x.Lines))
		ids := make([]int64, 0, 5)
		for _, l := range x.Lines {
			ids = append(ids, r.save.Lines[r.lineOf[l]].ID)
			m.Lines = append(m.Lines, int64(r.lineOf[l]))
		}
		if len(old) > 0 && !slices.Contains(ids, 0) {
			r.sideKeys = appendMatchKey(r.sideKeys[:0], ids, m.Postings)
			if i, ok := old[string(r.sideKeys)]; ok && r.kept[i].State == m.State && r.kept[i].Rule == m.Rule && r.kept[i].Reason == m.Reason {
				stays[i] = true
				continue
			}
		}
		r.save.Matches = append(r.save.Matches, m)
	}
	kept := r.kept[:0]
	for i := range r.kept {
		if m := &r.kept[i]; !stays[i] && byRule(m) {
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
			l.Near = append(l.Near, store.Near{PostingKey: r.key(c.Posting), Reason: c.Reason + r.booked([]int{c.Posting})})
		}
	}
	r.openChanged()
	if r.changed || r.save.Ledger.MatchedAt.IsZero() {
		r.save.Ledger.MatchedAt = r.now
	}
	return nil
}

// byRule reports whether a match was made by a rule, and nobody has decided about it.
func byRule(m *store.LedgerMatch) bool {
	return m.State == store.MatchMade || m.State == store.MatchSuggested
}

// openChanged notes whether why lines are open differs from what is stored.
func (r *reconciling) openChanged() {
	if r.changed {
		return
	}
	old := make(map[int64]*store.LedgerLine, len(r.old))
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
	for i := range r.save.Lines {
		if l := &r.save.Lines[i]; l.ID == 0 {
			l.ID = -1 - int64(i) // for the time being
		}
	}
	for i := range r.save.Matches {
		lines := r.save.Matches[i].Lines
		for n, at := range lines {
			lines[n] = r.save.Lines[at].ID
		}
	}
	x := r.stands()
	x.preview = r.book
	return x
}

// stands is what is stored, once it is. What is new has its ids by then.
func (r *reconciling) stands() *outcome {
	return &outcome{
		ledger: r.save.Ledger, lines: r.save.Lines, matches: append(slices.Clip(r.kept), r.save.Matches...), removed: r.removed, undone: r.save.Undone,
	}
}

// removedLines are the stored lines that the file no longer has and that stay.
func (r *reconciling) removedLines() (list []store.LedgerLine) {
	if len(r.save.Gone) == 0 && !slices.ContainsFunc(r.old, func(l store.LedgerLine) bool { return l.Removed }) {
		return nil
	}
	there := make(map[int64]bool, len(r.save.Lines))
	for i := range r.save.Lines {
		there[r.save.Lines[i].ID] = true
	}
	named := map[int64]bool{} // those that something was decided about stay
	for i := range r.kept {
		for _, id := range r.kept[i].Lines {
			named[id] = true
		}
	}
	for _, l := range r.old {
		if named[l.ID] && !there[l.ID] {
			l.OpenCode = ""
			list = append(list, l)
		}
	}
	return list
}

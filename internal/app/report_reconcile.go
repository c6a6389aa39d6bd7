package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"billsync/internal/bill"
	"billsync/internal/ledger"
	"billsync/internal/reconcile"
	"billsync/internal/report"
	"billsync/internal/store"
)

// An outcome is a ledger with its lines and matches, as they are stored or would be.
type outcome struct {
	ledger  store.Ledger
	lines   []store.LedgerLine
	matches []store.LedgerMatch
	preview *ledger.Book       // it was only tried; nil: it is stored
	removed []store.LedgerLine // that a corrected file no longer has, and something was decided about
	undone  []int64            // confirmed matches that this import withdrew

	suggested, openLines, openPostings int64
	used                               map[store.PostingKey]bool // postings in matches of any ledger
	unmatched                          []store.PostingKey        // postings of the ledger's days that are not, by day
	byLine                             map[int64]*store.LedgerLine
}

// ReconcileParts are the parts of the report on a ledger that is stored.
var ReconcileParts = []string{"summary", "suggested", "open_ledger", "open_postings", "matches", "rejected"}

// live reports whether a match takes its lines and postings.
func live(state string) bool {
	return state == store.MatchMade || state == store.MatchSuggested || state == store.MatchConfirmed
}

// left is what is left to a person; nil if that is nothing.
func (x *outcome) left() error {
	var parts []string
	for _, p := range []struct {
		n         int64
		one, many string
	}{
		{x.suggested, "suggestion to decide", "suggestions to decide"}, {x.openLines, "line without a posting", "lines without a posting"},
		{x.openPostings, "posting without a line", "postings without a line"}, {int64(x.ledger.Skipped), "line left out", "lines left out"},
	} {
		switch {
		case p.n == 1:
			parts = append(parts, "1 "+p.one)
		case p.n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.many))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	what := fmt.Sprintf("ledger %s: %s", x.ledger.Name, strings.Join(parts, ", "))
	if in := x.moneyIn(); in*2 > len(x.lines) && !slices.ContainsFunc(x.matches, func(m store.LedgerMatch) bool { return live(m.State) }) {
		return &Verdict{3, what, "nothing matches, and most lines are money in: if that is the wrong way round, the other --spend-sign turns it"}
	}
	return &Verdict{3, what,
		"\"syncer reconcile confirm ID\" or \"reject ID\" decides a suggestion, \"match LINE POSTING\" matches by hand; or correct the ledger and import it again under the same name: decisions stay"}
}

// writeReconciled puts the report on a ledger together and has it written.
func (a *App) writeReconciled(b *book, x *outcome, o *ReconcileOptions, write func(*report.Report) error) error {
	x.used, x.byLine = map[store.PostingKey]bool{}, map[int64]*store.LedgerLine{}
	for i := range x.removed {
		x.byLine[x.removed[i].ID] = &x.removed[i]
	}
	for i := range x.lines {
		x.byLine[x.lines[i].ID] = &x.lines[i]
		if x.lines[i].OpenCode != "" {
			x.openLines++
		}
	}
	for i := range x.matches {
		if m := &x.matches[i]; live(m.State) {
			for _, k := range m.Postings {
				x.used[k] = true
			}
			if m.State == store.MatchSuggested {
				x.suggested++
			}
		}
	}
	if err := b.TakenPostings(x.ledger.ID, func(k store.PostingKey, _ string, _ bool) { x.used[k] = true }); err != nil {
		return err
	}
	sums, err := b.reconciledSums(x)
	if err != nil {
		return err
	}
	title := "Ledger " + x.ledger.Name + " against the books"
	if x.preview != nil {
		title += " (preview, nothing was stored)"
	}
	r := &report.Report{Name: "reconciliation", Title: title, About: b.about(x.facts()...), Notes: []string{signNote}}
	if x.preview != nil {
		r.Parts = append(r.Parts, x.previewed())
		if len(x.preview.Bad) > 0 {
			r.Parts = append(r.Parts, x.misread())
		}
	}
	without, err := b.openPostings(x)
	if err != nil {
		return err
	}
	r.Parts = append(r.Parts, sums, b.suggestions(x), b.openLines(x), without)
	for _, p := range []struct {
		name, title, empty string
		live               bool
	}{{"matches", "What belongs together", "nothing belongs together", true}, {"rejected", "What was rejected, or withdrawn with its line", "nothing was rejected", false}} {
		if !o.Table || o.Part == p.name {
			part := b.reconciled(p.name, p.title, x, func(state string) bool { return live(state) == p.live })
			part.Empty = p.empty
			r.Parts = append(r.Parts, part)
		}
	}
	return write(r)
}

// facts say which ledger it is and how it was read.
func (x *outcome) facts() []report.Fact {
	facts := []report.Fact{
		{Label: "ledger", Text: fmt.Sprintf("%s (%s, SHA-256 %s)", x.ledger.Name, x.ledger.File, x.ledger.Hash[:min(16, len(x.ledger.Hash))])},
	}
	if x.ledger.To != "" {
		facts = append(facts, report.Fact{Label: "days", Text: x.ledger.From + " to " + x.ledger.To})
	}
	if len(x.undone) > 0 {
		facts = append(facts, report.Fact{Label: "withdrawn", Text: "confirmed matches of which the file no longer has a line: " + numbersText(x.undone)})
	}
	if x.preview == nil {
		return facts
	}
	var columns []string
	for _, c := range x.preview.Columns {
		columns = append(columns, fmt.Sprintf("%s = %s %q", c.Field, c.Letter, c.Title))
	}
	sign := "negative"
	if x.preview.Positive {
		sign = "positive"
	}
	how := "dates " + x.preview.DateFormat + ", spends are " + sign
	if x.preview.DecimalMark != "" {
		how += ", decimals behind " + x.preview.DecimalMark
	}
	if x.preview.Default != "" {
		how += ", " + x.preview.Default + " where no currency is said"
	}
	facts = append(facts, report.Fact{Label: "file", Text: x.preview.Form}, report.Fact{Label: "columns", Text: strings.Join(columns, ", ")},
		report.Fact{Label: "read as", Text: how})
	if len(x.preview.Totals) > 0 {
		facts = append(facts, report.Fact{Label: "totals", Text: "left out as sums or balances: line " + numbersText(x.preview.Totals)})
	}
	if len(x.preview.Unused) > 0 {
		facts = append(facts, report.Fact{Label: "not read", Text: strings.Join(x.preview.Unused, ", ")})
	}
	return facts
}

// previewLines is how many lines a preview shows.
const previewLines = 10

// previewed shows the first lines as they were understood.
func (x *outcome) previewed() report.Part {
	p := report.Part{Name: "lines", Title: "The first lines, as they were understood", Empty: "no line could be understood", Columns: ledgerColumns(0)}
	p.Columns[2].Sum = false // of some lines it would mean nothing
	p.Rows = func(row func(report.Row) error) error {
		for i := range x.lines[:min(previewLines, len(x.lines))] {
			if err := row(ledgerCells(&x.lines[i])); err != nil {
				return err
			}
		}
		return nil
	}
	in := x.moneyIn()
	p.Notes = []string{fmt.Sprintf("%d lines were understood: %d are money out, %d money in or zero", len(x.lines), len(x.lines)-in, in)}
	if in*2 > len(x.lines) {
		p.Notes = append(p.Notes, "most are money in; if that is the wrong way round, the other --spend-sign turns it")
	}
	return p
}

// moneyIn is how many lines are money in, or zero.
func (x *outcome) moneyIn() (n int) {
	for i := range x.lines {
		if x.lines[i].Amount.Value >= 0 {
			n++
		}
	}
	return n
}

// misread lists the lines that were not understood.
func (x *outcome) misread() report.Part {
	return report.Part{Name: "not_understood", Title: "Lines that cannot be understood",
		Columns: []report.Column{{Name: "ledger_line", Title: "line", Kind: report.Count}, {Name: "reason", Title: "because"}},
		Rows: func(row func(report.Row) error) error {
			for _, bad := range x.preview.Bad {
				if err := row(report.Row{int64(bad.Number), bad.Reason}); err != nil {
					return err
				}
			}
			return nil
		}}
}

// ledgerColumns are those of a line, which begin at a place in their part.
func ledgerColumns(at int) []report.Column {
	return []report.Column{
		{Name: "ledger_line", Title: "line", Kind: report.Count},
		{Name: "ledger_date", Title: "date", Kind: report.Date},
		{Name: "ledger_amount", Title: "amount", Kind: report.Money, Currency: at + 3, Sum: true},
		{Name: "ledger_currency", Title: "currency"},
		{Name: "payee", Title: "payee"},
		{Name: "reference", Title: "reference", Kind: report.ID},
		{Name: "description", Title: "description", Data: true},
		{Name: "ledger_account", Title: "account", Data: true},
	}
}

func ledgerCells(l *store.LedgerLine) report.Row {
	if l == nil {
		return make(report.Row, len(ledgerColumns(0)))
	}
	return report.Row{int64(l.Number), l.Date, l.Amount.Value, l.Amount.Currency, some(l.Payee), some(l.Reference), some(l.Detail), some(l.LedgerAccount)}
}

// ruleWords are the rules as people read them.
var ruleWords = map[string]string{
	string(reconcile.Reference): "named, equal amounts", string(reconcile.Amount): "equal amounts within the days",
	string(reconcile.Tolerance): "nearly equal, merchants alike", string(reconcile.Sum): "several add up",
	store.RuleManual: "by hand", string(reconcile.Merchant): "equal amounts, merchant singled out", string(reconcile.Differs): "named, amounts differ",
}

// A sumKey of a reconciliation is what its sums are by.
type reconciledKey struct{ state, rule, currency string }

func (k reconciledKey) compare(l reconciledKey) int {
	states := []string{store.MatchConfirmed, store.MatchMade, store.MatchSuggested, openWord}
	return cmp.Or(cmp.Compare(slices.Index(states, k.state), slices.Index(states, l.state)), cmp.Compare(k.rule, l.rule), cmp.Compare(k.currency, l.currency))
}

const openWord = "open"

type reconciledSum struct{ matches, lines, postings, ledger, posted int64 }

// errTooMuch says that a sum cannot be held: it would be a wrong number that looks
// right.
var errTooMuch = errors.New("the postings of these days add up to more than can be counted; look for bills with impossible amounts")

// post adds a posting.
func (s *reconciledSum) post(value int64) error {
	sum := s.posted + value
	if value != 0 && (sum > s.posted) != (value > 0) {
		return errTooMuch
	}
	s.postings, s.posted = s.postings+1, sum
	return nil
}

// reconciledSums tells what both sides came to, by how they were matched.
func (b *book) reconciledSums(x *outcome) (report.Part, error) {
	sums := map[reconciledKey]*reconciledSum{}
	of := func(state, rule, currency string) *reconciledSum {
		k := reconciledKey{state, rule, currency}
		if sums[k] == nil {
			sums[k] = &reconciledSum{}
		}
		return sums[k]
	}
	where := map[store.PostingKey]reconciledKey{}
	for i := range x.matches {
		m := &x.matches[i]
		if !live(m.State) || len(m.Lines) == 0 {
			continue
		}
		currency := ""
		for n, id := range m.Lines {
			l := x.byLine[id]
			if l == nil {
				continue
			}
			s := of(m.State, m.Rule, l.Amount.Currency)
			s.lines++
			s.ledger += l.Amount.Value
			currency = l.Amount.Currency
			if n == 0 {
				s.matches++
			}
		}
		for _, k := range m.Postings {
			where[k] = reconciledKey{m.State, m.Rule, currency}
		}
	}
	for i := range x.lines {
		if l := &x.lines[i]; l.OpenCode != "" {
			s := of(openWord, "", l.Amount.Currency)
			s.lines++
			s.ledger += l.Amount.Value
		}
	}
	if err := b.postingSums(x, of, where); err != nil {
		return report.Part{}, err
	}
	return report.Part{Name: "summary", Title: "Summary", Empty: "there is nothing on either side",
		Columns: []report.Column{
			{Name: "state", Title: "state"}, {Name: "rule", Title: "rule", Data: true}, {Name: "rule_words", Title: "by", None: "-"}, {Name: "currency", Title: "currency"},
			{Name: "matches", Title: "matches", Kind: report.Count, Sum: true}, {Name: "lines", Title: "lines", Kind: report.Count, Sum: true},
			{Name: "postings", Title: "postings", Kind: report.Count, Sum: true},
			{Name: "ledger_amount", Title: "ledger", Kind: report.Money, Currency: 3, Sum: true},
			{Name: "posting_amount", Title: "books", Kind: report.Money, Currency: 3, Sum: true},
		},
		Rows: func(row func(report.Row) error) error {
			for _, k := range slices.SortedFunc(maps.Keys(sums), reconciledKey.compare) {
				s := sums[k]
				if err := row(report.Row{k.state, some(k.rule), some(ruleWords[k.rule]), k.currency, s.matches, s.lines, s.postings, s.ledger, s.posted}); err != nil {
					return err
				}
			}
			return nil
		}}, nil
}

// postingSums adds the postings of the ledger's days, and those matched beyond them.
func (b *book) postingSums(x *outcome, of func(state, rule, currency string) *reconciledSum, where map[store.PostingKey]reconciledKey) error {
	take := func(k store.PostingKey, a bill.Amount) error {
		at, ok := where[k]
		switch {
		case ok:
			delete(where, k)
		case x.used[k]:
			return nil // in a match of another ledger
		default:
			at = reconciledKey{openWord, "", a.Currency}
			x.openPostings++
			x.unmatched = append(x.unmatched, k)
		}
		return of(at.state, at.rule, a.Currency).post(a.Value)
	}
	if x.ledger.To == "" {
		return nil
	}
	err := b.BookAmounts(x.ledger.Accounts, x.ledger.From, x.ledger.To, take)
	if err != nil {
		return err
	}
	for _, k := range slices.SortedFunc(maps.Keys(where), store.PostingKey.Compare) {
		p, err := b.PostingOf(k)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		if err := take(k, p.Amount); err != nil {
			return err
		}
	}
	return nil
}

// suggestions are the matches that a person must decide.
func (b *book) suggestions(x *outcome) report.Part {
	p := b.reconciled("suggested", "Suggestions to decide", x, func(state string) bool { return state == store.MatchSuggested })
	p.Empty = "nothing has to be decided"
	return p
}

// reconciled lists matches: a row for each line with its posting.
func (b *book) reconciled(name, title string, x *outcome, want func(state string) bool) report.Part {
	columns := []report.Column{
		{Name: "match_id", Title: "match", Kind: report.ID, None: "-"}, {Name: "state", Title: "state", Data: name == "suggested"}, {Name: "rule", Title: "rule"},
	}
	columns = append(columns, ledgerColumns(3)...)
	columns = append(columns,
		report.Column{Name: "posting_date", Title: "posted", Kind: report.Date},
		report.Column{Name: "posting_amount", Title: "books", Kind: report.Money, Currency: 13, Sum: true},
		report.Column{Name: "posting_currency", Title: "currency"},
		report.Column{Name: "account", Title: "account", Data: true},
		report.Column{Name: "merchant_name", Title: "merchant"},
		report.Column{Name: "order_no", Title: "order", Kind: report.ID, Data: true},
		report.Column{Name: "line_id", Title: "line of the books", Kind: report.ID, Data: true},
		report.Column{Name: "reason", Title: "because"},
		report.Column{Name: "decided_by", Title: "decided by", Data: true},
		report.Column{Name: "note", Title: "note", Data: true},
		report.Column{Name: "decided_at", Title: "decided", Kind: report.Time, Data: true})
	return report.Part{Name: name, Title: title, Columns: columns,
		Rows: func(row func(report.Row) error) error {
			for i := range x.matches {
				if m := &x.matches[i]; want(m.State) {
					if err := b.reconciledRows(x, m, row); err != nil {
						return err
					}
				}
			}
			return nil
		}}
}

func (b *book) reconciledRows(x *outcome, m *store.LedgerMatch, row func(report.Row) error) error {
	for i := range max(len(m.Lines), len(m.Postings)) {
		var id any
		if m.ID != 0 {
			id = fmt.Sprint(m.ID)
		}
		var l *store.LedgerLine
		if i < len(m.Lines) {
			l = x.byLine[m.Lines[i]]
		}
		cells := append(report.Row{id, m.State, m.Rule}, ledgerCells(l)...)
		posted := make(report.Row, 7)
		if i < len(m.Postings) {
			p, err := b.PostingOf(m.Postings[i])
			if err != nil {
				return err
			}
			if p != nil {
				posted = report.Row{p.Date, p.Amount.Value, p.Amount.Currency, p.Account, some(p.Merchant), p.OrderNo, p.LineID}
			}
		}
		if err := row(append(append(cells, posted...), m.Reason, some(m.By), some(m.Note), report.At(m.DecidedAt))); err != nil {
			return err
		}
	}
	return nil
}

// openLines lists the lines that no posting belongs to, with the postings that come
// nearest.
func (b *book) openLines(x *outcome) report.Part {
	columns := append(ledgerColumns(0),
		report.Column{Name: "code", Title: "code", Data: true}, report.Column{Name: "reason", Title: "because"})
	for i := 1; i <= 3; i++ {
		columns = append(columns, report.Column{Name: fmt.Sprintf("nearest_%d", i), Title: fmt.Sprintf("nearest %d", i), Data: i > 1},
			report.Column{Name: fmt.Sprintf("nearest_%d_line_id", i), Title: fmt.Sprintf("line %d of the books", i), Kind: report.ID, Data: true})
	}
	return report.Part{Name: "open_ledger", Title: "Lines of the ledger without a posting", Columns: columns, Empty: "every line has its posting",
		Rows: func(row func(report.Row) error) error {
			for _, l := range slices.SortedFunc(maps.Values(x.byLine), func(l, m *store.LedgerLine) int { return cmp.Compare(l.Number, m.Number) }) {
				if l.OpenCode == "" {
					continue
				}
				cells := append(ledgerCells(l), l.OpenCode, l.OpenReason)
				for i := range 3 {
					if i >= len(l.Near) {
						cells = append(cells, nil, nil)
						continue
					}
					p, err := b.PostingOf(l.Near[i].PostingKey)
					if err != nil {
						return err
					}
					if p == nil {
						cells = append(cells, nil, nil)
						continue
					}
					cells = append(cells, fmt.Sprintf("%s %s %s: %s", p.Date, p.Amount, cmp.Or(p.Merchant, "(no name)"), l.Near[i].Reason), p.LineID)
				}
				if err := row(cells); err != nil {
					return err
				}
			}
			return nil
		}}
}

// openPostings lists the postings of the ledger's days that no line belongs to.
func (b *book) openPostings(x *outcome) (report.Part, error) {
	w, err := newWhyOpen(x)
	if err != nil {
		return report.Part{}, err
	}
	return report.Part{Name: "open_postings", Title: "Postings of these days without a line in the ledger", Empty: "every posting has its line",
		Columns: []report.Column{
			{Name: "posting_date", Title: "posted", Kind: report.Date}, {Name: "account", Title: "account"}, {Name: "kind", Title: "kind"},
			{Name: "amount", Title: "amount", Kind: report.Money, Currency: 4, Sum: true}, {Name: "currency", Title: "currency"},
			{Name: "merchant_name", Title: "merchant"}, {Name: "order_no", Title: "order", Kind: report.ID},
			{Name: "line_id", Title: "line of the books", Kind: report.ID}, {Name: "bill_id", Title: "bill", Kind: report.Count, Data: true},
			{Name: "code", Title: "code", Data: true}, {Name: "reason", Title: "because"},
		},
		Rows: func(row func(report.Row) error) error {
			if x.ledger.To == "" {
				return nil
			}
			return b.PostingsOf(x.unmatched, func(p *store.Posting) error {
				code, reason, err := w.why(p)
				if err != nil {
					return err
				}
				return row(report.Row{p.Date, p.Account, p.Kind, p.Amount.Value, p.Amount.Currency, some(p.Merchant), p.OrderNo, p.LineID, p.BillID, code, reason})
			})
		}}, nil
}

// Ledgers reports which ledgers were reconciled.
func (a *App) Ledgers(ctx context.Context, write func(*report.Report) error) error {
	st, err := a.look(ctx)
	if err != nil {
		return err
	}
	defer a.logged("closing the database", st.Close)
	return withCode(st.View(ctx, func(t *store.Tx) error {
		b := &book{Tx: t, app: a, madeAt: a.now()}
		counts, err := t.LedgerCounts()
		if err != nil {
			return err
		}
		list, err := t.Ledgers("")
		if err != nil {
			return err
		}
		part := report.Part{Name: "ledgers", Title: "Ledgers", Empty: "no ledger was reconciled yet",
			Columns: []report.Column{
				{Name: "ledger", Title: "ledger"}, {Name: "file", Title: "file"}, {Name: "period_from", Title: "from", Kind: report.Date}, {Name: "period_to", Title: "to", Kind: report.Date},
				{Name: "lines", Title: "lines", Kind: report.Count, Sum: true}, {Name: "matched", Title: "matched", Kind: report.Count, Sum: true},
				{Name: "confirmed", Title: "confirmed", Kind: report.Count, Sum: true}, {Name: "suggested", Title: "suggested", Kind: report.Count, Sum: true},
				{Name: "open", Title: "open lines", Kind: report.Count, Sum: true}, {Name: "skipped", Title: "left out", Kind: report.Count, Sum: true},
				{Name: "imported_at", Title: "imported", Kind: report.Time}, {Name: "matched_at", Title: "matched", Kind: report.Time, Data: true},
				{Name: "content_hash", Title: "hash", Kind: report.ID, Data: true},
			},
			Rows: func(row func(report.Row) error) error {
				for i := range list {
					l := &list[i]
					n := counts[l.ID]
					if err := row(report.Row{l.Name, l.File, l.From, l.To, n.Lines, n.States[store.MatchMade], n.States[store.MatchConfirmed], n.States[store.MatchSuggested],
						n.Open, int64(l.Skipped), report.At(l.ImportedAt), report.At(l.MatchedAt), l.Hash}); err != nil {
						return err
					}
				}
				return nil
			}}
		return write(&report.Report{Name: "ledgers", Title: "Ledgers that were reconciled", About: b.about(), Parts: []report.Part{part}})
	}))
}

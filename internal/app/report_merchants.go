package app

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"slices"

	"billsync/internal/merchant"
	"billsync/internal/report"
	"billsync/internal/store"
)

// A nameGroup is a name and a currency that sums are of.
type nameGroup struct{ name, currency string }

// A groupSum is what the postings of a group came to.
type groupSum struct {
	nameGroup
	store.BookSum
}

// periodSums adds up the months of the period, by name and currency: the currencies
// one after the other, what was spent most on first. As many sums are kept as there
// are names.
func (b *book) periodSums(dimension string) ([]groupSum, error) {
	sums := map[nameGroup]*groupSum{}
	err := b.NameSums(dimension, b.accounts, b.span(), func(name, currency string, s *store.BookSum) error {
		g := nameGroup{name, currency}
		if sums[g] == nil {
			sums[g] = &groupSum{nameGroup: g}
		}
		if err := sums[g].Add(s); err != nil {
			return fmt.Errorf("%s %s: %w", name, currency, err)
		}
		return nil
	})
	list := make([]groupSum, 0, len(sums))
	for _, s := range sums {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b groupSum) int {
		return cmp.Or(cmp.Compare(a.currency, b.currency), cmp.Compare(a.Spent, b.Spent), cmp.Compare(a.name, b.name))
	})
	return list, err
}

// Merchants reports what was spent at which merchants in a period (the last twelve
// months if none is said), and which names were taken for theirs. Above zero, top
// is how many merchants are told for each currency, the others together.
func (a *App) Merchants(ctx context.Context, top int, o BookOptions, write func(*report.Report) error) error {
	return a.makeReport(ctx, o, func(b *book) (*report.Report, error) {
		b.lastYear()
		sums, err := b.periodSums("merchant")
		if err != nil {
			return nil, err
		}
		rows, shown, err := rankMerchants(sums, top)
		if err != nil {
			return nil, err
		}
		return &report.Report{
			Name: "merchants", Title: "What was spent at which merchants",
			About: b.about(b.period()), Notes: []string{signNote, "the share is that of what was spent in the currency, before returns and reversals"},
			Parts: []report.Part{merchantsPart(rows), b.namesPart(shown)},
		}, nil
	}, write)
}

// A rankedSum is a row of the report on merchants.
type rankedSum struct {
	groupSum
	rank      int // within the currency; 0: the merchants behind the last one that is told
	merchants int // how many those are; else 1
	share     any
}

// rankMerchants puts together what follows the first merchants of each currency,
// and computes the shares. Shown are the merchants that are told; nil if all are.
func rankMerchants(sums []groupSum, top int) (rows []rankedSum, shown map[string]bool, err error) {
	if top > 0 {
		shown = map[string]bool{}
	}
	for len(sums) > 0 {
		n := 1
		for n < len(sums) && sums[n].currency == sums[0].currency {
			n++
		}
		var all store.BookSum
		others := rankedSum{groupSum: groupSum{nameGroup: nameGroup{currency: sums[0].currency}}}
		from := len(rows)
		for i := range sums[:n] {
			if err := all.Add(&sums[i].BookSum); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", sums[i].currency, err)
			}
			if top > 0 && i >= top {
				others.merchants++
				if err := others.Add(&sums[i].BookSum); err != nil {
					return nil, nil, err
				}
				continue
			}
			rows = append(rows, rankedSum{groupSum: sums[i], rank: i + 1, merchants: 1})
			if shown != nil {
				shown[sums[i].name] = true
			}
		}
		if others.merchants > 0 {
			rows = append(rows, others)
		}
		for i := range rows[from:] {
			rows[from+i].share = share(rows[from+i].Spent, all.Spent)
		}
		sums = sums[n:]
	}
	return rows, shown, nil
}

// share is a part of a whole in per cent, with one decimal place, rounded half up.
func share(part, whole int64) any {
	if whole == 0 {
		return nil
	}
	x := big.NewRat(1000, 1)
	x.Mul(x, new(big.Rat).SetFrac(big.NewInt(part), big.NewInt(whole)))
	return x.Quo(x, big.NewRat(10, 1)).FloatString(1)
}

func merchantsPart(rows []rankedSum) report.Part {
	columns := append(nameColumns("merchant"),
		report.Column{Name: "currency", Title: "currency"},
		report.Column{Name: "rank", Kind: report.Count, Data: true},
		report.Column{Name: "merchants", Kind: report.Count, Sum: true, Data: true},
		report.Column{Name: "share_percent", Title: "share, %", Kind: report.Decimal})
	return report.Part{
		Name: "merchants", Title: "By merchant", Columns: append(columns, sumColumns(1)...), Empty: "nothing is posted",
		Rows: func(row func(report.Row) error) error {
			for i := range rows {
				r := &rows[i]
				name, rank := some(r.name), any(int64(r.rank))
				if r.rank == 0 {
					name, rank = fmt.Sprintf("(%d others)", r.merchants), nil
				}
				cells := report.Row{name, r.currency, rank, int64(r.merchants), r.share}
				if err := row(append(cells, sumCells(&r.BookSum)...)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// namesPart tells which names fell under which merchant; those of some merchants
// only if there are any shown.
func (b *book) namesPart(shown map[string]bool) report.Part {
	return report.Part{
		Name: "names", Title: "Names that were taken for a merchant's", Empty: "no bill names a merchant",
		Columns: []report.Column{
			{Name: "merchant", Title: "merchant"}, {Name: "merchant_name", Title: "as the bills have it"},
			{Name: "rule", Title: "by rule", None: "(as it is)"}, {Name: "postings", Title: "postings", Kind: report.Count, Sum: true},
		},
		Notes: []string{`"syncer report merchants --rules" shows the rules`},
		Rows: func(row func(report.Row) error) error {
			return b.MerchantNames(b.accounts, b.span(), func(m *store.MerchantName) error {
				if shown != nil && !shown[m.Name] {
					return nil
				}
				return row(report.Row{m.Name, m.Raw, some(m.Rule), m.Postings})
			})
		},
	}
}

// MerchantRules reports the rules by which merchants' names are made comparable,
// in the order in which they have their turn. The database is not asked.
func (a *App) MerchantRules(write func(*report.Report) error) error {
	names, err := a.names()
	if err != nil {
		return err
	}
	rules := names.Rules()
	builtin := map[string]bool{}
	for _, r := range merchant.Builtin() {
		builtin[r.ID] = true
	}
	return write(&report.Report{
		Name: "merchant_rules", Title: "Rules for merchants' names",
		Notes: []string{
			"own rules are [report] merchant_rules in the configuration; they come before the built-in ones",
			"all rules have a turn, again and again until none of them changes anything",
		},
		Parts: []report.Part{rulesPart(rules, builtin)},
	})
}

// clipped is an example that fits into a table: that of what is too long does not.
func clipped(text string) string {
	const longest = 40
	if r := []rune(text); len(r) > longest {
		return string(r[:longest-1]) + "…"
	}
	return text
}

func rulesPart(rules []merchant.Rule, builtin map[string]bool) report.Part {
	return report.Part{
		Name: "rules", Title: "Rules", Columns: []report.Column{
			{Name: "rule", Title: "rule"}, {Name: "origin", Title: "whose"}, {Name: "why", Title: "what it does"},
			{Name: "example", Title: "example"}, {Name: "becomes", Title: "becomes"},
			{Name: "pattern", Title: "pattern", Data: true}, {Name: "replacement", Title: "replacement", Data: true},
		},
		Rows: func(row func(report.Row) error) error {
			for _, r := range rules {
				origin, why := "built-in", r.Why
				var replacement any = r.Name
				if !builtin[r.ID] {
					origin, why = "own", fmt.Sprintf("what matches %s is called %s", r.Pattern, r.Name)
				}
				if r.Pattern == "" {
					replacement = nil
				}
				if err := row(report.Row{r.ID, origin, why, some(clipped(r.In)), some(clipped(r.Out)), some(r.Pattern), replacement}); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

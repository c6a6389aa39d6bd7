package main

import (
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// A past is a history of bills, closes and exports, as rapid draws it.
type past struct {
	*diary
	rt     *rapid.T
	step   int
	orders []string // of all bills
	of     map[string]string
	gone   map[string]bool
	closed map[string]bool
	rules  int
	open   bool                         // the database
	files  map[string]map[string]string // by target
}

// exportTargets are who gets exports, and in which format.
var exportTargets = map[string]string{"bank": "ofx", "xero": "xero-csv", "erp": "camt053", "books": "hledger"}

// entries find a line's id and amount in a file.
var entries = map[string]*regexp.Regexp{
	"ofx":      regexp.MustCompile(`<TRNAMT>(?P<amount>[^<]+)</TRNAMT>\n<FITID>(?P<id>[^<]+)<`),
	"xero-csv": regexp.MustCompile(`(?m)^[0-9-]+,(?P<amount>[0-9.-]+),.*,(?P<id>[A-Z2-7]{26}[-RXA0-9]*)$`),
	"camt053":  regexp.MustCompile(`<NtryRef>(?P<id>[^<]+)</NtryRef><Amt Ccy="[A-Z]+">(?P<amount>[^<]+)</Amt><CdtDbtInd>(?P<sign>[A-Z]+)<`),
	"hledger":  regexp.MustCompile(`; line_id: (?P<id>\S+)\n(?:    ;.*\n)+    \S+    (?P<amount>[0-9.-]+) `),
}

// fewChecks keeps a test with files from taking minutes. -rapid.checks=1000 is worth
// a try after changes.
func fewChecks(t *testing.T, n string) {
	t.Helper()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if !asked {
		if err := flag.Set("rapid.checks", n); err != nil {
			t.Fatal(err)
		}
	}
}

// For any history of bills, changes, closes and exports with any filters to several
// targets, each posting is in exactly one batch of a target in the end, with its
// amount, and each batch can be repeated byte for byte whatever happens later.
func TestAnyHistoryIsExportedOnce(t *testing.T) {
	fewChecks(t, "12")
	t.Parallel() // from here on
	rapid.Check(t, func(rt *rapid.T) {
		p := &past{diary: newDiary(t), rt: rt, of: map[string]string{}, gone: map[string]bool{}, closed: map[string]bool{}, open: true, files: map[string]map[string]string{}}
		p.bill()
		rt.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) {}, "bill": func(*rapid.T) { p.bill() }, "turns": func(*rapid.T) { p.turn() }, "renamed": func(*rapid.T) { p.rename(p.order()) },
			"withdrawn": func(*rapid.T) { p.withdraw() }, "closed": func(*rapid.T) { p.close() }, "rules": func(*rapid.T) { p.rule() },
			"export": func(*rapid.T) { p.export(p.target(), p.filter()...) }, "more": func(*rapid.T) { p.export(p.target()) },
		})
		for target := range exportTargets {
			p.export(target)
		}
		p.complete()
		for _, order := range p.orders {
			p.rename(order)
		}
		p.withdraw()
		p.close()
		p.rule()
		p.again()
		p.shut()
	})
}

// now moves the clock of the story on, and is the time.
func (p *past) now() string {
	p.step++
	return fmt.Sprintf("2026-%02d-%02d %02d:00", 4+p.step/40, 1+p.step/2%20, p.step%2*12)
}

// awake opens the database for the story, shut closes it for the program.
func (p *past) awake() {
	if !p.open {
		p.reopened()
		p.open = true
	}
}

func (p *past) shut() {
	if p.open {
		if err := p.s.Close(); err != nil {
			p.rt.Fatal(err)
		}
		p.open = false
	}
}

func (p *past) bill() {
	p.awake()
	order, account := fmt.Sprint("o", len(p.orders)), rapid.SampledFrom([]string{"main", "main", "shop"}).Draw(p.rt, "account")
	currency := rapid.SampledFrom([]string{"USD", "CNH", "JPY", "KWD"}).Draw(p.rt, "currency")
	status := rapid.SampledFrom([]string{"SUCCESS", "SUCCESS", "WAITING_CLEARANCE", "PARTIAL_REFUND", "FAILED"}).Draw(p.rt, "status")
	now := p.now()
	in := ""
	if status == "PARTIAL_REFUND" {
		in = "7 " + currency
	}
	p.seen(now, account, order, now, status, rapid.SampledFrom([]string{"淘宝网", "Inn; a|b", ""}).Draw(p.rt, "merchant"), "77 EUR", fmt.Sprint(100+len(p.orders), " ", currency), in)
	p.orders, p.of[order] = append(p.orders, order), account
}

func (p *past) order() string { return rapid.SampledFrom(p.orders).Draw(p.rt, "order") }

// stored stores the present state of a bill.
func (p *past) stored(order string) {
	if p.gone[order] {
		return
	}
	p.awake()
	b, now := p.bills[order], p.now()
	b.Hash = order + now
	p.do(func(tx *store.Tx) error {
		known, err := tx.KnownByOrders(p.of[order], []string{order})
		if err != nil {
			return err
		}
		return tx.UpdateBill(known[0].ID, b, 0, p.at(now), p.at(now), 2)
	})
}

func (p *past) turn() {
	order := p.order()
	b := p.bills[order]
	b.Status = rapid.SampledFrom([]string{"SUCCESS", "CANCELLED", "PARTIAL_REFUND", "REFUNDED", "FAILED"}).Draw(p.rt, "status")
	b.Out = &bill.Amount{Currency: b.Out.Currency, Value: rapid.Int64Range(90, 120).Draw(p.rt, "out")}
	b.In = &bill.Amount{Currency: b.Out.Currency, Value: rapid.Int64Range(0, 90).Draw(p.rt, "in")}
	p.stored(order)
}

// rename gives a bill another merchant and card.
func (p *past) rename(order string) {
	b := p.bills[order]
	b.MerchantName = fmt.Sprint("Renamed ", p.step)
	card := rapid.SampledFrom([]string{"4242", "5353"}).Draw(p.rt, "card")
	b.AssetID, b.CardLast4, b.CardNickName = "20260000000000000000000000"+card, card, fmt.Sprint("Card ", p.step)
	p.stored(order)
}

func (p *past) withdraw() {
	order := p.order()
	if p.gone[order] || p.of[order] != "main" {
		return
	}
	p.awake()
	p.gone[order] = true
	p.vanishes(p.now(), order)
}

// close closes the first month that is open, if it is over.
func (p *past) close() {
	now := p.now()
	for month := 4; fmt.Sprintf("2026-%02d", month) < now[:7]; month++ {
		name := fmt.Sprintf("2026-%02d", month)
		if p.closed[name] {
			continue
		}
		p.closed[name] = true
		p.awake()
		c := store.Closing{Month: name, At: p.at(now), By: "me", Program: "test"}
		if err := p.s.CloseMonth(p.t.Context(), &c, plainNames{}, false); err != nil {
			p.rt.Fatal(err)
		}
		return
	}
}

// rule changes the rules by which reports name merchants.
func (p *past) rule() {
	p.rules++
	put(p.t, filepath.Join(p.dir, "config.toml"), fmt.Appendf(nil, "[[account]]\nname = \"main\"\n[report]\nmerchant_rules = [\"Renamed => Same %d\"]\n", p.rules))
}

func (p *past) target() string {
	return rapid.SampledFrom(slices.Sorted(maps.Keys(exportTargets))).Draw(p.rt, "target")
}

func (p *past) filter() []string {
	return rapid.SampledFrom([][]string{
		{"--account", "main"}, {"--account", "shop"}, {"--month", "2026-04"}, {"--to", "2026-05"}, {"--from", "2026-05"}, {"--card", "4242"},
		{"--card", "4242", "--account", "main", "--month", "2026-04"},
	}).Draw(p.rt, "filter")
}

// export exports what is new, and keeps what was written.
func (p *past) export(target string, narrow ...string) {
	p.shut()
	out := filepath.Join(p.dir, target)
	_, errout, code := p.ask(append([]string{"export", exportTargets[target], "--new", "--target", target, "-o", out + "/"}, narrow...)...)
	if code != exitDone && !strings.Contains(errout, "no bill has a card") {
		p.rt.Fatalf("export to %s %v ends with %d: %s", target, narrow, code, errout)
	}
	files := tree(p.t, out)
	for name, text := range p.files[target] {
		if files[name] != text {
			p.rt.Errorf("%s of %s is not what it was", name, target)
		}
	}
	p.files[target] = files
}

// complete compares all that a target got with the books.
func (p *past) complete() {
	books := map[string][]string{}
	for _, row := range p.sqlRows("SELECT line_id || ' ' || amount_decimal FROM posting_details") {
		id, amount, _ := strings.Cut(row, " ")
		books[id] = []string{amount}
	}
	for target, format := range exportTargets {
		got := map[string][]string{}
		find := entries[format]
		for _, text := range p.files[target] {
			for _, m := range find.FindAllStringSubmatch(text, -1) {
				id, amount := m[find.SubexpIndex("id")], m[find.SubexpIndex("amount")]
				if i := find.SubexpIndex("sign"); i > 0 && m[i] == "DBIT" {
					amount = "-" + amount
				}
				got[id] = append(got[id], amount)
			}
		}
		if diff := cmp.Diff(books, got); diff != "" {
			p.rt.Errorf("%s did not get what the books have (-books +files):\n%s", target, diff)
		}
	}
	for _, row := range p.sqlRows(`SELECT t.target, s.account, s.currency FROM (SELECT DISTINCT target FROM export_batches) t JOIN monthly_books s
		GROUP BY 1, 2, 3 HAVING sum(s.postings) <> (SELECT count(*) FROM export_lines e JOIN posting_details p USING (bill_id, line)
			WHERE e.target = t.target AND p.account = s.account AND p.currency = s.currency)`) {
		p.rt.Errorf("what was exported is not what the books add up to: %s", row)
	}
}

// again repeats all batches.
func (p *past) again() {
	p.shut()
	files := map[string]map[string]string{}
	for _, row := range p.sqlRows("SELECT batch_id || ' ' || target FROM export_batches") {
		id, target, _ := strings.Cut(row, " ")
		out := filepath.Join(p.dir, "again-"+target)
		_, errout, code := p.ask("export", "--repeat", id, "-o", out+"/")
		if code != exitDone {
			p.rt.Errorf("batch %s ends with %d: %s", id, code, errout)
		}
		files[target] = tree(p.t, out)
	}
	for target := range exportTargets {
		if diff := cmp.Diff(p.files[target], files[target]); diff != "" && len(p.files[target]) > 0 {
			p.rt.Errorf("%s is repeated otherwise (-first +again):\n%.3000s", target, diff)
		}
	}
}

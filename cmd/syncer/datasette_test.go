package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"billsync"
)

// A question is a query that docs/datasette.yaml brings.
type question struct {
	name, title, description string
	params                   []string // in the query as :name; blank until somebody fills them in
	sql                      string
	mayBeEmpty               bool // there may be nothing to tell
}

var canned = []question{{
	name: "spend_by_month", title: "Spend by month and currency", params: []string{"month"},
	description: "The books. Money that left is negative. Currencies are never added together. Month: such as 2026-05; blank: all.",
	sql: `SELECT month, account, currency, spends, net_decimal, closed, current FROM monthly_books
WHERE month = :month OR :month = ''
ORDER BY month DESC, account, currency`,
}, {
	name: "merchants", title: "Merchants of a month", params: []string{"month"},
	description: "By the name that the rules give them, per currency, the largest first within each. Blank: the last month there is. Amounts in the smallest unit.",
	sql: `SELECT currency, merchant, account, spends, net FROM merchant_books
WHERE month = coalesce(nullif(:month, ''), (SELECT max(month) FROM book_sums))
ORDER BY currency, net`,
}, {
	name: "postings_of_a_merchant", title: "Postings of a merchant", params: []string{"merchant", "month"},
	description: "Line by line, the newest first, 1,000 at most. Blank: all merchants, all months.",
	sql: `SELECT posting_date, kind, amount_decimal, currency, merchant, card_last4, order_no, reason, line_id FROM posting_details
WHERE (merchant = :merchant OR :merchant = '') AND (month = :month OR :month = '')
ORDER BY posting_date DESC, line_id LIMIT 1000`,
}, {
	name: "failures", title: "Failed payments by reason, with advice", params: []string{"month"},
	description: "settled: the same purchase succeeded within three days; unpaid: it did not. Blank: all months.",
	sql: `SELECT category, fail_code, currency, sum(failures) AS failures, sum(settled) AS settled, sum(unpaid) AS unpaid, advice FROM monthly_failures
WHERE month = :month OR :month = ''
GROUP BY category, fail_code, currency, advice ORDER BY sum(unpaid) DESC, fail_code, currency`,
}, {
	name: "open_items", title: "What has not cleared, the oldest first",
	description: "Authorised but not cleared, or in a status that syncer does not know.",
	sql: `SELECT age_days, transaction_date, account, bill_status, out_decimal, out_currency, merchant_name, card_last4, order_no FROM open_bills
ORDER BY age_days DESC, order_no`,
}, {
	name: "late_postings", title: "What came after its month was closed", mayBeEmpty: true,
	description: "Posted in a later month, because the one it belongs to was closed.",
	sql: `SELECT posting_date, effect_date, kind, amount_decimal, currency, merchant, order_no, reason FROM posting_details
WHERE late ORDER BY posting_date DESC, line_id LIMIT 1000`,
}, {
	name: "completeness", title: "Is it all there?",
	description: "complete is 1 when every bill since history_start is proved to be stored, and nothing waits, failed or is unreadable.",
	sql: `SELECT account, complete, bills, history_start, proved_from, proved_to, windows_proved, windows, unreadable, accepted FROM coverage
ORDER BY account`,
}, {
	name: "runs", title: "The last runs",
	description: "When syncer last asked, what it found, and how that ended.",
	sql: `SELECT run_id, trigger, started_at, finished_at, outcome, requests, bills_new, bills_changed, error FROM runs
ORDER BY run_id DESC LIMIT 100`,
}}

// machinery are the tables that only syncer needs: Datasette does not list them.
var machinery = []string{"meta", "tails", "chases", "passes", "pages", "held_items", "evidence", "cards", "kept_labels", "kept_keys",
	"dirty_months", "card_bills", "book_sums", "failure_sums"}

// words describe columns of views that schema.sql has no comment for, by view and
// column or by column alone.
var words = map[string]string{
	"reconciliation_matches.ledger":                    "the ledger's name",
	"reconciliation_matches.ledger_line":               "the number of the line in its file, the head included",
	"reconciliation_matches.ledger_date":               "the day in the ledger",
	"reconciliation_matches.ledger_amount":             "in the currency's smallest unit; negative: money left",
	"reconciliation_matches.ledger_currency":           "ISO 4217, or CNH",
	"reconciliation_matches.payee":                     "the merchant, as the ledger has it",
	"reconciliation_matches.reference":                 "the ledger's own",
	"reconciliation_matches.description":               "the ledger's own text",
	"reconciliation_matches.posting_amount":            "in the currency's smallest unit; negative: money left",
	"reconciliation_matches.posting_currency":          "ISO 4217, or CNH",
	"reconciliation_matches.decided_by":                "the person who decided",
	"reconciliation_matches.ledger_line_id":            "of the table ledger_lines",
	"reconciliation_open_ledger.ledger":                "the ledger's name",
	"reconciliation_open_ledger.ledger_line":           "the number of the line in its file, the head included",
	"reconciliation_open_ledger.ledger_date":           "the day in the ledger",
	"reconciliation_open_ledger.ledger_amount":         "in the currency's smallest unit; negative: money left",
	"reconciliation_open_ledger.ledger_currency":       "ISO 4217, or CNH",
	"reconciliation_open_ledger.payee":                 "the merchant, as the ledger has it",
	"reconciliation_open_ledger.reference":             "the ledger's own",
	"reconciliation_open_ledger.description":           "the ledger's own text",
	"reconciliation_open_ledger.nearest_line_id":       "line_id of the posting that comes nearest",
	"reconciliation_open_ledger.nearest_date":          "its day in the books",
	"reconciliation_open_ledger.nearest_amount":        "its amount in the currency's smallest unit",
	"reconciliation_open_ledger.nearest_merchant":      "its merchant",
	"reconciliation_open_ledger.nearest_order_no":      "its order",
	"reconciliation_open_ledger.nearest_reason":        "what speaks for it and what against",
	"reconciliation_open_ledger.ledger_line_id":        "of the table ledger_lines",
	"reconciliation_open_ledger.ledger_id":             "of the table ledgers",
	"reconciliation_open_postings.ledger":              "the ledger's name",
	"reconciliation_open_postings.posting_amount":      "in the currency's smallest unit; negative: money left",
	"reconciliation_open_postings.posting_currency":    "ISO 4217, or CNH",
	"reconciliation_open_postings.near_lines":          "of how many open lines it is one of the nearest",
	"reconciliation_open_postings.nearest_ledger_line": "the first of these, by its number in the file",
	"reconciliation_open_postings.ledger_id":           "of the table ledgers",
	"reconciliation_open_postings.open_code":           "why it has no line, for programs: rejected, ambiguous, differs, taken, missing",
	"reconciliation_open_postings.open_reason":         "and for people",
	"reconciliation_open_postings.line":                "of the bill: 1, 2, …",
	"accepted":                                         "windows that are not proved, which a person has accepted",
	"account":                                          "whose bills these are: the name in the configuration",
	"adjusted":                                         "sum of spends that were more after all",
	"age_days":                                         "how many days ago the transaction was made",
	"asset_id":                                         "the card",
	"bill_id":                                          "of the table bills; it never changes for a bill",
	"bills":                                            "how many",
	"budget_account_id":                                "the budget account that pays",
	"card_books.spends":                                "how many spends",
	"card_last4":                                       "the last four digits of the card",
	"cards":                                            "how many cards it happened to",
	"closed":                                           "1: nothing can be posted in the month any more",
	"closed_at":                                        "when it was closed",
	"closed_by":                                        "who closed it",
	"complete":                                         "1: all since history_start is proved, and nothing waits, failed or is unreadable",
	"coverage.bills":                                   "how many are stored and listed by the API",
	"coverage.proved_from":                             "every bill is proved to be stored from here",
	"coverage.proved_to":                               "to here, without a gap",
	"currency":                                         "of all amounts in this row",
	"current":                                          "0: bills that changed since the last sync are not in it yet",
	"exchange_rate":                                    "as received",
	"fail_advice":                                      "what a person can do about it",
	"fail_category":                                    "what kind of reason fail_code is",
	"fail_code":                                        "why it failed",
	"fail_desc":                                        "the same in words",
	"first_time":                                       "of the first of them",
	"history_start":                                    "its bills are complete from here, once proved",
	"in_amount":                                        "money that came back",
	"in_currency":                                      "of in_amount",
	"kind":                                             "spend, return, reversal or adjustment",
	"last_time":                                        "of the last of them",
	"late":                                             "1: it belongs to an earlier month, which was closed",
	"masked_card_no":                                   "the masked number of the card",
	"merchant":                                         "the merchant, under the name that the rules give it",
	"merchant_books.spends":                            "how many spends",
	"merchant_name":                                    "the merchant, as the bill has it",
	"merchants":                                        "how many merchants it happened at",
	"metadata":                                         "JSON object",
	"month":                                            "YYYY-MM, in the report's time zone",
	"net":                                              "spent + returned + reversed + adjusted",
	"net_amount":                                       "out_amount less in_amount",
	"note":                                             "that person's words",
	"open_points":                                      "what stood in the way",
	"orders_with_several_bills.bills":                  "how many bills the order has",
	"out_amount":                                       "money that left",
	"out_currency":                                     "of out_amount",
	"posting_details.amount":                           "negative: money left",
	"posting_details.bill_id":                          "the bill it belongs to",
	"posting_details.month":                            "of posting_date",
	"postings":                                         "how many postings",
	"postings_hash":                                    "SHA-256 over the month's postings",
	"returned":                                         "sum of what came back",
	"reversed":                                         "sum of spends and returns that were less after all",
	"spends":                                           "how many of the postings are spends",
	"spent":                                            "sum of the spends; negative",
	"statuses":                                         "of each of them",
	"trade_amount":                                     "in the merchant's currency",
	"trade_country":                                    "where the merchant is",
	"trade_currency":                                   "of trade_amount",
	"transaction_date":                                 "the day of the transaction, in the report's time zone",
	"uncleared":                                        "how many of them have not cleared",
	"unpaid_amount":                                    "what those would have cost",
	"unreadable":                                       "items that the API lists and that could not be understood",
	"valid_from":                                       "since when this was stored",
	"valid_to":                                         "until when; empty: it is so now",
	"books_state.current":                              "1 if all sums are up to date",
	"waiting":                                          "the months that wait to be summed",
	"windows":                                          "stretches of history that are asked for at once",
	"windows_proved":                                   "how many of them are proved",
	"withdrawn_at":                                     "when the API was found to list it no longer",
}

var (
	moneyColumn = regexp.MustCompile(`^((trade|out|in)_amount|net_amount|amount|unpaid_amount|spent|returned|reversed|adjusted|net)$`)
	timeColumn  = regexp.MustCompile(`_at$|_time$|^valid_(from|to)$|^proved_(from|to|until)$|^history_start$|^last_update$|^(window|span)_(start|end)$`)
)

// A relation is a table or a view of schema.sql.
type relation struct {
	name, about string
	view        bool
	comments    map[string]string // of its columns
	sources     []string          // what a view is made of
}

// relations reads schema.sql.
func relations(schema string) (found []*relation) {
	var about []string
	var r *relation
	column := ""
	head := regexp.MustCompile(`^CREATE (TABLE|VIEW) (\w+)`)
	field := regexp.MustCompile(`^    (\w+) +(?:TEXT|INTEGER)\b`)
	from := regexp.MustCompile(`\b(?:FROM|JOIN) (\w+)`)
	for line := range strings.Lines(schema) {
		line = strings.TrimRight(line, "\n")
		code, comment, _ := strings.Cut(line, "-- ")
		switch m := head.FindStringSubmatch(line); {
		case m != nil:
			r = &relation{name: m[2], view: m[1] == "VIEW", about: strings.Join(about, " "), comments: make(map[string]string)}
			found = append(found, r)
			column = ""
		case strings.HasPrefix(line, "--"):
			about = append(about, strings.Fields(strings.TrimPrefix(line, "--"))...)
			continue
		case line == "":
			r = nil
		case r != nil && r.view:
			for _, m := range from.FindAllStringSubmatch(line, -1) {
				r.sources = append(r.sources, m[1])
			}
		case r != nil:
			if m := field.FindStringSubmatch(line); m != nil {
				column = m[1]
			} else if strings.TrimSpace(code) != "" && comment != "" && !strings.HasPrefix(strings.TrimSpace(code), "CHECK") {
				column = "" // of a constraint
			}
			if comment != "" && column != "" {
				r.comments[column] = strings.TrimSpace(r.comments[column] + " " + comment)
			}
		}
		about = nil
	}
	return found
}

// said is what schema.sql, or else words, say of a column.
func said(all map[string]*relation, r *relation, column string) string {
	if !r.view {
		return r.comments[column]
	}
	for _, key := range []string{r.name + "." + column, column} {
		if text := words[key]; text != "" {
			return text
		}
	}
	for _, source := range r.sources { // or a name within the view
		if s := all[source]; s != nil && s.comments[column] != "" {
			return s.comments[column]
		}
	}
	return ""
}

// describe is said with the unit.
func describe(all map[string]*relation, r *relation, column string, columns []string) string {
	text := strings.TrimRight(said(all, r, column), ",;:")
	if whole, ok := strings.CutSuffix(column, "_decimal"); ok {
		if !slices.Contains(columns, whole) {
			whole += "_amount"
		}
		return whole + " as a decimal: exact, and text"
	}
	unit := ""
	switch {
	case moneyColumn.MatchString(column):
		currency := strings.TrimSuffix(column, "_amount") + "_currency"
		if !slices.Contains(columns, currency) {
			currency = "currency"
		}
		unit = "a whole number of the smallest unit of " + currency
	case timeColumn.MatchString(column) && strings.Contains(text, "UTC"):
		unit = "text"
	case timeColumn.MatchString(column):
		unit = "UTC, text"
	}
	if text == "" || unit == "" {
		return text + unit
	}
	return text + "; " + unit
}

// scalar is a text in YAML, which takes all that JSON has.
func scalar(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(err) // a string can be encoded
	}
	return strings.TrimSpace(b.String())
}

// datasette is docs/datasette.yaml as the schema has it.
func datasette(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bills.db")
	executed(t, path, billsync.Schema)
	found := relations(billsync.Schema)
	all := make(map[string]*relation)
	for _, r := range found {
		all[r.name] = r
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Descriptions and questions for Datasette; see other-programs.md. Made from schema.sql: do not edit, but run\n"+
		"# go test ./cmd/syncer -run TestDatasette -update\n"+
		"title: World Card bills\n"+
		"description: %s\n"+
		"databases:\n  bills:\n    tables:\n",
		scalar("Amounts are whole numbers of the currency's smallest unit, and exact text in the decimal columns. Never add up two currencies. Times are UTC."))
	for _, views := range []bool{true, false} {
		for _, r := range found {
			if r.view != views {
				continue
			}
			fmt.Fprintf(&b, "      %s:\n", r.name)
			if r.about != "" {
				fmt.Fprintf(&b, "        description: %s\n", scalar(r.about))
			}
			if slices.Contains(machinery, r.name) {
				b.WriteString("        hidden: true\n")
			}
			columns := lookAt(t, path, "SELECT name FROM pragma_table_info('"+r.name+"')")
			title := "        columns:\n"
			for _, c := range columns {
				text := describe(all, r, c, columns)
				if text == "" {
					if r.view {
						t.Errorf("nothing is said of %s.%s: describe the column in schema.sql, or in words", r.name, c)
					}
					continue
				}
				fmt.Fprintf(&b, "%s          %s: %s\n", title, c, scalar(text))
				title = ""
			}
		}
	}
	b.WriteString("    queries:\n")
	for _, q := range canned {
		fmt.Fprintf(&b, "      %s:\n        title: %s\n        description: %s\n", q.name, scalar(q.title), scalar(q.description))
		if len(q.params) > 0 {
			fmt.Fprintf(&b, "        params: [%s]\n", strings.Join(q.params, ", "))
		}
		fmt.Fprintf(&b, "        sql: |-\n          %s\n", strings.ReplaceAll(q.sql, "\n", "\n          "))
	}
	return b.String()
}

// docs/datasette.yaml says what schema.sql says, of every table and view.
func TestDatasette(t *testing.T) {
	t.Parallel()
	got, path := datasette(t), filepath.Join("..", "..", "docs", "datasette.yaml")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/datasette.yaml is not what the schema says (-want +got); -update writes it anew:\n%s", diff)
	}
	for _, name := range machinery {
		if !strings.Contains(got, "      "+name+":\n") {
			t.Errorf("there is no table %s to hide", name)
		}
	}
	for name, text := range words {
		column := name[strings.LastIndex(name, ".")+1:]
		if !strings.Contains(got, "          "+column+": "+strings.TrimSuffix(scalar(text), `"`)) {
			t.Errorf("there is no column %s to describe", name)
		}
	}
}

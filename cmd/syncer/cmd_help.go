package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"billsync/internal/config"
)

// newHelpCmd is cobra's help, which takes an unknown topic for a success.
func newHelpCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND | TOPIC]",
		Short: "Help about a command or a topic",
		Args:  cobra.ArbitraryArgs,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var all []string
			for _, sub := range target.Commands() {
				all = append(all, cobra.CompletionWithDesc(sub.Name(), sub.Short))
			}
			return all, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usagef(`"syncer help" lists commands and topics`, "there is no help about %q", strings.Join(args, " "))
			}
			target.InitDefaultHelpFlag()
			return target.Help()
		},
	}
}

func newExitCodesTopic(*globals) *cobra.Command {
	var b strings.Builder
	b.WriteString("Exit codes of syncer. An unknown code is a failure.\n\n")
	for _, m := range exitMeanings {
		fmt.Fprintf(&b, "  %-8s  %s\n", m.codes, m.meaning)
	}
	b.WriteString("\nWith several accounts the worst one decides (4 over 3), and the others are finished first.")
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: b.String()}
}

func newEnvironmentTopic(*globals) *cobra.Command {
	var b strings.Builder
	b.WriteString(`Every key of config.toml can be set by a variable, which wins over the file:
SYNCER_ and the path in capitals, joined by _. Lists are separated by commas, or
written as in the file: ["a", "b"]. An unknown SYNCER_ variable is reported.
"syncer config show --origin" tells where each value came from.

The file is the one named with --config, else by SYNCER_CONFIG, else
./config.toml, else $XDG_CONFIG_HOME/syncer/config.toml, else
/etc/syncer/config.toml.

`)
	for _, k := range config.Keys() {
		if k.Env == "" {
			continue
		}
		fmt.Fprintf(&b, "  %s\n      %s", k.Env, k.Allowed)
		if k.Default != "" {
			fmt.Fprintf(&b, "; default %s", k.Default)
		}
		b.WriteString("\n")
	}
	b.WriteString(`
<NAME> is the account's name in capitals, with _ for -.

Also honoured: HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE; for the looks NO_COLOR,
CLICOLOR_FORCE=1 and TERM=dumb.`)
	return &cobra.Command{Use: "environment", Short: "Variables that set what config.toml sets", Long: b.String()}
}

// sqlExamples are the queries in "syncer help sql".
var sqlExamples = []struct{ what, query string }{
	{"Is everything there, and since when?",
		"SELECT account, proved_from, proved_to, complete, bills FROM coverage;"},
	{"What was spent, by month and currency?",
		"SELECT month, currency, bills, net_decimal FROM monthly_spend ORDER BY month DESC, currency;"},
	{"Why do payments fail?",
		"SELECT fail_code, error_desc, bills, advice FROM failures_by_reason;"},
	{"What is still open after a week?",
		"SELECT order_no, bill_status, age_days, merchant_name, trade_decimal, trade_currency FROM open_bills WHERE age_days > 7;"},
	{"Which postings are not in the company's own ledger, and why?",
		"SELECT posting_date, posting_decimal, posting_currency, merchant_name, open_reason FROM reconciliation_open_postings WHERE ledger = 'may';"},
	{"What did the books say on 31 March at 18:00 (+08:00)?",
		"SELECT out_currency, count(*), sum(out_amount) FROM bill_history " +
			"WHERE valid_from <= '2026-03-31T10:00:00.000Z' AND (valid_to IS NULL OR valid_to > '2026-03-31T10:00:00.000Z') " +
			"AND withdrawn_at IS NULL GROUP BY out_currency;"},
	{"The last bills of a card, as people read them:",
		"SELECT transaction_time, merchant_name, trade_decimal, trade_currency, bill_status FROM bill_details " +
			"WHERE card_last4 = '4242' ORDER BY transaction_time DESC LIMIT 20;"},
}

func newSQLTopic(*globals) *cobra.Command {
	var b strings.Builder
	b.WriteString(`The database is one SQLite file, bills.db unless configured otherwise, and yours
to query. Open it read-only:

  sqlite3 -readonly bills.db

It needs SQLite 3.37 or newer, and a folder you may write to (SQLite keeps files
beside the database while it is in use). The names below stay as they are.

Tables
  bills          one row per bill; amounts are integers in the currency's smallest unit
  fail_reasons   what the failure codes mean; bills.fail_code refers to it
  windows        the spans of time bills were read in, and which of them are proved
  rejected_items what could not be understood, as received
  acceptances    what a person has looked at and accepted
  cards          which accounts pay with which cards
  inbox          notifications that could not be placed when they came
  runs           one row per run
  cardholders    requests for cardholders made from here, and what came of them
  postings       the books: what each bill did to them, line by line; never changed
  closes         the months that are closed
  book_sums, failure_sums  sums by month, made anew when something in it changed
  export_batches, export_lines, export_files  what went to which program, and when
  ledgers, ledger_lines, matches, match_items, candidates  the company's own ledgers,
                 and what their lines were matched with
  merchants      merchants' names, and what rules make of them

Views
  bill_details              live bills with decimal amounts and the failure's meaning
  bill_history              every state a bill has had, valid_from to valid_to
  monthly_spend             money out, in and net, by month and currency
  failures_by_reason        failed bills by reason, with advice
  open_bills                bills whose last word is not spoken
  orders_with_several_bills orders that hold more than one bill
  coverage                  per account: proved from, proved to, complete or not
  posting_details           postings with the bill each is about
  monthly_books             what the books of each month came to; merchant_books and
                            card_books: the same by merchant and card
  books_state               whether these and monthly_failures are up to date: while
                            current is 0, the months that wait may be missing there
  monthly_failures          failed payments by month and reason, and what became of them
  closed_months             what closed months came to
  reconciliation_matches    lines of the company's ledgers with their postings
  reconciliation_open_ledger, reconciliation_open_postings  what has no counterpart, and why

Times are UTC text, YYYY-MM-DDTHH:MM:SS.sssZ; transaction_date and months are in the
[report] timezone. A bill the API no longer lists stays, with withdrawn_at set.

Texts stand in single quotes, 'main', names of columns in none or in double ones,
"month". "syncer query" says so if there is no such column; other programs take a
misspelt name in double quotes for a text.

Examples
`)
	for _, e := range sqlExamples {
		fmt.Fprintf(&b, "\n  -- %s\n  %s\n", e.what, strings.ReplaceAll(e.query, " FROM ", "\n    FROM "))
	}
	return &cobra.Command{Use: "sql", Short: "Tables, views and examples for querying the database", Long: strings.TrimSuffix(b.String(), "\n")}
}

package config

import (
	"math"
	"strings"
)

// A section is a table of the file.
type section struct {
	name string
	doc  string
}

// sections are in the order of the file. The accounts, an array of tables, come
// last.
var sections = []section{
	{"api", ""},
	{"database", ""},
	{"sync", ""},
	{"schedule", `cron expressions (five fields, or @every 15m, not below 1s); "" switches one off`},
	{"report", ""},
	{"export.ofx", ""},
	{"export.beancount", ""},
	{"export.hledger", ""},
	{"reconcile", "the company's own ledger; flags of \"syncer reconcile\" go before"},
	{"web", "later"},
	{"webhook", ""},
	{"log", ""},
	{"account", ""},
}

// A key is one line of the file.
type key struct {
	name string // as in "sync.window_days"; keys of accounts begin with "account."
	def  string // the default as TOML; empty: the file shows the key as a comment
	doc  string // the comment beside it

	example string // what stands in the comment when there is no default

	// Exactly one of these is set.
	field   func(*Config) target
	account func(*Account) target
}

func (k *key) section() string { return k.name[:strings.LastIndexByte(k.name, '.')] }
func (k *key) short() string   { return k.name[strings.LastIndexByte(k.name, '.')+1:] }

// keys is the table of all keys, in the order of the file.
var keys = []key{
	{name: "api.base_url", def: `"simulator"`, doc: "the built-in simulator; in production https://open-sea.worldfirst.com or its EU/NA sister",
		field: func(c *Config) target { return textOf(&c.API.BaseURL, baseURL) }},
	{name: "api.client_id", def: `""`,
		field: func(c *Config) target { return textOf(&c.API.ClientID, oneWord) }},
	{name: "api.private_key_file", def: `""`, doc: "RSA private key: PEM (PKCS#8 or PKCS#1) or bare base64",
		field: func(c *Config) target { return pathOf(&c.API.PrivateKeyFile) }},
	{name: "api.server_public_key_file", def: `""`, doc: "when set, every answer must be signed by this key (or one of several in the file)",
		field: func(c *Config) target { return pathOf(&c.API.ServerPublicKeyFile) }},
	{name: "api.key_version", def: `2`,
		field: func(c *Config) target { return wholeOf(&c.API.KeyVersion, 0, math.MaxInt32) }},
	{name: "api.timeout", def: `"30s"`,
		field: func(c *Config) target { return durationOf(&c.API.Timeout) }},
	{name: "api.requests_per_second", def: `5.0`, doc: "above 0, no upper bound; evenly spaced, no bursts",
		field: func(c *Config) target { return decimalOf(&c.API.RequestsPerSecond) }},
	{name: "api.concurrency", def: `4`, doc: "1 to 64",
		field: func(c *Config) target { return wholeOf(&c.API.Concurrency, 1, 64) }},

	{name: "database.url", def: `"bills.db"`, doc: "a file: SQLite; postgres://… : PostgreSQL (later)",
		field: func(c *Config) target { return databaseOf(&c.Database.URL) }},

	{name: "sync.history_start", def: `"2024-01-01"`, doc: "a date in [sync] timezone; may be moved back at any time; accounts may have their own",
		field: func(c *Config) target { return dateTarget{p: &c.Sync.HistoryStart} }},
	{name: "sync.timezone", def: `"Asia/Shanghai"`, doc: "offset used in requests to the API",
		field: func(c *Config) target { return zoneTarget{&c.Sync.Timezone} }},
	{name: "sync.window_days", def: `100`, doc: "7 to 100",
		field: func(c *Config) target { return wholeOf(&c.Sync.WindowDays, 7, 100) }},
	{name: "sync.page_size", def: `100`, doc: "1 to 100",
		field: func(c *Config) target { return wholeOf(&c.Sync.PageSize, 1, 100) }},
	{name: "sync.tail_days", def: `7`, doc: "every run re-reads at least this much; 1 to 90",
		field: func(c *Config) target { return wholeOf(&c.Sync.TailDays, 1, 90) }},
	{name: "sync.refresh_days", def: `90`, doc: "a refresh re-reads at least this much in full",
		field: func(c *Config) target { return wholeOf(&c.Sync.RefreshDays, 1, manyDays) }},
	{name: "sync.audit_days", def: `30`, doc: "and everything within this many days",
		field: func(c *Config) target { return wholeOf(&c.Sync.AuditDays, 1, manyDays) }},
	{name: "sync.retry_schedule", def: `["5m", "10m", "20m", "40m", "80m", "160m", "320m"]`,
		field: func(c *Config) target { return durationsTarget{&c.Sync.RetrySchedule} }},

	{name: "schedule.sync", def: `"*/15 * * * *"`,
		field: func(c *Config) target { return textOf(&c.Schedule.Sync, nil) }},
	{name: "schedule.refresh", def: `"30 2 * * *"`,
		field: func(c *Config) target { return textOf(&c.Schedule.Refresh, nil) }},
	{name: "schedule.timezone", def: `"Asia/Shanghai"`,
		field: func(c *Config) target { return zoneTarget{&c.Schedule.Timezone} }},

	{name: "report.timezone", def: `"Asia/Shanghai"`, doc: "decides the day and month a bill belongs to",
		field: func(c *Config) target { return zoneTarget{&c.Report.Timezone} }},
	{name: "report.merchant_rules", def: `[]`, doc: `merchants' names by rules of your own, tried before the built-in ones: "regular expression => Name"`,
		field: func(c *Config) target { return merchantRulesTarget{&c.Report.MerchantRules} }},

	{name: "export.ofx.kind", def: `"card"`, doc: "card: statements of a credit card; bank: of an account, for programs that take no other",
		field: func(c *Config) target { return choiceOf(&c.Export.OFX.Kind, "card", "bank") }},
	{name: "export.beancount.account", def: `"Liabilities:WorldFirst:WorldCard"`, doc: "what the accounts of cards are below",
		field: func(c *Config) target { return textOf(&c.Export.Beancount.Account, beancountAccount) }},
	{name: "export.beancount.expense_account", def: `"Expenses:Uncategorized"`, doc: "the other side of each line",
		field: func(c *Config) target { return textOf(&c.Export.Beancount.ExpenseAccount, beancountAccount) }},
	{name: "export.hledger.account", def: `"liabilities:worldfirst:worldcard"`,
		field: func(c *Config) target { return textOf(&c.Export.Hledger.Account, journalAccount) }},
	{name: "export.hledger.expense_account", def: `"expenses:uncategorized"`,
		field: func(c *Config) target { return textOf(&c.Export.Hledger.ExpenseAccount, journalAccount) }},
	{name: "reconcile.columns", def: `[]`, doc: `its columns, by name or letter: ["date=Posted", "amount=F"]; the others are found by their usual names`,
		field: func(c *Config) target { return textsTarget{&c.Reconcile.Columns, ledgerColumn} }},
	{name: "reconcile.spend_sign", def: `"negative"`, doc: "negative, positive: how it writes money that leaves",
		field: func(c *Config) target { return choiceOf(&c.Reconcile.SpendSign, "negative", "positive") }},
	{name: "reconcile.date_format", def: `"auto"`, doc: "auto, ymd, dmy, mdy",
		field: func(c *Config) target { return choiceOf(&c.Reconcile.DateFormat, "auto", "ymd", "dmy", "mdy") }},
	{name: "reconcile.default_currency", def: `""`, doc: "of lines without one",
		field: func(c *Config) target { return textOf(&c.Reconcile.DefaultCurrency, currencyCode) }},
	{name: "reconcile.days", def: `"0..5"`, doc: "how many days after the ledger's date the posting may be; -2..5: also two days before",
		field: func(c *Config) target { return textOf(&c.Reconcile.Days, dayRange) }},
	{name: "reconcile.tolerance_percent", def: `"0.5"`, doc: "amounts are near within this much of the posting, 0 to 20,",
		field: func(c *Config) target { return textOf(&c.Reconcile.TolerancePercent, percentage) }},
	{name: "reconcile.tolerance_limit", def: `"1.00"`, doc: "and no more than this, in the currency's unit, 0 to 10000",
		field: func(c *Config) target { return textOf(&c.Reconcile.ToleranceLimit, unitLimit) }},

	{name: "web.listen", def: `""`, doc: `"127.0.0.1:8321": page, /metrics, /healthz; "" = off`,
		field: func(c *Config) target { return textOf(&c.Web.Listen, listen) }},

	{name: "webhook.listen", def: `""`, doc: `"127.0.0.1:8090": receives bill notifications; "" = off`,
		field: func(c *Config) target { return textOf(&c.Webhook.Listen, listen) }},
	{name: "webhook.path", def: `"/notify/bill"`,
		field: func(c *Config) target { return textOf(&c.Webhook.Path, urlPath) }},
	{name: "webhook.signed_paths", def: `[]`, doc: "paths a notification's signature may cover instead, behind a proxy that changes them",
		field: func(c *Config) target { return textsTarget{&c.Webhook.SignedPaths, urlPath} }},

	{name: "log.level", def: `"info"`, doc: "debug, info, warn, error",
		field: func(c *Config) target { return choiceOf(&c.Log.Level, "debug", "info", "warn", "error") }},
	{name: "log.format", def: `"auto"`, doc: "auto, console, json; auto: console on a terminal, else json",
		field: func(c *Config) target { return choiceOf(&c.Log.Format, "auto", "console", "json") }},

	{name: "account.name", def: `"main"`, doc: "the key part `account` of every row: letters, digits, - and _",
		account: func(a *Account) target { return textOf(&a.Name, accountName) }},
	{name: "account.enabled", def: `true`,
		account: func(a *Account) target { return boolTarget{&a.Enabled} }},
	{name: "account.connected_customer_id", def: `""`, doc: "header Connected-CustomerId (queryBillList)",
		account: func(a *Account) target { return textOf(&a.ConnectedCustomerID, oneWord) }},
	{name: "account.connected_account_id", def: `""`, doc: "header Connected-AccountId (card and cardholder calls)",
		account: func(a *Account) target { return textOf(&a.ConnectedAccountID, oneWord) }},
	{name: "account.access_token_file", def: `""`, doc: "a bare token, or what `token apply` keeps there (mode 0600); or access_token_env = \"NAME\"",
		account: func(a *Account) target { return pathOf(&a.AccessTokenFile) }},
	{name: "account.access_token_env", example: `"NAME"`, doc: "the environment variable that holds the token, instead of a file",
		account: func(a *Account) target { return textOf(&a.AccessTokenEnv, variable) }},
	{name: "account.history_start", example: `"2024-01-01"`, doc: "this account's own, instead of the one in [sync]",
		account: func(a *Account) target { return dateTarget{&a.HistoryStart, "the one in [sync]"} }},
}

// manyDays bounds numbers of days where the contract has no bound, so that no
// arithmetic with them can overflow: a century.
const manyDays = 36500

// keyNamed returns the table's key of a name, or nil.
func keyNamed(name string) *key {
	for i := range keys {
		if keys[i].name == name {
			return &keys[i]
		}
	}
	return nil
}

// knownSection reports whether the file may have a table of this name: a section,
// or one that sections are in.
func knownSection(name string) bool {
	for _, s := range sections {
		if s.name == name || strings.HasPrefix(s.name, name+".") {
			return true
		}
	}
	return false
}

// A slot is a place for one value: a key, and for keys of accounts the
// account's index. Other keys have the index -1.
type slot struct {
	account int
	key     string
}

// A field is a slot of a particular configuration.
type field struct {
	slot
	*key
	target target
}

// fields lists all fields of a configuration in the file's order.
func (c *Config) fields() []field {
	var all []field
	for i := range keys {
		if k := &keys[i]; k.field != nil {
			all = append(all, field{slot{-1, k.name}, k, k.field(c)})
		}
	}
	for i := range c.Accounts {
		all = append(all, c.accountFields(i)...)
	}
	return all
}

// accountFields lists the fields of one account.
func (c *Config) accountFields(i int) []field {
	var all []field
	for j := range keys {
		if k := &keys[j]; k.account != nil {
			all = append(all, field{slot{i, k.name}, k, k.account(&c.Accounts[i])})
		}
	}
	return all
}

// label is how messages call the field: "sync.timezone", and for accounts
// "account.main.enabled".
func (c *Config) label(s slot) string {
	if s.account < 0 || s.key == "account.name" {
		return s.key
	}
	return "account." + c.Accounts[s.account].Name + strings.TrimPrefix(s.key, "account")
}

package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Names of the environment are flat, so two keys could share one.
func TestVariablesAreUnique(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for _, k := range Keys() {
		if k.Env == "" {
			continue
		}
		if other, ok := seen[k.Env]; ok {
			t.Errorf("%s sets both %s and %s", k.Env, other, k.Key)
		}
		seen[k.Env] = k.Key
		if strings.HasPrefix(k.Env, "SYNCER_ACCOUNT_") != strings.HasPrefix(k.Key, "account.") {
			t.Errorf("%s of %s could be mistaken for an account's", k.Env, k.Key)
		}
	}
	// An account may be named like the tail of a key: then names differ still.
	c := Default()
	c.Accounts = nil
	for _, name := range []string{"a", "a_access", "a_access_token", "enabled", "a_enabled", "a_history", "access_token_file"} {
		a := defaultAccount()
		a.Name = name
		c.Accounts = append(c.Accounts, a)
	}
	names, clashes := c.variables()
	if len(clashes) != 0 {
		t.Errorf("accounts share variables: %v", clashes)
	}
	if want := len(c.fields()) - len(c.Accounts); len(names) != want {
		t.Errorf("%d variables for %d fields", len(names), want)
	}
}

// Every key can be set by the environment.
func TestEveryKeyFromTheEnvironment(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"api.base_url": "https://open-sea.worldfirst.com", "api.client_id": "c1", "api.private_key_file": "/k",
		"api.server_public_key_file": "/s", "api.key_version": "3", "api.timeout": "7s", "api.requests_per_second": "2.5",
		"api.concurrency": "9", "database.url": "/b.db", "sync.history_start": "2023-05-06", "sync.timezone": "UTC",
		"sync.window_days": "30", "sync.page_size": "40", "sync.tail_days": "3", "sync.refresh_days": "33",
		"sync.audit_days": "44", "sync.retry_schedule": "1m, 2m", "schedule.sync": "@hourly", "schedule.refresh": "",
		"schedule.timezone": "-03:00", "report.timezone": "Europe/London", "report.merchant_rules": "^A.* => B, ^C$ => D",
		"export.ofx.kind": "bank", "export.beancount.account": "Assets:Cards", "export.beancount.expense_account": "Expenses:New",
		"export.hledger.account": "assets:world cards", "export.hledger.expense_account": "expenses:new",
		"reconcile.columns": "date=A, amount=Betrag", "reconcile.spend_sign": "positive", "reconcile.date_format": "dmy",
		"reconcile.default_currency": "EUR", "reconcile.days": "-2..7", "reconcile.tolerance_percent": "1.5", "reconcile.tolerance_limit": "3",
		"web.listen": ":1", "webhook.listen": "[::1]:2",
		"webhook.path": "/x", "webhook.signed_paths": "/a, /b", "log.level": "warn", "log.format": "json",
		"account.enabled": "true", "account.connected_customer_id": "cc", "account.connected_account_id": "ca",
		"account.access_token_file": "", "account.access_token_env": "TOKEN", "account.history_start": "2022-02-02",
	}
	o := Options{Now: func() time.Time { return time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC) }}
	for _, k := range Keys() {
		if k.Env == "" {
			continue
		}
		text, ok := values[k.Key]
		if !ok {
			t.Errorf("this test has no value for %s", k.Key)
		}
		o.Environ = append(o.Environ, strings.Replace(k.Env, "<NAME>", "SHOP_1", 1)+"="+text)
	}
	c, err := Parse("config.toml", []byte("[[account]]\nname = \"shop-1\"\n"), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.fields() {
		if f.name == "account.name" {
			continue
		}
		if at := c.origins[f.slot]; !strings.HasPrefix(at.where, "SYNCER_") {
			t.Errorf("%s came from %q, not from the environment", f.name, at.where)
		}
		want := values[f.name]
		got := strings.NewReplacer(`"`, "", "[", "", "]", "").Replace(f.target.text())
		if f.name == "webhook.listen" {
			want = "::1:2"
		}
		if got != want {
			t.Errorf("%s = %s, want %s", f.name, got, want)
		}
	}
	if len(c.Warnings) != 0 {
		t.Errorf("Warnings = %q", c.Warnings)
	}
}

func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	o := Options{Environ: []string{
		"SYNCER_SYNC_WINDOWDAYS=8", "SYNCER_ACCOUNT_OTHER_ENABLED=true", "SYNCER_CONFIG=x", "SYNCER_MY_TOKEN=hunter2",
		"SYNCER_ZZZ=hunter2", "HOME=/",
	}}
	c, err := Parse("config.toml", []byte("[[account]]\naccess_token_env = \"SYNCER_MY_TOKEN\"\n"), o)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"SYNCER_ACCOUNT_OTHER_ENABLED: unknown variable, ignored; did you mean SYNCER_ACCOUNT_MAIN_ENABLED?",
		"SYNCER_SYNC_WINDOWDAYS: unknown variable, ignored; did you mean SYNCER_SYNC_WINDOW_DAYS?",
		"SYNCER_ZZZ: unknown variable, ignored",
	}
	if !slices.Equal(c.Warnings, want) {
		t.Errorf("Warnings = %q\nwant %q", c.Warnings, want)
	}
}

// The names in the table and the sections agree, and each key is filled one way.
func TestTable(t *testing.T) {
	t.Parallel()
	for i := range keys {
		k := &keys[i]
		if !knownSection(k.section()) || (k.field == nil) == (k.account == nil) || (k.def == "") == (k.example == "") {
			t.Errorf("key %s is not whole", k.name)
		}
		if (k.account != nil) != (k.section() == "account") {
			t.Errorf("key %s is in the wrong section", k.name)
		}
	}
}

package config

import "fmt"

// check judges what one value alone cannot show.
func (l *loader) check() {
	l.checkAPI()
	l.checkHistory(slot{-1, "sync.history_start"}, l.config.Sync.HistoryStart)
	l.checkCron("schedule.sync", l.config.Schedule.Sync)
	l.checkCron("schedule.refresh", l.config.Schedule.Refresh)
	l.checkAccounts()
	l.checkWebhook()
}

// checkWebhook asks for what tells WorldFirst's notifications from anybody's.
func (l *loader) checkWebhook() {
	c := l.config
	if c.Webhook.Listen != "" && !c.API.Simulated() && c.API.ServerPublicKeyFile == "" {
		l.object(slot{-1, "webhook.listen"}, "api.server_public_key_file is not set, so nobody could tell who sent a notification; set it, or set listen = \"\"")
	}
}

// object notes a mistake about a slot unless its value was refused before.
func (l *loader) object(s slot, format string, args ...any) {
	if !l.wrong[s] {
		l.refuse(s, l.config.origins[s], fmt.Sprintf(format, args...))
	}
}

// objectAt is object for a value that may not be there: the mistake is then shown
// where another one stands.
func (l *loader) objectAt(s, place slot, format string, args ...any) {
	at, ok := l.config.origins[s]
	if !ok {
		at = l.config.origins[place]
	}
	if !l.wrong[s] {
		l.refuse(s, at, fmt.Sprintf(format, args...))
	}
}

// checkAPI asks for what only the real API needs.
func (l *loader) checkAPI() {
	api := l.config.API
	if api.Simulated() {
		return
	}
	if api.ClientID == "" {
		l.object(slot{-1, "api.client_id"}, "missing; required unless api.base_url is %q", Simulator)
	}
	if api.PrivateKeyFile == "" {
		l.object(slot{-1, "api.private_key_file"}, "missing; required unless api.base_url is %q", Simulator)
	}
}

// checkHistory refuses a history that has not begun.
func (l *loader) checkHistory(s slot, d Date) {
	today := dateOf(l.Now().In(l.config.Sync.Timezone))
	if today.Before(d) {
		l.object(s, "%q is in the future; a date from %q to today", d, firstDate)
	}
}

func (l *loader) checkCron(key, expr string) {
	if l.CheckCron == nil {
		return
	}
	if err := l.CheckCron(expr); err != nil {
		l.object(slot{-1, key}, "%v", err)
	}
}

func (l *loader) checkAccounts() {
	seen := make(map[string]bool)
	books := make(map[string]string) // whose name asks for them
	enabled := false
	for i, a := range l.config.Accounts {
		name := slot{i, "account.name"}
		if seen[a.Name] && !l.wrong[name] {
			l.object(name, "%q is the name of another account as well; every account needs its own", a.Name)
		}
		seen[a.Name] = true
		enabled = enabled || a.Enabled || l.wrong[slot{i, "account.enabled"}]
		if a.AccessTokenFile != "" && a.AccessTokenEnv != "" {
			l.object(slot{i, "account.access_token_env"}, "access_token_file is set as well; one of the two")
		}
		if a.Enabled {
			if other, ok := books[a.books()]; ok && other != a.Name {
				l.objectAt(slot{i, "account.connected_customer_id"}, name, "%q is that of account %q as well, and all bills would be stored twice; "+
					"every account needs its own, or one of the two enabled = false", a.ConnectedCustomerID, other)
			}
			books[a.books()] = a.Name
		}
		if a.HistoryStart != (Date{}) {
			l.checkHistory(slot{i, "account.history_start"}, a.HistoryStart)
		}
	}
	if !enabled {
		l.object(slot{0, "account.enabled"}, "no account is enabled; at least one must be")
	}
}

// books says whose bills an account asks for: those of the connected customer,
// else of whoever gave the access token, else of the client itself.
func (a Account) books() string {
	if a.ConnectedCustomerID != "" {
		return "customer " + a.ConnectedCustomerID
	}
	return "token " + a.AccessTokenFile + "\n" + a.AccessTokenEnv
}

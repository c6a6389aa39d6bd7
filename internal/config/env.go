package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// envPrefix begins the name of every variable of ours.
const envPrefix = "SYNCER_"

// envName is the variable that sets a key which is not an account's.
func (k *key) envName() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(k.name, ".", "_"))
}

// accountEnvName is the variable that sets an account's key. Dashes cannot
// stand in the name of a variable.
func (k *key) accountEnvName(account string) string {
	return envPrefix + "ACCOUNT_" + envPart(account) + "_" + strings.ToUpper(k.short())
}

func envPart(account string) string {
	return strings.ToUpper(strings.ReplaceAll(account, "-", "_"))
}

// variables maps the environment's names to the fields they set, and reports
// pairs of accounts that would share theirs. The name of an account is part of
// its variables and has none itself.
func (c *Config) variables() (names map[string]field, clashes [][2]int) {
	names = make(map[string]field)
	for _, f := range c.fields() {
		name := ""
		switch {
		case f.field != nil:
			name = f.envName()
		case f.name != "account.name":
			name = f.accountEnvName(c.Accounts[f.slot.account].Name)
		default:
			continue
		}
		if other, ok := names[name]; ok {
			pair := [2]int{other.slot.account, f.slot.account}
			if !slices.Contains(clashes, pair) {
				clashes = append(clashes, pair)
			}
			continue
		}
		names[name] = f
	}
	return names, clashes
}

// readEnvironment takes what the environment says and warns of what it seems to
// want to say.
func (l *loader) readEnvironment() {
	names, clashes := l.config.variables()
	for _, pair := range clashes {
		a, b := l.config.Accounts[pair[0]].Name, l.config.Accounts[pair[1]].Name
		if a == b {
			continue // said elsewhere
		}
		s := slot{pair[1], "account.name"}
		l.refuse(s, l.config.origins[s], fmt.Sprintf("%q and %q would share the variables %sACCOUNT_%s_…; rename one", a, b, envPrefix, envPart(a)))
	}
	said := make(map[string]string)
	for _, entry := range l.Environ {
		if name, text, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, envPrefix) && name != "SYNCER_CONFIG" {
			said[name] = text
		}
	}
	var unknown []string
	for _, name := range sortedKeys(said) {
		f, ok := names[name]
		if !ok {
			unknown = append(unknown, name)
			continue
		}
		l.fill(f, value{form: formEnv, text: said[name]}, origin{where: name})
	}
	for _, name := range unknown {
		if l.holdsToken(name) {
			continue
		}
		shown := shorten(name)
		if !variablePattern.MatchString(name) {
			shown = strconv.Quote(shown)
		}
		warning := shown + ": unknown variable, ignored"
		if best := nearest(name, sortedKeys(names)); best != "" {
			warning += "; did you mean " + best + "?"
		}
		l.config.Warnings = append(l.config.Warnings, warning)
	}
}

// holdsToken reports whether an account has its token in the variable.
func (l *loader) holdsToken(name string) bool {
	return slices.ContainsFunc(l.config.Accounts, func(a Account) bool { return a.AccessTokenEnv == name })
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

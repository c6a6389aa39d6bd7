package config

import "strings"

// A Setting is one key as it is in force. Secrets never get into a Config, so
// there is nothing in a Setting to hide.
type Setting struct {
	Key    string // as in "sync.timezone" or "account.main.enabled"
	Value  string // as TOML
	Origin string // "default", "config.toml:12", a variable, or a flag
}

// Show lists every key in force, in the file's order.
func (c *Config) Show() []Setting {
	var all []Setting
	for _, f := range c.fields() {
		if f.name == "account.name" {
			continue // it is in the others' keys
		}
		s := Setting{Key: c.label(f.slot), Value: f.target.text(), Origin: "default"}
		if at := c.origins[f.slot]; at.where != "" {
			s.Origin = at.where
			if at.line > 0 { // the line is enough here
				s.Origin = at.where[:strings.LastIndexByte(at.where, ':')]
			}
		}
		all = append(all, s)
	}
	return all
}

// A KeyInfo describes a key to people.
type KeyInfo struct {
	Key     string // as in "sync.timezone" or "account.enabled"
	Env     string // as in "SYNCER_SYNC_TIMEZONE"; <NAME> stands for an account's name
	Default string // as TOML; empty if there is none
	Allowed string // what is allowed, in words
	Doc     string // the comment in the file; may be empty
}

// Keys describes every key, in the file's order.
func Keys() []KeyInfo {
	var all []KeyInfo
	for _, f := range Default().fields() {
		info := KeyInfo{Key: f.name, Default: f.def, Allowed: f.target.allowed(), Doc: f.doc}
		switch {
		case f.field != nil:
			info.Env = f.envName()
		case f.name != "account.name":
			info.Env = envPrefix + "ACCOUNT_<NAME>_" + strings.ToUpper(f.short())
		}
		all = append(all, info)
	}
	return all
}

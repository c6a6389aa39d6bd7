// Package billsync embeds the two files at the top of the project that are both
// documentation and part of the program: the database schema and the
// configuration with its defaults.
package billsync

import _ "embed"

// Schema is schema.sql: the database as it is, tables and views.
//
//go:embed schema.sql
var Schema string

// ConfigTOML is config.toml: every key with its default and what it means.
//
//go:embed config.toml
var ConfigTOML string

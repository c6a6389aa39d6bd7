// Package config turns config.toml and the environment into a checked Config.
//
// One table (keys.go) names every key with its default, its comment and the
// field it fills. From it come the file that Template writes, the environment's
// names, what Show prints, and the strictness: what is not in the table is a
// mistake. All mistakes are reported at once, each in one line that says where,
// which key, and what is allowed.
//
// A value comes from the first of these that has it: a command-line flag, the
// environment, the file, the default.
package config

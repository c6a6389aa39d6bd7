package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/mattn/go-sqlite3"
	"github.com/spf13/cobra"
)

// version is set by the linker for a release: -ldflags "-X main.version=1.2.3".
var version string

// A build describes this program, for a report of a bug.
type build struct {
	Version  string            `json:"version"`
	Commit   string            `json:"commit,omitempty"`
	Modified bool              `json:"modified,omitempty"` // built from a changed checkout
	Go       string            `json:"go"`
	Platform string            `json:"platform"`
	SQLite   string            `json:"sqlite"`
	Modules  map[string]string `json:"modules"`
}

func thisBuild() build {
	b := build{
		Version:  version,
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Modules:  make(map[string]string),
	}
	b.SQLite, _, _ = sqlite3.Version()
	if info, ok := debug.ReadBuildInfo(); ok {
		if b.Version == "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
		for _, m := range info.Deps {
			b.Modules[m.Path] = m.Version
		}
	}
	if b.Version == "" {
		b.Version = "development"
	}
	return b
}

func newVersionCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Version of syncer, and what it is built from",
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			if g.json {
				return g.printJSON(b)
			}
			commit := b.Commit
			if commit == "" {
				commit = "unknown"
			}
			if b.Modified {
				commit += " (modified)"
			}
			return g.print(fmt.Sprintf("syncer %s\ncommit %s\nGo     %s %s\nSQLite %s\n", b.Version, commit, b.Go, b.Platform, b.SQLite))
		},
	}
}

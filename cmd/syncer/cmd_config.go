package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"billsync/internal/config"
)

func newConfigCmd(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config COMMAND",
		Short:   "The configuration in force",
		GroupID: groupSetup,
	}
	cmd.AddCommand(newConfigShowCmd(g))
	return cmd
}

func newConfigShowCmd(g *globals) *cobra.Command {
	var origin bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show every key with its value, and where it came from",
		Example: `  syncer config show
  syncer config show --origin | grep -v default`,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := g.load(cmd)
			if err != nil {
				return err
			}
			if g.json {
				return g.printConfigJSON(cfg)
			}
			var b strings.Builder
			fmt.Fprintf(&b, "# %s\n", cfg.File)
			for _, s := range cfg.Show() {
				line := s.Key + " = " + s.Value
				if origin {
					line = fmt.Sprintf("%-55s # %s", line, s.Origin)
				}
				b.WriteString(line + "\n")
			}
			return g.print(b.String())
		},
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "say where each value came from")
	return cmd
}

func (g *globals) printConfigJSON(cfg *config.Config) error {
	type setting struct {
		Key    string          `json:"key"`
		Value  json.RawMessage `json:"value"`
		Origin string          `json:"origin"`
	}
	doc := struct {
		File     string    `json:"file"`
		Settings []setting `json:"settings"`
		Warnings []string  `json:"warnings,omitempty"`
	}{File: cfg.File, Warnings: cfg.Warnings}
	for _, s := range cfg.Show() {
		// What Show writes as TOML is JSON as well.
		doc.Settings = append(doc.Settings, setting{s.Key, json.RawMessage(s.Value), s.Origin})
	}
	return g.printJSON(doc)
}

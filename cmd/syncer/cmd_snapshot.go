package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newSnapshotCmd(g *globals) *cobra.Command {
	var force, dryRun bool
	cmd := &cobra.Command{
		Use:     "snapshot FILE",
		Short:   "Write a consistent copy of the database",
		GroupID: groupLook,
		Long: `Write a consistent copy of the database to a file, for backups and for programs
that look at data: one file without a log beside it, which may be copied, sent and
opened anywhere. It works beside a sync, and the name never stands for half a
copy. What is in it is what "syncer query" would have seen at that moment.`,
		Example: `  syncer snapshot bills-copy.db
  datasette -i bills-copy.db`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usagef("such as: syncer snapshot bills-copy.db", "snapshot takes one thing: the file to write")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			a, _, err := g.app(cmd)
			if err != nil {
				return err
			}
			path, err := a.Snapshot(cmd.Context(), args[0], force, dryRun)
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			if err != nil {
				return err
			}
			if g.json {
				return g.printJSON(struct {
					Type   string `json:"type"`
					File   string `json:"file"`
					DryRun bool   `json:"dry_run"`
				}{"snapshot", path, dryRun})
			}
			if g.quiet && !dryRun {
				return nil
			}
			word := "written"
			if dryRun {
				word = "would be written"
			}
			return g.print(fmt.Sprintf("%s: a copy of %s %s\n", near(path), near(a.DatabasePath()), word))
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace the file if it is there")
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "write nothing")
	return cmd
}

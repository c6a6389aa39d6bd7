package main

import (
	"github.com/spf13/cobra"
)

func newRunCmd(g *globals) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:     "run",
		Short:   "Stay and sync by the schedule",
		GroupID: groupWork,
		Long: `Stay and sync by the schedule of the configuration, until stopped by SIGINT or
SIGTERM. One run at a time; what waits for a retry is asked at its time; a run
that fails is logged and the next one comes. A database has one daemon at most;
other commands work beside it.

With [webhook] listen set it receives bill notifications as well: a bill is in
the database within a second, and the schedule proves it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var f syncFlags
			o, err := f.options()
			if err != nil {
				return err
			}
			if dryRun {
				return g.plan(cmd, o, false, "syncer run")
			}
			a, _, err := g.app(cmd)
			if err != nil {
				return err
			}
			err = a.Daemon(cmd.Context())
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "show what the first run would ask for, change nothing")
	return cmd
}

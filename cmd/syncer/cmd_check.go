package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func newCheckCmd(g *globals) *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use:     "check",
		Aliases: []string{"doctor"},
		Short:   "Look at everything a sync needs",
		GroupID: groupSetup,
		Long: `Look at the configuration, the key files, the database, the schedule, and with
one signed request per account at the API and the clock. A line each, all of
them even if one fails; the output holds no secret.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, _, err := g.app(cmd)
			if err != nil {
				return err
			}
			findings := a.Check(cmd.Context(), offline)
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			code := exitDone
			var b strings.Builder
			type line struct {
				Level   string `json:"level"`
				Subject string `json:"subject"`
				Finding string `json:"finding"`
				Advice  string `json:"advice,omitempty"`
			}
			lines := []line{}
			for _, f := range findings {
				fmt.Fprintf(&b, "%-4s  %s: %s", f.Level, f.Subject, f.Text)
				if f.Advice != "" {
					fmt.Fprintf(&b, ". %s%s", strings.ToUpper(f.Advice[:1]), f.Advice[1:])
				}
				b.WriteString("\n")
				lines = append(lines, line{f.Level, f.Subject, f.Text, f.Advice})
				if slices.Index(severity, f.Code) > slices.Index(severity, code) {
					code = f.Code
				}
			}
			if g.json {
				if err := g.printJSON(map[string]any{"type": "check", "findings": lines}); err != nil {
					return err
				}
			} else {
				if code == exitDone {
					b.WriteString("next: syncer plan\n")
				}
				if err := g.print(b.String()); err != nil {
					return err
				}
			}
			if code != exitDone {
				return &checkFailed{code}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "leave out the signed requests")
	return cmd
}

// checkFailed carries the exit code of a check; its lines have said everything.
type checkFailed struct{ code int }

func (e *checkFailed) Error() string { return "the check found something that must be mended" }
func (e *checkFailed) ExitCode() int { return e.code }
func (e *checkFailed) Silent() bool  { return true }

package main

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"billsync/internal/app"
)

func TestPeriod(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args     string
		from, to app.Month
		wrong    string // begins the error
	}{
		{args: ""},
		{args: "--month 2026-05", from: "2026-05", to: "2026-05"},
		{args: "--from 2025-11", from: "2025-11"},
		{args: "--to 2026-02", to: "2026-02"},
		{args: "--from 2025-11 --to 2026-02", from: "2025-11", to: "2026-02"},
		{args: "--from 2026-02 --to 2026-02", from: "2026-02", to: "2026-02"},
		{args: "--from 2026-03 --to 2026-02", wrong: "--from 2026-03 is after --to 2026-02"},
		{args: "--month 2026-05 --to 2026-06", wrong: "--month does not go with --from and --to"},
		{args: "--month=", wrong: `--month: "" is no month`},
		{args: "--month 2026-5", wrong: `--month: "2026-5" is no month`},
		{args: "--month 2026-13", wrong: `--month: "2026-13" is no month`},
		{args: "--month 1926-05", wrong: `--month: "1926-05" is no month`},
		{args: "--from 2026-05-01", wrong: `--from: "2026-05-01" is no month`},
		{args: "--to May", wrong: `--to: "May" is no month`},
		{args: "--from x --to y", wrong: `--from: "x" is no month`},
	} {
		var p period
		var from, to app.Month
		var err error
		cmd := &cobra.Command{Use: "x", SilenceUsage: true, SilenceErrors: true, RunE: func(cmd *cobra.Command, _ []string) error {
			from, to, err = p.months(cmd)
			return nil
		}}
		cmd.SetOut(io.Discard)
		p.add(&globals{}, cmd, "all")
		cmd.SetArgs(strings.Fields(tt.args))
		if e := cmd.Execute(); e != nil {
			t.Fatalf("%s: %v", tt.args, e)
		}
		switch {
		case tt.wrong == "" && (err != nil || from != tt.from || to != tt.to):
			t.Errorf("%s: months %q to %q, %v; want %q to %q", tt.args, from, to, err, tt.from, tt.to)
		case tt.wrong != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.wrong) || worst(err) != exitUsage || errorOf(err).Hint == ""):
			t.Errorf("%s: %v, want %q, exit code 2 and a hint", tt.args, err, tt.wrong)
		}
	}
}

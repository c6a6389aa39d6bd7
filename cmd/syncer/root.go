package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"billsync/internal/config"
)

// Groups of commands in the help, the most used first.
const (
	groupWork  = "work"
	groupLook  = "look"
	groupCards = "cards"
	groupSetup = "setup"
)

var groups = []*cobra.Group{
	{ID: groupWork, Title: "Reading bills:"},
	{ID: groupLook, Title: "Looking at what is there:"},
	{ID: groupCards, Title: "Cards:"},
	{ID: groupSetup, Title: "Setting up:"},
}

// commands are all commands, in the order of the help.
var commands = []func(*globals) *cobra.Command{
	newSyncCmd,
	newRunCmd,
	newRetryCmd,
	newAcceptCmd,
	newStatusCmd,
	newPlanCmd,
	newLookupCmd,
	newCardCmd,
	newVerifyCmd,
	newReportCmd,
	newExportCmd,
	newCloseCmd,
	newReconcileCmd,
	newQueryCmd,
	newSnapshotCmd,
	newCardholderCmd,
	newInitCmd,
	newCheckCmd,
	newTokenCmd,
	newConfigCmd,
	newSimulateCmd,
	newVersionCmd,
	newCompletionCmd,
	newExitCodesTopic,
	newEnvironmentTopic,
	newSQLTopic,
}

// usageTemplate is cobra's, with the commands in our order and without the
// lines it says twice.
const usageTemplate = `Usage:
  {{.UseLine}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{range $group := .Groups}}

{{.Title}}{{range $cmds}}{{if (and (eq .GroupID $group.ID) .IsAvailableCommand)}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}

{{if .Groups}}Other commands:{{else}}Commands:{{end}}{{range $cmds}}{{if (and (eq .GroupID "") .IsAvailableCommand)}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Global flags:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasHelpSubCommands}}

Topics, for "syncer help TOPIC":{{range .Commands}}{{if .IsAdditionalHelpTopicCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}
`

// helpTemplate is cobra's without the blank line below a topic.
const helpTemplate = `{{or .Long .Short}}
{{if or .Runnable .HasSubCommands}}
{{.UsageString}}{{end}}`

// newRootCmd puts the commands together.
func newRootCmd(g *globals) *cobra.Command {
	root := &cobra.Command{
		Use:   "syncer COMMAND [flags]",
		Short: "World Card bills in a database, complete and proved",
		Long: `Syncer reads World Card bills from the WorldFirst API into a database, follows
their later changes, and proves that none is missing.`,
		Args:          cobra.ArbitraryArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			if err := g.checkLogFlags(); err != nil {
				return err
			}
			g.setLog("info", g.logFormat)
			return nil
		},
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	g.addFlags(root)
	root.SetIn(g.stdin)
	root.SetOut(g.stdout)
	root.SetErr(g.stderr)
	root.SetUsageTemplate(usageTemplate)
	root.SetHelpTemplate(helpTemplate)
	root.SetHelpCommand(newHelpCmd())
	used := make(map[string]bool)
	for _, command := range commands {
		cmd := command(g)
		used[cmd.GroupID] = true
		root.AddCommand(cmd)
	}
	for _, group := range groups {
		if used[group.ID] {
			root.AddGroup(group)
		}
	}
	g.prepare(root)
	return root
}

// prepare makes a command and those below it note when they begin, and makes
// those that only hold others refuse what they do not hold.
func (g *globals) prepare(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		g.prepare(sub)
	}
	switch {
	case cmd.HasSubCommands() && !cmd.Runnable():
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error { return lost(cmd, args) }
	case cmd.Run != nil:
		plain := cmd.Run
		cmd.Run = nil
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			g.started = true
			plain(cmd, args)
			return nil
		}
	case cmd.RunE != nil:
		fallible := cmd.RunE
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			g.started = true
			return fallible(cmd, args)
		}
	}
	if cmd.Args == nil && cmd.Runnable() {
		cmd.Args = cobra.NoArgs
	}
}

// lost helps somebody who named no command, or none that there is.
func lost(cmd *cobra.Command, args []string) error {
	if len(args) == 0 && !cmd.HasParent() {
		return cmd.Help()
	}
	help := fmt.Sprintf("%q lists the commands", cmd.CommandPath()+" --help")
	if len(args) == 0 {
		return usagef(help, "%s needs a command: %s", cmd.CommandPath(), strings.Join(names(cmd), ", "))
	}
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		help = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usagef(help, "unknown command %q for %s", args[0], cmd.CommandPath())
}

func names(cmd *cobra.Command) []string {
	var all []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			all = append(all, sub.Name())
		}
	}
	return all
}

// checkLogFlags judges the flags about the log as the configuration would.
func (g *globals) checkLogFlags() error {
	for _, f := range []struct{ key, flag, text string }{
		{"log.level", "--log-level", g.logLevel},
		{"log.format", "--log-format", g.logFormat},
	} {
		if f.text == "" {
			continue
		}
		if err := config.CheckValue(f.key, f.text); err != nil {
			return usagef("", "%s: %v", f.flag, err)
		}
	}
	return nil
}

package main

import "github.com/spf13/cobra"

func newCompletionCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Completion for bash, zsh, fish or powershell",
		Example: `  source <(syncer completion bash)
  syncer completion zsh > "${fpath[1]}/_syncer"
  syncer completion fish > ~/.config/fish/completions/syncer.fish`,
		ValidArgs:             []string{"bash", "zsh", "fish", "powershell"},
		DisableFlagsInUseLine: true,
		Args:                  cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "zsh":
				return root.GenZshCompletion(g.stdout)
			case "fish":
				return root.GenFishCompletion(g.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(g.stdout)
			}
			return root.GenBashCompletionV2(g.stdout, true)
		},
	}
}

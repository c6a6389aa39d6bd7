package main

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"billsync/internal/config"
	"billsync/internal/schedule"
)

// globals are what every command shares: the world outside, and the flags that
// stand before any command's own.
type globals struct {
	stdin   io.Reader
	stdout  io.Writer // results
	stderr  io.Writer // everything else
	environ []string  // NAME=value
	now     func() time.Time

	configFile string
	logLevel   string
	logFormat  string
	json       bool
	quiet      bool
	noColor    bool

	zone    *time.Location // of times on the screen; nil until the configuration is read
	log     zerolog.Logger // usable from the first line of a command
	logForm string         // its format
	talk    talk           // where a signal is answered
	summed  bool           // the result told already how it ended: no error object behind it
	started bool           // a command began its work: errors are no longer about the command line
}

// addFlags gives the root command the flags of all.
func (g *globals) addFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVarP(&g.configFile, "config", "c", "", "configuration `FILE` (default: config.toml, see \"syncer help environment\")")
	f.StringVar(&g.logLevel, "log-level", "", "debug, info, warn or error")
	f.StringVar(&g.logFormat, "log-format", "", "auto, console or json")
	f.BoolVar(&g.json, "json", false, "machine-readable result on standard output")
	f.BoolVarP(&g.quiet, "quiet", "q", false, "only errors: no progress, no summary of a run or of what was written")
	f.BoolVar(&g.noColor, "no-color", false, "no colours")
}

// load reads the configuration, sets up the log as it says, and logs its
// warnings.
func (g *globals) load(cmd *cobra.Command) (*config.Config, error) {
	flags := make(map[string]string)
	for name, key := range map[string]string{"log-level": "log.level", "log-format": "log.format"} {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed {
			flags[key] = f.Value.String()
		}
	}
	cfg, err := config.Load(config.Options{
		Path:      g.configFile,
		Environ:   g.environ,
		Flags:     flags,
		Now:       g.now,
		CheckCron: schedule.Check,
	})
	if err != nil {
		return nil, err
	}
	g.zone = cfg.Report.Timezone
	g.setLog(cfg.Log.Level, cfg.Log.Format)
	for _, w := range cfg.Warnings {
		g.log.Warn().Msg(w)
	}
	return cfg, nil
}

// getenv returns a variable of the environment.
func (g *globals) getenv(name string) string {
	var found string
	for _, entry := range g.environ {
		if n, v, _ := strings.Cut(entry, "="); n == name {
			found = v
		}
	}
	return found
}

// isTerminal reports whether a stream is a person's.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colour reports whether to use colours on a stream.
func (g *globals) colour(w io.Writer) bool {
	switch {
	case g.noColor || g.getenv("NO_COLOR") != "":
		return false
	case g.getenv("CLICOLOR_FORCE") == "1":
		return true
	}
	return isTerminal(w) && g.getenv("TERM") != "dumb"
}

// print writes a result to standard output.
func (g *globals) print(text string) error {
	_, err := io.WriteString(g.stdout, text)
	return err
}

// printJSON writes a result to standard output as one line of JSON.
func (g *globals) printJSON(v any) error {
	enc := json.NewEncoder(g.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

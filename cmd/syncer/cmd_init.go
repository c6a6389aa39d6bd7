package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"billsync/internal/config"
)

// An initPlan is what init is about to write.
type initPlan struct {
	dir           string
	keys          bool
	force, dryRun bool
}

func newInitCmd(g *globals) *cobra.Command {
	var p initPlan
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a commented config.toml and, with --keys, a key pair",
		Long: `Write a commented config.toml with every default, readable for its owner alone.
With --keys also an RSA key pair in keys/, whose public half is to be registered
with the provider. A key that is there is kept, and an existing config.toml too,
unless --force is given.`,
		Example: `  syncer init
  syncer init --keys --dir /etc/syncer`,
		GroupID: groupSetup,
		RunE: func(*cobra.Command, []string) error {
			return g.initialise(p)
		},
	}
	cmd.Flags().StringVar(&p.dir, "dir", ".", "the `FOLDER` to write to; created if missing")
	cmd.Flags().BoolVar(&p.keys, "keys", false, "also make keys/client.pem and keys/client.pub")
	cmd.Flags().BoolVar(&p.force, "force", false, "overwrite an existing config.toml (never a key)")
	cmd.Flags().BoolVarP(&p.dryRun, "dry-run", "n", false, "say what would be written, and write nothing")
	return cmd
}

// An initResult is what init did, or would do.
type initResult struct {
	Type      string   `json:"type"`
	Config    string   `json:"config"`
	Private   string   `json:"private_key_file,omitempty"`
	Public    string   `json:"public_key_file,omitempty"`
	PublicKey string   `json:"public_key,omitempty"` // what to register
	Written   []string `json:"written"`
	DryRun    bool     `json:"dry_run,omitempty"`
	Next      string   `json:"next"`
}

func (g *globals) initialise(p initPlan) error {
	r := initResult{Type: "summary", Config: filepath.Join(p.dir, "config.toml"), Written: []string{}, DryRun: p.dryRun}
	if _, err := os.Lstat(r.Config); err == nil && !p.force {
		return usagef("--force overwrites it", "%s exists already", r.Config)
	}
	values := make(map[string]string)
	check := "syncer check"
	if p.dir != "." {
		check += " -c " + r.Config
	}
	r.Next = check
	if p.keys {
		values["api.private_key_file"] = config.QuoteTOML("keys/client.pem")
		r.Private = filepath.Join(p.dir, "keys", "client.pem")
		r.Public = filepath.Join(p.dir, "keys", "client.pub")
		r.Next = fmt.Sprintf("register %s, set base_url and client_id in %s, then %s", r.Public, r.Config, check)
	}
	if p.dryRun {
		return g.printInit(r, "would write ")
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	if p.keys {
		if err := r.makeKeys(); err != nil {
			return err
		}
	}
	if err := writeConfig(r.Config, config.Template(values), p.force); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	r.Written = append(r.Written, r.Config)
	return g.printInit(r, "wrote ")
}

// makeKeys makes the key pair, or takes the one that is there.
func (r *initResult) makeKeys() error {
	made, public, err := ensureKey(r.Private)
	if err != nil {
		return err
	}
	if made {
		r.Written = append(r.Written, r.Private)
	}
	r.PublicKey = public
	err = os.WriteFile(r.Public, []byte(public+"\n"), 0o644)
	if err != nil {
		return fmt.Errorf("writing the public key: %w", err)
	}
	r.Written = append(r.Written, r.Public)
	return nil
}

// printInit tells what was written and what comes next.
func (g *globals) printInit(r initResult, verb string) error {
	if r.DryRun {
		if r.Private != "" {
			if _, err := os.Lstat(r.Private); errors.Is(err, fs.ErrNotExist) {
				r.Written = append(r.Written, r.Private)
			}
			r.Written = append(r.Written, r.Public)
		}
		r.Written = append(r.Written, r.Config)
	}
	if g.json {
		return g.printJSON(r)
	}
	var b strings.Builder
	for _, name := range r.Written {
		b.WriteString(verb + name + "\n")
	}
	if r.PublicKey != "" {
		b.WriteString("\nThe public key. Paste it into the provider's developer portal, as the public key of your\n" +
			"client; the private key stays here and is shown to nobody:\n\n" + r.PublicKey + "\n\n")
	}
	b.WriteString("next: " + r.Next + "\n")
	return g.print(b.String())
}

// writeConfig writes the file for its owner alone: a new one, or with force in
// one step in the place of an old one.
func writeConfig(name, text string, force bool) error {
	if !force {
		return writeNew(name, []byte(text))
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".config-*.toml") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it has been renamed
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// writeNew writes a file that must not exist yet.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

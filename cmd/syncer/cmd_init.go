package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"billsync/internal/config"
)

// An initPlan is what init was asked for.
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
with the provider; a config.toml that is there is then left as it is.

Nothing that is there is overwritten without --force, which keeps the old
configuration as config.toml.old. A private key is never overwritten.`,
		Example: `  syncer init
  syncer init --keys --dir /etc/syncer`,
		GroupID: groupSetup,
		RunE: func(*cobra.Command, []string) error {
			return g.initialise(p)
		},
	}
	cmd.Flags().StringVar(&p.dir, "dir", ".", "the `FOLDER` to write to; created if missing")
	cmd.Flags().BoolVar(&p.keys, "keys", false, "make keys/client.pem and keys/client.pub")
	cmd.Flags().BoolVar(&p.force, "force", false, "replace an existing config.toml (never a private key)")
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
	Replaced  []string `json:"replaced,omitempty"` // of those written
	Kept      []string `json:"kept,omitempty"`     // was there, and was left as it is
	Old       string   `json:"old,omitempty"`      // where the replaced configuration is
	DryRun    bool     `json:"dry_run,omitempty"`
	Next      string   `json:"next"`

	missing []string // settings that a kept configuration still needs
}

func (g *globals) initialise(p initPlan) error {
	r := initResult{Type: "summary", Config: filepath.Join(p.dir, "config.toml"), Written: []string{}, DryRun: p.dryRun}
	there := exists(r.Config)
	if there && !p.force && !p.keys {
		return usagef(`--force replaces it; --keys makes keys and leaves it as it is`, "%s exists already", r.Config)
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
		r.missing = []string{"base_url", "client_id"}
		if there && !p.force {
			r.missing = missingSettings(r.Config, r.Private)
		}
		r.Next = "register " + r.Public + ", then " + check
		if len(r.missing) > 0 {
			r.Next = fmt.Sprintf("register %s, set %s in %s, then %s", r.Public, and(r.missing), r.Config, check)
		}
	}
	if !p.dryRun {
		if err := os.MkdirAll(p.dir, 0o755); err != nil {
			return fmt.Errorf("making the folder: %w", err)
		}
	}
	if p.keys {
		if err := r.makeKeys(p); err != nil {
			return err
		}
	}
	switch {
	case there && !p.force:
		r.Kept = append(r.Kept, r.Config)
		return g.printInit(r)
	case there:
		r.Replaced, r.Old = append(r.Replaced, r.Config), r.Config+".old"
	}
	r.Written = append(r.Written, r.Config)
	if !p.dryRun {
		if err := writeConfig(r.Config, r.Old, config.Template(values)); err != nil {
			return fmt.Errorf("writing the configuration: %w", err)
		}
	}
	return g.printInit(r)
}

// makeKeys makes the key pair, or takes the private key that is there.
func (r *initResult) makeKeys(p initPlan) error {
	found, err := readKey(r.Private)
	if err != nil {
		return err
	}
	public, err := os.ReadFile(r.Public)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("reading the public key that is there: %w", err)
	case found != "" && strings.TrimSpace(string(public)) == found:
		r.PublicKey, r.Kept = found, append(r.Kept, r.Private, r.Public)
		return nil
	case !p.force:
		return usagef("--force replaces it; or move it away", "%s is not the public half of %s", r.Public, r.Private)
	default:
		r.Replaced = append(r.Replaced, r.Public)
	}
	if found != "" {
		r.Kept = append(r.Kept, r.Private)
	} else {
		r.Written = append(r.Written, r.Private)
	}
	r.PublicKey, r.Written = found, append(r.Written, r.Public)
	if p.dryRun {
		return nil
	}
	if found == "" {
		if r.PublicKey, err = makeKey(r.Private); err != nil {
			return fmt.Errorf("making a key: %w", err)
		}
	}
	if err := os.WriteFile(r.Public, []byte(r.PublicKey+"\n"), 0o644); err != nil {
		return fmt.Errorf("writing the public key: %w", err)
	}
	return nil
}

// missingSettings names what a configuration that is kept needs to use the key.
func missingSettings(file, key string) []string {
	cfg, err := config.Load(config.Options{Path: file})
	if err != nil { // "check" says what is wrong with it
		return []string{"private_key_file"}
	}
	var missing []string
	if cfg.API.Simulated() {
		missing = append(missing, "base_url")
	}
	if cfg.API.ClientID == "" {
		missing = append(missing, "client_id")
	}
	if abs, err := filepath.Abs(key); err != nil || cfg.API.PrivateKeyFile != abs {
		missing = append(missing, `private_key_file = "keys/client.pem"`)
	}
	return missing
}

// and joins words as people do.
func and(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// printInit tells what was written and what comes next.
func (g *globals) printInit(r initResult) error {
	if g.json {
		return g.printJSON(r)
	}
	wrote, replaced, kept := "wrote ", "replaced ", "kept "
	if r.DryRun {
		wrote, replaced, kept = "would write ", "would replace ", "would keep "
	}
	var b strings.Builder
	for _, name := range r.Written {
		verb, more := wrote, ""
		if slices.Contains(r.Replaced, name) {
			if verb = replaced; name == r.Config {
				more = "; the old one is " + r.Old
			}
		}
		b.WriteString(verb + name + more + "\n")
	}
	for _, name := range r.Kept {
		b.WriteString(kept + name + " as it is\n")
	}
	if r.PublicKey != "" {
		b.WriteString("\nThe public key. Paste it into the provider's developer portal, as the public key of your\n" +
			"client; the private key stays here and is shown to nobody:\n\n" + r.PublicKey + "\n\n")
	}
	b.WriteString("next: " + r.Next + "\n")
	return g.print(b.String())
}

// writeConfig writes the file for its owner alone: a new one, or in the place of
// one that is kept under the old name first. At no moment there is none.
func writeConfig(name, old, text string) error {
	if old == "" {
		return writeNew(name, []byte(text))
	}
	before, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := replace(old, before); err != nil {
		return fmt.Errorf("keeping the old one: %w", err)
	}
	return replace(name, []byte(text))
}

// replace writes a file for its owner alone, in one step in the place of one
// that may be there.
func replace(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".syncer-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it has been renamed
	_, err = f.Write(data)
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

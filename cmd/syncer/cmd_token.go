package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"billsync/internal/app"
	"billsync/internal/config"
	"billsync/internal/secret"
)

func newTokenCmd(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "token",
		Short:   "The access tokens of customers who granted access",
		GroupID: groupSetup,
		Long: `Access tokens are for partners who act for a customer; one's own account needs
none. They are kept in the account's access_token_file and nowhere else, and
never shown. "run" and "sync" refresh them before they expire.`,
	}
	cmd.AddCommand(newTokenApplyCmd(g), newTokenRefreshCmd(g))
	return cmd
}

// tokenArgs refuses arguments without repeating them: one may be a code.
func tokenArgs(hint string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef(hint, "%s takes flags only, and was given something else", cmd.CommandPath())
		}
		return nil
	}
}

func newTokenApplyCmd(g *globals) *cobra.Command {
	var file, account string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "apply --auth-code-file FILE",
		Short: "Exchange the code of a customer's grant for tokens",
		Long: `Exchange the code of a customer's grant for an access token and a refresh token,
and keep them in the account's access_token_file (mode 0600).

The code is in the address to which WorldFirst sends the customer's browser
after the approval: https://DOMAIN/?authResult=SUCCESS&code=CODE. FILE holds the
code or that whole address, in one line; "-" is standard input. It is never given
as an argument, which every user of the machine could read. A code works once and
lives a few minutes.`,
		Example: `  syncer token apply --auth-code-file code.txt
  syncer token apply --account shop --auth-code-file -`,
		Args: tokenArgs("put the code into a file, or give it on standard input: --auth-code-file -"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return usagef("the file that holds the code; \"-\" is standard input", "token apply needs --auth-code-file FILE")
			}
			a, cfg, err := g.app(cmd)
			if err != nil {
				return err
			}
			t, err := g.applyCode(cmd, a, account, file, dryRun)
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			if err != nil {
				return err
			}
			return g.printTokens("apply", t, dryRun, cfg)
		},
	}
	cmd.Flags().StringVar(&file, "auth-code-file", "", "`FILE` that holds the code; \"-\": standard input")
	cmd.Flags().StringVar(&account, "account", "", "whose tokens: the `NAME`, needed if there are several accounts")
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "look whether all is there, ask and change nothing")
	g.completeAccounts(cmd)
	return cmd
}

// applyCode reads the code once it is known that its tokens could be kept.
func (g *globals) applyCode(cmd *cobra.Command, a *app.App, account, file string, dry bool) (app.Tokens, error) {
	if err := a.CheckTokenAccount(account); err != nil {
		return app.Tokens{}, err
	}
	text, err := g.readCode(cmd.Context(), file)
	defer clear(text)
	if err != nil {
		return app.Tokens{}, err
	}
	code, err := authCode(text)
	if err != nil {
		return app.Tokens{}, err
	}
	defer code.Wipe()
	return a.ApplyCode(cmd.Context(), account, code, dry)
}

func newTokenRefreshCmd(g *globals) *cobra.Command {
	var account string
	var force, dryRun bool
	cmd := &cobra.Command{
		Use:   "refresh",
		Short: "Exchange the refresh token for new tokens, now",
		Long: `Exchange the refresh token in the account's access_token_file for new tokens, now.
It works beside a daemon: of two that refresh at once, one asks and both go on
with what it got. "run" and "sync" do this by themselves when less than three
days, or a tenth of a shorter life, are left, and when the API says that a token
has expired.`,
		Args: tokenArgs("\"syncer token refresh --help\" shows what is allowed"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, cfg, err := g.app(cmd)
			if err != nil {
				return err
			}
			t, err := a.RefreshTokens(cmd.Context(), account, force, dryRun)
			if e := a.Close(); e != nil {
				g.log.Error().Err(e).Msg("closing")
			}
			if err != nil {
				return err
			}
			return g.printTokens("refresh", t, dryRun, cfg)
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "whose tokens: the `NAME`, needed if there are several accounts")
	cmd.Flags().BoolVar(&force, "force", false, "also within the pause that the API wants after an outcome that is not known")
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "show how the tokens stand, ask and change nothing")
	g.completeAccounts(cmd)
	return cmd
}

// maxCode bounds what is read as a code, in bytes.
const maxCode = 64 << 10

// readCode reads the text that holds the code. The errors do not repeat the
// name of the file: a code may have been given in its place.
func (g *globals) readCode(ctx context.Context, file string) ([]byte, error) {
	if file == "-" {
		return g.readStdin(ctx)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, unreadable(err)
	}
	defer f.Close()
	return limited(f)
}

// unreadable is the error of a code that cannot be read.
func unreadable(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &app.InputError{Reason: fmt.Sprintf("--auth-code-file: the file cannot be read: %v", err),
		Advice: "it takes the name of a file that holds the code, not the code itself; \"-\" is standard input"}
}

// limited reads all there is, if it is not too much.
func limited(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxCode+1))
	switch {
	case err != nil:
		return text, unreadable(err)
	case len(text) > maxCode:
		return text, &app.InputError{Reason: "--auth-code-file: what was given is too long for a code", Advice: codeHint}
	}
	return text, nil
}

// readStdin reads from standard input, from a terminal one line that is not
// shown. It ends with ctx, whatever the one who types does.
func (g *globals) readStdin(ctx context.Context) ([]byte, error) {
	type result struct {
		text []byte
		err  error
	}
	read := make(chan result, 1)
	if f, ok := g.stdin.(*os.File); ok && isTerminal(f) {
		fd := int(f.Fd())
		if state, err := term.GetState(fd); err == nil {
			defer func() { _ = term.Restore(fd, state) }()
		}
		fmt.Fprint(g.stderr, "the code, or the whole address (not shown): ")
		defer fmt.Fprintln(g.stderr)
		go func() {
			text, err := term.ReadPassword(fd)
			if errors.Is(err, io.EOF) {
				err = nil
			}
			read <- result{text, err}
		}()
	} else {
		go func() {
			text, err := limited(g.stdin)
			read <- result{text, err}
		}()
	}
	select {
	case r := <-read:
		return r.text, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

const codeHint = "one line: the code, or the address https://DOMAIN/?authResult=SUCCESS&code=CODE to which the browser was sent"

// authCode finds the code in a text: the code itself, or the address to which
// the browser was sent. The errors do not repeat the text.
func authCode(text []byte) (secret.Text, error) {
	wrong := func(reason string) (secret.Text, error) {
		return secret.Text{}, &app.InputError{Reason: "--auth-code-file: " + reason, Advice: codeHint}
	}
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	switch {
	case len(text) == 0:
		return wrong("there is nothing in it")
	case bytes.ContainsAny(text, "\r\n"):
		return wrong("there is more than one line in it")
	case slices.ContainsFunc(text, func(c byte) bool { return c <= ' ' || c >= 0x7f }):
		return wrong("there are blanks or other characters in it that no code has")
	case !bytes.Contains(text, []byte("://")):
		return secret.New(text), nil
	}
	u, err := url.Parse(string(text))
	if err != nil {
		return wrong("the address cannot be read")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return wrong("the address cannot be read")
	}
	codes := append(q["code"], q["authCode"]...)
	switch {
	case q.Has("authResult") && !slices.Equal(q["authResult"], []string{"SUCCESS"}):
		return wrong("the address says that the customer did not grant access (authResult is not SUCCESS)")
	case len(codes) != 1 || codes[0] == "":
		return wrong("the address holds no code, or several")
	case strings.ContainsFunc(codes[0], func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return wrong("the code in the address has characters that no code has")
	}
	return secret.New([]byte(codes[0])), nil
}

// printTokens says how the tokens stand now.
func (g *globals) printTokens(action string, t app.Tokens, dry bool, cfg *config.Config) error {
	if g.json {
		return g.printJSON(struct {
			Type             string     `json:"type"`
			Action           string     `json:"action"`
			Account          string     `json:"account"`
			File             string     `json:"access_token_file"`
			Asked            bool       `json:"asked"`
			ObtainedAt       *time.Time `json:"obtained_at"`
			ExpiresAt        *time.Time `json:"expires_at"`
			HasRefreshToken  bool       `json:"has_refresh_token"`
			RefreshExpiresAt *time.Time `json:"refresh_expires_at"`
			RefreshDueAt     *time.Time `json:"refresh_due_at"`
			Dry              bool       `json:"dry_run"`
		}{"token", action, t.Account, t.File, t.Asked, timeOrNil(t.ObtainedAt), timeOrNil(t.ExpiresAt), t.RefreshToken, timeOrNil(t.RefreshExpiresAt), timeOrNil(t.DueAt), dry})
	}
	var b strings.Builder
	switch {
	case dry && action == "apply":
		return g.print(fmt.Sprintf("account %s: the code would be exchanged, and the tokens kept in %s\nnothing was asked, nothing was changed\n", t.Account, near(t.File)))
	case action == "refresh" && !dry && !t.Asked:
		fmt.Fprintf(&b, "account %s: another process has just refreshed the tokens; the API was not asked again\n", t.Account)
	case dry:
		fmt.Fprintf(&b, "account %s: the tokens would be refreshed; as they stand:\n", t.Account)
	case action == "refresh":
		fmt.Fprintf(&b, "account %s: the tokens were refreshed\n", t.Account)
	default:
		fmt.Fprintf(&b, "account %s: the code was exchanged for tokens\n", t.Account)
	}
	fmt.Fprintf(&b, "  access token   %s\n", until(t.ExpiresAt, cfg))
	if t.RefreshToken {
		fmt.Fprintf(&b, "  refresh token  %s\n", until(t.RefreshExpiresAt, cfg))
	} else {
		b.WriteString("  refresh token  none: the customer has to grant access again before the access token expires\n")
	}
	fmt.Fprintf(&b, "  kept in        %s (mode 0600)\n", near(t.File))
	if !t.DueAt.IsZero() && !dry {
		fmt.Fprintf(&b, "\"run\" and \"sync\" refresh them from %s\n", moment(t.DueAt, cfg))
	}
	if !dry && action == "apply" {
		b.WriteString("next: syncer check\n")
	}
	return g.print(b.String())
}

func until(t time.Time, cfg *config.Config) string {
	if t.IsZero() {
		return "good until the API says otherwise: the answer named no time"
	}
	return "good until " + moment(t, cfg)
}

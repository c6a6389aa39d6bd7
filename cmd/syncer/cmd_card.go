package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"billsync/internal/app"
)

func newCardCmd(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "card COMMAND",
		Short:   "The details of a card: number, CVV, expiry",
		GroupID: groupCards,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if slices.ContainsFunc(args, app.LooksLikeCardNumber) || app.LooksLikeCardNumber(strings.Join(args, " ")) {
				_, err := app.CheckAssetID(strings.Join(args, " ")) // which does not repeat it
				return err
			}
			return lost(cmd, args)
		},
	}
	cmd.AddCommand(newCardShowCmd(g))
	return cmd
}

func newCardShowCmd(g *globals) *cobra.Command {
	var account string
	var reveal bool
	cmd := &cobra.Command{
		Use:   "show ASSET_ID",
		Short: "Ask the API for a card's details; masked unless --reveal",
		Long: `Ask the API for the secret details of a card and show them: masked, or with
--reveal the number, the CVV and the expiry. That works on a terminal only, where
they stay in the scrollback until it is cleared; with --json as well it works
anywhere, and whoever reads the document looks after it.

ASSET_ID names the card as bills do (bills.asset_id). Without --account the card
is that of the only account, or of the account whose stored bills know it.

The details are shown and go nowhere else: not into the database, the log, an
error or a file. The log says that they were shown, whatever its level. The accountId of the answer is
compared with connected_account_id, its assetId with the one asked for; if one
differs nothing is shown. Nothing asks again by itself.`,
		Example: `  syncer card show CARD0000000000000000000000000001
  syncer card show CARD0000000000000000000000000001 --reveal
  sqlite3 -readonly bills.db 'SELECT DISTINCT asset_id, card_last4, card_nick_name FROM bills'`,
		// What was given may be a card number, whole or in pieces: it is not repeated.
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				if _, err := app.CheckAssetID(strings.Join(args, " ")); err != nil && app.LooksLikeCardNumber(strings.Join(args, "")) {
					return err
				}
				return usagef("", "card show takes one ASSET_ID, and was given %d", len(args))
			}
			if len(args) == 0 {
				return usagef(app.FindAssetID, "card show needs the ASSET_ID of a card")
			}
			_, err := app.CheckAssetID(args[0])
			return err
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return g.knownCards(cmd, account), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			assetID, err := app.CheckAssetID(args[0])
			if err != nil {
				return err
			}
			if reveal && !g.json && !isTerminal(g.stdout) {
				return usagef("run it on a terminal, or give --json as well if a program reads it that keeps it out of files and logs",
					"--reveal shows secrets on a terminal only, and standard output is none")
			}
			return withholding(func() error { return g.showCard(cmd, assetID, account, reveal) })
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "whose card: the `NAME`, needed if there are several accounts and no stored bill tells")
	cmd.Flags().BoolVar(&reveal, "reveal", false, "show number, CVV and expiry, on a terminal or with --json")
	g.completeAccounts(cmd)
	return cmd
}

// showCard asks for a card and shows it.
func (g *globals) showCard(cmd *cobra.Command, assetID, account string, reveal bool) error {
	a, _, err := g.app(cmd)
	if err != nil {
		return err
	}
	if err := noCoreDumps(); err != nil {
		g.log.Warn().Err(err).Msg("core dumps stay on")
	}
	c, err := a.FindCard(cmd.Context(), assetID, account)
	if err == nil {
		g.noteUses(&c)
		err = a.AskCard(cmd.Context(), &c)
	}
	if e := a.Close(); e != nil {
		g.log.Error().Err(e).Msg("closing")
	}
	if err != nil {
		return err
	}
	defer c.Wipe()
	var incomplete error
	if len(c.Missing) > 0 {
		incomplete = &app.Verdict{Code: 3, Reason: fmt.Sprintf("account %s, card %s: the answer is incomplete, it lacks %s", c.Account, c.AssetID, strings.Join(c.Missing, ", ")),
			Advice: "What there is is shown. Ask again later by hand; if it stays, contact WorldFirst Technical Support."}
	}
	if err := g.noteShowing(&c, reveal); err != nil {
		return err
	}
	var shown []byte
	if g.json {
		g.summed = true
		shown = cardJSON(&c, reveal, incomplete)
	} else {
		shown = cardText(&c, reveal)
	}
	_, err = g.stdout.Write(shown)
	clear(shown)
	if err == nil {
		g.noteCard(&c, reveal)
	}
	return errors.Join(err, incomplete)
}

// noteShowing writes the line about what is about to be shown, whatever the level
// of the log and however quiet the command: an auditor looks for it. It comes before
// anything can be seen, and nothing is seen if it cannot be written.
func (g *globals) noteShowing(c *app.Card, reveal bool) error {
	w := &attentive{Writer: g.stderr}
	log := g.logger(w, g.logForm).Level(zerolog.InfoLevel)
	log.Info().Str("account", c.Account).Str("asset_id", c.AssetID).Str("account_id", c.AccountID).Bool("revealed", reveal).Msg("showing card details")
	if w.err != nil {
		return fmt.Errorf("the log cannot be written, so nothing is shown: %w", w.err)
	}
	return nil
}

// An attentive writer keeps the error that a log only passes on.
type attentive struct {
	io.Writer
	err error
}

func (w *attentive) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

// note says something beside the result.
func (g *globals) note(format string, args ...any) {
	if !g.quiet {
		// Nobody is left to be told if this cannot be written.
		_, _ = fmt.Fprintf(g.stderr, "note: "+format+"\n", args...)
	}
}

// noteUses says what is unusual about the card before the API is asked, since it
// may be the reason for what the API answers.
func (g *globals) noteUses(c *app.Card) {
	switch {
	case c.NoBooks != "":
		g.note("whether stored bills know this card cannot be said: %s", printable(c.NoBooks))
	case c.Bills == 0 && len(c.Elsewhere) > 0:
		g.note("no stored bill of account %s knows this card, but those of %s do", c.Account, strings.Join(c.Elsewhere, ", "))
	case c.Bills == 0:
		g.note("no stored bill knows this card")
	}
}

// noteCard says beside the result what a person should know of it.
func (g *globals) noteCard(c *app.Card, reveal bool) {
	if len(c.Opaque) > 0 {
		as := "--reveal shows it as received"
		if reveal {
			as = "it is shown as received"
			if !g.json {
				as += ", with \ufffd for what could move the cursor"
			}
		}
		g.note("not of the documented form: %s; %s", strings.Join(c.Opaque, ", "), as)
	}
	switch {
	case !reveal:
		g.note("masked; --reveal shows number, CVV and expiry on a terminal")
	case isTerminal(g.stdout):
		g.note("the details stay in this terminal's scrollback: clear it when you are done")
	}
}

// withholding lets a panic pass without its value, which may hold what was in hand.
// The runtime's own hold numbers and names of types only.
func withholding(f func() error) error {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			panic(p)
		default:
			panic("its words are withheld, card details were in hand")
		}
	}()
	return f()
}

// knownCards are the asset ids that stored bills name, for the shell to complete.
func (g *globals) knownCards(cmd *cobra.Command, account string) []string {
	a, _, err := g.app(cmd)
	if err != nil {
		return nil
	}
	cards, err := a.KnownCards(cmd.Context(), account)
	if err != nil {
		return nil
	}
	var all []string
	for _, c := range cards {
		if id, err := app.CheckAssetID(c.AssetID); err == nil && id == c.AssetID && !strings.ContainsAny(id, " \t") {
			all = append(all, cobra.CompletionWithDesc(id, fmt.Sprintf("%s, account %s, %s", printable(c.Masked), c.Account, plural(c.Bills, "bill", g.number))))
		}
	}
	return all
}

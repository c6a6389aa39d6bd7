package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"billsync/internal/bill"
	"billsync/internal/card"
	"billsync/internal/config"
	"billsync/internal/store"
)

// A Card is what is known of a card here, and what the API tells of it. Whoever
// asks for the details wipes them.
type Card struct {
	ID        string   // the asset id asked for
	Account   string   // as whom the API is asked
	Connected string   // the account's connected_account_id
	Bills     int      // stored bills of the account that know the card
	Elsewhere []string // other accounts whose stored bills know it
	NoBooks   string   // why nothing can be said of stored bills; empty: it can

	// What follows is there once the API was asked.
	card.Details          // AssetID is ID, and AccountID is Connected if both are there
	Missing      []string // fields that the answer does not have
	Opaque       []string // fields that are something else than documented
}

// maxAssetID is how long an asset id may be, in characters; those seen have 32.
const maxAssetID = 64

// FindAssetID says where asset ids are found.
const FindAssetID = `bills name it: SELECT DISTINCT asset_id, card_last4, card_nick_name FROM bills`

// CheckAssetID returns an asset id as it was given, without blanks around it. What
// may be a card number is refused and not repeated: it must not get into a log.
func CheckAssetID(text string) (string, error) {
	const find = FindAssetID
	id := strings.TrimSpace(text)
	switch {
	case id == "":
		return "", &InputError{"ASSET_ID is empty", find}
	case LooksLikeCardNumber(id):
		return "", &InputError{"this looks like a card number, and is neither used nor sent: a card is named by its ASSET_ID",
			"remove it from your shell's history; " + find}
	case utf8.RuneCountInString(id) > maxAssetID:
		return "", &InputError{fmt.Sprintf("ASSET_ID is too long: at most %d characters", maxAssetID), find}
	case !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", &InputError{"ASSET_ID holds a character that cannot be printed", find}
	}
	return id, nil
}

// LooksLikeCardNumber reports whether a text is 12 to 19 digits, perhaps in groups.
func LooksLikeCardNumber(text string) bool {
	digits := 0
	for _, r := range text {
		switch {
		case unicode.IsDigit(r):
			digits++
		case !unicode.IsSpace(r) && !unicode.Is(unicode.Pd, r) && r != '.' && r != '/':
			return false
		}
	}
	return digits >= 12 && digits <= 19
}

// FindCard finds out whose card is meant and what stored bills know of it. It
// asks nothing and takes no lock; there need be no database. Without an account it
// is the only one, or the one whose stored bills know the card.
func (a *App) FindCard(ctx context.Context, assetID, account string) (Card, error) {
	if _, err := a.source(); err != nil { // which knows where stored bills should come from
		return Card{}, err
	}
	uses, noBooks, err := a.usesOfCard(ctx, assetID)
	if err != nil {
		return Card{}, err
	}
	acct, err := a.accountOfCard(account, uses, noBooks)
	if err != nil {
		return Card{}, err
	}
	c := Card{ID: assetID, Account: acct.Name, Connected: acct.ConnectedAccountID, NoBooks: noBooks}
	for _, u := range uses {
		if u.Account == acct.Name {
			c.Bills = u.Bills
		} else {
			c.Elsewhere = append(c.Elsewhere, u.Account)
		}
	}
	return c, nil
}

// AskCard asks the API for the details of a card (API §7.3), once: nothing is asked
// again but for the few quick tries where no answer came. Nothing is stored.
func (a *App) AskCard(ctx context.Context, c *Card) error {
	client, err := a.source()
	if err != nil {
		return err
	}
	acct, _ := a.cfg.Account(c.Account)
	a.renewDue(ctx, []string{acct.Name})
	d, err := client.QueryCardSensitiveInfo(ctx, vocabulary(acct), c.ID)
	if err != nil {
		return a.cardRefused(ctx, acct, c.ID, err)
	}
	if err := judgeCard(acct, c.ID, &d); err != nil {
		d.Wipe()
		return err
	}
	c.Details = d
	c.Missing, c.Opaque = c.Understand()
	return nil
}

// usesOfCard asks the database whose bills know a card. A database that cannot be
// read says nothing, and why is returned; one of another origin stops the command,
// since the configuration may be about the wrong customers.
func (a *App) usesOfCard(ctx context.Context, assetID string) (uses []store.CardUse, noBooks string, err error) {
	st, err := store.OpenReader(ctx, a.cfg.Database.URL)
	switch {
	case ctx.Err() != nil:
		return nil, "", ctx.Err()
	case errors.Is(err, store.ErrNoDatabase):
		return nil, "there is no database yet", nil
	case err != nil:
		return nil, err.Error(), nil
	}
	defer a.logged("closing the database", st.Close)
	err = st.View(ctx, func(t *store.Tx) error {
		err := t.CompareOrigin(a.origin)
		if err == nil {
			uses, err = t.CardUses(assetID)
		}
		return err
	})
	var input *store.InputError
	switch {
	case ctx.Err() != nil:
		return nil, "", ctx.Err()
	case errors.As(err, &input):
		return nil, "", withCode(err)
	case err != nil:
		return nil, err.Error(), nil
	}
	return uses, "", nil
}

// accountOfCard decides as whom the API is asked.
func (a *App) accountOfCard(name string, uses []store.CardUse, noBooks string) (config.Account, error) {
	enabled := a.cfg.Enabled()
	if name != "" || len(enabled) == 1 {
		return a.oneAccount(name)
	}
	var known, names []string
	for _, u := range uses {
		known = append(known, u.Account)
	}
	for _, c := range enabled {
		names = append(names, c.Name)
	}
	advice := "say whose card it is with --account; accounts in the configuration: " + strings.Join(names, ", ")
	why := "no stored bill says whose card this is"
	switch {
	case len(known) == 1:
		c, ok := a.cfg.Account(known[0])
		if ok && c.Enabled {
			return c, nil
		}
		why = fmt.Sprintf("the card is known to bills of account %q, which is not enabled", known[0])
	case len(known) > 1:
		why = "bills of several of them know this card: " + strings.Join(known, ", ")
	case noBooks != "":
		why += ": " + noBooks
	}
	return config.Account{}, &InputError{"there are several accounts, and " + why, advice}
}

// judgeCard makes sure that an answer is about the card asked for, and about one
// of the account that was meant. If not, nothing of it may be shown.
func judgeCard(acct config.Account, assetID string, d *card.Details) error {
	const unshown = "; nothing of the answer is shown"
	at := fmt.Sprintf("account %s, card %s: ", acct.Name, assetID)
	const advice = "Do not use it for a payment. Ask again once; if it stays, contact WorldFirst Technical Support."
	switch {
	case d.AssetID == "":
		return &Verdict{3, at + "the answer does not say which card it is about: assetId is missing" + unshown, advice}
	case d.AssetID != assetID:
		return &Verdict{3, at + "the answer is about another card: its assetId is not the one asked for" + unshown, advice}
	case acct.ConnectedAccountID == "" || d.AccountID == "" || d.AccountID == acct.ConnectedAccountID:
		return nil
	}
	return &Verdict{4, at + fmt.Sprintf("the card belongs to accountId %q, but connected_account_id is %q%s", d.AccountID, acct.ConnectedAccountID, unshown),
		"If the card is this account's, correct connected_account_id; if it is another's, ask with --account; if both are right, contact WorldFirst Technical Support."}
}

// cardRefused makes an error with its exit code of a question that was not
// answered with yes.
func (a *App) cardRefused(ctx context.Context, acct config.Account, assetID string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	at := fmt.Sprintf("account %s, card %s: ", acct.Name, assetID)
	f, ok := bill.AsFailure(err)
	if !ok {
		return &Verdict{4, at + err.Error(), "mend it here; nothing was sent to the API"}
	}
	v := &Verdict{Code: 3, Reason: at + f.Error(), Advice: f.Advice}
	if f.Code == "PARAM_ILLEGAL" && f.Outcome == bill.RefusedRequest {
		v.Advice = "A value of the request was not accepted: there may be no such card in this account. Check the ASSET_ID, and the account's connected_account_id."
	}
	switch f.Outcome {
	case bill.Unknown:
		v.Advice += " " + a.bySchedule(f)
	case bill.NoAnswer:
		if f.RetryAfter > 0 && !f.TokenExpired { // about a token the advice says when
			v.Advice += " The API asks not to before " + a.moment(f.RetryAfter) + "."
		}
	case bill.RefusedUs:
		v.Code = 4
		if acct.ConnectedAccountID == "" && acct.ConnectedCustomerID != "" {
			v.Advice += " This call is made for a customer by connected_account_id, which is not configured; connected_customer_id is for bills."
		}
	}
	return v
}

// documentedSchedule is when a question of unknown outcome may be asked again
// (API §5), from one time to the next. That in the configuration is for bills.
var documentedSchedule = []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute,
	80 * time.Minute, 160 * time.Minute, 320 * time.Minute}

// bySchedule says when a person may ask again. How often it was asked is not
// known: nothing of a card is stored.
func (a *App) bySchedule(f *bill.Failure) string {
	first, n := max(documentedSchedule[0], f.RetryAfter), len(documentedSchedule)
	var rest []string
	for _, d := range documentedSchedule[1 : n-1] {
		rest = append(rest, fmt.Sprint(d.Minutes()))
	}
	return fmt.Sprintf("The schedule: not before %s, then after another %s and %v minutes, %d times at most. Nothing is asked again by itself.",
		a.moment(first), strings.Join(rest, ", "), documentedSchedule[n-1].Minutes(), n)
}

// moment is a time that far ahead, and how far that is.
func (a *App) moment(ahead time.Duration) string {
	at := a.now().Add(ahead + time.Second - 1).Truncate(time.Second) // never too early
	return fmt.Sprintf("%s (in %s)", at.In(a.cfg.Report.Timezone).Format("2006-01-02 15:04:05 -07:00"), DurationText(ahead))
}

// A KnownCard is a card that stored bills were paid with.
type KnownCard = store.CardUse

// KnownCards lists the cards of stored bills, of one account or of all. There are
// none without a database.
func (a *App) KnownCards(ctx context.Context, account string) ([]KnownCard, error) {
	st, err := store.OpenReader(ctx, a.cfg.Database.URL)
	if errors.Is(err, store.ErrNoDatabase) {
		return nil, nil
	}
	if err != nil {
		return nil, withCode(err)
	}
	defer a.logged("closing the database", st.Close)
	var cards []KnownCard
	err = st.View(ctx, func(t *store.Tx) (err error) {
		cards, err = t.Cards(account)
		return err
	})
	return cards, withCode(err)
}

package simulator

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Card is what the server tells of a card (API §7.3). All of it is made up,
// and none of it depends on the time.
type Card struct {
	AssetID   string `json:"assetId,omitempty"`
	AccountID string `json:"accountId,omitempty"` // empty: the one asked for
	CVV       string `json:"cvv,omitempty"`
	Number    string `json:"cardNo,omitempty"`
	Month     string `json:"expiredMonth,omitempty"`
	Year      string `json:"expiredYear,omitempty"`
}

// A CardBook is a Book that knows the cards behind its bills. Of one that does
// not, every card is unknown.
type CardBook interface {
	Book
	// Card finds a card of a customer.
	Card(customer, assetID string) (Card, bool)
	// Customers are those the book has heard of.
	Customers() []string
}

// ownAccount is the account id of the client's own account.
const ownAccount = "ACCT0000000000000000000000000001"

// madeUp is a card as it is made up from its id and masked number: always the
// same. The API's two pages write the month differently, so both ways occur.
func madeUp(assetID, masked string) Card {
	r := stream(hash(hashText(assetID), 'd'))
	first, last := "555555", "0000"
	if n := len(masked); n >= 4 && strings.Trim(masked[n-4:], "0123456789") == "" {
		last = masked[n-4:]
	}
	number := first + string(appendDigits(nil, r.next(), 6)) + last
	if passesCheck(number) {
		// It must not be the number of anybody's card.
		middle := (number[11]-'0'+1)%10 + '0'
		number = number[:11] + string(middle) + last
	}
	c := Card{AssetID: assetID, Number: number, CVV: string(appendDigits(nil, r.next(), 3)), Year: fmt.Sprint(r.between(28, 35))}
	c.Month = fmt.Sprintf("%02d", r.between(1, 12))
	if r.chance(500) {
		c.Month = strings.TrimPrefix(c.Month, "0")
	}
	return c
}

// passesCheck reports whether a number passes the check that all card numbers
// pass.
func passesCheck(number string) bool {
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// readCard reads the body of queryCardSensitiveInfo.
func (a *answer) readCard(body []byte) error {
	if !utf8.Valid(body) {
		return illegal("the body is not UTF-8")
	}
	fields, err := readObject(body)
	if err != nil {
		return err
	}
	if fields["assetId"] == nil {
		return illegal("assetId is missing")
	}
	for name := range fields {
		if name != "assetId" {
			return illegal(name + " is not a field of this API")
		}
	}
	if a.assetID, err = readText(fields["assetId"]); err != nil {
		return fmt.Errorf("assetId %w", err)
	}
	return nil
}

// card answers with the details of a card. The faults that disturb a page of
// bills disturb it in a like way.
func (a *answer) card() result {
	account := a.req.Customer
	c, refusal := a.server.card(account, a.assetID)
	if refusal.Code != "" {
		return a.no(refusal)
	}
	switch {
	case c.AccountID != "":
	case account != "":
		c.AccountID = account
	default:
		c.AccountID = ownAccount
	}
	switch a.fault.Kind {
	case WrongPage: // of another card
		c.AssetID += "0"
	case StalePage: // of another account
		c.AccountID += "0"
	case ShortPage: // one field is left out
		c.CVV = ""
	case EmptyList: // S without anything
		c = Card{}
	}
	members := quote(c)
	if members = bytes.TrimSuffix(members[1:], []byte("}")); len(members) > 0 {
		members = append([]byte(","), members...)
	}
	return a.yes(members)
}

// card finds a card for an account; a refusal with a code says why not.
func (s *Server) card(account, assetID string) (Card, result) {
	book, ok := s.opts.Book.(CardBook)
	if !ok {
		return Card{}, refuse("PARAM_ILLEGAL", "There is no such card")
	}
	customer, told := s.opts.Accounts[account]
	if !told {
		customer = account
	}
	if c, ok := book.Card(customer, assetID); ok {
		return c, result{}
	}
	// Which customer an account belongs to need not be known: two calls name the
	// same customer by different headers (API §12).
	guess := account != "" && len(s.opts.Accounts) == 0
	for _, other := range append([]string{""}, book.Customers()...) {
		if c, ok := book.Card(other, assetID); ok {
			if guess {
				return c, result{}
			}
			return Card{}, refuse("AUTHORIZATION_NOT_EXIST", "")
		}
	}
	return Card{}, refuse("PARAM_ILLEGAL", "There is no such card")
}

// Card implements CardBook.
func (h *History) Card(customer, assetID string) (Card, bool) {
	c := h.customer(customer)
	for i := range c.cards {
		if k := &c.cards[i]; k.assetID == assetID {
			return madeUp(assetID, k.masked), true
		}
	}
	return Card{}, false
}

// Customers implements CardBook.
func (h *History) Customers() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	names := make([]string, 0, len(h.customers))
	for name := range h.customers {
		names = append(names, name)
	}
	return names
}

// Card implements CardBook.
func (d *Drift) Card(customer, assetID string) (Card, bool) {
	if book, ok := d.book.(CardBook); ok {
		return book.Card(customer, assetID)
	}
	return Card{}, false
}

// Customers implements CardBook.
func (d *Drift) Customers() []string {
	if book, ok := d.book.(CardBook); ok {
		return book.Customers()
	}
	return nil
}

// SetCard adds a card of a customer, with the details a test wants, or replaces
// the one of its asset id.
func (l *Ledger) SetCard(customer string, c Card) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cards[customer] == nil {
		l.cards[customer] = make(map[string]Card)
	}
	l.cards[customer][c.AssetID] = c
}

// Card implements CardBook: a card that was set, or one that bills were paid with.
func (l *Ledger) Card(customer, assetID string) (Card, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if c, ok := l.cards[customer][assetID]; ok {
		return c, true
	}
	for _, e := range l.entries[customer] {
		if e.glance.asset == assetID && assetID != "" {
			return madeUp(assetID, e.glance.card), true
		}
	}
	return Card{}, false
}

// Customers implements CardBook.
func (l *Ledger) Customers() []string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var names []string
	for name := range l.entries {
		names = append(names, name)
	}
	for name := range l.cards {
		names = append(names, name)
	}
	return names
}

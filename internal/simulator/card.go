package simulator

import (
	"fmt"
	"time"
)

// A card is one card of a customer. What differs from card to card in the
// bills, such as whether they carry a bill number, is a property of the card.
type card struct {
	assetID  string
	masked   string
	currency currency // of the account behind it
	prefers  kind     // what is mostly bought with it

	nick      [2][]byte // the label as JSON, before and after renamedAt; empty: none
	renamedAt int64     // milliseconds
	budget    string    // budget account; empty: none
	billNo    bool      // its bills carry one
	short     bool      // its order numbers have 28 digits, not 29
	hidesOne  bool      // an exchange rate of 1 is left out
	tagged    bool      // some of its bills carry metadata
}

var nickNames = [kinds][]string{
	ads:         {"Ads card", "Marketing", "广告投放卡"},
	cloud:       {"Cloud", "Servers & CDN", "云服务"},
	software:    {"Software", "SaaS <subscriptions>", "Tools"},
	travel:      {"Travel", "Team trips", "差旅卡"},
	hotel:       {"Hotels", "Travel \"stays\"", "出張用"},
	marketplace: {"Purchasing", "Samples & supplies", "采购"},
}

// A customer is one set of books.
type customer struct {
	seed  uint64
	cards []card
}

// newCustomer derives a customer's cards. The first ones serve the first
// kinds, so that even few cards buy different things.
func newCustomer(seed uint64, name string, cards int, since time.Time) *customer {
	c := &customer{seed: hash(seed, hashText(name)), cards: make([]card, cards)}
	for i := range c.cards {
		r := stream(hash(c.seed, 'c', uint64(i)))
		k := &c.cards[i]
		k.prefers = kind(i % int(kinds))
		k.assetID = "CARD" + string(appendDigits(appendDigits(nil, r.next(), 18), uint64(i+1), 10))
		k.masked = "555555******" + string(appendDigits(nil, r.next(), 4))
		switch n := r.below(10); {
		case i > 0 && n < 2:
			k.currency = currencyByName("EUR")
		case i > 0 && n < 3:
			k.currency = currencyByName("GBP")
		}
		if names := nickNames[k.prefers]; i%5 != 4 { // every fifth has no label
			name := names[r.below(int64(len(names)))]
			k.nick = [2][]byte{quote(fmt.Sprintf("%s %d", name, i+1)), quote(name + " (renamed)")}
			k.renamedAt = 1 << 62
			if r.chance(250) {
				k.renamedAt = since.AddDate(0, 0, int(r.between(150, 700))).UnixMilli()
			}
		}
		if r.chance(400) {
			k.budget = fmt.Sprintf("BA%016d", 1+r.below(3))
		}
		k.billNo = r.chance(200)
		k.short = r.chance(250)
		k.hidesOne = r.chance(300)
		k.tagged = r.chance(250)
	}
	return c
}

// label is the card's nick name as JSON at a time in milliseconds.
func (k *card) label(now int64) []byte {
	if now >= k.renamedAt {
		return k.nick[1]
	}
	return k.nick[0]
}

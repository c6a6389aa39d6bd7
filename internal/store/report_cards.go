package store

import (
	"database/sql/driver"
	"maps"
	"slices"
)

// cardBills are, by card, the bill that was stored last and tells its last four
// digits or its nick name.
type cardBills map[string]int64

// take looks at one more bill; 0 is one that tells nothing. A card without an id is
// none.
func (c cardBills) take(assetID string, id int64) {
	if assetID != "" && id > c[assetID] {
		c[assetID] = id
	}
}

// keepCards stores the latest bills of the cards of a month.
func (t *Tx) keepCards(month, sums string, cards cardBills) error {
	if err := t.exec("taking bills of cards away", "DELETE FROM card_bills WHERE month = ? AND sums = ?", month, sums); err != nil {
		return err
	}
	for _, assetID := range slices.Sorted(maps.Keys(cards)) {
		err := t.exec("storing the latest bill of a card", "INSERT INTO card_bills (month, sums, asset_id, bill_id) VALUES (?, ?, ?, ?)",
			month, sums, assetID, cards[assetID])
		if err != nil {
			return err
		}
	}
	return nil
}

// A CardLabel is what people call a card.
type CardLabel struct{ Last4, NickName string }

// CardLabels returns the last four digits and the nick name of all cards in the
// sums, by asset_id, as a bill has them that was stored last for the latest month.
// Its cost is that of the number of cards and months.
func (t *Tx) CardLabels() (map[string]CardLabel, error) {
	labels := map[string]CardLabel{}
	return labels, t.each("reading the names of cards", `
		SELECT c.asset_id, b.card_last4, b.card_nick_name
		FROM (SELECT asset_id, bill_id, max(month) FROM card_bills GROUP BY asset_id, sums) c
		JOIN bills b ON b.bill_id = c.bill_id AND b.asset_id = c.asset_id
		ORDER BY b.transaction_time, b.bill_id`, nil, func(row []driver.Value) error {
		c := columns{row: row}
		labels[c.text(0)] = CardLabel{c.text(1), c.text(2)}
		return c.err
	})
}

// SharedCards calls fn for each account of each card that several accounts pay
// with, if one of the given accounts does. Within fn nothing else may be asked of
// the Tx.
func (t *Tx) SharedCards(accounts []string, fn func(assetID, account string) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	return t.each("looking for cards of several accounts", `
		SELECT asset_id, account FROM cards
		WHERE asset_id IN (SELECT asset_id FROM cards GROUP BY asset_id HAVING count(*) > 1)
		  AND (?1 IS NULL OR asset_id IN (SELECT asset_id FROM cards WHERE account IN (SELECT value FROM json_each(?1))))
		ORDER BY asset_id, account`, []any{list}, func(row []driver.Value) error {
		c := columns{row: row}
		if c.err != nil {
			return c.err
		}
		return fn(c.text(0), c.text(1))
	})
}

// Unbilled counts the live bills that have taken effect without saying, in a way
// that could be read, what was spent: the books cannot have that. The months are
// those of the transactions.
func (t *Tx) Unbilled(accounts []string, months MonthSpan) (n int64, err error) {
	list, err := textList(accounts)
	if err != nil {
		return 0, err
	}
	from, to := months.bounds()
	err = t.each("counting bills without an amount", `
		SELECT count(*) FROM bills INDEXED BY bills_unbilled
		WHERE withdrawn_at IS NULL AND out_amount IS NULL AND (bill_status = 'SUCCESS' OR bill_status = 'PARTIAL_CANCEL' OR bill_status = 'PARTIAL_REFUND' OR bill_status = 'REFUNDED')
		  AND in_amount IS NULL AND substr(transaction_date, 1, 7) BETWEEN ?1 AND ?2
		  AND (?3 IS NULL OR account IN (SELECT value FROM json_each(?3)))`, []any{from, to, list}, func(row []driver.Value) error {
		c := columns{row: row}
		n = c.int(0)
		return c.err
	})
	return n, err
}

// A MerchantName is a merchant's name as bills have it, and as people compare it.
type MerchantName struct {
	Raw, Name, Rule string // no rule: the name is as it came
	Postings        int64  // of the months that were asked for
}

// MerchantNames calls fn for each name that the books of some months have. Within
// fn nothing else may be asked of the Tx.
func (t *Tx) MerchantNames(accounts []string, months MonthSpan, fn func(*MerchantName) error) error {
	list, err := textList(accounts)
	if err != nil {
		return err
	}
	from, to := months.bounds()
	return t.each("reading merchants' names", `
		SELECT s.name, coalesce(m.merchant, s.name), m.rule, sum(s.postings)
		FROM book_sums s LEFT JOIN merchants m ON m.merchant_name = s.name
		WHERE s.dimension = 'merchant' AND s.name <> '' AND s.month BETWEEN ?1 AND ?2
		  AND (?3 IS NULL OR s.account IN (SELECT value FROM json_each(?3)))
		GROUP BY s.name ORDER BY 2, 1`, []any{from, to, list}, func(row []driver.Value) error {
		c := columns{row: row}
		m := MerchantName{c.text(0), c.text(1), c.text(2), c.int(3)}
		if c.err != nil {
			return c.err
		}
		return fn(&m)
	})
}

// Add adds the sums of another group.
func (b *BookSum) Add(o *BookSum) error {
	for _, x := range []struct {
		sum *int64
		n   int64
	}{
		{&b.Postings, o.Postings}, {&b.Spends, o.Spends}, {&b.Spent, o.Spent}, {&b.Returned, o.Returned}, {&b.Reversed, o.Reversed}, {&b.Adjusted, o.Adjusted},
	} {
		if err := addTo(x.sum, x.n); err != nil {
			return err
		}
	}
	return nil
}

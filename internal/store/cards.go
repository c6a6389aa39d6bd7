package store

// A CardUse is a card that bills were paid with.
type CardUse struct {
	AssetID string `db:"asset_id"`
	Account string `db:"account"`
	Masked  string `db:"masked"` // its number as bills show it; may be empty
	Bills   int    `db:"bills"`
}

// CardUses returns, by account, whose bills know a card. It reads all bills: no
// index is worth its upkeep for a question that a person asks now and then.
func (t *Tx) CardUses(assetID string) ([]CardUse, error) {
	var uses []CardUse
	err := t.rows("looking for the bills of a card", &uses, `
		SELECT asset_id, account, max(coalesce(masked_card_no, card_last4, '')) AS masked, count(*) AS bills
		FROM bills WHERE asset_id = ? GROUP BY account ORDER BY account`, assetID)
	return uses, err
}

// Cards returns the cards that the bills of an account were paid with, the most
// used first; those of all accounts if none is named.
func (t *Tx) Cards(account string) ([]CardUse, error) {
	var uses []CardUse
	err := t.rows("listing cards", &uses, `
		SELECT asset_id, account, max(coalesce(masked_card_no, card_last4, '')) AS masked, count(*) AS bills
		FROM bills WHERE asset_id <> '' AND (account = ?1 OR ?1 = '') GROUP BY account, asset_id
		ORDER BY count(*) DESC, asset_id, account`, account)
	return uses, err
}

// Package card is the vocabulary of cards: their secret details, and the
// people who hold them (API §7).
package card

import "billsync/internal/secret"

// Details are what queryCardSensitiveInfo tells of a card (API §7.3). Wipe them
// when they were shown.
type Details struct {
	AssetID   string      // as echoed by the answer
	AccountID string      // of the account the card belongs to; may be absent
	Number    secret.Text // 12 to 19 digits, or something opaque
	CVV       secret.Text // 3 or 4 digits, or something opaque
	Month     secret.Text // as received: 1 to 12, with or without a leading zero
	Year      secret.Text // as received: the last two digits
}

// Wipe overwrites what is secret.
func (d *Details) Wipe() {
	for _, s := range []secret.Text{d.Number, d.CVV, d.Month, d.Year} {
		s.Wipe()
	}
}

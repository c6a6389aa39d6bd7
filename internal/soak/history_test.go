package soak

// A period is one state of a bill and how long it lasted.
type period struct {
	ID        int64  `db:"bill_id"`
	From      string `db:"valid_from"`
	To        string `db:"valid_to"`
	Withdrawn bool   `db:"withdrawn"`
	Said      string `db:"said"`
	Account   string `db:"account"`
	Order     string `db:"order_no"`
	Update    string `db:"last_update"`
	Told      bool   `db:"told"` // by a notification
	Hash      string `db:"content_hash"`
}

func (p *period) life() string {
	r := row{Said: p.Said, Withdrawn: p.Withdrawn}
	return r.life()
}

// checkHistory checks that everything the database ever said can still be read,
// as of the time when it said so.
func (w *world) checkHistory() {
	db := w.reader()
	if db == nil {
		return
	}
	defer db.Close()
	var all []period
	if err := db.Select(&all, `
		SELECT bill_id, valid_from, coalesce(valid_to, '') AS valid_to, withdrawn_at IS NOT NULL AS withdrawn, `+saidColumns+` AS said
		FROM bill_history`); err != nil {
		w.fail("%v", err)
	}
	byBill := map[int64][]period{}
	for _, p := range all {
		byBill[p.ID] = append(byBill[p.ID], p)
	}
	for _, book := range w.seen.books {
		for id, said := range book.said {
			found, asOf := false, 0
			for _, p := range byBill[id] {
				same := p.life() == said
				found = found || same
				if p.From <= book.at && (p.To == "" || p.To > book.at) {
					asOf++
					if !same && !w.setBack {
						w.fail("at %s bill %d said %s, but according to bill_history it said %s", book.at, id, said, p.life())
					}
				}
			}
			if !found || asOf != 1 && !w.setBack {
				w.fail("at %s bill %d said %s; bill_history has %d states of that moment, and the state is in it: %t", book.at, id, said, asOf, found)
			}
		}
	}
	// The states of a bill follow each other without a gap, and each differs
	// from the one before.
	var states []period
	if err := db.Select(&states, `
		SELECT bill_id, valid_from, coalesce(valid_to, '') AS valid_to, withdrawn_at IS NOT NULL AS withdrawn, `+saidColumns+` AS said,
			account, order_no, coalesce(last_update, '') AS last_update, run_id = 0 AS told, content_hash
		FROM (SELECT state_id, bill_id, bill_no, transaction_time, bill_status, trade_amount, trade_currency, out_amount, out_currency,
		             in_amount, in_currency, merchant_name, asset_id, card_last4, fail_code, exchange_rate, last_update, withdrawn_at,
		             valid_from, valid_to, run_id, content_hash FROM bill_states
		      UNION ALL
		      SELECT 9223372036854775807, bill_id, bill_no, transaction_time, bill_status, trade_amount, trade_currency, out_amount, out_currency,
		             in_amount, in_currency, merchant_name, asset_id, card_last4, fail_code, exchange_rate, last_update, withdrawn_at,
		             changed_at, NULL, run_id, content_hash FROM bills) JOIN (SELECT bill_id, account, order_no FROM bills) USING (bill_id)
		ORDER BY bill_id, state_id`); err != nil {
		w.fail("%v", err)
	}
	for i := 1; i < len(states); i++ {
		before, p := &states[i-1], &states[i]
		switch {
		case before.ID != p.ID:
		case before.To != p.From:
			w.fail("bill %d: a state ends at %s, the next begins at %s", p.ID, before.To, p.From)
		case before.life() == p.life() && (before.Hash == p.Hash || !before.Told && !p.Told):
			// A notification says less than the list; the row keeps the rest.
			w.fail("bill %d: two states in a row say %s, up to %s", p.ID, p.life(), p.From)
		case !w.setBack && before.From > before.To:
			w.fail("bill %d: a state is valid from %s to %s", p.ID, before.From, before.To)
		case p.Update < before.Update && !before.Withdrawn && w.source.updates == growingUpdates &&
			w.source.book(w.customer(p.Account)).orders[p.Order].records == 1:
			w.fail("bill %d went back from %s to %s at %s", p.ID, before.life(), p.life(), p.From)
		}
	}
}

package store

import (
	"time"

	"billsync/internal/bill"
)

// AccountState returns what is kept of an account beside its windows.
func (t *Tx) AccountState(account string) (bill.AccountState, error) {
	var rows []struct {
		RefreshedAt stamp `db:"refreshed_at"`
		WantedAt    stamp `db:"refresh_wanted_at"`
		Refused     bool  `db:"refused"`
	}
	err := t.rows("reading an account", &rows, `
		SELECT refreshed_at, refresh_wanted_at, refused_at IS NOT NULL AS refused FROM accounts WHERE account = ?`, account)
	if err != nil || len(rows) == 0 {
		return bill.AccountState{}, err
	}
	return bill.AccountState{RefreshedAt: rows[0].RefreshedAt.Time, RefreshWantedAt: rows[0].WantedAt.Time, Refused: rows[0].Refused}, nil
}

// SaveRefresh keeps since when a refresh is wanted (zero: none is) and when the
// last one ended.
func (t *Tx) SaveRefresh(account string, wanted, refreshed time.Time) error {
	return t.exec("saving a refresh", "UPDATE accounts SET refresh_wanted_at = ?, refreshed_at = ? WHERE account = ?",
		timeOrNull(wanted), timeOrNull(refreshed), account)
}

package app

import (
	"context"

	"billsync/internal/store"
)

// Months returns the months that the books or failed payments are in, the latest
// first, without bringing the books up to date.
func (a *App) Months(ctx context.Context) (months []string, err error) {
	st, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	defer a.logged("closing the database", st.Close)
	err = st.View(ctx, func(t *store.Tx) (err error) {
		months, err = t.SummedMonths()
		return err
	})
	return months, withCode(err)
}

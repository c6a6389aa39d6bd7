package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"billsync/internal/bill"
)

// An Exchange is what a bill says of what was traded and what was billed for it.
type Exchange struct {
	Date       string // of the transaction, in the report's time zone
	Trade, Out bill.Amount
}

// An ExchangeBill is an Exchange and the bill it is of.
type ExchangeBill struct {
	BillID                           int64
	Account, OrderNo, BillNo, Status string
	At                               time.Time
	Merchant, AssetID, CardLast4     string
	Rate                             string // as the API gave it; "" if it did not
	Exchange
}

// An ExchangeSum is what exchanges of the same currencies come to.
type ExchangeSum struct{ Bills, Traded, Billed int64 }

// Add adds an exchange.
func (s *ExchangeSum) Add(e *Exchange) error {
	s.Bills++
	if err := addTo(&s.Traded, e.Trade.Value); err != nil {
		return err
	}
	return addTo(&s.Billed, e.Out.Value)
}

// exchanges are the bills that have moved or hold money and say both amounts. Where
// a part was cancelled, what is billed is not for all that was traded.
const exchanges = `
	FROM bills
	WHERE account IN (SELECT value FROM json_each(?1)) AND transaction_time >= ?2 AND transaction_time < ?3 AND withdrawn_at IS NULL
	  AND trade_amount IS NOT NULL AND trade_currency IS NOT NULL AND out_amount IS NOT NULL AND out_currency IS NOT NULL
	  AND coalesce(bill_status, '') NOT IN ('FAILED', 'CANCELLED', 'PARTIAL_CANCEL')`

// Exchanges calls fn for the exchanges of transactions from one time to another,
// in no order. Within fn nothing else may be asked of the Tx.
func (t *Tx) Exchanges(accounts []string, from, to time.Time, fn func(*Exchange) error) error {
	args, err := t.exchangeArgs(accounts, from, to)
	if err != nil {
		return err
	}
	return t.each("reading exchanges", "SELECT transaction_date, trade_amount, trade_currency, out_amount, out_currency"+exchanges, args, func(row []driver.Value) error {
		c := columns{row: row}
		e := exchangeIn(&c)
		if c.err != nil {
			return c.err
		}
		return fn(&e)
	})
}

// ExchangeBills calls fn for the bills of these exchanges, in the order of their
// times. It is for a day or so: they are sorted first. Within fn nothing else may
// be asked of the Tx.
func (t *Tx) ExchangeBills(accounts []string, from, to time.Time, fn func(*ExchangeBill) error) error {
	args, err := t.exchangeArgs(accounts, from, to)
	if err != nil {
		return err
	}
	return t.each("reading exchanges", `
		SELECT transaction_date, trade_amount, trade_currency, out_amount, out_currency,
		       bill_id, account, order_no, bill_no, bill_status, transaction_time, merchant_name, asset_id, card_last4, exchange_rate`+exchanges+`
		ORDER BY transaction_time, bill_id`, args, func(row []driver.Value) error {
		c := columns{row: row}
		b := ExchangeBill{
			Exchange: exchangeIn(&c),
			BillID:   c.int(5), Account: c.text(6), OrderNo: c.text(7), BillNo: c.text(8), Status: c.text(9),
			At: c.time(10), Merchant: c.text(11), AssetID: c.text(12), CardLast4: c.text(13), Rate: c.text(14),
		}
		if c.err != nil {
			return c.err
		}
		return fn(&b)
	})
}

func exchangeIn(c *columns) Exchange {
	return Exchange{c.text(0), bill.Amount{Value: c.int(1), Currency: c.text(2)}, bill.Amount{Value: c.int(3), Currency: c.text(4)}}
}

// exchangeArgs are the arguments of these queries. The accounts are always named,
// because the index of times begins with them.
func (t *Tx) exchangeArgs(accounts []string, from, to time.Time) ([]any, error) {
	if len(accounts) == 0 {
		var err error
		if accounts, err = t.AccountNames(); err != nil {
			return nil, err
		}
	}
	list, err := json.Marshal(accounts)
	if err != nil {
		return nil, fmt.Errorf("naming accounts: %w", err)
	}
	return []any{string(list), text(from), text(to)}, nil
}

// TransactionDays returns the first and the last day with transactions, in the
// report's time zone; "" if there are none.
func (t *Tx) TransactionDays() (first, last string, err error) {
	accounts, err := t.AccountNames()
	if err != nil {
		return "", "", err
	}
	for _, account := range accounts {
		for _, x := range []struct {
			order string
			take  func(day string)
		}{
			{"ASC", func(day string) {
				if first == "" || day < first {
					first = day
				}
			}},
			{"DESC", func(day string) { last = max(last, day) }},
		} {
			err := t.each("looking for the first and last transactions", `
				SELECT transaction_date FROM bills WHERE account = ? ORDER BY transaction_time `+x.order+` LIMIT 1`, []any{account}, func(row []driver.Value) error {
				c := columns{row: row}
				x.take(c.text(0))
				return c.err
			})
			if err != nil {
				return "", "", err
			}
		}
	}
	return first, last, nil
}

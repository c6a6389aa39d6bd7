package store

import (
	"fmt"
	"time"

	"billsync/internal/bill"
)

// A BillInfo is what reports show of a bill, in one of its states.
type BillInfo struct {
	ID                           int64
	Account, OrderNo, BillNo     string
	Status                       string
	At                           time.Time
	Date                         string // of At, in the report's time zone
	Merchant, AssetID, CardLast4 string
	Trade, Out, In               *bill.Amount
}

// infoColumns are those of BillInfo: a bill in a state of it.
const infoColumns = `b.bill_id, b.account, b.order_no, %[1]s.bill_no, %[1]s.bill_status, %[1]s.transaction_time, %[1]s.transaction_date,
	%[1]s.merchant_name, %[1]s.asset_id, %[1]s.card_last4, %[1]s.trade_amount, %[1]s.trade_currency, %[1]s.out_amount, %[1]s.out_currency,
	%[1]s.in_amount, %[1]s.in_currency`

// infoCount is how many they are.
const infoCount = 16

// presentInfo are the columns for a bill as it is now.
var presentInfo = fmt.Sprintf(infoColumns, "b")

// wantedAccount limits a query to accounts: a list as textList makes it.
const wantedAccount = "(?1 IS NULL OR b.account IN (SELECT value FROM json_each(?1)))"

// info reads a BillInfo, which begins a row.
func (c *columns) info() BillInfo {
	return BillInfo{
		ID: c.int(0), Account: c.text(1), OrderNo: c.text(2), BillNo: c.text(3), Status: c.text(4), At: c.time(5), Date: c.text(6),
		Merchant: c.text(7), AssetID: c.text(8), CardLast4: c.text(9), Trade: c.amount(10), Out: c.amount(12), In: c.amount(14),
	}
}

// amount reads an amount and, in the next column, its currency.
func (c *columns) amount(i int) *bill.Amount {
	if c.row[i] == nil || c.row[i+1] == nil {
		return nil
	}
	return &bill.Amount{Value: c.int(i), Currency: c.text(i + 1)}
}

// Add adds to a sum. The error, ErrTooMuch, says that the sum does not fit.
func Add(sum *int64, n int64) error { return addTo(sum, n) }

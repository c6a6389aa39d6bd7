package app

import (
	"context"
	"slices"
	"time"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// A LookupItem is a bill the API listed, beside the one that is stored.
type LookupItem struct {
	Bill     bill.Bill
	Problems []string          // what of it could not be understood
	Stored   *store.StoredBill // nil: not stored
	Differs  []Difference      // what the API now says otherwise
}

// A Difference is a field that is stored with another value than the API lists.
type Difference struct {
	Field          string // the column of bills
	Listed, Stored string
}

// Verdict says in a word how an item compares: same, differs, withdrawn (the
// API lists a bill again that it had stopped listing) or not stored.
func (i *LookupItem) Verdict() string {
	switch {
	case i.Stored == nil:
		return "not stored"
	case !i.Stored.WithdrawnAt.IsZero():
		return "withdrawn"
	case len(i.Differs) > 0:
		return "differs"
	}
	return "same"
}

// compare finds the stored bill of each item, and the stored bills that the API
// should have listed.
func (l *lookup) compare(ctx context.Context, books *store.Store) error {
	if books == nil {
		return nil
	}
	return books.View(ctx, func(t *store.Tx) error {
		listed := make([]*bill.Bill, 0, len(l.items)+len(l.ignored))
		for i := range l.items {
			listed = append(listed, &l.items[i].Bill)
		}
		for i := range l.ignored { // listed all the same
			listed = append(listed, &l.ignored[i])
		}
		var orders, billNos []string
		for _, b := range listed {
			orders = append(orders, b.OrderNo)
			if b.BillNo != "" {
				billNos = append(billNos, b.BillNo)
			}
		}
		rows, err := t.StoredBills(l.account.Name, orders, billNos)
		if err != nil {
			return err
		}
		found := map[int64]bool{}
		for i, row := range pair(listed, rows) {
			if row == nil {
				continue
			}
			found[row.ID] = true
			if i < len(l.items) {
				l.items[i].Stored, l.items[i].Differs = row, differences(listed[i], row)
			}
		}
		return l.findUnlisted(t, found)
	})
}

// findUnlisted gathers stored bills where the API was asked to the end.
func (l *lookup) findUnlisted(t *store.Tx, found map[int64]bool) error {
	for _, s := range l.ended {
		f := store.BillFilter{From: s.from, To: s.to, OrderNo: l.o.OrderNo, CardLast4: l.o.CardLast4,
			Statuses: l.o.Statuses, BudgetAccounts: l.o.BudgetAccounts}
		err := t.LiveBills(l.account.Name, f, func(b store.StoredBill) error {
			if !found[b.ID] && l.o.admitsMerchant(&b.Bill) {
				l.NotListed = append(l.NotListed, b)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pair returns the stored bill of each listed one, nil where there is none. A
// bill number decides; else order and second do, where bills that say the same
// find each other first, then those alike in amount and card, then the rest in
// their order (API §8.3). No row is given away twice.
func pair(listed []*bill.Bill, rows []store.StoredBill) []*store.StoredBill {
	out := make([]*store.StoredBill, len(listed))
	taken := map[int64]bool{}
	byOrder, byNumber := map[string][]*store.StoredBill{}, map[string]*store.StoredBill{}
	for i := range rows {
		r := &rows[i]
		byOrder[r.OrderNo] = append(byOrder[r.OrderNo], r)
		if r.BillNo != "" {
			byNumber[r.BillNo] = r
		}
	}
	give := func(i int, r *store.StoredBill) {
		if r != nil && !taken[r.ID] {
			out[i], taken[r.ID] = r, true
		}
	}
	for i, b := range listed {
		if b.BillNo != "" {
			give(i, byNumber[b.BillNo])
		}
	}
	for _, same := range []func(b *bill.Bill, r *store.StoredBill) bool{
		func(b *bill.Bill, r *store.StoredBill) bool { return b.Hash == r.Hash },
		func(b *bill.Bill, r *store.StoredBill) bool { return b.Alike(&r.Bill) },
		func(*bill.Bill, *store.StoredBill) bool { return true },
	} {
		for i, b := range listed {
			if out[i] != nil {
				continue
			}
			k := slices.IndexFunc(byOrder[b.OrderNo], func(r *store.StoredBill) bool {
				numbers := b.BillNo == "" || r.BillNo == "" || b.BillNo == r.BillNo
				return !taken[r.ID] && r.Second() == b.Second() && numbers && same(b, r)
			})
			if k >= 0 {
				give(i, byOrder[b.OrderNo][k])
			}
		}
	}
	return out
}

// comparedFields are the columns of a bill that say what the API said.
var comparedFields = []struct {
	column string
	text   func(b *bill.Bill) string
}{
	{"bill_status", func(b *bill.Bill) string { return b.Status }},
	{"trade_amount", func(b *bill.Bill) string { return amountText(b.Trade) }},
	{"out_amount", func(b *bill.Bill) string { return amountText(b.Out) }},
	{"in_amount", func(b *bill.Bill) string { return amountText(b.In) }},
	{"fail_code", func(b *bill.Bill) string { return b.FailCode }},
	{"fail_desc", func(b *bill.Bill) string { return b.FailDesc }},
	{"exchange_rate", func(b *bill.Bill) string { return b.ExchangeRate }},
	{"transaction_time", func(b *bill.Bill) string { return timeText(b.TransactionTime) }},
	{"merchant_name", func(b *bill.Bill) string { return b.MerchantName }},
	{"trade_country", func(b *bill.Bill) string { return b.TradeCountry }},
	{"asset_id", func(b *bill.Bill) string { return b.AssetID }},
	{"masked_card_no", func(b *bill.Bill) string { return b.MaskedCardNo }},
	{"budget_account_id", func(b *bill.Bill) string { return b.BudgetAccountID }},
	{"bill_no", func(b *bill.Bill) string { return b.BillNo }},
	{"bill_type", func(b *bill.Bill) string { return b.BillType }},
	{"last_update", func(b *bill.Bill) string { return timeText(b.LastUpdate) }},
	{"metadata", func(b *bill.Bill) string { return b.Metadata }},
}

func amountText(a *bill.Amount) string {
	if a == nil {
		return ""
	}
	return a.String()
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// differences names what the API says otherwise than is stored.
func differences(listed *bill.Bill, stored *store.StoredBill) []Difference {
	if listed.Hash == stored.Hash {
		return nil
	}
	var out []Difference
	for _, f := range comparedFields {
		if now, then := f.text(listed), f.text(&stored.Bill); now != then {
			out = append(out, Difference{f.column, now, then})
		}
	}
	if out == nil { // a field that has no column
		out = []Difference{{Field: "raw"}}
	}
	return out
}

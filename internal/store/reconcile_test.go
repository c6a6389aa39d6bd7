package store_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// What is asked for by key is what a look at all days says, and in its order; amounts
// are those of the same postings.
func TestReconcilePostings(t *testing.T) {
	t.Parallel()
	const each = 1100 // more than are asked for at a time
	for _, accounts := range [][]string{{"main"}, {"second", "first", "third"}} {
		s := open(t)
		update(t, s, func(tx *store.Tx) error {
			for n, name := range accounts {
				if err := tx.SaveAccount(bill.Account{Name: name}, day(1), t0); err != nil {
					return err
				}
				for i := range each {
					b := plain(fmt.Sprintf("%s-%d", name, i), day(1+i%9))
					b.Status, b.MerchantName, b.Out = "SUCCESS", fmt.Sprintf("Merchant %d", i%7), usd(int64(1000*n+i+1))
					if _, err := tx.InsertBill(name, b, 0, t0, t0, 1); err != nil {
						return err
					}
				}
			}
			return nil
		})
		post(t, s)
		const from, to = "2026-01-03", "2026-01-08"
		for _, of := range [][]string{nil, accounts[:1]} {
			var want, got []store.Posting
			var keys []store.PostingKey
			sums, asked := map[string]int64{}, map[string]int64{}
			view(t, s, func(tx *store.Tx) error {
				err := tx.Postings(of, from, to, func(p *store.Posting) error {
					want = append(want, *p)
					sums[p.Amount.Currency] += p.Amount.Value
					return nil
				})
				if err != nil {
					return err
				}
				return tx.BookAmounts(of, from, to, func(k store.PostingKey, a bill.Amount) error {
					keys = append(keys, k)
					asked[a.Currency] += a.Value
					return nil
				})
			})
			view(t, s, func(tx *store.Tx) error {
				return tx.PostingsOf(keys, func(p *store.Posting) error {
					got = append(got, *p)
					return nil
				})
			})
			if len(want) < each/2 || !slices.IsSortedFunc(want, func(a, b store.Posting) int {
				return slices.Compare([]string{a.Account, a.Date}, []string{b.Account, b.Date})
			}) {
				t.Fatalf("%d postings of %v, in order of account and day", len(want), of)
			}
			// Those that are named come in an order that no bill_id decides.
			slices.SortStableFunc(want, func(a, b store.Posting) int {
				return slices.Compare([]string{a.Account, a.Date, a.LineID}, []string{b.Account, b.Date, b.LineID})
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("postings of %v of %v (-all, +by key):\n%.500s", of, accounts, diff)
			}
			if diff := cmp.Diff(sums, asked); diff != "" {
				t.Errorf("sums of %v of %v (-postings, +amounts):\n%s", of, accounts, diff)
			}
		}
	}
}

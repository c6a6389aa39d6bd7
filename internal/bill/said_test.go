package bill

import (
	"testing"
	"time"
)

// What any two pages of as many bills say differs, or has no hash.
func TestSaid(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	one := Bill{Hash: "h", TransactionTime: at, OrderNo: "o", CardNickName: "n"}
	other := one
	other.Hash, other.OrderNo, other.CardNickName = "h2", "o2", "n,2"
	with := func(change func(*Bill)) []Bill {
		b := one
		change(&b)
		return []Bill{b, other}
	}
	pages := map[string][]Bill{
		"none": {}, "one": {one}, "two": {one, other}, "other order": {other, one}, "twice": {one, one},
		"hash":       with(func(b *Bill) { b.Hash = "x" }),
		"time":       with(func(b *Bill) { b.TransactionTime = at.Add(time.Millisecond) }),
		"order":      with(func(b *Bill) { b.OrderNo = "x" }),
		"label":      with(func(b *Bill) { b.CardNickName = "x" }),
		"no label":   with(func(b *Bill) { b.CardNickName = "" }),
		"longer":     {{Hash: "h", TransactionTime: at, OrderNo: "o", CardNickName: "n\x1fn"}, {Hash: "h", TransactionTime: at, OrderNo: "o"}},
		"two orders": {{Hash: "h", TransactionTime: at, OrderNo: "o,o"}, {Hash: "h", TransactionTime: at, OrderNo: "o"}},
	}
	said := map[string]string{}
	for name, page := range pages {
		var s Said
		for i := range page {
			s.Add(&page[i])
		}
		got := s.Hash()
		if unclear := name == "longer" || name == "two orders"; (got == "") != unclear {
			t.Errorf("%s: the hash is %q, want none: %t", name, got, unclear)
		}
		if same, ok := said[got]; ok && got != "" {
			t.Errorf("%s and %s have the same hash", name, same)
		}
		said[got] = name
	}
}

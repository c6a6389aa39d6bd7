package reconcile_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"billsync/internal/bill"
	"billsync/internal/reconcile"
)

// A quarter of a large company: 400 merchants, 2000 postings a day.
func BenchmarkFind(b *testing.B) {
	const count, days = 200_000, 100
	rnd := rand.New(rand.NewPCG(1, 2))
	postings := make([]reconcile.Posting, count)
	for i := range postings {
		postings[i] = reconcile.Posting{Bill: int64(i + 1), Line: 1, Day: int32(20_000 + i*days/count),
			Amount: bill.Amount{Currency: "USD", Value: -int64(100 + rnd.IntN(250_000))}, Name: fmt.Sprintf("EXAMPLE MERCHANT %d", rnd.IntN(400))}
	}
	ledger := func(line func(l *reconcile.Line, i int)) (lines []reconcile.Line) {
		for i := range postings {
			p := &postings[i]
			l := reconcile.Line{Key: fmt.Sprintf("%016x", rnd.Uint64()), Number: i + 2, Day: p.Day - rnd.Int32N(4), Amount: p.Amount, Name: p.Name}
			line(&l, i)
			lines = append(lines, l)
		}
		return lines
	}
	for _, bench := range []struct {
		name  string
		lines []reconcile.Line
	}{
		{"named", ledger(func(l *reconcile.Line, i int) { l.Named = []int32{int32(i)} })},
		{"unnamed", ledger(func(l *reconcile.Line, _ int) {
			if rnd.IntN(50) == 0 { // a little off
				l.Amount.Value -= l.Amount.Value / 1000
			}
		})},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			matched := 0
			for b.Loop() {
				matched = len(reconcile.Find(bench.lines, postings, limits).Matches)
			}
			if matched < count*8/10 {
				b.Fatalf("%d of %d lines are matched", matched, count)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/line")
		})
	}
}

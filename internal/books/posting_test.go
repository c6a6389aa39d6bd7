package books_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"billsync/internal/bill"
	"billsync/internal/books"
)

func usd(v int64) *bill.Amount { return &bill.Amount{Currency: "USD", Value: v} }

// short tells lines in few words.
func short(lines []books.Line) (out []string) {
	for _, l := range lines {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", l.ID, l.Kind, l.Amount.Currency, l.Amount.Decimal(), l.Effect)))
	}
	return out
}

// The lives of bills, as the finance notes tell them.
func TestNext(t *testing.T) {
	t.Parallel()
	s := func(status string, out, in *bill.Amount, day string) books.State {
		return books.State{Status: status, Out: out, In: in, Effect: day}
	}
	gone := s("SUCCESS", usd(1000), nil, "2026-05-09")
	gone.Withdrawn = true
	for _, tt := range []struct {
		name   string
		states []books.State
		want   []string
	}{
		{"on its way", []books.State{s("WAITING_CLEARANCE", usd(1000), nil, "2026-03-01")}, nil},
		{"failed", []books.State{s("FAILED", usd(0), nil, "2026-03-01")}, nil},
		{"cancelled before it cleared", []books.State{s("WAITING_CLEARANCE", usd(1000), nil, "2026-03-01"), s("CANCELLED", usd(1000), nil, "2026-03-02")}, nil},
		{"a status nobody knows", []books.State{s("PONDERING", usd(1000), nil, "2026-03-01")}, nil},
		{"cleared for more than authorised", []books.State{s("WAITING_CLEARANCE", usd(1000), nil, "2026-03-30"), s("SUCCESS", usd(1010), nil, "2026-04-02")},
			[]string{"K spend USD -10.10 2026-04-02"}},
		{"refunded in parts", []books.State{s("SUCCESS", usd(1000), nil, "2026-03-01"), s("PARTIAL_REFUND", usd(1000), usd(300), "2026-03-05"), s("REFUNDED", usd(1000), usd(1000), "2026-06-01")},
			[]string{"K spend USD -10.00 2026-03-01", "K-R1 return USD 3.00 2026-03-05", "K-R2 return USD 7.00 2026-06-01"}},
		{"met when all was over", []books.State{s("PARTIAL_REFUND", usd(1000), usd(300), "2026-03-05")},
			[]string{"K spend USD -10.00 2026-03-05", "K-R1 return USD 3.00 2026-03-05"}},
		{"cancelled after it counted", []books.State{s("SUCCESS", usd(1000), nil, "2026-03-01"), s("CANCELLED", usd(1000), nil, "2026-03-09")},
			[]string{"K spend USD -10.00 2026-03-01", "K-X1 reversal USD 10.00 2026-03-09"}},
		{"and counted again", []books.State{s("SUCCESS", usd(1000), nil, "2026-03-01"), s("FAILED", usd(1000), nil, "2026-03-09"), s("SUCCESS", usd(1000), nil, "2026-03-10")},
			[]string{"K spend USD -10.00 2026-03-01", "K-X1 reversal USD 10.00 2026-03-09", "K-A1 adjustment USD -10.00 2026-03-10"}},
		{"less, then more", []books.State{s("PARTIAL_CANCEL", usd(1000), nil, "2026-03-01"), s("SUCCESS", usd(800), nil, "2026-03-02"), s("SUCCESS", usd(900), nil, "2026-03-03")},
			[]string{"K spend USD -10.00 2026-03-01", "K-X1 reversal USD 2.00 2026-03-02", "K-A1 adjustment USD -1.00 2026-03-03"}},
		{"a return that was less", []books.State{s("REFUNDED", usd(1000), usd(1000), "2026-03-01"), s("PARTIAL_REFUND", usd(1000), usd(400), "2026-03-02")},
			[]string{"K spend USD -10.00 2026-03-01", "K-R1 return USD 10.00 2026-03-01", "K-X1 reversal USD -6.00 2026-03-02"}},
		{"another currency", []books.State{s("SUCCESS", usd(1000), nil, "2026-03-01"), s("SUCCESS", &bill.Amount{Currency: "EUR", Value: 900}, nil, "2026-03-02")},
			[]string{"K spend USD -10.00 2026-03-01", "K-X1 reversal USD 10.00 2026-03-02", "K-A1 adjustment EUR -9.00 2026-03-02"}},
		{"withdrawn and back", []books.State{s("SUCCESS", usd(1000), usd(100), "2026-03-01"), gone, s("SUCCESS", usd(1000), usd(100), "2026-05-10")},
			[]string{"K spend USD -10.00 2026-03-01", "K-R1 return USD 1.00 2026-03-01", "K-X1 reversal USD 10.00 2026-05-09", "K-X2 reversal USD -1.00 2026-05-09",
				"K-A1 adjustment USD -10.00 2026-05-10", "K-R2 return USD 1.00 2026-05-10"}},
		{"nothing changed for the books", []books.State{s("SUCCESS", usd(1000), nil, "2026-03-01"), s("SUCCESS", usd(1000), nil, "2026-03-07")},
			[]string{"K spend USD -10.00 2026-03-01"}},
		{"an amount nobody can read", []books.State{s("SUCCESS", nil, nil, "2026-03-01"), s("SUCCESS", usd(5), nil, "2026-03-02")},
			[]string{"K spend USD -0.05 2026-03-02"}},
	} {
		var lines []books.Line
		for _, state := range tt.states {
			lines = append(lines, books.Next("K", lines, state)...)
		}
		if diff := cmp.Diff(tt.want, short(lines)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Whatever happens to a bill, its lines add up to its present state, earlier ones
// stay, ids are used once, and the key is that of the first line.
func TestLinesAddUp(t *testing.T) {
	t.Parallel()
	amount := rapid.Custom(func(t *rapid.T) *bill.Amount {
		if rapid.IntRange(0, 4).Draw(t, "there") == 0 {
			return nil
		}
		return &bill.Amount{Currency: rapid.SampledFrom([]string{"USD", "JPY", "KWD"}).Draw(t, "currency"), Value: rapid.Int64Range(-50, 1000).Draw(t, "value")}
	})
	statuses := []string{"WAITING_CLEARANCE", "WAITING_DEDUCT", "SUCCESS", "FAILED", "CANCELLED", "PARTIAL_CANCEL", "PARTIAL_REFUND", "REFUNDED", "NEW_ONE", ""}
	rapid.Check(t, func(t *rapid.T) {
		var lines []books.Line
		var state books.State
		for i := range rapid.IntRange(1, 12).Draw(t, "states") {
			state = books.State{
				Status: rapid.SampledFrom(statuses).Draw(t, "status"), Withdrawn: rapid.IntRange(0, 5).Draw(t, "withdrawn") == 0,
				Out: amount.Draw(t, "out"), In: amount.Draw(t, "in"), Effect: fmt.Sprintf("2026-01-%02d", i+1),
			}
			more := books.Next(fmt.Sprint("K", i), lines, state)
			lines = append(lines, more...)
			if again := books.Next("K", lines, state); len(again) > 0 {
				t.Fatalf("the same state once more brings %v", short(again))
			}
			want := map[string]int64{}
			if books.Effective(state.Status) && !state.Withdrawn {
				if state.Out != nil {
					want[state.Out.Currency] -= state.Out.Value
				}
				if state.In != nil {
					want[state.In.Currency] += state.In.Value
				}
			}
			got := map[string]int64{}
			var ids []string
			for _, l := range lines {
				got[l.Amount.Currency] += l.Amount.Value
				ids = append(ids, l.ID)
				if got := books.PartOf(l.Kind, l.Amount.Value); got != l.Part {
					t.Fatalf("%+v: kind and sign say it is %s", l, got)
				}
				if l.Amount.Value == 0 || l.Kind == "" || l.Effect == "" || l.Reason == "" {
					t.Fatalf("a line without a value: %+v", l)
				}
			}
			for _, currency := range []string{"USD", "JPY", "KWD"} {
				if got[currency] != want[currency] {
					t.Fatalf("%s: the lines add up to %d, the state says %d\n%v", currency, got[currency], want[currency], short(lines))
				}
			}
			slices.Sort(ids)
			if len(slices.Compact(ids)) != len(lines) {
				t.Fatalf("an id is used twice: %v", short(lines))
			}
			for _, id := range ids {
				if !strings.HasPrefix(id, ids[0][:2]) {
					t.Fatalf("ids of several keys: %v", short(lines))
				}
			}
		}
	})
}

// The key is what it was in every version: importers know lines by it.
func TestKey(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 28, 9, 12, 33, 999e6, time.FixedZone("", 8*3600))
	const want = "2PB4XTMBCJAN4GOHS4WUAAHQ4Z"
	got := books.Key("main", "20260128190741000100120000006", at, 0)
	if got != want {
		t.Errorf("Key = %s, want %s", got, want)
	}
	if books.Key("main", "20260128190741000100120000006", at, 1) == got || books.Key("other", "20260128190741000100120000006", at, 0) == got {
		t.Error("keys of two bills are equal")
	}
}

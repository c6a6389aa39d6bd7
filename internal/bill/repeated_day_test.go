package bill_test

import (
	"testing"
	"time"

	"billsync/internal/bill"
)

// On 30 September 1969 Kwajalein went from one side of the date line to the
// other and had that day almost twice, more than any zone gains by summer time.
// A window over it ends before its last day has begun, and the next one has to
// begin a day earlier to overlap.
func TestLayoutWhereADayIsRepeated(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Pacific/Kwajalein")
	if err != nil {
		t.Fatal(err)
	}
	if got := time.Date(1969, 10, 1, 0, 0, 0, 0, zone).Sub(time.Date(1969, 9, 30, 0, 0, 0, 0, zone)); got != 47*time.Hour {
		t.Fatalf("30 September 1969 has %s in Kwajalein, want 47h", got)
	}
	cut := 0 // windows that end before their last day
	for _, days := range []int{7, 30, 100} {
		for first := range 2 * days {
			start := time.Date(1969, 9, 30-2*days+first, 0, 0, 0, 0, zone)
			windows := bill.Layout(start.Add(-bill.Lead), start.AddDate(0, 0, 3*days), days)
			for i, w := range windows {
				if got, most := w.End.Sub(w.Start), time.Duration(days)*24*time.Hour-time.Second; got > most {
					t.Fatalf("Layout(%s, …, %d)[%d] = %v is %s long, at most %s is legal", start, days, i, w, got, most)
				}
				if got := calendarDays(w); got > days-1 {
					t.Fatalf("Layout(%s, …, %d)[%d] = %v spans %d calendar days, at most %d is legal", start, days, i, w, got, days-1)
				}
				if i == 0 {
					continue
				}
				before := windows[i-1]
				overlap := before.End.Sub(w.Start)
				if !before.Start.Before(w.Start) || overlap < time.Hour || overlap > 48*time.Hour {
					t.Fatalf("Layout(%s, …, %d): %v and %v overlap by %s, want an hour to two days", start, days, before, w, overlap)
				}
				if h, m, s := w.Start.Clock(); h+m+s != 0 {
					t.Fatalf("Layout(%s, …, %d)[%d] = %v begins in the middle of a day", start, days, i, w)
				}
				if h, _, _ := before.End.Clock(); h != 23 {
					cut++
				}
			}
		}
	}
	if cut == 0 {
		t.Error("no window was cut short by the repeated day: the test tests nothing")
	}
}

package main

import (
	"fmt"
	"strings"
	"testing"
)

// A bill differs from the median of its day only if there are enough of them to tell
// which is off; else they are marked.
func TestMedianOfFew(t *testing.T) {
	t.Parallel()
	const differs, few = "differs from the day's median", "one of %d bills of the day that are apart: too few to tell which is off"
	for bills, want := range map[int]map[string]int{
		1: {},
		2: {fmt.Sprintf(few, 2): 2}, // the median lies between them
		3: {fmt.Sprintf(few, 3): 1},
		4: {differs: 1},
		5: {differs: 1},
	} {
		t.Run(fmt.Sprint(bills), func(t *testing.T) {
			t.Parallel()
			k, dir := newBookkeeper(t)
			for i := range bills {
				out := "1000 USD"
				if i == 0 {
					out = "1100 USD"
				}
				k.bill("main", fmt.Sprintf("2026-04-02 0%d:00", i), "SUCCESS", "Shop", "4242", "900 EUR", out, "", nil)
			}
			if err := k.s.Close(); err != nil {
				t.Fatal(err)
			}
			out, errout, code := inside(t, dir, "report", "fx", "--month", "2026-04", "--part", "deviations", "--csv")
			if code != exitDone {
				t.Fatalf("it ends with %d and says %s", code, errout)
			}
			for _, text := range []string{differs, fmt.Sprintf(few, bills)} {
				if got := strings.Count(out, text); got != want[text] {
					t.Errorf("%d bills are told to be %q, want %d:\n%s", got, text, want[text], out)
				}
			}
		})
	}
}

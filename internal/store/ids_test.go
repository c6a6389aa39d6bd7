package store

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestIDLists(t *testing.T) {
	t.Parallel()
	for _, ids := range [][]int64{nil, {1}, {1, 2, 30}, {-7, 0, math.MaxInt64, math.MinInt64, 999_999_999_999_999_999}} {
		var got []int64
		if err := eachID(listOf(ids), func(id int64) { got = append(got, id) }); err != nil || !slices.Equal(got, ids) {
			t.Errorf("%v in a list and back is %v, %v", ids, got, err)
		}
	}
	for _, list := range []string{"x", "1,x", "1,,2", "1 2", "9999999999999999999", "-", "1.5"} {
		if err := eachID(list, func(int64) {}); !errors.Is(err, errMisread) {
			t.Errorf("%q: %v, want that it was misread", list, err)
		}
	}
}

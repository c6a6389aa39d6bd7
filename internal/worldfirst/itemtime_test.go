package worldfirst_test

import (
	"testing"
	"time"

	"billsync/internal/worldfirst"
)

func TestItemTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 10, 0, 0, 1, 250_000_000, time.UTC)
	for _, tt := range []struct {
		raw string
		ok  bool
	}{
		{`{"transactionTime":"2026-01-10T08:00:01.250+08:00"}`, true},
		{` {"merchantName":"x","transactionTime":"1768003201250"} `, true},
		{`{"transactionTime":1768003201250}`, true},
		{`{"transactionTime":"soon"}`, false},
		{`{"transactionTime":null}`, false},
		{`{"transactionTime":{}}`, false},
		{`{}`, false},
		{`[]`, false},
		{`{"transactionTime"`, false},
		{``, false},
	} {
		got, ok := worldfirst.ItemTime([]byte(tt.raw))
		if ok != tt.ok || ok && !got.Equal(at) {
			t.Errorf("ItemTime(%s) = %s, %t", tt.raw, got, ok)
		}
	}
}

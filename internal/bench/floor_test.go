package main

import (
	"math"
	"testing"
	"time"
)

func TestFloor(t *testing.T) {
	m := machine{cores: 2, rows: 131_000, signs: 1003}
	for _, tt := range []struct {
		cores  int
		server time.Duration
		want   float64 // seconds
	}{
		{2, 0, 0.945},           // (1.00 + 0.06 + 0.76 + 0.07) / 2
		{4, 0, 0.763},           // the one writer
		{2, time.Second, 1.445}, // the server works on the same cores
		{1, 0, 1.890},
	} {
		m.cores = tt.cores
		if got := m.floor(100_000, tt.server).Seconds(); math.Abs(got-tt.want) > 0.001 {
			t.Errorf("%+v.floor(100000, %s) = %.4f s, want %.3f s", m, tt.server, got, tt.want)
		}
	}
}

func TestLeastRequests(t *testing.T) {
	for _, tt := range []struct{ bills, size, want int }{
		{0, 100, 1}, {1, 100, 1}, {100, 100, 1}, {101, 100, 2}, {10_000, 100, 100}, {7, 3, 3},
	} {
		if got := leastRequests(tt.bills, tt.size); got != tt.want {
			t.Errorf("leastRequests(%d, %d) = %d, want %d", tt.bills, tt.size, got, tt.want)
		}
	}
}

func TestWaiting(t *testing.T) {
	for _, tt := range []struct {
		pages, width int
		want         time.Duration
	}{
		{503, 4, 3780 * time.Millisecond}, {503, 8, 1890 * time.Millisecond}, {1, 8, 30 * time.Millisecond}, {8, 8, 30 * time.Millisecond},
	} {
		if got := waiting(tt.pages, tt.width, 30*time.Millisecond); got != tt.want {
			t.Errorf("waiting(%d, %d, 30ms) = %s, want %s", tt.pages, tt.width, got, tt.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		in   []float64
		want float64
	}{
		{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 100}, 3},
	} {
		if got := median(tt.in); got != tt.want {
			t.Errorf("median(%v) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestRatio(t *testing.T) {
	if got := ratio(1, 0); got != 0 {
		t.Errorf("ratio(1, 0) = %v, want 0", got)
	}
}

func TestThousands(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567.6: "1,234,568", 100_000: "100,000"} {
		if got := thousands(v); got != want {
			t.Errorf("thousands(%v) = %q, want %q", v, got, want)
		}
	}
}

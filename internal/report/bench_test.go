package report_test

import (
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"testing"

	"billsync/internal/report"
)

// long is a report of many rows. peak is told how large the heap is now and then.
func long(n int, peak *uint64) *report.Report {
	r := sample()
	r.Parts = r.Parts[:1]
	r.Parts[0].Rows = func(row func(report.Row) error) error {
		for i := range n {
			if i%20_000 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				*peak = max(*peak, m.HeapInuse)
			}
			if err := row(report.Row{
				fmt.Sprintf("支付宝 merchant %d", i%977), fmt.Sprintf("202605031940108001001882%05d", i), "2026-05-03", "2026-05",
				int64(1), int64(i*37 - 1_000_000), []string{"USD", "JPY", "KWD"}[i%3], "7.1234", noon,
			}); err != nil {
				return err
			}
		}
		return nil
	}
	return r
}

// Memory is the same for however many rows: see heap-MB.
func BenchmarkReport(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 500_000} {
		for name, write := range map[string]func(b *testing.B, r *report.Report) error{
			"csv": func(_ *testing.B, r *report.Report) error {
				return report.WriteCSV(io.Discard, r, "", report.CSVOptions{})
			},
			"json": func(_ *testing.B, r *report.Report) error { return report.WriteJSON(io.Discard, r, "") },
			"xlsx": func(b *testing.B, r *report.Report) error {
				return report.WriteXLSX(filepath.Join(b.TempDir(), "x.xlsx"), r, true)
			},
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				var peak uint64
				for b.Loop() {
					if err := write(b, long(n, &peak)); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(peak>>20), "heap-MB")
			})
		}
	}
}

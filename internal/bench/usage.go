package main

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// A usage is what a process took.
type usage struct {
	Wall time.Duration `json:"wall_ns"`        // elapsed
	CPU  time.Duration `json:"cpu_ns"`         // of the processor, user and system
	Peak int64         `json:"peak,omitempty"` // bytes of memory at most, as far as the system tells; else 0
}

// usageOf is what a process took that has ended.
func usageOf(p *os.ProcessState, wall time.Duration) usage {
	return usage{Wall: wall, CPU: p.UserTime() + p.SystemTime(), Peak: peakOf(p)}
}

// busyTime is how long the machine's processors have worked, for whomever; 0 if
// the system does not tell. Linux does, in hundredths of a second.
func busyTime() time.Duration {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	var busy time.Duration
	// cpu user nice system idle iowait irq softirq steal; guests are in user.
	for i, field := range bytes.Fields(line) {
		if i == 0 || i == 4 || i == 5 || i > 8 {
			continue
		}
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0
		}
		busy += time.Duration(n) * 10 * time.Millisecond
	}
	return busy
}

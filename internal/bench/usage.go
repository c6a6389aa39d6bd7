package main

import (
	"os"
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

package main

import (
	"os"
	"time"
)

// A usage is what a process took.
type usage struct {
	Wall time.Duration // elapsed
	CPU  time.Duration // of the processor, user and system
	Peak int64         // bytes of memory at most, as far as the system tells; else 0
}

// usageOf is what a process took that has ended.
func usageOf(p *os.ProcessState, wall time.Duration) usage {
	return usage{Wall: wall, CPU: p.UserTime() + p.SystemTime(), Peak: peakOf(p)}
}

//go:build unix

package main

import (
	"fmt"
	"syscall"
)

// noCoreDumps keeps the memory of this process out of core files from here on.
func noCoreDumps() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil {
		return fmt.Errorf("reading the limit of core files: %w", err)
	}
	limit.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &limit); err != nil {
		return fmt.Errorf("limiting core files: %w", err)
	}
	return nil
}

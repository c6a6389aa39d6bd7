//go:build !unix

package main

// noCoreDumps does nothing where there are no core files.
func noCoreDumps() error { return nil }

//go:build !cgo

package main

import "errors"

// A cDatabase needs C, and so does everything else here.
type cDatabase struct{}

var errNoC = errors.New("it was built without cgo")

func openC(string) (*cDatabase, error)          { return nil, errNoC }
func (*cDatabase) exec(string) error            { return errNoC }
func (*cDatabase) prepare(string) error         { return errNoC }
func (*cDatabase) store([]byte, int, int) error { return errNoC }
func (*cDatabase) changes() int                 { return 0 }
func (*cDatabase) close() error                 { return errNoC }

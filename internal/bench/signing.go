package main

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"time"
)

// signing measures how many signatures this machine makes and verifies in a
// second of one core, of a digest that is there already.
func signing(key *rsa.PrivateKey, d time.Duration) (signs, verifies float64, err error) {
	digest := sha256.Sum256([]byte("a request"))
	var signature []byte
	signs, err = rate(d, func() error {
		signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("signing: %w", err)
	}
	verifies, err = rate(d, func() error { return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature) })
	if err != nil {
		return 0, 0, fmt.Errorf("verifying: %w", err)
	}
	return signs, verifies, nil
}

// rate is how often a second of processor time has room for fn, tried for a
// while.
func rate(d time.Duration, fn func() error) (float64, error) {
	var clock stopwatch
	n := 0
	clock.start()
	for begun := time.Now(); time.Since(begun) < d; {
		for range 10 {
			if err := fn(); err != nil {
				return 0, err
			}
			n++
		}
	}
	clock.stop()
	return float64(n) / clock.CPU.Seconds(), nil
}

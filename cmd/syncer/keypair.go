package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// keyBits is the size of the keys we make, the one the provider documents.
const keyBits = 2048

// readKey returns the public half of the private key in a file, as it is
// registered: bare base64 of the X.509 form. Without a file it is empty.
func readKey(name string) (public string, err error) {
	data, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("reading the key that is there: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return "", usagef("move it away to have a new one made", "%s holds no key in PEM form", name)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(*rsa.PrivateKey)
	if err != nil || !ok {
		return "", usagef("move it away to have a new one made", "%s holds no RSA key in PKCS#8 form", name)
	}
	return publicHalf(private)
}

func publicHalf(key *rsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", fmt.Errorf("encoding the public key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(der), nil
}

// makeKey writes a new private key, PKCS#8 in PEM, for its owner alone, and
// returns its public half. A key that is there may be registered already, so it
// is never replaced.
func makeKey(name string) (public string, err error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return "", err
	}
	if err := writeNew(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		return "", err
	}
	return publicHalf(key)
}

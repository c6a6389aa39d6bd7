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

// ensureKey makes an RSA key in a file unless there is one, and returns its
// public half as it is registered: bare base64 of the X.509 form. A key that is
// there may be registered already, so it is never replaced.
func ensureKey(name string) (made bool, public string, err error) {
	data, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		made = true
		if data, err = makeKey(name); err != nil {
			return false, "", fmt.Errorf("making a key: %w", err)
		}
	case err != nil:
		return false, "", fmt.Errorf("reading the key that is there: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return false, "", usagef("move it away to have a new one made", "%s holds no key in PEM form", name)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(*rsa.PrivateKey)
	if err != nil || !ok {
		return false, "", usagef("move it away to have a new one made", "%s holds no RSA key in PKCS#8 form", name)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return false, "", fmt.Errorf("encoding the public key: %w", err)
	}
	return made, base64.StdEncoding.EncodeToString(der), nil
}

// makeKey writes a new private key, PKCS#8 in PEM, for its owner alone.
func makeKey(name string) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return data, writeNew(name, data)
}

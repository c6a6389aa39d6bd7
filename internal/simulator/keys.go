package simulator

import (
	"crypto/rand"
	"crypto/rsa"
)

// NewKeyPair makes a throwaway key of the size the API prescribes (API §4.1),
// for a client or for a server that lives no longer than the process.
func NewKeyPair() (*rsa.PrivateKey, error) {
	return rsa.GenerateKey(rand.Reader, 2048)
}

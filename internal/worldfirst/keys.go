package worldfirst

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// minKeyBits is the shortest RSA key that is taken; the provider asks for 2048
// (API §4.1).
const minKeyBits = 2048

// maxKeyFile bounds what is read as a key file: the file named by mistake may
// be anything.
const maxKeyFile = 1 << 20

// The reasons for which a text is not the key that is wanted. None of them
// quotes the text.
var (
	errNotKey    = errors.New("not a key: expected PEM, or the bare base64 of one")
	errDamaged   = errors.New("not a key: a PEM block is damaged or cut off")
	errNotRSA    = errors.New("not an RSA key: the provider takes RSA only")
	errOpenSSH   = errors.New("not a key the provider knows: this is OpenSSH's own form, make one with openssl genrsa")
	errEncrypted = errors.New("the key is encrypted: it is needed without a passphrase")
	errIsPublic  = errors.New("this is a public key, the private key is needed")
	errIsPrivate = errors.New("this is a private key, WorldFirst's public key is needed")
	errSeveral   = errors.New("more than one key, exactly one is needed")
	errShort     = errors.New("the key is too short")
	errOpen      = errors.New("it can be read or written by others")
	errNotFile   = errors.New("not a key file")
)

// byteOrderMark is what some Windows editors put before a text.
var byteOrderMark = []byte("\xef\xbb\xbf")

// ParsePrivateKey reads our RSA key from PEM (PKCS#8 or PKCS#1) or from the
// bare base64 of either (API §4.1). Line breaks, blanks and a byte order mark
// do not matter. No error holds any of the key's text.
func ParsePrivateKey(data []byte) (*rsa.PrivateKey, error) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	var ders [][]byte
	if !isPEM(data) {
		var err error
		if ders, err = bareKeys(data); err != nil {
			return nil, err
		}
	} else {
		blocks, err := pemBlocks(data)
		if err != nil {
			return nil, err
		}
		for _, block := range blocks {
			switch {
			case block.Type == "EC PARAMETERS":
				return nil, errNotRSA
			case block.Headers["DEK-Info"] != "":
				return nil, errEncrypted
			case block.Type == "OPENSSH PRIVATE KEY":
				return nil, errOpenSSH
			case block.Type == "CERTIFICATE":
				return nil, errIsPublic
			}
			ders = append(ders, block.Bytes)
		}
	}
	if len(ders) != 1 {
		return nil, errSeveral
	}
	key, err := privateFromDER(ders[0])
	if err != nil {
		return nil, err
	}
	return key, nil
}

// ParsePublicKeys reads one or several RSA public keys of WorldFirst (API
// §4.1): PEM blocks, or bare base64 with a key per line or keys separated by
// blank lines. Several are taken so that the provider can change its key
// without an hour in which nothing verifies.
func ParsePublicKeys(data []byte) ([]*rsa.PublicKey, error) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	var ders [][]byte
	if !isPEM(data) {
		var err error
		if ders, err = bareKeys(data); err != nil {
			return nil, err
		}
	} else {
		blocks, err := pemBlocks(data)
		if err != nil {
			return nil, err
		}
		for _, block := range blocks {
			if strings.HasSuffix(block.Type, "PRIVATE KEY") {
				return nil, errIsPrivate
			}
			ders = append(ders, block.Bytes)
		}
	}
	var keys []*rsa.PublicKey
	for _, der := range ders {
		key, err := publicFromDER(der)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// LoadPrivateKey reads our RSA key from a file (ParsePrivateKey). A file that
// others may read is refused: a key that leaked signs for anybody.
func LoadPrivateKey(path string) (*rsa.PrivateKey, error) {
	data, mode, err := readKeyFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading private key: %w", err)
	}
	key, err := ParsePrivateKey(data)
	if err != nil { // whoever may read what is no key does no harm
		return nil, fmt.Errorf("reading private key: %s: %w", path, err)
	}
	// Windows has no such bits; the file's mode says nothing there.
	if mode.Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("reading private key: %s: %w (mode %#o): run chmod 600 %s", path, errOpen, mode.Perm(), path)
	}
	return key, nil
}

// LoadPublicKeys reads WorldFirst's public keys from a file (ParsePublicKeys).
func LoadPublicKeys(path string) ([]*rsa.PublicKey, error) {
	data, _, err := readKeyFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading public key: %w", err)
	}
	keys, err := ParsePublicKeys(data)
	if err != nil {
		return nil, fmt.Errorf("reading public key: %s: %w", path, err)
	}
	return keys, nil
}

func readKeyFile(path string) ([]byte, fs.FileMode, error) {
	// Stat first: opening a pipe that was named by mistake would wait for ever.
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s: %w: it is a folder or a device", path, errNotFile)
	}
	if info.Size() > maxKeyFile {
		return nil, 0, fmt.Errorf("%s: %w: it is too large", path, errNotFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	return data, info.Mode(), nil
}

func privateFromDER(der []byte) (*rsa.PrivateKey, error) {
	key, err := anyPrivate(der)
	if err != nil {
		if isPublic(der) {
			return nil, errIsPublic
		}
		if isEncrypted(der) {
			return nil, errEncrypted
		}
		return nil, err
	}
	return key, checkBits(key.N.BitLen())
}

func publicFromDER(der []byte) (*rsa.PublicKey, error) {
	key, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		parsed, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			if _, err := anyPrivate(der); err == nil || errors.Is(err, errNotRSA) || isEncrypted(der) {
				return nil, errIsPrivate
			}
			return nil, errNotKey
		}
		var ok bool
		if key, ok = parsed.(*rsa.PublicKey); !ok {
			return nil, errNotRSA
		}
	}
	return key, checkBits(key.N.BitLen())
}

// anyPrivate reads a private key in one of the encodings that occur.
func anyPrivate(der []byte) (*rsa.PrivateKey, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if _, err := x509.ParseECPrivateKey(der); err == nil {
		return nil, errNotRSA
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errNotKey
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errNotRSA
	}
	return key, nil
}

func isPublic(der []byte) bool {
	_, pkixErr := x509.ParsePKIXPublicKey(der)
	_, pkcs1Err := x509.ParsePKCS1PublicKey(der)
	return pkixErr == nil || pkcs1Err == nil
}

// isEncrypted recognises the frame of an encrypted PKCS#8 key (RFC 5958): an
// algorithm and one octet string.
func isEncrypted(der []byte) bool {
	var frame struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	rest, err := asn1.Unmarshal(der, &frame)
	return err == nil && len(rest) == 0 && len(frame.Data) > 0
}

func checkBits(bits int) error {
	if bits < minKeyBits {
		return fmt.Errorf("%w: it has %d bits, the provider asks for at least %d", errShort, bits, minKeyBits)
	}
	return nil
}

func isPEM(data []byte) bool { return bytes.Contains(data, []byte("-----BEGIN")) }

// pemBlocks returns all PEM blocks of a text, whose lines may be indented. A
// block that cannot be read is an error: leaving out one of two keys silently
// would show only much later.
func pemBlocks(data []byte) ([]*pem.Block, error) {
	var lines [][]byte
	for line := range bytes.Lines(data) {
		lines = append(lines, bytes.TrimSpace(line))
	}
	rest := append(bytes.Join(lines, []byte("\n")), '\n')
	begun := bytes.Count(rest, []byte("-----BEGIN"))
	var blocks []*pem.Block
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		blocks = append(blocks, block)
	}
	if len(blocks) != begun {
		return nil, errDamaged
	}
	return blocks, nil
}

// bareKeys decodes base64 text without PEM lines into the DER of one or
// several keys. DER says its own length, so it does not matter how the text is
// broken into lines, or whether lines are blank.
func bareKeys(data []byte) ([][]byte, error) {
	var ders [][]byte
	var text strings.Builder
	for line := range bytes.Lines(data) {
		for _, field := range bytes.Fields(line) {
			text.Write(field)
		}
		der, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text.String(), "="))
		if err != nil {
			continue
		}
		var whole asn1.RawValue
		if rest, err := asn1.Unmarshal(der, &whole); err == nil && len(rest) == 0 {
			ders = append(ders, der)
			text.Reset()
		}
	}
	if text.Len() > 0 || len(ders) == 0 {
		return nil, errNotKey
	}
	return ders, nil
}

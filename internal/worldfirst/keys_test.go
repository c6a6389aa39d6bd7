package worldfirst

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// wrap breaks text into lines of n characters.
func wrap(text string, n int, end string) string {
	var b strings.Builder
	for len(text) > n {
		b.WriteString(text[:n] + end)
		text = text[n:]
	}
	return b.String() + text + end
}

func TestParsePrivateKey(t *testing.T) {
	t.Parallel()
	want := privateKey(t, "client_private_pkcs8.pem")
	pkcs8 := read(t, "vectors", "client_private_pkcs8.pem")
	bare := strings.TrimSpace(string(read(t, "vectors", "client_private_pkcs8.b64")))
	pkcs1 := x509.MarshalPKCS1PrivateKey(want)
	for name, data := range map[string][]byte{
		"PKCS#8":                        pkcs8,
		"PKCS#1":                        read(t, "vectors", "client_private_pkcs1.pem"),
		"bare PKCS#8":                   []byte(bare),
		"bare PKCS#1":                   []byte(base64.StdEncoding.EncodeToString(pkcs1)),
		"bare, wrapped, CRLF, blanks":   []byte("\r\n  " + wrap(bare, 64, " \r\n  ") + "\r\n"),
		"bare, byte order mark":         []byte("\ufeff" + bare),
		"bare, without padding":         []byte(strings.TrimRight(bare, "=")),
		"PEM, byte order mark, CRLF":    []byte("\ufeff" + strings.ReplaceAll(string(pkcs8), "\n", "\r\n")),
		"PEM, indented, words before":   []byte("our key:\n  " + strings.ReplaceAll(string(pkcs8), "\n", "\n  ")),
		"PEM, without the last newline": bytes.TrimSpace(pkcs8),
	} {
		got, err := ParsePrivateKey(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !got.Equal(want) {
			t.Errorf("%s gave another key", name)
		}
	}
}

func TestParsePrivateKeyRefuses(t *testing.T) {
	t.Parallel()
	key := privateKey(t, "client_private_pkcs8.pem")
	pkcs8 := read(t, "vectors", "client_private_pkcs8.pem")
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, _ := x509.MarshalPKCS8PrivateKey(ec)
	sec1, _ := x509.MarshalECPrivateKey(ec)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}}, []byte("secret")})
	if err != nil {
		t.Fatal(err)
	}
	legacy := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY",
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("secret")})
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"public PEM":         {read(t, "vectors", "client_public.pem"), "public key"},
		"public base64":      {read(t, "vectors", "client_public.b64"), "public key"},
		"public PKCS#1":      {pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey)), "public key"},
		"certificate":        {pemOf("CERTIFICATE", []byte("x")), "public key"},
		"EC PKCS#8":          {pemOf("PRIVATE KEY", ecDER), "not an RSA key"},
		"EC base64":          {[]byte(base64.StdEncoding.EncodeToString(ecDER)), "not an RSA key"},
		"EC SEC 1":           {pemOf("EC PRIVATE KEY", sec1), "not an RSA key"},
		"EC with parameters": {append(pemOf("EC PARAMETERS", []byte{6, 0}), pemOf("EC PRIVATE KEY", sec1)...), "not an RSA key"},
		"OpenSSH":            {pemOf("OPENSSH PRIVATE KEY", []byte("x")), "OpenSSH"},
		"encrypted PKCS#8":   {pemOf("ENCRYPTED PRIVATE KEY", encrypted), "encrypted"},
		"encrypted base64":   {[]byte(base64.StdEncoding.EncodeToString(encrypted)), "encrypted"},
		"encrypted, old way": {legacy, "encrypted"},
		"too short":          {pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(short)), "1024 bits"},
		"two":                {append(bytes.Clone(pkcs8), pkcs8...), "more than one"},
		"cut off":            {pkcs8[:len(pkcs8)/2], "damaged"},
		"empty":              {nil, "not a key"},
		"blank":              {[]byte(" \n\n"), "not a key"},
		"words":              {[]byte("Hello, this is no key"), "not a key"},
		"other base64":       {[]byte("SGVsbG8gd29ybGQ="), "not a key"},
		"PEM of nonsense":    {pemOf("PRIVATE KEY", []byte("nonsense")), "not a key"},
	} {
		got, err := ParsePrivateKey(tt.data)
		if err == nil || got != nil {
			t.Errorf("%s was accepted", name)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q, want it to say %q", name, err, tt.want)
		}
		if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "MII") || strings.Contains(err.Error(), "Hello") {
			t.Errorf("%s: %q is not one line without the key's text", name, err)
		}
	}
}

func TestParsePublicKeys(t *testing.T) {
	t.Parallel()
	one, two := publicKey(t, "client_public.pem"), publicKey(t, "worldfirst_public.pem")
	bareOne := strings.TrimSpace(string(read(t, "vectors", "client_public.b64")))
	bareTwo := strings.TrimSpace(string(read(t, "vectors", "worldfirst_public.b64")))
	pemOne, pemTwo := read(t, "vectors", "client_public.pem"), read(t, "vectors", "worldfirst_public.pem")
	for name, tt := range map[string]struct {
		data string
		want []*rsa.PublicKey
	}{
		"PEM":                         {string(pemOne), []*rsa.PublicKey{one}},
		"bare":                        {bareOne, []*rsa.PublicKey{one}},
		"PKCS#1":                      {string(pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(one))), []*rsa.PublicKey{one}},
		"two PEM":                     {string(pemOne) + "\n\n" + string(pemTwo), []*rsa.PublicKey{one, two}},
		"two lines":                   {bareOne + "\n" + bareTwo + "\n", []*rsa.PublicKey{one, two}},
		"blank line between, CRLF":    {"\ufeff" + bareOne + "\r\n\r\n" + bareTwo, []*rsa.PublicKey{one, two}},
		"wrapped, blank line between": {wrap(bareOne, 64, "\n") + "\n" + wrap(bareTwo, 76, "\n"), []*rsa.PublicKey{one, two}},
	} {
		got, err := ParsePublicKeys([]byte(tt.data))
		if err != nil || len(got) != len(tt.want) {
			t.Errorf("%s: %d keys, %v, want %d", name, len(got), err, len(tt.want))
			continue
		}
		for i := range got {
			if !got[i].Equal(tt.want[i]) {
				t.Errorf("%s: key %d is another one", name, i)
			}
		}
	}

	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, _ := x509.MarshalPKIXPublicKey(&ec.PublicKey)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		data string
		want string
	}{
		"private PEM":       {string(read(t, "vectors", "client_private_pkcs8.pem")), "private key"},
		"private base64":    {string(read(t, "vectors", "client_private_pkcs8.b64")), "private key"},
		"EC":                {string(pemOf("PUBLIC KEY", ecDER)), "not an RSA key"},
		"too short":         {string(pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&short.PublicKey))), "1024 bits"},
		"second one broken": {string(pemOne) + string(pemTwo[:len(pemTwo)-40]), "damaged"},
		"bare, cut off":     {bareOne + "\n" + bareTwo[:100], "not a key"},
		"empty":             {"", "not a key"},
		"words":             {"no key here", "not a key"},
	} {
		got, err := ParsePublicKeys([]byte(tt.data))
		if err == nil || got != nil {
			t.Errorf("%s was accepted", name)
		} else if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q, want it to say %q", name, err, tt.want)
		}
	}
}

func TestLoadKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := read(t, "vectors", "client_private_pkcs8.pem")
	file := func(name string, data []byte, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if _, err := LoadPrivateKey(file("good.pem", data, mode)); err != nil {
			t.Errorf("mode %o: %v", mode, err)
		}
		os.Remove(filepath.Join(dir, "good.pem"))
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o644, 0o601} {
		path := file("open.pem", data, mode)
		_, err := LoadPrivateKey(path)
		if err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %o: %v, want a refusal that names chmod 600", mode, err)
		}
	}
	public := file("public.pem", read(t, "vectors", "worldfirst_public.pem"), 0o644)
	if keys, err := LoadPublicKeys(public); err != nil || len(keys) != 1 {
		t.Errorf("LoadPublicKeys = %d keys, %v, want 1", len(keys), err)
	}
	for _, path := range []string{filepath.Join(dir, "none.pem"), dir, file("bad.pem", []byte("SECRETTEXT"), 0o600), file("big.pem", make([]byte, maxKeyFile+1), 0o600)} {
		_, privateErr := LoadPrivateKey(path)
		_, publicErr := LoadPublicKeys(path)
		for _, err := range []error{privateErr, publicErr} {
			if err == nil {
				t.Errorf("%s was accepted", path)
			} else if text := err.Error(); !strings.Contains(text, path) || strings.ContainsAny(text, "\n\x00") || strings.Contains(text, "SECRET") {
				t.Errorf("%s: %q, want one line with the path and nothing of the content", path, err)
			}
		}
	}
	if _, err := LoadPrivateKey(filepath.Join(dir, "none.pem")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v, want os.ErrNotExist", err)
	}
}

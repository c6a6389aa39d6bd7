package worldfirst

import (
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each thing that can be wrong with a key file has an advice of its own.
func TestKeyAdvice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	private, public := read(t, "vectors", "client_private_pkcs8.pem"), read(t, "vectors", "client_public.pem")
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY",
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("secret")})
	load := func(name string, data []byte, mode os.FileMode) error {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadPrivateKey(path)
		return err
	}
	_, missing := LoadPrivateKey(filepath.Join(dir, "missing.pem"))
	_, folder := LoadPrivateKey(dir)
	seen := map[string]string{}
	for _, tt := range []struct {
		name         string
		err          error
		says, advice string
	}{
		{"missing", missing, "no such file", `"syncer init --keys" makes a key pair`},
		{"not ours to read", fmt.Errorf("reading private key: %w", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}), "permission", "own the file"},
		{"open to others", load("open.pem", private, 0o644), "chmod 600", "make a new pair"},
		{"open, but no key", load("words.txt", []byte("words"), 0o644), "not a key", "name the file of the RSA private key"},
		{"public", load("public.pem", public, 0o644), "public key", "name the private half"},
		{"encrypted", load("secret.pem", encrypted, 0o600), "encrypted", "without its passphrase"},
		{"cut off", load("half.pem", private[:len(private)/2], 0o600), "damaged", "copy the file anew"},
		{"two", load("two.pem", append(append([]byte{}, private...), private...), 0o600), "more than one", "leave one key"},
		{"OpenSSH", load("ssh.pem", pemOf("OPENSSH PRIVATE KEY", []byte("x")), 0o600), "OpenSSH", "cannot be used"},
		{"a folder", folder, "folder", "name the key file itself"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.says) {
			t.Errorf("%s: the error is %v, want %q in it", tt.name, tt.err, tt.says)
			continue
		}
		got := PrivateKeyAdvice(tt.err)
		if got == "" || strings.Contains(got, "\n") || !strings.Contains(got, tt.advice) {
			t.Errorf("%s: the advice is %q, want a line with %q", tt.name, got, tt.advice)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%s and %s have the same advice %q", tt.name, other, got)
		}
		seen[got] = tt.name
	}
	_, publicErr := LoadPublicKeys(filepath.Join(dir, "secret.pem"))
	if got := PublicKeyAdvice(publicErr); !strings.Contains(got, "never given to anybody") {
		t.Errorf("a private key in place of the public one: the advice is %q", got)
	}
	if got := PublicKeyAdvice(missing); !strings.Contains(got, "Developer Center") {
		t.Errorf("a missing public key: the advice is %q", got)
	}
}

//go:build unix

package token

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What the superuser makes belongs to whom it replaces, or for whom the folder
// was made: the daemon's user must be able to read it, and to take the lock.
func TestSuperuserGivesAway(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only the superuser can give files away")
	}
	const daemon, other = 12345, 23456
	for _, tt := range []struct {
		there bool // a file of its own owner
		owner int
	}{{false, daemon}, {true, other}} {
		path := filepath.Join(t.TempDir(), "main.token")
		if err := os.Chown(filepath.Dir(path), daemon, daemon); err != nil {
			t.Fatal(err)
		}
		if tt.there {
			if err := os.WriteFile(path, []byte("BARE"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(path, other, other); err != nil {
				t.Fatal(err)
			}
		}
		if err := replace(path, func(int, string) error { return nil }); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{path, path + lockSuffix} {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != tt.owner || int(st.Gid) != tt.owner {
				t.Errorf("a file there: %t: %s belongs to %d:%d, want %d", tt.there, filepath.Base(name), st.Uid, st.Gid, tt.owner)
			}
		}
	}
}

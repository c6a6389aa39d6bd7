//go:build unix

package store_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"billsync/internal/bill"
	"billsync/internal/store"
)

// lookUnprivileged runs lookHere in a folder that its user may not write.
// Permissions do not stop the superuser, so a test of theirs becomes nobody.
func lookUnprivileged(t *testing.T, path string) string {
	t.Helper()
	dir := filepath.Dir(path)
	for name, mode := range map[string]os.FileMode{dir: 0o555, filepath.Dir(dir): 0o755} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { _ = os.Chmod(dir, 0o755) }()
	cmd := exec.Command("/proc/self/exe") // what stands in folders that nobody may enter as well
	if _, err := os.Stat(cmd.Path); err != nil {
		cmd = exec.Command(os.Args[0])
	}
	cmd.Dir, cmd.Env = "/", append(os.Environ(), "STORE_TEST_LOOK="+path)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("looking as another user: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// A database can be looked at where nothing may be written, and what stands in
// its log alone is not silently left out.
func TestReaderWithoutWriting(t *testing.T) {
	t.Parallel()
	made := func() (dir, path string) {
		dir = t.TempDir()
		path = filepath.Join(dir, "bills.db")
		s := openAt(t, path, shanghai)
		update(t, s, func(tx *store.Tx) error { return tx.SaveAccount(bill.Account{Name: "main"}, day(1), t0) })
		insert(t, s, plain("A", day(2)))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, suffix := range []string{"-wal", "-shm"} {
			if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		return dir, path
	}
	for _, tt := range []struct {
		name string
		more func(path string)
		want string
	}{
		{"the file alone", func(string) {}, "orders [A] <nil>"},
		{"an empty log", func(path string) { write(t, path+"-wal", nil) }, "orders [A] <nil>"},
		{"a log", func(path string) { write(t, path+"-wal", []byte("not empty")) },
			"its newest part is in bills.db-wal, and SQLite cannot read that without writing beside it\nhint: give this user write permission for the folder "},
		{"not ours to read", func(path string) {
			if err := os.Chmod(path, 0); err != nil {
				t.Fatal(err)
			}
		}, "permission denied\nhint: give this user permission to read"},
	} {
		dir, path := made()
		tt.more(path)
		got := lookUnprivileged(t, path)
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: looking says %q, want %q in it", tt.name, got, tt.want)
		}
		if strings.Contains(got, "cannot be written") {
			t.Errorf("%s: looking says %q, but nothing was to be written", tt.name, got)
		}
		if files, _ := os.ReadDir(dir); len(files) > 2 {
			t.Errorf("%s: looking left %v", tt.name, files)
		}
	}
}

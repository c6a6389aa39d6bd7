//go:build unix

package token

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// giveToOwner gives a new file to the owner of the one it stands for, or beside
// which it stands: the superuser's "token apply" must not lock out the user
// that the daemon runs as. Where there is none yet, the folder's owner is who it
// is made for. For everybody else there is nothing to give.
func giveToOwner(old, path string) {
	if os.Geteuid() != 0 {
		return
	}
	info, err := os.Stat(old)
	if errors.Is(err, fs.ErrNotExist) {
		info, err = os.Stat(filepath.Dir(path))
	}
	if err != nil {
		return
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = os.Lchown(path, int(st.Uid), int(st.Gid))
	}
}

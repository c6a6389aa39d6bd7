package token

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain is also the process that TestKilled kills.
func TestMain(m *testing.M) {
	if path := os.Getenv("TOKEN_TEST_REPLACE"); path != "" {
		at, err := strconv.Atoi(os.Getenv("TOKEN_TEST_KILL_AT"))
		if err == nil {
			err = replace(path, func(n int, _ string) error {
				if n == at {
					return syscall.Kill(os.Getpid(), syscall.SIGKILL)
				}
				return nil
			})
		}
		fmt.Println("survived", err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// second is what replaces Refreshable.
func second() Stored {
	return Refreshable().Refreshed(grant("ACCESS-2", "REFRESH-2", noon.Add(57*day), noon.Add(207*day)), noon.Add(27*day))
}

// replace puts second into a file as a refresh does. The hook is told the number
// of each step.
func replace(path string, hook func(n int, what string) error) error {
	f := At(path)
	n := 0
	f.step = func(what string) error { n++; return hook(n, what) }
	h, err := f.Lock(context.Background(), 10*time.Second)
	if err != nil {
		return err
	}
	defer h.Unlock()
	d, err := h.Prepare()
	if err != nil {
		return err
	}
	defer d.Drop()
	if err := f.at("answer"); err != nil { // here the API gives its answer
		return err
	}
	return d.Save(second())
}

// steps are the steps of replace.
func steps(t *testing.T) []string {
	t.Helper()
	var all []string
	if err := replace(kept(t), func(_ int, what string) error { all = append(all, what); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(all) < 7 {
		t.Fatalf("replacing tokens has the steps %q, want more", all)
	}
	return all
}

// kept is a file with Refreshable in it.
func kept(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "main.token")
	text, err := Refreshable().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func holds(t *testing.T, path string) Stored {
	t.Helper()
	s, err := Read(path)
	if err != nil {
		t.Fatalf("reading what is left: %v", err)
	}
	return s
}

// reopen takes the lock and gives it back.
func reopen(t *testing.T, path string) {
	t.Helper()
	h, err := At(path).Lock(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Unlock(); err != nil {
		t.Error(err)
	}
	if names := list(t, path); !slices.Equal(names, []string{"main.token", "main.token.lock"}) {
		t.Errorf("the folder holds %q afterwards", names)
	}
}

func list(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Killed at any step, the file holds the old pair or the new one; and once the
// new one was written whole, the next process puts it in place.
func TestKilled(t *testing.T) {
	t.Parallel()
	for i, what := range steps(t) {
		path := kept(t)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "TOKEN_TEST_REPLACE="+path, "TOKEN_TEST_KILL_AT="+strconv.Itoa(i+1))
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Fatalf("%s: was not killed: %s", what, out)
		}
		if s := holds(t, path); !equal(s, Refreshable()) && !equal(s, second()) {
			t.Errorf("%s: the file holds neither the old tokens nor the new ones", what)
		}
		reopen(t, path)
		want := Refreshable()
		if slices.Contains([]string{"truncate", "sync", "rename", "sync folder"}, what) {
			want = second()
		}
		if !equal(holds(t, path), want) {
			t.Errorf("killed before the step %q, the next process finds %s", what, holds(t, path).ObtainedAt)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: the file has mode %v, %v", what, info.Mode(), err)
		}
	}
}

// Killed at any step of putting a first pair into place, or one over a bare token,
// whoever recovers finds the new pair if it was written whole. No lock is made
// where nothing is left, and nobody is disturbed who is at it.
func TestKilledFirst(t *testing.T) {
	t.Parallel()
	for _, there := range []string{"", "BARE"} {
		for i, what := range steps(t) {
			path := filepath.Join(t.TempDir(), "main.token")
			if there != "" {
				if err := os.WriteFile(path, []byte(there), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := At(path).Recover(); err != nil || len(list(t, path)) > 1 {
				t.Errorf("Recover of nothing: %v, and the folder holds %q", err, list(t, path))
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "TOKEN_TEST_REPLACE="+path, "TOKEN_TEST_KILL_AT="+strconv.Itoa(i+1))
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Fatalf("%s: was not killed: %s", what, out)
			}
			if err := At(path).Recover(); err != nil {
				t.Errorf("%s: Recover: %v", what, err)
			}
			got, err := os.ReadFile(path)
			if slices.Contains([]string{"truncate", "sync", "rename", "sync folder"}, what) {
				if !equal(holds(t, path), second()) {
					t.Errorf("killed before the step %q, the new tokens are lost", what)
				}
			} else if there == "" && !errors.Is(err, fs.ErrNotExist) || string(got) != there {
				t.Errorf("killed before the step %q, the file holds %q, %v", what, got, err)
			}
			if At(path).Unfinished() {
				t.Errorf("killed before the step %q, something is left", what)
			}
		}
	}
	path := kept(t)
	h, err := At(path).Lock(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	d, err := h.Prepare()
	if err != nil {
		t.Fatal(err)
	}
	if err := At(path).Recover(); err != nil || !At(path).Unfinished() {
		t.Errorf("Recover beside another process: %v, unfinished: %t", err, At(path).Unfinished())
	}
	d.Drop()
	if err := h.Unlock(); err != nil {
		t.Error(err)
	}
}

// Whatever fails, the error says so, the old tokens stay, and what the API gave
// is not thrown away if it was written.
func TestFails(t *testing.T) {
	t.Parallel()
	for i, what := range steps(t) {
		path := kept(t)
		err := replace(path, func(n int, _ string) error {
			if n == i+1 {
				return syscall.ENOSPC
			}
			return nil
		})
		s := holds(t, path)
		var lost *LostError
		switch {
		case what == "sync folder":
			if err != nil || !equal(s, second()) {
				t.Errorf("%s: %v, want the new tokens in place", what, err)
			}
			continue
		case !errors.Is(err, syscall.ENOSPC) || !equal(s, Refreshable()):
			t.Errorf("%s: %v, want the old tokens and the error", what, err)
		case errors.As(err, &lost) != slices.Contains([]string{"write", "truncate", "sync", "rename"}, what):
			t.Errorf("%s: %v, a LostError: %t", what, err, errors.As(err, &lost))
		case lost != nil && (lost.Kept != "") != (what == "rename"):
			t.Errorf("%s: kept in %q", what, lost.Kept)
		}
		reopen(t, path)
		if want := what == "rename"; equal(holds(t, path), second()) != want {
			t.Errorf("%s: the next process finds the new tokens: %t, want %t", what, !want, want)
		}
	}
}

// What a process left is taken only if it is newer than what is there, whole and
// nobody else's.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	whole, err := second().Encode()
	if err != nil {
		t.Fatal(err)
	}
	old, err := Refreshable().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		left  string
		mode  fs.FileMode
		age   time.Duration // how much older than the file it is
		there string        // "": nothing
		taken bool
	}{
		{"whole", string(whole), 0o600, 0, string(old), true},
		{"whole with its room", string(whole) + strings.Repeat(" ", 5000), 0o600, 0, string(old), true},
		{"whole, and nothing there", string(whole), 0o600, 0, "", true},
		{"whole, and something unreadable there", string(whole), 0o600, 0, "{", true},
		{"half", string(whole[:len(whole)/2]), 0o600, 0, string(old), false},
		{"room alone", strings.Repeat(" ", 5000), 0o600, 0, string(old), false},
		{"empty", "", 0o600, 0, string(old), false},
		{"a bare token", "TOKEN", 0o600, 0, string(old), false},
		{"others can read it", string(whole), 0o644, 0, string(old), false},
		{"older than the file", string(whole), 0o600, time.Hour, "BY-HAND", false},
		{"older tokens", string(old), 0o600, 0, string(whole), false},
	} {
		path := filepath.Join(t.TempDir(), "main.token")
		if tt.there != "" {
			if err := os.WriteFile(path, []byte(tt.there), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path+newSuffix, []byte(tt.left), tt.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path+newSuffix, tt.mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		at := time.Now().Add(-tt.age)
		if err := os.Chtimes(path+newSuffix, at, at); err != nil {
			t.Fatal(err)
		}
		h, err := At(path).Lock(t.Context(), time.Second)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if err := h.Unlock(); err != nil {
			t.Error(err)
		}
		got, _ := os.ReadFile(path)
		want := tt.there
		if tt.taken {
			want = tt.left
		}
		if string(got) != want {
			t.Errorf("%s: the file holds %.60q, want %.60q", tt.name, got, want)
		}
		if _, err := os.Lstat(path + newSuffix); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: what was left is still there: %v", tt.name, err)
		}
	}
	// A link in that place is not followed.
	path, other := kept(t), filepath.Join(t.TempDir(), "other")
	if err := errors.Join(os.WriteFile(other, whole, 0o600), os.Symlink(other, path+newSuffix)); err != nil {
		t.Fatal(err)
	}
	reopen(t, path)
	if text, err := os.ReadFile(other); err != nil || string(text) != string(whole) || !equal(holds(t, path), Refreshable()) {
		t.Errorf("a link was followed: %v", err)
	}
}

// A link stays a link, and one lock serves all its names.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, there := range []bool{true, false} {
		path := kept(t)
		if !there {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		dir := t.TempDir()
		link, second2 := filepath.Join(dir, "link"), filepath.Join(dir, "second")
		if err := errors.Join(os.Symlink(path, link), os.Symlink("link", second2)); err != nil {
			t.Fatal(err)
		}
		if At(second2).Path() != At(path).Path() || At(second2).Name() != second2 {
			t.Errorf("the file of a link is %s, want %s", At(second2).Path(), At(path).Path())
		}
		if err := replace(second2, func(int, string) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("the link is %v, %v", info, err)
		}
		if !equal(holds(t, path), second()) || !equal(holds(t, second2), second()) {
			t.Errorf("the new tokens are not where the link points")
		}
		if names := list(t, link); len(names) != 2 {
			t.Errorf("beside the link there are %q", names)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	path := kept(t)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); !errors.Is(err, ErrOpenToOthers) {
		t.Errorf("Read of a file that a group can read = %v", err)
	}
	if _, err := Read(path + "x"); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), path) {
		t.Errorf("Read of nothing = %v", err)
	}
	if _, err := Read(filepath.Dir(path)); err == nil {
		t.Errorf("Read of a folder is no error")
	}
	if _, err := At(filepath.Join(path, "x", "y")).Lock(t.Context(), time.Second); err == nil {
		t.Errorf("Lock without a folder is no error")
	}
}

// One at a time: of many that find the same token expired, one replaces it.
func TestLock(t *testing.T) {
	t.Parallel()
	path := kept(t)
	asked := 0 // the lock guards it
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			h, err := At(path).Lock(t.Context(), time.Minute)
			if err != nil {
				t.Error(err)
				return
			}
			defer h.Unlock()
			s, err := h.Read()
			if err != nil {
				t.Error(err)
				return
			}
			if !s.Same("ACCESS-1") {
				return
			}
			asked++
			d, err := h.Prepare()
			if err != nil {
				t.Error(err)
				return
			}
			if err := d.Save(second()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if asked != 1 {
		t.Errorf("%d asked, want 1", asked)
	}
	h, err := At(path).Lock(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := At(path).Lock(t.Context(), 50*time.Millisecond); !errors.Is(err, ErrLocked) {
		t.Errorf("Lock that is held elsewhere = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := At(path).Lock(ctx, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock with an ended context = %v", err)
	}
	if err := h.Unlock(); err != nil {
		t.Error(err)
	}
}

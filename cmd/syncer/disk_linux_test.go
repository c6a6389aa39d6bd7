package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// unprivileged starts the program as somebody whom permissions stop: the
// superuser of a container becomes nobody.
func unprivileged(t *testing.T, dir string, args ...string) *child {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...) // which stands in a folder that nobody may enter
	cmd.Args[0] = "syncer"
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return begin(t, cmd, dir)
}

const nobody = 65534

// Where the database may not be written, a run says so before any work and
// changes nothing; looking goes on.
func TestReadOnlyPlaces(t *testing.T) {
	t.Parallel()
	good := synced(t, 40)
	for _, tt := range []struct {
		name string
		file []byte
		mode map[string]os.FileMode // of the folder "" and of files in it
		look string                 // what status says
	}{
		{"the folder", good, map[string]os.FileMode{"": 0o555}, "main "},
		{"the folder, and nothing there", nil, map[string]os.FileMode{"": 0o555}, "there is no database at "},
		{"the file", good, map[string]os.FileMode{"bills.db": 0o444}, "main "},
		{"both", good, map[string]os.FileMode{"": 0o555, "bills.db": 0o444}, "main "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, settings{}, 40, "")
			path := filepath.Join(dir, "bills.db")
			if tt.file != nil {
				put(t, path, tt.file)
			}
			if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"", "bills.db", "config.toml"} {
				name = filepath.Join(dir, name)
				if os.Getuid() == 0 {
					if err := os.Chown(name, nobody, nobody); err != nil && !errors.Is(err, os.ErrNotExist) {
						t.Fatal(err)
					}
				}
			}
			for name, mode := range tt.mode {
				if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
					t.Fatal(err)
				}
			}
			t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
			before := prints(t, dir)
			for _, args := range [][]string{{"sync"}, {"run"}, {"sync", "--full"}} {
				c := unprivileged(t, dir, args...)
				if code := c.code(patience); code != 2 {
					t.Errorf("syncer %v ended with %d, want 2:\n%s%s", args, code, c.out, c.err)
				}
				contains(t, fmt.Sprintf("what syncer %v says", args), c.err.String(), "syncer: database "+path+": ", "\nhint: ", "write permission")
				if n := strings.Count(c.err.String(), "\n"); n != 2 {
					t.Errorf("syncer %v says %q, want one line and a hint", args, c.err)
				}
			}
			c := unprivileged(t, dir, "status")
			if code := c.code(patience); code != 0 {
				t.Errorf("status ended with %d, want 0:\n%s", code, c.err)
			}
			contains(t, "status", c.out.String(), tt.look)
			after := prints(t, dir)
			delete(after, "bills.db.lock")
			if fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("the files were changed:\n%v\n%v", before, after)
			}
		})
	}
}

// smallDisk mounts a disk in memory, or skips the test where that is not
// allowed. What it returns changes its size and whether it may be written.
func smallDisk(t *testing.T) (dir string, mount func(kib int, flags uintptr)) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a disk of its own needs the right to mount one: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, func(kib int, flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, fmt.Sprintf("size=%dk", kib)); err != nil {
			t.Fatal(err)
		}
	}
}

// A real disk that is full, whatever it is that does not fit: a run says so,
// and with some space it goes on.
func TestSmallDisk(t *testing.T) {
	t.Parallel()
	api, _ := serveBook(t, many(120, 60))
	alone := folder(t, api, 60, "")
	for range 2 {
		ran(t, alone, 0, "sync", "-q")
	}
	config, err := os.ReadFile(filepath.Join(alone, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kib := range []int{64, 460, 520, 800, 1200} {
		t.Run(fmt.Sprint(kib, " KiB"), func(t *testing.T) {
			t.Parallel()
			dir, mount := smallDisk(t)
			mount(kib, 0)
			put(t, filepath.Join(dir, "config.toml"), config)
			full(t, dir, "sync", "-q")
			// Not even a byte more.
			for n := 1 << 20; n > 0; n /= 2 {
				fill(t, dir, n)
			}
			full(t, dir, "sync", "-q")
			if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
				t.Fatal(err)
			}
			mount(64<<10, 0)
			for range 2 {
				ran(t, dir, 0, "sync", "-q")
			}
			sound(t, dir, "with some space")
			sameBooks(t, alone, dir)
		})
	}
}

// full runs a command that must find the disk full.
func full(t *testing.T, dir string, args ...string) {
	t.Helper()
	c := launch(t, dir, args...)
	r := result{stdout: c.out.String(), code: c.code(patience), stderr: c.err.String()}
	if err := complaint(r, dir); err != nil {
		t.Error(err)
	}
	contains(t, "what is said on a full disk", r.stderr, ": the disk is full\nhint: free some space")
	// To read it, SQLite needs some space as well.
	copied := t.TempDir()
	for _, name := range []string{"bills.db", "bills.db-wal", "bills.db-journal"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			put(t, filepath.Join(copied, name), data)
		}
	}
	if _, err := os.Stat(filepath.Join(copied, "bills.db")); err == nil && !intact(t, filepath.Join(copied, "bills.db")) {
		t.Errorf("the database is damaged")
	}
}

// fill writes so many bytes if there is room for them.
func fill(t *testing.T, dir string, n int) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "filler"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, n))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// A file system that has turned read-only, as one with errors does.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	api, _ := serveBook(t, many(120, 60))
	alone := folder(t, api, 60, "")
	dir, mount := smallDisk(t)
	mount(64<<10, 0)
	config, err := os.ReadFile(filepath.Join(alone, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "config.toml"), config)
	for range 2 {
		ran(t, alone, 0, "sync", "-q")
		ran(t, dir, 0, "sync", "-q")
	}
	before := prints(t, dir)
	mount(64<<10, syscall.MS_RDONLY)
	for _, args := range [][]string{{"sync"}, {"run"}, {"retry", "--now"}, {"accept", "item:1", "--note", "x"}} {
		_, errout := ran(t, dir, 2, args...)
		contains(t, fmt.Sprintf("what syncer %v says on a read-only disk", args), errout, "syncer: database "+filepath.Join(dir, "bills.db")+": ", "\nhint: ")
	}
	out, _ := ran(t, dir, 0, "status")
	contains(t, "status on a read-only disk", out, "main ")
	mount(64<<10, 0)
	if after := prints(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the files were changed:\n%v\n%v", before, after)
	}
}

// Where nothing may be written, reports are made all the same if the books are up
// to date; if not, it is told what they lack.
func TestReportsInReadOnlyPlaces(t *testing.T) {
	t.Parallel()
	good := synced(t, 40)
	month := time.Now().AddDate(0, -1, 0).Format("2006-01")
	for _, tt := range []struct {
		name, more, before string
		says               string // "" for reports as ever
	}{
		{"up to date", "", "SELECT 1", ""},
		{"with sums to be made", "", "INSERT INTO dirty_months SELECT max(month), 'books', 'x' FROM book_sums", "the books are not up to date "},
		{"with other rules", "[report]\nmerchant_rules = [\"^X => Y\"]\n", "SELECT 1", "the books are not up to date "},
		{"in another time zone", "[report]\ntimezone = \"UTC\"\n", "SELECT 1", "the days in the database are those of Asia/Shanghai, "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, settings{}, 40, tt.more)
			path := filepath.Join(dir, "bills.db")
			put(t, path, good)
			executed(t, path, tt.before)
			for _, name := range []string{filepath.Dir(dir), filepath.Join(dir, "config.toml"), path} {
				if err := os.Chmod(name, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if os.Getuid() == 0 {
				if err := os.Chown(filepath.Join(dir, "config.toml"), nobody, nobody); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(dir, 0o555); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
			for _, args := range [][]string{{"monthly"}, {"merchants"}, {"failures"}, {"open"}, {"pack", month, "--json"}} {
				c := unprivileged(t, dir, append([]string{"report"}, args...)...)
				code := c.code(patience)
				if tt.says == "" {
					if code != 0 || c.err.String() != "" {
						t.Errorf("report %v ends with %d and says %s", args, code, c.err)
					}
					continue
				}
				if n := strings.Count(c.err.String(), "\n"); code != 2 || n != 2 || !strings.HasPrefix(c.err.String(), "syncer: "+tt.says) {
					t.Errorf("report %v ends with %d and says %s, want 2, one line that begins with %q, and a hint", args, code, c.err, tt.says)
				}
			}
		})
	}
}

// A workbook for which the disk has no room leaves nothing behind, and what was
// there under its name stays.
func TestWorkbookOnASmallDisk(t *testing.T) {
	t.Parallel()
	dir := folder(t, settings{}, 40, "")
	put(t, filepath.Join(dir, "bills.db"), synced(t, 40))
	small, mount := smallDisk(t)
	month := time.Now().AddDate(0, -1, 0).Format("2006-01")
	put(t, filepath.Join(small, "old.xlsx"), []byte("old"))
	for _, kib := range []int{8, 32, 80} {
		mount(kib, 0)
		for _, name := range []string{"new.xlsx", "old.xlsx"} {
			path := filepath.Join(small, name)
			_, errout := ran(t, dir, 1, "report", "pack", month, "--xlsx", path, "--force")
			if want := "syncer: " + path + ": the disk is full\nhint: free some space, "; !strings.HasPrefix(errout, want) || strings.Count(errout, "\n") != 2 {
				t.Errorf("with %d KiB the pack says %q, want %q", kib, errout, want)
			}
		}
		left, err := os.ReadDir(small)
		if err != nil || len(left) != 1 {
			t.Errorf("with %d KiB there are %v, %v", kib, left, err)
		}
		if data, err := os.ReadFile(filepath.Join(small, "old.xlsx")); err != nil || string(data) != "old" {
			t.Errorf("with %d KiB the old workbook is %q, %v", kib, data, err)
		}
	}
	mount(4096, 0)
	ran(t, dir, 0, "report", "pack", month, "--xlsx", filepath.Join(small, "old.xlsx"), "--force")
}

// An export for which the disk has no room names the file that was to be written, and
// leaves nothing behind.
func TestExportOnASmallDisk(t *testing.T) {
	t.Parallel()
	dir := folder(t, settings{}, 40, "")
	put(t, filepath.Join(dir, "bills.db"), synced(t, 40))
	small, mount := smallDisk(t)
	put(t, filepath.Join(small, "old.csv"), []byte("old"))
	currencies := regexp.MustCompile("main-[A-Z]{3}-all") // whichever comes first
	fails := func(when, path string, args ...string) {
		t.Helper()
		_, errout := ran(t, dir, 1, append([]string{"export"}, args...)...)
		want := "syncer: " + path + ": the disk is full\nhint: free some space, or name a file on another disk"
		if strings.HasSuffix(path, ".xlsx") {
			want += "; while it is written a workbook takes several times its room"
		}
		if said := currencies.ReplaceAllString(errout, "main-CUR-all"); said != want+"\n" {
			t.Errorf("%s %v says %q, want %q", when, args, said, want)
		}
		left, err := os.ReadDir(small)
		if err != nil || len(left) != 1 {
			t.Errorf("%s there are %v, %v", when, left, err)
		}
		if data, err := os.ReadFile(filepath.Join(small, "old.csv")); err != nil || string(data) != "old" {
			t.Errorf("%s the old file is %q, %v", when, data, err)
		}
	}
	for _, kib := range []int{8, 32} {
		mount(kib, 0)
		when := fmt.Sprintf("with %d KiB", kib)
		for _, name := range []string{"old.csv", "new.csv", "new.jsonl", "new.xlsx"} {
			path := filepath.Join(small, name)
			fails(when, path, strings.TrimPrefix(filepath.Ext(name), "."), "-o", path, "--force")
		}
		for _, format := range []string{"beancount", "hledger"} {
			path := filepath.Join(small, "new.journal")
			fails(when, path, format, "-o", path)
		}
		for format, name := range map[string]string{"ofx": "main-CUR-all.ofx", "camt053": "main-CUR-all.xml"} {
			fails(when, filepath.Join(small, name), format, "-o", small)
		}
	}
	// No room for another name: not for the file, not for the folder in which it is made.
	for _, names := range []int{3, 2} {
		if err := syscall.Mount("tmpfs", small, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=1m,nr_inodes=%d", names)); err != nil {
			t.Fatal(err)
		}
		path := map[int]string{3: filepath.Join(small, "main-CUR-all.ofx"), 2: small}[names]
		fails(fmt.Sprintf("with %d names", names), path, "ofx", "-o", small)
	}
	fails("with 2 names", filepath.Join(small, "books"), "ofx", "-o", filepath.Join(small, "books"))
}
